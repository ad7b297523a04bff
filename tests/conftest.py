"""What all tests share: the data folder, and one thread for each process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# small networks gain nothing from a second thread, and lose much where the cores are shared
os.environ.setdefault("OMP_NUM_THREADS", "1")


def _absent(reason: str) -> None:
    """Skip; where continuous integration promised the data, fail."""
    if os.environ.get("GENZOO_REQUIRE_DATA"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder that ``GENZOO_DATA`` names."""
    folder = os.environ.get("GENZOO_DATA")
    if not folder:
        _absent("GENZOO_DATA is not set: this test reads data files that are not part of genzoo")
    path = Path(str(folder))
    if not path.is_dir():
        _absent(f"GENZOO_DATA names {folder}, which is no folder")
    return path
