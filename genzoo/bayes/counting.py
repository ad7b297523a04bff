"""Counting all variables against one child at once, and the Dirichlet score of counts."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import sparse

_DENSE_UP_TO = 24  # indicator columns a variable, on average; with more of them sparse is faster


class Indicators:
    """Indicator columns "variable = code" of rows, for counting by matrix product.

    Args:
        rows: (n, D).
        cards: (D,).
        skip_last: (D,) bool: variables whose last code needs no column.

    Attributes:
        variable, code: (S,) what each column stands for.
    """

    def __init__(
        self, rows: np.ndarray, cards: np.ndarray, skip_last: np.ndarray | None = None
    ) -> None:
        widths = cards if skip_last is None else cards - skip_last
        self.n, self.widths = len(rows), widths
        self.variable = np.repeat(np.arange(len(cards)), widths)
        self.first = np.concatenate([[0], np.cumsum(widths)[:-1]])  # (D,)
        self.code = np.arange(len(self.variable)) - self.first[self.variable]
        i, d = np.nonzero(rows < widths)
        columns = self.first[d] + rows[i, d]
        shape = (self.n, len(self.variable))
        self.matrix: np.ndarray | sparse.csr_matrix
        if len(self.variable) <= _DENSE_UP_TO * max(1, rows.shape[1]):
            self.matrix = np.zeros(shape, dtype=np.float32)  # counts below 2**24 are exact
            self.matrix[i, columns] = 1
        else:
            ones = np.ones(len(i), dtype=np.float32)
            self.matrix = sparse.csr_matrix((ones, (i, columns)), shape=shape)

    def count(self, which: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
        """(n_groups, S) int64: in how many of the rows ``which`` (m,) with each ``group`` (m,)."""
        ones = np.ones(len(which), dtype=np.float32)
        pick = sparse.csr_matrix((ones, (group, which)), shape=(n_groups, self.n))
        counts = pick @ self.matrix
        return (counts.toarray() if sparse.issparse(counts) else counts).astype(np.int64)


@lru_cache(maxsize=512)
def log_rising(a: float, n: int) -> np.ndarray:
    """(n + 1,) log Gamma(a + k) - log Gamma(a) for k = 0 .. n."""
    return np.concatenate([[0.0], np.cumsum(np.log(a + np.arange(n)))])
