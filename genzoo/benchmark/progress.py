"""What a run shows while it runs: bars on a terminal, lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
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
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def start(self, cell: Cell) -> None:
        """A cell begins."""

    def advance(self, cell: Cell, fraction: float, message: str) -> None:
        """A cell has done a fraction of its work."""

    def finish(self, cell: Cell, record: CellRecord) -> None:
        """A cell has its record. References are neither counted nor listed."""
        self.done += not cell.is_reference


class Lines(Display):
    """A line for each cell that ends, on standard error."""

    def __init__(self, total: int, kept: int, news: Sequence[str]) -> None:
        super().__init__(total, kept, news)
        self.began: dict[str, float] = {}

    def __enter__(self) -> Self:
        for line in self.news:
            print(line, file=sys.stderr, flush=True)
        return self

    def start(self, cell: Cell) -> None:
        self.began[cell.key] = time.monotonic()

    def finish(self, cell: Cell, record: CellRecord) -> None:
        super().finish(cell, record)
        if cell.is_reference:
            return
        seconds = time.monotonic() - self.began[cell.key]
        width = len(str(self.total))
        print(
            f"[{self.done:{width}}/{self.total}] {cell.title}: {outcome_text(record)} "
            f"({seconds:.1f} s)",
            file=sys.stderr,
            flush=True,
        )


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
        for line in self.news:
            self._print(line)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bars.stop()

    def _count(self) -> None:
        title = f"{self.done} of {self.total} cells"
        self.bars.update(self.overall, completed=self.done, title=title)

    def start(self, cell: Cell) -> None:
        self.tasks[cell.key] = self.bars.add_task(
            "", total=1.0, title=cell.title, message="starting"
        )

    def advance(self, cell: Cell, fraction: float, message: str) -> None:
        self.bars.update(self.tasks[cell.key], completed=fraction, message=message)

    def finish(self, cell: Cell, record: CellRecord) -> None:
        super().finish(cell, record)
        self.bars.remove_task(self.tasks.pop(cell.key))
        self._count()
        if cell.is_reference:
            return
        self._print(f"{cell.title}: {outcome_text(record)}")

    def _print(self, line: str) -> None:
        self.bars.console.print(line, markup=False, highlight=False, soft_wrap=True)


def choose_display(progress: bool, total: int, kept: int, news: Sequence[str]) -> Display:
    """Bars on a terminal, lines elsewhere, silence where ``progress`` is False."""
    if not progress:
        return Display(total, kept, news)
    return Bars(total, kept, news) if sys.stderr.isatty() else Lines(total, kept, news)
