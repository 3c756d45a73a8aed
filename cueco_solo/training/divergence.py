"""Stops a run whose loss or weights are no numbers any more, and warns once of a collapsed one.

For every method, solo-learn's own included: a callback that each brings.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from cueco_solo.errors import ConfigError
from cueco_solo.host.unlabelled import has_no_labels
from cueco_solo.numerics import spread

EVERY = 16  # steps from one look to the next
_LOOKS = 3  # in a row that something must be unusual in, before it is said
# what is unusual: name of a logged figure, when, and what that means
_UNUSUAL: dict[str, tuple[Callable[[float], bool], str]] = {
    "cluster_largest_share": (lambda x: x > 0.9, "one cluster holds {:.0%} of all assignments"),
    "cluster_perplexity": (lambda x: x < 1.5, "nearly all clusters are dead: perplexity {:.2g}"),
    "cluster_mean_variance": (lambda x: x < 1e-5, "the clusters' variance is near zero: {:.2g}"),
    "train_uniformity": (lambda x: x > -0.02, "z of all images is alike: uniformity {:.2g}"),
    "feature_spread": (lambda x: x < 1e-4, "the features of all images are alike: spread {:.2g}"),
}


class DivergenceError(ConfigError):
    """A training whose loss or weights aren't finite; the last finite checkpoint stays."""

    exit_code = 3


def all_finite(tensors: Iterable[Tensor]) -> Tensor | None:
    """Whether all numbers are finite, a bool scalar on the tensors' device; None of no tensor."""
    flags = [x.isfinite().all() for x in tensors if x.is_floating_point() or x.is_complex()]
    return torch.stack([flag.to(flags[0].device) for flag in flags]).all() if flags else None


