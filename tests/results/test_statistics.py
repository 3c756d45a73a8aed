"""Means over seeds and paired intervals, against SciPy and by hand."""

import numpy as np
import pytest
from scipy import stats

from cueco_solo.results.statistics import mean_std, paired


def test_mean_and_sample_deviation_by_hand():
    mean, std, n = mean_std([1.0, 2.0, 6.0])
    assert (mean, n) == (3.0, 3)
    assert std == pytest.approx(7**0.5)  # (4 + 1 + 9) / 2
    assert mean_std([4.0]) == (4.0, None, 1)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_interval_is_that_of_scipys_paired_t_test(n: int):
    random = np.random.default_rng(n)
    a, b = random.normal(1, 1, n), random.normal(0, 2, n)
    found = paired(dict(enumerate(a)), dict(enumerate(b)))
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert found is not None and found.n == n
    assert found.difference == pytest.approx((a - b).mean())
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_interval_by_hand():
    # differences 1, 2, 3: mean 2, std 1; t of 2 degrees of freedom at 97.5 % is 4.302653
    found = paired({5: 11.0, 6: 12.0, 7: 13.0}, {7: 10.0, 6: 10.0, 5: 10.0})
    assert found is not None
    assert found.low == pytest.approx(2 - 4.302653 / 3**0.5, abs=1e-6)
    assert found.high == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-6)


def test_only_common_seeds_count():
    assert paired({1: 5.0, 2: 9.0}, {2: 8.0, 3: 0.0}) == (1.0, None, None, 1)
    assert paired({1: 5.0}, {2: 5.0}) is None
    assert paired({1: 2.0, 2: 3.0}, {1: 1.0, 2: 2.0}) == (1.0, 1.0, 1.0, 2)
