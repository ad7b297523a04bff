"""How often "proven" is wrong, by the rule of ``genzoo.report.choice`` on simulated row scores.

Scores of k models on validation and test rows are drawn so that what is true is known; the rule
then chooses, tests and recommends, through the same code as a report. A repeat counts as wrong when
any statement of it is: a model proven better that is not, or one shown to be within the margin that
loses more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genzoo.benchmark.statistics import holm, paired_difference
from genzoo.datasets.blocks import LENGTHS, MOST_BLOCKS, autocorrelation_time
from genzoo.report.choice import Choice, choose_likelihood
from genzoo.report.records import Cell, DatasetRecord, RunRecord
from rates import Rate, share

LEVEL = 0.05
WANTED = "at most 5 %, and two Monte Carlo errors"
N_VALID, N_TEST = 500, 1000

Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
"""(generator, shape) to draws with mean 0 and variance 1."""


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Student's t with 3 degrees of freedom: rare rows that a model finds very unlikely."""
    return rng.standard_t(3, shape) / np.sqrt(3)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Minus an exponential, as differences of log masses often look."""
    return 1 - rng.exponential(size=shape)


NOISES: dict[str, Noise] = {"normal": normal, "heavy tails": heavy, "skewed": skewed}


@dataclass(frozen=True)
class Scores:
    """What k models score.

    Attributes:
        truth: (k,) the expected score of a row, in nats.
        valid: (k, n_valid), test: (k, n_test) rows.
        groups: (n_test,) or None.
        cost: (k,) seconds of training.
        names: of the models.
    """

    truth: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    groups: np.ndarray | None = None
    cost: np.ndarray | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", tuple(f"m{m}" for m in range(len(self.truth))))


def choice_of(scores: Scores) -> Choice:
    """What the rule makes of the scores."""
    cells = []
    for m, name in enumerate(scores.names):
        record = {
            "model": name, "dataset": "d", "seed": 0, "status": "ok", "kind": "exact",
            "test_log_prob": float(scores.test[m].mean()),
            "train_seconds": 1.0 if scores.cost is None else float(scores.cost[m]),
            "n_parameters": 1,
            "validation": {"log_prob": float(scores.valid[m].mean()), "kind": "exact",
                           "n": scores.valid.shape[1]},
        }  # fmt: skip
        cells.append(Cell(record, scores.test[m], groups=scores.groups))
    models = list(scores.names)
    plan = {"seeds": [0], "cells": [{"model": m, "dataset": "d"} for m in models]}
    dataset = DatasetRecord("d", {}, None, None)
    found = choose_likelihood(RunRecord(Path(), plan, [dataset], models, cells, []), "d")
    assert found is not None
    return found


def is_wrong(scores: Scores, choice: Choice) -> bool:
    """Whether any statement about the models is false."""

    def truth(model: str) -> float:
        return float(scores.truth[scores.names.index(model)])

    chosen = truth(choice.chosen.model)
    for against in choice.against:
        loss = chosen - truth(against.other.model)
        if against.verdict == "worse" and loss <= 0:
            return True
        if against.verdict == "better" and loss >= 0:
            return True
        if against.within and loss >= choice.margin:
            return True
    return False


def old_rule(scores: Scores) -> bool:
    """The rule before: the best of the same rows against the k - 1 others, by Holm."""
    best = int(scores.test.mean(axis=1).argmax())
    others = [m for m in range(len(scores.truth)) if m != best]
    found = [
        paired_difference(scores.test[best], scores.test[m], scores.groups) for m in others
    ]  # fmt: skip
    adjusted = holm([d.p_value() for d in found])
    return any(p < LEVEL and scores.truth[best] <= scores.truth[m]
               for p, m in zip(adjusted, others, strict=True))  # fmt: skip


# -------------------------------------------------------------------------------- settings


def independent_rows(rng: np.random.Generator, k: int, noise: Noise, *, n: int = N_TEST) -> Scores:
    """k equally good models; rows differ more than models do on one row."""
    shared = 5 * rng.standard_normal(N_VALID + n)
    scores = shared + 0.5 * noise(rng, (k, N_VALID + n))
    return Scores(np.zeros(k), scores[:, :N_VALID], scores[:, N_VALID:])


def at_the_margin(rng: np.random.Generator, k: int) -> Scores:
    """One good model, and lighter ones that lose just the margin to it."""
    scores = independent_rows(rng, k, normal)
    truth = np.where(np.arange(k) == 0, 0.0, -0.01)
    # what validation chooses is clear: it is the margin that is tested
    return Scores(
        truth,
        scores.valid + np.where(np.arange(k) == 0, 1.0, 0.0)[:, None],
        scores.test + truth[:, None],
        cost=np.where(np.arange(k) == 0, 100.0, 1.0),
    )


def in_groups(rng: np.random.Generator, k: int, sizes: np.ndarray) -> Scores:
    """Equally good models whose scores depend on the group of a row."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    effect = 0.4 * rng.standard_normal((k, len(sizes)))
    test = effect[:, group] + 0.5 * rng.standard_normal((k, len(group)))
    valid = 0.5 * rng.standard_normal((k, N_VALID))
    return Scores(np.zeros(k), valid, test, groups=group)


