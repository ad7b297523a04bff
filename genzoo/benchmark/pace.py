"""How long a run will still take: what is known of it while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from genzoo.benchmark.cell import TRAINING_SHARE
from genzoo.benchmark.entries import Cell


@dataclass
class _Running:
    cell: Cell
    began: float
    fraction: float = 0.0
    trained: float | None = None  # when its training was over


class Pace:
    """An estimate of the seconds that are left, of a cell and of the run.

    Of training: what its budget in seconds leaves, or less where the share that is done says so.
    Of judging: the mean of cells that are finished, on the same data set if there are some. A cell
    that waits is taken to train as its family did in the cells that are finished, by the share of
    its budget, and for all of its budget where the family has not been seen. None where nothing
    tells.

    Args:
        waiting: the cells that are to run.
        n_workers: how many run at a time.
        now: the clock, in seconds.
    """

    def __init__(
        self,
        waiting: Sequence[Cell],
        n_workers: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.waiting = {cell.key: cell for cell in waiting}
        self.n_workers, self.now = n_workers, now
        self.running: dict[str, _Running] = {}
        self.done: list[tuple[Cell, float, float]] = []  # with the seconds of training, of judging

    def start(self, cell: Cell) -> None:
        self.waiting.pop(cell.key, None)
        self.running[cell.key] = _Running(cell, self.now())

    def advance(self, cell: Cell, fraction: float) -> None:
        running = self.running[cell.key]
        running.fraction = max(running.fraction, fraction)
        if running.fraction >= TRAINING_SHARE and running.trained is None:
            running.trained = self.now()

    def finish(self, cell: Cell, train_seconds: float | None) -> float:
        """Note that a cell ended; the seconds that it took."""
        took = self.now() - self.running.pop(cell.key).began
        if train_seconds is not None:
            self.done.append((cell, train_seconds, max(0.0, took - train_seconds)))
        return took

    def left_of(self, cell: Cell) -> float | None:
        """Seconds until a running cell ends."""
        running = self.running[cell.key]
        judging = self._judging(cell)
        if running.trained is not None:
            spent = self.now() - running.trained
            return None if judging is None else max(0.0, judging - spent)
        spent, trained = self.now() - running.began, running.fraction / TRAINING_SHARE
        told = [] if trained <= 0 else [spent * (1 - trained) / trained]
        seconds = cell.data.budget.seconds
        if seconds is not None:
            told.append(max(0.0, seconds - spent))
        if not told:
            return None
        # a part as long as judging is of the bar, where no cell has told better
        return min(told) + (
            judging if judging is not None else (spent + min(told)) * (1 / TRAINING_SHARE - 1)
        )

    @property
    def left(self) -> float | None:
        """Seconds until all are done."""
        of_running = [self.left_of(running.cell) for running in self.running.values()]
        of_waiting = [self._expected(cell) for cell in self.waiting.values()]
        told = [seconds for seconds in (*of_running, *of_waiting) if seconds is not None]
        if not told or len(told) < len(of_running) + len(of_waiting):
            return None
        longest = max((s for s in of_running if s is not None), default=0.0)
        return max(longest, sum(told) / self.n_workers)

    def _expected(self, cell: Cell) -> float | None:
        """Seconds that a waiting cell will take."""
        judging = self._judging(cell) or 0.0
        if cell.model is None:
            return judging
        same = [(c, trained) for c, trained, _ in self.done if c.label == cell.label]
        seconds = cell.data.budget.seconds
        if seconds is None:
            of_any = [trained for c, trained, _ in self.done if c.model is not None]
            training = _mean([trained for _, trained in same] or of_any)
            return None if training is None else training + judging
        shares = [t / c.data.budget.seconds for c, t in same if c.data.budget.seconds]
        share = _mean(shares)
        return seconds * (1.0 if share is None else share) + judging

    def _judging(self, cell: Cell) -> float | None:
        """Seconds that judging a cell takes."""
        fitted = [(c, s) for c, _, s in self.done if (c.model is None) == (cell.model is None)]
        here = [seconds for c, seconds in fitted if c.data.label == cell.data.label]
        return _mean(here or [seconds for _, seconds in fitted])


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
