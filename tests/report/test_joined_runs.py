"""Runs in several folders as one, what stands in the way, and where everything is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from demo_run import edit, edit_plan, key_of, write_demo
from typer.testing import CliRunner

import genzoo
from genzoo import compare_runs, load_run
from genzoo.cli.app import app
from genzoo.results.plan import Plan, read_plan


def halves(folder: Path) -> tuple[Path, Path]:
    """Two runs of which each has other data sets."""
    return (
        write_demo(folder / "a", datasets=("alarm",)),
        write_demo(folder / "b", datasets=("flowers", "names")),
    )


def contents(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file() and not file.name.startswith(".")
    }


def test_halves_become_one_run_with_a_report(tmp_path: Path) -> None:
    a, b = halves(tmp_path)
    before = [contents(folder) for folder in (a, b)]
    found = compare_runs(a, b)
    assert found.folder == tmp_path / "a-and-b"
    assert set(found.paths) == {"joined"}  # nothing was to be compared
    assert found.table().empty
    joined = load_run(tmp_path / "a-and-b" / "joined")
    apart = [load_run(folder).table() for folder in (a, b)]
    own = joined.table().set_index("key").test_log_prob.dropna()
    for table in apart:
        expected = table.set_index("key").test_log_prob.dropna()
        assert own[expected.index].equals(expected)
    assert len(own) == sum(table.test_log_prob.notna().sum() for table in apart)
    assert [d["name"] for d in joined.plan["datasets"]] == ["alarm", "flowers", "names"]
    assert len(joined.references()) == 6
    assert found.paths["joined"].is_file()
    assert [contents(folder) for folder in (a, b)] == before


def test_a_second_call_writes_the_same_again_and_a_grown_run_is_kept(tmp_path: Path) -> None:
    a, b = halves(tmp_path)
    target = compare_runs(a, b).folder
    first = contents(target / "joined" / "cells")
    compare_runs(a, b)
    assert contents(target / "joined" / "cells") == first
    c = write_demo(tmp_path / "c", datasets=("play",))
    other = compare_runs(target / "joined", c, out=tmp_path / "more").folder
    (target / "joined" / "plan.json").write_bytes((other / "joined" / "plan.json").read_bytes())
    with pytest.raises(ValueError, match=r"^out: .*joined holds cells"):
        compare_runs(a, b)


def test_copies_of_a_cell_are_one_and_an_answer_goes_before_a_failure(tmp_path: Path) -> None:
    a, b = (write_demo(tmp_path / name, datasets=("alarm", "names")) for name in "ab")
    edit(a, key_of("hmm", "alarm"), code="code", status="failed", test_log_prob=None)
    edit(b, key_of("hmm", "alarm"), code="code")
    found = compare_runs(a, b)
    table = load_run(found.paths["joined"].parent).table().set_index(["model", "dataset"])
    assert table.loc[("hmm", "alarm"), "status"] == "ok"
    assert {"html", "md", "csv", "joined"} == set(found.paths)
    assert len(found.said) == 2


def test_a_cell_with_two_answers_is_compared_and_not_joined(tmp_path: Path) -> None:
    a, b = (write_demo(tmp_path / name, datasets=("alarm", "flowers")) for name in "ab")
    for folder, seconds in ((a, 1.0), (b, 2.0)):
        edit(folder, key_of("hmm", "alarm"), code="code", train_seconds=seconds)
    found = compare_runs(a, b)
    assert "joined" not in found.paths
    assert not (found.folder / "joined").exists()
    assert "hmm on alarm" in found.said[-1]


def changed(of: str, **facts: Any) -> Callable[[Plan], dict[str, Any]]:
    """Change facts of the first entry of a plan's models or data sets."""

    def change(plan: Plan) -> dict[str, Any]:
        entries = [entry.to_json() for entry in getattr(plan, of)]
        return {of: [entries[0] | facts, *entries[1:]]}

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed("models", code="another"), "the code of independent"),
        (changed("models", params={"pseudo_count": 3}), "the parameters of independent"),
        (lambda plan: {"judge": "another"}, "the code that judges cells"),
    ],
)
def test_what_could_not_be_of_one_call_is_not_joined(
    tmp_path: Path, change: Callable[[Plan], dict[str, Any]], said: str
) -> None:
    a, b = halves(tmp_path)
    edit_plan(b, **change(read_plan(b)))
    with pytest.raises(ValueError, match=rf"^folders: .* a and b have none in common.*{said}"):
        compare_runs(a, b)
    assert not (tmp_path / "a-and-b").exists()


