"""The distance between rows, against its definition."""

from __future__ import annotations

import numpy as np

from genzoo.metrics.embedding import embed, squared_distances
from genzoo.space.schema import Schema, Variable

VARIABLES = (
    Variable("binary", cardinality=2),
    Variable("colour", cardinality=4),
    Variable("size", "ordinal", cardinality=12),
    Variable("dose", "ordinal", cardinality=6, missing=True),
    Variable("constant", cardinality=1),
    Variable("flag", "ordinal", cardinality=2),
    Variable("word", cardinality=100),
)
SCHEMA = Schema(VARIABLES, "table", (7,))


def by_definition(a, b):
    total = 0.0
    for d, variable in enumerate(VARIABLES):
        if variable.kind == "nominal":
            total += a[d] != b[d]
            continue
        last = variable.n_values - 1
        mark = [variable.missing and row[d] > last for row in (a, b)]
        x, y = (0.5 if m else row[d] / last for m, row in zip(mark, (a, b), strict=True))
        total += (x - y) ** 2 + (mark[0] != mark[1])
    return total


def test_distances_follow_the_definition():
    rows = np.random.default_rng(0).integers(0, SCHEMA.cards, (40, 7))
    points = embed(rows, SCHEMA)
    found = squared_distances(points, embed(rows[:25], SCHEMA))
    expected = [[by_definition(a, b) for b in rows[:25]] for a in rows]
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert (np.diagonal(found) == 0).all()
    everywhere = squared_distances(points, points)
    assert np.isclose(points.mean_squared_distance(), everywhere.sum() / (40 * 39))
