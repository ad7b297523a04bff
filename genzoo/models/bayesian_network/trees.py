"""Decision trees as conditionals, grown over all variables at once.

The leaf, of any child's tree, with the best gain is split first: the log marginal likelihood of
the child's codes under a symmetric Dirichlet(1/M) prior in each leaf, of the two new leaves less
the old one. A nominal variable is split as "= v or not", an ordinal one as "<= v". No split may
close a cycle among the variables.

Growing best first nests: a search that stops at gains under 8 nats is the beginning of one that
stops at 4, so one search gives the network for every penalty on a split.

Chickering, Heckerman & Meek (1997), A Bayesian approach to learning Bayesian networks with local
structure; Friedman, Nachman & Pe'er (1999), Learning Bayesian network structure from massive
datasets: the sparse candidate algorithm.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from genzoo.fitting import Clock, Fit
from genzoo.models.bayesian_network.conditionals import TreeCounts
from genzoo.models.bayesian_network.counting import Indicators, Rows, log_rising
from genzoo.models.bayesian_network.structure import Order

LEAST_ROWS = 10  # a leaf with fewer is not split: time against small leaves
# With more columns each child looks at its best candidate parents only: a leaf keeps a gain for
# each column, so time and memory are traded against parents that tell little alone.
_MANY_COLUMNS = 2048
_CANDIDATES = 8
_MOST_CELLS = 2**22  # counts in one look at a leaf: the child's codes times columns (memory)


class _Growing:
    """The tree of one child while it grows; lists are by node, in the order of creation."""

    def __init__(
        self,
        which: np.ndarray,
        counts: np.ndarray,
        indicators: Indicators,
        candidates: np.ndarray,
        most_nodes: int,
    ) -> None:
        self.rows = [which]  # emptied when the node is split
        self.counts = [counts]  # (M,)
        self.above = [-1]
        self.split: list[tuple[int, int, int] | None] = [None]  # variable, code, first new node
        self.gains: list[np.ndarray] = [np.zeros(0)]  # (S,) of each possible split
        self.indicators = indicators
        self.candidates = candidates  # the variables that the indicators number 0, 1, ...
        self.most_nodes = most_nodes


class Forest:
    """The trees of all children; each begins as one leaf.

    Args:
        rows: what the trees are to explain.
        ordinal: (D,) bool.
        information: (D, D) mutual information, by which candidate parents are chosen.
        largest_tree: bytes that the counts and questions of a child's tree may take.

    Attributes:
        splits: how many were made.
        work: numbers that were looked at for them.
    """

    def __init__(
        self,
        rows: Rows,
        ordinal: np.ndarray,
        information: np.ndarray,
        order: Order,
        largest_tree: int,
    ) -> None:
        codes, weights, cards = rows.codes, rows.weights, rows.cards
        self._rows, self._weights, self._cards = codes, weights, cards
        self._n = rows.n
        self._ordinal = ordinal & (cards > 2)
        # "<= last code" is always true, so the last code of an ordinal needs no column; of two
        # codes one is enough, the rarer
        common = (weights @ np.maximum(codes, 0) > self._n / 2).astype(np.int64)
        left_out = np.where(cards == 2, common, np.where(ordinal | (cards == 1), cards - 1, -1))
        self._order = order
        candidates = np.arange(len(cards))
        shared = None
        if (cards - (left_out >= 0)).sum() <= _MANY_COLUMNS:
            shared = Indicators(codes, cards, weights, left_out)
        self._trees = []
        for child in range(len(cards)):
            which = np.flatnonzero(rows.reached[:, child])
            counts = self._count(which, child)
            indicators = shared
            if indicators is None:
                candidates = self._best_candidates(child, information[:, child], left_out)
                indicators = Indicators(
                    codes[:, candidates], cards[candidates], weights, left_out[candidates]
                )
            widest = int(cards[candidates].max(initial=1))
            most_nodes = largest_tree // (8 * len(counts) + widest)
            self._trees.append(_Growing(which, counts, indicators, candidates, most_nodes))
        self._heap: list[tuple[float, int, int]] = []  # (-gain, child, leaf)
        self.splits, self.work = 0, 0.0

    def _count(self, which: np.ndarray, child: int) -> np.ndarray:
        """(M,) weight of the rows ``which`` with each code of the child."""
        codes, weights = self._rows[which, child], self._weights[which]
        counts = np.bincount(codes, weights=weights, minlength=int(self._cards[child]))
        return counts.astype(np.int64)

    def _best_candidates(
        self, child: int, information: np.ndarray, left_out: np.ndarray
    ) -> np.ndarray:
        """The variables that tell most about a child, as many as can be counted at once."""
        worth = np.where(self._order.may_be_parents(child), information, -np.inf)
        chosen, columns = [], 0
        for v in np.argsort(-worth, kind="stable")[:_CANDIDATES]:
            wider = columns + int(self._cards[v] - (left_out[v] >= 0))
            if worth[v] > -np.inf and wider * int(self._cards[child]) <= _MOST_CELLS:
                chosen.append(int(v))
                columns = wider
        return np.sort(np.array(chosen, dtype=np.int64))

    def grow(
        self,
        penalties: Sequence[float],
        *,
        fit: Fit,
        clock: Clock,
        report: Callable[[str], None] = lambda _: None,
    ) -> Iterator[tuple[float, bool]]:
        """Split until no gain exceeds a penalty, for one penalty after the other.

        The units of work are ``"roots"`` (children whose first splits were found) and ``"splits"``.

        Args:
            penalties: nats a split, descending; above 0, which a split that separates nothing
                gains up to rounding.
            clock: the stretch of it in which to grow; at its end the search stops where it is.
            report: called with a message now and then.

        Yields:
            (penalty, whether the search for it came to its end), when the forest is that of the
            penalty; after False nothing follows.
        """
        least = penalties[-1]
        for child in range(len(self._trees)):
            if not fit.goes_on("roots", clock=clock):
                yield penalties[0], False
                return
            fit.did("roots")
            self._look_at(child, 0, least)
        for penalty in penalties:
            while self._gains_more(penalty, least):
                if not fit.goes_on("splits", clock=clock):
                    yield penalty, False
                    return
                fit.did("splits")
                self._split_best(least)
                if self.splits % 50 == 0:
                    report(f"trees: {self.splits} splits")
            yield penalty, True

    def trees(self) -> list[TreeCounts]:
        """The trees of all children as they stand."""
        return [self._tree(child) for child in range(len(self._trees))]

    def _tree(self, child: int) -> TreeCounts:
        tree = self._trees[child]
        parents = np.unique([s[0] for s in tree.split if s is not None]).astype(np.int64)
        width = int(self._cards[parents].max(initial=1))
        splits = np.full((len(tree.split), 4), -1, dtype=np.int64)
        yes = np.zeros((len(tree.split), width), dtype=bool)
        leaves = 0
        for node, split in enumerate(tree.split):
            if split is None:
                splits[node, 3] = leaves
                leaves += 1
            else:
                variable, code, new = split
                splits[node, :3] = np.searchsorted(parents, variable), new, new + 1
                codes = np.arange(width)
                yes[node] = codes <= code if self._ordinal[variable] else codes == code
        return TreeCounts(
            parents, splits, yes, np.array(tree.above), np.array(tree.counts, dtype=np.float64)
        )

    def _look_at(self, child: int, leaf: int, least: float) -> None:
        """Find the gains of all splits of a leaf, and queue the best."""
        tree, M = self._trees[child], int(self._cards[child])
        which = tree.rows[leaf]
        if tree.counts[leaf].sum() < LEAST_ROWS or M == 1 or len(tree.indicators.variable) == 0:
            return
        n, indicators = self._n, tree.indicators
        self.work += len(which) * indicators.effort
        # the child's codes that occur in the leaf are enough: a count of 0 adds nothing
        codes = np.flatnonzero(tree.counts[leaf])
        own = (np.cumsum(tree.counts[leaf] > 0) - 1)[self._rows[which, child]]
        yes = indicators.count(which, own, len(codes))  # (codes, S) rows that say yes
        if (wide := self._ordinal[tree.candidates]).any():
            running = np.cumsum(yes, axis=1)
            at_most = running - (running - yes)[:, indicators.first[indicators.variable]]
            yes = np.where(wide[indicators.variable], at_most, yes)
        total = tree.counts[leaf][codes][:, None]
        cells, sums = log_rising(1 / M, n), log_rising(1.0, n)

        def score(counts: np.ndarray) -> np.ndarray:
            return cells[counts].sum(axis=0) - sums[counts.sum(axis=0)]

        tree.gains[leaf] = (score(yes) + score(total - yes) - score(total)).astype(np.float32)
        self._queue(child, leaf, least)

    def _queue(self, child: int, leaf: int, least: float) -> None:
        """Queue the best split that closes no cycle, if its gain is worth it."""
        tree = self._trees[child]
        open_ = self._order.may_be_parents(child)[tree.candidates]
        gains = np.where(open_[tree.indicators.variable], tree.gains[leaf], -np.inf)
        tree.gains[leaf] = gains
        best = float(gains.max())
        if best > least:
            heapq.heappush(self._heap, (-best, child, leaf))

    def _gains_more(self, penalty: float, least: float) -> bool:
        """Whether a possible split gains more than a penalty; it is then the first in the queue."""
        while self._heap and -self._heap[0][0] > penalty:
            _, child, leaf = self._heap[0]
            tree = self._trees[child]
            full = len(tree.rows) + 2 > tree.most_nodes
            if not full and self._order.may_be_parents(child)[self._best_split(child, leaf)[0]]:
                return True
            heapq.heappop(self._heap)
            if not full:
                self._queue(child, leaf, least)
        return False

    def _best_split(self, child: int, leaf: int) -> tuple[int, int]:
        """(variable, code) of the best split of a leaf."""
        tree = self._trees[child]
        column = int(tree.gains[leaf].argmax())
        local = tree.indicators.variable[column]
        return int(tree.candidates[local]), int(tree.indicators.code[column])

    def _split_best(self, least: float) -> None:
        """Split the leaf that is first in the queue."""
        _, child, leaf = heapq.heappop(self._heap)
        tree = self._trees[child]
        variable, code = self._best_split(child, leaf)
        self._order.add(variable, child)
        self.splits += 1
        new, which = len(tree.rows), tree.rows[leaf]
        codes = self._rows[which, variable]
        says_yes = codes <= code if self._ordinal[variable] else codes == code
        tree.split[leaf] = (variable, code, new)
        tree.rows[leaf], tree.gains[leaf] = np.zeros(0, dtype=np.int64), np.zeros(0)
        for part in (which[says_yes], which[~says_yes]):
            tree.rows.append(part)
            tree.counts.append(self._count(part, child))
            tree.above.append(leaf)
            tree.split.append(None)
            tree.gains.append(np.zeros(0))
        for node in (new, new + 1):
            self._look_at(child, node, least)
