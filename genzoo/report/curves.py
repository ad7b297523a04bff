"""Learning curves: validation nats against training seconds, and against steps."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from markupsafe import Markup

from genzoo.fitting import Training
from genzoo.report import svg
from genzoo.results import numbers
from genzoo.results.numbers import number
from genzoo.results.ranking import Ranking

Axis = Literal["seconds", "steps"]
End = Literal["converged", "at-rest", "improving"]

DASHES = ("", "7 3", "2 3", "9 3 2 3", "", "7 3", "2 3", "9 3 2 3")
TITLES: dict[Axis, str] = {"seconds": "By seconds", "steps": "By steps"}
WORDS: dict[Axis, str] = {
    "seconds": "training seconds",
    "steps": "steps: what each family counts as one",
}
ENDS: dict[End, str] = {
    "converged": "converged",
    "at-rest": "its limit ended it, with nothing more to gain",
    "improving": "still improving when its limit ended it",
}
WIDE = 30.0  # times from the shortest training to the longest: from here on the axis is logarithmic


@dataclass(frozen=True)
class Curve:
    """Validation nats a row of one fit at some moments, and how it ended.

    Attributes:
        across: by axis (n,) where the points lie; ``ends`` where the training was over.
        nats: (n,) at the points.
        end: None where it is not known.
    """

    label: str
    colour: int
    across: Mapping[Axis, np.ndarray]
    nats: np.ndarray
    ends: Mapping[Axis, float]
    end: End | None = None


@dataclass(frozen=True)
class Pane:
    """One figure."""

    key: Axis
    title: str
    figure: Markup


def curves(ranking: Ranking, colours: Mapping[str, int], key: str) -> list[Pane]:
    """The figures of a data set, one an axis; empty where no fit left a curve.

    Args:
        ranking: its families; each seed and fold has a curve.
        colours: of the families.
        key: part of the figures' ids on the page.
    """
    found = [
        curve(entry.model, colours[entry.model], cell.record.training)
        for entry in ranking.entries
        for cell in entry.ok
        if cell.record.training is not None
    ]
    facts = ranking.dataset.facts
    reference = None
    if facts.entropy is not None and facts.entropy.value is not None:
        reference = ("truth (−entropy)", -facts.entropy.value)
    what = f"Validation log-likelihood on {facts.name} over training"
    drawn = [
        (
            axis,
            learning_curves(
                found, axis, f"{what} {axis}, for each model", f"{key}-{axis}", reference
            ),
        )
        for axis in TITLES
    ]
    return [Pane(axis, TITLES[axis], figure) for axis, figure in drawn if figure is not None]


def curve(label: str, colour: int, training: Training) -> Curve:
    """What a fit's record says of validation rows."""
    points = [p for p in training.curve if p.valid is not None]
    across: dict[Axis, np.ndarray] = {
        "seconds": np.array([p.seconds for p in points], dtype=float),
        "steps": np.array([p.step for p in points], dtype=float),
    }
    nats = np.array([p.valid for p in points], dtype=float)
    ends: dict[Axis, float] = {"seconds": training.seconds, "steps": float(training.steps)}
    return Curve(label, colour, across, nats, ends, end_of(training))


def end_of(training: Training) -> End:
    if not training.converged:
        return "improving"
    return "converged" if training.stopped_by == "converged" else "at-rest"


@dataclass(frozen=True)
class Axes:
    """Nats over seconds or steps, in a box of the figure; what lies far below the ends of the
    curves is cut off."""

    low: float
    high: float
    first: float
    last: float
    is_log: bool

    width, height, left, right, top, bottom = 760, 340, 64, 590, 12, 300

    @classmethod
    def around(cls, curves: Sequence[Curve], axis: Axis, reference: float | None) -> Self:
        """Curves of finite points, and a horizontal line."""
        tops = [float(c.nats.max()) for c in curves] + ([] if reference is None else [reference])
        high = max(tops)
        low = min(t for t in tops if t >= svg.floor(tops))
        room = max(high - low, 0.02 * abs(high), 1e-3)
        low = max(low - 0.5 * room, min(*(float(c.nats.min()) for c in curves), low))
        least = 0.01 if axis == "seconds" else 1.0
        ends = [max(least, float(c.across[axis].max()), c.ends[axis]) for c in curves]
        is_log = max(ends) > WIDE * min(ends)
        first = 0.0
        if is_log:
            places = np.concatenate([c.across[axis] for c in curves])
            first = max(least, float(places[places > 0].min())) if (places > 0).any() else least
        last = max(1.15 * max(ends) if is_log else 1.03 * max(ends), first * 3)
        return cls(low - 0.02 * room, high + 0.06 * room, first, last, is_log)

    def across(self, place: np.ndarray | float) -> np.ndarray:
        if self.is_log:
            x0, x1 = math.log10(self.first), math.log10(self.last)
            share = (np.log10(np.maximum(place, self.first)) - x0) / (x1 - x0)
        else:
            share = np.asarray(place) / self.last
        return self.left + share * (self.right - self.left)

    def up(self, nats: np.ndarray | float) -> np.ndarray:
        share = (self.high - np.asarray(nats)) / (self.high - self.low)
        return self.top + share * (self.bottom - self.top)

    def draw(self, root: ET.Element, axis: Axis, clip: str) -> None:
        """The grid, and the box that curves are cut to."""
        area = svg.add(svg.add(root, "clipPath", id=clip), "rect", x=self.left, y=self.top)
        area.set("width", str(self.right - self.left))
        area.set("height", str(self.bottom - self.top))
        grid = svg.add(root, "g", class_="grid")
        shown = svg.ticks(self.low, self.high, 7)
        step = shown[1] - shown[0] if len(shown) > 1 else 0.1
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        for value in shown:
            y = float(self.up(value))
            svg.add(grid, "line", x1=self.left, x2=self.right, y1=y, y2=y)
            text = number(value, places)
            svg.add(grid, "text", text, x=self.left - 8, y=y + 4, text_anchor="end")
        for value in self._ticks_across():
            x, y = float(self.across(value)), self.bottom + 16
            svg.add(grid, "line", x1=x, x2=x, y1=self.top, y2=self.bottom)
            text = f"{value:g} s" if axis == "seconds" else number(value, 0)
            svg.add(grid, "text", text, x=x, y=y, text_anchor="middle")
        x = (self.left + self.right) / 2
        words = WORDS[axis] + (" (logarithmic)" if self.is_log else "")
        svg.add(grid, "text", words, x=x, y=self.height - 6, text_anchor="middle")

    def _ticks_across(self) -> list[float]:
        if self.is_log:
            return svg.log_ticks(self.first, self.last)
        return svg.ticks(0.0, self.last, 6)

    def is_below(self, nats: float) -> bool:
        """Whether even the best point of a curve is cut off."""
        return nats < self.low


