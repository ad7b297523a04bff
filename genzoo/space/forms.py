"""Between data as people hold it (DataFrames, strings, images, codes) and rows of codes."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.seeding import numpy_rng
from genzoo.space.schema import MISSING, Schema, Variable, grid_points

if TYPE_CHECKING:
    import pandas as pd

LARGEST_INTEGER = 2**53
EXPECTED = (
    "a DataFrame, an integer array of codes (n, D), a list of str, "
    "or uint8 images (n, H, W) or (n, C, H, W)"
)


def is_frame(data: Any) -> bool:
    """Whether ``data`` is a DataFrame, without importing pandas for those who use none."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def form_of(data: Any, name: str = "data") -> str:
    """``"frame"``, ``"codes"``, ``"strings"`` or ``"images"``.

    Raises:
        ValueError: for anything else, and for empty data.
    """
    if isinstance(data, np.ma.MaskedArray):
        raise ValueError(
            f"{name}: got a masked array; expected codes with MISSING (-1) in the masked places"
        )
    if is_frame(data):
        form = "frame"
    elif isinstance(data, np.ndarray) and data.ndim in (3, 4):
        if data.dtype != np.uint8:
            raise ValueError(
                f"{name}: expected images of dtype uint8; got {data.dtype} (images with holes: "
                f"codes of shape (n, D), row by row, with MISSING = -1)"
            )
        form = "images"
    elif isinstance(data, np.ndarray) and np.issubdtype(data.dtype, np.integer):
        if data.ndim != 2:
            raise ValueError(f"{name}: expected codes of shape (n, D); got shape {data.shape}")
        form = "codes"
    elif isinstance(data, (list, tuple)) and all(isinstance(s, str) for s in data):
        form = "strings"
    elif isinstance(data, np.ndarray):
        raise ValueError(
            f"{name}: expected {EXPECTED}; got an array of dtype {data.dtype} and shape "
            f"{data.shape} (numbers that are no codes: pass a DataFrame)"
        )
    else:
        raise ValueError(f"{name}: expected {EXPECTED}; got {type(data).__name__}")
    if len(data) == 0 or (form != "strings" and 0 in data.shape):
        raise ValueError(f"{name}: expected at least one row and one variable; got none")
    return form


def encode(schema: Schema, data: Any, *, given: bool, name: str | None = None) -> np.ndarray:
    """See ``Schema.encode``."""
    name = name or ("given" if given else "data")
    if given and isinstance(data, dict):
        data = _frame_of(data)
    form = form_of(data, name)
    if form == "codes":
        return schema.check_rows(data, allow_missing=True, name=name)
    if form == "strings":
        rows = _encode_strings(schema, data, prefix=given, name=name)
    elif form == "images":
        rows = _encode_images(schema, data, name=name)
    else:
        rows = _encode_frame(schema, data, given=given, name=name)
    return schema.check_rows(rows, allow_missing=True, name=name)


def _frame_of(values: dict[Any, Any]) -> pd.DataFrame:
    import pandas as pd

    if not values:
        raise ValueError("given: expected at least one {column: value}; got an empty dict")
    scalar = all(np.ndim(v) == 0 for v in values.values())
    try:
        return pd.DataFrame({k: [v] for k, v in values.items()} if scalar else values)
    except ValueError as error:
        raise ValueError(f"given: expected values, or lists of one length; {error}") from error


def _encode_strings(schema: Schema, data: list[str], *, prefix: bool, name: str) -> np.ndarray:
    if schema.alphabet is None:
        raise ValueError(
            f"{name}: got strings, but the schema is a {schema.layout} of other values"
        )
    T = schema.D
    categories = schema.variables[0].categories or ()
    codes = {s: c for c, s in enumerate(categories) if c != schema.end}
    rest = MISSING if prefix or schema.end is None else schema.end
    rows = np.full((len(data), T), rest, dtype=np.int64)
    for i, text in enumerate(data):
        if len(text) > T or (schema.end is None and not prefix and len(text) != T):
            bound = "at most" if prefix or schema.end is not None else "exactly"
            raise ValueError(f"{name}: expected {bound} {T} characters; row {i} has {len(text)}")
        try:
            rows[i, : len(text)] = [codes[s] for s in text]
        except KeyError as error:
            raise ValueError(
                f"{name}: row {i} has the character {error.args[0]!r}, which is not in the "
                f"alphabet of {len(codes)}: {''.join(codes)[:80]!r}"
            ) from None
    return rows


