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
    what = {"table": "bars add", "sequence": "line adds", "image": "map adds"}[schema.layout]
    words = f"{why}On {found.n} of the test rows {_difference(a, b, found)}; the {what} up to it."
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


def _difference(a: Result, b: Result, found: Gains) -> str:
    """By how much they differ, in words: a bound may lie anywhere below the true value."""
    value, error = found.total.value, found.total.stderr
    total, more = with_error(abs(value), error), "more" if value >= 0 else "less"
    bounded = tuple(cell.record.kind == "lower_bound" for cell in (a, b))
    if all(bounded):
        side = "higher" if value >= 0 else "lower"
        return f"the bound of {a.model} lies {total} nats a row {side} than that of {b.model}"
    if any(bounded):
        # what is known from below alone may raise its own side
        least = "at least " if bounded[0] == (value >= 0) else "at most "
        return (
            f"{a.model} has {least}{total} nats a row {more} than {b.model}, as one of them is "
            f"known by a lower bound"
        )
    about = "about " if kind_of(a, b) == "estimate" else ""
    return f"{a.model} has {about}{total} nats a row {more} than {b.model}"


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
