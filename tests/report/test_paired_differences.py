"""Paired differences against scipy's own tests, and what they may be called."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from genzoo.results.statistics import can_prove, holm, paired_difference, weakest


def test_a_paired_difference_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    shared = rng.standard_normal(400)
    a, b = shared + 0.6 * rng.standard_normal(400) + 0.1, shared + 0.6 * rng.standard_normal(400)
    found, expected = paired_difference(a, b), stats.ttest_rel(a, b)
    assert found.value == pytest.approx(np.mean(a - b))
    # it is never below, and close to it where differences are normal and rows are many
    assert expected.pvalue <= found.p_value() < 1.2 * expected.pvalue
    interval = expected.confidence_interval(0.95)
    assert found.interval() == pytest.approx((interval.low, interval.high))


def test_pairing_removes_what_rows_share() -> None:
    rng = np.random.default_rng(1)
    shared = 10 * rng.standard_normal(500)
    a, b = shared + 0.1 * rng.standard_normal(500), shared - 0.05
    assert paired_difference(a, b).stderr < 0.01
    assert np.std(a, ddof=1) / np.sqrt(500) > 0.3


def test_equal_models_never_differ() -> None:
    rows = np.array([-1.0, -2.0, -3.0])
    assert paired_difference(rows, rows).p_value() == 1.0


def test_a_constant_lead_is_as_sure_as_rows_that_are_not_at_hand_allow() -> None:
    """Rows of a rare kind, two standard deviations off, would have to be one in 20 to make up for
    a lead of 0.1; n rows hold none of these in exp(-n / 20) of cases."""
    for n in (10, 100, 1000):
        rows = np.tile([-1.0, 1.0], n // 2)
        found = paired_difference(rows + 0.1, rows)
        assert found.p_value() == pytest.approx(np.exp(-n / 20))
        assert found.p_below(0.2) == pytest.approx(np.exp(-n / 20))
        assert found.p_below(0.1) == 1.0
    assert paired_difference(rows, rows - 1e-13).p_below(0.01) == 0.0  # the same model
    # rows that are all the same say nothing
    same = np.full(100, -1.0)
    assert paired_difference(same + 0.1, same).p_value() == 1.0


def test_the_empirical_likelihood_of_two_values_is_that_of_a_binomial() -> None:
    x = np.repeat([-1.0, 3.0], [90, 10])
    log = stats.binom.logpmf(10, 100, [0.1, 0.25])  # as it is, and with a mean of 0
    ratio = 2 * (log[0] - log[1])
    expected = stats.f.sf(ratio, 1, 99)
    found = paired_difference(x, np.zeros(100))
    assert found.p_value() == pytest.approx(max(expected, stats.ttest_1samp(x, 0).pvalue))
    assert expected > stats.ttest_1samp(x, 0).pvalue


def test_one_sided_by_hand() -> None:
    x = np.repeat([-1.0, 3.0], [90, 10])
    log = stats.binom.logpmf(10, 100, [0.1, 0.25])
    expected = stats.f.sf(2 * (log[0] - log[1]), 1, 99) / 2
    student = stats.ttest_1samp(x, 0, alternative="less").pvalue
    found = paired_difference(x + 0.0, np.zeros(100))
    assert found.p_below(0.0) == pytest.approx(max(expected, student))


def test_groups_by_hand() -> None:
    """Leave out one group after the other: the jackknife's error and what each group says."""
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(9), [3, 5, 8, 13, 21, 34, 55, 89, 144])
    x = rng.standard_normal(len(groups)) + rng.standard_normal(9)[groups]
    found = paired_difference(x, np.zeros(len(x)), groups)
    without = np.array([x[groups != g].mean() for g in range(9)])
    assert found.units == pytest.approx(9 * x.mean() - 8 * without)
    assert found.stderr == pytest.approx(np.sqrt(8 / 9 * np.sum((without - x.mean()) ** 2)))
    sizes = np.bincount(groups)
    assert found.n == pytest.approx(len(x) ** 2 / np.sum(sizes**2))
    assert found.p_value() >= 2 * stats.t.sf(abs(found.value) / found.stderr, found.n - 1)
    assert found.spread == pytest.approx(np.std(x))  # of rows: of these some may be missing
    assert found.n_rows == len(x)


