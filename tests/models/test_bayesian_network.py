"""Bayesian networks: exact against enumeration and pgmpy, figures against the measured ones."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import genzoo
from genzoo import MISSING, Schema, Unsupported, Variable
from genzoo.datasets import bif
from genzoo.fitting import Budget, Fit
from genzoo.model import GenerativeModel
from genzoo.models.bayesian_network import inference, trees
from genzoo.models.bayesian_network.completion import Completions
from genzoo.models.bayesian_network.counting import Indicators, LogRising, Rows
from genzoo.models.bayesian_network.inference import Network
from genzoo.models.bayesian_network.limits import Limits
from genzoo.models.bayesian_network.model import BayesianNetwork
from genzoo.models.bayesian_network.structure import Information, Order
from genzoo.models.shared import particles
from genzoo.space.marginals import smoothed

DEFAULT = Limits()
STRUCTURES = ["greedy", "chow_liu"]


def nominal(*cards):
    variables = tuple(Variable(f"x{d}", "nominal", c) for d, c in enumerate(cards))
    return Schema(variables, "table", (len(cards),))


def mixed_table(n=800, seed=0):
    """Nominal, short and long ordinal, constant, unconnected and marked columns."""
    rng = np.random.default_rng(seed)
    schema = Schema(
        (
            Variable("kind", "nominal", categories=("a", "b", "c")),
            Variable("level", "ordinal", 4, offset=0, step=1),
            Variable("constant", "nominal", categories=("only",)),
            Variable("alone", "nominal", 2),
            Variable("amount", "ordinal", 41, offset=0, step=5, missing=True),
        ),
        "table",
        (5,),
    )
    kind = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    level = np.clip(kind + rng.integers(0, 3, n), 0, 3)
    amount = np.clip(rng.poisson(4 + 8 * level, n), 0, 39)
    amount[rng.random(n) < 0.1] = 40
    return schema, np.stack([kind, level, 0 * kind, rng.integers(0, 2, n), amount], 1)


def strings(n=600, seed=0):
    rng = np.random.default_rng(seed)
    data = []
    for _ in range(n):
        text = str(rng.choice(["a", "b", "c"], p=[0.6, 0.3, 0.1]))
        while len(text) < 5 and rng.random() < (0.9 if text[-1] == "a" else 0.6):
            text += text[-1] if rng.random() < 0.6 else str(rng.choice(["a", "b", "c"]))
        data.append(text if rng.random() < 0.95 else "")
    return Schema.infer(data), data


def noisy_copies(D, n=1500, seed=0):
    """Rows that copy one of six prototypes with noise: each column leans on all others."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 2, (6, D))[rng.integers(0, 6, n)]
    return nominal(*[2] * D), np.where(rng.random((n, D)) < 0.15, 1 - rows, rows)


def fitted(data, schema, limits=DEFAULT, *, valid=None, **options):
    model = BayesianNetwork(**options)
    model.limits = limits
    return model.fit(data, schema=schema, valid=valid)


def fit_copies(structure, limits=DEFAULT):
    schema, rows = noisy_copies(8)
    return fitted(rows[:600], schema, limits, valid=rows[600:], structure=structure)


def fit_mixed(structure, limits=DEFAULT, **options):
    schema, rows = mixed_table()
    return fitted(rows, schema, limits, structure=structure, **options)


def fit_strings(structure, limits=DEFAULT):
    schema, data = strings()
    return fitted(data, schema, limits, structure=structure)


def agreeing(space, queried):
    return ((space == queried) | (queried == MISSING)).all(axis=1)


# -------------------------------------------------------------------- one exact distribution


@pytest.mark.parametrize("structure", [*STRUCTURES, [("kind", "level"), ("level", "amount")]])
@pytest.mark.parametrize("most_bins", [None, 6, 100])
def test_the_mass_of_a_mixed_table_is_one(structure, most_bins):
    model = fit_mixed(structure, most_bins=most_bins)
    space = model.schema_.enumerate()
    value = model.log_prob(space).value
    assert np.exp(value).sum() == pytest.approx(1.0, abs=1e-9)
    assert np.isfinite(value).all()


