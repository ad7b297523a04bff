"""Saved models: a folder with ``model.json`` and ``arrays.safetensors``, no pickle anywhere.

Loading runs no code from the folder: it holds JSON and numbers, and a name in it is never imported.
What the parts mean is for others to say; here they are written, read and checked for damage.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import reprlib
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

from genzoo.spelling import did_you_mean_path

COLUMNS_FILE = "columns.json"  # how the columns of the user's file are treated, where it had some
FORMAT_VERSION = 1


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
    draft = _draft_of(path)
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """A value of JSON's types, written atomically."""
    write_atomically(path, json.dumps(value, indent=1, allow_nan=False).encode())


def _draft_of(path: Path) -> Path:
    """Where to write what is to take the path's place."""
    # not by tempfile: its files are for their owner's eyes alone, results are to be shared
    return path.parent / f".{path.name}.{secrets.token_hex(8)}.draft"


def clear_drafts(folder: Path) -> None:
    """Remove what writers left in the folder that were killed; for a caller who knows that nobody
    writes there now."""
    for draft in folder.glob(".*.????????????????.draft"):
        if draft.is_dir():
            shutil.rmtree(draft)
        else:
            draft.unlink()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def check_place(folder: str | os.PathLike[str], argument: str) -> Path:
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


def check_target(folder: str | os.PathLike[str], argument: str) -> Path:
    """Where ``save`` would write; refuses what ``save`` refuses, before a model is trained.

    Raises:
        ValueError: naming the argument.
    """
    place = check_place(folder, argument)
    if place.exists() and _holds_other_things(place):
        raise ValueError(f"{argument}: expected a new folder or a saved model's; got {folder}")
    return place


@dataclass(frozen=True, eq=False)
class Saved:
    """What a saved model is made of.

    Attributes:
        family: its key in the registry, or the name of its class.
        registered: whether it is a key.
        params: the constructor's arguments.
        form: in which samples go back.
        schema, training: what their ``to_json`` gave, as JSON's types.
        arrays: what was learned.
        parts: of a model that is made of models, these, by label, with its form and schema.
    """

    family: str
    registered: bool
    params: dict[str, Any]
    form: str
    schema: dict[str, Any]
    training: dict[str, Any]
    arrays: dict[str, np.ndarray]
    parts: dict[str, Saved] = field(default_factory=dict)

    def packed(self) -> tuple[bytes, bytes]:
        """The contents of ``model.json`` and ``arrays.safetensors``.

        Raises:
            ValueError: for what has no JSON form, and for NaN and inf.
        """
        arrays = self._all_arrays()
        check_arrays(arrays)
        try:
            content = to_bytes(arrays)
        except Exception as error:
            raise ValueError(
                f"model: expected arrays under names that can be loaded again; "
                f"{type(error).__name__}: {error}"
            ) from error
        record = {
            "format_version": FORMAT_VERSION,
            **self._description(),
            "form": self.form,
            "schema": self.schema,
            "sha256": {"arrays": sha256(content), "schema": sha256(_canonical(self.schema))},
            "versions": versions(),
        }
        return json.dumps(record, indent=1).encode(), content

    def _description(self) -> dict[str, Any]:
        """What stands in JSON, of the parts too."""
        params = {k: v.item() if isinstance(v, np.generic) else v for k, v in self.params.items()}
        for name, value in [*params.items(), ("training_", self.training)]:
            _json(name, value)
        own = {
            "family": self.family,
            "registered": self.registered,
            "params": params,
            "training": self.training,
        }
        if self.parts:
            own["parts"] = {label: part._description() for label, part in self.parts.items()}
        return own

    def _all_arrays(self) -> dict[str, np.ndarray]:
        """The arrays, those of the parts under ``label/name``."""
        # safetensors writes an array's memory as it lies: a transposed view would come back wrong
        found = {k: np.ascontiguousarray(v).reshape(np.shape(v)) for k, v in self.arrays.items()}
        for label, part in self.parts.items():
            found |= {f"{label}/{name}": array for name, array in part._all_arrays().items()}
        return found

    @classmethod
    def unpacked(cls, text: bytes, content: bytes) -> Saved:
        """The inverse of ``packed``.

        Raises:
            Exception: of many kinds, for what is damaged.
        """
        record = json.loads(text)
        form, schema = _of_type(record, "form", str), _of_type(record, "schema", dict)
        return cls._described(record, form, schema, _read_arrays(record, content))

    @classmethod
    def _described(
        cls,
        record: dict[str, Any],
        form: str,
        schema: dict[str, Any],
        arrays: dict[str, np.ndarray],
    ) -> Saved:
        """The inverse of ``_description`` and ``_all_arrays``."""
        kinds = {"family": str, "registered": bool, "params": dict, "training": dict}
        own = {name: _of_type(record, name, kind) for name, kind in kinds.items()}
        parts = {}
        for label, part in record.get("parts", {}).items():
            prefix = f"{label}/"
            theirs = {k: v for k, v in arrays.items() if k.startswith(prefix)}
            arrays = {k: v for k, v in arrays.items() if k not in theirs}
            theirs = {k.removeprefix(prefix): v for k, v in theirs.items()}
            parts[label] = cls._described(part, form, schema, theirs)
        return cls(**own, form=form, schema=schema, arrays=arrays, parts=parts)


