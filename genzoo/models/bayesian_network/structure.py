"""Which variable depends on which: Chow-Liu trees, greedy search for tables, given edges.

References:
    Chow & Liu (1968), Approximating discrete probability distributions with dependence trees.
    Heckerman, Geiger & Chickering (1995), Learning Bayesian networks: the combination of
    knowledge and statistical data (the BDeu score).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from genzoo.fitting import Clock, Fit
from genzoo.models.bayesian_network.conditionals import mixed_radix
from genzoo.models.bayesian_network.counting import Indicators, Rows, log_rising
from genzoo.models.shared.information import information_in
from genzoo.space.graphs import topological
from genzoo.space.schema import MISSING, Schema

# These trade what a table could tell for memory, and for a search that ends.
LARGEST_TABLE = 2**15  # entries of a table that a search makes
ROWS_PER_CONTEXT = 10  # of a table that a search makes, on average
LARGEST_PAIR = 2**20  # entries of a pair's table in a tree; a pair with more is not joined
_MOST_CELLS = 2**23  # counts of all variables against one; beyond, of those alone that are asked
LARGEST_GIVEN_TABLE = 2**22  # entries of a table that given edges ask for


class Order:
    """Which edges are still possible: none may close a cycle, and on sequences all point forward.

    Args:
        before: (D, D) bool [i, j]: whether i may come before j, apart from cycles.
    """

    def __init__(self, before: np.ndarray) -> None:
        self._reaches = np.eye(len(before), dtype=bool)  # [i, j]: i is j or an ancestor of j
        self._before = before

    @classmethod
    def free(cls, D: int, forward: bool) -> Order:
        """Of D variables; with ``forward`` a parent must come before its child."""
        others = ~np.eye(D, dtype=bool)
        return cls(np.triu(others) if forward else others)

    @classmethod
    def along(cls, sequence: Sequence[int]) -> Order:
        """A parent must come before its child in a sequence of all variables."""
        place = np.argsort(sequence)
        return cls(place[:, None] < place)

    def may_be_parents(self, child: int) -> np.ndarray:
        """(D,) bool: the variables that can become (or already are) parents of ``child``."""
        return self._before[:, child] & ~self._reaches[child]

    def add(self, parent: int, child: int) -> None:
        self._reaches |= np.outer(self._reaches[:, parent], self._reaches[child])


def mutual_information(
    rows: Rows, fit: Fit, clock: Clock, *, pseudo_count: float = 0.0
) -> np.ndarray:
    """Mutual information [i, j] in nats, times the rows that reach j, counted in these.

    Where entries are ``MISSING``, only the rows that have both i and j count. The units of work are
    ``"pairs"``.

    Args:
        rows: where they are counted.
        clock: the stretch of it in which to count.
        pseudo_count: 0, or rows that are added to each cell of a pair's table.

    Returns:
        (D, D) information; 0 also for pairs of more than ``LARGEST_PAIR`` combinations, which no
        table can hold, and for variables j that had no room.
    """
    codes, cards, D = rows.codes, rows.cards, len(rows.cards)
    indicators = Indicators(codes, cards, rows.weights)
    information = np.zeros((D, D))
    for j, card in enumerate(cards):
        if not fit.goes_on("pairs", clock=clock):
            return information
        fit.did("pairs", D)
        which = np.flatnonzero(rows.reached[:, j] & (codes[:, j] != MISSING))
        fits = cards * card <= LARGEST_PAIR
        if card * len(indicators.variable) <= _MOST_CELLS:
            counts = indicators.count(which, codes[which, j], int(card))  # (M, S)
            counts = counts + pseudo_count
            information[:, j] = np.where(fits, information_in(counts, indicators.first), 0.0)
            continue
        for i in np.flatnonzero(fits & (cards > 1)):
            both = which[codes[which, i] != MISSING]
            pair = codes[both, j] * cards[i] + codes[both, i]
            counts = np.bincount(pair, weights=rows.weights[both], minlength=int(card * cards[i]))
            counts = counts.reshape(card, cards[i]) + pseudo_count
            information[i, j] = information_in(counts, np.zeros(1, dtype=np.int64))[0]
    np.fill_diagonal(information, 0.0)
    return information


def chow_liu(information: np.ndarray, least: float, forward: bool) -> list[list[int]]:
    """The parents of each variable in the tree of largest total mutual information (D, D).

    Edges with no more than ``least`` are left out, so constant columns stay alone. Where edges must
    point forward each position takes the earlier one that tells most about it.
    """
    if not forward:
        return _spanning_forest(information, least)
    information = np.triu(information, 1)
    best = information.argmax(axis=0)
    return [[int(b)] if information[b, c] > least else [] for c, b in enumerate(best)]


def _spanning_forest(weight: np.ndarray, least: float) -> list[list[int]]:
    """Prim's algorithm from variable 0, edges directed away from where it began."""
    D = len(weight)
    weight = np.maximum(weight, weight.T)
    parents: list[list[int]] = [[] for _ in range(D)]
    outside = np.ones(D, dtype=bool)
    link, gain = np.zeros(D, dtype=np.int64), np.full(D, -1.0)
    for _ in range(D):
        v = int(np.where(outside, gain, -np.inf).argmax())
        if gain[v] > least:
            parents[v] = [int(link[v])]
        outside[v] = False
        closer = outside & (weight[v] > gain)
        link[closer], gain[closer] = v, weight[v][closer]
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
        self.indicators = Indicators(rows.codes, rows.cards, rows.weights)
        self.order = Order.free(D, forward)
        self.parents: list[list[int]] = [[] for _ in range(D)]
        self.at = [np.flatnonzero(rows.reached[:, c]) for c in range(D)]
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
        open_ = self.order.may_be_parents(child) & fits
        self.gains[child] = -np.inf
        if M == 1 or not open_.any() or len(self.at[child]) == 0:
            return
        asked, counter = np.arange(len(cards)), self.indicators
        if q * M * len(counter.variable) > _MOST_CELLS:
            asked = np.flatnonzero(open_)
            counter = Indicators(rows.codes[:, asked], cards[asked], rows.weights)
        score = self._bdeu_gains(counter, cards[asked], child, q)
        self.gains[child, asked] = np.where(open_[asked], score, -np.inf)

    def best(self) -> tuple[int, int] | None:
        """The (parent, child) of largest gain that closes no cycle; None where none gains."""
        while True:
            at = np.unravel_index(self.gains.argmax(), self.gains.shape)
            child, parent = (int(i) for i in at)
            if not self.gains[child, parent] > 0:
                return None
            if self.order.may_be_parents(child)[parent]:
                return parent, child
            self.gains[child, parent] = -np.inf

    def add(self, parent: int, child: int) -> None:
        self.parents[child].append(parent)
        self.order.add(parent, child)
        self.look_at(child)

    def _bdeu_gains(
        self, indicators: Indicators, widths: np.ndarray, child: int, q: int
    ) -> np.ndarray:
        """Gain of the BDeu score of ``child`` for each further parent, those of ``indicators``.

        ``widths`` are the cardinalities of these, q the contexts that the child has already.
        """
        codes, cards, which = self.rows.codes, self.rows.cards, self.at[child]
        parents, n, size, M = self.parents[child], self.rows.n, self.size, int(cards[child])
        number = mixed_radix(codes[which][:, parents], cards[parents])
        seen, context = np.unique(number, return_inverse=True)
        C = len(seen)
        cell = context * M + codes[which, child]
        counts = indicators.count(which, cell, C * M)  # (C M, S)
        in_context = counts.reshape(C, M, -1).sum(axis=1)  # (C, S)
        before_cells = np.bincount(cell, weights=indicators.weights[which], minlength=C * M)
        before_cells = before_cells.astype(np.int64)
        before = log_rising(size / (q * M), n)[before_cells].sum()
        before -= log_rising(size / q, n)[before_cells.reshape(C, M).sum(axis=1)].sum()
        after = np.empty(counts.shape[1])
        for card in np.unique(widths):
            columns = np.flatnonzero(widths[indicators.variable] == card)
            cells = log_rising(size / (q * M * card), n)
            contexts = log_rising(size / (q * card), n)
            after[columns] = cells[counts[:, columns]].sum(axis=0)
            after[columns] -= contexts[in_context[:, columns]].sum(axis=0)
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
    )
