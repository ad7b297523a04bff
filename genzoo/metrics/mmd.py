"""Maximum mean discrepancy: the distance of two distributions' means in a kernel's space.

Gretton et al., A kernel two-sample test, JMLR 2012.
"""

from __future__ import annotations

import math

import numpy as np

from genzoo.metrics.embedding import embed, squared_distances
from genzoo.metrics.groups import Groups
from genzoo.metrics.metric import Metric, SampleMetric
from genzoo.metrics.sides import Comparison

MOST_ROWS = 1000


def mmd_squared(comparison: Comparison, bandwidth: float) -> Metric:
    """The unbiased estimate of MMD^2 with the kernel exp(-d^2 / bandwidth): 0 for a perfect copy.

    d^2 is the squared distance of ``genzoo.metrics.embedding``, so the kernel is a product over the
    variables: exp(-Hamming / bandwidth) for nominal ones, Gaussian for ordinal ones. Being
    unbiased, the estimate falls below 0 for about half of all perfect copies. At most 1,000 rows a
    side. The error is that of a U-statistic of degree two, to second order: the first-order term
    alone vanishes for a perfect copy. There it is on the large side, since an estimate of that term
    counts only where it is above 0.

    Its units are pairs of a real row and a sample or, where rows have groups, blocks of whole
    groups of both sides, as many as the side with fewer groups has: pairs of rows within a block
    are left out, and each kernel mean is one over the pairs of rows in different blocks.
    """
    sides = comparison.equal_sides(MOST_ROWS)
    x, y = (embed(side.rows, comparison.schema) for side in sides)
    xx, yy, xy = (np.exp(-squared_distances(a, b) / bandwidth) for a, b in ((x, x), (y, y), (x, y)))
    if sides.independent:
        terms = xx - xy
        terms += yy - xy.T
        np.fill_diagonal(terms, 0)
        value, error = _u_statistic(terms)
    else:
        value, terms = _over_blocks(xx, yy, xy, sides.groups)
        _, error = _u_statistic(terms)
    return MMD.number(value, error)


def _u_statistic(terms: np.ndarray) -> tuple[float, float]:
    """The mean of the terms (n, n) of pairs of different units, 0 on the diagonal; its error."""
    n = len(terms)
    row_means = terms.sum(axis=1) / (n - 1)
    value = float(row_means.mean())
    pairs = n * (n - 1)
    second = max(0.0, float((terms**2).sum()) / pairs - value**2)  # variance of one term
    first = max(0.0, float(row_means.var(ddof=1)) - second / (n - 1))  # of its mean given one unit
    return value, math.sqrt((4 * (n - 2) * first + 2 * second) / pairs)


def _over_blocks(
    xx: np.ndarray, yy: np.ndarray, xy: np.ndarray, groups: tuple[Groups, Groups]
) -> tuple[float, np.ndarray]:
    """MMD^2 and its linearised terms (B, B) of pairs of blocks, of mean 0, from kernels (n, n)."""
    n_blocks = min(len(of_side.sizes) for of_side in groups)
    of_real, of_fake = (of_side.parts(n_blocks) for of_side in groups)
    value, terms = 0.0, np.zeros((n_blocks, n_blocks))
    for sign, kernel, first, second in (
        (1, xx, of_real, of_real),
        (1, yy, of_fake, of_fake),
        (-1, xy, of_real, of_fake),
        (-1, xy.T, of_fake, of_real),
    ):
        into_first, into_second = np.eye(n_blocks)[first], np.eye(n_blocks)[second]  # (n, B)
        sums = into_first.T @ kernel @ into_second
        pairs = np.outer(into_first.sum(axis=0), into_second.sum(axis=0))
        for of_blocks in (sums, pairs):
            np.fill_diagonal(of_blocks, 0)
        mean = float(sums.sum() / pairs.sum())
        value += sign * mean
        terms += sign * (sums - mean * pairs) * n_blocks * (n_blocks - 1) / pairs.sum()
    return value, terms


def mmd(comparison: Comparison) -> Metric:
    """``mmd_squared`` at the mean squared distance of two training rows: so the bandwidth depends
    on the data set alone."""
    train = comparison.some_training_rows(MOST_ROWS)
    bandwidth = embed(train, comparison.schema).mean_squared_distance() if len(train) > 1 else 0.0
    return mmd_squared(comparison, bandwidth or 1.0)


MMD = SampleMetric(
    title="MMD²",
    meaning="Squared maximum mean discrepancy: the distance of samples and test rows in the space "
    "of a kernel over all variables. 0 for a perfect copy, where chance puts it below 0 as often "
    "as above.",
    unit="MMD^2",
    higher_is_better=False,
    judge=mmd,
)
