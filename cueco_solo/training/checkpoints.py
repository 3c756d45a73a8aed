"""Checkpoints on disk: the newest of a run, what one holds, and whether a run can go on from it."""

import functools
import operator
import re
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from cueco_solo.errors import config_error
from cueco_solo.files import is_whole_archive, read_json


class Stage(NamedTuple):
    """How far a checkpoint's name says that the training was: whole epochs, and steps beyond."""

    epochs: int
    step: int = 0


def stage(checkpoint: Path) -> Stage | None:
    """What ``<name>-ep=N.ckpt`` says, or amid epoch N ``<name>-ep=N-step=K.ckpt``; else None."""
    named = re.search(r"-ep=(\d+)(?:-step=(\d+))?$", checkpoint.stem)
    if named is None:
        return None
    epoch, step = named.groups()
    return Stage(int(epoch) + 1) if step is None else Stage(int(epoch), int(step))


def latest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint that is furthest in a run folder; the newest file, if none is named.

    One that is damaged is passed over with a line, as long as there is another.
    """

    def age(path: Path) -> tuple[Stage, float]:
        return stage(path) or Stage(-1), times[path]

    times = {}
    for path in folder.glob("*.ckpt"):
        with suppress(FileNotFoundError):  # removed just now, by who trains there
            if path.is_file():
                times[path] = path.stat().st_mtime
    newest_first = sorted(times, key=age, reverse=True)
    for path in newest_first:
        if _whole(path):
            for damaged in newest_first[: newest_first.index(path)]:
                _say_damaged(damaged, path)
            return path
    return newest_first[0] if newest_first else None


def remove_others(checkpoint: Path, keep_whole_epochs: bool) -> None:
    """Remove the run's other checkpoints, also those that a kill kept from being removed.

    Args:
        checkpoint: the last one, which stays.
        keep_whole_epochs: those amid an epoch go alone (``checkpoint.keep_prev``).
    """
    own = checkpoint.name.partition("ep=")[0]
    for path in checkpoint.parent.glob("*.ckpt"):
        named = stage(path)
        replaced = path != checkpoint and path.name.startswith(own)
        if replaced and (not keep_whole_epochs or (named and named.step)):
            path.unlink(missing_ok=True)


def _whole(path: Path) -> bool:
    """Whether the checksums in it are right, which torch doesn't look at."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return _checked(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _checked(path: Path, size: int, written: int) -> bool:
    return is_whole_archive(path)


@functools.cache
def _say_damaged(path: Path, used: Path) -> None:
    print(f"{path} is damaged or no checkpoint; {used.name} is used", flush=True)


def read_checkpoint(path: Path, key: str) -> dict[str, Any]:
    """A checkpoint's content, tensors on the CPU, read without executing anything in it.

    ``key`` is what the user called the path, for the message.

    Raises:
        ConfigError: there is no such file, or it is truncated or something else.
    """
    import torch

    if not path.is_file():
        raise config_error(key, str(path), "doesn't exist", "check the path")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = f"can't be read ({type(error).__name__}: it is truncated or no checkpoint)"
        raise config_error(key, str(path), reason, "give another checkpoint") from error
    if zipfile.is_zipfile(path) and not _whole(path):
        reason = "is damaged: its content doesn't have its checksums"
        raise config_error(key, str(path), reason, "remove it, or give another checkpoint")
    if not isinstance(content, dict) or "state_dict" not in content:
        raise config_error(key, str(path), "holds no state_dict", "give a Lightning checkpoint")
    state = content["state_dict"]
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        allowed = "holds a state_dict that isn't one of tensors"
        raise config_error(key, str(path), allowed, "give a Lightning checkpoint")
    return content


