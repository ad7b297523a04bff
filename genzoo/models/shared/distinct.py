"""Distinct rows and how often each was seen: families that count need look at each but once."""

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
