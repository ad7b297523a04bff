"""Products that stop at END, against enumeration of all strings.

Seeds are fixed. The G-tests raise a false alarm with probability 1e-6 each.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from genzoo import MISSING, Schema, Variable
from genzoo.models.shared import stopping

END, T, M = 1, 4, 3
SCHEMA = Schema(tuple(Variable(f"x{t}", "nominal", M) for t in range(T)), "sequence", (T,), END)
EVERY = SCHEMA.enumerate()
TABLE = np.log(np.random.default_rng(0).dirichlet(np.ones(M), size=T))
QUERIES = [[-1, -1, -1, -1], [-1, 0, -1, -1], [0, -1, -1, 1], [-1, -1, 1, 1], [2, -1, 0, -1]]


def term_by_term(row: np.ndarray) -> float:
    total = 0.0
    for t, code in enumerate(row):
        total += TABLE[t, code]
        if code == END:
            break
    return total


TRUTH = np.array([term_by_term(row) for row in EVERY])


def agreeing(queried: np.ndarray) -> np.ndarray:
    return ((queried == EVERY) | (queried == MISSING)).all(axis=1)


def test_complete_rows_are_products_up_to_their_end() -> None:
    np.testing.assert_allclose(stopping.log_prob(TABLE, EVERY, END), TRUTH, atol=1e-12)
    assert np.exp(TRUTH).sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("queried", QUERIES)
def test_holes_are_summed_out(queried) -> None:
    queried = np.array(queried)
    found = stopping.log_prob(TABLE, queried[None], END)[0]
    assert found == pytest.approx(np.logaddexp.reduce(TRUTH[agreeing(queried)]), abs=1e-12)


@pytest.mark.parametrize("queried", QUERIES)
@pytest.mark.parametrize("each_its_own", [False, True])
def test_completions_follow_the_conditional(queried, each_its_own) -> None:
    queried, n = np.array(queried), 20_000
    table = np.tile(TABLE, (n, 1, 1)) if each_its_own else TABLE
    rows = np.repeat(queried[None], n, axis=0)
    drawn = stopping.completed(rows, table, END, np.random.default_rng(1))
    space, mass = EVERY[agreeing(queried)], np.exp(TRUTH[agreeing(queried)])
    index = {tuple(row): i for i, row in enumerate(space.tolist())}
    counts = np.bincount([index[tuple(row)] for row in drawn.tolist()], minlength=len(space))
    expected = n * mass / mass.sum()
    rare = expected < 5
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    keep = expected > 0
    G = stats.power_divergence(counts[keep], expected[keep], lambda_="log-likelihood")
    assert keep.sum() == 1 or G.pvalue > 1e-6


def test_counts_with_holes_are_at_a_maximum_of_the_likelihood() -> None:
    """Whatever cell is made larger or smaller, the likelihood of the rows falls."""
    rng = np.random.default_rng(2)
    rows = EVERY[rng.choice(len(EVERY), 500, p=np.exp(TRUTH))]
    holes = np.where(rng.random(rows.shape) < 0.4, MISSING, rows)
    ended = np.cumsum(holes == END, axis=1) > 0
    holes = np.where(ended, END, holes)
    counts = np.zeros((T, M))
    reached = np.cumsum(holes == END, axis=1) - (holes == END) == 0
    i, d = np.nonzero(reached & (holes != MISSING))
    np.add.at(counts, (d, holes[i, d]), 1.0)
    filled = stopping.filled_counts(counts, holes, END, a=0.0)

    def likelihood(counts: np.ndarray) -> float:
        table = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
        return float(stopping.log_prob(table, holes, END).sum())

    best = likelihood(filled)
    for t in range(T):
        for code in range(M):
            for factor in (0.97, 1.03):
                moved = filled.copy()
                moved[t, code] *= factor
                assert likelihood(moved) < best or filled[t, code] < 1e-6


def test_counts_of_long_strings_take_no_table_of_all_windows() -> None:
    """That of first and last positions would be 190 MiB."""
    rng = np.random.default_rng(3)
    D, lengths = 5000, rng.integers(1, 5000, 40)
    place = np.arange(D)
    rows = np.where(place < lengths[:, None], 0, 1)
    rows[:, 1:] = np.where(rng.random((40, D - 1)) < 0.01, MISSING, rows[:, 1:])
    counts = np.stack([(rows == code).sum(axis=0) for code in (0, 1)], axis=1).astype(float)
    tracemalloc.start()
    try:
        filled = stopping.filled_counts(counts, rows, 1, 0.0)
        assert tracemalloc.get_traced_memory()[1] < 30 * 2**20
    finally:
        tracemalloc.stop()
    assert filled[:, 1].sum() == pytest.approx(40, abs=1.0)


def test_completions_are_drawn_a_few_rows_at_a_time() -> None:
    """Their scores all together would be 76 MiB, twice."""
    given = np.full((2000, 100), MISSING)
    table = np.log(np.full((100, 50), 0.02))
    tracemalloc.start()
    try:
        rows = stopping.completed(given, table, 49, np.random.default_rng(0))
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()
    assert (rows != MISSING).all()
