"""``compare``: expand, run what has no record yet, keep what has."""

from __future__ import annotations

import contextlib
import inspect
import json
import pickle
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatch
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.benchmark import pool
from genzoo.benchmark.cell import N_GALLERY, Outcome, failed_record, marginals, run_cell
from genzoo.benchmark.machine import machine, n_cores
from genzoo.benchmark.plan import (
    TRUTH,
    Cell,
    DataEntry,
    ModelEntry,
    Plan,
    make_plan,
    own_code,
    plain,
)
from genzoo.benchmark.progress import Display, choose_display
from genzoo.benchmark.results import PLAN_FORMAT, Run, load_run
from genzoo.budget import Budget
from genzoo.datasets.dataset import Dataset
from genzoo.datasets.own import SCHEMA_FILES, OwnDataset
from genzoo.registry import key_of, load_dataset
from genzoo.store import check_place, sha256, versions, write_atomically

CELL_PARTS = ("dataset", "model", "seed")


def compare(
    models: Any = None,
    datasets: Any = None,
    *,
    seeds: int | Sequence[int] | None = None,
    budget: str | Budget | Mapping[str, str | Budget | None] | None = None,
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
    so that the table and the report show the cells of all calls. A label that now means something
    else replaces what it meant: a model of another class, code or parameters, a data set of other
    rows or another budget, with the cells that they had. With another version of genzoo the run
    begins anew.

    Args:
        models: registry keys, models (their unfitted copies are trained, never they themselves),
            or {label: model}. All registered families where None.
        datasets: registry keys, paths (``"my.csv"``, a folder of images), ``Dataset``s, or {label:
            DataFrame, codes, list of str, images, key, path or Dataset}.
        seeds: how many (0, 1, ...), or a list of them; one where None.
        budget: what each fit may take, ``"60s"``, ``"2000 steps"``, None for each family's own
            default, or a dict of these by data set.
        out: the run's folder, new or one to add to; ``runs/<profile>`` or ``runs/compare`` where
            None.
        profile: a named comparison, such as ``"quick"``; other arguments replace its parts.
        save_models: keep the fitted models, for ``Run.load_model``.
        n_jobs: worker processes; one for each core where None.
        progress: show bars (on a terminal) or lines.

    Returns:
        The run: ``run.table()``, ``run.report()``, ``print(run)``.

    Raises:
        ValueError: for bad arguments, before any work is done.
    """
    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, int)):
        raise ValueError(f"n_jobs: expected a positive integer or None; got {n_jobs!r}")
    if n_jobs is not None and n_jobs < 1:
        raise ValueError(f"n_jobs: expected a positive integer or None; got {n_jobs}")
    plan = make_plan(models, datasets, seeds, budget, profile)
    out = Path("runs") / (profile or "compare") if out is None else out
    check_place(out, "out")
    folder = Path(out)
    if folder.exists() and not (folder.is_dir() and _is_run_or_empty(folder)):
        raise ValueError(f"out: expected a new folder or that of a run; got {folder}")
    for entry in plan.datasets:
        if isinstance(entry.dataset, OwnDataset):
            entry.dataset.schema_place(folder)  # refuses to write over corrections
    before = load_run(folder).plan if (folder / "plan.json").is_file() else None
    _write_plan(folder, plan, before)
    todo = [
        cell
        for cell in (*plan.cells, *plan.references)
        if not _has_answer(folder, cell, save_models)
    ]
    # a long cell that starts last would leave the other workers idle
    todo.sort(key=lambda cell: -cell.expected_seconds)
    n_workers = n_cores() if n_jobs is None else n_jobs
    kept = len(plan.cells) - sum(not cell.is_reference for cell in todo)
    with choose_display(progress, len(plan.cells), kept) as display:
        _run_cells(folder, todo, n_workers, save_models, display)
    return load_run(folder)


def _is_run_or_empty(folder: Path) -> bool:
    others = (p for p in folder.iterdir() if not fnmatch(p.name, SCHEMA_FILES))
    return (folder / "plan.json").is_file() or not any(others)


def _has_answer(folder: Path, cell: Cell, save_models: bool) -> bool:
    path = folder / "cells" / f"{cell.key}.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        status, save_error = record["status"], record["save_error"]
    except (OSError, ValueError, KeyError):
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


def _store_datasets(cells: list[Cell], scratch: Path) -> dict[str, Path | Exception]:
    """Write the data sets that workers can't load by a key; what prevents it, where it can't be."""
    stored: dict[str, Path | Exception] = {}
    for entry in (cell.data for cell in cells):
        if entry.registry_key is None and entry.label not in stored:
            path = scratch / f"{len(stored)}.pickle"
            try:
                path.write_bytes(pickle.dumps(entry.dataset))
                stored[entry.label] = path
            except Exception as error:  # pickle raises whatever the object does
                stored[entry.label] = error
    return stored


def _as_job(cell: Cell, stored: Mapping[str, Path | Exception], save_to: Path | None) -> bytes:
    """What a worker needs to run the cell; raises where that can't be pickled."""
    entry = cell.data
    source = stored.get(entry.label, entry.registry_key)
    if isinstance(source, Exception):
        raise source
    return pickle.dumps(
        (
            run_job, cell.key, cell.model, cell.seed, cell.stand_in, entry.label, source,
            entry.budget, save_to,
        )
    )  # fmt: skip


def run_job(
    key: str,
    model: ModelEntry | None,
    seed: int | None,
    stand_in: str,
    label: str,
    source: str | Path,
    budget: Budget,
    save_to: Path | None,
    *,
    progress: Any,
) -> Outcome:
    """A worker's side of a cell. ``source``: a registry key, or the file of a pickled Dataset."""
    entry = DataEntry(label, source if isinstance(source, str) else None, _load(source), budget)
    return run_cell(Cell(key, model, entry, seed, stand_in), progress, save_to)


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


def _write_plan(folder: Path, plan: Plan, before: dict[str, Any] | None) -> None:
    for entry in plan.datasets:
        schema = entry.dataset.schema
        place = folder / "datasets"
        write_atomically(place / f"{entry.label}.schema.json", schema.to_json().encode())
        rows = entry.dataset.complete("test")[:N_GALLERY]
        _write_arrays(place / f"{entry.label}.npz", {"rows": rows})
        if isinstance(entry.dataset, OwnDataset):
            entry.dataset.write_schema(folder)
    now: dict[str, Any] = {
        "format_version": PLAN_FORMAT,
        "profile": plan.profile,
        "seeds": plan.seeds,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "machine": machine(),
        "models": [_facts(entry) for entry in plan.models],
        "datasets": [_summary(entry) for entry in plan.datasets],
        "cells": _asked(plan.cells),
        "references": _asked(plan.references),
    }
    if before is not None and before["versions"]["genzoo"] == now["versions"]["genzoo"]:
        now = _union(before, now)
    _write_json(folder / "plan.json", now)


def _asked(cells: list[Cell]) -> list[dict[str, Any]]:
    return [
        {"key": c.key, "model": c.label, "dataset": c.data.label, "seed": c.seed} for c in cells
    ]


def _union(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The plan of both calls. Where a label's meaning changed, the cells of the old one go."""
    models, as_before = _joined(
        before["models"], now["models"], "label", ("family", "params", "code")
    )
    datasets, same_data = _joined(
        before["datasets"], now["datasets"], "name", ("fingerprint", "budget")
    )
    as_before.add(TRUTH)
    kept = [c for c in before["cells"] if c["model"] in as_before and c["dataset"] in same_data]
    found = {tuple(c[part] for part in CELL_PARTS): c for c in [*kept, *now["cells"]]}
    seeds = list(dict.fromkeys([*before["seeds"], *now["seeds"]]))
    order = ([*datasets], [TRUTH, *models], [None, *seeds])
    cells = sorted(
        found.values(),
        key=lambda c: [o.index(c[part]) for o, part in zip(order, CELL_PARTS, strict=True)],
    )
    in_use = {part: {cell[part] for cell in cells} for part in CELL_PARTS}
    references = {
        (c["dataset"], c["model"]): c
        for c in [*before["references"], *now["references"]]
        if c["dataset"] in in_use["dataset"]
    }
    keys = {cell["key"] for cell in cells}
    whole = [p for p in (before, now) if {c["key"] for c in p["cells"]} == keys]
    return {
        **now,
        "profile": next((p["profile"] for p in whole if p["profile"]), None),
        "started": before["started"] if kept else now["started"],
        "seeds": [seed for seed in seeds if seed in in_use["seed"]],
        "models": [entry for label, entry in models.items() if label in in_use["model"]],
        "datasets": [entry for name, entry in datasets.items() if name in in_use["dataset"]],
        "cells": cells,
        "references": sorted(references.values(), key=lambda c: order[0].index(c["dataset"])),
    }


def _joined(
    before: list[dict[str, Any]], now: list[dict[str, Any]], label: str, meaning: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """The entries by label, and the labels that still mean what they meant before."""
    old, new = ({entry[label]: entry for entry in entries} for entries in (before, now))
    same = {
        name
        for name, entry in old.items()
        if all(new.get(name, entry)[part] == entry[part] for part in meaning)
    }
    return {**old, **new}, same


def _facts(entry: ModelEntry) -> dict[str, Any]:
    cls = type(entry.model)
    code = own_code(cls)
    defaults = inspect.signature(cls).parameters
    return {
        "label": entry.label,
        "family": entry.family,
        "key": key_of(cls),
        "params": entry.params,
        "changed": {k: v for k, v in entry.params.items() if v != plain(defaults[k].default)},
        "code": None if code is None else sha256(code.encode()),
    }


def _summary(entry: DataEntry) -> dict[str, Any]:
    dataset, schema = entry.dataset, entry.dataset.schema
    entropy = None if dataset.truth is None else dataset.truth.entropy()
    return {
        "name": entry.label,
        "key": entry.registry_key,
        "layout": schema.layout,
        "event_shape": list(schema.event_shape),
        "D": schema.D,
        "cards": {
            "min": int(schema.cards.min()),
            "median": float(np.median(schema.cards)),
            "max": int(schema.cards.max()),
        },
        "end": schema.end,
        "n_train": len(dataset.train),
        "n_valid": len(dataset.valid),
        "n_test": len(dataset.test),
        "clamped": dataset.clamped,
        "has_text": dataset.text is not None,
        "file": _file_facts(dataset) if isinstance(dataset, OwnDataset) else None,
        "source": dataset.source,
        "licence": dataset.licence,
        "fingerprint": dataset.fingerprint,
        "budget": str(entry.budget),
        "entropy": None if entropy is None else {"value": entropy.value, "stderr": entropy.stderr},
        "marginals": marginals(dataset.train, schema.cards) if schema.layout == "table" else None,
    }


def _file_facts(dataset: OwnDataset) -> dict[str, Any]:
    """Where a user's own data lie, how they were read, and what the reader must know."""
    return {
        "path": dataset.path,
        "options": dataset.options,
        "schema": dataset.schema_file,
        "remarks": list(dataset.remarks),
    }
