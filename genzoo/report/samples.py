"""What models drew, beside real rows: images, texts, strings, tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup

from genzoo.report import figures, png
from genzoo.results.contender import Contender, Result
from genzoo.results.numbers import number
from genzoo.results.run import DatasetRecord
from genzoo.space import characters, times
from genzoo.space.schema import Schema
from genzoo.space.variable import Unit

REAL = "real rows"
LONG_STRING = 32  # longer strings are shown as texts
N_STRINGS, N_TEXTS, MOST_CHARACTERS = 24, 3, 400
N_TABLE_ROWS, MOST_COLUMNS, N_MARGINALS = 3, 14, 6


@dataclass
class Gallery:
    """Samples of one source: ``image`` (a data URI), ``strings``, ``texts`` or a ``table``."""

    source: str
    colour: int | None
    seed: int | None = None
    image: str = ""
    n: int = 0
    strings: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    table: list[list[str]] = field(default_factory=list)
    completions: dict[str, str] = field(default_factory=dict)


@dataclass
class Marginals:
    """Figures of the variables that models get most wrong, and how wrong each model is.

    ``distances`` maps a model to the mean total variation of its marginals; ``noise`` is what a
    perfect model would show with as many samples.
    """

    figures: list[tuple[str, Markup]]
    distances: list[tuple[str, int, str]]
    noise: str
    n_sampled: int
    n_variables: int


def galleries(
    dataset: DatasetRecord, fits: Sequence[Contender], colours: dict[str, int]
) -> list[Gallery]:
    """Real rows first, then each fit's samples; of several folds the first one's."""
    if dataset.schema is None:
        return []
    found = []
    if dataset.rows is not None and len(dataset.rows):
        found.append(_gallery(Gallery(REAL, None), dataset.schema, dataset.rows))
    for fit in fits:
        cell = fit.cells[0]
        if cell.rows is not None and len(cell.rows):
            empty = Gallery(fit.model, colours.get(fit.model), fit.seed)
            gallery = _gallery(empty, dataset.schema, cell.rows)
            gallery.completions = cell.record.completions or {}
            found.append(gallery)
    return found


def _gallery(gallery: Gallery, schema: Schema, rows: np.ndarray) -> Gallery:
    """The gallery with rows in the form of the data."""
    if schema.layout == "image":
        gallery.image, gallery.n = png.gallery(rows, schema.event_shape, schema.cards)
    elif schema.layout == "sequence":
        texts = texts_of(schema, rows)
        if schema.D <= LONG_STRING:
            gallery.strings = texts[:N_STRINGS]
        else:
            gallery.texts = [t[:MOST_CHARACTERS] for t in texts[:N_TEXTS]]
    else:
        shown = cells_of(schema, rows[:N_TABLE_ROWS])
        gallery.table = [row[:MOST_COLUMNS] for row in shown]
    return gallery


def texts_of(schema: Schema, rows: np.ndarray) -> list[str]:
    """Sequences as texts, at most ``N_STRINGS``."""
    if schema.alphabet is not None:
        return [characters.spelled(schema, text) for text in schema.decode(rows[:N_STRINGS])]
    labels = [figures.code_labels(v) for v in schema.variables]
    reached = schema.reached(rows)
    return [
        " ".join(labels[d][code] for d, code in enumerate(row) if keep[d])
        for row, keep in zip(rows[:N_STRINGS].tolist(), reached, strict=False)
    ]


def cells_of(schema: Schema, rows: np.ndarray) -> list[list[str]]:
    """Values as texts; a cell of numbers is shown as one of them."""
    decoded: Any = schema.decode(rows)
    if isinstance(decoded, np.ndarray):
        return [[str(v) for v in row] for row in decoded.tolist()]
    holes = decoded.isna().to_numpy()
    rows_of = decoded.astype(object).to_numpy().tolist()
    return [
        [
            "·" if hole else _text(value, variable.unit)
            for value, hole, variable in zip(row, gone, schema.variables, strict=True)
        ]
        for row, gone in zip(rows_of, holes, strict=True)
    ]


def _text(value: Any, unit: Unit | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else times.text_of(value, unit)


def marginals(
    dataset: DatasetRecord, fits: Sequence[Contender], colours: dict[str, int]
) -> Marginals | None:
    """Training rows' marginals against the fits' samples; None where either is unknown."""
    schema, (p, q, cells) = dataset.schema, _shares(dataset, fits)
    if schema is None or not q:
        return None
    distance = _distances(p, q)
    worst = np.argsort(-distance.mean(axis=0), kind="stable")[:N_MARGINALS]
    drawn = []
    for d in worst:
        models = [(m, colours.get(m, 0), shares[d]) for m, shares in q.items()]
        drawn.append((str(schema.names[d]), figures.marginal(schema.variables[d], p[d], models)))
    n = cells[0].record.n_sampled or 1
    means = sorted(zip(q, distance.mean(axis=1).tolist(), strict=True), key=lambda item: item[1])
    return Marginals(
        drawn,
        [(m, colours.get(m, 0), number(100 * value, 2)) for m, value in means],
        number(100 * _noise(p, n), 2),
        n,
        schema.D,
    )


def mean_distances(
    dataset: DatasetRecord, fits: Sequence[Contender]
) -> tuple[list[tuple[Result, float]], float]:
    """The mean total variation of each fit's marginals from the training rows', with the cell that
    they are from, and what a perfect model would show with as many samples; empty where either is
    unknown."""
    p, q, cells = _shares(dataset, fits)
    if not q:
        return [], 0.0
    means = _distances(p, q).mean(axis=1).tolist()
    n = cells[0].record.n_sampled or 1
    return list(zip(cells, means, strict=True)), _noise(p, n)


def _shares(
    dataset: DatasetRecord, fits: Sequence[Contender]
) -> tuple[list[np.ndarray], dict[str, list[np.ndarray]], list[Result]]:
    """The shares of each variable's codes in the training rows and in each fit's samples, and the
    cells that these are from; with folds, all of the first."""
    real = dataset.facts.marginals
    first = [fit.cells[0] for fit in fits]
    found = [c for c in first if c.record.marginals] if real else []
    p = [np.asarray(shares, dtype=float) for shares in real or []]
    q = {c.model: [np.asarray(s, dtype=float) for s in c.record.marginals or ()] for c in found}
    return p, q, found


def _distances(p: list[np.ndarray], q: dict[str, list[np.ndarray]]) -> np.ndarray:
    """(models, D) total variation of each marginal."""
    return np.array(
        [[np.abs(a - b).sum() / 2 for a, b in zip(p, shares, strict=True)] for shares in q.values()]
    )


def _noise(p: list[np.ndarray], n: int) -> float:
    """The mean total variation of n draws from the marginals themselves."""
    # the mean of |N(0, s^2)| is s sqrt(2 / pi)
    return float(np.mean([np.sqrt(2 * s * (1 - s) / (np.pi * n)).sum() / 2 for s in p]))
