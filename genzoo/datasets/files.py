"""Files that a data set is read from: found below ``GENZOO_DATA`` and checked by their SHA-256.

``data/SOURCES.csv`` lists every file that a loader may use: its place (``cache_path``), where it
comes from, its size and SHA-256 uncompressed, and its licence.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

VARIABLE = "GENZOO_DATA"


@dataclass(frozen=True)
class Source:
    """A row of ``SOURCES.csv``."""

    dataset: str
    split: str
    cache_path: str
    upstream: str
    raw_bytes: int
    raw_sha256: str
    licence: str


@cache
def sources() -> dict[str, Source]:
    """Every listed file by its ``cache_path``."""
    text = packaged("SOURCES.csv").decode()
    rows = csv.DictReader(text.splitlines())
    return {r["cache_path"]: Source(raw_bytes=int(r.pop("raw_bytes")), **r) for r in rows}


def packaged(name: str) -> bytes:
    """A file that comes with the package, as it is stored."""
    return resources.files("genzoo.datasets").joinpath("data", name).read_bytes()


def read(cache_path: str) -> bytes:
    """The checked content, uncompressed, of ``cache_path`` or ``cache_path.gz`` in GENZOO_DATA.

    Raises:
        FileNotFoundError: if neither is there; the message says what to put where.
        ValueError: if the content is not what ``SOURCES.csv`` lists.
    """
    source = sources()[cache_path]
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise FileNotFoundError(
            f"{source.dataset}: needs the file {cache_path}: set the environment variable "
            f"{VARIABLE} to a folder that holds {cache_path} or {cache_path}.gz "
            f"(from {source.upstream}; licence: {source.licence})"
        )
    plain = Path(folder) / cache_path
    packed = Path(f"{plain}.gz")
    if plain.is_file():
        return checked(plain.read_bytes(), cache_path, str(plain))
    if packed.is_file():
        try:
            raw = gzip.decompress(packed.read_bytes())
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{packed}: expected a whole gzip file; {error}") from error
        return checked(raw, cache_path, str(packed))
    raise FileNotFoundError(
        f"{source.dataset}: no file {plain} or {packed}: put it there "
        f"(from {source.upstream}; licence: {source.licence})"
    )


def checked(raw: bytes, cache_path: str, where: str) -> bytes:
    """``raw``, or a ValueError that names both sums if it is not the listed content."""
    source = sources()[cache_path]
    found = hashlib.sha256(raw).hexdigest()
    if found != source.raw_sha256:
        raise ValueError(
            f"{where}: expected SHA-256 {source.raw_sha256} ({source.raw_bytes} bytes "
            f"uncompressed); got {found} ({len(raw)} bytes); the file is not used"
        )
    return raw
