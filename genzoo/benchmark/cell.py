"""One cell: fit a model on a data set, judge it on the test rows, and say how it went.

``run_cell`` never raises for what goes wrong inside a model: a record says ``failed`` or
``unsupported`` with its reason, and the run goes on. What goes wrong in a metric of the samples
costs that metric alone.
"""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from genzoo import threads
from genzoo.benchmark import explain, imputation, judge, labels, steps, text, validation
from genzoo.benchmark.attempts import attempt, noted_warnings, reason_of
from genzoo.benchmark.entries import Cell, fresh
from genzoo.benchmark.machine import machine, peak_memory_mb, reset_peak_memory
from genzoo.datasets.dataset import Dataset
from genzoo.metrics import Context
from genzoo.metrics.likelihood import test_groups
from genzoo.model import GenerativeModel, registered_key
from genzoo.protocols import Calibrates
from genzoo.registry import make_model
from genzoo.results.record import COPYCAT, ByteScore, CellRecord, LabelRecord
from genzoo.results.statistics import weakest
from genzoo.seeding import numpy_rng
from genzoo.space import characters
from genzoo.store import versions
from genzoo.values import Kind, LogProb, Unsupported

N_SAMPLES = 2000  # rows drawn from each model: for the metrics of samples, marginals, the gallery
N_GALLERY = 64
TRAINING_SHARE = 0.8  # of a cell's progress bar

Progress = Callable[[float, str], None]


@dataclass
class Outcome:
    """A cell's record, its arrays by name (log_prob (n,), stderr (n,), groups (n,) of the test rows
    where these are not independent, rows (64, D); those of ``validation.judge``,
    ``labels.tell`` and ``explain.explain``), and notes that are to stand in the record."""

    record: CellRecord
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put(self, **found: Any) -> None:
        """Fields of the record, by name."""
        self.record = replace(self.record, **found)


def blank_record(cell: Cell) -> CellRecord:
    """The record of a cell of which nothing is known yet."""
    model = cell.model
    return CellRecord(
        key=cell.key,
        code=cell.code.digest,
        model=cell.label,
        family=cell.stand_in if model is None else model.family,
        params={} if model is None else model.params,
        dataset=cell.data.label,
        seed=cell.seed,
        fold=cell.data.fold,
        budget=None if model is None else str(cell.data.budget),
        n_test=len(cell.data.dataset.test),
        versions=versions(),
        machine=machine(),
    )


