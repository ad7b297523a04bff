"""The first screen of a report on several data sets: how far every family gets on each, and how
often one is proven better than another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from genzoo.results.advice import too_few
from genzoo.results.numbers import MARKS, count, number, with_error
from genzoo.results.pairs import Pair, Tally, tallies
from genzoo.results.ranking import Entry, Ranking
from genzoo.results.record import BASELINE, STACK, TRUTH
from genzoo.results.run import RunRecord
from genzoo.results.way import Standing, Way, standings, way
from genzoo.values import Kind

STEPS = (0.25, 0.5, 0.75, 0.9, 0.97)  # where the next colour begins: most families lie near the end
NOTES = {STACK: "mixture of all", TRUTH: "the true model"}
STACK_IS = "stack: the mixture of all families, derived from their results, not fitted."
KIND_WORDS: dict[Kind, str] = {
    "exact": "exact",
    "lower_bound": "a lower bound",
    "estimate": "an estimate",
}


@dataclass(frozen=True)
class Cell:
    """One model on one data set: what is shown, its colour, and all of it in words.

    ``sign`` is the mark of the number's kind, ``step`` the colour's: 0 for worse than no skill, 1
    to 6 up to the end of the way; None of a cell without a share.
    """

    dataset: str
    style: str
    step: int | None
    sign: str
    text: str
    words: str
    chosen: bool = False
    improving: bool = False


@dataclass(frozen=True)
class Line:
    """A model over all data sets."""

    model: str
    note: str
    cells: list[Cell]
    mean: Cell


@dataclass(frozen=True)
class Against:
    """A family's ``Tally``, and the shares of its three parts in per cent."""

    tally: Tally
    widths: tuple[float, float, float]

    @property
    def words(self) -> str:
        t = self.tally
        return (
            f"{t.model}: proven better in {t.wins}, not told apart in {t.untold} and proven worse "
            f"in {t.losses} of {t.n} comparisons"
        )


@dataclass(frozen=True)
class Overview:
    """``legend`` says what the colours mean."""

    lead: str
    lines: list[Line]
    legend: str
    against: list[Against]

    @property
    def families(self) -> list[str]:
        return [a.tally.model for a in self.against]


def overview(run: RunRecord, rankings: Sequence[Ranking], compared: Sequence[Pair]) -> Overview:
    """The first screen; of a run of one data set ``genzoo.report.single`` makes another.

    Args:
        compared: every two families on every data set.
    """
    ways = [way(ranking) for ranking in rankings]
    found = standings(run.models, rankings)
    families = [s.model for s in found if s.model not in NOTES]
    return Overview(
        lead(run, rankings, found),
        [_line(standing, rankings, ways) for standing in found],
        _legend(rankings, ways),
        [_against(tally) for tally in tallies(families, compared)],
    )


def lead(run: RunRecord, rankings: Sequence[Ranking], found: Sequence[Standing]) -> str:
    """What the run says as a whole, in one sentence."""
    able = [r for r in rankings if r.chosen is not None]
    chosen = [r.chosen.model for r in able if r.chosen and too_few(run, r.dataset.name) is None]
    if not chosen:
        why = "has enough validation rows" if able else "has figures on validation rows"
        return f"No data set {why} to choose a model by, so nothing is chosen or proven."
    n, sets = len(chosen), count(len(chosen), "data set")
    families = count(len(run.fitted), "family")
    favourite = max(dict.fromkeys(chosen), key=chosen.count)
    named = f"{favourite}, the mixture of all," if favourite == STACK else favourite
    if chosen.count(favourite) == n:
        words = f"Of {families} {named} is validation's choice on all {sets}"
    else:
        words = f"Of {families} on {sets} none is chosen everywhere"
    whole = [s for s in found if s.model not in NOTES and s.is_whole]
    exact = [s.model for s in whole if s.kind == "exact"]
    if exact and exact[0] != BASELINE:
        among = " of those with exact values" if len(exact) < len(whole) else ""
        words += f": {exact[0]} goes farthest on average{among}"
    if chosen.count(favourite) < n:
        words += (
            f", and validation's choice on {chosen.count(favourite)} of {n} is {named.rstrip(',')}"
        )
    return f"{words}."