@pytest.mark.parametrize("structure", [*STRUCTURES, [(0, 2), (0, 3)]])
def test_the_mass_of_strings_is_one(structure):
    model = fit_strings(structure)
    space = model.schema_.enumerate()
    assert np.exp(model.log_prob(space).value).sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("fit", [fit_mixed, fit_strings])
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("rows_planned_alone", [False, True])
def test_a_marginal_is_the_summed_joint(fit, structure, rows_planned_alone):
    model = fit(structure, Limits(largest_plan=0) if rows_planned_alone else DEFAULT)
    space = model.schema_.enumerate()
    value = model.log_prob(space).value
    rng = np.random.default_rng(0)
    full = space[rng.integers(0, len(space), 60)]
    queries = np.where(rng.random(full.shape) < 0.5, MISSING, full)
    queries[0] = MISSING
    if model.schema_.end is not None:  # after an observed END nothing is open
        ended = np.cumsum(queries == model.schema_.end, axis=1) > 0
        queries = np.where(ended, model.schema_.end, queries)
    wanted = [np.logaddexp.reduce(value[agreeing(space, q)]) for q in queries]
    np.testing.assert_allclose(model.log_prob(queries).value, wanted, atol=1e-9)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize(
    "queried", [[-1, -1, 1, -1, -1], [0, -1, -1, -1, -1], [-1, 0, -1, -1, 3], [-1] * 5]
)
def test_completions_of_strings_follow_the_exact_conditional(structure, queried):
    """Eight chi-square tests, each with a false alarm at 1e-6."""
    model = fit_strings(structure)
    queried = np.array(queried)
    assert model.schema_.end == 3
    space = model.schema_.enumerate()
    space = space[agreeing(space, queried)]
    mass = np.exp(model.log_prob(space).value)
    drawn = model.schema_.encode(model.sample(20_000, given=queried, seed=1))
    check_draws(drawn, space, mass / mass.sum())


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize(
    "queried", [[-1, 3, -1, -1, -1], [-1, -1, 0, 1, 20], [-1, -1, -1, -1, 40], [2, -1, -1, -1, 0]]
)
def test_completions_of_a_table_follow_the_exact_conditional(structure, queried):
    """Eight chi-square tests, each with a false alarm at 1e-6."""
    model = fit_mixed(structure)
    queried = np.array(queried)
    space = model.schema_.enumerate()
    # what is filled in is never the mark
    space = space[agreeing(space, queried) & ((space[:, 4] != 40) | (queried[4] == 40))]
    mass = np.exp(model.log_prob(space).value)
    drawn = model.sample(20_000, given=queried, seed=1)
    check_draws(drawn, space, mass / mass.sum())


@pytest.mark.parametrize("fit", [fit_mixed, fit_strings])
@pytest.mark.parametrize("structure", STRUCTURES)
def test_samples_follow_log_prob(fit, structure):
    """Four chi-square tests, each with a false alarm at 1e-6."""
    model = fit(structure)
    space = model.schema_.enumerate()
    drawn = model.sample(20_000, seed=3)
    if model.schema_.end is not None:
        drawn = model.schema_.encode(drawn)
    check_draws(drawn, space, np.exp(model.log_prob(space).value))


def check_draws(drawn, space, mass):
    index = {tuple(row): i for i, row in enumerate(space.tolist())}
    counts = np.bincount([index[tuple(row)] for row in drawn.tolist()], minlength=len(space))
    expected = mass * len(drawn)
    big = expected >= 5
    observed = np.append(counts[big], counts[~big].sum())
    wanted = np.append(expected[big], expected[~big].sum())
    keep = wanted > 1e-9
    assert observed[~keep].sum() == 0
    assert stats.chisquare(observed[keep], wanted[keep], sum_check=False).pvalue > 1e-6


@pytest.mark.parametrize("fit", [fit_copies, fit_strings])
def test_averages_of_trees_are_one_distribution(fit, tmp_path):
    """Two chi-square tests, each with a false alarm at 1e-6."""
    model = fit("greedy", Limits(sure=-1e6))  # kept also where they gain nothing
    assert model.kind_ == "averages"
    space = model.schema_.enumerate()
    value = model.log_prob(space).value
    assert np.exp(value).sum() == pytest.approx(1.0, abs=1e-9)
    queried = space[5].copy()
    queried[[0, 2]] = MISSING
    wanted = np.logaddexp.reduce(value[agreeing(space, queried)])
    assert model.log_prob(queried[None]).value[0] == pytest.approx(wanted, abs=1e-9)
    drawn = model.sample(20_000, seed=3)
    drawn = drawn if fit is fit_copies else model.schema_.encode(drawn)
    check_draws(drawn, space, np.exp(value))
    model.save(tmp_path / "model")
    again = genzoo.load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.log_prob(space).value, value)
    assert again.edges_ == model.edges_
    assert again.n_parameters_ == model.n_parameters_


def test_averages_win_where_a_variable_leans_on_many_others():
    schema, rows = noisy_copies(16)
    average, single = (
        BayesianNetwork(n_trees=k).fit(rows[:600], valid=rows[600:900], schema=schema)
        for k in (8, 1)
    )
    assert average.kind_ == "averages" != single.kind_
    assert average.score(rows[900:]) > single.score(rows[900:]) + 0.03


def test_rows_with_different_patterns_are_answered_in_one_call():
    model = fit_mixed("greedy")
    _, rows = mixed_table(50, seed=9)
    queries = np.where(np.random.default_rng(2).random(rows.shape) < 0.4, MISSING, rows)
    together = model.log_prob(queries).value
    alone = [model.log_prob(q[None]).value[0] for q in queries]
    np.testing.assert_allclose(together, alone, atol=1e-12)
    filled = model.sample(len(queries), given=queries, seed=0)
    np.testing.assert_array_equal(filled[queries != MISSING], queries[queries != MISSING])


def test_prompts_of_long_sequences_need_no_elimination():
    rng = np.random.default_rng(0)
    data = ["".join(rng.choice(list("abcdefghij"), 30)) for _ in range(60)]
    model = BayesianNetwork().fit(data)
    completions = model.sample(5, given="abcab", seed=0)
    assert all(c.startswith("abcab") and len(c) <= 30 for c in completions)


