"""A generative adversarial network with an honest likelihood.

    z ~ N(0, I_Z),    x_d ~ p_d(. | G(z)) independently,    p(x) = E_z prod_d p_d(x_d | G(z))

The generator G emits a distribution for each variable over its own codes, so p is a proper mass on
the space of rows, and ``sample`` draws z, then x, from it. In strings with END the product of each
latent stops at the first END. Fitting has three parts.

1. *The game* (Goodfellow et al. 2014; Arjovsky et al. 2017; Gulrajani et al. 2017). A critic C sees
   rows as one-hot features and plays for the Wasserstein distance, its slope held near 1 on lines
   between real and drawn rows:

       C:  min  E C(drawn) - E C(real) + lambda E (|grad C(between)| - 1)^2
       G:  min  - E C(drawn)

   Codes are discrete, so G's gradient goes straight through the draw: forward the one-hot code,
   backward its Gumbel-softmax relaxation (Jang et al. 2017; Bengio et al. 2013). What C judges is
   thus a draw from p itself, per-variable noise included. The generator that is kept is a moving
   average of the weights, the one with the best bound on validation rows (draws from the prior).

2. *Calibration.* Inside each head the logits get a temperature and the distribution is mixed with
   the variable's training marginal m_d,

       p_d(v | z) = (1 - e) softmax(s * logits)_v + e m_d(v),    e >= 0.001,

   so every legal code has mass whatever G says. For each e the best s is found on one half of the
   validation rows, and e is chosen on the other. At e = 1 the model is the independent baseline.
   s and e belong to the model: samples have them too.

3. *The proposal.* An encoder learns q(z | x), a Gaussian, by maximum likelihood of z on the model's
   own draws (z, x). ``log_prob`` is a lower bound by importance sampling from q mixed with the
   prior (a sixteenth of the draws), which bounds the weights where q has learned nothing.

Goodfellow et al. (2014), Generative adversarial nets, arXiv:1406.2661. Arjovsky, Chintala & Bottou
(2017), Wasserstein GAN, arXiv:1701.07875. Gulrajani et al. (2017), Improved training of Wasserstein
GANs, arXiv:1704.00028. Jang, Gu & Poole (2017), Gumbel-softmax, arXiv:1611.01144. Bengio, Leonard &
Courville (2013), Estimating or propagating gradients, arXiv:1308.3432. Wu, Burda, Salakhutdinov &
Grosse (2017), On the quantitative analysis of decoder-based generative models, arXiv:1611.04273.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Literal

import numpy as np
import torch
from torch import nn

from genzoo.fitting import Fit
from genzoo.models.gan.calibration import Decoded, calibrated
from genzoo.models.gan.game import WARM_UP, Game
from genzoo.models.gan.networks import Critic, Generator, as_seen, of_all_codes
from genzoo.models.independent import Independent
from genzoo.models.neural.batches import epochs
from genzoo.models.neural.coders import Proposal
from genzoo.models.neural.importance import MOST_DRAWS
from genzoo.models.neural.latent import LatentFamily
from genzoo.models.neural.modules import (
    Drawn,
    load_weights,
    n_weights,
    pick_device,
    weights_of,
)
from genzoo.models.neural.training import fit_network
from genzoo.parameters import POSITIVE, Interval
from genzoo.seeding import torch_generator
from genzoo.store import pack_json, unpack_json

# By these shares of the budget the parts are over; the estimator is chosen in the rest. Steps are
# for game and proposals alone. A longer game makes a better generator, a longer proposal a tighter
# bound.
GAME, CALIBRATION = 0.88, 0.95
MOST_VALID_ROWS = 128  # more of them choose better, and take longer each time
# A bound from few draws is loose for a sharp model, and would blur it: as many as so many floats
# (a second, and in all) of decoded outputs allow; of wide rows fewer than ``MOST_VALID_ROWS``.
CALIBRATION_FLOATS, FLOATS_PER_SECOND = 2**24, 2**20
FEWEST_CALIBRATION_DRAWS, FEWEST_WIDE_DRAWS, FEWEST_CALIBRATION_ROWS = 32, 8, 8


class GAN(LatentFamily):
    """Generative adversarial network (WGAN-GP with straight-through draws).

    >>> model = GAN(device="cpu").fit(["ab", "ba", "abab"] * 20, budget="20 steps")
    >>> model.log_prob(["ab"]).kind
    'lower_bound'

    Args:
        latent_dim: Z, length of the latent vector.
        width: of the hidden layers of generator, critic and encoder.
        critic_steps: turns of the critic for one of the generator.
        penalty: lambda, the weight of the critic's gradient penalty.
        estimator, n_importance, n_temperatures, n_chains, ais_start, device: as in ``VAE``.

    Attributes:
        calibration_: ``temperature`` (s), ``marginal_weight`` (e), and the mean bound in nats per
            row on the validation rows that chose e, ``before`` (s = 1, e = 0.001) and ``after``;
            ``n_importance`` and ``effective`` say how many draws a row it took and how many of them
            counted.
    """

    parameters = {
        "latent_dim": Interval(int),
        "width": Interval(int),
        "critic_steps": Interval(int),
        "penalty": POSITIVE,
        "likelihood_weight": Interval(float, 0),
        **LatentFamily.parameters,
    }

    def __init__(
        self,
        *,
        latent_dim: int = 16,
        width: int = 128,
        critic_steps: int = 1,
        penalty: float = 1.0,
        likelihood_weight: float = 0.1,
        estimator: Literal["auto", "elbo", "iwae", "ais"] = "auto",
        n_importance: int | None = None,
        n_temperatures: int = 100,
        n_chains: int = 8,
        ais_start: Literal["proposal", "prior"] = "proposal",
        device: str = "auto",
    ) -> None:
        self.latent_dim = latent_dim
        self.width = width
        self.critic_steps = critic_steps
        self.penalty = penalty
        self.likelihood_weight = likelihood_weight
        self.estimator = estimator
        self.n_importance = n_importance
        self.n_temperatures = n_temperatures
        self.n_chains = n_chains
        self.ais_start = ais_start
        self.device = device

    # ---------------------------------------------------------------- fitting

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        assert valid is not None  # the class selects
        chosen = fit.rng("gan", "valid").permutation(len(valid))[:MOST_VALID_ROWS]
        held_out = valid[chosen]
        marginals = Independent().fit(rows, schema=self.schema_).log_table_
        self._build(of_all_codes(self.schema_, marginals), self.latent_dim, self.width, fit.seed)
        self.generator_.start_at_marginals(rows)
        self.proposal_.learn_blank(rows)
        self._play(rows, held_out, fit)
        self._calibrate(held_out, fit)
        fit.note(self._resolve_estimator(held_out, fit.seed, len(valid)))

    def _build(self, log_marginals: np.ndarray, latent_dim: int, width: int, seed: int = 0) -> None:
        self.sizes_ = (latent_dim, width)
        device = pick_device(self.device)
        with Drawn(torch_generator(seed, "gan", "weights")):
            self.generator_ = Generator(self.schema_, latent_dim, width, log_marginals)
            self.proposal_ = Proposal(as_seen(self.schema_), latent_dim, width)
        self.generator_.to(device).eval()
        self.proposal_.to(device).eval()

    def _play(self, rows: np.ndarray, valid: np.ndarray, fit: Fit) -> None:
        """Part 1: the game, whose learning curve is the model's."""
        part, generator = fit.part("game", GAME, seed=fit.seed), self.generator_
        with Drawn(fit.torch_rng("gan", "critic")):
            critic = Critic(self.schema_, self.width, rows)
        game = Game(generator, self.proposal_, critic, self.penalty, self.likelihood_weight)
        few_cells = self.schema_.n_cells <= len(rows)
        recipe = game.recipe(_share(fit, GAME), len(rows), few_cells)
        chosen, K = game.selection(len(valid), _share(fit, GAME))

        def warmth() -> float:
            return min(1.0, max(part.reported / WARM_UP, part.training.steps / recipe.settling))

        fit_network(
            game.players(self.critic_steps, warmth),
            draw_batch=epochs(torch.as_tensor(rows), recipe.batch_size),
            evaluate=lambda: self._bound(valid[:chosen], "iwae", seed=fit.seed, K=K).value,
            recipe=recipe,
            fit=part,
            device=self.device,
        )
        fit.take("game", part)
        record = fit.training
        record.curve, record.notes = part.training.curve, part.training.notes
        record.converged, record.stopped_by = part.training.converged, part.training.stopped_by
        record.late_gain = part.training.late_gain
        first, *later = (p.valid for p in record.curve if p.valid is not None)
        if first >= max(later, default=first):
            record.converged = False
            fit.note(
                "the game did not improve the bound on validation rows: the generator that was "
                "kept is the untrained one, near the training marginals"
            )
        fit.note(f"likelihood weight {self.likelihood_weight:g} beside the adversarial loss")

    def _calibrate(self, valid: np.ndarray, fit: Fit) -> None:
        """Part 2: temperature and marginal weight."""
        generator = self.generator_
        part = fit.part("calibration", CALIBRATION)
        seconds = fit.budget.seconds or math.inf
        floats = min(CALIBRATION_FLOATS, seconds * FLOATS_PER_SECOND)
        pairs = int(floats) // generator.heads.n_outputs
        K = max(FEWEST_CALIBRATION_DRAWS, min(MOST_DRAWS, pairs // len(valid)))
        rows = valid[: max(FEWEST_CALIBRATION_ROWS, pairs // K)]
        K = min(K, max(FEWEST_WIDE_DRAWS, pairs // len(rows)))
        noise = fit.torch_rng("gan", "calibration", device=self._device)
        decoded = Decoded(
            torch.as_tensor(rows).to(self._device), generator, self.proposal_, K, noise
        )
        found = calibrated(decoded.bound, len(rows), part)
        fit.take("calibration", part)
        generator.calibrate(found.temperature, found.marginal_weight)
        self.calibration_: dict[str, float] = asdict(found)
        for remark in found.remarks():
            fit.note(remark)

    # ---------------------------------------------------------------- the model and its proposal

    def _networks(self) -> list[nn.Module]:
        return [self.generator_, self.proposal_]

    @property
    def _proposal(self) -> Proposal:
        return self.proposal_

    @property
    def _observation(self) -> Generator:
        return self.generator_

    # ---------------------------------------------------------------- state

    def _state(self) -> dict[str, np.ndarray]:
        state = {
            "sizes": np.array(self.sizes_),
            "log_marginals": self.generator_.log_marginals.cpu().numpy(),
            "calibration": pack_json(self.calibration_),
            "estimator": pack_json(self.resolved_estimator_),
        }
        for name, module in self._trained().items():
            state |= weights_of(module, f"{name}.")
        return state

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        latent_dim, width = (int(size) for size in arrays["sizes"])
        marginals = arrays["log_marginals"]
        if marginals.ndim == 2:  # as earlier versions saved them
            marginals = of_all_codes(self.schema_, marginals)
        self._build(marginals, latent_dim, width)
        for name, module in self._trained().items():
            load_weights(module, arrays, self.device, f"{name}.")
        self.calibration_ = unpack_json(arrays["calibration"])
        self.resolved_estimator_ = unpack_json(arrays["estimator"])
        self.generator_.calibrate(
            self.calibration_["temperature"], self.calibration_["marginal_weight"]
        )

    def _trained(self) -> dict[str, nn.Module]:
        return {"decoder": self.generator_.decoder, "proposal": self.proposal_}

    @property
    def n_parameters_(self) -> int:
        """Of the model: the generator's weights, the marginals, s and e; without the encoder, which
        only tightens the bound."""
        marginals = int((self.schema_.cards - 1).sum())
        return n_weights(self.generator_.decoder) + marginals + 2


def _share(fit: Fit, share: float) -> float | None:
    """Seconds that a share of the caller's budget comes to; None without a budget in seconds."""
    return None if fit.budget.seconds is None else share * fit.budget.seconds
