"""What a run was made with: versions, commits, command line and machine."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import cueco_solo
from cueco_solo.errors import config_error
from cueco_solo.files import read_json, write_json
from cueco_solo.host import host_info

_LIBRARIES = ("torch", "torchvision", "lightning", "torchmetrics", "timm", "scikit-learn")


def commit_of(package: str) -> str | None:
    """Git commit of the checkout that a package folder lies in, ``-dirty`` where it was changed.

    None where the package's parent isn't a checkout, or there is no git.
    """
    root = Path(package).parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def versions() -> dict[str, Any]:
    """What a figure was computed with."""
    host = host_info()
    found: dict[str, Any] = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = None
    found["solo-learn"] = {
        "form": host.form,
        "version": host.version,
        "commit": commit_of(host.path) if host.path else None,
    }
    found["cueco-solo"] = {
        "version": cueco_solo.__version__,
        "commit": commit_of(os.path.dirname(cueco_solo.__file__)),
    }
    return found


def environment(seed: int) -> dict[str, Any]:
    """Versions, command line and where it was given, seed and machine, for ``environment.json``."""
    import torch

    return {
        "versions": versions(),
        "command": sys.argv,
        "started_in": os.getcwd(),
        "seed": seed,
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


def write_environment(folder: Path, seed: int) -> None:
    """``environment.json``; what a resumed run went on with is added under ``resumed``."""
    path, here = folder / "environment.json", environment(seed)
    if path.is_file():
        try:
            first = read_json(path)
            here = {**first, "resumed": [*first.get("resumed", []), here]}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            remedy = "mend or remove that file"
            raise config_error("environment", str(path), "can't be read", remedy) from error
    write_json(path, here)
