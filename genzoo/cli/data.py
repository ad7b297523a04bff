"""``genzoo data``: which data sets there are, where their files lie, fetching them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genzoo.datasets.download import address_of
from genzoo.datasets.download import fetch as download
from genzoo.datasets.entry import Entry
from genzoo.datasets.files import VARIABLE, Source, cache_folder, find, places, read_from
from genzoo.keys import DATASETS
from genzoo.registry import check_key, dataset_entry, list_datasets

MISSING_FILES = 1
NOT_FETCHED = 2  # as other commands end when a file can't be had

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Data sets and their files: list, fetch, where.",
)


def _entry(name: str) -> Entry:
    """The entry of a data set; ValueError for an unknown name."""
    check_key(DATASETS, name, "NAME")
    return dataset_entry(name)


@app.command("list")
def list_() -> None:
    """List the data sets: shape, rows, size, where their files are, licence.

    The size is that of the files, uncompressed.
    """
    table = [("name", "shape", "rows (train/valid/test)", "size", "where", "licence")]
    for name in list_datasets():
        entry = dataset_entry(name)
        shape, rows = "x".join(map(str, entry.shape)), "/".join(map(str, entry.rows))
        size = size_of(entry.raw_bytes) if entry.files else ""
        table.append((name, shape, rows, size, _where(entry.files), entry.licence))
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo(line.rstrip())


def size_of(n: int) -> str:
    return f"{n / 1e6:.1f} MB" if n >= 100_000 else f"{n / 1e3:.1f} kB"


def _where(files: tuple[Source, ...]) -> str:
    """Where all of the files are."""
    if not files:
        return "embedded"
    paths = [find(file) for file in files]
    if None in paths:
        return "to download"
    cached = any(path is not None and path.is_relative_to(cache_folder()) for path in paths)
    return "cache" if cached else VARIABLE


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Keys of data sets.")],
) -> None:
    """Download the files of data sets into the cache, and check those that are there.

    A file in the cache that is not as it should be is downloaded again, and kept until that is
    done. An interrupted download goes on where it stopped. What can't be fetched is told, and the
    others are fetched all the same; the exit code is 2 then. Behind a firewall, GENZOO_MIRROR may
    name the address of a server that hands on others' files: MIRROR/HOST/PATH stands for
    https://HOST/PATH.

    Example: genzoo data fetch mnist jsb_chorales
    """
    wanted = {name: _entry(name) for name in names}  # all names are known, before any download
    places()  # and so are the folders
    failed = []
    for name, entry in wanted.items():
        try:
            for file in entry.files:
                typer.echo(f"{name}: {_fetched(file)}")
        except (OSError, ValueError) as error:
            typer.echo(f"genzoo: {error}", err=True)
            failed.append(name)
            continue
        if entry.files:
            typer.echo(f"{name}: licence: {entry.licence}")
        else:
            typer.echo(f"{name}: embedded, nothing to fetch")
    if failed:
        typer.echo(
            f"genzoo: {len(failed)} of {len(wanted)} data sets not fetched: {', '.join(failed)}",
            err=True,
        )
        raise typer.Exit(NOT_FETCHED)


def _fetched(file: Source) -> Path:
    """The path of a file that is there and right."""
    path = find(file)
    if path is None:
        return download(file)
    try:
        read_from(path, file)
    except ValueError:
        if not path.is_relative_to(cache_folder()):
            raise
        return download(file)
    return path


@app.command()
def where(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key of a data set.")],
) -> None:
    """Show where the files of a data set are, or where they would go.

    Exit code 1 if a file is absent or not as it should be.
    """
    entry = _entry(name)
    files = entry.files
    if not files:
        typer.echo("embedded: comes with genzoo or one of the libraries below it")
    absent = wrong = 0
    for file in files:
        path = find(file)
        if path is not None:
            try:
                read_from(path, file)
                typer.echo(path)
            except ValueError as error:
                wrong += 1
                typer.echo(f"wrong: {error}")
            continue
        absent += 1
        at = " or ".join(str(folder / file.cache_path) for folder in places())
        typer.echo(f"absent: {at} (or with .gz); would be downloaded from {address_of(file)}")
    if absent or wrong:
        counts = {"absent": absent, "wrong": wrong}
        found = " and ".join(f"{n} {what}" for what, n in counts.items() if n)
        typer.echo(
            f"{name}: {found} of {len(files)} files: 'genzoo data fetch {name}' downloads them "
            f"into the cache; files below the folder that {VARIABLE} names are used as they are "
            f"and never replaced (licence: {entry.licence})",
            err=True,
        )
        raise typer.Exit(MISSING_FILES)
