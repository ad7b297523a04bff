"""Text as codes of a space of strings, and windows on what is missing in it."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator

import numpy as np

from genzoo.space.schema import Schema
from genzoo.space.variable import MISSING


def codes_of(schema: Schema, text: str, name: str) -> np.ndarray:
    """(L,) the codes of a text's characters.

    Raises:
        ValueError: naming the argument ``name``, for a character outside the alphabet.

    >>> codes_of(Schema.infer(["ab", "b"]), "bba", "text")
    array([1, 1, 0])
    """
    if not isinstance(text, str):
        raise ValueError(f"{name}: expected a str; got {type(text).__name__}")
    categories = schema.variables[0].categories or ()
    known = {s: c for c, s in enumerate(categories) if c != schema.end}
    strange = sorted(set(text) - set(known))
    if strange:
        raise ValueError(
            f"{name}: expected characters of the alphabet {''.join(known)!r}; got {strange[0]!r}"
        )
    return np.array([known[s] for s in text], dtype=np.int64)


def text_of(schema: Schema, codes: Iterable[int]) -> str:
    """The inverse of ``codes_of``.

    >>> text_of(Schema.infer(["ab", "b"]), [1, 1, 0])
    'bba'
    """
    categories = schema.variables[0].categories or ()
    return "".join(categories[c] for c in codes)


def with_holes(schema: Schema, text: str, hole: str, name: str) -> np.ndarray:
    """(L,) the codes of a text's characters, ``MISSING`` at each of a mark for holes.

    Raises:
        ValueError: for a mark that could be text itself, for a text without it, or with a part of
            it, and as ``codes_of``.

    >>> with_holes(Schema.infer(["ab", "b"]), "b__a", "__", "text")
    array([ 1, -1, -1,  0])
    """
    if not isinstance(hole, str) or not hole:
        raise ValueError(f"hole: expected a mark such as '___'; got {hole!r}")
    if not isinstance(text, str) or hole not in text:
        raise ValueError(f"{name}: expected a str with the mark {hole!r} in it; got {text!r}")
    of_marks = set(hole) - set(schema.alphabet or ())
    if not of_marks:
        raise ValueError(
            f"hole: expected a mark with a character that is not of the alphabet "
            f"{''.join(schema.alphabet or ())!r}; got {hole!r}"
        )
    parts = text.split(hole)
    cut = next((part for part in parts if of_marks & set(part)), None)
    if cut is not None:
        raise ValueError(
            f"hole: expected whole marks {hole!r} in the {name}, and no part of one; got "
            f"{reprlib.repr(cut)} beside them: a mark of one character fits holes of any length"
        )
    open_ = np.full(len(hole), MISSING)
    first, *others = [codes_of(schema, part, name) for part in parts]
    return np.concatenate([first, *(part for known in others for part in (open_, known))])


def holes_in(codes: np.ndarray) -> Iterator[tuple[int, int]]:
    """The stretches [begin, end) of codes (L,) that are ``MISSING``.

    >>> list(holes_in(np.array([1, -1, -1, 0, -1])))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(codes == MISSING, prepend=False, append=False))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def window_around(hole: tuple[int, int], length: int, T: int) -> slice:
    """The T places of a text of ``length`` > T with the hole in their middle: as much before it as
    behind it (one more where that can't be), and more on one side where the other is short.

    >>> window_around((50, 53), 100, T=10), window_around((1, 4), 100, T=10)
    (slice(46, 56, None), slice(0, 10, None))
    """
    begin, end = hole
    before = -(-(T - (end - begin)) // 2)
    start = min(max(0, begin - before), length - T)
    return slice(start, start + T)
