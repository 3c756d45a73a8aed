"""Checkpoint folders of solo-learn's versions before Hydra: flat args.json, backbone "encoder"."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from cueco_solo.cli import main
from cueco_solo.errors import ConfigError
from cueco_solo.evaluation.checks import evaluation_data
from cueco_solo.evaluation.features import load_backbone
from cueco_solo.training.checkpoints import read_weights
from cueco_solo.training.run_folder import load_run

# as 1.0.2's own main_pretrain.py wrote it, without what evaluation doesn't read
ARGS: dict[str, Any] = {
    "dataset": "custom",
    "data_dir": "<not serializable>",
    "train_dir": "<not serializable>",
    "val_dir": "<not serializable>",
    "dali": False,
    "crop_size": [32],
    "mean": [0.485, 0.456, 0.406],
    "std": [0.228, 0.224, 0.225],
    "method": "swav",
    "encoder": "resnet18",
    "batch_size": 6,
    "num_workers": 0,
    "name": "old",
    "num_classes": 3,
    "backbone_args": {"cifar": False, "zero_init_residual": False},
}


@pytest.fixture
def flat(trained: Path, tmp_path: Path) -> Path:
    """The trained weights under the names of 1.0.2."""
    state = torch.load(next(trained.glob("*ep=1.ckpt")), weights_only=True)["state_dict"]
    renamed = {
        name.replace("momentum_backbone.", "momentum_encoder.").replace("backbone.", "encoder.", 1)
        if name.startswith(("backbone.", "momentum_backbone."))
        else name: value
        for name, value in state.items()
    }
    torch.save({"state_dict": renamed}, tmp_path / "old-ep=0.ckpt")
    (tmp_path / "args.json").write_text(json.dumps(ARGS))
    return tmp_path


def test_the_backbone_is_that_of_the_checkpoint(flat: Path, trained: Path, images: Path):
    run = load_run(flat)
    expected = load_backbone(load_run(trained)).state_dict()
    found = load_backbone(run).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)
    with pytest.raises(ConfigError, match=r"--train-path=None is missing.*give --train-path DIR"):
        evaluation_data(run)
    data = evaluation_data(run, images / "train", images / "val")
    assert (data.dataset, data.val_path) == ("custom", str(images / "val"))
    assert run.cfg.augmentations[0].std == ARGS["std"]
    untrained = load_backbone(run, untrained=True).state_dict()
    assert not torch.equal(untrained["conv1.weight"], expected["conv1.weight"])


def test_objects_beside_the_weights_are_neither_built_nor_executed(tmp_path: Path):
    class Bomb:
        def __reduce__(self) -> Any:
            return open, (str(tmp_path / "bang"), "w")

    path, state = tmp_path / "x.ckpt", {"backbone.weight": torch.ones(2)}
    torch.save({"state_dict": state, "schedulers": [partial(print, 1), Bomb()]}, path)
    assert torch.equal(read_weights(path, "RUN")["backbone.weight"], torch.ones(2))
    assert not (tmp_path / "bang").exists()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConfigError, match="it is truncated or no checkpoint"):
        read_weights(path, "RUN")


@pytest.mark.parametrize(
    "command", [("linear", "--sweep", "optimizer.batch_size=9", "max_epochs=3"), ("fewshot",)]
)
def test_the_probes_take_such_a_folder(command: tuple[str, ...], flat: Path, images: Path):
    paths = ("--train-path", str(images / "train"), "--val-path", str(images / "val"))
    name, *more = command
    assert main([name, str(flat), *more, *paths]) == 0
    assert len(list(flat.glob("eval-*.json"))) == 1
