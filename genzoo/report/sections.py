"""What the report shows of one data set."""

from __future__ import annotations

from typing import Any

from genzoo.report import findings, imputation, labels, samples, stack, steps, tokens
from genzoo.report.advice import advise, basis
from genzoo.report.bounds import bounds
from genzoo.report.cells import cell_of, cells
from genzoo.report.cost import cost
from genzoo.report.curves import curves
from genzoo.report.explain import explanations
from genzoo.report.quality import quality
from genzoo.report.wording import NATS, budget_of
from genzoo.results import numbers
from genzoo.results.choice import VERDICTS
from genzoo.results.contender import Result
from genzoo.results.numbers import DASH, number, upper_bound, with_error
from genzoo.results.plan import DatasetFacts, TextFacts
from genzoo.results.power import Power
from genzoo.results.ranking import Entry, Ranking, Rival
from genzoo.results.record import Measured
from genzoo.results.run import RunRecord
from genzoo.results.statistics import weakest

SHORT_FINGERPRINT = 12
VERDICT_WORDS = {"truth": "the true model", "chosen": "validation's choice"} | VERDICTS


def section(
    run: RunRecord, ranking: Ranking, colours: dict[str, int], index: int
) -> dict[str, Any]:
    dataset = ranking.dataset
    of_bounds = bounds(ranking)
    drawn = [ranking.truth.fit] if ranking.truth and ranking.truth.fit else []
    galleries = samples.galleries(dataset, [*drawn, *ranking.sampled], colours)
    names = [str(name) for name in dataset.schema.names] if dataset.schema else []
    return {
        "id": f"data-{index + 1}",
        "name": dataset.name,
        "facts": _facts(dataset.facts),
        "finding": findings.finding(run, ranking),
        "advice": advise(run, dataset.name),
        "basis": basis(run, dataset.name),
        "remarks": file.remarks if (file := dataset.facts.file) else (),
        "rows": _ranked_rows(run, ranking, colours),
        "powers": any(rival.power is not None for rival in ranking.rivals),
        "margin": "" if ranking.choice is None else number(ranking.choice.margin, 3),
        "stack": stack.table(run, ranking),
        "labels": labels.table(run, dataset.name),
        "imputation": imputation.table(ranking),
        "spread": len(run.seeds) > 1,
        "folds": dataset.facts.folds,
        "gap": ranking.truth is not None,
        "steps": steps.tables(ranking),
        "explained": explanations(ranking, colours),
        "bounds": of_bounds,
        "calibrated": any(b.calibration != DASH for b in of_bounds),
        "quality": quality(run, ranking, colours),
        "notes": _notes(run, dataset.name),
        "cells": cells(run, ranking),
        "tokens": tokens.table(run, ranking),
        "text_score": any(_text_score(e) for e in ranking.entries),
        "cost": cost(run, ranking, colours, f"{index + 1}"),
        "curves": curves(ranking, colours, f"{index + 1}"),
        "galleries": galleries,
        "layout": dataset.facts.layout,
        "columns": names[: samples.MOST_COLUMNS],
        "more_columns": max(0, len(names) - samples.MOST_COLUMNS),
        "completions": [g for g in galleries if g.completions],
        "marginals": samples.marginals(dataset, ranking.sampled, colours),
    }


def _facts(facts: DatasetFacts) -> list[tuple[str, str]]:
    shape = " x ".join(str(s) for s in facts.event_shape)
    low, high = facts.cards.min, facts.cards.max
    values = f"{low}" if low == high else f"{low} to {high}"
    rows = f"{facts.n_train} train, {facts.n_valid} valid, {facts.n_test} test"
    of_fold = " in the first fold" if facts.folds else ""
    if facts.folds:
        rows += f" in the first of {facts.folds} folds"
    units = facts.units
    pairs = [
        ("Rows", rows),
        ("Errors over", f"{units.n_test} {units.what} of test rows{of_fold}" if units else ""),
        ("Layout", f"{facts.layout}, {shape}" if "x" in shape else facts.layout),
        ("Variables", f"{facts.D}, of {values} values each"),
        ("Tokens", _tokens(facts.text) if facts.text else ""),
        ("Entropy of the truth", _entropy(facts.entropy) if facts.entropy else ""),
        ("Budget of each fit", budget_of(facts)),
        ("Source", facts.source),
        ("Licence", facts.licence),
        ("Fingerprint", facts.fingerprint[:SHORT_FINGERPRINT]),
    ]
    return [(name, text) for name, text in pairs if text]


