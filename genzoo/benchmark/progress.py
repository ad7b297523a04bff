"""What a run shows while it runs: bars on a terminal, lines elsewhere, events for programs, or
nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from genzoo.benchmark.entries import Cell
from genzoo.benchmark.matrix import outcome_text
from genzoo.benchmark.pace import Pace
from genzoo.results.numbers import seconds
from genzoo.results.record import CellRecord
from genzoo.results.typed import as_json

if TYPE_CHECKING:
    from rich.progress import Progress

HEARTBEAT = 60.0  # seconds without a line after which one says that the run goes on
MOST_NAMED = 4  # running cells in that line

Event = Mapping[str, Any]


class Display:
    """Silence, and what the others share; ``news`` is what to say at the start."""

    def __init__(self, total: int, kept: int, news: Sequence[str], pace: Pace) -> None:
        self.total = total
        self.done = kept
        self.news = news
        self.pace = pace

    def __enter__(self) -> Self:
        for line in self.news:
            self.say(line)
        return self

    def __exit__(self, *_: object) -> None:
        """The run ends, or is ended."""

    def say(self, line: str) -> None:
        """A line that stays."""

    def start(self, cell: Cell) -> None:
        """A cell begins."""
        self.pace.start(cell)

    def advance(self, cell: Cell, fraction: float, message: str) -> None:
        """A cell has done a fraction of its work."""
        self.pace.advance(cell, fraction)

    def wait(self) -> None:
        """A second has passed in which nothing happened."""

    def finish(self, cell: Cell, record: CellRecord) -> None:
        """A cell has its record. References are neither counted nor listed."""
        took = self.pace.finish(cell, record.train_seconds if record.ok else None)
        if not cell.is_reference:
            self.done += 1
            self.ended(cell, record, took)

    def ended(self, cell: Cell, record: CellRecord, took: float) -> None:
        """Tell of a cell that ended after so many seconds."""
        self.say(f"{cell.title}: {outcome_text(record)}")

    def time_left(self) -> str:
        """Of the run."""
        return left_in_words(self.pace.left)


def left_in_words(value: float | None) -> str:
    """``about 12 s left``; "" where nothing tells."""
    # what takes longer than expected is not "0 s" for all that time
    return "" if value is None or value < 1 else f"about {seconds(round(value))} left"


def new_bars(*, transient: bool) -> Progress:
    """Bars on standard error; each task has a title, the time left and a message, which is cut off
    where a line ends."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    return Progress(
        TextColumn("{task.fields[title]}", markup=False),
        BarColumn(bar_width=16),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        TextColumn(
            "{task.fields[message]}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
        ),
        console=Console(stderr=True),
        transient=transient,
        expand=True,
    )


class Lines(Display):
    """A line for each cell that ends, on standard error, and one a minute where none does."""

    def __init__(self, total: int, kept: int, news: Sequence[str], pace: Pace) -> None:
        super().__init__(total, kept, news, pace)
        self.doing: dict[str, tuple[Cell, float, str]] = {}
        self.spoke = pace.now()

    def say(self, line: str) -> None:
        self.spoke = self.pace.now()
        print(line, file=sys.stderr, flush=True)

    def start(self, cell: Cell) -> None:
        super().start(cell)
        self.doing[cell.key] = cell, 0.0, "starting"

    def advance(self, cell: Cell, fraction: float, message: str) -> None:
        super().advance(cell, fraction, message)
        self.doing[cell.key] = cell, fraction, message
        self.wait()

    def wait(self) -> None:
        if self.pace.now() - self.spoke < HEARTBEAT or not self.doing:
            return
        running = [
            f"{cell.title} ({fraction:.0%}, {message})"
            for cell, fraction, message in self.doing.values()
        ]
        more = len(running) - MOST_NAMED
        named = "; ".join(running[:MOST_NAMED]) + (f"; {more} more" if more > 0 else "")
        self.say("; ".join(text for text in (f"running: {named}", self.time_left()) if text))

    def finish(self, cell: Cell, record: CellRecord) -> None:
        del self.doing[cell.key]
        super().finish(cell, record)

    def ended(self, cell: Cell, record: CellRecord, took: float) -> None:
        place = f"[{self.done:{len(str(self.total))}}/{self.total}]"
        left = self.time_left() if self.done < self.total else ""
        times = "; ".join(text for text in (f"{took:.1f} s", left) if text)
        self.say(f"{place} {cell.title}: {outcome_text(record)} ({times})")


