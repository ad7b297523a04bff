"""impute, classify and conditional_log_prob, against enumeration."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import genzoo
from genzoo import (
    HMM,
    MISSING,
    VAE,
    BayesianNetwork,
    Independent,
    TransformerLM,
    Unsupported,
)
from genzoo.model import GenerativeModel
from genzoo.space import forms


def people(n=400, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.choice(["no", "yes"], n)
    yes = label == "yes"
    return pd.DataFrame(
        {
            "age": np.where(yes, rng.integers(40, 60, n), rng.integers(20, 45, n)),
            "city": np.where(rng.random(n) < 0.9, np.where(yes, "Oslo", "Rome"), "Bern"),
            "income": np.where(rng.random(n) < 0.2, np.nan, np.round(rng.gamma(3, 10, n), 1)),
            "label": label,
        }
    )


@pytest.fixture(scope="module")
def network():
    return BayesianNetwork().fit(people())


def test_impute_fills_every_hole_and_keeps_what_is_known(network):
    holey = people(30, seed=1).set_index(np.arange(100, 130))
    holey.loc[100:110, "city"] = None
    holey["age"] = holey["age"].astype(float)
    holey.loc[105:112, "age"] = np.nan
    filled = genzoo.impute(network, holey[["city", "label", "age", "income"]], seed=3)
    assert filled.notna().all().all()
    assert list(filled.columns) == ["city", "label", "age", "income"]
    assert (filled.index == holey.index).all()
    for name in filled:
        known = holey[name].notna()
        assert (filled.loc[known, name] == holey.loc[known, name]).all()
    again = genzoo.impute(network, holey, seed=3)
    assert again.equals(genzoo.impute(network, holey, seed=3))
    assert not again.equals(genzoo.impute(network, holey, seed=4))


def test_impute_draws_from_the_conditional():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, 2000)
    model = BayesianNetwork().fit(np.stack([x, np.where(rng.random(2000) < 0.8, x, 1 - x)], 1))
    filled = genzoo.impute(model, np.tile([1, MISSING], (4000, 1)))
    wanted = np.exp(model.conditional_log_prob(np.array([[1, 1]]), np.array([1, MISSING])).value[0])
    # 5 standard errors: a false alarm in 10^6
    assert abs(filled[:, 1].mean() - wanted) < 5 * np.sqrt(wanted * (1 - wanted) / 4000)


def test_impute_strings_are_prefixes():
    model = Independent().fit(["anna", "bob", "eve", "al"])
    filled = genzoo.impute(model, ["a", "bo", ""])
    assert [text[:k] for text, k in zip(filled, (1, 2, 0), strict=True)] == ["a", "bo", ""]


def test_classify_is_bayes_rule(network):
    data = people(60, seed=2)
    shares = genzoo.classify(network, data, proba=True)
    assert list(shares.columns) == ["no", "yes"]
    assert (shares.index == data.index).all()
    joint = np.stack([network.log_prob(data.assign(label=v)).value for v in ("no", "yes")], axis=1)
    wanted = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    np.testing.assert_allclose(shares.to_numpy(), wanted, atol=1e-9)
    labels = genzoo.classify(network, data.drop(columns="label"))
    assert (labels == np.where(wanted[:, 1] > wanted[:, 0], "yes", "no")).all()
    assert (labels == data["label"]).mean() > 0.9


def test_classify_codes_and_any_target(network):
    rows = network.schema_.encode(people(20, seed=3))
    labels = genzoo.classify(network, rows, target="city")
    assert labels.dtype.kind == "i"
    assert set(labels) <= {0, 1, 2}
    holey = rows.copy()
    holey[:, 0] = MISSING
    assert len(genzoo.classify(network, holey, target="city")) == 20
    assert genzoo.classify(network, rows, target="income", proba=True).shape[1] == (
        network.schema_.variables[2].n_values
    )


@pytest.mark.parametrize(
    "model",
    [
        Independent(),
        HMM(n_states=2, n_restarts=1),
        TransformerLM(d_model=16, n_layers=1, device="cpu"),
        VAE(latent_dim=2, width=16, device="cpu"),
    ],
    ids=lambda m: type(m).__name__,
)
def test_every_kind_of_family_answers(model):
    data = people(200)
    model.fit(data, budget="60 steps")
    holey = data.head(6).copy()
    holey.loc[:2, "city"] = None
    assert genzoo.impute(model, holey).notna().all().all()
    shares = genzoo.classify(model, holey, proba=True).to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_conditionals_are_joint_less_marginal():
    rows = np.random.default_rng(0).integers(0, 3, (300, 4))
    rows[:, 1] = rows[:, 0]
    model = BayesianNetwork().fit(rows)
    given = np.array([2, MISSING, MISSING, 1])
    data = np.array([[MISSING, v, MISSING, MISSING] for v in range(3)])
    found = model.conditional_log_prob(data, given)
    assert found.kind == "exact"
    assert logsumexp(found.value) == pytest.approx(0, abs=1e-9)
    joint = model.log_prob(np.array([[2, v, MISSING, 1] for v in range(3)])).value
    np.testing.assert_allclose(found.value, joint - model.log_prob(given[None]).value)
    assert (model.conditional_log_prob(np.array([[2, 2, 0, 1]]), np.full(4, MISSING)).value) == (
        model.log_prob(np.array([[2, 2, 0, 1]])).value
    )


def test_a_difference_of_bounds_is_an_estimate():
    rows = np.random.default_rng(0).integers(0, 2, (200, 3))
    model = VAE(latent_dim=2, width=8, device="cpu").fit(rows, budget="30 steps")
    given = np.where(rows[:4] == 1, 1, MISSING)
    given[0] = rows[0]
    found = model.conditional_log_prob(rows[:4], given)
    assert found.kind == "estimate"
    assert found.value[0] == 0  # it is all given
    assert found.stderr[0] == 0
    assert (found.stderr >= 0).all()
    with pytest.raises(Unsupported, match="two ELBOs"):
        model.set_params(estimator="elbo").conditional_log_prob(rows[:4], given)


def test_noise_about_what_is_nearly_certain_is_not_cut_off():
    # cut at 0, the estimates of a sure event would be too low on average
    rows = np.random.default_rng(0).integers(0, 2, (300, 3))
    rows[:, 1] = 0
    model = VAE(latent_dim=2, width=8, n_importance=8, estimator="iwae", device="cpu")
    model.fit(rows, budget="200 steps")
    given = np.where([True, False, True], rows[:20], MISSING)
    found = [model.conditional_log_prob(rows[:20], given, seed=s).value for s in range(60)]
    assert np.max(found) > 0
    exact = model.set_params(n_importance=20_000)
    sure = exact.conditional_log_prob(rows[:20], given)
    error = np.std(found) / np.sqrt(60 * 20) + sure.stderr.mean()
    gap = np.mean(found) - sure.value.mean()
    assert abs(gap) < 5 * error < abs(np.minimum(found, 0).mean() - sure.value.mean())


def test_bad_questions_are_refused(network):
    data = people(5)
    with pytest.raises(ValueError, match="target: expected a variable of the model"):
        genzoo.classify(network, data, target="species")
    with pytest.raises(ValueError, match="not fitted"):
        genzoo.classify(Independent(), data)
    with pytest.raises(ValueError, match="not fitted"):
        genzoo.impute(Independent(), data)
    with pytest.raises(ValueError, match="target: expected a variable of the model"):
        genzoo.classify(network, data, target=data["age"])
    with pytest.raises(ValueError, match="model: expected a GenerativeModel; got DataFrame"):
        genzoo.impute(data, network)
    with pytest.raises(ValueError, match=r"data: .*extra"):
        genzoo.impute(network, data.assign(extra=1))
    with pytest.raises(ValueError, match="data: got a masked array"):
        network.log_prob(np.ma.masked_array(np.zeros((2, 4), dtype=int), mask=True))
    with pytest.raises(ValueError, match="column 0 holds nothing but MISSING"):
        Independent().fit(np.array([[-1, 0], [-1, 1]]))
    with pytest.raises(ValueError, match="data: expected rows of codes"):
        genzoo.classify(network, np.zeros((3, 2), dtype=int))
    rows = network.schema_.encode(data)
    other = rows.copy()
    other[1, 3] = 1 - other[1, 3]
    with pytest.raises(ValueError, match="row 1 contradicts given in variable 'label'"):
        network.conditional_log_prob(rows, other)


# ------------------------------------------------------------------------- all labels at once


def with_holes(frame, seed):
    rng = np.random.default_rng(seed)
    return frame.mask(rng.random(frame.shape) < 0.15)


@pytest.mark.parametrize(
    "key", ["independent", "mixture", "hmm", "bayesian_network", "ngram", "circuit"]
)
@pytest.mark.parametrize("form", ["table", "strings"])
def test_one_pass_says_of_all_codes_what_a_pass_for_each_says(key, form):
    model = genzoo.make_model(key)
    if form == "table":
        train, test = people(), with_holes(people(25, 3), 4)
        if key in ("bayesian_network", "ngram"):  # a pass for each of its many values takes long
            train, test = train.drop(columns="income"), test.drop(columns="income")
        model.fit(train, budget="20 steps")
        rows = model.schema_.encode(forms.read(test), given=True)
    else:
        model.fit(["ab", "abab", "b", "ba", "", "aab"] * 20, budget="20 steps")
        rows = model.schema_.encode(forms.read(["ab", "a", "bab"]))
    for d in range(model.schema_.D):
        wanted = GenerativeModel._log_prob_each(model, rows, d, seed=0)
        found = model._log_prob_each(rows, d, seed=0)
        assert found.shape == (len(rows), model.schema_.cards[d])
        np.testing.assert_allclose(np.exp(found), np.exp(wanted), rtol=1e-8, atol=1e-300)


@pytest.mark.parametrize("key", ["independent", "mixture", "hmm", "circuit"])
def test_labels_are_told_without_a_pass_for_each(key, monkeypatch):
    model = genzoo.make_model(key).fit(people(), budget="5 steps")
    passes = []
    monkeypatch.setattr(
        type(model), "_log_prob_of", lambda self, rows, seed: passes.append(len(rows))
    )
    genzoo.classify(model, people(20, 1), "income")
    assert not passes
