"""What a run consists of: models, data sets, and cells that pair them."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genzoo.datasets.dataset import Dataset
from genzoo.fitting import Budget
from genzoo.keys import METRICS
from genzoo.model import GenerativeModel
from genzoo.results.record import REFERENCES, TRUTH

if TYPE_CHECKING:
    from genzoo.benchmark.code import Code


@dataclass(frozen=True)
class ModelEntry:
    """A model of the plan: ``family`` is its registry key, or the name of a class of one's own."""

    label: str
    family: str
    params: dict[str, Any]
    model: GenerativeModel
    code: Code


@dataclass(frozen=True)
class DataEntry:
    """A data set of the plan, or fold ``fold`` of ``folds``; ``registry_key`` where a worker can
    load it by that, ``suited`` where the budget was chosen for its size."""

    label: str
    registry_key: str | None
    dataset: Dataset
    budget: Budget
    fold: int | None = None
    folds: int | None = None
    suited: bool = False


@dataclass(frozen=True)
class Cell:
    """One model on one data set with one seed.

    ``key`` is the hash of everything that determines it, ``code`` what fits, judges and knows the
    truth. Where ``model`` is None, ``stand_in`` says what is judged in its place: the true model,
    or rows of the data as if a model had drawn them (one of ``REFERENCES``). ``metrics`` judge it:
    what is registered in the process that plans holds for the workers too. ``imputation`` says
    whether it is asked to fill in hidden entries, which is no part of ``key``.
    """

    key: str
    model: ModelEntry | None
    data: DataEntry
    seed: int | None
    code: Code
    stand_in: str = TRUTH
    metrics: dict[str, str] = field(default_factory=METRICS.copy)
    imputation: bool = False

    @property
    def label(self) -> str:
        return self.stand_in if self.model is None else self.model.label

    @property
    def is_reference(self) -> bool:
        """Whether the cell is there to compare samples with, and takes no part in the ranking."""
        return self.label in REFERENCES

    @property
    def title(self) -> str:
        seed = "" if self.seed is None else f", seed {self.seed}"
        fold = self.data.fold
        part = "" if fold is None else f", fold {fold + 1} of {self.data.folds}"
        return f"{self.label} on {self.data.label}{seed}{part}"

    @property
    def expected_seconds(self) -> float:
        """A guess at the time that training takes, to start long cells first."""
        if self.model is None or not self.model.model.selects:
            return 0.0
        seconds = self.data.budget.seconds
        return float("inf") if seconds is None else seconds


def fresh(model: GenerativeModel) -> GenerativeModel:
    """An unfitted model of the same class with the same parameters, models among them unfitted."""
    params = model.get_params(deep=False)
    return type(model)(**{name: _unfitted(value) for name, value in params.items()})


def _unfitted(value: Any) -> Any:
    """A copy of a parameter; what learned from rows that are test rows here would be judged by
    them."""
    if isinstance(value, GenerativeModel):
        return fresh(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(_unfitted, value))
    if isinstance(value, dict):
        return {key: _unfitted(part) for key, part in value.items()}
    return copy.deepcopy(value)
