"""One column of a DataFrame to and from the codes of its variable."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.space import dtypes, times
from genzoo.space.typed import PLAIN_NUMBER, TOO_LARGE, typed
from genzoo.space.variable import KNOW_MORE, LARGEST_NUMBER, MISSING, Variable, grid_points
from genzoo.space.variable import LARGEST_INTEGER as LARGEST_INTEGER
from genzoo.spelling import did_you_mean

if TYPE_CHECKING:
    import pandas as pd


def encode(
    variable: Variable, column: pd.Series, where: str, *, given: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The codes of a column, and which of its numbers were moved to the nearest one.

    Args:
        where: the words that errors begin with.
        given: a hole is ``MISSING``, also where the variable has a missing mark.

    Raises:
        ValueError: for a value that the variable doesn't have.

    >>> import pandas as pd
    >>> sizes = Variable("size", categories=("S", "M"), missing=True)
    >>> encode(sizes, pd.Series(["M", None, "S"]), "column 'size'")[0]
    array([1, 2, 0])
    """
    column = typed(column, where)
    hole = column.isna().to_numpy()
    codes = np.full(len(column), variable.n_values if variable.missing and not given else MISSING)
    moved = np.zeros(len(column), dtype=bool)
    present = column[~hole]
    if len(present) == 0:
        return codes, moved
    if variable.is_numeric:
        codes[~hole], moved[~hole] = variable.codes_of(numbers_of(variable, present, where))
    elif variable.categories is None:
        values = as_floats(present, where)
        wrong = (values != np.rint(values)) | (values < 0) | (values >= variable.n_values)
        if wrong.any():
            raise ValueError(
                f"{where}: expected codes 0 .. {variable.n_values - 1}; got {values[wrong][0]:g}"
            )
        codes[~hole] = values.astype(np.int64)
    else:
        codes[~hole] = _places_of(variable, present, where)
    return codes, moved


def _places_of(variable: Variable, present: pd.Series, where: str) -> np.ndarray:
    """(n,) the places of a column's values, none of them a hole, among the categories.

    Raises:
        ValueError: for a value that is none of them.
    """
    import pandas as pd

    categories = variable.categories or ()
    look_up = {v: c for c, v in enumerate(categories)}
    rest = MISSING if variable.other is None else look_up[variable.other]
    of = None
    if isinstance(present.dtype, pd.CategoricalDtype):  # each value once
        present = present.cat.remove_unused_categories()
        of, present = present.cat.codes.to_numpy(), present.cat.categories
    wanted = present.tolist()
    if dtypes.as_text(variable.dtype):
        wanted = [dtypes.text_of(v) for v in wanted]
    # 7 means "7" where that is a category
    found = np.array([look_up.get(v, look_up.get(str(v), rest)) for v in wanted], dtype=np.int64)
    if (found == MISSING).any():
        value = wanted[int(np.argmax(found == MISSING))]
        raise ValueError(
            f"{where}: expected one of {short(categories)}; got {value!r} ({KNOW_MORE})"
            f"{did_you_mean(value, categories)}"
        )
    return found if of is None else found[of]


def numbers_of(variable: Variable, present: pd.Series, where: str) -> np.ndarray:
    """A column without holes as the numbers that a numeric variable counts.

    Raises:
        ValueError: beginning with ``where``, for what is none.

    >>> import pandas as pd
    >>> days = Variable("day", "ordinal", 9, offset=0, step=1, quantity="date", unit="day")
    >>> numbers_of(days, pd.Series(pd.to_datetime(["1970-01-03"])), "column 'day'")
    array([2.])
    """
    if variable.quantity == "number":
        return as_floats(present, where)
    return times.encode(variable, present, where)


def decode(variable: Variable, codes: np.ndarray, rng: np.random.Generator) -> pd.Series:
    """A value for each code (n,), in the column's dtype where that has them; the missing mark
    becomes a hole, and ``rng`` draws the number in a wide cell.

    >>> v = Variable("age", "ordinal", 3, offset=40, step=10, dtype="int64")
    >>> decode(v, np.array([2, 0]), np.random.default_rng(0)).tolist()
    [60, 40]
    """
    import pandas as pd

    hole = codes >= variable.n_values
    inside = np.where(hole, 0, codes)
    if variable.is_numeric:
        column = _decode_numbers(variable, inside, rng)
    elif variable.categories is not None:
        return _decode_categories(variable, np.where(hole, -1, codes))
    else:
        column = pd.Series(inside).astype(dtypes.named(variable.dtype or "int64"))
    return _with_holes(column, hole) if hole.any() else column


