"""Decision trees as conditionals, grown over all variables at once.

The leaf, of any child's tree, with the best gain is split first: the log marginal likelihood of
the child's codes under a symmetric Dirichlet(1/M) prior in each leaf, of the two new leaves less
the old one. A nominal variable is split as "= v or not", an ordinal one as "<= v". No split may
close a cycle among the variables.

Growing best first nests: a search that stops at gains under 8 nats is the beginning of one that
stops at 4, so one search gives the network for every penalty on a split.

Three things make it fast. Leaves whose gains are nearly the best are split together, and what is
to be counted in all new leaves is counted in one go. Of two new leaves only the smaller one is
counted: the counts of the other are those of the leaf before, less these. And the gains of a leaf
of very many rows are those of a sample, where that tells more than enough (Domingos & Hulten 2000).

Chickering, Heckerman & Meek (1997), A Bayesian approach to learning Bayesian networks with local
structure; Friedman, Nachman & Pe'er (1999), Learning Bayesian network structure from massive
datasets: the sparse candidate algorithm; Domingos & Hulten (2000), Mining high-speed data streams.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from genzoo.fitting import Clock, Fit
from genzoo.models.bayesian_network.conditionals import TreeCounts
from genzoo.models.bayesian_network.counting import Indicators, LogRising, Rows
from genzoo.models.bayesian_network.structure import LEAST_ROWS, Information, Order

# With more columns each child looks at its best candidate parents only: time is traded against
# parents that tell little alone.
_MANY_COLUMNS = 2048
_CANDIDATES = 8
_MOST_CELLS = 2**21  # counts in one look at some leaves: codes of the children times columns
_MOST_LEAVES = 64  # that are split together
# Of the best gain: leaves whose gains are no smaller are split before any is looked at again. The
# first splits decide the order of the variables, so there are few of these at a time.
_NEARLY = 0.9
_KEPT = 16  # best splits that a leaf remembers; if edges rule them all out it is looked at again
_KEPT_COUNTS = 2**28  # bytes of the counts that leaves keep for the two that they become
_SAMPLE = 2**15  # rows of a leaf that are looked at first
_SURE = 64.0  # nats that a split must gain in them, or else all rows are looked at


class _Growing:
    """The tree of one child while it grows; lists are by node, in the order of creation."""

    def __init__(
        self, which: np.ndarray, counts: np.ndarray, indicators: Indicators, most_nodes: int
    ) -> None:
        self.rows = [which]  # emptied when the node is split
        self.counts = [counts]  # (M,)
        self.above = [-1]
        self.split: list[tuple[int, int, int] | None] = [None]  # variable, code, first new node
        # the best splits of a leaf: gains, descending, and columns of the indicators
        self.best: list[tuple[np.ndarray, np.ndarray]] = [(np.zeros(0), np.zeros(0, np.int64))]
        self.kept: dict[int, _Seen] = {}  # what was counted in large leaves
        self.indicators = indicators
        self.most_nodes = most_nodes
        self.made: TreeCounts | None = None  # the tree as it stands, if it was asked for


@dataclass(frozen=True, eq=False)
class _Seen:
    """What was counted in a leaf.

    Attributes:
        codes: (k,) the child's codes that were told apart.
        counts: (k, S) rows with each of them in which each column says yes.
        own: (k,) rows with each of them.
        sample: how many rows of the leaf were looked at, its first ones.
    """

    codes: np.ndarray
    counts: np.ndarray
    own: np.ndarray
    sample: int


@dataclass(frozen=True, eq=False)
class _Look:
    """A leaf that is to be looked at.

    Attributes:
        codes: (k,) the child's codes to tell apart.
        sample: how many of its rows to look at.
        other: the other new leaf, if its counts are those of ``before`` less this one's.
        before: what was counted in the leaf that the two were.
    """

    child: int
    leaf: int
    codes: np.ndarray
    sample: int
    other: int = -1
    before: _Seen | None = None


class Forest:
    """The trees of all children; each begins as one leaf.

    Args:
        rows: what the trees are to explain, in an order that tells nothing.
        ordinal: (D,) bool.
        information: by which candidate parents are chosen.
        largest_tree: bytes that the counts and questions of a child's tree may take.

    Attributes:
        splits: how many were made.
        work: numbers that were looked at for them.
    """

    def __init__(
        self,
        rows: Rows,
        ordinal: np.ndarray,
        information: Information,
        order: Order,
        largest_tree: int,
    ) -> None:
        cards = rows.cards
        self._rows, self._cards = rows, cards
        self._ordinal = ordinal & (cards > 2)
        # "<= last code" is always true, so the last code of an ordinal needs no column; of two
        # codes one is enough, the rarer
        seconds = np.array([rows.weights @ (rows.codes[:, v] == 1) for v in range(len(cards))])
        common = (seconds > rows.n / 2).astype(np.int64)
        self._left_out = np.where(
            cards == 2, common, np.where(ordinal | (cards == 1), cards - 1, -1)
        )
        self._order, self._information, self._largest_tree = order, information, largest_tree
        self._rising = LogRising(rows.n)
        self._none = Indicators(rows, variables=np.zeros(0, dtype=np.int64))
        self._shared = None
        if (cards - (self._left_out >= 0)).sum() <= _MANY_COLUMNS:
            self._shared = Indicators(rows, self._left_out)
        self._all = np.arange(len(rows.codes), dtype=np.int32)
        self._trees = [self._planted(child) for child in range(len(cards))]
        self._looked_at = 0  # children whose first splits were found
        self._heap: list[tuple[float, int, int]] = []  # (-gain, child, leaf)
        self.splits, self.work = 0, 0.0

    def _planted(self, child: int) -> _Growing:
        """The tree of a child as one leaf."""
        which = self._all[self._rows.reaching(child)]
        counts = self._count(which, child)
        indicators = self._shared
        if self._rows.n_reaching[child] < LEAST_ROWS:
            indicators = self._none
        elif indicators is None:
            chosen = self._best_candidates(child)
            indicators = Indicators(self._rows, self._left_out, chosen, most=0)
        widest = int(self._cards[indicators.variable].max(initial=1))
        most_nodes = self._largest_tree // (8 * len(counts) + widest)
        return _Growing(which, counts, indicators, most_nodes)

    def _count(self, which: np.ndarray, child: int) -> np.ndarray:
        """(M,) weight of the rows ``which`` with each code of the child."""
        codes, weights = self._rows.codes[which, child], self._rows.weights[which]
        counts = np.bincount(codes, weights=weights, minlength=int(self._cards[child]))
        return counts.astype(np.int64)

    def _best_candidates(self, child: int) -> np.ndarray:
        """The variables that tell most about a child, as many as can be counted at once."""
        near, information = self._information.of(child)
        worth = np.where(self._order.may_be_parents(child, near), information, 0.0)
        chosen, columns = [], 0
        for k in np.argsort(-worth, kind="stable")[:_CANDIDATES].tolist():
            v = int(near[k])
            wider = columns + int(self._cards[v] - (self._left_out[v] >= 0))
            if worth[k] > 0 and wider * int(self._cards[child]) <= 2 * _MOST_CELLS:
                chosen.append(v)
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
        """Split until no gain exceeds a penalty, for one penalty after the other; to go on where
        the time was over, call it again with the penalties that are left.

        The units of work are ``"roots"`` (children whose first splits were found) and ``"rounds"``
        (of splits that are made together).

        Args:
            penalties: nats a split, descending; above 0, which a split that separates nothing
                gains up to rounding.
            clock: the stretch of it in which to grow; at its end the search stops where it is.
            report: called with a message now and then.

        Yields:
            (penalty, whether the search for it came to its end), when the forest is that of the
            penalty; after False nothing follows.
        """
        least, D = penalties[-1], len(self._cards)
        while self._looked_at < D:
            if not fit.goes_on("roots", clock=clock):
                yield penalties[0], False
                return
            looks, work = [], 0.0  # as a share of what can be done at once
            while self._looked_at < D and work < 1:
                looks.append(self._whole(self._looked_at, 0))
                indicators = self._trees[self._looked_at].indicators
                work += looks[-1].sample * indicators.effort / indicators.at_once
                self._looked_at += 1
            self._look_at(looks, least)
            fit.did("roots", len(looks))
        for penalty in penalties:
            while self._heap and -self._heap[0][0] > penalty:
                if not fit.goes_on("rounds", clock=clock):
                    yield penalty, False
                    return
                fit.did("rounds")
                together = self._next(penalty, least)
                new = [self._split(child, leaf, split) for child, leaf, split in together]
                self._look_at([look for looks in new for look in looks], least)
                report(f"trees: {self.splits} splits")
            yield penalty, True

    def trees(self) -> list[TreeCounts]:
        """The trees of all children as they stand; the same objects where nothing was split."""
        return [self._tree(child) for child in range(len(self._trees))]

    def _tree(self, child: int) -> TreeCounts:
        tree = self._trees[child]
        if tree.made is not None:
            return tree.made
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
        counts = np.array(tree.counts, dtype=np.float64)
        tree.made = TreeCounts(parents, splits, yes, np.array(tree.above), counts)
        return tree.made

    # ---------------------------------------------------------------- looking at leaves

    def _whole(self, child: int, leaf: int, most: int = _SAMPLE) -> _Look:
        """To look at a leaf by itself."""
        tree = self._trees[child]
        # the child's codes that occur in the leaf are enough: a count of 0 adds nothing
        codes = np.flatnonzero(tree.counts[leaf])
        return _Look(child, leaf, codes, min(most, len(tree.rows[leaf])))

    def _look_at(self, looks: list[_Look], least: float) -> None:
        """Find the best splits of some leaves, and queue them."""
        looks = [look for look in looks if self._may_split(look)]
        while looks:
            first, cells, some = self._trees[looks[0].child].indicators, 0, 0
            for look in looks:
                cells += len(look.codes) * len(first.variable)
                if self._trees[look.child].indicators is not first or (
                    some and cells > _MOST_CELLS
                ):
                    break
                some += 1
            self._count_some(looks[:some], first, least)
            looks = looks[some:]

    def _may_split(self, look: _Look) -> bool:
        """Whether a leaf, or the other one with it, has enough to tell apart."""
        tree = self._trees[look.child]
        leaves = [look.leaf] if look.before is None else [look.leaf, look.other]
        return len(tree.indicators.variable) > 0 and any(
            tree.counts[leaf].sum() >= LEAST_ROWS and np.count_nonzero(tree.counts[leaf]) > 1
            for leaf in leaves
        )

    def _count_some(self, looks: list[_Look], indicators: Indicators, least: float) -> None:
        """Look at leaves whose children have the same indicators, all in one count."""
        sizes = [len(look.codes) for look in looks]
        starts = np.cumsum([0, *sizes])
        which, group = [], []
        for look, start in zip(looks, starts[:-1], strict=True):
            at = self._trees[look.child].rows[look.leaf][: look.sample]
            place = np.empty(int(self._cards[look.child]), dtype=np.int32)
            place[look.codes] = np.arange(start, start + len(look.codes))
            which.append(at)
            group.append(place[self._rows.codes[at, look.child]])
        rows, groups = np.concatenate(which), np.concatenate(group)
        self.work += len(rows) * indicators.effort
        yes = indicators.count(rows, groups, int(starts[-1]))
        own = np.bincount(groups, self._rows.weights[rows], minlength=len(yes)).astype(np.int64)
        found: list[tuple[int, int, _Seen]] = []
        for look, start, end in zip(looks, starts[:-1], starts[1:], strict=True):
            seen = _Seen(look.codes, yes[start:end], own[start:end], look.sample)
            found.append((look.child, look.leaf, seen))
            if look.before is not None:
                b = look.before
                rest = b.sample - look.sample
                seen = _Seen(b.codes, b.counts - seen.counts, b.own - seen.own, rest)
                found.append((look.child, look.other, seen))
        self._judge(found, indicators, least)

    def _judge(
        self, found: list[tuple[int, int, _Seen]], indicators: Indicators, least: float
    ) -> None:
        """Queue leaves by the gains of their splits, by what was counted in them."""
        starts = np.cumsum([0, *(len(seen.codes) for _, _, seen in found)])
        gains = self._gains(
            np.concatenate([seen.counts for _, _, seen in found]),
            np.concatenate([seen.own for _, _, seen in found]),
            starts[:-1],
            np.array([1 / self._cards[child] for child, _, _ in found]),
            indicators,
        )
        again = []
        for (child, leaf, seen), own in zip(found, gains, strict=True):
            tree = self._trees[child]
            everything = len(tree.rows[leaf])
            if seen.sample < everything:
                if seen.sample < _SAMPLE // 2 or own.max() <= _SURE:
                    most = _SAMPLE if seen.sample < _SAMPLE // 2 else everything
                    again.append(self._whole(child, leaf, most))
                    continue
                own = own * (tree.counts[leaf].sum() / seen.own.sum())
            if seen.counts.nbytes * self._leaves_of(everything) <= _KEPT_COUNTS:
                tree.kept[leaf] = replace(seen, counts=seen.counts.copy())  # a part of many
            self._remember(child, leaf, own, indicators)
            self._queue(child, leaf, least)
        if again:
            self._look_at(again, least)

    def _leaves_of(self, size: int) -> float:
        """How many leaves of no fewer rows there can be in all trees."""
        return len(self._cards) * len(self._rows.codes) / max(1, size)

    def _gains(
        self,
        yes: np.ndarray,
        own: np.ndarray,
        starts: np.ndarray,
        a: np.ndarray,
        indicators: Indicators,
    ) -> np.ndarray:
        """(L, S) nats that each split gains in each of L leaves.

        Args:
            yes: (k, S) rows in each column with each code of each leaf's child.
            own: (k,) rows with the code.
            starts: (L,) where the codes of each leaf begin.
            a: (L,) pseudo-count of a code of its child.
        """
        if (wide := self._ordinal[indicators.variable]).any():
            running = np.cumsum(yes, axis=1)
            lengths = np.diff([*indicators.first, yes.shape[1]])
            first = np.repeat(indicators.first, lengths)
            yes = np.where(wide, running - (running - yes)[:, first], yes)
        lengths = np.diff([*starts, len(yes)])
        cells = np.repeat(a, lengths)
        gains = np.add.reduceat(
            self._cells(cells, yes) + self._cells(cells, own[:, None] - yes), starts, axis=0
        )
        sums = np.add.reduceat(yes, starts, axis=0)
        total = np.add.reduceat(own, starts)
        gains -= self._rising(1.0, sums) + self._rising(1.0, total[:, None] - sums)
        before = np.add.reduceat(self._cells(cells, own[:, None])[:, 0], starts)
        return gains - (before - self._rising(1.0, total))[:, None]

    def _cells(self, a: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The score of counts (k, S), each row with its own pseudo-count (k,)."""
        different = np.unique(a)
        if len(different) == 1:
            return self._rising(float(different[0]), counts)
        scores = np.empty(counts.shape)
        for one in different:
            at = a == one
            scores[at] = self._rising(float(one), counts[at])
        return scores

    def _remember(self, child: int, leaf: int, gains: np.ndarray, indicators: Indicators) -> None:
        """Keep the best splits of a leaf that close no cycle."""
        open_ = self._order.may_be_parents(child, indicators.variable)
        gains = np.where(open_, gains, -np.inf)
        kept = np.arange(len(gains))
        if len(gains) > _KEPT:
            kept = np.sort(np.argpartition(-gains, _KEPT)[:_KEPT])
        kept = kept[np.argsort(-gains[kept], kind="stable")]
        self._trees[child].best[leaf] = gains[kept], kept

    # ---------------------------------------------------------------- splitting

    def _queue(self, child: int, leaf: int, least: float) -> bool:
        """Queue the best split that closes no cycle, if its gain is worth it.

        Returns:
            False if all splits that the leaf remembers are ruled out, and it is to be looked at.
        """
        tree = self._trees[child]
        gains, columns = tree.best[leaf]
        variables = tree.indicators.variable[columns]
        for k, (gain, variable) in enumerate(zip(gains.tolist(), variables.tolist(), strict=True)):
            if gain <= least:
                return True
            if self._order.may_be_parent(variable, child):
                tree.best[leaf] = gains[k:], columns[k:]
                heapq.heappush(self._heap, (-gain, child, leaf))
                return True
        return len(gains) < _KEPT

    def _next(self, penalty: float, least: float) -> list[tuple[int, int, tuple[int, int]]]:
        """The leaves to split next, those with about the best gain: (child, leaf, its split)."""
        together: list[tuple[int, int, tuple[int, int]]] = []
        floor, work = penalty, 0.0
        while self._heap and -self._heap[0][0] > floor:
            if len(together) == _MOST_LEAVES or work > 1:
                break
            _, child, leaf = heapq.heappop(self._heap)
            tree = self._trees[child]
            if len(tree.rows) + 2 > tree.most_nodes:
                continue
            (gains, columns), indicators = tree.best[leaf], tree.indicators
            variable, code = indicators.variable[columns[0]], indicators.code[columns[0]]
            if not self._order.may_be_parent(int(variable), child):
                if not self._queue(child, leaf, least):
                    self._look_at([self._whole(child, leaf, len(tree.rows[leaf]))], least)
                continue
            if not together and self._order.place is None:
                floor = max(penalty, _NEARLY * gains[0])
            self._order.add(int(variable), child)
            together.append((child, leaf, (int(variable), int(code))))
            looked_at = min(_SAMPLE, len(tree.rows[leaf]))
            work += looked_at * indicators.effort / indicators.at_once
        return together

    def _split(self, child: int, leaf: int, split: tuple[int, int]) -> list[_Look]:
        """Split a leaf; how to look at the two that it becomes."""
        tree, (variable, code) = self._trees[child], split
        self.splits += 1
        new, which = len(tree.rows), tree.rows[leaf]
        codes = self._rows.codes[which, variable]
        says_yes = codes <= code if self._ordinal[variable] else codes == code
        tree.split[leaf], tree.made = (variable, code, new), None
        empty = np.zeros(0), np.zeros(0, np.int64)
        tree.rows[leaf], tree.best[leaf] = np.zeros(0, dtype=np.int32), empty
        yes, no = which[says_yes], which[~says_yes]
        if len(yes) <= len(no):
            fewer = self._count(yes, child)
            counts = [fewer, tree.counts[leaf] - fewer]
        else:
            fewer = self._count(no, child)
            counts = [tree.counts[leaf] - fewer, fewer]
        for part, own in zip((yes, no), counts, strict=True):
            tree.rows.append(part)
            tree.counts.append(own)
            tree.above.append(leaf)
            tree.split.append(None)
            tree.best.append(empty)
        before = tree.kept.pop(leaf, None)
        if before is None:
            return [self._whole(child, new), self._whole(child, new + 1)]
        of_yes = int(np.count_nonzero(says_yes[: before.sample]))
        samples = of_yes, before.sample - of_yes
        smaller = int(samples[1] < samples[0])
        return [
            _Look(child, new + smaller, before.codes, samples[smaller], new + 1 - smaller, before)
        ]
