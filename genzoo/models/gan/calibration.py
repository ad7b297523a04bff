"""Calibration of the observation model: temperature s and marginal weight e on validation rows.

A small GAN on binary 8 x 8 digits scored -113 nats a row where independent pixels have -107, and
with s = 1 and e = 0.3 about -105.6, on validation rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from genzoo.fitting import Fit
from genzoo.models.neural.importance import Bound

LEAST_MARGINAL = 1e-3
MARGINALS = (1.0, 0.1, 0.03, 0.01, LEAST_MARGINAL, 0.2, 0.4, 0.7)  # in the order of trial
TEMPERATURES = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8)  # a factor of about 1.4 apart
MUCH_MARGINAL = 0.1  # beyond, the reader of a report is told


@dataclass(frozen=True)
class Calibration:
    """What was found.

    Attributes:
        temperature: s.
        marginal_weight: e.
        before, after: mean bound in nats per row on the rows that chose e, at s = 1 and e = 0.001
            and at what was found.
        n_importance: draws a row that the bound took.
        effective: how many of them counted, on average.
    """

    temperature: float
    marginal_weight: float
    before: float
    after: float
    n_importance: int
    effective: float

    def remarks(self) -> list[str]:
        """For the reader of a report."""
        notes = [
            f"calibrated on validation rows: temperature {self.temperature:g}, marginal weight "
            f"{self.marginal_weight:g}; bound {self.before:.3f} before, {self.after:.3f} after "
            f"(nats per row, {self.n_importance} draws)"
        ]
        if self.marginal_weight > MUCH_MARGINAL:
            notes.append(
                f"marginal weight {self.marginal_weight:g} is over {MUCH_MARGINAL:g}: much of the "
                f"likelihood is the training marginals', not the generator's"
            )
        return notes


def calibrated(bound: Callable[[float, float], Bound], n: int, fit: Fit) -> Calibration:
    """The best s for each e on one half of the rows, the best e on the other half.

    Args:
        bound: of n rows, at a marginal weight and a temperature.
        n: rows.
        fit: a marginal weight that is tried is a unit of work, ``"trials"``; there is one at least.
    """
    half = np.arange(n) % 2 == 0
    other = ~half if n > 1 else half
    at = TEMPERATURES.index(1.0)
    before = bound(LEAST_MARGINAL, 1.0)
    best = (1.0, LEAST_MARGINAL, before)
    for e in MARGINALS:
        if fit.training.work and not fit.goes_on("trials"):
            break
        if e < 1.0:
            at, found = _climb(partial(bound, e), at, half)
        else:
            found = bound(e, TEMPERATURES[at])  # nothing is left of the logits
        if found.value[other].mean() > best[2].value[other].mean():
            best = (TEMPERATURES[at], e, found)
        fit.did("trials")
    s, e, after = best
    return Calibration(
        temperature=s,
        marginal_weight=e,
        before=float(before.value[other].mean()),
        after=float(after.value[other].mean()),
        n_importance=after.K,
        effective=float(after.ess[other].mean()),
    )


def _climb(bound: Callable[[float], Bound], start: int, half: np.ndarray) -> tuple[int, Bound]:
    """The index into ``TEMPERATURES`` where the bound on ``half`` has its (local) top."""
    at, best = start, bound(TEMPERATURES[start])
    for way in (1, -1):
        moved = False
        while 0 <= at + way < len(TEMPERATURES):
            next_ = bound(TEMPERATURES[at + way])
            if next_.value[half].mean() <= best.value[half].mean():
                break
            at, best, moved = at + way, next_, True
        if moved:
            break
    return at, best
