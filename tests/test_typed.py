"""Columns of every dtype in and out of a model: objects, Arrow's types, categories, sparse ones."""

from __future__ import annotations

import datetime as dt
import fractions
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import genzoo
from genzoo import Dataset, Schema

N = 60


def objects(*values):
    return pd.Series((list(values) * N)[:N], dtype=object)


def arrow(of):
    return pd.ArrowDtype(of)


NUMBERS = {
    "numbers and None": (objects(1.5, 2, None), "float64"),
    "integers and None": (objects(1, None, 3), "Int64"),
    "integers and NA": (objects(1, pd.NA, 3), "Int64"),
    "integers": (objects(1, 2, 5), "int64"),
    "decimals": (objects(Decimal("1.50"), None, Decimal(2)), "float64"),
    "whole decimals": (objects(Decimal(1), Decimal(2)), "int64"),
    "fractions": (objects(fractions.Fraction(1, 2), fractions.Fraction(3, 2)), "float64"),
    "7 and '7'": (objects(7, "7", 8), "int64"),
    "8 and '8.5'": (objects(8, "8.5"), "float64"),
    "scalars of NumPy": (objects(np.int64(3), np.float64(1.5)), "float64"),
    "truth beside numbers": (objects(True, 0, 1), "int64"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_objects_that_are_numbers_are_numbers(name):
    column, dtype = NUMBERS[name]
    frame = pd.DataFrame({"v": column})
    schema = Schema.infer(frame)
    assert schema.variables[0].is_numeric
    back = schema.decode(schema.encode(frame))["v"]
    assert back.dtype == dtype
    given = [v if v is None or v is pd.NA else float(v) for v in column]
    assert [None if pd.isna(v) else float(v) for v in back] == [
        None if v is pd.NA else v for v in given
    ]


@pytest.mark.parametrize(
    ("column", "categories"),
    [
        (objects("7", "8"), ("7", "8")),  # text stays text
        (objects(7, "7", "x"), ("7", "x")),
        (objects(1, "x", 2), (1, 2, "x")),
        (objects(True, None, False), (False, True)),
        (objects(np.bool_(True), None), (True,)),
        (objects(b"a", b"b"), ("a", "b")),
        (objects(uuid.UUID(int=0)), ("00000000-0000-0000-0000-000000000000",)),
        (objects(None), ()),
        (pd.Series(["7", "8"] * 30), ("7", "8")),
    ],
)
def test_objects_that_are_names_are_categories(column, categories):
    frame = pd.DataFrame({"v": column})
    schema = Schema.infer(frame)
    assert schema.variables[0].categories == categories
    rows = schema.encode(frame)
    assert np.array_equal(schema.encode(schema.decode(rows)), rows)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (objects([1], [2]), "got list .nested values"),
        (objects({"a": 1}), "got dict .nested values"),
        (objects({1}), "got set"),
        (objects(b"\xff\xfe"), "bytes that are no text in UTF-8"),
        (objects(dt.date(2020, 1, 1), "soon"), "got date and str side by side"),
        (objects(dt.date(2020, 1, 1), 1), "got date and int side by side"),
        (objects(1j), "got 1j of type complex"),
        (objects(2**70, 3), r"integers below 2\*\*53"),
        (objects(10**400, 0.5), r"integers below 2\*\*53"),
        (pd.Series([1.0, np.inf] * 30), r"got infinity .as a hole: .replace"),
        (pd.Series([[1]] * N, dtype=arrow(pa.list_(pa.int64()))), "nested values"),
    ],
)
def test_what_is_no_value_is_named(column, words):
    with pytest.raises(ValueError, match=f"column 'v': expected .*{words}"):
        Schema.infer(pd.DataFrame({"v": column}))


def columns() -> dict[str, pd.Series]:
    rng = np.random.default_rng(0)
    numbers = pd.Series(rng.random(N))
    dates = pd.Series(pd.to_datetime(["2020-01-01", "2020-02-01"] * 30))
    dictionary = pa.array(["a", "b", None] * 20).dictionary_encode()
    money = [Decimal("1.10"), Decimal("2.25"), None] * 20
    return {
        "intervals": pd.cut(numbers, 4),
        "intervals of integers": pd.cut(numbers * 100, [-1, 10, 50, 100]),
        "intervals, closed left": pd.cut(numbers, [0, 0.5, 1], right=False),
        "intervals of dates": pd.cut(pd.Series(pd.date_range("2020-01-01", periods=N)), 3),
        "intervals without categories": pd.cut(numbers, 4).astype("interval[float64, right]"),
        "unordered intervals": pd.cut(numbers, 4).cat.as_unordered(),
        "numbers as categories": pd.Series([1, 2, 3] * 20).astype("category"),
        "truth as categories": pd.Series([True, False] * 30).astype("category"),
        "dates as categories": dates.astype("category"),
        "zoned dates as categories": dates.dt.tz_localize("Europe/Rome").astype("category"),
        "periods as categories": dates.dt.to_period("M").astype("category"),
        "date objects as categories": objects(dt.date(2020, 1, 1), dt.date(2020, 1, 2)).astype(
            "category"
        ),
        "categories that are not used": pd.Series(
            pd.Categorical(["a", "b"] * 30, categories=["b", "a", "z"], ordered=True)
        ),
        "int64[pyarrow]": pd.Series([1, 2, None] * 20, dtype="int64[pyarrow]"),
        "double[pyarrow]": pd.Series([1.25, 2, None] * 20, dtype="double[pyarrow]"),
        "halffloat[pyarrow]": pd.Series([0.5, 1] * 30, dtype="halffloat[pyarrow]"),
        "string[pyarrow]": pd.Series(["a", "b", None] * 20, dtype=arrow(pa.string())),
        "large_string[pyarrow]": pd.Series(["a", "b"] * 30, dtype=arrow(pa.large_string())),
        "bool[pyarrow]": pd.Series([True, False, None] * 20, dtype="bool[pyarrow]"),
        "null[pyarrow]": pd.Series([None] * N, dtype=arrow(pa.null())),
        "decimal128": pd.Series(money, dtype=arrow(pa.decimal128(7, 2))),
        "decimal256": pd.Series(money, dtype=arrow(pa.decimal256(50, 10))),
        "dictionary": pd.Series(pd.arrays.ArrowExtensionArray(dictionary)),
        "string of pandas": pd.Series(["a", None] * 30, dtype="string"),
        "Int64": pd.Series([1, None] * 30, dtype="Int64"),
        "boolean": pd.Series([True, None] * 30, dtype="boolean"),
        "Float32": pd.Series([0.1, None] * 30, dtype="Float32"),
    }


