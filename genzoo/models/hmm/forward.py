"""A discrete hidden Markov chain over the variables of a row, and its exact inference.

A row is read in T steps of C variables each. With hidden states s_1 .. s_T,

    p(x) = sum_s  pi[s_1] prod_t A_t[s_t, s_{t+1}] prod_t prod_c B_{tc}[x_{tc} | s_t]

The forward algorithm sums over the states in O(T S^2) a row (Rabiner 1989); an entry that is
``MISSING`` contributes a factor of 1, which sums it out exactly. All recursions run over a batch of
rows at once, in float64, each step rescaled to sum 1 with the logs of the scales added up.

Scott 2002, Bayesian methods for hidden Markov models, JASA 97 (forward filter, backward sample).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genzoo import draws
from genzoo.space import strings
from genzoo.space.schema import MISSING

CELLS_AT_ONCE = 1 << 22  # numbers in a working array: rows are taken in blocks to stay under this


@dataclass(frozen=True, eq=False)
class Shape:
    """Which variables a step holds, and which emission table and transition a step uses.

    Attributes:
        steps: (T, C) index of the variable at each step and channel.
        tables: (D,) emission table of each variable; variables may share one.
        cards: (G,) number of codes of each table.
        n_transitions: 1 where all steps share one transition matrix, else T - 1.
        end: the code of END in strings, or None.
    """

    steps: np.ndarray
    tables: np.ndarray
    cards: np.ndarray
    n_transitions: int
    end: int | None = None

    @property
    def T(self) -> int:
        return self.steps.shape[0]

    @cached_property
    def first(self) -> np.ndarray:
        """(G + 1,) where each table's codes begin among the P codes of all tables."""
        return np.append(0, np.cumsum(self.cards))

    @cached_property
    def table(self) -> np.ndarray:
        """(P,) the table of each code."""
        return np.repeat(np.arange(len(self.cards)), self.cards)

    def normalised(self, masses: np.ndarray) -> np.ndarray:
        """(P, S) positive numbers as masses: each table's sum to one in each state."""
        return masses / np.add.reduceat(masses, self.first[:-1])[self.table]

    def transition(self, t: int) -> int:
        """Index of the matrix that leads from step t - 1 to step t."""
        return t - 1 if self.n_transitions > 1 else 0


