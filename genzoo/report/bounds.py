"""Where a likelihood that is not exact comes from, and how much is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genzoo.results.contender import Contender, at
from genzoo.results.numbers import DASH, number, with_error
from genzoo.results.ranking import Entry, Ranking
from genzoo.results.record import STACK, CellRecord

ESTIMATORS = {
    "elbo": "evidence lower bound",
    "iwae": "importance-weighted bound",
    "ais": "annealed importance sampling",
    "iwae+ais": "importance-weighted bound, annealed where too few draws count",
    "smc": "sequential Monte Carlo",
}
FEW_DRAWS = 2.0  # with fewer, a single draw decides the value of a row
MUCH_MARGINAL = 0.1


@dataclass(frozen=True)
class Bound:
    """A model's row of the table of bounds, as text; means over the folds, none where one lacks it.

    ``estimators`` are short and long names, several where folds differ.
    ``gap`` certifies the estimator, ``about`` says how or why it is missing; ``calibration`` (the
    bound before and after) and ``weight`` (of the training marginals) are those of a family that
    calibrates its observation model after training.
    """

    model: str
    kind: str
    estimators: list[tuple[str, str]]
    draws: str
    few_draws: str
    is_low: bool
    gap: str
    about: str
    calibration: str
    weight: str
    is_much: bool


def bounds(ranking: Ranking) -> list[Bound]:
    """The models of a data set whose values are not exact, best first; the stack's bound is that of
    its parts."""
    able = [entry for entry in ranking.entries if entry.model != STACK]
    return [_bound(entry) for entry in able if entry.kind != "exact"]


def of_calibration(name: str) -> Callable[[CellRecord], float | None]:
    """A number of the calibration."""
    return lambda record: (record.calibration or {}).get(name)


def marginal_weight(entry: Entry) -> float | None:
    """The share of the observation model that is the training marginals, mean over the folds; None
    for a family that has no such share."""
    return None if entry.fit is None else entry.fit.mean(of_calibration("marginal_weight"))


def _bound(entry: Entry) -> Bound:
    fit = entry.fit
    assert fit is not None
    names = [r.bound.estimator for r in fit.records if r.bound and r.bound.estimator]
    low, weight = fit.mean(at(lambda r: r.bound, lambda b: b.ess_low)), marginal_weight(entry)
    gap, about = _gap(fit)
    return Bound(
        entry.model,
        entry.kind.replace("_", " "),
        [(name.upper(), ESTIMATORS.get(name, "")) for name in dict.fromkeys(names)],
        _draws(fit.mean(at(lambda r: r.bound, lambda b: b.ess_median))),
        _draws(low),
        low is not None and low < FEW_DRAWS,
        gap,
        about,
        _calibration(fit),
        DASH if weight is None else number(weight, 2),
        weight is not None and weight > MUCH_MARGINAL,
    )


def _draws(value: float | None) -> str:
    return number(value, 1 if value is not None and value < 100 else 0)


def _gap(fit: Contender) -> tuple[str, str]:
    gap, parts = (
        fit.measured(at(lambda r: r.bound, lambda b: b.gap)),
        [r.bound for r in fit.records],
    )
    if gap is not None:
        n = next(part.gap.n for part in parts if part and part.gap)
        return with_error(*gap), f"on {n} of its own samples"
    return DASH, next((part.gap_refused for part in parts if part and part.gap_refused), "")


def _calibration(fit: Contender) -> str:
    before, after = (fit.mean(of_calibration(when)) for when in ("before", "after"))
    return DASH if after is None else f"{number(before)} → {number(after)}"
