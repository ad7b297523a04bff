"""Quality against cost: families as points, for each cost a figure."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from genzoo.fitting import Budget
from genzoo.report import svg
from genzoo.report.svg import Box
from genzoo.results import numbers
from genzoo.results.cost import COSTS, NOT_OF_THE_FAMILY, Plane, Point, over_all, plane, with_a_way
from genzoo.results.numbers import MARKS, listing, number, with_error
from genzoo.results.ranking import Ranking
from genzoo.results.record import BASELINE
from genzoo.results.run import RunRecord

WIDTH, HEIGHT = 760, 400
PLOT = Box(66.0, 30.0, 740.0, 350.0)
RADIUS = 6.0

TITLES = {
    "train": "Training",
    "score": "Scoring 1,000 rows",
    "sample": "Drawing 1,000 rows",
    "memory": "Peak memory",
}
MOST_NAMED = 3  # families in a sentence
MEMORY_IS = (
    "Memory is that of the whole worker, judging and libraries included, so it says little about "
    "one family: nobody counts as beaten by it."
)


@dataclass(frozen=True)
class Pane:
    """The figure of one cost, what it shows in a sentence, and who is missing in it."""

    key: str
    title: str
    figure: Markup
    words: str
    left_out: str


@dataclass(frozen=True)
class Line:
    """A family's numbers as text: the quality, then the costs in the order of the panes."""

    model: str
    value: str
    costs: list[str]


@dataclass(frozen=True)
class Chart:
    """``key`` is part of the ids on the page; ``value`` says what the quality is."""

    key: str
    panes: list[Pane]
    value: str
    lines: list[Line]


@dataclass(frozen=True)
class Frame:
    """What a figure is about: ``words`` of the vertical axis, a horizontal line with its name, the
    seconds at which training had to end; and over how many data sets, ``without`` which."""

    where: str
    words: str
    reference: tuple[str, float] | None = None
    ends: float | None = None
    in_percent: bool = False
    n_datasets: int = 1
    without: tuple[str, ...] = ()

    def text(self, point: Point) -> str:
        """The quality with its error."""
        if not self.in_percent:
            return with_error(point.value, point.stderr, point.kind)
        error = None if point.stderr is None else 100 * point.stderr
        return f"{with_error(100 * point.value, error, point.kind)} %"


def cost(run: RunRecord, ranking: Ranking, colours: Mapping[str, int], key: str) -> Chart | None:
    """Of one data set; None where no family gave a result."""
    facts = ranking.dataset.facts
    truth = ranking.truth
    reference = None if truth is None or truth.value is None else ("truth", truth.value)
    try:
        ends = Budget.parse(facts.budget).seconds
    except ValueError:  # "default"
        ends = None
    frame = Frame(facts.name, "nats a row", reference, ends)
    return _chart(plane(run, ranking), frame, colours, key)


def cost_of_all(
    run: RunRecord, rankings: Sequence[Ranking], colours: Mapping[str, int]
) -> Chart | None:
    """Over all data sets with a way: the mean share of it."""
    able = with_a_way(rankings)
    planes = [plane(run, ranking) for ranking in able]
    found = over_all(run.models, able, planes)
    end = ("the truth, or the best family", 1.0)
    shown = {r.dataset.name for r in able}
    without = tuple(r.dataset.name for r in rankings if r.dataset.name not in shown)
    words = "mean share of the way, %"
    frame = Frame("all data sets", words, end, None, True, len(able), without)
    return _chart(found, frame, colours, "all")


def _chart(found: Plane, frame: Frame, colours: Mapping[str, int], key: str) -> Chart | None:
    panes = [
        Pane(
            name,
            TITLES[name],
            _figure(found, name, frame, colours),
            _words(found, name, frame) + _endless(found),
            listing(p.model for p in found.points if name not in p.costs),
        )
        for name in COSTS
        if found.shown(name)
    ]
    if not panes:
        return None
    lines = [
        Line(p.model, frame.text(p), [amount(pane.key, p.costs.get(pane.key)) for pane in panes])
        for p in found.points
    ]
    return Chart(key, panes, frame.words.removesuffix(", %"), lines)


