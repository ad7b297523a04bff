"""Text with a string in each line."""

from __future__ import annotations

from pathlib import Path

from genzoo.datasets.own.cells import BLANKS, GAPS, by_line
from genzoo.datasets.own.sniff import SAMPLE, sniff

MOST_CHARACTERS = 1024
TABLE_SHARE = 0.95  # of the lines, with one number of cells: a table


def of_strings(path: Path, text: str, remarks: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """The lines that are not blank, and what the reader should know.

    Raises:
        ValueError: for lines longer than ``MOST_CHARACTERS``.
    """
    lines = text.split("\n")
    strings = [line for line in lines if line]
    blank = len(lines) - len(strings) - text.endswith("\n")
    if blank:
        remarks = [*remarks, f"blank lines skipped: {blank}"]
    table = _as_table(strings)
    if table is not None:
        suffix = ".tsv" if table == repr("\t") else ".csv"
        advice = "each line is read as a string, but they look like rows of a table (separated by "
        remarks = [*remarks, f"{advice}{table}): to read it as one call it {suffix}"]
    elif all(s.startswith("{") and s.endswith("}") for s in strings[:SAMPLE]):
        advice = "each line is read as a string, but they look like JSON objects: "
        remarks = [*remarks, f"{advice}to read them as a table call it .jsonl"]
    longest = max(range(len(strings)), key=lambda i: len(strings[i]))
    if len(strings[longest]) > MOST_CHARACTERS:
        hint = " or call it .csv" if table is not None else ""
        raise ValueError(
            f"file: {path}: expected one string a line, of at most {MOST_CHARACTERS} characters; "
            f"string {longest + 1} has {len(strings[longest])} (running text: cut it into "
            f"windows{hint})"
        )
    return strings, tuple(remarks)


def _as_table(strings: list[str]) -> str | None:
    """What separates the columns, if lines look like rows: commas and blanks part sentences too, so
    these must have no blank beside them, or numbers between."""
    lines = strings[:SAMPLE]
    if len(lines) < 3:
        return None
    dialect = sniff(lines)
    if dialect.width < 2:
        return None
    records = [r.cells for r in by_line(lines, dialect)]
    even = [cells for cells in records if len(cells) == dialect.width]
    if len(even) < TABLE_SHARE * len(records):
        return None
    n_numeric = sum(dialect.numeric)
    if dialect.delimiter in (BLANKS, GAPS) and (n_numeric < 2 or 2 * n_numeric < dialect.width):
        return None
    tight = sum(not cell.startswith(" ") for cells in even for cell in cells[1:])
    if tight < TABLE_SHARE * len(even) * (dialect.width - 1) and 2 * n_numeric < dialect.width:
        return None
    return dialect.in_words()
