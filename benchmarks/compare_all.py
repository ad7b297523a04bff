"""Every family on every embedded data set: the full comparison.

    python benchmarks/compare_all.py [--seeds 3] [--budget 300s] [--out runs/all]

It takes the better part of a day on two cores. The same command resumes: finished cells are kept.
"""

import argparse

import genzoo
from genzoo.registry import dataset_entry

EMBEDDED = [key for key in genzoo.list_datasets() if not dataset_entry(key).files]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=f"{len(genzoo.list_models())} families on {len(EMBEDDED)} embedded data sets."
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", default="300s", help="of each fit")
    parser.add_argument("--out", default="runs/all", help="the run's folder")
    arguments = parser.parse_args()
    run = genzoo.compare(
        models=genzoo.list_models(),
        datasets=EMBEDDED,
        seeds=arguments.seeds,
        budget=arguments.budget,
        out=arguments.out,
    )
    paths = run.report()
    print(run)
    print("written:", ", ".join(map(str, paths.values())))


if __name__ == "__main__":
    main()
