"""``genzoo data``: which data sets there are, where their files lie, fetching them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from genzoo.datasets.files import Source

MISSING_FILES = 1
NOT_FETCHED = 2  # as other commands end when a file can't be had

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Data sets and their files: list, fetch, where.",
)

# what is known without reading a file: the event's shape, and the rows of train, valid and test
SHAPES = {
    "adult": ("15", "29305/3256/16281"),
    "alarm": ("37", "10000/2000/2000"),
    "asia": ("8", "10000/2000/2000"),
    "breast_cancer": ("31", "341/114/114"),
    "casino": ("40", "4000/1000/2000"),
    "child": ("20", "10000/2000/2000"),
    "debd/accidents": ("111", "12758/1700/2551"),
    "debd/ad": ("1556", "2461/327/491"),
    "debd/baudio": ("100", "15000/2000/3000"),
    "debd/bbc": ("1058", "1670/225/330"),
    "debd/bnetflix": ("100", "15000/2000/3000"),
    "debd/book": ("500", "8700/1159/1739"),
    "debd/c20ng": ("910", "11293/3764/3764"),
    "debd/cr52": ("889", "6532/1028/1540"),
    "debd/cwebkb": ("839", "2803/558/838"),
    "debd/dna": ("180", "1600/400/1186"),
    "debd/jester": ("100", "9000/1000/4116"),
    "debd/kdd": ("64", "180092/19907/34955"),
    "debd/kosarek": ("190", "33375/4450/6675"),
    "debd/msnbc": ("17", "291326/38843/58265"),
    "debd/msweb": ("294", "29441/3270/5000"),
    "debd/nips": ("500", "400/100/1240"),
    "debd/nltcs": ("16", "16181/2157/3236"),
    "debd/plants": ("69", "17412/2321/3482"),
    "debd/pumsb_star": ("163", "12262/1635/2452"),
    "debd/tmovie": ("500", "4524/1002/591"),
    "debd/tretail": ("135", "22041/2938/4408"),
    "diabetes": ("11", "266/88/88"),
    "digits": ("8x8", "1297/200/300"),
    "digits_binary": ("8x8", "1297/200/300"),
    "fashion_mnist": ("28x28", "50000/10000/10000"),
    "grammar": ("25", "10000/2000/2000"),
    "insurance": ("27", "10000/2000/2000"),
    "iris": ("5", "90/30/30"),
    "jsb_chorales": ("16x88", "2718/329/337"),
    "jsb_voices": ("16x4", "13120/1191/1221"),
    "kmnist": ("28x28", "50000/10000/10000"),
    "mnist": ("28x28", "50000/10000/10000"),
    "mnist_binary": ("28x28", "50000/10000/10000"),
    "names": ("15", "25627/3203/3203"),
    "nottingham": ("16x88", "41841/2929/2852"),
    "promoters": ("58", "84/11/11"),
    "rings": ("2", "5000/1000/2000"),
    "sachs": ("11", "10000/2000/2000"),
    "splice": ("61", "2552/319/319"),
    "tinyshakespeare": ("64", "14813/871/1742"),
    "wine": ("14", "106/36/36"),
}


def _sources(name: str) -> list[Source]:
    """The files of a data set; ValueError for an unknown name."""
    from genzoo.datasets.files import sources_of
    from genzoo.keys import DATASETS
    from genzoo.registry import check_key

    check_key(DATASETS, name, "NAME")
    return sources_of(name)


@app.command("list")
def list_() -> None:
    """List the data sets: shape, rows, size, where their files are, licence.

    The size is that of the files, uncompressed.
    """
    from genzoo.registry import list_datasets

    table = [("name", "shape", "rows (train/valid/test)", "size", "where", "licence")]
    for name in list_datasets():
        files = _sources(name)
        size = _size(sum(file.raw_bytes for file in files)) if files else ""
        licence = files[0].licence if files else ""
        table.append((name, *SHAPES.get(name, ("", "")), size, _where(files), licence))
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo(line.rstrip())


def _size(n: int) -> str:
    return f"{n / 1e6:.1f} MB" if n >= 100_000 else f"{n / 1e3:.1f} kB"


def _where(files: list[Source]) -> str:
    """Where all of the files are."""
    from genzoo.datasets.files import VARIABLE, cache_folder, find

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
    from genzoo.datasets.files import places

    wanted = {name: _sources(name) for name in names}  # all names are known, before any download
    places()  # and so are the folders
    failed = []
    for name, files in wanted.items():
        try:
            for file in files:
                typer.echo(f"{name}: {_fetched(file)}")
        except (OSError, ValueError) as error:
            typer.echo(f"genzoo: {error}", err=True)
            failed.append(name)
            continue
        if files:
            typer.echo(f"{name}: licence: {files[0].licence}")
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
    from genzoo.datasets.download import fetch
    from genzoo.datasets.files import cache_folder, find, read_from

    path = find(file)
    if path is None:
        return fetch(file)
    try:
        read_from(path, file)
    except ValueError:
        if not path.is_relative_to(cache_folder()):
            raise
        return fetch(file)
    return path


@app.command()
def where(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key of a data set.")],
) -> None:
    """Show where the files of a data set are, or where they would go.

    Exit code 1 if a file is absent or not as it should be.
    """
    from genzoo.datasets.download import address_of
    from genzoo.datasets.files import VARIABLE, find, places, read_from

    files = _sources(name)
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
            f"and never replaced (licence: {files[0].licence})",
            err=True,
        )
        raise typer.Exit(MISSING_FILES)
