"""A constructor's arguments: what values they may have, declared once (``Interval``, ``Options``),
and how they are read and set (``Parametrised``).

A family lists its arguments in ``parameters``, and ``fit``, ``set_params`` and ``load_model`` check
them:

    parameters = {"n_states": Interval(int, 1, optional=True), "loss": Options("hinge", "ns")}
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np

from genzoo.spelling import did_you_mean


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
                f"{did_you_mean(value, self.values)}"
            )


def check_integer(name: str, value: Any, *, least: int = 1, optional: bool = False) -> None:
    """ValueError unless an argument is an integer of at least ``least``, or None if optional."""
    Interval(int, least, optional=optional).check(name, value)


class NoDeviceError(ValueError):
    """A device that this machine doesn't have."""


class Parametrised:
    """Something whose constructor keeps each argument unchanged under its own name, as scikit-learn
    wants it.

    Attributes:
        parameters: the values that each argument may have.

    >>> class Circle(Parametrised):
    ...     parameters = {"radius": POSITIVE}
    ...     def __init__(self, radius=1.0):
    ...         self.radius = radius
    >>> Circle().set_params(radius=2.0)
    Circle(radius=2.0)
    >>> Circle().set_params(radius=-1)
    Traceback (most recent call last):
    ValueError: radius: expected a positive number; got -1
    """

    parameters: ClassVar[Mapping[str, Rule]] = {}

    def _check_params(self) -> None:
        """ValueError for an argument out of range; extend it for what no ``Rule`` can say."""
        for name, rule in self.parameters.items():
            if not hasattr(self, name):
                raise TypeError(
                    f"{type(self).__name__}.parameters: expected names under which its constructor "
                    f"keeps arguments ({', '.join(self._param_names())}); got {name!r}"
                )
            rule.check(name, getattr(self, name))

    @classmethod
    def _param_names(cls) -> list[str]:
        if cls.__init__ is object.__init__:
            return []
        return [n for n in inspect.signature(cls.__init__).parameters if n != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name."""
        return {name: getattr(self, name) for name in self._param_names()}

    def set_params(self, **params: Any) -> Self:
        """Change constructor arguments; those of the estimator take effect without a new fit.

        Raises:
            ValueError: for an unknown name or a value out of range; then nothing is changed.
        """
        known = self._param_names()
        for name in params:
            if name not in known:
                raise ValueError(
                    f"{name}: {type(self).__name__} has no such parameter; "
                    f"it has {', '.join(known)}{did_you_mean(name, known)}"
                )
        before = self.get_params()
        try:
            for name, value in params.items():
                setattr(self, name, value)
            self._check_params()
        except ValueError:
            for name, value in before.items():
                setattr(self, name, value)
            raise
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=False))

    def __repr__(self) -> str:
        signature = inspect.signature(type(self).__init__).parameters
        changed = [
            f"{k}={v!r}" for k, v in self.get_params().items() if not _same(v, signature[k].default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and bool(np.all(a == b)))
