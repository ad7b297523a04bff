"""Models with one fault each, and the sound toys that they are made from.

``CAUGHT_BY`` says which check of the conformance suite is made for which fault. The tests and
``benchmarks/conformance_power.py`` read it.
"""

from __future__ import annotations

import pickle
import random
from dataclasses import replace
from pathlib import Path

import numpy as np

from genzoo.fitting import Training
from genzoo.model import GenerativeModel
from genzoo.models.independent import Independent
from genzoo.seeding import global_rng_seeded, numpy_rng
from genzoo.space.schema import MISSING
from genzoo.values import Gap, LogProb, Score, Unsupported

# ------------------------------------------------------------------------- sound toys


class LatentClasses(GenerativeModel):
    """H classes, variables independent within a class: p(x) = sum_h p(x | h) / H.

    Each class is a smoothed count of the training rows, those near a row of its own counted most.
    Its mass is exact, and so are completions and, without END, marginals.
    """

    selects = False

    def __init__(self, *, n_classes: int = 16) -> None:
        self.n_classes = n_classes

    def _fit(self, rows, valid, fit):
        cards, D = self.schema_.cards, self.schema_.D
        legal = np.arange(cards.max()) < cards[:, None]
        centres = rows[fit.rng("centres").integers(0, len(rows), self.n_classes)]
        near = np.exp(-1.5 * (rows[None] != centres[:, None]).sum(axis=2))  # (H, n)
        counts = np.where(legal, 0.05, 0.0) * near.sum(axis=1)[:, None, None]
        for d in range(D):
            onehot = rows[:, d, None] == np.arange(cards.max())
            counts[:, d] += (near * self.schema_.reached(rows)[:, d]) @ onehot
        fit.report(0.5, "counted")
        with np.errstate(divide="ignore"):
            self.log_table_ = np.log(counts) - np.log(counts.sum(axis=2, keepdims=True))
        fit.did("steps")

    def log_likelihood(self, rows):
        """(H, n) log p(x | h); what is MISSING is summed out, where there is no END."""
        end = self.schema_.end
        if end is not None and (rows == MISSING).any():
            raise Unsupported("marginals of strings are not needed here")
        terms = self.log_table_[:, np.arange(self.schema_.D), rows]  # (H, n, D)
        counted = self.schema_.reached(rows) & (rows != MISSING)
        return np.where(counted, terms, 0.0).sum(axis=2)

    def exact(self, rows):
        return np.logaddexp.reduce(self.log_likelihood(rows), axis=0) - np.log(self.n_classes)

    def _log_prob(self, rows, *, seed):
        return LogProb.exact(self.exact(rows))

    def _sample(self, n, given, *, seed):
        rng = numpy_rng(seed, "latent classes")
        H = self.n_classes
        if given is None:
            h = rng.integers(0, H, n)
        else:
            log_p = self.log_likelihood(given)
            gumbel = -np.log(-np.log(rng.random((H, n))))
            h = (log_p + gumbel).argmax(axis=0)
        rows = self._draw(h, rng)
        if given is not None:
            rows = np.where(given == MISSING, rows, given)
        end = self.schema_.end
        return rows if end is None else np.where(self.schema_.reached(rows), rows, end)

    def _draw(self, h, rng):
        cumulative = np.exp(self.log_table_[h]).cumsum(axis=2)  # (n, D, M)
        level = rng.random((*cumulative.shape[:2], 1)) * cumulative[..., -1:]
        return np.minimum((cumulative <= level).sum(axis=2), self.schema_.cards - 1)

    def _state(self):
        return {"log_table": self.log_table_}

    def _restore(self, arrays):
        self.log_table_ = arrays["log_table"]


