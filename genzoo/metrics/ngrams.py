"""n-grams of sequences: how often each occurs, and which were never seen in training.

An n-gram is n steps in a row, of all channels together, up to and including the first END.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from genzoo.metrics.metric import Metric, SampleMetric
from genzoo.metrics.sides import Comparison
from genzoo.metrics.variation import chance_corrected_variation
from genzoo.space.schema import Schema

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

MOST_ROWS = 2000
LONGEST = 3


def variation_of_ngrams(comparison: Comparison) -> Metric:
    """Mean over n = 1, 2, 3 of the total variation of n-grams, corrected for chance.

    How it is corrected: see ``genzoo.metrics.variation``.
    """
    schema, sides = comparison.schema, comparison.sides(MOST_ROWS)
    parts = []
    for order in range(1, min(LONGEST, schema.event_shape[0]) + 1):
        ngram, row = _ngrams(sides.rows, schema, order)
        parts.append((row, ngram, np.full(len(row), order - 1)))
    row, ngram, family = (np.concatenate(part) for part in zip(*parts, strict=True))
    found = chance_corrected_variation(row, ngram, family, sides.groups, seed=comparison.seed)
    return NGRAM_TV.number(*found)


def unseen_ngrams(comparison: Comparison) -> Metric:
    """The share of the samples' 3-grams that no training row holds, less that of real rows.

    0 for a perfect copy; above 0, the samples invent more than fresh data would; below 0, they
    repeat the training rows. Shorter sequences are counted whole. The error is that of a
    difference of two ratios of means over rows, or over groups.
    """
    schema, sides = comparison.schema, comparison.sides(MOST_ROWS)
    rows = np.concatenate([sides.rows, comparison.train])
    ngram, row = _ngrams(rows, schema, min(LONGEST, schema.event_shape[0]))
    n, m = map(len, sides)
    judged = row < n + m
    unseen = ~np.isin(ngram[judged], ngram[~judged])
    by_row = [np.bincount(row[judged], w, minlength=n + m) for w in (unseen, np.ones(len(unseen)))]
    shares, errors = [], []
    for groups, of_side in zip(sides.groups, (slice(n), slice(n, n + m)), strict=True):
        count, total = (groups.total(values[of_side]) for values in by_row)
        share = count.sum() / max(1, total.sum())
        residual = (count - share * total) / max(1e-12, total.mean())
        shares.append(share)
        errors.append(residual.std(ddof=1) / math.sqrt(len(residual)))
    return NOVELTY.number(float(shares[1] - shares[0]), math.hypot(*errors))


def _ngrams(rows: np.ndarray, schema: Schema, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Of every n-gram in the rows: its number and its row."""
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


def _no_sequences(dataset: Dataset) -> str | None:
    layout = dataset.schema.layout
    if layout == "sequence":
        return None
    return f"n-grams are of sequences; {dataset.name} is of {layout}"


NGRAM_TV = SampleMetric(
    title="n-grams, TV",
    meaning="Total variation between samples and test rows for runs of one, two and three symbols, "
    "less what chance makes of a perfect copy: 0 perfect, 1 nothing in common.",
    unit="total variation",
    higher_is_better=False,
    judge=variation_of_ngrams,
    refuses=_no_sequences,
)
NOVELTY = SampleMetric(
    title="Novelty",
    meaning="Share of the samples' runs of three symbols that no training row holds, less the same "
    "of test rows. 0 for a perfect copy; above, samples invent more than fresh data do; below, "
    "they repeat the training rows.",
    unit="share of 3-grams",
    higher_is_better=False,
    ideal=0,
    judge=unseen_ngrams,
    refuses=_no_sequences,
)
