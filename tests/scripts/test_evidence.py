"""The script of the CIFAR-10 study: its images, and the trainings that it starts."""

import csv
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image
from support import python

from cueco_solo.comparison.grid import read_grid
from cueco_solo.comparison.jobs import jobs

FOLDER = Path(__file__).parents[2] / "scripts" / "reproduce" / "evidence"
CLASSES = ("airplane", "cat")


def written(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "cifar10_images.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torchvision's format with two images of each class in each of its six files."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        pixels = noise.integers(0, 256, (4, 3072), dtype=np.uint8)
        content = {"data": pixels, "labels": [1, 0, 1, 0]}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CLASSES)}))
    # torchvision knows the digests of the real files
    (tmp_path / "sitecustomize.py").write_text(
        "import torchvision.datasets.cifar as cifar\n"
        "cifar.check_integrity = lambda *args, **kwargs: True\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return tmp_path


def test_the_first_images_of_each_class_and_all_validation_images(cifar10: Path):
    out = cifar10 / "out"
    done = written(str(cifar10), str(out), "--per-class", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"{out / 'train'}: 6 images\n{out / 'pilot'}: 14 images\n{out / 'val'}: 4 images\n"
    )
    held_out = sorted(path.name for path in (out / "pilot" / "cat").iterdir())
    assert held_out == [f"{number:04d}.jpg" for number in range(3, 10)]
    assert sorted(path.name for path in (out / "train").iterdir()) == list(CLASSES)
    batch = pickle.loads((cifar10 / "cifar-10-batches-py" / "data_batch_2").read_bytes())
    # the third airplane is the second image of the second file
    expected = batch["data"][1].reshape(3, 32, 32).transpose(1, 2, 0).astype(int)
    found = np.asarray(Image.open(out / "train" / "airplane" / "0002.jpg"), dtype=int)
    other = np.asarray(Image.open(out / "train" / "airplane" / "0001.jpg"), dtype=int)
    assert abs(found - expected).mean() < abs(other - expected).mean() / 1.5
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    assert written(str(cifar10), str(out), "--per-class", "3").returncode == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    fewer = written(str(cifar10), str(out), "--per-class", "2")
    assert fewer.returncode == 2
    assert fewer.stderr == (
        f"error: OUT='{out}' has 6 images in train instead of 4; give an empty folder\n"
    )


def test_without_cifar10_one_line(tmp_path: Path):
    done = written(str(tmp_path), str(tmp_path / "out"))
    assert done.returncode == 2
    assert done.stderr == (
        f"error: ROOT='{tmp_path}' holds no cifar-10-batches-py, torchvision's CIFAR-10; "
        "add --download (DOWNLOAD=1), or give its folder\n"
    )


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "grids", "expected"),
    [
        (
            ("data", "max_epochs=2"),
            None,
            [
                f"compare {grid} data.train_path=data/cifar10-small/train "
                "data.val_path=data/cifar10-small/val max_epochs=2"
                for grid in ("cifar10-small", "cifar10-small-others")
            ],
        ),
        (
            (),
            "cifar10-small-pilot",
            [
                "compare cifar10-small-pilot data.train_path=datasets/cifar10-small/train "
                "data.val_path=datasets/cifar10-small/pilot"
            ],
        ),
        (
            ("max_epochs=200",),
            "cifar10",
            ["compare cifar10 data.train_path=datasets max_epochs=200"],
        ),
    ],
)
def test_the_grids_it_runs(words: tuple[str, ...], grids: str | None, expected: list[str]):
    environment = {"PATH": "/usr/bin:/bin", "COMMAND": "echo"}
    if grids:
        environment["GRIDS"] = grids
    command = ["bash", str(FOLDER / "cifar10.sh"), *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected


def test_the_arms_differ_in_nothing_else():
    """The rows of losses share all but two weights, other methods all but their own sections."""
    rows = jobs(read_grid("cifar10-small"))
    weights = {
        (job.cfg.method_kwargs.centroid_weight, job.cfg.method_kwargs.variance_weight)
        for job in rows
    }
    assert weights == {(0, 0), (0.1, 0), (0, 0.01), (0.1, 0.01)}
    every = rows + jobs(read_grid("cifar10-small-others"))
    shared = ("data", "optimizer", "scheduler", "max_epochs", "augmentations", "backbone")
    for key in (*shared, "precision", "check_val_every_n_epoch"):
        assert len({str(job.cfg[key]) for job in every}) == 1, key
    momentum = {str(job.cfg.momentum) for job in every if "momentum" in job.cfg}
    assert len(momentum) == 1


def test_what_the_clusters_of_runs_hold(images: Path, trained: Path, tmp_path: Path):
    assert tiny.pretrain(tiny.write_config(tmp_path, images), *tiny.CUECO, "max_epochs=2") == 0
    (run,) = tiny.run_folders(tmp_path, "cueco")
    done = python(FOLDER / "cifar10_causes.py", run, run)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert rows[0] == rows[1]
    found = {name: float(value) for name, value in rows[0].items()}
    assert 1 <= found["active"] <= 4
    for by in ("cueco", "kmeans_z", "kmeans_features"):
        assert 0 <= found[f"{by}_nmi"] <= 100
        assert 100 / 3 <= found[f"{by}_purity"] <= 100 >= found[f"{by}_pure"] >= 0
    assert found["keys_to_living"] <= found["keys_to_new"] + 0.05 <= 1.05
    for folder in (tmp_path / "nowhere", trained):  # which is of MoCo V2+
        done = python(FOLDER / "cifar10_causes.py", folder)
        assert done.returncode == 2
        assert done.stderr.startswith("error: RUN=") and done.stderr.count("\n") == 1
