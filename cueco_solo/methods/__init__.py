"""The methods that this package adds to solo-learn."""

from typing import Any


def plugin_methods() -> dict[str, Any]:
    """Name in ``cfg.method`` -> LightningModule class; imported here, on demand."""
    from cueco_solo.methods.cueco import CueCo
    from cueco_solo.methods.rcl import RCL
    from cueco_solo.methods.self_classifier import SelfClassifier

    return {"cueco": CueCo, "rcl": RCL, "self_classifier": SelfClassifier}
