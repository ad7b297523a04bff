"""What the columns of a file are taken for: recognised by stated rules, corrected by the reader.

A column is a number, a nominal or ordinal variable, a date, a time of day, a duration, or left out;
``Column`` says which and why. ``recognise`` proposes, ``treat`` carries out, ``untreat`` leads from
samples back to values as the file writes them. Nothing is dropped silently: each rule that changes
a value leaves a remark.

* Holes: blank entries and the marks in ``HOLE_MARKS``; among numbers and dates also those in
  ``holes.MARKS``, and one text that repeats.
* Identifiers are left out: text of which 95 % of the entries differ, integers that count the rows,
  and integers that (nearly) all differ under a name that ends in "id" or "index".
* Free text is left out: on average 4 words or 50 characters, at least half of it distinct.
* Text with more than 50 different values: those seen in fewer than 10 rows (and those beyond the
  255 most common) are folded into one category, "other". Where none is seen in 10 rows the column
  is left out.
* A constant column is kept: it costs no nats.
* Numbers (``numbers``), dates (``dates``), times of day and durations (``lengths``) are read as
  people write them. Where two readings fit, the rest of the file decides, and it is said.
* Digits with leading zeros, and integers that float64 can't tell apart, are text.
* Up to 5 % of entries that fit no number (or date) in a column that else holds many are holes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.datasets.own import dates, lengths, numbers, words
from genzoo.datasets.own.apart import all_apart, remarked
from genzoo.datasets.own.columns import HOLE_MARKS, Column
from genzoo.datasets.own.holes import FEW_NUMBERS, settle
from genzoo.datasets.own.texts import (
    Distinct,
    array_of,
    distinct,
    filtered,
    is_text,
    matches,
    some_at,
    some_of,
)
from genzoo.datasets.own.treat import as_plain, finished
from genzoo.datasets.own.typed_files import Nested
from genzoo.space import folding, times
from genzoo.space.column import LARGEST_INTEGER
from genzoo.space.folding import MANY_CATEGORIES, RARE

if TYPE_CHECKING:
    import pandas as pd

FEW_ROWS = 20  # below, nothing is taken for an identifier or free text
IDENTIFIER_SHARE = 0.95
MANY_WORDS = 4
LONG = 50
N_ROWS = 5000  # that are asked for what they show of the file
N_SHOWN = 2000  # texts whose years are looked at
_ENDLESS = r"(?i)[+-]?(inf|infinity|∞)"
_LEADING_ZERO = r"[+-]?0\d+"
_ID_NAME = re.compile(r"(?i:(^|[\W_])(id|uuid|guid|index|idx)$)|[a-z]I[dD]$")  # not "paid"
_PHONE_NAME = re.compile(r"(?i)phone|telefon|(^|_)tel(_|$)|mobile|handy|(^|_)fax(_|$)|rufnummer")
_VERSION_NAME = re.compile(r"(?i)version|firmware|release")
_TIME_NAME = re.compile(
    r"(?i)time|date|stamp|datum|zeit|created|updated|modified|epoch|unix|_at$|_ts$|^ts$|fecha"
)
_MONTH_NAME = re.compile(r"(?i)month|monat|mois|period|yyyymm|(^|_)ym(_|$)|date|datum|mes(_|$)")


@dataclass(frozen=True)
class Shown:
    """What the columns of a file show of how it is written.

    Attributes:
        decimal: the sign of decimals that some column shows beyond doubt, and none another.
        day_first: likewise, whether days stand before months.
    """

    decimal: str | None = None
    day_first: bool | None = None


def recognise(
    frame: pd.DataFrame, *, keep: Sequence[str] = (), label: str | None = None
) -> list[Column]:
    """What each column is taken for.

    Args:
        frame: the file's values: text (None for a blank), or typed ones. Text is read alike in
            every form of file: digits in text are numbers.
        keep: columns that are not to be left out and keep all their categories.
        label: the class of each row: likewise.

    Returns:
        A column that can't be used as it is, such as one of infinite numbers, has a ``problem``.
    """
    shown = shown_by(frame)
    return [
        _recognise(str(name), as_plain(frame[name]), shown, keep=name in keep or name == label)
        for name in frame.columns
    ]


def shown_by(frame: pd.DataFrame) -> Shown:
    """What the columns of text show of how their file is written."""
    rows = frame.iloc[some_at(len(frame), N_ROWS)]
    plain = [as_plain(rows[name]) for name in rows.columns]
    some = [distinct(values) for values in plain if is_text(values)]
    signs = {numbers.decimal_shown(found) for found in some} - {None}
    orders = {dates.day_first_shown(found) for found in some} - {None}
    return Shown(
        decimal=signs.pop() if len(signs) == 1 else None,
        day_first=orders.pop() if len(orders) == 1 else None,
    )


def _recognise(name: str, values: pd.Series, shown: Shown, *, keep: bool) -> Column:
    """One column; with a problem where its values can't be read."""
    found = distinct(values) if is_text(values) else None
    try:
        column = _recognised(name, values, found, shown, keep=keep)
        return remarked(column, values, found)
    except ValueError as error:
        return _problem(Column(name, "nominal"), str(error).removeprefix(f"column {name!r}: "))


