"""Models that misbehave, in a module of their own so that worker processes can import them."""

from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace

import numpy as np

from genzoo import Independent, LogProb, Score, Unsupported
from genzoo.metrics.metric import LikelihoodMetric, SampleMetric


class Raises(Independent):
    def _fit(self, rows, valid, fit):
        raise RuntimeError("this family breaks")


class Refuses(Independent):
    def _log_prob(self, rows, *, seed):
        raise Unsupported("this family can't score")


class Dies(Independent):
    def _fit(self, rows, valid, fit):
        os.kill(os.getpid(), signal.SIGKILL)


class Exits(Independent):
    def _fit(self, rows, valid, fit):
        os.write(2, b"last words")
        os._exit(7)


class Infinite(Independent):
    def _log_prob(self, rows, *, seed):
        result = super()._log_prob(rows, seed=seed)
        result.value[0] = -np.inf
        return result


class TooGood(Independent):
    """Claims a nat more for each row than its probabilities allow."""

    def _log_prob(self, rows, *, seed):
        result = super()._log_prob(rows, seed=seed)
        result.value[:] += 10.0
        return result


class Chatty(Independent):
    """Prints, and notes the process and the threads that it has."""

    def _fit(self, rows, valid, fit):
        import torch

        print("between the messages", flush=True)
        super()._fit(rows, valid, fit)
        fit.training.notes = [f"pid {os.getpid()}", f"threads {torch.get_num_threads()}"]


class Slow(Independent):
    """Takes ``seconds`` for its fit, and says nothing all the while."""

    def __init__(self, *, pseudo_count=1.0, seconds=60.0):
        super().__init__(pseudo_count=pseudo_count)
        self.seconds = seconds

    def _fit(self, rows, valid, fit):
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            time.sleep(0.05)
        super()._fit(rows, valid, fit)


class Learner(Independent):
    """An ordinary family with a learning curve, stopped by its budget."""

    selects = True

    def _fit(self, rows, valid, fit):
        super()._fit(rows, valid, fit)
        fit.stop("steps")


class Bounded(Independent):
    """Says that its values are bounds, and has the attributes that such families have.

    ``gap`` is ``given``, ``refused`` or ``broken``.
    """

    def __init__(self, *, pseudo_count=1.0, gap="given"):
        super().__init__(pseudo_count=pseudo_count)
        self.gap = gap

    def _fit(self, rows, valid, fit):
        self.calibration_ = {"before": -4.0, "after": -3.0, "marginal_weight": 0.25}
        super()._fit(rows, valid, fit)

    def _log_prob(self, rows, *, seed):
        exact = super()._log_prob(rows, seed=seed)
        draws = np.arange(1.0, len(rows) + 1)
        return LogProb(exact.value, "lower_bound", exact.stderr, "iwae", draws)

    def bidirectional(self, n=50, *, seed=0):
        if self.gap == "refused":
            raise Unsupported("can't simulate")
        if self.gap == "broken":
            raise RuntimeError("no gap today")
        lower, upper = Score(-3.0, 0.1, "lower_bound"), Score(-2.5, 0.1, "estimate")
        return SimpleNamespace(
            lower=lower, upper=upper, gap=0.5, stderr=0.125, n=n, estimator="iwae"
        )


def broken(comparison):
    raise RuntimeError("this metric breaks")


def first_sample(comparison):
    return FIRST_SAMPLE.number(float(comparison.fake[0].sum() + comparison.seed), 0.0, "exact")


def worst_row(dataset, context):
    return WORST_ROW.number(float(context.test.value.min()), 0.0, context.test.kind)


ABOUT = {"meaning": "What tests need.", "higher_is_better": True}
BROKEN = SampleMetric(title="broken", unit="none", judge=broken, **ABOUT)
FIRST_SAMPLE = SampleMetric(title="first", unit="codes", judge=first_sample, **ABOUT)
WORST_ROW = LikelihoodMetric(title="worst", unit="nats", judge=worst_row, **ABOUT)
