"""Times of day and durations as people write them: read by a column's format, and recognised.

A format has ``%d``, ``%H``, ``%M``, ``%S`` and ``%f`` (``%3f`` where all have as many digits), and
``%I`` and ``%p`` for times of day. In a duration the first of them may be as large as it likes:
``38:30`` is ``%H:%M``. ``%-H`` is written without a zero before it. ``ISO8601`` is ``PT2H5M``,
``words`` is ``2h 5m`` or ``90 min``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from genzoo.datasets.own.columns import Column
from genzoo.datasets.own.texts import (
    Distinct,
    distinct,
    matches,
    parts,
    replaced,
    series_of,
    some_of,
)
from genzoo.space import times

if TYPE_CHECKING:
    import pandas as pd

TIMES = (
    "%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%H:%M:%S,%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p",
    "%I:%M:%S%p", "%I:%M:%S.%f %p", "%I %p", "%I%p", "%Hh%M", "%H:%M Uhr", "%H:%M h", "%H.%M Uhr",
    "%H:%M:%SZ",
)  # fmt: skip
DURATIONS = (
    "%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S,%f", "%H:%M", "%M:%S", "%M:%S.%f", "%M:%S,%f",
    "%d days %H:%M:%S", "%d days %H:%M:%S.%f", "%d day %H:%M:%S", "%d days, %H:%M:%S", "%d days",
    "%d day, %H:%M:%S", "%d days, %H:%M:%S.%f", "%d %H:%M:%S", "%d %H:%M:%S.%f", "%d.%H:%M:%S",
    "%d.%H:%M:%S.%f", "%dd %H:%M:%S", "%d:%H:%M:%S", "%d-%H:%M:%S", "%M'%S\"", "%M' %S\"",
    "%-Hh %-Mm", "%-Hh%-Mm", "%-Hh %-Mm %-Ss", "%-Hh%-Mm%-Ss", "%-Mm %-Ss", "%-Mm%-Ss",
    "PT%-HH%-MM", "PT%-HH%-MM%-SS", "PT%-MM%-SS", "%d day, %-H:%M:%S", "%d days, %-H:%M:%S",
)  # fmt: skip
N_LOOKED_AT = 1000  # texts that tell how a column is written; all are then read so
STEPS = {
    "d": times.STEPS["day"], "H": times.STEPS["hour"], "I": times.STEPS["hour"],
    "M": times.STEPS["minute"], "S": times.STEPS["second"],
}  # fmt: skip
NAMED = re.compile(
    r"(?i)durat|elaps|runtime|run_time|laufzeit|dauer|dur[eé]e|lap|length|l[aä]nge|_took|split|pace"
    r"|chip|gun|finish|race|waiting|wait_|uptime"
)
_WORD = r"\d+(?:[.,]\d+)?\s*(?:d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?|ms)\.?"
WORDS = rf"-?{_WORD}(?:,?\s*(?:and )?{_WORD})*"
ISO = (
    r"(?P<minus>-?)P(?:(?P<W>\d{1,6})W)?(?:(?P<D>\d{1,6})D)?"
    r"(?:T(?:(?P<H>\d{1,8})H)?(?:(?P<M>\d{1,9})M)?(?:(?P<S>\d{1,10}(?:\.\d+)?)S)?)?"
)
ISO_STEPS = {"W": 7 * STEPS["d"], "D": STEPS["d"], **STEPS}


class Reading(NamedTuple):
    """A treatment ("time" or "duration"), its format, which texts (u,) it reads, and what else to
    say of it."""

    treat: str
    form: str
    fits: np.ndarray
    remark: str | None = None


# -------------------------------------------------------------------------------- reading


def parse_lengths(column: Column, present: pd.Series) -> pd.Series:
    """A column of times or durations without holes as timedelta64[us].

    Raises:
        ValueError: naming the column, for what its format doesn't read.
    """
    import pandas as pd

    if present.dtype.kind == "m":
        return present.astype("timedelta64[us]")
    if column.format is None:
        raise ValueError(
            f'column {column.name!r}: expected a "format" for {column.treat}s that are text, as '
            f'"%H:%M:%S"'
        )
    found = distinct(present.astype(str))
    micros, fits = read(found.texts, column.format, clock=column.treat == "time")
    if not fits.all():
        bad = found.texts[int(np.argmax(~fits))].as_py()
        raise ValueError(
            f"column {column.name!r}: expected {column.treat}s as {column.format}; got {bad!r} (a "
            f'schema file may list it under "holes")'
        )
    return pd.Series(micros[found.codes].astype("timedelta64[us]"), index=present.index)


def read(texts: Any, form: str, *, clock: bool) -> tuple[np.ndarray, np.ndarray]:
    """(u,) microseconds of texts in a format, and which are written so.

    Args:
        clock: whether they are times of day, and hours end at 23.
    """
    micros, fits = np.zeros(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=bool)
    for one in form.split("|"):
        if one in ("ISO8601", "words"):
            found, like = _of_library(texts, one)
        else:
            found, like = _read(texts, one, clock)
        micros = np.where(fits, micros, found)
        fits = fits | like
    return micros, fits


def _of_library(texts: Any, form: str) -> tuple[np.ndarray, np.ndarray]:
    import pandas as pd

    if form == "ISO8601":
        return _of_iso(texts)
    like = matches(texts, f"(?i){WORDS}")
    for pattern, by in ((r"(?i)\band\b|, ", " "), (",", "."), (r"(?i)(\d\s*)d\b\.?", r"\1D")):
        texts = replaced(texts, pattern, by)
    found = pd.to_timedelta(series_of(texts).where(like), errors="coerce")
    like &= found.notna().to_numpy()
    return found.astype("timedelta64[us]").to_numpy().astype(np.int64), like


def _of_iso(texts: Any) -> tuple[np.ndarray, np.ndarray]:
    import pyarrow as pa
    import pyarrow.compute as pc

    pieces = parts(texts, ISO)
    like = pieces["minus"].is_valid().to_numpy(zero_copy_only=False) & ~matches(texts, "-?PT?")
    micros = np.zeros(len(texts), dtype=np.int64)
    for sign, piece in pieces.items():
        if sign in ISO_STEPS:
            numbers = pc.fill_null(pc.if_else(pc.equal(piece, ""), "0", piece), "0")
            counts = pc.cast(numbers, pa.float64()).to_numpy()
            micros += np.rint(counts * ISO_STEPS[sign]).astype(np.int64)
    return np.where(matches(pieces["minus"], "-"), -micros, micros), like


def _read(texts: Any, form: str, clock: bool) -> tuple[np.ndarray, np.ndarray]:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = parts(texts, _pattern(form, clock))
    fits = found["minus"].is_valid().to_numpy(zero_copy_only=False)
    micros = np.zeros(len(texts), dtype=np.int64)
    numbers = {}
    for sign, piece in found.items():
        if sign in STEPS:
            whole = pc.cast(pc.fill_null(piece, "0"), pa.int64())
            numbers[sign] = whole.to_numpy()
            micros += numbers[sign] * STEPS[sign]
    if "f" in found:
        digits = pc.utf8_rpad(pc.fill_null(pc.utf8_slice_codeunits(found["f"], 0, 6), "0"), 6, "0")
        micros += pc.cast(digits, pa.int64()).to_numpy()
    if "p" in found:
        hours, after = numbers["I"], matches(found["p"], "(?i)p.*")
        fits &= (hours >= 1) & (hours <= 12)
        micros += (12 * after - 12 * (hours == 12)) * STEPS["H"]
    if clock:
        fits &= numbers.get("H", np.zeros(1)) <= 23
    below = matches(found["minus"], "-")
    return np.where(below, -micros, micros), fits


def _pattern(form: str, clock: bool) -> str:
    """What a format reads: its first part any number (of at most ten digits), others below 60."""
    pieces = re.split(r"%[-\d]?([a-zA-Z])", form)
    flags = re.findall(r"%([-\d]?)[a-zA-Z]", form)
    found, first = "(?P<minus>)" if clock else "(?P<minus>-?)", True
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            found += re.sub(r"\\? ", r"\\s+", re.escape(piece))
        elif piece == "f":
            found += r"(?P<f>\d{1,9})"
        elif piece == "p":
            found += r"(?P<p>(?i:[ap]\.?\s?m\.?))"
        else:
            low = r"\d{1,2}"
            if piece in "MS":
                low = r"[0-5]\d" if not first and flags[i // 2] != "-" else r"[0-5]?\d"
            found += f"(?P<{piece}>{low if clock or not first else chr(92) + 'd{1,10}'})"
            first = False
    return found


# -------------------------------------------------------------------------------- writing


def write_lengths(column: Column, values: pd.Series) -> pd.Series:
    """Times or durations as the file writes them; holes stay."""
    import pandas as pd

    if column.format is None:
        return values
    codes, unique = pd.factorize(values)
    micros = pd.Series(unique).astype("timedelta64[us]").to_numpy().astype(np.int64)
    form = column.format.partition("|")[0]
    texts = np.array([*(_write(int(m), form) for m in micros), None], dtype=object)
    return pd.Series(texts[codes], index=values.index, dtype=object)


def _write(micros: int, form: str) -> str:
    if form in ("ISO8601", "words"):
        return _write_words(micros, form)
    left, minus = abs(micros), "-" if micros < 0 else ""
    fraction = f"{left % 10**6:06d}"
    numbers = {}
    if "%I" in form or "%-I" in form:
        numbers["I"] = left // STEPS["H"] % 12 or 12
        left %= STEPS["H"]
    for sign in ("d", "H", "M", "S"):
        if f"%{sign}" in form or f"%-{sign}" in form:
            numbers[sign], left = divmod(left, STEPS[sign])
    names = {"p": "PM" if abs(micros) >= 12 * STEPS["H"] else "AM"}

    def one(found: re.Match[str]) -> str:
        flag, sign = found[1], found[2]
        if sign == "f":
            digits = int(flag or 6)
            return fraction.ljust(digits, "0")[:digits]
        if sign in names:
            return names[sign]
        return str(numbers[sign]) if flag == "-" or sign == "d" else f"{numbers[sign]:02d}"

    return minus + re.sub(r"%([-\d]?)([a-zA-Z])", one, form)


def _write_words(micros: int, form: str) -> str:
    left, minus = abs(micros), "-" if micros < 0 else ""
    found = []
    for sign, step in (("d", STEPS["d"]), ("h", STEPS["H"]), ("m", STEPS["M"])):
        n, left = divmod(left, step)
        if n:
            found.append(f"{n}{sign}")
    if left or not found:
        found.append(f"{left / 10**6:.6f}".rstrip("0").rstrip(".") + "s")
    if form == "words":
        return minus + " ".join(found)
    days = [part for part in found if part.endswith("d")]
    rest = [part for part in found if not part.endswith("d")]
    return (minus + "P" + "".join(days) + ("T" if rest else "") + "".join(rest)).upper()


# -------------------------------------------------------------------------------- recognising


def in_clock(name: str, found: Distinct) -> Reading | None:
    """How most of the texts are times of day or durations; None where less than half are."""
    if not matches(found.texts, r".*\d.*").any():
        return None
    kinds = [("time", TIMES), ("duration", (*DURATIONS, "ISO8601", "words"))]
    best: tuple[int, str, str] = (0, "", "")
    some = some_of(found, N_LOOKED_AT)
    for treat, forms in reversed(kinds) if NAMED.search(name) else kinds:
        for form in forms:
            _, fits = read(some.texts, form, clock=treat == "time")
            n = int(some.counts[fits].sum())
            if n > best[0]:
                best = (n, treat, form)
    n, treat, form = best
    if n < 0.1 * some.total:
        return None
    fits = read(found.texts, form, clock=treat == "time")[1]
    if treat == "time" and not fits.all() and form in DURATIONS:  # 38:30, rare enough
        longer = read(found.texts, form, clock=False)[1]
        if longer.sum() > fits.sum():
            treat, fits = "duration", longer
    if not fits.all():
        treat, form, fits = _with_others(found, treat, form, fits)
    if 2 * found.counts[fits].sum() <= found.total:
        return None
    treat, form, remark = _either(name, found.only(fits), treat, form)
    return Reading(treat, _digits(found.only(fits), form), fits, remark)


def _with_others(
    found: Distinct, treat: str, form: str, fits: np.ndarray
) -> tuple[str, str, np.ndarray]:
    """With further formats for what the first doesn't read ("45:12" among "1:02:33")."""
    forms = [form]
    for other in (*DURATIONS, "ISO8601", "words"):
        like = read(found.texts, other, clock=False)[1] & ~fits
        if like.any() and _goes_with(form, other):
            forms.append(other)
            fits = fits | like
        if fits.all() or len(forms) == 4:
            break
    if len(forms) == 1:
        return treat, form, fits
    longest = max(forms, key=lambda f: (f.count("%"), f))
    forms = [longest, *(f for f in forms if f != longest)]
    return "duration", "|".join(forms), fits


