"""Checks of data paths; torch isn't imported for them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.host.images import IMG_EXTENSIONS, image_files, is_image, regular_walk

DOWNLOADED = ("cifar10", "cifar100", "stl10")
DATASETS = (*DOWNLOADED, "imagenet", "imagenet100", "custom")
_TRAIN, _VAL = "data.train_path", "data.val_path"
_PATHS = ("train_path", "val_path")


def _folder(key: str, value: Any, must_exist: bool) -> Path:
    if value in (None, ""):
        raise config_error(key, value, "must be a folder of images", f"set {key}=DIR")
    path = Path(value)
    try:
        if path.is_file():
            raise config_error(key, value, "is a file", "give the folder that holds the images")
        if must_exist and not path.is_dir():
            where = "" if path.is_absolute() else f" (looked for in {Path.cwd()})"
            raise config_error(key, value, f"doesn't exist{where}", "check the path")
        if path.is_dir():
            with os.scandir(path):
                pass
    except OSError as error:
        reason = f"can't be read ({error.strerror})"
        raise config_error(key, value, reason, "check the path and its permissions") from error
    return path


def _class_folders(key: str, path: Path) -> Iterator[str]:
    """Names of the class folders, each of which holds an image; raises where there are none."""
    entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    if not entries:
        raise config_error(key, str(path), "is empty", "give a folder with one folder per class")
    folders = [entry for entry in entries if entry.is_dir()]
    if not folders:
        remedy = "sort the images into one folder per class"
        if key == _TRAIN:
            remedy += ", or set data.no_labels=True"
        raise config_error(key, str(path), "has no class folders", remedy)
    for folder in folders:
        walk = regular_walk(folder.path)
        if not any(is_image(name) for _, _, files in walk for name in files):
            raise config_error(
                key, str(path), f"has no image in its class {folder.name}", "fill or remove it"
            )
        yield folder.name


def _labelled(key: str, value: Any) -> list[str]:
    path = _folder(key, value, must_exist=True)
    classes = list(_class_folders(key, path))
    if len(classes) == 1:
        remedy = "give a path with one folder per class"
        if key == _TRAIN:
            remedy += f", or data.no_labels=True data.train_path={path / classes[0]}"
        raise config_error(key, value, f"has one class only ({classes[0]})", remedy)
    # of two it could be a trial; many are files that someone sorted into folders of their own
    if key == _TRAIN and len(classes) > 2 and not any(_several(path / name) for name in classes):
        raise config_error(
            key,
            value,
            f"has one image in each of its {len(classes)} folders, which are taken for classes",
            "if they aren't, set data.no_labels=True; else give several images of each class",
        )
    return classes


def _several(folder: Path) -> bool:
    images = (1 for _, _, files in regular_walk(folder) for name in files if is_image(name))
    return next(images, None) is not None and next(images, None) is not None


def _unlabelled(data: DictConfig, train_path: Any) -> None:
    """Check a folder of images without labels, at any depth."""
    path = _folder(_TRAIN, train_path, must_exist=True)
    names = image_files(path)
    if not names:
        reason = "is empty" if not any(path.iterdir()) else "holds no image"
        kinds = ", ".join(IMG_EXTENSIONS)
        raise config_error(_TRAIN, str(path), reason, f"give a folder of images ({kinds})")
    if data.get("format") != "dali":
        return
    others = [each.name for each in sorted(path.iterdir()) if each.name not in set(names)]
    if others:
        raise config_error(
            "data.format",
            "dali",
            f"takes all that lies in data.train_path for an image, but there is {others[0]}",
            "use data.format=image_folder, or give one folder with images alone",
        )
    if data.get("skip_unreadable"):
        reason = "can't be done with data.format=dali"
        remedy = "use data.format=image_folder, or remove the files"
        raise config_error("data.skip_unreadable", True, reason, remedy)


def check_labelled(
    train_path: Any, val_path: Any, train_key: str = _TRAIN, val_key: str = _VAL
) -> None:
    """Check two folders of labelled images, with one folder per class, against the disk.

    The keys are what the user calls the paths, for the message.

    Raises:
        ConfigError: see :func:`check_paths`.
    """
    train, val = _labelled(train_key, train_path), _labelled(val_key, val_path)
    if train != val:
        extra, missing = sorted(set(val) - set(train)), sorted(set(train) - set(val))
        what = " and ".join(
            f"{word} {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
            for word, names in (("has", extra), ("lacks", missing))
            if names
        )
        raise config_error(
            val_key,
            val_path,
            f"must have the classes of {train_key}={train_path}, but {what}",
            "make the class folders of both the same",
        )


def check_paths(data: DictConfig) -> None:
    """Check ``cfg.data`` of a pre-training against the disk; its values are valid ones.

    Raises:
        ConfigError: a path is missing, a file, empty, has a class without images, one class only
            or one image in each, or the validation classes differ from the training classes; there
            are to be no labels, and no image is there, or DALI would read other files.
    """
    fraction = data.get("fraction", -1) or -1
    if fraction > 0 and (fraction >= 1 or data.dataset in DOWNLOADED):
        raise config_error(
            "data.fraction", fraction, "must be below 1, for data in folders", "use -1 for all data"
        )
    train, val = (None if OmegaConf.is_missing(data, k) else data.get(k) for k in _PATHS)
    if data.dataset in DOWNLOADED:
        _folder(_TRAIN, train, must_exist=False)
    elif data.get("format") == "h5":
        if train is None or not Path(train).exists():
            raise config_error(_TRAIN, train, "doesn't exist", "give the HDF5 file")
    elif data.get("no_labels", False):
        _unlabelled(data, train)
    elif val is None:
        _labelled(_TRAIN, train)
    else:
        check_labelled(train, val)


def check_workers(
    number: int, key: str = "data.num_workers", remedy: str = "a few are enough"
) -> None:
    """Refuse loading processes, or those of a training, that this machine can't hold.

    Raises:
        ConfigError: there are more than 64 and more than 4 for each CPU.
    """
    cpus = os.cpu_count() or 1
    most = max(64, 4 * cpus)
    if number > most:
        allowed = f"must be at most {most} on this machine of {cpus} CPUs"
        raise config_error(key, number, allowed, remedy)


def check_batch_size(batch_size: int, processes: int, samples: int) -> None:
    """Refuse a batch that the data can't fill: nothing would train, and nothing would say so.

    Raises:
        ConfigError: ``batch_size * processes`` exceeds ``samples``.
    """
    if batch_size * processes > samples:
        each = f" times {processes} processes" if processes > 1 else ""
        raise config_error(
            "optimizer.batch_size",
            batch_size,
            f"{each.lstrip()} must be at most the {samples} training images".lstrip(),
            f"set optimizer.batch_size to {max(1, samples // processes)} or less",
        )


def download_error(data: DictConfig, error: Exception) -> ConfigError:
    """What to say when a data set is neither on disk nor to be had from the network."""
    return config_error(
        "data.train_path",
        str(data.train_path),
        f"doesn't hold {data.dataset}, and the download failed ({str(error).splitlines()[0]})",
        "give the folder that holds it",
    )
