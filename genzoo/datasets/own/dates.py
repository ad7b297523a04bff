"""Dates as people write them: read by a column's format, and the format recognised.

A format is written as for ``strptime``; ``|`` stands between several, ``%q`` is a quarter, ``%3f``
a fraction of three digits, ``%:z`` an offset with a colon, ``@de`` at its end says that months and
days have German names (``months``), and ``columns.SPECIAL_FORMATS`` are counts of seconds or days.
Dates without time zone are taken as they are; those with one, also where it is the same for all and
stands in the format itself (``%H:%M+05:30``), are in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from genzoo.datasets.own import months
from genzoo.datasets.own.columns import Column
from genzoo.datasets.own.texts import (
    Distinct,
    array_of,
    distinct,
    filtered,
    matches,
    parts,
    replaced,
    series_of,
    some_of,
)

if TYPE_CHECKING:
    import pandas as pd

# of two that fit a column equally well the first is taken, and the other named in a remark
DAYS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d", "%y/%m/%d", "%d-%b-%Y",
    "%d-%b-%y", "%d/%b/%Y", "%d/%b/%y", "%d.%b.%Y", "%d %b %Y", "%d %b %y", "%d. %b %Y", "%d %B %Y",
    "%d. %B %Y", "%d-%B-%Y", "%b %d, %Y", "%B %d, %Y", "%b. %d, %Y", "%b %d %Y", "%B %d %Y",
    "%d%b%Y", "%d%b%y", "%Y-%b-%d", "%Y %b %d", "%Y%m%d", "%Y %m %d", "%d %m %Y", "%a %b %d %Y",
    "%a, %d %b %Y", "%a %d %b %Y", "%a, %b %d, %Y", "%A, %B %d, %Y", "%A, %d %B %Y", "%a %d.%m.%Y",
    "%a, %d.%m.%Y", "%a %m/%d/%Y", "%d. %m. %Y", "%Y. %m. %d", "%Y-%j", "%G-W%V-%u",
    "%Y年%m月%d日", "%Y년 %m월 %d일", "%A, %d. %B %Y", "%a, %d. %b %Y",
    "%A, %d.%m.%Y", "%A %d %B %Y", "%d de %B de %Y", "%A, %d de %B de %Y", "%d de %b de %Y",
)  # fmt: skip
PERIODS = (
    "%Y-%m", "%Y/%m", "%m/%Y", "%m.%Y", "%m-%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%b %y",
    "%b. %Y", "%b/%Y", "%Y-%b", "%Y %b", "%b%Y", "%b%y", "%YM%m", "%Y-Q%q", "%YQ%q", "%Y Q%q",
    "%Y/Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y", "%G-W%V", "%GW%V", "%G W%V", "W%V %G",
    "%Y年%m月", "%Y년 %m월",
)  # fmt: skip
CLOCKS = (
    "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S,%f", "%H:%M:%S:%f", "%I:%M %p", "%I:%M:%S %p",
    "%I:%M:%S.%f %p", "%I:%M%p", "%I:%M:%S%p", "%I:%M:%S.%f%p", "%I:%M:%S:%f%p", "%I.%M.%S.%f %p",
    "%I.%M.%S %p", "%I.%M %p", "%I %p", "%H.%M.%S", "%H.%M", "%Hh%M", "%H:%M Uhr", "%H", "%H%M%S",
    "%H%M", "%H時%M分", "%H时%M分", "%H時%M分%S秒", "%H时%M分%S秒",
)  # fmt: skip
ZONES = ("", "Z", "%z", " %z", " UTC", " GMT")
BETWEEN = (" ", "T", ", ", ":", " - ", "_", " at ", " um ", "")
WHOLE = (
    "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %Y %z", "%a %b %d %H:%M:%S %z %Y",
    "%a %b %d %H:%M:%S UTC %Y", "%a %b %d %Y %H:%M:%S GMT%z", "%b %d %H:%M:%S %Y",
    "%H:%M:%S %d.%m.%Y", "%H:%M %d.%m.%Y", "%H:%M:%S %d/%m/%Y", "%H:%M %d/%m/%Y",
    "%H:%M:%S %m/%d/%Y", "%H:%M %m/%d/%Y", "%I:%M %p %m/%d/%Y", "%I:%M:%S %p %m/%d/%Y",
    "%H:%M:%S %Y-%m-%d", "%H:%M %Y-%m-%d",
)  # fmt: skip
# no dates, and yet they stand for one: as databases write "none"
ZERO_DATES = frozenset((
    "0", "00000000", "0000-00-00", "0000-00-00 00:00:00", "0000-00-00T00:00:00", "00.00.0000",
    "00/00/0000", "0000/00/00", "00-00-0000", "00-000-0000",
))  # fmt: skip
_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_LONG = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
)  # fmt: skip
_DAY = "mon|tue|wed|thu|fri|sat|sun"
_PATTERNS = {
    "Y": r"\d{4}", "G": r"\d{4}", "y": r"\d{2}", "m": r"\d{1,2}", "d": r"\d{1,2}", "j": r"\d{3}",
    "V": r"\d{1,2}", "u": "[1-7]", "q": "[1-4]", "b": f"(?:{_NAMES})", "B": f"(?:{_LONG})",
    "a": f"(?:{_DAY})", "A": r"\w+day", "H": r"\d{1,2}", "I": r"\d{1,2}", "M": r"\d{2}",
    "S": r"\d{2}", "f": r"\d{1,9}", "p": r"[ap]\.?\s?m\.?",
    "z": r"(?:Z|[+-]\d{2}(?::?\d{2})?)(?: \([^)]*\))?",
}  # fmt: skip
_COUNTS = {
    "unix seconds": 10**6, "unix milliseconds": 1000, "unix microseconds": 1,
    "excel days": 86_400 * 10**6, "/Date(ms)/": 1000,
}  # fmt: skip
EXCEL_START = np.datetime64("1899-12-30", "us")
START = np.datetime64("1970-01-01", "us")
_FINENESS = ("%Y", "mbBqVj", "duG", "HI", "M", "S", "f")  # from years to fractions of a second


# -------------------------------------------------------------------------------- reading


def parse_dates(column: Column, present: pd.Series) -> pd.Series:
    """A column without holes as datetime64[us] without time zone: those with one are in UTC.

    Raises:
        ValueError: naming the column, for what its format doesn't read.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(present.dtype):
        if getattr(present.dt, "tz", None) is not None:
            present = present.dt.tz_convert("UTC").dt.tz_localize(None)
        return present.astype("datetime64[us]")
    found = distinct(as_text(present))
    if column.format is None:
        reading = in_format(found)
        advice = "" if reading is None else f'; "format": "{reading.form}" would read most of them'
        raise ValueError(
            f'column {column.name!r}: expected a "format" for dates that are text, as for strptime '
            f'("%d.%m.%Y"){advice}'
        )
    try:
        dates = dates_as(found.texts, column.format)
    except ValueError as error:
        raise ValueError(
            f"column {column.name!r}: format: expected one as for strptime; got "
            f"{column.format!r}: {error}"
        ) from None
    if np.isnat(dates).any():
        bad = found.texts[int(np.argmax(np.isnat(dates)))].as_py()
        raise ValueError(
            f"column {column.name!r}: expected dates as {column.format}; got {bad!r} (a schema "
            f'file may list it under "holes")'
        )
    return pd.Series(dates[found.codes], index=present.index)


