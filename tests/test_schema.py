"""Schemas: what codes mean, and that data survives the way there and back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genzoo import MISSING, Schema, Variable
from genzoo.inference import resolution


def frame(n=300, seed=0):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "age": rng.integers(17, 90, n),
            "price": np.round(rng.lognormal(3, 2, n), 2),
            "gain": np.where(rng.random(n) < 0.9, 0, rng.integers(1, 100_000, n)),
            "ratio": np.round(rng.random(n), 2),
            "noise": rng.normal(size=n),
            "member": rng.random(n) < 0.5,
            "colour": pd.Categorical(
                rng.choice(["red", "blue"], n), categories=["red", "blue", "x"]
            ),
            "size": pd.Categorical(
                rng.choice(list("SML"), n), categories=list("SML"), ordered=True
            ),
            "city": rng.choice(["Rom", "Oslo"], n),
            "constant": 7,
        }
    )
    data.loc[3, "ratio"] = np.nan
    data.loc[5, "city"] = None
    return data


def test_kinds_grids_and_cells_are_read_off_a_frame():
    data = frame()
    variables = {v.name: v for v in Schema.infer(data).variables}
    age = variables["age"]
    assert (age.kind, age.offset, age.step) == ("ordinal", data["age"].min(), 1)
    assert variables["ratio"].step == 0.01
    assert variables["ratio"].missing
    assert variables["ratio"].cardinality == variables["ratio"].n_values + 1
    assert variables["price"].edges is not None
    assert variables["price"].step == 0.01
    assert len(variables["price"].edges) <= 257
    assert variables["colour"].categories == ("red", "blue", "x")
    assert variables["size"].kind == "ordinal"
    assert variables["member"].categories == (False, True)
    assert variables["constant"].cardinality == 1
    assert variables["city"].missing
    # the value that 90 % of the rows take has a cell as narrow as the resolution
    gain = variables["gain"]
    code = Schema.infer(data).encode(data.assign(gain=0))[0, 2]
    assert gain.edges[code + 1] - gain.edges[code] == 1


def test_decode_inverts_encode_and_restores_dtypes():
    data = frame()
    schema = Schema.infer(data)
    rows = schema.encode(data)
    back = schema.decode(rows, seed=3)
    assert back.dtypes.to_dict() == data.dtypes.to_dict()
    assert (schema.encode(back) == rows).all()
    on_grid = ["age", "ratio", "member", "colour", "size", "city", "constant"]
    pd.testing.assert_frame_equal(back[on_grid], data[on_grid])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(-(10**6), 10**6).map(float),
            st.floats(-1e6, 1e6).map(lambda v: round(v, 3)),
            st.floats(-1e9, 1e9),
        ),
        min_size=1,
        max_size=1500,
    ),
    st.integers(0, 5),
)
def test_any_numbers_survive_encode_and_decode(values, seed):
    data = pd.DataFrame({"v": values})
    schema = Schema.infer(data)
    rows = schema.encode(data)
    assert (schema.encode(schema.decode(rows, seed=seed)) == rows).all()
    variable = schema.variables[0]
    assert variable.n_values <= (1024 if variable.is_grid else 256)


def test_edges_come_from_training_rows_alone():
    data = frame(600)
    train = np.arange(300)
    changed = data.copy()
    changed.loc[300:, "price"] = np.round(changed.loc[300:, "price"] * 2, 2)
    a, b = (Schema.infer(d, train=train).variables[1].edges for d in (data, changed))
    assert len(a) == len(b)
    # the grid may come from the whole file, so bounds may shift by less than one grid point
    assert np.allclose(a, b, atol=0.02)


def test_resolution_is_the_largest_common_step():
    assert resolution(np.array([0.1, 0.3, 0.7])) == 0.2
    assert resolution(np.array([1.25, 2.5, 10.0])) == 1.25
    assert resolution(np.array([100, 400, 1000.0])) == 300
    assert resolution(np.array([5.0])) == 1


def test_float32_columns_keep_the_digits_that_were_written():
    data = pd.DataFrame({"v": np.array([0.1, 0.2, 0.7], dtype=np.float32)})
    schema = Schema.infer(data)
    assert schema.variables[0].step == 0.1
    pd.testing.assert_frame_equal(schema.decode(schema.encode(data)), data)


def test_log_volume_is_the_log_width_of_a_rows_cells():
    variables = (
        Variable("cells", "ordinal", edges=(0.0, 1.0, 11.0), missing=True),
        Variable("grid", "ordinal", 3, offset=0.0, step=0.5),
        Variable("colour", "nominal", categories=("a", "b")),
    )
    schema = Schema(variables, "table", (3,))
    rows = np.array([[1, 0, 0], [2, 2, 1]])
    assert np.allclose(schema.log_volume(rows), [np.log(10) + np.log(0.5), np.log(0.5)])


def test_numbers_beyond_the_range_take_the_end_code_and_are_counted():
    schema = Schema((Variable("v", "ordinal", 5, offset=0.0, step=1.0),), "table", (1,))
    with pytest.warns(UserWarning, match="2 of 3 numbers"):
        rows = schema.encode(pd.DataFrame({"v": [99.0, 1.4, 2.0]}))
    assert rows[:, 0].tolist() == [4, 1, 2]


def test_strings_have_an_end_where_lengths_differ():
    schema = Schema.infer(["ab", "a", "bba", ""])
    assert (schema.end, schema.event_shape, schema.alphabet) == (2, (3,), ("a", "b"))
    rows = schema.encode(["ab", ""])
    assert rows.tolist() == [[0, 1, 2], [2, 2, 2]]
    assert schema.decode(rows) == ["ab", ""]
    assert schema.encode(["b"], given=True).tolist() == [[1, MISSING, MISSING]]
    assert schema.reached(rows).tolist() == [[True, True, True], [True, False, False]]
    assert Schema.infer(["ab", "ba"]).end is None


def test_enumerate_lists_every_row_once():
    schema = Schema.infer(["ab", "a", "bba", ""])
    rows = schema.enumerate()
    assert len(rows) == len(np.unique(rows, axis=0)) == 1 + 2 + 4 + 8
    table = Schema((Variable("a", cardinality=2), Variable("b", cardinality=3)), "table", (2,))
    assert len(np.unique(table.enumerate(), axis=0)) == 6
    wide = Schema(tuple(Variable(f"x{d}", cardinality=2) for d in range(30)), "table", (30,))
    with pytest.raises(ValueError, match=r"at most 1048576 rows; got 1073741824"):
        wide.enumerate()


def test_images_keep_their_levels():
    images = np.array([[[0, 255], [255, 0]]], dtype=np.uint8)
    schema = Schema.infer(images)
    assert (schema.variables[0].cardinality, schema.event_shape) == (2, (2, 2))
    assert (schema.decode(schema.encode(images)) == images).all()
    assert Schema.infer(np.full((1, 2, 2), 200, dtype=np.uint8)).encode(
        images[:, :, ::-1]
    ).shape == (1, 4)


def test_json_round_trip():
    for data in (frame(), ["ab", "c"], np.zeros((2, 3, 3), np.uint8), np.array([[0, 4], [1, 2]])):
        schema = Schema.infer(data)
        assert Schema.from_json(schema.to_json()) == schema
    with pytest.raises(ValueError, match="JSON of a Schema"):
        Schema.from_json("{}")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda d: d.drop(columns="age"), r"absent: \['age'\]"),
        (lambda d: d.assign(extra=1), r"unknown: \['extra'\]"),
        (lambda d: d.assign(city="Bern"), "column 'city': expected one of.*got 'Bern'"),
        (lambda d: d.assign(age=np.inf), "column 'age': expected finite numbers"),
        (lambda d: d.assign(age="old"), "column 'age': expected numbers; got 'old'"),
        (lambda d: d.iloc[:0], "at least one row"),
        (lambda d: pd.concat([d, d["age"]], axis=1), "distinct columns"),
        (lambda d: d.to_numpy(), "expected a DataFrame"),
        (lambda d: "text", "expected a DataFrame.*got str"),
    ],
)
def test_bad_frames_are_refused_with_what_was_expected_and_what_came(bad, message):
    data = frame()
    schema = Schema.infer(data)
    with pytest.raises(ValueError, match=message):
        schema.encode(bad(data))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.array([[0, 5, 2]]), "expected codes 0 .. 2 for variable 't1'; got 5 in row 0"),
        (np.array([[0, 2, 1]]), "row 0 has symbol 1 at position 2, after an END"),
        (np.array([[0, 1]]), r"expected shape \(n, 3\); got \(1, 2\)"),
        (np.zeros((1, 3)), "got an array of dtype float64"),
        (np.array([0, 1, 2]), r"codes of shape \(n, D\)"),
        (["abab"], "at most 3 characters; row 0 has 4"),
        (["q"], "character 'q'"),
        (np.zeros((2, 2, 2), np.uint8), "got images, but the schema is a sequence"),
    ],
)
def test_bad_codes_and_strings_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        Schema.infer(["ab", "a", "bba"]).encode(rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "odd", "cardinality": 2}, "kind"),
        ({"cardinality": 0}, "at least 1"),
        ({"categories": ("a", "a")}, "distinct"),
        ({"edges": (1.0, 0.0)}, "ascending"),
        ({"categories": ("a",), "cardinality": 3}, "expected 1 from its categories"),
        ({"cardinality": 3, "offset": 0.0, "step": -1.0}, "positive"),
    ],
)
def test_contradictory_variables_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Variable("v", **options)


def test_contradictory_schemas_are_refused():
    two = (Variable("a", cardinality=2), Variable("b", cardinality=3))
    with pytest.raises(ValueError, match="event_shape"):
        Schema(two, "table", (3,))
    with pytest.raises(ValueError, match="layout"):
        Schema(two, "cube", (2,))
    with pytest.raises(ValueError, match="one alphabet"):
        Schema(two, "sequence", (2,), end=1)
    with pytest.raises(ValueError, match="distinct names"):
        Schema((two[0], two[0]), "table", (2,))


def test_holes_are_marks_in_data_and_questions_in_given():
    data = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": ["x", "y", "x"]})
    schema = Schema.infer(data)
    assert schema.encode(data)[1, 0] == schema.variables[0].n_values
    assert schema.encode(data, given=True)[1, 0] == MISSING
    assert schema.encode({"b": "y"}, given=True).tolist() == [[MISSING, 1]]
    assert schema.encode(pd.DataFrame({"a": [1.0], "b": [None]}))[0, 1] == MISSING
