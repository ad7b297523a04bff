"""Quality against steps, of families that draw rows in steps."""

from __future__ import annotations

import numpy as np
import pytest

import genzoo
from genzoo import Dataset, Diffusion, Independent
from genzoo.benchmark import steps


@pytest.fixture(scope="module")
def copies() -> Dataset:
    """Five columns that are all the same coin."""
    coin = np.random.default_rng(0).integers(0, 2, (900, 1))
    return Dataset.from_data(np.repeat(coin, 5, axis=1), "copies")


def test_more_steps_are_worth_what_columns_know_of_each_other(copies: Dataset) -> None:
    model = Diffusion(device="cpu", n_steps=3).fit(copies, seed=0, budget="300 steps")
    whole = model.log_prob(copies.test, seed=0).mean()
    found = steps.judge(model, copies, seed=0)
    assert found is not None
    assert list(found) == ["1", "2", "3", "4", "5"]
    assert model.n_steps == 3
    assert found["3"].value == pytest.approx(whole.value, abs=1e-6)
    # drawn at once they are five coins; one by one they are one
    assert found["1"].value == pytest.approx(-5 * np.log(2), abs=0.1)
    assert -np.log(2) - 0.1 < found["5"].value < -np.log(2) + 0.2
    assert all(part.n == 180 and part.seconds > 0 for part in found.values())


def test_others_are_not_asked(copies: Dataset) -> None:
    assert steps.judge(Independent().fit(copies), copies, seed=0) is None


def test_the_report_shows_it(copies: Dataset, tmp_path) -> None:
    run = genzoo.compare(
        {"slow": Diffusion(device="cpu", n_steps=4), "independent": Independent()},
        [copies],
        budget="20 steps",
        out=tmp_path,
        progress=False,
        n_jobs=1,
    )
    records = {record["model"]: record for record in run.records()}
    assert records["independent"]["steps"] is None
    assert list(records["slow"]["steps"]) == ["1", "2", "4", "5"]
    paths = run.report()
    page, markdown = (paths[kind].read_text() for kind in ("html", "md"))
    assert page.count("Quality against steps") == 1
    assert "Quality against steps, slow: nats a row of 180 test rows" in markdown
    assert "| 4 | **>=" in markdown
    assert "steps.2" in paths["numbers"].read_text()
