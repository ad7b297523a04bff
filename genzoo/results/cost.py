"""What families cost, and whom that leaves unbeaten: quality against seconds and memory.

On a data set a family is beaten where another is proven better by the same test rows
(``genzoo.results.pairs``) and cost no more in this run, to within a tenth. So a difference that is
not proven beats nobody, neither does a dearer family, and a lower bound is never beaten. Seconds
are measured once, on the machine of the run: what lies close together may change places in another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from genzoo.jackknife import Jackknife
from genzoo.results.pairs import pairs
from genzoo.results.ranking import Entry, Ranking
from genzoo.results.record import STACK, TRUTH, CellRecord
from genzoo.results.run import RunRecord
from genzoo.results.way import Standing, Way, standings, way
from genzoo.values import Kind

A_THOUSAND = 1000


def _scoring(record: CellRecord) -> float | None:
    return _of_a_thousand(record.evaluate_seconds, record.n_test)


def _drawing(record: CellRecord) -> float | None:
    return _of_a_thousand(record.sample_seconds, record.n_sampled)


def _of_a_thousand(seconds: float | None, n: int | None) -> float | None:
    return A_THOUSAND * seconds / n if seconds is not None and n else None


COSTS: dict[str, Callable[[CellRecord], float | None]] = {
    "train": lambda r: r.train_seconds,
    "score": _scoring,  # seconds for a thousand test rows
    "sample": _drawing,  # seconds for a thousand rows drawn
    "memory": lambda r: r.peak_memory_mb,  # MiB of the worker, judging and libraries included
}
# costs as many times higher are alike: trainings that use up one budget end a little before it
ALIKE = 1.1
NOT_OF_THE_FAMILY = "memory"  # most of it is the libraries' and what judges: nobody is beaten by it


@dataclass(frozen=True)
class Point:
    """A family.

    Attributes:
        value: nats a row on one data set; over several the mean share of the way, of 1.
        stderr: its sampling error over test rows; None where it is not known.
        apart: the sampling error of its difference from the highest family over the same test rows,
            which says more than ``stderr`` of who is better; of a share of the way ``stderr``.
        costs: by the keys of ``COSTS``, positive numbers; without those that are not known.
        n: over how many data sets.
        unbeaten: over several data sets, by cost: on how many nobody beats it, of how many where
            its value is exact, so that it could be beaten.
    """

    model: str
    value: float
    stderr: float | None
    apart: float | None
    kind: Kind
    improving: bool
    costs: Mapping[str, float]
    n: int = 1
    unbeaten: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plane:
    """Families on one data set.

    Attributes:
        points: of those that have a finite value.
        better: a pair of names for each that is proven better than another.
        endless: those whose value is not finite, since they give a test row no mass.
    """

    points: list[Point]
    better: frozenset[tuple[str, str]] = frozenset()
    endless: tuple[str, ...] = ()

    def shown(self, cost: str) -> list[Point]:
        """Those of which the cost is known."""
        return [p for p in self.points if cost in p.costs]

    def beaten(self, cost: str) -> dict[str, list[str]]:
        """Of each family that is beaten, by whom."""
        if cost == NOT_OF_THE_FAMILY:
            return {}
        shown = self.shown(cost)
        by = {
            p.model: [
                q.model
                for q in shown
                if (q.model, p.model) in self.better and q.costs[cost] <= ALIKE * p.costs[cost]
            ]
            for p in shown
        }
        return {model: names for model, names in by.items() if names}

    def gains(self, cost: str) -> list[tuple[str, str]]:
        """Pairs of families that nobody beats: the second costs more and is proven better, and none
        between them is proven better than the first and worse than the second."""
        if cost == NOT_OF_THE_FAMILY:
            return []
        beaten = self.beaten(cost)
        left = {p.model for p in self.shown(cost)} - set(beaten)
        steps = {(b, a) for a, b in self.better if a in left and b in left}
        return sorted(
            (a, b)
            for a, b in steps
            if not any((a, c) in steps and (c, b) in steps for c in left - {a, b})
        )


def plane(run: RunRecord, ranking: Ranking) -> Plane:
    """The families on a data set, without the stack, which is made of the others, and without those
    whose likelihood raised an alarm."""
    alarming = {cell.model for cell in ranking.alarms}
    able = [e for e in ranking.entries if e.model != STACK and e.model not in alarming]
    entries = [e for e in able if e.value is not None and math.isfinite(e.value)]
    compared = pairs(run, ranking.dataset.name)
    apart = {frozenset(p.models): p.difference.stderr for p in compared if p.difference}
    points = [
        Point(
            e.model,
            e.value,
            e.stderr,
            apart.get(frozenset({e.model, entries[0].model})),
            e.kind,
            e.improving,
            _costs(e),
        )
        for e in entries
        if e.value is not None
    ]
    known = {p.model for p in points}
    better = frozenset(
        (p.winner, p.loser)
        for p in compared
        if p.winner in known and p.loser in known and p.winner and p.loser
    )
    return Plane(points, better, tuple(e.model for e in able if e.model not in known))


def with_a_way(rankings: Sequence[Ranking]) -> list[Ranking]:
    """Those on which somebody gets beyond no skill: only there is a share of the way a number."""
    ways = [way(ranking) for ranking in rankings]
    return [
        ranking
        for ranking, on in zip(rankings, ways, strict=True)
        if on is not None and on.high > on.low and math.isfinite(on.high - on.low)
    ]


def over_all(models: Sequence[str], rankings: Sequence[Ranking], planes: Sequence[Plane]) -> Plane:
    """The families over all data sets: the mean share of the way, and geometric means of the costs.

    What is proven is proven of each data set: ``unbeaten`` counts these.

    Args:
        models: of which there may be points.
        rankings: of data sets ``with_a_way``.
        planes: theirs.
    """
    ways = [way(ranking) for ranking in rankings]
    beaten = [{cost: on.beaten(cost) for cost in COSTS} for on in planes]
    found, endless = [], []
    for standing in standings(models, rankings):
        of = [
            (on, by, next((p for p in on.points if p.model == standing.model), None))
            for on, by, share in zip(planes, beaten, standing.shares, strict=True)
            if share is not None
        ]
        known = [(by, p) for _, by, p in of if p is not None]
        if standing.model in (STACK, TRUTH) or standing.mean is None:
            continue
        if not math.isfinite(standing.mean):
            endless.append(standing.model)
            continue
        unbeaten = {}
        for cost in COSTS:
            asked = [
                standing.model not in by[cost]
                for by, p in known
                if p.kind == "exact" and cost in p.costs  # a bound never loses
            ]
            unbeaten[cost] = sum(asked), len(asked)
        error = _mean_error(standing, rankings, ways)
        found.append(
            Point(
                standing.model,
                standing.mean,
                error,
                error,
                standing.kind,
                any(p.improving for _, p in known),
                _geometric([p.costs for _, p in known]),
                len(known),
                unbeaten,
            )
        )
    return Plane(found, endless=tuple(endless))


def _costs(entry: Entry) -> dict[str, float]:
    found = {name: entry.mean_of(of) for name, of in COSTS.items()}
    return {name: value for name, value in found.items() if value and value > 0}


def _geometric(costs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of what is known on all data sets."""
    return {
        name: math.exp(sum(math.log(c[name]) for c in costs) / len(costs))
        for name in COSTS
        if all(name in c for c in costs)
    }


