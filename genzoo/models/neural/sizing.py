"""How large a transformer is, and how long it is trained, by the rows and the budget: what is so
whatever it attends to. The sizes that there are to choose from, and what a row costs, each network
says itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from genzoo.space.schema import Schema

MOST_PASSES = 60  # over the rows that are still of use
# Dropout from so many passes over the rows on: more of it overfits later, and learns more slowly.
# In 5 passes none was 0.05 nats better than 0.1 on fresh rows of a binary table, 0.06 on plants.
DROPOUTS = {0: 0.0, 6: 0.1, 20: 0.2}
# For each cell of a space that has no more of them than there are rows: in one of 480 cells and
# 3,600 rows more steps gained nothing on fresh rows.
CELL_STEPS = 2
# With fewer steps than the former no schedule is of use; few rows get as many as the latter.
FEWEST_STEPS, SHORTEST_FIT = 500, 3000
FEWEST_VALID_ROWS = 8  # that tell the best weights


@dataclass(frozen=True)
class TransformerSizing:
    """The choice for one schema: what is None here of a family's parameters is chosen.

    Attributes:
        head_unit: what a head's size is a multiple of.
        narrowest: the smallest width that is chosen.
    """

    head_unit: ClassVar[int]
    narrowest: ClassVar[int]

    schema: Schema
    d_model: int | None
    n_layers: int | None
    n_heads: int | None
    dropout: float | None

    @classmethod
    def check_heads(cls, d_model: int | None, n_heads: int | None) -> None:
        """ValueError unless so many heads make up the width, where it is chosen any of them."""
        least = cls.head_unit * (n_heads or 1)
        if d_model is not None and d_model % least:
            wanted = "n_heads" if cls.head_unit == 1 else f"{cls.head_unit} * n_heads"
            raise ValueError(f"d_model: expected a multiple of {wanted} = {least}; got {d_model}")
        if d_model is None and n_heads is not None and cls.narrowest % least:
            raise ValueError(
                f"n_heads: expected a power of two up to {cls.narrowest // cls.head_unit} where "
                f"d_model is None; got {n_heads}"
            )

    def _sized(self, d_model: int, n_layers: int, head_size: int) -> dict[str, Any]:
        """The network's arguments at a size, the caller's own in place of it; heads are of
        ``head_size`` or a little more."""
        d_model = int(self.d_model or d_model)
        numbers = range(max(1, d_model // head_size), 0, -1)
        n_heads = self.n_heads or next(h for h in numbers if d_model % (self.head_unit * h) == 0)
        return {
            "d_model": d_model,
            "n_layers": int(self.n_layers or n_layers),
            "n_heads": int(n_heads),
            "dropout": float(self.dropout or 0.0),
        }

    def _useful_steps(self, n: int, n_pieces: int, batch_size: int) -> int:
        """How many are of use to n rows, of which so many pieces are trained on."""
        useful = max(SHORTEST_FIT, math.ceil(MOST_PASSES * n_pieces / batch_size))
        if self.schema.n_cells <= n:
            useful = min(useful, max(FEWEST_STEPS, CELL_STEPS * self.schema.n_cells))
        return useful


def dropout_of(rates: Mapping[int, float], passes: float) -> float:
    """For so many passes over the rows."""
    return max(rate for least, rate in rates.items() if passes >= least)
