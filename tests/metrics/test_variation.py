"""Total variation, corrected for chance."""

from __future__ import annotations

import numpy as np
import pytest

from genzoo.metrics.sides import Comparison
from genzoo.metrics.variation import variation_of_marginals, variation_of_pairs
from genzoo.space.schema import Schema, Variable

SCHEMA = Schema((Variable("a", cardinality=4), Variable("b", cardinality=4)), "table", (2,))


@pytest.mark.parametrize("function", [variation_of_marginals, variation_of_pairs])
@pytest.mark.parametrize("n", [30, 300])
def test_perfect_copies_are_at_zero_on_average_at_any_size(function, n):
    # the mean of 80 is beyond 4.5 standard errors in 1 of 10**5 runs
    rng = np.random.default_rng(n)
    found = []
    for seed in range(80):
        real, fake = rng.integers(0, 4, (n, 2)), rng.integers(0, 4, (2 * n, 2))
        found.append(function(Comparison(real, fake, SCHEMA, train=real, seed=seed)))
    values = np.array([m.value for m in found])
    spread = values.std(ddof=1)
    assert abs(values.mean()) < 4.5 * spread / np.sqrt(80)
    assert 0.7 < np.mean([m.stderr for m in found]) / spread < 1.8


def test_disjoint_supports_are_at_one():
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 2, (100, 2)), rng.integers(2, 4, (50, 2))
    for function in (variation_of_marginals, variation_of_pairs):
        assert function(Comparison(real, fake, SCHEMA, train=real)).value == pytest.approx(1)


def test_close_to_the_known_distance_of_large_samples():
    # marginals (.7, .3) and (.5, .5): 0.2, of which chance corrections take off little
    schema = Schema((Variable("a", cardinality=2), Variable("b", cardinality=2)), "table", (2,))
    rng = np.random.default_rng(1)
    real, fake = (rng.random((2000, 2)) < 0.3) * 1, (rng.random((2000, 2)) < 0.5) * 1
    found = variation_of_marginals(Comparison(real, fake, schema, train=real))
    assert found.value == pytest.approx(0.2, abs=0.015 + 4.5 * found.stderr)


def test_pairs_see_dependence_that_marginals_do_not():
    rng = np.random.default_rng(2)
    real = np.repeat(rng.integers(0, 4, (1000, 1)), 2, axis=1)
    fake = rng.integers(0, 4, (1000, 2))
    marginals = variation_of_marginals(Comparison(real, fake, SCHEMA, train=real))
    assert abs(marginals.value) < 4.5 * marginals.stderr
    assert variation_of_pairs(Comparison(real, fake, SCHEMA, train=real)).value > 0.6


def test_ordinals_are_compared_in_bins_and_missing_marks_apart():
    variable = Variable("a", "ordinal", cardinality=1001, missing=True)
    schema = Schema((variable, Variable("b", cardinality=2)), "table", (2,))
    rng = np.random.default_rng(3)
    real, train = rng.integers(0, [1000, 2], (500, 2)), rng.integers(0, [1000, 2], (500, 2))
    same, other = rng.integers(0, [1000, 2], (500, 2)), real.copy()
    other[:250, 0] = 1000
    found = variation_of_marginals(Comparison(real, same, schema, train=train))
    assert abs(found.value) < 4.5 * found.stderr
    found = variation_of_marginals(Comparison(real, other, schema, train=train))
    assert found.value == pytest.approx(0.25, abs=0.05)  # half of one of two variables
