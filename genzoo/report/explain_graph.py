"""A directed graph of the variables, drawn by layers, over the pixels, or along a sequence."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from genzoo.report.svg import add, figure, markup, short
from genzoo.space.graphs import topological
from genzoo.space.schema import Schema

MOST_NODES = 64
NODE = (92, 24)  # width and height
ACROSS, DOWN = 104, 62  # from a node to the next
MOST_IN_LINE = 9
PIXEL = 44

Edge = tuple[int, int]


@dataclass(frozen=True)
class Places:
    """Where nodes stand (x, y), the figure's size, and whether they are boxes with names."""

    at: list[tuple[float, float]]
    width: int
    height: int
    named: bool
    arcs: bool = False


def kind_of(edge: Edge, truth: Iterable[Edge] | None) -> str:
    """``same`` or ``turned`` where the truth has it that way or the other way round, ``extra``
    where it hasn't, ``plain`` where no truth is known."""
    if truth is None:
        return "plain"
    known = set(truth)
    if edge in known:
        return "same"
    return "turned" if edge[::-1] in known else "extra"


def graph(
    edges: Sequence[Edge], schema: Schema, title: str, truth: Iterable[Edge] | None = None
) -> Markup | None:
    """Arrows from parents to children; None where there are too many variables for a figure.

    Args:
        edges: by the places of the variables, without a cycle.
        truth: those of the true network, where that is known.
    """
    if schema.D > MOST_NODES:
        return None
    known = None if truth is None else set(truth)
    places = _places(edges, schema)
    svg = figure(places.width, places.height, title)
    svg.set("class", "graph")
    for edge in edges:
        group = add(svg, "g", class_=f"edge {kind_of(edge, known)}")
        _arrow(group, places, edge)
        add(group, "title", f"{schema.names[edge[0]]} → {schema.names[edge[1]]}")
    for name, (x, y) in zip(schema.names, places.at, strict=True):
        _node(svg, str(name), x, y, named=places.named)
    return markup(svg)


def _node(svg: ET.Element, name: str, x: float, y: float, *, named: bool) -> None:
    group = add(svg, "g", class_="node")
    if not named:
        add(group, "circle", cx=x, cy=y, r=7)
        add(group, "title", name)
        return
    width, height = NODE
    box = add(group, "rect", x=x - width / 2, y=y - height / 2, rx=6)
    box.set("width", str(width))
    box.set("height", str(height))
    add(group, "title", name)
    add(group, "text", short(name, 13), x=x, y=y + 4, text_anchor="middle", class_="small")


def _arrow(group: ET.Element, places: Places, edge: Edge) -> None:
    (x0, y0), (x1, y1) = places.at[edge[0]], places.at[edge[1]]
    if places.arcs:
        top = y0 - 12 - 0.42 * abs(x1 - x0)
        path = f"M{x0:.1f},{y0 - 7:.1f} Q{(x0 + x1) / 2:.1f},{top:.1f} {x1:.1f},{y1 - 9:.1f}"
        add(group, "path", d=path)
        angle = math.atan2(y1 - 9 - top, x1 - (x0 + x1) / 2)
        _head(group, x1, y1 - 8, angle)
        return
    if places.named:
        y0, y1 = y0 + NODE[1] / 2, y1 - NODE[1] / 2 - 1
    angle = math.atan2(y1 - y0, x1 - x0)
    if not places.named:
        x0, y0 = x0 + 8 * math.cos(angle), y0 + 8 * math.sin(angle)
        x1, y1 = x1 - 8 * math.cos(angle), y1 - 8 * math.sin(angle)
    add(group, "line", x1=x0, y1=y0, x2=x1, y2=y1)
    _head(group, x1, y1, angle)


def _head(group: ET.Element, x: float, y: float, angle: float) -> None:
    sides = [(x - 8 * math.cos(angle + a), y - 8 * math.sin(angle + a)) for a in (0.4, -0.4)]
    points = " ".join(f"{px:.1f},{py:.1f}" for px, py in [(x, y), *sides])
    add(group, "polygon", points=points)


def _places(edges: Sequence[Edge], schema: Schema) -> Places:
    if schema.layout == "image" and len(schema.event_shape) == 2:
        H, W = schema.event_shape
        at = [(PIXEL * (x + 0.5), PIXEL * (y + 0.5)) for y in range(H) for x in range(W)]
        return Places(at, PIXEL * W, PIXEL * H, named=False)
    if schema.layout == "sequence":
        step = max(16, min(40, 900 // schema.D))
        longest = max((abs(a - b) for a, b in edges), default=1)
        y = 0.24 * longest * step + 34
        at = [(step * (d + 0.5) + 8, y) for d in range(schema.D)]
        return Places(at, step * schema.D + 16, math.ceil(y + 16), named=False, arcs=True)
    return _in_layers(edges, schema.D)


def _in_layers(edges: Sequence[Edge], D: int) -> Places:
    """Every node below its parents; within a layer near to them."""
    parents: list[list[int]] = [[] for _ in range(D)]
    children: list[list[int]] = [[] for _ in range(D)]
    for parent, child in edges:
        parents[child].append(parent)
        children[parent].append(child)
    layer = [0] * D
    for d in topological(parents):
        layer[d] = 1 + max((layer[p] for p in parents[d]), default=-1)
    alone = [d for d in range(D) if not parents[d] and not children[d]]
    linked = [d for d in range(D) if parents[d] or children[d]]
    layers = [[d for d in linked if layer[d] == n] for n in range(max(layer, default=0) + 1)]
    x = np.zeros(D)
    for nodes in layers:
        x[nodes] = np.arange(len(nodes)) - (len(nodes) - 1) / 2
    for sweep in range(8):  # down and up, each node towards the middle of what it hangs on
        near = parents if sweep % 2 == 0 else children
        for nodes in layers if sweep % 2 == 0 else layers[::-1]:
            wanted = {d: float(np.mean(x[near[d]])) if near[d] else float(x[d]) for d in nodes}
            nodes.sort(key=lambda d: (wanted[d], d))
            x[nodes] = np.arange(len(nodes)) - (len(nodes) - 1) / 2
    # a layer that is too wide stands in several lines, next to each other in turns
    lines = [line for nodes in layers if nodes for line in _split(nodes)]
    lines += [alone[i : i + MOST_IN_LINE] for i in range(0, len(alone), MOST_IN_LINE)]
    widest = max(map(len, lines), default=1)
    width = ACROSS * widest + 12
    at = [(0.0, 0.0)] * D
    for n, line in enumerate(lines):
        free = width - ACROSS * len(line)
        # in turns to either side: an arrow over several lines passes beside the nodes between
        shift = 0.3 * ACROSS * (-1) ** n if len(line) < widest else 0.0
        for i, d in enumerate(line):
            at[d] = (free / 2 + ACROSS * (i + 0.5) + shift, DOWN * n + NODE[1])
    return Places(at, math.ceil(width), DOWN * (len(lines) - 1) + 2 * NODE[1], named=True)


def _split(nodes: list[int]) -> list[list[int]]:
    n = -(-len(nodes) // MOST_IN_LINE)
    return [nodes[i::n] for i in range(n)]
