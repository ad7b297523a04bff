"""Figures of marginals as inline SVG: their colours are the page's own, so they follow light and
dark."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from genzoo.report.svg import N_COLOURS, add, figure, markup, numbered, short, ticks
from genzoo.space import times
from genzoo.space.schema import Variable

MOST_BARS = 10


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
    svg = figure(width, height, f"Shares of the values of {variable.name}: real rows and models")
    sources = ("real rows", *(model[0] for model in models))
    numbered(
        svg,
        ("source", *labels),
        ((source, *of) for source, of in zip(sources, shares.tolist(), strict=True)),
    )
    grid = add(svg, "g", class_="grid")
    for value in ticks(0.0, high, 3):
        y = top + (1 - value / high) * (height - top - bottom)
        add(grid, "line", x1=left, x2=width, y1=y, y2=y)
        add(grid, "text", f"{100 * value:g}%", x=left - 5, y=y + 4, text_anchor="end")
    slot = (width - left) / bars
    for b in range(bars):
        x = left + b * slot
        tall = shares[0, b] / high * (height - top - bottom)
        bar = add(svg, "rect", x=x + 0.08 * slot, y=height - bottom - tall, class_="real")
        bar.set("width", f"{0.84 * slot:.1f}")
        bar.set("height", f"{tall:.1f}")
        add(bar, "title", f"{labels[b]}: real {100 * shares[0, b]:.1f}%")
        for m, (label, colour, _) in enumerate(models):
            y = top + (1 - shares[m + 1, b] / high) * (height - top - bottom)
            at = x + slot * (0.5 + 0.72 * ((m + 0.5) / len(models) - 0.5))
            group = add(svg, "g", class_=f"mark c{colour % N_COLOURS}", data_model=label)
            dot = add(group, "circle", cx=float(at), cy=float(y), r=min(4.0, 1.5 + slot / 14))
            add(dot, "title", f"{label}, {labels[b]}: {100 * shares[m + 1, b]:.1f}%")
        name = {"x": x + slot / 2, "y": height - bottom + 14, "text_anchor": "middle"}
        if slanted:
            name["text_anchor"] = "end"
            name["transform"] = f"rotate(-38 {name['x']:.1f} {name['y']:.1f})"
        add(grid, "text", short(labels[b], 14), class_="small", **name)
    return markup(svg)
