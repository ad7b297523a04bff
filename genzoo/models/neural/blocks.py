"""Blocks of a transformer: what each of them has, whatever attends to what in it.

Pre-norm (Xiong et al. 2020): attention, then a feed-forward layer, each added to a residual stream.

Xiong et al. (2020), On layer normalization in the transformer architecture, arXiv:2002.04745.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genzoo.models.neural.modules import Dropout


class AttentionBlock(nn.Module):
    """The layers of a block. What the feed-forward one adds starts at zero.

    Args:
        d_model: width of the residual stream, a multiple of ``n_heads``.
        dropout: on what is added; never inside the attention.
        activation: of the feed-forward layer.
    """

    def __init__(
        self, d_model: int, n_heads: int, dropout: float, activation: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.n_heads, self.activation = n_heads, activation
        self.norm1 = nn.LayerNorm(d_model, bias=False)
        # three matrices, not one: Muon makes each of them orthogonal by itself
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key = nn.Linear(d_model, d_model, bias=False)
        self.value = nn.Linear(d_model, d_model, bias=False)
        self.mix = nn.Linear(d_model, d_model, bias=False)
        self.norm2 = nn.LayerNorm(d_model, bias=False)
        self.up = nn.Linear(d_model, 4 * d_model, bias=False)
        self.down = nn.Linear(4 * d_model, d_model, bias=False)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.down.weight)

    def _of_heads(self, h: Tensor, *layers: nn.Linear) -> tuple[Tensor, ...]:
        """(B, n_heads, N, size) of each of these layers, for vectors h (B, N, d_model)."""
        # in one product: for small networks as dear as one of them
        weights = torch.cat([layer.weight for layer in layers])
        together = F.linear(h, weights).unflatten(-1, (len(layers), self.n_heads, -1))
        return together.permute(2, 0, 3, 1, 4).unbind()

    def _added(self, h: Tensor, y: Tensor) -> Tensor:
        """(B, N, d_model) the stream h after this block, whose attention gave y (B, n_heads, N,
        size)."""
        h = h + self.dropout(self.mix(y.transpose(1, 2).flatten(start_dim=2)))
        return h + self.dropout(self.down(self.activation(self.up(self.norm2(h)))))
