"""Recommendations in words: chosen on validation rows, honest about ties and bounds."""

from __future__ import annotations

import json

import numpy as np
import pytest
from demo_run import edit, write_demo

from genzoo.report import build
from genzoo.report.recommend import advise, basis, in_words, too_few, winner
from genzoo.report.records import read_run

N = 400


def judged(
    folder, model, values, *, kind="exact", accuracy=None, c2st=0.6, query="exact", **changes
):
    """Give a cell of ``flowers`` validation figures, and further changes of its record."""
    key = f"{model}-flowers-0"
    with np.load(folder / "cells" / f"{key}.npz") as stored:
        arrays = dict(stored)
    arrays["valid_log_prob"] = values
    found = None
    if accuracy is not None:
        arrays["valid_right"] = np.arange(len(values)) < round(accuracy * len(values))
        found = {"value": accuracy, "stderr": 0.02, "n": len(values), "majority": 0.4}
    np.savez(folder / "cells" / f"{key}.npz", **arrays)
    validation = {
        "log_prob": float(values.mean()), "stderr": float(values.std() / np.sqrt(len(values))),
        "kind": kind, "n": len(values), "accuracy": found, "query": query, "query_seconds": 0.002,
        "c2st": {"value": c2st, "stderr": 0.02}, "seconds": 1.0,
    }  # fmt: skip
    edit(folder, key, validation=validation, kind=kind, **changes)


@pytest.fixture
def run(tmp_path):
    """Six families on ``flowers``: the network leads, the HMM is level with it, the VAE's bound
    lies a little below, the others far."""
    folder = write_demo(tmp_path / "demo", datasets=("flowers",))
    rng = np.random.default_rng(0)
    base = -8 + rng.standard_normal(N)

    def near(below):
        noise = rng.standard_normal(N)
        return base - below + 0.2 * (noise - noise.mean())

    done = {"converged": True, "steps": 9, "seconds": 1.0, "stopped_by": "converged", "curve": []}
    judged(folder, "independent", near(3), accuracy=0.5, c2st=0.95, train_seconds=0.1)
    judged(folder, "bayesian_network", near(0), accuracy=0.9, train_seconds=5.0, training=done)
    judged(folder, "hmm", near(0.005), accuracy=0.7, train_seconds=2.0, training=done)
    judged(folder, "vae", near(0.5), kind="lower_bound", query="lower_bound", c2st=0.52,
           train_seconds=30.0, training=done)  # fmt: skip
    judged(folder, "gan", near(2), kind="lower_bound", query="lower_bound", c2st=0.7)
    judged(folder, "transformer", near(1), query="unsupported", train_seconds=40.0)
    return folder


def words(folder, purpose):
    return next(a for a in advise(read_run(folder), "flowers") if a.purpose == purpose)


def test_likelihood_says_what_is_proven_and_what_is_not(run):
    advice = words(run, "likelihood")
    assert advice.model == "bayesian_network"
    assert "proven better than transformer and independent" in advice.words
    assert "No proven difference to hmm: hmm trains in 2.0 s instead of 5.0 s" in advice.words
    assert "vae and gan give only a lower bound" in advice.words
    assert "nothing is proven" in advice.words
    assert winner(read_run(run), "flowers").model == "bayesian_network"


def test_a_leading_bound(run):
    rng = np.random.default_rng(1)
    judged(run, "vae", -5 + rng.standard_normal(N), kind="lower_bound")
    advice = words(run, "likelihood")
    assert advice.model == "vae"
    assert "proven better than" in advice.words
    assert "take bayesian_network" in advice.words


def test_an_estimate_wins_only_among_its_like(run):
    judged(run, "gan", np.full(N, -1.0), kind="estimate")
    assert words(run, "likelihood").model == "bayesian_network"


def test_queries_take_the_best_that_is_exact(run):
    advice = words(run, "queries")
    assert advice.model == "bayesian_network"
    assert "2 ms a row" in advice.words
    assert "vae and gan can do no more than approximate" in advice.words
    assert "transformer can't do it" in advice.words


def test_queries_where_only_the_baseline_is_exact(run):
    for model in ("bayesian_network", "hmm"):
        key = f"{model}-flowers-0"
        record = json.loads((run / "cells" / f"{key}.json").read_text())
        edit(run, key, validation=record["validation"] | {"query": "lower_bound"})
    advice = words(run, "queries")
    assert advice.model == "bayesian_network"
    assert "no family that learns dependence does so exactly" in advice.words


def test_samples_take_those_that_are_hardest_to_tell(run):
    advice = words(run, "samples")
    assert advice.model == "vae"
    assert "52 ± 2 % of cases" in advice.words.replace("+-", "±")


def test_label(run):
    advice = words(run, "label")
    assert advice.model == "bayesian_network"
    assert "90.0" in advice.words
    assert "commonest label: 40.0 %" in advice.words
    judged(run, "hmm", np.zeros(N) - 8, accuracy=0.895, train_seconds=2.0)
    advice = words(run, "label")
    assert advice.model == "hmm"
    assert "No proven difference to bayesian_network" in advice.words


