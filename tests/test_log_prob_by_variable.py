"""log_prob_by_variable: the chain rule, for every family, against enumeration."""

from __future__ import annotations

import numpy as np
import pytest

import genzoo
from genzoo import MISSING, VAE, Independent, Unsupported
from genzoo.keys import MODELS

SMALL = {
    "hmm": {"n_states": 2, "n_restarts": 1},
    "transformer": {"d_model": 16, "n_layers": 1, "device": "cpu"},
    "vae": {"latent_dim": 2, "width": 8, "device": "cpu"},
    "gan": {"width": 8, "device": "cpu"},
    "masked_transformer": {"device": "cpu"},
    "diffusion": {"device": "cpu"},
}


def table():
    rows = np.random.default_rng(0).integers(0, [2, 3, 2, 2], (300, 4))
    rows[:, 2] = rows[:, 0]
    rows[:, 3] = (rows[:, 1] + rows[:, 2]) % 2
    return rows


def strings():
    rng = np.random.default_rng(1)
    return ["".join(rng.choice(["a", "b"], n)) for n in rng.integers(0, 4, 200)]


def fitted(family, data):
    return genzoo.make_model(family, **SMALL.get(family, {})).fit(data, budget="20 steps")


@pytest.mark.parametrize("data", [table, strings])
@pytest.mark.parametrize("family", MODELS)
def test_terms_are_conditionals_and_sum_to_the_row(family, data):
    model = fitted(family, data())
    rows = model.schema_.enumerate()
    found = genzoo.log_prob_by_variable(model, rows, seed=3)
    whole = model.log_prob(rows, seed=3)
    np.testing.assert_allclose(found.value.sum(axis=1), whole.value, atol=1e-9)
    assert found.value.shape == found.stderr.shape == rows.shape
    assert found.starts.tolist() == [*range(rows.shape[1])]
    reached = model.schema_.reached(rows)
    assert (found.value[~reached] == 0).all()
    if found.kind != "exact":
        assert found.kind == "estimate"
        return
    assert (found.stderr == 0).all()
    # given each prefix, what may follow has a mass of one
    for d in range(rows.shape[1]):
        prefixes, inverse = np.unique(rows[:, :d], axis=0, return_inverse=True)
        for i in range(len(prefixes)):
            here = (inverse.reshape(-1) == i) & reached[:, d]
            if here.any():
                _, first = np.unique(rows[here, d], return_index=True)
                assert np.exp(found.value[here, d][first]).sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("family", ["independent", "bayesian_network", "mixture", "hmm", "circuit"])
def test_a_term_is_the_conditional_given_what_comes_before(family):
    model = fitted(family, table())
    rows = model.schema_.enumerate()[::3]
    found = genzoo.log_prob_by_variable(model, rows)
    assert found.kind == "exact"
    for d in range(rows.shape[1]):
        data = np.where(np.arange(4) <= d, rows, MISSING)
        given = np.where(np.arange(4) < d, rows, MISSING)
        wanted = model.conditional_log_prob(data, given).value
        np.testing.assert_allclose(found.value[:, d], wanted, atol=1e-9)


def test_blocks_are_sums_of_their_variables():
    rows = np.random.default_rng(0).integers(0, 2, (200, 10))
    model = genzoo.BayesianNetwork(structure="chow_liu").fit(rows)
    fine = genzoo.log_prob_by_variable(model, rows[:20])
    coarse = genzoo.log_prob_by_variable(model, rows[:20], n_blocks=4)
    assert coarse.starts.tolist() == [0, 3, 5, 8]
    np.testing.assert_allclose(
        coarse.value, np.add.reduceat(fine.value, coarse.starts, axis=1), atol=1e-9
    )
    many = genzoo.log_prob_by_variable(model, rows[:20], n_blocks=99)
    np.testing.assert_array_equal(many.value, fine.value)


def test_bounds_repeat_by_the_seed_and_refuse_elbos():
    rows = table()
    model = VAE(latent_dim=2, width=8, device="cpu").fit(rows, budget="20 steps")
    one, again, other = (genzoo.log_prob_by_variable(model, rows[:5], seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.value, again.value)
    assert (one.value != other.value).any()
    assert (one.stderr > 0).any()
    with pytest.raises(Unsupported, match="two ELBOs"):
        genzoo.log_prob_by_variable(model.set_params(estimator="elbo"), rows[:5])


def test_bad_questions_are_refused():
    rows = table()
    model = Independent().fit(rows)
    with pytest.raises(ValueError, match="not fitted"):
        genzoo.log_prob_by_variable(Independent(), rows)
    with pytest.raises(ValueError, match="expected complete rows"):
        genzoo.log_prob_by_variable(model, np.where(rows == 1, MISSING, rows))
    with pytest.raises(ValueError, match="n_blocks: expected"):
        genzoo.log_prob_by_variable(model, rows, n_blocks=0)
    with pytest.raises(ValueError, match="model: expected a GenerativeModel"):
        genzoo.log_prob_by_variable("vae", rows)
