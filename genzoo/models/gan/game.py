"""The game of generator and critic: its draws and losses, its length, and who has won."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from genzoo.models.gan.networks import FIRST_MARGINAL, Generator
from genzoo.models.neural.coders import Encoder
from genzoo.models.neural.draws import gumbelled, uniform
from genzoo.models.neural.groups import N_COMPONENTS
from genzoo.models.neural.heads import Heads
from genzoo.models.neural.modules import multiplications
from genzoo.models.neural.training import Recipe

# Momentum hurts both players, and Muon costs more than it brings in networks this small. In 1,500
# steps the bound on validation rows at the learning rates 0.003 and 0.01, means of two seeds: alarm
# -14.8 and -13.1 nats, breast_cancer -154.1 and -148.8, names -18.2 and -17.3, digits_binary -18.7
# and -17.8 (at 0.02 -18.9), casino -64.7 and -64.2, grammar -16.2 and -14.6, asia -2.31 and -2.34.
RECIPE = Recipe(
    steps=3000, batch_size=128, muon_lr=None, adam_lr=0.01, betas=(0.0, 0.99),
    weight_decay=0.0, clip=10.0, patience=None, ema=0.99,
)  # fmt: skip
# Where a space has few cells: on 4,000 rows of 480 cells this many did better than 3,000 at the
# lower rate, -4.66 and -4.71 nats, means of four seeds.
FEW_CELLS_STEPS = 1200
# Without a budget the game takes no more work than this, in multiplications: fewer steps where the
# networks are convolutions over many pixels. A row passes the critic forwards and backwards twice,
# and once more for the penalty and the way back from it; the generator half as often. Its features
# are drawn twice, each for about as much as so many multiplications.
WORK, CRITIC_PASSES, GENERATOR_PASSES, FEATURE_WORK = 3e12, 8, 4, 200
# Batches are smaller where rows are wide, or so few steps would not fit into the time: a core does
# about so many multiplications a second in networks of this size.
BATCH_FLOATS, SMALLEST_BATCH = 2**21, 8
FEWEST_STEPS, SPEED = 50, 5e9
# Checkpoints are compared by a bound from draws of the prior, as many as so many floats allow, at
# the best of these temperatures: cheap, loose, and the same draws each time.
FEWEST_DRAWS, MOST_DRAWS, DRAWN_FLOATS = 64, 1024, 2**20
WIDE_FLOATS, FEWEST_WIDE_DRAWS = 2**22, 16  # of their tables
TEMPERATURES = (1.0, 0.5)
# Of a budget in seconds, for one comparison where rows hold long ordinals, of whose numbers a core
# works out so many a second for pairs of a draw and a row; softmaxes are tables, and take no time.
EVALUATION_SHARE, NUMBERS_PER_SECOND, FEWEST_ROWS = 0.02, 2**25, 16


@dataclass(frozen=True, eq=False)
class Game:
    """Losses of the two players, in part 1 of the module ``model``; ``penalty`` is lambda."""

    generator: Generator
    critic: Encoder
    latent_dim: int
    penalty: float

    def draw(self, n: int, noise: torch.Generator) -> Tensor:
        """(n, n_inputs) features of rows that the generator drew, with its gradient."""
        z = torch.randn((n, self.latent_dim), generator=noise, device=noise.device)
        return straight_through(self.generator.heads, self.generator.decoder(z), noise)

    def critic_loss(self, x: Tensor, noise: torch.Generator) -> Tensor:
        """The negative Wasserstein distance, as the critic tells it, and its penalty."""
        real = self.generator.heads.onehot(x)
        with torch.no_grad():
            drawn = self.draw(len(x), noise)
        at = torch.rand((len(x), 1), generator=noise, device=x.device)
        between = torch.lerp(real, drawn, at).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        norm = (slope.square().sum(dim=1) + 1e-12).sqrt()  # a root has no slope at 0
        of_drawn, of_real = self.critic(torch.cat([drawn, real])).chunk(2)
        return of_drawn.mean() - of_real.mean() + self.penalty * (norm - 1).square().mean()

    def generator_loss(self, x: Tensor, noise: torch.Generator) -> Tensor:
        return -self.critic(self.draw(len(x), noise)).mean()

    def recipe(self, seconds: float | None, few_cells: bool) -> Recipe:
        """How to train in the seconds that are left to it (None: any), before the critic has left
        the CPU; whether the space has no more cells than there are rows."""
        decoder, n_inputs = self.generator.decoder, self.generator.heads.n_inputs
        work = CRITIC_PASSES * multiplications(self.critic, torch.zeros((1, n_inputs)))
        z = torch.zeros((1, self.latent_dim), device=decoder.bias.device)
        work += GENERATOR_PASSES * multiplications(decoder, z) + FEATURE_WORK * n_inputs
        batch = batch_size(n_inputs, work, seconds)
        affordable = max(1, round(WORK / (batch * work)))
        steps = min(FEW_CELLS_STEPS if few_cells else RECIPE.steps, affordable)
        return replace(RECIPE, steps=steps, batch_size=batch)


def batch_size(n_features: int, work: float, seconds: float | None) -> int:
    """Rows to a batch, of so many features and so many multiplications each."""
    most = min(RECIPE.batch_size, BATCH_FLOATS // n_features)
    if seconds is not None:
        most = min(most, int(seconds * SPEED / (FEWEST_STEPS * work)))
    return max(SMALLEST_BATCH, most)


def prior_bound(
    rows: Tensor,
    generator: Generator,
    latent_dim: int,
    noise: torch.Generator,
    seconds: float | None,
) -> Callable[[], np.ndarray]:
    """The bound of rows (n, D), or of some where a budget of so many seconds has no time for all,
    with draws from the prior, the same for all rows and each time: nats of each, at the temperature
    that is best on average."""
    K = max(FEWEST_DRAWS, min(MOST_DRAWS, DRAWN_FLOATS // rows.numel()))
    K = min(K, max(FEWEST_WIDE_DRAWS, WIDE_FLOATS // generator.heads.table_size))
    numbers = 3 * N_COMPONENTS * len(generator.heads.logistic)
    if seconds is not None and numbers:
        pairs = EVALUATION_SHARE * seconds * NUMBERS_PER_SECOND / (len(TEMPERATURES) * numbers)
        rows = rows[: max(FEWEST_ROWS, int(pairs / K))]
    z = torch.randn((K, latent_dim), generator=noise, device=noise.device)

    def bound() -> np.ndarray:
        bounds = []
        outputs = generator.decoder(z)
        for s in TEMPERATURES:
            generator.calibrate(s, FIRST_MARGINAL)
            log_p = generator.log_prob_of_pairs(outputs, rows)  # (K, n)
            bounds.append((log_p.logsumexp(dim=0) - math.log(K)).double().cpu().numpy())
        generator.calibrate(1.0, FIRST_MARGINAL)
        return max(bounds, key=np.mean)

    return bound


def straight_through(heads: Heads, outputs: Tensor, noise: torch.Generator) -> Tensor:
    """A draw as features (B, n_inputs), the layout of ``Heads.onehot``, with a gradient.

    Forward: ``onehot`` of codes drawn from the heads. Backward: as if it were the relaxed draw, a
    softmax of logits with Gumbel noise for codes, the logistic draw itself for long ordinals, a
    sigmoid with logistic noise for their missing marks. Places after an END pass no gradient.
    """
    codes, hot, values, marks = [], [], [], []

    def drawn(logits: Tensor) -> tuple[Tensor, Tensor]:
        noisy = gumbelled(logits, noise)
        return noisy.argmax(dim=-1), noisy.softmax(dim=-1)

    for group in heads.softmaxes:
        code, relaxed = drawn(group.logits(outputs))  # (B, G), (B, G, m)
        codes.append(code)
        hot.append(relaxed)
    for mixtures in heads.mixtures:
        log_weight, mean, log_scale, mark = mixtures.parameters_of(outputs)
        component, relaxed = drawn(log_weight)
        chosen = F.one_hot(component, N_COMPONENTS) + relaxed - relaxed.detach()
        scale = (chosen * log_scale).sum(dim=-1).exp()
        at = (chosen * mean).sum(dim=-1) + scale * torch.logit(uniform(mark.shape, noise, mark))
        at = at.clamp(-1, 1)
        noisy_mark = mark + torch.logit(uniform(mark.shape, noise, mark))
        is_mark = (noisy_mark > 0) & mixtures.marked
        code = torch.round((at.detach() + 1) / 2 * (mixtures.n_values - 1)).long()
        codes.append(torch.where(is_mark, mixtures.n_values, code))
        values.append(at.masked_fill(is_mark, 0.0))
        marks.append(torch.sigmoid(noisy_mark)[:, mixtures.marked])
    x = heads.joined(codes)
    if heads.end is not None:
        reached = heads.split(heads.reached(x))[: len(hot)]
        hot = [part * r.unsqueeze(-1) for part, r in zip(hot, reached, strict=True)]
    hot = [group.features(part) for part, group in zip(hot, heads.softmaxes, strict=True)]
    relaxed = heads.joined_features([*hot, *values, *marks])
    return heads.onehot(heads.settled(x)) + (relaxed - relaxed.detach())
