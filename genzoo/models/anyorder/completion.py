"""Rows with holes under a model of complete rows, and a network that proposes what is missing.

    p(x_observed) = sum over x_missing of p(x) = E_q [p(x) / q(x_missing | x_observed)]

The network was trained on all conditionals, so it knows p(x_v | any others): q draws what is
missing one after the other, each given all that is observed and drawn so far. That is nearly the
conditional of p, and the weights p / q correct what it is not: their mean is p(x_observed) in
expectation, and a completion that is chosen by its weight is a draw of p(x_missing | x_observed),
the nearer the larger the effective number of draws. Where all completions of a row are few they are
all weighed, and the sum is that of p itself.

Importance sampling with a proposal that knows the evidence: Robert & Casella (2004), Monte Carlo
statistical methods; Rubin (1987) on resampling by its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from genzoo import draws
from genzoo.models.anyorder.drawing import Drawing, parts, rows_drawn
from genzoo.models.anyorder.network import AnyOrder
from genzoo.space import strings
from genzoo.space.schema import MISSING

N_DRAWS = 64  # of a row's completions, to be weighed
# Completions of a row that are all weighed: so many, or as many as make so many of all rows.
MOST_SUMMED, SUMMED_AT_ONCE = 256, 1 << 14

Masses = Callable[[np.ndarray, bool], tuple[np.ndarray, np.ndarray]]
"""Complete rows (n, D), and whether they are draws of which many are averaged -> their log masses
(n,), and the standard errors (n,) of these."""


def weighed(
    network: AnyOrder,
    rows: np.ndarray,
    masses: Masses,
    rng: np.random.Generator,
    barred: np.ndarray | None = None,
    *,
    noisy: bool,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, bool]]:
    """For each row with few completions, or all that are equal to it, and for some of the other
    rows at a time: indices (b,) of rows; completions (C, D) or (b, C, D); their log weights (C,) or
    (b, C), whose exponents sum to the mass of what is observed; the errors of these; and whether
    they are all that there are, and the same for all b.

    Args:
        rows: (n, D) codes, with ``MISSING``.
        noisy: whether masses are drawn: then equal rows have weights of their own each, or all of
            them would share the luck of one.
        barred: (D,) a code of each variable that may not be filled in; -1 where there is none.
    """
    cards = np.array([v.cardinality for v in network.heads.schema.variables], dtype=np.float64)
    barred_ = np.full(network.D, -1) if barred is None else barred
    number = np.where(rows == MISSING, cards - (barred_ >= 0), 1.0).prod(axis=1)
    if noisy:
        first, which = np.arange(len(rows)), np.arange(len(rows))
    else:
        _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        which = which.reshape(-1)
    few = number <= max(MOST_SUMMED, SUMMED_AT_ONCE // len(first))
    equal = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
    summed = np.flatnonzero(few[first])
    for block in np.split(summed, _cuts(number[first[summed]], SUMMED_AT_ONCE)):
        if not len(block):
            continue
        every = [_completions(network, rows[first[i]], cards, barred_) for i in block.tolist()]
        value, error = masses(np.concatenate(every), False)
        begins = np.cumsum([0, *map(len, every)])
        for k, (i, completions) in enumerate(zip(block.tolist(), every, strict=True)):
            own = slice(begins[k], begins[k + 1])
            yield equal[i], completions, value[own], error[own], True
    many = np.flatnonzero(~few)
    for part in parts(len(many), max(1, rows_drawn(network) // N_DRAWS)):
        index = many[part]
        drawn = np.repeat(rows[index], N_DRAWS, axis=0)
        log_q = _proposed(network, drawn, rng, barred)
        value, error = masses(drawn, True)
        shape = (len(index), N_DRAWS)
        log_w = (value - log_q).reshape(shape) - np.log(N_DRAWS)
        yield index, drawn.reshape(*shape, -1), log_w, error.reshape(shape), False


def _cuts(sizes: np.ndarray, most: int) -> list[int]:
    """Where to cut a sequence so that no part of several is larger than ``most``."""
    cuts, total = [], 0.0
    for i, size in enumerate(sizes.tolist()):
        total += size
        if i and total > most:
            cuts.append(i)
            total = size
    return cuts


def log_mass(log_w: np.ndarray, error: np.ndarray, exact: bool) -> tuple[np.ndarray, np.ndarray]:
    """The log of the sum of weights (..., C) and its standard error, by what they are spread, or
    where they are all that there are by the errors (..., C) of their own logarithms."""
    value = np.logaddexp.reduce(log_w, axis=-1)
    share = np.exp(log_w - value[..., None])
    if exact:
        return value, np.sqrt(np.square(share * error).sum(axis=-1))
    C = log_w.shape[-1]
    # the weights' own errors are part of their spread
    return value, np.sqrt(np.square(share * C - 1).sum(axis=-1) / (C - 1) / C)


def effective(stderr: np.ndarray, n_draws: int = N_DRAWS) -> np.ndarray:
    """(n,) effective numbers of draws whose mean has such relative errors (n,)."""
    return np.maximum(1.0, 1 / (np.square(stderr) + 1 / n_draws))


def completed(
    network: AnyOrder,
    rows: np.ndarray,
    masses: Masses,
    rng: np.random.Generator,
    barred: np.ndarray,
    *,
    noisy: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, D) with what is ``MISSING`` filled in, each by one of its completions, drawn by its
    weight; and the effective number (n,) of completions that it is chosen among, all of them where
    the draw is exact."""
    filled, ess = rows.copy(), np.full(len(rows), float(N_DRAWS))
    found = weighed(network, rows, masses, rng, barred, noisy=noisy)
    for index, completions, log_w, error, is_all in found:
        if is_all:
            weights = np.exp(log_w - log_w.max())
            filled[index] = completions[draws.located(weights, rng.random(len(index)))]
            ess[index] = effective(log_mass(log_w, error, True)[1])
            continue
        weights = np.exp(log_w - log_w.max(axis=1, keepdims=True))
        filled[index] = completions[np.arange(len(index)), draws.categorical(weights, rng)]
        ess[index] = effective(log_mass(log_w, error, False)[1])
    return filled, ess


def _proposed(
    network: AnyOrder, codes: np.ndarray, rng: np.random.Generator, barred: np.ndarray | None
) -> np.ndarray:
    """(n,) log masses with which it fills in, in place, what is ``MISSING`` in codes (n, D)."""
    log_q, missing = np.zeros(len(codes)), codes == MISSING
    for part in parts(len(codes), rows_drawn(network)):
        drawing = Drawing(network, codes[part], rng, barred)
        for v in np.flatnonzero(missing[part].any(axis=0)).tolist():
            rows = np.flatnonzero(missing[part][:, v])
            log_q[part][rows] += drawing.draw(rows, np.full((len(rows), 1), v))
    return log_q


def _completions(
    network: AnyOrder, row: np.ndarray, cards: np.ndarray, barred: np.ndarray
) -> np.ndarray:
    """(C, D) all legal rows that agree with what is not ``MISSING`` in ``row`` (D,)."""
    end, found = network.end, row[None]
    no_end = int(strings.ends_between(found, end)[0][0])
    for v in np.flatnonzero(row == MISSING).tolist():
        legal = np.ones((len(found), int(cards[v])), dtype=bool)
        if barred[v] >= 0:
            legal[:, barred[v]] = False
        if end is not None:
            legal[:, end] &= v >= no_end
            over = (found[:, :v] == end).any(axis=1)
            legal[over] = np.arange(legal.shape[1]) == end
        of, code = np.nonzero(legal)
        found = found[of]
        found[:, v] = code
    return found
