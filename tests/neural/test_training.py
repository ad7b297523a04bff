"""The training loop: schedule and budgets, early stopping, divergence, several players, seeds."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genzoo.fitting import Budget, Fit, Training
from genzoo.models.neural.batches import epochs, windows
from genzoo.models.neural.modules import Drawn, Dropout, pick_device
from genzoo.models.neural.training import DivergedError, Player, Recipe, fit_network
from genzoo.seeding import torch_generator


class Regression:
    """y = sin(x_0 x_1) + noise; the loss is the mean squared error, a held-out row's value its
    negative squared error."""

    def __init__(self, n: int = 300, noise: float = 0.1, dropout: float = 0.1) -> None:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(n + 200, 4, generator=generator)
        y = (x[:, :1] * x[:, 1:2]).sin() + noise * torch.randn(n + 200, 1, generator=generator)
        data = torch.cat([x, y], dim=1)
        self.train, self.valid = data[:n], data[n:]
        with Drawn(torch_generator(0, "test")):
            self.net = nn.Sequential(
                nn.Linear(4, 32), nn.Tanh(), Dropout(dropout), nn.Linear(32, 32), nn.Tanh(),
                nn.Linear(32, 1),
            )  # fmt: skip

    def errors(self, rows: Tensor) -> Tensor:
        return ((self.net(rows[:, :4]) - rows[:, 4:]) ** 2)[:, 0]

    def loss(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        return self.errors(batch).mean()

    def values(self) -> np.ndarray:
        return -self.errors(self.valid).detach().double().numpy()

    def value(self) -> float:
        return float(self.values().mean())

    def fit(
        self,
        budget: Budget | None = None,
        *,
        loss: Callable[..., Tensor] | None = None,
        seed: int = 0,
        progress: Callable[[float, str], None] = lambda fraction, message: None,
        afterwards: float = 0.0,
        **recipe: Any,
    ) -> Training:
        player = Player(self.net, loss or self.loss, outer=[self.net[0], self.net[-1]])
        fit = Fit(seed, budget, progress)
        fit_network(
            [player], draw_batch=epochs(self.train, 64), evaluate=self.values,
            recipe=Recipe(**{"evaluate_every": 20, **recipe}), fit=fit, device="cpu",
            afterwards=afterwards,
        )  # fmt: skip
        return fit.training


def test_learns_and_records() -> None:
    task, seen = Regression(), []
    record = task.fit(steps=400, progress=lambda fraction, message: seen.append(fraction))
    assert record.steps == 400
    assert record.stopped_by == "steps"
    assert task.value() > -0.15 > record.curve[0].valid
    assert [p.step for p in record.curve] == list(range(0, 401, 20))
    assert record.curve[-1].train is not None
    assert seen == sorted(seen)
    assert 0 <= seen[0] <= seen[-1] == 1


def test_the_best_evaluation_is_what_stays() -> None:
    task = Regression(n=30, noise=1.0, dropout=0.0)  # 30 noisy rows: it overfits
    record = task.fit(steps=600, patience=None)
    values = [p.valid for p in record.curve if p.valid is not None]
    assert task.value() == max(values) > values[-1]


def test_a_plateau_stops_early_and_counts_as_converged() -> None:
    task = Regression(n=30, noise=1.0, dropout=0.0)
    record = task.fit(steps=20_000, patience=5)
    assert record.stopped_by == "converged"
    assert record.converged
    assert record.steps < 2000
    assert task.value() == max(p.valid for p in record.curve if p.valid is not None)


def test_a_run_cut_short_is_not_converged() -> None:
    record = Regression().fit(Budget(steps=40), evaluate_every=5)
    assert record.stopped_by == "budget"
    assert not record.converged


class Ramp:
    """A validation set whose values follow a given course, whatever is trained.

    Args:
        course: share of the run -> mean value, in nats a row.
        noise: standard deviation over the rows of what an evaluation adds to each.
    """

    def __init__(self, course: Callable[[float], float], *, noise: float = 0.0) -> None:
        self.course, self.noise, self.rng = course, noise, np.random.default_rng(0)

    def fit(self, *, level: float = 0.0, steps: int = 80, **recipe: Any) -> Training:
        net, calls = nn.Linear(1, 1), 0
        each = recipe.setdefault("evaluate_every", 1)
        rows = level + self.rng.normal(0.0, 5.0, 100)

        def evaluate() -> np.ndarray:
            nonlocal calls
            done, calls = calls * each / steps, calls + 1
            return rows + self.course(done) + self.noise * self.rng.normal(size=100)

        fit = Fit(budget=Budget(steps=steps))
        fit_network(
            [Player(net, lambda batch, generator: net(batch).square().mean())],
            draw_batch=epochs(torch.ones(4, 1), 2), evaluate=evaluate,
            recipe=Recipe(**{"muon_lr": None, "patience": None, **recipe}), fit=fit, device="cpu",
        )  # fmt: skip
        return fit.training


def test_a_run_ends_once_as_many_steps_again_gain_nothing_to_speak_of() -> None:
    def saturating(done: float) -> float:
        return 1.0 - math.exp(-20 * done) + 0.001 * done  # a new best at each evaluation

    record = Ramp(saturating).fit(steps=400, patience=10)
    assert record.stopped_by == "converged"
    assert record.converged
    # from step 107 to 214 it gains 0.005 nats; a third of the whole is the cooling down
    assert 200 < record.steps < 350
    noisy = Ramp(saturating, noise=0.2).fit(steps=400, patience=10)
    assert noisy.stopped_by == "converged"


def test_a_slow_but_steady_gain_does_not_end_a_run() -> None:
    def by_doubling(done: float) -> float:
        return 0.02 * math.log2(1 + 400 * done)  # twice what is worth training for

    assert Ramp(by_doubling).fit(steps=400, patience=10).steps == 400
    assert Ramp(by_doubling, noise=0.02).fit(steps=400, patience=10).steps == 400


def test_no_plateau_is_seen_before_the_loss_has_settled() -> None:
    def late(done: float) -> float:
        return 0.01 * done + max(0.0, min(done, 0.6) - 0.3)

    assert Ramp(late).fit(steps=400, patience=10).steps < 120
    assert Ramp(late).fit(steps=400, patience=10, settling=150).steps == 400
    assert Ramp(late).fit(steps=400, patience=10, warmup=0.4).steps == 400


@pytest.mark.parametrize("level", [-2.0, -100.0])
def test_the_gain_of_the_last_quarter_says_whether_a_run_had_converged(level: float) -> None:
    def early(done: float) -> float:
        return min(done, 0.7)  # all of it before the last quarter

    assert Ramp(early).fit(level=level).converged
    assert not Ramp(lambda done: 0.08 * done).fit(level=level).converged  # 0.02 in the last quarter
    assert Ramp(lambda done: 0.02 * done).fit(level=level).converged
    assert Ramp(lambda done: -done).fit(level=level).converged  # the first is the best
    assert Ramp(early).fit(level=level).stopped_by == "budget"


def test_a_gain_below_its_error_counts_as_converged() -> None:
    def course(done: float) -> float:
        return 0.06 * done

    # 0.015 in the last quarter: the rows of both ends differ by noise of 0.014 a row, or of 1.4
    assert not Ramp(course, noise=0.01).fit().converged
    assert Ramp(course, noise=1.0).fit().converged


def test_with_few_evaluations_in_the_last_quarter_there_is_no_telling() -> None:
    def flat(done: float) -> float:
        return 0.0

    assert Ramp(flat).fit(evaluate_every=5).converged
    assert not Ramp(flat).fit(evaluate_every=20).converged


class Timed(Regression):
    """A step takes 0.01 seconds of a clock of its own, an evaluation 0.05."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        super().__init__(**options)
        self.time = 0.0
        monkeypatch.setattr("genzoo.fitting.now", lambda: self.time)

    def loss(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        self.time += 0.01
        return super().loss(batch, generator)

    def values(self) -> np.ndarray:
        self.time += 0.05
        return super().values()


def test_a_budget_in_steps_is_kept() -> None:
    record = Regression().fit(Budget(steps=7))
    assert (record.steps, record.work, record.stops) == (7, {"steps": 7}, [("steps", 7)])
    nothing = Regression().fit(Budget(steps=0))
    assert (nothing.steps, nothing.stopped_by, nothing.converged) == (0, "budget", False)
    assert nothing.curve == []


def test_a_budget_in_seconds_is_used_up_and_kept(monkeypatch) -> None:
    task = Timed(monkeypatch)
    record = task.fit(Budget(seconds=10.0), patience=None)
    assert 9.9 <= task.time < 10.02  # the last evaluation included; at most a step over
    assert record.stopped_by == "budget"
    assert record.stops == [("steps", record.steps)]
    n_evaluations = len(record.curve)
    assert n_evaluations * 0.05 < 0.12 * task.time  # a tenth of the time
    assert n_evaluations >= 18  # and no longer from one to the next than a twentieth of it
    assert record.curve[-1].step == record.steps
    assert [p.seconds for p in record.curve] == sorted(p.seconds for p in record.curve)


def test_what_comes_afterwards_has_its_time(monkeypatch) -> None:
    task = Timed(monkeypatch)
    task.fit(Budget(seconds=10.0), patience=None, afterwards=40.0)
    assert 7.9 <= task.time < 8.02  # 40 evaluations of 0.05 seconds are left


def test_no_step_is_begun_that_does_not_fit(monkeypatch) -> None:
    task = Timed(monkeypatch)

    def long(batch: Tensor, generator: torch.Generator) -> Tensor:
        task.time += 0.6
        return task.loss(batch, generator)

    task.fit(Budget(seconds=5.0), loss=long, patience=None)
    assert 4.3 < task.time <= 5.0


def test_long_evaluations_leave_most_of_the_time_to_training(monkeypatch) -> None:
    task = Timed(monkeypatch)
    values = task.values

    def long() -> np.ndarray:
        task.time += 0.95
        return values()

    monkeypatch.setattr(task, "values", long)
    record = task.fit(Budget(seconds=20.0), patience=None)
    assert len(record.curve) <= 7
    assert record.steps > 1200  # 0.01 seconds each


def test_a_budget_that_is_over_at_once_allows_one_step(monkeypatch) -> None:
    assert Timed(monkeypatch).fit(Budget(seconds=1e-6)).steps == 1


def test_most_steps_end_a_run_whose_seconds_are_not_used_up(monkeypatch) -> None:
    record = Timed(monkeypatch).fit(Budget(seconds=600), most_steps=30, patience=None)
    assert record.steps == 30
    assert record.stopped_by == "steps"
    assert Regression().fit(Budget(steps=40), most_steps=30).steps == 40
    assert Timed(monkeypatch).fit(Budget(seconds=1e-6), most_steps=30).stopped_by == "budget"


@pytest.mark.parametrize(
    ("recipe", "stopped_by"),
    [
        ({"patience": None}, "budget"),
        ({"patience": None, "most_steps": 90}, "steps"),
        ({"patience": 3}, "converged"),  # 30 noisy rows: it overfits
    ],
)
def test_a_replay_does_the_steps_that_the_clock_allowed_whatever_the_clock(
    recipe, stopped_by, monkeypatch
) -> None:
    first = Timed(monkeypatch, n=30, noise=1.0, dropout=0.0)
    record = first.fit(Budget(seconds=3.0), **recipe)
    assert record.stopped_by == stopped_by
    again = [Timed(monkeypatch, n=30, noise=1.0, dropout=0.0) for _ in range(2)]
    slow, fast = (
        task.fit(Budget.replay(record, "3s"), loss=None if i else slowly(task), **recipe)
        for i, task in enumerate(again)
    )
    assert slow.steps == fast.steps == record.steps
    assert slow.stops == fast.stops == record.stops
    for p, q in zip(again[0].net.parameters(), again[1].net.parameters(), strict=True):
        assert torch.equal(p, q)


def slowly(task: Timed) -> Callable[..., Tensor]:
    def loss(batch: Tensor, generator: torch.Generator) -> Tensor:
        task.time += 100.0
        return task.loss(batch, generator)

    return loss


@pytest.mark.parametrize("patience", [None, 5])
@pytest.mark.parametrize("budget", [None, "400 steps"])
def test_a_replay_of_a_run_without_a_clock_is_the_run_bit_for_bit(budget, patience) -> None:
    tasks = [Regression(n=30, noise=1.0, dropout=0.1) for _ in range(2)]
    record = tasks[0].fit(Budget.parse(budget), steps=400, patience=patience)
    again = tasks[1].fit(Budget.replay(record, budget), steps=400, patience=patience)
    assert (again.steps, again.stopped_by, again.converged, again.stops) == (
        record.steps, record.stopped_by, record.converged, record.stops,
    )  # fmt: skip
    for p, q in zip(tasks[0].net.parameters(), tasks[1].net.parameters(), strict=True):
        assert torch.equal(p, q)


def test_same_seed_same_weights_and_global_state_untouched() -> None:
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    a, b, c = Regression(), Regression(), Regression()
    a.fit(steps=60)
    b.fit(steps=60)
    c.fit(steps=60, seed=1)
    assert all(
        torch.equal(p, q) for p, q in zip(a.net.parameters(), b.net.parameters(), strict=True)
    )
    assert not torch.equal(a.net[0].weight, c.net[0].weight)
    assert states[0] == random.getstate()
    assert states[1] == np.random.get_state()[1].tolist()
    assert torch.equal(states[2], torch.get_rng_state())


def test_ends_in_evaluation_mode() -> None:
    task = Regression()
    task.fit(steps=10)
    assert not task.net.training


def test_divergence_at_one_step_goes_back_and_on() -> None:
    task, calls = Regression(), 0

    def loss(batch: Tensor, generator: torch.Generator) -> Tensor:
        nonlocal calls
        calls += 1
        return task.loss(batch, generator) * (math.nan if calls == 101 else 1.0)

    record = task.fit(steps=300, loss=loss)
    assert record.steps == 300
    assert len(record.notes) == 1
    assert "step 100" in record.notes[0]
    assert task.value() > record.curve[0].valid
    assert all(p.isfinite().all() for p in task.net.parameters())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_lasting_divergence_is_an_error_with_its_step(bad: float) -> None:
    task, calls = Regression(), 0

    def loss(batch: Tensor, generator: torch.Generator) -> Tensor:
        nonlocal calls
        calls += 1
        return task.loss(batch, generator) * (bad if calls > 50 else 1.0)

    with pytest.raises(DivergedError, match="step 50") as caught:
        task.fit(steps=300, loss=loss)
    assert caught.value.step == 50
    assert all(p.isfinite().all() for p in task.net.parameters())


def test_an_infinite_learning_rate_never_leaves_bad_weights() -> None:
    task = Regression()
    with pytest.raises(DivergedError):
        task.fit(steps=200, adam_lr=1e38, muon_lr=1e38, evaluate_every=1000)
    assert all(p.isfinite().all() for p in task.net.parameters())


def test_averaged_weights_are_evaluated_and_kept() -> None:
    task = Regression()
    record = task.fit(steps=200, ema=0.95)
    assert task.value() == max(p.valid for p in record.curve if p.valid is not None)
    assert task.value() > -0.2


def test_players_take_turns_and_leave_each_other_alone() -> None:
    """x learns to leave y, y to follow x: each turn moves one of them."""
    x, y = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    turns = []

    def flee(batch: Tensor, generator: torch.Generator) -> Tensor:
        turns.append("x")
        assert x.weight.requires_grad
        assert not y.weight.requires_grad
        return -(x.weight - y.weight).square().sum() + x.weight.square().sum()

    def follow(batch: Tensor, generator: torch.Generator) -> Tensor:
        turns.append("y")
        assert y.weight.requires_grad
        assert not x.weight.requires_grad
        return (x.weight - y.weight).square().sum()

    fit = Fit()
    fit_network(
        [Player(x, flee, repeats=2), Player(y, follow)],
        draw_batch=epochs(torch.zeros(4, 1), 2),
        evaluate=lambda: -(x.weight - y.weight).detach().square()[0].numpy(),
        recipe=Recipe(steps=5, muon_lr=None, patience=None),
        fit=fit, device="cpu",
    )  # fmt: skip
    assert turns == ["x", "x", "y"] * 5
    assert x.weight.requires_grad
    assert y.weight.requires_grad
    assert fit.training.curve[-1].train is None  # an adversarial loss is no likelihood


def test_epochs_visit_every_row_once() -> None:
    draw = epochs(torch.arange(10).unsqueeze(1), 5)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        batch = torch.cat([draw(generator), draw(generator)])
        assert sorted(batch.flatten().tolist()) == list(range(10))
    assert len(epochs(torch.zeros(3, 1), 64)(generator)) == 3
    small = epochs(torch.zeros(3, 1, dtype=torch.int8), 2)(generator)
    assert small.dtype == torch.int64  # whatever the codes lie in


def test_windows_begin_anywhere_and_stay_within_a_stretch() -> None:
    draw = windows([np.arange(5), np.arange(10, 13)], T=3, batch_size=200)
    batch = draw(torch.Generator().manual_seed(0))
    assert {tuple(row) for row in batch.tolist()} == {
        (0, 1, 2), (1, 2, 3), (2, 3, 4), (10, 11, 12),
    }  # fmt: skip


def test_an_absent_device_is_an_error() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="device"):
        pick_device("no such thing")


