"""``compare``: expand, run what has no record yet, keep what has."""

from __future__ import annotations

import contextlib
import math
import pickle
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.benchmark import changes, locks, merging, pool
from genzoo.benchmark.arguments import read_profile
from genzoo.benchmark.attempts import reason_of
from genzoo.benchmark.cell import N_GALLERY, Outcome, failed_record, run_cell
from genzoo.benchmark.entries import Cell
from genzoo.benchmark.facts import plan_of
from genzoo.benchmark.machine import n_cores
from genzoo.benchmark.pace import Pace
from genzoo.benchmark.plan import Comparison, make_plan
from genzoo.benchmark.progress import Display, Event, choose_display
from genzoo.benchmark.run import Run, load_run
from genzoo.datasets.dataset import Dataset
from genzoo.datasets.own import SCHEMA_FILES, OwnDataset
from genzoo.fitting import Budget
from genzoo.parameters import check_integer
from genzoo.registry import load_dataset
from genzoo.results import numbers
from genzoo.results.numbers import ascii_marks
from genzoo.results.plan import Plan, read_plan
from genzoo.results.record import CellRecord, read_record
from genzoo.results.run import record_file
from genzoo.store import check_place, clear_drafts, write_atomically, write_json


@dataclass(frozen=True)
class Extras:
    """What cells are to leave beside their figures, and no part of their keys: fitted models, and
    how well these fill in hidden entries."""

    save_models: bool
    imputation: bool


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
    imputation: bool | None = None,
    n_jobs: int | None = None,
    progress: bool | Callable[[Event], object] | None = True,
) -> Run:
    """Fit every model to every data set with every seed, and judge each on the test rows.

    Cells run in worker processes of one thread each, and leave one record each in ``out``. Given
    the same folder again, cells that have an answer (``ok`` or ``unsupported``) are not run again;
    a cell that failed is. A model that fails in one cell doesn't stop the others. Classes of one's
    own, from a notebook or a script too, run like all others; what can't be sent to another process
    (an open file or a lock among a model's parameters) is a cell that failed.

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
        budget: what each fit may take: ``"60s"``, ``"2000 steps"``, ``"auto"`` (seconds that suit
            the size of the data: 20 s for 6,000 rows of 15 columns), ``"default"`` (each family's
            own; the only one besides steps that repeats bit for bit), or a dict of these by data
            set. None is ``"auto"`` for data of one's own and ``"default"`` for keys.
        folds: into how many parts to split data that have no split of their own (files, DataFrames,
            ...): each part is the test rows of one fold, so that every row is judged once, by a
            model that has not seen it. A model is then fitted as many times, and judged on all
            folds together.
        out: the run's folder, new or one to add to; ``runs/<profile>`` or ``runs/compare`` where
            None.
        profile: a named comparison, such as ``"quick"``; other arguments replace its parts.
        save_models: keep the fitted models, for ``Run.load_model``. Cells that were finished
            without are run anew, since only a fit leaves a model.
        imputation: hide a tenth, half and nine tenths of the entries of test rows and let every
            model fill them in: minutes more for some families. None: as the profile says, else
            not. Cells that were finished without are run anew.
        n_jobs: worker processes; one for each core where None.
        progress: show what files and tables are taken for, then bars (on a terminal) or lines, with
            the time that is left; or a function of what happens, a dict in JSON's types: its
            ``event`` is ``"plan"`` (how many cells, how many reused), ``"note"`` (a text),
            ``"start"``, ``"progress"`` (of a cell: fraction, message, seconds left) or ``"finish"``
            (its status and result). An exception of the function ends the call.

    Returns:
        The run: ``run.table()``, ``run.report()``, ``print(run)``.

    Raises:
        ValueError: for bad arguments, or where the folder can't be locked, before any work is done.

    >>> import genzoo, tempfile
    >>> coin = {"coin": ["a", "b"] * 20}
    >>> run = genzoo.compare(["independent"], coin, out=tempfile.mkdtemp(), progress=False)
    >>> run.table().status.tolist()
    ['ok']
    """
    check_integer("n_jobs", n_jobs, optional=True)
    if not (callable(progress) or progress in (True, False, None)):
        raise ValueError(
            f"progress: expected True, False, None or a function of an event; got {progress!r}"
        )
    if not (imputation is None or isinstance(imputation, bool)):
        raise ValueError(f"imputation: expected True, False or None; got {imputation!r}")
    arguments = (models, datasets, seeds, budget, profile, folds)
    plan = make_plan(*arguments)
    chosen = read_profile(profile)
    if imputation is None:
        imputation = chosen is not None and chosen.imputation
    extras = Extras(save_models, imputation)
    out = Path("runs") / (profile or "compare") if out is None else out
    check_place(out, "out")
    folder = Path(out)
    if folder.exists() and not (folder.is_dir() and _is_run_or_empty(folder)):
        raise ValueError(f"out: expected a new folder or that of a run; got {folder}")
    with locks.one_call(folder, "out") as waited:
        if waited:  # files may have been edited in the meantime
            plan = make_plan(*arguments)
        return _run(folder, plan, n_cores() if n_jobs is None else n_jobs, extras, progress)


