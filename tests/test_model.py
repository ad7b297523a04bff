"""The public interface, on the baseline: forms in and out, queries, seeds, scikit-learn."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest

import genzoo
from genzoo import MISSING
from genzoo.fitting import Budget
from genzoo.space import blocks


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            "age": rng.integers(18, 80, 200),
            "income": np.round(rng.lognormal(10, 1, 200), 2),
            "city": pd.Categorical(rng.choice(["Rom", "Oslo", "Bern"], 200)),
            "member": rng.random(200) < 0.3,
        }
    )
    data.loc[::7, "income"] = np.nan
    return data


def test_a_frame_comes_back_as_a_frame(people):
    model = genzoo.Independent().fit(people)
    drawn = model.sample(50, seed=1)
    assert list(drawn.columns) == list(people.columns)
    assert drawn.dtypes.to_dict() == people.dtypes.to_dict()
    assert np.isfinite(np.asarray(model.log_prob(drawn))).all()
    assert drawn["income"].isna().any()


def test_holes_that_are_given_are_filled_and_observed_values_come_back(people):
    model = genzoo.Independent().fit(people)
    given = people.head(20).assign(income=np.nan)
    given.loc[3, "income"] = 1234.56
    drawn = model.sample(20, given=given, seed=1)
    assert drawn["income"].notna().all()
    assert drawn.loc[3, "income"] == 1234.56
    assert (drawn["city"] == given["city"]).all()
    assert (model.sample(4, given={"city": "Rom"})["city"] == "Rom").all()


def test_codes_come_back_as_codes_and_strings_as_strings():
    rows = np.array([[0, 1], [1, 2], [0, 0]])
    drawn = genzoo.Independent().fit(rows).sample(5)
    assert drawn.dtype == np.int64
    assert drawn.shape == (5, 2)
    names = genzoo.Independent().fit(["anna", "bob", "eve"])
    assert all(isinstance(name, str) for name in names.sample(5))
    assert all(name.startswith("an") for name in names.sample(5, given="an"))
    images = genzoo.Independent().fit(np.eye(4, dtype=np.uint8)[None].repeat(9, axis=0))
    assert images.sample(2).shape == (2, 4, 4)
    assert images.sample(2).dtype == np.uint8


def test_a_dataset_is_fitted_on_train_and_log_prob_wants_rows():
    data = genzoo.load_dataset("asia")
    model = genzoo.Independent().fit(data)
    assert model.sample(3).shape == (3, 8)
    with pytest.raises(ValueError, match=r"write data\.train, data\.valid or data\.test"):
        model.log_prob(data)
    with pytest.raises(ValueError, match="brings its own schema and valid rows"):
        genzoo.Independent().fit(data, valid=data.valid)


def test_missing_is_summed_out_and_refused_in_fit_by_families_that_need_complete_rows():
    rows = np.array([[0, 1], [1, 1], [0, 0], [1, 0], [0, 1]])
    model = genzoo.Independent().fit(rows)
    marginal = model.log_prob(np.array([[0, MISSING]])).value[0]
    joint = model.log_prob(np.array([[0, 0], [0, 1]])).value
    assert np.isclose(marginal, np.logaddexp(*joint))
    with pytest.raises(ValueError, match=r"row 0, variable 'x1' is MISSING .*complete rows"):
        genzoo.GAN().fit(np.array([[0, -1], [1, 1]]))


def test_log_prob_carries_kind_error_and_units():
    rows = np.array([[0, 1], [1, 1], [0, 0], [1, 0]])
    model = genzoo.Independent().fit(rows)
    result = model.log_prob(rows)
    assert result.kind == "exact"
    assert (result.stderr == 0).all()
    assert (np.asarray(result) == result.value).all()
    score = result.mean()
    assert np.isclose(score.value, 2 * np.log(0.5))
    assert np.isclose(score.bits_per_dim(model.schema_), 1.0)
    assert model.score(rows) == score.value
    with pytest.raises(ValueError, match="kind: expected one of"):
        genzoo.LogProb(result.value, "sure", result.stderr)


def test_log_density_is_mass_less_volume_and_flags_rows_off_the_grid(people):
    model = genzoo.Independent().fit(people)
    rows = model.schema_.encode(people)
    density = model.log_density(people)
    expected = model.log_prob(people).value - model.schema_.log_volume(rows)
    assert np.allclose(density.value, expected)
    assert density.comparable.all()
    with pytest.warns(UserWarning, match="1 of 800 numbers"):
        far = model.log_density(people.assign(age=[999, *people["age"][1:]]))
    assert far.comparable.tolist() == [False] + [True] * 199


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.sample(0), "n: expected a positive integer; got 0"),
        (lambda m: m.sample(2.5), "n: expected a positive integer; got 2.5"),
        (lambda m: m.sample(1, seed=-1), "seed: expected a non-negative integer; got -1"),
        (lambda m: m.sample(3, given=np.zeros((2, 2), int)), "1 row or n = 3 rows; got 2"),
        (lambda m: m.sample(3, given={}), "empty dict"),
        (lambda m: m.log_prob(np.array([[0, 9]])), "expected codes 0 .. 1"),
        (lambda m: m.log_prob(np.array([[0, -2]])), "got -2"),
        (lambda m: m.fit(np.array([[0, 1]]), budget="soon"), "budget: expected"),
        (lambda m: m.fit(np.array([[0, 1]]), budget="0s"), "positive"),
        (lambda m: m.fit(np.array([[0, 1]]), progress=3), "progress: expected"),
        (lambda m: m.fit(np.array([[0, 1]]), schema="x"), "schema: expected a Schema"),
        (lambda m: m.fit([1, 2]), "expected a DataFrame"),
        (lambda m: m.set_params(pseudo_count=-1), "pseudo_count: expected a positive number"),
        (lambda m: m.set_params(width=3), "no such parameter; it has pseudo_count"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    model = genzoo.Independent(pseudo_count=1.0).fit(np.array([[0, 1], [1, 0]]))
    with pytest.raises(ValueError, match=message):
        call(model)
    assert model.pseudo_count == 1.0
    assert np.isfinite(model.score(np.array([[0, 1]])))


def test_unfitted_models_say_so():
    with pytest.raises(ValueError, match="not fitted; call fit first"):
        genzoo.Independent().sample(1)


def test_budgets_are_read():
    assert Budget.parse("60s") == Budget(seconds=60)
    assert Budget.parse("2000 steps") == Budget(steps=2000)
    assert Budget.parse(None) == Budget()
    with pytest.raises(ValueError, match="whole number"):
        Budget.parse("2.5 steps")


def test_names_are_suggested():
    with pytest.raises(ValueError, match="did you mean 'vae'"):
        genzoo.make_model("vea")
    with pytest.raises(ValueError, match="did you mean 'alarm'"):
        genzoo.load_dataset("alarn")
    with pytest.raises(ValueError, match="no such parameter"):
        genzoo.make_model("independent", width=3)


def test_scikit_learns_model_selection_works():
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, cross_val_score

    rows = np.random.default_rng(0).integers(0, 3, (60, 4))
    model = genzoo.Independent(pseudo_count=2.0)
    assert clone(model).pseudo_count == 2.0
    assert repr(model) == "Independent(pseudo_count=2.0)"
    assert (cross_val_score(model, rows, cv=3) < 0).all()
    search = GridSearchCV(model, {"pseudo_count": [0.1, 1.0, 10.0]}, cv=3).fit(rows)
    assert search.best_params_["pseudo_count"] == 10.0


def test_completions_of_strings_follow_the_exact_conditional():
    # G-test of 20,000 completions of "_ _ END" against the enumerated conditional; false alarm 1e-6
    from scipy.stats import chi2

    model = genzoo.Independent().fit(["ab", "a", "bba", "", "b"])
    end = model.schema_.end
    space = model.schema_.enumerate()
    space = space[space[:, 2] == end]
    masses = np.exp(model.log_prob(space).value)
    codes = model.schema_.check_rows(np.array([[MISSING, MISSING, end]]), allow_missing=True)
    drawn = model.schema_.encode(model.sample(20_000, given=codes, seed=3))
    observed = np.array([(drawn == row).all(1).sum() for row in space])
    expected = len(drawn) * masses / masses.sum()
    statistic = 2 * np.sum(observed * np.log(observed / expected))
    assert observed.sum() == len(drawn)
    assert chi2.sf(statistic, len(space) - 1) > 1e-6


def test_given_as_a_dict_works_for_strings_and_images_too():
    names = genzoo.Independent().fit(["ab", "a", "bb"] * 5)
    assert all(name.startswith("a") for name in names.sample(9, given={"t0": "a"}))
    images = genzoo.Independent().fit(np.eye(4, dtype=np.uint8)[None].repeat(9, axis=0))
    assert (images.sample(5, given={"p0_0": 1})[:, 0, 0] == 1).all()


def test_complete_rows_come_back_as_they_were_given():
    rows = np.array([[0, 1], [1, 0]])
    model = genzoo.Independent().fit(rows)
    assert (model.sample(2, given=rows) == rows).all()


def test_a_column_without_values_can_only_be_filled_with_its_mark():
    data = pd.DataFrame({"a": [0, 1, 1, 0], "b": np.full(4, np.nan)})
    drawn = genzoo.Independent().fit(data).sample(3, given={"a": 1})
    assert drawn["b"].isna().all()
    assert (drawn["a"] == 1).all()


def test_tables_with_many_holes_are_completed():
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            f"c{d}": np.where(rng.random(300) < 0.5, np.nan, rng.integers(0, 3, 300))
            for d in range(12)
        }
    )
    for model in (genzoo.Independent(), genzoo.BayesianNetwork(), genzoo.HMM(n_states=2)):
        drawn = model.fit(data, seed=0).sample(50, given={"c0": 1}, seed=1)
        assert drawn.notna().all(axis=None)


def test_errors_about_valid_name_valid():
    data = pd.DataFrame({"a": [0, 1], "b": ["x", "y"]})
    with pytest.raises(ValueError, match=r"valid: expected the columns"):
        genzoo.Independent().fit(data, valid=data[["a"]])


def test_scikit_learn_may_pass_a_target():
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    rows = np.random.default_rng(0).integers(0, 3, (60, 4))
    assert (cross_val_score(genzoo.Independent(), rows, rows[:, 0], cv=3) < 0).all()
    assert make_pipeline(genzoo.Independent()).fit(rows).score(rows) < 0


def test_a_noisy_bound_never_exceeds_a_mass_of_one():
    class Noisy(genzoo.Independent):
        def _log_prob(self, rows, *, seed):
            return genzoo.LogProb(np.full(len(rows), 0.2), "lower_bound", np.full(len(rows), 0.3))

    rows = np.array([[0, 1], [1, 0]])
    assert (Noisy().fit(rows).log_prob(rows).value == 0).all()


def test_a_frame_of_bare_codes_comes_back_as_a_frame():
    schema = genzoo.Schema((genzoo.Variable("a", cardinality=2),), "table", (1,))
    drawn = genzoo.Independent().fit(pd.DataFrame({"a": [0, 1, 1]}), schema=schema).sample(3)
    assert list(drawn.columns) == ["a"]


# ---------------------------------------------------------------- nats per unit, errors over groups


def test_nats_per_unit_and_their_error_over_groups():
    """Rows repeated within a group carry no news: the error is that of the groups alone."""
    rng = np.random.default_rng(0)
    value, units = rng.normal(-5.0, 1.0, 40), rng.integers(1, 9, 40)
    lp = genzoo.LogProb.exact(value)
    once = lp.per(units)
    assert once.value == pytest.approx(value.sum() / units.sum())
    again = genzoo.LogProb.exact(np.repeat(value, 5))
    grouped = again.per(np.repeat(units, 5), groups=np.repeat(np.arange(40), 5))
    assert (grouped.value, grouped.stderr) == pytest.approx((once.value, once.stderr))
    assert again.per(np.repeat(units, 5)).stderr < 0.5 * grouped.stderr
    customers = np.repeat([f"c{i}" for i in range(40)], 5)
    assert again.per(np.repeat(units, 5), groups=customers).stderr == pytest.approx(once.stderr)
    assert lp.mean().stderr == pytest.approx(value.std(ddof=1) / np.sqrt(40))
    assert np.isnan(lp.mean(groups=np.zeros(40, dtype=int)).stderr)


def test_the_error_of_a_ratio_is_the_spread_over_repetitions():
    """2,000 draws of 50 groups: stated error within 10 % of the spread (known to 2 %)."""
    rng = np.random.default_rng(1)
    found, stated = [], []
    for _ in range(2000):
        sizes = rng.integers(1, 6, 50)
        groups = np.repeat(np.arange(50), sizes)
        units = rng.integers(1, 9, len(groups))
        value = -2.0 * units + np.repeat(rng.normal(size=50), sizes) * units
        score = genzoo.LogProb.exact(value).per(units, groups)
        found.append(score.value)
        stated.append(score.stderr)
    assert np.std(found) == pytest.approx(np.mean(stated), rel=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda lp: lp.per([1, 2]), "units: expected a number for each of 3 rows"),
        (lambda lp: lp.per([0, 0, 0]), "units: expected numbers that are not negative"),
        (lambda lp: lp.per([1, np.nan, 1]), "units: expected numbers that are not negative"),
        (lambda lp: lp.mean(groups=[1.0, np.nan, 2.0]), "groups: expected an integer or a string"),
    ],
)
def test_bad_units_and_groups(call, message):
    with pytest.raises(ValueError, match=message):
        call(genzoo.LogProb.exact(np.array([-1.0, -2.0, -3.0])))


class _Nothing(genzoo.Independent):
    """A family that asks for no memory of its own."""

    def _fit(self, rows, valid, fit):
        self.log_table_ = np.zeros(1)

    def _sample(self, n, given, *, seed):
        return np.zeros((n, self.schema_.D), dtype=np.int64)

    def _log_prob(self, rows, *, seed):
        return genzoo.LogProb.exact(np.zeros(len(rows)))


@pytest.mark.parametrize("form", ["codes", "strings", "images"])
def test_rows_are_held_no_more_than_a_few_times(form):
    rng = np.random.default_rng(0)
    data = {
        "codes": rng.integers(0, 8, (4000, 64)),
        "strings": ["a" * k for k in rng.integers(3, 900, 500)] + ["b" * 900],
        "images": rng.integers(0, 256, (500, 28, 28)).astype(np.uint8),
    }[form]
    model = _Nothing().fit(data)
    numbers = len(data) * model.schema_.D
    for most, work in (
        (2.6, lambda: _Nothing().fit(data)),
        (2.6, lambda: model.log_prob(data)),
        (3.3, lambda: model.sample(len(data))),
    ):
        tracemalloc.start()
        try:
            work()
            assert tracemalloc.get_traced_memory()[1] < most * 8 * numbers
        finally:
            tracemalloc.stop()


def test_the_baseline_looks_at_a_block_of_rows_at_a_time(monkeypatch):
    monkeypatch.setattr(blocks, "NUMBERS", 2**14)
    rows = np.random.default_rng(0).integers(0, 8, (10_000, 32))
    model = genzoo.Independent().fit(rows)
    for most, work in (
        (2.7, lambda: genzoo.Independent().fit(rows)),
        (1.7, lambda: model.log_prob(rows)),
        (2.7, lambda: model.sample(len(rows))),
    ):
        tracemalloc.start()
        try:
            work()
            assert tracemalloc.get_traced_memory()[1] < most * rows.nbytes
        finally:
            tracemalloc.stop()
