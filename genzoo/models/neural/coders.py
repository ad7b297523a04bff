"""Networks from rows to vectors and from latent vectors to rows, by the layout of the rows.

An ``Encoder`` reads the features that ``Heads.onehot`` makes of a row (or a relaxation of them) and
emits a vector: a posterior's parameters, a critic's score. A ``Decoder`` turns a latent vector into
the outputs that ``Heads`` reads. Shared by the VAE and the GAN.

- Images: strided convolutions until at most 7 pixels a side remain, and the way back (Radford, Metz
  & Chintala 2016).
- Sequences: encoded by residual convolutions over the steps; decoded to a vector for each step,
  which one output layer for all steps turns into logits. Of more than 4,096 steps, stretches of
  neighbours are read and written as one (their features' mean; the same logits, up to a bias for
  each step): weights for each step at each unit would be more than the data.
- Tables, layouts whose variables differ in kind, and images of at most 2,048 outputs (a binary one
  of 28 x 28 pixels has 1,568): hidden layers over all variables at once, all but the first
  residual. On a CPU, convolutions over so few pixels cost more than they bring.

There is no batch normalisation: what a row gets never depends on other rows, in training or after.

Radford, Metz & Chintala (2016), DCGAN, arXiv:1511.06434.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genzoo.models.neural.heads import Heads
from genzoo.space.schema import Schema

SMALLEST_SIDE = 7  # pixels, from which dense layers go on
LARGEST_FLAT = 2048  # outputs; images of so many at most are read as tables
# More of these see further, and take longer: a kernel's steps, and residual convolutions.
KERNEL, N_BLOCKS = 5, 2
LARGEST_LOG_SD = 5.0  # of a proposal, in size: no row's weights overflow
# From so many features a variable on, the first layer of a table gathers its columns of the codes
# that a row has; for fewer the product with one-hot features is faster.
GATHERED = 16
LONGEST_SEQUENCE, MOST_STRETCHES = 4096, 1024
STEP_SHARE, PIXEL_SHARE = 4, 8  # a step has width / 4 channels; a pixel width / 8, then doubled


def layout_of(schema: Schema) -> str:
    """How the networks read a row: the schema's layout, or "table" where that serves better."""
    small = schema.layout == "image" and Heads(schema).n_outputs <= LARGEST_FLAT
    alike = schema.alike(np.zeros(schema.D, dtype=np.int64))
    return schema.layout if alike and not small else "table"


class Encoder(nn.Module):
    """Features (B, n_inputs), as of ``Heads.onehot``, to vectors (B, n_out).

    There are ``depth`` residual hidden layers of ``width``. Rows of a table may have ``n_more``
    features behind these.
    """

    def __init__(
        self, schema: Schema, n_out: int, width: int, depth: int = 1, n_more: int = 0
    ) -> None:
        super().__init__()
        self.heads = heads = Heads(schema)
        self.event_shape, self.layout = schema.event_shape, layout_of(schema)
        self.n_features = heads.n_inputs // schema.D  # of a variable, where all are alike
        self.by_variable = heads.n_hot > 0  # else feature by feature
        share = PIXEL_SHARE if self.layout == "image" else STEP_SHARE
        channels = max(8, width // share)
        body: list[nn.Module]
        if self.layout == "image":
            C, sides = _image_sides(schema)
            body = [nn.Conv2d(C * self.n_features, channels, 3, padding=1), nn.SiLU()]
            for _ in sides[1:]:
                body += [nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), nn.SiLU()]
                channels *= 2
            n_flat = channels * math.prod(sides[-1])
            body.append(nn.Flatten())
        elif self.layout == "sequence":
            T, C = _sequence_shape(schema)
            n, length = _stretches(T)
            body = [nn.Conv1d(C * self.n_features, channels, 1), _Positions(channels, n)]
            body += [_Convolution(channels) for _ in range(N_BLOCKS)]
            n_flat = channels * n
            body.append(nn.Flatten())
            if length > 1:
                body.insert(0, nn.AvgPool1d(length, ceil_mode=True))
        else:
            n_flat, body = heads.n_inputs + n_more, []
        first, last = nn.Linear(n_flat, width), nn.Linear(width, n_out)
        hidden = [_Hidden(width) for _ in range(depth)]
        self.body = nn.Sequential(*body, first, nn.SiLU(), *hidden, last)

    def forward(self, features: Tensor) -> Tensor:
        return self.body(self._arranged(features))

    def of_codes(self, x: Tensor, blank: Tensor) -> Tensor:
        """The same for codes x (B, D); where one is below 0, its features are those of ``blank``
        (n_inputs,)."""
        if self.layout != "table" or self.n_features < GATHERED:
            return self(self.heads.onehot(x, blank))
        first, *others = self.body
        assert isinstance(first, nn.Linear)
        h = self.heads.projected(x, first.weight, blank) + first.bias
        for layer in others:
            h = layer(h)
        return h

    def _arranged(self, features: Tensor) -> Tensor:
        """(B, n_inputs) -> (B, C * F, H, W) for images, (B, C * F, T) for sequences."""
        if self.layout == "table":
            return features
        B, F_ = len(features), self.n_features
        if self.by_variable:
            features = features.view(B, -1, F_).transpose(1, 2)  # (B, F, D)
        features = features.reshape(B, F_, *self.event_shape)
        if self.layout == "image":
            return features.flatten(start_dim=1, end_dim=-3)  # a grey image: (B, F, H, W)
        if len(self.event_shape) == 2:
            features = features.transpose(2, 3)  # (B, F, C, T)
        return features.flatten(start_dim=1, end_dim=-2)


