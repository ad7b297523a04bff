"""What the cells of a run say together: ``Fit``, a model's cell or its cells of all folds.

The matrix in the terminal and the report read the same numbers here: which seed validation chose,
and the mean over the rows of all folds with its error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.results.statistics import weakest
from genzoo.values import Kind, LogProb, Score

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
    def kind(self) -> Kind:
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

    def over_rows(self, name: str) -> float | None:
        """The mean over the test rows of all folds of a number of the records; None where one
        lacks it."""
        found = [c.at(name) for c in self.cells]
        if None in found:
            return None
        return float(np.average(found, weights=[c.record["n_test"] for c in self.cells]))

    def measured(self, *path: str) -> tuple[float, float] | None:
        """What the records hold with ``value`` and ``stderr``, mean over folds and its standard
        error; None where a fold lacks either: a mean of other folds would be one of other rows."""
        found = [c.at(*path) for c in self.cells]
        if any(m is None or m["value"] is None or m["stderr"] is None for m in found):
            return None
        error = float(np.sqrt(np.sum([m["stderr"] ** 2 for m in found]))) / len(found)
        return float(np.mean([m["value"] for m in found])), error

    def metric(self, name: str) -> tuple[float, float] | None:
        """A metric of the samples, as ``measured``."""
        return self.measured("metrics", name)

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


def whole_fits(cells: Sequence[Cell], n_folds: int) -> list[Fit]:
    """The cells of one model on one data set as fits that gave an answer in every fold, by seed."""
    by_seed: dict[Any, list[Cell]] = {}
    for cell in cells:
        if cell.ok and cell.record.get("test_log_prob") is not None:
            by_seed.setdefault(cell.seed, []).append(cell)
    return [Fit(found) for found in by_seed.values() if len(found) == n_folds]


def likeliest(fits: Sequence[Fit]) -> Fit:
    """Of a family's fits, one a seed, the one that validation chose by the log mass of its rows;
    what raised an alarm comes last, what validation did not judge before it."""

    def rank(fit: Fit) -> tuple[bool, float]:
        score = fit.pooled("validation", "log_prob")
        return not fit.alarming, -math.inf if score is None else score

    return max(fits, key=rank)


def score_of(fit: Fit) -> Score:
    """Mean log mass of the test rows of all folds, in nats, with its sampling error."""
    values = fit.array("log_prob")
    if values is None:
        value = fit.over_rows("test_log_prob")
        assert value is not None
        # of several folds no error is known without their rows
        stderr = fit.cells[0].record["stderr"] if len(fit.cells) == 1 else None
        return Score(value, math.nan if stderr is None else stderr, fit.kind)
    score = LogProb.exact(values).mean(fit.groups_of("groups"))
    return Score(score.value, score.stderr, fit.kind)


def cell_files(folder: Path, keys: Sequence[str]) -> Iterator[Path]:
    """The records of a run's cells that are there; the folder may hold others, of earlier plans."""
    files = (folder / "cells" / f"{key}.json" for key in keys)
    return (file for file in files if file.is_file())


def read_cells(folder: Path, keys: Sequence[str]) -> list[Cell]:
    """The cells that have a record, with their arrays."""
    return [
        Cell(json.loads(file.read_text(encoding="utf-8")), **arrays(file.with_suffix(".npz")))
        for file in cell_files(folder, keys)
    ]


def arrays(file: Path) -> dict[str, np.ndarray]:
    """Those of ``ARRAYS`` that a file holds; none where there is no file."""
    if not file.is_file():
        return {}
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in ARRAYS if name in stored.files}
