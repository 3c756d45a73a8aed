"""What figures were measured with, and which of it tells the columns of a table apart."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cueco_solo.data.checks import DOWNLOADED
from cueco_solo.data.transfer_sets import TRANSFER_SETS

# the figures' data set and metric say these; a seed makes a repetition
_NOT_COMPARED = ("dataset", "title", "superclasses", "k", "seed")
_PATHS = ("train_path", "val_path")
_OWN = "its own"


def compared_settings(
    settings: Mapping[str, Any], own: Mapping[str, Any], recorded: Mapping[str, str]
) -> dict[str, str]:
    """What has to agree between figures that are to be compared; flat, values as text.

    Args:
        settings: of an evaluation, as its file has them.
        own: the run's ``cfg.data``; its own paths are called "its own", wherever they are.
        recorded: paths that the run was trained with, by those of ``own`` that took their place.
    """
    kept = {key: value for key, value in settings.items() if key not in _NOT_COMPARED}
    for key in _PATHS:
        if settings.get("dataset") in (*DOWNLOADED, *TRANSFER_SETS):  # whose name says it all
            kept.pop(key, None)
        elif key in kept and kept[key] in (own.get(key), recorded.get(own.get(key, ""))):
            kept[key] = _OWN
    if Path(kept.get("subset", "")).parent.name == "subsets":  # which finetune drew itself
        kept["subset"] = _OWN
    return dict(flat("", kept)) if kept else {}


def flat(key: str, value: Any) -> list[tuple[str, str]]:
    """Dotted keys, values as text; lists of mappings, as augmentations, get numbers."""
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not value:
        return [(key, value if isinstance(value, str) else json.dumps(value, default=str))]
    prefix = f"{key}." if key else ""
    return [item for name, part in value.items() for item in flat(f"{prefix}{name}", part)]


def differing(settings: Iterable[Mapping[str, str]]) -> set[str]:
    """The keys that have more than one value among these; one that isn't stated has none."""
    values: dict[str, set[str]] = {}
    for one in settings:
        for key, value in one.items():
            values.setdefault(key, set()).add(value)
    return {key for key, found in values.items() if len(found) > 1}


def as_text(settings: Mapping[str, str], keys: Iterable[str] | None = None) -> str:
    """``temperature=0.1, max_epochs=50``: all of them, or those that are named."""
    shown = settings if keys is None else [key for key in settings if key in set(keys)]
    return ", ".join(f"{key}={settings[key]}" for key in shown)
