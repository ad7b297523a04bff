"""A clock for tests of budgets in seconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Call it with the seconds that go by from one look at the clock to the next."""

    def start(tick: float) -> None:
        time = 0.0

        def now() -> float:
            nonlocal time
            time += tick
            return time

        monkeypatch.setattr("genzoo.fitting.now", now)

    return start
