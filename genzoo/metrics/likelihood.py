"""Metrics from the likelihood of test rows: the number itself, its units, its gap to the truth.

KL(p || m) is estimated by the plain mean of log p(x) - log m(x) over the test rows, paired per row.

The alarm. For test rows drawn from the true p, independently of the model, E[m(x) / p(x)] <= 1
whatever the model m is. By Markov's inequality the sum over test rows of log m(x) - log p(x)
exceeds log(1 / a) with probability at most a. A model that exceeds it claims more than the truth
allows: test rows leaked into training, its masses sum to more than one, or a sign is wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genzoo.metrics.metric import Context, LikelihoodMetric, Metric
from genzoo.values import LogProb, Unsupported

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

ALARM_LEVEL = 1e-3


def test_groups(dataset: Dataset) -> np.ndarray | None:
    """(n,) the group of each test row, or None where rows are independent."""
    return None if dataset.groups is None else dataset.groups["test"]


def _mean(dataset: Dataset, context: Context) -> Metric:
    score = context.test.mean(test_groups(dataset))
    return TEST_LOG_PROB.number(score.value, score.stderr, score.kind)


def _bits(dataset: Dataset, context: Context) -> Metric:
    score = context.test.mean(test_groups(dataset))
    error = score.stderr / (dataset.schema.D * math.log(2))
    return BITS_PER_DIM.number(score.bits_per_dim(dataset.schema), error, score.kind)


def _gap(dataset: Dataset, context: Context) -> Metric:
    if context.truth is None:
        raise Unsupported(f"the truth of {dataset.name} is not known")
    test = context.test
    difference = LogProb(context.truth - test.value, test.kind, test.stderr)
    gap = difference.mean(test_groups(dataset))
    return TRUTH_GAP.number(gap.value, gap.stderr, gap.kind)


TEST_LOG_PROB = LikelihoodMetric(
    title="Log-likelihood",
    meaning="Mean log mass of the test rows.",
    unit="nats per row",
    higher_is_better=True,
    judge=_mean,
)
BITS_PER_DIM = LikelihoodMetric(
    title="Bits per dimension",
    meaning="Mean of -log2 mass / D over the test rows, an upper bound where the mass is a lower "
    "one.",
    unit="bits per dimension",
    higher_is_better=False,
    judge=_bits,
)
TRUTH_GAP = LikelihoodMetric(
    title="Gap to the truth",
    meaning="KL divergence of the model from the truth, where that is known; an upper bound where "
    "the log mass is a lower one.",
    unit="nats per row",
    higher_is_better=False,
    judge=_gap,
)


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
