"""What all tests share: the data folder, one thread for each process, and cells without workers."""

from __future__ import annotations

import gc
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from genzoo.benchmark import pool

# small networks gain nothing from a second thread, and lose much where the cores are shared
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """Spare the garbage collector, which every cell calls, the libraries that are loaded by now."""
    gc.freeze()


def _absent(reason: str) -> None:
    """Skip; where continuous integration promised the data, fail."""
    if os.environ.get("GENZOO_REQUIRE_DATA"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder that ``GENZOO_DATA`` names."""
    folder = os.environ.get("GENZOO_DATA")
    if not folder:
        _absent("GENZOO_DATA is not set: this test reads data files that are not part of genzoo")
    path = Path(str(folder))
    if not path.is_dir():
        _absent(f"GENZOO_DATA names {folder}, which is no folder")
    return path


class FakeClock:
    """A clock that stands still until ``at`` is changed, and counts how often it is asked."""

    def __init__(self) -> None:
        self.at, self.asked = 0.0, 0

    def __call__(self) -> float:
        self.asked += 1
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of all budgets, in the test's hands."""
    fake = FakeClock()
    monkeypatch.setattr("genzoo.fitting.now", fake)
    return fake


@pytest.fixture
def watched() -> Callable[[], Any]:
    """A block in which the bytes of the largest tensor that torch makes are noted: ``n_bytes``."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watched(TorchDispatchMode):
        n_bytes = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for made in out if isinstance(out, list | tuple) else [out]:
                if isinstance(made, torch.Tensor):  # of a view, what it is a view of
                    self.n_bytes = max(self.n_bytes, made.untyped_storage().nbytes())
            return out

    return Watched


@pytest.fixture
def real_workers() -> None:
    """For tests about processes, where others of their module have ``cells_run_here``."""


@pytest.fixture
def cells_run_here(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the cells of ``compare`` in this process: a worker takes a second to import libraries."""
    with pytest.MonkeyPatch.context() as patch:  # of its own, whatever a test undoes
        if "real_workers" not in request.fixturenames:
            patch.setattr(pool, "run_jobs", _run_jobs_here)
        yield


def _run_jobs_here(jobs: Sequence[bytes], n_workers: int) -> Iterator[pool.Event]:
    """What ``pool.run_jobs`` tells of jobs that kill no process; they are pickled all the same."""
    for job, content in enumerate(jobs):
        yield pool.Started(job)
        function, *arguments = pickle.loads(content)
        yield pool.Finished(job, function(*arguments, progress=lambda fraction, message: None))
