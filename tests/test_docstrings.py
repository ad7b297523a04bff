"""Every public name is shown at work in its docstring; ``make doctest`` runs what is shown."""

from __future__ import annotations

import pytest

import genzoo

# constants have no docstring of their own
NAMES = [name for name in genzoo.__all__ if callable(getattr(genzoo, name))]


# theirs are written with what is being made of them
@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_an_example(name):
    assert ">>> " in (getattr(genzoo, name).__doc__ or "")


def test_all_but_constants_are_looked_at():
    assert set(genzoo.__all__) - set(NAMES) == {"MISSING", "__version__"}
