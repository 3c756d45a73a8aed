"""CIFAR-100-20, on a CIFAR-100 of a few images in the real files' format."""

import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision
from omegaconf import DictConfig
from support import small_cfg

from cueco_solo.data.datasets import labelled_datasets, training_set
from cueco_solo.data.superclasses import NAMES, SUPERCLASS
from cueco_solo.errors import ConfigError
from cueco_solo.methods.base import PluginMethod

_WORDS = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab
crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse
mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy
porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper
snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television
tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
FINE = _WORDS.split()  # in the order of the data set's own list, the alphabet's


@pytest.fixture
def cifar100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DictConfig:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name, labels in (("train", [*range(100)] * 2), ("test", [0, 42, 99])):
        pixels = np.zeros((len(labels), 3072), np.uint8)
        content: dict[str, Any] = {"data": pixels, "fine_labels": labels}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": FINE}))
    monkeypatch.setattr(torchvision.datasets.CIFAR100, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda path, md5: True)
    data = {"dataset": "cifar100", "train_path": str(tmp_path), "val_path": str(tmp_path)}
    return DictConfig({**data, "format": "image_folder", "superclasses": True})


def test_each_superclass_has_five_classes():
    assert len(FINE) == len(SUPERCLASS) == 100
    assert sorted(FINE) == FINE
    assert set(Counter(SUPERCLASS).values()) == {5}


@pytest.mark.parametrize(
    ("fine", "superclass"),
    [("apple", "fruit and vegetables"), ("lawn_mower", "vehicles 2"), ("worm", NAMES[13])],
)
def test_class_is_in_its_superclass(fine: str, superclass: str):
    assert NAMES[SUPERCLASS[FINE.index(fine)]] == superclass


def test_labels_are_superclasses_in_evaluation_and_training(cifar100: DictConfig):
    train, val = labelled_datasets(cifar100, None, None)  # type: ignore[arg-type]
    assert train.targets == [*SUPERCLASS] * 2
    assert [label for _, label in val] == [SUPERCLASS[0], SUPERCLASS[42], SUPERCLASS[99]]
    assert val.classes == list(NAMES)
    assert [label for _, _, label in training_set(cifar100, None)] == [*SUPERCLASS] * 2


def test_without_the_option_labels_are_fine(cifar100: DictConfig):
    cifar100.superclasses = False
    assert [label for _, label in labelled_datasets(cifar100, None, None)[1]] == [0, 42, 99]  # type: ignore[arg-type]


def test_a_program_that_does_not_know_them_is_no_place_for_them():
    """solo-learn's own, whose labels would be the fine ones under a name that says otherwise."""
    known = small_cfg(data__dataset="cifar100", data__superclasses=True, data__num_classes=20)
    PluginMethod.check_data(known)
    known.data.num_classes = 100
    with pytest.raises(
        ConfigError, match=r"data\.superclasses=True isn't known to solo-learn's own"
    ):
        PluginMethod.check_data(known)
