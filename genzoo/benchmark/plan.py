"""From what the caller asks for to a list of cells, each with a key, before any work is done."""

from __future__ import annotations

import copy
import hashlib
import inspect
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genzoo import forms
from genzoo.benchmark.profiles import PROFILES
from genzoo.budget import Budget
from genzoo.datasets import own
from genzoo.datasets.dataset import Dataset
from genzoo.model import GenerativeModel
from genzoo.registry import DATASETS, MODELS, key_of, load_dataset, make_model
from genzoo.seeding import check_seed
from genzoo.store import versions

TRUTH = "truth"
HELD_OUT, COPYCAT = "held-out", "copycat"
REFERENCES = (HELD_OUT, COPYCAT)  # what sample metrics give for fresh rows and for memorised ones
KEY_LENGTH = 20


@dataclass(frozen=True)
class ModelEntry:
    """A model of the plan: ``family`` is its registry key, or the name of a class of one's own."""

    label: str
    family: str
    params: dict[str, Any]
    model: GenerativeModel


@dataclass(frozen=True)
class DataEntry:
    """A data set of the plan; ``registry_key`` where a worker can load it by that."""

    label: str
    registry_key: str | None
    dataset: Dataset
    budget: Budget


@dataclass(frozen=True)
class Cell:
    """One model on one data set with one seed.

    Where ``model`` is None, ``stand_in`` says what is judged in its place: the true model, or rows
    of the data as if a model had drawn them (one of ``REFERENCES``).
    """

    key: str
    model: ModelEntry | None
    data: DataEntry
    seed: int | None
    stand_in: str = TRUTH

    @property
    def label(self) -> str:
        return self.stand_in if self.model is None else self.model.label

    @property
    def is_reference(self) -> bool:
        """Whether the cell is there to compare samples with, and takes no part in the ranking."""
        return self.label in REFERENCES

    @property
    def title(self) -> str:
        seed = "" if self.seed is None else f", seed {self.seed}"
        return f"{self.label} on {self.data.label}{seed}"

    @property
    def expected_seconds(self) -> float:
        """A guess at the time that training takes, to start long cells first."""
        if self.model is None or not self.model.model.selects:
            return 0.0
        seconds = self.data.budget.seconds
        return float("inf") if seconds is None else seconds


@dataclass(frozen=True)
class Plan:
    """Everything that a run is to do: ``profile`` where it is one unchanged, ``cells`` in the order
    of the tables, and the ``references`` of each data set, which stand in none."""

    profile: str | None
    models: list[ModelEntry]
    datasets: list[DataEntry]
    seeds: list[int]
    cells: list[Cell]
    references: list[Cell]


def make_plan(
    models: Any,
    datasets: Any,
    seeds: int | Sequence[int] | None,
    budget: str | Budget | Mapping[str, str | Budget | None] | None,
    profile: str | None,
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
    labelled = _read_datasets(datasets)
    budgets = _read_budgets(budget, [label for label, _, _ in labelled], strict=chosen is None)
    data_entries = [
        DataEntry(label, key, dataset, budgets[label]) for label, key, dataset in labelled
    ]
    seed_list = _read_seeds(1 if seeds is None else seeds)
    cells, references = [], []
    for data in data_entries:
        fingerprint = data.dataset.fingerprint
        if data.dataset.truth is not None:
            cells.append(Cell(_key(TRUTH, data, fingerprint, None), None, data, None))
        for model in model_entries:
            for seed in seed_list:
                cells.append(Cell(_key(model, data, fingerprint, seed), model, data, seed))
        for name in REFERENCES:
            references.append(Cell(_key(name, data, fingerprint, None), None, data, None, name))
    return Plan(profile, model_entries, data_entries, seed_list, cells, references)


def _profile(name: str | None) -> Any:
    if name is None:
        return None
    if name not in PROFILES:
        raise ValueError(f"profile: expected one of {', '.join(PROFILES)}; got {name!r}")
    return PROFILES[name]


def fresh(model: GenerativeModel) -> GenerativeModel:
    """An unfitted model of the same class with the same parameters."""
    return type(model)(**copy.deepcopy(model.get_params(deep=False)))


def read_models(models: Any) -> list[ModelEntry]:
    """Keys, instances or {label: instance} as entries, each with an unfitted copy of its own."""
    expected = "expected a list of registry keys and models, or a dict {label: model}"
    if isinstance(models, Mapping):
        labelled = [(str(label), _one_model(model)) for label, model in models.items()]
    elif isinstance(models, (list, tuple)):
        objects = [_one_model(model) for model in models]
        names = [key_of(type(m)) or type(m).__name__ for m in objects]
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
        family = key_of(type(model)) or type(model).__qualname__
        entries.append(ModelEntry(label, family, _json_params(model), fresh(model)))
    return entries


def _one_model(model: Any) -> GenerativeModel:
    if isinstance(model, str):
        return make_model(model)
    if not isinstance(model, GenerativeModel):
        raise ValueError(f"models: expected registry keys or GenerativeModels; got {model!r}")
    return model


def _read_datasets(datasets: Any) -> list[tuple[str, str | None, Dataset]]:
    expected = "expected a list of registry keys, paths and Datasets, or a dict {label: data}"
    if isinstance(datasets, Mapping):
        found = []
        for label, data in datasets.items():
            if not isinstance(data, (str, Path, Dataset)):
                data = Dataset.from_data(data, str(label))
            found.append((str(label), *_one_dataset(data)))
    elif isinstance(datasets, (list, tuple)):
        found = []
        for data in datasets:
            key, dataset = _one_dataset(data)
            found.append((key or dataset.name, key, dataset))
    else:
        hint = " (a DataFrame needs a label: {'mine': frame})" if forms.is_frame(datasets) else ""
        raise ValueError(f"datasets: {expected}; got {type(datasets).__name__}{hint}")
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


def _json_params(model: GenerativeModel) -> dict[str, Any]:
    return {name: plain(value) for name, value in model.get_params(deep=False).items()}


def plain(value: Any) -> Any:
    """A parameter in JSON's types, as its text where it has no such form."""
    value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return repr(value)


def _key(model: ModelEntry | str, data: DataEntry, fingerprint: str, seed: int | None) -> str:
    """The hash of everything that determines a cell; ``model`` may be what stands in for one."""
    parts = {
        "model": model if isinstance(model, str) else model.label,
        "family": None if isinstance(model, str) else model.family,
        "params": None if isinstance(model, str) else model.params,
        "code": None if isinstance(model, str) else own_code(type(model.model)),
        "dataset": data.label,
        "fingerprint": fingerprint,
        "seed": seed,
        "budget": None if isinstance(model, str) else str(data.budget),
        "version": versions()["genzoo"],
    }
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def own_code(cls: type) -> str | None:
    """The source of a class that is not genzoo's: its author changes it between runs."""
    if key_of(cls) is not None:
        return None
    sources = []
    for base in cls.__mro__[:-1]:
        if base is GenerativeModel:
            break
        try:
            sources.append(inspect.getsource(base))
        except (OSError, TypeError):
            sources.append(base.__qualname__)
    return "\n".join(sources)