def test_a_factor_that_is_too_large_gives_a_bound():
    pairs = list(combinations(range(5), 2))
    schema = nominal(*[30] * 5, *[2] * len(pairs))
    rows = np.random.default_rng(0).integers(0, schema.cards, (400, schema.D))
    edges = [(end, 5 + child) for child, pair in enumerate(pairs) for end in pair]
    model = BayesianNetwork(structure=edges).fit(rows, schema=schema)
    queried = rows[0].copy()
    queried[:5] = MISSING  # given their pairs' children, the five depend on each other
    first = np.repeat(queried[None], 30, axis=0)
    first[:, 0] = np.arange(30)
    parts = model.log_prob(first)
    assert parts.kind == "exact"
    truth = np.logaddexp.reduce(parts.value)
    found = model.log_prob(np.stack([queried] * 40 + [rows[1]]))
    assert (found.kind, found.estimator) == ("lower_bound", "smc")
    assert found.stderr[-1] == 0
    ratio, error = np.exp(found.value[:-1] - truth), found.stderr[:-1]
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(40)  # a false alarm in 10,000 runs
    assert np.sqrt(np.mean(error**2)) < 0.1
    drawn = model.sample(30, given=queried, seed=0)
    assert len(np.unique(drawn[:, :5], axis=0)) > 20
    np.testing.assert_array_equal(drawn[:, 5:], np.repeat(queried[None, 5:], 30, axis=0))
    assert model.log_prob(np.full((1, schema.D), MISSING)).kind == "exact"


@pytest.mark.parametrize("fit", [fit_mixed, fit_strings])
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("n_particles", [16, 2**12])
def test_particles_agree_with_enumeration(fit, structure, n_particles, monkeypatch):
    """The means of 300 bounds within 5 standard errors: 48 tests, a false alarm in 30,000 runs."""
    monkeypatch.setattr(particles, "LIMITS", particles.Limits(n_particles))
    model = fit(structure, Limits(largest_factor=0))
    space = model.schema_.enumerate()
    value = model.log_prob(space).value
    rng = np.random.default_rng(0)
    full = space[rng.integers(0, len(space), 6)]
    queries = np.where(rng.random(full.shape) < 0.5, MISSING, full)
    if model.schema_.end is not None:  # after an observed END nothing is open
        ended = np.cumsum(queries == model.schema_.end, axis=1) > 0
        queries = np.where(ended, model.schema_.end, queries)
    for queried in queries:
        truth = np.logaddexp.reduce(value[agreeing(space, queried)])
        found = model.log_prob(np.repeat(queried[None], 300, axis=0), seed=1)
        ratio = np.exp(found.value - truth)
        assert abs(ratio.mean() - 1) < 5 * ratio.std() / np.sqrt(300) + 1e-9
        assert n_particles == 16 or found.kind == "exact"


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("n_particles", [64, 2**12])
@pytest.mark.parametrize(
    ("fit", "queried"),
    [(fit_strings, [-1, -1, 1, -1, -1]), (fit_strings, [-1, 0, -1, -1, 3]),
     (fit_mixed, [-1, -1, 0, 1, 20]), (fit_mixed, [2, -1, -1, -1, 0])],
)  # fmt: skip
def test_completions_by_particles_follow_the_conditional(
    fit, queried, structure, n_particles, monkeypatch
):
    """Sixteen chi-square tests, each with a false alarm at 1e-6."""
    monkeypatch.setattr(particles, "LIMITS", particles.Limits(n_particles, trusted=0.0))
    model = fit(structure, Limits(largest_factor=0))
    queried = np.array(queried)
    space = model.schema_.enumerate()
    space = space[agreeing(space, queried)]
    mass = np.exp(model.log_prob(space).value)
    drawn = model.sample(3000, given=queried, seed=1)
    drawn = drawn if fit is fit_mixed else model.schema_.encode(drawn)
    check_draws(drawn, space, mass / mass.sum())


# -------------------------------------------------------------------- structures


def test_chow_liu_finds_a_tree_and_smooths_pair_cells_by_one():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2, 3000)
    b = np.where(rng.random(3000) < 0.9, a, 1 - a)
    c = np.where(rng.random(3000) < 0.8, b, 1 - b)
    rows = np.stack([c, a, b], 1)
    model = BayesianNetwork(structure="chow_liu").fit(rows)
    assert {frozenset(e) for e in model.edges_} == {
        frozenset(model.schema_.names[i] for i in pair) for pair in [(0, 2), (1, 2)]
    }
    n = np.array([[((c == i) & (b == j)).sum() for j in (0, 1)] for i in (0, 1)])
    given_b = model.log_prob(np.array([[1, -1, 0]])).value[0]
    assert given_b - model.log_prob(np.array([[-1, -1, 0]])).value[0] == pytest.approx(
        np.log((n[1, 0] + 1) / (n[:, 0].sum() + 2)), abs=1e-3
    )


def test_chow_liu_uses_all_rows_and_selects_nothing():
    rows = np.random.default_rng(0).integers(0, 2, (100, 3))
    plain = BayesianNetwork(structure="chow_liu").fit(rows, seed=0)
    other = BayesianNetwork(structure="chow_liu").fit(rows, seed=1, valid=1 - rows)
    space = plain.schema_.enumerate()
    np.testing.assert_array_equal(plain.log_prob(space).value, other.log_prob(space).value)


