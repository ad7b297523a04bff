"""The distance between rows.

Every variable adds to the squared distance of two rows: a nominal or binary one 1 where the codes
differ (Hamming), an ordinal one the squared difference of its codes over their range, 0 .. 1. A
missing mark of an ordinal variable lies half-way, and 1 away from every number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genzoo.space.schema import Schema


@dataclass(frozen=True, eq=False)
class Points:
    """Rows as points: coordinates 0 or 1 (n, F) with their weights (F,), and numbers (n, G)."""

    marks: np.ndarray
    weights: np.ndarray
    numbers: np.ndarray

    @property
    def coordinates(self) -> np.ndarray:
        """(n, F + G) all coordinates, unweighted."""
        return np.concatenate([self.marks, self.numbers], axis=1)

    def mean_squared_distance(self) -> float:
        """The mean over all pairs of different points."""
        spread = self.marks.var(axis=0, ddof=1, dtype=np.float64) @ self.weights
        return 2 * float(spread + self.numbers.var(axis=0, ddof=1).sum())


def embed(rows: np.ndarray, schema: Schema) -> Points:
    """Rows of codes (n, D) as points."""
    n, cards = len(rows), schema.cards
    ordinal = np.array([v.kind == "ordinal" for v in schema.variables])
    marked = np.array([v.missing for v in schema.variables])
    is_long, is_multi = ordinal & (cards > 2), ~ordinal & (cards > 2)

    # one-hot coordinates of two rows that differ do so twice: weight a half
    first = np.cumsum(cards[is_multi]) - cards[is_multi]
    one_hot = np.zeros((n, int(cards[is_multi].sum())), dtype=np.float32)
    one_hot[np.arange(n)[:, None], first + rows[:, is_multi]] = 1

    last = np.where(marked, cards - 2, cards - 1)[is_long]  # the code of the largest number
    numbers = rows[:, is_long] / np.maximum(last, 1)
    absent = rows[:, is_long] > last
    numbers[absent] = 0.5

    marks = [rows[:, cards <= 2], absent[:, marked[is_long]], one_hot]
    weights = np.ones(sum(part.shape[1] for part in marks), dtype=np.float32)
    weights[len(weights) - one_hot.shape[1] :] = 0.5
    return Points(np.concatenate(marks, axis=1, dtype=np.float32), weights, numbers)


def squared_distances(a: Points, b: Points) -> np.ndarray:
    """(n, m) squared distances of the points of ``a`` to those of ``b``; equal rows are at 0."""
    # sums of halves: exact in float32 for up to 2**23 variables
    weighted = a.marks * a.weights
    marks = weighted.sum(axis=1)[:, None] + b.marks @ b.weights - 2 * (weighted @ b.marks.T)
    ends = (a.numbers**2).sum(axis=1)[:, None] + (b.numbers**2).sum(axis=1)
    # rounded, so that distances that are equal stay so: metrics count ties
    return marks + np.round(np.maximum(ends - 2 * (a.numbers @ b.numbers.T), 0), 9)
