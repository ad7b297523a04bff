"""EM for chains of product emissions: hmmlearn's loop around a batched E-step.

hmmlearn's ``BaseHMM.fit`` alternates E-steps and M-steps until its monitor says stop, and takes the
sequences one at a time; at 100 us each that is minutes for 25,000 short strings. ``ChainEM`` keeps
the loop and computes the E-step for a block of sequences at once. It adds what hmmlearn lacks:
emission tables that differ between steps and channels, a transition matrix per step, and Dirichlet
priors on all of them, so that EM climbs the posterior density (Dempster, Laird & Rubin 1977,
section 4) and no probability becomes zero.

Zeros in the starting point are structural: they stay zero, as hmmlearn has it for transitions.

An entry that is ``MISSING`` is summed out: its emission has the factor 1 in every state, and it
adds nothing to the expected counts of emissions. That is maximum likelihood for entries missing at
random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from genzoo.models.hmm.forward import Chain, Shape
from genzoo.space import strings
from genzoo.space.schema import MISSING

BLOCK = 1 << 13  # sequences times states in a block: its arrays stay in the processor's cache
# the E-step's precision: errors of 1e-6 in a step's scale, to both sides: in a mean over rows
# they are far below what EM stops at; ratios are safe, since a state's backward ratio is at most
# 1 / (the smallest transition probability)
FLOAT = np.float32


@dataclass(frozen=True, eq=False)
class Block:
    """Some sequences, the entries of one step together, longest sequences first.

    Attributes:
        running: (T,) how many sequences have a step t.
        used: (U,) the codes that are there, among the P of all tables; P where one is ``MISSING``.
        codes: (N, C) places in ``used``, N the sum of ``running``.
        weights: (running[0],) how often each sequence was seen.
    """

    running: np.ndarray
    used: np.ndarray
    codes: np.ndarray
    weights: np.ndarray

    @property
    def one_hot(self) -> sparse.csr_matrix:
        """(N, U): a row per step, a one per channel."""
        N, C = self.codes.shape
        ends = np.arange(0, N * C + 1, C, dtype=np.int32)
        parts = (np.ones(N * C, dtype=FLOAT), self.codes.ravel(), ends)
        return sparse.csr_matrix(parts, shape=(N, len(self.used)))

    @property
    def step_weights(self) -> np.ndarray:
        """(N,) how often each entry's sequence was seen."""
        return np.concatenate([self.weights[:m] for m in self.running])


