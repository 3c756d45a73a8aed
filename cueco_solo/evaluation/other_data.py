"""Evaluation on other labelled data than the run's: ``--dataset NAME``, as often as one likes."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueco_solo.data.transfer_sets import (
    ROOT,
    TRANSFER_SETS,
    check_there,
    split_words,
    transfer_datasets,
    transfer_name,
)
from cueco_solo.errors import config_error

if TYPE_CHECKING:
    from omegaconf import DictConfig

_TEST_FOLDERS = ("val", "valid", "validation", "test")
# of the run's ``cfg.data``, what isn't that of other data
_OWN = ("fraction", "num_classes", "superclasses", "unreadable", "val_path")


@dataclass
class OtherData:
    """What ``--dataset`` and the paths behind it name."""

    name: str
    train_path: str | None = None
    val_path: str | None = None


class _Dataset(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        given = [*(getattr(namespace, self.dest, None) or []), OtherData(values)]
        setattr(namespace, self.dest, given)


class PathOfDataset(argparse.Action):
    """A path behind ``--dataset`` is that data set's; one before the first is that of all."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        datasets = getattr(namespace, "datasets", None)
        setattr(datasets[-1] if datasets else namespace, self.dest, values)


def dataset_arguments(parser: argparse.ArgumentParser) -> None:
    """``--dataset`` and ``--download``, for commands whose ``run`` is :func:`each_dataset`'s."""
    parser.add_argument(
        "--dataset",
        dest="datasets",
        action=_Dataset,
        metavar="NAME",
        help=f"other data (default: the run's); may be repeated: {', '.join(TRANSFER_SETS)}, below "
        f"--train-path ({ROOT}); a folder with train/ and val/ or test/; or any name, followed by "
        "--train-path DIR --val-path DIR",
    )
    parser.add_argument(
        "--download", action="store_true", help="fetch a --dataset that isn't there"
    )


def each_dataset(run: Callable[[argparse.Namespace], None]) -> Callable[[argparse.Namespace], None]:
    """``run`` for each ``--dataset``, in ``args.other``; for the run's own data without any.

    All are checked, and downloaded where that is asked for, before the first is evaluated.
    """

    def run_all(args: argparse.Namespace) -> None:
        if not args.datasets:
            if args.download:
                raise config_error("--download", True, "goes with --dataset", "leave it out")
            args.other = None
            return run(args)
        from omegaconf import DictConfig  # a help text needs no configuration

        singles = []
        for name, train, val in chosen_data(args):
            paths = {"train_path": train, "val_path": val}
            single = argparse.Namespace(**{**vars(args), **paths, "other": name})
            data = other_data(DictConfig({}), name, train, val, args.download)
            if data.get("download"):  # now, since its files are part of the features' key
                transfer_datasets(data, None, None)
            singles.append(single)
        for single in singles:
            run(single)
            args.written = [*getattr(args, "written", ()), *getattr(single, "written", ())]

    return run_all


def chosen_data(args: argparse.Namespace) -> list[tuple[str, Any, Any]]:
    """Name, training and validation path of each ``--dataset``; None where there is no path."""
    return [
        (one.name, one.train_path or args.train_path, one.val_path or args.val_path)
        for one in getattr(args, "datasets", None) or ()
    ]


def other_data(
    own: "DictConfig",
    name: str,
    train_path: Any = None,
    val_path: Any = None,
    download: bool = False,
) -> "DictConfig":
    """``cfg.data`` for an evaluation on another data set than the run's.

    Args:
        own: ``cfg.data`` of the run, for the number of workers.
        name: one of ``TRANSFER_SETS``, a folder with ``train/`` and ``val/`` or ``test/``, or what
            image folders in ``train_path`` and ``val_path`` are to be called.
        train_path: folder of the training images; of ``TRANSFER_SETS`` the folder that holds the
            data set.
        val_path: folder of the images to be scored.
        download: fetch it if it's missing.

    Returns:
        A mapping with ``other``, ``title``, ``split`` and ``per_class`` beside solo-learn's keys.

    Raises:
        ConfigError: there is no such data set, it isn't there, or its folders don't hold labelled
            images of the same classes.
    """
    from omegaconf import DictConfig

    from cueco_solo.data.checks import check_labelled

    data = DictConfig({key: value for key, value in own.items() if key not in _OWN})
    data.update(other=True, no_labels=False, format="image_folder", fraction=-1)
    data.setdefault("num_workers", 0)
    known = transfer_name(name)
    if known is None:
        title, train, val = _folders(name, train_path, val_path)
        check_labelled(train, val, "--train-path", "--val-path")
        data.update(dataset="custom", title=title, train_path=train, val_path=val)
        data.update(split="train / val folders", per_class=False)
        return data
    if val_path is not None:
        reason = f"isn't read with --dataset {known}, whose splits are torchvision's"
        raise config_error("--val-path", str(val_path), reason, "leave it out")
    root = str(train_path or ROOT)
    check_there(known, root, download)
    data.update(dataset=known, title=known, train_path=root, val_path=root, download=download)
    data.update(split=split_words(known), per_class=TRANSFER_SETS[known].per_class)
    return data


def _folders(name: str, train_path: Any, val_path: Any) -> tuple[str, str, str]:
    """Title, training and validation folder of image folders."""
    title = Path(name).name or name
    root, known = Path(name), ", ".join(TRANSFER_SETS)
    if root.is_dir() and (train_path or val_path):
        raise config_error(
            "--dataset",
            name,
            "is a folder, whose own train/ and val/ or test/ are read, but a path is given, too",
            "leave out --train-path and --val-path, or give the data another name",
        )
    if train_path and val_path:
        return title, str(Path(train_path).resolve()), str(Path(val_path).resolve())
    if not root.is_dir():
        missing = "--train-path" if not train_path else "--val-path"
        raise config_error(
            "--dataset",
            name,
            f"is neither one of {known} nor a folder",
            f"correct it, or give {missing} DIR behind it",
        )
    test = next((split for split in _TEST_FOLDERS if (root / split).is_dir()), None)
    if not (root / "train").is_dir() or test is None:
        remedy = "give --train-path DIR --val-path DIR behind it"
        raise config_error("--dataset", name, "has no train/ and val/ or test/", remedy)
    root = root.resolve()
    return root.name, str(root / "train"), str(root / test)


def checked_superclasses(data: "DictConfig", asked: bool) -> None:
    """Label other data by CIFAR-100's superclasses where that is asked for, in place.

    Raises:
        ConfigError: the data set has none.
    """
    from cueco_solo.data.superclasses import check_superclasses

    data.superclasses = asked
    check_superclasses(data, "--superclasses")
    if asked:
        data.title = "cifar100-20"