def as_text(values: pd.Series) -> pd.Series:
    """A column without holes as text: whole numbers without a point."""
    import pandas as pd

    if pd.api.types.is_float_dtype(values.dtype) and (values % 1 == 0).all():
        values = values.astype("int64")
    return values.astype(str)


def dates_as(texts: Any, form: str) -> np.ndarray:
    """(u,) datetime64[us] of texts in a format; NaT where one is not written so."""
    found = np.full(len(texts), np.datetime64("NaT", "us"))
    for one in form.split("|"):
        left = np.isnat(found)
        if not left.any():
            break
        found[left] = _dates_as(filtered(texts, left), one)
    return found


def _dates_as(texts: Any, form: str) -> np.ndarray:
    import pandas as pd

    if form in _COUNTS:
        return _counted(texts, form)
    form, _, language = form.partition("@")
    if language:
        texts = months.in_english(texts, language, form)
    if form == "ISO8601":
        dates = pd.to_datetime(series_of(texts), format=form, errors="coerce", utc=True)
        return _micros(dates)
    form = re.sub(r"%[-:\d]", "%", form)
    if "%f" in form:  # as far as microseconds go
        texts = replaced(texts, r"([.,:]\d{6})\d{1,3}", r"\1")
    if "%p" in form:
        texts = replaced(texts, r"(?i)([ap])\.?\s?m\.?", r"\1m")
    if "%z" in form:
        texts = replaced(replaced(texts, r" \([^)]*\)$", ""), r"([+-]\d{2})$", r"\1:00")
    if "%q" in form:
        for quarter in range(4):
            texts = replaced(texts, rf"(?i)q{quarter + 1}", f"q{3 * quarter + 1:02d}")
        form = form.replace("Q%q", "q%m")
    if "%V" in form and "%u" not in form:
        texts, form = replaced(texts, "$", " 1"), form + " %u"
    if "%b." in form:
        texts = replaced(texts, r"(?i)(sep)t\.", r"\1.")
    dates = pd.to_datetime(series_of(texts), format=form, errors="coerce", utc="%z" in form or None)
    return _micros(dates) - _offset(form)


