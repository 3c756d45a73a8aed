"""The methods that this package adds to solo-learn."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from cueco_solo.errors import ConfigError

# of other packages' methods: each is a name for ``cfg.method`` and a LightningModule class
ENTRY_POINTS = "cueco_solo.methods"
NAMES = ("cueco", "rcl", "self_classifier")


def found_methods() -> dict[str, EntryPoint]:
    """Methods that other installed packages have, by name; nothing of them is imported."""
    return {each.name: each for each in entry_points(group=ENTRY_POINTS)}


def plugin_methods() -> dict[str, Any]:
    """Name in ``cfg.method`` -> LightningModule class; imported here, on demand.

    Raises:
        ConfigError: a method of another package has the name of one of ours, or can't be imported.
    """
    from cueco_solo.methods.cueco import CueCo
    from cueco_solo.methods.rcl import RCL
    from cueco_solo.methods.self_classifier import SelfClassifier

    methods: dict[str, Any] = dict(zip(NAMES, (CueCo, RCL, SelfClassifier), strict=True))
    for name, point in found_methods().items():
        if name in methods:
            raise ConfigError(f"{name} of {point.value} is a method of cueco-solo; rename it")
        try:
            methods[name] = point.load()
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConfigError(
                f"method {name} of {point.value} can't be imported ({reason}); mend that package "
                "or uninstall it"
            ) from error
    return methods
