"""The numbers of a report: each family's entry on each data set, ranked, with what is proven."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from genzoo.datasets.blocks import MOST_BLOCKS
from genzoo.results.choice import LEAST, Choice, choose_likelihood, choose_samples
from genzoo.results.contender import Contender, Result, likeliest
from genzoo.results.power import Power, power
from genzoo.results.record import BASELINE, STACK, TRUTH, CellRecord
from genzoo.results.run import DatasetRecord, RunRecord
from genzoo.results.statistics import LEVEL, Difference, paired_difference
from genzoo.values import Kind


@dataclass
class Entry:
    """One model on one data set, as the fit that validation chose among its seeds.

    Attributes:
        cells: all of them, those of ``fit`` first.
        fit: None where no seed gave an answer (in every fold).
        value, stderr: mean test log-probability in nats per row, and its sampling error over test
            rows.
        kind: the weakest kind among the folds.
        mean, spread: of the value over the seeds: mean and standard deviation; None for one seed.
        gap: the truth's advantage, paired over test rows; None where the truth is unknown.
    """

    model: str
    dataset: str
    cells: list[Result]
    fit: Contender | None = None
    value: float | None = None
    stderr: float | None = None
    kind: Kind = "exact"
    bits_per_dim: float | None = None
    mean: float | None = None
    spread: float | None = None
    n_fits: int = 0
    gap: Difference | None = None

    @property
    def ok(self) -> list[Result]:
        """The cells with a result, those of ``fit`` first."""
        return [c for c in self.cells if c.ok and c.record.test_log_prob is not None]

    @property
    def log_prob(self) -> np.ndarray | None:
        return None if self.fit is None else self.fit.array("log_prob")

    @property
    def status(self) -> str:
        """``ok``, the status of the first cell that is not, or ``not run``."""
        if self.fit is not None:
            return "ok"
        failed = [c for c in self.cells if not c.ok]
        return failed[0].record.status if failed else "not run"

    @property
    def reason(self) -> str:
        return next((c.record.reason for c in self.cells if c.record.reason), "")

    @property
    def improving(self) -> bool:
        """Whether its training was still improving when the budget ended."""
        return self.fit is not None and self.fit.improving

    def mean_of(self, of: Callable[[CellRecord], float | None]) -> float | None:
        """The mean over the folds of a number of the record."""
        return None if self.fit is None else self.fit.mean(of)


@dataclass
class Rival:
    """A ranked entry against the one that validation chose.

    ``difference`` is the chosen one less this one, paired over test rows; ``verdict`` is
    ``chosen``, or one of ``choice.VERDICTS``; None where there is no choice. ``power`` says what
    the comparison could have shown; None where nothing can be shown, as against a bound below.
    """

    entry: Entry
    rank: int
    difference: Difference | None
    verdict: str | None
    power: Power | None = None


@dataclass
class Ranking:
    """The families on one data set, the highest value first.

    ``sampled`` holds of each family the fit whose samples are shown and judged: the one that
    validation chose for samples, which may be of another seed than the one that is ranked.
    """

    dataset: DatasetRecord
    rivals: list[Rival]
    failed: list[Entry]
    truth: Entry | None
    choice: Choice | None
    sampled: list[Contender]
    alarms: list[Result] = field(default_factory=list)

    @property
    def best(self) -> Entry | None:
        """The entry with the highest value."""
        return self.rivals[0].entry if self.rivals else None

    @property
    def chosen(self) -> Entry | None:
        """The entry that validation chose."""
        return next((r.entry for r in self.rivals if r.verdict == "chosen"), None)

    @property
    def baseline(self) -> Entry | None:
        return next((r.entry for r in self.rivals if r.entry.model == BASELINE), None)

    @property
    def entries(self) -> list[Entry]:
        return [r.entry for r in self.rivals]


def rank(run: RunRecord, dataset: DatasetRecord) -> Ranking:
    """Rank the families on a data set by their test values; ``genzoo.results.choice`` says what is
    proven of the one that validation chose."""
    truth = summarise(run, TRUTH, dataset.name)
    entries = [summarise(run, m, dataset.name) for m in run.asked(dataset.name)]
    for entry in entries:
        entry.gap = _gap(truth, entry)
    # a rounded record may leave values equal: then the exact one is named first
    done = sorted(
        (e for e in entries if e.value is not None),
        key=lambda e: (-round(e.value or 0.0, 9), e.kind != "exact", -(e.value or 0.0)),
    )
    choice = choose_likelihood(run, dataset.name)
    said: dict[str, tuple[Difference | None, str]] = {}
    if choice is not None:
        said = {a.other.model: (a.difference, a.verdict) for a in choice.against}
        said[choice.chosen.model] = None, "chosen"
    rivals = [Rival(e, i + 1, *said.get(e.model, (None, None))) for i, e in enumerate(done)]
    if choice is not None:
        for rival in rivals:
            rival.power = _power(dataset, choice, rival)
    cells = [c for e in entries for c in e.cells]
    return Ranking(
        dataset,
        rivals,
        [e for e in entries if e.value is None],
        truth if truth.value is not None else None,
        choice,
        _sampled(run, dataset.name, done),
        [c for c in cells if c.record.alarm is not None and c.record.alarm.raised],
    )


def _power(dataset: DatasetRecord, choice: Choice, rival: Rival) -> Power | None:
    d, units = rival.difference, dataset.facts.units
    if d is None or rival.verdict in ("open", "not comparable"):
        return None
    # in a longer text blocks are longer, not more
    most = math.inf if units is None or units.what == "groups" else MOST_BLOCKS
    return power(d, LEAST, LEVEL / max(1, choice.n_tests), most)


def _sampled(run: RunRecord, dataset: str, entries: list[Entry]) -> list[Contender]:
    """Of each entry the fit that the advice on samples speaks of; the ranked one where validation
    rows did not judge its samples."""
    choice = choose_samples(run, dataset)
    fits = [] if choice is None else [choice.chosen, *(a.other for a in choice.against)]
    chosen = {fit.model: fit for fit in fits}
    drew = [e for e in entries if e.model != STACK]  # which is derived from masses
    return [chosen.get(e.model, e.fit) for e in drew if e.fit is not None]


def summarise(run: RunRecord, model: str, dataset: str) -> Entry:
    """A model's cells on one data set as one entry."""
    fits = run.contenders(model, dataset)
    entry = Entry(model, dataset, run.of(model, dataset), n_fits=len(fits))
    if not fits:
        return entry
    fit = entry.fit = likeliest(fits)
    entry.cells.sort(key=lambda c: c not in fit.cells)
    score = fit.score
    entry.value, entry.stderr, entry.kind = score.value, score.stderr, score.kind
    entry.bits_per_dim = fit.over_rows(lambda r: r.bits_per_dim)
    if len(fits) > 1:
        values = [f.score.value for f in fits]
        entry.mean, entry.spread = float(np.mean(values)), float(np.std(values, ddof=1))
    return entry


def _gap(truth: Entry, entry: Entry) -> Difference | None:
    a, b = truth.log_prob, entry.log_prob
    if a is None or b is None or a.shape != b.shape or entry.fit is None:
        return None
    return paired_difference(a, b, entry.fit.groups_of("groups"))
