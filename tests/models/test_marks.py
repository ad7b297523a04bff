"""Completions are exact draws given that no filled-in entry is the missing mark.

The columns are so full of holes that redrawing rows until no mark is left would give up: what the
families draw must be right at once. Each G-test raises a false alarm with probability 1e-6.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from genzoo import HMM, MISSING, BayesianNetwork, Circuit, Independent, Mixture, Schema, Variable
from genzoo.models.bayesian_network.limits import Limits

MODELS = {
    "independent": Independent(),
    "chow_liu": BayesianNetwork(structure="chow_liu", most_bins=6),
    "greedy": BayesianNetwork(most_bins=6),
    "given edges": BayesianNetwork(structure=[(0, 1), (0, 2), (1, 2), (2, 3)], most_bins=6),
    "mixture": Mixture(n_components=3, n_restarts=1),
    "circuit": Circuit(n_states=3, n_trees=2),
    "hmm": HMM(n_states=3, n_restarts=1),
    "ergodic hmm": HMM(n_states=3, n_restarts=1, transitions="ergodic"),
}
TABLE = Schema(
    (
        Variable("label", "nominal", 3),
        Variable("a", "nominal", 4, missing=True),
        Variable("b", "ordinal", 40, offset=0, step=1, missing=True),
        Variable("c", "nominal", 3, missing=True),
        Variable("nothing", "nominal", 1, missing=True),
    ),
    "table",
    (5,),
)
SEQUENCE = Schema(
    tuple(Variable(f"x{t}", "nominal", 4, missing=True) for t in range(5)), "sequence", (5,)
)


def holey_table(n=3000, seed=0):
    """Whether a value is known, and what it is, depends on the label and the other columns."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    a = np.where(rng.random(n) < 0.8, label, rng.integers(0, 3, n))
    b = np.clip(rng.poisson(6 + 9 * a), 0, 38)
    c = (b + rng.integers(0, 2, n)) % 2
    rows = np.stack([label, a, b, c, 0 * a], axis=1)
    known = rng.random((n, 3)) < np.array([0.02, 0.05, 0.08])[label][:, None]
    rows[:, 1:4] = np.where(known, rows[:, 1:4], [3, 39, 2])
    return rows


def holey_sequence(n=2000, seed=0):
    rng = np.random.default_rng(seed)
    rows = (rng.integers(0, 3, (n, 1)) + np.cumsum(rng.random((n, 5)) < 0.3, axis=1)) % 3
    return np.where(rng.random((n, 5)) < 0.05, rows, 3)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "given",
    [
        [1, -1, -1, -1, -1],
        [-1, -1, -1, -1, -1],
        [-1, 3, -1, 0, -1],
        [-1, -1, 39, -1, 0],
        [2, 1, -1, 2, -1],
    ],
)
def test_completions_of_a_table_never_hold_the_mark(name, given):
    """Thirty G-tests."""
    model = MODELS[name].fit(holey_table(), schema=TABLE, seed=0, budget="40 steps")
    check_conditional(model, np.array(given), np.array([-2, 3, 39, 2, -2]))


@pytest.mark.parametrize("name", ["independent", "chow_liu", "greedy", "hmm"])
@pytest.mark.parametrize("given", [[0, -1, -1, -1, -1], [-1, 3, -1, 1, -1], [-1] * 5])
def test_completions_of_a_sequence_never_hold_the_mark(name, given):
    """Twelve G-tests."""
    model = MODELS[name].fit(holey_sequence(), schema=SEQUENCE, seed=0, budget="40 steps")
    check_conditional(model, np.array(given), np.full(5, 3))


def check_conditional(model, given, marks, n=20_000):
    space = model.schema_.enumerate()
    agree = ((space == given) | (given == MISSING)).all(axis=1)
    space = space[agree & ~((space == marks) & (given == MISSING)).any(axis=1)]
    value = model.log_prob(space).value
    mass = np.exp(value - np.logaddexp.reduce(value))
    drawn = model.sample(n, given=given, seed=1)
    index = {tuple(row): i for i, row in enumerate(space.tolist())}
    counts = np.bincount([index[tuple(row)] for row in drawn.tolist()], minlength=len(space))
    expected = n * mass
    big = expected >= 5
    observed = np.append(counts[big], counts[~big].sum())
    wanted = np.append(expected[big], expected[~big].sum())
    keep = wanted > 1e-9
    seen = observed[keep]
    G = 2 * (seen * np.log(np.maximum(seen, 1) / wanted[keep])).sum()
    assert stats.chi2.sf(G, keep.sum() - 1) > 1e-6 or keep.sum() == 1


@pytest.mark.parametrize("holes", [0.5, 0.9])
@pytest.mark.parametrize("name", ["independent", "chow_liu", "greedy", "hmm"])
def test_many_columns_with_holes_are_completed(name, holes):
    model = MODELS[name]
    if name != "hmm":
        model = type(model)(**{k: v for k, v in model.get_params().items() if k != "most_bins"})
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            f"c{i}": np.where(rng.random(300) < holes, np.nan, rng.integers(0, 3, 300))
            for i in range(12)
        }
    )
    drawn = model.fit(data, budget="40 steps").sample(50, given={"c0": 1})
    assert drawn.notna().all(axis=None)
    assert (drawn["c0"] == 1).all()


def test_a_mark_that_makes_elimination_too_large_is_avoided_by_drawing_anew():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2, (2000, 7))
    rows[:, 6] = np.where(rng.random(2000) < 0.5, 2, rows[:, :6].sum(axis=1) % 2)
    variables = tuple(Variable(f"x{d}", "nominal", 2) for d in range(6))
    schema = Schema((*variables, Variable("sum", "nominal", 3, missing=True)), "table", (7,))
    model = BayesianNetwork(structure=[(d, 6) for d in range(6)])
    model.limits = Limits(largest_factor=8)
    model.fit(rows, schema=schema)
    given = np.full(7, MISSING)
    assert (model.sample(500, given=given, seed=0)[:, 6] < 2).all()


def test_values_that_a_component_hardly_has_are_drawn_as_its_conditional_says():
    """Where all columns say that a value is missing, what fills it in is told by masses that are
    lost in one less the mark's."""
    rng = np.random.default_rng(0)
    missing, code = rng.integers(0, 2, 600), rng.integers(0, 5, 600)
    rows = np.stack([np.where(missing, 5, code), *[missing] * 60], axis=1)
    value = Variable("value", "nominal", 6, missing=True)
    others = [Variable(f"x{j}", "nominal", 2) for j in range(60)]
    model = Mixture(n_components=64, pseudo_count=1e-9, n_restarts=1)
    model.fit(rows, schema=Schema((value, *others), "table", (61,)))
    given = np.array([MISSING, *[1] * 60])
    every = np.tile(given, (5, 1))
    every[:, 0] = np.arange(5)
    log_mass = model.log_prob(every).value
    masses = np.exp(log_mass - np.logaddexp.reduce(log_mass))
    drawn = np.bincount(model.sample(4000, given=given, seed=1)[:, 0], minlength=5)
    assert stats.chisquare(drawn, 4000 * masses).pvalue > 1e-6
