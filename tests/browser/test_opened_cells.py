"""Cells open by the links that lead to them, and log masses come off the page, without scripts."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from opening import opened

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scripts", [False, True])
@pytest.mark.parametrize("width", [1440, 390])
def test_a_number_opens_its_cell(browser: Any, address: str, scripts: bool, width: int) -> None:
    page, complaints, _ = opened(
        browser,
        address,
        java_script_enabled=scripts,
        viewport={"width": width, "height": 844},
        reduced_motion="reduce",
    )
    link = page.locator('article[data-dataset="alarm"] tr[data-model="vae"] a.cell-link').first
    body = page.locator(link.get_attribute("href"))
    assert not body.is_visible()
    link.press("Enter")
    body.wait_for(state="visible")
    assert 0 <= body.bounding_box()["y"] < 844
    assert body.locator("pre.command").is_visible()
    # closed by hand, the same link opens it again
    page.locator("details.cell:has(:target) > summary").press("Enter")
    body.wait_for(state="hidden")
    link.press("Enter")
    body.wait_for(state="visible")
    assert complaints == []
    page.close()


def test_an_address_with_a_cell_opens_it(browser: Any, address: str) -> None:
    page, _, _ = opened(browser, address)
    target = page.locator(".cell-body").last.get_attribute("id")
    page.close()
    page, complaints, _ = opened(browser, f"{address}#{target}")
    page.locator(f"#{target}").wait_for(state="visible")
    assert complaints == []
    page.close()


@pytest.mark.parametrize("scripts", [False, True])
def test_log_masses_are_saved_as_a_file(
    browser: Any, address: str, scripts: bool, tmp_path: Path
) -> None:
    page, _, _ = opened(browser, address, java_script_enabled=scripts)
    with page.expect_download() as waiting:
        page.locator('a[download][data-dataset="alarm"]').click()
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)
    assert file.name == "log_probs_alarm.csv"
    head, *rows = file.read_text().splitlines()
    assert next(csv.reader([head]))[:2] == ["row", "log_prob truth [nats, exact]"]
    assert len(rows) == 300
    page.close()