def _decode_categories(variable: Variable, codes: np.ndarray) -> pd.Series:
    """The category of each code, a hole where it is -1."""
    import pandas as pd

    name, categories = variable.dtype or "object", variable.categories or ()
    dtype, hole = dtypes.named(name), codes < 0
    values = dtypes.values_of(name, categories) if dtypes.as_text(name) else list(categories)
    if name.startswith("category"):
        of = pd.CategoricalDtype(values, ordered=variable.kind == "ordinal")
        return pd.Series(pd.Categorical.from_codes(codes, dtype=of))
    if name.startswith("dictionary"):
        return pd.Series(dtypes.dictionary(dtype, codes, values))
    if len(categories) == 0:
        return pd.Series([None] * len(codes), dtype=dtype)
    column = pd.Series([values[c] for c in np.maximum(codes, 0)], dtype=object)
    if variable.other is None or isinstance(dtype, pd.StringDtype):
        column = column.astype(dtype)
    return _with_holes(column, hole) if hole.any() else column


def as_floats(column: pd.Series, where: str) -> np.ndarray:
    """A column without holes as float64.

    Raises:
        ValueError: beginning with ``where``, for what is no number that float64 holds.

    >>> import pandas as pd
    >>> as_floats(pd.Series([0.1], dtype="float32"), "column 'v'")
    array([0.1])
    """
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(column.dtype):
        texts = [v.strip() for v in column if isinstance(v, str)]
        if len(texts) == len(column) and all(map(PLAIN_NUMBER.fullmatch, texts)):
            column = pd.Series(texts).astype("float64")
        column = column.infer_objects()
    if not pd.api.types.is_numeric_dtype(column.dtype):
        raise ValueError(f"{where}: expected numbers; got {column.iloc[0]!r} ({column.dtype})")
    values = column.to_numpy()
    if values.dtype.kind == "c":
        raise ValueError(f"{where}: expected real numbers; got {column.iloc[0]!r} ({column.dtype})")
    if values.dtype.kind in "iu":
        far = (values >= LARGEST_INTEGER) | (values <= -LARGEST_INTEGER)
        if far.any():
            raise ValueError(TOO_LARGE.format(where=where, got=values[far][0]))
    if values.dtype in (np.float16, np.float32):
        # 0.1 as float32 is 0.10000000149 in float64; the digits that it was written with are meant
        unique, inverse = np.unique(values, return_inverse=True)
        values = np.array([float(str(v)) for v in unique])[inverse]
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(
            f"{where}: expected finite numbers; got infinity (as a hole: "
            f".replace([np.inf, -np.inf], np.nan))"
        )
    return values


def kept_in(drawn: pd.Series, given: pd.Series, where: str) -> pd.Series:
    """A drawn column (n,) with a given one's numbers and dates (n, with holes) exactly as they are,
    not as some value of the same cell.

    >>> import pandas as pd
    >>> kept_in(pd.Series([1.5, 2.5]), pd.Series([1.25, None]), "given").tolist()
    [1.25, 2.5]
    """
    import pandas as pd

    given = typed(given, where)
    hole, dtype = given.isna().to_numpy(), drawn.dtype
    kind = times.kind_of(drawn)
    if hole.all():
        return drawn
    if kind is not None:
        values = drawn.astype(object)
        values[~hole] = times.like(kind, given[~hole], where).astype(object)
        return values.astype(dtype)
    if not pd.api.types.is_numeric_dtype(dtype):  # one that was folded comes back as itself
        values, own = drawn.astype(object), given.astype(object)
        folded = ~hole & (own.map(str) != values.map(str)).to_numpy()
        return values.mask(folded, own).astype(_with(dtype, own[folded])) if folded.any() else drawn
    numbers = drawn.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    numbers[~hole] = as_floats(given[~hole], where)
    if isinstance(dtype, pd.ArrowDtype) and dtype.kind == "O":
        return _decimals(numbers, dtype)
    whole = dtype.kind in "iu"
    fits = not whole or np.isnan(numbers) | ((numbers % 1 == 0) & _holds(dtype, numbers))
    return pd.Series(numbers).astype(dtype if np.all(fits) else "float64")


def _with(dtype: Any, values: pd.Series) -> Any:
    """A dtype of text or categories that has some further values too."""
    import pandas as pd

    if not isinstance(dtype, pd.CategoricalDtype):
        return dtype
    more = [v for v in values.unique().tolist() if v not in dtype.categories]
    return pd.CategoricalDtype([*dtype.categories, *more], dtype.ordered)


def _holds(dtype: Any, numbers: np.ndarray) -> np.ndarray:
    """Whether an integer dtype, of NumPy or not, reaches each of some numbers."""
    info = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
    return (numbers >= info.min) & (numbers <= info.max)


