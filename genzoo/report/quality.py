"""What the metrics of samples say: a table of models and references, and who copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genzoo.metrics import registered
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
    facts, specs = sample_metrics(sources), registered()
    if not facts:
        return None
    values = {fit.model: [_value(fit, key) for key in facts] for fit in sources}
    models = [fit.model for fit in ranking.sampled]
    leads = [
        _leading([values[m][i] for m in models], higher=metric.higher_is_better)
        if key not in specs or specs[key].ideal is None
        else [False] * len(models)
        for i, (key, metric) in enumerate(facts.items())
    ]
    rows = [
        Row(fit.model, fit.seed, False, values[fit.model], [column[j] for column in leads])
        for j, fit in enumerate(ranking.sampled)
    ]
    rows += [Row(f.model, None, True, values[f.model], [False] * len(facts)) for f in references]
    columns = [described(key, metric) for key, metric in facts.items()]
    findings: list[str] = []
    caveats = [specs[key].caveat for key in facts if key in specs and specs[key].caveat]
    if MEMORISATION in facts:
        findings, doubts = _memorising(values, list(facts).index(MEMORISATION), models)
        caveats += doubts
    return Quality(columns, rows, findings, caveats, _left_out(sources))


def sample_metrics(fits: Sequence[Contender]) -> dict[str, MetricRecord]:
    """The metrics of samples that one of the fits has in every fold, each with a record of it."""
    found: dict[str, MetricRecord] = {}
    of_likelihood = {key for key, metric in registered().items() if not metric.of_samples}
    for fit in fits:
        for key, metric in fit.records[0].metrics.items():
            if key not in of_likelihood and fit.metric(key) is not None:
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


def described(key: str, metric: MetricRecord) -> Column:
    """A metric of a record, in words."""
    spec = registered().get(key)  # an older run's may be gone
    arrow = "↑" if metric.higher_is_better else "↓"
    if spec is not None and spec.ideal is not None:
        arrow = f"→ {spec.ideal:g}"
    meaning = "" if spec is None else spec.meaning
    return Column(_title(key), arrow, metric.unit, meaning)


def _title(key: str) -> str:
    spec = registered().get(key)
    return key if spec is None else spec.title


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
        titles.setdefault((whose, reason), []).append(_title(key))
    return [("; ".join(names) + whose, reason) for (whose, reason), names in titles.items()]
