"""Several trees of counts as one: what was counted before, and what was counted since.

    p(x | h) = sum_k w_k p_k(x | h)

Each tree keeps its own smoothing and lengths of contexts. The weight of the newest is the one under
which validation symbols are likeliest (linear interpolation: Jelinek & Mercer 1980; adaptation of
n-grams: Bellegarda 2004), which may be none: then the new counts have nothing to say.

Jelinek & Mercer (1980), Interpolated estimation of Markov source parameters from sparse data.
Bellegarda (2004), Statistical language model adaptation: review and perspectives, Speech
Communication 42.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from genzoo.models.ngram.smoothing import Events, Tree

HALVINGS = 40  # of the interval in which the weight lies


@dataclass(frozen=True, eq=False)
class Trees:
    """An interpolation of trees over the same contexts, which answers as one of them does.

    Attributes:
        parts: the oldest first.
        weights: (K,) positive; they sum to one.
    """

    parts: tuple[Tree, ...]
    weights: np.ndarray

    @classmethod
    def adapted(cls, earlier: Trees, newest: Tree, valid: Events) -> Trees:
        """What was known and what was counted since, with the weight that is best on validation
        events; their likelihood is concave in it, so that is found by bisection."""
        gain = newest.mass(valid) / earlier.mass(valid) - 1
        low, high = 0.0, 1.0

        def slope(weight: float) -> float:
            return float((gain / (1 + weight * gain)).sum())

        if len(gain) == 0 or slope(0.0) <= 0:
            return earlier
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if slope(middle) > 0 else (low, middle)
        return cls((*earlier.parts, newest), np.append((1 - low) * earlier.weights, low))

    @property
    def K(self) -> int:
        """The longest context."""
        return max(tree.K for tree in self.parts)

    @property
    def M(self) -> int:
        """The most symbols of a group."""
        return self.parts[0].M

    @property
    def lengths(self) -> np.ndarray:
        """(G,) the longest full context of each group."""
        return np.max([tree.lengths for tree in self.parts], axis=0)

    @property
    def n_pairs(self) -> int:
        """Pairs of a context and a symbol that were counted."""
        return sum(len(level.pairs) for tree in self.parts for level in tree.levels)

    def mass(self, events: Events) -> np.ndarray:
        """(E,) p(x | values) of each event."""
        parts = zip(self.weights.tolist(), self.parts, strict=True)
        return np.sum([weight * tree.mass(events) for weight, tree in parts], axis=0)

    def masses(self, group: int, n: int, values: Callable[[int], np.ndarray]) -> np.ndarray:
        """(n, cards[group]) as ``Tree.masses``."""
        parts = zip(self.weights.tolist(), self.parts, strict=True)
        return np.sum([weight * tree.masses(group, n, values) for weight, tree in parts], axis=0)

    def state(self) -> dict[str, np.ndarray]:
        """Arrays; those of a single tree are its own."""
        if len(self.parts) == 1:
            return self.parts[0].state()
        states = {
            f"tree{k}.{name}": array
            for k, tree in enumerate(self.parts)
            for name, array in tree.state().items()
        }
        return {**states, "tree_weights": self.weights}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray]) -> Trees:
        weights = arrays.get("tree_weights")
        if weights is None:
            return cls((Tree.from_state(arrays),), np.ones(1))
        parts = []
        for k in range(len(weights)):
            start = f"tree{k}."
            own = {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}
            parts.append(Tree.from_state(own))
        return cls(tuple(parts), weights)
