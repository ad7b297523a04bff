"""Remarks on numbers and dates of a file that stand apart from the rest of their column, and how to
declare them holes: fill values of other programs (``genzoo/space/outliers.py``)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from genzoo.datasets.own import numbers
from genzoo.datasets.own.columns import Column
from genzoo.datasets.own.dates import dates_as, parse_dates
from genzoo.datasets.own.texts import Distinct, array_of
from genzoo.space import outliers

if TYPE_CHECKING:
    import pandas as pd

MOST_WRITINGS = 5  # of one value, such as -9999 and -9999.0


class Counted(NamedTuple):
    """The different entries of a column (u,): how the i-th is written, how often it occurs, and
    what it counts."""

    written: Callable[[int], str]
    counts: np.ndarray
    counted: np.ndarray


def remarked(column: Column, values: pd.Series, found: Distinct | None) -> Column:
    """The column with a remark where some of its numbers or dates stand apart.

    Args:
        values: (n,) of a typed column.
        found: its texts, of a column of text; else None.
    """
    if column.treat not in ("number", "date"):
        return column
    written, counts, counted = (
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
    each = [[written(i) for i in np.flatnonzero(of == p)[:MOST_WRITINGS]] for p in places]
    rest = np.delete(np.arange(len(unique)), places)
    ends = [written(np.flatnonzero(of == p)[0]) for p in (rest[0], rest[-1])]
    said = ", ".join(f"{w[0]} (entries: {a.rows})" for w, a in zip(each, apart, strict=True))
    verb = "stands" if len(apart) == 1 else "stand"
    holes = json.dumps([text for texts in each for text in texts], ensure_ascii=False)
    remark = (
        f"{said} {verb} apart from all others ({ends[0]} .. {ends[1]}); where that marks missing "
        f'values give "holes": {holes} in a schema file'
    )
    return replace(column, remarks=(*column.remarks, remark))


def all_apart(values: np.ndarray, counts: np.ndarray, chosen: np.ndarray) -> bool:
    """Whether the chosen ones (u,) of some numbers (u,), each seen so often, all stand apart."""
    unique, of = np.unique(values.astype(float), return_inverse=True)
    rows = np.bincount(of, counts).astype(np.int64)
    apart = [value for value, _ in outliers.apart(unique, rows)]
    return bool(np.isin(values[chosen].astype(float), apart).all())


def _of_texts(column: Column, found: Distinct) -> Counted:
    """The texts that are no holes."""
    import pyarrow.compute as pc

    holes = pc.is_in(found.texts, value_set=array_of(list(column.holes)))
    found = found.only(~holes.to_numpy(zero_copy_only=False))
    if column.treat == "date":
        counted = _days(dates_as(found.texts, column.format or ""))
    else:
        counted = numbers.values_of(numbers.plain(column, found.texts)).astype(float)
    return Counted(lambda i: found.texts[int(i)].as_py(), found.counts, counted)


def _of_values(column: Column, values: pd.Series) -> Counted:
    """As ``_of_texts``, of a typed column."""
    counts = values[~column.holes_in(values)].value_counts()
    different = counts.index.to_series()
    if column.treat == "date":
        dates = parse_dates(column, different)
        return Counted(lambda i: str(different.iloc[i]), counts.to_numpy(), _days(dates.to_numpy()))
    counted = different.to_numpy(dtype=np.float64)
    return Counted(lambda i: _plainly(float(counted[i])), counts.to_numpy(), counted)


def _plainly(number: float) -> str:
    return repr(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _days(dates: np.ndarray) -> np.ndarray:
    return dates.astype("datetime64[D]").astype(np.float64)
