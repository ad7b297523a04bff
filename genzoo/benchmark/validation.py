"""What validation rows say of a fitted model: models are chosen by this, never by test rows.

Log mass, how well trees tell its samples from real rows, and whether it sums out hidden entries
exactly. (The label: ``genzoo.benchmark.labels``.)
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import numpy as np

from genzoo.benchmark.attempts import attempt
from genzoo.datasets.dataset import Dataset
from genzoo.metrics import Context
from genzoo.metrics.two_sample import C2ST
from genzoo.model import GenerativeModel
from genzoo.results.record import MetricRecord, Validation
from genzoo.seeding import numpy_rng
from genzoo.space.schema import MISSING
from genzoo.values import Unsupported

N_QUERIES = 2
HIDDEN = 0.5  # of a query's entries


def judge(
    model: GenerativeModel, dataset: Dataset, samples: np.ndarray, *, seed: int, notes: list[str]
) -> tuple[Validation, dict[str, np.ndarray]]:
    """A record of the model on the validation rows, and arrays of these.

    Args:
        samples: (n, D) rows that the model drew.
        notes: what fails in part goes here: the likelihood stands without it.

    Returns:
        The record, and the arrays ``valid_log_prob`` and ``valid_groups``.
    """
    start = time.perf_counter()
    groups = None if dataset.groups is None else dataset.groups["valid"]
    found = model.log_prob(dataset.valid, seed=seed)
    score = found.mean(groups)
    c2st, c2st_refused = attempt(
        lambda: _c2st(model, dataset, Context(found, samples=samples, seed=seed)),
        "validation, c2st",
        notes,
    )
    asked, fault = attempt(
        lambda: _query(model, dataset.complete("valid"), seed), "validation, query", notes
    )
    query, seconds, refused = asked or (None, None, fault)
    record = Validation(
        score.value, score.stderr, score.kind, len(dataset.valid), c2st, c2st_refused, query,
        seconds, refused, time.perf_counter() - start,
    )  # fmt: skip
    arrays = {"valid_log_prob": found.value}
    return record, arrays if groups is None else {**arrays, "valid_groups": groups}


def _c2st(model: GenerativeModel, dataset: Dataset, context: Context) -> MetricRecord:
    """How well trees tell samples from validation rows, to which test rows are the second half."""
    groups = dataset.groups
    if groups is not None:
        groups = groups | {"valid": groups["test"], "test": groups["valid"]}
    # the two change places, since no group may be in two parts
    view = replace(dataset, valid=dataset.test, test=dataset.valid, groups=groups)
    return MetricRecord(**asdict(C2ST(model, view, context)))


def _query(
    model: GenerativeModel, complete: np.ndarray, seed: int
) -> tuple[str, float, str | None]:
    """The kind of the log mass of rows with hidden entries, its seconds a row, and why there is
    none."""
    rows = complete[:N_QUERIES].copy()
    hidden = numpy_rng(seed, "hidden").random(rows.shape) < HIDDEN
    rows[hidden] = MISSING
    start = time.perf_counter()
    try:
        kind = model.log_prob(rows, seed=seed).kind
    except Unsupported as refusal:
        return "unsupported", 0.0, refusal.reason
    return kind, (time.perf_counter() - start) / len(rows), None
