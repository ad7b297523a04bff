"""What was asked of a run's folder: ``plan.json``."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from genzoo.fitting import Budget
from genzoo.results.numbers import number
from genzoo.results.record import FORMAT, Measured, read_file
from genzoo.results.typed import Typed, added_later
from genzoo.space.infer import Layout
from genzoo.spelling import did_you_mean_path

MORE = 3  # times a budget that was too short is what a longer one may be


@dataclass(frozen=True)
class Asked(Typed):
    """A cell, or a reference, whose seed is None as that of the truth is."""

    key: str
    model: str
    dataset: str
    seed: int | None
    fold: int | None


@dataclass(frozen=True)
class ModelFacts(Typed):
    """A model: ``family`` is its key in the registry or the name of a class, ``changed`` what of
    ``params`` is not as by default, ``code`` the hash of what fits and ``modules`` those of genzoo
    from which alone it follows, ``asked`` when a call last named it."""

    label: str
    family: str
    key: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    modules: tuple[str, ...] | None = None
    asked: str = ""


@dataclass(frozen=True)
class TruthFacts(Typed):
    """The code of a data set's truth, as of a model's."""

    code: str
    modules: tuple[str, ...] | None


@dataclass(frozen=True)
class Cards(Typed):
    """Of the numbers of values that variables have."""

    min: int
    median: float
    max: int


@dataclass(frozen=True)
class Units(Typed):
    """What errors are taken over where rows are not independent, how many there are, and of how
    many rows a block is."""

    what: Literal["groups", "blocks"]
    n_test: int
    block: int | None
    n_valid: int | None = added_later(None)


@dataclass(frozen=True)
class FileFacts(Typed):
    """Where a user's own data lie, how they were read (``schema``: the text of a schema file;
    ``content``: the hash of what the path holds), and what the reader must know."""

    path: str
    options: dict[str, Any]
    schema: str | None
    remarks: tuple[str, ...]
    content: str | None = added_later(None)


@dataclass(frozen=True)
class TextFacts(Typed):
    """The text that rows were cut from: the hash of what is learned from and tested on, how many
    bytes of it the test rows hold, a line break behind each string among them, and how many tokens
    there are where it is read in tokens."""

    digest: str
    n_bytes: int
    vocab_size: int | None


@dataclass(frozen=True)
class DatasetFacts(Typed):
    """What a reader must know of a data set; of its first fold, where there are several.

    Attributes:
        key: in the registry; None for one's own data.
        clamped: per part, how many numbers lay beyond the schema's range.
        folds: into how many it was split; ``foldable``: whether it could be.
        target: the column that is the label.
        entropy: of the truth, in nats.
        marginals: per variable, the share of training rows that hold each code; of tables.
        budget: of each fit; ``suited``: whether it was chosen for the size of the data.
        text: of rows that stand for strings.
    """

    name: str
    key: str | None
    layout: Layout
    event_shape: tuple[int, ...]
    D: int
    cards: Cards
    end: int | None
    n_train: int
    n_valid: int
    n_test: int
    clamped: dict[str, int] = field(default_factory=dict)
    has_text: bool = False
    units: Units | None = None
    folds: int | None = None
    foldable: bool = False
    file: FileFacts | None = None
    source: str = ""
    licence: str = ""
    fingerprint: str = ""
    target: str | int | None = None
    truth: TruthFacts | None = None
    budget: str = "default"
    entropy: Measured | None = None
    marginals: tuple[tuple[float, ...], ...] | None = None
    suited: bool = added_later(False)
    text: TextFacts | None = added_later(None)

    @property
    def size(self) -> str:
        """``6,000 rows x 15 columns``, of all parts together."""
        rows = number(self.n_train + self.n_valid + self.n_test, 0)
        if self.layout == "table":
            return f"{rows} rows x {self.D} columns"
        if self.layout == "sequence":
            return f"{rows} strings of at most {self.D} symbols"
        return f"{rows} images of {' x '.join(map(str, self.event_shape))}"

    @property
    def longer(self) -> str | None:
        """A budget of ``MORE`` times as much; None where there was no limit."""
        if self.budget == str(Budget()):
            return None
        given = Budget.parse(self.budget)
        if given.seconds is not None:
            return str(Budget(seconds=MORE * given.seconds))
        return str(Budget(steps=MORE * (given.steps or 1)))

    @property
    def n_folds(self) -> int:
        return self.folds or 1


@dataclass(frozen=True)
class Plan(Typed):
    """Everything that was asked: ``profile`` where it is one unchanged, ``judge`` the hash of the
    code that judges all cells; ``cells`` in the order of the tables, and the ``references`` that
    sample metrics are compared with, which stand in none."""

    profile: str | None = None
    seeds: tuple[int, ...] = ()
    started: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    judge: str = ""
    models: tuple[ModelFacts, ...] = ()
    datasets: tuple[DatasetFacts, ...] = ()
    cells: tuple[Asked, ...] = ()
    references: tuple[Asked, ...] = ()
    format_version: int = FORMAT


def read_plan(folder: str | Path) -> Plan:
    """The plan of a run's folder.

    Raises:
        ValueError: where the folder holds no run, a damaged one, or one of another format.
    """
    if not isinstance(folder, (str, os.PathLike)):
        raise ValueError(f"folder: expected a path; got {folder!r}")
    file = Path(folder) / "plan.json"
    try:
        return read_file(Plan, file, "plan", absent=None)
    except (FileNotFoundError, NotADirectoryError):
        hint = "" if Path(folder).exists() else did_you_mean_path(folder, folder=True)
        raise ValueError(
            f"folder: expected a run's folder; {folder} has no plan.json{hint}"
        ) from None
    except OSError as error:
        raise ValueError(f"folder: {folder} can't be read: {error.strerror}") from None
