"""The first screen of a report on one data set: what to use for what, every family's value beside
no skill and the truth, and real rows beside drawn ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genzoo.report.advice import Advice
from genzoo.report.samples import REAL, Gallery
from genzoo.report.wording import NATS, margin_of, too_short
from genzoo.results.advice import too_few
from genzoo.results.choice import Choice
from genzoo.results.numbers import number, with_error
from genzoo.results.plan import DatasetFacts
from genzoo.results.ranking import Entry, Ranking
from genzoo.results.record import BASELINE, STACK
from genzoo.results.run import RunRecord
from genzoo.results.way import Way, way

BELOW = 0.35  # of the way, how far below its start a value is still on the scale
ROOM = 0.03  # beside the outermost marks
MOST_REMARKS = 3  # that are shown without a click


@dataclass(frozen=True)
class Bar:
    """A model's value as a bar from no skill, in per cent of the figure's width.

    ``error`` is the span of one standard error on either side; None where it is not known or the
    value lies off the scale.
    """

    model: str
    value: str
    left: float
    width: float
    error: tuple[float, float] | None
    is_bound: bool
    is_worse: bool
    is_off: bool
    improving: bool
    chosen: bool


@dataclass(frozen=True)
class Bars:
    """The bars, the highest first, with the places of no skill and of the truth, and what their
    lines mean."""

    bars: list[Bar]
    start: float
    truth: float | None
    legend: str


@dataclass(frozen=True)
class Single:
    lead: str
    advice: list[Advice]
    bars: Bars | None
    galleries: list[Gallery]
    read: str
    few_remarks: bool


def single(run: RunRecord, ranking: Ranking, section: dict[str, Any]) -> Single:
    """The first screen of a run of one data set.

    Args:
        section: what the report shows of the data set (``genzoo.report.sections``).
    """
    advice: list[Advice] = section["advice"]
    return Single(
        lead(run, ranking),
        advice,
        bars(ranking),
        _beside(section["galleries"], advice, ranking),
        _read(ranking.dataset.facts),
        len(section["remarks"]) <= MOST_REMARKS,
    )


def lead(run: RunRecord, ranking: Ranking) -> str:
    """What the run says of its data set, in one sentence."""
    name, choice, entry = ranking.dataset.name, ranking.choice, ranking.chosen
    if choice is None or entry is None:
        return "No model has figures on validation rows, so nothing is chosen or proven."
    if too_few(run, name) is not None:
        return f"On {name} there are too few validation rows to choose by."
    if choice.too_short:
        return f"On {name} nothing can be proven: {too_short(run, name, choice)}."
    if entry.model == BASELINE:
        return (
            f"No family is shown to have learned how the variables of {name} depend on each other: "
            f"validation chooses {BASELINE}, which is no skill."
        )
    value = with_error(entry.value, entry.stderr, entry.kind)
    named = f"{STACK}, the mixture of all," if entry.model == STACK else entry.model
    words = f"{named} is validation's choice on {name}: {value} nats a row"
    return f"{words}{_of_skill(choice)}{_instead(choice)}."


def _of_skill(choice: Choice) -> str:
    against = next((a for a in choice.against if a.other.model == BASELINE), None)
    if against is None or against.difference is None:
        return ""
    if against.verdict != "worse":
        return f", not shown to be better than no skill ({BASELINE})"
    gain = NATS.error(against.difference.value, against.difference.stderr)
    return f", proven better than no skill ({BASELINE}) by {gain}"


def _instead(choice: Choice) -> str:
    if choice.better is not None:
        return f"; test rows show {choice.better.other.model} to be better"
    if choice.substitute is not None:
        margin = margin_of(choice, NATS)
        other = choice.substitute.other.model
        return f"; {other}, which is lighter, is shown to lose less than {margin}"
    return ""


def bars(ranking: Ranking) -> Bars | None:
    """None where no family gave a result that can be trusted."""
    on = way(ranking)
    if on is None:
        return None
    alarming = {cell.model for cell in ranking.alarms}
    entries = [e for e in ranking.entries if e.model not in alarming]
    scale = _Scale.of(on, entries, ranking.truth)
    truth = None if ranking.truth is None else scale.place(ranking.truth.value or 0.0)
    kind = f"no skill ({BASELINE})" if on.start == BASELINE else "the lowest family"
    legend = f"Bars begin at {kind}, {number(on.low)}."
    legend += " Whiskers: one standard error of a value; differences on the same rows are surer."
    if ranking.truth is not None:
        legend += f" Dashed: the truth, {number(ranking.truth.value)}."
    found = [scale.bar(e, chosen=e is ranking.chosen) for e in entries]
    return Bars(found, scale.place(on.low), truth, legend)


@dataclass(frozen=True)
class _Scale:
    """Nats per row as per cent of the width."""

    low: float
    high: float
    start: float

    @classmethod
    def of(cls, on: Way, entries: Sequence[Entry], truth: Entry | None) -> _Scale:
        spans = [(e.value or 0.0, e.stderr or 0.0) for e in [*entries, *([truth] if truth else [])]]
        high = max(value + error for value, error in spans)
        low = min(min(value - error for value, error in spans), on.low)
        low = max(low, on.low - max(BELOW * (high - on.low), spans[0][1]))
        room = ROOM * (high - low) or 1.0
        return cls(low - room, high + room, on.low)

    def place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return 100 * min(1.0, max(0.0, share))

    def bar(self, entry: Entry, *, chosen: bool) -> Bar:
        value = entry.value or 0.0
        is_off = value < self.low
        ends = sorted((self.place(self.start), self.place(value)))
        error = None
        if entry.stderr and not is_off:
            error = (
                self.place(value - entry.stderr),
                self.place(value + entry.stderr) - self.place(value - entry.stderr),
            )
        return Bar(
            entry.model,
            with_error(value, entry.stderr, entry.kind),
            ends[0],
            ends[1] - ends[0],
            error,
            entry.kind != "exact",
            value < self.start,
            is_off,
            entry.improving,
            chosen,
        )


def _beside(found: Sequence[Gallery], advice: Sequence[Advice], ranking: Ranking) -> list[Gallery]:
    """Real rows and those that the recommended model drew: for samples, else for likelihoods, else
    validation's choice; fewer where there are none."""
    wanted = [a.model for p in ("samples", "likelihood") for a in advice if a.purpose == p]
    wanted += [ranking.chosen.model] if ranking.chosen else []
    real = [g for g in found if g.source == REAL]
    drawn = (g for model in wanted for g in found if g.source == model)
    return [*real, *([g] if (g := next(drawn, None)) else [])]


def _read(facts: DatasetFacts) -> str:
    """What was read and how it was split, in one line."""
    total = facts.n_train + facts.n_valid + facts.n_test
    words = f"{number(total, 0)} rows of {facts.D} variables"
    if facts.folds:
        return f"{words}, in {facts.folds} folds: each row is a test row once."
    return (
        f"{words}: {number(facts.n_train, 0)} to train on, {number(facts.n_valid, 0)} to choose "
        f"by, {number(facts.n_test, 0)} to judge by."
    )
