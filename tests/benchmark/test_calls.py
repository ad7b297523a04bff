"""Several calls of ``compare`` on one folder: what is reused, run anew, left out; and locks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import troublemakers as bad

import genzoo
from genzoo import Independent
from genzoo.benchmark import locks
from genzoo.benchmark.sources import ROOT
from genzoo.datasets import own

HERE = Path(__file__).parent

pytestmark = pytest.mark.usefixtures("cells_run_here")


def compare(models, datasets, out, **more):
    return genzoo.compare(models, datasets, out=out, **{"n_jobs": 1, **more})


def said(capsys) -> list[str]:
    """What a call said of earlier ones before its first cell."""
    return of_earlier(capsys.readouterr().err)


def of_earlier(said: str) -> list[str]:
    """What is neither of a cell that ended nor of what the fits may take."""
    return [line for line in said.splitlines() if not line.startswith(("[", "each fit on"))]


def today() -> str:
    now = datetime.now(UTC)
    return f"{now.day} {now:%B %Y}"


# -------------------------------------------------------------------- what a call says


def test_what_is_reused_is_said_and_known(coin, tmp_path, capsys):
    first = compare({"a": Independent()}, {"x": coin}, tmp_path, seeds=2)
    assert said(capsys) == []
    assert first.reused == []
    again = compare({"a": Independent(), "b": Independent()}, {"x": coin}, tmp_path, seeds=2)
    assert said(capsys) == [f"3 cells of {today()} are reused"]
    assert again.reused == [("truth", "x", None), ("a", "x", 0), ("a", "x", 1)]
    assert genzoo.load_run(tmp_path).reused == []
    path = tmp_path / "cells" / f"{again.records()[0]['key']}.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"finished": "1999-12-31T23:59:59+00:00"}))
    compare({"a": Independent()}, {"x": coin}, tmp_path, progress=False)
    assert said(capsys) == []
    compare({"a": Independent()}, {"x": coin}, tmp_path)
    assert said(capsys) == [f"2 cells of 31 December 1999 to {today()} are reused"]


def test_on_a_terminal_it_is_said_too(coin, tmp_path, monkeypatch, capsys):
    compare({"a": Independent()}, {"x": coin}, tmp_path, progress=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    compare({"a": Independent()}, {"x": coin}, tmp_path)
    assert f"2 cells of {today()} are reused" in capsys.readouterr().err


@pytest.fixture(scope="module")
def finished(coin, tmp_path_factory) -> Path:
    """A run of two models on two data sets."""
    folder = tmp_path_factory.mktemp("finished")
    models = {"a": Independent(), "b": Independent()}
    compare(models, {"x": coin, "y": coin}, folder, progress=False)
    return folder


OTHER = Independent(pseudo_count=2.0)
NUMPY = genzoo.store.versions()["numpy"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "why", "n"),
    [
        ({"models": {"a": OTHER}}, "the parameters of a", 2),
        ({"models": {"a": bad.Learner()}}, "the class of a and the code of a", 2),
        ({"rows": 299}, "the rows, the split or the schema of x", 3),
        ({"budget": {"x": "5 steps"}}, "the budget of x", 2),
        (
            {"models": {"a": OTHER, "b": OTHER}, "budget": "5 steps"},
            "the parameters of a and b and the budget of x and y",
            4,
        ),
        ({"versions": {"numpy": "0.1"}}, f"the version of numpy ({NUMPY} to 0.1)", 6),
    ],
)
def test_why_cells_are_run_anew_is_said(
    change, why, n, coin, finished, tmp_path, monkeypatch, capsys
):
    out = shutil.copytree(finished, tmp_path / "run")
    versions = {**genzoo.store.versions(), **change.get("versions", {})}
    for module in ("plan", "facts"):
        monkeypatch.setattr(f"genzoo.benchmark.{module}.versions", lambda: versions)
    models = {"a": Independent(), "b": Independent(), **change.get("models", {})}
    parts = (coin.train[: change.get("rows")], coin.valid, coin.test)
    data = {"x": genzoo.Dataset("x", coin.schema, *parts, truth=coin.truth), "y": coin}
    compare(models, data, out, budget=change.get("budget"))
    lines = said(capsys)
    assert lines[-1] == f"run anew, since {why} changed: {n} cells"
    assert lines[:-1] == ([f"{6 - n} cells of {today()} are reused"] if n < 6 else [])


def test_what_is_left_out_is_said(coin, finished, tmp_path, capsys):
    out = shutil.copytree(finished, tmp_path / "run")
    compare({"a": OTHER}, {"x": coin}, out)
    assert said(capsys) == [
        f"1 cell of {today()} is reused",
        "run anew, since the parameters of a changed: 1 cell",
        "left out: 1 cell of a on y, since the parameters of a changed: to have it run, name y too",
    ]
    compare({"a": OTHER}, {"x": coin}, out, budget="5 steps")
    assert said(capsys)[-1] == (
        "left out: 1 cell of b on x, since the budget of x changed: to have it run, name b too"
    )
    found = {(d, m) for d, m, _ in cells(out)}
    assert found == {("x", "truth"), ("x", "a"), ("y", "truth"), ("y", "b")}


def test_what_was_named_in_a_call_is_not_to_be_named_again(coin, tmp_path, capsys):
    compare({"a": Independent()}, {"x": coin}, tmp_path, seeds=3, progress=False)
    without_truth = genzoo.Dataset("x", coin.schema, coin.train, coin.valid, coin.test)
    compare({"a": Independent()}, {"x": without_truth}, tmp_path)
    assert said(capsys) == [
        "run anew, since the code of the truth of x changed: 1 cell",
        "left out: 3 cells of truth and a on x, since the code of the truth of x changed: to have "
        "them run, name seed 1 and seed 2 too",
    ]
    compare({"a": Independent()}, {"x": coin}, tmp_path, progress=False)
    compare({"a": Independent()}, {"x": without_truth}, tmp_path)
    assert said(capsys)[-1] == (
        "left out: 1 cell of truth on x, since the code of the truth of x changed"
    )


@pytest.fixture
def file(tmp_path) -> Path:
    """A table with a label and with groups."""
    path = tmp_path / "t.csv"
    rows = [f"{i % 3},{i % 5 % 2},g{i % 20},{'pq'[i % 7 % 2]}" for i in range(120)]
    path.write_text("\n".join(["a,b,who,lab", *rows]) + "\n")
    return path


def on_file(path: Path, out: Path, *, folds: int | None = None, **options):
    return compare(["independent"], [own.load(path, **options)], out, folds=folds)


@pytest.mark.slow
def test_what_changed_of_a_file_is_said(file, tmp_path, capsys):
    out = tmp_path / "run"

    def why(**options) -> list[str]:
        capsys.readouterr()
        on_file(file, out, **options)
        return said(capsys)

    def anew(words: str) -> list[str]:
        return [f"run anew, since {words} changed: 1 cell"]

    assert why(label="lab") == []
    assert why() == anew("the label of t and the split of t")
    assert why(stratify="b") == anew("the split of t")
    assert why(group="who") == anew("the split of t and the columns of t")
    assert why(group="who", keep=["who"]) == anew("the columns of t")
    copy = tmp_path / "elsewhere" / "t.csv"
    copy.parent.mkdir()
    shutil.copy(file, copy)
    on_file(copy, out, group="who", keep=["who"])
    assert said(capsys) == [f"1 cell of {today()} is reused"]
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert why(group="who", keep=["who"]) == anew("the rows of t")


@pytest.mark.slow
def test_what_folds_replace_is_said(file, tmp_path, capsys):
    out = tmp_path / "run"
    compare(["independent", "ngram"], [own.load(file, label="lab")], out, progress=False)
    on_file(file, out, label="lab", folds=3)
    left_out = "1 cell of ngram on t, since the folds of t changed: to have it run, name ngram too"
    assert said(capsys) == [
        "replaced by 3 folds: 1 cell of independent on t",
        f"left out: {left_out}",
    ]
    on_file(file, out, folds=2)
    assert said(capsys) == [
        "replaced by 2 folds: 3 cells of independent on t (the label of t changed too)"
    ]
    on_file(file, out)
    assert said(capsys) == ["replaced by one split: 2 cells of independent on t"]


def test_a_failed_cell_is_tried_again_without_a_reason(coin, tmp_path, capsys):
    compare({"a": bad.Raises()}, {"x": coin}, tmp_path, progress=False)
    compare({"a": Independent()}, {"x": coin}, tmp_path)
    assert said(capsys) == [f"1 cell of {today()} is reused"]


def test_what_is_run_anew_to_be_saved_is_said(coin, tmp_path, capsys):
    compare({"a": Independent()}, {"x": coin}, tmp_path, seeds=3, progress=False)
    compare({"a": Independent()}, {"x": coin}, tmp_path, seeds=3, save_models=True)
    assert said(capsys) == [
        f"1 cell of {today()} is reused",
        "run anew, to be saved: 3 cells",
    ]
    compare({"a": Independent()}, {"x": coin}, tmp_path, seeds=3, save_models=True)
    assert said(capsys) == [f"4 cells of {today()} are reused"]


# -------------------------------------------------------------------- code that changes

CALL = """
import sys
import numpy as np
import genzoo
codes = np.arange(200).reshape(100, 2) % 3
run = genzoo.compare(sys.argv[1].split(","), {"x": codes}, out=sys.argv[2], n_jobs=1)
print(*[f"{r['model']}:{r['code']}" for r in run.records()])
"""


@pytest.fixture
def package(tmp_path) -> Path:
    """A copy of the package that may be edited."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(ROOT / "genzoo", tmp_path / "lib" / "genzoo", ignore=ignored))


