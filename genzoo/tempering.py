"""Draws that are bolder or more careful than the model: temperature, top-k and top-p.

In the order in which they are applied to the log masses of the next code:

1. temperature: each mass to the power 1 / temperature (Ackley, Hinton & Sejnowski 1985);
2. top-k: all but the k likeliest codes are dropped (Fan, Lewis & Dauphin 2018, arXiv:1805.04833);
3. top-p: all but the likeliest codes that together hold this mass after the first two are dropped
   (nucleus sampling: Holtzman et al. 2020, arXiv:1904.09751).

They change the distribution that is drawn from, one code after the other, and no ``log_prob`` knows
of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genzoo.parameters import POSITIVE, Interval, Rule

# a lower temperature is greedy as well (all but the likeliest underflow to no mass), and a higher
# one as good as uniform
COLDEST, HOTTEST = 1e-30, 1e30

PARAMETERS: dict[str, Rule] = {
    "temperature": POSITIVE,
    "top_k": Interval(int, optional=True),
    "top_p": Interval(float, 0, 1, closed="right", optional=True),
}


@dataclass(frozen=True)
class Tempering:
    """What is done to the masses of the next code before it is drawn.

    Args:
        temperature: positive; below 1 is bolder on what is likely, above 1 evens out.
        top_k: at least 1; None for all. Codes that tie with the last of them stay.
        top_p: in (0, 1]; None for all. The likeliest code always stays.

    Raises:
        ValueError: for a value out of these ranges, by name.

    >>> Tempering(top_k=2).changed(np.log([[0.5, 0.3, 0.2]])).round(3)
    array([[-0.47 , -0.981,   -inf]])
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        for name, rule in PARAMETERS.items():
            rule.check(name, getattr(self, name))

    @property
    def is_none(self) -> bool:
        """Whether it leaves every distribution as it is."""
        return self == Tempering()

    def changed(self, log_p: np.ndarray) -> np.ndarray:
        """(n, M) log masses (n, M) after temperature, top-k and top-p, in this order; each row sums
        to one again, and is as it was where ``is_none``."""
        if self.is_none:
            return log_p
        log_p = log_p.astype(np.float64)
        if self.temperature != 1.0:
            # from the likeliest code on, so that its own mass never underflows
            behind = log_p - log_p.max(axis=1, keepdims=True)
            log_p = _normalised(behind / np.clip(self.temperature, COLDEST, HOTTEST))
        if self.top_k is not None and self.top_k < log_p.shape[1]:
            least = -np.partition(-log_p, self.top_k - 1, axis=1)[:, self.top_k - 1]
            log_p = np.where(log_p < least[:, None], -np.inf, log_p)
        if self.top_p is not None:
            order = np.argsort(-log_p, axis=1, kind="stable")
            ordered = np.exp(np.take_along_axis(log_p, order, axis=1))
            before = np.cumsum(ordered, axis=1) - ordered  # mass of what is likelier
            beyond = before >= self.top_p * ordered.sum(axis=1, keepdims=True)
            beyond[:, 0] = False  # the likeliest stays, however small top_p is
            dropped = np.empty_like(beyond)
            np.put_along_axis(dropped, order, beyond, axis=1)
            log_p = np.where(dropped, -np.inf, log_p)
        return _normalised(log_p)


def _normalised(log_p: np.ndarray) -> np.ndarray:
    behind = log_p - log_p.max(axis=1, keepdims=True)
    return behind - np.log(np.exp(behind).sum(axis=1, keepdims=True))
