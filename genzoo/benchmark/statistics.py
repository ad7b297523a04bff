"""How sure a comparison of two models is: paired differences over the same test rows.

Two models are compared row by row, because rows differ far more from each other than models do on
one row. What a difference proves depends on the kinds of the numbers too: a lower bound may lie
anywhere below the true value, so a model never loses for certain by a bound, and wins for certain
where its bound already lies above an exact value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genzoo.datasets.blocks import FEWEST_BLOCKS
from genzoo.model import KINDS, LogProb

LEVEL = 0.05
POWER = 0.8  # with which a difference that is called visible would have been proven
FEWEST_UNITS = FEWEST_BLOCKS  # independent rows, groups or blocks, that a test needs


@dataclass(frozen=True)
class Difference:
    """The mean of a - b over test rows, with its standard error; n is how many independent rows, or
    groups of equal size, there are (``effective_units``)."""

    value: float
    stderr: float
    n: float

    @property
    def has_error(self) -> bool:
        """Whether there are enough independent units for a test."""
        return round(self.n) >= FEWEST_UNITS and math.isfinite(self.value)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The two-sided confidence interval at 1 - level, by Student's t."""
        from scipy.stats import t

        half = float(t.ppf(1 - level / 2, self.n - 1)) * self.stderr if self.n > 1 else math.nan
        return self.value - half, self.value + half

    def p_value(self) -> float:
        """Two-sided: how often equal models would differ by as much (nan for a single row)."""
        from scipy.stats import t

        if self.n < 2 or not math.isfinite(self.value):
            return math.nan
        if self.stderr == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * t.sf(abs(self.value) / self.stderr, self.n - 1))

    def p_below(self, margin: float) -> float:
        """One-sided, of non-inferiority: how often a true difference of ``margin`` or more would
        give a value as low (nan for a single row)."""
        from scipy.stats import t

        if self.n < 2 or not math.isfinite(self.value):
            return math.nan
        if self.stderr == 0:
            return 0.0 if self.value < margin else 1.0
        return float(t.cdf((self.value - margin) / self.stderr, self.n - 1))

    def visible(self, level: float = LEVEL, power: float = POWER) -> float:
        """The true difference that a two-sided test at ``level`` would have proven with ``power``,
        by the standard error at hand (nan for a single row)."""
        from scipy.stats import t

        if self.n < 2:
            return math.nan
        return float((t.ppf(1 - level / 2, self.n - 1) + t.ppf(power, self.n - 1)) * self.stderr)


def paired_difference(a: np.ndarray, b: np.ndarray, groups: np.ndarray | None = None) -> Difference:
    """a - b over test rows.

    Args:
        a, b: (n,) log-probabilities of the same rows in the same order, in nats.
        groups: (n,) which group each row is from, where rows of a group are not independent.

    Raises:
        ValueError: where the shapes differ: these are not the same rows.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0:
        raise ValueError(f"paired_difference: expected two (n,) arrays; got {a.shape}, {b.shape}")
    with np.errstate(invalid="ignore"):
        delta = a - b
    n = len(delta)
    if not np.isfinite(delta).all():
        return Difference(float(np.sum(delta)), math.nan, n)
    score = LogProb.exact(delta).mean(groups)
    return Difference(score.value, score.stderr, effective_units(n, groups))


def effective_units(n: int, groups: np.ndarray | None = None) -> float:
    """How many groups of equal size tell as much as those at hand: (sum n_g)^2 / sum n_g^2 (Kish
    1965, Survey Sampling); n where rows are independent.

    Student's t with one degree of freedom less than this, and an error by the jackknife over
    groups, keeps its level where groups differ much in size.
    """
    if groups is None:
        return float(n)
    sizes = np.unique(groups, return_counts=True)[1]
    return float(n**2 / np.sum(sizes.astype(np.float64) ** 2))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p-values for a family of tests (Holm 1979); nan counts as 1."""
    p = np.nan_to_num(np.asarray(p_values, dtype=np.float64), nan=1.0)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * (len(p) - np.arange(len(p)))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return adjusted


def weakest(kinds: Sequence[str]) -> str:
    """The kind of a number made of several: ``estimate`` < ``lower_bound`` < ``exact``."""
    return max(kinds, key=KINDS.index)


def can_prove(winner: str, loser: str) -> bool:
    """Whether a higher value of kind ``winner`` over one of kind ``loser`` can prove anything."""
    return winner in ("exact", "lower_bound") and loser == "exact"
