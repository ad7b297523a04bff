"""Figures of where one model wins over another, and of a model against the truth."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from genzoo.report.svg import N_COLOURS, add, figure, markup, short, ticks
from genzoo.results.explained import Calibration
from genzoo.results.numbers import decimals, number, with_error

LINE = 22  # height of a bar
MOST_TITLED = 300  # pixels that say their number under the pointer
MAP_WIDTH = 300


def _scale(value: float) -> str:
    return number(value, 2 if abs(value) < 10 else 0)


def bars(names: Sequence[str], value: np.ndarray, stderr: np.ndarray, title: str) -> Markup:
    """A bar for each name, to the right where it is a gain, with its standard error as a line."""
    width, label, right = 600, 204, 124
    height = LINE * len(names) + 8
    svg = figure(width, height, title)
    error = np.where(np.isfinite(stderr), stderr, 0.0)
    low = min(0.0, float((value - error).min()))
    high = max(0.0, float((value + error).max()))
    per_nat = (width - label - right) / max(high - low, 1e-9)
    zero = label - low * per_nat
    places = decimals(float(error.max()), float(np.abs(value).max()))
    for i, (name, v, e) in enumerate(zip(names, value.tolist(), stderr.tolist(), strict=True)):
        y = 4 + LINE * i
        add(svg, "text", short(name, 24), x=label - 8, y=y + 15, text_anchor="end")
        bar = _bar(svg, v, zero, per_nat, y)
        add(bar, "title", f"{name}: {with_error(v, e)} nats a row")
        if np.isfinite(e):
            x0, x1 = zero + (v - e) * per_nat, zero + (v + e) * per_nat
            add(svg, "line", x1=x0, x2=x1, y1=y + 10.5, y2=y + 10.5, class_="whisker")
        text = f"{number(v, places)} ± {number(e, places)}"
        add(svg, "text", text, x=width - right + 10, y=y + 15, class_="value")
    add(svg, "line", x1=zero, x2=zero, y1=0, y2=height, class_="zero")
    return markup(svg)


def _bar(svg: ET.Element, value: float, zero: float, per_nat: float, y: float) -> ET.Element:
    long = abs(value) * per_nat
    bar = add(svg, "rect", x=zero if value > 0 else zero - long, y=y + 3)
    bar.set("class", "gain" if value > 0 else "loss")
    bar.set("width", f"{long:.1f}")
    bar.set("height", f"{LINE - 7}")
    return bar


def positions(
    starts: np.ndarray, D: int, value: np.ndarray, stderr: np.ndarray, title: str
) -> Markup:
    """A line over the positions of a sequence, with a band of a standard error on either side."""
    width, height, left, top, bottom = 760, 220, 56, 10, 182
    svg = figure(width, height, title)
    error = np.where(np.isfinite(stderr), stderr, 0.0)
    low, high = float((value - error).min()), float((value + error).max())
    low, high = min(low, 0.0), max(high, 1e-9)
    middle = (starts + np.append(starts[1:], D) - 1) / 2

    def across(place: np.ndarray) -> np.ndarray:
        return left + (np.asarray(place) + 0.5) / D * (width - left - 10)

    def up(nats: np.ndarray) -> np.ndarray:
        return top + (high - np.asarray(nats)) / (high - low) * (bottom - top)

    grid = add(svg, "g", class_="grid")
    shown = ticks(low, high, 5)
    step = shown[1] - shown[0] if len(shown) > 1 else 1.0
    places = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    for v in shown:
        y = float(up(np.array(v)))
        add(grid, "line", x1=left, x2=width, y1=y, y2=y)
        add(grid, "text", number(v, places), x=left - 8, y=y + 4, text_anchor="end")
    for p in range(0, D, max(1, D // 8)):
        x = float(across(np.array(p)))
        add(grid, "text", str(p + 1), x=x, y=bottom + 16, text_anchor="middle")
    words = "position" if len(starts) == D else f"position ({len(starts)} blocks of neighbours)"
    add(grid, "text", words, x=(left + width) / 2, y=height - 4, text_anchor="middle")
    zero = float(up(np.array(0.0)))
    add(svg, "line", x1=left, x2=width, y1=zero, y2=zero, class_="zero")
    xs, ys = across(middle), up(value)
    edge = [*zip(xs, up(value + error), strict=True)]
    edge += [*zip(xs[::-1], up(value - error)[::-1], strict=True)]
    add(svg, "polygon", points=_points(edge), class_="band")
    add(svg, "polyline", points=_points([*zip(xs, ys, strict=True)]), class_="gains")
    for x, y, v, e in zip(xs.tolist(), ys.tolist(), value.tolist(), stderr.tolist(), strict=True):
        dot = add(svg, "circle", cx=x, cy=y, r=3, class_="gain" if v > 0 else "loss")
        add(dot, "title", f"{with_error(v, e)} nats a row")
    return markup(svg)


def _points(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)


def pixels(starts: np.ndarray, event_shape: Sequence[int], value: np.ndarray, title: str) -> Markup:
    """A map of nats a pixel, the stronger the colour the more; channels are added up, and a block
    of pixels shares its nats among them."""
    H, W = event_shape[-2:]
    D = int(np.prod(event_shape))
    sizes = np.diff(np.append(starts, D))
    of_pixels = np.repeat(value / sizes, sizes).reshape(-1, H, W).sum(axis=0)
    most = max(float(np.abs(of_pixels).max()), 1e-9)
    side = max(4, MAP_WIDTH // W)
    legend = 44
    svg = figure(max(side * W, 270), side * H + legend, title)
    svg.set("class", "map")
    for y, line in enumerate(of_pixels.tolist()):
        for x, v in enumerate(line):
            cell = _shade(svg, v, most, side * x, side * y, side)
            if H * W <= MOST_TITLED:
                add(cell, "title", f"line {y + 1}, column {x + 1}: {number(v, 3)} nats")
    frame = add(svg, "rect", x=0, y=0, class_="frame")
    frame.set("width", str(side * W))
    frame.set("height", str(side * H))
    for i, share in enumerate((-1, -0.5, 0, 0.5, 1)):
        x = 54 * i
        _shade(svg, share * most, most, x, side * H + 10, 14).set("stroke", "currentColor")
        add(svg, "text", _scale(share * most), x=x, y=side * H + 40, class_="small")
    return markup(svg)


def _shade(svg: ET.Element, v: float, most: float, x: float, y: float, side: int) -> ET.Element:
    cell = add(svg, "rect", x=x, y=y, class_="gain" if v > 0 else "loss")
    cell.set("width", str(side))
    cell.set("height", str(side))
    cell.set("fill-opacity", f"{abs(v) / most:.2f}")
    return cell


def against_truth(found: Sequence[tuple[str, int, Calibration]], title: str) -> Markup:
    """Log mass of models less that of the truth, over the truth's, by tenths of the test rows.

    Args:
        found: label, colour and numbers of each model, the most important one first.
    """
    width, height, left, right, top, bottom = 760, 260, 60, 600, 12, 214
    svg = figure(width, height, title)
    every = [c for _, _, c in found]
    error = [np.where(np.isfinite(c.stderr), c.stderr, 0.0) for c in every]
    low = min(0.0, *(float((c.value - e).min()) for c, e in zip(every, error, strict=True)))
    high = max(1e-9, *(float((c.value + e).max()) for c, e in zip(every, error, strict=True)))
    first, last = every[0].truth[0], every[0].truth[-1]
    wide = max(last - first, 1e-9)

    def across(nats: float) -> float:
        return float(left + 12 + (nats - first) / wide * (right - left - 24))

    def up(nats: float) -> float:
        return float(top + (high - nats) / (high - low) * (bottom - top))

    grid = add(svg, "g", class_="grid")
    for v in ticks(low, high, 5):
        add(grid, "line", x1=left, x2=right, y1=up(v), y2=up(v))
        add(grid, "text", f"{v:g}".replace("-", "−"), x=left - 8, y=up(v) + 4, text_anchor="end")
    for v in ticks(float(first), float(last), 6) if last > first else []:
        text = f"{v:g}".replace("-", "−")
        add(grid, "text", text, x=across(v), y=bottom + 16, text_anchor="middle")
    words = "log mass under the truth, nats: rare rows left, common rows right"
    add(grid, "text", words, x=(left + right) / 2, y=height - 6, text_anchor="middle")
    add(svg, "line", x1=left, x2=right, y1=up(0.0), y2=up(0.0), class_="zero")
    labels = []
    for (label, colour, c), e in zip(found, error, strict=True):
        group = add(svg, "g", class_=f"line c{colour % N_COLOURS}")
        xs = [across(x) for x in c.truth.tolist()]
        ys = [up(y) for y in c.value.tolist()]
        add(group, "polyline", points=_points([*zip(xs, ys, strict=True)]))
        for x, y, v, s in zip(xs, ys, c.value.tolist(), e.tolist(), strict=True):
            add(group, "line", x1=x, x2=x, y1=up(v - s), y2=up(v + s), class_="bar")
            dot = add(group, "circle", cx=x, cy=y, r=3)
            add(dot, "title", f"{label}: {with_error(v, s)} nats")
        labels.append((ys[-1], label, colour))
    above = -np.inf
    for y, label, colour in sorted(labels):
        above = max(y + 4, above + 15)
        style = f"label c{colour % N_COLOURS}"
        add(svg, "text", short(label, 22), x=right + 8, y=float(above), class_=style)
    return markup(svg)
