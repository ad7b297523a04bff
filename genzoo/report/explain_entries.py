"""Rows in words or pictures: entries with their names, some of them marked."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from genzoo.report import png
from genzoo.report.figures import code_labels
from genzoo.report.samples import cells_of
from genzoo.space.schema import Schema

MOST_VALUES = 10  # of a row of a table
LONGEST = 96  # positions of a sequence
VISIBLE = {"\n": "↵", "\t": "⇥"}


@dataclass(frozen=True)
class Part:
    """A piece of a row, and whether it is marked."""

    text: str
    marked: bool = False


def names_of(schema: Schema, starts: np.ndarray) -> list[str]:
    """``age``, or ``age to income`` of a block; ``position 3``, ``line 2, column 7``."""
    stops = np.append(starts[1:], schema.D)
    names = [str(name) for name in schema.names]
    if schema.layout == "sequence" and len(schema.event_shape) == 1:
        names = [f"position {d + 1}" for d in range(schema.D)]
    elif schema.layout == "image" and len(schema.event_shape) == 2:
        W = schema.event_shape[1]
        names = [f"line {d // W + 1}, column {d % W + 1}" for d in range(schema.D)]
    return [
        names[a] if b == a + 1 else f"{names[a]} to {names[b - 1]}"
        for a, b in zip(starts.tolist(), stops.tolist(), strict=True)
    ]


def image(schema: Schema, rows: np.ndarray, columns: int) -> str:
    if schema.layout != "image":
        return ""
    return png.sheet(rows, schema.event_shape, schema.cards, columns)


def entries(schema: Schema, row: np.ndarray) -> list[str]:
    """What each entry of a row stands for."""
    if schema.layout == "table":
        return cells_of(schema, row[None])[0]
    if schema.layout == "image":
        return [str(code) for code in row.tolist()]
    labels = (
        "END" if code == schema.end else code_labels(variable)[code]
        for variable, code in zip(schema.variables, row.tolist(), strict=True)
    )
    return [VISIBLE.get(label, label) for label in labels]


def parts_of(schema: Schema, texts: list[str], marked: np.ndarray, row: np.ndarray) -> list[Part]:
    """A row in words: of a table the first columns and those that are marked."""
    if schema.layout == "table":
        shown = [d for d in range(schema.D) if marked[d]][:MOST_VALUES]
        shown = sorted({*shown, *range(min(schema.D, MOST_VALUES - len(shown) // 2))})
        parts = [Part(f"{schema.names[d]} {texts[d]}", bool(marked[d])) for d in shown]
        more = schema.D - len(shown)
        return [*parts, Part(f"and {more} more")] if more else parts
    reached = schema.reached(row[None])[0] & ((row != schema.end) | marked)
    shown = np.flatnonzero(reached)[:LONGEST].tolist()
    runs = groupby(shown, key=lambda d: bool(marked[d]))
    return [Part("".join(texts[d] for d in run), is_marked) for is_marked, run in runs]
