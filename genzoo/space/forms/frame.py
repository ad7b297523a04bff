"""DataFrames as a ``Form``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from genzoo.seeding import numpy_rng
from genzoo.space import advice, column, infer
from genzoo.space.forms.form import Form
from genzoo.space.infer import Found
from genzoo.space.typed import typed
from genzoo.space.variable import MISSING, plain
from genzoo.spelling import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from genzoo.space.schema import Schema


@dataclass(frozen=True, eq=False, repr=False)
class Frame(Form):
    """A DataFrame of raw values; a NaN is a hole, whose mark the schema may have.

    Attributes:
        has_label: the last column holds classes, whatever its values look like.
        folds: whether rare categories are folded into one; those of a label never are.
        advises: whether there is anything to say of its values that was not said before.

    >>> import pandas as pd
    >>> from genzoo.space.forms import read
    >>> form = read(pd.DataFrame({"age": [31, 40], "city": ["Rome", None]}))
    >>> [(v.name, v.cardinality, v.missing) for v in form.infer().variables]
    [('age', 2, False), ('city', 2, True)]
    """

    has_label: bool = False
    folds: bool = True
    advises: bool = True

    key = "frame"
    plural = "frame"
    expected = "a DataFrame"

    @classmethod
    def of(cls, data: object, name: str) -> Self | None:
        pandas = sys.modules.get("pandas")  # who has a DataFrame has imported it
        return cls(data, name) if pandas and isinstance(data, pandas.DataFrame) else None

    @classmethod
    def of_dict(cls, values: dict[Any, Any], name: str) -> Self:
        """{column: value} or {column: values} as a DataFrame of one row or more.

        Raises:
            ValueError: naming the argument, for lists of different lengths and for none.
        """
        import pandas as pd

        if not values:
            raise ValueError(f"{name}: expected at least one {{column: value}}; got an empty dict")
        scalar = all(np.ndim(v) == 0 for v in values.values())
        try:
            frame = pd.DataFrame({k: [v] for k, v in values.items()} if scalar else values)
        except ValueError as error:
            raise ValueError(f"{name}: expected values, or lists of one length; {error}") from error
        return cls(frame, name)

    @property
    def columns(self) -> list[str | int]:
        return [plain(name) for name in self.data.columns]

    @property
    def index(self) -> pd.Index:
        return self.data.index

    def _typed(self, name: str | int) -> pd.Series:
        """A column as one of one type (``space/typed.py``)."""
        return typed(self.data[name], f"{self.name}: column {name!r}")

    def infer(self, train: np.ndarray | None = None) -> Found:
        whole = self.columns if not self.folds else self.columns[-1:] if self.has_label else []
        found = infer.of_frame(self.data, train, whole=whole)
        if self.has_label:
            last = infer.classes(found.variables[-1], self.data.iloc[:, -1])
            found = found._replace(variables=(*found.variables[:-1], last))
        return found

    def advice(self, schema: Schema) -> list[str]:
        if not self.advises:
            return []
        pairs = [(v, self._typed(v.name)) for v in schema.variables]
        return [
            text
            for text in (advice.of_folded(pairs), advice.of_apart(pairs, line=type(self) is Frame))
            if text
        ]

    def coded(self, schema: Schema, *, given: bool = False) -> tuple[np.ndarray, np.ndarray]:
        columns = self.columns
        if len(set(columns)) != len(columns):
            raise ValueError(f"{self.name}: expected distinct columns; got {columns}")
        unknown = [c for c in columns if c not in schema.names]
        absent = [c for c in schema.names if c not in columns and not given]
        if unknown or absent:
            hint = did_you_mean(unknown[0], schema.names) if unknown else ""
            said = [
                f"; {what}: {column.short(names)} ({way})"
                for what, names, way in (
                    ("unknown", unknown, "leave them out"),
                    ("absent", absent, "where they are not known, set them to NaN"),
                )
                if names
            ]
            raise ValueError(
                f"{self.name}: expected the columns {column.short(schema.names)}; got "
                f"{column.short(columns)}{''.join(said)}{hint}"
            )
        rows = np.full((len(self), schema.D), MISSING, dtype=np.int64)
        moved = np.zeros(rows.shape, dtype=bool)
        for d, variable in enumerate(schema.variables):
            if variable.name in columns:
                where = f"{self.name}: column {variable.name!r}"
                values = self.data[variable.name]
                rows[:, d], moved[:, d] = column.encode(variable, values, where, given=given)
        return rows, moved

    def numbers(self, schema: Schema) -> np.ndarray:
        numbers = np.full((len(self), schema.D), np.nan)
        for d, variable in enumerate(schema.variables):
            if variable.is_numeric and variable.name in self.columns:
                values = self._typed(variable.name)
                there = values.notna().to_numpy()
                where = f"{self.name}: column {variable.name!r}"
                if there.any():
                    numbers[there, d] = column.numbers_of(variable, values[there], where)
        return numbers

    @classmethod
    def fits(cls, schema: Schema) -> bool:
        return schema.layout == "table" and not schema.is_bare

    @classmethod
    def decode(cls, schema: Schema, rows: np.ndarray, *, seed: int) -> pd.DataFrame:
        import pandas as pd

        columns = {
            v.name: column.decode(v, rows[:, d], numpy_rng(seed, "decode", d))
            for d, v in enumerate(schema.variables)
        }
        return pd.DataFrame(columns)

    def kept_in(self, drawn: Any) -> Any:
        import pandas as pd

        return _paste(drawn, self.data) if isinstance(drawn, pd.DataFrame) else drawn

    def completed(self, schema: Schema, rows: np.ndarray, *, seed: int) -> Any:
        filled = super().completed(schema, rows, seed=seed)
        return self.handed(filled.set_index(self.index)[self.columns])

    def without(self, schema: Schema, name: str | int) -> Form:
        return replace(self, data=self.data.drop(columns=[name], errors="ignore"))

    def values(self, schema: Schema, d: int, *, seed: int) -> np.ndarray:
        codes = super().values(schema, d, seed=seed)
        return column.decode(schema.variables[d], codes, numpy_rng(seed, "decode", d)).to_numpy()

    def with_label(self, label: str | int) -> tuple[Form, np.ndarray]:
        label = plain(label)
        if not isinstance(label, (str, int)) or label not in self.columns:
            hint = did_you_mean(label, self.columns)
            raise ValueError(f"label: expected one of {self.columns}; got {label!r}{hint}")
        data = self.data[[c for c in self.columns if c != label] + [label]]
        if not data.columns.is_unique:
            raise ValueError(f"data: expected distinct columns; got {list(data.columns)}")
        codes = data[label].factorize(use_na_sentinel=False)[0]
        classes = np.unique(codes, return_inverse=True)[1]
        return replace(self, data=data, has_label=True), classes

    def table(self, schema: Schema) -> pd.DataFrame:
        return self.data


def _paste(drawn: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """What was drawn (n rows), with what was given of one row or n as it is."""
    for name in given.columns:
        raw = given[name].reset_index(drop=True)
        if len(raw) == 1 and len(drawn) > 1:
            raw = raw.repeat(len(drawn)).reset_index(drop=True)
        drawn[name] = column.kept_in(drawn[name], raw, f"column {name!r}")
    return drawn
