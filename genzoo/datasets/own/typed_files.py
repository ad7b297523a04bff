"""Reading tables whose values have types: ``.jsonl`` (``.ndjson``, ``.json``) and ``.parquet``.

A column of either comes out as that of a CSV would, as far as its types say no more: text is read
alike in every form of file, and integers that float64 can't tell apart are text. Objects inside
objects become columns ``outer.inner``; a column of lists, or of bytes that are no text, holds
``Nested`` values, which cost that column and no other.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.space.column import LARGEST_INTEGER
from genzoo.space.typed import typed

if TYPE_CHECKING:
    import pandas as pd

LARGEST_ID = 1e20  # beyond, whole floats are measurements
FEW_CATEGORIES = 50  # of a dictionary without an order; with more it is a way to store text
UNNAMED = "index"  # what an index without a name is called, as pandas does


@dataclass(frozen=True)
class Nested:
    """A value that is no text, number or date, as text; it can be hashed, as columns must be."""

    text: str


# -------------------------------------------------------------------------------- JSON


def of_jsonl(path: Path, text: str, remarks: list[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One JSON object a line, or one list of objects, as a table; with ``remarks`` and what else is
    to be said.

    Raises:
        ValueError: naming the path and the line, for what is no JSON object.
    """
    import pandas as pd

    twice: list[str] = []
    columns, inner, absent = _columns(path, _records(path, text, twice))
    if not columns:
        raise ValueError(f"file: expected objects with keys; {path} has none")
    if twice:
        shown = ", ".join(map(repr, dict.fromkeys(twice)))
        what = "keys given twice in one object, the last one counts"
        remarks = [*remarks, f"{what}: {shown} ({len(twice)} times)"]
    if absent:
        remarks = [*remarks, f"keys that objects lack are holes: {absent}"]
    frame = pd.DataFrame({name: _of_values(values) for name, values in columns.items()})
    return frame, (*remarks, *_inner(inner))


def _columns(
    path: Path, records: Iterable[dict[str, Any]]
) -> tuple[dict[str, list[Any]], list[str], int]:
    """The values of each key (n,), None where an object lacks it; the keys that come from objects
    inside objects; how often one was lacking."""
    columns: dict[str, list[Any]] = {}
    seen, inner, n = Counter[str](), dict[str, None](), 0
    for n, record in enumerate(records, 1):
        for key, value in _flat(record):
            column = columns.setdefault(key, [])
            if len(column) == n:
                raise ValueError(f"file: {path}: object {n} has {key!r} twice, flat and nested")
            column += [None] * (n - 1 - len(column))
            column.append(value)
            seen[key] += 1
            if key not in record:
                inner[key] = None
    for name, column in list(columns.items()):
        if inner and set(column) == {None} and any(key.startswith(f"{name}.") for key in inner):
            del columns[name]  # null, where others have an object
            continue
        column += [None] * (n - len(column))
    return columns, list(inner), sum(n - seen[key] for key in columns)


def _records(path: Path, text: str, twice: list[str]) -> Iterator[dict[str, Any]]:
    """The objects of a text; keys that one of them has twice are added to ``twice``."""
    read = partial(json.loads, object_pairs_hook=partial(_object, twice))
    if text.lstrip().startswith("["):
        yield from _listed(path, text, read)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"file: {path}, line {number}"
        try:
            record = read(line)
        except ValueError as error:
            if number == 1:
                _check_whole(path, text)
            raise ValueError(f"{where}: expected one JSON object a line: {error}") from None
        if not isinstance(record, dict):
            raise ValueError(f"{where}: expected a JSON object; got {type(record).__name__}")
        if number == 1 and not text[len(line) :].strip():
            _check_single(path, record)
        yield record


def _listed(path: Path, text: str, read: Any) -> Iterator[dict[str, Any]]:
    try:
        records = read(text)
    except ValueError as error:
        raise ValueError(f"file: {path}: expected a list of JSON objects: {error}") from None
    for i, record in enumerate(records):
        if not isinstance(record, dict):
            raise ValueError(
                f"file: {path}, entry {i + 1}: expected a JSON object; got {type(record).__name__}"
            )
        yield record


def _check_whole(path: Path, text: str) -> None:
    """What a text without an object in its first line is, if it is one object over many lines."""
    try:
        record = json.loads(text)
    except ValueError:
        return
    if isinstance(record, dict):
        _check_single(path, record)
        raise ValueError(f"file: {path}: expected objects, a row each; got one object")


