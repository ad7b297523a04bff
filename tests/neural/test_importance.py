"""Importance bounds against quadrature, enumeration and a linear-Gaussian model.

Statistical tests here have fixed seeds; at 4.5 standard errors a fresh seed would fail one of them
less than once in 10,000 runs.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from torch import Tensor

from genzoo.models.neural.importance import (
    PILOT_DRAWS,
    Bound,
    LatentModel,
    default_draws,
    draws_for,
    importance_bound,
    importance_each,
    log_prior_ratio,
    pilot,
    remembered,
)

SIGMAS = 4.5
BITS, Z = 8, 2
ROWS = np.array([[(i >> d) & 1 for d in range(BITS)] for i in range(2**BITS)])


def loadings() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(Z, BITS, generator=generator), torch.randn(BITS, generator=generator)


def log_likelihood(z: Tensor, x: Tensor) -> Tensor:
    """Bernoulli bits, their logits linear in z."""
    weight, bias = loadings()
    sign = 2.0 * x - 1.0
    return torch.nn.functional.logsigmoid(sign * (z @ weight + bias)).sum(dim=-1)


def propose(x: Tensor) -> tuple[Tensor, Tensor]:
    """A rough Gaussian, in the right direction."""
    weight, _ = loadings()
    mean = 0.3 * (2.0 * x - 1.0) @ weight.T
    return mean, torch.full_like(mean, -0.3)


def exact() -> np.ndarray:
    """(2**BITS,) log p(x) by Gauss-Hermite quadrature over both latents."""
    node, share = np.polynomial.hermite_e.hermegauss(60)
    z = np.stack(np.meshgrid(node, node), axis=-1).reshape(-1, 1, Z)
    weight = np.log(np.outer(share, share) / (2 * np.pi)).reshape(-1, 1)
    log_p = log_likelihood(torch.as_tensor(z, dtype=torch.float32), torch.as_tensor(ROWS))
    return logsumexp(log_p.double().numpy() + weight, axis=0)


def bound(rows: np.ndarray = ROWS, **options) -> Bound:
    width = options.pop("width", BITS)
    settings = {"K": 64, "seed": 0, **options}
    return importance_bound(rows, LatentModel(propose, log_likelihood, width), **settings)


def test_quadrature_itself_sums_to_one():
    assert logsumexp(exact()) == pytest.approx(0, abs=1e-5)


def test_the_masses_of_all_rows_sum_to_at_most_one():
    for K in (2, 10, 64):
        found = bound(K=K)
        mass = np.exp(found.value)
        error = np.sqrt(np.sum((mass * found.stderr) ** 2))
        assert mass.sum() <= 1 + SIGMAS * error
    assert mass.sum() >= 0.9
    lp = found.log_prob("iwae")
    assert (lp.kind, lp.estimator) == ("lower_bound", "iwae")
    assert (lp.ess == found.ess).all()


def test_the_mean_weight_is_unbiased_and_the_stated_error_honest():
    truth = exact()
    seeds = [bound(seed=s, K=256) for s in range(30)]
    masses = np.exp(np.stack([b.value for b in seeds]) - truth)  # (30, n), each of mean 1
    error = masses.std(axis=0, ddof=1) / np.sqrt(len(seeds))
    z = (masses.mean(axis=0) - 1) / error
    assert abs(z.sum() / np.sqrt(len(z))) < SIGMAS  # rows have noise of their own
    spread = np.stack([b.value for b in seeds]).std(axis=0, ddof=1)
    stated = np.sqrt(np.mean([b.stderr**2 for b in seeds], axis=0))
    assert 0.8 < np.median(spread / stated) < 1.25


def test_the_bound_tightens_with_more_draws_towards_the_truth():
    truth = exact()
    gaps = []
    for K in (2, 20, 200, 2000):
        values = np.stack([bound(K=K, seed=s).value for s in range(4)]) - truth
        gaps.append(values.mean())
    assert np.all(np.diff(gaps) > 0)
    assert gaps[0] < -0.05
    assert gaps[-1] == pytest.approx(0, abs=0.005)
    elbo = (bound(K=2000, estimator="elbo").value - truth).mean()
    assert elbo < gaps[0]


def test_linear_gaussian_model_whose_exact_value_is_known():
    """x stands for real numbers here: the estimator does not care what p(x | z) is."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    noise = 0.5
    rows = np.random.default_rng(0).integers(-3, 4, (20, 5))
    cov = torch.linalg.inv(torch.eye(3, dtype=torch.float64) + weight @ weight.T / noise**2)

    def gaussian(z: Tensor, x: Tensor) -> Tensor:
        distance = ((x - z.double() @ weight) / noise).square().sum(dim=-1)
        return -0.5 * distance - 5 * np.log(noise * np.sqrt(2 * np.pi))

    truth = multivariate_normal(np.zeros(5), (weight.T @ weight).numpy() + noise**2 * np.eye(5))

    def inflated(x: Tensor) -> tuple[Tensor, Tensor]:
        mean = x.double() @ weight.T @ cov / noise**2
        return mean, (1.2 * cov.diagonal().sqrt()).log().expand(len(x), 3)

    wide = importance_bound(rows, LatentModel(inflated, gaussian, 5), K=4000, seed=0)
    gap = (wide.value - truth.logpdf(rows)) / wide.stderr
    assert np.abs(gap).max() < SIGMAS
    assert wide.stderr.max() < 0.1


