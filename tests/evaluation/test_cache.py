"""Features kept in the run folder: read when nothing has changed, else extracted anew."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support import a_byte_of_the_checkpoint

from cueco_solo.data import datasets
from cueco_solo.data.transforms import labelled_transforms
from cueco_solo.errors import ConfigError
from cueco_solo.evaluation.checks import evaluation_data
from cueco_solo.evaluation.feature_cache import cached_features, write_features
from cueco_solo.evaluation.features import Features
from cueco_solo.training.run_folder import load_run


def get(folder: Path, untrained: bool = False, **options: Any) -> Features:
    run = load_run(folder)
    return cached_features(run, evaluation_data(run), untrained, 8, 0, "cpu", **options)


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "features").iterdir())


def equal(one: Features, other: Features) -> bool:
    return one.num_classes == other.num_classes and all(
        torch.equal(getattr(one, name), getattr(other, name))
        for name in ("train", "train_labels", "test", "test_labels")
    )


def test_the_second_time_neither_builds_the_network_nor_draws_a_number(
    run: Path, no_network: Callable[[], None], capsys: pytest.CaptureFixture[str]
):
    first = get(run)
    (path,) = kept(run)
    assert f", kept in {path}" in capsys.readouterr().out
    no_network()
    state = torch.get_rng_state()
    assert equal(get(run), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert capsys.readouterr().out == f"features: read from {path}\n"
    with pytest.raises(AssertionError, match="was built"):
        get(run, cache=False)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # amid the train features, which are most of the file
    path.write_bytes(content)


def foreign(path: Path) -> None:
    """Features of something else, whole, under the name of these."""
    content = torch.load(path, weights_only=True)["features"]
    write_features(path, "another", Features(**{**content, "test": content["test"] + 1}))


@pytest.mark.parametrize(
    "damage",
    [cut, flip, foreign, lambda path: path.write_text(""), lambda path: torch.save([1], path)],
    ids=["cut", "flip", "foreign", "empty", "list"],
)
def test_a_damaged_file_is_replaced(run: Path, damage: Callable[[Path], Any], no_network: Any):
    first = get(run)
    (path,) = kept(run)
    damage(path)
    assert equal(get(run), first)
    assert kept(run) == [path]
    no_network()
    assert equal(get(run), first)


def test_a_folder_that_cant_be_written_costs_the_cache_only(
    run: Path, capsys: pytest.CaptureFixture[str]
):
    (run / "features").write_text("")  # what also root can't make a folder of
    assert len(get(run).train) == 18
    (line,) = capsys.readouterr().out.splitlines()
    assert f"not kept: {run / 'features'} can't be written (File exists)" in line


def test_no_half_file_under_the_final_name(run: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(content: Any, file: Any) -> None:
        file.write(b"half")
        file.flush()
        assert [path.suffix for path in kept(run)] == [".part"]
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        get(run)
    assert kept(run) == []


def test_no_cache_leaves_nothing(run: Path, capsys: pytest.CaptureFixture[str]):
    get(run, cache=False)
    assert not (run / "features").exists()
    assert "not kept (--no-cache)" in capsys.readouterr().out


def test_trained_and_untrained_lie_side_by_side(run: Path):
    trained, untrained = get(run), get(run, untrained=True)
    assert len(kept(run)) == 2
    assert not torch.equal(trained.test, untrained.test)
    assert equal(get(run, untrained=True), untrained)


def test_a_diverged_checkpoint_is_named_and_nothing_kept(run: Path):
    path = next(run.glob("*.ckpt"))
    content = torch.load(path, weights_only=True)
    content["state_dict"]["backbone.layer4.1.bn2.weight"][3] = float("nan")
    torch.save(content, path)
    with pytest.raises(
        ConfigError, match=r"has weights that aren't finite, 1 of 120 tensors; the training has"
    ):
        get(run)
    assert not (run / "features").exists()
    get(run, untrained=True)


def test_one_class_is_refused_where_no_folder_says_so(run: Path, monkeypatch: pytest.MonkeyPatch):
    """As in an HDF5 file."""
    loaded = load_run(run)
    data = evaluation_data(loaded)
    _, transform = labelled_transforms(data.dataset, loaded.cfg.augmentations[0])
    train, test = datasets.labelled_datasets(data, transform, transform)
    train.samples = [(path, 1) for path, _ in train.samples]
    monkeypatch.setattr(datasets, "labelled_datasets", lambda *_: (train, test))
    with pytest.raises(ConfigError, match=r"--train-path='.*train' has one class only"):
        get(run)


def test_features_go_with_their_checkpoint(run: Path, capsys: pytest.CaptureFixture[str]):
    """When others are written; those of the untrained backbone and of other files stay."""
    get(run)
    (old,) = kept(run)
    get(run, untrained=True)
    (run / "features" / "mine.pt").write_text("")
    checkpoint = next(run.glob("*.ckpt"))
    checkpoint.rename(checkpoint.with_name("n-ep=9.ckpt"))
    a_byte_of_the_checkpoint(run)
    assert old.exists()
    capsys.readouterr()
    get(run)
    assert "; removed 1 of checkpoints that are gone" in capsys.readouterr().out
    assert not old.exists()
    assert len(kept(run)) == 3


def test_the_runs_folder_with_other_classes_is_refused(run: Path):
    for split in ("train", "val"):
        shutil.rmtree(run.parent / "images" / split / "red")
    loaded = load_run(run)
    with pytest.raises(ConfigError, match="has 2 classes, but the run's classifier has 3; to"):
        evaluation_data(loaded)
    paths = (loaded.cfg.data.train_path, loaded.cfg.data.val_path)
    assert evaluation_data(loaded, *paths).train_path == paths[0]
