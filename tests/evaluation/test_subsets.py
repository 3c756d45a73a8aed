"""Subsets of labels: balanced, the same everywhere, each share part of the larger ones."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import refusal

from cueco_solo.evaluation.subsets import balanced_subset, held_out, read_subset, write_subset

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=120)
SEEDS = st.integers(0, 2**32 - 1)
PERCENT = st.floats(0.01, 100)
PINNED = [5, 13, 25, 36, 48, 53]


@given(LABELS, PERCENT, SEEDS)
def test_classes_have_the_same_number_give_or_take_one(
    labels: list[int], percent: float, seed: int
):
    chosen = balanced_subset(labels, percent, seed)
    assert len(set(chosen)) == len(chosen)
    there, taken = Counter(labels), Counter(labels[i] for i in chosen)
    assert len(chosen) == max(len(there), round(percent * len(labels) / 100))
    most = max(taken.values())
    # fewer only where a class has no more
    assert all(taken[c] >= 1 and (taken[c] >= most - 1 or taken[c] == there[c]) for c in there)


@given(LABELS, PERCENT, PERCENT, SEEDS)
def test_a_share_is_part_of_a_larger_one(labels: list[int], one: float, two: float, seed: int):
    small, large = (set(balanced_subset(labels, p, seed)) for p in sorted((one, two)))
    assert small <= large


def test_the_same_on_every_machine():
    """Published figures name these very images."""
    labels = [0, 1, 2] * 20
    assert balanced_subset(labels, 10, 5) == PINNED
    assert balanced_subset(labels, 10, 6) != PINNED
    assert balanced_subset(labels, 100, 5) == list(range(60))


def folder(*names: str) -> Any:
    classes = sorted({name.split("/")[0] for name in names})
    samples = [(f"/data/{name}", classes.index(name.split("/")[0])) for name in sorted(names)]
    return SimpleNamespace(root="/data", samples=samples, targets=[label for _, label in samples])


class Numbered:
    """As CIFAR is: labels without files."""

    labels = (0, 1, 0, 1)

    def __len__(self) -> int:
        return 4


IMAGES = folder("a/1.png", "a/2 x.png", "b/3.png", "b/1.png")


def test_a_file_is_read_as_it_was_written(tmp_path: Path):
    path = tmp_path / "subsets" / "50pct-seed5.txt"
    write_subset(path, IMAGES, [1, 2])
    assert path.read_text() == "a/2 x.png\nb/1.png\n"
    assert read_subset(path, IMAGES, 50) == [1, 2]
    path.write_text("3.png\r\n2 x.png\r\n")  # as published lists have them: no folders
    assert read_subset(path, IMAGES, 50) == [1, 3]
    write_subset(path, Numbered(), [0, 3])
    assert path.read_text() == "0\n3\n"
    assert read_subset(path, Numbered(), 50) == [0, 3]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a/9.png\n", "names 'a/9.png', which is not found; write names like a/1.png"),
        ("x" * 999 + "\n", f"names '{'x' * 80}...', which is not found"),
        ("1.png\n", "names '1.png', which is ambiguous"),
        ("a/1.png\nb/1.png\na/1.png\n", "names 1 images twice"),
        ("a/1.png\n", "has no image of 1 of the 2 classes"),
        ("", "has no image of 2 of the 2 classes"),
        ("a/1.png\na/2 x.png\nb/1.png\nb/3.png\n", "has 4 images, but --percent 1 are 0"),
    ],
)
def test_other_lists_are_refused(tmp_path: Path, text: str, reason: str):
    path = tmp_path / "list.txt"
    path.write_text(text)
    assert reason in refusal(read_subset, path, IMAGES, 1)
    assert "can't be read" in refusal(read_subset, tmp_path / "none.txt", IMAGES, 1)


@given(LABELS, PERCENT, SEEDS)
def test_a_held_out_part_is_balanced_and_leaves_half_of_each_class(
    labels: list[int], percent: float, seed: int
):
    chosen = held_out(labels, percent, seed)
    assert chosen == sorted(set(chosen))
    there, taken = Counter(labels), Counter(labels[i] for i in chosen)
    halves = {label: count // 2 for label, count in there.items()}
    wanted = max(sum(half > 0 for half in halves.values()), round(percent * len(labels) / 100))
    assert len(chosen) == min(sum(halves.values()), wanted)
    most = max(taken.values(), default=0)
    for label, half in halves.items():
        assert taken[label] <= half
        assert taken[label] >= most - 1 or taken[label] == half


def test_the_seed_names_a_held_out_part():
    labels = [0, 1, 2] * 20
    assert held_out(labels, 10, 5) == PINNED
    assert held_out(labels, 10, 6) != PINNED
    assert held_out([0, 1, 2], 10, 5) == []
