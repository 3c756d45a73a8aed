"""Trainings leave reference cycles; each holds the weights of a ResNet several times over."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def collect_garbage() -> Iterator[None]:
    yield
    gc.collect()
