"""Any pattern of missing entries in a model of one variable after the other.

    p(x_observed) = sum over the missing entries of prod_v p(x_v | those before it)

Particles walk through the variables: an observed one multiplies each particle's weight with its
conditional mass, at a missing one each particle splits into one child for every code. Children
have different entries, so while there are few of them nothing is lost and the sum is exact. Where
there would be more than N, an unbiased choice keeps N: with c the solution of
sum_i min(1, w_i / c) = N, child i stays with probability min(1, w_i / c) and weight max(w_i, c),
which has the smallest error of all such choices (Fearnhead & Clifford 2003). This is sequential
Monte Carlo (Gordon, Salmond & Smith 1993; Doucet & Johansen 2009) without copies: the sum of the
final weights has p(x_observed) as its expectation, so its logarithm is a lower bound in
expectation, and the tighter the larger N.

A row whose completions are no more than ``Limits.particles`` is summed exactly. Any other gets
``Limits.filters`` independent filters that share so many, whose mean is the estimate and whose
spread is its error. Nothing is asked about variables after the last observed one: their
masses sum to one.

The effective number of particles is that of importance sampling with the same relative error: for
K draws stderr^2 = 1 / ess - 1 / K, so ess = 1 / (stderr^2 + 1 / K), and one at the least.

Each row has noise of its own, named by the seed, its position in the call and its codes.

References:
    Gordon, Salmond & Smith (1993), Novel approach to nonlinear/non-Gaussian Bayesian state
    estimation.
    Fearnhead & Clifford (2003), On-line inference for hidden Markov models via particle filters.
    Doucet & Johansen (2009), A tutorial on particle filtering and smoothing: fifteen years later.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from genzoo import draws
from genzoo.seeding import numpy_rng
from genzoo.space import strings
from genzoo.space.schema import MISSING
from genzoo.values import LogProb


@dataclass(frozen=True)
class Limits:
    """How much a row's sum or draw may take: more particles are tighter and slower.

    Attributes:
        particles: a row.
        filters: among which they are divided where they are not enough for all completions: more
            tell the error better, fewer leave each more particles.
        trusted: effective particles below which completions are not to be trusted.
        numbers: floats of the particles of a batch of rows, in memory at once.
    """

    particles: int = 256
    filters: int = 8
    trusted: float = 10.0
    numbers: int = 2**24


LIMITS = Limits()  # where a ``Process`` names no others

Change = Callable[[np.ndarray], np.ndarray]
"""Log masses (N, M) -> those that missing entries are drawn from instead."""


class Walk(Protocol):
    """Particles on their way through the variables, each of which is asked for once, in order."""

    def log_probs(self, v: int, codes: np.ndarray) -> np.ndarray:
        """(N, M) log masses of the codes of v, given the codes before it in ``codes`` (N, D)."""
        ...

    def seen(self, variables: Sequence[int], codes: np.ndarray) -> np.ndarray:
        """(N, V) log masses of the codes (N, D) of V variables that follow each other, each given
        the codes before it; ``one_by_one`` where a walk has no faster way."""
        ...

    def follow(self, ancestors: np.ndarray) -> None:
        """The particles are now copies of the earlier ones ``ancestors`` (N',)."""
        ...


def one_by_one(walk: Walk, variables: Sequence[int], codes: np.ndarray) -> np.ndarray:
    """The answer of ``Walk.seen`` from that of ``Walk.log_probs``."""
    at = np.arange(len(codes))
    return np.stack([walk.log_probs(v, codes)[at, codes[:, v]] for v in variables], axis=1)


@dataclass(frozen=True)
class Memoryless:
    """The ``Walk`` of a model whose conditionals look at codes alone.

    Attributes:
        log_probs: as in ``Walk``.
    """

    log_probs: Callable[[int, np.ndarray], np.ndarray]

    def seen(self, variables: Sequence[int], codes: np.ndarray) -> np.ndarray:
        """As in ``Walk``."""
        return one_by_one(self, variables, codes)

    def follow(self, ancestors: np.ndarray) -> None:
        """Nothing is kept between the variables."""


@dataclass(frozen=True, eq=False)
class Process:
    """A model as a sequence of conditionals.

    Attributes:
        order: the variables to visit; each must follow those that its conditional looks at.
        cards: (D,) cardinalities of all variables.
        walk: starts so many particles.
        numbers: floats that a particle holds, which set the size of batches.
        end: the code END of strings; after it, conditionals must have all their mass on END.
        limits: on the particles of a row.

    >>> coins = Memoryless(lambda v, codes: np.log(np.full((len(codes), 2), 0.5)))  # fair ones
    >>> process = Process(range(3), np.full(3, 2), lambda n: coins, numbers=2)
    >>> np.exp(log_prob(process, np.array([[-1, 0, 1]]), np.arange(1), seed=0).value)
    array([0.25])
    """

    order: Sequence[int]
    cards: np.ndarray
    walk: Callable[[int], Walk]
    numbers: int
    end: int | None = None
    limits: Limits = field(default_factory=lambda: LIMITS)


def log_prob(process: Process, rows: np.ndarray, at: np.ndarray, *, seed: int) -> LogProb:
    """Log mass of the observed entries of each row, in nats: exact where all rows are.

    Args:
        rows: (n, D) codes, with ``MISSING``.
        at: (n,) the rows' positions in the call, which name their noise.
    """
    value, stderr = np.zeros(len(rows)), np.zeros(len(rows))
    number = _Task(process, rows, None).completions()
    for index, cloud in _clouds(process, rows, at, number, seed=seed):
        value[index], stderr[index] = cloud.log_mass()
    if (number <= process.limits.particles).all():
        return LogProb.exact(value)
    return LogProb(value, "lower_bound", stderr, "smc", _effective(stderr, process.limits))


def complete(
    process: Process,
    rows: np.ndarray,
    at: np.ndarray,
    *,
    seed: int,
    barred: np.ndarray | None = None,
    change: Change | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fill in what is missing before each row's last observed variable, given all it observes.

    Each row is filled in independently of the others. What comes after the last observed variable
    stays ``MISSING``: it follows from its conditionals.

    Args:
        rows: (n, D) codes, with ``MISSING``.
        at: (n,) the rows' positions in the call, which name their noise.
        barred: (D,) a code of each variable that may not be filled in; -1 where there is none.
        change: of the conditionals that missing entries are drawn from.

    Returns:
        The rows (n, D), and the effective number of particles (n,) behind each: all of them
        where the draw is exact.
    """
    filled, stderr = rows.copy(), np.zeros(len(rows))
    number = _Task(process, rows, barred).completions()
    few = number <= process.limits.particles
    # equal rows share an exact sum, but no particles that were chosen at random
    same = np.arange(len(rows))
    same[few] = np.flatnonzero(few)[_first_of_equals(rows[few])]
    asked = np.flatnonzero(same == np.arange(len(rows)))
    batches = _clouds(
        process, rows[asked], at[asked], number[asked], seed=seed, barred=barred, change=change
    )
    for index, cloud in batches:
        error = cloud.log_mass()[1]
        for row, mass, i in zip(cloud.flat_codes(), cloud.shares(), asked[index], strict=True):
            takers = np.flatnonzero(same == i)
            level = [_generator(seed, at[k], rows[k], "choice").random() for k in takers.tolist()]
            filled[takers] = row[draws.located(mass, np.array(level))]
        stderr[asked[index]] = error
    return filled, _effective(stderr, process.limits)


def warn_if_few(ess: np.ndarray, of: int = LIMITS.particles) -> None:
    """A UserWarning where completions rest on too few effective particles (n,) to be trusted, of so
    many that each row has."""
    low = ess < LIMITS.trusted
    if low.any():
        warnings.warn(
            f"sample: {int(low.sum())} of {len(ess)} completions rest on fewer than "
            f"{LIMITS.trusted:g} effective particles of {of} (the fewest: "
            f"{ess.min():.1f}); they may be far from draws of the conditional distribution",
            UserWarning,
            stacklevel=4,
        )


def has_holes(ordered: np.ndarray) -> np.ndarray:
    """(n,) whether something is missing before an observed entry, the columns in order (n, D)."""
    observed = ordered != MISSING
    return (observed[:, 1:] & ~observed[:, :-1]).any(axis=1)


def joined(parts: Sequence[tuple[np.ndarray, LogProb]], n: int) -> LogProb:
    """The answers of n rows from those of some (their indices, their answer); the weakest kind."""
    value, stderr, ess = np.zeros(n), np.zeros(n), np.zeros(n)
    for index, part in parts:
        value[index], stderr[index] = part.value, part.stderr
        ess[index] = LIMITS.particles if part.ess is None else part.ess
    if all(part.kind == "exact" for _, part in parts):
        return LogProb.exact(value)
    return LogProb(value, "lower_bound", stderr, "smc", ess)


def _effective(stderr: np.ndarray, limits: Limits) -> np.ndarray:
    return np.maximum(1.0, 1 / (np.square(stderr) + 1 / limits.particles))


def _generator(seed: int, at: int, row: np.ndarray, name: str) -> np.random.Generator:
    return numpy_rng(seed, "particles", name, int(at), row.tobytes().hex())


def _first_of_equals(rows: np.ndarray) -> np.ndarray:
    """(n,) the index of the first row that equals each row."""
    _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first[which.reshape(-1)]


class _Task:
    """What some rows ask of a process.

    Attributes:
        rows: (B, D).
        last: (B,) how many variables of the order are visited: up to the last observed one.
        barred: (D,) codes that may not be filled in, -1 where all may be.
        no_end: (B,) how many variables of the order can't be END, as a symbol is observed later.
    """

    def __init__(self, process: Process, rows: np.ndarray, barred: np.ndarray | None) -> None:
        self.process, self.rows = process, rows
        order = np.asarray(process.order, dtype=np.int64)
        steps = np.arange(1, len(order) + 1)
        ordered = rows[:, order]
        self.last = np.where(ordered != MISSING, steps, 0).max(axis=1, initial=0)
        self.no_end = strings.ends_between(ordered, process.end)[0]
        self.barred = np.full(rows.shape[1], -1) if barred is None else barred

    def completions(self) -> np.ndarray:
        """(B,) how many ways there are to fill in what is missing before the last observed."""
        number = np.ones(len(self.rows))
        for t, v in enumerate(self.process.order):
            codes = int(self.process.cards[v]) - int(self.barred[v] >= 0)
            choices = np.full(len(self.rows), codes)
            if self.process.end is not None:
                choices -= t < self.no_end
            open_ = (self.rows[:, v] == MISSING) & (t < self.last)
            most = 2.0 * self.process.limits.particles
            number = np.minimum(number * np.where(open_, choices, 1), most)
        return number

    def legal(self, t: int, at: np.ndarray) -> np.ndarray:
        """(len(at), M) which codes may be filled in at step t, in the rows ``at``."""
        v = self.process.order[t]
        codes = np.arange(int(self.process.cards[v]))
        legal = np.repeat(codes[None] != self.barred[v], len(at), axis=0)
        if self.process.end is not None:
            legal[:, self.process.end] &= t >= self.no_end[at]
        return legal


@dataclass(frozen=True, eq=False)
class _Cloud:
    """Weighted particles: ``codes`` (B, R, W, D) and log weights (B, R, W) of R filters a row."""

    codes: np.ndarray
    log_w: np.ndarray

    def log_mass(self) -> tuple[np.ndarray, np.ndarray]:
        """(B,) log of the filters' mean, and its standard error.

        The error is that of the delta method, or that of the mean logarithm where it is larger: the
        former can't exceed one, however far the filters are apart.
        """
        of_filter = np.logaddexp.reduce(self.log_w, axis=2)  # (B, R)
        R = of_filter.shape[1]
        top = of_filter.max(axis=1, keepdims=True)
        z = np.exp(of_filter - top)
        mean = z.mean(axis=1)
        value = top[:, 0] + np.log(mean)
        if R == 1:
            return value, np.zeros(len(value))
        spread = np.maximum(z.std(axis=1, ddof=1) / mean, of_filter.std(axis=1, ddof=1))
        return value, spread / np.sqrt(R)

    def flat_codes(self) -> np.ndarray:
        """(B, R W, D)"""
        return self.codes.reshape(len(self.codes), -1, self.codes.shape[-1])

    def shares(self) -> np.ndarray:
        """(B, R W) weights, the largest of each row 1."""
        flat = self.log_w.reshape(len(self.log_w), -1)
        return np.exp(flat - flat.max(axis=1, keepdims=True))


def _clouds(
    process: Process,
    rows: np.ndarray,
    at: np.ndarray,
    number: np.ndarray,
    *,
    seed: int,
    barred: np.ndarray | None = None,
    change: Change | None = None,
) -> Iterator[tuple[np.ndarray, _Cloud]]:
    """Indices of some rows and their particles; ``number`` (n,) of completions sets how many."""
    limits = process.limits
    left = np.argsort(-number, kind="stable")  # rows with as much to do go together
    while len(left):
        few, R, N = number[left[0]] <= limits.particles, 1, int(number[left[0]])
        if not few:
            R, N = limits.filters, limits.particles // limits.filters
        B = max(1, limits.numbers // (R * N * process.numbers))
        index = left[:B]
        if not few:
            index = index[number[index] > limits.particles]
        left = left[len(index) :]
        noise = np.zeros((len(index), R, rows.shape[1]))
        for i, k in enumerate([] if few else index.tolist()):
            _generator(seed, at[k], rows[k], "filter").random(out=noise[i])
        yield index, _filtered(_Task(process, rows[index], barred), noise, N, change)


def _filtered(task: _Task, noise: np.ndarray, N: int, change: Change | None) -> _Cloud:
    """Filters of at most N particles through the order.

    Args:
        task: the rows (B, D).
        noise: (B, R, D) uniform, for the choice at each variable in R filters a row.
    """
    rows, (B, R, D) = task.rows, noise.shape
    order = np.asarray(task.process.order[: int(task.last.max(initial=0))], dtype=np.int64)
    splits = (rows[:, order] == MISSING) & (np.arange(len(order)) < task.last[:, None])
    chosen_at = np.append(splits.any(axis=0), True)
    # the filters of a row are one until something is chosen
    walk, codes, log_w = task.process.walk(B), rows[:, None, None], np.zeros((B, 1, 1))
    t = 0
    while t < len(order):
        W = log_w.shape[2]
        # what a row has not reached, or does not ask for, has any code
        any_codes = np.maximum(codes, 0).reshape(-1, D)
        run = int(chosen_at[t:].argmax())
        if run:  # of variables that no row is split at
            variables = order[t : t + run]
            terms = walk.seen(variables.tolist(), any_codes).reshape(*log_w.shape, run)
            known = (rows[:, variables] != MISSING)[:, None, None]
            log_w = log_w + np.where(known, terms, 0.0).sum(axis=3)
            t += run
            continue
        v, split = int(order[t]), np.flatnonzero(splits[:, t])
        log_p = walk.log_probs(v, any_codes).reshape(*log_w.shape, -1)
        M = log_p.shape[-1]
        earlier = np.arange(B * R)
        if log_w.shape[1] < R:
            earlier = np.repeat(np.arange(B), R)
            codes, log_w, log_p = (np.repeat(a, R, axis=1) for a in (codes, log_w, log_p))
        seen = np.flatnonzero(rows[:, v] != MISSING)
        log_w[seen] += log_p[seen, :, :, rows[seen, v]]
        legal = task.legal(t, split)[:, None, None]
        children = _children(np.where(legal, log_p[split], -np.inf), change)
        children = (log_w[split][..., None] + children).reshape(len(split) * R, W * M)
        index, kept = _choose(children, N, noise[split, :, v].ravel())
        if index.shape[1] == W:
            index, kept = _in_place(index, kept, M)
        index, kept = (a.reshape(len(split), R, -1) for a in (index, kept))

        parents = np.zeros((B, R, index.shape[2]), dtype=np.int64)
        parents[:, :, :W] = np.arange(W)
        parents[split] = index // M
        before, log_w = log_w, np.full(parents.shape, -np.inf)
        log_w[:, :, :W] = before
        log_w[split] = kept
        codes = np.take_along_axis(codes, parents[..., None], axis=2)
        codes[split, :, :, v] = index % M
        walk.follow((earlier[:, None] * W + parents.reshape(B * R, -1)).ravel())
        t += 1
    return _Cloud(codes, log_w)


def _children(log_p: np.ndarray, change: Change | None) -> np.ndarray:
    """(..., M) log masses by which particles are split: those of the legal codes, changed."""
    if change is None:
        return log_p
    total = np.logaddexp.reduce(log_p, axis=-1)
    alive = total > -np.inf
    total = total[alive][:, None]
    changed = np.full(log_p.shape, -np.inf)
    changed[alive] = total + change(log_p[alive] - total)
    return changed


def _choose(log_w: np.ndarray, N: int, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most N of C weighted particles, such that every particle's expected weight stays its own.

    Args:
        log_w: (G, C) log weights; -inf for none.
        uniform: (G,) where the systematic choice begins.

    Returns:
        Which, (G, min(N, C)), and their log weights; -inf where fewer are left.
    """
    if log_w.shape[1] <= N:
        return np.broadcast_to(np.arange(log_w.shape[1]), log_w.shape), log_w
    top = log_w.max(axis=1, keepdims=True)
    w = np.exp(log_w - top)
    # the largest A weights are kept as they are, and the others by chance, with weight c
    ordered = -np.sort(-w, axis=1)
    after = np.cumsum(ordered[:, ::-1], axis=1)[:, ::-1][:, :N]
    room = np.arange(N, 0, -1)
    A = (ordered[:, :N] * room <= after).argmax(axis=1)
    c = np.take_along_axis(after, A[:, None], axis=1) / room[A][:, None]
    c[(w > 0).sum(axis=1) <= N] = 0.0  # nothing is left to chance, rounding included
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(w >= c, w > 0, w / c)
        least = np.log(c) + top
    ends = np.floor(np.cumsum(share, axis=1) + uniform[:, None])
    picked = np.diff(ends, axis=1, prepend=0.0) > 0
    which = np.argsort(~picked, axis=1, kind="stable")[:, :N]
    kept = np.maximum(np.take_along_axis(log_w, which, axis=1), least)
    return which, np.where(np.take_along_axis(picked, which, axis=1), kept, -np.inf)


def _in_place(index: np.ndarray, kept: np.ndarray, M: int) -> tuple[np.ndarray, np.ndarray]:
    """Chosen children (G, W) and their weights, reordered such that as many as may be, one of each
    parent, stand where their parents stood: what a walk remembers of these need not move.

    Args:
        index: child ``c`` of parent ``i`` is ``i M + c``.
        kept: log weights; -inf for none, whose place is whichever is left.
    """
    parents = index // M
    stays = np.ones(index.shape, dtype=bool)
    stays[:, 1:] = parents[:, 1:] != parents[:, :-1]
    stays &= kept > -np.inf  # of these the parents ascend
    taken = np.zeros(index.shape, dtype=bool)
    came = np.empty(index.shape, dtype=np.int64)
    row, at = np.nonzero(stays)
    taken[row, parents[stays]] = True
    came[row, parents[stays]] = at
    came[~taken] = np.nonzero(~stays)[1]
    return np.take_along_axis(index, came, axis=1), np.take_along_axis(kept, came, axis=1)
