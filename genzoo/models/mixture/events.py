"""What a row tells of each variable, as columns of zeros and ones.

Under a product of independent variables a row's log mass is a sum of terms, one a variable. So for
K products it is a matrix product, the events of the rows (n, E) times the log masses of the events
(E, K), and expected counts are the transposed product. An event of variable d is

    "its code is v"     log theta_d[v]
    "nothing is told"   0, where it is missing or lies behind the string's END
    "it is not b"       log(1 - theta_d[b]): END, where a later symbol was seen; in completions
                        the missing mark

and where END was seen only behind a hole there is one event more, that the string ended in a
window of positions: log(1 - prod_{d in window} (1 - theta_d[END])).

A variable's most common event gets no column: its term is in a constant, and the columns hold the
differences from it. So a binary variable without holes is one column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from genzoo.models.shared.distinct import weighted
from genzoo.space import strings
from genzoo.space.schema import MISSING

BLOCK = 1 << 21  # numbers in an array of a block: 8 MB in single precision
SPARSE_BELOW = 0.02  # share of ones below which the sparse product is the faster one
SPARSE_COST = 40  # multiplications of a dense product in the time of one in a sparse product
IMPOSSIBLE = -1e30  # log mass of an event without mass: finite, so that 0 times it is 0


@dataclass(frozen=True, eq=False)
class Space:
    """The variables of a product, and the numbering of their events.

    Events are numbered variable by variable: "its code is 0, 1, ..", "nothing is told", "it is not
    b". Windows come behind them all, f (D + 1) + l for positions f .. l.

    Args:
        cards: (D,) number of codes of each variable.
        end: END's code, or None.
        barred: (D,) the code b of "it is not b": END's; in a table the missing mark; -1 for none.

    >>> Space(np.array([2, 3]), None, np.array([-1, -1])).read(np.array([[1, -1]]))[0]
    array([[1, 3]])
    """

    cards: np.ndarray
    end: int | None
    barred: np.ndarray

    @property
    def D(self) -> int:
        return len(self.cards)

    @cached_property
    def first(self) -> np.ndarray:
        """(D + 1,) where each variable's codes begin among the P codes of all variables."""
        return np.append(0, np.cumsum(self.cards))

    @cached_property
    def variable(self) -> np.ndarray:
        """(P,) the variable of each code."""
        return np.repeat(np.arange(self.D), self.cards)

    @cached_property
    def first_event(self) -> np.ndarray:
        """(D + 1,) where each variable's events begin; the last is where windows begin."""
        return self.first + 2 * np.arange(self.D + 1)

    def normalised(self, table: np.ndarray) -> np.ndarray:
        """(P, K) a table of positive numbers as masses: each variable's sum to one."""
        totals = np.add.reduceat(table, self.first[:-1], axis=0)
        return table / totals[self.variable]

    def read(self, rows: np.ndarray, *, filling: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """What rows tell.

        Args:
            rows: (n, D) codes, ``MISSING`` where unknown, END behind an observed END.
            filling: whether what is unknown will be filled in, and never with the barred code.

        Returns:
            (n, D) the event of each variable, counted from its own first one; and (n,) the window
            in which the string ended, counted from the first window, or -1.
        """
        unknown, windows = rows == MISSING, np.full(len(rows), -1)
        untold, other = self.cards, self.cards + 1
        told = np.where(unknown, untold, rows)
        if self.end is None:
            if filling:
                told = np.where(unknown & (self.barred >= 0), other, told)
            return told, windows
        earliest, latest = strings.ends_between(rows, self.end)
        place = np.arange(self.D)
        told = np.where(unknown & (place < earliest[:, None]), other, told)
        hidden = (earliest < latest) & (latest < self.D)
        windows[hidden] = (earliest * (self.D + 1) + latest)[hidden]
        behind = place > latest[:, None]
        behind |= hidden[:, None] & (place == latest[:, None])
        return np.where(behind, untold, told), windows

    def log_mass(self, theta: np.ndarray, events: np.ndarray) -> np.ndarray:
        """(E, K) nats of events (E,) under products theta (P, K)."""
        result = np.zeros((len(events), theta.shape[1]))
        is_code, code, other, windows = self._kinds(events)
        with np.errstate(divide="ignore"):
            result[is_code] = np.log(theta[code[is_code]])
            if other.any():
                variable = self._variable_of(events[other])
                result[other] = self.log_other(theta)[variable]
            if windows.any():
                result[windows] = np.log(self._of_windows(theta, *self._window(events[windows])))
        return np.maximum(result, IMPOSSIBLE)

    def log_other(self, theta: np.ndarray) -> np.ndarray:
        """(D, K) nats of "it is not b"; 0 where there is no b."""
        result = np.zeros((self.D, theta.shape[1]))
        has = self.barred >= 0
        at = (self.first[:-1] + self.barred)[has]
        masses = np.minimum(theta[at], 1.0)
        with np.errstate(divide="ignore"):
            result[has] = np.log1p(-masses)
            if (masses > 0.5).any():  # 1 - b rounds away what the others have
                others = theta.copy()
                others[at] = 0.0
                rest = np.log(np.add.reduceat(others, self.first[:-1])[has])
                result[has] = np.where(masses > 0.5, rest, result[has])
        return np.maximum(result, IMPOSSIBLE)

    def expected(self, events: np.ndarray, masses: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """(P, K) expected counts of the codes, given the masses (E, K) of events (E,).

        Args:
            events: (E,) different ones.
            masses: how many rows with the event each product has.
            theta: (P, K) the products, which say how an END within a window lies in it, and which
                symbol stands in a hole.
        """
        counts = np.zeros(theta.shape)
        is_code, code, others, windows = self._kinds(events)
        counts[code[is_code]] = masses[is_code]
        if not (others.any() or windows.any()):
            return counts
        other = np.zeros((self.D, theta.shape[1]))  # symbols that are not known
        other[self._variable_of(events[others])] = masses[others]
        stop = theta[self.first[:-1] + self.end]  # (D, K)
        for window in np.flatnonzero(windows):
            first, last = self._window(events[window])
            here, mass = stop[first : last + 1], masses[window]
            ends = here * np.cumprod(np.concatenate([np.ones((1, len(mass))), 1 - here[:-1]]), 0)
            ends *= mass / ends.sum(axis=0)
            counts[self.first[first : last + 1] + self.end] += ends
            other[first : last + 1] += mass - np.cumsum(ends, axis=0)
        symbols = theta.copy()
        symbols[self.first[:-1] + self.end] = 0.0
        total = np.maximum(1 - stop, np.finfo(float).tiny)
        return counts + symbols * (np.maximum(other, 0.0) / total)[self.variable]

    def _kinds(self, events: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Which events tell a code, that code among P, which are "not b", which are windows."""
        windows = events >= self.first_event[-1]
        variable = self._variable_of(np.where(windows, 0, events))
        own = events - self.first_event[variable]
        is_code = ~windows & (own < self.cards[variable])
        code = np.where(is_code, self.first[variable] + own, -1)
        return is_code, code, ~windows & (own == self.cards[variable] + 1), windows

    def _variable_of(self, events: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.first_event, events, side="right") - 1

    def _window(self, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.divmod(events - self.first_event[-1], self.D + 1)

    def _of_windows(self, theta: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Mass of an END at first .. last in strings that reach first: (E, K), from (E,)."""
        run = np.cumsum(self.log_other(theta), axis=0)
        run = np.concatenate([np.zeros((1, theta.shape[1])), run])
        return -np.expm1(run[last + 1] - run[first])


@dataclass(frozen=True, eq=False)
class Told:
    """What rows tell, as sparse columns.

    Attributes:
        columns: (E,) the event of each column.
        base: (D,) the event of each variable that has no column.
        base_of: (E,) the variable of each column; -1 for windows.
        ones: (n, E) sparse, in single precision.
        weights: (n,) how often each row was seen.
    """

    space: Space
    columns: np.ndarray
    base: np.ndarray
    base_of: np.ndarray
    ones: sparse.csr_matrix
    weights: np.ndarray

    @classmethod
    def of(
        cls,
        space: Space,
        rows: np.ndarray,
        weights: np.ndarray | None = None,
        *,
        filling: bool = False,
    ) -> Told:
        """See ``Space.read``; each weight is 1 where none are given."""
        weights = np.ones(len(rows)) if weights is None else weights
        told, windows = _read(space, rows, filling)
        base, columns, base_of = _columns(space, told, weights)
        column = np.full(space.first_event[-1], -1, dtype=np.int32)  # of each event; -1: none
        column[columns] = np.arange(len(columns))
        own = np.unique(windows[windows >= 0])
        behind = np.full(len(rows), -1, dtype=np.int32)  # the column of each row's window
        behind[windows >= 0] = len(columns) + np.searchsorted(own, windows[windows >= 0])
        columns = np.append(columns, space.first_event[-1] + own)
        base_of = np.append(base_of, np.full(len(own), -1))
        places, counts = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.int64)]
        for part in _parts(len(rows), space.D):
            events = told[part] + space.first_event[:-1]
            found = np.concatenate([column[events], behind[part, None]], axis=1)
            has = found >= 0
            places.append(found[has])
            counts.append(has.sum(axis=1))
        ends = np.append(0, np.cumsum(np.concatenate(counts)))
        parts = (np.ones(ends[-1], dtype=np.float32), np.concatenate(places), ends)
        ones = sparse.csr_matrix(parts, shape=(len(rows), len(columns)))
        return cls(space, columns, base, base_of, ones, weights)

    @classmethod
    def distinct(cls, space: Space, rows: np.ndarray) -> Told:
        """Each distinct row once, with how often it was seen."""
        return cls.of(space, *weighted(rows))

    def some(self, index: np.ndarray) -> Told:
        """What rows ``index`` (m,) tell, in this order."""
        return replace(self, ones=self.ones[index], weights=self.weights[index])

    def drawn(self, n: int, rng: np.random.Generator) -> Told:
        """What n rows tell that are drawn from all of them, without replacement; each distinct one
        once."""
        counts = rng.multivariate_hypergeometric(
            self.weights.astype(np.int64), n, method="marginals"
        )
        index = np.flatnonzero(counts)
        return replace(self.some(index), weights=counts[index].astype(np.float64))

    @property
    def n(self) -> float:
        return float(self.weights.sum())

    @property
    def work(self) -> float:
        """Multiplications, for each product, in the log masses of all rows."""
        n, E = self.ones.shape
        return self.ones.nnz * SPARSE_COST if self.sparse else n * E

    @property
    def sparse(self) -> bool:
        """Whether products with the ones are sparse: there are few."""
        n, E = self.ones.shape
        return bool(self.ones.nnz < SPARSE_BELOW * n * E)

    def terms(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(E, K) what each column adds to a row's log mass, in nats, and the constant (K,)."""
        base = self.space.log_mass(theta, self.base)
        added = self.space.log_mass(theta, self.columns)
        has = self.base_of >= 0
        added[has] -= base[self.base_of[has]]
        return added, base.sum(axis=0)

    def blocks(self, K: int, dtype: Any, multiple: int = 1) -> Iterator[tuple[slice, Any]]:
        """Slices of the rows, each with its columns as a dense or sparse matrix; of a ``multiple``
        of rows each, but for the last."""
        n, E = self.ones.shape
        size = max(16, BLOCK // max(K, 1 if self.sparse else E))
        size = -(-size // multiple) * multiple
        for i in range(0, n, size):
            part = slice(i, min(n, i + size))
            block = self.ones[part]
            yield part, (block if self.sparse else block.toarray()).astype(dtype, copy=False)

    def expected(self, masses: np.ndarray, sizes: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """(P, K) expected counts of the codes.

        Args:
            masses: (E, K) how many rows of each component have each column.
            sizes: (K,) how many rows each component has.
            theta: (P, K) the products by which the rows were shared out.
        """
        # the event without a column has what those with one leave
        has = self.base_of >= 0
        rest = np.tile(sizes, (self.space.D, 1))
        np.subtract.at(rest, self.base_of[has], masses[has])
        events = np.concatenate([self.base, self.columns])
        of_events = np.concatenate([np.maximum(rest, 0.0), masses])
        return self.space.expected(events, of_events, theta)

    def codes_of(self, index: np.ndarray) -> np.ndarray:
        """(P, m) ones where rows ``index`` (m,) are known to have a code."""
        chosen = self.ones[index].tocoo()
        space, m = self.space, len(index)
        events = np.tile(self.base, (m, 1))
        own = self.base_of[chosen.col] >= 0
        events[chosen.row[own], self.base_of[chosen.col[own]]] = self.columns[chosen.col[own]]
        is_code, code, _, _ = space._kinds(events.ravel())
        ones = np.zeros((space.first[-1], m))
        ones[code[is_code], np.repeat(np.arange(m), space.D)[is_code]] = 1.0
        return ones


def _parts(n: int, D: int) -> list[slice]:
    """Rows (n, D), cut into parts of at most ``BLOCK`` numbers."""
    size = max(1, BLOCK // max(D, 1))
    return [slice(i, min(n, i + size)) for i in range(0, n, size)]


def _read(space: Space, rows: np.ndarray, filling: bool) -> tuple[np.ndarray, np.ndarray]:
    """``Space.read``, in the smallest type that holds the events, part by part."""
    own = np.min_scalar_type(int(space.cards.max(initial=0)) + 1)
    told, windows = np.empty(rows.shape, dtype=own), np.empty(len(rows), dtype=np.int64)
    for part in _parts(*rows.shape):
        told[part], windows[part] = space.read(rows[part], filling=filling)
    return told, windows


def _columns(
    space: Space, told: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``base``, ``columns`` and ``base_of`` of a ``Told``, but for windows: see there."""
    base, columns = np.empty(space.D, dtype=np.int64), []
    for d, first in enumerate(space.first_event[:-1]):
        base[d] = first + np.bincount(told[:, d], weights).argmax()
        own = first + np.flatnonzero(np.bincount(told[:, d]))
        columns.append(own[own != base[d]])
    base_of = np.repeat(np.arange(space.D), [len(own) for own in columns])
    return base, np.concatenate(columns), base_of
