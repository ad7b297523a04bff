"""Bayesian networks: each variable given a few others, along a graph without cycles.

    p(x) = prod_d p_d(x_d | x_parents(d))

The graph is what has to be found. Four kinds are learned and the best on validation rows is kept:

    Chow-Liu tree   at most one parent each, the tree of largest mutual information (exact);
    tables          edges added greedily by the BDeu score, a table for each variable (left out
                    where there are more than ``Limits.most_columns_for_tables`` columns);
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

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.fitting import Fit
from genzoo.model import GenerativeModel
from genzoo.models.bayesian_network import export, missing, search
from genzoo.models.bayesian_network.conditionals import Learned, from_state
from genzoo.models.bayesian_network.inference import Network
from genzoo.models.bayesian_network.limits import Limits
from genzoo.models.bayesian_network.selection import Kind
from genzoo.parameters import POSITIVE, Interval
from genzoo.seeding import numpy_rng
from genzoo.space.coarsen import Coarsening
from genzoo.space.schema import MISSING
from genzoo.values import LogProb

if TYPE_CHECKING:
    from pgmpy.models import DiscreteBayesianNetwork

# saved by number: more may be appended
KINDS: tuple[Kind, ...] = ("chow_liu", "tables", "trees", "given", "averages")


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
            data are so large that growing them would take more than ``limits.most_work``.
        most_bins: ordinals with more values are modelled in at most this many bins, at least 2.
            None: chosen on validation rows (16 for ``"chow_liu"``).

    ``fit`` takes rows with ``MISSING`` entries (code -1) and holds them for missing at random.
    With a budget in seconds it learns from as many rows, by chance, as these can bear; where pairs
    of variables are very many, they are counted in a sample of the rows, and in long sequences and
    large images each variable pairs with those near to it.

    Attributes:
        kind_: ``"chow_liu"``, ``"tables"``, ``"trees"``, ``"averages"`` or ``"given"``.
        edges_: the edges, as pairs of names.
        network_: the network in pgmpy's form.
        limits: how much memory and work it may take.

    >>> rows = np.array([[0, 0], [1, 1]] * 50)
    >>> model = BayesianNetwork(structure="chow_liu").fit(rows)
    >>> len(model.edges_), model.log_prob(rows[:2]).kind
    (1, 'exact')
    """

    parameters = {
        "equivalent_sample_size": POSITIVE,
        "n_trees": Interval(int, 1),
        "most_bins": Interval(int, 2, optional=True),
    }
    fits_missing = True
    limits = Limits()

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
        super()._check_params()
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

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        settings = search.Settings(
            self.schema_,
            self.structure,
            self.equivalent_sample_size,
            self.n_trees,
            self.most_bins,
            self.limits,
            math.inf if fit.budget.seconds is None else fit.budget.seconds,
        )
        if (rows == MISSING).any() or (valid is not None and (valid == MISSING).any()):
            found = missing.Rounds(settings, rows, valid, fit).run()
        else:
            found = search.learn(settings, rows, valid, fit, fit)
        self.kind_, self.coarsening_ = found.kind, found.coarsening
        self.learned_: Sequence[Learned] = found.conditionals
        self._assemble()
        if fit.training.steps == 0:
            fit.did("steps")  # variables without an edge were counted
        fit.note(f"{self.kind_}: {found.detail}")

    def _assemble(self) -> None:
        """Make the conditionals ready for queries."""
        cards, end = self.coarsening_.cards, self.schema_.end
        self.inference_ = Network.of(self.learned_, cards, end, self.limits)

    # ---------------------------------------------------------------- queries

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        bins = self.coarsening_.to_bins(rows)
        found = self.inference_.log_prob(bins, seed=seed)
        return replace(found, value=found.value + self.coarsening_.log_shares(rows))

    def _log_prob_each(self, rows: np.ndarray, d: int, *, seed: int) -> np.ndarray:
        if self.schema_.end is not None:  # END in one place tells of all that come after it
            return super()._log_prob_each(rows, d, seed=seed)
        others = rows.copy()
        others[:, d] = MISSING
        joint = self.inference_.log_prob_each(self.coarsening_.to_bins(others), d)
        if joint is None:
            return super()._log_prob_each(rows, d, seed=seed)
        joint = self.coarsening_.of_each_code(d, joint)
        return joint + self.coarsening_.log_shares(others)[:, None]

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
