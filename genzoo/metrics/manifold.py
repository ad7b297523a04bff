"""Precision, recall, density and coverage: do samples lie where data lie, and everywhere there?

Around every row lies the ball that reaches to its k-th nearest neighbour on its own side, among
rows of other groups where rows belong together (else the ball would shrink to the group). All four
numbers count rows of one side in balls of the other.

References:
    [1] Kynkaanniemi et al., Improved precision and recall metric for assessing generative models,
        NeurIPS 2019.
    [2] Naeem et al., Reliable fidelity and diversity metrics for generative models, ICML 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from genzoo.metrics.embedding import embed, squared_distances
from genzoo.metrics.metric import Metric, SampleMetric
from genzoo.metrics.sides import Comparison
from genzoo.values import Unsupported

NEIGHBOURS = 5
MOST_ROWS = 1000
N_PARTS, NO_PART = 10, -1


class Manifold(NamedTuple):
    """The four numbers of samples against real rows, with their errors."""

    precision: Metric
    recall: Metric
    density: Metric
    coverage: Metric


def manifold(comparison: Comparison, k: int = NEIGHBOURS) -> Manifold:
    """Precision, recall, density and coverage by ``k`` nearest neighbours.

    - precision [1]: the share of samples in some ball of a real row;
    - recall [1]: the share of real rows in some ball of a sample;
    - density [2]: the share of the samples in a real row's ball, over the share of the other real
      rows there: 1 for a perfect copy, more where samples crowd where data are dense;
    - coverage [2]: the share of real rows whose ball holds a sample.

    Precision, recall and coverage of a perfect copy stay below 1, by how much depends on the data.
    Noise widens the samples' balls and so lifts recall: read it beside precision.
    Balls are closed, and density counts the real rows in them (which are ``k`` but for ties), since
    rows of codes have many neighbours at one distance. As many rows of one side as of the other, at
    most 1,000. The errors are delete-a-tenth jackknife errors over both sides, at least one row's
    worth; groups are deleted whole, one by one where a side has fewer than ten. They are up to
    twice too large: without a tenth of the rows every ball grows.

    Args:
        comparison: more than ``k`` rows a side after a tenth is left out.

    Raises:
        Unsupported: where there are too few groups for an error, or too few rows outside a group.
    """
    sides = comparison.equal_sides(MOST_ROWS)
    x, y = (embed(side.rows, comparison.schema) for side in sides)
    within = [squared_distances(points, points) for points in (x, y)]
    for distances, groups in zip(within, sides.groups, strict=True):
        distances[groups.number[:, None] == groups.number] = np.inf
    across = squared_distances(x, y)
    n_parts = min(N_PARTS, *(len(groups.sizes) for groups in sides.groups))
    parts = [groups.parts(n_parts) for groups in sides.groups]  # rows are in random order
    in_groups = not sides.real.groups.independent

    def without(part: int) -> np.ndarray:
        """The four numbers without one part of both sides."""
        keep, keep_fake = (np.flatnonzero(of_side != part) for of_side in parts)
        return _four(
            within[0][np.ix_(keep, keep)],
            within[1][np.ix_(keep_fake, keep_fake)],
            across[np.ix_(keep, keep_fake)],
            k,
            parts[0][keep] if in_groups else None,
        )

    values = without(NO_PART)
    left = [without(part) for part in range(n_parts)]
    errors = np.sqrt((n_parts - 1) * np.var(left, axis=0)).clip(1 / len(sides.real))
    metrics = (PRECISION, RECALL, DENSITY, COVERAGE)
    found = zip(metrics, values.tolist(), errors.tolist(), strict=True)
    return Manifold(*(metric.number(value, error) for metric, value, error in found))


def _four(
    xx: np.ndarray, yy: np.ndarray, xy: np.ndarray, k: int, part: np.ndarray | None
) -> np.ndarray:
    """(4,) precision, recall, density, coverage.

    Args:
        xx, yy, xy: squared distances (n, n), (m, m) and (n, m), infinite between rows of one group.
        part: (n,) in which part of the groups each real row is; None where rows are independent.
    """
    real_radius, fake_radius = _radius(xx, k), _radius(yy, k)
    in_real = xy <= real_radius[:, None]
    in_fake = xy <= fake_radius
    if part is None:
        others = (xx <= real_radius[:, None]).sum() / (len(xx) - 1)
        dense = in_real.sum() / xy.shape[1] / others
    else:
        dense = _density_over_groups(xx, xy, k, part)
    among_real, among_fake = in_real.any(axis=0), in_fake.any(axis=1)
    return np.array([among_real.mean(), among_fake.mean(), dense, in_real.any(axis=1).mean()])


def _radius(distances: np.ndarray, k: int) -> np.ndarray:
    """(n,) the squared distance of the k-th nearest."""
    few = np.isfinite(distances).sum(axis=1) < k
    if few.any():
        raise Unsupported(f"some rows have fewer than {k} neighbours in other groups")
    return np.partition(distances, k - 1, axis=1)[:, k - 1]


def _density_over_groups(xx: np.ndarray, xy: np.ndarray, k: int, part: np.ndarray) -> float:
    """Density where real rows come in groups.

    A ball that ends at the k-th of rows that come in bunches holds more of the distribution than k
    of n rows. So the radius is found without one part of the groups, whose rows are counted, and
    this for every part.
    """
    n_others = np.isfinite(xx).sum(axis=1)
    share_real, share_fake = np.zeros((2, len(xx)))
    for left_out in np.unique(part):
        counted = xx[:, part == left_out]
        radius = _radius(xx[:, part != left_out], k)[:, None]
        share_real += (counted <= radius).sum(axis=1) / n_others
        weight = np.isfinite(counted).sum(axis=1) / n_others
        share_fake += weight * (xy <= radius).mean(axis=1)
    return float(share_fake.sum() / share_real.sum())


def _part(name: str) -> Callable[[Comparison], Metric]:
    """One of the numbers of ``manifold``, which is worked out once for all four."""
    part: Callable[[Manifold], Metric] = attrgetter(name)

    def judge(comparison: Comparison) -> Metric:
        if "manifold" not in comparison.found:
            comparison.found["manifold"] = manifold(comparison)
        return part(comparison.found["manifold"])

    return judge


PRECISION = SampleMetric(
    title="Precision",
    meaning="Share of samples that lie among test rows: within the distance of some test row's "
    "fifth neighbour (outside its own group, where rows have groups). A perfect copy stays below "
    "1: compare with the held-out rows.",
    unit="share of samples",
    higher_is_better=True,
    judge=_part("precision"),
)
RECALL = SampleMetric(
    title="Recall",
    meaning="Share of test rows that lie among samples, in the same sense. A perfect copy stays "
    "below 1: compare with the held-out rows.",
    unit="share of rows",
    higher_is_better=True,
    judge=_part("recall"),
)
DENSITY = SampleMetric(
    title="Density",
    meaning="How many samples lie around a test row, by how many test rows do: 1 for a perfect "
    "copy, more where samples crowd where data are dense.",
    unit="ratio of counts",
    higher_is_better=True,
    ideal=1,
    judge=_part("density"),
)
COVERAGE = SampleMetric(
    title="Coverage",
    meaning="Share of test rows with a sample within the distance of their fifth neighbour: low "
    "where parts of the data are never drawn.",
    unit="share of rows",
    higher_is_better=True,
    judge=_part("coverage"),
)
