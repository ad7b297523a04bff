"""The command line, as a user types it."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import genzoo
from genzoo.cli import app


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved model of iris; beside it, a folder with the name of a table."""
    path = tmp_path_factory.mktemp("models") / "iris"
    done = invoke("fit", "independent", "iris", "--out", path, "--set", "pseudo_count=0.5")
    assert done.exit_code == 0, done.stderr
    assert "pseudo_count=0.5" in done.stdout
    path.with_suffix(".csv").mkdir()
    return path


def test_list():
    assert invoke("list", "models").stdout.split() == genzoo.list_models()
    assert invoke("list", "datasets").stdout.split() == genzoo.list_datasets()
    everything = invoke("list").stdout
    assert "metrics:\n  test_log_prob" in everything
    assert "vae" in everything


def test_help_lists_the_commands():
    text = invoke("--help").stdout
    for command in ("list", "compare", "report", "fit", "sample", "score", "check"):
        assert f"  {command} " in text
        assert "Usage" in invoke(command, "--help").stdout
        assert "Usage" in invoke(command, "-h").stdout


def test_score(folder):
    model, data = genzoo.load_model(folder), genzoo.load_dataset("iris")
    done = invoke("score", folder, "iris")
    assert done.exit_code == 0
    assert f"{model.log_prob(data.test).mean().value:.4f}" in done.stdout
    valid = invoke("score", folder, "iris", "--split", "valid").stdout
    assert f"{model.log_prob(data.valid).mean().value:.4f}" in valid


def test_sample(folder, tmp_path):
    first = invoke("sample", folder, "-n", 3, "--seed", 1)
    assert first.exit_code == 0
    assert len(first.stdout.splitlines()) == 4
    assert first.stdout.splitlines()[0].startswith("sepal length")
    assert first.stdout == invoke("sample", folder, "-n", 3, "--seed", 1).stdout
    done = invoke("sample", folder, "-n", 3, "--seed", 1, "--out", tmp_path / "drawn.csv")
    assert done.exit_code == 0
    assert (tmp_path / "drawn.csv").read_text() == first.stdout


def test_text_and_images(tmp_path):
    for name in ("names", "digits"):
        assert invoke("fit", "independent", name, "--out", tmp_path / name).exit_code == 0
    assert len(invoke("sample", tmp_path / "names", "-n", 7).stdout.splitlines()) == 7
    pixels = invoke("sample", tmp_path / "digits", "-n", 2).stdout.splitlines()
    assert len(pixels) == 3
    assert len(pixels[1].split(",")) == 64


def test_csv_files(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.integers(1, 9, 60), "kind": rng.choice(["a", "b"], 60)})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    done = invoke("fit", "independent", tmp_path / "mine.csv", "--out", tmp_path / "model")
    assert done.exit_code == 0, done.stderr
    assert invoke("sample", tmp_path / "model", "-n", 2).stdout.splitlines()[0] == "size,kind"
    value = genzoo.load_model(tmp_path / "model").log_prob(frame).mean().value
    assert f"{value:.4f}" in invoke("score", tmp_path / "model", tmp_path / "mine.csv").stdout


def test_compare_and_report(tmp_path):
    out = tmp_path / "run"
    done = invoke("compare", "--models", "independent", "--datasets", "asia,iris", "--out", out)
    assert done.exit_code == 0, done.stderr
    assert "independent" in done.stdout
    for name in ("report.html", "report.md", "results.csv"):
        assert (out / name).is_file()
        assert str(out / name) in done.stdout
    table = pd.read_csv(out / "results.csv")
    assert list(table.model) == ["truth", "independent", "independent"]
    assert table.status.eq("ok").all()
    (out / "report.html").unlink()
    assert invoke("report", out).exit_code == 0
    assert (out / "report.html").is_file()


def test_interrupt(monkeypatch, tmp_path):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("genzoo.benchmark.compare", interrupted)
    done = invoke("compare", "--datasets", "iris")
    assert done.exit_code == 130
    assert "finished cells are kept" in done.stderr
    monkeypatch.setattr("genzoo.Independent.fit", interrupted)
    done = invoke("fit", "independent", "iris", "--out", tmp_path / "model")
    assert done.exit_code == 130
    assert "nothing is saved" in done.stderr


