"""The suite passes every family, and each of its checks catches a model that deserves it.

A sound model fails one run in 10,000 at most, by the levels of the tests; seeds are fixed.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mutants import (
    CAUGHT_BY,
    SOUND,
    LatentClasses,
    NoRecord,
    NoWork,
    SeedsNumPyInFit,
    SeedsTorchInSample,
)

import genzoo
from genzoo import conformance
from genzoo.conformance import BEHAVIOUR, ONCE, PER_SPACE, Subject, run_checks
from genzoo.keys import MODELS
from genzoo.models.independent import Independent
from genzoo.registry import make_model
from genzoo.seeding import GlobalState

ONE_EACH = r"at most (\d+)\s+tests of the first kind .* and\s+(\d+) comparisons .* and (\d+) to one"
OPTIMISED = """
import genzoo
import mutants
from genzoo.conformance import BEHAVIOUR, ONCE, PER_SPACE, Subject

assert False, "assertions hold here"
for mutant, name in mutants.CAUGHT_BY.items():
    check, _, space = name.removesuffix(")").partition(" (")
    subject = Subject(mutant(), 0)
    try:
        PER_SPACE[check](subject, space) if space else (ONCE | BEHAVIOUR)[check](subject)
    except Exception:
        continue
    print(f"{mutant.__name__} passed {name!r}")
try:
    genzoo.check_model(mutants.NotANumber())
except genzoo.ConformanceError:
    print("done")
"""
SUM = r"levels sum to ([\d.e-]+)"


def stated() -> dict[str, int]:
    """How many tests of each kind a run has at most, by the module's text."""
    counts = re.search(ONE_EACH, conformance.__doc__, re.DOTALL).groups()
    return dict(zip(("p", "two sides", "one side"), map(int, counts), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("key", [k for k in MODELS if k != "independent"])
def test_families_conform_within_their_level(key):
    subject = Subject(make_model(key), 0)
    results = run_checks(subject)
    assert [(r.check, r.found) for r in results if not r.passed] == []
    assert subject.level < 1e-4
    most = stated()
    assert all(subject.n_tests[kind] <= most[kind] for kind in most), (subject.n_tests, most)
    if key == "vae":  # it answers everything, by Monte Carlo
        assert subject.n_tests["two sides"] == most["two sides"]
        assert subject.n_tests["one side"] == most["one side"]


def test_the_stated_number_of_tests_is_that_of_a_run_and_the_stated_level_their_sum():
    most, subject = stated(), Subject(make_model("independent"), 0)
    run_checks(subject)
    assert subject.n_tests["p"] == most["p"]  # an exact family takes every test with a p-value
    subject.n_tests = Counter(most)
    assert subject.level == pytest.approx(float(re.search(SUM, conformance.__doc__)[1]), rel=0.01)
    assert subject.level < 1e-4
    assert "on four spaces" in conformance.__doc__
    assert "four patterns of completions" in conformance.__doc__
    assert len(subject.names) == 4
    assert all(len(space.patterns(0)) == 4 for space in subject.spaces.values())


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


@pytest.mark.slow
def test_all_are_caught_where_python_leaves_assertions_out():
    folders = [str(Path(genzoo.__file__).parents[1]), str(Path(__file__).parent)]
    done = subprocess.run(
        [sys.executable, "-O", "-W", "ignore", "-c", OPTIMISED],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_a_class_with_an_older_fit_is_told_the_new_one_before_any_check():
    class Older(Independent):
        def _fit(self, rows, valid, *, seed, budget, progress):
            raise AssertionError("called")

    called = r"Older\._fit: expected _fit\(self, rows, valid, fit\) -> None.*got _fit\(rows, valid"
    checked = []
    with pytest.raises(TypeError, match=called):
        genzoo.check_model(Older(), report=checked.append)
    assert checked == []
    with pytest.raises(TypeError, match=called):
        Older().fit(["ab"], seed=0)


@pytest.mark.parametrize("silent", [NoRecord, NoWork])
def test_a_class_that_counts_no_work_is_told_what_to_call(silent):
    with pytest.raises(genzoo.ConformanceError, match=re.escape('call fit.did("steps") after')):
        genzoo.check_model(silent())


def test_every_call_that_touches_a_global_generator_is_named():
    found = {
        broken: next(
            r.found for r in run_checks(Subject(broken(), 0)) if r.check == "global random state"
        )
        for broken in (SeedsNumPyInFit, SeedsTorchInSample, Independent)
    }
    assert found[SeedsNumPyInFit] == "global random states: fit changed that of NumPy"
    assert found[SeedsTorchInSample] == (
        "global random states: sample changed that of torch, sample(given=...) changed that of "
        "torch, impute changed that of torch"
    )
    assert found[Independent] == "9 calls leave it"


def test_each_check_begins_in_a_global_state_of_its_own_and_the_callers_is_left():
    drawn, firsts = [], []

    class Careless(Independent):
        def _log_prob(self, rows, *, seed):
            drawn.append((random.random(), np.random.random(), float(torch.rand(1))))
            return super()._log_prob(rows, seed=seed)

    def report(result):
        firsts.extend(drawn[:1])
        drawn.clear()

    before = GlobalState.now()
    for seed in (0, 1):
        run_checks(Subject(Careless(), seed), refits=False, report=report)
    assert before.changed() == []
    assert len(firsts) > len(PER_SPACE)
    assert all(len(set(of_one)) == len(firsts) for of_one in zip(*firsts, strict=True))


def test_every_check_catches_something():
    checks = {name.split(" (")[0] for name in CAUGHT_BY.values()}
    assert checks == {*ONCE, *PER_SPACE, *BEHAVIOUR}


def test_draws_can_be_checked_anew_without_another_fit():
    class Counted(LatentClasses):
        fits = 0

        def _fit(self, rows, valid, fit):
            type(self).fits += 1
            super()._fit(rows, valid, fit)

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
