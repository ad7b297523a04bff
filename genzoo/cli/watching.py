"""How one fit is watched: a bar on a terminal, a line a minute elsewhere, JSON for programs."""

from __future__ import annotations

import sys
import time
from typing import Self

import typer

from genzoo.benchmark.progress import HEARTBEAT, left_in_words, new_bars
from genzoo.cli.options import tell
from genzoo.fitting import Budget
from genzoo.model import GenerativeModel

EVENT_INTERVAL = 0.2  # seconds between two events


class Watching:
    """What a fit's ``progress`` is: called with the share that is done and a message, not more than
    once in ``interval`` seconds told further.

    Args:
        budget: of the fit.
    """

    interval = 0.0

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.began = self.last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """The fit ends, or is ended."""

    def __call__(self, fraction: float, message: str) -> None:
        now = time.monotonic()
        if now - self.last >= self.interval:
            self.last = now
            self.show(fraction, message)

    def show(self, fraction: float, message: str) -> None:
        raise NotImplementedError

    def left(self, fraction: float) -> float | None:
        """Seconds that are left: by the share that is done, and not more than the budget has."""
        spent = time.monotonic() - self.began
        told = [] if fraction <= 0 else [spent * (1 - fraction) / fraction]
        if self.budget.seconds is not None:
            told.append(max(0.0, self.budget.seconds - spent))
        return min(told, default=None)

    def in_words(self, fraction: float) -> str:
        return left_in_words(self.left(fraction))


class Telling(Watching):
    """JSON lines."""

    interval = EVENT_INTERVAL

    def show(self, fraction: float, message: str) -> None:
        left = {"seconds_left": self.left(fraction)}
        tell({"event": "progress", "fraction": fraction, "message": message, **left})


class _Lines(Watching):
    interval = HEARTBEAT

    def show(self, fraction: float, message: str) -> None:
        texts = (f"{fraction:.0%}", message, self.in_words(fraction))
        typer.echo("; ".join(text for text in texts if text), err=True)


class _Bar(Watching):
    def __init__(self, model: GenerativeModel, budget: Budget) -> None:
        super().__init__(budget)
        self.bar = new_bars(transient=False)
        name = type(model).__name__
        self.task = self.bar.add_task("", total=1.0, title=name, left="", message="starting")

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def show(self, fraction: float, message: str) -> None:
        left = self.in_words(fraction)
        self.bar.update(self.task, completed=fraction, left=left, message=message)


def watching(model: GenerativeModel, budget: Budget) -> Watching:
    """A bar on a terminal, lines elsewhere."""
    return _Bar(model, budget) if sys.stderr.isatty() else _Lines(budget)