def test_an_exact_proposal_needs_two_draws():
    def shifted(z: Tensor, x: Tensor) -> Tensor:
        """p(z) p(x | z) = p(x) N(z; mean, sd) with p(x) = 1 / 8."""
        return -log_prior_ratio(z, *posterior(x)) - np.log(8)

    def posterior(x: Tensor) -> tuple[Tensor, Tensor]:
        mean = x[:, :2].float()
        return mean, torch.full_like(mean, -1.0)

    for estimator in ("iwae", "elbo"):
        model = LatentModel(posterior, shifted, 8)
        found = importance_bound(ROWS, model, K=2, seed=0, estimator=estimator)
        assert found.value == pytest.approx(-np.log(8), abs=1e-5)
        assert found.stderr == pytest.approx(0, abs=1e-5)
        assert found.ess == pytest.approx(2, abs=1e-4)


def test_a_proposal_that_misses_keeps_a_finite_error():
    """Draws from the prior stand in for a Gaussian that is far too narrow."""
    truth = exact()

    def missed(x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.full((len(x), Z), 3.0), torch.full((len(x), Z), -4.0)

    narrow = importance_bound(ROWS, LatentModel(missed, log_likelihood, BITS), K=3200, seed=0)
    assert np.mean(narrow.value - truth) == pytest.approx(0, abs=0.1)
    assert np.all(narrow.ess < 0.1 * narrow.K)


def test_chunks_change_nothing():
    whole, pieces, split = bound(K=64), bound(K=64, width=2**14), bound(K=64, width=2**18)
    for other in (pieces, split):
        assert other.value == pytest.approx(whole.value, abs=1e-5)
        assert other.stderr == pytest.approx(whole.stderr, abs=1e-5)


def test_noise_belongs_to_seed_position_and_codes():
    first = bound(ROWS[:5])
    assert (first.value == bound(ROWS[:9]).value[:5]).all()
    assert (first.value != bound(ROWS[:5], seed=1).value).all()
    twice = bound(ROWS[[7, 7]])
    assert twice.value[0] != twice.value[1]
    # rows scored alone do not share their luck: their errors are not correlated
    alone = np.array([[bound(r[None], seed=s).value[0] for r in ROWS[:6]] for s in range(40)])
    correlation = np.corrcoef(alone.T)[np.triu_indices(6, 1)]
    assert abs(correlation.mean()) < 0.25


def test_memory_is_bounded_by_the_width():
    sizes = []

    def watched(z: Tensor, x: Tensor) -> Tensor:
        sizes.append(z.shape[0] * z.shape[1])
        return log_likelihood(z, x)

    importance_bound(ROWS, LatentModel(propose, watched, 2**16), K=100, seed=0)
    assert max(sizes) <= 64
    assert sum(sizes) == 100 * len(ROWS)


def test_wide_decoders_get_fewer_draws():
    assert default_draws(1) > default_draws(5000) > default_draws(10**9) >= 64


# ------------------------------------------------------------------------- the pilot

MODEL = LatentModel(propose, log_likelihood, BITS)


def piloted(seed: int) -> Bound:
    K = draws_for(pilot(ROWS, MODEL, K=PILOT_DRAWS, seed=seed), most=256)
    return importance_bound(ROWS, MODEL, K=K, seed=seed)


def test_with_draws_set_by_a_pilot_the_mean_weight_is_unbiased_and_the_value_a_bound():
    """Over 40 seeds; a false alarm in fewer than one of 10,000 fresh sets of them."""
    truth = exact()
    gains = np.stack([piloted(seed).value for seed in range(40)]) - truth  # (40, n)
    excess, loss = np.exp(gains).mean(axis=1) - 1, gains.mean(axis=1)  # rows are independent
    assert abs(excess.mean()) < SIGMAS * excess.std(ddof=1) / np.sqrt(len(excess))
    assert loss.mean() < SIGMAS * loss.std(ddof=1) / np.sqrt(len(loss))
    assert loss.mean() > -0.02


def test_stopping_on_the_draws_that_are_scored_would_be_seen():
    """The test above has the power to tell: a row's larger of two values claims too much."""
    truth = exact()
    both = np.stack([np.maximum(piloted(s).value, piloted(s + 1000).value) for s in range(20)])
    excess = np.exp(both - truth).mean(axis=1) - 1
    assert excess.mean() > SIGMAS * excess.std(ddof=1) / np.sqrt(len(excess))


def test_the_pilot_asks_for_draws_where_weights_disagree():
    def shifted(x: Tensor) -> tuple[Tensor, Tensor]:
        """Near the posterior of rows that begin with a 0, far from that of others."""
        mean, log_sd = propose(x)
        return mean + 1.5 * x[:, :1], log_sd

    variance = pilot(ROWS, LatentModel(shifted, log_likelihood, BITS), K=PILOT_DRAWS, seed=0)
    K = draws_for(variance, most=256)
    far = ROWS[:, 0] == 1
    assert np.median(K[far]) > np.median(K[~far])
    assert set(K.tolist()) <= {32, 64, 128, 256}
    assert draws_for(np.zeros(3), most=256).tolist() == [32, 32, 32]


def test_equal_rows_have_one_pilot_and_one_proposal():
    drawn, proposed = [], []

    def watched(z: Tensor, x: Tensor) -> Tensor:
        drawn.append(z.shape[0] * z.shape[1])
        return log_likelihood(z, x)

    def asked(x: Tensor) -> tuple[Tensor, Tensor]:
        proposed.append(len(x))
        return propose(x)

    rows = np.tile(ROWS[:3], (50, 1))
    model = remembered(rows, LatentModel(asked, watched, BITS))
    variance = pilot(rows, model, K=PILOT_DRAWS, seed=0)
    assert (variance == np.tile(variance[:3], 50)).all()
    assert sum(drawn) == 3 * PILOT_DRAWS
    found = importance_bound(rows, model, K=32, seed=0)
    assert sum(proposed) == 3
    assert (found.value == bound(rows, K=32).value).all()
    assert len(np.unique(found.value)) == len(rows)  # what counts is drawn anew


def test_draws_may_differ_from_row_to_row():
    K = np.where(np.arange(len(ROWS)) % 3 == 0, 32, 64)
    found, few, many = bound(K=K), bound(K=32), bound(K=64)
    assert found.value == pytest.approx(np.where(K == 32, few.value, many.value), abs=1e-5)
    assert found.K == 64


def test_several_masses_of_a_row_from_the_same_draws():
    """Those of the first bit's two values sum to what is left of the row without it."""

    def each(z: Tensor, x: Tensor) -> Tensor:
        return torch.stack(
            [log_likelihood(z, torch.cat([torch.full_like(x[:, :1], bit), x[:, 1:]], dim=1))
             for bit in (0, 1)], dim=-1
        )  # fmt: skip

    truth = exact()
    found = importance_each(ROWS, LatentModel(propose, each, BITS), K=3200, seed=0)
    assert found[ROWS[:, 0] == 0, 0] == pytest.approx(truth[ROWS[:, 0] == 0], abs=0.2)
    assert found[ROWS[:, 0] == 1, 1] == pytest.approx(truth[ROWS[:, 0] == 1], abs=0.2)
    assert np.mean(np.exp(found - np.stack([truth, truth], axis=1))[ROWS[:, 0] == 0, 0]) == (
        pytest.approx(1, abs=0.02)
    )
