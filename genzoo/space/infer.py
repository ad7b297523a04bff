"""Reading a schema off some data: kinds, categories, grids and cells.

Numbers lie on a grid where the data's own resolution gives at most ``MOST_LEVELS`` levels, else on
at most ``MOST_CELLS`` cells between quantiles of the training rows; a value that takes more than
``HEAVY`` of those rows gets a cell of its own, as narrow as the resolution. So does a value that
stands apart from the rest (``space/outliers.py``), however rare: the resolution is that of the
rest. Where values spread over so many orders of size that no one resolution tells them apart, cells
lie between the values themselves and ``step`` is None: a value's own cell is then as narrow as
float64, and has that width in a log density.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from genzoo.space import dtypes, folding, outliers, times
from genzoo.space.column import as_floats
from genzoo.space.typed import are_names, typed
from genzoo.space.variable import (
    LARGEST_NUMBER,
    MISSING,
    MOST_DECIMALS,
    Quantity,
    Unit,
    Variable,
    grid_points,
    plain,
)

if TYPE_CHECKING:
    import pandas as pd

Layout = Literal["table", "sequence", "image"]

MOST_LEVELS = 1024
MOST_CELLS = 256
HEAVY = 0.05
# the columns of tests/test_cells.py are sampled as well with 10 to 1000 and with 0.005 to 0.05
APART = 100.0  # times farther out than any other: a cell of its own, not a quantile's
COARSE = 0.02  # the share of rows that a grid may merge with others into one cell
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
            f"data: expected codes from 0, or MISSING (-1); got {data[i, d]} in row {i} "
            f"(numbers that are no codes: pass a DataFrame)"
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


def of_frame(
    data: pd.DataFrame, train: np.ndarray | None = None, *, whole: Container[str | int] = ()
) -> Found:
    """A table with a variable for each column; a NaN gives it a missing mark.

    Args:
        data: the values, a column each.
        train: indices of the rows from which cells' edges come; all where None.
        whole: the columns whose rare categories are not folded into one (``space/folding.py``).

    Raises:
        ValueError: naming the column, for values that no variable has.

    >>> import pandas as pd
    >>> of_frame(pd.DataFrame({"age": [30, 35, 50]})).variables[0].step
    5.0
    """
    names = [plain(name) for name in data.columns]
    for name in names:
        if not isinstance(name, (str, int)) or isinstance(name, bool):
            each = '["_".join(map(str, name)) for name in data.columns]'
            way = each if isinstance(name, tuple) else "data.columns.map(str)"
            raise ValueError(
                f"data: expected column names of type str or int; got {name!r} (write "
                f"data.columns = {way})"
            )
    if len(set(names)) != len(names):
        raise ValueError(
            f"data: expected distinct column names; got {names} (keep the first of each: "
            f"data.loc[:, ~data.columns.duplicated()])"
        )
    variables = tuple(_infer_column(name, data[name], train, name not in whole) for name in names)
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
    if variable.quantity != "number":
        raise ValueError(
            f"label: expected classes; column {variable.name!r} holds {variable.quantity}s (as "
            f"classes: .astype(str))"
        )
    values = np.unique(typed(column, "label").dropna().to_numpy())
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


def _infer_column(
    name: str | int, column: pd.Series, train: np.ndarray | None, fold: bool
) -> Variable:
    import pandas as pd

    where = f"data: column {name!r}"
    given, column = column.dtype, typed(column, where)
    hole = column.isna().to_numpy()
    present = column[~hole]
    made = partial(Variable, name, missing=bool(hole.any()), dtype=_kept(given, column))
    if isinstance(column.dtype, (pd.CategoricalDtype, pd.IntervalDtype)):
        return _of_categories(made, where, column, hole, fold)
    chosen = (np.isin(np.arange(len(column)), train) if train is not None else ~hole)[~hole]
    if times.kind_of(present) is not None and len(present):
        return made(kind="ordinal", **_instants(where, present, chosen, hole))
    if pd.api.types.is_bool_dtype(column.dtype):
        return made(categories=(False, True))
    if pd.api.types.is_numeric_dtype(column.dtype):
        if len(present) == 0:
            return made(categories=())
        if are_names(present):
            found = sorted(set(present.tolist()))
            return made(**_categories(where, found, present.astype(object), hole, fold))
        return made(kind="ordinal", **_numeric(where, present, chosen, hole))
    different = dict.fromkeys(present.tolist())
    _check_plain(where, different)
    categories = sorted(different, key=lambda v: (type(v).__name__, v))
    return made(**_categories(where, categories, present, hole, fold))


def _check_plain(where: str, categories: Iterable[Any]) -> None:
    for value in categories:
        if not isinstance(value, (str, int, float, bool)):
            raise ValueError(
                f"{where}: expected text, numbers or booleans; got {value!r} "
                f"of type {type(value).__name__} (as text: .map(str, na_action='ignore'))"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{where}: expected finite numbers; got {value}")


def _kept(given: Any, column: pd.Series) -> str:
    """The name of the dtype in which a column comes back: of objects, and of sparse values, that
    of what they hold."""
    import pandas as pd

    if isinstance(given, pd.CategoricalDtype):
        return dtypes.of_categories(given.categories)
    held = given == np.dtype(object) or isinstance(given, pd.SparseDtype)
    name = str(column.dtype if held else given)
    return name.replace("string_view[", "large_string[")  # which Arrow can't do much with yet


def _of_categories(
    made: Callable[..., Variable], where: str, column: pd.Series, hole: np.ndarray, fold: bool
) -> Variable:
    """The variable of a column of categories, used or not, or of intervals, which lie in order."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        values, ordered = column.cat.categories, column.cat.ordered
    else:
        values, ordered = pd.Index(column.dropna().unique()).sort_values(), True
    present, found = column[~hole].astype(object), values.tolist()
    fold = fold and not ordered
    if dtypes.as_text(dtypes.of_categories(values)):  # which another name would not be one of
        found, fold = [dtypes.text_of(v) for v in found], False
    kind = "ordinal" if ordered else "nominal"
    return made(kind=kind, **_categories(where, found, present, hole, fold))


