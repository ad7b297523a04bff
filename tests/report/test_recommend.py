"""The recommendations: they are what the rule gives, name whom it names, and claim nothing more."""

from __future__ import annotations

import json

import numpy as np
import pytest
from demo_run import edit, edit_plan, write_demo
from judged import N, judge_labels, judged, with_scores
from reading import (
    added,
    finding,
    kinds,
    letters,
    markdown_of,
    names,
    numbers_in,
    page_of,
    sentences,
    verdicts,
)

from genzoo.report.advice import advise, basis, in_words
from genzoo.results.advice import decide, too_few
from genzoo.results.numbers import with_error
from genzoo.results.run import read_run

MODELS = ("independent", "bayesian_network", "hmm", "vae", "gan", "transformer")


@pytest.fixture
def run(tmp_path):
    folder = write_demo(tmp_path / "demo", datasets=("flowers",))
    with_scores(folder)
    return folder


def advice_on(folder, purpose):
    return next(a for a in advise(read_run(folder), "flowers") if a.purpose == purpose)


def decision_on(folder, purpose):
    """The typed one behind the words, which recommend nobody else."""
    decision = next(d for d in decide(read_run(folder), "flowers") if d.purpose == purpose)
    advice = advice_on(folder, purpose)
    assert advice.model == (decision.best and decision.best.model)
    assert advice.why == decision.why
    assert advice.model is None or names(advice.words, advice.model)
    return decision


def basis_of(folder):
    return basis(read_run(folder), "flowers")


def all_right(folder, models=("bayesian_network", "hmm", "transformer", "independent")):
    rng = np.random.default_rng(3)
    right = rng.random(N) < 0.87
    for model, shift in zip(models, (0.0, -0.02, -0.3, -0.5), strict=False):
        spread = 0.1 * rng.standard_normal(N)
        judge_labels(folder, model, valid=-0.3 + shift, test=-0.3 + shift + spread, right=right)


def test_likelihood_says_what_is_proven_what_is_open_and_what_is_not_shown(run):
    decision, words = decision_on(run, "likelihood"), advice_on(run, "likelihood").words
    choice = decision.choice
    assert decision.best is choice.chosen
    assert verdicts(choice) == {
        "hmm": "alike", "vae": "open", "transformer": "worse", "gan": "open",
        "independent": "worse",
    }  # fmt: skip
    assert "−8.04 ± 0.05" in words
    said = sentences(words)
    (worse,) = (w for w in said if names(w, "transformer", "independent"))
    (opened,) = (w for w in said if names(w, "vae", "gan"))
    (alike,) = (w for w in said if names(w, "hmm"))
    assert len({worse, opened, alike}) == 3
    assert "0.005 ± 0.010" in alike
    assert f"{choice.unseen:.2g}" in numbers_in(words)  # what could have gone unseen


def test_a_lighter_one_within_the_margin(run):
    base = with_scores(run)
    noise = np.random.default_rng(5).standard_normal(N)
    close = base - 0.002 + 0.05 * (noise - noise.mean())
    judged(run, "hmm", valid=-8.1, test=close, train_seconds=2.0)
    choice, words = decision_on(run, "likelihood").choice, advice_on(run, "likelihood").words
    assert advice_on(run, "likelihood").model == choice.substitute.other.model == "hmm"
    assert choice.chosen.model == "bayesian_network"
    assert {"2.0", "0.030"} <= set(numbers_in(words))  # its seconds of training; the margin
    # what is proven is the chosen one's: hmm's name stands in no such sentence
    (proven,) = (w for w in sentences(words) if names(w, "transformer", "independent"))
    assert names(proven, "bayesian_network")
    assert not names(proven, "hmm")


def test_test_rows_may_show_another_to_be_better(run):
    judged(run, "hmm", valid=-8.5, test=np.full(N, -1.0))
    decision, advice = decision_on(run, "likelihood"), advice_on(run, "likelihood")
    assert advice.model == "hmm"
    judged(run, "independent", valid=-7.9, test=np.full(N, -9.0))
    assert "no-skill" not in kinds(finding(page_of(run), "flowers"))
    assert decision.choice.better.other.model == "hmm"
    assert decision.choice.chosen.model == "bayesian_network"
    assert names(advice.words, "bayesian_network", "hmm")
    # nothing else is claimed of it
    others = set(verdicts(decision.choice)) - {"hmm"}
    assert len(others) == 4
    assert not any(names(advice.words, model) for model in others)


