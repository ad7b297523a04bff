"""A decoder-only transformer over the variables of a row, in order.

Position d reads x_0 .. x_{d-1} (at d = 0 a learned start vector) and emits the outputs of variable
d, which ``Heads`` turns into log masses of its own codes and no others. Blocks are pre-norm
(Xiong et al. 2020): attention, then a feed-forward layer with GELU (Hendrycks & Gimpel 2016), each
added to the residual stream through a matrix that starts at zero; so the whole network starts as
the product of the training marginals, which sit in the outputs' biases.

Where all positions share one kind of variable (text, images) they share one embedding, tied to the
output layer (Press & Wolf 2017). In tables each variable has its own. Long ordinals are embedded
piecewise linearly between a few knots (Gorishniy et al. 2022). Sequences have rotary positions (Su
et al. 2021): what counts is how far back a symbol is. Elsewhere each position has a learned vector.

Xiong et al., arXiv:2002.04745. Hendrycks & Gimpel, arXiv:1606.08415. Press & Wolf,
arXiv:1608.05859. Gorishniy, Rubachev & Babenko, arXiv:2203.05556. Su et al., arXiv:2104.09864.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genzoo.models.neural.heads import Heads, is_long
from genzoo.models.neural.modules import Dropout
from genzoo.space.schema import Schema

N_KNOTS = 16  # of a long ordinal's embedding: more tell finer differences, each from fewer rows
INIT_SD = 0.02  # as in GPT-2
GROUPED_SD = 0.2  # sums of such vectors must tell the codes of a group apart


class Cache:
    """What a network remembers of B rows on their way, one position after the other.

    Args:
        tensors: with B as their first dimension; the network changes them in place.
    """

    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def select(self, index: Tensor) -> Cache:
        """The memory of rows that are copies of the earlier ones ``index`` (B',)."""
        return Cache([t.index_select(0, index) for t in self.tensors])


class Autoregressive(nn.Module):
    """What the networks here share: codes to vectors, the blocks, and vectors to log masses.

    Args:
        owner: (D,) which embedding and output layer each variable has; those of one owner are of
            one kind.
        n_tokens: positions of the blocks.
        width: of a code's vector.
        d_model: width of the residual stream, a multiple of ``2 * n_heads``.
        n_layers, n_heads: of the blocks.
        dropout: on embeddings and on what blocks add; never inside the attention.
    """

    low: Tensor
    share: Tensor
    used: Tensor
    owner: Tensor
    cos: Tensor
    sin: Tensor

    def __init__(
        self,
        schema: Schema,
        *,
        owner: np.ndarray,
        n_tokens: int,
        width: int,
        d_model: int,
        n_layers: int,
        n_heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.D, self.n_tokens, self.d_model, self.n_heads = schema.D, n_tokens, d_model, n_heads
        self.heads = Heads(schema)
        kinds = {v.meaning: Heads(Schema((v,), "table", (1,))) for v in schema.variables}
        self.single = [kinds[v.meaning] for v in schema.variables]  # each variable by itself

        low, share, n_vectors = _embedding_index(schema, owner)
        self.register_buffer("low", torch.as_tensor(low), persistent=False)  # (D, M)
        self.register_buffer("share", torch.as_tensor(share), persistent=False)  # (D, M)
        self.register_buffer("owner", torch.as_tensor(owner), persistent=False)  # (D,)
        self.interpolates = bool((share > 0).any())
        self.embed = nn.Embedding(n_vectors, width)
        self.start = nn.Parameter(torch.empty(d_model))
        rotary = schema.layout == "sequence"
        self.positions = None if rotary else nn.Parameter(torch.empty(n_tokens, d_model))
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(d_model, n_heads, dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(d_model, bias=False)

        n_outputs = max(self.heads.widths)
        tied = owner.max() == 0 and n_tokens == schema.D and n_vectors == n_outputs
        self.out = None
        if not tied:
            self.out = nn.Parameter(torch.zeros(int(owner.max()) + 1, n_outputs, width))
        self.bias = nn.Parameter(torch.zeros(self.D, n_outputs))
        used = np.arange(n_outputs) < np.array(self.heads.widths)[:, None]
        self.register_buffer("used", torch.as_tensor(np.flatnonzero(used)), persistent=False)
        self.uniform = bool(used.all())

        for p in (self.embed.weight, self.start, self.positions):
            if p is not None:
                nn.init.normal_(p, std=INIT_SD)
        angles = torch.zeros(n_tokens, d_model // n_heads // 2)
        if rotary:
            rates = 10_000.0 ** -torch.linspace(0, 1, angles.shape[1] + 1)[:-1]
            angles = torch.arange(n_tokens).unsqueeze(1) * rates
        self.rotary = rotary
        self.register_buffer("cos", angles.cos(), persistent=False)  # (N, hs / 2)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def outer(self) -> list[nn.Module | nn.Parameter]:
        """The input and output layers."""
        return [p for p in (self.embed, self.positions, self.out, self.bias) if p is not None]

    @torch.no_grad()
    def start_at_marginals(self, rows: np.ndarray) -> None:
        """Set the outputs' biases to the marginals of ``rows`` (n, D)."""
        outputs = torch.as_tensor(self.heads.marginal_outputs(rows))
        self.bias.view(-1)[self.used] = outputs

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (B, n_outputs), in the layout of ``Heads``, for rows (B, D) of codes."""
        raise NotImplementedError

    def next_log_probs(self, d: int, previous: Tensor | None, cache: Cache) -> Tensor:
        """(B, card_d) log masses of the codes of variable d, given those of d - 1 (B,), None at 0.

        Positions must come in order; ``cache`` remembers those before.
        """
        raise NotImplementedError

    def new_cache(self, B: int) -> Cache:
        """Room for what is remembered of B rows: first each block's keys and values."""
        shape = (B, self.n_heads, self.n_tokens, self.d_model // self.n_heads)
        return Cache([self.start.new_zeros(shape) for _ in self.blocks for _ in range(2)])

    # ---------------------------------------------------------------- parts

    def _embed_codes(self, x: Tensor, variables: slice) -> Tensor:
        """(..., V, width) for codes (..., V) of these V variables."""
        low = self.low[variables].expand(*x.shape, -1).gather(-1, x.unsqueeze(-1)).squeeze(-1)
        vector = self.embed(low)
        if self.interpolates:
            share = self.share[variables].expand(*x.shape, -1).gather(-1, x.unsqueeze(-1))
            above = self.embed((low + 1).clamp(max=self.embed.num_embeddings - 1))
            vector = torch.lerp(vector, above, share)
        return vector

    def _run(self, tokens: Tensor) -> Tensor:
        """(B, N, d_model) hidden vectors, each of the tokens (B, N - 1, d_model) before it."""
        h = torch.cat([self.start.expand(len(tokens), 1, -1), tokens], dim=1)
        if self.positions is not None:
            h = h + self.positions
        h = self.dropout(h)
        angles = (self.cos, self.sin) if self.rotary else None
        for block in self.blocks:
            h = block(h, angles)
        return self.norm(h)

    def _run_next(self, n: int, token: Tensor | None, cache: Cache) -> Tensor:
        """(B, d_model) the hidden vector at n, after the token (B, d_model) before it."""
        h = self.start.expand(len(cache), 1, -1) if token is None else token.unsqueeze(1)
        if self.positions is not None:
            h = h + self.positions[n]
        angles = (self.cos[n : n + 1], self.sin[n : n + 1]) if self.rotary else None
        for i, block in enumerate(self.blocks):
            assert isinstance(block, _Block)
            h = block.step(h, angles, cache.tensors[2 * i], cache.tensors[2 * i + 1], n)
        return self.norm(h[:, 0])

    def _single_log_probs(self, d: int, h: Tensor) -> Tensor:
        """(B, card_d) log masses of the codes of d from its vector (B, width)."""
        weight = self.embed.weight if self.out is None else self.out[self.owner[d]]
        out = (h @ weight.T + self.bias[d])[:, : self.heads.widths[d]]
        return self.single[d].log_probs_all(out)[:, 0]

    def _row_outputs(self, out: Tensor) -> Tensor:
        """(B, n_outputs) from (B, D, W), biases added."""
        out = (out + self.bias).flatten(start_dim=1)
        return out if self.uniform else out[:, self.used]


class GPT(Autoregressive):
    """Each variable is a token; ``blocks`` are those of ``Autoregressive``."""

    def __init__(self, schema: Schema, *, d_model: int, **blocks: Any) -> None:
        one = np.zeros(schema.D, dtype=np.int64)
        shared = schema.layout != "table" and schema.alike(one)
        super().__init__(
            schema,
            owner=one if shared else np.arange(schema.D),
            n_tokens=schema.D,
            width=d_model,
            d_model=d_model,
            **blocks,
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self._run(self._embed_codes(x[:, :-1], slice(0, self.D - 1)))  # (B, D, d)
        if self.out is None:
            out = h @ self.embed.weight.T  # (B, D, W)
        elif len(self.out) == 1:
            out = h @ self.out[0].T
        else:
            out = torch.einsum("bdk,dwk->bdw", h, self.out)
        return self._row_outputs(out)

    def next_log_probs(self, d: int, previous: Tensor | None, cache: Cache) -> Tensor:
        token = None
        if previous is not None:
            token = self._embed_codes(previous.unsqueeze(1), slice(d - 1, d))[:, 0]
        return self._single_log_probs(d, self._run_next(d, token, cache))


class GroupedGPT(Autoregressive):
    """A group of G variables is a token: for rows of many variables.

    The blocks see whole groups: a step of a sequence, a row of pixels, G columns of a table. They
    give a vector h of all earlier groups. Within a group each variable is given h and those before
    it in the group by a neural autoregressive estimator (Larochelle & Murray 2011; a second layer
    as in Uria, Murray & Larochelle 2014):

        a_j = W h + sum_{i < j in the group} V_i[x_i],    u = f(a_j),    x_j ~ heads(U_j u)

    The sums are running ones, so all conditionals of a row take one pass.

    Uria, Murray & Larochelle (2014), A deep and tractable density estimator, arXiv:1310.1757.

    Args:
        group: G.
        width: of a and u.
        blocks: as in ``Autoregressive``.
    """

    def __init__(self, schema: Schema, *, group: int, width: int, **blocks: Any) -> None:
        within = np.arange(schema.D) % group
        shared = schema.layout != "table" and schema.alike(within)
        super().__init__(
            schema,
            owner=within if shared else np.arange(schema.D),
            n_tokens=-(-schema.D // group),
            width=width,
            **blocks,
        )
        self.group = group
        self.read = nn.Linear(width, self.d_model, bias=False)
        self.write = nn.Linear(self.d_model, width)
        self.inner = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
        nn.init.normal_(self.embed.weight, std=GROUPED_SD)

    def forward(self, x: Tensor) -> Tensor:
        G, N = self.group, self.n_tokens
        vectors = self._embed_codes(x, slice(0, self.D))  # (B, D, W)
        vectors = F.pad(vectors, (0, 0, 0, N * G - self.D)).unflatten(1, (N, G))
        sums = vectors.cumsum(dim=2)
        h = self._run(self.read(F.gelu(sums[:, :-1, -1])))
        u = self._within(self.write(h).unsqueeze(2) + sums - vectors)  # (B, N, G, W)
        u = u.flatten(1, 2)[:, : self.D]
        assert self.out is not None
        if len(self.out) == self.D:
            out = torch.einsum("bdk,dwk->bdw", u, self.out)
        else:
            u = u.unflatten(1, (N, G))
            out = torch.einsum("bngk,gwk->bngw", u, self.out).flatten(1, 2)
        return self._row_outputs(out)

    def _within(self, a: Tensor) -> Tensor:
        u = self.dropout(F.gelu(a))
        return u + self.dropout(self.inner(u))

    def new_cache(self, B: int) -> Cache:
        """Beside keys and values: the running sum of the group, and that with W h."""
        cache = super().new_cache(B)
        sums = [self.start.new_zeros((B, self.embed.embedding_dim)) for _ in range(2)]
        return Cache(cache.tensors + sums)

    def next_log_probs(self, d: int, previous: Tensor | None, cache: Cache) -> Tensor:
        sums, a = cache.tensors[-2:]
        if previous is not None:
            vector = self._embed_codes(previous.unsqueeze(1), slice(d - 1, d))[:, 0]
            sums += vector
            a += vector
        if d % self.group == 0:
            token = self.read(F.gelu(sums)) if d else None
            a[:] = self.write(self._run_next(d // self.group, token, cache))
            sums.zero_()
        return self._single_log_probs(d, self._within(a))


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
        self.dropout = Dropout(dropout)
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


def _embedding_index(schema: Schema, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """For each variable and code the vector below, the share of the vector above, (D, M) both; and
    the number of vectors. Codes that are embedded by themselves have share 0."""
    low = np.zeros((schema.D, int(schema.cards.max())), dtype=np.int64)
    share = np.zeros(low.shape, dtype=np.float32)
    first: dict[int, int] = {}  # of an owner
    n_vectors = 0
    for d, (variable, own) in enumerate(zip(schema.variables, owner.tolist(), strict=True)):
        new = own not in first
        base = first.setdefault(own, n_vectors)
        codes = np.arange(variable.cardinality)
        if is_long(variable):
            at = codes * (N_KNOTS - 1) / (variable.n_values - 1)
            # the last value is the upper end of the last piece, the mark a vector of its own
            piece = np.minimum(np.floor(at), N_KNOTS - 2)
            piece[variable.n_values :] = N_KNOTS
            low[d, codes] = base + piece
            share[d, codes] = np.where(codes < variable.n_values, at - piece, 0.0)
            n_own = N_KNOTS + variable.missing
        else:
            low[d, codes] = base + codes
            n_own = variable.cardinality
        n_vectors += n_own if new else 0
    return low, share, n_vectors
