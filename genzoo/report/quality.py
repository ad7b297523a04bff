"""What the metrics of samples say: a table of models and references, and who copies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genzoo.benchmark.plan import COPYCAT, HELD_OUT
from genzoo.registry import LIKELIHOOD_METRICS
from genzoo.report.numbers import decimals, listing, number, with_error
from genzoo.report.records import Cell, RunRecord
from genzoo.report.summary import Ranking

TELLS_APART, SURE = 2.0, 3.0  # standard errors of a difference
HALF_WAY = 0.5  # from fresh rows to copied ones
MEMORISATION = "memorisation"
IDEALS = {"density": "1", "novelty": "0", MEMORISATION: "0.5"}  # neither more nor less is best
WORDS = {
    "c2st": (
        "C2ST",
        "Classifier two-sample test: how often gradient-boosted trees tell samples from test rows, "
        "held out. 0.5: not better than tossing a coin; 1: always.",
    ),
    "mmd": (
        "MMD²",
        "Squared maximum mean discrepancy: the distance of samples and test rows in the space of a "
        "kernel over all variables. 0 for a perfect copy, where chance puts it below 0 as often as "
        "above.",
    ),
    "precision": (
        "Precision",
        "Share of samples that lie among test rows: within the distance of some test row's fifth "
        "neighbour (outside its own group, where rows have groups). A perfect copy stays below 1: "
        "compare with the held-out rows.",
    ),
    "recall": (
        "Recall",
        "Share of test rows that lie among samples, in the same sense. A perfect copy stays below "
        "1: compare with the held-out rows.",
    ),
    "density": (
        "Density",
        "How many samples lie around a test row, by how many test rows do: 1 for a perfect copy, "
        "more where samples crowd where data are dense.",
    ),
    "coverage": (
        "Coverage",
        "Share of test rows with a sample within the distance of their fifth neighbour: low where "
        "parts of the data are never drawn.",
    ),
    "marginal_tv": (
        "Marginals, TV",
        "Total variation between samples and test rows, one variable at a time, less what chance "
        "makes of a perfect copy: 0 perfect, 1 nothing in common.",
    ),
    "pair_tv": ("Pairs, TV", "The same for pairs of variables: 0 perfect, 1 nothing in common."),
    "ngram_tv": (
        "n-grams, TV",
        "The same for runs of one, two and three symbols: 0 perfect, 1 nothing in common.",
    ),
    "novelty": (
        "Novelty",
        "Share of the samples' runs of three symbols that no training row holds, less the same of "
        "test rows. 0 for a perfect copy; above, samples invent more than fresh data do; below, "
        "they repeat the training rows.",
    ),
    "frechet": (
        "Fréchet distance",
        "Between the features that a small classifier, trained on this data set, sees in samples "
        "and in test rows, less what chance makes of a perfect copy, which has 0.",
    ),
    MEMORISATION: (
        "Memorisation",
        "The probability that a sample lies nearer to its nearest training row than a test row to "
        "its own. 0.5: as near as fresh data; towards 1: copies. Where most fresh rows occur in "
        "training too, copies can't be told from draws.",
    ),
}
CAVEATS = {
    "frechet": "The Fréchet distance is one of features that belong to this data set: it compares "
    "the models here, and with no other data set and no FID elsewhere.",
}


@dataclass(frozen=True)
class Column:
    """A metric: its title, an arrow in the direction of better, unit and what it means."""

    title: str
    arrow: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Value:
    """A metric of one source, mean over the folds."""

    value: float
    stderr: float

    @property
    def text(self) -> str:
        return with_error(self.value, self.stderr)

    @property
    def number(self) -> str:
        return number(self.value, decimals(self.stderr, self.value))

    @property
    def error(self) -> str:
        return number(self.stderr, decimals(self.stderr, self.value))

    def above(self, other: Value) -> float:
        """How far this one lies above the other, in standard errors of the difference."""
        error = math.hypot(self.stderr, other.stderr)
        difference = self.value - other.value
        if error == 0:
            return 0.0 if difference == 0 else math.copysign(math.inf, difference)
        return difference / error


@dataclass(frozen=True)
class Row:
    """A model or a reference: its values by column, and which of them lead their column."""

    source: str
    is_reference: bool
    values: list[Value | None]
    leads: list[bool]


@dataclass(frozen=True)
class Quality:
    """The table of a data set, the references last; who memorises, what to beware of, and what was
    left out, with the reason."""

    columns: list[Column]
    rows: list[Row]
    findings: list[str]
    caveats: list[str]
    left_out: list[tuple[str, str]]


def quality(run: RunRecord, ranking: Ranking) -> Quality | None:
    """The metrics of samples on a data set; None where there are none."""
    name = ranking.dataset.name
    sources = [(e.model, list(e.fit.cells)) for e in ranking.entries if e.fit is not None]
    references = [(r, run.reference(r, name)) for r in (HELD_OUT, COPYCAT)]
    cells = [c for _, of_one in [*sources, *references] for c in of_one]
    facts: dict[str, dict[str, Any]] = {}
    for cell in cells:
        for key, metric in cell.record["metrics"].items():
            if key not in LIKELIHOOD_METRICS:
                facts.setdefault(key, metric)
    if not facts:
        return None
    values = {
        source: [_value(of_one, key) for key in facts] for source, of_one in [*sources, *references]
    }
    models = [model for model, _ in sources]
    leads = [
        _leading([values[m][i] for m in models], higher=metric["higher_is_better"])
        if key not in IDEALS
        else [False] * len(models)
        for i, (key, metric) in enumerate(facts.items())
    ]
    rows = [
        Row(model, False, values[model], [column[j] for column in leads])
        for j, model in enumerate(models)
    ]
    rows += [
        Row(reference, True, values[reference], [False] * len(facts))
        for reference, of_one in references
        if of_one
    ]
    columns = [_column(key, metric) for key, metric in facts.items()]
    found: list[str] = []
    caveats = [CAVEATS[key] for key in facts if key in CAVEATS]
    if MEMORISATION in facts:
        found, doubts = _memorising(values, list(facts).index(MEMORISATION), models)
        caveats += doubts
    return Quality(columns, rows, found, caveats, _left_out(cells))


def _value(cells: Sequence[Cell], key: str) -> Value | None:
    found = [c.record["metrics"][key] for c in cells if key in c.record["metrics"]]
    found = [f for f in found if f["value"] is not None]
    if not found:
        return None
    errors = [math.nan if f["stderr"] is None else f["stderr"] for f in found]
    error = math.sqrt(sum(e**2 for e in errors)) / len(errors)
    return Value(float(np.mean([f["value"] for f in found])), error)


def _leading(values: list[Value | None], *, higher: bool) -> list[bool]:
    """The best value and those that can't be told from it; none where all are alike."""
    known = [v for v in values if v is not None and math.isfinite(v.value)]
    if not known:
        return [False] * len(values)
    best = max(known, key=lambda v: v.value if higher else -v.value)
    alike = [v is not None and not abs(best.above(v)) >= TELLS_APART for v in values]
    return [False] * len(values) if sum(alike) == len(known) else alike


