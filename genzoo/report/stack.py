"""What each model is to the stack of all: its weight, and what it knows that the others don't."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genzoo.results.choice import ranked
from genzoo.results.contender import Contender
from genzoo.results.numbers import listing, number, with_error
from genzoo.results.ranking import Ranking
from genzoo.results.record import STACK, StackPart
from genzoo.results.run import RunRecord
from genzoo.results.statistics import paired_difference

WORTH_A_WORD = 0.005  # of the weights: less is shown as 0.00


@dataclass(frozen=True)
class Part:
    """A model's line, as text; ``share`` is its weight, in [0, 1]."""

    model: str
    share: float
    weight: str
    worth: str
    log_prob: str


@dataclass(frozen=True)
class Table:
    """The stack's parts, the largest weight first, and what it gains, in sentences."""

    parts: list[Part]
    words: list[str]


def table(run: RunRecord, ranking: Ranking) -> Table | None:
    """The stack that validation chose among the seeds; None where there is none."""
    fit = next((e.fit for e in ranking.entries if e.model == STACK), None)
    if fit is None:
        return None
    found = [(label, _over_folds(fit, label)) for label in (fit.records[0].stack or {})]
    parts = [
        Part(
            label,
            part.weight,
            number(part.weight, 2),
            number(part.worth, 3),
            number(part.log_prob, 3),
        )
        for label, part in sorted(found, key=lambda pair: -pair[1].weight)
    ]
    return Table(parts, _words(run, ranking, fit))


def _over_folds(fit: Contender, label: str) -> StackPart:
    """Means over the folds."""
    parts = [r.stack[label] for r in fit.records if r.stack is not None]
    worth = [p.worth for p in parts if p.worth is not None]
    return StackPart(
        float(np.mean([p.weight for p in parts])),
        float(np.mean(worth)) if len(worth) == len(parts) else None,
        float(np.mean([p.log_prob for p in parts])),
    )


def shares(fit: Contender) -> str:
    """``0.56 ngram and 0.44 mixture``: the weights that are worth a word."""
    weights = {label: _over_folds(fit, label).weight for label in (fit.records[0].stack or {})}
    ordered = sorted(weights.items(), key=lambda pair: -pair[1])
    return listing(f"{number(w, 2)} {label}" for label, w in ordered if w >= WORTH_A_WORD)


def _words(run: RunRecord, ranking: Ranking, fit: Contender) -> list[str]:
    if fit.alone is not None:
        return [f"All weight is on {fit.alone}: on validation rows no mixture is worth more."]
    best = next(iter(ranked(run, ranking.dataset.name)), None)
    ours = fit.array("valid_log_prob")
    theirs = None if best is None else best.array("valid_log_prob")
    if best is None or ours is None or theirs is None or ours.shape != theirs.shape:
        return []
    d = paired_difference(ours, theirs, fit.groups_of("valid_groups"))
    side = "above" if d.value >= 0 else "below"
    return [
        f"On validation rows, cross-fitted, it lies {with_error(abs(d.value), d.stderr)} nats a "
        f"row {side} {best.model}, the best single model there; what test rows show stands in the "
        f"ranking."
    ]
