"""Where a run was when a checkpoint was written, beyond what Lightning keeps of it.

In every checkpoint the state of the random numbers, the number of logged rows, the buffers that
each process has its own of, and the online k-NN's images since the last validation; in one that
was written amid an epoch also what the epoch has logged so far, and what it takes to go on with the
very next batch.
"""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from omegaconf import DictConfig

from cueco_solo.errors import config_error
from cueco_solo.host.lightning_loops import log_on, logged_so_far
from cueco_solo.training.checkpoints import LATE_BUFFERS
from cueco_solo.training.metrics_table import MetricsTable

KEY = "cueco_solo_position"
# what methods of solo-learn's compute once in an epoch, and keep outside of their buffers
_ATTRIBUTES = ("assignments",)
# of its online k-NN: the images since the last validation
_BANK = ("train_features", "train_targets")


def random_state(device: torch.device) -> dict[str, Any]:
    """The generators that a model may draw from, as what ``torch.load`` reads as plain data."""
    _, keys, place, has_gauss, gauss = np.random.get_state()
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (torch.from_numpy(np.asarray(keys).astype(np.int64)), place, has_gauss, gauss),
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: Mapping[str, Any], device: torch.device) -> None:
    """Put back what :func:`random_state` gave."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    keys, *rest = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def of_all_processes(value: Any) -> list[Any]:
    """``value`` of each process, in their order; to be called by all of them."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def to_first_process(value: Any) -> list[Any]:
    """``value`` of each process for the first one, an empty list for others; called by all."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return [value]
    values: list[Any] = [None] * dist.get_world_size() if dist.get_rank() == 0 else []
    dist.gather_object(value, values or None)
    return values


def settings_of(cfg: DictConfig, processes: int, images: int) -> dict[str, Any]:
    """What decides which images a step of an epoch is of."""
    return {
        "processes": processes,
        "optimizer.batch_size": cfg.optimizer.batch_size,
        "accumulate_grad_batches": cfg.get("accumulate_grad_batches") or 1,
        "limit_train_batches": cfg.get("limit_train_batches"),
        "seed": cfg.seed,
        "training images": images,
    }


def check_position(
    content: Mapping[str, Any], path: Path, cfg: DictConfig, processes: int, images: int
) -> None:
    """Refuse to go on amid an epoch whose remaining batches can't be had.

    Args:
        content: of the checkpoint.

    Raises:
        ConfigError: DALI reads the data, or settings differ that decide what is in a batch.
    """
    key, remedy = "resume_from_checkpoint", "resume from the checkpoint of a whole epoch"
    amid = content.get(KEY, {}).get("amid")
    if amid is None:
        reason = "was written amid an epoch, not by cueco-solo, so it isn't known where"
        raise config_error(key, str(path), reason, remedy)
    if cfg.data.get("format") == "dali":
        reason = "was written amid an epoch, where DALI can't go on"
        raise config_error(key, str(path), reason, remedy)
    now = settings_of(cfg, processes, images)
    changed = [
        f"{name} was {then}, is {now[name]}"
        for name, then in amid["settings"].items()
        if now.get(name) != then
    ]
    if changed:
        reason = f"was written amid an epoch of other batches: {'; '.join(changed)}"
        raise config_error(key, str(path), reason, f"change that back, or {remedy}")


def rows_of(content: Mapping[str, Any]) -> int | None:
    """The rows of ``metrics.csv`` when a checkpoint was written, if it says so."""
    rows = content.get(KEY, {}).get("rows")
    return rows if isinstance(rows, int) else None


def position(
    trainer: Any, module: Any, settings: Mapping[str, Any] | None, generators: Mapping[str, Any]
) -> dict[str, Any]:
    """What a checkpoint gets under :data:`KEY`; to be called by all processes.

    Args:
        settings: :func:`settings_of` amid an epoch, else None.
        generators: :func:`random_state` where training is to go on.
    """
    found: dict[str, Any] = {"random": of_all_processes(dict(generators))}
    if isinstance(trainer.logger, MetricsTable):
        found["rows"] = trainer.logger.written()
    names = LATE_BUFFERS.get(module.cfg.method, ()) if trainer.world_size > 1 else ()
    if buffers := {n: b.cpu() for n, b in module.named_buffers() if n in names}:
        found["buffers"] = to_first_process(buffers)  # the state dict has the first process's
    if settings is not None:
        own = {
            name: getattr(module, name).cpu()
            for name in _ATTRIBUTES
            if isinstance(getattr(module, name, None), torch.Tensor)
        }
        logged = of_all_processes(logged_so_far(trainer))
        found["amid"] = {"settings": dict(settings), "logged": logged, "attributes": own}
    if module.knn_eval and trainer.enable_validation and module.knn.train_features:
        bank = {name: [part.cpu() for part in getattr(module.knn, name)] for name in _BANK}
        found["bank"] = to_first_process(bank)
    return found


def go_on_from(saved: Mapping[str, Any], trainer: Any, module: Any) -> None:
    """Put back what :func:`position` gave."""
    device, rank, number = trainer.strategy.root_device, trainer.global_rank, trainer.world_size
    amid = saved.get("amid")
    if amid is not None:
        log_on(trainer, amid["logged"][rank])
        for name, value in amid["attributes"].items():
            setattr(module, name, value.to(device))
        # what a method looks up once in an epoch: DINO's loss the epoch
        if not amid["attributes"]:
            module.on_train_epoch_start()
    if len(saved["random"]) == number:
        for name, value in saved["buffers"][rank].items() if "buffers" in saved else ():
            getattr(module, name).copy_(value)
        if module.knn_eval and "bank" in saved:
            for name, parts in saved["bank"][rank].items():
                setattr(module.knn, name, [part.to(device) for part in parts])
        restore_random_state(saved["random"][rank], device)
