"""Rows that belong together: parts, errors and chance over whole groups."""

from __future__ import annotations

import numpy as np
import pytest

from genzoo.metrics.groups import Groups, relabelled
from genzoo.values import LogProb, Unsupported

SIZES = (1, 2, 3, 5, 8, 13, 21)


@pytest.fixture
def unequal():
    """Seven groups of unequal size, in random order."""
    names = np.repeat([f"g{i}" for i in range(len(SIZES))], SIZES)
    names = np.random.default_rng(0).permutation(names)
    return Groups.of(np.append(names, ["h", "i", "j"] * 12), len(names) + 36)


def assert_whole(part, groups):
    assert all(len(set(part[groups.number == g])) == 1 for g in range(len(groups.sizes)))


def test_rows_of_one_group_have_one_number():
    named = Groups.of(np.array(["b", "b", "a", "c", "d", "a"]), 6)  # in order of appearance
    assert named.number.tolist() == [0, 0, 1, 2, 3, 1]
    assert named.sizes.tolist() == [2, 2, 1, 1]
    assert not named.independent
    for alone in (Groups.of(None, 5), Groups.of(np.array([7, 3, 9, 1, 5]), 5)):
        assert alone.independent
        assert alone.number.tolist() == [0, 1, 2, 3, 4]


def test_too_few_groups_for_an_error_are_refused():
    with pytest.raises(
        Unsupported, match=r"at least 4 groups, .* got 3, the largest with 10 of 30"
    ):
        Groups.of(np.arange(30) % 3, 30)
    assert len(Groups.of(np.arange(32) % 4, 32).sizes) == 4
    with pytest.raises(Unsupported, match="got 10, the largest with 91 of 100"):
        Groups.of(np.append(np.zeros(91, dtype=int), np.arange(1, 10)), 100)


@pytest.mark.parametrize("k", [2, 5, 10])
def test_parts_hold_as_many_whole_groups_and_are_of_about_one_size(unequal, k):
    part = unequal.parts(k)
    assert_whole(part, unequal)
    n_groups = [len(set(unequal.number[part == i])) for i in range(k)]
    assert max(n_groups) - min(n_groups) <= 1
    n_rows = np.bincount(part, minlength=k)
    assert n_rows.max() - n_rows.min() <= max(SIZES)
    assert Groups.of(None, 9).parts(k).tolist() == [i % k for i in range(9)]


def test_random_halves_hold_whole_groups_and_have_like_sizes(unequal):
    rng = np.random.default_rng(1)
    halves = [unequal.random_half(rng) for _ in range(200)]
    for half in halves:
        assert_whole(half, unequal)
        assert abs(half.sum() - (~half).sum()) <= max(SIZES)
    # each row half the time: 4.5 standard deviations of 200 tosses, for ten groups 1 of 10**4 runs
    assert np.abs(np.mean(halves, axis=0) - 0.5).max() < 4.5 * np.sqrt(0.25 / 200)


def test_two_halves_weigh_both_sides_alike(unequal):
    alone = Groups.of(None, 40)
    n = len(unequal)
    first, second = relabelled(unequal, alone, np.random.default_rng(2))
    for weight in (first, second):
        assert weight[:n].sum() == pytest.approx(1)
        assert weight[n:].sum() == pytest.approx(1)
    assert ((first > 0) != (second > 0)).all()
    assert_whole(first[:n] > 0, unequal)


def test_the_error_of_a_mean_is_the_jackknife_over_groups(unequal):
    values = np.random.default_rng(3).normal(size=len(unequal))
    G = len(unequal.sizes)
    left_out = [values[unequal.number != g].mean() for g in range(G)]
    by_hand = np.sqrt((G - 1) / G * ((np.array(left_out) - values.mean()) ** 2).sum())
    assert unequal.error_of_mean(values) == pytest.approx(by_hand)
    equal = np.repeat(np.arange(6), 4)
    linearised = LogProb.exact(values[:24]).mean(equal).stderr
    assert Groups.of(equal, 24).error_of_mean(values[:24]) == pytest.approx(linearised)
    alone = unequal.at(np.flatnonzero(unequal.number == 0))
    with pytest.raises(Unsupported, match="at least 2 groups; got 1"):
        alone.error_of_mean(np.zeros(len(alone)))


def test_the_bootstrap_draws_whole_groups_and_has_the_variance_of_a_mean():
    groups = Groups.of(np.repeat(np.arange(5), 6), 30)
    rng = np.random.default_rng(4)
    values = rng.normal(size=5)[groups.number]
    drawn = [groups.resampled(rng) for _ in range(4000)]
    assert_whole(drawn[0], groups)
    means = [np.average(values, weights=weight) for weight in drawn]
    # standard error of a variance over 4,000 draws: 2.2 % of it, so 4.5 of them are 10 %
    assert np.var(means, ddof=1) == pytest.approx(groups.error_of_mean(values) ** 2, rel=0.1)
