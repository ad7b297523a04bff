"""The share of false ones among the pairs with a q-value below 5 %, all data sets together, with
models and rows that pairs of a data set share."""

from __future__ import annotations

import numpy as np

from genzoo.results.contender import Result
from genzoo.results.discoveries import discoveries
from genzoo.results.pairs import Pair, pairs
from rates import Rate
from rates.proofs import NOISES, record_of, run_of

PART = "q-values"
WANTED = "at most 5 %, and two Monte Carlo errors"
N_VALID = 10
K, N_SETS = 6, 5


def rates(repeats: int) -> list[Rate]:
    rng = np.random.default_rng(0)
    found = []
    for levels, name in (
        ((0.0,) * 6, "normal"), ((0.0,) * 4 + (0.2, 0.5), "normal"),
        ((0.0,) * 4 + (0.2, 0.5), "heavy tails"), ((0.0,) * 4 + (0.2, 0.5), "skewed"),
        ((0.0, 0.0, 0.3, 0.3, 0.6, 0.6), "normal"),
    ):  # fmt: skip
        shares = [_false_share(rng, levels, name) for _ in range(repeats)]
        said = "/".join(f"{level:g}" for level in levels)
        setting = f"{K} families {said} nats behind on {N_SETS} data sets, {name}"
        error = float(np.std(shares, ddof=1) / np.sqrt(repeats))
        what = "false ones among the pairs below 5 %"
        found.append(Rate(PART, what, setting, repeats, float(np.mean(shares)), error, WANTED))
    return found


def _false_share(rng: np.random.Generator, levels: tuple[float, ...], noise: str) -> float:
    """Of a run: 0 where there is none below 5 %."""
    said: list[tuple[str, Pair]] = []
    for i in range(N_SETS):
        n = int(rng.integers(60, 600))
        test = rng.standard_normal(n) + NOISES[noise](rng, (K, n)) - np.array(levels)[:, None]
        valid = rng.standard_normal((K, N_VALID))
        cells = [Result(record_of(f"m{m}", valid[m], test[m]), test[m]) for m in range(K)]
        said += [(f"d{i}", pair) for pair in pairs(run_of(cells, None), "d")]
    found = [d.pair for d in discoveries(said) if d.found]
    level = {f"m{m}": behind for m, behind in enumerate(levels)}
    false = [p for p in found if _is_false(p, level)]
    return len(false) / max(1, len(found))


def _is_false(pair: Pair, level: dict[str, float]) -> bool:
    """Whether the higher one is no better."""
    assert pair.difference is not None
    a, b = pair.models
    better = level[b] - level[a]  # of the first
    return better == 0 or (better > 0) != (pair.difference.value > 0)
