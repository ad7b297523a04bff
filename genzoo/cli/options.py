"""Arguments and options that several commands have."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from genzoo.results.typed import as_json

DatasetArgument = Annotated[
    str,
    Argument(
        metavar="DATASET", help="A key of 'genzoo list datasets', or a file or folder of your own."
    ),
]
SchemaOption = Annotated[
    Path | None,
    Option(help="How to treat the columns of your file; 'genzoo compare' writes such files."),
]
BudgetOption = Annotated[
    str | None,
    Option(help='What a fit may take: "60s" or "2000 steps".  [default: the family\'s own]'),
]
FitsBudgetOption = Annotated[
    str | None,
    Option(
        metavar="BUDGET",
        help='What each fit may take: "60s", "2000 steps", "auto" (seconds that suit the size of '
        'the data) or "default" (each family\'s own).  [default: auto for your own data, default '
        "for data sets with a key]",
    ),
]
EncodingOption = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Of a file of text, such as cp1251.  [default: UTF-8, UTF-16 or Windows-1252, found]",
    ),
]
HeaderOption = Annotated[
    bool | None,
    Option(
        "--header/--no-header",
        help="Whether the first line of a .csv or .tsv holds names.  [default: judged by it]",
        show_default=False,
    ),
]


QuietOption = Annotated[bool, Option("--quiet", "-q", help="Say nothing but errors and warnings.")]
JsonOption = Annotated[
    bool,
    Option("--json", help="On standard output one JSON object a line, for programs, and no text."),
]


def tell(event: Mapping[str, Any]) -> None:
    """A line of ``--json``; numbers that are not finite are null."""
    typer.echo(json.dumps(as_json(event), allow_nan=False))


def check_output(quiet: bool, as_json: bool) -> None:
    """ValueError for what can't stand together."""
    if quiet and as_json:
        raise ValueError("--quiet: expected it without --json, which is for programs to read")


def check_file(name: str) -> None:
    """ValueError for what is meant as data and is no file here, with the way that works."""
    if "://" in name:
        raise ValueError(f"file: expected a file on this machine; got {name}: download it first")
    if name == "-":
        raise ValueError(
            "file: expected a file; got - (standard input is not read): write it to a file whose "
            "ending says what it is, such as .csv"
        )
    if not Path(name).exists() and set(name) & set("*?["):
        found = (
            sorted(str(path) for path in Path().glob(name)) if not Path(name).is_absolute() else []
        )
        there = f" ({len(found)} files: {', '.join(found[:3])} ...)" if found else ""
        raise ValueError(
            f"file: expected one file; got the pattern {name}{there}: name one of them"
        )
    if Path(name).is_file() and not os.access(name, os.R_OK):
        raise ValueError(f"file: {name} can't be read: it is closed to you (chmod u+r)")
