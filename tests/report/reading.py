"""A run's report, read by its structure: elements by what they are about, tables as cells, numbers.

Whatever a test asks of a report goes through here, so that words and looks may change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from genzoo.report import build
from genzoo.report.measures import TITLES
from genzoo.results.choice import Choice, choose_likelihood
from genzoo.results.numbers import ascii_marks
from genzoo.results.run import read_run


class Element:
    """An element of the HTML; ``parts`` are text and elements."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.parts: list[str | Element] = []

    def __getitem__(self, attribute: str) -> str:
        return self.attributes[attribute]

    def __iter__(self) -> Iterator[Element]:
        """All elements inside, in order."""
        for part in self.parts:
            if isinstance(part, Element):
                yield part
                yield from part

    @property
    def text(self) -> str:
        return "".join(p if isinstance(p, str) else p.text for p in self.parts)

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def all(self, tag: str = "", **wanted: str) -> list[Element]:
        """The elements with a tag and attributes: ``cls``, ``id``, or of ``data-``."""
        cls, data = wanted.pop("cls", None), {_name(k): v for k, v in wanted.items()}
        return [
            e
            for e in self
            if tag in ("", e.tag)
            and (cls is None or cls in e.classes)
            and all(e.attributes.get(name) == value for name, value in data.items())
        ]

    def one(self, tag: str = "", **wanted: str) -> Element:
        found = self.all(tag, **wanted)
        assert len(found) == 1, (tag, wanted, len(found))
        return found[0]


def _name(key: str) -> str:
    return key if key in ("id", "role", "href") else f"data-{key}"


class _Builder(HTMLParser):
    """Open tags that don't match are errors."""

    VOID = frozenset(("meta", "input", "img", "br", "link", "hr", "col"))

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].parts.append(element)
        if tag not in self.VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].parts.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)


def parsed(html: str) -> Element:
    builder = _Builder()
    builder.feed(html)
    assert len(builder.open) == 1
    return builder.open[0]


def page_of(folder: Path) -> Element:
    return parsed(build(folder)["html"].read_text())


def finding(page: Element, dataset: str) -> Element:
    """A data set's line of the findings."""
    return page.one(id="findings").one("li", dataset=dataset)


def kinds(of: Element) -> set[str]:
    """Of what is said inside an element."""
    return {e["data-finding"] for e in of if "data-finding" in e.attributes}


def article(page: Element, dataset: str) -> Element:
    """The part about a data set."""
    return page.one("article", dataset=dataset)


def row_of(table: Element, model: str) -> list[Element]:
    """The cells of a model's row but its head."""
    return table.one("tr", model=model).all("td")


def said(page: Element, caution: str) -> str:
    """A caution of a kind; "" where it is not given."""
    return "".join(e.text for e in page.one(id="cautions").all(caution=caution))


def likelihood(folder: Path, dataset: str = "flowers") -> Choice:
    choice = choose_likelihood(read_run(folder), dataset)
    assert choice is not None
    return choice


def verdicts(choice: Choice) -> dict[str, str]:
    return {a.other.model: a.verdict for a in choice.against}


# ------------------------------------------------------------------------- text


def numbers_in(text: str) -> list[str]:
    """The numbers of a text with their signs, as they are printed."""
    return re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?", ascii_marks(text))


def letters(text: str) -> str:
    """A text without its numbers: what two cases say differently."""
    return re.sub(r"[\d.]+", "", text)


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.;]) ", " ".join(text.split()))


def added(text: str, before: str) -> str:
    """The sentences that were not said before."""
    return " ".join(s for s in sentences(text) if s not in sentences(before))


def names(text: str, *words: str) -> bool:
    """Whether a text has all of the words, whatever stands between them."""
    return all(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) for word in words)


# ------------------------------------------------------------------------- Markdown


def markdown_of(folder: Path) -> str:
    return build(folder)["md"].read_text()


def section(folder: Path, dataset: str) -> str:
    """The part of the Markdown about a data set."""
    return part(markdown_of(folder), dataset)


def part(markdown: str, title: str) -> str:
    return markdown.split(f"\n## {title}\n")[1].split("\n## ")[0]


def tables_of(text: str) -> list[list[dict[str, str]]]:
    """Each table as its rows, by the titles of the columns without what stands in brackets."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        titles, _, *rows = [line.strip()[2:-2].split(" | ") for line in block.splitlines()]
        columns = [re.sub(r" \((higher|lower|best at).*\)", "", title.strip()) for title in titles]
        found.append([dict(zip(columns, row, strict=True)) for row in rows])
    return found


def table_of(text: str, *columns: str) -> dict[str, dict[str, str]]:
    """The table that has these columns: its rows by whom they are about."""
    (rows,) = (rows for rows in tables_of(text) if {*columns} <= {*rows[0]})
    who = "model" if "model" in rows[0] else next(iter(rows[0]))
    return {row[who].strip(): {k: v.strip() for k, v in row.items()} for row in rows}


def ranking_of(folder: Path, dataset: str) -> dict[str, dict[str, str]]:
    return table_of(section(folder, dataset), "rank")


def matrix_of(folder: Path, view: str) -> dict[str, dict[str, str]]:
    """The cells of a view of all results by model and data set."""
    return table_of(part(markdown_of(folder), TITLES[view]), "model")


def line_with(text: str, *words: str) -> str:
    """The only line that has all of the words."""
    (line,) = (line for line in text.splitlines() if names(line, *words))
    return line
