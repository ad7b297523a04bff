"""The suite passes every family, and each of its checks catches a model that deserves it."""

from __future__ import annotations

import numpy as np
import pytest

import genzoo
from genzoo.budget import Training
from genzoo.models.independent import Independent
from genzoo.registry import MODELS


@pytest.mark.slow
@pytest.mark.parametrize("key", [k for k in MODELS if k != "independent"])
def test_families_conform(key):
    genzoo.check_model(key)


def test_the_baseline_conforms_and_each_check_is_reported():
    seen = []
    results = genzoo.check_model("independent", report=seen.append)
    assert seen == results
    assert all(result.passed for result in results)
    assert len(results) > 30


class DensityNotMass(Independent):
    def _log_prob(self, rows, *, seed):
        exact = super()._log_prob(rows, seed=seed)
        return genzoo.LogProb.exact(exact.value + 0.01)


class BoundAboveTheMass(Independent):
    def _log_prob(self, rows, *, seed):
        exact = super()._log_prob(rows, seed=seed)
        return genzoo.LogProb(exact.value + 0.3, "lower_bound", np.full(len(rows), 0.01))


class LooseBound(Independent):
    def _log_prob(self, rows, *, seed):
        exact = super()._log_prob(rows, seed=seed)
        return genzoo.LogProb(exact.value - 0.3, "lower_bound", np.full(len(rows), 0.01))


class Tempered(Independent):
    def _sample(self, n, given, *, seed):
        honest, self.log_table_ = self.log_table_, 1.3 * self.log_table_
        try:
            self.log_table_ -= np.logaddexp.reduce(self.log_table_, axis=1, keepdims=True)
            return super()._sample(n, given, seed=seed)
        finally:
            self.log_table_ = honest


class ModeCollapse(Independent):
    def _sample(self, n, given, *, seed):
        return np.repeat(super()._sample(1, None if given is None else given[:1], seed=seed), n, 0)


class LeaksMassAfterEnd(Independent):
    def _log_prob(self, rows, *, seed):
        terms = np.take_along_axis(self.log_table_[None], rows[..., None], axis=2)[..., 0]
        return genzoo.LogProb.exact(np.where(rows == genzoo.MISSING, 0, terms).sum(1))


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
        return genzoo.LogProb.exact(exact.value + (0.01 if len(rows) == 1 else 0.0))


class TouchesGlobalState(Independent):
    def _fit(self, rows, valid, **options):
        np.random.default_rng(0)
        np.random.random()
        return super()._fit(rows, valid, **options)


class RemembersOldFits(Independent):
    def _fit(self, rows, valid, **options):
        self._rows = np.concatenate([getattr(self, "_rows", rows[:0]), rows])
        return super()._fit(self._rows, valid, **options)


class TrainsOnValidation(Independent):
    selects = True

    def _fit(self, rows, valid, **options):
        return super()._fit(np.concatenate([rows, np.repeat(valid, 9, axis=0)]), valid, **options)


class ZeroForUnseen(Independent):
    def _fit(self, rows, valid, **options):
        training = super()._fit(rows, valid, **options)
        for d in range(self.schema_.D):
            unseen = np.setdiff1d(np.arange(self.schema_.cards[d]), rows[:, d])
            self.log_table_[d, unseen] = -np.inf
        return training


class NotANumber(Independent):
    def _log_prob(self, rows, *, seed):
        exact = super()._log_prob(rows, seed=seed)
        return genzoo.LogProb.exact(np.where(rows[:, 0] == 1, np.nan, exact.value))


class SaysNothing(Independent):
    def _fit(self, rows, valid, *, seed, budget, progress):
        return super()._fit(
            rows, valid, seed=seed, budget=budget, progress=lambda fraction, message: None
        )


class NoRecord(Independent):
    def _fit(self, rows, valid, **options):
        super()._fit(rows, valid, **options)
        return Training()


class LosesItsState(Independent):
    def _state(self):
        return {"log_table": self.log_table_.astype(np.float32)}


class ChangesObservedEntries(Independent):
    def _sample(self, n, given, *, seed):
        return super()._sample(n, None, seed=seed)


class IgnoresTheQuery(Independent):
    def _log_prob(self, rows, *, seed):
        return super()._log_prob(np.maximum(rows, 0), seed=seed)


class AcceptsAnything(Independent):
    def log_prob(self, data, *, seed=0):
        return genzoo.LogProb.exact(np.zeros(max(1, len(data))))


class WrongForm(Independent):
    def sample(self, n, *, given=None, seed=0):
        rows = super().sample(n, given=given, seed=seed)
        return self.schema_.encode(rows)


CAUGHT_BY = {
    DensityNotMass: "normalised (table)",
    BoundAboveTheMass: "normalised (image)",
    LooseBound: "normalised (strings)",
    Tempered: "samples follow log_prob (table)",
    ModeCollapse: "entropy identity (table)",
    LeaksMassAfterEnd: "normalised (strings)",
    ForgetsSeed: "seeds repeat",
    IgnoresSeed: "seeds repeat",
    DependsOnItsBatch: "batch invariance (table)",
    TouchesGlobalState: "global random state",
    RemembersOldFits: "refit forgets",
    TrainsOnValidation: "validation not trained on",
    ZeroForUnseen: "unseen value",
    NotANumber: "normalised (table)",
    SaysNothing: "progress",
    NoRecord: "training record",
    LosesItsState: "save and load",
    ChangesObservedEntries: "completions (table)",
    IgnoresTheQuery: "marginals (table)",
    AcceptsAnything: "bad input",
    WrongForm: "form of samples (frame)",
}


@pytest.mark.parametrize("broken", CAUGHT_BY, ids=lambda c: c.__name__)
def test_a_broken_model_is_caught_by_the_check_that_is_made_for_it(broken):
    with pytest.raises(genzoo.ConformanceError) as caught:
        genzoo.check_model(broken())
    failed = [check for check, _ in caught.value.failures]
    assert CAUGHT_BY[broken] in failed


def test_every_check_catches_something():
    checks = {name.split(" (")[0] for name in CAUGHT_BY.values()}
    from genzoo.conformance import ONCE, PER_SPACE

    assert checks == {*ONCE, *PER_SPACE}


def test_unknown_models_are_refused():
    with pytest.raises(ValueError, match="did you mean 'independent'"):
        genzoo.check_model("independant")
    with pytest.raises(ValueError, match="expected a registry key or a GenerativeModel"):
        genzoo.check_model(3)
