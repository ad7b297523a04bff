"""Where one family wins over another: nats by column, by position or by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from genzoo.report import explain_figures
from genzoo.report.explain_entries import names_of
from genzoo.results.contender import Result
from genzoo.results.explained import Gains, gains
from genzoo.results.numbers import with_error
from genzoo.results.record import BASELINE
from genzoo.results.statistics import weakest
from genzoo.space.schema import Schema
from genzoo.values import Kind

MOST_BARS = 12


@dataclass(frozen=True)
class Wins:
    """Where ``model`` gains on ``other``, and the sentence that says how much and over what."""

    model: str
    other: str
    words: str
    figure: Markup


def wins(known: Sequence[Result], schema: Schema) -> list[Wins]:
    """The first that was asked by variable against the next one and against the baseline.

    Args:
        known: cells of a data set, validation's choice first, then by rank.
    """
    pairs = compared(known)
    why = ""
    if pairs and pairs[0][0] is not known[0]:
        why = f"{known[0].model}, which comes first, was left out (see below). "
    return [_win(a, b, found, schema, why) for a, b, found in pairs]


def compared(known: Sequence[Result]) -> list[tuple[Result, Result, Gains]]:
    """Who is compared with whom, and what the first gains over the other."""
    asked = [cell for cell in known if cell.explained.terms is not None]
    if len(asked) < 2:
        return []
    first, *others = asked
    baseline = [cell for cell in others if cell.model == BASELINE]
    rivals = [cell for cell in others if cell.model != BASELINE][:1]
    found = [
        (cell, gains(first.explained, cell.explained, first.groups)) for cell in rivals + baseline
    ]
    return [(first, cell, gained) for cell, gained in found if gained is not None]


def kind_of(*cells: Result) -> Kind:
    kinds = [c.record.explained.terms for c in cells if c.record.explained is not None]
    return weakest([kind or "exact" for kind in kinds])


def _win(a: Result, b: Result, found: Gains, schema: Schema, why: str) -> Wins:
    kind = kind_of(a, b)
    value, more = found.total.value, "more" if found.total.value >= 0 else "less"
    total = with_error(abs(value), found.total.stderr, kind)
    what = {"table": "bars add", "sequence": "line adds", "image": "map adds"}[schema.layout]
    words = (
        f"{why}On {found.n} of the test rows {a.model} has {total} nats a row {more} than "
        f"{b.model}; the {what} up to it."
    )
    if len(found.starts) < schema.D:
        words += (
            f" Asked for in {len(found.starts)} blocks of neighbours: more would take too long."
        )
    title = f"Where {a.model} gains and loses against {b.model}, in nats a row"
    if schema.layout == "image":
        figure = explain_figures.pixels(found.starts, schema.event_shape, found.value, title)
    elif schema.layout == "sequence":
        figure = explain_figures.positions(found.starts, schema.D, found.value, found.stderr, title)
    else:
        figure = explain_figures.bars(*_largest(found, names_of(schema, found.starts)), title)
    return Wins(a.model, b.model, words, figure)


def _largest(found: Gains, names: list[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The largest differences in the order of the columns, and the rest as one."""
    if len(names) <= MOST_BARS:
        return names, found.value, found.stderr
    chosen = np.sort(np.argsort(-np.abs(found.value), kind="stable")[:MOST_BARS])
    others = np.setdiff1d(np.arange(len(names)), chosen)
    rest = found.of(others)
    return (
        [*(names[i] for i in chosen), f"the other {len(others)}"],
        np.append(found.value[chosen], rest.value),
        np.append(found.stderr[chosen], rest.stderr),
    )
