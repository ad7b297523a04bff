"""The families at their defaults on the data that others published results for, side by side.

    python benchmarks/published_tables.py run [--datasets debd/nltcs,names] [--models vae,hmm]
        [--seeds 1] [--budget 1200s] [--jobs 2]
    python benchmarks/published_tables.py tables

``run`` trains and scores, one worker process and one thread a cell, writes a raw record for each
cell as soon as it is done, and rebuilds the tables. The same command resumes. It refuses to put
records of different conditions into one folder (other code, libraries, budget or threads), and to
run more cells at a time than there are cores. ``tables`` rebuilds every table from the records
alone. The published figures are in ``benchmarks/published``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from published import records, tables
from published.scores import PROTOCOLS

from genzoo import list_datasets, list_models
from genzoo.benchmark.machine import n_cores
from genzoo.fitting import Budget

RESULTS = Path(__file__).resolve().parent / "results" / "published"
DATASETS = (*(f"debd/{name}" for name in records.BINARY), *PROTOCOLS)
BUDGET = "1200s"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train, score, write records and tables")
    labels = [*list_models(), records.CHOW_LIU]
    run.add_argument("--datasets", default=",".join(DATASETS), help="keys, with commas")
    run.add_argument("--models", default=",".join(labels), help="families, with commas")
    run.add_argument("--seeds", type=int, default=1, help="how many, from 0")
    run.add_argument("--budget", default=BUDGET, help="of each fit")
    run.add_argument(
        "--jobs", type=int, default=n_cores(), help="cells at a time, one thread and core each"
    )
    build = commands.add_parser("tables", help="rebuild every table from the records")
    for command in (run, build):
        command.add_argument("--results", type=Path, default=RESULTS, help="the folder")
    options = parser.parse_args(arguments)
    status = 0
    if options.command == "run":
        known = [key for key in list_datasets() if key.startswith("debd/")]
        status = _run(
            parser,
            _listed(parser, "--datasets", options.datasets, [*known, *PROTOCOLS]),
            _listed(parser, "--models", options.models, labels),
            options,
        )
    for path in tables.write(options.results):
        print(path)
    return status


def _listed(
    parser: argparse.ArgumentParser, option: str, given: str, known: list[str]
) -> list[str]:
    names = given.split(",")
    for name in names:
        if name not in known:
            parser.error(f"{option}: expected some of {', '.join(known)}; got {name!r}")
    return names


def _run(
    parser: argparse.ArgumentParser,
    datasets: list[str],
    models: list[str],
    options: argparse.Namespace,
) -> int:
    for option in ("seeds", "jobs"):
        if getattr(options, option) < 1:
            parser.error(f"--{option}: expected at least 1; got {getattr(options, option)}")
    if options.jobs > n_cores():
        # cells that share a core get less for the same budget
        parser.error(f"--jobs: expected at most {n_cores()}, a core each; got {options.jobs}")
    try:
        budget = Budget.parse(options.budget)
    except ValueError as error:
        parser.error(f"--{error}")
    # as it could be typed again, without what is the caller's own
    command = (
        f"python benchmarks/published_tables.py run --datasets {','.join(datasets)} "
        f"--models {','.join(models)} --seeds {options.seeds} --budget {options.budget} "
        f"--jobs {options.jobs}"
    )
    tasks, missing = [], 0
    for name in datasets:
        try:
            tasks += records.tasks_of(name, models, options.seeds, budget)
        except (OSError, ValueError) as error:
            missing += 1
            print(f"{name}: left out: {error}", file=sys.stderr)
    try:
        failed = records.run(tasks, options.results, options.jobs, command)
    except ValueError as error:
        parser.error(str(error))
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