class Bars(Display):
    """A bar for each cell that runs and one for all, with what a fit last said of itself; cells
    that end are listed above."""

    def __init__(self, total: int, kept: int, news: Sequence[str], pace: Pace) -> None:
        super().__init__(total, kept, news, pace)
        self.bars = new_bars(transient=True)
        self.tasks: dict[str, Any] = {}
        self.overall = self.bars.add_task(
            "", total=total, completed=kept, title="", message="", left=""
        )
        self._count()

    def __enter__(self) -> Self:
        self.bars.start()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def say(self, line: str) -> None:
        self.bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def start(self, cell: Cell) -> None:
        super().start(cell)
        self.tasks[cell.key] = self.bars.add_task(
            "", total=1.0, title=cell.title, message="starting", left=""
        )

    def advance(self, cell: Cell, fraction: float, message: str) -> None:
        super().advance(cell, fraction, message)
        left = left_in_words(self.pace.left_of(cell))
        self.bars.update(self.tasks[cell.key], completed=fraction, message=message, left=left)
        self._count()

    def wait(self) -> None:
        self._count()

    def finish(self, cell: Cell, record: CellRecord) -> None:
        self.bars.remove_task(self.tasks.pop(cell.key))
        super().finish(cell, record)
        self._count()

    def _count(self) -> None:
        title = f"{self.done} of {self.total} cells"
        left = self.time_left() if self.done < self.total else ""
        self.bars.update(self.overall, completed=self.done, title=title, left=left)


class Events(Display):
    """Each happening as a dict in JSON's types, for a function: see ``compare``."""

    def __init__(
        self,
        total: int,
        kept: int,
        news: Sequence[str],
        pace: Pace,
        tell: Callable[[Event], object],
    ) -> None:
        super().__init__(total, kept, news, pace)
        self.tell = tell

    def __enter__(self) -> Self:
        self.tell({"event": "plan", "cells": self.total, "reused": self.done})
        return super().__enter__()

    def say(self, line: str) -> None:
        self.tell({"event": "note", "text": line})

    def start(self, cell: Cell) -> None:
        super().start(cell)
        if not cell.is_reference:
            self.tell({"event": "start", **_named(cell)})

    def advance(self, cell: Cell, fraction: float, message: str) -> None:
        super().advance(cell, fraction, message)
        if cell.is_reference:
            return
        left = {"seconds_left": self.pace.left_of(cell), "run_seconds_left": self.pace.left}
        event = {"fraction": fraction, "message": message, **left}
        self.tell(as_json({"event": "progress", **_named(cell), **event}))

    def ended(self, cell: Cell, record: CellRecord, took: float) -> None:
        names = ("status", "reason", "test_log_prob", "kind", "stderr", "bits_per_dim")
        found = {name: getattr(record, name) for name in names}
        counts = {"done": self.done, "cells": self.total, "run_seconds_left": self.pace.left}
        event = {"event": "finish", **_named(cell), **found, "seconds": took, **counts}
        self.tell(as_json(event))


def _named(cell: Cell) -> dict[str, Any]:
    return {
        "model": cell.label,
        "dataset": cell.data.label,
        "seed": cell.seed,
        "fold": cell.data.fold,
    }


def choose_display(
    progress: bool | Callable[[Event], object] | None,
    total: int,
    kept: int,
    news: Sequence[str],
    pace: Pace,
) -> Display:
    """Bars on a terminal, lines elsewhere, events where ``progress`` is a function, silence where
    it is False or None."""
    if callable(progress):
        return Events(total, kept, news, pace, progress)
    if not progress:
        return Display(total, kept, news, pace)
    return (Bars if sys.stderr.isatty() else Lines)(total, kept, news, pace)