_OFFSET = re.compile(r"%\d?[HMSf] ?(?P<sign>[+-])(?P<hours>\d{2})(?::?(?P<minutes>\d{2}))?$")


def _offset(form: str) -> np.timedelta64:
    """How far before UTC clocks are whose offset stands in the format."""
    found = _OFFSET.search(form)
    if found is None:
        return np.timedelta64(0, "us")
    minutes = 60 * int(found["hours"]) + int(found["minutes"] or 0)
    return np.timedelta64(minutes * (-1 if found["sign"] == "-" else 1), "m")


def is_zoned(form: str) -> bool:
    """Whether dates in a format have offsets."""
    return re.search("%:?z", form) is not None or any(map(_OFFSET.search, form.split("|")))


def _micros(dates: pd.Series) -> np.ndarray:
    if dates.dt.tz is not None:
        dates = dates.dt.tz_convert("UTC").dt.tz_localize(None)
    return dates.astype("datetime64[us]").to_numpy()


def _counted(texts: Any, form: str) -> np.ndarray:
    """Dates that are counts of seconds (or days) since a day."""
    if form == "/Date(ms)/":
        texts = replaced(texts, r"^\\?/Date\((-?\d+)(?:[+-]\d{4})?\)\\?/$", r"\1")
    fits, step = matches(texts, r"-?\d+(?:\.\d*)?"), _COUNTS[form]
    start = EXCEL_START if form == "excel days" else START
    ends = (np.datetime64(date, "us") for date in ("0001-01-01", "9999-12-31T23:59:59"))
    low, high = (int((end - start).astype(np.int64)) for end in ends)
    counts = np.zeros(len(texts), dtype=np.int64)
    for i, text in zip(np.flatnonzero(fits), filtered(texts, fits).to_pylist(), strict=True):
        count = int(Decimal(text) * step)
        fits[i] = low <= count <= high
        counts[i] = count if fits[i] else 0
    dates = start + counts.astype("timedelta64[us]")
    return np.where(fits, dates, np.datetime64("NaT", "us"))


# -------------------------------------------------------------------------------- writing


def write_dates(column: Column, values: pd.Series) -> pd.Series:
    """Dates as the file writes them; holes stay. Where it has several formats, each date in the
    coarsest that loses nothing of it."""
    import pandas as pd

    if column.format is None:
        return values
    codes, unique = pd.factorize(values)
    dates = pd.Series(pd.DatetimeIndex(unique).astype("datetime64[us]"))
    forms = sorted(column.format.split("|"), key=fineness, reverse=True)
    written = _write(dates, forms[0])
    for form in forms[1:]:
        coarser = _write(dates, form)
        written = written.mask(dates_as(array_of(coarser), form) == dates.to_numpy(), coarser)
    texts = np.append(written.to_numpy(dtype=object), [None])
    return pd.Series(texts[codes], index=values.index, dtype=object)


def _write(dates: pd.Series, form: str) -> pd.Series:
    if form in _COUNTS:
        start = EXCEL_START if form == "excel days" else START
        counts = (dates.to_numpy() - start).astype(np.int64) / _COUNTS[form]
        texts = [str(int(n)) if n == int(n) else str(n) for n in counts.tolist()]
        if form == "/Date(ms)/":
            texts = [f"/Date({text})/" for text in texts]
        return dates.astype(object).mask(dates.notna(), texts)
    if form == "ISO8601":
        form = "%Y-%m-%dT%H:%M:%S" + (".%f" if (dates.dt.microsecond != 0).any() else "")
    form, _, language = form.partition("@")
    form = form.replace("%:z", "+00:00").replace("%z", "+0000")
    dates = dates + _offset(form)
    named = {
        sign: chr(3 + i) for i, sign in enumerate(months.SIGNS) if language and f"%{sign}" in form
    }
    for sign, mark in named.items():
        form = form.replace(f"%{sign}", mark)
    digits = re.search(r"%(\d)f", form)
    if digits is not None:
        form = form.replace(digits[0], "%f\0")
    unpadded = "%-" in form
    form = form.replace("%-", "\2%").replace("%q", "\1")
    texts = dates.dt.strftime(form).astype(object)
    if unpadded:
        texts = texts.map(lambda text: text.replace("\x020", "").replace("\2", ""))
    if digits is not None:
        texts = texts.map(lambda text: _shortened(text, int(digits[1])))
    for sign, mark in named.items():
        texts = months.written(texts, dates, sign, mark, language)
    if "\1" in form:
        quarters = dates.dt.quarter.astype(str)
        texts = texts.combine(quarters, lambda text, quarter: text.replace("\1", quarter))
    return texts


