"""One fit, then scores and samples of the model, in a process of its own: seconds and peak memory.

``measure(task)`` starts the process and waits for it. A fit that takes too long or asks for too
much memory ends its own process alone, and its line says what ended it; what was measured before
that stands in the line. ``Lines`` keeps the lines of a benchmark in a CSV file, so that it can be
run in pieces.

Memory is the peak of the phase above what the process held when its libraries were loaded; the
data count. The rule that it is held against: 2 GiB + 8 x (8 n D) bytes for n rows of D columns.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import genzoo
import genzoo.fitting
from genzoo.benchmark import locks
from genzoo.benchmark.machine import THREAD_VARIABLES, peak_memory_mb, reset_peak_memory
from genzoo.fitting import Budget
from genzoo.model import GenerativeModel
from genzoo.space.schema import MISSING, Schema, Variable
from genzoo.store import write_atomically
from genzoo.values import LogProb

SEED = 0
PHASES = ("data", "fit", "score", "sample", "replay")
COMPARED = 20  # rows whose log masses say whether a replayed fit is the same
GIB, MIB = 2**30, 2**20
WALL, PROCESSOR = "wall clock", "processor"

T = TypeVar("T")
Data = dict[str, Any]  # what ``fit`` takes: ``data``, and ``schema`` where it is given


@dataclass(frozen=True)
class Task:
    """What a process is to measure.

    Attributes:
        shape: a key of ``SHAPES``, or an axis of ``AXES`` and a size: ``"rows 1000"``.
        budget: of the fit, as text; "" for the family's own.
        scored, sampled: how many rows; None: as many as the data have.
        most_seconds: of the processor, for each phase.
        most_gib: of address space, beside what the libraries take.
        by_processor: whether budgets count seconds of the processor, which other work on the
            machine doesn't disturb, and not of the wall clock.
        replay: whether to repeat the fit from its record.
    """

    family: str
    shape: str
    budget: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    scored: int | None = 1000
    sampled: int | None = 1000
    most_seconds: float = 120.0
    most_gib: float = 12.0
    by_processor: bool = False
    replay: bool = False


@dataclass(frozen=True)
class Line:
    """What came of a task: seconds and MiB of each phase, None where it was not reached.

    Attributes:
        clock: whose seconds they are, ``WALL`` or ``PROCESSOR``.
        asked: the budget's seconds; ``ratio``: those of the fit, as a multiple of it.
        nats: mean log mass of the scored rows, which were trained on; ``kind``: of it.
        replayed: whether the record led to the same model, which networks whose learning rate
            followed the clock don't promise; None if not tried.
        rule_mib: what the peaks may come to; ``within_rule``: whether all of them do.
        outcome: ``ok``, or the phase that had no end and why: ``fit: over 120 s``.
    """

    family: str
    shape: str
    budget: str
    outcome: str
    clock: str = WALL
    rows: int | None = None
    columns: int | None = None
    fit_seconds: float | None = None
    fit_mib: float | None = None
    score_seconds: float | None = None
    score_mib: float | None = None
    sample_seconds: float | None = None
    sample_mib: float | None = None
    asked: float | None = None
    ratio: float | None = None
    rule_mib: float | None = None
    within_rule: bool | None = None
    steps: int | None = None
    stopped_by: str | None = None
    nats: float | None = None
    kind: str | None = None
    replayed: bool | None = None


# ------------------------------------------------------------------------------------ the data


def nominal(*cards: int) -> Schema:
    variables = tuple(Variable(f"x{d}", "nominal", n) for d, n in enumerate(cards))
    return Schema(variables, "table", (len(cards),))


def dependent(n: int, cards: Sequence[int]) -> Data:
    """Rows in which each column follows from the one before and a hidden class, with noise."""
    rng = np.random.default_rng(SEED)
    hidden = before = rng.integers(0, 4, n)
    rows = np.empty((n, len(cards)), dtype=np.int64)
    for d, card in enumerate(cards):
        follows = (before * 7 + hidden * 3) % card
        rows[:, d] = before = np.where(rng.random(n) < 0.7, follows, rng.integers(0, card, n))
    return {"data": rows, "schema": nominal(*cards)}


def one_of_many_values(n: int, values: int, columns: int) -> Data:
    """A column whose values are as frequent as words are (Zipf), beside others of five values."""
    data = dependent(n, [values] + [5] * (columns - 1))
    drawn = np.random.default_rng(SEED).zipf(1.2, n)
    data["data"][:, 0] = np.minimum(drawn - 1, values - 1)
    return data


def strings(n: int, length: int, n_letters: int = 16) -> list[str]:
    """Strings in which a letter mostly says what the next one is."""
    rng = np.random.default_rng(SEED)
    codes = rng.integers(0, n_letters, (n, length))
    for t in range(1, length):
        follows = rng.random(n) < 0.6
        codes[follows, t] = (5 * codes[follows, t - 1] + 1) % n_letters
    letters = np.array([chr(ord("a") + i) for i in range(n_letters)])
    return ["".join(row) for row in letters[codes]]


def one_long_string() -> Data:
    """Two thousand words, and among them a string of 20,000 characters."""
    rng = np.random.default_rng(SEED)
    words = [text[:k] for text, k in zip(strings(2000, 12), rng.integers(3, 12, 2000), strict=True)]
    words[7] = strings(1, 20_000)[0]
    return {"data": words}


def of_data_set(name: str) -> Data:
    data = genzoo.load_dataset(name)
    return {"data": data.train, "schema": data.schema}


def holes() -> Data:
    """A network's rows, a fifth of the entries missing."""
    data = of_data_set("alarm")
    rng = np.random.default_rng(SEED)
    hidden = rng.random(data["data"].shape) < 0.2
    return data | {"data": np.where(hidden, MISSING, data["data"])}


