"""What the methods of this package share on top of solo-learn's base classes."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from omegaconf import DictConfig, OmegaConf

from cueco_solo.data.superclasses import NAMES as SUPERCLASSES
from cueco_solo.errors import ConfigError, config_error

_MARK = "cueco_solo_method"


class PluginMethod:
    """Mixin in front of ``BaseMethod`` or ``BaseMomentumMethod``.

    Refuses configurations under which nothing sensible would be trained.

    Attributes:
        fill: checks the method's settings in a configuration and fills in the defaults, in place.
        trained: names of the modules that are trained beside the backbone.
        sizes: the keys of ``method_kwargs`` that a checkpoint shows: each with a name in the state
            dict and the dimension of it that has this size; None where modules of that name count.
        shared_state: prefixes of the names of buffers that all processes compute alike, from
            gathered tensors. DistributedDataParallel doesn't send them with every forward pass.
    """

    fill: ClassVar[Any]
    trained: ClassVar[tuple[str, ...]]
    sizes: ClassVar[Mapping[str, tuple[str, int | None]]]
    shared_state: ClassVar[tuple[str, ...]] = ()
    cfg: Any
    trainer: Any

    @classmethod
    def add_and_assert_specific_cfg(cls, cfg: DictConfig) -> DictConfig:
        """Check the settings and fill in the defaults, in place.

        Raises:
            ConfigError: see the method's ``fill``.
        """
        return super().add_and_assert_specific_cfg(cls.fill(cfg))  # type: ignore[misc]

    @classmethod
    def from_config(
        cls, name: str, overrides: Sequence[str] = (), config_path: str | None = None
    ) -> Self:
        """The untrained model of a configuration of this method.

        Args:
            name: of a configuration of ours, or of a file in ``config_path``.
            overrides: Hydra overrides, such as ``"max_epochs=10"``.
            config_path: folder of one's own configurations.

        Raises:
            ConfigError: no such configuration, key or value, it is of another method, or the data,
                which are looked at where their name doesn't say the number of classes, can't be
                used.
        """
        import cueco_solo

        model = cueco_solo.model_from_config(name, overrides, config_path)
        if not isinstance(model, cls):
            allowed = f"has method={model.cfg.method}, which isn't {cls.__name__}"
            raise config_error("name", name, allowed, "choose another configuration")
        return model

    @property
    def learnable_params(self) -> list[dict[str, Any]]:
        """Adds the ``trained`` modules that have parameters to the parent's groups."""
        own = [{"name": n, "params": list(getattr(self, n).parameters())} for n in self.trained]
        groups = super().learnable_params  # type: ignore[misc]
        return [*groups, *(group for group in own if group["params"])]

    @staticmethod
    def check_data(cfg: DictConfig, small_too: bool = False) -> None:
        """Refuse all but two large crops, and small ones where ``small_too``.

        Raises:
            ConfigError: the augmentations give another number of large crops, or small ones; or
                ``data.superclasses`` is set in a program that doesn't know it.
        """
        large, small = cfg.data.num_large_crops, cfg.data.num_small_crops
        if large != 2 or (small and not small_too):
            raise config_error(
                "augmentations",
                f"{large} large and {small} small crops",
                f"must give method={cfg.method} two crops of one size",
                "set num_crops and crop_size accordingly",
            )
        if cfg.data.get("superclasses") and cfg.data.num_classes != len(SUPERCLASSES):
            raise config_error(
                "data.superclasses",
                True,
                "isn't known to solo-learn's own programs, whose labels are the fine ones",
                "train with cueco-solo pretrain, or leave it out",
            )

    @property
    def _ddp_params_and_buffers_to_ignore(self) -> list[str]:
        """What DistributedDataParallel, which asks for this name, leaves alone."""
        names = (name for name, _ in self.named_buffers())  # type: ignore[attr-defined]
        return [name for name in names if name.startswith(self.shared_state)]

    def on_train_start(self) -> None:
        """Start all processes with the first one's shared state.

        Raises:
            ConfigError: ``data.augment=device`` is set in a program that doesn't know it.
        """
        super().on_train_start()  # type: ignore[misc]
        dali = self.cfg.data.get("format") == "dali"  # for which solo-learn has a data module
        elsewhere = self.trainer.datamodule is None or dali
        if self.cfg.data.get("augment") == "device" and elsewhere:
            raise config_error(
                "data.augment",
                "device",
                "isn't known to solo-learn's own programs, which make the views otherwise",
                "train with cueco-solo pretrain, or leave it out",
            )
        if self.trainer.world_size > 1:
            import torch.distributed as dist  # the options' models import this module without torch

            ignored = set(self._ddp_params_and_buffers_to_ignore)
            for name, buffer in self.named_buffers():  # type: ignore[attr-defined]
                if name in ignored:
                    dist.broadcast(buffer, src=0)

    @property
    def seed(self) -> int:
        """The run's seed; solo-learn's default where the configuration has none."""
        value = self.cfg.get("seed")
        return 5 if value is None else int(value)

    def configure_optimizers(self) -> Any:
        if self.trainer.precision in ("16-true", "bf16-true", "transformer-engine"):
            raise config_error(
                "precision",
                self.trainer.precision,
                "would keep queue and clusters in half precision, too coarse for their averages",
                "use 16-mixed or bf16-mixed",
            )
        # the first hook that knows the data; Lightning skips training on no batches in silence
        if self.trainer.estimated_stepping_batches == 0:
            raise config_error(
                "optimizer.batch_size",
                self.cfg.optimizer.batch_size,
                "is larger than the training data of a process, so there is no batch to train on",
                "lower it, or give more data in data.train_path",
            )
        return super().configure_optimizers()  # type: ignore[misc]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)  # type: ignore[misc]
        checkpoint[_MARK] = self.cfg.method

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another method or of other ``sizes``.

        Raises:
            ConfigError: the checkpoint was not made by this method, or not with these settings.
        """
        super().on_load_checkpoint(checkpoint)  # type: ignore[misc]
        found = checkpoint.get(_MARK)
        if found != self.cfg.method:
            owner = f"method={found}" if found else "another method"
            raise ConfigError(
                f"method={self.cfg.method} can't load this checkpoint, which is of {owner}; choose "
                f"a checkpoint of {self.cfg.method}, or set method to the checkpoint's"
                f"{self.resumed_from('; ')}"
            )
        self._check_sizes(checkpoint["state_dict"])

    def resumed_from(self, before: str = "") -> str:
        """For messages: the checkpoint that is resumed, and what to do if nobody named it."""
        path = getattr(getattr(self, "_trainer", None), "ckpt_path", None)
        if path is None:
            return ""
        if OmegaConf.select(self.cfg, "auto_resume.enabled"):
            found = f"solo-learn's auto_resume found {path}, which is of another run"
            return f"{before}{found}: set auto_resume.enabled=False"
        return f"{before}the checkpoint is {path}"

    def _check_sizes(self, state: Mapping[str, Any]) -> None:
        own = self.state_dict()  # type: ignore[attr-defined]
        for key, (name, dimension) in self.sizes.items():
            here, there = (_size(each, name, dimension) for each in (own, state))
            if there and here != there:
                raise config_error(
                    f"method_kwargs.{key}",
                    self.cfg.method_kwargs[key],
                    f"must be {there}, as when this checkpoint was trained",
                    self.resumed_from(),
                )


def _size(state: Mapping[str, Any], name: str, dimension: int | None) -> int | None:
    if dimension is None:
        return len({key.split(".")[1] for key in state if key.startswith(f"{name}.")}) or None
    return state[name].shape[dimension] if name in state else None


def check_dali_indexes(cfg: DictConfig) -> None:
    """Refuse DALI labels that don't tell images apart.

    Raises:
        ConfigError: ``dali.encode_indexes_into_labels`` isn't set.
    """
    encoded = OmegaConf.select(cfg, "dali.encode_indexes_into_labels")
    if cfg.data.get("format") == "dali" and not encoded:
        raise config_error(
            "dali.encode_indexes_into_labels",
            encoded,
            f"must be True with data.format=dali, since method={cfg.method} follows each image",
            "add dali.encode_indexes_into_labels=True, in solo-learn's own programs with ++",
        )
