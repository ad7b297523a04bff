"""Where a likelihood that is not exact comes from, and how much is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from genzoo.results.numbers import DASH, number, with_error
from genzoo.results.ranking import Entry, Ranking
from genzoo.results.record import Fit

ESTIMATORS = {
    "elbo": "evidence lower bound",
    "iwae": "importance-weighted bound",
    "ais": "annealed importance sampling",
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
    """The models of a data set whose values are not exact, best first."""
    return [_bound(entry) for entry in ranking.entries if entry.kind != "exact"]


def marginal_weight(entry: Entry) -> float | None:
    """The share of the observation model that is the training marginals, mean over the folds; None
    for a family that has no such share."""
    return None if entry.fit is None else entry.fit.mean("calibration", "marginal_weight")


def _bound(entry: Entry) -> Bound:
    fit = entry.fit
    assert fit is not None
    sources = [c.record["bound"] for c in fit.cells if c.record.get("bound")]
    names = list(dict.fromkeys(s["estimator"] for s in sources if s["estimator"]))
    low, weight = fit.mean("bound", "ess_low"), marginal_weight(entry)
    gap, about = _gap(fit)
    return Bound(
        entry.model,
        entry.kind.replace("_", " "),
        [(name.upper(), ESTIMATORS.get(name, "")) for name in names],
        _draws(fit.mean("bound", "ess_median")),
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


def _gap(fit: Fit) -> tuple[str, str]:
    gap = fit.measured("bound", "gap")
    if gap is not None:
        return with_error(*gap), f"on {fit.cells[0].at('bound', 'gap', 'n')} of its own samples"
    refusals = (c.at("bound", "gap_refused") for c in fit.cells)
    return DASH, next((why for why in refusals if why), "")


def _calibration(fit: Fit) -> str:
    before, after = (fit.mean("calibration", when) for when in ("before", "after"))
    return DASH if after is None else f"{number(before)} → {number(after)}"
