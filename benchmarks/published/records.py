"""Cells and their records: one raw record for each data set, model and seed.

A record is a JSON file, ``records/<data set>/<model>-<seed>.json``, written whole as soon as its
cell is done. It holds all that the tables show and nothing about whose machine it was: no path, no
user, no host. All records of a folder were made under equal conditions (code, versions of
libraries, budget, threads), or nothing is added to it. A cell is run anew where its record says
that it failed.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import re
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genzoo import list_models, load_dataset, make_model
from genzoo.benchmark import locks, pool
from genzoo.benchmark.arguments import read_models
from genzoo.benchmark.code import Code, hash_of, joined, modules_code
from genzoo.fitting import Budget
from genzoo.model import GenerativeModel
from genzoo.results.numbers import listing
from genzoo.store import versions, write_atomically
from published import cell, scores
from published.cell import THREADS, Task, blank_record, run_cell
from published.conditions import conditions_of

CHOW_LIU = "chow_liu"  # the tree alone, on the binary tables: published targets are exact for it
# the binary tables for which they were measured; the other ten can be named
BINARY = ("nltcs", "msnbc", "kdd", "plants", "tretail", "dna", "cwebkb", "cr52", "c20ng", "ad")
FOLDERS = re.compile(r"(?<![\w.])(?:/[^/\s:'\"]+)+/")


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
    fingerprint = load_dataset(dataset).fingerprint
    tasks = []
    for model in read_models(models):
        code = code_with(model.code)
        same = [dataset, fingerprint, model.label, model.params, str(budget), code, versions()]
        tasks += [
            Task(hash_of([*same, seed]), dataset, fingerprint, model, seed, budget, code)
            for seed in range(n_seeds)
        ]
    return tasks


def code_with(model: Code) -> str:
    """The hash of a model's code and of what scores here."""
    return joined(model, modules_code([scores.__name__, cell.__name__])).digest


def run(tasks: Sequence[Task], folder: Path, n_jobs: int, command: str) -> int:
    """Run the cells that have no record yet, and write each one's; how many of them failed.

    Another run into the same folder is waited for: two at once would share the cores.

    Raises:
        ValueError: where the folder's records and these would not be made under equal conditions;
            nothing is run then, and no record changed.
    """
    with locks.one_call(folder / "records", "--results"):
        check_alike(tasks, read_records(folder), folder)
        return _run(tasks, folder, n_jobs, command)


def check_alike(tasks: Sequence[Task], there: Sequence[dict[str, Any]], folder: Path) -> None:
    """ValueError where the records that are there differ from what these cells would leave."""
    codes = _present_codes(there) | {task.model.label: task.code for task in tasks}
    fingerprints = {task.dataset: task.fingerprint for task in tasks}
    budgets = {str(task.budget) for task in tasks}
    reasons = Counter[str]()
    for record in there:
        made = conditions_of(record)
        reasons["of code that was not recorded"] += made.code is None
        reasons["of other code"] += made.code not in (None, codes.get(record["model"]))
        reasons["with other versions of libraries"] += record["versions"] != versions()
        reasons[f"with another budget than {listing(budgets)}"] += made.budget not in budgets
        reasons[f"not known to have had {THREADS} thread a cell"] += made.threads != THREADS
        rows = fingerprints.get(record["dataset"])
        reasons["of other rows"] += rows is not None and rows != record["fingerprint"]
    found = [f"{n} {reason}" for reason, n in reasons.items() if n]
    if found:
        raise ValueError(
            f"--results: expected records that were made like those of this run; of the "
            f"{len(there)} in {folder} there are {', '.join(found)}: give another folder, or "
            f"remove them"
        )


def _present_codes(there: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The code that the records' models have at present, by label."""
    labels = {record["model"] for record in there}
    binary = "debd/"  # data sets on which every model is run
    models = models_for(binary, [*labels])
    return {m.label: code_with(m.code) for m in read_models(models)} if models else {}


def _run(tasks: Sequence[Task], folder: Path, n_jobs: int, command: str) -> int:
    todo = [task for task in tasks if not _is_done(task, folder)]
    print(f"{len(tasks) - len(todo)} of {len(tasks)} cells have a record", flush=True)
    jobs = [pickle.dumps((run_cell, task)) for task in todo]
    failed = 0
    with contextlib.closing(pool.run_jobs(jobs, n_jobs)) as events:
        for event in events:
            if isinstance(event, pool.Waited):
                continue
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
            record |= {"jobs": n_jobs, "command": command, "finished": _now()}
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