def _recognised(
    name: str, values: pd.Series, found: Distinct | None, shown: Shown, *, keep: bool
) -> Column:
    import pandas as pd

    start = Column(name, "nominal")
    if found is not None:
        return finished(_of_texts(start, found, shown, keep=keep), values)
    if isinstance(values.dtype, pd.CategoricalDtype):
        categories = tuple(values.cat.categories.tolist())
        return Column(name, "ordinal" if values.cat.ordered else "nominal", categories=categories)
    kind = times.kind_of(values)
    if kind is not None:
        return finished(Column(name, kind.quantity), values)
    if pd.api.types.is_bool_dtype(values.dtype):
        return finished(replace(start, categories=(False, True)), values)
    if pd.api.types.is_numeric_dtype(values.dtype):
        present = values.dropna()
        if len(present) and np.isinf(present.to_numpy(dtype=np.float64)).any():
            return _problem(start, ENDLESS)
        return finished(_of_numbers(Column(name, "number"), present, keep=keep), values)
    present = values.dropna()
    if any(isinstance(v, Nested) for v in present):
        return _left_out(
            start,
            "holds lists or bytes, which are not read (give their parts columns of their own)",
        )
    if not all(isinstance(v, (str, int, float)) for v in present):
        kinds = sorted({type(v).__name__ for v in present})
        return _left_out(start, f"holds {', '.join(kinds)}: no plain values")
    only = all(isinstance(v, bool) for v in present)
    return finished(start if only else _with(start, "values of several types"), values)


def _with(column: Column, *remarks: str, **changes: Any) -> Column:
    return replace(column, remarks=(*column.remarks, *remarks), **changes)


def _left_out(column: Column, reason: str) -> Column:
    return replace(column, treat="leave out", reason=reason)


ENDLESS = (
    "expected finite numbers; got infinity (leave the entry blank, or give the column "
    '"treat": "nominal" in a schema file)'
)


def _problem(column: Column, problem: str) -> Column:
    return replace(_left_out(column, problem), problem=problem)


