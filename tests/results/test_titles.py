"""What methods are called, in a grid's comparison and in a report of its runs alike."""

import pytest

from cueco_solo.comparison.grid import read_grid
from cueco_solo.comparison.jobs import composed_method
from cueco_solo.host import method_names
from cueco_solo.methods import NAMES
from cueco_solo.results.published import same_method
from cueco_solo.results.titles import method_title


def test_every_method_has_one():
    for name in (*NAMES, *method_names()):
        title = method_title(name)
        assert title != name and same_method(title, name)
    assert method_title("mine") == "mine"


@pytest.mark.parametrize("name", ["quickstart", "digits", "cifar10-small-others"])
def test_grids_use_them(name: str):
    grid = read_grid(name)
    data = next(iter(grid.data), "")
    plain = [method for method in grid.methods if not method.overrides]
    assert len(plain) >= 3
    for method in plain:
        assert method.name == method_title(composed_method(grid, method, data).method)
