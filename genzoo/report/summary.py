"""The numbers of a report: each family's entry on each data set, ranked, with what is proven."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
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
from genzoo.model import LogProb
from genzoo.report.records import TRUTH, Cell, DatasetRecord, RunRecord

BASELINE = "independent"


@dataclass
class Entry:
    """One model on one data set: the mean over its seeds.

    Attributes:
        value, stderr: mean test log-probability in nats per row, and its sampling error over test
            rows; None where no seed finished.
        spread: standard deviation of that mean over the seeds; None for a single seed.
        kind: the weakest kind among the seeds.
        log_prob: (n,) log-probability of each test row, mean over seeds.
        groups: (n,) the group of each test row, where rows are not independent.
        gap: the truth's advantage, paired over test rows; None where the truth is unknown.
    """

    model: str
    dataset: str
    cells: list[Cell]
    value: float | None = None
    stderr: float | None = None
    spread: float | None = None
    kind: str = "exact"
    bits_per_dim: float | None = None
    log_prob: np.ndarray | None = None
    groups: np.ndarray | None = None
    gap: Difference | None = None

    @property
    def ok(self) -> list[Cell]:
        return [c for c in self.cells if c.ok and _number(c.record.get("test_log_prob"))]

    @property
    def n_test(self) -> int | None:
        return self.ok[0].record.get("n_test") if self.ok else None

    @property
    def status(self) -> str:
        """``ok``, the status of the first cell that is not, or ``not run``."""
        if self.ok:
            return "ok"
        return str(self.cells[0].record["status"]) if self.cells else "not run"

    @property
    def reason(self) -> str:
        reasons = [str(c.record["reason"]) for c in self.cells if c.record.get("reason")]
        return reasons[0] if reasons else ""

    @property
    def improving(self) -> bool:
        """Whether training was still improving when some seed's budget ended."""
        return any((c.record.get("training") or {}).get("converged") is False for c in self.ok)

    def mean_of(self, name: str) -> float | None:
        """The mean over seeds of a number of the record."""
        values = [c.record[name] for c in self.ok if _number(c.record.get(name))]
        return float(np.mean(values)) if values else None


@dataclass
class Rival:
    """A ranked entry against the best of its data set.

    ``difference`` is the best less this one, paired over test rows; ``verdict`` is ``best``,
    ``proven`` (the best is better), ``not proven`` (the difference may be luck of the test rows),
    ``open`` (a number that is no more than a bound or an estimate proves nothing here), or
    ``not comparable`` (other test rows, or rows not kept).
    """

    entry: Entry
    rank: int
    difference: Difference | None
    verdict: str


@dataclass
class Ranking:
    """The families on one data set, best first."""

    dataset: DatasetRecord
    rivals: list[Rival]
    failed: list[Entry]
    truth: Entry | None
    alarms: list[Cell] = field(default_factory=list)

    @property
    def best(self) -> Entry | None:
        return self.rivals[0].entry if self.rivals else None

    @property
    def baseline(self) -> Entry | None:
        return next((r.entry for r in self.rivals if r.entry.model == BASELINE), None)

    @property
    def entries(self) -> list[Entry]:
        return [r.entry for r in self.rivals]

    def with_verdict(self, verdict: str) -> list[Rival]:
        return [r for r in self.rivals if r.verdict == verdict]


def rank(run: RunRecord, dataset: DatasetRecord) -> Ranking:
    """Rank the families on a data set.

    Whether a difference is luck is asked of all pairs at once (Holm's correction), because the
    best was chosen by looking at the same numbers.
    """
    truth = summarise(TRUTH, dataset.name, run.of(TRUTH, dataset.name))
    entries = [summarise(m, dataset.name, run.of(m, dataset.name)) for m in run.asked(dataset.name)]
    for entry in entries:
        entry.gap = _difference(truth, entry)
    done = sorted((e for e in entries if e.value is not None), key=lambda e: -(e.value or 0.0))
    # a rounded record may leave values equal: then the exact one is named first
    done.sort(key=lambda e: (-round(e.value or 0.0, 9), e.kind != "exact"))
    pairs = list(combinations(range(len(done)), 2))
    differences = {pair: _difference(done[pair[0]], done[pair[1]]) for pair in pairs}
    known = [pair for pair in pairs if differences[pair] is not None]
    adjusted = dict(
        zip(known, holm([differences[p].p_value() for p in known]), strict=True)  # type: ignore[union-attr]
        if known
        else []
    )
    rivals = []
    for i, entry in enumerate(done):
        difference = differences.get((0, i))
        verdict = _verdict(done[0], entry, difference, adjusted.get((0, i))) if i else "best"
        rivals.append(Rival(entry, i + 1, difference, verdict))
    cells = [c for e in entries for c in e.cells]
    return Ranking(
        dataset,
        rivals,
        [e for e in entries if e.value is None],
        truth if truth.value is not None else None,
        [c for c in cells if (c.record.get("alarm") or {}).get("raised")],
    )


def summarise(model: str, dataset: str, cells: Sequence[Cell]) -> Entry:
    """A model's cells on one data set as one entry."""
    entry = Entry(model, dataset, list(cells))
    ok = entry.ok
    if not ok:
        return entry
    values = np.array([c.record["test_log_prob"] for c in ok], dtype=np.float64)
    entry.value = float(values.mean())
    entry.spread = float(values.std(ddof=1)) if len(values) > 1 else None
    entry.kind = weakest([c.record.get("kind") or "exact" for c in ok])
    entry.bits_per_dim = entry.mean_of("bits_per_dim")
    kept = [c.log_prob for c in ok if c.log_prob is not None]
    if len(kept) == len(ok) and len({a.shape for a in kept}) == 1:
        entry.log_prob = np.mean(kept, axis=0)
        entry.groups = next(c.groups for c in ok if c.log_prob is not None)
    if entry.log_prob is not None and len(entry.log_prob) > 1 and len(ok) > 1:
        # rows are shared by the seeds: averaging seeds does not make the test set larger
        entry.stderr = LogProb.exact(entry.log_prob).mean(entry.groups).stderr
    else:
        entry.stderr = entry.mean_of("stderr")
    return entry


def _difference(a: Entry, b: Entry) -> Difference | None:
    if a.log_prob is None or b.log_prob is None or a.log_prob.shape != b.log_prob.shape:
        return None
    return paired_difference(a.log_prob, b.log_prob, a.groups)


def _verdict(best: Entry, other: Entry, difference: Difference | None, p: float | None) -> str:
    if not can_prove(best.kind, other.kind):
        return "open"
    if difference is None or p is None:
        return "not comparable"
    return "proven" if p < LEVEL and difference.value > 0 else "not proven"


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
