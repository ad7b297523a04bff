"""The harness: every model on every data set with every seed, one record for each cell."""

from genzoo.benchmark.run import Run, load_run
from genzoo.benchmark.runner import compare

__all__ = ["Run", "compare", "load_run"]
