"""Single rows in ``given``, targets by index, and when a number out of range is worth a word."""

import warnings
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

import genzoo

RNG = np.random.default_rng(0)
CODES = np.stack([RNG.integers(0, 3, 200), RNG.integers(0, 2, 200)], axis=1)
CODES = np.column_stack([CODES, CODES[:, 0]])
FRAME = pd.DataFrame(
    {
        "age": RNG.integers(18, 90, 200),
        "city": RNG.choice(["Oslo", "Rome"], 200),
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 300, 200), unit="D"),
    }
)


@pytest.fixture(scope="module")
def model():
    return genzoo.BayesianNetwork().fit(FRAME)


@pytest.mark.parametrize("names", [["age", "city", "day"], ["city"], ["day", "age"]])
def test_a_row_of_a_frame_is_given_as_a_series(model, names):
    row = FRAME[names].iloc[7]
    for given in (row, row.to_dict(), MappingProxyType(row.to_dict()), FRAME[names].iloc[[7]]):
        drawn = model.sample(3, given=given, seed=1)
        assert all(drawn[name].tolist() == [row[name]] * 3 for name in names)
        assert drawn.dtypes.equals(FRAME.dtypes)


def test_a_row_with_a_hole_is_completed(model):
    row = FRAME.iloc[3].copy()
    row["city"] = None
    assert set(model.sample(20, given=row)["city"]) <= {"Oslo", "Rome"}


def test_conditions_are_taken_as_rows_too(model):
    row = FRAME.iloc[7]
    found = model.conditional_log_prob(FRAME.iloc[[7]], row[["age"]])
    assert found.value == model.conditional_log_prob(FRAME.iloc[[7]], {"age": row["age"]}).value


def test_a_row_of_other_columns_is_refused_by_name(model):
    with pytest.raises(ValueError, match=r"given: expected the columns .* unknown: .'ctiy'"):
        model.sample(1, given=pd.Series({"ctiy": "Rome"}))


# ---------------------------------------------------------------------------- targets


@pytest.mark.parametrize("target", [2, np.int64(2), -1, "x2"])
def test_codes_are_classified_by_the_index_of_their_column(target):
    model = genzoo.BayesianNetwork().fit(CODES)
    assert genzoo.classify(model, CODES, target).tolist() == CODES[:, 0].tolist()
    assert genzoo.classify(model, CODES, target, proba=True).shape == (200, 3)


@pytest.mark.parametrize("target", [3, -4, True, 2.0, "y", None])
def test_a_target_that_codes_do_not_have_is_refused(target):
    model = genzoo.BayesianNetwork().fit(CODES)
    with pytest.raises(ValueError, match="target: expected a variable of the model"):
        genzoo.classify(model, CODES, target)


def test_names_of_a_frame_that_are_integers_are_no_indices():
    frame = pd.DataFrame(CODES, columns=[5, 6, 1])
    model = genzoo.BayesianNetwork().fit(frame)
    assert genzoo.classify(model, frame, np.int64(1)).tolist() == CODES[:, 2].tolist()
    with pytest.raises(ValueError, match="target"):
        genzoo.classify(model, frame, 2)


# ---------------------------------------------------------------------------- ranges


def normal(seed, n=400):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.gamma(4, size=n), "c": rng.random(n)})


@pytest.mark.parametrize("seed", range(10))
def test_the_data_that_were_fitted_are_scored_without_a_warning(seed):
    """Fails by chance in less than one of 1,000: a gap of half the range in a gamma's tail."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = normal(seed)
        model = genzoo.BayesianNetwork().fit(data)
        assert np.isfinite(model.log_prob(data).value).all()


@pytest.mark.parametrize(
    ("change", "farthest"),
    [
        (lambda data: data.iloc[:1].assign(a=5.0), "5 in"),  # all there is
        (lambda data: data.assign(a=data["a"] + 2), "in variable 'a'"),  # a shift
        (lambda data: data.assign(a=[1e6, *data["a"][1:]]), "1000000 in"),  # one, but far out
    ],
)
def test_many_numbers_or_far_ones_beyond_the_range_are_said(change, farthest):
    data = normal(1)
    model = genzoo.Independent().fit(data)
    with pytest.warns(UserWarning, match=f"beyond the schema's range.*{farthest}") as caught:
        model.log_prob(change(data))
    assert len(caught) == 1
    assert caught[0].filename == __file__


# ---------------------------------------------------------------------------- ways out of errors


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), r"~data\.columns\.duplicated"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=[True, "a"]), r"got True .write data\.columns"),
        (pd.DataFrame({"a": [object(), object()]}), r"as text: \.map.str"),
        (np.ma.masked_array([[1], [2]], mask=[[0], [1]]), r"data\.filled\(-1\)"),
        (np.array([[-5], [3]]), "pass a DataFrame"),
    ],
)
def test_an_error_says_what_to_do(data, says):
    with pytest.raises(ValueError, match=says):
        genzoo.Independent().fit(data)


def test_columns_too_many_or_too_few_are_told_apart(model):
    with pytest.raises(ValueError, match=r"unknown: \['new'\] \(leave them out\)"):
        model.log_prob(FRAME.assign(new=1))
    lacking = FRAME.drop(columns="age")
    with pytest.raises(ValueError, match=r"absent: \['age'\] \(.* set them to NaN"):
        model.log_prob(lacking)
    assert np.isfinite(model.log_prob(lacking.assign(age=np.nan)).value).all()


def test_wide_integers_of_polars_are_refused_by_their_column():
    polars = pytest.importorskip("polars")
    data = polars.DataFrame({"i": polars.Series([1, 2], dtype=polars.Int128)})
    with pytest.raises(ValueError, match=r"column 'i': .* Int128 .*cast\(polars\.Int64\)"):
        genzoo.Independent().fit(data)
    genzoo.Independent().fit(data.with_columns(polars.col("i").cast(polars.Int64)))


@pytest.mark.parametrize("kind", ["cut", "interval", "period"])
def test_intervals_and_periods_of_an_arrow_table_come_back(kind):
    pa = pytest.importorskip("pyarrow")
    bins = pd.cut(FRAME["age"], [0, 30, 60, 90])
    bins[3] = np.nan
    columns = {
        "cut": bins,
        "interval": pd.Series(pd.arrays.IntervalArray(bins)),
        "period": FRAME["day"].dt.to_period("M"),
    }
    table = pa.Table.from_pandas(pd.DataFrame({"x": columns[kind], "city": FRAME["city"]}))
    model = genzoo.Independent().fit(table)
    drawn = model.sample(200, seed=1)
    assert drawn.column_names == ["x", "city"]
    assert drawn.schema.field("x").type == table.schema.field("x").type
    assert np.isfinite(model.log_prob(drawn).value).all()  # they are values of this space


def test_further_rows_of_one_distribution_are_no_reason_to_warn():
    """200 rows after 200 of a normal distribution: 0.2 % of samples warn, so that more than 4 of
    200 do in about 1 of 10,000 runs."""
    rng = np.random.default_rng(0)
    n_warned = 0
    for _ in range(200):
        schema = genzoo.Schema.infer(pd.DataFrame({"x": rng.normal(size=200)}))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            schema.encode(pd.DataFrame({"x": rng.normal(size=200)}))
        n_warned += len(caught)
    assert n_warned <= 4
