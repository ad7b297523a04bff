"""What families learned, shown: graphs of the variables, hidden states, ways through latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from genzoo.report.explain_entries import LONGEST, entries, image
from genzoo.report.explain_graph import Edge, graph, kind_of
from genzoo.report.samples import cells_of, texts_of
from genzoo.results.contender import Result
from genzoo.space.schema import Schema

MOST_STRIPS, MOST_COLUMNS = 2, 6
FEW_EDGES, EDGES_A_NODE = 24, 1.6  # that can still be followed in a figure


@dataclass(frozen=True)
class Graph:
    model: str
    figure: Markup | None
    words: str


@dataclass(frozen=True)
class State:
    """A step of a path: what was seen, and the state's number."""

    text: str
    number: int


@dataclass(frozen=True)
class Paths:
    """Of a model, one path a row."""

    model: str
    rows: list[list[State]]


@dataclass(frozen=True)
class Strip:
    """Rows from one test row to another: as texts, or as a table of the columns that change."""

    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Strips:
    """Of a model, its strips, or the ``image`` of all of them."""

    model: str
    image: str
    strips: list[Strip]


def graphs(known: Sequence[Result], of_truth: Result | None, schema: Schema) -> list[Graph]:
    """Of each model that is a graph; where it has many arrows, the strongest of them."""
    truth = None if of_truth is None else _edges(of_truth)
    found = []
    for cell in known:
        edges, strengths = _edges(cell), cell.explained.edge_strengths
        if not edges or strengths is None:
            continue
        words = f"{len(edges)} arrows between {schema.D} variables."
        if truth is not None:
            kinds = [kind_of(edge, truth) for edge in edges]
            words += (
                f" Of the {len(truth)} of the truth {kinds.count('same')} are there and "
                f"{kinds.count('turned')} more the other way round; {kinds.count('extra')} are not "
                f"in the truth. Which way an arrow points often makes no difference to the "
                f"distribution, and then data can't tell."
            )
        most = max(FEW_EDGES, round(EDGES_A_NODE * schema.D))
        if len(edges) > most:
            strongest = np.argsort(-strengths, kind="stable")[:most]
            edges = [edges[i] for i in np.sort(strongest)]
            words += f" Drawn are the {most} between variables that tell most of each other."
        title = f"The graph that {cell.model} learned"
        found.append(Graph(cell.model, graph(edges, schema, title, truth), words))
    return found


def _edges(cell: Result) -> list[Edge] | None:
    found = cell.explained.edges
    return None if found is None else [(int(a), int(b)) for a, b in found]


def paths(known: Sequence[Result], schema: Schema) -> list[Paths]:
    found = []
    for cell in known:
        rows, paths = cell.explained.path_rows, cell.explained.paths
        if rows is None or paths is None:
            continue
        shown = []
        for row, path in zip(rows, paths, strict=True):
            reached, texts = schema.reached(row[None])[0], entries(schema, row)
            seen = texts if len(path) == schema.D else [""] * len(path)
            steps = [
                t for t in range(min(len(path), LONGEST)) if len(path) != schema.D or reached[t]
            ]
            shown.append([State(seen[t], int(path[t])) for t in steps])
        found.append(Paths(cell.model, shown))
    return found


def strips(known: Sequence[Result], schema: Schema) -> list[Strips]:
    found = []
    for cell in known:
        strips, ends = cell.explained.strips, cell.explained.strip_ends
        if strips is None or ends is None or len(strips) == 0:
            continue
        lines = [
            np.stack([a, *s, b]) for a, s, b in zip(ends[::2], strips, ends[1::2], strict=True)
        ]
        if schema.layout == "image":
            picture = image(schema, np.concatenate(lines), len(lines[0]))
            found.append(Strips(cell.model, picture, []))
        else:
            shown = [_strip(schema, rows) for rows in lines[:MOST_STRIPS]]
            found.append(Strips(cell.model, "", [strip for strip in shown if strip.rows[0]]))
    return found


def _strip(schema: Schema, rows: np.ndarray) -> Strip:
    if schema.layout == "sequence":
        return Strip([], [[text[:LONGEST]] for text in texts_of(schema, rows)])
    changes = np.flatnonzero((rows[2:-1] != rows[1]).any(axis=0) | (rows[-1] != rows[0]))
    shown = changes[:MOST_COLUMNS].tolist()
    cells = cells_of(schema, rows)
    return Strip([str(schema.names[d]) for d in shown], [[row[d] for d in shown] for row in cells])
