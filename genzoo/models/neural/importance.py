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
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genzoo.draws import gumbel_argmax
from genzoo.seeding import numpy_rng
from genzoo.values import LogProb

PRIOR_EVERY = 16  # one draw in so many comes from the prior
CHUNK_FLOATS = 2**22  # that a decoder holds at once
# Draws a row where the caller names no number: as many as fit into so many floats of a decoder.
# More of them tighten the bound, and take the longer the wider the rows.
FEWEST_DRAWS, MOST_DRAWS, ROW_FLOATS = 64, 256, 2**20
# Adam on each row's own Gaussian: more steps come nearer to its posterior, at as many gradients.
REFINING_STEPS, REFINING_DRAWS, REFINING_RATE = 50, 4, 0.15
LARGEST_REFINED = 6.0  # of a log standard deviation, in size

Propose = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Codes x (B, D), some perhaps MISSING -> mean and log standard deviation (B, Z) of a Gaussian near
the posterior given what is observed."""

LogLikelihood = Callable[[Tensor, Tensor], Tensor]
"""Latents z (K, B, Z) and codes x (B, D) -> log p(x | z) (K, B), in nats, what is MISSING summed
out."""


@dataclass(frozen=True, eq=False)
class LatentModel:
    """What an estimator needs of a model with z ~ N(0, I), in evaluation mode.

    Attributes:
        propose: the proposal of each row.
        log_likelihood: the observation model.
        floats_per_draw: that ``log_likelihood`` holds for one row and draw; they set the chunks.
        device: of the networks.
    """

    propose: Propose
    log_likelihood: LogLikelihood
    floats_per_draw: int
    device: torch.device | str = "cpu"


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

    def log_prob(self, estimator: str) -> LogProb:
        return LogProb(self.value, "lower_bound", self.stderr, estimator, self.ess)


def refined(propose: Propose, log_likelihood: LogLikelihood) -> Propose:
    """A proposal fitted to each row by itself, from where ``propose`` puts it.

    A few steps of Adam raise the row's ELBO over its Gaussian's mean and standard deviation
    (semi-amortised inference, Kim et al. 2018, arXiv:1802.02550). The noise is the same for all
    rows, so what a row gets depends on its codes alone.
    """

    def fitted(x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_sd = (part.detach().clone() for part in propose(x))
        generator = torch.Generator(device="cpu").manual_seed(0)
        shape = (REFINING_STEPS, REFINING_DRAWS // 2, 1, mean.shape[-1])
        noise = torch.randn(shape, generator=generator).to(mean)
        noise = torch.cat([noise, -noise], dim=1)
        moments = [(torch.zeros_like(part), torch.zeros_like(part)) for part in (mean, log_sd)]
        for step in range(1, REFINING_STEPS + 1):
            with torch.enable_grad():
                at = [part.requires_grad_() for part in (mean, log_sd)]
                z = at[0] + torch.exp(at[1]) * noise[step - 1]
                elbo = (log_likelihood(z, x) - 0.5 * z.square().sum(dim=-1)).mean(dim=0)
                slopes = torch.autograd.grad((elbo + at[1].sum(dim=-1)).sum(), at)
            # Adam, written out: each row has moments of its own, and no optimiser's state leaks
            rate = REFINING_RATE * (1 - (step - 1) / REFINING_STEPS)
            moved = []
            for i, (part, slope) in enumerate(zip(at, slopes, strict=True)):
                m = 0.9 * moments[i][0] + 0.1 * slope
                v = 0.99 * moments[i][1] + 0.01 * slope.square()
                moments[i] = (m, v)
                size = (v / (1 - 0.99**step)).sqrt() + 1e-8
                moved.append(part.detach() + rate * m / (1 - 0.9**step) / size)
            mean, log_sd = moved[0], moved[1].clamp(-LARGEST_REFINED, LARGEST_REFINED)
        return mean, log_sd

    return fitted


def default_draws(floats_per_draw: int) -> int:
    """K for a decoder of this width (see ``importance_bound``): fewer the wider."""
    return max(FEWEST_DRAWS, min(MOST_DRAWS, ROW_FLOATS // floats_per_draw))


def log_prior_ratio(z: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
    """(...) log p(z) - log q(z) for z (..., Z), with p = N(0, I) and q = N(mean, exp(log_sd)^2)."""
    noise = (z - mean) * torch.exp(-log_sd)
    return (0.5 * (noise.square() - z.square()) + log_sd).sum(dim=-1)


@torch.no_grad()
def importance_bound(
    rows: np.ndarray, model: LatentModel, *, K: int, seed: int, estimator: str = "iwae"
) -> Bound:
    """A lower bound on log p(x) for each of the rows (n, D), by ``"iwae"`` or ``"elbo"`` with K
    draws a row, at least 2."""
    from_prior = prior_draws(K) if estimator == "iwae" else torch.zeros(K, dtype=torch.bool)
    log_w = np.empty((K, len(rows)))
    for here, _, part in _weighed(rows, model, from_prior, seed):
        log_w[:, here] = part
    return summarised(log_w, from_prior.numpy(), estimator)


@torch.no_grad()
def posterior_draws(
    rows: np.ndarray, model: LatentModel, *, K: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """A draw of z for each row, near p(z | row), by importance resampling: one of K draws from the
    proposal, chosen by its weight. The arguments are those of ``importance_bound``.

    Returns:
        z (n, Z) and the effective number of draws (n,) that each was chosen from.
    """
    from_prior = prior_draws(K)
    chosen, ess = [], np.empty(len(rows))
    for here, z, log_w in _weighed(rows, model, from_prior, seed):
        ess[here] = summarised(log_w, from_prior.numpy()).ess
        for i, own in enumerate(log_w.T):
            best = gumbel_argmax(own, numpy_rng(seed, "resample", here.start + i))
            chosen.append(z[int(best), i].cpu().numpy())
    return np.stack(chosen), ess


def prior_draws(K: int) -> Tensor:
    """(K,) which of K draws come from the prior: none where K is small."""
    from_prior = torch.arange(1, K + 1) % PRIOR_EVERY == 0
    return from_prior & (K >= 2 * PRIOR_EVERY)


def _weighed(
    rows: np.ndarray, model: LatentModel, from_prior: Tensor, seed: int
) -> Iterator[tuple[slice, Tensor, np.ndarray]]:
    """For each chunk of rows: where it lies, draws z (K, B, Z), and log weights (K, B)."""
    K, pairs = len(from_prior), max(1, CHUNK_FLOATS // model.floats_per_draw)
    B = max(1, pairs // K)
    for first in range(0, len(rows), B):
        chunk = rows[first : first + B]
        x = torch.as_tensor(chunk).to(model.device)
        mean, log_sd = model.propose(x)  # (B, Z)
        noise = _noise(chunk, first, K, mean.shape[-1], seed).to(mean)  # (K, B, Z)
        z = mean + torch.exp(log_sd) * noise
        if from_prior.any():
            z[from_prior] = noise[from_prior]
        log_ratio = -_log_mixture(log_prior_ratio(z, mean, log_sd).double(), from_prior)
        log_p = torch.cat([model.log_likelihood(part, x) for part in z.split(pairs)])  # (K, B)
        yield slice(first, first + len(x)), z, (log_p.double() + log_ratio).cpu().numpy()


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


def summarised(
    log_w: np.ndarray, from_prior: np.ndarray | None = None, estimator: str = "iwae"
) -> Bound:
    """The bound that log weights (K, n) come to; ``from_prior`` (K,) as in the module's text."""
    K = len(log_w)
    top = log_w.max(axis=0)
    w = np.exp(log_w - top)  # (K, n)
    total = w.sum(axis=0)
    ess = total**2 / np.square(w).sum(axis=0)
    if estimator == "elbo":
        return Bound(log_w.mean(axis=0), log_w.std(axis=0, ddof=1) / math.sqrt(K), ess, K)
    # each part of the mixture has a fixed number of draws: only the spread within a part counts
    parts = [w]
    if from_prior is not None and from_prior.any():
        parts = [w[~from_prior], w[from_prior]]
    variance = np.sum([len(p) * p.var(axis=0, ddof=1) for p in parts], axis=0)
    return Bound(top + np.log(total / K), np.sqrt(variance) / total, ess, K)