class Weighed(LatentClasses):
    """The same distribution with importance sampling over the classes in place of the sum, or
    with annealing whose transitions are Metropolis steps."""

    def __init__(
        self,
        *,
        n_classes: int = 16,
        estimator: str = "iwae",
        n_importance: int = 64,
        n_temperatures: int = 50,
        n_chains: int = 8,
        ais_start: str = "prior",
    ) -> None:
        super().__init__(n_classes=n_classes)
        self.estimator, self.n_importance = estimator, n_importance
        self.n_temperatures, self.n_chains, self.ais_start = n_temperatures, n_chains, ais_start

    def _check_params(self):
        if self.estimator not in ("iwae", "ais"):
            raise ValueError(f"estimator: expected iwae or ais; got {self.estimator!r}")

    @property
    def n_importance_(self):
        return self.n_importance

    def _log_prob(self, rows, *, seed):
        if self.estimator == "ais":
            log_w = self.annealed(rows, seed)
        else:
            log_w = self.weights(rows, self.n_importance, seed)
        return self.summary(log_w)

    def proposal(self, rows):
        """(H, n) q(h | x): half the posterior, half the prior."""
        log_p = self.log_likelihood(rows)
        posterior = np.exp(log_p - np.logaddexp.reduce(log_p, axis=0))
        return 0.5 * posterior + 0.5 / self.n_classes

    def weights(self, rows, K, seed):
        """(K, n) log importance weights."""
        log_p, q = self.log_likelihood(rows), self.proposal(rows)
        cumulative = q.cumsum(axis=0)  # (H, n)
        rng = numpy_rng(seed, "weights")
        u = rng.random((len(rows), K)).T  # (K, n)
        h = np.stack([(cumulative <= at).sum(axis=0) for at in u])
        h = np.minimum(h, self.n_classes - 1)
        columns = np.arange(len(rows))
        return log_p[h, columns] - np.log(self.n_classes) - np.log(q[h, columns])

    def annealed(self, rows, seed):
        """(C, n) log weights; of each temperature the increment first, then the move."""
        log_p, b = self.log_likelihood(rows), np.linspace(0, 1, self.n_temperatures + 1)
        rng = numpy_rng(seed, "annealed")
        columns = np.arange(len(rows))
        h = rng.integers(0, self.n_classes, (self.n_chains, len(rows)))
        log_w = np.zeros(h.shape)
        for t in range(1, len(b)):
            h, log_w = self.temperature(h, log_w, b[t], b[t] - b[t - 1], log_p, columns, rng)
        return log_w

    def temperature(self, h, log_w, b, step, log_p, columns, rng):
        log_w = log_w + step * log_p[h, columns]
        return self.move(h, b, log_p, columns, rng), log_w

    def move(self, h, b, log_p, columns, rng):
        for _ in range(3):
            new = rng.integers(0, self.n_classes, h.shape)
            gain = b * (log_p[new, columns] - log_p[h, columns])
            h = np.where(np.log(rng.random(h.shape)) < gain, new, h)
        return h

    def summary(self, log_w):
        K = len(log_w)
        top = log_w.max(axis=0)
        w = np.exp(log_w - top)
        total = w.sum(axis=0)
        error = w.std(axis=0, ddof=1) / (w.mean(axis=0) * np.sqrt(K))
        ess = total**2 / np.square(w).sum(axis=0)
        return LogProb(top + np.log(total / K), "lower_bound", error, self.estimator, ess)


SOUND = (LatentClasses, Weighed)

# ------------------------------------------------------------------------- faults of the mass


class WrongSign(LatentClasses):
    def _log_prob(self, rows, *, seed):
        return LogProb.exact(-self.exact(rows))


class ShiftedByOne(LatentClasses):
    """Scores each variable with the conditionals of the next."""

    def log_likelihood(self, rows):
        honest = self.log_table_
        try:
            self.log_table_ = np.roll(honest, -1, axis=1)
            return super().log_likelihood(rows)
        finally:
            self.log_table_ = honest


class UnmaskedVocabulary(Independent):
    """Every variable's mass is spread over the codes of the largest."""

    def _log_prob(self, rows, *, seed):
        exact = super()._log_prob(rows, seed=seed)
        lost = np.log(self.schema_.cards / self.schema_.cards.max()).sum()
        return LogProb.exact(exact.value + lost)


class OnePerCent(Independent):
    """A normaliser that is off by 1 %."""

    def _log_prob(self, rows, *, seed):
        exact = super()._log_prob(rows, seed=seed)
        return LogProb.exact(exact.value + 0.01)