def _is_run_or_empty(folder: Path) -> bool:
    """Whether a folder holds a run, the beginning of one that was killed, or nothing."""
    if (folder / "plan.json").is_file() or (folder / locks.CALL).is_file():
        return True
    return all(fnmatch(path.name, SCHEMA_FILES) for path in folder.iterdir())


def _run(
    folder: Path,
    comparison: Comparison,
    n_workers: int,
    extras: Extras,
    progress: bool | Callable[[Event], object] | None,
) -> Run:
    """Everything that needs the folder for itself."""
    with locks.files(folder):
        for place in (folder, *(folder / name for name in ("cells", "datasets", "models"))):
            clear_drafts(place)
    for entry in comparison.datasets:
        if isinstance(entry.dataset, OwnDataset):
            entry.dataset.schema_place(folder)  # refuses to write over corrections
    plan = plan_of(comparison)
    before = read_plan(folder) if (folder / "plan.json").is_file() else None
    asked = [*comparison.cells, *comparison.references]
    keys = {cell.key for cell in asked} | {cell.key for cell in (before.cells if before else ())}
    records = {key: r for key in keys for r in [_readable(folder, key)] if r is not None}
    answered = {key for key, record in records.items() if record.is_answered}
    todo = [c for c in asked if c.key not in answered or _lacks(folder, c, records[c.key], extras)]
    waiting = {cell.key for cell in todo}
    reused = [cell for cell in comparison.cells if cell.key not in waiting]
    news = [*comparison.shown, *_suited(plan, todo, n_workers)]
    news += changes.reused([records[cell.key] for cell in reused])
    again = [c for c in comparison.cells if c.key in waiting & answered]
    to_fill_in = [c for c in again if extras.imputation and records[c.key].imputation is None]
    news += changes.for_more("to fill in hidden entries", to_fill_in)
    news += changes.for_more("to be saved", [c for c in again if c not in to_fill_in])
    merged = plan
    if before is not None:
        present = merging.at_present(before, plan)
        merged = merging.union(before, plan, present)
        news += changes.replaced(before, records, plan, present, merged)
    with locks.files(folder):
        _write_plan(folder, comparison, merged)
    # a long cell that starts last would leave the other workers idle
    todo.sort(key=lambda cell: -cell.expected_seconds)
    pace = Pace(todo, n_workers)
    with choose_display(progress, len(comparison.cells), len(reused), news, pace) as display:
        _run_cells(folder, todo, n_workers, extras, display)
    run = load_run(folder)
    run.reused = [(cell.label, cell.data.label, cell.seed) for cell in reused]
    return run


def _suited(plan: Plan, todo: Sequence[Cell], n_workers: int) -> list[str]:
    """What each fit may take where that was chosen for the data, and how to have it otherwise."""
    lines = []
    for facts in (d for d in plan.datasets if d.suited):
        n = sum(cell.model is not None and cell.data.label == facts.name for cell in todo)
        seconds = Budget.parse(facts.budget).seconds or 0.0
        if n:
            most = numbers.seconds(seconds * math.ceil(n / n_workers))
            lines.append(
                f"each fit on {facts.name} may take {facts.budget}, chosen for "
                f"{ascii_marks(facts.size)} ({numbers.count(n, 'fit')}: at most {most} of "
                f'training); budget "{facts.longer}" trains longer, "default" as long as each '
                f"family likes"
            )
    return lines


def _readable(folder: Path, key: str) -> CellRecord | None:
    """The record of a cell; None where there is none, or a damaged one."""
    try:
        return read_record(record_file(folder, key))
    except (OSError, ValueError):
        return None


