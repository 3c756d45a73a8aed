"""One pre-training, from a composed configuration to a finished run folder.

torch and Lightning, whose import takes seconds, are imported once settings and paths are checked.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

import cueco_solo
from cueco_solo import host, signals
from cueco_solo.data import checks, reading
from cueco_solo.data.fingerprint import fingerprint
from cueco_solo.errors import config_error
from cueco_solo.files import remove_leftovers, write_text
from cueco_solo.training import checkpoints, claim, history, run_folder
from cueco_solo.training.build import build_errors, build_method, parse
from cueco_solo.training.environment import write_environment
from cueco_solo.training.hardware import find_hardware, settle_accelerator
from cueco_solo.training.log_filters import print_once, quieten
from cueco_solo.training.run_folder import RUN_VARIABLE
from cueco_solo.training.settings import check_settings, with_defaults


@signals.listening()
def pretrain(cfg: DictConfig, wait: bool = False) -> Path:
    """Train one run of a composed, resolved configuration and return the run folder.

    Args:
        cfg: the configuration.
        wait: where another process trains this very run, until it is done, and go on from there.

    Raises:
        Stopped: a signal came before all epochs were done.
        ConfigError: something in it, on the disk or in a checkpoint can't be used, or the run's
            folder is in use.
        HostError: the installed solo-learn can't do it.
    """
    composed, warning = checked(cfg)
    claim.check_wait(wait)
    if warning:
        print_once(warning)
    while True:
        with ExitStack() as locks:
            locks.callback(os.environ.pop, reading.VARIABLE, None)
            resume = claim.claimed_resume_point(composed, wait, locks)
            try:
                return _train(composed, resume, locks)
            except claim.TakenError:
                if not wait:
                    raise


def checked(cfg: DictConfig) -> tuple[DictConfig, str]:
    """What is trained of a composed configuration, and what to tell the user of it, if anything.

    Raises:
        ConfigError: a setting or a path can't be used.
    """
    composed = with_defaults(cfg)
    check_settings(composed)
    checks.check_paths(composed.data)
    if composed.get("resume_from_checkpoint"):
        checkpoints.resume_point(composed)
    else:
        run_folder.check_runs_folder(composed)
    return composed, settle_accelerator(composed)  # the last, as it may have to import torch


def check_model(cfg: DictConfig) -> str:
    """Refuse whatever a training would refuse before it looks at images.

    Returns:
        What a training would tell the user first; may be empty.

    Raises:
        ConfigError: as in :func:`pretrain`.
        HostError: likewise.
    """
    composed, warning = checked(cfg)
    hardware = find_hardware(composed)
    quieten()
    cueco_solo.register()
    method = host.method_class(composed.method)
    with build_errors(composed):
        build_method(method, parse(composed, hardware.processes, hardware.num_nodes))
    return warning


def _train(composed: DictConfig, resume: Path | None, locks: ExitStack) -> Path:
    """The same from a checked configuration; ``locks`` takes that of a new folder."""
    if resume is None:
        run_folder.check_runs_folder(composed)
    hardware = find_hardware(composed)
    side = composed.augmentations[0].crop_size
    unreadable, found = reading.unreadable_images(composed.data, side)
    quieten()
    import torch
    from lightning.pytorch import seed_everything

    from cueco_solo.data.datasets import pretraining_data
    from cueco_solo.data.loaders import SeededData
    from cueco_solo.training.position import check_position, rows_of, settings_of
    from cueco_solo.training.ranks import SameImages, together
    from cueco_solo.training.resume import changes_since, in_effect, settle
    from cueco_solo.training.trainer import fit, make_trainer

    if found:
        print_once("\n".join(found))
    cueco_solo.register()
    method = host.method_class(composed.method)
    with build_errors(composed):
        parsed = parse(composed, hardware.processes, hardware.num_nodes, unreadable)
        seed_everything(parsed.seed, workers=True, verbose=False)
        model = build_method(method, parsed)
    if not parsed.performance.disable_channel_last:
        model = model.to(memory_format=torch.channels_last)
    content = checkpoints.read_checkpoint(resume, "resume_from_checkpoint") if resume else {}
    start = _check_resume(content, resume, model, composed) if resume else checkpoints.Progress()
    # millions of files, which one process looks at where nothing is compared
    images = fingerprint(parsed.data) if resume or claim.is_first() else {}
    changes = changes_since(resume, model.cfg, method, images) if resume else None
    told = settle(resume, changes, _allowed(composed)) if resume else []
    if resume and start.epoch == composed.max_epochs:
        if claim.is_first():
            checkpoints.remove_others(resume, composed.checkpoint.get("keep_prev", False))
        print_once(f"nothing to do: this run ended with {resume}\nrun folder: {resume.parent}")
        return resume.parent
    data, steps = pretraining_data(parsed, hardware.world_size, start.epoch, start.batch)
    size = len(data.train) if isinstance(data, SeededData) else 0
    if resume and start.batch:
        check_position(content, resume, parsed, hardware.world_size, size)
    settings = settings_of(parsed, hardware.world_size, size) if size else None
    rows = rows_of(content)
    del content

    with _run_folder(composed, resume, locks) as run, _full_disk(run):
        replaced = resume if resume and resume.parent == run else None
        trainer = make_trainer(parsed, hardware, run, steps, start.step, replaced, settings, rows)
        if resume:
            print_once("\n  ".join([f"resuming from {resume}", *told]))
        trainer.callbacks += in_effect(changes)  # type: ignore[attr-defined]
        if isinstance(data, SeededData):
            trainer.callbacks.append(SameImages(data.train.dataset, parsed.data))  # type: ignore
        facts: dict[str, Any] = {"on": history.machine(hardware), "data": images}
        if job := signals.slurm_job():
            facts["job"] = job
        if resume:
            facts |= {
                "from": str(resume),
                "changed": {k: list(v) for k, v in (changes or {}).items()},
            }
        event = "resumed" if resume else "started"
        history.record(run, event, epoch=start.epoch, step=start.step, **facts)
        several = together(run, trainer, hardware.world_size)
        # the history says of a full disk, too
        with history.recorded(run, trainer), several, _full_disk(run):
            fit(
                trainer,
                model,
                first_step=start.step,
                first_epoch=start.epoch,
                datamodule=data,
                ckpt_path=resume and str(resume),
            )
    print_once(f"run folder: {run}")
    return run


def _allowed(cfg: DictConfig) -> list[str]:
    return list(OmegaConf.select(cfg, "resume.allow") or [])


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNWRITABLE = (errno.EACCES, errno.EIO, errno.EPERM, errno.EROFS, errno.ESTALE)


def _is_gone(run: Path, missing: Any) -> bool:
    """Whether a file is missing since the run folder is."""
    of_run = Path(str(missing)).absolute().is_relative_to(run.absolute())
    return of_run and not os.path.isdir(run)


@contextmanager
def _full_disk(run: Path) -> Iterator[None]:
    """A full disk, or a folder that can't be written any more or has gone, as one line."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOENT and _is_gone(run, error.filename):
            reason = "has gone: something removed or moved it while the run was trained"
            remedy = "start the run anew, or put the folder back and resume it"
            raise config_error("RUN", str(run), reason, remedy) from error
        if error.errno not in (*_FULL, *_UNWRITABLE):
            raise
        last = checkpoints.latest_checkpoint(run)
        reason = f"can't be written ({os.strerror(error.errno)})"
        remedy = "make room" if error.errno in _FULL else "mend the folder or its disk"
        if last:
            remedy += f"; the last good checkpoint is {last}"
        raise config_error("checkpoint.dir", str(run), reason, remedy) from error