class Proposal(nn.Module):
    """A Gaussian near the posterior of the latents: q(z | x)."""

    blank: Tensor

    def __init__(self, schema: Schema, latent_dim: int, width: int) -> None:
        super().__init__()
        self.heads, self.latent_dim = Heads(schema), latent_dim
        self.encoder = Encoder(schema, 2 * latent_dim, width)
        self.register_buffer("blank", torch.zeros(self.heads.n_inputs))

    def learn_blank(self, rows: np.ndarray) -> None:
        """Let the mean features of ``rows`` (n, D) stand for entries that are ``MISSING``."""
        self.blank.copy_(torch.as_tensor(self.heads.mean_features(rows)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation (B, Z) for codes x (B, D)."""
        mean, raw = self.encoder.of_codes(x, self.blank).chunk(2, dim=-1)
        return mean, LARGEST_LOG_SD * torch.tanh(raw / LARGEST_LOG_SD)


class Decoder(nn.Module):
    """Latents (..., Z) to outputs (..., n_outputs), in the layout of ``Heads``.

    Attributes:
        floats_per_draw: about how many floats one latent occupies on its way through.
    """

    def __init__(self, schema: Schema, latent_dim: int, width: int, depth: int = 1) -> None:
        super().__init__()
        self.heads = Heads(schema)
        self.layout = layout_of(schema)
        n_outputs, per_variable = self.heads.n_outputs, self.heads.n_outputs // schema.D
        share = PIXEL_SHARE if self.layout == "image" else STEP_SHARE
        channels = max(8, width // share)
        first = nn.Linear(latent_dim, width)
        body: list[nn.Module] = [first, nn.SiLU(), *(_Hidden(width) for _ in range(depth))]
        last: nn.Module
        if self.layout == "image":
            C, sides = _image_sides(schema)
            self.arranged = (C, per_variable, *sides[0])
            deep = channels * 2 ** (len(sides) - 1)
            body += [
                nn.Linear(width, deep * math.prod(sides[-1])),
                nn.SiLU(),
                nn.Unflatten(1, (deep, *sides[-1])),
            ]
            for side in sides[-2::-1]:
                body += [_Doubled(deep, deep // 2, side), nn.SiLU()]
                deep //= 2
            last = nn.Conv2d(deep, C * per_variable, 3, padding=1, bias=False)
            self.floats_per_draw = self.heads.floats + 4 * channels * math.prod(sides[0])
        elif self.layout == "sequence":
            T, C = _sequence_shape(schema)
            n, self.length = _stretches(T)
            body += [nn.Linear(width, n * channels), nn.SiLU(), nn.Unflatten(1, (n, channels))]
            last = nn.Linear(channels, C * per_variable, bias=False)
            self.floats_per_draw = self.heads.floats + 4 * channels * n
        else:
            last = nn.Linear(width, n_outputs, bias=False)
            self.floats_per_draw = self.heads.floats + 4 * width
        self.body = nn.Sequential(*body, last)
        self.bias = nn.Parameter(torch.zeros(n_outputs))
        self._shorter: dict[int, Heads] = {}  # those of the first steps of strings, by their number

    @torch.no_grad()
    def start_at_marginals(self, rows: np.ndarray) -> None:
        """Set the outputs' biases to the marginals of ``rows`` (n, D)."""
        self.bias.copy_(torch.as_tensor(self.heads.marginal_outputs(rows)))

    def forward(self, z: Tensor) -> Tensor:
        out = self.body(z.reshape(-1, z.shape[-1]))
        if self.layout == "image":
            out = out.view(len(out), *self.arranged).movedim(2, -1)  # (N, C, H, W, F)
        elif self.layout == "sequence":
            out = self._stretched(out, self.heads.schema.event_shape[0])
        return out.reshape(*z.shape[:-1], -1) + self.bias

    def _stretched(self, out: Tensor, steps: int) -> Tensor:
        """(N, steps, F) from what stretches of steps share."""
        return out if self.length == 1 else out.repeat_interleave(self.length, dim=1)[:, :steps]

    def as_far_as(self, z: Tensor, x: Tensor) -> tuple[Heads, Tensor, Tensor]:
        """Heads, outputs for latents z and codes x, all as far as any of these strings goes: where
        one of many is long, the others are decoded in no time. Else all of them as they are."""
        steps = self._steps(x)
        if steps == self.heads.D:
            return self.heads, self(z), x
        if steps not in self._shorter:
            schema = self.heads.schema
            short = dataclasses.replace(
                schema, variables=schema.variables[:steps], event_shape=(steps,)
            )
            self._shorter[steps] = Heads(short)
        heads = self._shorter[steps].to(z.device)
        *before, wide, act, _, last = self.body
        assert isinstance(wide, nn.Linear)
        assert isinstance(last, nn.Linear)
        n = -(-steps // self.length)
        h = nn.Sequential(*before)(z.reshape(-1, z.shape[-1]))
        rows = n * last.in_features
        h = act(F.linear(h, wide.weight[:rows], wide.bias[:rows])).unflatten(1, (n, -1))
        out = self._stretched(last(h), steps).reshape(*z.shape[:-1], -1)
        return heads, out + self.bias[: out.shape[-1]], x[..., :steps]

    def _steps(self, x: Tensor) -> int:
        """How many steps of strings x (..., D) to look at: a power of two, if it saves half."""
        D, end = self.heads.D, self.heads.end
        if end is None or self.layout != "sequence":
            return D
        open_ = (x != end).flatten(end_dim=-2).any(dim=0).nonzero()
        longest = int(open_.max()) + 2 if len(open_) else 1  # with its END
        steps = 1 << (longest - 1).bit_length()
        return steps if 2 * steps <= D else D

    def row_log_prob(self, z: Tensor, x: Tensor) -> Tensor:
        """(...) log p(x | z) in nats; leading dimensions of z (..., Z) and x (..., D) broadcast.

        In strings the product stops at the first END, for each latent by itself.
        """
        heads, outputs, x = self.as_far_as(z, x)
        return heads.row_log_prob(outputs, x)

    def row_log_prob_each(self, z: Tensor, x: Tensor, d: int) -> Tensor:
        """(..., M) log p(x with each of the M codes of variable d | z) in nats.

        Codes x (..., D) are ``MISSING`` there, and of rows without END.
        """
        outputs = self(z)
        rest = self.heads.row_log_prob(outputs, x)
        return rest.unsqueeze(-1) + self.heads.log_probs_of(outputs, d)

    def log_tables(self, z: Tensor) -> list[Tensor]:
        """Log mass of every code given z (N, Z), as a ragged table of ``heads``."""
        return self.heads.log_tables(self(z))

    def sample(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """(N, D) codes from p(x | z) for z (N, Z)."""
        return self.heads.sample(self(z), generator)


class _Hidden(nn.Module):
    """A residual hidden layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        return h + F.silu(self.linear(h))


class _Convolution(nn.Module):
    """A residual convolution over the steps of a sequence (B, channels, T)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, KERNEL, padding=KERNEL // 2)

    def forward(self, h: Tensor) -> Tensor:
        return h + F.silu(self.conv(h))


class _Positions(nn.Module):
    """Adds a vector for each position to a sequence (B, channels, T)."""

    def __init__(self, channels: int, T: int) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.zeros(channels, T))

    def forward(self, h: Tensor) -> Tensor:
        return h + self.at


class _Doubled(nn.Module):
    """Twice the resolution, cut to the size that was halved on the way in."""

    def __init__(self, n_in: int, n_out: int, side: tuple[int, int]) -> None:
        super().__init__()
        self.side = side
        self.conv = nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        return self.conv(h)[..., : self.side[0], : self.side[1]]


def _image_sides(schema: Schema) -> tuple[int, list[tuple[int, int]]]:
    """Channels, and (H, W) at each resolution, the full one first."""
    *channels, H, W = schema.event_shape
    sides = [(H, W)]
    while max(sides[-1]) > SMALLEST_SIDE:
        sides.append(((sides[-1][0] + 1) // 2, (sides[-1][1] + 1) // 2))
    return math.prod(channels), sides


def _sequence_shape(schema: Schema) -> tuple[int, int]:
    """Steps and channels."""
    T, *channels = schema.event_shape
    return T, math.prod(channels)


def _stretches(T: int) -> tuple[int, int]:
    """Into how many stretches T steps are cut, and how long each is, the last perhaps shorter."""
    length = 1 if T <= LONGEST_SEQUENCE else -(-T // MOST_STRETCHES)
    return -(-T // length), length
