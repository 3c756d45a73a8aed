"""Data sets that torchvision unpacks: whether they are there, and whole."""

from pathlib import Path

# what torchvision unpacks a data set into
FOLDERS = {
    "cifar10": "cifar-10-batches-py",
    "cifar100": "cifar-100-python",
    "stl10": "stl10_binary",
}


def unpacked_sets(root: Path) -> list[str]:
    """solo-learn's names of those below a folder."""
    return [name for name, folder in FOLDERS.items() if (root / folder).is_dir()]


def check_unpacked(root: Path, name: str) -> list[str]:
    """What is wrong with one of them, by the digests that torchvision knows."""
    from torchvision import datasets
    from torchvision.datasets.utils import check_integrity

    kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100, "stl10": datasets.STL10}[
        name
    ]
    lists = [*kind.train_list, *kind.test_list]
    damaged = [
        file
        for file, digest in lists
        if not check_integrity(str(root / FOLDERS[name] / file), digest)
    ]
    return [f"{name}: {FOLDERS[name]}/{file} is missing or damaged" for file in damaged]
