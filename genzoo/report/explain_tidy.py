"""The numbers of the explanations, for ``numbers.csv``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from genzoo.report.explain import calibrated, cells_of, in_words
from genzoo.report.explain_entries import names_of
from genzoo.report.explain_rows import judge_of
from genzoo.report.explain_wins import compared, kind_of
from genzoo.results.contender import Result
from genzoo.results.ranking import Ranking
from genzoo.results.record import BASELINE
from genzoo.results.way import way
from genzoo.space.schema import Schema

NATS = "nats per row"


def of_explanations(ranking: Ranking) -> Iterator[dict[str, Any]]:
    """Lines of ``report.tidy``, without those of a cell's own record."""
    known, schema = cells_of(ranking), ranking.dataset.schema
    found = [*_in_words(ranking), *_of_truth(ranking), *_copies(known)]
    if schema is not None:
        found += [*_gains(known, schema), *_unlikely(known, schema)]
    for line in found:
        yield {"dataset": ranking.dataset.name, "unit": NATS} | line


def _in_words(ranking: Ranking) -> Iterator[dict[str, Any]]:
    entry, base, road = ranking.chosen or ranking.best, ranking.baseline, way(ranking)
    if not in_words(ranking) or entry is None or base is None or road is None:
        return
    assert entry.value is not None
    assert base.value is not None
    same = {"model": entry.model, "kind": entry.kind}
    gain = entry.value - base.value
    yield same | {"quantity": f"gain over {BASELINE}", "value": gain}
    yield same | {"quantity": f"times likelier than {BASELINE}", "value": float(np.exp(gain)),
                  "unit": "ratio of probabilities"}  # fmt: skip
    yield same | {"quantity": f"share of the way from {BASELINE} to {road.end}",
                  "value": road.share(entry.value), "unit": "share"}  # fmt: skip


def _gains(known: list[Result], schema: Schema) -> Iterator[dict[str, Any]]:
    for a, b, found in compared(known):
        same = {"model": a.model, "seed": a.seed, "kind": kind_of(a, b)}
        what, note = f"gain over {b.model}", f"{found.n} test rows"
        names = zip(names_of(schema, found.starts), found.value, found.stderr, strict=True)
        lines = [(what, found.total.value, found.total.stderr)]
        lines += [(f"{what}, {name}", value, stderr) for name, value, stderr in names]
        for quantity, value, stderr in lines:
            yield same | {"quantity": quantity, "value": value, "stderr": stderr, "note": note}


def _unlikely(known: list[Result], schema: Schema) -> Iterator[dict[str, Any]]:
    judged = judge_of(known, schema)
    if judged is None:
        return
    cell, mean = judged
    e, same = cell.explained, {"model": cell.model, "seed": cell.seed}
    assert e.least_terms is not None
    assert e.term_starts is not None
    names = names_of(schema, e.term_starts)
    for name, value in zip(names, mean, strict=True):
        yield same | {"quantity": f"usual, {name}", "value": value}
    for i, terms in enumerate(e.least_terms.astype(float)):
        what = f"least likely row {i + 1}"
        yield same | {"quantity": what, "value": terms.sum()}
        for name, value in zip(names, terms, strict=True):
            yield same | {"quantity": f"{what}, {name}", "value": value}


def _copies(known: list[Result]) -> Iterator[dict[str, Any]]:
    for cell in known:
        near = None if cell.record.explained is None else cell.record.explained.near
        if near is not None:
            same = {"model": cell.model, "seed": cell.seed, "unit": "share of rows"}
            yield same | {
                "quantity": "samples that are training rows",
                "value": near.copies / near.n,
            }
            yield same | {"quantity": "test rows that are training rows",
                          "value": near.test_copies / near.n_test}  # fmt: skip


def _of_truth(ranking: Ranking) -> Iterator[dict[str, Any]]:
    for entry, found in calibrated(ranking):
        same = {"model": entry.model, "kind": entry.kind}
        for i, (value, stderr) in enumerate(zip(found.value, found.stderr, strict=True)):
            yield same | {"quantity": f"less the truth, tenth {i + 1} of the test rows",
                          "value": value, "stderr": stderr}  # fmt: skip
