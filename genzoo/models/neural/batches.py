"""Where a network's batches of training rows come from: functions of a generator on the CPU."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def epochs(rows: Tensor, batch_size: int) -> Callable[[torch.Generator], Tensor]:
    """Batches of rows (n, D), shuffled anew each epoch; a batch may span two epochs. Codes, of
    whatever integer type, come as int64."""
    size = min(batch_size, len(rows))
    order = torch.empty(0, dtype=torch.int64)

    def draw_batch(generator: torch.Generator) -> Tensor:
        nonlocal order
        if len(order) < size:
            order = torch.cat([order, torch.randperm(len(rows), generator=generator)])
        chosen, order = order[:size], order[size:]
        batch = rows[chosen]
        return batch if batch.is_floating_point() else batch.long()

    return draw_batch


def windows(
    stretches: list[np.ndarray], T: int, batch_size: int
) -> Callable[[torch.Generator], Tensor]:
    """Batches of T codes from anywhere in stretches of text, none across two of them."""
    codes, within = torch.as_tensor(np.concatenate(stretches)), torch.arange(T)
    first = np.cumsum([0, *map(len, stretches)])
    starts = torch.cat([torch.arange(a, b - T + 1) for a, b in itertools.pairwise(first)])

    def draw_batch(generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(starts), (batch_size, 1), generator=generator)
        return codes[starts[chosen] + within]

    return draw_batch