def short(names: Sequence[Any]) -> str:
    """The first of some names, for an error."""
    shown = ", ".join(repr(n) for n in names[:8])
    return f"[{shown}{', ...' if len(names) > 8 else ''}]"


def _with_holes(column: pd.Series, hole: np.ndarray) -> pd.Series:
    """The column without what stands where the missing mark was, in its dtype where that can."""
    if column.dtype.kind in "iu" and isinstance(column.dtype, np.dtype):
        column = column.astype("float64")
    if column.dtype.kind in "bO" and isinstance(column.dtype, np.dtype):
        return column.astype(object).where(~hole, None)
    return column.where(~hole)


def _decode_numbers(variable: Variable, codes: np.ndarray, rng: np.random.Generator) -> pd.Series:
    """A number in each code's cell: in the column's dtype, or float64 where that has none there."""
    import pandas as pd

    on_grid = variable.edges is None
    values = variable.on_grid(codes) if on_grid else _draw_in_cells(variable, codes, rng)
    if variable.quantity != "number":
        return times.decode(variable, values)
    dtype = None if variable.dtype is None else dtypes.named(variable.dtype)
    if dtype is None or not pd.api.types.is_numeric_dtype(dtype):
        return pd.Series(values)
    if isinstance(dtype, pd.ArrowDtype) and dtype.kind == "O":
        return _decimals(values, dtype)
    narrow = np.dtype(getattr(dtype, "numpy_dtype", dtype))
    if narrow.kind == "f":
        most = float(np.finfo(narrow).max)
        cast = np.clip(values, -most, most).astype(narrow)
    else:
        info = np.iinfo(narrow if narrow.kind in "iu" else np.int8)
        low, high = max(info.min, 1 - LARGEST_INTEGER), min(info.max, LARGEST_INTEGER - 1)
        cast = np.clip(np.rint(values), low, high).astype(narrow)
    read, fits = _read_back(variable, cast, codes)
    if narrow.kind == "f" and not fits.all():
        # the cast left the cell by less than the dtype's spacing: one step leads back
        toward = np.where(read < values, most, -most).astype(narrow)
        cast = np.where(fits, cast, np.nextafter(cast, toward))
        fits = _read_back(variable, cast, codes)[1]
    return pd.Series(cast).astype(dtype) if fits.all() else pd.Series(values)


def _decimals(values: np.ndarray, dtype: pd.ArrowDtype) -> pd.Series:
    """Numbers in a decimal dtype of Arrow; float64 where its digits don't suffice."""
    import pandas as pd
    import pyarrow as pa

    last = Decimal(1).scaleb(-dtype.pyarrow_dtype.scale)
    try:
        exact = [Decimal(repr(v)).quantize(last) for v in values.tolist()]
        return pd.Series(exact, dtype=object).astype(dtype)
    except (InvalidOperation, pa.ArrowInvalid):
        return pd.Series(values)


def _read_back(
    variable: Variable, cast: np.ndarray, codes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The numbers that encoding reads, and whether each has its code and was not moved."""
    import pandas as pd

    read = as_floats(pd.Series(cast), f"variable {variable.name!r}")
    found, moved = variable.codes_of(read)
    return read, (found == codes) & ~moved


def _draw_in_cells(variable: Variable, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A value of the data's resolution inside each code's cell."""
    import pandas as pd

    edges = np.asarray(variable.edges)
    low, high = edges[codes], edges[codes + 1]
    below_high = np.where(codes == variable.n_values - 1, high, np.nextafter(high, -np.inf))
    single = np.nextafter(low, np.inf) >= high  # a cell of one value
    uniform = rng.random(len(codes))
    origin = edges[0] if variable.offset is None else variable.offset
    step = variable.step
    whole = variable.dtype is not None and pd.api.types.is_integer_dtype(
        dtypes.named(variable.dtype)
    )
    if whole and (step is None or step % 1 or origin % 1):
        origin, step = 0.0, 1.0
    if step is None:
        values = low + uniform * (high - low)
        return np.where(single, low, np.clip(values, low, below_high))
    with np.errstate(over="ignore"):  # only in a gap far out, where any number will do
        starts, ends = ((e - origin) / step - 1e-9 for e in (low, high))
        first = np.ceil(np.clip(starts, -LARGEST_NUMBER, LARGEST_NUMBER))
        last = np.maximum(np.ceil(np.clip(ends, -LARGEST_NUMBER, LARGEST_NUMBER)) - 1, first)
        index = first + np.floor(uniform * (last - first + 1))
        values = np.clip(grid_points(float(origin), step, index), low, below_high)
    return np.where(single, low, values)
