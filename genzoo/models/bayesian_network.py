"""Bayesian networks: each variable given a few others, along a graph without cycles.

    p(x) = prod_d p_d(x_d | x_parents(d))

The graph is what has to be found. Three kinds are learned and the best on validation rows is kept:

    Chow-Liu tree   at most one parent each, the tree of largest mutual information (exact);
    tables          edges added greedily by the BDeu score, a table for each variable;
    trees           a decision tree for each variable, grown greedily: a context is a leaf, so
                    a variable can look at many others where the data ask for it.

Tables cost a row for every combination of the parents' values, trees only for the leaves: on the
binary benchmark tables trees win on nearly all. What a context has not seen is filled in from the
one above it (``genzoo.bayes.conditionals``), with a strength chosen on validation rows for each
kind of network. Long ordinals are modelled in bins whose mass is spread over their codes exactly
(``genzoo.coarsen``). On sequences all edges point forward, so prompts are completed exactly at no
cost; a string's END is one more fact about the position before (``Stopped``). Inference is exact
(``genzoo.bayes.inference``).

References:
    Chow & Liu (1968), Approximating discrete probability distributions with dependence trees.
    Heckerman, Geiger & Chickering (1995), Learning Bayesian networks: the combination of
    knowledge and statistical data.
    Chickering, Heckerman & Meek (1997), A Bayesian approach to learning Bayesian networks with
    local structure.
    Koller & Friedman (2009), Probabilistic Graphical Models.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.bayes.conditionals import (
    Conditional,
    Counts,
    Stopped,
    Table,
    TableCounts,
    Tree,
)
from genzoo.bayes.inference import Network
from genzoo.bayes.structure import chow_liu, given_parents, greedy_tables, topological
from genzoo.bayes.trees import Forest
from genzoo.budget import Budget, CurvePoint, Training
from genzoo.coarsen import Coarsening
from genzoo.model import GenerativeModel, LogProb, Progress
from genzoo.schema import MISSING
from genzoo.seeding import numpy_rng

if TYPE_CHECKING:
    from pgmpy.models import DiscreteBayesianNetwork

PENALTIES = (16.0, 12.0, 8.0, 6.0, 4.0, 3.0, 2.0)  # nats a split of a tree
STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # of the shrinkage, in rows
TABLES_SHARE = 0.3  # of a budget in seconds; the trees get the rest


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A network that was found, and how well it does on the validation rows."""

    kind: str
    conditionals: list[Table | Tree]
    valid: float  # mean nats per row
    steps: int
    detail: str


