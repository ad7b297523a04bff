"""Models that format version 1 wrote before the package was laid out anew are read as they were.

Each folder of ``tests/saved`` holds a model and, in ``expected.json``, what it said of some rows.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import genzoo

SAVED = sorted(path.parent for path in (Path(__file__).parent / "saved").glob("*/model.json"))


def test_every_family_has_a_saved_table_and_saved_strings():
    assert {folder.name for folder in SAVED} >= {
        f"{key}-{form}"
        for key in ("independent", "bayesian_network", "mixture", "hmm", "vae", "gan",
                    "transformer", "ngram", "circuit")
        for form in ("table", "strings")
    }  # fmt: skip


@pytest.mark.parametrize("folder", SAVED, ids=lambda folder: folder.name)
def test_a_model_of_an_earlier_version_says_what_it_said(folder, tmp_path):
    model = genzoo.load_model(folder)
    expected = json.loads((folder / "expected.json").read_text())
    found = model.log_prob(np.array(expected["rows"]), seed=1)
    assert found.kind == expected["kind"]
    value = np.array(expected["log_prob"])
    if found.kind == "exact":
        np.testing.assert_allclose(found.value, value, rtol=0, atol=1e-5)
    else:  # draws may come from another stream: five errors on each of 6 rows, 2 of 1e6 by chance
        error = np.hypot(found.stderr, expected["stderr"])
        assert (np.abs(found.value - value) < 5 * error).all()
    drawn = model.sample(3, seed=0)
    assert len(drawn) == 3
    model.save(tmp_path / "again")
    again = genzoo.load_model(tmp_path / "again").log_prob(np.array(expected["rows"]), seed=1)
    np.testing.assert_array_equal(again.value, found.value)
