"""The code that decides a cell's numbers, as a hash: where that changes, the cell is run anew.

It holds what fits and scores (the family's module, or a class of one's own) and what judges (the
cell, validation, every metric), each with all that it imports of genzoo's. The front end, which
shows what a cell found and has no part in it, is not in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.benchmark import sources
from genzoo.benchmark.reach import Reach
from genzoo.keys import METRICS, MODELS
from genzoo.model import GenerativeModel

LENGTH = 20  # of a hash, in hexadecimal digits
JUDGES = ("genzoo.benchmark.cell", "genzoo.benchmark.validation")


@dataclass(frozen=True)
class Code:
    """Some code.

    Attributes:
        digest: its hash; equal in every process and on every machine for equal sources.
        modules: genzoo's modules from which alone it follows; None where other code is in it.
        files: what was read: module, file, digest.
    """

    digest: str
    modules: tuple[str, ...] | None
    files: frozenset[tuple[str, Path, str]]

    def is_current(self) -> bool:
        """Whether the files still hold what was read."""
        try:
            return all(sources.digest(name, path) == found for name, path, found in self.files)
        except (OSError, SyntaxError):
            return False


def hash_of(parts: Any) -> str:
    """The hash of a value in JSON's types."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def code_of(cls: type, values: Mapping[str, Any] | None = None) -> Code:
    """The code of a class: of genzoo's modules, or of one's own up to GenerativeModel.

    Args:
        cls: a family, or another class (a data set's truth).
        values: what an object of it was made with, which may hold code of its own.
    """
    reach = Reach()
    reach.visit(cls)
    for name, value in (values or {}).items():
        if _may_hold_code(value):
            reach.parts.add(f"{name} = {reach.text(value)}")
    if not reach.parts:
        return modules_code(reach.modules)
    modules = reach.modules | {GenerativeModel.__module__}
    for home in reach.homes:
        path = sources.locate(home)
        if path is not None:
            targets = sources.imported(home, path)
            modules |= {name for name in targets if sources.owner(name) == "genzoo"}
    whole = modules_code(modules)
    # a script is not read again: what it held when it was started is what runs
    homes = _files({home: sources.locate(home) for home in reach.homes - {"__main__"}})
    return Code(hash_of([whole.digest, sorted(reach.parts)]), None, whole.files | homes)


def _files(places: Mapping[str, Path | None]) -> frozenset[tuple[str, Path, str]]:
    found = ((name, path) for name, path in places.items() if path is not None)
    return frozenset((name, path, sources.digest(name, path)) for name, path in found)


def _may_hold_code(value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype == object
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return True
    return False


def modules_code(modules: Iterable[str], root: Path = sources.ROOT) -> Code:
    """The code of modules, of what they import, transitively, and of their packages.

    Args:
        modules: their full names.
        root: the folder that holds the package genzoo.
    """
    starts = tuple(sorted(modules))
    files = _files(sources.closure(starts, root))
    ours = all(sources.owner(name) == "genzoo" for name, _, _ in files)
    digests = sorted((name, digest) for name, _, digest in files)
    return Code(hash_of([starts, digests]), starts if ours else None, files)


def family_code(key: str, root: Path = sources.ROOT) -> Code:
    """The code of a registered family."""
    return modules_code([MODELS[key].partition(":")[0]], root)


def judging_code(root: Path = sources.ROOT) -> Code:
    """The code that judges every cell: metrics are looked up by name, so no import tells of them.

    Args:
        root: the folder that holds the package genzoo.
    """
    metrics = {place.partition(":")[0] for place in METRICS.values()}
    code = modules_code({*JUDGES, *metrics}, root)
    return Code(hash_of([code.digest, METRICS]), None, code.files)


def joined(*parts: Code | None) -> Code:
    """Several pieces of code as one."""
    found = [part for part in parts if part is not None]
    files = frozenset(file for part in found for file in part.files)
    return Code(hash_of([part.digest for part in found]), None, files)


def present_digest(modules: Iterable[str] | None) -> str | None:
    """The hash that code has now which followed from these modules; None where it can't be told."""
    return None if modules is None else modules_code(modules).digest
