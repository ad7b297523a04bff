"""The benchmark beside published results: records, resuming, tables that follow from records."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from genzoo import HMM, Dataset, Independent, Schema, Variable, list_models
from genzoo.benchmark.machine import n_cores
from genzoo.fitting import Budget
from genzoo.space.schema import MISSING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import published_tables  # noqa: E402 - found by the line above
from published import records, scores, tables, targets  # noqa: E402
from published.figures import read_published  # noqa: E402

PATH = re.compile(r"(?<![\w.])/\w+/")  # the start of an absolute one


def run(folder, *options):
    return published_tables.main(["run", "--results", str(folder), *options])


@pytest.fixture(scope="module")
def finished(data_folder, tmp_path_factory):
    """A folder with the records and tables of three cells."""
    folder = tmp_path_factory.mktemp("published")
    options = ("--datasets", "debd/nltcs", "--models", "independent,bayesian_network,chow_liu")
    assert run(folder, *options, "--budget", "20s") == 0
    return folder, options


def read(folder):
    return {r["model"]: r for r in records.read_records(folder)}


@pytest.mark.slow
def test_measured_targets_are_met(finished) -> None:
    # fits and scores here are deterministic, so there is no false alarm
    found = read(finished[0])
    assert set(found) == {"independent", "bayesian_network", "chow_liu"}
    (line,) = targets.summarise_binary(list(found.values()), read_published())
    assert abs(line.tree.value - line.tree.published) <= targets.AGREEMENT
    assert abs(line.product.value - line.product.published) <= targets.AGREEMENT
    assert line.network_and_own_tree > 0
    assert targets.disagreements([line]) == []


@pytest.mark.slow
def test_records_tell_all_but_whose_machine(finished) -> None:
    record = read(finished[0])["bayesian_network"]
    empty = {name for name, value in record.items() if value in (None, "")}
    assert empty <= {"reason"}
    figure = record["test"]["test"]
    assert (figure["kind"], figure["n"], figure["of"]) == ("exact", 3236, 3236)
    assert 0 < figure["stderr"] < 0.1
    assert not PATH.search(json.dumps(record))


@pytest.mark.slow
def test_finished_cells_are_kept_and_others_run_anew(finished, capsys) -> None:
    folder, options = finished
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.json")}
    pages = {p.name: p.read_text() for p in folder.glob("*.*")}
    assert run(folder, *options, "--budget", "20s") == 0
    assert "3 of 3 cells have a record" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.json")} == before
    for page in pages:
        (folder / page).unlink()
    assert published_tables.main(["tables", "--results", str(folder)]) == 0
    assert {p.name: p.read_text() for p in folder.glob("*.*")} == pages
    record = read(folder)["independent"]
    assert len(record["code"]) == 20
    assert (record["threads"], record["jobs"]) == (1, n_cores())
    assert record["cores"] == n_cores()
    page = pages[tables.PAGE]
    assert "unequal conditions" not in page.replace("unequal conditions of the families", "")
    assert f"| 20s, 1 step; code {record['code'][:8]}; cells at a time: {n_cores()} on " in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "2 with another budget than 21s"),
        ({"code": "0123"}, "1 of other code"),
        ({"code": None}, "1 of code that was not recorded"),
        ({"versions": {"genzoo": "0"}}, "1 with other versions of libraries"),
        ({"threads": 2}, "1 not known to have had 1 thread a cell"),
        ({"fingerprint": "0123"}, "1 of other rows"),
    ],
)
def test_records_of_other_conditions_are_not_mixed(
    finished, tmp_path, capsys, change, says
) -> None:
    """A part of a record that is None is left out, as in those of before."""
    folder = Path(shutil.copytree(finished[0], tmp_path / "results"))
    (folder / "records/debd/nltcs/bayesian_network-0.json").unlink()  # it would be run anew
    path = folder / "records/debd/nltcs/independent-0.json"
    record = json.loads(path.read_text()) | change
    path.write_text(json.dumps({name: v for name, v in record.items() if v is not None}))
    before = {p: p.read_bytes() for p in folder.rglob("*.*") if p.is_file()}
    with pytest.raises(SystemExit):
        run(folder, *finished[1], "--budget", "20s" if change else "21s")
    told = capsys.readouterr().err
    assert "--results: expected records that were made like those of this run; of the 2 in" in told
    assert f"there are {says}: give another folder, or remove them" in told
    assert {p: p.read_bytes() for p in before} == before
    assert not (folder / "records/debd/nltcs/bayesian_network-0.json").exists()


def test_the_committed_records_are_not_added_to(data_folder, tmp_path, capsys) -> None:
    """They are of several budgets and of code that was not recorded."""
    folder = tmp_path / "results"
    shutil.copytree(published_tables.RESULTS / "records", folder / "records")
    with pytest.raises(SystemExit):
        run(folder, "--datasets", "debd/nltcs", "--models", "independent", "--budget", "600s")
    assert "110 of code that was not recorded" in capsys.readouterr().err


def test_a_failed_cell_is_told_and_the_rest_goes_on(data_folder, tmp_path, capsys) -> None:
    (task,) = records.tasks_of("debd/nltcs", ["independent"], 1, Budget.parse("5s"))
    broken = dataclasses.replace(task.model, label="broken", model=HMM(n_states=0))
    bad = dataclasses.replace(task, key="bad", model=broken)
    assert records.run([bad, task], tmp_path, 1, "command") == 1
    found = read(tmp_path)
    assert found["independent"]["status"] == "ok"
    assert found["broken"]["status"] == "failed"
    assert found["broken"]["reason"].startswith("ValueError: n_states: expected")
    page = tables.build(list(found.values()), read_published())[tables.PAGE]
    assert "- broken: failed: ValueError: n_states" in page
    assert records.run([bad, task], tmp_path, 1, "command") == 1
    assert "1 of 2 cells have a record" in capsys.readouterr().out  # a failure is tried again


def test_committed_tables_follow_from_committed_records() -> None:
    folder = published_tables.RESULTS
    pages = tables.build(records.read_records(folder), read_published())
    committed = {p.name: p.read_text(encoding="utf-8") for p in folder.glob("*.*")}
    assert committed == pages, "run: python benchmarks/published_tables.py tables"


def test_committed_records_agree_with_the_measured_targets() -> None:
    found = records.read_records(published_tables.RESULTS)
    assert targets.disagreements(targets.summarise_binary(found, read_published())) == []
    for record in found:
        assert not PATH.search(json.dumps(record)), record["model"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--datasets", "nltcs"),
        ("--models", "vea"),
        ("--budget", "soon"),
        ("--jobs", "0"),
        ("--jobs", "9999"),  # more than there are cores
    ],
)
def test_bad_options_are_named(tmp_path, option, value, capsys) -> None:
    with pytest.raises(SystemExit):
        run(tmp_path, option, value)
    assert f"{option.strip('-')}: expected" in capsys.readouterr().err


# -------------------------------------------------------------------- tables of made-up records


def figure(value, kind="exact"):
    return {"value": value, "stderr": 0.01, "kind": kind, "estimator": None, "n": 10, "of": 10,
            "seconds": 1.0, "protocol": "all 10 rows"}  # fmt: skip


def made_up(dataset, model, validation, test, score="test"):
    blank = {"key": "k", "params": {}, "seed": 0, "budget": "1s", "status": "ok", "reason": None}
    return {
        **blank, "dataset": dataset, "model": model, "family": model, "score": score,
        "validation": figure(validation), "test": test, "left_out": {}, "train_seconds": 2.0,
        "evaluate_seconds": 1.0, "n_parameters": 3, "peak_memory_mb": 100.0, "steps": 1,
        "converged": True, "stopped_by": "converged", "notes": [], "versions": {"genzoo": "0"},
        "machine": {"cores": 2}, "command": "run", "finished": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip


def test_best_is_picked_on_validation_and_doubtful_figures_do_not_count() -> None:
    made = [
        made_up("debd/kdd", "vae", -2.2, {"test": figure(-2.10, "lower_bound")}),
        made_up("debd/kdd", "hmm", -2.1, {"test": figure(-2.14)}),
        made_up("debd/kdd", "chow_liu", -1.0, {"test": figure(-2.30)}),  # stands beside, no family
    ]
    published = read_published()
    (line,) = targets.summarise_binary(made, published)
    assert line.best.model == "hmm"
    assert line.best.published == -2.12  # MADE's -2.07 is doubtful
    assert line.best.behind == pytest.approx(100 * 0.02 / 2.12)
    page = tables.build(made, published)[tables.PAGE]
    assert "-2.07 (doubtful)" in page
    assert "DOUBTFUL, not counted" in page
    assert "**>= -2.100**" in page


EQUAL = {"code": "c" * 20, "threads": 1, "jobs": 2, "cores": 2}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ""),
        ({"model": "vae", "code": "d" * 20}, ""),  # another family's
        ({"budget": "90s"}, "budgets of 1s and 90s"),
        ({"code": "d" * 20}, "several codes of hmm"),
        ({"code": None}, "code not recorded"),
        ({"jobs": None}, "cells at a time not recorded"),
        ({"jobs": 5}, "more cells at a time than cores"),
        ({"threads": 2}, "several numbers of threads a cell"),
        ({"machine": {"cores": 64}}, "several machines"),
        ({"versions": {"genzoo": "1"}}, "several versions of libraries"),
    ],
)
def test_no_best_family_is_named_from_unequal_conditions_without_a_word(change, says) -> None:
    made = [
        made_up("names", "hmm", -2.0, {"test": figure(-2.0)}) | EQUAL,
        made_up("names", "hmm", -2.1, {"test": figure(-2.1)}) | EQUAL | {"seed": 1} | change,
    ]
    made += [record | {"dataset": "debd/kdd"} for record in made]
    published = read_published()
    names = next(g for g in targets.all_targets(made, published) if g.what.startswith("names"))
    (line,) = targets.summarise_binary(made, published)
    assert line.unequal == says
    page = tables.build(made, published)[tables.PAGE]
    (summary,) = [row for row in page.splitlines() if row.startswith("| kdd |")]
    if says:
        assert f"(unequal conditions: {says})" in names.found
        assert f"| {says} |" in summary
        assert f"**These records were not made under equal conditions ({says})" in page
    else:
        assert "unequal" not in names.found
        assert "| none |" in summary
        assert "not made under equal conditions" not in page


def test_records_of_before_say_what_they_do_not_know() -> None:
    made = [made_up("names", "hmm", -2.0, {"test": figure(-2.0)})]
    pages = tables.build(made, read_published())
    assert "| 1s, 1 step; code unknown; cells at a time: not recorded |" in pages[tables.PAGE]
    (ours,) = [row for row in pages["names.csv"].splitlines() if ",ours," in row]
    assert ours.count("not recorded") == 4  # code, threads, jobs, cores
    assert "flattered" in pages[tables.PAGE]
    assert (
        "cells at a time: 2 on 2 cores"
        in tables.build([made[0] | EQUAL], read_published())[tables.PAGE]
    )


def goals_of(made):
    """Whether each target is reached."""
    return {goal.what: goal.reached for goal in targets.all_targets(made, read_published())}


@pytest.mark.parametrize(
    ("dataset", "score", "good", "bad", "what"),
    [
        ("mnist_binary", "test", -100, -110, "mnist_binary, best exact family"),
        ("jsb_chorales", "windows", -7, -8, "jsb_chorales, best family, windows"),
        ("names", "test", -1.9, -2, "names, best family"),
        ("adult", "accuracy", 0.85, 0.83, "adult, labels told right, best family"),
    ],
)
def test_what_a_missing_family_could_still_reach_is_open(dataset, score, good, bad, what) -> None:
    def cells(value, models):
        return [made_up(dataset, m, value, {score: figure(value)}, score) for m in models]

    families = list_models()
    assert goals_of(cells(bad, families[:2]))[what] is None
    assert goals_of(cells(bad, families))[what] is False
    assert goals_of(cells(good, families[:2]))[what] is True
    refused = cells(bad, families[:2])
    refused += [cell | {"status": "unsupported"} for cell in cells(bad, families[2:])]
    assert goals_of(refused)[what] is False  # all were asked


def test_binary_and_wide_tables_wait_for_every_family() -> None:
    def cells(names, models):
        return [
            made_up(f"debd/{n}", m, -9e3, {"test": figure(-9e3)}) for n in names for m in models
        ]

    families = list_models()
    best = "binary tables, best family within 2 % of the best published figure"
    wide = "wide tables (cwebkb, cr52, c20ng, ad), every family"
    some = cells(records.BINARY, families[:2])
    assert (goals_of(some)[best], goals_of(some)[wide]) == (None, None)
    whole = cells(records.BINARY, families)
    assert (goals_of(whole)[best], goals_of(whole)[wide]) == (False, True)
    some[-1] |= {"status": "failed"}  # of ad
    assert goals_of(some)[wide] is False


@pytest.mark.parametrize("content", ['{"key": "k", "data', "", "[]", "{}", b"\xff"])
def test_a_damaged_record_is_named_and_left_out(tmp_path, capsys, content) -> None:
    made = made_up("names", "ngram", -2.0, {"test": figure(-2.0)})
    folder = tmp_path / "records" / "names"
    folder.mkdir(parents=True)
    (folder / "ngram-0.json").write_text(json.dumps(made))
    bad = folder / "hmm-0.json"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert published_tables.main(["tables", "--results", str(tmp_path)]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{bad}: left out: expected a whole record; ")
    assert "- cells: 1, of which 1 ok" in (tmp_path / tables.PAGE).read_text()


def test_protocols_are_not_mixed() -> None:
    made = [made_up("mnist_binary", "vae", -91.0, {"test": figure(-92.0, "lower_bound")})]
    page = tables.build(made, read_published())[tables.PAGE]
    beside, apart = page.split("Published under another protocol")
    beside = beside[beside.index("MNIST, binarised") :]
    assert "**<= 92.000**" in beside
    assert "| fixed |" in beside
    assert "| dynamic |" not in beside
    assert apart.count("| dynamic |") == 11
    goals = goals_of(made)
    assert goals["mnist_binary, vae (bound)"]
    assert goals["mnist_binary, best exact family"] is None


def test_every_published_figure_has_source_status_and_place() -> None:
    offered = {"debd": {"test"}}
    for section in tables.SECTIONS:
        offered[section.dataset] = {"", *section.columns}
    for row in read_published():
        assert row.source
        assert row.status
        assert row.kind in ("exact", "bound")
        assert row.stands_beside in offered[row.dataset.split("/")[0]]


# -------------------------------------------------------------------- scores


def test_slow_scoring_takes_a_seeded_subset() -> None:
    def slow(index):
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass

    index = scores.affordable(slow, 5000, limit=2.0, fewest=500)
    assert 500 <= len(np.unique(index)) == len(index) < 5000
    few = scores.affordable(slow, 5000, limit=0.1, fewest=500)
    assert len(few) == 500
    assert set(few) <= set(index)
    assert len(scores.affordable(lambda i: None, 5000, limit=2.0, fewest=500)) == 5000


@pytest.fixture(scope="module")
def tunes():
    """Windows of 4 steps of 2 keys; the test pieces have 4, 6 and 9 steps."""
    rng = np.random.default_rng(0)
    variables = tuple(Variable(f"t{t}k{k}", "nominal", 2) for t in range(4) for k in range(2))
    pieces = [np.cumsum(rng.random((n, 2)) < 0.3, axis=0) % 2 for n in (4, 6, 9)]
    windows, groups = [], []
    for group, piece in enumerate(pieces):
        for first in range(0, len(piece), 4):
            row = np.full((4, 2), MISSING)
            row[: len(piece) - first] = piece[first : first + 4]
            windows.append(row.reshape(-1))
            groups.append(group)
    train = np.cumsum(rng.random((200, 4, 2)) < 0.3, axis=1).reshape(200, 8) % 2
    data = Dataset(
        "tunes",
        Schema(variables, "sequence", (4, 2)),
        train[:150],
        train[150:],
        np.array(windows),
        groups={
            "train": 100 + np.arange(150),
            "valid": 300 + np.arange(50),
            "test": np.array(groups),
        },
    )
    return data, pieces


@pytest.fixture(scope="module")
def chain(tunes):
    return HMM(n_states=2, n_restarts=1, n_iter=20).fit(tunes[0])


def by_states(model, piece):
    """log p of a piece by the sum over every path of states."""
    chain, total = model.chain_, 0.0
    for path in itertools.product(range(chain.S), repeat=len(piece)):
        p = chain.start[path[0]]
        for t, state in enumerate(path):
            p *= chain.transitions[0][path[t - 1], state] if t else 1.0
            p *= np.prod([chain.emissions[k, piece[t, k], state] for k in range(2)])
        total += p
    return np.log(total)


def test_whole_pieces_are_the_chain_read_for_longer(tunes, chain) -> None:
    data, pieces = tunes
    main = scores.PROTOCOLS["jsb_chorales"].main(chain, data, "test", 0)
    found = scores.whole_pieces(chain, data, main, 0)
    assert found.value == pytest.approx(sum(by_states(chain, p) for p in pieces) / 19)
    with pytest.raises(Exception, match="ends where a window ends"):
        scores.whole_pieces(Independent().fit(data), data, main, 0)


def test_windows_and_sliding_windows_score_every_step_once(tunes, chain) -> None:
    data, pieces = tunes
    main = scores.PROTOCOLS["jsb_chorales"].main(chain, data, "test", 0)
    cut = [p[a : a + 4] for p in pieces for a in range(0, len(p), 4)]
    assert main.value == pytest.approx(sum(by_states(chain, part) for part in cut) / 19)
    sliding = scores.sliding_pieces(chain, data, main, 0)
    total = 0.0
    for piece in pieces:
        total += by_states(chain, piece[:4])
        for first in range(2, len(piece) - 2, 2):
            total += by_states(chain, piece[first : first + 4])
            total -= by_states(chain, piece[first : first + 2])
    assert sliding.value == pytest.approx(total / 19)
    assert sliding.n == 3


def test_accuracy_and_names_units(tunes) -> None:
    data, _ = tunes
    whole = Dataset("labels", Schema(data.schema.variables, "table", (8,)), *(data.train,) * 3)
    found = scores.PROTOCOLS["adult"].main(Independent().fit(whole), whole, "test", 0)
    share = np.mean(data.train[:, -1] == np.bincount(data.train[:, -1]).argmax())
    assert found.value == pytest.approx(share)
    assert found.stderr == pytest.approx(np.sqrt(share * (1 - share) / 150))
    names = Schema.infer(["ab", "abc", "c"])
    units = scores.characters(names, names.encode(["ab", "abc", "c"]))
    assert units.tolist() == [3, 4, 2]
