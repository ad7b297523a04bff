"""What a family may offer beyond the five methods of ``GenerativeModel``.

Harness, report and conformance ask for these, never for a family by name: ``isinstance(model,
Certifies)`` is true of every class that has the method, whoever wrote it. What a family offers may
still be refused for some data, by ``Unsupported``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from genzoo.values import Gap, Score


@runtime_checkable
class ScoresText(Protocol):
    """A model of strings that scores a text of any length by the character."""

    def score_text(self, text: str, context: int | None = None, stride: int | None = None) -> Score:
        """Nats per character: each is given some of those before it, by a window that slides.

        Raises:
            Unsupported: if the rows are not strings.
            ValueError: for a character outside the alphabet.
        """
        ...


@runtime_checkable
class Certifies(Protocol):
    """A model whose ``log_prob`` is a bound, and that certifies how loose it is.

    By bidirectional Monte Carlo (Grosse, Ghahramani & Adams 2015, arXiv:1511.02543): on rows that
    the model drew, the log mass is sandwiched between its lower bound and an upper one.
    """

    def bidirectional(self, n: int | None = None, *, seed: int = 0) -> Gap:
        """The gap between the two bounds, on n rows of the model's own; None: its default.

        Raises:
            Unsupported: if such rows can't be simulated.
        """
        ...


@runtime_checkable
class DrawsInSteps(Protocol):
    """A model that draws a row in ``n_steps`` steps, and is another distribution in others."""

    n_steps: int

    def in_steps(self, n_steps: int) -> Self:
        """What was learned, drawing in so many steps; this model stays as it is."""
        ...


@runtime_checkable
class Calibrates(Protocol):
    """A model whose observation model was calibrated on validation rows after training.

    ``calibration_`` has at least ``marginal_weight``, the share in [0, 1] of the training marginals
    that was mixed in, and the mean bound on those rows ``before`` and ``after``, in nats per row.
    """

    @property
    def calibration_(self) -> Mapping[str, float]: ...


@runtime_checkable
class HasGraph(Protocol):
    """A model that is a directed graph of the variables, without cycles."""

    @property
    def edges_(self) -> list[tuple[Any, Any]]:
        """(parent, child), by the names of the schema's variables."""
        ...


@runtime_checkable
class DecodesStates(Protocol):
    """A model that tells the most probable path of hidden states behind a row."""

    def decode_states(self, data: Any) -> np.ndarray:
        """(n, T) int64 states 0, 1, ..., one for each step of a row."""
        ...


@runtime_checkable
class Interpolates(Protocol):
    """A model with a space of latents, in which there is a way from one row to another."""

    def interpolate(self, a: Any, b: Any, n: int = 8, *, seed: int = 0) -> Any:
        """n likeliest rows between a and b, data of one row each, in their form."""
        ...