class _Inert:
    """Stands for whatever object a checkpoint would have built; takes everything, does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def read_weights(path: Path, key: str) -> dict[str, Any]:
    """A checkpoint's ``state_dict``, whatever objects lie beside it.

    solo-learn's SimSiam and NNSiam leave functions in their schedulers' states, which
    :func:`read_checkpoint` refuses. Here they are replaced unseen: nothing is executed either.
    solo-learn called a backbone ``encoder`` up to 1.0.2; the keys are those of today.

    Raises:
        ConfigError: there is no such file, or it is truncated or something else.
    """
    from torch import serialization

    try:
        unsafe = serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # for read_checkpoint to say
        unsafe = []
    with serialization.safe_globals([(_Inert, name) for name in unsafe]):
        state = read_checkpoint(path, key)["state_dict"]
    if any(name.startswith("backbone.") for name in state):
        return state
    return {re.sub(r"^(momentum_)?encoder\.", r"\1backbone.", name): state[name] for name in state}


_BACKBONES = ("backbone.", "encoder.")  # the latter up to solo-learn 1.0.2


def finite_weights(state: dict[str, Any], path: Path) -> dict[str, Any]:
    """The ``state_dict`` itself, unless a number of its backbone isn't one.

    Raises:
        ConfigError: the training that wrote it has diverged.
    """
    parts = [value for name, value in state.items() if name.startswith(_BACKBONES)]
    wrong = sum(not bool(value.isfinite().all()) for value in parts if value.is_floating_point())
    if wrong:
        reason = f"has weights that aren't finite, {wrong} of {len(parts)} tensors"
        remedy = "the training has diverged: remove this checkpoint to use an earlier one"
        raise config_error("checkpoint", str(path), reason, remedy)
    return state


def part_of(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The entries of a ``state_dict`` under a prefix, without it."""
    return {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}


class Progress(NamedTuple):
    """How far a training had come: what a fit resumed from there starts with."""

    epoch: int = 0
    step: int = 0
    batch: int = 0  # of the epoch, where it is amid one


def progress(checkpoint: dict[str, Any], path: Path) -> Progress:
    """How far the training had come when the checkpoint was written.

    Raises:
        ConfigError: it doesn't say, so nothing can go on from it.
    """
    try:
        loop = checkpoint["loops"]["fit_loop"]
        epochs = loop["epoch_progress"]["current"]
        amid = epochs.get("ready", 0) > epochs["processed"]
        batch = loop["epoch_loop.batch_progress"]["current"]["ready"] if amid else 0
        return Progress(
            *map(operator.index, (epochs["processed"], checkpoint["global_step"], batch))
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise config_error(
            "resume_from_checkpoint",
            str(path),
            "holds weights, but not how far the training was",
            "give a whole checkpoint of a run",
        ) from error


def resume_point(cfg: DictConfig) -> Path | None:
    """The checkpoint that ``resume_from_checkpoint`` names: a file, or the newest in a folder.

    Raises:
        ConfigError: nothing is there, or it is a run of another method, or its ``args.json`` is
            damaged.
    """
    given = cfg.get("resume_from_checkpoint")
    if given is None:
        return None
    path = Path(given)
    key = "resume_from_checkpoint"
    if path.is_dir():
        found = latest_checkpoint(path)
        if found is None:
            raise config_error(
                key, str(path), "holds no .ckpt", "give a checkpoint or a run folder"
            )
        path = found
    if not path.exists():
        raise config_error(key, str(path), "doesn't exist", "check the path")
    args = path.parent / "args.json"
    try:
        method = read_json(args)["method"] if args.is_file() else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "mend or remove that file"
        raise config_error(key, str(path), "has no readable args.json beside it", remedy) from error
    if method not in (None, cfg.method):
        raise config_error(
            key, str(path), f"is a checkpoint of method={method}, not {cfg.method}", "give another"
        )
    return path


# that a method of solo-learn's registers only when training starts, with what each process has seen
LATE_BUFFERS = {
    "swav": ("queue",),
    "deepclusterv2": ("local_memory_index", "local_memory_embeddings"),
}


def add_late_buffers(state: dict[str, Any], model: Any) -> None:
    """Give the model the buffers of a checkpoint that it would only have when training starts."""
    import torch

    for name in LATE_BUFFERS.get(model.cfg.method, ()):
        if name in state and name not in dict(model.named_buffers()):
            model.register_buffer(name, torch.zeros_like(state[name]))


def check_state(state: dict[str, Any], model: Any, path: Path) -> None:
    """Refuse a checkpoint that doesn't fit the model, before Lightning prints every key of it.

    Raises:
        ConfigError: keys or shapes differ.
    """
    own = model.state_dict()
    different = sorted(own.keys() ^ state.keys()) or sorted(
        key for key in own if own[key].shape != state[key].shape
    )
    if different:
        raise config_error(
            "resume_from_checkpoint",
            str(path),
            f"doesn't fit this configuration: {different[0]} and {len(different) - 1} more differ",
            "give a checkpoint of the same method, backbone and method_kwargs",
        )
