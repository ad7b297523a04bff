"""``near``: of data of no form, what they are and the way that works.

The tables ``KINDS`` and ``ABILITIES`` say it of objects; of lists and arrays their entries do.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

MOST_SYMBOLS = 0xD800  # characters up to here stand for themselves, beyond lie halves of others
EXACT = 1e-4  # float32 keeps 255 times k / 255 to within 1e-5; what is further off is no level

GROUPED = (
    "a {kind}: pass the table that was grouped (Dataset.from_data(..., groups=...) keeps groups "
    "together)"
)
KINDS = {  # library and class (or a parent's): what to say of an object
    "pathlib Path": "a path, {text!r}: read it first, as pandas.read_csv does (genzoo.compare, "
    "'genzoo fit' and 'genzoo compare' read files themselves)",
    "builtins bytes": "bytes: pass text with one str a row, data.decode('utf-8').splitlines()",
    "builtins bytearray": "bytes: pass text with one str a row, data.decode('utf-8').splitlines()",
    "builtins type": "a class, not an object of it",
    "builtins dict": "a dict: pass pandas.DataFrame(data)",
    "builtins set": "a set, which has no order and holds each value once: pass sorted(data)",
    "builtins frozenset": "a set, which has no order and holds each value once: pass sorted(data)",
    "builtins range": "a range: pass pandas.DataFrame({{'value': data}})",
    "sklearn Bunch": "a Bunch: pass data.frame, which load_...(as_frame=True) fills",
    "PIL Image": "one PIL image: pass numpy.asarray(data)[None]",
    "scipy spmatrix": "a sparse {kind}: pass pandas.DataFrame(data.toarray())",
    "scipy sparray": "a sparse {kind}: pass pandas.DataFrame(data.toarray())",
    "polars LazyFrame": "a polars LazyFrame: pass data.collect()",
    "pyarrow RecordBatchReader": "an Arrow RecordBatchReader: pass data.read_all()",
    "torch Dataset": "a torch {kind}: pass its rows as one array, such as "
    "numpy.stack([numpy.asarray(data[i][0]) for i in range(len(data))])",
    "torch DataLoader": "a torch DataLoader: pass its rows as one array, such as "
    "numpy.concatenate([batch[0].numpy() for batch in data])",
    "pandas GroupBy": GROUPED,
    "polars GroupBy": GROUPED,
    "pyarrow TableGroupBy": GROUPED,
    "numpy generic": "a single {kind}",
}
ABILITIES = {  # an attribute: what to say of another object that has it
    "readline": "an open file: pass data.read().splitlines(), one str a line",
    "toPandas": "a {library} {kind}: pass data.toPandas()",  # Spark
    "compute": "a {library} {kind}: pass data.compute()",  # dask
    "to_pandas": "a {library} {kind}: pass data.to_pandas()",
    "__array__": "a {library} {kind}: pass numpy.asarray(data)",
    "__iter__": "a {kind}: pass list(data)",
}
COLUMNS = {  # library and class: a single column's values as a list, and as a frame
    "pandas Series": ("data.tolist()", "data.to_frame()"),
    "pandas Index": ("data.tolist()", "data.to_frame()"),
    "pandas ExtensionArray": ("list(data)", "pandas.DataFrame({'value': data})"),
    "polars Series": ("data.to_list()", "data.to_frame().to_pandas()"),
    "pyarrow Array": ("data.to_pylist()", "pandas.DataFrame({'value': data.to_pylist()})"),
    "pyarrow ChunkedArray": ("data.to_pylist()", "pandas.DataFrame({'value': data.to_pylist()})"),
}
SCALES = (  # least, most, factor and shift to 0 .. 255, and the same in Python
    (0, 1, 255, 0, "numpy.rint(255 * {own})"),
    (0, 255, 1, 0, "{own}"),
    (-1, 1, 127.5, 1, "numpy.rint(127.5 * ({own} + 1))"),
    (0, 65535, 1 / 257, 0, "({own} // 257)"),
)


def near(data: object) -> str:
    """What data of no form are, and what to do: the end of an error.

    >>> near(np.array(["ab", "a"]))
    "an array of dtype <U2 and shape (2,): for texts, one str a row, pass data.tolist(); for a \
column of names pandas.DataFrame({'name': data})"
    >>> near({"age": [1, 2]})
    'a dict: pass pandas.DataFrame(data)'
    """
    kinds = _kinds(data)
    if isinstance(data, str):
        return _of_text(data)
    if isinstance(data, np.ndarray):
        return _of_array(data, "data")
    if isinstance(data, (list, tuple)) and data:
        return f"a {type(data).__name__} {_of_entries(data, 'data')}"
    if "torch Tensor" in kinds:
        return _of_tensor(data)
    library, kind = type(data).__module__.split(".")[0], type(data).__name__
    for name in kinds:
        if name in COLUMNS:
            return _of_column(data, f"a {library} {kind}", *COLUMNS[name])
        if name in KINDS:
            return KINDS[name].format(library=library, kind=kind, text=str(data))
    for ability, text in ABILITIES.items():
        if hasattr(data, ability):
            return text.format(library=library, kind=kind)
    return kind


def _kinds(value: object) -> list[str]:
    """The library and name of an object's class and of its parents."""
    return [f"{k.__module__.split('.')[0]} {k.__name__}" for k in type(value).__mro__]


