"""Classifier two-sample test: can a classifier tell samples from test rows?

Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017.
"""

from __future__ import annotations

import math

import numpy as np

from genzoo.metrics.metric import Metric, SampleMetric
from genzoo.metrics.sides import Comparison, Sides
from genzoo.seeding import derive

MOST_ROWS = 2000
MOST_CATEGORIES = 255
N_TREES = 50
VARIABLES_PER_SPLIT = 64  # drawn anew for each: what bounds the time on wide rows


def c2st(comparison: Comparison) -> Metric:
    """Held-out accuracy of gradient-boosted trees that tell samples from real rows.

    0.5 where the two can't be told apart, 1 where they always can. As many rows of one side as of
    the other, at most 2,000, in two halves, each judged by the trees of the other; no group is in
    both. The error is that of a single half, binomial or, where rows have groups, over groups and
    at least binomial: for a perfect copy the halves' verdicts hang together, since trees that found
    chance differences shared by both halves are right in both. Nominal variables of up to 255 codes
    are categories, others are taken by their codes.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    schema, sides = comparison.schema, comparison.equal_sides(MOST_ROWS)
    kept, half = _halves(sides)
    n, cards = len(half) // 2, schema.cards
    rows = np.concatenate(
        [side.rows[places] for side, places in zip(sides, kept, strict=True)], dtype=np.float64
    )
    is_fake = np.repeat([False, True], n)
    nominal = np.array([v.kind == "nominal" for v in schema.variables])
    trees = HistGradientBoostingClassifier(
        max_iter=N_TREES,
        max_leaf_nodes=15,
        min_samples_leaf=5,
        max_bins=int(np.clip(cards.max(), 2, MOST_CATEGORIES)),
        max_features=min(1.0, VARIABLES_PER_SPLIT / schema.D),
        categorical_features=nominal & (cards > 2) & (cards <= MOST_CATEGORIES),
        early_stopping=False,
        random_state=derive(comparison.seed, "metrics", "trees") % 2**32,
    )
    right = np.empty(2 * n, dtype=bool)
    for part in (0, 1):
        trees.fit(rows[half != part], is_fake[half != part])
        right[half == part] = trees.predict(rows[half == part]) == is_fake[half == part]
    n_right = int(right.sum())
    smoothed = (n_right + 1) / (2 * n + 2)  # the error of a perfect score is not zero
    error = math.sqrt(smoothed * (1 - smoothed) / n)
    if not sides.independent:
        error = max(error, _error_over_groups(right, half, sides, kept))
    return C2ST.number(n_right / (2 * n), error)


def _halves(sides: Sides) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """The places of the n rows kept of each side, and the half, 0 or 1, of these 2 n rows.

    In a half are as many rows of one side as of the other, so that trees which learned nothing that
    holds are right once in two times, whatever they guess more often.
    """
    halves = [of_side.parts(2) for of_side in sides.groups]
    kept: list[list[np.ndarray]] = [[], []]
    for part in (0, 1):
        places = [np.flatnonzero(half == part) for half in halves]  # rows are in random order
        most = min(map(len, places))
        for side in (0, 1):
            kept[side].append(places[side][:most])
    of_real, of_fake = (np.sort(np.concatenate(places)) for places in kept)
    return (of_real, of_fake), np.concatenate([halves[0][of_real], halves[1][of_fake]])


def _error_over_groups(
    right: np.ndarray, half: np.ndarray, sides: Sides, kept: tuple[np.ndarray, ...]
) -> float:
    """Of the accuracy, were the halves' verdicts the same: the halves' errors add up."""
    n, error = len(half) // 2, 0.0
    for part in (0, 1):
        errors = []
        for side, places, judged in zip(sides, kept, (slice(n), slice(n, 2 * n)), strict=True):
            chosen = half[judged] == part
            errors.append(side.groups.at(places[chosen]).error_of_mean(1.0 * right[judged][chosen]))
        # each side is half of the half
        error += float((half == part).mean()) * math.hypot(*errors) / 2
    return error


C2ST = SampleMetric(
    title="C2ST",
    meaning="Classifier two-sample test: how often gradient-boosted trees tell samples from test "
    "rows, held out. 0.5: not better than tossing a coin; 1: always.",
    unit="accuracy",
    higher_is_better=False,
    judge=c2st,
)
