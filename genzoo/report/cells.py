"""Each cell of a run, opened: what it was given, what it gave, how it went, how to run it again.

What all cells of a run share (versions, machine) is said once, with how to reproduce; a cell says
what differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from genzoo.fitting import Training
from genzoo.report.bounds import ESTIMATORS
from genzoo.report.reproduce import command_of
from genzoo.results.contender import Result
from genzoo.results.numbers import number, seconds, upper_bound, with_error
from genzoo.results.plan import Asked
from genzoo.results.ranking import Entry, Ranking
from genzoo.results.record import STACK, TRUTH, BoundRecord, CellRecord
from genzoo.results.run import RunRecord

STOPPED = {
    "converged": "it converged",
    "budget": "the budget ended",
    "steps": "its own number of steps ran out",
}


class Keyed(Protocol):
    """A cell, or its record: what has the key of one."""

    @property
    def key(self) -> str: ...


def cell_id(cell: Keyed) -> str:
    """The id on the page of what is said of a cell: where ``href="#..."`` leads to."""
    return f"cell-{cell.key}"


def cell_of(entry: Entry) -> str:
    """The id of the cell that an entry's number is from, or that failed, of several folds the first
    one's; empty where none was run."""
    return cell_id(entry.cells[0].record) if entry.cells else ""


@dataclass(frozen=True)
class Cell:
    """A cell as text.

    Attributes:
        id: on the page.
        what: its seed and its fold, where there are several.
        value: its answer, or its status.
        facts: names and what is to be said of them.
        reason, traceback: why there is no answer.
        command: what runs it again; empty where it is not run by itself.
    """

    id: str
    model: str
    what: str
    status: str
    value: str
    facts: list[tuple[str, str]]
    reason: str = ""
    traceback: str = ""
    notes: tuple[str, ...] = ()
    command: str = ""


def cells(run: RunRecord, ranking: Ranking) -> list[Cell]:
    """The cells of a data set by model, and those that the run has not reached."""
    name = ranking.dataset.name
    order = [TRUTH, *run.models]
    found = [cell for cell in run.cells if cell.dataset == name]
    told = [(order.index(c.model), _cell(run, c)) for c in found]
    done = {cell.record.key for cell in found}
    told += [
        (order.index(asked.model), _not_run(run, asked))
        for asked in run.plan.cells
        if asked.dataset == name and asked.key not in done
    ]
    return [cell for _, cell in sorted(told, key=lambda pair: pair[0])]


def _cell(run: RunRecord, cell: Result) -> Cell:
    record = cell.record
    is_fit = record.model not in (TRUTH, STACK)
    value = with_error(record.test_log_prob, record.stderr, record.kind or "exact")
    return Cell(
        cell_id(record),
        record.model,
        _which(run, record),
        record.status,
        f"{value} nats a row" if record.ok else record.status,
        [(title, words) for title, words in _facts(run, record) if words],
        "" if record.ok else record.reason or "no reason recorded",
        record.traceback or "",
        record.notes,
        command_of(run, record) if is_fit else "",
    )


def _not_run(run: RunRecord, asked: Asked) -> Cell:
    record = CellRecord(
        asked.key, model=asked.model, dataset=asked.dataset, seed=asked.seed, fold=asked.fold
    )
    return Cell(
        cell_id(asked),
        asked.model,
        _which(run, record),
        "not run",
        "not run",
        [],
        "the run has not reached this cell",
        command=command_of(run, record) if asked.model != TRUTH else "",
    )


def _which(run: RunRecord, record: CellRecord) -> str:
    words = []
    if record.seed is not None and len(run.seeds) > 1:
        words.append(f"seed {record.seed}")
    if record.fold is not None:
        words.append(f"fold {record.fold + 1}")
    return ", ".join(words)


def _facts(run: RunRecord, record: CellRecord) -> Iterator[tuple[str, str]]:
    kind = record.kind or "exact"
    if record.ok:
        value = with_error(record.test_log_prob, record.stderr, kind)
        bits = upper_bound(number(record.bits_per_dim, 4), kind)
        yield "Test rows", f"{value} nats a row, {bits} bits/dim, {number(record.n_test, 0)} rows"
        yield "Estimator", _estimator(kind, record.bound)
    if (valid := record.validation) is not None:
        value = with_error(valid.log_prob, valid.stderr, valid.kind)
        yield "Validation rows", f"{value} nats a row, {number(valid.n, 0)} rows"
    if record.stack is not None:
        weights = {m: p.weight for m, p in record.stack.items() if p.weight > 0}
        yield "Weights", ", ".join(f"{m} {number(w, 3)}" for m, w in weights.items())
    yield "Parameters", ", ".join(f"{k}={v!r}" for k, v in record.params.items())
    yield "Seed", "" if record.seed is None else str(record.seed)
    yield "Budget", record.budget or ""
    if record.training is not None:
        yield "Training", _training(record.training)
    yield "Seconds", _seconds(record)
    if record.n_parameters is not None:
        yield "Learned", f"{number(record.n_parameters, 0)} parameters"
    if record.peak_memory_mb:
        yield "Peak memory", f"{number(record.peak_memory_mb, 0)} MiB"
    yield "Other versions", _differing(record.versions, run.plan.versions)
    yield "Another machine", _differing(record.machine, run.plan.machine)
    yield "Model not saved", record.save_error or ""
    finished = record.finished and datetime.fromisoformat(record.finished)
    yield "Finished", finished.strftime("%d %B %Y, %H:%M:%S %Z") if finished else ""
    if record.model != STACK:
        yield "Record", f"cells/{record.key}.json"


def _estimator(kind: str, bound: BoundRecord | None) -> str:
    if kind == "exact":
        return "none: the log-probability is exact"
    words = [kind.replace("_", " ")]
    if bound is None:
        return words[0]
    if bound.estimator:
        long = ESTIMATORS.get(bound.estimator)
        words.append(bound.estimator.upper() + (f" ({long})" if long else ""))
    if bound.ess_median is not None:
        words.append(f"{number(bound.ess_median, 1)} effective draws of a test row (median)")
    if bound.gap is not None:
        gap = with_error(bound.gap.value, bound.gap.stderr)
        words.append(f"certified gap {gap} nats on {bound.gap.n} samples of its own")
    elif bound.gap_refused:
        words.append(f"no certified gap ({bound.gap_refused})")
    return ", ".join(words)


def _training(training: Training) -> str:
    work = training.work or {"steps": training.steps}
    done = ", ".join(f"{number(n, 0)} {unit.replace('_', ' ')}" for unit, n in work.items())
    words = f"{done}; {STOPPED[training.stopped_by]}"
    if not training.converged:
        words += ", still improving"
    if training.late_gain is not None:
        words += f"; last quarter: {with_error(*training.late_gain)} nats gained"
    return words


def _seconds(record: CellRecord) -> str:
    valid, bound = record.validation, record.bound
    drawn = "" if record.n_sampled is None else f" {number(record.n_sampled, 0)} rows"
    spent = {
        "training": record.train_seconds,
        "scoring test rows": record.evaluate_seconds,
        "certifying the bound": None if bound is None else bound.gap_seconds,
        f"drawing{drawn}": record.sample_seconds,
        "metrics of samples": record.metrics_seconds,
        "validation rows": None if valid is None else valid.seconds,
    }
    return ", ".join(f"{what} {seconds(s)}" for what, s in spent.items() if s is not None)


def _differing(own: dict[str, Any], shared: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in own.items() if shared.get(k) != v)
