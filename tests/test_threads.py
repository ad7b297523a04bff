"""Fits, samples and scores in several threads and in forked processes; the number of threads."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

import genzoo
from genzoo import threads
from genzoo.fitting import Budget
from genzoo.registry import list_models, make_model

RNG = np.random.default_rng(0)
CODES = (RNG.integers(0, 3, (300, 1)) + RNG.integers(0, 2, (300, 6))) % 4
WORDS = ["".join(RNG.choice(list("abc"), RNG.integers(1, 6))) for _ in range(200)]
HOLEY = np.where(np.arange(6) % 2, -1, CODES[:8])
SETTINGS = {"transformer": {"dropout": 0.2}}


def made(family: str) -> genzoo.GenerativeModel:
    return make_model(family, **SETTINGS.get(family, {}))


def life(family: str, data: Any, seed: int) -> dict[str, np.ndarray]:
    """What a fit with this seed learns, and what it answers."""
    model = made(family).fit(data, seed=seed, budget="12 steps")
    found = {f"learned {k}": v for k, v in model._state().items()}
    found["log_prob"] = model.log_prob(data[:20], seed=1).value
    found["sample"] = np.array(model.sample(20, seed=2))
    if isinstance(data, np.ndarray):
        found["completions"] = model.sample(8, given=HOLEY, seed=3)
    return found


def at_once(jobs: list[Callable[[], Any]]) -> list[Any]:
    """The results of jobs that begin together, each in a thread of its own."""
    start = threading.Barrier(len(jobs))

    def begun(job: Callable[[], Any]) -> Any:
        start.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(begun, jobs))


def assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    different = [name for name in a if not np.array_equal(a[name], b[name])]
    assert different == []


@pytest.mark.filterwarnings("ignore:.*completions were chosen from:UserWarning")
@pytest.mark.parametrize("family", list_models())
@pytest.mark.parametrize("data", [CODES, WORDS], ids=["codes", "strings"])
def test_fits_at_once_are_those_alone(family, data):
    jobs = [lambda seed=seed: life(family, data, seed) for seed in (0, 0, 1)]
    alone = [job() for job in jobs]
    for one, together in zip(alone, at_once(jobs), strict=True):
        assert_same(one, together)


@pytest.mark.filterwarnings("ignore:.*completions were chosen from:UserWarning")
def test_all_families_at_once_beside_threads_that_draw():
    """Others draw from the global generators, of torch, NumPy and ``random``, what they would."""
    done = threading.Event()

    def drawn(draw: Callable[[], float]) -> tuple[int, float]:
        """How many numbers were drawn until the fits were over, and their sum."""
        n, total = 0, 0.0
        while not done.is_set():
            total, n = total + draw(), n + 1
            time.sleep(0.001)  # the fits want to get on too
        return n, total

    draws = [lambda: float(torch.rand(1)), np.random.random, random.random]
    jobs = [lambda family=family: life(family, CODES, 5) for family in list_models()]
    alone = [job() for job in jobs]
    seeds = (torch.default_generator.manual_seed, np.random.seed, random.seed)
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        for seed in seeds:
            seed(8)
        with ThreadPoolExecutor(len(draws)) as pool:
            others = [pool.submit(drawn, draw) for draw in draws]
            together = at_once(jobs)
            done.set()
            found = [other.result() for other in others]
        for seed in seeds:
            seed(8)
        for (n, total), draw in zip(found, draws, strict=True):
            assert n > 50
            assert total == sum((draw() for _ in range(n)), 0.0)
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("family", list_models())
def test_no_fit_seeds_or_restores_what_all_share(family, monkeypatch):
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a global generator was set")

    for place, names in (
        (torch, ("manual_seed", "set_rng_state", "seed")),
        (torch.random, ("manual_seed", "set_rng_state", "fork_rng")),
        (np.random, ("seed", "set_state")),
        (random, ("seed", "setstate")),
    ):
        for name in names:
            monkeypatch.setattr(place, name, refuse)
    model = made(family).fit(CODES, seed=1, budget="5 steps")
    model.log_prob(CODES[:3], seed=1)
    model.sample(3, seed=1)


@pytest.mark.filterwarnings("ignore:.*completions were chosen from:UserWarning")
@pytest.mark.parametrize("family", list_models())
def test_threads_share_a_fitted_model(family):
    model = made(family).fit(CODES, seed=1, budget="20 steps")
    fresh = made(family).fit(CODES, seed=1, budget="20 steps")
    jobs: list[Callable[[genzoo.GenerativeModel], np.ndarray]] = [
        lambda m: m.log_prob(CODES[:30], seed=1).value,
        lambda m: m.log_prob(HOLEY, seed=2).value,
        lambda m: m.sample(40, seed=3),
        lambda m: m.sample(8, given=HOLEY, seed=4),
        lambda m: genzoo.impute(m, HOLEY, seed=5),
    ]
    alone = [job(fresh) for job in jobs]
    together = at_once([lambda job=job: job(model) for job in jobs for _ in range(2)])
    for i, found in enumerate(together):
        assert np.array_equal(found, alone[i // 2])


def test_two_bars_at_once(capsys):
    jobs = [lambda s=s: made("independent").fit(WORDS, seed=s, progress=True) for s in (0, 1)]
    assert all(model.training_.steps for model in at_once(jobs))


# ------------------------------------------------------------------------- the number of threads


@pytest.fixture
def two_threads():
    with threads.using(2):
        yield


@pytest.mark.parametrize("family", ["transformer", "mixture"])
def test_a_record_names_its_threads_and_repeats_with_them(family, two_threads, tmp_path):
    rows, steps = np.tile(CODES, (1, 3)), "3 steps"
    model = made(family).fit(rows, seed=1, budget=steps)
    assert model.training_.threads == 2
    model.save(tmp_path / "model")
    record = genzoo.load_model(tmp_path / "model").training_
    assert record == model.training_
    with threads.using(1):
        assert (threads.of_torch(), threads.of_blas()) == (1, 1)
        again = made(family).fit(rows, seed=1, budget=Budget.replay(record, steps))
        assert (threads.of_torch(), threads.of_blas()) == (1, 1)
        alone = made(family).fit(rows, seed=1, budget=steps)
    assert (threads.of_torch(), threads.of_blas()) == (2, 2)
    assert again.training_.threads == 2
    assert alone.training_.threads == 1
    assert_same(model._state(), again._state())


@pytest.mark.parametrize("n", [0, 1.5, True])
def test_threads_are_counted_from_one(n):
    with pytest.raises(ValueError, match="budget: threads: expected a positive integer"):
        Budget(steps=1, threads=n)


def test_torch_counts_by_thread_of_python(two_threads):
    def counted() -> int | None:
        with threads.using(1):
            return threads.of_torch()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(counted).result() == 1
    assert threads.of_torch() == 2


# ------------------------------------------------------------------------- processes

FITTED = """
    import os, sys
    import numpy as np, torch, genzoo
    torch.set_num_threads(2)
    rows = np.random.default_rng(0).integers(0, 3, (60, 6))
    model = genzoo.make_model(sys.argv[1]).fit(rows, seed=0, budget="2 steps")
    value = model.log_prob(rows).value

    def on_all_threads():
        torch.ones(2**20).exp()  # long enough for torch to share it out

    on_all_threads()

    def work(seed):
        on_all_threads()
        again = genzoo.make_model(sys.argv[1]).fit(rows, seed=seed, budget="2 steps")
        gap = np.abs(model.log_prob(rows).value - value).max()
        assert gap < 1e-4, gap
        return again.training_.threads
