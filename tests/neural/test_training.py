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

from genzoo.fitting import Budget, Training
from genzoo.models.neural.training import (
    DivergedError,
    Player,
    Recipe,
    epochs,
    fit_network,
    pick_device,
)
from genzoo.seeding import torch_seeded


class Regression:
    """y = sin(x_0 x_1) + noise; the loss is the mean squared error, a held-out row's value its
    negative squared error."""

    def __init__(self, n: int = 300, noise: float = 0.1, dropout: float = 0.1) -> None:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(n + 200, 4, generator=generator)
        y = (x[:, :1] * x[:, 1:2]).sin() + noise * torch.randn(n + 200, 1, generator=generator)
        data = torch.cat([x, y], dim=1)
        self.train, self.valid = data[:n], data[n:]
        with torch_seeded(0, "test"):
            self.net = nn.Sequential(
                nn.Linear(4, 32), nn.Tanh(), nn.Dropout(dropout), nn.Linear(32, 32), nn.Tanh(),
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
        **recipe: Any,
    ) -> Training:
        player = Player(self.net, loss or self.loss, outer=[self.net[0], self.net[-1]])
        return fit_network(
            [player], draw_batch=epochs(self.train, 64), evaluate=self.values,
            recipe=Recipe(**{"evaluate_every": 20, **recipe}), budget=budget or Budget(), seed=seed,
            progress=progress, device="cpu",
        )  # fmt: skip


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

        return fit_network(
            [Player(net, lambda batch, generator: net(batch).square().mean())],
            draw_batch=epochs(torch.ones(4, 1), 2), evaluate=evaluate,
            recipe=Recipe(muon_lr=None, patience=None, **recipe), budget=Budget(steps=steps),
            seed=0, progress=lambda fraction, message: None, device="cpu",
        )  # fmt: skip


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


def test_step_and_second_budgets_are_kept() -> None:
    assert Regression().fit(Budget(steps=7)).steps == 7
    record = Regression().fit(Budget(seconds=1.0), patience=None)
    assert record.steps > 10
    assert record.stopped_by == "budget"
    assert len(record.curve) >= 10
    assert Regression().fit(Budget(seconds=1e-6)).steps == 1


def test_most_steps_end_a_run_whose_seconds_are_not_used_up() -> None:
    record = Regression().fit(Budget(seconds=600), most_steps=30, patience=None)
    assert record.steps == 30
    assert record.stopped_by == "steps"
    assert Regression().fit(Budget(steps=40), most_steps=30).steps == 40
    assert Regression().fit(Budget(seconds=1e-6), most_steps=30).stopped_by == "budget"


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

    record = fit_network(
        [Player(x, flee, repeats=2), Player(y, follow)],
        draw_batch=epochs(torch.zeros(4, 1), 2),
        evaluate=lambda: -(x.weight - y.weight).detach().square()[0].numpy(),
        recipe=Recipe(steps=5, muon_lr=None, patience=None),
        budget=Budget(), seed=0, progress=lambda fraction, message: None, device="cpu",
    )  # fmt: skip
    assert turns == ["x", "x", "y"] * 5
    assert x.weight.requires_grad
    assert y.weight.requires_grad
    assert record.curve[-1].train is None  # an adversarial loss is no likelihood


def test_epochs_visit_every_row_once() -> None:
    draw = epochs(torch.arange(10).unsqueeze(1), 5)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        batch = torch.cat([draw(generator), draw(generator)])
        assert sorted(batch.flatten().tolist()) == list(range(10))
    assert len(epochs(torch.zeros(3, 1), 64)(generator)) == 3


def test_an_absent_device_is_an_error() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="device"):
        pick_device("no such thing")
