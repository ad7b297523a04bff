"""How often is what a report states wrong? Simulated rates of false proofs and of errors that lie.

    python benchmarks/error_rates.py [--parts proofs,pairs,power,...] [--repeats 2000]

Proofs: scores of equally good models, groups, time, margins, through the rule that reports use.
Pairs: every family against every other, where all are equally good; discoveries: their table-wide
q-values. Power: how often a difference is shown that is said to be. Across: ranks and signed ranks
over data sets, where families are equally good.
Folds: intervals over the rows of all folds. Fits: families on independent columns, where nothing is
to be found. Samples: metrics of samples on rows in groups, with a perfect sampler.

The rates go to ``benchmarks/results/error_rates.csv``; parts that are not run now stay. What they
mean is said in ``docs/proven.md``.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

from rates import Rate, across, discoveries, fits, folds, pairs, power, proofs, samples

RESULTS = Path(__file__).resolve().parent / "results" / "error_rates.csv"
FIELDS = [field.name for field in fields(Rate)]
N_SETS = 20  # data sets to which families are fitted
SAMPLE_REPEATS = 200  # a repeat of all metrics takes seconds


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    every = "proofs,pairs,power,across,discoveries,folds,fits,samples"
    parser.add_argument("--parts", default=every, help="which, with commas")
    parser.add_argument("--repeats", type=int, default=2000, help="of the simulated scores")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    parts: dict[str, Callable[[], list[Rate]]] = {
        "proofs": lambda: proofs.rates(options.repeats),
        "pairs": lambda: pairs.rates(options.repeats),
        "power": lambda: power.rates(options.repeats),
        "across": lambda: across.rates(options.repeats),
        "discoveries": lambda: discoveries.rates(options.repeats),
        "folds": lambda: folds.rates(options.repeats),
        "fits": lambda: fits.rates(N_SETS),
        "samples": lambda: samples.rates(SAMPLE_REPEATS),
    }
    asked = options.parts.split(",")
    for name in asked:
        if name not in parts:
            parser.error(f"--parts: expected some of {', '.join(parts)}; got {name!r}")
    for name in asked:
        found = parts[name]()
        for rate in found:
            print(f"{rate.part:<20} {rate.what:<36} {rate.setting:<58} "
                  f"{rate.value:.4f} +- {rate.stderr:.4f}  {rate.wanted}", flush=True)  # fmt: skip
        keep(found, options.results)
    return 0


def keep(found: list[Rate], path: Path) -> None:
    """Write the rates, in place of earlier ones of the same part."""
    new = {rate.part for rate in found}
    lines = []
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            lines = [row for row in csv.DictReader(file) if row["part"] not in new]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*lines, *map(_rounded, found)])


def _rounded(rate: Rate) -> dict[str, object]:
    return {k: f"{v:.5g}" if isinstance(v, float) else v for k, v in asdict(rate).items()}


if __name__ == "__main__":
    sys.exit(main())