def share_error(ranking: Ranking, entry: Entry, on: Way) -> float | None:
    """The sampling error of a share of the way over the test rows, the ends of the way drawn along
    with it: that of a ratio of mean differences by the jackknife. None where rows are not known.

    The ends are taken as named beforehand; an end that was picked as the highest of several is a
    little high by luck, which is not in the error.
    """
    ends = [*ranking.entries, *([ranking.truth] if ranking.truth else [])]
    rows = {e.model: e.log_prob for e in ends if e.log_prob is not None}
    of, low, high = (rows.get(model) for model in (entry.model, on.start, on.end))
    if of is None or low is None or high is None or entry.fit is None:
        return None
    if not of.shape == low.shape == high.shape or on.high <= on.low:
        return None
    with np.errstate(invalid="ignore"):
        gained, whole = of - low, high - low
    if not (np.isfinite(gained).all() and np.isfinite(whole).all()):
        return None
    groups = entry.fit.groups_of("groups")
    number = None if groups is None else np.unique(groups, return_inverse=True)[1]
    error = Jackknife.of(gained, whole, number).stderr
    return error if math.isfinite(error) else None


def _mean_error(
    standing: Standing, rankings: Sequence[Ranking], ways: Sequence[Way | None]
) -> float | None:
    """Of the mean share: data sets are independent of each other."""
    of = zip(rankings, standing.entries, standing.shares, ways, strict=True)
    errors = [
        share_error(ranking, entry, on)
        for ranking, entry, share, on in of
        if share is not None and entry is not None and on is not None
    ]
    known = [e for e in errors if e is not None]
    return math.hypot(*known) / len(known) if known and len(known) == len(errors) else None