def in_copy(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        cwd=package.parent,
    )


def edit(package: Path, name: str) -> None:
    path = package / name
    path.write_text(path.read_text() + "\n# another line\n")


@pytest.mark.slow
def test_code_that_changed_is_not_hidden(package, tmp_path):
    out = tmp_path / "run"

    def call(models: str) -> tuple[dict[str, str], list[str]]:
        done = in_copy(package, "-c", CALL, models, str(out))
        return dict(pair.split(":") for pair in done.stdout.split()), of_earlier(done.stderr)

    first, _ = call("independent,ngram,mixture")
    edit(package, "models/ngram/model.py")
    report = in_copy(package, "-m", "genzoo", "report", str(out))
    assert "written" in report.stdout
    page = (out / "report.md").read_text()
    assert "The code of ngram changed since these cells were run" in page
    second, lines = call("independent,ngram")
    assert lines == [
        f"1 cell of {today()} is reused",
        "run anew, since the code of ngram changed: 1 cell",
    ]
    assert {name for name in first if second[name] != first[name]} == {"ngram"}
    edit(package, "models/independent.py")  # of which ngram and mixture know nothing
    third, lines = call("ngram")
    assert lines == [
        f"1 cell of {today()} is reused",
        "left out: 1 cell of independent on x, since the code of independent changed: to have it "
        "run, name independent too",
    ]
    assert third == {name: second[name] for name in ("ngram", "mixture")}
    edit(package, "metrics/mmd.py")
    fourth, lines = call("ngram")
    assert lines == [
        "run anew, since the code that judges cells changed: 1 cell",
        "left out: 1 cell of mixture on x, since the code that judges cells changed: to have it "
        "run, name mixture too",
    ]
    assert set(fourth) == {"ngram"}
    in_copy(package, "-m", "genzoo", "report", str(out))
    assert "changed since these cells were run" not in (out / "report.md").read_text()


