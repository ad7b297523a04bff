"""A variational autoencoder: rows as noisy views of a few latent coordinates.

    z ~ N(0, I_Z),    x_d ~ p_d(. | decoder(z)) independently,    p(x) = E_z prod_d p_d(x_d | z)

The decoder emits a distribution for each variable over its own codes, so p is a proper mass on the
space of rows, and ``sample`` draws from it. In strings with END each latent's product stops at the
first END. The encoder gives a Gaussian q(z | x) near the posterior. Both are trained together to
raise a lower bound on the likelihood (Kingma & Welling 2014; Rezende, Mohamed & Wierstra 2014), here
the importance-weighted one with a few draws (Burda, Grosse & Salakhutdinov 2016):

    log (1/k) sum_i p(x | z_i) (p(z_i) / q(z_i | x))^b,    z_i ~ q(z | x)

In the first part of training b rises from 0 to 1 (KL warm-up, Bowman et al. 2016), so that the
decoder learns to use z before z has a price; else it may never (posterior collapse).

``log_prob`` is the same bound with ``n_importance`` draws and b = 1; the weights that are kept are
those with the best such bound on validation rows. Dequantisation never enters.

Kingma & Welling (2014), arXiv:1312.6114. Rezende, Mohamed & Wierstra (2014), arXiv:1401.4082.
Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519. Bowman et al. (2016), arXiv:1511.06349.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genzoo import forms
from genzoo.budget import Budget, Training
from genzoo.model import GenerativeModel, LogProb, Progress, Unsupported
from genzoo.neural.coders import Decoder, Encoder
from genzoo.neural.latent import Bound, importance_bound, log_prior_ratio
from genzoo.neural.training import Player, Recipe, epochs, fit_network, pick_device
from genzoo.schema import MISSING, Schema
from genzoo.seeding import check_seed, numpy_rng, torch_generator, torch_seeded
from genzoo.store import pack_json, unpack_json

ESTIMATORS = ("auto", "elbo", "iwae")
TRAINING_DRAWS = 4
WARM_UP = 0.2  # share of the training in which the KL's weight rises
FEWEST_VALID_ROWS, VALID_NUMBERS = 64, 2**24  # rows, and floats of the decoder's, in a validation
BATCH_NUMBERS = 2**22  # floats of the decoder's in one batch of samples
DREG = True
LOWEST_LOG_SD = -5.0  # of the posterior


class VAE(GenerativeModel):
    """A variational autoencoder with a head for each variable.

    ``log_prob`` is a lower bound: the importance-weighted one with K = ``n_importance`` draws
    (``estimator="iwae"``), or the mean of the log weights (``"elbo"``); ``stderr`` is the Monte
    Carlo error of each row. ``set_params`` may change both after ``fit``.

    Args:
        latent_dim: latent coordinates Z; None: by the number of training rows and of variables.
        width: of the hidden layers; None: by the number of training rows.
        n_importance: K, draws a row in ``log_prob``; at least 2.
        estimator: ``"auto"`` (iwae), ``"iwae"`` or ``"elbo"``.
        device: ``"auto"`` (an accelerator where there is one), ``"cpu"``, ``"cuda"``, ...

    References: see the module.
    """

    def __init__(
        self,
        *,
        latent_dim: int | None = None,
        width: int | None = None,
        n_importance: int = 64,
        estimator: str = "auto",
        device: str = "auto",
    ) -> None:
        self.latent_dim = latent_dim
        self.width = width
        self.n_importance = n_importance
        self.estimator = estimator
        self.device = device

    def _check_params(self) -> None:
        for name, least in (("latent_dim", 1), ("width", 1), ("n_importance", 2)):
            value = getattr(self, name)
            if value is None and name != "n_importance":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
                raise ValueError(f"{name}: expected an integer of at least {least}; got {value!r}")
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
        self._build(*self._sizes(len(rows)), seed=seed)
        network = self.network_
        network.decoder.start_at_marginals(rows)
        recipe = self._recipe(len(rows))
        chosen = numpy_rng(seed, "vae", "valid").permutation(len(valid))
        n_valid = max(FEWEST_VALID_ROWS, VALID_NUMBERS // (self.n_importance * network.decoder.numbers))
        held_out = valid[np.sort(chosen[:n_valid])]
        done = 0.0

        def watched(fraction: float, message: str) -> None:
            nonlocal done
            done = fraction
            progress(fraction, message)

        def loss(x: Tensor, generator: torch.Generator) -> Tensor:
            kl_weight = min(1.0, done / WARM_UP)
            return -network.training_bound(x, kl_weight, generator).mean()

        def evaluate() -> float:
            return float(self._bound(held_out, seed=seed).value.mean())

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

    def _sizes(self, n: int) -> tuple[int, int]:
        """Latent coordinates and width for n training rows."""
        return self.latent_dim or 16, self.width or 128

    def _recipe(self, n: int) -> Recipe:
        return Recipe(steps=3000, batch_size=64, muon_lr=None, adam_lr=0.01, weight_decay=0.1)

    def _build(self, latent_dim: int, width: int, seed: int = 0) -> None:
        self.sizes_ = (int(latent_dim), int(width))
        with torch_seeded(seed, "vae", "init"):
            self.network_ = _Coders(self.schema_, *self.sizes_)

    # ---------------------------------------------------------------- queries

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        _refuse_missing(rows, "log_prob")
        return self._bound(rows, seed=seed).log_prob()

    def _bound(self, rows: np.ndarray, *, seed: int) -> Bound:
        decoder = self.network_.decoder
        return importance_bound(
            rows,
            propose=self.network_.posterior,
            log_likelihood=decoder.row_log_prob,
            K=int(self.n_importance),
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
        parts = z.split(max(1, BATCH_NUMBERS // decoder.numbers))
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
        parts = torch.as_tensor(rows).split(max(1, BATCH_NUMBERS // self.network_.decoder.numbers))
        means, log_sds = zip(*(self.network_.posterior(x.to(device)) for x in parts), strict=True)
        return torch.cat(means), torch.cat(log_sds)

    @torch.no_grad()
    def _likeliest(self, mean: np.ndarray) -> np.ndarray:
        """(n, D) each variable's likeliest code at latents (n, Z); END..END after an END."""
        decoder, heads = self.network_.decoder, self.network_.decoder.heads
        parts = []
        for z in torch.as_tensor(mean).split(max(1, BATCH_NUMBERS // (heads.D * heads.M))):
            x = heads.log_probs_all(decoder(z.to(decoder.bias.device))).argmax(dim=-1)
            parts.append(x if heads.end is None else x.masked_fill(~heads.reached(x), heads.end))
        return torch.cat(parts).cpu().numpy()

    def _in_form(self, rows: np.ndarray, like: Any, seed: int) -> Any:
        if forms.form_of(like) == "codes":
            return rows
        return self.schema_.decode(rows, seed=check_seed(seed))

    # ---------------------------------------------------------------- state

    def _state(self) -> dict[str, np.ndarray]:
        weights = {k: v.cpu().numpy() for k, v in self.network_.state_dict().items()}
        return {"sizes": pack_json(self.sizes_), **weights}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self._build(*unpack_json(arrays["sizes"]))
        weights = {k: torch.as_tensor(v) for k, v in arrays.items() if k != "sizes"}
        self.network_.load_state_dict(weights)
        self.network_.to(pick_device(self.device)).eval()

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
        return mean, -LOWEST_LOG_SD * torch.tanh(raw / -LOWEST_LOG_SD)

    def training_bound(self, x: Tensor, kl_weight: float, generator: torch.Generator) -> Tensor:
        """(B,) the bound of the module's text for codes x (B, D)."""
        mean, log_sd = self.posterior(x)
        shape = (TRAINING_DRAWS, *mean.shape)
        noise = torch.randn(shape, generator=generator, device=mean.device)
        z = mean + noise * torch.exp(log_sd)  # (k, B, Z)
        log_prior_ratio_ = log_prior_ratio(z, mean.detach(), log_sd.detach())
        log_w = self.decoder.row_log_prob(z, x) + kl_weight * log_prior_ratio_
        share = log_w.detach().softmax(dim=0)  # (k, B)
        if DREG:
          if z.requires_grad: z.register_hook(lambda gradient: gradient * share.unsqueeze(-1))
          return (share * log_w).sum(dim=0)
        log_w = self.decoder.row_log_prob(z, x) + kl_weight * log_prior_ratio(z, mean, log_sd)
        return log_w.logsumexp(dim=0) - np.log(TRAINING_DRAWS)


def _refuse_missing(rows: np.ndarray, method: str) -> None:
    if (rows == MISSING).any():
        raise Unsupported(
            f"a VAE's encoder reads complete rows; {method} with MISSING entries needs a proposal "
            f"for partly observed ones"
        )
