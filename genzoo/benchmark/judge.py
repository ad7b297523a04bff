"""What a fitted model's log masses and samples are judged by."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from genzoo.benchmark.attempts import attempt
from genzoo.datasets.dataset import Dataset
from genzoo.metrics import Context, Metric, MetricSpec
from genzoo.metrics.likelihood import alarm
from genzoo.model import GenerativeModel
from genzoo.protocols import Certifies
from genzoo.registry import look_up
from genzoo.results.record import AlarmRecord, BoundRecord, GapRecord, Measured, MetricRecord
from genzoo.values import LogProb, Unsupported

LOW_QUANTILE = 0.05  # of the effective draws of the test rows


def likelihood_metrics(
    places: Mapping[str, str], model: GenerativeModel, dataset: Dataset, context: Context
) -> dict[str, MetricRecord]:
    """What the metrics of test rows give, of those that apply."""
    found = {}
    for key in places:
        with contextlib.suppress(Unsupported, ImportError):  # those are told of with the samples
            metric: MetricSpec = look_up(places, key, "metric")
            if not metric.of_samples:
                found[key] = _recorded(key, metric(model, dataset, context))
    return found


def sample_metrics(
    places: Mapping[str, str],
    model: GenerativeModel | None,
    dataset: Dataset,
    context: Context,
    notes: list[str],
) -> tuple[dict[str, MetricRecord], dict[str, str]]:
    """What the metrics of samples give, and why others were left out; ``model`` is None for rows of
    the data.

    A metric that fails is left out like one that doesn't apply: the likelihood stands without it.
    """
    found, left_out = {}, {}
    for key in places:

        def judged(key: str = key) -> MetricRecord | None:
            metric: MetricSpec = look_up(places, key, "metric")
            if not metric.of_samples:
                return None
            return _recorded(key, metric(model, dataset, context))

        value, reason = attempt(judged, f"metric {key} failed", notes)
        if value is not None:
            found[key] = value
        elif reason is not None:
            left_out[key] = reason
    return found, left_out


def _recorded(key: str, found: Metric) -> MetricRecord:
    return MetricRecord.from_json(MetricRecord(**asdict(found)).to_json(), f"metric {key}")


def against_truth(
    metrics: Mapping[str, MetricRecord], test: LogProb, truth: np.ndarray, notes: list[str]
) -> tuple[Measured, AlarmRecord | None]:
    """The gap to the truth, and the alarm, whose inequality holds of masses and their bounds."""
    gap = metrics["truth_gap"]
    raised = None
    if test.kind != "estimate":
        raised = AlarmRecord(**asdict(alarm(test, truth)))
        if raised.raised:
            notes.append(
                f"alarm: claims {raised.statistic:.2f} nats more on the test rows than the truth "
                f"(at most {raised.threshold:.2f} is plausible): something is wrong with this model"
            )
    return Measured(gap.value, gap.stderr), raised


def provenance(model: GenerativeModel, test: LogProb, seed: int, notes: list[str]) -> BoundRecord:
    """How values that are not exact were found: the estimator, the effective draws of the test
    rows, and the gap that certifies the estimator on the model's own samples (nats per row)."""
    median = low = gap = refused = seconds = None
    if test.ess is not None:
        median, low = float(np.median(test.ess)), float(np.quantile(test.ess, LOW_QUANTILE))
    if isinstance(model, Certifies):
        certifies: Certifies = model
        start = time.perf_counter()
        found, refused = attempt(
            lambda: certifies.bidirectional(seed=seed), "certifying the bound failed", notes
        )
        seconds = time.perf_counter() - start
        if found is not None:
            lower, upper = found.lower.value, found.upper.value
            gap = GapRecord(found.gap, found.stderr, found.n, found.estimator, lower, upper)
    return BoundRecord(median, low, gap, refused, seconds, test.estimator)


def marginals(rows: np.ndarray, cards: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """Per variable, the share of rows that hold each code."""
    return tuple(
        tuple(round(float(x), 6) for x in np.bincount(rows[:, d], minlength=card) / len(rows))
        for d, card in enumerate(cards.tolist())
    )