def test_dropout_of_torch_is_refused() -> None:
    task = Regression()
    task.net[2] = nn.Dropout(0.1)
    with pytest.raises(TypeError, match="players: expected dropout that draws from the fit's own"):
        task.fit(steps=1)


def test_dropout_drops_a_share_and_draws_from_its_own_generator() -> None:
    """The share within five standard errors, the rest made larger for it."""
    x, dropout = torch.full((400, 701), 2.0), Dropout(0.3)
    state, found = torch.get_rng_state(), []
    for seed in (2, 2, 3):
        dropout.source = torch.Generator().manual_seed(seed)
        found.append(dropout(x))
    assert torch.get_rng_state().equal(state)
    dropped = found[0] == 0
    share = float(dropped.double().mean())
    assert share == pytest.approx(0.3, abs=5 * (0.3 * 0.7 / x.numel()) ** 0.5)
    torch.testing.assert_close(found[0][~dropped], x[~dropped] / 0.7, rtol=1e-4, atol=0)
    assert torch.equal(found[0], found[1])
    together = float((dropped & (found[2] == 0)).double().mean())
    assert together == pytest.approx(0.09, abs=5 * (0.09 * 0.91 / x.numel()) ** 0.5)
    assert dropout.eval()(x) is x
    almost_all = Dropout(1 - 1e-9)
    almost_all.source = torch.Generator().manual_seed(4)
    assert torch.isfinite(almost_all(x)).all()


def test_weights_are_drawn_as_torch_draws_them_from_a_generator_of_ones_own() -> None:
    def made() -> list[Tensor]:
        layers = (
            nn.Linear(3, 4), nn.Conv1d(2, 3, 3), nn.Conv2d(2, 3, 3), nn.ConvTranspose2d(2, 3, 3),
            nn.Embedding(4, 3), nn.LayerNorm(3), nn.init.normal_(torch.empty(3), std=0.1),
        )  # fmt: skip
        return [
            weight
            for layer in layers
            for weight in (layer.parameters() if isinstance(layer, nn.Module) else [layer])
        ]

    state = torch.get_rng_state()
    try:
        with Drawn(torch.Generator().manual_seed(2)):
            found = made()
        assert torch.get_rng_state().equal(state)
        torch.default_generator.manual_seed(2)
        assert all(torch.equal(a, b) for a, b in zip(found, made(), strict=True))
    finally:
        torch.set_rng_state(state)


def test_a_part_names_its_threads_to_the_whole() -> None:
    whole = Fit(0)
    part = whole.part("game", 0.5)
    assert whole.training.threads is None
    part.torch_rng("batches")
    whole.take("game", part)
    assert whole.training.threads == torch.get_num_threads()