def test_a_leading_bound_names_an_exact_model_for_single_rows(run):
    rng = np.random.default_rng(1)
    exact = advice_on(run, "likelihood")
    judged(run, "vae", valid=-5, test=-5 + rng.standard_normal(N), kind="lower_bound")
    choice, words = decision_on(run, "likelihood").choice, advice_on(run, "likelihood").words
    assert (choice.recommended.model, choice.recommended.kind) == ("vae", "lower_bound")
    assert set(verdicts(choice).values()) == {"worse", "open"}
    assert "≥ −" in words
    # with its own value, beside those that are proven worse
    value = f"{choice.with_verdict('worse')[0].other.score.value:.2f}".replace("-", "−")
    assert any(names(w, "bayesian_network", value) for w in sentences(words))
    assert "≥ −" not in exact.words


def test_exact_values_above_a_chosen_bound_prove_nothing(run):
    judged(run, "vae", valid=-5, kind="lower_bound")
    choice, words = decision_on(run, "likelihood").choice, advice_on(run, "likelihood").words
    assert choice.recommended.model == "vae"
    above = [a for a in choice.with_verdict("open") if a.difference.value < 0]
    assert [a.other.model for a in above] == ["bayesian_network", "hmm"]
    assert any(names(w, "bayesian_network", "hmm", "vae") for w in sentences(words))


def test_the_baseline_is_called_what_it_is(run):
    base = with_scores(run)
    assert "no-skill" not in kinds(finding(page_of(run), "flowers"))
    for valid, test, chosen in (
        (-7.9, base + 0.001, "independent"),
        (-8.05, base - 0.05 + np.random.default_rng(0).normal(size=N), "bayesian_network"),
    ):
        judged(run, "independent", valid=valid, test=test)
        assert decision_on(run, "likelihood").best.model == chosen
        caveat = finding(page_of(run), "flowers").one(finding="no-skill").text
        assert names(caveat, chosen)
        assert caveat in advice_on(run, "likelihood").words


# ------------------------------------------------------------------------- labels


def test_label(run):
    all_right(run)
    decision, words = decision_on(run, "label"), advice_on(run, "label").words
    assert (decision.best.model, decision.why) == ("bayesian_network", "chosen")
    right = json.loads((run / "cells" / "bayesian_network-flowers-0.json").read_text())
    share = 100 * right["label"]["test"]["accuracy"]["value"]
    said = [numbers_in(w) for w in sentences(words)]
    assert [f"{share:.1f}", "1.5", "400", "0.900", "0.010"] in said
    assert ["76.0", "0.5"] in said  # always the commonest label: right, AUC
    # what the baseline says is a sentence of its own
    assert any(names(w, "independent") and not numbers_in(w) for w in sentences(words))


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
        decision, words = decision_on(run, "label"), advice_on(run, "label").words
        assert advice_on(run, "label").model == ("bayesian_network" if told else None)
        assert (decision.why == "chosen") is told
        assert "76.0" in numbers_in(words)  # always the commonest label
        shown = page_of(run).one(purpose="label")
        assert shown["data-finding"] == decision.why.replace(" ", "-")


def test_a_better_one_must_know_more_than_the_shares_too(run):
    rng = np.random.default_rng(0)
    for lead, found in ((-0.1, None), (0.2, "hmm")):
        for model, valid, mean in (("bayesian_network", -0.2, -0.9), ("hmm", -0.3, -0.55 + lead)):
            test = mean + 0.3 * rng.standard_normal(N)
            judge_labels(run, model, valid=valid, test=test, right=rng.random(N) < 0.7)
        assert advice_on(run, "label").model == found
        decision = decision_on(run, "label")
        assert decision.choice.better.other.model == "hmm"
        assert decision.why == ("not skilled" if found is None else "chosen")
        assert names(advice_on(run, "label").words, "bayesian_network", "hmm")


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
    choice = decision_on(run, "label").choice
    assert advice_on(run, "label").model == choice.substitute.other.model == "hmm"
    assert choice.chosen.model == "bayesian_network"
    assert choice.better is None
    assert choice.margin == 0.01
    assert names(advice_on(run, "label").words, "bayesian_network")


