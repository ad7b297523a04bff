"""Saved models: a folder with ``model.json`` and ``arrays.safetensors``, no pickle anywhere.

Loading runs no code from the folder: the family is looked up in the registry, or is the class
that the caller passes; a name in a file is never imported.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.budget import Training
from genzoo.model import GenerativeModel
from genzoo.schema import Schema

FORMAT_VERSION = 1


def pack_json(value: Any) -> np.ndarray:
    """A JSON value as an array of bytes, for the parts of a family's state that are not numbers."""
    return np.frombuffer(json.dumps(value, allow_nan=False).encode(), dtype=np.uint8).copy()


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


def save(model: GenerativeModel, folder: str | Path) -> None:
    """Write a fitted model to ``folder``, which is made, or replaced where it holds a model.

    Raises:
        ValueError: if the model is not fitted, a parameter has no JSON form, or ``folder`` holds
            something that is not a saved model.
    """
    from safetensors.numpy import save as to_bytes

    from genzoo.registry import key_of

    model._check_fitted("save")
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or _holds_other_things(folder)):
        raise ValueError(f"folder: expected a new folder or a saved model's; got {folder}")
    params = model.get_params(deep=False)
    for name, value in params.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise ValueError(
                f"{name}: a saved parameter needs a JSON form; got {value!r}"
            ) from None
    record = {
        "format_version": FORMAT_VERSION,
        "family": key_of(type(model)) or type(model).__qualname__,
        "registered": key_of(type(model)) is not None,
        "params": params,
        "form": model._form,
        "schema": json.loads(model.schema_.to_json()),
        "training": model.training_.to_json(),
        "versions": versions(),
    }
    # safetensors writes an array's memory as it lies, so a transposed view would come back wrong
    arrays = {k: np.ascontiguousarray(v).reshape(np.shape(v)) for k, v in model._state().items()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        write_atomically(draft / "arrays.safetensors", to_bytes(arrays))
        write_atomically(draft / "model.json", json.dumps(record, indent=1).encode())
        draft.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(draft, folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _holds_other_things(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return bool(names - {"model.json", "arrays.safetensors"})


def load_model(folder: str | Path, cls: type[GenerativeModel] | None = None) -> GenerativeModel:
    """A saved model, ready to sample and score.

    Args:
        folder: what ``model.save(folder)`` wrote.
        cls: the class, for a family that is not in the registry.

    Raises:
        ValueError: if the folder holds no saved model, a damaged one, one of a newer format, or
            one of an unregistered family and no ``cls`` was given.
    """
    from safetensors.numpy import load as from_bytes

    from genzoo.registry import MODELS, model_class

    folder = Path(folder)
    missing = [n for n in ("model.json", "arrays.safetensors") if not (folder / n).is_file()]
    if missing:
        raise ValueError(f"folder: expected a saved model; {folder} lacks {', '.join(missing)}")
    try:
        record = json.loads((folder / "model.json").read_text())
        family, params, form = record["family"], record["params"], record["form"]
        format_version, registered = record["format_version"], record["registered"]
        schema = Schema.from_json(json.dumps(record["schema"]))
        training = Training.from_json(record["training"])
        arrays = from_bytes((folder / "arrays.safetensors").read_bytes())
    except Exception as error:  # any damage to the files ends here, with the folder named
        raise ValueError(f"folder: {folder} holds a damaged model: {error}") from error
    if format_version > FORMAT_VERSION:
        raise ValueError(
            f"folder: {folder} has format {format_version}; this version reads up to "
            f"{FORMAT_VERSION}: update genzoo"
        )
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
        model = cls(**params)
    except TypeError as error:
        raise ValueError(
            f"cls: {cls.__name__} does not take the saved parameters: {error}"
        ) from error
    model.schema_, model.training_, model._form = schema, training, form
    model._restore(arrays)
    return model
