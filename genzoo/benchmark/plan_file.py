"""``plan.json``: what was asked of a run's folder, by one call of ``compare`` after the other.

A folder's run grows: the cells of earlier calls stay beside those of this one while everything
that determines them is as it was. Code is looked up anew for that; where it can't be (a class of
one's own that this call did not name) the cells stay, and ``asked`` tells of which call they are.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from genzoo.benchmark.cell import marginals
from genzoo.benchmark.code import Code, judging_code, present_digest
from genzoo.benchmark.entries import TRUTH, Cell, DataEntry, ModelEntry
from genzoo.benchmark.machine import machine
from genzoo.benchmark.plan import Plan, plain, truth_code
from genzoo.benchmark.results import PLAN_FORMAT
from genzoo.datasets.dataset import Dataset
from genzoo.datasets.own import Column, OwnDataset
from genzoo.datasets.own.columns import from_json
from genzoo.model import registered_key
from genzoo.store import versions

CELL_PARTS = ("dataset", "model", "seed", "fold")
# what an entry's cells follow from; the label stands for all of it
OF_RUN = ("versions", "judge")
OF_MODEL = ("family", "params", "code")
OF_DATA = ("folds", "target", "truth", "budget")  # and the parts of what its fingerprint covers
SPLIT_BY = ("group", "time", "stratify", "label")  # of a file: the first that is given

Facts = dict[str, Any]


def as_json(plan: Plan) -> Facts:
    """The plan of one call."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "format_version": PLAN_FORMAT,
        "profile": plan.profile,
        "seeds": plan.seeds,
        "started": now,
        "versions": versions(),
        "machine": machine(),
        "judge": plan.judge.digest,
        "models": [_model_facts(entry) | {"asked": now} for entry in plan.models],
        "datasets": [_data_facts(entry) for entry in plan.datasets if not entry.fold],
        "cells": _asked(plan.cells),
        "references": _asked(plan.references),
    }


def _asked(cells: list[Cell]) -> list[Facts]:
    return [
        {
            "key": c.key,
            "model": c.label,
            "dataset": c.data.label,
            "seed": c.seed,
            "fold": c.data.fold,
        }
        for c in cells
    ]


def _code_facts(code: Code) -> Facts:
    return {"code": code.digest, "modules": None if code.modules is None else [*code.modules]}


def _model_facts(entry: ModelEntry) -> Facts:
    cls = type(entry.model)
    defaults = inspect.signature(cls).parameters
    return {
        "label": entry.label,
        "family": entry.family,
        "key": registered_key(cls),
        "params": entry.params,
        "changed": {k: v for k, v in entry.params.items() if v != plain(defaults[k].default)},
        **_code_facts(entry.code),
    }


def _data_facts(entry: DataEntry) -> Facts:
    """What a reader must know of a data set; of its first fold, where there are several."""
    dataset, schema = entry.dataset, entry.dataset.schema
    entropy = None if dataset.truth is None else dataset.truth.entropy()
    truth = truth_code(dataset)
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
        "units": _units(dataset),
        "folds": entry.folds,
        "foldable": isinstance(dataset, OwnDataset) and "time" not in dataset.options,
        "file": _file_facts(dataset) if isinstance(dataset, OwnDataset) else None,
        "source": dataset.source,
        "licence": dataset.licence,
        "fingerprint": dataset.fingerprint,
        "target": dataset.label,
        "truth": None if truth is None else _code_facts(truth),
        "budget": str(entry.budget),
        "entropy": None if entropy is None else {"value": entropy.value, "stderr": entropy.stderr},
        "marginals": marginals(dataset.train, schema.cards) if schema.layout == "table" else None,
    }


def _units(dataset: Dataset) -> Facts | None:
    """What errors are taken over, where rows are not independent."""
    if dataset.groups is None:
        return None
    what = "groups" if dataset.block is None else "blocks"
    n_valid, n_test = (len(np.unique(dataset.groups[part])) for part in ("valid", "test"))
    return {"what": what, "n_valid": n_valid, "n_test": n_test, "block": dataset.block}


def _file_facts(dataset: OwnDataset) -> Facts:
    """Where a user's own data lie, how they were read, and what the reader must know."""
    return {
        "path": dataset.path,
        "options": dataset.options,
        "schema": dataset.schema_file,
        "content": dataset.content,
        "remarks": list(dataset.remarks),
    }


# -------------------------------------------------------------------- several calls


def at_present(before: Facts, now: Facts) -> Facts:
    """The earlier plan's run, models and data sets as they are now: as this call gives them, or
    with the code that is there at present."""
    models = {entry["label"]: _with_present_code(entry) for entry in before["models"]}
    datasets = {
        entry["name"]: entry | {"truth": entry["truth"] and _with_present_code(entry["truth"])}
        for entry in before["datasets"]
    }
    models |= {entry["label"]: entry for entry in now["models"]}
    datasets |= {entry["name"]: entry for entry in now["datasets"]}
    return now | {"models": [*models.values()], "datasets": [*datasets.values()]}


