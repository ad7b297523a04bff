"""What a call of ``compare`` takes over from earlier ones into the same folder, in sentences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from genzoo.benchmark.entries import Cell
from genzoo.benchmark.plan_file import CELL_PARTS, Facts, differences, touched
from genzoo.benchmark.results import Run

Touch = tuple[str, str, str]  # of what, its label, the fact that changed

WORDS = {  # of what, fact: what changed
    ("run", "judge"): "the code that judges cells",
    ("data", "fingerprint"): "the rows of {}",
    ("data", "folds"): "the folds of {}",
    ("data", "target"): "the label of {}",
    ("data", "truth"): "the code of the truth of {}",
    ("data", "budget"): "the budget of {}",
    ("model", "family"): "the class of {}",
    ("model", "params"): "the parameters of {}",
    ("model", "code"): "the code of {}",
}


def reused(folder: Path, cells: Sequence[Cell]) -> list[str]:
    """How many cells are taken over, and of when."""
    days = set()
    for cell in cells:
        record = json.loads((folder / "cells" / f"{cell.key}.json").read_text(encoding="utf-8"))
        days.add(date.fromisoformat(record["finished"][:10]))
    if not days:
        return []
    first, last = (f"{day.day} {day:%B %Y}" for day in (min(days), max(days)))
    when = first if first == last else f"{first} to {last}"
    return [f"{_cells(len(cells))} of {when} {'is' if len(cells) == 1 else 'are'} reused"]


def replaced(earlier: Run, now: Facts, present: Facts, merged: Facts) -> list[str]:
    """Which cells that had an answer are run anew, and which leave the plan, and why.

    Args:
        earlier: the run of before.
        now: the plan of this call.
        present: ``plan_file.at_present`` of both.
        merged: ``plan_file.union`` of both.
    """
    changed = differences(earlier.plan, present)
    versions = _versions(earlier.plan["versions"], now["versions"])
    asked = {_parts(cell): cell["key"] for cell in now["cells"]}
    stays = {cell["key"] for cell in merged["cells"]}
    answered = {r["key"]: r for r in earlier.records() if r["status"] in ("ok", "unsupported")}
    again: dict[frozenset[Touch], list[Facts]] = {}
    gone: dict[frozenset[Touch], list[Facts]] = {}
    mixed = 0
    for cell in earlier.plan["cells"]:
        why = frozenset(touched(cell, changed))
        if _parts(cell) not in asked:
            if cell["key"] not in stays:
                gone.setdefault(why, []).append(cell)
        elif cell["key"] not in answered:
            continue
        elif cell["key"] != asked[_parts(cell)]:
            again.setdefault(why, []).append(cell)
        else:
            mixed += answered[cell["key"]]["code"] is None
    lines = [
        f"run anew, since {_since(whys, versions)} changed: {_cells(len(cells))}"
        for whys, cells in _alike(again)
    ]
    if mixed:
        lines.append(f"run anew, since their code changed while they ran: {_cells(mixed)}")
    return lines + [
        f"left out: {_cells(len(cells))} of {listing(c['model'] for c in cells)}, since "
        f"{_since(whys, versions)} changed: name them again to have them run"
        for whys, cells in _alike(gone)
    ]


def _parts(cell: Facts) -> tuple[Any, ...]:
    return tuple(cell[part] for part in CELL_PARTS)


def _alike(
    groups: dict[frozenset[Touch], list[Facts]],
) -> list[tuple[set[Touch], list[Facts]]]:
    """Groups of cells as one where the same kinds of facts changed, of whatever model or data."""
    found: dict[frozenset[tuple[str, str]], tuple[set[Touch], list[Facts]]] = {}
    for touches, cells in groups.items():
        kinds = frozenset((of, fact) for of, _, fact in touches)
        whys, together = found.setdefault(kinds, (set(), []))
        whys |= touches
        together += cells
    return list(found.values())


def _since(whys: Iterable[Touch], versions: str) -> str:
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


def _cells(count: int) -> str:
    return f"{count} cell" + ("" if count == 1 else "s")


def listing(names: Iterable[str]) -> str:
    """``a, b and c``: the different ones of these names."""
    different = list(dict.fromkeys(names))
    parts = (", ".join(different[:-1]), *different[-1:])
    return " and ".join(part for part in parts if part)
