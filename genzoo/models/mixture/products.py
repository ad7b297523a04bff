"""Mixtures of products over what rows tell: p(x) = sum_k pi_k prod_d theta_kd[x_d]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from genzoo.models.mixture.events import Told


@dataclass(frozen=True, eq=False)
class Products:
    """A mixture of K products.

    Attributes:
        log_weights: (K,) log pi, in nats.
        theta: (P, K) the mass of each code, variable by variable.

    >>> from genzoo.models.mixture.events import Space
    >>> space = Space(np.array([2]), None, np.array([-1]))
    >>> mixture = Products(np.log([0.5, 0.5]), np.array([[0.9, 0.3], [0.1, 0.7]]))
    >>> np.exp(mixture.log_prob(Told.of(space, np.array([[0], [1]])))).round(3)
    array([0.6, 0.4])
    """

    log_weights: np.ndarray
    theta: np.ndarray

    @property
    def K(self) -> int:
        return len(self.log_weights)

    def joint(self, told: Told) -> np.ndarray:
        """(n, K) nats of a component and what a row tells."""
        return np.concatenate([np.empty((0, self.K)), *self._joints(told)])

    def log_prob(self, told: Told) -> np.ndarray:
        """(n,) nats of what each row tells."""
        parts = [np.logaddexp.reduce(part, axis=1) for part in self._joints(told)]
        return np.concatenate([np.empty(0), *parts])

    def _joints(self, told: Told) -> Iterator[np.ndarray]:
        """``joint``, block by block."""
        added, constant = told.terms(self.theta)
        constant = constant + self.log_weights
        for _, block in told.blocks(self.K, np.float64):
            yield block @ added + constant


def union(mixtures: list[Products]) -> Products:
    """The mixture, in equal parts, of mixtures: their components side by side."""
    return Products(
        np.concatenate([mixture.log_weights for mixture in mixtures]) - np.log(len(mixtures)),
        np.concatenate([mixture.theta for mixture in mixtures], axis=1),
    )
