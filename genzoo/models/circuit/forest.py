"""Several hidden trees under one more sum unit: p(x) = sum_k w_k p_k(x)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from genzoo import draws
from genzoo.models.circuit.hidden import HiddenTree
from genzoo.models.circuit.tree import Tree


@dataclass(frozen=True, eq=False)
class Forest:
    """Hidden trees of as many states each, over the same variables.

    Attributes:
        trees: K of them.
        weights: (K,) of the trees, positive; they sum to one.
    """

    trees: Sequence[HiddenTree]
    weights: np.ndarray

    @classmethod
    def united(cls, trees: Sequence[HiddenTree]) -> Forest:
        """With equal weights."""
        return cls(trees, np.full(len(trees), 1 / len(trees)))

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """(n,) log mass in nats of rows (n, D), ``MISSING`` entries summed out."""
        return self._summed(lambda tree: tree.log_prob(rows))

    def log_prob_each(self, rows: np.ndarray, d: int) -> np.ndarray:
        """(n, M) as of ``HiddenTree``."""
        return self._summed(lambda tree: tree.log_prob_each(rows, d))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n, D) rows."""
        which = draws.repeated(self.weights, n, rng)
        rows = np.empty((n, self.trees[0].tree.D), dtype=np.int64)
        for k, tree in enumerate(self.trees):
            own = which == k
            rows[own] = tree.sample(int(own.sum()), rng)
        return rows

    def complete(
        self, given: np.ndarray, barred: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """(n, D) exact draws of the ``MISSING`` entries, as of ``HiddenTree``."""
        which = np.zeros(len(given), dtype=np.int64)
        if len(self.trees) > 1:
            logs = [tree.log_mass_given(given, barred) for tree in self.trees]
            which = draws.gumbel_argmax(np.stack(logs, axis=1) + np.log(self.weights), rng)
        rows = given.copy()
        for k, tree in enumerate(self.trees):
            own = which == k
            rows[own] = tree.complete(given[own], barred, rng)
        return rows

    def most_likely(self, given: np.ndarray, barred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Max-product over the trees, their states and the ``MISSING`` entries together.

        Returns:
            (n, D) the completed rows, and (n,) the log mass of each with its tree and states.
        """
        found = [tree.most_likely(given, barred) for tree in self.trees]
        values = np.stack([value for _, value in found]) + np.log(self.weights)[:, None]
        best, everyone = values.argmax(axis=0), np.arange(len(given))
        return np.stack([rows for rows, _ in found])[best, everyone], values[best, everyone]

    def _summed(self, of: Callable[[HiddenTree], np.ndarray]) -> np.ndarray:
        pairs = zip(self.trees, np.log(self.weights), strict=True)
        total: np.ndarray = np.logaddexp.reduce([of(tree) + weight for tree, weight in pairs])
        return total

    @property
    def n_parameters(self) -> int:
        """Free probabilities: of the trees, and their weights."""
        return len(self.trees) - 1 + sum(_free(tree) for tree in self.trees)

    def state(self) -> dict[str, np.ndarray]:
        """All of it, in arrays of which the first axis is that of the trees."""
        return {
            "weights": self.weights,
            "cards": self.trees[0].cards,
            "variables": np.stack([tree.tree.variables for tree in self.trees]),
            "parents": np.stack([tree.tree.parents for tree in self.trees]),
            "edges": np.stack([tree.edges for tree in self.trees]),
            "masses": np.stack([tree.masses for tree in self.trees]),
        }

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray]) -> Forest:
        parts = zip(*(arrays[k] for k in ("variables", "parents", "edges", "masses")), strict=True)
        trees = [
            HiddenTree(Tree(variables, parents), arrays["cards"], edges, masses)
            for variables, parents, edges, masses in parts
        ]
        return cls(trees, arrays["weights"])


def _free(tree: HiddenTree) -> int:
    """Free probabilities of one tree; what can't be doesn't count."""
    root, edges = np.count_nonzero(tree.edges[0, 0]) - 1, np.count_nonzero(tree.edges[1:])
    rows = int((tree.edges[1:].sum(axis=2) > 0).sum())
    tables = np.add.reduceat(tree.masses, tree.first[:-1])
    return int(root + edges - rows + np.count_nonzero(tree.masses) - np.count_nonzero(tables))
