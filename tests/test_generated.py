"""What docs/generate.py writes is as ``genzoo.keys`` has it: else ``make generated``."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import genzoo
from genzoo.keys import FACE, MODELS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_face_is_that_of_the_registry():
    names = {place.partition(":")[2] for place in MODELS.values()}
    assert names < set(FACE)
    assert sorted(genzoo.__all__) == sorted({"__version__", *FACE})
    for name in genzoo.__all__:
        assert getattr(genzoo, name) is not None
        assert name in dir(genzoo)
    with pytest.raises(AttributeError, match="no attribute 'Vae'"):
        genzoo.Vae  # noqa: B018


def test_the_stub_is_current(script):
    path, text = next(script.generated())
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.slow
def test_the_tables_are_current(script):
    for path, text in script.generated():
        assert path.read_text(encoding="utf-8") == text, path


def test_the_tables_of_what_needs_no_training_are_current(script):
    for name, table in (("README.md", script.datasets), ("docs/metrics.md", script.metrics)):
        assert table() in (ROOT / name).read_text(encoding="utf-8")