def test_given_edges_are_kept_by_name_and_by_position():
    schema, rows = mixed_table()
    by_name = BayesianNetwork(structure=[("kind", "level"), ("level", "amount")])
    by_name.fit(rows, schema=schema)
    by_position = BayesianNetwork(structure=[(0, 1), (1, 4)]).fit(rows, schema=schema)
    assert sorted(by_name.edges_) == [("kind", "level"), ("level", "amount")]
    space = schema.enumerate()
    np.testing.assert_array_equal(by_name.log_prob(space).value, by_position.log_prob(space).value)


def test_no_edges_at_all_is_the_product_of_marginals():
    schema, rows = mixed_table()
    model = BayesianNetwork(structure=[], most_bins=100).fit(rows, schema=schema, valid=rows[:50])
    space, expected = schema.enumerate(), 0.0
    for d, card in enumerate(schema.cards):
        masses = smoothed(np.bincount(rows[:, d], minlength=card))
        expected = expected + np.log(masses)[space[:, d]]
    np.testing.assert_allclose(model.log_prob(space).value, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([("kind", "level"), ("level", "kind")], "cycle"),
        ([("kind", "nothing")], "nothing"),
        ([("kind", "kind")], "own start"),
        ([("kind", "level"), ("kind", "level")], "twice"),
        ([(0, 9)], "9"),
    ],
)
def test_impossible_edges_are_refused(edges, message):
    schema, rows = mixed_table(50)
    with pytest.raises(ValueError, match=message):
        BayesianNetwork(structure=edges).fit(rows, schema=schema)


def test_edges_that_point_backward_in_strings_are_refused():
    schema, data = strings(50)
    with pytest.raises(ValueError, match="forward"):
        BayesianNetwork(structure=[(2, 1)]).fit(data, schema=schema)


@pytest.mark.parametrize(
    "params",
    [
        {"structure": "tree"},
        {"structure": [("a", "b", "c")]},
        {"structure": 3},
        {"equivalent_sample_size": 0},
        {"n_trees": 0},
        {"most_bins": 1},
        {"most_bins": 2.5},
    ],
)
def test_bad_parameters_are_refused_by_name(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        genzoo.make_model("bayesian_network", **params)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_edges_of_sequences_point_forward(structure):
    model = fit_strings(structure)
    where = {name: d for d, name in enumerate(model.schema_.names)}
    assert model.edges_
    assert all(where[parent] < where[child] for parent, child in model.edges_)


def test_greedy_finds_an_interaction_that_a_tree_can_not_hold():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2, (4000, 3))
    rows[:, 2] = np.where(rng.random(4000) < 0.9, rows[:, 0] & rows[:, 1], 1 - rows[:, 2])
    test = rows[3000:]
    greedy = BayesianNetwork().fit(rows[:3000])
    tree = BayesianNetwork(structure="chow_liu").fit(rows[:3000])
    assert greedy.log_prob(test).mean().value > tree.log_prob(test).mean().value + 0.05


@pytest.mark.parametrize("seed", range(3))
def test_greedy_is_never_worse_than_chow_liu_on_the_validation_rows(seed):
    rng = np.random.default_rng(seed)
    rows, valid = rng.integers(0, 4, (60, 6)), rng.integers(0, 4, (30, 6))
    rows[:, 1], valid[:, 1] = rows[:, 0], valid[:, 0]
    schema = nominal(*[4] * 6)
    greedy = BayesianNetwork().fit(rows, schema=schema, valid=valid)
    tree = BayesianNetwork(structure="chow_liu").fit(rows, schema=schema)
    assert greedy.score(valid) >= tree.score(valid)


def test_a_budget_in_seconds_stops_the_search_and_is_reported(ticking):
    rng = np.random.default_rng(0)
    rows = np.cumsum(rng.integers(0, 2, (4000, 60)), axis=1) % 4
    ticking(0.01)
    model = BayesianNetwork().fit(rows, budget="0.3s")
    assert model.training_.stopped_by == "budget"
    assert not model.training_.converged
    assert np.isfinite(model.log_prob(rows[:10]).value).all()


class Ticking:
    """A clock that goes on by the same stretch whenever it is read."""

    def __init__(self, tick):
        self.time, self.tick = 0.0, tick

    def __call__(self):
        self.time += self.tick
        return self.time


@pytest.mark.parametrize(
    ("tick", "holes"),
    [(0.06, False), (0.1, False), (3.0, False), (0.015, True), (0.03, True), (3.0, True)],
)
def test_what_a_budget_allowed_is_repeated_at_any_speed(tick, holes, monkeypatch):
    schema, rows = mixed_table()
    if holes:
        hidden = np.random.default_rng(1).random(rows.shape) < 0.2
        rows = np.where(hidden, MISSING, rows)

    def fit(tick, budget):
        monkeypatch.setattr("genzoo.fitting.now", Ticking(tick))
        seen = []
        model = BayesianNetwork().fit(
            rows, schema=schema, budget=budget, progress=lambda done, _: seen.append(done)
        )
        assert seen == sorted(seen)
        assert seen[-1] == 1.0
        return model

    first = fit(tick, "10s")
    assert first.training_.stopped_by == "budget"
    assert first.training_.stops
    space = schema.enumerate()
    for speed in (1e-9, 100.0):
        again = fit(speed, Budget.replay(first.training_, "10s"))
        np.testing.assert_array_equal(again.log_prob(space).value, first.log_prob(space).value)
        assert (again.kind_, again.edges_) == (first.kind_, first.edges_)
        for what in ("steps", "work", "stops", "converged", "stopped_by"):
            assert getattr(again.training_, what) == getattr(first.training_, what)