class Sequences:
    """Sequences by block and by time.

    Args:
        X: (sum of lengths, C) codes, sequence by sequence.
        lengths: (n,) steps of each sequence.
        weights: (n,) how often each sequence was seen.
        shape: tables and cards; sets the codes' places among all.
        S: states of the chain that will read them.
    """

    def __init__(
        self, X: np.ndarray, lengths: np.ndarray, weights: np.ndarray, shape: Shape, S: int
    ) -> None:
        size = max(128, min(1024, BLOCK // S))
        self.n_channels = X.shape[1]
        first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        P = np.int32(shape.first[-1])
        offsets = shape.first[shape.tables[shape.steps]].astype(np.int32)  # (T, C)
        order = np.argsort(-np.asarray(lengths), kind="stable")
        self.blocks: list[Block] = []
        for b in range(0, len(lengths), size):
            chosen = order[b : b + size]
            steps = np.arange(lengths[chosen[0]])
            running = np.searchsorted(-lengths[chosen], -steps, side="left")  # longer than t
            parts = [X[first[chosen[:m]] + t] for t, m in zip(steps, running, strict=True)]
            codes = np.concatenate(
                [np.where(x == MISSING, P, x + offsets[t]) for t, x in enumerate(parts)]
            )
            used, places = np.unique(codes, return_inverse=True)
            places = places.reshape(codes.shape).astype(np.int32)
            self.blocks.append(Block(running, used, places, weights[chosen].astype(FLOAT)))


def as_sequences(shape: Shape, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, D) as hmmlearn takes them: X (sum of lengths, C) and lengths (n,).

    A string's sequence stops with its first END: what lies behind it carries no probability.

    >>> shape = Shape(np.arange(3)[:, None], np.zeros(3, dtype=int), np.array([3]), 1, end=2)
    >>> as_sequences(shape, np.array([[0, 2, 2], [1, 0, 1]]))[1]
    array([2, 3])
    """
    lengths = np.full(len(rows), shape.T)
    if shape.end is not None:
        lengths = strings.lengths(rows, shape.end)
    reached = np.arange(shape.T) < lengths[:, None]
    return rows[:, shape.steps][reached], lengths


def load_hmmlearn() -> None:
    """Import it, which takes about a second, ahead of the first iteration."""
    import hmmlearn.base  # noqa: F401


class Watch:
    """A monitor for hmmlearn's loop, which asks ``keep_going`` before each further iteration.

    Args:
        tol: EM is settled where an iteration gains less, in what it climbs.
        n_iter: most iterations.
        keep_going: called after each iteration; False ends EM.
    """

    def __init__(self, tol: float, n_iter: int, keep_going: Callable[[], bool]) -> None:
        self.tol, self.n_iter, self.keep_going = tol, n_iter, keep_going
        self.history: list[float] = []  # log posterior densities, in nats up to a constant
        self.converged = False

    def _reset(self) -> None:
        self.history, self.converged = [], False

    def report(self, log_prob: float) -> None:
        self.history.append(log_prob)
        self.converged = not self.keep_going() or self.over

    @property
    def settled(self) -> bool:
        """Whether the last iteration gained less than the tolerance."""
        return len(self.history) > 1 and self.history[-1] - self.history[-2] < self.tol

    @property
    def over(self) -> bool:
        """Whether EM ends here, however much ``keep_going`` may want."""
        return self.settled or len(self.history) >= self.n_iter


class ChainEM:
    """MAP estimation of a ``Chain`` by hmmlearn's EM loop.

    Args:
        start: the starting point.
        weights: (n,) how often each sequence was seen.
        emission_prior: (P, S) pseudo-counts of the emissions.
        transition_prior: pseudo-count shared out over the entries of each row of transitions.
        monitor: when to stop.
    """

    def __init__(
        self,
        start: Chain,
        *,
        weights: np.ndarray,
        emission_prior: np.ndarray,
        transition_prior: float,
        monitor: Watch,
    ) -> None:
        self.chain = start  # the present estimate
        self.weights, self.monitor = weights, monitor
        self.emission_prior, self.transition_prior = emission_prior, transition_prior / start.S
        self.log_likelihood = -np.inf  # nats over all sequences, before the last update

    def fit(self, X: np.ndarray, lengths: np.ndarray) -> ChainEM:
        """Iterate on sequences, as of ``as_sequences``, until the monitor has enough."""
        from hmmlearn.base import BaseHMM

        sequences = Sequences(X, lengths, self.weights, self.chain.shape, self.chain.S)
        em = self

        class Loop(BaseHMM):  # type: ignore[misc, unused-ignore]
            """hmmlearn's loop; each of its steps is one of ours."""

            def _init(self, X: np.ndarray, lengths: np.ndarray) -> None:
                self.monitor_, self.transmat_ = em.monitor, np.ones((1, 1))

            def _check(self) -> None:
                em.check()

            def _do_estep(self, X: np.ndarray, lengths: np.ndarray) -> tuple[Chain, float]:
                return em.expected(sequences)

            def _compute_lower_bound(self, curr_logprob: float) -> float:
                em.log_likelihood = curr_logprob
                return curr_logprob + em.log_prior()

            def _do_mstep(self, stats: Chain) -> None:
                em.update(stats)

        Loop(n_iter=self.monitor.n_iter).fit(X, lengths)
        return self

    def check(self) -> None:
        """ValueError unless all probabilities of the present estimate sum to one."""
        chain = self.chain
        sums = {
            "start": chain.start.sum(),
            "transitions": chain.transitions.sum(axis=2),
            "masses": np.add.reduceat(chain.masses, chain.shape.first[:-1]),
        }
        for name, sum_ in sums.items():
            if not np.allclose(sum_, 1):
                raise ValueError(f"{name}: expected sums of 1")

    def log_prior(self) -> float:
        """Log density of the present estimate under the priors, in nats up to a constant."""
        return (
            _log_density(self.chain.start, self.transition_prior)
            + _log_density(self.chain.transitions, self.transition_prior)
            + _log_density(self.chain.masses, self.emission_prior)
        )

    def expected(self, sequences: Sequences) -> tuple[Chain, float]:
        """The E-step, by forward-backward.

        Returns:
            Expected counts, in the places of the probabilities that they are counts of; and the
            log-likelihood of the present estimate in nats.
        """
        S, chain = self.chain.S, self.chain
        start, transitions = np.zeros(S), np.zeros_like(chain.transitions)
        masses = np.zeros((len(chain.masses) + 1, S))  # and behind them what is MISSING
        backwards = np.ascontiguousarray(chain.transitions.transpose(0, 2, 1), dtype=FLOAT)
        total = 0.0
        for block, b, log_factor in self._likelihoods(sequences):
            running = block.running
            offset = np.concatenate([[0], np.cumsum(running)])
            a, scale = self._forward(running, b)  # p(s_t | x_1 .. x_t), p(x_t | x_1 .. x_{t-1})
            total += _weighted_sum(np.log(scale) + log_factor, block)
            a *= block.step_weights[:, None]
            b /= scale[:, None]
            # p(x_{t+1} .. | s_t) / p(x_{t+1} .. | x_1 .. x_t)
            later = np.ones((running[0], S), dtype=FLOAT)
            for t in reversed(range(len(running))):
                m, at = running[t], slice(offset[t], offset[t + 1])
                a[at] *= later[:m]
                if t:
                    k = t - 1 if len(backwards) > 1 else 0
                    before = a[offset[t - 1] : offset[t - 1] + m]
                    b[at] *= later[:m]
                    transitions[k] += before.T @ b[at]
                    later[:m] = b[at] @ backwards[k]
            start += a[: running[0]].sum(axis=0, dtype=np.float64)
            masses[block.used] += block.one_hot.T @ a
        transitions *= chain.transitions
        return Chain(chain.shape, start, transitions, masses[:-1]), total

    def update(self, counts: Chain) -> None:
        """The M-step: the mode of the posterior density, given expected counts."""
        of, before = self.transition_prior, self.chain
        self.chain = Chain(
            before.shape,
            _posterior_mode(before.start, counts.start, of),
            _posterior_mode(before.transitions, counts.transitions, of),
            before.shape.normalised(
                np.where(before.masses > 0, counts.masses + self.emission_prior, 0.0)
            ),
        )

    def log_likelihood_of(self, sequences: Sequences) -> float:
        """Log-likelihood of other sequences under the present estimate, in nats."""
        total = 0.0
        for block, b, log_factor in self._likelihoods(sequences):
            scale = self._forward(block.running, b)[1]
            total += _weighted_sum(np.log(scale) + log_factor, block)
        return total

    def _likelihoods(
        self, sequences: Sequences
    ) -> Iterator[tuple[Block, np.ndarray, np.ndarray | float]]:
        """Blocks with the likelihood of each step (N, S), up to a factor of known log (N,)."""
        masses = np.concatenate([self.chain.masses, np.ones((1, self.chain.S))]).astype(FLOAT)
        if sequences.n_channels == 1:
            for block in sequences.blocks:
                yield block, masses[block.used[block.codes[:, 0]]], 0.0
            return
        log_masses = np.log(masses, where=masses > 0, out=np.zeros_like(masses))
        for block in sequences.blocks:
            b = block.one_hot @ log_masses[block.used]
            log_factor = b.max(axis=1)
            b -= log_factor[:, None]
            yield block, np.exp(b, out=b), log_factor

    def _forward(self, running: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Filtered states (N, S) and the scale of each step (N,)."""
        a, scale = np.empty_like(b), np.empty(len(b), dtype=FLOAT)
        start, transitions = (
            p.astype(FLOAT) for p in (self.chain.start, self.chain.transitions)
        )  # fmt: skip
        before, end = slice(0, 0), 0
        for t, m in enumerate(running):
            at = slice(end, end + m)
            if t == 0:
                np.multiply(start, b[at], out=a[at])
            else:
                k = t - 1 if len(transitions) > 1 else 0
                np.matmul(a[before][:m], transitions[k], out=a[at])
                a[at] *= b[at]
            scale[at] = a[at].sum(axis=1)
            a[at] /= scale[at, None]
            before, end = at, end + m
        return a, scale


def _weighted_sum(values: np.ndarray, block: Block) -> float:
    """The sum of values (N,) of a block's entries, each as often as its sequence was seen."""
    return float((values * block.step_weights).sum(dtype=np.float64))


def _log_density(probabilities: np.ndarray, prior: np.ndarray | float) -> float:
    """Log Dirichlet density up to a constant: sum of pseudo-count times log probability."""
    live = probabilities > 0
    logs = np.log(probabilities, where=live, out=np.zeros_like(probabilities))
    return float((prior * logs).sum())


def _posterior_mode(before: np.ndarray, counts: np.ndarray, prior: float) -> np.ndarray:
    """Counts plus pseudo-counts, normalised along the last axis; what was zero stays zero."""
    weights = np.where(before > 0, counts + prior, 0.0)
    return weights / weights.sum(axis=-1, keepdims=True)
