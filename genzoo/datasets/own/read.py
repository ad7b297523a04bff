"""Reading a path: tables (.csv, .tsv, .parquet, .jsonl), strings (.txt), folders of images."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.datasets.own import typed_files
from genzoo.datasets.own.images import of_images

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".txt")
DELIMITERS = (",", ";", "\t", "|")
MOST_CHARACTERS = 1024
ENCODINGS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Content:
    """What a path holds.

    Attributes:
        path: where it was read.
        data: a DataFrame (text entries without blanks at their ends, None where there are none;
            or typed values), a list of str, or uint8 images (n, H, W) or (n, 3, H, W).
        remarks: what the reader should know.
    """

    path: Path
    data: Any
    remarks: tuple[str, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the data, in hexadecimal: as it is before columns are treated and rows split,
        so that one can tell what of a data set changed."""
        if isinstance(self.data, list):
            parts = [json.dumps(self.data).encode()]
        elif isinstance(self.data, np.ndarray):
            parts = [repr(self.data.shape).encode(), self.data.tobytes()]
        else:
            import pandas as pd

            names = json.dumps([str(name) for name in self.data.columns])
            rows = pd.util.hash_pandas_object(self.data, index=False)
            parts = [names.encode(), rows.to_numpy().tobytes()]
        return hashlib.sha256(b"".join(parts)).hexdigest()


def names_a_path(name: object) -> bool:
    """Whether an argument is meant as a path: by its type, its ending, or because it is there."""
    if isinstance(name, Path):
        return True
    return isinstance(name, str) and (
        name.lower().endswith(SUFFIXES) or (name != "" and Path(name).exists())
    )


def read(path: str | Path) -> Content:
    """The content of a file or folder.

    Raises:
        ValueError: naming the path, what was expected and what came.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in SUFFIXES and path.is_dir():
        return Content(path, *of_images(path))
    if not path.exists():
        raise ValueError(f"file: expected a file or a folder; there is no {path}")
    if kind not in SUFFIXES:
        raise ValueError(f"file: expected {', '.join(SUFFIXES)} or a folder of images; got {path}")
    try:
        if kind == ".parquet":
            return Content(path, *typed_files.of_parquet(path))
        text, remarks = _text(path)
    except OSError as error:
        raise ValueError(f"file: {path} can't be read: {error.strerror or error}") from None
    if not text.strip():
        raise ValueError(f"file: expected rows; {path} is empty")
    if kind == ".txt":
        return _read_strings(path, text, remarks)
    if kind == ".jsonl":
        return Content(path, *typed_files.of_jsonl(path, text, remarks))
    return _read_delimited(path, text, remarks)


def _text(path: Path) -> tuple[str, list[str]]:
    raw = path.read_bytes()
    encoding = next((name for mark, name in ENCODINGS if raw.startswith(mark)), "utf-8")
    remarks: list[str] = []
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
        remarks = ["not in UTF-8: read as Windows-1252 (Latin-1)"]
    strange = sum(text.count(chr(c)) for c in (*range(9), *range(14, 32), 0xFFFD))
    if "\0" in text or strange > len(text) / 100:
        raise ValueError(f"file: expected text; {path} holds binary data")
    return text, remarks


# -------------------------------------------------------------------------------- tables


def _read_delimited(path: Path, text: str, remarks: list[str]) -> Content:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(text)
    if path.suffix.lower() == ".csv" and delimiter != ",":
        remarks = [*remarks, f"columns are separated by {delimiter!r}"]
    try:
        header, rows, blank = _rows(path, text, delimiter)
    except csv.Error as error:
        raise ValueError(f"file: {path} is no table that can be read: {error}") from None
    if blank:
        remarks = [*remarks, f"blank lines skipped: {blank}"]
    unnamed = [d for d, name in enumerate(header) if not name]
    for d in unnamed:
        header[d] = f"column {d + 1}"
        remarks = [*remarks, f"a column without a name is called {header[d]!r}"]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"file: {path}: expected different names in the header; got "
                         f"{', '.join(map(repr, twice[:5]))} more than once")  # fmt: skip
    if not rows:
        raise ValueError(f"file: expected rows below the header; {path} has none")
    return Content(path, _frame(header, rows), tuple(remarks))


def _delimiter(text: str) -> str:
    """The sign that cuts the header into most columns; a comma where none does."""
    first = next(line for line in text.splitlines() if line.strip())
    return max(DELIMITERS, key=lambda sign: len(next(csv.reader([first], delimiter=sign))))


def _rows(path: Path, text: str, delimiter: str) -> tuple[list[str], list[list[str]], int]:
    """Header, rows of its length, and how many blank lines lay between them."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    header: list[str] = []
    rows, blank = [], 0
    for row in lines:
        if not row:
            blank += 1
        elif not header:
            header = [name.strip() for name in row]
        elif len(row) != len(header):
            raise ValueError(
                f"file: {path}, line {lines.line_num}: expected {len(header)} values, as in the "
                f"header; got {len(row)}"
            )
        else:
            rows.append(row)
    return header, rows, blank


def _frame(header: list[str], rows: list[list[str]]) -> pd.DataFrame:
    import pandas as pd

    columns = {
        name: [text.strip() or None for text in column]
        for name, column in zip(header, zip(*rows, strict=True), strict=True)
    }
    return pd.DataFrame(columns, dtype=object)


# -------------------------------------------------------------------------------- strings


def _read_strings(path: Path, text: str, remarks: list[str]) -> Content:
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    strings = [line for line in lines if line]
    blank = len(lines) - len(strings) - text.endswith("\n")
    if blank:
        remarks = [*remarks, f"blank lines skipped: {blank}"]
    longest = max(range(len(strings)), key=lambda i: len(strings[i]))
    if len(strings[longest]) > MOST_CHARACTERS:
        raise ValueError(
            f"file: {path}: expected one string a line, of at most {MOST_CHARACTERS} characters; "
            f"string {longest + 1} has {len(strings[longest])} (running text: cut it into windows)"
        )
    return Content(path, strings, tuple(remarks))
