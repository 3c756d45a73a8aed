"""``cueco-solo data``: data sets that need no download."""

import argparse
from pathlib import Path
from typing import Any

from cueco_solo.arguments import add_command

_DATASETS = ("digits", "digits-placed")


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        "data",
        run,
        "write a data set that needs no download",
        """Write scikit-learn's handwritten digits as image folders. digits-placed puts them on a
        textured ground at random places and sizes, which tells methods apart; plain digits are
        too easy for that. What is there and complete is reused.""",
        "cueco-solo data digits-placed --out datasets/digits-placed",
    )
    parser.add_argument("dataset", choices=_DATASETS, help="what to write")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder that gets train/ and val/"
    )
    parser.add_argument("--seed", type=int, default=5, help="of the placing (default: 5)")


def run(args: argparse.Namespace) -> None:
    """Write the data and say where."""
    from cueco_solo.data.digits import export_digits

    train, val = export_digits(args.out, placed=args.dataset == "digits-placed", seed=args.seed)
    print(f"training images: {train}\nvalidation images: {val}")