def _tensors(node: Any) -> Iterable[Tensor]:
    if isinstance(node, Tensor):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _tensors(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _tensors(value)


class DivergenceGuard(Callback):
    """Ends a training within ``every`` steps of a loss or of weights that aren't finite.

    Each step leaves a flag on the device, which is read every ``every`` steps, at the end of an
    epoch and before a checkpoint is written: none is written with numbers that aren't finite. With
    a gradient scaler, which skips such steps, all losses since the last look must be so.

    At each look, cluster health and the spread of a batch's features are compared with what is
    usual; what is unusual three times in a row is warned of, once.

    Raises (in the hooks):
        DivergenceError: with step, loss parts, learning rate and the last checkpoint.
    """

    def __init__(self, every: int = EVERY) -> None:
        self.every = every
        self._since = 0  # steps since the last look
        self._compared = 0  # steps since the last comparison with what is usual
        self._first: Tensor | None = None  # step of the first such loss, -1 if there is none
        self._number: Tensor | None = None  # of such losses since the last look
        self._hook: Any = None
        self._spread: Tensor | None = None
        self._excepted: set[str] = set()
        self._unusual: dict[str, int] = {}
        self._said: set[str] = set()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the state that isn't finite by design, as a mask may be."""
        self._since, self._first, self._number = 0, None, None
        buffers = dict(pl_module.named_buffers())
        if not _true(all_finite(buffers.values())):
            self._excepted = {name for name in buffers if not _true(all_finite([buffers[name]]))}

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Listen to the backbone in the step before a look."""
        if self._compared == self.every - 1 and hasattr(pl_module, "backbone"):
            self._hook = pl_module.backbone.register_forward_hook(self._listen)

    def _listen(self, backbone: Any, images: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 2 and len(output) > 1:
            self._spread = spread(output.detach())

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Flag this step's loss; every so many steps, look."""
        self._unhook()
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if isinstance(loss, Tensor):
            wrong = ~loss.detach().isfinite().all()
            if not has_no_labels(getattr(pl_module, "cfg", None)):  # else there is no such loss
                wrong = wrong & _labelled(batch, loss)
            if self._first is None or self._number is None:
                self._first = torch.full_like(wrong, -1, dtype=torch.long)
                self._number = torch.zeros_like(self._first)
            self._number += wrong
            self._first = torch.where(
                (self._first < 0) & wrong, max(trainer.global_step, 1), self._first
            )
        self._since += 1
        self._compared += 1
        # a scaler skips single steps: the few at an epoch's end alone tell nothing
        if self._since >= self.every or (trainer.is_last_batch and not _scaled(trainer)):
            self._look(trainer, pl_module)

    def _look(self, trainer: Trainer, module: Any) -> None:
        """Read the flags; on all processes at the same steps."""
        number = 0 if self._number is None else int(self._number)
        lost = number == self._since if _scaled(trainer) else number > 0
        broken = not _true(all_finite(module.parameters()))
        if trainer.strategy.reduce_boolean_decision(lost or broken, all=False):
            own = lost  # another process may have lost what this one hasn't
            lost = trainer.strategy.reduce_boolean_decision(lost, all=False)
            step = int(self._first) if own and self._first is not None else trainer.global_step
            what = "the loss isn't finite" if lost else "weights aren't finite"
            raise self._error(trainer, what, step)
        if self._compared >= self.every:
            self._compare(trainer)
            self._compared, self._spread = 0, None
        self._since, self._first, self._number = 0, None, None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: Any) -> None:
        """Let no checkpoint be written whose numbers aren't finite."""
        state = checkpoint.get("state_dict", {})
        kept = [value for name, value in state.items() if name not in self._excepted]
        tensors = [*_tensors(kept), *_tensors(checkpoint.get("optimizer_states", []))]
        broken = not _true(all_finite(tensors))
        if trainer.strategy.reduce_boolean_decision(broken, all=False):
            wrong = {name for name in state if not _true(all_finite([state[name]]))}
            names = wrong - self._excepted
            what = f"{len(names)} tensors of the model aren't finite"
            raise self._error(trainer, what, trainer.global_step)

    def _error(self, trainer: Trainer, what: str, step: int) -> DivergenceError:
        metrics = trainer.callback_metrics
        names = {name.removesuffix("_step"): name for name in metrics}
        parts = {
            short: float(metrics[name])
            for short, name in names.items()
            if short.startswith("train_") and short.endswith("loss")
        }
        rates = {group["lr"] for each in trainer.optimizers for group in each.param_groups}
        last = next(
            (each.last_ckpt for each in trainer.callbacks if getattr(each, "last_ckpt", None)),  # type: ignore[attr-defined]
            None,
        )
        shown = ", ".join(f"{name} {v:.4g}" for name, v in parts.items())
        return DivergenceError(
            f"the training has diverged: {what} at step {step} (epoch {trainer.current_epoch}); "
            f"losses: {shown or 'not logged'}; learning rate "
            f"{', '.join(f'{rate:.4g}' for rate in sorted(rates)) or 'unknown'}; "
            + (f"the last good checkpoint is {last}" if last else "no checkpoint was written yet")
            + "; lower optimizer.lr or look at the images"
        )

    def _compare(self, trainer: Trainer) -> None:
        """Warn of what has been unusual three times in a row."""
        values: dict[str, Any] = {**trainer.callback_metrics}
        if self._spread is not None:
            values["feature_spread"] = self._spread
        for name, (unusual, meaning) in _UNUSUAL.items():
            value = float(values[name]) if name in values else None
            if value is None or not unusual(value):
                self._unusual[name] = 0
                continue
            self._unusual[name] = self._unusual.get(name, 0) + 1
            if self._unusual[name] >= _LOOKS and name not in self._said:
                self._said.add(name)
                rank_zero_warn(
                    f"step {trainer.global_step}: {meaning.format(value)}. The representation may "
                    "have collapsed; see the curves of the report"
                )

    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        """Stop listening."""
        self._unhook()

    def _unhook(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None


def _labelled(batch: Any, loss: Tensor) -> Tensor:
    """Whether a batch has a label, a bool scalar: of none, as STL-10 may have it, the classifier's
    loss is 0 / 0.

    Its gradient is zero all the same, and what else goes wrong shows in the weights.
    """
    targets = batch[-1] if isinstance(batch, list | tuple) and batch else None
    if not isinstance(targets, Tensor) or targets.is_floating_point():
        return torch.ones((), dtype=torch.bool, device=loss.device)
    return (targets >= 0).any()


def _scaled(trainer: Trainer) -> bool:
    return getattr(trainer.precision_plugin, "scaler", None) is not None


def _true(flag: Tensor | None) -> bool:
    return flag is None or bool(flag)


def divergence_callbacks(cfg: Any) -> list[Any]:
    """The guard that every method brings."""
    return [DivergenceGuard()]
