"""``cueco-solo data``: data sets that need no download, and a look at those that are there."""

import argparse
from pathlib import Path
from typing import Any

from cueco_solo.arguments import add_command

_DIGITS = ("digits", "digits-placed")


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        "data",
        None,
        "write a data set that needs no download, or check one",
        """Write scikit-learn's handwritten digits as image folders, make ImageNet-100 of ImageNet,
        or look through a folder of images before a long run.""",
        "cueco-solo data digits-placed --out datasets/digits-placed",
        "cueco-solo data imagenet100 --from datasets/imagenet --out datasets/imagenet-100",
        "cueco-solo data check datasets/imagenet-100",
    )
    kinds = parser.add_subparsers(dest="dataset", required=True, metavar="WHAT")
    for name in _DIGITS:
        digits = add_command(
            kinds,
            name,
            run_digits,
            "handwritten digits" + (" on a textured ground" if name != "digits" else ""),
            """Write scikit-learn's handwritten digits as image folders. digits-placed puts them on
            a textured ground at random places and sizes, which tells methods apart; plain digits
            are too easy for that. What is there and complete is reused.""",
            f"cueco-solo data {name} --out datasets/{name}",
        )
        digits.add_argument(
            "--out",
            type=Path,
            required=True,
            metavar="DIR",
            help="folder that gets train/ and val/",
        )
        digits.add_argument("--seed", type=int, default=5, help="of the placing (default: 5)")
    imagenet100 = add_command(
        kinds,
        "imagenet100",
        run_imagenet100,
        "ImageNet-100, of links into ImageNet",
        """Make ImageNet-100 of links to 100 class folders of ImageNet: those of CMC, which
        solo-learn takes, too. Nothing is copied, and what is there and right stays.""",
        "cueco-solo data imagenet100 --from datasets/imagenet --out datasets/imagenet-100",
    )
    imagenet100.add_argument(
        "--from",
        dest="source",
        type=Path,
        required=True,
        metavar="IMAGENET",
        help="ImageNet, with train/ and val/ of one folder per class",
    )
    imagenet100.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder that gets train/ and val/"
    )
    check = add_command(
        kinds,
        "check",
        run_check,
        "look through a folder of images before a long run",
        """Read every image of FOLDER: numbers by class, sizes, channels, what can't be read, and
        files with the same bytes. ImageNet and ImageNet-100 are known by their class folders, and
        compared with the numbers that they should have; CIFAR-10 and CIFAR-100, as torchvision
        unpacks them, by their digests. FOLDER has train/ and val/, or one folder per class. The
        exit code is 1 where something is wrong.""",
        "cueco-solo data check datasets/imagenet-100",
        "cueco-solo data check datasets",
    )
    check.add_argument("folder", type=Path, metavar="FOLDER", help="the data set")


def run_digits(args: argparse.Namespace) -> None:
    """Write the data and say where."""
    from cueco_solo.data.digits import export_digits

    train, val = export_digits(args.out, placed=args.dataset == "digits-placed", seed=args.seed)
    print(f"training images: {train}\nvalidation images: {val}")


def run_imagenet100(args: argparse.Namespace) -> None:
    """Make the links and say how many."""
    from cueco_solo.data.imagenet100 import link_imagenet100
    from cueco_solo.data.known import IMAGENET100, list_hash

    made = link_imagenet100(args.source, args.out)
    print(f"{args.out}: {len(IMAGENET100)} classes, {made} new links")
    print(f"classes of CMC, SHA-256 of their sorted list: {list_hash(IMAGENET100)}")


def run_check(args: argparse.Namespace) -> int:
    """Print what is there, then what is wrong; 1 if anything is."""
    from cueco_solo.data.torchvision_sets import check_unpacked, unpacked_sets

    problems: list[str] = []
    unpacked = unpacked_sets(args.folder)
    for name in unpacked:
        print(f"{name}: as torchvision unpacks it")
        problems += check_unpacked(args.folder, name)
    if not unpacked:
        from cueco_solo.data.survey import survey

        found = survey(args.folder)
        print(*found.lines(), sep="\n")
        problems += found.problems
    if not problems:
        print("nothing is wrong")
        return 0
    print(f"{len(problems)} things are wrong:", *problems, sep="\n  ")
    return 1
