"""Worker processes: cells run in fresh Python processes that are reused and can be lost.

A worker is ``python -c "..."`` that reads jobs from its standard input and writes what happens to
its standard output, both pickled. It is not made by ``multiprocessing``, whose fresh processes
import the main module again: a script without ``if __name__ == "__main__"`` would start over in
each. Classes and functions that no fresh process can import (of a script, a notebook, inside a
function) travel by value, by cloudpickle.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from types import ModuleType
from typing import IO, Any

import cloudpickle

from genzoo.benchmark import sources
from genzoo.benchmark.machine import THREAD_VARIABLES

COMMAND = "import sys; sys.path[:] = {path!r}; from genzoo.benchmark.pool import serve; serve()"
REPORT_INTERVAL = 0.2  # seconds between two messages about one job's progress
LAST_WORDS = 2000  # characters of a dead worker's standard error that are kept


@dataclass(frozen=True)
class Started:
    job: int


@dataclass(frozen=True)
class Advanced:
    job: int
    fraction: float
    message: str


@dataclass(frozen=True)
class Finished:
    job: int
    result: Any


@dataclass(frozen=True)
class Lost:
    """The worker died, or could not read the job, or the job raised."""

    job: int
    reason: str
    trace: str | None


@dataclass(frozen=True)
class Waited:
    """A second passed, in which no worker said anything."""


Event = Started | Advanced | Finished | Lost | Waited


def pickled(job: Any) -> bytes:
    """A job, or a part of one, as any worker can read it.

    Raises:
        Exception: of many kinds, for what has no such form, such as an open file or a lock.
    """
    hidden = [m for name, m in [*sys.modules.items()] if _is_hidden(name, m)]
    for module in hidden:
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(job)
    finally:
        for module in hidden:
            cloudpickle.unregister_pickle_by_value(module)


def _is_hidden(name: str, module: Any) -> bool:
    """Whether a module is one's own and was made by hand, or loaded from where no path leads."""
    if not isinstance(module, ModuleType) or module.__name__ != name or "." in name:
        return False  # what lies in a package is found where that is
    is_own = name != "__main__" and sources.owner(name) == "own"
    return is_own and PathFinder.find_spec(name) is None


class _Worker:
    """A process, the job that it has, and a thread that hands on what it says."""

    def __init__(self, inbox: queue.Queue[tuple[_Worker, Any]]) -> None:
        self.job: int | None = None
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it
        threads = dict.fromkeys(THREAD_VARIABLES, "1")
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, **threads},
        )
        self.listener = threading.Thread(target=self._listen, args=(inbox,), daemon=True)
        self.listener.start()

    def _listen(self, inbox: queue.Queue[tuple[_Worker, Any]]) -> None:
        assert self.process.stdout is not None
        # whatever ends the stream, the end is reported
        with contextlib.suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):
            while True:
                inbox.put((self, pickle.load(self.process.stdout)))
        inbox.put((self, None))

    def give(self, job: int, content: bytes) -> None:
        self.job = job
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError, OSError):  # dead: the listener says so
            pickle.dump(content, self.process.stdin)
            self.process.stdin.flush()

    def last_words(self) -> tuple[str, str]:
        """Why the process ended, and the end of what it wrote to standard error."""
        code = self.process.wait()
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace")[-LAST_WORDS:].strip()
        reason = f"exit code {code}"
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"{-code}"
            reason = f"signal {name}"
            if name == "SIGKILL":
                reason += " (out of memory?)"
        return f"the worker process died: {reason}", said

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.listener.join()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()


def run_jobs(jobs: Sequence[bytes], n_workers: int) -> Generator[Event, None, None]:
    """Run pickled jobs, each a tuple (function, *arguments), and tell what happens as it happens.

    The function is called with ``progress`` as a keyword. A worker that dies takes its own job with
    it, and another takes its place. Closing the iterator kills the workers.
    """
    inbox: queue.Queue[tuple[_Worker, Any]] = queue.Queue()
    waiting = list(range(len(jobs)))[::-1]
    workers: list[_Worker] = []

    def next_job(worker: _Worker) -> Iterator[Event]:
        worker.job = None
        if waiting:
            worker.give(waiting[-1], jobs[waiting[-1]])
            yield Started(waiting.pop())

    try:
        for _ in range(min(n_workers, len(jobs))):
            workers.append(_Worker(inbox))
            yield from next_job(workers[-1])
        while any(worker.job is not None for worker in workers):
            try:
                worker, message = inbox.get(timeout=1.0)  # Ctrl-C gets through between two waits
            except queue.Empty:
                yield Waited()
                continue
            if worker.job is None:
                continue
            if message is None:
                yield Lost(worker.job, *worker.last_words())
                workers.remove(worker)
                worker.stop()
                if waiting:
                    workers.append(_Worker(inbox))
                    yield from next_job(workers[-1])
                continue
            name, *content = message
            event = {"advanced": Advanced, "finished": Finished, "lost": Lost}[name](
                worker.job, *content
            )
            yield event
            if not isinstance(event, Advanced):
                yield from next_job(worker)
    finally:
        for worker in workers:
            worker.stop()


def serve() -> None:
    """The worker's side: jobs from standard input, messages to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which decides
    to_parent = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the messages

    def say(*message: Any) -> None:
        pickle.dump(message, to_parent)
        to_parent.flush()

    jobs: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(jobs,), daemon=True).start()
    while True:
        content = jobs.get()
        try:
            function, *arguments = pickle.loads(content)
            say("finished", function(*arguments, progress=_throttled(say)))
        except BrokenPipeError:
            return
        except Exception as error:
            say("lost", f"{type(error).__name__}: {error}", traceback.format_exc())


def _receive(jobs: queue.SimpleQueue[bytes]) -> None:
    """Hand on jobs; end the process, whatever it computes, as soon as the parent is gone."""
    with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            jobs.put(pickle.load(sys.stdin.buffer))
    os._exit(0)


def _throttled(say: Callable[..., None]) -> Callable[[float, str], None]:
    last = 0.0

    def progress(fraction: float, message: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= REPORT_INTERVAL:
            last = now
            say("advanced", float(fraction), str(message))

    return progress
