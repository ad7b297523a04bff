"""Numbers as people read them: rounded by their error, with the mark of their kind."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from genzoo.values import Kind

MARKS = {"exact": "", "lower_bound": "≥ ", "estimate": "≈ "}
_ASCII = str.maketrans({"≥": ">=", "≤": "<=", "≈": "~", "−": "-", "±": "+-", "∞": "inf",
                        "→": "to", "‖": "||", "—": "-"})  # fmt: skip
DASH = "—"


def decimals(stderr: float | None, value: float | None = None) -> int:
    """How many decimals to show: with an error 0 to 6, without 0 to 4.

    Two digits of an error below 0.355 of its power of ten or above 0.95, else one: the rule of
    the Particle Data Group. Without an error, four digits of the value.
    """
    if not stderr or not math.isfinite(stderr):
        size = abs(value or 0.0)
        if not math.isfinite(size):
            return 2
        return min(4, max(0, 3 - math.floor(math.log10(size)))) if size > 0 else 2
    power = math.floor(math.log10(stderr)) + 1
    lead = stderr / 10.0**power  # 0.1 <= lead < 1
    digits = 1 if 0.355 <= lead < 0.95 else 2
    return min(6, max(0, digits - power - (lead >= 0.95)))


def number(value: float | None, places: int = 2) -> str:
    """A number with a real minus sign, or a dash."""
    if value is None or math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.{places}f}".replace(",", "\u202f")
    if text.startswith("-"):
        text = text[1:] if not any(c in "123456789" for c in text) else "−" + text[1:]
    return text


def with_error(value: float | None, stderr: float | None, kind: Kind = "exact") -> str:
    """``≥ −105.62 ± 0.41``."""
    if value is None or math.isnan(value):
        return DASH
    places = decimals(stderr, value)
    text = MARKS[kind] + number(value, places)
    if stderr is not None and math.isfinite(stderr):
        text += f" ± {number(stderr, places)}"
    return text


def upper_bound(text: str, kind: Kind) -> str:
    """A number that falls as a likelihood of this kind rises: a lower bound of the likelihood makes
    it an upper one."""
    return MARKS[kind].replace("≥", "≤") + text


def seconds(value: float | None) -> str:
    """``0.4 s``, ``12 s``, ``3.5 min``."""
    if value is None or math.isnan(value):
        return DASH
    if value < 0.095:
        return "under 0.1 s"
    if value < 9.95:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 100 else f"{value / 60:.1f} min"


@dataclass(frozen=True)
class Value:
    """A measured number with its standard error."""

    value: float
    stderr: float

    @property
    def text(self) -> str:
        return with_error(self.value, self.stderr)

    def above(self, other: Value) -> float:
        """How far this one lies above the other, in standard errors of the difference."""
        error = math.hypot(self.stderr, other.stderr)
        difference = self.value - other.value
        if error == 0:
            return 0.0 if difference == 0 else math.copysign(math.inf, difference)
        return difference / error


def ascii_marks(text: str) -> str:
    """The same text for Markdown and terminals: ``>=`` for ``≥``, ``+-`` for ``±``."""
    return text.replace("\u202f", ",").translate(_ASCII)


def listing(words: Iterable[str]) -> str:
    """``a, b and c``: the different ones of these words."""
    different = list(dict.fromkeys(words))
    parts = (", ".join(different[:-1]), *different[-1:])
    return " and ".join(part for part in parts if part)


def count(n: int, word: str) -> str:
    """``no cells``, ``one cell``, ``3 cells``."""
    names = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    plural = word if n == 1 else f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{names[n] if n < len(names) else n} {plural}"
