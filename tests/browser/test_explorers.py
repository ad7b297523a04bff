"""All results and who beats whom in a browser: chosen, sorted and filtered by mouse and keyboard,
whole without scripts and on paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from opening import opened

pytestmark = pytest.mark.slow

TABLE = ".view-nats table.matrix"
EVIL = '"><img src=x onerror=alert(1)>'


def models(page: Any, table: str = TABLE) -> list[str]:
    """The rows that are shown and sorted, from top to bottom."""
    rows = page.locator(f"{table} tbody >> nth=0").locator("tr")
    return [r.get_attribute("data-model") for r in rows.all() if r.is_visible()]


def numbers(page: Any, dataset: str, table: str = TABLE) -> list[float | None]:
    found = page.eval_on_selector_all(
        f"{table} tbody:not(.apart) td[data-dataset='{dataset}']",
        "cells => cells.map(c => c.dataset.value ?? null)",
    )
    return [None if text is None else float(text) for text in found]


def head(page: Any, dataset: str, table: str = TABLE) -> Any:
    return page.locator(f"{table} thead th[data-sort='{dataset}']")


def test_a_head_sorts_best_first_then_worst_first_then_as_before(
    browser: Any, address: str
) -> None:
    page, complaints, _ = opened(browser, address)
    before = models(page)
    names = head(page, "names")
    seen = []
    for _ in range(3):
        names.locator("button").click()
        seen.append((names.get_attribute("aria-sort"), models(page), numbers(page, "names")))
    (first, _, down), (second, _, up), (third, last, _) = seen
    assert (first, second, third) == ("descending", "ascending", None)
    assert down[-1] is up[-1] is None  # the GAN failed: blank ones come last either way
    assert down[:-1] == sorted((v for v in down if v is not None), reverse=True)
    assert up[:-1] == down[-2::-1]
    assert last == before != sorted(before)
    head(page, "model").locator("button").click()
    assert models(page) == sorted(before)
    assert page.locator(f"{TABLE} [aria-sort]").count() == 1
    assert page.locator(f"{TABLE} tbody.apart tr").get_attribute("data-model") == "truth"
    assert complaints == []
    page.close()


def test_less_is_better_is_sorted_the_other_way(browser: Any, address: str) -> None:
    page, _, _ = opened(browser, address)
    page.click("label[for='view-cost']")
    table = ".view-cost table.matrix"
    head(page, "flowers", table).locator("button").click()
    assert head(page, "flowers", table).get_attribute("aria-sort") == "ascending"
    found = numbers(page, "flowers", table)
    assert found == sorted(v for v in found if v is not None)
    page.close()


def test_the_keyboard_chooses_sorts_filters_and_opens(browser: Any, address: str) -> None:
    page, _, _ = opened(browser, address)
    page.focus("#view-nats")
    page.keyboard.press("ArrowRight")
    assert page.is_visible(".view-bits")
    assert not page.is_visible(".view-nats")
    page.keyboard.press("ArrowLeft")
    head(page, "alarm").locator("button").focus()
    page.keyboard.press("Enter")
    assert head(page, "alarm").get_attribute("aria-sort") == "descending"
    box = page.locator(".explorer .choices[data-choice='dataset']")
    box.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert not head(page, "alarm").is_visible()
    cell = page.locator(".duels button").first
    cell.focus()
    page.keyboard.press("Enter")
    panel = page.locator(f"#{cell.get_attribute('popovertarget')}")
    assert panel.is_visible()
    page.keyboard.press("Escape")
    assert not panel.is_visible()
    page.close()


def test_boxes_take_families_and_data_sets_out_of_all_views(browser: Any, address: str) -> None:
    page, _, _ = opened(browser, address)
    families = page.locator(".explorer .choices[data-choice='model']")
    families.locator("summary").click()
    families.locator("input[value='hmm']").uncheck()
    datasets = page.locator(".explorer .choices[data-choice='dataset']")
    datasets.locator("summary").click()
    datasets.locator("[data-none]").click()
    datasets.locator("input[value='play']").check()
    for view in ("nats", "sample-1", "memory"):
        page.click(f"label[for='view-{view}']")
        table = f".view-{view} table.matrix"
        assert "hmm" not in models(page, table)
        assert len(models(page, table)) == 5
        shown = [h.get_attribute("data-sort") for h in page.locator(f"{table} thead th").all()
                 if h.is_visible()]  # fmt: skip
        assert shown == ["model", "play"]
        assert page.locator(f"{table} td:visible").count() == page.locator(
            f"{table} tr:visible"
        ).count() - 1  # fmt: skip
    assert families.locator("[data-count]").inner_text() == "5 of 6"
    families.locator("[data-all]").click()
    assert families.locator("[data-count]").inner_text() == "all"
    assert "hmm" in models(page, ".view-memory table.matrix")
    page.close()


def test_wins_are_counted_anew_over_the_data_sets_that_are_ticked(
    browser: Any, address: str
) -> None:
    page, complaints, _ = opened(browser, address)
    row = page.locator(".duels tbody tr[data-model='transformer']")
    told = row.locator("td[data-model='hmm']").get_attribute("data-told")
    assert len(told) == 5
    box = page.locator(".wins .choices")
    box.locator("summary").click()
    box.locator("input").first.uncheck()
    counts = [told[1:].count(letter) for letter in "wul"]
    assert row.locator("td[data-model='hmm'] .counts").inner_text() == " · ".join(map(str, counts))
    wide = row.locator("td[data-model='hmm'] i").first.evaluate("e => e.style.width")
    assert float(wide.rstrip("%")) == pytest.approx(100 * counts[0] / sum(counts), abs=0.1)
    total = [0, 0, 0]
    for cell in row.locator("td[data-told]").all():
        for i, letter in enumerate("wul"):
            total[i] += cell.get_attribute("data-told")[1:].count(letter)
    assert row.locator("td.all .counts").inner_text() == " · ".join(map(str, total))
    assert str(counts[0]) in row.locator("td[data-model='hmm'] button").get_attribute("aria-label")
    assert complaints == []
    page.close()


def test_families_stand_by_their_wins(browser: Any, address: str) -> None:
    page, _, _ = opened(browser, address)
    before = models(page, ".duels")
    page.select_option(".wins select", "wins")
    wins = [int(t.split(" ")[0]) for t in page.locator(".duels td.all .counts").all_inner_texts()]
    assert wins == sorted(wins, reverse=True)
    after = models(page, ".duels")
    assert after != before
    heads = page.eval_on_selector_all(
        ".duels thead th[data-model]", "cells => cells.map(c => c.dataset.model)"
    )
    assert heads == after
    for i, row in enumerate(page.locator(".duels tbody tr").all()):
        columns = row.locator("td").all()
        assert [c.get_attribute("data-model") for c in columns[:-1]] == after
        assert "self" in columns[i].get_attribute("class")
    page.select_option(".wins select", "name")
    assert models(page, ".duels") == sorted(before)
    page.select_option(".wins select", "way")
    assert models(page, ".duels") == before
    page.close()


def test_without_scripts_all_of_it_can_be_read(browser: Any, address: str) -> None:
    page, complaints, _ = opened(browser, address, java_script_enabled=False)
    labels = page.locator(".chooser label").all()
    assert len(labels) == 13
    for label in labels:
        label.click()
        shown = page.locator(".explorer .view:visible")
        assert shown.count() == 1
        assert label.get_attribute("for") in shown.get_attribute("class").split()
        assert shown.locator("tbody:not(.apart) tr:visible").count() == 6
    for element in (".filters", ".takes", ".explorer .sort"):
        assert page.locator(f"{element}:visible").count() == 0
    link = page.locator(".view-nats thead a").first
    assert page.locator(link.get_attribute("href")).count() == 1
    cell = page.locator(".duels button").first
    cell.click()
    panel = page.locator(f"#{cell.get_attribute('popovertarget')}")
    assert panel.locator("tbody tr:visible").count() == 5
    panel.locator("button").last.click()
    assert not panel.is_visible()
    assert complaints == []
    page.close()


def test_paper_has_every_view_and_no_controls(browser: Any, address: str) -> None:
    page, _, _ = opened(browser, address)
    page.emulate_media(media="print")
    assert page.locator(".explorer .view:visible").count() == 13
    for element in (".chooser", ".filters", ".takes"):
        assert page.locator(f"{element}:visible").count() == 0
    page.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_tables_scroll_and_the_page_does_not(browser: Any, address: str, width: int) -> None:
    page, _, _ = opened(browser, address, viewport={"width": width, "height": 844})
    for label in page.locator(".chooser label").all():
        label.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.click("label[for='view-nats']")
    region = page.locator(".view-nats .scroll")
    wide = region.evaluate("e => e.scrollWidth - e.clientWidth")
    assert (wide > 0) == (width < 600)
    region.evaluate("e => { e.scrollLeft = 500; }")  # the names stay
    name = page.locator(f"{TABLE} tbody th").first.bounding_box()
    assert abs(name["x"] - region.bounding_box()["x"]) <= 2
    cell = page.locator(".duels button").first
    cell.click()
    box = page.locator(f"#{cell.get_attribute('popovertarget')}").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    page.close()


def test_hostile_names_are_sorted_and_filtered_like_others(
    browser: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from demo_run import edit, write_demo

    from genzoo.report import build

    folder: Path = write_demo(tmp_path_factory.mktemp("evil") / "run")
    plan = json.loads((folder / "plan.json").read_text())
    for part in (*plan["cells"], *plan["references"], *plan["datasets"]):
        for name in {"dataset", "name"} & {*part}:
            part[name] = part[name].replace("play", EVIL)
    (folder / "plan.json").write_text(json.dumps(plan))
    for file in (folder / "cells").glob("*play*.json"):
        edit(folder, file.stem, dataset=EVIL)
    page, complaints, foreign = opened(browser, build(folder)["html"].as_uri())
    heads = page.locator(f"{TABLE} thead th")
    last = next(h for h in heads.all() if h.get_attribute("data-sort") == EVIL)
    last.locator("button").click()
    assert last.get_attribute("aria-sort") == "descending"
    assert last.inner_text().startswith(EVIL)
    for box in page.locator(".choices[data-choice='dataset']").all():
        box.locator("summary").click()
        box.locator("input").last.uncheck()
    assert not last.is_visible()
    assert (complaints, foreign) == ([], [])
    page.close()
