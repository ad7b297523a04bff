"""What a question to a model is answered with: log masses and their means, each with its kind and
error, or a refusal with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from genzoo.space.schema import Schema

Kind = Literal["exact", "lower_bound", "estimate"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Unsupported(Exception):  # noqa: N818 - a refusal with a reason, not a fault
    """A family can't answer this question; ``reason`` says why.

    >>> Unsupported("complete() needs strings").reason
    'complete() needs strings'
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Score:
    """A mean log-likelihood in nats, its standard error and its kind.

    ``stderr`` is sd / sqrt(n) over the rows, so Monte Carlo error is included.

    >>> print(Score(-2.5, 0.125, "lower_bound"))
    >= -2.5000 +- 0.1250 nats
    """

    value: float
    stderr: float
    kind: Kind

    def bits_per_dim(self, schema: Schema) -> float:
        """-value / (D ln 2): lower is better."""
        return -self.value / (schema.D * np.log(2))

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        mark = {"exact": "", "lower_bound": ">= ", "estimate": "~ "}[self.kind]
        error = "" if np.isnan(self.stderr) else f" +- {self.stderr:.4f}"  # nan: a single row
        return f"{mark}{self.value:.4f}{error} nats"


@dataclass(frozen=True, eq=False)
class LogProb:
    """Log-probabilities of rows.

    Attributes:
        value: (n,) log mass in nats.
        kind: ``"exact"``; ``"lower_bound"`` (its expectation is at most the log mass); or
            ``"estimate"`` (no promise).
        stderr: (n,) Monte Carlo standard error of each value; zero where exact.
        estimator: how a value that is not exact was found, such as ``"iwae"`` or ``"ais"``.
        ess: (n,) effective number of draws behind each value, or None where there are none.

    >>> import genzoo
    >>> model = genzoo.Independent(pseudo_count=1.0).fit(["a", "b", "b", "b"])
    >>> found = model.log_prob(["a", "b"])
    >>> found.kind, np.exp(found.value).round(3).tolist()
    ('exact', [0.333, 0.667])
    >>> print(found.mean())
    -0.7520 +- 0.3466 nats
    """

    value: np.ndarray
    kind: Kind
    stderr: np.ndarray
    estimator: str | None = None
    ess: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}; got {self.kind!r}")

    @classmethod
    def exact(cls, value: np.ndarray) -> LogProb:
        value = np.asarray(value, dtype=np.float64)
        return cls(value, "exact", np.zeros_like(value))

    def mean(self, groups: np.ndarray | None = None) -> Score:
        """The mean over rows, with its sampling error (nan for a single row).

        Args:
            groups: (n,) which group each row is from, integers or strings (a piece of music, a
                customer): rows of one group are not independent, so the error is taken over groups.
        """
        return self.per(np.ones(len(self.value)), groups)

    def per(self, units: Any, groups: np.ndarray | None = None) -> Score:
        """Nats per unit: all nats over all units, such as characters or steps.

        The error is that of a ratio of sums by the delete-one jackknife (Efron & Stein 1981, Ann.
        Stat. 9), over groups of rows where these are given, which holds where some groups are much
        larger than others; for rows of one unit each it is sd / sqrt(n). nan for a single row or
        group, and where all units are one group's.

        Args:
            units: (n,) how many units each row has; not negative, and some positive.
            groups: (n,) which group each row is from; None: each row is one.
        """
        units = _per_row(units, "units", len(self.value), "iufb", "a number")
        total = float(units.sum())
        if not (np.isfinite(units).all() and (units >= 0).all() and total > 0):
            raise ValueError("units: expected numbers that are not negative, and some positive")
        mean = float(np.sum(self.value)) / total
        residuals = self.value - mean * units
        if groups is not None:
            names = _per_row(groups, "groups", len(self.value), "iuU", "an integer or a string")
            _, place = np.unique(names, return_inverse=True)
            residuals = np.bincount(place, weights=residuals)
            units = np.bincount(place, weights=units)
        n, others = len(residuals), total - units
        if n < 2 or not (others > 0).all():
            return Score(mean, np.nan, self.kind)
        # what the ratio becomes without one of them, less the ratio itself
        moved = residuals / others
        return Score(mean, float(np.sqrt((n - 1) / n * np.sum(moved**2))), self.kind)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.value, dtype=dtype) if copy else np.asarray(self.value, dtype=dtype)

    def __len__(self) -> int:
        return len(self.value)


@dataclass(frozen=True, eq=False)
class LogDensity:
    """Log densities of rows: log mass less the log volume of the row's cells.

    ``comparable`` (n,) is False where a number lay beyond the range or between grid points: such a
    row's density is not comparable with that of another model.
    """

    value: np.ndarray
    kind: Kind
    stderr: np.ndarray
    comparable: np.ndarray


def _per_row(values: Any, name: str, n: int, kinds: str, what: str) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype == object and all(isinstance(v, str) for v in values.ravel()):
        values = values.astype(str)
    if values.shape != (n,) or values.dtype.kind not in kinds:
        raise ValueError(
            f"{name}: expected {what} for each of {n} rows; got {values.dtype} {values.shape}"
        )
    return values
