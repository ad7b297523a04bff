"""Precision, recall, density and coverage: do samples lie where data lie, and everywhere there?

Around every row lies the ball that reaches to its k-th nearest neighbour on its own side. All four
numbers count rows of one side in balls of the other.

References:
    [1] Kynkaanniemi et al., Improved precision and recall metric for assessing generative models,
        NeurIPS 2019.
    [2] Naeem et al., Reliable fidelity and diversity metrics for generative models, ICML 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genzoo.metrics.embedding import both_sides, embed, equal_numbers, squared_distances
from genzoo.metrics.likelihood import Context, Metric
from genzoo.model import GenerativeModel
from genzoo.schema import Schema

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

NEIGHBOURS = 5
MOST_ROWS = 1000
N_GROUPS = 10


@dataclass(frozen=True)
class Manifold:
    """The four numbers of samples against real rows, with their errors."""

    precision: Metric
    recall: Metric
    density: Metric
    coverage: Metric


def manifold(
    real: np.ndarray, fake: np.ndarray, schema: Schema, *, k: int = NEIGHBOURS, seed: int = 0
) -> Manifold:
    """Precision, recall, density and coverage by ``k`` nearest neighbours.

    - precision [1]: the share of samples in some ball of a real row;
    - recall [1]: the share of real rows in some ball of a sample;
    - density [2]: samples in a real row's ball, over the other real rows there: 1 for a perfect
      copy, more where samples crowd where data are dense;
    - coverage [2]: the share of real rows whose ball holds a sample.

    Precision, recall and coverage of a perfect copy stay below 1, by how much depends on the data.
    Noise widens the samples' balls and so lifts recall: read it beside precision.
    Balls are closed, and density counts the real rows in them (which are ``k`` but for ties), since
    rows of codes have many neighbours at one distance. As many rows of one side as of the other, at
    most 1,000. The errors are delete-a-tenth jackknife errors over both sides, at least one row's
    worth.

    Args:
        real, fake: (n, D) and (m, D) rows of codes, more than ``k`` a side after a tenth is left
            out.
    """
    real, fake = equal_numbers(real, fake, MOST_ROWS, seed)
    x, y = embed(real, schema), embed(fake, schema)
    distances = (squared_distances(x, x), squared_distances(y, y), squared_distances(x, y))
    values = _four(*distances, k)
    group = np.arange(len(real)) % N_GROUPS  # rows are in random order
    left = []
    for g in range(N_GROUPS):
        keep = np.flatnonzero(group != g)
        xx, yy, xy = (d[np.ix_(keep, keep)] for d in distances)
        left.append(_four(xx, yy, xy, k))
    errors = np.sqrt((N_GROUPS - 1) * np.var(left, axis=0)).clip(1 / len(real))
    units = ("share of samples", "share of rows", "ratio of counts", "share of rows")
    return Manifold(
        *(
            Metric(float(value), float(error), unit, True, "estimate")
            for value, error, unit in zip(values, errors, units, strict=True)
        )
    )


def _four(xx: np.ndarray, yy: np.ndarray, xy: np.ndarray, k: int) -> np.ndarray:
    """(4,) precision, recall, density, coverage from squared distances (n, n)."""
    real_radius = np.partition(xx, k, axis=1)[:, k]  # the row itself is the first
    fake_radius = np.partition(yy, k, axis=1)[:, k]
    in_real = xy <= real_radius[:, None]
    in_fake = xy <= fake_radius
    n = len(xx)
    others = ((xx <= real_radius[:, None]).sum() - n) / (n - 1)
    return np.array(
        [
            in_real.any(axis=0).mean(),
            in_fake.any(axis=1).mean(),
            in_real.sum() / n / others,
            in_real.any(axis=1).mean(),
        ]
    )


def _judge(dataset: Dataset, context: Context) -> Manifold:
    if "manifold" not in context.found:
        real, fake = both_sides(dataset, context)
        context.found["manifold"] = manifold(real, fake, dataset.schema, seed=context.seed)
    return context.found["manifold"]


def precision(model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
    """See ``manifold``."""
    return _judge(dataset, context).precision


def recall(model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
    """See ``manifold``."""
    return _judge(dataset, context).recall


def density(model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
    """See ``manifold``."""
    return _judge(dataset, context).density


def coverage(model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
    """See ``manifold``."""
    return _judge(dataset, context).coverage
