"""The search for a good local optimum of EM: how many states, how strong a prior, which start.

Short runs from random starts on a part of the rows are compared on validation: first with growing S
until it stops paying, and the best of these runs on all rows until validation stops improving; then
with stronger priors and fresh starts, and where one of them did better over its short run, it goes
on to its end too. The model is the best iterate by validation.

Random starts of full size did better than splitting the states of a smaller model (Tiny
Shakespeare, 32 states: -2.37 against -2.40 nats per character), and starting ``left_right`` chains
close to a mixture (A near the identity) better than anywhere (alarm, 32 states: -10.9 against
-11.5 nats).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from genzoo.fitting import CurvePoint, Fit, at_rest
from genzoo.models.hmm.em import ChainEM, Sequences, Watch, as_sequences, load_hmmlearn
from genzoo.models.hmm.forward import Chain, Shape
from genzoo.models.shared.distinct import weighted
from genzoo.space import strings
from genzoo.space.marginals import smoothed_all
from genzoo.space.schema import MISSING

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
STRENGTHS = (1.0, 4.0, 16.0)  # pseudo-counts of the emissions
SIZES_PATIENCE, STRENGTHS_PATIENCE = 2, 1  # tries in a row that are no better
# Steps of the rows on which starts are tried. More tell starts better apart, and leave less time
# for the best (twice as many, on validation rows: names in 15, 30 and 60 s -0.42, -0.13 and -0.01
# nats, grammar in 15 s -0.14, alarm in 20 s -0.08; casino +0.002).
TRIAL_STEPS = 50_000
FEWEST_TRIAL_ROWS = 500  # the same in rows, where rows are long
TRIAL_ITERATIONS = 30  # of a start: fewer leave more time for others
VALIDATION_STEPS = 200_000  # of the validation rows, which every iteration scores
# Nats a validation row: a smaller gain in an iteration ends EM. With 0.0005 names lost 0.02 nats,
# with 0.0002 grammar 0.01. The gain in what EM climbs, a posterior density, is no measure: it
# holds the slow drift of what no row depends on, as the transitions around a constant column.
SETTLED = 1e-4
EMISSION_EFFORT = 4  # multiplications in the time of one in the (sparse) product with emissions
STEP_EFFORT = 50_000  # multiplications in the time that the calls for a step of a sequence take


@dataclass(frozen=True)
class Limits:
    """What a search may take.

    Attributes:
        emissions: numbers in all emission tables, which limits the states that are tried; and
            four times as many in all transition matrices.
        work: multiplications of a fit without a budget: some minutes on one core.
        full_run: the share of ``work`` in which as many iterations as a trial's must run on all
            rows: sizes that need more are not tried.
    """

    emissions: int = 1 << 22
    work: float = 1.5e12
    full_run: float = 1 / 3


@dataclass(frozen=True)
class Settings:
    """What is asked for: see the arguments of ``HMM``; None is chosen by the search."""

    n_states: int | None
    pseudo_count: float | None
    n_restarts: int
    n_iter: int
    limits: Limits = Limits()


@dataclass(frozen=True, eq=False)
class _Data:
    """Distinct rows as sequences, and how often each was seen."""

    X: np.ndarray
    lengths: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, shape: Shape, rows: np.ndarray, weights: np.ndarray) -> _Data:
        return cls(*as_sequences(shape, rows), weights)

    @property
    def n(self) -> float:
        """Rows, the distinct ones as often as they were seen."""
        return float(self.weights.sum())

    def __len__(self) -> int:
        return len(self.weights)


@dataclass(eq=False)
class _Trial:
    """A start of EM, where it has got to, and its best iterate by validation."""

    S: int
    strength: float
    chain: Chain
    best: Chain
    valid: float = -np.inf
    curve: list[CurvePoint] = field(default_factory=list)
    settled: bool = False


class Search:
    """A search for the best chain by validation.

    Runs of EM come in an order that depends on the data and on validation, never on the clock. So a
    limit only decides after how many iterations the search stops. Without one it ends with
    ``limits.work``; the first iteration is always done.

    Args:
        rows: (n, D) training rows in bins.
        valid: (n_valid, D) rows to select on.
        fit: gets the curve of the start that won, in nats per row of bins, and EM's iterations over
            all starts as ``steps``.
    """

    def __init__(
        self, shape: Shape, rows: np.ndarray, valid: np.ndarray, settings: Settings, fit: Fit
    ) -> None:
        load_hmmlearn()  # the first iteration tells what the next ones will take
        self.shape, self.settings, self.fit = shape, settings, fit
        self.work = 0.0
        self.pace: dict[int, float] = {}  # seconds of an iteration, by its effort, with S states
        self.marginals = marginals(shape, rows)
        distinct, weights = weighted(rows)
        self.all_rows = _Data.of(shape, distinct, weights)
        order = fit.rng("hmm", "trial rows").permutation(len(distinct))
        few = max(FEWEST_TRIAL_ROWS, _within(self.all_rows.lengths[order], TRIAL_STEPS))
        some = np.sort(order[:few])
        self.some_rows = _Data.of(shape, distinct[some], weights[some])
        few = max(1, _within(as_sequences(shape, valid)[1], VALIDATION_STEPS))
        self.valid = _Data.of(shape, *weighted(valid[:few]))
        self.valid_sequences = Sequences(
            self.valid.X, self.valid.lengths, self.valid.weights, shape, max(SIZES)
        )

    def run(self) -> Chain:
        asked = self.settings
        sizes = [S for S in SIZES if self._affordable(S)]
        if asked.n_states is not None:
            sizes = [asked.n_states]
        strengths = STRENGTHS if asked.pseudo_count is None else (float(asked.pseudo_count),)
        first = self._rising([(S, strengths[0]) for S in sizes], None, SIZES_PATIENCE)
        reached = first.valid
        self._run(first, self.all_rows, asked.n_iter)
        # what follows is tried on the trial rows too: compare it with where the first stood there
        best = replace(first, valid=reached)
        best = self._rising([(best.S, a) for a in strengths[1:]], best, STRENGTHS_PATIENCE)
        if best.strength != strengths[0]:
            larger = [(S, best.strength) for S in sizes if S > best.S]
            best = self._rising(larger, best, SIZES_PATIENCE)
        for _ in range(asked.n_restarts - 1):
            if not self.fit.stopped("steps"):
                best = max(best, self._try(best.S, best.strength), key=lambda trial: trial.valid)
        if best.valid > reached:
            self._run(best, self.all_rows, asked.n_iter)
        best = max(first, best, key=lambda trial: trial.valid)
        self._record(best)
        return best.best

    def _record(self, best: _Trial) -> None:
        training, stopped = self.fit.training, self.fit.stopped("steps")
        training.curve, training.converged = best.curve, best.settled
        if best.settled:
            training.stopped_by = "converged"
        elif not stopped:  # by the number of iterations
            training.stopped_by = "steps"
        if stopped:
            self.fit.note("the search ended before every start was tried")

    def _affordable(self, S: int) -> bool:
        limits = self.settings.limits
        full_run = TRIAL_ITERATIONS * self._effort(S, self.all_rows)
        few = S * len(self.marginals) <= limits.emissions
        few &= S * S * self.shape.n_transitions <= 4 * limits.emissions
        return S == 1 or (few and full_run <= limits.full_run * limits.work)

    def _effort(self, S: int, data: _Data) -> float:
        """Multiplications of an iteration, up to a factor."""
        C = self.shape.steps.shape[1]
        return len(data.X) * S * (S + EMISSION_EFFORT * C) + STEP_EFFORT * int(data.lengths.max())

    def _rising(
        self, settings: list[tuple[int, float]], best: _Trial | None, patience: int
    ) -> _Trial:
        """Try settings in turn until ``patience`` in a row are no better than the best so far."""
        worse = 0
        for S, strength in settings:
            if best is not None and (self.fit.stopped("steps") or worse == patience):
                break
            trial = self._try(S, strength)
            if best is None or trial.valid > best.valid:
                best, worse = trial, 0
            else:
                worse += 1
        assert best is not None
        return best

    def _try(self, S: int, strength: float) -> _Trial:
        number = self.fit.training.work.get("starts", 0)
        chain = random_chain(self.shape, S, self.marginals, self.fit.rng("hmm", "start", number))
        self.fit.did("starts")
        trial = _Trial(S, strength, chain, chain)
        self._run(trial, self.some_rows, TRIAL_ITERATIONS)
        return trial

    def _run(self, trial: _Trial, data: _Data, n_iter: int) -> None:
        """EM from where the trial stands, until it settles or there is no room."""
        if not self._goes_on(trial.S, data):
            trial.settled = trial.settled and len(self.some_rows) == len(data)
            return
        values: list[float] = []
        since = self.fit.clock.spent

        def keep_going() -> bool:
            nonlocal since
            values.append(self._note(trial, em, data))
            self.pace[trial.S] = (self.fit.clock.spent - since) / self._effort(trial.S, data)
            since = self.fit.clock.spent
            over = watch.over or at_rest(values, SETTLED)
            return not over and self._goes_on(trial.S, data)

        watch = Watch(0.0, n_iter, keep_going)
        em = ChainEM(
            trial.chain,
            weights=data.weights,
            emission_prior=trial.strength * self.marginals[:, None],
            transition_prior=1.0,
            monitor=watch,
        )
        em.fit(data.X, data.lengths)
        trial.chain, trial.settled = em.chain, watch.settled or at_rest(values, SETTLED)

    def _note(self, trial: _Trial, em: ChainEM, data: _Data) -> float:
        """Record an iteration; keep its estimate if it is the trial's best by validation.

        Returns:
            The mean nats of the validation rows.
        """
        fit = self.fit
        fit.did("steps")
        self.work += self._effort(trial.S, data)
        valid = em.log_likelihood_of(self.valid_sequences) / self.valid.n
        steps, train = fit.training.steps, em.log_likelihood / data.n
        trial.curve.append(CurvePoint(steps, fit.clock.spent, train, valid))
        if valid > trial.valid:
            trial.valid, trial.best = valid, em.chain
        done = fit.done(otherwise=steps / (steps + self.settings.n_iter))
        fit.report(done, f"{trial.S} states: {valid:.3f} nats per validation row")
        return valid

    def _goes_on(self, S: int, data: _Data) -> bool:
        """Begin another iteration; False, and the search ends, where there is no room for it."""
        if not self.fit.training.steps:
            return True
        # as measured; with states not yet tried, from fewer, with which the pace is slower
        effort = self._effort(S, data)
        known = max((known for known in self.pace if known <= S), default=0)
        expected = self.pace.get(known, 0.0) * effort
        affordable = self.work + effort <= self.settings.limits.work
        return self.fit.goes_on("steps", expected=expected, affordable=affordable)


def _within(lengths: np.ndarray, steps: int) -> int:
    """How many of the first sequences have no more steps than these, all together."""
    return int(np.searchsorted(np.cumsum(lengths), steps, side="right"))


def marginals(shape: Shape, rows: np.ndarray) -> np.ndarray:
    """(P,) smoothed share of each code in its table's variables, where reached and observed."""
    counts = [np.zeros(card) for card in shape.cards.tolist()]
    counted = strings.reached(rows, shape.end) & (rows != MISSING)
    for d, table in enumerate(shape.tables):
        own = counts[table]
        own += np.bincount(rows[counted[:, d], d], minlength=len(own))
    return np.concatenate(smoothed_all(counts, [None] * len(counts), of_two=0.5))


