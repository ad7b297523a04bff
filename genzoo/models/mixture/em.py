"""EM in mixtures of products: an iteration of it, and the mixtures that it begins with.

EM climbs the log-likelihood plus log Dirichlet densities (Dempster, Laird & Rubin 1977, section 4):
of theta_kd, drawn with the weight of some rows towards masses that are given, and of pi, drawn
towards uniform with the weight of one row.
"""

from __future__ import annotations

import numpy as np

from genzoo import draws
from genzoo.models.mixture.events import Space, Told
from genzoo.models.mixture.products import Products
from genzoo.space.marginals import smoothed


def step(mixture: Products, told: Told, prior: np.ndarray) -> tuple[Products, float]:
    """One iteration of EM with pseudo-counts (P, K), positive, of the codes.

    Returns:
        The next estimate, and the mean log-likelihood of the present one in nats per row.
    """
    counts, sizes, total = _expected(mixture, told)
    weights = (sizes + 1 / mixture.K) / (sizes.sum() + 1)
    return Products(np.log(weights), told.space.normalised(counts + prior)), total / told.n


def _expected(mixture: Products, told: Told) -> tuple[np.ndarray, np.ndarray, float]:
    """(P, K) codes and (K,) rows that each component has, and the log-likelihood, in nats."""
    added, constant = told.terms(mixture.theta)
    added = added.astype(np.float32)
    constant = (constant + mixture.log_weights).astype(np.float32)
    masses, sizes, total = np.zeros(added.shape), np.zeros(mixture.K), 0.0
    for part, block in told.blocks(mixture.K, np.float32):
        shares = block @ added
        shares += constant
        most = shares.max(axis=1)
        shares -= most[:, None]
        np.exp(shares, out=shares)
        norm = shares.sum(axis=1)
        weights = told.weights[part]
        total += float(weights @ (most.astype(np.float64) + np.log(norm)))
        shares *= (weights / norm).astype(np.float32)[:, None]
        masses += block.T @ shares
        sizes += shares.sum(axis=0, dtype=np.float64)
    return told.expected(masses, sizes, mixture.theta), sizes, total


def single(space: Space, told: Told) -> Products:
    """One product: the smoothed marginals among the entries that are told.

    Where an END is hidden in a hole this is one iteration of EM, from equal masses.
    """
    even = space.normalised(np.ones((space.first[-1], 1)))
    counts, _, _ = _expected(Products(np.zeros(1), even), told)
    parts = np.split(counts[:, 0], space.first[1:-1])
    theta = np.concatenate([smoothed(part, of_two=0.5) for part in parts])
    return Products(np.zeros(1), theta[:, None])


def grow(
    mixture: Products, told: Told, K: int, pull: float, rng: np.random.Generator
) -> tuple[Products, np.ndarray]:
    """A mixture with K components, the new ones split from the present ones.

    A row drawn at random picks its component by responsibility, and a copy of that component is
    pulled towards the row: so what has many rows is split most. Growing a single product is
    seeding with data rows.

    Returns:
        The mixture, and (P, K) what each component was before.
    """
    index = draws.repeated(told.weights, K - mixture.K, rng)
    chosen = Told(
        told.space, told.columns, told.base, told.base_of, told.ones[index], told.weights[index]
    )
    parents = draws.gumbel_argmax(mixture.joint(chosen), rng)
    before, codes = mixture.theta[:, parents], told.codes_of(index)
    known = np.add.reduceat(codes, told.space.first[:-1], axis=0)[told.space.variable] > 0
    pulled = np.where(known, (1 - pull) * before + pull * codes, before)
    everyone = np.concatenate([np.arange(mixture.K), parents])
    parts = np.bincount(everyone, minlength=mixture.K)
    return (
        Products(
            (mixture.log_weights - np.log(parts))[everyone],
            np.concatenate([mixture.theta, pulled], axis=1),
        ),
        mixture.theta[:, everyone],
    )
