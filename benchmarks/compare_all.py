"""Every family on every embedded data set: the full comparison.

    python benchmarks/compare_all.py [--seeds 3] [--budget 300s] [--out runs/all]

Sixteen data sets x six families x three seeds at five minutes each are a day on two cores. The same
command resumes: finished cells are kept.
"""

import argparse

import genzoo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", default="300s", help="of each fit")
    parser.add_argument("--out", default="runs/all", help="the run's folder")
    arguments = parser.parse_args()
    run = genzoo.compare(
        models=genzoo.list_models(),
        # keys with a "/" name collections that are not part of the package
        datasets=[key for key in genzoo.list_datasets() if "/" not in key],
        seeds=arguments.seeds,
        budget=arguments.budget,
        out=arguments.out,
    )
    paths = run.report()
    print(run)
    print("written:", ", ".join(map(str, paths.values())))


if __name__ == "__main__":
    main()
