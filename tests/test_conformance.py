"""The suite passes every family, and each of its checks catches a model that deserves it.

A sound model fails one run in 10,000 at most, by the levels of the tests; seeds are fixed.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from mutants import CAUGHT_BY, SOUND, LatentClasses

import genzoo
from genzoo.conformance import BEHAVIOUR, ONCE, PER_SPACE, Subject, run_checks
from genzoo.registry import MODELS, make_model

MOST_SECONDS = 60  # of CPU for one family; on a quiet machine half of it is enough


@pytest.mark.slow
@pytest.mark.parametrize("key", [k for k in MODELS if k != "independent"])
def test_families_conform_within_their_time_and_level(key):
    subject, start = Subject(make_model(key), 0), time.process_time()
    results = run_checks(subject)
    assert [(r.check, r.found) for r in results if not r.passed] == []
    assert subject.level < 1e-4
    assert time.process_time() - start < MOST_SECONDS


def test_the_baseline_conforms_and_each_check_is_reported():
    seen = []
    results = genzoo.check_model("independent", report=seen.append)
    assert seen == results
    assert all(result.passed for result in results)
    assert len(results) == 4 * len(PER_SPACE) + len(ONCE) + len(BEHAVIOUR)


@pytest.mark.parametrize("sound", SOUND, ids=lambda c: c.__name__)
def test_sound_toys_conform(sound):
    subject = Subject(sound(), 0)
    assert [(r.check, r.found) for r in run_checks(subject) if not r.passed] == []
    assert 0 < subject.level < 1e-4


@pytest.mark.parametrize("broken", CAUGHT_BY, ids=lambda c: c.__name__)
def test_a_broken_model_is_caught_by_the_check_that_is_made_for_it(broken):
    with pytest.raises(genzoo.ConformanceError) as caught:
        genzoo.check_model(broken())
    failures = dict(caught.value.failures)
    assert CAUGHT_BY[broken] in failures
    assert broken.__name__ in str(caught.value)


def test_every_check_catches_something():
    checks = {name.split(" (")[0] for name in CAUGHT_BY.values()}
    assert checks == {*ONCE, *PER_SPACE, *BEHAVIOUR}


def test_draws_can_be_checked_anew_without_another_fit():
    class Counted(LatentClasses):
        fits = 0

        def _fit(self, rows, valid, **options):
            type(self).fits += 1
            return super()._fit(rows, valid, **options)

    first = Subject(Counted(), 0)
    run_checks(first)
    fits, second = Counted.fits, first.again(1)
    results = run_checks(second, refits=False)
    assert Counted.fits == fits
    assert all(result.passed for result in results)
    assert (second.drawn("image") != first.drawn("image")).any()
    assert np.array_equal(second.masses("image").mass, first.masses("image").mass)
    assert second.level == pytest.approx(first.level)


def test_unknown_models_are_refused():
    with pytest.raises(ValueError, match="did you mean 'independent'"):
        genzoo.check_model("independant")
    with pytest.raises(ValueError, match="expected a registry key or a GenerativeModel"):
        genzoo.check_model(3)
