"""Which of solo-learn's methods a form of it can't compute; solo-learn isn't imported for that."""

from cueco_solo.errors import HostError
from cueco_solo.host.detect import INSTALL_MAIN, host_info

_MISSING = "isn't in solo-learn 1.0.2"
# why a method of main's isn't among the release's
_ON_RELEASE = {
    "all4one": _MISSING,
    "deepclusterv2": "trains on NaN from its first epoch in solo-learn 1.0.2",
    "mae": _MISSING,
    "mocov3": _MISSING,
    "supcon": _MISSING,
    "swav": "is computed differently by solo-learn 1.0.2, without its prototypes' fixed norm",
    "vibcreg": _MISSING,
}


def check_available(method: str) -> None:
    """Refuse a method of main's that the installed release lacks.

    Raises:
        HostError: it is one.
    """
    if host_info().form == "release" and method in _ON_RELEASE:
        raise HostError(f"method={method!r} {_ON_RELEASE[method]}; {INSTALL_MAIN}")
