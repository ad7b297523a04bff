"""Each cell of a run, opened: what it was given, what it gave, how it went, how to run it again."""

from __future__ import annotations

from typing import Protocol

from genzoo.results.ranking import Entry


class Keyed(Protocol):
    """A cell, or its record: what has the key of one."""

    @property
    def key(self) -> str: ...


def cell_id(cell: Keyed) -> str:
    """The id on the page of what is said of a cell: where ``href="#..."`` leads to."""
    return f"cell-{cell.key}"


def cell_of(entry: Entry) -> str:
    """The id of the cell that an entry's number is from, or that failed, of several folds the first
    one's; empty where none was run."""
    return cell_id(entry.cells[0].record) if entry.cells else ""
