"""Figures of how far metrics of samples can be trusted: between marks, and against likelihood."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from genzoo.report.svg import N_COLOURS, add, apart, figure, markup, short, ticks
from genzoo.results.marks import Marks
from genzoo.results.numbers import Value, number

LEFT, HEAD, ROW, GAP = 150, 58, 20, 10
WIDTH, WIDEST = 980, 110  # of all lanes together where there are many; of one where there are few
BEYOND = 0.45  # of the way between the marks, what is shown on either side
ROOM = 0.1  # beside the outermost values, where a metric sees nothing


@dataclass(frozen=True)
class Strip:
    """A metric: its title, the values by source, its marks and that of a copycat."""

    title: str
    arrow: str
    values: Mapping[str, Value | None]
    marks: Marks
    copycat: Value | None


def strips(
    found: Sequence[Strip], sources: Sequence[str], apart: int, colours: Mapping[str, int]
) -> Markup:
    """A column for each metric, a line for each source: a dot with its error between the marks.

    Args:
        sources: the lines from above; the last ``apart`` are references.
        colours: of the models.
    """
    height = HEAD + ROW * len(sources) + 8
    title = "Metrics of samples by model, each between no skill and held-out rows"
    step = min(WIDEST, WIDTH // len(found))
    width = LEFT + step * len(found)
    svg = figure(width, height, title)
    for i, source in enumerate(sources):
        y = HEAD + ROW * (i + 0.5)
        style = f"label c{colours[source] % N_COLOURS}" if source in colours else "small"
        add(svg, "text", short(source, 19), x=0, y=y + 4, class_=style)
    if apart:
        y = HEAD + ROW * (len(sources) - apart)
        add(svg, "line", x1=0, x2=width, y1=y, y2=y, class_="rule")
    for i, strip in enumerate(found):
        _column(svg, strip, (LEFT + step * i, step - GAP), sources, colours)
    return markup(svg)


def _column(
    svg: ET.Element,
    strip: Strip,
    lane: tuple[int, int],
    sources: Sequence[str],
    colours: Mapping[str, int],
) -> None:
    """A metric's lane, which has a left end and a width."""
    (first, size), bottom = lane, HEAD + ROW * len(sources)
    group = add(svg, "g", class_="strip" if strip.marks.sees else "strip blind")
    back = add(group, "rect", x=first, y=HEAD, class_="lane")
    back.set("width", str(size))
    back.set("height", str(bottom - HEAD))
    words = strip.title.split(" ")
    half = (len(words) + 1) // 2
    head = (
        " ".join(words[:half]),
        " ".join([*words[half:], strip.arrow]),
        "" if strip.marks.sees else "sees nothing",
    )
    for line, text in enumerate(head):
        add(group, "text", text, x=first + size / 2, y=14 + 15 * line, text_anchor="middle",
             class_="small")  # fmt: skip
    low, high = _span(strip)

    def across(value: float) -> float:
        return first + size * (value - low) / (high - low)

    marks = (("worst", strip.marks.worst), ("best", strip.marks.best), ("copy", strip.copycat))
    for name, mark in marks:
        if mark is not None and first <= (x := across(mark.value)) <= first + size:
            add(group, "line", x1=x, x2=x, y1=HEAD, y2=bottom, class_=f"at-{name}")
    for i, source in enumerate(sources):
        value = strip.values.get(source)
        if value is None:
            continue
        y = HEAD + ROW * (i + 0.5)
        style = "reference-mark"
        if source in colours:
            style = f"c{colours[source] % N_COLOURS}"
        dot = add(group, "g", class_=f"mark {style}")
        add(dot, "title", f"{source}: {value.text}")
        x = across(value.value)
        if not first <= x <= first + size:
            arrow, end, anchor = ("◂", first, "start") if x < first else ("▸", first + size, "end")
            add(dot, "text", arrow, x=end, y=y + 4, text_anchor=anchor, class_="off")
            continue
        left, right = (min(max(across(end), first), first + size) for end in _ends(value))
        add(dot, "line", x1=left, x2=right, y1=y, y2=y, class_="error")
        add(dot, "circle", cx=x, cy=y, r=3.5)


