"""Metrics of samples between their marks, and against likelihoods."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_run import edit, write_demo
from reading import Element, article, names, numbers_in, page_of

import genzoo
from genzoo.keys import METRICS
from genzoo.metrics import Context
from genzoo.registry import look_up
from genzoo.report.quality import quality
from genzoo.results.agreement import agreement
from genzoo.results.marks import Marks
from genzoo.results.numbers import Value
from genzoo.results.ranking import rank
from genzoo.results.run import read_run
from genzoo.values import LogProb, Unsupported


def metrics_of(demo: Path, key: str, **changed: tuple[float, float]) -> None:
    """Give a cell's samples other values."""
    kept: dict[str, Any] = json.loads((demo / "cells" / f"{key}.json").read_text())["metrics"]
    for name, (value, stderr) in changed.items():
        kept[name] = kept[name] | {"value": value, "stderr": stderr}
    edit(demo, key, metrics=kept)


def strips_of(demo: Path, dataset: str) -> Element:
    return article(page_of(demo), dataset).one(cls="strips").one("svg")


def blind(svg: Element) -> list[str]:
    """The titles of the columns that see nothing."""
    return [strip.all("text")[0].text for strip in svg.all("g", cls="blind")]


@pytest.mark.parametrize(
    ("worst", "best", "higher", "sees"),
    [
        ((0.9, 0.02), (0.5, 0.02), False, True),
        ((0.55, 0.02), (0.5, 0.02), False, False),  # 1.8 standard errors
        ((0.3, 0.02), (0.5, 0.02), False, False),  # no skill is better than held-out rows
        ((0.3, 0.02), (0.5, 0.02), True, True),
        ((1.5, 0.1), (1.0, 0.1), None, True),  # on either side
        ((0.5, 0.1), (1.0, 0.1), None, True),
        ((0.9, 0.1), (1.0, 0.1), None, False),
    ],
)
def test_a_metric_sees_where_its_marks_are_told_apart(
    worst: tuple[float, float], best: tuple[float, float], higher: bool | None, sees: bool
) -> None:
    marks = Marks(Value(*worst), Value(*best), higher)
    assert marks.sees is sees
    assert Marks(None, Value(*best), higher).sees is None


def test_of_independent_columns_nothing_is_seen_and_of_others_much() -> None:
    """A model that is right has no less skill than held-out rows; of 3 standard errors, one test in
    some 400 is wrong by chance: more than one of nine in 1 of 3,000 runs."""
    rng = np.random.default_rng(5)
    columns = rng.integers(0, 3, (2400, 6))
    tied = np.where(rng.random((2400, 6)) < 0.7, columns[:, :1], columns)
    sight = {}
    for name, rows in (("apart", columns), ("tied", tied)):
        data = genzoo.Dataset.from_data(rows, name, valid=0.3, test=0.3)
        model = genzoo.make_model("independent").fit(data, seed=0)
        drawn = np.asarray(model.sample(len(data.valid), seed=1))
        sees = []
        for key in METRICS:
            spec: Any = look_up(METRICS, key, "metric")
            if not spec.of_samples or key == "memorisation":
                continue
            try:
                worst, best = (
                    spec(None, data, Context(LogProb.exact(np.zeros(1)), samples=samples))
                    for samples in (drawn, data.valid)
                )
            except Unsupported:
                continue
            direction = spec.higher_is_better if spec.ideal is None else None
            marks = (Value(m.value, m.stderr) for m in (worst, best))
            if Marks(*marks, direction).sees:
                sees.append(key)
        sight[name] = sees
    assert len(sight["apart"]) <= 1
    assert {"c2st", "pair_tv"} <= set(sight["tied"])


