"""Who beats whom: the counts of the win matrix, and the data sets behind each."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest
from demo_run import BEHIND, write_demo
from judged import judged, with_scores
from reading import names, page_of

from genzoo.benchmark import load_run
from genzoo.report.wins import wins
from genzoo.results.numbers import with_error
from genzoo.results.pairs import pairs
from genzoo.results.ranking import rank
from genzoo.results.run import read_run


def test_each_cell_counts_what_pairs_prove(demo: Path) -> None:
    run = read_run(demo)
    table = page_of(demo).one("table", cls="duels")
    found = {d.name: pairs(run, d.name) for d in run.datasets}
    rows = {tr["data-model"]: tr for tr in table.one("tbody").all("tr")}
    assert set(rows) == set(run.fitted)
    for a, b in combinations(rows, 2):
        ours = [next((p for p in of if {a, b} == {*p.models}), None) for of in found.values()]
        wanted = "".join(
            "-" if p is None else "u" if p.winner is None else "w" if p.winner == a else "l"
            for p in ours
        )
        cell, back = rows[a].one("td", model=b), rows[b].one("td", model=a)
        assert cell["data-told"] == wanted
        assert back["data-told"] == wanted.translate(str.maketrans("wl", "lw"))
        counts = [wanted.count(letter) for letter in "wul"]
        assert cell.one(cls="counts").text == " · ".join(map(str, counts))
        assert back.one(cls="counts").text == " · ".join(map(str, counts[::-1]))
        widths = [i["style"] for i in cell.all("i")]
        assert widths == [f"width: {100 * n / sum(counts):.1f}%" for n in counts]
        assert names(cell.one("button")["aria-label"], a, b, *map(str, counts))
    assert rows["vae"].one("td", cls="self")["data-model"] == "vae"


def test_a_cell_opens_to_the_paired_differences(demo: Path) -> None:
    run, page = read_run(demo), page_of(demo)
    found = {name: pairs(run, name) for name in BEHIND}
    for row in page.one("table", cls="duels").one("tbody").all("tr"):
        for cell in row.all("td")[:-1]:
            if "data-told" not in cell.attributes:
                continue
            panel = page.one(id=cell.one("button")["popovertarget"])
            heading = panel.one("h3").text
            a, b = heading.split(" against ")
            assert {a, b} == {row["data-model"], cell["data-model"]}
            for name in BEHIND:
                line = panel.one("tr", dataset=name)
                pair = next((p for p in found[name] if {a, b} == {*p.models}), None)
                if pair is None:
                    assert {"gan"} <= {a, b}
                    continue
                assert pair.difference is not None
                sign = 1 if pair.models[0] == a else -1
                shown = with_error(sign * pair.difference.value, pair.difference.stderr)
                assert line.one("td", cls="n").text == shown
                assert bool(line.all(cls="untold")) == (pair.winner is None)
                if pair.winner is not None:
                    kind = "win" if pair.winner == a else "loss"
                    assert names(line.one(cls=kind).text, pair.winner)


def test_why_a_bound_can_not_lose_is_said(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers", "play"))
    with_scores(demo)
    judged(demo, "transformer", kind="estimate")
    run = read_run(demo)
    found = {d.name: pairs(run, d.name) for d in run.datasets}
    made = wins(run.fitted, [rank(run, d) for d in run.datasets], found)
    why = {(m.a, m.b): m.duels[0].why for m in made.pairs}
    assert names(why["bayesian_network", "vae"], "vae", "lower bound")  # it lies below
    assert names(why["vae", "gan"], "gan", "lower bound")
    assert names(why["bayesian_network", "transformer"], "transformer", "estimate")
    assert why["bayesian_network", "hmm"] == ""  # the rows leave it open
    assert why["independent", "hmm"] == ""  # proven


def test_the_paired_differences_are_numbers_of_the_files(demo: Path) -> None:
    run, path = read_run(demo), load_run(demo).report()["numbers"]
    lines = pd.read_csv(path)
    for dataset in run.datasets:
        for pair in pairs(run, dataset.name):
            a, b = pair.models
            asked = (lines.dataset == dataset.name) & (lines.model == a)
            (line,) = lines[asked & (lines.quantity == f"difference to {b}")].itertuples()
            assert pair.difference is not None
            assert line.value == pytest.approx(pair.difference.value)
            assert line.stderr == pytest.approx(pair.difference.stderr)
            assert str(line.note).split()[0] == (pair.winner or "neither")


def test_nobody_met_is_no_matrix(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers", "play"))
    assert page_of(demo).all("table", cls="duels")
    for file in (demo / "cells").glob("*.json"):
        record = json.loads(file.read_text())
        if record["model"] not in ("hmm", "held-out", "copycat"):
            file.unlink()
    page = page_of(demo)
    assert not page.all("table", cls="duels")
    assert "wins" not in {e.attributes.get("id") for e in page}
