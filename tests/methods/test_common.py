"""What the methods have in common: seeds, parameters, labels not needed, what they refuse."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, seed_everything
from queue_models import cueco, rcl
from self_classifier_models import self_classifier
from support import Views, fit, refusal, small_cfg, updated, views_loader
from torch.utils.data import DataLoader

from cueco_solo.errors import ConfigError

METHODS = {"cueco": cueco, "rcl": rcl, "self_classifier": self_classifier}
every_method = pytest.mark.parametrize("name", METHODS)


@every_method
def test_same_seed_same_losses_other_seed_others(name: str):
    first, second, other = (METHODS[name]() for _ in range(3))
    losses = fit(first, max_epochs=2).steps
    assert fit(second, max_epochs=2).steps == losses
    other.cfg.seed = seed_everything(6)
    assert fit(type(other)(other.cfg), max_epochs=2).steps != losses


@every_method
def test_views_that_a_program_does_not_make_are_refused(name: str):
    """As solo-learn's own don't, which would record that it did."""
    model = METHODS[name]()
    model.cfg.data.augment = "device"
    message = refusal(fit, model)
    assert message.startswith("data.augment='device' isn't known to solo-learn's own programs")


@pytest.mark.parametrize("name", ["cueco", "rcl"])
def test_parameters_and_momentum_pairs(name: str):
    model = METHODS[name]()
    trained = {id(p) for group in model.learnable_params for p in list(group["params"])}
    assert trained == {id(p) for p in model.parameters() if p.requires_grad}
    predictors = model.predictor if name == "cueco" else model.predictors
    assert {id(p) for p in predictors.parameters()} < trained
    pairs = model.momentum_pairs
    assert len(pairs) == 2 and pairs[-1] == (model.projector, model.momentum_projector)
    for online, momentum in pairs:
        for a, b in zip(online.parameters(), momentum.parameters(), strict=True):
            assert torch.equal(a, b) and not b.requires_grad


@every_method
def test_unlabelled_data_trains(name: str):
    class Unlabelled(Views):
        def __getitem__(self, i: int) -> tuple[int, list[torch.Tensor], int]:
            index, views, _ = super().__getitem__(i)
            return index, views, -1

    model, own = METHODS[name](), {"cueco": "nce"}.get(name, name)
    log = fit(model, loader=DataLoader(Unlabelled(32), batch_size=8), max_epochs=2)
    losses = torch.tensor([step[f"train_{own}_loss_step"] for step in log.steps])
    assert len(losses) == 8 and losses.isfinite().all()
    metrics = model.trainer.callback_metrics
    assert ("hierarchy_clusters_level2" in metrics) == (name == "rcl")
    assert not any("nmi" in metric for metric in metrics)


@pytest.mark.parametrize(
    ("method", "key", "there", "here"),
    [
        (cueco, "num_clusters", 6, 4),
        (cueco, "queue_size", 48, 64),
        (cueco, "proj_output_dim", 8, 16),
        (cueco, "proj_hidden_dim", 24, 32),
        (cueco, "pred_hidden_dim", 24, 32),
        (rcl, "num_predictors", 3, 1),
        (rcl, "queue_size", 64, 48),
        (self_classifier, "num_heads", 3, 2),
        (self_classifier, "head_size", 5, 4),
        (self_classifier, "mlp_dims", [32, 24, 16], [32, 20, 16]),
        (self_classifier, "mlp_dims", [32, 16], [16]),
        (self_classifier, "mlp_dims", [], [16]),
    ],
)
def test_checkpoint_of_other_sizes(method: Callable, key: str, there: Any, here: Any):
    state = method(**{key: there}).state_dict()
    checkpoint = {"cueco_solo_method": method.__name__, "state_dict": state}
    text = f"method_kwargs.{key}={here} must be {there}, as when this checkpoint was trained"
    assert refusal(method(**{key: here}).on_load_checkpoint, checkpoint) == text
    method(**{key: there}).on_load_checkpoint(checkpoint)


@pytest.mark.parametrize("there", [True, False])
def test_checkpoint_of_classifiers_that_learn_or_do_not(there: bool):
    model = self_classifier(fixed_classifier=there)
    optimizer = torch.optim.SGD(model.learnable_params, lr=0.1)
    checkpoint = {
        "cueco_solo_method": "self_classifier",
        "state_dict": model.state_dict(),
        "optimizer_states": [optimizer.state_dict()],
    }
    model.on_load_checkpoint(checkpoint)
    message = refusal(self_classifier(fixed_classifier=not there).on_load_checkpoint, checkpoint)
    assert f"fixed_classifier={not there} must be {there}, as when" in message


@every_method
def test_checkpoint_of_another_method(name: str):
    load, checkpoint = METHODS[name]().on_load_checkpoint, {"state_dict": {}}
    start = f"method={name} can't load this checkpoint, which is of "
    another = {"cueco_solo_method": "another", **checkpoint}
    assert refusal(load, another).startswith(f"{start}method=another")
    assert refusal(load, checkpoint).startswith(f"{start}another method")


@pytest.mark.parametrize(("large", "small"), [(1, 0), (1, 2), (2, 4), (3, 0)])
@every_method
def test_other_numbers_of_crops(name: str, large: int, small: int):
    cfg = small_cfg(name, data__num_large_crops=large, data__num_small_crops=small)
    if name != "cueco":
        cfg.method_kwargs = {"num_samples": 32} if name == "rcl" else {}
    method = type(METHODS[name]())
    if (name, large) == ("self_classifier", 2):
        method(cfg)
        return
    assert refusal(method, cfg).startswith(f"augmentations='{large} large and {small} small crops")


@every_method
def test_bfloat16_gives_float32s_losses(name: str):
    """Nearly; of the first step, after which the weights differ."""
    own = f"train_{'nce' if name == 'cueco' else name}_loss_step"
    losses = [
        fit(METHODS[name](), max_epochs=1, limit_train_batches=1, precision=precision).steps[0][own]
        for precision in ("32-true", "bf16-mixed")
    ]
    assert losses[0] != losses[1] == pytest.approx(losses[0], rel=0.05)


@every_method
def test_double_precision(name: str):
    """With the clusters there, every step logged."""
    log = fit(METHODS[name](), max_epochs=3, precision="64-true", log_every_n_steps=1)
    assert log.finite()


@every_method
def test_half_precision_throughout(name: str):
    with pytest.raises(ConfigError, match=r"^precision='bf16-true' would keep .*; use 16-mixed"):
        fit(METHODS[name](), loader=views_loader(), precision="bf16-true")


@pytest.mark.parametrize(
    ("momentum", "message"),
    [
        ({"base_tau": 1.5}, "momentum.base_tau=1.5 must be a number in [0, 1]"),
        ({"base_tau": 0.99, "final_tau": 0.9}, "base_tau=0.99 must be at most momentum.final_tau="),
        ({"base_tau": 0.99, "final_tau": 0.9}, "=0.9; lower base_tau or raise final_tau"),
        ({"base_tua": 0.9}, "momentum.base_tua=0.9 is not "),
        ({"base_tua": 0.9}, "did you mean momentum.base_tau?"),
    ],
)
@pytest.mark.parametrize("name", ["cueco", "rcl"])
def test_momentum_settings(name: str, momentum: dict[str, float], message: str):
    model = METHODS[name]()
    model.cfg.momentum = momentum
    assert message in refusal(type(model), model.cfg)


@every_method
def test_only_batch_norms_travel_between_processes(name: str):
    """DistributedDataParallel sends every buffer with every forward pass unless it is ignored."""
    model = METHODS[name]()
    buffers = dict(model.named_buffers())
    norms = {key for key in buffers if key.endswith(("running_mean", "running_var", "_tracked"))}
    assert set(model._ddp_params_and_buffers_to_ignore) == buffers.keys() - norms
    size = {key: buffer.numel() * buffer.element_size() for key, buffer in buffers.items()}
    assert sum(size[key] for key in buffers.keys() - norms) > 0


@pytest.mark.parametrize("found", [True, False])
def test_a_checkpoint_that_does_not_fit_is_named_with_the_remedy(found: bool, tmp_path: Path):
    """solo-learn's own resumer takes any run of the same few keys."""
    first = cueco(num_clusters=6)
    path = tmp_path / "x.ckpt"

    class Save(Callback):
        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            trainer.save_checkpoint(path)

    fit(first, Save(), max_epochs=1, limit_train_batches=1)
    other = cueco(num_clusters=4)
    updated(other.cfg, auto_resume__enabled=found)
    with pytest.raises(ConfigError) as caught:
        fit(other, ckpt_path=str(path))
    text = str(caught.value)
    assert text.startswith("method_kwargs.num_clusters=4 must be 6")
    assert str(path) in text
    assert text.endswith("set auto_resume.enabled=False") == found
