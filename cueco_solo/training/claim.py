"""The folder that a training works in, and the lock that claims it for this process."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from cueco_solo import signals
from cueco_solo.errors import ConfigError, config_error
from cueco_solo.files import remove_leftovers
from cueco_solo.locks import LOCK, OWNER, is_locked, locked, owner
from cueco_solo.training import checkpoints, history, run_folder
from cueco_solo.training.recorded import read_config
from cueco_solo.training.run_folder import FAILED, RUN_VARIABLE

# what a start writes before anything is trained, and while it trains
_OF_A_START = {"config.yaml", "args.json", "environment.json", "history.json", "metrics.csv"}
_OF_A_START |= {LOCK, OWNER, FAILED}


def is_first() -> bool:
    """Whether this is the first process of a training: the one that owns the folder."""
    from lightning.pytorch.utilities import rank_zero_only

    other_node = os.environ.get("NODE_RANK", "0") != "0"
    first = getattr(rank_zero_only, "rank", 0) == 0 and not other_node
    return first and RUN_VARIABLE not in os.environ


def check_wait(wait: bool) -> None:
    """Refuse to wait where others than this process start the training's processes.

    Raises:
        ConfigError: the others would go on from a checkpoint that is there now.
    """
    sizes = {key: os.environ.get(key, "1") for key in ("WORLD_SIZE", "SLURM_NTASKS")}
    key = next((key for key, size in sizes.items() if size.isdigit() and int(size) > 1), None)
    if wait and key and RUN_VARIABLE not in os.environ:
        reason = f"can't be had with {key}={sizes[key]}: the processes would go on from others"
        raise config_error("--wait", True, reason, "start the training when the other is done")


def claimed_resume_point(cfg: DictConfig, wait: bool, locks: ExitStack) -> Path | None:
    """The checkpoint to go on from, if any; if in its own folder, that is locked before.

    Args:
        cfg: the configuration.
        wait: for another process that trains this very run, until it is done.
        locks: takes the lock.

    Raises:
        ConfigError: another process trains this very run, or the checkpoint can't be used.
    """
    folder = _own_folder(cfg)
    if folder is None or not is_first():  # the latter imports Lightning
        return _resume_point(cfg)
    while folder is not None:
        with ExitStack() as attempt:
            try:
                attempt.enter_context(locked(folder, "RUN", wait))
            except OSError:  # of another user or on a read-only disk: nothing can be written there
                return _resume_point(cfg)
            resume = _resume_point(cfg)  # under the lock: another process may have gone on
            if resume is None or resume.parent == folder:
                if resume is not None:
                    locks.push(attempt.pop_all())
                return resume
            folder = resume.parent if _is_of(resume.parent, cfg) else None
    return _resume_point(cfg)


def _own_folder(cfg: DictConfig) -> Path | None:
    """The folder of a run of this very configuration that would be gone on with."""
    if requeued := _run_of_this_job(cfg):
        return requeued
    given = cfg.get("resume_from_checkpoint")
    if given is not None:
        path = Path(given)
        folder = path if path.is_dir() else path.parent
        return folder if _is_of(folder, cfg) else None
    if not OmegaConf.select(cfg, "auto_resume.enabled", default=False):
        return None
    # before its first checkpoint, too
    folders = [folder for folder in run_folder.own_folders(cfg) if _is_of(folder, cfg)]
    return next(filter(is_locked, folders), None) or run_folder.same_run(cfg)


def _is_of(folder: Path, cfg: DictConfig) -> bool:
    config = read_config(folder / "config.yaml")
    return config is not None and run_folder.identity(config) == run_folder.identity(cfg)


def _run_of_this_job(cfg: DictConfig) -> Path | None:
    """Of a SLURM job that was requeued, the run that it was at: it is the same command again."""
    run = run_folder.same_run(cfg) if signals.requeued() else None
    jobs = [event.get("job") for event in history.read_history(run)] if run else []
    return run if signals.slurm_job() in jobs else None


def _resume_point(cfg: DictConfig) -> Path | None:
    if requeued := _run_of_this_job(cfg):
        return checkpoints.latest_checkpoint(requeued)
    if cfg.get("resume_from_checkpoint") is not None:
        return checkpoints.resume_point(cfg)
    if OmegaConf.select(cfg, "auto_resume.enabled", default=False):
        run = run_folder.same_run(cfg)
        return run and checkpoints.latest_checkpoint(run)
    return None


def continues(cfg: DictConfig, checkpoint: Path) -> bool:
    """Whether the checkpoint is the last one of a run of this very configuration."""
    run = checkpoint.parent
    return checkpoints.latest_checkpoint(run) == checkpoint and _is_of(run, cfg)


class TakenError(ConfigError):
    """Another process has begun this very run since it was looked for."""


def claimed_new_folder(cfg: DictConfig, locks: ExitStack) -> Path:
    """A locked folder for a run that begins: one that it was stopped in early, or a new one.

    Of the former, history and metrics are kept. With ``auto_resume.enabled`` there is one run of a
    configuration: of processes that begin it together one gets a folder.

    Raises:
        TakenError: another process got it.
        ConfigError: ``checkpoint.dir`` can't be written.
    """
    alone = bool(OmegaConf.select(cfg, "auto_resume.enabled", default=False))
    if not alone or cfg.get("resume_from_checkpoint") is not None:
        return _claim_left(run_folder.own_folders(cfg), cfg, locks) or _claim_new(cfg, locks)
    with _starting(cfg):
        known = run_folder.own_folders(cfg)
        _check_free(known, cfg)
        return _claim_left(known, cfg, locks) or _claim_new(cfg, locks)


def _claim_new(cfg: DictConfig, locks: ExitStack) -> Path:
    while True:
        folder = run_folder.new_run(cfg)
        with ExitStack() as attempt:
            try:
                attempt.enter_context(locked(folder, "RUN"))
            except ConfigError:  # another process took it for one that was left, while it was empty
                continue
            locks.push(attempt.pop_all())
            return folder


@contextmanager
def _starting(cfg: DictConfig) -> Iterator[None]:
    """One process at a time looks for a run's folder and makes it."""
    from filelock import FileLock, Timeout

    place = run_folder.runs_folder(cfg).parent
    lock = FileLock(place / ".starting.lock")
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=60)
    except Timeout:
        reason, remedy = "is where another process has been starting for a minute", "stop that one"
        raise config_error("checkpoint.dir", str(place), reason, remedy) from None
    except OSError as error:
        raise run_folder.unwritable(cfg, error.strerror) from error
    try:
        yield
    finally:
        lock.release()


