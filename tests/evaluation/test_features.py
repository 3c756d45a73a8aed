"""Features of a run: its own backbone, its own data, its own image size."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import seed_everything
from omegaconf import OmegaConf
from PIL import Image
from torchvision.transforms.functional import normalize, to_tensor

from cueco_solo import host
from cueco_solo.errors import ConfigError
from cueco_solo.evaluation.checks import evaluation_data
from cueco_solo.evaluation.features import load_backbone, run_features
from cueco_solo.training.checkpoints import read_checkpoint
from cueco_solo.training.run_folder import load_run

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_the_trained_backbone_is_the_checkpoints(trained: Path):
    run = load_run(trained)
    state = read_checkpoint(run.checkpoint, "checkpoint")["state_dict"]
    backbone = load_backbone(run)
    assert all(torch.equal(v, state[f"backbone.{k}"]) for k, v in backbone.state_dict().items())
    assert not backbone.training
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_the_untrained_backbone_is_where_training_started(trained: Path):
    run = load_run(trained)
    seed_everything(run.cfg.seed, workers=True, verbose=False)
    start = host.method_class(run.cfg.method)(run.cfg.copy()).backbone
    untrained = load_backbone(run, untrained=True)
    assert all(torch.equal(v, start.state_dict()[k]) for k, v in untrained.state_dict().items())
    moved = load_backbone(run).state_dict()
    assert any(not torch.equal(v, moved[k]) for k, v in untrained.state_dict().items())


def test_features_are_those_of_a_loop_over_the_files(trained: Path, images: Path):
    run = load_run(trained)
    backbone = load_backbone(run)
    features = run_features(run, evaluation_data(run), backbone, 4, 0, "cpu")
    assert features.train.shape == (18, 512)
    assert features.num_classes == 3
    files = sorted((images / "val").rglob("*.png"))
    assert features.test_labels.tolist() == [
        ("blue", "green", "red").index(file.parent.name) for file in files
    ]
    for file, feature in zip(files, features.test, strict=True):
        image = normalize(to_tensor(Image.open(file)), MEAN, STD)
        torch.testing.assert_close(backbone(image[None])[0], feature, rtol=1e-4, atol=1e-4)


def test_another_backbone_is_refused(trained: Path):
    run = load_run(trained)
    run.cfg.backbone.name = "resnet50"
    with pytest.raises(ConfigError, match=r"holds another backbone than resnet50 of args\.json"):
        load_backbone(run)


def test_paths_may_be_given(trained: Path, images: Path, tmp_path: Path):
    run = load_run(trained)
    assert evaluation_data(run).train_path == str(images / "train")
    assert evaluation_data(run, train_path=images / "val").train_path == str(images / "val")
    with pytest.raises(ConfigError, match=r"--val-path='nowhere' doesn't exist"):
        evaluation_data(run, val_path="nowhere")
    OmegaConf.update(run.cfg, "data.val_path", None)
    with pytest.raises(ConfigError, match=r"--val-path=None is missing, the run's"):
        evaluation_data(run)
