"""``Column``: how one column of a file is treated, and the schema file that holds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    import pandas as pd

HOLE_MARKS = ("?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None")
Treatment = Literal["number", "nominal", "ordinal", "date", "leave out"]
TREATMENTS: tuple[Treatment, ...] = get_args(Treatment)
UNITS = ("day", "hour", "minute", "second", "millisecond", "microsecond")
FORMAT = "genzoo columns 1"
MARK = ' "unedited": "'  # before the hash of the text above it, by which edits are noticed


@dataclass(frozen=True)
class Column:
    """How one column of a file is treated.

    Args:
        name: as in the header.
        treat: one of ``TREATMENTS``.
        reason: why, where it is left out.
        holes: texts that are read as holes, beside blank entries.
        categories: nominal and ordinal: the values, in order; all that occur where None.
        other: the category that stands for all values that are not listed; None: they are errors.
        decimal, thousands: the signs in numbers.
        prefix, suffix: what stands before and after each number: a currency, a percent sign.
        format: how dates are written (as for ``strptime``); None where they come as dates.
        unit: what dates are counted in: ``"month"`` or one of ``UNITS``; found where None.
        first: the date from which they are counted; the earliest where None.
        whole: whether the numbers are integers; found where None.
        remarks: what the reader should know; not read back from a schema file.
    """

    name: str
    treat: Treatment
    reason: str | None = None
    holes: tuple[str, ...] = ()
    categories: tuple[Any, ...] | None = None
    other: str | None = None
    decimal: str = "."
    thousands: str = ""
    prefix: str = ""
    suffix: str = ""
    format: str | None = None
    unit: str | None = None
    first: str | None = None
    whole: bool | None = None
    remarks: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        def wrong(part: str, expected: str) -> ValueError:
            got = getattr(self, part)
            return ValueError(f"column {self.name!r}: {part}: expected {expected}; got {got!r}")

        if self.treat not in TREATMENTS:
            raise wrong("treat", f"one of {', '.join(TREATMENTS)}")
        for part in ("holes", "categories", "remarks"):
            value = getattr(self, part)
            if value is None:
                continue
            if isinstance(value, str) or not isinstance(value, (list, tuple)):
                raise wrong(part, "a list")
            object.__setattr__(self, part, tuple(value))
        categories = self.categories or ()
        if not all(isinstance(c, (str, int, float)) for c in categories):
            raise wrong("categories", "text, numbers or booleans")
        if len({(type(c), c) for c in categories}) < len(categories):
            raise wrong("categories", "different values")
        if self.treat == "ordinal" and self.categories is None:
            raise wrong("categories", "the values in order, for an ordinal column")
        if self.other is not None and self.other not in categories:
            raise wrong("other", "one of the categories")
        if self.decimal not in (".", ","):
            raise wrong("decimal", '"." or ","')
        if self.thousands not in ("", ".", ",", " ", "'"):
            raise wrong("thousands", """"", ".", ",", " " or "'" """.strip())
        if self.thousands == self.decimal:
            raise wrong("thousands", "another sign than that of decimals")
        if self.unit not in (None, "month", *UNITS):
            raise wrong("unit", f"one of month, {', '.join(UNITS)}")
        for part in ("prefix", "suffix"):
            if not isinstance(getattr(self, part), str):
                raise wrong(part, "text")
        for part in ("reason", "format", "first", "other"):
            if not isinstance(getattr(self, part), (str, type(None))):
                raise wrong(part, "text")

    @property
    def is_used(self) -> bool:
        return self.treat != "leave out"

    def holes_in(self, values: pd.Series) -> pd.Series:
        """(n,) bool: the entries that are blank or read as holes."""
        return values.isna() | values.isin(self.holes)

    def in_words(self) -> str:
        """The treatment as a table shows it."""
        if self.treat in ("nominal", "ordinal"):
            n = len(self.categories or ())
            if n == 0:
                return "nothing but holes"
            return f"{self.treat}, {n} value{'' if n == 1 else 's'}"
        if self.treat == "date":
            return f"date, in {self.unit or 'unit'}s"
        if self.treat == "number":
            return "number, whole" if self.whole else "number"
        return "LEFT OUT"


# -------------------------------------------------------------------------------- as a file


def to_json(columns: Sequence[Column], path: str) -> str:
    """The text of a schema file, one column a line, without what is at its default."""
    lines = []
    for column in columns:
        # name and treat have no default
        record = {f.name: getattr(column, f.name) for f in fields(column)}
        record = {f.name: record[f.name] for f in fields(column) if record[f.name] != f.default}
        lines.append("  " + json.dumps(record, ensure_ascii=False))
    head = f'{{"format": {json.dumps(FORMAT)},\n "file": {json.dumps(path, ensure_ascii=False)},\n'
    body = ' "columns": [\n' + ",\n".join(lines) + "\n ],\n"
    return f'{head}{body}{MARK}{_digest(head + body)}"}}\n'


def is_as_written(path: Path) -> bool:
    """Whether a schema file is as ``to_json`` wrote it: no one has edited it since."""
    try:
        body, _, digest = path.read_text(encoding="utf-8").partition(MARK)
    except (OSError, UnicodeError):
        return False
    return digest.rstrip() == f'{_digest(body)}"}}'


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def from_json(text: str, where: str) -> list[Column]:
    """The inverse of ``to_json``.

    Raises:
        ValueError: naming ``where``, what was expected and what came.
    """
    try:
        record = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{where}: expected a schema file in JSON: {error}") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        got = record.get("format") if isinstance(record, dict) else type(record).__name__
        raise ValueError(
            f'{where}: expected a schema file with "format": "{FORMAT}" (compare writes one, '
            f"schema_NAME.json); got {got!r}"
        )
    columns = record.get("columns")
    if not isinstance(columns, list) or not columns:
        raise ValueError(f'{where}: expected a list under "columns"; got {columns!r}')
    known = [f.name for f in fields(Column)]
    found = []
    for entry in columns:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise ValueError(f'{where}: expected columns with "name" and "treat"; got {entry!r}')
        strange = [key for key in entry if key not in known]
        if strange or "treat" not in entry:
            got = f"unknown {strange[0]!r}" if strange else 'no "treat"'
            raise ValueError(
                f"{where}: column {entry['name']!r}: expected parts out of {', '.join(known)}; "
                f"got {got}"
            )
        try:
            found.append(Column(**{k: v for k, v in entry.items() if k != "remarks"}))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    names = [c.name for c in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{where}: expected each column once; got {twice[0]!r} twice")
    return found


def read_schema(path: str | Path) -> list[Column]:
    """The columns in a schema file.

    Raises:
        ValueError: if it can't be read or is none.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(f"schema: expected a schema file; there is no {path}") from None
    except (OSError, UnicodeError) as error:
        raise ValueError(f"schema: {path} can't be read: {error}") from None
    return from_json(text, f"schema: {path}")
