"""Queries by variable elimination, many rows at once: exact, and by particles where it can't be.

Rows with the same pattern of ``MISSING`` share one elimination: factors are arrays over the hidden
variables of their scope with the rows as first axis, in log space. Hidden variables without an
observed descendant sum to one and take no part. Completions are drawn backwards through the
elimination: a variable is drawn given the ones that were eliminated after it, from the factor that
its elimination summed; then the rest follow from their parents.

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


@dataclass(frozen=True, eq=False)
class Factor:
    """Log values over the hidden variables ``scope``: (B, cards of the scope ...), B 1 or rows."""

    scope: tuple[int, ...]
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Plan:
    """How one pattern is answered.

    Attributes:
        factors: children whose conditionals take part, with the hidden part of their families.
        order: hidden variables in the order of elimination.
        rest: hidden variables that follow from their parents afterwards, parents first.
        barred: (D,) codes that hidden variables may not have, -1 where all may be had.
        size: entries a row of all factors that elimination makes.
    """

    factors: list[tuple[int, tuple[int, ...]]]
    order: list[int]
    rest: list[int]
    barred: np.ndarray
    size: int


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
        self, rows: np.ndarray, hidden: np.ndarray, barred: np.ndarray | None = None
    ) -> tuple[list[tuple[np.ndarray, Plan]], np.ndarray]:
        """Indices of the rows with something hidden, with the plan that answers them; and the rows
        that no plan can answer.

        Where the plan of a pattern is large, each distinct row gets one of its own.
        """
        plans: list[tuple[np.ndarray, Plan]] = []
        large = [np.arange(0)]
        none = np.full(len(self.cards), -1)
        barred = none if barred is None else barred

        some = np.flatnonzero(hidden.any(axis=1))
        for at, pattern in by_pattern(hidden[some]):
            index, plan = some[at], self._plan(pattern, barred)
            if plan is not None and plan.size <= self.limits.largest_plan:
                plans.append((index, plan))
                continue
            distinct, which = _distinct(rows[index])
            for i, row in enumerate(distinct):
                own = self._plan(pattern, barred, row) or self._plan(pattern, none, row)
                if own is None:
                    large.append(index[which == i])
                else:
                    plans.append((index[which == i], own))
        return plans, np.sort(np.concatenate(large))

    def _plan(
        self, hidden: np.ndarray, barred: np.ndarray, row: np.ndarray | None = None
    ) -> Plan | None:
        """The plan of a pattern, or of one row of it: what is observed there prunes the trees.

        None where a factor would have more than ``limits.largest_factor`` entries.
        """
        parents = [
            c.parents.tolist() if row is None else c.asked(row[c.parents])
            for c in self.conditionals
        ]
        taking_part = ~hidden | (barred >= 0)  # "not the barred code" is evidence too
        for v in reversed(self.order):
            if taking_part[v]:
                taking_part[parents[v]] = True
        families = []
        for v in np.flatnonzero(taking_part).tolist():
            family = [*parents[v], v]
            families.append((v, tuple(u for u in family if hidden[u])))
        found = elimination_order(
            [scope for _, scope in families], self.cards, largest=self.limits.largest_factor
        )
        if found is None:
            return None
        order, size = found
        rest = [v for v in self.order if hidden[v] and not taking_part[v]]
        return Plan(families, order, rest, barred, size)

    def _eliminate(self, rows: np.ndarray, plan: Plan) -> tuple[np.ndarray, list[Factor]]:
        """(n,) log mass of the observed entries; the factor that each elimination summed.

        Where a row has an entry of the plan's variables observed, its other codes have no mass.
        """
        value = np.zeros(len(rows))
        factors = []
        for child, scope in plan.factors:
            factor = self._factor(child, scope, rows)
            if scope:
                factors.append(factor)
            else:
                value = value + factor.values
        products = []
        for v in plan.order:
            used = [f for f in factors if v in f.scope]
            factors = [f for f in factors if v not in f.scope]
            scope = (*sorted({u for f in used for u in f.scope} - {v}), v)
            product = sum(_spread(f, scope) for f in used)  # an array of its own
            assert isinstance(product, np.ndarray)
            seen = rows[:, v, None]
            if (seen != MISSING).any():
                may_be = (seen == MISSING) | (seen == np.arange(self.cards[v]))
                product = product + _spread(Factor((v,), np.where(may_be, 0.0, -np.inf)), scope)
            if plan.barred[v] >= 0:
                product[..., plan.barred[v]] = -np.inf
            products.append(Factor(scope, product))
            summed = np.logaddexp.reduce(product, axis=-1)
            if len(scope) > 1:
                factors.append(Factor(scope[:-1], summed))
            else:
                value = value + summed
        return value, products

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
        rows[:, v] = gumbel_argmax(product.values[(first, *others)], rng)


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows, and which of them each row is, (n,)."""
    distinct, which = np.unique(rows, axis=0, return_inverse=True)
    return distinct, which.reshape(-1)


def chunks(index: np.ndarray, size: int) -> Iterator[np.ndarray]:
    step = max(1, CELLS_AT_ONCE // max(1, size))
    for start in range(0, len(index), step):
        yield index[start : start + step]
