"""What the metrics of samples say: a table of models and references, and who copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genzoo.keys import LIKELIHOOD_METRICS
from genzoo.results.contender import Contender
from genzoo.results.numbers import Value, listing
from genzoo.results.ranking import Ranking
from genzoo.results.record import COPYCAT, HELD_OUT, MetricRecord
from genzoo.results.run import RunRecord

TELLS_APART, SURE = 2.0, 3.0  # standard errors of a difference
HALF_WAY = 0.5  # from fresh rows to copied ones
MEMORISATION = "memorisation"
LEGEND = (
    "Bold: the best measured value of a column, and those within two standard errors of the "
    "difference to it: a measured value, not a proof. Where that holds for all models, none is "
    "bold."
)
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
class Row:
    """A model or a reference: its values by column, and which of them lead their column.

    ``seed`` is that of the fit; None of a reference.
    """

    source: str
    seed: int | None
    is_reference: bool
    values: list[Value | None]
    leads: list[bool]


@dataclass(frozen=True)
class Quality:
    """The table of a data set, the references last; who memorises, what to beware of, and what was
    left out (of whom), with the reason."""

    columns: list[Column]
    rows: list[Row]
    findings: list[str]
    caveats: list[str]
    left_out: list[tuple[str, str]]


def quality(run: RunRecord, ranking: Ranking) -> Quality | None:
    """The metrics of samples on a data set; None where there are none."""
    found = [run.reference(name, ranking.dataset.name) for name in (HELD_OUT, COPYCAT)]
    references = [fit for fit in found if fit is not None]
    sources = [*ranking.sampled, *references]
    facts = sample_metrics(sources)
    if not facts:
        return None
    values = {fit.model: [_value(fit, key) for key in facts] for fit in sources}
    models = [fit.model for fit in ranking.sampled]
    leads = [
        _leading([values[m][i] for m in models], higher=metric.higher_is_better)
        if key not in IDEALS
        else [False] * len(models)
        for i, (key, metric) in enumerate(facts.items())
    ]
    rows = [
        Row(fit.model, fit.seed, False, values[fit.model], [column[j] for column in leads])
        for j, fit in enumerate(ranking.sampled)
    ]
    rows += [Row(f.model, None, True, values[f.model], [False] * len(facts)) for f in references]
    columns = [_column(key, metric) for key, metric in facts.items()]
    findings: list[str] = []
    caveats = [CAVEATS[key] for key in facts if key in CAVEATS]
    if MEMORISATION in facts:
        findings, doubts = _memorising(values, list(facts).index(MEMORISATION), models)
        caveats += doubts
    return Quality(columns, rows, findings, caveats, _left_out(sources))


def sample_metrics(fits: Sequence[Contender]) -> dict[str, MetricRecord]:
    """The metrics of samples that one of the fits has in every fold, each with a record of it."""
    found: dict[str, MetricRecord] = {}
    for fit in fits:
        for key, metric in fit.records[0].metrics.items():
            if key not in LIKELIHOOD_METRICS and fit.metric(key) is not None:
                found.setdefault(key, metric)
    return found


def _value(fit: Contender, key: str) -> Value | None:
    found = fit.metric(key)
    return None if found is None else Value(*found)


def _leading(values: list[Value | None], *, higher: bool) -> list[bool]:
    """The best value and those within ``TELLS_APART`` standard errors of it (``LEGEND``); none
    where all are."""
    known = [v for v in values if v is not None]
    if not known:
        return [False] * len(values)
    best = max(known, key=lambda v: v.value if higher else -v.value)
    near = [v is not None and abs(best.above(v)) <= TELLS_APART for v in values]
    return [False] * len(values) if sum(near) == len(known) else near


def _memorising(
    values: dict[str, list[Value | None]], column: int, models: list[str]
) -> tuple[list[str], list[str]]:
    """Who stands nearer to a copycat than to fresh rows, as findings; where the two can't be told
    apart, that as a caveat."""
    fresh, copied = (
        values[name][column] if name in values else None for name in (HELD_OUT, COPYCAT)
    )
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


def _column(key: str, metric: MetricRecord) -> Column:
    arrow = "↑" if metric.higher_is_better else "↓"
    if key in IDEALS:
        arrow = f"→ {IDEALS[key]}"
    title, meaning = WORDS.get(key, (key, ""))
    return Column(title, arrow, metric.unit, meaning)


def _left_out(fits: Sequence[Contender]) -> list[tuple[str, str]]:
    """What was left out, with whose samples where it was not all of them, and why; what has the
    same reason stands together."""
    found: dict[tuple[str, str], list[str]] = {}
    for fit in fits:
        for record in fit.records:
            for key, reason in record.metrics_left_out.items():
                sources = found.setdefault((key, reason), [])
                if fit.model not in sources:
                    sources.append(fit.model)
    titles: dict[tuple[str, str], list[str]] = {}
    for (key, reason), sources in found.items():
        whose = "" if len(sources) == len(fits) else f" of {listing(sources)}"
        titles.setdefault((whose, reason), []).append(WORDS.get(key, (key, ""))[0])
    return [("; ".join(names) + whose, reason) for (whose, reason), names in titles.items()]
