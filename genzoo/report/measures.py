"""What the table of all results can show of a model on a data set: a ``Measure`` is one view of it,
of the likelihood, of samples, of labels or of what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from genzoo.metrics import registered
from genzoo.report.labels import NO_SKILL, no_skill
from genzoo.report.overview import step_of
from genzoo.report.quality import SURE, described, sample_metrics
from genzoo.report.wording import area, in_percent, percent
from genzoo.results import numbers
from genzoo.results.choice import Choice, choose_label
from genzoo.results.contender import Contender
from genzoo.results.numbers import DASH, Value, number, upper_bound, with_error
from genzoo.results.ranking import Entry, Ranking
from genzoo.results.record import (
    BASELINE,
    HELD_OUT,
    REFERENCES,
    STACK,
    TRUTH,
    CellRecord,
    LabelPart,
    Measured,
)
from genzoo.results.run import RunRecord
from genzoo.results.way import Way, way

TITLES = {  # of the views that the Markdown has too
    "nats": "Nats per row",
    "bits": "Bits per dimension",
    "gap": "KL from the truth",
    "cost": "Training time",
}
LIKELIHOOD, SAMPLES, LABELS, COST = "Likelihood", "Samples", "Labels", "Cost"
UP, DOWN = "↑", "↓"
MARKS_LEGEND = (
    "Chosen: by validation rows. Highest: the highest measured value of a column, which proves "
    "nothing; what is proven stands in the rankings."
)
WAY_COLOURS = "Colours as on the first screen: the share of the way from no skill."
SKILL_COLOURS = (
    f"Colours, where {HELD_OUT} rows lie {SURE:g} standard errors or more beyond {BASELINE}: the "
    f"share of the way from {BASELINE} to {HELD_OUT} rows."
)
DERIVED = "it is derived from the log masses of the others"


@dataclass(frozen=True)
class Seen:
    """A cell with a result: its text, the number that it sorts by, small print, and the step of its
    colour (None without one)."""

    text: str
    value: float | None
    note: str = ""
    step: int | None = None


@dataclass(frozen=True)
class Blank:
    """A cell without a result: the short word for it, and why."""

    text: str
    why: str


class Column:
    """A data set: what the views look up of its models."""

    def __init__(self, run: RunRecord, ranking: Ranking) -> None:
        self.ranking = ranking
        self.name = ranking.dataset.name
        truth = [ranking.truth] if ranking.truth is not None else []
        self.entries = {e.model: e for e in (*truth, *ranking.entries, *ranking.failed)}
        self.way = way(ranking)
        self.alarming = {cell.model for cell in ranking.alarms}
        self.sampled = {fit.model: fit for fit in ranking.sampled}
        references = (run.reference(name, self.name) for name in REFERENCES)
        self.references = {fit.model: fit for fit in references if fit is not None}
        self.label: Choice | None = choose_label(run, self.name)
        told = () if self.label is None else self.label.against
        fits = () if self.label is None else (self.label.chosen, *(a.other for a in told))
        self.labelled = {fit.model: fit for fit in fits}

    def fit(self, model: str, group: str) -> Contender | None:
        """The fit that a group of views shows: validation chooses a seed for each purpose."""
        if group in (SAMPLES, LABELS):
            return (self.sampled if group == SAMPLES else self.labelled).get(model)
        return self.entries[model].fit


@dataclass(frozen=True)
class Measure:
    """One view: what it is called and means, and what it shows of a model on a data set.

    Attributes:
        key: part of its id on the page.
        arrow: in the direction of better, or to the best value.
        references: what stands in it beside the models.
        of: the cell of a model that has a result, or of a reference.
        colours: what the colours mean; nothing where there are none.
    """

    key: str
    title: str
    group: str
    arrow: str
    meaning: str
    of: Callable[[Column, str], Seen | Blank]
    references: tuple[str, ...] = ()
    colours: str = ""


def measures(columns: Sequence[Column]) -> list[Measure]:
    """All views, by group; of sample metrics those that one of the data sets has."""
    found = _of_likelihood()
    facts = {
        key: metric
        for column in columns
        for key, metric in sample_metrics(
            [*column.sampled.values(), *column.references.values()]
        ).items()
    }
    for i, (key, metric) in enumerate(facts.items()):
        head = described(key, metric)
        meaning = f"{head.meaning} Unit: {metric.unit}, ± standard error.".lstrip()
        found.append(
            Measure(
                f"sample-{i + 1}",
                head.title,
                SAMPLES,
                head.arrow,
                meaning,
                partial(_sampled, key=key),
                REFERENCES,
                SKILL_COLOURS,
            )
        )
    return found + _of_labels() + _of_cost()


def _of_likelihood() -> list[Measure]:
    return [
        Measure("nats", TITLES["nats"], LIKELIHOOD, UP,
                "Mean log-likelihood of test rows in nats per row ± standard error. Small print: "
                f"how far below the highest of the column. {MARKS_LEGEND}",
                _nats, (TRUTH,), WAY_COLOURS),
        Measure("bits", TITLES["bits"], LIKELIHOOD, DOWN,
                "The same as a code length, in bits per dimension.", _bits, (TRUTH,), WAY_COLOURS),
        Measure("gap", TITLES["gap"], LIKELIHOOD, DOWN,
                "KL(truth ‖ model), the Kullback-Leibler divergence in nats per row ± standard "
                "error, estimated by the mean difference of log-probabilities over the same test "
                "rows; 0 is the truth. From a lower bound of the likelihood it is an upper bound "
                "(≤).",
                _gap, (TRUTH,), WAY_COLOURS),
    ]  # fmt: skip


def _of_labels() -> list[Measure]:
    told = "of the test rows' labels, by Bayes' rule on the joint distribution"
    return [
        Measure("label-nats", "log p(label)", LABELS, UP,
                f"Mean log p(label | the rest) in nats ± standard error, {told}.",
                partial(_told, what="log_prob"), (NO_SKILL,)),
        Measure("label-right", "Accuracy", LABELS, UP,
                f"Share that is told right, in per cent ± standard error, {told}.",
                partial(_told, what="accuracy"), (NO_SKILL,)),
        Measure("label-auc", "AUC", LABELS, UP,
                f"Area under the ROC curve ± standard error, {told}.",
                partial(_told, what="auc"), (NO_SKILL,)),
    ]  # fmt: skip


def _of_cost() -> list[Measure]:
    return [
        Measure("cost", TITLES["cost"], COST, DOWN,
                "Wall-clock time of the fit; of the stack that of all its parts.",
                partial(_seconds, of=lambda r: r.train_seconds)),
        Measure("scoring", "Scoring time", COST, DOWN,
                "What the log masses of all test rows took: compare within a data set.",
                partial(_seconds, of=lambda r: r.evaluate_seconds)),
        Measure("sampling", "Sampling time", COST, DOWN,
                "What drawing the samples took that the metrics judge.",
                partial(_seconds, of=lambda r: r.sample_seconds, note=_n_sampled)),
        Measure("memory", "Memory", COST, DOWN,
                "The most memory that the process held which fitted and judged the model, in MiB, "
                "libraries included.",
                partial(_count, of=lambda r: r.peak_memory_mb)),
        Measure("parameters", "Parameters", COST, DOWN, "Learned parameters.",
                partial(_count, of=lambda r: r.n_parameters)),
    ]  # fmt: skip


# ------------------------------------------------------------------------- likelihood


def _step(column: Column, entry: Entry) -> int | None:
    """The colour of the first screen, of all but the truth and what raised an alarm."""
    if entry.model == TRUTH or column.way is None or entry.value is None:
        return None
    return None if entry.model in column.alarming else step_of(column.way.share(entry.value))


def _nats(column: Column, model: str) -> Seen:
    entry, best = column.entries[model], column.ranking.best
    text = with_error(entry.value, entry.stderr, entry.kind)
    behind = ""
    if best is not None and model != TRUTH and entry is not best:
        assert entry.value is not None
        assert best.value is not None
        places = numbers.decimals(entry.stderr, entry.value)
        behind = number(entry.value - best.value, places)
    return Seen(text, entry.value, behind, _step(column, entry))


def _bits(column: Column, model: str) -> Seen:
    entry = column.entries[model]
    text = upper_bound(number(entry.bits_per_dim, 4), entry.kind)
    return Seen(text, entry.bits_per_dim, step=_step(column, entry))


def _gap(column: Column, model: str) -> Seen | Blank:
    entry = column.entries[model]
    if model == TRUTH:
        return Seen("0", 0.0)
    if entry.gap is None:
        known = column.ranking.truth is not None
        return Blank(DASH, "not the same rows" if known else "the truth is not known")
    text = upper_bound(with_error(entry.gap.value, entry.gap.stderr), entry.kind)
    return Seen(text, entry.gap.value, step=_step(column, entry))


# ------------------------------------------------------------------------- samples


def _sampled(column: Column, model: str, *, key: str) -> Seen | Blank:
    if model == STACK:
        return Blank(DASH, DERIVED)
    fit = column.sampled.get(model) or column.references.get(model)
    if fit is None:
        return Blank(DASH, "no samples were judged")
    found = fit.metric(key)
    if found is None:
        reasons = (r.metrics_left_out.get(key) for r in fit.records)
        return Blank(DASH, next((r for r in reasons if r), "not measured"))
    value, on, step = Value(*found), _skill(column, key), None
    if on is not None and model in column.sampled and model not in column.alarming:
        higher = fit.records[0].metrics[key].higher_is_better
        step = step_of(on.share(value.value if higher else -value.value))
    return Seen(value.text, value.value, step=step)


def _skill(column: Column, key: str) -> Way | None:
    """The way from no skill to fresh rows of the data, a lower-is-better metric turned round; None
    where they can't be told apart, and where neither more nor less is better."""
    spec = registered().get(key)
    low, high = column.sampled.get(BASELINE), column.references.get(HELD_OUT)
    if low is None or high is None or (spec is not None and spec.ideal is not None):
        return None
    start, end = low.metric(key), high.metric(key)
    if start is None or end is None:
        return None
    sign = 1 if high.records[0].metrics[key].higher_is_better else -1
    if not sign * Value(*end).above(Value(*start)) >= SURE:
        return None
    return Way(BASELINE, sign * start[0], HELD_OUT, sign * end[0])


