"""A column of any kind as one whose values have one type.

Objects are looked at one by one; Arrow's types and sparse ones become those of pandas.

* Numbers, ``Decimal`` and ``Fraction`` are numbers, with ``None``, NaN or ``pd.NA`` as holes; so is
  text beside numbers where each is one (7 and "7"), and truth beside numbers (True is 1).
* Text that is a date in ISO form, beside dates, is a date.
* ``UUID``, paths and bytes in UTF-8 are text.
* Text of its own stays text, whatever it looks like: ``"7"`` is a category.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import os
import re
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.space.variable import LARGEST_INTEGER

if TYPE_CHECKING:
    import pandas as pd

PLAIN_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
TOO_LARGE = (
    "{where}: expected integers below 2**53 in size, which float64 tells apart; got {got} (an "
    "identifier? pass it as text; a mark of missing values? make it NaN)"
)
_TIMES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
_AS_TEXT = (uuid.UUID, os.PathLike)
_NESTED = (list, tuple, dict, set, frozenset, np.ndarray)


def typed(column: pd.Series, where: str) -> pd.Series:
    """A column with a type; the same one where it has one already.

    Raises:
        ValueError: beginning with ``where``, for nested values, for bytes that are no text, and for
            dates beside other values.

    >>> import pandas as pd
    >>> typed(pd.Series([7, "7.5", None], dtype=object), "data").tolist()
    [7.0, 7.5, nan]
    """
    import pandas as pd

    if isinstance(column.dtype, pd.ArrowDtype):
        return _of_arrow(column, where)
    if isinstance(column.dtype, pd.SparseDtype):
        return column.sparse.to_dense()
    return _of_objects(column, where) if column.dtype == np.dtype(object) else column


def _of_arrow(column: pd.Series, where: str) -> pd.Series:
    import pandas as pd
    import pyarrow as pa

    arrow = column.dtype.pyarrow_dtype
    if pa.types.is_dictionary(arrow):
        found = pa.array(column)
        found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
        return pd.Series(found.to_pandas(), index=column.index, name=column.name)
    if pa.types.is_floating(arrow):
        # Arrow tells NaN from holes
        width = {"halffloat": "float16", "float": "float32"}.get(str(arrow), "float64")
        values = column.to_numpy(dtype=width, na_value=np.nan)
        return pd.Series(values, index=column.index, name=column.name)
    if pa.types.is_temporal(arrow) or pa.types.is_null(arrow) or pa.types.is_boolean(arrow):
        return column
    if pa.types.is_integer(arrow) or pa.types.is_string(arrow) or pa.types.is_large_string(arrow):
        return column
    values = pd.Series(pa.array(column).to_pylist(), dtype=object)
    return _of_objects(values.set_axis(column.index).rename(column.name), where)


def _of_objects(column: pd.Series, where: str) -> pd.Series:
    import pandas as pd

    hole = column.isna()
    present = column[~hole]
    # the kinds that need no look at each value
    kind = pd.api.types.infer_dtype(present, skipna=False)
    if kind in ("string", "empty"):
        return column
    if kind in ("period", "interval"):
        return _with_holes(pd.Series(pd.array(present.tolist())), hole, column)
    values = [_plain(value, where) for value in present.tolist()]
    types = {type(value) for value in values}
    if types <= {bool, int, float, str} and types & {int, float}:
        found = _as_numbers(values, where)
        if found is not None:
            full = _with_holes(found, hole, column)
            return full if hole.any() or full.dtype != "Int64" else full.astype("int64")
        if {v for v in values if isinstance(v, str)} & {
            str(v) for v in values if type(v) is not str
        }:
            values = [str(v) for v in values]  # 7 and "7" are not two categories
    if any(issubclass(t, _TIMES) for t in types):
        values = _as_times(values, types, where)
    return _with_holes(pd.Series(values, dtype=object), hole, column)


def _with_holes(values: pd.Series, hole: pd.Series, like: pd.Series) -> pd.Series:
    """Values at the places of a column that are no holes."""
    at = np.flatnonzero(~hole.to_numpy())
    full = values if len(at) == len(like) else values.set_axis(at).reindex(range(len(like)))
    return full.set_axis(like.index).rename(like.name)


def _plain(value: Any, where: str) -> Any:
    """A value as text, an int, a float, a bool, or as it is."""
    if type(value) in (str, int, float, bool):
        return value
    if isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)):
        value = value.item()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ValueError(
                f"{where}: expected text, numbers or dates; got bytes that are no text in UTF-8"
            ) from None
    if isinstance(value, _AS_TEXT):
        return str(value)
    if isinstance(value, (decimal.Decimal, fractions.Fraction)):
        number = float(value)
        return int(value) if number.is_integer() and value == int(value) else number
    if isinstance(value, _NESTED):
        raise ValueError(
            f"{where}: expected text, numbers or dates; got {type(value).__name__} (nested values: "
            f"give their parts columns of their own)"
        )
    return value


def _as_numbers(values: list[Any], where: str) -> pd.Series | None:
    """Integers or float64; None where some are text that is no number."""
    import pandas as pd

    if any(isinstance(v, str) and not PLAIN_NUMBER.fullmatch(v.strip()) for v in values):
        return None
    read = [number_in(v) if isinstance(v, str) else v for v in values]
    whole = all(isinstance(v, int) for v in read)
    try:
        return pd.Series(read, dtype="Int64" if whole else "float64")
    except OverflowError:
        large = max(read, key=abs)
        raise ValueError(TOO_LARGE.format(where=where, got=large)) from None


def are_names(present: pd.Series) -> bool:
    """Whether numbers without holes are integers most of which float64 can't tell apart: names
    rather than quantities.

    >>> import pandas as pd
    >>> are_names(pd.Series([10**17, 10**17 + 1])), are_names(pd.Series([3, 5]))
    (True, False)
    """
    import pandas as pd

    if not len(present) or not pd.api.types.is_integer_dtype(present.dtype):
        return False
    large = (present >= LARGEST_INTEGER) | (present <= -LARGEST_INTEGER)
    return bool(large.mean() > 0.5)


def number_in(text: str) -> int | float:
    """The number that a text matching ``PLAIN_NUMBER`` is.

    >>> number_in(" 7"), number_in("7.50")
    (7, 7.5)
    """
    try:
        return int(text)
    except ValueError:
        return float(text)


def _as_times(values: list[Any], types: set[type], where: str) -> list[Any]:
    """Dates, durations or times beside nothing else; text beside dates as dates."""
    others = {t for t in types if not issubclass(t, _TIMES)}
    if not others:
        return values
    if others == {str} and all(issubclass(t, (datetime.date, str)) for t in types):
        read = datetime.date if datetime.date in types else datetime.datetime
        try:
            return [read.fromisoformat(v) if isinstance(v, str) else v for v in values]
        except ValueError:
            pass
    shown = " and ".join(sorted(t.__name__ for t in types))
    raise ValueError(
        f"{where}: expected values of one kind; got {shown} side by side (pd.to_datetime(..., "
        f'errors="coerce") makes holes of what is no date)'
    )
