"""Carrying out what a schema file says of the columns, and the way back from samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from genzoo.datasets.own.columns import CLOCK, HOLE_MARKS, Column
from genzoo.datasets.own.dates import parse_dates, write_dates
from genzoo.datasets.own.lengths import parse_lengths, write_lengths
from genzoo.datasets.own.numbers import is_plain, parse_numbers, write_numbers
from genzoo.space import times
from genzoo.space.column import LARGEST_INTEGER
from genzoo.spelling import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from genzoo.space.schema import Schema

ENDS = (-LARGEST_INTEGER, LARGEST_INTEGER)


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
            + (did_you_mean(unknown[0], lacking) if unknown else "")
        )
    return pd.DataFrame({c.name: _treated(c, frame[c.name]) for c in columns if c.is_used})


def _those(what: str, names: list[str]) -> str:
    return f"; {what} {', '.join(map(repr, names[:5]))}" if names else ""


def as_fitted(schema: Schema, frame: pd.DataFrame) -> pd.DataFrame:
    """Entries that are text as values of the schema of a model that was fitted to a DataFrame;
    dates and times in ISO form.

    Raises:
        ValueError: naming the column, for text where the schema has numbers.
    """
    import pandas as pd

    columns = {}
    for name in frame.columns:
        values = frame[name]
        variable = next((v for v in schema.variables if str(v.name) == name), None)
        if variable is not None and (values.dtype == object or str(values.dtype) == "str"):
            values = values.astype(object).where(~values.isin(HOLE_MARKS), None)
            if variable.quantity == "number" and (
                variable.is_numeric or variable.categories is None
            ):
                present = values[values.notna()]
                numbers = parse_numbers(Column(name, "number"), present)
                values = numbers.astype("float64").reindex(values.index)
            elif variable.categories is not None:
                meant = {str(c): c for c in variable.categories}
                values = values.map(lambda v, meant=meant: meant.get(v, v), na_action="ignore")
        columns[name if variable is None else variable.name] = values
    return pd.DataFrame(columns)


def as_plain(values: pd.Series) -> pd.Series:
    """A column as its treatment reads it: integers that float64 can't tell apart, and numbers
    among texts, are text."""
    import pandas as pd

    if pd.api.types.is_integer_dtype(values.dtype):
        # of the least number of 64 bits abs is negative
        if len(values) and not values.dropna().between(*ENDS, inclusive="neither").all():
            return values.astype(object).map(str, na_action="ignore")
        return values
    if values.dtype != object:
        return values
    kind = pd.api.types.infer_dtype(values, skipna=True)
    large = kind == "integer" and any(abs(v) >= LARGEST_INTEGER for v in values.dropna())
    mixed = kind in ("mixed-integer", "mixed") and all(
        isinstance(v, (str, int, float)) and not isinstance(v, bool) for v in values.dropna()
    )
    return values.map(str, na_action="ignore") if large or mixed else values


def _treated(column: Column, values: pd.Series) -> pd.Series:

    values = as_plain(values)
    hole = column.holes_in(values)
    present = values[~hole]
    if column.treat in CLOCK:
        return _on_clock(column, present).reindex(values.index)
    if column.treat == "number":
        numbers = parse_numbers(column, present)
        if numbers.dtype == object:
            raise ValueError(
                f"column {column.name!r}: expected integers below 2**53 in size, which float64 "
                f'tells apart (an identifier? give it "treat": "nominal" or "leave out")'
            )
        if column.whole and numbers.dtype.kind in "iu":
            whole = "int64" if len(present) == len(values) else "Int64"
            return numbers.astype("Int64").reindex(values.index).astype(whole)
        return numbers.astype("float64").reindex(values.index)
    return _categories(column, values, hole)


def _on_clock(column: Column, present: pd.Series) -> pd.Series:
    """Dates as datetime64[us], durations as timedelta64[us], times of day as Arrow's; all rounded
    down to the column's unit, where it has one."""
    import pandas as pd

    kind = times.kind_of(present)
    if kind is not None and kind.quantity != column.treat:
        raise ValueError(
            f"column {column.name!r}: treat: expected {kind.quantity!r}, which its values are; got "
            f"{column.treat!r}"
        )
    if column.treat == "date":
        found = parse_dates(column, present)
    elif kind is not None and kind.quantity == "time":
        micros = times.read(present, f"column {column.name!r}")[1].micros
        found = pd.Series(micros.astype("timedelta64[us]"), index=present.index)
    else:
        found = parse_lengths(column, present)
    if column.unit is not None and len(found):
        found = _rounded_down(found, column.unit)
    if column.treat == "time":
        return found.astype("timedelta64[us]").astype("int64").astype(_clock())
    return found


