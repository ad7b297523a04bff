"""Draws of what is missing in many training rows, whatever the pattern of each.

Queries are answered pattern by pattern (``inference.py``), but training rows with holes
at random have nearly as many patterns as rows. So all variables that have a hole anywhere are
eliminated once, for all rows together, and what a row has observed of them is a factor of 0 or 1.
The draws are exact, and the mass of each row's observed entries comes with them.

Where the factors of that would be too large, each missing entry is drawn in turn given all the
others of its row (Gibbs sampling), from the completions of before.

Geman & Geman (1984), Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of
images, IEEE PAMI 6.
"""

from __future__ import annotations

import numpy as np

from genzoo.draws import gumbel_argmax
from genzoo.models.bayesian_network.inference import Network, Plan, chunks, drawn_backwards
from genzoo.space.graphs import elimination_order
from genzoo.space.schema import MISSING


class Completions(Network):
    """A network, ready to complete rows with holes in some variables.

    Args:
        holes: (D,) bool: the variables that may be ``MISSING``.

    Attributes:
        exact: whether draws are exact; else they are moves of a Markov chain.
    """

    def __init__(self, network: Network, holes: np.ndarray) -> None:
        super().__init__(network.conditionals, network.cards, network.limits)
        self._holes = holes & (network.cards > 1)
        families = []
        for v, conditional in enumerate(self.conditionals):
            family = [*conditional.parents.tolist(), v]
            families.append((v, tuple(u for u in family if self._holes[u])))
        found = elimination_order(
            [scope for _, scope in families], self.cards, largest=self.limits.largest_factor
        )
        self.exact = found is not None and found[1] <= self.limits.largest_completion
        order, size = found if found is not None else ([], 0)
        none_barred = np.full(len(self.cards), -1)
        self._all_at_once = Plan(families, order, [], none_barred, size)

    def redraw(
        self, rows: np.ndarray, completed: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """(n, D) rows with each ``MISSING`` drawn given the row's observed entries; Gibbs sampling
        goes on from the completions of before, ``completed`` (n, D)."""
        drawn = np.where(rows == MISSING, completed, rows)
        if not self.exact:  # one sweep: rounds of learning follow each other, so they add up
            self._sweep(rows, drawn, rng)
            return drawn
        holed = np.flatnonzero((rows == MISSING).any(axis=1))
        for at in chunks(holed, self._all_at_once.size):
            part = drawn[at]
            products = self._eliminate(rows[at], self._all_at_once)[1]
            drawn_backwards(part, self._all_at_once, products, np.arange(len(at)), rng)
            drawn[at] = part
        return drawn

    def log_prob_observed(self, rows: np.ndarray) -> np.ndarray:
        """(n,) log mass in nats of the observed entries; only where draws are ``exact``."""
        value = np.empty(len(rows))
        for at in chunks(np.arange(len(rows)), self._all_at_once.size):
            value[at] = self._eliminate(rows[at], self._all_at_once)[0]
        return value

    def _sweep(self, rows: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> None:
        """Draw each missing entry given the others of its row, in place."""
        for v in np.flatnonzero(self._holes).tolist():
            at = np.flatnonzero(rows[:, v] == MISSING)
            drawn[at, v] = gumbel_argmax(self.blanket(drawn[at], v), rng)