def test_fit_looks_at_its_place_before_it_trains(monkeypatch, tmp_path):
    monkeypatch.setattr("genzoo.Independent.fit", lambda *a, **k: pytest.fail("trained"))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "draft.txt").write_text("precious")
    for place in ("thesis", "thesis/draft.txt", "thesis/draft.txt/model"):
        done = invoke("fit", "independent", "iris", "--out", tmp_path / place)
        assert done.exit_code == 2
        assert "--out: expected a" in done.stderr


@pytest.mark.parametrize("text", ["a,b\n1,2,3\n", "a,b\n1,2\n\n1\n", "a,b\n1,2,\n"])
def test_ragged_csv_files_are_refused(text, tmp_path):
    (tmp_path / "ragged.csv").write_text(text)
    done = invoke("fit", "independent", tmp_path / "ragged.csv", "--out", tmp_path / "model")
    assert done.exit_code == 2
    assert "expected 2 values, as in the header; got" in done.stderr


def test_a_single_row_has_no_error(tmp_path):
    frame = pd.DataFrame({"kind": list("aab")})
    genzoo.Independent().fit(frame).save(tmp_path / "model")
    frame[:1].to_csv(tmp_path / "one.csv", index=False)
    done = invoke("score", tmp_path / "model", tmp_path / "one.csv")
    assert done.exit_code == 0, done.stderr
    assert "nan" not in done.stdout
    assert " per row (exact)" in done.stdout


def test_version():
    from importlib.metadata import version

    assert invoke("--version").stdout == f"genzoo {version('genzoo')}\n"


def test_check_says_what_failed(monkeypatch):
    from genzoo.conformance import CheckResult, ConformanceError

    def failing(name, *, report):
        report(CheckResult("normalised", False, "the sum is 1.2", 0.1))
        raise ConformanceError(name, [("normalised", "the sum is 1.2")])

    monkeypatch.setattr("genzoo.conformance.check_model", failing)
    done = invoke("check", "independent")
    assert done.exit_code == 1
    assert "FAIL normalised: the sum is 1.2" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fit", "vea", "iris", "--out", "x"], "did you mean 'vae'"),
        (["fit", "independent", "irsi", "--out", "x"], "did you mean 'iris'"),
        (["fit", "independent", "none.csv", "--out", "x"], "there is no none.csv"),
        (["fit", "independent", "FOLDER.csv", "--out", "x"], "can't be read: Is a directory"),
        (["sample", "FOLDER", "--out", "none/s.csv"], "--out: expected a folder that is there"),
        (["sample", "FOLDER", "--out", "."], "--out: expected a file"),
        (["fit", "independent", "iris", "--out", "x", "--set", "size=3"], "no such parameter"),
        (["fit", "independent", "iris", "--out", "x", "--set", "size"], "KEY=VALUE"),
        (["fit", "independent", "iris", "--out", "x", "--budget", "soon"], "budget: expected"),
        (["fit", "independent"], "Missing argument"),
        (["comprae"], "No such command"),
        (["compare"], "datasets: expected"),
        (["compare", "--models", "hmn", "--datasets", "iris"], "did you mean 'hmm'"),
        (["compare", "--profile", "fast"], "expected one of quick"),
        (["report", "nowhere"], "no plan.json"),
        (["sample", "nowhere"], "expected a saved model"),
        (["score", "FOLDER", "alarm"], "other variables"),
        (["score", "FOLDER", "iris", "--split", "tset"], "expected one of train, valid, test"),
        (["sample", "FOLDER", "-n", "0"], "n: expected a positive integer"),
        (["check", "vea"], "did you mean 'vae'"),
        (["list", "families"], "expected models, datasets or metrics"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(arguments, says, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke(*(a.replace("FOLDER", str(folder)) for a in arguments))
    assert done.exit_code == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_debug_shows_the_traceback():
    for arguments in (["--debug", "check", "vea"], ["check", "vea", "--debug"]):
        done = invoke(*arguments)
        assert done.exit_code == 2
        assert "Traceback (most recent call last)" in done.stderr
        assert "did you mean 'vae'" in done.stderr


@pytest.mark.slow
def test_help_is_quick():
    best = np.inf
    for _ in range(5):  # the best of five: the machine may be busy
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "genzoo", "--help"], capture_output=True)
        best = min(best, time.perf_counter() - start)
        assert done.returncode == 0
    assert best < 0.7
