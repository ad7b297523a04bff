"""The numbers of explanations, for the file of all numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from genzoo.report.explain import against_truth, gain_of, ranked_cells
from genzoo.report.explain_entries import names_of
from genzoo.report.explain_wins import rivalries
from genzoo.results.ranking import Ranking
from genzoo.results.record import BASELINE
from genzoo.results.way import way

NATS = {"unit": "nats per row"}


def explained_numbers(ranking: Ranking) -> Iterator[dict[str, Any]]:
    """What the explanations of a data set show: in words, by variable, against the truth."""
    same: dict[str, Any] = {"dataset": ranking.dataset.name}
    found, road = gain_of(ranking), way(ranking)
    if found is not None and road is not None:
        entry, gain = found
        of = same | {"model": entry.model, "kind": entry.kind}
        yield of | NATS | {"quantity": f"gain over {BASELINE}", "value": gain}
        yield of | {"quantity": f"times as probable as by {BASELINE}", "value": math.exp(gain)}
        yield of | {"quantity": "share of the way", "value": road.share(entry.value or 0.0),
                    "note": f"from {road.start} to {road.end}"}  # fmt: skip
    schema = ranking.dataset.schema
    for a, b, gains in rivalries(ranked_cells(ranking)) if schema is not None else ():
        assert schema is not None
        gained = f"gain over {b.model}"
        of = same | {"model": a.model, "seed": a.seed, "fold": a.record.fold} | NATS
        rows = {"note": f"{gains.n} test rows"}
        total = gains.total
        yield of | rows | {"quantity": gained, "value": total.value, "stderr": total.stderr}
        each = zip(names_of(schema, gains.starts), gains.value, gains.stderr, strict=True)
        for name, value, stderr in each:
            yield of | rows | {"quantity": f"{gained}: {name}", "value": float(value),
                               "stderr": float(stderr)}  # fmt: skip
    for entry, one in against_truth(ranking):
        of = same | {"model": entry.model, "kind": entry.kind} | NATS
        for i, (value, stderr) in enumerate(zip(one.value, one.stderr, strict=True)):
            yield of | {"quantity": f"less the truth: tenth {i + 1} of the rows, the rarest first",
                        "value": float(value), "stderr": float(stderr)}  # fmt: skip
