"""The search for a network on complete rows: it gets settings and data, and returns what it found.

Each coarsening of the data has a ``Search`` of its own, and a part of the fit's time.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genzoo.fitting import Fit
from genzoo.models.bayesian_network.conditionals import AverageCounts, TableCounts, TreeCounts
from genzoo.models.bayesian_network.counting import Rows
from genzoo.models.bayesian_network.limits import Limits
from genzoo.models.bayesian_network.selection import STRENGTHS, Candidate, Kind, Validation
from genzoo.models.bayesian_network.structure import (
    Order,
    Tables,
    chow_liu,
    given_parents,
    mutual_information,
)
from genzoo.models.bayesian_network.trees import Forest
from genzoo.space.coarsen import Coarsening
from genzoo.space.schema import MISSING, Schema

# Nats a split of a tree, and the same in averages, which bear smaller ones. One search gives the
# trees of all, so more of them cost smoothing alone; chosen with figures of ten binary tables in
# view (benchmarks/results/published/tables.md).
PENALTIES = (16.0, 12.0, 8.0, 6.0, 4.0, 3.0, 2.0, 1.0, 0.5)
AVERAGE_PENALTIES = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25)
BINS = (6, 12, 24, 48, 96)  # at most so many for a long ordinal: each is a search of its own
DEFAULT_BINS = 16  # where nothing is selected
# Until which share of the time of one coarsening something must be over: what comes early is
# cheap and what all the rest stands on, so the later stages get the larger parts.
INFORMATION_SHARE = 0.2  # counting pairs
TABLES_SHARE = 0.3  # the search for tables
TREES_SHARE = 0.85  # growing trees; the rest is for smoothing them
AVERAGES_SHARE = 0.5  # growing averages, of the time after these
NO_INFORMATION = 1e-9  # nats a row: rounding of a mutual information of zero


@dataclass(frozen=True)
class Settings:
    """What a search is to look for.

    Attributes:
        structure, equivalent_sample_size, n_trees, most_bins: as in ``BayesianNetwork``.
        limits: how much it may take.
    """

    schema: Schema
    structure: str | Sequence[Sequence[Any]]
    equivalent_sample_size: float
    n_trees: int
    most_bins: int | None
    limits: Limits

    @property
    def bins(self) -> list[int]:
        """Ascending; several only where there are ordinals to coarsen and rows to select on."""
        if self.most_bins is not None:
            return [self.most_bins]
        if self.structure == "chow_liu":
            return [DEFAULT_BINS]
        ordinals = (v.n_values for v in self.schema.variables if v.kind == "ordinal")
        longest = max(ordinals, default=0)
        finer = [b for coarser, b in zip((0, *BINS), BINS, strict=False) if coarser < longest]
        return finer or [BINS[0]]


def learn(
    settings: Settings, rows: np.ndarray, valid: np.ndarray | None, fit: Fit, record: Fit
) -> Candidate:
    """The best network on complete rows.

    Args:
        rows: (n, D) codes.
        valid: the same to select on, or None.
        fit: the time that there is, and where its limits are noted. The units of work are
            ``"bins"``, and in a part for each of them those of ``structure.py`` and ``trees.py``.
        record: the fit whose steps (edges and splits) and learning curve these are.

    Raises:
        ValueError: for edges that no network can have.
    """
    best: tuple[Candidate, Search] | None = None
    options, tried = settings.bins, 0
    for most_bins in options:
        if tried and not fit.goes_on("bins", clock=fit.clock.part(TREES_SHARE)):
            break
        with even_part(fit, f"{most_bins} bins", tried, len(options) + 1) as own:
            search = Search(settings, rows, valid, most_bins)
            found = max((_noted(c, record) for c in search.candidates(own)), key=_value)
            search.tell(own, f"best: {found.kind}")
        fit.did("bins")
        tried += 1
        if best is not None and _value(found) <= _value(best[0]):
            break  # finer bins are worse from here on
        best = found, search
    assert best is not None
    single, search = best
    if settings.structure != "greedy" or settings.n_trees == 1:
        return single
    with even_part(fit, "averages", tried, len(options) + 1) as own:
        average = search.average(single, own, fit.rng("bayesian_network", "bootstrap"))
    return single if average is None else _noted(average, record)


@contextlib.contextmanager
def even_part(fit: Fit, name: str, i: int, parts: int, until: float = 1.0) -> Iterator[Fit]:
    """The i-th of several parts of a fit, which are to be over by the share ``until`` of it; each
    gets an even share of what is left when it begins. A limit that strikes in it counts as one of
    the fit's."""
    done = fit.clock.done if math.isfinite(fit.clock.ends) else until * i / parts
    own = fit.part(name, max(done, done + (until - done) / (parts - i)))
    yield own
    fit.take(name, own)
    if own.training.stops:
        fit.training.converged, fit.training.stopped_by = False, "budget"


