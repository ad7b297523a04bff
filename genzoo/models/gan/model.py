"""A generative adversarial network with an honest likelihood.

    z ~ N(0, I_Z),    x_d ~ p_d(. | G(z)) independently,    p(x) = E_z prod_d p_d(x_d | G(z))

The generator G emits a distribution for each variable over its own codes, so p is a proper mass on
the space of rows, and ``sample`` draws z, then x, from it. In strings with END the product of each
latent stops at the first END. Fitting has two parts.

1. *The game* (Goodfellow et al. 2014), as R3GAN plays it (Huang, Gokaslan, Kuleshov & Tompkin
   2024). A critic C judges pairs of a real row x and a drawn row y: who looks more real
   (Jolicoeur-Martineau 2019). Its slope is held down at both by zero-centred penalties (Mescheder,
   Geiger & Nowozin 2018), without which the game need not settle. G plays against it, and an
   encoder q(z | x), a Gaussian, learns with G what latents may stand behind a row:

       C:     min  E log(1 + exp(C(y) - C(x))) + gamma / 2 (E |grad C(x)|^2 + E |grad C(y)|^2)
       G, q:  min  E log(1 + exp(C(x) - C(y))) - lambda E bound(x)

   The *likelihood term*, the bound on log p(x) by a few draws from q as a VAE has it
   (``neural/variational.py``), makes G answer for every row and not only for what it draws, which
   is what an adversarial loss alone forgets (mode collapse): adversarial and likelihood training
   are joined so by Larsen et al. (2016) and by Grover, Dhar & Ermon (2018). lambda is
   ``likelihood_weight``; at 0 the game is purely adversarial, and q alone raises the bound.

   Codes are discrete, so G's gradient goes straight through the draw: forward the one-hot code,
   backward its Gumbel-softmax relaxation (Jang et al. 2017; Bengio et al. 2013). What C judges is
   thus a draw from p itself, per-variable noise included. It sees numbers in their order: beside
   one-hot codes the thermometers of ``networks.Critic``. The weights that are kept, of G and q, are
   moving averages, those with the best bound on validation rows: the one that is reported, with
   fewer draws.

2. *Calibration.* Inside each head the logits get a temperature and the distribution is mixed with
   the variable's training marginal m_d,

       p_d(v | z) = (1 - e) softmax(s * logits)_v + e m_d(v),    e >= 0.001,

   so every legal code has mass whatever G says. For each e the best s is found on one half of the
   validation rows, and e is chosen on the other. At e = 1 the model is the independent baseline.
   s and e belong to the model: samples have them too.

``log_prob`` is a lower bound by importance sampling from q mixed with the prior (a sixteenth of the
draws), which bounds the weights where q has learned nothing.

Goodfellow et al. (2014), Generative adversarial nets, arXiv:1406.2661. Huang, Gokaslan, Kuleshov &
Tompkin (2024), The GAN is dead; long live the GAN! A modern baseline GAN, arXiv:2501.05441.
Jolicoeur-Martineau (2019), The relativistic discriminator, arXiv:1807.00734. Mescheder, Geiger &
Nowozin (2018), Which training methods for GANs do actually converge?, arXiv:1801.04406. Larsen,
Sonderby, Larochelle & Winther (2016), Autoencoding beyond pixels using a learned similarity metric,
arXiv:1512.09300. Grover, Dhar & Ermon (2018), Flow-GAN, arXiv:1705.08868. Jang, Gu & Poole (2017),
Gumbel-softmax, arXiv:1611.01144. Bengio, Leonard & Courville (2013), Estimating or propagating
gradients, arXiv:1308.3432. Wu, Burda, Salakhutdinov & Grosse (2017), On the quantitative analysis
of decoder-based generative models, arXiv:1611.04273.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, Literal

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

# By these shares of a budget in seconds the parts are over; the estimator is chosen in the rest.
GAME, CALIBRATION = 0.8, 0.87
MOST_VALID_ROWS = 256  # more of them choose better, and take longer each time
# A bound from few draws is loose for a sharp model, and would blur it: as many as so many floats
# (a second, and in all) of decoded outputs allow; of wide rows fewer than ``MOST_VALID_ROWS``.
CALIBRATION_FLOATS, FLOATS_PER_SECOND = 2**24, 2**20
FEWEST_CALIBRATION_DRAWS, FEWEST_WIDE_DRAWS, FEWEST_CALIBRATION_ROWS = 32, 8, 8


class GAN(LatentFamily):
    """Generative adversarial network (relativistic, with a likelihood term).

    >>> model = GAN(device="cpu").fit(["ab", "ba", "abab"] * 20, budget="20 steps")
    >>> model.log_prob(["ab"]).kind
    'lower_bound'

    Args:
        latent_dim: Z, length of the latent vector.
        width: of the hidden layers of generator, critic and encoder.
        critic_steps: turns of the critic for one of the generator.
        penalty: gamma, the weight of the critic's gradient penalties.
        likelihood_weight: lambda, of the bound on the likelihood, in nats per row, beside the
            adversarial loss; 0: purely adversarial. Validation rows of the quick profile's data
            sets chose the default: at 0, 0.02, 0.1, 0.5 and 5 the bound on breast_cancer was
            -153.2, -141.3, -141.9, -141.5 and -142.4 nats and the two-sample test's accuracy 0.67,
            0.58, 0.54, 0.64 and 0.70, on alarm -13.07, -11.83, -11.81, -11.75 and -11.74 nats and
            0.69, 0.58, 0.58, 0.59 and 0.60.
        estimator, n_importance, n_temperatures, n_chains, ais_start, device: as in ``VAE``.

    Attributes:
        calibration_: ``temperature`` (s), ``marginal_weight`` (e), and the mean bound in nats per
            row on the validation rows that chose e, ``before`` (s = 1, e = 0.001) and ``after``;
            ``n_importance`` and ``effective`` say how many draws a row it took and how many of them
            counted.
    """

    warm_starts = True
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
        earlier: GAN | None = fit.earlier
        sizes = (self.latent_dim, self.width) if earlier is None else earlier.sizes_
        self._build(of_all_codes(self.schema_, marginals), *sizes, fit.seed)
        if earlier is None:
            self.generator_.start_at_marginals(rows)
            self.proposal_.learn_blank(rows)
        else:
            for name, module in self._trained().items():
                module.load_state_dict(earlier._trained()[name].state_dict())
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

    def _kept(self) -> dict[str, Any]:
        latent_dim, width = self.sizes_
        return {"latent_dim": latent_dim, "width": width}

    def _play(self, rows: np.ndarray, valid: np.ndarray, fit: Fit) -> None:
        """Part 1: the game, whose learning curve is the model's."""
        share = 1.0 if fit.budget.seconds is None else GAME
        part, generator = fit.part("game", share, seed=fit.seed), self.generator_
        with Drawn(fit.torch_rng("gan", "critic")):
            critic = Critic(self.schema_, self.sizes_[1], rows)
        game = Game(generator, self.proposal_, critic, self.penalty, self.likelihood_weight)
        seconds = None if fit.budget.seconds is None else GAME * fit.budget.seconds
        few_cells = self.schema_.n_cells <= len(rows)
        recipe = game.recipe(seconds, len(rows), few_cells)
        if fit.earlier is not None:
            recipe = recipe.fine_tuning()
        chosen, K = game.selection(len(valid), seconds)

        def warmth() -> float:
            if fit.earlier is not None:
                return 1.0  # of a generator that uses z already
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
            kept = "the untrained one, near the training marginals"
            fit.note(
                f"the game did not improve the bound on validation rows: the generator that was "
                f"kept is {kept if fit.earlier is None else 'the one that it began with'}"
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