"""
FORKS = """
    pid = os.fork()
    if pid == 0:
        os._exit(0 if work(1) == 1 else 3)
    assert os.waitpid(pid, 0)[1] == 0

    import multiprocessing
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(work, [1, 2, 3]) == [1, 1, 1]

    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        assert list(pool.map(work, [1, 2])) == [1, 1]
"""
SEARCH = """
    from sklearn.model_selection import GridSearchCV, cross_val_score
    few = {"budget": "2 steps"}
    scores = cross_val_score(model, rows, cv=2, n_jobs=2, params=few, error_score="raise")
    assert np.isfinite(scores).all(), scores
    search = GridSearchCV(model, {"device": ["cpu"]}, cv=2, n_jobs=2, error_score="raise")
    assert np.isfinite(search.fit(rows, **few).best_score_)
"""


def run(code: str, family: str) -> None:
    """A process of its own, for two minutes at most."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), family],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(threads.os, "fork"), reason="no forks on this system")
@pytest.mark.parametrize("family", ["transformer", "vae"])
def test_a_forked_process_goes_on_with_a_network(family):
    run(FITTED + FORKS + "\n    assert torch.get_num_threads() == 2", family)


@pytest.mark.slow
def test_workers_of_scikit_learn_fit_networks():
    run(FITTED + SEARCH, "vae")
