"""The first screen: several data sets as a picture, one data set as what to do with it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from demo_run import edit, write_demo
from judged import judged, with_scores
from reading import Element, article, names, page_of

from genzoo.report.advice import advise
from genzoo.report.overview import step_of
from genzoo.results.ranking import rank
from genzoo.results.run import read_run
from genzoo.results.way import standings, way


def heat(page: Element) -> Element:
    return page.one("table", cls="heatmap")


def test_the_way_goes_from_no_skill_to_the_truth_or_the_best_exact_family(demo: Path) -> None:
    run = read_run(demo)
    found = {d.name: (rank(run, d), way(rank(run, d))) for d in run.datasets}
    for name, (ranking, on) in found.items():
        assert on is not None
        assert on.start == "independent"
        values = {e.model: e.value for e in ranking.entries if e.value is not None}
        assert on.share(values["independent"]) == 0.0
        assert on.share(on.high) == pytest.approx(1.0)
        if name in ("alarm", "names"):
            assert (on.end, on.high) == ("truth", ranking.truth and ranking.truth.value)
        else:
            exact = {e.model: e.value for e in ranking.entries if e.kind == "exact"}
            assert on.high == max(v for v in exact.values() if v is not None)
    on = found["flowers"][1]
    assert on is not None
    assert on.share(on.low - (on.high - on.low)) == pytest.approx(-1.0)


def test_nobody_beyond_no_skill_has_no_way_to_go(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",))
    rng = np.random.default_rng(0)
    for model in ("bayesian_network", "hmm", "vae", "gan", "transformer", "independent"):
        low = 0.0 if model == "independent" else 1.0
        judged(demo, model, test=-8 - low + 0.1 * rng.standard_normal(400))
    run = read_run(demo)
    on = way(rank(run, run.datasets[0]))
    assert on is not None
    assert on.share(-9.0) == -math.inf
    assert step_of(on.share(-9.0)) == 0
    assert on.share(on.low) == 0.0
    page_of(demo)


def test_families_stand_by_their_mean_and_what_is_no_family_apart(demo: Path) -> None:
    run = read_run(demo)
    rankings = [rank(run, d) for d in run.datasets]
    found = standings(run.models, rankings)
    assert [s.model for s in found][-2:] == ["gan", "truth"]  # gan failed on one
    whole = [s for s in found if s.is_whole]
    means = [s.mean for s in whole if s.mean is not None]
    assert means == sorted(means, reverse=True)
    assert {s.model: s.kind for s in found}["vae"] == "lower_bound"
    rows = heat(page_of(demo)).one("tbody").all("tr")
    assert [row["data-model"] for row in rows] == [s.model for s in found]
    assert [row["data-model"] for row in rows if "apart" in row.classes] == ["truth"]


def test_a_cell_says_its_number_kind_and_marks_in_more_than_colour(demo: Path) -> None:
    page = page_of(demo)
    table = heat(page)

    def cell(model: str, dataset: str) -> Element:
        return table.one("tr", model=model).one("td", dataset=dataset)

    assert len(table.one("tbody").all("td")) == 7 * (5 + 1)
    bound = cell("vae", "alarm")
    assert bound.text.startswith("≥")
    assert names(bound["title"], "vae", "alarm", "lower bound", "nats", "independent", "truth")
    assert "±" in bound["title"]
    assert "↗" in cell("vae", "play").text
    assert "↗" not in bound.text
    failed = cell("gan", "names")
    assert (failed.text, failed.classes) == ("×", ["failed"])
    assert "FloatingPointError" in failed["title"]
    assert "ring" in cell("bayesian_network", "alarm").classes
    assert cell("truth", "flowers").text == "·"
    for head, name in zip(table.all("th", cls="turned"), ("alarm", "digits_binary"), strict=False):
        link = head.one("a")
        assert link["href"][1:] == article(page, name).one("h3")["id"]


def test_worse_than_no_skill_and_an_alarm_are_cells_of_their_own(demo: Path) -> None:
    for model in ("hmm", "gan"):
        path = demo / "cells" / f"{model}-alarm-0.npz"
        with np.load(path) as stored:
            arrays = dict(stored)
        np.savez(path, **(arrays | {"log_prob": arrays["log_prob"] - 50}))
    raised = {"raised": True, "statistic": 123.4, "threshold": 6.9}
    edit(demo, "transformer-alarm-0", alarm=raised)
    table = heat(page_of(demo))
    worse = table.one("tr", model="hmm").one("td", dataset="alarm")
    assert ("s0" in worse.classes, worse.text) == (True, "<0")
    assert table.one("tr", model="gan").one("td", dataset="alarm").text == "≥<0"
    alarm = table.one("tr", model="transformer").one("td", dataset="alarm")
    assert (alarm.classes, alarm.text) == (["alarm"], "!")


def test_one_sentence_leads_and_the_others_wait_behind_a_click(demo: Path) -> None:
    headline = page_of(demo).one(id="headline")
    (lead,) = headline.all("p", cls="lead")
    assert lead.text.count(".") == 1
    assert names(lead.text, "five data sets")
    assert headline.one("details").one("p").text
    assert not [e for e in page_of(demo).one(id="findings") if "open" in e.attributes]


def test_a_report_of_one_data_set_begins_with_what_to_use(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",))
    with_scores(demo)
    page, said = page_of(demo), advise(read_run(demo), "flowers")
    assert not page.all("table", cls="heatmap")
    assert not page.all("table", cls="matrix")
    uses = page.one("div", cls="uses")
    assert [e["data-purpose"] for e in uses.all("details")] == [a.purpose for a in said]
    for a in said:
        (use,) = page.all("details", purpose=a.purpose)  # and nowhere else
        assert use["data-model"] == (a.model or "")
        assert a.number in use.one("summary").text
        assert use.one("p").text == a.words
        assert page.text.count(a.words) == 1
    bars = {e["data-model"]: e for e in page.one("ul", cls="bars").all("li")}
    assert set(bars) == {"bayesian_network", "hmm", "vae", "gan", "transformer", "independent"}
    assert "bound" in bars["vae"].one("i", cls="bar").classes
    assert "bound" not in bars["hmm"].one("i", cls="bar").classes
    parts = list(page)
    assert parts.index(uses) < parts.index(page.one(id="limits"))


def test_a_bar_far_below_no_skill_is_off_the_scale(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",))
    base = with_scores(demo)
    judged(demo, "transformer", test=base - 500)
    bars = page_of(demo).one("ul", cls="bars")
    assert bars.one("li", model="transformer").all("i", cls="off")
    assert not bars.one("li", model="gan").all("i", cls="off")
    for bar in bars.all("i", cls="bar"):
        left, width = (float(part.split(":")[1].strip(" %")) for part in bar["style"].split(";"))
        assert 0 <= left <= left + width <= 100.01
