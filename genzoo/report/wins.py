"""Who beats whom: every family against every other, data set by data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from genzoo.results.numbers import DASH, with_error
from genzoo.results.pairs import Pair, Tally, tallies

WON, UNTOLD, LOST, APART = "w", "u", "l", "-"  # of a pair on a data set, seen from the first


@dataclass(frozen=True)
class Duel:
    """Two families on one data set: the first one's nats a row less the second's, as text, and how
    that is told (``WON``, ...)."""

    dataset: str
    difference: str
    told: str
    winner: str | None


@dataclass(frozen=True)
class Meeting:
    """Two families over the data sets."""

    a: str
    b: str
    duels: list[Duel]

    @property
    def told(self) -> str:
        """A letter a data set."""
        return "".join(duel.told for duel in self.duels)

    @property
    def counts(self) -> tuple[int, int, int]:
        """On how many data sets the first is better, neither, worse."""
        return self.told.count(WON), self.told.count(UNTOLD), self.told.count(LOST)

    @property
    def words(self) -> str:
        won, untold, lost = self.counts
        return (
            f"{self.a} against {self.b}: better on {won}, can't tell on {untold}, worse on {lost}"
        )


@dataclass(frozen=True)
class Wins:
    """``rows`` has of each family its meetings with all of them, None with itself; ``pairs`` each
    two families once, with ``ids`` of where they are told."""

    families: list[str]
    datasets: list[str]
    rows: list[tuple[Tally, list[Meeting | None]]]
    pairs: list[Meeting]

    @property
    def is_told(self) -> bool:
        """Whether any two families have a result on the same data set."""
        return any(sum(meeting.counts) for meeting in self.pairs)

    def place(self, meeting: Meeting) -> str:
        """Part of the id of where a meeting is told in full."""
        return "-".join(str(i) for i in sorted(map(self.families.index, (meeting.a, meeting.b))))


def wins(families: Sequence[str], found: Mapping[str, Sequence[Pair]]) -> Wins:
    """The win matrix.

    Args:
        families: in the order of rows and columns.
        found: what ``genzoo.results.pairs`` says of each data set.
    """
    counted = tallies(families, [pair for of in found.values() for pair in of])
    rows = [
        (tally, [None if b == a else _meeting(a, b, found) for b in families])
        for a, tally in zip(families, counted, strict=True)
    ]
    pairs = [_meeting(a, b, found) for a, b in combinations(families, 2)]
    return Wins(list(families), list(found), rows, pairs)


def _meeting(a: str, b: str, found: Mapping[str, Sequence[Pair]]) -> Meeting:
    duels = []
    for dataset, pairs in found.items():
        pair = next((p for p in pairs if a in p.models and b in p.models), None)
        duels.append(Duel(dataset, DASH, APART, None) if pair is None else _duel(dataset, a, pair))
    return Meeting(a, b, duels)


def _duel(dataset: str, a: str, pair: Pair) -> Duel:
    difference, sign = pair.difference, 1 if pair.models[0] == a else -1
    text = DASH
    if difference is not None:
        text = with_error(sign * difference.value, difference.stderr)
    told = UNTOLD if pair.winner is None else WON if pair.winner == a else LOST
    return Duel(dataset, text, told, pair.winner)
