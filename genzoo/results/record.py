"""What a cell left: its record, as the files ``cells/*.json`` of a run's folder hold it.

Values are in nats per row unless they say otherwise; a part that does not apply is None.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from genzoo.fitting import Training
from genzoo.results.typed import Typed, added_later
from genzoo.values import Kind

FORMAT = 5  # of a run's folder: of its plan and of its records
TRUTH = "truth"
STACK = "stack"  # the mixture of a comparison's models, which no cell fits
HELD_OUT, COPYCAT = "held-out", "copycat"
REFERENCES = (HELD_OUT, COPYCAT)  # what sample metrics give for fresh rows and for memorised ones
BASELINE = "independent"

Status = Literal["ok", "failed", "unsupported"]
T = TypeVar("T", bound=Typed)


@dataclass(frozen=True)
class Measured(Typed):
    """A number with its standard error."""

    value: float | None
    stderr: float | None


@dataclass(frozen=True)
class MetricRecord(Measured):
    """What a metric gave."""

    unit: str
    higher_is_better: bool
    kind: Kind


@dataclass(frozen=True)
class GapRecord(Measured):
    """The gap that certifies an estimator, on ``n`` samples of the model's own."""

    n: int
    estimator: str | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class BoundRecord(Typed):
    """How test values that are not exact were found, and with how many effective draws a row."""

    ess_median: float | None = None
    ess_low: float | None = None
    gap: GapRecord | None = None
    gap_refused: str | None = None
    gap_seconds: float | None = None
    estimator: str | None = None


@dataclass(frozen=True)
class Validation(Typed):
    """What ``n`` validation rows say: log mass, how well trees tell samples from them (or why that
    was refused), the kind of a value with hidden entries and its seconds a row (or why not)."""

    log_prob: float | None
    stderr: float | None
    kind: Kind
    n: int
    c2st: MetricRecord | None = None
    c2st_refused: str | None = added_later(None)
    query: str | None = None
    query_seconds: float | None = None
    query_refused: str | None = added_later(None)
    seconds: float | None = None


@dataclass(frozen=True)
class LabelPart(Typed):
    """How well the label of ``n`` rows of a part is told.

    Attributes:
        log_prob, stderr: mean of log p(label | the rest).
        accuracy, auc: shares; auc None where the rows hold one class.
        rarer: how many rows, or groups of rows, have another label than the commonest.
        majority: the share of the label that is commonest in training.
        no_skill_log_prob: what the shares in training are worth.
    """

    n: int
    log_prob: float | None
    stderr: float | None
    accuracy: Measured
    auc: Measured | None
    rarer: int
    majority: float
    no_skill_log_prob: float

    @property
    def score(self) -> Measured:
        return Measured(self.log_prob, self.stderr)


@dataclass(frozen=True)
class LabelRecord(Typed):
    """How well the label is told, by part; or why it was not asked."""

    left_out: str | None = None
    valid: LabelPart | None = None
    test: LabelPart | None = None


@dataclass(frozen=True)
class HiddenPart(Typed):
    """How well ``n`` hidden entries of ``n_rows`` test rows are told, and filled in.

    Attributes:
        nats: log p(hidden | seen), per hidden entry.
        right: the share of hidden entries filled in right; None where no variable is asked.
        seconds: that it took.
    """

    n: int
    n_rows: int
    nats: MetricRecord
    right: MetricRecord | None
    seconds: float


@dataclass(frozen=True)
class ImputationRecord(Typed):
    """How hidden entries are filled in, by the share that is hidden; or why one was left out."""

    left_out: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, HiddenPart] = field(default_factory=dict)


@dataclass(frozen=True)
class AlarmRecord(Typed):
    """Whether the model claims more of the test rows than the truth allows, in nats of all."""

    raised: bool
    statistic: float | None
    threshold: float


@dataclass(frozen=True)
class TextScore(Measured):
    """Nats per character of running text, which has so many characters and so many bytes; and where
    it is one stretch the nats of consecutive blocks of it."""

    kind: Kind
    n_characters: int
    n_bytes: int | None = added_later(None)
    blocks: tuple[float, ...] | None = added_later(None)

    @property
    def per_byte(self) -> Measured | None:
        """The same in nats per byte."""
        if not self.n_bytes or self.value is None or self.stderr is None:
            return None
        share = self.n_characters / self.n_bytes
        return Measured(share * self.value, share * self.stderr)


@dataclass(frozen=True)
class ByteScore(Measured):
    """Nats per byte of the text of test rows, each row by itself."""

    kind: Kind


