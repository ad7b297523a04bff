"""Which variable depends on which: Chow-Liu trees, greedy search for tables, given edges.

References:
    Chow & Liu (1968), Approximating discrete probability distributions with dependence trees.
    Heckerman, Geiger & Chickering (1995), Learning Bayesian networks: the combination of
    knowledge and statistical data (the BDeu score).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from genzoo.bayes.conditionals import mixed_radix
from genzoo.bayes.counting import Indicators, log_rising
from genzoo.schema import Schema

LARGEST_TABLE = 2**15  # entries of a table that a search makes
LARGEST_GIVEN_TABLE = 2**22  # entries of a table that given edges ask for


class Order:
    """Which edges are still possible: none may close a cycle, and on sequences all point forward.

    Args:
        D: number of variables.
        forward: whether a parent must come before its child.
    """

    def __init__(self, D: int, forward: bool) -> None:
        self._reaches = np.eye(D, dtype=bool)  # [i, j]: i is j or an ancestor of j
        others = ~np.eye(D, dtype=bool)
        self._before = np.triu(others) if forward else others

    def may_be_parents(self, child: int) -> np.ndarray:
        """(D,) bool: the variables that can become (or already are) parents of ``child``."""
        return self._before[:, child] & ~self._reaches[child]

    def possible(self) -> np.ndarray:
        """(D, D) bool [child, parent]: ``may_be_parents`` of all children."""
        return self._before.T & ~self._reaches

    def reaches(self, start: int, ends: list[int]) -> np.ndarray:
        """Whether each of ``ends`` is ``start`` or can be reached from it."""
        return self._reaches[start, ends]

    def add(self, parent: int, child: int) -> None:
        self._reaches |= np.outer(self._reaches[:, parent], self._reaches[child])

    def rebuild(self, parents: list[list[int]]) -> None:
        """Start anew from these edges, after some were taken away."""
        self._reaches = np.eye(len(parents), dtype=bool)
        for child in topological([list(p) for p in parents]):
            self._reaches[:, child] |= self._reaches[:, parents[child]].any(axis=1)


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


def mutual_information(rows: np.ndarray, reached: np.ndarray, cards: np.ndarray) -> np.ndarray:
    """(D, D) mutual information [i, j] in nats, times the rows that reach j, counted in these."""
    indicators = Indicators(rows, cards)
    information = np.zeros((len(cards), len(cards)))
    for j, card in enumerate(cards):
        which = np.flatnonzero(reached[:, j])
        counts = indicators.count(which, rows[which, j], int(card))  # (M, S)
        information[:, j] = _information(counts, indicators.first)
    np.fill_diagonal(information, 0.0)
    return information


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
    """(D,) mutual information of a child with each variable, times the rows."""
    n = counts[:, first[0] : first[1] if len(first) > 1 else None].sum()

    def n_log_n(k: np.ndarray) -> np.ndarray:
        return k * np.log(np.maximum(k, 1))

    own = n_log_n(np.add.reduceat(counts, first, axis=1)[:, :1]).sum()
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
    reached: np.ndarray,
    cards: np.ndarray,
    forward: bool,
    *,
    equivalent_sample_size: float,
    deadline: float,
    report: Callable[[str], None],
) -> tuple[list[list[int]], int, bool]:
    """Hill climbing by the BDeu score: the best edge is added while one gains.

    Where none does, the edge is taken away or turned round whose change gains most, and adding
    goes on; the search ends where nothing gains.

    Args:
        rows: (n, D).
        reached: (n, D) bool, the rows in which a child counts.
        cards: (D,).
        forward: whether edges must point forward.
        equivalent_sample_size: of the prior, in rows.
        deadline: on ``time.perf_counter``; what was found by then is returned.
        report: called with a message now and then.

    Returns:
        Parents of each variable in the order in which they were added; steps taken; whether the
        search came to its end.
    """
    climb = _Climb(rows, reached, cards, forward, equivalent_sample_size)
    for child in range(len(cards)):
        if time.perf_counter() > deadline:
            return climb.parents, 0, False
        climb.look_at(child)
    steps = 0
    while climb.add_best() or climb.change_best():
        steps += 1
        report(f"tables: {steps} steps")
        if time.perf_counter() > deadline:
            return climb.parents, steps, False
    return climb.parents, steps, True


class _Climb:
    """The state of a hill climb; gains are differences of the BDeu score, in nats."""

    def __init__(
        self, rows: np.ndarray, reached: np.ndarray, cards: np.ndarray, forward: bool, size: float
    ) -> None:
        D = len(cards)
        self.parents: list[list[int]] = [[] for _ in range(D)]
        self._rows, self._cards, self._forward, self._size = rows, cards, forward, size
        self._order, self._indicators = Order(D, forward), Indicators(rows, cards)
        self._at = [np.flatnonzero(reached[:, c]) for c in range(D)]
        self._gains = np.full((D, D), -np.inf)  # [child, parent] of adding, cycles not looked at
        self._losses: list[np.ndarray | None] = [None] * D  # (k,) of taking away each parent

    def look_at(self, child: int) -> None:
        """Find the gains of adding each variable to the parents of ``child``."""
        own = self.parents[child]
        q, M = int(np.prod(self._cards[own])), int(self._cards[child])
        open_ = q * M * self._cards <= LARGEST_TABLE
        open_[[*own, child]] = False
        if self._forward:
            open_[child:] = False
        self._gains[child], self._losses[child] = -np.inf, None
        if M > 1 and open_.any():
            gains = _bdeu_gains(
                self._rows, self._indicators, self._at[child], child, own, q, self._cards, self._size
            )
            self._gains[child, open_] = gains[open_]

    def add_best(self) -> bool:
        """Add the edge that gains most; False if none gains."""
        legal = np.where(self._order.possible(), self._gains, -np.inf)
        child, parent = (int(i) for i in np.unravel_index(legal.argmax(), legal.shape))
        if not legal[child, parent] > 0:
            return False
        self.parents[child].append(parent)
        self._order.add(parent, child)
        self.look_at(child)
        return True

    def change_best(self) -> bool:
        """Take away or turn round the edge whose change gains most; False if none gains."""
        best, change = 1e-6, None  # a rounding error is no gain
        for child, own in enumerate(self.parents):
            losses = self._losses_of(child)
            for parent, loss in zip(own, losses, strict=True):
                if -loss > best:
                    best, change = -loss, (parent, child, False)
                gain = self._gains[parent, child] - loss
                if gain > best and not self._another_way(parent, child):
                    best, change = gain, (parent, child, True)
        if change is None:
            return False
        parent, child, turn = change
        self.parents[child].remove(parent)
        if turn:
            self.parents[parent].append(child)
            self.look_at(parent)
        self._order.rebuild(self.parents)
        self.look_at(child)
        return True

    def _losses_of(self, child: int) -> np.ndarray:
        losses = self._losses[child]
        if losses is None:
            own = self.parents[child]
            rest = [[p for p in own if p != parent] for parent in own]
            whole = self._score(child, own)
            losses = np.array([whole - self._score(child, others) for others in rest])
            self._losses[child] = losses
        return losses

    def _score(self, child: int, parents: list[int]) -> float:
        q, M, n = int(np.prod(self._cards[parents])), int(self._cards[child]), len(self._rows)
        family = [*parents, child]
        cell = mixed_radix(self._rows[self._at[child]][:, family], self._cards[family])
        counts = np.bincount(cell, minlength=q * M).reshape(q, M)
        cells, sums = log_rising(self._size / (q * M), n), log_rising(self._size / q, n)
        return float(cells[counts].sum() - sums[counts.sum(axis=1)].sum())

    def _another_way(self, parent: int, child: int) -> bool:
        """Whether a path leads from parent to child that is not their edge."""
        others = [p for p in self.parents[child] if p != parent]
        return bool(self._order.reaches(parent, others).any())


def _bdeu_gains(
    rows: np.ndarray,
    indicators: Indicators,
    which: np.ndarray,
    child: int,
    parents: list[int],
    q: int,
    cards: np.ndarray,
    size: float,
) -> np.ndarray:
    """(D,) gain of the BDeu score of ``child`` if each variable became a further parent."""
    n, M = len(rows), int(cards[child])
    number = mixed_radix(rows[which][:, parents], cards[parents])
    seen, context = np.unique(number, return_inverse=True)
    C = len(seen)
    counts = indicators.count(which, context * M + rows[which, child], C * M)  # (C M, S)
    in_context = counts.reshape(C, M, -1).sum(axis=1)  # (C, S)
    before_cells = counts[:, : cards[0]].sum(axis=1)
    before = log_rising(size / (q * M), n)[before_cells].sum()
    before -= log_rising(size / q, n)[before_cells.reshape(C, M).sum(axis=1)].sum()
    after = np.empty(counts.shape[1])
    for card in np.unique(cards):
        columns = np.flatnonzero(cards[indicators.variable] == card)
        cells, contexts = log_rising(size / (q * M * card), n), log_rising(size / (q * card), n)
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
