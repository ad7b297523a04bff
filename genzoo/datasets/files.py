"""Files that a data set is read from: where they are looked for, and how they are checked.

A ``Source`` is such a file: its place (``cache_path``), where it comes from, its size and SHA-256
uncompressed, and its licence. ``data/SOURCES.csv`` is a list of them; a data set's own module may
state others. A file is looked for

1. below the folder that ``GENZOO_DATA`` names, where that is set: as ``cache_path`` or
   ``cache_path.gz``. Nothing is ever written there, so it may be read-only or shared;
2. below the cache folder, ``$XDG_CACHE_HOME/genzoo`` or ``~/.cache/genzoo``, under the same names;
3. at its upstream address, from which it is downloaded into the cache (``download.py``).

Its content is checked each time that it is read.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
import zlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from genzoo.datasets.vision import address_and_md5

VARIABLE = "GENZOO_DATA"


@dataclass(frozen=True)
class Source:
    """A file, or a row of ``SOURCES.csv``; ``raw_sha256`` is empty where torchvision knows the sum.

    ``upstream`` is ``github:OWNER/NAME@COMMIT:PATH``, an ``https:`` address (``.gz`` is unpacked,
    ``#NAME`` is the member of a zip archive) or ``torchvision:CLASS:FILE``.
    """

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


def listed(dataset: str) -> tuple[Source, ...]:
    """The listed files of a data set."""
    return tuple(source for source in sources().values() if source.dataset == dataset)


def packaged(name: str) -> bytes:
    """A file that comes with the package, as it is stored."""
    return resources.files("genzoo.datasets").joinpath("data", name).read_bytes()


def cache_folder() -> Path:
    """The folder for downloaded files; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # a relative path is to be ignored, says the XDG base directory specification
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "genzoo"


def places() -> list[Path]:
    """The folders in which a file is looked for, in this order.

    Raises:
        ValueError: if ``GENZOO_DATA`` is set and names no folder.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return [cache_folder()]
    if not os.path.isdir(folder):
        what = "which is no folder" if os.path.exists(folder) else "which does not exist"
        raise ValueError(f"{VARIABLE}: expected the path of a folder; got {folder!r}, {what}")
    return [Path(folder), cache_folder()]


def find(source: Source) -> Path | None:
    """The file, plain or as ``.gz``, or None where it would have to be downloaded."""
    for folder in places():
        for path in (folder / source.cache_path, folder / f"{source.cache_path}.gz"):
            if path.is_file():
                return path
    return None


def read_from(path: Path, source: Source) -> bytes:
    """The content of ``path``, unpacked and checked."""
    raw = path.read_bytes()
    if path.suffix == ".gz":
        if not source.raw_sha256:
            check_packed(raw, source, str(path))
        raw = unzipped(raw, source, str(path))
    return checked(raw, source, str(path))


def unzipped(packed: bytes, source: Source, where: str) -> bytes:
    """The content of a gzip file, or a ValueError; a byte more than listed is the most it reads."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            return file.read(source.raw_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{where}: expected a whole gzip file; {error}") from error


def checked(raw: bytes, source: Source, where: str) -> bytes:
    """``raw``, or a ValueError that names both sums if it is not the listed content."""
    found = hashlib.sha256(raw).hexdigest()
    if found != source.raw_sha256 and source.raw_sha256:
        size = f"more than {source.raw_bytes}" if len(raw) > source.raw_bytes else f"{len(raw)}"
        raise ValueError(
            f"{where}: expected SHA-256 {source.raw_sha256} ({source.raw_bytes} bytes "
            f"uncompressed); got {found} ({size} bytes); the file is not used"
        )
    if len(raw) != source.raw_bytes:
        raise ValueError(f"{where}: expected {source.raw_bytes} bytes; got {len(raw)}")
    return raw


def check_packed(packed: bytes, source: Source, where: str) -> None:
    """ValueError that names both sums unless the MD5 is the one that torchvision lists."""
    expected = address_and_md5(source.upstream)[1]
    found = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    if found != expected:
        raise ValueError(
            f"{where}: expected MD5 {expected} (as torchvision lists it); got {found}; "
            f"the file is not used"
        )
