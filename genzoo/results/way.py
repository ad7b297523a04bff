"""How far models get on the way from no skill to the truth: shares that data sets have in common.

Nats of different data sets can't be compared with each other. The share of the way can be shown
side by side: 0 is ``independent``, 1 the truth or, where that is not known, the best family with an
exact value. A lower bound of a value gives a lower bound of its share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from genzoo.results.ranking import Entry, Ranking
from genzoo.results.record import BASELINE, STACK, TRUTH
from genzoo.results.statistics import weakest
from genzoo.values import Kind


@dataclass(frozen=True)
class Way:
    """From ``low``, the value of ``start``, to ``high``, that of ``end``, in nats per row."""

    start: str
    low: float
    end: str
    high: float

    def share(self, value: float) -> float:
        """0 at the start, 1 at the end; -inf or 0 where nobody gets beyond the start."""
        if self.high > self.low:
            return (value - self.low) / (self.high - self.low)
        return -math.inf if value < self.low else 0.0


def way(ranking: Ranking) -> Way | None:
    """The way of a data set; None where no family gave a result that can be trusted.

    It starts at the lowest family where there is no ``independent``, and ends at the best bound
    where no other family has an exact value.
    """
    alarming = {cell.model for cell in ranking.alarms}
    known = [
        (entry.value, entry)
        for entry in ranking.entries
        if entry.value is not None and entry.model != STACK and entry.model not in alarming
    ]
    if not known:
        return None
    start = next((e for _, e in known if e.model == BASELINE), min(known, key=lambda p: p[0])[1])
    exact = [pair for pair in known if pair[1].kind == "exact" and pair[1] is not start]
    end = max(exact or known, key=lambda p: p[0])[1]
    if ranking.truth is not None:
        end = ranking.truth
    assert start.value is not None
    assert end.value is not None
    return Way(start.model, start.value, end.model, end.value)


@dataclass(frozen=True)
class Standing:
    """A model over all data sets.

    Attributes:
        entries: its entry on each data set, None where it was not asked for.
        shares: how far it gets on each; None without a result, or with one that raised an alarm.
    """

    model: str
    entries: list[Entry | None]
    shares: list[float | None]

    @property
    def mean(self) -> float | None:
        """Over the data sets where it has a share; None where it has none."""
        found = [share for share in self.shares if share is not None]
        return sum(found) / len(found) if found else None

    @property
    def kind(self) -> Kind:
        """Of the mean: the weakest kind of what it is made of."""
        pairs = zip(self.entries, self.shares, strict=True)
        return weakest([e.kind for e, share in pairs if e is not None and share is not None])

    @property
    def is_whole(self) -> bool:
        """Whether it has a share on every data set: a mean over fewer is one of others."""
        return None not in self.shares


def standings(models: Sequence[str], rankings: Sequence[Ranking]) -> list[Standing]:
    """The models by their mean share, the best first; those that lack a share come after all that
    have them all, and the stack and the truth, which are no families, at the end."""
    ways = [way(ranking) for ranking in rankings]
    found = [_standing(model, rankings, ways) for model in models]
    if any(ranking.truth is not None for ranking in rankings):
        found.append(_standing(TRUTH, rankings, ways))
    apart = {STACK: 1, TRUTH: 2}
    return sorted(
        found,
        key=lambda s: (
            apart.get(s.model, 0),
            not s.is_whole,
            math.inf if s.mean is None else -s.mean,
        ),
    )


def _standing(model: str, rankings: Sequence[Ranking], ways: Sequence[Way | None]) -> Standing:
    entries: list[Entry | None] = []
    shares: list[float | None] = []
    for ranking, on in zip(rankings, ways, strict=True):
        of = [ranking.truth] if model == TRUTH else [*ranking.entries, *ranking.failed]
        entry = next((e for e in of if e is not None and e.model == model), None)
        value = None if entry is None else entry.value
        trusted = all(cell.model != model for cell in ranking.alarms)
        entries.append(entry)
        shares.append(on.share(value) if on and value is not None and trusted else None)
    return Standing(model, entries, shares)
