"""Are budgets kept? Seconds asked and seconds spent, for every family on data of several shapes.

    python benchmarks/budgets.py [--budgets 1,5] [--families hmm,vae] [--shapes names,holes]
                                 [--replay] [--csv FILE]

The tests look at budgets on a clock of their own; here the clock is the real one. A ratio above 1
is time that a family took beyond what it was given: an oversized unit of work, or work after the
last question. A family that converges early spends less. With ``--replay`` each fit is repeated
from its record, and must come out the same, bit for bit.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

import genzoo
from genzoo.fitting import Budget
from genzoo.model import GenerativeModel
from genzoo.space.schema import MISSING, Schema, Variable

SEED = 0
SCORED = 20  # rows whose log masses say whether a replayed fit is the same


@dataclass(frozen=True)
class Line:
    """One fit; ``replayed`` is whether its record led to the same model, None if not tried."""

    family: str
    shape: str
    asked: float
    spent: float
    ratio: float
    steps: int
    stopped_by: str
    replayed: bool | None = None


def nominal(*cards: int) -> Schema:
    variables = tuple(Variable(f"x{d}", "nominal", n) for d, n in enumerate(cards))
    return Schema(variables, "table", (len(cards),))


def of_data_set(name: str) -> dict[str, Any]:
    data = genzoo.load_dataset(name)
    return {"data": data.train, "schema": data.schema}


def holes() -> dict[str, Any]:
    """A network's rows, a fifth of the entries missing."""
    data = genzoo.load_dataset("alarm")
    rng = np.random.default_rng(SEED)
    rows = np.where(rng.random(data.train.shape) < 0.2, MISSING, data.train)
    return {"data": rows, "schema": data.schema}


def many_columns() -> dict[str, Any]:
    """Sixty columns, each of which depends on the one before."""
    rng = np.random.default_rng(SEED)
    rows = np.cumsum(rng.integers(0, 2, (4000, 60)), axis=1) % 4
    return {"data": rows, "schema": nominal(*[4] * 60)}


def many_categories() -> dict[str, Any]:
    """Two text columns of 20,000 categories that often agree, and a label."""
    rng = np.random.default_rng(SEED)
    n = 20_000
    rows = rng.integers(0, n, (n, 3))
    rows[:, 1] = np.where(rng.random(n) < 0.5, rows[:, 0], rows[:, 1])
    rows[:, 2] = rows[:, 0] % 5
    return {"data": rows, "schema": nominal(n, n, 5)}


SHAPES: dict[str, Callable[[], dict[str, Any]]] = {
    "breast_cancer": lambda: of_data_set("breast_cancer"),
    "names": lambda: of_data_set("names"),
    "digits_binary": lambda: of_data_set("digits_binary"),
    "holes": holes,
    "many_columns": many_columns,
    "many_categories": many_categories,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--budgets", default="1,5", help="seconds, with commas")
    parser.add_argument("--families", default=",".join(genzoo.list_models()), help="with commas")
    parser.add_argument("--shapes", default=",".join(SHAPES), help="with commas")
    parser.add_argument("--replay", action="store_true", help="repeat each fit from its record")
    parser.add_argument("--csv", type=Path, help="a file for the lines")
    options = parser.parse_args()
    lines = []
    for family in options.families.split(","):  # the first fit imports libraries
        genzoo.make_model(family).fit(["ab", "a"], budget="1 steps")
    print(f"{'family':<18} {'shape':<16} {'asked':>6} {'spent':>7} {'ratio':>6} {'steps':>7}")
    for shape in options.shapes.split(","):
        data = SHAPES[shape]()
        for family in options.families.split(","):
            for seconds in map(float, options.budgets.split(",")):
                try:
                    line = measured(family, shape, data, seconds, options.replay)
                except (ValueError, genzoo.Unsupported) as error:
                    print(f"{family:<18} {shape:<16} {str(error)[:70]}", flush=True)
                    break
                lines.append(line)
                again = {None: "", True: "replayed", False: "NOT replayed"}[line.replayed]
                numbers = f"{seconds:>5g}s {line.spent:>6.2f}s {line.ratio:>6.2f} {line.steps:>7}"
                print(f"{family:<18} {shape:<16} {numbers} {line.stopped_by} {again}", flush=True)
    if options.csv is not None:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Line)])
            writer.writeheader()
            writer.writerows(map(asdict, lines))
    worst = max(lines, key=lambda line: line.ratio, default=None)
    if worst is not None:
        print(f"worst: {worst.family} on {worst.shape}, {worst.ratio:.2f} times what it was given")


def measured(family: str, shape: str, data: dict[str, Any], seconds: float, replay: bool) -> Line:
    def fit(budget: Budget) -> GenerativeModel:
        return genzoo.make_model(family).fit(**data, seed=SEED, budget=budget)

    start, budget = time.perf_counter(), Budget(seconds=seconds)
    model = fit(budget)
    spent, same = time.perf_counter() - start, None
    if replay:
        rows = np.maximum(data["data"][:SCORED], 0)
        again = fit(Budget.replay(model.training_, budget))
        values = [m.log_prob(rows, seed=SEED).value for m in (model, again)]
        same = bool(np.array_equal(*values))
    record = model.training_
    return Line(
        family, shape, seconds, spent, spent / seconds, record.steps, record.stopped_by, same
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # that a fit of a second is a poor one is no news here
    main()
