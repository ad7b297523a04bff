"""The benchmarks of budgets and of growth: processes with limits, files that grow, exponents."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genzoo import list_models

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import budgets  # noqa: E402 - found by the line above
import measuring  # noqa: E402
import scaling  # noqa: E402
from measuring import Line, Lines, Task, data_of, measure  # noqa: E402

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and peaks are Linux's")


def line(family="hmm", shape="rows 1000", outcome="ok", **numbers) -> Line:
    return replace(Line(family, shape, scaling.WORK[family][0], outcome), **numbers)


def powers(axis: str, sizes, power: float, **more) -> list[Line]:
    return [line(shape=f"{axis} {n}", fit_seconds=1e-3 * n**power, **more) for n in sizes]


def test_exponents_are_those_of_the_largest_sizes():
    sizes = np.array([10, 100, 1000, 10_000, 100_000])
    assert scaling.exponent(sizes, 3 * sizes**1.5) == pytest.approx(1.5)
    # a constant that hides the growth at small sizes counts little
    assert scaling.exponent(sizes, 50 + sizes**2.0) == pytest.approx(2, abs=0.15)
    assert scaling.exponent(sizes[:2], [1, 2]) is None


def test_a_table_names_what_is_worse_than_theory_and_where_it_stops():
    sizes = (100, 1000, 10_000)
    fine = powers("rows", sizes, 1.0, fit_mib=1.0, rule_mib=2048.0, within_rule=True)
    text = scaling.tables(fine)
    assert "| 1.00 (1) |" in text
    assert "**" not in text
    assert "| yes |" in text
    worse = powers("rows", sizes, 1.5)
    assert "**1.50** (1)" in scaling.tables(worse)
    # attention may cost the square of the length
    of_length = [replace(p, family="transformer") for p in powers("length", sizes, 1.9)]
    assert "1.90 (2)" in scaling.tables(of_length)
    stopped = [*fine[:2], line(shape="rows 10000", outcome="fit: over 8 GiB", within_rule=False)]
    text = scaling.tables(stopped)
    assert "10,000 (fit: over 8 GiB)" in text
    assert "| no |" in text


def test_every_family_has_its_work_and_every_axis_its_sizes():
    assert set(scaling.WORK) == set(list_models())
    assert set(scaling.SIZES) == set(scaling.OF_AXES) == set(measuring.AXES)
    for axis, sizes in scaling.SIZES.items():
        data = data_of(f"{axis} {sizes[1]}")
        again = data_of(f"{axis} {sizes[1]}")
        assert np.array_equal(data["data"], again["data"])


def test_it_goes_on_where_it_stopped(tmp_path, monkeypatch):
    asked = []

    def fake(task: Task) -> Line:
        asked.append(task.shape)
        late = task.shape == "length 512"
        return line(shape=task.shape, outcome="fit: over 60 s" if late else "ok",
                    fit_seconds=None if late else 1.0)  # fmt: skip

    monkeypatch.setattr(scaling, "measure", fake)
    call = ["--families", "hmm", "--results", str(tmp_path), "--axes"]
    scaling.main([*call, "length", "--sizes", "32,128"])
    scaling.main([*call, "length"])
    assert asked == ["length 32", "length 128", "length 512"]  # and nothing larger
    scaling.main([*call, "length", "--tables"])
    assert len(asked) == 3
    assert len(Lines(tmp_path / "scaling.csv").all) == 3
    assert "512 (fit: over 60 s)" in (tmp_path / "scaling.md").read_text()


def test_lines_are_read_as_they_were_written(tmp_path):
    file = tmp_path / "lines.csv"
    first = line(fit_seconds=0.5, within_rule=True, replayed=False, steps=3, rows=7, kind="exact")
    lines, other = Lines(file), Lines(file)
    lines.add(first)
    other.add(line("ngram", outcome="fit: over 1 s"))  # of another call at the same time
    lines.add(replace(first, steps=4))
    assert Lines(file).all == [replace(first, steps=4), line("ngram", outcome="fit: over 1 s")]
    with file.open() as stored:
        assert next(csv.reader(stored))[:3] == ["family", "shape", "budget"]


def test_budgets_keeps_what_the_file_holds(tmp_path, monkeypatch, capsys):
    def fake(task: Task) -> Line:
        return Line(task.family, task.shape, task.budget, "ok", fit_seconds=3.0, ratio=1.5,
                    asked=2.0, within_rule=False, rule_mib=2050.0)  # fmt: skip

    monkeypatch.setattr(budgets, "measure", fake)
    call = ["--families", "hmm", "--shapes", "names", "--csv", str(tmp_path / "b.csv")]
    budgets.main([*call, "--budgets", "2,default"])
    said = capsys.readouterr().out
    assert "hmm on names, 1.50 times" in said
    assert "ABOVE the rule of 2050" in said
    monkeypatch.delattr(budgets, "measure")
    budgets.main([*call, "--budgets", "2"])
    assert "1.50" in capsys.readouterr().out


@linux
@pytest.mark.slow
def test_a_process_measures_all_phases_and_keeps_its_limits():
    found = measure(Task("independent", "rows 1000", scored=10, sampled=10, by_processor=True))
    assert found.outcome == "ok"
    assert (found.rows, found.columns, found.within_rule) == (1000, 16, True)
    assert found.rule_mib == pytest.approx(2048 + 8 * 8 * 16_000 / 2**20, abs=0.1)
    assert 0 <= found.sample_seconds < 10
    assert 0 < found.fit_mib < 200
    late = measure(Task("vae", "rows 30000", most_seconds=1))
    assert late.outcome == "fit: over 1 s"
    assert late.rows == 30_000
    assert late.fit_seconds is None
    large = measure(Task("independent", "rows 1000000", most_gib=0.01))
    assert large.outcome == "data: over 0.01 GiB"
    assert large.within_rule is False
