"""Who reads the report otherwise: by keyboard, by ear, on paper, in the dark."""

from __future__ import annotations

from typing import Any

import pytest
from opening import opened

pytestmark = pytest.mark.slow

SERIOUS = ("serious", "critical")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("which", ["address", "address_of_one"])
def test_axe_finds_nothing_serious(
    browser: Any, request: pytest.FixtureRequest, which: str, width: int, scheme: str
) -> None:
    """axe-core's rules, with all that a click opens opened."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page, _, _ = opened(
        browser,
        request.getfixturevalue(which),
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        bypass_csp=True,  # for axe's own script
    )
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    found = axe.run(page).response["violations"]
    told = [
        f"{v['id']} ({v['impact']}): {node['html'][:120]}"
        for v in found
        if v["impact"] in SERIOUS
        for node in v["nodes"][:3]
    ]
    assert told == []
    page.close()


def test_axe_would_find_something(browser: Any, address_of_one: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page, _, _ = opened(browser, address_of_one, bypass_csp=True)
    page.evaluate("document.querySelector('main').append(document.createElement('img'))")
    assert "image-alt" in [v["id"] for v in axe.run(page).response["violations"]]
    page.close()
