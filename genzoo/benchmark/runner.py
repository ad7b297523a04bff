"""``compare``: expand, run what has no record yet, keep what has."""

from __future__ import annotations

import contextlib
import json
import pickle
import tempfile
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.benchmark import changes, locks, plan_file, pool
from genzoo.benchmark.cell import N_GALLERY, Outcome, failed_record, run_cell
from genzoo.benchmark.code import Code
from genzoo.benchmark.entries import Cell, DataEntry, ModelEntry
from genzoo.benchmark.machine import n_cores
from genzoo.benchmark.plan import Plan, make_plan
from genzoo.benchmark.progress import Display, choose_display
from genzoo.benchmark.results import Run, load_run
from genzoo.datasets.dataset import Dataset
from genzoo.datasets.own import SCHEMA_FILES, OwnDataset
from genzoo.fitting import Budget
from genzoo.registry import load_dataset
from genzoo.store import check_place, write_atomically


def compare(
    models: Any = None,
    datasets: Any = None,
    *,
    seeds: int | Sequence[int] | None = None,
    budget: str | Budget | Mapping[str, str | Budget | None] | None = None,
    folds: int | None = None,
    out: str | Path | None = None,
    profile: str | None = None,
    save_models: bool = False,
    n_jobs: int | None = None,
    progress: bool = True,
) -> Run:
    """Fit every model to every data set with every seed, and judge each on the test rows.

    Cells run in worker processes of one thread each, and leave one record each in ``out``. Given
    the same folder again, cells that have an answer (``ok`` or ``unsupported``) are not run again;
    a cell that failed is. A model that fails in one cell doesn't stop the others. A model or data
    set of a class that a fresh process can't import (one from a notebook or a script) is run in
    this process, after the others.

    A folder's run grows: what an earlier call asked for stays in the run beside what this one adds,
    so that the table and the report show the cells of all calls. What now has another meaning
    replaces what it meant: a model of another class, code or parameters, a data set of other rows
    or another budget, with the cells that they had; where the versions of libraries or the code
    that judges cells changed, every cell. What is reused, run anew and left out is said on standard
    error. Two calls on one folder run one after the other.

    Args:
        models: registry keys, models (their unfitted copies are trained, never they themselves),
            or {label: model}. All registered families where None.
        datasets: registry keys, paths (``"my.csv"``, a folder of images), ``Dataset``s, or {label:
            DataFrame, codes, list of str, images, key, path or Dataset}.
        seeds: how many (0, 1, ...), or a list of them; one where None.
        budget: what each fit may take, ``"60s"``, ``"2000 steps"``, None for each family's own
            default, or a dict of these by data set.
        folds: into how many parts to split data that have no split of their own (files, DataFrames,
            ...): each part is the test rows of one fold, so that every row is judged once, by a
            model that has not seen it. A model is then fitted as many times, and judged on all
            folds together.
        out: the run's folder, new or one to add to; ``runs/<profile>`` or ``runs/compare`` where
            None.
        profile: a named comparison, such as ``"quick"``; other arguments replace its parts.
        save_models: keep the fitted models, for ``Run.load_model``. Cells that were finished
            without are run anew, since only a fit leaves a model.
        n_jobs: worker processes; one for each core where None.
        progress: show bars (on a terminal) or lines.

    Returns:
        The run: ``run.table()``, ``run.report()``, ``print(run)``.

    Raises:
        ValueError: for bad arguments, or where the folder can't be locked, before any work is done.
    """
    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, int)):
        raise ValueError(f"n_jobs: expected a positive integer or None; got {n_jobs!r}")
    if n_jobs is not None and n_jobs < 1:
        raise ValueError(f"n_jobs: expected a positive integer or None; got {n_jobs}")
    arguments = (models, datasets, seeds, budget, profile, folds)
    plan = make_plan(*arguments)
    out = Path("runs") / (profile or "compare") if out is None else out
    check_place(out, "out")
    folder = Path(out)
    if folder.exists() and not (folder.is_dir() and _is_run_or_empty(folder)):
        raise ValueError(f"out: expected a new folder or that of a run; got {folder}")
    with locks.one_call(folder, "out") as waited:
        if waited:  # files may have been edited in the meantime
            plan = make_plan(*arguments)
        return _run(folder, plan, n_cores() if n_jobs is None else n_jobs, save_models, progress)