def _is_hole(value: object) -> bool:
    is_nan = isinstance(value, (float, np.floating)) and bool(np.isnan(value))
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _shown(value: object) -> str:
    return reprlib.repr(value)


# -------------------------------------------------------------------------------- text, columns


def _of_text(data: str) -> str:
    if _names_a_file(data):
        return KINDS["pathlib Path"].format(text=data)
    if "\n" in data.strip() or len(data) > 100:
        return (
            f"a single str of {len(data)} characters: pass a list with one str a row, such as "
            f"data.splitlines(), or windows of running text, [data[i:i + 64] for i in "
            f"range(0, len(data), 64)]"
        )
    return "a single str: for one row pass [data]"


def _names_a_file(text: str) -> bool:
    try:
        return len(text) < 1000 and text.strip() != "" and Path(text).is_file()
    except (OSError, ValueError):
        return False


def _of_column(data: Any, kind: str, listed: str, framed: str) -> str:
    """A single column of pandas, polars or arrow: texts, or values of one variable?"""
    if kind == "a pandas Series" and all(isinstance(name, str) for name in data.index):
        kind += " (one row of a frame: pass data.to_frame().T)"
    values = list(data) if listed == "list(data)" else getattr(data, listed[5:-2])()
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


def _of_tensor(data: Any) -> str:
    own = "data.detach().cpu().numpy()"
    try:
        return f"a torch tensor: {_of_array(data.detach().cpu().numpy(), own)}"
    except (TypeError, RuntimeError):  # bfloat16, sparse, quantised: unknown to NumPy
        return f"a torch tensor of {data.dtype}: pass data.detach().cpu().float().numpy()"


# -------------------------------------------------------------------------------- lists


def _of_entries(data: Sequence[Any], own: str) -> str:
    """Of the entries that ``own`` gives, in Python: what they are and what to do."""
    if any(isinstance(v, str) for v in data):
        return f"whose {_wrong_text(data, own)}"
    if all(map(_is_hole, data)):
        return f"of nothing but {_shown(data[0])}: there is nothing to learn from"
    for i, value in enumerate(data):
        if isinstance(value, (bytes, bytearray)):
            return f"whose entry {i} is bytes: pass [s.decode('utf-8') for s in {own}]"
    if isinstance(data[0], dict):
        return f"of dicts: pass pandas.DataFrame({own})"
    if all("PIL Image" in _kinds(v) for v in data):
        return _of_pil(data, own)
    found = _of_pictures(data, own)
    if found is not None:
        return found
    if any(isinstance(v, (list, tuple, np.ndarray)) for v in data):
        return _of_sequences(data, own)
    if all(isinstance(v, (int, float, np.number, np.bool_)) or _is_hole(v) for v in data):
        return f"of numbers: pass pandas.DataFrame({{'value': {own}}})"
    return f"of {type(data[0]).__name__}"


