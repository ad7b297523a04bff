"""A transformer that gives each variable's distribution, given any set of the others.

A variable q that is asked about is a vector of its own, its place; one that is known is a vector of
its place and its code. In every block the asked look at the known ones, each at those that it may
see, and at one vector of nothing at all:

    h_q = place_q,    h_q <- h_q + sum_k (a_qk + s_qk) V c_k,    h_q <- h_q + mlp(h_q)

over the known k that q sees, with attention a_qk and a learned s_qk that knows no codes.

The asked don't look at each other, and the known look at nothing: what a variable is told depends
on the set that it sees and on nothing else, neither on an order nor on what others ask. So one pass
answers D questions of a row, each of a set of its own: all conditionals of an order, all those of
an order of blocks, or each variable given all others. That is the estimator of Uria, Murray &
Larochelle (2014), whose sum over what is known s is, with attention beside it; and the query stream
of Yang et al. (2019) over contents that stay as they are.

Attention has a learned bias, and s is a number, for each pair of columns of a table and for how far
apart two steps or pixels lie (Shaw, Uszkoreit & Vaswani 2018; Raffel et al. 2020): what lies beside
a variable tells most, and need not be found out for each place anew. What attention averages does
not tell how much is known; the sum does, and learns fast (validation rows of alarm in 20 s: -10.80
nats with it, -11.13 without).

In strings what is known after a position bars END there, and an END before it leaves nothing but
END: the masses of legal rows sum to one in every order.

Uria, Murray & Larochelle (2014), A deep and tractable density estimator, arXiv:1310.1757. Yang et
al. (2019), XLNet, arXiv:1906.08237. Shaw, Uszkoreit & Vaswani (2018), Self-attention with relative
position representations, arXiv:1803.02155. Raffel et al. (2020), arXiv:1910.10683. The activation
is the squared ReLU of So et al. (2021), Primer, arXiv:2109.08668.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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

PLACE_SD = 0.2  # of places and codes: their sums must tell the variables apart from the start
OUTPUT_SD = 0.02  # with outputs at zero, and places alone to read, attention would learn nothing
# Variables of a table or an image, of which each pair has biases, and each an output layer: with
# these digits_binary had -17.64 nats on validation rows in 20 s, with shared ones -18.35.
WIDEST_PAIRED = 256
FARTHEST = 64  # steps: beyond, all distances in a sequence are one
MOST_ASKED = 256  # questions of a row that are answered at once


class AnyOrder(nn.Module):
    """
    Args:
        d_model: width, a multiple of ``n_heads``.
        n_layers, n_heads: of the blocks.
        dropout: on what is known and on what blocks add.
    """

    def __init__(
        self, schema: Schema, *, d_model: int, n_layers: int, n_heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.D, self.d_model, self.n_heads, self.end = schema.D, d_model, n_heads, schema.end
        self.heads = Heads(schema)
        n_owners = owners(schema)
        self.embed = CodeEmbedding(schema, n_owners=n_owners, width=d_model)
        self.places = nn.Parameter(torch.empty(schema.D, d_model))  # of the asked
        # of the known, where variables share the vectors of their codes
        shares = n_owners < schema.D
        self.own_places = nn.Parameter(torch.empty(schema.D, d_model)) if shares else None
        self.nothing = nn.Parameter(torch.empty(d_model))
        for p in (self.embed.weight, self.places, self.own_places, self.nothing):
            if p is not None:
                nn.init.normal_(p, std=PLACE_SD)
        self.dropout = Dropout(dropout)
        self.norm_known = nn.LayerNorm(d_model, bias=False)
        self.relations = Relations(schema)
        self.blocks = nn.ModuleList(
            Block(d_model, n_heads, dropout, self.relations.number) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(d_model, bias=False)
        self.outputs = Outputs(schema, n_owners=n_owners, width=d_model, tied=False)
        assert self.outputs.weight is not None  # they are not tied
        nn.init.normal_(self.outputs.weight, std=OUTPUT_SD)

    def outer(self) -> list[nn.Module | nn.Parameter]:
        """The input and output layers, and the biases of attention."""
        biases = [block.bias for block in self._blocks() if block.bias is not None]
        own = [] if self.own_places is None else [self.own_places]
        return [self.embed, self.outputs, self.places, *own, *biases]

    def start_at_marginals(self, rows: np.ndarray) -> None:
        """Set the outputs' biases to the marginals of rows (n, D), ``MISSING`` in places."""
        heads = self.heads
        self.outputs.start_at(np.split(heads.marginal_outputs(rows), np.cumsum(heads.widths)[:-1]))

    # ---------------------------------------------------------------- whole rows at once

    def forward(self, x: Tensor, rank: Tensor, asked: Tensor | None = None) -> Tensor:
        """(B, D) log masses of the codes x (B, D), each given those of a lower rank (B, D).

        Those of one rank are independent of each other, but for the END of strings: there each
        follows the rules that those before it set. Codes that are ``MISSING`` are not seen, and
        have 0.

        Args:
            asked: (m,) variables; all others have 0. None: all are asked.
        """
        own = rank if asked is None else rank.index_select(1, asked)
        sees = rank.unsqueeze(1) < own.unsqueeze(2)  # (B, m asked, D known)
        if self.end is None:
            return self.terms(x, sees, sees, asked)
        place = torch.arange(self.D, device=x.device)
        places = place if asked is None else asked
        tied = (rank.unsqueeze(1) == own.unsqueeze(2)) & (place < places.unsqueeze(1))
        return self.terms(x, sees, sees | tied, asked)

    def terms(self, x: Tensor, sees: Tensor, bound: Tensor, asked: Tensor | None = None) -> Tensor:
        """(B, D) log masses of the codes x (B, D), each given those that it sees.

        Args:
            sees: (B, m, D) which variables each asked one sees, where they are known.
            bound: (B, m, D) which of them settle whether there may be an END, likewise.
            asked: as in ``forward``.
        """
        known = x >= 0
        u = self.vectors(x, sees & known.unsqueeze(1), asked)
        codes = x.clamp(min=0)
        if self.end is None:
            terms = self.outputs.log_prob(self._spread(u, asked), codes)
        else:
            table = self.outputs.log_tables(self._spread(u, asked))  # (B, D, M)
            terms = self._until_end(table, codes, bound & known.unsqueeze(1), asked)
        terms = terms.masked_fill(~known, 0.0)
        if asked is None:
            return terms
        return torch.zeros_like(terms).index_copy(1, asked, terms.index_select(1, asked))

    def vectors(self, x: Tensor, sees: Tensor, asked: Tensor | None = None) -> Tensor:
        """(B, m, d_model) what the outputs of the asked variables are read from.

        Args:
            sees: (B, m, D) which variables, all of them known, each asked one sees.
            asked: as in ``forward``.
        """
        c = torch.cat([self.nothing_known(len(x)), self.known(x, slice(None))], dim=1)
        every = torch.arange(self.D, device=x.device) if asked is None else asked
        parts = []
        for at, own in zip(every.split(MOST_ASKED), sees.split(MOST_ASKED, dim=1), strict=True):
            h = self.places[at].unsqueeze(0)
            seen = Seen.of(F.pad(own, (1, 0), value=True).unsqueeze(1))
            for block in self._blocks():
                bias = self.relations.bias(block.bias, at)
                h = block(h, *block.keys_values(c), bias, seen)
            parts.append(h)
        return self.norm(parts[0] if len(parts) == 1 else torch.cat(parts, dim=1))

    def _spread(self, u: Tensor, asked: Tensor | None) -> Tensor:
        """(B, D, d_model) vectors in the places of the asked, 0 in others."""
        if asked is None:
            return u
        return u.new_zeros((len(u), self.D, self.d_model)).index_copy(1, asked, u)

    def _until_end(
        self, table: Tensor, codes: Tensor, bound: Tensor, asked: Tensor | None
    ) -> Tensor:
        """(B, D) log masses of codes of strings from those of all (B, D, M): END where it can't be
        left out, and not where a symbol is known to follow."""
        assert self.end is not None
        place = torch.arange(self.D, device=codes.device)
        places = (place if asked is None else asked).unsqueeze(1)
        is_end = codes.eq(self.end).unsqueeze(1)
        going_on = self._marked((bound & (place > places) & ~is_end).any(dim=-1), asked)
        ended = self._marked((bound & (place < places) & is_end).any(dim=-1), asked)
        barred = torch.zeros(table.shape[-1], dtype=torch.bool, device=codes.device)
        barred[self.end] = True
        total = table.masked_fill(barred, -math.inf).logsumexp(dim=-1)
        terms = table.gather(-1, codes.unsqueeze(-1)).squeeze(-1)
        return torch.where(going_on, terms - total, terms).masked_fill(ended, 0.0)

    def _marked(self, flags: Tensor, asked: Tensor | None) -> Tensor:
        """(B, D) flags (B, m) in the places of the asked, False in others."""
        if asked is None:
            return flags
        return flags.new_zeros((len(flags), self.D)).index_copy(1, asked, flags)

    # ---------------------------------------------------------------- parts

    def known(self, codes: Tensor, variables: Tensor | slice) -> Tensor:
        """(B, m, d_model) vectors of the codes (B, m) of variables (B, m)."""
        c = self.embed.of_codes(codes.clamp(min=0), variables)
        if self.own_places is not None:
            c = c + self.own_places[variables]
        return self.norm_known(self.dropout(c))

    def nothing_known(self, B: int) -> Tensor:
        """(B, 1, d_model)"""
        return self.norm_known(self.nothing).expand(B, 1, -1)

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]