def _of_texts(start: Column, found: Distinct, shown: Shown, *, keep: bool) -> Column:
    """A column of text: numbers, dates, times, durations, or text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = pa.array(HOLE_MARKS, pa.large_string())
    marks = pc.is_in(found.texts, value_set=known).to_numpy(zero_copy_only=False)
    if marks.any():
        blanks = found.only(marks)
        start = _with(
            start,
            f"holes are written {blanks.counted()}",
            holes=tuple(sorted(blanks.texts.to_pylist())),
        )
        found = found.only(~marks)
    if not len(found):
        return _with(start, "nothing but holes: kept, costs nothing")
    if matches(found.texts, _ENDLESS).any() and matches(found.texts, numbers.PLAIN).any():
        return _problem(start, ENDLESS)
    reading = numbers.in_notation(replace(start, treat="number"), found, shown.decimal)
    column = None if reading is None else _as_numbers(start, found, reading, keep=keep)
    column = column or _as_dates(start, found, shown) or _as_lengths(start, found)
    if column is not None:
        return column
    fits = np.zeros(len(found), dtype=bool) if reading is None else reading.fits
    return _as_text_with_numbers(start, found, fits, keep=keep)


# -------------------------------------------------------------------------------- numbers


def _as_numbers(
    start: Column, found: Distinct, reading: numbers.Reading, *, keep: bool
) -> Column | None:
    """The column as numbers, or as digits that are none; None where other texts are among them."""
    column, fits = reading.column, reading.fits
    written = found.only(fits)
    compact = _compact(start, written)
    others = None if compact is None else settle(found, fits, "dates", few=False)
    if compact is not None and others is not None:
        marks = filtered(found.texts, others.holes).to_pylist()
        return _with(compact, *others.remarks, holes=(*compact.holes, *marks))
    if matches(written.texts, _LEADING_ZERO).any():
        if settle(found, fits, "numbers", few=True) is None:
            return None
        codes = _with(start, "digits with leading zeros: codes, taken as text")
        return _as_text(codes, found, keep=keep)
    if _VERSION_NAME.search(start.name) and matches(written.texts, r"\d+\.\d+").any():
        return _as_text(_with(start, "numbers of versions: taken as text"), found, keep=keep)
    if _PHONE_NAME.search(start.name) and written.total > found.total / 2:
        return _as_text(_with(start, "telephone numbers: taken as text"), found, keep=keep)
    texts = filtered(reading.plain, fits)
    values, decimals = numbers.values_of(texts), numbers.decimals_of(texts)
    few = (
        len(np.unique(values[:N_SHOWN])) <= FEW_NUMBERS
        and len(np.unique(values)) <= FEW_NUMBERS
        and bool((values % 1 == 0).all())
    )
    settled = settle(found, fits, "numbers", few=few)
    if settled is None:
        return None
    holes = filtered(found.texts, settled.holes).to_pylist()
    said = [*numbers.remarks_of(reading, written), *settled.remarks]
    if values.dtype.kind != "f":
        large = (values >= LARGEST_INTEGER) | (values <= -LARGEST_INTEGER)
        if large.any():
            if not all_apart(values, written.counts, large):
                text = _with(start, "integers of 16 digits or more: taken as text")
                return _as_text(text, found, keep=keep)
            marks = written.only(large)
            said.append(f"larger than any number can be here, read as holes: {marks.counted()}")
            holes += marks.texts.to_pylist()
            values, written = values[~large].astype(np.int64), written.only(~large)
    holes = [*start.holes, *holes]
    whole = values.dtype.kind == "i"
    column = _with(column, *said, holes=tuple(holes), whole=whole, decimals=decimals)
    return _of_numbers(column, _repeated(values, written), keep=keep)


def _repeated(values: np.ndarray, found: Distinct) -> pd.Series:
    import pandas as pd

    return pd.Series(values[found.codes[found.codes >= 0]])


def _as_text_with_numbers(
    start: Column, found: Distinct, fits: np.ndarray, *, keep: bool
) -> Column:
    """A column of text, some of it (``fits``) numbers: called by its right name."""
    n_fit, strays = int(found.counts[fits].sum()), found.only(~fits)
    name = words.mixture(found, fits)
    if name is None and n_fit > 0.2 * found.total:
        name = f"numbers and text ({strays.shown()})"
    if name is None:
        return _as_text(start, found, keep=keep)
    n_own = int(found.counts[fits & (found.counts >= RARE)].sum())
    if keep or len(found) <= MANY_CATEGORIES or (n_fit and 2 * n_own >= n_fit):
        return _as_text(_with(start, f"{name}: taken as text"), found, keep=keep)
    # else nearly all numbers would be folded into one category
    return _left_out(
        start,
        f'{name}: not read as numbers, and too many different texts for categories ("treat": '
        f'"nominal" in a schema file keeps it all the same)',
    )


def _of_numbers(column: Column, present: pd.Series, *, keep: bool) -> Column:
    """A column of numbers (its entries without holes), or an identifier made of integers."""
    n = len(present)
    if n == 0:
        return _with(column, "nothing but holes: kept, costs nothing", treat="nominal",
                     categories=())  # fmt: skip
    values = present.to_numpy(dtype=np.float64 if present.dtype.kind == "f" else np.int64)
    if (values % 1 != 0).any():
        return _with(column, *_counts_of_days(column, values))
    unique = np.unique(values)
    compact = (
        None
        if column.holes or column.suffix or column.prefix
        else _compact_numbers(column, unique, n)
    )
    if compact is not None:
        return compact
    lowest, highest = int(unique[0]), int(unique[-1])
    reason = None
    if len(unique) == n and highest - lowest + 1 == n:
        reason = f"counts the rows: {lowest} to {highest}, each once"
    elif len(unique) >= IDENTIFIER_SHARE * n and _ID_NAME.search(column.name):
        reason = f"like an identifier: {len(unique)} different integers in {n} entries"
    if reason and n >= FEW_ROWS and not keep:
        return replace(_left_out(column, reason), remarks=())
    if _ID_NAME.search(column.name) and len(unique) > 2:
        column = _with(
            column,
            "named like an identifier, taken as a number (its rows belong together? --group)",
        )
    return _with(column, *_counts_of_days(column, values))


def _counts_of_days(column: Column, values: np.ndarray) -> list[str]:
    """A remark where numbers may stand for dates: they are left as they are."""
    if column.prefix or column.suffix:
        return []
    low, high, timed = values.min(), values.max(), _TIME_NAME.search(column.name)
    for form, unit, least, most, any_name in (
        ("unix seconds", "seconds", 4e8, 4.2e9, False),
        # 1990 to 2040: as pandas writes dates into JSON, under any name
        ("unix milliseconds", "milliseconds", 631_152_000_000, 2_208_988_800_000, True),
        ("unix milliseconds", "milliseconds", 4e11, 4.2e12, False),
        ("unix microseconds", "microseconds", 4e14, 4.2e15, False),
        ("excel days", "days", 20_000, 60_000, False),
    ):
        if least <= low and high <= most and (timed or (any_name and (values % 1 == 0).all())):
            since = "1899-12-30, as in Excel" if unit == "days" else "1970-01-01"
            return [
                f"taken as numbers; they may be dates, {unit} since {since}: then give "
                f'"treat": "date", "format": "{form}" in a schema file'
            ]
    return []


# -------------------------------------------------------------------------------- dates


def _compact(start: Column, found: Distinct) -> Column | None:
    """Digits alone that are all dates: YYYYMMDD, YYYYMMDDHHMMSS, YYYYMM."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not matches(some_of(found, N_SHOWN).texts, r"0|\d{6,14}").all():
        return None
    known = pa.array(sorted(dates.ZERO_DATES), pa.large_string())
    zero = pc.is_in(found.texts, value_set=known).to_numpy(zero_copy_only=False)
    written = found.only(~zero)
    if not len(written):
        return None
    for digits, form, low, high in _COMPACT:
        if not matches(written.texts, rf"\d{{{digits}}}").all():
            continue
        years = [int(text[:4]) for text in some_of(written, N_SHOWN).texts.to_pylist()]
        near = sum(low <= year <= high or year in (1, 9999) for year in years)
        if near < len(years) or not _enough(start.name, form, written):
            return None
        if np.isnat(dates.dates_as(written.texts, form)).any():
            return None
        holes = found.only(zero)
        said = [f"holes are written {holes.counted()}"] if len(holes) else []
        return _with(start, f"digits that are all dates: {_NAMES[form]}", *said, treat="date",
                     format=form, holes=(*start.holes, *holes.texts.to_pylist()))  # fmt: skip
    return None


