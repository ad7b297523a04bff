"""Annealed importance sampling against exact values: quadrature, and a linear-Gaussian toy.

The decoder has two latents and twelve bits; log p(x) is known by quadrature on a fine grid. The
tests of means allow 5 standard errors: a false alarm in fewer than one of 10^6.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch

from genzoo.models.neural.annealing import Annealing, annealed_bound, reverse_bound
from genzoo.models.neural.importance import LatentModel, importance_bound, posterior_draws, refined

D, Z = 12, 2
WEIGHTS = torch.tensor(np.random.default_rng(3).normal(size=(Z, D)) * 1.5, dtype=torch.float32)


def log_likelihood(z, x):
    logits = z @ WEIGHTS
    return -torch.nn.functional.softplus(torch.where(x == 1, -logits, logits)).sum(dim=-1)


def at_the_prior(x):
    return torch.zeros(len(x), Z), torch.zeros(len(x), Z)


def near_the_posterior(x):
    mean = 0.15 * (2.0 * x - 1) @ WEIGHTS.T
    return mean, torch.full_like(mean, math.log(0.5))


def exact(rows):
    grid = torch.linspace(-7, 7, 561, dtype=torch.float64)
    z = torch.cartesian_prod(grid, grid)
    cell = 2 * math.log(float(grid[1] - grid[0]))
    log_prior = -0.5 * z.square().sum(-1) - math.log(2 * math.pi)
    logits = z @ WEIGHTS.double()
    of_zeros = log_prior + cell - torch.nn.functional.softplus(logits).sum(-1)  # all bits are 0
    ones = torch.as_tensor(rows).double()
    return np.array([float((of_zeros + logits @ row).logsumexp(0)) for row in ones])


def drawn(n, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, Z)).astype(np.float32)
    p = torch.sigmoid(torch.as_tensor(z) @ WEIGHTS).numpy()
    return (rng.random((n, D)) < p).astype(np.int64), z


ROWS, LATENTS = drawn(60)
FROM_THE_PRIOR = LatentModel(at_the_prior, log_likelihood, 4 * D)
NEAR = LatentModel(near_the_posterior, log_likelihood, 4 * D)


@cache
def exact_of_rows():
    return exact(ROWS)


def test_the_annealed_bound_is_near_the_exact_value_and_below_it_in_expectation():
    truth = exact_of_rows()
    bound = annealed_bound(ROWS, NEAR, annealing=Annealing(50, 16), seed=1)
    gap = truth - bound.value
    error = gap.std(ddof=1) / math.sqrt(len(gap))
    assert abs(gap.mean()) < 0.02 + 5 * error
    assert error < 0.02
    excess = np.exp(bound.value - truth)  # its expectation is one
    assert abs(excess.mean() - 1) < 5 * excess.std(ddof=1) / math.sqrt(len(excess))


def test_more_temperatures_tighten_from_the_prior():
    truth = exact_of_rows()
    gaps = [
        (
            truth - annealed_bound(ROWS, NEAR, annealing=Annealing(T, 8, "prior"), seed=1).value
        ).mean()
        for T in (1, 8, 64)
    ]
    assert gaps[0] > gaps[1] > gaps[2] - 0.02
    assert abs(gaps[2]) < 0.03


def test_few_temperatures_are_still_a_bound():
    # increments taken after the move would show here: with T = 2 they claim far too much
    rows = np.array([[(i >> d) & 1 for d in range(6)] + [0] * 6 for i in range(64)])
    total = np.exp(exact(rows)).sum()
    for T in (1, 2, 5):
        values = []
        for seed in range(6):
            found = annealed_bound(
                rows,
                FROM_THE_PRIOR,
                annealing=Annealing(T, 64, "prior"),
                seed=seed,
            )
            values.append(np.exp(found.value).sum())
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        assert abs(np.mean(values) - total) < 5 * error + 1e-3


def test_the_reverse_bound_is_above_and_the_two_enclose_the_exact_value():
    truth = exact_of_rows()
    for annealing in (Annealing(4, 4, "prior"), Annealing(40, 8)):
        lower = annealed_bound(ROWS, NEAR, annealing=annealing, seed=1)
        upper = reverse_bound(ROWS, LATENTS, NEAR, annealing=annealing, seed=1)
        error = np.std(upper.value - lower.value, ddof=1) / math.sqrt(len(ROWS))
        assert lower.value.mean() <= truth.mean() + 5 * error
        assert upper.value.mean() >= truth.mean() - 5 * error
    assert upper.value.mean() - lower.value.mean() < 0.1


def test_stated_errors_are_honest():
    # over 30 seeds the spread of a row's value is within a factor of two of the stated error
    rows = ROWS[:20]
    found = [
        annealed_bound(
            rows,
            FROM_THE_PRIOR,
            annealing=Annealing(5, 16, "prior"),
            seed=seed,
        )
        for seed in range(30)
    ]
    spread = np.std([f.value for f in found], axis=0, ddof=1)
    stated = np.sqrt(np.mean([f.stderr**2 for f in found], axis=0))
    assert 0.5 < np.median(spread / stated) < 1.9


def test_rows_have_noise_of_their_own_and_chunks_change_nothing():
    few = annealed_bound(ROWS[:5], FROM_THE_PRIOR, annealing=Annealing(5, 4), seed=1)
    wide = LatentModel(at_the_prior, log_likelihood, 2**20)  # a row a chunk
    chunked = annealed_bound(ROWS[:5], wide, annealing=Annealing(5, 4), seed=1)
    np.testing.assert_allclose(few.value, chunked.value, atol=1e-4)
    twice = annealed_bound(
        np.repeat(ROWS[:1], 2, axis=0), FROM_THE_PRIOR, annealing=Annealing(5, 4), seed=1
    )
    assert twice.value[0] != twice.value[1]


def test_a_refined_proposal_has_more_effective_draws():
    plain = importance_bound(ROWS, FROM_THE_PRIOR, K=256, seed=1)
    model = LatentModel(refined(at_the_prior, log_likelihood), log_likelihood, 4 * D)
    better = importance_bound(ROWS, model, K=256, seed=1)
    assert np.median(better.ess) > 2 * np.median(plain.ess)
    gap = exact_of_rows() - better.value
    assert abs(gap.mean()) < 0.02


def test_posterior_draws_follow_the_posterior():
    n = 4000
    z, ess = posterior_draws(np.repeat(ROWS[:1], n, axis=0), NEAR, K=64, seed=1)
    grid = torch.linspace(-7, 7, 281)
    points = torch.cartesian_prod(grid, grid)
    x = torch.as_tensor(ROWS[:1]).expand(len(points), D)
    mass = (log_likelihood(points, x) - 0.5 * points.square().sum(-1)).softmax(0)
    mean = (mass.unsqueeze(-1) * points).sum(0).numpy()
    sd = np.sqrt((mass.unsqueeze(-1) * points.square()).sum(0).numpy() - mean**2)
    assert (ess >= 1).all()
    # resampling from 64 draws leaves a bias of a few per cent of a standard deviation
    assert (np.abs(z.mean(0) - mean) < 5 * sd / math.sqrt(n) + 0.05 * sd).all()
    np.testing.assert_allclose(z.std(0), sd, rtol=0.1)


@pytest.mark.parametrize("noise", [0.1, 0.03])
def test_a_linear_gaussian_model_is_recovered_from_an_inflated_encoder(noise):
    # 64 variables, 8 latents: the exact density is Gaussian
    rng = np.random.default_rng(5)
    A = rng.normal(size=(64, 8)) / math.sqrt(8)
    x = rng.normal(size=(30, 8)) @ A.T + noise * rng.normal(size=(30, 64))
    covariance = A @ A.T + noise**2 * np.eye(64)
    _, log_det = np.linalg.slogdet(covariance)
    quadratic = np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
    truth = -0.5 * (quadratic + log_det + 64 * math.log(2 * math.pi))
    posterior = np.linalg.inv(np.eye(8) + A.T @ A / noise**2)
    means = torch.as_tensor(x @ A @ posterior / noise**2, dtype=torch.float32)
    log_sd = torch.as_tensor(0.5 * np.log(np.diag(posterior)), dtype=torch.float32)
    values, loadings = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(A).float()

    # rows are names of the real vectors
    def likelihood(z, rows):
        residual = (values[rows[:, 0]] - z @ loadings.T) / noise
        constant = 64 * (math.log(noise) + 0.5 * math.log(2 * math.pi))
        return -0.5 * residual.square().sum(-1) - constant

    def encoder(rows):
        return means[rows[:, 0]], log_sd.expand(len(rows), 8) + 0.3

    bound = annealed_bound(
        np.arange(30)[:, None],
        LatentModel(encoder, likelihood, 256),
        annealing=Annealing(100, 8),
        seed=0,
    )
    gap = bound.value - truth
    assert -0.1 < gap.mean() < 5 * gap.std(ddof=1) / math.sqrt(30) + 0.01


def test_short_runs_are_kept_where_the_pilot_agrees_and_are_a_bound_as_well():
    gradients = 0

    def counted(z, x):
        nonlocal gradients
        gradients += z.shape[0] * z.shape[1]
        return log_likelihood(z, x)

    truth, spent = exact_of_rows(), {}
    for try_short in (False, True):
        gradients, found = 0, []
        for seed in range(2):
            model = LatentModel(near_the_posterior, counted, 4 * D)
            how = Annealing(60, 4)
            found.append(
                annealed_bound(ROWS, model, annealing=how, seed=seed, try_short=try_short).value
            )
        spent[try_short] = gradients
        excess = np.exp(np.stack(found) - truth)  # its expectation is one
        assert abs(excess.mean() - 1) < 5 * excess.std(ddof=1) / math.sqrt(excess.size)
    assert spent[True] < 0.75 * spent[False]


def test_no_short_run_is_kept_where_chains_disagree():
    far = LatentModel(lambda x: (torch.full((len(x), Z), 6.0), torch.full((len(x), Z), -3.0)),
                      log_likelihood, 4 * D)  # fmt: skip
    long = annealed_bound(ROWS[:5], far, annealing=Annealing(40, 4), seed=1)
    tried = annealed_bound(ROWS[:5], far, annealing=Annealing(40, 4), seed=1, try_short=True)
    assert (tried.value == long.value).mean() > 0.5
