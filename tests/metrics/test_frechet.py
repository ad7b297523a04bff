"""Frechet distance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from genzoo.metrics.frechet import frechet_distance, gaussian_distance
from genzoo.metrics.sides import Comparison
from genzoo.registry import load_dataset


def test_the_formula():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4))
    y = rng.normal(size=(150, 4)) @ rng.normal(size=(4, 4)) + 1
    a, b = np.cov(x.T), np.cov(y.T)
    shift = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    assert gaussian_distance(x, y) == pytest.approx(shift + np.trace(a + b - 2 * sqrtm(a @ b).real))
    assert gaussian_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert gaussian_distance(x, x + 2) == pytest.approx(16)
    assert gaussian_distance(x[:, :1], 3 * x[:, :1]) == pytest.approx(
        4 * (x[:, 0].mean() ** 2 + x[:, 0].var(ddof=1))
    )


def test_halves_of_real_rows_agree_and_corrupted_rows_do_not():
    # halves differ by 4.5 bootstrap errors, which are on the large side, in under 1 of 10**5 runs
    dataset = load_dataset("breast_cancer")
    rows = np.random.default_rng(1).permutation(np.concatenate([dataset.valid, dataset.test]))
    real, fake = np.array_split(rows, 2)
    found = frechet_distance(Comparison(real, fake, dataset.schema, train=dataset.train))
    assert abs(found.value) < 4.5 * found.stderr
    noise = np.random.default_rng(2).integers(0, dataset.schema.cards, fake.shape)
    worse = frechet_distance(Comparison(real, noise, dataset.schema, train=dataset.train))
    assert worse.value > 5 * worse.stderr


def test_the_label_itself_is_not_judged():
    dataset = load_dataset("wine")
    relabelled = dataset.valid.copy()
    relabelled[:, -1] = 0
    values = [
        frechet_distance(Comparison(dataset.test, rows, dataset.schema, train=dataset.train)).value
        for rows in (dataset.valid, relabelled)
    ]
    assert values[0] == values[1]
