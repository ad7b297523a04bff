"""Under what conditions a record was made, and whether several were made under equal ones.

Records from before these were kept say less: what they don't say is not recorded, and counts as
unequal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genzoo.results.numbers import listing

Record = dict[str, Any]

SHOWN = 8  # digits of a hash


@dataclass(frozen=True)
class Conditions:
    """What a cell had; None where that was not recorded.

    Attributes:
        budget: of its fit.
        code: the hash of the sources that fit and score.
        threads: of the cell.
        jobs, cores: how many cells ran at a time, on how many cores.
    """

    budget: str
    code: str | None
    threads: int | None
    jobs: int | None
    cores: int | None


def conditions_of(record: Record) -> Conditions:
    found = [record.get(name) for name in ("code", "threads", "jobs", "cores")]
    return Conditions(record["budget"], *found)


def in_words(record: Record) -> str:
    """A record's conditions, for its line of a table."""
    made = conditions_of(record)
    n = record["steps"]
    steps = "" if n is None else f", {n:,} step{'' if n == 1 else 's'}"
    code = "unknown" if made.code is None else made.code[:SHOWN]
    at_a_time = "not recorded" if made.jobs is None else f"{made.jobs} on {made.cores} cores"
    return f"{made.budget}{steps}; code {code}; cells at a time: {at_a_time}"


def inequalities(records: Sequence[Record]) -> str:
    """In which conditions these records differ, or may differ; empty where all are equal."""
    made = [conditions_of(record) for record in records]
    found = []
    budgets = sorted({m.budget for m in made}, key=lambda text: (len(text), text))
    if len(budgets) > 1:
        found.append(f"budgets of {listing(budgets)}")
    codes: dict[str, set[str | None]] = {}
    for record, conditions in zip(records, made, strict=True):
        codes.setdefault(record["model"], set()).add(conditions.code)
    if any(m.code is None for m in made):
        found.append("code not recorded")
    several = [model for model, of_model in codes.items() if len(of_model - {None}) > 1]
    if several:
        found.append(f"several codes of {listing(several)}")
    if any(m.jobs is None or m.cores is None or m.threads is None for m in made):
        found.append("cells at a time not recorded")
    if len({m.threads for m in made} - {None}) > 1:
        found.append("several numbers of threads a cell")
    if any((m.jobs or 0) > (m.cores or 0) for m in made):
        found.append("more cells at a time than cores")
    for part, what in (("machine", "machines"), ("versions", "versions of libraries")):
        if len({str(record[part]) for record in records}) > 1:
            found.append(f"several {what}")
    return ", ".join(found)
