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
2019; ``neural/variational.py``).

``log_prob`` is the same bound with K = ``n_importance`` draws and b = 1, or annealed importance
sampling where importance sampling fails (``neural/latent.py``). The weights that are
kept are those with the best bound on validation rows. Dequantisation never enters.

Kingma & Welling (2014), arXiv:1312.6114. Rezende, Mohamed & Wierstra (2014), arXiv:1401.4082.
Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519. Bowman et al. (2016), arXiv:1511.06349.
Tucker, Lawson, Gu & Maddison (2019), arXiv:1810.04152.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from genzoo.fitting import Budget, Fit
from genzoo.models.neural.batches import epochs
from genzoo.models.neural.coders import Decoder, Proposal, layout_of
from genzoo.models.neural.heads import Heads
from genzoo.models.neural.latent import DECISION_ROWS, LatentFamily
from genzoo.models.neural.modules import Drawn, load_weights, multiplications, n_weights, weights_of
from genzoo.models.neural.training import Player, Recipe, fit_network
from genzoo.models.neural.variational import training_bound
from genzoo.parameters import Interval
from genzoo.seeding import torch_generator
from genzoo.space.schema import Schema
from genzoo.store import pack_json, unpack_json

# b rises for this share of the training, but no longer than ten passes over the rows (or 100
# steps): a decoder that may use z for free learns few rows by heart.
WARM_UP, WARM_UP_PASSES, WARM_UP_STEPS = 0.2, 10, 100
ROW_FLOATS = 2**14  # of a decoder, for a row in training; more of them take longer a step
# Small networks: for few rows, which large ones learn by heart, and where the training is to be
# short, in which large ones learn less.
FEW_ROWS, SHORT_SECONDS, SHORT_STEPS = 2000, 120, 4000
MANY_ROWS, FEW_VARIABLES, MANY_VARIABLES = 10_000, 32, 256  # that ask for larger ones
# Where a space has few cells, nothing is learned by heart: weights decay no more than this, b rises
# for so many steps (with 100 a training takes a third more of them), and a training takes no more
# steps than these, or than so many for each cell. Tuned on 4,000 rows of 480 cells.
LEAST_DECAY, CELL_WARM_UP, FEWEST_CELL_STEPS, CELL_STEPS = 0.01, 300, 1500, 3
# A long training makes so many passes over the rows, unless that is more work than this; one output
# of a decoder (its softmax and the way back) costs about as much as so many multiplications.
PASSES, WORK, WORK_OF_OUTPUT = 150, 5e12, 50
# The layers of a table of many rows, whose columns have few values each, take the orthogonal steps
# of Muon where nobody set a budget, or one of these seconds up to ``SHORT_SECONDS``, in large
# batches, which repay their work, and b rises more slowly. A narrow network then comes in so few
# passes about as far as a wide one with AdamW in several times as long (18,000 rows of 64 bits, on
# fresh rows: -28.94 nats in 52 s of one core, -28.89 in 451 s; plants in 30 s, on validation rows,
# two seeds: 0.07 and 0.04 nats ahead of a narrow one with AdamW). Not so where columns have many
# values (Adult in 60 s: 0.08 nats behind) or rows are few (2,500 of 40 bits: 0.2 behind).
FEW_VALUES, MUON_SECONDS = 8, 30
MUON_LR, MUON_PASSES, MUON_BATCH, MUON_WARM_UP = 0.03, 35, 256, 0.4
# Selection takes fewer draws than ``log_prob`` and more rows instead: rows differ more than draws.
SELECTION_DRAWS, SELECTION_FLOATS, SELECTION_ROWS = 32, 2**25, 64
FEWEST_SELECTION_DRAWS, FEWEST_SELECTION_ROWS = 2, 16  # where even one draw is long
# A step is to hold no more floats of the decoder than these. With a budget in seconds so many steps
# are to fit, and an evaluation and the choice of an estimator are to take no larger share of it
# each, where a core does so many multiplications a second; way there and back cost a step thrice.
STEP_FLOATS, FEWEST_STEPS, EVALUATION_SHARE, SPEED, STEP_COST = 2**24, 50, 0.02, 5e9, 3
SMALLEST_BATCH = 8  # rows, from which more draws a row are of use


