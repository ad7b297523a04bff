"""Draws from categorical distributions, once for all who draw.

No index of weight 0 is ever drawn, also after rounding.
"""

from __future__ import annotations

import numpy as np


def categorical(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An index for each of many distributions, by inverting the cumulative sum.

    Args:
        weights: (n, M), not negative, each row with a positive sum.
        rng: one uniform number is taken for each row.

    Returns:
        (n,) int64.

    >>> categorical(np.array([[0.0, 2.0], [1.0, 0.0]]), np.random.default_rng(0))
    array([1, 0])
    """
    cumulative = np.cumsum(weights, axis=1)
    level = _below(rng.random(len(weights)) * cumulative[:, -1], cumulative[:, -1])
    return (level[:, None] >= cumulative).sum(axis=1)


def repeated(weights: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n indices of one distribution, ``weights`` (M,).

    >>> repeated(np.array([0.0, 1.0]), 3, np.random.default_rng(0))
    array([1, 1, 1])
    """
    return located(weights, rng.random(n))


def located(weights: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """The indices at which numbers in [0, 1) lie along the shares of ``weights`` (M,)."""
    cumulative = np.cumsum(weights)
    level = _below(uniform * cumulative[-1], cumulative[-1])
    return np.searchsorted(cumulative, level, side="right")


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