def test_without_a_budget_the_clock_changes_nothing(monkeypatch):
    schema, rows = mixed_table(300)
    monkeypatch.setattr("genzoo.fitting.now", Ticking(100.0))
    slow = BayesianNetwork().fit(rows, schema=schema)
    monkeypatch.setattr("genzoo.fitting.now", Ticking(0.0))
    fast = BayesianNetwork().fit(rows, schema=schema)
    assert slow.training_.stops == []
    assert slow.training_.converged
    assert slow.training_.work == fast.training_.work
    np.testing.assert_array_equal(slow.log_prob(rows).value, fast.log_prob(rows).value)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_positions_that_no_training_row_reaches(structure):
    schema = Schema.infer(["ab", "a", "b", "aabb"])
    model = BayesianNetwork(structure=structure).fit(["ab", "a", "b"] * 20, schema=schema)
    assert np.exp(model.log_prob(schema.enumerate()).value).sum() == pytest.approx(1)
    assert model.sample(3, given="aba", seed=0)[0].startswith("aba")


@pytest.mark.parametrize("n_categories", [1000, 20_000])
@pytest.mark.parametrize("structure", STRUCTURES)
def test_text_columns_of_many_categories_are_fitted_within_the_budget(structure, n_categories):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, n_categories, (20_000, 3))
    rows[:, 1] = np.where(rng.random(20_000) < 0.5, rows[:, 0], rows[:, 1])
    rows[:, 2] = rows[:, 0] % 5
    schema = nominal(n_categories, n_categories, 5)
    model = BayesianNetwork(structure=structure).fit(rows, schema=schema, budget="1s")
    assert model.n_parameters_ < 2**22
    assert np.isfinite(model.log_prob(rows[:100]).value).all()
    assert model.sample(500, given=np.array([-1, -1, 3]))[0, 2] == 3


# -------------------------------------------------------------------- any size


def forest(rows, schema):
    """What trees are grown of: all variables may be parents of all others."""
    shuffled = Rows.of(rows, schema.cards, schema, np.random.default_rng(0))
    free = Order.free(schema.D, False)
    return trees.Forest(
        shuffled, np.zeros(schema.D, dtype=bool), Information.none(schema), free, 2**26
    )


def grown(rows, schema, penalties):
    """The trees of all variables, for each of the penalties."""
    found = forest(rows, schema)
    fit = Fit()
    return [found.trees() for _ in found.grow(penalties, fit=fit, clock=fit.clock)]


def splits(trees):
    return [tree.splits.tolist() for tree in trees]


def test_one_search_gives_the_trees_of_every_penalty():
    schema, rows = noisy_copies(10)
    stages = grown(rows, schema, (16.0, 4.0, 1.0))
    for few, more in pairwise(stages):
        assert sum(t.n_splits for t in few) < sum(t.n_splits for t in more)
        for small, large in zip(few, more, strict=True):
            N = len(small.above)
            np.testing.assert_array_equal(large.above[:N], small.above)
            np.testing.assert_array_equal(large.counts[:N], small.counts)
            asks = small.splits[:, 0] >= 0
            np.testing.assert_array_equal(large.parents[large.splits[:N, 0][asks]],
                                          small.parents[small.splits[asks, 0]])  # fmt: skip


def test_growth_goes_on_where_the_time_was_over(ticking):
    schema, rows = noisy_copies(10)
    whole = splits(grown(rows, schema, (2.0,))[0])
    ticking(1.0)
    found, parts = forest(rows, schema), 0
    finished = False
    while not finished:
        fit = Fit(budget=Budget(seconds=6.0))
        finished = [done for _, done in found.grow((2.0,), fit=fit, clock=fit.clock)][-1]
        parts += 1
    assert parts > 3
    assert splits(found.trees()) == whole


def test_what_is_counted_by_subtraction_is_what_is_counted(monkeypatch):
    rows = np.random.default_rng(0).integers(0, 5, (3000, 6))
    rows[:, 1:] = np.where(
        np.random.default_rng(1).random((3000, 5)) < 0.5, rows[:, :1], rows[:, 1:]
    )
    schema, counted = nominal(*[5] * 6), []
    count = Indicators.count

    def spied(self, which, group, n_groups):
        counted.append(len(which))
        return count(self, which, group, n_groups)

    monkeypatch.setattr(Indicators, "count", spied)
    quick, few = splits(grown(rows, schema, (2.0,))[0]), sum(counted)
    counted.clear()
    monkeypatch.setattr(trees, "_KEPT_COUNTS", 0)
    assert splits(grown(rows, schema, (2.0,))[0]) == quick
    assert few < 0.7 * sum(counted)


