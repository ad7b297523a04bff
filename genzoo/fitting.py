"""How long a fit may take, the record of what it did, and whether it had converged."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

LAST_PART = 0.25  # of a run: what it gained there says whether it had converged
LEAST_GAIN = 0.01  # nats a row
PATIENCE = 3  # iterations of EM that don't improve validation

_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|seconds?|steps?)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Budget:
    """A limit on training: seconds of wall clock, or optimiser steps, or neither (the default)."""

    seconds: float | None = None
    steps: int | None = None

    @classmethod
    def parse(cls, budget: str | Budget | None) -> Budget:
        """``"60s"``, ``"2000 steps"`` or None.

        Raises:
            ValueError: for any other text, and for a limit that is not positive.
        """
        if budget is None:
            return cls()
        if isinstance(budget, Budget):
            return budget
        match = _FORM.fullmatch(budget) if isinstance(budget, str) else None
        if match is None:
            raise ValueError(f'budget: expected "60s", "2000 steps" or None; got {budget!r}')
        number, unit = float(match[1]), match[2].lower()
        if number <= 0:
            raise ValueError(f"budget: expected a positive number; got {budget!r}")
        if unit.startswith("step"):
            if number != int(number):
                raise ValueError(f"budget: expected a whole number of steps; got {budget!r}")
            return cls(steps=int(number))
        return cls(seconds=number)

    def __str__(self) -> str:
        if self.seconds is not None:
            return f"{self.seconds:g}s"
        return f"{self.steps} steps" if self.steps is not None else "default"


@dataclass(frozen=True)
class CurvePoint:
    """One point of a learning curve; ``train`` and ``valid`` are mean nats per row, or None."""

    step: int
    seconds: float
    train: float | None
    valid: float | None


@dataclass
class Training:
    """What a fit did.

    ``converged`` says that the validation rows had no more to gain to speak of (``converged`` and
    ``at_rest`` below), ``stopped_by`` what ended the fit: ``"converged"``, ``"budget"`` (the
    caller's limit) or ``"steps"`` (the family's own default number ran out). ``notes`` are remarks
    for the reader of a report.
    """

    steps: int = 0
    seconds: float = 0.0
    curve: list[CurvePoint] = field(default_factory=list)
    converged: bool = True
    stopped_by: str = "converged"
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        record = asdict(self)
        for point in record["curve"]:
            for name, value in point.items():
                if value is not None and not math.isfinite(value):
                    point[name] = None
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Training:
        return cls(**{**record, "curve": [CurvePoint(**point) for point in record["curve"]]})


def converged(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether a run gained nothing worth training for in the last part of it.

    The gain is paired, row by row, so neither the size of the values nor a constant column counts.
    It is nothing if its mean is below ``LEAST_GAIN``, or below its standard error over the rows.
    Rows count as independent; where they lie in groups the error is larger, so fewer runs count as
    converged than could.

    Args:
        before: (n,) nats of each validation row, by the best estimate when ``LAST_PART`` began.
        after: (n,) the same at the end of the run.
    """
    with np.errstate(invalid="ignore"):  # where values are not finite, there is no telling
        gain = np.subtract(after, before, dtype=np.float64)
        error = float(gain.std(ddof=1)) / math.sqrt(len(gain)) if len(gain) > 1 else 0.0
        return bool(gain.mean() < max(LEAST_GAIN, error))


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
