"""What changed from one run to another: what is beyond noise, on the same rows, and never more."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from demo_run import MODELS, edit, edit_plan, key_of, write_demo
from reading import Element, parsed, tables_of
from scipy import stats

from genzoo import compare_runs
from genzoo.results.change import Comparison, compare_records, shift
from genzoo.results.run import read_run
from genzoo.results.statistics import holm, paired_difference
from genzoo.values import Kind

SETS = ("alarm", "flowers")


def two_runs(
    folder: Path, seeds: tuple[int, ...] = (0, 1, 2), datasets: tuple[str, ...] = SETS
) -> tuple[Path, Path]:
    """The same invented run twice."""
    before, after = folder / "before", folder / "after"
    return tuple(write_demo(f, seeds=seeds, datasets=datasets) for f in (before, after))  # type: ignore[return-value]


def move(folder: Path, model: str, by: float, *, seed: int = 0, dataset: str = "alarm") -> None:
    """Let a cell score its test rows otherwise: by so many nats a row and a little noise."""
    file = folder / "cells" / f"{key_of(model, dataset, seed)}.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    noise = 0.1 * np.random.default_rng(seed).standard_normal(len(arrays["log_prob"]))
    np.savez(file, **(arrays | {"log_prob": arrays["log_prob"] + by + noise - noise.mean()}))


def compared(before: Path, after: Path) -> Comparison:
    runs = [read_run(folder, with_stacks=False) for folder in (before, after)]
    (found,) = compare_records(runs, lambda _: {})
    return found


def verdicts(found: Comparison, dataset: str = "alarm") -> dict[str, str]:
    return {c.model: c.verdict for c in found.changes if c.dataset == dataset}


def test_known_changes_are_found_and_their_size_is_right(tmp_path: Path) -> None:
    before, after = two_runs(tmp_path)
    moved = {"hmm": 0.5, "transformer": -0.7, "vae": 0.5, "gan": -0.7, "independent": 0.004}
    for model, by in moved.items():
        for seed in range(3):
            move(after, model, by, seed=seed)
    found = compared(before, after)
    assert verdicts(found) == {
        "independent": "untold",  # less than counts
        "bayesian_network": "same",
        "hmm": "better",
        "vae": "higher",
        "gan": "lower",
        "transformer": "worse",
    }
    assert set(verdicts(found, "flowers").values()) == {"same"}
    for model, by in moved.items():
        change = found.change(model, "alarm")
        assert change is not None
        assert change.shift is not None
        assert change.shift.value == pytest.approx(by)
        low, high = change.shift.interval()
        assert low < by < high
    assert found.n_tests == len(moved)


@pytest.mark.parametrize(
    ("kinds", "by", "verdict"),
    [
        (("exact", "lower_bound"), 0.5, "better"),
        (("exact", "lower_bound"), -0.5, "untold"),
        (("lower_bound", "exact"), 0.5, "untold"),
        (("lower_bound", "exact"), -0.5, "worse"),
        (("estimate", "estimate"), 0.5, "untold"),
        (("exact", "estimate"), -0.5, "untold"),
    ],
)
def test_a_bound_proves_only_what_it_can(
    tmp_path: Path, kinds: tuple[Kind, Kind], by: float, verdict: str
) -> None:
    before, after = two_runs(tmp_path, seeds=(0,), datasets=("alarm",))
    move(after, "hmm", by)
    for folder, kind in zip((before, after), kinds, strict=True):
        edit(folder, key_of("hmm", "alarm"), kind=kind)
    assert verdicts(compared(before, after))["hmm"] == verdict


def test_what_seeds_do_differently_anyway_is_no_change(tmp_path: Path) -> None:
    """Rows alone are sure of 0.4 nats, in one seed and in the mean of three; that the seeds of each
    run lie further apart takes it back."""
    before, after = two_runs(tmp_path)
    for seed, by in enumerate((0.4, 1.6, -0.8)):
        move(after, "hmm", by, seed=seed)
    change = compared(before, after).change("hmm", "alarm")
    assert change is not None
    assert change.shift is not None
    assert change.shift.rows.p_value() < 1e-6
    assert (change.verdict, change.has_refits) == ("untold", True)
    one = two_runs(tmp_path / "one", seeds=(0,))
    move(one[1], "hmm", 0.4)
    change = compared(*one).change("hmm", "alarm")
    assert change is not None
    assert (change.verdict, change.has_refits) == ("better", False)


def false_changes(
    n: int, k: int, spreads: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The p-values of pairs of runs between which nothing changed, with k seeds each of the given
    spreads and 200 test rows; and those over rows alone."""
    found, alone = [], []
    for _ in range(n):
        spread = np.repeat(spreads, k)[:, None]
        fits = spread * rng.standard_normal((2 * k, 1)) + rng.standard_normal((2 * k, 200))
        rows = paired_difference(fits[k:].mean(0), fits[:k].mean(0))
        means = fits.mean(1).tolist()
        found.append(shift(rows, means[:k], means[k:]).p_value)
        alone.append(rows.p_value())
    return np.array(found), np.array(alone)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("spreads", [(0.06, 0.06), (0.2, 0.07), (0.2, 0.0)])
