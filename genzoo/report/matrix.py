"""The table of all results, models against data sets, in several views."""

from __future__ import annotations

from typing import Any

from genzoo.report.overview import step_of
from genzoo.results import numbers
from genzoo.results.numbers import DASH, number, upper_bound, with_error
from genzoo.results.ranking import Entry, Ranking
from genzoo.results.record import BASELINE, STACK, TRUTH
from genzoo.results.run import RunRecord
from genzoo.results.way import way

VIEWS = {
    "nats": "Nats per row",
    "bits": "Bits per dimension",
    "gap": "KL from the truth",
    "cost": "Training time",
}
NOTES = {BASELINE: "baseline", STACK: "derived"}
MARKS_LEGEND = (
    "Chosen: by validation rows. Highest: the highest measured value of a column, which proves "
    "nothing; what is proven stands in the rankings."
)


def matrix(run: RunRecord, rankings: list[Ranking], view: str) -> list[dict[str, Any]]:
    """Rows of the matrix, the truth first: ``{"model", "cells"}``."""
    rows = []
    models = ([TRUTH] if any(r.truth for r in rankings) else []) + run.models
    for model in models:
        cells = [_matrix_cell(ranking, model, view) for ranking in rankings]
        rows.append({"model": model, "cells": cells, "note": NOTES.get(model, "")})
    return rows


def _matrix_cell(ranking: Ranking, model: str, view: str) -> dict[str, Any]:
    known = [ranking.truth] if model == TRUTH else [*ranking.entries, *ranking.failed]
    entry = next((e for e in known if e is not None and e.model == model), None)
    if entry is None:
        return _as_cell(DASH, "absent", "not known" if model == TRUTH else "not asked for")
    if entry.value is None:
        return _as_cell(entry.status, "failed", entry.reason)
    text, note = _seen(ranking, entry, view)
    style = _style(ranking, entry)
    marks = {"chosen": entry is ranking.chosen, "highest": entry is ranking.best}
    return _as_cell(text, style, note) | {
        "chosen": marks["chosen"],
        "marks": ", ".join(mark for mark, holds in marks.items() if holds),
        "improving": entry.improving,
        "partial": len(entry.ok) < len(entry.cells),
        "alarm": any(c.model == entry.model for c in ranking.alarms),
    }


def _as_cell(text: str, style: str, note: str) -> dict[str, Any]:
    flags = dict.fromkeys(("chosen", "improving", "partial", "alarm"), False)
    return {"text": text, "style": style, "note": note, "marks": "", **flags}


def _seen(ranking: Ranking, entry: Entry, view: str) -> tuple[str, str]:
    """A cell's main text and its small second line."""
    if view == "bits":
        return upper_bound(number(entry.bits_per_dim, 4), entry.kind), ""
    if view == "gap":
        if entry.model == TRUTH or entry.gap is None:
            return ("0" if entry.model == TRUTH else DASH), ""
        return upper_bound(with_error(entry.gap.value, entry.gap.stderr), entry.kind), ""
    if view == "cost":
        parameters = entry.mean_of(lambda r: r.n_parameters)
        note = f"{number(parameters, 0)} parameters" if parameters else ""
        return numbers.seconds(entry.mean_of(lambda r: r.train_seconds)), note
    text = with_error(entry.value, entry.stderr, entry.kind)
    best = ranking.best
    if entry.model == TRUTH or entry is best or best is None:
        return text, ""
    assert entry.value is not None
    assert best.value is not None
    return text, number(entry.value - best.value, numbers.decimals(entry.stderr, entry.value))


def _style(ranking: Ranking, entry: Entry) -> str:
    """The colour of the first screen, of all but the truth and what raised an alarm."""
    on, alarming = way(ranking), {cell.model for cell in ranking.alarms}
    if entry.model == TRUTH:
        return "truth"
    if on is None or entry.model in alarming or entry.value is None:
        return "absent"
    return f"s{step_of(on.share(entry.value))}"
