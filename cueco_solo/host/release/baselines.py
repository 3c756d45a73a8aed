"""solo-learn's own methods on the release: those that it computes as main does."""

from typing import Any

import solo.methods as legacy
from omegaconf import DictConfig
from solo.methods.base import BaseMomentumMethod

from cueco_solo.errors import HostError, config_error
from cueco_solo.host.detect import INSTALL_MAIN
from cueco_solo.host.release.adapters import Lifted, LiftedMomentum
from cueco_solo.host.release.cfg import plain, set_defaults

_QUEUE = {"queue_size": 65536}
_PROJECTOR = ("proj_output_dim", "proj_hidden_dim")
_PREDICTOR = (*_PROJECTOR, "pred_hidden_dim")
# keys of method_kwargs that must be given, and main's defaults of the others
_OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "barlow_twins": (_PROJECTOR, {"lamb": 0.0051, "scale_loss": 0.024}),
    "byol": (_PREDICTOR, {}),
    "dino": (
        (*_PROJECTOR, "num_prototypes"),
        {
            "clip_grad": 0,
            "freeze_last_layer": 1,
            "norm_last_layer": True,
            "use_bn_in_head": False,
            "student_temperature": 0.1,
            "teacher_temperature": 0.07,
            "warmup_teacher_temperature": 0.04,
            "warmup_teacher_temperature_epochs": 0,
        },
    ),
    "mocov2plus": ((*_PROJECTOR, "temperature"), _QUEUE),
    "nnbyol": (_PREDICTOR, _QUEUE),
    "nnclr": ((*_PREDICTOR, "temperature"), _QUEUE),
    "nnsiam": (_PREDICTOR, _QUEUE),
    "ressl": ((*_PROJECTOR, "temperature_q", "temperature_k"), _QUEUE),
    "simclr": ((*_PROJECTOR, "temperature"), {}),
    "simsiam": (_PREDICTOR, {}),
    "vicreg": (
        _PROJECTOR,
        {"sim_loss_weight": 25, "var_loss_weight": 25, "cov_loss_weight": 1.0},
    ),
    "wmse": (_PROJECTOR, {"whitening_iters": 1, "whitening_size": 256, "whitening_eps": 0.0}),
}


class Baseline(Lifted):
    """In front of a method of 1.0.2: main's options, and a refusal of what would differ."""

    _name: str

    @classmethod
    def add_and_assert_specific_cfg(cls, cfg: DictConfig) -> DictConfig:
        """Fill in main's defaults, in place.

        Raises:
            ConfigError: a key of ``method_kwargs`` is missing or unknown.
            HostError: crops that 1.0.2 treats differently.
        """
        cfg = super().add_and_assert_specific_cfg(cfg)
        required, defaults = _OPTIONS[cls._name]
        for key in required:
            if cfg.method_kwargs.get(key) is None:
                raise config_error(f"method_kwargs.{key}", None, f"must be set for {cls._name}")
        for key, value in cfg.method_kwargs.items():
            if key not in required and key not in defaults:
                known = ", ".join((*required, *defaults))
                raise config_error(f"method_kwargs.{key}", value, f"is unknown; known: {known}")
        if cfg.data.num_small_crops and cls._name != "byol":
            raise HostError(
                f"augmentations with several values of crop_size: method={cls._name!r} with small "
                f"crops is computed differently by solo-learn 1.0.2; {INSTALL_MAIN}"
            )
        return set_defaults(cfg, {f"method_kwargs.{k}": v for k, v in defaults.items()})

    @staticmethod
    def method_arguments(cfg: DictConfig) -> dict[str, Any]:
        return plain(cfg.method_kwargs)

    def on_fit_start(self) -> None:
        """Raise HostError for several processes, over which 1.0.2's methods don't gather."""
        super().on_fit_start()
        if self.trainer.world_size > 1:
            raise HostError(
                f"method={self._name!r} on {self.trainer.world_size} processes is computed "
                "differently by solo-learn 1.0.2, which doesn't gather the batch; set devices=[0], "
                f"or {INSTALL_MAIN}"
            )


def _lift(name: str) -> type[Baseline]:
    method = legacy.METHODS[name]
    momentum = (LiftedMomentum,) if issubclass(method, BaseMomentumMethod) else ()
    namespace = {"__module__": __name__, "_name": name, "__doc__": method.__doc__}
    return type(method.__name__, (Baseline, *momentum, method), namespace)


METHODS: dict[str, Any] = {name: _lift(name) for name in _OPTIONS}
# pickle looks a class up by its name here
globals().update({method.__name__: method for method in METHODS.values()})
