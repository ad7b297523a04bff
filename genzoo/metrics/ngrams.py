"""n-grams of sequences: how often each occurs, and which were never seen in training.

An n-gram is n steps in a row, of all channels together, up to and including the first END.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from genzoo.metrics.embedding import both_sides, some_rows
from genzoo.metrics.likelihood import Context, Metric
from genzoo.metrics.variation import chance_corrected_variation
from genzoo.model import GenerativeModel, Unsupported
from genzoo.schema import Schema

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

MOST_ROWS = 2000
LONGEST = 3


def variation_of_ngrams(
    real: np.ndarray, fake: np.ndarray, schema: Schema, *, seed: int = 0
) -> Metric:
    """Mean over n = 1, 2, 3 of the total variation of n-grams, corrected for chance.

    How it is corrected: see ``genzoo.metrics.variation``.

    Args:
        real, fake: (n, D) and (m, D) rows of codes of a sequence, of which at most 2,000 are used.
    """
    real = some_rows(real, MOST_ROWS, seed, "real")
    fake = some_rows(fake, MOST_ROWS, seed, "fake")
    parts = []
    for order in range(1, min(LONGEST, schema.event_shape[0]) + 1):
        ngram, row = _ngrams([real, fake], schema, order)
        parts.append((row, ngram, np.full(len(row), order - 1)))
    row, ngram, family = (np.concatenate(part) for part in zip(*parts, strict=True))
    return chance_corrected_variation(row, ngram, family, len(real), len(fake), seed=seed)


def unseen_ngrams(
    real: np.ndarray, fake: np.ndarray, schema: Schema, *, train: np.ndarray, seed: int = 0
) -> Metric:
    """The share of the samples' 3-grams that no training row holds, less that of real rows.

    0 for a perfect copy; above 0, the samples invent more than fresh data would; below 0, they
    repeat the training rows. Shorter sequences are counted whole. The error is that of a
    difference of two ratios of means over rows.

    Args:
        real, fake: (n, D) and (m, D) rows of codes of a sequence, of which at most 2,000 are used.
        train: (N, D) the training rows.
    """
    real = some_rows(real, MOST_ROWS, seed, "real")
    fake = some_rows(fake, MOST_ROWS, seed, "fake")
    ngram, row = _ngrams([real, fake, train], schema, min(LONGEST, schema.event_shape[0]))
    n, m = len(real), len(fake)
    judged = row < n + m
    unseen = ~np.isin(ngram[judged], ngram[~judged])
    total = np.bincount(row[judged], minlength=n + m)
    count = np.bincount(row[judged], unseen, minlength=n + m)
    shares, errors = [], []
    for side in (slice(n), slice(n, n + m)):
        share = count[side].sum() / max(1, total[side].sum())
        residual = (count[side] - share * total[side]) / max(1e-12, total[side].mean())
        shares.append(share)
        errors.append(residual.std(ddof=1) / math.sqrt(len(residual)))
    value, error = float(shares[1] - shares[0]), math.hypot(*errors)
    return Metric(value, error, "share of 3-grams", False, "estimate")


def _ngrams(parts: list[np.ndarray], schema: Schema, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Of every n-gram in the rows of ``parts``, put one after another: its number and its row."""
    rows = np.concatenate(parts)
    T = schema.event_shape[0]
    reached = schema.reached(rows).reshape(len(rows), T, -1)[:, :, 0]
    symbols = rows.reshape(len(rows), T, -1)
    number = np.zeros((len(rows), T - order + 1), dtype=np.int64)
    for step in range(order):
        for channel in range(symbols.shape[2]):
            code = symbols[:, step : T - order + 1 + step, channel]
            number = number * (int(schema.cards.max()) + 1) + code
            if number.max() > 2**31:
                # numbered anew, so that many channels don't overflow
                number = np.unique(number, return_inverse=True)[1].reshape(number.shape)
    whole = reached[:, order - 1 :]
    row = np.broadcast_to(np.arange(len(rows))[:, None], number.shape)
    return number[whole], row[whole]


def _sequences(dataset: Dataset, context: Context) -> tuple[np.ndarray, np.ndarray]:
    if dataset.schema.layout != "sequence":
        raise Unsupported(f"n-grams are of sequences; {dataset.name} is of {dataset.schema.layout}")
    return both_sides(dataset, context)


def ngram_tv(model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
    """``variation_of_ngrams`` of the test rows and the samples.

    Raises:
        Unsupported: where the rows are no sequences.
    """
    real, fake = _sequences(dataset, context)
    return variation_of_ngrams(real, fake, dataset.schema, seed=context.seed)


def novelty(model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
    """``unseen_ngrams`` of the samples, against the test rows.

    Raises:
        Unsupported: where the rows are no sequences.
    """
    real, fake = _sequences(dataset, context)
    return unseen_ngrams(real, fake, dataset.schema, train=dataset.train, seed=context.seed)