class BayesianNetwork(GenerativeModel):
    """A directed graph with a table or a decision tree for each variable; every query is exact.

    Args:
        structure: ``"greedy"`` (the best of the three kinds on validation rows), ``"chow_liu"``
            (the tree alone: pseudo-count 1 in each cell of a pair's table, nothing is selected
            and all rows are used), or a list of edges (parent, child), names or positions.
        equivalent_sample_size: of the BDeu score, in rows; positive.
        most_bins: ordinals with more values are modelled in at most this many bins; at least 2.

    Attributes:
        kind_: ``"chow_liu"``, ``"tables"``, ``"trees"`` or ``"given"``.
        edges_: the edges, as pairs of names.
        network_: the network in pgmpy's form.
    """

    def __init__(
        self,
        *,
        structure: str | Sequence[Sequence[Any]] = "greedy",
        equivalent_sample_size: float = 10.0,
        most_bins: int = 16,
    ) -> None:
        self.structure = structure
        self.equivalent_sample_size = equivalent_sample_size
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
        bins = self.most_bins
        if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 2:
            raise ValueError(f"most_bins: expected an integer of at least 2; got {bins!r}")

    # ---------------------------------------------------------------- learning

    def _fit(
        self,
        rows: np.ndarray,
        valid: np.ndarray | None,
        *,
        seed: int,
        budget: Budget,
        progress: Progress,
    ) -> Training:
        search = _Search(self, rows, valid, budget, progress)
        best: _Candidate | None = None
        for candidate in search.candidates():
            if best is None or candidate.valid > best.valid:
                best = candidate
        assert best is not None
        self.kind_ = best.kind
        self.coarsening_ = search.coarsening
        self._assemble(best.conditionals)
        search.training.notes.append(f"{best.kind}: {best.detail}")
        return search.training

    def _assemble(self, conditionals: Sequence[Table | Tree]) -> None:
        """Keep the conditionals, the END rule put in front, ready for queries."""
        self.learned_ = list(conditionals)
        end, ready = self.schema_.end, []
        for child, learned in enumerate(conditionals):
            stops = end is not None and child > 0
            ready.append(Stopped(learned, child - 1, int(end or 0)) if stops else learned)
        order = topological([c.parents.tolist() for c in ready])
        self.inference_ = Network(ready, self.coarsening_.cards, order)

    # ---------------------------------------------------------------- queries

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        bins = self.coarsening_.to_bins(rows)
        return LogProb.exact(self.inference_.log_prob(bins) + self.coarsening_.log_shares(rows))

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        rng = numpy_rng(seed, "bayesian_network")
        if given is None:
            return self.coarsening_.to_codes(self.inference_.sample(n, rng), rng)
        bins = self.inference_.complete(self.coarsening_.to_bins(given), rng)
        return np.where(given == MISSING, self.coarsening_.to_codes(bins, rng), given)

    @property
    def edges_(self) -> list[tuple[Any, Any]]:
        names = self.schema_.names
        return [(names[p], names[c]) for c, t in enumerate(self.learned_) for p in t.parents]

    # ---------------------------------------------------------------- saved state

    def _state(self) -> dict[str, np.ndarray]:
        arrays = {"kind": np.array(KINDS.index(self.kind_)), **self.coarsening_.state()}
        for child, learned in enumerate(self.learned_):
            arrays |= {f"{child}.{name}": array for name, array in learned.state().items()}
        return arrays

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.kind_ = KINDS[int(arrays["kind"])]
        self.coarsening_ = Coarsening.from_state(arrays)
        learned: list[Table | Tree] = []
        for child in range(self.schema_.D):
            prefix = f"{child}."
            own = {k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)}
            learned.append(Tree(**own) if "splits" in own else Table(**own))
        self._assemble(learned)

    @property
    def n_parameters_(self) -> int:
        """Free masses in all contexts, and free shares of codes in their bins."""
        free = sum(t.log_probs.shape[0] * (t.log_probs.shape[1] - 1) for t in self.learned_)
        return free + self.coarsening_.n_parameters


KINDS = ("chow_liu", "tables", "trees", "given")


