"""How a layout becomes a chain: which variables a step holds, and what the steps share.

See the table in ``model.py``. An ergodic chain shares one emission table for each channel where the
variables of a channel are alike at every step.
"""

from __future__ import annotations

import numpy as np

from genzoo.models.hmm.forward import Shape
from genzoo.models.shared.column_order import column_order
from genzoo.space.schema import Schema


def end_of(schema: Schema) -> int | None:
    """END's code; None where it is the only symbol, so that nothing is left to model."""
    return None if schema.cards[0] == 1 else schema.end


def tables_of(schema: Schema, *, ergodic: bool) -> np.ndarray:
    """(D,) the emission table of each variable: its channel where all steps share theirs.

    >>> schema = Schema.infer(["abc", "bca"])
    >>> tables_of(schema, ergodic=True), tables_of(schema, ergodic=False)
    (array([0, 0, 0]), array([0, 1, 2]))
    """
    if ergodic and schema.layout != "table":
        steps = _steps(schema)
        channel = np.empty(schema.D, dtype=np.int64)
        channel[steps] = np.arange(steps.shape[1])
        if schema.alike(channel):
            return channel
    return np.arange(schema.D)


def shape_of(schema: Schema, bins: np.ndarray, cards: np.ndarray, *, ergodic: bool) -> Shape:
    """The chain of training rows (n, D) in bins, ``cards`` (D,) of them; where it is ergodic its
    steps share what they can."""
    steps, tables = _steps(schema), tables_of(schema, ergodic=ergodic)
    if schema.layout == "table":
        steps = column_order(bins, cards)[:, None]
    n_transitions = 1 if ergodic else max(1, len(steps) - 1)
    table_cards = cards[np.unique(tables, return_index=True)[1]]
    return Shape(steps, tables, table_cards, n_transitions, end_of(schema))


def _steps(schema: Schema) -> np.ndarray:
    """(T, C) the variables of each step: a position, a row of pixels, a column."""
    index = np.arange(schema.D).reshape(schema.event_shape)
    if schema.layout == "image":
        index = np.moveaxis(index, -2, 0)  # (H, W) or (H, C, W)
    return index.reshape(len(index), -1)
