"""The recommendations in words: they say what the rule gives, and claim nothing more."""

from __future__ import annotations

import json

import numpy as np
import pytest
from demo_run import edit, edit_plan, write_demo
from judged import N, judge_labels, judged, with_scores

from genzoo.report import build
from genzoo.report.advice import advise, basis, in_words
from genzoo.results.advice import too_few
from genzoo.results.run import read_run

MODELS = ("independent", "bayesian_network", "hmm", "vae", "gan", "transformer")


@pytest.fixture
def run(tmp_path):
    folder = write_demo(tmp_path / "demo", datasets=("flowers",))
    with_scores(folder)
    return folder


def advice_on(folder, purpose):
    return next(a for a in advise(read_run(folder), "flowers") if a.purpose == purpose)


def all_right(folder, models=("bayesian_network", "hmm", "transformer", "independent")):
    rng = np.random.default_rng(3)
    right = rng.random(N) < 0.87
    for model, shift in zip(models, (0.0, -0.02, -0.3, -0.5), strict=False):
        spread = 0.1 * rng.standard_normal(N)
        judge_labels(folder, model, valid=-0.3 + shift, test=-0.3 + shift + spread, right=right)


def test_likelihood_says_what_is_proven_what_is_open_and_what_is_not_shown(run):
    advice = advice_on(run, "likelihood")
    assert advice.model == "bayesian_network"
    assert "−8.04 ± 0.05 nats a row on test rows" in advice.words
    assert (
        "It is proven better than transformer and independent (the nearest, transformer, by "
        in (advice.words)
    )
    assert (
        "Nothing that is worth a choice is shown between bayesian_network and hmm (0.005 ± 0.010"
        in (advice.words)
    )
    assert "could have gone unseen" in advice.words
    assert "vae and gan give only a lower bound that lies below" in advice.words
    for word in ("equal", "no difference", "as good"):
        assert word not in advice.words


def test_a_lighter_one_within_the_margin(run):
    base = with_scores(run)
    noise = np.random.default_rng(5).standard_normal(N)
    close = base - 0.002 + 0.05 * (noise - noise.mean())
    judged(run, "hmm", valid=-8.1, test=close, train_seconds=2.0)
    advice = advice_on(run, "likelihood")
    assert advice.model == "hmm"
    assert "It is lighter than bayesian_network, which validation chose (2.0 s of training" in (
        advice.words
    )
    assert "shown to lose less than 0.030 nats a row to it; nothing else is claimed" in advice.words
    assert "hmm is proven" not in advice.words


def test_test_rows_may_show_another_to_be_better(run):
    judged(run, "hmm", valid=-8.5, test=np.full(N, -1.0))
    advice = advice_on(run, "likelihood")
    assert advice.model == "hmm"
    judged(run, "independent", valid=-7.9, test=np.full(N, -9.0))
    assert "no family is shown to have learned" not in build(run)["md"].read_text()
    judged(run, "independent", valid=-11.0)
    assert "Validation chose bayesian_network, but test rows show hmm to be better" in advice.words
    assert "nothing else is claimed of it" in advice.words
    assert "proven" not in advice.words


def test_a_leading_bound_names_an_exact_model_for_single_rows(run):
    rng = np.random.default_rng(1)
    judged(run, "vae", valid=-5, test=-5 + rng.standard_normal(N), kind="lower_bound")
    advice = advice_on(run, "likelihood")
    assert advice.model == "vae"
    assert "≥ −" in advice.words
    assert "proven better than" in advice.words
    assert "take bayesian_network" in advice.words


def test_exact_values_above_a_chosen_bound_prove_nothing(run):
    judged(run, "vae", valid=-5, kind="lower_bound")
    advice = advice_on(run, "likelihood")
    assert advice.model == "vae"
    assert "bayesian_network and hmm lie above vae, which gives only a lower bound" in advice.words


