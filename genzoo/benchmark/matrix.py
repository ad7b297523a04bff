"""Results as text: a cell in a few words, and models against data sets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from genzoo.results.contender import Result, likeliest, whole
from genzoo.results.numbers import MARKS, ascii_marks
from genzoo.results.record import TRUTH, CellRecord
from genzoo.results.run import RunRecord
from genzoo.values import Kind

SHORT_REASON = 60


def outcome_text(record: CellRecord) -> str:
    """A cell's result in a few words."""
    if not record.ok or record.test_log_prob is None or record.kind is None:
        return f"{record.status}: {_short(record.reason)}"
    error = "" if record.stderr is None else f" +- {record.stderr:.2f}"
    return f"{_mark(record.kind)}{record.test_log_prob:.2f}{error} nats"


def _mark(kind: Kind) -> str:
    return ascii_marks(MARKS[kind])


def _short(reason: str | None) -> str:
    line = " ".join(str(reason).split())
    return line if len(line) <= SHORT_REASON else line[: SHORT_REASON - 3] + "..."


def matrix(run: RunRecord, width: int) -> str:
    """Models against data sets: mean test log-likelihood, failures with reasons.

    Args:
        width: of the screen, in characters; more columns than fit go into further blocks.
    """
    models = run.models + [TRUTH] * any(cell.model == TRUTH for cell in run.cells)
    asked = {(cell.model, cell.dataset) for cell in run.plan.cells}
    columns = [
        [d.name]
        + [_entry(run.of(m, d.name), d.facts.n_folds, asked=(m, d.name) in asked) for m in models]
        for d in run.datasets
    ]
    labels = ["", *models]
    blocks, block, used = [], [labels], max(map(len, labels))
    for column in columns:
        needs = max(map(len, column)) + 2
        if len(block) > 1 and used + needs > width:
            blocks.append(_aligned(block))
            block, used = [labels], max(map(len, labels))
        block.append(column)
        used += needs
    blocks.append(_aligned(block))
    reasons = [_why(cell.record) for cell in run.cells if not cell.ok]
    return "\n\n".join([*blocks, "\n".join([_legend(columns, len(run.seeds)), *reasons])])


def _why(record: CellRecord) -> str:
    fold = "" if record.fold is None else f", fold {record.fold + 1}"
    what = f"{record.model} on {record.dataset}, seed {record.seed}{fold}"
    return f"{what}: {record.status}: {_short(record.reason)}"


def _legend(columns: Sequence[Sequence[str]], n_seeds: int) -> str:
    legend = "mean log-likelihood of the test rows in nats (standard error"
    legend += f"; of {n_seeds} seeds the one that validation chose)" if n_seeds > 1 else ")"
    for mark, meaning in (
        (_mark("lower_bound"), "a lower bound"),
        (_mark("estimate"), "an estimate"),
        ("*", "still improving when its budget ended"),
    ):
        if any(mark in entry for column in columns for entry in column[1:]):
            legend += f"; {mark.strip()} {meaning}"
    return legend


def _entry(cells: Sequence[Result], n_folds: int, *, asked: bool) -> str:
    """One cell of the matrix: of the seeds with an answer in every fold the one that validation
    chose, as in the report; what went wrong only where there is none."""
    contenders = whole(cells, n_folds)
    if not contenders:
        bad = [cell for cell in cells if not cell.ok]
        return bad[0].record.status if bad else "not run" if asked else ""
    chosen = likeliest(contenders)
    score = chosen.score
    error = "" if math.isnan(score.stderr) else f" ({score.stderr:.2f})"
    improving = "*" if chosen.improving else ""
    return f"{_mark(score.kind)}{score.value:.2f}{error}{improving}"


def _aligned(columns: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for row in zip(*columns, strict=True):
        first = row[0].ljust(widths[0])
        rest = [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(lines)