def test_large_leaves_are_looked_at_by_a_sample_where_that_is_sure(monkeypatch):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 3, (20_000, 4))
    rows[:, 1] = np.where(rng.random(20_000) < 0.7, rows[:, 0], rows[:, 1])
    rows[:, 3] = np.where(rng.random(20_000) < 0.06, rows[:, 2], rows[:, 3])  # only all rows tell
    rows = np.concatenate([rows, np.arange(20_000)[:, None] % 64], axis=1)
    schema = nominal(3, 3, 3, 3, 64)
    everything = splits(grown(rows, schema, (8.0,))[0])
    monkeypatch.setattr(trees, "_SAMPLE", 2000)
    assert splits(grown(rows, schema, (8.0,))[0]) == everything


def test_the_dirichlet_score_of_large_counts_takes_little_memory():
    tracemalloc.start()
    rising = LogRising(10**8)
    k = np.array([0, 1, 2**16 - 1, 2**16, 10**8])
    for a in np.linspace(0.1, 2, 140):
        found = rising(a, k)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(found, special.gammaln(k + 2.0) - special.gammaln(2.0), atol=1e-6)
    assert peak < 130 * 2**20


def test_one_long_string_among_short_ones_takes_memory_as_the_rows_do():
    data = ["ab", "ba", "abab"] * 15 + ["ab" * 500]
    schema = Schema.infer(data)
    rows = schema.encode(data)
    tracemalloc.start()
    model = BayesianNetwork(structure="chow_liu").fit(rows, schema=schema)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * schema.D**2  # a number for each pair of positions
    assert np.isfinite(model.log_prob(rows).value).all()
    drawn = model.sample(50, seed=0)
    assert max(map(len, drawn)) <= 1000


def test_trees_are_grown_within_a_budget_of_which_each_count_takes_its_time(clock, monkeypatch):
    count = Indicators.count

    def slow(self, which, group, n_groups):
        clock.at += 4e-6 * len(which) * len(self.variable)
        return count(self, which, group, n_groups)

    monkeypatch.setattr(Indicators, "count", slow)
    schema, rows = noisy_copies(24, n=1500)
    model = BayesianNetwork().fit(rows[:1200], valid=rows[1200:], schema=schema, budget="10s")
    assert model.training_.stopped_by == "budget"
    assert clock.at < 1.2 * 10
    tree = BayesianNetwork(structure="chow_liu").fit(rows[:1200], schema=schema)
    assert model.kind_ == "trees"
    assert model.score(rows[1200:]) > tree.score(rows[1200:]) + 0.5


@pytest.mark.parametrize("seconds", [4.0, 6.0])
def test_rows_are_completed_once_more_only_where_there_is_time(seconds, clock, monkeypatch):
    redraw = Completions.redraw

    def slow(self, rows, completed, rng):
        clock.at += seconds
        return redraw(self, rows, completed, rng)

    monkeypatch.setattr(Completions, "redraw", slow)
    schema, rows = mixed_table()
    rows = np.where(np.random.default_rng(1).random(rows.shape) < 0.2, MISSING, rows)
    model = BayesianNetwork().fit(rows, schema=schema, budget="10s")
    assert clock.at <= 10
    assert model.training_.stopped_by == "budget"
    again = BayesianNetwork().fit(rows, schema=schema, budget=Budget.replay(model.training_, "10s"))
    np.testing.assert_array_equal(again.log_prob(rows).value, model.log_prob(rows).value)


def test_many_patterns_of_holes_are_planned_once(monkeypatch):
    rng = np.random.default_rng(0)
    schema, rows = noisy_copies(12)
    chain = [(d, d + 1) for d in range(11)]
    model = BayesianNetwork(structure=chain).fit(rows, schema=schema)
    queries = np.where(rng.random((200, 12)) < 0.4, MISSING, rows[:200])
    queries[0] = MISSING
    alone = [model.log_prob(q[None]).value[0] for q in queries]
    planned, order = [], inference.elimination_order

    def counted(*arguments, **options):
        planned.append(1)
        return order(*arguments, **options)

    monkeypatch.setattr(inference, "elimination_order", counted)
    np.testing.assert_allclose(model.log_prob(queries).value, alone, atol=1e-9)
    filled = model.sample(len(queries), given=queries, seed=0)
    np.testing.assert_array_equal(filled[queries != MISSING], queries[queries != MISSING])
    assert len(planned) <= 4


@pytest.mark.parametrize("structure", STRUCTURES)
def test_completions_of_many_patterns_follow_the_exact_conditional(structure):
    """Two chi-square tests, each with a false alarm at 1e-6."""
    model = fit_mixed(structure, most_bins=6)
    queried = np.array([-1, -1, 0, 1, 20])
    others = model.schema_.enumerate()[:4000:40].copy()
    others[np.arange(len(others)), np.arange(len(others)) % 5] = MISSING
    given = np.concatenate([np.repeat(queried[None], 20_000, axis=0), others])
    drawn = model.sample(len(given), given=given, seed=1)[:20_000]
    space = model.schema_.enumerate()
    space = space[agreeing(space, queried)]
    mass = np.exp(model.log_prob(space).value)
    check_draws(drawn, space, mass / mass.sum())


