"""Arrays of codes as a ``Form``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from genzoo.space import infer
from genzoo.space.forms.form import Form, none_moved
from genzoo.space.infer import Found
from genzoo.space.variable import MISSING

if TYPE_CHECKING:
    from genzoo.space.schema import Schema


class Codes(Form):
    """An integer array of codes (n, D), -1 where an entry is ``MISSING``.

    >>> from genzoo.space.forms import read
    >>> read(np.array([[0, 2], [1, 0]])).infer().variables[1].cardinality
    3
    """

    key = "rows"
    plural = "codes"
    expected = "an integer array of codes (n, D)"

    @classmethod
    def of(cls, data: Any, name: str) -> Self | None:
        if isinstance(data, np.ma.MaskedArray):
            raise ValueError(
                f"{name}: got a masked array; expected codes with MISSING (-1) in the masked places"
            )
        if not isinstance(data, np.ndarray) or data.ndim in (3, 4):
            return None
        if not np.issubdtype(data.dtype, np.integer):
            return None
        if data.ndim != 2:
            raise ValueError(f"{name}: expected codes of shape (n, D); got shape {data.shape}")
        return cls(data, name)

    @classmethod
    def near(cls, data: Any) -> str | None:
        if not isinstance(data, np.ndarray):
            return None
        return (
            f"an array of dtype {data.dtype} and shape {data.shape} (numbers that are no codes: "
            f"pass a DataFrame)"
        )

    def infer(self, train: np.ndarray | None = None) -> Found:
        return infer.of_codes(self.data)

    def coded(self, schema: Schema, *, given: bool = False) -> tuple[np.ndarray, np.ndarray]:
        return self.data, none_moved(self.data.shape)

    @classmethod
    def fits(cls, schema: Schema) -> bool:
        return schema.layout == "table" and schema.is_bare

    @classmethod
    def decode(
        cls, schema: Schema, rows: np.ndarray, *, seed: int, given: Form | None = None
    ) -> np.ndarray:
        return rows

    def without(self, schema: Schema, name: str | int) -> Form:
        if self.data.shape[1] != schema.D:
            return super().without(schema, name)
        data = self.data.astype(np.int64)
        data[:, schema.names.index(name)] = MISSING
        return replace(self, data=data)

    def with_label(self, label: Any) -> tuple[Form, np.ndarray]:
        width = self.data.shape[1]
        if isinstance(label, bool) or not isinstance(label, (int, np.integer)):
            raise ValueError(f"label: expected the index of a column of codes; got {label!r}")
        if not -width <= label < width:
            raise ValueError(f"label: expected an index below {width}; got {label}")
        order = [*np.delete(np.arange(width), label), label]
        classes = np.unique(self.data[:, label], return_inverse=True)[1]
        return replace(self, data=self.data[:, order]), classes
