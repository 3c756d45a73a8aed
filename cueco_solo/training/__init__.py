"""From a composed configuration to a finished run folder; see :mod:`.pretrain`."""

import importlib
from typing import Any

# what this was a module of, by the one that has it now
_MOVED = {
    "TRAINER_KEYS": "settings",
    "fit": "trainer",
    "new_trainer": "trainer",
    "trainer_options": "trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MOVED[name]}"), name)