def test_masses_too_small_to_be_multiplied_are_added_in_logs(monkeypatch):
    model = fit_mixed("greedy")
    rng = np.random.default_rng(0)
    rows = mixed_table(100)[1]
    queries = np.where(rng.random(rows.shape) < 0.4, MISSING, rows)
    values, filled = model.log_prob(queries).value, model.sample(100, given=queries, seed=0)
    monkeypatch.setattr(inference, "SMALLEST", np.inf)
    np.testing.assert_allclose(model.log_prob(queries).value, values, atol=1e-9)
    np.testing.assert_array_equal(model.sample(100, given=queries, seed=0), filled)


@pytest.mark.parametrize(
    ("fit", "structure"),
    [(fit_mixed, "greedy"), (fit_copies, "chow_liu"), (fit_strings, "greedy")],
)
def test_all_codes_of_a_variable_are_told_by_one_pass(fit, structure, monkeypatch):
    model = fit(structure)
    space = model.schema_.enumerate()
    rng = np.random.default_rng(0)
    rows = space[rng.integers(0, len(space), 40)]
    holes = np.where(rng.random(rows.shape) < 0.3, MISSING, rows)
    if model.schema_.end is None:
        rows = np.concatenate([rows, holes])
    wanted = [
        GenerativeModel._log_prob_each(model, rows, d, seed=0) for d in range(model.schema_.D)
    ]
    passes, whole = [], Network.log_prob

    def counted(self, rows, *, seed):
        passes.append(1)
        return whole(self, rows, seed=seed)

    monkeypatch.setattr(Network, "log_prob", counted)
    for d, values in enumerate(wanted):
        found = model._log_prob_each(rows, d, seed=0)
        np.testing.assert_allclose(found, values, atol=1e-9)
    assert passes == [] or fit is fit_strings  # there a code decides what may come after it


# -------------------------------------------------------------------- state


@pytest.mark.parametrize("fit", [fit_mixed, fit_strings])
@pytest.mark.parametrize("structure", [*STRUCTURES, [[0, 1], [1, 3]]])
def test_a_saved_model_comes_back(fit, structure, tmp_path):
    model = fit(structure)
    model.save(tmp_path / "model")
    again = genzoo.load_model(tmp_path / "model")
    space = model.schema_.enumerate()
    np.testing.assert_array_equal(again.log_prob(space).value, model.log_prob(space).value)
    np.testing.assert_array_equal(again.sample(20, seed=1), model.sample(20, seed=1))
    assert again.edges_ == model.edges_
    assert again.n_parameters_ == model.n_parameters_


def test_the_number_of_parameters_counts_free_masses():
    rows = np.random.default_rng(0).integers(0, 3, (200, 3))
    model = BayesianNetwork(structure=[(0, 2)]).fit(rows, schema=nominal(3, 3, 3))
    assert model.n_parameters_ == 2 + 2 + 3 * 2


# -------------------------------------------------------------------- pgmpy and BIF


def pgmpy_log_prob(network, states):
    """Log mass of one assignment {node: state}, from the network's own tables."""
    return sum(np.log(cpd.get_value(**{v: states[v] for v in cpd.variables}))
               for cpd in network.get_cpds())  # fmt: skip


def test_the_pgmpy_network_has_the_same_masses():
    schema = Schema(
        (
            Variable("colour", "nominal", categories=("red", "green", "blue")),
            Variable("size", "ordinal", categories=("small", "large")),
            Variable("grade", "ordinal", 4, offset=1, step=1),
        ),
        "table",
        (3,),
    )
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 3, 500)
    size = (rng.random(500) < 0.2 + 0.3 * colour).astype(int)
    rows = np.stack([colour, size, np.clip(colour + size + rng.integers(0, 2, 500), 0, 3)], 1)
    model = BayesianNetwork().fit(rows, schema=schema)
    state = np.random.get_state()[1].copy(), random.getstate()
    network = model.network_
    assert (np.random.get_state()[1] == state[0]).all()
    assert random.getstate() == state[1]
    assert network.check_model()
    assert sorted(network.edges()) == sorted(model.edges_)
    for row in schema.enumerate():
        states = {v.name: (v.categories or (1, 2, 3, 4))[c]
                  for v, c in zip(schema.variables, row, strict=True)}  # fmt: skip
        assert pgmpy_log_prob(network, states) == pytest.approx(
            model.log_prob(row[None]).value[0], abs=1e-9
        )


@pytest.mark.filterwarnings("ignore::FutureWarning:pgmpy")
def test_marginals_agree_with_pgmpys_own_inference():
    from pgmpy.inference import VariableElimination

    rows = np.random.default_rng(0).integers(0, 2, (300, 5))
    rows[:, 2], rows[:, 4] = rows[:, 0] | rows[:, 1], rows[:, 2] ^ rows[:, 3]
    schema = nominal(*[2] * 5)
    model = BayesianNetwork(structure=[(0, 2), (1, 2), (2, 4), (3, 4)]).fit(rows, schema=schema)
    answer = VariableElimination(model.network_).query(["x0", "x3"], evidence={"x4": 1})
    queries = np.full((4, 5), MISSING)
    queries[:, [0, 3]], queries[:, 4] = [[0, 0], [0, 1], [1, 0], [1, 1]], 1
    ours = np.exp(model.log_prob(queries).value)
    wanted = [answer.get_value(x0=a, x3=b) for a, b in queries[:, [0, 3]]]
    np.testing.assert_allclose(ours / ours.sum(), wanted, atol=1e-9)


