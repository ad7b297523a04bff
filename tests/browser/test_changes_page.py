"""What changed between runs, in a real browser: fits a phone, needs no script, is read by all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opening import opened

import genzoo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page about two invented runs on five data sets; the second has lost cells."""
    from demo_run import edit, key_of, write_demo

    folder: Path = tmp_path_factory.mktemp("changes")
    before, after = (write_demo(folder / name, seeds=(0, 1)) for name in ("before", "after"))
    for seed in (0, 1):
        edit(after, key_of("hmm", "play", seed), status="failed", reason="it broke")
        edit(after, key_of("vae", "alarm", seed), kind="estimate")
    return genzoo.compare_runs(before, after).paths["html"].as_uri()


@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_fits_and_asks_for_nothing(browser: Any, changes: str, width: int) -> None:
    page, complaints, foreign = opened(
        browser, changes, viewport={"width": width, "height": 844}, java_script_enabled=width == 390
    )
    assert (complaints, foreign) == ([], [])
    assert page.locator(".lead").is_visible()
    marks = page.locator(".heatmap td .mark")
    assert marks.count() == 30
    assert all(mark.is_visible() for mark in marks.all())
    if width == 390:
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_changes(browser: Any, changes: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page, _, _ = opened(browser, changes, color_scheme=scheme, bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    found = axe.run(page).response["violations"]
    told = [
        (v["id"], node["html"][:120])
        for v in found
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"][:3]
    ]
    assert told == []
    page.close()
