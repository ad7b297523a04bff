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

How many draws a row needs a *pilot* tells, of few draws with noise of their own, which are then
thrown away. The bound lies about r / 2K below the log mass, r the relative variance of a weight, so
K is set in proportion to the pilot's r. Draws that count must not have a say in their own number:
to go on until they look well is to stop on lucky ones, and the mean weight is then no longer
unbiased. Given K, or the choice of another estimator, the fresh draws give a bound in expectation,
and so they do whatever the pilot came to.

Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, arXiv:1509.00519.
Hesterberg (1995), Weighted average importance sampling and defensive mixture distributions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from genzoo.draws import gumbel_argmax
from genzoo.seeding import derive, numpy_rng
from genzoo.values import LogProb

PRIOR_EVERY = 16  # one draw in so many comes from the prior
CHUNK_FLOATS = 2**22  # that a decoder holds at once
# Most draws a row where the caller names no number: as many as fit into so many floats of a
# decoder. More of them tighten the bound, and take the longer the wider the rows.
FEWEST_DRAWS, MOST_DRAWS, ROW_FLOATS = 64, 256, 2**20
# A pilot's draws; more of them are surer, and thrown away. K for each unit of the relative variance
# of its weights, and the least K. Nominally the bound is then 1/128 nats loose; since few draws
# miss the tails of the weights it was 0.005 nats on a VAE of a table of three columns (mean K 75 in
# place of 256), and 0.05 on one of 8 x 8 digits, as with 256 draws for every row.
PILOT_DRAWS, DRAWS_PER_VARIANCE, LEAST_DRAWS = 32, 64, 32
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


