"""``cueco-solo doctor``: what is installed, and for each problem the command that fixes it."""

import argparse
import importlib
import importlib.metadata
import platform
from pathlib import Path
from typing import Any

from cueco_solo.arguments import add_command
from cueco_solo.host import HostInfo, host_info

# distribution, module, lowest version that setup.cfg allows
_NEEDED = (
    ("torch", "torch", "2.4"),
    ("torchvision", "torchvision", "0.19"),
    ("lightning", "lightning.pytorch", "2.4"),
    ("torchmetrics", "torchmetrics", "1.0"),
    ("timm", "timm", "1.0"),
    ("hydra-core", "hydra", "1.3"),
    ("scikit-learn", "sklearn", "1.3"),
)
_OPTIONAL = (
    ("nvidia-dali", "nvidia.dali", "pip install nvidia-dali-cuda130", "data.format=dali"),
    (
        "umap-learn",
        "umap",
        "pip install umap-learn seaborn matplotlib pandas wandb",
        "main_umap.py",
    ),
)
# flags of CPUs: Intel's and AMD's, then ARM's
_BFLOAT16 = ("amx_bf16", "avx512_bf16", "bf16", "svebf16")


def add_parsers(commands: Any) -> None:
    add_command(
        commands,
        "doctor",
        run,
        "check the installation and print how to fix it",
        """Look at solo-learn, the libraries, the GPUs and the CPU. Exit code 1 if something that is
        needed is missing.""",
        "cueco-solo doctor",
    )


def run(args: argparse.Namespace) -> int:
    """Print one line for each thing looked at; 1 if something needed is missing."""
    broken = 0
    for name, state, remedy, needed in examine():
        mark = "ok" if not remedy else "MISSING" if needed else "-"
        print(f"{mark:8}{name:14}{state}")
        if remedy:
            print(f"{'':8}{'':14}to fix: {remedy}" if needed else f"{'':22}if wanted: {remedy}")
            broken += needed
    if host_info().form == "release":
        print(
            "note: pip check complains that solo-learn 1.0.2 wants torch 1.9.1; that is expected, "
            "and cueco-solo runs it on the versions above"
        )
    return 1 if broken else 0


def examine() -> list[tuple[str, str, str, bool]]:
    """(name, what was found, remedy or "", whether it is needed) of everything; never raises."""
    rows = [("python", platform.python_version(), "", True)]
    rows += [_needed(*entry) for entry in _NEEDED]
    rows.append(_host(host_info()))
    rows += [_optional(*entry) for entry in _OPTIONAL]
    rows += [_gpus(), _cpu()]
    return rows


def _version(distribution: str) -> str:
    names = [distribution]
    if distribution == "nvidia-dali":  # one distribution per CUDA generation
        names += [d.name for d in importlib.metadata.distributions() if d.name.startswith(names[0])]
    for name in reversed(names):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def _fault(module: str) -> str:
    """Why a module can't be imported, in one line; empty if it can."""
    try:
        importlib.import_module(module)
    except BaseException as error:  # a broken installation may raise anything
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return lines[0]
    return ""


def _needed(name: str, module: str, lowest: str) -> tuple[str, str, str, bool]:
    version, fault = _version(name), _fault(module)
    install = f"pip install '{name}>={lowest}'"
    if fault:
        state = f"{version} can't be imported: {fault}" if version else "not installed"
        return name, state, f"{install} --force-reinstall" if version else install, True
    if version and _numbers(version) < _numbers(lowest):
        return name, f"{version} is too old", f"{install} --upgrade", True
    return name, version, "", True


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split("+")[0].split(".")
    return tuple(int(part) for part in parts if part.isdigit())


def _host(info: HostInfo) -> tuple[str, str, str, bool]:
    if info.problem:
        state, _, remedy = info.problem.partition("; ")
        return "solo-learn", state, remedy, True
    state = f"{info.form} {info.version} in {info.path}".replace("  ", " ")
    try:
        importlib.import_module("cueco_solo").register()
    except BaseException as error:
        state, _, remedy = f"{state} can't be used: {error}".partition("; ")
        return "solo-learn", " ".join(state.split()), remedy or "fix what is MISSING above", True
    return "solo-learn", state, "", True


def _optional(name: str, module: str, remedy: str, use: str) -> tuple[str, str, str, bool]:
    fault = _fault(module)
    if fault:
        return name, f"not there (for {use} only)", remedy, False
    return name, _version(name), "", False


def _cpu() -> tuple[str, str, str, bool]:
    """Whether this CPU multiplies in bfloat16, as Linux tells it."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        flags = set()
    found = [name for name in _BFLOAT16 if name in flags]
    if not found:
        return "CPU", "no bfloat16 that is known of", "", False
    return "CPU", f"bfloat16 ({', '.join(found)}): hardware=cpu-bf16 may be faster", "", False


def _gpus() -> tuple[str, str, str, bool]:
    try:
        import torch

        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    except BaseException:
        names = []
    if not names:
        return "GPUs", "none seen", "add hardware=cpu to train without one", False
    return "GPUs", ", ".join(names), "", False
