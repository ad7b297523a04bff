"""What text is called: identifiers of some kind, numbers that can't be read as such."""

from __future__ import annotations

import numpy as np

from genzoo.datasets.own import numbers
from genzoo.datasets.own.texts import Distinct, filtered, matches, parts, some_at, some_of, weights

N_LOOKED_AT = 10_000  # texts that tell what a column is
_KINDS = {
    "UUIDs": r"(?i)\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?",
    "e-mail addresses": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "addresses of pages": r"(?i)(?:https?|ftp|s3)://\S+|www\.\S+",
    "IBANs": r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?",
    "IP addresses": r"\d{1,3}(?:\.\d{1,3}){3}(?:/\d+)?",
    "hashes": r"(?i)(?:0x)?(?:[0-9a-f]{24}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64})",
    "telephone numbers": r"(?:\+\d|\(\d|0)[\d\s()/.-]{6,20}\d",
    "dates with names of months that are not known":
        r"(?:\p{L}+\.?,? )?\d{1,2}[. -]*(?:de )?\p{L}{3,10}\.?,?(?: de)?[ -]+\d{4}(?:,? .*\d.*)?",
    "numbers of documents": r"[A-Za-z#]{1,6}[-_/ ]?\d{2,}(?:[-_/]\d+)*",
}  # fmt: skip
_SHAPES = {
    "hexadecimal numbers": r"0x[0-9a-fA-F]+",
    "fractions": r"-?(?:\d+ )?\d+/\d+",
    "ranges": r"\d[\d.,]*\s?(?:-|–|to|bis|\.\.)\s?\d[\d.,]*",
    "angles in degrees and minutes": r"-?\d+\s?°\s?\d+(?:[.,]\d+)?\s?['′].*",
    "ordinals": r"\d+(?:st|nd|rd|th)",
    "approximate numbers": r"(?:~|≈|ca\.?|about|approx\.?)\s?\d[\d.,]*",
    "limits": r"[<>≤≥]=?\s*\d[\d.,]*",
}


def lengths(found: Distinct) -> tuple[float, float]:
    """Words and characters of an entry, on average."""
    import pyarrow.compute as pc

    gaps = pc.count_substring_regex(pc.utf8_trim_whitespace(found.texts), r"\s+").to_numpy()
    length = pc.utf8_length(found.texts).to_numpy()
    return tuple(float(np.dot(x, found.counts)) / found.total for x in (gaps + 1, length))  # type: ignore[return-value]


def kind_of(found: Distinct) -> str | None:
    """What nearly all of the texts are, if that has a name."""
    found = some_of(found, N_LOOKED_AT)
    for name, pattern in _KINDS.items():
        if found.counts[matches(found.texts, pattern)].sum() >= 0.9 * found.total:
            return name
    return None


def mixture(found: Distinct, fits: np.ndarray) -> str | None:
    """The right name for numbers that are not all written alike; None where it has none.

    Args:
        fits: (u,) which of the texts are read as numbers.
    """
    fits = fits[some_at(len(found), N_LOOKED_AT)]
    found = some_of(found, N_LOOKED_AT)
    pieces = parts(found.texts, numbers.WRITTEN)
    like = pieces["core"].is_valid().to_numpy(zero_copy_only=False)
    if found.counts[like].sum() >= 0.9 * found.total:
        counts = found.counts
        before, behind = (weights(pieces[part], counts) for part in ("prefix", "suffix"))
        plain = before.pop("", 0), behind.pop("", 0)
        currencies = {k: n for k, n in (*before.items(), *behind.items()) if numbers.is_currency(k)}
        if len(currencies) > 1:
            return f"numbers with {_many(len(currencies))} kinds of currency ({_list(currencies)})"
        if set(behind) == {"%"} and plain[1]:
            return f"numbers with and without '%' ({behind['%']} with)"
        if behind and {k.lower() for k in behind} <= numbers.MULTIPLES:
            return f"numbers with letters for thousands or millions ({_list(behind)})"
        known = [k for k in behind if k.lower() in numbers.UNITS]
        if len(known) > 1 and any(len(k) > 1 for k in known):
            return f"numbers with {_many(len(behind))} different units ({_list(behind)})"
    strays = Distinct(filtered(found.texts, ~fits), found.counts[~fits], found.codes[:0])
    for name, pattern in _SHAPES.items():
        if strays.counts[matches(strays.texts, pattern)].sum() >= 0.9 * strays.total:
            one = repr(strays.texts[0].as_py())
            return f"{name} (such as {one})" if not fits.any() else f"numbers and {name} ({one})"
    return None


def _many(n: int) -> str:
    return {2: "two", 3: "three", 4: "four"}.get(n, str(n))


def _list(found: dict[str, int]) -> str:
    shown = sorted(found.items(), key=lambda item: -item[1])[:5]
    return ", ".join(f"{text!r}: {n}" for text, n in shown)
