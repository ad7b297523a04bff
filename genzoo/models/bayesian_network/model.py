"""Bayesian networks: each variable given a few others, along a graph without cycles.

    p(x) = prod_d p_d(x_d | x_parents(d))

The graph is what has to be found. Four kinds are learned and the best on validation rows is kept:

    Chow-Liu tree   at most one parent each, the tree of largest mutual information (exact);
    tables          edges added greedily by the BDeu score, a table for each variable (left out
                    where there are more than ``MOST_COLUMNS_FOR_TABLES`` columns);
    trees           a decision tree for each variable, grown greedily: a context is a leaf, so
                    a variable can look at many others where the data ask for it;
    averages        the mean of several trees for each variable.

Tables cost a row for every combination of the parents' values, trees only for the leaves: on the
binary benchmark tables trees win on nearly all. What a context has not seen is filled in from the
one above it (``conditionals.py``), with a strength chosen on validation rows for each
kind of network.

Which splits a tree has depends much on chance. Once an order of the variables is fixed, structures
can be averaged for each variable by itself (Friedman & Koller 2003): the product of averages is
the average over all products. So the best network gives the order; bootstrap samples of the rows
give trees, each variable free to look at all that come before it (Breiman 1996); the counts in
them are those of all rows; and the mean of their masses is the conditional. It gains 0.2 nats a
row on plants and 2 on dna. As it has more parents, and so fewer queries that are exact, it is
kept only where it is surely better on the validation rows. Rows with holes get single networks.

Long ordinals are modelled in bins whose mass is spread over their codes exactly
(``space/coarsen.py``). On sequences all edges point forward, so prompts are completed exactly at no
cost; a string's END is one more fact about the position before (``Stopped``). Inference is exact
wherever elimination is affordable, else a bound by particles (``inference.py``).

Rows with ``MISSING`` entries are learned from by stochastic EM (Celeux & Diebolt 1985), on graphs
as well as tables (Friedman 1997). The entries are drawn given the observed ones of their row under
the network of the round before (``completion.py``), and the next network is learned from
the completed rows. It begins with a Chow-Liu tree of the available pairs and some rounds of such
trees, which are cheap; then come rounds of the whole search.
At last the graph stays, and the counts behind the tables are averaged over rounds (Delyon, Lavielle
& Moulines 1999), so that they settle where EM's do. Each search selects on validation rows that
were completed in the same way; between searches, the mass of what validation rows have observed
decides. All this is for entries missing at random: whether one is missing may depend on what is
observed in its row, but not on what it hides. Counting the available cases would need them missing
completely at random.

References:
    Chow & Liu (1968), Approximating discrete probability distributions with dependence trees.
    Heckerman, Geiger & Chickering (1995), Learning Bayesian networks: the combination of
    knowledge and statistical data.
    Chickering, Heckerman & Meek (1997), A Bayesian approach to learning Bayesian networks with
    local structure.
    Celeux & Diebolt (1985), The SEM algorithm: a probabilistic teacher algorithm derived from the
    EM algorithm for the mixture problem.
    Breiman (1996), Bagging predictors.
    Friedman & Koller (2003), Being Bayesian about network structure.
    Friedman (1997), Learning belief networks in the presence of missing values and hidden
    variables.
    Delyon, Lavielle & Moulines (1999), Convergence of a stochastic approximation version of the EM
    algorithm.
    Koller & Friedman (2009), Probabilistic Graphical Models.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.fitting import Budget, CurvePoint, Fit, Progress, Training
from genzoo.model import GenerativeModel
from genzoo.models.bayesian_network import export
from genzoo.models.bayesian_network.completion import Completions
from genzoo.models.bayesian_network.conditionals import (
    AverageCounts,
    Counts,
    Learned,
    Stopped,
    Table,
    TableCounts,
    Tree,
    TreeCounts,
    from_state,
    log_mean,
)
from genzoo.models.bayesian_network.counting import weighted
from genzoo.models.bayesian_network.inference import Network
from genzoo.models.bayesian_network.structure import (
    Order,
    chow_liu,
    given_parents,
    greedy_tables,
    mutual_information,
    topological,
)
from genzoo.models.bayesian_network.trees import LARGEST_TREE, Forest
from genzoo.models.independent import Independent
from genzoo.parameters import check_integer
from genzoo.seeding import derive, numpy_rng
from genzoo.space.coarsen import Coarsening
from genzoo.space.schema import MISSING
from genzoo.values import LogProb

if TYPE_CHECKING:
    from pgmpy.models import DiscreteBayesianNetwork

KINDS = ("chow_liu", "tables", "trees", "given", "averages")
PENALTIES = (16.0, 12.0, 8.0, 6.0, 4.0, 3.0, 2.0, 1.0, 0.5)  # nats a split of a tree
AVERAGE_PENALTIES = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25)  # the same in averages
STRENGTHS = np.array(
    (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
)  # of shrinkage, in rows
MOST_COLUMNS_FOR_TABLES = 256  # on wider data the search for tables is left out
MOST_WORK = 1e12  # numbers looked at to grow the trees of averages
SURE = 2.0  # standard errors by which an average must be better than single trees
BINS = (6, 12, 24, 48, 96)  # at most so many for a long ordinal; chosen on validation rows
DEFAULT_BINS = 16  # where nothing is selected
INFORMATION_SHARE = 0.2  # of a budget in seconds, until pairs must have been counted
TABLES_SHARE = 0.3  # the same for the search for tables
TREES_SHARE = 0.85  # the same for trees; the rest is for smoothing them
AVERAGES_SHARE = 0.5  # the same for growing averages, of the stretch after these
NO_INFORMATION = 1e-9  # nats a row: rounding of a mutual information of zero
TREE_ROUNDS = 8  # of completing rows by Chow-Liu trees before the search
SEARCH_ROUNDS = 3  # of searching, each on the completions by the network before
COUNT_ROUNDS = 30  # of counting anew with the graph that was found
BURN_IN = 15  # of these; from then on counts are averaged
START_SHARE = 0.2  # of a budget in seconds, until the rounds of trees must be over
SEARCH_SHARE = 0.8  # the same for the rounds of searching
COUNT_SHARE = 0.95  # the same for counting
CELLS_AT_ONCE = 2**22  # numbers in a working array of smoothing
ROWS_AT_ONCE = 1024  # that are filled in together at the start


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A network that was found, and how well it does on the validation rows."""

    kind: str
    counts: list[Counts]
    strength: float | None  # of the shrinkage; None: pseudo-counts of 1 in tables
    log_probs: list[np.ndarray]
    coarsening: Coarsening
    valid: float  # mean nats per row
    detail: str

    @property
    def conditionals(self) -> list[Table | Tree]:
        return [c.conditional(p) for c, p in zip(self.counts, self.log_probs, strict=True)]

    @property
    def order(self) -> list[int]:
        """The variables, parents before children."""
        return topological([c.parents.tolist() for c in self.counts])

    def counted(self, rows: np.ndarray, reached: np.ndarray, step: float) -> _Candidate:
        """The same graph with its counts moved by the share ``step`` towards those in other rows.

        Args:
            rows: (n, D) bins.
            reached: (n, D) bool.
            step: 1 forgets the present counts.
        """
        cards = self.coarsening.cards
        counts = [c.moved(rows[reached[:, d]], d, cards, step) for d, c in enumerate(self.counts)]
        strengths = None if self.strength is None else np.array([self.strength])
        log_probs = [_smooth(c, strengths)[0] for c in counts]
        return replace(self, counts=counts, log_probs=log_probs)


