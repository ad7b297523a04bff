"""Which variable depends on which: Chow-Liu trees, greedy search for tables, given edges.

References:
    Chow & Liu (1968), Approximating discrete probability distributions with dependence trees.
    Heckerman, Geiger & Chickering (1995), Learning Bayesian networks: the combination of
    knowledge and statistical data (the BDeu score).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from genzoo.models.bayesian_network.conditionals import mixed_radix
from genzoo.models.bayesian_network.counting import Indicators, log_rising
from genzoo.space.schema import MISSING, Schema

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


def topological(parents: list[Iterable[int]]) -> list[int]:
    """The variables, parents before children.

    Raises:
        ValueError: if there is a cycle.
    """
    waiting = {v: set(p) for v, p in enumerate(parents)}
    order: list[int] = []
    while waiting:
        ready = [v for v, p in waiting.items() if not p]
        if not ready:
            raise ValueError("cycle")
        order += ready
        for v in ready:
            del waiting[v]
        for p in waiting.values():
            p.difference_update(ready)
    return order


def mutual_information(
    rows: np.ndarray,
    weights: np.ndarray,
    reached: np.ndarray,
    cards: np.ndarray,
    deadline: float = np.inf,
    pseudo_count: float = 0.0,
) -> tuple[np.ndarray, bool]:
    """Mutual information [i, j] in nats, times the rows that reach j, counted in these.

    Where entries are ``MISSING``, only the rows that have both i and j count.

    Args:
        rows: (n, D).
        weights: (n,) how often each row was seen.
        reached: (n, D) bool.
        cards: (D,).
        deadline: on ``time.perf_counter``; variables j that are not counted by then have 0.
        pseudo_count: 0, or rows that are added to each cell of a pair's table.

    Returns:
        (D, D) information, 0 also for pairs of more than ``LARGEST_PAIR`` combinations, which no
        table can hold; whether all were counted.
    """
    indicators = Indicators(rows, cards, weights)
    information = np.zeros((len(cards), len(cards)))
    for j, card in enumerate(cards):
        if time.perf_counter() > deadline:
            return information, False
        which = np.flatnonzero(reached[:, j] & (rows[:, j] != MISSING))
        fits = cards * card <= LARGEST_PAIR
        if card * len(indicators.variable) <= _MOST_CELLS:
            counts = indicators.count(which, rows[which, j], int(card))  # (M, S)
            counts = counts + pseudo_count
            information[:, j] = np.where(fits, _information(counts, indicators.first), 0.0)
            continue
        for i in np.flatnonzero(fits & (cards > 1)):
            both = which[rows[which, i] != MISSING]
            pair = rows[both, j] * cards[i] + rows[both, i]
            counts = np.bincount(pair, weights=weights[both], minlength=int(card * cards[i]))
            counts = counts.reshape(card, cards[i]) + pseudo_count
            information[i, j] = _information(counts, np.zeros(1, dtype=np.int64))[0]
    np.fill_diagonal(information, 0.0)
    return information, True


def chow_liu(information: np.ndarray, least: float, forward: bool) -> list[list[int]]:
    """The parents of each variable in the tree of largest total mutual information.

    Args:
        information: (D, D) as ``mutual_information`` counts it.
        least: edges with no more than this are left out, so constant columns stay alone.
        forward: whether edges must point forward; then each position takes the earlier one that
            tells most about it.
    """
    if not forward:
        return _spanning_forest(information, least)
    information = np.triu(information, 1)
    best = information.argmax(axis=0)
    return [[int(b)] if information[b, c] > least else [] for c, b in enumerate(best)]


def _information(counts: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(D,) mutual information of a child with each variable, times the rows that have both."""

    def n_log_n(k: np.ndarray) -> np.ndarray:
        return k * np.log(np.maximum(k, 1))

    own_counts = np.ascontiguousarray(np.add.reduceat(counts, first, axis=1).T)  # (D, M)
    own, n = n_log_n(own_counts).sum(axis=1), own_counts.sum(axis=1)
    joint = np.add.reduceat(n_log_n(counts).sum(axis=0), first)
    other = np.add.reduceat(n_log_n(counts.sum(axis=0)), first)
    return joint - own - other + n_log_n(n)


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


