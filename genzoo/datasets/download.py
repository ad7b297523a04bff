"""Downloads into the cache folder: resumed, bounded, checked, then put in place in one step.

A download goes into a ``.part`` file below ``partial/`` in the cache, which the next attempt, or
the next run, continues. Only content with the listed checksum is moved to its place. One process
at a time downloads a file; others wait and then find it.

Behind a firewall, ``GENZOO_MIRROR`` may name the address of a server that hands on others' files:
with ``http://mirror.local/zoo``, ``https://host/path`` is asked for as
``http://mirror.local/zoo/host/path``.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import os
import re
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from genzoo.datasets.files import (
    VARIABLE,
    Source,
    cache_folder,
    check_packed,
    checked,
    find,
    places,
    read_from,
    sources,
    unzipped,
)
from genzoo.datasets.vision import address_and_md5
from genzoo.store import write_atomically

MIRROR = "GENZOO_MIRROR"
TIMEOUT = 20.0  # seconds in which a server must say something
TRIES = 10  # attempts at a file, in all
FRUITLESS = 3  # attempts in a row that bring nothing new
PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds before the second attempt; doubled each time
CHUNK = 1 << 16
LARGEST_ARCHIVE = 1 << 26  # bytes of a zip archive, whose size is not listed
TRY_AGAIN = (408, 425, 429)  # of the client's errors; all of the server's are tried again

Report = Callable[[int, int | None], None]  # bytes received, of how many


class _CutError(OSError):
    """The server stopped in the middle, or said that it may do better later."""


class _RefusedError(OSError):
    """Another attempt would end in the same way."""


class _CacheError(OSError):
    """The cache folder can't be written."""


def read(source: Source) -> bytes:
    """The checked content, uncompressed; downloaded first where it is in none of the places.

    Raises:
        FileNotFoundError: if it is absent and can't be downloaded; the message says what to put
            where.
        ValueError: if the content is not what is listed, or ``GENZOO_DATA`` names no folder.
    """
    path = find(source)
    if path is None:
        path = fetch(source)
    return read_from(path, source)


def fetch(source: Source, *, timeout: float = TIMEOUT, pause: float = PAUSE) -> Path:
    """Download a file into the cache folder and return its path there.

    An archive is downloaded once for all the listed files that are in it. A file in the cache that
    is not what is listed is replaced; it stays until a good one is there.

    Args:
        source: what to fetch.
        timeout: seconds in which the server must answer, and go on answering.
        pause: seconds before the second attempt; doubled before each further one.

    Raises:
        FileNotFoundError: if it can't be downloaded; the message says why and what to put where.
        ValueError: if what comes is not what is listed (it is not kept); or if the file that is
            there is not, and can't be replaced.
    """
    address = address_of(source)
    together = [s for s in sources().values() if _archive(s) == _archive(source)] or [source]
    digest = hashlib.sha256(_archive(source).encode()).hexdigest()
    part = cache_folder() / "partial" / f"{digest[:12]}-{address.rsplit('/', 1)[1]}.part"
    stale: Path | None = None
    wrong: ValueError | None = None
    try:
        with contextlib.ExitStack() as stack:
            with _writing():
                part.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(f"{part}.lock"))
            report = stack.enter_context(_bar(source.cache_path))
            path = find(source)
            if path is not None:
                try:
                    read_from(path, source)
                    return path  # another process was quicker
                except ValueError as error:
                    if not path.is_relative_to(cache_folder()):
                        raise
                    stale, wrong = path, error
            if "download only" in source.licence:
                _tell(source.dataset, source.licence)
            while True:
                resumed = part.exists()
                _download(address, part, source, timeout, pause, report)
                try:
                    _place(part, together)
                    if stale is not None and stale != _target(source):
                        stale.unlink()  # or it might still be found first
                    return _target(source)
                except ValueError:
                    # what an earlier run left may be of another file: once more from the start
                    if not resumed:
                        raise
                finally:
                    part.unlink(missing_ok=True)
    except OSError as error:
        why = _why(address, error)
        if wrong is not None:
            raise ValueError(
                f"{source.dataset}: {wrong}. It is kept as it is, and {why}. Put a good one in its "
                f"place ({_from(source)})"
            ) from error
        raise FileNotFoundError(_absent(source, why, isinstance(error, _CacheError))) from error


