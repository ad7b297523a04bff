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

Attention is quadratic in the positions. Where there are many, each position attends to the last
``window`` of them alone (Beltagy et al. 2020), in every block anew, so that what is further back
still tells through those in between; time and memory are then linear.

Xiong et al., arXiv:2002.04745. Hendrycks & Gimpel, arXiv:1606.08415. Press & Wolf,
arXiv:1608.05859. Gorishniy, Rubachev & Babenko, arXiv:2203.05556. Su et al., arXiv:2104.09864.
Beltagy, Peters & Cohan, arXiv:2004.05150.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genzoo.models.neural.blocks import AttentionBlock
from genzoo.models.neural.embedding import CodeEmbedding
from genzoo.models.neural.heads import Heads
from genzoo.models.neural.modules import Dropout
from genzoo.models.neural.outputs import Outputs
from genzoo.space.schema import Schema

INIT_SD = 0.02  # as in GPT-2
FIRST_ROOM = 16  # positions of a new cache
GROUPED_SD = 0.2  # sums of such vectors must tell the codes of a group apart


class Cache:
    """What a network remembers of B rows on their way, one position after the other.

    Args:
        B: rows.
        shape: (n_blocks, n_heads, head size) of keys and values.
        limit: positions at most.
        window: how many of the last positions are attended to; None: all.
        sums: (B, width) tensors beside them, which the network changes in place.
    """

    def __init__(
        self,
        B: int,
        shape: tuple[int, int, int],
        limit: int,
        window: int | None,
        like: Tensor,
        sums: tuple[Tensor, ...] = (),
    ) -> None:
        n_blocks, n_heads, size = shape
        self.n_blocks, self.limit, self.window, self.sums = n_blocks, limit, window, sums
        self.used = 0  # positions, the first of ``kept``
        # keys and values of each block
        self.kept = like.new_zeros((2 * n_blocks, B, n_heads, 0, size))

    def __len__(self) -> int:
        return self.kept.shape[1]

    def make_room(self, n: int) -> None:
        """For the keys and values of n more positions; what lies beyond the window is forgotten."""
        room = self.kept.shape[3]
        if self.used + n <= room:
            return
        stays = self.used if self.window is None else min(self.used, self.window - 1)
        # twice as much as is needed now, so that each position is moved but a few times
        more = min(max(FIRST_ROOM, 2 * (stays + n)), max(self.limit, stays + n))
        before = self.kept[:, :, :, self.used - stays : self.used]
        self.kept = before.new_empty((*before.shape[:3], more, before.shape[4]))
        self.kept[:, :, :, :stays] = before
        self.used = stays

    def attended(self, block: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of the next n positions' queries (B, n_heads, n, size) to what is kept and to
        their own keys and values, for which there is room."""
        n, end = q.shape[2], self.used + q.shape[2]
        keys, values = self.kept[2 * block], self.kept[2 * block + 1]
        keys[:, :, self.used : end], values[:, :, self.used : end] = k, v
        first = 0 if self.window is None else max(0, self.used - self.window + 1)
        keys, values = keys[:, :, first:end], values[:, :, first:end]
        seen = None if n == 1 else _seen(n, end - first, self.window, q.device)
        return F.scaled_dot_product_attention(q, keys, values, attn_mask=seen)

    def select(self, index: Tensor) -> Cache:
        """The memory of rows that are copies of the earlier ones ``index`` (B',)."""
        chosen = copy.copy(self)
        _, _, n_heads, room, size = self.kept.shape
        chosen.kept = self.kept.new_empty((2 * self.n_blocks, len(index), n_heads, room, size))
        for new, old in zip(chosen.kept, self.kept, strict=True):
            new[:, :, : self.used] = old[:, :, : self.used].index_select(0, index)
        chosen.sums = tuple(t.index_select(0, index) for t in self.sums)
        return chosen

    def replace(self, rows: Tensor, by: Tensor) -> None:
        """Make ``rows`` copies of the rows ``by``; the others stay where they are."""
        for t in self.kept:
            t[rows, :, : self.used] = t[by, :, : self.used]
        for t in self.sums:
            t[rows] = t[by]


class Autoregressive(nn.Module):
    """What the networks here share: codes to vectors, the blocks, and vectors to log masses.

    Args:
        n_owners: O; variable d shares embedding and output layer with all d' of d' = d mod O,
            which are alike.
        group: variables a token, of which there are ``n_tokens``.
        width: of a code's vector.
        d_model: width of the residual stream, a multiple of ``2 * n_heads``.
        n_layers, n_heads: of the blocks.
        dropout: on embeddings and on what blocks add; never inside the attention.
        window: tokens that each token attends to, the last of them itself; None: all before it.
    """

    cos: Tensor
    sin: Tensor

    def __init__(
        self,
        schema: Schema,
        *,
        n_owners: int,
        group: int,
        width: int,
        d_model: int,
        n_layers: int,
        n_heads: int,
        dropout: float,
        window: int | None = None,
    ) -> None:
        super().__init__()
        self.D, self.group, self.n_tokens = schema.D, group, -(-schema.D // group)
        self.d_model, self.n_heads, self.window = d_model, n_heads, window
        self.heads = Heads(schema)

        self.embed = CodeEmbedding(schema, n_owners=n_owners, width=width)
        self.start = nn.Parameter(torch.empty(d_model))
        rotary = schema.layout == "sequence"
        self.positions = None if rotary else nn.Parameter(torch.empty(self.n_tokens, d_model))
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(d_model, n_heads, dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(d_model, bias=False)

        alone = n_owners == 1 and group == 1
        tied = alone and self.embed.num_embeddings == self.heads.widths[0]
        self.tied = tied
        # beyond the window a position does not know where it is
        n_biased = None if window is None else window * group
        self.outputs = Outputs(schema, n_owners=n_owners, width=width, tied=tied, n_biased=n_biased)

        for p in (self.embed.weight, self.start, self.positions):
            if p is not None:
                nn.init.normal_(p, std=INIT_SD)
        angles = torch.zeros(self.n_tokens, d_model // n_heads // 2)
        if rotary:
            rates = 10_000.0 ** -torch.linspace(0, 1, angles.shape[1] + 1)[:-1]
            angles = torch.arange(self.n_tokens).unsqueeze(1) * rates
        self.rotary = rotary
        self.register_buffer("cos", angles.cos(), persistent=False)  # (N, hs / 2)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def outer(self) -> list[nn.Module | nn.Parameter]:
        """The input and output layers."""
        layers: list[nn.Module | nn.Parameter] = [self.embed, self.outputs]
        return layers if self.positions is None else [*layers, self.positions]

    def start_at_marginals(self, rows: np.ndarray, lengths: np.ndarray) -> None:
        """Set the outputs' biases to the marginals of ``rows`` (n, D), of which so many entries
        count (n,); those that variables share to the marginals of all of these together."""
        schema, outputs = self.heads.schema, self.outputs
        known = min(self.D, outputs.n_biased)
        heads = self.heads
        if known < self.D:
            # they need not be whole steps
            heads = Heads(replace(schema, variables=schema.variables[:known], event_shape=(known,)))
        parts = np.split(heads.marginal_outputs(rows[:, :known]), np.cumsum(heads.widths)[:-1])
        for d in range(outputs.n_owners if known < self.D else 0):
            counts = np.arange(d, self.D, outputs.n_owners) < lengths[:, None]
            codes = rows[:, d :: outputs.n_owners][counts]
            one = Heads(Schema((schema.variables[d],), "table", (1,)))
            parts.append(one.marginal_outputs(codes[:, None]))
        outputs.start_at(parts)

    def of_before(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Weights by name from those that versions saved whose output layers were padded."""
        if "bias" not in arrays:
            return arrays
        outer = self.outputs.of_padded(arrays.get("out"), arrays["bias"])
        return {k: a for k, a in arrays.items() if k not in ("out", "bias")} | {
            f"outputs.{name}": array for name, array in outer.items()
        }

    def forward(self, x: Tensor, before: Tensor | None = None) -> Tensor:
        """(B, V) log masses of the codes x (B, V), each given those before it.

        Args:
            x: of the first V variables; or, where there is a window, of any others beyond the first
                ``window`` tokens that follow each other and begin with a token.
            before: (B, group) the codes of the token before x; -1 in rows that begin with x. None:
                all do.
        """
        inside = None if before is None else before[:, 0] >= 0
        return self.outputs.log_prob(self.vectors(x, before), x, self._tied_weight(), inside)

    def vectors(self, x: Tensor, before: Tensor | None = None) -> Tensor:
        """(B, V, width) what ``outputs`` reads the masses of x from; the last code is not read."""
        raise NotImplementedError

    def next_log_probs(self, d: int, previous: Tensor | None, cache: Cache) -> Tensor:
        """(B, card_d) log masses of the codes of variable d, given those of d - 1 (B,), None at 0.

        Positions must come in order; ``cache`` remembers those before.
        """
        raise NotImplementedError

    def seen_log_probs(self, d: int, x: Tensor, previous: Tensor | None, cache: Cache) -> Tensor:
        """(B, V) log masses of the codes x (B, V) of the V variables from d on; the rest as in
        ``next_log_probs``, to which variable d + V comes next."""
        terms = []
        for j in range(x.shape[1]):
            log_p = self.next_log_probs(d + j, previous, cache)
            previous = x[:, j]
            terms.append(log_p.gather(1, x[:, j : j + 1]))
        return torch.cat(terms, dim=1)

    def new_cache(self, B: int) -> Cache:
        """For B rows of which nothing is known yet."""
        shape = (len(self.blocks), self.n_heads, self.d_model // self.n_heads)
        return Cache(B, shape, self.n_tokens, self.window, self.start)

    # ---------------------------------------------------------------- parts

    def _begun(self, tokens: Tensor, first: Tensor | None, before: Tensor | None) -> Tensor:
        """(B, N, d_model) what each token sees of the one before: ``first`` (B, d_model) in rows
        that have a token ``before``, else the start; then ``tokens`` (B, N - 1, d_model)."""
        start = self.start.expand(len(tokens), -1)
        if before is not None and first is not None:
            start = torch.where(before[:, :1] >= 0, first, start)
        return torch.cat([start.unsqueeze(1), tokens], dim=1)

    def _run(self, h: Tensor) -> Tensor:
        """(B, N, d_model) hidden vectors from what each token sees of the one before."""
        N = h.shape[1]
        if self.positions is not None:
            h = h + self.positions[:N]
        h = self.dropout(h)
        angles = (self.cos[:N], self.sin[:N]) if self.rotary else None
        for block in self.blocks:
            h = block(h, angles, self.window)
        return self.norm(h)

    def _run_on(self, n: int, h: Tensor, cache: Cache) -> Tensor:
        """(B, N, d_model) the same for the N tokens from n on, after those in the cache."""
        N = h.shape[1]
        if self.positions is not None:
            h = h + self.positions[n : n + N]
        angles = (self.cos[n : n + N], self.sin[n : n + N]) if self.rotary else None
        cache.make_room(N)
        for i, block in enumerate(self.blocks):
            assert isinstance(block, _Block)
            h = block.step(h, angles, cache, i)
        cache.used += N
        return self.norm(h)

    def log_probs_all(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, d) log masses of the codes x (B, d), and (B, card_d) those of all codes of variable d
        given them."""
        d = x.shape[1]
        u = self.vectors(F.pad(x, (0, 1)))
        last = self.outputs.log_probs_all(d, u[:, d], self._tied_weight())
        return self.outputs.log_prob(u[:, :d], x, self._tied_weight()), last

    def _tied_weight(self) -> Tensor | None:
        return self.embed.weight if self.tied else None


class GPT(Autoregressive):
    """Each variable is a token; ``blocks`` are those of ``Autoregressive``."""

    def __init__(self, schema: Schema, *, d_model: int, **blocks: Any) -> None:
        shared = schema.layout != "table" and schema.alike(np.zeros(schema.D, dtype=np.int64))
        super().__init__(
            schema,
            n_owners=1 if shared else schema.D,
            group=1,
            width=d_model,
            d_model=d_model,
            **blocks,
        )

    def vectors(self, x: Tensor, before: Tensor | None = None) -> Tensor:
        first = None
        if before is not None:
            first = self.embed.of_codes(before.clamp(min=0), slice(0, 1))[:, 0]
        tokens = self.embed.of_codes(x[:, :-1], slice(0, x.shape[1] - 1))
        return self._run(self._begun(tokens, first, before))

    def next_log_probs(self, d: int, previous: Tensor | None, cache: Cache) -> Tensor:
        tokens = self.start.expand(len(cache), 1, -1)
        if previous is not None:
            tokens = self.embed.of_codes(previous.unsqueeze(1), slice(d - 1, d))
        h = self._run_on(d, tokens, cache)[:, 0]
        return self.outputs.log_probs_all(d, h, self._tied_weight())

    def seen_log_probs(self, d: int, x: Tensor, previous: Tensor | None, cache: Cache) -> Tensor:
        V = x.shape[1]
        tokens = self.embed.of_codes(x[:, :-1], slice(d, d + V - 1))
        first = self.start.expand(len(x), 1, -1)
        if previous is not None:
            first = self.embed.of_codes(previous.unsqueeze(1), slice(d - 1, d))
        h = self._run_on(d, torch.cat([first, tokens], dim=1), cache)
        return self.outputs.log_prob_from(d, h, x, self._tied_weight())


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
        shared = schema.layout != "table" and schema.alike(np.arange(schema.D) % group)
        super().__init__(
            schema,
            n_owners=min(group, schema.D) if shared else schema.D,
            group=group,
            width=width,
            **blocks,
        )
        self.read = nn.Linear(width, self.d_model, bias=False)
        self.write = nn.Linear(self.d_model, width)
        self.inner = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
        nn.init.normal_(self.embed.weight, std=GROUPED_SD)

    def vectors(self, x: Tensor, before: Tensor | None = None) -> Tensor:
        G, V = self.group, x.shape[1]
        N = -(-V // G)
        codes = self.embed.of_codes(x, slice(0, V))  # (B, V, W)
        codes = F.pad(codes, (0, 0, 0, N * G - V)).unflatten(1, (N, G))
        # of those before each, and of all: a product is faster than a running sum and its gradient
        sums = codes.new_ones(G + 1, G).tril(-1) @ codes  # (B, N, G + 1, W)
        first = None
        if before is not None:
            earlier = self.embed.of_codes(before.clamp(min=0), slice(0, G))
            first = self.read(F.gelu(earlier.sum(dim=1)))
        h = self._run(self._begun(self.read(F.gelu(sums[:, :-1, G])), first, before))
        u = self._within(self.write(h).unsqueeze(2) + sums[:, :, :G])  # (B, N, G, W)
        return u.flatten(1, 2)[:, :V]

    def _within(self, a: Tensor) -> Tensor:
        u = self.dropout(F.gelu(a))
        return u + self.dropout(self.inner(u))

    def new_cache(self, B: int) -> Cache:
        """Beside keys and values: the running sum of the group, and that with W h."""
        cache = super().new_cache(B)
        cache.sums = tuple(self.start.new_zeros((B, self.embed.embedding_dim)) for _ in range(2))
        return cache

    def next_log_probs(self, d: int, previous: Tensor | None, cache: Cache) -> Tensor:
        sums, a = cache.sums
        if previous is not None:
            vector = self.embed.of_codes(previous.unsqueeze(1), slice(d - 1, d))[:, 0]
            sums += vector
            a += vector
        if d % self.group == 0:
            token = self.read(F.gelu(sums)) if d else self.start.expand(len(cache), -1)
            a[:] = self.write(self._run_on(d // self.group, token.unsqueeze(1), cache)[:, 0])
            sums.zero_()
        return self.outputs.log_probs_all(d, self._within(a))


class _Block(AttentionBlock):
    def __init__(self, d_model: int, n_heads: int, dropout: float) -> None:
        super().__init__(d_model, n_heads, dropout, F.gelu)
        nn.init.zeros_(self.mix.weight)

    def forward(
        self, h: Tensor, angles: tuple[Tensor, Tensor] | None, window: int | None
    ) -> Tensor:
        q, k, v = self._attention_inputs(h, angles)
        if window is None or h.shape[1] <= window:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            y = _windowed(q, k, v, window)
        return self._added(h, y)

    def step(self, h: Tensor, angles: tuple[Tensor, Tensor] | None, cache: Cache, i: int) -> Tensor:
        """The next positions alone, h (B, N, d_model), of this block i, after those kept."""
        return self._added(h, cache.attended(i, *self._attention_inputs(h, angles)))

    def _attention_inputs(
        self, h: Tensor, angles: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self._of_heads(self.norm1(h), self.query, self.key, self.value)
        if angles is not None:
            q, k = _rotate(q, *angles), _rotate(k, *angles)
        return q, k, v


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (x_i, x_{i + hs/2}) by its position's angle."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def _windowed(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Causal attention (B, n_heads, N, size) of each position to the last ``window``, itself among
    them: stretches of that length attend to themselves and to the stretch before."""
    first = F.scaled_dot_product_attention(
        q[:, :, :window], k[:, :, :window], v[:, :, :window], is_causal=True
    )
    N = q.shape[2]
    q, k, v = (F.pad(t, (0, 0, 0, -N % window)) for t in (q, k, v))
    queries = _stretches(q[:, :, window:], window)
    keys, values = (
        torch.cat([_stretches(t[:, :, :-window], window), _stretches(t[:, :, window:], window)], 2)
        for t in (k, v)
    )
    seen = _seen(window, 2 * window, window, q.device)
    rest = F.scaled_dot_product_attention(queries, keys, values, attn_mask=seen)
    rest = rest.unflatten(0, (len(q), -1)).transpose(1, 2).flatten(2, 3)
    return torch.cat([first, rest], dim=2)[:, :, :N]


def _stretches(t: Tensor, length: int) -> Tensor:
    """(B S, n_heads, length, size) the S stretches of t (B, n_heads, S length, size)."""
    return t.unflatten(2, (-1, length)).transpose(1, 2).flatten(0, 1)


def _seen(n: int, end: int, window: int | None, device: torch.device) -> Tensor:
    """(n, end) whether each of the last n of ``end`` positions attends to each of them."""
    at = torch.arange(end, device=device)
    back = at[end - n :, None] - at
    return back >= 0 if window is None else (back >= 0) & (back < window)
