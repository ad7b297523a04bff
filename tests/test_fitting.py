"""Budgets, clocks and the record of a fit, on a clock that the tests move."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from genzoo.fitting import Budget, Clock, CurvePoint, Fit, Training

# ---------------------------------------------------------------- what a budget says


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        (None, Budget()),
        ("60s", Budget(seconds=60.0)),
        (" 1.5 seconds ", Budget(seconds=1.5)),
        ("2000 steps", Budget(steps=2000)),
        ("1 step", Budget(steps=1)),
        (Budget(steps=3), Budget(steps=3)),
    ],
)
def test_a_budget_is_seconds_or_steps_or_neither(text, budget):
    assert Budget.parse(text) == budget


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("soon", 'budget: expected "60s", "2000 steps" or None; got \'soon\''),
        ("60", 'budget: expected "60s", "2000 steps" or None; got'),
        ("-3s", 'budget: expected "60s", "2000 steps" or None; got'),
        (60, 'budget: expected "60s", "2000 steps" or None; got 60'),
        ("0s", "budget: expected a positive number; got '0s'"),
        ("0 steps", "budget: expected a positive number"),
        ("2.5 steps", "budget: expected a whole number of steps; got '2.5 steps'"),
    ],
)
def test_other_budgets_are_refused(text, found):
    with pytest.raises(ValueError) as error:
        Budget.parse(text)
    assert found in str(error.value)


def test_a_budget_reads_as_it_was_written():
    for text in ("60s", "1.5s", "0.00001s", "1234567.5s", "2000 steps"):
        assert str(Budget.parse(text)) == text
    assert str(Budget()) == "default"


# ---------------------------------------------------------------- the clock


def answers(stretch: Clock) -> tuple[object, ...]:
    half = stretch.part(0.5)
    return (stretch.spent, stretch.left, stretch.done, half.left, half.done, half)


@pytest.mark.parametrize("at", [0.0, 3.0, 10.0, 25.0])
def test_a_question_to_a_clock_changes_nothing(clock, at):
    stretch = Clock(began=0.0, ends=10.0)
    before = dataclasses.astuple(stretch)
    clock.at = at
    first = answers(stretch)
    assert answers(stretch) == first
    assert dataclasses.astuple(stretch) == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        stretch.ends = 20.0


def test_a_stretch_of_time_is_spent_and_over(clock):
    stretch = Clock(began=2.0, ends=10.0)
    for at, expected in {2.0: (0, 8, 0.0), 4.0: (2, 6, 0.25), 10.0: (8, 0, 1.0)}.items():
        clock.at = at
        assert (stretch.spent, stretch.left, stretch.done) == expected
    clock.at = 12.0
    assert (stretch.left, stretch.done) == (0.0, 1.0)
    assert stretch.spent == 10.0


def test_a_part_is_the_first_share_of_a_stretch(clock):
    stretch = Clock(began=0.0, ends=10.0)
    clock.at = 4.0
    part = stretch.part(0.6)
    assert (part.began, part.ends, part.left) == (0.0, 6.0, 2.0)
    clock.at = 7.0
    assert (part.left, part.done) == (0.0, 1.0)
    assert stretch.left == 3.0


def test_a_stretch_without_a_limit_is_never_over(clock):
    stretch = Clock(began=0.0)
    clock.at = 1e9
    for one in (stretch, stretch.part(0.1)):
        assert (one.left, one.done) == (math.inf, 0.0)
    assert stretch.spent == 1e9


# ---------------------------------------------------------------- may, did, stop


def test_without_a_budget_nothing_depends_on_the_clock(clock):
    fit = Fit()
    asked, clock.at = clock.asked, 1e9
    for _ in range(3):
        assert fit.may("steps")
        assert fit.may("splits", clock=Clock(0.0, 1.0), expected=1e6)
        fit.did("steps")
    assert clock.asked == asked
    assert not fit.limited
    assert fit.part("search", 0.2).may("splits", expected=1e6)


def test_seconds_end_all_work_and_asking_changes_nothing(clock):
    fit = Fit(budget=Budget(seconds=10.0))
    clock.at = 4.0
    assert fit.limited
    assert [fit.may("steps") for _ in range(3)] == [True] * 3
    assert fit.training == Training()
    assert fit.may("splits", expected=6.0)
    assert not fit.may("splits", expected=6.5)
    assert fit.may("splits", clock=fit.clock.part(0.5))
    assert not fit.may("splits", clock=fit.clock.part(0.4))
    assert not fit.may("splits", clock=fit.clock.part(0.5), expected=2.0)
    clock.at = 10.0
    assert not fit.may("steps")
    assert not fit.may("splits")


def test_steps_end_steps_and_the_clock_ends_nothing(clock):
    fit = Fit(budget=Budget(steps=3))
    for _ in range(3):
        clock.at += 1e6
        assert fit.may("steps", expected=1e6)
        fit.did("steps")
    assert not fit.may("steps")
    assert fit.may("splits", expected=1e6)
    fit.did("splits", 2)
    assert fit.may("splits")
    assert fit.training.work == {"steps": 3, "splits": 2}
    assert fit.training.steps == 3


@pytest.mark.parametrize("by", ["budget", "steps"])
def test_what_a_limit_ended_has_not_converged(by):
    fit = Fit(budget=Budget(steps=3))
    fit.did("steps", 3)
    assert (fit.training.converged, fit.training.stopped_by) == (True, "converged")
    fit.stop("steps", by=by)
    fit.stop("splits", by=by)
    assert (fit.training.converged, fit.training.stopped_by) == (False, by)
    assert fit.training.stops == [("steps", 3), ("splits", 0)]


# ---------------------------------------------------------------- replay


def grown(fit: Fit, clock, seconds: float) -> Fit:
    """A fit of two phases, as families have them: splits in half of the time, then steps."""
    for unit, end, most in (("splits", fit.clock.part(0.5), 40), ("steps", fit.clock, 60)):
        for _ in range(most):
            if not fit.may(unit, clock=end, expected=seconds):
                fit.stop(unit)
                break
            clock.at += seconds
            fit.did(unit)
    return fit


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.3, 1.0, 7.0])
def test_a_record_repeats_its_work_on_a_machine_of_any_speed(clock, seconds):
    budget = Budget(seconds=6.0)
    first = grown(Fit(budget=budget), clock, seconds).training
    replay = Budget.replay(first, "6s")
    assert replay.seconds == 6.0
    for slower in (1e-3, 1.0, 1e3):
        again = grown(Fit(budget=replay), clock, seconds * slower).training
        assert (again.work, again.stops, again.stopped_by) == (
            first.work,
            first.stops,
            first.stopped_by,
        )
    assert first.stopped_by == ("converged" if seconds == 0.01 else "budget")


def test_a_record_without_a_stop_is_replayed_without_a_limit(clock):
    first = Training(steps=5, work={"steps": 5})
    fit = Fit(budget=Budget.replay(first, "1s"))
    clock.at = 1e6
    fit.did("steps", 5)
    assert fit.may("steps")


def test_a_record_survives_json():
    training = Training(steps=3, seconds=1.5, work={"steps": 3, "search/splits": 2})
    training.stops = [("search/splits", 2), ("steps", 3)]
    training.curve = [CurvePoint(1, 0.5, None, -2.0), CurvePoint(3, 1.5, -np.inf, math.nan)]
    training.stopped_by, training.converged, training.notes = "budget", False, ["hurried"]
    read = Training.from_json(json.loads(json.dumps(training.to_json(), allow_nan=False)))
    training.curve[1] = CurvePoint(3, 1.5, None, None)
    assert read == training
    assert Budget.replay(read) == Budget.replay(training)


def test_a_record_of_an_earlier_version_is_read():
    record = Training(steps=3).to_json()
    del record["work"], record["stops"]
    assert Training.from_json(record) == Training(steps=3)


# ---------------------------------------------------------------- parts of a fit


def test_a_part_has_what_is_left_of_its_share_of_the_seconds(clock):
    fit = Fit(seed=1, budget=Budget(seconds=10.0))
    clock.at = 2.0
    part = fit.part("search", 0.5)
    assert part.budget == Budget(seconds=3.0)
    assert part.clock == Clock(2.0, 5.0)
    assert part.seed != fit.seed
    assert part.seed == fit.part("search", 0.9).seed != fit.part("polish", 0.5).seed
    clock.at = 7.0
    late = fit.part("search", 0.5)  # its share is spent: next to nothing, but a legal budget
    assert 0.0 < late.budget.seconds <= 0.01


def test_a_part_has_what_is_left_of_its_share_of_the_steps():
    fit = Fit(budget=Budget(steps=100))
    fit.did("steps", 10)
    assert fit.part("search", 0.3).budget == Budget(steps=20)
    fit.did("steps", 30)
    assert fit.part("search", 0.3).budget == Budget(steps=0)
    assert not fit.part("search", 0.3).may("steps")


def test_what_a_part_did_is_taken_under_its_name_and_replayed(clock):
    fit = Fit(budget=Budget(seconds=10.0))
    part = grown(fit.part("search", 0.6), clock, 0.5)
    fit.take("search", part)
    work = {f"search/{unit}": n for unit, n in part.training.work.items()}
    assert fit.training.work == {**work, "steps": part.training.steps}
    assert fit.training.steps == part.training.steps > 0
    assert fit.training.stops == [(f"search/{unit}", n) for unit, n in part.training.stops]
    fit.stop("steps")

    again = Fit(budget=Budget.replay(fit.training, "10s"))
    repeated = grown(again.part("search", 0.6), clock, 50.0)
    assert repeated.training.work == part.training.work
    assert repeated.training.stops == part.training.stops
    assert grown(again.part("other", 0.6), clock, 50.0).training.stops == []
    again.take("search", repeated)
    assert not again.may("steps")
    assert again.training.work == fit.training.work


def test_progress_of_a_part_is_mapped_into_the_whole(clock):
    told = []
    fit = Fit(budget=Budget(steps=100), report=lambda done, text: told.append((done, text)))
    fit.did("steps", 20)
    fit.report(0.2, "begun")
    part = fit.part("search", 0.6)
    for done in (0.0, 0.5, 1.0, 7.0):
        part.report(done, "looking")
    fit.report(-1.0, "odd")
    assert [text for _, text in told] == ["begun", *["search: looking"] * 4, "odd"]
    assert [done for done, _ in told] == pytest.approx([0.2, 0.2, 0.4, 0.6, 0.6, 0.6])


# ---------------------------------------------------------------- randomness, curve, notes


def test_streams_of_a_fit_are_named():
    fit = Fit(seed=3)
    draws = [fit.rng(*keys).random(3).tolist() for keys in (("a",), ("a",), ("b",), ("a", 1))]
    assert draws[0] == draws[1]
    assert len({tuple(one) for one in draws}) == 3
    assert fit.torch_rng("a").initial_seed() == Fit(seed=3).torch_rng("a").initial_seed()
    assert fit.torch_rng("a").initial_seed() != Fit(seed=4).torch_rng("a").initial_seed()


def test_the_curve_has_the_steps_and_seconds_of_its_moment(clock):
    fit = Fit()
    fit.did("steps", 4)
    clock.at = 2.5
    fit.point(-3.0, None)
    fit.did("steps", 5)
    fit.point(None, -2.0)
    fit.note("short of memory")
    assert fit.training.curve == [CurvePoint(4, 2.5, -3.0, None), CurvePoint(9, 2.5, None, -2.0)]
    assert fit.training.notes == ["short of memory"]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"seconds": -1.0}, "budget: seconds: expected a positive number; got -1.0"),
        ({"seconds": float("nan")}, "budget: seconds: expected a positive number; got nan"),
        ({"steps": -1}, "budget: steps: expected an integer of at least 0; got -1"),
        ({"steps": 2.5}, "budget: steps: expected an integer of at least 0; got 2.5"),
        ({"seconds": 1.0, "steps": 2}, "budget: expected seconds or steps; got both"),
    ],
)
def test_a_budget_that_is_none_is_refused(parts, says):
    with pytest.raises(ValueError, match=says):
        Budget(**parts)


def test_no_steps_at_all_are_for_a_part_of_a_fit_only():
    with pytest.raises(ValueError, match="budget: steps: expected a positive integer"):
        Budget.parse(Budget(steps=0))


def test_a_record_that_counts_no_work_is_not_replayed():
    with pytest.raises(ValueError, match="training: expected a record that counts its work"):
        Budget.replay(Training(steps=30, stopped_by="budget"), "2s")
