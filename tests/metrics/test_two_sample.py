"""The classifier two-sample test."""

from __future__ import annotations

import numpy as np
import pytest

import genzoo
from genzoo.metrics.embedding import embed
from genzoo.metrics.sides import Comparison
from genzoo.metrics.two_sample import c2st
from genzoo.registry import load_dataset
from genzoo.space.schema import Schema, Variable


def test_sees_what_is_only_in_the_joint_distribution():
    # the parity of two variables with uniform marginals: an ideal classifier is right 3 in 4 times
    schema = Schema(tuple(Variable(n, cardinality=2) for n in "abc"), "table", (3,))
    rng = np.random.default_rng(0)
    real = rng.integers(0, 2, (2000, 3))
    fake = real[rng.permutation(2000)]
    fake[:, 1] = fake[:, 0]
    found = c2st(Comparison(real, fake, schema))
    # off by 4.5 standard errors in 1 of 10**5 runs
    assert abs(found.value - 0.75) < 4.5 * found.stderr
    assert not found.higher_is_better


def test_accuracy_is_one_where_supports_differ_and_many_codes_are_fine():
    schema = Schema(
        (Variable("a", cardinality=1000), Variable("b", cardinality=300)), "table", (2,)
    )
    rng = np.random.default_rng(1)
    real, fake = rng.integers(0, [500, 300], (300, 2)), rng.integers(0, [500, 300], (200, 2))
    fake[:, 0] += 500
    found = c2st(Comparison(real, fake, schema))
    assert found.value > 0.98
    assert 0 < found.stderr < 0.02


@pytest.mark.slow
def test_the_error_is_no_smaller_than_the_spread_over_repeats():
    # the spread of 40 repeats is 1.6 times its expectation in fewer than 1 of 10**5 runs
    schema = Schema(tuple(Variable(n, cardinality=2) for n in "abc"), "table", (3,))
    rng = np.random.default_rng(2)
    found = [c2st(Comparison(*rng.integers(0, 2, (2, 120, 3)), schema, seed=s)) for s in range(40)]
    spread = np.std([m.value for m in found], ddof=1)
    assert spread < 1.6 * np.mean([m.stderr for m in found])


def test_trees_see_what_logistic_regression_does_not():
    """Samples of independent columns: a score by logistic regression finds nothing wrong with them,
    as detection scores of published tables do (1 - max(2 AUC - 1, 0), 1 for a perfect copy)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict

    data = load_dataset("alarm")
    model = genzoo.make_model("independent").fit(data, seed=0)
    samples = np.asarray(model.sample(2000, seed=1))
    rows = embed(np.concatenate([data.test[:2000], samples]), data.schema).coordinates
    is_fake = np.repeat([0, 1], [len(rows) - 2000, 2000])
    shares = cross_val_predict(
        LogisticRegression(max_iter=300), rows, is_fake, cv=3, method="predict_proba"
    )[:, 1]
    score = 1 - max(2 * roc_auc_score(is_fake, shares) - 1, 0.0)
    assert score > 0.95
    assert c2st(Comparison(data.test, samples, data.schema)).value > 0.9