class DensityNotMass(LatentClasses):
    """The density of numeric cells where the mass is due."""

    def _log_prob(self, rows, *, seed):
        if (rows == MISSING).any():
            return super()._log_prob(rows, seed=seed)
        return LogProb.exact(self.exact(rows) - self.schema_.log_volume(rows))


class BoundAboveTheMass(Weighed):
    def _log_prob(self, rows, *, seed):
        honest = super()._log_prob(rows, seed=seed)
        return replace(honest, value=honest.value + 0.05)


class LooseBound(Weighed):
    def _log_prob(self, rows, *, seed):
        honest = super()._log_prob(rows, seed=seed)
        return replace(honest, value=honest.value - 0.3)


class BestOfSeveral(Weighed):
    """Of five estimates the largest, row by row."""

    def _log_prob(self, rows, *, seed):
        every = [
            super(BestOfSeveral, self)._log_prob(rows, seed=seed + 10**6 * i) for i in range(5)
        ]
        value = np.array([one.value for one in every])
        best, columns = value.argmax(axis=0), np.arange(len(rows))
        stderr, ess = np.array([o.stderr for o in every]), np.array([o.ess for o in every])
        return LogProb(
            value[best, columns], "lower_bound", stderr[best, columns], "iwae", ess[best, columns]
        )


class MassAfterEnd(Independent):
    def _log_prob(self, rows, *, seed):
        terms = np.take_along_axis(self.log_table_[None], rows[..., None], axis=2)[..., 0]
        return LogProb.exact(np.where(rows == MISSING, 0, terms).sum(1))


class NotANumber(Independent):
    def _log_prob(self, rows, *, seed):
        exact = super()._log_prob(rows, seed=seed)
        return LogProb.exact(np.where(rows[:, 0] == 1, np.nan, exact.value))


class Float32(Independent):
    def _log_prob(self, rows, *, seed):
        exact = super()._log_prob(rows, seed=seed)
        return replace(exact, value=exact.value.astype(np.float32))


# ------------------------------------------------------------------------- faults of Monte Carlo


class TooSure(Weighed):
    """A standard error that forgets that weights vary, by a factor of three."""

    def _log_prob(self, rows, *, seed):
        honest = super()._log_prob(rows, seed=seed)
        return replace(honest, stderr=honest.stderr / 3)


class TooModest(Weighed):
    """The spread of one weight in place of the error of their mean."""

    def _log_prob(self, rows, *, seed):
        honest = super()._log_prob(rows, seed=seed)
        return replace(honest, stderr=honest.stderr * np.sqrt(self.n_importance))


class FallsWithEffort(Weighed):
    """Averages over twice the draws that it has taken beyond the first 64."""

    def _log_prob(self, rows, *, seed):
        honest = super()._log_prob(rows, seed=seed)
        return replace(honest, value=honest.value - 0.02 * np.log(self.n_importance / 64))


class IncrementAfterMove(Weighed):
    """Annealing that takes the increment at the state that the move has led to."""

    def temperature(self, h, log_w, b, step, log_p, columns, rng):
        h = self.move(h, b, log_p, columns, rng)
        return h, log_w + step * log_p[h, columns]


class UpperBelowLower(Weighed):
    def bidirectional(self, n, *, seed):
        lower, upper = Score(-2.0, 0.1, "lower_bound"), Score(-2.5, 0.1, "estimate")
        return Gap(lower, upper, upper.value - lower.value, 0.01, n, self.estimator)


# ------------------------------------------------------------------------- faults of samples


class Tempered(Independent):
    """A temperature of 0.91 left on while sampling."""

    def _sample(self, n, given, *, seed):
        honest, self.log_table_ = self.log_table_, self.log_table_ / 0.91
        try:
            self.log_table_ -= np.logaddexp.reduce(self.log_table_, axis=1, keepdims=True)
            return super()._sample(n, given, seed=seed)
        finally:
            self.log_table_ = honest


class UniformLeak(LatentClasses):
    """Two samples of a hundred are drawn uniformly."""

    def _sample(self, n, given, *, seed):
        rows = super()._sample(n, given, seed=seed)
        if given is not None:
            return rows
        rng = numpy_rng(seed, "leak")
        every = self.schema_.enumerate()
        return np.where(rng.random((n, 1)) < 0.02, every[rng.integers(0, len(every), n)], rows)


