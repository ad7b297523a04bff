"""Reading a schema off some data: kinds, categories, grids and cells.

Numbers lie on a grid where the data's own resolution gives at most ``MOST_LEVELS`` levels, else on
at most ``MOST_CELLS`` cells between quantiles of the training rows; a value that takes more than
``HEAVY`` of those rows gets a cell of its own, as narrow as the resolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from genzoo.space.column import as_floats
from genzoo.space.variable import LARGEST_NUMBER, MISSING, MOST_DECIMALS, Variable

if TYPE_CHECKING:
    import pandas as pd

Layout = Literal["table", "sequence", "image"]

MOST_LEVELS = 1024
MOST_CELLS = 256
HEAVY = 0.05
MOST_CODES = 2**20
MOST_CLASSES = 1024
LARGEST = LARGEST_NUMBER / 10  # cells end a little beyond the largest number
SMALLEST_SPREAD = 1 / LARGEST
END_NAME = "<end>"


class Found(NamedTuple):
    """The parts of a ``Schema``, which says what they mean."""

    variables: tuple[Variable, ...]
    layout: Layout
    event_shape: tuple[int, ...]
    end: int | None = None
    channels_last: bool = False


def table_of(cards: Sequence[int]) -> Found:
    """A table of codes that stand for themselves, so many of each variable."""
    variables = tuple(Variable(f"x{d}", "nominal", card) for d, card in enumerate(cards))
    return Found(variables, "table", (len(variables),))


def sequence_of(symbols: Sequence[str], T: int, end: int | None = None) -> Found:
    """T symbols of one alphabet, of which END is the one with the code ``end``."""
    categories = tuple(symbols)
    variables = tuple(Variable(f"t{t}", "nominal", categories=categories) for t in range(T))
    return Found(variables, "sequence", (T,), end)


def of_codes(data: np.ndarray) -> Found:
    """A table of codes (n, D), nominal, as many as were seen.

    Raises:
        ValueError: for codes below -1 or of 2**20 and more, and a column that is all ``MISSING``.

    >>> [v.cardinality for v in of_codes(np.array([[0, 4], [1, -1]])).variables]
    [2, 5]
    """
    if (data < MISSING).any():
        i, d = (int(v) for v in np.argwhere(data < MISSING)[0])
        raise ValueError(
            f"data: expected codes from 0, or MISSING (-1); got {data[i, d]} in row {i}"
        )
    unseen = np.flatnonzero(data.max(axis=0) == MISSING)
    if len(unseen):
        raise ValueError(
            f"data: column {unseen[0]} holds nothing but MISSING (-1): give a schema that says "
            f"what values it has"
        )
    if data.max() >= MOST_CODES:
        raise ValueError(
            f"data: expected codes below {MOST_CODES}; got {data.max()} (numbers that are no "
            f"codes: pass a DataFrame)"
        )
    return table_of(np.maximum(2, 1 + data.max(axis=0).astype(np.int64)).tolist())


def of_strings(data: Sequence[str]) -> Found:
    """A sequence as long as the longest of n strings, with END where lengths differ.

    Raises:
        ValueError: if all strings are empty.

    >>> of_strings(["ab", "a"]).variables[0].categories
    ('a', 'b', '<end>')
    """
    lengths = {len(text) for text in data}
    T = max(lengths)
    if T == 0:
        raise ValueError("data: expected at least one string that is not empty")
    symbols = sorted(set("".join(data)))
    end = None if lengths == {T} else len(symbols)
    return sequence_of(symbols if end is None else [*symbols, END_NAME], T, end)


def of_images(data: np.ndarray) -> Found:
    """Levels of uint8 images (n, H, W) or (n, C, H, W), the same grid for each pixel.

    >>> of_images(np.array([[[0, 255]]], np.uint8)).variables[0].step
    255
    """
    levels = np.unique(data).astype(int)
    # dark images may still get bright pixels later; sparse scales (0 and 255; 0 .. 16) stay sparse
    top = 255 if levels[-1] > 127 else int(levels[-1])
    step = int(np.gcd.reduce(np.diff(levels))) if len(levels) > 1 else 1
    offset = int(levels[0]) % step
    card = max(2, (top - offset) // step + 1)
    shape = data.shape[1:]
    variables = tuple(
        Variable(
            "p" + "_".join(map(str, at)), "ordinal", card, offset=offset, step=step, dtype="uint8"
        )
        for at in np.ndindex(*shape)
    )
    return Found(variables, "image", shape)


def of_frame(data: pd.DataFrame, train: np.ndarray | None = None) -> Found:
    """A table with a variable for each column; a NaN gives it a missing mark.

    Cells' edges come from the rows ``train`` (indices) alone, from all where None.

    Raises:
        ValueError: naming the column, for values that no variable has.

    >>> import pandas as pd
    >>> of_frame(pd.DataFrame({"age": [30, 35, 50]})).variables[0].step
    5.0
    """
    names = list(data.columns)
    for name in names:
        if not isinstance(name, (str, int)):
            raise ValueError(f"data: expected column names of type str or int; got {name!r}")
    if len(set(names)) != len(names):
        raise ValueError(f"data: expected distinct column names; got {names}")
    variables = tuple(_infer_column(name, data[name], train) for name in names)
    return Found(variables, "table", (len(variables),))


def classes(variable: Variable, column: pd.Series) -> Variable:
    """A numeric variable as a nominal one: classes, not quantities; another one as it is.

    Raises:
        ValueError: for a column of numbers that are not whole, or of too many.

    >>> import pandas as pd
    >>> column = pd.Series([3, 5, 3], name="digit")
    >>> classes(of_frame(column.to_frame()).variables[0], column).categories
    (3, 5)
    """
    if not variable.is_numeric:
        return variable
    values = np.unique(column.dropna().to_numpy())
    broken = values[values != np.rint(values.astype(float))]
    if len(broken) or len(values) > MOST_CLASSES:
        expected = "whole numbers as classes" if len(broken) else f"at most {MOST_CLASSES} classes"
        got = f"numbers such as {broken[0]}" if len(broken) else f"{len(values)} different numbers"
        raise ValueError(
            f"label: expected {expected}; column {variable.name!r} holds {got} (a quantity is no "
            f"label: leave it among the columns)"
        )
    found = tuple(values.tolist())
    return Variable(variable.name, categories=found, missing=variable.missing, dtype=variable.dtype)


def _infer_column(name: str | int, column: pd.Series, train: np.ndarray | None) -> Variable:
    import pandas as pd

    where = f"data: column {name!r}"
    hole = column.isna().to_numpy()
    present = column[~hole]
    made = partial(Variable, name, missing=bool(hole.any()), dtype=str(column.dtype))
    if isinstance(column.dtype, pd.CategoricalDtype):
        kind = "ordinal" if column.cat.ordered else "nominal"
        made = partial(made, kind=kind, dtype="category")
        return made(categories=_categories(where, column.cat.categories.tolist(), hole))
    if pd.api.types.is_bool_dtype(column.dtype):
        return made(categories=(False, True))
    if pd.api.types.is_numeric_dtype(column.dtype):
        if len(present) == 0:
            return made(categories=())
        chosen = np.isin(np.arange(len(column)), train) if train is not None else ~hole
        return made(kind="ordinal", **_numeric(where, present, chosen[~hole], hole))
    if pd.api.types.is_datetime64_any_dtype(column.dtype) or "timedelta" in str(column.dtype):
        raise ValueError(f"{where}: dates are not supported; expected numbers or categories")
    try:
        categories = sorted(set(present.tolist()), key=lambda v: (type(v).__name__, v))
    except TypeError:
        value = present.iloc[0]
        raise ValueError(f"{where}: expected plain values; got {type(value).__name__}") from None
    return made(categories=_categories(where, categories, hole))


def _categories(where: str, categories: list[Any], hole: np.ndarray) -> tuple[Any, ...]:
    """The categories, checked; a hole makes one more."""
    for value in categories:
        if not isinstance(value, (str, int, float, bool)):
            raise ValueError(
                f"{where}: expected text, numbers or booleans; got {value!r} "
                f"of type {type(value).__name__}"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{where}: expected finite numbers; got {value}")
    cardinality = len(categories) + bool(hole.any())
    if cardinality > MOST_CODES:
        raise ValueError(
            f"{where}: expected at most {MOST_CODES} different values; got {cardinality}"
        )
    return tuple(categories)


def _numeric(where: str, present: pd.Series, train: np.ndarray, hole: np.ndarray) -> dict[str, Any]:
    """A grid or cells, as arguments of ``Variable``; ``train`` says which values bound cells."""
    values = as_floats(present, where)
    lowest, highest = float(values.min()), float(values.max())
    most = max(-lowest, highest)
    if most > LARGEST or 0 < highest - lowest < SMALLEST_SPREAD:
        raise ValueError(
            f"{where}: expected numbers up to {LARGEST:g} in size that spread over "
            f"{SMALLEST_SPREAD:g} or more; got {lowest!r} .. {highest!r}"
        )
    step = resolution(values)
    levels = int(np.rint((highest - lowest) / step)) + 1
    if levels <= MOST_LEVELS:
        return {"cardinality": levels + bool(hole.any()), "offset": lowest, "step": step}
    if not train.any():
        train = np.ones(len(values), dtype=bool)
    index, counts = np.unique(np.rint((values[train] - lowest) / step), return_counts=True)
    bounds = _cell_bounds(index, counts)
    # bounds lie between grid points, so no value sits on one and rounding can't move it across
    edges = tuple(np.unique(lowest + step * bounds).tolist())
    return {"edges": edges, "offset": lowest, "step": step}


def resolution(values: np.ndarray) -> float:
    """The largest step of which all differences are multiples, from the decimals written.

    Values with more than ``MOST_DECIMALS`` decimals count as continuous: a millionth of the range.
    No step is finer than twice the spacing of float64 at the largest value, whole numbers aside.

    >>> resolution(np.array([1.25, 2.5, 10.0]))
    1.25
    """
    unique = np.unique(values)
    largest = float(np.abs(unique).max())
    spacing = np.spacing(np.abs(unique))
    for decimals in range(MOST_DECIMALS + 1):
        if largest * 10.0**decimals >= (2**53 if decimals == 0 else 2**51):
            break
        whole = np.rint(unique * 10.0**decimals)
        rounding = np.minimum(4 * spacing, 0.25 * 10.0**-decimals)
        if (np.abs(whole / 10.0**decimals - unique) <= rounding).all():
            divisor = int(np.gcd.reduce(np.diff(whole.astype(np.int64)))) if len(whole) > 1 else 1
            return float(Decimal(divisor).scaleb(-decimals))
    spread = float(unique[-1] - unique[0]) or max(1.0, largest)
    step = float(Decimal(1).scaleb(math.floor(math.log10(spread)) - 6))
    return max(step, 2 * float(spacing.max()))


def _cell_bounds(index: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Cell bounds, in grid units, half-way between grid points; at most MOST_CELLS + 1 of them."""
    heavy = counts > HEAVY * counts.sum()
    own = np.concatenate([index[heavy] - 0.5, index[heavy] + 0.5])
    ends = np.array([index[0] - 0.5, index[-1] + 0.5])
    light, light_counts = index[~heavy], counts[~heavy]
    fixed = np.unique(np.concatenate([own, ends]))
    between = np.empty(0)
    n_quantiles = MOST_CELLS - len(fixed) + 1
    if len(light) > 1 and n_quantiles > 0:
        share = np.cumsum(light_counts)[:-1] / light_counts.sum()
        gaps = np.floor((light[:-1] + light[1:]) / 2) + 0.5
        wanted = np.arange(1, n_quantiles + 1) / (n_quantiles + 1)
        at = np.unique(np.minimum(np.searchsorted(share, wanted), len(gaps) - 1))
        between = gaps[at]
    return np.unique(np.concatenate([fixed, between]))
