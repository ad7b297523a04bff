"""Tables of other libraries as forms: carried as DataFrames of Arrow's types, without a loss."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

from genzoo.space.forms.frame import Frame

if TYPE_CHECKING:
    import pandas as pd


class Arrow(Frame):
    """A ``pyarrow.Table`` or ``RecordBatch`` of raw values; a null or NaN is a hole.

    >>> import pyarrow as pa
    >>> from genzoo.space.forms import read
    >>> read(pa.table({"age": [31, 40]})).infer().variables[0].dtype
    'int64[pyarrow]'
    """

    key = "arrow"
    plural = "Arrow table"

    @classmethod
    def of(cls, data: Any, name: str) -> Self | None:
        pyarrow = sys.modules.get("pyarrow")  # who has a table has imported it
        if not pyarrow or not isinstance(data, (pyarrow.Table, pyarrow.RecordBatch)):
            return None
        return cls(_as_frame(data, name), name)

    @classmethod
    def handed(cls, decoded: Any) -> Any:
        import pyarrow as pa

        table = pa.Table.from_pandas(decoded, preserve_index=False)
        return table.replace_schema_metadata(None)


class Polars(Frame):
    """A polars DataFrame of raw values; a null or NaN is a hole.

    >>> import polars as pl
    >>> from genzoo.space.forms import read
    >>> read(pl.DataFrame({"age": [31, 40]})).infer().variables[0].cardinality
    2
    """

    key = "polars"
    plural = "polars frame"

    @classmethod
    def of(cls, data: Any, name: str) -> Self | None:
        polars = sys.modules.get("polars")
        if not polars or not isinstance(data, polars.DataFrame):
            return None
        for column, dtype in data.schema.items():
            if dtype in (polars.Object, polars.Int128):  # which no other library reads
                raise ValueError(
                    f"{name}: column {column!r}: expected text, numbers or dates; got dtype "
                    f"{dtype} (write polars.col({column!r}).cast(polars.Int64), or another type)"
                )
        return cls(_as_frame(data.to_arrow(), name), name)

    @classmethod
    def handed(cls, decoded: Any) -> Any:
        try:
            import polars as pl
        except ImportError:
            raise ValueError(
                "sample: the model was fitted to a polars frame, and gives such frames back: pip "
                "install polars"
            ) from None
        table = Arrow.handed(decoded)
        enums: Any = {
            field.name: pl.Enum(table[field.name].chunk(0).dictionary.to_pylist())
            for field in table.schema
            if getattr(field.type, "ordered", False)
        }
        # Arrow knows an order, and no Enum
        return pl.DataFrame(table).cast(enums)


def _as_frame(table: Any, name: str) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    names = table.schema.names
    if len(set(names)) < len(names):
        raise ValueError(f"{name}: expected distinct columns; got {names}")
    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])
    views = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
    fields = [field.with_type(views.get(field.type, field.type)) for field in table.schema]
    table = table.cast(pa.schema(fields))
    coded = [f.name for f in fields if pa.types.is_dictionary(f.type) and _is_of_pandas(f.type)]
    rest = table.drop_columns(coded)
    frame = rest.to_pandas(
        types_mapper=lambda of: None if _is_of_pandas(of) else pd.ArrowDtype(of),
        ignore_metadata=True,
    )
    for column in coded:  # of intervals or periods, which Arrow can't look up
        frame[column] = _categories(table[column])
    return frame[names]


def _is_of_pandas(of: Any) -> bool:
    """Whether an Arrow type holds what only pandas knows: intervals, periods."""
    import pyarrow as pa

    values = of.value_type if pa.types.is_dictionary(of) else of
    return isinstance(values, pa.BaseExtensionType) and values.extension_name.startswith("pandas.")


def _categories(column: Any) -> pd.Categorical:
    import pandas as pd

    coded = column.combine_chunks()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    values = pd.Index(coded.dictionary.to_pandas())
    return pd.Categorical.from_codes(codes, values, ordered=coded.type.ordered)
