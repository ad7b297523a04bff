"""What the cells of a run say together: ``Contender``, a model with one seed over all folds.

The matrix in the terminal and the report read the same numbers here: which seed validation chose,
and the mean over the rows of all folds with its error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from genzoo.fitting import LAST_PART, Training
from genzoo.results.explained import Explained
from genzoo.results.record import CellRecord, HiddenPart, LabelPart, Measured
from genzoo.results.statistics import weakest
from genzoo.values import Kind, LogProb, Score


class Counted(Protocol):
    """A part of a record about ``n`` rows."""

    @property
    def n(self) -> int: ...


P = TypeVar("P", bound=Counted)
Q = TypeVar("Q")
V = TypeVar("V")


@dataclass(frozen=True, eq=False)
class Result:
    """What a cell left: its record and its arrays.

    Attributes:
        log_prob: (n,) test log-probabilities in nats, or None where there are none.
        rows: (n_samples, D) the model's samples, or None.
        groups: (n,) the group of each test row where rows are not independent, else None.
        valid_log_prob: (n_valid,) log-probabilities of validation rows in nats.
        valid_groups: (n_valid,) as ``groups``.
        label_log_prob: (m,) log p(label | the rest) of the test rows that were asked, in nats.
        label_no_skill: (m,) log share of their labels among training rows, in nats.
        label_right: (m,) whether the likeliest label was the right one.
        label_groups: (m,) as ``groups``.
        explained: what explains its numbers.
    """

    record: CellRecord
    log_prob: np.ndarray | None = None
    rows: np.ndarray | None = None
    groups: np.ndarray | None = None
    valid_log_prob: np.ndarray | None = None
    valid_groups: np.ndarray | None = None
    label_log_prob: np.ndarray | None = None
    label_no_skill: np.ndarray | None = None
    label_right: np.ndarray | None = None
    label_groups: np.ndarray | None = None
    explained: Explained = field(default_factory=Explained, repr=False)

    @property
    def model(self) -> str:
        return self.record.model

    @property
    def dataset(self) -> str:
        return self.record.dataset

    @property
    def seed(self) -> int | None:
        return self.record.seed

    @property
    def ok(self) -> bool:
        return self.record.ok


def arrays(file: Path) -> dict[str, Any]:
    """Those of a ``Result`` that a file holds; none where there is no file."""
    if not file.is_file():
        return {}
    names = [f.name for f in fields(Result)]
    with np.load(file, allow_pickle=False) as stored:
        found: dict[str, Any] = {name: stored[name] for name in names if name in stored.files}
        return found | {"explained": Explained.of(stored)}


@dataclass(frozen=True, eq=False)
class Contender:
    """One model on one data set with one seed: a cell's result, or one for each fold.

    It is what validation chooses and what is tested; with folds, the fits of all folds together,
    each judged on the rows of its own.
    """

    cells: Sequence[Result]

    @property
    def records(self) -> list[CellRecord]:
        return [c.record for c in self.cells]

    @property
    def model(self) -> str:
        return self.cells[0].model

    @property
    def seed(self) -> int | None:
        return self.cells[0].seed

    @property
    def kind(self) -> Kind:
        """The weakest kind of its test values."""
        return weakest([r.kind or "exact" for r in self.records])

    @property
    def improving(self) -> bool:
        """Whether training was still improving when the budget ended."""
        return any(r.training is not None and not r.training.converged for r in self.records)

    @property
    def late_gain(self) -> Measured | None:
        """What validation rows gained in the last quarter of its training, mean nats a row over
        folds; without an error where rows were not compared one by one. None where the learning
        curves don't tell."""
        found = [None if r.training is None else late_gain(r.training) for r in self.records]
        gains = [g for g in found if g is not None]
        if len(gains) < len(self.cells):
            return None
        values, errors = zip(*((g.value, g.stderr) for g in gains), strict=True)
        known = [e for e in errors if e is not None]
        error = math.hypot(*known) / len(gains) if len(known) == len(gains) else None
        return Measured(sum(values) / len(gains), error)

    @property
    def alarming(self) -> bool:
        """Whether it claims more than the truth allows."""
        return any(r.alarm is not None and r.alarm.raised for r in self.records)

    @property
    def alone(self) -> str | None:
        """Of a stack the model that is all of it, in every fold; None of all others."""
        found = {
            label
            for r in self.records
            for label, part in (r.stack or {}).items()
            if part.weight > 0
        }
        return found.pop() if len(found) == 1 else None

    @property
    def cost(self) -> float:
        """Seconds of training."""
        return self.mean(lambda r: r.train_seconds) or 0.0

    @property
    def score(self) -> Score:
        """Mean log mass of the test rows of all folds, in nats, with its sampling error."""
        values = self.array("log_prob")
        if values is None:
            value = self.over_rows(lambda r: r.test_log_prob)
            assert value is not None
            # of several folds no error is known without their rows
            stderr = self.records[0].stderr if len(self.cells) == 1 else None
            return Score(value, math.nan if stderr is None else stderr, self.kind)
        score = LogProb.exact(values).mean(self.groups_of("groups"))
        return Score(score.value, score.stderr, self.kind)

    def mean(self, of: Callable[[CellRecord], float | None]) -> float | None:
        """The mean over folds of a number of the records; None where one lacks it."""
        return self._average(of, [1] * len(self.cells))

    def over_rows(self, of: Callable[[CellRecord], float | None]) -> float | None:
        """The mean over the test rows of all folds of a number of the records; None where one
        lacks it."""
        return self._average(of, [r.n_test for r in self.records])

    def pooled(
        self, part: Callable[[CellRecord], P | None], of: Callable[[P], float | None]
    ) -> float | None:
        """The mean over the rows of all folds of a number of a part; None where a fold lacks it."""
        return self._average(at(part, of), [p.n if p else 0 for p in map(part, self.records)])

    def _average(
        self, of: Callable[[CellRecord], float | None], weights: Sequence[int]
    ) -> float | None:
        found = [v for v in map(of, self.records) if v is not None]
        if len(found) < len(self.cells):
            return None
        return float(np.average(found, weights=weights))

    def count(self, part: Callable[[CellRecord], Counted | None]) -> int:
        """The rows that a part is about, of all folds."""
        return sum(p.n for p in map(part, self.records) if p is not None)

    def measured(self, of: Callable[[CellRecord], Measured | None]) -> tuple[float, float] | None:
        """The mean over folds of something measured, and its standard error; None where a fold
        lacks either: a mean of other folds would be one of other rows."""
        parts = [p for p in map(of, self.records) if p is not None]
        found = [(p.value, p.stderr) for p in parts if None not in (p.value, p.stderr)]
        if len(found) < len(self.cells):
            return None
        values, errors = np.array(found, dtype=float).T
        return float(np.mean(values)), float(np.sqrt(np.sum(errors**2))) / len(found)

    def metric(self, name: str) -> tuple[float, float] | None:
        """A metric of the samples, as ``measured``."""
        return self.measured(lambda r: r.metrics.get(name))

    def told(self, of: Callable[[LabelPart], Measured | None]) -> tuple[float, float] | None:
        """How well the label of the test rows of all folds is told, with its error; None where a
        fold lacks it."""
        return self.weighed(of_test_labels, of)

    def weighed(
        self, part: Callable[[CellRecord], P | None], of: Callable[[P], Measured | None]
    ) -> tuple[float, float] | None:
        """Something measured of a part of the records, over what the parts of all folds are about,
        with its error; None where a fold lacks it."""
        parts = [(p.n, of(p)) for p in map(part, self.records) if p is not None]
        found = [(n, m.value, m.stderr) for n, m in parts if m is not None and m.value is not None]
        if len(found) < len(self.cells):
            return None
        n, values, errors = np.array(found, dtype=float).T  # an error that is None is nan
        weights = n / n.sum()
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


