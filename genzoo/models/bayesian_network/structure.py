"""Which variable depends on which: Chow-Liu trees, greedy search for tables, given edges.

References:
    Chow & Liu (1968), Approximating discrete probability distributions with dependence trees.
    Heckerman, Geiger & Chickering (1995), Learning Bayesian networks: the combination of
    knowledge and statistical data (the BDeu score).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genzoo.fitting import Clock, Fit
from genzoo.models.bayesian_network.conditionals import mixed_radix
from genzoo.models.bayesian_network.counting import Indicators, LogRising, Rows
from genzoo.models.shared.information import information_in
from genzoo.space.graphs import topological
from genzoo.space.schema import MISSING, Schema
from genzoo.spelling import did_you_mean

# These trade what a table could tell for memory, and for a search that ends.
LARGEST_TABLE = 2**15  # entries of a table that a search makes
ROWS_PER_CONTEXT = 10  # of a table that a search makes, on average
LARGEST_PAIR = 2**20  # entries of a pair's table in a tree; a pair with more is not joined
_MOST_CELLS = 2**22  # counts at once: memory against calls
LARGEST_GIVEN_TABLE = 2**22  # entries of a table that given edges ask for
LEAST_ROWS = 10  # that reach a variable, or else nothing is searched for it
LEAST_PAIR_ROWS = 2**11  # in which pairs are counted, however little time there is
_PRODUCT = 2**30  # multiplications at once in products of binary columns: hundredths of a second
_MATRIX = 2**26  # numbers of a matrix of such columns
NEAR_FROM = 512  # variables; with more of them those of sequences and images pair with near ones
_NEAR_POSITIONS = 64  # steps of a sequence, before each one
_NEAR_LINES = 3  # of an image, before each place


class Order:
    """Which edges are still possible: none may close a cycle.

    Args:
        place: (D,) where in a given order of all variables each one is: a parent must come before
            its child. None: the order is free, and only edges that are there rule out others.
    """

    def __init__(self, D: int, place: np.ndarray | None = None) -> None:
        self.place = place
        # [i, j]: i is j or an ancestor of j
        self._reaches = np.eye(D if place is None else 0, dtype=bool)

    @classmethod
    def free(cls, D: int, forward: bool) -> Order:
        """Of D variables; with ``forward`` a parent must come before its child."""
        return cls(D, np.arange(D) if forward else None)

    @classmethod
    def along(cls, sequence: Sequence[int]) -> Order:
        """A parent must come before its child in a sequence of all variables."""
        return cls(len(sequence), np.argsort(sequence))

    def may_be_parents(self, child: int, variables: np.ndarray | slice) -> np.ndarray:
        """Which of some variables can become (or already are) parents of ``child``, bool."""
        if self.place is not None:
            return self.place[variables] < self.place[child]
        return ~self._reaches[child, variables]

    def may_be_parent(self, parent: int, child: int) -> bool:
        """Whether one variable can become (or already is) a parent of ``child``."""
        if self.place is not None:
            return bool(self.place[parent] < self.place[child])
        return not self._reaches[child, parent]

    def add(self, parent: int, child: int) -> None:
        if self.place is None and not self._reaches[parent, child]:
            above = np.flatnonzero(self._reaches[:, parent])
            self._reaches[np.ix_(above, np.flatnonzero(self._reaches[child]))] = True


@dataclass(frozen=True, eq=False)
class Information:
    """Mutual information of variables with others, for each one those of a stretch of K neighbours.

    Attributes:
        first: (D,) where the stretch of each variable begins.
        values: (D, K) nats, times the rows that reach the variable: the k-th of j is that with
            ``first[j] + k``. 0 where it was not counted.
    """

    first: np.ndarray
    values: np.ndarray

    @classmethod
    def none(cls, schema: Schema) -> Information:
        """Nothing was counted yet. All variables are neighbours, but in long sequences and large
        images, where most of what one tells of another is told by what lies between."""
        D = K = schema.D
        shape = schema.event_shape
        if D > NEAR_FROM and schema.layout == "sequence":
            K = min(D, _NEAR_POSITIONS * (D // shape[0]))
        elif D > NEAR_FROM and schema.layout == "image" and shape[-2] * shape[-1] == D:
            K = min(D, 2 * _NEAR_LINES * shape[-1])
        before = K if schema.layout == "sequence" else K // 2
        first = np.clip(np.arange(D) - before, 0, D - K)
        return cls(first, np.zeros((D, K)))

    def of(self, j: int) -> tuple[np.ndarray, np.ndarray]:
        """The neighbours of j, (K,), and their information, (K,)."""
        return self.first[j] + np.arange(self.values.shape[1]), self.values[j]


def mutual_information(
    rows: Rows,
    schema: Schema,
    fit: Fit,
    clock: Clock,
    *,
    most: float = math.inf,
    pseudo_count: float = 0.0,
) -> Information:
    """Mutual information of pairs, counted in rows.

    Where entries are ``MISSING``, only the rows that have both count. The units of work are
    ``"pairs"``.

    Args:
        rows: where they are counted.
        clock: the stretch of it in which to count.
        most: entries of a row that may be looked at for all pairs together; where more would be,
            they are counted in the first rows alone.
        pseudo_count: 0, or rows that are added to each cell of a pair's table.

    Returns:
        0 also for pairs of more than ``LARGEST_PAIR`` combinations, which no table can hold, and
        for variables that had no room. In sequences each variable has those before it alone.
    """
    found = Information.none(schema)
    D, K = found.values.shape
    sample = rows.first(max(LEAST_PAIR_ROWS, int(min(most / (D * K / 2), len(rows.codes)))))
    binary = D == K and (rows.cards <= 2).all() and rows.reached is None
    if binary and not (sample.codes == MISSING).any():
        _binary_pairs(sample, found, fit, clock, pseudo_count)
    else:
        _pairs(sample, found, schema.layout == "sequence", fit, clock, pseudo_count)
    if schema.layout == "sequence":
        np.putmask(found.values, found.first[:, None] + np.arange(K) >= np.arange(D)[:, None], 0.0)
    found.values[:] *= rows.n / max(1, sample.n)
    return found


def _binary_pairs(
    rows: Rows, found: Information, fit: Fit, clock: Clock, pseudo_count: float
) -> None:
    """Fill in the information of all pairs of complete binary columns, by products of matrices."""
    n, D = rows.codes.shape
    ones = rows.weights @ rows.codes
    block = max(1, _PRODUCT // (n * D))
    step = max(1, _MATRIX // D)
    for j in range(0, D, block):
        if not fit.goes_on("pairs", clock=clock):
            return
        fit.did("pairs", D * min(block, D - j))
        both = np.zeros((min(block, D - j), D))
        for start in range(0, n, step):
            part = rows.codes[start : start + step].astype(np.float32)
            weights = rows.weights[start : start + step, None].astype(np.float32)
            both += (part[:, j : j + block] * weights).T @ part
        own = ones[j : j + block, None]
        cells = np.stack([both, own - both, ones - both, rows.n - own - ones + both])
        cells = cells + pseudo_count
        a, b = cells[0] + cells[1], cells[0] + cells[2]  # rows with a one of each
        total = cells.sum(axis=0)
        information = _n_log_n(cells).sum(axis=0) + _n_log_n(total)
        for side in (a, total - a, b, total - b):
            information -= _n_log_n(side)
        varies = (rows.cards[j : j + block, None] > 1) & (rows.cards > 1)
        found.values[j : j + block] = np.where(varies, information, 0.0)
    np.fill_diagonal(found.values, 0.0)


def _pairs(
    rows: Rows, found: Information, forward: bool, fit: Fit, clock: Clock, pseudo_count: float
) -> None:
    """Fill in the information of each variable with those before it in its stretch, and where all
    rows reach all variables the same the other way round."""
    codes, cards, K = rows.codes, rows.cards, found.values.shape[1]
    for j, card in enumerate(cards.tolist()):
        if not fit.goes_on("pairs", clock=clock):
            return
        fit.did("pairs", K)
        if rows.n_reaching[j] < LEAST_ROWS or card == 1:
            continue
        begin = int(found.first[j])
        which = np.arange(len(codes))[rows.reaching(j)]
        which = which[codes[which, j] != MISSING]
        before = np.arange(begin, j)
        before = before[(cards[before] * card <= LARGEST_PAIR) & (cards[before] > 1)]
        cells = np.cumsum(cards[before]) * card
        for some in np.split(before, np.unique(np.searchsorted(cells, _stops(cells)))):
            if len(some) == 0:
                continue
            indicators = Indicators(rows, variables=some, most=0)
            counts = indicators.count(which, codes[which, j], card) + pseudo_count  # (M, S)
            information = information_in(counts, indicators.first)
            found.values[j, some - begin] = information
            if not forward:
                there = j - found.first[some]
                near = (there >= 0) & (there < K)
                found.values[some[near], there[near]] = information[near]


def _stops(cells: np.ndarray) -> np.ndarray:
    """Where to part a growing number of cells so that no part has many more than can be counted."""
    return np.arange(_MOST_CELLS, int(cells[-1]) if len(cells) else 0, _MOST_CELLS)


def _n_log_n(n: np.ndarray) -> np.ndarray:
    return n * np.log(np.maximum(n, np.finfo(np.float64).tiny))


def chow_liu(information: Information, least: float, forward: bool) -> list[list[int]]:
    """The parents of each variable in the tree of largest total mutual information.

    Edges with no more than ``least`` are left out, so constant columns stay alone. Where edges must
    point forward each position takes the earlier one that tells most about it.
    """
    if not forward:
        return _spanning_forest(information, least)
    best, top = information.values.argmax(axis=1), information.values.max(axis=1)
    chosen = (information.first + best).tolist()
    return [[p] if gain > least else [] for p, gain in zip(chosen, top, strict=True)]


def _spanning_forest(information: Information, least: float) -> list[list[int]]:
    """Prim's algorithm from variable 0, edges directed away from where it began."""
    D = len(information.first)
    parents: list[list[int]] = [[] for _ in range(D)]
    outside = np.ones(D, dtype=bool)
    link, gain = np.zeros(D, dtype=np.int64), np.full(D, -1.0)
    for _ in range(D):
        v = int(np.where(outside, gain, -np.inf).argmax())
        if gain[v] > least:
            parents[v] = [int(link[v])]
        outside[v] = False
        near, weight = information.of(v)
        closer = outside[near] & (weight > gain[near])
        link[near[closer]], gain[near[closer]] = v, weight[closer]
    return parents