def test_cells_of_a_class_that_was_not_passed_stay_and_say_of_when(coin, tmp_path):
    class Mine(Independent):
        """Whose present code no other call can know."""

    compare([Mine()], {"x": coin}, tmp_path, progress=False)
    plan = json.loads((tmp_path / "plan.json").read_text())
    first = plan["models"][0]["asked"]
    assert first == plan["started"]
    time.sleep(1.1)  # times are in whole seconds
    run = compare(["independent"], {"x": coin}, tmp_path, progress=False)
    asked = {m["label"]: m["asked"] for m in run.plan["models"]}
    assert asked["Mine"] == first < asked["independent"]
    assert {r["model"] for r in run.records()} == {"truth", "Mine", "independent"}


def test_a_cell_whose_code_changed_while_it_ran_is_run_again(coin, tmp_path, monkeypatch, capsys):
    """Workers read a module when they first need it: whose code it was can't be told."""
    monkeypatch.setattr("genzoo.benchmark.code.Code.is_current", lambda code: False)
    run = compare({"a": Independent()}, {"x": coin}, tmp_path, progress=False)
    record = run.records()[-1]
    assert record["status"] == "ok"
    assert record["code"] is None
    assert any("its code changed while it ran" in note for note in record["notes"])
    monkeypatch.undo()
    again = compare({"a": Independent()}, {"x": coin}, tmp_path)
    assert said(capsys) == ["run anew, since their code changed while they ran: 2 cells"]
    assert again.records()[-1]["code"] is not None


# -------------------------------------------------------------------- two at once

AT_ONCE = """
import sys
sys.path.insert(0, {here!r})
import numpy as np
import genzoo
from troublemakers import Slow
codes = np.arange(200).reshape(100, 2) % 3
genzoo.compare({models}, {{{label!r}: codes}}, out={out!r}, n_jobs=1)
"""


def started(models: str, label: str, out: Path) -> subprocess.Popen[str]:
    text = AT_ONCE.format(here=str(HERE), models=models, label=label, out=str(out))
    return subprocess.Popen([sys.executable, "-c", text], stderr=subprocess.PIPE, text=True)


