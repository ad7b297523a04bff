"""The documentation's site: it builds without a warning, fetches nothing from elsewhere, and all of
its links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
FETCHED = {
    ("link", "href"),
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
}

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """What a page names: anchors of its own, addresses that it links to, those that it fetches."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.anchors.add(value)
            elif (tag, name) in FETCHED:
                self.fetched.add(value)
            elif (tag, name) == ("a", "href"):
                self.links.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def local(pages: dict[Path, Page], which: str) -> Iterator[tuple[Path, Path, str]]:
    """From which page to which file and anchor its addresses lead; no other host is allowed."""
    for path, page in pages.items():
        for address in getattr(page, which):
            parts = urlsplit(address)
            if which == "links" and parts.netloc == "squidfunk.github.io":
                continue  # whose theme it is, at the foot of each page
            assert not parts.scheme, f"{path}: {address}"
            assert not parts.netloc, f"{path}: {address}"
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            yield path, target / "index.html" if target.is_dir() else target, parts.fragment


def test_nothing_is_fetched_from_elsewhere(site, pages):
    for path, target, _ in local(pages, "fetched"):
        assert target.exists(), f"{path}: {target}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"""url\(["']?(https?:)?//""", sheet.read_text(encoding="utf-8")), (
            sheet
        )


def test_links_lead_to_pages_and_places_that_exist(pages):
    for path, target, anchor in local(pages, "links"):
        assert target.exists(), f"{path}: {target}"
        if anchor and target in pages and anchor != "__skip":
            assert unquote(anchor) in pages[target].anchors, f"{path}: {target}#{anchor}"


def test_no_page_lies_beside_the_navigation(pages):
    (home,) = [path for path in pages if path.parent == min((p.parent for p in pages), key=len_of)]
    reached = {target for path, target, _ in local({home: pages[home]}, "links")}
    assert set(pages) <= reached


def len_of(path: Path) -> int:
    return len(path.parts)


def test_formulas_are_drawings_that_can_be_read_aloud(site):
    text = (site / "families" / "mixture" / "index.html").read_text(encoding="utf-8")
    assert re.search(r'role="img" aria-label="p\(x\) = \\sum_\{k=1\}[^"]*"><svg', text)


def test_scripts_for_the_site_are_no_part_of_it(site):
    assert not list(site.rglob("*.py"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", ["", "choose", "families/vae", "results"])
def test_pages_fit_the_screen_and_axe_finds_nothing_serious(browser, site, name, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / name / "index.html").as_uri())
    page.wait_for_selector(".md-search[aria-label]", state="attached")  # the last of its scripts
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = [
        f"{v['id']}: {node['html'][:120]}"
        for v in axe.run(page).response["violations"]
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]
    assert found == []
    assert all(address.startswith(("file:", "data:", "blob:")) for address in asked)
    page.close()
