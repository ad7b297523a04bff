"""How large a network, and how long it is trained, by the rows and the budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from genzoo.fitting import Budget
from genzoo.models.neural.heads import is_long
from genzoo.models.neural.training import Recipe
from genzoo.space.schema import Schema

# Width, blocks and, within groups, the estimator's width. A network must see some entries (rows
# times variables, repeated ones too) for each of its weights (Hoffmann et al. 2022), and the data
# must hold one or two for each.
SIZES = ((32, 2, 32), (64, 2, 96), (96, 3, 128), (128, 3, 128))
ENTRIES_PER_WEIGHT = 20
MOST_PASSES = 60  # over the rows that are still of use
# Dropout from so many passes over the rows on: more of it overfits later, and learns more slowly.
DROPOUTS = {0: 0.0, 3: 0.1, 20: 0.2}
SEQUENCE_DROPOUTS = {0: 0.0, 15: 0.1}
# What a fit without a budget may take, at this many operations a second (of one core).
DEFAULT_SECONDS, SPEED = 600.0, 2e10
# With fewer steps than the former no schedule is of use; few rows get as many as the latter.
FEWEST_STEPS, SHORTEST_FIT = 500, 3000
MOST_TOKENS = 2048  # a batch: larger ones are steadier, and leave fewer steps
WIDEST_SINGLE = 128  # columns


@dataclass(frozen=True)
class Sizing:
    """The choice for one schema: what is None here of ``TransformerLM``'s parameters is chosen."""

    schema: Schema
    d_model: int | None
    n_layers: int | None
    n_heads: int | None
    group_size: int | None
    dropout: float | None

    def plan(self, n: int, n_valid: int, budget: Budget) -> tuple[dict[str, Any], Recipe]:
        """The network's arguments, and how to train it, for n training rows."""
        seconds = DEFAULT_SECONDS if budget.seconds is None else budget.seconds
        sizes = self._chosen(n, seconds)
        affordable = seconds * SPEED / self._weights_and_cost(sizes)[1]  # rows
        n_tokens = -(-self.schema.D // sizes.get("group", 1))
        # small enough for some hundreds of steps, and for many steps in a pass
        most = int(min(MOST_TOKENS / n_tokens, affordable / FEWEST_STEPS, max(16, n / 300)))
        batch_size = min(n, max(8, most))
        useful = max(SHORTEST_FIT, math.ceil(MOST_PASSES * n / batch_size))
        steps = min(useful, max(FEWEST_STEPS, int(affordable / batch_size)))
        if self.dropout is None:
            passes = (budget.steps or steps) * batch_size / n
            rates = SEQUENCE_DROPOUTS if self._shares_weights else DROPOUTS
            sizes["dropout"] = max(rate for least, rate in rates.items() if passes >= least)
        recipe = Recipe(
            steps=steps,
            most_steps=useful,
            batch_size=batch_size,
            # a row costs a third in validation; a tenth of the work goes there
            evaluate_every=max(10, math.ceil(10 * n_valid / (3 * batch_size))),
        )
        return sizes, recipe

    @property
    def _shares_weights(self) -> bool:
        """The positions of a sequence share all weights: fewer rows will do, and less dropout."""
        return self.schema.layout == "sequence"

    def _chosen(self, n: int, seconds: float) -> dict[str, Any]:
        """The largest network that n rows and so much time pay for."""
        needed = 1 if self._shares_weights else 2  # entries of the data for a weight
        plans = [self._sized(*size) for size in SIZES]
        if self.d_model is not None or self.n_layers is not None:
            plans = plans[1:2]  # what is not given is of the middle size
        sizes = plans[0]
        for larger in plans[1:]:
            weights, cost = self._weights_and_cost(larger)
            seen = min(MOST_PASSES * n, seconds * SPEED / cost) * self.schema.D
            if needed * weights <= n * self.schema.D and weights * ENTRIES_PER_WEIGHT <= seen:
                sizes = larger
        return sizes

    def _sized(self, d_model: int, n_layers: int, width: int) -> dict[str, Any]:
        """The network's arguments at a size, the caller's own in place of it."""
        d_model = int(self.d_model or d_model)
        # rotary positions want several frequencies a head
        head_size = 32 if self.schema.layout == "sequence" else 16
        n_heads = self.n_heads or next(
            h for h in range(max(1, d_model // head_size), 0, -1) if d_model % (2 * h) == 0
        )
        sizes = {
            "d_model": d_model,
            "n_layers": int(self.n_layers or n_layers),
            "n_heads": int(n_heads),
            "dropout": float(self.dropout or 0.0),
        }
        group = int(self.group_size or default_group_size(self.schema))
        return sizes if group == 1 else sizes | {"group": group, "width": width}

    def _weights_and_cost(self, sizes: dict[str, Any]) -> tuple[int, float]:
        """About how many hidden weights there are, and operations to train on a row."""
        in_blocks = 12 * sizes["n_layers"] * sizes["d_model"] ** 2
        tokens = -(-self.schema.D // sizes.get("group", 1))
        within = 2 * sizes.get("width", 0) ** 2
        return in_blocks + within, 6.0 * (tokens * in_blocks + self.schema.D * within)


def default_group_size(schema: Schema) -> int:
    """Variables a token: a step of a sequence, a row of pixels, or of D columns some sqrt(D), so
    that there are about as many tokens as columns in each. Columns of long numbers are tokens of
    their own in tables that are not wide: that was better on validation rows."""
    if schema.layout == "table":
        single = schema.D <= WIDEST_SINGLE and any(is_long(v) for v in schema.variables)
        return 1 if single else round(math.sqrt(schema.D))
    return schema.event_shape[-1] if len(schema.event_shape) > 1 else 1
