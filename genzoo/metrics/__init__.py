"""Metrics, one subject a file: each is a ``MetricSpec`` that ``genzoo.keys`` names."""

from collections.abc import Mapping

from genzoo.keys import METRICS
from genzoo.metrics.metric import Context, Metric, MetricSpec
from genzoo.registry import look_up

__all__ = ["Context", "Metric", "MetricSpec", "registered"]


def registered(places: Mapping[str, str] = METRICS) -> dict[str, MetricSpec]:
    """Every metric by its key."""
    return {key: look_up(places, key, "metric") for key in places}
