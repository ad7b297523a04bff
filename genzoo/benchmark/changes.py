"""What a call of ``compare`` takes over from earlier ones into the same folder, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from genzoo.benchmark.merging import Touch, differences, place, touched
from genzoo.results.numbers import listing
from genzoo.results.plan import Asked, Plan
from genzoo.results.record import TRUTH, CellRecord

WORDS = {  # of what, fact: what changed
    ("run", "judge"): "the code that judges cells",
    ("data", "fingerprint"): "the rows, the split or the schema of {}",
    ("data", "rows"): "the rows of {}",
    ("data", "columns"): "the columns of {}",
    ("data", "split"): "the split of {}",
    ("data", "folds"): "the folds of {}",
    ("data", "target"): "the label of {}",
    ("data", "truth"): "the code of the truth of {}",
    ("data", "budget"): "the budget of {}",
    ("model", "family"): "the class of {}",
    ("model", "params"): "the parameters of {}",
    ("model", "code"): "the code of {}",
}


def reused(records: Sequence[CellRecord]) -> list[str]:
    """How many cells are taken over, and of when."""
    if not records:
        return []
    days = {date.fromisoformat((record.finished or "")[:10]) for record in records}
    first, last = (f"{day.day} {day:%B %Y}" for day in (min(days), max(days)))
    when = first if first == last else f"{first} to {last}"
    return [f"{_cells(records)} of {when} {'is' if len(records) == 1 else 'are'} reused"]


def for_more(what: str, cells: Sequence[Any]) -> list[str]:
    """How many cells have an answer, and are run anew for what a fit alone can give beside it."""
    return [f"run anew, {what}: {_cells(cells)}"] if cells else []


def replaced(
    before: Plan, records: Mapping[str, CellRecord], now: Plan, present: Plan, merged: Plan
) -> list[str]:
    """Which cells that had an answer are run anew or replaced by folds, which leave the plan, and
    why.

    Args:
        before: the plan of before.
        records: those of its cells that can be read, by key.
        now: the plan of this call.
        present: ``merging.at_present`` of both.
        merged: ``merging.union`` of both.
    """
    changed = differences(before, present)
    versions = _versions(before.versions, now.versions)
    asked = {place(cell): cell.key for cell in now.cells}
    named = {_without_fold(cell) for cell in now.cells}
    stays = {cell.key for cell in merged.cells}
    answered = {key for key, r in records.items() if r.status != "failed"}
    again: dict[frozenset[Touch], list[Asked]] = {}
    gone: dict[frozenset[Touch], list[Asked]] = {}
    refolded: dict[tuple[str, frozenset[Touch]], list[Asked]] = {}
    mixed = []
    for cell in before.cells:
        why = frozenset(touched(cell, changed))
        of_folds = ("data", cell.dataset, "folds")
        if _without_fold(cell) not in named:
            if cell.key not in stays:
                gone.setdefault(why, []).append(cell)
        elif cell.key not in answered:
            continue
        elif of_folds in why:
            by = _split_of(now, cell.dataset), why - {of_folds}
            refolded.setdefault(by, []).append(cell)
        elif cell.key != asked[place(cell)]:
            again.setdefault(why, []).append(cell)
        elif records[cell.key].code is None:
            mixed.append(cell)
    lines = [
        f"run anew, since {since(whys, versions)} changed: {_cells(cells)}"
        for whys, cells in _alike(again)
    ]
    if mixed:
        lines.append(f"run anew, since their code changed while they ran: {_cells(mixed)}")
    for (split, other), cells in refolded.items():
        beside = f" ({since(other, versions)} changed too)" if other else ""
        lines.append(f"replaced by {split}: {_which(cells)}{beside}")
    return lines + [
        f"left out: {_which(cells)}, since {since(whys, versions)} changed{_to_have(cells, now)}"
        for whys, cells in _alike(gone)
    ]


def _without_fold(cell: Asked) -> tuple[Any, ...]:
    """What a call names: the folds of a data set come all together."""
    return place(cell)[:-1]


def _split_of(plan: Plan, dataset: str) -> str:
    k = next(entry.folds for entry in plan.datasets if entry.name == dataset)
    return "one split" if k is None else f"{k} folds"


def _which(cells: Sequence[Asked]) -> str:
    """``2 cells of vae on iris``."""
    models, datasets = listing(c.model for c in cells), listing(c.dataset for c in cells)
    return f"{_cells(cells)} of {models} on {datasets}"


def _to_have(cells: Sequence[Asked], now: Plan) -> str:
    """What a call must name, and this one did not, to have these cells run: nothing brings back the
    truth of data that have none now."""
    models, datasets = {entry.label for entry in now.models}, {entry.name for entry in now.datasets}
    missing = [c.model for c in cells if c.model not in models | {TRUTH}]
    missing += [c.dataset for c in cells if c.dataset not in datasets]
    missing += [f"seed {c.seed}" for c in cells if c.seed not in (None, *now.seeds)]
    them = "it" if len(cells) == 1 else "them"
    return f": to have {them} run, name {listing(missing)} too" if missing else ""


def _alike(
    groups: dict[frozenset[Touch], list[Asked]],
) -> list[tuple[set[Touch], list[Asked]]]:
    """Groups of cells as one where the same kinds of facts changed, of whatever model or data."""
    found: dict[frozenset[tuple[str, str]], tuple[set[Touch], list[Asked]]] = {}
    for touches, cells in groups.items():
        kinds = frozenset((of, fact) for of, _, fact in touches)
        whys, together = found.setdefault(kinds, (set(), []))
        whys |= touches
        together += cells
    return list(found.values())


def since(whys: Iterable[Touch], versions: str = "the versions of libraries") -> str:
    """Everything that changed, as one subject."""
    labels: dict[tuple[str, str], list[str]] = {}
    for of, label, fact in sorted(whys, reverse=True):  # the run as a whole comes first
        labels.setdefault((of, fact), []).insert(0, label)
    words = {("run", "versions"): versions, **WORDS}
    return listing(words[kind].format(listing(names)) for kind, names in labels.items())


def _versions(before: dict[str, str], now: dict[str, str]) -> str:
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return listing(
        f"the version of {name} ({before.get(name)} to {now.get(name)})" for name in names
    )


def _cells(cells: Sequence[Any]) -> str:
    return f"{len(cells)} cell" + ("" if len(cells) == 1 else "s")
