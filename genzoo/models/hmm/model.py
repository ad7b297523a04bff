"""Hidden Markov models: a row as the trace of a state that can't be seen.

A row is read step by step. A hidden state s_t moves along a Markov chain, and each variable of step
t depends on the row only through s_t:

    p(x) = sum_s  pi[s_1] prod_t A_t[s_{t-1}, s_t] prod_{d in step t} B_d[x_d | s_t]

The forward algorithm does the sum in O(T S^2), so the likelihood, every marginal and every
conditional is exact. What a step is, and what the steps share, depends on the layout:

    layout      a step is            transitions="auto"
    sequence    one position         ergodic: one A and one B for all steps
    image       one row of pixels    left_right: states belong to a step, A_t and B_d of their own
    table       one column           left_right, columns ordered so that neighbours share much
                                     (``shared/column_order.py``)

``left_right`` is the left-to-right topology in which the states of step t lead only to those of
step t + 1; a homogeneous chain of T S states with a banded matrix, stored as T - 1 small ones.

Strings that end: beside the model's own states stands an absorbing one that emits END and nothing
else, and the others never do. A row's mass is then exactly the product up to and including its
first END, no mass lies on rows with a symbol after an END, and ``MISSING`` in a string needs no
rule of its own.

Entries that are ``MISSING`` in the rows of a fit are summed out in EM's E-step, which is maximum
likelihood where they are missing at random: whether an entry is missing may depend on the observed
entries of its row, but not on what it hides. (The marginals towards which B_d is drawn, the bins,
and what two columns share, are counted in the available entries.)

Numbers with many levels are modelled in bins, and each bin's mass is spread over its values
(``space/coarsen.py``).

Learning is EM (Baum et al. 1970) by hmmlearn's loop (``em.py``), with Dirichlet priors: B_d
is drawn towards the variable's marginal, A towards uniform. EM finds a local optimum, so
validation compares numbers of states, strengths of the prior and random starts (``search.py``).
Ordered columns did better than columns as they came (alarm, 32 states: -10.9 against -12.5 nats).

References:
    Baum, Petrie, Soules & Weiss 1970, A maximization technique occurring in the statistical
        analysis of probabilistic functions of Markov chains, Ann. Math. Stat. 41.
    Rabiner 1989, A tutorial on hidden Markov models and selected applications in speech
        recognition, Proc. IEEE 77.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from genzoo.fitting import Fit
from genzoo.model import GenerativeModel
from genzoo.models.hmm.forward import Chain, Shape
from genzoo.models.hmm.layout import end_of, shape_of, tables_of
from genzoo.models.hmm.search import Limits, Search, Settings
from genzoo.models.shared.text import ScoresText
from genzoo.parameters import Interval, Options
from genzoo.seeding import numpy_rng
from genzoo.space.coarsen import Coarsening
from genzoo.space.schema import MISSING
from genzoo.values import LogProb


class HMM(GenerativeModel, ScoresText):
    """A hidden Markov model over the variables of a row; every query is exact.

    Args:
        n_states: S, hidden states (a step, for ``left_right``); None selects it on validation
            rows from 1, 2, 4, .. 256, as far as the emission tables (states x codes x tables) and
            EM on all rows stay within ``limits``.
        transitions: ``"auto"``, by layout; ``"ergodic"``, one transition matrix for all steps and,
            where the variables allow it, one emission table; or ``"left_right"``, states,
            transitions and emissions of each step its own.
        n_restarts: random starts at the chosen number of states; the best by validation is kept.
        n_iter: most iterations of EM on all rows.
        pseudo_count: weight of the marginal in each state's emissions, in rows; None selects it on
            validation rows from 1, 4, 16.

    ``fit`` takes rows with ``MISSING`` entries (code -1) and holds them for missing at random.

    Attributes:
        n_states_: S.
        chain_: the fitted probabilities, a ``Chain`` of ``forward.py``. In strings with END its
            last state, number ``n_states_``, is the absorbing one.
        limits: what a search may take, a ``Limits`` of ``search.py``.

    ``training_`` counts EM iterations over all starts as steps; its curve is that of the start that
    won. ``train`` is the likelihood before a step's update, on the rows then in use.

    >>> model = HMM(n_states=2, n_restarts=1).fit(["abab", "baba", "aba"], budget="5 steps")
    >>> model.decode_states(["ab"]).shape
    (1, 4)
    """

    parameters = {
        "n_states": Interval(int, 1, optional=True),
        "transitions": Options("auto", "ergodic", "left_right"),
        "n_restarts": Interval(int, 1),
        "n_iter": Interval(int, 1),
        "pseudo_count": Interval(float, 0, closed="neither", optional=True),
    }
    fits_missing = True
    limits: ClassVar[Limits] = Limits()

    def __init__(
        self,
        *,
        n_states: int | None = None,
        transitions: str = "auto",
        n_restarts: int = 3,
        n_iter: int = 200,
        pseudo_count: float | None = None,
    ) -> None:
        self.n_states = n_states
        self.transitions = transitions
        self.n_restarts = n_restarts
        self.n_iter = n_iter
        self.pseudo_count = pseudo_count

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        assert valid is not None  # the class selects
        ergodic = self.transitions == "ergodic" or (
            self.transitions == "auto" and self.schema_.layout == "sequence"
        )
        tables = tables_of(self.schema_, ergodic=ergodic)
        self.coarsening_ = Coarsening.pooled(self.schema_, rows, tables)
        bins = self.coarsening_.to_bins(rows).astype(self.schema_.code_type)
        cards = self.coarsening_.cards
        settings = Settings(
            self.n_states, self.pseudo_count, self.n_restarts, self.n_iter, self.limits
        )
        shape = shape_of(self.schema_, bins, cards, ergodic=ergodic)
        self.chain_ = Search(shape, bins, self.coarsening_.to_bins(valid), settings, fit).run()
        fit.training.curve = self.coarsening_.curve_of_codes(fit.training.curve, rows, valid)

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        bins = self.coarsening_.to_bins(rows).astype(self.schema_.code_type)
        return LogProb.exact(self.chain_.log_prob(bins) + self.coarsening_.log_shares(rows))

    def _log_prob_each(self, rows: np.ndarray, d: int, *, seed: int) -> np.ndarray:
        if self.schema_.end is not None:
            return super()._log_prob_each(rows, d, seed=seed)
        return self.coarsening_.log_prob_each(rows, d, self.chain_.log_prob_each)

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        rng = numpy_rng(seed, "hmm", "sample")
        if given is None:
            return self.coarsening_.to_codes(self.chain_.sample(n, rng), rng)
        barred = np.full(len(self.chain_.shape.cards), -1)
        barred[self.chain_.shape.tables] = self.coarsening_.marks(self.schema_)
        bins = self.chain_.complete(self.coarsening_.to_bins(given), barred, rng)
        return np.where(given == MISSING, self.coarsening_.to_codes(bins, rng), given)

    def _terms(self, rows: np.ndarray) -> np.ndarray:
        terms = self.chain_.log_terms(self.coarsening_.to_bins(rows))
        return np.where(self.schema_.reached(rows), terms, 0.0)

    def _next_log_masses(self, codes: list[int]) -> Iterator[np.ndarray] | None:
        """The predictive of the forward filter, also beyond T steps where all share theirs; a chain
        whose steps are their own draws whole rows."""
        return None if len(self.chain_.shape.cards) > 1 else self._predictive(codes)

    def _predictive(self, codes: list[int]) -> Iterator[np.ndarray]:
        for masses in self.chain_.following(codes):
            with np.errstate(divide="ignore"):  # a symbol that no state emits
                yield np.log(masses)

    def decode_states(self, data: Any) -> np.ndarray:
        """The most probable path of states behind each row (Viterbi 1967).

        Args:
            data: as in ``log_prob``; ``MISSING`` entries are summed out.

        Returns:
            (n, T) int64 states 0 .. ``n_states_`` - 1, and ``n_states_`` where a string has ended.
            For a table, T = D and the state of a column stands at the column's own place.
        """
        return self.chain_.viterbi(self._bins_of(data, "decode_states"))[:, self._places()]

    def state_posteriors(self, data: Any) -> np.ndarray:
        """(n, T, S) p(s_t | the observed entries of the row), S and order as in decode_states.

        For strings that end there is one state more, the absorbing one.
        """
        return self.chain_.posteriors(self._bins_of(data, "state_posteriors"))[:, self._places()]

    def _bins_of(self, data: Any, method: str) -> np.ndarray:
        self._check_fitted(method)
        return self.coarsening_.to_bins(self._read_rows(data))

    def _places(self) -> np.ndarray:
        """(T,) at which step of the chain the steps of the layout come."""
        T = self.chain_.shape.T
        if self.schema_.layout != "table":
            return np.arange(T)
        return np.argsort(self.chain_.shape.steps[:, 0])

    @property
    def n_states_(self) -> int:
        return self.chain_.S - (self.chain_.shape.end is not None)

    def _state(self) -> dict[str, np.ndarray]:
        chain, shape = self.chain_, self.chain_.shape
        return {
            **self.coarsening_.state(),
            "steps": shape.steps,
            "tables": shape.tables,
            "cards": shape.cards,
            "start": chain.start,
            "transitions": chain.transitions,
            "masses": chain.masses,
        }

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.coarsening_ = Coarsening.from_state(arrays)
        steps, tables, cards = (arrays[name] for name in ("steps", "tables", "cards"))
        shape = Shape(steps, tables, cards, len(arrays["transitions"]), end_of(self.schema_))
        if "emissions" in arrays:  # as it was saved: tables as long as the longest
            code = np.arange(len(shape.table)) - shape.first[shape.table]
            masses = arrays["emissions"][shape.table, code]
        else:
            masses = arrays["masses"]
        self.chain_ = Chain(shape, arrays["start"], arrays["transitions"], masses)

    @property
    def n_parameters_(self) -> int:
        """Free probabilities of the chain, and the shares within bins."""
        chain = self.chain_
        tables = np.add.reduceat(chain.masses, chain.shape.first[:-1])
        free = sum(
            int(np.count_nonzero(p)) - int(np.count_nonzero(sums))
            for p, sums in (
                (chain.start, chain.start.sum()),
                (chain.transitions, chain.transitions.sum(axis=2)),
                (chain.masses, tables),
            )
        )
        return free + self.coarsening_.n_parameters
