"""The generator with its calibrated observation model."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genzoo.models.neural.coders import Decoder, Encoder, layout_of
from genzoo.models.neural.groups import N_COMPONENTS
from genzoo.models.neural.heads import Heads
from genzoo.space.schema import Schema

# Rows of up to so many variables are read flat. On 8 x 8 digits a convolutional critic's step took
# fifteen times as long as a dense one's, and learned less in the same time.
LONGEST_FLAT = 256
N_CUTS = 16  # of a long ordinal: more of them are finer, and slower
FIRST_MARGINAL = 0.01  # e before calibration, in the game too


class Generator(nn.Module):
    """The decoder with its calibrated observation model: p(x | z).

    Args:
        log_marginals: of the training rows, for each of all codes, variable after variable.

    Attributes:
        floats_per_draw: about how many floats one latent occupies on its way through.
    """

    log_marginals: Tensor
    is_scale: Tensor
    is_logit: Tensor

    def __init__(
        self, schema: Schema, latent_dim: int, width: int, log_marginals: np.ndarray
    ) -> None:
        super().__init__()
        self.decoder = Decoder(as_seen(schema), latent_dim, width)
        self.floats_per_draw = self.decoder.floats_per_draw
        self.heads = Heads(schema)
        # where the marginal's draw replaces an END, the codes that follow must be there
        self.unstopped = Heads(schema.as_table())
        C = N_COMPONENTS
        is_scale = torch.zeros(self.heads.n_outputs, dtype=torch.bool)
        is_mean = torch.zeros_like(is_scale)
        for mixtures in self.heads.mixtures:
            is_mean[mixtures.index[:, C : 2 * C]] = True
            is_scale[mixtures.index[:, 2 * C : 3 * C]] = True
        self.register_buffer("log_marginals", torch.as_tensor(log_marginals), persistent=False)
        self.register_buffer("is_scale", is_scale, persistent=False)
        self.register_buffer("is_logit", ~is_scale & ~is_mean, persistent=False)
        self.calibrate(1.0, FIRST_MARGINAL)

    @torch.no_grad()
    def start_at_marginals(self, rows: np.ndarray) -> None:
        """Set the outputs' biases to the marginals of ``rows`` (n, D)."""
        self.decoder.bias.copy_(torch.as_tensor(self.heads.marginal_outputs(rows)))

    def calibrate(self, s: float, e: float) -> None:
        """Set temperature and marginal weight."""
        self.s, self.e = s, e

    def sharpened(self, outputs: Tensor) -> Tensor:
        """Outputs (..., n_outputs) with temperature s.

        Logits (of codes, of a mixture's components, of the missing mark) are multiplied by s. Of
        long ordinals, a component's log scale falls by about log s.
        """
        if self.s == 1.0:
            return outputs
        n = outputs.shape[-1]  # of long strings perhaps but the first
        is_logit, is_scale = self.is_logit[:n], self.is_scale[:n]
        return torch.where(is_logit, self.s * outputs, outputs - math.log(self.s) * is_scale)

    def log_prob_at(self, outputs: Tensor, x: Tensor, heads: Heads | None = None) -> Tensor:
        """(...) log p(x | z) in nats, from outputs (..., n_outputs) and codes x (..., D); by heads
        of the first variables where these are but theirs."""
        own, heads = self.sharpened(outputs), heads or self.heads

        def terms_of(codes: Tensor) -> Tensor:
            return self.mixed(heads.log_prob(own, codes), codes, heads)

        return heads.total(terms_of, x)

    def mixed(self, own: Tensor, x: Tensor, heads: Heads | None = None) -> Tensor:
        """(..., D) log masses of codes x (..., D), from those that the heads give them."""
        return self._mixed(own, self.log_marginals[(heads or self.heads).code_index(x)])

    def _mixed(self, own: Tensor, marginal: Tensor) -> Tensor:
        """Log masses of the heads' own distribution and the marginal, mixed.

        Summed as masses, which is several times faster than ``logaddexp``: the marginal's share
        keeps the sum above 0.
        """
        return torch.log((1 - self.e) * own.exp() + self.e * marginal.to(own.dtype).exp())

    def log_tables(self, z: Tensor) -> list[Tensor]:
        """Log mass of every code given z (N, Z), as a ragged table of ``heads``."""
        tables = self.heads.log_tables(self.sharpened(self.decoder(z)))
        marginals = self.heads.ragged(self.log_marginals)
        return [self._mixed(*pair) for pair in zip(tables, marginals, strict=True)]

    def row_log_prob(self, z: Tensor, x: Tensor) -> Tensor:
        """(...) log p(x | z) in nats; leading dimensions of z (..., Z) and x (..., D) broadcast."""
        heads, outputs, x = self.decoder.as_far_as(z, x)
        return self.log_prob_at(outputs, x, None if heads is self.decoder.heads else heads)

    def row_log_prob_each(self, z: Tensor, x: Tensor, d: int) -> Tensor:
        """As ``Decoder.row_log_prob_each``."""
        outputs = self.decoder(z)
        own = self.heads.log_probs_of(self.sharpened(outputs), d)
        first = int(self.heads.schema.cards[:d].sum())
        mixed = self._mixed(own, self.log_marginals[first : first + own.shape[-1]])
        return self.log_prob_at(outputs, x).unsqueeze(-1) + mixed

    @torch.no_grad()
    def sample(self, z: Tensor, noise: torch.Generator) -> Tensor:
        """(B, D) codes from p(x | z) for z (B, Z)."""
        x = self.unstopped.sample(self.sharpened(self.decoder(z)), noise)
        from_marginal = self.heads.joined(
            [
                torch.multinomial(p.exp(), len(z), replacement=True, generator=noise).T  # (B, G)
                for p in self.heads.ragged(self.log_marginals)
            ]
        )
        u = torch.rand(x.shape, generator=noise, device=x.device, dtype=torch.float64)
        return self.heads.settled(torch.where(u < self.e, from_marginal, x))


