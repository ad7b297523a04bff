"""Particles against enumeration: a process whose every conditional is a table of all prefixes."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from scipy import stats

from genzoo import MISSING
from genzoo.models.shared import particles


class Prefixes:
    """Random conditionals of D variables, each given all those before it; END optional."""

    def __init__(self, cards: list[int], end: int | None = None, sharpness: float = 1.5) -> None:
        rng = np.random.default_rng(0)
        self.cards, self.end = np.array(cards), end
        self.tables = []
        for v, card in enumerate(cards):
            shape = (*cards[:v], card)
            logits = sharpness * rng.normal(size=shape)
            if end is not None and v:
                logits[..., end, :] = np.where(np.arange(card) == end, 0.0, -np.inf)
            self.tables.append(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))
        self.rows = np.array(list(product(*map(range, cards))))
        self.log_p = sum(
            table[tuple(self.rows[:, : v + 1].T)] for v, table in enumerate(self.tables)
        )
        self.process = particles.Process(
            range(len(cards)), self.cards, lambda n: self, int(max(cards)), end
        )

    def log_probs(self, v: int, codes: np.ndarray) -> np.ndarray:
        at = tuple(codes[:, :v].T)
        return self.tables[v][at] if v else np.repeat(self.tables[0][None], len(codes), axis=0)

    def seen(self, variables: list[int], codes: np.ndarray) -> np.ndarray:
        return particles.one_by_one(self, variables, codes)

    def follow(self, ancestors: np.ndarray) -> None:
        """Codes are all that the tables look at."""

    def truth(self, queried: np.ndarray) -> float:
        agree = ((self.rows == queried) | (queried == MISSING)).all(axis=1)
        return float(np.logaddexp.reduce(self.log_p[agree]))


@cache
def table() -> Prefixes:
    return Prefixes([3, 2, 4, 3, 3, 2, 3])


@cache
def strings() -> Prefixes:
    return Prefixes([4] * 6, end=3)


QUERIES = {
    table: [[-1, -1, -1, -1, -1, 1, -1], [-1, 0, -1, 2, -1, -1, 2], [-1, -1, 3, -1, 0, -1, -1]],
    strings: [[-1, -1, 1, -1, 0, -1], [-1, -1, -1, -1, 2, -1], [0, -1, -1, -1, 3, 3]],
}
CASES = [(of, np.array(q)) for of, queries in QUERIES.items() for q in queries]


FEW = particles.Limits(particles=16)  # so few that nothing is summed exactly


def repeated(of: Prefixes, queried: np.ndarray, n: int, limits: particles.Limits = FEW):
    rows = np.repeat(queried[None], n, axis=0)
    return particles.log_prob(replace(of.process, limits=limits), rows, np.arange(n), seed=0)


@pytest.mark.parametrize("of", [table, strings])
def test_few_completions_are_summed_exactly(of) -> None:
    rng = np.random.default_rng(1)
    legal = of().rows[np.isfinite(of().log_p)]
    rows = np.where(rng.random((200, of().rows.shape[1])) < 0.4, MISSING, rng.choice(legal, 200))
    if of is strings:
        rows = np.where(np.cumsum(rows == 3, axis=1) > 0, 3, rows)
    found = particles.log_prob(of().process, rows, np.arange(200), seed=0)
    exact = found.stderr == 0
    assert exact.mean() > 0.9
    truth = np.array([of().truth(row) for row in rows])
    np.testing.assert_allclose(found.value[exact], truth[exact], atol=1e-12)
    assert particles.log_prob(of().process, rows[exact], np.arange(200), seed=0).kind == "exact"


@pytest.mark.parametrize(("of", "queried"), CASES)
def test_estimates_are_unbiased(of, queried) -> None:
    """Six tests at 4 standard errors: one false alarm in 2000 runs, had the seed been free."""
    truth = of().truth(queried)
    found = repeated(of(), queried, 3000)
    assert (found.kind, found.estimator) == ("lower_bound", "smc")
    ratio = np.exp(found.value - truth)
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(len(ratio))
    assert found.value.mean() < truth
    error = np.sqrt(np.mean((found.value - truth) ** 2))
    assert 0.5 < np.sqrt(np.mean(found.stderr**2)) / error < 1.5


def test_more_particles_are_tighter() -> None:
    of, queried = CASES[0]
    gaps = []
    for K in (8, 16, 64, 128):
        found = repeated(of(), queried, 400, particles.Limits(K))
        gaps.append(of().truth(queried) - found.value.mean())
        assert (found.ess <= K * (1 + 1e-12)).all()
    assert gaps[0] > 1.5 * gaps[1] > 2 * gaps[2] > 2 * gaps[3] > 0


@pytest.mark.parametrize(("of", "queried"), CASES)
@pytest.mark.parametrize("K", [64, 2048])
def test_completions_follow_the_conditional(of, queried, K) -> None:
    """G-tests at 1e-6, through few particles and through the exact sum."""
    model, n = of(), 4000
    process = replace(model.process, limits=particles.Limits(K))
    rows = np.repeat(queried[None], n, axis=0)
    drawn, ess = particles.complete(process, rows, np.arange(n), seed=1)
    last = np.flatnonzero(queried != MISSING)[-1] + 1
    assert (drawn[:, last:] == MISSING).all()
    assert (drawn[:, :last][rows[:, :last] != MISSING] == rows[rows != MISSING]).all()
    agree = ((model.rows == queried) | (queried == MISSING)).all(axis=1)
    heads, which = np.unique(model.rows[agree][:, :last], axis=0, return_inverse=True)
    p = np.bincount(which.reshape(-1), weights=np.exp(model.log_p[agree] - model.truth(queried)))
    of_head = {tuple(head): i for i, head in enumerate(heads.tolist())}
    counts = np.bincount([of_head[tuple(d)] for d in drawn[:, :last].tolist()], minlength=len(p))
    assert counts[p == 0].sum() == 0
    rare = n * p < 5
    counts, expected = np.append(counts[~rare], counts[rare].sum()), np.append(p[~rare], 0)
    expected[-1] = p[rare].sum()
    keep = expected > 1e-12
    counts, expected = counts[keep], n * expected[keep] / expected[keep].sum()
    assert stats.power_divergence(counts, expected, lambda_="log-likelihood").pvalue > 1e-6
    assert (ess <= K * (1 + 1e-12)).all()
    np.testing.assert_allclose(ess[: n if K == 2048 else 0], K)


def test_barred_codes_are_not_filled_in_and_changed_conditionals_are_drawn_from() -> None:
    model, queried = CASES[0][0](), CASES[0][1]
    rows, at = np.repeat(queried[None], 300, axis=0), np.arange(300)
    barred = np.array([0, -1, 2, -1, 1, -1, -1])
    drawn, _ = particles.complete(model.process, rows, at, seed=0, barred=barred)
    assert not (drawn[:, :5] == barred[:5]).any()
    likeliest, _ = particles.complete(
        model.process,
        rows,
        at,
        seed=0,
        barred=barred,
        change=lambda log_p: np.where(log_p == log_p.max(axis=-1, keepdims=True), 0.0, -np.inf),
    )
    assert len(np.unique(likeliest, axis=0)) == 1
    assert not (likeliest[:, :5] == barred[:5]).any()


def test_a_row_has_noise_of_its_own() -> None:
    of, queried = CASES[1]
    process = replace(of().process, limits=FEW)
    rows = np.stack([queried, CASES[0][1], queried, CASES[2][1]])
    at = np.array([5, 1, 2, 0])
    together = particles.log_prob(process, rows, at, seed=3)
    alone = [
        particles.log_prob(process, row[None], k[None], seed=3).value[0]
        for row, k in zip(rows, at, strict=True)
    ]
    np.testing.assert_allclose(together.value, alone, atol=1e-12)
    assert together.value[0] != together.value[2]
    assert (together.value != particles.log_prob(process, rows, at, seed=4).value).all()


def test_small_batches_change_nothing() -> None:
    of, queried = CASES[4]
    whole, one = repeated(of(), queried, 20), repeated(of(), queried, 20, replace(FEW, numbers=1))
    np.testing.assert_allclose(one.value, whole.value, atol=1e-12)


class Remembering:
    """Coins in a row, each as the one before in three of four; it holds what it was told."""

    def __init__(self, n: int) -> None:
        self.codes = np.zeros((n, 0), dtype=np.int64)
        self.asked, self.moved, self.stayed = [], 0, 0

    def log_probs(self, v: int, codes: np.ndarray) -> np.ndarray:
        self.told([v], codes)
        if v == 0:
            return np.full((len(codes), 2), np.log(0.5))
        return np.log(np.where(codes[:, v - 1, None] == [0, 1], 0.75, 0.25))

    def seen(self, variables: list[int], codes: np.ndarray) -> np.ndarray:
        self.told(variables, codes)
        before = np.where(np.array(variables) > 0, codes[:, np.array(variables) - 1], -1)
        alike = np.where(codes[:, variables] == before, 0.75, 0.25)
        return np.log(np.where(before < 0, 0.5, alike))

    def told(self, variables: list[int], codes: np.ndarray) -> None:
        """It is asked for what comes next, with codes before that continue those it remembers."""
        assert len(codes) == len(self.codes)
        known = self.codes.shape[1]
        assert (self.codes == codes[:, :known]).all()
        self.codes = codes[:, : variables[0]]
        self.asked.append(list(variables))

    def follow(self, ancestors: np.ndarray) -> None:
        if len(ancestors) == len(self.codes):
            self.stayed += int((ancestors == np.arange(len(ancestors))).sum())
            self.moved += int((ancestors != np.arange(len(ancestors))).sum())
        self.codes = self.codes[ancestors]


def remembering(row: np.ndarray) -> tuple[Remembering, float]:
    """The walk of one row, and the value it led to."""
    walks = []

    def walk(n: int) -> Remembering:
        walks.append(Remembering(n))
        return walks[-1]

    process = particles.Process(range(len(row)), np.full(len(row), 2), walk, 2, limits=FEW)
    value = particles.log_prob(process, row[None], np.arange(1), seed=0).value[0]
    return walks[0], value


def test_a_walk_is_told_of_every_particle_where_it_comes_from() -> None:
    """Two of three children's parents keep their places, so that little need be copied."""
    row = np.full(60, MISSING)
    row[[0, -1]] = 1
    walk, value = remembering(row)
    assert abs(value - np.log(0.5 * (1 + 0.5**59) / 2)) < 0.5
    assert walk.moved < 0.5 * (walk.moved + walk.stayed)


