"""The methods that this package adds to solo-learn."""

from typing import Any


def plugin_methods() -> dict[str, Any]:
    """Name in ``cfg.method`` -> LightningModule class; imported here, on demand."""
    from cueco_solo.methods.cueco import CueCo
    from cueco_solo.methods.rcl import RCL

    return {"cueco": CueCo, "rcl": RCL}
