"""Entries that are nothing of the kind that the others are: which are holes, and what they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from genzoo.datasets.own.texts import Distinct, matches

# holes among numbers and dates, whatever their share; in other columns they are values
MARKS = frozenset((
    "-", "--", "---", "–", "—", "_", ".", "..", "...", "*", "**", "***", "x", "#", "/", "?", "??",
    "???", "na", "n/a", "n.a", "n.a.", "n. a.", "nan", "-nan", "nd", "n.d.", "n/d", "n.v.", "null",
    "nil", "none", "nothing", "void", "empty", "blank", "leer", "unknown", "unk", "missing",
    "absent", "undefined", "not available", "not applicable", "not known", "no data", "nodata",
    "no value", "not recorded", "k.a.", "k. a.", "k.a", "ka", "keine angabe", "keine angaben",
    "keine daten", "unbekannt", "fehlt", "fehlend", "nicht bekannt", "nicht verfügbar", "entfällt",
    "inconnu", "inconnue", "n.c.", "nc", "non renseigné", "non disponible", "manquant",
    "desconocido", "sin datos", "s/d", "sconosciuto", "onbekend", "brak", "tbd", "tba", "1.#qnan",
    "-1.#ind", "1.#ind", "#error", "error", "err", "#fehler!", "-.-", "-,-", "--.--", "(blank)",
    "(leer)", "(empty)", "(none)", "<none>", "<null>", "<missing>", "$ -", "$-", "- €",
))  # fmt: skip
FEW_NUMBERS = 10  # up to so many different numbers, a text beside them may be one more category
STRAY = 0.05
MANY_TEXTS = 10
LIMIT = r"[<>≤≥]=?\s*[+-]?[\d.,]*\d.*"  # as laboratories write what they couldn't measure


class Settled(NamedTuple):
    """Which texts (u,) are holes among the numbers (or dates), and what is to be said of them."""

    holes: np.ndarray
    remarks: tuple[str, ...]


def are_marks(found: Distinct, more: frozenset[str] = frozenset()) -> np.ndarray:
    """(u,) which texts are known marks of holes among numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = pa.array(sorted(MARKS | more), pa.large_string())
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(found.texts))
    return pc.is_in(lower, value_set=known).to_numpy(zero_copy_only=False)


def settle(
    found: Distinct,
    fits: np.ndarray,
    what: str,
    *,
    few: bool,
    more: frozenset[str] = frozenset(),
) -> Settled | None:
    """What to do with the texts that fit no number (or date); None: the column is none of these.

    Args:
        fits: (u,) which texts are numbers (or dates).
        what: "numbers" or "dates", for remarks.
        few: whether the numbers are so few that a text beside them may be a category.
        more: further marks of holes.
    """
    if fits.all():
        return Settled(~fits, ())
    marks = are_marks(found, more) & ~fits
    rest = ~fits & ~marks
    remarks = []
    if marks.any():
        remarks.append(f"holes are written {found.only(marks).counted()}")
    if not rest.any():
        return Settled(marks, tuple(remarks))
    strays, n_fit = found.only(rest), int(found.counts[fits].sum())
    share = strays.total / (strays.total + n_fit)
    limits = matches(strays.texts, LIMIT)
    if limits.all() and share <= 0.9:
        remarks.append(
            f"{strays.total} of {strays.total + n_fit} entries are limits, no {what} "
            f"({strays.shown()}): read as holes"
        )
    elif share <= STRAY and not few:
        remarks.append(f"no {what}, read as holes: {strays.shown()} (entries: {strays.total})")
    elif len(strays) == 1 and strays.total > 1 and not few:
        remarks.append(
            f"holes are written {strays.counted()}: one mark among {what} (as a category instead: "
            f'"treat": "nominal" in a schema file)'
        )
    elif len(strays) <= MANY_TEXTS and share <= 0.5 and not few:
        remarks.append(
            f"{what} and {len(strays)} different texts, {strays.counted()}, which are read as holes"
        )
    else:
        return None
    return Settled(marks | rest, tuple(remarks))
