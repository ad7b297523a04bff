"""A variational autoencoder: rows as noisy views of a few latent coordinates.

    z ~ N(0, I_Z),    x_d ~ p_d(. | decoder(z)) independently,    p(x) = E_z prod_d p_d(x_d | z)

The decoder emits a distribution for each variable over its own codes, so p is a proper mass on the
space of rows, and ``sample`` draws from it. In strings with END each latent's product stops at the
first END. The encoder gives a Gaussian q(z | x) near the posterior. Both are trained together to
raise a lower bound on the likelihood (Kingma & Welling 2014; Rezende, Mohamed & Wierstra 2014),
here the importance-weighted one with a few draws (Burda, Grosse & Salakhutdinov 2016):

    log (1/k) sum_i w_i,    w_i = p(x | z_i) (p(z_i) / q(z_i | x))^b,    z_i ~ q(z | x)

In the first part of training b rises from 0 to 1 (KL warm-up, Bowman et al. 2016), so that the
decoder learns to use z before z has a price; else it may never (posterior collapse). The encoder's
gradient is the doubly reparameterised one, whose noise does not drown it as k grows (Tucker et al.
2019).

``log_prob`` is the same bound with K = ``n_importance`` draws and b = 1. The weights that are kept
are those with the best bound on validation rows. Dequantisation never enters.

Kingma & Welling (2014), arXiv:1312.6114. Rezende, Mohamed & Wierstra (2014), arXiv:1401.4082.
Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519. Bowman et al. (2016), arXiv:1511.06349.
Tucker, Lawson, Gu & Maddison (2019), arXiv:1810.04152.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genzoo import forms
from genzoo.budget import Budget, Training
from genzoo.model import GenerativeModel, LogProb, Progress, Unsupported, check_integer
from genzoo.neural.coders import Decoder, Encoder
from genzoo.neural.latent import Bound, default_draws, importance_bound, log_prior_ratio
from genzoo.neural.training import (
    Player,
    Recipe,
    epochs,
    fit_network,
    load_weights,
    weights_of,
)
from genzoo.schema import MISSING, Schema
from genzoo.seeding import check_seed, numpy_rng, torch_generator, torch_seeded
from genzoo.store import pack_json, unpack_json

ESTIMATORS = ("auto", "elbo", "iwae")
TRAINING_DRAWS = 4  # k
# b rises for this share of the training, but no longer than ten passes over the rows (or 100
# steps): a decoder that may use z for free learns few rows by heart.
WARM_UP, WARM_UP_PASSES, WARM_UP_STEPS = 0.2, 10, 100
WIDTH = 128
# Selection takes fewer draws than ``log_prob`` and more rows instead: rows differ more than draws.
SELECTION_DRAWS, SELECTION_NUMBERS, FEWEST_SELECTION_ROWS = 64, 2**25, 64
CHUNK_NUMBERS = 2**22  # floats of the decoder's in one batch of samples
LARGEST_LOG_SD = 5.0  # of the posterior, in size


class VAE(GenerativeModel):
    """A variational autoencoder with a head for each variable.

    ``log_prob`` is a lower bound: the importance-weighted one with K draws (``estimator="iwae"``),
    or the mean of K log weights (``"elbo"``); ``stderr`` is the Monte Carlo error of each row.
    ``set_params`` may change both settings after ``fit``.

    Args:
        latent_dim: latent coordinates Z; None: 16, or 32 where there are 10,000 training rows of
            more than 256 variables.
        width: of the hidden layers.
        n_importance: K, draws a row in ``log_prob``, at least 2; None: 64 to 256, fewer for wide
            rows. What it comes to is in ``n_importance_``.
        estimator: ``"auto"`` (iwae), ``"iwae"`` or ``"elbo"``.
        device: ``"auto"`` (an accelerator where there is one), ``"cpu"``, ``"cuda"``, ...

    Attributes:
        n_importance_: K of ``log_prob``.

    References: see the module.
    """

    def __init__(
        self,
        *,
        latent_dim: int | None = None,
        width: int = WIDTH,
        n_importance: int | None = None,
        estimator: str = "auto",
        device: str = "auto",
    ) -> None:
        self.latent_dim = latent_dim
        self.width = width
        self.n_importance = n_importance
        self.estimator = estimator
        self.device = device

    def _check_params(self) -> None:
        check_integer("latent_dim", self.latent_dim, optional=True)
        check_integer("width", self.width)
        check_integer("n_importance", self.n_importance, least=2, optional=True)
        if self.estimator not in ESTIMATORS:
            raise ValueError(
                f"estimator: expected one of {', '.join(ESTIMATORS)}; got {self.estimator!r}"
            )
        if not isinstance(self.device, str) or not self.device:
            raise ValueError(f'device: expected "auto", "cpu", "cuda", ...; got {self.device!r}')

    # ---------------------------------------------------------------- fitting

    def _fit(
        self,
        rows: np.ndarray,
        valid: np.ndarray | None,
        *,
        seed: int,
        budget: Budget,
        progress: Progress,
    ) -> Training:
        assert valid is not None  # the class selects
        self._build(self.latent_dim or _latent_dim(*rows.shape), self.width, seed=seed)
        network = self.network_
        network.decoder.start_at_marginals(rows)
        K = min(SELECTION_DRAWS, self.n_importance_)
        n_selection = SELECTION_NUMBERS // (K * network.decoder.numbers)
        chosen = numpy_rng(seed, "vae", "selection").permutation(len(valid))
        held_out = valid[np.sort(chosen[: max(FEWEST_SELECTION_ROWS, n_selection)])]
        recipe = _recipe(len(rows))
        longest = max(WARM_UP_STEPS, WARM_UP_PASSES * len(rows) // recipe.batch_size)
        done, steps = 0.0, 0

        def watched(fraction: float, message: str) -> None:
            nonlocal done, steps
            done, steps = fraction, steps + 1
            progress(fraction, message)

        def loss(x: Tensor, generator: torch.Generator) -> Tensor:
            b = min(1.0, max(done / WARM_UP, steps / longest))
            return -network.training_bound(x, b, generator).mean()

        def evaluate() -> float:
            return float(self._bound(held_out, K=K, seed=seed).value.mean())

        return fit_network(
            [Player(network, loss, outer=network.encoder.outer + network.decoder.outer)],
            draw_batch=epochs(torch.as_tensor(rows), recipe.batch_size),
            evaluate=evaluate,
            recipe=recipe,
            budget=budget,
            seed=seed,
            progress=watched,
            device=self.device,
        )

    def _build(self, latent_dim: int, width: int, seed: int = 0) -> None:
        self.sizes_ = (int(latent_dim), int(width))
        with torch_seeded(seed, "vae", "init"):
            self.network_ = _Coders(self.schema_, *self.sizes_)

    # ---------------------------------------------------------------- queries

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        _refuse_missing(rows, "log_prob")
        return self._bound(rows, K=self.n_importance_, seed=seed).log_prob()

    @property
    def n_importance_(self) -> int:
        """K, the draws a row of ``log_prob``."""
        if self.n_importance is not None:
            return int(self.n_importance)
        return default_draws(self.network_.decoder.numbers)

    def _bound(self, rows: np.ndarray, *, K: int, seed: int) -> Bound:
        decoder = self.network_.decoder
        return importance_bound(
            rows,
            propose=self.network_.posterior,
            log_likelihood=decoder.row_log_prob,
            K=K,
            seed=seed,
            width=decoder.numbers,
            estimator="elbo" if self.estimator == "elbo" else "iwae",
            device=decoder.bias.device,
        )

    @torch.no_grad()
    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        if given is not None and (given != MISSING).any():
            raise Unsupported(
                "a VAE would have to draw from p(z | what is given), for which it has no sampler"
            )
        decoder = self.network_.decoder
        device = decoder.bias.device
        generator = torch_generator(seed, "vae", "sample", device=device)
        z = torch.randn(n, self.sizes_[0], generator=generator, device=device)
        parts = z.split(max(1, CHUNK_NUMBERS // decoder.numbers))
        return torch.cat([decoder.heads.sample(decoder(p), generator).cpu() for p in parts]).numpy()

    # ---------------------------------------------------------------- the latent space

    def encode(self, data: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of q(z | x), (n, Z) each, for data as in ``log_prob``.

        Raises:
            Unsupported: for entries that are ``MISSING``.
        """
        self._check_fitted("encode")
        rows = self._read_rows(data)
        _refuse_missing(rows, "encode")
        mean, log_sd = self._posterior(rows)
        return mean.cpu().numpy(), log_sd.exp().cpu().numpy()

    def reconstruct(self, data: Any, *, seed: int = 0) -> Any:
        """The likeliest row at the posterior's mean of each row, in the form that was given.

        Args:
            data: as in ``log_prob``.
            seed: for the numbers within a wide cell.
        """
        mean, _ = self.encode(data)
        return self._in_form(self._likeliest(mean), data, seed)

    def interpolate(self, a: Any, b: Any, n: int = 8, *, seed: int = 0) -> Any:
        """n likeliest rows on the straight line from the posterior's mean of a to that of b.

        Args:
            a, b: data of one row each, of one form.
            n: how many, both ends included; at least 2.
            seed: for the numbers within a wide cell.
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
            raise ValueError(f"n: expected an integer of at least 2; got {n!r}")
        ends = []
        for name, data in (("a", a), ("b", b)):
            mean, _ = self.encode(data)
            if len(mean) != 1:
                raise ValueError(f"{name}: expected one row; got {len(mean)}")
            ends.append(mean)
        along = np.linspace(0.0, 1.0, int(n), dtype=np.float32)[:, None]
        return self._in_form(self._likeliest((1 - along) * ends[0] + along * ends[1]), a, seed)

    @torch.no_grad()
    def _posterior(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        device = self.network_.decoder.bias.device
        parts = torch.as_tensor(rows).split(max(1, CHUNK_NUMBERS // self.network_.decoder.numbers))
        means, log_sds = zip(*(self.network_.posterior(x.to(device)) for x in parts), strict=True)
        return torch.cat(means), torch.cat(log_sds)

    @torch.no_grad()
    def _likeliest(self, mean: np.ndarray) -> np.ndarray:
        """(n, D) each variable's likeliest code at latents (n, Z); END..END after an END."""
        decoder, heads = self.network_.decoder, self.network_.decoder.heads
        parts = []
        for z in torch.as_tensor(mean).split(max(1, CHUNK_NUMBERS // (heads.D * heads.M))):
            x = heads.log_probs_all(decoder(z.to(decoder.bias.device))).argmax(dim=-1)
            parts.append(x if heads.end is None else x.masked_fill(~heads.reached(x), heads.end))
        return torch.cat(parts).cpu().numpy()

    def _in_form(self, rows: np.ndarray, like: Any, seed: int) -> Any:
        form = forms.form_of(like)
        if form == "codes":
            return rows
        if form == "frame":
            return forms.decode_frame(self.schema_, rows, seed=check_seed(seed))
        return self.schema_.decode(rows, seed=check_seed(seed))

    # ---------------------------------------------------------------- state

    def _state(self) -> dict[str, np.ndarray]:
        return {"sizes": pack_json(self.sizes_), **weights_of(self.network_)}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self._build(*unpack_json(arrays["sizes"]))
        weights = {name: array for name, array in arrays.items() if name != "sizes"}
        load_weights(self.network_, weights, self.device)

    @property
    def n_parameters_(self) -> int:
        """The number of trained weights, the encoder's included."""
        return sum(p.numel() for p in self.network_.parameters())


class _Coders(nn.Module):
    """Encoder and decoder, trained as one."""

    def __init__(self, schema: Schema, latent_dim: int, width: int) -> None:
        super().__init__()
        self.encoder = Encoder(schema, 2 * latent_dim, width)
        self.decoder = Decoder(schema, latent_dim, width)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation (B, Z) of q(z | x) for codes x (B, D)."""
        mean, raw = self.encoder(self.decoder.heads.onehot(x)).chunk(2, dim=-1)
        return mean, LARGEST_LOG_SD * torch.tanh(raw / LARGEST_LOG_SD)

    def training_bound(self, x: Tensor, b: float, generator: torch.Generator) -> Tensor:
        """(B,) the bound in the module's text for codes x (B, D), with its gradient from there."""
        mean, log_sd = self.posterior(x)
        shape = (TRAINING_DRAWS, *mean.shape)
        noise = torch.randn(shape, generator=generator, device=mean.device)
        z = mean + noise * torch.exp(log_sd)  # (k, B, Z)
        # q's own parameters are held fixed in log q: their score has mean 0, and noise
        log_ratio = log_prior_ratio(z, mean.detach(), log_sd.detach())
        log_w = self.decoder.row_log_prob(z, x) + b * log_ratio  # (k, B)
        share = log_w.detach().softmax(dim=0)
        # the encoder's gradient, all of which flows through z, takes the shares squared
        z.register_hook(lambda gradient: gradient * share.unsqueeze(-1))
        surrogate = (share * log_w).sum(dim=0)  # its gradient is the bound's, its value is not
        bound = log_w.detach().logsumexp(dim=0) - math.log(TRAINING_DRAWS)
        return surrogate + (bound - surrogate.detach())


def _latent_dim(n: int, D: int) -> int:
    """Latent coordinates for n training rows of D variables."""
    return 32 if n >= 10_000 and D > 256 else 16


def _recipe(n: int) -> Recipe:
    """For n training rows: the fewer, the more the weights decay."""
    weight_decay = min(0.4, max(0.02, 400 / n))
    return Recipe(
        steps=4000, batch_size=64, muon_lr=None, adam_lr=0.01, weight_decay=weight_decay, ema=0.99
    )


def _refuse_missing(rows: np.ndarray, method: str) -> None:
    if (rows == MISSING).any():
        raise Unsupported(
            f"a VAE's encoder reads complete rows; {method} with MISSING entries needs a proposal "
            f"for partly observed ones"
        )