def _check_free(folders: list[Path], cfg: DictConfig) -> None:
    for folder in folders:
        # nothing was there to go on from when this process looked
        if _is_taken(folder, cfg) or (
            checkpoints.latest_checkpoint(folder) and _is_of(folder, cfg)
        ):
            reason = "was begun by another process just now"
            remedy = "let it train, or add --wait to go on when it is done"
            raise TakenError(str(config_error("RUN", str(folder), reason, remedy)))


def _is_taken(folder: Path, cfg: DictConfig) -> bool:
    """Whether a process works there, on this very configuration as far as that is written."""
    unwritten = not (folder / "config.yaml").exists()
    return is_locked(folder) and (unwritten or _is_of(folder, cfg))


def _claim_left(folders: list[Path], cfg: DictConfig, locks: ExitStack) -> Path | None:
    for folder in folders:
        if not _left_early(folder, cfg):
            continue
        with ExitStack() as attempt:
            try:
                attempt.enter_context(locked(folder, "RUN"))
            except (ConfigError, OSError):
                continue
            if not _left_early(folder, cfg):  # as it is under the lock
                continue
            metrics = folder / "metrics.csv"
            if metrics.exists():
                number = len(history.read_history(folder))
                metrics.rename(folder / f"metrics.stopped-{number}.csv")
            remove_leftovers(folder)
            locks.push(attempt.pop_all())
            return folder
    return None


def _left_early(folder: Path, cfg: DictConfig) -> bool:
    """Whether a run of this configuration was stopped there and left nothing to go on from."""
    names = {path.name for path in folder.iterdir() if not path.name.endswith(".part")}
    others = {name for name in names - _OF_A_START if not name.startswith("metrics.stopped-")}
    if others or not OmegaConf.select(cfg, "checkpoint.enabled", default=True):
        return False
    # a lock of another machine may not be seen here
    if owner(folder).get("host", socket.gethostname()) != socket.gethostname():
        return False
    if not names - {LOCK, OWNER}:  # killed before anything was written
        return True
    if not names & {"history.json", "metrics.csv"}:  # or before the training began
        return _is_of(folder, cfg)
    events = history.read_history(folder)
    last = events[-1] if events else {}
    # one that has diverged, or came to its limit, is to be looked at
    by = str(last.get("by", ""))
    early = last.get("event") == "started" or by.startswith("SIG")
    early = early or any(text in by for text in ("can't be written", "was killed by SIG"))
    return early and _is_of(folder, cfg)
