"""``cueco-solo linear``, ``knn`` and ``cluster`` on a run folder."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support import change_args, entry, known_images

from cueco_solo.cli import main


def figures(run: Path, *arguments: str, file: str) -> dict[str, Any]:
    assert main([arguments[0], str(run), "--num-workers", "0", *arguments[1:]]) == 0
    return json.loads(entry(run, file).read_text())


def test_knn(run: Path, capsys: pytest.CaptureFixture[str]):
    content = figures(run, "knn", "--k", "1", "5", file="eval-knn.json")
    assert len(content["results"]) == 8
    assert content["settings"]["k"] == [1, 5]
    assert known_images(content) == {"cosine_1_top1", "cosine_5_top1"}
    assert content["checkpoint"].endswith("ep=1.ckpt")
    assert content["versions"]["torch"]
    printed = capsys.readouterr().out
    assert "temperature: 0.07" in printed
    assert f"cosine_5_top1 {content['results']['cosine_5_top1']:12.2f}".split() == next(
        line.split() for line in printed.splitlines() if "cosine_5_top1" in line
    )


def test_knn_at_several_temperatures(run: Path, monkeypatch: pytest.MonkeyPatch):
    """An entry each, as single calls write them; a grid computes what is missing."""
    from cueco_solo.comparison.evaluations import parse_evaluations
    from cueco_solo.evaluation import knn

    words = ("knn", "--k", "1", "5", "--temperature")
    single = {t: figures(run, *words, t, file="eval-knn.json") for t in ("0.07", "0.5")}
    written = {path: path.read_bytes() for path in run.glob("eval-knn-*.json")}
    assert len(written) == 2
    assert main(["knn", str(run), "--num-workers", "0", *words[1:], "0.5", "0.05", "0.07"]) == 0
    assert len(list(run.glob("eval-knn-*.json"))) == 3
    assert all(path.read_bytes() == content for path, content in written.items())
    assert [one["settings"]["temperature"] for one in single.values()] == [0.07, 0.5]

    def fail(*_: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(knn, "knn_sweep", fail)
    (evaluation,) = parse_evaluations([f"{' '.join(words)} 0.05 0.07 0.5 --num-workers 0"])
    assert {*evaluation.run(run)} == {*run.glob("eval-knn-*.json")}


def test_cluster_of_an_untrained_backbone(run: Path, capsys: pytest.CaptureFixture[str]):
    content = figures(
        run, "cluster", "--untrained", "--restarts", "2", file="eval-cluster-untrained.json"
    )
    ranks = {"rankme_train", "rankme_test"}
    assert content["results"].keys() == {"nmi", "ami", "ari", "acc"} | ranks
    assert known_images(content) == {"nmi", "ami", "ari", "acc"}
    assert content["settings"]["restarts"] == 2
    assert content["checkpoint"] is None
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    for name, most in (("rankme_train", 18), ("rankme_test", 9)):  # fewer images than dimensions
        assert 1 <= content["results"][name] <= most
        line = next(line for line in lines if name in line)
        assert line[2:] == ["dimensions,", "of", str(most), "possible"]


def test_the_commands_share_features(
    run: Path, no_network: Any, capsys: pytest.CaptureFixture[str]
):
    """What the first command extracts the others read, with the same figures, without a network."""
    first = figures(run, "knn", "--k", "3", file="eval-knn.json")["results"]
    (path,) = (run / "features").iterdir()
    read = f"features: read from {path}"
    assert read not in capsys.readouterr().out
    no_network()
    assert figures(run, "knn", "--k", "3", file="eval-knn.json")["results"] == first
    figures(run, "cluster", "--restarts", "1", file="eval-cluster.json")
    overrides = ("optimizer.batch_size=9", "max_epochs=1")
    figures(run, "linear", "--cached", *overrides, file="eval-linear-cached.json")
    assert capsys.readouterr().out.count(read) == 3
    with pytest.raises(AssertionError, match="was built"):
        main(["knn", str(run), "--num-workers", "0", "--no-cache"])


def test_figures_that_cant_be_written_are_shown(run: Path, capsys: pytest.CaptureFixture[str]):
    figures(run, "knn", "--k", "3", file="eval-knn.json")
    path = entry(run, "eval-knn.json")
    path.unlink()
    path.mkdir()
    assert main(["knn", str(run), "--num-workers", "0", "--k", "3"]) == 2
    shown = capsys.readouterr()
    assert "cosine_3_top1" in shown.out
    assert f"{path.name}' can't be written (" in shown.err.splitlines()[-1]


@pytest.mark.parametrize("mode", [[], ["--cached"]])
def test_linear(run: Path, mode: list[str]):
    """The tints of the generated images can be told apart linearly."""
    name = "eval-linear-cached.json" if mode else "eval-linear.json"
    # what the command sets itself, the user may set too
    overrides = ("optimizer.batch_size=9", "max_epochs=4", "hardware=cpu", "data.num_workers=0")
    content = figures(run, "linear", *mode, *overrides, file=name)
    assert content["settings"]["max_epochs"] == 4
    assert content["settings"]["optimizer"]["lr"] == pytest.approx(3.0 * 9 / 256)
    assert content["results"]["top1"] >= 50
    assert known_images(content) == {"top1"}


def test_folders_with_any_name(run: Path, images: Path, tmp_path: Path):
    """Paths go into the configuration as they are, without Hydra's grammar."""
    data = shutil.copytree(images, tmp_path / "my fotos, [größe] (1)=x")
    paths = {f"data__{split}_path": str(data / split) for split in ("train", "val")}
    change_args(run, data__dataset="imagenet", **paths)
    overrides = ("optimizer.batch_size=9", "max_epochs=1")
    content = figures(run, "linear", "--cached", *overrides, file="eval-linear-cached.json")
    assert content["settings"]["train_path"] == str(data / "train")


def test_no_figure_of_more_neighbours_than_there_are(run: Path, capsys: pytest.CaptureFixture[str]):
    content = figures(run, "knn", "--k", "3", "20", file="eval-knn.json")
    assert {name.split("_")[1] for name in content["results"]} == {"3"}
    assert "k=20 is left out: there are only 18 training images" in capsys.readouterr().out
    assert main(["knn", str(run), "--num-workers", "0", "--k", "20"]) == 2
    assert "--k=[20] must be at most the 18 training images" in capsys.readouterr().err


def test_figures_are_kept_for_the_same_content_only(run: Path, monkeypatch: pytest.MonkeyPatch):
    """A checkpoint trained anew under the same name has no figures yet."""
    import torch

    from cueco_solo.comparison.evaluations import parse_evaluations

    (knn,) = parse_evaluations(["knn --k 3 --num-workers 0"])
    (path,) = knn.run(run)
    written = path.stat().st_mtime_ns
    assert knn.run(run) == [path] and path.stat().st_mtime_ns == written
    (checkpoint,) = run.glob("*.ckpt")
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["backbone.conv1.weight"] *= -1
    torch.save(content, checkpoint)
    assert knn.run(run) == [path] and path.stat().st_mtime_ns > written
