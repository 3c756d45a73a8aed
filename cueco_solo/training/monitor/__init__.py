"""What is computed of the representation while a run trains; see :mod:`.callback`."""

from typing import Any

from omegaconf import DictConfig

from cueco_solo.training.monitor.settings import online_settings


def online_callbacks(cfg: DictConfig) -> list[Any]:
    """The monitor that a configuration asks for, if any.

    Raises:
        ConfigError: see :func:`cueco_solo.training.monitor.settings.online_settings`.
    """
    settings = online_settings(cfg)
    if settings is None:
        return []
    from cueco_solo.training.monitor.callback import OnlineClustering
    from cueco_solo.training.monitor.training_images import TrainingImages

    classes = cfg.data.num_classes
    scored = OnlineClustering(settings.every_n_epochs, settings.max_images, classes)
    return [scored, TrainingImages(settings, cfg)]
