"""Orders of the variables of a network: parents first, and cheap to eliminate."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from graphlib import TopologicalSorter

import numpy as np


def topological(parents: Sequence[Iterable[int]]) -> list[int]:
    """The variables 0, 1, ..., parents before children; ascending where there is a choice.

    Raises:
        ValueError: if there is a cycle.

    >>> topological([[2], [], [1]])
    [1, 2, 0]
    """
    sorter = TopologicalSorter(dict(enumerate(parents)))
    sorter.prepare()
    order: list[int] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return order


def elimination_order(
    scopes: Sequence[Collection[int]],
    cards: np.ndarray,
    *,
    kept: Collection[int] = (),
    largest: float = math.inf,
) -> tuple[list[int], int] | None:
    """Greedily the variable whose elimination makes the smallest factor (Dechter 1999).

    Args:
        scopes: the variables of each factor.
        cards: (D,) numbers of codes.
        kept: variables that are not eliminated.
        largest: entries that a factor may have, its eliminated variable included.

    Returns:
        The order, and the entries of all factors, those given and those made; None where one that
        is made would be too large.

    >>> elimination_order([{0, 1}, {1, 2}], np.array([2, 3, 2]))
    ([0, 1, 2], 26)
    """

    def entries(scope: Iterable[int]) -> int:
        return math.prod(int(cards[v]) for v in scope)

    neighbours: dict[int, set[int]] = {}
    for scope in scopes:
        for v in scope:
            if v not in kept:
                neighbours.setdefault(v, set()).update(scope)
    size = {v: entries(s) for v, s in neighbours.items()}
    order, total = [], sum(entries(s) for s in scopes)
    while neighbours:
        v = min(neighbours, key=lambda u: (size[u], u))
        if size[v] > largest:
            return None
        order.append(v)
        total += size[v]
        around = neighbours.pop(v) - {v}
        for u in around.intersection(neighbours):
            neighbours[u] = (neighbours[u] | around) - {v}
            size[u] = entries(neighbours[u])
    return order, total
