"""What is said over data sets, where families are equally good: ranks, pairs told apart, wins of
bounds, and the probabilities of the Bayesian signed-rank test.

On a data set each family's share of the way is a level of the data set and a draw of its own, whose
size differs from data set to data set. Draws of equal families are exchangeable, so that the laws
of their differences are symmetric, however skewed the draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genzoo.results.ranks import Compared, ranks
from genzoo.results.signed_rank import beliefs
from genzoo.results.statistics import LEVEL
from rates import Rate, share
from rates.proofs import NOISES, WANTED

PART, BELIEFS = "ranks", "signed rank"
SURE = 0.95
BETTER = 0.5  # of the way: how much two of the families are better than the others


@dataclass(frozen=True)
class Setting:
    """k families with exact values, of which the first ``better`` are better than the others, and
    some with bounds whose true values are level with those; ``spread`` is of their draws, in shares
    of the way."""

    k: int
    n: int
    noise: str = "normal"
    better: int = 0
    n_bounds: int = 0
    spread: float = 0.1

    @property
    def words(self) -> str:
        parts = [f"{self.k} families", f"{self.n} data sets", self.noise]
        parts += [f"{self.better} of them better"] if self.better else []
        parts += [f"{self.n_bounds} with bounds"] if self.n_bounds else []
        parts += [f"spread {self.spread:g}"] if self.spread != 0.1 else []
        return ", ".join(parts)


OF_RANKS = (
    Setting(4, 6), Setting(5, 9), Setting(5, 20), Setting(5, 20, "heavy tails"),
    Setting(5, 20, "skewed"), Setting(5, 20, better=2), Setting(8, 20), Setting(5, 9, n_bounds=2),
    Setting(5, 20, n_bounds=2),
)  # fmt: skip
OF_BELIEFS = (
    Setting(2, 5), Setting(2, 9), Setting(2, 20), Setting(2, 9, "heavy tails"),
    Setting(2, 9, "skewed"), Setting(2, 9, spread=0.01), Setting(5, 9),
)  # fmt: skip


def rates(repeats: int) -> list[Rate]:
    rng = np.random.default_rng(0)
    found = []
    for setting in OF_RANKS:
        said = [_wrong(draw(rng, setting), setting) for _ in range(repeats)]
        of_pairs, of_bounds, of_friedman = zip(*said, strict=True)
        if setting.n_bounds:
            what = "a bound called better that is not"
            found.append(share(PART, what, setting.words, of_bounds, WANTED))
        else:
            what = "a pair told apart that is not"
            found.append(share(PART, what, setting.words, of_pairs, WANTED))
            if not setting.better:
                what = "Friedman's test below 5 %"
                found.append(share(PART, what, setting.words, of_friedman, WANTED))
    for setting in OF_BELIEFS:
        sure = [_is_sure(draw(rng, setting)) for _ in range(repeats)]
        what = f"P of a side above {SURE:g}" + (
            ", of any pair with the first" if setting.k > 2 else ""
        )
        found.append(share(BELIEFS, what, setting.words, sure, ""))
    return found


def draw(rng: np.random.Generator, setting: Setting) -> Compared:
    total = setting.k + setting.n_bounds
    own = NOISES[setting.noise](rng, (total, setting.n))
    size = setting.spread * np.exp(rng.standard_normal(setting.n))
    shares = 0.8 + 0.1 * rng.standard_normal(setting.n) + size * own
    shares[: setting.better] += BETTER
    shares[setting.k :] -= rng.exponential(
        0.05, (setting.n_bounds, setting.n)
    )  # how loose they are
    named = {f"m{i}": row for i, row in enumerate(shares)}
    exact = {name: named[name] for name in list(named)[: setting.k]}
    bounds = {name: named[name] for name in list(named)[setting.k :]}
    return Compared([f"d{i}" for i in range(setting.n)], exact, bounds, named, {}, {})


def _wrong(of: Compared, setting: Setting) -> tuple[bool, bool, bool]:
    """Whether any pair is told apart that is not, any bound called better that is not, and whether
    families are said not to rank alike."""
    said = ranks(of)
    assert said is not None
    better = [f"m{i}" for i in range(setting.better)]
    wrong = any(
        told.winner is not None
        and not (told.winner in better and not set(told.models) <= set(better))
        for told in said.pairs
    )
    bound = any(told.winner is not None for told in said.of_bounds)
    return wrong, bound, said.friedman is not None and said.friedman < LEVEL


def _is_sure(of: Compared) -> bool:
    """Whether one side has more than ``SURE`` in any pair with the family that ranks first."""
    said = ranks(of)
    assert said is not None
    first = next(iter(said.mean))
    return any(max(b.better, b.worse) > SURE for b in beliefs(of) if first in b.models)
