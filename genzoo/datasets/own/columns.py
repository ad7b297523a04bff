"""``Column``: how one column of a file is treated, and the schema file that holds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from genzoo.space.variable import UNITS
from genzoo.spelling import did_you_mean, did_you_mean_path

if TYPE_CHECKING:
    import pandas as pd

HOLE_MARKS = (
    "?", "NA", "N/A", "n/a", "N.A.", "n.a.", "#N/A", "#NA", "NaN", "nan", "NaT", "NULL", "null",
    "None", "\\N", "<NA>", "(null)", "<null>", "[NULL]", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?",
    "#NUM!", "#NULL!", "#NV", "#WERT!", "#BEZUG!", "#ZAHL!", "#VALEUR!", "#SPILL!", "#CALC!",
)  # fmt: skip
Treatment = Literal["number", "nominal", "ordinal", "date", "time", "duration", "leave out"]
TREATMENTS: tuple[Treatment, ...] = get_args(Treatment)
NEGATIVES = ("-1", "\u22121", "(1)", "1-")
CLOCK = ("date", "time", "duration")  # treatments that have a format
SPECIAL_FORMATS = (
    "unix seconds", "unix milliseconds", "unix microseconds", "excel days", "/Date(ms)/",
    "ISO8601", "words",
)  # fmt: skip
MOST_DECIMALS = 20
FORMAT = "genzoo columns 1"
MARK = ' "unedited": "'  # before the hash of the text above it, by which edits are noticed


@dataclass(frozen=True)
class Column:
    """How one column of a file is treated.

    Args:
        name: as in the header.
        treat: one of ``TREATMENTS``.
        reason: why, where it is left out.
        holes: entries that are read as holes, beside blank ones.
        categories: nominal and ordinal: the values, in order; all that occur where None.
        other: the category that stands for all values that are not listed; None: they are errors.
        decimal, thousands: the signs in numbers.
        prefix, suffix: what stands before and after numbers: a currency, a unit, a percent sign.
        decimals: how many digits stand behind the sign of decimals, where all numbers have as many.
        negative: how negative numbers are written: one of ``NEGATIVES``.
        format: how dates, times and durations are written (as for ``strptime``, several with
            ``|`` between, or one of ``SPECIAL_FORMATS``); None where they come as such.
        unit: what dates, times and durations are counted in, as in ``Variable``; the coarsest that
            loses nothing where None.
        whole: whether the numbers are integers; found where None.
        remarks: what the reader should know; not read back from a schema file.
        problem: why the file can't be used before someone has decided what to do with this column;
            not written to a schema file.
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
    decimals: int | None = None
    negative: str = "-1"
    format: str | None = None
    unit: str | None = None
    whole: bool | None = None
    remarks: tuple[str, ...] = field(default=(), compare=False)
    problem: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        def wrong(part: str, expected: str, known: Iterable[str] = ()) -> ValueError:
            got = getattr(self, part)
            hint = did_you_mean(got, known)
            return ValueError(
                f"column {self.name!r}: {part}: expected {expected}; got {got!r}{hint}"
            )

        if self.treat not in TREATMENTS:
            raise wrong("treat", f"one of {', '.join(TREATMENTS)}", TREATMENTS)
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
            raise wrong("other", "one of the categories", categories)
        if self.decimal not in (".", ","):
            raise wrong("decimal", '"." or ","')
        if self.thousands not in ("", ".", ",", " ", "'"):
            raise wrong("thousands", """"", ".", ",", " " or "'" """.strip())
        if self.thousands == self.decimal:
            raise wrong("thousands", "another sign than that of decimals")
        if self.negative not in NEGATIVES:
            raise wrong("negative", f"one of {', '.join(NEGATIVES)}")
        digits = self.decimals
        if digits is not None and (type(digits) is not int or not 0 <= digits <= MOST_DECIMALS):
            raise wrong("decimals", f"a number of digits, 0 to {MOST_DECIMALS}")
        if self.unit not in (None, *UNITS):
            raise wrong("unit", f"one of {', '.join(UNITS)}", UNITS)
        for part in ("prefix", "suffix"):
            if not isinstance(getattr(self, part), str):
                raise wrong(part, "text")
        for part in ("reason", "format", "other"):
            if not isinstance(getattr(self, part), (str, type(None))):
                raise wrong(part, "text")
        for one in (self.format or "%").split("|"):
            if "%" not in one and one not in SPECIAL_FORMATS:
                codes = 'signs as for strptime ("%d.%m.%Y %H:%M")'
                raise wrong("format", f"{codes} or one of {', '.join(SPECIAL_FORMATS)}")

    @property
    def is_used(self) -> bool:
        return self.treat != "leave out"

    def holes_in(self, values: pd.Series) -> pd.Series:
        """(n,) bool: the entries that are blank or read as holes."""
        import pandas as pd

        blank = values.isna()
        if not self.holes:
            return blank
        if pd.api.types.is_numeric_dtype(values.dtype):
            marks = pd.to_numeric(pd.Series(self.holes, dtype=object), errors="coerce")
            return blank | values.isin(marks.dropna())
        if pd.api.types.is_datetime64_any_dtype(values.dtype):
            dates = pd.to_datetime(pd.Series(map(str, self.holes)), errors="coerce", utc=True)
            moments = values.dt.tz_localize("UTC") if values.dt.tz is None else values
            return blank | moments.isin(dates.dropna())
        return blank | values.isin((*self.holes, *map(str, self.holes)))

    def in_words(self) -> str:
        """The treatment as a table shows it."""
        if self.treat in ("nominal", "ordinal"):
            n = len(self.categories or ())
            if n == 0:
                return "nothing but holes"
            return f"{self.treat}, {n} value{'' if n == 1 else 's'}"
        if self.treat in CLOCK:
            return self.treat + (f", in {self.unit}s" if self.unit else "")
        if self.treat == "number":
            return "number, whole" if self.whole else "number"
        return "LEFT OUT"


# -------------------------------------------------------------------------------- as a file


DEFAULT = Column("", "number")
KEYS = tuple(f.name for f in fields(Column) if f.name != "problem")
FORMER_KEYS = ("first",)  # in files of earlier versions: the date from which others were counted


def to_json(columns: Sequence[Column], path: str) -> str:
    """The text of a schema file, one column a line, without what is at its default."""
    lines = []
    for column in columns:
        record = {f.name: getattr(column, f.name) for f in fields(column) if f.name in KEYS}
        record = {
            k: v for k, v in record.items() if v != getattr(DEFAULT, k) or k in ("name", "treat")
        }
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
    found = []
    for entry in columns:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise ValueError(f'{where}: expected columns with "name" and "treat"; got {entry!r}')
        strange = [key for key in entry if key not in (*KEYS, *FORMER_KEYS)]
        if strange or "treat" not in entry:
            got = 'no "treat"'
            if strange:
                got = f"unknown {strange[0]!r}{did_you_mean(strange[0], KEYS)}"
            raise ValueError(
                f"{where}: column {entry['name']!r}: expected parts out of {', '.join(KEYS)}; "
                f"got {got}"
            )
        try:
            read = {k: v for k, v in entry.items() if k in KEYS and k != "remarks"}
            found.append(Column(**read))
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
        hint = did_you_mean_path(path)
        raise ValueError(f"schema: expected a schema file; there is no {path}{hint}") from None
    except (OSError, UnicodeError) as error:
        raise ValueError(f"schema: {path} can't be read: {error}") from None
    return from_json(text, f"schema: {path}")