def test_every_metric_is_drawn_between_its_marks(demo: Path) -> None:
    svg = strips_of(demo, "alarm")
    strips = svg.all("g", cls="strip")
    models = ["independent", "bayesian_network", "hmm", "vae", "gan", "transformer"]
    for strip in strips:
        said = [t.text for t in strip.all("title")]
        assert sorted(t.split(":")[0] for t in said) == sorted([*models, "held-out", "copycat"])
        assert strip.all(cls="at-best")
        assert strip.all(cls="at-worst")
    c2st = strips[0]
    assert "hmm: 0.654 ± 0.010" in [t.text for t in c2st.all("title")]
    # better is on the right: held-out rows beside what has no skill
    left, right = (float(c2st.one(cls=f"at-{mark}")["x1"]) for mark in ("worst", "best"))
    assert left < right
    assert blind(svg) == []


def test_what_sees_nothing_is_said_to_see_nothing(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",))
    metrics_of(demo, "independent-flowers-0", c2st=(0.52, 0.02))
    said = article(page_of(demo), "flowers").one(finding="sight").text
    assert blind(strips_of(demo, "flowers")) == ["C2ST"]
    assert names(said, "C2ST", "Recall", "Density", "Memorisation", "3")
    for other in ("Recall", "Density", "Memorisation"):
        assert said.index(other) < said.index("C2ST")
    # without the marks nothing is known
    edit(demo, "independent-flowers-0", metrics={})
    found = article(page_of(demo), "flowers")
    assert "C2ST" in found.one(finding="sight").text
    assert found.one(finding="sight").text != said
    # memory is measured by the copycat, not by independent
    metrics_of(demo, "copycat-flowers", memorisation=(0.51, 0.02))
    assert "Memorisation" in blind(strips_of(demo, "flowers"))


def test_likelihoods_and_samples_agree_by_pairs(demo: Path) -> None:
    run = read_run(demo)
    ranking = rank(run, run.dataset("alarm"))
    found = agreement(ranking.sampled, "c2st", higher=False)
    assert found is not None
    assert found.n == 15
    assert found.opposite == []
    assert 0 < found.same <= min(found.by_likelihood, found.by_metric)
    # a bound that lies lower loses nothing: no pair with a bound as the loser is told
    bounds = {"vae", "gan"}
    metrics_of(demo, "bayesian_network-alarm-0", c2st=(0.99, 0.01))  # the likeliest draws badly
    run = read_run(demo)
    ranking = rank(run, run.dataset("alarm"))
    turned = agreement(ranking.sampled, "c2st", higher=False)
    assert turned is not None
    assert ("bayesian_network", "hmm") in turned.opposite
    assert {likelier for likelier, _ in turned.opposite} == {"bayesian_network"}
    assert not {loser for _, loser in turned.opposite} & bounds
    card = article(page_of(demo), "alarm").one(cls="card", against="c2st")
    assert names(card.text, "bayesian_network", "hmm")
    assert {"15", str(turned.by_likelihood), str(turned.by_metric)} <= set(numbers_in(card.text))


def test_points_show_bounds_and_the_truth_of_labels_is_asked_where_known(demo: Path) -> None:
    card = article(page_of(demo), "alarm").one(cls="card", against="c2st")
    points = {g.one("title").text.split(":")[0]: g for g in card.all("g", cls="mark")}
    arrows = {model for model, point in points.items() if point.all(cls="upwards")}
    assert arrows == {"vae", "gan"}
    assert re.search(r"≥ −\d", points["vae"].one("title").text)
    assert not article(page_of(demo), "alarm").all(against="tstr")
    for model in ("independent", "hmm", "transformer"):
        kept = json.loads((demo / "cells" / f"{model}-flowers-0.json").read_text())["metrics"]
        tstr = kept["c2st"] | {"value": 0.8, "stderr": 0.02, "higher_is_better": True}
        edit(demo, f"{model}-flowers-0", metrics=kept | {"tstr": tstr})
    card = article(page_of(demo), "flowers").one(cls="card", against="tstr")
    assert len(card.all("g", cls="mark")) == 3


def test_who_has_no_metrics_has_no_figures(demo: Path) -> None:
    for file in (demo / "cells").glob("*-flowers*.json"):
        edit(demo, file.stem, metrics={})
    run = read_run(demo)
    assert quality(run, rank(run, run.dataset("flowers")), {}) is None
