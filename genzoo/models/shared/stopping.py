"""Products of independent positions that stop at the first END, and what their holes may hide.

    p(x) = prod_{d < L} p_d(x_d) p_L(END),   L the position of the first END

A hole may be a symbol or the END itself, after which nothing more is open. So sums and draws go
through the positions with two states, still running and ended: the chance to stop at a position,
given that it is reached, is a hazard as in the analysis of survival.

Turnbull (1976), The empirical distribution function with arbitrarily grouped, censored and
truncated data, J. R. Stat. Soc. B 38.
"""

from __future__ import annotations

import numpy as np

from genzoo import draws
from genzoo.space import strings
from genzoo.space.blocks import blocks
from genzoo.space.schema import MISSING

LEAST = 1e-9  # a pseudo-count, so that what no row tells of is shared out evenly
MOST_ITERATIONS = 1000  # of EM
TOLERANCE = 1e-8  # strings, as a share of all, that an iteration of EM moves at its end


def log_prob(log_table: np.ndarray, rows: np.ndarray, end: int) -> np.ndarray:
    """(n,) log mass of rows in nats, exact.

    Args:
        log_table: (D, M) log mass of each code at each position.
        rows: (n, D) codes; ``MISSING`` ones are summed out.
        end: the code of END.

    >>> table = np.log(np.full((2, 2), 0.5))
    >>> np.exp(log_prob(table, np.array([[0, 1], [1, 1], [MISSING, 0]]), end=1))
    array([0.25, 0.5 , 0.25])
    """
    # log mass of "still running" and "ended" after each position; MISSING sums over both
    running, ended = np.zeros(len(rows)), np.full(len(rows), -np.inf)
    for d, log_mass in enumerate(log_table):
        seen, stop = rows[:, d], log_mass[end]
        go_on = np.log1p(-np.exp(stop))
        with np.errstate(invalid="ignore"):
            may_end = np.logaddexp(ended, running + stop)
        symbol = (seen != MISSING) & (seen != end)
        ended = np.where(symbol, -np.inf, may_end)
        running = np.where(
            symbol, running + log_mass[seen], np.where(seen == end, -np.inf, running + go_on)
        )
    return np.logaddexp(running, ended)


def completed(
    given: np.ndarray, log_mass: np.ndarray, end: int, rng: np.random.Generator
) -> np.ndarray:
    """(n, D) exact draws of what is ``MISSING``, given what is observed; END fills up the rows.

    Position by position, each choice is weighed by how likely the rest of the row is then.

    Args:
        given: (n, D) codes, with ``MISSING``.
        log_mass: (D, M), or (n, D, M) where rows differ, of what may be filled in; need not be
            normalised.
        end: the code of END.

    >>> table = np.log(np.full((3, 2), 0.5))
    >>> completed(np.array([[MISSING, 0, MISSING]]), table, 1, np.random.default_rng(0))[0, :2]
    array([0, 0])
    """
    filled = given.copy()
    for part in blocks(len(given), given.shape[1] * log_mass.shape[-1]):
        own = log_mass if log_mass.ndim == 2 else log_mass[part]
        filled[part] = _completed(given[part], own, end, rng)
    return filled


def _completed(
    given: np.ndarray, log_mass: np.ndarray, end: int, rng: np.random.Generator
) -> np.ndarray:
    n, D = given.shape
    stop = np.broadcast_to(log_mass[..., end], (n, D))
    symbols = np.delete(log_mass, end, axis=-1)
    go_on = np.logaddexp.reduce(symbols, axis=-1, initial=-np.inf)
    go_on = np.broadcast_to(go_on, (n, D))
    may_end = np.arange(D) >= strings.ends_between(given, end)[0][:, None]
    rest = np.zeros((n, D + 1))  # log mass of what is observed from d on, still running at d
    for d in reversed(range(D)):
        on = go_on[:, d] + rest[:, d + 1]
        hidden = np.where(may_end[:, d], np.logaddexp(stop[:, d], on), on)
        # where a symbol is observed all earlier choices go on, so its own mass weighs none
        seen = np.where(given[:, d] == end, stop[:, d], rest[:, d + 1])
        rest[:, d] = np.where(given[:, d] == MISSING, hidden, seen)
    scores = log_mass + rest[:, 1:, None]  # (n, D, M)
    scores[..., end] = np.where(may_end, stop, -np.inf)
    drawn = draws.gumbel_argmax(scores, rng)
    return strings.settled(np.where(given == MISSING, drawn, given), end)


