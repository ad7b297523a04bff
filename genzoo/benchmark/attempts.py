"""What may go wrong in a part of a cell without costing the rest: told in words, not raised."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

from genzoo.values import Unsupported

MOST_WARNINGS = 5

T = TypeVar("T")


def reason_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip()


def attempt(make: Callable[[], T], what: str, notes: list[str]) -> tuple[T | None, str | None]:
    """What ``make`` returns, or why there is nothing; what is no refusal but a fault is noted."""
    try:
        return make(), None
    except Unsupported as refusal:
        return None, refusal.reason
    except Exception as error:
        notes.append(f"{what}: {reason_of(error)}")
        return None, reason_of(error)


@contextlib.contextmanager
def noted_warnings(notes: list[str]) -> Iterator[None]:
    """Warnings of libraries go into the record, each once, not to the screen of some worker."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    texts = [
        f"{w.category.__name__}: {w.message}"
        for w in caught
        if issubclass(w.category, (UserWarning, RuntimeWarning))
    ]
    notes += list(dict.fromkeys(texts))[:MOST_WARNINGS]
