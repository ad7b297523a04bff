"""What all data sets say together: ranks, probabilities, and all pairs in one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from genzoo.report.rank_diagram import rank_diagram
from genzoo.results.choice import LEAST, SHARE
from genzoo.results.discoveries import Discovery, discoveries
from genzoo.results.numbers import count, listing, number, with_error
from genzoo.results.pairs import pairs
from genzoo.results.ranking import Ranking
from genzoo.results.ranks import Compared, Ranks, Told, compared, ranks
from genzoo.results.record import BASELINE, STACK
from genzoo.results.run import RunRecord
from genzoo.results.signed_rank import FEWEST, Belief, beliefs
from genzoo.results.statistics import LEVEL

SURE_BUT_WRONG = (  # held to benchmarks/results/error_rates.csv by tests/test_words.py
    "These are probabilities given the data sets at hand, not proofs: of two equally good "
    "families one side gets more than 95 % in about one case of eight, and of five equally good "
    "ones the first gets it against some other in about every second."
)


@dataclass(frozen=True)
class Line:
    """How the family that ranks first compares with another: ``words`` says all, ``widths`` are the
    shares of the three parts in per cent."""

    model: str
    parts: tuple[str, str, str]
    widths: tuple[float, float, float]
    words: str


@dataclass(frozen=True)
class Open:
    """A pair with a small table-wide q-value that its data set's own correction does not prove."""

    dataset: str
    models: tuple[str, str]
    difference: str
    q_value: str
    why: str


@dataclass(frozen=True)
class Across:
    """The part of the page; ``ranks`` is None where families can't be ranked, and ``about`` says
    why."""

    about: list[str]
    ranks: Ranks | None
    figure: Markup | None
    said: list[str]
    first: str
    level: str
    lines: list[Line]
    few: str
    listed: list[str]
    open: list[Open]


def across(run: RunRecord, rankings: Sequence[Ranking], colours: dict[str, int]) -> Across | None:
    """None of one data set, of which there is nothing to rank over."""
    if len(rankings) < 2:
        return None
    of = compared(run.models, rankings)
    found = ranks(of)
    first, lines = _beliefs(of, found)
    listed = discoveries([(r.dataset.name, pair) for r in rankings
                          for pair in pairs(run, r.dataset.name)])  # fmt: skip
    return Across(
        about=_about(of, found),
        ranks=found,
        figure=None if found is None else _figure(found, colours),
        said=[] if found is None else _said(found),
        first=first,
        level="" if found is None else _level(found),
        lines=lines,
        few="" if lines or found is None else _too_few(of),
        listed=_listed(listed),
        open=[_open(d) for d in listed if d.found and d.pair.winner is None],
    )


def _about(of: Compared, found: Ranks | None) -> list[str]:
    n, k = len(of.datasets), len(of.exact)
    if found is None:
        words = (
            f"Ranks need two data sets and two families with exact values on all of them, apart "
            f"from {BASELINE} and the {STACK}: here {count(k, 'such family')} on "
            f"{count(n, 'data set')}."
        )
    else:
        words = (
            f"Ranked are the {count(k, 'family')} with exact values on all {count(n, 'data set')}; "
            f"{BASELINE}, the mark of no skill, and the {STACK}, which is made of the others, take "
            f"no part."
        )
    out = [f"{model} ({reason})" for model, reason in of.left_out.items()]
    unused = [f"{dataset} ({reason})" for dataset, reason in of.unused.items()]
    return [
        words,
        *([f"Left out: {listing(out)}."] if out else []),
        *([f"Data sets that don't count: {listing(unused)}."] if unused else []),
    ]


def _figure(found: Ranks, colours: dict[str, int]) -> Markup:
    named = [f"{model} {number(rank, 2)}" for model, rank in found.mean.items()]
    named += [f"{model} at most {number(rank, 2)}" for model, rank in found.at_most.items()]
    return rank_diagram(found, colours, f"Mean ranks over data sets: {', '.join(named)}")


