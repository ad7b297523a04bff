"""Metrics of samples, judging a perfect sampler: are their values right, do their errors cover?

Test rows come in groups. Each group has effects of its own, on every variable, and its rows are
independent given these. A perfect sampler draws from the law of a single row: each of its rows is
of a group of its own. Against it stand 20 groups of equal and of unequal size, rows without groups,
and, as for the reference of held-out rows, a second side of 20 groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from genzoo.datasets.dataset import Dataset
from genzoo.keys import METRICS
from genzoo.metrics import Context, Metric
from genzoo.registry import look_up
from genzoo.seeding import numpy_rng
from genzoo.space.schema import Schema, Variable
from genzoo.values import LogProb

from . import Rate

PART = "metrics of samples"
FEW = "metrics of samples, few groups"
IGNORED = "metrics of samples, groups ignored"
COVERED = 1.96  # standard errors
TOLD_APART = 2.0
N = 1000
SINGLE = np.ones(N, dtype=np.int64)
EQUAL = np.full(20, 50)
UNEQUAL = np.geomspace(6, 170, 20).astype(np.int64)
SETTINGS = {
    "20 groups of 50 rows": (EQUAL, SINGLE),
    f"20 groups of {UNEQUAL[0]} to {UNEQUAL[-1]} rows": (UNEQUAL, SINGLE),
    "20 groups of 50 rows on both sides": (EQUAL, EQUAL),
    "no groups": (SINGLE, SINGLE),
}
# the expectation under a perfect sampler; None: not known, the mean over repeats stands for it
OF_TABLES = {
    "c2st": 0.5,
    "mmd": 0.0,
    "precision": None,
    "recall": None,
    "density": 1.0,
    "coverage": None,
    "marginal_tv": 0.0,
    "pair_tv": 0.0,
    "frechet": 0.0,
    "memorisation": 0.5,
}
OF_STRINGS = {"ngram_tv": 0.0, "novelty": 0.0}
# their errors are on the large side, as their docstrings say
CAUTIOUS = ("mmd", "precision", "recall", "density", "coverage")
CAUTIOUS += ("marginal_tv", "pair_tv", "ngram_tv", "frechet")
TRAINING_GROUPS = np.full(20, 50)

Draw = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True, eq=False)
class Population:
    """``draw(sizes, rng)`` gives rows of fresh groups of these sizes, group by group."""

    schema: Schema
    draw: Draw
    expected: dict[str, float | None]


TABLE = Schema(
    (
        *(Variable(f"binary{i}", cardinality=2) for i in range(4)),
        Variable("nominal3", cardinality=3),
        Variable("nominal5", cardinality=5),
        *(Variable(f"ordinal{i}", "ordinal", cardinality=40) for i in range(3)),
        Variable("label", cardinality=3),
    ),
    "table",
    (10,),
)
LETTERS, T = 20, 12
STRINGS = Schema(
    tuple(Variable(t, cardinality=LETTERS + 1) for t in range(T)), "sequence", (T,), end=LETTERS
)
GROUP_EFFECT = 0.7  # standard deviation, in logits


def table_rows(sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, 10): the label depends on the group, all else on the label and the group."""
    n, G = int(sizes.sum()), len(sizes)
    group = np.repeat(np.arange(G), sizes)
    fixed = numpy_rng(0, "rates", "table")  # the same population in every call
    rows = np.empty((n, TABLE.D), dtype=np.int64)
    label = _categories(np.zeros((n, 3)) + _effects(G, 3, rng)[group], rng)
    for d, card in enumerate(TABLE.cards[:-1].tolist()):
        if TABLE.variables[d].kind == "ordinal":
            logit = fixed.normal(size=3)[label] + _effects(G, 1, rng)[group, 0] + rng.normal(size=n)
            rows[:, d] = card / (1 + np.exp(-logit))
        else:
            logits = fixed.normal(size=(3, card))[label]
            rows[:, d] = _categories(logits + _effects(G, card, rng)[group], rng)
    rows[:, -1] = label
    return rows