def _shortened(text: str, digits: int) -> str:
    """A text with a mark behind six digits of a fraction, of which so many are wanted."""
    before, _, after = text.partition("\0")
    return (
        before[: len(before) - 6 + digits] if digits < 6 else before + "0" * (digits - 6)
    ) + after


def fineness(form: str) -> int:
    """How fine a format is, from 0 (years) to 6 (fractions of a second)."""
    if form in _COUNTS or form == "ISO8601":
        return 6
    signs = re.findall(r"%[-\d]?([a-zA-Z])", form)
    return max((i for i, group in enumerate(_FINENESS) if set(group) & set(signs)), default=0)


# -------------------------------------------------------------------------------- recognising


class Reading(NamedTuple):
    """A format, which of the texts (u,) it reads, and one that reads as many and otherwise."""

    form: str
    fits: np.ndarray
    other: str | None = None


def in_format(found: Distinct, *, day_first: bool | None = None) -> Reading | None:
    """The format in which most of the texts are dates; None where less than half of some are.

    Args:
        day_first: what other columns of the file show, for dates that could be either.
    """
    language = months.language_of(found)
    if language is None:
        return _in_format(found, day_first)
    english = Distinct(months.in_english(found.texts, language), found.counts, found.codes)
    reading = _in_format(english, day_first)
    if reading is None:
        return None
    return reading._replace(form="|".join(f"{one}@{language}" for one in reading.form.split("|")))


def _in_format(found: Distinct, day_first: bool | None) -> Reading | None:
    best = _best(found, day_first)
    if best is None:
        return None
    form, fits, other = best
    forms = [form]
    while not fits.all() and len(forms) < MOST_FORMS:
        rest = found.only(~fits)
        more = _best(rest, day_first, like=forms[0])
        if more is None or more.form in forms:
            break
        forms.append(more.form)
        fits = fits.copy()
        fits[np.flatnonzero(~fits)[more.fits]] = True
    forms = [
        _zone_as_spelled(_as_spelled(form, found), form, found)
        for form in sorted(forms, key=fineness, reverse=True)
    ]
    return Reading("|".join(forms), fits, other)


MOST_FORMS = 4
N_PROBES = 30
N_FIRST = 2000


def _best(found: Distinct, day_first: bool | None, like: str | None = None) -> Reading | None:
    """The format that reads most of the texts; of ``like``'s days alone, however few."""
    some = some_of(found, N_PROBES)
    forms: dict[str, int] = {}
    for text in some.texts.to_pylist():
        for form in candidates(text):
            forms[form] = forms.get(form, 0) + 1
    if like is not None:
        forms = {form: n for form, n in forms.items() if _day_of(form) == _day_of(like)}
    # the probes are spread over the column, so that what reads few of them reads few of all
    least = 0.5 * len(some) if like is None else 1
    close = [form for form, n in forms.items() if n >= least]
    if not close:
        return None
    close.sort(key=lambda form: _rank(form, day_first))
    first = some_of(found, N_FIRST)
    n = {form: int(first.counts[~np.isnat(dates_as(first.texts, form))].sum()) for form in close}
    close = [form for form in close if n[form] >= 0.9 * max(n.values()) and n[form]]
    read = {form: dates_as(found.texts, form) for form in close}
    n = {form: int(found.counts[~np.isnat(dates)].sum()) for form, dates in read.items()}
    most = max(n.values(), default=0)
    if not most:
        return None
    close = [form for form in close if n[form] == most]
    form = _likely(close, read)
    differ = [o for o in close if not np.array_equal(read[o], read[form], equal_nan=True)]
    return Reading(form, ~np.isnat(read[form]), differ[0] if differ else None)