def _clock() -> pd.ArrowDtype:
    import pandas as pd
    import pyarrow as pa

    return pd.ArrowDtype(pa.time64("us"))


def _rounded_down(found: pd.Series, unit: str) -> pd.Series:
    """Dates or durations in whole units."""
    import pandas as pd

    if unit == "month":
        values = found.to_numpy().astype("datetime64[M]").astype("datetime64[us]")
        return pd.Series(values, index=found.index)
    step = times.STEPS[unit]  # type: ignore[index]
    micros = found.to_numpy().astype(np.int64)
    return pd.Series((micros - micros % step).astype(found.dtype), index=found.index)


def _categories(column: Column, values: pd.Series, hole: pd.Series) -> pd.Series:
    import pandas as pd

    categories = list(column.categories or ())
    of = pd.CategoricalDtype(categories, ordered=column.treat == "ordinal")
    if hole.all():
        return pd.Series(pd.Categorical([None] * len(values), dtype=of), index=values.index)
    codes, unique = pd.factorize(values.astype(object).where(~hole, None))
    place = {value: i for i, value in enumerate(categories)}
    known = np.array([place.get(value, -1) for value in unique.tolist()], dtype=np.int64)
    if (known < 0).any():
        if column.other is None:
            value = unique[int(np.argmax(known < 0))]
            shown = ", ".join(map(repr, categories[:6])) + ", ..." * (len(categories) > 6)
            raise ValueError(
                f"column {column.name!r}: expected one of {shown}; got {value!r} (a "
                f'schema file may list it, or name a category as "other" for such values)'
                f"{did_you_mean(value, categories)}"
            )
        known[known < 0] = place[column.other]
    found = np.append(known, -1)[codes]
    return pd.Series(pd.Categorical.from_codes(found, dtype=of), index=values.index)


def numbers_of(column: Column, values: pd.Series) -> np.ndarray:
    """(n,) a column of numbers, dates, times or durations without holes, to sort by."""
    if column.treat == "number":
        return parse_numbers(column, as_plain(values)).to_numpy(dtype=np.float64)
    found = _on_clock(replace(column, unit=None), as_plain(values))
    if column.treat == "time":
        return found.astype("int64[pyarrow]").to_numpy(dtype=np.int64)
    return found.to_numpy().astype(np.int64)


# -------------------------------------------------------------------------------- the way back


def untreat(columns: Sequence[Column], frame: pd.DataFrame) -> pd.DataFrame:
    """Treated columns as the file writes them: dates as dates, decimal commas as such."""
    import pandas as pd

    written = {
        column.name: _as_written(column, frame[column.name])
        for column in columns
        if column.name in frame.columns
    }
    return pd.DataFrame({name: written[name] for name in frame.columns if name in written})


def _as_written(column: Column, values: pd.Series) -> pd.Series:
    import pandas as pd

    if column.treat == "date":
        return write_dates(column, values)
    if column.treat in CLOCK and column.format is not None:
        if column.treat == "time":
            present = values.dropna()
            micros = times.read(present, f"column {column.name!r}")[1].micros
            lengths = pd.Series(micros.astype("timedelta64[us]"), index=present.index)
            values = lengths.reindex(values.index)
        return write_lengths(column, values)
    if column.treat == "number" and not is_plain(column):
        return write_numbers(column, values)
    return values


# -------------------------------------------------------------------------------- completing


def finished(column: Column, values: pd.Series) -> Column:
    """The column with what is to be read off the values: categories, whole numbers."""
    if not column.is_used:
        return column
    present = values[~column.holes_in(values)]
    if column.treat == "nominal" and column.categories is None:
        seen = sorted(present.unique().tolist(), key=lambda v: (type(v).__name__, v))
        column = replace(column, categories=tuple(seen))
    if column.treat == "number" and column.whole is None:
        column = replace(column, whole=parse_numbers(column, present).dtype.kind in "iu")
    ends = len(present) == len(values) and len(values) and values.iloc[0] == values.iloc[-1]
    if ends and present.nunique() == 1:
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
            + (did_you_mean(strange[0], absent) if strange else "")
        )
    found = []
    for name in frame.columns:
        column = named[str(name)]
        if column.is_used:
            column = finished(column, as_plain(frame[name]))
            _treated(column, frame[name])  # does it fit?
        else:
            column = replace(column, reason=f"{where} says so")
        found.append(column)
    return found
