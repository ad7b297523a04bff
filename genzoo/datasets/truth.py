"""Distributions that are known exactly: log mass, entropy and samples of the true model.

Each class is a small generative model with fixed parameters. Log masses are in nats, -inf for a row
that cannot occur. The gap of a model m to the truth p is the mean over test rows, drawn from p, of
log p - log m, which estimates KL(p || m).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import ascii_letters
from typing import Protocol

import numpy as np

from genzoo import draws
from genzoo.seeding import numpy_rng
from genzoo.space.graphs import elimination_order, topological
from genzoo.space.schema import Schema
from genzoo.values import Score

ENTROPY_DRAWS = 100_000


class Truth(Protocol):
    """What a known distribution offers."""

    @property
    def schema(self) -> Schema:
        """The space of its rows."""

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """(n,) exact log mass in nats of complete rows (n, D); -inf where a row can't occur."""

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        """(n, D) independent rows."""

    def entropy(self) -> Score:
        """-E[log p] in nats per row: kind ``exact``, or ``estimate`` with its standard error."""


def _log(p: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(p)


def _neg_plogp(p: np.ndarray) -> np.ndarray:
    """-p log p, 0 at p = 0."""
    return -p * np.log(np.where(p > 0, p, 1.0))


# -------------------------------------------------------------------------------- networks


@dataclass(frozen=True, eq=False)
class TrueNetwork:
    """A Bayesian network of nominal variables: p(x) = prod_d p(x_d | x_parents(d)).

    Attributes:
        schema: one variable for each node.
        parents: per node, the indices of its parents.
        tables: per node, p(x_d | parents) with one axis for each parent, in order, and the node's
            own axis last.
    """

    schema: Schema
    parents: tuple[tuple[int, ...], ...]
    tables: tuple[np.ndarray, ...]

    @property
    def edges(self) -> list[tuple[str | int, str | int]]:
        """(parent, child) by name."""
        names = self.schema.names
        return [(names[p], names[d]) for d, ps in enumerate(self.parents) for p in ps]

    @cached_property
    def _order(self) -> list[int]:
        """The nodes, every parent before its children."""
        try:
            return topological(self.parents)
        except ValueError:
            raise ValueError("parents: expected a graph without cycles") from None

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        rows = self.schema.check_rows(rows, name="rows")
        total = np.zeros(len(rows))
        for d, (parents, table) in enumerate(zip(self.parents, self.tables, strict=True)):
            total += _log(table)[tuple(rows[:, p] for p in (*parents, d))]
        return total

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        rng = numpy_rng(seed, "true network")
        rows = np.zeros((n, self.schema.D), dtype=np.int64)
        for d in self._order:
            table = self.tables[d]
            given = tuple(rows[:, p] for p in self.parents[d])
            rows[:, d] = draws.categorical(table[given] if given else np.tile(table, (n, 1)), rng)
        return rows

    def entropy(self) -> Score:
        """Exact, by the chain rule: sum_d sum_u p(parents = u) H(x_d | u)."""
        total = 0.0
        for parents, table in zip(self.parents, self.tables, strict=True):
            total += float((self.marginal(parents) * _neg_plogp(table).sum(axis=-1)).sum())
        return Score(total, 0.0, "exact")

    def marginal(self, nodes: Sequence[int]) -> np.ndarray:
        """p(nodes), one axis for each, in order; exact, by variable elimination."""
        if not nodes:
            return np.ones(())
        relevant = set(nodes)
        for d in reversed(self._order):
            if d in relevant:
                relevant.update(self.parents[d])
        factors = [((*self.parents[d], d), self.tables[d]) for d in relevant]
        found = elimination_order([s for s, _ in factors], self.schema.cards, kept=set(nodes))
        for v in found[0] if found else []:
            used = [f for f in factors if v in f[0]]
            scope = tuple(sorted({u for s, _ in used for u in s} - {v}))
            factors = [f for f in factors if v not in f[0]] + [(scope, _contract(used, scope))]
        return _contract(factors, tuple(nodes))


def _contract(
    factors: list[tuple[tuple[int, ...], np.ndarray]], scope: tuple[int, ...]
) -> np.ndarray:
    """The product of the factors, summed down to ``scope``."""
    # einsum has 52 letters: those for the variables at hand
    letter = dict(zip(sorted({v for s, _ in factors for v in s}), ascii_letters, strict=False))
    inputs = ",".join("".join(letter[v] for v in variables) for variables, _ in factors)
    output = "".join(letter[v] for v in scope)
    tables = [table for _, table in factors]
    return np.asarray(np.einsum(f"{inputs}->{output}", *tables, optimize="greedy"))


# -------------------------------------------------------------------------------- hidden Markov


@dataclass(frozen=True, eq=False)
class TrueHMM:
    """A hidden Markov model: p(x) = sum_z p(z_1) prod_t p(z_t | z_t-1) p(x_t | z_t).

    Attributes:
        schema: a sequence of T symbols, without END.
        initial: (S,) p(z_1).
        transition: (S, S) p(z_t = column | z_t-1 = row).
        emission: (S, M) p(x_t | z_t).
    """

    schema: Schema
    initial: np.ndarray
    transition: np.ndarray
    emission: np.ndarray

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """Exact, by the forward algorithm, scaled at each step (Rabiner 1989)."""
        rows = self.schema.check_rows(rows, name="rows")
        total = np.zeros(len(rows))
        predicted = np.tile(self.initial, (len(rows), 1))  # (n, S)
        for t in range(self.schema.D):
            joint = predicted * self.emission[:, rows[:, t]].T
            mass = joint.sum(axis=1)
            total += _log(mass)
            predicted = (joint / np.where(mass > 0, mass, 1.0)[:, None]) @ self.transition
        return total

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        rng = numpy_rng(seed, "true hmm")
        rows = np.zeros((n, self.schema.D), dtype=np.int64)
        state = draws.categorical(np.tile(self.initial, (n, 1)), rng)
        for t in range(self.schema.D):
            if t > 0:
                state = draws.categorical(self.transition[state], rng)
            rows[:, t] = draws.categorical(self.emission[state], rng)
        return rows

    def decode_states(self, rows: np.ndarray) -> np.ndarray:
        """(n, T) the most probable path of states behind each row (Viterbi 1967)."""
        rows = self.schema.check_rows(rows, name="rows")
        n, T = rows.shape
        move, best = _log(self.transition), _log(self.initial) + _log(self.emission.T[rows[:, 0]])
        came_from = np.zeros((T, n, len(self.initial)), dtype=np.int64)
        for t in range(1, T):
            ways = best[:, :, None] + move  # (n, S, S)
            came_from[t] = ways.argmax(axis=1)
            best = ways.max(axis=1) + _log(self.emission.T[rows[:, t]])
        states = np.zeros((n, T), dtype=np.int64)
        states[:, -1] = best.argmax(axis=1)
        for t in range(T - 1, 0, -1):
            states[:, t - 1] = came_from[t, np.arange(n), states[:, t]]
        return states

    def entropy(self) -> Score:
        """From a large sample: the entropy of a hidden Markov model has no closed form."""
        drawn = self.log_prob(self.sample(ENTROPY_DRAWS, seed=1))
        stderr = float(np.std(drawn, ddof=1) / np.sqrt(len(drawn)))
        return Score(float(-drawn.mean()), stderr, "estimate")


# -------------------------------------------------------------------------------- grammar

END = "END"


@dataclass(frozen=True)
class Rule:
    """Nonterminal -> symbol, then the nonterminals in ``then``, with probability ``p``."""

    p: float
    symbol: str
    then: tuple[str, ...] = ()


class _Stacks:
    """Of each of n derivations the nonterminals that are still to be derived, the next one on top.

    ``names`` are the nonterminals; at the bottom lies their number, for a derivation that is over.
    """

    def __init__(self, n: int, depth: int, names: list[str], start: str) -> None:
        self.held = np.full((n, depth + 2), len(names))
        self.held[:, 1] = names.index(start)
        self.top, self.row = np.ones(n, dtype=np.int64), np.arange(n)

    def peek(self) -> np.ndarray:
        """(n,) the nonterminals on top."""
        return self.held[self.row, self.top]

    def replace(self, pushed: np.ndarray) -> None:
        """Put nonterminals (n, P) in the place of the top, the last one highest, -1 for none."""
        self.top = np.maximum(self.top - 1, 0)  # one that is over stays at the bottom
        for push in pushed.T:
            some = push >= 0
            self.top += some
            self.held[self.row[some], self.top[some]] = push[some]


@dataclass(frozen=True, eq=False)
class TrueGrammar:
    """A probabilistic context-free grammar, renormalised to strings of at most T symbols.

    The grammar is in Greibach normal form (each rule emits one symbol and then stands for a row of
    nonterminals), and the symbol decides between the rules of a nonterminal, so a string has at
    most one derivation: p(string) is the product of the rules that a stack machine meets while it
    reads the string. Exactly the rule that ends a derivation emits ``END``, which is no symbol of
    the string: a string of length L takes L + 1 rules.

    Attributes:
        schema: strings over the grammar's symbols, of length at most T, with END.
        rules: the rules of each nonterminal; their probabilities sum to one.
        start: the nonterminal that derives whole strings.
    """

    schema: Schema
    rules: Mapping[str, tuple[Rule, ...]]
    start: str

    @property
    def T(self) -> int:
        return self.schema.D

    @cached_property
    def _lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """Per number of rules l = 0 .. T + 1 of a derivation from ``start``: p(l), E[log p ; l].

        For a nonterminal A, mass_A(l) is the probability that its derivation takes l rules, and
        plogp_A(l) the sum over those derivations of p log p. Independent parts multiply: masses
        convolve, and plogp follows the product rule.
        """
        n = self.T + 2
        mass = {a: np.zeros(n) for a in self.rules}
        plogp = {a: np.zeros(n) for a in self.rules}
        for _ in range(n):  # a pass settles one more length: each rule emits a symbol
            new_mass, new_plogp = {}, {}
            for a, rules in self.rules.items():
                new_mass[a], new_plogp[a] = np.zeros(n), np.zeros(n)
                for rule in rules:
                    m, g = np.zeros(n), np.zeros(n)
                    m[1], g[1] = rule.p, rule.p * np.log(rule.p)
                    for b in rule.then:
                        g = np.convolve(g, mass[b])[:n] + np.convolve(m, plogp[b])[:n]
                        m = np.convolve(m, mass[b])[:n]
                    new_mass[a] += m
                    new_plogp[a] += g
            mass, plogp = new_mass, new_plogp
        return mass[self.start], plogp[self.start]

    @property
    def kept(self) -> float:
        """The grammar's mass on strings of at most T symbols, which renormalisation divides by."""
        return float(self._lengths[0].sum())

    @cached_property
    def _machine(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """log p (A, M) of a nonterminal's rule for a code; what it pushes (A, M, P), -1 for none.

        The last nonterminal (index A - 1) has no rules: a derivation that is over.
        """
        names = [*self.rules]
        categories = self.schema.variables[0].categories or ()
        code = {s: c for c, s in enumerate(categories)}
        code[END] = int(self.schema.end or 0)
        width = max(len(r.then) for rules in self.rules.values() for r in rules)
        log_p = np.full((len(names) + 1, len(categories)), -np.inf)
        pushed = np.full((len(names) + 1, len(categories), max(1, width)), -1)
        for a, rules in enumerate(self.rules.values()):
            for rule in rules:
                log_p[a, code[rule.symbol]] = np.log(rule.p)
                # the first nonterminal goes on top, so it is pushed last
                for k, b in enumerate(reversed(rule.then)):
                    pushed[a, code[rule.symbol], k] = names.index(b)
        return log_p, pushed, names

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """Exact: the rules that a stack machine meets, less the log of ``kept``."""
        rows = self.schema.check_rows(rows, name="rows")
        log_p, pushed, names = self._machine
        n, end = len(rows), self.schema.end
        stacks = _Stacks(n, pushed.shape[2] * (self.T + 1), names, self.start)
        total = np.full(n, -np.log(self.kept))
        running = np.ones(n, dtype=bool)
        for t in range(self.T + 1):
            symbol = rows[:, t] if t < self.T else np.full(n, end)
            nonterminal = stacks.peek()
            total += np.where(running, log_p[nonterminal, symbol], 0.0)
            stacks.replace(pushed[nonterminal, symbol])
            running &= symbol != end
        return total

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        """Derivations from the grammar; those longer than T symbols are drawn again."""
        rng = numpy_rng(seed, "true grammar")
        rows = np.empty((0, self.T), dtype=np.int64)
        while len(rows) < n:
            rows = np.concatenate([rows, self._derive(n, rng)])
        return rows[:n]

    def _derive(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """n derivations, less those that are longer than T symbols."""
        log_p, pushed, names = self._machine
        end = int(self.schema.end or 0)
        p = np.exp(log_p)
        p[-1, end] = 1.0
        stacks = _Stacks(n, pushed.shape[2] * (self.T + 1), names, self.start)
        rows = np.zeros((n, self.T + 1), dtype=np.int64)
        for t in range(self.T + 1):
            nonterminal = stacks.peek()
            rows[:, t] = symbol = draws.categorical(p[nonterminal], rng)
            stacks.replace(pushed[nonterminal, symbol])
        return rows[rows[:, -1] == end, :-1]

    def entropy(self) -> Score:
        """Exact: -sum_l E[log p ; l] / kept + log kept, over the lengths that fit."""
        value = -float(self._lengths[1].sum()) / self.kept + np.log(self.kept)
        return Score(float(value), 0.0, "exact")


# -------------------------------------------------------------------------------- grid


@dataclass(frozen=True, eq=False)
class TrueGrid:
    """A table of masses over all rows of a small space.

    Attributes:
        schema: D variables.
        mass: (cards[0], ..., cards[D-1]), summing to one.
    """

    schema: Schema
    mass: np.ndarray

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        rows = self.schema.check_rows(rows, name="rows")
        return _log(self.mass)[tuple(rows.T)]

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        cell = draws.repeated(self.mass.ravel(), n, numpy_rng(seed, "true grid"))
        return np.stack(np.unravel_index(cell, self.mass.shape), axis=1).astype(np.int64)

    def entropy(self) -> Score:
        return Score(float(_neg_plogp(self.mass).sum()), 0.0, "exact")
