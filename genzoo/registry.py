"""Models, data sets and metrics by key, imported on use; saved models by their folder."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genzoo import store
from genzoo.keys import COMPOSED, DATASETS, METRICS, MODELS
from genzoo.model import GenerativeModel
from genzoo.parameters import NoDeviceError
from genzoo.spelling import did_you_mean

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset
    from genzoo.datasets.entry import Entry


MOST_SHOWN = 20  # keys in an error


def list_models() -> list[str]:
    """The keys of the model families.

    >>> import genzoo
    >>> genzoo.list_models()[:3]
    ['independent', 'bayesian_network', 'mixture']
    """
    return list(MODELS)


def list_datasets() -> list[str]:
    """The keys of the data sets.

    >>> import genzoo
    >>> "digits" in genzoo.list_datasets()
    True
    """
    return sorted(DATASETS)


def list_metrics() -> list[str]:
    """The keys of the metrics.

    >>> import genzoo
    >>> "bits_per_dim" in genzoo.list_metrics()
    True
    """
    return list(METRICS)


def check_key(registry: Mapping[str, str], key: str, what: str, *, path: str | None = None) -> None:
    """ValueError, with a suggestion, where there is no such key; ``path`` may be meant as well."""
    if not isinstance(key, str) or key not in registry:
        hint = did_you_mean(key, registry, path)
        shown = ", ".join(list(registry)[:MOST_SHOWN])
        if len(registry) > MOST_SHOWN:
            shown += f", ... (genzoo list shows all {len(registry)})"
        raise ValueError(f"{what}: expected one of {shown}; got {key!r}{hint}")


def look_up(registry: Mapping[str, str], key: str, what: str) -> Any:
    """The object that ``key`` names; ValueError with a suggestion where there is none."""
    check_key(registry, key, what)
    module, attribute = registry[key].split(":")
    return getattr(importlib.import_module(module), attribute)


def model_class(key: str) -> type[GenerativeModel]:
    """The class of a family."""
    found: type[GenerativeModel] = look_up(MODELS, key, "model")
    return found


def make_model(name: str, **params: Any) -> GenerativeModel:
    """An unfitted model.

    Args:
        name: a key of ``list_models()``.
        **params: arguments of the family's constructor.

    Raises:
        ValueError: for an unknown name or parameter, or a value out of range.

    >>> import genzoo
    >>> genzoo.make_model("independent", pseudo_count=0.5)
    Independent(pseudo_count=0.5)
    """
    return model_class(name)().set_params(**params)


def dataset_entry(name: str) -> Entry:
    """What is known of a data set before it is loaded."""
    entry: Entry = look_up(DATASETS, name, "dataset")[name]
    return entry


def load_dataset(name: str) -> Dataset:
    """A data set by its key, one of ``list_datasets()``.

    Raises:
        ValueError: for an unknown name.

    >>> import genzoo
    >>> genzoo.load_dataset("iris").train.shape
    (90, 5)
    """
    return dataset_entry(name).load(name)


def load_model(
    folder: str | Path,
    cls: type[GenerativeModel] | None = None,
    *,
    device: str | None = None,
) -> GenerativeModel:
    """A saved model, ready to sample and score.

    Args:
        folder: what ``model.save(folder)`` wrote.
        cls: the class, for a family that is not in the registry.
        device: where a family of networks is to compute, instead of what its parameter ``device``
            was. None: there, or on the CPU, with a warning, where this machine has no such device.

    Raises:
        ValueError: if the folder holds no saved model, a damaged one, one of a newer format, or
            one of an unregistered family and no ``cls`` was given; for a device that is not there,
            and for another than the CPU where the family has no networks.

    >>> import genzoo, tempfile
    >>> folder = tempfile.mkdtemp() + "/model"
    >>> genzoo.Independent().fit(["ab", "a"]).save(folder)
    >>> genzoo.load_model(folder)
    Independent()
    """
    if not isinstance(folder, (str, os.PathLike)):
        raise ValueError(f"folder: expected a path; got {folder!r}")
    folder = Path(folder)
    saved = store.read_model(folder)
    if cls is None:
        cls = _saved_class(saved)
    elif not (isinstance(cls, type) and issubclass(cls, GenerativeModel)):
        raise ValueError(f"cls: expected a GenerativeModel class; got {cls!r}")
    if device is not None and not _devices(saved):
        if device != "cpu":
            raise ValueError(
                f"device: {cls.__name__} computes on the CPU alone; leave it out (got {device!r})"
            )
        device = None
    if device is None:
        try:
            return _unpacked(cls, saved, folder)
        except NoDeviceError:
            absent = ", ".join(map(repr, _devices(saved)))
            warnings.warn(
                f"device: this machine has no {absent}, for which the model was saved: it is "
                f'loaded on the CPU, as load_model(folder, device="cpu") does without a warning',
                UserWarning,
                stacklevel=2,
            )
        device = "cpu"
    return _unpacked(cls, _moved(saved, device), folder)


def _devices(saved: store.Saved) -> list[str]:
    """The devices for which a model of networks, or parts of it, were saved."""
    own = [saved.params["device"]] if "device" in saved.params else []
    return list(dict.fromkeys([*own, *(d for p in saved.parts.values() for d in _devices(p))]))


def _moved(saved: store.Saved, device: str) -> store.Saved:
    """The same with another device, of all parts that have one."""
    own = {"device": device} if "device" in saved.params else {}
    parts = {label: _moved(part, device) for label, part in saved.parts.items()}
    return replace(saved, params={**saved.params, **own}, parts=parts)


def _saved_class(saved: store.Saved) -> type[GenerativeModel]:
    """The class of a saved model, by its key alone."""
    known = MODELS | COMPOSED
    if not saved.registered or saved.family not in known:
        raise ValueError(
            f"cls: {saved.family!r} is not a registered family; pass its class, "
            f"load_model(folder, cls={saved.family})"
        )
    found: type[GenerativeModel] = look_up(known, saved.family, "model")
    return found


def _unpacked(cls: type[GenerativeModel], saved: store.Saved, folder: Path) -> GenerativeModel:
    """The model that was saved; ``NoDeviceError`` where this machine doesn't have its device."""
    parts = {
        label: _unpacked(_saved_class(part), part, folder) for label, part in saved.parts.items()
    }
    try:
        model = cls(**saved.params, **({"models": parts} if parts else {}))
    except TypeError as error:
        raise ValueError(
            f"cls: {cls.__name__} does not take the saved parameters: {error}"
        ) from error
    try:
        with store.damage(folder):
            model._put(saved)
    except ValueError as error:
        if isinstance(error.__cause__, NoDeviceError):
            raise error.__cause__ from None
        raise
    return model
