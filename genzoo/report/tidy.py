"""Every number of a report's tables, one a line: ``numbers.csv``, beside ``results.csv``.

Numbers of a cell come from its record as they stand there. With folds a fit has lines of the same
names with no fold, which are what the tables show: of all its folds together. Numbers that compare
models, or speak of several seeds, come from the rankings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genzoo.report.bounds import of_calibration
from genzoo.report.explain_tidy import of_explanations
from genzoo.report.labels import NO_SKILL, no_skill
from genzoo.report.quality import sample_metrics
from genzoo.report.samples import mean_distances
from genzoo.results.choice import Choice, choose_label, choose_samples
from genzoo.results.contender import Contender, Result, at
from genzoo.results.cost import over_all, plane, with_a_way
from genzoo.results.discoveries import discoveries
from genzoo.results.pairs import pairs
from genzoo.results.plan import DatasetFacts
from genzoo.results.ranking import Ranking, rank
from genzoo.results.ranks import compared, ranks
from genzoo.results.record import REFERENCES, CellRecord, LabelPart, Measured
from genzoo.results.run import RunRecord
from genzoo.results.signed_rank import beliefs
from genzoo.results.statistics import Difference

if TYPE_CHECKING:
    import pandas as pd

FIELDS = ("dataset", "model", "seed", "fold", "quantity", "value", "stderr", "unit", "kind", "note")
# not numbers of a table: what the cell is, texts, and what figures are drawn from
SKIPPED = (
    "key", "seed", "fold", "params", "versions", "machine", "notes", "marginals", "traceback",
    "completions", "curve", "metrics_left_out", "format_version",
)  # fmt: skip
UNITS = {  # by how a quantity's name ends
    "log_prob": "nats per row", "accuracy": "share of cases", "majority": "share of cases",
    "auc": "area", "seconds": "s", "memory_mb": "MiB",
}  # fmt: skip
COST_UNITS = {"train": "s", "score": "s per 1000 rows", "sample": "s per 1000 rows",
              "memory": "MiB"}  # fmt: skip
SCORES = ("value", "test_log_prob", "log_prob")  # beside which a record keeps stderr and kind
# over folds: of these a table shows the mean
MEANS: dict[str, Callable[[CellRecord], float | None]] = {
    "train_seconds": lambda r: r.train_seconds,
    "evaluate_seconds": lambda r: r.evaluate_seconds,
    "sample_seconds": lambda r: r.sample_seconds,
    "n_parameters": lambda r: r.n_parameters,
    "peak_memory_mb": lambda r: r.peak_memory_mb,
    "bound.ess_median": at(lambda r: r.bound, lambda b: b.ess_median),
    "bound.ess_low": at(lambda r: r.bound, lambda b: b.ess_low),
    **{f"calibration.{n}": of_calibration(n) for n in ("before", "after", "marginal_weight")},
}
MEASURED: dict[str, Callable[[CellRecord], Measured | None]] = {
    "bound.gap": at(lambda r: r.bound, lambda b: b.gap),
    "text_score": lambda r: r.text_score,
}
TOLD: dict[str, Callable[[LabelPart], Measured | None]] = {
    "log_prob": lambda p: p.score,
    "accuracy": lambda p: p.accuracy,
    "auc": lambda p: p.auc,
}


@dataclass(frozen=True)
class Purpose:
    """What a choice compares, the unit of its differences and that of its margin."""

    what: str
    unit: str
    unit_of_margin: str


PURPOSES = (
    Purpose("difference to the chosen", "nats per row", "nats per row"),
    Purpose("difference in log p(label | rest) to the chosen", "nats per row", "share of cases"),
    Purpose("difference in c2st to the chosen", "accuracy", "accuracy"),
)


def every_number(run: RunRecord) -> pd.DataFrame:
    """One row a number, with the columns ``FIELDS``; ``quantity`` is where it stands in a cell's
    record, or says what is compared."""
    import pandas as pd

    lines = [line for cell in (*run.cells, *run.references) for line in _of_cell(cell)]
    rankings: list[Ranking] = []
    for dataset in run.datasets:
        lines += _of_dataset(dataset.facts)
        fits = [f for model in run.models for f in run.contenders(model, dataset.name)]
        fits += [f for name in REFERENCES for f in [run.reference(name, dataset.name)] if f]
        lines += [line for f in fits if len(f.cells) > 1 for line in _over_folds(f)]
        ranking = rank(run, dataset)
        rankings.append(ranking)
        lines += _of_ranking(ranking)
        lines += _of_powers(ranking)
        lines += of_explanations(ranking)
        of_label = choose_label(run, dataset.name)
        choices = (ranking.choice, of_label, choose_samples(run, dataset.name))
        for purpose, choice in zip(PURPOSES, choices, strict=True):
            lines += [] if choice is None else list(_of_choice(dataset.name, purpose, choice))
        if of_label is not None:
            same = {"dataset": dataset.name, "model": NO_SKILL}
            for name, value in no_skill(of_label).items():
                quantity = f"label.test.{name}"
                lines.append(same | {"quantity": quantity, "value": value, "unit": _unit(quantity)})
    lines += _of_pairs(run)
    lines += _across(run)
    lines += _of_costs(run, rankings)
    # a whole number stays one beside lines that have none
    return pd.DataFrame(lines, columns=list(FIELDS)).astype({"seed": "Int64", "fold": "Int64"})


def _of_cell(cell: Result) -> Iterator[dict[str, Any]]:
    record = cell.record
    same = {name: getattr(record, name) for name in ("dataset", "model", "seed", "fold")}
    for quantity, number in _leaves(record.to_json()):
        yield same | {"quantity": quantity} | number


def _over_folds(fit: Contender) -> Iterator[dict[str, Any]]:
    """What tables show of a fit of several folds."""
    metrics, missing = sample_metrics([fit]), (None, None)
    found: dict[str, tuple[float | None, float | None]] = {
        "n_test": (sum(r.n_test for r in fit.records), None),
        "bits_per_dim": (fit.over_rows(lambda r: r.bits_per_dim), None),
        **{name: fit.measured(of) or missing for name, of in MEASURED.items()},
        **{name: (fit.mean(of), None) for name, of in MEANS.items()},
        **{f"metrics.{key}": fit.metric(key) or missing for key in metrics},
        **{f"label.test.{name}": fit.told(of) or missing for name, of in TOLD.items()},
    }
    same = {"dataset": fit.cells[0].dataset, "model": fit.model, "seed": fit.seed}
    for quantity, (value, stderr) in found.items():
        if value is not None:
            metric = metrics.get(quantity.removeprefix("metrics."))
            unit = metric.unit if metric else _unit(quantity)
            yield same | {"quantity": quantity, "value": value, "stderr": stderr, "unit": unit,
                          "note": f"over {len(fit.cells)} folds"}  # fmt: skip


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The numbers in a part of a record, each with the names that lead to it."""
    if isinstance(value, dict):
        score = next((name for name in SCORES if _is_number(value.get(name))), None)
        if score is not None:
            known = {name: value.get(name) for name in ("stderr", "unit", "kind")}
            name = _joined(path, score) if score != "value" else path
            yield name, {"value": value[score], **known, "unit": known["unit"] or _unit(name)}
            value = {k: v for k, v in value.items() if k != score and k not in known}
        for name, part in value.items():
            if name not in SKIPPED:
                yield from _leaves(part, _joined(path, name))
    elif _is_number(value):
        yield path, {"value": value, "unit": _unit(path)}


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _unit(quantity: str) -> str | None:
    return next((unit for end, unit in UNITS.items() if quantity.endswith(end)), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _of_dataset(facts: DatasetFacts) -> Iterator[dict[str, Any]]:
    same = {"dataset": facts.name, "note": "first fold" if facts.folds else None}
    for quantity in ("n_train", "n_valid", "n_test"):
        yield same | {"quantity": quantity, "value": getattr(facts, quantity), "unit": "rows"}
    if facts.entropy is not None:
        yield same | {"quantity": "entropy of the truth", "value": facts.entropy.value,
                      "stderr": facts.entropy.stderr, "unit": "nats per row"}  # fmt: skip


def _of_ranking(ranking: Ranking) -> Iterator[dict[str, Any]]:
    name, unit = ranking.dataset.name, "nats per row"
    highest = None if ranking.best is None else ranking.best.value
    for entry in (*ranking.entries, *([ranking.truth] if ranking.truth else [])):
        assert entry.fit is not None
        assert entry.value is not None
        same = {"dataset": name, "model": entry.model, "unit": unit, "kind": entry.kind}
        of_fit = same | {"seed": entry.fit.seed}
        yield of_fit | {"quantity": "test log-probability", "value": entry.value,
                        "stderr": entry.stderr}  # fmt: skip
        if highest is not None and entry is not ranking.truth:
            yield of_fit | {"quantity": "difference to the highest", "value": entry.value - highest}
        if entry.mean is not None:
            yield same | {"quantity": "mean over seeds", "value": entry.mean}
            yield same | {"quantity": "standard deviation over seeds", "value": entry.spread}
        if entry.gap is not None:
            yield of_fit | {"quantity": "KL(truth, model)", "value": entry.gap.value,
                            "stderr": entry.gap.stderr}  # fmt: skip
            yield from _ends(of_fit | {"quantity": "KL(truth, model)"}, entry.gap)
    distances, noise = mean_distances(ranking.dataset, ranking.sampled)
    total = {"dataset": name, "quantity": "marginals, mean total variation"}
    for cell, value in distances:
        yield total | {"model": cell.model, "seed": cell.seed, "fold": cell.record.fold,
                       "value": value}  # fmt: skip
    if distances:
        yield total | {"model": "a perfect model", "value": noise}


def _of_costs(run: RunRecord, rankings: Sequence[Ranking]) -> Iterator[dict[str, Any]]:
    """What figures of quality against cost show beside the numbers of the cells."""
    planes = [plane(run, ranking) for ranking in rankings]
    for ranking, of in zip(rankings, planes, strict=True):
        for point in of.points:
            same = {"dataset": ranking.dataset.name, "model": point.model}
            for name, value in point.costs.items():
                yield same | {"quantity": f"cost.{name}", "value": value, "unit": COST_UNITS[name]}
    able = with_a_way(rankings)
    planes_of = {r.dataset.name: of for r, of in zip(rankings, planes, strict=True)}
    for point in over_all(run.models, able, [planes_of[r.dataset.name] for r in able]).points:
        same = {"model": point.model, "kind": point.kind, "note": f"over {point.n} data sets"}
        yield same | {"quantity": "mean share of the way", "value": point.value,
                      "stderr": point.stderr}  # fmt: skip
        for name, value in point.costs.items():
            yield same | {"quantity": f"cost.{name}, geometric mean", "value": value,
                          "kind": None, "unit": COST_UNITS[name]}  # fmt: skip


def _of_choice(dataset: str, purpose: Purpose, choice: Choice) -> Iterator[dict[str, Any]]:
    what = purpose.what

    def line_of(fit: Contender, quantity: str, value: float, **more: Any) -> dict[str, Any]:
        same = {"dataset": dataset, "model": fit.model, "seed": fit.seed, "unit": purpose.unit}
        return same | {"quantity": quantity, "value": value, **more}

    of_margin = {"unit": purpose.unit_of_margin, "note": "chosen"}
    yield line_of(choice.chosen, f"margin of the {what}", choice.margin, **of_margin)
    if choice.unseen is not None:
        yield line_of(choice.chosen, f"{what}, that may go unseen", choice.unseen)
    if choice.skill is not None:
        gain, error = choice.skill.value, choice.skill.stderr
        yield line_of(choice.recommended, "gain over the shares in training", gain, stderr=error)
    for against in choice.against:
        d, loss, other = against.difference, against.loss, against.other
        if d is None:
            continue
        if loss is not None and loss is not d and against.within:
            yield line_of(other, f"loss beside the margin of the {what}", loss.value,
                          stderr=loss.stderr, unit=purpose.unit_of_margin)  # fmt: skip
        yield line_of(other, what, d.value, stderr=d.stderr, note=against.verdict)
        yield from _ends(line_of(other, what, d.value), d)


def _of_powers(ranking: Ranking) -> Iterator[dict[str, Any]]:
    """What each comparison of the ranking could have shown."""
    for rival in ranking.rivals:
        found, fit = rival.power, rival.entry.fit
        if found is None or fit is None:
            continue
        same = {"dataset": ranking.dataset.name, "model": fit.model, "seed": fit.seed}
        yield same | {"quantity": "difference to the chosen, that could have been shown",
                      "value": found.shown, "unit": "nats per row"}  # fmt: skip
        if found.rows is not None:
            quantity = "rows that would show the smallest difference that is worth a choice"
            yield same | {"quantity": quantity, "value": found.rows, "unit": "rows",
                          "note": f"{found.least:g} nats per row"}  # fmt: skip


def _of_pairs(run: RunRecord) -> Iterator[dict[str, Any]]:
    """Every two families on every data set; q-values are of all of them together."""
    found = [(d.name, pair) for d in run.datasets for pair in pairs(run, d.name)]
    for name, pair in found:
        d, (model, other) = pair.difference, pair.models
        note = f"{pair.winner or 'neither'} proven better"
        same = {"dataset": name, "model": model, "note": note}
        if d is not None:
            yield same | {"quantity": f"difference to {other}", "value": d.value,
                          "stderr": d.stderr, "unit": "nats per row"}  # fmt: skip
            yield same | {"quantity": f"p-value against {other}", "value": pair.p_value}
    for q in discoveries(found):
        model, other = q.pair.models
        yield {"dataset": q.dataset, "model": model, "value": q.q_value,
               "quantity": f"table-wide q-value against {other}"}  # fmt: skip


def _across(run: RunRecord) -> Iterator[dict[str, Any]]:
    """What all data sets say together."""
    of = compared(run.models, [rank(run, dataset) for dataset in run.datasets])
    found = ranks(of)
    if found is None:
        return
    for model, mean in found.mean.items():
        yield {"model": model, "quantity": "mean rank", "value": mean, "kind": "exact"}
    for model, mean in found.at_most.items():
        yield {"model": model, "quantity": "mean rank", "value": mean, "note": "at most"}
    yield {"quantity": "signed ranks, smallest p-value of as many data sets",
           "value": found.smallest}  # fmt: skip
    yield {"quantity": "signed ranks, below which the surest of all pairs has to be",
           "value": found.threshold}  # fmt: skip
    if found.friedman is not None:
        yield {"quantity": "Friedman's test, p-value", "value": found.friedman}
    for told in (*found.pairs, *found.of_bounds):
        model, other = told.models
        same = {"model": model, "note": f"{told.winner or 'none'} better"}
        yield same | {"quantity": f"signed ranks against {other}, p-value", "value": told.p_value}
        yield same | {"quantity": f"signed ranks against {other}, p-value by Holm",
                      "value": told.adjusted}  # fmt: skip
    for belief in beliefs(of):
        model, other = belief.models
        for what, value in (
            ("farther than", belief.better),
            ("practically equal to", belief.alike),
            ("less far than", belief.worse),
        ):
            yield {"model": model, "quantity": f"probability of being {what} {other}",
                   "value": value}  # fmt: skip


def _ends(line: dict[str, Any], difference: Difference) -> Iterator[dict[str, Any]]:
    for end, value in zip(("low", "high"), difference.interval(), strict=True):
        yield line | {"quantity": f"{line['quantity']}, 95 % {end}", "value": value}
