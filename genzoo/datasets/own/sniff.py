"""How a table in text is written, judged by its first lines: delimiter, quotes, cells a record."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from genzoo.datasets.own.cells import (
    BLANKS,
    GAPS,
    Dialect,
    Record,
    by_line,
    cut,
    is_number,
)

DELIMITERS = ("\t", ";", "|", ",")
SAMPLE = 300  # lines
NUMERIC_SHARE = 0.9  # of the cells of a column that are not blank
CONSISTENT = 0.7  # the least share of records with one number of cells
# numbers whose comma, or comma and dots, could be of decimals and thousands
_DECIMAL = re.compile(r"\s*[-+]?[\d.]*\d,\d+\s*[%€$£]?\s*|.*\d:\d\d:\d\d,\d+")
_SEVERAL = re.compile(r"[-+\d.,eE]+(\s[-+\d.,eE]+)+")
BORDER = re.compile(r"\s*[|+;,\t]?[\s|+:;,\t]*(-{2,}|={3,}|_{3,})[-=_|+:;,\s]*")


@dataclass(frozen=True)
class _Guess:
    dialect: Dialect
    share: float  # of records that have its width
    clean: float  # of cells that hold none of the other delimiters


def sniff(lines: Sequence[str], delimiter: str | None = None) -> Dialect:
    """The dialect of lines; one column where no delimiter cuts them evenly.

    Args:
        lines: the first ones, or more.
        delimiter: where it is known, as by a line ``sep=;``.
    """
    lines = [line for line in lines[:SAMPLE] if line.strip() and not BORDER.fullmatch(line)]
    lines = _without_comments(lines)
    quote = '"'
    guesses = [_guess(lines, d, quote) for d in (delimiter or DELIMITERS)]
    best = max(guesses, key=_merit)
    if best.dialect.width > 1 and _in_single_quotes(lines, best.dialect.delimiter):
        quote = "'"
        best = max((_guess(lines, d, quote) for d in (delimiter or DELIMITERS)), key=_merit)
    if delimiter is None and (best.dialect.width == 1 or best.share < CONSISTENT):
        best = _by_blanks(lines) or best
    if delimiter is None and _is_one_column(lines, best):
        best = replace(best, dialect=Dialect(";"))
    return _with_numeric(lines, best.dialect)


def _merit(guess: _Guess) -> tuple[bool, float, float, int]:
    more = guess.dialect.width > 1
    return more and guess.share >= 0.5, round(guess.share * 10), guess.clean, guess.dialect.width


def _without_comments(lines: list[str]) -> list[str]:
    rest = [line for line in lines if not line.startswith("#")]
    return rest if len(rest) > 1 else lines


def _guess(lines: Sequence[str], delimiter: str, quote: str) -> _Guess:
    """The number of cells that most lines have, or most records where quotes hold line breaks."""
    best = _Guess(Dialect(delimiter, quote), 0.0, 0.0)
    for records in (
        [cut(line, delimiter, quote).cells for line in lines],
        _records_of_any_width(lines, delimiter, quote),
    ):
        counts = Counter(map(len, records))
        if not counts:
            continue
        # of equals that of the line above, which holds the names
        first = next(iter(counts))
        width = max(counts, key=lambda w: (counts[w], w == first))
        held = [r for r in records if len(r) == width]
        others = [d for d in DELIMITERS if d != delimiter]
        cells = [cell for r in held for cell in r if cell.strip()]
        clean = sum(
            not any(d in c for d in others) or _DECIMAL.fullmatch(c) is not None for c in cells
        )
        share = counts[width] / len(records)
        found = _Guess(Dialect(delimiter, quote, width), share, clean / max(1, len(cells)))
        if (round(found.share, 1), width > 1) > (round(best.share, 1), best.dialect.width > 1):
            best = found
    return best


def _records_of_any_width(lines: Sequence[str], delimiter: str, quote: str) -> list[list[str]]:
    """As if every text in quotes were closed, in the lines below if need be."""
    records, text = [], ""
    for line in lines:
        text = f"{text}\n{line}" if text else line
        if text.count(quote) % 2 == 0 or text.count("\n") > SAMPLE // 2:
            records.append(cut(text, delimiter, quote).cells)
            text = ""
    return records


def _in_single_quotes(lines: Sequence[str], delimiter: str) -> bool:
    """Whether texts stand in single quotes, and none in double ones."""
    d = re.escape(delimiter)
    if any(re.search(rf'(?:^|{d})\s*"', line) for line in lines):
        return False
    opened = sum(re.search(rf"(?:^|{d})\s*'", line) is not None for line in lines)
    whole = sum(re.search(rf"(?:^|{d})\s*'[^']*'\s*(?:{d}|$)", line) is not None for line in lines)
    return opened > 1 and whole == opened and whole >= len(lines) / 2


def _by_blanks(lines: Sequence[str]) -> _Guess | None:
    """Cells between blanks, where all lines but the first have the same number of them and there
    are numbers or quotes: words of a sentence are no cells."""
    for delimiter in (GAPS, BLANKS):
        records = [cut(line, delimiter).cells for line in lines]
        counts = Counter(map(len, records[1:]))
        if not counts:
            return None
        width, n = counts.most_common(1)[0]
        if width < 2 or n < len(records) - 1 or len(records[0]) not in (width, width - 1):
            continue
        if any(_SEVERAL.fullmatch(cell) for cells in records[1:] for cell in cells):
            continue
        dialect = _with_numeric(lines, Dialect(delimiter, width=width))
        quoted = all('"' in line for line in lines)
        if quoted or sum(dialect.numeric) >= (1 if width > 2 else 2):
            return _Guess(dialect, n / len(records), 1.0)
    return None


def _is_one_column(lines: Sequence[str], guess: _Guess) -> bool:
    """A single column of numbers with decimal commas, which would be cut in two."""
    return (
        guess.dialect.delimiter == ","
        and guess.dialect.width == 2
        and "," not in lines[0]
        and all(re.fullmatch(r'"?[-+]?\d+(,\d+)?"?', line.strip()) for line in lines[1:])
    )


def _with_numeric(lines: Sequence[str], dialect: Dialect) -> Dialect:
    records = [r for r in by_line(lines[1:], dialect) if len(r.cells) == dialect.width]
    return replace(dialect, numeric=numeric(records, dialect.width))


def numeric(records: Sequence[Record], width: int) -> tuple[bool, ...]:
    """Of each column, whether (nearly) all its entries are numbers."""
    found = []
    for column in zip(*(r.cells for r in records), strict=True) if records else [()] * width:
        present = [cell.strip() for cell in column if cell.strip()]
        n = sum(map(is_number, present))
        found.append(n > 0 and n >= NUMERIC_SHARE * len(present))
    return tuple(found)
