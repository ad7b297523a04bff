"""Mixtures of products over what rows tell: p(x) = sum_k pi_k prod_d theta_kd[x_d]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
        return np.concatenate([np.empty((0, self.K)), *self.joints(told)])

    def log_prob(self, told: Told, dtype: Any = np.float64) -> np.ndarray:
        """(n,) nats of what each row tells, computed in ``dtype``."""
        return np.concatenate([np.empty(0), *map(_log_sum, self.joints(told, dtype))])

    def log_prob_each(self, told: Told, masses: np.ndarray) -> np.ndarray:
        """(n, m) nats of what each row tells together with each of m events more, which the
        components give ``masses`` (m, K)."""
        parts = [np.empty((0, len(masses)))]
        for joint in self.joints(told):
            top = joint.max(axis=1, keepdims=True)
            parts.append(np.log(np.exp(joint - top) @ masses.T) + top)
        return np.concatenate(parts)

    def joints(
        self, told: Told, dtype: Any = np.float64, multiple: int = 1
    ) -> Iterator[np.ndarray]:
        """``joint``, block by block, of a ``multiple`` of rows each, but for the last."""
        added, constant = told.terms(self.theta)
        added, constant = added.astype(dtype), (constant + self.log_weights).astype(dtype)
        for _, block in told.blocks(self.K, dtype, multiple):
            joint = block @ added
            joint += constant
            yield joint


def _log_sum(joint: np.ndarray) -> np.ndarray:
    """(n,) the log of the sum of exponentials of each row of (n, K), which is overwritten."""
    most = joint.max(axis=1)
    joint -= most[:, None]
    return most + np.log(np.exp(joint, out=joint).sum(axis=1))


def union(mixtures: list[Products]) -> Products:
    """The mixture, in equal parts, of mixtures: their components side by side."""
    return Products(
        np.concatenate([mixture.log_weights for mixture in mixtures]) - np.log(len(mixtures)),
        np.concatenate([mixture.theta for mixture in mixtures], axis=1),
    )
