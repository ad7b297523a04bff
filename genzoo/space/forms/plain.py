"""Forms that name no columns: codes, strings, images."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np

from genzoo.space import advice, infer, strings
from genzoo.space.forms.form import Form, depth
from genzoo.space.infer import Found
from genzoo.space.variable import KNOW_MORE, MISSING, Variable, plain

if TYPE_CHECKING:
    import pandas as pd

    from genzoo.space.schema import Schema

_HALF = re.compile("[\ud800-\udfff]")  # surrogates, which no file can hold


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
                f"{name}: got a masked array; expected codes with MISSING (-1) in the masked "
                f"places: pass data.filled(-1)"
            )
        is_codes = isinstance(data, np.ndarray) and data.ndim == 2 and data.dtype.kind in "iu"
        return cls(np.asarray(data), name) if is_codes else None  # a numpy.matrix is 2-D always

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

    def place_of(self, schema: Schema, target: object) -> int:
        at = plain(target)
        is_index = isinstance(at, int) and not isinstance(at, bool) and at not in schema.names
        if is_index and -schema.D <= at < schema.D:
            return range(schema.D)[at]
        return super().place_of(schema, target)

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
        if not isinstance(data, (list, tuple)) or not all(isinstance(s, str) for s in data):
            return None
        try:
            "".join(data).encode()
        except UnicodeEncodeError:
            half = next((i, s) for i, s in enumerate(data) if _HALF.search(s))
            raise ValueError(
                f"{name}: expected text; entry {half[0]} holds half a character, "
                f"{_HALF.findall(half[1])[0]!r} (an emoji cut in two, or bytes read with "
                f"errors='surrogateescape'): leave it out, or s.encode('utf-16', 'surrogatepass')"
                f".decode('utf-16', 'replace')"
            ) from None
        return cls(data, name)

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
        unit = "characters" if schema.tokenizer is None else "tokens"
        for i, text in enumerate(self.data):
            is_read = schema.tokenizer is None or codes.keys() >= set(text)
            if is_read and (len(text) > schema.D or (not open_end and len(text) != schema.D)):
                bound = "at most" if open_end else "exactly"
                raise ValueError(
                    f"{self.name}: expected {bound} {schema.D} {unit}; row {i} has {len(text)} "
                    f"({KNOW_MORE})"
                )
            try:
                rows[i, : len(text)] = [codes[s] for s in text]
            except KeyError as error:
                what = f"{self.name}: row {i} has the character {error.args[0]!r}, which"
                if schema.tokenizer is not None:
                    raise ValueError(
                        f"{what} stands for no token: rows of this space are strings of symbols, "
                        f"as schema.tokenizer.encode(text) writes them"
                    ) from None
                raise ValueError(
                    f"{what} is not in the alphabet of {len(codes)}: {''.join(codes)[:80]!r} "
                    f"({KNOW_MORE})"
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

    def table(self, schema: Schema) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame({"text": self.data})

    def lines(self) -> list[str]:
        return list(self.data)


class Images(Form):
    """uint8 images (n, H, W), (n, C, H, W) or (n, H, W, C).

    Channels are last where the last axis is 1, 3 or 4 long and the first one of an image is not.
    They come back as they went in; inside, variables are in the order (C, H, W) always.

    >>> from genzoo.space.forms import read
    >>> read(np.zeros((5, 2, 2), np.uint8)).infer().event_shape
    (2, 2)
    >>> read(np.zeros((5, 8, 9, 3), np.uint8)).infer().event_shape
    (3, 8, 9)
    """

    plural = "images"
    expected = "uint8 images (n, H, W), (n, C, H, W) or (n, H, W, C)"
    unit = "pixels"

    @classmethod
    def of(cls, data: object, name: str) -> Self | None:
        is_image = isinstance(data, np.ndarray) and data.ndim in (3, 4) and data.dtype == np.uint8
        return cls(data, name) if is_image else None

    def infer(self, train: np.ndarray | None = None) -> Found:
        shape = self.data.shape[1:]
        if 0 in self.data.shape or not _has_channels_last(shape):
            return infer.of_images(self.data)
        found = infer.of_images(np.moveaxis(self.data, -1, 1))
        return found._replace(channels_last=True)

    def coded(self, schema: Schema, *, given: bool = False) -> tuple[np.ndarray, np.ndarray]:
        if schema.layout != "image" or not all(v.is_grid for v in schema.variables):
            raise self._of_other_values(schema)
        flat, first, levels = self._flat(schema), schema.variables[0], np.arange(256.0)
        if all(v.meaning == first.meaning for v in schema.variables):
            codes, moved = first.codes_of(levels)
            return codes[flat], moved[flat]
        pairs = [v.codes_of(levels) for v in schema.variables]
        columns = [(codes[x], moved[x]) for (codes, moved), x in zip(pairs, flat.T, strict=True)]
        of_codes, of_moved = zip(*columns, strict=True)
        return np.stack(of_codes, axis=1), np.stack(of_moved, axis=1)

    def numbers(self, schema: Schema) -> np.ndarray:
        return self._flat(schema).astype(float)

    def _flat(self, schema: Schema) -> np.ndarray:
        """(n, D) the pixels in the schema's order, whether their channels are first or last."""
        shapes = image_shapes(schema.event_shape)
        first, last = shapes[0], shapes[-1]
        shape = self.data.shape[1:]
        if shape not in shapes:
            expected = last if schema.channels_last else first
            raise ValueError(
                f"{self.name}: expected shape {('n', *expected)}; got {self.data.shape}"
            )
        # where both fit, what the schema says holds
        is_last = len(shape) == 3 and shape == last and (schema.channels_last or shape != first)
        images = np.moveaxis(self.data, -1, 1) if is_last else self.data
        return images.reshape(len(self), -1)

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
        images = images.reshape(len(rows), *schema.event_shape)
        return np.ascontiguousarray(np.moveaxis(images, 1, -1)) if schema.channels_last else images

    def completed(self, schema: Schema, rows: np.ndarray, *, seed: int) -> np.ndarray:
        return np.array(self.data)  # they have no holes

    def table(self, schema: Schema) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(self._flat(schema), columns=schema.names)


