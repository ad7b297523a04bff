"""``--quiet`` says nothing, ``--json`` speaks to programs, and what is for people is as it was."""

from __future__ import annotations

import csv
import json
import math
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import genzoo


def run(*arguments: Any, cwd: Path, code: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "genzoo", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def objects(text: str) -> list[dict[str, Any]]:
    """JSON lines; a NaN, which is none of JSON's, is an error."""

    def refuse(value):
        raise ValueError(value)

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a table, strings, and a model of each."""
    place = tmp_path_factory.mktemp("place")
    frame = pd.DataFrame({"length": [1.5, 2.0, 2.5, 3.0] * 25, "colour": ["red", "blue"] * 50})
    frame.to_csv(place / "mine.csv", index=False)
    (place / "words.txt").write_text("ab\na\nabb\n" * 20)
    for data in ("mine.csv", "words.txt"):
        done = run("fit", "independent", data, "--out", place / f"model_{data}", "-q", cwd=place)
        assert (done.stdout, done.stderr) == ("", "")
    return place


def test_compare_and_report(place):
    arguments = ("compare", "mine.csv", "--models", "independent,mixture", "--budget", "1 steps")
    shown = run(*arguments, "--json", "--out", "told", cwd=place)
    assert shown.stderr == ""
    events = objects(shown.stdout)
    kinds = [event["event"] for event in events]
    assert kinds[0] == "note"  # what the columns are taken for
    assert "colour" in events[0]["text"]
    assert kinds.index("plan") < kinds.index("start") < kinds.index("finish") < len(kinds)
    finished = {e["model"]: e for e in events if e["event"] == "finish"}
    assert set(finished) == {"independent", "mixture"}
    table = genzoo.load_run(place / "told").table().set_index("model")
    assert finished["mixture"]["test_log_prob"] == table.test_log_prob["mixture"]
    report = next(e for e in events if e["event"] == "report")
    assert all((place / path).is_file() for path in report["files"].values())

    again = run("report", "told", "--json", cwd=place)
    assert objects(again.stdout) == [report]
    silent = run("report", "told", "--quiet", cwd=place)
    assert (silent.stdout, silent.stderr) == ("", "")

    silent = run(*arguments, "--quiet", "--out", "silent", cwd=place)
    assert (silent.stdout, silent.stderr) == ("", "")
    assert (place / "silent" / "report.html").is_file()


def test_fit(place):
    shown = run("fit", "vae", "iris", "--out", "m", "--budget", "2s", "--json", cwd=place)
    *progress, fitted = objects(shown.stdout)
    assert shown.stderr == ""
    assert {event["event"] for event in progress} == {"progress"}
    fractions = [event["fraction"] for event in progress]
    assert fractions == sorted(fractions)
    assert all(0 <= event["seconds_left"] <= 2 for event in progress)
    assert any("nats per validation row" in event["message"] for event in progress)
    model = genzoo.load_model(place / "m")
    assert fitted["event"] == "fitted"
    assert fitted["steps"] == model.training_.steps
    assert fitted["n_parameters"] == model.n_parameters_


def test_sample(place):
    rows = objects(run("sample", "model_mine.csv", "-n", 3, "--json", cwd=place).stdout)
    assert [set(row) for row in rows] == [{"length", "colour"}] * 3
    as_csv = run("sample", "model_mine.csv", "-n", 3, cwd=place).stdout.splitlines()
    assert [row["colour"] for row in rows] == [r["colour"] for r in csv.DictReader(as_csv)]
    texts = objects(run("sample", "model_words.txt", "-n", 3, "--json", cwd=place).stdout)
    assert [set(text) for text in texts] == [{"text"}] * 3
    run("sample", "model_words.txt", "--json", "--out", "x.csv", cwd=place, code=2)
    silent = run("sample", "model_mine.csv", "-q", "--out", "x.csv", cwd=place)
    assert (silent.stdout, silent.stderr) == ("", "")


def test_score(place):
    (scored,) = objects(run("score", "model_mine.csv", "mine.csv", "--json", cwd=place).stdout)
    text = run("score", "model_mine.csv", "mine.csv", cwd=place).stdout
    assert f"{scored['log_prob']:.4f}"[:5] in text
    assert scored["kind"] == "exact"
    assert scored["rows"] == 100
    assert scored["off_grid"] == 0
    assert math.isclose(scored["bits_per_dim"], -scored["log_prob"] / math.log(2) / 2)
    (place / "far.csv").write_text("length,colour\n1000,red\n")
    done = run("score", "model_mine.csv", "far.csv", "--json", cwd=place)
    (scored,) = objects(done.stdout)
    assert scored["off_grid"] == 1
    assert scored["stderr"] is None  # a single row has no spread
    assert done.stderr == ""


@pytest.mark.parametrize(
    "command",
    [("compare", "--datasets", "iris"), ("fit", "vae", "iris", "--out", "x"), ("report", "x"),
     ("sample", "x")],
)  # fmt: skip
def test_both_at_once_are_refused_before_any_work(command, tmp_path):
    done = run(*command, "--quiet", "--json", cwd=tmp_path, code=2)
    assert "--quiet: expected it without --json" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_errors_are_text_in_each_mode(place):
    for mode in ("--quiet", "--json"):
        done = run("fit", "vea", "iris", "--out", "x", mode, cwd=place, code=2)
        assert "did you mean 'vae'" in done.stderr
        assert done.stdout == ""


def test_a_bar_on_a_terminal_tells_time_and_likelihood(place):
    main, side = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "genzoo", "fit", "vae", "iris", "--out", "bar", "--budget", "8s"],
        stderr=side,
        stdout=subprocess.DEVNULL,
        cwd=place,
        env={**os.environ, "COLUMNS": "120", "TERM": "xterm"},
    ) as process:
        os.close(side)
        shown = b""
        while process.poll() is None or shown[-1:] != b"":
            try:
                part = os.read(main, 4096)
            except OSError:  # closed
                break
            shown += part
    os.close(main)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert process.returncode == 0
    assert re.search(r"VAE .* about \d\.\d s left", text)
    assert re.search(r"step \d+: -\d+\.\d+ nats per validation row", text)