def _wrong_text(data: Sequence[Any], own: str) -> str:
    i, value = next((i, v) for i, v in enumerate(data) if not isinstance(v, str))
    if _is_hole(value):
        what = f"[s for s in {own} if isinstance(s, str)] leaves such entries out"
        return f"entry {i} is {_shown(value)}: {what}; '' is an empty text"
    what = f"write it as text, [str(s) for s in {own}]"
    if isinstance(value, (bytes, bytearray)):
        what = "decode it, value.decode('utf-8')"
    elif isinstance(value, (list, tuple)):
        what = "write each row as one str, ''.join(value)"
    return f"entry {i} is {_shown(value)}, of type {type(value).__name__}: {what}"


def _of_pictures(data: Sequence[Any], own: str) -> str | None:
    """Of arrays and tensors that are as large as images."""
    for kind, stack in (
        ("torch Tensor", f"torch.stack({own}).numpy()"),
        ("numpy ndarray", f"numpy.stack({own})"),
    ):
        if not all(kind in _kinds(v) for v in data):
            continue
        shapes = [tuple(v.shape) for v in data]
        i = _first_other(shapes)
        if i is None:
            return f"of {type(data[0]).__name__}s of shape {shapes[0]}: pass {stack}"
        if len(shapes[0]) < 2:
            return _of_sequences(data, own)
        return (
            f"of images whose entry {i} has shape {shapes[i]}, entry 0 {shapes[0]}: bring them to "
            f"one size, then pass {stack}"
        )
    return None


def _of_pil(data: Sequence[Any], own: str) -> str:
    sizes = [(*image.size, image.mode) for image in data]
    i = _first_other(sizes)
    width, height, mode = sizes[0]
    if i is None and mode in ("1", "L", "RGB", "RGBA"):
        return f"of PIL images: pass numpy.stack([numpy.asarray(image) for image in {own}])"
    what = f"of PIL images of mode {mode}"
    if i is not None:
        first, other = ("{} x {} {}".format(*sizes[k]) for k in (0, i))
        what = f"of PIL images whose entry {i} is {other}, entry 0 {first}: make them alike"
    return (
        f"{what}: pass numpy.stack([numpy.asarray(image.convert('RGB').resize(({width}, {height})))"
        f" for image in {own}])"
    )


def _first_other(values: Sequence[Any]) -> int | None:
    return next((i for i, value in enumerate(values) if value != values[0]), None)


def _of_sequences(data: Sequence[Any], own: str) -> str:
    """Of lists of symbols (numbers or tokens), of one length or of several."""
    rows = [v.tolist() if hasattr(v, "tolist") else v for v in data]
    for i, row in enumerate(rows):
        if not isinstance(row, (list, tuple)):
            return (
                f"whose entry {i} is {_shown(row)}, of type {type(data[i]).__name__}, among lists: "
                f"leave it out, or write it as a list"
            )
        j = next((j for j, value in enumerate(row) if _is_hole(value)), None)
        if j is not None:
            return (
                f"whose entry {i} holds {_shown(row[j])} at place {j}: leave it out, or pass "
                f"pandas.DataFrame({own})"
            )
    odd, symbols = _first_other([len(row) for row in rows]), [s for row in rows for s in row]
    if odd is None and all(isinstance(s, int) for s in symbols):
        return f"of lists: for codes pass numpy.array({own}), for numbers pandas.DataFrame({own})"
    if odd is None:
        return f"of lists: for a table pass pandas.DataFrame({own}), for texts a list of str"
    lengths = f"whose entry {odd} has length {len(rows[odd])}, entry 0 has {len(rows[0])}"
    if all(isinstance(s, str) and len(s) == 1 for s in symbols):
        return f"{lengths}: pass [''.join(row) for row in {own}], one str a row"
    there = (
        f"symbols = sorted({{s for row in {own} for s in row}}) and "
        f"[''.join(chr(256 + symbols.index(s)) for s in row) for row in {own}]"
    )
    back = "[[symbols[ord(c) - 256] for c in text] for text in samples]"
    if all(isinstance(s, int) and 0 <= s < MOST_SYMBOLS for s in symbols):
        there = f"[''.join(map(chr, row)) for row in {own}]"
        back = "[[ord(c) for c in text] for text in samples]"
    return (
        f"{lengths}: write sequences of different length as texts, a character for each symbol: "
        f"{there} (back from samples: {back})"
    )