def _check_single(path: Path, record: dict[str, Any]) -> None:
    """A file of one object: is it one that holds the rows?"""
    for key, value in record.items():
        if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            raise ValueError(
                f"file: {path}: expected one JSON object a line, or a list of objects; got one "
                f"object with such a list under {key!r}: write that list alone"
            )
    if record and all(isinstance(value, (dict, list)) for value in record.values()):
        raise ValueError(
            f"file: {path}: expected one JSON object a line; got one object with a column under "
            f'each key (in pandas: to_json(..., orient="records", lines=True))'
        )


def _object(twice: list[str], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        twice += [key for key in record if keys.count(key) > 1]
    return record


def _flat(record: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Keys and values, those of inner objects with the outer key and a dot before them."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        elif isinstance(value, list):
            yield before + key, Nested(json.dumps(value))
        else:
            yield before + key, value


def _inner(names: list[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
    return [f"objects inside objects are columns of their own: {shown} ({len(names)})"]


def _of_values(values: list[Any]) -> pd.Series:
    """Text, numbers, booleans and None as a column: numbers with holes stay whole where they are,
    and what lies beside text is text, as in a CSV."""
    import pandas as pd

    values = [_cleaned(value) for value in values]
    present = [value for value in values if value is not None]
    kinds = {type(value) for value in present}
    if Nested not in kinds and str in kinds and len(kinds) > 1:
        return pd.Series([v if v is None else _as_text(v) for v in values], dtype=object)
    if kinds == {int} and any(abs(v) >= LARGEST_INTEGER for v in present):
        return pd.Series([v if v is None else str(v) for v in values], dtype=object)
    if kinds == {bool} and len(present) == len(values):
        return pd.Series(values, dtype=bool)
    if kinds and kinds <= {int, float}:
        if float in kinds:
            return _of_floats(np.array([np.nan if v is None else float(v) for v in values]))
        return pd.Series(values, dtype="int64" if len(present) == len(values) else "Int64")
    column = pd.Series(values, dtype=object)
    return typed(column, "file") if kinds <= {int, float, bool} and len(kinds) > 1 else column


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip() or None
    return None if isinstance(value, float) and math.isnan(value) else value


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _of_floats(values: np.ndarray) -> pd.Series:
    """float64 with NaN for holes; whole numbers and identifiers that holes made floats of as such.

    pandas has no integers beside holes: a file that it wrote has floats there.
    """
    import pandas as pd

    present = values[~np.isnan(values)]
    whole = len(present) > 0 and np.isfinite(present).all() and (present == np.rint(present)).all()
    large = np.abs(present) >= LARGEST_INTEGER
    if whole and large.mean() > 0.5 and np.abs(present).max() < LARGEST_ID:
        return pd.Series([None if np.isnan(v) else str(int(v)) for v in values], dtype=object)
    if whole and len(present) < len(values) and not large.any():
        return pd.Series(values).astype("Int64")
    return pd.Series(values)


# -------------------------------------------------------------------------------- parquet


def of_parquet(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A ``.parquet`` file as a table, with what is to be said of it. An index that has a name, or
    is of no plain row numbers, is a column.

    Raises:
        ValueError: naming the path, for what can't be read.
        OSError: as the system says.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.array(pd.PeriodIndex([], freq="D"))  # pandas' own types are known to Arrow from now on
    try:
        # as a file: a folder's name may say that it is a part of a table
        table = pq.ParquetFile(path, coerce_int96_timestamp_unit="us").read()
    except OSError:
        raise
    except Exception as error:  # pyarrow's own errors derive from ValueError and others
        raise ValueError(f"file: {path} is no .parquet file that can be read: {error}") from None
    table, remarks = _indexed(table)
    inner = []
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
        inner = [name for name in table.column_names if "." in name]
    names = table.column_names
    if len(set(names)) < len(names):
        raise ValueError(f"file: {path}: expected different names of columns")
    if table.num_rows == 0 or not names:
        raise ValueError(f"file: expected rows and columns; {path} has {table.shape}")
    frame = pd.DataFrame({name: _of_arrow(table[name]) for name in names})
    return frame, (*remarks, *_inner(inner))


def _indexed(table: Any) -> tuple[Any, list[str]]:
    """The table with the index that pandas wrote as its first columns."""
    import pyarrow as pa

    told = table.schema.pandas_metadata or {}
    names = {entry.get("field_name"): entry.get("name") for entry in told.get("columns", ())}
    remarks = []
    name: Any
    for place, field in enumerate(told.get("index_columns", ())):
        if isinstance(field, dict):  # numbers, which are not stored
            if field.get("name") is None or field.get("kind") != "range":
                continue
            numbers = pa.array(range(field["start"], field["stop"], field["step"]))
            name, values = field["name"], pa.chunked_array([numbers])
        else:
            name, values = names.get(field), table[field]
            table = table.drop_columns([field])
            if name is None and pa.types.is_integer(values.type):
                remarks.append("row numbers (an index without a name) are not read")
                continue
        name = UNNAMED if name is None else str(name)
        if name in table.column_names:
            name = f"{name} ({UNNAMED})"
        table = table.add_column(place, name, values)
        remarks.append(f"the index is read as column {name!r}")
    return table, remarks


def _of_arrow(column: Any) -> pd.Series:
    """A chunked array as a column: what a CSV would say, in types where there are any."""
    import pandas as pd
    import pyarrow as pa

    of, is_ = column.type, pa.types
    if is_.is_integer(of):
        return _of_integers(column)
    if is_.is_floating(of):
        return _of_floats(_as_float64(column))
    if is_.is_decimal(of):
        return _of_decimals(column)
    if is_.is_timestamp(of) or is_.is_date(of):
        zone = "UTC" if getattr(of, "tz", None) else None
        return column.cast(pa.timestamp("us", zone), safe=False).to_pandas()
    if is_.is_duration(of):
        return column.cast(pa.duration("us"), safe=False).to_pandas()
    if is_.is_time(of):
        return pd.Series(column.cast(pa.time64("us"), safe=False).to_pylist(), dtype=object)
    if is_.is_dictionary(of):
        return _of_dictionary(column)
    if isinstance(of, pa.BaseExtensionType):
        return _of_extension(column)
    if is_.is_run_end_encoded(of):
        return _of_arrow(column.cast(of.value_type))
    values = column.to_pylist()
    if is_.is_boolean(of) or is_.is_null(of):
        return _of_values(values)
    if any(isinstance(value, bytes) for value in values):
        values = _decoded(values)
    if any(isinstance(value, (list, dict, tuple)) for value in values):
        values = [v if v is None else Nested(json.dumps(v, default=str)) for v in values]
    return _of_values(values)


def _of_integers(column: Any) -> pd.Series:
    import pandas as pd
    import pyarrow as pa

    hole = column.is_null().to_numpy()
    values = column.fill_null(0).to_numpy()
    if ((values >= LARGEST_INTEGER) | (values <= -LARGEST_INTEGER)).any():
        return pd.Series(column.cast(pa.string()).to_pylist(), dtype=object)
    values = values.astype(np.int64)
    return pd.Series(pd.arrays.IntegerArray(values, hole) if hole.any() else values)


def _as_float64(column: Any) -> np.ndarray:
    """(n,) NaN for a hole; narrower floats by the digits that they are written with."""
    values = column.to_pandas().to_numpy(copy=True)
    if values.dtype == np.float64:
        return values
    unique, inverse = np.unique(values, return_inverse=True)
    return np.array([float(str(v)) for v in unique])[inverse]


def _of_decimals(column: Any) -> pd.Series:
    import pandas as pd

    values = column.to_pylist()
    if column.type.scale > 0:
        return pd.Series([np.nan if v is None else float(v) for v in values], dtype="float64")
    return _of_values([v if v is None else int(v) for v in values])


def _of_dictionary(column: Any) -> pd.Series:
    """A categorical column where it has an order or few values, which are text or numbers."""
    import pandas as pd

    found = column.unify_dictionaries().to_pandas()
    categories = found.cat.categories
    if isinstance(categories.dtype, pd.IntervalDtype):
        return found.cat.rename_categories([str(c) for c in categories])
    plain = all(isinstance(value, (str, int, float)) for value in categories.tolist())
    if plain and (found.cat.ordered or len(categories) <= FEW_CATEGORIES):
        return found
    return _of_arrow(column.cast(column.type.value_type))


def _of_extension(column: Any) -> pd.Series:
    """pandas' periods by the time at which they begin, its intervals in order; else what stands
    behind the type, which for a UUID is text."""
    import pandas as pd
    import pyarrow as pa

    name = column.type.extension_name
    if name == "arrow.uuid":
        return pd.Series([v if v is None else str(v) for v in column.to_pylist()], dtype=object)
    if not name.startswith("pandas."):
        stored = [chunk.storage for chunk in column.chunks]
        return _of_arrow(pa.chunked_array(stored, type=column.type.storage_type))
    found = column.to_pandas()
    if isinstance(found.dtype, pd.PeriodDtype):
        return found.dt.to_timestamp().astype("datetime64[us]")
    order = [str(value) for value in sorted(found.dropna().unique())]
    texts = found.astype(object).map(str, na_action="ignore")
    return pd.Series(pd.Categorical(texts, categories=order, ordered=True))


def _decoded(values: Iterable[Any]) -> list[Any]:
    """Bytes as text, where all are in UTF-8."""
    try:
        return [v if v is None else v.decode() for v in values]
    except UnicodeDecodeError:
        return [v if v is None else Nested(v.hex()) for v in values]