def _why(address: str, error: OSError) -> str:
    """What prevented the download, in words."""
    if isinstance(error, _CacheError):
        return f"the cache folder {cache_folder()} can't be written: {error}"
    problem = str(error).removeprefix("<urlopen error ").removesuffix(">")
    return f"it can't be downloaded from {address}: {problem}"


def _absent(source: Source, why: str, unwritable: bool) -> str:
    at = " or ".join(str(folder / source.cache_path) for folder in places())
    advice = "Download it elsewhere and put it there, or set"
    if unwritable:
        advice = "Set XDG_CACHE_HOME to a folder that can be written, or"
    return (
        f"{source.dataset}: no file {at} (or with .gz), and {why}. {advice} the environment "
        f"variable {VARIABLE} to a folder that holds {source.cache_path} or "
        f"{source.cache_path}.gz ({_from(source)})"
    )


def _from(source: Source) -> str:
    return f"from {source.upstream}; {source.raw_bytes} bytes; licence: {source.licence}"


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Around what writes to the cache, to tell its errors from the network's."""
    try:
        yield
    except OSError as error:
        raise _CacheError(str(error)) from error


@cache
def _tell(dataset: str, licence: str) -> None:
    print(f"genzoo: {dataset}: licence: {licence}", file=sys.stderr)


# -------------------------------------------------------------------------------- addresses


def address_of(source: Source) -> str:
    """The address that a file is downloaded from, that of its archive where it is in one.

    Raises:
        ValueError: if ``GENZOO_MIRROR`` is set and is no address.
    """
    kind, _, rest = source.upstream.partition(":")
    if kind == "github":
        repository, commit, path = re.split("[@:]", rest, maxsplit=2)
        path = urllib.parse.quote(path)
        address = f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"
    elif kind == "torchvision":
        address = address_and_md5(source.upstream)[0]
    else:
        address = _archive(source)
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return address
    if not mirror.startswith(("http://", "https://")):
        raise ValueError(f"{MIRROR}: expected an http: or https: address; got {mirror!r}")
    return f"{mirror.rstrip('/')}/{address.split('://')[1]}"


def _archive(source: Source) -> str:
    """``upstream`` without the name of a member."""
    return source.upstream.partition("#")[0]


def _limit(source: Source) -> int:
    """The most bytes that the download may have."""
    if "#" in source.upstream:
        return LARGEST_ARCHIVE
    # gzip makes what it can't compress larger by less than a thousandth
    slack = source.raw_bytes // 1000 + CHUNK if source.upstream.endswith(".gz") else 0
    return source.raw_bytes + slack


# -------------------------------------------------------------------------------- receiving


def _download(
    address: str, part: Path, source: Source, timeout: float, pause: float, report: Report
) -> None:
    """Bring ``part`` to the end, in several attempts where need be; OSError where none helps."""
    fruitless = 0
    for attempt in range(1, TRIES + 1):
        before = _size(part)
        try:
            _receive(address, part, source, timeout, report)
            return
        except _CacheError:
            raise
        except (OSError, http.client.HTTPException) as error:
            problem = error
        if isinstance(problem, _RefusedError) or _is_offline(problem):
            break
        fruitless = 0 if _size(part) > before else fruitless + 1
        if fruitless == FRUITLESS:
            break
        if attempt < TRIES:
            time.sleep(min(LONGEST_PAUSE, pause * 2 ** (attempt - 1)))
    raise OSError(str(problem) or type(problem).__name__) from problem


