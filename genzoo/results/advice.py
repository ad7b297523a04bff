"""What is recommended where no score of its own decides: when to say nothing, queries, speed.

The rule for all else is in ``genzoo.results.choice``; ``genzoo.report.advice`` says it in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genzoo.results.choice import FEWEST_TO_CHOOSE_BY, Choice, by_likelihood, n_valid, ranked
from genzoo.results.contender import Contender
from genzoo.results.record import BASELINE
from genzoo.results.run import RunRecord


@dataclass(frozen=True)
class Queries:
    """Of those that learn dependence, by validation likelihood: who sums out hidden entries
    exactly, who approximates, and who refuses; the baseline, where it sums out exactly, and
    ``behind``: those with no higher likelihood than it, where the best of the others has none.
    """

    exact: Sequence[Contender]
    rest: Sequence[Contender]
    refused: Sequence[Contender]
    baseline: Contender | None
    behind: Sequence[Contender]

    @property
    def best(self) -> Contender | None:
        """Who is recommended; a family that is no better than the baseline is for nothing."""
        able = [*self.exact, *self.rest]
        return able[0] if able and not self.behind else self.baseline


def too_few(run: RunRecord, dataset: str) -> int | None:
    """How many validation rows there are, if that is too few to choose by."""
    fits = ranked(run, dataset)
    n = n_valid(fits[0]) if fits else FEWEST_TO_CHOOSE_BY
    return n if n < FEWEST_TO_CHOOSE_BY else None


def queries(fits: Sequence[Contender]) -> Queries:
    def of_kind(*kinds: str) -> list[Contender]:
        return [fit for fit in fits if _kind_of_query(fit) in kinds]

    exact = [fit for fit in of_kind("exact") if fit.model != BASELINE]
    baseline = next((fit for fit in of_kind("exact") if fit.model == BASELINE), None)
    rest = of_kind("lower_bound", "estimate", "mixed")
    able, behind = exact or rest, list[Contender]()
    if baseline is not None and able and _value(able[0]) <= _value(baseline):
        behind = [fit for fit in able if _value(fit) <= _value(baseline)]
    return Queries(exact, rest, of_kind("unsupported"), baseline, behind)


def _kind_of_query(fit: Contender) -> str:
    kinds = {str(r.validation and r.validation.query) for r in fit.records}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def fastest(choice: Choice, fits: Sequence[Contender]) -> Contender:
    """One that loses to the baseline is recommended for nothing, however fast."""
    if choice.recommended.model == BASELINE:
        return choice.recommended
    least = next((_value(fit) for fit in fits if fit.model == BASELINE), None)
    able = [fit for fit in fits if least is None or _value(fit) > least]
    return min(able, key=lambda fit: fit.cost) if able else fits[0]


def _value(fit: Contender) -> float:
    return by_likelihood(fit) or 0.0