class Tables:
    """Edges added one by one, each time that with the best gain of the BDeu score.

    A table gets no more contexts than one for each ``ROWS_PER_CONTEXT`` rows.

    Args:
        rows: what the tables are to explain.
        forward: whether edges must point forward.
        size: the equivalent sample size of the prior, in rows.

    Attributes:
        parents: of each variable in the order in which they were added.
    """

    def __init__(self, rows: Rows, forward: bool, size: float) -> None:
        self.rows, self.size = rows, size
        D = len(rows.cards)
        self.indicators = Indicators(rows)
        self.rising = LogRising(rows.n)
        self.order = Order.free(D, forward)
        self.parents: list[list[int]] = [[] for _ in range(D)]
        self.gains = np.full((D, D), -np.inf)  # [child, parent]

    def grow(self, fit: Fit, clock: Clock, report: Callable[[str], None]) -> list[list[int]]:
        """Add edges until none gains; ``parents``.

        The units of work are ``"scores"`` (variables whose first gains were found) and ``"edges"``.

        Args:
            clock: the stretch of it in which to search; what was found by its end is returned.
            report: called with a message now and then.
        """
        for child in range(len(self.parents)):
            if not fit.goes_on("scores", clock=clock):
                return self.parents
            fit.did("scores")
            self.look_at(child)
        edges = 0
        while (edge := self.best()) is not None and fit.goes_on("edges", clock=clock):
            fit.did("edges")
            self.add(*edge)
            edges += 1
            report(f"tables: {edges} edges")
        return self.parents

    def look_at(self, child: int) -> None:
        """Find what each further parent of ``child`` would gain."""
        rows, cards, own = self.rows, self.rows.cards, self.parents[child]
        q, M = int(np.prod(cards[own])), int(cards[child])
        fits = (q * M * cards <= LARGEST_TABLE) & (q * cards * ROWS_PER_CONTEXT <= rows.n)
        fits[own] = False
        open_ = self.order.may_be_parents(child, slice(None)) & fits & (cards > 1)
        self.gains[child] = -np.inf
        reaching = np.arange(len(rows.codes))[rows.reaching(child)]
        if M == 1 or not open_.any() or len(reaching) == 0:
            return
        asked, counter = np.arange(len(cards)), self.indicators
        if counter.looks_up:
            asked = np.flatnonzero(open_)
            counter = Indicators(rows, variables=asked, most=0)
        score = self._bdeu_gains(counter, reaching, child, q)
        self.gains[child, asked] = np.where(open_[asked], score, -np.inf)

    def best(self) -> tuple[int, int] | None:
        """The (parent, child) of largest gain that closes no cycle; None where none gains."""
        while True:
            at = np.unravel_index(self.gains.argmax(), self.gains.shape)
            child, parent = (int(i) for i in at)
            if not self.gains[child, parent] > 0:
                return None
            if self.order.may_be_parent(parent, child):
                return parent, child
            self.gains[child, parent] = -np.inf

    def add(self, parent: int, child: int) -> None:
        self.parents[child].append(parent)
        self.order.add(parent, child)
        self.look_at(child)

    def _bdeu_gains(
        self, indicators: Indicators, which: np.ndarray, child: int, q: int
    ) -> np.ndarray:
        """Gain of the BDeu score of ``child`` for each further parent, those of ``indicators``.

        ``which`` (m,) are the rows that reach it, q how many contexts it has already.
        """
        rows, size, M = self.rows, self.size, int(self.rows.cards[child])
        parents = self.parents[child]
        number = mixed_radix(rows.entries(which, parents), rows.cards[parents])
        seen, context = np.unique(number, return_inverse=True)
        C = len(seen)
        cell = context * M + rows.codes[which, child]
        counts = indicators.count(which, cell, C * M)  # (C M, S)
        in_context = counts.reshape(C, M, -1).sum(axis=1)  # (C, S)
        before_cells = np.bincount(cell, weights=rows.weights[which], minlength=C * M)
        before_cells = before_cells.astype(np.int64)
        before = self.rising(size / (q * M), before_cells).sum()
        before -= self.rising(size / q, before_cells.reshape(C, M).sum(axis=1)).sum()
        widths, after = rows.cards[indicators.variable], np.empty(counts.shape[1])
        for card in np.unique(widths):
            columns = np.flatnonzero(widths == card)
            after[columns] = self.rising(size / (q * M * card), counts[:, columns]).sum(axis=0)
            after[columns] -= self.rising(size / (q * card), in_context[:, columns]).sum(axis=0)
        return np.add.reduceat(after, indicators.first) - before


