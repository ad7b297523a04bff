"""One training loop for all networks; it knows nothing of what it trains.

A *player* is a module and a loss. One player makes an ordinary fit; several, taking turns within a
step, make an adversarial one. The loop brings:

- Muon (Jordan et al. 2024) for hidden matrices, AdamW for embeddings, output layers, norms, biases;
- warm-up, then linear decay to zero, over the steps or over the wall clock of the budget; a replay
  decays over the steps that were recorded, and does as many;
- gradient clipping, and optionally an exponential moving average of the weights;
- validation, the best checkpoint (the one that is returned), and an end where more training is not
  worth its time: once to double the steps brought nothing (``fitting.converged``, row by row, on
  average over the last quarter of the steps before and after), the learning rate is cooled down to
  zero over a share of the steps so far, and the run ends. A rate that is held and then cooled down
  loses little to one that was planned for that length (Hu et al. 2024; Hägele et al. 2024), so the
  length need not be known before;
- divergence: a loss or gradient that is not finite sends it back to the best checkpoint with a
  smaller learning rate; the third time it raises ``DivergedError``. A model with non-finite weights
  is never returned.

Jordan et al. (2024), Muon: an optimizer for hidden layers, kellerjordan.github.io/posts/muon. Hu et
al. (2024), MiniCPM, arXiv:2404.06395. Hägele et al. (2024), Scaling laws and compute-optimal
training beyond fixed training durations, arXiv:2405.18392.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from genzoo.fitting import LAST_PART, Fit, StoppedBy, converged, gain
from genzoo.models.neural.modules import Dropout, fabric_on
from genzoo.models.neural.muon import Muon

# These trade time for safety: more patience costs steps where nothing is gained any more, less of
# it takes the noise of an evaluation for a plateau.
MOST_DIVERGENCES = 3
AFTER_DIVERGENCE = 0.3  # what is left of the learning rate
NO_NEW_BEST = 0.25  # of the steps up to the best checkpoint: even the smallest gain is missing
COOL_DOWN = 0.5  # of the steps up to where it begins
SHORTEST_COOL_DOWN = 50
# With a budget in seconds: evaluations take this share of the time, but are at least so many, for
# the best checkpoint is chosen among them; where they are long, the latter share.
EVALUATION_SHARE, FEWEST_EVALUATIONS, LARGEST_EVALUATION_SHARE = 0.1, 20, 0.3
FEWEST_LATE = 3  # evaluations in the last part of a run; with fewer there is no telling
# Of the learning rate of a network that has learned already, and the share in which it rises. A
# transformer on 200 names that begin with letters it never saw, 300 steps, nats a validation row:
# -13.7, -12.9 and -12.8 by 0.3, 0.5 and 1 times the rate; on 6,400 characters of another play in
# 20 s -120.6, -121.2 and -122.2 (and -121.1 by 0.1).
FINE_TUNING, FINE_WARM_UP = 0.5, 0.02


class DivergedError(RuntimeError):
    """Training gave a loss or gradient that is not finite, again and again; ``step`` says where."""

    def __init__(self, step: int) -> None:
        super().__init__(
            f"training diverged at step {step}: the loss or its gradient is not finite, also after "
            f"going back to the best checkpoint with smaller learning rates"
        )
        self.step = step


@dataclass
class Player:
    """A module, and the loss that its parameters minimise.

    Args:
        module: what is trained.
        loss: (batch, generator on the batch's device) -> scalar; nats per row where it is a
            negative log-likelihood or its bound.
        outer: input and output layers, whose matrices go to AdamW (``nn.Embedding`` always does).
        repeats: turns a step; each draws a batch of its own.
    """

    module: nn.Module
    loss: Callable[[Tensor, torch.Generator], Tensor]
    outer: Sequence[nn.Module | nn.Parameter] = ()
    repeats: int = 1


@dataclass(frozen=True)
class Recipe:
    """How to train.

    The learning rates were tuned on a transformer of three blocks on plants (Muon 0.01 and AdamW
    0.003, decayed to zero).

    Args:
        steps: of the optimiser, where the budget names neither steps nor seconds.
        most_steps: of the optimiser with a budget in seconds; the schedule follows whichever of
            the two is further used up. None: as many as the time allows.
        batch_size: what ``draw_batch`` draws; the loop itself does not read it.
        muon_lr: learning rate of hidden matrices; None gives them to AdamW too.
        adam_lr: of everything else.
        betas: of AdamW.
        weight_decay: decoupled, of matrices and larger tensors.
        warmup: share of the budget in which the learning rate rises.
        clip: largest norm of a player's gradient.
        evaluate_every: steps from one validation to the next. With a budget in seconds evaluations
            are spaced out to take at most a tenth of the time, and come at least twenty times.
        patience: evaluations without a new best that make a plateau, if they also take a quarter of
            the steps up to the best one; or evaluations in the second half of the steps that, on
            average, gained nothing to speak of. None never stops early.
        settling: steps, at first, in which the loss itself changes: nothing that happens there
            tells a plateau, no more than while the learning rate rises.
        ema: decay of the moving average of the weights; 0 for none.
    """

    steps: int = 2000
    most_steps: int | None = None
    batch_size: int = 64
    muon_lr: float | None = 0.01
    adam_lr: float = 0.003
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.01
    warmup: float = 0.05
    clip: float = 1.0
    evaluate_every: int = 50
    patience: int | None = 10
    settling: int = 0
    ema: float = 0.0

    def fine_tuning(self) -> Recipe:
        """The same for a network that has learned already: smaller learning rates, which rise
        sooner, and nothing that settles."""
        return replace(
            self,
            muon_lr=None if self.muon_lr is None else FINE_TUNING * self.muon_lr,
            adam_lr=FINE_TUNING * self.adam_lr,
            warmup=FINE_WARM_UP,
            settling=0,
        )


def fit_network(
    players: Sequence[Player],
    *,
    draw_batch: Callable[[torch.Generator], Tensor],
    evaluate: Callable[[], np.ndarray],
    recipe: Recipe,
    fit: Fit,
    device: str = "auto",
    afterwards: float = 0.0,
) -> None:
    """Train the players' modules in place; they end with the weights of the best evaluation.

    What was done is in ``fit.training`` afterwards. ``converged``: stopped early on a plateau, or
    the last quarter of the run has three evaluations or more and gained nothing by
    ``fitting.converged``.

    Args:
        draw_batch: a batch of training data, drawn with a generator on the CPU; the loop moves it
            to the device.
        evaluate: the value of each validation row (n_valid,), the same rows in every call; higher
            is better (nats for the families here). Called without gradients, modules in evaluation
            mode, averaged weights in place.
        fit: the same seed, step budget or replay, and machine give the same weights, bit for bit.
            With a budget of 0 steps nothing is done; any other allows one, however short.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ...
        afterwards: what the caller will do then, in evaluations: of a budget in seconds that much
            is left.

    Raises:
        DivergedError: see the module.
        ValueError: for a device that is not there.
    """
    if fit.budget.steps == 0:
        fit.stop("steps")
        return
    _Loop(players, draw_batch, evaluate, recipe, fit, device, afterwards).run()


def _give_source(players: Sequence[Player], source: torch.Generator | None) -> None:
    """Let all dropout draw from one generator; TypeError for torch's, which can't."""
    for player in players:
        for module in player.module.modules():
            if isinstance(module, Dropout):
                module.source = source
            elif isinstance(module, _DropoutNd):
                raise TypeError(
                    f"players: expected dropout that draws from the fit's own generator, "
                    f"genzoo.models.neural.modules.Dropout; got {module!r}"
                )


class _Loop:
    def __init__(
        self,
        players: Sequence[Player],
        draw_batch: Callable[[torch.Generator], Tensor],
        evaluate: Callable[[], np.ndarray],
        recipe: Recipe,
        fit: Fit,
        device: str,
        afterwards: float,
    ) -> None:
        self.players, self.draw_batch, self.evaluate = players, draw_batch, evaluate
        self.recipe, self.fit, self.afterwards = recipe, fit, afterwards
        self._schedule()
        self.fabric = fabric_on(device)
        for player in players:
            self.fabric.setup_module(player.module)  # moves it; losses call the module itself
        _give_source(players, fit.torch_rng("training", device=self.fabric.device))
        self.batches = fit.torch_rng("batches")
        self.noise = fit.torch_rng("noise", device=self.fabric.device)
        self.optimizers = [self._optimizers(player) for player in players]
        self.trained = [
            [p for p in player.module.parameters() if p.requires_grad] for player in players
        ]
        self.weights = [p for trained in self.trained for p in trained]
        self.average = [p.detach().clone() for p in self.weights] if recipe.ema else None
        self.divergences = 0
        self.damping = 1.0  # of the learning rate, after a divergence
        self.cooling: tuple[int, int, float] | None = None  # from step, for steps, from factor
        self.evaluation_seconds, self.step_seconds = 0.0, 0.0
        self.train_sum, self.train_count = 0.0, 0

    def _schedule(self) -> None:
        """How many steps there will be, None where the clock decides; when to evaluate; whether to
        watch for a plateau."""
        recipe, budget = self.recipe, self.fit.budget
        self.every, self.patience = recipe.evaluate_every, recipe.patience
        self.timed = budget.seconds is not None and budget.steps is None
        self.by_clock = self.timed and budget.stops is None
        self.steps: int | None = None if self.by_clock else budget.steps or recipe.steps
        if self.timed and not self.by_clock:
            # the clock set the pace of that fit: how many steps it took is all there is to follow
            self.steps = dict(budget.stops or ()).get("steps") or recipe.steps
            self.every = max(1, min(self.every, self.steps // FEWEST_EVALUATIONS))
            self.patience = None

    # ---------------------------------------------------------------- optimisers and schedule

    def _optimizers(self, player: Player) -> list[Any]:
        recipe = self.recipe
        outer = {id(p) for m in player.module.modules() if isinstance(m, nn.Embedding)
                 for p in m.parameters()}  # fmt: skip
        for part in player.outer:
            outer |= {id(p) for p in (part.parameters() if isinstance(part, nn.Module) else [part])}
        hidden: list[nn.Parameter] = []
        matrices: list[nn.Parameter] = []
        vectors: list[nn.Parameter] = []
        for p in player.module.parameters():
            if not p.requires_grad:
                continue
            if p.ndim == 2 and id(p) not in outer and recipe.muon_lr is not None:
                hidden.append(p)
            else:
                (matrices if p.ndim >= 2 else vectors).append(p)
        made: list[torch.optim.Optimizer] = []
        if hidden:
            lr = recipe.muon_lr or 0.0
            made.append(Muon(hidden, lr=lr, weight_decay=recipe.weight_decay))
        if matrices or vectors:
            groups: list[dict[str, Any]] = [
                {"params": matrices},
                {"params": vectors, "weight_decay": 0.0},
            ]
            made.append(
                torch.optim.AdamW(
                    [g for g in groups if g["params"]], lr=recipe.adam_lr, betas=recipe.betas,
                    weight_decay=recipe.weight_decay, fused=True,
                )
            )  # fmt: skip
        for optimizer in made:
            for group in optimizer.param_groups:
                group["full_lr"] = group["lr"]
        return [self.fabric.setup_optimizers(optimizer) for optimizer in made]

    @property
    def step(self) -> int:
        return self.fit.training.steps

    def _done(self) -> float:
        """Share of the budget that is used up, in [0, 1]."""
        if self.steps is not None:
            return min(1.0, self.step / self.steps)
        seconds = self.fit.clock.ends - self.fit.clock.began - self._closing
        done = self.fit.clock.spent / max(1e-9, seconds)
        return min(1.0, max(done, self.step / (self.recipe.most_steps or math.inf)))

    @property
    def _closing(self) -> float:
        """Seconds for the last evaluation and what comes afterwards: they are not there to train
        in."""
        return (1 + self.afterwards) * self.evaluation_seconds

    def _factor(self) -> float:
        """Of the learning rate, at this step."""
        done = self._done() + (0.5 / self.steps if self.steps is not None else 1e-3)
        factor = min(1.0, done / self.recipe.warmup if self.recipe.warmup else 1.0)
        factor = min(factor, max(0.0, 1.0 - done) / (1.0 - self.recipe.warmup)) * self.damping
        if self.cooling is not None:
            since, length, top = self.cooling
            factor = min(factor, top * (1 - (self.step - since + 0.5) / length))
        return factor

    # ---------------------------------------------------------------- the loop

    def run(self) -> None:
        self._train_mode(True)
        self.best, self.best_step, self.since_best, self.late = -math.inf, 0, 0, 0
        self.best_values = self.values_before = np.array([-math.inf])
        # step and values of each evaluation after warm-up and settling
        self.settled: list[tuple[int, np.ndarray]] = []
        self.checkpoint = self._copy()
        self._evaluate()
        while (ended := self._ended()) is None:
            factor, began = self._factor(), self.fit.clock.spent
            try:
                value = self._turns(factor)
            except FloatingPointError:
                self._recover()
                continue
            self.fit.did("steps")
            self.train_sum, self.train_count = self.train_sum + value, self.train_count + 1
            if self.average is not None:
                # short memory at first, or the average would remember the initial weights
                decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
                torch._foreach_lerp_(self.average, [p.detach() for p in self.weights], 1 - decay)
            self.step_seconds = self.fit.clock.spent - began
            if self._time_to_evaluate():
                self._evaluate()
                self._watch_plateau(factor)
            self.fit.report(self._done(), self._in_words())
        if ended != "converged" or self.by_clock:  # the clock's pace led there
            self.fit.stop("steps", ended)
        record = self.fit.training
        if record.curve[-1].step != self.step:
            self._evaluate()
        self._restore()
        self._train_mode(False)
        _give_source(self.players, None)
        record.stopped_by = ended
        late = gain(self.values_before, self.best_values)
        record.late_gain = late if self.late and np.isfinite(late).all() else None
        record.converged = ended == "converged" or (
            self.late >= FEWEST_LATE and converged(self.values_before, self.best_values)
        )

    def _ended(self) -> StoppedBy | None:
        """What ends the run here; None: nothing does."""
        if self.cooling is not None and self.step - self.cooling[0] >= self.cooling[1]:
            return "converged"
        if self.timed and self.step == self.recipe.most_steps:
            return "steps"
        expected = self.step_seconds + self._closing
        if self.step and not self.fit.may("steps", expected=expected):
            return "budget" if self.timed or self.fit.budget.steps is not None else "steps"
        return "steps" if self.steps is not None and self.step >= self.steps else None

    def _time_to_evaluate(self) -> bool:
        regular = self.step % self.every == 0
        if not self.by_clock:
            return regular
        clock = self.fit.clock
        since = clock.spent - self.fit.training.curve[-1].seconds
        longest = max(
            (clock.ends - clock.began) / FEWEST_EVALUATIONS,
            self.evaluation_seconds / LARGEST_EVALUATION_SHARE,
        )
        return since > longest or (regular and since > self.evaluation_seconds / EVALUATION_SHARE)

    def _turns(self, factor: float) -> float:
        """One step of every player; the first one's mean loss."""
        first = 0.0
        for k, (player, optimizers) in enumerate(zip(self.players, self.optimizers, strict=True)):
            self._freeze_all_but(k)
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = group["full_lr"] * factor
            for _ in range(player.repeats):
                batch = self.draw_batch(self.batches).to(self.fabric.device)
                for optimizer in optimizers:
                    optimizer.zero_grad()
                loss = player.loss(batch, self.noise)
                self.fabric.backward(loss)
                norm = nn.utils.clip_grad_norm_(self.trained[k], self.recipe.clip)
                value = float(loss.detach())
                if not (math.isfinite(value) and bool(torch.isfinite(norm))):
                    self._freeze_all_but(None)
                    raise FloatingPointError
                for optimizer in optimizers:
                    optimizer.step()
                if k == 0:
                    first += value / player.repeats
        self._freeze_all_but(None)
        return first

    def _freeze_all_but(self, turn: int | None) -> None:
        """Keep gradients from flowing into the parameters of players whose turn it isn't (None: let
        them flow again)."""
        if len(self.players) == 1:
            return
        for k, trained in enumerate(self.trained):
            for p in trained:
                p.requires_grad_(turn is None or turn == k)

    def _in_words(self) -> str:
        """Where training stands."""
        if not math.isfinite(self.best):
            return f"step {self.step}"
        return f"step {self.step}: {self.best:.3f} nats per validation row"

    def _evaluate(self) -> None:
        start = self.fit.clock.spent
        self._train_mode(False)
        self._swap_average()
        with torch.no_grad():
            values = self.evaluate()
        value = float(values.mean())
        if value > self.best or (self.step == 0 and not math.isnan(value)):
            self.best, self.best_step, self.checkpoint = value, self.step, self._copy()
            self.best_values, self.since_best = values, 0
        else:
            self.since_best += 1
        self.values = values
        if self.step > self.recipe.settling and self._done() >= self.recipe.warmup:
            self.settled.append((self.step, values))
        if self.step == 0 or self._done() <= 1 - LAST_PART:
            self.values_before = self.best_values
        else:
            self.late += 1
        self._swap_average()
        self._train_mode(True)
        self.evaluation_seconds = self.fit.clock.spent - start
        train = -self.train_sum / self.train_count if self.train_count else None
        if len(self.players) > 1:
            train = None  # an adversarial loss is no likelihood
        self.train_sum, self.train_count = 0.0, 0
        self.fit.point(train, value if math.isfinite(value) else None)

    def _watch_plateau(self, factor: float) -> None:
        if self.cooling is not None or not self._on_plateau():
            return
        # on from here, unless it was better before by more than noise
        if not converged(self.values, self.best_values):
            self._go_back()
            length = COOL_DOWN * self.best_step
        else:
            length = COOL_DOWN * self.step
        self.cooling = (self.step, max(SHORTEST_COOL_DOWN, round(length)), factor)

    def _on_plateau(self) -> bool:
        """Whether more steps are not worth taking."""
        if self.patience is None:
            return False
        none_since = self.step - self.best_step >= NO_NEW_BEST * self.best_step
        if self.since_best >= self.patience and none_since:
            return True
        # means, or the one lucky evaluation of many would be what later ones are held against
        before, now = (
            [values for step, values in self.settled if 0.75 * end < step <= end]
            for end in (self.step / 2, self.step)
        )
        if len(now) < self.patience / 2 or len(before) < self.patience / 4:
            return False
        return converged(np.mean(before, axis=0), np.mean(now, axis=0))

    def _recover(self) -> None:
        self.divergences += 1
        if self.divergences >= MOST_DIVERGENCES or self.best == -math.inf:
            self._restore()
            raise DivergedError(self.step)
        self.fit.note(
            f"diverged at step {self.step}; went back to step {self.best_step} with "
            f"{AFTER_DIVERGENCE} times the learning rate"
        )
        self.damping *= AFTER_DIVERGENCE
        self._go_back()

    # ---------------------------------------------------------------- weights

    def _train_mode(self, on: bool) -> None:
        for player in self.players:
            player.module.train(on)

    def _copy(self) -> list[dict[str, Tensor]]:
        return [
            {k: v.detach().clone() for k, v in player.module.state_dict().items()}
            for player in self.players
        ]

    def _restore(self) -> None:
        for player, state in zip(self.players, self.checkpoint, strict=True):
            player.module.load_state_dict(state)

    def _go_back(self) -> None:
        """To the best checkpoint, without the optimisers' memory of the way since."""
        self._restore()
        for optimizers in self.optimizers:
            for optimizer in optimizers:
                optimizer.optimizer.state.clear()
        if self.average is not None:
            self.average = [p.detach().clone() for p in self.weights]

    def _swap_average(self) -> None:
        if self.average is not None:
            with torch.no_grad():
                for p, a in zip(self.weights, self.average, strict=True):
                    kept = p.detach().clone()
                    p.copy_(a)
                    a.copy_(kept)
