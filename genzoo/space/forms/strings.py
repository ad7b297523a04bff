"""Lists of str as a ``Form``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from genzoo.space import infer, strings
from genzoo.space.forms.form import Form, none_moved
from genzoo.space.infer import Found
from genzoo.space.variable import MISSING

if TYPE_CHECKING:
    import pandas as pd

    from genzoo.space.schema import Schema


class Strings(Form):
    """A list of str; where lengths differ, END follows the last character.

    >>> from genzoo.space.forms import read
    >>> read(["ab", "a"]).infer().end
    2
    """

    plural = "strings"
    expected = "a list of str"

    @classmethod
    def of(cls, data: Any, name: str) -> Self | None:
        is_text = isinstance(data, (list, tuple)) and all(isinstance(s, str) for s in data)
        return cls(data, name) if is_text else None

    def infer(self, train: np.ndarray | None = None) -> Found:
        return infer.of_strings(self.data)

    def coded(self, schema: Schema, *, given: bool = False) -> tuple[np.ndarray, np.ndarray]:
        if schema.alphabet is None:
            raise ValueError(
                f"{self.name}: got strings, but the schema is a {schema.layout} of other values"
            )
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
        return rows, none_moved(rows.shape)

    @classmethod
    def fits(cls, schema: Schema) -> bool:
        return schema.alphabet is not None

    @classmethod
    def decode(
        cls, schema: Schema, rows: np.ndarray, *, seed: int, given: Form | None = None
    ) -> list[str]:
        categories = schema.variables[0].categories or ()
        return [
            "".join(categories[c] for c in row[keep] if c != schema.end)
            for row, keep in zip(rows, strings.reached(rows, schema.end), strict=True)
        ]

    def table(self, names: Sequence[Any]) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame({"text": self.data})

    def lines(self) -> list[str]:
        return list(self.data)
