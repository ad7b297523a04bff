"""Published results, as ``figures.csv`` lists them: facts, with their source and how far each was
checked.

Columns: ``stands_beside`` names the score of ours that follows the same protocol, and is empty
where none does (such a row is shown apart); ``value`` is as published (log-likelihoods of the
binary tables, nats elsewhere, per cent of rows for ``adult``); ``kind`` is ``exact`` or ``bound``;
``status`` says whether the figure was transcribed, or measured on the same files with independent
code; a ``doubtful`` one is shown, but nothing is counted against it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

FIGURES = Path(__file__).with_name("figures.csv")


@dataclass(frozen=True)
class Published:
    """A row of ``figures.csv``."""

    dataset: str
    stands_beside: str
    method: str
    value: float
    kind: str
    protocol: str
    source: str
    status: str
    doubtful: bool
    remark: str


def read_published() -> list[Published]:
    with FIGURES.open(newline="", encoding="utf-8") as file:
        return [
            Published(**{**row, "value": float(row["value"]), "doubtful": row["doubtful"] == "yes"})
            for row in csv.DictReader(file)
        ]
