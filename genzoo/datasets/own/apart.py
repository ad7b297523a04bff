"""Remarks on numbers and dates of a file that stand apart from the rest of their column, and how to
declare them holes: fill values of other programs (``genzoo/space/outliers.py``)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from genzoo.datasets.own import numbers
from genzoo.datasets.own.columns import Column
from genzoo.datasets.own.dates import dates_as, parse_dates
from genzoo.datasets.own.texts import Distinct, array_of
from genzoo.space import outliers

if TYPE_CHECKING:
    import pandas as pd

MOST_WRITINGS = 5  # of one value, such as -9999 and -9999.0


def remarked(column: Column, values: pd.Series, found: Distinct | None) -> Column:
    """The column with a remark where some of its numbers or dates stand apart.

    Args:
        values: (n,) of a typed column.
        found: its texts, of a column of text; else None.
    """
    if column.treat not in ("number", "date"):
        return column
    writings, counts, counted = (
        _of_values(column, values) if found is None else _of_texts(column, found)
    )
    if len(counts) == 0:
        return column
    unique, of = np.unique(counted, return_inverse=True)
    rows = np.bincount(of, counts).astype(np.int64)
    is_date = column.treat == "date"
    apart = outliers.apart(
        unique, rows, quantity="date" if is_date else "number", unit="day" if is_date else None
    )
    if not apart:
        return column
    places = np.searchsorted(unique, [value for value, _ in apart])
    each = [[writings[i] for i in np.flatnonzero(of == p)[:MOST_WRITINGS]] for p in places]
    rest = np.delete(np.arange(len(unique)), places)
    ends = [writings[int(np.flatnonzero(of == p)[0])] for p in (rest[0], rest[-1])]
    said = ", ".join(f"{w[0]} (entries: {a.rows})" for w, a in zip(each, apart, strict=True))
    verb = "stands" if len(apart) == 1 else "stand"
    holes = json.dumps([text for texts in each for text in texts], ensure_ascii=False)
    remark = (
        f"{said} {verb} apart from all others ({ends[0]} .. {ends[1]}); where that marks missing "
        f'values give "holes": {holes} in a schema file'
    )
    return replace(column, remarks=(*column.remarks, remark))


def _of_texts(column: Column, found: Distinct) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The texts that are no holes, how often each occurs, and what it counts."""
    import pyarrow.compute as pc

    holes = pc.is_in(found.texts, value_set=array_of(list(column.holes)))
    found = found.only(~holes.to_numpy(zero_copy_only=False))
    if column.treat == "date":
        counted = _days(dates_as(found.texts, column.format or ""))
    else:
        counted = numbers.values_of(numbers.plain(column, found.texts)).astype(float)
    return found.texts.to_pylist(), found.counts, counted


def _of_values(column: Column, values: pd.Series) -> tuple[list[str], np.ndarray, np.ndarray]:
    """As ``_of_texts``, of a typed column."""
    counts = values[~column.holes_in(values)].value_counts()
    different = counts.index.to_series()
    if column.treat == "date":
        dates = parse_dates(column, different)
        return [str(v) for v in different], counts.to_numpy(), _days(dates.to_numpy())
    counted = different.to_numpy(dtype=np.float64)
    texts = [
        repr(int(v)) if v.is_integer() and abs(v) < 1e15 else repr(v) for v in counted.tolist()
    ]
    return texts, counts.to_numpy(), counted


def _days(dates: np.ndarray) -> np.ndarray:
    return dates.astype("datetime64[D]").astype(np.float64)
