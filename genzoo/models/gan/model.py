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

import dataclasses
import math
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genzoo.fitting import Budget, Fit, Progress, Training
from genzoo.models.independent import Independent
from genzoo.models.neural.coders import Decoder, Encoder, Proposal, multiplications
from genzoo.models.neural.heads import N_COMPONENTS, Heads
from genzoo.models.neural.importance import MOST_DRAWS, Bound, log_prior_ratio
from genzoo.models.neural.latent import LatentFamily
from genzoo.models.neural.training import (
    Player,
    Recipe,
    epochs,
    fit_network,
    load_weights,
    pick_device,
    weights_of,
)
from genzoo.parameters import check_integer
from genzoo.seeding import derive, numpy_rng, torch_generator, torch_seeded
from genzoo.space.schema import Schema
from genzoo.store import pack_json, unpack_json

# Rows of up to so many variables are read flat. On 8 x 8 digits a convolutional critic's step took
# fifteen times as long as a dense one's, and learned less in the same time.
LONGEST_FLAT = 256
GAME, FIRST_PROPOSAL, CALIBRATION = 0.6, 0.1, 0.12  # shares of the budget; the rest: the proposal
BATCH_SIZE = 128
# Momentum hurts both players, and Muon costs more than it brings in networks this small.
GAME_RECIPE = Recipe(
    steps=3000, batch_size=BATCH_SIZE, muon_lr=None, adam_lr=0.003, betas=(0.0, 0.99),
    weight_decay=0.0, clip=10.0, patience=None, ema=0.99,
)  # fmt: skip
# Without a budget the game takes no more work than this, in multiplications: fewer steps where the
# networks are convolutions over many pixels. A row passes the critic forwards and backwards twice,
# and once more for the penalty and the way back from it; the generator half as often.
GAME_WORK, CRITIC_PASSES, GENERATOR_PASSES = 3e12, 8, 4
PROPOSAL_RECIPE = Recipe(
    steps=750, batch_size=BATCH_SIZE, muon_lr=None, weight_decay=0.0, patience=None
)
LEAST_MARGINAL = 1e-3
FIRST_MARGINAL = 0.1  # e before calibration: while checkpoints are compared, and for the proposal
MARGINALS = (1.0, 0.1, 0.03, 0.01, LEAST_MARGINAL, 0.2, 0.4, 0.7)  # in the order of trial
TEMPERATURES = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8)
MUCH_MARGINAL = 0.1
MOST_VALID_ROWS = 128
# A bound from few draws is loose for a sharp model, and would blur it: as many as time allows.
CALIBRATION_NUMBERS = 2**25
FEWEST_CALIBRATION_DRAWS = 32
SELECTION_TEMPERATURES, SELECTION_NUMBERS = (1.0, 0.5), 2**20