def _encode_images(schema: Schema, data: np.ndarray, *, name: str) -> np.ndarray:
    if schema.layout != "image" or not all(v.is_grid for v in schema.variables):
        raise ValueError(f"{name}: got images, but the schema is a {schema.layout} of other values")
    if data.shape[1:] != schema.event_shape:
        raise ValueError(f"{name}: expected shape {('n', *schema.event_shape)}; got {data.shape}")
    flat = data.reshape(len(data), -1).astype(float)
    rows, clamped = _to_grid(schema.variables[0], flat)
    if len(set(schema.variables)) > 1 and any(
        (v.offset, v.step, v.cardinality)
        != (schema.variables[0].offset, schema.variables[0].step, schema.variables[0].cardinality)
        for v in schema.variables
    ):
        columns = [_to_grid(v, flat[:, d]) for d, v in enumerate(schema.variables)]
        rows = np.stack([c for c, _ in columns], axis=1)
        clamped = np.stack([c for _, c in columns], axis=1)
    if clamped.any():
        _warn_clamped(name, "pixels", int(clamped.sum()), clamped.size)
    return rows


def _encode_frame(schema: Schema, data: pd.DataFrame, *, given: bool, name: str) -> np.ndarray:
    columns = list(data.columns)
    if len(set(columns)) != len(columns):
        raise ValueError(f"{name}: expected distinct columns; got {columns}")
    unknown = [c for c in columns if c not in schema.names]
    absent = [c for c in schema.names if c not in columns]
    if unknown or (absent and not given):
        raise ValueError(
            f"{name}: expected the columns {_short(schema.names)}; got {_short(columns)}"
            + (f"; unknown: {_short(unknown)}" if unknown else "")
            + (f"; absent: {_short(absent)}" if absent and not given else "")
        )
    rows = np.full((len(data), schema.D), MISSING, dtype=np.int64)
    clamped = {}
    for d, variable in enumerate(schema.variables):
        if variable.name in columns:
            column = data[variable.name]
            rows[:, d], count = _encode_column(variable, column, given=given, name=name)
            if count:
                clamped[variable.name] = count
    if clamped:
        _warn_clamped(
            name, f"numbers (columns {_short(list(clamped))})", sum(clamped.values()), rows.size
        )
    return rows


def _short(names: list[Any]) -> str:
    shown = ", ".join(repr(n) for n in names[:8])
    return f"[{shown}{', ...' if len(names) > 8 else ''}]"


def _encode_column(
    variable: Variable, column: pd.Series, *, given: bool, name: str
) -> tuple[np.ndarray, int]:
    """The codes, and how many numbers were moved to the nearest one."""
    hole = column.isna().to_numpy()
    codes = np.full(len(column), variable.n_values if variable.missing and not given else MISSING)
    present = column[~hole]
    if len(present) == 0:
        return codes, 0
    clamped = np.zeros(1, dtype=bool)
    where = f"{name}: column {variable.name!r}"
    if variable.is_numeric:
        found, clamped = _to_codes(variable, as_floats(present, where))
    elif variable.categories is None:
        values = as_floats(present, where)
        wrong = (values != np.rint(values)) | (values < 0) | (values >= variable.n_values)
        if wrong.any():
            raise ValueError(
                f"{where}: expected codes 0 .. {variable.n_values - 1}; got {values[wrong][0]:g}"
            )
        found = values.astype(np.int64)
    else:
        look_up = {v: c for c, v in enumerate(variable.categories)}
        found = np.array([look_up.get(v, MISSING) for v in present.tolist()], dtype=np.int64)
        if (found == MISSING).any():
            value = present.tolist()[int(np.argmax(found == MISSING))]
            raise ValueError(
                f"{where}: expected one of {_short(list(variable.categories))}; got {value!r}"
            )
    codes[~hole] = found
    return codes, int(clamped.sum())