def _check_resume(
    content: dict[str, Any], path: Path, model: Any, cfg: DictConfig
) -> checkpoints.Progress:
    """Where to resume, if the checkpoint is one of this model's and training isn't over."""
    checkpoints.add_late_buffers(content["state_dict"], model)
    checkpoints.check_state(content["state_dict"], model, path)
    start = checkpoints.progress(content, path)
    if start.epoch >= cfg.max_epochs and not claim.continues(cfg, path):
        raise config_error(
            "max_epochs",
            cfg.max_epochs,
            f"must exceed the {start.epoch} epochs that {path} has had",
        )
    return start


def _record(cfg: DictConfig, run: Path | None, locks: ExitStack) -> Path:
    """Make the folder, unless a run is resumed in it, and record what is run."""
    try:
        if run is None:
            run = claim.claimed_new_folder(cfg, locks)
            write_text(run / "config.yaml", OmegaConf.to_yaml(cfg))
        write_environment(run, cfg.seed)
    except OSError as error:
        raise run_folder.unwritable(cfg, error.strerror) from error
    return run


@contextmanager
def _run_folder(cfg: DictConfig, resume: Path | None, locks: ExitStack) -> Iterator[Path]:
    """The folder that all processes of this run write to; a start that fails leaves none."""
    resumed = resume.parent if resume and claim.continues(cfg, resume) else None
    from lightning.pytorch.utilities import rank_zero_only

    if resumed:
        rank_zero_only(remove_leftovers)(resumed)
    run = rank_zero_only(_record)(cfg, resumed, locks)
    new = run is not None and resumed is None
    if run is None:  # not the first process
        run = Path(
            os.environ.get(RUN_VARIABLE) or run_folder.runs_folder(cfg) / run_folder.run_id(cfg)
        )
    os.environ[RUN_VARIABLE] = str(run)
    try:
        yield run
    except BaseException as error:
        # a diverged run says so in its history
        kept = getattr(error, "exit_code", 2) == 3 or any(run.glob("metrics*.csv"))
        # it may have been removed by others
        if new and run.is_dir() and not kept and not checkpoints.latest_checkpoint(run):
            shutil.rmtree(run)
        raise
    finally:
        os.environ.pop(RUN_VARIABLE)
