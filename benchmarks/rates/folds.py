"""Do errors over the rows of all folds hold, although the models of the folds share training rows?

Two models, products of Bernoulli variables, learn from random parts of the training rows of each
fold, so that neither is better but by luck of its rows. What they truly lose to each other, mean
over the folds' fits, is known: the 95 % interval of the paired difference is to hold it.

And is what is chosen proven too often, although rows that choose are test rows of other folds? At
worst, a row says the same in both: equally good models with one score a row.
"""

from __future__ import annotations

import numpy as np

from genzoo.datasets.dataset import split
from genzoo.results.choice import choose_likelihood
from genzoo.results.contender import Result
from genzoo.results.statistics import paired_difference
from rates import Rate, share
from rates.proofs import WANTED, record_of, run_of

K = 5


def rates(repeats: int, seed: int = 0) -> list[Rate]:
    """How often the interval misses the truth."""
    found = []
    for n, D, part in ((100, 5, 1 / 2), (200, 10, 1 / 8), (200, 50, 1 / 2)):
        missed = [misses(np.random.default_rng([seed, i]), n, D, part) for i in range(repeats)]
        setting = f"{K} folds of {n} rows, {D} columns, {part:g} of the training rows each"
        found.append(share("folds", "95 % intervals that miss", setting, missed, "about 5 %"))
    for k in (4, 16):
        wrong = [is_told_apart(np.random.default_rng([seed, i]), 600, k) for i in range(repeats)]
        setting = f"{K} folds of 600 rows, k = {k}"
        found.append(share("folds", "repeats with a false statement", setting, wrong, WANTED))
    return found


def is_told_apart(rng: np.random.Generator, n: int, k: int) -> bool:
    """Whether the rule proves a difference between equally good models."""
    scores = rng.standard_normal(n) + 0.5 * rng.standard_normal((k, n))
    cells = []
    for i in range(K):
        _, valid, test = split(n, valid=0.1, test=1 / K, seed=0, fold=(i, K))
        for m in range(k):
            record = record_of(f"m{m}", scores[m, valid], scores[m, test], fold=i)
            cells.append(Result(record, scores[m, test]))
    choice = choose_likelihood(run_of(cells, K), "d")
    assert choice is not None
    return bool(choice.with_verdict("worse", "better"))


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
