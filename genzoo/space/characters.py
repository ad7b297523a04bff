"""Text as codes of a space of strings, and windows on what is missing in it.

Where the space has a tokenizer a code is a token, else a character.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator

import numpy as np

from genzoo.space import strings
from genzoo.space.schema import Schema
from genzoo.space.variable import MISSING


def codes_of(schema: Schema, text: str, name: str) -> np.ndarray:
    """(L,) the codes of a text's characters, or of its tokens.

    Raises:
        ValueError: naming the argument ``name``, for a character outside the alphabet.

    >>> codes_of(Schema.infer(["ab", "b"]), "bba", "text")
    array([1, 1, 0])
    """
    if not isinstance(text, str):
        raise ValueError(f"{name}: expected a str; got {type(text).__name__}")
    if schema.tokenizer is not None:
        text = schema.tokenizer.encode(text)
    categories = schema.variables[0].categories or ()
    known = {s: c for c, s in enumerate(categories) if c != schema.end}
    strange = sorted(set(text) - set(known))
    if strange:
        raise ValueError(
            f"{name}: expected characters of the alphabet {''.join(known)!r}; got {strange[0]!r}"
        )
    return np.array([known[s] for s in text], dtype=np.int64)


def text_of(schema: Schema, codes: Iterable[int]) -> str:
    """The inverse of ``codes_of``; what tokens spell that is no text becomes ``�``.

    >>> text_of(Schema.infer(["ab", "b"]), [1, 1, 0])
    'bba'
    """
    categories = schema.variables[0].categories or ()
    return spelled(schema, "".join(categories[c] for c in codes))


def spelled(schema: Schema, string: str) -> str:
    """The text that a string of the space stands for.

    >>> spelled(Schema.infer(["ab", "b"]), "ab")
    'ab'
    """
    return string if schema.tokenizer is None else schema.tokenizer.decode(string)


def n_characters(schema: Schema, codes: np.ndarray) -> np.ndarray:
    """(L,) how many characters begin in each code of a text.

    >>> n_characters(Schema.infer(["ab", "b"]), np.array([0, 1]))
    array([1, 1])
    """
    if schema.tokenizer is None:
        return np.ones(len(codes), dtype=np.int64)
    n_begun = schema.tokenizer.n_begun
    if schema.end is not None:
        n_begun = np.insert(n_begun, schema.end, 0)
    return n_begun[codes]


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


def texts(schema: Schema, rows: np.ndarray) -> list[str]:
    """The text that each row (n, D) stands for, as far as it is known.

    >>> texts(Schema.infer(["ab", "b"]), np.array([[1, 2], [0, 1]]))
    ['b', 'ab']
    """
    known = strings.reached(rows, schema.end) & (rows != MISSING) & (rows != schema.end)
    return [text_of(schema, row[there]) for row, there in zip(rows, known, strict=True)]


def n_bytes(schema: Schema, rows: np.ndarray, *, lines: bool) -> np.ndarray:
    """(n,) how many bytes the text of each row (n, D) has in UTF-8, as far as it is known; where
    rows are lines, not windows of a text, with a line break behind each, which those of a single
    length need no END to tell.

    >>> n_bytes(Schema.infer(["äb", "b"]), np.array([[0, 2], [1, 0]]), lines=True)
    array([2, 4])
    """
    if schema.tokenizer is None:
        sizes = [len(s.encode()) for s in schema.alphabet or ()]
    else:
        sizes = [len(token) for token in schema.tokenizer.tokens]
    if schema.end is not None:
        sizes.insert(schema.end, 0)
    known = strings.reached(rows, schema.end) & (rows != MISSING)
    of_text = np.where(known, np.array(sizes)[rows], 0).sum(axis=1)
    return of_text + lines


def unit(schema: Schema) -> str:
    """What the codes of a text are, in words.

    >>> unit(Schema.infer(["ab", "b"]))
    'characters'
    """
    return "characters" if schema.tokenizer is None else "tokens"


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
