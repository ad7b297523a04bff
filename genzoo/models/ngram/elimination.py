"""Exact sums over missing entries, where few of them have to be held at a time.

A missing variable is held as long as a later conditional looks at it; then it is summed out. With
a table over all values of those that are held, this is the forward algorithm over the contexts;
going back through the tables draws the missing entries (forward filtering, backward sampling).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from genzoo import draws

# Combinations of held values of a row: with more, more patterns are exact, and slower.
MOST_STATES = 4096
CHUNK_NUMBERS = 2**22  # masses computed at a time


@dataclass(frozen=True, eq=False)
class Conditionals:
    """A model as a product of conditionals of few variables.

    Attributes:
        order: (D,) variables, each after those that it looks at.
        cards: (D,) numbers of codes.
        looks_at: for each variable, those that its conditional looks at.
        masses: of a variable v and codes (N, D): (N, cards[v]) conditional masses; entries that it
            doesn't look at may hold anything.
    """

    order: np.ndarray
    cards: np.ndarray
    looks_at: list[np.ndarray]
    masses: Callable[[int, np.ndarray], np.ndarray]


class Plan:
    """What is held when, for one pattern of missing entries (D,)."""

    def __init__(self, model: Conditionals, missing: np.ndarray) -> None:
        self.model, self.missing = model, missing
        steps = np.flatnonzero(~missing[model.order])
        self.visited = model.order[: steps[-1] + 1 if len(steps) else 0]
        last_use = np.full(len(missing), -1)
        for t, v in enumerate(self.visited):
            last_use[v] = t
            last_use[model.looks_at[v]] = t
        self.dropped: list[list[int]] = [[] for _ in self.visited]
        held, states, self.most_states = set(), 1, 1
        for t, v in enumerate(self.visited.tolist()):
            if missing[v]:
                held.add(v)
                states *= int(model.cards[v])
            # what is computed at a step is as large as its states times the codes of its variable
            self.most_states = max(self.most_states, states)
            for u in [u for u in held if last_use[u] <= t]:
                held.remove(u)
                states //= int(model.cards[u])
                self.dropped[t].append(u)

    @property
    def is_small(self) -> bool:
        return self.most_states <= MOST_STATES

    def run(
        self,
        rows: np.ndarray,
        barred: np.ndarray | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log mass of the observed entries, and the rows with draws of what is missing before them.

        Args:
            rows: (n, D) of this pattern.
            barred: (D,) a code that may not be filled in, or -1.
            rng: for draws; None: none are made.
        """
        size = self.most_states * int(self.model.cards.max())
        size = max(size, self.most_states * rows.shape[1])
        step = max(1, CHUNK_NUMBERS // size)
        parts = [self._run(rows[i : i + step], barred, rng) for i in range(0, len(rows), step)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _run(
        self, rows: np.ndarray, barred: np.ndarray | None, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        n, cards = len(rows), self.model.cards
        held: list[int] = []
        alpha, log_mass = np.ones((n, 1)), np.zeros(n)
        trace: list[tuple[np.ndarray, list[int], list[int]]] = []
        for t, v in enumerate(self.visited.tolist()):
            codes = np.repeat(rows, alpha.shape[1], axis=0)
            for u, values in zip(held, self._grid(held), strict=True):
                codes[:, u] = np.tile(values, n)
            masses = self.model.masses(v, codes).reshape(n, alpha.shape[1], -1)
            if self.missing[v]:
                if barred is not None and barred[v] >= 0:
                    masses[..., barred[v]] = 0.0
                alpha = (alpha[..., None] * masses).reshape(n, -1)
                held.append(v)
            else:
                alpha = alpha * masses[np.arange(n), :, rows[:, v]]
            total = alpha.sum(axis=1, keepdims=True)
            alpha, log_mass = alpha / total, log_mass + np.log(total[:, 0])
            if self.dropped[t]:
                trace.append((alpha, list(held), self.dropped[t]))
                axes = tuple(1 + held.index(u) for u in self.dropped[t])
                table = alpha.reshape(n, *(int(cards[u]) for u in held))
                alpha = table.sum(axis=axes).reshape(n, -1)
                held = [u for u in held if u not in self.dropped[t]]
        if rng is None:
            return log_mass, rows
        filled = rows.copy()
        for table, variables, drawn in reversed(trace):
            grid, mass = self._grid(variables), table.copy()
            for u, values in zip(variables, grid, strict=True):
                if u not in drawn:
                    mass[values[None] != filled[:, [u]]] = 0.0
            chosen = draws.categorical(mass, rng)
            for u in drawn:
                filled[:, u] = grid[variables.index(u), chosen]
        return log_mass, filled

    def _grid(self, held: list[int]) -> np.ndarray:
        """(len(held), states) the value of each held variable in each combination."""
        shape = [int(self.model.cards[u]) for u in held]
        return np.indices(shape).reshape(len(held), math.prod(shape))