@pytest.mark.parametrize("name", list(columns()))
def test_every_dtype_goes_through_a_model(name, tmp_path):
    column = columns()[name]
    frame = pd.DataFrame({"v": column, "k": [0, 1, 2] * 20})
    model = genzoo.BayesianNetwork().fit(frame)
    model.save(tmp_path / "model")
    model = genzoo.load_model(tmp_path / "model")
    drawn = model.sample(20, seed=1)
    assert drawn["v"].dtype == column.dtype
    assert np.isfinite(model.log_prob(drawn).value).all()
    known = model.sample(N, given=frame, seed=1)["v"]
    present = column.notna()
    assert known.dtype == column.dtype
    assert known[present].tolist() == column[present].tolist()
    full = genzoo.impute(model, frame.where(frame["k"] > 0).astype(frame.dtypes.drop("k")))
    assert full["v"].dtype == column.dtype
    if present.any():
        value = column[present].iloc[0]
        assert (model.sample(2, given={"v": value})["v"] == value).all()
        labels = genzoo.classify(model, frame, "v")
        assert len(labels) == N


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (objects(pd.Period("2020-01", "M"), pd.Period("2020-03", "M"), None), "period[M]"),
        (objects(pd.Interval(0, 1), pd.Interval(1, 2)), "interval[int64, right]"),
        (pd.Series(["a", None] * 30, dtype=arrow(pa.string_view())), "large_string[pyarrow]"),
    ],
)
def test_what_comes_back_in_the_type_that_its_values_have(column, dtype):
    frame = pd.DataFrame({"v": column})
    schema = Schema.infer(frame)
    back = schema.decode(schema.encode(frame))["v"]
    assert str(back.dtype) == dtype
    assert back.dropna().tolist() == [v for v in column.tolist() if not pd.isna(v)]


def test_sparse_columns_come_back_dense():
    frame = pd.DataFrame({"v": pd.arrays.SparseArray([0, 1.5, np.nan] * 20)})
    schema = Schema.infer(frame)
    back = schema.decode(schema.encode(frame))["v"]
    assert back.dtype == "float64"
    assert back.isna().sum() == 20


def test_nan_in_an_arrow_column_is_a_hole():
    column = pd.arrays.ArrowExtensionArray(pa.array([1.5, float("nan"), 2.0] * 20))
    frame = pd.DataFrame({"v": column})
    schema = Schema.infer(frame)
    assert schema.variables[0].missing
    assert (schema.encode(frame)[1::3] == schema.variables[0].n_values).all()


def test_columns_whose_names_are_numbers():
    rng = np.random.default_rng(0)
    for names in (range(4), np.array([5, 6, 2, 9])):
        frame = pd.DataFrame(rng.integers(0, 3, (100, 4)), columns=names)
        model = genzoo.BayesianNetwork().fit(frame)
        labels = genzoo.classify(model, frame, target=2)
        assert (labels == genzoo.classify(model, frame.drop(columns=2), np.int64(2))).all()
        assert Dataset.from_data(frame, "mine", label=np.int64(2)).label == 2
        assert model.sample(3, given={2: 1})[2].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "way"),
    [
        (("a", "b"), r'"_"\.join'),
        (dt.date(2020, 1, 1), r"columns\.map\(str\)"),
        (1.5, r"columns\.map\(str\)"),
        (None, r"columns\.map\(str\)"),
    ],
)
def test_columns_of_other_names_are_told_a_way(name, way):
    frame = pd.DataFrame({"v": [1, 2]})
    frame.columns = pd.Index([name], tupleize_cols=False)
    with pytest.raises(ValueError, match=f"column names of type str or int; got .*{way}"):
        Schema.infer(frame)


def test_rows_may_share_an_index():
    frame = pd.DataFrame({"a": [1, 2, None] * 20, "b": ["x", "y", "z"] * 20}, index=[7] * 60)
    model = genzoo.BayesianNetwork().fit(frame)
    full = genzoo.impute(model, frame)
    assert full.index.equals(frame.index)
    assert full["a"].notna().all()


def test_identifiers_of_18_digits_are_names():
    ids = pd.Series(np.repeat(10**17 + np.arange(4) * 7, 20))
    for column in (ids, ids.astype("uint64"), ids.astype("Int64"), ids.astype(object)):
        frame = pd.DataFrame({"id": column})
        schema = Schema.infer(frame)
        assert schema.variables[0].kind == "nominal"
        assert schema.decode(schema.encode(frame))["id"].tolist() == ids.tolist()
    with pytest.raises(ValueError, match="a mark of missing values"):
        Schema.infer(pd.DataFrame({"age": [-(2**63), 31, 40]}))
