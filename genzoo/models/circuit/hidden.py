"""A tree of hidden states with an observed variable at each node, and its exact inference.

Node t has a hidden state z_t of S values, which depends on its parent's, and a variable x_t, which
depends on z_t alone:

    p(x) = sum_z  prod_t A_t[z_parent(t), z_t]  B_t[x_t | z_t]

As a circuit: B_t[. | z] is an input unit, the product over a node's variable and its children a
product unit, and each row of A_t the weights of a sum unit. One pass upwards takes O(D S^2) a row
and sums over all that is unknown; one pass downwards gives every posterior, or draws, or the best
choice. Nodes of one depth are computed together, for a batch of rows. After each factor a product
is scaled to sum 1, with the logs of the scales added up: no row is too long.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from genzoo import draws
from genzoo.models.circuit.tree import Tree
from genzoo.space.schema import MISSING

# Of a node: their factors are multiplied by their logs, which takes longer. So many, each down to
# ``em.LEAST``, have room in double precision.
MANY_CHILDREN = 8
CELLS_AT_ONCE = 1 << 22  # numbers in a working array: rows are taken in blocks to stay under this


@dataclass(frozen=True, eq=False)
class Upward:
    """What the part of the tree below each node says of the node's state, and of its parent's.

    Attributes:
        own: (D, n, S) proportional to p(the entries from node t downwards | z_t).
        told: (D, n, S) ``own`` as the parent sees it: the same given z_parent(t).
        log_mass: (n,) nats of the rows.
    """

    own: np.ndarray
    told: np.ndarray
    log_mass: np.ndarray


@dataclass(frozen=True, eq=False)
class HiddenTree:
    """Fitted probabilities.

    Attributes:
        tree: of the variables.
        cards: (D,) number of codes of each variable.
        edges: (D, S, S) p(state of node t | state of its parent), rows sum to 1; all rows of the
            root's are the same, its prior.
        masses: (P, S) probability of each code given the state, variable by variable.

    >>> tree = HiddenTree(Tree.chain(2), np.array([2, 2]),
    ...                   np.array([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]]),
    ...                   np.array([[0.9, 0.2], [0.1, 0.8], [0.9, 0.2], [0.1, 0.8]]))
    >>> np.exp(tree.log_prob(np.array([[0, 1], [0, -1]]))).round(3)
    array([0.72, 0.9 ])
    """

    tree: Tree
    cards: np.ndarray
    edges: np.ndarray
    masses: np.ndarray

    @property
    def S(self) -> int:
        return self.edges.shape[1]

    @cached_property
    def first(self) -> np.ndarray:
        """(D + 1,) where each variable's codes begin among the P codes of all."""
        return np.append(0, np.cumsum(self.cards))

    def masses_of(self, d: int) -> np.ndarray:
        """(M, S) the masses of one variable's codes."""
        return self.masses[self.first[d] : self.first[d + 1]]

    def as_type(self, dtype: Any) -> HiddenTree:
        """The same in another precision."""
        edges, masses = self.edges.astype(dtype), self.masses.astype(dtype)
        return HiddenTree(self.tree, self.cards, edges, masses)

    # ---------------------------------------------------------------- queries

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """(n,) log mass in nats of rows (n, D), ``MISSING`` entries summed out."""
        result = np.empty(len(rows))
        for b in self._blocks(len(rows)):
            result[b] = self.upward(self.places(rows[b])).log_mass
        return result

    def log_prob_each(self, rows: np.ndarray, d: int) -> np.ndarray:
        """(n, M) log mass in nats of rows (n, D) with each of the M codes of variable d, which is
        ``MISSING`` in them: by the posterior of its node's state."""
        path = [int(np.flatnonzero(self.tree.variables == d)[0])]
        while path[-1] > 0:
            path.append(int(self.tree.parents[path[-1]]))
        joint = np.empty((len(rows), int(self.cards[d])))
        for b in self._blocks(len(rows)):
            up = self.upward(self.places(rows[b]))
            posterior = up.own[0] * self.edges[0, 0]
            posterior /= posterior.sum(axis=1, keepdims=True)
            for t in path[-2::-1]:
                posterior = up.own[t] * ((posterior / up.told[t]) @ self.edges[t])
                posterior /= posterior.sum(axis=1, keepdims=True)
            joint[b] = np.log(posterior @ self.masses_of(d).T) + up.log_mass[:, None]
        return joint

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n, D) rows."""
        rows = np.empty((n, self.tree.D), dtype=np.int64)
        for b in self._blocks(n):
            size = b.stop - b.start
            nothing = np.broadcast_to(np.ones(1), (self.tree.D, size, self.S))
            open_ = np.full((size, self.tree.D), MISSING)
            rows[b] = self._filled(open_, self._drawn_states(nothing, rng), self.masses, rng)
        return rows

    def complete(
        self, given: np.ndarray, barred: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """(n, D) exact draws of the ``MISSING`` entries of ``given`` (n, D).

        Args:
            given: what is observed.
            barred: (D,) the code of each variable that no filled-in entry may have, -1 where all
                may be had: the draws are those given that none has.
        """
        allowed, left = self._allowed(barred)
        rows = given.copy()
        for b in self._blocks(len(given)):
            states = self._drawn_states(self._upward_given(given[b], left).own, rng)
            rows[b] = self._filled(given[b], states, allowed, rng)
        return rows

    def log_mass_given(self, given: np.ndarray, barred: np.ndarray) -> np.ndarray:
        """(n,) nats of what is known of ``given`` (n, D), and of no ``MISSING`` entry being its
        variable's barred code."""
        left = self._allowed(barred)[1]
        result = np.empty(len(given))
        for b in self._blocks(len(given)):
            result[b] = self._upward_given(given[b], left).log_mass
        return result

    def most_likely(self, given: np.ndarray, barred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Max-product: the most likely states and ``MISSING`` entries together.

        Returns:
            (n, D) the completed rows, and (n,) the log mass of each with its states, in nats.
        """
        allowed, _ = self._allowed(barred, renormalised=False)
        best = np.maximum.reduceat(allowed, self.first[:-1])
        which = np.stack([self._part(allowed, d).argmax(axis=0) for d in range(self.tree.D)])
        rows, value = given.copy(), np.empty(len(given))
        for b in self._blocks(len(given), per_row=self.S**2):
            states, value[b] = self._best_states(given[b], best)
            for t, d in enumerate(self.tree.variables.tolist()):
                rows[b, d] = np.where(given[b, d] == MISSING, which[d, states[t]], given[b, d])
        return rows, value

    # ---------------------------------------------------------------- passes

    def places(self, rows: np.ndarray) -> np.ndarray:
        """(D, n) of rows (n, D): where among the P codes each node's entry stands, P if
        ``MISSING``."""
        codes = rows.T[self.tree.variables].astype(np.int32)
        return np.where(codes == MISSING, np.int32(len(self.masses)), codes + self._first_of_nodes)

    def upward(self, places: np.ndarray, table: np.ndarray | None = None) -> Upward:
        """What each part of the tree says, for entries at ``places`` (D, n) of ``table``, by
        default the masses and, behind them, 1."""
        tree = self.tree
        table = self._table if table is None else table
        own = table.take(places, axis=0, mode="clip")  # ten times as fast as an index
        told, log_mass = np.empty_like(own), np.zeros(own.shape[1])
        for level, groups in zip(tree.levels[::-1], tree.siblings[::-1], strict=True):
            np.matmul(own[level], self._backwards[level], out=told[level])
            if len(groups) > 1:
                log_mass += self._multiplied(own, told, groups)
            elif level.start > 0:
                product = own[tree.parents[level]]
                product *= told[level]
                log_mass += _scaled(product).sum(axis=0, dtype=np.float64)
                own[tree.parents[level]] = product
        return Upward(own, told, log_mass + np.log(told[0, :, 0], dtype=np.float64))

    def _multiplied(self, own: np.ndarray, told: np.ndarray, groups: list[slice]) -> np.ndarray:
        """Multiply into ``own`` (D, n, S), of the parents of a depth, what their children told: a
        state may be left with nothing halfway, in single precision, that the last factors make the
        likeliest. So it is done in double precision, and of more factors than that has room for by
        sums of logs. The logs (n,) of what was divided by."""
        parents = self.tree.parents[groups[0]]  # of the first children: each once
        place = np.empty(self.tree.D, dtype=np.int64)
        place[parents] = np.arange(len(parents))
        if len(groups) > MANY_CHILDREN:
            with np.errstate(divide="ignore"):  # a state that can't be
                logs = np.log(own[parents])
                for group in groups:
                    logs[place[self.tree.parents[group]]] += np.log(told[group])
            highest = logs.max(axis=-1, keepdims=True)
            product = np.exp(logs - highest)
            scales = _scaled(product) + highest[..., 0]
        else:
            product = np.multiply(own[parents], told[groups[0]], dtype=np.float64)
            for group in groups[1:]:
                product[place[self.tree.parents[group]]] *= told[group]
            scales = _scaled(product)
        own[parents] = product
        return np.asarray(scales.sum(axis=0, dtype=np.float64))

    def _drawn_states(self, own: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(D, n) states, drawn downwards."""
        states = np.zeros(own.shape[:2], dtype=np.int64)
        for level in self.tree.levels:
            nodes = np.arange(level.start, level.stop)
            before = states[self.tree.parents[nodes]] if level.start > 0 else states[:1]
            weights = self.edges[nodes[:, None], before] * own[level]
            flat = weights.reshape(-1, self.S)
            states[level] = draws.categorical(flat, rng).reshape(before.shape)
        return states

    def _best_states(self, given: np.ndarray, best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(D, n) states of max-product, with ``best`` (D, S) for an open entry; (n,) nats."""
        tree = self.tree
        with np.errstate(divide="ignore"):
            logs, log_edges = np.log(np.concatenate([self.masses, best])), np.log(self.edges)
        own = logs[self._places_given(given, len(self.masses))]
        came_from = np.empty(own.shape, dtype=np.int64)
        for t in reversed(range(tree.D)):
            paths = own[t][:, None, :] + log_edges[t]  # (n, S of the parent, S)
            came_from[t] = paths.argmax(axis=2)
            if t > 0:
                own[tree.parents[t]] += paths.max(axis=2)
            else:
                value = paths[:, 0].max(axis=1)
        states = np.zeros(own.shape[:2], dtype=np.int64)
        everyone = np.arange(own.shape[1])
        for t in range(tree.D):
            before = states[tree.parents[t]] if t > 0 else states[0]
            states[t] = came_from[t][everyone, before]
        return states, value

    # ---------------------------------------------------------------- parts

    def _blocks(self, n: int, per_row: int = 0) -> Iterator[slice]:
        size = max(1, min(1024, CELLS_AT_ONCE // max(per_row, 2 * self.tree.D * self.S)))
        for i in range(0, n, size):
            yield slice(i, min(n, i + size))

    def _part(self, table: np.ndarray, d: int) -> np.ndarray:
        return table[self.first[d] : self.first[d + 1]]

    def _places_given(self, given: np.ndarray, behind: int) -> np.ndarray:
        """``places``, with an open entry of variable d at ``behind`` + d."""
        codes, variables = given[:, self.tree.variables].T, self.tree.variables[:, None]
        return np.where(codes == MISSING, behind + variables, codes + self._first_of_nodes)

    def _upward_given(self, given: np.ndarray, left: np.ndarray) -> Upward:
        table = np.concatenate([self.masses, left])
        return self.upward(self._places_given(given, len(self.masses)), table)

    def _allowed(
        self, barred: np.ndarray, renormalised: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """(P, S) the masses without the barred codes, and (D, S) what is left of each variable."""
        allowed = self.masses.copy()
        some = np.flatnonzero(barred >= 0)
        allowed[self.first[some] + barred[some]] = 0.0
        left = np.add.reduceat(allowed, self.first[:-1])
        left[barred < 0] = 1.0
        if renormalised:
            allowed /= np.repeat(np.where(left > 0, left, 1.0), self.cards, axis=0)
        return allowed, left

    def _filled(
        self, given: np.ndarray, states: np.ndarray, masses: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """(n, D) ``given`` with its ``MISSING`` entries drawn from ``masses`` (P, S) of the states
        (D, n)."""
        rows = given.copy()
        for t, d in enumerate(self.tree.variables.tolist()):
            open_ = given[:, d] == MISSING
            rows[open_, d] = draws.of_rows(self._part(masses, d).T, states[t, open_], rng)
        return rows

    @cached_property
    def _first_of_nodes(self) -> np.ndarray:
        return self.first[self.tree.variables][:, None].astype(np.int32)

    @cached_property
    def _table(self) -> np.ndarray:
        """(P + 1, S) the masses, and 1 for what is ``MISSING``."""
        return np.concatenate([self.masses, np.ones((1, self.S), dtype=self.masses.dtype)])

    @cached_property
    def _backwards(self) -> np.ndarray:
        return np.ascontiguousarray(self.edges.transpose(0, 2, 1))


def _scaled(values: np.ndarray) -> np.ndarray:
    """Scale the last axis in place so that it sums to 1; the logs of what was divided by."""
    S = values.shape[-1]
    # a product with ones is faster than a sum along a short axis
    total = (values.reshape(-1, S) @ np.ones(S, dtype=values.dtype)).reshape(values.shape[:-1])
    values *= (1 / total)[..., None]
    return np.log(total)
