"""The jackknife against leaving out one part after the other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from genzoo.jackknife import Jackknife

RNG = np.random.default_rng(0)
VALUES, UNITS = RNG.standard_normal(40), RNG.integers(0, 5, 40).astype(float)
GROUPS = np.repeat(np.arange(8), [1, 2, 3, 4, 5, 6, 7, 12])


@pytest.mark.parametrize("number", [None, GROUPS])
@pytest.mark.parametrize("units", [np.ones(40), UNITS])
def test_each_part_is_left_out_once(units, number):
    found = Jackknife.of(VALUES, units, number)
    part = np.arange(40) if number is None else number
    kept = [part != g for g in np.unique(part)]
    without = np.array([VALUES[k].sum() / units[k].sum() for k in kept])
    G = len(kept)
    assert found.ratio == pytest.approx(VALUES.sum() / units.sum())
    assert found.moved == pytest.approx(found.ratio - without)
    assert found.stderr == pytest.approx(
        math.sqrt((G - 1) / G * ((found.ratio - without) ** 2).sum())
    )
    assert found.pseudo_values == pytest.approx(G * found.ratio - (G - 1) * without)


def test_of_rows_alike_it_is_the_error_of_a_mean():
    found = Jackknife.of(VALUES, np.ones(40))
    assert found.stderr == pytest.approx(VALUES.std(ddof=1) / math.sqrt(40))
    assert found.pseudo_values == pytest.approx(VALUES)


@pytest.mark.parametrize(
    ("units", "number"),
    [(np.ones(1), None), (np.ones(3), np.zeros(3, dtype=int)), (np.array([0.0, 0, 4]), None)],
)
def test_what_can_not_be_left_out_has_no_error(units, number):
    found = Jackknife.of(np.ones(len(units)), units, number)
    assert math.isnan(found.stderr)
    assert found.pseudo_values.tolist() == [found.ratio]
