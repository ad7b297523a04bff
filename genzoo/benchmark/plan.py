"""From what the caller asks for to a list of cells, each with a key, before any work is done."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.benchmark.code import Code, code_of, hash_of, joined, judging_code
from genzoo.benchmark.entries import (
    COPYCAT,  # noqa: F401 - the report takes both from here
    HELD_OUT,  # noqa: F401
    REFERENCES,
    TRUTH,
    Cell,
    DataEntry,
    ModelEntry,
    fresh,
)
from genzoo.benchmark.profiles import PROFILES
from genzoo.datasets import own
from genzoo.datasets.dataset import Dataset
from genzoo.fitting import Budget
from genzoo.keys import DATASETS, MODELS
from genzoo.model import GenerativeModel, registered_key
from genzoo.registry import load_dataset, make_model
from genzoo.seeding import check_seed
from genzoo.store import versions


@dataclass(frozen=True)
class Plan:
    """Everything that a run is to do: ``profile`` where it is one unchanged, ``datasets`` with an
    entry for each fold, ``cells`` in the order of the tables, and the ``references`` of each data
    set, which stand in none; ``judge`` is the code that judges all of them."""

    profile: str | None
    models: list[ModelEntry]
    datasets: list[DataEntry]
    seeds: list[int]
    cells: list[Cell]
    references: list[Cell]
    judge: Code


def make_plan(
    models: Any,
    datasets: Any,
    seeds: int | Sequence[int] | None,
    budget: str | Budget | Mapping[str, str | Budget | None] | None,
    profile: str | None,
    folds: int | None = None,
) -> Plan:
    """Check and expand the arguments of ``compare``.

    Raises:
        ValueError: naming the argument, what was expected and what came.
    """
    chosen = _profile(profile)
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
    labelled = _read_datasets(datasets, _check_folds(folds))
    budgets = _read_budgets(budget, [label for label, _, _ in labelled], strict=chosen is None)
    data_entries = [
        DataEntry(label, key, dataset, budgets[label], None if folds is None else i, folds)
        for label, key, parts in labelled
        for i, dataset in enumerate(parts)
    ]
    seed_list = _read_seeds(1 if seeds is None else seeds)
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
    return Plan(profile, model_entries, data_entries, seed_list, cells, references, judge)


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


def _profile(name: str | None) -> Any:
    if name is None:
        return None
    if name not in PROFILES:
        raise ValueError(f"profile: expected one of {', '.join(PROFILES)}; got {name!r}")
    return PROFILES[name]


def read_models(models: Any) -> list[ModelEntry]:
    """Keys, instances or {label: instance} as entries, each with an unfitted copy of its own."""
    expected = "expected a list of registry keys and models, or a dict {label: model}"
    if isinstance(models, Mapping):
        labelled = [(str(label), _one_model(model)) for label, model in models.items()]
    elif isinstance(models, (list, tuple)):
        objects = [_one_model(model) for model in models]
        names = [registered_key(type(m)) or type(m).__name__ for m in objects]
        several = Counter(names)
        # two models of one family are told apart by their parameters
        labelled = [
            (repr(m) if several[name] > 1 else name, m)
            for name, m in zip(names, objects, strict=True)
        ]
    else:
        raise ValueError(f"models: {expected}; got {models!r}")
    if not labelled:
        raise ValueError(f"models: {expected}; got none")
    _check_labels("models", [label for label, _ in labelled])
    entries = []
    for label, model in labelled:
        model._check_params()
        family = registered_key(type(model)) or type(model).__qualname__
        params = model.get_params(deep=False)
        code = code_of(type(model), params)
        plain_params = {name: plain(value) for name, value in params.items()}
        entries.append(ModelEntry(label, family, plain_params, fresh(model), code))
    return entries


def _one_model(model: Any) -> GenerativeModel:
    if isinstance(model, str):
        return make_model(model)
    if not isinstance(model, GenerativeModel):
        raise ValueError(f"models: expected registry keys or GenerativeModels; got {model!r}")
    return model


def _check_folds(folds: int | None) -> int | None:
    if folds is None:
        return None
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or folds < 2:
        raise ValueError(f"folds: expected an integer of at least 2, or None; got {folds!r}")
    return int(folds)


def _read_datasets(datasets: Any, folds: int | None) -> list[tuple[str, str | None, list[Dataset]]]:
    """The data sets with label and key, each as a list: itself, or its folds."""
    expected = "expected a list of registry keys, paths and Datasets, or a dict {label: data}"
    if isinstance(datasets, Mapping):
        found = []
        for label, data in datasets.items():
            if isinstance(data, (str, Path, Dataset)):
                key, dataset = _one_dataset(data)
                parts = [dataset] if folds is None else _folds_of(dataset, str(label), folds)
            else:
                key, turns = None, [None] if folds is None else [(i, folds) for i in range(folds)]
                parts = [Dataset.from_data(data, str(label), fold=turn) for turn in turns]
            found.append((str(label), key, parts))
    elif isinstance(datasets, (list, tuple)):
        found = []
        for data in datasets:
            key, dataset = _one_dataset(data)
            label = key or dataset.name
            parts = [dataset] if folds is None else _folds_of(dataset, label, folds)
            found.append((label, key, parts))
    else:
        raise ValueError(
            f"datasets: {expected}; got {type(datasets).__name__} (data without a name needs a "
            f"label: {{'mine': data}})"
        )
    if not found:
        raise ValueError(f"datasets: {expected}; got none")
    _check_labels("datasets", [label for label, _, _ in found])
    return found


def _one_dataset(data: Any) -> tuple[str | None, Dataset]:
    if isinstance(data, str) and data in DATASETS:
        return data, load_dataset(data)
    if own.names_a_path(data):
        return None, own.load(data)
    if isinstance(data, str):
        return data, load_dataset(data)  # says which keys there are
    if not isinstance(data, Dataset):
        raise ValueError(
            f"datasets: expected registry keys, paths or Datasets; got {type(data).__name__} "
            f"(data without a name goes into a dict: {{'mine': data}})"
        )
    return None, data


def _folds_of(dataset: Dataset, label: str, folds: int) -> list[Dataset]:
    if not isinstance(dataset, own.OwnDataset):
        raise ValueError(
            f"folds: expected None for {label}, whose split is given; folds are made of files and "
            f"of data without a split"
        )
    return [*own.folds_of(dataset, folds)]


def _names_a_file(text: str) -> bool:
    return text != "" and text[0] != "." and not set(text) & set('\\:*?"<>|\0')


def _check_labels(argument: str, labels: list[str]) -> None:
    for label in labels:
        if not label.strip():
            raise ValueError(f"{argument}: expected a label that can be read; got {label!r}")
        if label == TRUTH and argument == "models":
            raise ValueError(f"models: the label {TRUTH!r} is kept for the true model")
        if label in REFERENCES and argument == "models":
            raise ValueError(f"models: the label {label!r} is kept for rows of the data")
        # data sets' labels become names of files, one folder for each "/"
        if argument == "datasets" and not all(_names_a_file(part) for part in label.split("/")):
            raise ValueError(f"datasets: expected a label that can name a file; got {label!r}")
    twice = sorted(label for label, count in Counter(labels).items() if count > 1)
    if twice:
        raise ValueError(
            f"{argument}: expected different labels; got {', '.join(twice)} twice: give a dict "
            f"{{label: ...}}"
        )


def _read_budgets(budget: Any, labels: list[str], *, strict: bool) -> dict[str, Budget]:
    if not isinstance(budget, Mapping):
        return dict.fromkeys(labels, Budget.parse(budget))
    unknown = [name for name in budget if name not in labels]
    if unknown and strict:
        raise ValueError(
            f"budget: expected labels of data sets ({', '.join(labels)}); got {unknown[0]!r}"
        )
    return {label: Budget.parse(budget.get(label)) for label in labels}


def _read_seeds(seeds: int | Sequence[int]) -> list[int]:
    if isinstance(seeds, (int, np.integer)) and not isinstance(seeds, bool):
        if seeds < 1:
            raise ValueError(f"seeds: expected at least 1; got {seeds}")
        return list(range(int(seeds)))
    if isinstance(seeds, (str, bytes)) or not isinstance(seeds, (Sequence, np.ndarray)):
        raise ValueError(f"seeds: expected a number of seeds, or a list of them; got {seeds!r}")
    found = [check_seed(seed) for seed in seeds]
    if not found or len(set(found)) < len(found):
        raise ValueError(f"seeds: expected different seeds, at least one; got {found}")
    return found


def plain(value: Any) -> Any:
    """A parameter in JSON's types, as its text where it has no such form."""
    value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return repr(value)
