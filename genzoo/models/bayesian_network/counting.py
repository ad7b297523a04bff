"""Rows as a search counts them, all variables against one child at once; the Dirichlet score.

Rows that are alike are counted once, with a weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse

from genzoo.models.shared.distinct import weighted
from genzoo.space.schema import MISSING, Schema

# These three choose the fastest of three ways to the same counts.
_DENSE_UP_TO = 24  # indicator columns a variable, on average; with more of them look-ups are faster
_SPARSE_UP_TO = 0.08  # share of ones in the columns; below, a sparse product is faster
_SPARSE_EFFORT = 1 / _SPARSE_UP_TO  # of a number in a sparse product; 1 in a dense one


@dataclass(frozen=True, eq=False)
class Rows:
    """Distinct rows.

    Attributes:
        codes: (n, D); ``MISSING`` where nothing was observed.
        weights: (n,) how often each row was seen, whole numbers.
        reached: (n, D) bool: the entries that count; behind an END none does.
        cards: (D,) numbers of codes.
    """

    codes: np.ndarray
    weights: np.ndarray
    reached: np.ndarray
    cards: np.ndarray

    @classmethod
    def of(cls, codes: np.ndarray, cards: np.ndarray, schema: Schema) -> Rows:
        """Those of codes (n, D), each as often as it is there."""
        distinct, weights = weighted(codes)
        return cls(distinct, weights, schema.reached(distinct), cards)

    @property
    def n(self) -> int:
        """Rows, each as often as it was seen."""
        return int(self.weights.sum())

    def reweighted(self, weights: np.ndarray) -> Rows:
        """The same rows with other weights (n,), without those of weight 0."""
        at = np.flatnonzero(weights)
        return Rows(self.codes[at], weights[at], self.reached[at], self.cards)


class Indicators:
    """Indicator columns "variable = code" of weighted rows, for counting all of them at once.

    Args:
        rows: (n, D); an entry that is ``MISSING`` is in no column.
        weights: (n,) how often each row was seen, whole numbers.
        left_out: (D,) a code of each variable that needs no column, -1 where all do.

    Attributes:
        variable, code: (S,) what each column stands for.
        first: (D,) the first column of each variable.
        effort: numbers that are looked at to count a row.
    """

    def __init__(
        self,
        rows: np.ndarray,
        cards: np.ndarray,
        weights: np.ndarray,
        left_out: np.ndarray | None = None,
    ) -> None:
        n, D = rows.shape
        left_out = np.full(D, -1) if left_out is None else left_out
        widths = cards - (left_out >= 0)
        self.weights = weights.astype(np.float32)  # sums below 2**24 are exact
        self.variable = np.repeat(np.arange(D), widths)
        self.first = np.concatenate([[0], np.cumsum(widths)[:-1]])
        code = np.arange(len(self.variable)) - self.first[self.variable]
        out = left_out[self.variable]
        self.code = code + ((out >= 0) & (code >= out))
        S = len(self.variable)
        has_column = (rows != left_out) & (rows != MISSING)
        columns = self.first + rows - ((left_out >= 0) & (rows > left_out))  # (n, D)
        self._columns: np.ndarray | None = None
        self.effort = float(S)
        if S > _DENSE_UP_TO * D:
            self._columns = np.where(has_column, columns, S)  # S: in no column
            return
        ends = np.concatenate([[0], np.cumsum(has_column.sum(axis=1))])
        ones = np.ones(int(ends[-1]), dtype=np.float32)
        matrix = sparse.csr_matrix((ones, columns[has_column].astype(np.int32), ends), (n, S))
        is_sparse = matrix.nnz < _SPARSE_UP_TO * n * S
        self._matrix = matrix if is_sparse else matrix.toarray()
        if is_sparse:
            self.effort = _SPARSE_EFFORT * matrix.nnz / n

    def count(self, which: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
        """(n_groups, S) int64 weight of the rows ``which`` (m,) in each ``group`` (m,)."""
        if self._columns is None:  # a product with the groups' (sparse) indicator matrix
            pick = sparse.csr_matrix(
                (self.weights[which], (group, which)), (n_groups, len(self.weights))
            )
            counts = pick @ self._matrix
            return (counts.toarray() if sparse.issparse(counts) else counts).astype(np.int64)
        width = len(self.variable) + 1
        cells = (group * width)[:, None] + self._columns[which]
        weights = np.repeat(self.weights[which], self._columns.shape[1])
        counts = np.bincount(cells.ravel(), weights=weights, minlength=n_groups * width)
        return counts.astype(np.int64).reshape(n_groups, width)[:, :-1]


@lru_cache(maxsize=512)
def log_rising(a: float, n: int) -> np.ndarray:
    """(n + 1,) log Gamma(a + k) - log Gamma(a) for k = 0 .. n."""
    return np.concatenate([[0.0], np.cumsum(np.log(a + np.arange(n)))])
