"""A worker's side: one cell, fitted and scored."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from typing import Any

from genzoo import Unsupported, load_dataset, threads
from genzoo.benchmark.attempts import noted_warnings
from genzoo.benchmark.entries import ModelEntry, fresh
from genzoo.benchmark.machine import (
    machine,
    n_cores,
    peak_memory_mb,
    reset_peak_memory,
)
from genzoo.datasets.dataset import Dataset
from genzoo.fitting import Budget
from genzoo.results.typed import as_json
from genzoo.store import versions
from published.scores import judge, protocol_of

THREADS = 1  # of a cell


@dataclass(frozen=True)
class Task:
    """A cell to run: ``key`` is the hash of all that determines it, ``code`` that of the sources
    that fit and score."""

    key: str
    dataset: str
    fingerprint: str
    model: ModelEntry
    seed: int
    budget: Budget
    code: str

    @property
    def title(self) -> str:
        return f"{self.model.label} on {self.dataset}, seed {self.seed}"


def blank_record(task: Task) -> dict[str, Any]:
    """The record of a cell of which nothing is known yet: no field is missing. What only the run
    knows (``jobs``, ``command``, ``finished``) it adds."""
    return {
        "key": task.key,
        "dataset": task.dataset,
        "fingerprint": task.fingerprint,
        "model": task.model.label,
        "family": task.model.family,
        "params": task.model.params,
        "seed": task.seed,
        "budget": str(task.budget),
        "code": task.code,
        "threads": THREADS,
        "jobs": None,
        "cores": n_cores(),
        "status": "failed",
        "reason": None,
        "score": protocol_of(task.dataset).name,
        "unit": protocol_of(task.dataset).unit,
        "validation": None,
        "test": {},
        "left_out": {},
        "train_seconds": None,
        "evaluate_seconds": None,
        "n_parameters": None,
        "peak_memory_mb": None,
        "steps": None,
        "converged": None,
        "stopped_by": None,
        "notes": [],
        "versions": versions(),
        "machine": machine(),
        "command": None,
        "finished": None,
    }


def run_cell(task: Task, *, progress: Any) -> dict[str, Any]:
    """Fit and score, on one thread; what goes wrong is told in the record."""
    record = blank_record(task)
    measured, remarks = reset_peak_memory(), []
    with noted_warnings(remarks), threads.using(1):
        try:
            record |= as_json(_fitted_and_judged(task, load_dataset(task.dataset), progress))
            record["status"] = "ok"
        except Unsupported as refusal:
            record |= {"status": "unsupported", "reason": refusal.reason}
        except Exception as error:
            traceback.print_exc()
            record["reason"] = f"{type(error).__name__}: {error}".strip()
    record["notes"] += remarks
    if measured:
        record["peak_memory_mb"] = peak_memory_mb()
    return record


def _fitted_and_judged(task: Task, dataset: Dataset, progress: Any) -> dict[str, Any]:
    model = fresh(task.model.model)
    start = time.perf_counter()
    model.fit(dataset, seed=task.seed, budget=task.budget, progress=progress)
    found = {
        "train_seconds": time.perf_counter() - start,
        "n_parameters": int(model.n_parameters_),
        "steps": model.training_.steps,
        "converged": model.training_.converged,
        "stopped_by": model.training_.stopped_by,
        "notes": list(model.training_.notes),
    }
    found |= judge(model, dataset, protocol_of(task.dataset), task.seed)
    found["evaluate_seconds"] = sum(figure["seconds"] for figure in found["test"].values())
    return found
