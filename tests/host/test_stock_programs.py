"""solo-learn main's own programs, unmodified, training and evaluating our methods on a CPU."""

import json
import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from support import python

from cueco_solo import host

CHECKOUT = Path(
    os.environ.get("SOLO_LEARN_MAIN")
    or (Path(host.host_info().path).parent if host.FORM == "main" else "absent")
)
pytestmark = pytest.mark.skipif(
    not (CHECKOUT / "main_pretrain.py").is_file(),
    reason="release 1.0.2 has no such programs, and SOLO_LEARN_MAIN names no checkout",
)

SIZES = (
    "+hardware=cpu",
    "data.num_workers=1",
    "optimizer.batch_size=8",
    "method_kwargs.proj_hidden_dim=32",
    "method_kwargs.proj_output_dim=16",
    "method_kwargs.pred_hidden_dim=32",
    "method_kwargs.queue_size=16",
)
SMALL = (*SIZES, "method_kwargs.num_clusters=3", "method_kwargs.cluster_warmup_steps=2")
SMALL_RCL = (*SIZES, "method_kwargs.hierarchy_warmup_epochs=1")


def run(cwd: Path, *args: object, site: Path | None = None) -> str:
    """Run Python with these arguments; what it prints."""
    process = python("-W", "ignore", *args, path=(site,) if site else (), cwd=cwd)
    assert process.returncode == 0, process.stdout[-1000:] + process.stderr[-3000:]
    assert "not available here" not in process.stderr
    return process.stdout


def paths(images: Path) -> tuple[str, str]:
    return f"data.train_path={images / 'train'}", f"data.val_path={images / 'val'}"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images of three classes in ``train`` and ``val``; programs write to it."""
    return tiny.write_images(tmp_path_factory.mktemp("work"), train=12, tint=120)


@pytest.fixture(scope="module", params=["cueco", "rcl"])
def pretrained(work: Path, request: pytest.FixtureRequest) -> Path:
    """The folder of a run of main_pretrain.py in two processes, with validation and k-NN."""
    place = work / request.param
    place.mkdir()
    run(
        place,
        CHECKOUT / "main_pretrain.py",
        f"--config-name={request.param}-custom",
        *(SMALL if request.param == "cueco" else SMALL_RCL),
        "augmentations=asymmetric-32",
        *paths(work),
        "strategy=ddp",
        'devices="02"',
        "max_epochs=2",
        "+checkpoint.keep_prev=true",
        "+knn_eval.enabled=true",
        "+knn_eval.k=3",
        "+online_clustering.every_n_epochs=2",
    )
    (args,) = (place / "trained_models" / request.param).rglob("args.json")
    return args.parent


def test_pretraining_in_two_processes(pretrained: Path) -> None:
    args = json.loads((pretrained / "args.json").read_text())
    assert (args["method"], args["data"]["num_classes"]) == (pretrained.parent.name, 3)
    lr = {"cueco": 0.3, "rcl": 0.4}[args["method"]]
    assert args["optimizer"]["lr"] == pytest.approx(lr * 2 * 8 / 256)
    checkpoints = sorted(pretrained.glob("*.ckpt"))
    assert [re.sub(".*-", "", path.name) for path in checkpoints] == ["ep=0.ckpt", "ep=1.ckpt"]
    state = torch.load(checkpoints[-1], weights_only=True)
    assert state["global_step"] == 4  # 36 images, of which 18 and so two batches in each process
    # CSV, or TensorBoard's format where that is installed
    logs = [path for path in pretrained.parents[2].glob("lightning_logs/*/*") if path.is_file()]
    for name in (b"val_knn_acc1", b"online_nmi"):
        assert any(name in path.read_bytes() for path in logs)


def test_linear_evaluation_of_a_checkpoint(pretrained: Path, work: Path) -> None:
    checkpoint = max(pretrained.glob("*.ckpt"))
    place = pretrained.parents[2]
    run(
        place,
        CHECKOUT / "main_linear.py",
        "--config-name=linear-custom",
        "+hardware=cpu",
        *paths(work),
        "data.num_workers=1",
        "optimizer.batch_size=8",
        "max_epochs=1",
        f"pretrained_feature_extractor='{checkpoint}'",
    )
    (found,) = (place / "trained_models" / "linear").rglob("*.ckpt")
    classifier = torch.load(found, weights_only=True)["state_dict"]
    backbone = torch.load(checkpoint, weights_only=True)["state_dict"]
    name = "backbone.layer4.1.conv2.weight"
    assert torch.equal(classifier[name], backbone[name])


def test_a_yaml_of_solo_learns_then_resumed_by_path(work: Path, tmp_path: Path) -> None:
    """As README says: W&B off, devices in quotes, and the checkpoint's path in inner ones."""
    command = (
        CHECKOUT / "main_pretrain.py",
        f"--config-path={CHECKOUT / 'scripts' / 'pretrain' / 'cifar'}",
        "--config-name=mocov2plus",
        "method=cueco",
        *(f"+{size}" if "pred_hidden" in size else size for size in SIZES),
        "+method_kwargs.num_clusters=3",
        "data.dataset=custom",
        *paths(work),
        'devices="1"',
        "wandb.enabled=False",
        "auto_resume.enabled=False",
    )
    run(tmp_path, *command, "max_epochs=1")
    (first,) = (tmp_path / "trained_models" / "cueco").rglob("*.ckpt")
    run(tmp_path, *command, "max_epochs=2", f"+resume_from_checkpoint='{first}'")
    states = [
        torch.load(path, weights_only=True)
        for path in sorted((tmp_path / "trained_models" / "cueco").rglob("*.ckpt"))
    ]
    assert [state["global_step"] for state in states] == [4, 8]