def _with_present_code(facts: Facts) -> Facts:
    return facts | {"code": present_digest(facts["modules"]) or facts["code"]}


def differences(before: Facts, present: Facts) -> dict[tuple[str, str], set[str]]:
    """What changed since the earlier plan: {(of what, its label): names of facts}.

    ``present`` is what ``at_present`` gives. Of the run as a whole the label is "".
    """
    found = {("run", ""): {part for part in OF_RUN if before[part] != present[part]}}
    for of, part, label, facts in (
        ("model", "models", "label", OF_MODEL),
        ("data", "datasets", "name", OF_DATA),
    ):
        entries = {entry[label]: entry for entry in present[part]}
        for entry in before[part]:
            other = entries[entry[label]]
            found[of, entry[label]] = {fact for fact in facts if entry[fact] != other[fact]}
            if of == "data":
                found[of, entry[label]] |= _other_data(entry, other)
    return {where: changed for where, changed in found.items() if changed}


def _other_data(before: Facts, now: Facts) -> set[str]:
    """Which part of what a fingerprint covers is another: the ``rows`` of a file, its ``columns``
    or its ``split``; ``fingerprint`` where that can't be told. Folds are another split themselves.
    """
    if before["fingerprint"] == now["fingerprint"]:
        return set()
    files = [entry["file"] or {} for entry in (before, now)]
    is_said = any(before[fact] != now[fact] for fact in ("folds", "target"))
    found = set()
    if all("content" in file for file in files):
        if files[0]["content"] != files[1]["content"]:
            found.add("rows")
        elif _columns(files[0]) != _columns(files[1]):
            found.add("columns")
        if before["folds"] == now["folds"] and _rule(files[0]) != _rule(files[1]):
            found.add("split")
    return found if found or is_said else {"fingerprint"}


def _columns(file: Facts) -> list[Column] | None:
    return None if file["schema"] is None else from_json(file["schema"], file["path"])


def _rule(file: Facts) -> tuple[str, str] | None:
    """What the rows of a file are split by, and the column."""
    return next(((by, file["options"][by]) for by in SPLIT_BY if by in file["options"]), None)


def touched(cell: Facts, changed: dict[tuple[str, str], set[str]]) -> list[tuple[str, str, str]]:
    """Of all that changed, what a cell of the plan depends on: (of what, label, name of fact)."""
    places = [("run", ""), ("data", cell["dataset"])]
    if cell["model"] != TRUTH:
        places.append(("model", cell["model"]))
    return [
        (of, label, fact)
        for of, label in places
        for fact in sorted(changed.get((of, label), ()))
        if cell["model"] != TRUTH or fact != "budget"
    ]


def union(before: Facts, now: Facts, present: Facts) -> Facts:
    """The plan of both calls; the cells go of which something changed that they depend on."""
    changed = differences(before, present)
    kept = [cell for cell in before["cells"] if not touched(cell, changed)]
    found = {tuple(c[part] for part in CELL_PARTS): c for c in [*kept, *now["cells"]]}
    seeds = list(dict.fromkeys([*before["seeds"], *now["seeds"]]))
    models, datasets = (
        {entry[label]: entry for entry in present[part]}
        for part, label in (("models", "label"), ("datasets", "name"))
    )
    folds = sorted({c["fold"] for c in found.values() if c["fold"] is not None})
    order: Sequence[list[Any]] = ([*datasets], [TRUTH, *models], [None, *seeds], [None, *folds])
    cells = sorted(
        found.values(),
        key=lambda c: [o.index(c[part]) for o, part in zip(order, CELL_PARTS, strict=True)],
    )
    in_use = {part: {cell[part] for cell in cells} for part in CELL_PARTS}
    references = {
        (c["dataset"], c["model"], c["fold"]): c
        for c in [*before["references"], *now["references"]]
        if c["dataset"] in in_use["dataset"] and c["fold"] in _turns(datasets[c["dataset"]])
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


def _turns(dataset: Facts) -> Sequence[int | None]:
    """The folds that cells of a data set may be of, as the plan has it now."""
    return [None] if dataset["folds"] is None else range(dataset["folds"])


def code_changed(plan: Facts) -> list[str]:
    """What of a plan has other code at present than its cells were run with, as far as that can be
    told: labels of models, and in words what judges cells and the truths of data sets."""
    truths = [entry for entry in plan["datasets"] if entry["truth"]]
    found = [entry["label"] for entry in plan["models"] if _is_old(entry)]
    found += [f"the truth of {entry['name']}" for entry in truths if _is_old(entry["truth"])]
    return found + ["what judges cells"] * (plan["judge"] != judging_code().digest)


def _is_old(facts: Facts) -> bool:
    return _with_present_code(facts)["code"] != facts["code"]
