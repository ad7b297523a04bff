"""Mutual information from counts."""

from __future__ import annotations

import numpy as np


def information_in(counts: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(D,) mutual information of one variable with each of several others, in nats, times the rows
    of the pair: from counts (M, S) of each code of the one with each code of the others, which
    begin at columns ``first`` (D,). They need not be the same rows for all others.

    >>> information_in(np.array([[2, 0, 1, 1], [0, 2, 1, 1]]), np.array([0, 2])).round(3).tolist()
    [2.773, 0.0]
    """
    own_counts = np.ascontiguousarray(np.add.reduceat(counts, first, axis=1).T)  # (D, M)
    own, n = _n_log_n(own_counts).sum(axis=1), own_counts.sum(axis=1)
    joint = np.add.reduceat(_n_log_n(counts).sum(axis=0), first)
    other = np.add.reduceat(_n_log_n(counts.sum(axis=0)), first)
    return joint - own - other + _n_log_n(n)


def _n_log_n(n: np.ndarray) -> np.ndarray:
    return n * np.log(np.maximum(n, 1))
