"""Rows a few at a time, for what is computed of them and is wider than they are."""

from __future__ import annotations

from collections.abc import Iterator

NUMBERS = 2**21  # of a block: 16 MiB of float64, in which few temporaries are still small


def blocks(n: int, width: int) -> Iterator[slice]:
    """n rows in runs of at least one and at most so many as hold ``NUMBERS`` of ``width`` each.

    >>> [(part.start, part.stop) for part in blocks(3, NUMBERS // 2)]
    [(0, 2), (2, 3)]
    """
    step = max(1, NUMBERS // max(1, width))
    return (slice(i, min(i + step, n)) for i in range(0, n, step))