def test_other_budgets_are_compared_and_not_joined(tmp_path: Path) -> None:
    a, b = (write_demo(tmp_path / name, datasets=("alarm",)) for name in "ab")
    edit_plan(b, **changed("datasets", budget="60s")(read_plan(b)))
    assert "the budget of alarm" in compare_runs(a, b).said[-1]


def test_machines_and_versions_of_both_are_named(tmp_path: Path) -> None:
    a, b = halves(tmp_path)
    edit_plan(b, machine={"system": "Linux", "cores": 8}, versions={"genzoo": "0.1.0"})
    plan = read_plan(compare_runs(a, b).paths["joined"].parent)
    assert plan.machine["system"] == "Linux"
    assert plan.machine["cores"] == "2 (a), 8 (b)"
    assert plan.versions["genzoo"] == "0.1.0"


def test_models_and_schemas_go_along(tmp_path: Path) -> None:
    rows = tmp_path / "people.csv"
    rows.write_text("age,sex\n" + "\n".join(f"{20 + i % 40},{'fm'[i % 2]}" for i in range(200)))
    for name, model in (("a", "independent"), ("b", "bayesian_network")):
        genzoo.compare(
            [model], [str(rows)], budget="1s", out=tmp_path / name, save_models=True, progress=False
        )
    joined = load_run(compare_runs(tmp_path / "a", tmp_path / "b").paths["joined"].parent)
    for model in ("independent", "bayesian_network"):
        assert len(joined.load_model(model, "people").sample(2)) == 2
    assert (joined.folder / "schema_people.json").is_file()
    # the joined run grows as any other does
    grown = genzoo.compare(
        ["independent", "bayesian_network"], [str(rows)], budget="1s", out=joined.folder,
        progress=False,
    )  # fmt: skip
    assert len(grown.reused) == 2


# ------------------------------------------------------------------------- what is refused


def test_bad_folders_are_named_before_anything_is_written(tmp_path: Path) -> None:
    a, b = halves(tmp_path)
    (tmp_path / "empty").mkdir()
    old = write_demo(tmp_path / "old", datasets=("alarm",))
    edit_plan(old, format_version=4)
    other = write_demo(tmp_path / "other", datasets=("alarm",))
    there = set(tmp_path.iterdir())
    for folders, out, said in (
        ((a, tmp_path / "empty"), None, r"empty has no plan\.json"),
        ((a, tmp_path / "a" / ".." / "a"), None, "is there twice"),
        ((a, old), None, r"old/plan\.json is of another format, 4"),
        ((a,), None, "two runs or more; got 1"),
        ((a, 7), None, "expected paths of runs; got 7"),
        ((a, other), a, "^out: .* holds a run"),
        ((a, other), tmp_path, "^out: .* holds a"),
        ((a, other), a / "plan.json", "^out: expected a folder"),
        ((a, b), 7, "^out: expected a path; got 7"),
    ):
        with pytest.raises(ValueError, match=said):
            compare_runs(*folders, out=out)  # type: ignore[arg-type]
    assert set(tmp_path.iterdir()) == there


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    a, b = (write_demo(tmp_path / name, datasets=("alarm",)) for name in "ab")
    (b / "cells" / f"{key_of('hmm', 'alarm')}.json").write_text("{")
    with pytest.raises(ValueError, match=r"holds a damaged hmm-alarm-0\.json"):
        compare_runs(a, b)
    assert not (tmp_path / "a-and-b").exists()


def test_runs_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    a, b = (write_demo(tmp_path / name / "run", datasets=("alarm",)) for name in "ab")
    table = compare_runs(a, b, out=tmp_path / "changes").table()
    assert (table.before[0], table.after[0]) == (str(a), str(b))


def test_the_command_says_what_it_did_and_where(tmp_path: Path) -> None:
    a, b = (write_demo(tmp_path / name, datasets=("alarm",)) for name in "ab")
    told = json.loads((b / "plan.json").read_text())["started"]
    done = CliRunner().invoke(app, ["report", str(a), str(b), "--out", str(tmp_path / "c")])
    assert done.exit_code == 0, done.output
    for name in ("changes.html", "changes.md", "changes.csv", "joined/report.html"):
        assert str(tmp_path / "c" / name) in done.output
        assert (tmp_path / "c" / name).is_file()
    assert json.loads((tmp_path / "c" / "joined" / "plan.json").read_text())["started"] == told
    refused = CliRunner().invoke(app, ["report", str(a), "--out", str(tmp_path / "d")])
    assert refused.exit_code == 2
    assert "--out" in refused.output