def test_the_baseline_is_called_what_it_is(run):
    base = with_scores(run)
    judged(run, "independent", valid=-7.9, test=base + 0.001)
    advice = advice_on(run, "likelihood")
    assert advice.model == "independent"
    assert "no family is shown to have learned how columns depend on each other" in advice.words
    judged(
        run, "independent", valid=-8.05, test=base - 0.05 + np.random.default_rng(0).normal(size=N)
    )
    assert (
        "bayesian_network is not shown to have learned how columns depend"
        in advice_on(run, "likelihood").words
    )


# ------------------------------------------------------------------------- labels


def test_label(run):
    all_right(run)
    advice = advice_on(run, "label")
    assert advice.model == "bayesian_network"
    right = json.loads((run / "cells" / "bayesian_network-flowers-0.json").read_text())
    share = 100 * right["label"]["test"]["accuracy"]["value"]
    assert f"right in {share:.1f} ± 1.5 % of 400 test rows, AUC 0.900 ± 0.010" in advice.words
    assert "Always the commonest label: 76.0 % of the same rows, AUC 0.5." in advice.words
    assert "independent says the commonest label every time" in advice.words


def test_the_baseline_is_never_recommended_for_want_of_a_proof(run):
    """Few rows, no difference in accuracy, and the fastest of all: still no choice."""
    rng = np.random.default_rng(0)
    for i, model in enumerate(("bayesian_network", "hmm", "independent")):
        right = rng.random(40) < (0.86, 0.85, 0.76)[i]
        judge_labels(run, model, valid=-0.3 - 0.1 * i, test=-0.3 + rng.standard_normal(40),
                     right=right)  # fmt: skip
    assert advice_on(run, "label").model == "bayesian_network"


def test_the_label_is_told_by_one_that_is_shown_to_know_more_than_its_shares(run):
    """Validation's choice has to be proven better than the shares in training, on test rows."""
    rng = np.random.default_rng(0)
    for gain, told in ((0.2, True), (0.02, False), (-0.1, False)):
        for i, model in enumerate(("bayesian_network", "hmm", "independent")):
            test = -0.55 + gain * (2 - i) / 2 + 0.3 * rng.standard_normal(N)
            judge_labels(run, model, valid=-0.3 - 0.1 * i, test=test, right=rng.random(N) < 0.8)
        advice = advice_on(run, "label")
        assert advice.model == ("bayesian_network" if told else None)
        assert advice.words.startswith("none" if not told else "bayesian_network: right in")
        assert "Always the commonest label: 76.0 %" in advice.words


def test_a_better_one_must_know_more_than_the_shares_too(run):
    rng = np.random.default_rng(0)
    for lead, found in ((-0.1, None), (0.2, "hmm")):
        for model, valid, mean in (("bayesian_network", -0.2, -0.9), ("hmm", -0.3, -0.55 + lead)):
            test = mean + 0.3 * rng.standard_normal(N)
            judge_labels(run, model, valid=valid, test=test, right=rng.random(N) < 0.7)
        advice = advice_on(run, "label")
        assert advice.model == found
        assert ("Better than bayesian_network is hmm" in advice.words) is (found is None)


def test_a_lighter_one_without_skill_takes_no_place(run):
    """Where one label is rare, no skill costs no accuracy; the shares are what it has to beat."""
    n, rng = 2000, np.random.default_rng(0)
    right, noise = np.arange(n) >= 60, rng.standard_normal(n)
    judged(run, "bayesian_network", train_seconds=50.0)
    for lead, far, found in ((0.0, 2.0, "bayesian_network"), (0.1, 1.0, "hmm")):
        for model, shift in (("bayesian_network", 0.1), ("hmm", lead)):
            judge_labels(run, model, valid=-0.2 + shift, test=-0.15 + shift + 0.6 * noise,
                         right=right, no_skill=-0.15)  # fmt: skip
        judged(run, "hmm", train_seconds=1.0)
        path = run / "cells" / "hmm-flowers-0.npz"
        with np.load(path) as stored:
            arrays = dict(stored)
        # its probabilities are not told from the other's
        test = arrays["label_log_prob"] + far * rng.standard_normal(n)
        np.savez(path, **(arrays | {"label_log_prob": test - test.mean() - 0.15 + lead}))
        assert advice_on(run, "label").model == found


