"""What a run shows while it runs: bars on a terminal, lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, Self

from genzoo.benchmark.entries import Cell
from genzoo.benchmark.matrix import outcome_text
from genzoo.results.record import CellRecord


class Display:
    """Silence, and what the others share; ``news`` is what to say at the start."""

    def __init__(self, total: int, kept: int, news: Sequence[str]) -> None:
        self.total = total
        self.done = kept
        self.news = news

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

    def advance(self, cell: Cell, fraction: float, message: str) -> None:
        """A cell has done a fraction of its work."""

    def finish(self, cell: Cell, record: CellRecord) -> None:
        """A cell has its record. References are neither counted nor listed."""
        if not cell.is_reference:
            self.done += 1
            self.say(self.ended(cell, record))

    def ended(self, cell: Cell, record: CellRecord) -> str:
        """What to say of a cell that ended."""
        return f"{cell.title}: {outcome_text(record)}"


class Lines(Display):
    """A line for each cell that ends, on standard error."""

    def __init__(self, total: int, kept: int, news: Sequence[str]) -> None:
        super().__init__(total, kept, news)
        self.began: dict[str, float] = {}

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def start(self, cell: Cell) -> None:
        self.began[cell.key] = time.monotonic()

    def ended(self, cell: Cell, record: CellRecord) -> str:
        seconds = time.monotonic() - self.began[cell.key]
        place = f"[{self.done:{len(str(self.total))}}/{self.total}]"
        return f"{place} {super().ended(cell, record)} ({seconds:.1f} s)"


class Bars(Display):
    """A bar for each cell that runs and one for all; cells that end are listed above."""

    def __init__(self, total: int, kept: int, news: Sequence[str]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        super().__init__(total, kept, news)
        self.bars = Progress(
            TextColumn("{task.fields[title]}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[message]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self.tasks: dict[str, Any] = {}
        self.overall = self.bars.add_task("", total=total, completed=kept, title="", message="")
        self._count()

    def __enter__(self) -> Self:
        self.bars.start()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def say(self, line: str) -> None:
        self.bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def start(self, cell: Cell) -> None:
        title = cell.title
        self.tasks[cell.key] = self.bars.add_task("", total=1.0, title=title, message="starting")

    def advance(self, cell: Cell, fraction: float, message: str) -> None:
        self.bars.update(self.tasks[cell.key], completed=fraction, message=message)

    def finish(self, cell: Cell, record: CellRecord) -> None:
        self.bars.remove_task(self.tasks.pop(cell.key))
        super().finish(cell, record)
        self._count()

    def _count(self) -> None:
        title = f"{self.done} of {self.total} cells"
        self.bars.update(self.overall, completed=self.done, title=title)


def choose_display(progress: bool, total: int, kept: int, news: Sequence[str]) -> Display:
    """Bars on a terminal, lines elsewhere, silence where ``progress`` is False."""
    if not progress:
        return Display(total, kept, news)
    return Bars(total, kept, news) if sys.stderr.isatty() else Lines(total, kept, news)