def learning_curves(
    curves: Sequence[Curve],
    axis: Axis,
    title: str,
    key: str,
    reference: tuple[str, float] | None = None,
) -> Markup | None:
    """Lines from point to point, each with its best point and the mark of how it ended; None where
    no curve has a point.

    Args:
        curves: one for each cell; curves of one model share its colour and its label.
        axis: what they lie over.
        title: read out to those who can't see the figure.
        key: part of the figure's id on the page.
        reference: a horizontal line, such as the truth's.
    """
    finite = [(c, np.isfinite(c.nats)) for c in curves]
    drawn = [
        replace(c, across={a: x[k] for a, x in c.across.items()}, nats=c.nats[k])
        for c, k in finite
        if k.any()
    ]
    if not drawn:
        return None
    axes = Axes.around(drawn, axis, None if reference is None else reference[1])
    root, clip = svg.figure(axes.width, axes.height, title), f"clip-{key}"
    axes.draw(root, axis, clip)
    svg.numbered(
        root,
        ("model", axis, "nats"),
        (
            (c.label, *point)
            for c in drawn
            for point in zip(c.across[axis].tolist(), c.nats.tolist(), strict=True)
        ),
    )
    labels: dict[str, tuple[float, str, str]] = {}
    if reference:
        y = float(axes.up(reference[1]))
        svg.add(root, "line", x1=axes.left, x2=axes.right, y1=y, y2=y, class_="reference")
        labels[reference[0]] = (y, "reference-label", reference[0])
    for curve in drawn:
        y = _line(root, curve, axes, axis, clip)
        text, style = svg.short(curve.label, 20), f"label c{curve.colour % svg.N_COLOURS}"
        best = float(curve.nats.max())
        if axes.is_below(best):
            text += f" {number(best, numbers.decimals(None, best))} ▾"
        # of several fits of a model the first is the one that is ranked
        labels.setdefault(curve.label, (y, style, text))
    heights = svg.apart([y for y, _, _ in labels.values()], axes.top + 4, axes.height - 4)
    for (label, (at, style, words)), y in zip(labels.items(), heights, strict=True):
        line = f"{axes.right},{at:.1f} {axes.right + 14},{y:.1f}"
        svg.add(root, "polyline", points=line, class_=f"lead-in {style.removeprefix('label ')}")
        written = svg.add(root, "text", words, x=axes.right + 18, y=y + 4, class_=style)
        written.set("data-model", label)
    return svg.markup(root)


def _line(root: ET.Element, curve: Curve, axes: Axes, axis: Axis, clip: str) -> float:
    """One curve; the height of its best point."""
    xs, ys = axes.across(curve.across[axis]), axes.up(curve.nats)
    colour = curve.colour % svg.N_COLOURS
    group = svg.add(root, "g", class_=f"line c{colour}", data_model=curve.label)
    cut = svg.add(group, "g", clip_path=f"url(#{clip})")
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(xs, ys, strict=True))
    if len(xs) > 1:
        svg.add(cut, "polyline", points=points, stroke_dasharray=DASHES[colour] or "none")
    best = int(np.argmin(ys))
    x, y = float(xs[best]), float(ys[best])
    if axes.is_below(float(curve.nats[best])):
        return float(axes.bottom)
    svg.add(group, "line", x1=x, x2=axes.right, y1=y, y2=y, class_="kept")
    svg.add(group, "circle", cx=x, cy=y, r=3.5)
    if curve.end is not None:
        at = max(float(axes.across(curve.ends[axis])), float(xs.max()))
        _mark(group, curve, at, y)
    return y


def _mark(group: ET.Element, curve: Curve, x: float, y: float) -> None:
    """How the training ended, at its end, on the height of the best point."""
    assert curve.end is not None
    corners = {
        "converged": ((-5, -5), (5, -5), (5, 5), (-5, 5)),
        "at-rest": ((-5, -5), (5, -5), (5, 5), (-5, 5)),
        "improving": ((-6, 5), (6, 5), (0, -7)),
    }[curve.end]
    points = " ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in corners)
    mark = svg.add(group, "polygon", points=points, class_=f"end {curve.end}", data_end=curve.end)
    svg.add(mark, "title", f"{curve.label}: {ENDS[curve.end]}")
