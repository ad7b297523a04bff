"""Schemas: what codes mean, and that data survives the way there and back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genzoo import MISSING, Schema, Variable
from genzoo.space.forms import Frame
from genzoo.space.infer import resolution


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


@pytest.mark.filterwarnings("ignore:data. values that stand apart")
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
    st.sampled_from(["float64", "float32", "float16"]),
    st.integers(0, 5),
)
def test_any_numbers_survive_encode_and_decode(values, dtype, seed):
    most = 6e4 if dtype == "float16" else 1e9
    data = pd.DataFrame({"v": np.clip(values, -most, most).astype(dtype)})
    schema = Schema.infer(data)
    rows = schema.encode(data)
    assert (schema.encode(schema.decode(rows, seed=seed)) == rows).all()
    every = schema.enumerate()
    assert (schema.encode(schema.decode(every, seed=seed)) == every).all()
    variable = schema.variables[0]
    assert variable.n_values <= (1024 if variable.is_grid else 256)


@pytest.mark.parametrize(
    "variable",
    [
        Variable("v", "ordinal", edges=[0, 18, 65, 120], dtype="int64"),
        Variable("v", "ordinal", edges=[0, 0.2, 0.4, 3], dtype="int8"),
        Variable("v", "ordinal", edges=[0, 2.5, 7], offset=0.5, step=0.5, dtype="Int32"),
        Variable("v", "ordinal", edges=[0, 100, 1e6], dtype="uint8"),
        Variable("v", "ordinal", edges=[0, 100, 1e20], dtype="i8"),
        Variable("v", "ordinal", 5, offset=0, step=0.5, dtype="int64"),
        Variable("v", "ordinal", edges=[2000, 2001, 2002, 1e5], dtype="float16"),
    ],
)
def test_what_is_decoded_has_the_code_that_it_came_from(variable):
    schema = Schema((variable,), "table", (1,))
    rows = np.random.default_rng(0).integers(0, variable.cardinality, (2000, 1))
    assert (schema.encode(schema.decode(rows)) == rows).all()


@pytest.mark.parametrize("dtype", ["float32", "float16", "Float32"])
def test_narrow_floats_keep_dtype_and_codes(dtype):
    values = 1000 + np.random.default_rng(0).normal(size=3000)
    data = pd.DataFrame({"v": pd.Series(values).astype(dtype)})
    schema = Schema.infer(data)
    rows = schema.encode(data)
    back = schema.decode(rows, seed=1)
    assert back["v"].dtype == data["v"].dtype
    assert (schema.encode(back) == rows).all()


@pytest.mark.parametrize("dtype", ["Int64", "UInt8", "int64[pyarrow]", "boolean", "Float64"])
def test_extension_dtypes_with_holes_come_back(dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    data = pd.DataFrame({"v": pd.Series([1, None, 0, 1]).astype("Int64").astype(dtype)})
    schema = Schema.infer(data)
    pd.testing.assert_frame_equal(schema.decode(schema.encode(data)), data)


@pytest.mark.parametrize("step", [1e-3, 1e-6])
def test_small_steps_at_a_large_offset_are_told_apart(step):
    data = pd.DataFrame({"time": 1.7e9 + np.arange(20) * step})
    schema = Schema.infer(data)
    assert schema.variables[0].step == step
    rows = schema.encode(data)  # a warning would be an error
    assert rows[:, 0].tolist() == list(range(20))
    pd.testing.assert_frame_equal(schema.decode(rows), data)


@pytest.mark.parametrize(
    "values",
    [
        np.array([2**64 - 1, 2**64 - 2], dtype=np.uint64),
        2**60 + np.arange(3),
        1234567890123456789 + np.arange(2000) * 3,
        np.array([-(2**53) - 1, 0]),
    ],
)
def test_integers_that_float64_merges_are_no_quantities(values):
    data = pd.DataFrame({"id": values})
    if (values < 2**53).any():  # among others
        with pytest.raises(ValueError, match=r"'id': expected integers below 2\*\*53.*pass it as"):
            Schema.infer(data)
    else:  # names, each one exactly
        schema = Schema.infer(data, fold=False)
        assert schema.variables[0].categories == tuple(sorted(values.tolist()))
        pd.testing.assert_frame_equal(schema.decode(schema.encode(data)), data)
    schema = Schema.infer(pd.DataFrame({"id": [1, 2]}))
    with pytest.raises(ValueError, match=r"'id': expected integers below 2\*\*53"):
        schema.encode(pd.DataFrame({"id": values}))


def test_integers_up_to_the_bound_survive():
    for n in (1000, 3000):  # a grid, cells
        data = pd.DataFrame({"id": 2**53 - 1 - np.arange(n)})
        schema = Schema.infer(data)
        rows = schema.encode(data)
        assert len(np.unique(rows)) == (n if n == 1000 else 256)
        assert (schema.encode(schema.decode(rows)) == rows).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.7e308, -1.7e308, 0.0], "expected numbers up to 1e"),
        ([5e-324, 0.0], "expected numbers up to 1e"),
        ([1 + 2j, 3], "expected real numbers"),
        (pd.Series([1 + 2j, "a"], dtype=object), "expected text, numbers or booleans"),
        (pd.Series([1 + 2j, 1j], dtype=object), "expected text, numbers or booleans"),
        pytest.param(
            np.arange(2**20 + 1).astype(str),
            "expected at most 1048576 different values",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_columns_beyond_what_a_schema_holds_are_refused_by_name(values, message):
    with pytest.raises(ValueError, match=f"column 'v': {message}"):
        Schema.infer(pd.DataFrame({"v": values}), fold=False)


def test_codes_are_bounded_where_they_are_inferred():
    with pytest.raises(ValueError, match="expected codes below 1048576; got 1000000000"):
        Schema.infer(np.array([[10**9]]))
    with pytest.raises(ValueError, match=r"expected codes 0 \.\. 4.*got 18446744073709551615"):
        Schema.infer(np.array([[4]])).encode(np.array([[2**64 - 1]], dtype=np.uint64))


def test_a_bare_schema_can_be_decoded_as_a_frame():
    schema = Schema((Variable("a", cardinality=2), Variable("b", cardinality=3)), "table", (2,))
    data = pd.DataFrame({"a": [0, 1], "b": [2, 0]})
    pd.testing.assert_frame_equal(Frame.decode(schema, schema.encode(data), seed=0), data)


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
    fine = Schema((Variable("v", "ordinal", 5, offset=0.0, step=0.01),), "table", (1,))
    with pytest.warns(UserWarning, match="2 of 2 numbers") as caught:
        assert fine.encode(pd.DataFrame({"v": [1e308, -1e308]}))[:, 0].tolist() == [4, 0]
    # the warning points at the line that called genzoo
    assert caught[0].filename == __file__


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
    huge = Schema(tuple(Variable(d, cardinality=9) for d in range(9999)), "table", (9999,))
    with pytest.raises(ValueError, match=r"got about 10\*\*9541"):
        huge.enumerate()
    ended = Schema(tuple(Variable(t, categories=("<end>",)) for t in range(3)), "sequence", (3,), 0)
    assert ended.enumerate().tolist() == [[0, 0, 0]]
    thin = Schema(tuple(Variable(d, cardinality=1 + (d < 2)) for d in range(80)), "table", (80,))
    assert thin.enumerate()[:, :2].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


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
        (lambda d: "text", "expected a DataFrame.*got a single str"),
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
        (np.array([0, 1, 2]), r"codes \(n, D\).*got an array of .* shape \(3,\)"),
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
        ({"cardinality": np.nan}, "cardinality: expected an integer; got nan"),
        ({"cardinality": None}, "cardinality: expected an integer; got None"),
        ({"edges": (0, np.nan, 1)}, "edges: expected finite numbers"),
        ({"edges": (0, np.inf)}, "edges: expected finite numbers"),
        ({"edges": (0, None)}, "edges: expected finite numbers"),
        ({"edges": (2**53, 2**53 + 1)}, "ascending"),
        ({"edges": "012"}, "edges: expected a sequence"),
        ({"edges": 3}, "edges: expected a sequence"),
        ({"edges": (0, 1)}, 'edges: expected kind "ordinal"'),
        ({"cardinality": 3, "offset": np.nan, "step": 1.0}, "offset: expected finite"),
        ({"cardinality": 3, "offset": 0.0, "step": np.inf}, "step: expected finite"),
        ({"cardinality": 3, "offset": 0.0, "step": "1"}, "step: expected finite"),
        ({"cardinality": 3, "offset": 0.0}, "offset: expected a step"),
        ({"cardinality": 3, "step": 1.0}, "step: expected an offset or edges"),
        ({"cardinality": 3, "offset": 1e20, "step": 1.0}, "step: expected a grid"),
        ({"kind": "ordinal", "edges": (0, 1e20), "step": 1.0}, "step: expected a grid"),
        ({"categories": ("a",), "step": 1.0, "offset": 0.0}, "expected categories or offset"),
        ({"categories": ("a", None)}, "categories: expected text.*got None"),
        ({"categories": (1.0, np.nan)}, "categories: expected text.*got nan"),
        ({"categories": "ab"}, "categories: expected a sequence"),
        ({"cardinality": 2, "missing": 1}, "missing: expected True or False"),
        ({"cardinality": 2, "dtype": np.int64}, "dtype: expected its name"),
        ({"cardinality": 2, "dtype": "int63"}, "dtype: expected the name"),
        ({"cardinality": 2, "dtype": "category"}, "dtype: .* expects categories"),
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
    for shape in ((-1, -2), (0,), 2, (2.0,), "2", None):
        with pytest.raises(ValueError, match="event_shape: expected"):
            Schema(two, "table", shape)
    for variables in (("a", "b"), two[0], None):
        with pytest.raises(ValueError, match="variables: expected a sequence of Variables"):
            Schema(variables, "table", (2,))
    for end in (True, "1", 1.0):
        with pytest.raises(ValueError, match="end: expected a code"):
            Schema(two, "sequence", (2,), end=end)
    with pytest.raises(ValueError, match="name: expected a str or an int"):
        Variable(None, cardinality=2)


def test_holes_are_marks_in_data_and_questions_in_given():
    data = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": ["x", "y", "x"]})
    schema = Schema.infer(data)
    assert schema.encode(data)[1, 0] == schema.variables[0].n_values
    assert schema.encode(data, given=True)[1, 0] == MISSING
    assert schema.encode({"b": "y"}, given=True).tolist() == [[MISSING, 1]]
    assert schema.encode(pd.DataFrame({"a": [1.0], "b": [None]}))[0, 1] == MISSING
