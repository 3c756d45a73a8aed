"""Which solo-learn is there: found out from its files, without importing it."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

INSTALL_MAIN = (
    "clone solo-learn's Git repository (https://github.com/vturrisi/solo-learn) "
    "and put it on PYTHONPATH or run from it"
)
INSTALL_RELEASE = "pip install --no-deps solo-learn==1.0.2"
RELEASE_VERSION = "1.0.2"


@dataclass(frozen=True)
class HostInfo:
    """What :func:`host_info` found.

    Attributes:
        form: ``"main"`` (Git, 1.0.6), ``"release"`` (1.0.2), ``"unknown"`` (another solo-learn, or
            another package of that name) or ``"missing"``.
        version: what its metadata says, ``""`` where that isn't known.
        path: folder of the package ``solo``, ``""`` if it is missing.
    """

    form: str
    version: str
    path: str

    @property
    def problem(self) -> str:
        """Why this package can't work with it and what to install; empty if it can."""
        remedy = f"{INSTALL_RELEASE}, or {INSTALL_MAIN}"
        if self.form == "missing":
            return f"solo-learn isn't installed; {remedy}"
        if self.form == "unknown":
            version = f" {self.version}" if self.version else ""
            return (
                f"solo-learn{version} at {self.path} is neither release {RELEASE_VERSION} nor Git "
                f"main (1.0.6); {remedy}"
            )
        return ""


def host_info() -> HostInfo:
    """Form, version and place of the solo-learn that ``import solo`` would find; never raises."""
    try:
        spec = find_spec("solo")
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        return HostInfo("missing", "", "")
    root = Path(next(iter(spec.submodule_search_locations)))
    version = _version(root)
    if (root / "args" / "pretrain.py").is_file() and (root / "data").is_dir():
        form = "main"
    elif version == RELEASE_VERSION and (root / "utils" / "pretrain_dataloader.py").is_file():
        form = "release"
    else:
        form = "unknown"
    return HostInfo(form, version, str(root))


def _version(root: Path) -> str:
    """From the installation that the package is in, else from ``setup.py`` beside a checkout's."""
    for distribution in metadata.distributions(name="solo-learn", path=[str(root.parent)]):
        return distribution.version
    try:
        setup = (root.parent / "setup.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    match = re.search(r"version=[\"']([^\"']+)", setup)
    return match.group(1) if match else ""


@contextmanager
def quiet_imports() -> Iterator[None]:
    """No warnings from solo-learn, timm or torch about each other's names while importing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