class GAN(LatentFamily):
    """Generative adversarial network (WGAN-GP with straight-through draws).

    Args:
        latent_dim: Z, length of the latent vector.
        width: of the hidden layers of generator, critic and encoder.
        critic_steps: turns of the critic for one of the generator.
        penalty: lambda, the weight of the critic's gradient penalty.
        estimator: how ``log_prob`` bounds the likelihood: ``"iwae"``, ``"elbo"``, ``"ais"``
            (annealed importance sampling) or ``"auto"`` (iwae, or ais where iwae has too few
            effective draws on validation rows; decided once, in ``fit``). This and the next three
            may be changed after ``fit``.
        n_importance: K, draws a row of iwae and elbo; None: between 64 and 256, fewer for wider
            rows.
        n_temperatures, n_chains: T and C of ais.
        ais_start: of the annealing, ``"proposal"`` or ``"prior"``.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ...

    Attributes:
        calibration_: ``temperature`` (s), ``marginal_weight`` (e), and the mean bound in nats per
            row on the validation rows that chose e, ``before`` (s = 1, e = 0.001) and ``after``;
            ``n_importance`` and ``effective`` say how many draws a row it took and how many of them
            counted.
    """

    def __init__(
        self,
        *,
        latent_dim: int = 16,
        width: int = 128,
        critic_steps: int = 1,
        penalty: float = 1.0,
        estimator: str = "auto",
        n_importance: int | None = None,
        n_temperatures: int = 100,
        n_chains: int = 8,
        ais_start: str = "proposal",
        device: str = "auto",
    ) -> None:
        self.latent_dim = latent_dim
        self.width = width
        self.critic_steps = critic_steps
        self.penalty = penalty
        self.estimator = estimator
        self.n_importance = n_importance
        self.n_temperatures = n_temperatures
        self.n_chains = n_chains
        self.ais_start = ais_start
        self.device = device

    def _check_params(self) -> None:
        for name in ("latent_dim", "width", "critic_steps"):
            check_integer(name, getattr(self, name))
        self._check_estimator()
        if not (isinstance(self.penalty, (int, float)) and 0 < self.penalty < math.inf):
            raise ValueError(f"penalty: expected a positive number; got {self.penalty!r}")
        if not isinstance(self.device, str):
            raise ValueError(f'device: expected "auto", "cpu", "cuda", ...; got {self.device!r}')

    # ---------------------------------------------------------------- fitting

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        seed, budget, progress = fit.seed, fit.budget, fit.report
        assert valid is not None
        start = time.perf_counter()
        n_valid = len(valid)
        chosen = numpy_rng(seed, "gan", "valid").permutation(n_valid)[:MOST_VALID_ROWS]
        valid = valid[chosen]
        self.decided_ = "iwae"
        marginals = Independent().fit(rows, schema=self.schema_).log_table_
        self._build(marginals, self.latent_dim, self.width, seed)
        self.generator_.start_at_marginals(rows)
        self.proposal_.learn_blank(rows)

        def phase(share: float, since: float) -> Budget:
            """A part of the budget that began when a share ``since`` of it was to be used up."""
            if budget.steps is not None:
                return Budget(
                    steps=round((since + share) * budget.steps) - round(since * budget.steps)
                )
            if budget.seconds is not None:
                late = time.perf_counter() - start - since * budget.seconds
                return Budget(seconds=max(0.01, share * budget.seconds - late))
            return Budget()

        def part(low: float, high: float, what: str) -> Progress:
            return lambda done, message: progress(low + (high - low) * done, f"{what}: {message}")

        training = self._play(rows, valid, seed, phase(GAME, 0.0), part(0.0, GAME, "game"))
        since = GAME
        plan = [FIRST_PROPOSAL, 1 - GAME - FIRST_PROPOSAL]
        if budget.seconds is not None:
            plan[1] -= CALIBRATION
        for turn, share in enumerate(plan):
            training.steps += self._learn_proposal(
                seed, turn, phase(share, since), part(since, since + share, "proposal")
            )
            since += share
            if turn == 0:
                limit = phase(CALIBRATION, since).seconds
                self._calibrate(valid, seed, math.inf if limit is None else limit)
                if budget.seconds is not None:
                    since += CALIBRATION
        training.notes += [*self._remarks(), self._decide(valid, seed, n_valid)]
        fit.training = training

    def _build(self, log_marginals: np.ndarray, latent_dim: int, width: int, seed: int = 0) -> None:
        self.sizes_ = (latent_dim, width)
        device = pick_device(self.device)
        with torch_seeded(seed, "gan", "weights"):
            self.generator_ = _Generator(self.schema_, latent_dim, width, log_marginals)
            self.proposal_ = Proposal(_as_seen(self.schema_), latent_dim, width)
        self.generator_.to(device).eval()
        self.proposal_.to(device).eval()

    @property
    def _device(self) -> torch.device:
        return self.generator_.decoder.bias.device

    def _play(
        self, rows: np.ndarray, valid: np.ndarray, seed: int, budget: Budget, progress: Progress
    ) -> Training:
        """Part 1: the game. The generator's weights are in place afterwards."""
        generator, heads = self.generator_, self.generator_.heads
        with torch_seeded(seed, "gan", "critic"):
            critic = Encoder(_as_seen(self.schema_), 1, self.width)

        def draw(n: int, noise: torch.Generator) -> Tensor:
            return straight_through(heads, generator.decoder(self._prior(n, noise)), noise)

        def critic_loss(x: Tensor, noise: torch.Generator) -> Tensor:
            real = heads.onehot(x)
            with torch.no_grad():
                drawn = draw(len(x), noise)
            at = torch.rand((len(x), 1), generator=noise, device=x.device)
            between = torch.lerp(real, drawn, at).requires_grad_()
            (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
            norm = (slope.square().sum(dim=1) + 1e-12).sqrt()  # a root has no slope at 0
            gap = critic(drawn).mean() - critic(real).mean()
            return gap + self.penalty * (norm - 1).square().mean()

        def generator_loss(x: Tensor, noise: torch.Generator) -> Tensor:
            return -critic(draw(len(x), noise)).mean()

        work = CRITIC_PASSES * multiplications(critic, torch.zeros((1, heads.n_inputs)))
        z = torch.zeros((1, self.sizes_[0]), device=self._device)
        work += GENERATOR_PASSES * multiplications(generator.decoder, z)
        affordable = max(1, round(GAME_WORK / (BATCH_SIZE * work)))
        recipe = dataclasses.replace(GAME_RECIPE, steps=min(GAME_RECIPE.steps, affordable))

        held_out = torch.as_tensor(valid).to(self._device)
        K = max(64, min(1024, SELECTION_NUMBERS // held_out.numel()))
        z = self._prior(K, torch_generator(seed, "gan", "selection", device=self._device))

        def evaluate() -> np.ndarray:
            """The bound with draws from the prior, the same for all rows: cheap, and loose. At the
            temperature that is best on average."""
            outputs = generator.decoder(z).unsqueeze(1)
            bounds = []
            for s in SELECTION_TEMPERATURES:
                generator.calibrate(s, FIRST_MARGINAL)
                log_p = generator.log_prob_at(outputs, held_out)  # (K, n)
                bounds.append((log_p.logsumexp(dim=0) - math.log(K)).double().cpu().numpy())
            generator.calibrate(1.0, FIRST_MARGINAL)
            return max(bounds, key=np.mean)

        training = fit_network(
            [
                Player(critic, critic_loss, repeats=self.critic_steps),
                Player(generator.decoder, generator_loss),
            ],
            draw_batch=epochs(torch.as_tensor(rows), BATCH_SIZE),
            evaluate=evaluate,
            recipe=recipe,
            budget=budget,
            seed=seed,
            progress=progress,
            device=self.device,
        )
        first, *later = (p.valid for p in training.curve if p.valid is not None)
        if first >= max(later, default=first):
            training.converged = False
            training.notes.append(
                "the game did not improve the bound on validation rows: the generator that was "
                "kept is the untrained one, near the training marginals"
            )
        return training

    def _learn_proposal(self, seed: int, turn: int, budget: Budget, progress: Progress) -> int:
        """Part 3: maximum likelihood of z on the model's own draws; the steps that it took."""
        if budget.steps == 0:
            return 0
        noise = torch_generator(seed, "gan", "pairs", turn, device=self._device)
        z_held = self._prior(1024, noise)
        x_held = self.generator_.sample(z_held, noise)

        def log_q(z: Tensor, x: Tensor) -> Tensor:
            mean, log_sd = self.proposal_(x)
            prior = -0.5 * (z.square() + math.log(2 * math.pi)).sum(dim=-1)
            return prior - log_prior_ratio(z, mean, log_sd)

        def loss(z: Tensor, noise: torch.Generator) -> Tensor:
            return -log_q(z, self.generator_.sample(z, noise)).mean()

        record = fit_network(
            [Player(self.proposal_, loss)],
            draw_batch=lambda source: torch.randn((BATCH_SIZE, self.sizes_[0]), generator=source),
            evaluate=lambda: log_q(z_held, x_held).double().cpu().numpy(),
            recipe=PROPOSAL_RECIPE,
            budget=budget,
            seed=derive(seed, "gan", "proposal", turn),
            progress=progress,
            device=self.device,
        )
        return record.steps

    def _calibrate(self, valid: np.ndarray, seed: int, seconds: float) -> None:
        """Part 2: s for each e on one half of the validation rows, e on the other half."""
        start = time.perf_counter()
        half = np.arange(len(valid)) % 2 == 0
        other = ~half if len(valid) > 1 else half

        pairs = CALIBRATION_NUMBERS // self.generator_.decoder.numbers
        K = max(FEWEST_CALIBRATION_DRAWS, min(MOST_DRAWS, pairs // len(valid)))

        def bound(e: float, at: int) -> Bound:
            self.generator_.calibrate(TEMPERATURES[at], e)
            return self._bound(valid, "iwae", seed=seed, K=K)

        at = TEMPERATURES.index(1.0)
        before = bound(LEAST_MARGINAL, at)
        best = (1.0, LEAST_MARGINAL, before)
        for e in MARGINALS:
            if e < 1.0:
                at, found = _climb(partial(bound, e), at, half)
            else:
                found = bound(e, at)  # nothing is left of the logits
            if found.value[other].mean() > best[2].value[other].mean():
                best = (TEMPERATURES[at], e, found)
            if time.perf_counter() - start > seconds:
                break
        s, e, after = best
        self.generator_.calibrate(s, e)
        self.calibration_: dict[str, float] = {
            "temperature": s,
            "marginal_weight": e,
            "before": float(before.value[other].mean()),
            "after": float(after.value[other].mean()),
            "n_importance": K,
            "effective": float(after.ess[other].mean()),
        }

    def _remarks(self) -> list[str]:
        found = self.calibration_
        notes = [
            f"calibrated on validation rows: temperature {found['temperature']:g}, marginal weight "
            f"{found['marginal_weight']:g}; bound {found['before']:.3f} before, "
            f"{found['after']:.3f} after (nats per row, {found['n_importance']} draws)",
        ]
        if found["marginal_weight"] > MUCH_MARGINAL:
            notes.append(
                f"marginal weight {found['marginal_weight']:g} is over {MUCH_MARGINAL:g}: much of "
                f"the likelihood is the training marginals', not the generator's"
            )
        return notes

    # ---------------------------------------------------------------- the model and its proposal

    @property
    def _heads(self) -> Heads:
        return self.generator_.heads

    @property
    def _width(self) -> int:
        return self.generator_.decoder.numbers

    @property
    def _latents(self) -> int:
        return self.sizes_[0]

    def _proposal(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.proposal_(x)

    def _log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        return self.generator_.row_log_prob(z, x)

    def _log_table(self, z: Tensor) -> Tensor:
        return self.generator_.log_table(z)

    def _draw_rows(self, z: Tensor, generator: torch.Generator) -> Tensor:
        return self.generator_.sample(z, generator)

    def _prior(self, n: int, noise: torch.Generator) -> Tensor:
        return torch.randn((n, self.sizes_[0]), generator=noise, device=self._device)

    # ---------------------------------------------------------------- state

    def _state(self) -> dict[str, np.ndarray]:
        state = {
            "sizes": np.array(self.sizes_),
            "log_marginals": self.generator_.log_marginals.cpu().numpy(),
            "calibration": pack_json(self.calibration_),
            "estimator": pack_json(self.decided_),
        }
        for name, module in self._networks().items():
            state |= weights_of(module, f"{name}.")
        return state

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        latent_dim, width = (int(size) for size in arrays["sizes"])
        self._build(arrays["log_marginals"], latent_dim, width)
        for name, module in self._networks().items():
            load_weights(module, arrays, self.device, f"{name}.")
        self.calibration_ = unpack_json(arrays["calibration"])
        self.decided_ = unpack_json(arrays["estimator"])
        self.generator_.calibrate(
            self.calibration_["temperature"], self.calibration_["marginal_weight"]
        )

    def _networks(self) -> dict[str, nn.Module]:
        return {"decoder": self.generator_.decoder, "proposal": self.proposal_}

    @property
    def n_parameters_(self) -> int:
        """Of the model: the generator's weights, the marginals, s and e; without the encoder, which
        only tightens the bound."""
        weights = sum(p.numel() for p in self.generator_.decoder.parameters())
        return weights + int((self.schema_.cards - 1).sum()) + 2


class _Generator(nn.Module):
    """The decoder with its calibrated observation model: p(x | z).

    Args:
        schema: of the rows.
        latent_dim: Z.
        width: of the hidden layers.
        log_marginals: (D, M) of the training rows; -inf beyond a variable's own codes.
    """

    def __init__(
        self, schema: Schema, latent_dim: int, width: int, log_marginals: np.ndarray
    ) -> None:
        super().__init__()
        self.decoder = Decoder(_as_seen(schema), latent_dim, width)
        self.heads = Heads(schema)
        # where the marginal's draw replaces an END, the codes that follow must be there
        self.unstopped = Heads(dataclasses.replace(schema, end=None))
        is_scale, is_mean = _scales_and_means(self.heads)
        self.log_marginals: Tensor
        self.is_scale: Tensor
        self.is_logit: Tensor
        self.register_buffer("log_marginals", torch.as_tensor(log_marginals), persistent=False)
        self.register_buffer("is_scale", torch.as_tensor(is_scale), persistent=False)
        self.register_buffer("is_logit", torch.as_tensor(~(is_scale | is_mean)), persistent=False)
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
        x = torch.where(u < self.e, from_marginal, x)
        end = self.heads.end
        return x if end is None else x.masked_fill(~self.heads.reached(x), end)


def _as_seen(schema: Schema) -> Schema:
    """The schema as the networks see it: short rows as tables."""
    if schema.D > LONGEST_FLAT:
        return schema
    return dataclasses.replace(schema, layout="table", event_shape=(schema.D,), end=None)


def straight_through(heads: Heads, outputs: Tensor, noise: torch.Generator) -> Tensor:
    """A draw as features (B, n_inputs), the layout of ``Heads.onehot``, with a gradient.

    Forward: ``onehot`` of codes drawn from the heads. Backward: as if it were the relaxed draw, a
    softmax of logits with Gumbel noise for codes, the logistic draw itself for long ordinals, a
    sigmoid with logistic noise for their missing marks. Places after an END pass no gradient.
    """
    cards = torch.as_tensor(heads.schema.cards, device=outputs.device)
    x = torch.empty((len(outputs), heads.D), dtype=torch.int64, device=outputs.device)
    soft = []

    def uniform(shape: tuple[int, ...]) -> Tensor:
        u = torch.rand(shape, generator=noise, device=outputs.device)
        return u.clamp(1e-9, 1 - 1e-7)

    def hot(logits: Tensor) -> tuple[Tensor, Tensor]:
        noisy = logits - torch.log(-torch.log(uniform(logits.shape)))
        return noisy.argmax(dim=-1), noisy.softmax(dim=-1)

    if heads.n_categorical:
        logits = heads.logits(outputs)  # (B, Dc, m)
        x[:, heads.categorical], relaxed = hot(logits)
        legal = torch.arange(logits.shape[-1], device=x.device) < cards[heads.categorical, None]
        reached = heads.reached(x).unsqueeze(-1) if heads.end is not None else 1.0
        soft.append((relaxed * reached)[:, legal])
    if heads.n_logistic:
        log_weight, mean, log_scale, mark = heads.mixtures(outputs)
        marked = torch.tensor([heads.schema.variables[d].missing for d in heads.logistic.tolist()])
        last = cards[heads.logistic] - 1 - marked.to(cards.device).long()
        component, relaxed = hot(log_weight)
        chosen = F.one_hot(component, N_COMPONENTS) + relaxed - relaxed.detach()
        at = (chosen * mean).sum(dim=-1) + (chosen * log_scale).sum(dim=-1).exp() * torch.logit(
            uniform(mark.shape)
        )
        at = at.clamp(-1, 1)
        noisy_mark = mark + torch.logit(uniform(mark.shape))
        is_mark = (noisy_mark > 0) & marked.to(mark.device)
        code = torch.round((at.detach() + 1) / 2 * last).long()
        x[:, heads.logistic] = torch.where(is_mark, last + 1, code)
        soft.append(at.masked_fill(is_mark, 0.0))
        soft.append(torch.sigmoid(noisy_mark)[:, marked.to(mark.device)])
    if heads.end is not None:
        x = x.masked_fill(~heads.reached(x), heads.end)
    relaxed = torch.cat(soft, dim=-1)
    return heads.onehot(x) + (relaxed - relaxed.detach())


def _climb(bound: Callable[[int], Bound], start: int, half: np.ndarray) -> tuple[int, Bound]:
    """The index into ``TEMPERATURES`` where the bound on ``half`` has its (local) top."""
    at, best = start, bound(start)
    for way in (1, -1):
        moved = False
        while 0 <= at + way < len(TEMPERATURES):
            next_ = bound(at + way)
            if next_.value[half].mean() <= best.value[half].mean():
                break
            at, best, moved = at + way, next_, True
        if moved:
            break
    return at, best


def _scales_and_means(heads: Heads) -> tuple[np.ndarray, np.ndarray]:
    """(n_outputs,) whether an output is a logistic component's log scale, and its mean."""
    is_scale = np.zeros(heads.n_outputs, dtype=bool)
    is_mean = np.zeros(heads.n_outputs, dtype=bool)
    starts = np.cumsum(heads.widths) - heads.widths
    for d in heads.logistic.tolist():
        is_mean[starts[d] + N_COMPONENTS : starts[d] + 2 * N_COMPONENTS] = True
        is_scale[starts[d] + 2 * N_COMPONENTS : starts[d] + 3 * N_COMPONENTS] = True
    return is_scale, is_mean
