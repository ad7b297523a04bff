"""Draws from categorical distributions, once for all who draw.

All but ``gumbel_argmax`` invert a cumulative sum: a uniform number in [0, 1) lies along the shares
of the weights, and where it lies is the index. Weights are not negative, and have a positive sum.
No index of weight 0 is ever drawn, also after rounding.
"""

from __future__ import annotations

import numpy as np


def categorical(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) an index for each row of ``weights`` (n, M), by one uniform number each.

    >>> categorical(np.array([[0.0, 2.0], [1.0, 0.0]]), np.random.default_rng(0))
    array([1, 0])
    """
    return inverted(weights, rng.random(len(weights)))


def inverted(weights: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """(n,) the index at which each number of ``uniform`` (n,), in [0, 1), lies along the shares of
    its own row of ``weights`` (n, M).

    >>> inverted(np.array([[1.0, 1.0], [1.0, 3.0]]), np.array([0.4, 0.4]))
    array([0, 1])
    """
    cumulative = np.cumsum(weights, axis=1)
    level = _below(uniform * cumulative[:, -1], cumulative[:, -1])
    return (level[:, None] >= cumulative).sum(axis=1)


def repeated(weights: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n indices of one distribution, ``weights`` (M,).

    >>> repeated(np.array([0.0, 1.0]), 3, np.random.default_rng(0))
    array([1, 1, 1])
    """
    return located(weights, rng.random(n))


def located(weights: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """(n,) the indices at which numbers (n,) in [0, 1) lie along the shares of ``weights`` (M,).

    >>> located(np.array([1.0, 0.0, 1.0]), np.array([0.0, 0.5, 0.9]))
    array([0, 2, 2])
    """
    cumulative = np.cumsum(weights)
    level = _below(uniform * cumulative[-1], cumulative[-1])
    return np.searchsorted(cumulative, level, side="right")


def located_within(
    weights: np.ndarray, first: np.ndarray, end: np.ndarray, uniform: np.ndarray
) -> np.ndarray:
    """(n,) as ``located``, each number along its own stretch, first .. end - 1, of ``weights``.

    >>> located_within(np.ones(4), np.array([0, 2]), np.array([2, 4]), np.array([0.9, 0.1]))
    array([1, 2])
    """
    # one running sum for all: a number in a stretch's own part of it picks the index
    cumulative = np.cumsum(weights)
    before = np.concatenate([[0.0], cumulative])
    low, high = before[first], before[end]
    level = np.maximum(low, _below(low + uniform * (high - low), high))
    return np.searchsorted(cumulative, level, side="right")


def of_rows(weights: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) indices, each along the row of ``weights`` (K, M) that ``rows`` (n,) names: one search
    along the sum of all rows, whatever M.

    >>> of_rows(np.array([[0.0, 1.0], [2.0, 0.0]]), np.array([1, 0, 1]), np.random.default_rng(0))
    array([0, 1, 0])
    """
    M = weights.shape[1]
    first = rows * M
    return located_within(weights.ravel(), first, first + M, rng.random(len(rows))) - first


def gumbel_argmax(log_weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An index along the last axis with probability proportional to exp(``log_weights``).

    The largest of log weights with Gumbel noise (Gumbel 1954); they need no common scale, and -inf
    is never chosen while another is finite.

    >>> gumbel_argmax(np.array([[-np.inf, 0.0]]), np.random.default_rng(0))
    array([1])
    """
    with np.errstate(divide="ignore"):
        noise = -np.log(-np.log(rng.random(log_weights.shape)))
    return (log_weights + noise).argmax(axis=-1)


def _below(level: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.minimum(level, np.nextafter(total, 0))
