"""How often a win between two families is false, over all pairs of a data set, by the rule of
``genzoo.results.pairs`` on simulated row scores of families that are equally good."""

from __future__ import annotations

import numpy as np

from genzoo.results.contender import Result
from genzoo.results.pairs import pairs
from rates import Rate, share
from rates.proofs import NOISES, WANTED, record_of, run_of

N_VALID = 10


def rates(repeats: int) -> list[Rate]:
    rng = np.random.default_rng(0)
    found = []
    for k, n, name in (
        (4, 300, "normal"), (8, 300, "normal"), (8, 300, "heavy tails"), (8, 300, "skewed"),
        (8, 60, "normal"),
    ):  # fmt: skip
        hits = [_is_wrong(rng, k, n, name) for _ in range(repeats)]
        setting = f"{k} families, {n} test rows, {name}"
        found.append(share("pairs", "data sets with a false win", setting, hits, WANTED))
    return found


def _is_wrong(rng: np.random.Generator, k: int, n: int, noise: str) -> bool:
    """Whether any of k equally good families is called better than another."""
    test = rng.standard_normal(n) + NOISES[noise](rng, (k, n))
    valid = rng.standard_normal((k, N_VALID))
    cells = [Result(record_of(f"m{m}", valid[m], test[m]), test[m]) for m in range(k)]
    return any(pair.winner is not None for pair in pairs(run_of(cells, None), "d"))
