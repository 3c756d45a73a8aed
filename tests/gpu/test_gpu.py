"""What only a GPU shows: ``pytest -m gpu``. They are skipped without one."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from data.on_device.pictures import KIND, levels, pictures
from support import fit, small_cfg, views_loader

import cueco_solo
from cueco_solo.clustering.grouping import MomentumGrouping
from cueco_solo.clustering.kmeans import group_means
from cueco_solo.host import method_class
from cueco_solo.losses import cueco as cueco_losses
from cueco_solo.methods.cueco import CueCo
from cueco_solo.methods.rcl import RCL
from cueco_solo.methods.self_classifier import SelfClassifier

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
OPTIONS: dict[str, dict[str, Any]] = {
    "cueco": {},
    "rcl": {"num_samples": 32, "queue_size": 16, "hierarchy_warmup_epochs": 1},
    "self_classifier": {"mlp_dims": [16, 8], "num_heads": 2, "head_size": 4, "queue_size": 16},
}


def model(method: str) -> Any:
    """A tiny one whose clusters are there from the start, if it has any."""
    cfg = small_cfg(method)
    heads = ("proj_hidden_dim", "proj_output_dim", "pred_hidden_dim")
    if method != "cueco":
        kept = {key: cfg.method_kwargs[key] for key in heads} if method == "rcl" else {}
        cfg.method_kwargs = {**kept, **OPTIONS[method]}
    torch.manual_seed(0)
    made = {"cueco": CueCo, "rcl": RCL, "self_classifier": SelfClassifier}[method](cfg)
    made.log = made.log_dict = lambda *_, **__: None
    if method == "cueco":
        made._logs_step = lambda: False
        keys = torch.nn.functional.normalize(torch.randn(2, 64, 16), dim=-1)
        made.queue.enqueue(keys)
        made._recluster(keys.flatten(0, 1))
    return made


def batch(device: str = "cpu") -> list[Any]:
    index, views, labels = next(iter(views_loader()))
    return [index.to(device), [view.to(device) for view in views], labels.to(device)]


@pytest.fixture
def exact():
    """Full float32, which convolutions on a GPU don't have by default."""
    former = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = former


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("method", list(OPTIONS))
def test_a_step_is_that_of_a_cpu(method: str):
    on_cpu = model(method)
    on_gpu = copy.deepcopy(on_cpu).cuda()
    losses = []
    for each, device in ((on_cpu, "cpu"), (on_gpu, "cuda")):
        loss = each.training_step(batch(device), 1)
        loss.backward()
        losses.append(float(loss.detach()))
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    wanted = {name: p.grad for name, p in on_cpu.named_parameters() if p.grad is not None}
    for name, parameter in on_gpu.named_parameters():
        if name in wanted:
            difference = (parameter.grad.cpu() - wanted[name]).norm()
            # batch norm of 8 images takes differences of nearly equal numbers
            assert difference <= 0.02 * wanted[name].norm() + 1e-5, name


def test_losses_are_computed_in_float32_under_bfloat16():
    own = model("cueco").cuda()
    z = torch.nn.functional.normalize(torch.randn(2, 8, 16, device="cuda"), dim=-1)
    plain = own.losses(list(z), list(z.flip(0)))
    with torch.autocast("cuda", torch.bfloat16):
        mixed = own.losses(list(z), list(z.flip(0)))
        nce = cueco_losses.info_nce(z[0], z[1], own.queue.keys[1], temperature=0.2)
    assert {nce.dtype, *(loss.dtype for loss in mixed.values())} == {torch.float32}
    for name, loss in mixed.items():
        torch.testing.assert_close(loss, plain[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["cueco", "self_classifier"])
def test_a_step_doesnt_wait_for_the_gpu(method: str):
    """RCL's refinement does, where clusters split."""
    own = model(method).cuda()
    optimizer = torch.optim.SGD(own.parameters(), lr=0.01)
    data = batch("cuda")

    def step() -> None:
        own.training_step(data, 1).backward()
        optimizer.step()
        if method == "cueco":
            own.enqueue_waiting()

    step()  # what is made once, such as cuDNN's handles, may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_kmeans_finds_what_it_finds_on_a_cpu():
    centres = torch.nn.functional.normalize(torch.randn(4, 16), dim=1)
    x = centres.repeat(32, 1) + 0.01 * torch.randn(128, 16)
    x = torch.nn.functional.normalize(x, dim=1)
    labels = []
    for device in ("cpu", "cuda"):
        options = {"centroid_momentum": 0.9, "variance_momentum": 0.9}
        clusters = MomentumGrouping(4, 16, **options).to(device)
        clusters.recluster(x.to(device), seed=0, step=0)
        labels.append(clusters.nearest(x.to(device)).cpu())
    same = [(found[:, None] == found[None]) for found in labels]
    assert torch.equal(*same)


def test_groups_are_summed_in_the_same_order_each_time():
    x, labels = torch.randn(20_000, 64), torch.randint(-1, 10, (20_000,))
    first, *others = (group_means(x.cuda(), labels.cuda(), 10)[0] for _ in range(5))
    assert all(torch.equal(other, first) for other in others)
    torch.testing.assert_close(first.cpu(), group_means(x, labels, 10)[0])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("method", ["cueco", "mocov2plus"])
def test_a_training_in_each_precision(method: str, precision: str):
    cueco_solo.register()
    cfg = small_cfg(method, max_epochs=2)
    if method == "mocov2plus":
        heads = {"proj_hidden_dim": 32, "proj_output_dim": 16, "temperature": 0.2}
        cfg.method_kwargs = {**heads, "queue_size": 64}
    log = fit(method_class(method)(cfg), accelerator="gpu", devices=1, precision=precision)
    assert len(log.steps) == 8
    assert log.finite()


def test_a_checkpoint_of_a_cpu_goes_on_here(folder: Path):
    words = (*tiny.CUECO, "checkpoint.keep_prev=True")
    assert tiny.pretrain(folder, *words, "max_epochs=1") == 0
    (first,) = tiny.run_folders(folder, "cueco")
    more = ("max_epochs=2", f"resume_from_checkpoint={first}", "accelerator=gpu")
    assert tiny.pretrain(folder, *words, *more) == 0
    second = max(tiny.run_folders(folder, "cueco"), key=lambda path: path.stat().st_mtime)
    assert tiny.metric(second, "train_nce_loss_epoch", 1)


def test_views_are_those_of_a_cpu_and_the_host_waits_for_none():
    """Sums differ in their last bits, which may round to another level."""
    pytest.importorskip("kornia")
    from cueco_solo.data.on_device.draws import draw
    from cueco_solo.data.on_device.views import make_view

    kind = replace(KIND, chances=dict.fromkeys(KIND.chances, 0.5) | {"equalization": 0.0})
    draws = draw(kind, 40, 56, 5, 0, np.arange(64), 0)
    images = levels(pictures(64, 40, 56))
    expected = make_view(images, draws, kind)
    there = images.cuda(), draws.to(torch.device("cuda")), kind
    make_view(*there)  # constants are copied once
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = make_view(*there)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    distance = (found.cpu() - expected).abs() * 255 * kind.std[0]
    assert (distance > 1.01).float().mean() < 0.02


def test_a_training_with_views_made_here(folder: Path):
    pytest.importorskip("kornia")
    words = ("data.augment=device", "data.num_workers=1", "accelerator=gpu", "max_epochs=1")
    assert tiny.pretrain(folder, *tiny.CUECO, *words) == 0
    (run,) = tiny.run_folders(folder, "cueco")
    assert tiny.metric(run, "train_nce_loss_epoch", 0)
