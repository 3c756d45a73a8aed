"""What tells two sets of training images apart; torch isn't imported for it."""

import hashlib
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from cueco_solo.data.checks import DOWNLOADED
from cueco_solo.host.images import image_files


def fingerprint(data: DictConfig) -> dict[str, Any]:
    """Of the training images of ``cfg.data``: their number, and a digest of names and sizes.

    Names are those below ``data.train_path``, which may be moved as a whole; those in
    ``data.unreadable`` aren't trained on. Empty for data sets that are downloaded, which are always
    the same, and for those that can't be listed.
    """
    root = Path(data.train_path or "")
    if data.dataset in DOWNLOADED or not root.exists():
        return {}
    if root.is_file():
        return {"images": 1, "digest": _digest([(root.name, root.stat().st_size)])}
    left_out = set(data.get("unreadable") or ())
    names = [name for name in image_files(root) if name not in left_out]
    found = [(name, path.stat().st_size) for name in names if (path := root / name).exists()]
    return {"images": len(found), "digest": _digest(found)}


def listed(dataset: Any) -> tuple[int, str]:
    """Number and digest of the images that a data set will read, by name and in its order.

    Nothing is read for it. Names are those below the data set's folder, which may lie elsewhere on
    another machine; where a data set names no files, the digest is that of no names.
    """
    number = len(dataset)
    while not any(hasattr(dataset, name) for name in ("images", "samples")):
        if not hasattr(dataset, "dataset"):
            return number, ""
        dataset = dataset.dataset
    root = len(str(getattr(dataset, "root", "")))
    digest = hashlib.sha256()
    if hasattr(dataset, "samples"):
        names = (str(path)[root:] for path, _ in dataset.samples)
    else:
        names = (str(name) for name in dataset.images)
    for name in names:
        digest.update(f"{name}\n".encode(errors="surrogateescape"))
    return number, digest.hexdigest()[:16]


def _digest(entries: list[tuple[str, int]]) -> str:
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(f"{entry}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]
