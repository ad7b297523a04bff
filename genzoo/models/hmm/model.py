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
is drawn towards the variable's marginal, A towards uniform. EM finds a local optimum, so short runs
from random starts on a part of the rows are compared on validation: first with growing S until it
stops paying, and the best of these runs on all rows until validation stops improving; then with
stronger priors and fresh starts, and where one of them did better over its short run, it goes on to
its end too.
The model is the best iterate by validation. Random starts of full size did better than splitting
the states of a smaller model (Tiny Shakespeare, 32 states: -2.37 against -2.40 nats per character),
starting ``left_right`` chains close to a mixture (A near the identity) better than anywhere (alarm,
32 states: -10.9 against -11.5 nats), and ordered columns better than columns as they came (-12.5).

References:
    Baum, Petrie, Soules & Weiss 1970, A maximization technique occurring in the statistical
        analysis of probabilistic functions of Markov chains, Ann. Math. Stat. 41.
    Rabiner 1989, A tutorial on hidden Markov models and selected applications in speech
        recognition, Proc. IEEE 77.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.fitting import Budget, CurvePoint, Fit, Progress, Training, at_rest
from genzoo.model import GenerativeModel
from genzoo.models.hmm.forward import Chain, Shape
from genzoo.models.shared.column_order import column_order
from genzoo.parameters import check_integer
from genzoo.seeding import numpy_rng
from genzoo.space.coarsen import Coarsening
from genzoo.space.marginals import smoothed
from genzoo.space.schema import MISSING, Schema
from genzoo.values import LogProb

if TYPE_CHECKING:
    from genzoo.models.hmm.em import ChainEM, Sequences

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
STRENGTHS = (1.0, 4.0, 16.0)  # pseudo-counts of the emissions
TRIAL_STEPS = 100_000  # steps of the rows on which starts are tried
FEWEST_TRIAL_ROWS = 500  # the same in rows, where rows are long
TRIAL_ITERATIONS = 30
VALIDATION_STEPS = 200_000
# Nats a validation row: a smaller gain in an iteration ends EM. With 0.0005 names lost 0.02 nats,
# with 0.0002 grammar 0.01. The gain in what EM climbs, a posterior density, is no measure: it
# holds the slow drift of what no row depends on, as the transitions around a constant column.
SETTLED = 1e-4
FEWEST_ROWS_PER_BIN = 40
FEWEST_BINS = 8
MOST_BINS = 32
MOST_EMISSIONS = 1 << 22  # numbers in all emission tables, which limits the states that are tried
MOST_WORK = 1.5e12  # multiplications of a fit without a budget: some minutes on one core
FULL_RUN_SHARE = 1 / 3  # of these, in which as many iterations as a trial's must run on all rows
EMISSION_EFFORT = 4  # multiplications in the time of one in the (sparse) product with emissions


