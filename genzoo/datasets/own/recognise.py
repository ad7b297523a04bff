"""What the columns of a file are taken for: recognised by stated rules, corrected by the reader.

A column is a number, a nominal or ordinal variable, a date, or left out; ``Column`` says which and
why. ``recognise`` proposes, ``treat`` carries out, ``untreat`` leads from samples back to values as
the file writes them. Nothing is dropped silently: each rule that changes a value leaves a remark.

* Holes: blank entries and the marks in ``HOLE_MARKS``.
* Identifiers are left out: text of which 95 % of the entries differ, integers that count the rows,
  and integers that (nearly) all differ under a name that ends in "id" or "index".
* Free text is left out: on average 4 words or 50 characters, at least half of it distinct.
* Text with more than 50 different values: those seen in fewer than 10 rows (and those beyond the
  255 most common) are folded into one category, "other". Where none is seen in 10 rows the column
  is left out.
* Dates and times become the number of months, days, hours, minutes, ... since the first one.
* A constant column is kept: it costs no nats.
* Numbers written with a decimal comma, thousands signs, or a currency or percent sign beside each
  are read as such, and it is said; digits with leading zeros, and integers that float64 can't tell
  apart, are text.
* Up to 5 % of entries that fit no number (or date) in a column that else holds many are holes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.datasets.own.columns import HOLE_MARKS, Column
from genzoo.datasets.own.treat import (
    PLAIN_NUMBER,
    dates_as,
    finished,
    parse_numbers,
    parses,
    plain_number,
)
from genzoo.space.column import LARGEST_INTEGER

if TYPE_CHECKING:
    import pandas as pd

FEW_ROWS = 20  # below, nothing is taken for an identifier or free text
IDENTIFIER_SHARE = 0.95
MANY_WORDS = 4
LONG = 50
MANY_CATEGORIES = 50
MOST_CATEGORIES = 255
RARE = 10
SIGNS = ("$", "€", "£", "¥", "%")
STRAY = 0.05  # the share of entries that may fit no number in a column of numbers
FORMATS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%d %H:%M:%S%z", "%Y/%m/%d", "%Y/%m/%d %H:%M",
    "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M", "%d-%m-%Y", "%d %b %Y", "%b %d, %Y", "%Y-%m", "%H:%M", "%H:%M:%S",
)  # fmt: skip
_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_ENDLESS = re.compile(r"[+-]?(inf|infinity)", re.IGNORECASE)
_LEADING_ZERO = re.compile(r"[+-]?0\d+")
_ID_NAME = re.compile(r"(?i:(^|[\W_])(id|uuid|guid|index|idx)$)|[a-z]I[dD]$")  # not "paid"


def recognise(
    frame: pd.DataFrame, *, keep: Sequence[str] = (), label: str | None = None
) -> list[Column]:
    """What each column is taken for.

    Args:
        frame: the file's values: text (None for a blank), or typed ones. Text is read alike in
            every form of file: digits in text are numbers.
        keep: columns that are not to be left out and keep all their categories.
        label: the class of each row: likewise.

    Raises:
        ValueError: for infinite numbers.
    """
    found = []
    for name in frame.columns:
        held = name in keep or name == label
        column = _recognise(str(name), frame[name], keep=held)
        found.append(finished(column, frame[name]) if column.is_used else column)
    return found


def _recognise(name: str, values: pd.Series, *, keep: bool) -> Column:
    import pandas as pd

    if isinstance(values.dtype, pd.CategoricalDtype):
        categories = tuple(values.cat.categories.tolist())
        return Column(name, "ordinal" if values.cat.ordered else "nominal", categories=categories)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return Column(name, "date")
    if pd.api.types.is_bool_dtype(values.dtype):
        return Column(name, "nominal", categories=(False, True))
    if pd.api.types.is_numeric_dtype(values.dtype):
        present = values.dropna()
        if len(present) and np.isinf(present.to_numpy(dtype=np.float64)).any():
            raise _endless(name)
        return _of_numbers(Column(name, "number"), present, keep=keep)
    codes, uniques = pd.factorize(values)
    counts = np.bincount(codes[codes >= 0], minlength=len(uniques))
    uniques = list(uniques)
    if not all(isinstance(u, str) for u in uniques):  # a typed column of several types
        if any(isinstance(u, (list, dict)) for u in uniques):
            raise ValueError(f"column {name!r}: expected plain values; got nested ones")
        remark = () if all(isinstance(u, bool) for u in uniques) else ("values of several types",)
        return Column(name, "nominal", remarks=remark)
    holes = tuple(u for u in uniques if u in HOLE_MARKS)
    remarks: tuple[str, ...] = ()
    if holes:
        marks = ", ".join(repr(h) for h in holes)
        remarks = (f"holes are written {marks}",)
    real = [i for i, u in enumerate(uniques) if u not in HOLE_MARKS]
    start = Column(name, "nominal", holes=holes, remarks=remarks)
    return _of_text(start, [uniques[i] for i in real], counts[real], keep=keep)


def _with(column: Column, *remarks: str, **changes: Any) -> Column:
    return replace(column, remarks=(*column.remarks, *remarks), **changes)


def _endless(name: str) -> ValueError:
    return ValueError(
        f"column {name!r}: expected finite numbers; got infinity (leave the entry blank, or give "
        f'the column "treat": "nominal" in a schema file)'
    )


def _of_text(start: Column, uniques: list[str], counts: np.ndarray, *, keep: bool) -> Column:
    if not uniques:
        return _with(start, "nothing but holes: kept, costs nothing")
    total = counts.sum()
    column = _as_numbers(start, uniques, counts, keep=keep)
    if column is not None and column.treat != "nominal":
        return column
    start = column or start
    date = _as_dates(start, uniques, counts)
    if date is not None:
        return date
    share = len(uniques) / total
    if not keep and total >= FEW_ROWS:
        words = float(np.dot([len(u.split()) for u in uniques], counts)) / total
        length = float(np.dot([len(u) for u in uniques], counts)) / total
        if share >= 0.5 and (words >= MANY_WORDS or length >= LONG):
            return _with(
                start,
                treat="leave out",
                reason=f"free text: {words:.1f} words and {length:.0f} characters on average",
            )
        if share >= IDENTIFIER_SHARE:
            reason = f"like an identifier: {len(uniques)} different values in {total} entries"
            return _with(start, treat="leave out", reason=reason)
    if keep or len(uniques) <= MANY_CATEGORIES:
        return start
    order = np.argsort(-counts, kind="stable")
    kept = [i for i in order[:MOST_CATEGORIES] if counts[i] >= RARE]
    if len(kept) == len(uniques):
        return start
    if not kept:
        return _with(
            start,
            treat="leave out",
            reason=f"{len(uniques)} different values in {total} entries, none seen {RARE} times",
        )
    other = "other"
    while other in uniques:
        other = f"({other})"
    folded = len(uniques) - len(kept)
    rows = int(total - counts[kept].sum())
    return _with(
        start,
        f"{folded} of {len(uniques)} values (rarer than {RARE} rows, or beyond the "
        f"{MOST_CATEGORIES} most common) are folded into {other!r}: {rows} of {total} entries",
        categories=(*sorted(uniques[i] for i in kept), other),
        other=other,
    )


def _as_numbers(
    start: Column, uniques: list[str], counts: np.ndarray, *, keep: bool
) -> Column | None:
    """The column as numbers; as text with a remark why; None where it is text without more ado."""
    import pandas as pd

    number = Column(start.name, "number", holes=start.holes, remarks=start.remarks)
    if any(_ENDLESS.fullmatch(u) for u in uniques):
        if any(PLAIN_NUMBER.fullmatch(u) for u in uniques):
            raise _endless(start.name)
        return None
    number = _written(number, uniques)
    fits = np.array([parses(number, u) for u in uniques])
    share = counts[fits].sum() / counts.sum()
    if not fits.any():
        return None
    written, stray = (
        [u for u, f in zip(uniques, fits, strict=True) if f == fit] for fit in (True, False)
    )
    if any(map(_LEADING_ZERO.fullmatch, written)):
        return _with(start, "digits with leading zeros: codes, taken as text")
    if share < 1:
        shown = ", ".join(map(repr, stray[:3])) + (", ..." if len(stray) > 3 else "")
        if share < 1 - STRAY or len(written) <= MANY_CATEGORIES:
            text = _with(start, f"numbers and text ({shown}): taken as text")
            return text if share > 0.2 else None
        remark = f"no numbers, read as holes: {shown} (entries: {int(counts[~fits].sum())})"
        number = _with(number, remark, holes=(*number.holes, *stray))
    parsed = parse_numbers(number, pd.Series(written))
    if pd.api.types.is_integer_dtype(parsed.dtype):
        if (parsed.abs() >= LARGEST_INTEGER).any():
            return _with(start, "integers of 16 digits or more: taken as text")
        compact = parsed.between(19_000_101, 21_001_231).all() and len(parsed) >= FEW_ROWS
        if compact and dates_as(parsed.astype(str), "%Y%m%d").notna().all():
            return _with(number, "integers that are all dates: YYYYMMDD", treat="date",
                         format="%Y%m%d")  # fmt: skip
    elif parsed.dtype == object:
        return _with(start, "integers of 16 digits or more: taken as text")
    return _of_numbers(number, parsed.repeat(counts[fits]), keep=keep)


def _written(number: Column, uniques: list[str]) -> Column:
    """A column of numbers with the signs in which they are written, each with a remark."""
    prefix = next((s for s in SIGNS if all(u.startswith(s) for u in uniques)), "")
    suffix = next((s for s in SIGNS if all(u.endswith(s) for u in uniques)), "")
    if prefix or suffix:
        number = _with(number, f"{prefix or suffix!r} stands beside each number", prefix=prefix,
                       suffix=suffix)  # fmt: skip
    texts = uniques if not (prefix or suffix) else [plain_number(number, u) for u in uniques]
    if not all(map(PLAIN_NUMBER.fullmatch, texts)):
        commas = [u for u in texts if "," in u]
        plain_or = [u for u in texts if u not in commas and PLAIN_NUMBER.fullmatch(u)]
        if commas and all(map(_THOUSANDS.fullmatch, commas)):
            if len(plain_or) + len(commas) == len(texts):
                number = _with(
                    number,
                    f"',' read as thousands sign ({commas[0]} = {commas[0].replace(',', '')}); for "
                    f'a decimal comma give "decimal": ","',
                    thousands=",",
                )
        elif commas and all(map(_COMMA.fullmatch, texts)):
            number = _with(number, f"decimal comma ({commas[0]})", decimal=",")
            if any("." in u for u in texts):
                number = _with(number, "'.' read as thousands sign", thousands=".")
    return number


def _of_numbers(column: Column, present: pd.Series, *, keep: bool) -> Column:
    """A column of numbers (its entries without holes), or an identifier made of integers."""
    import pandas as pd

    n, whole = len(present), pd.api.types.is_integer_dtype(present.dtype)
    if n == 0:
        return _with(column, "nothing but holes: kept, costs nothing", treat="nominal",
                     categories=())  # fmt: skip
    if not whole:
        return column
    distinct = present.nunique()
    lowest, highest = int(present.min()), int(present.max())
    reason = None
    if distinct == n and highest - lowest + 1 == n:
        reason = f"counts the rows: {lowest} to {highest}, each once"
    elif distinct >= IDENTIFIER_SHARE * n and _ID_NAME.search(column.name):
        reason = f"like an identifier: {distinct} different integers in {n} entries"
    if reason and n >= FEW_ROWS and not keep:
        return _with(column, treat="leave out", reason=reason)
    if _ID_NAME.search(column.name) and distinct > 2:
        return _with(
            column,
            "named like an identifier, taken as a number (its rows belong together? --group)",
        )
    return column


def _as_dates(start: Column, uniques: list[str], counts: np.ndarray) -> Column | None:
    """The column as dates, if nearly all entries are dates in one of ``FORMATS``."""
    import pandas as pd

    probe = pd.Series(uniques[:50])
    good = []
    for form in FORMATS:
        if dates_as(probe, form).notna().mean() < 0.5:
            continue
        fits = dates_as(pd.Series(uniques), form).notna().to_numpy()
        if counts[fits].sum() >= (1 - STRAY) * counts.sum():
            good.append((form, fits))
    if not good:
        return None
    most = max(int(counts[fits].sum()) for _, fits in good)
    good = [(form, fits) for form, fits in good if counts[fits].sum() == most]
    form, fits = good[0]
    remarks = []
    if len(good) > 1:
        remarks.append(
            f'read as {form}; {good[1][0]} fits as well: give "format" in a schema file to choose'
        )
    stray = [u for u, fit in zip(uniques, fits, strict=True) if not fit]
    if stray:
        remarks.append(f"{int(counts[~fits].sum())} entries that are no dates ({stray[0]!r}) are "
                       f"read as holes")  # fmt: skip
    return _with(start, *remarks, treat="date", format=form, holes=(*start.holes, *stray))
