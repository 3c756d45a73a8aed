"""The choice from a grid, and its widening, with figures instead of trainings."""

from collections.abc import Callable, Sequence

import pytest

from cueco_solo.evaluation.choice import Axis, Choice, Setting, Tried, best_of, given_axis

RATES = (0.005, 0.01, 0.02, 0.05, 0.1)


def chosen(peak: Callable[[Setting], float | None], *axes: Axis) -> tuple[Choice, list[Setting]]:
    """The choice where ``peak`` gives the accuracy of a setting, and what was tried, in order."""
    asked: list[Setting] = []

    def try_all(settings: Sequence[Setting]) -> list[Tried]:
        asked.extend(settings)
        tops = [peak(setting) for setting in settings]
        return [
            Tried(setting, 0.0, None) if top is None else Tried(setting, top, 1.0)
            for setting, top in zip(settings, tops, strict=True)
        ]

    return best_of(axes, try_all, 7), asked


def two_axes(rates: Sequence[float] = RATES) -> tuple[Axis, Axis]:
    return (
        given_axis("learning_rate", rates, 4.0),
        given_axis("classifier_learning_rate", (5.0, 0.05, 0.5), 4.0),
    )


def test_a_best_inside_the_grid_is_taken_as_it_is():
    choice, asked = chosen(lambda s: 50 - abs(s[0] - 0.02) - abs(s[1] - 0.5), *two_axes())
    assert choice.best.setting == (0.02, 0.5)
    assert (choice.widened, choice.edges, choice.at_edge, choice.images) == (0, (), False, 7)
    assert len(asked) == len(set(asked)) == len(choice.curve) == 15
    assert [one.setting for one in choice.curve[:6]] == [*((r, 0.05) for r in RATES), (0.005, 0.5)]
    assert str(choice) == (
        "learning rate 0.02 and classifier learning rate 0.5, chosen on 7 held-out training images "
        "(50.00)"
    )


def test_each_end_is_widened_by_its_own_steps_and_nothing_is_tried_twice():
    choice, asked = chosen(lambda s: -abs(s[0] - 0.2) - abs(s[1] - 0.5), *two_axes())
    assert choice.best.setting == (pytest.approx(0.2), 0.5)
    assert (choice.widened, choice.at_edge) == (1, False)
    assert len(asked) == len(set(asked)) == 21
    assert sorted({rate for rate, _ in asked}) == pytest.approx([*RATES, 0.2, 0.4])
    choice, _ = chosen(lambda s: -abs(s[0] - 0.0025) - abs(s[1] - 5), *two_axes())
    assert choice.best.setting == (pytest.approx(0.0025), 5.0)
    assert {one.setting[1] for one in choice.curve} == {0.05, 0.5, 5.0, 50.0}
    assert min(one.setting[0] for one in choice.curve) == pytest.approx(0.00125)


def test_what_is_still_at_the_edge_after_two_widenings_says_so():
    choice, _ = chosen(lambda s: s[0] - abs(s[1] - 0.5), *two_axes())
    assert (choice.widened, choice.edges) == (2, ("learning_rate",))
    assert choice.best.learning_rate == pytest.approx(1.6)
    assert str(choice).endswith(", at the edge of the grid")
    stated = choice.stated()
    assert stated["at_edge"] and stated["edges"] == ["learning_rate"]
    assert stated["best"] in stated["curve"]
    assert stated["best"]["classifier_learning_rate"] == 0.5
    both, _ = chosen(lambda s: -s[0] + s[1], *two_axes())
    assert both.edges == ("learning_rate", "classifier_learning_rate")


def test_a_single_value_and_one_that_is_given_are_no_edge():
    single = given_axis("learning_rate", [0.1], 4.0)
    choice, asked = chosen(lambda s: s[1], single, given_axis("weight_decay", [0.0, 1e-3, 1e-3]))
    assert (choice.widened, choice.edges) == (0, ())
    assert asked == [(0.1, 0.0), (0.1, 1e-3)]
    assert single.values == [0.1]


def test_of_those_alike_the_lowest_loss_counts_and_of_diverged_ones_none():
    losses = {(0.1,): 2.0, (0.2,): 1.0, (0.4,): None}
    axis = given_axis("learning_rate", [0.1, 0.2, 0.4])
    tries = [Tried(s, 0.0, loss) for s, loss in losses.items()]
    assert best_of([axis], lambda _: tries, 1).best.setting == (0.2,)
    choice, _ = chosen(lambda s: None, axis)
    assert choice.best.loss is None
