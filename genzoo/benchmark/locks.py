"""Locks on a run's folder: one call of ``compare`` at a time, and whole states for its readers.

A call holds ``CALL`` from when it reads the plan of before until its last cell is written. It
holds ``FILES`` only while it writes, so that a report of a run that goes on waits for a moment.
The system drops both when a process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

CALL, FILES = ".call.lock", ".files.lock"


@contextlib.contextmanager
def one_call(folder: Path, argument: str) -> Iterator[bool]:
    """Have the folder, which is made, for one call alone; gives whether another had it before.

    Raises:
        ValueError: naming the argument, where no lock can be taken.
    """
    waits = f"genzoo: waiting for another call, which is writing to {folder}"
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock, waited = _take(folder / CALL, waits)
            stack.callback(lock.release)
            # where the other lock can't be taken, that is refused before any work too
            with files(folder):
                pass
        except (OSError, NotImplementedError) as error:
            raise ValueError(f"{argument}: {folder} can't be locked: {error}") from error
        yield waited


@contextlib.contextmanager
def files(folder: Path) -> Iterator[None]:
    """Write several files of the folder, or read them as they belong together."""
    lock, _ = _take(folder / FILES)
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Read several files of the folder as they belong together; where it can't be written to, as
    they are."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, NotImplementedError):
            stack.enter_context(files(folder))
        yield


def _take(path: Path, waits: str | None = None) -> tuple[FileLock, bool]:
    """The lock, held, and whether it had to be waited for, which is said first."""
    if not path.exists():
        path.touch()  # with the rights of other files: whoever may write to the folder may lock it
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
        return lock, False
    except Timeout:
        pass
    if waits is not None:
        print(waits, file=sys.stderr, flush=True)
    lock.acquire()
    return lock, True