# -------------------------------------------------------------------------------- arrays


def _of_array(data: np.ndarray, own: str) -> str:
    """Of an array that ``own`` gives, in Python, what it is and what to do."""
    what = f"an array of dtype {data.dtype} and shape {data.shape}"
    kind = data.dtype.kind
    if kind in "USOT" and data.ndim == 1 and len(data):
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
    if kind in "iu":
        return f"pass {own}"
    column = "" if data.ndim == 2 or kind == "V" else "[:, None]"
    if kind != "f":
        return f"{what}: pass pandas.DataFrame({own}{column})"
    return f"{what} (numbers that are no codes: pass pandas.DataFrame({own}{column}))"


def _of_texts(data: np.ndarray, own: str) -> str:
    if data.dtype.kind == "S":
        return f": for texts pass numpy.char.decode({own}, 'utf-8').tolist()"
    values = data.tolist()
    if all(isinstance(v, str) for v in values):
        framed = f"pandas.DataFrame({{'name': {own}}})"
        return f": for texts, one str a row, pass {own}.tolist(); for a column of names {framed}"
    return f" {_of_entries(values, f'{own}.tolist()')}"


def _pixels(data: np.ndarray, own: str) -> str:
    """How images of another dtype become uint8, without loss where they can."""
    kind = data.dtype.kind
    if data.dtype == np.uint8:
        return f"pass {own}"
    if data.size == 0:
        return "expected at least one image"
    if kind == "b":
        return f"for images pass {own}.astype(numpy.uint8)"
    broken = 0 if kind != "f" else int((~np.isfinite(data)).sum())
    if broken:
        return (
            f"{broken} numbers are not finite (images with holes: pass codes of shape (n, D), row "
            f"by row, with MISSING = -1 in them)"
        )
    low, high = float(data.min()), float(data.max())
    exact = EXACT if data.dtype != np.float16 else 0.1  # float16: to within 0.06
    ways: dict[float, str] = {}
    for least, most, factor, shift, code in SCALES:
        if low >= least and high <= most:
            way = f"{code.format(own=own)}.astype(numpy.uint8)"
            ways.setdefault(most, way)
            levels = factor * (data.astype(np.float64) + shift)
            if (np.abs(levels - np.rint(levels)) < exact).all():
                return f"for images pass {way}, which loses nothing"
    what = f"images hold levels 0 .. 255; got numbers {low:g} .. {high:g}"
    if low >= 0 and high < 2**20 and (data == np.rint(data)).all():
        return (
            f"{what}: pass codes (n, D) to keep them all, "
            f"{own}.reshape(len({own}), -1){'' if kind in 'iu' else '.astype(int)'}, or "
            f"numpy.rint({own} * (255 / {high:g})).astype(numpy.uint8) for 256 levels"
        )
    between = f"numpy.rint(255 * ({own} - {own}.min()) / ({own}.max() - {own}.min()))"
    way = ways.get(1) or ways.get(255) or f"{between}.astype(numpy.uint8)"
    return f"{what}: {way} rounds them to 256 levels"
