"""Distinct rows and patterns: what is the same for several rows is done but once.

Rows are compared by words: as many columns as fit into one integer. Rows that the first words tell
apart are never looked at again, so that time and memory grow as the rows, and not as their sort.
"""

from __future__ import annotations

import numpy as np

BLOCK = 1 << 20  # numbers in a block of rows that is packed: 8 MB


def weighted(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows (k, D), in ascending order, and how often each is there, (k,) float64.

    Args:
        rows: (n, D) integers, none below -1; what is handed back has their type.

    >>> weighted(np.array([[1, 0], [0, 1], [1, 0]]))
    (array([[0, 1],
           [1, 0]]), array([1., 2.]))
    """
    order, first = _ordered(rows)
    counts = np.diff(np.append(first, len(rows)))
    return rows[order[first]], counts.astype(np.float64)


def by_pattern(missing: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows of each distinct row of ``missing`` (n, D): (their indices, ascending; it (D,)).

    >>> by_pattern(np.array([[True], [False], [True]]))
    [(array([1]), array([False])), (array([0, 2]), array([ True]))]
    """
    if len(missing) == 0:
        return []
    order, first = _ordered(missing)
    return list(zip(np.split(order, first[1:]), missing[order[first]], strict=True))


def _ordered(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) the rows' ascending order, equal ones as they come; and (k,) where in it the distinct
    ones begin."""
    order, group = np.arange(len(rows)), np.zeros(len(rows), dtype=np.int64)
    for columns, places in _words(rows):
        alike = np.diff(group) == 0
        tied = np.flatnonzero(np.append(alike, False) | np.append(False, alike))
        if len(tied) < 2:
            break
        words = _packed(rows, order[tied], columns, places)
        own = group[tied]
        by_word = np.lexsort((words, own) if own[-1] else (words,))  # they are one group at first
        words, order[tied] = words[by_word], order[tied[by_word]]
        new = np.append(True, (np.diff(own) != 0) | (np.diff(words) != 0))
        # a group is named by the place at which it begins
        group[tied] = tied[np.maximum.accumulate(np.where(new, np.arange(len(tied)), 0))]
    return order, np.flatnonzero(np.diff(group, prepend=-1))


def _words(rows: np.ndarray) -> list[tuple[slice, np.ndarray]]:
    """The columns, cut so that the codes of each part fit into one int64; and the worth of a one in
    each column of a part."""
    codes = (rows.max(axis=0, initial=0).astype(np.int64) + 2).tolist()  # and -1
    parts: list[tuple[slice, np.ndarray]] = []
    end = len(codes)
    while end > 0:
        first, size, places = end, 1, list[int]()
        while first > 0 and size * codes[first - 1] < 2**63:
            first -= 1
            places.append(size)
            size *= codes[first]
        parts.append((slice(first, end), np.array(places[::-1])))
        end = first
    return parts[::-1]


def _packed(rows: np.ndarray, index: np.ndarray, columns: slice, places: np.ndarray) -> np.ndarray:
    """(m,) one number for these columns of rows ``index`` (m,), in the order of the rows."""
    words = np.empty(len(index), dtype=np.int64)
    size = max(1, BLOCK // len(places))
    for i in range(0, len(index), size):
        words[i : i + size] = (rows[index[i : i + size], columns] + np.int64(1)) @ places
    return words
