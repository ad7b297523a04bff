"""The search for a good circuit: along which tree, how many states, how strong a prior, how many.

A climb begins with one state a node, which is independence, and copies each state, some times
(Dang, Liu & Van den Broeck 2022 grow circuits by such copies). Copies of one number go together all
along the tree, but for a little, so that each number soon has a meaning everywhere: from random
transitions EM finds no such thing (plants, 16 states, validation rows: -14.4 nats from random ones,
-13.2 so). Then EM: ``EPOCHS`` rounds over the rows in batches, with steps that grow smaller, while
validation gains. The prior draws each state towards the one that it is a copy of, which smooths
better than uniform pseudo-counts do (dna, 16 states: -79.1 nats against -79.4).

What is done next is what still pays, by what the validation rows gained:

    one climb     twice as many states are tried, while they gain more than ``LEAST_GAIN``
    the tree      where there is a choice, each is tried in a climb up to ``CHEAP`` states
    the prior     a weaker and a stronger one are tried in climbs up to half the best size
    the best      goes on with smaller steps, while it gains
    more climbs   of the best size and prior are united with it, while the union gains
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from genzoo.fitting import LEAST_GAIN, PATIENCE, CurvePoint, Fit, at_rest
from genzoo.models.circuit.em import FLOAT, Prior, copied, product, split, step
from genzoo.models.circuit.forest import Forest
from genzoo.models.circuit.hidden import HiddenTree
from genzoo.models.circuit.tree import Tree
from genzoo.models.shared.distinct import weighted
from genzoo.space import strings
from genzoo.space.marginals import smoothed_all
from genzoo.space.schema import MISSING

STRENGTHS = (0.25, 1.0, 4.0, 16.0)  # weights of the prior, in rows
FIRST_STRENGTH = 1.0
FEWEST = 4  # states after one
GROWTH = 4  # copies of each state, from one size of a climb to the next
LEAST_UNION_GAIN = 0.003  # nats a validation row, by which one tree more must be better
CHEAP = 8  # states up to which sizes are tried whatever they gain
# Of copies: see ``split`` (plants, 64 states, validation rows: 0.9 and 0.5 -12.64 nats, 0.8 and 1.0
# -12.74).
NEAR, NOISE = 0.95, 0.5
BATCH = 512  # rows of a step; fewer than twice as many are taken all at once
# Rounds over the rows at a size, at least; and steps, where there are few batches (nltcs, 32
# states, validation rows: 60 steps -5.953 nats, 200 steps -5.940).
EPOCHS, FEWEST_STEPS = 5, 100
FIRST_STEP, LAST_STEP = 0.5, 0.1  # eta of ``step``; of a batch of all rows it is 1
POLISHED = 1e-3  # nats a validation row: a smaller gain of an epoch makes steps smaller
SETTLED = 1e-4  # nats a validation row: a smaller gain of an iteration over all rows ends EM
OVERHEAD = 400  # multiplications in the time of what else is done for a state of a node


@dataclass(frozen=True)
class Limits:
    """What a search may take.

    Attributes:
        numbers: transitions of all trees that are united, of one a quarter, or all of them where
            its states were asked for: memory.
        work: multiplications of a fit without a budget: about a minute.
    """

    numbers: int = 1 << 25
    work: float = 1.5e12


@dataclass(frozen=True)
class Settings:
    """What is asked for: see the arguments of ``Circuit``; None is chosen by the search."""

    n_states: int | None
    pseudo_count: float | None
    n_trees: int
    limits: Limits = Limits()


@dataclass(eq=False)
class _Climb:
    """A start, and the best estimate by validation at each size, in ascending order."""

    tree: Tree
    strength: float
    number: int
    stages: dict[int, HiddenTree] = field(default_factory=dict)
    valid: dict[int, np.ndarray] = field(default_factory=dict)  # (n_valid,) nats
    curve: list[CurvePoint] = field(default_factory=list)


class Search:
    """A search for the best circuit by validation.

    Climbs come in an order that depends on the data and on validation, never on the clock. So a
    limit only decides after how many steps the search stops. Without one it ends with
    ``limits.work``; the first size, which is independence, is always done.

    Args:
        trees: to choose from.
        rows: (n, D) training rows in bins.
        valid: (n_valid, D) rows to select on.
        cards: (D,) number of bins of each variable.
        end: END's code, or None.
        fit: gets the curve of the first climb of those that won, in nats per row of bins, and the
            steps of EM over all climbs.
    """

    def __init__(
        self,
        trees: Sequence[Tree],
        rows: np.ndarray,
        valid: np.ndarray,
        cards: np.ndarray,
        end: int | None,
        settings: Settings,
        fit: Fit,
    ) -> None:
        self.trees, self.cards, self.end, self.ended = trees, cards, end, end is not None
        self.settings, self.fit, self.work = settings, fit, 0.0
        self.marginals = marginals(rows, cards, end)
        self.rows, weights = weighted(rows)
        self.weights, self.n = weights.astype(FLOAT), float(weights.sum())
        n = len(weights)
        self.n_batches = round(n / BATCH) if n >= 2 * BATCH else 1
        self.epochs = max(EPOCHS, -(-FEWEST_STEPS // self.n_batches))
        self.valid, weights = weighted(valid)
        self.shares = weights / weights.sum()
        self.setup = 0.0
        self.places: tuple[Tree, np.ndarray] | None = None

    def run(self) -> Forest:
        asked = self.settings
        strength = FIRST_STRENGTH if asked.pseudo_count is None else float(asked.pseudo_count)
        best = self._begun(self.trees[0], strength)
        if len(self.trees) > 1:
            best = self._best_tree(best)
        self._rise(best)
        best = self._best_strength(best)
        S = asked.n_states
        if S is not None and S not in best.stages:  # there was no room: copies say the same
            most = max(best.stages)
            best.stages[S] = copied(best.stages[most], S, NEAR, self.ended)
            best.valid[S] = best.valid[most]
        climbs, size = [best], self._best_size(best)
        goes_on = self._polish(best, size)
        while goes_on and len(climbs) < asked.n_trees and self._wants_more(climbs, size):
            climb = self._begun(best.tree, best.strength)
            if not self._reach(climb, size):
                break
            goes_on = self._polish(climb, size)
            climbs.append(climb)
        return self._united(climbs, size)

    # ---------------------------------------------------------------- what pays

    def _gain(self, before: np.ndarray, after: np.ndarray) -> float:
        """Nats that a validation row gains, on average."""
        return float(self.shares @ (after - before))

    def _score(self, climb: _Climb, S: int) -> float:
        """Mean nats of the validation rows; -inf where the climb didn't get there."""
        return float(self.shares @ climb.valid[S]) if S in climb.valid else -math.inf

    def _best_size(self, climb: _Climb) -> int:
        if self.settings.n_states is not None:
            return max(climb.stages)
        return max(climb.stages, key=lambda S: self._score(climb, S))

    def _best_tree(self, first: _Climb) -> _Climb:
        """The climb of the tree that does best with a few states."""
        climbs = [first, *(self._begun(tree, first.strength) for tree in self.trees[1:])]
        few = max((S for S in self._sizes() if S <= CHEAP), default=1)
        for climb in climbs:
            self._reach(climb, few)
        return max(climbs, key=lambda climb: self._score(climb, few))

    def _best_strength(self, first: _Climb) -> _Climb:
        """The climb of the prior that does best up to half the best size, risen on."""
        if self.settings.pseudo_count is not None:
            return first
        size = self._best_size(first)
        trial = max((S for S in first.stages if size > S > 1), default=size)
        best, at = first, STRENGTHS.index(first.strength)
        for way in (STRENGTHS[at + 1 :], STRENGTHS[:at][::-1]):
            for strength in way:
                if trial == 1 or not self._goes_on(trial):
                    return best
                climb = self._begun(best.tree, strength)
                self._reach(climb, trial)
                if self._score(climb, trial) <= self._score(best, trial):
                    break
                best = climb
            if best is not first:
                break
        if best is not first:
            self._reach(best, size)
            self._rise(best)
        options = [first, best]
        return max(options, key=lambda climb: self._score(climb, self._best_size(climb)))

    def _wants_more(self, climbs: list[_Climb], size: int) -> bool:
        """Whether another climb is to pay: the last one did."""
        if not self._fits(size, len(climbs) + 1):
            return False
        if len(climbs) == 1:
            return size > 1
        gained = self._gain(self._mixed(climbs[:-1], size), self._mixed(climbs, size))
        return gained > LEAST_UNION_GAIN

    def _mixed(self, climbs: Sequence[_Climb], S: int) -> np.ndarray:
        """(n_valid,) nats of the union of climbs."""
        total = np.logaddexp.reduce([climb.valid[S] for climb in climbs], axis=0)
        return np.asarray(total - np.log(len(climbs)))

    def _united(self, climbs: list[_Climb], size: int) -> Forest:
        """The best union of the first climbs."""
        scores = [
            float(self.shares @ self._mixed(climbs[: m + 1], size)) for m in range(len(climbs))
        ]
        m = int(np.argmax(scores)) + 1
        fit = self.fit
        fit.training.curve = climbs[0].curve
        if m > 1:
            fit.point(None, scores[m - 1])
            fit.note(f"{m} trees of {size} states are united")
        if fit.stopped("steps"):
            fit.note("the search ended before all that may pay was tried")
        return Forest.united([exact(climb.stages[size]) for climb in climbs[:m]])

    # ---------------------------------------------------------------- climbs

    def _sizes(self) -> Iterator[int]:
        """Numbers of states to try, after one."""
        asked, S = self.settings.n_states, FEWEST
        if asked is not None:
            yield asked
            return
        while len(self.weights) > S and self._fits(S):
            yield S
            S *= 2

    def _path(self, size: int) -> list[int]:
        """The sizes after the first over which a climb comes to a size."""
        path = [size]
        while path[0] >= FEWEST * GROWTH:
            path.insert(0, path[0] // GROWTH)
        return path

    def _fits(self, S: int, n_trees: int = 4) -> bool:
        """Whether S states in so many trees are few enough for memory."""
        return n_trees * S * S * len(self.cards) <= self.settings.limits.numbers

    def _begun(self, tree: Tree, strength: float) -> _Climb:
        """A climb of one state a node."""
        climb = _Climb(tree, strength, self.fit.training.work.get("climbs", 0))
        self.fit.did("climbs")
        self._keep(climb, 1, product(tree, self.cards, self.marginals, self.end))
        if self.fit.training.steps == 0:
            self.fit.did("steps")
            self._note(climb, 1, None, self._score(climb, 1))
            self.work, self.setup = 0.0, self.fit.clock.spent  # the first call of all is slow
        return climb

    def _rise(self, climb: _Climb) -> None:
        """The climb tries more and more states, as far as validation gains by it."""
        for S in self._sizes():
            if S in climb.stages:
                continue
            best = max(self._score(climb, size) for size in climb.stages)
            if not (self._has_time(S) and self._reach(climb, S)):
                return
            if S > CHEAP and self._score(climb, S) - best < LEAST_GAIN:
                return
        if self.settings.n_states is None and not self._fits(2 * max(climb.stages)):
            self.fit.training.converged, self.fit.training.stopped_by = False, "steps"

    def _reach(self, climb: _Climb, size: int) -> bool:
        """The climb grows until it has a size; False where there was no room."""
        before = 1
        for S in self._path(size):
            if S not in climb.stages and not self._stage(climb, before, S):
                return False
            before = S
        return True

    def _stage(self, climb: _Climb, before: int, S: int) -> bool:
        """Copy the states, and EM while validation gains; the best estimate is kept. False where
        there was no room for it."""
        if not self._goes_on(S):
            return False
        rng = self.fit.rng("circuit", climb.number, S)
        model = split(climb.stages[before], S, NEAR, NOISE, self.ended, rng).as_type(FLOAT)
        prior, scores = self._prior(climb, before, S), list[float]()
        while len(scores) < self.epochs and not self._at_rest(scores):
            eta = FIRST_STEP + (LAST_STEP - FIRST_STEP) * len(scores) / (self.epochs - 1)
            model, score = self._epoch(climb, S, model, prior, eta, rng)
            if score is None:
                return S in climb.stages
            scores.append(score)
        return True

    def _polish(self, climb: _Climb, S: int) -> bool:
        """EM goes on with smaller and smaller steps, each as long as validation gains; False where
        there was no room to go on."""
        if self.fit.stopped("steps"):
            return False
        path = [1, *self._path(S)]
        prior = self._prior(climb, path[path.index(S) - 1], S)
        rng = self.fit.rng("circuit", climb.number, S, "polish")
        model, eta = climb.stages[S].as_type(FLOAT), FIRST_STEP / 2
        while eta > LAST_STEP / 4 and S > 1:
            before = self._score(climb, S)
            model, score = self._epoch(climb, S, model, prior, eta, rng)
            if score is None:
                return False
            if score < before + POLISHED:
                model, eta = climb.stages[S], eta / 2 if self.n_batches > 1 else 0.0
        return True

    def _prior(self, climb: _Climb, before: int, S: int) -> Prior:
        """Of S states that are copies: towards what they were."""
        even = copied(climb.stages[before], S, 0.0, self.ended)
        weight = FLOAT(climb.strength)
        return Prior(weight * even.edges.astype(FLOAT), weight * even.masses.astype(FLOAT))

    def _epoch(
        self,
        climb: _Climb,
        S: int,
        model: HiddenTree,
        prior: Prior,
        eta: float,
        rng: np.random.Generator,
    ) -> tuple[HiddenTree, float | None]:
        """Steps of EM over all rows; the estimate is kept if it is the best of its size.

        Returns:
            It, and its score; None where there was no room to come to the end.
        """
        total = 0.0
        for batch, weights in self._batches(rng):
            if not self._goes_on(S):
                if total:
                    self._keep(climb, S, model)
                return model, None
            # a batch that holds more of the rows goes further
            share = self.n_batches * float(weights.sum()) / self.n
            size = 1 - (1 - eta) ** share if self.n_batches > 1 else 1.0
            model, nats = step(
                model, self._places_of(model)[:, batch], weights, prior, self.n, size
            )
            total += nats
            self.work += self._effort(S, len(batch))
            self.fit.did("steps")
        score = self._keep(climb, S, model)
        self._note(climb, S, total / self.n, score)
        return model, score

    def _places_of(self, model: HiddenTree) -> np.ndarray:
        """(D, n) of the training rows, which the tree decides."""
        if self.places is None or self.places[0] is not model.tree:
            self.places = model.tree, model.places(self.rows)
        return self.places[1]

    def _batches(self, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The rows and their weights in an order of chance. What was seen most often is in every
        batch, with a part of its weight: so no batch differs much from another."""
        often = np.argsort(-self.weights, kind="stable")[: BATCH // 2]
        often = often[self.weights[often] >= self.n_batches]
        rest = np.setdiff1d(np.arange(len(self.weights)), often)
        for batch in np.array_split(rng.permutation(rest), self.n_batches):
            weights = np.append(self.weights[often] / self.n_batches, self.weights[batch])
            yield np.append(often, batch), weights

    def _at_rest(self, scores: list[float]) -> bool:
        """Whether EM at one size needs no further epoch."""
        if self.n_batches == 1:
            return at_rest(scores, SETTLED)
        return len(scores) > 0 and len(scores) - 1 - int(np.argmax(scores)) >= PATIENCE

    def _keep(self, climb: _Climb, S: int, model: HiddenTree) -> float:
        """Keep a model if it is the best of its size; its score, in mean nats of a row."""
        valid = model.log_prob(self.valid)
        self.work += self._effort(S, len(self.valid)) / 3
        score = float(self.shares @ valid)
        if S not in climb.stages or score > self._score(climb, S):
            climb.stages[S], climb.valid[S] = model, valid
        return score

    def _note(self, climb: _Climb, S: int, train: float | None, valid: float) -> None:
        fit = self.fit
        climb.curve.append(CurvePoint(fit.training.steps, fit.clock.spent, train, valid))
        done = fit.done(otherwise=self.work / self.settings.limits.work)
        fit.report(done, f"{S} states: {valid:.3f} nats per validation row")

    def _effort(self, S: int, n: float) -> float:
        """Multiplications of a step over n rows, up to a factor."""
        return float(n * len(self.cards) * S * (3 * S + OVERHEAD))

    def _has_time(self, S: int) -> bool:
        """Begin to try S states; False where there is no room for half of it: then more climbs of
        fewer states do more."""
        if S <= CHEAP or self.settings.n_states == S:
            return True
        if self._has_room("sizes", self.epochs * self._effort(S, len(self.weights)) / 2):
            self.fit.did("sizes")
            return True
        return False

    def _goes_on(self, S: int) -> bool:
        """Begin another step with S states; False, and the search ends, without room."""
        return self._has_room("steps", self._effort(S, len(self.weights) / self.n_batches))

    def _has_room(self, unit: str, effort: float) -> bool:
        each = (self.fit.clock.spent - self.setup) / self.work if self.work else 0.0
        affordable = self.work + effort <= self.settings.limits.work
        return self.fit.goes_on(unit, expected=each * effort, affordable=affordable)


def marginals(rows: np.ndarray, cards: np.ndarray, end: int | None) -> np.ndarray:
    """(P,) smoothed share of each code in its variable, where reached and observed."""
    counted = strings.reached(rows, end) & (rows != MISSING)
    counts = [
        np.bincount(rows[counted[:, d], d], minlength=card).astype(np.float64)
        for d, card in enumerate(cards.tolist())
    ]
    return np.concatenate(smoothed_all(counts, [None] * len(counts), of_two=0.5))


def exact(model: HiddenTree) -> HiddenTree:
    """In double precision, in which all probabilities sum to one."""
    model = model.as_type(np.float64)
    totals = np.repeat(np.add.reduceat(model.masses, model.first[:-1]), model.cards, axis=0)
    sums = model.edges.sum(axis=2, keepdims=True)
    edges = np.divide(model.edges, sums, out=model.edges)  # a copy already
    return HiddenTree(model.tree, model.cards, edges, model.masses / totals)
