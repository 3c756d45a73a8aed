"""Linear evaluation: solo-learn's LinearModel, on images and on features extracted once."""

from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from support import refusal

from cueco_solo.evaluation.evaluate import protocol
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.linear import cached_linear_accuracies, parse_linear
from cueco_solo.training.compose import compose_config


def config(*overrides: str, name: str = "linear-custom") -> DictConfig:
    given = ["hardware=cpu", "data.train_path=.", "data.val_path=.", *overrides]
    return compose_config(name, None, given, linear=True)


def features(spread: float, classes: int = 6) -> Features:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % classes

    def split() -> torch.Tensor:
        noise = torch.randn(120, 16, generator=generator)
        return torch.eye(16)[labels] + spread * noise

    return Features(split(), labels, split(), labels, classes)


def test_the_learning_rate_is_that_of_the_batch():
    assert parse_linear(config()).optimizer.lr == 3.0
    assert parse_linear(config("optimizer.batch_size=64")).optimizer.lr == 0.75
    assert parse_linear(config("devices=[0]")).optimizer.lr == 3.0


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("finetune=True", "finetune=True is another evaluation; run cueco-solo finetune"),
        ("mixup=0.2", "main_linear.py does that"),
        ("devices=2", "devices=2 must be one device"),
        ("wandb.enabled=True", "wandb.enabled=True is beyond a linear evaluation"),
        ("tensorboard.enabled=True", "tensorboard.enabled=True is beyond"),
        ("data.augmentations=x", "data.augmentations='x' is beyond"),
        ("data.fraction=0.5", "data.fraction=0.5 is not supported here"),
        ("check_val_every_n_epoch=1", "check_val_every_n_epoch=1 has no effect"),
        ("max_time=00:01:00:00", "max_time='00:01:00:00' has no effect"),
        ("optimizer.lr=abc", "optimizer.lr='abc' must be a number"),
        ("max_epochs=0", "max_epochs=0 must be an integer of at least 1"),
    ],
)
def test_more_than_a_linear_evaluation_is_refused(override: str, text: str):
    assert text in refusal(parse_linear, config(override))


def test_cached_features_are_learnt_reproducibly():
    cfg = parse_linear(config("optimizer.batch_size=32", "max_epochs=30"))
    clear = cached_linear_accuracies(features(spread=0.1), cfg)
    assert clear == {"top1": 100.0, "top5": 100.0}
    blurred = cached_linear_accuracies(features(spread=0.6), cfg)
    assert 100 / 6 < blurred["top1"] < blurred["top5"] <= 100
    assert cached_linear_accuracies(features(spread=0.6), cfg) == blurred


def test_accuracy_is_that_of_the_test_split():
    """A classifier of shifted labels is wrong on every test sample."""
    data = features(spread=0.05)
    shifted: dict[str, Any] = {**vars(data), "test_labels": (data.test_labels + 1) % 6}
    cfg = parse_linear(config("optimizer.batch_size=32", "max_epochs=30"))
    assert cached_linear_accuracies(Features(**shifted), cfg)["top1"] == 0


def test_what_the_trainer_takes_is_handed_on():
    small = ("optimizer.batch_size=32", "max_epochs=30")
    cfg = parse_linear(config(*small, "limit_val_batches=1", "limit_train_batches=1"))
    there = cached_linear_accuracies(features(spread=0.6), cfg)
    whole = cached_linear_accuracies(features(spread=0.6), parse_linear(config(*small)))
    assert there["top1"] % (100 / 32) == 0  # of one batch
    assert whole["top1"] % (100 / 32) != 0
    # too late for a message before: only the optimizer itself knows what it takes
    for override, text in (
        ("optimizer.kwargs.momentum=-1", "optimizer or scheduler can't be built"),
        ("limit_train_batches=0.01", "Lightning can't train with this configuration"),
        ("precision=7", "Lightning's Trainer can't use this configuration"),
    ):
        cfg = parse_linear(config(*small, override))
        assert text in refusal(cached_linear_accuracies, features(0.1), cfg)


def test_too_few_features_for_a_batch():
    message = refusal(cached_linear_accuracies, features(0.1), parse_linear(config()))
    assert "optimizer.batch_size=256 must be at most the 120" in message


def test_whose_protocol_runs_is_said():
    def line(name: str) -> str:
        return protocol(parse_linear(config(name=name)))

    assert line("linear-imagenet-self_classifier") == (
        "protocol: linear-imagenet-self_classifier, of the Self-Classifier paper: lars, "
        "batch 4096, learning rate 0.8, weight decay 0, 100 epochs"
    )
    assert "of the RCL paper: lars, batch 4096, learning rate 1," in line("linear-imagenet")
    assert " paper" not in line("linear-digits")