def test_few_rows_of_rarer_labels_prove_nothing(run):
    for rarer, found in ((9, None), (10, "bayesian_network")):
        for model, shift in (("bayesian_network", 0.5), ("hmm", 0.0)):
            test = -0.55 + shift + 0.1 * np.random.default_rng(0).standard_normal(N)
            judge_labels(run, model, valid=-0.55 + shift, test=test, right=np.ones(N, bool),
                         rarer=rarer)  # fmt: skip
        advice = advice_on(run, "label")
        assert advice.model == found
        decision = decision_on(run, "label")
        assert decision.choice.rarer == rarer
        assert decision.why == ("too few rarer" if found is None else "chosen")
        assert found is not None or str(rarer) in numbers_in(advice.words)


def test_rows_with_a_label_count_for_the_label(run):
    for n, found in ((29, None), (30, "bayesian_network")):
        for model, shift in (("bayesian_network", 0.5), ("hmm", 0.0)):
            test = -0.55 + shift + 0.1 * np.random.default_rng(0).standard_normal(N)
            judge_labels(run, model, valid=-0.55 + shift, test=test, right=np.ones(N, bool),
                         n_valid=n)  # fmt: skip
        advice = advice_on(run, "label")
        assert advice.model == found
        assert decision_on(run, "label").why == ("too few rows" if found is None else "chosen")
        assert str(n) in numbers_in(advice.words)
        assert advice_on(run, "likelihood").model == "bayesian_network"


def test_no_family_tells_the_label(run):
    for model in MODELS:
        judge_labels(run, model, valid=-0.56, test=np.full(N, -0.56), right=np.arange(N) < 300)
    decision, advice = decision_on(run, "label"), advice_on(run, "label")
    assert (decision.best, decision.why) == (None, "no skill")
    assert {"76.0", "0.5"} <= set(numbers_in(advice.words))  # always the commonest label
    assert not any(names(advice.words, model) for model in MODELS)
    shown = page_of(run).one(purpose="label")
    assert (shown["data-model"], shown["data-finding"]) == ("", "no-skill")


def test_who_was_not_asked_for_the_label_is_named(run):
    all_right(run)
    edit(run, "vae-flowers-0", label={"valid": None, "test": None, "left_out": "it takes a day"})
    words = advice_on(run, "label").words
    assert any(names(w, "vae", "it takes a day") for w in sentences(words))


# ------------------------------------------------------------------------- the other purposes


def test_queries_take_validations_favourite_among_those_that_are_exact(run):
    decision, words = decision_on(run, "queries"), advice_on(run, "queries").words
    assert (decision.best.model, decision.why) == ("bayesian_network", "exact")
    assert [fit.model for fit in decision.rest] == ["vae", "gan"]
    assert [fit.model for fit in decision.refused] == ["transformer"]
    assert names(words, "2 ms")
    assert any(names(w, "vae", "gan") and not names(w, "transformer") for w in sentences(words))
    assert names(words, "transformer")


def test_queries_where_only_the_baseline_is_exact(run):
    for model in ("bayesian_network", "hmm"):
        judged(run, model, query="lower_bound")
    decision = decision_on(run, "queries")
    assert (decision.best.model, decision.why) == ("bayesian_network", "approximate")
    assert not decision.exact


def test_samples(run):
    for model, valid, test in (("vae", 0.48, 0.52), ("gan", 0.9, 0.95)):
        value = {"value": test, "stderr": 0.02, "unit": "accuracy", "higher_is_better": False,
                 "kind": "estimate"}  # fmt: skip
        judged(run, model, c2st=valid, metrics={"c2st": value})
    choice, words = decision_on(run, "samples").choice, advice_on(run, "samples").words
    assert choice.chosen.model == "vae"
    assert "52 ± 2 %" in words  # of cases, told apart
    assert choice.with_verdict("worse")
    # the chosen one's likelihood is a bound; its samples are not: nothing is left open by that
    assert "open" not in verdicts(choice).values()
    nearest = min(choice.with_verdict("worse"), key=lambda a: a.difference.value)
    lost = with_error(100 * nearest.difference.value, 100 * nearest.difference.stderr)
    assert any(names(w, nearest.other.model, lost) for w in sentences(words))  # in points
    assert not any(kind in words for kind in ("≥", "≤", "bound"))


