"""Error rates of what genzoo states, measured by simulation: the parts, and ``Rate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """A share of repeats, or a mean over them, with its standard error and what is wanted of it."""

    part: str
    what: str
    setting: str
    repeats: int
    value: float
    stderr: float
    wanted: str


def share(part: str, what: str, setting: str, hits: Sequence[bool], wanted: str) -> Rate:
    """The share of the repeats that are hits."""
    n = len(hits)
    value = sum(hits) / n
    smoothed = (sum(hits) + 1) / (n + 2)  # the error of no hit at all is not zero
    return Rate(part, what, setting, n, value, (smoothed * (1 - smoothed) / n) ** 0.5, wanted)