def filled_counts(counts: np.ndarray, rows: np.ndarray, end: int, a: float) -> np.ndarray:
    """Counts as if it were known in which strings a position is reached, and where they end.

    A hole may hide where the string ended: somewhere between its last observed symbol and its first
    observed END. The share that ends at each position is found by EM (Turnbull 1976, for event
    times known up to an interval), the shares of the symbols among themselves by counting the
    observed ones; together they maximise the likelihood.

    ``counts`` (D, M) are of the observed symbols, with the pseudo-count ``a`` in each cell. They
    are scaled to the expected number of strings that go on at each position, and at END stands the
    expected number of strings that stop there.

    >>> rows = np.array([[0, 1], [0, MISSING], [0, 1]])  # the hole is an END as the others are
    >>> filled_counts(np.array([[3.0, 0.0], [0.0, 2.0]]), rows, end=1, a=0.0).round(3)
    array([[3., 0.],
           [0., 3.]])
    """
    D = rows.shape[1]
    a, counts = max(a, LEAST), np.maximum(counts, LEAST)
    others = a * (counts.shape[1] - 1)
    stops = _stops(*strings.ends_between(rows, end), D, a, others)
    go_on = np.cumsum(stops[::-1])[::-1][1:]  # (D,) strings with a symbol at each position
    seen = np.delete(counts, end, axis=1).sum(axis=1)  # with the pseudo-counts
    scale = np.divide(go_on + others, seen, where=seen > 0, out=np.ones(D))
    filled = counts * scale[:, None]
    filled[:, end] = stops[:D] + a
    return filled


def _stops(first: np.ndarray, last: np.ndarray, D: int, a: float, others: float) -> np.ndarray:
    """(D + 1,) expected number of strings that end at each position; the last, of those that never
    do, for strings that end in windows ``first`` .. ``last`` (n,), with pseudo-counts ``a`` of END
    and ``others`` of all symbols."""
    certain = np.bincount(first[first == last], minlength=D + 1)
    windows, counts = np.unique(
        np.stack([first, last])[:, first < last], axis=1, return_counts=True
    )
    begins, ends = windows
    # from both ends of the windows, so that none begins without mass
    stops = certain + (_at_each(begins, counts, D) + _at_each(ends, counts, D)) / 2
    for _ in range(MOST_ITERATIONS):
        reached = np.cumsum(stops[::-1])[::-1]
        hazard = (stops[:D] + a) / (reached[:D] + a + others)
        survival = np.append(1.0, np.cumprod(1 - hazard))  # (D + 1,) before each position
        mass = survival * np.append(hazard, 1.0)  # of ending there; the last one, of never ending
        upto = np.append(0.0, np.cumsum(mass))
        # a window holds the mass of its own strings at least, so no weight is large beside others
        weight = counts / (upto[ends + 1] - upto[begins])
        covering = np.cumsum(_at_each(begins, weight, D) - _at_each(ends + 1, weight, D))
        before, stops = stops, certain + mass * np.maximum(covering, 0.0)
        if np.abs(stops - before).max() < TOLERANCE * len(first):
            break
    return stops


def _at_each(at: np.ndarray, weight: np.ndarray, D: int) -> np.ndarray:
    """(D + 1,) the weights that stand at each position, but for those beyond the last."""
    return np.bincount(at, weights=weight, minlength=D + 1)[: D + 1]
