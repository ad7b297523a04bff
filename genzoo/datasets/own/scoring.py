"""Values of a text file as those of the typed file (parquet, JSONL) that a model was fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from genzoo.datasets.own.columns import CLOCK, Column

if TYPE_CHECKING:
    import pandas as pd


def as_typed(columns: Sequence[Column], frame: pd.DataFrame) -> pd.DataFrame:
    """Texts as dates, times and categories where the columns came with types of their own, so that
    samples written as CSV are read as they were meant; other entries as they are.

    Raises:
        ValueError: naming the column, for text that is no date.

    >>> import pandas as pd
    >>> flag = Column("flag", "nominal", categories=(False, True))
    >>> as_typed([flag], pd.DataFrame({"flag": ["True", None]}, dtype=object))["flag"].tolist()
    [True, None]
    """
    import pandas as pd

    found = frame.copy(deep=False)
    for column in columns:
        if column.name in frame.columns and pd.api.types.is_object_dtype(frame[column.name]):
            found[column.name] = _as_typed(column, frame[column.name])
    return found


def _as_typed(column: Column, values: pd.Series) -> pd.Series:
    import pandas as pd

    if column.treat in CLOCK and column.format is None:
        present = values[~column.holes_in(values)]
        try:
            if column.treat == "date":
                dates = pd.to_datetime(present, format="ISO8601", utc=True)
                return dates.dt.tz_localize(None).reindex(values.index)
            return pd.to_timedelta(present).reindex(values.index)
        except ValueError as error:
            raise ValueError(f"column {column.name!r}: expected {column.treat}s in ISO form "
                             f"(2024-03-31 13:45:00): {error}") from None  # fmt: skip
    meant = {str(c): c for c in column.categories or () if not isinstance(c, str)}
    return values.map(lambda v: meant.get(v, v), na_action="ignore") if meant else values