class VAE(LatentFamily):
    """A variational autoencoder with a head for each variable.

    >>> model = VAE(device="cpu").fit(["ab", "ba", "abab"] * 20, budget="20 steps")
    >>> model.log_prob(["ab"]).kind
    'lower_bound'

    ``log_prob`` is a lower bound: the importance-weighted one with K draws (``estimator="iwae"``),
    the mean of K log weights (``"elbo"``), or annealed importance sampling (``"ais"``); ``stderr``
    is the Monte Carlo error of each row. ``set_params`` may change the estimator's settings after
    ``fit``. Entries that are ``MISSING`` are summed out (a bound as well), and completed by
    importance resampling of z, with a warning where too few draws count.

    ``fit`` takes rows with ``MISSING`` entries: the bound is then that of the observed ones, which
    are taken as missing at random (Mattei & Frellsen 2019, MIWAE, arXiv:1812.02633).

    Args:
        latent_dim: latent coordinates Z; None: 16 to 64, the more the more variables and rows.
        width: of the hidden layers; None: 128, 256 or 512. Small networks (128, and at most 32
            latents) are for fewer than 2,000 training rows, or 10,000 of at most 32 variables, for
            budgets below two minutes or of at most 4,000 steps, and without a budget for tables of
            10,000 rows or more of at most 256 variables with few values each.
        n_importance: K, draws a row in ``log_prob``, at least 2; None: as many as a pilot run,
            which is thrown away, finds the row to need, at most ``n_importance_``.
        estimator: ``"auto"`` (iwae; where validation rows have too few effective draws in ``fit``,
            ais for the rows that the pilot finds to have too few), ``"iwae"``, ``"elbo"`` or
            ``"ais"``.
        n_temperatures, n_chains: T and C of ais. Where ``"auto"`` came to it, rows for which 20
            temperatures will do have no more.
        ais_start: of the annealing, ``"proposal"`` or ``"prior"``.
        device: ``"auto"`` (an accelerator where there is one), ``"cpu"``, ``"cuda"``, ...

    Attributes:
        n_importance_: K of ``log_prob``, or the most that a row has.
        estimator_: the estimator that ``log_prob`` uses.
    """

    fits_missing = True
    warm_starts = True
    parameters = {
        "latent_dim": Interval(int, optional=True),
        "width": Interval(int, optional=True),
        **LatentFamily.parameters,
    }

    def __init__(
        self,
        *,
        latent_dim: int | None = None,
        width: int | None = None,
        n_importance: int | None = None,
        estimator: Literal["auto", "elbo", "iwae", "ais"] = "auto",
        n_temperatures: int = 100,
        n_chains: int = 8,
        ais_start: Literal["proposal", "prior"] = "proposal",
        device: str = "auto",
    ) -> None:
        self.latent_dim = latent_dim
        self.width = width
        self.n_importance = n_importance
        self.estimator = estimator
        self.n_temperatures = n_temperatures
        self.n_chains = n_chains
        self.ais_start = ais_start
        self.device = device

    # ---------------------------------------------------------------- fitting

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        assert valid is not None  # the class selects
        plan = _plan(self.schema_, len(rows), fit.budget)
        earlier: VAE | None = fit.earlier
        if earlier is None:
            sizes = (self.latent_dim or plan.latent_dim, self.width or plan.width, plan.depth)
        else:
            sizes = earlier.sizes_
        self._build(*sizes, seed=fit.seed)
        network, width = self.network_, self.sizes_[1]
        if earlier is None:
            network.decoder.start_at_marginals(rows)
            network.proposal.learn_blank(rows)
        else:
            network.load_state_dict(earlier.network_.state_dict())
        cost = _Cost(network.decoder.floats_per_draw, network.work(1), fit.budget.seconds)
        batch_size, k = cost.step(plan)
        n_selected, K = cost.selection(min(SELECTION_DRAWS, self.n_importance_))
        n_deciding = cost.deciding(self.n_importance_)
        chosen = fit.rng("vae", "selection").permutation(len(valid))
        held_out = valid[np.sort(chosen[:n_selected])]
        deciding = valid[np.sort(chosen[-n_deciding:])]
        evaluation = len(held_out) * K / (STEP_COST * batch_size * k)  # in steps
        recipe = plan.recipe(len(rows), width, batch_size, network.work(k), evaluation)
        if earlier is not None:
            recipe = recipe.fine_tuning()

        def loss(x: Tensor, generator: torch.Generator) -> Tensor:
            b = 1.0  # of a decoder that uses z already
            if earlier is None:
                done = fit.training.steps / recipe.settling
                b = min(b, max(fit.reported / plan.warm_up, done))
            return -network.training_bound(x, k, b, generator).mean()

        fit_network(
            [Player(network, loss)],
            draw_batch=epochs(torch.as_tensor(rows.astype(self.schema_.code_type)), batch_size),
            evaluate=lambda: self._bound(held_out, "iwae", seed=fit.seed, K=K).value,
            recipe=recipe,
            fit=fit,
            device=self.device,
            afterwards=len(deciding) * self.n_importance_ / (len(held_out) * K),
        )
        fit.note(self._resolve_estimator(deciding, fit.seed, len(valid)))

    def _build(self, latent_dim: int, width: int, depth: int, seed: int = 0) -> None:
        self.sizes_ = (int(latent_dim), int(width), int(depth))
        with Drawn(torch_generator(seed, "vae", "init")):
            self.network_ = _Coders(self.schema_, *self.sizes_)

    def _kept(self) -> dict[str, Any]:
        latent_dim, width, _ = self.sizes_
        return {"latent_dim": latent_dim, "width": width}

    # ---------------------------------------------------------------- the model and its proposal

    def _networks(self) -> list[nn.Module]:
        return [self.network_]

    @property
    def _proposal(self) -> Proposal:
        return self.network_.proposal

    @property
    def _observation(self) -> Decoder:
        return self.network_.decoder

    # ---------------------------------------------------------------- state

    def _state(self) -> dict[str, np.ndarray]:
        settings = {"sizes": self.sizes_, "estimator": self.resolved_estimator_}
        return {"settings": pack_json(settings), **weights_of(self.network_)}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        settings = unpack_json(arrays["settings"])
        self._build(*settings["sizes"])
        self.resolved_estimator_ = settings["estimator"]
        load_weights(self.network_, arrays, self.device)

    @property
    def n_parameters_(self) -> int:
        """The number of trained weights, the encoder's included."""
        return n_weights(self.network_)


