"""What explains the numbers of a data set: where one family wins over another, the least likely
rows, copies of training rows, learned graphs, hidden states, rows between rows, calibration.

Of each family the fit that validation chose; of several folds the first one's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup

from genzoo.report import explain_figures
from genzoo.report.explain_learned import Graph, Paths, Strips, graphs, paths, strips
from genzoo.report.explain_rows import Near, Unlikely, near, unlikely
from genzoo.report.explain_wins import Wins, wins
from genzoo.results.contender import Result
from genzoo.results.explained import Calibration, calibration
from genzoo.results.numbers import number, with_error
from genzoo.results.ranking import Entry, Ranking
from genzoo.results.record import BASELINE, STACK
from genzoo.results.way import way

MOST_CALIBRATED = 3
TOO_MANY = 1e4  # times likelier, from which on only the power of ten is told


@dataclass(frozen=True)
class Explanations:
    """What there is of each kind; what there isn't is empty. ``left_out``: who and why."""

    words: list[str]
    wins: list[Wins] = field(default_factory=list)
    unlikely: list[Unlikely] = field(default_factory=list)
    unlikely_of: str = ""
    near: Near | None = None
    graphs: list[Graph] = field(default_factory=list)
    paths: list[Paths] = field(default_factory=list)
    strips: list[Strips] = field(default_factory=list)
    calibration: Markup | None = None
    calibrated: str = ""
    left_out: list[tuple[str, str]] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return bool(
            self.wins or self.unlikely or self.near or self.graphs or self.paths or self.strips
            or self.calibration
        )  # fmt: skip


def explanations(ranking: Ranking, colours: dict[str, int]) -> Explanations:
    """All of a data set."""
    schema, known = ranking.dataset.schema, cells_of(ranking)
    truth = None if ranking.truth is None or ranking.truth.fit is None else ranking.truth.fit
    words, (figure, about) = in_words(ranking), _calibration(ranking, colours)
    if schema is None:
        return Explanations(words, calibration=figure, calibrated=about)
    of_truth = None if truth is None else truth.cells[0]
    of, rows = unlikely(known, schema)
    return Explanations(
        words,
        wins(known, schema),
        rows,
        of,
        near(known, schema),
        graphs(known, of_truth, schema),
        paths([*known, *([of_truth] if of_truth else [])], schema),
        strips(known, schema),
        figure,
        about,
        _left_out(known),
    )


def cells_of(ranking: Ranking) -> list[Result]:
    """Of each family the first cell of the fit that is ranked: validation's choice first, then by
    rank."""
    entries = sorted(ranking.entries, key=lambda e: e is not ranking.chosen)
    return [e.fit.cells[0] for e in entries if e.fit is not None and e.model != STACK]


def in_words(ranking: Ranking) -> list[str]:
    """What the gain over the baseline means, of validation's choice: times likelier a row, and the
    share of the way to the truth or the best exact value."""
    entry, base, road = ranking.chosen or ranking.best, ranking.baseline, way(ranking)
    if entry is None or base is None or entry.model == BASELINE or road is None:
        return []
    if entry.value is None or base.value is None or ranking.alarms:
        return []
    least = "at least " if entry.kind == "lower_bound" else ""
    about = "about " if entry.kind == "estimate" else ""
    if base.kind != "exact" or entry.value <= base.value:
        return []
    gain = entry.value - base.value
    words = [
        f"{entry.model} gives a test row {least}{about}{times(gain)} the probability that "
        f"{BASELINE} gives it (geometric mean; {number(gain)} nats)."
    ]
    share = road.share(entry.value)
    if road.start == BASELINE and road.end not in (entry.model, BASELINE) and 0 < share < 1:
        end = "the truth" if ranking.truth is not None else f"{road.end}, the best exact value"
        part = number(100 * share, 0 if share < 0.99 else 1)
        words.append(f"That is {least}{about}{part} % of the way from {BASELINE} to {end}.")
    return words


def times(nats: float) -> str:
    """``2.7 times``; ``10^12 times`` where the number would say nothing."""
    if nats > np.log(TOO_MANY):
        return f"10^{nats / np.log(10):.0f} times"
    factor = float(np.exp(nats))
    return f"{number(factor, 2 if factor < 10 else 0)} times"


def calibrated(ranking: Ranking) -> list[tuple[Entry, Calibration]]:
    """Some models against the truth, the first one validation's choice; none where the truth is not
    known, or where test rows belong together."""
    truth = None if ranking.truth is None else ranking.truth.log_prob
    able = [e for e in ranking.entries if e.model != STACK and e.log_prob is not None]
    ordered = sorted(able, key=lambda e: (e is not ranking.chosen, e.model == BASELINE))
    first = ordered[: MOST_CALIBRATED - 1]
    shown = first + [e for e in able if e.model == BASELINE and e not in first]
    found = []
    for entry in shown:
        if truth is None or entry.fit is None or entry.log_prob is None:
            continue
        one = calibration(entry.log_prob, truth)
        if one is not None and entry.fit.groups_of("groups") is None:
            found.append((entry, one))
    return found


def _calibration(ranking: Ranking, colours: dict[str, int]) -> tuple[Markup | None, str]:
    found = calibrated(ranking)
    if not found:
        return None, ""
    first, best = found[0]
    rare, common = (with_error(best.value[i], best.stderr[i], first.kind) for i in (0, -1))
    words = (
        f"{first.model} less the truth, in nats: {rare} on the tenth of the rows that is rarest "
        f"under the truth, {common} on the commonest."
    )
    title = f"Log mass of models less that of the truth on {ranking.dataset.name}"
    lines = [(entry.model, colours.get(entry.model, 0), one) for entry, one in found]
    return explain_figures.against_truth(lines, title), words


def _left_out(known: Sequence[Result]) -> list[tuple[str, str]]:
    return [
        (f"{cell.model}, {what}", reason)
        for cell in known
        if cell.record.explained is not None
        for what, reason in cell.record.explained.left_out.items()
    ]
