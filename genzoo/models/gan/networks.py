"""The generator with its calibrated observation model."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor, nn

from genzoo.models.neural.coders import Decoder
from genzoo.models.neural.heads import N_COMPONENTS, Heads
from genzoo.space.schema import Schema

# Rows of up to so many variables are read flat. On 8 x 8 digits a convolutional critic's step took
# fifteen times as long as a dense one's, and learned less in the same time.
LONGEST_FLAT = 256
FIRST_MARGINAL = 0.1  # e before calibration: while checkpoints are compared, and for the proposal


class Generator(nn.Module):
    """The decoder with its calibrated observation model: p(x | z).

    Args:
        log_marginals: (D, M) of the training rows; -inf beyond a variable's own codes.
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
        self.unstopped = Heads(dataclasses.replace(schema, end=None))
        C, index = N_COMPONENTS, self.heads.logistic_index
        is_scale = torch.zeros(self.heads.n_outputs, dtype=torch.bool)
        is_scale[index[:, 2 * C : 3 * C]] = True
        is_logit = ~is_scale
        is_logit[index[:, C : 2 * C]] = False  # means
        self.register_buffer("log_marginals", torch.as_tensor(log_marginals), persistent=False)
        self.register_buffer("is_scale", is_scale, persistent=False)
        self.register_buffer("is_logit", is_logit, persistent=False)
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
        return torch.where(
            self.is_logit, self.s * outputs, outputs - math.log(self.s) * self.is_scale
        )

    def log_prob_at(self, outputs: Tensor, x: Tensor) -> Tensor:
        """(...) log p(x | z) in nats, from outputs (..., n_outputs) and codes x (..., D)."""
        own = self.sharpened(outputs)
        each = torch.arange(self.heads.D, device=x.device)

        def terms_of(codes: Tensor) -> Tensor:
            marginal = self.log_marginals[each, codes].to(outputs.dtype)
            return self._mixed(self.heads.log_prob(own, codes), marginal)

        return self.heads.total(terms_of, x)

    def _mixed(self, own: Tensor, marginal: Tensor) -> Tensor:
        """Log masses of the heads' own distribution and the marginal, mixed.

        Summed as masses, which is several times faster than ``logaddexp``: the marginal's share
        keeps the sum above 0.
        """
        return torch.log((1 - self.e) * own.exp() + self.e * marginal.exp())

    def log_table(self, z: Tensor) -> Tensor:
        """(N, D, M) log mass of every code given z (N, Z)."""
        own = self.heads.log_probs_all(self.sharpened(self.decoder(z)))
        return self._mixed(own, self.log_marginals.to(own.dtype))

    def row_log_prob(self, z: Tensor, x: Tensor) -> Tensor:
        """(...) log p(x | z) in nats; leading dimensions of z (..., Z) and x (..., D) broadcast."""
        return self.log_prob_at(self.decoder(z), x)

    @torch.no_grad()
    def sample(self, z: Tensor, noise: torch.Generator) -> Tensor:
        """(B, D) codes from p(x | z) for z (B, Z)."""
        x = self.unstopped.sample(self.sharpened(self.decoder(z)), noise)
        p = self.log_marginals.exp()
        from_marginal = torch.multinomial(p, len(z), replacement=True, generator=noise).T  # (B, D)
        u = torch.rand(x.shape, generator=noise, device=x.device, dtype=torch.float64)
        return self.heads.settled(torch.where(u < self.e, from_marginal, x))


def as_seen(schema: Schema) -> Schema:
    """The schema as the networks see it: short rows as tables."""
    if schema.D > LONGEST_FLAT:
        return schema
    return dataclasses.replace(schema, layout="table", event_shape=(schema.D,), end=None)