def test_speed(run):
    decision, words = decision_on(run, "speed"), advice_on(run, "speed").words
    assert decision.best.model == "hmm"
    against = next(a for a in decision.choice.against if a.other.model == "hmm")
    assert not against.differs
    assert names(words, "bayesian_network", "0.005 ± 0.010", "5.0 s")
    edit(run, "bayesian_network-flowers-0", train_seconds=0.5)
    decision = decision_on(run, "speed")
    assert decision.best.model == decision.choice.chosen.model == "bayesian_network"
    assert "±" not in advice_on(run, "speed").words  # with nobody to compare it with


def test_what_is_proven_worse_within_the_margin_is_called_proven(run):
    base = with_scores(run)
    noise = np.random.default_rng(5).standard_normal(N)
    judged(run, "independent", valid=-20.0)  # a margin of 0.12 nats
    close = base - 0.08 + 1e-3 * (noise - noise.mean())
    judged(run, "hmm", valid=-8.1, test=close, train_seconds=2.0)
    judged(run, "bayesian_network", test=base, train_seconds=50.0)
    assert advice_on(run, "likelihood").model == "hmm"
    against = next(a for a in decision_on(run, "speed").choice.against if a.other.model == "hmm")
    assert against.differs
    words = advice_on(run, "speed").words
    assert names(words, "bayesian_network", "50 s")
    judged(run, "hmm", valid=-8.1, test=base - 0.08 + 3 * (noise - noise.mean()))
    against = next(a for a in decision_on(run, "speed").choice.against if a.other.model == "hmm")
    assert not against.differs
    assert letters(words) != letters(advice_on(run, "speed").words)


def test_a_difference_that_only_rare_rows_could_make_up_for(run):
    base = with_scores(run)
    noise = np.random.default_rng(5).standard_normal(N)
    judged(run, "hmm", valid=-8.1, test=base - 0.012 + 0.01 * noise, train_seconds=9.0)
    hmm = next(a for a in decision_on(run, "likelihood").choice.against if a.other.model == "hmm")
    assert (hmm.verdict, hmm.differs, hmm.rare) == ("alike", False, True)
    said = letters(advice_on(run, "likelihood").words)
    judged(run, "hmm", valid=-8.1, test=base - 0.002 + 0.01 * noise, train_seconds=9.0)
    hmm = next(a for a in decision_on(run, "likelihood").choice.against if a.other.model == "hmm")
    assert (hmm.verdict, hmm.rare) == ("alike", False)
    assert said != letters(advice_on(run, "likelihood").words)


def test_no_family_that_loses_to_the_baseline_is_recommended(run):
    judged(run, "independent", valid=-7.0, test=np.full(N, -7.0), train_seconds=0.1)
    for purpose in ("likelihood", "queries", "speed"):
        assert advice_on(run, purpose).model == "independent"
    decision = decision_on(run, "queries")
    assert decision.why == "baseline"
    assert [fit.model for fit in decision.behind] == ["bayesian_network", "hmm"]
    assert names(advice_on(run, "queries").words, "bayesian_network", "hmm")
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
        few = basis_of(run).replace("30 ", "200 ")
        for model in MODELS:
            judged(run, model, n_valid=200)
        # that so few choose almost by chance is said beside it
        assert added(few, basis_of(run))
        return
    (advice,) = advise(found, "flowers")
    assert (advice.purpose, advice.model, advice.why) == ("none", None, "too few rows")
    assert {str(n), "30"} <= set(numbers_in(advice.words))
    page = page_of(run)
    assert finding(page, "flowers")["data-verdict"] == "open"
    shown = page.one(purpose="none")
    assert (shown["data-model"], shown["data-finding"]) == ("", "too-few-rows")
    # neither the summary nor the terminal names anybody
    text = in_words(run, ["flowers"])
    for words in (page.one(id="headline").text, text):
        assert names(words, "flowers")
        assert not any(names(words, model) for model in MODELS)
    assert str(n) in numbers_in(text)