def many_categories() -> Data:
    """Two text columns of 20,000 categories that often agree, and a label."""
    rng = np.random.default_rng(SEED)
    n = 20_000
    rows = rng.integers(0, n, (n, 3))
    rows[:, 1] = np.where(rng.random(n) < 0.5, rows[:, 0], rows[:, 1])
    rows[:, 2] = rows[:, 0] % 5
    return {"data": rows, "schema": nominal(n, n, 5)}


SHAPES: dict[str, Callable[[], Data]] = {
    "breast_cancer": lambda: of_data_set("breast_cancer"),
    "names": lambda: of_data_set("names"),
    "digits_binary": lambda: of_data_set("digits_binary"),
    "mnist": lambda: of_data_set("mnist"),
    "holes": holes,
    "three_columns": lambda: dependent(4000, [6, 8, 10]),
    "bits64": lambda: dependent(20_000, [2] * 64),
    "many_columns": lambda: dependent(4000, [4] * 60),
    "many_categories": many_categories,
    "wide500": lambda: dependent(5000, [2] * 500),
    "wide1000": lambda: dependent(5000, [2] * 1000),
    "wide2000": lambda: dependent(5000, [2] * 2000),
    "one_long_string": one_long_string,
    "values2440": lambda: one_of_many_values(20_000, 2440, 15),
    "values12635": lambda: one_of_many_values(250_000, 12_635, 14),
    "one_wide_of_64": lambda: dependent(20_000, [10_000] + [8] * 63),
    "eleven_codes": lambda: dependent(100_000, [11] * 64),
    "million_of_4": lambda: dependent(1_000_000, [4, 8, 16, 32]),
    "million_of_64": lambda: dependent(1_000_000, [8] * 64),
}

AXES: dict[str, Callable[[int], Data]] = {
    "rows": lambda n: dependent(n, [8] * 16),
    "columns": lambda n: dependent(2000, [2] * n),
    "cardinality": lambda n: dependent(20_000, [n] + [8] * 7),
    "length": lambda n: {"data": strings(500, n)},
}


def data_of(shape: str) -> Data:
    """The data of a shape, the same in every process."""
    axis, _, size = shape.partition(" ")
    return AXES[axis](int(size)) if size else SHAPES[shape]()


# ------------------------------------------------------------------------------------ a process


def measure(task: Task) -> Line:
    """What a process of its own measures; never raises for what goes wrong in it."""
    one_thread = dict.fromkeys(THREAD_VARIABLES, "1")
    process = subprocess.run(
        [sys.executable, __file__, json.dumps(asdict(task))],
        capture_output=True,
        text=True,
        env={**os.environ, **one_thread},
    )
    found: dict[str, Any] = {"outcome": "failed before the fit"}
    for said in process.stdout.splitlines():
        found |= json.loads(said)
    if process.returncode and found["outcome"] in PHASES:
        found["outcome"] += f": {_why(process, task)}"
    clock = PROCESSOR if task.by_processor else WALL
    line = Line(task.family, task.shape, task.budget, clock=clock, **found)
    asked = Budget.parse(task.budget or None).seconds
    ratio = None if None in (asked, line.fit_seconds) else line.fit_seconds / asked  # type: ignore[operator]
    return replace(line, asked=asked, ratio=ratio, within_rule=_within_rule(line))


def _why(process: subprocess.CompletedProcess[str], task: Task) -> str:
    """What ended a process, in a few words."""
    last = (process.stderr.strip().splitlines() or [""])[-1]
    if -process.returncode == signal.SIGXCPU:
        return f"over {task.most_seconds:g} s"
    if -process.returncode == signal.SIGKILL or "alloc" in last or "MemoryError" in last:
        return f"over {task.most_gib:g} GiB"
    return last[:150] or f"exit code {process.returncode}"


