"""What a run shows while it runs: time left, lines, a heartbeat, events."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

import genzoo
from genzoo.benchmark import pool
from genzoo.benchmark.pace import Pace
from genzoo.benchmark.plan import make_plan
from genzoo.benchmark.progress import HEARTBEAT, Lines
from genzoo.fitting import Budget

COIN = ["a", "b"] * 30


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def cells(budget="10s", models=("vae", "gan"), datasets=("x", "y")):
    plan = make_plan(list(models), dict.fromkeys(datasets, COIN), 1, budget, None)
    return plan.cells


def test_of_a_cell_the_budget_tells_at_first_and_what_is_done_later(clock):
    (cell, *_) = cells()
    pace = Pace([cell], 1, clock)
    pace.start(cell)
    clock.time = 2.0
    # 8 s of training, and judging, of which nothing is known: a fifth of the bar
    assert pace.left_of(cell) == pytest.approx(8 + 2.5)
    pace.advance(cell, 0.4)  # half of the training in two seconds
    assert pace.left_of(cell) == pytest.approx(2 + 1)
    pace.advance(cell, 0.1)  # what is done does not fall
    assert pace.left_of(cell) == pytest.approx(2 + 1)


def test_without_a_budget_nothing_is_told_before_something_is_done(clock):
    first, second, *_ = cells("default")
    pace = Pace([first, second], 1, clock)
    pace.start(first)
    clock.time = 4.0
    assert pace.left_of(first) is None
    assert pace.left is None
    pace.advance(first, 0.2)
    assert pace.left_of(first) == pytest.approx(12 + 4)
    assert pace.left is None  # of the second nothing is known
    clock.time = 20.0
    assert pace.finish(first, 15.0) == pytest.approx(20)
    assert pace.left == pytest.approx(15 + 5)


def test_judging_and_families_are_learned_from_what_is_finished(clock):
    vae_x, gan_x, vae_y, gan_y = cells()
    assert (vae_x.label, vae_x.data.label, vae_y.data.label) == ("vae", "x", "y")
    pace = Pace([vae_x, gan_x, vae_y, gan_y], 2, clock)
    assert pace.left == pytest.approx(4 * 10 / 2)
    pace.start(vae_x)
    clock.time = 9.0
    pace.finish(vae_x, 5.0)  # half of its budget, and 4 s of judging
    # gan takes what it may, vae half of it
    assert pace.left == pytest.approx((10 + 4 + 5 + 4 + 10 + 4) / 2)
    pace.start(vae_y)
    pace.advance(vae_y, 0.8)
    clock.time += 1.0
    assert pace.left_of(vae_y) == pytest.approx(3)
    clock.time += 10.0
    assert pace.left_of(vae_y) == 0.0  # never below


def test_a_cell_that_runs_holds_up_the_end(clock):
    (cell, *_) = cells(models=("vae",), datasets=("x",))
    pace = Pace([cell], 8, clock)
    pace.start(cell)
    assert pace.left == pace.left_of(cell)


def test_failures_tell_nothing_of_time(clock):
    first, second = cells(models=("vae",))
    pace = Pace([first, second], 1, clock)
    pace.start(first)
    clock.time = 1.0
    pace.finish(first, None)
    assert pace.left == pytest.approx(10)


def test_steps_are_no_seconds(clock):
    (cell, *_) = cells("20 steps", models=("vae",), datasets=("x",))
    assert cell.data.budget == Budget(steps=20)
    pace = Pace([cell], 1, clock)
    pace.start(cell)
    assert pace.left_of(cell) is None


def result(cell, **values):
    found = {"status": "ok", "reason": None, "test_log_prob": -1.5, "kind": "exact", "stderr": 0.1}
    return SimpleNamespace(ok=True, train_seconds=6.0, **(found | values))


def test_lines_tell_the_time_that_is_left(clock, capsys):
    first, second = cells(models=("vae",))
    lines = Lines(2, 0, ["two cells"], Pace([first, second], 1, clock))
    with lines:
        lines.start(first)
        clock.time = 8.0
        lines.finish(first, result(first))
        lines.start(second)
        clock.time = 16.0
        lines.finish(second, result(second))
    assert capsys.readouterr().err.splitlines() == [
        "two cells",
        "[1/2] vae on x, seed 0: -1.50 +- 0.10 nats (8.0 s; about 8.0 s left)",
        "[2/2] vae on y, seed 0: -1.50 +- 0.10 nats (8.0 s)",
    ]


def test_a_heartbeat_once_a_minute_with_what_the_fit_says(clock, capsys):
    (cell, *_) = cells("200s", models=("vae",), datasets=("x",))
    lines = Lines(1, 0, [], Pace([cell], 1, clock))
    with lines:
        lines.start(cell)
        lines.advance(cell, 0.1, "training: step 7: -3.100 nats per validation row")
        for _ in range(int(3 * HEARTBEAT) - 1):
            clock.time += 1.0
            lines.wait()
        said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    wanted = (
        r"running: vae on x, seed 0 \(10%, training: step 7: -3.100 nats per validation row\); "
        r"about \d.* left"
    )
    assert all(re.fullmatch(wanted, line) for line in said)


def test_no_heartbeat_where_lines_come_anyway(clock, capsys):
    two = cells("200s", models=("vae",))
    lines = Lines(2, 0, [], Pace(two, 1, clock))
    for cell in two:
        lines.start(cell)
        for _ in range(50):
            clock.time += 1.0
            lines.wait()
        lines.finish(cell, result(cell))
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_pool_says_when_nothing_happens(monkeypatch):
    events = pool.run_jobs([pool.pickled((_sleep, 2.5))], 1)
    assert any(isinstance(event, pool.Waited) for event in events)


def _sleep(seconds, *, progress):
    import time

    time.sleep(seconds)


def test_a_function_gets_the_events(tmp_path, cells_run_here, capsys):
    events = []
    data = {"coin": COIN}
    models = ["independent", "mixture"]
    genzoo.compare(models, data, out=tmp_path, progress=events.append, budget="1 steps")
    assert capsys.readouterr().err == ""
    assert json.loads(json.dumps(events, allow_nan=False)) == events
    assert events[0] == {"event": "plan", "cells": 2, "reused": 0}
    finished = [e for e in events if e["event"] == "finish"]
    assert {e["model"] for e in finished} == set(models)
    assert [e["done"] for e in finished] == [1, 2]
    table = genzoo.load_run(tmp_path).table().set_index("model")
    for event in finished:
        assert event["status"] == "ok"
        assert event["test_log_prob"] == table.test_log_prob[event["model"]]
        assert event["seconds"] > 0
    again = []
    genzoo.compare(models, data, out=tmp_path, progress=again.append, budget="1 steps")
    assert again[0] == {"event": "plan", "cells": 2, "reused": 2}
    assert [e["event"] for e in again[1:]] == ["note"]
    assert "are reused" in again[1]["text"]


def test_an_exception_of_the_function_ends_the_call(tmp_path, cells_run_here):
    def refuse(event):
        if event["event"] == "start":
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        genzoo.compare(["independent"], {"coin": COIN}, out=tmp_path, progress=refuse)


@pytest.mark.parametrize("progress", [3, "yes", 0.5])
def test_other_values_are_refused_before_any_work(progress, tmp_path):
    with pytest.raises(ValueError, match="progress: expected True, False, None or a function"):
        genzoo.compare(["independent"], {"coin": COIN}, out=tmp_path / "x", progress=progress)
    assert not (tmp_path / "x").exists()


def test_networks_tell_where_they_stand():
    said = []
    genzoo.VAE().fit(
        COIN, budget="30 steps", progress=lambda fraction, message: said.append(message)
    )
    assert any(re.fullmatch(r"step \d+: -\d+\.\d{3} nats per validation row", m) for m in said)


def test_cells_are_named_by_fold(clock, capsys):
    (cell, *_) = cells(models=("vae",), datasets=("x",))
    cell = replace(cell, data=replace(cell.data, fold=1, folds=3))
    lines = Lines(1, 0, [], Pace([cell], 1, clock))
    lines.start(cell)
    lines.finish(cell, result(cell))
    assert "vae on x, seed 0, fold 2 of 3" in capsys.readouterr().err
