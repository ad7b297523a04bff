"""Reading tables whose values have types: ``.jsonl`` and ``.parquet``."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.space.column import LARGEST_INTEGER

if TYPE_CHECKING:
    import pandas as pd


def of_jsonl(path: Path, text: str, remarks: list[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A text of one JSON object a line as a table, with ``remarks`` and what else is to be said.

    Raises:
        ValueError: naming the path and the line, for what is no flat JSON object.
    """
    import pandas as pd

    records = list(_records(path, text))
    columns = dict.fromkeys(key for record in records for key in record)
    if not columns:
        raise ValueError(f"file: expected objects with keys; those of {path} are empty")
    absent = sum(len(columns) - len(record) for record in records)
    if absent:
        remarks = [*remarks, f"keys that objects lack are holes: {absent}"]
    frame = {name: _typed([record.get(name) for record in records]) for name in columns}
    return pd.DataFrame(frame), tuple(remarks)


def _records(path: Path, text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"file: {path}, line {number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{where}: expected one JSON object a line: {error}") from None
        if not isinstance(record, dict):
            raise ValueError(f"{where}: expected a JSON object; got {type(record).__name__}")
        for key, value in record.items():
            if isinstance(value, (list, dict)):
                raise ValueError(
                    f"{where}: {key!r}: expected text, a number, true, false or null; got a nested "
                    f"value (give its parts keys of their own)"
                )
        yield record


def _typed(values: list[Any]) -> pd.Series:
    """Values of JSON as a column: numbers with holes stay whole where they are."""
    import pandas as pd

    present = [v for v in values if v is not None]
    kinds = {type(v) for v in present}
    if kinds == {int} and all(abs(v) < LARGEST_INTEGER for v in present):
        return pd.Series(values, dtype="int64" if len(present) == len(values) else "Int64")
    if kinds and kinds <= {int, float}:
        return pd.Series(values, dtype="float64")
    if kinds == {bool} and len(present) == len(values):
        return pd.Series(values, dtype=bool)
    cleaned = [(v.strip() or None) if isinstance(v, str) else v for v in values]
    return pd.Series(cleaned, dtype=object)


def of_parquet(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A ``.parquet`` file as a table, with what is to be said of it.

    Raises:
        ValueError: naming the path, for what can't be read.
        OSError: as the system says.
    """
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except ImportError:
        raise ValueError(
            f"file: {path}: reading .parquet needs pyarrow: pip install 'genzoo[parquet]'"
        ) from None
    except OSError:
        raise
    except Exception as error:  # pyarrow's own errors derive from ValueError and others
        raise ValueError(f"file: {path} is no .parquet file that can be read: {error}") from None
    frame.columns = [str(name) for name in frame.columns]
    if not frame.columns.is_unique:
        raise ValueError(f"file: {path}: expected different names of columns")
    if frame.empty:
        raise ValueError(f"file: expected rows and columns; {path} has {frame.shape}")
    frame = frame.reset_index(drop=True)
    for name in frame.columns:
        if frame[name].dtype == object or isinstance(frame[name].dtype, pd.StringDtype):
            values = [None if v is None or v is pd.NA else v for v in frame[name].tolist()]
            cleaned = [None if isinstance(v, float) and np.isnan(v) else v for v in values]
            frame[name] = _plain_column(path, name, cleaned)
    return frame, ()


def _plain_column(path: Path, name: str, values: list[Any]) -> pd.Series:
    import pandas as pd

    present = [v for v in values if v is not None]
    if present and all(isinstance(v, datetime.date) for v in present):
        return pd.Series(pd.to_datetime(pd.Series(values, dtype=object)))
    for value in present:
        if not isinstance(value, (str, int, float, bool)):
            raise ValueError(
                f"file: {path}: column {name!r}: expected plain values; got "
                f"{type(value).__name__} (nested values: give their parts columns of their own)"
            )
    return _typed(values)