def test_a_lighter_one_with_skill_is_not_called_better(run):
    """The chosen one is not shown to know more than the shares; a lighter one is, and loses less
    than a point to it: it takes the place."""
    n, rng = 2000, np.random.default_rng(0)
    right = rng.random(n) < 0.9
    judged(run, "bayesian_network", train_seconds=50.0)
    judged(run, "hmm", train_seconds=1.0)
    for model, valid, noise in (("bayesian_network", -0.3, 6.0), ("hmm", -0.31, 0.3)):
        test = noise * rng.standard_normal(n)
        judge_labels(run, model, valid=valid, test=test - test.mean() - 0.45, right=right)
    advice = advice_on(run, "label")
    assert advice.model == "hmm"
    assert "Better than" not in advice.words
    assert "shown to lose less than one point of accuracy to it" in advice.words


def test_few_rows_of_rarer_labels_prove_nothing(run):
    for rarer, found in ((9, None), (10, "bayesian_network")):
        for model, shift in (("bayesian_network", 0.5), ("hmm", 0.0)):
            test = -0.55 + shift + 0.1 * np.random.default_rng(0).standard_normal(N)
            judge_labels(run, model, valid=-0.55 + shift, test=test, right=np.ones(N, bool),
                         rarer=rarer)  # fmt: skip
        advice = advice_on(run, "label")
        assert advice.model == found
        assert (f"{rarer} test rows" in advice.words) is (found is None)


def test_rows_with_a_label_count_for_the_label(run):
    for n, found in ((29, None), (30, "bayesian_network")):
        for model, shift in (("bayesian_network", 0.5), ("hmm", 0.0)):
            test = -0.55 + shift + 0.1 * np.random.default_rng(0).standard_normal(N)
            judge_labels(run, model, valid=-0.55 + shift, test=test, right=np.ones(N, bool),
                         n_valid=n)  # fmt: skip
        advice = advice_on(run, "label")
        assert advice.model == found
        assert f"{n} validation rows with a label" in advice.words
        assert advice_on(run, "likelihood").model == "bayesian_network"


def test_no_family_tells_the_label(run):
    for model in MODELS:
        judge_labels(run, model, valid=-0.56, test=np.full(N, -0.56), right=np.arange(N) < 300)
    advice = advice_on(run, "label")
    assert advice.model is None
    assert "no family tells it better than its shares in training" in advice.words
    assert "Always the commonest label: 76.0 % of the same rows" in advice.words


def test_who_was_not_asked_for_the_label_is_named(run):
    all_right(run)
    edit(run, "vae-flowers-0", label={"valid": None, "test": None, "left_out": "it takes a day"})
    assert "vae was not asked: it takes a day." in advice_on(run, "label").words


# ------------------------------------------------------------------------- the other purposes


def test_queries_take_validations_favourite_among_those_that_are_exact(run):
    advice = advice_on(run, "queries")
    assert advice.model == "bayesian_network"
    assert "2 ms a row" in advice.words
    assert "vae and gan can do no more than approximate" in advice.words
    assert "transformer can't do it" in advice.words


def test_queries_where_only_the_baseline_is_exact(run):
    for model in ("bayesian_network", "hmm"):
        judged(run, model, query="lower_bound")
    advice = advice_on(run, "queries")
    assert advice.model == "bayesian_network"
    assert "no family that learns dependence does so exactly" in advice.words