def _categories(
    where: str, categories: list[Any], present: pd.Series, hole: np.ndarray, fold: bool
) -> dict[str, Any]:
    """The categories, checked, as arguments of ``Variable``; a hole makes one more."""
    _check_plain(where, categories)
    other = None
    if fold and len(categories) > folding.MANY_CATEGORIES:
        seen = present.value_counts().to_dict()
        counts = np.array([seen.get(value, 0) for value in categories])
        stays = folding.kept(counts)
        # those that were declared and are not seen do no harm, as long as they are not too many
        if not stays[counts > 0].all() or len(categories) > folding.MOST_CATEGORIES:
            other = folding.name_among(set(categories))
            categories = [v for v, stay in zip(categories, stays, strict=True) if stay] + [other]
    cardinality = len(categories) + bool(hole.any())
    if cardinality > MOST_CODES:
        raise ValueError(
            f"{where}: expected at most {MOST_CODES} different values; got {cardinality}"
        )
    return {"categories": tuple(categories), "other": other}


def _instants(
    where: str, present: pd.Series, train: np.ndarray, hole: np.ndarray
) -> dict[str, Any]:
    """Dates, durations or times, counted, as arguments of ``Variable``; see ``_numeric``."""
    import pandas as pd

    kind, instants = times.read(present, where)
    unit = times.unit_of(kind.quantity, instants)
    counts = pd.Series(np.floor(times.counts_of(instants, unit)))
    found = _numeric(where, counts, train, hole, kind.quantity, unit)
    return {**found, "dtype": kind.dtype, "quantity": kind.quantity, "unit": unit}


def _numeric(
    where: str,
    present: pd.Series,
    train: np.ndarray,
    hole: np.ndarray,
    quantity: Quantity = "number",
    unit: Unit | None = None,
) -> dict[str, Any]:
    """A grid or cells, as arguments of ``Variable``; ``train`` says which values bound cells."""
    values = as_floats(present, where)
    lowest, highest = float(values.min()), float(values.max())
    most = max(-lowest, highest)
    if most > LARGEST or 0 < highest - lowest < SMALLEST_SPREAD:
        raise ValueError(
            f"{where}: expected numbers up to {LARGEST:g} in size that spread over "
            f"{SMALLEST_SPREAD:g} or more; got {lowest!r} .. {highest!r} (a mark of missing "
            f"values? make it NaN)"
        )
    step = resolution(values)
    levels = np.rint((highest - lowest) / step) + 1
    if levels <= MOST_LEVELS:
        return {"cardinality": int(levels) + bool(hole.any()), "offset": lowest, "step": step}
    unique, counts = np.unique(values, return_counts=True)
    out = outliers.far(unique, counts, APART)
    found = outliers.apart(unique, counts, quantity=quantity, unit=unit)
    out |= np.isin(unique, [value for value, _ in found])
    rest = ~np.isin(values, unique[out])
    if not (train & rest).any():
        train = rest
    return _cells(values[rest], values[rest & train], unique[out])