@dataclass(frozen=True)
class StepsPart(Measured):
    """The log mass of ``n`` test rows by a model that draws them in some number of steps, and the
    seconds that a row takes to draw."""

    kind: Kind
    n: int
    seconds: float


@dataclass(frozen=True)
class NearRecord(Typed):
    """How many of ``n`` samples, and of ``n_test`` test rows, are training rows themselves."""

    n: int
    copies: int
    n_test: int
    test_copies: int


@dataclass(frozen=True)
class ExplainRecord(Typed):
    """What explains a cell's numbers; its arrays are those of ``genzoo.results.explained``.

    Attributes:
        terms: of what kind the nats by variable are; None where there are none.
        near: how many samples are copies.
        left_out: what was left out, and why.
        seconds: that it took.
    """

    terms: Kind | None
    near: NearRecord | None
    left_out: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class StackPart(Typed):
    """What a model is to the stack.

    Attributes:
        weight: its share of the mixture; 0 where it is not worth having.
        worth: what validation rows lose without it, though the others' weights are fitted anew.
        log_prob: of validation rows, by itself.
    """

    weight: float
    worth: float | None
    log_prob: float


@dataclass(frozen=True)
class CellRecord(Typed):
    """One model on one data set with one seed (and one fold, where there are several).

    Attributes:
        key: the hash of all that determines the cell.
        code: the hash of the code that fitted and judged; None where it changed meanwhile.
        model, dataset: their labels; of references and of the truth ``model`` says which.
        status, reason, traceback: whether there is an answer, and why not.
        test_log_prob, stderr, kind, bits_per_dim: of the ``n_test`` test rows.
        metrics, metrics_left_out: by key: what it gave, or why there is nothing.
        values: the file of the cell's arrays.
        save_error: why the fitted model was not saved, where it was to be.
        truth_gap: KL(truth || model).
        marginals: per variable, the share of samples that hold each code.
        completions: by prompt.
        stack: of the stack alone: its parts by their labels.
        notes: what the reader of a report is to know.
        finished: when, in UTC.
    """

    key: str
    code: str | None = None
    model: str = ""
    family: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    dataset: str = ""
    seed: int | None = None
    fold: int | None = None
    budget: str | None = None
    status: Status = "failed"
    reason: str | None = None
    traceback: str | None = None
    test_log_prob: float | None = None
    kind: Kind | None = None
    stderr: float | None = None
    bits_per_dim: float | None = None
    n_test: int = 0
    metrics: dict[str, MetricRecord] = field(default_factory=dict)
    metrics_left_out: dict[str, str] = field(default_factory=dict)
    bound: BoundRecord | None = None
    calibration: dict[str, float | None] | None = None
    values: str | None = None
    validation: Validation | None = None
    label: LabelRecord | None = None
    imputation: ImputationRecord | None = added_later(None)
    save_error: str | None = None
    truth_log_prob: float | None = None
    truth_gap: Measured | None = None
    alarm: AlarmRecord | None = None
    training: Training | None = None
    train_seconds: float | None = None
    evaluate_seconds: float | None = None
    metrics_seconds: float | None = None
    sample_seconds: float | None = None
    n_sampled: int | None = None
    n_parameters: int | None = None
    peak_memory_mb: float | None = None
    marginals: tuple[tuple[float, ...], ...] | None = None
    text_score: TextScore | None = None
    per_byte: ByteScore | None = added_later(None)
    steps: dict[str, StepsPart] | None = added_later(None)
    explained: ExplainRecord | None = added_later(None)
    completions: dict[str, str] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    finished: str | None = None
    stack: dict[str, StackPart] | None = added_later(None)
    format_version: int = added_later(FORMAT)

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def is_answered(self) -> bool:
        """Whether the cell need not be run again: what it can't do it can't do the next time."""
        return self.status in ("ok", "unsupported") and self.code is not None


def read_file(kind: type[T], file: Path, where: str, absent: int | None) -> T:
    """What a file of a run's folder holds.

    Args:
        where: what an error calls it.
        absent: the format of a file that states none.

    Raises:
        OSError: where it can't be read.
        ValueError: where it is damaged, or of another format.
    """
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"folder: {file.parent} holds a damaged {file.name}: {error}") from error
    found = value.get("format_version", absent) if isinstance(value, Mapping) else None
    if found != FORMAT:
        raise ValueError(
            f"folder: {file} is of another format, {found}, than this version's, {FORMAT}; run "
            f"compare into a new folder"
        )
    try:
        return kind.from_json(value, where)
    except ValueError as error:
        raise ValueError(f"folder: {file} is damaged: {error}") from error


def read_record(file: Path) -> CellRecord:
    return read_file(CellRecord, file, "record", FORMAT)
