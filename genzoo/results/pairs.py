"""Every family against every other: which of two test rows prove to be better.

``genzoo.results.choice`` asks about the one model that validation chose. Here nothing is chosen:
all pairs of families on a data set are tested, of each the fit of the seed that validation chose,
two-sided by the paired differences of the same test rows, with Holm's correction at 5 % for all
pairs of the data set together. So of twenty data sets on which nothing differs about one may show a
false win. Each data set stands for itself: no correction is made across them.

A lower bound never loses and an estimate proves nothing (``statistics.can_prove``); a difference
below ``choice.LEAST`` nats is no win, however sure. The stack, which is made of the others, is no
family and takes no part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from genzoo.results.choice import LEAST, paired, ranked
from genzoo.results.contender import Contender
from genzoo.results.run import RunRecord
from genzoo.results.statistics import LEVEL, Difference, can_prove, holm


@dataclass(frozen=True)
class Pair:
    """Two families on a data set.

    Attributes:
        models: their names.
        difference: the first one's score less the second's; None where they have no rows in common.
        winner: the one that is proven to be better; None where that can't be told.
        p_value: of this pair alone, that the higher one is no better; 1 where that is open because
            the lower one is only bounded from below, nan where nothing could be proven.
    """

    models: tuple[str, str]
    difference: Difference | None
    winner: str | None
    p_value: float = math.nan

    @property
    def loser(self) -> str | None:
        if self.winner is None:
            return None
        return self.models[1] if self.winner == self.models[0] else self.models[0]


@dataclass(frozen=True)
class Tally:
    """How often a family is proven better than another (``wins``) or worse (``losses``), and how
    often neither (``untold``), over opponents and data sets."""

    model: str
    wins: int
    untold: int
    losses: int

    @property
    def n(self) -> int:
        return self.wins + self.untold + self.losses


def pairs(run: RunRecord, dataset: str) -> list[Pair]:
    """Every two families that have a result on a data set."""
    return compare(ranked(run, dataset), n_seeds=len(run.seeds))


def compare(fits: Sequence[Contender], n_seeds: int = 1) -> list[Pair]:
    """Every two of some fits on the same test rows.

    Args:
        fits: one for each family.
        n_seeds: of which validation chose one for each family.
    """
    both = list(combinations(fits, 2))
    differences = [paired(a, b) for a, b in both]
    asked = [_p_value(a, b, d) for (a, b), d in zip(both, differences, strict=True)]
    found = [p for p in asked if not math.isnan(p)]
    # a row that chose a seed in one fold is a test row of another: the tests are those of any seeds
    # that could have been chosen
    choices = n_seeds**2 if fits and len(fits[0].cells) > 1 else 1
    adjusted = iter(holm(found) if choices == 1 else np.array(found) * len(found) * choices)
    shown = [not math.isnan(p) and next(adjusted) < LEVEL for p in asked]
    return [
        Pair(
            (a.model, b.model),
            d,
            _winner(a, b, d) if proven else None,
            _alone(p * choices, _open_to_proof(a, b, d)),
        )
        for (a, b), d, p, proven in zip(both, differences, asked, shown, strict=True)
    ]


def _p_value(a: Contender, b: Contender, d: Difference | None) -> float:
    """nan where nothing could be proven, whichever is higher."""
    if d is None or not d.has_error:
        return math.nan
    return d.p_value() if can_prove(a.kind, b.kind) or can_prove(b.kind, a.kind) else math.nan


def _alone(p: float, can_be_proven: bool) -> float:
    if math.isnan(p):
        return p
    return min(1.0, p) if can_be_proven else 1.0


def _winner(a: Contender, b: Contender, d: Difference | None) -> str | None:
    if d is None or abs(d.value) < LEAST or not _open_to_proof(a, b, d):
        return None
    return a.model if d.value > 0 else b.model


def _open_to_proof(a: Contender, b: Contender, d: Difference | None) -> bool:
    """Whether it could be proven that the higher one is better."""
    if d is None:
        return False
    winner, loser = (a, b) if d.value > 0 else (b, a)
    return can_prove(winner.kind, loser.kind)


def tallies(models: Sequence[str], found: Iterable[Pair]) -> list[Tally]:
    """One for each of the models, in their order, over all pairs of one data set or of several."""
    of = list(found)
    counted = []
    for model in models:
        own = [pair for pair in of if model in pair.models]
        wins = sum(pair.winner == model for pair in own)
        losses = sum(pair.loser == model for pair in own)
        counted.append(Tally(model, wins, len(own) - wins - losses, losses))
    return counted
