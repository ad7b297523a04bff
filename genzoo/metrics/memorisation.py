"""Memorisation: are samples nearer to the training rows than fresh data are?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from genzoo.metrics.embedding import embed, squared_distances
from genzoo.metrics.groups import all_independent
from genzoo.metrics.likelihood import Context, Metric
from genzoo.metrics.sides import NO_GROUPS, Names, both_sides, equal_numbers
from genzoo.model import GenerativeModel
from genzoo.space.schema import Schema

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

MOST_ROWS = 1000
MOST_DISTANCES = 10_000_000
CHUNK = 2000


def nearness_to_training(
    real: np.ndarray,
    fake: np.ndarray,
    schema: Schema,
    *,
    train: np.ndarray,
    groups: Names = NO_GROUPS,
    seed: int = 0,
) -> Metric:
    """The probability that a sample is nearer to its nearest training row than a real row to its.

    Ties count a half. 0.5: samples are as near as fresh data; towards 1: they copy training rows;
    below 0.5: they lie farther off, which is no fault of memory (other metrics judge it). Where
    most fresh rows are in the training set too, copies can't be told from draws, and stay near 0.5.
    At most 1,000 rows a side, fewer against many training rows (ten million distances); of these,
    all are used, since a copy may be of any. The error is DeLong's [1], where rows have groups
    summed over these as in [2], for a given training set, at least one row's worth.

    References:
        [1] DeLong, DeLong and Clarke-Pearson, Comparing the areas under two or more correlated
            receiver operating characteristic curves, Biometrics 1988.
        [2] Obuchowski, Nonparametric analysis of clustered ROC curve data, Biometrics 1997.

    Args:
        real, fake: (n, D) and (m, D) rows of codes; the real ones were not trained on.
        train: (N, D) the training rows.
        groups: which rows belong together, see ``genzoo.metrics.sides``.

    Raises:
        Unsupported: where there are too few groups for an error.
    """
    most = min(MOST_ROWS, max(100, MOST_DISTANCES // (2 * len(train))))
    sides = equal_numbers(real, fake, groups, most, seed)
    n = len(sides[0])
    points = embed(np.concatenate([side.rows for side in sides]), schema)
    nearest = np.full(2 * n, np.inf)
    for start in range(0, len(train), CHUNK):
        chunk = embed(train[start : start + CHUNK], schema)
        nearest = np.minimum(nearest, squared_distances(points, chunk).min(axis=1))
    of_real, of_fake = nearest[:n], nearest[n:, None]
    wins = (of_fake < of_real) + 0.5 * (of_fake == of_real)  # (samples, real rows)
    by_row = (wins.mean(axis=0), wins.mean(axis=1))
    if all_independent(*(side.groups for side in sides)):
        error = math.sqrt((by_row[0].var(ddof=1) + by_row[1].var(ddof=1)) / n)
    else:
        error = math.hypot(
            *(side.groups.error_of_mean(v) for side, v in zip(sides, by_row, strict=True))
        )
    return Metric(float(wins.mean()), max(error, 1 / n), "probability", False, "estimate")


def memorisation(model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
    """``nearness_to_training`` of the samples, against the test rows."""
    real, fake, groups = both_sides(dataset, context)
    return nearness_to_training(
        real, fake, dataset.schema, train=dataset.train, groups=groups, seed=context.seed
    )