def test_false_changes_are_rare_though_fits_differ(k: int, spreads: tuple[float, float]) -> None:
    """Of 600 pairs of runs at most 5 % are called different, and two errors of such a count
    (1.8 %); at the hundredth level, where Holm asks, at most 2. Rows alone would call far more."""
    found, alone = false_changes(600, k, spreads, np.random.default_rng(3))
    assert np.mean(found < 0.05) <= 0.068
    assert np.sum(found < 0.0005) <= 2
    assert np.mean(alone < 0.05) > 0.08
    assert np.all(found >= alone)


def test_a_page_of_cells_keeps_its_level() -> None:
    """Twelve families on which nothing changed, refitted with two seeds: some false change on at
    most 5 % of 100 pages, and two errors (4.4 %)."""
    found, _ = false_changes(1200, 2, (0.1, 0.1), np.random.default_rng(4))
    pages = found.reshape(100, 12)
    assert np.mean([holm(page.tolist()).min() < 0.05 for page in pages]) <= 0.094


def test_the_error_adds_rows_and_refits_by_hand() -> None:
    rng = np.random.default_rng(5)
    rows = paired_difference(0.5 + rng.standard_normal(50), rng.standard_normal(50))
    found = shift(rows, [1.0, 1.4], [2.0, 2.1, 2.6])
    parts = [(0.08 / 2, 1), (np.var([2.0, 2.1, 2.6], ddof=1) / 3, 2)]
    refits = sum(v for v, _ in parts)
    assert found.refits == pytest.approx(math.sqrt(refits))
    assert found.stderr == pytest.approx(math.sqrt(rows.stderr**2 + refits))
    assert found.df == pytest.approx(refits**2 / sum(v**2 / d for v, d in parts))
    width = (
        stats.t.isf(0.025, 49) ** 2 * rows.stderr**2 + stats.t.isf(0.025, found.df) ** 2 * refits
    )
    assert found.interval()[1] - found.value == pytest.approx(math.sqrt(width))
    # the level at which the interval ends at nothing
    assert found.interval(found.p_value)[0] == pytest.approx(0, abs=1e-9)
    assert found.visible() > rows.visible()


def test_without_several_seeds_or_chance_rows_are_all_the_noise() -> None:
    rng = np.random.default_rng(6)
    rows = paired_difference(rng.standard_normal(50), rng.standard_normal(50))
    for before, after, refits in (([1.0], [2.0, 2.1], None), ([1.0, 1.0], [2.0, 2.0], 0.0)):
        found = shift(rows, before, after)
        assert (found.stderr, found.refits) == (rows.stderr, refits)
        assert found.p_value == rows.p_value()
        assert found.interval() == pytest.approx(rows.interval())


