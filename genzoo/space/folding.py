"""Categories by the thousand: those too rare to learn anything of are folded into one.

A value seen in a handful of rows has no probability that the rows could tell, and each costs every
family a column of its tables. The rule is the same for files and for DataFrames.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

MANY_CATEGORIES = 50  # up to as many stay as they are
MOST_CATEGORIES = 255
RARE = 10
RULE = f"rarer than {RARE} rows, or beyond the {MOST_CATEGORIES} most common"
OTHER = "other"


def kept(counts: np.ndarray) -> np.ndarray:
    """(k,) bool: the values that stay, by how many rows have each; all of them where few differ.

    >>> int(kept(np.array([500] + [20] * 30 + [2] * 400)).sum())
    31
    >>> bool(kept(np.array([1, 1, 1])).all())
    True
    """
    if len(counts) <= MANY_CATEGORIES:
        return np.ones(len(counts), dtype=bool)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return (counts >= RARE) & (rank < MOST_CATEGORIES)


def name_among(values: Collection[Any]) -> str:
    """What the category of the others is called: a name that none of the values has.

    >>> name_among({"red", "other"})
    '(other)'
    """
    name = OTHER
    while name in values:
        name = f"({name})"
    return name