def _goes_with(form: str, other: str) -> bool:
    """Whether both end in the same unit, so that what the shorter lacks stands before it."""
    ends = [(re.findall(r"%[-\d]?([dHMSf])", f) or ["f"])[-1] for f in (form, other)]
    return ends[0] == ends[1] or {*ends} == {"S", "f"} or "words" in (form, other)


def _either(name: str, found: Distinct, treat: str, form: str) -> tuple[str, str, str | None]:
    """Times that are durations: "00:45:12" (no hour is other than 0). And what may be either."""
    micros = read(found.texts, form, clock=treat == "time")[0]
    starts = form.startswith(("%H:%M:%S", "%H:%M"))
    if treat == "time" and starts and len(found) > 1 and (micros < STEPS["H"]).all():
        treat = "duration"
    if form == "%H:%M" and treat == "duration":
        remark = "'hours:minutes' is taken; for 'minutes:seconds' give \"format\": \"%M:%S\""
        return treat, form, remark
    return treat, form, None


def _digits(found: Distinct, form: str) -> str:
    """The format with the digits of its fractions, and without zeros before its hours where none
    stand there."""
    if "|" in form or "%" not in form:
        return form
    if "%f" in form:
        for digits in (3, 1, 2, 4, 5, 7):
            like = _pattern(form, False).replace(r"\d{1,9}", rf"\d{{{digits}}}")
            if matches(found.texts, like).all():
                form = form.replace("%f", f"%{digits}f")
                break
    first = re.match(r"%([HIM])", form)
    padded, bare = (matches(found.texts, rf"-?{one}\D.*").any() for one in (r"0\d", r"\d"))
    if first and bare and not padded:
        form = form.replace(first[0], f"%-{first[1]}", 1)
    return form