def _within_rule(line: Line) -> bool | None:
    peaks = [p for p in (line.fit_mib, line.score_mib, line.sample_mib) if p is not None]
    if not peaks or line.rule_mib is None:
        return False if "GiB" in line.outcome else None
    return max(peaks) <= line.rule_mib and "GiB" not in line.outcome


def _run(task: Task) -> None:
    """The process: each number is told as soon as it is known, each phase before it begins."""
    if task.by_processor:
        genzoo.fitting.now = time.process_time
    few = genzoo.make_model(task.family).fit(["ab", "a"] * 5, budget="1 steps")  # loads libraries
    few.log_prob(few.sample(2))
    libraries = (peak_memory_mb() or 0.0) if reset_peak_memory() else None
    resource.setrlimit(resource.RLIMIT_AS, (_mapped() + int(task.most_gib * GIB), -1))
    _say(outcome="data")
    data, budget = data_of(task.shape), Budget.parse(task.budget or None)
    rows = data["data"]
    if isinstance(rows, np.ndarray):
        _say_size(*rows.shape)

    def fit(budget: Budget) -> GenerativeModel:
        model = genzoo.make_model(task.family, **task.params)
        return model.fit(**data, seed=SEED, budget=budget)

    def score() -> LogProb:
        return model.log_prob(rows[: task.scored], seed=SEED)

    def replay() -> bool:
        again = fit(Budget.replay(model.training_, budget))
        asked = np.maximum(rows[:COMPARED], 0) if isinstance(rows, np.ndarray) else rows[:COMPARED]
        values = [m.log_prob(asked, seed=SEED).value for m in (model, again)]
        return bool(np.array_equal(*values))

    model = _phase("fit", task, libraries, lambda: fit(budget))
    _say_size(len(rows), model.schema_.D)
    _say(steps=model.training_.steps, stopped_by=model.training_.stopped_by)
    found = _phase("score", task, libraries, score)
    _say(nats=round(float(found.value.mean()), 4), kind=found.kind)
    n = len(rows) if task.sampled is None else task.sampled
    _phase("sample", task, libraries, lambda: model.sample(n, seed=SEED))
    if task.replay:
        _say(outcome="replay")
        _say(replayed=replay())
    _say(outcome="ok")


def _phase(name: str, task: Task, libraries: float | None, work: Callable[[], T]) -> T:
    _say(outcome=name)
    most = math.ceil(time.process_time() + task.most_seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (most, -1))
    reset_peak_memory()
    start = genzoo.fitting.now()
    result = work()
    found = {f"{name}_seconds": round(genzoo.fitting.now() - start, 3)}
    peak = None if libraries is None else peak_memory_mb()
    if peak is not None and libraries is not None:
        found[f"{name}_mib"] = round(peak - libraries, 1)
    _say(**found)
    return result


def _say(**found: Any) -> None:
    print(json.dumps(found), flush=True)


def _say_size(n: int, n_columns: int) -> None:
    _say(rows=n, columns=n_columns, rule_mib=round(2048 + 8 * 8 * n * n_columns / MIB, 1))


def _mapped() -> int:
    """Bytes of address space that the process has; 0 where the system doesn't say."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return 0


# ------------------------------------------------------------------------------------ a file


class Lines:
    """The lines of a benchmark, in a CSV file where one is given, which several calls may fill at
    once.

    >>> Lines(None).all
    []
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._lines: dict[tuple[str, str, str], Line] = {}
        self._read()

    @property
    def all(self) -> list[Line]:
        return list(self._lines.values())

    def get(self, family: str, shape: str, budget: str) -> Line | None:
        return self._lines.get((family, shape, budget))

    def add(self, line: Line) -> None:
        """Put a line into the file, in the place of one of the same family, shape and budget."""
        if self.file is None:
            self._put(line)
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with locks.files(self.file.parent):
            self._read()
            self._put(line)
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, [f.name for f in fields(Line)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(line) for line in self.all)
            write_atomically(self.file, text.getvalue().encode())

    def _read(self) -> None:
        """Take over what the file holds."""
        if self.file is not None and self.file.is_file():
            with self.file.open(newline="", encoding="utf-8") as stored:
                for row in csv.DictReader(stored):
                    self._put(_read_line(row))

    def _put(self, line: Line) -> None:
        self._lines[line.family, line.shape, line.budget] = line


def _read_line(row: Mapping[str, str]) -> Line:
    """The inverse of what ``csv`` writes."""
    readers: dict[str, Callable[[str], Any]] = {
        "int": int, "float": float, "bool": lambda text: text == "True", "str": str
    }  # fmt: skip
    found: dict[str, Any] = {}
    for f in fields(Line):
        kind, _, optional = str(f.type).partition(" | ")
        text = row[f.name]
        found[f.name] = None if optional and not text else readers[kind](text)
    return Line(**found)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # that a fit of a second is a poor one is no news here
    _run(Task(**json.loads(sys.argv[1])))
