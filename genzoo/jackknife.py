"""The delete-one jackknife of a ratio of sums, over rows or over groups of rows.

It holds where some groups are much larger than others; for rows of one unit each its error is
sd / sqrt(n).

References:
    [1] Efron and Stein, The jackknife estimate of variance, Ann. Stat. 9, 1981.
    [2] Tukey, Bias and confidence in not quite large samples, Ann. Math. Stat. 29, 1958.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class Jackknife:
    """A ratio of sums, and how far it moves when one of its parts is left out.

    Attributes:
        ratio: the sum of all values over that of all units.
        moved: (G,) the ratio less what it becomes without each row or group; None for a single one,
            and where all units are one group's.
    """

    ratio: float
    moved: np.ndarray | None

    @classmethod
    def of(cls, values: np.ndarray, units: np.ndarray, number: np.ndarray | None = None) -> Self:
        """Of values (n,) with units (n,).

        Args:
            number: (n,) the group of each row, 0 .. G - 1; None: each row is one.

        >>> round(Jackknife.of(np.array([1.0, 2.0, 3.0]), np.ones(3)).stderr, 4)  # sd / sqrt(3)
        0.5774
        """
        total = float(units.sum())
        ratio = float(np.sum(values)) / total
        residuals: np.ndarray = values - ratio * units
        if number is not None:
            residuals = np.bincount(number, weights=residuals)
            units = np.bincount(number, weights=units)
        others = total - units
        if len(residuals) < 2 or not (others > 0).all():
            return cls(ratio, None)
        return cls(ratio, residuals / others)

    @property
    def stderr(self) -> float:
        """The standard error [1]; nan where nothing can be left out."""
        if self.moved is None:
            return math.nan
        G = len(self.moved)
        return math.sqrt((G - 1) / G * float(np.sum(self.moved**2)))

    @property
    def pseudo_values(self) -> np.ndarray:
        """(G,) what each part says of the ratio [2]; one that can't be left out says it all."""
        if self.moved is None:
            return np.array([self.ratio])
        return self.ratio + (len(self.moved) - 1) * self.moved
