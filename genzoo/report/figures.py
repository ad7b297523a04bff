"""Figures as inline SVG: their colours are the page's own, so they follow light and dark.

Elements are built with ElementTree, which escapes every text.
"""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
from markupsafe import Markup

from genzoo.results.numbers import number
from genzoo.space import times
from genzoo.space.schema import Variable

N_COLOURS = 8
DASHES = ("", "7 3", "2 3", "9 3 2 3", "", "7 3", "2 3", "9 3 2 3")
MOST_BARS = 10
LABEL_HEIGHT = 14


@dataclass(frozen=True)
class Curve:
    """Validation nats per row against seconds, one line of a figure."""

    label: str
    colour: int
    seconds: np.ndarray
    nats: np.ndarray


def _add(parent: ET.Element, tag: str, text: str | None = None, **attributes: Any) -> ET.Element:
    names = {k.rstrip("_").replace("_", "-"): _plain(v) for k, v in attributes.items()}
    element = ET.SubElement(parent, tag, names)
    element.text = text
    return element


def _plain(value: Any) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def _figure(width: int, height: int, title: str) -> ET.Element:
    svg = ET.Element("svg", viewBox=f"0 0 {width} {height}", role="img", width=str(width))
    svg.set("height", str(height))
    svg.set("aria-label", title)
    return svg


def _numbered(svg: ET.Element, heads: Sequence[str], rows: Iterable[Sequence[str | float]]) -> None:
    """Give a figure the numbers that it is drawn from, which the page hands out as CSV."""
    lines = [[float(f"{v:.6g}") if isinstance(v, float) else v for v in row] for row in rows]
    svg.set("data-numbers", json.dumps([heads, *lines], ensure_ascii=False))


def _markup(svg: ET.Element) -> Markup:
    # safe: ElementTree has escaped every text and attribute
    return Markup(ET.tostring(svg, encoding="unicode"))


def ticks(low: float, high: float, n: int) -> list[float]:
    """At most n + 1 round numbers between low and high."""
    step = 10.0 ** math.floor(math.log10((high - low) / n))
    step *= next(f for f in (1, 2, 5, 10) if step * f * n >= high - low)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


@dataclass(frozen=True)
class Axes:
    """Nats over the logarithm of seconds, in a box of the figure; what lies far below the ends of
    the curves is cut off."""

    low: float
    high: float
    first: float
    last: float

    width, height, left, right, top, bottom = 760, 340, 64, 610, 12, 300

    @classmethod
    def around(cls, curves: Sequence[Curve], reference: float | None) -> Self:
        """Curves of finite points, and a horizontal line."""
        tops = [float(c.nats.max()) for c in curves] + ([] if reference is None else [reference])
        high, low = max(tops), min(tops)
        room = max(high - low, 0.02 * abs(high), 1e-3)
        low = max(low - 0.5 * room, min(*(float(c.nats.min()) for c in curves), low))
        times = np.concatenate([c.seconds for c in curves])
        first = max(0.01, float(times[times > 0].min())) if (times > 0).any() else 0.1
        last = max(1.15 * float(times.max()), first * 3)
        return cls(low - 0.02 * room, high + 0.06 * room, first, last)

    def across(self, seconds: np.ndarray | float) -> np.ndarray:
        x0, x1 = math.log10(self.first), math.log10(self.last)
        place = np.log10(np.maximum(seconds, self.first))
        return self.left + (place - x0) / (x1 - x0) * (self.right - self.left)

    def up(self, nats: np.ndarray | float) -> np.ndarray:
        share = (self.high - np.asarray(nats)) / (self.high - self.low)
        return self.top + share * (self.bottom - self.top)

    def draw(self, svg: ET.Element, clip: str) -> None:
        """The grid, and the box that curves are cut to."""
        area = _add(_add(svg, "clipPath", id=clip), "rect", x=self.left, y=self.top)
        area.set("width", str(self.right - self.left))
        area.set("height", str(self.bottom - self.top))
        grid = _add(svg, "g", class_="grid")
        shown = ticks(self.low, self.high, 7)
        step = shown[1] - shown[0] if len(shown) > 1 else 0.1
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        for value in shown:
            y = float(self.up(value))
            _add(grid, "line", x1=self.left, x2=self.right, y1=y, y2=y)
            _add(grid, "text", number(value, places), x=self.left - 8, y=y + 4, text_anchor="end")
        x0, x1 = math.log10(self.first), math.log10(self.last)
        for exponent in range(math.floor(x0), math.ceil(x1) + 1):
            for seconds in (10.0**exponent, 3 * 10.0**exponent):
                if x0 - 1e-9 <= math.log10(seconds) <= x1 + 1e-9:
                    x = float(self.across(seconds))
                    _add(grid, "line", x1=x, x2=x, y1=self.top, y2=self.bottom)
                    y = self.bottom + 16
                    _add(grid, "text", f"{seconds:g} s", x=x, y=y, text_anchor="middle")
        x = (self.left + self.right) / 2
        words = "training seconds (logarithmic)"
        _add(grid, "text", words, x=x, y=self.height - 6, text_anchor="middle")


