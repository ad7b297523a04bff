"""Memorisation."""

from __future__ import annotations

import numpy as np
import pytest

from genzoo.metrics.memorisation import nearness_to_training
from genzoo.metrics.sides import Comparison
from genzoo.space.schema import Schema, Variable

SCHEMA = Schema(tuple(Variable(i, cardinality=2) for i in range(40)), "table", (40,))


def rows(n, seed):
    return np.random.default_rng(seed).integers(0, 2, (n, 40))


def test_copies_are_at_one_and_fresh_rows_at_a_half():
    train, real = rows(3000, 0), rows(300, 1)
    # 4.5 standard errors: 1 of 10**5 runs
    fresh = nearness_to_training(Comparison(real, rows(300, 2), SCHEMA, train=train))
    assert abs(fresh.value - 0.5) < 4.5 * fresh.stderr
    # every copy counts, wherever among the training rows its original lies
    copies = nearness_to_training(Comparison(real, train[-300:], SCHEMA, train=train))
    assert copies.value == 1
    assert copies.stderr > 0
    half = np.concatenate([train[:150], rows(150, 3)])
    mixed = nearness_to_training(Comparison(real, half, SCHEMA, train=train))
    assert abs(mixed.value - 0.75) < 4.5 * mixed.stderr


def test_the_error_is_the_spread_over_repeats():
    train = rows(500, 0)
    found = [
        nearness_to_training(
            Comparison(rows(100, 2 * s + 1), rows(100, 2 * s + 2), SCHEMA, train=train)
        )
        for s in range(60)
    ]
    spread = np.std([m.value for m in found], ddof=1)
    assert 0.7 < np.mean([m.stderr for m in found]) / spread < 1.45


def test_where_fresh_rows_repeat_training_rows_copies_look_like_draws():
    schema = Schema((Variable("a", cardinality=3),), "table", (1,))
    train = np.arange(300)[:, None] % 3
    found = nearness_to_training(Comparison(train[:50], train[50:100], schema, train=train))
    assert found.value == pytest.approx(0.5)