@pytest.mark.parametrize("fit", [fit_mixed, fit_strings])
def test_a_bif_file_is_read_again_by_pgmpy_with_the_same_masses(fit, tmp_path):
    from pgmpy.readwrite import BIFReader

    model = fit("greedy")
    network = BIFReader(model.export_bif(tmp_path / "network.bif")).get_model()
    assert network.check_model()
    nodes = list(network.nodes())
    space = model.schema_.enumerate()[::7]
    mine, coarse = model.log_prob(space).value, model.coarsening_
    bins = coarse.to_bins(space)
    for row, bin_row, value in zip(space, bins, mine, strict=True):
        states = {}
        for node, code in zip(nodes, bin_row, strict=True):
            states[node] = network.get_cpds(node).state_names[node][code]
        inside = coarse.log_shares(row[None])[0]
        assert pgmpy_log_prob(network, states) + inside == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("fit", [fit_mixed, fit_strings])
def test_a_bif_file_is_read_as_a_truth_of_the_same_masses(fit, tmp_path):
    model = fit("greedy")
    truth = bif.read(model.export_bif(tmp_path / "network.bif").read_text())
    space = model.schema_.enumerate()[::7]
    coarse = model.coarsening_
    with np.errstate(divide="ignore"):
        found = truth.log_prob(coarse.to_bins(space)) + coarse.log_shares(space)
    np.testing.assert_allclose(found, model.log_prob(space).value, atol=1e-9)


def test_awkward_names_survive_the_bif_format(tmp_path):
    from pgmpy.readwrite import BIFReader

    data = pd.DataFrame({"a b": ["x, y", "x; y", "{z}"] * 30, "A B": ["/* no", "1", "?"] * 30})
    model = BayesianNetwork().fit(data)
    network = BIFReader(model.export_bif(tmp_path / "network.bif")).get_model()
    assert network.check_model()
    assert len(network.nodes()) == 2
    assert all(len(set(cpd.state_names[cpd.variable])) == 3 for cpd in network.get_cpds())


def test_coarsened_ordinals_are_exported_by_their_bins():
    model = fit_mixed("greedy", most_bins=6)
    names = model.network_.get_cpds("amount").state_names["amount"]
    assert len(names) == model.coarsening_.cards[4] <= 7
    assert names[-1] == "missing"


def test_tables_that_would_be_too_large_leave_the_graph_alone(tmp_path):
    rows = np.random.default_rng(0).integers(0, 9, (300, 5))
    model = BayesianNetwork(structure=[(d, 4) for d in range(4)])
    model.fit(rows, schema=nominal(*[9] * 5))
    network = model.network_
    assert len(network.edges()) == 4
    assert network.get_cpds() == []
    assert "x4" in network.graph["reason"]
    with pytest.raises(Unsupported, match="x4"):
        model.export_bif(tmp_path / "network.bif")


# -------------------------------------------------------------------- measured figures


def debd(folder, name, part):
    with gzip.open(folder / "debd" / f"{name}.{part}.data.gz", "rt") as file:
        return np.loadtxt(file, delimiter=",", dtype=np.int64)


@pytest.mark.parametrize(
    ("name", "measured"), [("nltcs", -6.7590), ("plants", -16.5240), ("dna", -87.7348)]
)
def test_chow_liu_on_binary_tables(data_folder, name, measured):
    train, test = debd(data_folder, name, "train"), debd(data_folder, name, "test")
    schema = nominal(*[2] * train.shape[1])
    model = BayesianNetwork(structure="chow_liu").fit(train, schema=schema)
    assert model.log_prob(test).mean().value == pytest.approx(measured, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "measured"),
    [("nltcs", -6.02), ("plants", -12.62), ("dna", -80.25), ("tretail", -10.86)],
)
def test_the_default_on_binary_tables(data_folder, name, measured):
    train, valid, test = (debd(data_folder, name, p) for p in ("train", "valid", "test"))
    schema = nominal(*[2] * train.shape[1])
    model = BayesianNetwork().fit(train, schema=schema, valid=valid)
    assert model.log_prob(test).mean().value > 1.01 * measured


@pytest.mark.slow
def test_alarm_is_learned_to_within_a_few_hundredths_of_a_nat():
    data = genzoo.load_dataset("alarm")
    model = BayesianNetwork().fit(data)
    gap = np.mean(data.truth.log_prob(data.test) - model.log_prob(data.test).value)
    assert 0 < gap < 0.08


def test_unseen_values_keep_mass_at_the_bottom_of_a_deep_tree():
    # a chain of hundreds of splits, each of which shrinks an unseen value's mass forty times
    n = 250
    rows = np.repeat(np.arange(n), 20)[:, None].repeat(2, axis=1)
    model = BayesianNetwork().fit(rows, schema=nominal(n + 1, n + 1), valid=rows[::7], budget="30s")
    unseen = np.stack([np.arange(n + 1), np.full(n + 1, n)], axis=1)
    value = model.log_prob(unseen).value
    assert np.isfinite(value).all()
    assert value.min() < np.log(np.finfo(float).tiny)  # at the bottom it is as small as can be
