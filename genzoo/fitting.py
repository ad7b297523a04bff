"""What one fit may spend and what it did: ``Budget``, ``Clock``, ``Training``, and ``Fit``, the one
context that a family's ``_fit`` gets for seed, clock, progress and learning curve.

Every family stops by the same rules:

- before a unit of work (a step, an iteration, a split, a round) it asks ``fit.goes_on(unit)``,
  which notes where there is no room for it; after it, it says ``fit.did(unit)``;
- without a budget in seconds the answer never depends on the clock;
- ``training_.work`` holds how many units of each kind were done and ``training_.stops`` where a
  limit ended them, so ``Budget.replay(training_)`` does the same work again, however fast the
  machine is then.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from genzoo import threads
from genzoo.parameters import POSITIVE, Interval
from genzoo.seeding import Key, derive, numpy_rng, torch_generator

if TYPE_CHECKING:
    import torch

LAST_PART = 0.25  # of a run: what it gained there says whether it had converged
LEAST_GAIN = 0.01  # nats a row
PATIENCE = 3  # iterations of EM that don't improve validation

Progress = Callable[[float, str], None]
StoppedBy = Literal["converged", "budget", "steps"]

_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|seconds?|steps?)\s*", re.IGNORECASE)


def now() -> float:
    """Seconds on the clock of all budgets; tests put another in its place."""
    return time.perf_counter()


@dataclass(frozen=True)
class Budget:
    """A limit on training: seconds of wall clock, or optimiser steps, or neither (the default).

    Attributes:
        seconds: of wall clock.
        steps: of the optimiser; iterations of EM count as steps.
        stops: where an earlier fit was ended by its limit: (unit of work, how many had been done).
            These are repeated, and the clock is not asked.
        threads: on which an earlier fit computed, and this one is to.

    >>> Budget.parse("60s")
    Budget(seconds=60.0, steps=None, stops=None, threads=None)
    """

    seconds: float | None = None
    steps: int | None = None
    stops: tuple[tuple[str, int], ...] | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None:
            POSITIVE.check("budget: seconds", self.seconds)
        if self.steps is not None:  # none are left for a part whose share is used up
            Interval(int, 0).check("budget: steps", self.steps)
        Interval(int, optional=True).check("budget: threads", self.threads)
        if self.seconds is not None and self.steps is not None:
            raise ValueError(f"budget: expected seconds or steps; got both, {self!r}")

    @classmethod
    def parse(cls, budget: str | Budget | None, *, or_else: str = " or None") -> Budget:
        """``"60s"``, ``"2000 steps"`` or None; ``or_else`` says what else the caller takes.

        Raises:
            ValueError: for any other text, and for a limit that is not positive.
        """
        if budget is None:
            return cls()
        if isinstance(budget, Budget):
            Interval(int, 1, optional=True).check("budget: steps", budget.steps)
            return budget
        match = _FORM.fullmatch(budget) if isinstance(budget, str) else None
        if match is None:
            raise ValueError(f'budget: expected "60s", "2000 steps"{or_else}; got {budget!r}')
        number, unit = float(match[1]), match[2].lower()
        if number <= 0:
            raise ValueError(f"budget: expected a positive number; got {budget!r}")
        if unit.startswith("step"):
            if number != int(number):
                raise ValueError(f"budget: expected a whole number of steps; got {budget!r}")
            return cls(steps=int(number))
        return cls(seconds=number)

    @classmethod
    def replay(cls, training: Training, budget: str | Budget | None = None) -> Budget:
        """The work that a fit did, to be done once more, on as many threads.

        The models are equal where the work decides them. Networks whose learning rate followed the
        clock make the same number of steps, with a learning rate that follows these: two replays
        are equal, and differ from the fit.

        Args:
            training: its ``training_``.
            budget: what it had been given: families choose their sizes by it.

        Raises:
            ValueError: if the record, of an earlier version, doesn't say what ended its work.
        """
        if training.steps and not training.work:
            raise ValueError(
                f"training: expected a record that counts its work; got one of {training.steps} "
                f"steps by an earlier version, which doesn't say where its limit struck"
            )
        stops = tuple((unit, int(k)) for unit, k in training.stops)
        return replace(cls.parse(budget), stops=stops, threads=training.threads)

    def __str__(self) -> str:
        if self.seconds is not None:
            return f"{np.format_float_positional(self.seconds, trim='-')}s"  # as parse reads it
        return f"{self.steps} steps" if self.steps is not None else "default"


@dataclass(frozen=True)
class Clock:
    """A stretch of time. Every question is pure: it reads the clock and changes nothing.

    Attributes:
        began: when the stretch began, by ``now``.
        ends: when it is over; inf without a limit.

    >>> Clock(began=now()).left
    inf
    """

    began: float
    ends: float = math.inf

    @property
    def spent(self) -> float:
        """Seconds since the stretch began."""
        return now() - self.began

    @property
    def left(self) -> float:
        """Seconds until it is over, not below 0; inf without a limit."""
        return max(0.0, self.ends - now())

    @property
    def done(self) -> float:
        """The share of the stretch that is spent, in [0, 1]; 0 without a limit."""
        length = self.ends - self.began
        return min(1.0, self.spent / length) if length > 0 else 1.0

    def part(self, share: float) -> Clock:
        """The first ``share`` of this stretch."""
        return Clock(self.began, self.began + share * (self.ends - self.began))


@dataclass(frozen=True)
class CurvePoint:
    """One point of a learning curve; ``train`` and ``valid`` are mean nats per row, or None."""

    step: int
    seconds: float
    train: float | None
    valid: float | None

    def plus(self, train: float, valid: float) -> CurvePoint:
        """The point with nats added that a search didn't see, such as those within bins."""
        return replace(
            self,
            train=None if self.train is None else self.train + train,
            valid=None if self.valid is None else self.valid + valid,
        )


