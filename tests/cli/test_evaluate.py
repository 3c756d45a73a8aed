"""``cueco-solo linear``, ``knn`` and ``cluster`` on a run folder."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cueco_solo.cli import main


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A run folder of its own, with what the evaluation needs of one."""
    folder = tmp_path / "run"
    folder.mkdir()
    for path in (trained / "args.json", next(trained.glob("*ep=1.ckpt"))):
        shutil.copy(path, folder)
    return folder


def figures(run: Path, *arguments: str, file: str) -> dict[str, Any]:
    assert main([arguments[0], str(run), "--num-workers", "0", *arguments[1:]]) == 0
    return json.loads((run / file).read_text())


def test_knn(run: Path, capsys: pytest.CaptureFixture[str]):
    content = figures(run, "knn", "--k", "1", "5", file="eval-knn.json")
    assert len(content["results"]) == 8
    assert content["settings"]["k"] == [1, 5]
    assert content["checkpoint"].endswith("ep=1.ckpt")
    assert content["versions"]["torch"]
    printed = capsys.readouterr().out
    assert f"cosine_5_top1 {content['results']['cosine_5_top1']:12.2f}".split() == next(
        line.split() for line in printed.splitlines() if "cosine_5_top1" in line
    )


def test_cluster_of_an_untrained_backbone(run: Path):
    content = figures(
        run, "cluster", "--untrained", "--restarts", "2", file="eval-cluster-untrained.json"
    )
    assert content["results"].keys() == {"nmi", "ami", "ari", "acc"}
    assert content["settings"]["restarts"] == 2
    assert content["checkpoint"] is None


@pytest.mark.parametrize("mode", [[], ["--cached"]])
def test_linear(run: Path, mode: list[str]):
    """The tints of the generated images can be told apart linearly."""
    name = "eval-linear-cached.json" if mode else "eval-linear.json"
    content = figures(run, "linear", *mode, "optimizer.batch_size=9", "max_epochs=4", file=name)
    assert content["settings"]["max_epochs"] == 4
    assert content["settings"]["optimizer"]["lr"] == pytest.approx(3.0 * 9 / 256)
    assert content["results"]["top5"] == 100
    assert content["results"]["top1"] >= 50


def test_errors(run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    def error(*arguments: str) -> str:
        assert main(list(arguments)) == 2
        return capsys.readouterr().err.splitlines()[-1]

    assert "RUN='nowhere' must be a run folder" in error("knn", "nowhere")
    assert "--train-path='nowhere' doesn't exist" in error(
        "cluster", str(run), "--train-path", "nowhere"
    )
    assert "max_epoch=3 is no known key" in error("linear", str(run), "max_epoch=3")
    assert "choose one of linear-custom" in error("linear", str(run), "--config-name", "linear-cus")
    (run / "args.json").unlink()
    assert "holds no readable args.json" in error("linear", str(run))