def _smooth(counts: Counts | AverageCounts, strengths: np.ndarray | None) -> np.ndarray:
    """(K, C, M) log mass, shrunk with K strengths, or in tables with a pseudo-count of 1."""
    if strengths is not None:
        return counts.shrunk(strengths)
    assert isinstance(counts, TableCounts)
    return counts.pseudo(1.0)[None]


class BayesianNetwork(GenerativeModel):
    """A directed graph with a table or decision trees for each variable.

    Queries are exact, but for patterns of ``MISSING`` that would need too large a factor: these
    get a lower bound, and completions by particles.

    Args:
        structure: ``"greedy"`` (the best of the four kinds on validation rows), ``"chow_liu"``
            (the tree alone: pseudo-count 1 in each cell of a pair's table, nothing is selected
            and all rows are used), or a list of edges (parent, child), names or positions.
        equivalent_sample_size: of the BDeu score, in rows; positive.
        n_trees: trees a variable in averages; 1 leaves averages out. Fewer are grown where the
            data are so large that growing them would take more than ``MOST_WORK``.
        most_bins: ordinals with more values are modelled in at most this many bins, at least 2.
            None: chosen on validation rows (16 for ``"chow_liu"``).

    ``fit`` takes rows with ``MISSING`` entries (code -1) and holds them for missing at random.

    Attributes:
        kind_: ``"chow_liu"``, ``"tables"``, ``"trees"``, ``"averages"`` or ``"given"``.
        edges_: the edges, as pairs of names.
        network_: the network in pgmpy's form.
    """

    fits_missing = True

    def __init__(
        self,
        *,
        structure: str | Sequence[Sequence[Any]] = "greedy",
        equivalent_sample_size: float = 10.0,
        n_trees: int = 8,
        most_bins: int | None = None,
    ) -> None:
        self.structure = structure
        self.equivalent_sample_size = equivalent_sample_size
        self.n_trees = n_trees
        self.most_bins = most_bins

    @property
    def selects(self) -> bool:  # type: ignore[override]
        """Whether validation rows are held out: not for ``"chow_liu"``."""
        return not (isinstance(self.structure, str) and self.structure == "chow_liu")

    def _check_params(self) -> None:
        structure = self.structure
        if isinstance(structure, str):
            if structure not in ("greedy", "chow_liu"):
                raise ValueError(
                    f'structure: expected "greedy", "chow_liu" or a list of (parent, child); '
                    f"got {structure!r}"
                )
        elif not isinstance(structure, (list, tuple)) or any(
            not isinstance(edge, (list, tuple)) or len(edge) != 2 for edge in structure
        ):
            raise ValueError(
                f"structure: expected a list of pairs (parent, child); got {structure!r}"
            )
        size = self.equivalent_sample_size
        if not (isinstance(size, (int, float)) and 0 < size < np.inf):
            raise ValueError(f"equivalent_sample_size: expected a positive number; got {size!r}")
        check_integer("n_trees", self.n_trees)
        bins = self.most_bins
        if bins is not None and (isinstance(bins, bool) or not isinstance(bins, int) or bins < 2):
            raise ValueError(f"most_bins: expected an integer of at least 2 or None; got {bins!r}")

    # ---------------------------------------------------------------- learning

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        seed, budget, progress = fit.seed, fit.budget, fit.report
        training = Training()
        average = None
        if (rows == MISSING).any() or (valid is not None and (valid == MISSING).any()):
            rounds = _Rounds(self, rows, valid, seed, budget, progress)
            best = rounds.run(training)
        else:
            best, search = self._search(rows, valid, training, budget, progress)
            if self.n_trees > 1 and self.structure == "greedy":
                average = search.average(best, numpy_rng(seed, "bayesian_network", "bootstrap"))
        self.coarsening_ = best.coarsening
        self.learned_: Sequence[Learned]
        self.kind_, self.learned_, detail = average or (best.kind, best.conditionals, best.detail)
        self._assemble()
        training.steps = max(1, training.steps)
        training.notes.append(f"{self.kind_}: {detail}")
        fit.training = training

    def _search(
        self,
        rows: np.ndarray,
        valid: np.ndarray | None,
        training: Training,
        budget: Budget,
        progress: Progress,
    ) -> tuple[_Candidate, _Search]:
        """The best network on complete rows, and the search that found it."""
        best: tuple[_Candidate, _Search] | None = None
        options = self._bins_to_try()
        clock = _Clock(budget, len(options) + 1, progress)
        for most_bins in options:
            search = _Search(self, rows, valid, most_bins, training, clock)
            found = max(search.candidates(), key=lambda candidate: candidate.valid)
            clock.report(f"at most {most_bins} bins: {found.kind}")
            clock.next_stretch()
            if best is not None and found.valid <= best[0].valid:
                break  # finer bins are worse from here on
            best = found, search
            if clock.seconds() > TREES_SHARE * clock.budget:
                break
        assert best is not None
        return best

    def _bins_to_try(self) -> list[int]:
        """Ascending; several only where there are ordinals to coarsen and rows to select on."""
        if self.most_bins is not None:
            return [self.most_bins]
        if not self.selects:
            return [DEFAULT_BINS]
        longest = max(
            (v.n_values for v in self.schema_.variables if v.kind == "ordinal"), default=0
        )
        finer = [b for coarser, b in zip((0, *BINS), BINS, strict=False) if coarser < longest]
        return finer or [BINS[0]]

    def _assemble(self) -> None:
        """Make the conditionals ready for queries."""
        self.inference_ = _network(self.learned_, self.coarsening_.cards, self.schema_.end)

    # ---------------------------------------------------------------- queries

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        bins = self.coarsening_.to_bins(rows)
        found = self.inference_.log_prob(bins, seed=seed)
        return replace(found, value=found.value + self.coarsening_.log_shares(rows))

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        rng = numpy_rng(seed, "bayesian_network")
        if given is None:
            return self.coarsening_.to_codes(self.inference_.sample(n, rng), rng)
        barred = self.coarsening_.marks(self.schema_)
        bins = self.inference_.complete(self.coarsening_.to_bins(given), rng, barred, seed=seed)
        return np.where(given == MISSING, self.coarsening_.to_codes(bins, rng), given)

    @property
    def edges_(self) -> list[tuple[Any, Any]]:
        names = self.schema_.names
        return [(names[p], names[c]) for c, t in enumerate(self.learned_) for p in t.parents]

    # ---------------------------------------------------------------- pgmpy and BIF

    @property
    def network_(self) -> DiscreteBayesianNetwork:
        """The network as pgmpy's ``DiscreteBayesianNetwork``, with ``state_names``.

        Nodes are named as the schema's variables. States are the categories or grid values, the
        bins of a coarsened ordinal ("low .. high"), and "missing" for the mark; so the network is
        that of the bins, and a code's mass also has its share of the bin. In strings with END the
        position before is a parent of each position: after END comes END.

        Where a table would have more than ``export.LARGEST_TABLE`` entries (trees with many
        parents), this is the graph alone, and ``network_.graph["reason"]`` says why.
        """
        return export.to_pgmpy(self.inference_, self.coarsening_, self.schema_)

    def export_bif(self, path: str | Path) -> Path:
        """Write the network, as ``network_`` describes it, in the BIF format.

        Names that the format can't hold are spelled with underscores; what each stands for is
        written as a property of its variable.

        Raises:
            Unsupported: if a table would be too large.
        """
        return export.to_bif(self.inference_, self.coarsening_, self.schema_, Path(path))

    # ---------------------------------------------------------------- saved state

    def _state(self) -> dict[str, np.ndarray]:
        arrays = {"kind": np.array(KINDS.index(self.kind_)), **self.coarsening_.state()}
        for child, learned in enumerate(self.learned_):
            arrays |= {f"{child}.{name}": array for name, array in learned.state().items()}
        return arrays

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.kind_ = KINDS[int(arrays["kind"])]
        self.coarsening_ = Coarsening.from_state(arrays)
        parts: list[dict[str, np.ndarray]] = [{} for _ in range(self.schema_.D)]
        for name, array in arrays.items():
            child, _, own = name.partition(".")
            if own:
                parts[int(child)][own] = array
        self.learned_ = [from_state(own) for own in parts]
        self._assemble()

    @property
    def n_parameters_(self) -> int:
        """Free masses in all contexts, and free shares of codes in their bins."""
        return sum(t.n_parameters for t in self.learned_) + self.coarsening_.n_parameters


