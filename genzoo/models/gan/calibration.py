"""Calibration of the observation model: temperature s and marginal weight e on validation rows.

A small GAN on binary 8 x 8 digits scored -113 nats a row where independent pixels have -107, and
with s = 1 and e = 0.3 about -105.6, on validation rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from genzoo.fitting import Fit
from genzoo.models.gan.networks import Generator
from genzoo.models.neural.coders import Proposal
from genzoo.models.neural.importance import (
    Bound,
    log_mixture,
    log_prior_ratio,
    prior_draws,
    summarised,
)

LEAST_MARGINAL = 1e-3
MARGINALS = (1.0, LEAST_MARGINAL, 0.01, 0.1, 0.03, 0.2, 0.4, 0.7)  # in the order of trial
TEMPERATURES = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8)  # a factor of about 1.4 apart
MUCH_MARGINAL = 0.1  # beyond, the reader of a report is told
CHUNK_FLOATS = 2**22  # that the heads hold at once


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


class Decoded:
    """Importance draws of rows, decoded once, for their bound at any temperature and weight.

    The decoder is the same for all of these, and so is the proposal: what is left for a new weight
    is a sum over the variables, and for a new temperature the masses of the rows' codes.

    Args:
        rows: (n, D) complete codes, on the networks' device.
        K: draws a row.
        noise: a generator, on the device too.
    """

    @torch.no_grad()
    def __init__(
        self, rows: Tensor, generator: Generator, proposal: Proposal, K: int, noise: torch.Generator
    ) -> None:
        self.rows, self.generator = rows, generator
        self.from_prior = prior_draws(K)
        mean, log_sd = proposal(rows)  # (n, Z)
        z = torch.randn((K, *mean.shape), generator=noise, device=mean.device)
        z = torch.where(self.from_prior.to(z.device)[:, None, None], z, mean + log_sd.exp() * z)
        ratio = log_prior_ratio(z, mean, log_sd).double()
        self.log_ratio = -log_mixture(ratio, self.from_prior)  # (K, n)
        self.chunk = max(1, CHUNK_FLOATS // (len(rows) * generator.floats_per_draw))
        self.outputs = [generator.decoder(part) for part in z.split(self.chunk)]
        self.here = generator.heads.reached(rows)
        self.own: dict[float, list[Tensor]] = {}

    @torch.no_grad()
    def bound(self, e: float, s: float) -> Bound:
        """At marginal weight e and temperature s."""
        generator, rows = self.generator, self.rows
        generator.calibrate(s, e)
        if s not in self.own:
            own = (generator.heads.log_prob(generator.sharpened(o), rows) for o in self.outputs)
            self.own[s] = list(own)
        log_p = torch.cat([(generator.mixed(o, rows) * self.here).sum(-1) for o in self.own[s]])
        log_w = (log_p.double() + self.log_ratio).cpu().numpy()
        return summarised(log_w, self.from_prior.numpy())


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
    seconds = 0.0  # of the last trial
    for e in MARGINALS:
        began = fit.clock.spent
        if fit.training.work and not fit.goes_on("trials", expected=seconds):
            break
        if e < 1.0:
            at, found = _climb(partial(bound, e), at, half)
        else:
            found = bound(e, TEMPERATURES[at])  # nothing is left of the logits
        if found.value[other].mean() > best[2].value[other].mean():
            best = (TEMPERATURES[at], e, found)
        fit.did("trials")
        seconds = fit.clock.spent - began
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