CHANNELS = (1, 3, 4)  # grey, RGB, RGBA


def image_shapes(event_shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The shapes in which images of an ``event_shape`` may come: channels first, channels last.

    >>> image_shapes((3, 8, 9)), image_shapes((8, 9))
    ([(3, 8, 9), (8, 9, 3)], [(8, 9)])
    """
    if len(event_shape) != 3:
        return [event_shape]
    return [event_shape, (*event_shape[1:], event_shape[0])]


def _has_channels_last(shape: tuple[int, ...]) -> bool:
    """Whether images of this shape are (H, W, C); a warning where they might be and are not taken
    so."""
    if len(shape) != 3:
        return False
    first, last = (size in CHANNELS for size in (shape[0], shape[-1]))
    if last and not first:
        return True
    is_open = shape[-1] < shape[0] if not first else last and shape != (1, shape[1], 1)
    if is_open:
        C, H, W = shape
        warnings.warn(
            f"data: images of shape {('n', *shape)} were taken as (n, C, H, W), {C} channels of "
            f"{H} x {W} pixels; where {W} channels of {C} x {H} are meant pass "
            f"np.moveaxis(data, -1, 1)",
            UserWarning,
            stacklevel=depth(),
        )
    return False


def _is_pixel(variable: Variable) -> bool:
    """Whether each code stands for a level 0 .. 255 of its own."""
    if not variable.is_grid or variable.missing:
        return False
    offset, step = variable.offset or 0.0, variable.step or 1.0
    return offset >= 0 and step >= 1 and offset + step * (variable.n_values - 1) <= 255
