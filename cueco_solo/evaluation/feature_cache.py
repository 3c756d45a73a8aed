"""Features of a run, kept in its folder so that a second evaluation needs no network.

``RUN/features/<16 hex digits>.pt``: the digits are a hash of all that decides the features. The
files may be removed at any time; when one is written, those of checkpoints that are gone are.
"""

import hashlib
import json
import os
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import PIL
import torch
import torchvision
from omegaconf import DictConfig, OmegaConf

from cueco_solo.data.checks import DOWNLOADED
from cueco_solo.data.transfer_sets import TRANSFER_SETS
from cueco_solo.data.transforms import evaluation_transform
from cueco_solo.evaluation.features import Features, load_backbone, run_features
from cueco_solo.files import remove_leftovers, whole_file
from cueco_solo.host import host_info
from cueco_solo.host.images import regular_walk
from cueco_solo.training.run_folder import Run

_FORMAT = 1
# whose versions decide how an image is decoded and resized, and how a network starts and computes
_LIBRARIES = (PIL, torch, torchvision)
_TENSORS = ("train", "train_labels", "test", "test_labels")


def features_key(run: Run, data: DictConfig, untrained: bool = False) -> str:
    """All that decides the features of a run, as JSON.

    The checkpoint counts by its content, or of an untrained backbone the seed; the images by
    relative path, size and time of change.
    """
    cfg, host = run.cfg, host_info()
    origin = {"seed": cfg.seed} if untrained else {"checkpoint": digest_of_file(run.checkpoint)}
    network = {
        "method": cfg.method,
        "backbone": OmegaConf.to_container(cfg.backbone, resolve=True),
        "dataset": cfg.data.dataset,  # solo-learn changes the stem for small images
        **origin,
    }
    names = {key: data.get(key) for key in ("dataset", "format", "fraction", "superclasses")}
    files = {key: _digest_of_files(data, key) for key in ("train_path", "val_path")}
    transform = evaluation_transform(data, cfg.data.dataset, cfg.augmentations[0])
    content = {
        "format": _FORMAT,
        "network": network,
        "data": {**names, **files},
        "transform": repr(transform),
        "versions": {
            "solo-learn": (host.form, host.version),
            "timm": metadata.version("timm"),  # whose import takes a second
            **{library.__name__: library.__version__ for library in _LIBRARIES},
        },
    }
    return json.dumps(content, sort_keys=True)


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def short_digest(key: str) -> str:
    """16 hex digits that stand for a key."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _digest_of_files(data: DictConfig, key: str) -> str:
    """Of the names, sizes and times of change below ``data[key]``, or of that file's own."""
    root = Path(data[key])
    if data.get("other") and data.dataset in TRANSFER_SETS:
        root /= TRANSFER_SETS[data.dataset].folder
    elif data.dataset in DOWNLOADED:  # there may be other data sets beside it
        root /= getattr(torchvision.datasets, data.dataset.upper()).base_folder
    # text, not Path: that would be most of the time that kept features take
    paths = {".": os.fspath(root)} if root.is_file() else {}
    for folder, _, names in regular_walk(root) if root.is_dir() else ():
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        place = "" if below == "." else f"{below}/"
        paths.update((f"{place}{name}", os.path.join(folder, name)) for name in names)
    digest = hashlib.sha256()
    for name in sorted(paths, key=lambda name: name.split("/")):
        try:
            stat = os.stat(paths[name])
        except OSError:
            stat = os.lstat(paths[name])  # a broken link
        entry = (name, stat.st_size, stat.st_mtime_ns)
        digest.update(f"{entry}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _digest_of_tensors(features: Features) -> str:
    """torch doesn't check what it reads."""
    digest = hashlib.sha256(str(features.num_classes).encode())
    for name in _TENSORS:
        tensor = getattr(features, name)
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).numpy())
    return digest.hexdigest()


def read_features(path: Path, key: str) -> Features | None:
    """The features kept in a file; None if it's missing, damaged or of another key."""
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        features = Features(**content["features"])
        whole = content["digest"] == _digest_of_tensors(features)
        return features if whole and content["key"] == key else None
    except Exception:  # whatever a file that isn't ours makes of it
        return None


def write_features(path: Path, key: str, features: Features, checkpoint: str | None = None) -> None:
    """Write whole or not at all.

    Args:
        checkpoint: name of the file whose features they are; with it they go, see :func:`_prune`.

    Raises:
        OSError: the folder can't be written.
        RuntimeError: torch's word for a full disk.
    """
    path.parent.mkdir(exist_ok=True)
    remove_leftovers(path.parent)
    content = {
        "key": key,
        "checkpoint": checkpoint,
        "digest": _digest_of_tensors(features),
        "features": vars(features),
    }
    with whole_file(path) as part, part.open("wb") as file:
        torch.save(content, file)


def _prune(run: Run, written: Path) -> str:
    """Remove features of checkpoints that are no longer in the run folder; what to say of it."""
    gone = 0
    for path in written.parent.glob("*.pt"):
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            name = content["checkpoint"]
        except Exception:  # a damaged file, or not one of these
            continue
        if name is not None and not (run.folder / name).is_file():
            path.unlink()
            gone += 1
    return f"; removed {gone} of checkpoints that are gone" if gone else ""


def cached_features(
    run: Run,
    data: DictConfig,
    untrained: bool,
    batch_size: int,
    workers: int,
    device: str,
    cache: bool = True,
) -> Features:
    """Features of both splits: those kept in the run folder, or extracted and kept there.

    Prints in one line where they came from. The backbone is built only if they are extracted. With
    ``cache=False`` no files are read or written.

    Raises:
        ConfigError: the checkpoint or an image can't be read, or the features aren't finite.
        HostError: the installed solo-learn doesn't have the run's method.
    """
    if cache:
        key = features_key(run, data, untrained)
        path = run.folder / "features" / f"{short_digest(key)}.pt"
        if features := read_features(path, key):
            print(f"features: read from {path}", flush=True)
            return features
    start = time.monotonic()
    features = run_features(run, data, load_backbone(run, untrained), batch_size, workers, device)
    done = f"features: extracted in {time.monotonic() - start:.1f} s"
    if not cache:
        print(f"{done}, not kept (--no-cache)", flush=True)
        return features
    try:
        write_features(path, key, features, None if untrained else run.checkpoint.name)
        removed = _prune(run, path)
        print(f"{done}, kept in {path}{removed}", flush=True)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        print(f"{done}, not kept: {path.parent} can't be written ({reason})", flush=True)
    return features
