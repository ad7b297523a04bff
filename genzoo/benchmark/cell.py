"""One cell: fit a model on a data set, judge it on the test rows, and say how it went.

``run_cell`` never raises for what goes wrong inside a model: a record says ``failed`` or
``unsupported`` with its reason, and the run goes on. What goes wrong in a metric of the samples
costs that metric alone.
"""

from __future__ import annotations

import contextlib
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.benchmark import labels, validation
from genzoo.benchmark.entries import COPYCAT, Cell, fresh
from genzoo.benchmark.machine import machine, one_thread, peak_memory_mb, reset_peak_memory
from genzoo.datasets.blocks import FEWEST_BLOCKS
from genzoo.datasets.dataset import Dataset
from genzoo.keys import LIKELIHOOD_METRICS, METRICS, SAMPLE_METRICS
from genzoo.metrics import likelihood
from genzoo.metrics.likelihood import Context, alarm
from genzoo.model import GenerativeModel
from genzoo.protocols import Calibrates, Certifies, CompletesText, ScoresText
from genzoo.registry import look_up
from genzoo.seeding import derive, numpy_rng
from genzoo.store import versions
from genzoo.values import LogProb, Score, Unsupported

N_GALLERY = 64
N_SAMPLES = 2000  # rows drawn from each model: for the metrics of samples, marginals, the gallery
LOW_QUANTILE = 0.05  # of the effective draws of the test rows
MOST_SCORED_CHARACTERS = 200_000
PROMPTS = {"tinyshakespeare": ("ROMEO:", "JULIET:\nO ")}
PROMPT_LENGTH = 24  # of the start of the test text, where a data set has no prompts of its own
MOST_WARNINGS = 5
TRAINING_SHARE = 0.8  # of a cell's progress bar

Progress = Callable[[float, str], None]


@dataclass
class Outcome:
    """A cell's record, and its arrays by name: log_prob (n,), stderr (n,), groups (n,) of the test
    rows where these are not independent, rows (64, D); those of ``labels.tell``."""

    record: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def blank_record(cell: Cell) -> dict[str, Any]:
    """The record of a cell of which nothing is known yet: no field is missing, few have values."""
    model = cell.model
    return {
        "key": cell.key,
        "code": cell.code.digest,
        "model": cell.label,
        "family": cell.stand_in if model is None else model.family,
        "params": {} if model is None else model.params,
        "dataset": cell.data.label,
        "seed": cell.seed,
        "fold": cell.data.fold,
        "budget": None if model is None else str(cell.data.budget),
        "status": "failed",
        "reason": None,
        "traceback": None,
        "test_log_prob": None,
        "kind": None,
        "stderr": None,
        "bits_per_dim": None,
        "n_test": len(cell.data.dataset.test),
        "metrics": {},
        "metrics_left_out": {},
        "bound": None,
        "calibration": None,
        "values": None,
        "validation": None,
        "label": None,
        "save_error": None,
        "truth_log_prob": None,
        "truth_gap": None,
        "alarm": None,
        "training": None,
        "train_seconds": None,
        "evaluate_seconds": None,
        "metrics_seconds": None,
        "sample_seconds": None,
        "n_sampled": None,
        "n_parameters": None,
        "peak_memory_mb": None,
        "marginals": None,
        "text_score": None,
        "completions": None,
        "versions": versions(),
        "machine": machine(),
        "notes": [],
        "finished": None,
    }


