"""The search for a good mixture: growing, how strong a prior, and unions of several starts.

A climb begins with a single product, splits it in four, these in sixteen, and so on, with EM at
each size until validation stops improving. Each component is drawn towards what it was before it
was split, with the weight of ``pseudo_count`` rows: a prior that follows the climb smooths
large mixtures better than the marginals do, and its weight matters less (plants, four starts of
2,048 components: -12.42 nats with the weight of 1 or of 4 rows; the marginals -12.47 and -12.63).

Climbs from several starts overfit in different ways, and a union of mixtures is a mixture: its log
mass is at least the mean of theirs, and on data with few rows it is much more (dna, 128 components:
-97.2 nats of one climb, -95.2 of four).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from genzoo.fitting import CurvePoint, Fit, at_rest
from genzoo.models.mixture.em import grow, single, step
from genzoo.models.mixture.events import Told
from genzoo.models.mixture.products import Products, union

STRENGTHS = (1.0, 4.0, 16.0, 64.0, 256.0)  # pseudo-counts, in rows
FIRST_STRENGTH = 4.0  # where the search begins
PULL = 0.5  # of a new component towards its row; 0.2 and 0.8 did about as well
GROWTH = 4  # from one size to the next; doubling did no better
SIZES_PATIENCE = 2  # sizes that don't
# Nats a validation row: a smaller gain in an iteration ends EM. With 0.001 names lost 0.06 nats in
# the same time; with 0.0002 a fit took half as long again and won nothing.
SETTLED = 5e-4
MOST_ITERATIONS = 200  # at a size, in case that gains stay just above what counts as settled
OVERHEAD = 30  # multiplications in the time that one exponential and what is around it take


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
    """A start, and the best estimate by validation at each size."""

    strength: float
    stages: dict[int, Products] = field(default_factory=dict)
    valid: dict[int, np.ndarray] = field(default_factory=dict)  # (n_valid,) nats
    score: dict[int, float] = field(default_factory=dict)
    curve: list[CurvePoint] = field(default_factory=list)

    @property
    def best(self) -> int:
        return max(self.score, key=lambda K: self.score[K])


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
        self.work = 0.0
        self.one = single(told.space, told)
        self.setup = fit.clock.spent

    def run(self) -> Products:
        asked = self.settings
        united = asked.n_components is None
        best = self._strongest(min(asked.n_restarts, 2) if united else 1)
        for start in range(len(best), asked.n_restarts):
            if self._goes_on(1):
                best.append(self._climb(best[0].strength, start, best[0]))
        score, members = self._united(best) if united else self._best_of(best)
        fit = self.fit
        fit.training.curve = best[0].curve
        if len(members) > 1:
            fit.point(None, score)
            fit.note(f"{len(members)} starts of {members[0].K} components are united")
        if fit.stopped("steps"):
            fit.note("the search ended before every start was tried")
        return union(members)

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

    def _strongest(self, few: int) -> list[_Climb]:
        """A few starts with the best weight of the prior, tried from ``FIRST_STRENGTH`` outwards.

        They are judged by their union where they will be united: it wants less smoothing.
        """
        if self.settings.pseudo_count is not None:
            return self._starts(float(self.settings.pseudo_count), few)
        at = STRENGTHS.index(FIRST_STRENGTH)
        best = self._starts(FIRST_STRENGTH, few)
        for way in (STRENGTHS[at + 1 :], STRENGTHS[:at][::-1]):
            moved = False
            for strength in way:
                if not self._goes_on(1):
                    return best
                starts = self._starts(strength, few)
                if self._united(starts)[0] <= self._united(best)[0]:
                    break
                best, moved = starts, True
            if moved:
                break
        return best

    def _starts(self, strength: float, few: int) -> list[_Climb]:
        climbs = [self._climb(strength, 0, None)]
        for start in range(1, few):
            if self._goes_on(1):
                climbs.append(self._climb(strength, start, climbs[0]))
        return climbs

    def _best_of(self, climbs: list[_Climb]) -> tuple[float, list[Products]]:
        """The best mixture with the number of components that was asked for."""
        K = max(climbs[0].stages)
        best = max(climbs, key=lambda climb: climb.score.get(K, -np.inf))
        return best.score[K], [best.stages[K]]

    def _united(self, climbs: list[_Climb]) -> tuple[float, list[Products]]:
        """The best union of the climbs' mixtures of one size, and its validation score."""
        best, members = -np.inf, [self.one]
        weights = self.valid.weights / self.valid.n
        for K in climbs[0].stages:
            reached = [climb for climb in climbs if K in climb.stages]
            total = np.full(len(weights), -np.inf)
            for m, climb in enumerate(reached, start=1):
                total = np.logaddexp(total, climb.valid[K])
                score = float(weights @ total) - np.log(m)
                if score > best:
                    best, members = score, [c.stages[K] for c in reached[:m]]
        return best, members

    def _climb(self, strength: float, start: int, like: _Climb | None) -> _Climb:
        """From one product on, until validation stops it or the number asked for is reached.

        Args:
            strength: weight of the prior, in rows.
            start: number of the start.
            like: the first start with this weight: another one has the same sizes, as far as the
                union of all has room.
        """
        self.fit.did("climbs")
        climb, asked = _Climb(strength), self.settings.n_components
        sizes = list(self._sizes())
        if like is not None and asked is None:
            sizes = [K for K in like.stages if K > 1 and self._fits(K * (start + 1))]
        mixture = self._stage(climb, self.one, strength * self.one.theta)
        for K in sizes:
            worse = sum(size > climb.best for size in climb.stages)
            if (asked is None and worse >= SIZES_PATIENCE) or not self._goes_on(K):
                break
            grown, before = self._grown(mixture, start, K)
            mixture = self._stage(climb, grown, strength * before)
        if asked is not None and asked > mixture.K and start == 0:  # there was no more room
            mixture, _ = self._grown(mixture, start, asked)
            self._keep(climb, mixture, mixture.log_prob(self.valid))
        return climb

    def _grown(self, mixture: Products, start: int, K: int) -> tuple[Products, np.ndarray]:
        return grow(mixture, self.told, K, PULL, self.fit.rng("mixture", start, K))

    def _keep(self, climb: _Climb, mixture: Products, valid: np.ndarray) -> float:
        """Keep a mixture if it is the best of its size; its score, in mean nats of a row."""
        score = float(self.valid.weights @ valid) / self.valid.n
        if mixture.K not in climb.score or score > climb.score[mixture.K]:
            climb.stages[mixture.K], climb.valid[mixture.K] = mixture, valid
            climb.score[mixture.K] = score
        return score

    def _stage(self, climb: _Climb, mixture: Products, prior: np.ndarray) -> Products:
        """EM until validation stops improving; the best estimate by validation.

        There must be room for its first iteration.
        """
        K, scores = mixture.K, list[float]()
        while True:
            after, train = step(mixture, self.told, prior)
            scores.append(self._keep(climb, mixture, mixture.log_prob(self.valid)))
            self._note(climb, K, train, scores[-1])
            over = len(scores) == MOST_ITERATIONS or at_rest(scores, SETTLED)
            if over or not self._goes_on(K):
                return climb.stages[K]
            mixture = after

    def _note(self, climb: _Climb, K: int, train: float, valid: float) -> None:
        fit = self.fit
        fit.did("steps")
        self.work += self._work(K)
        climb.curve.append(CurvePoint(fit.training.steps, fit.clock.spent, train, valid))
        done = fit.done(otherwise=self.work / self.settings.limits.work)
        fit.report(done, f"{K} components: {valid:.3f} nats per validation row")

    def _work(self, K: int) -> float:
        """Multiplications in an iteration with K components."""
        train = 2 * self.told.work + OVERHEAD * self.told.ones.shape[0]
        # validation in double precision
        valid = 2 * (self.valid.work + OVERHEAD * self.valid.ones.shape[0])
        return K * (train + valid)

    def _goes_on(self, K: int) -> bool:
        """Begin another iteration with K components; False, and the search ends, without room."""
        work = self._work(K)
        each = (self.fit.clock.spent - self.setup) / self.work if self.work else 0.0
        affordable = self.work + work <= self.settings.limits.work
        return self.fit.goes_on("steps", expected=each * work, affordable=affordable)
