"""Memorisation: are samples nearer to the training rows than fresh data are?"""

from __future__ import annotations

import math

import numpy as np

from genzoo.metrics.embedding import embed, squared_distances
from genzoo.metrics.metric import Metric, SampleMetric
from genzoo.metrics.sides import Comparison

MOST_ROWS = 1000
MOST_DISTANCES = 10_000_000
CHUNK = 2000


def nearness_to_training(comparison: Comparison) -> Metric:
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
    """
    schema, train = comparison.schema, comparison.train
    most = min(MOST_ROWS, max(100, MOST_DISTANCES // (2 * len(train))))
    sides = comparison.equal_sides(most)
    n = len(sides.real)
    points = embed(sides.rows, schema)
    nearest = np.full(2 * n, np.inf)
    for start in range(0, len(train), CHUNK):
        chunk = embed(train[start : start + CHUNK], schema)
        nearest = np.minimum(nearest, squared_distances(points, chunk).min(axis=1))
    of_real, of_fake = nearest[:n], nearest[n:, None]
    wins = (of_fake < of_real) + 0.5 * (of_fake == of_real)  # (samples, real rows)
    by_row = (wins.mean(axis=0), wins.mean(axis=1))
    if sides.independent:
        error = math.sqrt((by_row[0].var(ddof=1) + by_row[1].var(ddof=1)) / n)
    else:
        error = math.hypot(
            *(own.error_of_mean(v) for own, v in zip(sides.groups, by_row, strict=True))
        )
    return MEMORISATION.number(float(wins.mean()), max(error, 1 / n))


MEMORISATION = SampleMetric(
    title="Memorisation",
    meaning="The probability that a sample lies nearer to its nearest training row than a test row "
    "to its own. 0.5: as near as fresh data; towards 1: copies. Where most fresh rows occur in "
    "training too, copies can't be told from draws.",
    unit="probability",
    higher_is_better=False,
    ideal=0.5,
    judge=nearness_to_training,
)