def _said(found: Ranks) -> list[str]:
    words = []
    if found.friedman is not None:
        verdict = (
            "The families don't all rank alike"
            if found.friedman < LEVEL
            else "That all families rank alike can't be ruled out"
        )
        words.append(f"{verdict} (Friedman's test, {_p(found.friedman)}).")
    told = [t for t in found.pairs if t.winner is not None]
    together = f"at 5 % for {_all(len(found.pairs), 'pair')}"
    sets = count(found.n_datasets, "data set")
    if told:
        words.append(f"Told apart, {together}: {listing(map(_better, told))}.")
    elif found.can_tell:
        words.append(f"No two of them are told apart, {together}.")
    else:
        words.append(
            f"No two of them are told apart, {together}, and none could be: it takes "
            f"{found.needed} data sets."
        )
    words.append(
        f"Signed ranks of {sets} can't give a p-value below {_shown(found.smallest)}; of "
        f"{count(len(found.pairs), 'pair')} the surest has to be below {_shown(found.threshold)}."
    )
    if found.at_most:
        of_bounds = [t for t in found.of_bounds if t.winner is not None]
        wins = f"better is shown for {listing(map(_better, of_bounds))}" if of_bounds else (
            "none is shown to be better than one with exact values"
        )  # fmt: skip
        words.append(
            f"{listing(found.at_most)} {'gives' if len(found.at_most) == 1 else 'give'} lower "
            f"bounds: a true mean rank is at most what is drawn, never worse; {wins}, at 5 % for "
            f"{_all(len(found.of_bounds), 'such pair')}."
        )
    return words


def _all(n: int, what: str) -> str:
    return "the one pair" if n == 1 else f"all {n} {what}s together"


def _better(told: Told) -> str:
    loser = next(model for model in told.models if model != told.winner)
    return f"{told.winner} better than {loser}"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {_shown(value)}"


def _shown(p_value: float) -> str:
    return number(p_value, 2 if p_value >= 0.1 else 4)


def _too_few(of: Compared) -> str:
    return (
        f"How probable it is that one family is better than another is not said of fewer than "
        f"{FEWEST} data sets: the prior would say more than {count(len(of.datasets), 'data set')}."
    )


def _beliefs(of: Compared, found: Ranks | None) -> tuple[str, list[Line]]:
    if found is None:
        return "", []
    first = next(iter(found.mean))
    about = [b if b.models[0] == first else b.reversed for b in beliefs(of) if first in b.models]
    order = list(found.mean)
    return first, [_line(b) for b in sorted(about, key=lambda b: order.index(b.models[1]))]


def _level(found: Ranks) -> str:
    """Who else has the first one's mean rank."""
    first, *others = found.mean
    return listing(model for model in others if found.mean[model] == found.mean[first])


def _line(belief: Belief) -> Line:
    first, other = belief.models
    better, alike, worse = map(_percent, (belief.better, belief.alike, belief.worse))
    widths = 100 * belief.better, 100 * belief.alike, 100 * belief.worse
    words = (
        f"{first} goes farther than {other} with a probability of {better} %, they are practically "
        f"equal with {alike} %, {other} goes farther with {worse} %"
    )
    return Line(other, (better, alike, worse), widths, words)


def _percent(share: float) -> str:
    """Without the certainty that rounding would make up."""
    return ">99" if 0.995 <= share < 1 else "<1" if 0 < share < 0.005 else number(100 * share, 0)


def _listed(found: Sequence[Discovery]) -> list[str]:
    if not found:
        return []
    n, proven = sum(d.found for d in found), sum(d.pair.winner is not None for d in found)
    if n == 0:
        return [
            f"Of all {len(found)} pairs of all data sets in one list none differs with a "
            "table-wide q-value below 5 % (Benjamini-Hochberg)."
        ]
    return [
        f"Of all {len(found)} pairs of all data sets in one list {n} differ with a table-wide "
        f"q-value below 5 % (Benjamini-Hochberg): of these about one in twenty may be no "
        f"difference at all.",
        f"{proven} of the pairs are proven and worth a choice by the correction of their own data "
        f"set, which the counts above go by.",
    ]


def _open(found: Discovery) -> Open:
    d = found.pair.difference
    assert d is not None
    small = abs(d.value) < LEAST
    return Open(
        found.dataset,
        found.pair.models,
        with_error(d.value, d.stderr),
        number(found.q_value, 3),
        f"under {number(LEAST)} nats" if small else "not by Holm",
    )


def rope() -> str:
    """Half its width, in per cent of the way."""
    return number(100 * SHARE, 0)