def test_more_rows_lose_no_proof() -> None:
    groups = np.repeat(np.arange(6), 100)
    rng = np.random.default_rng(6)
    rows = 3 * rng.standard_normal(600)
    lead = 1.0 + 0.01 * rng.standard_normal(600)
    assert paired_difference(rows + lead, rows, groups).p_value() < 1e-6
    more = np.concatenate([groups, 6 + np.arange(100)])
    rows = np.concatenate([rows, 3 * rng.standard_normal(100)])
    lead = np.concatenate([lead, 1.0 + 0.01 * rng.standard_normal(100)])
    assert paired_difference(rows + lead, rows, more).p_value() < 1e-6


@pytest.mark.parametrize("tiny", [1e-3, 1e-9, 1e-15, 1e-16, 1e-17, 1e-300])
@pytest.mark.parametrize("n", [30, 100, 300])
def test_a_row_that_lies_just_on_the_other_side(tiny: float, n: int) -> None:
    b = -np.linspace(0.5, 1.5, n)
    b[0] = tiny
    assert 0 <= paired_difference(np.zeros(n), b).p_value() < 1e-3


def test_what_is_visible_is_proven_with_the_power_that_is_said() -> None:
    """80 %, in 400 repeats within five errors, whichever of the tests decides."""
    rng = np.random.default_rng(7)
    for n, spread, noise in ((100, 3.0, 0.03), (300, 3.0, 0.3), (400, 1.0, 2.0)):
        proven = []
        sizes = []
        for _ in range(100):
            rows = spread * rng.standard_normal(n)
            other = rows + noise * rng.standard_normal(n)
            sizes.append(paired_difference(other, rows).visible())
        size = float(np.median(sizes))
        for _ in range(400):
            rows = spread * rng.standard_normal(n)
            found = paired_difference(rows + size + noise * rng.standard_normal(n), rows)
            proven.append(found.p_value() < 0.05)
        assert abs(np.mean(proven) - 0.8) < 0.1, (n, spread, noise)


def test_rare_rows_are_not_forgotten() -> None:
    """Equally good models, one of which knows a rare value better and the rest worse: with a share
    of 0.02 most small samples hold no such row. At most 5 % of 1,000 repeats, and two errors."""
    rng = np.random.default_rng(3)
    for n in (20, 60, 100, 400):
        wrong = []
        for _ in range(1000):
            rare, shared = rng.random(n) < 0.02, rng.standard_normal(n)
            gain = np.where(rare, -1.96, 0.04) + 0.01 * rng.standard_normal(n)
            wrong.append(paired_difference(shared + gain, shared).p_value() < 0.05)
        assert np.mean(wrong) < 0.064, n


def test_models_that_are_right_in_the_same_rows_are_not_shown_to_be_alike() -> None:
    """Of one that loses a point or more, a hundred rows often hold no case; 300 seldom."""
    rng = np.random.default_rng(4)
    for n in (20, 100, 150, 300, 1000):
        wrong = []
        for _ in range(1000):
            right = rng.random(n) < 0.9
            other = right & (rng.random(n) >= 0.012 / 0.9)
            found = paired_difference(right.astype(float), other.astype(float))
            wrong.append(found.p_below_in_cases(0.01) < 0.05)
        assert np.mean(wrong) < 0.064, n
    same = np.ones(300)
    assert paired_difference(same, same).p_below_in_cases(0.01) < 0.05
    assert paired_difference(same[:200], same[:200]).p_below_in_cases(0.01) > 0.05


def test_one_row_gives_no_error_and_an_impossible_row_an_infinite_gap() -> None:
    single = paired_difference(np.array([-1.0]), np.array([-2.0]))
    assert single.value == 1.0
    assert np.isnan(single.stderr)
    assert np.isnan(single.p_value())
    infinite = paired_difference(np.array([-1.0, -1.0]), np.array([-2.0, -np.inf]))
    assert infinite.value == np.inf
    assert np.isnan(infinite.p_value())


def test_rows_of_other_test_sets_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"\(3,\), \(2,\)"):
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
