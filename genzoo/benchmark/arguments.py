"""What a caller of ``compare`` may name: models, data sets, budgets and seeds, read and checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from genzoo.benchmark.code import code_of
from genzoo.benchmark.entries import ModelEntry, fresh
from genzoo.benchmark.profiles import PROFILES, Profile
from genzoo.benchmark.suited import suited
from genzoo.datasets import own
from genzoo.datasets.dataset import Dataset
from genzoo.datasets.own.show import as_text, of_frame
from genzoo.fitting import Budget
from genzoo.keys import DATASETS
from genzoo.model import GenerativeModel, registered_key
from genzoo.registry import check_key, load_dataset, make_model
from genzoo.results.record import REFERENCES, STACK, TRUTH
from genzoo.seeding import check_seed
from genzoo.spelling import did_you_mean, near_path

AUTO, DEFAULT = "auto", str(Budget())  # a budget that suits the data; each family's own


class Labelled(NamedTuple):
    """A data set of the plan: its label, its registry key, one for each fold, and what a file or a
    table was taken for, as text, where that was not shown before."""

    label: str
    key: str | None
    parts: list[Dataset]
    shown: str | None = None


def read_profile(name: str | None) -> Profile | None:
    if name is None:
        return None
    if name not in PROFILES:
        hint = did_you_mean(name, PROFILES)
        raise ValueError(f"profile: expected one of {', '.join(PROFILES)}; got {name!r}{hint}")
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


def read_folds(folds: int | None) -> int | None:
    if folds is None:
        return None
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or folds < 2:
        raise ValueError(f"folds: expected an integer of at least 2, or None; got {folds!r}")
    return int(folds)


def read_datasets(datasets: Any, folds: int | None) -> list[Labelled]:
    expected = "expected a list of registry keys, paths and Datasets, or a dict {label: data}"
    if isinstance(datasets, Mapping):
        found = [_labelled(str(label), data, folds) for label, data in datasets.items()]
    elif isinstance(datasets, (list, tuple)):
        found = [_parted(None, data, folds) for data in datasets]
    else:
        raise ValueError(
            f"datasets: {expected}; got {type(datasets).__name__} (data without a name needs a "
            f"label: {{'mine': data}})"
        )
    if not found:
        raise ValueError(f"datasets: {expected}; got none")
    _check_labels("datasets", [entry.label for entry in found])
    return found


def _labelled(label: str, data: Any, folds: int | None) -> Labelled:
    if isinstance(data, (str, Path, Dataset)):
        return _parted(label, data, folds)
    turns = [None] if folds is None else [(i, folds) for i in range(folds)]
    parts = [Dataset.from_data(data, label, fold=turn) for turn in turns]
    return Labelled(label, None, parts, of_frame(label, data, parts[0]))


def _parted(label: str | None, data: Any, folds: int | None) -> Labelled:
    key, dataset, prepared = _one_dataset(data)
    label = (key or dataset.name) if label is None else label
    parts = [dataset] if folds is None else _folds_of(dataset, label, folds)
    first = parts[0]
    shown = prepared and isinstance(first, own.OwnDataset) and as_text(prepared, first)
    return Labelled(label, key, parts, shown or None)


def _one_dataset(data: Any) -> tuple[str | None, Dataset, own.Prepared | None]:
    """The registry key of a data set, the data set, and how a file of its was read."""
    if isinstance(data, str) and data in DATASETS:
        return data, load_dataset(data), None
    if own.names_a_path(data):
        prepared = own.prepare(data)
        return None, own.split_of(prepared), prepared
    if isinstance(data, str):
        check_key(DATASETS, data, "dataset", path=near_path(data))
    if not isinstance(data, Dataset):
        raise ValueError(
            f"datasets: expected registry keys, paths or Datasets; got {type(data).__name__} "
            f"(data without a name goes into a dict: {{'mine': data}})"
        )
    return None, data, None


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
        if label == STACK and argument == "models":
            raise ValueError(
                f"models: the label {STACK!r} is kept for the mixture of all models of a "
                f"comparison; give yours another, as in {{'mine': model}}"
            )
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


class Allowed(NamedTuple):
    """What each fit on a data set may take, and whether that was chosen for its size."""

    budget: Budget
    suited: bool = False


def read_budgets(budget: Any, datasets: Sequence[Labelled], *, strict: bool) -> dict[str, Allowed]:
    """The budget of each data set, by its label.

    Where none is given, it is one that suits the data (``"auto"``) if they are one's own, and
    each family's own default (``"default"``) if they have a key.
    """
    labels = [entry.label for entry in datasets]
    if not isinstance(budget, Mapping):
        return {entry.label: _allowed(budget, entry) for entry in datasets}
    unknown = [name for name in budget if name not in labels]
    if unknown and strict:
        raise ValueError(
            f"budget: expected labels of data sets ({', '.join(labels)}); got {unknown[0]!r}"
            f"{did_you_mean(unknown[0], labels)}"
        )
    return {entry.label: _allowed(budget.get(entry.label), entry) for entry in datasets}


def _allowed(budget: Any, entry: Labelled) -> Allowed:
    if budget is None:
        budget = AUTO if entry.key is None else DEFAULT
    if budget == AUTO:
        return Allowed(suited(entry.parts[0]), suited=True)
    return Allowed(read_budget(budget))


def read_budget(budget: Any) -> Budget:
    """A budget that no data are needed for; of ``"auto"``, ``"default"`` and None an open one."""
    if isinstance(budget, str) and budget in (AUTO, DEFAULT):
        return Budget()
    found = Budget.parse(budget, or_else=f', "{AUTO}", "{DEFAULT}" or None')
    if found.stops is not None:
        raise ValueError(
            "budget: expected seconds, steps or None; got a Budget that repeats one fit's work: "
            "that is for fit"
        )
    return found


def read_seeds(seeds: int | Sequence[int]) -> list[int]:
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
