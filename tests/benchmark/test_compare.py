"""``compare``: records, failures, resuming, workers."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import troublemakers as bad

import genzoo
import genzoo.metrics.likelihood
from genzoo import Independent
from genzoo.benchmark.cell import run_cell
from genzoo.benchmark.plan import make_plan
from genzoo.metrics.sides import Comparison
from genzoo.metrics.variation import variation_of_marginals
from genzoo.seeding import numpy_rng
from genzoo.store import write_atomically

pytestmark = pytest.mark.usefixtures("cells_run_here")


def compare(models, datasets, out, **more):
    return genzoo.compare(models, datasets, out=out, **{"progress": False, "n_jobs": 1, **more})


def test_a_record_holds_what_the_model_gives(coin, tmp_path):
    run = compare(["independent"], [coin], tmp_path / "run", seeds=2)
    truth, first, second = run.records()
    model = Independent().fit(coin)
    score = model.log_prob(coin.test).mean()
    expected = coin.truth.log_prob(coin.test)
    gap = expected - model.log_prob(coin.test).value
    assert first["test_log_prob"] == pytest.approx(score.value)
    assert first["stderr"] == pytest.approx(score.stderr)
    assert first["bits_per_dim"] == pytest.approx(score.bits_per_dim(coin.schema))
    assert first["truth_log_prob"] == pytest.approx(expected.mean())
    assert first["truth_gap"]["value"] == pytest.approx(gap.mean())
    assert first["truth_gap"]["stderr"] == pytest.approx(gap.std(ddof=1) / np.sqrt(len(gap)))
    assert first["metrics"]["truth_gap"]["higher_is_better"] is False
    assert {*first["metrics"], *first["metrics_left_out"]} == set(genzoo.list_metrics())
    assert "sequences" in first["metrics_left_out"]["ngram_tv"]
    assert first["bound"] is None
    assert first["alarm"]["raised"] is False
    assert (first["status"], first["kind"], first["n_parameters"]) == ("ok", "exact", 3)
    assert (first["seed"], second["seed"], truth["seed"]) == (0, 1, None)
    assert truth["model"] == "truth"
    assert truth["test_log_prob"] == pytest.approx(expected.mean())
    with np.load(run.folder / "cells" / first["values"]) as arrays:
        assert arrays["log_prob"] == pytest.approx(model.log_prob(coin.test).value)
        assert arrays["rows"].shape == (64, 2)
    shares = np.array(first["marginals"][1])
    assert shares.sum() == pytest.approx(1)
    # 2,000 draws: five standard deviations, a false alarm in a million
    assert np.abs(shares - np.exp(model.log_table_[1])).max() < 5 * np.sqrt(0.25 / 2000)
    if sys.platform == "linux":
        assert 10 < first["peak_memory_mb"] < 4096


def test_a_bound_says_where_it_comes_from(coin, tmp_path):
    models = {
        "certified": bad.Bounded(), "refuses": bad.Bounded(gap="refused"),
        "breaks": bad.Bounded(gap="broken"),
    }  # fmt: skip
    found = {r["model"]: r for r in compare(models, [coin], tmp_path).records()}
    assert {r["status"] for r in found.values()} == {"ok"}
    bound = found["certified"]["bound"]
    assert bound["estimator"] == "iwae"
    # the effective draws of the 200 test rows are 1 .. 200
    assert bound["ess_median"] == pytest.approx(100.5)
    assert bound["ess_low"] == pytest.approx(10.95)
    assert bound["gap"] == {
        "value": 0.5, "stderr": 0.125, "n": 50, "estimator": "iwae", "lower": -3.0, "upper": -2.5
    }  # fmt: skip
    assert found["certified"]["calibration"]["marginal_weight"] == 0.25
    refused, broken = found["refuses"], found["breaks"]
    assert (refused["bound"]["gap"], refused["bound"]["gap_refused"]) == (None, "can't simulate")
    assert refused["notes"] == []
    assert broken["bound"]["gap_refused"] == "RuntimeError: no gap today"
    assert any("no gap today" in note for note in broken["notes"])
    assert broken["test_log_prob"] == found["certified"]["test_log_prob"]


def test_what_goes_wrong_in_a_metric_of_samples_costs_that_metric_alone(
    coin, tmp_path, monkeypatch
):
    metrics = genzoo.keys.METRICS
    monkeypatch.setitem(metrics, "broken", "troublemakers:BROKEN")
    monkeypatch.setitem(metrics, "seen", "troublemakers:FIRST_SAMPLE")
    record = compare(["independent"], [coin], tmp_path, seeds=[3]).records()[-1]
    assert record["status"] == "ok"
    assert record["kind"] == "exact"
    assert record["metrics_left_out"]["broken"] == "RuntimeError: this metric breaks"
    assert any("this metric breaks" in note for note in record["notes"])
    # metrics see the samples of the gallery, and the cell's seed
    with np.load(tmp_path / "cells" / record["values"]) as arrays:
        assert record["metrics"]["seen"]["value"] == arrays["rows"][0].sum() + 3
    assert record["n_sampled"] == 2000
    assert record["metrics_seconds"] > 0


def test_a_metric_is_what_it_is_registered_as_wherever_it_lies(coin, tmp_path, monkeypatch):
    likelihood = genzoo.metrics.likelihood
    monkeypatch.setattr(likelihood, "FIRST_CODE", bad.FIRST_SAMPLE, raising=False)
    monkeypatch.setitem(genzoo.keys.METRICS, "worst", "troublemakers:WORST_ROW")
    monkeypatch.setitem(genzoo.keys.METRICS, "first", f"{likelihood.__name__}:FIRST_CODE")
    assert {"worst", "first"} < set(genzoo.list_metrics())
    run = compare(["independent"], [coin], tmp_path)
    record = run.records()[-1]
    with np.load(tmp_path / "cells" / record["values"]) as arrays:
        assert record["metrics"]["worst"]["value"] == arrays["log_prob"].min()
        assert record["metrics"]["first"]["value"] == arrays["rows"][0].sum()
    # of rows that no model scores there is no likelihood
    cell = next(c for c in make_plan(["independent"], [coin], None, None, None).references)
    held_out = run_cell(cell, lambda fraction, message: None).record
    assert "first" in held_out.metrics
    assert "worst" not in held_out.metrics | held_out.metrics_left_out
    # the table of samples has the one, the ranking's metrics stand elsewhere
    report = run.report()["md"].read_text()
    assert "first (higher is better)" in report
    assert "worst (" not in report


def test_references_are_kept_apart_from_models(coin, tmp_path):
    run = compare(["independent"], [coin], tmp_path)
    held_out, copycat = run.references()
    assert (held_out["model"], copycat["model"]) == ("held-out", "copycat")
    assert {held_out["n_sampled"], copycat["n_sampled"]} == {100, 2000}
    for record in (held_out, copycat):
        assert record["status"] == "ok"
        assert record["test_log_prob"] is None
        assert {*record["metrics"]} == {*run.records()[-1]["metrics"]} - {
            "test_log_prob", "bits_per_dim", "truth_gap"
        }  # fmt: skip
        # rows of the data can't be told from other rows of it: four standard errors
        c2st = record["metrics"]["c2st"]
        assert abs(c2st["value"] - 0.5) < 4 * c2st["stderr"]
    assert list(run.table().model) == ["truth", "independent"]
    assert repr(run).endswith("2 of 2 cells)")
    assert "copycat" not in str(run)
    stamps = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "cells").iterdir()}
    assert len([name for name in stamps if name.endswith(".json")]) == 4
    again = compare(["independent"], {"coin": coin, "other": coin}, tmp_path)
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "cells").iterdir()}
    assert {name: after[name] for name in stamps} == stamps
    assert [(r["dataset"], r["model"]) for r in again.references()] == [
        ("coin", "held-out"), ("coin", "copycat"), ("other", "held-out"), ("other", "copycat"),
    ]  # fmt: skip


def test_references_are_judged_in_their_groups(coin, tmp_path):
    groups = {
        part: np.arange(len(getattr(coin, part))) // 10 for part in ("train", "valid", "test")
    }
    groups = {part: 100 * i + groups[part] for i, part in enumerate(groups)}
    data = dataclasses.replace(coin, groups=groups)
    held_out, copycat = compare(["independent"], [data], tmp_path / "grouped").references()
    few = {part: names // 4 for part, names in groups.items()}  # three of validation
    left_out, _ = compare(
        ["independent"], [dataclasses.replace(coin, groups=few)], tmp_path / "few"
    ).references()
    copied = numpy_rng(0, "copycat").integers(len(data.train), size=2000)
    for record, part, chosen in ((held_out, "valid", slice(None)), (copycat, "train", copied)):
        expected = variation_of_marginals(
            Comparison(
                data.test,
                getattr(data, part)[chosen],
                data.schema,
                train=data.train,
                groups=(groups["test"], groups[part][chosen]),
            )
        )
        assert record["metrics"]["marginal_tv"]["value"] == expected.value
        assert record["metrics"]["marginal_tv"]["stderr"] == expected.stderr
    assert "needs at least 4 groups" in left_out["metrics_left_out"]["marginal_tv"]


def test_table_and_files(coin, tmp_path):
    run = compare({"m": Independent(), "broken": bad.Raises()}, [coin], tmp_path / "run")
    table = run.table()
    assert list(table.columns) == [
        "model", "dataset", "seed", "fold", "status", "reason", "test_log_prob", "kind", "stderr",
        "estimator", "bits_per_dim", "valid_log_prob", "valid_kind", "valid_stderr",
        "label_log_prob", "label_accuracy", "label_auc", "truth_log_prob", "truth_gap",
        "truth_gap_stderr", "converged", "train_seconds", "evaluate_seconds", "n_parameters",
        "peak_memory_mb", "key",
    ]  # fmt: skip
    assert list(table.model) == ["truth", "m", "broken"]
    gap = run.records()[1]["truth_gap"]
    assert list(table.truth_gap.iloc[1:2]) == [gap["value"]]
    assert list(table.truth_gap_stderr.iloc[1:2]) == [gap["stderr"]]
    failed = table.iloc[2]
    assert failed.status == "failed"
    assert "this family breaks" in failed.reason
    assert pd.isna(failed.test_log_prob)
    assert pd.isna(failed.kind)
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["datasets"][0]["entropy"]["value"] == pytest.approx(coin.truth.entropy().value)
    schema = (tmp_path / "run" / "datasets" / "coin.schema.json").read_text()
    assert genzoo.Schema.from_json(schema) == coin.schema
    assert repr(genzoo.load_run(tmp_path / "run")).endswith("3 of 3 cells)")


@pytest.mark.usefixtures("real_workers")
def test_one_bad_model_does_not_stop_the_others(coin, tmp_path):
    models = {
        "dies": bad.Dies(), "exits": bad.Exits(), "raises": bad.Raises(), "refuses": bad.Refuses(),
        "infinite": bad.Infinite(), "good": Independent(),
    }  # fmt: skip
    run = compare(models, [coin], tmp_path, n_jobs=2)
    found = {r["model"]: r for r in run.records()}
    assert {name: r["status"] for name, r in found.items()} == {
        "truth": "ok", "dies": "failed", "exits": "failed", "raises": "failed",
        "refuses": "unsupported", "infinite": "failed", "good": "ok",
    }  # fmt: skip
    assert "SIGKILL" in found["dies"]["reason"]
    assert "exit code 7" in found["exits"]["reason"]
    assert "last words" in found["exits"]["traceback"]
    assert "RuntimeError: this family breaks" in found["raises"]["traceback"]
    assert found["refuses"]["reason"] == "this family can't score"
    assert "not finite" in found["infinite"]["reason"]
    assert found["infinite"]["test_log_prob"] is None
    text = str(run)
    assert "raises on coin, seed 0: failed: RuntimeError: this family breaks" in text


def test_alarm_on_a_model_that_claims_too_much(coin, tmp_path):
    record = compare([bad.TooGood()], [coin], tmp_path).records()[-1]
    assert record["alarm"]["raised"] is True
    assert record["truth_gap"]["value"] < -5
    assert any(note.startswith("alarm") for note in record["notes"])


def test_finished_cells_are_not_run_again(coin, tmp_path):
    models = {"good": Independent(), "refuses": bad.Refuses(), "raises": bad.Raises()}
    compare(models, [coin], tmp_path)
    stamps = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "cells").glob("*.json")}
    run = compare({**models, "more": Independent()}, [coin], tmp_path)
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "cells").glob("*.json")}
    again = {name for name, stamp in stamps.items() if after[name] != stamp}
    by_model = {r["model"]: r["key"] for r in run.records()}
    assert again == {by_model["raises"] + ".json"}  # what failed is tried again
    assert set(after) - set(stamps) == {by_model["more"] + ".json"}


def test_a_folder_grows_with_what_is_asked_of_it(coin, tmp_path):
    compare({"a": Independent(), "b": Independent()}, [coin], tmp_path, seeds=2)
    run = compare({"b": Independent(), "c": Independent()}, {"other": coin}, tmp_path)
    table = run.table()
    found = list(zip(table.dataset, table.model, table.seed.fillna(-1), strict=True))
    assert found == [
        ("coin", "truth", -1), ("coin", "a", 0), ("coin", "a", 1), ("coin", "b", 0),
        ("coin", "b", 1), ("coin", "stack", 0), ("coin", "stack", 1), ("other", "truth", -1),
        ("other", "b", 0), ("other", "c", 0), ("other", "stack", 0),
    ]  # fmt: skip
    assert run.plan["seeds"] == [0, 1]
    assert "not run" not in str(run)  # c on coin was never asked for
    report = run.report()["md"].read_text()
    assert "6 of 6 cells gave a result" in report
    assert "Cells without a result" not in report
    assert "# several calls asked for 6 of these 12 cells" in report
    again = compare({"a": Independent()}, [coin], tmp_path)
    assert len(again.records()) == 8


@pytest.mark.slow
@pytest.mark.parametrize("change", ["model", "rows", "budget", "version"])
def test_a_label_with_a_new_meaning_replaces_the_old_one(change, coin, tmp_path, monkeypatch):
    compare({"a": Independent(), "b": Independent()}, {"x": coin, "y": coin}, tmp_path)
    x = genzoo.Dataset("x", coin.schema, coin.train[1:], coin.valid, coin.test)
    if change == "version":
        other = {**genzoo.store.versions(), "genzoo": "99"}
        for module in ("plan", "facts"):
            monkeypatch.setattr(f"genzoo.benchmark.{module}.versions", lambda: other)
    run = compare(
        {"b": Independent(pseudo_count=3.0) if change == "model" else Independent()},
        {"x": x if change == "rows" else coin},
        tmp_path,
        budget="9 steps" if change == "budget" else None,
    )
    found = {(r["model"], r["dataset"]) for r in run.records() if r["model"] != "truth"}
    assert (
        found
        == {
            "model": {("a", "x"), ("a", "y"), ("b", "x")},
            "rows": {("b", "x"), ("a", "y"), ("b", "y")},
            "budget": {("b", "x"), ("a", "y"), ("b", "y")},
            "version": {("b", "x")},
        }[change]
    )
    assert len(run.records()) == len(run.plan["cells"])
    assert {m["label"] for m in run.plan["models"]} == {model for model, _ in found}
    run.report()


def test_saved_models(coin, tmp_path):
    compare(["independent"], [coin], tmp_path)
    with pytest.raises(ValueError, match="save_models"):
        genzoo.load_run(tmp_path).load_model("independent", "coin")
    compare(["independent"], [coin], tmp_path, save_models=True)  # the cell left no model: again
    run = genzoo.load_run(tmp_path)
    loaded = run.load_model("independent", "coin", seed=0)
    fitted = Independent().fit(coin)
    assert (loaded.log_prob(coin.test).value == fitted.log_prob(coin.test).value).all()
    with pytest.raises(ValueError, match="seeds there: 0"):
        run.load_model("independent", "coin", seed=5)


@pytest.mark.usefixtures("real_workers")
def test_classes_that_no_other_process_can_import_run_in_workers(coin, tmp_path, monkeypatch):
    """A family of a function, a truth of one, a module made by hand, and a metric of this session
    run in a worker like all others; the caller's models stay as they are."""

    class Local(bad.Chatty):
        pass

    class LocalTruth:
        schema = coin.schema
        log_prob, sample, entropy = coin.truth.log_prob, coin.truth.sample, coin.truth.entropy

    by_hand = types.ModuleType("by_hand")
    by_hand.troublemakers = bad
    monkeypatch.setitem(sys.modules, "by_hand", by_hand)
    exec("class Hidden(troublemakers.Chatty):\n    pass", vars(by_hand))
    monkeypatch.setitem(genzoo.keys.METRICS, "first", "troublemakers:FIRST_SAMPLE")
    data = genzoo.Dataset("local", coin.schema, coin.train, coin.valid, coin.test, LocalTruth())
    mine, models = Independent(), {"local": Local(), "hidden": by_hand.Hidden()}
    run = compare({"mine": mine, **models}, [data], tmp_path)
    found = {r["model"]: r for r in run.records()}
    assert [r["reason"] for r in found.values()] == [None] * 4
    assert {r["status"] for r in found.values()} == {"ok"}
    for model in models:
        assert found[model]["notes"][1] == "threads 1"
        assert found[model]["notes"][0] not in ("", f"pid {os.getpid()}")
        assert not hasattr(models[model], "training_")
    assert not hasattr(mine, "training_")
    assert found["mine"]["metrics"]["first"]["unit"] == "codes"


