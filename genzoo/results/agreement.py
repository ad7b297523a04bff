"""Whether likelihoods and a metric of samples order families alike.

Eight points make no rank correlation worth stating. What can be said is about pairs: those that
likelihoods tell apart (``genzoo.results.pairs``: proven by the same test rows) and that the metric
tells apart too (``SURE`` standard errors of the difference).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genzoo.results.contender import Contender
from genzoo.results.marks import SURE
from genzoo.results.numbers import Value
from genzoo.results.pairs import compare


@dataclass(frozen=True)
class Agreement:
    """Of so many pairs of families.

    Attributes:
        n: all pairs.
        by_likelihood, by_metric: how many each of the two tells apart.
        same: how many both do, in the same order.
        opposite: those that they order differently: the likelier family first.
    """

    n: int
    by_likelihood: int
    by_metric: int
    same: int
    opposite: list[tuple[str, str]]


def agreement(
    fits: Sequence[Contender], key: str, *, higher: bool, n_seeds: int = 1
) -> Agreement | None:
    """Of the fits, one a family, that have the metric; None of fewer than two.

    Args:
        key: the metric's.
        higher: whether more of it is better.
        n_seeds: of which validation chose one for each family.
    """
    values = {f.model: Value(*found) for f in fits for found in [f.metric(key)] if found}
    able = [f for f in fits if f.model in values]
    if len(able) < 2:
        return None
    likelier = better = same = 0
    opposite = []
    both = compare(able, n_seeds)
    for pair in both:
        above = values[pair.models[0]].above(values[pair.models[1]]) * (1 if higher else -1)
        nicer = None if abs(above) < SURE else pair.models[0 if above > 0 else 1]
        likelier += pair.winner is not None
        better += nicer is not None
        if pair.winner is None or pair.loser is None or nicer is None:
            continue
        if pair.winner == nicer:
            same += 1
        else:
            opposite.append((pair.winner, pair.loser))
    return Agreement(len(both), likelier, better, same, opposite)
