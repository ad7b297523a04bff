"""What the metrics of samples say: a table of models and references, and who copies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from genzoo.metrics import registered
from genzoo.report.trust import Point, Strip, scatter, strips
from genzoo.results.agreement import Agreement, agreement
from genzoo.results.contender import Contender
from genzoo.results.marks import SURE, Marks
from genzoo.results.numbers import Value, count, listing, number, with_error
from genzoo.results.ranking import Ranking
from genzoo.results.record import BASELINE, COPYCAT, HELD_OUT, MetricRecord
from genzoo.results.run import RunRecord

TELLS_APART = 2.0  # standard errors of a difference
HALF_WAY = 0.5  # from fresh rows to copied ones
MEMORISATION = "memorisation"
AGAINST = ("c2st", "tstr")  # what likelihoods are set against
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
class Plot:
    """Likelihoods against a metric, which has a key, and what follows."""

    key: str
    figure: Markup
    words: str


@dataclass(frozen=True)
class Quality:
    """What metrics of samples say of a data set.

    Attributes:
        strips: each metric between its marks.
        sight: which metrics see anything here.
        plots: likelihoods against metrics.
        columns, rows: the table, the references last.
        findings: who memorises.
        caveats: what to beware of.
        left_out: what was, of whom, with the reason.
    """

    strips: Markup
    sight: str
    plots: list[Plot]
    columns: list[Column]
    rows: list[Row]
    findings: list[str]
    caveats: list[str]
    left_out: list[tuple[str, str]]


def quality(run: RunRecord, ranking: Ranking, colours: dict[str, int]) -> Quality | None:
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
    drawn = _strips(facts, values)
    names = [fit.model for fit in sources]
    plots = [_plot(run, ranking, key, drawn[key], colours) for key in AGAINST if key in drawn]
    return Quality(
        strips(list(drawn.values()), names, len(references), colours),
        _sight(drawn),
        [plot for plot in plots if plot is not None],
        columns,
        rows,
        findings,
        caveats,
        _left_out(sources),
    )


def _strips(
    facts: dict[str, MetricRecord], values: dict[str, list[Value | None]]
) -> dict[str, Strip]:
    """Each metric with its marks, by its key."""
    specs, found = registered(), {}
    for i, (key, metric) in enumerate(facts.items()):
        of = {source: column[i] for source, column in values.items()}
        # memory is not what independent lacks
        worst = COPYCAT if key == MEMORISATION else BASELINE
        is_aimed = key in specs and specs[key].ideal is not None
        direction = None if is_aimed else metric.higher_is_better
        marks = Marks(of.get(worst), of.get(HELD_OUT), direction)
        arrow = described(key, metric).arrow
        found[key] = Strip(_title(key), arrow, of, marks, of.get(COPYCAT))
    return found


def classifiers(rankings: Sequence[Ranking]) -> str:
    """How well the classifier of C2ST tells samples of ``independent``, over data sets."""
    fits = [f for ranking in rankings for f in ranking.sampled if f.model == BASELINE]
    found = [value for fit in fits for value in [fit.metric("c2st")] if value is not None]
    if not found:
        return ""
    low, high = (with_error(*of(found)) for of in (min, max))
    return low if len(found) == 1 else f"{low} to {high}"


def _sight(found: dict[str, Strip]) -> str:
    sees, blind, unknown = (
        [s.title for s in found.values() if s.marks.sees is sight] for sight in (True, False, None)
    )
    words = []
    if sees:
        words.append(
            f"{_capital(_titles(sees))} can see something here: no skill is told from held-out "
            f"rows, by at least {number(SURE, 0)} standard errors of the difference."
        )
    if blind:
        see = "sees" if len(blind) == 1 else "see"
        words.append(
            f"{_capital(_titles(blind))} {see} nothing here: no skill can't be told from held-out "
            f"rows, so what is said of models between them says nothing either."
        )
    if unknown:
        words.append(f"Without both marks nothing is known of {_titles(unknown)}.")
    return " ".join(words)


def _titles(titles: Iterable[str]) -> str:
    """Some of them hold commas."""
    return listing(f"“{t}”" if "," in t else t for t in titles)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plot(
    run: RunRecord, ranking: Ranking, key: str, strip: Strip, colours: dict[str, int]
) -> Plot | None:
    """None where fewer than two families have both numbers."""
    higher = strip.arrow == "↑"
    able = [f for f in ranking.sampled if not f.alarming and math.isfinite(f.score.value)]
    found = agreement(able, key, higher=higher, n_seeds=len(run.seeds))
    if found is None:
        return None
    points = [
        Point(fit.model, colours.get(fit.model, 0), Value(fit.score.value, fit.score.stderr),
              fit.kind == "lower_bound", value)
        for fit in able
        for value in [strip.values[fit.model]]
        if value is not None
    ]  # fmt: skip
    figure = scatter(points, strip.title, strip.marks.best, higher=higher)
    return Plot(key, figure, _agreeing(found, strip))


def _agreeing(found: Agreement, strip: Strip) -> str:
    """What follows from the two orders."""
    words = (
        f"Of {count(found.n, 'pair')} of families likelihoods tell {found.by_likelihood} apart "
        f"(proven), {strip.title} {found.by_metric} (by {number(SURE, 0)} standard errors)."
    )
    both = found.same + len(found.opposite)
    if not both:
        return f"{words} No pair is told apart by both, so whether they agree can't be said."
    if not found.opposite:
        told = "one pair is" if both == 1 else f"{count(both, 'pair')} are"
        return f"{words} {_capital(told)} told apart by both, in the same order."
    pairs = "; ".join(f"{a} over {b}" for a, b in found.opposite)
    return (
        f"{words} Of the {both} that both tell, {found.same} in the same order and "
        f"{len(found.opposite)} in the opposite one; likelihoods put {pairs}."
    )


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
