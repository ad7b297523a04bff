"""Metrics of samples where rows belong together: a perfect sampler is not told apart."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from genzoo import MISSING, Dataset, Independent, Schema, Variable
from genzoo.benchmark import validation
from genzoo.keys import METRICS
from genzoo.metrics import Context
from genzoo.metrics.manifold import manifold
from genzoo.metrics.mmd import mmd_squared
from genzoo.metrics.sides import Comparison
from genzoo.metrics.two_sample import c2st
from genzoo.metrics.variation import variation_of_marginals
from genzoo.registry import look_up
from genzoo.values import LogProb, Unsupported

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from rates import samples as simulation  # noqa: E402 - found by the line above

TABLE, STRINGS = simulation.POPULATIONS
KEYS = [*TABLE.expected, *STRINGS.expected]
REPEATS = 24
GROUPED, SINGLE = np.full(20, 25), np.ones(500, dtype=np.int64)
NO_SCORE = LogProb.exact(np.empty(0))


def population(key):
    return TABLE if key in TABLE.expected else STRINGS


@cache
def grouped(of):
    """A data set of that population with test rows in groups, and a perfect sampler's draws."""
    rng = np.random.default_rng(0)
    rows = {part: of.draw(GROUPED, rng) for part in ("train", "valid", "test")}
    number = np.repeat(np.arange(20), 25)
    groups = {"train": number, "valid": 100 + number, "test": 200 + number}
    label = "label" if of is TABLE else None
    dataset = Dataset("grouped", of.schema, **rows, groups=groups, label=label)
    return dataset, of.draw(SINGLE, rng)


def judge(key, dataset, samples, **more):
    return look_up(METRICS, key, "metric")(
        None, dataset, Context(NO_SCORE, samples=samples, **more)
    )


def with_test_groups(dataset, names):
    return replace(dataset, groups=dataset.groups | {"test": names})


@cache
def drawn(of):
    return [simulation.simulated(of, GROUPED, SINGLE, repeat) for repeat in range(REPEATS)]


@cache
def repeated(of):
    """The values and errors of every metric in independent repeats."""
    return [simulation.judge(of, dataset, context) for dataset, context in drawn(of)]


# ------------------------------------------------------------------------------ a perfect sampler


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS)
def test_a_perfect_sampler_is_at_the_best_value_with_an_honest_error(key):
    # a mean beyond 4.5 of its standard errors: by Student's t with 23 degrees 2 of 10**4 runs; a
    # spread 1.7 times its expectation, or a third of it: 1 of 10**5
    expected = population(key).expected[key]
    found = [of_all[key] for of_all in repeated(population(key))]
    values = np.array([m.value for m in found])
    spread = values.std(ddof=1)
    if expected is not None:
        assert abs(values.mean() - expected) < 4.5 * spread / np.sqrt(REPEATS)
    errors = np.sqrt(np.mean([m.stderr**2 for m in found]))
    assert spread / 1.7 < errors < 3 * spread


@pytest.mark.slow
@pytest.mark.parametrize("key", ["c2st", "mmd", "marginal_tv", "pair_tv", "ngram_tv", "frechet"])
def test_taken_for_independent_rows_in_groups_tell_a_perfect_sampler_apart(key):
    # what the test above is able to see
    values = np.array(
        [
            judge(key, replace(dataset, groups=None), context.samples, seed=context.seed).value
            for dataset, context in drawn(population(key))
        ]
    )
    bias = values.mean() - population(key).expected[key]
    assert bias > 4.5 * values.std(ddof=1) / np.sqrt(REPEATS)


@pytest.mark.slow
def test_rates_are_measured_for_every_metric_and_setting():
    found = simulation.rates(2)
    covered = [r for r in found if r.what.endswith("covered")]
    of_all = [r for r in covered if r.part == simulation.PART]
    assert len(of_all) == len(simulation.SETTINGS) * len(KEYS)
    others = {r.part for r in covered} - {simulation.PART}
    assert others == {simulation.FEW, simulation.IGNORED}
    assert all(0 <= r.value <= 1 and r.repeats == 2 for r in covered)


