"""Saved models: a folder with ``model.json`` and ``arrays.safetensors``, no pickle anywhere.

Loading runs no code from the folder: the family is looked up in the registry, or is the class
that the caller passes; a name in a file is never imported.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import reprlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.fitting import Training
from genzoo.model import GenerativeModel
from genzoo.space.schema import Schema

COLUMNS_FILE = "columns.json"  # how the columns of the user's file are treated, where it had some
FORMAT_VERSION = 1
FORMS = ("rows", "frame", "data")  # in which samples go back


def pack_json(value: Any) -> np.ndarray:
    """A JSON value as an array of bytes, for the parts of a family's state that are not numbers.

    Raises:
        ValueError: for what has no JSON form, NaN and inf among it.
    """
    return np.frombuffer(_json("value", value), dtype=np.uint8).copy()


def _json(name: str, value: Any) -> bytes:
    try:
        return json.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError):
        raise ValueError(
            f"{name}: expected what has a JSON form, without NaN and inf; got {reprlib.repr(value)}"
        ) from None


def unpack_json(array: np.ndarray) -> Any:
    """The inverse of ``pack_json``."""
    return json.loads(np.asarray(array, dtype=np.uint8).tobytes())


def versions() -> dict[str, str]:
    """The versions of genzoo and of the libraries whose numbers it repeats."""
    found = {}
    names = ("genzoo", "torch", "numpy", "scipy", "pandas", "pgmpy", "hmmlearn", "scikit-learn")
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def write_atomically(path: Path, content: bytes) -> None:
    """Write, fsync, rename: a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # not by tempfile: its files are for their owner's eyes alone, results are to be shared
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def check_place(folder: Any, argument: str) -> Path:
    """The path of a folder that is there or can be made; a link is followed.

    Raises:
        ValueError: naming the argument, if it is no path, or a part of it is a file or closed to
            writing.
    """
    if not isinstance(folder, (str, os.PathLike)):
        raise ValueError(f"{argument}: expected a path; got {folder!r}")
    place = Path(os.path.realpath(folder))
    there = next((p for p in (place, *place.parents) if os.path.lexists(p)), place)
    if not there.is_dir():
        raise ValueError(f"{argument}: expected a folder; got {folder}, and {there} is none")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{argument}: {there} can't be written to")
    return place


def check_target(folder: Any, argument: str) -> Path:
    """Where ``save`` would write; refuses what ``save`` refuses, before a model is trained.

    Raises:
        ValueError: naming the argument.
    """
    place = check_place(folder, argument)
    if place.exists() and _holds_other_things(place):
        raise ValueError(f"{argument}: expected a new folder or a saved model's; got {folder}")
    return place


