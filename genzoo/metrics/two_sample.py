"""Classifier two-sample test: can a classifier tell samples from test rows?

Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from genzoo.metrics.embedding import both_sides, equal_numbers
from genzoo.metrics.likelihood import Context, Metric
from genzoo.model import GenerativeModel
from genzoo.schema import Schema
from genzoo.seeding import derive

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

MOST_ROWS = 2000
MOST_CATEGORIES = 255
N_TREES = 50
VARIABLES_PER_SPLIT = 64  # drawn anew for each: what bounds the time on wide rows


def c2st(real: np.ndarray, fake: np.ndarray, schema: Schema, *, seed: int = 0) -> Metric:
    """Held-out accuracy of gradient-boosted trees that tell samples from real rows.

    0.5 where the two can't be told apart, 1 where they always can. As many rows of one side as of
    the other, at most 2,000, in two halves, each judged by the trees of the other. The error is the
    binomial one of a single half: for a perfect copy the halves' verdicts hang together, since
    trees that found chance differences shared by both halves are right in both. Nominal variables
    of up to 255 codes are categories, others are taken by their codes.

    Args:
        real, fake: (n, D) and (m, D) rows of codes.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    real, fake = equal_numbers(real, fake, MOST_ROWS, seed)
    n, cards = len(real), schema.cards
    rows = np.concatenate([real, fake]).astype(np.float64)
    is_fake = np.repeat([False, True], n)
    half = np.tile(np.arange(n) % 2, 2)  # rows are in random order
    nominal = np.array([v.kind == "nominal" for v in schema.variables])
    trees = HistGradientBoostingClassifier(
        max_iter=N_TREES,
        max_leaf_nodes=15,
        min_samples_leaf=5,
        max_bins=int(np.clip(cards.max(), 2, MOST_CATEGORIES)),
        max_features=min(1.0, VARIABLES_PER_SPLIT / schema.D),
        categorical_features=nominal & (cards > 2) & (cards <= MOST_CATEGORIES),
        early_stopping=False,
        random_state=derive(seed, "metrics", "trees") % 2**32,
    )
    right = 0
    for part in (0, 1):
        trees.fit(rows[half != part], is_fake[half != part])
        right += int((trees.predict(rows[half == part]) == is_fake[half == part]).sum())
    accuracy = right / (2 * n)
    smoothed = (right + 1) / (2 * n + 2)  # the error of a perfect score is not zero
    error = math.sqrt(smoothed * (1 - smoothed) / n)
    return Metric(accuracy, error, "accuracy", False, "estimate")


def two_sample_test(model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
    """``c2st`` of the test rows and the samples."""
    real, fake = both_sides(dataset, context)
    return c2st(real, fake, dataset.schema, seed=context.seed)