class Critic(nn.Module):
    """Scores (B,) of rows, which it sees with the order of their numbers.

    One-hot codes don't tell that 7 is near 8. Of the ordinal variables of a table ``seen`` adds
    thermometers: whether a value is at least so much, at each code of a short one and, softly, at
    quantiles of the training rows of a long one.

    Args:
        rows: (n, D) the training rows.
    """

    short: Tensor
    is_step: Tensor
    long: Tensor
    cuts: Tensor
    softness: Tensor

    def __init__(self, schema: Schema, width: int, rows: np.ndarray) -> None:
        super().__init__()
        seen = as_seen(schema)
        heads = Heads(seen)
        numbers = [
            d for d, v in enumerate(schema.variables) if v.kind == "ordinal" and v.n_values > 2
        ]
        if layout_of(seen) != "table":
            numbers = []
        long = set(heads.logistic.tolist())
        first = dict(zip(heads.categorical.tolist(), heads.first_features.tolist(), strict=True))
        of_short = [(first[d], schema.variables[d].n_values) for d in numbers if d in first]
        most = max((n for _, n in of_short), default=0)
        step = np.arange(most)
        starts, sizes = np.array(of_short, dtype=np.int64).reshape(-1, 2).T[..., None]  # (G, 1)
        # beyond a variable's own values: a feature that is always 0
        self._hold("short", np.where(step < sizes, starts + step, heads.n_inputs))
        self._hold("is_step", ((step > 0) & (step < sizes)).ravel())
        cuts = [_cuts(rows[:, d], schema.variables[d].n_values) for d in numbers if d in long]
        self._hold("long", heads.n_hot + np.flatnonzero(np.isin(heads.logistic, numbers)))
        self._hold("cuts", np.array([c for c, _ in cuts]).reshape(-1, N_CUTS))
        self._hold("softness", np.array([h for _, h in cuts]).reshape(-1, N_CUTS))
        n_more = int(self.is_step.sum()) + self.cuts.numel()
        self.encoder = Encoder(seen, 1, width, n_more=n_more)

    def _hold(self, name: str, value: np.ndarray) -> None:
        value = value.astype(np.float32) if value.dtype == np.float64 else value
        self.register_buffer(name, torch.as_tensor(value), persistent=False)

    def seen(self, features: Tensor) -> Tensor:
        """(B, n) what is looked at, of features (B, n_inputs) as of ``Heads.onehot``."""
        parts = [features]
        if len(self.short):
            hot = F.pad(features, (0, 1))[:, self.short]  # (B, G, m)
            at_least = hot.flip(-1).cumsum(dim=-1).flip(-1)
            parts.append(at_least.flatten(start_dim=1)[:, self.is_step])
        if len(self.long):
            above = (features[:, self.long].unsqueeze(-1) - self.cuts) / self.softness
            parts.append(torch.sigmoid(above).flatten(start_dim=1))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def scores(self, seen: Tensor) -> Tensor:
        """(B,) of what ``seen`` returns."""
        return self.encoder(seen).squeeze(-1)

    def forward(self, features: Tensor) -> Tensor:
        return self.scores(self.seen(features))


def _cuts(column: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(N_CUTS,) quantiles of a column's codes below n, on the axis from -1 to 1, and how softly a
    thermometer passes each: half the way to its neighbours, a cell at least."""
    known = column[column < n]
    share = (np.arange(N_CUTS) + 0.5) / N_CUTS
    cuts = np.quantile(2 * known / (n - 1) - 1, share) if len(known) else 2 * share - 1
    return cuts, np.maximum(np.gradient(cuts) / 2, 2 / (n - 1))


def as_seen(schema: Schema) -> Schema:
    """The schema as the networks see it: short rows as tables."""
    return schema if schema.D > LONGEST_FLAT else schema.as_table()


def of_all_codes(schema: Schema, table: np.ndarray) -> np.ndarray:
    """The numbers of a table (D, M) that belong to a code, variable after variable."""
    return table[np.arange(table.shape[1]) < schema.cards[:, None]]