class HMM(GenerativeModel):
    """A hidden Markov model over the variables of a row; every query is exact.

    Args:
        n_states: S, hidden states (a step, for ``left_right``); None selects it on validation
            rows from 1, 2, 4, .. 256, as far as the emission tables (states x codes x tables) stay
            within ``MOST_EMISSIONS`` numbers and EM on all rows within ``MOST_WORK``.
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

    ``training_`` counts EM iterations over all starts as steps; its curve is that of the start that
    won. ``train`` is the likelihood before a step's update, on the rows then in use.
    """

    fits_missing = True

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

    def _check_params(self) -> None:
        for name in ("n_states", "n_restarts", "n_iter"):
            check_integer(name, getattr(self, name), optional=name == "n_states")
        if self.transitions not in ("auto", "ergodic", "left_right"):
            raise ValueError(
                f"transitions: expected auto, ergodic or left_right; got {self.transitions!r}"
            )
        count = self.pseudo_count
        if count is not None and not (isinstance(count, (int, float)) and 0 < count < np.inf):
            raise ValueError(f"pseudo_count: expected a positive number or None; got {count!r}")

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        seed, budget, progress = fit.seed, fit.budget, fit.report
        began = time.perf_counter()
        assert valid is not None
        ergodic = self.transitions == "ergodic" or (
            self.transitions == "auto" and self.schema_.layout == "sequence"
        )
        self.coarsening_ = _bins(self.schema_, rows, shared=ergodic)
        bins = self.coarsening_.to_bins(rows)
        self._shape_ = _shape(self.schema_, self.coarsening_.cards, bins, ergodic)
        search = _Search(
            self._shape_,
            bins,
            self.coarsening_.to_bins(valid),
            seed=seed,
            began=began,
            budget=budget,
            progress=progress,
            n_iter=self.n_iter,
        )
        self.chain_, training = search.run(self.n_states, self.pseudo_count, self.n_restarts)
        # the search sees bins; a curve in nats per row counts the codes inside them too
        of_train, of_valid = (float(self.coarsening_.log_shares(x).mean()) for x in (rows, valid))
        training.curve = [
            replace(
                point, train=(point.train or 0.0) + of_train, valid=(point.valid or 0.0) + of_valid
            )
            for point in training.curve
        ]
        fit.training = training

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        bins = self.coarsening_.to_bins(rows)
        return LogProb.exact(self.chain_.log_prob(bins) + self.coarsening_.log_shares(rows))

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        rng = numpy_rng(seed, "hmm", "sample")
        if given is None:
            return self.coarsening_.to_codes(self.chain_.sample(n, rng), rng)
        barred = np.full(len(self._shape_.cards), -1)
        barred[self._shape_.tables] = self.coarsening_.marks(self.schema_)
        bins = self.chain_.complete(self.coarsening_.to_bins(given), barred, rng)
        return np.where(given == MISSING, self.coarsening_.to_codes(bins, rng), given)

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
        T = self._shape_.T
        if self.schema_.layout != "table":
            return np.arange(T)
        return np.argsort(self._shape_.steps[:, 0])

    @property
    def n_states_(self) -> int:
        return self.chain_.S - (self._shape_.end is not None)

    def _state(self) -> dict[str, np.ndarray]:
        return {
            **self.coarsening_.state(),
            "steps": self._shape_.steps,
            "tables": self._shape_.tables,
            "cards": self._shape_.cards,
            "start": self.chain_.start,
            "transitions": self.chain_.transitions,
            "emissions": self.chain_.emissions,
        }

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.coarsening_ = Coarsening.from_state(arrays)
        self._shape_ = Shape(
            arrays["steps"],
            arrays["tables"],
            arrays["cards"],
            len(arrays["transitions"]),
            _end(self.schema_),
        )
        self.chain_ = Chain(
            self._shape_, arrays["start"], arrays["transitions"], arrays["emissions"]
        )

    @property
    def n_parameters_(self) -> int:
        """Free probabilities of the chain, and the shares within bins."""
        chain = self.chain_
        free = sum(
            int(np.count_nonzero(p)) - int(np.count_nonzero(p.sum(axis=axis)))
            for p, axis in ((chain.start, 0), (chain.transitions, 2), (chain.emissions, 1))
        )
        return free + self.coarsening_.n_parameters


# -------------------------------------------------------------------- how a layout becomes a chain


def _end(schema: Schema) -> int | None:
    """END's code; None where it is the only symbol, so that nothing is left to model."""
    return None if schema.cards[0] == 1 else schema.end


def _steps(schema: Schema) -> np.ndarray:
    """(T, C) the variables of each step: a position, a row of pixels, a column."""
    index = np.arange(schema.D).reshape(schema.event_shape)
    if schema.layout == "image":
        H = schema.event_shape[-2]
        index = np.moveaxis(index, -2, 0)  # (H, W) or (H, C, W)
        return index.reshape(H, -1)
    return index.reshape(schema.event_shape[0], -1)


def _alike(schema: Schema) -> bool:
    """Whether the variables of a channel are the same at every step, but for their names."""
    first = [schema.variables[d] for d in _steps(schema)[0]]
    return schema.layout != "table" and all(
        (a.kind, a.cardinality, a.missing, a.categories, a.offset, a.step, a.edges)
        == (b.kind, b.cardinality, b.missing, b.categories, b.offset, b.step, b.edges)
        for step in _steps(schema)
        for a, b in zip(first, (schema.variables[d] for d in step), strict=True)
    )


