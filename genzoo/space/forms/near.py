"""``near``: of data of no form, what they are and the way that works."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

MOST_SYMBOLS = 0xD800  # characters up to here stand for themselves, beyond lie halves of others
EXACT = 1e-4  # float32 keeps 255 times k / 255 to within 1e-5; what is further off is no level


def near(data: object) -> str:
    """What data of no form are, and what to do: the end of an error.

    >>> near(np.array(["ab", "a"]))
    "an array of dtype <U2 and shape (2,): for texts, one str a row, pass data.tolist(); for a \
column of names pandas.DataFrame({'name': data})"
    >>> near({"age": [1, 2]})
    'a dict: pass pandas.DataFrame(data)'
    """
    for rule in RULES:
        found = rule(data)
        if found is not None:
            return found
    return type(data).__name__


def _is_of(data: object, library: str, *names: str) -> bool:
    """Whether data are an object of a library, which who has one has imported."""
    if library not in sys.modules:
        return False
    kinds = type(data).__mro__
    return any(k.__module__.split(".")[0] == library and k.__name__ in names for k in kinds)


def _is_hole(value: object) -> bool:
    return (
        value is None
        or (isinstance(value, (float, np.floating)) and bool(np.isnan(value)))
        or type(value).__name__ in ("NAType", "NaTType")
    )


def _shown(value: object) -> str:
    return reprlib.repr(value)


# -------------------------------------------------------------------------------- text, containers


def _text(data: object) -> str | None:
    if isinstance(data, Path) or (isinstance(data, str) and _names_a_file(data)):
        return (
            f"a path, {str(data)!r}: read it first, as pandas.read_csv does (genzoo.compare, "
            f"'genzoo fit' and 'genzoo compare' read files themselves)"
        )
    if isinstance(data, str):
        if "\n" in data.strip() or len(data) > 100:
            return (
                f"a single str of {len(data)} characters: pass a list with one str a row, such as "
                f"data.splitlines(), or windows of running text, [data[i:i + 64] for i in "
                f"range(0, len(data), 64)]"
            )
        return "a single str: for one row pass [data]"
    if isinstance(data, (bytes, bytearray)):
        return "bytes: pass text with one str a row, data.decode('utf-8').splitlines()"
    return None


def _names_a_file(text: str) -> bool:
    try:
        return len(text) < 1000 and text.strip() != "" and Path(text).is_file()
    except (OSError, ValueError):
        return False


def _container(data: object) -> str | None:
    if isinstance(data, dict):
        return "a dict: pass pandas.DataFrame(data)"
    if isinstance(data, (set, frozenset)):
        return "a set, which has no order and holds each value once: pass sorted(data)"
    if hasattr(data, "read") and hasattr(data, "readline"):
        return "an open file: pass data.read().splitlines(), one str a line"
    if isinstance(data, range):
        return "a range: pass pandas.DataFrame({'value': data})"
    if isinstance(data, Iterator) or type(data).__name__.startswith("dict_"):
        return f"a {type(data).__name__}: pass list(data)"
    return None


# -------------------------------------------------------------------------------- other libraries


def _column(data: Any) -> str | None:
    """A single column of pandas, polars or arrow: texts, or values of one variable?"""
    if _is_of(data, "pandas", "Series", "Index"):
        listed, framed = "data.tolist()", "data.to_frame()"
    elif _is_of(data, "polars", "Series"):
        listed, framed = "data.to_list()", "data.to_frame().to_pandas()"
    elif _is_of(data, "pyarrow", "Array", "ChunkedArray"):
        listed, framed = "data.to_pylist()", "pandas.DataFrame({'value': data.to_pylist()})"
    elif _is_of(data, "pandas", "ExtensionArray"):
        listed, framed = "list(data)", "pandas.DataFrame({'value': data})"
    else:
        return None
    values = list(data) if listed == "list(data)" else getattr(data, listed[5:-2])()
    kind = f"a {type(data).__module__.split('.')[0]} {type(data).__name__}"
    if not any(isinstance(v, str) for v in values):
        if values and all(isinstance(v, (list, tuple, np.ndarray)) for v in values):
            return f"{kind} {_of_sequences(values, listed)}"
        return f"{kind}, a single column: pass {framed}"
    wrong = next((i for i, v in enumerate(values) if not isinstance(v, str)), None)
    if wrong is None:
        return f"{kind}: for texts, one str a row, pass {listed}; for a column of names {framed}"
    return (
        f"{kind} whose entry {wrong} is {_shown(values[wrong])}: for texts, one str a row, pass "
        f"[s for s in {listed} if isinstance(s, str)]; for a column of names {framed}"
    )


def _foreign(data: object) -> str | None:
    if _is_of(data, "torch", "Tensor"):
        array = data.detach().cpu()  # type: ignore[attr-defined]
        own = "data.numpy()" if array is data else "data.detach().cpu().numpy()"
        try:
            return f"a torch tensor: {_of_array(array.numpy(), own)}"
        except (TypeError, RuntimeError):  # bfloat16, sparse, quantised: unknown to NumPy
            return f"a torch tensor of {array.dtype}: pass data.detach().cpu().float().numpy()"
    if _is_of(data, "PIL", "Image"):
        return "one PIL image: pass numpy.asarray(data)[None]"
    if _is_of(data, "scipy", "sparray", "spmatrix"):
        return f"a sparse {type(data).__name__}: {_of_array(np.zeros((1, 1)), 'data.toarray()')}"
    if _is_of(data, "polars", "LazyFrame"):
        return "a polars LazyFrame: pass data.collect()"
    if _is_of(data, "pyarrow", "RecordBatchReader"):
        return "an Arrow RecordBatchReader: pass data.read_all()"
    if type(data).__name__.endswith("GroupBy") or type(data).__name__.endswith("Grouper"):
        return (
            f"a {type(data).__name__}: pass the table that was grouped (Dataset.from_data(..., "
            f"groups=...) keeps groups together)"
        )
    for method in ("toPandas", "compute"):  # Spark, dask
        if hasattr(data, method):
            return f"a {type(data).__module__.split('.')[0]} {type(data).__name__}: pass " + (
                f"data.{method}()"
            )
    if hasattr(data, "to_pandas"):
        return (
            f"a {type(data).__module__.split('.')[0]} {type(data).__name__}: pass data.to_pandas()"
        )
    if hasattr(data, "__array__") and not isinstance(data, (np.ndarray, np.generic)):
        kind = f"a {type(data).__module__.split('.')[0]} {type(data).__name__}"
        return f"{kind}: pass numpy.asarray(data)"
    return None


# -------------------------------------------------------------------------------- lists


def _list(data: object) -> str | None:
    if not isinstance(data, (list, tuple)) or not data:
        return None
    return f"a {type(data).__name__} {_of_entries(data, 'data')}"


def _of_entries(data: Sequence[Any], own: str) -> str:
    """Of the entries that ``own`` gives, in Python: what they are and what to do."""
    if any(isinstance(v, str) for v in data):
        return f"whose {_wrong_text(data, own)}"
    for rule in (_of_holes, _of_bytes, _of_records, _of_pictures, _of_sequences):
        found = rule(data, own)
        if found is not None:
            return found
    if all(isinstance(v, (int, float, np.number, np.bool_)) or _is_hole(v) for v in data):
        return f"of numbers: pass pandas.DataFrame({{'value': {own}}})"
    return f"of {type(data[0]).__name__}"


def _wrong_text(data: Sequence[Any], own: str) -> str:
    i, value = next((i, v) for i, v in enumerate(data) if not isinstance(v, str))
    if _is_hole(value):
        what = f"[s for s in {own} if isinstance(s, str)] leaves such entries out"
        return f"entry {i} is {_shown(value)}: {what}; '' is an empty text"
    if isinstance(value, (bytes, bytearray)):
        what = "decode it, value.decode('utf-8')"
    elif isinstance(value, (list, tuple)):
        what = "write each row as one str, ''.join(value)"
    else:
        what = f"write it as text, [str(s) for s in {own}]"
    return f"entry {i} is {_shown(value)}, of type {type(value).__name__}: {what}"


def _of_holes(data: Sequence[Any], own: str) -> str | None:
    if all(map(_is_hole, data)):
        return f"of nothing but {_shown(data[0])}: there is nothing to learn from"
    return None


def _of_bytes(data: Sequence[Any], own: str) -> str | None:
    i = next((i for i, v in enumerate(data) if isinstance(v, (bytes, bytearray))), None)
    if i is None:
        return None
    return f"whose entry {i} is bytes: pass [s.decode('utf-8') for s in {own}]"


def _of_records(data: Sequence[Any], own: str) -> str | None:
    return f"of dicts: pass pandas.DataFrame({own})" if isinstance(data[0], dict) else None


def _of_pictures(data: Sequence[Any], own: str) -> str | None:
    """PIL images, and arrays and tensors as large as images."""
    if all(_is_of(v, "PIL", "Image") for v in data):
        return _of_pil(data, own)
    if all(_is_of(v, "torch", "Tensor") for v in data):
        shapes, stack = [tuple(v.shape) for v in data], f"torch.stack({own}).numpy()"
    elif all(isinstance(v, np.ndarray) for v in data):
        shapes, stack = [v.shape for v in data], f"numpy.stack({own})"
    else:
        return None
    i = _first_other(shapes)
    if i is None:
        return f"of {type(data[0]).__name__}s of shape {shapes[0]}: pass {stack}"
    if len(shapes[0]) < 2:
        return None  # sequences
    return (
        f"of images whose entry {i} has shape {shapes[i]}, entry 0 {shapes[0]}: bring them to one "
        f"size, then pass {stack}"
    )


def _of_pil(data: Sequence[Any], own: str) -> str:
    sizes = [(*image.size, image.mode) for image in data]
    i = _first_other(sizes)
    if i is None and sizes[0][2] in ("1", "L", "RGB", "RGBA"):
        return f"of PIL images: pass numpy.stack([numpy.asarray(image) for image in {own}])"
    width, height, _ = sizes[0]
    first, other = ("{} x {} {}".format(*sizes[k]) for k in (0, i or 0))
    what = f"of PIL images of mode {sizes[0][2]}"
    if i is not None:
        what = f"of PIL images whose entry {i} is {other}, entry 0 {first}: make them alike"
    return (
        f"{what}: pass numpy.stack([numpy.asarray(image.convert('RGB').resize(({width}, {height})))"
        f" for image in {own}])"
    )


def _first_other(values: Sequence[Any]) -> int | None:
    return next((i for i, value in enumerate(values) if value != values[0]), None)


def _of_sequences(data: Sequence[Any], own: str) -> str | None:
    """Lists of symbols (numbers or tokens), of one length or of several."""
    rows = [v.tolist() if hasattr(v, "tolist") else v for v in data]
    kinds = [isinstance(row, (list, tuple)) for row in rows]
    if not any(kinds):
        return None
    if not all(kinds):
        i = kinds.index(False)
        return (
            f"whose entry {i} is {_shown(rows[i])}, of type {type(data[i]).__name__}, among lists: "
            f"leave it out, or write it as a list"
        )
    for i, row in enumerate(rows):
        j = next((j for j, value in enumerate(row) if _is_hole(value)), None)
        if j is not None:
            return (
                f"whose entry {i} holds {_shown(row[j])} at place {j}: leave it out, or pass "
                f"pandas.DataFrame({own})"
            )
    odd = _first_other([len(row) for row in rows])
    symbols = [s for row in rows for s in row]
    if odd is None:
        if all(isinstance(s, int) for s in symbols):
            return (
                f"of lists: for codes pass numpy.array({own}), for numbers pandas.DataFrame({own})"
            )
        return f"of lists: for a table pass pandas.DataFrame({own}), for texts a list of str"
    lengths = f"whose entry {odd} has length {len(rows[odd])}, entry 0 has {len(rows[0])}"
    if all(isinstance(s, str) and len(s) == 1 for s in symbols):
        return f"{lengths}: pass [''.join(row) for row in {own}], one str a row"
    what = f"{lengths}: write sequences of different length as texts, a character for each symbol"
    if all(isinstance(s, int) and 0 <= s < MOST_SYMBOLS for s in symbols):
        return (
            f"{what}: [''.join(map(chr, row)) for row in {own}] (back from samples: "
            f"[[ord(c) for c in text] for text in samples])"
        )
    return (
        f"{what}: symbols = sorted({{s for row in {own} for s in row}}) and "
        f"[''.join(chr(256 + symbols.index(s)) for s in row) for row in {own}] (back from samples: "
        f"[[symbols[ord(c) - 256] for c in text] for text in samples])"
    )


# -------------------------------------------------------------------------------- arrays


def _array(data: object) -> str | None:
    if isinstance(data, np.generic):
        return f"a single {type(data).__name__}"
    return _of_array(data, "data") if isinstance(data, np.ndarray) else None


def _of_array(data: np.ndarray, own: str) -> str:
    """Of an array that ``own`` gives, in Python, what it is and what to do."""
    what = f"an array of dtype {data.dtype} and shape {data.shape}"
    kind, is_plain = data.dtype.kind, own == "data"
    if kind in "USO" and data.ndim == 1 and len(data):
        return f"{what}{_of_texts(data, own)}"
    if data.ndim == 0:
        return f"{what}, a single value"
    if kind in "iu" and data.ndim == 1:
        return f"{what}: pass {own}[:, None] for n rows of one variable, {own}[None] for one row"
    if data.ndim in (3, 4) and kind in "biuf":
        return f"{what}: {_pixels(data, own)}"
    if data.ndim > 2:
        return (
            f"{what}: pass each row as one image, or as codes (n, D), {own}.reshape(len({own}), -1)"
        )
    if kind == "b":
        return f"{what}: pass {own}.astype(int) for codes 0 and 1"
    if kind in "iu" and not is_plain:
        return f"pass {own}"
    column = "" if data.ndim == 2 or kind == "V" else "[:, None]"
    if kind not in "iuf":
        return f"{what}: pass pandas.DataFrame({own}{column})"
    return f"{what} (numbers that are no codes: pass pandas.DataFrame({own}{column}))"


def _of_texts(data: np.ndarray, own: str) -> str:
    if data.dtype.kind == "S":
        return f": for texts pass numpy.char.decode({own}, 'utf-8').tolist()"
    values = data.tolist()
    if all(isinstance(v, str) for v in values):
        framed = f"pandas.DataFrame({{'name': {own}}})"
        return f": for texts, one str a row, pass {own}.tolist(); for a column of names {framed}"
    return f" {_of_entries(list(data), f'{own}.tolist()')}"


def _pixels(data: np.ndarray, own: str) -> str:
    """How images of another dtype become uint8 without loss, where they can."""
    if data.dtype == np.uint8:
        return f"pass {own}"
    if data.size == 0:
        return "expected at least one image"
    if data.dtype.kind == "b":
        return f"for images pass {own}.astype(numpy.uint8)"
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        return (
            f"{int((~np.isfinite(data)).sum())} numbers are not finite (images with holes: pass "
            f"codes of shape (n, D), row by row, with MISSING = -1 in them)"
        )
    low, high = float(data.min()), float(data.max())
    exact = EXACT if data.dtype != np.float16 else 0.1  # float16: to within 0.06
    ways: list[tuple[float, float, Callable[[np.ndarray], np.ndarray], str]] = [
        (0, 255, lambda x: x, f"{own}.astype(numpy.uint8)"),
        (0, 1, lambda x: 255 * x, f"numpy.rint(255 * {own}).astype(numpy.uint8)"),
        (-1, 1, lambda x: 127.5 * (x + 1), f"numpy.rint(127.5 * ({own} + 1)).astype(numpy.uint8)"),
        (0, 65535, lambda x: x / 257, f"({own} // 257).astype(numpy.uint8)"),
    ]
    for least, most, levels, way in ways:
        if low < least or high > most:
            continue
        found = levels(data.astype(np.float64))
        if (np.abs(found - np.rint(found)) < exact).all():
            return f"for images pass {way}, which loses nothing"
    is_whole = data.dtype.kind in "iu" or bool((data == np.rint(data)).all())
    span = f"numbers {low:g} .. {high:g}"
    if is_whole and low >= 0 and high < 2**20:
        return (
            f"images hold levels 0 .. 255; got {span}: pass codes (n, D) to keep them all, "
            f"{own}.reshape(len({own}), -1){'' if data.dtype.kind in 'iu' else '.astype(int)'}, or "
            f"numpy.rint({own} * (255 / {high:g})).astype(numpy.uint8) for 256 levels"
        )
    if low >= 0 and high <= 1:
        way = f"numpy.rint(255 * {own})"
    elif low >= 0 and high <= 255:
        way = f"numpy.rint({own})"
    elif low >= -1 and high <= 1:
        way = f"numpy.rint(127.5 * ({own} + 1))"
    else:
        way = f"numpy.rint(255 * ({own} - {own}.min()) / ({own}.max() - {own}.min()))"
    way = f"{way}.astype(numpy.uint8)"
    return f"images hold levels 0 .. 255; got {span}: {way} rounds them to 256 levels"


RULES: tuple[Callable[[object], str | None], ...] = (
    _text,
    _column,
    _foreign,
    _container,
    _list,
    _array,
)
