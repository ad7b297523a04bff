"""Which family to use for what: the decisions, by what validation chose and test rows prove.

The rule is in ``genzoo.results.choice``; ``genzoo.report.advice`` says it in words. Nothing is
called better that is not proven so, and nothing is called equal for want of a proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from genzoo.results.choice import (
    FEWEST_RARER,
    FEWEST_TO_CHOOSE_BY,
    Choice,
    by_label,
    by_likelihood,
    choose_label,
    choose_likelihood,
    choose_samples,
    n_valid,
    ranked,
)
from genzoo.results.contender import Contender, of_valid_labels
from genzoo.results.record import BASELINE
from genzoo.results.run import RunRecord

Purpose = Literal["none", "likelihood", "queries", "samples", "label", "speed"]


@dataclass(frozen=True)
class Decision:
    """What to use for a purpose.

    Attributes:
        best: the one that is recommended; None where nothing can be.
        why: which case of the rule it is, as the functions of this module name them.
        choice: what was chosen and proven, where the purpose has a score of its own.
    """

    purpose: Purpose
    best: Contender | None
    why: str
    choice: Choice | None = None


@dataclass(frozen=True)
class Queries(Decision):
    """Of those that learn dependence, who sums out hidden entries exactly, who approximates, and
    who refuses; ``behind``: those with no higher likelihood than the baseline, where that is best.
    """

    exact: Sequence[Contender] = ()
    rest: Sequence[Contender] = ()
    refused: Sequence[Contender] = ()
    behind: Sequence[Contender] = ()


def decide(run: RunRecord, dataset: str) -> list[Decision]:
    """A decision for each purpose; one that says why not where validation rows are too few; none
    where no model has validation figures."""
    choice = choose_likelihood(run, dataset)
    if choice is None:
        return []
    if too_few(run, dataset) is not None:
        return [Decision("none", None, "too few rows")]
    fits = ranked(run, dataset)
    found = [likelihood(choice), queries(fits), samples(run, dataset)]
    if any(record.label for fit in fits for record in fit.records):
        found.append(label(run, dataset))
    return [*found, speed(choice, fits)]


def too_few(run: RunRecord, dataset: str) -> int | None:
    """How many validation rows there are, if that is too few to choose by."""
    fits = ranked(run, dataset)
    n = n_valid(fits[0]) if fits else FEWEST_TO_CHOOSE_BY
    return n if n < FEWEST_TO_CHOOSE_BY else None


def likelihood(choice: Choice) -> Decision:
    if choice.too_short:
        return Decision("likelihood", None, "too short", choice)
    return Decision("likelihood", choice.recommended, "chosen", choice)


def queries(fits: Sequence[Contender]) -> Queries:
    """By validation likelihood, of those that sum out exactly; a family that is no better than the
    baseline is recommended for nothing."""

    def of_kind(*kinds: str) -> list[Contender]:
        return [fit for fit in fits if _kind_of_query(fit) in kinds]

    def value(fit: Contender) -> float:
        return by_likelihood(fit) or 0.0

    exact = [fit for fit in of_kind("exact") if fit.model != BASELINE]
    baseline = [fit for fit in of_kind("exact") if fit.model == BASELINE]
    rest = of_kind("lower_bound", "estimate", "mixed")
    able, behind = exact or rest, list[Contender]()
    if baseline and able and value(able[0]) <= value(baseline[0]):
        best, why = baseline[0], "baseline"
        behind = [fit for fit in able if value(fit) <= value(best)]
    elif able:
        best, why = able[0], "exact" if exact else "approximate"
    elif baseline:
        best, why = baseline[0], "only the baseline"
    else:
        return Queries("queries", None, "nobody")
    return Queries("queries", best, why, None, exact, rest, of_kind("unsupported"), behind)


def _kind_of_query(fit: Contender) -> str:
    kinds = {str(r.validation and r.validation.query) for r in fit.records}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def samples(run: RunRecord, dataset: str) -> Decision:
    choice = choose_samples(run, dataset)
    if choice is None:
        return Decision("samples", None, "not judged")
    if choice.recommended.metric("c2st") is None:
        return Decision("samples", None, "not tested", choice)
    if choice.too_short:
        return Decision("samples", None, "too short", choice)
    return Decision("samples", choice.recommended, "chosen", choice)


def label(run: RunRecord, dataset: str) -> Decision:
    """None but one that is shown to know more of it than its shares in training."""
    choice = choose_label(run, dataset)
    if choice is None:
        return Decision("label", None, "nobody")
    chosen, best = choice.chosen, choice.recommended
    shares = chosen.pooled(of_valid_labels, lambda p: p.no_skill_log_prob) or 0.0
    reasons = {
        "too few rows": n_valid(chosen, of_valid_labels) < FEWEST_TO_CHOOSE_BY,
        "no skill": chosen.model == BASELINE or (by_label(chosen) or 0.0) <= shares,
        "too short": choice.too_short,
        "too few rarer": choice.rarer < FEWEST_RARER,
        "baseline is better": best.model == BASELINE,
        "not skilled": not choice.skilled,
    }
    why = next((reason for reason, holds in reasons.items() if holds), "chosen")
    return Decision("label", best if why == "chosen" else None, why, choice)


def speed(choice: Choice, fits: Sequence[Contender]) -> Decision:
    """The fastest; one that loses to the baseline is recommended for nothing, however fast."""
    baseline = next((fit for fit in fits if fit.model == BASELINE), None)
    least = None if baseline is None else by_likelihood(baseline) or 0.0
    able = [fit for fit in fits if least is None or (by_likelihood(fit) or 0.0) > least]
    best = min(able, key=lambda fit: fit.cost) if able else fits[0]
    if choice.recommended.model == BASELINE:
        best = choice.recommended
    return Decision("speed", best, "chosen", choice)