def _line(standing: Standing, rankings: Sequence[Ranking], ways: Sequence[Way | None]) -> Line:
    of = zip(rankings, ways, standing.entries, standing.shares, strict=True)
    cells = [_cell(standing.model, *parts) for parts in of]
    return Line(standing.model, NOTES.get(standing.model, ""), cells, _mean(standing))


def _cell(
    model: str, ranking: Ranking, on: Way | None, entry: Entry | None, share: float | None
) -> Cell:
    name = ranking.dataset.name
    where = f"{model} on {name}"
    if entry is None:
        why = "not known" if model == TRUTH else "not asked for"
        return Cell(name, "absent", None, "", "·", f"{where}: {why}")
    if entry.value is None:
        reason = f" ({entry.reason})" if entry.reason else ""
        return Cell(name, "failed", None, "", "×", f"{where}: {entry.status}{reason}")
    value = with_error(entry.value, entry.stderr, entry.kind)
    words = f"{where}: {value} nats a row, {KIND_WORDS[entry.kind]}"
    if share is None or on is None:
        return Cell(name, "alarm", None, "", "!", f"{words}; more than the truth allows: an alarm")
    text = _percent(share)
    if on.high > on.low:
        words += f"; {MARKS[entry.kind]}{_in_words(share)} {_ends(on)}"
    chosen = entry is ranking.chosen
    words += "; validation's choice" if chosen else ""
    words += "; still improving when training stopped" if entry.improving else ""
    step = step_of(share)
    sign = MARKS[entry.kind].strip()
    return Cell(name, f"s{step}", step, sign, text, words, chosen, entry.improving)


def _mean(standing: Standing) -> Cell:
    share = standing.mean
    if share is None:
        return Cell("", "absent", None, "", "·", f"{standing.model}: no result")
    if standing.model == TRUTH and not standing.is_whole:
        # beside means of all data sets it would read as their end
        return Cell("", "absent", None, "", "·", f"{TRUTH}: known of some data sets")
    known = [s for s in standing.shares if s is not None]
    words = f"{standing.model}: mean of {count(len(known), 'data set')}"
    sign, step = MARKS[standing.kind].strip(), step_of(share)
    return Cell("", f"s{step}", step, sign, _percent(share), words)


def step_of(share: float) -> int:
    """The colour of a share: 0 for worse than no skill, then 1 to 6."""
    return 0 if share < 0 else 1 + sum(share >= edge for edge in STEPS)


def _percent(share: float) -> str:
    """Rounded down, so that only what reaches the end is called 100."""
    return "<0" if share < 0 else str(math.floor(100 * share + 1e-9))


def _in_words(share: float) -> str:
    return "worse than no skill," if share < 0 else f"{_percent(share)} % of the way"


def _ends(on: Way) -> str:
    start, end = (f"{model} ({number(value)})" for model, value in
                  ((on.start, on.low), (on.end, on.high)))  # fmt: skip
    return f"from {start} to {end}"


def _legend(rankings: Sequence[Ranking], ways: Sequence[Way | None]) -> str:
    starts = {on.start for on in ways if on is not None}
    known = [r.truth is not None for r in rankings]
    start = f"no skill ({BASELINE})" if starts == {BASELINE} else "the lowest family"
    end = "the best family with an exact value"
    if all(known):
        end = "the truth"
    elif any(known):
        end = f"the truth, or to {end} where the truth is not known"
    words = f"Share of the way from {start} to {end}, in per cent of the nats, rounded down."
    return words if all(known) else f"{words} More than 100 is above that family, not the truth."


def _against(tally: Tally) -> Against:
    n = max(1, tally.n)
    return Against(tally, (100 * tally.wins / n, 100 * tally.untold / n, 100 * tally.losses / n))


def mixture_words(lines: Sequence[Line]) -> str:
    """What the stack is, where it stands among the lines; else nothing."""
    return STACK_IS if any(line.model == STACK for line in lines) else ""


def shown_steps() -> list[tuple[str, str]]:
    """The colours of the legend with the shares that they stand for."""
    edges = [0, *(round(100 * edge) for edge in STEPS)]
    spans = [f"{a}–{b}" for a, b in pairwise(edges)] + [f"{edges[-1]}+"]
    return [("s0", "<0"), *((f"s{i + 1}", span) for i, span in enumerate(spans))]
