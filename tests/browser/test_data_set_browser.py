"""The browser of data sets: keys, links, the family that is followed, and all of it without."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from opening import opened

pytestmark = pytest.mark.slow

DATASETS = ["alarm", "digits_binary", "names", "flowers", "play"]
SIZES = [(1440, 900), (390, 844)]


def shown(page: Any) -> list[str]:
    return page.evaluate(
        "[...document.querySelectorAll('article[data-dataset]')]"
        ".filter(a => a.checkVisibility({contentVisibilityAuto: true}) && !a.hidden)"
        ".map(a => a.dataset.dataset)"
    )


def below_the_bar(page: Any, what: str) -> float:
    bar, box = (page.locator(e).bounding_box() for e in ("#browser", what))
    return box["y"] - bar["y"] - bar["height"]


def at_data(browser: Any, address: str, **options: Any) -> Any:
    page, complaints, foreign = opened(browser, address, **options)
    assert (complaints, foreign) == ([], [])
    page.evaluate("document.getElementById('data').scrollIntoView({behavior: 'instant'})")
    return page


def test_arrow_keys_turn_to_the_data_sets_beside(browser: Any, address: str) -> None:
    page = at_data(browser, address)
    assert shown(page) == DATASETS[:1]
    page.keyboard.press("ArrowLeft")  # there is none before the first
    assert shown(page) == DATASETS[:1]
    for name in DATASETS[1:]:
        page.keyboard.press("ArrowRight")
        assert shown(page) == [name]
    page.keyboard.press("ArrowLeft")
    assert shown(page) == ["flowers"]
    assert page.locator(".tile[aria-current]").get_attribute("data-dataset") == "flowers"
    page.close()


def test_arrow_keys_are_left_to_what_needs_them(browser: Any, address: str) -> None:
    page = at_data(browser, address)
    page.focus("#follow")
    page.keyboard.press("ArrowRight")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+ArrowRight")
    page.focus("article:not([hidden]) .choice > input")
    page.keyboard.press("ArrowRight")
    assert shown(page) == DATASETS[:1]
    page.evaluate("window.scrollTo({top: 0, behavior: 'instant'}); document.activeElement.blur()")
    page.keyboard.press("ArrowRight")  # on the first screen no data set is looked at
    assert shown(page) == DATASETS[:1]
    page.close()


def test_keys_stay_at_the_part_that_is_read(browser: Any, address: str) -> None:
    page = at_data(browser, address)
    heading = page.locator("article:not([hidden]) h4", has_text="Samples").first
    heading.evaluate("e => e.scrollIntoView({behavior: 'instant'})")
    before = page.locator("article:not([hidden]) h4:text-is('Samples')").bounding_box()["y"]
    page.keyboard.press("ArrowRight")
    after = page.locator("article:not([hidden]) h4:text-is('Samples')").bounding_box()["y"]
    assert shown(page) == DATASETS[1:2]
    assert abs(after - before) < 40
    page.close()


def test_tiles_and_the_back_button(browser: Any, address: str) -> None:
    page = at_data(browser, address)
    page.click('.tile[data-dataset="names"]')
    assert shown(page) == ["names"]
    assert page.url.endswith("#data-3")
    page.click('.tile[data-dataset="play"]')
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert shown(page) == ["names"]
    page.go_back()
    page.wait_for_function("location.hash === '#data-5'")
    assert shown(page) == ["play"]
    page.go_back()
    page.wait_for_function("location.hash === '#data-3'")
    assert shown(page) == ["names"]
    page.close()


def test_links_into_a_data_set_reveal_it(browser: Any, address: str) -> None:
    page, complaints, _ = opened(browser, f"{address}#data-4", reduced_motion="reduce")
    assert shown(page) == ["flowers"]
    page.wait_for_load_state("load")
    assert 0 <= below_the_bar(page, "#data-4") < 40
    page.click('nav.toc a[href="#data-2"]')
    page.wait_for_function("location.hash === '#data-2'")
    assert shown(page) == ["digits_binary"]
    assert 0 <= below_the_bar(page, "#data-2") < 40
    page.evaluate("location.hash = '#cost-3-train'")  # something inside an article
    page.wait_for_timeout(50)
    assert shown(page) == ["names"]
    page.evaluate("location.hash = '#reading'")
    page.wait_for_timeout(50)
    assert shown(page) == ["names"]
    assert complaints == []
    page.close()


def test_what_is_hidden_can_be_found(browser: Any, address: str) -> None:
    """The browser's own search reaches it: it is hidden until found, and opens then."""
    page = at_data(browser, address)
    hidden = page.locator("article[hidden='until-found']")
    assert hidden.count() == len(DATASETS) - 1
    page.evaluate(
        "document.querySelector('article[data-dataset=play] h4')"
        ".dispatchEvent(new Event('beforematch', {bubbles: true}))"
    )
    assert shown(page) == ["play"]
    page.close()


