"""The report in a real browser: no errors, no network, readable on a phone."""

from __future__ import annotations

from typing import Any

import pytest
from opening import opened

pytestmark = pytest.mark.slow

VIEWS = ("nats", "bits", "gap", "cost")


def test_opens_without_errors_or_requests(browser: Any, address: str) -> None:
    page, complaints, foreign = opened(browser, address)
    assert complaints == []
    assert foreign == []
    assert "run" in page.title()  # its folder
    loaded = page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert loaded
    page.close()


def test_the_tabs_show_one_matrix_each(browser: Any, address: str) -> None:
    page, _, _ = opened(browser, address)
    for chosen in VIEWS:
        page.click(f'label[for="view-{chosen}"]')
        shown = [view for view in VIEWS if page.is_visible(f".view-{view}")]
        assert shown == [chosen]
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(browser: Any, address: str, scheme: str) -> None:
    """WCAG's contrast of at least 4.5 for all text of the matrix and the findings."""
    page, _, _ = opened(browser, address, color_scheme=scheme)
    low = page.evaluate(
        """() => {
        const probe = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
        const rgb = colour => {
          probe.clearRect(0, 0, 1, 1); probe.fillStyle = colour; probe.fillRect(0, 0, 1, 1);
          return [...probe.getImageData(0, 0, 1, 1).data];
        };
        const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
          .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
          .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const back = element => {
          for (let e = element; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor;
            if (rgb(colour)[3] === 255) return rgb(colour);
          }
          return [255, 255, 255, 255];
        };
        const texts = [...document.querySelectorAll('main p, main td, main th, main li, ' +
          'main .note, main .v, main .chip, main .up, main a, main b, ' +
          'main summary span:not(.dot), svg text, nav a')];
        return texts.filter(e => e.offsetParent !== null || e.ownerSVGElement).map(e => {
          const style = getComputedStyle(e);
          const ink = rgb(e.ownerSVGElement ? style.fill : style.color);
          const [a, b] = [light(ink), light(back(e))].sort((x, y) => y - x);
          return [(a + 0.05) / (b + 0.05), e.textContent.trim().slice(0, 40), e.className];
        }).filter(([ratio]) => ratio < 4.5);
        }"""
    )
    assert low == []
    page.close()


def test_a_phone_scrolls_tables_and_not_the_page(browser: Any, address: str) -> None:
    page, _, _ = opened(browser, address, viewport={"width": 375, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.evaluate(
        "(e => e.scrollWidth > e.clientWidth)(document.querySelector('.view-nats .scroll'))"
    )
    page.close()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_first_screen_is_whole(browser: Any, address: str, width: int, height: int) -> None:
    """The sentence that leads and every family on every data set, without scrolling."""
    page, _, _ = opened(browser, address, viewport={"width": width, "height": height})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for what in ("#headline .lead", "table.heatmap tbody"):
        box = page.locator(what).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height, what
    numbers = page.evaluate(
        "[...document.querySelectorAll('.heatmap td:not(.mean) .num')]"
        ".filter(e => e.offsetWidth > 1 && !'×·!'.includes(e.textContent)).length"
    )
    assert (numbers > 0) == (width > 600)
    shown = [e for e in ("nav.toc", ".toc-small > nav") if page.is_visible(e)]
    assert shown == (["nav.toc"] if width > 900 else [])
    page.close()


def test_a_verdict_opens_to_its_sentences_without_scripts(browser: Any, address: str) -> None:
    page, _, _ = opened(browser, address, java_script_enabled=False)
    line = page.locator("#findings li").first
    assert not line.locator("p").is_visible()
    line.locator(".chip").click()
    assert line.locator("p").is_visible()
    page.close()


def test_a_report_of_one_data_set_fits_a_phone(browser: Any, address_of_one: str) -> None:
    page, complaints, foreign = opened(
        browser, address_of_one, viewport={"width": 390, "height": 844}
    )
    assert (complaints, foreign) == ([], [])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator(".uses").bounding_box()
    assert box["y"] + box["height"] <= 844
    page.close()