def amount(cost: str, value: float | None) -> str:
    """Seconds or memory as text, also what is far below a second."""
    if value is None:
        return numbers.DASH
    if cost == "memory":
        return f"{number(value, 0)} MiB"
    if value < 0.0995:
        places = 1 if value < 0.00995 else 0
        return f"{number(1000 * value, places)} ms"
    return numbers.seconds(value)


def _words(found: Plane, name: str, frame: Frame) -> str:
    """What to read off a figure."""
    if name == NOT_OF_THE_FAMILY:
        return MEMORY_IS
    if frame.in_percent:
        return _most_often(found, name, frame)
    beaten = found.beaten(name)
    able = [p.model for p in found.shown(name) if p.kind == "exact"]
    left = [model for model in able if model not in beaten]
    if not beaten:
        return "Nobody is beaten: no family is proven better than another and cheaper too."
    words = f"Not beaten: {listing(left)}." if left else ""
    named = [f"{model} (by {listing(by)})" for model, by in beaten.items()]
    return f"{words} Beaten, by one proven better and no dearer: {'; '.join(named)}.".strip()


def _endless(found: Plane) -> str:
    return f" Left out: {listing(found.endless)}, with no mass on a test row." * bool(found.endless)


def _most_often(found: Plane, name: str, frame: Frame) -> str:
    counts = [
        (*p.unbeaten[name], p.model)
        for p in found.shown(name)
        if p.unbeaten[name][1] and p.model != BASELINE  # which is unbeaten as the cheapest
    ]
    most = [c for c in counts if 2 * c[0] > c[1]]
    best = sorted(most, key=lambda c: (-c[0] / c[1], -c[1]))[:MOST_NAMED]
    named = [f"{model} ({left} of {able})" for left, able, model in best]
    words = [f"Unbeaten on most data sets: {listing(named)}."] if named else []
    n = frame.n_datasets
    fewer = listing(f"{p.model} ({p.n} of {n})" for p in found.shown(name) if p.n < n)
    if fewer:
        words.append(f"Means over fewer data sets, which can't be compared: {fewer}.")
    if frame.without:
        left = listing(frame.without)
        words.append(f"Left out, as no family goes farther than the lowest: {left}.")
    return " ".join(words)


# ------------------------------------------------------------------------------ the figure


@dataclass(frozen=True)
class Scale:
    """The ends of both axes; what lies below ``low`` is put at the edge."""

    low: float
    high: float
    first: float
    last: float

    @classmethod
    def around(cls, points: Sequence[Point], cost: str, frame: Frame) -> Scale:
        values = [p.value for p in points]
        high, low = max(values), min(v for v in values if v >= svg.floor(values))
        if frame.reference is not None:
            high = max(high, frame.reference[1])
        room = max(high - low, 0.02 * abs(high), 1e-3)
        costs = [p.costs[cost] for p in points]
        # half a power of ten on each side is room for labels
        side = 1.25 if cost == "memory" else 2.0
        return cls(low - 0.14 * room, high + 0.1 * room, min(costs) / side, max(costs) * side)

    def across(self, amount: float) -> float:
        share = math.log(amount / self.first) / math.log(self.last / self.first)
        return PLOT.left + share * (PLOT.right - PLOT.left)

    def up(self, value: float) -> float:
        share = (self.high - value) / (self.high - self.low)
        return PLOT.top + share * (PLOT.bottom - PLOT.top)

    def place(self, point: Point, cost: str) -> tuple[float, float]:
        y = PLOT.bottom - 2 * RADIUS if self.is_below(point) else self.up(point.value)
        return self.across(point.costs[cost]), y

    def is_below(self, point: Point) -> bool:
        return point.value < self.low


