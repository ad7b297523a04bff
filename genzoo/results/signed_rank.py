"""How probable it is that one family is better than another on data sets like these, or practically
equal to it: the Bayesian signed-rank test.

The differences d_1, ..., d_n of two families on n data sets are draws of an unknown law with a
Dirichlet process for a prior, whose one pseudo-observation of weight ``PRIOR`` lies at 0. Under the
posterior the law is sum_i w_i delta(d_i) with w ~ Dirichlet(PRIOR, 1, ..., 1) over d_0 = 0 and the
d_i, and the median of d (more precisely of means of two of them) lies to the right, within the rope
or to the left with

    theta_right = sum_ij w_i w_j [d_i + d_j > 2 rope]
    theta_left = sum_ij w_i w_j [d_i + d_j < -2 rope]

and the rest for the rope; on its edge half and half. What is stated is in which share of draws of w
each of the three is the largest.

The unit has to mean the same on all data sets. Nats a row do not, nor do nats per variable, which
depend on how much there is to know of one. The share of the way from ``independent`` to the truth,
or to the best exact value (``genzoo.results.way``), has the same two ends everywhere. The rope is
``choice.SHARE`` of the way to either side: the margin within which a lighter model may take the
place of the chosen one.

Only families with exact values are compared: of a lower bound the law of the differences is not
known, and raising some of them can make the rope likelier at the cost of either side.

Benavoli, Corani, Demsar & Zaffalon (2017), Time for a change: a tutorial for comparing multiple
classifiers through Bayesian analysis, JMLR 18; Benavoli, Mangili, Corani, Zaffalon & Ruggeri
(2014), A Bayesian Wilcoxon signed-rank test based on the Dirichlet process, ICML.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from genzoo.results.choice import SHARE
from genzoo.results.ranks import Compared
from genzoo.seeding import numpy_rng

PRIOR = 0.5  # data sets that the prior is worth; of Benavoli et al. (2017)
DRAWS = 20_000  # of the posterior: its standard error is 0.0035 at most
FEWEST = 5  # data sets: of fewer the prior says more than they do


@dataclass(frozen=True)
class Belief:
    """Of two families: how probable it is that the first is better, that they are practically
    equal, and that the second is better, on data sets like these."""

    models: tuple[str, str]
    better: float
    alike: float
    worse: float

    @property
    def reversed(self) -> Belief:
        """The same, of the second against the first."""
        return Belief((self.models[1], self.models[0]), self.worse, self.alike, self.better)


def beliefs(of: Compared) -> list[Belief]:
    """Every two families with exact values; none of fewer than ``FEWEST`` data sets."""
    if len(of.datasets) < FEWEST:
        return []
    return [
        Belief((a, b), *posterior(of.shares[a] - of.shares[b]))
        for a, b in combinations(of.exact, 2)
    ]


def posterior(
    differences: np.ndarray, rope: float = SHARE, draws: int = DRAWS
) -> tuple[float, float, float]:
    """How probable it is that differences lie to the right of the rope, within it, or to the left.

    Args:
        differences: (n,) one for each data set, finite.
        rope: half its width, in the unit of the differences; above 0.
        draws: of the posterior; always the same ones, so that the answer repeats.

    Raises:
        ValueError: of differences that are none, not finite or not (n,), and of no rope.

    Example:
        >>> from genzoo.results.signed_rank import posterior
        >>> right, within, left = posterior(np.array([0.1, 0.2, 0.15, 0.3, 0.12]))
        >>> right > 0.95, round(right + within + left, 9)
        (True, 1.0)
    """
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 1 or len(d) == 0 or not np.isfinite(d).all():
        raise ValueError(f"posterior: expected (n,) finite differences; got {d.tolist()}")
    if not rope > 0:
        raise ValueError(f"posterior: expected a rope above 0; got {rope}")
    points = np.concatenate([[0.0], d])
    sums = points[:, None] + points[None, :]
    right = np.heaviside(sums - 2 * rope, 0.5)
    left = np.heaviside(-sums - 2 * rope, 0.5)
    rng = numpy_rng(0, "signed rank")
    weights = rng.dirichlet(np.concatenate([[PRIOR], np.ones(len(d))]), draws)  # (draws, n + 1)
    of_right = np.sum(weights @ right * weights, axis=1)
    of_left = np.sum(weights @ left * weights, axis=1)
    largest = np.argmax([of_right, 1 - of_right - of_left, of_left], axis=0)
    found = np.bincount(largest, minlength=3) / draws
    return float(found[0]), float(found[1]), float(found[2])
