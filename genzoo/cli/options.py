"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

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
