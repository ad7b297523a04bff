"""The stack of a comparison: derived from what cells left, and the same mixture as in Python."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import genzoo
from genzoo import Dataset, Independent, NGram, Stack
from genzoo.results.choice import choose_likelihood
from genzoo.results.record import STACK
from genzoo.results.run import read_run
from genzoo.space.infer import table_of
from genzoo.stacking import cross_fitted

pytestmark = pytest.mark.usefixtures("cells_run_here")


def two_kinds(n: int, seed: int, D: int = 12) -> np.ndarray:
    """Half of the rows lie near one of six, in the others neighbours are alike."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).integers(0, 2, (6, D))
    near = centres[rng.integers(0, 6, n)] ^ (rng.random((n, D)) < 0.03)
    walk = np.cumsum(rng.random((n, D)) < 0.15, axis=1) % 2
    return np.where(rng.random((n, 1)) < 0.5, near, walk ^ rng.integers(0, 2, (n, 1)))


@pytest.fixture(scope="module")
def data() -> Dataset:
    schema = genzoo.Schema(*table_of([2] * 12))
    return Dataset("bits", schema, two_kinds(400, 0), two_kinds(300, 1), two_kinds(300, 2))


class Mine(genzoo.Mixture):
    """A class that no file can name."""


MODELS = ["independent", "bayesian_network", "mixture", "ngram"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("stack") / "run"


@pytest.fixture
def folder(data, place, cells_run_here):
    """One run with saved models for all tests; those that change it copy it."""
    if not place.exists():
        options = {"budget": "20 steps", "save_models": True, "progress": False}
        genzoo.compare(MODELS, [data], out=place, **options)
    return place


def stack_row(run) -> pd.Series:
    table = run.table()
    rows = table[table.model == STACK]
    assert len(rows) == 1
    return rows.iloc[0]


def test_it_is_the_stack_in_python_of_the_same_models(folder, data):
    run = genzoo.load_run(folder)
    row, parts = stack_row(run), {m: run.load_model(m, "bits") for m in MODELS}
    python = Stack(parts).fit(data)
    found = python.log_prob(data.test).mean()
    assert row.test_log_prob == pytest.approx(found.value)
    assert (row.stderr, row.kind) == (pytest.approx(found.stderr), "exact")
    (record,) = run.stacks()
    weights = {label: part["weight"] for label, part in record["stack"].items()}
    assert weights == pytest.approx(python.weights_)
    saved = run.load_model(STACK, "bits")
    assert saved.log_prob(data.test).value == pytest.approx(python.log_prob(data.test).value)


def test_what_it_is_chosen_by_is_cross_fitted(folder, data):
    run = genzoo.load_run(folder)
    parts = [run.load_model(m, "bits") for m in MODELS]
    masses = np.column_stack([part.log_prob(data.valid).value for part in parts])
    assert stack_row(run).valid_log_prob == pytest.approx(cross_fitted(masses).mean())
    singles = {r["model"]: r["validation"]["log_prob"] for r in run.records()}
    assert stack_row(run).valid_log_prob > max(singles.values())
    choice = choose_likelihood(read_run(folder), "bits")
    assert choice.chosen.model == STACK


def test_its_cost_is_that_of_all_its_parts(folder):
    table = genzoo.load_run(folder).table().set_index("model")
    assert table.train_seconds[STACK] == pytest.approx(table.train_seconds[MODELS].sum())
    assert table.status[STACK] == "ok"


def test_it_is_derived_again_from_the_records_alone(folder, data, tmp_path, monkeypatch):
    again = tmp_path / "run"
    shutil.copytree(folder, again)
    assert len(list((again / "cells").glob("*.json"))) == len(MODELS) + 2  # and the references
    shutil.rmtree(again / "models")
    before = genzoo.load_run(folder).table()
    pd.testing.assert_frame_equal(genzoo.load_run(again).table(), before)
    monkeypatch.setattr("genzoo.benchmark.pool.run_jobs", lambda jobs, n: (job for job in ()))
    run = genzoo.compare(MODELS, [data], budget="20 steps", out=again, progress=False)
    pd.testing.assert_frame_equal(run.table(), before)
    assert len(run.reused) == len(MODELS)
    paths = run.report()
    assert "stack (derived)" in paths["md"].read_text()
    numbers = pd.read_csv(paths["numbers"])
    assert "stack.mixture.weight" in set(numbers.quantity[numbers.model == STACK])
    assert STACK not in [m["label"] for m in run.plan["models"]]


def test_masses_of_all_validation_rows_are_kept(tmp_path):
    schema = genzoo.Schema(*table_of([2] * 12))
    many = Dataset("bits", schema, two_kinds(99, 0), two_kinds(700, 1), two_kinds(60, 2))
    run = genzoo.compare(["independent"], [many], out=tmp_path / "run", progress=False)
    (cell,) = read_run(run.folder).cells
    assert cell.valid_log_prob == pytest.approx(Independent().fit(many).log_prob(many.valid).value)
    assert cell.record.validation.n == 700
    assert STACK not in set(run.table().model)  # a single model makes none


def test_what_gave_no_answer_or_an_estimate_takes_no_part(folder, tmp_path):
    again = tmp_path / "run"
    shutil.copytree(folder, again)
    keys = {r["model"]: r["key"] for r in genzoo.load_run(again).records()}
    file = again / "cells" / f"{keys['mixture']}.json"
    record = json.loads(file.read_text())
    for changes in ({"kind": "estimate"}, {"status": "failed", "test_log_prob": None}):
        file.write_text(json.dumps(record | changes))
        (found,) = genzoo.load_run(again).stacks()
        assert set(found["stack"]) == set(MODELS) - {"mixture"}
    alarm = {"raised": True, "statistic": 99.0, "threshold": 7.0}
    file.write_text(json.dumps(record | {"alarm": alarm}))
    (found,) = genzoo.load_run(again).stacks()
    assert set(found["stack"]) == set(MODELS) - {"mixture"}


def test_folds_and_seeds_have_a_stack_each(tmp_path):
    frame = pd.DataFrame(two_kinds(150, 3), columns=list("abcdefghijkl"))
    run = genzoo.compare(
        ["ngram", "mixture"], {"t": frame}, folds=2, seeds=2, budget="9 steps",
        out=tmp_path / "run", progress=False,
    )  # fmt: skip
    table = run.table()
    stacks = table[table.model == STACK]
    assert sorted(zip(stacks.seed, stacks.fold, strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    whole = read_run(run.folder).contenders(STACK, "t")
    assert [len(fit.array("log_prob")) for fit in whole] == [150, 150]


def test_rows_of_a_group_choose_no_weights_for_each_other(data, tmp_path):
    valid = 1000 + np.arange(300) // 20
    groups = {"train": np.arange(400), "valid": valid, "test": 9000 + np.arange(300)}
    grouped = Dataset("g", data.schema, data.train, data.valid, data.test, groups=groups)
    run = genzoo.compare(
        ["ngram", "mixture"], [grouped], budget="9 steps", out=tmp_path / "run", progress=False
    )
    cells = {c.model: c for c in read_run(run.folder).cells}
    masses = np.column_stack([cells[m].valid_log_prob for m in ("ngram", "mixture")])
    expected = cross_fitted(masses, groups["valid"])
    assert cells[STACK].valid_log_prob == pytest.approx(expected)
    assert expected.mean() != pytest.approx(cross_fitted(masses).mean(), abs=1e-12)


def test_a_winner_that_is_a_stack_is_saved_with_its_parts(folder, data, tmp_path):
    run = genzoo.load_run(folder)
    assert run.save_best("bits", tmp_path / "best") == STACK
    model = genzoo.load_model(tmp_path / "best")
    assert isinstance(model, Stack)
    assert model.log_prob(data.test).mean().value == pytest.approx(stack_row(run).test_log_prob)
    shutil.copytree(folder, tmp_path / "run")
    key = next(r["key"] for r in run.records() if r["model"] == "mixture")
    shutil.rmtree(tmp_path / "run" / "models" / key)
    with pytest.raises(ValueError, match="mixture, a part of stack, recommended on bits"):
        genzoo.load_run(tmp_path / "run").save_best("bits", tmp_path / "other")


def test_its_label_is_kept_and_a_stack_of_ones_own_takes_part(data, tmp_path):
    with pytest.raises(ValueError, match="the label 'stack' is kept for the mixture of all models"):
        genzoo.compare({STACK: NGram()}, [data], out=tmp_path / "run")
    own = Stack([Independent().fit(data), NGram()])
    run = genzoo.compare(
        {"mine": own, "order": NGram()}, [data], budget="9 steps", out=tmp_path / "run",
        progress=False,
    )  # fmt: skip
    assert run.table().status.tolist() == ["ok"] * 3


def test_a_class_of_ones_own_takes_part_but_is_not_saved_in_a_stack(data, tmp_path):
    run = genzoo.compare(
        {"own": Mine(), "order": NGram()}, [data], budget="9 steps", out=tmp_path / "run",
        save_models=True, progress=False,
    )  # fmt: skip
    assert run.save_best("bits", tmp_path / "best") in ("own", "order")
