"""Carrying out what a schema file says of the columns, and the way back from samples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.datasets.own.columns import HOLE_MARKS, UNITS, Column

if TYPE_CHECKING:
    import pandas as pd

    from genzoo.space.schema import Schema

NANOSECONDS = dict(
    zip(UNITS, (86_400 * 10**9, 3_600 * 10**9, 60 * 10**9, 10**9, 10**6, 10**3), strict=True)
)
PLAIN_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def treat(columns: Sequence[Column], frame: pd.DataFrame) -> pd.DataFrame:
    """The columns in use as numbers and categories, holes as NaN.

    Raises:
        ValueError: naming the column, for a value that its treatment doesn't know.
    """
    import pandas as pd

    lacking = [c.name for c in columns if c.is_used and c.name not in frame.columns]
    known = {c.name for c in columns}
    unknown = [str(c) for c in frame.columns if c not in known]
    if lacking or unknown:
        raise ValueError(
            "columns: expected those of the file that the model was fitted to"
            + _those("absent:", lacking)
            + _those("unknown:", unknown)
        )
    return pd.DataFrame({c.name: _treated(c, frame[c.name]) for c in columns if c.is_used})


def _those(what: str, names: list[str]) -> str:
    return f"; {what} {', '.join(map(repr, names[:5]))}" if names else ""


def as_fitted(schema: Schema, frame: pd.DataFrame) -> pd.DataFrame:
    """Entries that are text as values of the schema of a model that was fitted to a DataFrame.

    Raises:
        ValueError: naming the column, for text where the schema has numbers.
    """
    import pandas as pd

    columns = {}
    for name in frame.columns:
        values = frame[name]
        variable = next((v for v in schema.variables if str(v.name) == name), None)
        if variable is not None and values.dtype == object:
            values = values.where(~values.isin(HOLE_MARKS), None)
            if variable.is_numeric or variable.categories is None:
                present = values[values.notna()]
                numbers = parse_numbers(Column(name, "number"), present)
                values = numbers.astype("float64").reindex(values.index)
            else:
                meant = {str(c): c for c in variable.categories}
                values = values.map(lambda v, meant=meant: meant.get(v, v), na_action="ignore")
        columns[name if variable is None else variable.name] = values
    return pd.DataFrame(columns)


def _treated(column: Column, values: pd.Series) -> pd.Series:
    import pandas as pd

    present = values[~column.holes_in(values)]
    whole = "int64" if len(present) == len(values) else "Int64"
    if column.treat == "date":
        counts = _count(column, parse_dates(column, present))
        return counts.reindex(values.index).astype(whole)
    if column.treat == "number":
        numbers = parse_numbers(column, present)
        if numbers.dtype == object:
            raise ValueError(
                f"column {column.name!r}: expected integers below 2**53 in size, which float64 "
                f'tells apart (an identifier? give it "treat": "nominal" or "leave out")'
            )
        if column.whole and numbers.dtype.kind in "iu":
            return numbers.astype("Int64").reindex(values.index).astype(whole)
        return numbers.astype("float64").reindex(values.index)
    categories = list(column.categories or ())
    of = pd.CategoricalDtype(categories, ordered=column.treat == "ordinal")
    if present.empty:
        return pd.Series(pd.Categorical([None] * len(values), dtype=of), index=values.index)
    given = values.astype(object).where(values.index.isin(present.index), None)
    known = given.isin(categories)
    if not known[present.index].all():
        if column.other is None:
            value = given[present.index][~known[present.index]].iloc[0]
            shown = ", ".join(map(repr, categories[:6])) + ", ..." * (len(categories) > 6)
            raise ValueError(
                f"column {column.name!r}: expected one of {shown}; got {value!r} (a "
                f'schema file may list it, or name a category as "other" for such values)'
            )
        given = given.where(known | given.isna(), column.other)
    return pd.Series(pd.Categorical(given, dtype=of), index=values.index, name=column.name)


def plain_number(column: Column, text: str) -> str:
    """A number as Python reads it, if it is written as the column says."""
    text = text.removeprefix(column.prefix).removesuffix(column.suffix).strip()
    if column.thousands:
        text = text.replace(column.thousands, "")
    return text.replace(",", ".") if column.decimal == "," else text


def parses(column: Column, text: str) -> bool:
    return PLAIN_NUMBER.fullmatch(plain_number(column, text)) is not None


def parse_numbers(column: Column, present: pd.Series) -> pd.Series:
    """int64 or float64; object where integers are too large."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(present.dtype):
        return present.astype("int64")
    if pd.api.types.is_numeric_dtype(present.dtype):
        return present
    texts = present.astype(str)
    if column.decimal == "," or column.thousands or column.prefix or column.suffix:
        texts = texts.map(lambda text: plain_number(column, text))
    bad = ~texts.map(lambda text: PLAIN_NUMBER.fullmatch(text) is not None).astype(bool)
    if bad.any():
        raise ValueError(
            f"column {column.name!r}: expected numbers; got {present[bad].iloc[0]!r} (a schema "
            f'file may list it under "holes")'
        )
    if not texts.map(str.isdigit).all() and not texts.str.fullmatch(r"[+-]?\d+").all():
        return texts.map(float).astype("float64")
    try:
        return texts.map(int).astype("int64")
    except OverflowError:
        return texts.map(int).astype(object)


