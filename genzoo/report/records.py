"""A run folder as objects: the plan, one record per cell, the data sets' rows and schemas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.benchmark.results import load_run
from genzoo.benchmark.statistics import weakest
from genzoo.schema import Schema

TRUTH = "truth"
ARRAYS = ("log_prob", "rows", "groups", "label_log_prob", "label_no_skill", "label_right",
          "label_groups")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cell:
    """One model on one data set with one seed (and one fold, where there are several).

    Attributes:
        record: the cell's JSON.
        log_prob: (n,) test log-probabilities in nats, or None where there are none.
        rows: (n_samples, D) the model's samples, or None.
        groups: (n,) the group of each test row where rows are not independent, else None.
        label_log_prob: (m,) log p(label | the rest) of the test rows that were asked, in nats.
        label_no_skill: (m,) log share of their labels among training rows, in nats.
        label_right: (m,) whether the likeliest label was the right one.
        label_groups: (m,) as ``groups``.
    """

    record: dict[str, Any]
    log_prob: np.ndarray | None = None
    rows: np.ndarray | None = None
    groups: np.ndarray | None = None
    label_log_prob: np.ndarray | None = None
    label_no_skill: np.ndarray | None = None
    label_right: np.ndarray | None = None
    label_groups: np.ndarray | None = None

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

    def at(self, *path: str) -> Any:
        """A field of the record by the names that lead to it; None where a part is not there."""
        value: Any = self.record
        for name in path:
            value = None if value is None else value.get(name)
        return value


@dataclass(frozen=True, eq=False)
class Fit:
    """One model on one data set with one seed: a cell, or a cell for each fold.

    It is what validation chooses and what is tested; with folds, the fits of all folds together,
    each judged on the rows of its own.
    """

    cells: Sequence[Cell]

    @property
    def model(self) -> str:
        return self.cells[0].model

    @property
    def seed(self) -> Any:
        return self.cells[0].seed

    @property
    def kind(self) -> str:
        """The weakest kind of its test values."""
        return weakest([c.record.get("kind") or "exact" for c in self.cells])

    @property
    def improving(self) -> bool:
        """Whether training was still improving when the budget ended."""
        return any(c.at("training", "converged") is False for c in self.cells)

    @property
    def alarming(self) -> bool:
        """Whether it claims more than the truth allows."""
        return any(c.at("alarm", "raised") for c in self.cells)

    @property
    def cost(self) -> float:
        """Seconds of training."""
        return self.mean("train_seconds") or 0.0

    def mean(self, *path: str) -> float | None:
        """The mean over folds of a number of the records; None where one lacks it."""
        found = [c.at(*path) for c in self.cells]
        return None if None in found else float(np.mean(found))

    def pooled(self, *path: str) -> float | None:
        """The mean over the rows of all folds of a part that holds ``value`` or ``log_prob`` (the
        last name of ``path``) beside its number of rows ``n``; None where a fold lacks it."""
        *above, name = path
        parts = [c.at(*above) for c in self.cells]
        if any(part is None or part.get(name) is None for part in parts):
            return None
        return float(np.average([p[name] for p in parts], weights=[p["n"] for p in parts]))

    def metric(self, name: str) -> tuple[float, float] | None:
        """A metric of the samples and its standard error, mean over folds; None where a fold lacks
        it."""
        found = [c.at("metrics", name) for c in self.cells]
        if any(m is None or m["value"] is None or m["stderr"] is None for m in found):
            return None
        error = float(np.sqrt(np.sum([m["stderr"] ** 2 for m in found]))) / len(found)
        return float(np.mean([m["value"] for m in found])), error

    def told(self, name: str) -> tuple[float | None, float | None]:
        """``log_prob``, ``accuracy`` or ``auc`` of the label over the test rows of all folds, with
        its error."""
        parts = [c.at("label", "test") for c in self.cells]
        if any(p is None or p[name] is None for p in parts):
            return None, None
        pairs = [(p[name], p["stderr"]) if name == "log_prob" else (p[name]["value"],
                 p[name]["stderr"]) for p in parts]  # fmt: skip
        weights = np.array([p["n"] for p in parts]) / sum(p["n"] for p in parts)
        values, errors = (np.array(part, dtype=float) for part in zip(*pairs, strict=True))
        return float(weights @ values), float(np.sqrt(np.sum((weights * errors) ** 2)))

    def array(self, name: str) -> np.ndarray | None:
        """An array of the cells, the folds' rows one after another; None where one lacks it."""
        parts = [getattr(c, name) for c in self.cells]
        return None if any(p is None for p in parts) else np.concatenate(parts)

    def groups_of(self, name: str) -> np.ndarray | None:
        """The groups of an array's rows; those of two folds are different."""
        parts = [getattr(c, name) for c in self.cells]
        if any(p is None for p in parts):
            return None
        fold = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
        pairs = np.stack([fold, np.concatenate(parts)])
        return np.unique(pairs, axis=1, return_inverse=True)[1].reshape(-1)


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
        by_seed: dict[Any, list[Cell]] = {}
        for cell in self.of(model, dataset):
            if cell.ok and cell.record.get("test_log_prob") is not None:
                by_seed.setdefault(cell.seed, []).append(cell)
        return [Fit(cells) for cells in by_seed.values() if len(cells) == self._n_folds[dataset]]

    def facts(self, dataset: str) -> dict[str, Any]:
        """What the plan says of a data set."""
        return next((d.facts for d in self.datasets if d.name == dataset), {})

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