def given_parents(edges: Any, schema: Schema, cards: np.ndarray) -> list[list[int]]:
    """The parents of each variable by a list of (parent, child), names or positions.

    Raises:
        ValueError: for an unknown variable, an edge given twice, a cycle, an edge that points
            backward in strings with END, and a table that would be too large.
    """
    parents: list[list[int]] = [[] for _ in range(schema.D)]
    for edge in edges:
        parent, child = (_variable(end, schema) for end in edge)
        if parent == child or parent in parents[child]:
            what = "points at its own start" if parent == child else "is given twice"
            raise ValueError(f"structure: expected distinct edges; {tuple(edge)!r} {what}")
        if schema.end is not None and parent > child:
            raise ValueError(
                f"structure: in strings with END edges point forward; got {tuple(edge)!r}"
            )
        parents[child].append(parent)
    try:
        topological(parents)
    except ValueError:
        raise ValueError("structure: expected edges without a cycle; they have one") from None
    for child, own in enumerate(parents):
        entries = int(np.prod(cards[[*own, child]].astype(object)))
        if entries > LARGEST_GIVEN_TABLE:
            raise ValueError(
                f"structure: the table of {schema.names[child]!r} with its {len(own)} parents "
                f"would have {entries} entries; expected at most {LARGEST_GIVEN_TABLE}"
            )
    return parents


def _variable(end: Any, schema: Schema) -> int:
    """The position of one end of an edge, a name or a position."""
    if isinstance(end, (str, int)) and not isinstance(end, bool) and end in schema.names:
        return schema.names.index(end)
    if isinstance(end, (int, np.integer)) and not isinstance(end, bool) and 0 <= end < schema.D:
        return int(end)
    raise ValueError(
        f"structure: expected names of variables or positions 0 .. {schema.D - 1}; "
        f"got {end!r} (the names begin with {', '.join(map(repr, schema.names[:8]))})"
        f"{did_you_mean(end, schema.names)}"
    )