class ModeCollapse(Independent):
    """Draws its mode, and scores as if it drew everything."""

    def _sample(self, n, given, *, seed):
        drawn = super()._sample(n, given, seed=seed)
        values, counts = np.unique(drawn, axis=0, return_counts=True)
        return np.repeat(values[[counts.argmax()]], n, axis=0)


class Duplicates(LatentClasses):
    """Every sample comes twice."""

    def _sample(self, n, given, *, seed):
        return np.repeat(super()._sample(n, given, seed=seed), 2, axis=0)[:n]


class Sticky(LatentClasses):
    """A Markov chain: one sample in twenty is the one before."""

    def _sample(self, n, given, *, seed):
        rows = super()._sample(n, given, seed=seed)
        if given is not None:
            return rows
        stays = numpy_rng(seed, "sticky").random(n) < 0.05
        stays[0] = False
        return rows[np.maximum.accumulate(np.where(stays, 0, np.arange(n)))]


class SharedNoise(LatentClasses):
    """Half of every sample does not depend on the seed."""

    def _sample(self, n, given, *, seed):
        rows, others = super()._sample(n, given, seed=seed), super()._sample(n, given, seed=0)
        return np.where(np.arange(n)[:, None] % 2 == 0, rows, others)


class WrongForm(Independent):
    def sample(self, n, *, given=None, seed=0):
        return self.schema_.encode(super().sample(n, given=given, seed=seed))


# ------------------------------------------------------------------------- faults of queries


class MarginalByMode(LatentClasses):
    """Fills in the likeliest completion where a sum is due."""

    def _log_prob(self, rows, *, seed):
        every = self.schema_.enumerate() if (rows == MISSING).any() else None
        value = np.empty(len(rows))
        for i, row in enumerate(rows):
            if (row == MISSING).any():
                agree = ((every == row) | (row == MISSING)).all(axis=1)
                value[i] = self.exact(every[agree]).max()
            else:
                value[i] = self.exact(row[None])[0]
        return LogProb.exact(value)


class IgnoresTheQuery(Independent):
    def _log_prob(self, rows, *, seed):
        return super()._log_prob(np.maximum(rows, 0), seed=seed)


class JointForConditional(LatentClasses):
    def conditional_log_prob(self, data, given, *, seed=0):
        super().conditional_log_prob(data, given, seed=seed)
        return self.log_prob(data, seed=seed)


class IgnoresGiven(LatentClasses):
    """Completions drawn without a look at what is given, which is pasted over them."""

    def _sample(self, n, given, *, seed):
        rows = super()._sample(n, None, seed=seed)
        if given is None or self.schema_.end is not None:
            return super()._sample(n, given, seed=seed)
        return np.where(given == MISSING, rows, given)


class PrefersFirst(LatentClasses):
    """Scores rows with the first variable at 0 better when they are asked about one by one."""

    def _log_prob_of(self, rows, seed):
        result = super()._log_prob_of(rows, seed)
        alike = len(rows) > 1 and (rows[:, 0] == rows[0, 0]).all() and rows[0, 0] == 0
        return replace(result, value=result.value - 0.1) if alike else result


class ImputesTheSame(LatentClasses):
    """Fills every hole of a call in with one draw."""

    def _filled(self, known, seed):
        rows = super()._filled(known, seed)
        return np.where(known == MISSING, rows[0], rows)


class TextWithoutEnd(Independent):
    """The mass of a text is that of all strings that begin with it."""

    def _read_rows(self, data):
        rows = super()._read_rows(data)
        if isinstance(data, list):
            rows = np.where(rows == self.schema_.end, MISSING, rows)
        return rows


# ------------------------------------------------------------------------- faults of behaviour


class ForgetsSeed(Independent):
    calls = 0

    def _sample(self, n, given, *, seed):
        type(self).calls += 1
        return super()._sample(n, given, seed=seed + self.calls)