@dataclass(frozen=True)
class Seen:
    """What is seen, as attention uses it: 0 there and -inf elsewhere; 1 there and 0 elsewhere."""

    closed: Tensor
    open: Tensor

    @classmethod
    def of(cls, seen: Tensor) -> Seen:
        open_ = seen.to(torch.get_default_dtype())
        return cls(torch.zeros_like(open_).masked_fill_(~seen, -math.inf), open_)


class Memory:
    """What is known of B rows, as the blocks see it, while more and more of their variables are.

    Args:
        network: in evaluation mode.
        B: rows.
    """

    def __init__(self, network: AnyOrder, B: int) -> None:
        self.network, D = network, network.D
        self.seen = torch.zeros((B, D + 1), dtype=torch.bool, device=network.places.device)
        self.seen[:, 0] = True
        shape = (B, network.n_heads, D + 1, network.d_model // network.n_heads)
        self.kept = []
        nothing = network.nothing_known(B)
        for block in network._blocks():
            keys, values = (network.places.new_zeros(shape) for _ in range(2))
            keys[:, :, :1], values[:, :, :1] = block.keys_values(nothing)
            self.kept.append((keys, values))

    def tell(self, rows: Tensor, variables: Tensor, codes: Tensor) -> None:
        """The codes (b, m) of variables (b, m) of some rows (b,) are known from now on; what is
        ``MISSING`` stays so."""
        c, at = self.network.known(codes, variables), (rows.unsqueeze(1), variables + 1)
        for block, (keys, values) in zip(self.network._blocks(), self.kept, strict=True):
            k, v = block.keys_values(c)
            keys.transpose(1, 2)[at], values.transpose(1, 2)[at] = (
                k.transpose(1, 2),
                v.transpose(1, 2),
            )
        self.seen[at] = codes >= 0

    def ask(self, rows: Tensor, variables: Tensor) -> Tensor:
        """(b, m, d_model) vectors of variables (b, m) of some rows (b,), given all that is known of
        each."""
        network = self.network
        h, seen = network.places[variables], Seen.of(self.seen[rows][:, None, None])
        every = len(rows) == len(self.seen)
        for block, (keys, values) in zip(network._blocks(), self.kept, strict=True):
            k, v = (keys, values) if every else (keys[rows], values[rows])
            h = block(h, k, v, network.relations.bias(block.bias, variables), seen)
        return network.norm(h)


class Block(AttentionBlock):
    """What the known tell the asked, and a feed-forward layer.

    Args:
        n_relations: that have a bias; 0: none do.
    """

    def __init__(self, d_model: int, n_heads: int, dropout: float, n_relations: int) -> None:
        super().__init__(d_model, n_heads, dropout, _squared_relu)
        self.bias = nn.Parameter(torch.zeros(n_relations, 2 * n_heads)) if n_relations else None

    def keys_values(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n_heads, m, size) each, of what is known (B, m, d_model)."""
        k, v = self._of_heads(c, self.key, self.value)
        return k, v

    def forward(self, h: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, seen: Seen) -> Tensor:
        """(B, m, d_model) the asked h after this block.

        Args:
            k, v: of ``keys_values``.
            bias: (..., 2 n_heads, m, known) of attention, then the numbers s; None: neither.
            seen: of (B, 1, m or 1, known).
        """
        q = self.query(self.norm1(h)).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2)
        if bias is None:
            weights = (scores + seen.closed).softmax(dim=-1)
        else:
            attended, summed = bias.chunk(2, dim=-3)
            weights = (scores + attended).add_(seen.closed).softmax(dim=-1)
            weights = torch.addcmul(weights, summed, seen.open)
        return self._added(h, weights @ v)


def _squared_relu(x: Tensor) -> Tensor:
    return F.relu(x).square()


class Relations(nn.Module):
    """Which pairs of an asked and a known variable share a bias of attention.

    Each kind of relation is the sum of a number of the asked and one of the known.

    Attributes:
        number: of relations of all kinds; 0 in a wide table.
    """

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        at = np.arange(schema.D)
        self.number, self._kinds = 0, list[tuple[str, int, int]]()
        if schema.layout != "sequence" and schema.D <= WIDEST_PAIRED:
            self._add(at * schema.D, at)
        if schema.layout == "sequence":
            C = schema.event_shape[-1] if len(schema.event_shape) > 1 else 1
            self._add(FARTHEST - at // C, at // C, most=2 * FARTHEST)
            self._add_channels(at % C, C)
        elif schema.layout == "image":
            *channels, H, W = schema.event_shape
            y, x = np.divmod(at % (H * W), W)
            flat = y * (2 * W - 1) + x
            self._add((H - 1) * (2 * W - 1) + W - 1 - flat, flat)
            self._add_channels(at // (H * W), *(channels or [1]))

    def _add_channels(self, channel: np.ndarray, C: int) -> None:
        if 1 < C <= WIDEST_PAIRED:
            self._add(channel * C, channel)

    def _add(self, asked: np.ndarray, known: np.ndarray, most: int | None = None) -> None:
        """A kind, of numbers 0 .. most; what is beyond has the nearest."""
        most = int(asked.max() + known.max()) if most is None else most
        name = f"kind{len(self._kinds)}"
        pair = torch.as_tensor(np.stack([asked, known]))
        self.register_buffer(name, pair, persistent=False)
        self._kinds.append((name, self.number, most))
        self.number += most + 1

    def bias(self, weight: Tensor | None, asked: Tensor) -> Tensor | None:
        """(H, m, D + 1), or with rows' own variables (B, H, m, D + 1): the biases of the asked
        (m,) or (B, m), from those of the relations (R, H); 0 of nothing at all."""
        if weight is None:
            return None
        parts = []
        for name, first, most in self._kinds:
            of_asked, of_known = self.get_buffer(name)
            index = (of_asked[asked].unsqueeze(-1) + of_known).clamp(0, most) + first
            parts.append(weight.index_select(0, index.flatten()).unflatten(0, index.shape))
        return F.pad(sum(parts[1:], parts[0]).movedim(-1, -3), (1, 0))


def owners(schema: Schema) -> int:
    """How many variables have embeddings and output layers of their own: all of a table, or of a
    small image; one of a large image, or each channel of a step, where they are alike."""
    small = schema.D <= WIDEST_PAIRED
    if schema.layout == "table" or (schema.layout == "image" and small):
        return schema.D
    steps = schema.layout == "sequence" and len(schema.event_shape) > 1
    C = schema.event_shape[-1] if steps else 1
    return C if schema.alike(np.arange(schema.D) % C) else schema.D
