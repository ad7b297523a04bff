"""Likelihood metrics, and the alarm on models that claim more than the truth allows."""

from __future__ import annotations

import numpy as np
import pytest

from genzoo.metrics import Context
from genzoo.metrics.likelihood import BITS_PER_DIM, TEST_LOG_PROB, TRUTH_GAP, alarm
from genzoo.space.schema import Schema, Variable
from genzoo.values import LogProb, Unsupported


class Coin:
    name = "coin"
    groups = None
    schema = Schema((Variable("a", cardinality=2), Variable("b", cardinality=2)), "table", (2,))


def rows(n=2000, seed=0):
    return np.random.default_rng(seed).choice(4, n, p=P)


P = np.array([0.4, 0.3, 0.2, 0.1])
Q = np.array([0.25, 0.25, 0.25, 0.25])


def test_means_units_and_directions():
    x = rows()
    context = Context(LogProb.exact(np.log(Q)[x]), np.log(P)[x])
    nats = TEST_LOG_PROB(None, Coin, context)
    assert np.isclose(nats.value, np.log(0.25))
    assert nats.higher_is_better
    bits = BITS_PER_DIM(None, Coin, context)
    assert np.isclose(bits.value, 1.0)
    assert not bits.higher_is_better


def test_the_gap_to_the_truth_is_the_divergence():
    # paired mean over 2,000 rows; off by more than 5 standard errors once in two million runs
    x = rows()
    gap = TRUTH_GAP(None, Coin, Context(LogProb.exact(np.log(Q)[x]), np.log(P)[x]))
    exact = float(np.sum(P * (np.log(P) - np.log(Q))))
    assert abs(gap.value - exact) < 5 * gap.stderr
    with pytest.raises(Unsupported, match="truth of coin is not known"):
        TRUTH_GAP(None, Coin, Context(LogProb.exact(np.log(Q)[x])))


def test_honest_models_raise_no_alarm():
    # at level 0.05 Markov's inequality promises at most 15 alarms in expectation over 300 seeds
    alarms = 0
    for seed in range(300):
        x = rows(200, seed)
        near = np.random.default_rng(seed + 1000).dirichlet(400 * P)
        alarms += alarm(LogProb.exact(np.log(near)[x]), np.log(P)[x], level=0.05).raised
    assert alarms <= 30


def test_a_model_that_claims_too_much_raises_the_alarm():
    x = rows(500)
    unnormalised = alarm(LogProb.exact(np.log(1.05 * P)[x]), np.log(P)[x])
    assert unnormalised.raised
    assert unnormalised.threshold == pytest.approx(np.log(1000))
    wrong_sign = alarm(LogProb.exact(-np.log(P)[x]), np.log(P)[x])
    assert wrong_sign.raised
    assert not alarm(LogProb.exact(np.log(P)[x]), np.log(P)[x]).raised
    with pytest.raises(ValueError, match="the data set is wrong"):
        alarm(LogProb.exact(np.log(P)[x]), np.full(500, -np.inf))