def _cells(values: np.ndarray, train: np.ndarray, apart: np.ndarray) -> dict[str, Any]:
    """Cells as arguments of ``Variable``: between quantiles of the values ``train``, and one for
    each value that stands ``apart`` from the others, with an empty one beside it."""
    step, lowest = resolution(values), float(values.min())
    most = MOST_CELLS - 2 * len(apart)
    index, of = np.unique(np.rint((train - lowest) / step), return_inverse=True)
    counts = np.bincount(of)
    if _merges(train, counts, of):
        edges = _bounds_between(*np.unique(train, return_counts=True), most)
        ends = [bound for value in apart for bound in _alone(float(value), None)]
        return {"edges": tuple(np.union1d(edges, ends).tolist())}
    # bounds lie between grid points, so no value sits on one and rounding can't move it across
    edges = np.unique(lowest + step * _cell_bounds(index, counts, most))
    for value in apart:
        with np.errstate(over="ignore"):  # what overflows is far from any grid
            on_grid = grid_points(lowest, step, np.rint((value - lowest) / step)) == value
        edges = np.union1d(edges, _alone(value, step if on_grid else None))
    return {"edges": tuple(edges.tolist()), "offset": lowest, "step": step}


def _merges(values: np.ndarray, counts: np.ndarray, of: np.ndarray) -> bool:
    """Whether a grid is too coarse for values over many orders of size: ``of`` (n,) says on which
    of its points each lies, ``counts`` how many lie there; a value that repeats is one point's."""
    _, first, repeats = np.unique(values, return_index=True, return_counts=True)
    commonest = np.zeros(len(counts), dtype=np.int64)
    np.maximum.at(commonest, of[first], repeats)
    return bool((counts - commonest).max() > COARSE * counts.sum())


def _alone(value: float, step: float | None) -> list[float]:
    """The bounds of the cell of one value: as wide as the step, where float64 tells the two from
    it, else no wider than the value."""
    if step is not None and value - step / 2 < value < value + step / 2:
        return [value - step / 2, value + step / 2]
    return [value, float(np.nextafter(value, np.inf))]


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


def _cell_bounds(index: np.ndarray, counts: np.ndarray, most: int) -> np.ndarray:
    """Cell bounds, in grid units, half-way between grid points; of at most ``most`` cells."""
    heavy = counts > HEAVY * counts.sum()
    own = np.concatenate([index[heavy] - 0.5, index[heavy] + 0.5])
    ends = np.array([index[0] - 0.5, index[-1] + 0.5])
    fixed = np.unique(np.concatenate([own, ends]))
    light = index[~heavy]
    gaps = np.floor((light[:-1] + light[1:]) / 2) + 0.5
    between = _at_quantiles(gaps, counts[~heavy], most - len(fixed) + 1)
    return np.unique(np.concatenate([fixed, between]))


def _bounds_between(values: np.ndarray, counts: np.ndarray, most: int) -> np.ndarray:
    """Bounds of at most ``most`` cells half-way between ascending values, whatever their sizes."""
    heavy = counts > HEAVY * counts.sum()
    own = [bound for value in values[heavy] for bound in _alone(float(value), None)]
    fixed = np.unique([*own, values[0], max(values[-1], np.nextafter(values[0], np.inf))])
    light = values[~heavy]
    gaps = light[:-1] + (light[1:] - light[:-1]) / 2
    gaps = np.where(gaps > light[:-1], gaps, light[1:])  # the upper of two neighbours in float64
    between = _at_quantiles(gaps, counts[~heavy], most - len(fixed) + 1)
    return np.unique(np.concatenate([fixed, between]))


def _at_quantiles(gaps: np.ndarray, counts: np.ndarray, n: int) -> np.ndarray:
    """Those of the ``gaps`` between values (k,) that cut their ``counts`` at n quantiles, or at
    fewer where a value spans several."""
    if len(gaps) == 0 or n < 1:
        return np.empty(0)
    share = np.cumsum(counts)[:-1] / counts.sum()
    wanted = np.arange(1, n + 1) / (n + 1)
    return gaps[np.unique(np.minimum(np.searchsorted(share, wanted), len(gaps) - 1))]
