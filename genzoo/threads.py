"""The threads that a fit computes with. The last bits of a sum depend on how many share it.

Networks compute with torch's threads. torch keeps a number for each thread of Python that has used
it, and gives new ones the number that was set last. The other families compute with those of
NumPy's BLAS, whose number the whole process shares.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


def of_torch() -> int | None:
    """How many threads torch computes with in this thread of Python; None where it isn't loaded."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


def of_blas() -> int | None:
    """How many threads BLAS computes with; None where none is found that can be asked."""
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().select(user_api="blas").lib_controllers
    return max((int(library.num_threads) for library in found), default=None)


@contextlib.contextmanager
def using(n: int | None) -> Iterator[None]:
    """BLAS, and torch if it is loaded, compute on n threads inside the block; None: on as many as
    they did.

    >>> with using(1):
    ...     of_blas()
    1
    """
    if n is None:
        yield
        return
    from threadpoolctl import ThreadpoolController

    before = of_torch()
    with ThreadpoolController().limit(limits=n, user_api="blas"):
        if before is not None:
            sys.modules["torch"].set_num_threads(n)
        try:
            yield
        finally:
            if before is not None:
                sys.modules["torch"].set_num_threads(before)


def one_in_forks() -> None:
    """Let torch compute on one thread in processes that are forked from this one.

    A fork has none of the threads that torch's OpenMP started before it, and would wait for them
    for ever. torch's own ``DataLoader`` does the same in its workers.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no forks
        os.register_at_fork(after_in_child=lambda: sys.modules["torch"].set_num_threads(1))