def strings(sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, 12): Markov chains of letters; each group has a taste in these."""
    n, G = int(sizes.sum()), len(sizes)
    group = np.repeat(np.arange(G), sizes)
    fixed = numpy_rng(0, "rates", "strings")
    follows = 2 * fixed.normal(size=(LETTERS + 1, LETTERS + 1))
    follows[LETTERS, LETTERS] = -np.inf  # the last row is of the start: no string is empty
    taste = np.column_stack([_effects(G, LETTERS, rng), np.zeros(G)])
    rows = np.full((n, T), LETTERS)
    last, going = np.full(n, LETTERS), np.ones(n, dtype=bool)
    for t in range(T):
        found = _categories(follows[last] + taste[group], rng)
        last = np.where(going, found, LETTERS)
        rows[:, t] = last
        going &= last != LETTERS
    return rows


def _effects(G: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return GROUP_EFFECT * rng.normal(size=(G, width))


def _categories(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) a code for each row of logits (n, M)."""
    return np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)


POPULATIONS = (
    Population(TABLE, table_rows, OF_TABLES),
    Population(STRINGS, strings, OF_STRINGS),
)


def rates(repeats: int) -> list[Rate]:
    """Of every metric in every setting: mean and coverage; of C2ST how often it tells apart."""
    found = []
    for setting, sizes in SETTINGS.items():
        for population in POPULATIONS:
            judged = [
                judge(population, *simulated(population, *sizes, repeat))
                for repeat in range(repeats)
            ]
            for key, expected in population.expected.items():
                metrics = [of_all[key] for of_all in judged]
                found += _rates(PART, key, setting, expected, metrics)
    return found + of_classifier(repeats)


def of_classifier(repeats: int) -> list[Rate]:
    """Of C2ST alone: with few groups, and with groups that are taken for independent rows."""
    table, key = POPULATIONS[0], "c2st"
    found = []
    for part, setting, sizes, grouped in (
        (FEW, "8 groups of 50 rows", np.full(8, 50), True),
        (FEW, "5 groups of 50 rows", np.full(5, 50), True),
        (IGNORED, "20 groups of 50 rows", EQUAL, False),
    ):
        metrics = []
        for repeat in range(repeats):
            dataset, context = simulated(table, sizes, SINGLE, repeat)
            if not grouped:
                dataset = replace(dataset, groups=None)
                context = replace(context, sample_groups=None)
            metrics.append(look_up(METRICS, key, "metric")(None, dataset, context))
        found += _rates(part, key, setting, table.expected[key], metrics)
    return found


def simulated(
    population: Population, real_sizes: np.ndarray, fake_sizes: np.ndarray, repeat: int
) -> tuple[Dataset, Context]:
    """Fresh test rows, and what a perfect sampler drew."""
    rng = numpy_rng(repeat, "rates", "samples")
    groups, first = {}, 0
    rows = {}
    parts = {"train": TRAINING_GROUPS, "valid": EQUAL, "test": real_sizes, "samples": fake_sizes}
    for part, sizes in parts.items():
        rows[part] = population.draw(sizes, rng)
        groups[part] = first + np.repeat(np.arange(len(sizes)), sizes)
        first += len(sizes)
    samples, of_samples = rows.pop("samples"), groups.pop("samples")
    label = "label" if population.schema.layout == "table" else None
    dataset = Dataset("simulated", population.schema, **rows, groups=groups, label=label)
    context = Context(
        LogProb.exact(np.empty(0)), samples=samples, sample_groups=of_samples, seed=repeat
    )
    return dataset, context


def judge(population: Population, dataset: Dataset, context: Context) -> dict[str, Metric]:
    """Every metric that the population is for."""
    return {
        key: look_up(METRICS, key, "metric")(None, dataset, context) for key in population.expected
    }


def _rates(
    part: str, key: str, setting: str, expected: float | None, metrics: list[Metric]
) -> list[Rate]:
    values = np.array([m.value for m in metrics])
    errors = np.array([m.stderr for m in metrics])
    n = len(values)
    spread = float(values.std(ddof=1))

    def share(what: str, of: np.ndarray, wanted: str) -> Rate:
        p = float(of.mean())
        return Rate(part, f"{key}: {what}", setting, n, p, math.sqrt(p * (1 - p) / n), wanted)

    centre = float(values.mean()) if expected is None else expected
    mean = Rate(
        part,
        f"{key}: mean",
        setting,
        n,
        float(values.mean()),
        spread / math.sqrt(n),
        "" if expected is None else f"{expected:g}",
    )
    covered = np.abs(values - centre) <= COVERED * errors
    wanted = "90 % or more" if key in CAUTIOUS else "90 to 98 %"
    at_most = "at most 10 %"
    if part != PART:
        wanted = at_most = ""
    found = [mean, share("covered", covered, wanted)]
    if key == "c2st":
        told = np.abs(values - centre) > TOLD_APART * errors
        found.append(share("told apart", told, at_most))
    return found