def _network(conditionals: Sequence[Learned], cards: np.ndarray, end: int | None) -> Network:
    """The conditionals, the END rule put in front, ready for queries."""
    ready: list[Learned | Stopped] = []
    for child, learned in enumerate(conditionals):
        stops = end is not None and child > 0
        ready.append(Stopped(learned, child - 1, int(end or 0)) if stops else learned)
    return Network(ready, cards, topological([c.parents.tolist() for c in ready]))


@dataclass(frozen=True)
class _Stretch:
    """One of several rounds that share a stretch of the budget, from ``first`` to ``last``."""

    first: float
    last: float
    round: int
    rounds: int

    def done(self, fraction: float) -> float:
        """The share of the whole fit that is done with a fraction of this round."""
        return self.first + (self.last - self.first) * (self.round + fraction) / self.rounds


class _Rounds:
    """Stochastic EM around a search that needs complete rows.

    Validation rows are completed in the same way, by networks that were learned without them.
    """

    def __init__(
        self,
        model: BayesianNetwork,
        rows: np.ndarray,
        valid: np.ndarray | None,
        seed: int,
        budget: Budget,
        progress: Progress,
    ) -> None:
        self.model, self.schema = model, model.schema_
        self.n = len(rows)
        self.rows = rows if valid is None else np.concatenate([rows, valid])
        # a variable that is never seen: EM would keep whatever chance made of it
        self.unseen = np.flatnonzero((rows == MISSING).all(axis=0) & (self.schema.end is None))
        self.rng = numpy_rng(seed, "bayesian_network", "completions")
        self.seed, self.progress = seed, progress
        self.began = time.perf_counter()
        self.limit = np.inf if budget.seconds is None else budget.seconds

    def run(self, training: Training) -> _Candidate:
        tree = BayesianNetwork(structure="chow_liu", most_bins=self.model.most_bins)
        tree.schema_ = self.schema
        completed = self._start()
        for i in range(TREE_ROUNDS):
            if i and self._spent(START_SHARE):
                break
            stretch = _Stretch(0.0, START_SHARE, i, TREE_ROUNDS)
            # at first the pairs that are there: filled in, they would hide what they share
            found = self._learn(tree, completed if i else self.rows, Training(), stretch)
            completed = self._completed(found, completed)[0]
        best, best_value = found, None
        for i in range(SEARCH_ROUNDS):
            if i and self._spent(SEARCH_SHARE):
                training.converged, training.stopped_by = False, "budget"
                break
            stretch = _Stretch(START_SHARE, SEARCH_SHARE, i, SEARCH_ROUNDS)
            found = self._learn(self.model, completed, training, stretch)
            completed, value = self._completed(found, completed)
            # without values there is no telling; the later one stands on better completions
            if value is None or best_value is None or value > best_value:
                best, best_value = found, value
        return self._settled(best, completed, training)

    def _start(self) -> np.ndarray:
        """(n, D) rows with holes filled by the variables' marginals."""
        independent = Independent().fit(self.rows[: self.n], schema=self.schema)
        completed = self.rows.copy()
        holed = np.flatnonzero((self.rows == MISSING).any(axis=1))
        for i in range(0, len(holed), ROWS_AT_ONCE):
            at = holed[i : i + ROWS_AT_ONCE]
            seed = derive(self.seed, "bayesian_network", "start", i)
            completed[at] = independent.sample(len(at), given=self.rows[at], seed=seed)
        return completed

    def _learn(
        self, model: BayesianNetwork, completed: np.ndarray, training: Training, stretch: _Stretch
    ) -> _Candidate:
        """The best network on completed rows; for trees they may have holes."""
        began, known = self._seconds(), len(training.curve)
        left = max(0.0, stretch.last * self.limit - began) / (stretch.rounds - stretch.round)
        budget = Budget() if self.limit == np.inf else Budget(seconds=left)

        def progress(fraction: float, message: str) -> None:
            self.progress(stretch.done(fraction), message)

        valid = completed[self.n :] if len(completed) > self.n else None
        found, _ = model._search(completed[: self.n], valid, training, budget, progress)
        training.curve[known:] = [
            replace(point, seconds=point.seconds + began) for point in training.curve[known:]
        ]
        return found

    def _completed(
        self, found: _Candidate, completed: np.ndarray
    ) -> tuple[np.ndarray, float | None]:
        """New completions, and the mean log mass of what validation rows have observed.

        The latter is None without validation rows, and where it takes too much to compute.
        """
        coarsening, valid = found.coarsening, self.rows[self.n :]
        bins = coarsening.to_bins(self.rows)
        completions = self._completions(found)
        drawn = self._redrawn(completions, bins, coarsening.to_bins(completed))
        codes = np.where(self.rows == MISSING, coarsening.to_codes(drawn, self.rng), self.rows)
        if not completions.exact or len(valid) == 0:
            return codes, None
        value = completions.log_prob_observed(bins[self.n :]) + coarsening.log_shares(valid)
        return codes, float(value.mean())

    def _settled(self, found: _Candidate, completed: np.ndarray, training: Training) -> _Candidate:
        """The network that was found, with counts averaged over many completions."""
        bins = found.coarsening.to_bins(self.rows[: self.n])
        drawn = found.coarsening.to_bins(completed[: self.n])
        for k in range(1, COUNT_ROUNDS + 1):
            if self._spent(COUNT_SHARE):
                training.converged, training.stopped_by = False, "budget"
                break
            drawn = self._redrawn(self._completions(found), bins, drawn)
            step = 1.0 if k <= BURN_IN else 1.0 / (k - BURN_IN)
            found = found.counted(drawn, self.schema.reached(drawn), step)
            self.progress(min(1.0, SEARCH_SHARE + 0.2 * k / COUNT_ROUNDS), "counts of completions")
        how = "exact draws" if self._completions(found).exact else "Gibbs sampling"
        training.notes.append(f"missing entries: completed by {how}, held for missing at random")
        return found

    def _redrawn(
        self, completions: Completions, bins: np.ndarray, before: np.ndarray
    ) -> np.ndarray:
        """(n, D) bins, drawn anew where ``MISSING``; uniform in variables that are never seen."""
        drawn = completions.redraw(bins, before, self.rng)
        for d in self.unseen:
            uniform = self.rng.integers(0, completions.cards[d], len(drawn))
            drawn[:, d] = np.where(bins[:, d] == MISSING, uniform, drawn[:, d])
        return drawn

    def _completions(self, found: _Candidate) -> Completions:
        network = _network(found.conditionals, found.coarsening.cards, self.schema.end)
        return Completions(network, (self.rows == MISSING).any(axis=0))

    def _seconds(self) -> float:
        return time.perf_counter() - self.began

    def _spent(self, share: float) -> bool:
        return self._seconds() > share * self.limit


