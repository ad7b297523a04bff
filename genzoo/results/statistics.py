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
from genzoo.jackknife import Jackknife
from genzoo.values import KINDS, Kind

LEVEL = 0.05
POWER = 0.8  # with which a difference that is called visible would have been proven
FEWEST_UNITS = FEWEST_BLOCKS  # independent rows, groups or blocks, that a test needs
SAME = 1e-9  # of a score: what is closer differs by rounding
RARE = 2.0  # standard deviations of the scores, by which a rare row may be off


@dataclass(frozen=True)
class Difference:
    """The mean of a - b over test rows, with its standard error.

    Attributes:
        value, stderr: the mean and its error.
        n: how many independent rows, or groups of equal size, there are (``effective_units``).
        units: (u,) what each row, or group of rows, says of the mean (jackknife pseudo-values, of
            which ``value`` is the mean); None where only the mean and its error are known.
        n_rows: how many rows there are.
        spread: the standard deviation of the two scores over rows, the larger one; None where it is
            not known.
    """

    value: float
    stderr: float
    n: float
    units: np.ndarray | None = None
    n_rows: int = 0
    spread: float | None = None

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
        """Two-sided: how often equal models would differ by as much (nan for a single row).

        The largest of three: of Student's t; of the empirical likelihood ratio (Owen 1988,
        Biometrika 75; over groups Jing, Yuan & Zhou 2009, JASA 104), since either is too small
        where differences are skewed, in other cases; and of what is not among the test rows. Rows
        of a rare kind that make up for the difference, by ``RARE`` standard deviations of the
        scores each, would be a share s = |value| / (RARE spread) of all: n rows hold none of them
        in exp(-n s) of cases (the rule of three: Hanley & Lippman-Hand 1983, JAMA 249). Of groups
        their rows count for that, since rare rows are a matter of rows.
        """
        return self._p(0.0, "two-sided")

    def p_below(self, margin: float) -> float:
        """One-sided, of non-inferiority: how often a true difference of ``margin`` or more would
        give a value as low (nan for a single row). Tests as in ``p_value``."""
        return self._p(margin, "below")

    def p_of_rows_at_hand(self) -> float:
        """Two-sided, as if no kind of row were missing: what ``p_value`` would be without that."""
        return self._p(0.0, "two-sided", rare=False)

    def _p(self, mean: float, side: str, *, rare: bool = True) -> float:
        from scipy.stats import f, t

        gap = self.value - mean
        if self.n < 2 or not math.isfinite(self.value):
            return math.nan
        if gap == 0 or (side == "below" and gap > 0):
            return 1.0
        sides = 2 if side == "two-sided" else 1
        found = [0.0]
        if self.stderr > 0:
            found.append(sides * float(t.sf(abs(gap) / self.stderr, self.n - 1)))
        if self.units is not None and self.stderr > 0:
            ratio = _likelihood_ratio(self.units - mean)
            found.append(sides / 2 * float(f.sf(ratio, 1, self.n - 1)))
        if rare and self.spread is not None and not self._is_nothing:
            share = abs(gap) / (RARE * self.spread) if self.spread > 0 else 0.0
            found.append(math.exp(-self.n_rows * share))
        return max(found)

    @property
    def _is_nothing(self) -> bool:
        """Whether every row has the same score twice, up to the last digits. Both models' masses
        sum to one, so that what is missing among rows adds up to the same as well."""
        if self.units is None or not self.spread:
            return False
        return bool(np.abs(self.units).max() <= SAME * self.spread)

    def p_below_in_cases(self, margin: float) -> float:
        """As ``p_below``, of differences between right and wrong (1, 0 or -1 a row).

        Whole numbers whose mean is the margin vary by ``margin (1 - margin)`` at least: where two
        models are right in the same rows that is the error, not zero (the score test of Tango 1998,
        Stat. Med. 17, where no row differs).
        """
        from scipy.stats import t

        if self.n < 2 or not math.isfinite(self.value):
            return math.nan
        error = max(self.stderr, math.sqrt(margin * (1 - margin) / self.n))
        return float(t.cdf((self.value - margin) / error, self.n - 1))

    def visible(
        self,
        level: float = LEVEL,
        power: float = POWER,
        *,
        times: float = 1.0,
        most_units: float = math.inf,
    ) -> float:
        """The true difference that a two-sided test at ``level`` would have proven with ``power``,
        by the standard error at hand (nan for a single row, and where rows are all alike).

        Args:
            times: of as many rows of the same kind as there are, times this.
            most_units: units that rows may make: more of them are then longer ones.
        """
        from scipy.stats import t

        units = min(self.n * times, max(self.n, most_units))
        if units < 2:
            return math.nan
        stderr, n_rows = self.stderr / math.sqrt(times), self.n_rows * times
        needed = float(t.ppf(1 - level / 2, units - 1)) * stderr
        if self.spread is not None:
            if self.spread == 0:  # rows that are all alike would prove nothing
                return math.nan
            # the spread that is found differs from sample to sample too
            more = 1 + float(t.ppf(power, units - 1)) / math.sqrt(2 * n_rows)
            needed = max(needed, RARE * self.spread * more * math.log(1 / level) / n_rows)
        return needed + float(t.ppf(power, units - 1)) * stderr


def _likelihood_ratio(x: np.ndarray) -> float:
    """-2 log of the empirical likelihood ratio for a mean of 0; infinite where 0 lies outside.

    The weights 1 / (n (1 + l x)) maximise the likelihood of the rows among those of which the mean
    is 0; l solves sum x / (1 + l x) = 0.
    """
    from scipy.optimize import brentq

    n, low, high = len(x), float(x.min()), float(x.max())
    if low >= 0 or high <= 0:
        return math.inf
    # no weight is above 1
    ends = (1 / n - 1) / high, (1 / n - 1) / low

    def slope(factor: float) -> float:
        return float(np.sum(x / (1 + factor * x)))

    if slope(ends[0]) <= 0 or slope(ends[1]) >= 0:  # 0 lies beside an outermost unit
        return math.inf
    root = brentq(slope, *ends)
    return 2 * float(np.sum(np.log1p(root * x)))


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
    n = effective_units(len(delta), groups)
    if not np.isfinite(delta).all():
        return Difference(float(np.sum(delta)), math.nan, n)
    number = None if groups is None else np.unique(groups, return_inverse=True)[1]
    found = Jackknife.of(delta, np.ones(len(delta)), number)
    units = delta if groups is None else found.pseudo_values  # of rows they are the rows
    spread = max(_spread(x) for x in (a, b))
    return Difference(found.ratio, found.stderr, n, units, len(delta), spread)


def _spread(x: np.ndarray) -> float:
    """The standard deviation; 0 where all are the same up to the last digits."""
    return 0.0 if np.ptp(x) <= SAME * np.abs(x).max() else float(np.std(x))


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


def weakest(kinds: Sequence[Kind]) -> Kind:
    """The kind of a number made of several: ``estimate`` < ``lower_bound`` < ``exact``."""
    return max(kinds, key=KINDS.index)


def can_prove(winner: str, loser: str) -> bool:
    """Whether a higher value of kind ``winner`` over one of kind ``loser`` can prove anything."""
    return winner in ("exact", "lower_bound") and loser == "exact"
