"""Train on synthetic, test on real."""

from __future__ import annotations

import numpy as np
import pytest

import genzoo
from genzoo.datasets.dataset import Dataset
from genzoo.keys import METRICS
from genzoo.metrics import Context
from genzoo.metrics.sides import Comparison
from genzoo.metrics.utility import tstr
from genzoo.registry import load_dataset, look_up
from genzoo.space.schema import Schema, Variable
from genzoo.values import LogProb, Unsupported

A, B, C = (Variable(n, cardinality=m) for n, m in {"a": 4, "b": 4, "c": 2}.items())
SCHEMA = Schema((A, B, C), "table", (3,))


def rows(n: int, rng: np.random.Generator, noise: float = 0.1) -> np.ndarray:
    """The label is the parity of two uniform variables, with a share of ``noise`` turned."""
    a, b = rng.integers(0, 4, (2, n))
    return np.column_stack([a, b, (a + b + (rng.random(n) < noise)) % 2])


def test_it_is_what_samples_teach() -> None:
    # what is compared lies more than 4.5 standard errors off in 1 of 10**5 runs
    rng = np.random.default_rng(0)
    real, copy = rows(1000, rng), rows(1000, rng)
    good = tstr(Comparison(real, copy, SCHEMA))
    assert good.higher_is_better
    assert abs(good.value - 0.9) < 4.5 * good.stderr < 0.1
    # a label that has nothing to do with the rest: a coin
    alone = np.column_stack([copy[:, :2], rng.permutation(copy[:, 2])])
    none = tstr(Comparison(real, alone, SCHEMA))
    assert abs(none.value - 0.5) < 4.5 * none.stderr
    # samples of one class: its share among the real rows
    one = tstr(Comparison(real, copy[copy[:, 2] == 1], SCHEMA))
    assert one.value == pytest.approx((real[:, 2] == 1).mean(), abs=0.1)


def test_where_all_are_right_the_error_is_not_zero() -> None:
    rng = np.random.default_rng(1)
    found = tstr(Comparison(rows(200, rng, 0), rows(200, rng, 0), SCHEMA))
    assert found.value == 1
    assert found.stderr == pytest.approx(1 / 200)


def test_groups_make_the_error_larger() -> None:
    rng = np.random.default_rng(2)
    real, fake = (np.repeat(rows(60, rng, 0.3), 10, axis=0) for _ in "ab")
    groups = np.repeat(np.arange(60), 10)
    apart = tstr(Comparison(real, fake, SCHEMA))
    together = tstr(Comparison(real, fake, SCHEMA, groups=(groups, groups)))
    assert together.stderr > 1.5 * apart.stderr


@pytest.mark.slow
@pytest.mark.parametrize("n", [40, 300])
def test_the_error_is_no_smaller_than_the_spread_over_repeats(n: int) -> None:
    # the spread of 30 repeats is 1.7 times its expectation in fewer than 1 of 10**5 runs
    rng = np.random.default_rng(3)
    found = [tstr(Comparison(rows(n, rng), rows(n, rng), SCHEMA, seed=s)) for s in range(30)]
    spread, stated = np.std([m.value for m in found], ddof=1), np.mean([m.stderr for m in found])
    assert spread < 1.7 * stated
    assert stated < 3 * spread


def test_only_of_data_with_a_label() -> None:
    metric, test = look_up(METRICS, "tstr", "metric"), LogProb.exact(np.zeros(1))
    asia = load_dataset("asia")
    with pytest.raises(Unsupported, match="asia has no label"):
        metric(None, asia, Context(test, samples=asia.valid))
    unlabelled = Schema((A, B, Variable("c", cardinality=3, missing=True)), "table", (3,))
    few = rows(100, np.random.default_rng(4))
    few[15:, 2] = unlabelled.variables[2].n_values
    dataset = Dataset("few", unlabelled, few, few, few, label="c")
    with pytest.raises(Unsupported, match="20 rows with a label"):
        metric(None, dataset, Context(test, samples=few))


def test_independent_columns_teach_nothing_and_real_rows_do() -> None:
    data = load_dataset("breast_cancer")
    metric, test = look_up(METRICS, "tstr", "metric"), LogProb.exact(np.zeros(1))
    model = genzoo.make_model("independent").fit(data, seed=0)
    drawn = metric(model, data, Context(test, samples=np.asarray(model.sample(500, seed=1))))
    fresh = metric(None, data, Context(test, samples=data.valid))
    assert fresh.value > 0.85
    assert drawn.value < fresh.value - 3 * np.hypot(drawn.stderr, fresh.stderr)
