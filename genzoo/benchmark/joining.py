"""Several runs' folders as one: what each has run of one comparison, joined in a new folder.

That is honest only where the cells could have come from one call of ``compare``: a data set of one
name has the same rows, split and budget in all of them, a model of one name the same class,
parameters and code, the code that judges cells is one, and no cell has two answers. Versions of
libraries and machines may differ: the joined plan names them all.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from pathlib import Path
from typing import Any

from genzoo.benchmark.changes import since
from genzoo.benchmark.merging import differences, place, union
from genzoo.datasets.own import SCHEMA_FILES
from genzoo.results.numbers import count
from genzoo.results.plan import Asked, Plan
from genzoo.results.record import CellRecord, read_record
from genzoo.results.run import record_file
from genzoo.store import replaced, write_json

MOST_NAMED = 3  # cells that a sentence names


@dataclass(frozen=True)
class Source:
    """A run to be joined: what it is called, its folder and its plan."""

    name: str
    folder: Path
    plan: Plan


def what_prevents(sources: Sequence[Source]) -> str | None:
    """Why the runs can't be joined, in words; None where they can."""
    for a, b in combinations(_in_one_world(sources), 2):
        changed = differences(a, _entries_of_both(a, b))
        if changed:
            whys = {(of, label, fact) for (of, label), facts in changed.items() for fact in facts}
            return f"they differ in {since(whys)}"
    twice = [cell for a, b in combinations(sources, 2) for cell in _answered_twice(a, b)]
    named = list(dict.fromkeys(f"{cell.model} on {cell.dataset}" for cell in twice))
    if not named:
        return None
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    of = f"{', '.join(named[:MOST_NAMED])}{more}"
    return f"{count(len(twice), 'cell')} {'was' if len(twice) == 1 else 'were'} run in both: {of}"


def joined(sources: Sequence[Source]) -> Plan:
    """The plan of all cells of runs that nothing prevents from being joined."""
    return reduce(lambda a, b: union(a, b, _entries_of_both(a, b)), _in_one_world(sources))


def write(sources: Sequence[Source], plan: Plan, target: Path) -> None:
    """The joined run's folder, with the schemas, rows and fitted models that the runs keep."""
    folders = [source.folder for source in sources]
    with replaced(target) as draft:
        for cell in (*plan.cells, *plan.references):
            _copy_cell(folders, cell.key, draft)
        for facts in plan.datasets:
            for kind in ("npz", "schema.json"):
                _copy_first(folders, f"datasets/{facts.name}.{kind}", draft)
        for name in {file.name for folder in folders for file in folder.glob(SCHEMA_FILES)}:
            _copy_first(folders, name, draft)
        write_json(draft / "plan.json", plan.to_json())


def _in_one_world(sources: Sequence[Source]) -> list[Plan]:
    """The plans, each with the versions and the machines of all."""

    def of_all(facts: str) -> dict[str, Any]:
        found = [getattr(source.plan, facts) for source in sources]
        return {
            name: _of_each([part.get(name) for part in found], [s.name for s in sources])
            for name in dict.fromkeys(name for part in found for name in part)
        }

    versions, machine = of_all("versions"), of_all("machine")
    return [replace(source.plan, versions=versions, machine=machine) for source in sources]


def _of_each(values: Sequence[Any], names: Sequence[str]) -> Any:
    """The value; where they differ, each with the runs that have it."""
    if all(value == values[0] for value in values):
        return values[0]
    return ", ".join(f"{value} ({name})" for value, name in zip(values, names, strict=True))


def _entries_of_both(a: Plan, b: Plan) -> Plan:
    """The later plan with the models and data sets of both, its own where both have one."""
    models = {entry.label: entry for entry in (*a.models, *b.models)}
    datasets = {entry.name: entry for entry in (*a.datasets, *b.datasets)}
    return replace(b, models=tuple(models.values()), datasets=tuple(datasets.values()))


def _answered_twice(a: Source, b: Source) -> Iterator[Asked]:
    """The cells of which two results would have to stand in one place."""
    there = {place(cell): cell for cell in a.plan.cells}
    for cell in b.plan.cells:
        other = there.get(place(cell))
        if other is None:
            continue
        found = [_record(source.folder, c.key) for source, c in ((a, other), (b, cell))]
        answers = [record for record in found if record is not None and record.is_answered]
        if other.key != cell.key or (len(answers) == 2 and answers[0] != answers[1]):
            yield cell


def _record(folder: Path, key: str) -> CellRecord | None:
    file = record_file(folder, key)
    return read_record(file) if file.is_file() else None


def _copy_cell(folders: Sequence[Path], key: str, target: Path) -> None:
    """The record of a cell, an answer before a failure, with its arrays and its model."""
    found = [(folder, record) for folder in folders for record in [_record(folder, key)] if record]
    if not found:
        return
    folder, _ = next((pair for pair in found if pair[1].is_answered), found[0])
    for name in (f"cells/{key}.json", f"cells/{key}.npz"):
        _copy_first([folder], name, target)
    if (folder / "models" / key).is_dir():
        shutil.copytree(folder / "models" / key, target / "models" / key)


def _copy_first(folders: Sequence[Path], name: str, target: Path) -> None:
    """A file of the first folder that has it."""
    file = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if file is not None:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / name)
