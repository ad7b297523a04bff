"""p(child | parents) in four forms, all read in the same way.

The parents' codes pick a *context*, and each context has a distribution over the child's codes:
``log_probs[context(codes of the parents), code of the child]``. A table has a context for every
combination of its parents' codes; a decision tree has one for every leaf, so it can look at many
parents with few numbers. An ``Average`` is the mean of the masses of several trees. ``Stopped``
puts the END rule in front of any of them.

Counts are smoothed by shrinkage down a hierarchy of contexts, each towards the one above it:

    p(v | context) = (n(v, context) + s p(v | context above)) / (n(context) + s)

In a tree the context above is the parent node; in a table it is the context without its last
parent. The top is (n(v) + 1) / (n + M). A small s trusts the counts, a large one the context above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from genzoo.draws import categorical
from genzoo.space.marginals import smoothed
from genzoo.space.schema import MISSING

CELLS_AT_ONCE = 2**22  # numbers in a working array: memory against calls


class Conditional:
    """p(child | parents), in nats.

    Attributes:
        parents: (k,) variables, in the order in which ``log_masses`` takes their codes.
    """

    parents: np.ndarray

    def log_masses(self, codes: np.ndarray) -> np.ndarray:
        """(n, M) log mass of the child's codes, given the parents' codes (n, k)."""
        raise NotImplementedError

    def log_mass(self, codes: np.ndarray, own: np.ndarray) -> np.ndarray:
        """(n,) log mass of the child's codes ``own`` (n,), given the parents' codes (n, k)."""
        raise NotImplementedError

    def asked(self, codes: np.ndarray) -> list[int]:
        """The parents that still matter where some are known.

        Args:
            codes: (k,) the parents' codes, ``MISSING`` where unknown.
        """
        return self.parents.tolist()

    def sample(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(n,) codes of the child, given the parents' codes (n, k)."""
        step = max(1, CELLS_AT_ONCE // self.n_codes)
        drawn = np.empty(len(codes), dtype=np.int64)
        for start in range(0, len(codes), step):
            at = slice(start, start + step)
            drawn[at] = categorical(np.exp(self.log_masses(codes[at])), rng)
        return drawn

    @property
    def n_codes(self) -> int:
        """M, the child's codes."""
        raise NotImplementedError


class _OfContexts(Conditional):
    """A conditional with finitely many contexts.

    Attributes:
        log_probs: (C, M) log mass of the child's codes in each context.
    """

    log_probs: np.ndarray

    def context(self, codes: np.ndarray) -> np.ndarray:
        """(n,) the context of each row of the parents' codes (n, k)."""
        raise NotImplementedError

    def log_masses(self, codes: np.ndarray) -> np.ndarray:
        return self.log_probs[self.context(codes)]

    def log_mass(self, codes: np.ndarray, own: np.ndarray) -> np.ndarray:
        return self.log_probs[self.context(codes), own]

    @property
    def n_codes(self) -> int:
        return self.log_probs.shape[1]

    @property
    def n_parameters(self) -> int:
        """Free masses in all contexts."""
        C, M = self.log_probs.shape
        return C * (M - 1)

    def state(self) -> dict[str, np.ndarray]:
        return dict(vars(self))


@dataclass(frozen=True, eq=False)
class Table(_OfContexts):
    """One context for every combination of the parents' codes.

    Attributes:
        parents: (k,) variables.
        cards: (k,) their cardinalities.
        log_probs: (prod(cards), M); the last parent varies fastest.
    """

    parents: np.ndarray
    cards: np.ndarray
    log_probs: np.ndarray

    def context(self, codes: np.ndarray) -> np.ndarray:
        return mixed_radix(codes, self.cards)


@dataclass(frozen=True, eq=False)
class Tree(_OfContexts):
    """A decision tree, a context for every leaf.

    Attributes:
        parents: (k,) variables that the tree looks at.
        splits: (N, 4) for each node: index in ``parents`` of the variable that is looked at (-1 in
            a leaf), node for yes, node for no, context (-1 where not a leaf).
        yes: (N, W) whether a code of that variable means yes.
        log_probs: (leaves, M).
    """

    parents: np.ndarray
    splits: np.ndarray
    yes: np.ndarray
    log_probs: np.ndarray

    def context(self, codes: np.ndarray) -> np.ndarray:
        return self.splits[self.leaf(codes), 3]

    def leaf(self, codes: np.ndarray) -> np.ndarray:
        """(n,) the node at which each row ends."""
        node = np.zeros(len(codes), dtype=np.int64)
        open_ = np.arange(len(codes))
        while True:
            open_ = open_[self.splits[node[open_], 0] >= 0]
            if len(open_) == 0:
                return node
            at = node[open_]
            goes = self.yes[at, codes[open_, self.splits[at, 0]]]
            node[open_] = np.where(goes, self.splits[at, 1], self.splits[at, 2])

    def asked(self, codes: np.ndarray) -> list[int]:
        found: set[int] = set()
        nodes = [0]
        while nodes:
            node = nodes.pop()
            place, *ways, _ = self.splits[node].tolist()
            if place < 0:
                continue
            found.add(place)
            known = codes[place] != MISSING
            nodes += [ways[0 if self.yes[node, codes[place]] else 1]] if known else ways
        return self.parents[sorted(found)].tolist()


class Average(Conditional):
    """The mean of the masses that several trees give.

    Args:
        trees: at least one.
    """

    def __init__(self, trees: Sequence[Tree]) -> None:
        self.trees = trees
        self.parents = np.unique(np.concatenate([tree.parents for tree in trees]))
        self._placed = [(t, np.searchsorted(self.parents, t.parents)) for t in trees]

    def log_masses(self, codes: np.ndarray) -> np.ndarray:
        return log_mean(np.stack([t.log_masses(codes[:, at]) for t, at in self._placed], axis=-1))

    def log_mass(self, codes: np.ndarray, own: np.ndarray) -> np.ndarray:
        parts = [tree.log_mass(codes[:, at], own) for tree, at in self._placed]
        return log_mean(np.stack(parts, axis=-1))

    def asked(self, codes: np.ndarray) -> list[int]:
        return sorted({v for tree, at in self._placed for v in tree.asked(codes[at])})

    @property
    def n_codes(self) -> int:
        return self.trees[0].n_codes

    @property
    def n_parameters(self) -> int:
        """Free masses in all contexts."""
        return sum(tree.n_parameters for tree in self.trees)

    def state(self) -> dict[str, np.ndarray]:
        return {
            f"{k}.{name}": array
            for k, tree in enumerate(self.trees)
            for name, array in tree.state().items()
        }


Learned = Table | Tree | Average


def from_state(arrays: dict[str, np.ndarray]) -> Learned:
    """What ``state`` gave the arrays."""
    if "cards" in arrays:
        return Table(**arrays)
    if "splits" in arrays:
        return Tree(**arrays)
    parts: dict[int, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        k, own = name.split(".")
        parts.setdefault(int(k), {})[own] = array
    return Average([Tree(**parts[k]) for k in sorted(parts)])


class Stopped(Conditional):
    """The END rule as a conditional: where the position before holds END, so does this one.

    Then a row's plain product stops at its first END, and every query (marginals, completions,
    the exported network) obeys the rule without knowing of it: the code END after END is the
    absorbing state of the stopped process.

    Args:
        inner: the conditional of a position that is reached.
        before: the position before.
        end: the code of END.
    """

    def __init__(self, inner: Learned, before: int, end: int) -> None:
        self.inner, self.before, self.end = inner, before, end
        has = np.flatnonzero(inner.parents == before)
        self._at = int(has[0]) if len(has) else len(inner.parents)
        self.parents = inner.parents if len(has) else np.append(inner.parents, before)

    def log_masses(self, codes: np.ndarray) -> np.ndarray:
        after_end = np.where(np.arange(self.n_codes) == self.end, 0.0, -np.inf)
        inner = self.inner.log_masses(codes[:, : len(self.inner.parents)])
        return np.where(codes[:, self._at, None] == self.end, after_end, inner)

    def log_mass(self, codes: np.ndarray, own: np.ndarray) -> np.ndarray:
        mass = np.where(own == self.end, 0.0, -np.inf)
        runs = np.flatnonzero(codes[:, self._at] != self.end)  # few, at the end of long strings
        mass[runs] = self.inner.log_mass(codes[runs, : len(self.inner.parents)], own[runs])
        return mass

    def sample(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        drawn = np.full(len(codes), self.end, dtype=np.int64)
        runs = np.flatnonzero(codes[:, self._at] != self.end)
        if len(runs):
            drawn[runs] = self.inner.sample(codes[runs, : len(self.inner.parents)], rng)
        return drawn

    def asked(self, codes: np.ndarray) -> list[int]:
        if codes[self._at] == self.end:
            return [self.before]
        inner = self.inner.asked(codes[: len(self.inner.parents)])
        return inner if self.before in inner else [*inner, self.before]

    @property
    def n_codes(self) -> int:
        return self.inner.n_codes


def log_mean(log_masses: np.ndarray) -> np.ndarray:
    """Log of the mean mass over the last axis."""
    top = log_masses.max(axis=-1, keepdims=True)
    return np.log(np.exp(log_masses - top).mean(axis=-1)) + top[..., 0]


def mixed_radix(codes: np.ndarray, cards: np.ndarray) -> np.ndarray:
    """(n,) one number for each row of codes (n, k); the last column varies fastest."""
    number = np.zeros(len(codes), dtype=np.int64)
    for j, card in enumerate(cards):
        number = number * int(card) + codes[:, j]
    return number


@dataclass(frozen=True, eq=False)
class TableCounts:
    """What a table is estimated from: counts of the child with its first 0, 1, ..., k parents."""

    parents: np.ndarray  # (k,)
    cards: np.ndarray  # (k,)
    levels: list[np.ndarray]  # (prod(cards[:j]), M) for j = 0 .. k

    @classmethod
    def count(
        cls,
        codes: np.ndarray,
        parents: list[int],
        cards: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> TableCounts:
        """Counts in codes (n, k + 1) of the parents and the child, with ``cards`` (k + 1,), of rows
        that reach the child; each is seen ``weights`` times or once."""
        own, M = cards[:-1], int(cards[-1])
        number = mixed_radix(codes, cards)
        full = np.bincount(number, weights, minlength=int(np.prod(cards))).astype(np.float64)
        levels = [full.reshape(-1, M)]
        for card in own[::-1]:
            levels.append(levels[-1].reshape(-1, int(card), M).sum(axis=1))
        return cls(np.array(parents, dtype=np.int64), own, levels[::-1])

    def moved(self, codes: np.ndarray, own: np.ndarray, step: float) -> TableCounts:
        """These counts, moved by the share ``step`` towards those in other rows: the parents' codes
        (n, k) and the child's (n,)."""
        cards = np.append(self.cards, self.levels[0].shape[1])
        new = self.count(np.column_stack([codes, own]), self.parents.tolist(), cards).levels
        levels = [old + step * (n - old) for old, n in zip(self.levels, new, strict=True)]
        return replace(self, levels=levels)

    def contexts(self, codes: np.ndarray) -> np.ndarray:
        """(n, 1) by the parents' codes (n, k)."""
        return mixed_radix(codes, self.cards)[:, None]

    def shrunk(self, strengths: np.ndarray) -> np.ndarray:
        """(K, C, M) log mass, shrunk down the levels with each of K strengths."""
        probs = np.repeat(smoothed(self.levels[0][0])[None, None], len(strengths), axis=0)
        for counts, card in zip(self.levels[1:], self.cards, strict=True):
            probs = _shrink(counts, np.repeat(probs, int(card), axis=1), strengths)
        return np.log(probs)

    @property
    def size(self) -> int:
        """Numbers in all contexts."""
        return self.levels[-1].size

    def pseudo(self, a: float) -> np.ndarray:
        """(C, M) log mass with the pseudo-count ``a`` in each cell."""
        counts = self.levels[-1] + a
        return np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))

    def conditional(self, log_probs: np.ndarray) -> Table:
        return Table(self.parents, self.cards, log_probs)


@dataclass(frozen=True, eq=False)
class TreeCounts:
    """What a tree is estimated from: the counts of the child in every node."""

    parents: np.ndarray  # (k,)
    splits: np.ndarray  # (N, 4), as in Tree; a node's number is larger than that of its parent
    yes: np.ndarray  # (N, W)
    above: np.ndarray  # (N,) the parent node; -1 at the top
    counts: np.ndarray  # (N, M)

    def moved(
        self, codes: np.ndarray, own: np.ndarray, step: float, weights: np.ndarray | None = None
    ) -> TreeCounts:
        """These counts, moved by the share ``step`` towards those in other rows: the parents' codes
        (n, k) and the child's (n,)."""
        N, M = self.counts.shape
        cell = self._nodes.leaf(codes) * M + own
        new = np.bincount(cell, weights, minlength=N * M).reshape(N, M).astype(float)
        for node in range(N - 1, 0, -1):
            new[self.above[node]] += new[node]
        return replace(self, counts=self.counts + step * (new - self.counts))

    def contexts(self, codes: np.ndarray) -> np.ndarray:
        """(n, 1) by the parents' codes (n, k)."""
        return self._nodes.context(codes)[:, None]

    def shrunk(self, strengths: np.ndarray) -> np.ndarray:
        """(K, leaves, M) log mass, shrunk down the tree with each of K strengths."""
        probs = np.empty((len(strengths), *self.counts.shape))
        depth = np.zeros(len(self.above), dtype=np.int64)
        for node, up in enumerate(self.above.tolist()):
            depth[node] = 0 if up < 0 else depth[up] + 1
        probs[:, 0] = smoothed(self.counts[0])
        for level in range(1, int(depth.max()) + 1):
            at = np.flatnonzero(depth == level)
            probs[:, at] = _shrink(self.counts[at], probs[:, self.above[at]], strengths)
        leaves = np.flatnonzero(self.splits[:, 0] < 0)
        return np.log(probs[:, leaves[np.argsort(self.splits[leaves, 3])]])

    def conditional(self, log_probs: np.ndarray) -> Tree:
        return Tree(self.parents, self.splits, self.yes, log_probs)

    @property
    def size(self) -> int:
        """Numbers in all contexts."""
        return self.counts.size

    @property
    def n_splits(self) -> int:
        return len(self.above) // 2

    @property
    def _nodes(self) -> Tree:
        return self.conditional(np.zeros((0, 0)))


@dataclass(frozen=True, eq=False)
class AverageCounts:
    """What an average of trees is estimated from; contexts are numbered from tree to tree."""

    trees: list[TreeCounts]

    @cached_property
    def parents(self) -> np.ndarray:
        """(k,) variables that any of the trees looks at."""
        return np.unique(np.concatenate([tree.parents for tree in self.trees]))

    @property
    def _first(self) -> np.ndarray:
        """(trees + 1,) the first context of each tree."""
        return np.concatenate([[0], np.cumsum([len(t.above) // 2 + 1 for t in self.trees])])

    def contexts(self, codes: np.ndarray) -> np.ndarray:
        """(n, trees) by the parents' codes (n, k)."""
        places = [np.searchsorted(self.parents, tree.parents) for tree in self.trees]
        parts = [t.contexts(codes[:, at]) for t, at in zip(self.trees, places, strict=True)]
        return np.concatenate(parts, axis=1) + self._first[:-1]

    def shrunk(self, strengths: np.ndarray) -> np.ndarray:
        """(K, C, M) log mass in the contexts of all trees, with each of K strengths."""
        return np.concatenate([tree.shrunk(strengths) for tree in self.trees], axis=1)

    @property
    def size(self) -> int:
        """Numbers in all contexts."""
        return sum(tree.size for tree in self.trees)

    @property
    def n_splits(self) -> int:
        return sum(tree.n_splits for tree in self.trees)

    def conditional(self, log_probs: np.ndarray) -> Average:
        parts = np.split(log_probs, self._first[1:-1])
        return Average([t.conditional(p) for t, p in zip(self.trees, parts, strict=True)])


Counts = TableCounts | TreeCounts


def _shrink(counts: np.ndarray, above: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """(K, C, M) from counts (C, M) and masses above (K, C, M)."""
    s = strengths[:, None, None]
    shrunk = (counts + s * above) / (counts.sum(axis=1, keepdims=True) + s)
    # down a deep tree the share of an unseen value underflows, and no legal value may have mass 0
    return np.maximum(shrunk, np.finfo(np.float64).tiny)
