"""Numbers as people write them: read by a column's keys, and the keys recognised.

A number is written as ``[prefix] sign digits [suffix]``: the keys ``decimal``, ``thousands``,
``prefix``, ``suffix`` and ``negative`` of a ``Column`` say how. A plus, a minus before or behind
the prefix, the minus sign U+2212 and an en dash are read whatever the keys say.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from genzoo.datasets.own.columns import MOST_DECIMALS, Column
from genzoo.datasets.own.texts import (
    BLANKS,
    MINUS,
    MINUSES,
    SPACE,
    Distinct,
    array_of,
    distinct,
    filtered,
    is_text,
    joined,
    matches,
    parts,
    replaced,
    some_of,
    weights,
)

if TYPE_CHECKING:
    import pandas as pd

PLAIN = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
# what may be cut off before each number: a sign of currency, or one of these words
CURRENCIES = frozenset((
    "aed", "ars", "aud", "bgn", "brl", "cad", "chf", "clp", "cny", "cop", "czk", "dkk", "egp",
    "eur", "gbp", "hkd", "huf", "idr", "ils", "inr", "isk", "jpy", "krw", "mxn", "myr", "nok",
    "nzd", "php", "pln", "ron", "rub", "sar", "sek", "sgd", "thb", "try", "twd", "uah", "usd",
    "vnd", "zar", "btc", "eth", "kr", "kr.", "fr", "fr.", "sfr", "sfr.", "rs", "rs.", "zł", "kč",
    "ft", "lei", "лв", "руб", "руб.", "р.", "euro", "tl", "dm", "rmb", "pence", "cents", "ct",
))  # fmt: skip
UNITS = frozenset((
    "%", "‰", "*", "†", "#", "°", "°c", "°f", "c", "f", "k", "mm", "cm", "m", "km", "µm", "μm",
    "um", "nm", "in", "ft", "yd", "mi", "mg", "g", "kg", "t", "lb", "lbs", "oz", "µg", "μg", "ug",
    "ml", "cl", "dl", "l", "hl", "m2", "m²", "m3", "m³", "km2", "km²", "ha", "km/h", "mph", "m/s",
    "kmh", "w", "kw", "mw", "kwh", "mwh", "wh", "v", "mv", "kv", "a", "ma", "hz", "khz", "mhz",
    "ghz", "pa", "hpa", "kpa", "mpa", "bar", "mbar", "j", "kj", "kcal", "cal", "s", "sec", "ms",
    "min", "h", "hr", "hrs", "d", "b", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "mol", "mmol",
    "mmol/l", "mg/dl", "g/l", "mg/l", "iu", "ppm", "ppb", "px", "pt", "db", "lux", "lx", "lm",
    "nit", "pcs", "stk", "st.", "stück", "rpm", "n", "kn",
))  # fmt: skip
TOLERANCES = ("±", "+/-")
N_LOOKED_AT = 10_000  # texts that tell how a column is written; all are then read so
STRAY = 0.05  # the share of entries that may be nothing of the kind that the others are
MULTIPLES = frozenset(("k", "m", "mio", "mio.", "mrd", "mrd.", "b", "bn", "mn", "tsd", "tsd.", "t"))
NOTATIONS = (
    (".", ""), (",", ""), (".", ","), (",", "."), (",", " "), (".", " "), (".", "'"), (",", "'"),
)  # fmt: skip
_SIGNS = {".": r"\.", ",": ",", " ": f"[{BLANKS}]", "'": "['\u2019]"}
NO_CENTS = r"(\d)[.,](?:--?|[\x{2013}\x{2014}])([^\d]*)$"  # "12.-" and "12,--" are whole amounts
_SIGN = r"[(+\x{2212}\x{2013}-]?"
_PREFIX = r"(?P<prefix>(?:\p{L}+\.|[\p{L}\p{Sc}]+|±|\+/-)?)"
_LEAD = f"(?P<lead>{SPACE}{_SIGN}{SPACE}{_PREFIX}{SPACE}{_SIGN}{SPACE})"
_CORE = rf"(?P<core>[.,]?\d(?:[\d.,'\x{{2019}}{BLANKS}]*\d)?[.,]?(?:[eE][+-]?\d+)?)"
_UNIT = r"""(?P<suffix>(?:[^\d\s().,:;'"+/\x{2212}\x{2013}-](?:[^\d():;]*?[^\d():;\s])?[23²³]?)?)"""
_TAIL = rf"(?P<tail>{SPACE}\)?(?:{MINUS}[\s{BLANKS}]+)?{SPACE}{_UNIT}{SPACE}{MINUS}?\)?)"
WRITTEN = _LEAD + _CORE + _TAIL


# -------------------------------------------------------------------------------- reading


def core(decimal: str, thousands: str) -> str:
    """The pattern of digits with these signs: thousands stand in groups of three (12,34,567 too:
    as in India)."""
    point, groups = _SIGNS[decimal], ""
    if thousands:
        sign = _SIGNS[thousands]
        groups = rf"[1-9]\d{{0,2}}(?:{sign}\d{{3}})+"
        groups += r"|[1-9]\d?(?:,\d\d)+,\d{3}" if thousands == "," else ""
        groups = rf"(?:{groups})(?:{point}\d*)?|"
    return rf"(?:{groups}(?:\d+(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?)"


def plain(column: Column, texts: Any) -> Any:
    """Texts (u,) as Python reads a number; null where one is not written as the column says."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.decimal == "." and not column.suffix and matches(texts, PLAIN).all():
        return texts
    body = pc.utf8_trim_whitespace(texts)
    minuses = [sign for sign in MINUSES if pc.any(pc.match_substring(body, sign)).as_py()]
    if minuses:
        body = replaced(body, NO_CENTS, r"\1\2")
    if column.negative == "(1)":
        body = replaced(body, r"^([^()]*)\(([^()]*)\)([^()]*)$", r"-\1\2\3")
    if column.negative == "1-" and minuses:
        body = replaced(body, rf"^(.*\d[^\d{MINUSES[1:]}-]*){MINUS}(\D*)$", r"-\1\2")
    written = _written(column)
    fits = matches(body, written)
    body = replaced(body, f"^{written}$", r"\1\2\3")
    if column.thousands in (".", ","):
        body = pc.replace_substring(body, column.thousands, "")
    elif column.thousands:
        body = replaced(body, _SIGNS[column.thousands], "")
    if column.decimal == ",":
        body = pc.replace_substring(body, ",", ".")
    for sign in minuses:
        body = pc.replace_substring(body, sign, "-")
    return pc.if_else(pa.array(fits), body, pa.scalar(None, body.type))


def _written(column: Column) -> str:
    """The pattern of a number as a column's keys say, its sign before or behind the prefix, with
    groups for sign, sign and digits."""
    sign = f"({MINUS}|\\+)"
    before = f"{sign}?{SPACE}"
    if column.prefix:
        prefix = re.escape(column.prefix.strip()) + SPACE
        before = f"(?:{before}(?:{prefix})?|{prefix}{sign}{SPACE})"
    else:
        before += "()"
    behind = f"(?:{SPACE}{re.escape(column.suffix.strip())})?" if column.suffix.strip() else ""
    return f"{before}({core(column.decimal, column.thousands)}){behind}"


def values_of(texts: Any) -> np.ndarray:
    """(u,) int64 where all plain texts are whole and fit, objects where whole ones don't; else
    float64."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if matches(texts, r"[+-]?\d+").all():
        try:
            return pc.cast(replaced(texts, r"^\+", ""), pa.int64()).to_numpy()
        except pa.ArrowInvalid:
            return np.array([int(text) for text in texts.to_pylist()], dtype=object)
    return pc.cast(replaced(texts, r"^\+", ""), pa.float64()).to_numpy()


def parse_numbers(column: Column, present: pd.Series) -> pd.Series:
    """A column without holes as int64 or float64; as objects where integers are too large.

    Raises:
        ValueError: naming the column, for what is no number as its keys say.
    """
    import pandas as pd

    if pd.api.types.is_bool_dtype(present.dtype):
        return present.astype("int64")
    if pd.api.types.is_numeric_dtype(present.dtype):
        return present
    every = array_of(present if is_text(present) else present.astype(str))
    if column.decimal == "." and not column.suffix and matches(every, PLAIN).all():
        return pd.Series(
            values_of(every), index=present.index, dtype=None if len(every) else "int64"
        )
    found = distinct(present.astype(str))
    texts = plain(column, found.texts)
    if texts.null_count:
        bad = found.texts[int(np.argmax(texts.is_null().to_numpy(zero_copy_only=False)))].as_py()
        raise ValueError(
            f"column {column.name!r}: expected numbers{_written_like(column)}; got {bad!r} (a "
            f'schema file may list it under "holes"{_other_keys(column, bad)})'
        )
    return pd.Series(values_of(texts)[found.codes], index=present.index)


def _written_like(column: Column) -> str:
    """How the keys of a column say that numbers are written, where they say so."""
    names = ("decimal", "thousands", "prefix", "suffix", "negative")
    default = {name: getattr(Column("", "number"), name) for name in names}
    said = {name: getattr(column, name) for name in names if getattr(column, name) != default[name]}
    return " written with " + ", ".join(f'"{k}": {v!r}' for k, v in said.items()) if said else ""


def _other_keys(column: Column, text: str) -> str:
    """The keys by which a text would be a number, as an addition to an error."""
    other = in_notation(Column(column.name, "number"), distinct_of([text]))
    if other is None:
        return ""
    said = _written_like(other.column).removeprefix(" written with ")
    return f"; {said} would read it" if said else ""


def distinct_of(texts: list[str]) -> Distinct:
    """Different texts, each seen once."""
    return Distinct(array_of(texts), np.ones(len(texts), dtype=np.int64), np.arange(len(texts)))


# -------------------------------------------------------------------------------- writing


def is_plain(column: Column) -> bool:
    """Whether numbers are written as Python writes them."""
    written = column.decimal, column.thousands, column.prefix, column.suffix, column.negative
    return written == (".", "", "", "", "-1") and column.decimals is None


def write_numbers(column: Column, values: pd.Series) -> pd.Series:
    """Numbers as the file writes them; NaN stays."""
    return values.map(partial(_one_written, column), na_action="ignore")


def _one_written(column: Column, value: Any) -> str:
    if column.decimals is not None:
        value = round(value, column.decimals)
    size = abs(value)
    if column.decimals is None:  # beside 2.5 people write 5
        digits = str(size).removesuffix(".0")
    else:
        digits = f"{size:.{column.decimals}f}"
    whole, point, rest = digits.partition(".")
    if column.thousands and whole.isdigit():
        whole = f"{int(whole):,}".replace(",", column.thousands)
    digits = whole + (column.decimal if point else "") + rest
    if column.negative == "1-" and value < 0:  # as in SAP: 12.50- EUR
        return f"{column.prefix}{digits}-{column.suffix}"
    text = f"{column.prefix}{digits}{column.suffix}"
    return column.negative.replace("1", text) if value < 0 else text


def decimals_of(texts: Any) -> int | None:
    """How many digits stand behind the point of each of some texts (u,), as Python reads numbers;
    None where some have others, or none has any."""
    _, _, digits = texts[0].as_py().partition(".")
    n = len(digits)
    same = 0 < n <= MOST_DECIMALS and matches(texts, rf"[+-]?\d*\.\d{{{n}}}").all()
    return n if same else None


# -------------------------------------------------------------------------------- recognising


class Reading(NamedTuple):
    """How a column of texts would be read as numbers."""

    column: Column
    plain: Any  # the texts (u,) as Python reads numbers, null where they are none
    either: bool = False  # whether another sign for decimals fits as well

    @property
    def fits(self) -> np.ndarray:
        """(u,) which of the texts are numbers."""
        return self.plain.is_valid().to_numpy(zero_copy_only=False)


def remarks_of(reading: Reading, found: Distinct) -> list[str]:
    """What is to be said of how the numbers of a column (those texts that fit) are written."""
    import pyarrow.compute as pc

    column, said = reading.column, []
    for sign in (column.prefix.strip(), column.suffix.strip()):
        if sign:
            has = pc.match_substring(found.texts, sign).to_numpy(zero_copy_only=False)
            n = int(found.counts[has].sum())
            each = "each number" if n == found.total else f"{n} of {found.total} numbers"
            said.append(f"{sign!r} stands beside {each}")
    if column.decimal == "," and column.thousands != ".":
        said.append(f"decimal comma ({_such(column, found, ',')})")
    elif column.decimal == ",":
        shown = _such(column, found, ",") if not reading.either else None
        said += [f"decimal comma ({shown})"] if shown else []
    if column.thousands:
        example = _such(column, found, column.thousands)
        value = str(values_of(plain(column, array_of([example])))[0]).removesuffix(".0")
        way = ""
        if reading.either:
            other = "," if column.decimal == "." else "."
            way = f'; as decimals: "decimal": "{other}", "thousands": "" in a schema file'
        said.append(f"{column.thousands!r} read as thousands sign ({example} = {value}){way}")
    elif reading.either:
        other = "," if column.decimal == "." else "."
        example = _such(column, found, column.decimal)
        said.append(
            f"{column.decimal!r} read as decimal sign ({example}); as a thousands sign it fits as "
            f'well: "decimal": "{other}", "thousands": "{column.decimal}" in a schema file'
        )
    return said + _said_of_minus(column, found)


def _such(column: Column, found: Distinct, sign: str) -> str:
    """The first text with a sign in it."""
    has = matches(found.texts, rf".*{_SIGNS[sign]}.*")
    return str(found.texts[int(np.argmax(has))].as_py())


def _said_of_minus(column: Column, found: Distinct) -> list[str]:
    forms = {"(1)": r".*\(.*", "1-": rf".*{MINUS}", "\u22121": ".*\u2212.*"}
    words = {"(1)": "parentheses", "1-": "a minus behind", "\u22121": "'\u2212' (U+2212)"}
    if column.negative not in forms:
        return []
    has = matches(found.texts, forms[column.negative])
    n, one = int(found.counts[has].sum()), found.texts[int(np.argmax(has))].as_py()
    return [f"{words[column.negative]} read as minus ({one}; entries: {n})"]


def decimal_shown(found: Distinct) -> str | None:
    """The decimal sign that a column shows beyond doubt: "1,5" or "1.234,56" show a comma."""
    cores = parts(found.texts, WRITTEN)["core"]
    signs = []
    for decimal, thousands in ((",", "."), (".", ",")):
        fits = matches(cores, core(decimal, thousands)) & matches(cores, rf".*{_SIGNS[decimal]}\d+")
        # three digits behind one sign may be thousands, unless a zero stands before it
        either = matches(cores, rf"[1-9]\d{{0,2}}{_SIGNS[decimal]}\d{{3}}")
        signs.append(int(found.counts[fits & ~either].sum()))
    if signs[0] == signs[1] or min(signs) > STRAY * max(signs):
        return None
    return "," if signs[0] > signs[1] else "."


def in_notation(start: Column, found: Distinct, hint: str | None = None) -> Reading | None:
    """The notation in which most of the texts are numbers; None where none are.

    Args:
        hint: the decimal sign that the rest of the file shows, if any.
    """
    import pyarrow.compute as pc

    some = some_of(found, N_LOOKED_AT)
    if matches(some.texts, PLAIN).all() and matches(found.texts, PLAIN).all():
        points = pc.match_substring(found.texts, ".").to_numpy(zero_copy_only=False)
        # groups of three behind each point may be thousands
        if not points.any() or not matches(found.texts, _MAY_BE_THOUSANDS).all():
            return Reading(start, found.texts)
    notation = _notation(start, some, hint)
    if notation is None:
        return None
    reading = _in(notation, found)
    if reading.plain.null_count and len(some) < len(found):
        rest = some_of(found.only(~reading.fits), N_LOOKED_AT)
        reading = _in(_notation(start, joined(some, rest), hint) or notation, found)
    return reading if reading.plain.null_count < len(found) else None


def _in(notation: tuple[Column, bool], found: Distinct) -> Reading:
    column, either = notation
    return Reading(column, plain(column, found.texts), either)


_MAY_BE_THOUSANDS = r"[+-]?[1-9]\d{0,2}(?:\.\d{3})?"


def _notation(start: Column, found: Distinct, hint: str | None) -> tuple[Column, bool] | None:
    """The column with the keys that most of the texts need, and whether another decimal sign fits
    them as well; None where no text looks like a number."""
    pieces = parts(replaced(found.texts, NO_CENTS, r"\1\2"), WRITTEN)
    like = pieces["core"].is_valid().to_numpy(zero_copy_only=False)
    if not like.any():
        return None
    prefix = _beside(pieces, "prefix", found.counts, CURRENCIES)
    suffix = _beside(pieces, "suffix", found.counts, CURRENCIES | UNITS)
    column, either = _signs(
        replace(start, prefix=prefix, suffix=suffix), pieces, found.counts, hint
    )
    return replace(column, negative=_negative(pieces, like)), either


def _beside(pieces: dict[str, Any], part: str, counts: np.ndarray, known: frozenset[str]) -> str:
    """What stands before (or behind) the numbers, with the blank between; "" where that is
    nothing, or not one thing that can be told from a part of a code."""
    found = weights(pieces[part], counts)
    absent = found.pop("", 0)
    if not found:
        return ""
    commonest = max(found, key=lambda text: found[text])
    # a letter behind some numbers alone is that of "12a", no unit
    told = (
        is_currency(commonest)
        or commonest in TOLERANCES
        or (commonest.lower() in known and not re.match(r"[A-z]$", commonest))
    )
    if not told and (part == "prefix" or absent or len(found) > 1):
        return ""
    if commonest == "%" and absent > STRAY * (absent + found["%"]):
        return ""  # 0.5 and 50 % may be the same
    side, has = "lead" if part == "prefix" else "tail", matches(pieces[part], re.escape(commonest))
    space = weights(parts(filtered(pieces[side], has), _between(part))["space"], counts[has])
    blank = max(space, key=lambda text: space[text])
    return commonest + blank if part == "prefix" else blank + commonest


def _between(part: str) -> str:
    """The pattern of a side of a number, with the blanks between what stands there and digits."""
    if part == "prefix":
        return rf".*?(?P<space>{SPACE})[(+\x{{2212}}\x{{2013}}-]?"
    return rf"(?P<space>{SPACE})\)?.*"


def is_currency(text: str) -> bool:
    return text.lower() in CURRENCIES or any(unicodedata.category(c) == "Sc" for c in text)


def _negative(pieces: dict[str, Any], like: np.ndarray) -> str:
    lead, tail = filtered(pieces["lead"], like), filtered(pieces["tail"], like)
    if (matches(lead, r".*\(.*") & matches(tail, r".*\).*")).any():
        return "(1)"
    if matches(tail, rf"{SPACE}\)?{MINUS}.*|.*{MINUS}").any():
        return "1-"
    if matches(lead, ".*\u2212.*").any() and not matches(lead, ".*-.*").any():
        return "\u22121"
    return "-1"


def _signs(
    column: Column, pieces: dict[str, Any], counts: np.ndarray, hint: str | None
) -> tuple[Column, bool]:
    """The column with its signs of decimals and thousands, and whether another reading fits."""

    cores = pieces["core"]
    some = {sign: matches(cores, rf".*{pattern}.*").any() for sign, pattern in _SIGNS.items()}
    fit: dict[tuple[str, str], int] = {}
    for decimal, thousands in NOTATIONS:
        seen = (decimal == "." or some[decimal]) or thousands == "."
        if seen and (not thousands or some[thousands]):
            fit[decimal, thousands] = int(counts[matches(cores, core(decimal, thousands))].sum())
    most = max(fit.values())
    best = [signs for signs, n in fit.items() if n == most]
    either = {(".", ""), (",", ".")} <= set(best) or {(",", ""), (".", ",")} <= set(best)
    decimal, thousands = _of_either(best, cores, hint) if either else best[0]
    if (decimal, thousands, hint) == (".", "", "."):
        either = False  # three decimals in a file that has decimal points
    return replace(column, decimal=decimal, thousands=thousands), either


def _of_either(best: list[tuple[str, str]], cores: Any, hint: str | None) -> tuple[str, str]:
    """Which of two readings of "12.400" (or "12,400") is taken, where both fit all entries."""
    pair = ((".", ""), (",", ".")) if (".", "") in best else ((",", ""), (".", ","))
    if hint is not None:
        return next(signs for signs in pair if signs[0] == hint)
    # thousands would have their sign in long numbers; decimals would be there in all numbers, or
    # not always three
    long = matches(cores, r"\d{4,}").any()
    short = matches(cores, r"[1-9]\d{0,2}").any()
    return pair[1] if not long and (short or pair[0] == (",", "")) else pair[0]