def until(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def cells(out: Path) -> list[tuple[str, str, str]]:
    return [(r["dataset"], r["model"], r["status"]) for r in genzoo.load_run(out).records()]


@pytest.mark.slow
def test_two_processes_at_once_lose_nothing(tmp_path):
    out = tmp_path / "run"
    first = started("{'slow': Slow(seconds=8.0), 'a': 'independent'}", "x", out)
    until((out / "plan.json").is_file)
    second = started("{'b': 'independent', 'slow': Slow(seconds=0.0)}", "y", out)
    _, second_said = second.communicate(timeout=120)
    _, first_said = first.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 0), second_said + first_said
    assert f"waiting for another call, which is writing to {out}" in second_said
    assert "waiting" not in first_said
    # slow has other parameters in the second call, and its cell of the first leaves the plan
    assert cells(out) == [("x", "a", "ok"), ("y", "slow", "ok"), ("y", "b", "ok")]
    run = genzoo.load_run(out)
    assert len(run.plan["cells"]) == 3
    assert len(run.references()) == 4
    assert "left out: 1 cell of slow" in second_said


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_call_leaves_no_lock_and_keeps_what_it_had(tmp_path):
    out = tmp_path / "run"
    first = started("{'a': 'independent', 'slow': Slow(seconds=60.0)}", "x", out)
    until(lambda: list((out / "cells").glob("*.json")))
    second = started("{'b': 'independent'}", "y", out)
    assert second.stderr is not None
    assert "waiting for another call" in second.stderr.readline()
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=20)
    assert second.wait(timeout=60) == 0
    second.stderr.close()
    assert cells(out) == [("x", "a", "ok"), ("y", "b", "ok")]
    asked = [(c["dataset"], c["model"]) for c in genzoo.load_run(out).plan["cells"]]
    assert ("x", "slow") in asked  # still to be run


def test_threads_wait_for_each_other_too(coin, tmp_path, capsys):
    calls = [
        threading.Thread(target=compare, args=({name: Independent()}, {name: coin}, tmp_path))
        for name in ("x", "y")
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    found = {(d, m) for d, m, status in cells(tmp_path) if status == "ok" and m != "truth"}
    assert found == {("x", "x"), ("y", "y")}
    assert capsys.readouterr().err.count("waiting for another call") == 1


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_while_waiting_ends_cleanly(tmp_path):
    command = ["compare", "--models", "independent", "--datasets", "iris", "--out", str(tmp_path)]
    with locks.one_call(tmp_path, "out"):
        process = subprocess.Popen(
            [sys.executable, "-m", "genzoo", *command], stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        assert "waiting for another call" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=20)
    assert process.returncode == 130
    assert rest.startswith("genzoo: interrupted")
    assert "Traceback" not in rest
    assert not (tmp_path / "plan.json").exists()


@pytest.mark.parametrize("name", [locks.CALL, locks.FILES])
def test_a_folder_that_cannot_be_locked_is_refused_before_any_work(name, coin, tmp_path):
    (tmp_path / name).mkdir()  # stands for a folder without write permission, as root has all
    if name == locks.FILES:
        (tmp_path / locks.CALL).touch()
    else:
        (tmp_path / "plan.json").write_text("{}")
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"out: .* can't be locked"):
        compare(["independent"], {"x": coin}, tmp_path, progress=False)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_what_a_killed_call_began_is_taken_for_a_run(coin, tmp_path):
    (tmp_path / "datasets").mkdir()
    (tmp_path / locks.CALL).touch()
    assert len(compare(["independent"], {"x": coin}, tmp_path, progress=False).records()) == 2


def test_a_report_is_of_one_state(coin, tmp_path):
    """It waits while files are written, and all its files are of the plan that is there then."""
    mine = compare({"a": Independent()}, {"x": coin}, tmp_path, progress=False, save_models=True)
    compare({"b": Independent()}, {"y": coin}, tmp_path, progress=False)
    paths = mine.report()
    assert "y,0" in paths["csv"].read_text()
    assert "## y" in paths["md"].read_text() or "| y |" in paths["md"].read_text()
    done = []
    report = threading.Thread(target=lambda: done.append(mine.report()))
    with locks.files(tmp_path):
        report.start()
        report.join(0.5)
        assert not done
    report.join()
    assert done
    # who may only read is not kept from it
    (tmp_path / locks.FILES).unlink()
    (tmp_path / locks.FILES).mkdir()
    assert mine.save_best("x", tmp_path / "best") == "a"