def _lacks(folder: Path, cell: Cell, record: CellRecord, extras: Extras) -> bool:
    """Whether a cell with an answer is to leave more than it has left: only a fit can give it."""
    if not record.ok or cell.model is None:
        return False
    if extras.imputation and record.imputation is None:
        return True
    if not extras.save_models or record.save_error is not None:
        return False
    return not (folder / "models" / cell.key / "model.json").is_file()


# -------------------------------------------------------------------------------- running


def _run_cells(
    folder: Path, todo: Sequence[Cell], n_workers: int, extras: Extras, display: Display
) -> None:
    with tempfile.TemporaryDirectory(prefix="genzoo-") as scratch:
        stored = _store_datasets(todo, Path(scratch))
        jobs, cells = [], []
        for planned in todo:
            has_model = planned.model is not None
            cell = replace(planned, imputation=extras.imputation and has_model)
            keep = extras.save_models and has_model
            save_to = (folder / "models" / cell.key).absolute() if keep else None
            try:
                jobs.append(_as_job(cell, stored, save_to))
                cells.append(cell)
            except Exception as error:  # pickle raises whatever the object does
                display.start(cell)
                reason = f"it can't be sent to a worker process: {reason_of(error)}"
                _finish(folder, cell, Outcome(failed_record(cell, reason)), display)
        with contextlib.closing(pool.run_jobs(jobs, n_workers)) as events:
            for event in events:
                if isinstance(event, pool.Waited):
                    display.wait()
                    continue
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


Stored = dict[tuple[str, int | None], Path | Exception]


def _store_datasets(cells: Sequence[Cell], scratch: Path) -> Stored:
    """Write the data sets that workers can't load by a key, once for all their cells; what prevents
    it, where it can't be."""
    stored: Stored = {}
    for entry in (cell.data for cell in cells):
        part = entry.label, entry.fold
        if entry.registry_key is None and part not in stored:
            path = scratch / f"{len(stored)}.pickle"
            try:
                path.write_bytes(pool.pickled(entry.dataset))
                stored[part] = path
            except Exception as error:  # pickle raises whatever the object does
                stored[part] = error
    return stored


def _as_job(cell: Cell, stored: Stored, save_to: Path | None) -> bytes:
    """What a worker needs to run the cell; raises where that can't be pickled."""
    source = stored.get((cell.data.label, cell.data.fold), cell.data.registry_key)
    if isinstance(source, Exception):
        raise source
    # the data set travels apart
    without = replace(cell, data=replace(cell.data, dataset=None))  # type: ignore[arg-type]
    return pool.pickled((run_job, without, source, save_to))


def run_job(cell: Cell, source: str | Path, save_to: Path | None, *, progress: Any) -> Outcome:
    """A worker's side of a cell. ``source``: a registry key, or the file of a pickled Dataset."""
    return run_cell(
        replace(cell, data=replace(cell.data, dataset=_load(source))), progress, save_to
    )


@lru_cache(maxsize=4)
def _load(source: str | Path) -> Dataset:
    return load_dataset(source) if isinstance(source, str) else pickle.loads(source.read_bytes())


# -------------------------------------------------------------------------------- writing


def _finish(folder: Path, cell: Cell, outcome: Outcome, display: Display) -> None:
    """Arrays first: where there is a record, all of the cell is there."""
    record, file = outcome.record, record_file(folder, cell.key)
    if not cell.code.is_current():
        # workers read a module when they first need it: which code they had is not known
        note = (
            "its code changed while it ran: it may be of the old or the new code, and is run again "
            "by the next call"
        )
        record = replace(record, code=None, notes=(*record.notes, note))
    with locks.files(folder):
        if outcome.arrays:
            record = replace(record, values=f"{cell.key}.npz")
            _write_arrays(file.with_suffix(".npz"), outcome.arrays)
        write_json(file, record.to_json())
    display.finish(cell, record)


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())


def _write_plan(folder: Path, comparison: Comparison, plan: Plan) -> None:
    """The data sets' files first: where there is a plan, all that it names is there."""
    for entry in (e for e in comparison.datasets if not e.fold):  # of folds the first
        schema = entry.dataset.schema
        place = folder / "datasets"
        write_atomically(place / f"{entry.label}.schema.json", schema.to_json().encode())
        rows = entry.dataset.complete("test")[:N_GALLERY]
        _write_arrays(place / f"{entry.label}.npz", {"rows": rows})
        if isinstance(entry.dataset, OwnDataset):
            entry.dataset.write_schema(folder)
    write_json(folder / "plan.json", plan.to_json())
