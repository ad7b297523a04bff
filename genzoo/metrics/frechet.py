"""Frechet distance in the features of a classifier that was trained on the data set itself.

The formula is that of the Frechet inception distance (Heusel et al., GANs trained by a two
time-scale update rule, NeurIPS 2017); the features are not, so numbers compare within one data set
and not with any FID elsewhere.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from genzoo.metrics.embedding import both_sides, embed, some_rows
from genzoo.metrics.likelihood import Context, Metric
from genzoo.model import GenerativeModel, Unsupported
from genzoo.schema import Schema
from genzoo.seeding import derive, numpy_rng

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

MOST_ROWS = 2000
N_FEATURES = 16
N_EPOCHS = 100
N_RELABELLINGS = 20
N_BOOTSTRAP = 40


def frechet_distance(
    real: np.ndarray, fake: np.ndarray, schema: Schema, *, train: np.ndarray, seed: int = 0
) -> Metric:
    """``gaussian_distance`` of two sides' features, corrected for chance.

    The features are the 16 hidden units of a network that learns the last variable from the others
    on at most 2,000 training rows, each scaled to unit variance there; the last variable itself is
    not judged. The distance of two finite samples of one distribution is above 0, so its mean over
    random relabellings of all rows as real or sample is taken off: the expectation for a perfect
    copy is exactly 0 at any number of rows. The error is the bootstrap's.

    Args:
        real, fake: (n, D) and (m, D) rows of codes, of which at most 2,000 are used.
        train: (N, D) rows with two or more classes in the last variable.
    """
    train = some_rows(train, MOST_ROWS, seed, "train")
    real = some_rows(real, MOST_ROWS, seed, "real")
    fake = some_rows(fake, MOST_ROWS, seed, "fake")
    points = _features(train, np.concatenate([real, fake]), schema, seed)
    n, m = len(real), len(fake)
    rng = numpy_rng(seed, "metrics", "frechet")
    found = gaussian_distance(points[:n], points[n:])
    by_chance = []
    for _ in range(N_RELABELLINGS):
        order = rng.permutation(n + m)
        by_chance.append(gaussian_distance(points[order[:n]], points[order[n:]]))
    bootstrap = [
        gaussian_distance(points[rng.integers(n, size=n)], points[n + rng.integers(m, size=m)])
        for _ in range(N_BOOTSTRAP)
    ]
    return Metric(
        found - float(np.mean(by_chance)),
        float(np.std(bootstrap, ddof=1)),
        "squared feature distance",
        False,
        "estimate",
    )


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


def gaussian_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Frechet distance, squared, of the Gaussians with the means and covariances of x and y (n, F).

    |mu - nu|^2 + tr(S + R - 2 (S R)^(1/2)).
    """
    a, b = np.cov(x.T).reshape(x.shape[1], -1), np.cov(y.T).reshape(y.shape[1], -1)
    values, vectors = np.linalg.eigh(a)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    # (a b)^(1/2) has the trace of (root b root)^(1/2), which is symmetric
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()
    shift = x.mean(axis=0) - y.mean(axis=0)
    return float(shift @ shift + np.trace(a) + np.trace(b) - 2 * cross)


def frechet(model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
    """``frechet_distance`` of the test rows and the samples.

    Raises:
        Unsupported: where the data set names no label, or has but one class to train on.
    """
    real, fake = both_sides(dataset, context)
    if dataset.label is None:
        raise Unsupported(f"its features come from a classifier; {dataset.name} has no label")
    if dataset.schema.D < 2 or len(np.unique(dataset.train[:, -1])) < 2:
        raise Unsupported(f"its features come from a classifier; {dataset.name} has one class")
    return frechet_distance(real, fake, dataset.schema, train=dataset.train, seed=context.seed)
