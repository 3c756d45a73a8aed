"""What ``import cueco_solo`` offers."""

import ast
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import python, refusal, small_cfg, unit

import cueco_solo
from cueco_solo.evaluation import features as evaluation_features
from cueco_solo.losses import cueco, rcl
from cueco_solo.modules import queue
from cueco_solo.training.build import model_from_config

Z, K, QUEUE = unit(4, 8, seed=1), unit(4, 8, seed=2), unit(16, 8, seed=3)
CENTROIDS, TARGETS = unit(3, 8, seed=4), torch.tensor([0, 2, 1, 1])


def test_importing_the_package_imports_nothing_of_weight():
    code = (
        "import sys, cueco_solo; print(*(set(sys.modules) & {'torch', 'numpy', 'hydra', 'solo',"
        "'omegaconf', 'lightning', 'pydantic', 'PIL'}), sorted(cueco_solo.__all__) == sorted(set("
        "dir(cueco_solo)) & set(cueco_solo.__all__)))"
    )
    done = python("-c", code)
    assert done.stdout.split() == ["True"], done


def test_every_public_name_is_there_and_typed():
    tree = ast.parse(Path(cueco_solo.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == {k: f"cueco_solo.{v}" for k, v in cueco_solo._PUBLIC.items()}
    for name in cueco_solo.__all__:
        assert getattr(cueco_solo, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'CueCu'"):
        cueco_solo.CueCu  # noqa: B018


def test_checked_losses_are_those_of_the_methods():
    args = (Z, K, QUEUE)
    assert cueco_solo.info_nce(*args, temperature=0.2).equal(cueco.info_nce(*args, temperature=0.2))
    args = (Z, CENTROIDS, TARGETS)
    expected = cueco.centroid_contrastive(*args, temperature=0.1)
    assert cueco_solo.centroid_contrastive(*args, temperature=0.1).equal(expected)
    args = (Z, CENTROIDS, torch.rand(3, 8), torch.rand(4, 3).softmax(1))
    assert cueco_solo.variance_loss(*args).equal(cueco.variance_loss(*args))
    labels = torch.stack([torch.arange(20), torch.arange(20) // 4])
    args = (K, QUEUE, torch.arange(4), torch.arange(4, 20), labels)
    ours, theirs = cueco_solo.relative_keys(*args), rcl.relative_keys(*args)
    assert all(a.equal(b) for a, b in zip(ours, theirs, strict=True))
    more = {"temperature": 0.2, "present": ours.present, "queued": ours.queued}
    args = (Z, ours.keys, ours.positive[0], QUEUE)
    expected = rcl.relative_contrastive(*args, **more)
    assert cueco_solo.relative_contrastive(*args, **more).equal(expected)
    loss = cueco_solo.self_classification(
        torch.rand(2, 1, 6, 5),
        num_targets=2,
        temperature=0.1,
        column_temperature=0.05,
        normalize_rows=True,
    )
    assert loss.shape == (1,) and loss.isfinite().all()


def info_nce(z=Z, k=K, queue=QUEUE, temperature=0.2):
    return lambda: cueco_solo.info_nce(z, k, queue, temperature=temperature)


def centroid(targets):
    return lambda: cueco_solo.centroid_contrastive(Z, CENTROIDS, targets, temperature=0.1)


def grouping(**options):
    momenta = {"centroid_momentum": 0.9, "variance_momentum": 0.9}
    return cueco_solo.MomentumGrouping(3, 8, **{**momenta, **options})


def relative(index=0, place=4):
    labels = torch.stack([torch.arange(20), torch.arange(20) // 4])
    places = torch.arange(index, index + 4), torch.arange(place, place + 16)
    return lambda: cueco_solo.relative_keys(K, QUEUE, *places, labels)


def hierarchy(*thresholds, levels=3):
    return cueco_solo.Hierarchy(20, 8, levels, max_splits=2, merge_threshold=thresholds)


WRONG = [
    (info_nce(z=3 * Z), "z must be unit vectors, but one has the length 3; bring it to"),
    (
        info_nce(queue=QUEUE.double() * 0.9),
        "queue must be unit vectors, but one has the length 0.9",
    ),
    (info_nce(z=Z[0]), "z must be a floating tensor of shape [N, D] of unit vectors, but is float"),
    (info_nce(k=K[:3]), "[N, D] = [4, 8] of unit vectors, but is float32 of shape [3, 8]"),
    (
        info_nce(queue=QUEUE[:, :4]),
        "[K, D] = [K, 8] of unit vectors, but is float32 of shape [16, 4",
    ),
    (info_nce(z=Z.numpy()), "but is of type ndarray"),
    (info_nce(z=Z.round().long()), "but is int64 of shape [4, 8]"),
    (info_nce(temperature=0), "temperature must be a number above 0, but is 0"),
    (info_nce(temperature="1"), "temperature must be a number above 0, but is '1'"),
    (centroid(TARGETS + 1), "targets must be integers from 0 to 2, but they are from 1 to 3"),
    (
        centroid(TARGETS.int()),
        "an int64 tensor of shape [N] = [4] or a floating tensor of shape [N, L",
    ),
    (centroid(torch.rand(4, 5)), "= [4, 3], but is float32 of shape [4, 5]"),
    (
        lambda: cueco_solo.KeyQueue(2, 16, 8).enqueue(unit(1, 4, 8)),
        "keys must be a floating tensor",
    ),
    (lambda: cueco_solo.KeyQueue(2, 16, 8).enqueue(unit(2, 4, 8) * 2), "keys must be unit vectors"),
    (lambda: cueco_solo.KeyQueue(2, 0, 8), "size must be at least 1, but is 0"),
    (lambda: grouping().update(unit(5, 7), 1), "[n, D] = [n, 8]"),
    (lambda: grouping().recluster(unit(5, 8) / 2, seed=1, step=1), "k must be unit vectors"),
    (lambda: grouping().nearest(unit(5, 8) / 2), "x must be unit vectors"),
    (
        lambda: grouping(variance="max"),
        "variance must be one of sum, mean, per_dimension, but is 'm",
    ),
    (lambda: grouping(centroid_momentum=2), "centroid_momentum must be in [0, 1], but is 2"),
    (relative(17), "index must be integers from 0 to 19, but they are from 17 to 20"),
    (relative(place=-2), "queue_index must be integers from -1 to 19, but they are from -2 to 13"),
    (lambda: hierarchy(0.5), "merge_threshold must have num_levels - 1 = 2 numbers"),
    (lambda: hierarchy(0.5, 0.5).remember(unit(2, 4, 8), torch.arange(17, 21)), "from 0 to 19"),
    (lambda: hierarchy(0.5, 0.5).refine(torch.tensor([20]), seed=1), "samples must be integers"),
    (lambda: hierarchy(0.5, 0.5).restart(torch.zeros(1, 20).long()), "[H-1, n] = [2, 20]"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_arguments_are_one_line(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_unit_vectors_of_half_precision_pass_and_what_is_not_finite_is_left_to_the_loss(dtype):
    large = [unit(n, 256).to(dtype) for n in (64, 64, 512)]
    assert cueco_solo.info_nce(*large, temperature=0.2).isfinite()
    bad = K.clone()
    bad[1, 2] = torch.nan
    assert cueco_solo.info_nce(Z, bad, QUEUE, temperature=0.2).isnan()


def test_a_loss_keeps_what_it_saw_of_queue_and_clusters():
    """Its backward pass may follow what changes them."""
    memory, clusters = cueco_solo.KeyQueue(2, 16, 8), grouping()
    z = Z.clone().requires_grad_()
    before = memory.snapshot()
    loss = cueco_solo.info_nce(z, K, memory.keys[1], temperature=0.2)
    loss = loss + cueco_solo.centroid_contrastive(z, clusters.centroids, TARGETS, temperature=0.2)
    variances = clusters.variances
    loss = loss + cueco_solo.variance_loss(z, clusters.centroids, variances, TARGETS)
    memory.enqueue(torch.stack([K, Z]))
    clusters.update(K, 1)
    clusters.recluster(QUEUE, seed=1, step=2)
    loss.backward()
    assert z.grad is not None and z.grad.isfinite().all()
    assert not before.equal(memory.keys) and memory.keys[0, :4].equal(K)
    assert memory.state_dict().keys() == queue.KeyQueue(2, 16, 8).state_dict().keys()


def test_a_method_is_built_of_a_configuration():
    small = ("method_kwargs.queue_size=64", "method_kwargs.num_clusters=4")
    model = cueco_solo.CueCo.from_config("cueco-cifar10", overrides=small)
    assert type(model) is cueco_solo.CueCo and model.queue.keys.shape == (2, 64, 256)
    assert model.cfg.data.num_classes == 10
    assert "has method=cueco, which isn't RCL" in refusal(
        cueco_solo.RCL.from_config, "cueco-cifar10", small
    )
    assert "did you mean" in refusal(model_from_config, "cueco-cifar10", ["max_epoch=1"])


@pytest.fixture(scope="module")
def backbone(trained: Path) -> torch.nn.Module:
    return cueco_solo.load_backbone(trained)


def test_all_kinds_of_images_give_the_same_features(
    trained: Path, images: Path, backbone: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
):
    folder = images / "val"
    paths = sorted(folder.rglob("*.png"))
    pictures = [Image.open(path) for path in paths]
    array = np.stack([np.asarray(picture) for picture in pictures])
    transform = cueco_solo.load_transform(str(trained))
    batch = torch.stack([transform(picture) for picture in pictures])
    backbone.train()
    expected = cueco_solo.embed(backbone, batch)
    assert backbone.training and expected.shape == (9, 512) and expected.isfinite().all()
    monkeypatch.setattr(evaluation_features, "load_backbone", None)  # one is enough
    for kind in (array, pictures, paths, folder, str(folder)):
        found = cueco_solo.embed(backbone, kind, transform=transform, batch_size=4)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_16_bit_pictures_are_scaled_and_cut_off_ones_named():
    network, grey = torch.nn.Flatten(), Image.fromarray(np.full((2, 2), 257 * 100, np.uint16))

    def transform(picture):
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float()

    found = cueco_solo.embed(network, [grey], transform=transform)
    assert found.unique().tolist() == [100]
    content = BytesIO()
    Image.effect_noise((64, 64), 50).save(content, "PNG")
    cut = Image.open(BytesIO(content.getvalue()[:1000]))
    with pytest.raises(cueco_solo.ConfigError, match=r"image='number 0' can't be read \(.*trunc"):
        cueco_solo.embed(network, [cut], transform=transform)


def test_parts_of_a_network_keep_their_mode():
    frozen = torch.nn.BatchNorm1d(12).eval()
    network = torch.nn.Sequential(torch.nn.Flatten(), frozen)
    cueco_solo.embed(network, torch.rand(2, 3, 2, 2))
    assert network.training and not frozen.training


def test_a_run_and_its_checkpoints_are_embedded_with_their_own_transform(
    trained: Path, images: Path
):
    run, paths = cueco_solo.load_run(str(trained)), sorted((images / "val").rglob("*.png"))[:2]
    found = cueco_solo.embed(run, paths)
    assert found.equal(cueco_solo.embed(str(trained), paths))
    assert found.equal(cueco_solo.embed(run.checkpoint, paths))
    first = next(trained.glob("*ep=0.ckpt"))
    assert not found.equal(cueco_solo.embed(first, paths))


def _embed(images, network=True, **options):
    def call(trained: Path, backbone: torch.nn.Module) -> None:
        cueco_solo.embed(backbone if network else trained, images, **options)

    return call


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (_embed(torch.rand(3, 32, 32)), "but are a float32 tensor [3, 32, 32]"),
        (_embed(torch.zeros(2, 3, 32, 32).byte()), "but are a uint8 tensor [2, 3, 32, 32]"),
        (_embed(torch.zeros(0, 3, 32, 32)), "the tensor is empty"),
        (_embed(np.zeros((2, 3, 32, 32)), network=False), "but are a float64 array [2, 3, 32, 32]"),
        (_embed([], network=False), "the list is empty"),
        (_embed([3], network=False), "but the list has one of type int"),
        (_embed(7, network=False), "but are of type int"),
        (_embed("nowhere", network=False), "images='nowhere' must be a folder of images"),
        (_embed("."), "transform must be given with a network"),
        (_embed(torch.rand(1, 3, 32, 32), batch_size=0), "batch_size=0 must be at least 1"),
    ],
)
def test_wrong_images_are_one_line(call, message, trained: Path, backbone: torch.nn.Module):
    with pytest.raises(ValueError) as caught:
        call(trained, backbone)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_network_that_gives_no_features_is_refused():
    with pytest.raises(ValueError, match=r"must give features \[N, D\], but gives \[1, 3, 2, 2\]"):
        cueco_solo.embed(torch.nn.Identity(), torch.rand(1, 3, 2, 2))


def test_the_checks_cost_a_training_step_nothing():
    """The methods hold the bare functions and classes."""
    model = cueco_solo.CueCo(small_cfg())
    method = sys.modules["cueco_solo.methods.cueco"]
    assert method.info_nce is cueco.info_nce is not cueco_solo.info_nce
    assert type(model.queue) is queue.KeyQueue
