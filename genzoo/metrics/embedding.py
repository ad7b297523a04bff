"""The distance between rows.

Every variable adds to the squared distance of two rows: a nominal or binary one 1 where the codes
differ (Hamming), an ordinal one the squared difference of its codes over their range, 0 .. 1. A
missing mark of an ordinal variable lies half-way, and 1 away from every number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genzoo.space.schema import Schema

# values of a nominal variable from which on comparing its codes is quicker than multiplying one-hot
# coordinates (2,000 rows against 2,000: 8 ms a variable, as one-hot coordinates of 32 to 64 values)
WIDE = 64


@dataclass(frozen=True, eq=False)
class Points:
    """Rows as points: coordinates 0 or 1 (n, F) with their weights (F,), numbers (n, G), and codes
    (n, M) of nominal variables of ``cards`` (M,) values, too many for coordinates."""

    marks: np.ndarray
    weights: np.ndarray
    numbers: np.ndarray
    codes: np.ndarray
    cards: np.ndarray

    @property
    def coordinates(self) -> np.ndarray:
        """(n, F + G + sum of the cards) all coordinates, unweighted."""
        return np.concatenate([self.marks, self.numbers, _one_hot(self.codes, self.cards)], axis=1)

    def mean_squared_distance(self) -> float:
        """The mean over all pairs of different points."""
        spread = self.marks.var(axis=0, ddof=1, dtype=np.float64) @ self.weights
        n = len(self.codes)
        for codes in self.codes.T:  # half the variance of its one-hot coordinates
            share = np.bincount(codes) / n
            spread += 0.5 * np.float64(n) / (n - 1) * (1 - share @ share)
        return 2 * float(spread + self.numbers.var(axis=0, ddof=1).sum())


def embed(rows: np.ndarray, schema: Schema) -> Points:
    """Rows of codes (n, D) as points."""
    cards = schema.cards
    ordinal = np.array([v.kind == "ordinal" for v in schema.variables])
    marked = np.array([v.missing for v in schema.variables])
    is_long, is_wide = ordinal & (cards > 2), ~ordinal & (cards > WIDE)
    is_multi = ~ordinal & (cards > 2) & ~is_wide

    # one-hot coordinates of two rows that differ do so twice: weight a half
    one_hot = _one_hot(rows[:, is_multi], cards[is_multi])

    last = np.where(marked, cards - 2, cards - 1)[is_long]  # the code of the largest number
    numbers = rows[:, is_long] / np.maximum(last, 1)
    absent = rows[:, is_long] > last
    numbers[absent] = 0.5

    marks = [rows[:, cards <= 2], absent[:, marked[is_long]], one_hot]
    weights = np.ones(sum(part.shape[1] for part in marks), dtype=np.float32)
    weights[len(weights) - one_hot.shape[1] :] = 0.5
    coordinates = np.concatenate(marks, axis=1, dtype=np.float32)
    return Points(coordinates, weights, numbers, rows[:, is_wide], cards[is_wide])


def _one_hot(codes: np.ndarray, cards: np.ndarray) -> np.ndarray:
    """(n, sum of the cards) the codes (n, M) of variables, as coordinates 0 or 1."""
    n, first = len(codes), np.cumsum(cards) - cards
    found = np.zeros((n, int(cards.sum())), dtype=np.float32)
    found[np.arange(n)[:, None], first + codes] = 1
    return found


def squared_distances(a: Points, b: Points) -> np.ndarray:
    """(n, m) squared distances of the points of ``a`` to those of ``b``; equal rows are at 0."""
    # sums of halves: exact in float32 for up to 2**23 variables
    weighted = a.marks * a.weights
    marks = weighted.sum(axis=1)[:, None] + b.marks @ b.weights - 2 * (weighted @ b.marks.T)
    for of_a, of_b in zip(a.codes.T, b.codes.T, strict=True):
        marks += of_a[:, None] != of_b
    ends = (a.numbers**2).sum(axis=1)[:, None] + (b.numbers**2).sum(axis=1)
    # rounded, so that distances that are equal stay so: metrics count ties
    return marks + np.round(np.maximum(ends - 2 * (a.numbers @ b.numbers.T), 0), 9)
