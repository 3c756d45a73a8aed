"""ImageNet-100 as a folder of links into ImageNet."""

import os
from pathlib import Path

from cueco_solo.data.known import IMAGENET100
from cueco_solo.errors import config_error

_SPLITS = ("train", "val")


def link_imagenet100(source: Path, out: Path) -> int:
    """Make ``out/{train,val}/<class>`` of links to the folders of the same names below ``source``.

    What is there and right is left as it is, so that the command can be repeated.

    Returns:
        The number of links made.

    Raises:
        ConfigError: a class isn't there, ``out`` holds something else, or it can't be written.
    """
    wanted = {}
    for split in _SPLITS:
        for name in IMAGENET100:
            target = source / split / name
            if not target.is_dir():
                remedy = "give ImageNet's folder, with train/ and val/ of one folder per class"
                raise config_error("--from", str(source), f"has no {split}/{name}", remedy)
            wanted[out / split / name] = target.resolve()
    for split in _SPLITS:
        folder = out / split
        there = sorted(os.listdir(folder)) if folder.is_dir() else []
        if other := next((name for name in there if folder / name not in wanted), None):
            remedy = "choose an empty folder"
            raise config_error("--out", str(out), f"holds {split}/{other}", remedy)
    made = 0
    try:
        for link, target in wanted.items():
            if link.is_symlink() and link.resolve() == target:
                continue
            if link.exists() or link.is_symlink():
                where = link.relative_to(out).as_posix()
                remedy = "remove it, or choose an empty folder"
                raise config_error("--out", str(out), f"holds another {where}", remedy)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target, target_is_directory=True)
            made += 1
    except OSError as error:
        remedy = "choose another folder"
        raise config_error(
            "--out", str(out), f"can't be written ({error.strerror})", remedy
        ) from error
    return made