def _tokens(text: TextFacts) -> str:
    return "" if text.vocab_size is None else f"{number(text.vocab_size, 0)}, byte-level BPE"


def _entropy(entropy: Measured) -> str:
    text = with_error(entropy.value, entropy.stderr) if entropy.stderr else number(entropy.value, 3)
    return f"{text} nats a row"


def _ranked_rows(run: RunRecord, ranking: Ranking, colours: dict[str, int]) -> list[dict[str, Any]]:
    truth = [Rival(ranking.truth, 0, None, "truth")] if ranking.truth else []
    alarming = {c.model for c in ranking.alarms}
    return [
        _ranked_row(run, rival, colours) | {"alarm": rival.entry.model in alarming}
        for rival in (*truth, *ranking.rivals)
    ]


def _ranked_row(run: RunRecord, rival: Rival, colours: dict[str, int]) -> dict[str, Any]:
    entry, difference, verdict = rival.entry, rival.difference, rival.verdict
    behind, interval = DASH, ""
    if difference is not None:
        behind = with_error(difference.value, difference.stderr)
        places = numbers.decimals(difference.stderr, difference.value)
        low, high = difference.interval()
        interval = f"{number(low, places)} to {number(high, places)}"
    gap = DASH
    if entry.gap is not None:
        gap = upper_bound(with_error(entry.gap.value, entry.gap.stderr), entry.kind)
    parameters = entry.mean_of(lambda r: r.n_parameters)
    memory = entry.mean_of(lambda r: r.peak_memory_mb)
    places = numbers.decimals(entry.spread)
    return {
        "place": str(rival.rank or ""),
        "model": entry.model,
        "cell": cell_of(entry),
        "colour": colours.get(entry.model),
        "value": with_error(entry.value, entry.stderr, entry.kind),
        "kind": entry.kind.replace("_", " "),
        "behind": behind,
        "interval": interval,
        "verdict": _verdict_words(entry, verdict),
        "verdict_style": (verdict or "none").replace(" ", "-"),
        "gap": gap,
        "bits": upper_bound(number(entry.bits_per_dim, 4), entry.kind),
        "spread": f"{number(entry.mean, places)}, sd {number(entry.spread, places)}",
        "seeds": f"{entry.n_fits} of {len(run.seeds)}",
        "seed": DASH if entry.fit is None or entry.fit.seed is None else str(entry.fit.seed),
        "seconds": numbers.seconds(entry.mean_of(lambda r: r.train_seconds)),
        "improving": entry.improving,
        "evaluate_seconds": numbers.seconds(entry.mean_of(lambda r: r.evaluate_seconds)),
        "parameters": number(parameters or None, 0),
        "shown": "" if rival.power is None else NATS.about(rival.power.shown),
        "rows_needed": "" if rival.power is None else _rows_needed(rival.power),
        "memory": f"{number(memory, 0)} MiB" if memory else "",
        "text_score": _text_score(entry) or DASH,
    }


def _verdict_words(entry: Entry, verdict: str | None) -> str:
    if verdict is None and entry.fit is not None and entry.fit.alone is not None:
        return f"{entry.fit.alone} alone"
    return VERDICT_WORDS.get(verdict or "", "not compared")


def _rows_needed(found: Power) -> str:
    """To two digits; what they are counted from is no surer."""
    if found.rows is None:
        return "over a billion"
    digits = len(str(round(found.rows)))
    return number(round(found.rows, 2 - digits), 0)


def _text_score(entry: Entry) -> str:
    score = None if entry.fit is None else entry.fit.measured(lambda r: r.text_score)
    if entry.fit is None or score is None:
        return ""
    kinds = [r.text_score.kind for r in entry.fit.records if r.text_score]
    return with_error(*score, weakest(kinds))


def _notes(run: RunRecord, dataset: str) -> list[tuple[str, str]]:
    return [
        (_where(run, cell), note)
        for cell in [*run.cells, *run.references]
        if cell.dataset == dataset
        for note in cell.record.notes
    ]


def _where(run: RunRecord, cell: Result) -> str:
    """``mixture, seed 1, fold 2``, of which what there is one of is left out."""
    words = [cell.model]
    if cell.seed is not None and len(run.seeds) > 1:
        words.append(f"seed {cell.seed}")
    if cell.record.fold is not None:
        words.append(f"fold {cell.record.fold + 1}")
    return ", ".join(words)
