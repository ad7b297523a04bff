"""Maximum mean discrepancy: the distance of two distributions' means in a kernel's space.

Gretton et al., A kernel two-sample test, JMLR 2012.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from genzoo.metrics.embedding import (
    both_sides,
    embed,
    equal_numbers,
    some_rows,
    squared_distances,
)
from genzoo.metrics.likelihood import Context, Metric
from genzoo.model import GenerativeModel
from genzoo.schema import Schema

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

MOST_ROWS = 1000


def mmd_squared(
    real: np.ndarray, fake: np.ndarray, schema: Schema, *, bandwidth: float, seed: int = 0
) -> Metric:
    """The unbiased estimate of MMD^2 with the kernel exp(-d^2 / bandwidth): 0 for a perfect copy.

    d^2 is the squared distance of ``genzoo.metrics.embedding``, so the kernel is a product over the
    variables: exp(-Hamming / bandwidth) for nominal ones, Gaussian for ordinal ones. Being
    unbiased, the estimate falls below 0 for about half of all perfect copies. At most 1,000 rows a
    side. The error is that of a U-statistic of degree two, to second order: the first-order term
    alone vanishes for a perfect copy.

    Args:
        real, fake: (n, D) and (m, D) rows of codes.
    """
    real, fake = equal_numbers(real, fake, MOST_ROWS, seed)
    n = len(real)
    x, y = embed(real, schema), embed(fake, schema)
    xy = np.exp(-squared_distances(x, y) / bandwidth)
    terms = np.exp(-squared_distances(x, x) / bandwidth) - xy
    terms += np.exp(-squared_distances(y, y) / bandwidth) - xy.T
    np.fill_diagonal(terms, 0)
    row_means = terms.sum(axis=1) / (n - 1)
    value = float(row_means.mean())

    pairs = n * (n - 1)
    second = max(0.0, float((terms**2).sum()) / pairs - value**2)  # variance of one term
    first = max(0.0, float(row_means.var(ddof=1)) - second / (n - 1))  # of its mean given one row
    error = math.sqrt((4 * (n - 2) * first + 2 * second) / pairs)
    return Metric(value, error, "MMD^2", False, "estimate")


def mmd(model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
    """``mmd_squared`` of the test rows and the samples.

    The bandwidth is the mean squared distance of two training rows, so that it depends on the data
    set alone.
    """
    real, fake = both_sides(dataset, context)
    train = some_rows(dataset.train, MOST_ROWS, context.seed, "train")
    bandwidth = embed(train, dataset.schema).mean_squared_distance() if len(train) > 1 else 0.0
    return mmd_squared(real, fake, dataset.schema, bandwidth=bandwidth or 1.0, seed=context.seed)
