"""Frechet distance in the features of a classifier that was trained on the data set itself.

The formula is that of the Frechet inception distance (Heusel et al., GANs trained by a two
time-scale update rule, NeurIPS 2017); the features are not, so numbers compare within one data set
and not with any FID elsewhere.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from genzoo.metrics.embedding import embed
from genzoo.metrics.groups import Groups, relabelled
from genzoo.metrics.metric import Metric, SampleMetric
from genzoo.metrics.sides import Comparison
from genzoo.seeding import derive, numpy_rng
from genzoo.space.schema import Schema

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

MOST_ROWS = 2000
N_FEATURES = 16
N_EPOCHS = 100
N_RELABELLINGS = 20
N_BOOTSTRAP = 40


def frechet_distance(comparison: Comparison) -> Metric:
    """``gaussian_distance`` of two sides' features, corrected for chance.

    The features are the 16 hidden units of a network that learns the last variable from the others
    on at most 2,000 training rows, each scaled to unit variance there; the last variable itself is
    not judged. The distance of two finite samples of one distribution is above 0, so its mean over
    random relabellings of all rows as real or sample is taken off: the expectation for a perfect
    copy is exactly 0 at any number of rows. Where rows have groups, halves of whole groups stand
    for relabellings, see ``genzoo.metrics.variation``. The error is the bootstrap's, over rows or
    over groups: near 0 up to twice too large, since a bootstrap sample deviates from the rows found
    as these do from the truth, and there the distance grows with the square of both.

    Args:
        comparison: its training rows have two or more classes in the last variable; of every side
            at most 2,000 rows are used.
    """
    train, sides = comparison.some_training_rows(MOST_ROWS), comparison.sides(MOST_ROWS)
    points = _features(train, sides.rows, comparison.schema, comparison.seed)
    n = len(sides.real)
    rng = numpy_rng(comparison.seed, "metrics", "frechet")
    found = gaussian_distance(points[:n], points[n:])
    resampling = _of_rows if sides.independent else _of_groups
    by_chance, bootstrap = resampling(points, sides.groups, rng)
    return FRECHET.number(found - float(np.mean(by_chance)), float(np.std(bootstrap, ddof=1)))


def _of_rows(
    points: np.ndarray, groups: tuple[Groups, Groups], rng: np.random.Generator
) -> tuple[list[float], list[float]]:
    """Distances of relabelled rows and of bootstrap samples."""
    n, m = map(len, groups)
    orders = (rng.permutation(n + m) for _ in range(N_RELABELLINGS))
    by_chance = [gaussian_distance(points[order[:n]], points[order[n:]]) for order in orders]
    bootstrap = [
        gaussian_distance(points[rng.integers(n, size=n)], points[n + rng.integers(m, size=m)])
        for _ in range(N_BOOTSTRAP)
    ]
    return by_chance, bootstrap


def _of_groups(
    points: np.ndarray, groups: tuple[Groups, Groups], rng: np.random.Generator
) -> tuple[list[float], list[float]]:
    """The same of whole groups."""
    n = len(groups[0])
    labels = (relabelled(*groups, rng) for _ in range(N_RELABELLINGS))
    by_chance = [
        gaussian_distance(*(points[w > 0] for w in sides), *(w[w > 0] for w in sides))
        for sides in labels
    ]
    bootstrap = []
    for _ in range(N_BOOTSTRAP):
        drawn = np.concatenate([of_side.resampled(rng) for of_side in groups])
        at = np.repeat(np.arange(len(points)), drawn)
        bootstrap.append(gaussian_distance(points[at[at < n]], points[at[at >= n]]))
    return by_chance, bootstrap


def _features(train: np.ndarray, rows: np.ndarray, schema: Schema, seed: int) -> np.ndarray:
    """(n, at most 16) the hidden units on ``rows``."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    width = schema.D - 1
    inputs = Schema(schema.variables[:width], "table", (width,))
    x = embed(train[:, :width], inputs).coordinates
    mean = x.mean(axis=0)
    spread = x.std(axis=0)
    spread[spread == 0] = 1  # constant in training
    network = MLPClassifier(
        (N_FEATURES,), max_iter=N_EPOCHS, random_state=derive(seed, "metrics", "network") % 2**32
    )
    with warnings.catch_warnings():
        # features need no optimum
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit((x - mean) / spread, train[:, width])

    def hidden(x: np.ndarray) -> np.ndarray:
        return np.maximum((x - mean) / spread @ network.coefs_[0] + network.intercepts_[0], 0)

    scale = hidden(x).std(axis=0)
    alive = scale > 0
    return hidden(embed(rows[:, :width], inputs).coordinates)[:, alive] / scale[alive]


def gaussian_distance(
    x: np.ndarray,
    y: np.ndarray,
    x_weight: np.ndarray | None = None,
    y_weight: np.ndarray | None = None,
) -> float:
    """Frechet distance, squared, of the Gaussians with the means and covariances of x and y (n, F).

    |mu - nu|^2 + tr(S + R - 2 (S R)^(1/2)), weighted by row where weights (n,) are given.
    """
    a, b = (
        np.cov(points.T, aweights=weight).reshape(points.shape[1], -1)
        for points, weight in ((x, x_weight), (y, y_weight))
    )
    values, vectors = np.linalg.eigh(a)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    # (a b)^(1/2) has the trace of (root b root)^(1/2), which is symmetric
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()
    shift = np.average(x, axis=0, weights=x_weight) - np.average(y, axis=0, weights=y_weight)
    return float(shift @ shift + np.trace(a) + np.trace(b) - 2 * cross)


def _no_classes(dataset: Dataset) -> str | None:
    if dataset.label is None:
        return f"its features come from a classifier; {dataset.name} has no label"
    if dataset.schema.D < 2 or len(np.unique(dataset.train[:, -1])) < 2:
        return f"its features come from a classifier; {dataset.name} has one class"
    return None


FRECHET = SampleMetric(
    title="Fréchet distance",
    meaning="Between the features that a small classifier, trained on this data set, sees in "
    "samples and in test rows, less what chance makes of a perfect copy, which has 0.",
    caveat="The Fréchet distance is one of features that belong to this data set: it compares the "
    "models here, and with no other data set and no FID elsewhere.",
    unit="squared feature distance",
    higher_is_better=False,
    judge=frechet_distance,
    refuses=_no_classes,
)