def test_auto_resume_takes_no_checkpoint_of_other_settings(work: Path, tmp_path: Path) -> None:
    command = (
        CHECKOUT / "main_pretrain.py",
        "--config-name=cueco-custom",
        *SMALL,
        "augmentations=asymmetric-32",
        *paths(work),
        "max_epochs=1",
        "++auto_resume.enabled=True",
    )
    resuming = "Resuming from previous checkpoint that matches"
    assert resuming not in run(tmp_path, *command)
    (found,) = (tmp_path / "trained_models" / "cueco").rglob("*.ckpt")
    assert resuming in run(tmp_path, *command)
    # solo-learn compares neither; the latter doesn't fit, of which torch would speak otherwise
    for key, old, new in (("temperature", 0.2, 0.3), ("num_clusters", 3, 4)):
        other = f"method_kwargs.{key}={new}"
        process = python("-W", "ignore", *command, other, cwd=tmp_path)
        assert process.returncode == 1
        assert resuming in process.stdout
        (line,) = [line for line in process.stderr.splitlines() if "other settings" in line]
        assert f"'{found.relative_to(tmp_path)}' is of a run with other settings: " in line
        assert line.endswith(
            f"method_kwargs.{key} was {old}, is {new}; change them back, or start anew with "
            "auto_resume.enabled=False"
        )
    run(tmp_path, *command, "method_kwargs.temperature=0.3", "auto_resume.enabled=False")


RCL_ON_FAKE_DATA = """
import cueco_solo

cueco_solo.register()
from solo.methods import METHODS
from tests.methods import utils

cfg = utils.gen_base_cfg("rcl", batch_size=2, num_classes=10, momentum=True)
cfg.method_kwargs = {"proj_hidden_dim": 32, "queue_size": 16}
try:
    METHODS["rcl"](cfg)
except cueco_solo.ConfigError as error:
    print(error)
for number in (1000, 1024):
    cfg.method_kwargs.num_samples = number
    loaders = utils.prepare_dummy_dataloaders("cifar10", num_large_crops=2, num_classes=10)
    model = METHODS["rcl"](cfg)
    trainer = utils.gen_trainer(cfg)
    try:
        trainer.fit(model, *loaders)
    except cueco_solo.ConfigError as error:
        print(error)
    else:
        print("steps:", trainer.global_step)
"""


def test_rcl_on_the_configuration_of_solo_learns_own_tests() -> None:
    """Its random images are no files: each message says what helps there."""
    printed = run(CHECKOUT, "-c", RCL_ON_FAKE_DATA, site=CHECKOUT)
    told = [line for line in printed.splitlines() if "num_samples" in line or "steps:" in line]
    assert [line.rpartition("; ")[2] for line in told] == [
        "correct it, or set method_kwargs.num_samples to their number",
        "set it to 1024",
        "steps: 1",
    ]


def knn_data(work: Path) -> tuple[Any, ...]:
    given = ("--train_data_path", work / "train", "--val_data_path", work / "val")
    return ("--dataset", "custom", *given, "--num_workers", 1, "--batch_size", 12)


def test_knn_of_the_newest_checkpoint(pretrained: Path, work: Path) -> None:
    output = run(
        work,
        *("-m", "cueco_solo.run", CHECKOUT / "main_knn.py", *knn_data(work)),
        *("--pretrained_checkpoint_dir", pretrained, "--k", 3, "--temperature", 0.07),
        *("--distance_function", "cosine", "euclidean", "--feature_type", "backbone", "projector"),
    )
    results = re.findall(r"Result: acc@1=([0-9.]+), acc@5=([0-9.]+)", output)
    assert len(results) == 4
    for top1, top5 in results:
        assert float(top1) > 60  # three plain colours, one in three by chance
        assert float(top5) == 100