def _span(strip: Strip) -> tuple[float, float]:
    """The values at the left and the right end of a lane; better is on the right."""
    worst, best = strip.marks.worst, strip.marks.best
    if strip.marks.sees and worst is not None and best is not None:
        way = best.value - worst.value
        return worst.value - BEYOND * way, best.value + BEYOND * way
    known = [v for v in strip.values.values() if v is not None]
    low = min(v.value - v.stderr for v in known)
    high = max(v.value + v.stderr for v in known)
    room = ROOM * (high - low) or 1.0
    ends = low - room, high + room
    return ends if strip.marks.higher_is_better is not False else (ends[1], ends[0])


@dataclass(frozen=True)
class Point:
    """A family: its likelihood in nats a row, and a metric of its samples."""

    model: str
    colour: int
    nats: Value
    is_bound: bool
    metric: Value


def scatter(points: Sequence[Point], title: str, best: Value | None, *, higher: bool) -> Markup:
    """Likelihood upwards, a metric of samples to the right, of either the better end.

    Args:
        best: the metric of held-out rows, which is marked.
        higher: whether more of the metric is better.
    """
    width, height, left, right, top, bottom = 500, 280, 58, 340, 12, 236
    svg = figure(width, height, f"Likelihood against {title}, by family")
    xs = [end for p in points for end in _ends(p.metric)] + ([best.value] if best else [])
    ys = [end for p in points for end in _ends(p.nats)]
    (x0, x1), (y0, y1) = (_padded(values) for values in (xs, ys))

    def across(value: float) -> float:
        share = (value - x0) / (x1 - x0)
        return left + (share if higher else 1 - share) * (right - left)

    def up(value: float) -> float:
        return top + (y1 - value) / (y1 - y0) * (bottom - top)

    grid = add(svg, "g", class_="grid")
    for value, text in _ticks(y0, y1):
        y = up(value)
        add(grid, "line", x1=left, x2=right, y1=y, y2=y)
        add(grid, "text", text, x=left - 6, y=y + 4, text_anchor="end")
    for value, text in _ticks(x0, x1):
        x = across(value)
        add(grid, "line", x1=x, x2=x, y1=top, y2=bottom)
        add(grid, "text", text, x=x, y=bottom + 16, text_anchor="middle")
    middle = (left + right) / 2
    add(grid, "text", f"{title}, better to the right", x=middle, y=height - 8,
         text_anchor="middle")  # fmt: skip
    add(grid, "text", "nats a row", x=left + 4, y=top + 2)
    if best is not None:
        x = across(best.value)
        add(svg, "line", x1=x, x2=x, y1=top, y2=bottom, class_="reference")
        add(svg, "text", "held-out", x=x - 4, y=bottom - 5, text_anchor="end", class_="small")
    places = apart([up(p.nats.value) for p in points], top + 4, bottom)
    for point, height_of_label in zip(points, places, strict=True):
        x, y = across(point.metric.value), up(point.nats.value)
        group = add(svg, "g", class_=f"mark c{point.colour % N_COLOURS}")
        sign = "≥ " if point.is_bound else ""
        words = f"{point.model}: {sign}{point.nats.text} nats a row, {point.metric.text}"
        add(group, "title", words)
        a, b = _ends(point.metric)
        add(group, "line", x1=across(a), x2=across(b), y1=y, y2=y, class_="error")
        a, b = _ends(point.nats)
        add(group, "line", x1=x, x2=x, y1=up(a), y2=up(b), class_="error")
        add(group, "circle", cx=x, cy=y, r=4.5)
        if point.is_bound:
            add(group, "path", d=f"M{x:.1f} {y - 5:.1f}v-12m-4 4l4-4l4 4", class_="upwards")
        ink = f"label c{point.colour % N_COLOURS}"
        add(svg, "text", short(point.model, 18), x=right + 8, y=height_of_label + 4, class_=ink)
    return markup(svg)


def _ends(value: Value) -> tuple[float, float]:
    error = value.stderr if math.isfinite(value.stderr) else 0.0
    return value.value - error, value.value + error


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.07 * (high - low) or 0.5
    return low - room, high + room


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    shown = ticks(low, high, 5)
    step = shown[1] - shown[0] if len(shown) > 1 else 0.1
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(value, number(value, places)) for value in shown]
