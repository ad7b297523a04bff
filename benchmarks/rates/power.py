"""How often a difference is shown that the report says would be shown with 80 % power.

A first test set says how many rows would show a true difference of ``LEAST`` (or which difference
its own number of rows could have shown); then a fresh one with just that many rows, and just that
difference, goes through ``genzoo.results.choice``. Of k models one differs from the chosen one; the
others are level with it, so that Holm's first step decides.
"""

from __future__ import annotations

import math

import numpy as np

from genzoo.results.choice import choose_likelihood
from genzoo.results.contender import Result
from genzoo.results.power import Power, power
from genzoo.results.statistics import LEVEL, paired_difference
from rates import Rate, share
from rates.proofs import NOISES, record_of, run_of

PART = "power"
WANTED = "70 to 85 %"
K = 6
LEAST = 0.1  # nats; of 0.01 the same takes a hundred times the rows
SCALE = 0.6  # standard deviation of what is a model's own
SHARED = 2.0  # of what rows have in common
GROUP = 10  # rows


def rates(repeats: int) -> list[Rate]:
    rng = np.random.default_rng(0)
    found = []
    what = "a difference that is shown"
    for noise in NOISES:
        for n_first in (300, 2000):
            hits = [_by_rows(rng, noise, n_first, None) for _ in range(repeats)]
            setting = f"{K} models, {noise}, rows by the spread of {n_first} rows"
            found.append(share(PART, what, setting, hits, WANTED))
    hits = [_by_rows(rng, "normal", 300, GROUP) for _ in range(repeats)]
    setting = f"{K} models, normal, groups of {GROUP} rows, rows by the spread of 300 rows"
    found.append(share(PART, what, setting, hits, WANTED))
    for noise in NOISES:
        hits = [_by_difference(rng, noise, 500) for _ in range(repeats)]
        setting = f"{K} models, {noise}, the difference that 500 rows could have shown"
        found.append(share(PART, what, setting, hits, WANTED))
    return found


def _by_rows(rng: np.random.Generator, noise: str, n_first: int, group: int | None) -> bool:
    said = _said(rng, noise, n_first, group)
    assert said.rows is not None
    n = math.ceil(said.rows / (group or 1)) * (group or 1)
    return _is_shown(rng, noise, n, LEAST, group)


def _by_difference(rng: np.random.Generator, noise: str, n: int) -> bool:
    return _is_shown(rng, noise, n, _said(rng, noise, n, None).shown, None)


def _said(rng: np.random.Generator, noise: str, n: int, group: int | None) -> Power:
    """Of a first test set."""
    test, groups = _scores(rng, noise, n, 0.0, group)
    found = power(paired_difference(test[0], test[1], groups), LEAST, LEVEL / (K - 1))
    assert found is not None
    return found


def _is_shown(
    rng: np.random.Generator, noise: str, n: int, difference: float, group: int | None
) -> bool:
    test, groups = _scores(rng, noise, n, difference, group)
    valid = np.linspace(0.0, -1.0, K)[:, None] + np.zeros((K, 2))  # the first one is chosen
    cells = [
        Result(record_of(f"m{m}", valid[m], test[m]), test[m], groups=groups) for m in range(K)
    ]
    choice = choose_likelihood(run_of(cells, None), "d")
    assert choice is not None
    return next(a for a in choice.against if a.other.model == "m1").differs


def _scores(
    rng: np.random.Generator, noise: str, n: int, difference: float, group: int | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """(K, n) of which the second lies lower by a difference; half of the variance of what is a
    model's own is of the group."""
    own = NOISES[noise](rng, (K, n))
    groups = None
    if group is not None:
        groups = np.arange(n) // group
        own = (own + NOISES[noise](rng, (K, n // group))[:, groups]) / math.sqrt(2)
    test = SHARED * rng.standard_normal(n) + SCALE * own
    test[1] -= difference
    return test, groups
