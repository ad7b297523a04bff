"""What a metric is: a number with all that belongs to it, what it is found from, and the object
that ``genzoo.keys`` names, which says what the number means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from genzoo.metrics.sides import Comparison
from genzoo.model import GenerativeModel
from genzoo.values import Kind, LogProb, Unsupported

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset


@dataclass(frozen=True)
class Metric:
    """A number with its standard error, unit, direction and kind (as in ``LogProb``)."""

    value: float
    stderr: float
    unit: str
    higher_is_better: bool
    kind: Kind


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


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """What a metric is called and means; called with a model (None for rows of the data), a data
    set and a context, it gives the number.

    Attributes:
        title: the head of its column in a report.
        meaning: a sentence or two for those who have never met it.
        unit: of the value and its error.
        higher_is_better: its direction.
        ideal: the best value, where neither more nor less is better.
        caveat: what must not be concluded from it.
        of_samples: whether it looks at rows that were drawn, else at log masses of test rows. Those
            stand in the ranking, these in the table of samples.
    """

    title: str
    meaning: str
    unit: str
    higher_is_better: bool
    ideal: float | None = None
    caveat: str = ""

    of_samples: ClassVar[bool]

    def __call__(self, model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
        raise NotImplementedError

    def number(self, value: float, stderr: float, kind: Kind = "estimate") -> Metric:
        """A value of this metric."""
        return Metric(value, stderr, self.unit, self.higher_is_better, kind)


@dataclass(frozen=True, kw_only=True)
class LikelihoodMetric(MetricSpec):
    """A metric of a model's log masses of the test rows.

    Attributes:
        judge: the function that finds it.
    """

    judge: Callable[[Dataset, Context], Metric]

    of_samples = False

    def __call__(self, model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
        return self.judge(dataset, context)


@dataclass(frozen=True, kw_only=True)
class SampleMetric(MetricSpec):
    """A metric of rows that were drawn by a model, or taken from the data, against test rows.

    Attributes:
        judge: the function that finds it; it may raise ``Unsupported``, as it does where there are
            too few groups for an error.
        refuses: says of a data set why the metric does not apply to it, or None where it does.
    """

    judge: Callable[[Comparison], Metric]
    refuses: Callable[[Dataset], str | None] = lambda dataset: None

    of_samples = True

    def __call__(self, model: GenerativeModel | None, dataset: Dataset, context: Context) -> Metric:
        comparison = Comparison.of(dataset, context)
        reason = self.refuses(dataset)
        if reason is not None:
            raise Unsupported(reason)
        return self.judge(comparison)