def _is_run_or_empty(folder: Path) -> bool:
    """Whether a folder holds a run, the beginning of one that was killed, or nothing."""
    if (folder / "plan.json").is_file() or (folder / locks.CALL).is_file():
        return True
    return all(fnmatch(path.name, SCHEMA_FILES) for path in folder.iterdir())


def _run(folder: Path, plan: Plan, n_workers: int, save_models: bool, progress: bool) -> Run:
    """Everything that needs the folder for itself."""
    for entry in plan.datasets:
        if isinstance(entry.dataset, OwnDataset):
            entry.dataset.schema_place(folder)  # refuses to write over corrections
    earlier = load_run(folder) if (folder / "plan.json").is_file() else None
    todo = [
        cell
        for cell in (*plan.cells, *plan.references)
        if not _has_answer(folder, cell, save_models)
    ]
    waiting = {cell.key for cell in todo}
    reused = [cell for cell in plan.cells if cell.key not in waiting]
    content = plan_file.as_json(plan)
    unsaved = [c for c in plan.cells if c.key in waiting and _has_answer(folder, c, False)]
    news = changes.reused(folder, reused) + changes.to_be_saved(unsaved)
    if earlier is not None:
        present = plan_file.at_present(earlier.plan, content)
        merged = plan_file.union(earlier.plan, content, present)
        news += changes.replaced(earlier, content, present, merged)
        content = merged
    with locks.files(folder):
        _write_plan(folder, plan, content)
    # a long cell that starts last would leave the other workers idle
    todo.sort(key=lambda cell: -cell.expected_seconds)
    with choose_display(progress, len(plan.cells), len(reused), news) as display:
        _run_cells(folder, todo, n_workers, save_models, display)
    run = load_run(folder)
    run.reused = [(cell.label, cell.data.label, cell.seed) for cell in reused]
    return run


def _has_answer(folder: Path, cell: Cell, save_models: bool) -> bool:
    path = folder / "cells" / f"{cell.key}.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        status, save_error, code = record["status"], record["save_error"], record["code"]
    except (OSError, ValueError, KeyError):
        return False
    if code is None:  # it changed while the cell ran
        return False
    if status == "ok" and save_models and cell.model is not None and save_error is None:
        return (folder / "models" / cell.key / "model.json").is_file()
    return status in ("ok", "unsupported")


# -------------------------------------------------------------------------------- running


def _run_cells(
    folder: Path, todo: list[Cell], n_workers: int, save_models: bool, display: Display
) -> None:
    """Run the cells in workers, then here those that no worker can read."""

    def save_to(cell: Cell) -> Path | None:
        keep = save_models and cell.model is not None
        return (folder / "models" / cell.key).absolute() if keep else None

    at_home: list[tuple[Cell, str]] = []  # with the reason
    with tempfile.TemporaryDirectory(prefix="genzoo-") as scratch:
        stored = _store_datasets(todo, Path(scratch))
        jobs, cells = [], []
        for cell in todo:
            try:
                jobs.append(_as_job(cell, stored, save_to(cell)))
                cells.append(cell)
            except Exception as error:  # pickle raises whatever the object does
                at_home.append((cell, f"{type(error).__name__}: {error}"))
        with contextlib.closing(pool.run_jobs(jobs, n_workers)) as events:
            for event in events:
                cell = cells[event.job]
                match event:
                    case pool.Started():
                        display.start(cell)
                    case pool.Advanced(fraction=fraction, message=message):
                        display.advance(cell, fraction, message)
                    case pool.Finished(result=outcome):
                        _finish(folder, cell, outcome, display)
                    case pool.Lost(reason=reason, trace=trace):
                        _finish(folder, cell, Outcome(failed_record(cell, reason, trace)), display)
                    case pool.Unreadable(reason=reason):
                        display.drop(cell)
                        at_home.append((cell, reason))
    for cell, reason in at_home:
        display.start(cell)
        outcome = run_cell(cell, partial(display.advance, cell), save_to(cell))
        outcome.record["notes"].append(
            f"ran in the parent process (and has its peak memory): no worker can read it: {reason}"
        )
        _finish(folder, cell, outcome, display)