def test_no_family_tells_the_label(run):
    judged(run, "bayesian_network", np.zeros(N) - 8, accuracy=0.4)
    judged(run, "hmm", np.zeros(N) - 8, accuracy=0.39)
    judged(run, "independent", np.zeros(N) - 9, accuracy=0.4)
    advice = words(run, "label")
    assert advice.model is None
    assert "40.0 % of 400 rows" in advice.words


def test_speed(run):
    advice = words(run, "speed")
    assert advice.model == "hmm"
    assert "to bayesian_network, which takes 5.0 s" in advice.words


def test_the_fastest_of_all_may_be_the_likeliest(run):
    edit(run, "bayesian_network-flowers-0", train_seconds=0.5)
    advice = words(run, "speed")
    assert advice.model == "bayesian_network"
    assert "highest likelihood on validation rows as well" in advice.words


def test_no_family_that_loses_to_the_baseline_is_recommended(run):
    rng = np.random.default_rng(3)
    judged(run, "independent", rng.standard_normal(N), train_seconds=0.1)
    for purpose in ("likelihood", "queries", "speed"):
        assert words(run, purpose).model == "independent"
    assert "bayesian_network and hmm have no higher likelihood on validation rows" in (
        words(run, "queries").words
    )
    judged(run, "independent", -8.3 + rng.standard_normal(N), train_seconds=0.1)
    judged(run, "hmm", -9 + rng.standard_normal(N), train_seconds=2.0)  # faster, but worse
    assert words(run, "speed").model == "bayesian_network"


@pytest.mark.parametrize("n", [7, 29, 30])
def test_too_few_validation_rows_to_choose_by(tmp_path, n):
    folder = write_demo(tmp_path / "demo", datasets=("flowers",))
    for i, model in enumerate(("independent", "bayesian_network", "hmm")):
        judged(folder, model, np.random.default_rng(i).standard_normal(n) - i)
    run = read_run(folder)
    assert (too_few(run, "flowers") is None) == (n == 30)
    if n == 30:
        assert words(folder, "likelihood").model == "independent"
        return
    (advice,) = advise(run, "flowers")
    assert advice.model is None
    assert f"{n} validation rows can't tell families apart" in advice.words
    assert "At least 30 validation rows are needed" in advice.words
    text = in_words(folder, ["flowers"])
    assert f"{n} validation rows are too few to choose by: nothing is recommended" in text
    assert "independent" not in text
    assert winner(run, "flowers").model == "independent"


def test_groups_count_as_one(run):
    for model in ("independent", "bayesian_network", "hmm", "vae", "gan", "transformer"):
        path = run / "cells" / f"{model}-flowers-0.npz"
        with np.load(path) as stored:
            arrays = dict(stored)
        np.savez(path, **arrays, valid_groups=np.arange(N) % 12)
    assert too_few(read_run(run), "flowers") == "12 groups of validation rows"


def test_numbers_beyond_the_range_are_named(run):
    assert "one beyond it is scored as the end of the range" in words(run, "likelihood").words
    (run / "datasets" / "flowers.schema.json").unlink()
    assert "range" not in words(run, "likelihood").words


def test_still_improving_and_alarms(run):
    record = json.loads((run / "cells" / "vae-flowers-0.json").read_text())
    edit(run, "vae-flowers-0", training=record["training"] | {"converged": False})
    assert "vae" in words(run, "likelihood").words.split("still improving")[0].split(".")[-1]
    edit(run, "bayesian_network-flowers-0",
         alarm={"raised": True, "statistic": 9.0, "threshold": 1.0})  # fmt: skip
    assert words(run, "likelihood").model == "hmm"


def test_nothing_learned(run):
    judged(run, "independent", np.random.default_rng(3).standard_normal(N), accuracy=0.3)
    assert "No dependence between the columns" in words(run, "likelihood").words


def test_everywhere(run):
    paths = build(run)
    text = in_words(run, ["flowers"])
    assert text.isascii()
    for advice in advise(read_run(run), "flowers"):
        assert advice.title in text
        assert advice.title in paths["md"].read_text()
        assert advice.title in paths["html"].read_text()
    assert f"Chosen on {N} validation rows" in paths["md"].read_text()


def test_test_rows_have_no_say(run):
    before = advise(read_run(run), "flowers")
    for model in ("independent", "hmm", "vae"):
        edit(run, f"{model}-flowers-0", test_log_prob=-0.1, bits_per_dim=0.01)
    assert advise(read_run(run), "flowers") == before


def test_no_figures(tmp_path):
    folder = write_demo(tmp_path / "demo", datasets=("flowers",))
    assert advise(read_run(folder), "flowers") == []
    assert "nothing is recommended" in basis(read_run(folder), "flowers")
