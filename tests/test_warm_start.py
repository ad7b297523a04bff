"""``fit(warm_start=True)``: going on from what an earlier fit learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import genzoo
from genzoo import Independent, NGram, Schema, Unsupported
from genzoo.registry import load_model

OLD = ["anna", "hanna", "nana", "anan", "hana", "ana"] * 30
NEW = ["otto", "toto", "oto", "hoto"] * 4
VALID = ["toto", "otto", "hoto", "anna"]
SCHEMA = Schema.infer(OLD + NEW)
WARM = [key for key in genzoo.list_models() if genzoo.make_model(key).warm_starts]
COLD = [key for key in genzoo.list_models() if key not in WARM]
NETWORKS = ["vae", "gan", "transformer", "masked_transformer", "diffusion"]
BUDGET = dict.fromkeys(NETWORKS, "60 steps")
# log_prob draws a bound anew, by other draws than those that selected the weights
NOISY = {"vae": 0.1, "gan": 0.2, "diffusion": 0.2}


def pretrained(key: str) -> genzoo.GenerativeModel:
    return genzoo.make_model(key).fit(OLD, schema=SCHEMA, seed=0, budget=BUDGET.get(key))


def test_who_goes_on():
    assert {"independent", "ngram", *NETWORKS} == set(WARM)


@pytest.mark.parametrize("key", WARM)
def test_a_warm_start_repeats_is_saved_and_leaves_what_came_before(key, tmp_path):
    first = pretrained(key)
    first.save(tmp_path / "first")
    again = load_model(tmp_path / "first")
    before = first.score(VALID)
    for model in (first, again):
        model.fit(NEW, valid=VALID, seed=3, budget=BUDGET.get(key), warm_start=True)
    assert first.score(VALID) == again.score(VALID)
    first.save(tmp_path / "second")
    assert load_model(tmp_path / "second").score(VALID) == first.score(VALID)
    assert load_model(tmp_path / "first").score(VALID) == before
    assert first.score(NEW) > load_model(tmp_path / "first").score(NEW) + 0.3


@pytest.mark.parametrize("key", ["ngram", *NETWORKS])
def test_it_ends_no_worse_on_validation_than_it_began(key):
    """New rows that have nothing to do with the validation rows; all of these select."""
    model = pretrained(key)
    before = model.score(OLD[:40])
    model.fit(NEW, valid=OLD[:40], budget=BUDGET.get(key), warm_start=True)
    assert model.score(OLD[:40]) >= before - NOISY.get(key, 1e-6)


@pytest.mark.parametrize("key", WARM)
def test_another_schema_is_refused_and_the_model_stays(key):
    model = pretrained(key)
    before = model.log_prob(VALID).value
    with pytest.raises(ValueError, match=r"warm_start: .* the other's alphabet has 'z' too"):
        model.fit(NEW, schema=Schema.infer([*OLD, *NEW, "z"]), warm_start=True)
    with pytest.raises(ValueError, match=r"event_shape is \(5,\) here and \(9,\) there"):
        model.fit(NEW, schema=Schema.infer([*OLD, *NEW, "a" * 9]), warm_start=True)
    with pytest.raises(ValueError, match="'z'"):
        model.fit([*NEW, "zz"], warm_start=True)
    with pytest.raises(ValueError, match="warm_start: expected data of the schema"):
        model.fit(genzoo.load_dataset("iris"), warm_start=True)
    with pytest.raises(ValueError, match="warm_start: expected True or False; got 1"):
        model.fit(NEW, warm_start=1)
    np.testing.assert_array_equal(model.log_prob(VALID).value, before)


@pytest.mark.parametrize("key", WARM)
def test_an_interrupted_warm_start_leaves_the_model_as_it_was(key):
    model = pretrained(key)
    before = model.log_prob(VALID).value

    def stop(share: float, message: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(NEW, valid=VALID, warm_start=True, progress=stop, budget=BUDGET.get(key))
    np.testing.assert_array_equal(model.log_prob(VALID).value, before)


@pytest.mark.parametrize("key", COLD)
def test_who_can_not_says_so_before_any_work(key):
    model = genzoo.make_model(key)
    with pytest.raises(Unsupported, match="no warm start"):
        model.fit(NEW, warm_start=True, progress=lambda *_: pytest.fail("it began"))


def test_there_must_be_something_to_go_on_from():
    with pytest.raises(ValueError, match="warm_start: this NGram is not fitted"):
        NGram().fit(NEW, warm_start=True)


def test_other_data_than_strings_too():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 3, (400, 3))
    rows[:, 2] = rows[:, 0]
    for key in WARM:
        model = genzoo.make_model(key).fit(rows[:300], budget=BUDGET.get(key))
        model.fit(rows[300:], budget=BUDGET.get(key), warm_start=True)
        every = np.stack(np.meshgrid(*[range(3)] * 3), axis=-1).reshape(-1, 3)
        total = np.exp(model.log_prob(every).value).sum()
        assert total == pytest.approx(1, abs=0.05 if key in NOISY else 1e-5)


def test_the_old_counts_are_worth_what_the_new_rows_say():
    old = np.array([[0], [1]] * 500)
    alike, other = np.array([[0], [1]] * 20), np.array([[0]] * 40)
    masses = []
    for rows in (alike, other):
        model = Independent().fit(old, schema=Schema.infer(old)).fit(rows, warm_start=True)
        masses.append(float(np.exp(model.log_prob(np.array([[0]])).value[0])))
    assert masses[0] == pytest.approx(0.5)
    assert masses[1] > 0.95


def test_counts_are_weighed_by_what_is_best_on_validation():
    model = NGram(context=1).fit(OLD, schema=SCHEMA)
    old = model.tree_
    model.fit(NEW, valid=VALID, warm_start=True)
    assert model.tree_.old is old
    weights = model.tree_.weights
    assert ((weights > 0) & (weights < 1)).all()
    found = model.score(VALID)
    for other in (np.full_like(weights, 0.01), np.full_like(weights, 0.99)):
        model.tree_ = replace(model.tree_, weights=other)
        assert model.score(VALID) < found
    model.tree_ = replace(model.tree_, weights=weights)
    model.fit(NEW, valid=VALID, warm_start=True)  # once more
    assert model.score(VALID) >= found
    first = np.full((int(SCHEMA.cards[0]), SCHEMA.D), -1)
    first[:, 0] = np.arange(len(first))
    assert np.exp(model.log_prob(first).value).sum() == pytest.approx(1)


# of each family of networks: sizes for a fit, and for each another one
SIZES = {
    "vae": ({"latent_dim": 3, "width": 16}, {"latent_dim": 4, "width": 32}),
    "gan": ({"latent_dim": 3, "width": 16}, {"latent_dim": 4, "width": 32}),
    "transformer": (
        {"d_model": 16, "n_layers": 1, "n_heads": 2, "group_size": 1},
        {"d_model": 32, "n_layers": 2, "n_heads": 4, "group_size": 2},
    ),
    "masked_transformer": (
        {"d_model": 16, "n_layers": 1, "n_heads": 2, "n_orders": 2},
        {"d_model": 32, "n_layers": 2, "n_heads": 4, "n_orders": 3},
    ),
    "diffusion": (
        {"d_model": 16, "n_layers": 1, "n_heads": 2},
        {"d_model": 32, "n_layers": 2, "n_heads": 4},
    ),
}


def small(key: str) -> genzoo.GenerativeModel:
    """A network of few weights."""
    return genzoo.make_model(key, **SIZES[key][0]).fit(OLD, schema=SCHEMA, budget="5 steps")


@pytest.mark.parametrize("key", NETWORKS)
def test_other_sizes_than_the_fitted_ones_are_refused_by_name(key, tmp_path):
    small(key).save(tmp_path / "model")
    for name, other in SIZES[key][1].items():
        model = load_model(tmp_path / "model")
        has = getattr(model, name)
        before = model.log_prob(VALID).value
        model.set_params(**{name: other})
        with pytest.raises(
            ValueError, match=f"^{name}: a warm start keeps .* model's, {has}; got {other}: "
        ):
            model.fit(
                NEW, warm_start=True, budget="5 steps", progress=lambda *_: pytest.fail("it began")
            )
        np.testing.assert_array_equal(model.log_prob(VALID).value, before)
        model.fit(NEW, budget="5 steps")  # anew with the other size


@pytest.mark.parametrize("key", NETWORKS)
def test_sizes_that_nobody_asks_for_are_those_of_before(key):
    rows = np.random.default_rng(0).integers(0, 2, (60, 4))  # tokens of two columns by default
    model = genzoo.make_model(key, **SIZES[key][0]).fit(rows[:40], budget="5 steps")
    n_weights = model.n_parameters_
    defaults = genzoo.make_model(key).get_params()
    model.set_params(**{name: None for name in SIZES[key][0] if defaults[name] is None})
    model.fit(rows[40:], budget="5 steps", warm_start=True)
    assert model.n_parameters_ == n_weights


@pytest.mark.parametrize("key", ["transformer", "masked_transformer", "diffusion"])
def test_dropout_may_change_between_fits(key):
    model = small(key).set_params(dropout=0.4)
    model.fit(NEW, valid=VALID, budget="5 steps", warm_start=True)
    assert model.sizes_["dropout"] == 0.4