@pytest.mark.usefixtures("real_workers")
def test_what_can_not_be_sent_to_a_worker_is_a_failed_cell(coin, tmp_path, capsys):
    class Locked(Independent):
        def __init__(self, *, pseudo_count=1.0, lock=None):
            super().__init__(pseudo_count=pseudo_count)
            self.lock = lock

    class HeldTruth:
        schema = coin.schema
        log_prob, sample, entropy = coin.truth.log_prob, coin.truth.sample, coin.truth.entropy
        generator = (i for i in range(3))

    models = {"locked": Locked(lock=Holder()), "good": Independent()}
    data = genzoo.Dataset("held", coin.schema, coin.train, coin.valid, coin.test, HeldTruth())
    run = compare(models, [coin, data], tmp_path, progress=True)
    found = {(r["dataset"], r["model"]): (r["status"], r["reason"]) for r in run.records()}
    assert found["coin", "good"] == ("ok", None)
    status, reason = found["coin", "locked"]
    assert status == "failed"
    assert reason.startswith("it can't be sent to a worker process: TypeError: cannot pickle")
    assert {status for (name, _), (status, _) in found.items() if name == "held"} == {"failed"}
    assert "generator" in found["held", "good"][1]
    assert "locked on coin, seed 0: failed: it can't be sent" in capsys.readouterr().err


