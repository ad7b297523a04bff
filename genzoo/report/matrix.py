"""The table of all results, models against data sets, in several views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from genzoo.report.labels import NO_SKILL
from genzoo.report.measures import (
    DOWN,
    LIKELIHOOD,
    TITLES,
    UP,
    Blank,
    Column,
    Measure,
    Seen,
    measures,
)
from genzoo.results.numbers import DASH
from genzoo.results.ranking import Ranking
from genzoo.results.record import BASELINE, COPYCAT, HELD_OUT, STACK, TRUTH
from genzoo.results.run import RunRecord
from genzoo.results.way import standings

NAMES = {NO_SKILL: "no skill"}
NOTES = {
    BASELINE: "baseline",
    STACK: "derived",
    HELD_OUT: "fresh rows",
    COPYCAT: "copied rows",
    NO_SKILL: "shares in training",
}


@dataclass(frozen=True)
class Cell:
    """A model on a data set. ``style`` is its colour, or says why there is no number; ``value`` is
    what it sorts by."""

    dataset: str
    text: str
    style: str
    value: float | None = None
    note: str = ""
    marks: str = ""
    improving: bool = False
    partial: bool = False
    alarm: bool = False

    @property
    def chosen(self) -> bool:
        return "chosen" in self.marks


@dataclass(frozen=True)
class Row:
    """A model over the data sets; what is no model of the run stands ``apart``."""

    model: str
    note: str
    cells: list[Cell]
    apart: bool

    @property
    def name(self) -> str:
        return NAMES.get(self.model, self.model)


@dataclass(frozen=True)
class View:
    """One measure of all models on all data sets.

    Attributes:
        order: in which the best come first: ``descending`` or ``ascending``.
        datasets: the columns; a data set without any value is none.
        left_out: data sets and models without any value, and why.
    """

    measure: Measure
    datasets: list[str]
    rows: list[Row]
    left_out: list[tuple[str, str]]

    @property
    def order(self) -> str:
        return "descending" if self.measure.arrow == UP else "ascending"

    @property
    def direction(self) -> str:
        """What the arrow of the title means."""
        arrow = self.measure.arrow
        words = {UP: "Higher is better.", DOWN: "Lower is better."}
        return words.get(arrow, f"Best at {arrow.removeprefix('→ ')}.")

    @property
    def in_markdown(self) -> bool:
        return self.measure.key in TITLES


def matrix(run: RunRecord, rankings: Sequence[Ranking]) -> list[View]:
    """All views that show anything, and the likelihood's in any case; the models in the order of
    the first screen."""
    columns = [Column(run, ranking) for ranking in rankings]
    models = [s.model for s in standings(run.models, rankings) if s.model != TRUTH]
    views = [_view(measure, columns, models) for measure in measures(columns)]
    return [v for v in views if v.datasets or v.measure.key == "nats"]


def _view(measure: Measure, columns: Sequence[Column], models: Sequence[str]) -> View:
    cells = {(m, c.name): _cell(measure, c, m) for m in models for c in columns}
    left_out: list[tuple[str, str]] = []
    datasets, shown = [], []
    for column in columns:
        why = _nothing_in([cells[model, column.name] for model in models])
        datasets += [] if why else [column.name]
        left_out += [(column.name, why)] if why else []
    for model in models:
        why = _nothing_in([cells[model, name] for name in datasets])
        shown += [] if why else [model]
        left_out += [(model, why)] if why else []
    rows = [Row(m, NOTES.get(m, ""), [cells[m, d] for d in datasets], False) for m in shown]
    of = {c.name: c for c in columns}
    for reference in measure.references:
        row = [_reference(measure, of[name], reference) for name in datasets]
        if any(cell.value is not None for cell in row):
            rows.append(Row(reference, NOTES.get(reference, ""), row, True))
    return View(measure, datasets, rows, left_out)


def _nothing_in(cells: Sequence[Cell]) -> str:
    """Why none of the cells has a value, though not all of them failed; else nothing."""
    if any(cell.value is not None for cell in cells):
        return ""
    reasons = Counter(cell.note for cell in cells if cell.style == "absent")
    return reasons.most_common(1)[0][0] if reasons else ""


def _cell(measure: Measure, column: Column, model: str) -> Cell:
    entry = column.entries.get(model)
    if entry is None:
        return Cell(column.name, DASH, "absent", note="not asked for")
    if entry.value is None:
        return Cell(column.name, entry.status, "failed", note=entry.reason)
    seen = measure.of(column, model)
    if isinstance(seen, Blank):
        return Cell(column.name, seen.text, "absent", note=seen.why)
    ranking, fit = column.ranking, column.fit(model, measure.group)
    marks = {"chosen": entry is ranking.chosen, "highest": entry is ranking.best}
    return Cell(
        column.name,
        seen.text,
        _style(seen),
        seen.value,
        seen.note,
        ", ".join(m for m, holds in marks.items() if holds and measure.group == LIKELIHOOD),
        improving=fit is not None and fit.improving,
        partial=len(entry.ok) < len(entry.cells),
        alarm=model in column.alarming,
    )


def _reference(measure: Measure, column: Column, name: str) -> Cell:
    if name == TRUTH and name not in column.entries:
        return Cell(column.name, DASH, "absent", note="not known")
    seen = measure.of(column, name)
    if isinstance(seen, Blank):
        return Cell(column.name, seen.text, "absent", note=seen.why)
    return Cell(column.name, seen.text, "truth" if name == TRUTH else "", seen.value, seen.note)


def _style(seen: Seen) -> str:
    return "" if seen.step is None else f"s{seen.step}"
