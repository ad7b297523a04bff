"""How large the network is, and how long it is trained, by the rows and the budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from genzoo.fitting import Budget
from genzoo.models.neural.heads import Heads
from genzoo.models.neural.sizing import (
    DROPOUTS,
    FEWEST_STEPS,
    FEWEST_VALID_ROWS,
    MOST_PASSES,
    TransformerSizing,
    dropout_of,
)
from genzoo.models.neural.training import Recipe

SIZES = ((32, 2), (64, 2), (64, 3), (128, 3))  # width and blocks
HEAD_SIZE = 16
# Entries that training must pass over, repeated ones too: on validation rows of alarm and
# digits_binary in 20 s, with 2.6 and 2.8 of them, the second size did as well as the first.
ENTRIES_PER_WEIGHT = 3
DATA_PER_WEIGHT = 1  # entries of the data
DEFAULT_SECONDS, SPEED = 80.0, 5e9  # operations a second of one core, of the smallest
# Rows a batch, and variables of all of them: fewer take as long a step; but few rows want many
# steps a pass.
SMALLEST_BATCH, STEP_VARIABLES, STEPS_A_PASS = 16, 1024, 20
# On validation rows in 20 s: alarm -10.80 nats with half of these rates, -10.58 with them;
# digits_binary -18.47 and -18.35.
MUON_LR, ADAM_LR = 0.02, 0.006
# Of the attention of a batch: where rows are wide, only some of their variables are asked.
MOST_FLOATS, FEWEST_ASKED = 2**22, 32
MOST_VALID_ROWS = 256
EVALUATION_SHARE = 0.005  # of the time, for one evaluation


@dataclass(frozen=True)
class Plan:
    """What ``Sizing`` chose.

    Attributes:
        sizes: the network's arguments.
        recipe: how to train it.
        asked: variables of each row that are asked in a step.
        n_valid: validation rows to select on.
    """

    sizes: dict[str, Any]
    recipe: Recipe
    asked: int
    n_valid: int


@dataclass(frozen=True)
class Sizing(TransformerSizing):
    """The choice for the families of this network."""

    head_unit = 1
    narrowest = SIZES[0][0]

    def plan(self, rows: np.ndarray, n_valid: int, budget: Budget) -> Plan:
        """For training rows (n, D), and n_valid to select on."""
        n, D = rows.shape
        seconds = DEFAULT_SECONDS if budget.seconds is None else budget.seconds
        sizes = self._sized(*SIZES[0], HEAD_SIZE)
        for size in SIZES[1:]:
            larger = self._sized(*size, HEAD_SIZE)
            weights, cost = self._weights(larger), self._cost(larger, D)
            seen = min(MOST_PASSES * n, seconds * SPEED / cost) * D
            if DATA_PER_WEIGHT * weights <= n * D and ENTRIES_PER_WEIGHT * weights <= seen:
                sizes = larger
        floats = SMALLEST_BATCH * sizes["n_heads"] * D
        asked = min(D, max(FEWEST_ASKED, MOST_FLOATS // floats))
        cost = self._cost(sizes, asked)
        affordable = seconds * SPEED / cost
        most = min(MOST_FLOATS / (sizes["n_heads"] * D * asked), affordable / FEWEST_STEPS)
        wanted = max(SMALLEST_BATCH, min(STEP_VARIABLES / D, n / STEPS_A_PASS))
        batch_size = int(min(n, max(1, min(wanted, most))))
        useful = self._useful_steps(n, n, batch_size)
        steps = min(useful, max(FEWEST_STEPS, int(affordable / batch_size)))
        if self.dropout is None:
            passes = (budget.steps or steps) * batch_size / n
            sizes["dropout"] = dropout_of(DROPOUTS, passes)
        # a row costs a third in validation
        in_time = EVALUATION_SHARE * seconds * SPEED / (self._cost(sizes, D) / 3)
        n_valid = min(n_valid, MOST_VALID_ROWS, max(FEWEST_VALID_ROWS, int(in_time)))
        recipe = Recipe(
            steps=steps,
            most_steps=useful,
            batch_size=batch_size,
            muon_lr=MUON_LR,
            adam_lr=ADAM_LR,
            evaluate_every=max(10, math.ceil(10 * n_valid / (3 * batch_size))),
        )
        return Plan(sizes, recipe, asked, n_valid)

    def _weights(self, sizes: dict[str, Any]) -> int:
        return 12 * sizes["n_layers"] * int(sizes["d_model"]) ** 2

    def _cost(self, sizes: dict[str, Any], asked: int) -> float:
        """About how many operations it takes to train on a row, so many variables of which are
        asked."""
        d, L, D = sizes["d_model"], sizes["n_layers"], self.schema.D
        in_blocks = L * (asked * (10 * d * d + 2 * D * d) + D * 2 * d * d)
        return 6.0 * (in_blocks + d * Heads(self.schema).n_outputs)
