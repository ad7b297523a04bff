"""Frozen dataclasses as JSON and back: no key is missing or strange, each value is of its type."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

import numpy as np

_NAMES = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}
_ACCEPTED: dict[type, tuple[type, ...]] = {float: (int, float)}


def added_later(default: Any) -> Any:
    """A field that files of the same format may lack, and what it is then."""
    return field(default=default, metadata={"added later": True})


@dataclass(frozen=True)
class Typed:
    """What a part of a file holds; defaults of fields are for those who make one."""

    def to_json(self) -> dict[str, Any]:
        """In JSON's types, None in place of numbers that are not finite.

        Raises:
            TypeError: where something has no JSON form.
        """
        return {f.name: as_json(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_json(cls, value: Any, where: str) -> Self:
        """The inverse.

        Raises:
            ValueError: beginning with ``where``, with what was expected and what came.
        """
        if not isinstance(value, dict):
            raise ValueError(f"{where}: expected an object; got {value!r}")
        known = {f.name: f for f in fields(cls)}
        if strange := [name for name in value if name not in known]:
            raise ValueError(f"{where}: expected no {strange[0]!r}: its meaning is not known")
        missing = [n for n, f in known.items() if n not in value and not f.metadata]
        if missing:
            raise ValueError(f"{where}: expected {missing[0]!r} among the keys; it is missing")
        types_of = _types_of(cls)  # type: ignore[arg-type]
        return cls(**{n: _read(types_of[n], part, f"{where}.{n}") for n, part in value.items()})


@cache
def _types_of(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def as_json(value: Any) -> Any:
    """The value in JSON's types, None in place of numbers that are not finite.

    Raises:
        TypeError: where a part has no JSON form.
    """
    if is_dataclass(value):
        value = value.to_json()  # type: ignore[union-attr]
    if isinstance(value, dict):
        return {str(k): as_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"expected numbers, text and lists in a record; got {value!r}")


def _read(kind: Any, value: Any, where: str) -> Any:
    """A value of JSON as one of a type."""
    if kind is Any:
        return value
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in parts:
            return None
        fitting = [part for part in parts if part is type(value)]
        return _read((fitting or parts)[0], value, where)
    if origin is Literal:
        if value not in parts:
            raise ValueError(f"{where}: expected one of {', '.join(parts)}; got {value!r}")
        return value
    if origin is dict:
        _check(isinstance(value, dict), where, "an object", value)
        return {name: _read(parts[1], part, f"{where}.{name}") for name, part in value.items()}
    if origin is tuple:
        _check(isinstance(value, list), where, "a list", value)
        return tuple(_read(parts[0], part, f"{where}[{i}]") for i, part in enumerate(value))
    if is_dataclass(kind):
        return _object(kind, value, where)
    accepted = _ACCEPTED.get(kind, (kind,))
    _check(type(value) in accepted, where, _NAMES[kind], value)
    return value


def _object(kind: Any, value: Any, where: str) -> Any:
    if issubclass(kind, Typed):
        return kind.from_json(value, where)
    _check(isinstance(value, dict), where, "an object", value)
    reader: Callable[[Any], Any] = kind.from_json
    try:
        return reader(value)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{where}: {type(error).__name__}: {error}") from error


def _check(is_so: bool, where: str, expected: str, value: Any) -> None:
    if not is_so:
        raise ValueError(f"{where}: expected {expected}; got {value!r}")
