"""How often "proven" is wrong, by the rule of ``genzoo.results.choice`` on simulated row scores.

Scores of k models on validation and test rows are drawn so that what is true is known; the rule
then chooses, tests and recommends, through the same code as a report. A repeat counts as wrong when
any statement of it is: a model proven better that is not, one shown to be within the margin that
loses more, or a label told by one that knows no more than its shares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.datasets.blocks import LENGTHS, MOST_BLOCKS, autocorrelation_time
from genzoo.results.choice import POINT, Choice, choose_label, choose_likelihood
from genzoo.results.contender import Result
from genzoo.results.plan import Asked, Cards, DatasetFacts, ModelFacts, Plan
from genzoo.results.record import CellRecord, LabelPart, LabelRecord, Measured, Validation
from genzoo.results.run import DatasetRecord, RunRecord
from genzoo.results.statistics import holm, paired_difference
from rates import Rate, share

LEVEL = 0.05
WANTED = "at most 5 %, and two Monte Carlo errors"
N_VALID, N_TEST = 500, 1000
RARE_SHARE = 0.02

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
        right: (k, n_test) whether the label is told right, where scores are those of the label.
        accuracy: (k,) the expected share of those.
        no_skill: (n_test,) the score of the shares in training, expected to be 0.
    """

    truth: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    groups: np.ndarray | None = None
    cost: np.ndarray | None = None
    names: tuple[str, ...] = ()
    right: np.ndarray | None = None
    accuracy: np.ndarray | None = None
    no_skill: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", tuple(f"m{m}" for m in range(len(self.truth))))


def choice_of(scores: Scores) -> Choice:
    """What the rule makes of the scores."""
    cells = []
    for m, name in enumerate(scores.names):
        record = record_of(
            name, scores.valid[m], scores.test[m],
            train_seconds=1.0 if scores.cost is None else float(scores.cost[m]),
        )  # fmt: skip
        label: dict[str, np.ndarray] = {}
        if scores.right is not None and scores.no_skill is not None:
            parts = (_told(x) for x in (scores.valid[m], scores.test[m]))
            record = replace(record, label=LabelRecord(None, *parts))
            label = {"label_log_prob": scores.test[m], "label_right": scores.right[m],
                     "label_no_skill": scores.no_skill}  # fmt: skip
        cells.append(Result(record, scores.test[m], groups=scores.groups, **label))
    choose = choose_likelihood if scores.right is None else choose_label
    found = choose(run_of(cells, None), "d")
    assert found is not None
    return found


def record_of(model: str, valid: np.ndarray, test: np.ndarray, **more: Any) -> CellRecord:
    """The record of a model with one parameter whose rows have these scores."""
    score = float(valid.mean())
    found = CellRecord(
        key="", model=model, dataset="d", seed=0, status="ok", kind="exact",
        test_log_prob=float(test.mean()), n_test=len(test), train_seconds=1.0, n_parameters=1,
        validation=Validation(score, None, "exact", len(valid)),
    )  # fmt: skip
    return replace(found, **more)


def _told(scores: np.ndarray) -> LabelPart:
    return LabelPart(
        n=len(scores), log_prob=float(scores.mean()), stderr=None, accuracy=Measured(None, None),
        auc=None, rarer=len(scores), majority=0.0, no_skill_log_prob=0.0,
    )  # fmt: skip


def run_of(cells: Sequence[Result], folds: int | None) -> RunRecord:
    """These cells as a run on one data set."""
    models = list(dict.fromkeys(cell.model for cell in cells))
    facts = DatasetFacts("d", None, "table", (1,), 1, Cards(2, 2, 2), None, 0, 0, 0, folds=folds)
    plan = Plan(
        seeds=(0,), models=tuple(ModelFacts(m, m) for m in models), datasets=(facts,),
        cells=tuple(Asked("", m, "d", 0, None) for m in models),
    )  # fmt: skip
    return RunRecord(Path(), plan, [DatasetRecord(facts)], list(cells), [])


def is_wrong(scores: Scores, choice: Choice) -> bool:
    """Whether any statement about the models is false."""

    def of(values: np.ndarray, model: str) -> float:
        return float(values[scores.names.index(model)])

    chosen = choice.chosen.model
    if choice.skilled and of(scores.truth, choice.recommended.model) <= 0:
        return True
    for against in choice.against:
        other = against.other.model
        loss = of(scores.truth, chosen) - of(scores.truth, other)
        if against.verdict == "worse" and loss <= 0:
            return True
        if against.verdict == "better" and loss >= 0:
            return True
        if scores.accuracy is not None:
            loss = of(scores.accuracy, chosen) - of(scores.accuracy, other)
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
    shared = rng.standard_normal(N_VALID + n)
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


def rare_rows(rng: np.random.Generator, k: int, n: int) -> Scores:
    """Equally good models that differ in one row of fifty, by up to four nats, and make up for it
    in the others."""
    rare = rng.random(N_VALID + n) < RARE_SHARE
    most = np.where(rare, -1.0, RARE_SHARE / (1 - RARE_SHARE))
    scores = rng.standard_normal(N_VALID + n) + np.linspace(-2, 2, k)[:, None] * most
    return Scores(np.zeros(k), scores[:, :N_VALID], scores[:, N_VALID:])


def labels(rng: np.random.Generator, k: int, n: int, skill: float) -> Scores:
    """Models with ``skill`` nats more than the shares of a label of which one row in ten is of the
    rarer kind; all but the first are lighter, and lose 1.2 points of accuracy to it."""
    rarer = rng.random(N_VALID + n) < 0.1
    shares = np.where(rarer, np.log(0.1), np.log(0.9)) - (0.1 * np.log(0.1) + 0.9 * np.log(0.9))
    scores = shares + skill + 0.4 * skewed(rng, (k, N_VALID + n))
    scores[0, :N_VALID] += 1.0  # what validation chooses is clear
    lost = np.where(np.arange(k) == 0, 0.0, 1.2 * POINT)
    right = rng.random(n) < 0.9
    return Scores(
        np.full(k, skill),
        scores[:, :N_VALID],
        scores[:, N_VALID:],
        cost=np.where(np.arange(k) == 0, 100.0, 1.0),
        right=right & (rng.random((k, n)) >= lost[:, None] / 0.9),
        accuracy=0.9 - lost,
        no_skill=shares[N_VALID:],
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
    for n in (30, 60, 100, 300, 1000):
        words = f"k = 8, that differ in rare rows, {n} rows"
        found.append(_rate(words, repeats, seed, WANTED, lambda rng, n=n: rare_rows(rng, 8, n)))
    for skill in (0.0, 0.2):
        for n in (100, 300, 1000):
            words = f"k = 4, labels with a skill of {skill} nats, {n} rows"
            found.append(
                _rate(
                    words,
                    repeats,
                    seed,
                    WANTED,
                    lambda rng, n=n, skill=skill: labels(rng, 4, n, skill),
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