def _figure(found: Plane, cost: str, frame: Frame, colours: Mapping[str, int]) -> Markup:
    points = found.shown(cost)
    title = f"{frame.words.removesuffix(', %')} against {TITLES[cost].lower()} on {frame.where}"
    root, scale = svg.figure(WIDTH, HEIGHT, title), Scale.around(points, cost, frame)
    taken = _axes(root, scale, cost, frame)
    at = {p.model: scale.place(p, cost) for p in points}
    above = {p.model for p in points if not scale.is_below(p)}
    for a, b in found.gains(cost):
        if a in above and b in above:
            (x1, y1), (x2, y2) = at[a], at[b]
            svg.add(root, "line", x1=x1, y1=y1, x2=x2, y2=y2, class_="gain")
    beaten = found.beaten(cost)
    bars = {p.model: _bar(p, scale, at[p.model][1]) for p in points}
    for p in points:
        (x, y), (top, bottom) = at[p.model], bars[p.model]
        taken += [_around(x, y), Box(x - 3, top, x + 3, bottom)]
    texts = [(_label(p, cost, scale, frame), *at[p.model]) for p in points]
    area = Box(PLOT.left + 4, PLOT.top - 8, WIDTH - 2.0, PLOT.bottom - 2)
    for p, (text, x, y), place in zip(points, texts, svg.placed(texts, taken, area), strict=True):
        by = beaten.get(p.model, [])
        group = svg.add(root, "g", class_=f"point c{colours.get(p.model, 0) % svg.N_COLOURS}")
        group.set("data-model", p.model)
        group.set("data-kind", p.kind)
        group.set("data-beaten", ", ".join(by))
        words = f"{p.model}: {frame.text(p)}, {amount(cost, p.costs[cost])}"
        svg.add(group, "title", f"{words}; beaten by {listing(by)}" if by else words)
        _mark(group, p, (x, y), bars[p.model], is_below=scale.is_below(p), is_beaten=bool(by))
        _write(group, text, x, y, *place)
    return svg.markup(root)


def _around(x: float, y: float) -> Box:
    return Box(x - RADIUS - 1, y - RADIUS - 1, x + RADIUS + 1, y + RADIUS + 1)


def _bar(point: Point, scale: Scale, y: float) -> tuple[float, float]:
    """The top and the bottom of the error bar or, of a bound, of the arrow that points up."""
    if scale.is_below(point):
        return y, y
    error = point.apart if point.apart is not None and math.isfinite(point.apart) else 0.0
    top = max(scale.up(point.value + error), PLOT.top - 4)
    bottom = min(scale.up(point.value - error), PLOT.bottom)
    return (min(top, y - 3 * RADIUS) if point.kind == "lower_bound" else top), bottom


def _mark(
    group: ET.Element,
    point: Point,
    at: tuple[float, float],
    bar: tuple[float, float],
    *,
    is_below: bool,
    is_beaten: bool,
) -> None:
    """A disc, hollow where the family is beaten; a triangle that points down at the edge."""
    (x, y), (top, bottom) = at, bar
    if bottom - top > 1:
        svg.add(group, "line", x1=x, x2=x, y1=top, y2=bottom, class_="error")
    if point.kind == "lower_bound" and not is_below:
        head = f"{x - 4:.1f},{top + 5:.1f} {x:.1f},{top:.1f} {x + 4:.1f},{top + 5:.1f}"
        svg.add(group, "polyline", points=head, class_="error")
    style = "hollow" if is_beaten else "full"
    if is_below:
        corners = [(x - RADIUS, y - RADIUS), (x + RADIUS, y - RADIUS), (x, y + RADIUS)]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
        svg.add(group, "polygon", points=points, class_=style)
    else:
        svg.add(group, "circle", cx=x, cy=y, r=RADIUS, class_=style)


