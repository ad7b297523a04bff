"""Metrics from the likelihood of test rows: the number itself, its units, its gap to the truth.

KL(p || m) is estimated by the plain mean of log p(x) - log m(x) over the test rows, paired per row.

The alarm. For test rows drawn from the true p, independently of the model, E[m(x) / p(x)] <= 1
whatever the model m is. By Markov's inequality the sum over test rows of log m(x) - log p(x)
exceeds log(1 / a) with probability at most a. A model that exceeds it claims more than the truth
allows: test rows leaked into training, its masses sum to more than one, or a sign is wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.model import GenerativeModel
from genzoo.values import LogProb, Unsupported

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

ALARM_LEVEL = 1e-3


@dataclass(frozen=True)
class Metric:
    """A number with its standard error, unit, direction and kind (as in ``LogProb``)."""

    value: float
    stderr: float
    unit: str
    higher_is_better: bool
    kind: str


@dataclass(frozen=True)
class Context:
    """What metrics share: the model's and, where it is known, the truth's log masses of the test
    rows, in nats (n,); rows drawn from the model, (m, D) codes, and the group (m,) of each where
    they are rows of data that belong together (a model's draws are independent); the seed of
    metrics that draw at random; and ``found``, what one metric worked out for others, for one model
    on one data set."""

    test: LogProb
    truth: np.ndarray | None = None
    samples: np.ndarray | None = None
    sample_groups: np.ndarray | None = None
    seed: int = 0
    # not copied by ``replace``: other samples have other distances
    found: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)


def test_groups(dataset: Dataset) -> np.ndarray | None:
    """(n,) the group of each test row, or None where rows are independent."""
    return None if dataset.groups is None else dataset.groups["test"]


def test_log_prob(model: GenerativeModel, dataset: Dataset, context: Context) -> Metric:
    """Mean log mass of the test rows, in nats per row."""
    score = context.test.mean(test_groups(dataset))
    return Metric(score.value, score.stderr, "nats per row", True, score.kind)


def bits_per_dim(model: GenerativeModel, dataset: Dataset, context: Context) -> Metric:
    """Mean of -log2 mass / D over the test rows; an upper bound where the mass is a lower one."""
    score = context.test.mean(test_groups(dataset))
    bits = score.bits_per_dim(dataset.schema)
    error = score.stderr / (dataset.schema.D * math.log(2))
    return Metric(bits, error, "bits per dimension", False, score.kind)


def truth_gap(model: GenerativeModel, dataset: Dataset, context: Context) -> Metric:
    """KL(truth || model) in nats per row, paired; an upper bound where the log mass is a lower one.

    Raises:
        Unsupported: where the truth is not known.
    """
    if context.truth is None:
        raise Unsupported(f"the truth of {dataset.name} is not known")
    test = context.test
    difference = LogProb(context.truth - test.value, test.kind, test.stderr)
    gap = difference.mean(test_groups(dataset))
    return Metric(gap.value, gap.stderr, "nats per row", False, gap.kind)


@dataclass(frozen=True)
class Alarm:
    """``statistic`` is the sum over test rows of log m - log p, in nats."""

    raised: bool
    statistic: float
    threshold: float


def alarm(test: LogProb, truth: np.ndarray, level: float = ALARM_LEVEL) -> Alarm:
    """Whether a model claims more than the truth allows, at a false-alarm rate of ``level``.

    Args:
        test: the model's log masses of test rows.
        truth: (n,) the truth's log masses of the same rows, in nats.

    Raises:
        ValueError: if the truth gives a test row no mass: then the data set is wrong.
    """
    if not np.isfinite(truth).all():
        raise ValueError("truth: a test row has no mass under the truth: the data set is wrong")
    statistic = float(np.sum(test.value - truth))
    threshold = math.log(1 / level)
    return Alarm(statistic > threshold, statistic, threshold)
