"""Lines as cells: how a table in text is written, and its records read by it.

Two readers that agree: ``by_arrow`` for text that is as RFC 4180 has it (every quote opens or
closes a cell, or is doubled) and whose cells hold no line break, which is nearly all there is, and
``by_line`` for the rest. A quote that opens no text (7" for inches) stands for itself: it never
swallows rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np

BLANKS = " "  # as delimiter: one blank or more, or tabs
GAPS = "  "  # as delimiter: two blanks or more, so that cells may hold single ones
NUMBER = re.compile(
    r"[-+(−]?\s?[$€£¥]?\s?[-+−]?(\d[\d.,'’\s]*|[.,]\d+)([eE][-+]?\d+)?\s?[%$€£¥]?\)?"
)
HOLES = frozenset(
    (
        "",
        "?",
        "NA",
        "N/A",
        "n/a",
        "#N/A",
        "NaN",
        "nan",
        "NULL",
        "null",
        "None",
        "-",
        ".",
        "\\N",
        "--",
        "..",
        "...",
        ":",
    )
)
N_PROBED = 10_000  # cells of a column that tell whether its texts repeat
MOST_LINES = 200  # that a text in quotes may span


@dataclass(frozen=True)
class Dialect:
    """How the records of a table are written.

    Attributes:
        delimiter: the sign between cells; ``BLANKS`` or ``GAPS``.
        quote: the sign around cells that hold delimiters or line breaks.
        width: how many cells a record has.
        numeric: of each cell, whether it holds numbers in (nearly) all records.
    """

    delimiter: str
    quote: str = '"'
    width: int = 1
    numeric: tuple[bool, ...] = ()

    def in_words(self) -> str:
        if self.delimiter in (BLANKS, GAPS):
            return "blanks"
        return repr(self.delimiter)


class Record(NamedTuple):
    """The cells of a record, and the line in which it begins, from 1."""

    line: int
    cells: list[str]


@dataclass
class Findings:
    """What a reader of lines found odd: the lines with quotes that open no text, how many lines are
    blank."""

    strays: list[int] = field(default_factory=list)
    blank: int = 0


def is_number(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None


# -------------------------------------------------------------------------------- one line


@cache
def _patterns(delimiter: str, quote: str) -> tuple[re.Pattern[str], ...]:
    """A cell in quotes up to the delimiter after it: with doubled quotes, with backslashes before
    quotes, and up to the first quote that can close it."""
    d, q = re.escape(delimiter), re.escape(quote)
    blank = "" if delimiter in (" ", "\t") else "[ \t]*"
    end = rf"{blank}(?:{d}|$)"
    # no two of the alternatives fit one place, so that going back is cheap, and finds nothing new
    # (possessive quantifiers say the same, and are wrong before Python 3.11.5)
    bodies = (
        rf"(?:[^{q}]|{q}{q}|{q}(?!{q}|{end}))*",
        rf"(?:[^{q}\\]|\\.|{q}{q}|\\\Z)*",
        r".*?",
    )
    return tuple(
        re.compile(rf"{blank}{q}(?P<text>{body}){q}{blank}(?P<end>{d}|$(?!\n))", re.DOTALL)
        for body in bodies
    )


class Cut(NamedTuple):
    """The cells of a line; whether a quote opens one that is never closed, which is read as it
    stands; whether quotes stand within cells that no quote opens."""

    cells: list[str]
    is_open: bool = False
    has_strays: bool = False


def cut(line: str, delimiter: str, quote: str = '"', way: int = 0) -> Cut:
    """A line in cells; ``way``: the pattern for those in quotes."""
    if delimiter == BLANKS:
        return Cut([a or b for a, b in re.findall(r'"([^"]*)"(?=\s|$)|(\S+)', line)])
    if delimiter == GAPS:
        return Cut(re.split(r"\s{2,}|\t", line.strip()))
    if quote not in line:
        return Cut(line.split(delimiter))
    pattern, at = _patterns(delimiter, quote)[way], 0
    cells: list[str] = []
    is_open = has_strays = False
    while True:
        match = pattern.match(line, at)
        if match:
            text = match["text"].replace(quote * 2, quote)
            cells.append(re.sub(r'\\(["\'\\])', r"\1", text) if way == 1 else text)
            at, ended = match.end(), not match["end"]
        else:
            end = line.find(delimiter, at)
            cell = line[at:] if end < 0 else line[at:end]
            cells.append(cell)
            opens = cell.lstrip(" \t").startswith(quote)
            is_open |= opens
            has_strays |= not opens and quote in cell
            at, ended = end + len(delimiter), end < 0
        if ended:
            return Cut(cells, is_open, has_strays)


# -------------------------------------------------------------------------------- by line


def by_line(
    lines: Sequence[str], dialect: Dialect, first: int = 1, found: Findings | None = None
) -> Iterator[Record]:
    """The records of lines, whatever their number of cells; ``first`` is the number of line one."""
    found = Findings() if found is None else found
    d, q, i = dialect.delimiter, dialect.quote, 0
    while i < len(lines):
        line, number = lines[i], first + i
        i += 1
        if not line or (dialect.width > 1 and not line.strip(" ")):
            found.blank += 1
        elif q not in line or d in (BLANKS, GAPS):
            yield Record(number, _escaped(line, dialect) or cut(line, d, q).cells)
        else:
            cells, n_lines, stray = _quoted(lines, i - 1, dialect)
            i += n_lines - 1
            if stray:
                found.strays.append(number)
            yield Record(number, cells)


def _escaped(line: str, dialect: Dialect) -> list[str] | None:
    """The cells of a line in which backslashes stand before delimiters that part none, where that
    gives as many as others have and all delimiters would not."""
    d = dialect.delimiter
    if "\\" + d not in line or line.count(d) == dialect.width - 1:
        return None
    cells = [c.replace("\\" + d, d) for c in re.split(rf"(?<!\\){re.escape(d)}", line)]
    return cells if len(cells) == dialect.width else None


def _quoted(lines: Sequence[str], i: int, dialect: Dialect) -> tuple[list[str], int, bool]:
    """Cells of the record in line i, which holds quotes; how many lines it has; whether quotes in
    it open no text. Of all ways to read it the first that gives as many cells as others have."""
    line, d, q, width = lines[i], dialect.delimiter, dialect.quote, dialect.width
    if "\\" + q in line:
        escaped = cut(line, d, q, way=1)
        if not escaped.is_open and len(escaped.cells) == width:
            return escaped.cells, 1, False
    found = cut(line, d, q)
    if found.is_open:
        joined = _joined(lines, i, dialect)
        if joined is not None and not _are_rows(lines[i : i + joined[1]], dialect):
            return *joined, False
    # quotes that all open and close cells are meant, whatever the number of cells
    if len(found.cells) == width or not (found.is_open or found.has_strays):
        return found.cells, 1, found.is_open or found.has_strays
    for cells in (cut(line, d, q, way=2).cells, line.split(d)):
        if len(cells) == width:
            return cells, 1, True
    return found.cells, 1, found.is_open


def _joined(lines: Sequence[str], i: int, dialect: Dialect) -> tuple[list[str], int] | None:
    """The record that begins in line i if text in quotes goes on in lines below."""
    text = lines[i]
    for n, line in enumerate(lines[i + 1 : i + MOST_LINES], 2):
        text += "\n" + line
        if dialect.quote not in line:
            continue
        for way in (0, 1) if "\\" + dialect.quote in text else (0,):
            found = cut(text, dialect.delimiter, dialect.quote, way)
            if not found.is_open and len(found.cells) == dialect.width:
                return found.cells, n
    return None


def _are_rows(lines: Sequence[str], dialect: Dialect) -> bool:
    """Whether lines that quotes would join read as rows, each by itself."""
    if dialect.width == 1:
        return False
    rows = [cut(line, dialect.delimiter, dialect.quote).cells for line in lines]
    if any(len(cells) != dialect.width for cells in rows):
        return False
    # the quotes themselves stand in the first and the last
    for cells in rows[1:-1] or rows:
        bare = [cell.strip(f" {dialect.quote}") for cell in cells]
        held = [cell for cell, is_held in zip(bare, dialect.numeric, strict=False) if is_held]
        if not all(cell in HOLES or is_number(cell) for cell in held):
            return False
    return any(dialect.numeric) or dialect.width > 2 or len(rows) > 2


# -------------------------------------------------------------------------------- by Arrow


def is_plain(body: bytes, dialect: Dialect) -> bool:
    """Whether every quote opens or closes a cell or is doubled, and no cell spans lines."""
    if dialect.delimiter in (BLANKS, GAPS) or b"\r" in body:
        return False
    quote = dialect.quote.encode()
    if quote not in body:
        return True
    if b"\\" + quote in body:
        return False
    signs = np.frombuffer(body, dtype=np.uint8)
    places = np.flatnonzero(signs == quote[0])
    if len(places) % 2:
        return False
    opens, closes = places[0::2], places[1::2]
    around = np.zeros(256, dtype=bool)
    around[[ord(dialect.delimiter), ord("\n"), quote[0]]] = True
    before = np.where(opens > 0, signs[opens - 1], ord("\n"))
    after = np.where(closes < len(signs) - 1, signs[np.minimum(closes + 1, len(signs) - 1)], 10)
    # an opening quote after a quote goes on with the text before it
    if not (around[before].all() and around[after].all()):
        return False
    ends = np.flatnonzero(signs == ord("\n"))
    return bool((np.searchsorted(ends, opens) == np.searchsorted(ends, closes)).all())


def by_arrow(body: bytes, dialect: Dialect) -> list[np.ndarray] | None:
    """The cells of each column, stripped, None where blank; None where a record has another number
    of cells than ``dialect.width``."""
    import pyarrow as pa
    from pyarrow import csv

    names = [str(i) for i in range(dialect.width)]
    try:
        table = csv.read_csv(
            pa.BufferReader(pa.py_buffer(body)),
            read_options=csv.ReadOptions(column_names=names, block_size=1 << 24),
            parse_options=csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote if dialect.quote.encode() in body else False,
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    return [_as_objects(table.column(i)) for i in range(dialect.width)]


def _as_objects(column: object) -> np.ndarray:
    """(n,) str or None: texts that repeat once in memory."""
    import pyarrow as pa
    from pyarrow import compute

    texts = pa.chunked_array(column).combine_chunks()
    first = texts.slice(0, N_PROBED)
    repeats = 2 * compute.count_distinct(first).as_py() < len(first)
    encoded = texts.dictionary_encode() if repeats else None
    bare = compute.utf8_trim_whitespace(texts if encoded is None else encoded.dictionary)
    found = bare.to_numpy(zero_copy_only=False)
    found[found == ""] = None
    return found if encoded is None else found[encoded.indices.to_numpy(zero_copy_only=False)]


def as_columns(records: Sequence[Record], width: int) -> list[np.ndarray]:
    """The cells of each column as ``by_arrow`` gives them."""
    seen: dict[str, str | None] = {"": None}

    def clean(cell: str) -> str | None:
        text = cell.strip()
        return seen.setdefault(text, text)

    columns = np.empty((width, len(records)), dtype=object)
    for i, record in enumerate(records):
        columns[:, i] = [clean(cell) for cell in record.cells]
    return list(columns)
