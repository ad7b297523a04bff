"""Text by the character against the same text in tokens, for the same seconds: nats per byte.

    python benchmarks/tokens.py [--csv tokens.csv] [--out runs/tokens]

Of running text the figures are those of a sliding context (families that read text of any length),
of strings those of whole rows. The report in the run's folder shows both for every family.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import genzoo
from genzoo.benchmark.profiles import BUDGETS, IN_TOKENS

MODELS = ("ngram", "hmm", "transformer")
COLUMNS = ("dataset", "model", "read", "kind", "nats_per_byte", "stderr", "budget", "train_seconds")


def line(record: dict[str, Any]) -> dict[str, Any]:
    """A record's figures: of running text where the data set has it."""
    score, read, share = record["per_byte"], "rows", 1.0
    if record["text_score"] is not None:
        score, read = record["text_score"], "running text"
        share = score["n_characters"] / score["n_bytes"]
    return {
        "dataset": record["dataset"],
        "model": record["model"],
        "read": read,
        "kind": score["kind"],
        "nats_per_byte": f"{share * score['value']:.4f}",
        "stderr": f"{share * score['stderr']:.4f}",
        "budget": record["budget"],
        "train_seconds": f"{record['train_seconds']:.1f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Characters against tokens, in nats per byte.")
    parser.add_argument("--csv", type=Path, default=Path("tokens.csv"))
    parser.add_argument("--out", default="runs/tokens", help="the run's folder")
    arguments = parser.parse_args()
    both = {key: BUDGETS[name] for name in IN_TOKENS for key in (name, f"{name}_bpe")}
    run = genzoo.compare(MODELS, list(both), budget=both, out=arguments.out)
    run.report()
    with arguments.csv.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(line(record) for record in run.records() if record["status"] == "ok")
    print(run)


if __name__ == "__main__":
    main()
