"""What a call of ``compare`` takes over from earlier ones into the same folder, in sentences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from genzoo.benchmark.entries import TRUTH, Cell
from genzoo.benchmark.plan_file import CELL_PARTS, Facts, differences, touched
from genzoo.benchmark.results import Run

Touch = tuple[str, str, str]  # of what, its label, the fact that changed

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


def to_be_saved(cells: Sequence[Cell]) -> list[str]:
    """How many cells have an answer and no saved model, and are run anew for that alone."""
    return [f"run anew, to be saved: {_cells(len(cells))}"] if cells else []


def replaced(earlier: Run, now: Facts, present: Facts, merged: Facts) -> list[str]:
    """Which cells that had an answer are run anew or replaced by folds, which leave the plan, and
    why.

    Args:
        earlier: the run of before.
        now: the plan of this call.
        present: ``plan_file.at_present`` of both.
        merged: ``plan_file.union`` of both.
    """
    changed = differences(earlier.plan, present)
    versions = _versions(earlier.plan["versions"], now["versions"])
    asked = {_parts(cell): cell["key"] for cell in now["cells"]}
    named = {_without_fold(cell) for cell in now["cells"]}
    folds = {entry["name"]: entry["folds"] for entry in now["datasets"]}
    stays = {cell["key"] for cell in merged["cells"]}
    answered = {r["key"]: r for r in earlier.records() if r["status"] in ("ok", "unsupported")}
    again: dict[frozenset[Touch], list[Facts]] = {}
    gone: dict[frozenset[Touch], list[Facts]] = {}
    refolded: dict[tuple[int | None, frozenset[Touch]], list[Facts]] = {}
    mixed = 0
    for cell in earlier.plan["cells"]:
        why = frozenset(touched(cell, changed))
        of_folds = ("data", cell["dataset"], "folds")
        if _without_fold(cell) not in named:
            if cell["key"] not in stays:
                gone.setdefault(why, []).append(cell)
        elif cell["key"] not in answered:
            continue
        elif of_folds in why:
            place = folds[cell["dataset"]], why - {of_folds}
            refolded.setdefault(place, []).append(cell)
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
    for (k, whys), cells in refolded.items():
        beside = f" ({_since(whys, versions)} changed too)" if whys else ""
        by = "one split" if k is None else f"{k} folds"
        lines.append(f"replaced by {by}: {_which(cells)}{beside}")
    return lines + [
        f"left out: {_which(cells)}, since {_since(whys, versions)} changed{_to_have(cells, now)}"
        for whys, cells in _alike(gone)
    ]


def _parts(cell: Facts) -> tuple[Any, ...]:
    return tuple(cell[part] for part in CELL_PARTS)


def _without_fold(cell: Facts) -> tuple[Any, ...]:
    """What a call names: the folds of a data set come all together."""
    return tuple(cell[part] for part in CELL_PARTS if part != "fold")


def _which(cells: Sequence[Facts]) -> str:
    """``2 cells of vae on iris``."""
    models, datasets = (listing(cell[part] for cell in cells) for part in ("model", "dataset"))
    return f"{_cells(len(cells))} of {models} on {datasets}"


def _to_have(cells: Sequence[Facts], now: Facts) -> str:
    """What a call must name, and this one did not, to have these cells run: nothing brings back the
    truth of data that have none now."""
    known = {
        "model": [TRUTH, *(entry["label"] for entry in now["models"])],
        "dataset": [entry["name"] for entry in now["datasets"]],
        "seed": [None, *now["seeds"]],
    }
    missing = [
        f"seed {cell[part]}" if part == "seed" else cell[part]
        for part, named in known.items()
        for cell in cells
        if cell[part] not in named
    ]
    them = "it" if len(cells) == 1 else "them"
    return f": to have {them} run, name {listing(missing)} too" if missing else ""


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
