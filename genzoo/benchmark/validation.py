"""What validation rows say of a fitted model: models are chosen by this, never by test rows.

Log mass, how well trees tell its samples from real rows, and whether it sums out hidden entries
exactly. (The label: ``genzoo.benchmark.labels``.)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from genzoo.datasets.dataset import Dataset
from genzoo.metrics import Context
from genzoo.metrics.two_sample import C2ST
from genzoo.model import GenerativeModel
from genzoo.seeding import numpy_rng
from genzoo.space.schema import MISSING
from genzoo.values import Unsupported

MOST_ROWS = 500
N_QUERIES = 2
HIDDEN = 0.5  # of a query's entries


def judge(
    model: GenerativeModel, dataset: Dataset, samples: np.ndarray, *, seed: int, notes: list[str]
) -> dict[str, Any]:
    """A record of the model on at most ``MOST_ROWS`` validation rows.

    Args:
        samples: (n, D) rows that the model drew.
        notes: what fails in part goes here.

    Returns:
        ``log_prob``, ``stderr`` (nats per row), ``kind``, ``n``; ``c2st``, or why there is none in
        ``c2st_refused``; ``query``, the kind of a value with hidden entries, and its seconds a row,
        or why there is none in ``query_refused``. Parts that don't apply are None.
    """
    start = time.perf_counter()
    rows = dataset.valid[:MOST_ROWS]
    groups = None if dataset.groups is None else dataset.groups["valid"][:MOST_ROWS]
    found = model.log_prob(rows, seed=seed)
    score = found.mean(groups)
    record: dict[str, Any] = {
        "log_prob": score.value,
        "stderr": score.stderr,
        "kind": score.kind,
        "n": len(rows),
        "c2st": None,
        "c2st_refused": None,
        "query": None,
        "query_seconds": None,
        "query_refused": None,
    }

    def part(what: str, make: Callable[[], None]) -> None:
        """The likelihood stands without it."""
        try:
            make()
        except Unsupported as refusal:
            record[f"{what}_refused"] = refusal.reason
        except Exception as error:
            record[f"{what}_refused"] = f"{type(error).__name__}: {error}".strip()
            notes.append(f"validation, {what}: {record[f'{what}_refused']}")

    def compare_samples() -> None:
        context = Context(found, samples=samples, seed=seed)
        groups = dataset.groups
        if groups is not None:
            groups = groups | {"valid": groups["test"], "test": groups["valid"]}
        # the two change places, since no group may be in two parts
        view = replace(dataset, valid=dataset.test, test=dataset.valid, groups=groups)
        record["c2st"] = asdict(C2ST(model, view, context))

    def ask() -> None:
        complete = dataset.complete("valid")
        try:
            record["query"], record["query_seconds"] = _query(model, complete, seed)
        except Unsupported:
            record["query"], record["query_seconds"] = "unsupported", 0.0
            raise

    part("c2st", compare_samples)
    part("query", ask)
    record["seconds"] = time.perf_counter() - start
    return record


def _query(model: GenerativeModel, complete: np.ndarray, seed: int) -> tuple[str, float]:
    """The kind of the log mass of rows with hidden entries, and its seconds a row."""
    rows = complete[:N_QUERIES].copy()
    hidden = numpy_rng(seed, "hidden").random(rows.shape) < HIDDEN
    rows[hidden] = MISSING
    start = time.perf_counter()
    kind = model.log_prob(rows, seed=seed).kind
    return kind, (time.perf_counter() - start) / len(rows)