# ---------------------------------------------------------------------------------- what groups are


@pytest.mark.parametrize("key", KEYS)
def test_groups_of_one_row_are_no_groups(key):
    dataset, samples = grouped(population(key))
    alone = replace(dataset, groups=None)
    named = with_test_groups(dataset, 1000 + np.arange(len(dataset.test)))
    expected = judge(key, alone, samples, seed=3)
    assert judge(key, named, samples, seed=3) == expected
    assert judge(key, named, samples, sample_groups=np.arange(500), seed=3) == expected


@pytest.mark.parametrize("key", KEYS)
def test_only_which_rows_share_a_group_counts(key):
    dataset, samples = grouped(population(key))
    names = np.random.default_rng(1).permutation(20)[dataset.groups["test"] - 200] + 500
    first = judge(key, dataset, samples, sample_groups=np.arange(500) // 25)
    second = judge(
        key,
        with_test_groups(dataset, names),
        samples,
        sample_groups=np.array([f"piece {i // 25}" for i in range(500)]),
    )
    assert first == second


@pytest.mark.parametrize("key", KEYS)
def test_too_few_groups_leave_a_metric_out_with_the_reason(key):
    dataset, samples = grouped(population(key))
    few = with_test_groups(dataset, 200 + np.arange(500) % 3)
    with pytest.raises(Unsupported, match="an error needs at least 4 groups"):
        judge(key, few, samples)
    with pytest.raises(Unsupported, match="an error needs at least 4 groups"):
        judge(key, dataset, samples, sample_groups=np.arange(500) % 3)
    four = with_test_groups(dataset, 200 + np.arange(500) % 4)
    found = judge(key, four, samples)
    assert np.isfinite([found.value, found.stderr]).all()
    with pytest.raises(ValueError, match="groups: expected an integer or a string for each of 500"):
        judge(key, dataset, samples, sample_groups=np.arange(5))


def test_groups_follow_the_rows_that_are_complete():
    dataset, samples = grouped(TABLE)
    kept = np.random.default_rng(2).random(500) < 0.8
    holes = dataset.test.copy()
    holes[~kept, 0] = -1
    with_holes = replace(dataset, test=holes)
    numbers = dataset.groups["test"][kept]
    assert (with_holes.complete_groups("test") == numbers).all()
    without = replace(dataset, test=dataset.test[kept], groups=dataset.groups | {"test": numbers})
    for key in ("mmd", "marginal_tv"):
        assert judge(key, with_holes, samples) == judge(key, without, samples)


def test_validation_rows_are_judged_in_their_groups():
    dataset, samples = grouped(TABLE)
    model = Independent().fit(dataset)
    record, _ = validation.judge(model, dataset, samples, seed=0, notes=[])
    names = (dataset.groups["valid"], None)
    expected = c2st(Comparison(dataset.valid, samples, dataset.schema, groups=names))
    assert record.c2st.value == expected.value
    assert record.c2st.stderr == expected.stderr
    assert record.c2st_refused is None


@pytest.mark.parametrize(
    ("n", "groups", "reason"),
    [
        (500, np.arange(500) % 3, "an error needs at least 4 groups, none with more than half of"),
        (500, np.maximum(np.arange(500) // 50, 6), "got 4, the largest with 350 of 500 rows"),
        (
            12,
            np.arange(12),
            "expected at least 20 rows to compare with and as many samples; got 12",
        ),
    ],
)
def test_why_samples_are_not_compared_with_validation_rows_is_recorded(n, groups, reason):
    dataset, samples = grouped(TABLE)
    names = dataset.groups | {"valid": 100 + groups}
    dataset = replace(dataset, valid=dataset.valid[:n], groups=names)
    notes = []
    record, _ = validation.judge(Independent().fit(dataset), dataset, samples, seed=0, notes=notes)
    assert record.c2st is None
    assert reason in record.c2st_refused
    assert (record.query, record.query_refused, notes) == ("exact", None, [])


def test_why_hidden_entries_are_not_summed_out_is_recorded(monkeypatch):
    dataset, samples = grouped(TABLE)
    model = Independent().fit(dataset)
    log_prob = Independent.log_prob

    def of_complete_rows(self, rows, **options):
        if (np.asarray(rows) == MISSING).any():
            raise Unsupported("complete rows only")
        return log_prob(self, rows, **options)

    monkeypatch.setattr("genzoo.Independent.log_prob", of_complete_rows)
    record, _ = validation.judge(model, dataset, samples, seed=0, notes=[])
    assert (record.query, record.query_seconds) == ("unsupported", 0.0)
    assert record.query_refused == "complete rows only"


def test_what_goes_wrong_on_validation_rows_is_recorded_and_noted(monkeypatch):
    def broken(*arguments):
        raise RuntimeError("no trees today")

    dataset, samples = grouped(TABLE)
    monkeypatch.setattr("genzoo.benchmark.validation.C2ST", broken)
    notes = []
    record, _ = validation.judge(Independent().fit(dataset), dataset, samples, seed=0, notes=notes)
    assert record.c2st is None
    assert record.c2st_refused == "RuntimeError: no trees today"
    assert notes == ["validation, c2st: RuntimeError: no trees today"]


# -------------------------------------------------------------------------------- each in its way

LINE = Schema(
    (Variable("a", "ordinal", cardinality=10**6), Variable("b", cardinality=2)), "table", (2,)
)


def bunches(seed, n_groups=20, size=10):
    """Groups of equal rows, and a fresh row of each of as many more groups as there are rows."""
    rng = np.random.default_rng(seed)
    places = rng.integers(0, 10**6, n_groups + n_groups * size)
    rows = np.column_stack([places, np.zeros_like(places)])
    return np.repeat(rows[:n_groups], size, axis=0), rows[n_groups:], np.arange(200) // size


def test_balls_reach_beyond_the_group():
    real, fake, names = bunches(0)
    assert manifold(Comparison(real, fake, LINE)).precision.value == 0  # every ball is a point
    assert manifold(Comparison(real, fake, LINE, groups=(names, None))).precision.value > 0.5
    with pytest.raises(Unsupported, match="fewer than 5 neighbours in other groups"):
        manifold(
            Comparison(real[:24], fake, LINE, groups=(np.repeat([0, 1, 2, 3], [10, 6, 4, 4]), None))
        )


def test_no_pair_of_one_group_is_in_the_kernel_means():
    # twenty bunches: by hand, over rows of different groups
    real, fake, names = bunches(1)
    unit = 10**6 - 1

    def kernel(x, y):
        return np.exp(-(((x[:, None, 0] - y[:, 0]) / unit) ** 2) / 0.1)

    found = mmd_squared(
        Comparison(real, real[::-1], LINE, groups=(names, names[::-1])), bandwidth=0.1
    )
    apart = kernel(real, real)[names[:, None] != names].mean()
    # the groups of the two sides that share a block are not paired, whichever these are
    across = kernel(real, real)
    assert 2 * apart - 2 * across.max() < found.value < 2 * apart - 2 * across.min()
    ignoring = mmd_squared(Comparison(real, fake, LINE), bandwidth=0.1)
    heeding = mmd_squared(Comparison(real, fake, LINE, groups=(names, None)), bandwidth=0.1)
    assert heeding.value < ignoring.value
    assert heeding.stderr > ignoring.stderr


def test_total_variation_of_groups_that_agree_within():
    # eight groups a side, each of one letter of four: a perfect copy is at 0, other letters at 1
    schema = Schema((Variable("a", cardinality=8),), "table", (1,))
    names = np.arange(160) // 20

    def value(real, fake, seed=0):
        rows = [letters[names][:, None] for letters in (real, fake)]
        return variation_of_marginals(
            Comparison(*rows, schema, train=rows[0], groups=(names, names), seed=seed)
        ).value

    letters = np.arange(8) % 4
    assert value(letters, letters + 4) == pytest.approx(1)
    rng = np.random.default_rng(5)
    values = [value(*rng.integers(0, 4, (2, 8)), seed) for seed in range(60)]
    # 4.5 standard errors: 1 of 10**5 runs
    assert abs(np.mean(values)) < 4.5 * np.std(values, ddof=1) / np.sqrt(60)
