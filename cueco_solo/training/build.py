"""A method's model, built of a composed configuration."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, MissingMandatoryValue

import cueco_solo
from cueco_solo import host
from cueco_solo.data.checks import check_paths
from cueco_solo.data.superclasses import count_superclasses
from cueco_solo.errors import as_config_error, config_error, one_line
from cueco_solo.training.compose import compose_config
from cueco_solo.training.settings import check_rates, check_settings, with_defaults

# bare assertions in solo-learn's own methods
_WHOLE_BATCHES = ("all4one", "mocov2plus", "nnbyol", "nnclr", "nnsiam", "ressl")


def parse(
    cfg: DictConfig, processes: int = 1, num_nodes: int = 1, unreadable: Sequence[str] = ()
) -> DictConfig:
    """What solo-learn's parse_cfg makes of it; the learning rates then are those of all devices.

    Args:
        processes: on each machine.
        num_nodes: machines.
        unreadable: images that are left out.
    """
    cfg = cfg.copy()
    cfg.devices = list(range(processes))  # whose length scales the learning rate
    cfg.num_nodes = num_nodes
    cfg.data.setdefault("val_path", None)
    cfg.pop("resume_from_checkpoint", None)
    batch = cfg.optimizer.batch_size * processes * num_nodes
    queue = OmegaConf.select(cfg, "method_kwargs.queue_size", default=65536)
    if cfg.method in _WHOLE_BATCHES and (not isinstance(queue, int) or queue % batch):
        raise config_error(
            "method_kwargs.queue_size",
            queue,
            f"must be a multiple of the batch size of all processes, {batch}",
        )
    check_rates(cfg, batch)
    parsed = host.parse_pretrain_cfg(cfg)
    count_superclasses(parsed.data)
    if parsed.data.no_labels:
        parsed.data.num_classes = 1  # solo-learn counts folders
    if unreadable:
        parsed.data.unreadable = list(unreadable)
    if parsed.data.val_path is None:  # solo-learn then leaves this one as it is
        parsed.optimizer.classifier_lr *= batch / 256
    return parsed


@contextmanager
def build_errors(cfg: DictConfig) -> Iterator[None]:
    """What a method, its backbone or torch raises while it is built, as one line."""
    what = f"method={cfg.method} can't be built from this configuration"
    try:
        with as_config_error(what, AssertionError, MemoryError, RuntimeError):
            yield
    except (ConfigAttributeError, MissingMandatoryValue) as error:
        needed = f"is missing, but needed by method={cfg.method}"
        raise config_error(str(error.full_key), None, needed, "set it") from error


def build_method(method: Any, cfg: DictConfig) -> Any:
    """The model.

    Raises:
        ConfigError: it can't have this backbone, or the backbone's weights can't be had.
    """
    backbones = getattr(method, "_BACKBONES", {})
    if backbones and cfg.backbone.name not in backbones:
        allowed = f"must be one of {', '.join(backbones)}"
        raise config_error("backbone.name", cfg.backbone.name, allowed)
    try:
        return method(cfg)
    except (KeyError, OSError) as error:  # of weights that are unknown, or can't be downloaded
        given = {key: cfg.backbone.kwargs.get(key) for key in ("weights", "pretrained")}
        key = next((key for key, value in given.items() if value), None)
        if key is None or (isinstance(error, KeyError) and given[key] not in error.args):
            raise
        reason, remedy = "aren't known", "leave it out"
        if isinstance(error, OSError):
            reason = f"needs a file that can't be had ({one_line(error)})"
            remedy = "see that it can be downloaded, or leave it out"
        raise config_error(f"backbone.kwargs.{key}", given[key], reason, remedy) from error


def model_from_config(
    name: str, overrides: Sequence[str] = (), config_path: str | None = None
) -> Any:
    """The untrained model of a configuration, as ``cueco-solo pretrain`` builds it in one process.

    Seeds nothing. The data are looked at for the number of classes; only CIFAR's needn't be
    there.

    Args:
        name: of a configuration of ours, or of a file in ``config_path``.
        overrides: Hydra overrides, such as ``"max_epochs=10"``.
        config_path: folder of one's own configurations.

    Returns:
        The ``LightningModule``.

    Raises:
        ConfigError: no such configuration, key or value, or the data can't be used.
        HostError: the installed solo-learn doesn't have its method.
    """
    cfg = with_defaults(compose_config(name, config_path, overrides))
    check_settings(cfg)
    check_paths(cfg.data)
    cueco_solo.register()
    method = host.method_class(cfg.method)
    with build_errors(cfg):
        return build_method(method, parse(cfg))
