"""A decoder-only transformer over the variables of a row, in order.

Position d reads x_0 .. x_{d-1} (at d = 0 a learned start vector) and emits the outputs of variable
d, which ``Heads`` turns into log masses of its own codes and no others. Blocks are pre-norm
(Xiong et al. 2020): attention, then a feed-forward layer with squared ReLU (So et al. 2021), each
added to the residual stream through a matrix that starts at zero; so the whole network starts as
the product of the training marginals, which sit in the outputs' biases.

Where all positions share one kind of variable (text, images) they share one embedding, tied to the
output layer (Press & Wolf 2017). In tables each variable has its own. Long ordinals are embedded
piecewise linearly between a few knots (Gorishniy et al. 2022). Sequences have rotary positions (Su
et al. 2021): what counts is how far back a symbol is. Elsewhere each position has a learned vector.

Xiong et al., arXiv:2002.04745. So et al., arXiv:2109.08668. Press & Wolf, arXiv:1608.05859.
Gorishniy, Rubachev & Babenko, arXiv:2203.05556. Su et al., arXiv:2104.09864.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genzoo.neural.heads import Heads, is_long
from genzoo.schema import Schema

N_KNOTS = 16
INIT_SD = 0.02

Cache = list[tuple[Tensor, Tensor]]


class GPT(nn.Module):
    """Args:
    schema: of the rows.
    d_model: width of the residual stream, a multiple of ``2 * n_heads``.
    n_layers, n_heads: of the blocks.
    dropout: on embeddings and on what blocks add; never inside the attention.
    """

    low: Tensor
    share: Tensor
    used: Tensor
    cos: Tensor
    sin: Tensor

    def __init__(
        self, schema: Schema, *, d_model: int, n_layers: int, n_heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.D, self.d_model, self.n_heads = schema.D, d_model, n_heads
        self.heads = Heads(schema)
        kinds = [dataclasses.replace(v, name=0) for v in schema.variables]
        singles = {kind: Heads(Schema((kind,), "table", (1,))) for kind in set(kinds)}
        self.single = [singles[kind] for kind in kinds]  # heads of each variable by itself
        self.shared = schema.layout != "table" and len(set(kinds)) == 1

        low, share, n_vectors = _embedding_index(schema, self.shared)
        self.register_buffer("low", torch.as_tensor(low), persistent=False)  # (D, M)
        self.register_buffer("share", torch.as_tensor(share), persistent=False)  # (D, M)
        self.interpolates = bool((share > 0).any())
        self.embed = nn.Embedding(n_vectors, d_model)
        self.start = nn.Parameter(torch.empty(d_model))
        rotary = schema.layout == "sequence"
        self.positions = None if rotary else nn.Parameter(torch.empty(self.D, d_model))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(d_model, n_heads, dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(d_model, bias=False)

        width = max(self.heads.widths)
        tied = self.shared and n_vectors == width
        copies = 1 if self.shared else self.D
        self.out = None if tied else nn.Parameter(torch.zeros(copies, width, d_model))
        self.bias = nn.Parameter(torch.zeros(self.D, width))
        used = np.arange(width) < np.array(self.heads.widths)[:, None]
        self.register_buffer("used", torch.as_tensor(np.flatnonzero(used)), persistent=False)
        self.uniform = bool(used.all())

        for p in (self.embed.weight, self.start, self.positions):
            if p is not None:
                nn.init.normal_(p, std=INIT_SD)
        angles = torch.zeros(self.D, d_model // n_heads // 2)
        if rotary:
            rates = 10_000.0 ** -torch.linspace(0, 1, angles.shape[1] + 1)[:-1]
            angles = torch.arange(self.D).unsqueeze(1) * rates
        self.rotary = rotary
        self.register_buffer("cos", angles.cos(), persistent=False)  # (T, hs / 2)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def outer(self) -> list[nn.Module | nn.Parameter]:
        """The input and output layers."""
        return [p for p in (self.embed, self.positions, self.out, self.bias) if p is not None]

    @torch.no_grad()
    def start_at_marginals(self, rows: np.ndarray) -> None:
        """Set the outputs' biases to the marginals of ``rows`` (n, D)."""
        outputs = torch.as_tensor(self.heads.marginal_outputs(rows))
        self.bias.view(-1)[self.used] = outputs

    # ---------------------------------------------------------------- whole rows

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (B, n_outputs), in the layout of ``Heads``, for rows (B, D) of codes."""
        B = len(x)
        h = self._embed_codes(x[:, :-1], slice(0, self.D - 1))  # (B, D - 1, d)
        h = torch.cat([self.start.expand(B, 1, -1), h], dim=1)  # (B, D, d)
        if self.positions is not None:
            h = h + self.positions
        h = self.dropout(h)
        angles = (self.cos, self.sin) if self.rotary else None
        for block in self.blocks:
            h = block(h, angles)
        h = self.norm(h)
        if self.out is None:
            out = h @ self.embed.weight.T  # (B, D, W)
        elif self.shared:
            out = h @ self.out[0].T
        else:
            out = torch.einsum("bdk,dwk->bdw", h, self.out)
        out = (out + self.bias).flatten(start_dim=1)
        return out if self.uniform else out[:, self.used]

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, D) log mass of each code given those before it."""
        return self.heads.log_prob(self(x), x)

    def _embed_codes(self, x: Tensor, variables: slice) -> Tensor:
        """(..., V, d) for codes (..., V) of these V variables."""
        low = self.low[variables].expand(*x.shape, -1).gather(-1, x.unsqueeze(-1)).squeeze(-1)
        vector = self.embed(low)
        if self.interpolates:
            share = self.share[variables].expand(*x.shape, -1).gather(-1, x.unsqueeze(-1))
            above = self.embed((low + 1).clamp(max=self.embed.num_embeddings - 1))
            vector = torch.lerp(vector, above, share)
        return vector

    # ---------------------------------------------------------------- one position at a time

    def new_cache(self, B: int) -> Cache:
        """Room for the keys and values of B rows."""
        shape = (B, self.n_heads, self.D, self.d_model // self.n_heads)
        return [(self.start.new_zeros(shape), self.start.new_zeros(shape)) for _ in self.blocks]

    def next_log_probs(self, d: int, previous: Tensor | None, cache: Cache) -> Tensor:
        """(B, card_d) log masses of the codes of variable d.

        Positions must come in order; ``cache`` remembers those before d.

        Args:
            previous: (B,) codes of variable d - 1; None at d = 0.
        """
        B = len(cache[0][0])
        if previous is None:
            h = self.start.expand(B, 1, -1)
        else:
            h = self._embed_codes(previous.unsqueeze(1), slice(d - 1, d))
        if self.positions is not None:
            h = h + self.positions[d]
        angles = (self.cos[d : d + 1], self.sin[d : d + 1]) if self.rotary else None
        for block, (keys, values) in zip(self.blocks, cache, strict=True):
            assert isinstance(block, _Block)
            h = block.step(h, angles, keys, values, d)
        h = self.norm(h[:, 0])
        weight = self.embed.weight if self.out is None else self.out[0 if self.shared else d]
        out = (h @ weight.T + self.bias[d])[:, : self.heads.widths[d]]
        return self.single[d].log_probs_all(out)[:, 0]


class _Block(nn.Module):
    def __init__(self, d_model: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm1 = nn.LayerNorm(d_model, bias=False)
        # three matrices, not one: Muon makes each of them orthogonal by itself
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key = nn.Linear(d_model, d_model, bias=False)
        self.value = nn.Linear(d_model, d_model, bias=False)
        self.mix = nn.Linear(d_model, d_model, bias=False)
        self.norm2 = nn.LayerNorm(d_model, bias=False)
        self.up = nn.Linear(d_model, 4 * d_model, bias=False)
        self.down = nn.Linear(4 * d_model, d_model, bias=False)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.down.weight)

    def forward(self, h: Tensor, angles: tuple[Tensor, Tensor] | None) -> Tensor:
        q, k, v = self._attention_inputs(h, angles)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self._add(h, y)

    def step(
        self, h: Tensor, angles: tuple[Tensor, Tensor] | None, keys: Tensor, values: Tensor, d: int
    ) -> Tensor:
        """Position d alone, h (B, 1, d_model), attending to keys and values up to d."""
        q, keys[:, :, d : d + 1], values[:, :, d : d + 1] = self._attention_inputs(h, angles)
        y = F.scaled_dot_product_attention(q, keys[:, :, : d + 1], values[:, :, : d + 1])
        return self._add(h, y)

    def _attention_inputs(
        self, h: Tensor, angles: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        h = self.norm1(h)
        q, k, v = (
            layer(h).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (B, nh, T, hs)
            for layer in (self.query, self.key, self.value)
        )
        if angles is not None:
            q, k = _rotate(q, *angles), _rotate(k, *angles)
        return q, k, v

    def _add(self, h: Tensor, y: Tensor) -> Tensor:
        h = h + self.dropout(self.mix(y.transpose(1, 2).flatten(start_dim=2)))
        return h + self.dropout(self.down(F.gelu(self.up(self.norm2(h)))))


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (x_i, x_{i + hs/2}) by its position's angle."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def _embedding_index(schema: Schema, shared: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """For each variable and code the vector below, the share of the vector above, (D, M) both; and
    the number of vectors. Codes that are embedded by themselves have share 0."""
    low = np.zeros((schema.D, int(schema.cards.max())), dtype=np.int64)
    share = np.zeros(low.shape, dtype=np.float32)
    n_vectors = 0
    for d, variable in enumerate(schema.variables):
        first = 0 if shared else n_vectors
        codes = np.arange(variable.cardinality)
        if is_long(variable):
            at = codes * (N_KNOTS - 1) / (variable.n_values - 1)
            # the last value is the upper end of the last piece, the mark a vector of its own
            piece = np.minimum(np.floor(at), N_KNOTS - 2)
            piece[variable.n_values :] = N_KNOTS
            low[d, codes] = first + piece
            share[d, codes] = np.where(codes < variable.n_values, at - piece, 0.0)
            n_vectors = first + N_KNOTS + variable.missing
        else:
            low[d, codes] = first + codes
            n_vectors = first + variable.cardinality
    return low, share, n_vectors
