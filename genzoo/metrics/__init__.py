"""Metrics, one subject a file: each is a ``MetricSpec`` that ``genzoo.keys`` names."""

from genzoo.keys import METRICS
from genzoo.metrics.metric import Context, Metric, MetricSpec
from genzoo.registry import look_up

__all__ = ["Context", "Metric", "MetricSpec", "registered"]


def registered() -> dict[str, MetricSpec]:
    """Every metric by its key."""
    return {key: look_up(METRICS, key, "metric") for key in METRICS}
