"""Lightning's Trainer, whose refusals are told in one line."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from cueco_solo.errors import ConfigError, told

# what of a configuration is handed to Lightning's Trainer as it is
TRAINER_KEYS = (
    "accelerator",
    "accumulate_grad_batches",
    "benchmark",
    "check_val_every_n_epoch",
    "detect_anomaly",
    "deterministic",
    "devices",
    "enable_model_summary",
    "enable_progress_bar",
    "gradient_clip_algorithm",
    "gradient_clip_val",
    "limit_train_batches",
    "limit_val_batches",
    "log_every_n_steps",
    "max_epochs",
    "max_time",
    "num_nodes",
    "num_sanity_val_steps",
    "overfit_batches",
    "precision",
    "profiler",
    "strategy",
    "sync_batchnorm",
    "val_check_interval",
)


def trainer_options(cfg: DictConfig) -> dict[str, Any]:
    """What of a configuration the Trainer takes as it is."""
    given: dict[str, Any] = OmegaConf.to_container(cfg)  # type: ignore[assignment]
    return {key: given[key] for key in TRAINER_KEYS if given.get(key) is not None}


def new_trainer(**options: Any) -> Trainer:
    """Lightning's Trainer.

    Raises:
        ConfigError: Lightning refuses an option.
    """
    what = "Lightning's Trainer can't use this configuration"
    with told(what, MisconfigurationException):
        return Trainer(**options)


def fit(
    trainer: Trainer, model: LightningModule, *data: Any, first_step: int = 0, **more: Any
) -> None:
    """``trainer.fit``.

    Args:
        trainer: what :func:`new_trainer` gave.
        model: to be trained.
        data: loaders, if not in ``more``.
        first_step: of a resumed run, else 0.
        more: further arguments of ``trainer.fit``.

    Raises:
        ConfigError: optimizer and scheduler can't be built, Lightning refuses an option, or no step
            was trained, of which Lightning says nothing.
    """
    configure = model.configure_optimizers

    def configured() -> Any:
        with told("optimizer or scheduler can't be built from this configuration"):
            return configure()

    model.configure_optimizers = configured  # type: ignore[method-assign]
    try:
        trainer.fit(model, *data, **more)
    except MisconfigurationException as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"Lightning can't train with this configuration: {reason}") from error
    if trainer.global_step == first_step:
        raise ConfigError(
            "no step was trained; raise limit_train_batches or max_time, or give more data"
        )
