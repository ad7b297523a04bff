"""The command that a cell shows, typed: it gives the same cell, to the last digit."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import genzoo
from genzoo.cli.app import app
from genzoo.report.reproduce import command_of
from genzoo.results.record import CellRecord
from genzoo.results.run import read_run

pytestmark = pytest.mark.usefixtures("cells_run_here")

TABLE = "a,b,kind\n" + "\n".join(f"{i % 7},{i % 3},{'xy'[i % 2]}" for i in range(120))


def same(folder: Path, before: CellRecord) -> None:
    (after,) = (c.record for c in read_run(folder).cells if c.record.key == before.key)
    assert after.test_log_prob == before.test_log_prob
    assert after.metrics == before.metrics


def test_the_same_command_gives_the_same_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text(TABLE)
    done = CliRunner().invoke(
        app,
        ["compare", "mine.csv", "--label", "kind", "--datasets", "iris", "--models",
         "independent,mixture", "--seeds", "2", "--budget", "3 steps", "--out", "run"],
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    run = read_run("run")
    cells = {(c.model, c.dataset, c.seed): c.record for c in run.cells}
    for dataset in ("iris", "mine"):
        words = shlex.split(command_of(run, record := cells["mixture", dataset, 0]))
        assert words[0] == "genzoo"
        assert CliRunner().invoke(app, words[1:]).exit_code == 0
        same(Path("again"), record)


def test_python_where_no_command_line_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    models = {"smooth": genzoo.make_model("independent", pseudo_count=3.0), "mixture": "mixture"}
    genzoo.compare(
        models, ["iris"], seeds=[0, 4], budget="3 steps", out="run", n_jobs=1, progress=False,
        imputation=True,
    )  # fmt: skip
    run = read_run("run")
    for record in (c.record for c in run.cells if c.model in models and c.seed == 4):
        exec(command_of(run, record), {})
        same(Path("again"), record)
        (after,) = (c.record for c in read_run("again").cells if c.record.key == record.key)
        assert after.imputation is not None
