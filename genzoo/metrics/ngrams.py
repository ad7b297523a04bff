"""n-grams of sequences: how often each occurs, and which were never seen in training.

An n-gram is n steps in a row, of all channels together, up to and including the first END.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from genzoo.metrics.likelihood import Context, Metric
from genzoo.metrics.sides import NO_GROUPS, Names, both_sides, two_sides
from genzoo.metrics.variation import chance_corrected_variation
from genzoo.model import GenerativeModel
from genzoo.space.schema import Schema
from genzoo.values import Unsupported

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

MOST_ROWS = 2000
LONGEST = 3


def variation_of_ngrams(
    real: np.ndarray,
    fake: np.ndarray,
    schema: Schema,
    *,
    groups: Names = NO_GROUPS,
    seed: int = 0,
) -> Metric:
    """Mean over n = 1, 2, 3 of the total variation of n-grams, corrected for chance.

    How it is corrected: see ``genzoo.metrics.variation``.

    Args:
        real, fake: (n, D) and (m, D) rows of codes of a sequence, of which at most 2,000 are used.
        groups: which rows belong together, see ``genzoo.metrics.sides``.

    Raises:
        Unsupported: where there are too few groups for an error.
    """
    sides = two_sides(real, fake, groups, MOST_ROWS, seed)
    parts = []
    for order in range(1, min(LONGEST, schema.event_shape[0]) + 1):
        ngram, row = _ngrams([side.rows for side in sides], schema, order)
        parts.append((row, ngram, np.full(len(row), order - 1)))
    row, ngram, family = (np.concatenate(part) for part in zip(*parts, strict=True))
    of_sides = (sides[0].groups, sides[1].groups)
    return chance_corrected_variation(row, ngram, family, of_sides, seed=seed)


def unseen_ngrams(
    real: np.ndarray,
    fake: np.ndarray,
    schema: Schema,
    *,
    train: np.ndarray,
    groups: Names = NO_GROUPS,
    seed: int = 0,
) -> Metric:
    """The share of the samples' 3-grams that no training row holds, less that of real rows.

    0 for a perfect copy; above 0, the samples invent more than fresh data would; below 0, they
    repeat the training rows. Shorter sequences are counted whole. The error is that of a
    difference of two ratios of means over rows, or over groups.

    Args:
        real, fake: (n, D) and (m, D) rows of codes of a sequence, of which at most 2,000 are used.
        train: (N, D) the training rows.
        groups: which rows belong together, see ``genzoo.metrics.sides``.

    Raises:
        Unsupported: where there are too few groups for an error.
    """
    sides = two_sides(real, fake, groups, MOST_ROWS, seed)
    parts = [*(side.rows for side in sides), train]
    ngram, row = _ngrams(parts, schema, min(LONGEST, schema.event_shape[0]))
    n, m = map(len, sides)
    judged = row < n + m
    unseen = ~np.isin(ngram[judged], ngram[~judged])
    by_row = [np.bincount(row[judged], w, minlength=n + m) for w in (unseen, np.ones(len(unseen)))]
    shares, errors = [], []
    for side, judged_side in zip(sides, (slice(n), slice(n, n + m)), strict=True):
        count, total = (side.groups.total(values[judged_side]) for values in by_row)
        share = count.sum() / max(1, total.sum())
        residual = (count - share * total) / max(1e-12, total.mean())
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


def _sequences(dataset: Dataset, context: Context) -> tuple[np.ndarray, np.ndarray, Names]:
    if dataset.schema.layout != "sequence":
        raise Unsupported(f"n-grams are of sequences; {dataset.name} is of {dataset.schema.layout}")
    return both_sides(dataset, context)


def ngram_tv(model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
    """``variation_of_ngrams`` of the test rows and the samples.

    Raises:
        Unsupported: where the rows are no sequences.
    """
    real, fake, groups = _sequences(dataset, context)
    return variation_of_ngrams(real, fake, dataset.schema, groups=groups, seed=context.seed)


def novelty(model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
    """``unseen_ngrams`` of the samples, against the test rows.

    Raises:
        Unsupported: where the rows are no sequences.
    """
    real, fake, groups = _sequences(dataset, context)
    return unseen_ngrams(
        real, fake, dataset.schema, train=dataset.train, groups=groups, seed=context.seed
    )