@dataclass
class Training:
    """What a fit did.

    Attributes:
        steps: its main unit of work: optimiser steps, iterations of EM, edges and splits.
        seconds: of wall clock.
        curve: the learning curve.
        converged: whether the validation rows had no more to gain to speak of (``converged`` and
            ``at_rest`` below).
        stopped_by: what ended the fit: ``"converged"``, ``"budget"`` (the caller's limit) or
            ``"steps"`` (the family's own default number ran out).
        notes: remarks for the reader of a report.
        work: how many units of each kind were done.
        stops: where a limit ended some work: [unit, how many had been done by then].
        threads: that it computed with: torch's for networks, else those of NumPy's BLAS. None
            where there are none that could be asked, and in records of earlier versions.
        late_gain: what the validation rows gained in the last part of it: mean nats a row and the
            standard error (``gain``). None where rows were not compared one by one.
    """

    steps: int = 0
    seconds: float = 0.0
    curve: list[CurvePoint] = field(default_factory=list)
    converged: bool = True
    stopped_by: StoppedBy = "converged"
    notes: list[str] = field(default_factory=list)
    work: dict[str, int] = field(default_factory=dict)
    stops: list[tuple[str, int]] = field(default_factory=list)
    threads: int | None = None
    late_gain: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        record = asdict(self)
        for point in record["curve"]:
            for name, value in point.items():
                if value is not None and not math.isfinite(value):
                    point[name] = None
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Training:
        """The inverse of ``to_json``, also for records without what was added later."""
        curve = [CurvePoint(**point) for point in record["curve"]]
        stops = [(unit, count) for unit, count in record.get("stops", ())]
        late = record.get("late_gain")
        late_gain = None if late is None else (float(late[0]), float(late[1]))
        return cls(**{**record, "curve": curve, "stops": stops, "late_gain": late_gain})