def read_model(folder: Path) -> Saved:
    """The parts of a saved model.

    Raises:
        ValueError: if the folder holds no saved model, a damaged one or one of a newer format.
    """
    missing = [n for n in ("model.json", "arrays.safetensors") if not (folder / n).is_file()]
    if missing:
        hint = "" if folder.exists() else did_you_mean_path(folder, folder=True)
        raise ValueError(
            f"folder: expected a saved model; {folder} lacks {', '.join(missing)}{hint}"
        )
    with damage(folder):
        text = (folder / "model.json").read_bytes()
        format_version = _of_type(json.loads(text), "format_version", int)
    if format_version > FORMAT_VERSION:
        raise ValueError(
            f"folder: {folder} has format {format_version}; this version reads up to "
            f"{FORMAT_VERSION}: update genzoo"
        )
    with damage(folder):
        return Saved.unpacked(text, (folder / "arrays.safetensors").read_bytes())


def write_model(folder: Path, text: bytes, content: bytes) -> None:
    """What ``Saved.packed`` gave, into a folder of ``check_target``."""
    with replaced(folder) as draft:
        write_atomically(draft / "arrays.safetensors", content)
        write_atomically(draft / "model.json", text)


def give_back(folder: Path, form: str) -> None:
    """Change the form in which a saved model's samples go back."""
    path = folder / "model.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    write_atomically(path, json.dumps({**record, "form": form}, indent=1).encode())


@contextlib.contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A draft of a folder to write to, which takes its place as a whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft_of(folder)
    try:
        draft.mkdir()
        yield draft
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(draft, folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _holds_other_things(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return bool(names - {"model.json", "arrays.safetensors", COLUMNS_FILE})


@contextlib.contextmanager
def damage(folder: Path) -> Iterator[None]:
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
    parts = {"arrays": content, "schema": _canonical(record["schema"])}
    for name, part in parts.items():
        saved, found = _of_type(record, "sha256", dict)[name], sha256(part)
        if saved != found:
            raise ValueError(f"{name}: expected SHA-256 {saved}; got {found}")
    arrays = from_bytes(content)
    check_arrays(arrays)
    return arrays


class NotFiniteError(FloatingPointError, ValueError):
    """NaN or inf in something that is to be saved."""


def check_arrays(arrays: Mapping[str, np.ndarray]) -> None:
    """ValueError unless all are numbers that the format has, or -inf, the logarithm of a zero.

    Raises:
        NotFiniteError: for NaN and inf, a ValueError and a FloatingPointError.
    """
    if not isinstance(arrays, Mapping):
        raise ValueError(f"_state: expected a dict of arrays; got {type(arrays).__name__}")
    for name, array in arrays.items():
        array = np.asarray(array)
        if array.dtype.kind not in "biufc" or array.dtype.itemsize > 8:
            raise ValueError(f"{name}: expected numbers of at most 8 bytes; got {array.dtype}")
        if array.dtype.kind == "f" and not (array < np.inf).all():
            raise NotFiniteError(f"{name}: expected numbers or -inf; got NaN or inf")
