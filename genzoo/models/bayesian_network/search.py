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

from genzoo.fitting import Clock, Fit
from genzoo.models.bayesian_network.conditionals import AverageCounts, TableCounts, TreeCounts
from genzoo.models.bayesian_network.counting import Rows
from genzoo.models.bayesian_network.limits import Limits
from genzoo.models.bayesian_network.selection import STRENGTHS, Candidate, Kind, Validation
from genzoo.models.bayesian_network.structure import (
    LEAST_ROWS,
    Information,
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
AVERAGES_PART = 0.5  # the time of averages, of that which each coarsening has
AVERAGES_SHARE = 0.5  # growing averages, of the time after these
# What a second of a budget can bear, so that the sizes of a fit don't depend on its speed: about a
# third of what one thread of a server of 2023 does.
ENTRIES = 2e6  # of training rows, for all that is done with each of them
VALID_ENTRIES = 5e5  # of validation rows, which each network that is tried looks at
PAIR_ENTRIES = 1.5e8  # looked at to count pairs
MOST_PAIR_ENTRIES = 4e9  # the same, without a budget
MOST_TABLE_ROWS = 2**17  # in which the search for tables looks for edges
NO_INFORMATION = 1e-9  # nats a row: rounding of a mutual information of zero


@dataclass(frozen=True)
class Settings:
    """What a search is to look for.

    Attributes:
        structure, equivalent_sample_size, n_trees, most_bins: as in ``BayesianNetwork``.
        limits: how much it may take.
        seconds: of the budget that there is for it; inf without one.
    """

    schema: Schema
    structure: str | Sequence[Sequence[Any]]
    equivalent_sample_size: float
    n_trees: int
    most_bins: int | None
    limits: Limits
    seconds: float = math.inf

    def affordable(
        self, rows: np.ndarray, per_second: float, rng: np.random.Generator
    ) -> np.ndarray:
        """As many of rows (n, D) as the seconds can bear, by chance and in their order."""
        n, D = rows.shape
        most = max(LEAST_ROWS, int(min(n, self.seconds * per_second / D)))
        return rows if most >= n else rows[np.sort(rng.choice(n, most, replace=False))]

    def bins(self, n: int) -> list[int]:
        """Ascending; several only where there are ordinals to coarsen, rows to select on, and the
        time to go through n rows for each."""
        if self.most_bins is not None:
            return [self.most_bins]
        if self.structure == "chow_liu":
            return [DEFAULT_BINS]
        ordinals = (v.n_values for v in self.schema.variables if v.kind == "ordinal")
        longest = max(ordinals, default=0)
        finer = [b for coarser, b in zip((0, *BINS), BINS, strict=False) if coarser < longest]
        options = finer or [BINS[0]]
        if n * self.schema.D * len(options) > self.seconds * ENTRIES:
            options = options[:2][-1:]
        return options


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
    rng = fit.rng("bayesian_network", "rows")
    rows = settings.affordable(rows, ENTRIES, rng)
    if valid is not None:
        valid = settings.affordable(valid, VALID_ENTRIES, rng)
    options, tried = settings.bins(len(rows)), 0
    averages = settings.structure == "greedy" and settings.n_trees > 1
    parts = len(options) + AVERAGES_PART * averages  # of the time
    for most_bins in options:
        if tried and not fit.goes_on("bins", clock=fit.clock.part(TREES_SHARE)):
            break
        with even_part(fit, f"{most_bins} bins", tried, parts) as own:
            search = Search(settings, rows, valid, most_bins, own, 1 / parts)
            found = max((_noted(c, record) for c in search.candidates(own)), key=_value)
            search.tell(own, f"best: {found.kind}")
        fit.did("bins")
        tried += 1
        if best is not None and _value(found) <= _value(best[0]):
            break  # finer bins are worse from here on
        best = found, search
    assert best is not None
    single, search = best
    if not averages:
        return single
    with even_part(fit, "averages", tried, parts) as own:
        if search.penalties:  # the time for one tree was over: no average of many could be grown
            return max([single, *(_noted(c, record) for c in search.trees(own))], key=_value)
        average = search.average(single, own, fit.rng("bayesian_network", "bootstrap"))
    return single if average is None else _noted(average, record)


@contextlib.contextmanager
def even_part(fit: Fit, name: str, i: int, parts: float, until: float = 1.0) -> Iterator[Fit]:
    """The i-th of several parts of a fit, which are to be over by the share ``until`` of it; each
    gets an even share of what is left when it begins. A limit that strikes in it counts as one of
    the fit's."""
    done = fit.clock.done if math.isfinite(fit.clock.ends) else until * i / parts
    own = fit.part(name, max(done, done + (until - done) / max(1.0, parts - i)))
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
        fit: what gives the order in which rows are sampled.
        share: of the time that the settings give, to count pairs and all that follows.
    """

    def __init__(
        self,
        settings: Settings,
        rows: np.ndarray,
        valid: np.ndarray | None,
        most_bins: int,
        fit: Fit,
        share: float = 1.0,
    ) -> None:
        schema = settings.schema
        self.settings = settings
        self.coarsening = Coarsening.fit(schema, rows, most_bins)
        self.cards = self.coarsening.cards
        bins = self.coarsening.to_bins(rows)
        self.rows = Rows.of(bins, self.cards, schema, fit.rng("bayesian_network", "order"))
        self.valid = None if valid is None else Validation(valid, self.coarsening, schema)
        # edges of a sequence point forward: a prompt then needs no elimination
        self.forward = schema.layout == "sequence"
        self.ordinal = np.array([v.kind == "ordinal" for v in schema.variables])
        self._most_pairs = min(
            MOST_PAIR_ENTRIES, INFORMATION_SHARE * share * settings.seconds * PAIR_ENTRIES
        )
        # what averages need of the search before: pairs, and what its trees took, in numbers that
        # were looked at and in seconds
        self.information, self.work, self.growing = Information.none(schema), 0.0, 0.0
        self._unsplit: dict[int, np.ndarray] = {}  # counts of all rows, without any question
        self.penalties: tuple[float, ...] = PENALTIES  # for which trees may still be better
        self._grown: Forest | None = None
        self._comparing = 0.0  # seconds that it took to score a network on the validation rows
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
            # shares of what is left when rows and validation rows are ready
            done = fit.clock.done

            def until(share: float) -> Clock:
                return fit.clock.part(done + share * (1 - done))

            self.information = self._pairs(fit, until(INFORMATION_SHARE))
            yield self._chow_liu(self.information)
            if len(self.cards) <= limits.most_columns_for_tables:
                sample = self.rows.first(MOST_TABLE_ROWS)
                tables = Tables(sample, self.forward, self.settings.equivalent_sample_size)
                clock = until(TABLES_SHARE)
                parents = tables.grow(fit, clock, lambda message: self.tell(fit, message))
                if fit.goes_on("comparisons", expected=self._comparing):
                    fit.did("comparisons")
                    yield self._of_tables("tables", parents)
            yield from self.trees(fit)

    def tree(self, fit: Fit) -> Candidate:
        """The Chow-Liu tree alone: that of the pairs' smoothed tables."""
        return self._chow_liu(self._pairs(fit, fit.clock.part(TREES_SHARE), pseudo_count=1.0))

    def _pairs(self, fit: Fit, clock: Clock, pseudo_count: float = 0.0) -> Information:
        return mutual_information(
            self.rows,
            self.settings.schema,
            fit,
            clock,
            most=self._most_pairs,
            pseudo_count=pseudo_count,
        )

    def tell(self, fit: Fit, message: str) -> None:
        """Progress; without a budget the end can only be guessed."""
        self._told += 1
        limited = math.isfinite(fit.clock.ends)
        fit.report(fit.clock.done if limited else 1 - 0.99**self._told, message)

    def _chow_liu(self, information: Information) -> Candidate:
        least = NO_INFORMATION * self.rows.n
        counts = self._count(chow_liu(information, least, self.forward))
        valid = None if self.valid is None else float(self.valid.scores(counts, None)[0])
        edges = sum(len(c.parents) for c in counts)
        return Candidate("chow_liu", counts, None, self.coarsening, edges, valid, f"{edges} edges")

    def _of_tables(self, kind: Kind, parents: list[list[int]]) -> Candidate:
        edges = sum(len(own) for own in parents)
        return self._smoothed(kind, self._count(parents), edges, f"{edges} edges")

    def trees(self, fit: Fit) -> Iterator[Candidate]:
        """Trees for one of ``penalties`` after the other."""
        began = fit.clock.spent
        if self._grown is None:
            order = Order.free(len(self.cards), self.forward)
            self._grown = self._forest(self.rows, order, self.settings.limits.largest_tree)
        forest, best, worse, compared = self._grown, -np.inf, 0, 0.0
        for penalty, finished in forest.grow(
            self.penalties,
            fit=fit,
            clock=fit.clock.part(TREES_SHARE),
            report=lambda message: self.tell(fit, message),
        ):
            self.work, self.growing = forest.work, fit.clock.spent - began - compared
            self.penalties = self.penalties[int(finished) :]
            if not fit.goes_on("comparisons", expected=self._comparing):
                return
            fit.did("comparisons")
            before = fit.clock.spent
            detail = f"{forest.splits} splits"
            found = self._smoothed("trees", forest.trees(), forest.splits, detail, penalty)
            self._comparing = fit.clock.spent - before
            compared += self._comparing
            yield found
            worse = worse + 1 if _value(found) <= best else 0
            best = max(best, _value(found))
            if worse == 2:
                self.penalties = ()
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
            expected = len(forests) * self._comparing
            if not fit.goes_on("averages", clock=fit.clock.part(TREES_SHARE), expected=expected):
                break
            trees = zip(*(stages[stage] for stages in forests), strict=True)
            # trees without a split are all the same
            averages: list[TreeCounts | AverageCounts] = [
                AverageCounts(list(own)) if any(len(tree.above) > 1 for tree in own) else own[0]
                for own in trees
            ]
            scores = self.valid.scores(averages, STRENGTHS)
            fit.did("averages")
            if scores.max() < best:
                break  # smaller trees are worse from here on
            best = float(scores.max())
            found = AVERAGE_PENALTIES[stage], averages, float(STRENGTHS[scores.argmax()])
        if found is None:
            return None
        penalty, averages, strength = found
        steps = sum(a.n_splits for a in averages)
        detail = f"{len(forests)} trees a variable, penalty {penalty:g}, shrinkage {strength:g}, "
        detail += f"{steps} splits, in the order of {single.kind}"
        average = Candidate("averages", averages, strength, self.coarsening, steps, best, detail)
        if not fit.goes_on("gains", expected=2 * self._comparing):
            return None
        fit.did("gains")
        gain, error = self.valid.gain(average.conditionals, single.conditionals)
        return average if gain > self.settings.limits.sure * error else None

    def _forests(
        self, single: Candidate, fit: Fit, rng: np.random.Generator
    ) -> list[list[list[TreeCounts]]]:
        """The trees of each sample that was finished, by penalty and child."""
        order = Order.along(range(len(self.cards)) if self.forward else single.order)
        limits, n_trees, n = self.settings.limits, self.settings.n_trees, self.rows.n
        clock = fit.clock.part(AVERAGES_SHARE)
        forests: list[list[list[TreeCounts]]] = []
        while len(forests) < min(n_trees, int(limits.most_work / max(1.0, self.work))):
            if not fit.goes_on("forests", clock=clock, expected=self.growing):
                break
            fit.did("forests")
            sample = self.rows.reweighted(rng.multinomial(n, self.rows.weights / n))
            forest = self._forest(sample, order, limits.largest_tree // n_trees)
            grown = forest.grow(AVERAGE_PENALTIES, fit=fit, clock=clock)
            stages = [forest.trees() for _, finished in grown if finished]
            if len(stages) < len(AVERAGE_PENALTIES):
                break
            forests.append(self._recounted(stages))
            self.tell(fit, f"averages: {len(forests)} trees a variable")
        return forests

    def _recounted(self, stages: list[list[TreeCounts]]) -> list[list[TreeCounts]]:
        """Trees that grew from stage to stage on a sample, with the counts of all rows."""
        counts = []
        rows = self.rows
        for child, tree in enumerate(stages[-1]):
            if len(tree.above) == 1 and child in self._unsplit:
                counts.append(self._unsplit[child])
                continue
            at, parents = rows.reaching(child), tree.parents.tolist()
            codes, own = rows.entries(at, parents), rows.codes[at, child]
            counts.append(tree.moved(codes, own, 1.0, rows.weights[at]).counts)
            if len(tree.above) == 1:
                self._unsplit[child] = counts[-1]
        # a tree's nodes are the first ones of what it grew into
        return [
            [replace(t, counts=c[: len(t.counts)]) for t, c in zip(trees, counts, strict=True)]
            for trees in stages
        ]

    # ---------------------------------------------------------------- counting and smoothing

    def _count(self, parents: list[list[int]]) -> list[TableCounts]:
        rows, counts = self.rows, []
        for child, own in enumerate(parents):
            at = rows.reaching(child)
            codes, weights = rows.entries(at, [*own, child]), rows.weights[at]
            seen = (codes != MISSING).all(axis=1)
            if not seen.all():
                codes, weights = codes[seen], weights[seen]
            counts.append(TableCounts.count(codes, own, self.cards[[*own, child]], weights))
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
