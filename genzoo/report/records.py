"""A run folder as objects: the plan, one record per cell, the data sets' rows and schemas."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.benchmark.results import load_run
from genzoo.schema import Schema

TRUTH = "truth"
ARRAYS = ("log_prob", "rows", "groups", "valid_log_prob", "valid_groups", "valid_right")


@dataclass(frozen=True)
class Cell:
    """One model on one data set with one seed.

    Attributes:
        record: the cell's JSON.
        log_prob: (n,) test log-probabilities in nats, or None where there are none.
        rows: (n_samples, D) the model's samples, or None.
        groups: (n,) the group of each test row where rows are not independent, else None.
        valid_log_prob, valid_groups: the same of validation rows.
        valid_right: (n,) whether the label of each validation row was told right, or None.
    """

    record: dict[str, Any]
    log_prob: np.ndarray | None = None
    rows: np.ndarray | None = None
    groups: np.ndarray | None = None
    valid_log_prob: np.ndarray | None = None
    valid_groups: np.ndarray | None = None
    valid_right: np.ndarray | None = None

    @property
    def model(self) -> str:
        return str(self.record["model"])

    @property
    def dataset(self) -> str:
        return str(self.record["dataset"])

    @property
    def seed(self) -> Any:
        return self.record.get("seed")

    @property
    def ok(self) -> bool:
        return self.record["status"] == "ok"


@dataclass(frozen=True)
class DatasetRecord:
    """What the plan says of a data set, its schema and a few real rows (either may be absent)."""

    name: str
    facts: dict[str, Any]
    schema: Schema | None
    rows: np.ndarray | None


@dataclass(frozen=True)
class RunRecord:
    """Everything in a run folder."""

    folder: Path
    plan: dict[str, Any]
    datasets: list[DatasetRecord]
    models: list[str]
    cells: list[Cell] = field(repr=False)
    references: list[Cell] = field(repr=False)

    @property
    def seeds(self) -> list[Any]:
        return list(self.plan["seeds"])

    def asked(self, dataset: str) -> list[str]:
        """The models that were to be run on a data set, in the order of the plan."""
        named = {a["model"] for a in self.plan["cells"] if a["dataset"] == dataset}
        return [m for m in self.models if m in named]

    def of(self, model: str, dataset: str) -> list[Cell]:
        """The cells of one model on one data set, one for each seed that has a record."""
        return [c for c in self.cells if c.model == model and c.dataset == dataset]

    def reference(self, name: str, dataset: str) -> list[Cell]:
        """The cell that samples on a data set are compared with, or none: fresh rows of the data
        (``held-out``) or memorised ones (``copycat``)."""
        return [c for c in self.references if c.model == name and c.dataset == dataset]


def read_run(folder: str | Path) -> RunRecord:
    """Read a run folder.

    Raises:
        ValueError: where the folder holds no run, or one of another format.
    """
    folder = Path(folder)
    plan = load_run(folder).plan
    datasets = [_read_dataset(folder, facts) for facts in plan["datasets"]]
    models = [m["label"] for m in plan["models"]]
    cells, references = (
        _read_cells(folder, [asked["key"] for asked in plan[part]])
        for part in ("cells", "references")
    )
    return RunRecord(folder, plan, datasets, models, cells, references)


def _read_dataset(folder: Path, facts: dict[str, Any]) -> DatasetRecord:
    name = str(facts["name"])
    schema_file = folder / "datasets" / f"{name}.schema.json"
    schema = None
    if schema_file.is_file():
        schema = Schema.from_json(schema_file.read_text(encoding="utf-8"))
    rows = _arrays(folder / "datasets" / f"{name}.npz").get("rows")
    return DatasetRecord(name, facts, schema, rows)


def _read_cells(folder: Path, keys: list[str]) -> list[Cell]:
    """The cells of the plan that have a record; the folder may hold others, of earlier plans."""
    cells = []
    for key in keys:
        file = folder / "cells" / f"{key}.json"
        if file.is_file():
            arrays = _arrays(file.with_suffix(".npz"))
            record = json.loads(file.read_text(encoding="utf-8"))
            cells.append(Cell(record, **arrays))
    return cells


def _arrays(file: Path) -> dict[str, np.ndarray]:
    if not file.is_file():
        return {}
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in ARRAYS if name in stored.files}
