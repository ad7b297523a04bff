"""A masked transformer: any variable given any others, as one distribution.

A masked language model (Devlin et al. 2019) is trained to tell what is hidden from what is not.
Its conditionals are no joint distribution's: orders in which they are multiplied disagree. Here
they are made one, as a mixture over K orders that are drawn in ``fit`` and stay:

    p(x) = 1/K sum_k prod_i p(x_{o_k(i)} | x_{o_k(<i)})

(Uria, Murray & Larochelle 2014). The network is trained over random orders (Hoogeboom et al. 2022)
and, for most rows, over these K (Shih, Sadigh & Ermon 2022: what is asked later should be
what is trained). The first is the order of the variables themselves. One pass of the network gives
all conditionals of an order (``network.py``): ``log_prob`` of complete rows takes K, and is exact.

``sample`` draws an order, then its conditionals. What is given is never merely clamped: what is
missing is drawn from the network's conditionals given all evidence, and weighed by the mixture
(``completion.py``). So are masses of rows with ``MISSING``, which are exact where completions are
few, else lower bounds.

Devlin, Chang, Lee & Toutanova (2019), BERT, arXiv:1810.04805. Uria, Murray & Larochelle (2014), A
deep and tractable density estimator, arXiv:1310.1757. Hoogeboom et al. (2022), Autoregressive
diffusion models, arXiv:2110.02037. Shih, Sadigh & Ermon (2022), Training and inference on any-order
autoregressive models the right way, arXiv:2205.13554. Pannatier, Courdier & Fleuret (2024),
sigma-GPTs, arXiv:2404.09562.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from genzoo.fitting import Fit
from genzoo.models.anyorder.family import AnyOrderFamily
from genzoo.parameters import Interval

# Of the rows that are trained by one of the orders that stay: on validation rows of alarm in 20 s a
# quarter more of them, in larger batches, brought -11.00 nats to -10.85; without others at all the
# network knew little of what completions ask of it (-12.26 in random orders against -11.41).
STORED_SHARE = 0.75


class MaskedTransformer(AnyOrderFamily):
    """A transformer that was trained on random masks, as a mixture over a few orders.

    >>> model = MaskedTransformer(device="cpu").fit(["ab", "ba", "abab"] * 20, budget="20 steps")
    >>> model.log_prob(["ab"]).kind
    'exact'

    Rows with holes are taken as missing at random: what is observed is trained on, given what else
    is.

    Args:
        n_orders: K.
        d_model: width, a multiple of ``n_heads``; None: 32, 64 or 128, as far as data and budget
            are large enough for it.
        n_layers: blocks; None: 2 or 3, with the width.
        n_heads: attention heads; None: one for each 16 of the width.
        dropout: in [0, 1); None: 0, 0.1 or 0.2, the more often training passes over the rows.
        device: ``"auto"`` (an accelerator where there is one), ``"cpu"``, ``"cuda"``, ...

    Attributes:
        orders_: (K, D) the variables in each order.
    """

    parameters = {"n_orders": Interval(int), **AnyOrderFamily.parameters}

    def __init__(
        self,
        *,
        n_orders: int = 4,
        d_model: int | None = None,
        n_layers: int | None = None,
        n_heads: int | None = None,
        dropout: float | None = None,
        device: str = "auto",
    ) -> None:
        self.n_orders = n_orders
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.dropout = dropout
        self.device = device

    def _prepare(self, fit: Fit) -> None:
        if fit.earlier is not None:  # these were what was learned
            self.orders_ = fit.earlier.orders_
            return
        D, rng = self.schema_.D, fit.rng("anyorder", "orders")
        others = [rng.permutation(D) for _ in range(self.n_orders - 1)]
        self.orders_ = np.stack([np.arange(D), *others])

    def _kept(self) -> dict[str, Any]:
        return {"n_orders": len(self.orders_), **super()._kept()}

    def _way_each(self, n: int, rng: np.random.Generator) -> np.ndarray:
        ranks = np.argsort(self.orders_, axis=1)
        return ranks[rng.integers(len(ranks), size=n)]

    def _ways(self, n: int, rng: np.random.Generator, averaged: bool) -> tuple[np.ndarray, bool]:
        return np.argsort(self.orders_, axis=1), True

    def _training_ranks(self, B: int, generator: torch.Generator) -> Tensor:
        device = generator.device
        ranks = torch.as_tensor(np.argsort(self.orders_, axis=1)).float().to(device)
        stored = torch.rand(B, 1, generator=generator, device=device) < STORED_SHARE
        which = torch.randint(len(ranks), (B,), generator=generator, device=device)
        anew = torch.rand(B, self.schema_.D, generator=generator, device=device)
        return torch.where(stored, ranks[which], anew)

    def _state(self) -> dict[str, np.ndarray]:
        return {"orders": self.orders_, **super()._state()}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.orders_ = arrays["orders"]
        super()._restore(arrays)
