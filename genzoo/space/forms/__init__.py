"""The forms in which people hold data: ``read(data)`` says which, once, and gives a ``Form``.

A ``Form`` carries what belongs to it: what schema the data have, the way to rows of codes and back,
how holes and single rows are given. A further form is one class and its name in ``FORMS``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from genzoo.space.forms.form import Form
from genzoo.space.forms.frame import Frame
from genzoo.space.forms.near import near
from genzoo.space.forms.plain import Codes, Images, Strings, image_shapes
from genzoo.space.forms.tables import Arrow, Polars

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from genzoo.space.schema import Schema

__all__ = ["FORMS", "Codes", "Data", "Form", "Frame", "Given", "Images", "Strings", "named", "read",
           "read_given", "spoken_of"]  # fmt: skip

FORMS: tuple[type[Form], ...] = (Frame, Polars, Arrow, Codes, Strings, Images)
Data: TypeAlias = (
    "pd.DataFrame | pl.DataFrame | pa.Table | np.ndarray | Sequence[Any] | Form"  # of any form
)
Given: TypeAlias = "Data | str | Mapping[Any, Any]"  # also one row, or what is known of it


def read(data: Data, name: str = "data") -> Form:
    """Data as the form that they are of; a ``Form`` as it is. ``name`` is the argument's.

    Raises:
        ValueError: for data of no form, and for empty data.

    >>> read(np.array([[0, 1], [1, 0]]))
    Codes(2 rows)
    >>> read("ab", name="valid")
    Traceback (most recent call last):
    ValueError: valid: expected a DataFrame, an integer array of codes (n, D), a list of str, or \
uint8 images (n, H, W), (n, C, H, W) or (n, H, W, C); got a single str: for one row pass [data]
    """
    if isinstance(data, Form):
        return data
    form = next((found for kind in FORMS if (found := kind.of(data, name)) is not None), None)
    if form is None:
        *first, last = dict.fromkeys(kind.expected for kind in FORMS)
        raise ValueError(f"{name}: expected {', '.join(first)}, or {last}; got {near(data)}")
    if 0 in getattr(data, "shape", (len(form),)):
        raise ValueError(f"{name}: expected at least one row and one variable; got none")
    return form


def read_given(data: Given, event_shape: tuple[int, ...]) -> Form:
    """What is to be completed: as in ``read``, or one row of it, or a dict of what is known.

    One row is a prefix, an array (D,), an image of ``event_shape``, its channels first or last, or
    a pandas Series with the names of the columns, as ``data.iloc[0]`` gives it.

    Raises:
        ValueError: naming ``given``.

    >>> read_given("an", (9,))
    Strings(1 rows)
    >>> read_given({"age": [30, 40], "city": "Rome"}, (3,)).data["age"].tolist()
    [30, 40]
    """
    if isinstance(data, Mapping):
        return Frame.of_dict(dict(data), "given")
    pandas = sys.modules.get("pandas")
    if pandas and isinstance(data, pandas.Series):
        return Frame.of_dict(dict(data.items()), "given")
    if isinstance(data, str):
        data = [data]
    if isinstance(data, np.ndarray) and (
        data.ndim == 1 or (data.dtype == np.uint8 and data.shape in image_shapes(event_shape))
    ):
        data = data[None]
    return read(data, "given")


def spoken_of(schema: Schema) -> type[Form]:
    """The form that a schema speaks of: codes where no other has values for them.

    >>> from genzoo.space.schema import Schema
    >>> spoken_of(Schema.infer(["ab", "a"])).__name__
    'Strings'
    """
    return next((form for form in FORMS if form.fits(schema)), Codes)


def named(key: str, schema: Schema) -> type[Form]:
    """The form that ``model.json`` calls ``key``.

    Raises:
        ValueError: for another key.

    >>> from genzoo.space.schema import Schema
    >>> named("rows", Schema.infer(["ab", "a"])).__name__
    'Codes'
    """
    known = {form.key: form for form in FORMS}
    if key not in known:
        raise ValueError(f"form: expected one of {', '.join(known)}; got {key!r}")
    return spoken_of(schema) if key == Form.key else known[key]