def test_umap(pretrained: Path, work: Path) -> None:
    for name in ("umap", "seaborn", "matplotlib", "pandas", "wandb"):
        pytest.importorskip(name, reason="pip install umap-learn seaborn matplotlib pandas wandb")
    run(
        work,
        *("-m", "cueco_solo.run", CHECKOUT / "main_umap.py", *knn_data(work)),
        *("--pretrained_checkpoint_dir", pretrained),
    )
    assert (work / "im100_val_umap.pdf").stat().st_size > 1000


@pytest.mark.parametrize("validated", [True, False])
def test_pretraining_by_dali_on_a_cpu(validated: bool, work: Path, tmp_path: Path) -> None:
    pytest.importorskip("nvidia.dali", reason="pip install nvidia-dali-cuda130")
    run(
        tmp_path,
        CHECKOUT / "main_pretrain.py",
        "--config-name=cueco-custom",
        *SMALL,
        "augmentations=asymmetric-32",
        f"data.train_path={work / 'train'}",
        f"data.val_path={work / 'val' if validated else 'null'}",
        "data.format=dali",
        "++dali.device=cpu",
        "++dali.encode_indexes_into_labels=true",
        "max_epochs=1",
    )
    (checkpoint,) = (tmp_path / "trained_models" / "cueco").rglob("*.ckpt")
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 4


def test_rcl_follows_each_image_that_dali_reads(work: Path, tmp_path: Path) -> None:
    pytest.importorskip("nvidia.dali", reason="pip install nvidia-dali-cuda130")
    run(
        tmp_path,
        CHECKOUT / "main_pretrain.py",
        "--config-name=rcl-imagenet100-dali",
        *SMALL_RCL,
        "augmentations=asymmetric-32",
        f"data.train_path={work / 'train'}",
        "data.val_path=null",
        "++dali.device=cpu",
        # at which this network's clusters are neither images alone nor one of all
        "method_kwargs.dbscan_eps=[1.2,1.0]",
        "method_kwargs.dbscan_min_samples=2",
        "max_epochs=2",
    )
    (checkpoint,) = (tmp_path / "trained_models" / "rcl").rglob("*.ckpt")
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert (state["hierarchy.runs"], state["hierarchy.steps"]) == (1, 4)
    assert 1 < len(state["hierarchy.labels"][2].unique()) < 36
    targets = state["targets"]
    seen = targets >= 0
    assert seen.sum() >= 32
    assert torch.equal(targets[seen], (torch.arange(36) // 12)[seen])


# CIFAR-10 with a few images: torchvision would miss the 170 MB whose digest it knows
SITE = """
import torchvision.datasets as datasets
datasets.CIFAR10._check_integrity = datasets.cifar.check_integrity = lambda *_: True
"""


def test_pretraining_on_cifar10_by_the_papers_configuration(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SITE)
    folder = tmp_path / "cifar" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        pixels = generator.integers(0, 255, (4, 3072), dtype=np.uint8)
        batch = {"data": pixels, "labels": [0, 1, 2, 3]}
        (folder / name).write_bytes(pickle.dumps(batch))
    names = {"label_names": [str(i) for i in range(10)]}
    (folder / "batches.meta").write_bytes(pickle.dumps(names))
    run(
        tmp_path,
        CHECKOUT / "main_pretrain.py",
        "--config-name=cueco-cifar10",
        *SMALL,
        f"data.train_path={tmp_path / 'cifar'}",
        f"data.val_path={tmp_path / 'cifar'}",
        "max_epochs=1",
        site=tmp_path,
    )
    (checkpoint,) = (tmp_path / "trained_models" / "cueco").rglob("*.ckpt")
    state = torch.load(checkpoint, weights_only=True)
    assert state["global_step"] == 2
    assert state["state_dict"]["backbone.conv1.weight"].shape == (64, 3, 3, 3)


def test_the_online_monitor_of_a_baseline(images: Path, tmp_path: Path) -> None:
    run(
        tmp_path,
        CHECKOUT / "main_pretrain.py",
        "--config-name=simclr-digits-placed",
        *paths(images),
        "augmentations=asymmetric-32",
        "data.num_workers=0",
        "optimizer.batch_size=6",
        "max_epochs=1",
        "+hardware=cpu",
    )
    # CSV, or TensorBoard's format where that is installed
    logs = [path.read_bytes() for path in tmp_path.glob("lightning_logs/*/*") if path.is_file()]
    for name in (b"online_nmi", b"online_rankme", b"online_cluster_active", b"online_uniformity"):
        assert any(name in log for log in logs)