class IgnoresSeed(Independent):
    def _sample(self, n, given, *, seed):
        return super()._sample(n, given, seed=0)


class DependsOnItsBatch(Independent):
    def _log_prob(self, rows, *, seed):
        exact = super()._log_prob(rows, seed=seed)
        return LogProb.exact(exact.value + (0.01 if len(rows) == 1 else 0.0))


class DropoutLeftOn(LatentClasses):
    """An eighth of the classes is left out of each row's sum, at random."""

    def log_likelihood(self, rows):
        log_p = super().log_likelihood(rows)
        kept = np.random.default_rng().random(log_p.shape) < 0.875
        return np.where(kept, log_p - np.log(0.875), -1e3)


class LeavesATrace(Independent):
    """Running statistics move with every batch that is scored."""

    def _log_prob(self, rows, *, seed):
        result = super()._log_prob(rows, seed=seed)
        self.log_table_ = self.log_table_ + 1e-6 * len(rows) / 1e3
        return result


class GlobalRandom(Independent):
    def _fit(self, rows, valid, fit):
        np.random.random()
        super()._fit(rows, valid, fit)


def seed_torch(seed):
    """Imports torch when it is called: fresh processes read this file, most without need of it."""
    import torch

    torch.manual_seed(seed)


class SeedsForATime(LatentClasses):
    """The state is as it was in the end, but not for those who draw meanwhile."""

    def _fit(self, rows, valid, fit):
        with global_rng_seeded(fit.seed, "for a time"):
            super()._fit(rows, valid, fit)


class SeedsNumPyInFit(Independent):
    """Seeds a global generator, with the same number in every fit: no second fit moves it."""

    reseed = staticmethod(np.random.seed)

    def _fit(self, rows, valid, fit):
        self.reseed(0)
        super()._fit(rows, valid, fit)


class SeedsRandomInFit(SeedsNumPyInFit):
    reseed = staticmethod(random.seed)


class SeedsTorchInFit(SeedsNumPyInFit):
    reseed = staticmethod(seed_torch)


class SeedsNumPyInSample(Independent):
    reseed = staticmethod(np.random.seed)

    def _sample(self, n, given, *, seed):
        self.reseed(0)
        return super()._sample(n, given, seed=seed)


class SeedsRandomInSample(SeedsNumPyInSample):
    reseed = staticmethod(random.seed)


class SeedsTorchInSample(SeedsNumPyInSample):
    reseed = staticmethod(seed_torch)


class DrawsGlobally(Independent):
    """Draws samples with a seed from NumPy's global generator, which nobody seeded."""

    def _sample(self, n, given, *, seed):
        return super()._sample(n, given, seed=seed + np.random.randint(2**31))


class RemembersOldFits(Independent):
    def _fit(self, rows, valid, fit):
        self._rows = np.concatenate([getattr(self, "_rows", rows[:0]), rows])
        super()._fit(self._rows, valid, fit)


class OverwritesOldFits(Independent):
    """Each fit writes into the memory of the one before."""

    def _fit(self, rows, valid, fit):
        super()._fit(rows, valid, fit)
        if hasattr(self, "_memory"):
            self._memory[:] = self.log_table_
        else:
            self._memory = self.log_table_
        self.log_table_ = self._memory


class TrainsOnValidation(Independent):
    selects = True

    def _fit(self, rows, valid, fit):
        super()._fit(np.concatenate([rows, np.repeat(valid, 9, axis=0)]), valid, fit)


class TakesHolesForZeros(Independent):
    fits_missing = True

    def _fit(self, rows, valid, fit):
        super()._fit(np.maximum(rows, 0), valid, fit)


class LeavesOutOpenRows(Independent):
    """Leaves out rows with MISSING that it could learn from, and those that are open after END."""

    def _learn(self, schema, rows, valid, form, **how):
        return super()._learn(schema, rows[rows[:, -1] != MISSING], valid, form, **how)


class ForgetsThatItWasStopped(LatentClasses):
    """As many steps as it may do, up to 99; no word of what ended them."""

    def _fit(self, rows, valid, fit):
        steps = 0
        while steps < 99 and fit.may("steps"):
            fit.did("steps")
            steps += 1
        super()._fit(rows[: 4 * steps], valid, fit)


