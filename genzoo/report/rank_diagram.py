"""The critical-difference diagram of families over data sets: a row a family, the best on top.

Demsar (2006) draws families along one axis of mean ranks with bars over those that are not told
apart. Here the axis lies across and the bars stand beside the rows, so that it fits a phone and a
bar can skip a family in between that *is* told apart.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from markupsafe import Markup

from genzoo.report.svg import N_COLOURS, add, figure, markup, short
from genzoo.results.numbers import number
from genzoo.results.ranks import Ranks

ROW, HEAD = 23, 38  # heights
LABELS, LEFT, RIGHT, VALUES, BARS, BAR = 120, 132, 240, 282, 290, 13  # places across
TICK = 16  # between labels of the axis, at least
DECIMALS = 2


def rank_diagram(of: Ranks, colours: dict[str, int], title: str) -> Markup:
    """Dots for mean ranks of families with exact values, bars for groups of which no two are told
    apart, and open dots with an arrow to the better side for ranks that are known by bounds."""
    rows = [*of.mean, *of.at_most]
    place = {model: HEAD + (i + 0.5) * ROW for i, model in enumerate(rows)}
    last = len(of.mean) + bool(of.at_most)
    height = HEAD + ROW * len(rows) + 6
    svg = figure(BARS + BAR * len(of.groups) + 4, height, title)
    grid = add(svg, "g", class_="grid")
    step = math.ceil(TICK * (last - 1) / (RIGHT - LEFT))
    for tick in range(1, last + 1):
        x = _across(tick, last)
        add(grid, "line", x1=x, x2=x, y1=HEAD - 4, y2=height - 4)
        if (tick - 1) % step == 0:
            add(grid, "text", str(tick), x=x, y=HEAD - 9, text_anchor="middle")
    add(grid, "text", "mean rank", x=LEFT - 3, y=12)
    if of.groups:
        add(grid, "text", "not told apart", x=BARS + BAR * len(of.groups), y=12, text_anchor="end")
    for model, rank in (of.mean | of.at_most).items():
        bound = model in of.at_most
        y, x = place[model], _across(rank, last)
        colour = f"c{colours[model] % N_COLOURS}" if model in colours else ""
        row = add(svg, "g", class_=f"ranked {colour}")
        row.set("data-model", model)
        add(row, "text", short(model, 17), x=LABELS, y=y + 4, text_anchor="end", class_="label")
        if bound:
            _arrow(row, x, _across(1, last), y)
        add(row, "circle", cx=x, cy=y, r=5, class_="bound" if bound else "exact")
        sign = "≤ " if bound else ""
        add(row, "text", f"{sign}{number(rank, DECIMALS)}", x=VALUES, y=y + 4, text_anchor="end")
    for i, group in enumerate(of.groups):
        x = BARS + BAR * (i + 0.5)
        bar = add(svg, "g", class_="alike")
        add(bar, "line", x1=x, x2=x, y1=place[group[0]], y2=place[group[-1]])
        for model in group:
            add(bar, "circle", cx=x, cy=place[model], r=4)
        add(bar, "title", f"not told apart: {', '.join(group)}")
    return markup(svg)


def _across(rank: float, last: int) -> float:
    return LEFT + (rank - 1) / max(1, last - 1) * (RIGHT - LEFT)


def _arrow(row: ET.Element, start: float, end: float, y: float) -> None:
    """Towards rank 1, where there is room for it."""
    if start - end < 12:
        return
    add(row, "line", x1=start - 5, x2=end + 1, y1=y, y2=y, class_="maybe")
    add(row, "polyline", points=f"{end + 6:.1f},{y - 4:.1f} {end + 1:.1f},{y:.1f} "
                                f"{end + 6:.1f},{y + 4:.1f}", class_="maybe")  # fmt: skip