@dataclass(frozen=True, eq=False)
class Chain:
    """Fitted probabilities.

    Attributes:
        shape: where the variables lie.
        start: (S,) probabilities of the first state.
        transitions: (1 or T - 1, S, S), rows sum to 1.
        masses: (P, S) probability of each code given the state, table by table.

    >>> shape = Shape(np.array([[0], [1]]), np.array([0, 0]), np.array([2]), 1)
    >>> chain = Chain(shape, np.array([1.0, 0.0]), np.array([[[0.0, 1.0], [1.0, 0.0]]]),
    ...               np.array([[0.9, 0.2], [0.1, 0.8]]))
    >>> np.exp(chain.log_prob(np.array([[0, 1]]))).round(3)
    array([0.72])
    """

    shape: Shape
    start: np.ndarray
    transitions: np.ndarray
    masses: np.ndarray

    @property
    def S(self) -> int:
        return len(self.start)

    @property
    def emissions(self) -> np.ndarray:
        """(G, M, S) the masses, table by table, with 0 beyond a table's own codes: as large as all
        tables would be if they were as long as the longest."""
        shape = self.shape
        padded = np.zeros((len(shape.cards), int(shape.cards.max()), self.S))
        padded[shape.table, np.arange(len(shape.table)) - shape.first[shape.table]] = self.masses
        return padded

    def masses_of(self, table: int) -> np.ndarray:
        """(M, S) the masses of one table's codes."""
        return self.masses[self.shape.first[table] : self.shape.first[table + 1]]

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """(n,) log mass in nats of rows (n, D), ``MISSING`` entries summed out."""
        result = np.empty(len(rows))
        for chosen, steps in self._by_length(rows):
            result[chosen] = self._filter(rows[chosen], steps=steps)[1].sum(axis=0)
        return result

    def log_terms(self, rows: np.ndarray) -> np.ndarray:
        """(n, T) log mass in nats of each step of rows (n, D) given the steps before it."""
        result = np.zeros((len(rows), self.shape.T))
        for chosen, steps in self._by_length(rows):
            result[chosen, :steps] = self._filter(rows[chosen], steps=steps)[1].T
        return result

    def following(self, codes: list[int]) -> Iterator[np.ndarray]:
        """(M,) masses of the code that follows ``codes``, one variable a step and without end: the
        caller appends a code before it asks for the next. Beyond T steps where all share theirs.
        """
        shape, t = self.shape, 0
        state = self.start  # p(s_t | the codes before)
        while True:
            masses = self.masses_of(shape.tables[shape.steps[min(t, shape.T - 1), 0]])
            if t == len(codes):
                yield masses @ state
            filtered = masses[codes[t]] * state
            t += 1
            state = (filtered / filtered.sum()) @ self._into(t)

    def log_prob_each(self, rows: np.ndarray, d: int) -> np.ndarray:
        """(n, M) log mass in nats of rows (n, D) with each of the M codes of variable d, which is
        ``MISSING`` in them: by the posterior of its step's state, of one pass there and back."""
        step = int(np.flatnonzero((self.shape.steps == d).any(axis=1))[0])
        table = self.shape.tables[d]
        masses = self.masses_of(table)  # (M, S)
        joint = np.empty((len(rows), len(masses)))
        for b in self._blocks(len(rows)):
            filtered, terms, likelihoods = self._filter(rows[b], keep=True)
            later = np.ones_like(filtered[0])
            for t in reversed(range(step + 1, self.shape.T)):
                later = (likelihoods[t] * later) @ self._into(t).T
                later /= later.max(axis=1, keepdims=True)
            posterior = filtered[step] * later
            posterior /= posterior.sum(axis=1, keepdims=True)
            joint[b] = np.log(posterior @ masses.T) + terms.sum(axis=0)[:, None]
        return joint

    def posteriors(self, rows: np.ndarray) -> np.ndarray:
        """(n, T, S) p(s_t | observed entries of the row), by forward-backward."""
        result = np.empty((len(rows), self.shape.T, self.S))
        for b in self._blocks(len(rows)):
            filtered, _, likelihoods = self._filter(rows[b], keep=True)
            later = np.ones_like(filtered[0])
            for t in reversed(range(self.shape.T)):
                posterior = filtered[t] * later
                result[b, t] = posterior / posterior.sum(axis=1, keepdims=True)
                if t:
                    later = (likelihoods[t] * later) @ self._into(t).T
                    later /= later.max(axis=1, keepdims=True)
        return result

    def viterbi(self, rows: np.ndarray) -> np.ndarray:
        """(n, T) the most probable path of states given the observed entries (Viterbi 1967)."""
        T, S = self.shape.T, self.S
        states = np.empty((len(rows), T), dtype=np.int64)
        with np.errstate(divide="ignore"):
            log_start, log_transitions = np.log(self.start), np.log(self.transitions)
        for b in self._blocks(len(rows), per_row=S * S):
            best = log_start + self._log_likelihood(rows[b], 0)  # (B, S)
            came_from = np.empty((T, len(best), S), dtype=np.int64)
            for t in range(1, T):
                paths = best[:, :, None] + log_transitions[self.shape.transition(t)]  # (B, S, S)
                came_from[t] = paths.argmax(axis=1)
                best = paths.max(axis=1) + self._log_likelihood(rows[b], t)
            states[b, -1] = best.argmax(axis=1)
            for t in reversed(range(1, T)):
                now = states[b, t]
                states[b, t - 1] = came_from[t][np.arange(len(now)), now]
        return states

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n, D) rows."""
        shape, size = self.shape, max(1, CELLS_AT_ONCE // len(self.shape.tables))
        rows = np.full((n, len(shape.tables)), MISSING if shape.end is None else shape.end)
        for first in range(0, n, size):
            running = np.arange(first, min(n, first + size))
            states = draws.repeated(self.start, len(running), rng)
            for t in range(shape.T):
                if t:
                    states = draws.of_rows(self._into(t), states, rng)
                if shape.end is not None:  # the last state is that of strings that have ended
                    on = states < self.S - 1
                    running, states = running[on], states[on]
                    if len(running) == 0:
                        break
                for d in shape.steps[t]:
                    masses = self.masses_of(shape.tables[d])
                    rows[running, d] = draws.of_rows(masses.T, states, rng)
        return rows

    def complete(
        self, given: np.ndarray, barred: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """(n, D) exact draws of the ``MISSING`` entries of ``given`` (n, D).

        Args:
            given: what is observed.
            barred: (G,) the code of each emission table that no filled-in entry may have, -1 where
                all may be had: the draws are those given that none has.
        """
        first = self.shape.first
        allowed, logs = self.masses, self._log_masses
        tables = np.flatnonzero(barred >= 0)
        if len(tables):
            allowed, logs = allowed.copy(), logs.copy()
            allowed[first[tables] + barred[tables]] = 0.0
            left = np.add.reduceat(allowed, first[:-1])
            # draws go along one sum of all tables, in which a state with little left is lost
            allowed /= np.where(left > 0, left, 1.0)[self.shape.table]
            with np.errstate(divide="ignore"):  # an open entry says that it isn't the barred code
                logs[first[tables + 1] + tables] = np.log(left[tables])
        rows = given.copy()
        for b in self._blocks(len(given)):
            self._fill(rows[b], self._posterior_path(given[b], logs, rng), allowed, rng)
        return rows

    # ---------------------------------------------------------------- parts

    def _blocks(self, n: int, per_row: int = 0) -> Iterator[slice]:
        per_row = max(per_row, 2 * self.shape.T * self.S)
        size = max(1, min(1024, CELLS_AT_ONCE // per_row))
        for first in range(0, n, size):
            yield slice(first, min(n, first + size))

    def _by_length(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
        """Rows (n, D) in blocks: which, and how many steps carry their probability. No row of a
        block is less than half as long as its longest."""
        size = max(1, min(1024, CELLS_AT_ONCE // (2 * self.S)))
        lengths = np.full(len(rows), self.shape.T)
        if self.shape.end is not None:
            lengths = strings.lengths(rows, self.shape.end)
        order = np.argsort(lengths, kind="stable")
        ascending, first = lengths[order], 0
        while first < len(rows):
            alike = int(np.searchsorted(ascending, 2 * ascending[first], side="right"))
            end = min(first + size, alike)
            yield order[first:end], int(ascending[end - 1])
            first = end

    def _into(self, t: int) -> np.ndarray:
        return self.transitions[self.shape.transition(t)]

    def _log_likelihood(
        self, rows: np.ndarray, t: int, logs: np.ndarray | None = None
    ) -> np.ndarray:
        """(B, S) log probability of the entries of step t given each state.

        ``logs`` (P + G, S) is by default ``_log_masses``.
        """
        logs = self._log_masses if logs is None else logs
        first = self.shape.first
        total = np.zeros((len(rows), self.S))
        for d in self.shape.steps[t]:
            table = self.shape.tables[d]
            total += logs[first[table] + table : first[table + 1] + table + 1][rows[:, d]]
        return total

    @cached_property
    def _log_masses(self) -> np.ndarray:
        """(P + G, S); behind each table's codes, where ``MISSING`` = -1 picks, stands 0."""
        with np.errstate(divide="ignore"):
            return np.insert(np.log(self.masses), self.shape.first[1:], 0.0, axis=0)

    def _filter(
        self,
        rows: np.ndarray,
        keep: bool = False,
        logs: np.ndarray | None = None,
        steps: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The forward algorithm, over the first ``steps``; None: over all.

        Returns:
            p(s_t | x_1 .. x_t): (T, B, S), or (1, B, S), the last step alone, without ``keep``;
            (T, B) log mass of each step given those before it; likelihoods of the steps up to a
            factor per row, (T or 1, B, S).
        """
        T = self.shape.T if steps is None else steps
        kept = T if keep else 1
        filtered = np.empty((kept, len(rows), self.S))
        likelihoods = np.empty_like(filtered)
        terms = np.empty((T, len(rows)))
        for t in range(T):
            slot = t % kept
            predicted = filtered[(t - 1) % kept] @ self._into(t) if t else self.start
            log_likelihood = self._log_likelihood(rows, t, logs)
            shift = log_likelihood.max(axis=1)
            np.exp(log_likelihood - shift[:, None], out=likelihoods[slot])
            joint = predicted * likelihoods[slot]
            scale = joint.sum(axis=1)
            terms[t] = np.log(scale) + shift
            np.divide(joint, scale[:, None], out=filtered[slot])
        return filtered, terms, likelihoods

    def _posterior_path(
        self, rows: np.ndarray, logs: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """(T, B) states drawn given the entries: forward filter, backward sample."""
        filtered, _, _ = self._filter(rows, keep=True, logs=logs)
        states = np.empty(filtered.shape[:2], dtype=np.int64)
        states[-1] = draws.categorical(filtered[-1], rng)
        for t in reversed(range(1, self.shape.T)):
            states[t - 1] = draws.categorical(filtered[t - 1] * self._into(t)[:, states[t]].T, rng)
        return states

    def _fill(
        self, rows: np.ndarray, states: np.ndarray, masses: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Draw what is ``MISSING`` in rows (B, D), in place, given the states (T, B)."""
        first = self.shape.first
        for t, variables in enumerate(self.shape.steps):
            for d in variables:
                table, open_ = self.shape.tables[d], rows[:, d] == MISSING
                own = masses[first[table] : first[table + 1]]
                rows[open_, d] = draws.of_rows(own.T, states[t, open_], rng)
