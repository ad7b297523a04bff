"""Which family to use for what, in words: chosen on validation rows, never on test rows.

The choice among families is made where the test rows aren't touched, so that the winner's test
figures stay an honest forecast. A difference that may be luck of the validation rows is called so,
and the smaller or faster family is named. A lower bound below another value proves nothing. Where
validation rows are too few to tell families apart, nothing is recommended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.benchmark.statistics import (
    LEVEL,
    Difference,
    can_prove,
    holm,
    paired_difference,
    weakest,
)
from genzoo.report.numbers import ascii_marks, listing, number, seconds, with_error
from genzoo.report.records import Cell, RunRecord, read_run
from genzoo.report.summary import BASELINE

TOO_FEW, FEW_ROWS = 30, 50  # below: nothing is recommended; a word of caution
PURPOSES = {
    "none": "Too few rows to choose",
    "likelihood": "Likelihoods, anomaly scores",
    "queries": "Exact queries, holes",
    "samples": "Samples that look real",
    "label": "Telling the label",
    "speed": "Speed and size",
}
ROWS, GROUPS = "validation rows", "groups of validation rows"


@dataclass(frozen=True)
class Advice:
    """What to use for a purpose and why; ``model`` is None where nothing can be recommended."""

    purpose: str
    model: str | None
    words: str

    @property
    def title(self) -> str:
        return PURPOSES[self.purpose]


@dataclass
class Candidate:
    """A model on one data set as its validation rows show it: means over its seeds.

    Attributes:
        value, stderr: mean log-probability of validation rows in nats, and its error over rows.
        kind: the weakest kind among the seeds.
        log_prob, groups, right: by validation row; None where not kept.
    """

    model: str
    cells: list[Cell]
    value: float
    stderr: float | None
    kind: str
    log_prob: np.ndarray | None
    groups: np.ndarray | None
    right: np.ndarray | None = field(default=None)

    @property
    def improving(self) -> bool:
        return any((c.record["training"] or {}).get("converged") is False for c in self.cells)

    def mean(self, *path: str) -> float | None:
        """The mean over seeds of a number of the record; None where a seed lacks it."""
        found = [_at(c.record, path) for c in self.cells]
        return None if None in found else float(np.mean(found))

    @property
    def cost(self) -> float:
        """Seconds of training: what is called fast."""
        return self.mean("train_seconds") or 0.0


def _at(record: dict[str, Any], path: Sequence[str]) -> Any:
    value: Any = record
    for name in path:
        value = None if value is None else value.get(name)
    return value


def candidates(run: RunRecord, dataset: str) -> list[Candidate]:
    """The models with a result on a data set, best first; those that raised an alarm are no
    choice."""
    found = []
    for model in run.asked(dataset):
        cells = [c for c in run.of(model, dataset) if c.ok and _at(c.record, ("validation",))]
        if not cells or any(_at(c.record, ("alarm", "raised")) for c in cells):
            continue
        valid = [c.record["validation"] for c in cells]
        if any(v["log_prob"] is None for v in valid):
            continue
        errors = [v["stderr"] for v in valid if v["stderr"] is not None]
        found.append(
            Candidate(
                model,
                cells,
                float(np.mean([v["log_prob"] for v in valid])),
                float(np.mean(errors)) if errors else None,
                weakest([v["kind"] for v in valid]),
                _mean([c.valid_log_prob for c in cells]),
                cells[0].valid_groups,
                _mean([c.valid_right for c in cells]),
            )
        )
    # an estimate may lie above the true value: it wins only among its like
    return sorted(found, key=lambda c: (c.kind == "estimate", -c.value))


def _mean(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    kept = [a for a in arrays if a is not None]
    if len(kept) < len(arrays) or len({a.shape for a in kept}) != 1:
        return None
    return np.mean([a.astype(np.float64) for a in kept], axis=0)


def winner(run: RunRecord, dataset: str) -> Cell | None:
    """The cell of the model with the highest validation likelihood, at its best seed."""
    ranked = candidates(run, dataset)
    if not ranked:
        return None
    return max(ranked[0].cells, key=lambda c: c.record["validation"]["log_prob"])


def advise(run: RunRecord, dataset: str) -> list[Advice]:
    """A line for each purpose; one that says why not where validation rows are too few; none where
    no model has validation figures."""
    ranked = candidates(run, dataset)
    if not ranked:
        return []
    if few := too_few(run, dataset):
        rows = few.partition(" ")[2]
        need = f"At least {TOO_FEW} {rows} are needed to recommend anything"
        if _facts(run, dataset).get("file") and rows == ROWS:
            need += f": a file of about {10 * TOO_FEW} rows"
        words = f"{few} can't tell families apart: differences may be luck. {need}."
        return [Advice("none", None, words)]
    clamps = _has_ranges(run, dataset)
    found = [_likelihood(ranked, clamps=clamps), _queries(ranked), _samples(ranked)]
    if any(c.mean("validation", "accuracy", "value") is not None for c in ranked):
        found.append(_label(ranked))
    return [*found, _speed(ranked)]


def basis(run: RunRecord, dataset: str) -> str:
    """What the choice rests on, in a sentence."""
    ranked = candidates(run, dataset)
    if not ranked:
        return "No model has figures on validation rows: nothing is recommended."
    if few := too_few(run, dataset):
        return f"{few} are too few to choose by: nothing is recommended."
    n = max(c.record["validation"]["n"] for c in ranked[0].cells)
    few = " These are few: read ties as open, not as equal." if n < FEW_ROWS else ""
    return f"Chosen on {n} validation rows; the test rows only judge the choice.{few}"


def too_few(run: RunRecord, dataset: str) -> str | None:
    """How many validation rows there are, or groups of rows that belong together, if that is too
    few to choose by: ``"12 validation rows"``."""
    ranked = candidates(run, dataset)
    if not ranked:
        return None
    groups = ranked[0].groups
    n = max(c.record["validation"]["n"] for c in ranked[0].cells)
    n, what = (n, ROWS) if groups is None else (len(np.unique(groups)), GROUPS)
    return f"{n} {what}" if n < TOO_FEW else None


def _facts(run: RunRecord, dataset: str) -> dict[str, Any]:
    return next((d.facts for d in run.datasets if d.name == dataset), {})


def _has_ranges(run: RunRecord, dataset: str) -> bool:
    """Whether a table has numbers, of which the schema knows those within its range."""
    schema = next((d.schema for d in run.datasets if d.name == dataset), None)
    if schema is None or schema.layout != "table":
        return False
    return any(v.is_numeric for v in schema.variables)


def in_words(folder: str | Path, datasets: Sequence[str]) -> str:
    """The recommendations for some data sets of a run, as text for a terminal."""
    run = read_run(folder)
    blocks = []
    for dataset in datasets:
        lines = [f"What to use on {dataset} ({ascii_marks(basis(run, dataset))})"]
        for advice in advise(run, dataset):
            lines.append(f"- {advice.title}: {ascii_marks(advice.words)}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


# -------------------------------------------------------------------------------- by purpose


def _split(
    best: Candidate, others: list[Candidate], difference: Callable[[Candidate], Difference | None]
) -> tuple[list[Candidate], list[Candidate], list[Candidate]]:
    """The others that are proven worse, those that may be as good, and those that are open."""
    closed = [c for c in others if can_prove(best.kind, c.kind)]
    differences = [difference(c) for c in closed]
    p = holm([math.nan if d is None else d.p_value() for d in differences])
    worse = [
        c
        for c, d, level in zip(closed, differences, p, strict=True)
        if d is not None and d.value > 0 and level < LEVEL
    ]
    tied = [c for c in closed if c not in worse]
    return worse, tied, [c for c in others if c not in closed]


def _by_row(best: Candidate) -> Callable[[Candidate], Difference | None]:
    def difference(other: Candidate) -> Difference | None:
        a, b = best.log_prob, other.log_prob
        if a is None or b is None or a.shape != b.shape:
            return None
        return paired_difference(a, b, best.groups)

    return difference


def _names(found: Sequence[Candidate]) -> str:
    return listing([c.model for c in found])


def _likelihood(ranked: list[Candidate], *, clamps: bool) -> Advice:
    best, others = ranked[0], ranked[1:]
    worse, tied, opened = _split(best, others, _by_row(best))
    words = [f"{best.model}, with {_nats(best)} nats a row."]
    if worse:
        words.append(f"It is proven better than {_names(worse)}.")
    if tied:
        quick = min([best, *tied], key=lambda c: c.cost)
        words.append(f"No proven difference to {_names(tied)}{_quicker(best, quick)}.")
    if opened and best.kind == "estimate":
        words.append("Its value is an estimate, which proves nothing.")
    elif opened:
        verb = "gives" if len(opened) == 1 else "give"
        words.append(
            f"{_names(opened)} {verb} only a lower bound that lies below: the true value may be "
            f"higher, nothing is proven."
        )
    if best.kind != "exact":
        exact = next((c for c in others if c.kind == "exact"), None)
        if exact is not None:
            words.append(
                f"For scores of single rows, where a bound is loose by a different amount in each, "
                f"take {exact.model} ({_nats(exact)}, exact)."
            )
    baseline = next((c for c in ranked if c.model == BASELINE), None)
    if baseline is not None and (baseline is best or baseline in tied):
        words.append("No dependence between the columns is proven to be learned.")
    words += _still_improving(ranked)
    if clamps:
        words.append(
            "This holds for numbers within the range seen in training: one beyond it is scored as "
            "the end of the range, so that an impossible value may look likely; 'genzoo score' "
            "counts such rows."
        )
    return Advice("likelihood", best.model, " ".join(words))


def _nats(candidate: Candidate) -> str:
    return with_error(candidate.value, candidate.stderr, candidate.kind)


def _quicker(best: Candidate, quick: Candidate) -> str:
    if quick is best:
        return f"; it is the fastest of these to train ({seconds(best.cost)})"
    return (
        f": {quick.model} trains in {seconds(quick.cost)} instead of {seconds(best.cost)}, take it "
        f"where speed or simplicity counts"
    )


def _still_improving(ranked: list[Candidate]) -> list[str]:
    improving = [c for c in ranked if c.improving]
    if not improving:
        return []
    verb = "was" if len(improving) == 1 else "were"
    return [
        f"{_names(improving)} {verb} still improving when training stopped: a longer budget may "
        f"change this."
    ]


def _queries(ranked: list[Candidate]) -> Advice:
    def kind(candidate: Candidate) -> str:
        kinds = {_at(c.record, ("validation", "query")) for c in candidate.cells}
        return str(kinds.pop()) if len(kinds) == 1 else "mixed"

    exact = [c for c in ranked if kind(c) == "exact" and c.model != BASELINE]
    rest = [c for c in ranked if kind(c) in ("lower_bound", "estimate", "mixed")]
    refused = [c for c in ranked if kind(c) == "unsupported"]
    baseline = [c for c in ranked if kind(c) == "exact" and c.model == BASELINE]
    learned = exact or rest
    if baseline and learned and learned[0].value <= baseline[0].value:
        best = baseline[0]
        behind = [c for c in learned if c.value <= best.value]
        words = (
            f"{best.model} sums out hidden entries exactly ({_cost_of_query(best)}); it knows no "
            f"dependence, but {_names(behind)} {'has' if len(behind) == 1 else 'have'} no higher "
            f"likelihood on validation rows."
        )
    elif exact:
        best = exact[0]
        words = f"{best.model} sums out hidden entries exactly ({_cost_of_query(best)})"
        if best is not ranked[0] and len(exact) > 1:
            words += f", and is the likeliest of {_names(exact)}"
        words += "." if best is ranked[0] else f"; it has {_nats(best)} nats a row."
        words += f" {_names(rest)} can do no more than approximate." if rest else ""
    elif rest:
        best = rest[0]
        words = (
            f"{best.model} sums out hidden entries by a bound or an estimate "
            f"({_cost_of_query(best)}); no family that learns dependence does so exactly here."
        )
    elif baseline:
        best = baseline[0]
        words = f"only {best.model} can do it, which knows no dependence."
    else:
        return Advice("queries", None, "no family can sum out hidden entries here.")
    words += f" {_names(refused)} can't do it." if refused else ""
    return Advice("queries", best.model, words)


def _cost_of_query(candidate: Candidate) -> str:
    cost = candidate.mean("validation", "query_seconds") or 0.0
    return f"{seconds(cost) if cost >= 0.095 else f'{1000 * cost:.2g} ms'} a row"


def _samples(ranked: list[Candidate]) -> Advice:
    def score(candidate: Candidate) -> tuple[float, float] | None:
        value = candidate.mean("validation", "c2st", "value")
        error = candidate.mean("validation", "c2st", "stderr")
        # below a half is luck: told apart no better than by a coin
        return None if value is None else (max(value, 0.5), error or 0.0)

    scored = [(c, s) for c in ranked for s in [score(c)] if s is not None]
    if not scored:
        return Advice("samples", None, "there are too few validation rows to compare samples with.")
    best, (value, error) = min(scored, key=lambda pair: pair[1][0])
    tied = [c for c, (v, e) in scored if c is not best and v - value < 2 * math.hypot(e, error)]
    chosen = next(c for c in ranked if c is best or c in tied)  # of these, the likeliest
    at = {c.model: s for c, s in scored}[chosen.model]
    words = (
        f"{chosen.model}: trees tell its samples from real rows in {number(100 * at[0], 0)} +- "
        f"{number(100 * at[1], 0)} % of cases (50 %: not at all)."
    )
    others = [c for c, _ in scored if c is not chosen and (c is best or c in tied)]
    if others:
        words += f" No proven difference to {_names(others)}; of these it is the likeliest."
    if at[0] - 2 * at[1] > 0.6:
        words += " Even these are easily told apart."
    return Advice("samples", chosen.model, words)


def _label(ranked: list[Candidate]) -> Advice:
    scored = [c for c in ranked if c.mean("validation", "accuracy", "value") is not None]

    def accuracy(candidate: Candidate) -> float:
        return candidate.mean("validation", "accuracy", "value") or 0.0

    best = max(scored, key=accuracy)

    def p_value(other: Candidate) -> float:
        if best.right is None or other.right is None:
            return math.nan
        n = min(len(best.right), len(other.right))
        return paired_difference(best.right[:n], other.right[:n]).p_value()

    others = [c for c in scored if c is not best]
    adjusted = holm([p_value(c) for c in others])
    tied = [c for c, p in zip(others, adjusted, strict=True) if p >= LEVEL]
    chosen = min([best, *tied], key=lambda c: c.cost)
    error = chosen.mean("validation", "accuracy", "stderr")
    majority = best.mean("validation", "accuracy", "majority") or 0.0
    n = int(chosen.mean("validation", "accuracy", "n") or 0)
    if accuracy(best) <= majority:
        words = (
            f"none: no family is right more often than always saying the commonest label would be "
            f"({number(100 * majority, 1)} % of {n} rows)."
        )
        return Advice("label", None, words)
    words = (
        f"{chosen.model}: right in {number(100 * accuracy(chosen), 1)} +- "
        f"{number(100 * (error or 0.0), 1)} % of {n} rows (always the commonest label: "
        f"{number(100 * majority, 1)} %)."
    )
    if tied:
        rest = [c for c in [best, *tied] if c is not chosen]
        words += f" No proven difference to {_names(rest)}; of these it is the fastest to train."
    return Advice("label", chosen.model, words)


def _speed(ranked: list[Candidate]) -> Advice:
    baseline = next((c for c in ranked if c.model == BASELINE), None)
    # a family that loses to the baseline is recommended for nothing, however fast
    learned = [c for c in ranked if baseline is None or c.value > baseline.value]
    quick = min(learned, key=lambda c: c.cost) if learned else ranked[0]
    size = quick.mean("n_parameters")
    words = f"{quick.model} trains in {seconds(quick.cost)}"
    words += f" and has {number(size, 0)} parameters" if size is not None else ""
    if quick is ranked[0]:
        words += "; it has the highest likelihood on validation rows as well."
        return Advice("speed", quick.model, words)
    difference = _by_row(ranked[0])(quick)
    best = ranked[0]
    loss = "an unknown amount" if difference is None else (
        f"{with_error(difference.value, difference.stderr)} nats a row"
    )  # fmt: skip
    if quick.kind != "exact":
        loss = f"at most {loss}" if best.kind == "exact" else f"about {loss}, by bounds"
    words += (
        f"; on validation rows it loses {loss} to {best.model}, which takes {seconds(best.cost)}."
    )
    return Advice("speed", quick.model, words)