_COMPACT = ((8, "%Y%m%d", 1900, 2100), (14, "%Y%m%d%H%M%S", 1900, 2100), (6, "%Y%m", 1950, 2050),
            (12, "%Y%m%d%H%M", 1900, 2100))  # fmt: skip
_NAMES = {"%Y%m%d": "YYYYMMDD", "%Y%m%d%H%M%S": "YYYYMMDDHHMMSS", "%Y%m": "YYYYMM",
          "%Y%m%d%H%M": "YYYYMMDDHHMM"}  # fmt: skip


def _enough(name: str, form: str, written: Distinct) -> bool:
    """Whether so many numbers would hardly all be dates by chance."""
    if form == "%Y%m":
        return bool(_MONTH_NAME.search(name)) and written.total >= FEW_ROWS
    return written.total >= FEW_ROWS or bool(_TIME_NAME.search(name))


def _compact_numbers(column: Column, unique: np.ndarray, n: int) -> Column | None:
    """As ``_compact``, for numbers of a typed column."""
    if unique[-1] < 195_000 or unique[-1] > 1e14 or unique[0] < 0:
        return None
    texts = array_of([str(int(value)) for value in unique])
    counts = np.full(len(unique), max(1, n // len(unique)))
    found = Distinct(texts, counts, np.empty(0, dtype=np.int64))
    return _compact(column, found)


def _as_dates(start: Column, found: Distinct, shown: Shown) -> Column | None:
    """The column as dates, if nearly all entries are dates."""
    if not matches(found.texts, r".*\d.*").any():
        return None
    if matches(found.texts, r"\\?/Date\(-?\d+(?:[+-]\d{4})?\)\\?/").all():
        return _with(start, treat="date", format="/Date(ms)/")
    reading = dates.in_format(found, day_first=shown.day_first)
    if reading is None:
        return None
    few = len(found) <= FEW_NUMBERS
    settled = settle(found, reading.fits, "dates", few=few, more=dates.ZERO_DATES)
    if settled is None:
        return None
    remarks = []
    if reading.other is not None:
        remarks.append(
            f'read as {reading.form}; {reading.other} fits as well: give "format" in a schema '
            f"file to choose"
        )
    if "|" in reading.form:
        remarks.append(f"dates in several forms: {reading.form.replace('|', ' and ')}")
    if "%y" in reading.form:
        remarks.append("years of two digits: 69 to 99 are 19.., 00 to 68 are 20..")
    if dates.is_zoned(reading.form):
        remarks.append("all in UTC")
    holes = tuple(filtered(found.texts, settled.holes).to_pylist())
    return _with(start, *remarks, *settled.remarks, treat="date", format=reading.form,
                 holes=(*start.holes, *holes))  # fmt: skip


def _as_lengths(start: Column, found: Distinct) -> Column | None:
    """The column as times of day or durations, if nearly all entries are such."""
    reading = lengths.in_clock(start.name, found)
    if reading is None:
        return None
    what = "times" if reading.treat == "time" else "durations"
    settled = settle(found, reading.fits, what, few=len(found) <= FEW_NUMBERS)
    if settled is None:
        return None
    said = [reading.remark] if reading.remark else []
    holes = tuple(filtered(found.texts, settled.holes).to_pylist())
    return _with(start, *said, *settled.remarks, treat=reading.treat, format=reading.form,
                 holes=(*start.holes, *holes))  # fmt: skip


# -------------------------------------------------------------------------------- text


def _as_text(start: Column, found: Distinct, *, keep: bool) -> Column:
    """A column of text: left out (identifiers, free text), folded, or as it is."""
    total, n_values = found.total, len(found)
    share = n_values / total
    if not keep and total >= FEW_ROWS:
        if share >= 0.5:
            n_words, length = words.lengths(found)
            if (n_words >= MANY_WORDS or length >= LONG) and words.kind_of(found) is None:
                return _left_out(
                    start,
                    f"free text: {n_words:.1f} words and {length:.0f} characters on average",
                )
        if share >= IDENTIFIER_SHARE:
            kind = words.kind_of(found)
            what = "like an identifier" if kind is None else f"like an identifier ({kind})"
            said = "".join(f"; {remark}" for remark in start.remarks if remark.endswith("text"))
            reason = f"{what}: {n_values} different values in {total} entries{said}"
            return _left_out(start, reason)
    if keep or n_values <= MANY_CATEGORIES:
        return start
    return _folded(start, found)


def _folded(start: Column, found: Distinct) -> Column:
    """A column of many values, the rare ones in one category."""
    counts, total = found.counts, found.total
    kept = np.flatnonzero(folding.kept(counts))
    if len(kept) == len(found):
        return start
    if not len(kept):
        kind = words.kind_of(found)
        what = "" if kind is None else f"{kind}: "
        return _left_out(
            start,
            f"{what}{len(found)} different values in {total} entries, none seen {RARE} times",
        )
    names = sorted(found.texts[int(i)].as_py() for i in kept)
    other = "other"
    while other in names or matches(found.texts, re.escape(other)).any():
        other = f"({other})"
    folded = len(found) - len(kept)
    rows = int(total - counts[kept].sum())
    return _with(
        start,
        f"{folded} of {len(found)} values ({folding.RULE}) are folded into {other!r}: {rows} of "
        f"{total} entries",
        categories=(*names, other),
        other=other,
    )
