"""Do errors over the rows of all folds hold, although the models of the folds share training rows?

Two models, products of Bernoulli variables, learn from random parts of the training rows of each
fold, so that neither is better but by luck of its rows. What they truly lose to each other, mean
over the folds' fits, is known: the 95 % interval of the paired difference is to hold it.
"""

from __future__ import annotations

import numpy as np

from genzoo.benchmark.statistics import paired_difference
from genzoo.datasets.dataset import split
from rates import Rate, share

K = 5


def rates(repeats: int, seed: int = 0) -> list[Rate]:
    """How often the interval misses the truth."""
    found = []
    for n, D, part in ((100, 5, 1 / 2), (200, 10, 1 / 8), (200, 50, 1 / 2)):
        missed = [misses(np.random.default_rng([seed, i]), n, D, part) for i in range(repeats)]
        setting = f"{K} folds of {n} rows, {D} columns, {part:g} of the training rows each"
        found.append(share("folds", "95 % intervals that miss", setting, missed, "about 5 %"))
    return found


def misses(rng: np.random.Generator, n: int, D: int, part: float) -> bool:
    """Whether the interval misses the true difference of the fits."""
    p = rng.beta(1, 1, D)
    rows = (rng.random((n, D)) < p).astype(float)
    scores, truth = np.empty((2, n)), 0.0
    for i in range(K):
        train, _, test = split(n, valid=0.1, test=1 / K, seed=0, fold=(i, K))
        for m in range(2):
            own = rng.choice(train, int(part * len(train)), replace=False)
            q = (rows[own].sum(axis=0) + 0.5) / (len(own) + 1)
            one, zero = np.log(q), np.log1p(-q)
            scores[m, test] = rows[test] @ one + (1 - rows[test]) @ zero
            truth += (1 - 2 * m) * float(p @ one + (1 - p) @ zero) * len(test) / n
    low, high = paired_difference(scores[0], scores[1]).interval()
    return not low <= truth <= high
