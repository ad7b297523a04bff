"""A run's files as typed objects: what today's version wrote is read, what is damaged is named."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reading import article, names, page_of, part, table_of

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
        for name in ("imputation", "stack", "per_byte", "steps", "explained"):  # since then
            assert again.pop(name) is None
        assert list(again) == [*written, "format_version"]
        # of ``Training``, since then
        later = {"work": {}, "stops": [], "threads": None, "late_gain": None}
        if written["training"] is not None:
            written["training"] |= later
        if written["text_score"] is not None:
            written["text_score"] |= {"n_bytes": None, "blocks": None}
        assert again == written | {"format_version": FORMAT}
        assert CellRecord.from_json(again, "record") == result.record
    plan = json.loads((run / "plan.json").read_text())
    later = {"suited": False, "text": None}
    plan["datasets"] = [facts | later for facts in plan["datasets"]]
    assert found.plan.to_json() == plan
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
    assert "gan" in table_of(part(paths["md"].read_text(), "asia"), "rank")
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
    genzoo.load_run(run).report()
    dataset = read_plan(run).datasets[units].name
    assert article(page_of(run), dataset).one(cls="basis").text


# ------------------------------------------------------------------------- what can't be read


def refused(read: Callable[[Path], Any], run: Path, *named: str) -> None:
    """That a run is refused with an error which names all of this."""
    with pytest.raises(ValueError, match=re.escape(named[0])) as error:
        read(run)
    assert names(str(error.value), *named), str(error.value)


@pytest.mark.parametrize("version", [4, 6, None, "5"])
def test_another_format_is_refused_by_its_number(run: Path, version: Any) -> None:
    file = cell(run, "gan", "asia")
    change(file, "format_version", version)
    refused(read_run, run, file.name, str(version), str(FORMAT))
    change(run / "plan.json", "format_version", version)
    for read in (read_run, genzoo.load_run):
        refused(read, run, "plan.json", str(version))
    change(run / "plan.json", "format_version", ...)
    refused(genzoo.load_run, run, "plan.json", "None")


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("stderr", ..., ["record", "'stderr'"]),
        ("colour", 1, ["record", "'colour'"]),
        ("n_test", "many", ["record.n_test", "integer", "'many'"]),
        ("n_test", True, ["record.n_test", "integer", "True"]),
        ("test_log_prob", "-1", ["record.test_log_prob", "number", "'-1'"]),
        ("status", "done", ["record.status", "ok", "failed", "unsupported", "'done'"]),
        ("validation.n", ..., ["record.validation", "'n'"]),
        ("bound.gap.value", [], ["record.bound.gap.value", "number", "[]"]),
        ("metrics.c2st", 0.5, ["record.metrics.c2st", "object", "0.5"]),
        ("marginals", [[0.5], 1], ["record.marginals[1]", "list", "1"]),
        ("training.speed", 1, ["record.training", "speed"]),
        ("training.curve", ..., ["record.training", "'curve'"]),
        ("notes", "none", ["record.notes", "list", "'none'"]),
    ],
)
def test_what_is_missing_strange_or_of_another_type_is_named(
    run: Path, path: str, value: Any, named: list[str]
) -> None:
    file = cell(run, "gan", "asia")
    change(file, path, value)
    refused(read_run, run, file.name, *named)


def test_what_is_damaged_in_a_plan_is_named(run: Path) -> None:
    change(run / "plan.json", "datasets.1.cards.max", ...)
    refused(genzoo.load_run, run, "plan.json", "plan.datasets[1].cards", "'max'")
    (run / "plan.json").write_text("{")
    refused(genzoo.load_run, run, "plan.json")
    (run / "plan.json").write_text("[1]")
    refused(genzoo.load_run, run, "plan.json", "None")


def test_a_file_that_was_cut_short_is_named(run: Path) -> None:
    file = cell(run, "truth", "asia")
    file.write_text(file.read_text()[:100])
    refused(read_run, run, file.name)


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
    with pytest.raises(TypeError, match="<object"):
        dataclasses.replace(record, params={"a": object()}).to_json()


def test_records_do_not_change() -> None:
    for value in (CellRecord("k"), Plan()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.format_version = 6  # type: ignore[misc]