class _Search:
    """The networks that are tried with one coarsening of the data."""

    def __init__(
        self,
        model: BayesianNetwork,
        rows: np.ndarray,
        valid: np.ndarray | None,
        most_bins: int,
        training: Training,
        clock: _Clock,
    ) -> None:
        self.model, self.training, self.clock = model, training, clock
        schema = model.schema_
        self.coarsening = Coarsening.fit(schema, rows, most_bins)
        self.cards = self.coarsening.cards
        self.rows, self.weights = weighted(self.coarsening.to_bins(rows))
        self.reached = schema.reached(self.rows)
        self.valid = None
        if valid is not None:
            self.valid, self.valid_weights = weighted(self.coarsening.to_bins(valid))
            self.valid_reached = schema.reached(self.valid)
            self.valid_shares = float(self.coarsening.log_shares(valid).mean())
        # edges of a sequence point forward: a prompt then needs no elimination
        self.forward = schema.layout == "sequence"
        self.ordinal = np.array([v.kind == "ordinal" for v in schema.variables])

    def candidates(self) -> Iterator[_Candidate]:
        structure = self.model.structure
        if not isinstance(structure, str):
            parents = given_parents(structure, self.model.schema_, self.cards)
            yield self._smoothed("given", self._count(parents), len(structure))
            return
        share = INFORMATION_SHARE if structure == "greedy" else TREES_SHARE
        self.information, finished = mutual_information(
            self.rows,
            self.weights,
            self.reached,
            self.cards,
            self.clock.deadline(share),
            # the tree alone is that of the pairs' smoothed tables
            pseudo_count=0.0 if structure == "greedy" else 1.0,
        )
        self._finished(finished)
        yield self._chow_liu()
        if structure == "greedy":
            if len(self.cards) <= MOST_COLUMNS_FOR_TABLES:
                yield self._tables()
            yield from self._trees()

    def _chow_liu(self) -> _Candidate:
        least = NO_INFORMATION * self.weights.sum()
        counts = self._count(chow_liu(self.information, least, self.forward))
        log_probs = [c.pseudo(1.0) for c in counts]
        valid = None
        if self.valid is not None:
            valid = float(self._score(counts, None)[0])
        edges = sum(len(c.parents) for c in counts)
        return self._record("chow_liu", counts, None, log_probs, valid, edges, f"{edges} edges")

    def _tables(self) -> _Candidate:
        parents, edges, finished = greedy_tables(
            self.rows, self.weights, self.reached, self.cards, self.forward,
            equivalent_sample_size=self.model.equivalent_sample_size,
            deadline=self.clock.deadline(TABLES_SHARE),
            report=self.clock.report,
        )  # fmt: skip
        self._finished(finished)
        return self._smoothed("tables", self._count(parents), edges)

    def _trees(self) -> Iterator[_Candidate]:
        order = Order.free(len(self.cards), self.forward)
        forest = self._forest(self.weights, order, LARGEST_TREE)
        best, worse = -np.inf, 0
        for penalty, finished in forest.grow(
            PENALTIES, deadline=self.clock.deadline(TREES_SHARE), report=self.clock.report
        ):
            self._finished(finished)
            self.work = forest.work
            counts = forest.trees()
            candidate = self._smoothed("trees", counts, forest.splits, f"penalty {penalty:g}, ")
            yield candidate
            worse = worse + 1 if candidate.valid <= best else 0
            best = max(best, candidate.valid)
            if worse == 2:
                return

    def _forest(self, weights: np.ndarray, order: Order, largest_tree: int) -> Forest:
        at = np.flatnonzero(weights)
        return Forest(
            self.rows[at], weights[at], self.reached[at], self.cards, self.ordinal,
            self.information, order, largest_tree,
        )  # fmt: skip

    def average(
        self, single: _Candidate, rng: np.random.Generator
    ) -> tuple[str, list[Learned], str] | None:
        """Averages of trees grown on bootstrap samples of the rows, in the order of ``single``.

        Returns:
            Kind, conditionals and detail; None where the average is not surely better than
            ``single`` on the validation rows, or takes too long.
        """
        order = Order.along(range(len(self.cards)) if self.forward else single.order)
        n, n_trees = int(self.weights.sum()), int(MOST_WORK / max(1.0, self.work))
        deadline = self.clock.deadline(AVERAGES_SHARE)
        forests: list[list[list[TreeCounts]]] = []  # of each sample, by penalty and child
        while len(forests) < min(self.model.n_trees, n_trees):
            forest = self._forest(
                rng.multinomial(n, self.weights / n), order, LARGEST_TREE // self.model.n_trees
            )
            stages = []
            for _, finished in forest.grow(
                AVERAGE_PENALTIES, deadline=deadline, report=lambda _: None
            ):
                if finished:
                    stages.append(forest.trees())
            self._finished(finished)
            if not finished:
                break
            forests.append(self._recounted(stages))
            self.clock.report(f"averages: {len(forests)} trees a variable")
        best, found = -np.inf, None
        for stage in reversed(range(len(AVERAGE_PENALTIES) if forests else 0)):
            trees = zip(*(stages[stage] for stages in forests), strict=True)
            averages = [AverageCounts(list(of_child)) for of_child in trees]
            scores = self._score(averages, STRENGTHS)
            if scores.max() < best:
                break  # smaller trees are worse from here on
            best = float(scores.max())
            found = AVERAGE_PENALTIES[stage], averages, STRENGTHS[scores.argmax()]
            if time.perf_counter() > self.clock.deadline(TREES_SHARE):
                self._finished(False)
                break
        if found is None:
            return None
        penalty, averages, strength = found
        conditionals: list[Learned] = [
            a.conditional(a.shrunk(np.array([strength]))[0]) for a in averages
        ]
        gain = self._values(conditionals) - self._values(single.conditionals)
        w = self.valid_weights / self.valid_weights.sum()
        error = np.sqrt(w @ (gain - w @ gain) ** 2 / self.valid_weights.sum())
        if not w @ gain > SURE * error:
            return None
        steps = sum(len(tree.above) // 2 for a in averages for tree in a.trees)
        self._curve(steps, best)
        detail = f"{len(averages[0].trees)} trees a variable, penalty {penalty:g}, "
        detail += f"shrinkage {strength:g}, {steps} splits, in the order of {single.kind}"
        return "averages", conditionals, detail

    def _recounted(self, stages: list[list[TreeCounts]]) -> list[list[TreeCounts]]:
        """Trees that grew from stage to stage on a sample, with the counts of all rows."""
        counts = []
        for child, tree in enumerate(stages[-1]):
            at = self.reached[:, child]
            moved = tree.moved(self.rows[at], child, self.cards, 1.0, self.weights[at])
            counts.append(moved.counts)
        # a tree's nodes are the first ones of what it grew into
        return [
            [replace(t, counts=c[: len(t.counts)]) for t, c in zip(trees, counts, strict=True)]
            for trees in stages
        ]

    def _count(self, parents: list[list[int]]) -> list[TableCounts]:
        counts = []
        for child, own in enumerate(parents):
            seen = (self.rows[:, [child, *own]] != MISSING).all(axis=1)
            at = self.reached[:, child] & seen
            counts.append(
                TableCounts.count(self.rows[at], child, own, self.cards, self.weights[at])
            )
        return counts

    def _smoothed(
        self, kind: str, counts: Sequence[Counts], steps: int, detail: str = ""
    ) -> _Candidate:
        """The network with the strength of shrinkage that is best on the validation rows."""
        scores = self._score(counts, STRENGTHS)
        strength = float(STRENGTHS[scores.argmax()])
        log_probs = [c.shrunk(np.array([strength]))[0] for c in counts]
        detail += f"shrinkage {strength:g}, {steps} {'splits' if kind == 'trees' else 'edges'}"
        best = float(scores.max())
        return self._record(kind, counts, strength, log_probs, best, steps, detail)

    def _score(
        self, counts: Sequence[Counts | AverageCounts], strengths: np.ndarray | None
    ) -> np.ndarray:
        """(K,) mean nats of the validation rows with K strengths of the shrinkage.

        With None a single one, that of pseudo-counts of 1 in tables.
        """
        assert self.valid is not None
        total = np.zeros(1 if strengths is None else len(strengths))
        for child, count in enumerate(counts):
            at = self.valid_reached[:, child]
            weights, own = self.valid_weights[at], self.valid[at, child, None]
            contexts = count.contexts(self.valid[at])  # (n, trees)
            step = max(1, CELLS_AT_ONCE // (count.size + contexts.size))
            for k in range(0, len(total), step):
                some = None if strengths is None else strengths[k : k + step]
                masses = _smooth(count, some)  # (K, C, M)
                total[k : k + step] += log_mean(masses[:, contexts, own]) @ weights
        return total / self.valid_weights.sum() + self.valid_shares

    def _values(self, conditionals: Sequence[Learned]) -> np.ndarray:
        """(n,) log mass in nats of the bins of each distinct validation row."""
        assert self.valid is not None
        values = np.zeros(len(self.valid))
        for child, conditional in enumerate(conditionals):
            at = self.valid_reached[:, child]
            rows = self.valid[at]
            values[at] += conditional.log_mass(rows[:, conditional.parents], rows[:, child])
        return values

    def _record(
        self,
        kind: str,
        counts: Sequence[Counts],
        strength: float | None,
        log_probs: list[np.ndarray],
        valid: float | None,
        steps: int,
        detail: str,
    ) -> _Candidate:
        self._curve(steps, valid)
        valid = 0.0 if valid is None else valid
        return _Candidate(kind, list(counts), strength, log_probs, self.coarsening, valid, detail)

    def _curve(self, steps: int, valid: float | None) -> None:
        self.training.steps += steps
        seconds = self.clock.seconds()
        self.training.curve.append(CurvePoint(self.training.steps, seconds, None, valid))

    def _finished(self, finished: bool) -> None:
        if not finished:
            self.training.converged, self.training.stopped_by = False, "budget"


class _Clock:
    """Deadlines and progress of a fit that tries several coarsenings, each in its own stretch."""

    def __init__(self, budget: Budget, stretches: int, progress: Progress) -> None:
        self._start = time.perf_counter()
        self.budget = np.inf if budget.seconds is None else budget.seconds
        self._stretches, self._progress = stretches, progress
        self._done, self._calls, self._since = 0, 0, self._start

    def seconds(self) -> float:
        return time.perf_counter() - self._start

    def deadline(self, share: float) -> float:
        """When the first ``share`` of this stretch is over, on ``time.perf_counter``.

        What is left of the budget is divided evenly among the stretches to come.
        """
        left = self._start + self.budget - self._since
        return self._since + share * left / (self._stretches - self._done)

    def next_stretch(self) -> None:
        self._done += 1
        self._since = time.perf_counter()

    def report(self, message: str) -> None:
        """Call the caller's progress; without a budget the end can only be guessed."""
        self._calls += 1
        within = self.seconds() / self.budget if self.budget < np.inf else 1 - 0.99**self._calls
        done = within if self.budget < np.inf else (self._done + within) / self._stretches
        self._progress(min(1.0, done), message)
