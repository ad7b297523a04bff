"""Dtypes of columns by name, as schemas keep them.

Most names are those of pandas and NumPy. Beside them: ``"datetime.date"`` and ``"datetime.time"``
for objects of these; ``"category"`` of plain values, and ``"category[...]"`` of values that a
schema keeps as text (intervals, dates); Arrow's types with parameters, which pandas prints and
does not read.
"""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

OBJECTS = {"datetime.date": datetime.date, "datetime.time": datetime.time}
"""Values that pandas keeps as objects, by the name that stands for their dtype."""
ARROW = "[pyarrow]"
_CATEGORY = re.compile(r"category\[(.+)\]")
_DECIMAL = re.compile(r"decimal(32|64|128|256)\((\d+), (-?\d+)\)")
_DICTIONARY = re.compile(r"dictionary<values=(\w+), indices=(\w+), ordered=([01])>")
_INTERVAL = re.compile(r"([\[(])(.+), (.+)([\])])")


def named(name: str) -> Any:
    """The dtype of a name: NumPy's, or an extension of pandas.

    Raises:
        TypeError: for a name that stands for none.
        ImportError: where the library behind it is not installed.

    >>> named("Int8"), named("decimal128(7, 2)[pyarrow]")
    (Int8Dtype(), decimal128(7, 2)[pyarrow])
    """
    if name in OBJECTS:
        return np.dtype(object)
    if name != "str" and not name.endswith("]"):  # of pandas, and what it reads
        with contextlib.suppress(TypeError):
            return np.dtype(name)
    import pandas as pd

    if (of := _CATEGORY.fullmatch(name)) is not None:
        named(of[1])
        return pd.CategoricalDtype()
    if name.endswith(ARROW) and (found := _arrow(name.removesuffix(ARROW))) is not None:
        return pd.ArrowDtype(found)
    return pd.api.types.pandas_dtype(name)


def _arrow(name: str) -> Any | None:
    """The Arrow types that pandas does not read by their names, or reads as others."""
    import pyarrow as pa

    if name == "string":  # pandas has a dtype of its own of this name
        return pa.string()
    if (found := _DECIMAL.fullmatch(name)) is not None:
        return getattr(pa, f"decimal{found[1]}")(int(found[2]), int(found[3]))
    if (found := _DICTIONARY.fullmatch(name)) is not None:
        values, index = pa.type_for_alias(found[1]), pa.type_for_alias(found[2])
        return pa.dictionary(index, values, ordered=found[3] == "1")
    return None


def of_categories(values: Any) -> str:
    """The name for categories (a pandas Index): ``"category"`` where they are plain values.

    >>> import pandas as pd
    >>> of_categories(pd.cut([1, 2], 2).categories), of_categories(pd.Index(["a"]))
    ('category[interval[float64, right]]', 'category')
    """
    types = {type(value) for value in values}
    for name, python in OBJECTS.items():
        if types == {python}:
            return f"category[{name}]"
    dated = values.dtype.kind in "mM" or str(values.dtype).startswith(("interval", "period"))
    return f"category[{values.dtype}]" if dated else "category"


def dictionary(dtype: Any, codes: np.ndarray, values: Sequence[Any]) -> Any:
    """Codes (n,) of values, -1 for a hole, as an array of an Arrow dictionary dtype."""
    import pandas as pd
    import pyarrow as pa

    of = dtype.pyarrow_dtype
    index = pa.array(np.maximum(codes, 0), type=of.index_type, mask=codes < 0)
    found = pa.array(values, type=of.value_type)
    made = pa.DictionaryArray.from_arrays(index, found, ordered=of.ordered)
    return pd.arrays.ArrowExtensionArray(made)


def as_text(name: str | None) -> bool:
    """Whether a column's categories are kept as text, as ``text_of`` writes them."""
    return name is not None and name.startswith(("category[", "interval"))


def text_of(value: Any) -> str:
    """A category as text: dates in ISO form, intervals by their ends.

    >>> import pandas as pd
    >>> text_of(pd.Interval(0.5, 2)), text_of(datetime.date(2024, 5, 1))
    ('(0.5, 2]', '2024-05-01')
    """
    return str(value)


def values_of(name: str, texts: Sequence[str]) -> Any:
    """An Index of what ``text_of`` wrote, for a dtype of which ``as_text`` says so.

    >>> values_of("category[interval[int64, right]]", ["(0, 2]"]).tolist()
    [Interval(0, 2, closed='right')]
    """
    import pandas as pd

    of = _CATEGORY.fullmatch(name)
    inner = of[1] if of else name
    if inner in OBJECTS:
        python: Any = OBJECTS[inner]
        return pd.Index([python.fromisoformat(text) for text in texts], dtype=object)
    dtype = named(inner)
    if isinstance(dtype, pd.IntervalDtype):
        parts = [_INTERVAL.fullmatch(text) for text in texts]
        ends = [_ends(dtype.subtype, [part[i] for part in parts if part]) for i in (2, 3)]
        return pd.IntervalIndex.from_arrays(*ends, closed=dtype.closed, dtype=dtype)
    return _ends(dtype, texts)


def _ends(dtype: Any, texts: Sequence[str]) -> Any:
    import pandas as pd

    if dtype.kind == "M":
        zone = getattr(dtype, "tz", None)
        dates = pd.to_datetime(list(texts), format="ISO8601", utc=zone is not None)
        return (dates.tz_convert(zone) if zone is not None else dates).astype(dtype)
    if dtype.kind == "m":
        return pd.to_timedelta(list(texts)).astype(dtype)
    if isinstance(dtype, pd.PeriodDtype):
        return pd.PeriodIndex(texts, dtype=dtype)
    return pd.Index([float(text) for text in texts]).astype(dtype)