def test_samples(run):
    for model, valid, test in (("vae", 0.48, 0.52), ("gan", 0.9, 0.95)):
        value = {"value": test, "stderr": 0.02, "unit": "accuracy", "higher_is_better": False,
                 "kind": "estimate"}  # fmt: skip
        judged(run, model, c2st=valid, metrics={"c2st": value})
    advice = advice_on(run, "samples")
    assert advice.model == "vae"
    assert "trees tell its samples from test rows in 52 ± 2 % of cases" in advice.words
    assert "(the nearest, " in advice.words
    assert " points)" in advice.words
    assert "bound" not in advice.words  # the chosen one's likelihood is one; its samples are not


def test_speed(run):
    advice = advice_on(run, "speed")
    assert advice.model == "hmm"
    assert (
        "on test rows it lies 0.005 ± 0.010 nats a row below bayesian_network, which takes 5.0 s "
        "(not proven)" in advice.words
    )
    edit(run, "bayesian_network-flowers-0", train_seconds=0.5)
    assert "validation chose it for likelihoods too" in advice_on(run, "speed").words


def test_what_is_proven_worse_within_the_margin_is_called_proven(run):
    base = with_scores(run)
    noise = np.random.default_rng(5).standard_normal(N)
    judged(run, "independent", valid=-20.0)  # a margin of 0.12 nats
    close = base - 0.08 + 1e-3 * (noise - noise.mean())
    judged(run, "hmm", valid=-8.1, test=close, train_seconds=2.0)
    judged(run, "bayesian_network", test=base, train_seconds=50.0)
    assert advice_on(run, "likelihood").model == "hmm"
    assert "below bayesian_network, which takes 50 s (proven)" in advice_on(run, "speed").words


def test_a_difference_that_only_rare_rows_could_make_up_for(run):
    base = with_scores(run)
    noise = np.random.default_rng(5).standard_normal(N)
    judged(run, "hmm", valid=-8.1, test=base - 0.012 + 0.01 * noise, train_seconds=9.0)
    words = advice_on(run, "likelihood").words
    assert "nats a row behind, if rare rows don't make up for it)" in words


def test_no_family_that_loses_to_the_baseline_is_recommended(run):
    judged(run, "independent", valid=-7.0, test=np.full(N, -7.0), train_seconds=0.1)
    for purpose in ("likelihood", "queries", "speed"):
        assert advice_on(run, purpose).model == "independent"
    assert "bayesian_network and hmm have no higher likelihood on validation rows" in (
        advice_on(run, "queries").words
    )
    judged(run, "independent", valid=-8.3, test=np.full(N, -8.3), train_seconds=0.1)
    judged(run, "hmm", valid=-9.0, train_seconds=2.0)  # faster, but worse
    assert advice_on(run, "speed").model == "bayesian_network"


# ------------------------------------------------------------------------- few rows


@pytest.mark.parametrize("n", [7, 29, 30])
def test_too_few_validation_rows_to_choose_by(run, n):
    for model in MODELS:
        judged(run, model, n_valid=n)
    found = read_run(run)
    assert (too_few(found, "flowers") is None) == (n == 30)
    if n == 30:
        assert advice_on(run, "likelihood").model == "bayesian_network"
        assert "So few rows choose almost by chance" in basis(found, "flowers")
        return
    (advice,) = advise(found, "flowers")
    assert advice.model is None
    assert f"{n} validation rows can't tell families apart" in advice.words
    assert "At least 30 are needed" in advice.words
    report = build(run)["md"].read_text()
    assert "On flowers there are too few validation rows to choose by." in report
    assert "proven better than every rival" not in report
    text = in_words(run, ["flowers"])
    assert f"{n} validation rows are too few to choose by: nothing is recommended" in text
    assert "bayesian_network" not in text


