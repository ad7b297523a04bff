"""The plan of one call of ``compare``, as ``plan.json`` states it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from genzoo.benchmark.arguments import plain
from genzoo.benchmark.code import hash_of
from genzoo.benchmark.entries import Cell, DataEntry, ModelEntry
from genzoo.benchmark.judge import marginals
from genzoo.benchmark.machine import machine
from genzoo.benchmark.plan import Comparison, truth_code
from genzoo.datasets.dataset import Dataset
from genzoo.datasets.own import OwnDataset
from genzoo.model import registered_key
from genzoo.results.plan import (
    Asked,
    Cards,
    DatasetFacts,
    FileFacts,
    ModelFacts,
    Plan,
    TextFacts,
    TruthFacts,
    Units,
)
from genzoo.results.record import Measured
from genzoo.space import characters
from genzoo.store import versions


def plan_of(comparison: Comparison) -> Plan:
    """The plan of one call."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    found = Plan(
        profile=comparison.profile,
        seeds=tuple(comparison.seeds),
        started=now,
        versions=versions(),
        machine=machine(),
        judge=comparison.judge.digest,
        models=tuple(_model_facts(entry, now) for entry in comparison.models),
        datasets=tuple(_data_facts(entry) for entry in comparison.datasets if not entry.fold),
        cells=_asked(comparison.cells),
        references=_asked(comparison.references),
    )
    return Plan.from_json(found.to_json(), "plan")  # as it will be read


def _asked(cells: Sequence[Cell]) -> tuple[Asked, ...]:
    return tuple(Asked(c.key, c.label, c.data.label, c.seed, c.data.fold) for c in cells)


def _model_facts(entry: ModelEntry, now: str) -> ModelFacts:
    cls = type(entry.model)
    defaults = inspect.signature(cls).parameters
    return ModelFacts(
        label=entry.label,
        family=entry.family,
        key=registered_key(cls),
        params=entry.params,
        changed={k: v for k, v in entry.params.items() if v != plain(defaults[k].default)},
        code=entry.code.digest,
        modules=entry.code.modules,
        asked=now,
    )


def _data_facts(entry: DataEntry) -> DatasetFacts:
    """What a reader must know of a data set; of its first fold, where there are several."""
    dataset, schema = entry.dataset, entry.dataset.schema
    entropy = None if dataset.truth is None else dataset.truth.entropy()
    truth, cards = truth_code(dataset), schema.cards
    return DatasetFacts(
        name=entry.label,
        key=entry.registry_key,
        layout=schema.layout,
        event_shape=tuple(schema.event_shape),
        D=schema.D,
        cards=Cards(int(cards.min()), float(np.median(cards)), int(cards.max())),
        end=schema.end,
        n_train=len(dataset.train),
        n_valid=len(dataset.valid),
        n_test=len(dataset.test),
        clamped=dataset.clamped,
        has_text=dataset.text is not None,
        units=_units(dataset),
        folds=entry.folds,
        foldable=isinstance(dataset, OwnDataset) and "time" not in dataset.options,
        file=_file_facts(dataset) if isinstance(dataset, OwnDataset) else None,
        source=dataset.source,
        licence=dataset.licence,
        fingerprint=dataset.fingerprint,
        target=dataset.label,
        truth=None if truth is None else TruthFacts(truth.digest, truth.modules),
        budget=str(entry.budget),
        suited=entry.suited,
        text=None if schema.alphabet is None else _text_facts(dataset),
        entropy=None if entropy is None else Measured(entropy.value, entropy.stderr),
        marginals=marginals(dataset.train, cards) if schema.layout == "table" else None,
    )


def _text_facts(dataset: Dataset) -> TextFacts:
    schema, rows = dataset.schema, dataset.test
    if dataset.text is not None:
        written = [dataset.text[part] for part in ("train", "test")]
    else:
        written = [characters.texts(schema, part) for part in (dataset.train, rows)]
    return TextFacts(
        hash_of(written),
        int(characters.n_bytes(schema, rows, lines=dataset.text is None).sum()),
        None if schema.tokenizer is None else schema.tokenizer.vocab_size,
    )


def _units(dataset: Dataset) -> Units | None:
    """What errors are taken over, where rows are not independent."""
    if dataset.groups is None:
        return None
    n_valid, n_test = (len(np.unique(dataset.groups[part])) for part in ("valid", "test"))
    return Units("groups" if dataset.block is None else "blocks", n_test, dataset.block, n_valid)


def _file_facts(dataset: OwnDataset) -> FileFacts:
    return FileFacts(
        dataset.path, dataset.options, dataset.schema_file, dataset.remarks, dataset.content
    )  # fmt: skip
