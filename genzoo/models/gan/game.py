"""The game of generator and critic: its draws and losses, its length, and who has won."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genzoo.models.gan.networks import Critic, Generator
from genzoo.models.neural.coders import Proposal
from genzoo.models.neural.draws import gumbelled, uniform
from genzoo.models.neural.groups import N_COMPONENTS
from genzoo.models.neural.heads import Heads
from genzoo.models.neural.modules import multiplications
from genzoo.models.neural.training import Player, Recipe
from genzoo.models.neural.variational import training_bound

# Tuned on validation rows, in the seconds of the quick profile. Momentum of 0, as R3GAN has it, and
# of 0.9: breast_cancer -141.2 and -137.4 nats, grammar -12.77 and -12.67, asia -2.289 and -2.279,
# alarm -11.81 and -11.87. Rows to a batch, 128 and 64: names -16.31 and -16.27, alarm -11.83 and
# -11.81.
RECIPE = Recipe(
    steps=2700, batch_size=64, muon_lr=None, adam_lr=0.01, betas=(0.9, 0.99),
    weight_decay=0.0, clip=10.0, patience=8, ema=0.99,
)  # fmt: skip
# Where a space has few cells; tuned on 4,000 rows of 480 cells.
FEW_CELLS_STEPS = 1200
# Without a budget the game takes no more work than this, in multiplications: fewer steps where the
# networks are convolutions over many pixels. A row passes the critic forwards and backwards three
# times, and once more for the penalties and the way back from them; the generator is passed by two
# draws from the prior and by those of the bound, forwards and backwards. A row's features are drawn
# twice, each for about as much as so many multiplications.
WORK, CRITIC_PASSES, GENERATOR_PASSES, FEATURE_WORK = 3e12, 10, 4, 200
# Batches are smaller where rows are wide, or so few steps would not fit into the time: a core does
# about so many multiplications a second in networks of this size.
BATCH_FLOATS, SMALLEST_BATCH = 2**21, 8
FEWEST_STEPS, SPEED = 50, 5e9
# Checkpoints are compared by the bound that is reported, with fewer draws and more rows instead.
SELECTION_DRAWS, FEWEST_SELECTION_DRAWS, FEWEST_SELECTED, SELECTION_FLOATS = 32, 8, 16, 2**23
# Draws a row of the bound in training: with 2 of them names came to -16.9 nats, with 4 to -16.5.
TRAINING_DRAWS = 4
# b of the bound rises in this share of the game, or in so many passes over the rows (or steps).
WARM_UP, WARM_UP_PASSES, WARM_UP_STEPS = 0.2, 10, 100


@dataclass(frozen=True, eq=False)
class Game:
    """Losses of the two players, in part 1 of the module ``model``.

    Args:
        penalty: gamma.
        likelihood_weight: lambda.
    """

    generator: Generator
    proposal: Proposal
    critic: Critic
    penalty: float
    likelihood_weight: float

    def draw(self, n: int, noise: torch.Generator) -> Tensor:
        """(n, n_inputs) features of rows that the generator drew, with its gradient."""
        shape = (n, self.proposal.latent_dim)
        z = torch.randn(shape, generator=noise, device=noise.device)
        return straight_through(self.generator.heads, self.generator.decoder(z), noise)

    def critic_loss(self, x: Tensor, noise: torch.Generator) -> Tensor:
        """The relativistic loss of pairs of a real and a drawn row, and the two penalties."""
        with torch.no_grad():
            drawn = self.draw(len(x), noise)
            seen = self.critic.seen(torch.cat([self.generator.heads.onehot(x), drawn]))
        scores = self.critic.scores(seen.requires_grad_())
        (slope,) = torch.autograd.grad(scores.sum(), seen, create_graph=True)
        of_real, of_drawn = scores.chunk(2)
        # the mean over both halves is half the sum of R1 and R2
        return F.softplus(of_drawn - of_real).mean() + self.penalty * slope.square().sum(-1).mean()

    def adversarial_loss(self, x: Tensor, noise: torch.Generator) -> Tensor:
        of_drawn = self.critic(self.draw(len(x), noise))
        of_real = self.critic(self.generator.heads.onehot(x))
        return F.softplus(of_real - of_drawn).mean()

    def bound(self, x: Tensor, b: float, noise: torch.Generator) -> Tensor:
        """The mean bound of rows in nats, with its gradient."""
        likelihood = self.generator.row_log_prob
        return training_bound(self.proposal, likelihood, x, TRAINING_DRAWS, b, noise).mean()

    def players(self, critic_steps: int, warmth: Callable[[], float]) -> list[Player]:
        """Who plays; ``warmth`` is b of the bound at each step."""
        decoder, proposal, weight = self.generator.decoder, self.proposal, self.likelihood_weight
        critic = Player(self.critic, self.critic_loss, repeats=critic_steps)

        def of_proposal(x: Tensor, noise: torch.Generator) -> Tensor:
            return -self.bound(x, warmth(), noise)

        def of_both(x: Tensor, noise: torch.Generator) -> Tensor:
            return self.adversarial_loss(x, noise) + weight * of_proposal(x, noise)

        if weight == 0:
            return [critic, Player(decoder, self.adversarial_loss), Player(proposal, of_proposal)]
        return [critic, Player(nn.ModuleList([decoder, proposal]), of_both)]

    def selection(self, n: int, seconds: float | None) -> tuple[int, int]:
        """How many of n validation rows choose the weights, and draws of each."""
        pairs = SELECTION_FLOATS // self.generator.floats_per_draw
        rows = max(FEWEST_SELECTED, min(n, pairs // FEWEST_SELECTION_DRAWS))
        return rows, max(FEWEST_SELECTION_DRAWS, min(SELECTION_DRAWS, pairs // rows))

    def recipe(self, seconds: float | None, n: int, few_cells: bool) -> Recipe:
        """How to train in the seconds that are left to it (None: any), before the critic has left
        the CPU; on n rows, and whether the space has no more cells than these."""
        decoder, n_inputs = self.generator.decoder, self.generator.heads.n_inputs
        work = CRITIC_PASSES * multiplications(self.critic, torch.zeros((1, n_inputs)))
        z = torch.zeros((1, self.proposal.latent_dim), device=decoder.bias.device)
        work += (GENERATOR_PASSES + 3 * TRAINING_DRAWS) * multiplications(decoder, z)
        work += FEATURE_WORK * n_inputs
        batch = batch_size(n_inputs, work, seconds)
        affordable = max(1, round(WORK / (batch * work)))
        steps = min(FEW_CELLS_STEPS if few_cells else RECIPE.steps, affordable)
        rising = max(WARM_UP_STEPS, WARM_UP_PASSES * n // batch)
        return replace(RECIPE, steps=steps, batch_size=batch, settling=rising)


def batch_size(n_features: int, work: float, seconds: float | None) -> int:
    """Rows to a batch, of so many features and so many multiplications each."""
    most = min(RECIPE.batch_size, BATCH_FLOATS // n_features)
    if seconds is not None:
        most = min(most, int(seconds * SPEED / (FEWEST_STEPS * work)))
    return max(SMALLEST_BATCH, most)


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
