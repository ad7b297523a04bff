"""Queries by variable elimination, many rows at once: exact, and by particles where it can't be.

Rows with the same pattern of ``MISSING`` share one elimination: factors are arrays over the hidden
variables of their scope with the rows as first axis, in log space. Hidden variables without an
observed descendant sum to one and take no part. Where there are many patterns, planning each would
take longer than its sums: then all variables that are hidden anywhere are eliminated once, for all
rows together, and what a row has observed of them is a factor of 0 or 1. Completions are drawn
backwards through the elimination: a variable is drawn given the ones that were eliminated after it,
from the factor that its elimination summed; then the rest follow from their parents.

A decision tree that is told some of its parents asks fewer of the others. So a row whose pattern
would need large factors is planned by itself, on its own pruned trees. Where even those are too
large, the hidden variables are summed by sequential Monte Carlo, parents first: a lower bound
(``shared/particles.py``).

Zhang & Poole (1994), A simple approach to Bayesian network computations; Dechter (1999), Bucket
elimination; Boutilier, Friedman, Goldszmidt & Koller (1996), Context-specific independence in
Bayesian networks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genzoo.draws import gumbel_argmax
from genzoo.models.bayesian_network.conditionals import (
    CELLS_AT_ONCE,
    Conditional,
    Learned,
    Stopped,
)
from genzoo.models.bayesian_network.limits import Limits
from genzoo.models.shared import particles
from genzoo.models.shared.distinct import by_pattern
from genzoo.space.graphs import elimination_order, topological
from genzoo.space.schema import MISSING
from genzoo.values import LogProb

# Entries of the factors of a plan in the time that Python takes to make one, some milliseconds.
PATTERN_ENTRIES = 2 * 10**5
SMALLEST = 1e-200  # of the largest mass in a factor; products of smaller ones would underflow


@dataclass(frozen=True, eq=False)
class Factor:
    """Log values, or masses, over the hidden variables ``scope``: (B, cards of the scope ...), with
    B 1 or rows."""

    scope: tuple[int, ...]
    values: np.ndarray
    logs: bool = True


@dataclass(frozen=True, eq=False)
class Plan:
    """How one pattern is answered.

    Attributes:
        factors: children whose conditionals take part, with the hidden part of their families.
        order: hidden variables in the order of elimination.
        rest: hidden variables that follow from their parents afterwards, parents first.
        kept: a variable that is not eliminated though it is hidden; -1: none.
        barred: (D,) codes that hidden variables may not have, -1 where all may be had.
        size: entries a row of all factors that elimination makes.
    """

    factors: list[tuple[int, tuple[int, ...]]]
    order: list[int]
    rest: list[int]
    barred: np.ndarray
    size: int
    kept: int = -1


class Network:
    """The conditionals of all variables, ready for queries.

    Args:
        conditionals: one for each variable.
        limits: how large its factors may be.

    Attributes:
        order: (D,) variables, parents before children.
        end: the code of END where the rows are strings, else None.
    """

    def __init__(
        self, conditionals: Sequence[Conditional], cards: np.ndarray, limits: Limits
    ) -> None:
        self.conditionals, self.cards, self.limits = conditionals, cards, limits
        self.order = topological([c.parents.tolist() for c in conditionals])
        self.end = next((c.end for c in conditionals if isinstance(c, Stopped)), None)
        self._parents = [c.parents.tolist() for c in conditionals]

    @classmethod
    def of(
        cls, learned: Sequence[Learned], cards: np.ndarray, end: int | None, limits: Limits
    ) -> Network:
        """The conditionals that were learned, in strings with the END rule in front of each."""
        ready: list[Conditional] = []
        for child, own in enumerate(learned):
            stops = end is not None and child > 0
            ready.append(Stopped(own, child - 1, int(end or 0)) if stops else own)
        return cls(ready, cards, limits)

    def log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        """Log mass (n,) in nats; ``MISSING`` is summed out.

        Exact, but for patterns that need a factor of more than ``limits.largest_factor`` entries
        and have more completions than particles: these get a lower bound.
        """
        hidden = self._hidden(rows)
        value = np.zeros(len(rows))
        complete = ~hidden.any(axis=1)
        value[complete] = self._log_prob_complete(np.maximum(rows[complete], 0))
        plans, large = self._plans(rows, hidden)
        for index, plan in plans:
            for chunk in chunks(index, plan.size):
                value[chunk] = self._eliminate(rows[chunk], plan)[0]
        eliminated = np.setdiff1d(np.arange(len(rows)), large)
        parts = [(eliminated, LogProb.exact(value[eliminated]))]
        for at, pattern in by_pattern(hidden[large]):
            index, process = large[at], self._process(pattern)
            parts.append((index, particles.log_prob(process, rows[index], index, seed=seed)))
        return particles.joined(parts, len(rows))

    def log_prob_each(self, rows: np.ndarray, d: int) -> np.ndarray | None:
        """(n, M) log mass in nats of rows with each code of variable d, which they have
        ``MISSING``; other ``MISSING`` entries are summed out. None where that takes too large
        factors."""
        hidden = self._hidden(rows)
        hidden[:, d] = False
        value = np.empty((len(rows), int(self.cards[d])))
        complete = np.flatnonzero(~hidden.any(axis=1))
        if len(complete):
            part = np.maximum(rows[complete], 0)
            value[complete] = self.blanket(part, d)
            others = sorted(set(range(len(self.cards))) - {d} - set(self._children[d]))
            for v in others:
                own = self.conditionals[v].log_mass(part[:, self._parents[v]], part[:, v])
                value[complete] += own[:, None]
        plans, large = self._plans(rows, hidden, kept=d)
        if len(large):
            return None
        for index, plan in plans:
            for chunk in chunks(index, plan.size):
                value[chunk] = self._eliminate(rows[chunk], plan)[0]
        return value

    def blanket(self, rows: np.ndarray, v: int) -> np.ndarray:
        """(n, M) log mass in nats of each code of a variable given its parents, and of its children
        given it, in rows (n, D) without ``MISSING``; what they hold in it is not looked at."""
        rows, own = rows.copy(), self.conditionals[v]
        scores = own.log_masses(rows[:, own.parents])
        for code in range(int(self.cards[v]) if self._children[v] else 0):
            rows[:, v] = code
            for child in self._children[v]:
                above = rows[:, self._parents[child]]
                scores[:, code] += self.conditionals[child].log_mass(above, rows[:, child])
        return scores

    @cached_property
    def _children(self) -> list[list[int]]:
        children: list[list[int]] = [[] for _ in self.cards]
        for child, parents in enumerate(self._parents):
            for parent in parents:
                children[parent].append(child)
        return children

    def _log_prob_complete(self, rows: np.ndarray) -> np.ndarray:
        value = np.zeros(len(rows))
        for child, conditional in enumerate(self.conditionals):
            value += conditional.log_mass(rows[:, conditional.parents], rows[:, child])
        return value

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n, D) rows, each variable drawn after its parents."""
        rows = np.zeros((n, len(self.cards)), dtype=np.int64)
        self._draw(rows, self.order, rng)
        return rows

    def complete(
        self,
        rows: np.ndarray,
        rng: np.random.Generator,
        barred: np.ndarray | None = None,
        *,
        seed: int,
    ) -> np.ndarray:
        """(n, D) rows with each ``MISSING`` drawn given the row's observed entries.

        Patterns that are too large for elimination are drawn by particles, with a UserWarning where
        too few of them are effective.

        Args:
            barred: (D,) a code of each variable that no drawn entry may have, -1 where there is
                none: the draws are those given that none has. Where only this makes a pattern too
                large for elimination, it is left out of account.
        """
        filled = np.maximum(rows, 0)  # a variable with one code has no other value
        hidden = self._hidden(rows)
        plans, large = self._plans(rows, hidden, barred)
        effective = []
        for at, pattern in by_pattern(hidden[large]):
            index, process = large[at], self._process(pattern)
            drawn, ess = particles.complete(process, rows[index], index, seed=seed, barred=barred)
            drawn = np.maximum(drawn, 0)
            visited = set(process.order)
            self._draw(drawn, [v for v in self.order if pattern[v] and v not in visited], rng)
            filled[index] = drawn
            effective.append(ess)
        if effective:
            particles.warn_if_few(np.concatenate(effective))
        for index, plan in plans:
            filled[index] = self._completed(rows[index], plan, rng)
        return filled

    def _completed(self, rows: np.ndarray, plan: Plan, rng: np.random.Generator) -> np.ndarray:
        """(n, D) rows of one plan with each ``MISSING`` drawn."""
        filled = np.maximum(rows, 0)
        distinct, which = _distinct(rows)
        for chunk in chunks(np.arange(len(distinct)), plan.size):
            products = self._eliminate(distinct[chunk], plan)[1]
            asking = np.flatnonzero((which >= chunk[0]) & (which <= chunk[-1]))
            for at in chunks(asking, int(self.cards.max())):
                drawn = filled[at]
                drawn_backwards(drawn, plan, products, which[at] - chunk[0], rng)
                self._draw(drawn, plan.rest, rng)
                filled[at] = drawn
        return filled

    def _draw(self, rows: np.ndarray, variables: Sequence[int], rng: np.random.Generator) -> None:
        for v in variables:
            conditional = self.conditionals[v]
            rows[:, v] = conditional.sample(rows[:, conditional.parents], rng)

    def _hidden(self, rows: np.ndarray) -> np.ndarray:
        return (rows == MISSING) & (self.cards > 1)

    def _process(self, hidden: np.ndarray) -> particles.Process:
        """The observed variables of a pattern and those that they descend from, parents first; a
        hidden variable comes right before the first observed one that needs it."""
        order: list[int] = []
        placed: set[int] = set()
        for v in self.order:
            if hidden[v] or v in placed:
                continue
            needed, open_ = {v}, [v]
            while open_:
                above = set(self.conditionals[open_.pop()].parents.tolist()) - needed - placed
                needed |= above
                open_ += above
            order += [u for u in self.order if u in needed]
            placed |= needed

        def log_probs(v: int, codes: np.ndarray) -> np.ndarray:
            conditional = self.conditionals[v]
            return conditional.log_masses(codes[:, conditional.parents])

        walk = particles.Memoryless(log_probs)
        return particles.Process(order, self.cards, lambda n: walk, int(self.cards.max()), self.end)

    def _plans(
        self,
        rows: np.ndarray,
        hidden: np.ndarray,
        barred: np.ndarray | None = None,
        kept: int = -1,
    ) -> tuple[list[tuple[np.ndarray, Plan]], np.ndarray]:
        """Indices of the rows with something hidden, with the plan that answers them; and the rows
        that no plan can answer.

        Where patterns are many all rows have one plan, if it is not too large. Where the plan of a
        pattern is large, each distinct row gets one of its own.
        """
        plans: list[tuple[np.ndarray, Plan]] = []
        large = [np.arange(0)]
        none = np.full(len(self.cards), -1)
        barred = none if barred is None else barred

        some = np.flatnonzero(hidden.any(axis=1))
        patterns = by_pattern(hidden[some])
        if len(patterns) > 1:
            anywhere = np.any(hidden[some], axis=0)
            observed = np.any(~hidden[some], axis=0)
            shared = self._plan(anywhere, barred, observed=observed, kept=kept)
            if shared is not None and shared.size * len(some) <= PATTERN_ENTRIES * len(patterns):
                return [(some, shared)], large[0]
        for at, pattern in patterns:
            index, plan = some[at], self._plan(pattern, barred, kept=kept)
            if plan is not None and plan.size <= self.limits.largest_plan:
                plans.append((index, plan))
                continue
            distinct, which = _distinct(rows[index])
            for i, row in enumerate(distinct):
                own = self._plan(pattern, barred, row, kept=kept)
                own = own or self._plan(pattern, none, row, kept=kept)
                if own is None:
                    large.append(index[which == i])
                else:
                    plans.append((index[which == i], own))
        return plans, np.sort(np.concatenate(large))

    def _plan(
        self,
        hidden: np.ndarray,
        barred: np.ndarray,
        row: np.ndarray | None = None,
        *,
        observed: np.ndarray | None = None,
        kept: int = -1,
    ) -> Plan | None:
        """The plan of a pattern, or of one row of it: what is observed there prunes the trees.

        None where a factor would have more than ``limits.largest_factor`` entries.

        Args:
            hidden: (D,) bool: what may be ``MISSING``.
            barred, kept: as in ``Plan``.
            observed: (D,) bool: what may be observed; None: what can't be ``MISSING``.
        """
        parents = self._parents
        if row is not None:
            parents = [c.asked(row[c.parents]) for c in self.conditionals]
        # "not the barred code" is evidence too
        taking_part = (~hidden if observed is None else observed) | (barred >= 0)
        if kept >= 0:
            taking_part[kept] = True
            hidden = hidden.copy()
            hidden[kept] = self.cards[kept] > 1
        for v in reversed(self.order):
            if taking_part[v]:
                taking_part[parents[v]] = True
        families = []
        for v in np.flatnonzero(taking_part).tolist():
            family = [*parents[v], v]
            families.append((v, tuple(u for u in family if hidden[u])))
        found = elimination_order(
            [scope for _, scope in families],
            self.cards,
            kept=(kept,),
            largest=self.limits.largest_factor,
        )
        if found is None:
            return None
        order, size = found
        rest = [v for v in self.order if hidden[v] and not taking_part[v]]
        return Plan(families, order, rest, barred, size, kept)

    def _eliminate(self, rows: np.ndarray, plan: Plan) -> tuple[np.ndarray, list[Factor]]:
        """(n,) log mass of the observed entries, or (n, M) with each code of the variable that is
        kept; the factor that each elimination summed.

        Where a row has an entry of the plan's variables observed, its other codes have no mass.
        Masses are multiplied, which is much faster than to add logs; where they get too small for
        that it is all done again in logs.
        """
        value, products = self._summed(rows, plan, logs=False)
        if np.isnan(value).any():
            return self._summed(rows, plan, logs=True)
        return value, products

    def _summed(
        self, rows: np.ndarray, plan: Plan, *, logs: bool
    ) -> tuple[np.ndarray, list[Factor]]:
        """``_eliminate`` with factors in logs, or in masses: nan where these get too small."""
        value = np.zeros(len(rows))
        factors = []
        for child, scope in plan.factors:
            factor = self._factor(child, scope, rows)
            if not scope:
                value = value + factor.values
            elif logs:
                factors.append(factor)
            else:
                factor, shift = _scaled(Factor(scope, np.exp(factor.values)))
                factors.append(factor)
                value = value + shift
        products = []
        for v in plan.order:
            used = [f for f in factors if v in f.scope]
            factors = [f for f in factors if v not in f.scope]
            scope = (*sorted({u for f in used for u in f.scope} - {v}), v)
            seen, codes = rows[:, v, None], np.arange(self.cards[v])
            if (seen != MISSING).any() or plan.barred[v] >= 0:
                may_be = np.where(seen == MISSING, codes != plan.barred[v], seen == codes)
                with np.errstate(divide="ignore"):
                    used.append(Factor((v,), np.log(may_be) if logs else may_be))
            parts = [_spread(f, scope) for f in used]
            product = sum(parts) if logs else math.prod(parts)
            assert isinstance(product, np.ndarray)
            products.append(Factor(scope, product, logs))
            if logs:
                summed = Factor(scope[:-1], _log_sum(product))
            else:
                summed, shift = _scaled(Factor(scope[:-1], product.sum(axis=-1)))
                value = value + shift
            if len(scope) > 1:
                factors.append(summed)
            elif logs:
                value = value + summed.values
        if plan.kept < 0:
            return value, products
        joint = np.repeat(value[:, None], self.cards[plan.kept], axis=1)
        for factor in factors:
            with np.errstate(divide="ignore"):
                kept = factor.values if logs else np.log(factor.values)
            joint += kept if logs else np.where(factor.values < SMALLEST, np.nan, kept)
        return joint, products

    def _factor(self, child: int, scope: tuple[int, ...], rows: np.ndarray) -> Factor:
        """The conditional of ``child`` at the rows' observed codes, over its hidden family."""
        conditional = self.conditionals[child]
        family = [*conditional.parents.tolist(), child]
        if all(v in scope for v in family):
            rows = rows[:1]  # nothing observed: the same for all rows
        cards = [int(self.cards[v]) for v in scope]
        grid = np.indices(cards).reshape(len(cards), math.prod(cards))  # (hidden, G)
        B, G = len(rows), grid.shape[1]
        codes = np.empty((B, G, len(family)), dtype=np.int64)
        for j, v in enumerate(family):
            observed = np.maximum(rows[:, v], 0)[:, None]
            codes[:, :, j] = grid[scope.index(v)] if v in scope else observed
        flat = codes.reshape(B * G, -1)
        values = conditional.log_mass(flat[:, :-1], flat[:, -1])
        return Factor(scope, values.reshape(B, *cards))