class Fit:
    """One fit: what it may spend, and the record of what it does.

    Args:
        seed: of the fit.
        budget: the caller's.
        report: the caller's progress, (fraction done, message).
        text: ``Dataset.text`` of the data set that is fitted, or None.
        began: when it began, by ``now``, if that was before: what reads and checks the data takes
            of the budget too.
        earlier: the fitted model, of the same family and schema, that a warm start begins with; it
            is not to be changed. None: there is nothing to begin with.

    Attributes:
        clock: the stretch of time that it has, which ends with the budget's seconds.
        reported: the share of the fit that was last reported as done, in [0, 1].
        training: the record, which ``fit`` leaves as ``model.training_``.

    >>> fit = Fit(seed=0, budget=Budget(steps=2))
    >>> while fit.goes_on("steps"):
    ...     fit.did("steps")
    >>> fit.training.steps, fit.training.work
    (2, {'steps': 2})
    """

    def __init__(
        self,
        seed: int = 0,
        budget: Budget | None = None,
        report: Progress | None = None,
        *,
        text: Mapping[str, list[str]] | None = None,
        began: float | None = None,
        earlier: Any = None,
    ) -> None:
        self.seed, self.budget, self.text = seed, budget or Budget(), text
        self.earlier = earlier
        seconds = math.inf if self.budget.seconds is None else self.budget.seconds
        began = now() if began is None else began
        self.clock = Clock(began, began + seconds)
        self.training = Training()
        self.reported = 0.0
        self._report = report
        self._stops = None if self.budget.stops is None else frozenset(self.budget.stops)

    # ---------------------------------------------------------------- randomness

    def rng(self, *keys: Key) -> np.random.Generator:
        """A NumPy generator of this fit for the stream that ``keys`` name."""
        return numpy_rng(self.seed, *keys)

    def torch_rng(self, *keys: Key, device: str | torch.device = "cpu") -> torch.Generator:
        """A torch generator of this fit, on ``device``, for the stream that ``keys`` name.

        A fit that draws with torch computes with it: the record has the number of its threads.
        """
        self.training.threads = threads.of_torch()
        return torch_generator(self.seed, *keys, device=device)

    # ---------------------------------------------------------------- limits and work

    @property
    def limited(self) -> bool:
        """Whether the caller set a limit, of seconds or steps; to repeat a fit is none."""
        return self.budget.seconds is not None or self.budget.steps is not None

    def may(self, unit: str, *, clock: Clock | None = None, expected: float = 0.0) -> bool:
        """Whether another unit of work has room. Asking changes nothing.

        Args:
            unit: of work, such as ``"steps"`` or ``"splits"``.
            clock: the stretch that it must fit in; None: the whole fit's.
            expected: seconds that it will take.
        """
        done = self.training.work.get(unit, 0)
        if self._stops is not None:
            return (unit, done) not in self._stops
        if self.budget.steps is not None:
            return unit != "steps" or done < self.budget.steps
        if self.budget.seconds is None:
            return True
        left = (clock or self.clock).left
        return left > 0.0 and expected <= left

    def goes_on(
        self,
        unit: str,
        *,
        clock: Clock | None = None,
        expected: float = 0.0,
        affordable: bool = True,
    ) -> bool:
        """Begin another unit of work, or note that a limit ended it: then, and ever after, False.

        Args:
            unit, clock, expected: as in ``may``.
            affordable: whether the family's own limit has room, which holds without a budget.
        """
        if self.stopped(unit):
            return False
        if self.limited or affordable:
            if self.may(unit, clock=clock, expected=expected):
                return True
            self.stop(unit)
        else:
            self.stop(unit, "steps")
        return False

    def stopped(self, unit: str) -> bool:
        """Whether a limit ended the work of this unit."""
        return any(stopped == unit for stopped, _ in self.training.stops)

    def did(self, unit: str, n: int = 1) -> None:
        """Note n units of work; ``"steps"`` counts as the training's steps too."""
        work = self.training.work
        work[unit] = work.get(unit, 0) + n
        if unit == "steps":
            self.training.steps += n

    def stop(self, unit: str, by: StoppedBy = "budget") -> None:
        """Note that a limit ended the work of this unit before it was done."""
        self.training.stops.append((unit, self.training.work.get(unit, 0)))
        self.training.converged, self.training.stopped_by = False, by

    def part(self, name: str, share: float, *, seed: int | None = None) -> Fit:
        """A fit of its own with what is left of the first ``share`` of this one's budget.

        Its record is its own, and its progress is mapped into this one's.

        Args:
            name: of the part; its units of work are replayed by it.
            share: of the whole budget, by which this part is to be over, in (0, 1].
            seed: of the part; None: derived from its name.
        """
        budget, since = self.budget, self.reported
        if budget.steps is not None:
            steps = round(share * budget.steps) - self.training.work.get("steps", 0)
            budget = replace(budget, steps=max(0, steps))
        elif budget.seconds is not None and self._stops is None:
            budget = replace(budget, seconds=max(0.01, self.clock.part(share).left))
        if self._stops is not None:
            stops = [(u.partition("/")[2], k) for u, k in self._stops if u.startswith(f"{name}/")]
            budget = replace(budget, stops=tuple(sorted(stops)))

        def report(done: float, message: str) -> None:
            self.report(since + (share - since) * done, f"{name}: {message}")

        seed = derive(self.seed, name) if seed is None else seed
        return Fit(seed, budget, report, text=self.text)

    def take(self, name: str, part: Fit) -> None:
        """Note the work of a part under its name, its steps among this fit's."""
        for unit, count in part.training.work.items():
            self.did(f"{name}/{unit}", count)
        self.did("steps", part.training.steps)
        self.training.threads = part.training.threads or self.training.threads
        self.training.stops += [(f"{name}/{unit}", k) for unit, k in part.training.stops]

    def done(self, otherwise: float = 0.0) -> float:
        """The share of the caller's limit that is spent; ``otherwise`` where there is none."""
        if self.budget.steps is not None:
            return min(1.0, self.training.work.get("steps", 0) / self.budget.steps)
        return otherwise if self.budget.seconds is None else self.clock.done

    # ---------------------------------------------------------------- what others see

    def report(self, done: float, message: str) -> None:
        """Tell the caller's progress: the share of the fit that is done, which never falls, and a
        message."""
        self.reported = min(1.0, max(self.reported, done))
        if self._report is not None:
            self._report(self.reported, message)

    def point(self, train: float | None, valid: float | None) -> None:
        """A point of the learning curve at this moment; mean nats per row, or None."""
        point = CurvePoint(self.training.steps, self.clock.spent, train, valid)
        self.training.curve.append(point)

    def note(self, text: str) -> None:
        """A remark for the reader of a report."""
        self.training.notes.append(text)


