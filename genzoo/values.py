"""What a question to a model is answered with: log masses and their means, each with its kind and
error, or a refusal with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from genzoo.jackknife import Jackknife
from genzoo.space.schema import Schema
from genzoo.spelling import did_you_mean

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

    ``stderr`` is sd / sqrt(n) over the rows, so Monte Carlo error is included. Of a text it is the
    error over ``blocks`` of it, the nats of each; two models of one text are told apart by the
    differences of theirs.

    >>> print(Score(-2.5, 0.125, "lower_bound"))
    >= -2.5000 +- 0.1250 nats
    """

    value: float
    stderr: float
    kind: Kind
    blocks: tuple[float, ...] | None = None

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
            hint = did_you_mean(self.kind, KINDS)
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}; got {self.kind!r}{hint}")

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

    def per(self, units: npt.ArrayLike, groups: np.ndarray | None = None) -> Score:
        """Nats per unit: all nats over all units, such as characters or steps.

        The error is that of a ratio of sums by the jackknife (``genzoo.jackknife``), over groups of
        rows where these are given. nan for a single row or group, and where all units are one
        group's.

        Args:
            units: (n,) how many units each row has; not negative, and some positive.
            groups: (n,) which group each row is from; None: each row is one.
        """
        units = _per_row(units, "units", len(self.value), "iufb", "a number")
        if not (np.isfinite(units).all() and (units >= 0).all() and units.sum() > 0):
            raise ValueError("units: expected numbers that are not negative, and some positive")
        number = None
        if groups is not None:
            names = _per_row(groups, "groups", len(self.value), "iuU", "an integer or a string")
            number = np.unique(names, return_inverse=True)[1]
        found = Jackknife.of(self.value, units, number)
        return Score(found.ratio, found.stderr, self.kind)

    def less(self, other: LogProb, sure: np.ndarray) -> LogProb:
        """The logarithm of the ratio of two masses, row by row: this one less ``other``, in nats.

        Args:
            other: (n,) of the same rows, by the same model.
            sure: (n,) bool: rows for which both are the same mass.

        Returns:
            Exact where both are; else an estimate, whose noise may lift it above 0.

        Raises:
            Unsupported: for ELBOs, which are loose by different amounts.

        >>> joint, marginal = LogProb.exact([-3.0]), LogProb.exact([-1.0])
        >>> joint.less(marginal, sure=np.array([False])).value
        array([-2.])
        """
        value = self.value - other.value
        if self.kind == other.kind == "exact":
            return LogProb.exact(value)
        if "elbo" in (self.estimator, other.estimator):
            raise Unsupported(
                "two ELBOs are loose by different amounts, so their difference says little: set "
                'estimator to "iwae" or "ais"'
            )
        sizes = [part.ess for part in (self, other) if part.ess is not None]
        return LogProb(
            np.where(sure, 0.0, value),
            "estimate",
            np.where(sure, 0.0, np.hypot(self.stderr, other.stderr)),
            self.estimator or other.estimator,
            np.minimum.reduce(sizes) if sizes else None,
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.value, dtype=dtype) if copy else np.asarray(self.value, dtype=dtype)

    def __len__(self) -> int:
        return len(self.value)


@dataclass(frozen=True, eq=False)
class LogTerms:
    """Log-probabilities of rows, variable by variable: a row's terms sum to its log mass.

    Attributes:
        value: (n, B) in nats: log p(block b | the blocks before it).
        kind: ``"exact"`` where all masses are, else ``"estimate"``: a difference of two bounds.
        stderr: (n, B) Monte Carlo standard error of each term; zero where exact.
        starts: (B,) the first variable of each block; 0 .. D - 1 where each is one by itself.

    >>> import genzoo
    >>> model = genzoo.Independent().fit(np.array([[0, 1], [1, 1], [0, 0], [1, 0]]))
    >>> genzoo.log_prob_by_variable(model, np.array([[0, 1]])).value.round(3)
    array([[-0.693, -0.693]])
    """

    value: np.ndarray
    kind: Kind
    stderr: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True)
class Gap:
    """How loose an estimator is at a fitted model, certified on rows that the model drew.

    Attributes:
        lower: mean of the estimator's lower bound, in nats per row.
        upper: mean of an upper bound.
        gap: ``upper - lower``, in expectation at least the bound's looseness on such rows.
        stderr: of ``gap``, over the rows.
        n: rows.
        estimator: which lower bound.
    """

    lower: Score
    upper: Score
    gap: float
    stderr: float
    n: int
    estimator: str


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


def _per_row(values: npt.ArrayLike, name: str, n: int, kinds: str, what: str) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype == object and all(isinstance(v, str) for v in values.ravel()):
        values = values.astype(str)
    if values.shape != (n,) or values.dtype.kind not in kinds:
        raise ValueError(
            f"{name}: expected {what} for each of {n} rows; got {values.dtype} {values.shape}"
        )
    return values