def _scaled(factor: Factor) -> tuple[Factor, np.ndarray]:
    """A factor of masses divided by its largest one, and the log of that for each of its rows; nan
    where it is too small to go on with."""
    top = factor.values.reshape(len(factor.values), -1).max(axis=1)
    large = np.where(top < SMALLEST, np.nan, top)
    divisor = np.where(top < SMALLEST, 1.0, top).reshape(-1, *[1] * len(factor.scope))
    return Factor(factor.scope, factor.values / divisor, logs=False), np.log(large)


def _log_sum(values: np.ndarray) -> np.ndarray:
    """Log of the sum of masses over the last axis, of which all may be 0."""
    top = values.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(values - top).sum(axis=-1)) + top[..., 0]


def _spread(factor: Factor, scope: tuple[int, ...]) -> np.ndarray:
    """A factor's values with an axis for each variable of a larger scope."""
    places = [scope.index(v) for v in factor.scope]
    values = factor.values.transpose(0, *(1 + np.argsort(places)))
    shape = [len(values)] + [1] * len(scope)
    for place, width in zip(sorted(places), values.shape[1:], strict=True):
        shape[1 + place] = width
    return values.reshape(shape)


def drawn_backwards(
    rows: np.ndarray,
    plan: Plan,
    products: list[Factor],
    batch: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Draw what was eliminated, in place in rows (m, D), each variable given those that were
    eliminated after it, from what each elimination summed; ``batch`` (m,) is each one's row there.
    """
    for v, product in zip(plan.order[::-1], products[::-1], strict=True):
        first = batch if len(product.values) > 1 else np.zeros_like(batch)
        others = [rows[:, u] for u in product.scope[:-1]]
        scores = product.values[(first, *others)]
        if not product.logs:
            with np.errstate(divide="ignore"):
                scores = np.log(scores)
        rows[:, v] = gumbel_argmax(scores, rng)


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows, and which of them each row is, (n,)."""
    distinct, which = np.unique(rows, axis=0, return_inverse=True)
    return distinct, which.reshape(-1)


def chunks(index: np.ndarray, size: int) -> Iterator[np.ndarray]:
    step = max(1, CELLS_AT_ONCE // max(1, size))
    for start in range(0, len(index), step):
        yield index[start : start + step]
