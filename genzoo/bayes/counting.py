"""Counting all variables against one child at once, and the Dirichlet score of counts."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import sparse

from genzoo.schema import MISSING

_DENSE_UP_TO = 24  # indicator columns a variable, on average; with more of them look-ups are faster


class Indicators:
    """Indicator columns "variable = code" of rows, for counting all of them at once.

    Args:
        rows: (n, D); an entry that is ``MISSING`` is in no column.
        cards: (D,).
        skip_last: (D,) bool: variables whose last code needs no column.

    Attributes:
        variable, code: (S,) what each column stands for.
        first: (D,) the first column of each variable.
    """

    def __init__(
        self, rows: np.ndarray, cards: np.ndarray, skip_last: np.ndarray | None = None
    ) -> None:
        n, D = rows.shape
        widths = cards if skip_last is None else cards - skip_last
        self.n_variables = D
        self.variable = np.repeat(np.arange(D), widths)
        self.first = np.concatenate([[0], np.cumsum(widths)[:-1]])
        self.code = np.arange(len(self.variable)) - self.first[self.variable]
        S = len(self.variable)
        has_column = (rows < widths) & (rows != MISSING)
        columns = np.where(has_column, self.first + rows, S)  # (n, D); S: in no column
        self._columns: np.ndarray | None = columns
        if S <= _DENSE_UP_TO * D:
            matrix = np.zeros((n, S + 1), dtype=np.float32)  # counts below 2**24 are exact
            matrix[np.arange(n)[:, None], columns] = 1
            self._matrix, self._columns = np.ascontiguousarray(matrix[:, :S]), None

    def count(self, which: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
        """(n_groups, S) int64: in how many of the rows ``which`` (m,) with each ``group`` (m,)."""
        if self._columns is None:  # a product with the groups' (sparse) indicator matrix
            ones = np.ones(len(which), dtype=np.float32)
            pick = sparse.csr_matrix((ones, (group, which)), (n_groups, len(self._matrix)))
            return (pick @ self._matrix).astype(np.int64)
        width = len(self.variable) + 1
        cells = (group * width)[:, None] + self._columns[which]
        counts = np.bincount(cells.ravel(), minlength=n_groups * width)
        return counts.reshape(n_groups, width)[:, :-1]


@lru_cache(maxsize=512)
def log_rising(a: float, n: int) -> np.ndarray:
    """(n + 1,) log Gamma(a + k) - log Gamma(a) for k = 0 .. n."""
    return np.concatenate([[0.0], np.cumsum(np.log(a + np.arange(n)))])