def learning_curves(
    curves: Sequence[Curve], title: str, key: str, reference: tuple[str, float] | None = None
) -> Markup | None:
    """Lines over a logarithmic axis of seconds; None where no curve has a point.

    Args:
        curves: one for each cell; curves of one model share its colour and its label.
        title: read out to those who can't see the figure.
        key: part of the figure's id on the page.
        reference: a horizontal line, such as the truth's.
    """
    finite = [(c, np.isfinite(c.nats)) for c in curves]
    drawn = [replace(c, seconds=c.seconds[k], nats=c.nats[k]) for c, k in finite if k.any()]
    if not drawn:
        return None
    axes = Axes.around(drawn, None if reference is None else reference[1])
    svg, clip = _figure(axes.width, axes.height, title), f"clip-{key}"
    axes.draw(svg, clip)
    _numbered(
        svg,
        ("model", "seconds", "nats"),
        (
            (c.label, *point)
            for c in drawn
            for point in zip(c.seconds.tolist(), c.nats.tolist(), strict=True)
        ),
    )
    labels: dict[str, tuple[float, str]] = {}
    if reference:
        y = float(axes.up(reference[1]))
        _add(svg, "line", x1=axes.left, x2=axes.right, y1=y, y2=y, class_="reference")
        labels[reference[0]] = (y, "reference-label")
    for curve in drawn:
        xs, ys = axes.across(curve.seconds), axes.up(curve.nats)
        colour = curve.colour % N_COLOURS
        group = _add(svg, "g", class_=f"line c{colour}", clip_path=f"url(#{clip})")
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(xs, ys, strict=True))
        if len(xs) > 1:
            _add(group, "polyline", points=points, stroke_dasharray=DASHES[colour] or "none")
        best = int(np.argmin(ys))
        x, y = float(xs[best]), float(ys[best])
        _add(group, "line", x1=x, x2=axes.right, y1=y, y2=y, class_="kept")
        _add(group, "circle", cx=x, cy=y, r=3.5)
        labels[curve.label] = (y, f"label c{colour}")
    places = _apart([y for y, _ in labels.values()], axes.top + 4, axes.height - 4)
    for (label, (_, style)), y in zip(labels.items(), places, strict=True):
        _add(svg, "text", _short(label, 22), x=axes.right + 8, y=y + 4, class_=style)
    return _markup(svg)


def _apart(places: list[float], top: float, bottom: float) -> list[float]:
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


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def code_labels(variable: Variable) -> list[str]:
    """What each code stands for, in a few characters."""
    if variable.edges is not None:
        labels = [a if a == b else f"{a} to {b}" for a, b in times.cells_shown(variable)]
    elif variable.is_grid:
        labels = times.shown(variable, variable.on_grid(np.arange(variable.n_values)))
    elif variable.categories is not None:
        labels = [str(v) for v in variable.categories]
    else:
        labels = [str(v) for v in range(variable.n_values)]
    return labels + ["missing"] * variable.missing