def test_answers_lost_and_gained(tmp_path: Path) -> None:
    before, after = two_runs(tmp_path, seeds=(0,), datasets=("alarm", "names"))
    failed = {"status": "failed", "reason": "it broke", "test_log_prob": None}
    edit(before, key_of("vae", "alarm"), **failed)
    edit(after, key_of("hmm", "alarm"), **failed)
    (after / "cells" / f"{key_of('transformer', 'alarm')}.json").unlink()
    raised = {"raised": True, "statistic": 123.4, "threshold": 6.9}
    edit(after, key_of("independent", "alarm"), alarm=raised)
    found = compared(before, after)
    expected = {"vae": "answered", "hmm": "lost", "transformer": "lost", "independent": "alarm"}
    assert verdicts(found) == expected | {"bayesian_network": "same", "gan": "same"}
    assert verdicts(found, "names")["gan"] == "none"
    sides = [found.change(model, "alarm").after for model in ("hmm", "transformer")]  # type: ignore[union-attr]
    assert [(s.status, s.reason) for s in sides] == [("failed", "it broke"), ("not run", "")]


@pytest.mark.parametrize(("fact", "value"), [("fingerprint", "0" * 64), ("folds", 3)])
def test_other_rows_are_not_compared(tmp_path: Path, fact: str, value: object) -> None:
    before, after = two_runs(tmp_path, seeds=(0,))
    facts = [d.to_json() for d in read_run(after, with_stacks=False).plan.datasets]
    edit_plan(after, datasets=[{**facts[0], fact: value}, facts[1]])
    found = compared(before, after)
    assert found.datasets == ["flowers"]
    assert found.other_rows == {"alarm": [fact]}
    page = page_of_changes(tmp_path)
    assert "alarm" in page.one("ul", cls="left-out").text
    assert not page.all("details", dataset="alarm")


# ------------------------------------------------------------------------- page and files


def page_of_changes(folder: Path) -> Element:
    found = compare_runs(folder / "before", folder / "after", out=folder / "changes")
    return parsed(found.paths["html"].read_text())


def test_the_page_shows_each_cell_and_its_numbers(tmp_path: Path) -> None:
    _, after = two_runs(tmp_path)
    for seed in range(3):
        move(after, "hmm", 0.5, seed=seed)
    edit(after, key_of("gan", "flowers", 1), status="failed", reason="it broke")
    page = page_of_changes(tmp_path)
    picture = page.one("table", cls="heatmap")
    assert [row["data-model"] for row in picture.one("tbody").all("tr")] == MODELS
    cell = picture.one("tr", model="hmm").one("td", dataset="alarm")
    assert (cell["data-verdict"], cell.one(cls="mark").text) == ("better", "▲")
    assert cell.one(cls="num").text.startswith("+0.50")
    assert picture.one("tr", model="vae").one("td", dataset="alarm")["data-verdict"] == "same"
    row = page.one("details", dataset="alarm").one("tr", model="hmm")
    assert row["data-verdict"] == "better"
    assert "0.50" in row.text
    assert "open" in page.one("details", dataset="alarm").attributes
    assert "seed" in page.one("details", dataset="flowers").one("tr", model="gan").text
    for head in picture.one("thead").all("a"):
        assert page.one(id=head["href"][1:]).tag == "details"


def test_the_table_holds_every_number(tmp_path: Path) -> None:
    before, after = two_runs(tmp_path)
    for seed in range(3):
        move(after, "hmm", 0.5, seed=seed)
        edit(after, key_of("hmm", "alarm", seed), train_seconds=7.0)
    found = compare_runs(before, after, out=tmp_path / "changes")
    table = found.table().set_index(["dataset", "model", "quantity"])
    line = table.loc["alarm", "hmm", "test_log_prob"]
    assert line.difference == pytest.approx(0.5)
    assert line.value_after - line.value_before == pytest.approx(0.5)
    assert (line.verdict, line.kind_before, line.seeds_after) == ("better", "exact", 3)
    assert line.p_value <= line.p_adjusted < 0.05
    assert table.loc["alarm", "hmm", "train_seconds"].value_after == 7.0
    assert {"c2st", "recall", "peak_memory_mb"} <= set(found.table().quantity)
    markdown = tables_of(found.paths["md"].read_text())
    (row,) = (
        r for t in markdown for r in t if r.get("model") == "hmm" and r.get("now") == "better"
    )
    assert row["difference"].startswith("+0.50")


