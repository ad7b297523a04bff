"""Lower bounds on the likelihood of models with a Gaussian latent variable, by importance sampling.

    p(x) = E p(x | z),  z ~ N(0, I)

Draws z_1 .. z_K from a proposal q(z | x) have weights w_k = p(x | z_k) p(z_k) / q(z_k | x), and

    elbo:  (1/K) sum_k log w_k          expectation E log w
    iwae:  log (1/K) sum_k w_k          expectation between the elbo and log p(x), rising with K

are lower bounds in expectation (Burda, Grosse & Salakhutdinov 2016). The weights' mean itself is
unbiased, whatever the proposal: a poor q makes the bound loose and its error large, never wrong.

For iwae with at least 32 draws every sixteenth comes from the prior, and q is the mixture of both
(Hesterberg 1995): no weight exceeds K p(x | z), however narrow the Gaussian is.

Each row has noise of its own, named by the seed, its position and its codes: chunks change nothing,
a row repeated in one call is drawn anew, and rows scored one by one (all at position 0) do not
share their luck.

Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, arXiv:1509.00519.
Hesterberg (1995), Weighted average importance sampling and defensive mixture distributions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genzoo.model import LogProb
from genzoo.seeding import numpy_rng

PRIOR_EVERY = 16  # one draw in so many comes from the prior
CHUNK_NUMBERS = 2**22  # floats that a decoder holds at once
FEWEST_DRAWS, MOST_DRAWS, ROW_NUMBERS = 64, 256, 2**19

Propose = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Codes x (B, D) -> mean and log standard deviation (B, Z) of a Gaussian near the posterior."""

LogLikelihood = Callable[[Tensor, Tensor], Tensor]
"""Latents z (K, B, Z) and codes x (B, D) -> log p(x | z) (K, B), in nats."""


@dataclass(frozen=True, eq=False)
class Bound:
    """A lower bound on the log mass of n rows, from K draws each.

    Attributes:
        value: (n,) nats.
        stderr: (n,) Monte Carlo standard error of ``value``.
        ess: (n,) effective number of draws, (sum w)^2 / sum w^2, in [1, K].
        K: draws a row.
    """

    value: np.ndarray
    stderr: np.ndarray
    ess: np.ndarray
    K: int

    def log_prob(self) -> LogProb:
        return LogProb(self.value, "lower_bound", self.stderr)


def default_draws(width: int) -> int:
    """K for a decoder of this ``width`` (see ``importance_bound``): 64 to 256, fewer where wide."""
    return max(FEWEST_DRAWS, min(MOST_DRAWS, ROW_NUMBERS // width))


def log_prior_ratio(z: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
    """(...) log p(z) - log q(z) for z (..., Z), with p = N(0, I) and q = N(mean, exp(log_sd)^2)."""
    noise = (z - mean) * torch.exp(-log_sd)
    return (0.5 * (noise.square() - z.square()) + log_sd).sum(dim=-1)


@torch.no_grad()
def importance_bound(
    rows: np.ndarray,
    *,
    propose: Propose,
    log_likelihood: LogLikelihood,
    K: int,
    seed: int,
    width: int,
    estimator: str = "iwae",
    device: torch.device | str = "cpu",
) -> Bound:
    """A lower bound on log p(x) for each row. The networks must be in evaluation mode.

    Args:
        rows: (n, D) complete codes.
        propose: the proposal of each row.
        log_likelihood: the observation model.
        K: draws a row, at least 2.
        width: floats that ``log_likelihood`` holds for one row and draw; it sets the chunks.
        estimator: ``"iwae"`` or ``"elbo"``.
        device: of the networks.
    """
    pairs = max(1, CHUNK_NUMBERS // width)
    B = max(1, pairs // K)
    from_prior = torch.arange(1, K + 1) % PRIOR_EVERY == 0  # (K,)
    if estimator == "elbo" or K < 2 * PRIOR_EVERY:
        from_prior[:] = False
    log_w = np.empty((K, len(rows)))
    for first in range(0, len(rows), B):
        chunk = rows[first : first + B]
        x = torch.as_tensor(chunk).to(device)
        mean, log_sd = propose(x)  # (B, Z)
        noise = _noise(chunk, first, K, mean.shape[-1], seed).to(mean)  # (K, B, Z)
        z = mean + torch.exp(log_sd) * noise
        z[from_prior] = noise[from_prior]
        log_p = torch.cat([log_likelihood(part, x) for part in z.split(pairs)])  # (K, B)
        log_ratio = log_prior_ratio(z, mean, log_sd).double()
        log_w[:, first : first + B] = (log_p.double() - _log_mixture(log_ratio, from_prior)).cpu()
    return _summary(log_w, from_prior.numpy(), estimator)


def _log_mixture(log_ratio: Tensor, from_prior: Tensor) -> Tensor:
    """log of (q's share of the draws * q(z) + the prior's share * p(z)) / p(z)."""
    share = float(from_prior.double().mean())
    if share == 0.0:
        return -log_ratio
    prior = torch.full_like(log_ratio, math.log(share))
    return torch.logaddexp(math.log1p(-share) - log_ratio, prior)


def _noise(rows: np.ndarray, first: int, K: int, Z: int, seed: int) -> Tensor:
    """(K, B, Z) standard normal; a row's first draws are the same for every K."""
    noise = np.empty((len(rows), K, Z), dtype=np.float32)
    for i, row in enumerate(rows):
        rng = numpy_rng(seed, "importance", first + i, row.tobytes().hex())
        rng.standard_normal(out=noise[i], dtype=np.float32)
    return torch.as_tensor(noise).transpose(0, 1)


def _summary(log_w: np.ndarray, from_prior: np.ndarray, estimator: str) -> Bound:
    K = len(log_w)
    top = log_w.max(axis=0)
    w = np.exp(log_w - top)  # (K, n)
    total = w.sum(axis=0)
    ess = total**2 / np.square(w).sum(axis=0)
    if estimator == "elbo":
        return Bound(log_w.mean(axis=0), log_w.std(axis=0, ddof=1) / math.sqrt(K), ess, K)
    # each part of the mixture has a fixed number of draws: only the spread within a part counts
    parts = [w[~from_prior], w[from_prior]] if from_prior.any() else [w]
    variance = np.sum([len(p) * p.var(axis=0, ddof=1) for p in parts], axis=0)
    return Bound(top + np.log(total / K), np.sqrt(variance) / total, ess, K)
