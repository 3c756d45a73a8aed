"""``accelerator``, ``devices`` and ``strategy`` as people write them, as Lightning wants them."""

from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cueco_solo.data.checks import check_workers
from cueco_solo.errors import config_error

_GPUS = ("gpu", "cuda")
_DEVICES = 'must be a number of devices, a list of device numbers or "auto"'


@dataclass(frozen=True)
class Hardware:
    """What a run runs on.

    Attributes:
        accelerator: ``"cpu"``, ``"gpu"``, or another of Lightning's.
        devices: Lightning's ``devices``.
        processes: processes per node, one for each device.
        num_nodes: machines.
    """

    accelerator: str
    devices: Any
    processes: int
    num_nodes: int

    @property
    def world_size(self) -> int:
        return self.processes * self.num_nodes


def find_hardware(cfg: DictConfig) -> Hardware:
    """Read ``cfg``'s accelerator, devices and number of nodes.

    ``devices`` may be a number, a list, ``"auto"`` or -1 (all), or a string of these: solo-learn's
    scripts need ``"1"`` or ``"02"`` on a CPU.

    Raises:
        ConfigError: they don't exist here, or the precision or batch norm doesn't go with them.
    """
    devices = cfg.get("devices", "auto")
    devices = _devices(OmegaConf.to_container(devices) if OmegaConf.is_config(devices) else devices)
    accelerator = _accelerator(cfg.get("accelerator", "auto"))
    num_nodes = cfg.get("num_nodes") or 1
    if accelerator == "cpu":
        _check_cpu(cfg)
        if isinstance(devices, list) and sorted(devices) != list(range(len(devices))):
            allowed = "names devices by number, but a CPU has processes only"
            raise config_error("devices", cfg.devices, allowed, "give their number")
        count = 1 if devices == "auto" else devices if isinstance(devices, int) else len(devices)
        check_workers(count, "devices", "give fewer")
        return Hardware("cpu", count, count, num_nodes)
    import torch

    there = torch.cuda.device_count() if accelerator in _GPUS else 1
    wanted = list(range(there)) if devices == "auto" else devices
    # one more than there are is enough to be told of
    wanted = list(range(min(wanted, there + 1))) if isinstance(wanted, int) else wanted
    if missing := [number for number in wanted if number >= there]:
        remedy = f"choose from {', '.join(map(str, range(there)))}"
        raise config_error(
            "devices", cfg.devices, f"but there is no {accelerator} {missing[0]}", remedy
        )
    return Hardware(accelerator, wanted if accelerator in _GPUS else 1, len(wanted), num_nodes)


def processes_wanted(cfg: DictConfig) -> int:
    """Processes per machine that a configuration asks for, found without looking for devices.

    ``"auto"`` counts as one: it takes what it is given.

    Raises:
        ConfigError: ``devices`` isn't understood.
    """
    devices = cfg.get("devices", "auto")
    devices = _devices(OmegaConf.to_container(devices) if OmegaConf.is_config(devices) else devices)
    return 1 if devices == "auto" else devices if isinstance(devices, int) else len(devices)


def settle_accelerator(cfg: DictConfig) -> str:
    """With ``accelerator: auto``, bring settings for GPUs to those of ``hardware=cpu``, in place.

    Where a GPU is there, or neither precision nor batch norm asks for one, all stays as it is.
    Otherwise each key that asks for what a GPU alone has is changed, no other one.

    Returns:
        What to tell the user; empty where nothing was changed.
    """
    if cfg.get("accelerator", "auto") not in (None, "auto"):
        return ""
    new: dict[str, Any] = {}
    if str(cfg.get("precision", 32)).startswith("16"):
        new["precision"] = 32
    if cfg.get("sync_batchnorm"):
        new["sync_batchnorm"] = False
    if not new or _accelerator("auto") != "cpu":
        return ""
    if OmegaConf.is_list(cfg.get("devices")) or processes_wanted(cfg) > 1:  # of GPUs
        new["devices"] = "1"
    if cfg.get("strategy") not in (None, "auto"):
        new["strategy"] = "auto"
    new["accelerator"] = "cpu"
    changed = ", ".join(f"{key}={value} (was {cfg.get(key)})" for key, value in new.items())
    cfg.update(new)
    return f"warning: no GPU is available; it is one process on the CPU with {changed}"


def _accelerator(name: Any) -> str:
    if name not in (None, "auto", "cpu", "mps", *_GPUS):
        raise config_error("accelerator", name, "must be auto, cpu, gpu or mps")
    if name == "cpu":  # the others need torch, whose import takes seconds
        return name
    import torch

    if name in (None, "auto"):
        return "gpu" if torch.cuda.is_available() else "cpu"
    if not (torch.backends.mps if name == "mps" else torch.cuda).is_available():
        raise config_error("accelerator", name, "is not available", "add hardware=cpu")
    return name


def torch_device(option: str) -> str:
    """The device that ``--device`` names: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ConfigError: it is ``cuda``, and there is no GPU.
    """
    if option == "cpu":
        return option
    import torch

    there = torch.cuda.is_available()
    if option == "cuda" and not there:
        raise config_error("--device", option, "is not available", "leave it out or use cpu")
    return "cuda" if there else "cpu"


def _devices(given: Any) -> Any:
    """A positive number, a list of distinct numbers, or "auto"."""
    value = given
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",")]
        if value == "auto":
            return value
        if not all(part.lstrip("-").isdigit() for part in parts):
            raise config_error("devices", given, _DEVICES)
        value = int(parts[0]) if len(parts) == 1 else [int(part) for part in parts]
    if value in (None, -1):
        return "auto"
    if isinstance(value, list):
        valid = bool(value) and all(type(n) is int and n >= 0 for n in value)
        valid = valid and len(set(value)) == len(value)
    else:
        valid = type(value) is int and value > 0
    if not valid:
        raise config_error("devices", given, _DEVICES)
    return value


def _check_cpu(cfg: DictConfig) -> None:
    if str(cfg.get("precision", 32)).startswith("16"):
        raise config_error("precision", cfg.precision, "needs a GPU", "add hardware=cpu")
    if cfg.get("sync_batchnorm", False):
        raise config_error("sync_batchnorm", True, "needs a GPU", "add hardware=cpu")


def lightning_arguments(cfg: DictConfig, hardware: Hardware) -> dict[str, Any]:
    """``accelerator``, ``devices``, ``num_nodes`` and ``strategy`` for Lightning's Trainer."""
    from lightning.pytorch.strategies import DDPStrategy

    strategy: Any = cfg.get("strategy") or "auto"
    if strategy == "ddp":
        # one process needs no process group: its gradients and batch statistics are the same
        one = hardware.world_size == 1
        strategy = "auto" if one else DDPStrategy(find_unused_parameters=False)
    return {
        "accelerator": hardware.accelerator,
        "devices": hardware.devices,
        "num_nodes": hardware.num_nodes,
        "strategy": strategy,
    }
