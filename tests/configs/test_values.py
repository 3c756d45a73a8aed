"""What the configurations' values become: filled in by presets, scaled by solo-learn."""

import pytest
import torch
from configurations import composed

from cueco_solo import host
from cueco_solo.methods import self_classifier_options


@pytest.mark.parametrize(
    ("name", "epochs", "size", "clusters", "images"),
    [
        ("cueco-cifar10", 1000, 32, 100, None),
        ("cueco-cifar100", 1000, 32, 500, None),
        ("cueco-imagenet100", 400, 224, 1000, None),
        ("cueco-imagenet100-dali", 400, 224, 1000, None),
        ("rcl-cifar10", 1000, 32, None, 50_000),
        ("rcl-cifar100", 1000, 32, None, 50_000),
        ("rcl-imagenet100", 400, 224, None, 126_689),
        ("rcl-imagenet100-dali", 400, 224, None, 126_689),
        ("rcl-imagenet", 200, 224, None, 1_281_167),
        ("rcl-imagenet-dali", 200, 224, None, 1_281_167),
    ],
)
def test_what_differs_between_data_sets(
    name: str, epochs: int, size: int, clusters: int | None, images: int | None
):
    cfg = composed(name)
    assert (cfg.max_epochs, cfg.method_kwargs.get("num_clusters")) == (epochs, clusters)
    assert [view.crop_size for view in cfg.augmentations] == [size, size]
    # the queue seldom holds an old key of the query
    assert images is None or cfg.method_kwargs.queue_size <= images / 3


@pytest.mark.parametrize(
    ("name", "mlp", "heads", "classes", "temperature", "rows"),
    [
        ("self_classifier-cifar10", [256, 256, 64], 30, 30, 0.3, True),
        ("self_classifier-cifar100-20", [256, 256, 64], 30, 60, 0.3, True),
        ("self_classifier-imagenet", [4096, 4096, 128], 30, 1000, 0.1, False),
    ],
)
def test_self_classifiers_pretraining_is_the_papers(
    name: str, mlp: list[int], heads: int, classes: int, temperature: float, rows: bool
):
    cfg = self_classifier_options.fill_self_classifier(composed(name))
    kwargs = cfg.method_kwargs
    assert (kwargs.preset, kwargs.queue_size, kwargs.fixed_classifier) == ("v1", 0, True)
    assert (list(kwargs.mlp_dims), kwargs.num_heads, kwargs.head_size) == (mlp, heads, classes)
    assert kwargs.temperature == kwargs.column_temperature == temperature
    assert (kwargs.normalize_rows, cfg.max_epochs) == (rows, 800)
    (view,) = cfg.augmentations  # both crops alike, as MoCo V2's
    assert (view.num_crops, view.rrc.crop_min_scale, view.gaussian_blur.prob) == (2, 0.2, 0.5)
    assert bool(cfg.data.get("superclasses")) == name.endswith("-20")


@pytest.mark.parametrize("data", ["cifar10", "cifar100-20", "imagenet", "imagenet100"])
def test_self_classifiers_preset_is_one_override(data: str):
    cfg = composed(f"self_classifier-{data}", "method_kwargs.preset=v2")
    kwargs = self_classifier_options.fill_self_classifier(cfg).method_kwargs
    assert (kwargs.temperature, kwargs.column_temperature) == (0.1, 0.05)
    assert (kwargs.normalize_rows, kwargs.fixed_classifier) == (True, False)


@pytest.mark.parametrize(
    ("name", "start", "peak", "end"),
    [
        ("self_classifier-cifar10", 3.2, 3.2, 0.032),
        ("self_classifier-cifar100-20", 3.2, 3.2, 0.032),
        ("self_classifier-imagenet", 0.2, 3.2, 0.0032),
        ("self_classifier-imagenet100", 0.2 / 16, 3.2 / 16, 0.0032 / 16),  # a 16th of the batch
    ],
)
def test_self_classifiers_learning_rate_is_the_papers(
    name: str, start: float, peak: float, end: float
):
    """As it comes out of solo-learn, which scales one of the three."""
    cfg = composed(name)
    cfg.data.val_path = cfg.data.train_path
    parsed = host.parse_pretrain_cfg(cfg)
    assert parsed.optimizer.lr == pytest.approx(peak)
    warmup = parsed.scheduler.warmup_start_lr if parsed.scheduler.warmup_epochs else peak
    assert (warmup, parsed.scheduler.min_lr) == pytest.approx((start, end))


@pytest.mark.parametrize(
    ("name", "lr", "nesterov"),
    [
        ("linear-imagenet", 1.0, True),
        ("linear-imagenet-dali", 1.0, True),
        ("linear-imagenet-self_classifier", 0.8, False),
    ],
)
def test_linear_evaluation_on_imagenet_is_the_papers(name: str, lr: float, nesterov: bool):
    """As it comes out of solo-learn, which scales the learning rate."""
    cfg = composed(name)
    assert (cfg.data.format == "dali") == name.endswith("dali")
    cfg.pretrained_feature_extractor, cfg.data.format = None, "image_folder"  # for the release
    optimizer = host.parse_linear_cfg(cfg).optimizer
    assert (optimizer.batch_size, optimizer.lr) == (4096, pytest.approx(lr))
    used = host.LARS([torch.nn.Parameter(torch.ones(2, 2))], lr=optimizer.lr, **optimizer.kwargs)
    assert (used.defaults["nesterov"], used.defaults["momentum"]) == (nesterov, 0.9)
    # LARS without solo-learn's clipping
    assert (optimizer.kwargs.eta, optimizer.kwargs.clip_lr) == (0.001, False)
