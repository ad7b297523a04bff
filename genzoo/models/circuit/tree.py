"""The tree along which hidden states depend on each other: which, and in what order it is read.

A Chow-Liu tree joins the variables of which each two neighbours share most: it is the spanning tree
of largest total mutual information (Chow & Liu 1968). It hangs from its centre, so that it is as
flat as can be: nodes of one depth are computed together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from genzoo.models.shared.column_order import shared_information


@dataclass(frozen=True, eq=False)
class Tree:
    """A rooted tree over D variables, a node for each.

    Nodes are numbered by depth, and within a depth by their number among their siblings. So nodes
    of one depth stand together, and among them those that are the first, the second, .. child of
    their parents, no two of the same one.

    Attributes:
        variables: (D,) the variable of each node; node 0 is the root.
        parents: (D,) the parent of each node, a smaller number; -1 for the root.

    >>> Tree.of_parents(np.array([1, -1, 1])).variables
    array([1, 0, 2])
    """

    variables: np.ndarray
    parents: np.ndarray

    @classmethod
    def of_parents(cls, parents: np.ndarray) -> Tree:
        """By the parent variable of each variable, (D,); -1 for the root."""
        D = len(parents)
        depth, rank = np.zeros(D, dtype=np.int64), np.zeros(D, dtype=np.int64)
        children: list[list[int]] = [[] for _ in range(D)]
        for d, parent in enumerate(parents.tolist()):
            if parent >= 0:
                rank[d] = len(children[parent])
                children[parent].append(d)
        found = np.flatnonzero(parents < 0).tolist()
        for d in found:  # grows as it is read
            depth[children[d]] = depth[d] + 1
            found += children[d]
        variables = np.lexsort((np.arange(D), rank, depth))
        node = np.empty(D, dtype=np.int64)
        node[variables] = np.arange(D)
        above = parents[variables]
        return cls(variables, np.where(above < 0, -1, node[above]))

    @classmethod
    def chain(cls, D: int) -> Tree:
        """Each variable after the one before it."""
        return cls.of_parents(np.arange(D) - 1)

    @classmethod
    def chow_liu(cls, rows: np.ndarray, cards: np.ndarray) -> Tree:
        """Of largest mutual information in rows (n, D), each pair counted where both are known.

        >>> a, b = np.random.default_rng(0).integers(0, 2, (2, 500))
        >>> tree = Tree.chow_liu(np.stack([a, b, a ^ (b & 1), b], axis=1), np.full(4, 2))
        >>> sorted(tree.variables.tolist())
        [0, 1, 2, 3]
        """
        D = len(cards)
        if D < 3:
            return cls.chain(D)
        shared = shared_information(rows, cards)
        # lengths are positive: what is about 0 counts as no edge at all
        edges = minimum_spanning_tree((1 + shared.max() - shared) * (1 - np.eye(D)))
        edges = edges + edges.T
        # the centre lies half-way along the longest path, which leads away from any node's farthest
        end = breadth_first_order(edges, 0, directed=False)[0][-1]
        order, before = breadth_first_order(edges, end, directed=False)
        path = [int(order[-1])]
        while path[-1] != end:
            path.append(int(before[path[-1]]))
        root = path[len(path) // 2]
        parents = breadth_first_order(edges, root, directed=False)[1].astype(np.int64)
        return cls.of_parents(np.where(parents < 0, -1, parents))

    @property
    def D(self) -> int:
        return len(self.variables)

    @cached_property
    def levels(self) -> list[slice]:
        """The nodes of each depth, the root's first."""
        depth = np.zeros(self.D, dtype=np.int64)
        for i in range(1, self.D):
            depth[i] = depth[self.parents[i]] + 1
        return list(_runs(depth))

    @cached_property
    def siblings(self) -> list[list[slice]]:
        """The nodes of each depth, in runs of which no two have the same parent."""
        rank = np.zeros(self.D, dtype=np.int64)
        seen = np.zeros(self.D, dtype=np.int64)
        for i in range(1, self.D):
            rank[i] = seen[self.parents[i]]
            seen[self.parents[i]] += 1
        return [
            [slice(level.start + run.start, level.start + run.stop) for run in _runs(rank[level])]
            for level in self.levels
        ]


def _runs(values: np.ndarray) -> Iterator[slice]:
    """Where the same value stands, in turn."""
    first = np.flatnonzero(np.diff(values, prepend=values[:1] - 1))
    for start, stop in zip(first.tolist(), [*first[1:].tolist(), len(values)], strict=True):
        yield slice(start, stop)
