"""Reports: what a run's records say, for people to read."""

from genzoo.report.build import build

__all__ = ["build"]