def _memorising(
    values: dict[str, list[Value | None]], column: int, models: list[str]
) -> tuple[list[str], list[str]]:
    """Who stands nearer to a copycat than to fresh rows, as findings; where the two can't be told
    apart, that as a caveat."""
    fresh, copied = values[HELD_OUT][column], values[COPYCAT][column]
    if fresh is None or copied is None:
        return [], []
    if not abs(copied.above(fresh)) >= SURE:
        return [], [
            f"Copies can't be told from fresh rows here: in memorisation the copycat "
            f"({copied.text}) is like held-out rows ({fresh.text})."
        ]
    near = []
    for model in models:
        value = values[model][column]
        if value is None or not abs(value.above(fresh)) >= SURE:
            continue
        if (value.value - fresh.value) / (copied.value - fresh.value) > HALF_WAY:
            near.append(f"{model} ({value.text})")
    if not near:
        return [], []
    return [
        f"The samples of {listing(near)} lie nearer to training rows than fresh rows do: in "
        f"memorisation, closer to the copycat ({copied.text}) than to held-out rows ({fresh.text})."
    ], []


def _column(key: str, metric: dict[str, Any]) -> Column:
    arrow = "↑" if metric["higher_is_better"] else "↓"
    if key in IDEALS:
        arrow = f"→ {IDEALS[key]}"
    title, meaning = WORDS.get(key, (key, ""))
    return Column(title, arrow, str(metric["unit"]), meaning)


def _left_out(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """What was left out, with whose samples where it was not all of them, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        for key, reason in cell.record["metrics_left_out"].items():
            sources = found.setdefault((key, reason), [])
            if cell.model not in sources:
                sources.append(cell.model)
    everyone = len({cell.model for cell in cells})
    return [
        (
            WORDS.get(key, (key, ""))[0]
            + ("" if len(sources) == everyone else f" of {listing(sources)}"),
            reason,
        )
        for (key, reason), sources in found.items()
    ]