def failed_record(cell: Cell, reason: str, trace: str | None = None) -> dict[str, Any]:
    """The record of a cell that gave no answer."""
    return blank_record(cell) | {
        "reason": reason,
        "traceback": trace,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def run_cell(cell: Cell, progress: Progress, save_to: Path | None = None) -> Outcome:
    """Fit, score, sample.

    Args:
        cell: what to run; its model is copied, never fitted itself.
        progress: called with the fraction done and the stage.
        save_to: the folder in which to save the fitted model, if any.
    """
    outcome = Outcome(blank_record(cell))
    record = outcome.record
    measured = reset_peak_memory()
    remarks: list[str] = []
    with noted_warnings(remarks), one_thread():
        try:
            if cell.is_reference:
                _judge_reference(cell.stand_in, cell.data.dataset, outcome)
            elif cell.model is None:
                _judge_truth(cell.data.dataset, outcome)
            else:
                _fit_and_judge(cell, cell.model.model, outcome, progress, save_to)
            record["status"] = "ok"
            outcome.record = record = as_json(record)
        except Unsupported as refusal:
            record |= {"status": "unsupported", "reason": refusal.reason}
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".strip()
            record |= {"status": "failed", "reason": reason, "traceback": traceback.format_exc()}
    record["notes"] += remarks
    if cell.model is not None and measured:
        record["peak_memory_mb"] = peak_memory_mb()
    record["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
    if record["status"] != "ok":
        # half an answer would read like one
        blank = blank_record(cell)
        kept = ("status", "reason", "traceback", "training", "train_seconds", "peak_memory_mb",
                "notes", "finished")  # fmt: skip
        outcome = Outcome(as_json(blank | {name: record[name] for name in kept}))
    return outcome


@contextlib.contextmanager
def noted_warnings(notes: list[str]) -> Iterator[None]:
    """Warnings of libraries go into the record, each once, not to the screen of some worker."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    texts = [
        f"{w.category.__name__}: {w.message}"
        for w in caught
        if issubclass(w.category, (UserWarning, RuntimeWarning))
    ]
    notes += list(dict.fromkeys(texts))[:MOST_WARNINGS]


def as_json(value: Any) -> Any:
    """The value in JSON's types, None in place of numbers that are not finite.

    Raises:
        TypeError: where a model's record holds something that has no JSON form.
    """
    if isinstance(value, dict):
        return {str(k): as_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"expected numbers, text and lists in a record; got {value!r}")


def _judge_truth(dataset: Dataset, outcome: Outcome) -> None:
    truth = dataset.truth
    if truth is None:
        raise Unsupported(f"the truth of {dataset.name} is not known")
    start = time.perf_counter()
    test = LogProb.exact(truth.log_prob(dataset.test))
    outcome.record["evaluate_seconds"] = time.perf_counter() - start
    if not np.isfinite(test.value).all():
        raise ValueError("truth: a test row has no mass under the truth: the data set is wrong")
    _judge(None, dataset, test, 0, outcome)
    _keep_samples(lambda n: truth.sample(n, seed=1), dataset, outcome)


def _judge_reference(name: str, dataset: Dataset, outcome: Outcome) -> None:
    """Rows of the data as if a model had drawn them: fresh ones, or those that models learn."""
    part, chosen = "valid", np.arange(len(dataset.complete("valid")))[:N_SAMPLES]
    if name == COPYCAT:
        part = "train"
        chosen = numpy_rng(0, COPYCAT).integers(len(dataset.train), size=N_SAMPLES)
    rows, groups = dataset.complete(part)[chosen], dataset.complete_groups(part)
    outcome.record["n_sampled"] = len(rows)
    context = Context(
        LogProb.exact(np.empty(0)),  # there is no model to score with
        samples=rows,
        sample_groups=None if groups is None else groups[chosen],
    )
    _judge_samples(None, dataset, context, outcome.record)


def _fit_and_judge(
    cell: Cell,
    template: GenerativeModel,
    outcome: Outcome,
    progress: Progress,
    save_to: Path | None,
) -> None:
    dataset, seed, record = cell.data.dataset, cell.seed or 0, outcome.record
    model = fresh(template)
    start = time.perf_counter()
    model.fit(
        dataset,
        seed=seed,
        budget=cell.data.budget,
        progress=lambda done, message: progress(TRAINING_SHARE * done, f"training: {message}"),
    )
    record["train_seconds"] = time.perf_counter() - start
    record["training"] = model.training_.to_json()
    record["notes"] += model.training_.notes
    record["n_parameters"] = int(model.n_parameters_)

    progress(TRAINING_SHARE, "scoring test rows")
    start = time.perf_counter()
    test = model.log_prob(dataset.test, seed=seed)
    record["evaluate_seconds"] = time.perf_counter() - start
    context = _judge(model, dataset, test, seed, outcome)
    if test.kind != "exact":
        progress(0.85, "certifying the bound")
        record["bound"] = _provenance(model, test, seed, record["notes"])
    if isinstance(model, Calibrates):
        record["calibration"] = model.calibration_

    progress(0.9, "sampling")
    rows = _keep_samples(lambda n: _sampled_rows(model, n, seed + 1), dataset, outcome)
    progress(0.92, "metrics of the samples")
    _judge_samples(model, dataset, replace(context, samples=rows), record)
    progress(0.94, "judging on validation rows")
    record["validation"] = validation.judge(model, dataset, rows, seed=seed, notes=record["notes"])
    if dataset.label is not None:
        progress(0.95, "telling the label")
        _tell_labels(model, dataset, outcome, seed)
    if dataset.text is not None:
        progress(0.97, "text")
        _judge_text(model, dataset, record, seed)
    if save_to is not None:
        try:
            model.save(save_to)
        except Exception as error:  # the results stand without the model
            record["save_error"] = f"{type(error).__name__}: {error}".strip()
            record["notes"].append(f"the model was not saved: {record['save_error']}")


def _judge(
    model: GenerativeModel | None, dataset: Dataset, test: LogProb, seed: int, outcome: Outcome
) -> Context:
    """What the test rows' log masses say; ``model`` is None for the truth itself."""
    groups = likelihood.test_groups(dataset)
    record, score = outcome.record, test.mean(groups)
    outcome.arrays |= {"log_prob": test.value, "stderr": test.stderr}
    if groups is not None:
        outcome.arrays["groups"] = groups
    record["test_log_prob"] = score.value
    record["kind"] = score.kind
    record["stderr"] = score.stderr
    record["bits_per_dim"] = score.bits_per_dim(dataset.schema)
    truth = None
    if dataset.truth is not None:
        truth = np.asarray(dataset.truth.log_prob(dataset.test))
        record["truth_log_prob"] = float(truth.mean())
    context = Context(test, truth, seed=seed)
    if model is None:
        return context
    for key in LIKELIHOOD_METRICS:
        with contextlib.suppress(Unsupported):
            record["metrics"][key] = _metric(key, model, dataset, context)
    if truth is None:
        return context
    gap = record["metrics"]["truth_gap"]
    record["truth_gap"] = {"value": gap["value"], "stderr": gap["stderr"]}
    if test.kind != "estimate":  # the inequality behind the alarm holds for masses and their bounds
        raised = alarm(test, truth)
        record["alarm"] = asdict(raised)
        if raised.raised:
            record["notes"].append(
                f"alarm: claims {raised.statistic:.2f} nats more on the test rows than the truth "
                f"(at most {raised.threshold:.2f} is plausible): something is wrong with this model"
            )
    return context


def _tell_labels(model: GenerativeModel, dataset: Dataset, outcome: Outcome, seed: int) -> None:
    """The likelihood stands without it."""
    record = outcome.record
    try:
        record["label"], arrays = labels.tell(
            model, dataset, seed=seed,
            seconds_per_row=record["evaluate_seconds"] / len(dataset.test),
        )  # fmt: skip
        outcome.arrays |= arrays
    except Unsupported as refusal:
        record["label"] = {"valid": None, "test": None, "left_out": refusal.reason}
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip()
        record["label"] = {"valid": None, "test": None, "left_out": reason}
        record["notes"].append(f"label: {reason}")


def _metric(
    key: str, model: GenerativeModel | None, dataset: Dataset, context: Context
) -> dict[str, Any]:
    return asdict(look_up(METRICS, key, "metric")(model, dataset, context))


def _judge_samples(
    model: GenerativeModel | None, dataset: Dataset, context: Context, record: dict[str, Any]
) -> None:
    """Every metric of samples that applies here; ``model`` is None for rows of the data.

    A metric that fails is left out like one that doesn't apply: the likelihood stands without it.
    """
    start = time.perf_counter()
    for key in SAMPLE_METRICS:
        try:
            record["metrics"][key] = as_json(_metric(key, model, dataset, context))
        except Unsupported as refusal:
            record["metrics_left_out"][key] = refusal.reason
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".strip()
            record["metrics_left_out"][key] = reason
            record["notes"].append(f"metric {key} failed: {reason}")
    record["metrics_seconds"] = time.perf_counter() - start


def _provenance(
    model: GenerativeModel, test: LogProb, seed: int, notes: list[str]
) -> dict[str, Any]:
    """How values that are not exact were found: the estimator, the effective draws of the test
    rows, and the gap that certifies the estimator on the model's own samples (nats per row)."""
    found: dict[str, Any] = dict.fromkeys(
        ("ess_median", "ess_low", "gap", "gap_refused", "gap_seconds")
    )
    found["estimator"] = test.estimator
    if test.ess is not None:
        found["ess_median"] = float(np.median(test.ess))
        found["ess_low"] = float(np.quantile(test.ess, LOW_QUANTILE))
    if not isinstance(model, Certifies):
        return found
    start = time.perf_counter()
    try:
        gap = model.bidirectional(seed=seed)
        found["gap"] = {
            "value": gap.gap,
            "stderr": gap.stderr,
            "n": gap.n,
            "estimator": gap.estimator,
            "lower": gap.lower.value,
            "upper": gap.upper.value,
        }
    except Unsupported as refusal:
        found["gap_refused"] = refusal.reason
    except Exception as error:
        found["gap_refused"] = f"{type(error).__name__}: {error}".strip()
        notes.append(f"certifying the bound failed: {found['gap_refused']}")
    found["gap_seconds"] = time.perf_counter() - start
    return found


def _sampled_rows(model: GenerativeModel, n: int, seed: int) -> np.ndarray:
    """Samples as rows of codes: a model that was fitted to a Dataset draws rows."""
    return np.asarray(model.sample(n, seed=seed))


def _keep_samples(
    sample: Callable[[int], np.ndarray], dataset: Dataset, outcome: Outcome
) -> np.ndarray:
    """Draw once, for all that looks at samples; keep the first few."""
    start = time.perf_counter()
    rows = sample(N_SAMPLES)
    outcome.record["sample_seconds"] = time.perf_counter() - start
    outcome.record["n_sampled"] = N_SAMPLES
    outcome.arrays["rows"] = rows[:N_GALLERY]
    if dataset.schema.layout == "table":
        outcome.record["marginals"] = marginals(rows, dataset.schema.cards)
    return rows


def marginals(rows: np.ndarray, cards: np.ndarray) -> list[list[float]]:
    """Per variable, the share of rows that hold each code."""
    return [
        [round(float(share), 6) for share in np.bincount(rows[:, d], minlength=card) / len(rows)]
        for d, card in enumerate(cards.tolist())
    ]


def _judge_text(
    model: GenerativeModel, dataset: Dataset, record: dict[str, Any], seed: int
) -> None:
    """Nats per character on test text and completions, from the families that offer them."""
    stretches = (dataset.text or {})["test"]
    try:
        if isinstance(model, ScoresText):
            record["text_score"] = _score_text(model, stretches)
        if isinstance(model, CompletesText):
            prompts = PROMPTS.get(dataset.name) or (stretches[0][:PROMPT_LENGTH],)
            # noise of its own for each prompt: with shared noise their texts run together
            record["completions"] = {
                p: model.complete(p, seed=derive(seed, "completion", p)) for p in prompts
            }
    except Unsupported as refusal:
        record["notes"].append(f"text: {refusal.reason}")


def _score_text(model: ScoresText, stretches: list[str]) -> dict[str, Any]:
    """The mean over the first characters of the test text, stretch by stretch."""
    left, parts = MOST_SCORED_CHARACTERS, []
    for stretch in stretches:
        text = stretch[:left]
        if text:
            parts.append((len(text), model.score_text(text)))
            left -= len(text)
    n = np.array([length for length, _ in parts], dtype=float)
    value, stderr = (np.array([getattr(s, k) for _, s in parts]) for k in ("value", "stderr"))
    found = LogProb.exact(n * value).per(n)
    if len(parts) < FEWEST_BLOCKS:
        # few stretches say nothing of how they differ, but each has blocks of its own
        found = Score(found.value, float(np.sqrt(np.sum((n * stderr) ** 2)) / n.sum()), found.kind)
    return {
        "value": found.value,
        "stderr": found.stderr,
        "kind": parts[0][1].kind,
        "n_characters": int(n.sum()),
    }
