"""Whatever a name or a value says, the page shows it and does nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from opening import opened

import genzoo
from genzoo.seeding import numpy_rng

pytestmark = pytest.mark.slow

EVIL = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    '"><svg onload=alert(3)>',
    "{{ 7 * 7 }} ${alert(4)} `'",
    "</style><style>*{display:none}",
)
NAMES = ("table' onload='alert(5)", "a&amp;b =1+1 {0}{x}%s")  # as hostile as names of files may be


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    rng = numpy_rng(0, "hostile")
    rows = np.array(EVIL, dtype=object)[rng.integers(0, len(EVIL), (60, len(EVIL)))]
    frame = pd.DataFrame(rows, columns=list(EVIL))
    run = genzoo.compare(
        {f"independent {EVIL[0]}": genzoo.Independent(), f"ngram {EVIL[1]}": genzoo.NGram()},
        {NAMES[0]: frame, NAMES[1]: [*EVIL] * 12},
        budget="1s",
        out=tmp_path_factory.mktemp("hostile") / "run",
        progress=False,
    )
    return run.report()["html"].as_uri()


@pytest.mark.parametrize("scripts", [True, False])
def test_hostile_names_are_shown_and_do_nothing(
    browser: Any, hostile_page: str, scripts: bool
) -> None:
    page, complaints, foreign = opened(browser, hostile_page, java_script_enabled=scripts)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.wait_for_timeout(300)
    assert (complaints, foreign, dialogs) == ([], [], [])
    text = page.locator("body").inner_text()
    assert all(name in text for name in (f"ngram {EVIL[1]}", *NAMES))
    assert page.locator("h1").is_visible()
    page.close()
