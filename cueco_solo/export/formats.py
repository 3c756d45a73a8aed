"""The files of an export: how each is written, and how it is read again to be checked."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from cueco_solo.errors import ConfigError, as_config_error, config_error
from cueco_solo.export.networks import Network, find_network
from cueco_solo.export.subject import Subject, facts
from cueco_solo.files import whole_file

OPSET = 18
_BATCHES = (1, 5)
_ONNX = ("onnx", "onnxscript", "onnxruntime")


class Format(NamedTuple):
    """A kind of file.

    Attributes:
        file: its name.
        write: writes it.
        read: reads it again, as a function from images ``[N, 3, H, W]`` to features ``[N, D]``.
        tolerance: largest difference of features that passes, relative to the largest feature
            where that is above 1.
    """

    file: str
    write: Callable[[Subject, Path], None]
    read: Callable[[Subject, Path], Callable[[Tensor], Tensor]]
    tolerance: float


class Written(NamedTuple):
    """A file that was written and read again.

    Attributes:
        path: the file.
        difference: largest difference to the features of the run's own backbone.
        scale: largest of those features.
    """

    path: Path
    difference: float
    scale: float


def check_format(format: str, subject: Subject) -> None:
    """Refuse a format that can't be had.

    Raises:
        ConfigError: the backbone has no such form, or a package is missing.
    """
    if format in ("torchvision", "timm"):
        find_network(format, subject.run.cfg, subject.backbone)
    missing = [name for name in _ONNX if find_spec(name) is None]
    if format == "onnx" and missing:
        reason = f"needs packages that are not installed: {', '.join(missing)}"
        raise config_error("--format", "onnx", reason, "pip install 'cueco-solo[onnx]'")


def export_file(format: str, subject: Subject, folder: Path) -> Written:
    """Write one file, read it again and compare its features with the backbone's.

    Raises:
        ConfigError: it can't be written, or the features differ.
    """
    kind = FORMATS[format]
    path = folder / kind.file
    with whole_file(path) as part:
        with as_config_error(f"{path} can't be written", RuntimeError, SafetensorError):
            kind.write(subject, part)
        compute = kind.read(subject, part)
        difference = scale = 0.0
        for size in _BATCHES:
            images = subject.images[:size]
            expected = subject.features(images)
            difference = max(difference, float((compute(images) - expected).abs().max()))
            scale = max(scale, float(expected.abs().max()))
        if not difference <= kind.tolerance * max(1.0, scale):
            reason = f"gives other features than the run (by up to {difference:.1e} of {scale:.3g})"
            raise config_error("--format", format, reason, "leave this format out")
    return Written(path, difference, scale)


def _loaded(network: Network, state: dict[str, Tensor], subject: Subject, format: str) -> nn.Module:
    """The network with what was read from a file, which must be the backbone's weights exactly."""
    own = subject.state
    same = own.keys() == state.keys() and all(torch.equal(own[key], state[key]) for key in own)
    model = network.build()
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        same, reason = False, f": {' '.join(str(error).split())[:200]}"
    else:
        reason = ""
    if not same:
        allowed = f"doesn't fit {network.library}'s {network.name}{reason}"
        raise config_error("--format", format, allowed, "leave this format out")
    return model.requires_grad_(False)


def _write_torch(subject: Subject, path: Path) -> None:
    torch.save(subject.state, path)


def _read_torch(library: str) -> Callable[[Subject, Path], Callable[[Tensor], Tensor]]:
    def read(subject: Subject, path: Path) -> Callable[[Tensor], Tensor]:
        state = torch.load(path, weights_only=True)
        return _loaded(subject.networks[library], state, subject, library)

    return read


def _write_safetensors(subject: Subject, path: Path) -> None:
    # not save_file, which gives a file that only its owner can read
    path.write_bytes(save(subject.state, metadata=facts(subject)))


def _read_safetensors(subject: Subject, path: Path) -> Callable[[Tensor], Tensor]:
    return _loaded(subject.network, load_file(path), subject, "safetensors")


def _write_onnx(subject: Subject, path: Path) -> None:
    # the library's network: that of solo-learn's MAE shuffles the patches even with no mask
    model = _loaded(subject.network, subject.state, subject, "onnx")
    try:
        torch.onnx.export(
            model,
            (subject.images[:2],),
            path,
            input_names=["images"],
            output_names=["features"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    except Exception as error:  # of many kinds, with pages of advice for who maintains the network
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ConfigError(f"torch.onnx can't export this backbone: {reason}") from error


def _read_onnx(subject: Subject, path: Path) -> Callable[[Tensor], Tensor]:
    import onnx
    import onnxruntime

    onnx.checker.check_model(path)
    session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


FORMATS = {
    "torchvision": Format("torchvision.pth", _write_torch, _read_torch("torchvision"), 1e-5),
    "timm": Format("timm.pth", _write_torch, _read_torch("timm"), 1e-5),
    "safetensors": Format("model.safetensors", _write_safetensors, _read_safetensors, 1e-5),
    "onnx": Format("model.onnx", _write_onnx, _read_onnx, 1e-4),
}
