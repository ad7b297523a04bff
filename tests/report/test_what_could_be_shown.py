"""What a comparison could have shown, and the rows that would show more."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from genzoo.results.power import power
from genzoo.results.statistics import LEVEL, Difference, paired_difference


def difference(n: int, spread: float, seed: int = 0) -> Difference:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n)
    x = spread * (x - x.mean()) / x.std(ddof=1)
    return paired_difference(x, np.zeros(n))


@pytest.mark.parametrize("level", [LEVEL, LEVEL / 7])
def test_rows_are_those_of_the_normal_formula(level: float) -> None:
    """n = ((z_{1-level/2} + z_{0.8}) s / least)^2, to a hundredth where n is large."""
    found = power(difference(2000, 0.5), 0.01, level)
    assert found is not None
    z = stats.norm.ppf(1 - level / 2) + stats.norm.ppf(0.8)
    assert found.rows == pytest.approx((z * 0.5 / 0.01) ** 2, rel=0.01)
    # and the other way round: what these rows could have shown
    assert found.shown == pytest.approx(z * 0.5 / math.sqrt(2000), rel=0.01)


def test_twice_the_difference_takes_a_quarter_of_the_rows() -> None:
    d = difference(2000, 0.5)
    few, many = power(d, 0.02, LEVEL), power(d, 0.01, LEVEL)
    assert few is not None
    assert many is not None
    assert few.rows is not None
    assert many.rows == pytest.approx(4 * few.rows, rel=0.01)


def test_groups_count_and_not_their_rows() -> None:
    """Rows of a group that are all alike are worth one."""
    rng = np.random.default_rng(1)
    own = rng.standard_normal(200)
    alone = power(paired_difference(own, np.zeros(200)), 0.01, LEVEL)
    rows, groups = np.repeat(own, 10), np.repeat(np.arange(200), 10)
    grouped = power(paired_difference(rows, np.zeros(2000), groups), 0.01, LEVEL)
    assert alone is not None
    assert grouped is not None
    assert alone.rows is not None
    assert grouped.rows == pytest.approx(10 * alone.rows, rel=0.02)


def test_a_difference_that_is_said_to_be_shown_is_in_four_of_five() -> None:
    """2,000 fresh test sets at the rows that were said: 80 %, and three Monte Carlo errors."""
    level, least, rng = LEVEL / 5, 0.1, np.random.default_rng(2)
    said = power(difference(400, 0.6), least, level)
    assert said is not None
    assert said.rows is not None
    n = int(said.rows)
    found = rng.normal(least, 0.6, (2000, n))
    error = found.std(axis=1, ddof=1) / math.sqrt(n)
    shown = 2 * stats.t.sf(np.abs(found.mean(axis=1)) / error, n - 1) < level
    assert shown.mean() == pytest.approx(0.8, abs=3 * math.sqrt(0.8 * 0.2 / 2000))


def test_what_can_not_be_tested_has_no_power() -> None:
    assert power(difference(3, 1.0), 0.01, LEVEL) is None
    alike = paired_difference(np.full(50, -1.0), np.full(50, -2.0))
    assert power(alike, 0.01, LEVEL) is None
    endless = power(difference(50, 1e6), 0.01, LEVEL)
    assert endless is not None
    assert endless.rows is None
    with pytest.raises(ValueError, match="least"):
        power(difference(50, 1.0), 0.0, LEVEL)
