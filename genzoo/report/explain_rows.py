"""Rows that say something of a model: the least likely test rows, with what is to blame, and the
samples that lie nearest to training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genzoo.report.explain_entries import Part, entries, image, names_of, parts_of
from genzoo.results.contender import Result
from genzoo.results.explained import usual
from genzoo.results.numbers import number
from genzoo.space.schema import Schema

MOST_BLAMED = 3  # variables of a row
SLIGHT = 0.05


@dataclass(frozen=True)
class Blame:
    """An entry that is less likely than usual: its name, its value, and both numbers as text."""

    name: str
    value: str
    nats: str
    usual: str


@dataclass(frozen=True)
class Unlikely:
    """One of the least likely rows: as ``parts``, or as an ``image``."""

    nats: str
    parts: list[Part]
    image: str
    blamed: list[Blame]


@dataclass(frozen=True)
class Pair:
    """A sample and the training row that is nearest to it, differing parts marked."""

    sample: list[Part]
    train: list[Part]
    differing: str


@dataclass(frozen=True)
class Near:
    """The pairs of a model, or its ``image`` of them; and of each model how many samples are
    training rows."""

    model: str
    pairs: list[Pair]
    image: str
    copies: list[tuple[str, str]]
    fresh: str


def judge_of(known: Sequence[Result], schema: Schema) -> tuple[Result, np.ndarray] | None:
    """The first cell that tells of unlikely rows, and what is usual at each of its blocks."""
    found = ((cell, usual(cell.explained, ends=schema.end is not None)) for cell in known)
    return next(((cell, mean) for cell, mean in found if mean is not None), None)


def unlikely(known: Sequence[Result], schema: Schema) -> tuple[str, list[Unlikely]]:
    judged = judge_of(known, schema)
    if judged is None:
        return "", []
    cell, mean = judged
    e = cell.explained
    assert e.least_rows is not None
    assert e.least_terms is not None
    assert e.term_starts is not None
    below, starts = mean - e.least_terms, e.term_starts
    names = names_of(schema, starts)
    stops = np.append(starts[1:], schema.D)
    shown = []
    for i, row in enumerate(e.least_rows):
        worst = np.argsort(-below[i], kind="stable")[:MOST_BLAMED]
        worst = worst[below[i][worst] > 0]
        marked = np.zeros(schema.D, dtype=bool)
        for b in worst[:1]:
            marked[starts[b] : stops[b]] = True
        texts = entries(schema, row)
        blamed = [
            Blame(
                names[b],
                " ".join(texts[starts[b] : stops[b]]) if stops[b] - starts[b] <= 4 else "",
                number(float(e.least_terms[i, b])),
                number(float(mean[b])),
            )
            for b in worst
        ]
        picture = image(schema, row[None], 1)
        parts = [] if picture else parts_of(schema, texts, marked, row)
        shown.append(Unlikely(number(float(e.least_terms[i].sum())), parts, picture, blamed))
    return cell.model, shown


def near(known: Sequence[Result], schema: Schema) -> Near | None:
    able = [c for c in known if c.explained.near_samples is not None]
    counted = [(c.model, c.record.explained.near) for c in known if c.record.explained is not None]
    copies = [(model, _share(near.copies, near.n)) for model, near in counted if near is not None]
    of = [near for _, near in counted if near is not None]
    if not able or not of:
        return None
    e = able[0].explained
    assert e.near_samples is not None
    assert e.near_train is not None
    fresh = _share(of[0].test_copies, of[0].n_test)
    if schema.layout == "image":
        apart = np.where(e.near_samples != e.near_train, schema.cards - 1, 0)
        rows = np.concatenate([e.near_samples, e.near_train, apart])
        return Near(able[0].model, [], image(schema, rows, len(apart)), copies, fresh)
    pairs = [_pair(schema, a, b) for a, b in zip(e.near_samples, e.near_train, strict=True)]
    return Near(able[0].model, pairs, "", copies, fresh)


def _share(n: int, of: int) -> str:
    return f"{number(100 * n / of, 1)} %"


def _pair(schema: Schema, sample: np.ndarray, train: np.ndarray) -> Pair:
    """What differs is marked, of numbers what differs by more than ``SLIGHT`` of their range."""
    slight = [SLIGHT * v.n_values if v.kind == "ordinal" else 0.0 for v in schema.variables]
    differs = np.abs(sample - train) > slight
    a, b = (parts_of(schema, entries(schema, row), differs, row) for row in (sample, train))
    return Pair(a, b, f"{int(differs.sum())} of {schema.D}")