class _Coders(nn.Module):
    """Encoder and decoder, trained as one."""

    def __init__(self, schema: Schema, latent_dim: int, width: int, depth: int) -> None:
        super().__init__()
        self.proposal = Proposal(schema, latent_dim, width)
        self.decoder = Decoder(schema, latent_dim, width, depth)

    def work(self, k: int) -> float:
        """Of one row in training, in multiplications; their gradients not counted."""
        features = torch.zeros((1, self.decoder.heads.n_inputs))
        z = torch.zeros((1, self.proposal.latent_dim))
        decoding = multiplications(self.decoder, z) + WORK_OF_OUTPUT * len(self.decoder.bias)
        return multiplications(self.proposal.encoder, features) + k * decoding

    def training_bound(self, x: Tensor, k: int, b: float, generator: torch.Generator) -> Tensor:
        """(B,) the bound in the module's text for codes x (B, D), with its gradient from there."""
        return training_bound(self.proposal, self.decoder.row_log_prob, x, k, b, generator)


@dataclass(frozen=True)
class _Plan:
    """Sizes and schedule."""

    latent_dim: int
    width: int
    depth: int  # residual hidden layers of the decoder
    batch_size: int
    most_draws: int  # k of narrow rows
    long: bool  # whether to train until the rows have nothing more to say
    few_cells: int | None  # of the space, where it has no more of them than there are rows
    muon: bool = False  # whether matrices take its steps

    @property
    def warm_up(self) -> float:
        """Share of the training in which b rises, at most."""
        return MUON_WARM_UP if self.muon else WARM_UP

    def recipe(self, n: int, width: int, batch_size: int, work: float, evaluation: float) -> Recipe:
        """For n training rows of so much work each, and evaluations of so many steps each. The
        fewer the rows, the more the weights decay."""
        decay, rising = min(0.4, max(0.02, 400 / n)), WARM_UP_PASSES * n // batch_size
        passes = min(MUON_PASSES if self.muon else PASSES, WORK / (n * work))
        steps = round(passes * n / batch_size) if self.long else SHORT_STEPS
        if self.muon:
            rising = round(MUON_WARM_UP * steps)
        else:
            steps = max(SHORT_STEPS, steps)
        if self.few_cells is not None:
            steps = min(steps, max(FEWEST_CELL_STEPS, CELL_STEPS * self.few_cells))
            decay, rising = LEAST_DECAY, CELL_WARM_UP
        return Recipe(
            steps=steps,
            most_steps=steps if self.long else None,
            batch_size=batch_size,
            muon_lr=MUON_LR if self.muon else None,
            adam_lr=min(0.01, 1.28 / width),
            betas=(0.9, 0.99) if self.long else (0.9, 0.95),
            weight_decay=decay,
            evaluate_every=max(50, min(100, math.ceil(20 * evaluation)), steps // 150),
            patience=8,
            settling=max(WARM_UP_STEPS, rising),
            ema=0.999 if self.long and self.few_cells is None else 0.99,
        )


@dataclass(frozen=True)
class _Cost:
    """What a draw costs, and how much of it a budget has room for.

    Attributes:
        floats: of the decoder, for a draw.
        work: of a row and a draw in training, in multiplications.
        seconds: of the budget; None without such a one.
    """

    floats: int
    work: float
    seconds: float | None

    def _affordable(self, share: float) -> int:
        """Draws in this share of the budget."""
        if self.seconds is None:
            return sys.maxsize
        return int(share * self.seconds * SPEED / self.work)

    def step(self, plan: _Plan) -> tuple[int, int]:
        """Rows of a batch, and draws of each: fewer where they are large or long."""
        most = plan.most_draws
        if plan.long:
            most = min(most, ROW_FLOATS // self.floats)
        pairs = min(STEP_FLOATS // self.floats, self._affordable(1 / (FEWEST_STEPS * STEP_COST)))
        k = max(1, min(most, pairs // SMALLEST_BATCH))
        return max(1, min(plan.batch_size, pairs // k)), k

    def selection(self, most_draws: int) -> tuple[int, int]:
        """Validation rows that choose the weights, and draws of each."""
        pairs = min(SELECTION_FLOATS // self.floats, self._affordable(EVALUATION_SHARE))
        K = max(FEWEST_SELECTION_DRAWS, min(most_draws, pairs // SELECTION_ROWS))
        return max(FEWEST_SELECTION_ROWS, pairs // K), K

    def deciding(self, K: int) -> int:
        """Validation rows that choose the estimator, with K draws of each."""
        return max(1, min(DECISION_ROWS, self._affordable(EVALUATION_SHARE) // K))


def _plan(schema: Schema, n: int, budget: Budget) -> _Plan:
    """For n training rows."""
    D = schema.D
    wide = n >= MANY_ROWS and D > MANY_VARIABLES
    few_cells = schema.n_cells if schema.n_cells <= n else None
    few_values = Heads(schema).n_outputs <= FEW_VALUES * D and layout_of(schema) == "table"
    if budget.seconds is None:
        few_seconds, in_time = False, budget.steps is None
    else:
        few_seconds = budget.seconds < SHORT_SECONDS
        in_time = MUON_SECONDS <= budget.seconds < SHORT_SECONDS
    if in_time and n >= MANY_ROWS and not wide and few_values and few_cells is None:
        return _Plan(
            latent_dim=16 if D <= FEW_VARIABLES else 32, width=128, depth=2, batch_size=MUON_BATCH,
            most_draws=8, long=True, few_cells=None, muon=True,
        )  # fmt: skip
    short = few_seconds or n < FEW_ROWS or (budget.steps or SHORT_STEPS + 1) <= SHORT_STEPS
    if short:
        return _Plan(
            latent_dim=32 if wide else 16, width=128, depth=1, batch_size=64, most_draws=4,
            long=False, few_cells=few_cells,
        )  # fmt: skip
    large = n >= MANY_ROWS or D > FEW_VARIABLES
    return _Plan(
        latent_dim=64 if wide else 16 if D <= FEW_VARIABLES else 32,
        width=512 if wide else 256 if large else 128,
        depth=2 if large else 1,
        batch_size=64 if n < MANY_ROWS else 128 if n < 10 * MANY_ROWS else 256,
        most_draws=8,
        long=True,
        few_cells=few_cells,
    )
