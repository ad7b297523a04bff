"""How large a network, and how long it is trained, by the rows and the budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from genzoo.fitting import Budget
from genzoo.models.neural.heads import Heads, is_long
from genzoo.models.neural.sizing import (
    DROPOUTS,
    FEWEST_STEPS,
    FEWEST_VALID_ROWS,
    MOST_PASSES,
    TransformerSizing,
    dropout_of,
)
from genzoo.models.neural.training import Recipe
from genzoo.models.transformer.pieces import n_pieces, padded
from genzoo.space.schema import Schema

# Width, blocks and, within groups, the estimator's width. A network must see some entries (rows
# times variables, repeated ones too) for each of its weights: fewer than the 20 of Hoffmann et al.
# (2022), for small networks are not as much faster as they are smaller (validation rows, the second
# size against the first: tinyshakespeare in 30 and 60 s +3.9 and +6.3 nats, names +0.2 and +0.6).
# The data must hold one for each where positions share weights, else four: with two, tables of 64
# and 69 binary columns and 18,000 rows had the next larger network, which was worse in 120 seconds
# of one core than the smaller one in 80.
SIZES = ((32, 2, 32), (64, 2, 96), (96, 3, 128), (128, 3, 128))
ENTRIES_PER_WEIGHT = 8
SEQUENCE_DROPOUTS = {0: 0.0, 15: 0.1}
# What a fit without a budget may take, at this many operations a second (of one core).
DEFAULT_SECONDS, SPEED = 600.0, 2e10
# Where positions share no weights, the default is as many passes over the rows, if they take longer
# than so many seconds. On fresh rows of a table of 18,000 rows and 64 binary columns 4, 6 and 12 of
# them lay 0.17, 0.16 and 0.14 nats below the law that drew it.
DEFAULT_PASSES, QUICK_SECONDS = 5, 50.0
MOST_TOKENS = 2048  # a batch: larger ones are steadier, and leave fewer steps
MOST_OUTPUTS = 2**24  # of a batch
# Rows a batch, and steps a pass. On validation rows of a table of 4,000 rows and three columns
# batches of 32 did as well as of 16 (-4.370 and -4.376 nats), and a step takes as long; few rows
# want more steps a pass instead.
SMALLEST_BATCH, MOST_STEPS_A_PASS, STEADY_BATCH, STEPS_A_PASS = 16, 30, 32, 300
# A step that does less than so many operations takes as long all the same (some 6 ms of one core):
# its batch is larger. On fresh rows of that table some 800 steps with batches of 120 did as well as
# 2,600 to 5,300 with 32.
STEP_WORK = 1.2e8
WIDEST_SINGLE = 128  # columns
# Tokens that a token attends to, where a row has more; and of a piece that is trained on at once.
# Twice as long, so that half of its tokens or more see as many as they may.
WINDOW, LONGEST_PIECE = 256, 512
# Each is held about six times: the gradient, two moments, the best checkpoint, and on the way.
MOST_OUTER_WEIGHTS = 2**25
MOST_VALID_ROWS = 512  # that tell the best weights: more are surer, and take longer each time
EVALUATION_SHARE = 0.02  # of the time, for one evaluation


@dataclass(frozen=True)
class Plan:
    """What ``Sizing`` chose.

    Attributes:
        sizes: the network's arguments.
        recipe: how to train it.
        length: variables a piece of a row, by which it is trained.
        pieces_a_row: how many of these a row has, on average.
        n_valid: validation rows to select on.
    """

    sizes: dict[str, Any]
    recipe: Recipe
    length: int
    pieces_a_row: float
    n_valid: int


@dataclass(frozen=True)
class Sizing(TransformerSizing):
    """The choice for ``TransformerLM``."""

    head_unit = 2  # rotary positions turn pairs
    narrowest = SIZES[0][0]

    group_size: int | None

    def plan(self, n: int, lengths: np.ndarray, n_valid: int, budget: Budget) -> Plan:
        """For n training rows, some of which have ``lengths`` (k,), and n_valid to select on."""
        seconds = DEFAULT_SECONDS if budget.seconds is None else budget.seconds
        group = int(self.group_size or default_group_size(self.schema))
        length = self.schema.D
        if self._shares_weights:
            length = min(length, group * LONGEST_PIECE)
        pieces_a_row = float(n_pieces(lengths, length).mean())
        n_pieces_ = max(1, round(n * pieces_a_row))
        # of a piece, as it is padded
        variables = float(padded(lengths, length, group).mean()) / pieces_a_row
        sizes = self._chosen(n_pieces_, variables, seconds)
        cost = self._weights_and_cost(sizes, variables)[1]
        affordable = seconds * SPEED / cost
        # small enough for some hundreds of steps, and for many steps in a pass
        most = int(
            min(
                MOST_TOKENS * group / variables,
                MOST_OUTPUTS * self.schema.D / (sum(self._widths) * variables),
                affordable / FEWEST_STEPS,
                max(
                    SMALLEST_BATCH,
                    min(max(STEADY_BATCH, STEP_WORK / cost), n_pieces_ / MOST_STEPS_A_PASS),
                    n_pieces_ / STEPS_A_PASS,
                ),
            )
        )
        batch_size = min(n_pieces_, max(8, most))
        useful = self._useful_steps(n, n_pieces_, batch_size)
        if budget.seconds is None and not self._shares_weights:
            enough = max(QUICK_SECONDS * SPEED / cost, DEFAULT_PASSES * n_pieces_)
            affordable = min(affordable, enough)
        steps = min(useful, max(FEWEST_STEPS, int(affordable / batch_size)))
        if self.dropout is None:
            passes = (budget.steps or steps) * batch_size / n_pieces_
            rates = SEQUENCE_DROPOUTS if self._shares_weights else DROPOUTS
            sizes["dropout"] = dropout_of(rates, passes)
        # a row costs a third in validation
        in_time = EVALUATION_SHARE * seconds * SPEED / (pieces_a_row * cost / 3)
        n_valid = min(n_valid, MOST_VALID_ROWS, max(FEWEST_VALID_ROWS, int(in_time)))
        recipe = Recipe(
            steps=steps,
            most_steps=useful,
            batch_size=batch_size,
            # a tenth of the work goes there
            evaluate_every=max(10, math.ceil(10 * n_valid * pieces_a_row / (3 * batch_size))),
        )
        return Plan(sizes, recipe, length, pieces_a_row, n_valid)

    @cached_property
    def _shares_weights(self) -> bool:
        """The positions of a sequence share all weights, if its tokens are alike: fewer rows will
        do, and less dropout; only then may a row be cut, and a window slide over it."""
        group = int(self.group_size or default_group_size(self.schema))
        alike = self.schema.layout == "sequence"
        return alike and self.schema.alike(np.arange(self.schema.D) % group)

    def _chosen(self, n: int, variables: float, seconds: float) -> dict[str, Any]:
        """The largest network that n pieces and so much time pay for, and memory holds."""
        needed = 1 if self._shares_weights else 4  # entries of the data for a weight
        plans = [self._sizes_at(*size) for size in SIZES]
        if self.d_model is not None or self.n_layers is not None:
            plans = plans[1:2]  # what is not given is of the middle size
        sizes = plans[0]
        for larger in plans[1:]:
            weights, cost = self._weights_and_cost(larger, variables)
            seen = min(MOST_PASSES * n, seconds * SPEED / cost) * variables
            pays = needed * weights <= n * variables and weights * ENTRIES_PER_WEIGHT <= seen
            if pays and 2 * self._n_outputs * _width(larger) <= MOST_OUTER_WEIGHTS:
                sizes = larger
        return sizes

    def _sizes_at(self, d_model: int, n_layers: int, width: int) -> dict[str, Any]:
        """The network's arguments at a size."""
        # rotary positions want several frequencies a head
        head_size = 32 if self.schema.layout == "sequence" else 16
        sizes = self._sized(d_model, n_layers, head_size)
        group = int(self.group_size or default_group_size(self.schema))
        if self._shares_weights and -(-self.schema.D // group) > WINDOW:
            sizes["window"] = WINDOW
        return sizes if group == 1 else sizes | {"group": group, "width": width}

    @cached_property
    def _widths(self) -> list[int]:
        """(D,) outputs of each variable."""
        return Heads(self.schema).widths

    @cached_property
    def _n_outputs(self) -> int:
        """Of the output layers that the variables don't share."""
        group = int(self.group_size or default_group_size(self.schema))
        return sum(self._widths[: group if self._shares_weights else None])

    def _weights_and_cost(self, sizes: dict[str, Any], variables: float) -> tuple[int, float]:
        """About how many hidden weights there are, and operations to train on a piece of so many
        variables."""
        in_blocks = 12 * sizes["n_layers"] * sizes["d_model"] ** 2
        tokens = math.ceil(variables / sizes.get("group", 1))
        # an operation on a key or value is as one on a weight
        attended = 2 * sizes["n_layers"] * sizes["d_model"] * min(tokens, 2 * WINDOW)
        within = 2 * sizes.get("width", 0) ** 2
        outputs = _width(sizes) * sum(self._widths) / self.schema.D * variables
        cost = tokens * (in_blocks + attended) + variables * within + outputs
        return in_blocks + within, 6.0 * cost


def _width(sizes: dict[str, Any]) -> int:
    """Of a code's vector."""
    return int(sizes.get("width", sizes["d_model"]))


def default_group_size(schema: Schema) -> int:
    """Variables a token: a step of a sequence, a row of pixels, or of D columns some sqrt(D), so
    that there are about as many tokens as columns in each. Columns of long numbers are tokens of
    their own in tables that are not wide: that was better on validation rows."""
    if schema.layout == "table":
        single = schema.D <= WIDEST_SINGLE and any(is_long(v) for v in schema.variables)
        return 1 if single else round(math.sqrt(schema.D))
    return schema.event_shape[-1] if len(schema.event_shape) > 1 else 1
