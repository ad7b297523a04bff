"""How good a model is that draws rows in steps, against how many steps it takes."""

from __future__ import annotations

from dataclasses import dataclass

from genzoo.results.numbers import DASH, number, with_error
from genzoo.results.ranking import Ranking

A_THOUSAND = 1000


@dataclass(frozen=True)
class Line:
    """A number of steps, as text: nats a row, seconds for a thousand rows drawn; ``own`` where the
    ranking is of so many."""

    n_steps: str
    nats: str
    seconds: str
    own: bool


@dataclass(frozen=True)
class Table:
    """A model, its lines from few steps to many, and how many test rows were scored."""

    model: str
    lines: list[Line]
    n: str


def tables(ranking: Ranking) -> list[Table]:
    """One for each model that draws in steps; of several folds the first one's."""
    found = []
    for entry in ranking.entries:
        record = None if entry.fit is None else entry.fit.records[0]
        if record is None or not record.steps:
            continue
        own = min(int(record.params.get("n_steps", 0)), max(map(int, record.steps)))
        lines = [
            Line(
                number(int(n_steps), 0),
                with_error(part.value, part.stderr, part.kind),
                DASH if part.seconds is None else number(A_THOUSAND * part.seconds, 2),
                int(n_steps) == own,
            )
            for n_steps, part in sorted(record.steps.items(), key=lambda item: int(item[0]))
        ]
        n = next(iter(record.steps.values())).n
        found.append(Table(entry.model, lines, number(n, 0)))
    return found