def _store_datasets(
    cells: list[Cell], scratch: Path
) -> dict[tuple[str, int | None], Path | Exception]:
    """Write the data sets that workers can't load by a key; what prevents it, where it can't be."""
    stored: dict[tuple[str, int | None], Path | Exception] = {}
    for entry in (cell.data for cell in cells):
        part = entry.label, entry.fold
        if entry.registry_key is None and part not in stored:
            path = scratch / f"{len(stored)}.pickle"
            try:
                path.write_bytes(pickle.dumps(entry.dataset))
                stored[part] = path
            except Exception as error:  # pickle raises whatever the object does
                stored[part] = error
    return stored


def _as_job(
    cell: Cell, stored: Mapping[tuple[str, int | None], Path | Exception], save_to: Path | None
) -> bytes:
    """What a worker needs to run the cell; raises where that can't be pickled."""
    entry = cell.data
    source = stored.get((entry.label, entry.fold), entry.registry_key)
    if isinstance(source, Exception):
        raise source
    return pickle.dumps(
        (
            run_job, cell.key, cell.model, cell.seed, cell.code, cell.stand_in, entry.label,
            source, entry.budget, entry.fold, entry.folds, save_to,
        )
    )  # fmt: skip


def run_job(
    key: str,
    model: ModelEntry | None,
    seed: int | None,
    code: Code,
    stand_in: str,
    label: str,
    source: str | Path,
    budget: Budget,
    fold: int | None,
    folds: int | None,
    save_to: Path | None,
    *,
    progress: Any,
) -> Outcome:
    """A worker's side of a cell. ``source``: a registry key, or the file of a pickled Dataset."""
    registry_key = source if isinstance(source, str) else None
    entry = DataEntry(label, registry_key, _load(source), budget, fold, folds)
    return run_cell(Cell(key, model, entry, seed, code, stand_in), progress, save_to)


@lru_cache(maxsize=4)
def _load(source: str | Path) -> Dataset:
    if isinstance(source, str):
        return load_dataset(source)
    try:
        return pickle.loads(source.read_bytes())
    except Exception as error:  # a class in it can't be imported here
        raise pool.CannotReadError(f"{type(error).__name__}: {error}") from error


# -------------------------------------------------------------------------------- writing


def _finish(folder: Path, cell: Cell, outcome: Outcome, display: Display) -> None:
    """Arrays first: where there is a record, all of the cell is there."""
    record = outcome.record
    if not cell.code.is_current():
        # workers read a module when they first need it: which code they had is not known
        record["code"] = None
        record["notes"].append(
            "its code changed while it ran: it may be of the old or the new code, and is run again "
            "by the next call"
        )
    with locks.files(folder):
        if outcome.arrays:
            record["values"] = f"{cell.key}.npz"
            _write_arrays(folder / "cells" / f"{cell.key}.npz", outcome.arrays)
        _write_json(folder / "cells" / f"{cell.key}.json", record)
    display.finish(cell, record)


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())


def _write_json(path: Path, value: Any) -> None:
    write_atomically(path, json.dumps(value, indent=1, allow_nan=False).encode())


def _write_plan(folder: Path, plan: Plan, content: dict[str, Any]) -> None:
    """The data sets' files first: where there is a plan, all that it names is there."""
    for entry in (e for e in plan.datasets if not e.fold):  # of folds the first
        schema = entry.dataset.schema
        place = folder / "datasets"
        write_atomically(place / f"{entry.label}.schema.json", schema.to_json().encode())
        rows = entry.dataset.complete("test")[:N_GALLERY]
        _write_arrays(place / f"{entry.label}.npz", {"rows": rows})
        if isinstance(entry.dataset, OwnDataset):
            entry.dataset.write_schema(folder)
    _write_json(folder / "plan.json", content)
