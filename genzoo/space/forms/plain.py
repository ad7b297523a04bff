"""Forms that name no columns: codes, strings, images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np

from genzoo.space import advice, infer, strings
from genzoo.space.forms.form import Form
from genzoo.space.infer import Found
from genzoo.space.variable import MISSING, Variable

if TYPE_CHECKING:
    import pandas as pd

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
    def of(cls, data: object, name: str) -> Self | None:
        if isinstance(data, np.ma.MaskedArray):
            raise ValueError(
                f"{name}: got a masked array; expected codes with MISSING (-1) in the masked places"
            )
        if not isinstance(data, np.ndarray) or data.ndim in (3, 4) or data.dtype.kind not in "iu":
            return None
        if data.ndim != 2:
            raise ValueError(f"{name}: expected codes of shape (n, D); got shape {data.shape}")
        return cls(data, name)

    @classmethod
    def near(cls, data: object) -> str | None:
        if not isinstance(data, np.ndarray):
            return None
        return (
            f"an array of dtype {data.dtype} and shape {data.shape} (numbers that are no codes: "
            f"pass a DataFrame)"
        )

    def infer(self, train: np.ndarray | None = None) -> Found:
        return infer.of_codes(self.data)

    def advice(self, schema: Schema) -> list[str]:
        return [text for text in [advice.of_codes(self.data)] if text]

    def coded(self, schema: Schema, *, given: bool = False) -> tuple[np.ndarray, np.ndarray]:
        return self.data, np.broadcast_to(False, self.data.shape)

    @classmethod
    def fits(cls, schema: Schema) -> bool:
        return schema.layout == "table" and schema.is_bare

    @classmethod
    def decode(cls, schema: Schema, rows: np.ndarray, *, seed: int) -> np.ndarray:
        return rows

    def without(self, schema: Schema, name: str | int) -> Form:
        if self.data.shape[1] != schema.D:
            return super().without(schema, name)
        data = self.data.astype(np.int64)
        data[:, schema.names.index(name)] = MISSING
        return replace(self, data=data)

    def with_label(self, label: str | int) -> tuple[Form, np.ndarray]:
        width = self.data.shape[1]
        if isinstance(label, bool) or not isinstance(label, (int, np.integer)):
            raise ValueError(f"label: expected the index of a column of codes; got {label!r}")
        if not -width <= label < width:
            raise ValueError(f"label: expected an index below {width}; got {label}")
        order = [*np.delete(np.arange(width), label), label]
        classes = np.unique(self.data[:, label], return_inverse=True)[1]
        return replace(self, data=self.data[:, order]), classes


class Strings(Form):
    """A list of str; where lengths differ, END follows the last character.

    >>> from genzoo.space.forms import read
    >>> read(["ab", "a"]).infer().end
    2
    """

    plural = "strings"
    expected = "a list of str"

    @classmethod
    def of(cls, data: object, name: str) -> Self | None:
        is_text = isinstance(data, (list, tuple)) and all(isinstance(s, str) for s in data)
        return cls(data, name) if is_text else None

    def infer(self, train: np.ndarray | None = None) -> Found:
        return infer.of_strings(self.data)

    def coded(self, schema: Schema, *, given: bool = False) -> tuple[np.ndarray, np.ndarray]:
        if schema.alphabet is None:
            raise self._of_other_values(schema)
        categories = schema.variables[0].categories or ()
        codes = {s: c for c, s in enumerate(categories) if c != schema.end}
        open_end = given or schema.end is not None
        rest = MISSING if given or schema.end is None else schema.end
        rows = np.full((len(self), schema.D), rest, dtype=np.int64)
        for i, text in enumerate(self.data):
            if len(text) > schema.D or (not open_end and len(text) != schema.D):
                bound = "at most" if open_end else "exactly"
                raise ValueError(
                    f"{self.name}: expected {bound} {schema.D} characters; row {i} has {len(text)}"
                )
            try:
                rows[i, : len(text)] = [codes[s] for s in text]
            except KeyError as error:
                raise ValueError(
                    f"{self.name}: row {i} has the character {error.args[0]!r}, which is not in "
                    f"the alphabet of {len(codes)}: {''.join(codes)[:80]!r}"
                ) from None
        return rows, np.broadcast_to(False, rows.shape)

    @classmethod
    def fits(cls, schema: Schema) -> bool:
        return schema.alphabet is not None

    @classmethod
    def decode(cls, schema: Schema, rows: np.ndarray, *, seed: int) -> list[str]:
        categories = schema.variables[0].categories or ()
        return [
            "".join(categories[c] for c in row[keep] if c != schema.end)
            for row, keep in zip(rows, strings.reached(rows, schema.end), strict=True)
        ]

    def table(self, names: Sequence[str | int]) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame({"text": self.data})

    def lines(self) -> list[str]:
        return list(self.data)


class Images(Form):
    """uint8 images (n, H, W) or (n, C, H, W).

    >>> from genzoo.space.forms import read
    >>> read(np.zeros((5, 2, 2), np.uint8)).infer().event_shape
    (2, 2)
    """

    plural = "images"
    expected = "uint8 images (n, H, W) or (n, C, H, W)"
    unit = "pixels"

    @classmethod
    def of(cls, data: object, name: str) -> Self | None:
        if not isinstance(data, np.ndarray) or data.ndim not in (3, 4):
            return None
        if data.dtype != np.uint8:
            raise ValueError(
                f"{name}: expected images of dtype uint8; got {data.dtype} (images with holes: "
                f"codes of shape (n, D), row by row, with MISSING = -1)"
            )
        return cls(data, name)

    def infer(self, train: np.ndarray | None = None) -> Found:
        return infer.of_images(self.data)

    def coded(self, schema: Schema, *, given: bool = False) -> tuple[np.ndarray, np.ndarray]:
        if schema.layout != "image" or not all(v.is_grid for v in schema.variables):
            raise self._of_other_values(schema)
        if self.data.shape[1:] != schema.event_shape:
            raise ValueError(
                f"{self.name}: expected shape {('n', *schema.event_shape)}; got {self.data.shape}"
            )
        flat = self.numbers(schema)
        first = schema.variables[0]
        if all(v.meaning == first.meaning for v in schema.variables):
            return first.codes_of(flat)
        columns = [v.codes_of(flat[:, d]) for d, v in enumerate(schema.variables)]
        codes, moved = zip(*columns, strict=True)
        return np.stack(codes, axis=1), np.stack(moved, axis=1)

    def numbers(self, schema: Schema) -> np.ndarray:
        return self.data.reshape(len(self), -1).astype(float)

    @classmethod
    def fits(cls, schema: Schema) -> bool:
        return schema.layout == "image" and all(_is_pixel(v) for v in schema.variables)

    @classmethod
    def decode(cls, schema: Schema, rows: np.ndarray, *, seed: int) -> np.ndarray:
        if not cls.fits(schema):
            return rows
        offset = np.array([v.offset for v in schema.variables])
        step = np.array([v.step for v in schema.variables])
        images = np.rint(offset + step * rows).astype(np.uint8)
        return images.reshape(len(rows), *schema.event_shape)


def _is_pixel(variable: Variable) -> bool:
    """Whether each code stands for a level 0 .. 255 of its own."""
    if not variable.is_grid or variable.missing:
        return False
    offset, step = variable.offset or 0.0, variable.step or 1.0
    return offset >= 0 and step >= 1 and offset + step * (variable.n_values - 1) <= 255