def gain(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """What a run gained in the last part of it: mean nats a row, and its standard error.

    It is paired, row by row, so neither the size of the values nor a constant column counts. Rows
    count as independent; where they lie in groups the error is larger. Where values are not finite
    there is no telling: nan or inf.

    Args:
        before: (n,) nats of each validation row, by the best estimate when ``LAST_PART`` began.
        after: (n,) the same at the end of the run.

    >>> gain(np.array([-3.0, -2.0]), np.array([-2.0, -1.0]))
    (1.0, 0.0)
    """
    with np.errstate(invalid="ignore"):
        gained = np.subtract(after, before, dtype=np.float64)
        n = len(gained)
        error = float(gained.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
        return float(gained.mean()), error


def converged(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether a run gained nothing worth training for in the last part of it: a ``gain`` whose mean
    is below ``LEAST_GAIN``, or below its standard error over the rows.

    Where rows lie in groups the error is larger than it is taken for, so fewer runs count as
    converged than could.

    Args:
        before, after: as of ``gain``.
    """
    gained, error = gain(before, after)
    return gained < max(LEAST_GAIN, error)


def at_rest(values: Sequence[float], least: float) -> bool:
    """Whether EM needs no further iteration, by the mean nats of the validation rows after each.

    That is where the last one gained less than ``least``, in nats a row, whatever the values' size;
    and where ``PATIENCE`` iterations have not reached the best one.
    """
    if len(values) < 2:
        return False
    best = max(range(len(values)), key=lambda i: (values[i], i))
    little = 0 <= values[-1] - values[-2] < least
    return little or len(values) - 1 - best >= PATIENCE


@contextlib.contextmanager
def reporting(progress: Progress | bool | None, title: str) -> Iterator[Progress]:
    """``progress`` as a function that is always there: the caller's, a bar, or silence.

    >>> with reporting(None, "HMM") as report:
    ...     report(0.5, "half-way")
    """
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda fraction, message: None
    else:
        from rich.console import Console
        from rich.progress import Progress as Bar

        with Bar(console=Console()) as bar:  # on a console that all share there is room for one
            task = bar.add_task(title, total=1.0)
            yield lambda fraction, message: bar.update(
                task, completed=fraction, description=f"{title}: {message}"
            )


def check_signature(method: Callable[..., Any], family: str) -> None:
    """TypeError for a family whose ``_fit`` was written for an older interface."""
    signature = inspect.signature(method)
    try:
        signature.bind("rows", "valid", "fit")
    except TypeError:
        raise TypeError(
            f"{family}._fit: expected _fit(self, rows, valid, fit) -> None, where fit.seed, "
            f"fit.budget, fit.report and fit.training are what used to be passed and returned; "
            f"got _fit{signature}"
        ) from None
