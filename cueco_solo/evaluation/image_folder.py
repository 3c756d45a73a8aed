"""A folder of images to be embedded, and the file that its features go to; no torch is imported."""

import csv
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueco_solo.errors import config_error
from cueco_solo.files import whole_file
from cueco_solo.host.images import image_files

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".npz", ".csv", ".parquet")


@dataclass(frozen=True)
class FolderFeatures:
    """Features of the images in a folder.

    Attributes:
        features: float32 ``[N, D]``, on the CPU.
        files: path of each image below the folder, sorted.
        labels: of each image the folder that it lies in, the first below the one given; empty where
            an image lies in none.
    """

    features: "Tensor"
    files: list[str]
    labels: list[str]


def check_image_folder(folder: str | Path, key: str = "images") -> list[str]:
    """The images in a folder, at any depth, by path below it, sorted.

    Raises:
        ConfigError: it isn't a folder, or has no image.
    """
    try:
        found = image_files(folder)
    except OSError as error:
        allowed = f"must be a folder of images ({error.strerror})"
        raise config_error(key, str(folder), allowed, "check the path") from error
    if not found:
        raise config_error(key, str(folder), "holds no image", "check the path")
    return found


def class_names(files: list[str]) -> list[str]:
    """The first folder of each path; empty where a path has none: then they aren't classes."""
    parts = [name.partition("/") for name in files]
    return [first for first, _, _ in parts] if all(rest for _, _, rest in parts) else []


def check_features_file(out: Path) -> None:
    """Refuse a file that can't be written, before any image is read.

    Raises:
        ConfigError: the kind isn't known or lacks a package, or the place can't be written.
    """
    if out.suffix not in SUFFIXES:
        raise config_error("--out", str(out), f"must end with {', '.join(SUFFIXES)}")
    if out.suffix == ".parquet" and find_spec("pyarrow") is None:
        remedy = "pip install 'cueco-solo[parquet]'"
        raise config_error("--out", str(out), "needs pyarrow, which isn't installed", remedy)
    folder = out.parent
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if out.is_dir() or not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise config_error("--out", str(out), "can't be written", "give a file of yours")


def write_features(found: FolderFeatures, out: Path) -> None:
    """Write features, file names and, where there are any, labels; the file is whole or not there.

    ``.npz``: arrays ``features`` float32 ``[N, D]``, ``files`` and ``labels``, texts ``[N]``.
    ``.csv``: columns ``file``, ``label``, ``f0`` ... ; ``.parquet``: ``file``, ``label`` and
    ``features``, a list of float32 each.

    Raises:
        ConfigError: it can't be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(out) as part:
            _WRITERS[out.suffix](found, part)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        allowed = f"can't be written ({reason})"
        raise config_error("--out", str(out), allowed, "give a file of yours") from error


def _write_npz(found: FolderFeatures, path: Path) -> None:
    import numpy as np

    arrays: Any = {"features": found.features.numpy(), "files": np.array(found.files)}
    if found.labels:
        arrays["labels"] = np.array(found.labels)
    with path.open("wb") as file:  # given a name, numpy adds its suffix
        np.savez(file, **arrays)


def _write_csv(found: FolderFeatures, path: Path) -> None:
    names = [f"f{number}" for number in range(found.features.shape[1])]
    # names that are no text on this system come back with the same handler
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(["file", *(["label"] if found.labels else []), *names])
        for number, (name, row) in enumerate(zip(found.files, found.features, strict=True)):
            label = [found.labels[number]] if found.labels else []
            writer.writerow([name, *label, *(f"{value:.9g}" for value in row.tolist())])


def _write_parquet(found: FolderFeatures, path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    values = pyarrow.array(found.features.numpy().ravel())
    columns: dict[str, Any] = {"file": found.files}
    if found.labels:
        columns["label"] = found.labels
    columns["features"] = pyarrow.FixedSizeListArray.from_arrays(values, found.features.shape[1])
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


_WRITERS = {".npz": _write_npz, ".csv": _write_csv, ".parquet": _write_parquet}