def test_few_test_rows_are_said_and_folds_offered_where_they_can_be_had(run):
    rng = np.random.default_rng(0)
    for i, model in enumerate(MODELS):
        judged(run, model, test=-8 - 0.01 * i + rng.standard_normal(80))
    assert "80 test rows are few: only large differences can be seen." in basis(
        read_run(run), "flowers"
    )
    facts = json.loads((run / "plan.json").read_text())["datasets"]
    edit_plan(run, datasets=[facts[0] | {"foldable": True}])
    assert "--folds 5 judges every row of the file once" in basis(read_run(run), "flowers")
    assert "could have gone unseen" in advice_on(run, "likelihood").words


@pytest.mark.parametrize(
    ("what", "has_text", "words"),
    [
        ("blocks", True, "too short a text to say"),
        ("blocks", False, "too short a stretch of time to say"),
        ("groups", False, "too few groups to say"),
    ],
)
def test_too_few_units_prove_nothing(run, what, has_text, words):
    for model in MODELS:
        path = run / "cells" / f"{model}-flowers-0.npz"
        with np.load(path) as stored:
            arrays = dict(stored)
        np.savez(path, **arrays, groups=np.arange(N) * 4 // N)
    facts = json.loads((run / "plan.json").read_text())["datasets"]
    units = {"what": what, "n_test": 4, "block": None}
    edit_plan(run, datasets=[facts[0] | {"units": units, "has_text": has_text}])
    advice = advice_on(run, "likelihood")
    assert advice.model is None
    assert words in advice.words
    assert "the test rows make 4" in advice.words
    assert "Validation's choice is bayesian_network" in advice.words
    assert "proven" not in advice.words


def test_groups_of_validation_rows_withhold_nothing(run):
    """Only the test rows prove, so only their groups count; a choice may rest on few groups."""
    for model in MODELS:
        path = run / "cells" / f"{model}-flowers-0.npz"
        with np.load(path) as stored:
            arrays = dict(stored)
        np.savez(path, **arrays, groups=np.arange(N) % 12)
    facts = json.loads((run / "plan.json").read_text())["datasets"]
    edit_plan(run, datasets=[facts[0] | {"units": {"what": "groups", "n_test": 12, "block": None}}])
    assert too_few(read_run(run), "flowers") is None
    assert advice_on(run, "likelihood").model == "bayesian_network"
    assert "400 test rows in 12 groups" in basis(read_run(run), "flowers")


def test_of_folds_it_is_not_said_that_test_rows_chose_nothing(tmp_path):
    folder = write_demo(tmp_path / "demo", datasets=("flowers",), folds=3)
    words = basis(read_run(folder), "flowers")
    assert "which chose nothing" not in words
    assert "every choice of a purpose that there could have been" in words


# ------------------------------------------------------------------------- around them


def test_numbers_beyond_the_range_are_named(run):
    assert "one beyond it is scored as the end of the range" in advice_on(run, "likelihood").words
    (run / "datasets" / "flowers.schema.json").unlink()
    assert "range" not in advice_on(run, "likelihood").words


def test_still_improving(run):
    record = json.loads((run / "cells" / "vae-flowers-0.json").read_text())
    edit(run, "vae-flowers-0", training=record["training"] | {"converged": False})
    words = advice_on(run, "likelihood").words
    assert "vae" in words.split("still improving")[0].split(".")[-1]


def test_everywhere(run):
    all_right(run)
    paths = build(run)
    text = in_words(run, ["flowers"])
    assert text.isascii()
    for advice in advise(read_run(run), "flowers"):
        assert advice.title in text
        assert advice.title in paths["md"].read_text()
        assert advice.title in paths["html"].read_text()
    assert "Chosen on 200 validation rows, proven on 400 test rows" in paths["md"].read_text()


def test_no_figures(tmp_path):
    folder = write_demo(tmp_path / "demo", datasets=("flowers",))
    for path in (folder / "cells").glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"validation": None}))
    assert advise(read_run(folder), "flowers") == []
    assert "nothing is recommended" in basis(read_run(folder), "flowers")
    assert "nothing is chosen or proven" in build(folder)["md"].read_text()