def _noted(candidate: Candidate, record: Fit) -> Candidate:
    record.did("steps", candidate.steps)
    record.point(None, candidate.valid)
    return candidate


def _value(candidate: Candidate) -> float:
    return 0.0 if candidate.valid is None else candidate.valid


class Search:
    """The networks that are tried with one coarsening of the data.

    Args:
        rows: (n, D) codes; for a tree they may have holes.
        valid: the same to select on, or None.
        most_bins: of a long ordinal.
    """

    def __init__(
        self, settings: Settings, rows: np.ndarray, valid: np.ndarray | None, most_bins: int
    ) -> None:
        schema = settings.schema
        self.settings = settings
        self.coarsening = Coarsening.fit(schema, rows, most_bins)
        self.cards = self.coarsening.cards
        self.rows = Rows.of(self.coarsening.to_bins(rows), self.cards, schema)
        self.valid = None if valid is None else Validation(valid, self.coarsening, schema)
        # edges of a sequence point forward: a prompt then needs no elimination
        self.forward = schema.layout == "sequence"
        self.ordinal = np.array([v.kind == "ordinal" for v in schema.variables])
        D = len(self.cards)
        # what averages need of the search before: pairs, and numbers looked at for its trees
        self.information, self.work = np.zeros((D, D)), 0.0
        self._told = 0

    def candidates(self, fit: Fit) -> Iterator[Candidate]:
        """The networks of each kind that the settings ask for."""
        structure, limits = self.settings.structure, self.settings.limits
        if not isinstance(structure, str):
            yield self._of_tables(
                "given", given_parents(structure, self.settings.schema, self.cards)
            )
        elif structure == "chow_liu":
            yield self.tree(fit)
        else:
            self.information = mutual_information(self.rows, fit, fit.clock.part(INFORMATION_SHARE))
            yield self._chow_liu(self.information)
            if len(self.cards) <= limits.most_columns_for_tables:
                tables = Tables(self.rows, self.forward, self.settings.equivalent_sample_size)
                until = fit.clock.part(TABLES_SHARE)
                parents = tables.grow(fit, until, lambda message: self.tell(fit, message))
                yield self._of_tables("tables", parents)
            yield from self._trees(fit)

    def tree(self, fit: Fit) -> Candidate:
        """The Chow-Liu tree alone: that of the pairs' smoothed tables."""
        clock = fit.clock.part(TREES_SHARE)
        return self._chow_liu(mutual_information(self.rows, fit, clock, pseudo_count=1.0))

    def tell(self, fit: Fit, message: str) -> None:
        """Progress; without a budget the end can only be guessed."""
        self._told += 1
        limited = math.isfinite(fit.clock.ends)
        fit.report(fit.clock.done if limited else 1 - 0.99**self._told, message)

    def _chow_liu(self, information: np.ndarray) -> Candidate:
        least = NO_INFORMATION * self.rows.weights.sum()
        counts = self._count(chow_liu(information, least, self.forward))
        valid = None if self.valid is None else float(self.valid.scores(counts, None)[0])
        edges = sum(len(c.parents) for c in counts)
        return Candidate("chow_liu", counts, None, self.coarsening, edges, valid, f"{edges} edges")

    def _of_tables(self, kind: Kind, parents: list[list[int]]) -> Candidate:
        edges = sum(len(own) for own in parents)
        return self._smoothed(kind, self._count(parents), edges, f"{edges} edges")

    def _trees(self, fit: Fit) -> Iterator[Candidate]:
        order = Order.free(len(self.cards), self.forward)
        forest = self._forest(self.rows, order, self.settings.limits.largest_tree)
        best, worse = -np.inf, 0
        for penalty, _ in forest.grow(
            PENALTIES,
            fit=fit,
            clock=fit.clock.part(TREES_SHARE),
            report=lambda message: self.tell(fit, message),
        ):
            self.work = forest.work
            detail = f"{forest.splits} splits"
            found = self._smoothed("trees", forest.trees(), forest.splits, detail, penalty)
            yield found
            worse = worse + 1 if _value(found) <= best else 0
            best = max(best, _value(found))
            if worse == 2:
                return

    def _forest(self, rows: Rows, order: Order, largest_tree: int) -> Forest:
        return Forest(rows, self.ordinal, self.information, order, largest_tree)

    # ---------------------------------------------------------------- averages

    def average(self, single: Candidate, fit: Fit, rng: np.random.Generator) -> Candidate | None:
        """Averages of trees grown on bootstrap samples of the rows, in the order of ``single``.

        The units of work are those of ``Forest.grow`` and ``"averages"`` (penalties compared).

        Args:
            single: a network that ``candidates`` gave.
            fit: the time that there is, and where its limits are noted.

        Returns:
            None where the average is not surely better than ``single`` on the validation rows, or
            takes too long.
        """
        assert self.valid is not None
        forests = self._forests(single, fit, rng)
        best, found = -np.inf, None
        for stage in reversed(range(len(AVERAGE_PENALTIES) if forests else 0)):
            if found is not None and not fit.goes_on("averages", clock=fit.clock.part(TREES_SHARE)):
                break
            trees = zip(*(stages[stage] for stages in forests), strict=True)
            averages = [AverageCounts(list(of_child)) for of_child in trees]
            scores = self.valid.scores(averages, STRENGTHS)
            fit.did("averages")
            if scores.max() < best:
                break  # smaller trees are worse from here on
            best = float(scores.max())
            found = AVERAGE_PENALTIES[stage], averages, float(STRENGTHS[scores.argmax()])
        if found is None:
            return None
        penalty, averages, strength = found
        steps = sum(len(tree.above) // 2 for a in averages for tree in a.trees)
        detail = f"{len(forests)} trees a variable, penalty {penalty:g}, shrinkage {strength:g}, "
        detail += f"{steps} splits, in the order of {single.kind}"
        average = Candidate("averages", averages, strength, self.coarsening, steps, best, detail)
        gain, error = self.valid.gain(average.conditionals, single.conditionals)
        return average if gain > self.settings.limits.sure * error else None

    def _forests(
        self, single: Candidate, fit: Fit, rng: np.random.Generator
    ) -> list[list[list[TreeCounts]]]:
        """The trees of each sample that was finished, by penalty and child."""
        order = Order.along(range(len(self.cards)) if self.forward else single.order)
        limits, n_trees, n = self.settings.limits, self.settings.n_trees, self.rows.n
        forests: list[list[list[TreeCounts]]] = []
        while len(forests) < min(n_trees, int(limits.most_work / max(1.0, self.work))):
            sample = self.rows.reweighted(rng.multinomial(n, self.rows.weights / n))
            forest = self._forest(sample, order, limits.largest_tree // n_trees)
            grown = forest.grow(AVERAGE_PENALTIES, fit=fit, clock=fit.clock.part(AVERAGES_SHARE))
            stages = [forest.trees() for _, finished in grown if finished]
            if len(stages) < len(AVERAGE_PENALTIES):
                break
            forests.append(self._recounted(stages))
            self.tell(fit, f"averages: {len(forests)} trees a variable")
        return forests

    def _recounted(self, stages: list[list[TreeCounts]]) -> list[list[TreeCounts]]:
        """Trees that grew from stage to stage on a sample, with the counts of all rows."""
        counts = []
        for child, tree in enumerate(stages[-1]):
            at = self.rows.reached[:, child]
            codes, weights = self.rows.codes[at], self.rows.weights[at]
            counts.append(tree.moved(codes, child, self.cards, 1.0, weights).counts)
        # a tree's nodes are the first ones of what it grew into
        return [
            [replace(t, counts=c[: len(t.counts)]) for t, c in zip(trees, counts, strict=True)]
            for trees in stages
        ]

    # ---------------------------------------------------------------- counting and smoothing

    def _count(self, parents: list[list[int]]) -> list[TableCounts]:
        rows, counts = self.rows, []
        for child, own in enumerate(parents):
            seen = (rows.codes[:, [child, *own]] != MISSING).all(axis=1)
            at = rows.reached[:, child] & seen
            counts.append(
                TableCounts.count(rows.codes[at], child, own, self.cards, rows.weights[at])
            )
        return counts

    def _smoothed(
        self,
        kind: Kind,
        counts: Sequence[TableCounts | TreeCounts],
        steps: int,
        detail: str,
        penalty: float | None = None,
    ) -> Candidate:
        """The network with the strength of shrinkage that is best on the validation rows."""
        assert self.valid is not None
        scores = self.valid.scores(counts, STRENGTHS)
        strength = float(STRENGTHS[scores.argmax()])
        detail = f"shrinkage {strength:g}, {detail}"
        detail = detail if penalty is None else f"penalty {penalty:g}, {detail}"
        best = float(scores.max())
        return Candidate(kind, counts, strength, self.coarsening, steps, best, detail)
