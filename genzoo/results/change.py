"""What changed from one run to another: the same families on the same test rows, fitted twice.

Of each family on each data set that both runs know, the score after less the score before, paired
over test rows, as the mean over the seeds of each run. A family's choice among seeds plays no part:
what changed is to be the family, not the luck of one fit. Two things make that difference noisy:

- the test rows: the paired error over rows, or groups of rows (``statistics.paired_difference``);
- refitting: another seed, another moment at which a budget in seconds ends. Where both runs have
  several seeds, their spread says how much; where one has a single seed that is not known, and the
  verdict speaks of the fitted models alone.

    error^2 = error_rows^2 + s_before^2 / k_before + s_after^2 / k_after

Few seeds know their spread badly, rows know theirs well, so that one Student's t for the sum calls
far too much a change (simulated: 4 to 14 times as often as it says, for two seeds and the levels
that Holm asks for). Each part has its own: the interval is

    value +- sqrt(t_rows^2 error_rows^2 + t_refits^2 error_refits^2),

t_rows with n - 1 degrees of freedom, t_refits with those of Welch (1947, Biometrika 34) over seeds.
It covers at least as often as it says (Banerjee 1961, Biometrika 48), and p-values follow from it;
they are never below those over rows alone. All scores of all comparisons of a page are one family
of tests, with Holm's correction at 5 %; all metrics of samples and labels are another.

A bound that rises is a bound that rises: both are lower bounds of the same kind of number, and the
true values may have moved otherwise. Against an exact value a bound proves what
``statistics.can_prove`` says. Less than ``choice.LEAST`` nats is no change, however sure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from genzoo.results.choice import LEAST
from genzoo.results.contender import Contender
from genzoo.results.numbers import Value
from genzoo.results.plan import DatasetFacts
from genzoo.results.record import MetricRecord
from genzoo.results.run import RunRecord
from genzoo.results.statistics import (
    LEVEL,
    POWER,
    SAME,
    Difference,
    can_prove,
    effective_units,
    holm,
    paired_difference,
    weakest,
)
from genzoo.values import Kind, LogProb, Score

FEWEST_SEEDS = 2  # of each run, to know the noise of refitting
LOWEST = -60.0  # the logarithm of a p-value: a smaller one is not told from it
LABEL = "label_log_prob"  # the key of log p(label | the rest) among the metrics
Metrics = Callable[[Sequence[Contender]], dict[str, MetricRecord]]  # those that fits have
Verdict = Literal[
    "better", "worse", "higher", "lower", "untold", "same", "alarm", "answered", "lost", "none"
]
VERDICTS: dict[Verdict, str] = {  # of the later run, in a reader's words
    "better": "better",
    "worse": "worse",
    "higher": "higher bound",
    "lower": "lower bound",
    "untold": "can't tell",
    "same": "the same numbers",
    "alarm": "alarm: not compared",
    "answered": "an answer now",
    "lost": "no answer now",
    "none": "no answer in either",
}


@dataclass(frozen=True)
class Shift:
    """A number after less the same before.

    Attributes:
        rows: the difference over test rows, in the number's unit.
        refits: the part of its standard error that comes of refitting; None where it is not known.
        df: the degrees of freedom of that part.
    """

    rows: Difference
    refits: float | None = None
    df: float = math.inf

    @property
    def value(self) -> float:
        return self.rows.value

    @property
    def stderr(self) -> float:
        """Over test rows, and over refits where these are known."""
        return math.hypot(self.rows.stderr, self.refits or 0.0)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The two-sided confidence interval at 1 - level."""
        half = self._width(level / 2)
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided: how often nothing but noise would differ by as much."""
        of_rows = self.rows.p_value()
        if not self.refits or math.isnan(of_rows) or self.value == 0:
            return of_rows

        def beyond(log_level: float) -> float:
            return abs(self.value) - self._width(math.exp(log_level) / 2)

        from scipy.optimize import brentq

        if beyond(LOWEST) > 0:
            return max(of_rows, math.exp(LOWEST))
        return max(of_rows, math.exp(float(brentq(beyond, LOWEST, 0.0))))

    def visible(self, level: float = LEVEL, power: float = POWER) -> float:
        """The true difference that a two-sided test at ``level`` would have shown with ``power``,
        by the error at hand (nan where rows are all alike)."""
        of_rows = self.rows.visible(level, power)
        if math.isnan(of_rows):
            return math.nan
        return max(of_rows, self._width(level / 2) + self._width(1 - power))

    def _width(self, tail: float) -> float:
        """How far from the truth a difference is in that share of cases, to one side."""
        from scipy.stats import t

        of_rows = float(t.isf(tail, self.rows.n - 1)) * self.rows.stderr
        if not self.refits:
            return of_rows
        return math.hypot(of_rows, float(t.isf(tail, self.df)) * self.refits)


def shift(rows: Difference, before: Sequence[float], after: Sequence[float]) -> Shift:
    """A difference over test rows with the noise of refitting beside it.

    Args:
        rows: after less before, paired over test rows, of the means over seeds.
        before, after: the same number of each seed of either run.
    """
    if min(len(before), len(after)) < FEWEST_SEEDS:
        return Shift(rows)
    parts = [(float(np.var(x, ddof=1)) / len(x), len(x) - 1) for x in (before, after)]
    total = sum(variance for variance, _ in parts)
    if total == 0:  # families without chance
        return Shift(rows, 0.0)
    df = total**2 / sum(variance**2 / df for variance, df in parts)
    return Shift(rows, math.sqrt(total), df)


@dataclass(frozen=True)
class MetricChange:
    """A metric of samples, or ``LABEL``, before and after; ``shown`` says whether the difference is
    beyond noise, by its p-value as Holm adjusts it for all of them on the page."""

    key: str
    before: Value
    after: Value
    higher_is_better: bool
    shift: Shift
    p_adjusted: float = 1.0

    @property
    def shown(self) -> bool:
        return self.p_adjusted < LEVEL


@dataclass(frozen=True)
class Side:
    """A family on a data set in one of the runs.

    Attributes:
        fits: one for each seed that gave an answer in every fold.
        n_asked: seeds that were asked for.
        status, reason: ``ok``; else of the first cell without an answer, or ``not run``.
    """

    fits: list[Contender]
    n_asked: int
    status: str
    reason: str

    @property
    def kind(self) -> Kind:
        return weakest([fit.kind for fit in self.fits])

    @property
    def groups(self) -> np.ndarray | None:
        return self.fits[0].groups_of("groups")

    @property
    def scores(self) -> list[float]:
        """Mean log mass of the test rows by each seed, in nats."""
        return [fit.score.value for fit in self.fits]

    @property
    def score(self) -> Score | None:
        """The mean of these with its error over test rows; None where there is no answer."""
        if not self.fits:
            return None
        values = self.masses("log_prob")
        if values is None:
            return Score(float(np.mean(self.scores)), math.nan, self.kind)
        found = LogProb.exact(values).mean(self.groups)
        return Score(found.value, found.stderr, self.kind)

    @property
    def improving(self) -> bool:
        """Whether the training of a seed was still improving when the budget ended."""
        return any(fit.improving for fit in self.fits)

    def masses(self, name: str) -> np.ndarray | None:
        """An array over test rows, as the mean over seeds; None where a seed lacks it."""
        found = [fit.array(name) for fit in self.fits]
        if not found or any(x is None or x.shape != found[0].shape for x in found):  # type: ignore[union-attr]
            return None
        return np.mean(np.stack([x for x in found if x is not None]), axis=0)

    def mean(self, of: Callable[[Contender], float | None]) -> float | None:
        """The mean over seeds of a number; None where one lacks it."""
        found = [of(fit) for fit in self.fits]
        known = [x for x in found if x is not None]
        return float(np.mean(known)) if known and len(known) == len(found) else None


@dataclass(frozen=True)
class Change:
    """A family on a data set, before and after.

    Attributes:
        shift: the score after less before, in nats a row; None where that can't be tested.
        p_adjusted: by Holm, of all scores of the page; 1 where nothing was tested.
        metrics: those that both runs have.
    """

    model: str
    dataset: str
    before: Side
    after: Side
    verdict: Verdict
    shift: Shift | None = None
    p_adjusted: float = 1.0
    metrics: list[MetricChange] = field(default_factory=list)

    @property
    def has_refits(self) -> bool:
        return self.shift is not None and self.shift.refits is not None


@dataclass(frozen=True)
class Comparison:
    """A run against an earlier one.

    Attributes:
        changes: of each family on each data set that both runs were asked for, on the same rows.
        other_rows: the data sets of both runs whose test rows are not the same, and in which of
            ``fingerprint`` (rows, split or schema) and ``folds`` they differ.
        n_tests, n_metric_tests: for how many Holm corrects: those of the whole page.
    """

    before: RunRecord
    after: RunRecord
    changes: list[Change]
    other_rows: dict[str, list[str]]
    n_tests: int = 0
    n_metric_tests: int = 0

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(c.dataset for c in self.changes))

    @property
    def models(self) -> list[str]:
        return [m for m in self.after.fitted if any(c.model == m for c in self.changes)]

    def count(self, *verdicts: Verdict) -> int:
        return sum(c.verdict in verdicts for c in self.changes)

    def change(self, model: str, dataset: str) -> Change | None:
        found = (c for c in self.changes if (c.model, c.dataset) == (model, dataset))
        return next(found, None)


def compare_records(runs: Sequence[RunRecord], metrics: Metrics) -> list[Comparison]:
    """Each run against the first.

    Args:
        runs: two or more, without their stacks, which follow from all families at hand.
        metrics: the metrics of samples that some fits have.
    """
    first, *others = runs
    found = [_compared(first, other, metrics) for other in others]
    scores = holm([c.shift.p_value for x in found for c in x.changes if c.shift])
    asked = [m.shift.p_value for x in found for c in x.changes for m in c.metrics]
    adjusted, of_metrics = iter(scores), iter(holm(asked))
    return [
        replace(
            comparison,
            changes=[_judged(c, adjusted, of_metrics) for c in comparison.changes],
            n_tests=len(scores),
            n_metric_tests=len(asked),
        )
        for comparison in found
    ]


def other_rows(before: DatasetFacts, after: DatasetFacts) -> list[str]:
    """In what the test rows of two data sets of one name differ; empty where they are the same."""
    return [
        fact for fact in ("fingerprint", "folds") if getattr(before, fact) != getattr(after, fact)
    ]


def _compared(
    before: RunRecord,
    after: RunRecord,
    metrics: Metrics,
) -> Comparison:
    known = {d.name for d in before.datasets}
    others, changes = {}, []
    for name in [d.name for d in after.datasets if d.name in known]:
        differs = other_rows(before.facts(name), after.facts(name))
        if differs:
            others[name] = differs
            continue
        for model in [m for m in after.asked(name) if m in before.asked(name)]:
            a, b = (_side(run, model, name) for run in (before, after))
            changes.append(_change(model, name, a, b, metrics))
    return Comparison(before, after, changes, others)


def _side(run: RunRecord, model: str, dataset: str) -> Side:
    fits, cells = run.contenders(model, dataset), run.of(model, dataset)
    asked = {a.seed for a in run.plan.cells if (a.model, a.dataset) == (model, dataset)}
    failed = next((c.record for c in cells if not c.ok), None)
    status = "ok" if fits else "not run" if failed is None else failed.status
    return Side(fits, len(asked), status, (failed and failed.reason) or "")


def _change(
    model: str,
    dataset: str,
    before: Side,
    after: Side,
    metrics: Metrics,
) -> Change:
    """What is to be tested; verdicts that wait for all tests are ``untold``."""
    found = Change(model, dataset, before, after, "untold")
    if not (before.fits and after.fits):
        return replace(
            found, verdict="answered" if after.fits else "lost" if before.fits else "none"
        )
    if any(fit.alarming for fit in (*before.fits, *after.fits)):
        return replace(found, verdict="alarm")
    both = [metrics(side.fits) for side in (before, after)]
    of_samples = [_metric(before, after, key, both[1][key]) for key in both[0] if key in both[1]]
    changed = [m for m in (*of_samples, _label(before, after)) if m is not None]
    found = replace(found, metrics=changed)
    a, b = before.masses("log_prob"), after.masses("log_prob")
    if a is None or b is None or a.shape != b.shape:
        return found
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError(f"folders: log masses of {model} on {dataset} are NaN: damaged arrays")
    if before.kind == after.kind and np.allclose(a, b, rtol=SAME, atol=0.0):
        return replace(found, verdict="same")
    rows = paired_difference(b, a, after.groups)
    if not rows.has_error or not _can_show(before.kind, after.kind):
        return found
    return replace(found, shift=shift(rows, before.scores, after.scores))


def _can_show(before: Kind, after: Kind) -> bool:
    """Whether any difference could show something: an estimate shows nothing."""
    return "estimate" not in (before, after)


def _metric(before: Side, after: Side, key: str, record: MetricRecord) -> MetricChange | None:
    """The errors of the two runs are taken as independent; those of a run's seeds, which share the
    real rows, as one."""
    sides = []
    for side in (before, after):
        found = [fit.metric(key) for fit in side.fits]
        if any(x is None for x in found):
            return None
        sides.append(np.array(found, dtype=float).T)
    values = [Value(float(value.mean()), float(error.mean())) for value, error in sides]
    (a, b), n = values, _units(after)
    rows = Difference(b.value - a.value, math.hypot(a.stderr, b.stderr), n)
    if not rows.has_error or not rows.stderr > 0:
        return None
    moved = shift(rows, *(side[0].tolist() for side in sides))
    return MetricChange(key, a, b, record.higher_is_better, moved)


def _units(side: Side) -> float:
    """Independent test rows, or groups of equal size, behind a metric of samples."""
    return effective_units(sum(r.n_test for r in side.fits[0].records), side.groups)


def _label(before: Side, after: Side) -> MetricChange | None:
    a, b = before.masses(LABEL), after.masses(LABEL)
    if a is None or b is None or a.shape != b.shape or np.allclose(a, b, rtol=SAME, atol=0.0):
        return None
    groups = after.fits[0].groups_of("label_groups")
    rows = paired_difference(b, a, groups)
    if not rows.has_error:
        return None
    scores = [LogProb.exact(x).mean(groups) for x in (a, b)]
    old, new = (Value(score.value, score.stderr) for score in scores)
    seeds = [[float(x.mean()) for x in _arrays(side, LABEL)] for side in (before, after)]
    return MetricChange(LABEL, old, new, True, shift(rows, *seeds))


def _arrays(side: Side, name: str) -> Iterable[np.ndarray]:
    return (x for fit in side.fits for x in [fit.array(name)] if x is not None)


def _judged(change: Change, adjusted: Iterator[float], of_metrics: Iterator[float]) -> Change:
    """The change with what all tests of the page together show; they come in the order of the
    changes."""
    metrics = [replace(m, p_adjusted=float(next(of_metrics))) for m in change.metrics]
    if change.shift is None:
        return replace(change, metrics=metrics)
    p = float(next(adjusted))
    verdict = _verdict(change, change.shift) if p < LEVEL else "untold"
    return replace(change, metrics=metrics, p_adjusted=p, verdict=verdict)


def _verdict(change: Change, moved: Shift) -> Verdict:
    """Of a difference that is beyond noise."""
    if abs(moved.value) < LEAST:
        return "untold"
    rose = moved.value > 0
    sides = (change.after, change.before) if rose else (change.before, change.after)
    winner, loser = (side.kind for side in sides)
    if can_prove(winner, loser):
        return "better" if rose else "worse"
    if winner == loser:  # both bounds
        return "higher" if rose else "lower"
    return "untold"


def names_of(folders: Sequence[Path]) -> list[str]:
    """What runs are called beside each other: their folders' names, or as they were given where two
    are called the same."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]
