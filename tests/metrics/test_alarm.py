"""The alarm on real networks: honest models under 300 seeds, and planted faults.

By Markov's inequality a level a promises at most 300 a alarms in expectation over 300 seeds: 0.3 at
a = 1e-3 and 15 at a = 0.05. The tests allow 3 and 30, which an alarm of exactly those levels
exceeds with probability 3e-4 and 1e-4; honest models stay far below the levels.
"""

from __future__ import annotations

import numpy as np
import pytest

import genzoo
from genzoo import BayesianNetwork, Independent
from genzoo.metrics import Context
from genzoo.metrics.likelihood import TRUTH_GAP, alarm
from genzoo.values import LogProb

SEEDS, N_TEST = 300, 500


@pytest.fixture(scope="module")
def asia():
    return genzoo.load_dataset("asia")


@pytest.fixture(scope="module")
def draws(asia):
    """Test rows and their true log masses, new ones for each seed."""
    rows = [asia.truth.sample(N_TEST, seed=1000 + seed) for seed in range(SEEDS)]
    return [(x, asia.truth.log_prob(x)) for x in rows]


def assert_few_alarms(claims, draws):
    found = [
        (alarm(c, p).raised, alarm(c, p, 0.05).raised)
        for c, (_, p) in zip(claims, draws, strict=True)
    ]
    at_a_thousandth, at_a_twentieth = np.sum(found, axis=0)
    assert at_a_thousandth <= 3
    assert at_a_twentieth <= 30


def test_a_correct_mixture_that_differs_from_the_truth_raises_no_alarm(asia, draws):
    independent = Independent().fit(asia.truth.sample(2000, seed=1), schema=asia.schema)
    claims = [
        LogProb.exact(np.logaddexp(np.log(0.9) + p, np.log(0.1) + independent.log_prob(x).value))
        for x, p in draws
    ]
    assert_few_alarms(claims, draws)


@pytest.mark.slow
def test_the_true_structure_refitted_on_other_draws_raises_no_alarm(asia, draws):
    claims = []
    for seed, (x, _) in enumerate(draws):
        model = BayesianNetwork(structure=asia.truth.edges)
        model.fit(asia.truth.sample(1000, seed=50_000 + seed), schema=asia.schema, seed=seed)
        claims.append(model.log_prob(x))
    assert_few_alarms(claims, draws)


def test_noisy_bounds_with_noise_for_each_position_raise_no_alarm(draws):
    # weights with mean one: log-normal noise of half a nat, centred so that E exp(noise) = 1
    claims = []
    for seed, (_, p) in enumerate(draws):
        noise = np.random.default_rng(seed).normal(-0.125, 0.5, N_TEST)
        claims.append(LogProb(p + noise, "lower_bound", np.full(N_TEST, 0.5)))
    assert_few_alarms(claims, draws)


class Leaky(Independent):
    """Half its mass lies on the rows that it is tested on."""

    def __init__(self, *, seen=None):
        super().__init__()
        self.seen = seen

    def _log_prob(self, rows, *, seed):
        honest = super()._log_prob(rows, seed=seed).value
        known, counts = np.unique(self.seen, axis=0, return_counts=True)
        lookup = {row.tobytes(): n / len(self.seen) for row, n in zip(known, counts, strict=True)}
        leaked = np.log([lookup.get(row.tobytes(), 1e-300) for row in rows])
        return LogProb.exact(np.logaddexp(honest, leaked) - np.log(2))


def test_test_rows_that_leaked_into_training_raise_the_alarm():
    data = genzoo.load_dataset("alarm")
    truth = data.truth.log_prob(data.test)
    leaky = Leaky(seen=data.test).fit(data)
    claim = leaky.log_prob(data.test)
    assert alarm(claim, truth).raised
    assert TRUTH_GAP(leaky, data, Context(claim, truth)).value < 0
    assert not alarm(Independent().fit(data).log_prob(data.test), truth).raised


@pytest.mark.parametrize(
    "fault",
    [
        lambda p: p + np.log(1.02),  # masses that sum to 1.02
        lambda p: -p,  # a wrong sign
        lambda p: 0.9 * p,  # a temperature without its normaliser
        lambda p: p / 8 * 7,  # one variable of eight left out
    ],
    ids=["unnormalised", "sign", "temperature", "forgotten variable"],
)
def test_faults_raise_the_alarm(asia, fault):
    rows = asia.truth.sample(2000, seed=7)
    truth = asia.truth.log_prob(rows)
    assert alarm(LogProb.exact(fault(truth)), truth).raised
