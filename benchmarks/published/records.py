"""Cells and their records: one raw record for each data set, model and seed.

A record is a JSON file, ``records/<data set>/<model>-<seed>.json``, written whole as soon as its
cell is done. It holds all that the tables show and nothing about whose machine it was: no path, no
user, no host. A cell is run anew only where its record is of another version, data, parameters or
budget, or says that it failed.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import re
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genzoo import Unsupported, list_models, load_dataset, make_model
from genzoo.benchmark import pool
from genzoo.benchmark.cell import as_json, noted_warnings
from genzoo.benchmark.machine import machine, one_thread, peak_memory_mb, reset_peak_memory
from genzoo.benchmark.plan import ModelEntry, fresh, make_plan
from genzoo.budget import Budget
from genzoo.datasets.dataset import Dataset
from genzoo.model import GenerativeModel
from genzoo.store import versions, write_atomically
from published.scores import judge, protocol_of

CHOW_LIU = "chow_liu"  # the tree alone, on the binary tables: published targets are exact for it
FOLDERS = re.compile(r"(?<![\w.])(?:/[^/\s:'\"]+)+/")


@dataclass(frozen=True)
class Task:
    """A cell to run: ``key`` is the hash of all that determines it."""

    key: str
    dataset: str
    fingerprint: str
    model: ModelEntry
    seed: int
    budget: Budget

    @property
    def title(self) -> str:
        return f"{self.model.label} on {self.dataset}, seed {self.seed}"


def models_for(dataset: str, labels: Sequence[str]) -> dict[str, GenerativeModel]:
    """Of these models, those that are run on a data set, at their defaults."""
    tree = {CHOW_LIU: make_model("bayesian_network", structure="chow_liu")}
    offered = {key: make_model(key) for key in list_models()}
    offered |= tree if dataset.startswith("debd/") else {}
    return {label: model for label, model in offered.items() if label in labels}


def tasks_of(dataset: str, labels: Sequence[str], n_seeds: int, budget: Budget) -> list[Task]:
    """The cells of a data set.

    Raises:
        OSError, ValueError: where the data set can't be loaded.
    """
    models = models_for(dataset, labels)
    if not models:
        return []
    plan = make_plan(models, [dataset], n_seeds, budget, None)
    fingerprint = plan.datasets[0].dataset.fingerprint
    return [
        Task(cell.key, dataset, fingerprint, cell.model, cell.seed or 0, budget)
        for cell in plan.cells
        if cell.model is not None
    ]


def run(tasks: Sequence[Task], folder: Path, n_jobs: int, command: str) -> int:
    """Run the cells that have no record yet, and write each one's; how many of them failed."""
    todo = [task for task in tasks if not _is_done(task, folder)]
    print(f"{len(tasks) - len(todo)} of {len(tasks)} cells have a record", flush=True)
    jobs = [pickle.dumps((run_cell, task)) for task in todo]
    failed = 0
    with contextlib.closing(pool.run_jobs(jobs, n_jobs)) as events:
        for event in events:
            task = todo[event.job]
            match event:
                case pool.Started():
                    print(f"{task.title}: started", flush=True)
                    continue
                case pool.Advanced():
                    continue
                case pool.Finished(result=record):
                    pass
                case pool.Lost(reason=reason, trace=trace):
                    print(trace, file=sys.stderr)
                    record = blank_record(task) | {"reason": reason}
                case pool.Unreadable(reason=reason):
                    record = blank_record(task) | {"reason": reason}
            record |= {"command": command, "finished": _now()}
            _write(task, folder, record)
            failed += record["status"] == "failed"
            print(f"{task.title}: {_summary(record)}", flush=True)
    return failed


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _path(task: Task, folder: Path) -> Path:
    return folder / "records" / task.dataset / f"{task.model.label}-{task.seed}.json"


def _is_done(task: Task, folder: Path) -> bool:
    try:
        record = json.loads(_path(task, folder).read_text(encoding="utf-8"))
        return record["key"] == task.key and record["status"] in ("ok", "unsupported")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(task: Task, folder: Path, record: dict[str, Any]) -> None:
    for name in ("reason", "notes"):
        record[name] = _without_folders(record[name])
    content = json.dumps(record, indent=1, allow_nan=False) + "\n"
    write_atomically(_path(task, folder), content.encode())


def _without_folders(text: Any) -> Any:
    """The text with files' names in place of their paths; lists of texts too."""
    if isinstance(text, list):
        return [_without_folders(part) for part in text]
    return None if text is None else FOLDERS.sub("", text)


def _summary(record: dict[str, Any]) -> str:
    if record["status"] != "ok":
        return f"{record['status']}: {record['reason']}"
    main = next(iter(record["test"].values()))
    return (
        f"{main['kind']} {main['value']:.4f} +- {main['stderr']:.4f}, trained "
        f"{record['train_seconds']:.0f} s, evaluated {record['evaluate_seconds']:.0f} s"
    )


def read_records(folder: Path) -> list[dict[str, Any]]:
    """Every record below the folder, by data set, model and seed.

    A damaged one is left out and named on standard error.
    """
    keyed = []
    for path in sorted((folder / "records").rglob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            keyed.append(((record["dataset"], record["model"], record["seed"]), record))
        except (ValueError, KeyError, TypeError) as error:
            print(
                f"{path}: left out: expected a whole record; {error}; the cell is run anew by "
                f"the same command",
                file=sys.stderr,
            )
    return [record for _, record in sorted(keyed, key=lambda pair: pair[0])]


# -------------------------------------------------------------------- a worker's side


def blank_record(task: Task) -> dict[str, Any]:
    """The record of a cell of which nothing is known yet: no field is missing."""
    return {
        "key": task.key,
        "dataset": task.dataset,
        "fingerprint": task.fingerprint,
        "model": task.model.label,
        "family": task.model.family,
        "params": task.model.params,
        "seed": task.seed,
        "budget": str(task.budget),
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
    with noted_warnings(remarks), one_thread():
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
