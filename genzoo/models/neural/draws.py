"""Draws in torch from many distributions at once, as ``genzoo.draws`` has them in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def uniform(shape: Sequence[int], generator: torch.Generator | None, like: Tensor) -> Tensor:
    """Uniform numbers strictly between 0 and 1, so that their logarithms are finite."""
    drawn = torch.rand(tuple(shape), generator=generator, device=like.device)
    return drawn.clamp(1e-9, 1 - 1e-7)


def gumbelled(log_weights: Tensor, generator: torch.Generator | None) -> Tensor:
    """Log weights with Gumbel noise: the largest along the last axis is a draw (Gumbel 1954), the
    softmax its relaxation. They need no common scale; what has -inf is never drawn."""
    return log_weights - torch.log(-torch.log(uniform(log_weights.shape, generator, log_weights)))


def categorical(p: Tensor, generator: torch.Generator | None) -> Tensor:
    """(...) int64 indices into the last axis of probabilities p (..., M), one for each row."""
    drawn = torch.multinomial(p.reshape(-1, p.shape[-1]), 1, generator=generator)
    return drawn.view(p.shape[:-1])
