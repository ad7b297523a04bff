"""Probabilistic circuits: sums and products that answer every question about marginals exactly.

A circuit is a network of input units (a variable's masses), product units (independent parts side
by side) and sum units (mixtures). Where the parts of products share no variable and those of sums
all have the same, one pass computes any marginal, and so any conditional (Darwiche 2003; Choi,
Vergari & Van den Broeck 2020). This one is a hidden Chow-Liu tree (HCLT, Liu & Van den Broeck
2021): each variable x_d hangs from a hidden state z_d, and these depend on each other along the
tree that joins the variables which tell most of each other,

    p(x) = sum_k w_k sum_z prod_d A_kd[z_parent(d), z_d] B_kd[x_d | z_d]

The tree says what is to be modelled together, and the states how: with one state a variable it is
independence, with as many as there are codes it can be the Chow-Liu tree, with more it goes beyond.
``hidden.py`` has the passes, in O(D S^2) a row; ``forest.py`` the sum over k.

    layout                  structure="auto"
    strings that end        a chain: beside its own states stands an absorbing one that emits END
                            and nothing else, and the others never do
    other sequences         a chain or a Chow-Liu tree, as validation has it
    tables, images          a Chow-Liu tree

Learning is EM on batches of rows with steps that grow smaller (Peharz et al. 2020; Liu, Ahmed & Van
den Broeck 2024; the step is that of Liu, Shao & Van den Broeck 2025), in circuits that grow: states
are copied, and the copies told apart (Dang, Liu & Van den Broeck 2022). Pseudo-counts draw each
copy towards what it was before. Validation says how many states, which prior, and how many trees
are united (``search.py``).

Entries that are ``MISSING`` in the rows of a fit are summed out in the E-step, which is maximum
likelihood where they are missing at random: whether an entry is missing may depend on the observed
entries of its row, but not on what it hides. (The tree, the bins and the marginals from which the
first states come are counted in the available entries.) Numbers with many levels are modelled in
bins, and each bin's mass is spread over its values (``space/coarsen.py``).

References:
    Chow & Liu 1968, Approximating discrete probability distributions with dependence trees.
    Darwiche 2003, A differential approach to inference in Bayesian networks, JACM 50.
    Choi, Vergari & Van den Broeck 2020, Probabilistic circuits: a unifying framework.
    Peharz, Gens, Pernkopf & Domingos 2017, On the latent variable interpretation in sum-product
        networks, arXiv:1601.06180.
    Peharz et al. 2020, Einsum networks, arXiv:2004.06231.
    Liu & Van den Broeck 2021, Tractable regularization of probabilistic circuits, arXiv:2106.02264.
    Dang, Liu & Van den Broeck 2022, Sparse probabilistic circuits via pruning and growing,
        arXiv:2211.12551.
    Liu, Ahmed & Van den Broeck 2024, Scaling tractable probabilistic circuits: a systems
        perspective, arXiv:2406.00766.
    Liu, Shao & Van den Broeck 2025, Rethinking probabilistic circuit parameter learning,
        arXiv:2505.19982.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from genzoo.fitting import Fit
from genzoo.model import GenerativeModel
from genzoo.models.circuit.forest import Forest
from genzoo.models.circuit.search import Limits, Search, Settings
from genzoo.models.circuit.tree import Tree
from genzoo.parameters import Interval, Options
from genzoo.seeding import check_seed, derive, numpy_rng
from genzoo.space import forms
from genzoo.space.coarsen import Coarsening, default_bins
from genzoo.space.forms import Given
from genzoo.space.schema import MISSING
from genzoo.values import LogProb, Score


class Circuit(GenerativeModel):
    """A probabilistic circuit, hidden states along a Chow-Liu tree; every marginal is exact.

    Args:
        n_states: S, hidden states of each variable; None doubles them as far as validation rows
            gain by it.
        structure: ``"auto"``, by layout; ``"chow_liu"``; or ``"chain"``, the variables in their
            order.
        n_trees: at most so many circuits, of different starts, are united, while validation rows
            gain by it.
        pseudo_count: weight of the prior in each sum unit, in rows; None selects it on validation
            rows from 1/4, 1, 4, 16.

    ``fit`` takes rows with ``MISSING`` entries (code -1) and holds them for missing at random.

    Attributes:
        n_states_: S.
        forest_: the fitted probabilities, a ``Forest`` of ``forest.py``. In strings with END the
            last state of each variable, number ``n_states_``, is the absorbing one.
        limits: what a search may take, a ``Limits`` of ``search.py``.

    ``training_`` counts steps of EM over all starts; its curve is that of the first start, and its
    last point the union's. ``train`` is the likelihood before a step's update.

    >>> model = Circuit(n_states=2, n_trees=1).fit(["abab", "baba", "aba"], budget="9 steps")
    >>> model.n_states_
    2
    """

    parameters = {
        "n_states": Interval(int, 1, optional=True),
        "structure": Options("auto", "chow_liu", "chain"),
        "n_trees": Interval(int, 1),
        "pseudo_count": Interval(float, 0, closed="neither", optional=True),
    }
    fits_missing = True
    limits: ClassVar[Limits] = Limits()

    def __init__(
        self,
        *,
        n_states: int | None = None,
        structure: str = "auto",
        n_trees: int = 8,
        pseudo_count: float | None = None,
    ) -> None:
        self.n_states = n_states
        self.structure = structure
        self.n_trees = n_trees
        self.pseudo_count = pseudo_count

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        assert valid is not None  # the class selects
        most = math.isqrt(self.limits.numbers // self.schema_.D)
        if self.n_states is not None and self.n_states > most:
            raise ValueError(
                f"n_states: expected at most {most} for {self.schema_.D} variables, each of which "
                f"has n_states**2 transitions; got {self.n_states}"
            )
        self.coarsening_ = Coarsening.fit(self.schema_, rows, default_bins(len(rows)))
        bins, to_select = (
            self.coarsening_.to_bins(x).astype(self.schema_.code_type) for x in (rows, valid)
        )
        cards = self.coarsening_.cards
        settings = Settings(self.n_states, self.pseudo_count, self.n_trees, self.limits)
        trees = [
            Tree.chain(len(cards)) if kind == "chain" else Tree.chow_liu(bins, cards)
            for kind in self._structures()
        ]
        self.forest_ = Search(trees, bins, to_select, cards, self._end, settings, fit).run()
        fit.training.curve = self.coarsening_.curve_of_codes(fit.training.curve, rows, valid)

    def _structures(self) -> list[str]:
        if self._end is not None:
            if self.structure == "chow_liu":
                raise ValueError(
                    'structure: expected "auto" or "chain" for strings that end, which a chain '
                    'follows to their END; got "chow_liu"'
                )
            return ["chain"]
        if self.structure != "auto":
            return [self.structure]
        return ["chain", "chow_liu"] if self.schema_.layout == "sequence" else ["chow_liu"]

    @property
    def _end(self) -> int | None:
        """END's code; None where it is the only symbol, so that nothing is left to model."""
        return None if self.schema_.cards[0] == 1 else self.schema_.end

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        of_bins = self.forest_.log_prob(self.coarsening_.to_bins(rows))
        return LogProb.exact(of_bins + self.coarsening_.log_shares(rows))

    def _log_prob_each(self, rows: np.ndarray, d: int, *, seed: int) -> np.ndarray:
        if self.schema_.end is not None:
            return super()._log_prob_each(rows, d, seed=seed)
        return self.coarsening_.log_prob_each(rows, d, self.forest_.log_prob_each)

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        rng = numpy_rng(seed, "circuit", "sample")
        if given is None:
            return self.coarsening_.to_codes(self.forest_.sample(n, rng), rng)
        barred = self.coarsening_.marks(self.schema_)
        bins = self.forest_.complete(self.coarsening_.to_bins(given), barred, rng)
        return np.where(given == MISSING, self.coarsening_.to_codes(bins, rng), given)

    def complete_most_likely(self, given: Given) -> Any:
        """Complete rows by max-product: an approximation of their most likely completions.

        It finds the open entries and hidden states that are most likely *together*. The most likely
        entries alone, with the states summed out, may be others: to find those is NP-hard in a
        circuit that is not deterministic (Peharz et al. 2017), as this one. A long ordinal gets
        the likeliest value of the bin that is found for it.

        Args:
            given: what to complete, as in ``sample``; a single row is completed once.

        Returns:
            The rows, in the form of the data that was fitted. No missing mark is filled in.

        Raises:
            ValueError: for bad input.

        >>> model = Circuit(n_states=2).fit(np.array([[0, 0], [1, 1]] * 20))
        >>> model.complete_most_likely(np.array([[1, -1]]))
        array([[1, 1]])
        """
        self._check_fitted("complete_most_likely")
        form = forms.read_given(given, self.schema_.event_shape)
        known, home = self._known(form, len(form)), forms.named(self._form, self.schema_)
        made, mark = self.coarsening_, self.coarsening_.marks(self.schema_)
        bins, _ = self.forest_.most_likely(made.to_bins(known), mark)
        rows = np.where(known == MISSING, made.likeliest_codes(bins), known)
        return home.handed(form.kept_in(home.decode(self.schema_, rows, seed=0)))

    def entropy(self, n: int = 10_000, *, seed: int = 0) -> Score:
        """The entropy of the distribution over rows, in nats.

        Hidden states make its sum intractable, so it is estimated on n rows of the model's own.

        Returns:
            Score: of kind ``"estimate"``, with its standard error.

        >>> model = Circuit().fit(np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 20))
        >>> print(model.entropy(1000).kind)
        estimate
        """
        self._check_fitted("entropy")
        _, log_mass = self._own(n, seed)
        return self._mean(-log_mass)

    def kl(self, other: GenerativeModel, n: int = 10_000, *, seed: int = 0) -> Score:
        """The Kullback-Leibler divergence KL(self || other) in nats, estimated as ``entropy`` is.

        Args:
            other: a fitted model of rows of the same schema. Where its log masses are lower bounds,
                what is estimated is an upper bound of the divergence.

        Returns:
            Score: of kind ``"estimate"``, with its standard error.

        Raises:
            ValueError: if ``other`` is no fitted model, or one of another schema.

        >>> model = Circuit().fit(np.array([[0, 0], [1, 1]] * 20))
        >>> float(model.kl(model, 100))
        0.0
        """
        self._check_fitted("kl")
        if not isinstance(other, GenerativeModel) or not other.__sklearn_is_fitted__():
            raise ValueError(f"other: expected a fitted GenerativeModel; got {other!r}")
        if other.schema_ != self.schema_:
            raise ValueError("other: expected a model of the same schema; got one of another")
        rows, own = self._own(n, seed)
        theirs = other._log_prob_of(rows, derive(seed, "other"))
        return self._mean(own - theirs.value)

    def _own(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """n rows of the model's own, and their log mass."""
        Interval(int, 2).check("n", n)
        rows = self._drawn(n, None, check_seed(seed))
        return rows, self._log_prob_of(rows, seed).value

    def _mean(self, values: np.ndarray) -> Score:
        error = values.std(ddof=1) / np.sqrt(len(values))
        return Score(float(values.mean()), float(error), "estimate")

    @property
    def n_states_(self) -> int:
        return self.forest_.trees[0].S - (self._end is not None)

    def _state(self) -> dict[str, np.ndarray]:
        return {**self.coarsening_.state(), **self.forest_.state()}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.coarsening_ = Coarsening.from_state(arrays)
        self.forest_ = Forest.from_state(arrays)

    @property
    def n_parameters_(self) -> int:
        """Free probabilities of the circuit, and the shares within bins."""
        return self.forest_.n_parameters + self.coarsening_.n_parameters