def test_what_is_observed_between_holes_is_asked_for_at_once() -> None:
    row = np.zeros(40, dtype=np.int64)
    row[[10, 11, 12, 13, 14, 30]] = MISSING
    walk, _ = remembering(row)
    runs = [list(range(10)), *[[v] for v in range(10, 15)], list(range(15, 30)), [30]]
    assert walk.asked == [*runs, list(range(31, 40))]


def test_filters_are_one_up_to_the_first_hole() -> None:
    row = np.zeros(40, dtype=np.int64)
    row[30:37] = MISSING
    started = []
    process = particles.Process(
        range(40),
        np.full(40, 2),
        lambda n: started.append(n) or Remembering(n),
        2,
        limits=FEW,
    )
    particles.log_prob(process, row[None], np.arange(1), seed=0)
    assert started == [1]


def test_long_rows_do_not_overflow() -> None:
    """Twenty nearly uniform variables before one that pins them down by their parity."""

    class Parity:
        def log_probs(self, v: int, codes: np.ndarray) -> np.ndarray:
            p = np.full((len(codes), 2), 0.5)
            if v == 400:
                p = np.where(codes[:, :20].sum(axis=1, keepdims=True) % 2 == [0, 1], 0.999, 0.001)
            return np.log(p)

        def seen(self, variables: list[int], codes: np.ndarray) -> np.ndarray:
            return particles.one_by_one(self, variables, codes)

        def follow(self, ancestors: np.ndarray) -> None:
            pass

    process = particles.Process(range(401), np.full(401, 2), lambda n: Parity(), 2)
    row = np.full((1, 401), MISSING)
    row[0, -1] = 1
    found = particles.log_prob(process, row, np.arange(1), seed=0)
    assert abs(found.value[0] - np.log(0.5)) < 0.5
    row[0, 20:] = 1
    found = particles.log_prob(process, row, np.arange(1), seed=0)
    assert abs(found.value[0] - 381 * np.log(0.5)) < 0.5


def test_too_few_effective_particles_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        particles.warn_if_few(np.array([particles.LIMITS.trusted, 200.0]))
    with pytest.warns(UserWarning, match="1 of 2 completions rest on fewer than 10 effective"):
        particles.warn_if_few(np.array([3.0, 200.0]))
