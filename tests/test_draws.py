"""Categorical draws: shares against the weights, and that nothing without weight is drawn.

Seeds are fixed. Each chi-square test raises a false alarm with probability 1e-6.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from genzoo import draws

WEIGHTS = np.array([0.0, 3.0, 0.0, 1.0, 6.0, 0.0])
N = 20_000


def drawn_by(name: str, rng: np.random.Generator) -> np.ndarray:
    tiled = np.tile(WEIGHTS, (N, 1))
    if name == "gumbel_argmax":
        with np.errstate(divide="ignore"):
            return draws.gumbel_argmax(np.log(tiled) + rng.normal(size=(N, 1)), rng)
    return {
        "categorical": lambda: draws.categorical(tiled * rng.random((N, 1)), rng),
        "inverted": lambda: draws.inverted(tiled, rng.random(N)),
        "repeated": lambda: draws.repeated(WEIGHTS, N, rng),
        "located": lambda: draws.located(WEIGHTS, rng.random(N)),
        "located_within": lambda: draws.located_within(
            np.append([2.0, 0.0], WEIGHTS), np.full(N, 2), np.full(N, 8), rng.random(N)
        ) - 2,
        "of_rows": lambda: draws.of_rows(
            np.stack([WEIGHTS[::-1], WEIGHTS]), np.ones(N, dtype=np.int64), rng
        ),
    }[name]()  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "categorical",
        "inverted",
        "repeated",
        "located",
        "located_within",
        "of_rows",
        "gumbel_argmax",
    ],
)
def test_shares_are_those_of_the_weights(name: str) -> None:
    drawn = drawn_by(name, np.random.default_rng(0))
    assert drawn.shape == (N,)
    counts = np.bincount(drawn, minlength=6)
    has = WEIGHTS > 0
    assert counts[~has].sum() == 0
    assert chisquare(counts[has], N * WEIGHTS[has] / WEIGHTS.sum()).pvalue > 1e-6


@pytest.mark.parametrize("uniform", [0.0, 0.5, np.nextafter(1.0, 0.0)])
@pytest.mark.parametrize("scale", [1e-300, 0.1, 1.0, 1e300])
def test_the_ends_of_the_unit_interval_hit_no_weight_of_zero(uniform: float, scale: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        weights = scale * np.where(rng.random(7) < 0.5, 0.0, rng.random(7))
        if not weights.any():
            continue
        level = np.array([uniform])
        first, end = np.array([0]), np.array([7])
        for index in (
            draws.located(weights, level)[0],
            draws.inverted(weights[None], level)[0],
            draws.located_within(weights, first, end, level)[0],
        ):
            assert weights[index] > 0


def test_stretches_stay_within_their_bounds() -> None:
    rng = np.random.default_rng(2)
    weights = rng.random(50) + 1e-12
    first = rng.integers(0, 49, N)
    end = first + 1 + (rng.random(N) * (50 - first)).astype(int).clip(0, 49 - first)
    index = draws.located_within(weights, first, end, np.nextafter(np.ones(N), 0.0))
    assert ((index >= first) & (index < end)).all()


def test_gumbel_noise_needs_no_common_scale() -> None:
    rng = np.random.default_rng(3)
    log_weights = np.array([-1000.0, -1000.0 + np.log(3), -np.inf])
    counts = np.bincount(draws.gumbel_argmax(np.tile(log_weights, (N, 1)), rng), minlength=3)
    assert counts[2] == 0
    assert chisquare(counts[:2], [N / 4, 3 * N / 4]).pvalue > 1e-6