def dates_as(texts: pd.Series, form: str) -> pd.Series:
    import pandas as pd

    found = pd.to_datetime(texts, format=form, errors="coerce", utc="%z" in form or None)
    return found.dt.tz_localize(None) if found.dt.tz is not None else found


def parse_dates(column: Column, present: pd.Series) -> pd.Series:
    """Dates without time zone: those with one are in UTC."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(present.dtype):
        if present.dt.tz is not None:
            present = present.dt.tz_convert("UTC").dt.tz_localize(None)
        return present
    if column.format is None:
        raise ValueError(
            f'column {column.name!r}: expected a "format" for dates that are text, as for strptime '
            f'("%d.%m.%Y")'
        )
    found = dates_as(present.astype(str), column.format)
    if found.isna().any():
        raise ValueError(
            f"column {column.name!r}: expected dates as {column.format}; got "
            f"{present[found.isna()].iloc[0]!r}"
        )
    return found


def _unit(dates: pd.Series) -> str:
    """The largest unit of which all are multiples, counted from the first."""
    if len(dates) == 0:
        return "day"
    midnight = (dates == dates.dt.normalize()).all()
    if midnight and dates.nunique() > 2 and (dates.dt.day == 1).all():
        return "month"
    since = (dates - dates.dt.normalize()).astype("timedelta64[ns]").astype("int64")
    return next((u for u in UNITS if (since % NANOSECONDS[u] == 0).all()), UNITS[-1])


def _count(column: Column, dates: pd.Series) -> pd.Series:
    """Whole units since the first date."""
    import pandas as pd

    if len(dates) == 0:
        return pd.Series([], index=dates.index, dtype="Int64")
    first = _first(column)
    if column.unit == "month":
        months = 12 * (dates.dt.year - first.year) + dates.dt.month - first.month
        return months.astype("Int64")
    origin, step, start = _grid(column, first)
    since = (dates - origin).astype("timedelta64[ns]").astype("int64")
    return (since // step - start).astype("Int64")


def _grid(column: Column, first: pd.Timestamp) -> tuple[pd.Timestamp, int, int]:
    """The midnight before the first date, the unit in nanoseconds, and the first date in units."""
    origin, step = first.normalize(), NANOSECONDS[column.unit or "day"]
    return origin, step, (first - origin).value // step


def numbers_of(column: Column, values: pd.Series) -> np.ndarray:
    """(n,) a column of dates or numbers without holes, to sort by: finer than its unit."""
    if column.treat == "date":
        return parse_dates(column, values).astype("datetime64[ns]").astype("int64").to_numpy()
    return parse_numbers(column, values).to_numpy(dtype=np.float64)


def _first(column: Column) -> pd.Timestamp:
    import pandas as pd

    try:
        return pd.Timestamp(column.first)
    except ValueError:
        raise ValueError(
            f"column {column.name!r}: first: expected a date; got {column.first!r}"
        ) from None


def untreat(columns: Sequence[Column], frame: pd.DataFrame) -> pd.DataFrame:
    """Treated columns as the file writes them: dates as dates, decimal commas as such."""
    import pandas as pd

    written = {}
    for column in columns:
        if column.name not in frame.columns:
            continue
        values = frame[column.name]
        if column.treat == "date" and column.first is not None:
            values = _as_written(column, values)
        elif column.treat == "number" and (column.decimal == "," or column.prefix or column.suffix):
            values = values.map(partial(_number_as_written, column), na_action="ignore")
        written[column.name] = values
    return pd.DataFrame({name: written[name] for name in frame.columns if name in written})


def _number_as_written(column: Column, value: Any) -> str:
    text = str(value).replace(".", column.decimal)
    return f"{column.prefix}{text}{column.suffix}"


def _as_written(column: Column, counts: pd.Series) -> pd.Series:
    import pandas as pd

    first = _first(column)
    hole = counts.isna()
    units = counts[~hole].round().astype("int64")
    if column.unit == "month":
        months = first.year * 12 + first.month - 1 + units
        dates = pd.to_datetime(
            pd.DataFrame({"year": months // 12, "month": months % 12 + 1, "day": first.day})
        )
    else:
        origin, step, start = _grid(column, first)
        dates = origin + pd.to_timedelta((units + start) * step, unit="ns")
    if column.format is None:
        return dates.reindex(counts.index)
    if "%z" in column.format:
        dates = dates.dt.tz_localize("UTC")
    return dates.dt.strftime(column.format).reindex(counts.index)


# -------------------------------------------------------------------------------- completing


def finished(column: Column, values: pd.Series) -> Column:
    """The column with what is to be read off the values: categories, units, whole numbers."""
    present = values[~column.holes_in(values)]
    if column.treat == "nominal" and column.categories is None:
        seen = sorted(set(present.tolist()), key=lambda v: (type(v).__name__, v))
        column = replace(column, categories=tuple(seen))
    if column.treat == "number" and column.whole is None:
        parsed = parse_numbers(column, present)
        column = replace(column, whole=parsed.dtype.kind in "iu")
    if column.treat == "date" and (column.unit is None or column.first is None):
        dates = parse_dates(column, present)
        unit = column.unit or _unit(dates)
        first = dates.min() if column.first is None else _first(column)
        column = replace(column, unit=unit, first=str(first) if len(dates) else None)
        start = first.strftime(column.format) if column.format and len(dates) else str(first)
        zoned = getattr(values.dtype, "tz", None) is not None or "%z" in (column.format or "")
        since = f"counted in {unit}s from {start}{', all in UTC' if zoned else ''}"
        column = replace(column, remarks=(*column.remarks, since))
    if len(present) == len(values) and present.nunique() == 1:
        constant = "constant: kept, costs nothing"
        column = replace(column, remarks=(*column.remarks, constant))
    return column


def fit_schema(columns: Sequence[Column], frame: pd.DataFrame, where: str) -> list[Column]:
    """Columns of the schema file ``where``, in the order of the data, completed by what these hold.

    Why a column was left out when the file was written need not hold of these data: the file itself
    is the reason.

    Raises:
        ValueError: where the two don't fit.
    """
    named = {c.name: c for c in columns}
    strange = [c.name for c in columns if c.name not in frame.columns]
    absent = [str(c) for c in frame.columns if c not in named]
    if strange or absent:
        raise ValueError(
            "schema: expected the columns of the file"
            + _those("the file has no", strange)
            + _those("the schema lacks", absent)
        )
    found = []
    for name in frame.columns:
        column = named[str(name)]
        if column.is_used:
            column = finished(column, frame[name])
            _treated(column, frame[name])  # does it fit?
        else:
            column = replace(column, reason=f"{where} says so")
        found.append(column)
    return found
