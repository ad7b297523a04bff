"""Who beats whom: every family against every other, data set by data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

from genzoo.report.overview import KIND_WORDS
from genzoo.results.numbers import DASH, with_error
from genzoo.results.pairs import Pair, Tally, tallies
from genzoo.results.ranking import Ranking
from genzoo.results.statistics import Difference, can_prove

WON, UNTOLD, LOST, APART = "w", "u", "l", "-"  # of a pair on a data set, seen from the first


@dataclass(frozen=True)
class Duel:
    """Two families on one data set: the first one's nats a row less the second's, as text, how
    that is told (``WON``, ...), and why it can't be, where that is not for want of rows."""

    dataset: str
    difference: str
    told: str
    winner: str | None = None
    why: str = ""


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
    """``rows`` has of each family its tally and its meetings with all of them, None with itself;
    ``pairs`` every two families once."""

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


def wins(
    families: Sequence[str], rankings: Sequence[Ranking], found: Mapping[str, Sequence[Pair]]
) -> Wins:
    """The win matrix.

    Args:
        families: in the order of rows and columns.
        rankings: of all data sets.
        found: what ``genzoo.results.pairs`` says of each of them.
    """
    told = {
        (model, r.dataset.name): duel
        for r in rankings
        for pair in found[r.dataset.name]
        for model, duel in _both(r, pair).items()
    }
    counted = tallies(families, [pair for of in found.values() for pair in of])
    met = {
        (a, b): Meeting(a, b, [told.get(((a, b), d), Duel(d, DASH, APART)) for d in found])
        for a, b in permutations(families, 2)
    }
    rows = [(tally, [met.get((tally.model, b)) for b in families]) for tally in counted]
    return Wins(list(families), list(found), rows, [met[ab] for ab in combinations(families, 2)])


def _both(ranking: Ranking, pair: Pair) -> dict[tuple[str, str], Duel]:
    """A pair as each of the two sees it."""
    a, b = pair.models
    return {(a, b): _duel(ranking, pair, 1), (b, a): _duel(ranking, pair, -1)}


def _duel(ranking: Ranking, pair: Pair, sign: int) -> Duel:
    name, difference = ranking.dataset.name, pair.difference
    first = pair.models[0 if sign > 0 else 1]
    if difference is None:
        return Duel(name, DASH, UNTOLD, why="not the same rows")
    text = with_error(sign * difference.value, difference.stderr)
    if pair.winner is not None:
        return Duel(name, text, WON if pair.winner == first else LOST, pair.winner)
    return Duel(name, text, UNTOLD, why=_unprovable(ranking, pair, difference))


def _unprovable(ranking: Ranking, pair: Pair, difference: Difference) -> str:
    """Which value's kind lets the lower one not lose; nothing where the kinds let it."""
    kinds = {entry.model: entry.kind for entry in ranking.entries}
    higher, lower = pair.models if difference.value > 0 else pair.models[::-1]
    if can_prove(kinds[higher], kinds[lower]):
        return ""
    model = higher if kinds[higher] == "estimate" else lower
    return f"{model} gives {KIND_WORDS[kinds[model]]}"