def test_without_scripts_all_data_sets_stand_in_a_row(browser: Any, address: str) -> None:
    page, _, _ = opened(browser, address, java_script_enabled=False)
    assert page.locator("article[data-dataset]").count() == len(DATASETS)
    for name in DATASETS:
        assert page.locator(f'article[data-dataset="{name}"] h3').is_visible()
    assert not page.is_visible("#browser")
    panes = page.locator('article[data-dataset="alarm"] [data-choice="cost"] .pane')
    assert [pane.is_visible() for pane in panes.all()] == [True, False, False, False]
    page.click('label[for="cost-1-sample"]')
    assert [pane.is_visible() for pane in panes.all()] == [False, False, True, False]
    page.close()


def test_all_data_sets_and_figures_are_printed(browser: Any, address: str) -> None:
    page = at_data(browser, address)
    page.emulate_media(media="print")
    heights = page.evaluate(
        "[...document.querySelectorAll('article[data-dataset] .pane svg')].map(e => "
        "e.checkVisibility({contentVisibilityAuto: true}) && e.getBoundingClientRect().height)"
    )
    assert len(heights) >= 6 * len(DATASETS)
    assert all(heights)
    assert not page.is_visible("#browser")
    page.close()


def test_a_family_that_is_followed_leads_the_samples(browser: Any, address: str) -> None:
    page = at_data(browser, address)
    page.click('.tile[data-dataset="digits_binary"]')
    page.select_option("#follow", "vae")
    order = (
        "[...document.querySelectorAll('article:not([hidden]) .sources > *')]"
        ".map(e => e.dataset.model)"
    )
    models = page.evaluate(order)
    assert models[:2] == [None, "vae"]  # after the real rows
    assert page.locator("article:not([hidden]) tr.followed").count() >= 2
    page.focus("article:not([hidden]) [data-gallery]")
    page.keyboard.press("ArrowDown")
    chosen = page.input_value("#follow")
    assert chosen not in ("vae", "")
    assert page.evaluate(order)[1] == chosen
    page.keyboard.press("ArrowUp")
    page.select_option("#follow", "")
    assert page.locator(".followed").count() == 0
    assert sorted(page.evaluate(order)[1:]) == sorted(models[1:])
    page.close()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_data_set_is_wider_than_the_screen(
    browser: Any, address: str, width: int, height: int
) -> None:
    page = at_data(browser, address, viewport={"width": width, "height": height})
    for _ in DATASETS:
        assert page.evaluate("document.documentElement.scrollWidth") <= width, shown(page)
        page.keyboard.press("ArrowRight")
    bar = page.locator("#browser").bounding_box()
    assert bar["height"] < height / 5
    page.close()


def test_labels_of_cost_figures_do_not_overlap(browser: Any, address: str) -> None:
    """With the fonts of a real browser."""
    page, _, _ = opened(browser, address, java_script_enabled=True)
    page.emulate_media(media="print")  # all panes and data sets have a size
    figures = page.evaluate(
        """() => [...document.querySelectorAll('[data-choice=cost] svg')].map(svg => {
          const frame = svg.getBoundingClientRect();
          const box = e => { const b = e.getBoundingClientRect();
            return [b.left - frame.left, b.top - frame.top, b.right - frame.left,
                    b.bottom - frame.top].map(v => v / frame.width * svg.viewBox.baseVal.width); };
          return [[...svg.querySelectorAll('.point text')].map(box),
                  [...svg.querySelectorAll('.point circle, .point polygon')].map(box)];
        })"""
    )
    assert len(figures) == 4 * (len(DATASETS) + 1)

    def shared(a: list[float], b: list[float]) -> float:
        across, down = (min(a[k + 2], b[k + 2]) - max(a[k], b[k]) for k in (0, 1))
        return max(0.0, across) * max(0.0, down)

    for labels, marks in figures:
        assert labels
        assert all(b[0] >= 0 and b[2] <= 760 and b[1] >= 0 and b[3] <= 400 for b in labels)
        # a line of text is a little taller than its letters
        assert all(shared(a, b) < 30 for a, b in combinations(labels, 2))
        assert all(shared(a, b) < 15 for a in labels for b in marks)
    page.close()


def test_one_data_set_has_families_to_follow_and_no_strip(
    browser: Any, address_of_one: str
) -> None:
    page, complaints, _ = opened(browser, address_of_one)
    assert complaints == []
    assert page.locator(".tile").count() == 0
    page.select_option("#follow", "hmm")
    assert page.locator("tbody.followed").count() == 1
    page.keyboard.press("ArrowRight")
    assert page.locator("article[hidden]").count() == 0
    page.close()
