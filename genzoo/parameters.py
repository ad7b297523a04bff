"""What values a constructor's arguments may have, declared once: ``Interval``, ``Options``.

A family lists its arguments in ``parameters``, and ``fit``, ``set_params`` and ``load_model`` check
them:

    parameters = {"n_states": Interval(int, 1, optional=True), "loss": Options("hinge", "ns")}
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np


class Rule(Protocol):
    """Something that refuses wrong values of a parameter."""

    def check(self, name: str, value: Any) -> None:
        """ValueError, naming the parameter, what was expected and what came."""


@dataclass(frozen=True)
class Interval:
    """A finite number between two bounds.

    Args:
        kind: ``int`` or ``float``; a float may be given as an integer, never the other way round.
        least: the lower bound.
        most: the upper bound.
        closed: which bounds are allowed themselves.
        optional: whether None is allowed.

    >>> Interval(int, 2).check("n_chains", 1)
    Traceback (most recent call last):
    ValueError: n_chains: expected an integer of at least 2; got 1
    >>> Interval(float, 0, 1, closed="left").check("dropout", 1)
    Traceback (most recent call last):
    ValueError: dropout: expected a number in [0, 1); got 1
    """

    kind: type[int] | type[float]
    least: float = 1
    most: float = math.inf
    closed: Literal["both", "left", "right", "neither"] = "both"
    optional: bool = False

    def check(self, name: str, value: Any) -> None:
        if self.optional and value is None:
            return
        numbers: tuple[type, ...] = (int, np.integer)
        if self.kind is float:
            numbers = (*numbers, float, np.floating)
        inside = False
        if isinstance(value, numbers) and not isinstance(value, (bool, np.bool_)):
            number = float(value)  # type: ignore[arg-type]
            above = number > self.least or (number == self.least and self._has("left"))
            below = number < self.most or (number == self.most and self._has("right"))
            inside = above and below and math.isfinite(number)
        if not inside:
            raise ValueError(f"{name}: expected {self}; got {value!r}")

    def _has(self, end: str) -> bool:
        return self.closed in ("both", end)

    def __str__(self) -> str:
        none = " or None" if self.optional else ""
        if self.kind is int and self.most == math.inf:
            if self.least == 1:
                return f"a positive integer{none}"
            return f"an integer of at least {self.least:g}{none}"
        if self.least == 0 and self.most == math.inf and not self._has("left"):
            return f"a positive number{none}"
        left, right = "[" if self._has("left") else "(", "]" if self._has("right") else ")"
        what = "an integer" if self.kind is int else "a number"
        return f"{what} in {left}{self.least:g}, {self.most:g}{right}{none}"


POSITIVE = Interval(float, 0, closed="neither")  # a positive number


@dataclass(frozen=True)
class Text:
    """A text that is not empty, such as ``example``.

    >>> Text('"auto", "cpu", "cuda", ...').check("device", 3)
    Traceback (most recent call last):
    ValueError: device: expected "auto", "cpu", "cuda", ...; got 3
    """

    example: str

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, str) or not value:
            raise ValueError(f"{name}: expected {self.example}; got {value!r}")


class Options:
    """One of several values.

    >>> Options("iwae", "ais").check("estimator", "elbow")
    Traceback (most recent call last):
    ValueError: estimator: expected one of 'iwae', 'ais'; got 'elbow'
    """

    def __init__(self, *values: Any) -> None:
        self.values = values

    def check(self, name: str, value: Any) -> None:
        # 1 == True, and arrays have no single truth
        if not any(type(value) is type(own) and value == own for own in self.values):
            raise ValueError(
                f"{name}: expected one of {', '.join(map(repr, self.values))}; got {value!r}"
            )


def check_integer(name: str, value: Any, *, least: int = 1, optional: bool = False) -> None:
    """ValueError unless an argument is an integer of at least ``least``, or None if optional."""
    Interval(int, least, optional=optional).check(name, value)