class Holder:
    """Of what no other process can have; copies share it."""

    def __init__(self):
        self.lock = threading.Lock()

    def __deepcopy__(self, memo):
        return self


@pytest.mark.usefixtures("real_workers")
def test_workers_are_reused_have_one_thread_and_may_print(coin, tmp_path):
    run = compare({"a": bad.Chatty(), "b": bad.Chatty()}, {"x": coin, "y": coin}, tmp_path)
    notes = [r["notes"] for r in run.records() if r["model"] != "truth"]
    assert len(notes) == 4
    assert {n[1] for n in notes} == {"threads 1"}
    assert len({n[0] for n in notes}) == 1
    assert notes[0][0] != f"pid {os.getpid()}"


def test_long_cells_start_first(coin, tmp_path, capsys):
    genzoo.compare(
        {"short": Independent(), "learner": bad.Learner()},
        {"a": coin, "b": coin},
        budget={"a": "1s", "b": "9s"},
        out=tmp_path,
        n_jobs=1,
    )
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("[1/6] learner on b, seed 0: -1")
    assert lines[1].startswith("[2/6] learner on a, seed 0: -1")


def test_matrix_marks_bounds_and_cells_that_were_improving(coin, tmp_path):
    run = compare({"still": bad.Learner(), "done": Independent()}, [coin, "iris"], tmp_path)
    text = run.matrix(width=200)
    row = next(line for line in text.splitlines() if line.startswith("still"))
    assert row.count("*") == 2
    assert "* still improving" in text
    assert ">=" not in text  # nothing here is a bound
    truth = next(line for line in text.splitlines() if line.startswith("truth"))
    assert len(truth.split()) == 3  # known for one of the two data sets
    narrow = run.matrix(width=30)
    assert max(map(len, narrow.split("\n\n")[0].splitlines())) <= 30
    assert narrow.count("still ") == 3  # two blocks and the legend


