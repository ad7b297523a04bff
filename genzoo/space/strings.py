"""The END rule of strings, once: a row's product stops at its first END, and nothing follows it.

``end`` is the code of END, or None where rows are no strings that end: then all is reached.
"""

from __future__ import annotations

import numpy as np

from genzoo.space.variable import MISSING


def reached(rows: np.ndarray, end: int | None) -> np.ndarray:
    """(n, D) bool: the entries that carry probability, up to and including the first END.

    >>> reached(np.array([[0, 2, 2], [1, 0, 1]]), end=2)
    array([[ True,  True, False],
           [ True,  True,  True]])
    """
    if end is None:
        return np.ones(rows.shape, dtype=bool)
    inside = np.ones(rows.shape, dtype=bool)
    inside[:, 1:] = ~ended(rows[:, :-1], end)
    return inside


def ended(rows: np.ndarray, end: int | None) -> np.ndarray:
    """(n, D) bool: the entries at or after the first END.

    >>> ended(np.array([[0, 2, 2], [1, 0, 1]]), end=2)
    array([[False,  True,  True],
           [False, False, False]])
    """
    if end is None:
        return np.zeros(rows.shape, dtype=bool)
    is_end = rows == end
    return np.logical_or.accumulate(is_end, axis=1, out=is_end)


def lengths(rows: np.ndarray, end: int | None) -> np.ndarray:
    """(n,) how many entries of each row carry probability, its first END included.

    >>> lengths(np.array([[0, 2, 2], [1, 0, 1]]), end=2)
    array([2, 3])
    """
    if end is None or rows.shape[1] == 0:
        return np.full(len(rows), rows.shape[1])
    is_end = rows == end
    return np.where(is_end.any(axis=1), is_end.argmax(axis=1) + 1, rows.shape[1])


def ends_between(rows: np.ndarray, end: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Where rows with holes may have ended: (n,) the first position at which END may stand, behind
    the last symbol that is known, and (n,) the last one, that of the first END that is known; D
    where there is none.

    >>> ends_between(np.array([[0, -1, 2], [-1, 0, -1]]), end=2)
    (array([1, 2]), array([2, 3]))
    """
    D = rows.shape[1]
    place = np.arange(D)
    symbol = (rows != MISSING) & (rows != end)
    earliest = np.where(symbol, place + 1, 0).max(axis=1, initial=0)
    return earliest, np.where(rows == end, place, D).min(axis=1, initial=D)


def settled(rows: np.ndarray, end: int | None) -> np.ndarray:
    """Rows with END in every place after the first END: nothing is open there, whatever stood. Rows
    of which that holds already are handed back as they are.

    >>> settled(np.array([[0, 2, -1], [1, 0, -1]]), end=2)
    array([[ 0,  2,  2],
           [ 1,  0, -1]])
    """
    if end is None:
        return rows
    over = ended(rows, end)
    return np.where(over, end, rows) if (over & (rows != end)).any() else rows
