"""Blocks of rows that follow each other in a running text or in time.

Neighbours in time are alike, so the mean over n rows is less sure than n independent rows would
make it. Errors are taken over blocks of consecutive rows, as over any rows that belong together
(batch means: Schmeiser 1982, Batch size effects in the analysis of simulation output, Oper. Res.
30). A block is to be long against the time in which rows forget each other. That time is measured
on training rows alone: the integrated autocorrelation time

    tau = 1 + 2 sum_k rho_k,

the sum cut at the first lag whose autocorrelation is no larger than chance makes it (2 / sqrt(n);
Bartlett 1946), of the rows' log mass under the marginals and of single variables, the largest of
them. Of a block of L rows the variance of the mean is too small by a share of about tau / (2 L), so
blocks have at least ``LENGTHS`` tau rows; and there are at most ``MOST_BLOCKS`` of them, since
beyond that more blocks hardly help Student's t while longer ones make up for a tau that was
measured too small.
"""

from __future__ import annotations

import math

import numpy as np

from genzoo.space.schema import MISSING, Schema

LENGTHS = 6  # tau: the standard error is then too small by 4 %
FEWEST_BLOCKS = 6  # of fewer, Student's t says next to nothing
MOST_BLOCKS = 15  # t(14) at 5 % is 2.14, against 1.96 of infinitely many
MOST_LAGS = 1000
MOST_SERIES = 32  # variables that are looked at one by one
MOST_ROWS = 50_000  # training rows, the latest


def blocks(
    schema: Schema, parts: dict[str, np.ndarray], times: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], int]:
    """The block of each row, by part, and the least length of a block in rows.

    No block is in two parts. A part that is shorter than two such blocks is a single one.

    Args:
        schema: of the rows.
        parts: ``{"train", "valid", "test"}`` to (n, D) rows of codes.
        times: by part the (n,) times of the rows; equal times are never torn apart.
    """
    order = np.argsort(times["train"], kind="stable")
    length = block_length(schema, parts["train"][order])
    found, first = {}, 0
    for part, time in times.items():
        n = len(time)
        number = min(MOST_BLOCKS, max(1, n // length))
        rank = np.searchsorted(np.sort(time), time, side="left")
        place = rank * number // n
        found[part] = first + np.unique(place, return_inverse=True)[1].reshape(-1)
        first = int(found[part].max()) + 1
    return found, length


def block_length(schema: Schema, rows: np.ndarray) -> int:
    """The least length of a block, in rows, from training rows (n, D) in their order."""
    rows = rows[-MOST_ROWS:]
    taus = [autocorrelation_time(series) for series in _series(schema, rows)]
    return math.ceil(LENGTHS * max(taus, default=1.0)) if max(taus, default=1.0) > 1 else 1


def _series(schema: Schema, rows: np.ndarray) -> list[np.ndarray]:
    """What is followed through time: the log mass of a row under the marginals, and variables: the
    code of an ordinal or binary one, whether it is the commonest of a nominal one."""
    total, single = np.zeros(len(rows)), []
    picked = set(np.linspace(0, schema.D - 1, min(schema.D, MOST_SERIES)).astype(int).tolist())
    for d, variable in enumerate(schema.variables):
        codes = rows[:, d]
        counts = np.bincount(codes[codes != MISSING], minlength=variable.cardinality)
        share = (counts + 1) / (counts.sum() + len(counts))
        total += np.where(codes == MISSING, 0.0, np.log(share)[codes])
        if d in picked:
            in_order = variable.kind == "ordinal" or variable.cardinality == 2
            single.append((codes if in_order else codes == counts.argmax()).astype(np.float64))
    return [total, *single]


def autocorrelation_time(series: np.ndarray) -> float:
    """tau of a series (n,), at least 1, after its straight trend is taken off; 1 where it is
    constant or too short to tell."""
    n = len(series)
    if n < 8:
        return 1.0
    t = np.arange(n) - (n - 1) / 2
    centred = series - series.mean()
    centred = centred - t * (t @ centred) / (t @ t)
    power = np.fft.rfft(centred, 2 * n)
    covariance = np.fft.irfft(power * power.conj())[: min(n // 4, MOST_LAGS) + 1]
    if covariance[0] <= 1e-12 * n:
        return 1.0
    rho = covariance / covariance[0]
    small = np.flatnonzero(rho < 2 / math.sqrt(n))
    end = int(small[0]) if len(small) else len(rho)
    return max(1.0, 1.0 + 2.0 * float(rho[1:end].sum()))
