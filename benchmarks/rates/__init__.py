"""Error rates of what genzoo states, measured by simulation: the parts, and ``Rate``."""

from __future__ import annotations

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
