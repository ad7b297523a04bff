"""How good is the conformance suite? Its power on broken models, its false alarms on sound ones.

    python benchmarks/conformance_power.py --mutants --runs 300
    python benchmarks/conformance_power.py --mutants WrongSign,Sticky --mutant-seeds 5
    python benchmarks/conformance_power.py --runs 300 --families hmm,vae

Every mutant of ``tests/mutants.py``, or each of those named, is fitted and checked under several
seeds; its power is the share of the runs in which the check that is made for its fault raises an
alarm. Every sound model (the families, and the toys that the mutants are made from) is fitted
``--fits`` times, and its fits are checked under new seeds of draws, ``--runs`` runs in all, spread
over the models: no run of a sound model should raise an alarm (by the levels of its tests fewer
than 1 in 10,000 does).

The results, one line a model, go to ``benchmarks/results/conformance_power.csv``; lines of models
that are not run now stay.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

import mutants  # noqa: E402 - found by the line above

from genzoo.conformance import Subject, run_checks  # noqa: E402
from genzoo.keys import MODELS  # noqa: E402
from genzoo.model import GenerativeModel  # noqa: E402
from genzoo.registry import make_model  # noqa: E402

RESULTS = HERE / "results" / "conformance_power.csv"
FIELDS = ("model", "sound", "check", "runs", "fits", "alarms", "level", "cpu_seconds", "found")
MUTANT_SEEDS = 20
SOUND: dict[str, Callable[[], GenerativeModel]] = {
    **{key: partial(make_model, key) for key in MODELS},
    **{toy.__name__: toy for toy in mutants.SOUND},
}
MUTANTS = {mutant.__name__: mutant for mutant in mutants.CAUGHT_BY}
FIRST_SEED = 1000  # not one that the suite was written with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--mutants", nargs="?", const=",".join(MUTANTS), default="",
        help="measure the power on mutants: all, or those named, with commas",
    )  # fmt: skip
    parser.add_argument("--mutant-seeds", type=int, default=MUTANT_SEEDS, help="runs of each")
    parser.add_argument("--runs", type=int, default=0, help="runs on sound models, in all")
    parser.add_argument("--fits", type=int, default=2, help="fits of each sound model")
    parser.add_argument("--families", default=",".join(SOUND), help="sound models, with commas")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    lines = read(options.results)
    for name in filter(None, options.mutants.split(",")):
        keep(lines, power(MUTANTS[name], options.mutant_seeds), options.results)
    sound = [SOUND[name]() for name in options.families.split(",")]
    for i, model in enumerate(sound):
        share = options.runs * (i + 1) // len(sound) - options.runs * i // len(sound)
        if share:
            keep(lines, false_alarms(model, share, options.fits), options.results)
    summarise(lines)


def power(mutant: type[GenerativeModel], n_seeds: int) -> dict[str, object]:
    """In how many of the runs the check that is made for a mutant catches it."""
    check, start = mutants.CAUGHT_BY[mutant], time.process_time()
    caught, found, level = 0, "", 0.0
    for seed in range(FIRST_SEED, FIRST_SEED + n_seeds):
        subject = Subject(mutant(), seed)
        failed = {r.check: r.found for r in run_checks(subject) if not r.passed}
        caught += check in failed
        found, level = failed.get(check, found), max(level, subject.level)
    seconds = (time.process_time() - start) / n_seeds
    return line(mutant.__name__, False, check, n_seeds, n_seeds, caught, level, seconds, found)


def false_alarms(model: GenerativeModel, n_runs: int, n_fits: int) -> dict[str, object]:
    """In how many runs a sound model fails a check.

    The first run of each fit is a whole one; the others repeat the checks of fitted models.
    """
    alarms, found, level, seconds = 0, [], 0.0, []
    fits: list[Subject] = []
    for run in range(n_runs):
        start = time.process_time()
        if run < n_fits:
            fits.append(Subject(model, FIRST_SEED + run))
            subject = fits[-1]
        else:
            subject = fits[run % len(fits)].again(FIRST_SEED + 10_000 + run)
        results = run_checks(subject, refits=run < n_fits)
        failed = [f"{r.check}: {r.found}" for r in results if not r.passed]
        alarms += bool(failed)
        found += failed
        level = max(level, subject.level)
        seconds.append(time.process_time() - start)
    mean = sum(seconds) / n_runs
    text = " | ".join(found)
    return line(type(model).__name__, True, "all", n_runs, len(fits), alarms, level, mean, text)


def line(*values: object) -> dict[str, object]:
    return dict(zip(FIELDS, values, strict=True))


def keep(lines: dict[str, dict[str, object]], new: dict[str, object], path: Path) -> None:
    """Add a line, show it and write all of them: a run that is cut off loses no more than one."""
    new["level"] = f"{new['level']:.2g}"
    new["cpu_seconds"] = f"{new['cpu_seconds']:.2f}"
    lines[str(new["model"])] = new
    kind = "false alarms" if new["sound"] else f"caught by {new['check']!r}"
    print(
        f"{new['model']:<22} {new['alarms']}/{new['runs']} {kind}, {new['cpu_seconds']} s of CPU a "
        f"run {new['found'] if new['sound'] else ''}",
        flush=True,
    )
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(lines.values())


def read(path: Path) -> dict[str, dict[str, object]]:
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["model"]: dict(row) for row in csv.DictReader(file)}


def summarise(lines: dict[str, dict[str, object]]) -> None:
    for sound, what in ((False, "mutants: runs in which they were caught"), (True, "false alarms")):
        chosen = [row for row in lines.values() if str(row["sound"]) == str(sound)]
        alarms, runs = (sum(int(str(row[k])) for row in chosen) for k in ("alarms", "runs"))
        print(f"{what}: {alarms} of {runs}, {len(chosen)} models")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # sound models may say that a quick fit is a poor one
    main()
