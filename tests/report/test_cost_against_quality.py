"""Quality against cost: who is beaten, what is drawn, and labels that cover nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from demo_run import edit, key_of, write_demo

from genzoo.report import build, svg
from genzoo.report.cost import cost, cost_of_all
from genzoo.report.svg import Box
from genzoo.results.cost import Plane, Point, over_all, plane, share_error, with_a_way
from genzoo.results.ranking import Ranking, rank
from genzoo.results.record import BASELINE
from genzoo.results.run import RunRecord, read_run
from genzoo.results.way import way


def point(model: str, value: float, train: float, kind: str = "exact") -> Point:
    costs = {"train": train, "memory": 700.0}
    return Point(model, value, 0.1, 0.1, kind, False, costs)  # type: ignore[arg-type]


def test_only_a_proven_and_no_dearer_family_beats_another() -> None:
    points = [point("good", -1, 10), point("dear", -2, 20), point("cheap", -3, 1)]
    proven = Plane(points, frozenset({("good", "dear"), ("good", "cheap"), ("dear", "cheap")}))
    assert proven.beaten("train") == {"dear": ["good"]}
    assert proven.gains("train") == [("cheap", "good")]
    unproven = Plane(points, frozenset())
    assert unproven.beaten("train") == {}
    assert unproven.gains("train") == []


def test_trainings_that_use_up_one_budget_cost_the_same() -> None:
    points = [point("good", -1, 10.0), point("first", -2, 9.5), point("quick", -3, 8.0)]
    found = Plane(points, frozenset({("good", "first"), ("good", "quick")}))
    assert found.beaten("train") == {"first": ["good"]}
    assert found.gains("train") == [("quick", "good")]


def test_gains_go_from_step_to_step() -> None:
    points = [point("a", -3, 1), point("b", -2, 2), point("c", -1, 3)]
    found = Plane(points, frozenset({("c", "b"), ("c", "a"), ("b", "a")}))
    assert found.gains("train") == [("a", "b"), ("b", "c")]


def test_nobody_is_beaten_by_memory() -> None:
    """It is that of the worker with its libraries."""
    points = [point("a", -1, 1), point("b", -2, 2)]
    found = Plane(points, frozenset({("a", "b")}))
    assert found.beaten("memory") == {}
    assert found.beaten("train") == {"b": ["a"]}


def test_bounds_are_never_beaten_and_the_stack_takes_no_part(demo: Path) -> None:
    run = read_run(demo)
    for dataset in run.datasets:
        found = plane(run, rank(run, dataset))
        models = {p.model for p in found.points}
        assert "stack" not in models
        assert "truth" not in models
        bounds = {p.model for p in found.points if p.kind != "exact"}
        for name in ("train", "score", "sample"):
            assert not bounds & set(found.beaten(name))


def test_costs_are_those_of_the_records(demo: Path) -> None:
    edit(demo, key_of("hmm", "alarm"), evaluate_seconds=0.6, sample_seconds=1.0, n_sampled=500)
    run = read_run(demo)
    (hmm,) = (p for p in plane(run, rank(run, run.datasets[0])).points if p.model == "hmm")
    assert hmm.costs == pytest.approx({"train": 0.8, "score": 2.0, "sample": 2.0, "memory": 612.4})


def test_what_was_not_measured_is_named_and_not_drawn(demo: Path) -> None:
    edit(demo, key_of("hmm", "alarm"), sample_seconds=None)
    run = read_run(demo)
    found = plane(run, rank(run, run.datasets[0]))
    assert "hmm" not in {p.model for p in found.shown("sample")}
    assert "Not known of hmm." in build(demo)["html"].read_text()


def test_over_all_costs_are_geometric_means_and_unbeaten_is_counted(demo: Path) -> None:
    run = read_run(demo)
    rankings = [rank(run, d) for d in run.datasets]
    planes = [plane(run, r) for r in rankings]
    found = {p.model: p for p in over_all(run.models, rankings, planes).points}
    of = [p.costs["train"] for on in planes for p in on.points if p.model == "vae"]
    assert found["vae"].costs["train"] == pytest.approx(math.prod(of) ** (1 / len(of)))
    assert found["gan"].n == 4  # it failed on one of five
    assert found["vae"].unbeaten["train"] == (0, 0)  # a bound is never beaten
    left, able = found["transformer"].unbeaten["train"]
    assert able == 5
    assert left == sum("transformer" not in on.beaten("train") for on in planes)


def test_the_error_of_a_share_is_its_spread_over_samples_of_test_rows(tmp_path: Path) -> None:
    """The spread of 200 samples of 300 rows is known to 5 %; the error is held to 20 %."""
    rng = np.random.default_rng(3)
    folder = write_demo(tmp_path / "run", datasets=("digits_binary",))
    run = read_run(folder)
    ranking = rank(run, run.datasets[0])
    on = way(ranking)
    assert on is not None
    entries = {e.model: e for e in ranking.entries}
    errors, shares = [], []
    cells = [entries[m].fit.cells[0] for m in (on.start, on.end, "hmm")]  # type: ignore[union-attr]
    for _ in range(200):
        base = -20 + 3 * rng.standard_normal(300)
        gain = 8 + 2 * rng.standard_normal(300)
        rows = [base, base + gain, base + 0.6 * gain + rng.standard_normal(300)]
        for cell, values in zip(cells, rows, strict=True):
            object.__setattr__(cell, "log_prob", values)
        errors.append(share_error(ranking, entries["hmm"], on))
        low, high, mid = (r.mean() for r in rows)
        shares.append((mid - low) / (high - low))
    assert np.mean(errors) == pytest.approx(np.std(shares), rel=0.2)
    assert share_error(ranking, entries[on.end], on) == 0.0
    assert share_error(ranking, entries[BASELINE], on) == 0.0


# ------------------------------------------------------------------------------ labels


@pytest.mark.parametrize("n", [1, 8, 20])
def test_labels_cover_neither_points_nor_each_other(n: int) -> None:
    rng = np.random.default_rng(n)
    area = Box(70, 20, 740, 350)
    for _ in range(20):
        # half of the points in a heap, as families that use up their budget
        xs = np.where(rng.random(n) < 0.5, rng.uniform(600, 640, n), rng.uniform(80, 720, n))
        ys = rng.uniform(40, 330, n)
        labels = [(f"family_{i:02d} ↗", float(x), float(y))
                  for i, (x, y) in enumerate(zip(xs, ys, strict=True))]  # fmt: skip
        points = [Box(x - 6, y - 6, x + 6, y + 6) for _, x, y in labels]
        boxes = [box for box, _ in svg.placed(labels, points, area)]
        assert all(area.holds(box) for box in boxes)
        assert all(a.shared(b) == 0 for a, b in combinations(boxes, 2))
        assert all(a.shared(b) == 0 for a in boxes for b in points)


def test_a_label_that_is_far_from_its_point_is_led_to_it() -> None:
    heap = [(f"m{i}", 300.0, 200.0) for i in range(30)]
    found = svg.placed(heap, [], Box(0, 0, 700, 400))
    assert any(far for _, far in found)
    for (_, x, y), (box, far) in zip(heap, found, strict=True):
        near = math.hypot(max(box.left - x, x - box.right, 0), max(box.top - y, y - box.bottom, 0))
        assert far or near <= svg.NEAR


# ------------------------------------------------------------------------------ the page


def test_each_data_set_and_all_have_a_figure_of_every_cost(demo: Path) -> None:
    html = build(demo)["html"].read_text()
    for pane in ("train", "score", "sample", "memory"):
        assert html.count(f'data-pane="{pane}"') == 6  # five data sets, and all
    assert html.count('data-choice="cost"') == 6
    assert "gan (4 of 5)" in html  # whose mean is one of other data sets
    # a family of the figures is there with its kind
    assert re.search(r'data-model="vae" data-kind="lower_bound" data-beaten=""', html)


def test_a_data_set_on_which_nobody_shows_skill_has_no_share_in_the_mean(demo: Path) -> None:
    for model in ("bayesian_network", "hmm", "vae", "gan", "transformer"):
        scored(demo, model, "flowers", lambda values: values - 90)
    run = read_run(demo)
    assert len(with_a_way([rank(run, d) for d in run.datasets])) == 4
    html = build(demo)["html"].read_text()
    assert "gan (3 of 4)" in html
    assert chart_is_finite(run, [rank(run, d) for d in run.datasets])


@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_a_family_without_mass_on_a_row_is_named_and_not_drawn(demo: Path) -> None:
    scored(demo, "hmm", "flowers", lambda values: np.where(np.arange(len(values)), values, -np.inf))
    run = read_run(demo)
    rankings = [rank(run, d) for d in run.datasets]
    planes = [plane(run, r) for r in rankings]
    assert [on.endless for on in planes] == [(), (), (), ("hmm",), ()]
    found = over_all(run.models, rankings, planes)
    assert found.endless == ("hmm",)
    assert "hmm" not in {p.model for p in found.points}
    assert chart_is_finite(run, rankings)


def chart_is_finite(run: RunRecord, rankings: list[Ranking]) -> bool:
    charts = [cost_of_all(run, rankings, {}), *(cost(run, r, {}, "1") for r in rankings)]
    panes = [pane.figure for chart in charts if chart for pane in chart.panes]
    return len(panes) == 4 * len(charts) and not re.search(r'[" ,-](nan|inf)', "".join(panes))


def scored(folder: Path, model: str, dataset: str, of: Callable[[np.ndarray], np.ndarray]) -> None:
    """Change the log masses of a cell's test rows."""
    path = folder / "cells" / f"{key_of(model, dataset)}.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **(arrays | {"log_prob": of(arrays["log_prob"])}))


def test_one_data_set_needs_no_figure_over_all(tmp_path: Path) -> None:
    html = build(write_demo(tmp_path / "run", datasets=("flowers",)))["html"].read_text()
    assert html.count('data-choice="cost"') == 1
    assert 'id="cost"' not in html
