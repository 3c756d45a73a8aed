"""``--dataset``: a run's features on data that it wasn't trained on."""

import json
from pathlib import Path
from typing import Any

import pytest
import tiny
import transfer_folders

from cueco_solo.cli import main
from cueco_solo.comparison.evaluations import parse_evaluations, transferred
from cueco_solo.errors import ConfigError
from cueco_solo.results.runs import describe, read_figures
from cueco_solo.results.table import make_table
from cueco_solo.training.run_folder import open_runs

TRAINING = ("optimizer.batch_size=4", "max_epochs=2", "enable_progress_bar=False")


def results(run: Path, command: str, dataset: str) -> dict[str, float]:
    contents = [json.loads(path.read_text()) for path in run.glob(f"eval-{command}-*.json")]
    (found,) = (c["results"] for c in contents if c["settings"].get("title") == dataset)
    return found


def evaluate(run: Path, *words: object) -> int:
    command, *more = words
    return main([str(command), str(run), "--num-workers", "0", *map(str, more)])


def test_several_data_sets_beside_the_run_s_own(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Image folders of other classes, and one of torchvision's that is scored by class."""
    folder = tmp_path / "photos"
    for split in ("train", "val"):
        for label, name in enumerate(("day", "night")):
            for number in range(5):
                path = folder / split / name / f"{number}.png"
                transfer_folders.write_image(path, number, label)
    transfer_folders.pets(tmp_path)
    both = ("--dataset", folder, "--dataset", "pets", "--train-path", tmp_path)
    assert evaluate(run, "knn", "--k", 2) == 0
    assert evaluate(run, "knn", "--k", 2, *both) == 0
    assert evaluate(run, "linear", "--cached", *both, *TRAINING) == 0
    assert evaluate(run, "linear", "--sweep", *both, *TRAINING) == 0
    assert evaluate(run, "fewshot", "--draws", 2, "--k", 1, 2, *both) == 0
    assert evaluate(run, "cluster", *both) == 0
    printed = capsys.readouterr().out
    assert "as the run (resized), normalised as the run's custom" in printed
    # the tints can be told apart, and each class counts alike
    assert results(run, "knn", "photos")["cosine_2_top1"] == 100
    assert "cosine_2_mean_per_class" in results(run, "knn", "pets")
    for command in ("linear-cached", "linear-sweep"):
        assert list(results(run, command, "pets")) == ["mean_per_class", "top1", "top5"]
        assert list(results(run, command, "photos")) == ["top1", "top5"]
    assert "2-shot-mean_per_class" in results(run, "fewshot", "pets")
    assert results(run, "cluster", "photos")["nmi"] == pytest.approx(100)

    described = describe(runs := open_runs([run]))
    read_figures(described, runs)
    table = make_table(described)
    assert {row.dataset for row in table.rows} > {"photos", "pets"}
    titles = {column.title for column in table.columns if column.primary}
    assert {"mean per class", "top-1"} <= titles


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("knn", "--dataset", "nowhere"), "--dataset='nowhere' is neither one of cifar10, "),
        (("knn", "--dataset", "dtd"), "isn't there: no datasets/dtd; add --download, or give"),
        (("linear", "--dataset", "."), "is probed on cached features; add --cached or --sweep"),
    ],
)
def test_what_cannot_be_evaluated(
    run: Path, refused: Any, words: tuple[str, ...], text: str, tmp_path: Path
):
    name, *more = words
    if more[-1] == ".":
        more[-1] = str(tiny.write_images(tmp_path / "images"))
    assert text in refused(name, run, *more)
    assert not list(run.glob("eval-*"))


def test_a_grid_evaluates_on_other_data_too(tmp_path: Path):
    images = tiny.write_images(tmp_path / "images")
    own = parse_evaluations(["linear --cached", "knn --k 2", "finetune --percent 10"])
    texts, found = transferred(own, [str(images)])
    assert texts == (str(images),)
    assert [str(each) for each in found[3:]] == [
        f"{each} --dataset {images}" for each in ("linear --cached", "knn --k 2")
    ]
    with pytest.raises(ConfigError, match="transfer: --dataset='nowhere' is neither"):
        transferred(own, ["nowhere"])
    with pytest.raises(ConfigError, match="add --cached or --sweep"):
        transferred(parse_evaluations(["linear"]), [str(images)])
