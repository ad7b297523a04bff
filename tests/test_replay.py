"""The work of a fit that a clock cut short, done again on a machine of another speed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from genzoo import HMM, Mixture, NGram, Schema, Variable
from genzoo.fitting import Budget, Fit, Training
from genzoo.models.hmm.em import ChainEM
from genzoo.models.mixture import search as mixture
from genzoo.models.ngram import search as ngram

FAMILIES = {
    "hmm": (HMM(), "steps"),
    "hmm of 5 states": (HMM(n_states=5, pseudo_count=1.0), "steps"),
    "mixture": (Mixture(n_restarts=3), "steps"),
    "mixture of 9": (Mixture(n_components=9), "steps"),
    "ngram": (NGram(), "lengths"),
}
every_family = pytest.mark.parametrize("name", FAMILIES)


def rows_of_strings(n: int = 300, D: int = 10) -> tuple[Schema, np.ndarray]:
    """Each symbol mostly follows the one two places before."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 3, (n, D))
    for d in range(2, D):
        rows[:, d] = np.where(rng.random(n) < 0.7, (rows[:, d - 2] + 1) % 3, rows[:, d])
    variables = tuple(Variable(f"x{d}", "nominal", 3) for d in range(D))
    return Schema(variables, "sequence", (D,)), rows


def clock(step: float) -> Callable[[], float]:
    """A clock that is further on by ``step`` seconds each time that it is asked."""
    calls = iter(range(10**9))
    return lambda: step * next(calls)


def outcome(
    name: str, budget: Budget | str, step: float, monkeypatch
) -> tuple[np.ndarray, Training]:
    schema, rows = rows_of_strings()
    monkeypatch.setattr("genzoo.fitting.now", clock(step))
    model = FAMILIES[name][0].fit(rows, schema=schema, budget=budget, seed=1)
    return model.log_prob(rows).value, model.training_


@every_family
@pytest.mark.parametrize("seconds", [0.15, 0.5, 2.0])
def test_a_fit_that_was_cut_is_repeated_whatever_the_machines_speed(name, seconds, monkeypatch):
    budget = f"{seconds}s"
    value, training = outcome(name, budget, 0.01, monkeypatch)
    for step in (1e-6, 100.0):
        again, record = outcome(name, Budget.replay(training, budget), step, monkeypatch)
        np.testing.assert_array_equal(again, value)
        assert (record.work, record.stops) == (training.work, training.stops)
        assert (record.stopped_by, record.notes) == (training.stopped_by, training.notes)
        assert [p.valid for p in record.curve] == [p.valid for p in training.curve]


@every_family
def test_the_clock_ends_a_fit_and_a_fit_without_a_budget_ignores_it(name, monkeypatch):
    unit = FAMILIES[name][1]
    cut = outcome(name, "0.15s", 0.01, monkeypatch)[1]
    # an n-gram is cut where it chooses places, and again where it counts lengths
    assert (unit, cut.work[unit]) in cut.stops
    assert len(cut.stops) == 1 or name == "ngram"
    assert all(cut.work.get(kind, 0) == count for kind, count in cut.stops)
    slow = outcome(name, None, 1000.0, monkeypatch)
    fast = outcome(name, None, 1e-9, monkeypatch)
    np.testing.assert_array_equal(slow[0], fast[0])
    assert slow[1].stops == []
    assert slow[1].work[unit] > cut.work[unit]


@every_family
def test_no_iteration_is_begun_that_is_not_expected_to_fit(name, monkeypatch):
    """Time goes by in iterations alone, five seconds each of them, whatever their size."""
    schema, rows = rows_of_strings()
    seconds = 0.0

    def slowly(function):
        def call(*args, **kwargs):
            nonlocal seconds
            seconds += 5.0
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr("genzoo.fitting.now", lambda: seconds)
    monkeypatch.setattr(ChainEM, "expected", slowly(ChainEM.expected))
    monkeypatch.setattr(mixture, "step", slowly(mixture.step))
    monkeypatch.setattr(ngram.Search, "lengthen", slowly(ngram.Search.lengthen))
    training = FAMILIES[name][0].fit(rows, schema=schema, budget="22s").training_
    assert len(training.stops) == 1
    assert 10 <= training.seconds <= 22


def test_a_unit_that_a_limit_ended_is_never_begun_again(monkeypatch):
    seconds = 0.0
    monkeypatch.setattr("genzoo.fitting.now", lambda: seconds)
    fit = Fit(budget=Budget(seconds=10.0))
    assert fit.goes_on("steps", expected=4.0, affordable=False)  # a budget is the only limit
    fit.did("steps")
    seconds = 7.0
    assert not fit.goes_on("steps", expected=4.0)
    assert not fit.goes_on("steps", expected=0.0)
    assert fit.training.stops == [("steps", 1)]
    assert (fit.training.converged, fit.training.stopped_by) == (False, "budget")
    assert fit.goes_on("lengths", expected=2.0)
    assert fit.done() == 0.7
    free = Fit()
    assert free.goes_on("steps", expected=1e9)
    assert free.done(otherwise=0.3) == 0.3
    assert not free.goes_on("steps", affordable=False)
    assert (free.stopped("steps"), free.training.stopped_by) == (True, "steps")
    assert not Fit(budget=Budget.replay(free.training)).limited
