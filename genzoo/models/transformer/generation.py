"""Codes one after the other: draws after temperature, top-k and top-p, and particles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genzoo.models.neural.draws import categorical
from genzoo.models.transformer.network import Autoregressive

# in float32 a lower temperature is greedy as well (all but the likeliest underflow to no mass), and
# a higher one as good as uniform
COLDEST, HOTTEST = 1e-30, 1e30


@dataclass(frozen=True)
class Tempering:
    """What ``TransformerLM`` says of the three."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def draw(self, log_p: Tensor, generator: torch.Generator) -> Tensor:
        """(B,) codes drawn from log masses (B, M)."""
        return categorical(self.changed(log_p).exp(), generator)

    def changed(self, log_p: Tensor) -> Tensor:
        """(B, M) log masses after temperature, top-k and top-p, summing to one."""
        if self.temperature != 1.0:
            # from the likeliest code on, so that its own mass never underflows
            behind = log_p - log_p.amax(dim=-1, keepdim=True)
            log_p = (behind / min(max(self.temperature, COLDEST), HOTTEST)).log_softmax(dim=-1)
        if self.top_k is not None and self.top_k < log_p.shape[-1]:
            least = log_p.topk(int(self.top_k), dim=-1).values[:, -1:]
            log_p = log_p.masked_fill(log_p < least, -math.inf)
        if self.top_p is not None:
            ordered, order = log_p.exp().sort(dim=-1, descending=True)
            before = ordered.cumsum(dim=-1) - ordered  # mass of what is likelier
            dropped = torch.zeros_like(log_p, dtype=torch.bool)
            beyond = before >= self.top_p * ordered.sum(-1, keepdim=True)
            beyond[:, 0] = False  # the likeliest stays, however small top_p is
            dropped.scatter_(-1, order, beyond)
            log_p = log_p.masked_fill(dropped, -math.inf)
        return log_p.log_softmax(dim=-1)


class Walk:
    """Particles on their way through the network, one position at a time.

    Args:
        network: in evaluation mode.
        n: how many particles.
    """

    def __init__(self, network: Autoregressive, n: int) -> None:
        self.network, self.cache = network, network.new_cache(n)

    @torch.no_grad()
    def log_probs(self, v: int, codes: np.ndarray) -> np.ndarray:
        """(N, M) log masses of the codes of v, given those before it in ``codes`` (N, D)."""
        previous = None
        if v:
            previous = torch.as_tensor(codes[:, v - 1]).to(self.network.start.device)
        log_p = self.network.next_log_probs(v, previous, self.cache).cpu().double().numpy()
        end = self.network.heads.end
        if end is not None and v:
            # after END nothing but END
            ended = codes[:, v - 1] == end
            log_p[ended] = -np.inf
            log_p[ended, end] = 0.0
        return log_p

    def follow(self, ancestors: np.ndarray) -> None:
        """The particles are now copies of the earlier ones ``ancestors`` (N',)."""
        index = torch.as_tensor(ancestors).to(self.network.start.device)
        self.cache = self.cache.select(index)
