"""Tables in text (.csv, .tsv, ...): names, rows, and what stands above, between and below them.

Nothing is dropped in silence, and no row is mended: what isn't as wide as the others is an error
that names its line. The cells themselves are read in ``cells``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genzoo.datasets.own.cells import (
    BLANKS,
    GAPS,
    HOLES,
    Dialect,
    Findings,
    Record,
    as_columns,
    by_arrow,
    by_line,
    cut,
    is_number,
    is_plain,
)
from genzoo.datasets.own.header import (
    CLOSING,
    TOTAL,
    are_above_numbers,
    are_units,
    are_words_above_numbers,
    have_gaps,
    joined_names,
    judge,
)
from genzoo.datasets.own.sniff import BORDER, DELIMITERS, SAMPLE, sniff

if TYPE_CHECKING:
    import pandas as pd

COMMENTS = ("#", "%", "//")
MOST_ABOVE = 50  # lines above the header
MOST_BELOW = 20  # lines below the last row
MOST_NAME_LINES = 3  # of labels and units below the names
SHOWN = 3  # of lines that a remark quotes
ROW_NAMES = "row name"
USUAL = {".csv": ",", ".tsv": "\t", ".tab": "\t"}  # delimiters of which nothing is said


@dataclass
class _Table:
    """What is known of a table before its rows are read.

    Attributes:
        names: of its columns, as many as a record has cells; "" for those without.
        first: the line in which its rows begin, from 1.
        last: the line in which they end.
    """

    path: Path
    dialect: Dialect
    names: list[str] = field(default_factory=list)
    first: int = 1
    last: int = 0
    blank: int = 0
    remarks: list[str] = field(default_factory=list)


def read_delimited(
    path: Path, text: bytes, header: bool | None = None
) -> tuple[pd.DataFrame, list[str]]:
    r"""The rows of a table, and what the reader should know.

    Args:
        path: for messages; its suffix says which delimiter is expected.
        text: UTF-8, each line ended by ``\n``.
        header: whether the first record holds names; judged by it where None.

    Raises:
        ValueError: naming the line, what was expected and what came.
    """
    n_head = 2 * SAMPLE
    head = text.split(b"\n", n_head)
    lines = [line.decode() for line in head[:n_head]]
    n_lines = text.count(b"\n") + (not text.endswith(b"\n"))
    lines = lines[:n_lines]
    start, delimiter = _after_sep(lines)
    dialect = sniff(lines[start:], delimiter)
    _check_layout(path, lines, dialect)
    table = _Table(path, dialect)
    _find_header(table, lines, start, header)
    _find_end(table, text, lines, n_lines)
    body = _between(text, lines, table.first, table.last, n_lines)
    columns = _rows(table, body)
    if not len(columns[0]):
        raise ValueError(f"file: expected rows below the header; {path} has none")
    frame = _frame(table, columns)
    name = path.name.lower().removesuffix(".gz")
    usual = next((sign for suffix, sign in USUAL.items() if name.endswith(suffix)), None)
    if usual is not None and dialect.width > 1 and dialect.delimiter != usual:
        table.remarks.insert(0, f"columns are separated by {dialect.in_words()}")
    if frame.shape[1] == 1 and (doubt := _in_one(frame)) is not None:
        table.remarks.append(doubt)
    if table.blank:
        table.remarks.append(f"blank lines skipped: {table.blank}")
    return frame, table.remarks


def _after_sep(lines: Sequence[str]) -> tuple[int, str | None]:
    """Lines to skip, and the delimiter, if the first line says ``sep=;`` as for spreadsheets."""
    match = re.fullmatch(r'"?sep=(.|\\t)"?[;,\t]*', lines[0].strip(" "), re.IGNORECASE)
    if match is None:
        return 0, None
    return 1, "\t" if match[1] == "\\t" else match[1]


def _check_layout(path: Path, lines: Sequence[str], dialect: Dialect) -> None:
    """That it is no table of another kind.

    Raises:
        ValueError: for columns of a fixed width, and for JSON.
    """
    held = [line for line in lines[:SAMPLE] if line.strip()]
    if held[0].lstrip()[:1] in ("{", "[") and re.match(r'\s*[\[{]\s*(["{\[]|$)', held[0]):
        raise ValueError(
            f"file: expected a table; {path} holds JSON: write one flat object a line, and call it "
            f".jsonl"
        )
    if dialect.width > 1 or len(held) < 3:
        return
    gaps = [re.search(r"\S\s{2,}\S", line.replace("\t", "  ")) is not None for line in held]
    if sum(gaps) >= 0.8 * len(gaps):
        raise ValueError(
            f"file: expected columns separated by one of , ; | or tabs; {path} seems to have "
            f"columns of a fixed width, some of them blank: save it with a delimiter (in pandas: "
            f"read_fwf(...).to_csv(...))"
        )


# -------------------------------------------------------------------------------- above the rows


def _find_header(table: _Table, lines: list[str], start: int, header: bool | None) -> None:
    """The names, and where rows begin."""
    dialect, found = table.dialect, Findings()
    records = list(by_line(lines[start:], dialect, start + 1, found))
    n_blank = _n_blank(records, dialect.width)
    above: list[Record] = []
    at = 0
    for at, record in enumerate(records):  # noqa: B007
        line = lines[record.line - 1]
        if (
            _is_comment(line, record, dialect)
            or BORDER.fullmatch(line)
            or _is_above(record, dialect, n_blank)
        ):
            above.append(record)
        else:
            break
    else:
        at = len(records)
    n_more = _n_of_other_widths(records[at:], dialect)
    above, at = [*above, *records[at : at + n_more]], at + n_more
    if at == len(records) or at > MOST_ABOVE:
        raise _no_rows(table, records)
    records = [
        r
        for r in records[at:]
        if not BORDER.fullmatch(lines[r.line - 1]) or lines[r.line - 1].strip("\t ,;") == ""
    ]
    above = [r for r in above if not BORDER.fullmatch(lines[r.line - 1])]
    table.names, n_names = _names(table, records, above, lines, header)
    if above:
        shown = ", ".join(f"line {r.line}: {_shown(lines[r.line - 1])}" for r in above[:SHOWN])
        more = ", ..." if len(above) > SHOWN else ""
        table.remarks.append(f"lines above the header skipped: {len(above)} ({shown}{more})")
    rest = records[n_names:]
    if not rest:
        raise ValueError(f"file: expected rows below the header; {table.path} has none")
    table.first = rest[0].line
    # blank lines are counted from where rows begin
    blank = [i for i, line in enumerate(lines[: table.first - 1]) if not line.strip(" ")]
    table.blank = len([i for i in blank if i >= start])


def _is_comment(line: str, record: Record, dialect: Dialect) -> bool:
    """Whether a line begins as comments do, and that is not the name of a column, "#"."""
    name = record.cells[0].strip() in COMMENTS and len(record.cells) == dialect.width > 1
    return line.startswith(COMMENTS) and not name


def _n_of_other_widths(records: Sequence[Record], dialect: Dialect) -> int:
    """How many records of other widths stand above one that holds names beyond doubt."""
    n = next((i for i, r in enumerate(records) if len(r.cells) == dialect.width), 0)
    if n == 0:
        return 0
    rest = [r.cells for r in records[n : n + SAMPLE] if len(r.cells) == dialect.width]
    columns = [[cell.strip() for cell in column] for column in zip(*rest[1:], strict=True)]
    return n if are_above_numbers([_clean(c) for c in rest[0]], columns) else 0


def _is_above(record: Record, dialect: Dialect, n_blank: int) -> bool:
    """A record that is shorter than the others (a title), or that holds a title padded with
    delimiters as spreadsheets do; ``n_blank`` cells at the end of every row are blank."""
    if dialect.width == 1:
        return False
    held = [cell for cell in record.cells if cell.strip()]
    if dialect.width > 2 and len(held) <= 1 and (not held or record.cells[0].strip()):
        return True
    if 2 * len(held) <= dialect.width and any(_is_of_pair(cell.strip()) for cell in held):
        return True
    return not held or len(record.cells) < dialect.width - n_blank - 1


def _is_of_pair(cell: str) -> bool:
    """Whether a cell looks like part of a key and its value."""
    return cell.endswith(":") or (is_number(cell) and not re.fullmatch(r"(19|20)\d\d", cell))


def _n_blank(records: Sequence[Record], width: int) -> int:
    """How many cells at the end of (nearly) every row are blank."""
    rows = [r.cells for r in records if len(r.cells) == width]
    n = 0
    while n < width - 1 and sum(bool(cells[width - 1 - n].strip()) for cells in rows) <= 1:
        n += 1
    return n if len(rows) > 2 else 0


def _no_rows(table: _Table, records: Sequence[Record]) -> ValueError:
    return ValueError(
        f"file: expected a header and rows of {table.dialect.width} values separated by "
        f"{table.dialect.in_words()}; {table.path} has {len(records)} lines of other lengths at "
        f"its start: delete what stands above the header"
    )


def _names(
    table: _Table,
    records: list[Record],
    above: list[Record],
    lines: Sequence[str],
    header: bool | None,
) -> tuple[list[str], int]:
    """The names of the columns, and how many records hold them. A comment that holds the names is
    taken out of ``above``."""
    width = table.dialect.width
    first = [_clean(cell) for cell in records[0].cells]
    held = [[c.strip() for c in r.cells] for r in records[1:SAMPLE] if len(r.cells) == width]
    columns = [list(column) for column in zip(*held, strict=True)] if held else []
    numbered = [f"column {d + 1}" for d in range(width)]
    if header is False:
        return numbered, 0
    commented = _names_in_comment(table, above, lines)
    if commented is not None and header is None and _has_numbers(records[0], table.dialect):
        names = above.pop()
        table.remarks.append(f"the names of the columns are those of the comment in line "
                             f"{names.line}")  # fmt: skip
        return commented, 0
    if len(first) != width:
        return _names_of_other_width(table, records[0], columns), 1
    verdict, values = ("names", []) if header else judge(first, columns)
    short = [r for r in above if len([c for c in r.cells if c.strip()]) > 1
             and not lines[r.line - 1].startswith(COMMENTS)]  # fmt: skip
    if verdict != "names" and short:
        raise _other_width(table, short[-1])
    shown = ", ".join(map(repr, values[:SHOWN])) + (", ..." if len(values) > SHOWN else "")
    where = f"line {records[0].line}"
    if verdict == "values":
        table.remarks.append(
            f"{where} holds values, not names ({shown}): columns are called 'column 1', ... (give "
            f"--no-header to confirm that, --header if they are names)"
        )
        return numbered, 0
    if verdict == "perhaps":
        table.remarks.append(
            f"{where} is taken for the names of the columns, but looks like values ({shown}): if "
            f"it is a row give --no-header, else --header"
        )
    return _names_below(table, first, held, columns, records)


def _names_below(
    table: _Table,
    first: list[str],
    held: list[list[str]],
    columns: list[list[str]],
    records: list[Record],
) -> tuple[list[str], int]:
    """Names that span lines, and units or further names in the record below."""
    for raw, name in zip(records[0].cells, first, strict=True):
        if "\n" in raw.strip():
            table.remarks.append(f"a name that spans lines in the header is called {name!r}")
    for n in range(1, MOST_NAME_LINES + 1):
        if len(held) < n + MOST_NAME_LINES or len(records[n].cells) != len(first):
            return first, n
        cells, rest = held[n - 1], [column[n:] for column in columns]
        words = are_words_above_numbers(cells, rest)
        where, shown = f"line {records[n].line}", ", ".join(repr(c) for c in cells if c)
        if n == 1 and words and have_gaps(first):
            first = joined_names(first, cells)
            called = ", ".join(map(repr, first[:SHOWN]))
            table.remarks.append(f"{where} holds names too: columns are called {called}, ...")
        elif are_units(cells, rest):
            table.remarks.append(f"{where} holds units, not values: skipped ({shown})")
        elif words > 1:
            table.remarks.append(
                f"{where} holds words where the rows below hold numbers: skipped ({shown})"
            )
        else:
            return first, n
    return first, MOST_NAME_LINES + 1


def _names_of_other_width(table: _Table, record: Record, columns: list[list[str]]) -> list[str]:
    """Names for rows that are wider: by blank cells at their end, or by names of the rows.

    Raises:
        ValueError: for any others.
    """
    names, width = [_clean(cell) for cell in record.cells], table.dialect.width
    lacks = width - len(names)
    if lacks < 0 and not any(names[width:]):
        return names[:width]
    if lacks > 0 and columns and not any(cell for c in columns[-lacks:] for cell in c):
        return [*names, *[""] * lacks]
    present = [cell for cell in columns[0] if cell] if columns else []
    is_escaped = any(cell.endswith("\\") for column in columns for cell in column)
    if lacks == 1 and not is_escaped and len(present) == len(set(present)) == len(columns[0]) > 1:
        name = ROW_NAMES
        while name in names:
            name = f"({name})"
        table.remarks.append(f"the header has one name fewer than rows have values: the first "
                             f"column holds names of the rows, and is called {name!r}")  # fmt: skip
        return [name, *names]
    raise _other_width(table, record)


def _other_width(table: _Table, record: Record) -> ValueError:
    n, width = len(record.cells), table.dialect.width
    commas = table.dialect.delimiter == "," and n < width
    return ValueError(
        f"file: {table.path}, line {record.line}: expected {width} names of columns, as rows have "
        f"values (separated by {table.dialect.in_words()}); got {n}: mend that line, or delete it "
        f"and give --no-header"
        + " (numbers with a decimal comma? separate columns by ';' then)"
        * commas
    )


def _names_in_comment(
    table: _Table, above: Sequence[Record], lines: Sequence[str]
) -> list[str] | None:
    """Names that stand in the last comment above the rows."""
    if not above or not lines[above[-1].line - 1].startswith(COMMENTS) or table.dialect.width < 2:
        return None
    line = lines[above[-1].line - 1].lstrip("#%/ ")
    names = [_clean(c) for c in cut(line, table.dialect.delimiter, table.dialect.quote).cells]
    fits = len(names) == table.dialect.width and all(names) and not any(map(is_number, names))
    return names if fits else None


def _has_numbers(record: Record, dialect: Dialect) -> bool:
    cells = zip(record.cells, dialect.numeric, strict=False)
    held = [cell.strip() for cell, number in cells if number]
    return bool(held) and all(cell in HOLES or is_number(cell) for cell in held)


def _clean(name: str) -> str:
    return " ".join(name.split()) if "\n" in name else name.strip().strip("\ufeff")


def _shown(line: str) -> str:
    line = line.strip()
    return repr(line if len(line) <= 40 else line[:37] + "...")


# -------------------------------------------------------------------------------- below the rows


def _find_end(table: _Table, text: bytes, lines: Sequence[str], n_lines: int) -> None:
    """Where rows end: totals and remarks below them are no rows. ``lines``: the first ones."""
    firsts = Counter(_first_cell(line, table.dialect) for line in lines)
    below: list[tuple[int, str]] = []
    doubtful: list[tuple[int, str]] = []  # below the table if a blank line is above them
    end = n_lines
    blank = rows = n_blank = n_rows = 0
    for number, line in zip(range(n_lines, table.first - 1, -1), _from_end(text), strict=False):
        is_blank = not line.strip(" ")
        blank += is_blank
        if is_blank or _is_blank_record(line, table.dialect):
            rows += not is_blank
            below, doubtful = below + doubtful, []
        elif len(below) + len(doubtful) == MOST_BELOW:
            break
        elif _is_below(line, table.dialect, firsts):
            below, doubtful = [*below, *doubtful, (number, line)], []
        elif _stands_alone(line, table.dialect):
            doubtful.append((number, line))
            continue
        elif not BORDER.fullmatch(line):
            break
        if not doubtful:
            end, n_blank, n_rows = number - 1, blank, rows
    table.last = end
    table.blank += n_blank
    if n_rows:
        table.remarks.append(f"rows without a value at the end of the file skipped: {n_rows}")
    if below:
        below.sort()
        shown = ", ".join(f"line {at}: {_shown(line)}" for at, line in below[:SHOWN])
        more = ", ..." if len(below) > SHOWN else ""
        table.remarks.append(f"lines below the table skipped: {len(below)} ({shown}{more})")


def _from_end(text: bytes) -> Iterator[str]:
    """Lines, the last one first."""
    end = len(text) - text.endswith(b"\n")
    while end >= 0:
        start = text.rfind(b"\n", 0, end) + 1
        yield text[start:end].decode()
        end = start - 1


def _first_cell(line: str, dialect: Dialect) -> str | None:
    cells = (cell.strip() for cell in cut(line, dialect.delimiter, dialect.quote).cells)
    return next((cell for cell in cells if cell), None)


def _stands_alone(line: str, dialect: Dialect) -> bool:
    """Whether a line holds one text, no number, where rows have several cells."""
    cells = [cell.strip() for cell in cut(line, dialect.delimiter, dialect.quote).cells]
    short = len(cells) < dialect.width or dialect.width > 2
    alone = dialect.width > 1 and short and not any(cells[1:]) and not is_number(cells[0])
    return alone and cells[0] != "" and line.count(dialect.quote) % 2 == 0


def _is_blank_record(line: str, dialect: Dialect) -> bool:
    return dialect.width > 1 and not line.replace(dialect.delimiter, "").strip()


def _is_below(line: str, dialect: Dialect, firsts: Counter[str | None]) -> bool:
    """Whether a line holds totals or a remark; ``firsts``: how often lines begin with a cell."""
    if line.count(dialect.quote) % 2:
        return False  # the end of a text that spans lines
    cells = [c.strip() for c in cut(line, dialect.delimiter, dialect.quote).cells]
    held = [cell for cell in cells if cell]
    if dialect.width == 1:
        return re.fullmatch(r"\(\d+ rows?( [\w ]*)?\)", line.strip()) is not None
    if TOTAL.fullmatch(held[0]) and len(held) > 1 and firsts[held[0]] <= 1:
        return True
    alone = len(cells) != dialect.width or (len(held) == 1 and dialect.width > 2)
    text = line.strip().strip("".join(DELIMITERS) + '"').strip()
    if dialect.delimiter in (BLANKS, GAPS):
        alone = len(cells) != dialect.width or line.startswith(COMMENTS)
    return alone and CLOSING.fullmatch(text) is not None


def _between(text: bytes, lines: Sequence[str], first: int, last: int, n_lines: int) -> bytes:
    """The lines from ``first`` to ``last``."""
    start = sum(len(line.encode()) + 1 for line in lines[: first - 1])
    end = len(text)
    if text.endswith(b"\n"):
        end -= 1
    for _ in range(n_lines - last):
        end = text.rfind(b"\n", 0, end)
    return text[start : max(start, end)]


# -------------------------------------------------------------------------------- the rows


def _rows(table: _Table, body: bytes) -> list[np.ndarray]:
    if body and is_plain(body, table.dialect):
        columns = by_arrow(body, table.dialect)
        if columns is not None:
            table.blank += body.count(b"\n") + 1 - len(columns[0])
            return columns
    found = Findings()
    lines = body.decode().split("\n") if body else []
    records = list(by_line(lines, table.dialect, table.first, found))
    table.blank += found.blank
    if found.strays:
        shown = ", ".join(map(str, found.strays[:5])) + (", ..." if len(found.strays) > 5 else "")
        table.remarks.append(
            f"quotes that stand for themselves (inches?), not around a text, in "
            f"{len(found.strays)} rows: line {shown}"
        )
    return as_columns(_as_wide(table, records), table.dialect.width)


def _as_wide(table: _Table, records: list[Record]) -> list[Record]:
    """Records with as many cells as the others: blank ones beyond are cut off.

    Raises:
        ValueError: naming the line, for any that are shorter or longer.
    """
    width = table.dialect.width
    if all(len(record.cells) == width for record in records):
        return records
    kept, wrong, skipped, longer = [], [], [], 0
    for record in records:
        if len(record.cells) == width:
            kept.append(record)
        elif len(record.cells) > width and not any(c.strip() for c in record.cells[width:]):
            kept.append(replace_cells(record, width))
            longer += 1
        elif record.cells[0].startswith(COMMENTS) or BORDER.fullmatch("".join(record.cells)):
            skipped.append(record)
        else:
            wrong.append(record)
    if wrong:
        raise _ragged(table, wrong)
    if longer:
        table.remarks.append(f"rows with blank values beyond the last column: {longer}")
    if skipped:
        table.remarks.append(
            f"comments between the rows skipped: {len(skipped)} (line {skipped[0].line}: "
            f"{_shown(skipped[0].cells[0])})"
        )
    return kept


def replace_cells(record: Record, width: int) -> Record:
    return Record(record.line, record.cells[:width])


def _ragged(table: _Table, wrong: Sequence[Record]) -> ValueError:
    first, d = wrong[0], table.dialect
    held = f"{(d.delimiter if len(d.delimiter) == 1 else ' ').join(first.cells)}"
    others = f" (and in {len(wrong) - 1} further lines)" if len(wrong) > 1 else ""
    if len(first.cells) > d.width:
        quoted = "a value that holds the delimiter must stand in quotes"
        advice = f"{quoted}, also a number with a decimal comma" if d.delimiter == "," else quoted
    else:
        advice = "a value or delimiter is missing, or a line break cuts the row in two"
    return ValueError(
        f"file: {table.path}, line {first.line}: expected {d.width} values, as in the header; got "
        f"{len(first.cells)}{others}: {_shown(held)}: mend or delete it ({advice})"
    )


# -------------------------------------------------------------------------------- the frame


def _frame(table: _Table, columns: list[np.ndarray]) -> pd.DataFrame:
    import pandas as pd

    names = list(table.names)
    columns = _without_odd_rows(table, names, columns)
    bare = [d for d, name in enumerate(names) if not name and _is_blank(columns[d])]
    inner = [d for d in bare if any(names[d + 1 :]) and any(names[:d])]
    ends = [d for d in bare if d not in inner]
    if ends:
        table.remarks.append(f"columns without a name and a value, of delimiters at the ends of "
                             f"rows, left out: {len(ends)}")  # fmt: skip
        names = [name for d, name in enumerate(names) if d not in ends]
        columns = [column for d, column in enumerate(columns) if d not in ends]
    for d, name in enumerate(names):
        if not name:
            names[d] = f"column {d + 1}"
            table.remarks.append(f"a column without a name is called {names[d]!r}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        where = ", ".join(
            f"{name!r} more than once (columns "
            f"{', '.join(str(d + 1) for d, n in enumerate(names) if n == name)})"
            for name in twice[:5]
        )
        raise ValueError(
            f"file: {table.path}: expected different names in the header; got {where}: rename or "
            f"delete all but one (values, not names? give --no-header)"
        )
    return pd.DataFrame(dict(zip(names, columns, strict=True)), dtype=object)


def _in_one(frame: pd.DataFrame) -> str | None:
    """What to say of a single column that may be several, by a sign that all its lines hold."""
    name, texts = frame.columns[0], frame.iloc[:SAMPLE, 0].dropna().tolist()
    for sign in (*DELIMITERS, "~", "^", ":", "#", "!", "&", "/"):
        n = name.count(sign)
        if n and all(text.count(sign) == n for text in texts):
            advice = "take the quotes around whole lines away"
            if sign not in DELIMITERS:
                advice = f"write a line sep={sign} above the header"
            return (
                f"read as one column, but the header and all rows hold {sign!r} {n} times: if it "
                f"separates columns {advice}"
            )
    return None


def _is_blank(column: np.ndarray) -> bool:
    return all(value is None for value in column)


def _without_odd_rows(
    table: _Table, names: Sequence[str], columns: list[np.ndarray]
) -> list[np.ndarray]:
    """Rows but those that repeat the header, and blank ones that part a sheet in sections."""
    import pandas as pd

    again = np.ones(len(columns[0]), dtype=bool)
    for name, column in zip(names, columns, strict=True):
        if not again.any():
            break
        again[again] = column[again] == (name or None)
    blank = np.ones(len(columns[0]), dtype=bool)
    least = len(blank)
    for column in columns if len(columns) > 1 else ():
        hole = pd.isna(column)
        least = min(least, int(hole.sum()))
        blank &= hole
        if not blank.any():
            break
    # where each column has holes besides, blank rows may be rows like others
    odd = blank if len(columns) > 1 and blank.any() and blank.sum() == least else blank & False
    if again.any():
        table.remarks.append(f"rows that repeat the header skipped: {int(again.sum())}")
    if odd.any():
        table.remarks.append(f"rows without a value skipped: {int(odd.sum())}")
    keep = ~(again | odd)
    return columns if keep.all() else [column[keep] for column in columns]
