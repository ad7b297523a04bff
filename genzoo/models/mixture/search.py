"""The search for a good mixture: growing, how strong a prior, and unions of several starts.

A climb begins with a single product, splits it in four, these in sixteen, and so on, with EM at
each size until validation stops improving. Each component is drawn towards what it was before it
was split, with the weight of ``pseudo_count`` rows: a prior that follows the climb smooths
large mixtures better than the marginals do, and its weight matters less (plants, four starts of
2,048 components: -12.42 nats with the weight of 1 or of 4 rows; the marginals -12.47 and -12.63).

Climbs from several starts overfit in different ways, and a union of mixtures is a mixture: its log
mass is at least the mean of theirs, and on data with few rows it is much more (dna, 128 components:
-97.2 nats of one climb, -95.2 of four).

What is done next is what still pays, by what the validation rows gained, each against itself:

    one climb     grows while the next size is to gain more than ``LEAST_GAIN`` and the error of the
                  last gain; gains of sizes fall about as they fell before
    the prior     each weight is tried in a pair of climbs, up to the size before the best one,
                  where a climb takes a quarter of the time
    the pair      of the best weight grows on, as far as the two, united, gain by it; where their
                  last size lost, since they learned rows by heart, the next weight is tried up to
                  that size, and goes on in their place if all starts are to do better with it
                  (tinyshakespeare, pairs: from 16 components of the weight 16, -206.4 nats, to 256
                  of the weight 256, -203.1)
    more starts   join at that size, while those that are left are to gain more, all together: the
                  m-th adds about as 1 / (m (m - 1))
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from genzoo.fitting import LEAST_GAIN, CurvePoint, Fit, at_rest
from genzoo.models.mixture.em import GROUP, Near, grow, single, step
from genzoo.models.mixture.events import Told
from genzoo.models.mixture.products import Products, union

STRENGTHS = (1.0, 4.0, 16.0, 64.0, 256.0)  # pseudo-counts, in rows
FIRST_STRENGTH = 4.0  # where the search begins
PULL = 0.5  # of a new component towards its row; 0.2 and 0.8 did about as well
GROWTH = 4  # from one size to the next; doubling did no better
# Multiplications of an iteration, some hundredths of a second, up to which sizes are tried whatever
# they gain: a prior that is too weak for them shows it there (dna, 16 components of the first
# weight: -97.4 nats; 1,024 of a stronger one: -91.4).
CHEAP = 1e9
# Nats a validation row: a smaller gain in an iteration ends EM. With 0.001 names lost 0.06 nats in
# the same time; with 0.0002 a fit took half as long again and won nothing.
SETTLED = 5e-4
MOST_ITERATIONS = 200  # at a size, in case that gains stay just above what counts as settled
OVERHEAD = 30  # multiplications in the time that one exponential and what is around it take
# Components from which on those are looked for that a group of rows may come from, and their share
# of all above which to look at all is as fast (64 bits: 0.04 s of 0.12 at 1,024 components).
NEAR_FROM, NEAR_BELOW = 512, 0.25
# Rows for each free number of a mixture, from which EM comes near to what all rows lead it to;
# their share of all rows up to which that way is the shorter one; and the gain of an iteration over
# all rows, of very many, that is then too small to go on before the next size is tried. A million
# rows of 64 columns of 8 values in 60 s: 64 components, with as much as ``SETTLED`` 16, without 4.
WARM_ROWS, WARM_BELOW, WARM_SETTLED = 8, 0.25, 5e-3
GROUP_WORK = 4e6  # multiplications in the time that the calls for a group take


@dataclass(frozen=True)
class Limits:
    """What a search may take.

    Attributes:
        numbers: codes times components, of a climb and of a union: memory.
        work: multiplications in a fit without a budget: minutes.
    """

    numbers: int = 1 << 23
    work: float = 1e13


@dataclass(frozen=True)
class Settings:
    """What is asked for: see the arguments of ``Mixture``; None is chosen by the search."""

    n_components: int | None
    pseudo_count: float | None
    n_restarts: int
    limits: Limits = Limits()


@dataclass(eq=False)
class _Climb:
    """A start, and the best estimate by validation at each size, in ascending order."""

    strength: float
    start: int
    stages: dict[int, Products] = field(default_factory=dict)
    valid: dict[int, np.ndarray] = field(default_factory=dict)  # (n_valid,) nats
    curve: list[CurvePoint] = field(default_factory=list)

    @property
    def top(self) -> Products:
        return self.stages[max(self.stages)]


class Search:
    """A search for the best mixture by validation.

    Climbs come in an order that depends on the data and on validation, never on the clock. So a
    limit only decides after how many iterations the search stops. Without one it ends with
    ``limits.work``; the first iteration is always done.

    Args:
        told: training rows in bins.
        valid: rows to select on.
        fit: gets the curve of the first start, in nats per row of bins, and EM's iterations over
            all starts as ``steps``.
    """

    def __init__(self, told: Told, valid: Told, settings: Settings, fit: Fit) -> None:
        self.told, self.valid, self.settings, self.fit = told, valid, settings, fit
        self.shares = valid.weights / valid.n  # of the validation rows
        self.work = 0.0
        self.one = single(told.space, told)
        self.setup = fit.clock.spent

    def run(self) -> Products:
        fit, asked = self.fit, self.settings
        first = self._begun(FIRST_STRENGTH, 0, None)
        self._rise([first])
        best = self._strongest(first)
        self._rise(best)
        best = self._stronger(best, first)
        # of the sizes that take long, others go only as far as paid
        size = max(self._best_size(best), self._largest_cheap(best))
        while len(best) < asked.n_restarts and self._wants_more(best) and self._goes_on(1):
            climb = self._begun(best[0].strength, len(best), first)
            self._reach(climb, size)
            best.append(climb)
        score, members = self._chosen(best)
        fit.training.curve = best[0].curve
        if len(members) > 1:
            fit.point(None, score)
            fit.note(f"{len(members)} starts of {members[0].K} components are united")
        if fit.stopped("steps"):
            fit.note("the search ended before every start was tried")
        return union(members)

    # ---------------------------------------------------------------- what pays

    def _gain(self, before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
        """Nats that a validation row gains, on average, and what must be gained to count."""
        gain = after - before
        mean = float(self.shares @ gain)
        error = math.sqrt(float(self.shares @ (gain - mean) ** 2) / self.valid.n)
        return mean, max(LEAST_GAIN, error)

    def _wants_larger(self, climbs: list[_Climb]) -> bool:
        """Whether the next size is to pay: gains fall from size to size as they fell before."""
        if self.settings.n_components is not None:
            return True
        sizes = self._sizes_of(climbs)
        if len(sizes) < 3 or self._work(sizes[-1] * GROWTH) <= CHEAP:
            return True
        values = [self._united(climbs, K) for K in sizes[-3:]]
        before, _ = self._gain(*values[:2])
        last, least = self._gain(*values[1:])
        return min(last, last**2 / before if before > 0 else last) > least

    def _wants_more(self, climbs: list[_Climb]) -> bool:
        """Whether all starts that are left are to pay."""
        if len(climbs) == 1 or self.settings.n_components is not None:
            return True
        gain, least = self._to_come(climbs, self._best_size(climbs))
        return gain > least

    def _to_come(self, climbs: list[_Climb], K: int) -> tuple[float, float]:
        """Nats of a validation row that the starts which are left are to add to the union of a
        size; what must be added to count."""
        m, most = len(climbs), self.settings.n_restarts
        if m == 1:
            return 0.0, LEAST_GAIN
        last, least = self._gain(self._united(climbs[:-1], K), self._united(climbs, K))
        return last * m * (m - 1) * (1 / m - 1 / most), least

    def _foreseen(self, climbs: list[_Climb]) -> float:
        """The best validation score that the union of all starts is to have at a size that these
        have reached; a single product doesn't count, as in ``_reached``."""
        sizes = [K for K in self._sizes_of(climbs) if K > 1]
        scores = (self._score(climbs, K) + self._to_come(climbs, K)[0] for K in sizes)
        return max(scores, default=-math.inf)

    def _sizes_of(self, climbs: Sequence[_Climb]) -> list[int]:
        """The sizes that all climbs have reached, in ascending order."""
        return [K for K in climbs[0].stages if all(K in c.stages for c in climbs)] if climbs else []

    def _score(self, climbs: Sequence[_Climb], K: int) -> float:
        """Mean nats of the validation rows by the union of the climbs' mixtures of a size."""
        return float(self.shares @ self._united(climbs, K))

    def _best_size(self, climbs: Sequence[_Climb]) -> int:
        return max(self._sizes_of(climbs), key=lambda K: self._score(climbs, K))

    def _largest_cheap(self, climbs: Sequence[_Climb]) -> int:
        return max(K for K in self._sizes_of(climbs) if K == 1 or self._work(K) <= CHEAP)

    def _united(self, climbs: Sequence[_Climb], K: int) -> np.ndarray:
        """(n_valid,) nats of the union of the climbs' mixtures of a size."""
        total = np.logaddexp.reduce([climb.valid[K] for climb in climbs], axis=0)
        return np.asarray(total - np.log(len(climbs)))

    def _chosen(self, climbs: list[_Climb]) -> tuple[float, list[Products]]:
        """The best mixture with the number of components that was asked for; or the best union of
        the first climbs' mixtures of one size. And its validation score."""
        asked, options = self.settings.n_components, list[tuple[float, int, list[_Climb]]]()
        for K in climbs[0].stages:
            reached = [climb for climb in climbs if K in climb.stages]
            if asked is None:
                sets = [reached[:m] for m in range(1, len(reached) + 1)]
            else:
                sets = [[climb] for climb in reached] if max(climbs[0].stages) == K else []
            options += [(self._score(some, K), K, some) for some in sets]
        score, K, some = max(options, key=lambda option: option[0])
        return score, [climb.stages[K] for climb in some]

    # ---------------------------------------------------------------- climbs

    def _fits(self, K: int) -> bool:
        """Whether K components are few enough for memory."""
        return K * int(self.told.space.first[-1]) <= self.settings.limits.numbers

    def _sizes(self) -> Iterator[int]:
        asked = self.settings.n_components
        most, K = asked or len(self.told.weights), GROWTH
        while most > K and (asked is not None or self._fits(K)):
            yield K
            K *= GROWTH
        if asked is not None and asked > 1:
            yield asked

    def _begun(self, strength: float, start: int, like: _Climb | None) -> _Climb:
        """A climb of one product; that of ``like``, an earlier one, which the start doesn't change.

        Args:
            strength: weight of the prior, in rows; or what was asked for.
            start: number of the start.
        """
        self.fit.did("climbs")
        asked = self.settings.pseudo_count
        climb = _Climb(strength if asked is None else float(asked), start)
        if like is None:
            self._stage(climb, self.one, climb.strength * self.one.theta, None)
        else:
            climb.stages[1], climb.valid[1] = like.stages[1], like.valid[1]
            climb.curve.append(like.curve[0])
        return climb

    def _rise(self, climbs: list[_Climb]) -> None:
        """All climbs grow, by one size after the other, as far as their union gains by it; or to
        the number of components that was asked for."""
        for K in self._sizes():
            if all(K in climb.stages for climb in climbs):
                continue
            if not (self._fits(K * len(climbs)) or self.settings.n_components is not None):
                break
            if not self._wants_larger(climbs) or not all(self._reach(c, K) for c in climbs):
                break
        asked = self.settings.n_components
        if asked is not None and asked > climbs[0].top.K:  # there was no more room
            mixture, _ = self._grown(climbs[0], asked)
            self._keep(climbs[0], mixture)

    def _reach(self, climb: _Climb, size: int) -> bool:
        """The climb grows until it has a size; False where there was no room."""
        for K in self._sizes():
            if K in climb.stages or size < K:
                continue
            if not self._goes_on(K):
                return False
            before = climb.top
            mixture, parents = self._grown(climb, K)
            prior, near = climb.strength * before.theta[:, parents], self._near(before, parents)
            if near is None and self._wants_warming(K):
                mixture = self._warmed(mixture, prior)
                self._stage(climb, mixture, prior, None, WARM_SETTLED)
            else:
                self._stage(climb, mixture, prior, near)
        return True

    def _strongest(self, first: _Climb) -> list[_Climb]:
        """A few climbs with the best weight of the prior, tried from ``FIRST_STRENGTH`` outwards.

        They are judged by their union where they will be united: it wants less smoothing.
        """
        best_size = self._best_size([first])
        trial = max((K for K in first.stages if best_size > K), default=1)
        trial = max(trial, self._largest_cheap([first]))
        few = 1 if self.settings.n_components is not None else min(self.settings.n_restarts, 2)
        best = self._tried(FIRST_STRENGTH, few, trial, first, [first])
        if self.settings.pseudo_count is not None:
            return best
        at = STRENGTHS.index(FIRST_STRENGTH)
        for way in (STRENGTHS[at + 1 :], STRENGTHS[:at][::-1]):
            moved = False
            for strength in way:
                if not self._goes_on(1):
                    return best
                tried = self._tried(strength, few, trial, first, [])
                if self._reached(tried, trial) <= self._reached(best, trial):
                    break
                best, moved = tried, True
            if moved:
                break
        return best

    def _stronger(self, best: list[_Climb], first: _Climb) -> list[_Climb]:
        """The climbs, or those of a stronger prior that are to get further where these overfitted.

        They are judged by what the union of all starts is to reach: it overfits less than a pair.
        """
        if self.settings.pseudo_count is not None or self.settings.n_components is not None:
            return best
        for strength in STRENGTHS[STRENGTHS.index(best[0].strength) + 1 :]:
            size = max(self._sizes_of(best))
            if self._best_size(best) == size or not self._goes_on(1):
                break
            tried = self._tried(strength, len(best), size, first, [])
            if self._foreseen(tried) <= self._foreseen(best):
                break
            self._rise(tried)
            best = tried
        return best

    def _tried(
        self, strength: float, few: int, trial: int, first: _Climb, climbs: list[_Climb]
    ) -> list[_Climb]:
        """A few climbs, these among them, that reach the trial size where there is room."""
        for start in range(len(climbs), few):
            if self._goes_on(1):
                climb = self._begun(strength, start, first)
                self._reach(climb, trial)
                if trial == 1 or climb.top.K > 1:  # else a replay, stopped here, doesn't begin it
                    climbs.append(climb)
        return climbs

    def _reached(self, climbs: list[_Climb], trial: int) -> float:
        """The best validation score of their unions up to the trial size; -inf without any. A
        single product, which no prior draws anywhere, doesn't count."""
        sizes = [K for K in self._sizes_of(climbs) if trial >= K > 1]
        return max((self._score(climbs, K) for K in sizes), default=-math.inf)

    # ---------------------------------------------------------------- EM

    def _grown(self, climb: _Climb, K: int) -> tuple[Products, np.ndarray]:
        rng = self.fit.rng("mixture", climb.start, K)
        return grow(climb.top, self.told, K, PULL, rng)

    def _near(self, before: Products, parents: np.ndarray) -> Near | None:
        """The rows in groups, where it pays to look at few of many components."""
        K = len(parents)
        if K < NEAR_FROM or self.told.sparse:
            return None
        near = Near.of(before, self.told, parents)
        self.work += self._work(before.K)  # about that of an iteration
        return near if near.size < NEAR_BELOW * K else None

    def _wants_warming(self, K: int) -> bool:
        few_are_enough = self._n_warm(K) <= WARM_BELOW * len(self.told.weights)
        return few_are_enough and self._work(K) > CHEAP

    def _n_warm(self, K: int) -> int:
        """Rows that are enough to come near to a mixture of K components."""
        return WARM_ROWS * K * int(self.told.space.first[-1])

    def _warmed(self, mixture: Products, prior: np.ndarray) -> Products:
        """After EM on a part of very many rows; few iterations are left to do on all of them."""
        K = mixture.K
        told = self.told.drawn(self._n_warm(K), self.fit.rng("mixture", "rows", K))
        scores, work = list[float](), K * self._each(told)
        while len(scores) < MOST_ITERATIONS and not at_rest(scores, SETTLED) and self._goes_on(K):
            mixture, score = step(mixture, told, prior)
            scores.append(score)
            self.work += work
            self.fit.did("steps")
        return mixture

    def _keep(self, climb: _Climb, mixture: Products) -> float:
        """Keep a mixture if it is the best of its size; its score, in mean nats of a row."""
        valid, K = mixture.log_prob(self.valid, np.float32), mixture.K
        score = float(self.shares @ valid)
        if K not in climb.stages or score > self.shares @ climb.valid[K]:
            climb.stages[K], climb.valid[K] = mixture, valid
        return score

    def _stage(
        self,
        climb: _Climb,
        mixture: Products,
        prior: np.ndarray,
        near: Near | None,
        settled: float = SETTLED,
    ) -> None:
        """EM until validation stops improving; the best estimate by validation is kept.

        There must be room for its first iteration.
        """
        K, scores, work = mixture.K, list[float](), self._work(mixture.K, near)
        while True:
            since = self.fit.clock.spent
            after, train = step(mixture, self.told, prior, near)
            scores.append(self._keep(climb, mixture))
            self.work += work
            self._note(climb, K, train, scores[-1])
            over = len(scores) == MOST_ITERATIONS or at_rest(scores, settled)
            took = self.fit.clock.spent - since
            if over or not self._has_room(work, took):
                return
            mixture = after

    def _note(self, climb: _Climb, K: int, train: float, valid: float) -> None:
        fit = self.fit
        fit.did("steps")
        climb.curve.append(CurvePoint(fit.training.steps, fit.clock.spent, train, valid))
        done = fit.done(otherwise=self.work / self.settings.limits.work)
        fit.report(done, f"{K} components: {valid:.3f} nats per validation row")

    def _work(self, K: int, near: Near | None = None) -> float:
        """Multiplications in an iteration with K components, and in what is scored after it."""
        each = self._each(self.told)
        n = len(self.told.weights)
        train = K * each if near is None else near.size * each + GROUP_WORK * n / GROUP
        valid = self.valid.work + OVERHEAD * self.valid.ones.shape[0]
        return train + K * (valid + OVERHEAD * int(self.told.space.first[-1]))

    def _each(self, told: Told) -> float:
        """Multiplications in an iteration, for each component."""
        return 2 * told.work + OVERHEAD * len(told.weights)

    def _goes_on(self, K: int) -> bool:
        """Begin with K components; False, and the search ends, without room."""
        work = self._work(K)
        each = (self.fit.clock.spent - self.setup) / self.work if self.work else 0.0
        return self._has_room(work, each * work)

    def _has_room(self, work: float, expected: float) -> bool:
        affordable = self.work + work <= self.settings.limits.work
        return self.fit.goes_on("steps", expected=expected, affordable=affordable)
