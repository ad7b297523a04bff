"""Where a likelihood that is not exact comes from, and how much is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from genzoo.report.numbers import DASH, number, with_error
from genzoo.report.summary import Entry, Ranking

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
    """A model's row of the table of bounds, as text; means over the folds.

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
    return _mean(_of(entry, "calibration"), "marginal_weight")


def _bound(entry: Entry) -> Bound:
    sources = _of(entry, "bound")
    names = list(dict.fromkeys(s["estimator"] for s in sources if s["estimator"]))
    low, weight = _mean(sources, "ess_low"), marginal_weight(entry)
    gap, about = _gap(sources)
    return Bound(
        entry.model,
        entry.kind.replace("_", " "),
        [(name.upper(), ESTIMATORS.get(name, "")) for name in names],
        _draws(_mean(sources, "ess_median")),
        _draws(low),
        low is not None and low < FEW_DRAWS,
        gap,
        about,
        _calibration(_of(entry, "calibration")),
        DASH if weight is None else number(weight, 2),
        weight is not None and weight > MUCH_MARGINAL,
    )


def _of(entry: Entry, field: str) -> list[dict[str, Any]]:
    cells = [] if entry.fit is None else entry.fit.cells
    return [c.record[field] for c in cells if c.record.get(field)]


def _mean(parts: list[dict[str, Any]], name: str) -> float | None:
    known = [part[name] for part in parts if part.get(name) is not None]
    return float(np.mean(known)) if known else None


def _draws(value: float | None) -> str:
    return number(value, 1 if value is not None and value < 100 else 0)


def _gap(sources: list[dict[str, Any]]) -> tuple[str, str]:
    gaps = [s["gap"] for s in sources if s["gap"]]
    if not gaps:
        return DASH, next((s["gap_refused"] for s in sources if s["gap_refused"]), "")
    value = with_error(_mean(gaps, "value"), _mean(gaps, "stderr"))
    return value, f"on {gaps[0]['n']} of its own samples"


def _calibration(found: list[dict[str, Any]]) -> str:
    before, after = _mean(found, "before"), _mean(found, "after")
    return DASH if after is None else f"{number(before)} → {number(after)}"
