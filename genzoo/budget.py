"""How long a fit may take, and the record of what it did."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, field
from typing import Any

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

    ``stopped_by`` is ``"converged"``, ``"budget"`` (the caller's limit) or ``"steps"`` (the
    family's own default number ran out). ``notes`` are remarks for the reader of a report.
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