def save(model: GenerativeModel, folder: str | Path) -> None:
    """Write a fitted model to ``folder``, which is made, or replaced where it holds a model.

    Before anything is written the model is read back from what is to be written: what can be saved
    can be loaded.

    Raises:
        ValueError: if the model is not fitted; if ``load_model`` would refuse it (NaN or inf in an
            array of its state, a parameter without a JSON form, ...); if ``folder`` can't be made
            or holds something that is not a saved model.
    """
    model._check_fitted("save")
    folder = check_target(folder, "folder")
    text, content = _saved(model)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        write_atomically(draft / "arrays.safetensors", content)
        write_atomically(draft / "model.json", text)
        draft.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(draft, folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _saved(model: GenerativeModel) -> tuple[bytes, bytes]:
    """The contents of ``model.json`` and ``arrays.safetensors``."""
    from safetensors.numpy import save as to_bytes

    from genzoo.registry import key_of

    params, training = model.get_params(deep=False), model.training_.to_json()
    for name, value in [*params.items(), ("training_", training)]:
        _json(name, value)
    # safetensors writes an array's memory as it lies, so a transposed view would come back wrong
    arrays = {k: np.ascontiguousarray(v).reshape(np.shape(v)) for k, v in model._state().items()}
    for name, array in arrays.items():
        _check_array(name, array)
    schema = json.loads(model.schema_.to_json())
    try:
        content = to_bytes(arrays)
        record = {
            "format_version": FORMAT_VERSION,
            "family": key_of(type(model)) or type(model).__qualname__,
            "registered": key_of(type(model)) is not None,
            "params": params,
            "form": model._form,
            "schema": schema,
            "sha256": {"arrays": sha256(content), "schema": sha256(_canonical(schema))},
            "training": training,
            "versions": versions(),
        }
        text = json.dumps(record, indent=1).encode()
        parts = _Parts.of(json.loads(text), content)
        parts.put_into(type(model)(**parts.params))
    except Exception as error:
        raise ValueError(
            f"model: expected one that can be loaded again; got {model!r}, for which load_model "
            f"says {type(error).__name__}: {error}"
        ) from error
    return text, content


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _holds_other_things(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return bool(names - {"model.json", "arrays.safetensors", COLUMNS_FILE})


def load_model(folder: str | Path, cls: type[GenerativeModel] | None = None) -> GenerativeModel:
    """A saved model, ready to sample and score.

    Args:
        folder: what ``model.save(folder)`` wrote.
        cls: the class, for a family that is not in the registry.

    Raises:
        ValueError: if the folder holds no saved model, a damaged one, one of a newer format, or
            one of an unregistered family and no ``cls`` was given.
    """
    from genzoo.registry import MODELS, model_class

    if not isinstance(folder, (str, os.PathLike)):
        raise ValueError(f"folder: expected a path; got {folder!r}")
    folder = Path(folder)
    missing = [n for n in ("model.json", "arrays.safetensors") if not (folder / n).is_file()]
    if missing:
        raise ValueError(f"folder: expected a saved model; {folder} lacks {', '.join(missing)}")
    with _damage(folder):
        record = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        format_version = _of_type(record, "format_version", int)
    if format_version > FORMAT_VERSION:
        raise ValueError(
            f"folder: {folder} has format {format_version}; this version reads up to "
            f"{FORMAT_VERSION}: update genzoo"
        )
    with _damage(folder):
        family = _of_type(record, "family", str)
        registered = _of_type(record, "registered", bool)
        parts = _Parts.of(record, (folder / "arrays.safetensors").read_bytes())
    if cls is None:
        if not registered or family not in MODELS:
            raise ValueError(
                f"cls: {family!r} is not a registered family; pass its class, "
                f"load_model(folder, cls={family})"
            )
        cls = model_class(family)
    elif not (isinstance(cls, type) and issubclass(cls, GenerativeModel)):
        raise ValueError(f"cls: expected a GenerativeModel class; got {cls!r}")
    try:
        model = cls(**parts.params)
    except TypeError as error:
        raise ValueError(
            f"cls: {cls.__name__} does not take the saved parameters: {error}"
        ) from error
    with _damage(folder):
        parts.put_into(model)
    return model


@dataclass(frozen=True, eq=False)
class _Parts:
    """What a saved model is made of, checked as far as its class needs not be known."""

    params: dict[str, Any]
    form: str
    schema: Schema
    training: Training
    arrays: dict[str, np.ndarray]

    @classmethod
    def of(cls, record: dict[str, Any], content: bytes) -> _Parts:
        """From what ``model.json`` says, and ``arrays.safetensors`` holds."""
        params = _of_type(record, "params", dict)
        form = _of_type(record, "form", str)
        if form not in FORMS:
            raise ValueError(f"form: expected one of {', '.join(FORMS)}; got {form!r}")
        schema = Schema.from_json(json.dumps(_of_type(record, "schema", dict)))
        training = Training.from_json(_of_type(record, "training", dict))
        return cls(params, form, schema, training, _read_arrays(record, content))

    def put_into(self, model: GenerativeModel) -> None:
        model._check_params()
        model.schema_, model.training_, model._form = self.schema, self.training, self.form
        model._restore(self.arrays)


@contextlib.contextmanager
def _damage(folder: Path) -> Iterator[None]:
    """Whatever a damaged file leads to ends as a ValueError with the folder named."""
    try:
        yield
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"folder: {folder} holds a damaged model: {kind}{error}") from error


def _of_type(record: dict[str, Any], name: str, kind: type) -> Any:
    value = record[name]
    if type(value) is not kind:
        raise ValueError(f"{name}: expected {kind.__name__}; got {value!r}")
    return value


def _read_arrays(record: dict[str, Any], content: bytes) -> dict[str, np.ndarray]:
    """The arrays, if they and the schema are those that were saved and hold numbers."""
    from safetensors.numpy import load as from_bytes

    parts = {"arrays": content, "schema": _canonical(record["schema"])}
    for name, part in parts.items():
        saved, found = _of_type(record, "sha256", dict)[name], sha256(part)
        if saved != found:
            raise ValueError(f"{name}: expected SHA-256 {saved}; got {found}")
    arrays = from_bytes(content)
    for name, array in arrays.items():
        _check_array(name, array)
    return arrays


def _check_array(name: str, array: np.ndarray) -> None:
    """ValueError unless it holds numbers that the format has, or -inf, the logarithm of a zero."""
    if array.dtype.kind not in "biufc" or array.dtype.itemsize > 8:
        raise ValueError(f"{name}: expected numbers of at most 8 bytes; got {array.dtype}")
    if array.dtype.kind == "f" and not (array < np.inf).all():
        raise ValueError(f"{name}: expected numbers or -inf; got NaN or inf")