def remembered(rows: np.ndarray, model: LatentModel) -> LatentModel:
    """The same model for these rows (n, D), whose proposals are worked out here, once for equal
    rows, and looked up from then on."""
    distinct = np.unique(rows, axis=0)
    place = {row.tobytes(): i for i, row in enumerate(distinct)}
    size = max(1, CHUNK_FLOATS // (model.floats_per_draw * 4 * REFINING_DRAWS))
    with torch.no_grad():
        parts = [model.propose(x.to(model.device)) for x in torch.as_tensor(distinct).split(size)]
    mean, log_sd = (torch.cat(part) for part in zip(*parts, strict=True))

    def found(x: Tensor) -> tuple[Tensor, Tensor]:
        which = [place[row.tobytes()] for row in x.cpu().numpy()]
        return mean[which], log_sd[which]

    return replace(model, propose=found)


def default_draws(floats_per_draw: int) -> int:
    """K for a decoder of this width (see ``importance_bound``): fewer the wider."""
    return max(FEWEST_DRAWS, min(MOST_DRAWS, ROW_FLOATS // floats_per_draw))


def log_prior_ratio(z: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
    """(...) log p(z) - log q(z) for z (..., Z), with p = N(0, I) and q = N(mean, exp(log_sd)^2)."""
    noise = (z - mean) * torch.exp(-log_sd)
    return (0.5 * (noise.square() - z.square()) + log_sd).sum(dim=-1)


def importance_bound(
    rows: np.ndarray,
    model: LatentModel,
    *,
    K: int | np.ndarray,
    seed: int,
    estimator: str = "iwae",
    positions: np.ndarray | None = None,
) -> Bound:
    """A lower bound on log p(x) for each of the rows (n, D), by ``"iwae"`` or ``"elbo"``.

    Args:
        K: draws, at least 2: of every row, or (n,) of each.
        positions: (n,) by which a row's noise is named; None: 0, 1, ..
    """
    return _gathered(
        [
            (here, summarised(log_w, from_prior, estimator))
            for here, from_prior, log_w in _grouped(rows, model, K, seed, estimator, positions)
        ],
        len(rows),
    )


def importance_each(
    rows: np.ndarray,
    model: LatentModel,
    *,
    K: int | np.ndarray,
    seed: int,
    estimator: str = "iwae",
    positions: np.ndarray | None = None,
) -> np.ndarray:
    """(n, M) lower bounds on M log masses of each row, all from the same draws.

    The arguments are those of ``importance_bound``, but that ``model.log_likelihood`` gives
    (K, B, M). Errors that the M bounds of a row share cancel in their differences.
    """
    values: np.ndarray | None = None
    for here, from_prior, log_w in _grouped(rows, model, K, seed, estimator, positions):
        k, n, M = log_w.shape
        found = summarised(log_w.reshape(k, n * M), from_prior, estimator)
        values = np.empty((len(rows), M)) if values is None else values
        values[here] = found.value.reshape(n, M)
    assert values is not None  # there are rows
    return values


def pilot(rows: np.ndarray, model: LatentModel, *, K: int, seed: int) -> np.ndarray:
    """(n,) relative variance of the weights of each row, by K draws that count for nothing else.

    Their noise is named by the seed and the row's codes, so that equal rows have the same pilot,
    which is run once.
    """
    distinct, which = np.unique(rows, axis=0, return_inverse=True)
    at = np.zeros(len(distinct), dtype=np.int64)
    found = importance_bound(distinct, model, K=K, seed=derive(seed, "pilot"), positions=at)
    return (K / found.ess - 1)[which.reshape(-1)]


def draws_for(variance: np.ndarray, most: int) -> np.ndarray:
    """(n,) K for rows whose weights have these relative variances (n,): powers of two, so that
    chunks are few, and at most ``most``.

    >>> draws_for(np.array([0.0, 1.0, 2.5, 40.0]), most=200).tolist()
    [32, 64, 200, 200]
    """
    wanted = np.maximum(DRAWS_PER_VARIANCE * variance, LEAST_DRAWS)
    return np.minimum(2 ** np.ceil(np.log2(wanted)), most).astype(np.int64)


@torch.no_grad()
def posterior_draws(
    rows: np.ndarray,
    model: LatentModel,
    *,
    K: int,
    seed: int,
    positions: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """A draw of z for each row, near p(z | row), by importance resampling: one of K draws from the
    proposal, chosen by its weight. The arguments are those of ``importance_bound``.

    Returns:
        z (n, Z) and the effective number of draws (n,) that each was chosen from.
    """
    from_prior, ess = prior_draws(K), np.empty(len(rows))
    positions = np.arange(len(rows)) if positions is None else positions
    chosen = []
    for here, z, log_w in _weighed(rows, model, from_prior, seed, positions):
        ess[here] = summarised(log_w, from_prior.numpy()).ess
        best = [
            int(gumbel_argmax(own, numpy_rng(seed, "resample", int(at))))
            for own, at in zip(log_w.T, positions[here], strict=True)
        ]
        chosen.append(z[best, torch.arange(len(best))].cpu().numpy())
    return np.concatenate(chosen), ess


def prior_draws(K: int) -> Tensor:
    """(K,) which of K draws come from the prior: none where K is small."""
    from_prior = torch.arange(1, K + 1) % PRIOR_EVERY == 0
    return from_prior & (K >= 2 * PRIOR_EVERY)


@torch.no_grad()
def _grouped(
    rows: np.ndarray,
    model: LatentModel,
    K: int | np.ndarray,
    seed: int,
    estimator: str,
    positions: np.ndarray | None,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Chunks of rows with as many draws each: their indices (B,), which of the k draws are from the
    prior (k,), and log weights (k, B) or, for each of M masses, (k, B, M)."""
    each = np.broadcast_to(K, len(rows))
    positions = np.arange(len(rows)) if positions is None else positions
    for k in np.unique(each).tolist():
        group = np.flatnonzero(each == k)
        none = torch.zeros(k, dtype=torch.bool)
        from_prior = prior_draws(k) if estimator == "iwae" else none
        for here, _, log_w in _weighed(rows[group], model, from_prior, seed, positions[group]):
            yield group[here], from_prior.numpy(), log_w


def _gathered(parts: list[tuple[np.ndarray, Bound]], n: int) -> Bound:
    """One bound of n rows from those of the rows with these indices."""
    value, stderr, ess = np.empty(n), np.empty(n), np.empty(n)
    for here, found in parts:
        value[here], stderr[here], ess[here] = found.value, found.stderr, found.ess
    return Bound(value, stderr, ess, max(found.K for _, found in parts))


def _weighed(
    rows: np.ndarray, model: LatentModel, from_prior: Tensor, seed: int, positions: np.ndarray
) -> Iterator[tuple[slice, Tensor, np.ndarray]]:
    """For each chunk of rows: where it lies, draws z (K, B, Z), and log weights (K, B), or
    (K, B, M) where the likelihood is of M masses."""
    K, pairs = len(from_prior), max(1, CHUNK_FLOATS // model.floats_per_draw)
    B = max(1, pairs // K)
    for first in range(0, len(rows), B):
        chunk = rows[first : first + B]
        x = torch.as_tensor(chunk).to(model.device)
        mean, log_sd = model.propose(x)  # (B, Z)
        at = positions[first : first + B]
        noise = _noise(chunk, at, K, mean.shape[-1], seed).to(mean)  # (K, B, Z)
        z = mean + torch.exp(log_sd) * noise
        if from_prior.any():
            z[from_prior] = noise[from_prior]
        log_ratio = -log_mixture(log_prior_ratio(z, mean, log_sd).double(), from_prior)
        log_p = torch.cat([model.log_likelihood(part, x) for part in z.split(pairs)])
        log_ratio = log_ratio.reshape(log_ratio.shape + (1,) * (log_p.dim() - 2))
        yield slice(first, first + len(x)), z, (log_p.double() + log_ratio).cpu().numpy()


def log_mixture(log_ratio: Tensor, from_prior: Tensor) -> Tensor:
    """log of (q's share of the draws * q(z) + the prior's share * p(z)) / p(z)."""
    share = float(from_prior.double().mean())
    if share == 0.0:
        return -log_ratio
    prior = torch.full_like(log_ratio, math.log(share))
    return torch.logaddexp(math.log1p(-share) - log_ratio, prior)


def _noise(rows: np.ndarray, positions: np.ndarray, K: int, Z: int, seed: int) -> Tensor:
    """(K, B, Z) standard normal; a row's first draws are the same for every K."""
    noise = np.empty((len(rows), K, Z), dtype=np.float32)
    for own, row, at in zip(noise, rows, positions.tolist(), strict=True):
        rng = numpy_rng(seed, "importance", at, row.tobytes().hex())
        rng.standard_normal(out=own, dtype=np.float32)
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
