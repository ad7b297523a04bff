"""EM in mixtures of products: an iteration of it, and the mixtures that it begins with.

EM climbs the log-likelihood plus log Dirichlet densities (Dempster, Laird & Rubin 1977, section 4):
of theta_kd, drawn with the weight of some rows towards masses that are given, and of pi, drawn
towards uniform with the weight of one row.

Neal & Hinton (1998), A view of the EM algorithm that justifies incremental, sparse, and other
variants, in Learning in Graphical Models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from genzoo import draws
from genzoo.models.mixture.events import Space, Told
from genzoo.models.mixture.products import Products
from genzoo.space.marginals import smoothed_all

# Rows to a group, and the share of a row, against the component that has most of it, below which a
# component is not looked at for it: on 18,000 rows of 64 bits, 1,024 components, three a row are
# above it and hold 99.9 % of it; 42 of a group of 32 and 77 of one of 64.
GROUP = 32
NEGLIGIBLE = 1e-3


@dataclass(frozen=True, eq=False)
class Near:
    """Rows, each beside others like it, and the components that they may come from.

    Of thousands of components a row has but a few to speak of, and rows that are alike have the
    same ones. An E-step over these alone is one of Neal & Hinton's sparse ones: EM goes on climbing
    a bound on the likelihood, which lies below it by what the other components have.

    Attributes:
        told: the rows, in groups of ``GROUP``.
        components: of each group, in ascending order.
    """

    told: Told
    components: list[np.ndarray]

    @classmethod
    def of(cls, mixture: Products, told: Told, parents: np.ndarray) -> Near:
        """Those that are split from a component of ``mixture`` that a row of the group has.

        Args:
            parents: (K,) the component of ``mixture`` from which each was split.
        """
        likeliest = [joint.argmax(axis=1) for joint in mixture.joints(told, np.float32)]
        alike = told.some(np.argsort(np.concatenate(likeliest), kind="stable"))
        components: list[np.ndarray] = []
        for joint in mixture.joints(alike, np.float32, multiple=GROUP):
            joint -= joint.max(axis=1, keepdims=True)
            most = np.maximum.reduceat(joint, np.arange(0, len(joint), GROUP), axis=0)
            for held in most > np.log(NEGLIGIBLE):
                components.append(np.flatnonzero(held[parents]).astype(np.int32))
        return cls(alike, components)

    @property
    def size(self) -> float:
        """How many components are looked at for a group, on average."""
        return sum(map(len, self.components)) / len(self.components)


def step(
    mixture: Products, told: Told, prior: np.ndarray, near: Near | None = None
) -> tuple[Products, float]:
    """One iteration of EM with pseudo-counts (P, K), positive, of the codes.

    Args:
        near: of the same rows; None looks at all components for each row.

    Returns:
        The next estimate, and the mean log-likelihood of the present one in nats per row, over the
        components that were looked at.
    """
    counts, sizes, total = _expected(mixture, told, near)
    weights = (sizes + 1 / mixture.K) / (sizes.sum() + 1)
    return Products(np.log(weights), told.space.normalised(counts + prior)), total / told.n


def _expected(
    mixture: Products, told: Told, near: Near | None = None
) -> tuple[np.ndarray, np.ndarray, float]:
    """(P, K) codes and (K,) rows that each component has, and the log-likelihood, in nats."""
    told = told if near is None else near.told
    added, constant = told.terms(mixture.theta)
    added = np.ascontiguousarray(added.T, dtype=np.float32)  # (K, E)
    constant = (constant + mixture.log_weights).astype(np.float32)
    masses, sizes, total = np.zeros(added.shape), np.zeros(mixture.K), 0.0
    for part, block, some in _groups(told, mixture.K, near):
        shares = block @ added[some].T
        shares += constant[some]
        most = shares.max(axis=1)
        shares -= most[:, None]
        np.exp(shares, out=shares)
        norm = shares.sum(axis=1)
        weights = told.weights[part]
        total += float(weights @ (most.astype(np.float64) + np.log(norm)))
        shares *= (weights / norm).astype(np.float32)[:, None]
        masses[some] += (block.T @ shares).T
        sizes[some] += shares.sum(axis=0, dtype=np.float64)
    return told.expected(masses.T, sizes, mixture.theta), sizes, total


def _groups(
    told: Told, K: int, near: Near | None
) -> Iterator[tuple[slice, Any, slice | np.ndarray]]:
    """Slices of the rows, their columns, and the components that are looked at for them."""
    if near is None:
        for part, block in told.blocks(K, np.float32):
            yield part, block, slice(None)
        return
    for part, block in told.blocks(1, np.float32, multiple=GROUP):
        for i in range(part.start, part.stop, GROUP):
            within = block[i - part.start : i - part.start + GROUP]
            yield slice(i, min(i + GROUP, part.stop)), within, near.components[i // GROUP]


def single(space: Space, told: Told) -> Products:
    """One product: the smoothed marginals among the entries that are told.

    Where an END is hidden in a hole this is one iteration of EM, from equal masses.
    """
    even = space.normalised(np.ones((space.first[-1], 1)))
    counts, _, _ = _expected(Products(np.zeros(1), even), told)
    parts = np.split(counts[:, 0], space.first[1:-1])
    theta = np.concatenate(smoothed_all(parts, [None] * len(parts), of_two=0.5))
    return Products(np.zeros(1), theta[:, None])


def grow(
    mixture: Products, told: Told, K: int, pull: float, rng: np.random.Generator
) -> tuple[Products, np.ndarray]:
    """A mixture with K components, the new ones split from the present ones.

    A row drawn at random picks its component by responsibility, and a copy of that component is
    pulled towards the row: so what has many rows is split most. Growing a single product is
    seeding with data rows.

    Returns:
        The mixture, and (K,) the component from which each was split.
    """
    index = draws.repeated(told.weights, K - mixture.K, rng)
    # block by block: as many rows as components are a table that is square in them
    picked = [draws.gumbel_argmax(joint, rng) for joint in mixture.joints(told.some(index))]
    parents = np.concatenate(picked)
    before, codes = mixture.theta[:, parents], told.codes_of(index)
    known = np.add.reduceat(codes, told.space.first[:-1], axis=0)[told.space.variable] > 0
    pulled = np.where(known, (1 - pull) * before + pull * codes, before)
    everyone = np.concatenate([np.arange(mixture.K), parents])
    parts = np.bincount(everyone, minlength=mixture.K)
    theta = np.concatenate([mixture.theta, pulled], axis=1)
    return Products((mixture.log_weights - np.log(parts))[everyone], theta), everyone