class ZeroForUnseen(Independent):
    def _fit(self, rows, valid, fit):
        super()._fit(rows, valid, fit)
        for d in range(self.schema_.D):
            unseen = np.setdiff1d(np.arange(self.schema_.cards[d]), rows[:, d])
            self.log_table_[d, unseen] = -np.inf


class SaysNothing(Independent):
    def _fit(self, rows, valid, fit):
        fit.report = lambda fraction, message: None
        super()._fit(rows, valid, fit)


class NoRecord(Independent):
    def _fit(self, rows, valid, fit):
        super()._fit(rows, valid, fit)
        fit.training = Training()


class NoWork(Independent):
    """Counts its steps in the record alone."""

    def _fit(self, rows, valid, fit):
        super()._fit(rows, valid, fit)
        fit.training.work.clear()


class SavesFloat32(Independent):
    def _state(self):
        return {"log_table": self.log_table_.astype(np.float32)}


class SavesAPickle(Independent):
    def save(self, folder):
        super().save(folder)
        (Path(folder) / "extra.json").write_bytes(pickle.dumps(self.log_table_))


class ChangesObservedEntries(Independent):
    def _sample(self, n, given, *, seed):
        return super()._sample(n, None, seed=seed)


class AcceptsAnything(Independent):
    def log_prob(self, data, *, seed=0):
        return LogProb.exact(np.zeros(max(1, len(data))))


CAUGHT_BY = {
    WrongSign: "normalised (table)",
    ShiftedByOne: "samples follow log_prob (image)",
    UnmaskedVocabulary: "normalised (table)",
    OnePerCent: "normalised (table)",
    DensityNotMass: "normalised (frame)",
    BoundAboveTheMass: "normalised (image)",
    LooseBound: "normalised (strings)",
    BestOfSeveral: "normalised (table)",
    MassAfterEnd: "normalised (strings)",
    NotANumber: "normalised (table)",
    Float32: "values (table)",
    TooSure: "honest errors (table)",
    TooModest: "honest errors (image)",
    FallsWithEffort: "bound tightens (table)",
    IncrementAfterMove: "annealing order",
    UpperBelowLower: "sandwich",
    Tempered: "samples follow log_prob (table)",
    UniformLeak: "entropy identity (image)",
    ModeCollapse: "entropy identity (table)",
    Duplicates: "rows independent (image)",
    Sticky: "rows independent (table)",
    SharedNoise: "rows independent (strings)",
    WrongForm: "form of samples (frame)",
    MarginalByMode: "marginals (table)",
    IgnoresTheQuery: "marginals (table)",
    JointForConditional: "conditionals (table)",
    IgnoresGiven: "completions (table)",
    ChangesObservedEntries: "completions (table)",
    PrefersFirst: "classes",
    ImputesTheSame: "imputation",
    TextWithoutEnd: "END ends",
    ForgetsSeed: "seeds repeat",
    IgnoresSeed: "seeds repeat",
    DependsOnItsBatch: "batch invariance (table)",
    DropoutLeftOn: "evaluation mode (table)",
    LeavesATrace: "evaluation mode (table)",
    GlobalRandom: "global random state",
    SeedsNumPyInFit: "global random state",
    SeedsRandomInFit: "global random state",
    SeedsTorchInFit: "global random state",
    SeedsNumPyInSample: "global random state",
    SeedsRandomInSample: "global random state",
    SeedsTorchInSample: "global random state",
    DrawsGlobally: "global random state",
    SeedsForATime: "global random state",
    RemembersOldFits: "refit forgets",
    OverwritesOldFits: "interrupted fit",
    TrainsOnValidation: "validation not trained on",
    TakesHolesForZeros: "holes in fit",
    LeavesOutOpenRows: "END settles",
    ForgetsThatItWasStopped: "replay",
    ZeroForUnseen: "unseen value",
    SaysNothing: "progress",
    NoRecord: "training record",
    NoWork: "training record",
    SavesFloat32: "save and load",
    SavesAPickle: "save and load",
    AcceptsAnything: "bad input",
}
