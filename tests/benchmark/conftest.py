"""Small data sets for the harness."""

from __future__ import annotations

import numpy as np
import pytest

import genzoo
from genzoo.datasets.truth import TrueGrid


@pytest.fixture(scope="session")
def coin() -> genzoo.Dataset:
    """Two variables whose true distribution is known."""
    schema = genzoo.Schema(
        (genzoo.Variable("a", cardinality=2), genzoo.Variable("b", cardinality=3)), "table", (2,)
    )
    truth = TrueGrid(schema, np.array([[0.3, 0.1, 0.1], [0.05, 0.05, 0.4]]))
    rows = truth.sample(600, seed=0)
    return genzoo.Dataset("coin", schema, rows[:300], rows[300:400], rows[400:], truth=truth)
