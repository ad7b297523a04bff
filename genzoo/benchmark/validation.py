"""What validation rows say of a fitted model: recommendations rest on this, never on test rows.

Log mass, how often it tells the label right (Bayes' rule), how well trees tell its samples from
real rows, and whether it sums out hidden entries exactly.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from genzoo.datasets.dataset import Dataset
from genzoo.metrics.likelihood import Context
from genzoo.metrics.two_sample import two_sample_test
from genzoo.model import GenerativeModel, LogProb, Unsupported
from genzoo.queries import classify
from genzoo.schema import MISSING
from genzoo.seeding import numpy_rng

MOST_ROWS = 500
MOST_LABELLED = 1000
MOST_BOUNDS = 500  # log masses for classification, where each is a Monte Carlo bound
N_QUERIES = 2
HIDDEN = 0.5  # of a query's entries


def judge(
    model: GenerativeModel, dataset: Dataset, samples: np.ndarray, *, seed: int, notes: list[str]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A record of the model on at most ``MOST_ROWS`` validation rows, and its arrays by row.

    Args:
        samples: (n, D) rows that the model drew.
        notes: what fails in part goes here.

    Returns:
        The record: ``log_prob``, ``stderr`` (nats per row), ``kind``, ``n``; ``accuracy`` of the
        label with ``stderr``, ``n`` and the ``majority``'s share; ``c2st``; ``query``, the kind of
        a value with hidden entries, and its seconds a row. Parts that don't apply are None.
    """
    start = time.perf_counter()
    rows = dataset.valid[:MOST_ROWS]
    groups = None if dataset.groups is None else dataset.groups["valid"][:MOST_ROWS]
    found = model.log_prob(rows, seed=seed)
    score = found.mean(groups)
    arrays = {"valid_log_prob": found.value}
    if groups is not None:
        arrays["valid_groups"] = groups
    record: dict[str, Any] = {
        "log_prob": score.value,
        "stderr": score.stderr,
        "kind": score.kind,
        "n": len(rows),
        "accuracy": None,
        "c2st": None,
        "query": None,
        "query_seconds": None,
    }

    def part(what: str, make: Callable[[], None]) -> None:
        try:
            make()
        except Unsupported:
            pass
        except Exception as error:  # the likelihood stands without it
            notes.append(f"validation, {what}: {type(error).__name__}: {error}".strip())

    def tell_labels() -> None:
        record["accuracy"], arrays["valid_right"] = _accuracy(model, dataset, found, seed)

    def compare_samples() -> None:
        context = Context(found, samples=samples, seed=seed)
        groups = dataset.groups
        if groups is not None:
            groups = groups | {"valid": groups["test"], "test": groups["valid"]}
        # the two change places, since no group may be in two parts
        view = replace(dataset, valid=dataset.test, test=dataset.valid, groups=groups)
        record["c2st"] = asdict(two_sample_test(model, view, context))

    def ask() -> None:
        record["query"], record["query_seconds"] = _query(model, dataset.complete("valid"), seed)

    if dataset.label is not None:
        part("label", tell_labels)
    part("c2st", compare_samples)
    part("query", ask)
    record["seconds"] = time.perf_counter() - start
    return record, arrays


def _accuracy(
    model: GenerativeModel, dataset: Dataset, found: LogProb, seed: int
) -> tuple[dict[str, Any], np.ndarray]:
    schema = dataset.schema
    n_labels = schema.variables[-1].n_values
    most = MOST_LABELLED if found.kind == "exact" else max(20, MOST_BOUNDS // n_labels)
    rows = dataset.complete("valid")[:most]
    rows = rows[rows[:, -1] < n_labels]  # a missing label is no label
    if not len(rows):
        raise Unsupported("no validation row has a label")
    told = classify(model, rows, target=schema.names[-1], seed=seed)
    right = np.asarray(told) == rows[:, -1]
    n, share = len(right), float(right.mean())
    smoothed = (right.sum() + 1) / (n + 2)  # the error of a perfect score is not zero
    commonest = np.bincount(dataset.train[:, -1], minlength=n_labels)[:n_labels].argmax()
    record = {
        "value": share,
        "stderr": float(np.sqrt(smoothed * (1 - smoothed) / n)),
        "n": n,
        "majority": float((rows[:, -1] == commonest).mean()),
    }
    return record, right


def _query(model: GenerativeModel, complete: np.ndarray, seed: int) -> tuple[str, float]:
    """The kind of the log mass of rows with hidden entries, and its seconds a row."""
    rows = complete[:N_QUERIES].copy()
    hidden = numpy_rng(seed, "hidden").random(rows.shape) < HIDDEN
    rows[hidden] = MISSING
    start = time.perf_counter()
    try:
        kind = model.log_prob(rows, seed=seed).kind
    except Unsupported:
        return "unsupported", 0.0
    return kind, (time.perf_counter() - start) / len(rows)