def test_metrics_of_samples_move_by_their_own_errors(tmp_path: Path) -> None:
    before, after = two_runs(tmp_path, seeds=(0, 1), datasets=("alarm",))
    for seed in (0, 1):
        for folder, model, value in (
            (before, "hmm", 0.7), (after, "hmm", 0.6), (before, "vae", 0.7), (after, "vae", 0.69),
        ):  # fmt: skip
            run = read_run(folder, with_stacks=False)
            (cell,) = (c for c in run.cells if (c.model, c.seed) == (model, seed))
            c2st = cell.record.metrics["c2st"].to_json() | {"value": value, "stderr": 0.01}
            edit(folder, cell.record.key, metrics={"c2st": c2st})
    page = page_of_changes(tmp_path)
    (moved,) = page.one("table", cls="metrics").one("tbody").all("tr")
    assert (moved["data-model"], moved["data-verdict"]) == ("hmm", "better")  # lower is better


def test_what_differs_between_the_runs_comes_first(tmp_path: Path) -> None:
    _, after = two_runs(tmp_path, seeds=(0,))
    plan = read_run(after, with_stacks=False).plan
    models = [m.to_json() for m in plan.models]
    models[3] |= {"params": {"latent_dim": 16}, "code": "another"}
    datasets = [d.to_json() | {"budget": "60s"} for d in plan.datasets]
    edit_plan(after, models=models, datasets=datasets, versions=plan.versions | {"numpy": "9.9"})
    page = page_of_changes(tmp_path)
    table = page.one(cls="unlike").one("tbody")
    rows = {row["data-unlike"]: [c.text for c in row.all("td")] for row in table.all("tr")}
    assert rows["parameters of vae"] == ["no latent_dim", "latent_dim=16"]
    assert rows["budget"] == ["15s", "60s"]
    assert rows["numpy"] == [np.__version__, "9.9"]
    assert "vae" in rows["code of families"][0]
    parts = list(page)
    assert parts.index(table) < parts.index(page.one("table", cls="heatmap"))


def test_hostile_names_are_text(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>{}"
    before = write_demo(tmp_path / name, datasets=("alarm",))
    after = write_demo(tmp_path / "after", datasets=("alarm",))
    edit_plan(after, versions={"numpy": "<script>alert(2)</script>"})
    found = compare_runs(before, after, out=tmp_path / "changes")
    page = parsed(found.paths["html"].read_text())
    assert not page.all("img")
    assert not page.all("script")
    assert name in page.one("h1").text


def test_a_third_run_is_compared_with_the_first(tmp_path: Path) -> None:
    before, after = two_runs(tmp_path, seeds=(0,))
    third = write_demo(tmp_path / "third", datasets=SETS)
    move(third, "hmm", -0.5)
    found = compare_runs(before, after, third, out=tmp_path / "changes")
    page = parsed(found.paths["html"].read_text())
    second, last = page.all("section", cls="comparison")
    assert (second["data-before"], last["data-before"]) == ("before", "before")
    assert last.one("details", dataset="alarm").one("tr", model="hmm")["data-verdict"] == "worse"
    ids = [e["id"] for e in page if "id" in e.attributes]
    assert len(ids) == len(set(ids))


def test_nan_in_the_arrays_of_a_run_is_an_error(tmp_path: Path) -> None:
    before, after = two_runs(tmp_path, seeds=(0,), datasets=("alarm",))
    move(after, "hmm", math.nan)
    with pytest.raises(ValueError, match="hmm on alarm are NaN"):
        compared(before, after)
