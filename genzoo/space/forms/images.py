"""Arrays of images as a ``Form``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from genzoo.space import infer
from genzoo.space.forms.form import Form
from genzoo.space.infer import Found
from genzoo.space.variable import Variable

if TYPE_CHECKING:
    from genzoo.space.schema import Schema


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
    def of(cls, data: Any, name: str) -> Self | None:
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
            raise ValueError(
                f"{self.name}: got images, but the schema is a {schema.layout} of other values"
            )
        if self.data.shape[1:] != schema.event_shape:
            raise ValueError(
                f"{self.name}: expected shape {('n', *schema.event_shape)}; got {self.data.shape}"
            )
        flat = self.data.reshape(len(self), -1).astype(float)
        first = schema.variables[0]
        if all(v.meaning == first.meaning for v in schema.variables):
            return first.codes_of(flat)
        columns = [v.codes_of(flat[:, d]) for d, v in enumerate(schema.variables)]
        codes, moved = zip(*columns, strict=True)
        return np.stack(codes, axis=1), np.stack(moved, axis=1)

    @classmethod
    def fits(cls, schema: Schema) -> bool:
        return schema.layout == "image" and all(_is_pixel(v) for v in schema.variables)

    @classmethod
    def decode(
        cls, schema: Schema, rows: np.ndarray, *, seed: int, given: Form | None = None
    ) -> np.ndarray:
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
