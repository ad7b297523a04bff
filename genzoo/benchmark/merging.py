"""A run's folder grows: the plans of several calls of ``compare`` as one.

The cells of earlier calls stay beside those of this one while everything that determines them is as
it was. Code is looked up anew for that; where it can't be (a class of one's own that this call did
not name) the cells stay, and ``asked`` tells of which call they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from genzoo.benchmark.code import judging_code, present_digest
from genzoo.datasets.own import Column
from genzoo.datasets.own.columns import from_json
from genzoo.results.plan import Asked, DatasetFacts, FileFacts, ModelFacts, Plan, TruthFacts
from genzoo.results.record import TRUTH

# what an entry's cells follow from; the label stands for all of it
OF_RUN = ("versions", "judge")
OF_MODEL = ("family", "params", "code")
OF_DATA = ("folds", "target", "truth", "budget")  # and the parts of what its fingerprint covers
SPLIT_BY = ("group", "time", "stratify", "label")  # of a file: the first that is given

Touch = tuple[str, str, str]  # of what, its label, the fact that changed
Changed = dict[tuple[str, str], set[str]]  # of what, its label: names of facts
HasCode = TypeVar("HasCode", ModelFacts, TruthFacts)


def place(cell: Asked) -> tuple[Any, ...]:
    """What a cell is of, whatever determines it."""
    return cell.dataset, cell.model, cell.seed, cell.fold


def at_present(before: Plan, now: Plan) -> Plan:
    """The earlier plan's run, models and data sets as they are now: as this call gives them, or
    with the code that is there at present."""
    models = {entry.label: with_present_code(entry) for entry in before.models}
    datasets = {
        entry.name: replace(entry, truth=entry.truth and with_present_code(entry.truth))
        for entry in before.datasets
    }
    models |= {entry.label: entry for entry in now.models}
    datasets |= {entry.name: entry for entry in now.datasets}
    return replace(now, models=tuple(models.values()), datasets=tuple(datasets.values()))


def with_present_code(facts: HasCode) -> HasCode:
    return replace(facts, code=present_digest(facts.modules) or facts.code)


def differences(before: Plan, present: Plan) -> Changed:
    """What changed since the earlier plan; ``present`` is what ``at_present`` gives. Of the run as
    a whole the label is ""."""
    models = {entry.label: entry for entry in present.models}
    datasets = {entry.name: entry for entry in present.datasets}
    found = {("run", ""): _unlike(before, present, OF_RUN)}
    for model in before.models:
        found["model", model.label] = _unlike(model, models[model.label], OF_MODEL)
    for data in before.datasets:
        now = datasets[data.name]
        found["data", data.name] = _unlike(data, now, OF_DATA) | _other_data(data, now)
    return {where: changed for where, changed in found.items() if changed}


def _unlike(a: Any, b: Any, facts: Iterable[str]) -> set[str]:
    return {fact for fact in facts if getattr(a, fact) != getattr(b, fact)}


def _other_data(before: DatasetFacts, now: DatasetFacts) -> set[str]:
    """Which part of what a fingerprint covers is another: the ``rows`` of a file, its ``columns``
    or its ``split``; ``fingerprint`` where that can't be told. Folds are another split themselves.
    """
    if before.fingerprint == now.fingerprint:
        return set()
    a, b, found = before.file, now.file, set()
    if a and b and None not in (a.content, b.content):
        if a.content != b.content:
            found.add("rows")
        elif _columns(a) != _columns(b):
            found.add("columns")
        if before.folds == now.folds and _rule(a) != _rule(b):
            found.add("split")
    is_said = before.folds != now.folds or before.target != now.target
    return found if found or is_said else {"fingerprint"}


def _columns(file: FileFacts) -> list[Column] | None:
    return None if file.schema is None else from_json(file.schema, file.path)


def _rule(file: FileFacts) -> tuple[str, str] | None:
    """What the rows of a file are split by, and the column."""
    return next(((by, file.options[by]) for by in SPLIT_BY if by in file.options), None)


def touched(cell: Asked, changed: Changed) -> list[Touch]:
    """Of all that changed, what a cell of the plan depends on."""
    places = [("run", ""), ("data", cell.dataset)]
    if cell.model != TRUTH:
        places.append(("model", cell.model))
    return [
        (of, label, fact)
        for of, label in places
        for fact in sorted(changed.get((of, label), ()))
        if cell.model != TRUTH or fact != "budget"
    ]


def union(before: Plan, now: Plan, present: Plan) -> Plan:
    """The plan of both calls; the cells go of which something changed that they depend on."""
    changed = differences(before, present)
    kept = [cell for cell in before.cells if not touched(cell, changed)]
    found = {place(cell): cell for cell in (*kept, *now.cells)}
    seeds = list(dict.fromkeys([*before.seeds, *now.seeds]))
    labels, names = [m.label for m in present.models], [d.name for d in present.datasets]
    folds = sorted({cell.fold for cell in found.values() if cell.fold is not None})
    order: Sequence[list[Any]] = (names, [TRUTH, *labels], [None, *seeds], [None, *folds])
    cells = sorted(
        found.values(),
        key=lambda c: [known.index(part) for known, part in zip(order, place(c), strict=True)],
    )
    of_data, of_model, in_seeds, _ = (set(parts) for parts in zip(*map(place, cells), strict=True))
    datasets = [entry for entry in present.datasets if entry.name in of_data]
    keys = {cell.key for cell in cells}
    whole = [p for p in (before, now) if {cell.key for cell in p.cells} == keys]
    return replace(
        now,
        profile=next((p.profile for p in whole if p.profile), None),
        started=before.started if kept else now.started,
        seeds=tuple(seed for seed in seeds if seed in in_seeds),
        models=tuple(entry for entry in present.models if entry.label in of_model),
        datasets=tuple(datasets),
        cells=tuple(cells),
        references=_references(before, now, datasets),
    )


def _references(before: Plan, now: Plan, datasets: Sequence[DatasetFacts]) -> tuple[Asked, ...]:
    """Those of both calls, of the folds that cells of a data set may be of."""
    names = [entry.name for entry in datasets]
    turns = {e.name: [None] if e.folds is None else range(e.folds) for e in datasets}
    found = {
        place(cell): cell
        for cell in (*before.references, *now.references)
        if cell.fold in turns.get(cell.dataset, ())
    }
    return tuple(sorted(found.values(), key=lambda cell: names.index(cell.dataset)))


def old_code(plan: Plan) -> list[str]:
    """What of a plan has other code at present than its cells were run with, as far as that can be
    told: labels of models, and in words what judges cells and the truths of data sets."""
    found = [entry.label for entry in plan.models if with_present_code(entry) != entry]
    found += [
        f"the truth of {entry.name}"
        for entry in plan.datasets
        if entry.truth and with_present_code(entry.truth) != entry.truth
    ]
    return found + ["what judges cells"] * (plan.judge != judging_code().digest)
