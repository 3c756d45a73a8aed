"""Import solo-learn 1.0.2 on current libraries; ``sys.modules`` is left as it was found."""

import importlib
import sys
import types

import lightning.pytorch as pl

from cueco_solo.errors import HostError
from cueco_solo.host.detect import INSTALL_MAIN, quiet_imports


def _module(name: str, **names: object) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(names)
    return module


def _replacements() -> dict[str, types.ModuleType | None]:
    scheduler = _module("pl_bolts.optimizers.lr_scheduler", LinearWarmupCosineAnnealingLR=None)
    util = _module("distutils.util", strtobool=None)
    return {
        # the models must derive from the LightningModule that our Trainer knows
        "pytorch_lightning": pl,
        "pytorch_lightning.callbacks": pl.callbacks,
        # abandoned, breaks with Lightning 2; 1.0.2 takes one scheduler from it: see optim.py
        "pl_bolts": _module("pl_bolts"),
        "pl_bolts.optimizers": _module("pl_bolts.optimizers"),
        "pl_bolts.optimizers.lr_scheduler": scheduler,
        # gone from Python 3.12; solo.methods.dino wants distutils.util
        "distutils": _module("distutils", util=util),
        "distutils.util": util,
        # optional, and slow to import where they are installed: not used from 1.0.2
        "nvidia.dali": None,
        "umap": None,
    }


def import_release() -> None:
    """Import ``solo`` 1.0.2, unless that has happened.

    Raises:
        HostError: it doesn't import, because one of the libraries it uses has moved on.
    """
    if "solo" in sys.modules:
        return
    new = _replacements()
    old = {name: sys.modules[name] for name in new if name in sys.modules}
    sys.modules.update(new)  # type: ignore[arg-type]
    try:
        with quiet_imports():
            importlib.import_module("solo")
    except ImportError as error:
        raise HostError(
            f"solo-learn 1.0.2 can't be imported with these libraries ({error}); {INSTALL_MAIN}"
        ) from error
    finally:
        for name in new:
            sys.modules.pop(name, None)
        sys.modules.update(old)
