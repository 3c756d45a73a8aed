"""Writes the images of the CIFAR-10 study: folders of JPEG files from torchvision's CIFAR-10.

    python scripts/reproduce/evidence/cifar10_images.py ROOT OUT [--download] [--per-class 200]

ROOT holds cifar-10-batches-py. OUT gets train/CLASS/0000.jpg, ... with the first images of each
class in torchvision's order, pilot/CLASS/ with the 100 images behind those, for the pilot to be
judged on, and val/CLASS/ with all validation images, as JPEG of Pillow's default quality, 75.
Files that are there stay as they are.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from torchvision.datasets import CIFAR10

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.files import whole_file


def write(images: CIFAR10, folder: Path, numbers: range) -> int:
    """Write each class's images of these numbers; how many there are now."""
    seen: Counter[str] = Counter()
    wanted = 0
    for pixels, label in images:
        name = images.classes[label]
        number = seen[name]
        seen[name] += 1
        if number in numbers:
            path = folder / name / f"{number:04d}.jpg"
            wanted += 1
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                with whole_file(path) as part:
                    pixels.save(part, "JPEG")
    found = sum(1 for _ in folder.rglob("*.jpg"))
    if found != wanted:
        reason = f"has {found} images in {folder.name} instead of {wanted}"
        raise config_error("OUT", str(folder.parent), reason, "give an empty folder")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", metavar="ROOT")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--download", action="store_true")
    parser.add_argument("--per-class", type=int, default=200, help="of training images")
    args = parser.parse_args()
    try:
        if not args.download and not Path(args.root, CIFAR10.base_folder).is_dir():
            reason = f"holds no {CIFAR10.base_folder}, torchvision's CIFAR-10"
            raise config_error(
                "ROOT", args.root, reason, "add --download (DOWNLOAD=1), or give its folder"
            )
        first = args.per_class
        numbers = {"train": range(first), "pilot": range(first, first + 100), "val": range(10**6)}
        for split, wanted in numbers.items():
            images = CIFAR10(args.root, train=split != "val", download=args.download)
            print(f"{args.out / split}: {write(images, args.out / split, wanted)} images")
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