def day_first_shown(found: Distinct) -> bool | None:
    """Whether days stand before months, where a column of texts shows it beyond doubt."""
    import pyarrow as pa
    import pyarrow.compute as pc

    pieces = parts(
        found.texts, r"(?P<first>\d{1,2})[/-](?P<second>\d{1,2})[/-](?:\d{2}){1,2}(?:\D.*)?"
    )
    if not pieces["first"].null_count < len(found) / 2:
        return None
    first, second = (
        pc.cast(pc.fill_null(pieces[part], "0"), pa.int64()).to_numpy()
        for part in ("first", "second")
    )
    beyond = (first > 12).any(), (second > 12).any()
    return None if beyond[0] == beyond[1] else bool(beyond[0])


def _likely(close: list[str], read: dict[str, np.ndarray]) -> str:
    """The first, unless it makes days of one month of what otherwise are the firsts of months."""
    n_months = [len(np.unique(read[o].astype("datetime64[M]"))) for o in close]
    firsts = [
        m > 2 and bool((read[o] == read[o].astype("datetime64[M]").astype("datetime64[us]")).all())
        for o, m in zip(close, n_months, strict=True)
    ]
    return close[firsts.index(True)] if True in firsts and not firsts[0] else close[0]


def _rank(form: str, day_first: bool | None) -> int:
    order = (*DAYS, *PERIODS, *WHOLE)
    place = order.index(_day_of(form))
    months_first = form.find("%m") < form.find("%d")
    if day_first is not None and "%Y-%m" not in form and months_first is day_first:
        place += len(order)
    return place


def _day_of(form: str) -> str:
    """The part of a format that is the day (or month, or week)."""
    if form in WHOLE:
        return form
    return max((d for d in (*DAYS, *PERIODS) if form.startswith(d)), key=len)


def _as_spelled(form: str, found: Distinct) -> str:
    """The format with the number of digits in its fractions, where all have as many, and without
    zeros before days, months and hours where none stand there."""
    for sign in "dmHI":
        if f"%{sign}" not in form:
            continue
        like = "(?i)" + _pattern(form.replace(f"%{sign}", "\1")).pattern
        padded, bare = (matches(found.texts, like.replace("\1", d)) for d in (r"0\d", r"\d"))
        if bare.any() and not padded.any():
            form = form.replace(f"%{sign}", f"%-{sign}")
    if "%f" not in form:
        return form
    like = "(?i)" + _pattern(form).pattern
    for digits in (3, 7, 2, 1, 4, 5, 9):
        if matches(found.texts, like.replace(_PATTERNS["f"], rf"\d{{{digits}}}")).all():
            return form.replace("%f", f"%{digits}f")
    return form


def _zone_as_spelled(spelled: str, form: str, found: Distinct) -> str:
    """The format with the offset that all texts of a form have, or with a colon in all of them."""
    if not spelled.endswith("%z"):
        return spelled
    texts = filtered(found.texts, matches(found.texts, "(?i)" + _pattern(form).pattern))
    zones = parts(texts, r".*?(?P<zone>[+-]\d{2}(?::?\d{2})?)")["zone"]
    different = zones.unique().to_pylist()
    if len(different) == 1 and different[0] not in (None, "+0000", "+00:00"):
        return spelled.removesuffix("%z") + different[0]
    colons = all(zone is not None and ":" in zone for zone in different)
    return spelled.removesuffix("%z") + "%:z" if colons and different else spelled


def candidates(text: str) -> Iterator[str]:
    """The formats that a text may be written in, by its look."""
    for form in (*WHOLE, *PERIODS):
        if _pattern(form).fullmatch(text):
            yield form
    for day in DAYS:
        start = _pattern(day).match(text)
        if start is None:
            continue
        rest = text[start.end() :]
        if not rest:
            yield day
        for between in BETWEEN:
            if rest and re.match(_escaped(between), rest):
                yield from (
                    day + tail for tail in _tails(between) if _pattern(tail).fullmatch(rest)
                )


@lru_cache(maxsize=64)
def _tails(between: str) -> list[str]:
    """What may follow a day: a time, and a zone."""
    clocks = CLOCKS if between else [c for c in CLOCKS if c in ("%H%M%S", "%H%M") or "分" in c]
    return [between + clock + zone for clock in clocks for zone in ZONES]


@lru_cache(maxsize=4096)
def _pattern(form: str) -> re.Pattern[str]:
    """A regular expression of how a format looks."""
    pieces = re.split(r"%-?([a-zA-Z])", form)
    found = "".join(
        _PATTERNS[piece] if i % 2 else _escaped(piece) for i, piece in enumerate(pieces)
    )
    return re.compile(found, re.IGNORECASE)


def _escaped(text: str) -> str:
    return r"\s+".join(re.escape(part) for part in re.split(r"\s+", text))
