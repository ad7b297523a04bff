"""A browser, and pages opened in it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# the invented run that the report's own tests use
sys.path.insert(0, str(Path(__file__).parents[1] / "report"))


@pytest.fixture(scope="module")  # its event loop is in the way of others that open a browser
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the PATH: the report is not looked at in a browser")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield instance
        instance.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of an invented run on several data sets with two seeds."""
    from demo_run import write_demo

    from genzoo.report import build

    folder: Path = write_demo(tmp_path_factory.mktemp("browser") / "run", seeds=(0, 1))
    return build(folder)["html"].as_uri()


@pytest.fixture(scope="session")
def address_of_one(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of an invented run on one data set."""
    from demo_run import write_demo

    from genzoo.report import build

    folder = write_demo(tmp_path_factory.mktemp("one") / "run", datasets=("flowers",))
    return build(folder)["html"].as_uri()