def grouped(
    shares: np.ndarray, variable: Variable, real: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """At most ``MOST_BARS`` bars.

    Args:
        shares: (k, M) shares of each code in k sources.
        variable: what the codes mean: neighbours are joined on an ordinal scale, rare values on
            a nominal one.
        real: (M,) the shares by which nominal values are called rare.

    Returns:
        (k, bars) shares and the bars' labels.
    """
    labels = code_labels(variable)
    M = len(labels)
    if M <= MOST_BARS:
        return shares, labels
    if variable.kind == "ordinal":
        n = M - variable.missing
        bounds = np.linspace(0, n, MOST_BARS - variable.missing + 1).round().astype(int)
        parts = [np.arange(a, b) for a, b in pairwise(bounds.tolist())]
        names = [_span(labels[p[0]], labels[p[-1]]) for p in parts]
        if variable.missing:
            parts, names = [*parts, np.array([n])], [*names, "missing"]
    else:
        order = np.argsort(-real, kind="stable")
        parts = [np.array([c]) for c in order[: MOST_BARS - 1]] + [order[MOST_BARS - 1 :]]
        names = [labels[c] for c in order[: MOST_BARS - 1]] + [f"{M - MOST_BARS + 1} others"]
    return np.stack([shares[:, p].sum(axis=1) for p in parts], axis=1), names


def _span(first: str, last: str) -> str:
    low, high = first.split(" to ")[0], last.split(" to ")[-1]
    return low if first == last and low == high else f"{low} to {high}"


def marginal(
    variable: Variable, real: np.ndarray, models: Sequence[tuple[str, int, np.ndarray]]
) -> Markup:
    """A variable's shares: bars for the real rows, a mark for each model.

    Args:
        variable: named above the figure.
        real: (M,) shares of each code in training rows.
        models: (label, colour, (M,) shares) of each model's samples.
    """
    shares = np.stack([real, *(m[2] for m in models)])
    shares, labels = grouped(shares, variable, real)
    bars = shares.shape[1]
    slanted = bars > 5 or max(map(len, labels)) > 46 // bars
    bottom = 62 if slanted else 22
    width, height, left, top = 300, 132 + bottom, 34, 8
    high = max(float(shares.max()), 1e-9)
    svg = _figure(width, height, f"Shares of the values of {variable.name}: real rows and models")
    sources = ("real rows", *(model[0] for model in models))
    _numbered(
        svg,
        ("source", *labels),
        ((source, *of) for source, of in zip(sources, shares.tolist(), strict=True)),
    )
    grid = _add(svg, "g", class_="grid")
    for value in ticks(0.0, high, 3):
        y = top + (1 - value / high) * (height - top - bottom)
        _add(grid, "line", x1=left, x2=width, y1=y, y2=y)
        _add(grid, "text", f"{100 * value:g}%", x=left - 5, y=y + 4, text_anchor="end")
    slot = (width - left) / bars
    for b in range(bars):
        x = left + b * slot
        tall = shares[0, b] / high * (height - top - bottom)
        bar = _add(svg, "rect", x=x + 0.08 * slot, y=height - bottom - tall, class_="real")
        bar.set("width", f"{0.84 * slot:.1f}")
        bar.set("height", f"{tall:.1f}")
        _add(bar, "title", f"{labels[b]}: real {100 * shares[0, b]:.1f}%")
        for m, (label, colour, _) in enumerate(models):
            y = top + (1 - shares[m + 1, b] / high) * (height - top - bottom)
            at = x + slot * (0.5 + 0.72 * ((m + 0.5) / len(models) - 0.5))
            group = _add(svg, "g", class_=f"mark c{colour % N_COLOURS}")
            dot = _add(group, "circle", cx=float(at), cy=float(y), r=min(4.0, 1.5 + slot / 14))
            _add(dot, "title", f"{label}, {labels[b]}: {100 * shares[m + 1, b]:.1f}%")
        name = {"x": x + slot / 2, "y": height - bottom + 14, "text_anchor": "middle"}
        if slanted:
            name["text_anchor"] = "end"
            name["transform"] = f"rotate(-38 {name['x']:.1f} {name['y']:.1f})"
        _add(grid, "text", _short(labels[b], 14), class_="small", **name)
    return _markup(svg)
