"""From what the caller asks for to a list of cells, each with a key, before any work is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genzoo.benchmark.arguments import (
    read_budget,
    read_budgets,
    read_datasets,
    read_folds,
    read_models,
    read_profile,
    read_seeds,
)
from genzoo.benchmark.code import Code, code_of, hash_of, joined, judging_code
from genzoo.benchmark.entries import Cell, DataEntry, ModelEntry
from genzoo.datasets.dataset import Dataset
from genzoo.fitting import Budget
from genzoo.keys import MODELS
from genzoo.results.record import REFERENCES, TRUTH
from genzoo.store import versions


@dataclass(frozen=True)
class Comparison:
    """Everything that a call of ``compare`` asks for: ``profile`` where it is one unchanged,
    ``datasets`` with an entry for each fold, ``cells`` in the order of the tables, and the
    ``references`` of each data set, which stand in none; ``judge`` is the code that judges all;
    ``shown`` is what files and tables were taken for, a text each."""

    profile: str | None
    models: list[ModelEntry]
    datasets: list[DataEntry]
    seeds: list[int]
    cells: list[Cell]
    references: list[Cell]
    judge: Code
    shown: tuple[str, ...] = ()


def make_plan(
    models: Any,
    datasets: Any,
    seeds: int | Sequence[int] | None,
    budget: str | Budget | Mapping[str, str | Budget | None] | None,
    profile: str | None,
    folds: int | None = None,
) -> Comparison:
    """Check and expand the arguments of ``compare``.

    Raises:
        ValueError: naming the argument, what was expected and what came.
    """
    check_without_data(models, seeds, budget, profile, folds)
    chosen = read_profile(profile)
    if any(part is not None for part in (models, datasets, seeds, budget)):
        profile = None  # the comparison is no longer the one that has this name
    if chosen is not None:
        models = chosen.models if models is None else models
        datasets = tuple(chosen.budgets) if datasets is None else datasets
        seeds = chosen.seeds if seeds is None else seeds
        budget = chosen.budgets if budget is None else budget
    if datasets is None:
        raise ValueError("datasets: expected data sets, or a profile that names some; got none")
    model_entries = read_models(tuple(MODELS) if models is None else models)
    labelled = read_datasets(datasets, read_folds(folds))
    allowed = read_budgets(budget, labelled, strict=chosen is None)
    data_entries = [
        DataEntry(
            label,
            key,
            dataset,
            allowed[label].budget,
            None if folds is None else i,
            folds,
            allowed[label].suited,
        )
        for label, key, parts, _ in labelled
        for i, dataset in enumerate(parts)
    ]
    seed_list = read_seeds(1 if seeds is None else seeds)
    judge = judging_code()
    cells, references = [], []
    for data in data_entries:
        truth = truth_code(data.dataset)
        shared = {
            "dataset": data.label,
            "fingerprint": data.dataset.fingerprint,
            "fold": data.fold,
            "target": data.dataset.label,
            "truth": None if truth is None else truth.digest,
            "judge": judge.digest,
            "versions": versions(),
        }
        code = joined(judge, truth)
        if truth is not None:
            cells.append(_stand_in(TRUTH, data, shared, code))
        cells += [
            _cell(model, data, seed, shared, joined(model.code, code))
            for model in model_entries
            for seed in seed_list
        ]
        references += [_stand_in(name, data, shared, code) for name in REFERENCES]
    shown = tuple(entry.shown for entry in labelled if entry.shown is not None)
    return Comparison(
        profile, model_entries, data_entries, seed_list, cells, references, judge, shown
    )


def check_without_data(
    models: Any,
    seeds: int | Sequence[int] | None,
    budget: str | Budget | Mapping[str, str | Budget | None] | None,
    profile: str | None,
    folds: int | None,
) -> None:
    """Refuse what is wrong whatever the data are, before a long file is read.

    Raises:
        ValueError: as ``make_plan``.
    """
    read_profile(profile)
    if models is not None:
        read_models(models)
    for one in budget.values() if isinstance(budget, Mapping) else [budget]:
        read_budget(one)
    read_folds(folds)
    if seeds is not None:
        read_seeds(seeds)


def truth_code(dataset: Dataset) -> Code | None:
    """The code of a data set's truth, which no fingerprint of rows tells of."""
    return None if dataset.truth is None else code_of(type(dataset.truth))


def _cell(
    model: ModelEntry, data: DataEntry, seed: int, shared: dict[str, Any], code: Code
) -> Cell:
    """A cell, its key the hash of everything that determines it."""
    own = {
        "model": model.label,
        "family": model.family,
        "params": model.params,
        "code": model.code.digest,
        "seed": seed,
        "budget": str(data.budget),
    }
    return Cell(hash_of({**shared, **own}), model, data, seed, code)


def _stand_in(name: str, data: DataEntry, shared: dict[str, Any], code: Code) -> Cell:
    return Cell(hash_of({**shared, "model": name}), None, data, None, code, name)
