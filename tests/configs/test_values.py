"""The configurations' values: the papers', or marked as another's."""

import pytest
import torch
from configurations import CUECO, FOLDER, LINEAR, RCL, composed

from cueco_solo import host
from cueco_solo.methods import self_classifier_options

IMAGENET = ["rcl-imagenet", "rcl-imagenet-dali"]


@pytest.mark.parametrize("name", CUECO)
def test_cuecos_pretraining_is_the_papers(name: str):
    cfg = composed(name)
    kwargs = cfg.method_kwargs
    assert cfg.backbone.name == "resnet18"
    sizes = (kwargs.proj_hidden_dim, kwargs.pred_hidden_dim, kwargs.proj_output_dim)
    assert sizes == (4096, 4096, 256)
    assert kwargs.queue_size == 16384
    assert kwargs.temperature == kwargs.centroid_temperature == 0.2
    weights = (kwargs.contrastive_weight, kwargs.centroid_weight, kwargs.variance_weight)
    assert weights == (1, 0.1, 0.01)
    assert (kwargs.cluster_warmup_steps, kwargs.cluster_reset_steps) == (313, 1000)
    assert (cfg.momentum.base_tau, cfg.momentum.final_tau) == (0.996, 1.0)
    optimizer = cfg.optimizer
    assert (optimizer.name, optimizer.lr, optimizer.weight_decay) == ("sgd", 0.3, 1e-4)
    assert cfg.optimizer.batch_size == 256


@pytest.mark.parametrize("name", RCL)
def test_rcls_pretraining_is_the_papers(name: str):
    cfg = composed(name)
    kwargs = cfg.method_kwargs
    sizes = (kwargs.proj_hidden_dim, kwargs.pred_hidden_dim, kwargs.proj_output_dim)
    assert sizes == (2048, 4096, 256)
    assert (kwargs.temperature, kwargs.symmetric) == (0.1, True)
    assert (kwargs.num_levels, kwargs.num_predictors, kwargs.hierarchy) == (3, 3, "online")
    assert (kwargs.hierarchy_warmup_epochs, kwargs.dbscan_min_samples) == (10, 4)
    assert list(kwargs.dbscan_eps) == [0.8, 0.7]
    assert (cfg.momentum.base_tau, cfg.momentum.final_tau) == (0.99, 1.0)
    assert cfg.optimizer.name == "lars" and cfg.optimizer.kwargs.exclude_bias_n_norm
    assert (cfg.scheduler.name, cfg.scheduler.warmup_epochs) == ("warmup_cosine", 10)


@pytest.mark.parametrize("name", IMAGENET)
def test_rcls_imagenet_is_the_papers(name: str):
    cfg = composed(name)
    kwargs, optimizer = cfg.method_kwargs, cfg.optimizer
    assert cfg.backbone.name == "resnet50"
    assert (kwargs.queue_size, kwargs.num_samples) == (3 * 2**15, 1_281_167)
    assert optimizer.batch_size * len(cfg.devices) == 4096
    assert (optimizer.lr, optimizer.weight_decay, cfg.max_epochs) == (0.3, 1e-6, 200)
    # LARS as BYOL has it, without solo-learn's clipping
    assert (optimizer.kwargs.eta, optimizer.kwargs.clip_lr) == (0.001, False)


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
    "name", [name for name in LINEAR if "digits" not in name and "imagenet" not in name.split("-")]
)
def test_linear_evaluation_is_cuecos(name: str):
    cfg = composed(name)
    optimizer = cfg.optimizer
    assert (optimizer.name, optimizer.lr, optimizer.weight_decay) == ("sgd", 3.0, 1e-6)
    assert (cfg.max_epochs, optimizer.batch_size) == (100, 256)
    assert (cfg.scheduler.name, cfg.scheduler.warmup_epochs) == ("warmup_cosine", 0)


@pytest.mark.parametrize("name", ["linear-imagenet", "linear-imagenet-dali"])
def test_linear_evaluation_on_imagenet_is_rcls(name: str):
    cfg = composed(name)
    assert (cfg.data.format == "dali") == name.endswith("dali")
    cfg.pretrained_feature_extractor, cfg.data.format = None, "image_folder"  # for the release
    optimizer = host.parse_linear_cfg(cfg).optimizer
    assert (optimizer.batch_size, optimizer.lr, cfg.max_epochs) == (4096, 1.0, 90)
    assert (cfg.scheduler.name, cfg.scheduler.warmup_epochs) == ("warmup_cosine", 0)
    used = host.LARS([torch.nn.Parameter(torch.ones(2, 2))], lr=optimizer.lr, **optimizer.kwargs)
    assert (used.defaults["nesterov"], used.defaults["momentum"]) == (True, 0.9)


MARKS = {
    "cueco": {
        **dict.fromkeys(("num_clusters", "proj_output_bn", "symmetric", "batch_size"), "ours"),
        **dict.fromkeys(("centroid_gradient", "centroid_momentum", "variance_momentum"), "ours"),
        "classifier_lr": "solo-learn's",
        'name: "warmup_cosine"': "solo-learn's",
    },
    "rcl": {
        "max_splits": "ours",
        "merge_threshold": "ours",
        "base_tau": "BYOL's",
        "final_tau": "BYOL's",
        "classifier_lr": "solo-learn's",
    },
}


@pytest.mark.parametrize("name", CUECO + RCL)
def test_values_that_are_not_the_papers_are_marked(name: str):
    lines = (FOLDER / f"{name}.yaml").read_text().splitlines()
    marks = dict(MARKS[composed(name).method])
    if name in IMAGENET:
        marks |= {"batch_size": "ours", "clip_lr": "BYOL's", "eta": "BYOL's", "devices": "ours"}
    elif name in RCL:
        marks |= dict.fromkeys(("lr", "weight_decay", "clip_lr", "eta"), "solo-learn's")
        marks["queue_size"] = "ours"
    for key, mark in marks.items():
        (line,) = [line for line in lines if line.strip().startswith((f"{key}:", f"{key} #"))]
        assert f"# {mark}" in line