def at(
    part: Callable[[CellRecord], Q | None], of: Callable[[Q], V | None]
) -> Callable[[CellRecord], V | None]:
    """What is asked of a part of a record; None where the record has no such part."""

    def found(record: CellRecord) -> V | None:
        has = part(record)
        return None if has is None else of(has)

    return found


def of_valid_labels(record: CellRecord) -> LabelPart | None:
    return None if record.label is None else record.label.valid


def of_test_labels(record: CellRecord) -> LabelPart | None:
    return None if record.label is None else record.label.test


def of_hidden(share: str) -> Callable[[CellRecord], HiddenPart | None]:
    """How entries were filled in of which that share was hidden."""
    return at(lambda r: r.imputation, lambda i: i.hidden.get(share))


def late_gain(training: Training) -> Measured | None:
    """What the last quarter of a training gained: row by row where that was measured, else by the
    best points of the learning curve; None where it has none on both sides, or no finite one."""
    if training.late_gain is not None:
        return Measured(*training.late_gain)
    points = [(p.seconds, p.valid) for p in training.curve if p.valid is not None]
    since = (1 - LAST_PART) * points[-1][0] if points else 0.0
    before = [valid for seconds, valid in points if seconds <= since]
    if not before or len(before) == len(points):
        return None
    gained = max(valid for _, valid in points) - max(before)
    return Measured(gained, None) if math.isfinite(gained) else None


def whole(cells: Sequence[Result], n_folds: int) -> list[Contender]:
    """The cells of one model on one data set as contenders that gave an answer in every fold, by
    seed."""
    by_seed: dict[int | None, list[Result]] = {}
    for cell in cells:
        if cell.ok and cell.record.test_log_prob is not None:
            by_seed.setdefault(cell.seed, []).append(cell)
    return [Contender(found) for found in by_seed.values() if len(found) == n_folds]


def likeliest(contenders: Sequence[Contender]) -> Contender:
    """Of a family's, one a seed, the one that validation chose by the log mass of its rows; what
    raised an alarm comes last, what validation did not judge before it, a stack of one model before
    that."""

    def rank(contender: Contender) -> tuple[bool, bool, float]:
        score = contender.pooled(lambda r: r.validation, lambda v: v.log_prob)
        able = not contender.alarming, contender.alone is None
        return *able, -math.inf if score is None else score

    return max(contenders, key=rank)
