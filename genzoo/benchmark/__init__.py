"""The harness: every model on every data set with every seed, one record for each cell."""

from genzoo.benchmark.compared import ComparedRuns, compare_runs
from genzoo.benchmark.run import Run, load_run
from genzoo.benchmark.runner import compare

__all__ = ["ComparedRuns", "Run", "compare", "compare_runs", "load_run"]