def greedy_tables(
    rows: np.ndarray,
    weights: np.ndarray,
    reached: np.ndarray,
    cards: np.ndarray,
    forward: bool,
    *,
    equivalent_sample_size: float,
    deadline: float,
    report: Callable[[str], None],
) -> tuple[list[list[int]], int, bool]:
    """Edges added one by one, each time that with the best gain of the BDeu score.

    A table gets no more contexts than one for each ``ROWS_PER_CONTEXT`` rows.

    Args:
        rows: (n, D).
        weights: (n,) how often each row was seen.
        reached: (n, D) bool, the rows in which a child counts.
        cards: (D,).
        forward: whether edges must point forward.
        equivalent_sample_size: of the prior, in rows.
        deadline: on ``time.perf_counter``; what was found by then is returned.
        report: called with a message now and then.

    Returns:
        Parents of each variable in the order in which they were added; edges added; whether the
        search came to its end.
    """
    D, indicators = len(cards), Indicators(rows, cards, weights)
    order = Order.free(D, forward)
    parents: list[list[int]] = [[] for _ in range(D)]
    at = [np.flatnonzero(reached[:, c]) for c in range(D)]
    gains = np.full((D, D), -np.inf)  # [child, parent]
    n = int(weights.sum())

    def look_at(child: int) -> None:
        own = parents[child]
        q, M = int(np.prod(cards[own])), int(cards[child])
        fits = (q * M * cards <= LARGEST_TABLE) & (q * cards * ROWS_PER_CONTEXT <= n)
        fits[own] = False
        open_ = order.may_be_parents(child) & fits
        gains[child] = -np.inf
        if M > 1 and open_.any() and len(at[child]):
            asked, counter = np.arange(D), indicators
            if q * M * len(indicators.variable) > _MOST_CELLS:
                asked = np.flatnonzero(open_)
                counter = Indicators(rows[:, asked], cards[asked], weights)
            score = _bdeu_gains(
                rows, counter, cards[asked], at[child], child, own, q, n, cards,
                equivalent_sample_size,
            )  # fmt: skip
            gains[child, asked] = np.where(open_[asked], score, -np.inf)

    for child in range(D):
        if time.perf_counter() > deadline:
            return parents, 0, False
        look_at(child)
    edges = 0
    while True:
        child, parent = (int(i) for i in np.unravel_index(gains.argmax(), gains.shape))
        if not gains[child, parent] > 0:
            return parents, edges, True
        if time.perf_counter() > deadline:
            return parents, edges, False
        if not order.may_be_parents(child)[parent]:
            gains[child, parent] = -np.inf
            continue
        parents[child].append(parent)
        order.add(parent, child)
        edges += 1
        report(f"tables: {edges} edges")
        look_at(child)


def _bdeu_gains(
    rows: np.ndarray,
    indicators: Indicators,
    widths: np.ndarray,
    which: np.ndarray,
    child: int,
    parents: list[int],
    q: int,
    n: int,
    cards: np.ndarray,
    size: float,
) -> np.ndarray:
    """Gain of the BDeu score of ``child`` for each further parent, those of ``indicators``.

    ``widths`` are the cardinalities of these, ``n`` the weight of all rows.
    """
    M = int(cards[child])
    number = mixed_radix(rows[which][:, parents], cards[parents])
    seen, context = np.unique(number, return_inverse=True)
    C = len(seen)
    cell = context * M + rows[which, child]
    counts = indicators.count(which, cell, C * M)  # (C M, S)
    in_context = counts.reshape(C, M, -1).sum(axis=1)  # (C, S)
    before_cells = np.bincount(cell, weights=indicators.weights[which], minlength=C * M)
    before_cells = before_cells.astype(np.int64)
    before = log_rising(size / (q * M), n)[before_cells].sum()
    before -= log_rising(size / q, n)[before_cells.reshape(C, M).sum(axis=1)].sum()
    after = np.empty(counts.shape[1])
    for card in np.unique(widths):
        columns = np.flatnonzero(widths[indicators.variable] == card)
        cells, contexts = (log_rising(size / (q * M * card), n), log_rising(size / (q * card), n))
        after[columns] = cells[counts[:, columns]].sum(axis=0)
        after[columns] -= contexts[in_context[:, columns]].sum(axis=0)
    return np.add.reduceat(after, indicators.first) - before


def given_parents(edges: Any, schema: Schema, cards: np.ndarray) -> list[list[int]]:
    """The parents of each variable by a list of (parent, child), names or positions.

    Raises:
        ValueError: for an unknown variable, an edge given twice, a cycle, an edge that points
            backward in strings with END, and a table that would be too large.
    """
    where = {name: d for d, name in enumerate(schema.names)}

    def find(end: Any) -> int:
        if isinstance(end, (str, int)) and not isinstance(end, bool) and end in where:
            return where[end]
        if isinstance(end, (int, np.integer)) and not isinstance(end, bool) and 0 <= end < schema.D:
            return int(end)
        raise ValueError(
            f"structure: expected names of variables or positions 0 .. {schema.D - 1}; "
            f"got {end!r} (the names begin with {', '.join(map(repr, schema.names[:8]))})"
        )

    parents: list[list[int]] = [[] for _ in range(schema.D)]
    for edge in edges:
        parent, child = find(edge[0]), find(edge[1])
        if parent == child or parent in parents[child]:
            what = "points at its own start" if parent == child else "is given twice"
            raise ValueError(f"structure: expected distinct edges; {tuple(edge)!r} {what}")
        if schema.end is not None and parent > child:
            raise ValueError(
                f"structure: in strings with END edges point forward; got {tuple(edge)!r}"
            )
        parents[child].append(parent)
    try:
        topological([list(p) for p in parents])
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