def failed_record(cell: Cell, reason: str, trace: str | None = None) -> CellRecord:
    """The record of a cell that gave no answer."""
    return replace(blank_record(cell), reason=reason, traceback=trace, finished=_now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def run_cell(cell: Cell, progress: Progress, save_to: Path | None = None) -> Outcome:
    """Fit, score, sample.

    Args:
        cell: what to run; its model is copied, never fitted itself.
        progress: called with the fraction done and the stage.
        save_to: the folder in which to save the fitted model, if any.
    """
    outcome = Outcome(blank_record(cell))
    measured = reset_peak_memory()
    remarks: list[str] = []
    with noted_warnings(remarks), threads.using(1):
        try:
            if cell.is_reference:
                _judge_reference(cell, outcome)
            elif cell.model is None:
                _judge_truth(cell, outcome)
            else:
                _fit_and_judge(cell, cell.model.model, outcome, progress, save_to)
            outcome.put(status="ok", notes=tuple(outcome.notes))
            outcome.record = _settled(outcome.record)
        except Unsupported as refusal:
            outcome.put(status="unsupported", reason=refusal.reason)
        except Exception as error:
            trace = traceback.format_exc()
            outcome.put(status="failed", reason=reason_of(error), traceback=trace)
    outcome.put(notes=(*outcome.notes, *remarks), finished=_now())
    if cell.model is not None and measured:
        outcome.put(peak_memory_mb=peak_memory_mb())
    if outcome.record.ok:
        return outcome
    # half an answer would read like one
    kept = ("status", "reason", "traceback", "training", "train_seconds", "peak_memory_mb",
            "notes", "finished")  # fmt: skip
    found = {name: getattr(outcome.record, name) for name in kept}
    return Outcome(_settled(replace(blank_record(cell), **found)))


def _settled(record: CellRecord) -> CellRecord:
    """The record as it will be read; TypeError or ValueError for what no file can hold."""
    return CellRecord.from_json(record.to_json(), "record")


def _judge_truth(cell: Cell, outcome: Outcome) -> None:
    dataset = cell.data.dataset
    truth = dataset.truth
    if truth is None:
        raise Unsupported(f"the truth of {dataset.name} is not known")
    start = time.perf_counter()
    test = LogProb.exact(truth.log_prob(dataset.test))
    outcome.put(evaluate_seconds=time.perf_counter() - start)
    if not np.isfinite(test.value).all():
        raise ValueError("truth: a test row has no mass under the truth: the data set is wrong")
    _keep_scores(dataset, test, test.value, outcome)
    _keep_samples(lambda n: truth.sample(n, seed=1), dataset, outcome)
    outcome.arrays |= explain.explain_truth(truth, dataset)


def _judge_reference(cell: Cell, outcome: Outcome) -> None:
    """Rows of the data as if a model had drawn them: fresh ones, or those that models learn."""
    dataset = cell.data.dataset
    part, chosen = "valid", np.arange(len(dataset.complete("valid")))[:N_SAMPLES]
    if cell.stand_in == COPYCAT:
        part = "train"
        chosen = numpy_rng(0, COPYCAT).integers(len(dataset.train), size=N_SAMPLES)
    rows, groups = dataset.complete(part)[chosen], dataset.complete_groups(part)
    context = Context(
        LogProb.exact(np.empty(0)),  # there is no model to score with
        samples=rows,
        sample_groups=None if groups is None else groups[chosen],
    )
    outcome.put(n_sampled=len(rows))
    _judge_samples(cell, None, context, outcome)


def _fit_and_judge(
    cell: Cell,
    template: GenerativeModel,
    outcome: Outcome,
    progress: Progress,
    save_to: Path | None,
) -> None:
    dataset, seed, notes = cell.data.dataset, cell.seed or 0, outcome.notes
    model = _fitted(cell, template, outcome, progress)

    progress(TRAINING_SHARE, "scoring test rows")
    start = time.perf_counter()
    test = model.log_prob(dataset.test, seed=seed)
    outcome.put(evaluate_seconds=time.perf_counter() - start)
    truth = None if dataset.truth is None else np.asarray(dataset.truth.log_prob(dataset.test))
    _keep_scores(dataset, test, truth, outcome)
    context = Context(test, truth, seed=seed)
    _judge_likelihood(cell, model, context, outcome)
    if test.kind != "exact":
        progress(0.85, "certifying the bound")
        outcome.put(bound=judge.provenance(model, test, seed, notes))
    if isinstance(model, Calibrates):
        outcome.put(calibration=dict(model.calibration_))

    progress(0.9, "sampling")
    rows = _keep_samples(lambda n: np.asarray(model.sample(n, seed=seed + 1)), dataset, outcome)
    progress(0.92, "metrics of the samples")
    _judge_samples(cell, model, replace(context, samples=rows), outcome)
    progress(0.94, "judging on validation rows")
    record, arrays = validation.judge(model, dataset, rows, seed=seed, notes=notes)
    outcome.put(validation=record)
    outcome.arrays |= arrays
    by_steps, _ = attempt(lambda: steps.judge(model, dataset, seed=seed), "steps", notes)
    outcome.put(steps=by_steps)
    if dataset.label is not None:
        progress(0.95, "telling the label")
        _tell_labels(model, dataset, outcome, seed)
    if cell.imputation:
        progress(0.96, "filling in hidden entries")
        outcome.put(imputation=imputation.fill_in(model, dataset, seed=seed, notes=notes))
    if dataset.text is not None:
        progress(0.97, "text")
        score, completions = text.judge(model, dataset, dataset.text["test"], seed, notes)
        outcome.put(text_score=score, completions=completions)
    progress(0.98, "explaining")
    explained, arrays = explain.explain(model, dataset, test.value, rows, seed=seed, notes=notes)
    outcome.put(explained=explained)
    outcome.arrays |= arrays
    if save_to is not None:
        # the results stand without the model
        _, error = attempt(lambda: model.save(save_to), "the model was not saved", notes)
        outcome.put(save_error=error)


@cache
def load_libraries(family: str | None) -> None:
    """Import, once a process, what the fits of a family of ours import: the seconds of a budget are
    for training, and the first fit in a worker must not have fewer of them than those after it."""
    if family is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit of one step has little to be told
            make_model(family).fit(["ab", "a"] * 5, budget="1 steps")


def _fitted(
    cell: Cell, template: GenerativeModel, outcome: Outcome, progress: Progress
) -> GenerativeModel:
    model = fresh(template)
    load_libraries(registered_key(type(model)))
    start = time.perf_counter()
    model.fit(
        cell.data.dataset,
        seed=cell.seed or 0,
        budget=cell.data.budget,
        progress=lambda done, message: progress(TRAINING_SHARE * done, f"training: {message}"),
    )
    outcome.put(
        train_seconds=time.perf_counter() - start,
        training=model.training_,
        n_parameters=int(model.n_parameters_),
    )
    outcome.notes += model.training_.notes
    return model


def _keep_scores(
    dataset: Dataset, test: LogProb, truth: np.ndarray | None, outcome: Outcome
) -> None:
    """What the log masses of the test rows say by themselves."""
    groups = test_groups(dataset)
    score = test.mean(groups)
    outcome.arrays |= {"log_prob": test.value, "stderr": test.stderr}
    if groups is not None:
        outcome.arrays["groups"] = groups
    outcome.put(
        test_log_prob=score.value,
        kind=score.kind,
        stderr=score.stderr,
        bits_per_dim=score.bits_per_dim(dataset.schema),
        truth_log_prob=None if truth is None else float(truth.mean()),
    )
    if dataset.schema.alphabet is not None:
        lines = dataset.text is None
        n_bytes = characters.n_bytes(dataset.schema, dataset.test, lines=lines)
        score = test.per(n_bytes, groups)
        # the canonical tokens of a text are not all that spell it
        of_text: Kind = "exact" if dataset.schema.tokenizer is None else "lower_bound"
        kind = weakest([score.kind, of_text])
        outcome.put(per_byte=ByteScore(score.value, score.stderr, kind))


def _judge_likelihood(
    cell: Cell, model: GenerativeModel, context: Context, outcome: Outcome
) -> None:
    """The metrics of the test rows' log masses, and the alarm."""
    metrics = judge.likelihood_metrics(cell.metrics, model, cell.data.dataset, context)
    outcome.put(metrics=metrics)
    if context.truth is not None:
        gap, alarm = judge.against_truth(metrics, context.test, context.truth, outcome.notes)
        outcome.put(truth_gap=gap, alarm=alarm)


def _judge_samples(
    cell: Cell, model: GenerativeModel | None, context: Context, outcome: Outcome
) -> None:
    start = time.perf_counter()
    metrics, left_out = judge.sample_metrics(
        cell.metrics, model, cell.data.dataset, context, outcome.notes
    )
    outcome.put(
        metrics=outcome.record.metrics | metrics,
        metrics_left_out=left_out,
        metrics_seconds=time.perf_counter() - start,
    )


def _tell_labels(model: GenerativeModel, dataset: Dataset, outcome: Outcome, seed: int) -> None:
    """The likelihood stands without it."""
    found, left_out = attempt(
        lambda: labels.tell(model, dataset, seed=seed), "label", outcome.notes
    )
    label, arrays = found or (LabelRecord(left_out), {})
    outcome.put(label=label)
    outcome.arrays |= arrays


def _keep_samples(
    sample: Callable[[int], np.ndarray], dataset: Dataset, outcome: Outcome
) -> np.ndarray:
    """Draw once, for all that looks at samples; keep the first few."""
    start = time.perf_counter()
    rows = sample(N_SAMPLES)
    outcome.put(sample_seconds=time.perf_counter() - start, n_sampled=N_SAMPLES)
    outcome.arrays["rows"] = rows[:N_GALLERY]
    if dataset.schema.layout == "table":
        outcome.put(marginals=judge.marginals(rows, dataset.schema.cards))
    return rows