# ------------------------------------------------------------------------- labels


@dataclass(frozen=True)
class Told:
    """How well labels are told, by one number: where records have it, its words with an error and
    without, and the factor of the unit that they are in."""

    of: Callable[[LabelPart], Measured | None]
    words: Callable[[tuple[float, float]], str]
    plain: Callable[[float | None], str]
    scale: float = 1.0


TOLD = {
    "log_prob": Told(
        lambda p: p.score, lambda found: with_error(*found), partial(number, places=3)
    ),
    "accuracy": Told(lambda p: p.accuracy, in_percent, lambda share: f"{percent(share)} %", 100.0),
    "auc": Told(lambda p: p.auc, area, partial(number, places=1)),
}


def _told(column: Column, model: str, *, what: str) -> Seen | Blank:
    asked = TOLD[what]
    if column.label is None:
        return Blank(DASH, "there is no label that a model told")
    if model == NO_SKILL:
        value = no_skill(column.label)[what]
        return Seen(asked.plain(value), None if value is None else asked.scale * value)
    fit = column.labelled.get(model)
    if fit is None:
        labels = (cell.record.label for cell in column.entries[model].cells)
        reasons = (label.left_out for label in labels if label is not None)
        return Blank(DASH, next((r for r in reasons if r), "not asked"))
    found = fit.told(asked.of)
    if found is None:
        return Blank(DASH, "not measured")
    return Seen(asked.words(found), asked.scale * found[0])


# ------------------------------------------------------------------------- cost


def _seconds(
    column: Column,
    model: str,
    *,
    of: Callable[[CellRecord], float | None],
    note: Callable[[Entry], str] = lambda entry: "",
) -> Seen | Blank:
    entry = column.entries[model]
    value = entry.mean_of(of)
    if value is None:
        return _no_cost(model)
    return Seen(numbers.seconds(value), value, note(entry))


def _n_sampled(entry: Entry) -> str:
    n = entry.mean_of(lambda r: r.n_sampled)
    return "" if n is None else f"{number(n, 0)} rows"


def _count(column: Column, model: str, *, of: Callable[[CellRecord], float | None]) -> Seen | Blank:
    value = column.entries[model].mean_of(of)
    return _no_cost(model) if value is None else Seen(number(value, 0), value)


def _no_cost(model: str) -> Blank:
    return Blank(DASH, DERIVED if model == STACK else "not recorded")
