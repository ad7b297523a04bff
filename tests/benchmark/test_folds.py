"""Folds: every row is judged once, by a model that has not seen it, and they count as one fit."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import genzoo
from genzoo import Dataset, Independent
from genzoo.datasets import own
from genzoo.datasets.dataset import split
from genzoo.results.choice import choose_likelihood
from genzoo.results.record import REFERENCES
from genzoo.results.run import read_run

pytestmark = pytest.mark.usefixtures("cells_run_here")


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    return pd.DataFrame(
        {"a": y ^ (rng.random(120) < 0.2), "b": rng.integers(0, 3, 120), "who": np.arange(120) // 4,
         "y": np.where(y, "yes", "no")}
    )  # fmt: skip


@pytest.fixture
def path(frame, tmp_path):
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def compare(datasets, out, **more):
    models = more.pop("models", ["independent", "bayesian_network"])
    return genzoo.compare(models, datasets, out=out, n_jobs=1, progress=False, **more)


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize(
    "rule", [{}, {"classes": np.arange(103) % 7}, {"groups": np.arange(103) % 23}]
)
def test_every_row_is_a_test_row_once(rule, k):
    tested = np.zeros(103, dtype=int)
    for i in range(k):
        parts = split(103, valid=0.1, test=0.2, seed=3, fold=(i, k), **rule)
        assert np.sort(np.concatenate(parts)).tolist() == list(range(103))
        tested[parts[2]] += 1
        if "groups" in rule:
            groups = [set(rule["groups"][part].tolist()) for part in parts]
            assert not (groups[0] & groups[1])
            assert not (groups[0] & groups[2])
            assert not (groups[1] & groups[2])
        if "classes" in rule:
            share = np.bincount(rule["classes"][parts[2]], minlength=7) / len(parts[2])
            assert np.abs(share - 1 / 7).max() < 0.06
            assert set(rule["classes"][parts[0]].tolist()) == set(range(7))
    assert (tested == 1).all()


UNEVEN = np.repeat(np.arange(40), np.arange(40) % 5 * 7 + 1)  # 40 groups of 1 to 29 rows


@pytest.mark.parametrize("k", [2, 3, 5, 7, 10])
@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"classes": np.arange(600) % 3 // 2},
        {"groups": np.arange(600) // 4},
        {"groups": UNEVEN},
        {"groups": np.arange(600) % 10},
    ],
    ids=["rows", "classes", "groups", "uneven", "ten"],
)
def test_no_two_folds_select_on_the_same_rows(rule, k):
    n = len(rule.get("groups", range(600)))
    selected = np.zeros(n, dtype=int)
    for i in range(k):
        parts = split(n, valid=0.1, test=0.2, seed=3, fold=(i, k), **rule)
        again = split(n, valid=0.1, test=0.2, seed=3, fold=(i, k), **rule)
        assert [part.tolist() for part in parts] == [part.tolist() for part in again]
        selected[parts[1]] += 1
        assert len(parts[0]) > 0
        assert abs(len(parts[1]) - n / 10) <= (0 if "groups" not in rule else n / 20)
        if "classes" in rule:
            assert rule["classes"][parts[1]].sum() == pytest.approx(20, abs=1)
        if "groups" in rule:
            groups = [set(rule["groups"][part].tolist()) for part in parts]
            assert sum(map(len, groups)) == len(set.union(*groups))
    assert selected.max() == 1


@pytest.mark.parametrize("k", [12, 20, 30])
@pytest.mark.parametrize("rule", [{}, {"groups": np.arange(600) // 4}])
def test_more_than_ten_folds_select_on_every_row(rule, k):
    parts = [split(600, valid=0.1, test=0.2, seed=3, fold=(i, k), **rule)[1] for i in range(k)]
    selected = np.bincount(np.concatenate(parts), minlength=600)
    assert selected.min() >= 1
    assert selected.max() - selected.min() <= 1


def test_a_rare_class_is_trained_on_in_every_fold():
    classes = np.repeat(np.arange(5), [2, 3, 2, 3, 90])
    for k in (2, 5, 10):
        for i in range(k):
            train, valid, _ = split(100, valid=0.1, test=0.2, seed=0, fold=(i, k), classes=classes)
            assert set(classes[train].tolist()) == set(range(5))
            assert len(valid) == 10


def test_a_group_of_most_rows_is_not_what_folds_select_on():
    groups = np.repeat(np.arange(9), [300, *[40] * 8])
    for i in range(4):
        train, valid, _ = split(620, valid=0.1, test=0.2, seed=0, fold=(i, 4), groups=groups)
        assert 0 < len(valid) <= 80
        assert len(train) > 200
    three, shares = np.arange(40) // 14, {"valid": 0.1, "test": 0.2, "seed": 0}
    with pytest.raises(ValueError, match="at least 2 beside the test rows of each of 2 folds"):
        [split(40, **shares, fold=(i, 2), groups=three) for i in range(2)]


def test_without_folds_the_split_is_as_it_was():
    train, valid, test = split(50, valid=0.1, test=0.2, seed=0)
    assert (train[:5].tolist(), valid.tolist(), test[:5].tolist()) == (
        [1, 33, 28, 24, 41], [15, 22, 0, 12, 42], [39, 49, 29, 45, 48],
    )  # fmt: skip


@pytest.mark.parametrize("fold", [(5, 5), (-1, 5), (0, 1), (0.0, 5), 3])
def test_bad_folds_are_refused(frame, fold):
    with pytest.raises(ValueError, match=r"fold: expected \(i, k\) with 0 <= i < k"):
        Dataset.from_data(frame, "t", fold=fold)


def test_the_folds_of_a_run_are_judged_together(path, tmp_path):
    run = compare([own.load(path, label="y")], tmp_path / "run", folds=4)
    table = run.table()
    assert table.fold.tolist() == [i for i in range(4) for _ in range(2)] + [*range(4)]
    assert set(table.model[8:]) == {"stack"}
    assert set(table.status) == {"ok"}
    found = read_run(run.folder)
    choice = choose_likelihood(found, "t")
    values = choice.chosen.array("log_prob")
    assert len(values) == 120
    assert choice.units == 120
    parts = [own.folds_of(own.load(path, label="y"), 4)[i] for i in range(4)]
    models = [Independent().fit(part, seed=0) for part in parts]
    expected = np.concatenate(
        [m.log_prob(p.test).value for m, p in zip(models, parts, strict=True)]
    )
    (independent,) = found.contenders("independent", "t")
    assert independent.array("log_prob") == pytest.approx(expected)
    text = run.report()["md"].read_text()
    assert "120 test rows of 4 folds" in text
    assert "in the first of 4 folds" in text
    assert "--folds 4" in text
    assert f"{expected.mean():.2f}" in str(run)


def test_groups_stay_together_across_folds(path, tmp_path):
    run = compare([own.load(path, group="who")], tmp_path / "run", folds=3)
    choice = choose_likelihood(read_run(run.folder), "t")
    assert choice.units == 30


def test_data_without_a_split_have_folds_too(frame, tmp_path):
    run = compare({"mine": frame.drop(columns="who")}, tmp_path, folds=3, models=["independent"])
    assert run.table().fold.tolist() == [0, 1, 2]
    assert "folds=3," in run.report()["md"].read_text()


def test_a_fold_that_fails_leaves_no_result(path, tmp_path):
    run = compare([str(path)], tmp_path / "run", folds=3)
    record = next(r for r in run.records() if r["model"] == "bayesian_network" and r["fold"] == 1)
    file = run.folder / "cells" / f"{record['key']}.json"
    file.write_text(
        json.dumps(record | {"status": "failed", "test_log_prob": None, "reason": "no"})
    )
    found = read_run(run.folder)
    assert found.contenders("bayesian_network", "t") == []
    assert choose_likelihood(found, "t").chosen.model == "independent"
    assert "failed" in str(genzoo.load_run(run.folder))


def test_folds_resume_and_replace_a_run_without(path, tmp_path):
    compare([str(path)], tmp_path / "run", models=["independent"])
    run = compare([str(path)], tmp_path / "run", models=["independent"], folds=3)
    assert run.table().fold.tolist() == [0, 1, 2]
    stamps = {p.name: p.stat().st_mtime_ns for p in (run.folder / "cells").glob("*.json")}
    again = compare([str(path)], tmp_path / "run", models=["independent"], folds=3)
    assert len(again.reused) == 3
    assert {p.name: p.stat().st_mtime_ns for p in (run.folder / "cells").glob("*.json")} == stamps


def test_the_fit_of_the_first_fold_is_saved(path, tmp_path):
    run = compare([str(path)], tmp_path / "run", folds=3, save_models=True)
    name = run.save_best("t", tmp_path / "best")
    model = genzoo.load_model(tmp_path / "best")
    first = next(r for r in run.records() if r["model"] == name and r["fold"] == 0)
    part = own.folds_of(own.load(path), 3)[0]
    assert model.log_prob(part.test).value.mean() == pytest.approx(first["test_log_prob"])


def test_fewer_folds_in_the_same_folder_keep_what_samples_are_compared_with(path, tmp_path):
    compare([str(path)], tmp_path / "run", models=["independent"], folds=5)
    run = compare([str(path)], tmp_path / "run", models=["independent"], folds=3)
    assert [r["fold"] for r in run.plan["references"]] == [0, 0, 1, 1, 2, 2]
    found = read_run(run.folder)
    for name in REFERENCES:
        assert len(found.reference(name, "t").cells) == 3


def test_the_matrix_shows_the_seed_that_remains_and_lists_what_failed(path, tmp_path):
    run = compare([str(path)], tmp_path / "run", folds=3, seeds=2, models=["independent"])
    for record in run.records():
        if (record["seed"], record["fold"]) == (0, 1):
            file = run.folder / "cells" / f"{record['key']}.json"
            broken = {"status": "failed", "test_log_prob": None, "reason": "no"}
            file.write_text(json.dumps(record | broken))
    (fit,) = read_run(run.folder).contenders("independent", "t")
    assert fit.seed == 1
    lines = run.matrix(100).splitlines()
    assert lines[1].split()[1] == f"{fit.score.value:.2f}"
    assert lines[-1] == "independent on t, seed 0, fold 2: failed: no"


def test_what_has_no_folds_is_refused(path, frame, tmp_path):
    with pytest.raises(ValueError, match="folds: expected None for asia, whose split is given"):
        compare(["asia"], tmp_path / "run", folds=5)
    with pytest.raises(ValueError, match="folds: expected an integer of at least 2"):
        compare([str(path)], tmp_path / "run", folds=1)
    with pytest.raises(ValueError, match="folds: expected data that are not split by time"):
        compare([own.load(path, time="who")], tmp_path / "run", folds=3)
    with pytest.raises(ValueError, match="fold: expected None beside time"):
        Dataset.from_data(frame, "t", time=frame.who.to_numpy(), fold=(0, 3))
    assert not (tmp_path / "run").exists()
