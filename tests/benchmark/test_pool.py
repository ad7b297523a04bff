"""Worker processes: order, progress, loss."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time

import pytest

from genzoo.benchmark import pool


def work(name, *, progress):
    for step in range(4):
        progress(step / 4, f"step {step}")
        time.sleep(pool.REPORT_INTERVAL)
    return name


def fail(*, progress):
    raise LookupError("nothing there")


def die(*, progress):
    os.kill(os.getpid(), signal.SIGKILL)


def run(jobs, n_workers):
    """What happens; on a busy machine seconds pass in between."""
    events = pool.run_jobs([pool.pickled(job) for job in jobs], n_workers)
    return [event for event in events if not isinstance(event, pool.Waited)]


def test_events_of_one_job():
    events = run([(work, "a")], 1)
    assert events[0] == pool.Started(0)
    assert events[-1] == pool.Finished(0, "a")
    advanced = events[1:-1]
    assert len(advanced) >= 2
    assert [e.fraction for e in advanced] == sorted(e.fraction for e in advanced)
    assert advanced[0].message == "step 0"


def test_more_jobs_than_workers():
    events = run([(work, i) for i in range(5)], 2)
    assert {e.job: e.result for e in events if isinstance(e, pool.Finished)} == {
        i: i for i in range(5)
    }
    running, most = 0, 0
    for event in events:
        running += isinstance(event, pool.Started)
        running -= isinstance(event, pool.Finished)
        most = max(most, running)
    assert most == 2


@pytest.mark.parametrize("n_workers", [1, 2])
def test_what_goes_wrong_with_one_job_leaves_the_others(n_workers):
    jobs = [(die,), (fail,), (functools.partial(work, "a"),)]
    ends = {
        e.job: e for e in run(jobs, n_workers) if not isinstance(e, (pool.Started, pool.Advanced))
    }
    assert isinstance(ends[0], pool.Lost)
    assert "SIGKILL" in ends[0].reason
    assert isinstance(ends[1], pool.Lost)
    assert "LookupError: nothing there" in ends[1].reason
    assert "in fail" in ends[1].trace
    assert ends[2] == pool.Finished(2, "a")


def test_a_job_that_no_worker_can_read_is_lost_and_leaves_the_others():
    content = pool.pickled((work, "a")).replace(b"test_pool", b"test_poof")
    events = list(pool.run_jobs([content, pool.pickled((work, "b"))], 1))
    lost = next(e for e in events if isinstance(e, pool.Lost))
    assert lost.job == 0
    assert "test_poof" in lost.reason
    assert events[-1] == pool.Finished(1, "b")


def test_what_only_this_process_has_travels_by_value():
    factor = 3

    def times(x, *, progress):
        return factor * x

    assert run([(times, 4)], 1)[-1] == pool.Finished(0, 12)


@pytest.mark.parametrize("held", [threading.Lock(), (i for i in range(3))])
def test_what_has_no_pickled_form_is_refused_at_once(held):
    with pytest.raises(TypeError, match="cannot pickle"):
        pool.pickled((work, held))


def test_closing_kills_the_workers():
    events = pool.run_jobs([pool.pickled((work, i)) for i in range(8)], 2)
    next(events)
    start = time.monotonic()
    events.close()
    assert time.monotonic() - start < 5


def test_no_jobs():
    assert run([], 2) == []
