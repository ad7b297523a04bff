"""Rows as a search counts them, all variables against one child at once; the Dirichlet score.

Rows that are alike are counted once, with a weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.special import gammaln

from genzoo.models.shared.distinct import weighted
from genzoo.space.schema import Schema

# These choose the fastest of three ways to the same counts, and bound the memory of two of them.
_DENSE_UP_TO = 3  # indicator columns a variable, on average; with more of them look-ups are faster
_SPARSE_UP_TO = 0.08  # share of ones in the columns; below, a sparse product is faster
_SPARSE_EFFORT = 1 / _SPARSE_UP_TO  # of a number in a sparse product; 1 in a dense one
_DENSE_FROM = 0.06  # share of the rows in a group; with more a dense product is faster
_LARGEST_PICK = 2**25  # numbers of the other factor of such a product
_LARGEST_MATRIX = 2**27  # numbers in the columns; beyond, look-ups, which keep none
_ROWS_AT_ONCE = 2**15  # that are looked up together: calls against what a cache holds
_LOOKED_UP = 2**16  # counts whose log rising factorial is kept; of larger ones it is computed


@dataclass(frozen=True, eq=False)
class Rows:
    """Distinct rows, where they are shuffled in an order that tells nothing.

    Attributes:
        codes: (n, D), a column's codes side by side in memory; ``MISSING`` where nothing was
            observed. Of a small signed type.
        weights: (n,) how often each row was seen, whole numbers.
        reached: (n, D) bool: the entries that count, behind an END none does; None: all do.
        cards: (D,) numbers of codes.
    """

    codes: np.ndarray
    weights: np.ndarray
    reached: np.ndarray | None
    cards: np.ndarray

    @classmethod
    def of(
        cls,
        codes: np.ndarray,
        cards: np.ndarray,
        schema: Schema,
        rng: np.random.Generator | None = None,
    ) -> Rows:
        """Those of codes (n, D), each as often as it is there; without ``rng`` they ascend."""
        distinct, weights = weighted(codes)
        order = np.arange(len(distinct)) if rng is None else rng.permutation(len(distinct))
        small = np.min_scalar_type(-int(cards.max(initial=1)))
        distinct = np.asfortranarray(distinct[order].astype(small, copy=False))
        reached = None
        if schema.end is not None:
            reached = np.asfortranarray(schema.reached(distinct))
        return cls(distinct, weights[order].astype(np.float64), reached, cards)

    @cached_property
    def n(self) -> int:
        """Rows, each as often as it was seen."""
        return int(self.weights.sum())

    @cached_property
    def n_reaching(self) -> np.ndarray:
        """(D,) distinct rows that reach each variable."""
        if self.reached is None:
            return np.full(len(self.cards), len(self.codes))
        return self.reached.sum(axis=0)

    def reaching(self, child: int) -> slice | np.ndarray:
        """Which rows count for a child: an index into ``codes``."""
        return slice(None) if self.reached is None else np.flatnonzero(self.reached[:, child])

    def entries(self, at: slice | np.ndarray, variables: Sequence[int]) -> np.ndarray:
        """(m, k) codes of some variables in some rows."""
        if isinstance(at, slice):
            return self.codes[at, variables]
        return self.codes[np.ix_(at, np.asarray(variables, dtype=np.int64))]

    def reweighted(self, weights: np.ndarray) -> Rows:
        """The same rows with other weights (n,), without those of weight 0."""
        return self._part(np.flatnonzero(weights), weights)

    def first(self, n: int) -> Rows:
        """The first n distinct ones at most: a sample, where they are shuffled."""
        return self if n >= len(self.codes) else self._part(np.arange(n), self.weights)

    def _part(self, at: np.ndarray, weights: np.ndarray) -> Rows:
        codes = np.asfortranarray(self.codes[at])
        reached = None if self.reached is None else np.asfortranarray(self.reached[at])
        return Rows(codes, weights[at].astype(np.float64), reached, self.cards)


class Indicators:
    """Indicator columns "variable = code" of weighted rows, for counting all of them at once.

    Args:
        rows: an entry that is ``MISSING`` is in no column.
        left_out: (D,) a code of each variable that needs no column, -1 where all do.
        variables: those that have columns, ascending; None: all.
        most: numbers that a matrix of the columns may have; where more would be needed none is
            kept, and each count looks the codes up.

    Attributes:
        variable, code: (S,) what each column stands for.
        first: the first column of each variable that has any.
        effort: numbers that are looked at to count a row.
        looks_up: whether counts look codes up.
        at_once: numbers that can be looked at in about a tenth of a second.
    """

    def __init__(
        self,
        rows: Rows,
        left_out: np.ndarray | None = None,
        variables: np.ndarray | None = None,
        most: int = _LARGEST_MATRIX,
    ) -> None:
        cards = rows.cards
        self._rows = rows
        self._left_out = np.full(len(cards), -1) if left_out is None else left_out
        chosen = np.arange(len(cards)) if variables is None else variables
        widths = (cards - (self._left_out >= 0))[chosen]
        self._variables = chosen[widths > 0]
        widths = widths[widths > 0]
        self.variable = np.repeat(self._variables, widths)
        self.first = (np.cumsum(widths) - widths).astype(np.int64)
        code = np.arange(len(self.variable)) - np.repeat(self.first, widths)
        out = self._left_out[self.variable]
        self.code = code + ((out >= 0) & (code >= out))
        n, S = len(rows.codes), len(self.variable)
        self.effort = float(len(widths))
        self._matrix: np.ndarray | sparse.csr_matrix | None = None
        self.looks_up = bool(_DENSE_UP_TO * len(widths) < S) or n * S > most
        self.at_once = 2**25 if self.looks_up else 2**28
        if not self.looks_up:
            self._matrix = matrix = self._columns()
            self.effort = float(S)
            if not isinstance(matrix, np.ndarray):
                self.effort = _SPARSE_EFFORT * matrix.nnz / max(1, n)

    def _columns(self) -> np.ndarray | sparse.csr_matrix:
        """(n, S) float32, in which sums below 2**24 are exact."""
        codes, pairs = self._rows.codes, list(zip(self.variable, self.code, strict=True))
        shape = (len(codes), len(pairs))
        lengths = [np.count_nonzero(codes[:, v] == c) for v, c in pairs]
        if sum(lengths) < _SPARSE_UP_TO * shape[0] * shape[1]:
            which = np.concatenate([np.flatnonzero(codes[:, v] == c) for v, c in pairs])
            ends, values = np.cumsum([0, *lengths]), np.ones(len(which), dtype=np.float32)
            return sparse.csc_matrix((values, which.astype(np.int32), ends), shape).tocsr()
        matrix = np.zeros(shape, dtype=np.float32)
        for column, (v, c) in enumerate(pairs):
            matrix[:, column] = codes[:, v] == c
        return matrix

    def count(self, which: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
        """(n_groups, S) int32 weight of the rows ``which`` (m,) in each ``group`` (m,)."""
        if self._matrix is not None:
            return self._product(which, group, n_groups)
        counts = np.zeros((n_groups, len(self.variable)), dtype=np.int32)
        for start in range(0, len(which), _ROWS_AT_ONCE):
            # indices of the size that NumPy would make of them for each variable anew
            at = which[start : start + _ROWS_AT_ONCE].astype(np.intp)
            some = group[start : start + _ROWS_AT_ONCE].astype(np.intp)
            first = int(some.min())  # groups are mostly side by side
            self._look_up(at, some - first, counts[first : int(some.max()) + 1])
        return counts

    def _product(self, which: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
        """``count`` by a product with the groups' indicator matrix."""
        matrix, n = self._matrix, len(self._rows.codes)
        weights = self._rows.weights[which].astype(np.float32)
        full = len(which) > _DENSE_FROM * n_groups * n and n_groups * n <= _LARGEST_PICK
        if full and isinstance(matrix, np.ndarray):
            pick = np.zeros((n_groups, n), dtype=np.float32)
            pick[group, which] = weights
            return (pick @ matrix).astype(np.int32)
        counts = sparse.csr_matrix((weights, (group, which)), (n_groups, n)) @ matrix
        return (counts.toarray() if sparse.issparse(counts) else counts).astype(np.int32)

    def _look_up(self, which: np.ndarray, group: np.ndarray, counts: np.ndarray) -> None:
        """Add some rows' weights to the counts."""
        seen = self._rows.weights[which]
        weights = None if (seen == 1).all() else seen  # to count is faster than to add
        ends = np.append(self.first[1:], len(self.variable))
        wide, first_cell = -1, group
        for v, begin, end in zip(self._variables.tolist(), self.first, ends, strict=True):
            card = int(self._rows.cards[v])
            # slot 0 of each group is for MISSING, which is -1
            if card != wide:
                wide, first_cell = card, group * (card + 1) + 1
            cells = first_cell + self._rows.codes[:, v].take(which)
            found = np.bincount(cells, weights, minlength=len(counts) * (card + 1))
            found = found.reshape(-1, card + 1).astype(np.int32)
            counts[:, begin:end] += (
                found[:, 1:] if end - begin == card else found[:, 1 + self.code[begin:end]]
            )


class LogRising:
    """log Gamma(a + k) - log Gamma(a) of whole numbers k, for several a.

    Small k are looked up in a table for each a, which is kept: 512 KiB each at most.

    Args:
        most: the largest k to be asked for.
        kept: tables that are kept.

    >>> LogRising(most=10)(0.5, np.array([0, 1, 2])).round(3).tolist()
    [0.0, -0.693, -0.288]
    """

    def __init__(self, most: int, kept: int = 128) -> None:
        self._length, self._kept = min(most, _LOOKED_UP) + 1, kept
        self._tables: dict[float, np.ndarray] = {}

    def __call__(self, a: float, counts: np.ndarray) -> np.ndarray:
        """The value for each of ``counts``."""
        table = self._table(a)
        if counts.max(initial=0) < len(table):
            return table[counts]
        small = table[np.minimum(counts, len(table) - 1)]
        return np.where(counts < len(table), small, gammaln(counts + a) - gammaln(a))

    def _table(self, a: float) -> np.ndarray:
        if a not in self._tables:
            if len(self._tables) >= self._kept:
                self._tables.clear()
            steps = np.cumsum(np.log(a + np.arange(self._length - 1)))
            self._tables[a] = np.concatenate([[0.0], steps])
        return self._tables[a]
