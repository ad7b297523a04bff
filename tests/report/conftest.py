from __future__ import annotations

from pathlib import Path

import pytest
from demo_run import write_demo


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A run of six models on five data sets with one seed; the GAN failed on ``names``."""
    return write_demo(tmp_path / "demo")
