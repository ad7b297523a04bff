"""A run's folder, read: the plan, each cell's result, the data sets' rows and schemas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from genzoo.results.contender import Contender, Result, arrays, whole
from genzoo.results.plan import Asked, DatasetFacts, Plan, read_plan
from genzoo.results.record import STACK, CellRecord, read_record
from genzoo.results.stack import stacks
from genzoo.space.schema import Schema


@dataclass(frozen=True)
class DatasetRecord:
    """What the plan says of a data set, its schema and a few real rows (either may be absent)."""

    facts: DatasetFacts
    schema: Schema | None = None
    rows: np.ndarray | None = None

    @property
    def name(self) -> str:
        return self.facts.name


@dataclass(frozen=True)
class RunRecord:
    """Everything in a run's folder, and the stacks that follow from it, which are among the cells
    as those of one more model."""

    folder: Path
    plan: Plan
    datasets: list[DatasetRecord]
    cells: list[Result] = field(repr=False)
    references: list[Result] = field(repr=False)

    @property
    def fitted(self) -> list[str]:
        """The models that cells fit."""
        return [m.label for m in self.plan.models]

    @property
    def models(self) -> list[str]:
        """These, and the stack where there is one."""
        return self.fitted + [STACK] * any(c.model == STACK for c in self.cells)

    def without_stack(self) -> RunRecord:
        """The same of the models that cells fit alone."""
        return replace(self, cells=[c for c in self.cells if c.model != STACK])

    @property
    def seeds(self) -> list[int]:
        return list(self.plan.seeds)

    def dataset(self, name: str) -> DatasetRecord:
        return next(d for d in self.datasets if d.name == name)

    def facts(self, dataset: str) -> DatasetFacts:
        """What the plan says of a data set."""
        return self.dataset(dataset).facts

    def asked(self, dataset: str) -> list[str]:
        """The models that were to be run on a data set, in the order of the plan, and the stack
        where there is one."""
        named = {a.model for a in self.plan.cells if a.dataset == dataset}
        named |= {STACK} if self.of(STACK, dataset) else set()
        return [m for m in self.models if m in named]

    def of(self, model: str, dataset: str) -> list[Result]:
        """The cells of one model on one data set, one for each seed and fold that has a record."""
        return [c for c in self.cells if c.model == model and c.dataset == dataset]

    def contenders(self, model: str, dataset: str) -> list[Contender]:
        """One model on one data set, as often as it gave an answer in every fold, by seed."""
        return whole(self.of(model, dataset), self.facts(dataset).n_folds)

    def reference(self, name: str, dataset: str) -> Contender | None:
        """What samples on a data set are compared with, over all folds: fresh rows of the data
        (``held-out``) or memorised ones (``copycat``); None where a fold has no record."""
        cells = [c for c in self.references if c.model == name and c.dataset == dataset]
        return Contender(cells) if len(cells) == self.facts(dataset).n_folds else None


def read_run(
    folder: str | Path, plan: Plan | None = None, *, with_stacks: bool = True
) -> RunRecord:
    """Read a run's folder.

    Args:
        folder: the run's.
        plan: what of it is read, where that is not the plan that is there at present.
        with_stacks: whether the stacks are worked out, which takes seconds.

    Raises:
        ValueError: where the folder holds no run, a damaged one, or one of another format.
    """
    plan, folder = plan or read_plan(folder), Path(folder)
    datasets = [_read_dataset(folder, facts) for facts in plan.datasets]
    cells = []
    for facts in plan.datasets:
        own = read_cells(folder, [cell for cell in plan.cells if cell.dataset == facts.name])
        cells += [*own, *(stacks(own, facts) if with_stacks else [])]
    return RunRecord(folder, plan, datasets, cells, read_cells(folder, plan.references))


def record_file(folder: Path, key: str) -> Path:
    """Where the record of a cell lies in a run's folder; its arrays lie beside it, as ``.npz``."""
    return folder / "cells" / f"{key}.json"


def read_records(folder: Path, asked: Iterable[Asked]) -> Iterator[CellRecord]:
    """The records of those cells that have one; the folder may hold others, of earlier plans."""
    files = (record_file(folder, cell.key) for cell in asked)
    return (read_record(file) for file in files if file.is_file())


def read_cells(folder: Path, asked: Iterable[Asked]) -> list[Result]:
    """The results of those cells that have a record."""
    return [
        Result(record, **arrays(record_file(folder, record.key).with_suffix(".npz")))
        for record in read_records(folder, asked)
    ]


def _read_dataset(folder: Path, facts: DatasetFacts) -> DatasetRecord:
    schema_file = folder / "datasets" / f"{facts.name}.schema.json"
    schema = None
    if schema_file.is_file():
        schema = Schema.from_json(schema_file.read_text(encoding="utf-8"))
    rows = arrays(folder / "datasets" / f"{facts.name}.npz").get("rows")
    return DatasetRecord(facts, schema, rows)
