"""Smoothed masses of one variable's codes, from how often each was seen.

A pseudo-count in each of a thousand codes is more than the data say. How much is to be smoothed,
and how, is chosen for each variable by the likelihood of its rows, each left out in turn.

    nominal   p(v) = (c_v - d_v + (A + sum_u d_u) / M) / (n + A),   d_v = min(c_v, d):

              of each value that was seen a part d of a row, and A rows more, go to all M alike: the
              mean of a Pitman-Yor process, and with d = 0 a pseudo-count of A / M.

    ordinal   p(v) = sum_k w_k p_k(v): codes that lie together have about the same mass, but for
              some that stand out (zero, round numbers). The p_k are the counts as they are, what
              stands out of them, the rest spread by kernels of some widths, and the uniform
              distribution. A kernel is wide where the rows are sparse (Abramson 1982). The weights
              are stacked (Smyth & Wolpert 1999): EM on what each p_k gives a row without itself.

Cells between quantiles of the training rows hold a few of these each, wherever they lie, so their
counts say next to nothing. Their widths do: kernels spread by width, and so does the uniform
distribution. (600 rows in 256 cells lose 0.16 nats to the truth by their counts, 0.02 by widths.)
Widths are those of the logarithms where values spread over many orders of size. What lies beyond a
gap (a fill value) is apart from the rest: its rows are counted, and no kernel reaches it.

A missing mark is apart from the values. Two codes have a pseudo-count of 1, which one variable's
rows can hardly better (on training folds of eight binary tables it was within 0.005 nats a row of
any other choice, and on ``ad`` with its 1,556 columns 0.01 ahead).

Pitman & Yor (1997), The two-parameter Poisson-Dirichlet distribution, Ann. Probab. 25. Abramson
(1982), On bandwidth variation in kernel estimates, Ann. Stat. 10. Smyth & Wolpert (1999), Linearly
combining density estimators via stacking, Machine Learning 36.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from genzoo.space.blocks import blocks
from genzoo.space.schema import Variable

# Grids of what leaving rows out, or EM, then chooses from: finer ones take more time.
DISCOUNTS = (0.0, 0.25, 0.5, 0.75, 0.9)  # d
MOST_ADDED = 16  # A, as a multiple of M: about uniform, where there are fewer rows than that
NARROWEST, WIDER = 0.5, 4  # the first width of a kernel, in codes, and from one to the next
ITERATIONS = 100  # of EM, on a handful of weights
NEIGHBOURS = 20  # rows around a code that tell how many to expect in it: fewer are more local
# Standard deviations of a count above those around it, and as many rows: fewer take chance for a
# round number, more a round number for chance.
STANDS_OUT = 3.0
# The three below were tried on the columns of tests/test_cells.py: 1 to 100, 1e3 to 1e8 and 0.01 to
# 0.5 give samples as near to the rows, to within 0.0002 in the Kolmogorov-Smirnov distance.
GAP = 10.0  # an empty cell as wide as so many times all others is a gap: no kernel reaches across
# A cell as wide as so many times the median one: values spread over orders of size, and widths are
# those of a logarithmic scale, below whose unit lies so large a part of the edges.
ORDERS, SMALLEST_PART = 1e6, 0.05


def smoothed(
    counts: np.ndarray, variable: Variable | None = None, *, of_two: float = 1.0
) -> np.ndarray:
    """(M,) masses of the codes, positive, that sum to one.

    Args:
        counts: (M,) how many rows have each code; need not be whole numbers.
        variable: whose codes they are; None for one whose codes don't lie in a row.
        of_two: the pseudo-count where there are but two codes.

    >>> smoothed(np.array([3, 0])).round(3)
    array([0.8, 0.2])
    >>> smoothed(np.array([90, 8, 1, 1, 0])).round(3)
    array([0.891, 0.079, 0.01 , 0.01 , 0.009])
    """
    if variable is not None and variable.missing and len(counts) > 2:
        values, mark = smoothed(np.array([counts[:-1].sum(), counts[-1]]), of_two=of_two)
        return np.append(values * _of_values(counts[:-1], variable, of_two), mark)
    return _of_values(counts, variable, of_two)


def smoothed_all(
    counts: Iterable[np.ndarray], variables: Iterable[Variable | None], *, of_two: float = 1.0
) -> list[np.ndarray]:
    """``smoothed`` of each variable; where counts are equal, as at the positions that hardly any
    string reaches, they are smoothed once.

    >>> [masses.round(3).tolist() for masses in smoothed_all([np.array([3, 0])] * 2, [None] * 2)]
    [[0.8, 0.2], [0.8, 0.2]]
    """
    found: dict[object, np.ndarray] = {}
    masses = []
    for own, variable in zip(counts, variables, strict=True):
        key = (None if variable is None else variable.meaning, own.tobytes())
        if key not in found:
            found[key] = smoothed(own, variable, of_two=of_two)
        masses.append(found[key])
    return masses


def _of_values(counts: np.ndarray, variable: Variable | None, of_two: float) -> np.ndarray:
    if len(counts) <= 2 or counts.sum() == 0:
        return (counts + of_two) / (counts.sum() + of_two * len(counts))
    if variable is None or variable.kind == "nominal":
        return _nominal(counts)
    if variable.edges is None:
        return _ordinal(counts, np.ones(len(counts)))
    edges = np.asarray(variable.edges)
    first, end = _together(counts, np.diff(edges))
    widths = np.diff(edges[first : end + 1])
    if variable.step is None and widths.max() > ORDERS * np.median(widths):
        widths = _log_widths(edges[first : end + 1])
    masses = (counts + 1 / len(counts)) / (counts.sum() + 1)
    inner = counts[first:end]
    few = len(inner) <= 2 or inner.sum() == 0
    of_inner = masses[first:end] if few else _ordinal(inner, widths / widths.max())
    others = masses[:first].sum() + masses[end:].sum()
    masses[first:end] = (1 - others) * of_inner / of_inner.sum()
    return masses


def _together(counts: np.ndarray, widths: np.ndarray) -> tuple[int, int]:
    """The first code and the end of those that lie together: beyond a gap that no row lies in, and
    that is ``GAP`` times as wide as what rows lie in, stands what is apart from the rest."""
    first, end = 0, len(counts)
    while True:
        at = first + int(np.argmax(widths[first:end]))
        sides = [(first, at), (at + 1, end)]
        rows = [counts[low:high].sum() for low, high in sides]
        low, high = sides[int(rows[1] > rows[0])]
        room = widths[low:high][counts[low:high] > 0].sum()
        if counts[at] > 0 or not 0 < GAP * room < widths[at]:
            return first, end
        first, end = low, high


def _log_widths(edges: np.ndarray) -> np.ndarray:
    """Widths of cells on a scale that is logarithmic beyond a small unit."""
    unit = np.quantile(np.abs(edges[edges != 0]), SMALLEST_PART)
    widths = np.diff(np.arcsinh(edges / unit))
    return np.maximum(widths, 1e-9 * widths.max())  # a cell of one value is no wider than float64


def _nominal(counts: np.ndarray) -> np.ndarray:
    M, n = len(counts), counts.sum()
    seen = counts[counts > 0]
    others = np.maximum(seen - 1, 0)  # of the same code, where a row of it is left out
    totals = 2.0 ** np.arange(np.log2(MOST_ADDED * M))[:, None]  # (A, 1)

    def left_out(d: float) -> np.ndarray:
        """(A,) nats of the rows, each left out in turn."""
        taken = np.minimum(seen, d).sum() - np.minimum(seen, d) + np.minimum(others, d)
        own = others - np.minimum(others, d) + (totals + taken) / M
        return np.log(own / (n - seen + others + totals)) @ seen

    tried = np.array([left_out(d) for d in DISCOUNTS])
    best, at = np.unravel_index(tried.argmax(), tried.shape)
    d, added = DISCOUNTS[best], totals[at, 0]
    taken = np.minimum(counts, d)
    return (counts - taken + (added + taken.sum()) / M) / (n + added)


def _ordinal(counts: np.ndarray, widths: np.ndarray) -> np.ndarray:
    k, n = len(counts), counts.sum()
    expected = _around(counts, widths) * widths
    outstanding = counts > expected + STANDS_OUT * np.sqrt(expected) + STANDS_OUT
    excess = np.where(outstanding, counts - expected, 0.0)
    rest = counts - excess
    seen = np.flatnonzero(counts)
    row = np.minimum(counts[seen], 1) / counts[seen]  # a row of each code, as a share of its count
    parts = [(part, part, np.ones(len(seen))) for part in (counts, excess)]
    parts += [(rest, spread, kept) for spread, kept in _spread(rest, widths, seen)]
    even = widths / widths.sum()
    masses, left_out = [even], [even[seen]]
    for part, spread, kept in parts:
        total, own = part.sum(), part[seen] * row
        masses.append(spread / max(total, 1e-9))
        others = np.maximum(spread[seen] - own * kept, 0)
        left_out.append(others / np.maximum(total - own, 1e-9))
    weights = _stacked(np.array(left_out), counts[seen])
    # and a row that may be anywhere
    return (n * (weights @ np.array(masses)) + 1 / k) / (n + 1)


def _around(counts: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """(k,) rows to a width around each code, as far as it takes to meet ``NEIGHBOURS``."""
    k, at = len(counts), np.arange(len(counts))
    rows, room = (np.append(0.0, np.cumsum(a)) for a in (counts, widths))
    density, wanted, reach = np.zeros(k), np.ones(k, dtype=bool), 1
    while wanted.any():
        low, high = np.maximum(at - reach, 0), np.minimum(at + reach + 1, k)
        others = np.maximum(rows[high] - rows[low] - counts, 0)
        enough = wanted & ((others >= NEIGHBOURS) | (high - low == k))
        density[enough] = others[enough] / (room[high] - room[low] - widths)[enough]
        wanted &= ~enough
        reach *= 2
    return density


def _spread(
    counts: np.ndarray, widths: np.ndarray, seen: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Counts (k,) as each of some kernels spreads them over neighbours, and how much of a row
    stays at its code, for the codes that were seen (m,)."""
    k = len(counts)
    density = _around(counts, np.ones(k))[seen] / max(counts.mean(), 1e-9)
    scale = np.sqrt(np.maximum(density, 1e-3))
    n_kernels = int(np.ceil(np.log(k / 3 / NARROWEST) / np.log(WIDER)))
    spread, kept = np.zeros((n_kernels, k)), np.empty((n_kernels, len(seen)))
    for part in blocks(len(seen), k):
        of, itself = seen[part], np.arange(len(seen[part]))
        distance = (np.arange(k)[:, None] - of) * scale[part]
        kernel = np.exp(-0.5 * (distance / (NARROWEST * WIDER ** (n_kernels - 1))) ** 2)
        for i in range(n_kernels):
            total = widths @ kernel
            spread[i] += widths * (kernel @ (counts[of] / total))
            kept[i, part] = widths[of] * kernel[of, itself] / total
            for _ in range(2 * int(np.log2(WIDER))):  # the next narrower one is a power of this one
                np.square(kernel, out=kernel)
    return list(zip(spread, kept, strict=True))


def _stacked(masses: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(K,) weights of a mixture, by EM from equal ones: ``masses`` (K, m) of what was seen
    ``counts`` (m,) times."""
    weights = np.full(len(masses), 1 / len(masses))
    for _ in range(ITERATIONS):
        shares = weights[:, None] * masses
        weights = shares @ (counts / shares.sum(axis=0)) / counts.sum()
    return weights
