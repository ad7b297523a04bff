"""A run's files as typed objects: what today's version wrote is read, what is damaged is named."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genzoo
from genzoo.fitting import CurvePoint, Training
from genzoo.results.plan import Plan, read_plan
from genzoo.results.record import FORMAT, CellRecord, Measured, read_record
from genzoo.results.run import read_run

WRITTEN = Path(__file__).parent / "run_format_5"  # parts of a run of the quick profile


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WRITTEN, tmp_path / "run"))


def cell(run: Path, model: str, dataset: str) -> Path:
    plan = read_plan(run)
    asked = (c for c in (*plan.cells, *plan.references) if (c.model, c.dataset) == (model, dataset))
    return run / "cells" / f"{next(asked).key}.json"


def change(file: Path, path: str, value: Any) -> None:
    """Put a value in place of what the names lead to; ``...`` takes the key away."""
    record = part = json.loads(file.read_text())
    *above, name = path.split(".")
    for step in above:
        part = part[int(step) if step.isdigit() else step]
    if value is ...:
        del part[name]
    else:
        part[name] = value
    file.write_text(json.dumps(record))


# ------------------------------------------------------------------------- what was written


def test_a_run_of_before_is_read_as_it_was_written(run: Path) -> None:
    found = read_run(run)
    assert len(found.cells) == 7
    assert len(found.references) == 2
    for result in (*found.cells, *found.references):
        written = json.loads((run / "cells" / f"{result.record.key}.json").read_text())
        again = result.record.to_json()
        assert list(again) == [*written, "format_version"]
        later = {"work": {}, "stops": []}  # of ``Training``, since then
        if written["training"] is not None:
            written["training"] |= later
        assert again == written | {"format_version": FORMAT}
        assert CellRecord.from_json(again, "record") == result.record
    assert found.plan.to_json() == json.loads((run / "plan.json").read_text())
    gan = read_record(cell(run, "gan", "asia"))
    assert gan.bound is not None
    assert gan.bound.gap is not None
    assert isinstance(gan.bound.gap.value, float)
    assert gan.validation is not None
    assert gan.validation.c2st is not None
    assert isinstance(gan.training, Training)
    assert isinstance(gan.training.curve[0], CurvePoint)


def test_its_report_and_its_table_are_made(run: Path) -> None:
    loaded = genzoo.load_run(run)
    paths = loaded.report()
    assert "| gan |" in paths["md"].read_text()
    table = loaded.table()
    assert list(table.model) == [r["model"] for r in loaded.records()]
    assert table.set_index(["model", "dataset"]).label_auc["bayesian_network", "iris"] > 0.5
    assert "transformer" in loaded.matrix(200)


def test_keys_that_came_later_may_be_missing(run: Path) -> None:
    file = cell(run, "independent", "iris")
    for path in ("validation.c2st_refused", "validation.query_refused"):
        change(file, path, ...)
    record = read_record(file)
    assert record.validation is not None
    assert record.validation.c2st_refused is record.validation.query_refused is None
    (units,) = [i for i, d in enumerate(read_plan(run).datasets) if d.units]
    change(run / "plan.json", f"datasets.{units}.units.n_valid", ...)
    assert "Chosen on" in genzoo.load_run(run).report()["md"].read_text()


# ------------------------------------------------------------------------- what can't be read


@pytest.mark.parametrize("version", [4, 6, None, "5"])
def test_another_format_is_refused_by_its_number(run: Path, version: Any) -> None:
    file = cell(run, "gan", "asia")
    change(file, "format_version", version)
    with pytest.raises(ValueError, match=f"{file.name} is of another format, {version}, than") as e:
        read_run(run)
    assert f"this version's, {FORMAT}; run compare into a new folder" in str(e.value)
    change(run / "plan.json", "format_version", version)
    for read in (read_run, genzoo.load_run):
        with pytest.raises(ValueError, match=rf"plan\.json is of another format, {version}, than"):
            read(run)
    change(run / "plan.json", "format_version", ...)
    with pytest.raises(ValueError, match="another format, None"):
        genzoo.load_run(run)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("stderr", ..., "record: expected 'stderr' among the keys; it is missing"),
        ("colour", 1, "record: expected no 'colour': its meaning is not known"),
        ("n_test", "many", "record.n_test: expected an integer; got 'many'"),
        ("n_test", True, "record.n_test: expected an integer; got True"),
        ("test_log_prob", "-1", "record.test_log_prob: expected a number; got '-1'"),
        ("status", "done", "record.status: expected one of ok, failed, unsupported; got 'done'"),
        ("validation.n", ..., "record.validation: expected 'n' among the keys"),
        ("bound.gap.value", [], r"record.bound.gap.value: expected a number; got \[\]"),
        ("metrics.c2st", 0.5, "record.metrics.c2st: expected an object; got 0.5"),
        ("marginals", [[0.5], 1], r"record.marginals\[1\]: expected a list; got 1"),
        ("training.speed", 1, "record.training: TypeError: .*speed"),
        ("training.curve", ..., "record.training: KeyError: 'curve'"),
        ("notes", "none", "record.notes: expected a list; got 'none'"),
    ],
)
def test_what_is_missing_strange_or_of_another_type_is_named(
    run: Path, path: str, value: Any, says: str
) -> None:
    file = cell(run, "gan", "asia")
    change(file, path, value)
    with pytest.raises(ValueError, match=f"{file.name} is damaged: {says}"):
        read_run(run)


def test_what_is_damaged_in_a_plan_is_named(run: Path) -> None:
    change(run / "plan.json", "datasets.1.cards.max", ...)
    with pytest.raises(
        ValueError, match=r"plan.json is damaged: plan.datasets\[1\].cards: expected"
    ):
        genzoo.load_run(run)
    (run / "plan.json").write_text("{")
    with pytest.raises(ValueError, match=r"holds a damaged plan\.json"):
        genzoo.load_run(run)
    (run / "plan.json").write_text("[1]")
    with pytest.raises(ValueError, match="another format, None"):
        genzoo.load_run(run)


def test_a_file_that_was_cut_short_is_named(run: Path) -> None:
    file = cell(run, "truth", "asia")
    file.write_text(file.read_text()[:100])
    with pytest.raises(ValueError, match=f"cells holds a damaged {file.name}"):
        read_run(run)


# ------------------------------------------------------------------------- what is written


def test_what_is_not_finite_is_none_and_arrays_of_numbers_are_numbers() -> None:
    record = CellRecord(
        "k",
        n_test=np.int64(3),  # type: ignore[arg-type]
        stderr=float("nan"),
        test_log_prob=np.float32(-0.5),  # type: ignore[arg-type]
        truth_gap=Measured(float("inf"), 1.0),
        marginals=((0.25, 0.75),),
    )
    written = json.loads(json.dumps(record.to_json(), allow_nan=False))
    assert written["stderr"] is None
    assert written["truth_gap"] == {"value": None, "stderr": 1.0}
    again = CellRecord.from_json(written, "record")
    assert again == dataclasses.replace(
        record, stderr=None, truth_gap=Measured(None, 1.0), n_test=3, test_log_prob=-0.5
    )
    with pytest.raises(
        TypeError, match="expected numbers, text and lists in a record; got <object"
    ):
        dataclasses.replace(record, params={"a": object()}).to_json()


def test_records_do_not_change() -> None:
    for value in (CellRecord("k"), Plan()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.format_version = 6  # type: ignore[misc]