def test_few_test_rows_are_said_and_folds_offered_where_they_can_be_had(run):
    many = basis_of(run).replace("400", "80")
    rng = np.random.default_rng(0)
    for i, model in enumerate(MODELS):
        judged(run, model, test=-8 - 0.01 * i + rng.standard_normal(80))
    said = basis_of(run)
    assert "80" in numbers_in(added(said, many))
    facts = json.loads((run / "plan.json").read_text())["datasets"]
    edit_plan(run, datasets=[facts[0] | {"foldable": True}])
    assert "--folds 5" not in said
    assert "--folds 5" in basis_of(run)
    unseen = decision_on(run, "likelihood").choice.unseen
    assert f"{unseen:.2g}" in numbers_in(advice_on(run, "likelihood").words)


@pytest.mark.parametrize(
    ("what", "has_text"), [("blocks", True), ("blocks", False), ("groups", False)]
)
def test_too_few_units_prove_nothing(run, what, has_text):
    for model in MODELS:
        path = run / "cells" / f"{model}-flowers-0.npz"
        with np.load(path) as stored:
            arrays = dict(stored)
        np.savez(path, **arrays, groups=np.arange(N) * 4 // N)
    facts = json.loads((run / "plan.json").read_text())["datasets"]
    units = {"what": what, "n_test": 4, "block": None}
    edit_plan(run, datasets=[facts[0] | {"units": units, "has_text": has_text}])
    decision, words = decision_on(run, "likelihood"), advice_on(run, "likelihood").words
    assert (decision.best, decision.why) == (None, "too short")
    assert decision.choice.units == 4
    assert {"4", "6"} <= set(numbers_in(words))  # of at least six that a proof needs
    assert names(words, what)
    # blocks are of a text, or of time
    edit_plan(run, datasets=[facts[0] | {"units": units, "has_text": not has_text}])
    other = advice_on(run, "likelihood").words
    assert (other == words) is (what == "groups")
    edit_plan(run, datasets=[facts[0] | {"units": units, "has_text": has_text}])
    # validation's choice is named, and nobody else
    assert [m for m in MODELS if names(words, m)] == [decision.choice.chosen.model]
    assert decision.choice.chosen.model == "bayesian_network"
    assert finding(page_of(run), "flowers")["data-verdict"] == "open"


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
    assert {"400", "12"} <= set(numbers_in(basis_of(run)))


def test_of_folds_it_is_not_said_that_test_rows_chose_nothing(tmp_path):
    """Every row of folds chooses and judges: what the proof is of is another sentence."""

    def of_proof(folds):
        said = basis_of(write_demo(tmp_path / f"{folds}", datasets=("flowers",), folds=folds))
        return {letters(w) for w in sentences(said) if "5 %" in w}

    assert of_proof(None)
    assert of_proof(3)
    assert not of_proof(None) & of_proof(3)


# ------------------------------------------------------------------------- around them


def test_numbers_beyond_the_range_are_named(run):
    words = advice_on(run, "likelihood").words
    (run / "datasets" / "flowers.schema.json").unlink()
    without = advice_on(run, "likelihood").words
    assert words.startswith(without)
    assert "genzoo score" in added(words, without)  # which counts such rows


def test_still_improving(run):
    record = json.loads((run / "cells" / "vae-flowers-0.json").read_text())
    before = advice_on(run, "likelihood").words
    edit(run, "vae-flowers-0", training=record["training"] | {"converged": False})
    assert names(added(advice_on(run, "likelihood").words, before), "vae")


def test_everywhere(run):
    all_right(run)
    page, markdown = page_of(run), markdown_of(run)
    text = in_words(run, ["flowers"])
    assert text.isascii()
    found = advise(read_run(run), "flowers")
    assert [a.purpose for a in found] == ["likelihood", "queries", "samples", "label", "speed"]
    for advice in found:
        shown = page.one(purpose=advice.purpose)
        assert shown["data-model"] == advice.model
        assert shown.one("p").text == advice.words
        for words in (text, markdown, shown.text):
            assert advice.title in words
    said = page.one(cls="basis").text
    assert said == basis_of(run)
    assert numbers_in(said)[:2] == ["200", "400"]  # chosen on, proven on


def test_no_figures(tmp_path):
    folder = write_demo(tmp_path / "demo", datasets=("flowers",))
    for path in (folder / "cells").glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"validation": None}))
    assert advise(read_run(folder), "flowers") == []
    assert basis_of(folder)
    found = finding(page_of(folder), "flowers")
    assert (found["data-verdict"], "not-chosen" in kinds(found)) == ("open", True)
    assert found.one(finding="not-chosen").text in markdown_of(folder)
