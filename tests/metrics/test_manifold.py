"""Precision, recall, density and coverage, against the published definitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genzoo.datasets.dataset import Dataset
from genzoo.metrics import Context
from genzoo.metrics.manifold import PRECISION, manifold
from genzoo.metrics.sides import Comparison
from genzoo.space.schema import Schema, Variable
from genzoo.values import LogProb

SCHEMA = Schema(tuple(Variable(n, "ordinal", cardinality=10**6) for n in "abc"), "table", (3,))


def cloud(n, seed, shift=0.0):
    points = np.random.default_rng(seed).normal(0.5 + shift, 0.08, (n, 3))
    return np.clip(points * 10**6, 0, 10**6 - 1).astype(np.int64)


def test_without_ties_they_are_the_published_numbers():
    real, fake = cloud(150, 0), cloud(150, 1, shift=0.05)
    found = manifold(Comparison(real, fake, SCHEMA), k=3)

    def distances(a, b):
        return np.sqrt((((a[:, None] - b) / (10**6 - 1)) ** 2).sum(-1))

    real_radius = np.sort(distances(real, real), axis=1)[:, 3]
    fake_radius = np.sort(distances(fake, fake), axis=1)[:, 3]
    across = distances(real, fake)
    inside = across < real_radius[:, None]
    assert found.precision.value == pytest.approx(inside.any(axis=0).mean())
    assert found.recall.value == pytest.approx((across < fake_radius).any(axis=1).mean())
    assert found.coverage.value == pytest.approx(inside.any(axis=1).mean())
    published = inside.sum(axis=0).mean() / 3
    assert found.density.value == pytest.approx(published * 149 / 150)


def test_precision_is_of_the_samples_and_recall_of_the_data():
    left, right = cloud(100, 0, -0.3), cloud(100, 1, 0.3)
    both = np.concatenate([left, right])
    narrow = manifold(Comparison(both, cloud(200, 2, 0.3), SCHEMA))
    assert narrow.precision.value > 0.8
    assert narrow.recall.value < 0.6
    assert narrow.coverage.value < 0.6
    wide = manifold(Comparison(cloud(200, 3, 0.3), both, SCHEMA))
    assert wide.precision.value < 0.6
    assert wide.recall.value > 0.8


def test_rows_that_repeat_count_as_neighbours():
    # two values only: every ball has radius 0 and holds half of the other side
    schema = Schema((Variable("a", cardinality=2),), "table", (1,))
    rows = np.arange(100)[:, None] % 2
    found = manifold(Comparison(rows, rows, schema))
    assert found.precision.value == found.recall.value == found.coverage.value == 1
    assert found.density.value == pytest.approx(1, abs=0.03)


def test_errors_cover_the_spread_over_repeats():
    found = [manifold(Comparison(cloud(150, s), cloud(150, s + 100), SCHEMA)) for s in range(40)]
    for name in ("precision", "recall", "density", "coverage"):
        metrics = [getattr(m, name) for m in found]
        spread = np.std([m.value for m in metrics], ddof=1)
        assert 0.6 < np.mean([m.stderr for m in metrics]) / spread < 2.5


def test_other_samples_in_a_copied_context_are_judged_anew():
    dataset = Dataset("clouds", SCHEMA, *(cloud(100, 0) for _ in range(3)))
    near = Context(LogProb.exact(np.empty(0)), samples=cloud(100, 1))
    assert PRECISION(None, dataset, near).value > 0.8
    assert PRECISION(None, dataset, replace(near, samples=cloud(100, 2, 0.4))).value < 0.2
