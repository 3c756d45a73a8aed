"""The networks of torchvision, timm and solo-learn that take a backbone's weights."""

import importlib
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import nn

from cueco_solo.errors import ConfigError, as_config_error, config_error
from cueco_solo.host.stems import plain_name

# of solo-learn's names; the rest of its backbones are networks of its own
_TIMM = {
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    **{f"vit_{size}": f"vit_{size}_patch16_224" for size in ("tiny", "small", "base", "large")},
    **{
        f"swin_{size}": f"swin_{size}_patch4_window7_224"
        for size in ("tiny", "small", "base", "large")
    },
    **{f"convnext_{size}": f"convnext_{size}" for size in ("tiny", "small", "base", "large")},
}
# arguments of a constructor that don't outlive the loading of weights
_INITIAL = ("weights", "pretrained", "progress", "num_classes", "zero_init_residual")


@dataclass(frozen=True)
class Network:
    """A network that takes a backbone's weights under their own names and gives its features.

    Attributes:
        library: ``torchvision``, ``timm`` or ``solo`` (solo-learn main's own networks).
        name: of the constructor there.
        arguments: of the constructor, JSON values.
        stem: arguments of the convolution that replaces ``conv1`` where there is no max-pooling:
            solo-learn's stem for CIFAR. Empty: the library's own stem.
    """

    library: str
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    stem: dict[str, Any] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """The network, with random weights, in eval mode.

        Raises:
            ConfigError: the library doesn't take these arguments.
        """
        with as_config_error(
            f"{self.library} can't build {self.name} with backbone.kwargs", RuntimeError
        ):
            model = self._bare()
        if self.library == "torchvision":
            model.fc = nn.Identity()
        if self.stem:
            model.conv1 = nn.Conv2d(3, 64, **self.stem)
            model.maxpool = nn.Identity()
        return model.eval()

    def _bare(self) -> nn.Module:
        module = {"timm": "timm.models", "torchvision": "torchvision.models"}.get(self.library)
        # not timm.create_model: solo-learn main puts its own convnext_* into timm's registry
        build = getattr(importlib.import_module(module or "solo.backbones"), self.name)
        if self.library == "solo":
            return build(None, **self.arguments)
        fixed = {"num_classes": 0} if self.library == "timm" else {"weights": None}
        return build(**fixed, **self.arguments)

    def code(self) -> list[str]:
        """Lines of Python that build it as ``model``; :meth:`build` does the same."""
        words = "".join(f", {key}={value!r}" for key, value in self.arguments.items())
        lines = {
            "torchvision": [
                "import torch, torchvision",
                f"model = torchvision.models.{self.name}(weights=None{words})",
                "model.fc = torch.nn.Identity()",
            ],
            "timm": [
                "import torch, timm",
                f'model = timm.create_model("{self.name}", num_classes=0{words})',
            ],
            "solo": [
                "import torch, solo.backbones  # solo-learn from Git",
                f"model = solo.backbones.{self.name}(None{words})",
            ],
        }[self.library]
        if self.stem:
            words = "".join(f", {key}={value!r}" for key, value in self.stem.items())
            lines.append(f"model.conv1 = torch.nn.Conv2d(3, 64{words})")
            lines.append("model.maxpool = torch.nn.Identity()")
        return lines


def find_network(library: str, cfg: DictConfig, backbone: nn.Module) -> Network:
    """The network of ``torchvision`` or ``timm`` that a run's backbone is.

    Raises:
        ConfigError: the library has none.
    """
    name = plain_name(cfg.backbone.name)
    given: Any = OmegaConf.to_container(cfg.backbone.get("kwargs") or OmegaConf.create())
    resnet = name.startswith("resnet")
    arguments = {key: value for key, value in given.items() if key not in _INITIAL}
    if library == "torchvision" and resnet:
        return Network(library, name, arguments, _cifar_stem(backbone))
    if library == "timm" and name in _TIMM and not (resnet and arguments):
        if name.startswith("vit_"):  # MoCo v3's and MAE's have other numbers of heads
            arguments["num_heads"] = backbone.blocks[0].attn.num_heads  # type: ignore
        return Network(library, _TIMM[name], arguments, _cifar_stem(backbone))
    raise config_error("--format", library, _reason(library, name), "take safetensors or onnx")


def networks(cfg: DictConfig, backbone: nn.Module) -> dict[str, Network]:
    """All networks that a run's backbone is, by library; solo-learn's own if there is no other."""
    found = {}
    for library in ("timm", "torchvision"):
        try:
            found[library] = find_network(library, cfg, backbone)
        except ConfigError:
            continue
    if not found:
        given: Any = OmegaConf.to_container(cfg.backbone.get("kwargs") or OmegaConf.create())
        found["solo"] = Network("solo", cfg.backbone.name, given)
    return found


def _cifar_stem(backbone: Any) -> dict[str, Any]:
    if not isinstance(getattr(backbone, "maxpool", None), nn.Identity):
        return {}
    convolution = backbone.conv1
    return {
        "kernel_size": convolution.kernel_size[0],
        "stride": convolution.stride[0],
        "padding": convolution.padding[0],
        "bias": convolution.bias is not None,
    }


def _reason(library: str, name: str) -> str:
    if library == "torchvision":
        return f"can't be done for backbone.name={name}: it is for ResNets only"
    if name.startswith("poolformer_"):
        return f"can't be done for backbone.name={name}: timm's pools before its last norm"
    if name.startswith("resnet"):
        return f"can't be done for backbone.name={name} with backbone.kwargs"
    return f"can't be done for backbone.name={name}: timm has no such network"
