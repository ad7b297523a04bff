"""Every number of a report's tables, one a line: ``numbers.csv``, beside ``results.csv``.

Numbers of a cell come from its record as they stand there; those that compare models, or speak of
several seeds, come from the rankings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from genzoo.report.choice import Against, Choice, choose_label, choose_samples
from genzoo.report.records import Cell, RunRecord
from genzoo.report.samples import mean_distances
from genzoo.report.summary import Ranking, rank

if TYPE_CHECKING:
    import pandas as pd

FIELDS = ("dataset", "model", "seed", "fold", "quantity", "value", "stderr", "unit", "kind", "note")
# not numbers of a table: what the cell is, texts, and what figures are drawn from
SKIPPED = (
    "key", "seed", "fold", "params", "versions", "machine", "notes", "marginals", "traceback",
    "completions", "curve", "metrics_left_out",
)  # fmt: skip
UNITS = {"log_prob": "nats per row", "seconds": "s", "memory_mb": "MiB"}


def every_number(run: RunRecord) -> pd.DataFrame:
    """One row a number, with the columns ``FIELDS``; ``quantity`` is where it stands in a cell's
    record, or says what is compared."""
    import pandas as pd

    lines = [line for cell in (*run.cells, *run.references) for line in _of_cell(cell)]
    for dataset in run.datasets:
        ranking = rank(run, dataset)
        lines += _of_ranking(ranking)
        choices = {
            "difference in log p(label | rest) to the chosen": choose_label(run, dataset.name),
            "difference in c2st to the chosen": choose_samples(run, dataset.name),
        }
        for what, choice in choices.items():
            lines += [] if choice is None else list(_of_choice(dataset.name, what, choice))
    return pd.DataFrame(lines, columns=list(FIELDS))


def _of_cell(cell: Cell) -> Iterator[dict[str, Any]]:
    same = {
        "dataset": cell.dataset,
        "model": cell.model,
        "seed": cell.seed,
        "fold": cell.record.get("fold"),
    }
    for quantity, number in _leaves(cell.record):
        yield same | {"quantity": quantity} | number


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The numbers in a part of a record, each with the names that lead to it."""
    if isinstance(value, dict):
        if _is_number(value.get("value")):
            known = {name: value.get(name) for name in ("value", "stderr", "unit", "kind")}
            yield path, known
            value = {k: v for k, v in value.items() if k not in known}
        for name, part in value.items():
            if name not in SKIPPED:
                yield from _leaves(part, f"{path}.{name}" if path else name)
    elif _is_number(value):
        last = path.rpartition(".")[2]
        unit = next((unit for end, unit in UNITS.items() if last.endswith(end)), None)
        yield path, {"value": value, "unit": unit}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _of_ranking(ranking: Ranking) -> Iterator[dict[str, Any]]:
    name, unit = ranking.dataset.name, "nats per row"
    for entry in (*ranking.entries, *([ranking.truth] if ranking.truth else [])):
        same = {"dataset": name, "model": entry.model, "unit": unit, "kind": entry.kind}
        seed = None if entry.fit is None else entry.fit.seed
        yield same | {"quantity": "test log-probability", "seed": seed, "value": entry.value,
                      "stderr": entry.stderr}  # fmt: skip
        if entry.mean is not None:
            yield same | {"quantity": "mean over seeds", "value": entry.mean}
            yield same | {"quantity": "standard deviation over seeds", "value": entry.spread}
        if entry.gap is not None:
            yield same | {"quantity": "KL(truth, model)", "value": entry.gap.value,
                          "stderr": entry.gap.stderr, "seed": seed}  # fmt: skip
    if ranking.choice is not None:
        yield {"dataset": name, "model": ranking.choice.chosen.model, "quantity": "margin",
               "value": ranking.choice.margin, "unit": unit}  # fmt: skip
        yield from _of_choice(name, "difference to the chosen", ranking.choice)
    distances, noise = mean_distances(ranking.dataset, ranking.entries)
    for model, value in distances.items():
        yield {"dataset": name, "model": model, "quantity": "marginals, mean total variation",
               "value": value}  # fmt: skip
    if distances:
        yield {"dataset": name, "model": "a perfect model", "value": noise,
               "quantity": "marginals, mean total variation"}  # fmt: skip


def _of_choice(dataset: str, what: str, choice: Choice) -> Iterator[dict[str, Any]]:
    for against in choice.against:
        yield from _of_against(dataset, what, against)


def _of_against(dataset: str, what: str, against: Against) -> Iterator[dict[str, Any]]:
    d = against.difference
    same = {"dataset": dataset, "model": against.other.model, "seed": against.other.seed}
    if d is None:
        return
    yield same | {"quantity": what, "value": d.value, "stderr": d.stderr, "note": against.verdict}
    for end, value in zip(("low", "high"), d.interval(), strict=True):
        yield same | {"quantity": f"{what}, 95 % {end}", "value": value}
