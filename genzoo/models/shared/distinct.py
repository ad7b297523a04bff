"""Distinct rows and patterns: what is the same for several rows is done but once."""

from __future__ import annotations

import numpy as np


def weighted(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows (k, D), in ascending order, and how often each is there, (k,) float64.

    >>> weighted(np.array([[1, 0], [0, 1], [1, 0]]))
    (array([[0, 1],
           [1, 0]]), array([1., 2.]))
    """
    small = np.min_scalar_type(-int(rows.max(initial=0)) - 1)  # rows are compared as bytes
    distinct, counts = np.unique(rows.astype(small), axis=0, return_counts=True)
    return distinct.astype(np.int64), counts.astype(np.float64)


def by_pattern(missing: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows of each distinct row of ``missing`` (n, D): (their indices, ascending; it (D,)).

    >>> by_pattern(np.array([[True], [False], [True]]))
    [(array([1]), array([False])), (array([0, 2]), array([ True]))]
    """
    if len(missing) == 0:
        return []
    patterns, which = np.unique(missing, axis=0, return_inverse=True)
    which = which.reshape(-1)
    order = np.argsort(which, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(which[order])) + 1)
    return list(zip(parts, patterns, strict=True))