def _bins(schema: Schema, rows: np.ndarray, *, shared: bool) -> Coarsening:
    """Bins of long ordinals; the same at every step where the steps share their emissions."""
    steps = _steps(schema)
    if not (shared and _alike(schema)):
        return Coarsening.fit(schema, rows, _most_bins(len(rows)))
    T, C = steps.shape
    one = Schema(tuple(schema.variables[d] for d in steps[0]), "table", (C,))
    pooled = Coarsening.fit(one, rows[:, steps].reshape(-1, C), _most_bins(T * len(rows)))
    channel = np.empty(schema.D, dtype=np.int64)
    channel[steps] = np.arange(C)
    return Coarsening(pooled.bin_of[channel], pooled.log_share[channel], pooled.cards[channel])


def _most_bins(n: int) -> int:
    return int(np.clip(n // FEWEST_ROWS_PER_BIN, FEWEST_BINS, MOST_BINS))


def _shape(schema: Schema, cards: np.ndarray, bins: np.ndarray, ergodic: bool) -> Shape:
    steps = _steps(schema)
    if schema.layout == "table":
        steps = column_order(bins, cards)[:, None]
    T, C = steps.shape
    tables, table_cards = np.arange(schema.D), cards
    if ergodic and _alike(schema):
        tables, table_cards = np.empty(schema.D, dtype=np.int64), cards[steps[0]]
        tables[steps] = np.arange(C)
    return Shape(steps, tables, table_cards, 1 if ergodic or T == 1 else T - 1, _end(schema))


# -------------------------------------------------------------------- the search for a good optimum


@dataclass(eq=False)
class _Trial:
    """A start of EM, where it has got to, and its best iterate by validation."""

    S: int
    strength: float
    chain: Chain
    best: Chain
    valid: float
    curve: list[CurvePoint]
    settled: bool = False


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Distinct rows and how often each was seen."""

    rows: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> _Weighted:
        small = np.min_scalar_type(-int(rows.max(initial=0)) - 1)  # rows are compared as bytes
        distinct, counts = np.unique(rows.astype(small), axis=0, return_counts=True)
        return cls(distinct.astype(np.int64), counts.astype(np.float64))

    def at(self, index: np.ndarray) -> _Weighted:
        return _Weighted(self.rows[index], self.weights[index])

    @property
    def n(self) -> float:
        return float(self.weights.sum())

    def sequences(self, shape: Shape) -> Sequences:
        from genzoo.models.hmm.em import Sequences, as_sequences

        return Sequences(*as_sequences(shape, self.rows), self.weights, shape, max(SIZES))


class _Search:
    """Runs of EM in an order that depends on the data and on validation, never on the clock.

    So a budget in seconds only decides after how many iterations the search stops, and the same
    number of steps gives the same model again. Without a budget it ends with ``MOST_WORK``.
    """

    def __init__(
        self,
        shape: Shape,
        rows: np.ndarray,
        valid: np.ndarray,
        *,
        seed: int,
        began: float,
        budget: Budget,
        progress: Progress,
        n_iter: int,
    ) -> None:
        self.shape, self.seed, self.budget, self.progress = shape, seed, budget, progress
        self.began, self.n_iter = began, n_iter
        self.steps, self.n_trials, self.work = 0, 0, 0.0
        self.seconds_per_row: dict[int, float] = {}
        self.stopped = False
        self.marginals = _marginals(shape, rows)
        self.all_rows = _Weighted.of(rows)
        few = max(FEWEST_TRIAL_ROWS, TRIAL_STEPS // shape.T)
        order = numpy_rng(seed, "hmm", "trial rows").permutation(len(self.all_rows.rows))
        self.some_rows = self.all_rows.at(np.sort(order[:few]))
        self.valid = _Weighted.of(valid[: max(1, VALIDATION_STEPS // shape.T)])
        self.valid_sequences = self.valid.sequences(shape)

    def run(
        self, n_states: int | None, pseudo_count: float | None, n_restarts: int
    ) -> tuple[Chain, Training]:
        sizes = (n_states,) if n_states is not None else tuple(filter(self._affordable, SIZES))
        strengths = STRENGTHS if pseudo_count is None else (float(pseudo_count),)
        first = self._rising([(S, strengths[0]) for S in sizes], None, patience=2)
        reached = first.valid
        self._run(first, self.all_rows, self.n_iter)
        # what follows is tried on the trial rows too: compare it with where the first stood there
        best = replace(first, valid=reached)
        best = self._rising([(best.S, a) for a in strengths[1:]], best, patience=1)
        if best.strength != strengths[0]:
            larger = [(S, best.strength) for S in sizes if S > best.S]
            best = self._rising(larger, best, patience=2)
        for _ in range(n_restarts - 1):
            if not self.stopped:
                best = max(best, self._try(best.S, best.strength), key=lambda trial: trial.valid)
        if best.valid > reached:
            self._run(best, self.all_rows, self.n_iter)
        best = max(first, best, key=lambda trial: trial.valid)
        return best.best, Training(
            steps=self.steps,
            curve=best.curve,
            converged=best.settled,
            stopped_by="converged" if best.settled else "budget" if self.budgeted else "steps",
            notes=["the search ended before every start was tried"] * self.stopped,
        )

    @property
    def budgeted(self) -> bool:
        """Whether the search was stopped by the caller's budget."""
        return self.stopped and self.budget != Budget()

    def _affordable(self, S: int) -> bool:
        if S == 1:
            return True
        full_run = TRIAL_ITERATIONS * self._effort(S, self.all_rows)
        return S * self.marginals.size <= MOST_EMISSIONS and full_run <= FULL_RUN_SHARE * MOST_WORK

    def _effort(self, S: int, data: _Weighted) -> float:
        """Multiplications of an iteration, up to a factor."""
        T, C = self.shape.steps.shape
        return len(data.rows) * T * S * (S + EMISSION_EFFORT * C)

    def _rising(
        self, settings: list[tuple[int, float]], best: _Trial | None, patience: int
    ) -> _Trial:
        """Try settings in turn until ``patience`` in a row are no better than the best so far."""
        worse = 0
        for S, strength in settings:
            if best is not None and (self.stopped or worse == patience):
                break
            trial = self._try(S, strength)
            if best is None or trial.valid > best.valid:
                best, worse = trial, 0
            else:
                worse += 1
        assert best is not None
        return best

    def _try(self, S: int, strength: float) -> _Trial:
        rng = numpy_rng(self.seed, "hmm", "start", self.n_trials)
        self.n_trials += 1
        chain = _random_chain(self.shape, S, self.marginals, rng)
        trial = _Trial(S, strength, chain, chain, -np.inf, [])
        self._run(trial, self.some_rows, TRIAL_ITERATIONS)
        return trial

    def _run(self, trial: _Trial, data: _Weighted, n_iter: int) -> None:
        """EM from where the trial stands, until it settles or the budget is spent."""
        from genzoo.models.hmm.em import ChainEM, Watch, as_sequences

        X, lengths = as_sequences(self.shape, data.rows)
        values: list[float] = []
        after = time.perf_counter()
        if self._spent(trial, data, after):
            trial.settled = trial.settled and len(self.some_rows.rows) == len(data.rows)
            return

        def keep_going() -> bool:
            nonlocal after
            values.append(self._note(trial, em, data))
            now = time.perf_counter()
            self.seconds_per_row[trial.S] = (now - after) / len(data.rows)
            after = now
            return not (self._spent(trial, data, now) or at_rest(values, SETTLED))

        watch = Watch(0.0, n_iter, keep_going)
        em = ChainEM(
            trial.chain,
            weights=data.weights,
            emission_prior=trial.strength * self.marginals[:, :, None],
            transition_prior=1.0,
            monitor=watch,
        )
        em.fit(X, lengths)
        trial.chain, trial.settled = em.chain, watch.settled or at_rest(values, SETTLED)

    def _note(self, trial: _Trial, em: ChainEM, data: _Weighted) -> float:
        """Record an iteration; keep its estimate if it is the trial's best by validation.

        Returns:
            The mean nats of the validation rows.
        """
        self.steps += 1
        self.work += self._effort(trial.S, data)
        valid = em.log_likelihood_of(self.valid_sequences) / self.valid.n
        elapsed = time.perf_counter() - self.began
        trial.curve.append(CurvePoint(self.steps, elapsed, em.log_likelihood / data.n, valid))
        if valid > trial.valid:
            trial.valid, trial.best = valid, em.chain
        done = 0.0
        if self.budget.seconds is not None:
            done = elapsed / self.budget.seconds
        elif self.budget.steps is not None:
            done = self.steps / self.budget.steps
        else:
            done = self.steps / (self.steps + self.n_iter)
        self.progress(min(1.0, done), f"{trial.S} states: {valid:.3f} nats per validation row")
        return valid

    def _spent(self, trial: _Trial, data: _Weighted, now: float) -> bool:
        """Whether the budget has no room for another iteration."""
        if self.steps:
            left = MOST_WORK - self.work
            if self.budget == Budget() and self._effort(trial.S, data) > left:
                self.stopped = True
            if self.budget.steps is not None and self.steps >= self.budget.steps:
                self.stopped = True
            next_one = self._expected_seconds_per_row(trial.S) * len(data.rows)
            limit = self.budget.seconds
            if limit is not None and now - self.began + next_one > limit:
                self.stopped = True
        return self.stopped

    def _expected_seconds_per_row(self, S: int) -> float:
        """As measured; with states not yet tried, from those tried, at least in proportion."""
        fewer = [known for known in self.seconds_per_row if known <= S]
        return self.seconds_per_row[max(fewer)] * S / max(fewer) if fewer else 0.0


def _marginals(shape: Shape, rows: np.ndarray) -> np.ndarray:
    """(G, M) smoothed share of each code in its table's variables, where reached and observed."""
    M = int(shape.cards.max())
    counts = np.zeros((len(shape.cards), M))
    reached = rows != MISSING
    if shape.end is not None:
        is_end = rows == shape.end
        reached &= np.cumsum(is_end, axis=1) - is_end == 0
    for d, table in enumerate(shape.tables):
        counts[table] += np.bincount(rows[reached[:, d], d], minlength=M)
    for own, card in zip(counts, shape.cards.tolist(), strict=True):
        own[:card] = smoothed(own[:card], of_two=0.5)
    return counts


def _random_chain(shape: Shape, S: int, marginals: np.ndarray, rng: np.random.Generator) -> Chain:
    """Emissions scattered around the marginals; chains with a table per step start like mixtures.

    Where the states of a step have tables of their own, state s of one step must find out which of
    the next it belongs with, and EM from random transitions never does. Near-identity transitions
    begin as a mixture of S independent models, which gives each index a meaning along the chain.
    """
    emissions = marginals[:, :, None] * (0.1 + 0.9 * rng.exponential(size=(*marginals.shape, S)))
    if shape.end is not None:
        emissions[:, shape.end] = 0.0
    emissions /= emissions.sum(axis=1, keepdims=True)
    transitions = rng.dirichlet(np.ones(S), size=(shape.n_transitions, S))
    if len(marginals) > shape.steps.shape[1]:
        transitions = 0.1 * transitions + 0.9 * np.eye(S)
    start = rng.dirichlet(np.full(S, 5.0))
    if shape.end is None:
        return Chain(shape, start, transitions, emissions)
    # the absorbing state: entered from anywhere, left never, END its only symbol
    go_on = 1 - marginals[:, shape.end].mean()
    to_end = np.zeros((shape.n_transitions, S + 1, S + 1))
    to_end[:, :S, :S] = go_on * transitions
    to_end[:, :S, S] = 1 - go_on
    to_end[:, S, S] = 1.0
    only_end = np.zeros((*marginals.shape, 1))
    only_end[:, shape.end] = 1.0
    return Chain(
        shape,
        np.append(go_on * start, 1 - go_on),
        to_end,
        np.concatenate([emissions, only_end], axis=2),
    )
