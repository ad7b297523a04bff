"""All results, a view for each measure: what stands in it, what is left out, what is coloured."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_run import BEHIND, MODELS, edit, write_demo
from judged import judge_labels, judged
from reading import Element, names, page_of

from genzoo.report.labels import NO_SKILL
from genzoo.report.matrix import View, matrix
from genzoo.report.overview import step_of
from genzoo.results.ranking import rank
from genzoo.results.run import read_run
from genzoo.results.way import standings


def views_of(folder: Path) -> dict[str, View]:
    run = read_run(folder)
    return {v.measure.title: v for v in matrix(run, [rank(run, d) for d in run.datasets])}


def view_of(page: Element, title: str) -> Element:
    """The view that the chooser shows under a title."""
    (label,) = (e for e in page.all("label") if re.sub(r" ([↑↓]|→ \S+)$", "", e.text) == title)
    return page.one("div", cls=label["for"])


def values(view: View, model: str) -> dict[str, float | None]:
    (row,) = (r for r in view.rows if r.model == model)
    return {c.dataset: c.value for c in row.cells}


def metric(value: float, stderr: float = 0.01, *, higher: bool = False) -> dict[str, Any]:
    return {"value": value, "stderr": stderr, "unit": "accuracy", "higher_is_better": higher,
            "kind": "estimate"}  # fmt: skip


def with_metrics(folder: Path, key: str, **metrics: dict[str, Any]) -> None:
    record = json.loads((folder / "cells" / f"{key}.json").read_text())
    edit(folder, key, metrics=record["metrics"] | metrics)


def test_every_measure_has_a_view_under_its_purpose(demo: Path) -> None:
    page = page_of(demo)
    part = page.one("div", cls="chooser")
    groups = {f.one("legend").text: len(f.all("input")) for f in part.all("fieldset")}
    assert groups == {"Likelihood": 3, "Samples": 5, "Cost": 5}  # nobody told a label
    inputs = part.all("input")
    assert [e["id"] for e in inputs if "checked" in e.attributes] == ["view-nats"]
    classes = [e["class"].split()[1] for e in page.all("div", cls="view")]
    shown = {name for name in classes if name.startswith("view-")}  # others are of costs
    assert shown == {e["id"] for e in inputs}
    rules = page.one("style").text
    assert all(f"#{key}:checked" in rules for key in shown)


def test_a_views_numbers_are_those_of_the_records(demo: Path) -> None:
    run, views = read_run(demo), views_of(demo)
    found = {(c.model, c.dataset): c.record for c in (*run.cells, *run.references)}
    of = {
        "C2ST": lambda r: r.metrics["c2st"].value,
        "Recall": lambda r: r.metrics["recall"].value,
        "Bits per dimension": lambda r: r.bits_per_dim,
        "Training time": lambda r: r.train_seconds,
        "Scoring time": lambda r: r.evaluate_seconds,
        "Sampling time": lambda r: r.sample_seconds,
        "Memory": lambda r: r.peak_memory_mb,
        "Parameters": lambda r: r.n_parameters,
    }
    for title, asked in of.items():
        view = views[title]
        assert view.datasets == list(BEHIND)
        for row in view.rows:
            for cell in row.cells:
                if row.model == "truth":
                    continue
                record = found[row.model, cell.dataset]
                wanted = asked(record) if record.ok else None
                assert cell.value == (None if wanted is None else pytest.approx(wanted))
    assert [r.model for r in views["C2ST"].rows if r.apart] == ["held-out", "copycat"]
    assert [r.model for r in views["Nats per row"].rows if r.apart] == ["truth"]
    assert not any(r.apart for r in views["Memory"].rows)
    for view in views.values():  # in the order of the first screen
        order = [s.model for s in standings(run.models, [rank(run, d) for d in run.datasets])]
        assert [r.model for r in view.rows if not r.apart] == [m for m in order if m in MODELS]


def test_what_the_page_sorts_by_is_the_number_that_it_shows(demo: Path) -> None:
    page = page_of(demo)
    for title, view in views_of(demo).items():
        table = view_of(page, title).one("table", cls="matrix")
        assert table["data-order"] == ("descending" if view.measure.arrow == "↑" else "ascending")
        for row in view.rows:
            line = table.one("tr", model=row.model)
            for cell, td in zip(row.cells, line.all("td"), strict=True):
                assert td["data-dataset"] == cell.dataset
                assert td.one(cls="v").text == cell.text
                if cell.value is None:
                    assert "data-value" not in td.attributes
                else:
                    assert float(td["data-value"]) == pytest.approx(cell.value, rel=1e-6)


def test_a_column_or_a_row_without_numbers_is_left_out_with_its_reason(demo: Path) -> None:
    views = views_of(demo)
    ngrams = views["n-grams, TV"]
    assert ngrams.datasets == ["names", "play"]
    reason = json.loads((demo / "cells" / "hmm-alarm-0.json").read_text())["metrics_left_out"]
    assert ("alarm", reason["ngram_tv"]) in ngrams.left_out
    assert {name for name, _ in ngrams.left_out} == {"alarm", "digits_binary", "flowers"}
    gap = views["KL from the truth"]
    assert gap.datasets == ["alarm", "names"]
    assert "truth" in dict(gap.left_out)["flowers"]
    text = view_of(page_of(demo), "n-grams, TV").one("p", cls="left-out").text
    assert names(text, "alarm", "digits_binary", reason["ngram_tv"])


def test_a_failed_cell_says_so_in_every_view(demo: Path) -> None:
    page = page_of(demo)
    tables = page.all("table", cls="matrix")
    reason = json.loads((demo / "cells" / "gan-names-0.json").read_text())["reason"]
    for table in tables:
        cell = table.one("tr", model="gan").one("td", dataset="names")
        assert "failed" in cell.classes
        assert cell.one(cls="note").text.startswith(reason[:40])
        assert cell.one("a")["href"] == "#failures"


def test_a_metric_is_coloured_between_no_skill_and_fresh_rows(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",))
    given = {"independent": 0.9, "hmm": 0.6, "vae": 0.5, "gan": 0.95}
    for model, value in given.items():
        with_metrics(demo, f"{model}-flowers-0", c2st=metric(value))
    with_metrics(demo, "held-out-flowers", c2st=metric(0.5))

    def styles(title: str) -> dict[str, str]:
        (view,) = (v for t, v in views_of(demo).items() if t == title)
        return {row.model: row.cells[0].style for row in view.rows}

    c2st = styles("C2ST")
    assert {m: c2st[m] for m in given} == {
        m: f"s{step_of((0.9 - v) / 0.4)}" for m, v in given.items()
    }
    assert {c2st["gan"], c2st["vae"]} == {"s0", "s6"}
    assert {c2st["held-out"], c2st["copycat"]} == {""}
    # neither more nor less is better
    assert {*styles("Density").values(), *styles("Memorisation").values()} == {""}
    # not where fresh rows can't be told from no skill, nor where they are worse
    for value, error in ((0.88, 0.02), (0.99, 0.01)):
        with_metrics(demo, "held-out-flowers", c2st=metric(value, error))
        assert {*styles("C2ST").values()} == {""}
    # a metric that nobody knows any more, higher is better
    for key, value in (("independent", 1.0), ("hmm", 3.0), ("held-out", 3.0)):
        name = f"{key}-flowers" + ("" if key == "held-out" else "-0")
        with_metrics(demo, name, mine=metric(value, higher=True))
    assert styles("mine")["hmm"] == "s6"
    assert styles("mine")["independent"] == "s1"


def test_costs_have_no_colours_and_alarms_none_anywhere(demo: Path) -> None:
    edit(demo, "hmm-alarm-0", alarm={"raised": True, "statistic": 99.0, "threshold": 6.9})
    for view in views_of(demo).values():
        cells = {r.model: {c.dataset: c for c in r.cells} for r in view.rows}
        if view.measure.group == "Cost":
            assert {c.style for of in cells.values() for c in of.values()} <= {"", "failed"}
        if "alarm" in view.datasets:
            assert cells["hmm"]["alarm"].style == ""
            assert cells["hmm"]["alarm"].alarm


def test_labels_stand_beside_no_skill(demo: Path) -> None:
    rng = np.random.default_rng(0)
    for model, share in (("hmm", 0.8), ("vae", 0.7)):
        judge_labels(demo, model, valid=-0.3, test=-0.4 + 0.1 * rng.standard_normal(200),
                     right=rng.random(200) < share)  # fmt: skip
    judged(demo, "gan", label={"left_out": "no time", "valid": None, "test": None})
    views = views_of(demo)
    for title in ("log p(label)", "Accuracy", "AUC"):
        assert views[title].datasets == ["flowers"]
        assert [r.model for r in views[title].rows if r.apart] == [NO_SKILL]
        assert dict(views[title].left_out)["gan"] == "no time"
    right = json.loads((demo / "cells" / "hmm-flowers-0.json").read_text())["label"]["test"]
    shown = values(views["Accuracy"], "hmm")["flowers"]
    assert shown == pytest.approx(100 * right["accuracy"]["value"])
    assert values(views["Accuracy"], NO_SKILL)["flowers"] == pytest.approx(76)
    assert values(views["log p(label)"], NO_SKILL)["flowers"] == pytest.approx(-0.55)


def test_of_samples_the_seed_is_shown_that_was_chosen_for_them(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",), seeds=(0, 1))
    for seed, valid, c2st, tested in ((0, -7.0, 0.72, 0.61), (1, -7.2, 0.55, 0.523)):
        judged(demo, "hmm", seed=seed, valid=valid, c2st=c2st,
               metrics={"c2st": metric(tested)})  # fmt: skip
    views = views_of(demo)
    assert values(views["C2ST"], "hmm")["flowers"] == pytest.approx(0.523)
    record = json.loads((demo / "cells" / "hmm-flowers-0.json").read_text())
    assert values(views["Nats per row"], "hmm")["flowers"] == pytest.approx(record["test_log_prob"])


def test_hostile_names_stay_text(demo: Path) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    for model in MODELS:
        with_metrics(demo, f"{model}-flowers-0", **{evil: metric(0.5)})
    plan = json.loads((demo / "plan.json").read_text())
    for dataset in plan["datasets"]:
        dataset["name"] = dataset["name"].replace("play", evil)
    for asked in (*plan["cells"], *plan["references"]):
        asked["dataset"] = asked["dataset"].replace("play", evil)
    (demo / "plan.json").write_text(json.dumps(plan))
    for file in (demo / "cells").glob("*play*.json"):
        edit(demo, file.stem, dataset=evil)
    page = page_of(demo)
    assert not [e for e in page.all("img") if e["src"] == "x"]
    assert view_of(page, evil).all("table", cls="matrix")
    assert page.one("table", cls="duels")
    heads = page.one("div", cls="view-nats").all("th", dataset=evil)
    assert [e.text for e in heads] == [evil]