def _is_offline(error: Exception) -> bool:
    """Whether there is no network, or nobody at the address."""
    reason = getattr(error, "reason", error)
    unreachable = getattr(reason, "errno", None) in (errno.ENETUNREACH, errno.EHOSTUNREACH)
    return unreachable or isinstance(reason, (socket.gaierror, ConnectionRefusedError))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _receive(address: str, part: Path, source: Source, timeout: float, report: Report) -> None:
    """One attempt: what is not yet in ``part``, appended to it."""
    have, limit = _size(part), _limit(source)
    headers = {"User-Agent": f"genzoo/{version('genzoo')}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(address, headers=headers), timeout=timeout
        )
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and have:
                part.unlink()  # it is as long as the whole, or longer
            elif error.code < 500 and error.code not in TRY_AGAIN:
                raise _RefusedError(f"HTTP status {error.code} ({error.reason})") from error
            raise _CutError(f"HTTP status {error.code} ({error.reason})") from error
    with response:
        if response.status != 206:
            have = 0  # the server sends all of it, whatever was asked for
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink(missing_ok=True)
            raise _CutError("the server sent another range than was asked for")
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        if total is not None and total > limit:
            raise _RefusedError(f"expected at most {limit} bytes; the server offers {total}")
        with contextlib.ExitStack() as stack:
            with _writing():
                file = stack.enter_context(open(part, "ab" if have else "wb"))
            while chunk := response.read1(CHUNK):
                have += len(chunk)
                if have > limit:
                    file.close()
                    part.unlink()
                    raise _RefusedError(f"expected at most {limit} bytes; the server sends more")
                with _writing():
                    file.write(chunk)
                    file.flush()  # here, not when it is closed
                report(have, total)
    if total is None and not source.upstream.endswith(".gz") and "#" not in source.upstream:
        total = source.raw_bytes
    if total is not None and have < total:
        raise _CutError(f"the connection was cut after {have} of {total} bytes")


# -------------------------------------------------------------------------------- putting in place


def _place(part: Path, together: list[Source]) -> None:
    """Check what was downloaded, and write the files that are in it; ValueError if one is wrong."""
    packed = part.read_bytes()
    contents = {}
    for source in together:
        raw = packed
        if _is_kept_packed(source):
            check_packed(packed, source, source.upstream)
        elif "#" in source.upstream:
            raw = checked(_member(part, source), source, source.upstream)
        else:
            if source.upstream.endswith(".gz"):
                raw = unzipped(packed, source, source.upstream)
            checked(raw, source, source.upstream)
        contents[_target(source)] = raw
    with _writing():
        for target, content in contents.items():
            write_atomically(target, content)


def _is_kept_packed(source: Source) -> bool:
    """Of what torchvision knows, only the packed file can be checked again."""
    return source.upstream.startswith("torchvision:")


def _target(source: Source) -> Path:
    """The place of a downloaded file in the cache."""
    path = cache_folder() / source.cache_path
    return path.with_name(f"{path.name}.gz") if _is_kept_packed(source) else path


def _member(part: Path, source: Source) -> bytes:
    """A file of a zip archive; a byte more than listed is the most it reads."""
    name = source.upstream.partition("#")[2]
    try:
        with zipfile.ZipFile(part) as archive:
            if name not in archive.namelist():
                raise ValueError(
                    f"{source.upstream}: expected a member {name!r}; the archive holds "
                    f"{', '.join(archive.namelist()[:10]) or 'none'}"
                )
            with archive.open(name) as member:
                return member.read(source.raw_bytes + 1)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, zlib.error) as error:
        raise ValueError(f"{source.upstream}: expected a whole zip archive; {error}") from error


@contextlib.contextmanager
def _bar(title: str) -> Iterator[Report]:
    """A progress bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda received, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda received, total: bar.update(task, completed=received, total=total)