def in_time(rng: np.random.Generator, k: int, rho: float, n: int, *, blocks: bool) -> Scores:
    """Equally good models whose scores follow an autoregression in time; the length of a block is
    measured on as long a training series as a split of 70/10/20 has."""
    test, valid = autoregression(rng, (k, n), rho), autoregression(rng, (k, n // 2), rho)
    groups = None
    if blocks:
        tau = autocorrelation_time(autoregression(rng, (1, 7 * n // 2), rho)[0])
        length = int(np.ceil(LENGTHS * tau)) if tau > 1 else 1
        groups = np.arange(n) * min(MOST_BLOCKS, max(1, n // length)) // n
    return Scores(np.zeros(k), valid, test, groups=groups)


def autoregression(rng: np.random.Generator, shape: tuple[int, int], rho: float) -> np.ndarray:
    """(k, n) stationary, with mean 0 and variance 1."""
    from scipy.signal import lfilter

    burn_in = 200
    steps = rng.standard_normal((shape[0], shape[1] + burn_in)) * np.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], steps)[:, burn_in:]


# -------------------------------------------------------------------------------- rates


def rates(repeats: int, seed: int = 0) -> list[Rate]:
    """The rates of all settings."""
    found = []
    for k in (4, 8, 16):
        for name, noise in NOISES.items():
            found.append(
                _rate(
                    f"k = {k}, {name}, {N_TEST} rows",
                    repeats,
                    seed,
                    WANTED,
                    lambda rng, k=k, noise=noise: independent_rows(rng, k, noise),
                )
            )
        found.append(
            _before(
                f"k = {k}, normal, {N_TEST} rows",
                repeats,
                seed,
                lambda rng, k=k: independent_rows(rng, k, normal),
            )
        )
    for name, noise in NOISES.items():
        found.append(
            _rate(
                f"k = 8, {name}, 100 rows",
                repeats,
                seed,
                WANTED,
                lambda rng, noise=noise: independent_rows(rng, 8, noise, n=100),
            )
        )
    found.append(
        _rate(
            "k = 8, lighter ones that lose just the margin",
            repeats,
            seed,
            WANTED,
            lambda rng: at_the_margin(rng, 8),
        )
    )
    for sizes in (np.full(20, 50), np.geomspace(5, 200, 20).astype(int), np.full(6, 100)):
        words = f"k = 8, {len(sizes)} groups of {sizes.min()} to {sizes.max()} rows"
        found.append(
            _rate(words, repeats, seed, WANTED, lambda rng, sizes=sizes: in_groups(rng, 8, sizes))
        )
    for rho in (0.0, 0.5, 0.8):
        for n in (400, 1000):
            words = f"k = 2, autocorrelation {rho}, {n} rows"
            found.append(
                _rate(
                    words,
                    repeats,
                    seed,
                    "at most 7 %",
                    lambda rng, rho=rho, n=n: in_time(rng, 2, rho, n, blocks=True),
                )
            )
            found.append(
                _before(
                    f"{words}, rows as independent",
                    repeats,
                    seed,
                    lambda rng, rho=rho, n=n: in_time(rng, 2, rho, n, blocks=False),
                )
            )
    return found  # fmt: skip


def _rate(
    setting: str,
    repeats: int,
    seed: int,
    wanted: str,
    draw: Callable[[np.random.Generator], Scores],
) -> Rate:
    wrong = []
    for i in range(repeats):
        scores = draw(np.random.default_rng([seed, i]))
        wrong.append(is_wrong(scores, choice_of(scores)))
    return share("proofs", "repeats with a false statement", setting, wrong, wanted)


def _before(
    setting: str, repeats: int, seed: int, draw: Callable[[np.random.Generator], Scores]
) -> Rate:
    wrong = [old_rule(draw(np.random.default_rng([seed, i]))) for i in range(repeats)]
    return share("proofs, rule before", "repeats with a false proof", setting, wrong, "")
