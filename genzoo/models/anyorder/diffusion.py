"""Discrete diffusion: rows that are revealed in a few steps, many variables at a time.

Noise that hides one variable after the other, each when its time comes (the absorbing state of
Austin et al. 2021), is undone by a network that tells what is hidden from what is not. Its bound on
the likelihood is a mean of masked-language losses (Sahoo et al. 2024; Shi et al. 2024), which is
the one of models of any order (Hoogeboom et al. 2022): the network and its training are those of
``masked_transformer``. What is another is the distribution: rows are drawn in S steps, each of
which reveals D / S variables that are chosen at random, independently given those before.

    p(x) = E over ways of p(x | way),    p(x | way) = prod_s prod_{v in step s} p(x_v | steps < s)

The fewer steps, the fewer passes of the network a row takes, and the more is lost of what the
variables of one step have in common. ``log_prob`` bounds the distribution at the very S that
``sample`` draws with: log of the mean of p(x | way) over M ways that are drawn anew (Burda, Grosse
& Salakhutdinov 2016), which is at least the usual bound, the mean of the log, in expectation.

In strings what a step reveals is legal: its variables come from left to right, and where one of
them is an END, or what is known bars it, those beside it follow. That belongs to p(x | way).

Completions are weighed, never merely clamped (``completion.py``), by masses of the same p.

Austin, Johnson, Ho, Tarlow & van den Berg (2021), Structured denoising diffusion models in discrete
state-spaces, arXiv:2107.03006. Sahoo et al. (2024), Simple and effective masked diffusion language
models, arXiv:2406.07524. Shi, Han, Wang, Doucet & Titsias (2024), Simplified and generalized masked
diffusion for discrete data, arXiv:2406.04329. Hoogeboom et al. (2022), Autoregressive diffusion
models, arXiv:2110.02037. Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519.
"""

from __future__ import annotations

import copy
from typing import Self

import numpy as np
import torch
from torch import Tensor

from genzoo.models.anyorder.family import AnyOrderFamily
from genzoo.parameters import Interval

STEPPED_SHARE = 0.5  # of the rows that are trained by steps as they are drawn; others one by one
AVERAGED_WAYS = 4  # of a row that is one of many draws: more draws serve as well, at less cost


class Diffusion(AnyOrderFamily):
    """Discrete diffusion by masking: all variables of a row in a few steps, in random order.

    >>> model = Diffusion(device="cpu").fit(["ab", "ba", "abab"] * 20, budget="20 steps")
    >>> model.log_prob(["ab"]).kind
    'lower_bound'

    Rows with holes are taken as missing at random: what is observed is trained on, given what else
    is.

    Args:
        n_steps: S, in which a row is drawn, at most D; more are better and slower. It may be
            changed after ``fit``: ``sample`` and ``log_prob`` follow.
        n_ways: M, of which ``log_prob`` takes the mean, at least 2: more are tighter and slower.
        d_model: width, a multiple of ``n_heads``; None: 32, 64 or 128, as far as data and budget
            are large enough for it.
        n_layers: blocks; None: 2 or 3, with the width.
        n_heads: attention heads; None: one for each 16 of the width.
        dropout: in [0, 1); None: 0, 0.1 or 0.2, the more often training passes over the rows.
        device: ``"auto"`` (an accelerator where there is one), ``"cpu"``, ``"cuda"``, ...
    """

    parameters = {
        "n_steps": Interval(int),
        "n_ways": Interval(int, 2),
        **AnyOrderFamily.parameters,
    }

    def __init__(
        self,
        *,
        n_steps: int = 32,
        n_ways: int = 8,
        d_model: int | None = None,
        n_layers: int | None = None,
        n_heads: int | None = None,
        dropout: float | None = None,
        device: str = "auto",
    ) -> None:
        self.n_steps = n_steps
        self.n_ways = n_ways
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.dropout = dropout
        self.device = device

    def in_steps(self, n_steps: int) -> Self:
        """The same network, drawing in another number of steps; this model stays as it is.

        >>> model = Diffusion(device="cpu").fit(["ab", "ba"] * 20, budget="20 steps")
        >>> model.in_steps(1).n_steps, model.n_steps
        (1, 32)
        """
        return copy.copy(self).set_params(n_steps=n_steps)

    def _way_each(self, n: int, rng: np.random.Generator) -> np.ndarray:
        D = self.schema_.D
        places = rng.permuted(np.broadcast_to(np.arange(D), (n, D)), axis=1)
        return places * min(self.n_steps, D) // D

    def _ways(self, n: int, rng: np.random.Generator, averaged: bool) -> tuple[np.ndarray, bool]:
        if min(self.n_steps, self.schema_.D) == 1:
            return np.zeros((1, self.schema_.D), dtype=np.int64), True
        R = min(self.n_ways, AVERAGED_WAYS) if averaged else self.n_ways
        return np.stack([self._way_each(n, rng) for _ in range(R)]), False

    def _training_ranks(self, B: int, generator: torch.Generator) -> Tensor:
        D, device = self.schema_.D, generator.device
        order = torch.rand(B, D, generator=generator, device=device).argsort(dim=1)
        places = order.argsort(dim=1)
        stepped = torch.rand(B, 1, generator=generator, device=device) < STEPPED_SHARE
        return torch.where(stepped, places * min(self.n_steps, D) // D, places)