def test_text_is_completed_and_scored(tmp_path):
    class Writer(Independent):
        def score_text(self, text):
            return genzoo.Score(-float(len(text)), 0.5, "exact")

        def complete(self, prompt, *, seed):
            return f"{prompt} and so on {seed}"

    whole = genzoo.load_dataset("tinyshakespeare")
    # the text is whole, and a few of its windows do
    plays = genzoo.Dataset(
        whole.name, whole.schema, whole.train[:100], whole.valid[:50], whole.test[:50],
        text=whole.text,
    )  # fmt: skip
    record = compare([Writer()], [plays], tmp_path).records()[-1]
    n = len(whole.text["test"][0])
    assert record["text_score"]["value"] == -record["text_score"]["n_characters"] == -n
    texts = record["completions"]
    assert texts["ROMEO:"].startswith("ROMEO: and so on ")
    # each prompt has noise of its own, or their texts would run together
    assert len({text.split()[-1] for text in texts.values()}) == len(texts) > 1


def test_out_must_be_new_or_a_run(coin, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="out: expected a new folder"):
        compare(["independent"], [coin], tmp_path)
    with pytest.raises(ValueError, match="n_jobs"):
        compare(["independent"], [coin], tmp_path / "x", n_jobs=0)
    for out in (tmp_path / "thesis.txt" / "x", 5):
        with pytest.raises(ValueError, match="out: expected"):
            compare(["independent"], [coin], out)
    with pytest.raises(ValueError, match=r"no plan\.json"):
        genzoo.load_run(tmp_path)
    (tmp_path / "plan.json").write_text('{"format_version": 1}')
    with pytest.raises(ValueError, match="another format"):
        genzoo.load_run(tmp_path)