def as_floats(column: pd.Series, where: str) -> np.ndarray:
    """A column without holes as float64; ValueError for what is no number that float64 holds."""
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(column.dtype):
        column = column.infer_objects()
    if not pd.api.types.is_numeric_dtype(column.dtype):
        raise ValueError(f"{where}: expected numbers; got {column.iloc[0]!r} ({column.dtype})")
    values = column.to_numpy()
    if values.dtype.kind == "c":
        raise ValueError(f"{where}: expected real numbers; got {column.iloc[0]!r} ({column.dtype})")
    if values.dtype.kind in "iu":
        far = (values >= LARGEST_INTEGER) | (values <= -LARGEST_INTEGER)
        if far.any():
            raise ValueError(
                f"{where}: expected integers below 2**53 in size, which float64 tells apart; "
                f"got {values[far][0]} (an identifier? pass it as text)"
            )
    if values.dtype in (np.float16, np.float32):
        # 0.1 as float32 is 0.10000000149 in float64; the digits that it was written with are meant
        unique, inverse = np.unique(values, return_inverse=True)
        values = np.array([float(str(v)) for v in unique])[inverse]
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{where}: expected finite numbers; got infinity")
    return values


def _to_codes(variable: Variable, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes of numbers, and which numbers lie beyond the range or between grid points."""
    return (_to_grid if variable.edges is None else _to_cells)(variable, values)


def _to_grid(variable: Variable, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    offset, step = variable.offset or 0.0, variable.step or 1.0
    with np.errstate(over="ignore"):  # what overflows lies beyond either end
        position = (values - offset) / step
        codes = np.clip(np.rint(position), 0, variable.n_values - 1)
        distance = np.abs(values - (offset + step * codes))
    # a large value over a small step carries rounding of its own
    rounding = 8 * np.spacing(np.maximum(np.abs(values), abs(offset)))
    return codes.astype(np.int64), distance > 1e-6 * step + rounding


def _to_cells(variable: Variable, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = np.asarray(variable.edges)
    codes = np.searchsorted(edges, values, side="right") - 1
    outside = (values < edges[0]) | (values > edges[-1])
    return np.clip(codes, 0, variable.n_values - 1).astype(np.int64), outside


def _warn_clamped(name: str, what: str, count: int, total: int) -> None:
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_globals["__name__"].split(".")[0] == "genzoo":
        frame, level = frame.f_back, level + 1
    warnings.warn(
        f"{name}: {count} of {total} {what} lie beyond the schema's range or between its grid "
        f"points; they took the end code or the nearest one",
        UserWarning,
        stacklevel=level,  # the caller of fit, log_prob or sample
    )


def off_grid(schema: Schema, data: Any) -> np.ndarray:
    """(n, D) bool: the numbers in ``data`` beyond the range or between grid points."""
    found = np.zeros((len(data), schema.D), dtype=bool)
    if is_frame(data):
        for d, variable in enumerate(schema.variables):
            if variable.is_numeric:
                column = data[variable.name]
                present = column.notna().to_numpy()
                if present.any():
                    values = as_floats(column[present], f"data: column {variable.name!r}")
                    found[present, d] = _to_codes(variable, values)[1]
    elif isinstance(data, np.ndarray) and data.ndim > 2:
        flat = data.reshape(len(data), -1).astype(float)
        for d, variable in enumerate(schema.variables):
            found[:, d] = _to_grid(variable, flat[:, d])[1]
    return found


def decode(schema: Schema, rows: np.ndarray, *, seed: int) -> Any:
    """See ``Schema.decode``."""
    rows = schema.check_rows(rows, name="rows")
    if schema.layout == "table":
        return rows if schema.is_bare else decode_frame(schema, rows, seed=seed)
    if schema.alphabet is not None:
        return decode_strings(schema, rows)
    if schema.layout == "image" and all(_is_pixel(v) for v in schema.variables):
        offset = np.array([v.offset for v in schema.variables])
        step = np.array([v.step for v in schema.variables])
        images = np.rint(offset + step * rows).astype(np.uint8)
        return images.reshape(len(rows), *schema.event_shape)
    return rows


def _is_pixel(variable: Variable) -> bool:
    """Whether each code stands for a level 0 .. 255 of its own."""
    if not variable.is_grid or variable.missing:
        return False
    offset, step = variable.offset or 0.0, variable.step or 1.0
    return offset >= 0 and step >= 1 and offset + step * (variable.n_values - 1) <= 255


def decode_strings(schema: Schema, rows: np.ndarray) -> list[str]:
    categories = schema.variables[0].categories or ()
    reached = schema.reached(rows)
    return [
        "".join(categories[c] for c in row[keep] if c != schema.end)
        for row, keep in zip(rows, reached, strict=True)
    ]


def decode_frame(schema: Schema, rows: np.ndarray, *, seed: int) -> pd.DataFrame:
    """Checked rows of codes as a DataFrame, whatever the codes stand for."""
    import pandas as pd

    columns = {}
    for d, variable in enumerate(schema.variables):
        codes = rows[:, d]
        hole = codes >= variable.n_values
        inside = np.where(hole, 0, codes)
        if variable.is_numeric:
            column = _decode_numbers(variable, inside, numpy_rng(seed, "decode", d))
        elif variable.dtype == "category":
            of = pd.CategoricalDtype(variable.categories, ordered=variable.kind == "ordinal")
            column = pd.Series(pd.Categorical.from_codes(np.where(hole, -1, codes), dtype=of))
        elif variable.categories:
            values = [variable.categories[c] for c in inside]
            column = pd.Series(values, dtype=object).astype(variable.dtype or object)
        else:
            column = pd.Series(inside).astype(variable.dtype or "int64")
        columns[variable.name] = _with_holes(column, hole) if hole.any() else column
    return pd.DataFrame(columns)


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
    if variable.dtype is None or not pd.api.types.is_numeric_dtype(variable.dtype):
        return pd.Series(values)
    dtype = pd.api.types.pandas_dtype(variable.dtype)
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


def _read_back(
    variable: Variable, cast: np.ndarray, codes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The numbers that encoding reads, and whether each has its code and was not moved."""
    import pandas as pd

    read = as_floats(pd.Series(cast), f"variable {variable.name!r}")
    found, moved = _to_codes(variable, read)
    return read, (found == codes) & ~moved


def _draw_in_cells(variable: Variable, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A value of the data's resolution inside each code's cell."""
    import pandas as pd

    edges = np.asarray(variable.edges)
    low, high = edges[codes], edges[codes + 1]
    below_high = np.where(codes == variable.n_values - 1, high, np.nextafter(high, -np.inf))
    uniform = rng.random(len(codes))
    origin = edges[0] if variable.offset is None else variable.offset
    step = variable.step
    whole = variable.dtype is not None and pd.api.types.is_integer_dtype(variable.dtype)
    if whole and (step is None or step % 1 or origin % 1):
        origin, step = 0.0, 1.0
    if step is None:
        return np.clip(low + uniform * (high - low), low, below_high)
    first = np.ceil((low - origin) / step - 1e-9)
    last = np.maximum(np.ceil((high - origin) / step - 1e-9) - 1, first)
    index = first + np.floor(uniform * (last - first + 1))
    return np.clip(grid_points(float(origin), step, index), low, below_high)
