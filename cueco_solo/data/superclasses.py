"""CIFAR-100's 20 superclasses of five classes each (Krizhevsky 2009), "CIFAR-100-20"."""

from typing import Any

from omegaconf import DictConfig

from cueco_solo.errors import config_error

_CLASSES = {
    "aquatic mammals": "beaver dolphin otter seal whale",
    "fish": "aquarium_fish flatfish ray shark trout",
    "flowers": "orchid poppy rose sunflower tulip",
    "food containers": "bottle bowl can cup plate",
    "fruit and vegetables": "apple mushroom orange pear sweet_pepper",
    "household electrical devices": "clock keyboard lamp telephone television",
    "household furniture": "bed chair couch table wardrobe",
    "insects": "bee beetle butterfly caterpillar cockroach",
    "large carnivores": "bear leopard lion tiger wolf",
    "large man-made outdoor things": "bridge castle house road skyscraper",
    "large natural outdoor scenes": "cloud forest mountain plain sea",
    "large omnivores and herbivores": "camel cattle chimpanzee elephant kangaroo",
    "medium-sized mammals": "fox porcupine possum raccoon skunk",
    "non-insect invertebrates": "crab lobster snail spider worm",
    "people": "baby boy girl man woman",
    "reptiles": "crocodile dinosaur lizard snake turtle",
    "small mammals": "hamster mouse rabbit shrew squirrel",
    "trees": "maple_tree oak_tree palm_tree pine_tree willow_tree",
    "vehicles 1": "bicycle bus motorcycle pickup_truck train",
    "vehicles 2": "lawn_mower rocket streetcar tank tractor",
}
NAMES = tuple(_CLASSES)
_OF_CLASS = {name: i for i, names in enumerate(_CLASSES.values()) for name in names.split()}
# by fine label: the classes are numbered in alphabetical order
SUPERCLASS = tuple(_OF_CLASS[name] for name in sorted(_OF_CLASS))


def check_superclasses(data: DictConfig, key: str) -> None:
    """Refuse superclasses of other data than CIFAR-100; ``key`` is what the user set.

    Raises:
        ConfigError: the data set has none.
    """
    if data.get("superclasses") and data.dataset != "cifar100":
        allowed = f"is for data.dataset=cifar100, not {data.dataset}"
        raise config_error(key, True, allowed, "remove it")


def label_superclasses(data: DictConfig, dataset: Any) -> Any:
    """``dataset``, torchvision's; with ``data.superclasses`` they become its labels, in place."""
    if data.get("superclasses"):
        dataset.targets = [SUPERCLASS[label] for label in dataset.targets]
        dataset.classes = list(NAMES)
    return dataset


def count_superclasses(data: DictConfig) -> None:
    """Correct the ``num_classes`` that solo-learn gives CIFAR-100, in place."""
    if data.get("superclasses"):
        data.num_classes = len(NAMES)
