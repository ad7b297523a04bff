"""benchmarks/gallery.py builds a page of reports, and resumes."""

from __future__ import annotations

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REPORTS = ["quick", "own_file", "text", "images"]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "benchmarks" / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Page(HTMLParser):
    """The reports, the addresses and the headlines of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.reports, self.addresses, self.headlines = [], [], []
        self.in_headline = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.addresses += [given[name] for name in ("href", "src") if name in given]
        if "data-report" in given:
            self.reports.append(given["data-report"])
        self.in_headline = "data-headline" in given

    def handle_data(self, data):
        if self.in_headline:
            self.headlines.append(data)
            self.in_headline = False


@pytest.mark.slow
def test_a_small_gallery(script, tmp_path, capsys):
    path = script.build(tmp_path / "gallery", small=True)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.reports == REPORTS
    for address in page.addresses:  # one file: what it shows, and reports beside it
        assert address.startswith("data:") or (path.parent / address).is_file()
    assert "<script" not in text
    assert len(page.headlines) == len(REPORTS)
    for name, headline in zip(REPORTS, page.headlines, strict=True):
        opening = (path.parent / name / "report.md").read_text(encoding="utf-8")
        assert headline in opening
        assert headline.endswith(".")
    capsys.readouterr()
    script.build(tmp_path / "gallery", small=True)
    said = capsys.readouterr().err
    assert len(re.findall(r"cells? of .* (?:is|are) reused", said)) == len(REPORTS)
    assert not re.search(r"\[ *\d+/\d+\]", said)  # no cell is run again


def test_without_a_browser_there_are_no_pictures(script, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert script.pictures({"quick": Path("report.html")}) == {}


def test_headlines_are_what_reports_say_first(script, tmp_path):
    path = tmp_path / "report.md"
    path.write_text("# Title\n\nRun started.\n\nOne is best.\n\n## Findings\n\nmore\n")
    assert script.headline(path) == "One is best."
