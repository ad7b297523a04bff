"""A run's report, read: its two files, and the Markdown's tables."""

from __future__ import annotations

from pathlib import Path

from genzoo.report import build


def html_of(folder: Path) -> str:
    return build(folder)["html"].read_text()


def markdown_of(folder: Path) -> str:
    return build(folder)["md"].read_text()


def section(folder: Path, dataset: str) -> str:
    """The part of the Markdown about a data set."""
    return markdown_of(folder).split(f"## {dataset}\n")[1].split("\n## ")[0]


def table_of(text: str, start: str) -> dict[str, list[str]]:
    """The rows of a table of the Markdown by their first cell."""
    lines = text[text.index(start) :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {first: rest for first, *rest in cells}