def random_chain(shape: Shape, S: int, marginals: np.ndarray, rng: np.random.Generator) -> Chain:
    """Emissions scattered around the marginals; chains with a table per step start like mixtures.

    Where the states of a step have tables of their own, state s of one step must find out which of
    the next it belongs with, and EM from random transitions never does. Near-identity transitions
    begin as a mixture of S independent models, which gives each index a meaning along the chain.
    """
    masses = marginals[:, None] * (0.1 + 0.9 * rng.exponential(size=(len(marginals), S)))
    if shape.end is not None:
        ends = shape.first[:-1] + shape.end
        masses[ends] = 0.0
    masses = shape.normalised(masses)
    transitions = rng.dirichlet(np.ones(S), size=(shape.n_transitions, S))
    if len(shape.cards) > shape.steps.shape[1]:
        transitions = 0.1 * transitions + 0.9 * np.eye(S)
    start = rng.dirichlet(np.full(S, 5.0))
    if shape.end is None:
        return Chain(shape, start, transitions, masses)
    # the absorbing state: entered from anywhere, left never, END its only symbol
    go_on = 1 - marginals[ends].mean()
    to_end = np.zeros((shape.n_transitions, S + 1, S + 1))
    to_end[:, :S, :S] = go_on * transitions
    to_end[:, :S, S] = 1 - go_on
    to_end[:, S, S] = 1.0
    only_end = np.zeros((len(marginals), 1))
    only_end[ends] = 1.0
    return Chain(
        shape,
        np.append(go_on * start, 1 - go_on),
        to_end,
        np.concatenate([masses, only_end], axis=1),
    )
