"""What inline SVG is made of. Elements are built with ElementTree, which escapes every text."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

N_COLOURS = 8
LABEL_HEIGHT = 14
# of a letter of a label, in pixels: DejaVu Sans, the widest of the fonts that pages fall back on
LETTER, WIDE_LETTER = 7.7, 12.5
REACHES = (9, 14, 20, 28, 38, 50, 64, 80, 98, 120, 150, 190)  # of a label from its point
DIRECTIONS = (0, 180, 90, 270, 45, 315, 135, 225, 20, 340, 160, 200, 70, 110, 250, 290)
FAR = 3.0
NEAR = 20  # beyond it a line leads from the label to its point


def add(parent: ET.Element, tag: str, text: str | None = None, **attributes: Any) -> ET.Element:
    """A new element; ``class_`` and ``text_anchor`` stand for ``class`` and ``text-anchor``."""
    names = {k.rstrip("_").replace("_", "-"): _plain(v) for k, v in attributes.items()}
    element = ET.SubElement(parent, tag, names)
    element.text = text
    return element


def _plain(value: Any) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def figure(width: int, height: int, title: str) -> ET.Element:
    svg = ET.Element("svg", viewBox=f"0 0 {width} {height}", role="img", width=str(width))
    svg.set("height", str(height))
    svg.set("aria-label", title)
    return svg


def numbered(svg: ET.Element, heads: Sequence[str], rows: Iterable[Sequence[str | float]]) -> None:
    """Give a figure the numbers that it is drawn from, which the page hands out as CSV."""
    lines = [[float(f"{v:.6g}") if isinstance(v, float) else v for v in row] for row in rows]
    svg.set("data-numbers", json.dumps([heads, *lines], ensure_ascii=False))


def markup(svg: ET.Element) -> Markup:
    # safe: ElementTree has escaped every text and attribute
    return Markup(ET.tostring(svg, encoding="unicode"))


def ticks(low: float, high: float, n: int) -> list[float]:
    """At most n + 1 round numbers between low and high."""
    step = 10.0 ** math.floor(math.log10((high - low) / n))
    step *= next(f for f in (1, 2, 5, 10) if step * f * n >= high - low)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1 and 3 times powers of ten between two positive numbers."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [factor * 10.0**e for e in exponents for factor in (1, 3)]
    return [v for v in found if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]


def floor(values: Sequence[float]) -> float:
    """Below it lies what would leave no room for the others: ``FAR`` times as far below the highest
    value as the middle one is."""
    order = sorted(values)
    high, middle = order[-1], order[(len(order) - 1) // 2]
    return high - FAR * (high - middle) if high > middle else order[0]


def short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def apart(places: Sequence[float], top: float, bottom: float) -> list[float]:
    """Heights of labels near ``places``, at least a line apart."""
    order = np.argsort(places)
    moved = list(places)
    above = top - LABEL_HEIGHT
    for i in order:
        moved[i] = max(moved[i], above + LABEL_HEIGHT)
        above = moved[i]
    below = bottom + LABEL_HEIGHT
    for i in order[::-1]:
        moved[i] = min(moved[i], below - LABEL_HEIGHT)
        below = moved[i]
    return moved


@dataclass(frozen=True)
class Box:
    """A rectangle of a figure, in its pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def shared(self, other: Box) -> float:
        """The area that two boxes have in common."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, across) * max(0.0, down)

    def holds(self, other: Box) -> bool:
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )


def text_width(text: str) -> float:
    """How wide a label is at most, in pixels."""
    return sum(WIDE_LETTER if ord(c) > 0x2E7F else LETTER for c in text)


def placed(
    labels: Sequence[tuple[str, float, float]], taken: Sequence[Box], area: Box
) -> list[tuple[Box, bool]]:
    """Where labels of points stand so that they cover nothing and each other not either.

    The most crowded ones choose first, each the nearest free place around its point; where none is
    free, the one that covers least.

    Args:
        labels: (text, x, y) of each point.
        taken: what no label may cover.
        area: where labels may stand.

    Returns:
        Of each label its box, and whether it is so far that a line should lead to its point.
    """
    crowd = [sum(math.hypot(x - a, y - b) < 80 for _, a, b in labels) for _, x, y in labels]
    found: dict[int, tuple[Box, bool]] = {}
    full = list(taken)
    for i in sorted(range(len(labels)), key=lambda i: -crowd[i]):
        best, least = None, math.inf
        for box, reach in _around(*labels[i]):
            if not area.holds(box):
                continue
            covered = sum(box.shared(other) for other in full)
            if covered < least:
                best, least = (box, reach > NEAR), covered
            if covered == 0:
                break
        assert best is not None, "a label that is wider than its figure"
        found[i] = best
        full.append(best[0])
    return [found[i] for i in range(len(labels))]


def _around(text: str, x: float, y: float) -> list[tuple[Box, float]]:
    """The places of a label around its point, the nearest first, with how far each is."""
    width = text_width(text)
    found = []
    for reach in REACHES:
        for degrees in DIRECTIONS:
            dx, dy = math.cos(math.radians(degrees)), -math.sin(math.radians(degrees))
            left = x + reach * dx - (0.0 if dx > 0.3 else width if dx < -0.3 else width / 2)
            top = y + reach * dy - LABEL_HEIGHT / 2 * (1 - dy)
            found.append((Box(left, top, left + width, top + LABEL_HEIGHT), float(reach)))
    return found
