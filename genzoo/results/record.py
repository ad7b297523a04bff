"""A run folder as objects: the plan, one record per cell, the data sets' rows and schemas."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.benchmark.fits import Cell, Fit, arrays, read_cells, whole_fits
from genzoo.benchmark.results import load_run
from genzoo.space.schema import Schema

TRUTH = "truth"
__all__ = ["TRUTH", "Cell", "DatasetRecord", "Fit", "RunRecord", "read_run"]


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
        """The cells of one model on one data set, one for each seed and fold that has a record."""
        return [c for c in self.cells if c.model == model and c.dataset == dataset]

    @cached_property
    def _n_folds(self) -> dict[str, int]:
        return {d.name: int(d.facts.get("folds") or 1) for d in self.datasets}

    def fits(self, model: str, dataset: str) -> list[Fit]:
        """The fits of one model on one data set that gave an answer in every fold, by seed."""
        return whole_fits(self.of(model, dataset), self._n_folds[dataset])

    def facts(self, dataset: str) -> dict[str, Any]:
        """What the plan says of a data set."""
        return next((d.facts for d in self.datasets if d.name == dataset), {})

    def reference(self, name: str, dataset: str) -> Fit | None:
        """What samples on a data set are compared with, over all folds: fresh rows of the data
        (``held-out``) or memorised ones (``copycat``); None where a fold has no record."""
        cells = [c for c in self.references if c.model == name and c.dataset == dataset]
        return Fit(cells) if len(cells) == self._n_folds[dataset] else None


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
        read_cells(folder, [asked["key"] for asked in plan[part]])
        for part in ("cells", "references")
    )
    return RunRecord(folder, plan, datasets, models, cells, references)


def _read_dataset(folder: Path, facts: dict[str, Any]) -> DatasetRecord:
    name = str(facts["name"])
    schema_file = folder / "datasets" / f"{name}.schema.json"
    schema = None
    if schema_file.is_file():
        schema = Schema.from_json(schema_file.read_text(encoding="utf-8"))
    rows = arrays(folder / "datasets" / f"{name}.npz").get("rows")
    return DatasetRecord(name, facts, schema, rows)
