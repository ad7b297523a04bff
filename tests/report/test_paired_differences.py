"""Paired differences against scipy's own tests, and what they may be called."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from genzoo.benchmark.statistics import can_prove, holm, paired_difference, weakest


def test_a_paired_difference_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    shared = 10 * rng.standard_normal(40)
    a, b = shared + rng.standard_normal(40) + 0.4, shared + rng.standard_normal(40)
    found, expected = paired_difference(a, b), stats.ttest_rel(a, b)
    assert found.value == pytest.approx(np.mean(a - b))
    assert found.p_value() == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert found.interval() == pytest.approx((interval.low, interval.high))


def test_pairing_removes_what_rows_share() -> None:
    rng = np.random.default_rng(1)
    shared = 10 * rng.standard_normal(500)
    a, b = shared + 0.1 * rng.standard_normal(500), shared - 0.05
    assert paired_difference(a, b).stderr < 0.01
    assert np.std(a, ddof=1) / np.sqrt(500) > 0.3


def test_equal_models_never_differ_and_a_constant_lead_always_does() -> None:
    rows = np.array([-1.0, -2.0, -3.0])
    assert paired_difference(rows, rows).p_value() == 1.0
    assert paired_difference(rows + 0.5, rows).p_value() == 0.0


def test_one_row_gives_no_error_and_an_impossible_row_an_infinite_gap() -> None:
    single = paired_difference(np.array([-1.0]), np.array([-2.0]))
    assert single.value == 1.0
    assert np.isnan(single.stderr)
    assert np.isnan(single.p_value())
    infinite = paired_difference(np.array([-1.0, -1.0]), np.array([-2.0, -np.inf]))
    assert infinite.value == np.inf
    assert np.isnan(infinite.p_value())


def test_rows_of_other_test_sets_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"expected two \(n,\) arrays; got \(3,\), \(2,\)"):
        paired_difference(np.zeros(3), np.zeros(2))


def test_holm_by_hand() -> None:
    # sorted 0.01, 0.02, 0.03 times 3, 2, 1, made monotone
    assert holm([0.02, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.9, float("nan")]) == pytest.approx([1.0, 1.0])
    assert len(holm([])) == 0


def test_holm_keeps_the_error_of_the_whole_family() -> None:
    """With 10 true null hypotheses a false proof comes in 5 % of families; 2,000 families give
    0.05 +- 0.005, so the bound 0.07 fails by chance once in 30,000."""
    p = np.random.default_rng(2).random((2000, 10))
    assert np.mean([(holm(row) < 0.05).any() for row in p]) < 0.07


def test_what_can_be_proven() -> None:
    assert can_prove("exact", "exact")
    assert can_prove("lower_bound", "exact")
    assert not can_prove("exact", "lower_bound")
    assert not can_prove("lower_bound", "lower_bound")
    assert not can_prove("estimate", "exact")
    assert weakest(["exact", "estimate", "lower_bound"]) == "estimate"
    assert weakest(["exact", "lower_bound"]) == "lower_bound"
