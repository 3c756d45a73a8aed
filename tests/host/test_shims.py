"""The shims for main's stock programs, on stand-ins where the real thing isn't installed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from host import tiny
from lightning.pytorch import LightningModule, Trainer

import cueco_solo
from cueco_solo import host
from cueco_solo.host import main_shims
from cueco_solo.host.lightning_shims import log_without_waiting


@pytest.fixture
def without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("without_cuda")
def test_cuda_means_the_cpu_while_it_lasts() -> None:
    x, layer = torch.ones(2), torch.nn.Linear(2, 1)
    stock = torch.Tensor.to, torch.Tensor.cuda, torch.nn.Module.to, torch.nn.Module.cuda
    with main_shims.cuda_means_cpu():
        assert x.cuda(non_blocking=True) is x
        assert x.cuda(0) is x
        assert layer.cuda() is layer
        for device in ("cuda", "cuda:0", torch.device("cuda:1")):
            assert x.to(device, non_blocking=True).device.type == "cpu"
            assert x.to(device=device).device.type == "cpu"
            assert layer.to(device).weight.device.type == "cpu"
        assert x.to("cuda", torch.float64).dtype == torch.float64
        assert x.to(torch.float16).dtype == torch.float16
        assert x.to("meta").device.type == "meta"
    assert stock == (torch.Tensor.to, torch.Tensor.cuda, torch.nn.Module.to, torch.nn.Module.cuda)


def test_cuda_stays_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    stock = torch.Tensor.to, torch.nn.Module.cuda
    with main_shims.cuda_means_cpu():
        assert stock == (torch.Tensor.to, torch.nn.Module.cuda)


class Model(LightningModule):
    """What main_knn.py loads, as small as can be."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint of :class:`Model` that was trained on a CPU."""
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(Model())
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    return tmp_path / "model.ckpt"


