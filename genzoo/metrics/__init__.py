"""Metrics: functions ``(model, dataset, context) -> Metric``, registered in ``genzoo.registry``."""

from genzoo.metrics.likelihood import Context, Metric

__all__ = ["Context", "Metric"]