def _write(group: ET.Element, text: str, x: float, y: float, box: Box, far: bool) -> None:
    """A label in its box, close to its point's side of it."""
    if far:
        end = min(max(x, box.left), box.right), min(max(y, box.top), box.bottom)
        svg.add(group, "line", x1=x, y1=y, x2=end[0], y2=end[1], class_="leader")
    anchor, place = "middle", (box.left + box.right) / 2
    if box.left >= x:
        anchor, place = "start", box.left
    elif box.right <= x:
        anchor, place = "end", box.right
    svg.add(group, "text", text, x=place, y=box.top + 11, text_anchor=anchor, class_="label")


def _label(point: Point, cost: str, scale: Scale, frame: Frame) -> str:
    text = MARKS[point.kind] + svg.short(point.model, 20)
    left, able = point.unbeaten.get(cost, (0, 0))
    if able and cost != NOT_OF_THE_FAMILY:
        text += f" {left}/{able}"
    if scale.is_below(point):
        percent = f"({number(100 * point.value, 0)} %)"
        text += f" {percent if frame.in_percent else number(point.value)}"
    return text + " ↗" * point.improving


def _axes(root: ET.Element, scale: Scale, cost: str, frame: Frame) -> list[Box]:
    """The grid and its words; the boxes that these take."""
    grid = svg.add(root, "g", class_="grid")
    factor = 100 if frame.in_percent else 1
    shown = svg.ticks(factor * scale.low, factor * scale.high, 7)
    step = shown[1] - shown[0] if len(shown) > 1 else 0.1
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    for value in shown:
        y = scale.up(value / factor)
        svg.add(grid, "line", x1=PLOT.left, x2=PLOT.right, y1=y, y2=y)
        svg.add(grid, "text", number(value, places), x=PLOT.left - 8, y=y + 4, text_anchor="end")
    for value in _ticks_across(scale, cost):
        x = scale.across(value)
        svg.add(grid, "line", x1=x, x2=x, y1=PLOT.top, y2=PLOT.bottom)
        y = PLOT.bottom + 17
        svg.add(grid, "text", _short_amount(cost, value), x=x, y=y, text_anchor="middle")
    svg.add(grid, "text", f"{frame.words} (higher is better)", x=6, y=14)
    x, y = (PLOT.left + PLOT.right) / 2, HEIGHT - 8
    words = f"{TITLES[cost].lower()} (logarithmic, less is better)"
    svg.add(grid, "text", words, x=x, y=y, text_anchor="middle")
    taken = []
    if frame.reference is not None:
        name, value = frame.reference
        y = scale.up(value)
        svg.add(root, "line", x1=PLOT.left, x2=PLOT.right, y1=y, y2=y, class_="reference")
        svg.add(root, "text", name, x=PLOT.left + 6, y=y - 4, class_="reference-label")
        taken.append(Box(PLOT.left, y - 16, PLOT.left + 8 + svg.text_width(name), y + 1))
    if cost == "train" and frame.ends is not None and scale.first < frame.ends < scale.last:
        x = scale.across(frame.ends)
        svg.add(root, "line", x1=x, x2=x, y1=PLOT.top, y2=PLOT.bottom, class_="reference")
        name, y = "budget", PLOT.bottom - 8
        svg.add(root, "text", name, x=x + 5, y=y, class_="reference-label")
        taken.append(Box(x, y - 12, x + 6 + svg.text_width(name), y + 4))
    return taken


def _ticks_across(scale: Scale, cost: str) -> list[float]:
    if cost == "memory":
        return svg.ticks(scale.first, scale.last, 5)
    found = svg.log_ticks(scale.first, scale.last)
    return found if len(found) <= 9 else [v for v in found if _is_power(v)]


def _is_power(value: float) -> bool:
    return abs(math.log10(value) - round(math.log10(value))) < 1e-6


def _short_amount(cost: str, value: float) -> str:
    if cost == "memory":
        return f"{value:g} MiB"
    return f"{value:g} s" if value >= 0.1 else f"{1000 * value:g} ms"
