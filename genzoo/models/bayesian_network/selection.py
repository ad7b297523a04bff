"""Networks that were found, smoothed and compared on validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from genzoo.models.bayesian_network.conditionals import (
    CELLS_AT_ONCE,
    AverageCounts,
    Counts,
    Learned,
    TableCounts,
    log_mean,
)
from genzoo.models.bayesian_network.counting import Rows
from genzoo.space.coarsen import Coarsening
from genzoo.space.graphs import topological
from genzoo.space.schema import Schema

Kind = Literal["chow_liu", "tables", "trees", "given", "averages"]

# Of shrinkage, in rows: counts are smoothed anew with each, which takes time. Chosen with figures
# of ten binary tables in view (benchmarks/results/published/tables.md).
STRENGTHS = np.array((0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0))


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network that was found, and how well it does on the validation rows.

    Attributes:
        kind: how it was found.
        counts: what the conditional of each variable is estimated from.
        strength: of the shrinkage; None: pseudo-counts of 1 in tables.
        coarsening: the bins of long ordinals.
        steps: edges or splits that were made for it.
        valid: mean nats per validation row; None without these.
        detail: a remark for the reader of a report.
    """

    kind: Kind
    counts: Sequence[Counts | AverageCounts]
    strength: float | None
    coarsening: Coarsening
    steps: int
    valid: float | None
    detail: str

    @cached_property
    def conditionals(self) -> list[Learned]:
        strengths = None if self.strength is None else np.array([self.strength])
        return [counts.conditional(smooth(counts, strengths)[0]) for counts in self.counts]

    @property
    def order(self) -> list[int]:
        """The variables, parents before children."""
        return topological([c.parents.tolist() for c in self.conditionals])


def smooth(counts: Counts | AverageCounts, strengths: np.ndarray | None) -> np.ndarray:
    """(K, C, M) log mass, shrunk with K strengths, or in tables with a pseudo-count of 1."""
    if strengths is not None:
        return counts.shrunk(strengths)
    assert isinstance(counts, TableCounts)  # only these have pseudo-counts
    return counts.pseudo(1.0)[None]


class Validation:
    """The rows that networks are compared on.

    Args:
        rows: (n, D) codes.
        coarsening: the bins in which the networks see them.
    """

    def __init__(self, rows: np.ndarray, coarsening: Coarsening, schema: Schema) -> None:
        self.rows = Rows.of(coarsening.to_bins(rows), coarsening.cards, schema)
        self._shares = float(coarsening.log_shares(rows).mean())
        self._scored: dict[int, tuple[object, np.ndarray]] = {}  # the last of each child

    def scores(
        self, counts: Sequence[Counts | AverageCounts], strengths: np.ndarray | None
    ) -> np.ndarray:
        """(K,) mean nats per row with K strengths of the shrinkage; None: as in ``smooth``."""
        total = np.zeros(1 if strengths is None else len(strengths))
        for child, count in enumerate(counts):
            last, scores = self._scored.get(child, (None, total))
            if last is not count or len(scores) != len(total):
                scores = self._scores(child, count, strengths)
                self._scored[child] = count, scores
            total = total + scores
        return total / self.rows.n + self._shares

    def _scores(
        self, child: int, count: Counts | AverageCounts, strengths: np.ndarray | None
    ) -> np.ndarray:
        """(K,) nats of one variable in all rows that reach it."""
        rows, total = self.rows, np.zeros(1 if strengths is None else len(strengths))
        at = rows.reaching(child)
        weights, own = rows.weights[at], rows.codes[at, child]
        if len(own) == 0:
            return total
        contexts = count.contexts(rows.entries(at, count.parents.tolist()))  # (n, trees)
        several = contexts.shape[1] > 1
        if not several:  # rows that agree in context and code are looked up once
            seen = np.bincount(contexts[:, 0] * self.rows.cards[child] + own, weights)
            cells = np.flatnonzero(seen)
            weights = seen[cells]
        step = max(1, CELLS_AT_ONCE // (count.size + contexts.size))
        for k in range(0, len(total), step):
            masses = smooth(count, None if strengths is None else strengths[k : k + step])
            if several:
                values = log_mean(masses[:, contexts, own[:, None]])  # of (K, C, M)
            else:
                values = masses.reshape(len(masses), -1)[:, cells]
            total[k : k + step] = values @ weights
        return total

    def gain(self, new: Sequence[Learned], old: Sequence[Learned]) -> tuple[float, float]:
        """What some conditionals gain over others, mean nats per row, and its standard error."""
        gain, weights = self._values(new) - self._values(old), self.rows.weights
        w = weights / weights.sum()
        return float(w @ gain), float(np.sqrt(w @ (gain - w @ gain) ** 2 / weights.sum()))

    def _values(self, conditionals: Sequence[Learned]) -> np.ndarray:
        """(n,) log mass in nats of the bins of each distinct row."""
        values = np.zeros(len(self.rows.codes))
        for child, conditional in enumerate(conditionals):
            at = self.rows.reaching(child)
            codes = self.rows.entries(at, conditional.parents.tolist())
            values[at] += conditional.log_mass(codes, self.rows.codes[at, child])
        return values
