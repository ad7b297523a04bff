"""Maximum mean discrepancy, against its value for known distributions."""

from __future__ import annotations

import numpy as np
import pytest

from genzoo.metrics.embedding import embed, squared_distances
from genzoo.metrics.mmd import mmd_squared
from genzoo.metrics.sides import Comparison
from genzoo.space.schema import Schema, Variable

SCHEMA = Schema(
    (Variable("a", cardinality=3), Variable("b", "ordinal", cardinality=5)), "table", (2,)
)
CELLS = SCHEMA.enumerate()


@pytest.mark.parametrize("distance", [0.0, 0.2, 0.6])
def test_unbiased_with_an_error_that_is_the_spread_over_repeats(distance):
    rng = np.random.default_rng(4)
    p, other = rng.dirichlet(np.ones(len(CELLS)), 2)
    q = (1 - distance) * p + distance * other
    points = embed(CELLS, SCHEMA)
    kernel = np.exp(-squared_distances(points, points) / 0.8)
    exact = (p - q) @ kernel @ (p - q)
    found = []
    for seed in range(100):
        real, fake = (CELLS[rng.choice(len(CELLS), 80, p=w)] for w in (p, q))
        found.append(mmd_squared(Comparison(real, fake, SCHEMA, seed=seed), bandwidth=0.8))
    values = np.array([m.value for m in found])
    spread = values.std(ddof=1)
    # 4.5 standard errors: 1 of 10**5 runs
    assert abs(values.mean() - exact) < 4.5 * spread / 10
    assert 0.65 < np.mean([m.stderr for m in found]) / spread < 1.5