SCRIPT = """
import os
import sys
sys.path.insert(0, {folder!r})
import numpy as np
import genzoo
from troublemakers import Slow

NOTE = "fitted in"

class Mine(genzoo.Independent):
    def _fit(self, rows, valid, fit):
        super()._fit(rows, valid, fit)
        fit.training.notes.append(f"{{NOTE}} {{os.getpid()}}")

data = {{"codes": np.arange(200).reshape(100, 2) % 3}}
genzoo.compare({models}, data, out={out!r}, n_jobs=2)
print("end")
"""


def script(models: str, out: Path) -> subprocess.Popen[str]:
    text = SCRIPT.format(folder=str(Path(__file__).parent), models=models, out=str(out))
    path = out.parent / "script.py"
    path.write_text(text)
    return subprocess.Popen(
        [sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_a_script_without_a_guard_and_with_a_class_of_its_own(tmp_path):
    process = script("[Mine(), 'independent']", tmp_path / "run")
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert out == "end\n"  # once: no worker runs the script again
    mine, independent = genzoo.load_run(tmp_path / "run").records()
    assert (mine["status"], independent["status"]) == ("ok", "ok")
    (note,) = mine["notes"]
    assert note.startswith("fitted in ")
    assert note != f"fitted in {process.pid}"  # in a worker, as all others


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_kill_keeps_the_finished_cells_and_leaves_no_worker(sent, tmp_path):
    run = tmp_path / "run"
    process = script("{'fast': 'independent', 'slow': Slow(seconds=60.0)}", run)
    end = time.monotonic() + 60
    while not list((run / "cells").glob("*.json")) and time.monotonic() < end:
        time.sleep(0.1)
    workers = children(process.pid)
    assert workers
    process.send_signal(sent)
    process.communicate(timeout=20)
    assert process.returncode != 0
    end = time.monotonic() + 10  # the model that runs says nothing for 60 seconds
    while any(map(alive, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(alive, workers))
    assert list(genzoo.load_run(run).table().model) == ["fast"]


def test_what_a_killed_writer_left_is_cleared_by_the_next_call(coin, tmp_path, monkeypatch):
    class Killed(BaseException):
        """Like a kill: nothing is tidied up after it."""

    def kill(*_, **__):
        raise Killed

    compare(["independent"], [coin], tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", kill)
        patch.setattr(Path, "unlink", kill)
        patch.setattr("shutil.rmtree", kill)
        for write in (
            lambda: write_atomically(tmp_path / "cells" / "a.json", b"{}"),
            lambda: genzoo.Independent().fit(["a", "b"]).save(tmp_path / "models" / "a"),
        ):
            with pytest.raises(Killed):
                write()
    left = [*tmp_path.glob("*/.*")]
    assert len(left) == 2
    compare(["independent"], [coin], tmp_path)
    assert not [path for path in left if path.exists()]


def children(pid: int) -> list[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]


def alive(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return state != "" and not state.startswith("Z")


def test_bars_on_a_terminal(coin, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    genzoo.compare({"raises": bad.Raises(), "good": Independent()}, [coin], out=tmp_path, n_jobs=1)
    shown = capsys.readouterr().err
    assert "raises on coin, seed 0: failed: RuntimeError" in shown
    assert "good on coin, seed 0: -1" in shown