class _Search:
    """One fit: the networks that are tried, in turn, within the budget."""

    def __init__(
        self,
        model: BayesianNetwork,
        rows: np.ndarray,
        valid: np.ndarray | None,
        budget: Budget,
        progress: Progress,
    ) -> None:
        self.model, self.progress = model, progress
        self.start = time.perf_counter()
        self.seconds = np.inf if budget.seconds is None else budget.seconds
        schema = model.schema_
        self.coarsening = Coarsening.fit(schema, rows, model.most_bins)
        self.cards = self.coarsening.cards
        self.rows, self.reached = self.coarsening.to_bins(rows), schema.reached(rows)
        self.valid = self.valid_reached = None
        if valid is not None:
            self.valid, self.valid_reached = self.coarsening.to_bins(valid), schema.reached(valid)
            self.valid_shares = float(
                np.where(
                    self.valid_reached,
                    self.coarsening.log_share[np.arange(schema.D), valid],
                    0.0,
                ).sum()
            ) / len(valid)
        # edges of a sequence point forward: a prompt then needs no elimination
        self.forward = schema.layout == "sequence"
        self.training = Training(steps=1)

    def candidates(self) -> Iterator[_Candidate]:
        structure = self.model.structure
        if not isinstance(structure, str):
            parents = given_parents(structure, self.model.schema_, self.cards)
            yield self._smoothed("given", self._count(parents), len(structure))
            return
        yield self._chow_liu()
        if structure == "greedy":
            yield self._tables()
            yield from self._trees()

    def _chow_liu(self) -> _Candidate:
        parents = chow_liu(self.rows, self.reached, self.cards, self.forward)
        counts = self._count(parents)
        log_probs = [c.pseudo(1.0) for c in counts]
        valid = self._on_valid(counts, log_probs).sum() if self.valid is not None else 0.0
        tables = [c.conditional(p) for c, p in zip(counts, log_probs, strict=True)]
        edges = sum(len(p) for p in parents)
        return self._record(_Candidate("chow_liu", tables, float(valid), edges, f"{edges} edges"))

    def _tables(self) -> _Candidate:
        parents, edges, finished = greedy_tables(
            self.rows, self.reached, self.cards, self.forward,
            equivalent_sample_size=self.model.equivalent_sample_size,
            deadline=self.start + TABLES_SHARE * self.seconds,
            report=self._report(0.1, TABLES_SHARE),
        )  # fmt: skip
        self._finished(finished)
        return self._smoothed("tables", self._count(parents), edges)

    def _trees(self) -> Iterator[_Candidate]:
        ordinal = np.array([v.kind == "ordinal" for v in self.model.schema_.variables])
        forest = Forest(self.rows, self.reached, self.cards, ordinal, self.forward)
        best, worse = -np.inf, 0
        for penalty, finished in forest.grow(
            PENALTIES,
            deadline=self.start + self.seconds,
            report=self._report(TABLES_SHARE, 1.0),
        ):
            self._finished(finished)
            counts = [forest.counts(child) for child in range(len(self.cards))]
            candidate = self._smoothed("trees", counts, forest.splits, f"penalty {penalty:g}, ")
            yield candidate
            best, worse = max(best, candidate.valid), (worse + 1) * (candidate.valid <= best)
            if worse == 2:
                return

    def _count(self, parents: list[list[int]]) -> list[TableCounts]:
        return [
            TableCounts.count(self.rows[self.reached[:, c]], c, p, self.cards)
            for c, p in enumerate(parents)
        ]

    def _smoothed(
        self, kind: str, counts: Sequence[Counts], steps: int, detail: str = ""
    ) -> _Candidate:
        """The network with the strength of shrinkage that is best on the validation rows."""
        best, strength, kept = -np.inf, STRENGTHS[0], []
        for s in STRENGTHS:
            log_probs = [c.shrunk(s) for c in counts]
            value = float(self._on_valid(counts, log_probs).sum())
            if value > best:
                best, strength, kept = value, s, log_probs
        conditionals = [c.conditional(p) for c, p in zip(counts, kept, strict=True)]
        detail += f"shrinkage {strength:g}, {steps} {'splits' if kind == 'trees' else 'edges'}"
        return self._record(_Candidate(kind, conditionals, best, steps, detail))

    def _on_valid(self, counts: Sequence[Counts], log_probs: list[np.ndarray]) -> np.ndarray:
        """(D,) what each variable adds to the mean log mass of the validation rows, in nats."""
        assert self.valid is not None
        value = np.zeros(len(counts))
        for child, (count, log_prob) in enumerate(zip(counts, log_probs, strict=True)):
            rows = self.valid[self.valid_reached[:, child]]
            value[child] = log_prob[count.contexts(rows), rows[:, child]].sum() / len(self.valid)
        return value + self.valid_shares / len(counts)

    def _record(self, candidate: _Candidate) -> _Candidate:
        seconds = time.perf_counter() - self.start
        curve, valid = self.training.curve, candidate.valid if self.valid is not None else None
        self.training.steps = max(1, self.training.steps + candidate.steps)
        curve.append(CurvePoint(self.training.steps, seconds, None, valid))
        return candidate

    def _finished(self, finished: bool) -> None:
        if not finished:
            self.training.converged, self.training.stopped_by = False, "budget"

    def _report(self, low: float, high: float) -> Callable[[str], None]:
        calls = 0

        def report(message: str) -> None:
            nonlocal calls
            calls += 1
            done = 1 - 0.99**calls
            if np.isfinite(self.seconds):
                done = min(1.0, (time.perf_counter() - self.start) / self.seconds / high)
            self.progress(low + (high - low) * done, message)

        return report