def test_what_was_trained_on_a_cpu_goes_to_the_gpu_there(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    moved: list[Any] = []
    monkeypatch.setattr(LightningModule, "cuda", lambda self: moved.append(self) or self)
    with main_shims.checkpoints_to_cuda():
        model = Model.load_from_checkpoint(checkpoint, strict=False, weights_only=True)
    assert type(model) is Model and moved == [model]
    Model.load_from_checkpoint(checkpoint, weights_only=True)
    assert moved == [model]


@pytest.mark.usefixtures("without_cuda")
def test_without_a_gpu_it_stays(checkpoint: Path) -> None:
    with main_shims.checkpoints_to_cuda():
        model = Model.load_from_checkpoint(checkpoint, weights_only=True)
    assert model.layer.weight.device.type == "cpu"


def stock_dali() -> Any:
    """A module with what the shim touches, doing as solo-learn's does."""

    class Builder:
        def __init__(self, data_path: str, device: str, device_id: int = 0, seed: int = 12):
            self.device, self.device_id, self.seed = device, device_id, seed + device_id

    class Normal(Builder):
        pass

    class Custom(Normal):
        pass

    class DataModule:
        val_dataloader: Any

    return SimpleNamespace(
        PretrainPipelineBuilder=type("Pretrain", (Builder,), {}),
        NormalPipelineBuilder=Normal,
        CustomNormalPipelineBuilder=Custom,
        PretrainDALIDataModule=DataModule,
    )


@pytest.mark.parametrize("name", ["PretrainPipelineBuilder", "CustomNormalPipelineBuilder"])
def test_pipelines_on_a_cpu_name_no_gpu(name: str) -> None:
    dali = stock_dali()
    for _ in range(2):
        main_shims.shim_dali(dali)
    builder = getattr(dali, name)
    on_cpu = builder("data", device="cpu", device_id=3)
    assert (on_cpu.device_id, on_cpu.seed) == (None, 15)
    assert builder("data", device="gpu", device_id=3).device_id == 3


def test_no_validation_data_is_an_empty_list_of_loaders() -> None:
    dali = stock_dali()
    main_shims.shim_dali(dali)
    module = dali.PretrainDALIDataModule()
    module.val_dataloader = lambda: None
    assert module.val_dataloader() == []
    module.val_dataloader = lambda: "a loader"
    assert module.val_dataloader() == "a loader"
    module.other = None
    assert module.other is None


def test_solo_learns_modules_use_our_metrics() -> None:
    assert host.METHODS  # 1.0.2 can be imported through the facade only
    import solo.methods.base
    import solo.methods.linear
    import solo.utils.knn

    assert solo.utils.knn.WeightedKNNClassifier is host.WeightedKNNClassifier
    assert solo.methods.base.WeightedKNNClassifier is host.WeightedKNNClassifier
    assert solo.methods.base.accuracy_at_k is host.accuracy_at_k
    assert solo.methods.linear.accuracy_at_k is host.accuracy_at_k


@pytest.mark.skipif(host.FORM != "main", reason="the release has no DeepCluster V2")
def test_deepcluster_starts_with_a_loss_of_zero() -> None:
    """In its first epoch it has no assignments; otherwise the loss is solo-learn's."""
    from solo.losses.deepclusterv2 import deepclusterv2_loss_func as stock
    from solo.methods import deepclusterv2

    outputs = torch.randn(2, 2, 4, 3, requires_grad=True)
    none, some = -torch.ones(2, 4, dtype=torch.long), torch.tensor([[0, 1, 2, 0], [2, 2, 1, 0]])
    assert stock(outputs, none).isnan()
    loss = deepclusterv2.deepclusterv2_loss_func(outputs, none)
    loss.backward()
    assert loss == 0 and outputs.grad is not None and not outputs.grad.any()
    assert deepclusterv2.deepclusterv2_loss_func(outputs, some) == stock(outputs, some)


@pytest.mark.parametrize("no_labels", [False, True])
def test_without_labels_no_classifier_learns(no_labels: bool, monkeypatch: Any) -> None:
    cfg = tiny.configuration("byol", (f"data.no_labels={no_labels}",))
    model = tiny.build(cfg)
    names: list[str] = []
    monkeypatch.setattr(LightningModule, "log", lambda self, name, *_, **__: names.append(name))
    model.log_dict({"train_acc1": 1.0, "train_nn_acc": 1.0, "train_neg_cos_sim": 1.0})
    model.log("train_class_loss", 1.0)
    x, labels = torch.randn(4, 3, 32, 32), torch.arange(4)
    for step in (model._base_shared_step, model._shared_step_momentum):
        found = step(x, -torch.ones_like(labels) if no_labels else labels)
        assert (found["loss"] == 0) == no_labels and found["loss"].requires_grad
    model._base_shared_step(x, labels)["loss"].backward()
    assert bool(model.classifier.weight.grad.any()) == (not no_labels)


def test_a_number_is_filled_in_on_the_device_that_it_is_logged_from() -> None:
    class Base:
        device = torch.device("meta")

        def log(self, name: str, value: Any, on_step: bool) -> None:
            self.logged = name, value, on_step

    for _ in range(2):
        log_without_waiting(Base)
    one = Base()
    one.log("tau", 0.1, on_step=True)
    name, value, on_step = one.logged
    assert (name, value.device.type, value.dtype, on_step) == ("tau", "meta", torch.float32, True)
    one.device = torch.device("cpu")
    one.log("tau", 0.1, on_step=True)
    assert one.logged[1] == torch.tensor(0.1)
    one.log("loss", value, on_step=True)
    assert one.logged[1] is value
    former = torch.get_default_dtype()
    for default, kept in (torch.bfloat16, torch.float32), (torch.float64, torch.float64):
        torch.set_default_dtype(default)
        try:
            one.log("tau", 0.9961234, on_step=True)
        finally:
            torch.set_default_dtype(former)
        assert one.logged[1].dtype == kept
        assert one.logged[1] == torch.tensor(0.9961234, dtype=kept)


def test_every_method_logs_numbers_so() -> None:
    cueco_solo.register()
    for name in ("mocov2plus", "cueco"):
        assert host.method_class(name).log.__wrapped__ is LightningModule.log
