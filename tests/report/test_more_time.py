"""What is said of families that were still improving when their time was over."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from demo_run import edit, edit_plan, write_demo
from reading import markdown_of

import genzoo
from genzoo.fitting import CurvePoint, Training, converged, gain
from genzoo.report.advice import advise, in_words
from genzoo.report.wording import budget_of, more_time
from genzoo.results.contender import Contender, Result, late_gain
from genzoo.results.plan import DatasetFacts
from genzoo.results.record import CellRecord
from genzoo.results.run import read_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_demo(tmp_path / "run", datasets=("flowers",))


def training(*valid: float, **more) -> Training:
    """A curve of a point a second."""
    curve = [CurvePoint(i, float(i), None, v) for i, v in enumerate(valid)]
    return Training(curve=curve, seconds=len(valid) - 1.0, converged=False, **more)


def fit(model: str, *trainings: Training) -> Contender:
    return Contender([Result(CellRecord("k", model=model, training=t)) for t in trainings])


def facts(run: Path, **changes) -> DatasetFacts:
    return replace(read_run(run).facts("flowers"), **changes)


def test_a_gain_is_paired_and_decides_whether_a_run_converged():
    rng = np.random.default_rng(0)
    before = rng.normal(-50, 20, 400)
    after = before + rng.normal(0.05, 0.1, 400)
    mean, error = gain(before, after)
    assert mean == pytest.approx(np.mean(after - before))
    assert error == pytest.approx(np.std(after - before, ddof=1) / 20)
    assert not converged(before, after)
    assert converged(before, before + 0.009)
    assert converged(before[:2], before[:2] + np.array([1.0, -0.9]))  # 0.05, and an error of 0.95
    assert not converged(np.array([-np.inf]), np.array([-2.0]))
    assert not math.isfinite(gain(np.array([-np.inf]), np.array([-2.0]))[0])


def test_the_last_quarter_is_read_off_the_curve_or_off_the_rows():
    found = late_gain(training(-9, -5, -4, -4.5, -3.5))
    assert (found.value, found.stderr) == (0.5, None)  # the best until 3 s was -4
    assert late_gain(training(-9, -5, -4, -3.5, -3.6)).value == 0
    assert late_gain(training(-9, -5, late_gain=(0.25, 0.5))).stderr == 0.5
    assert late_gain(training(-9)) is None
    assert late_gain(training(-math.inf, -math.inf, -math.inf, -math.inf, -3)) is None
    assert late_gain(Training()) is None


def test_folds_are_averaged():
    both = fit("vae", training(-9, late_gain=(0.3, 0.03)), training(-9, late_gain=(0.1, 0.04)))
    assert both.late_gain.value == pytest.approx(0.2)
    assert both.late_gain.stderr == pytest.approx(0.025)
    one = fit("vae", training(-9, late_gain=(0.3, 0.03)), training(-9, -5, -4, -4.5, -3.5))
    assert one.late_gain.stderr is None
    assert fit("vae", training(-9, late_gain=(0.3, 0.03)), training(-9)).late_gain is None


def test_a_record_keeps_it_and_older_ones_lack_it():
    record = training(-9, late_gain=(0.25, 0.5)).to_json()
    assert Training.from_json(json.loads(json.dumps(record))).late_gain == (0.25, 0.5)
    del record["late_gain"]
    assert Training.from_json(record).late_gain is None


def test_what_it_gained_is_said_and_no_more(run):
    vae = fit("vae", training(-9, late_gain=(0.124, 0.031)))
    gan = fit("gan", training(-9, -5, -4, -4.5, -3.2))
    still = fit("hmm", training(-9, late_gain=(0.004, 0.001)))
    done = fit("ngram", Training())
    assert more_time(facts(run), [done]) == []
    words = " ".join(more_time(facts(run), [vae, gan, still, done]))
    assert "vae, gan and hmm were still improving" in words
    assert "vae gained 0.124 ± 0.031 and gan gained 0.80 nats a row on validation rows" in words
    assert "hmm gained" not in words  # nothing to speak of
    assert "45s" in words  # three times the budget of 15 s
    assert "by how much can't be told" in words
    alone = " ".join(more_time(facts(run, budget="200 steps"), [still]))
    assert "gained" not in alone
    assert "600 steps" in alone
    assert "(" not in " ".join(more_time(facts(run, budget="default"), [still]))


def test_it_stands_at_the_data_set_and_on_the_terminal(run):
    record = json.loads((run / "cells" / "vae-flowers-0.json").read_text())
    late = record["training"] | {"converged": False, "late_gain": [0.124, 0.031]}
    edit(run, "vae-flowers-0", training=late)
    words = "vae gained 0.124 ± 0.031 nats a row"
    assert any(words in advice.words for advice in advise(read_run(run), "flowers"))
    assert "0.124 +- 0.031" in in_words(run, ["flowers"])
    assert markdown_of(run).count("0.124 +- 0.031") == 2  # the finding, and the advice


def test_what_a_budget_was_chosen_for_is_stated(run):
    assert budget_of(facts(run)) == "15s"
    assert "default" in budget_of(facts(run, budget="default"))
    size = {"n_train": 4200, "n_valid": 600, "n_test": 1200, "D": 15}
    chosen = facts(run, suited=True, **size)
    assert budget_of(chosen).replace("\u202f", ",") == "15s, chosen for 6,000 rows x 15 columns"
    strings = replace(chosen, layout="sequence")
    assert "6,000 strings of at most 15" in strings.size.replace("\u202f", ",")
    assert replace(chosen, layout="image", event_shape=(8, 8)).size.endswith("images of 8 x 8")
    plan = json.loads((run / "plan.json").read_text())
    plan["datasets"][0] |= {"suited": True}
    edit_plan(run, **plan)
    text = markdown_of(run)
    assert "Budget of each fit: 15s, chosen for" in text
    assert "Budgets: flowers 15s, chosen for" in text
    assert "\u202f" not in text


def test_a_network_measures_it_row_by_row():
    rows = np.random.default_rng(0).integers(0, 2, (60, 4))
    model = genzoo.VAE(latent_dim=2, width=8).fit(rows, seed=0, budget="40 steps")
    value, error = model.training_.late_gain
    assert math.isfinite(value)
    assert error >= 0
