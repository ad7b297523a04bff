"""``genzoo list``: what there is, with a line of description each."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from typing import Annotated, Any

import typer

from genzoo import catalogue
from genzoo.cli.data import size_of
from genzoo.datasets.entry import LAYOUTS, Entry
from genzoo.datasets.files import find
from genzoo.spelling import did_you_mean

Table = list[dict[str, Any]]  # a dict a line, with the same keys in all
Cells = list[dict[str, str]]  # its texts, by the titles of the columns


def list_(
    what: Annotated[
        str | None, typer.Argument(metavar="[models|datasets|metrics]", help="Only these.")
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(LAYOUTS), help="Only data sets whose variables lie together like this."
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="Only what has all of these words in its line."),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="As JSON: a list for each table; sizes in bytes."),
    ] = False,
) -> None:
    """List the model families, data sets and metrics, with what helps to choose.

    Of a family: whether the log-likelihoods of whole rows, and of rows with holes, are exact or
    bounds, and what else it offers. Of a data set: how its variables lie together, whether the true
    distribution is known, the column of the class, and where its files are. Of a metric: which
    values are good.

    Where the output is no terminal each line is whole, for grep.

    Examples: genzoo list models; genzoo list datasets --layout text; genzoo list --search exact
    """
    if what is not None and what not in TABLES:
        hint = did_you_mean(what, TABLES)
        raise ValueError(f"list: expected models, datasets or metrics; got {what!r}{hint}")
    if layout is not None:
        if layout not in LAYOUTS:
            hint = did_you_mean(layout, LAYOUTS)
            raise ValueError(
                f"--layout: expected one of {', '.join(LAYOUTS)}; got {layout!r}{hint}"
            )
        if what not in (None, "datasets"):
            raise ValueError(f"--layout: holds for datasets; got {what}")
        what = "datasets"
    tables = {name: TABLES[name]() for name in TABLES if what in (None, name)}
    if layout is not None:
        tables["datasets"] = [line for line in tables["datasets"] if line["layout"] == layout]
    if search is not None:
        tables = {name: _found(table, search) for name, table in tables.items()}
    if as_json:
        typer.echo(json.dumps(tables, indent=1, ensure_ascii=False))
        return
    shown = {name: table for name, table in tables.items() if table}
    if not shown:
        typer.echo("genzoo: nothing found", err=True)
        return
    for i, (name, table) in enumerate(shown.items()):
        if len(tables) > 1:
            typer.echo("\n" * (i > 0) + f"{name}:")
        (_on_terminal if sys.stdout.isatty() else _as_lines)([*map(_texts, table)])


def _models() -> Table:
    names = ("log_prob", "with_holes", "offers", "about")
    return [
        {"key": key} | {name: facts.get(name) for name in names}
        for key, facts in catalogue.families().items()
    ]


def _datasets() -> Table:
    return [
        {
            "key": key,
            "layout": entry.layout,
            "variables": catalogue.n_variables(entry),
            "rows": list(entry.rows),
            "truth": entry.truth,
            "label": entry.label,
            "files": _where(entry),
            "size": entry.raw_bytes or None,
            "licence": entry.licence,
            "about": entry.about,
        }
        for key, entry in catalogue.datasets().items()
    ]


def _where(entry: Entry) -> str:
    """Where the files are; ``genzoo data where`` names the folder."""
    if not entry.files:
        return "embedded"
    return "download" if any(find(file) is None for file in entry.files) else "here"


def _metrics() -> Table:
    return [
        {
            "key": key,
            "title": metric.title,
            "of": catalogue.looks_at(metric),
            "good": catalogue.best(metric),
            "unit": metric.unit,
            "meaning": metric.meaning,
        }
        for key, metric in catalogue.metrics().items()
    ]


TABLES = {"models": _models, "datasets": _datasets, "metrics": _metrics}
TITLES = {
    "log_prob": "likelihood",
    "with_holes": "with holes",
    "variables": "vars",
    "about": "what it is",
    "meaning": "what it is",
}
ONLY_IN_JSON = ("licence",)  # "genzoo data list" has it in a table
LONG = ("what it is", "offers")
GAP, LEAST_WIDTH = 2, 32  # characters: between columns; of a column of long cells


def _found(table: Table, words: str) -> Table:
    """The lines with all of some words, in capitals or not."""
    wanted = words.casefold().split()
    return [
        line
        for line in table
        if all(w in " ".join(_texts(line).values()).casefold() for w in wanted)
    ]


def _texts(line: dict[str, Any]) -> dict[str, str]:
    """The cells of a line by the names of their columns."""
    shown = {name: value for name, value in line.items() if name not in ONLY_IN_JSON}
    return {TITLES.get(name, name): _text(name, value) for name, value in shown.items()}


def _text(name: str, value: Any) -> str:
    if value is None or value is False:
        return "-"
    if value is True:
        return "known"
    if name == "size":
        return size_of(value)
    if name == "rows":
        return f"{sum(value):,}"
    if name == "meaning":  # of which the first sentence is what it is
        return str(value).partition(". ")[0].rstrip(".")
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return f"{value:,}" if isinstance(value, int) else str(value).rstrip(".")


def _as_lines(lines: Cells) -> None:
    """Aligned, a line for each, none cut off."""
    lines = [{title: title for title in lines[0]}, *lines]
    widths = _widths(lines)
    for line in lines:
        typer.echo("  ".join(cell.ljust(widths[t]) for t, cell in line.items()).rstrip())


def _widths(lines: Cells) -> dict[str, int]:
    return {title: max(len(line[title]) for line in lines) for title in lines[0]}


def _on_terminal(lines: Cells) -> None:
    """As wide as the screen. Where it has no room for long cells they go below the others."""
    width = shutil.get_terminal_size().columns
    short = [{t: cell for t, cell in line.items() if t not in LONG} for line in lines]
    heads = [{t: t for t in short[0]}, *short]
    widths = _widths(heads)
    n_long = len(lines[0]) - len(widths)
    if sum(widths.values()) + GAP * len(lines[0]) + LEAST_WIDTH * n_long <= width:
        _as_table(lines)
        return
    for head, line in zip(heads, [{}, *lines], strict=True):
        key, *cells = (cell.ljust(widths[t]) for t, cell in head.items())
        typer.echo(typer.style(key, bold=True) + "".join(" " * GAP + cell for cell in cells))
        for title in LONG:
            if title in line:
                text = line[title] if title == LONG[0] else f"{title}: {line[title]}"
                typer.echo(
                    textwrap.fill(text, width, initial_indent="    ", subsequent_indent="    ")
                )


def _as_table(lines: Cells) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for title in lines[0]:
        drawn.add_column(title, no_wrap=title not in LONG, style="bold" * (title == "key"))
    for line in lines:
        drawn.add_row(*map(Text, line.values()))  # texts: there is no markup in them
    Console().print(drawn)
