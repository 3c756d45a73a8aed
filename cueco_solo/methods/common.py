"""What the methods of this package share on top of solo-learn's base classes."""

from collections.abc import Iterator
from typing import Any

import torch
from omegaconf import DictConfig
from tqdm import tqdm

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.host import gather
from cueco_solo.schema import Option, fill_options

_MARK = "cueco_solo_method"


def fill_momentum(cfg: DictConfig, base_tau: float) -> None:
    """Check the section ``momentum`` and fill in the defaults, in place.

    Args:
        cfg: the whole configuration.
        base_tau: the method's default for the EMA coefficient at the start.

    Raises:
        ConfigError: an unknown key, a wrong type, a value out of range, base_tau > final_tau.
    """
    momentum = fill_options(
        cfg,
        {
            "base_tau": Option(base_tau, low=0, high=1),
            "final_tau": Option(1.0, low=0, high=1),
            "classifier": Option(False),
        },
        "momentum",
    ).momentum
    if momentum.base_tau > momentum.final_tau:
        raise config_error(
            "momentum.base_tau",
            momentum.base_tau,
            f"must be at most momentum.final_tau={momentum.final_tau}",
            "lower base_tau or raise final_tau",
        )


class PluginMethod:
    """Mixin in front of ``BaseMethod`` or ``BaseMomentumMethod``.

    Refuses configurations under which nothing sensible would be trained, and makes a resumed run
    go on where it was.
    """

    cfg: Any
    trainer: Any
    device: Any
    momentum_backbone: Any
    momentum_projector: Any
    momentum_forward: Any

    @staticmethod
    def check_views(cfg: DictConfig) -> None:
        """Refuse anything but two crops of one size.

        Raises:
            ConfigError: the augmentations give another number of large crops, or small ones.
        """
        large, small = cfg.data.num_large_crops, cfg.data.num_small_crops
        if (large, small) != (2, 0):
            raise config_error(
                "augmentations",
                f"{large} large and {small} small crops",
                f"must give method={cfg.method} two crops of one size",
                "set num_crops and crop_size accordingly",
            )

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

    def on_train_start(self) -> None:
        super().on_train_start()  # type: ignore[misc]
        step = self.trainer.global_step
        if step and hasattr(self, "momentum_updater"):
            # solo-learn saves neither: the first update after a resume would use base_tau, and with
            # accumulated gradients it would come one micro-batch after the resume
            self.last_step = step
            self.momentum_updater.update_tau(
                cur_step=step, max_steps=self.trainer.estimated_stepping_batches
            )

    @torch.no_grad()
    def training_keys(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Keys of one pass over the training data, gathered over all processes, batch by batch.

        The networks stay in training mode, since the keys of the training steps, which clusters
        are compared with, are normalised by batch statistics too; the running ones are put back.

        Yields:
            tuple: sample indexes ``[N]``, int64, and keys of all views ``[views, N, D]``, float32.
        """
        networks = (self.momentum_backbone, self.momentum_projector)
        saved = [(buffer, buffer.clone()) for network in networks for buffer in network.buffers()]
        precision, bar = self.trainer.precision_plugin, self.trainer.progress_bar_callback
        quiet = bar is None or not self.trainer.is_global_zero
        for indexes, views, *_ in tqdm(
            self.trainer.train_dataloader, "keys", leave=False, disable=quiet
        ):
            keys = []
            for view in views:
                X = precision.convert_input(view.to(self.device, non_blocking=True))
                with precision.forward_context():
                    keys.append(gather(self.momentum_forward(X)["z"].float()))
            yield gather(indexes.to(self.device)), torch.stack(keys)
        for buffer, value in saved:
            buffer.copy_(value)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)  # type: ignore[misc]
        checkpoint[_MARK] = self.cfg.method

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another method.

        Raises:
            ConfigError: the checkpoint was not made by this method.
        """
        super().on_load_checkpoint(checkpoint)  # type: ignore[misc]
        found = checkpoint.get(_MARK)
        if found != self.cfg.method:
            owner = f"method={found}" if found else "another method"
            raise ConfigError(
                f"method={self.cfg.method} can't load this checkpoint, which is of {owner}; choose "
                f"a checkpoint of {self.cfg.method}, or set method to the checkpoint's"
            )
