"""Forms of data: each behind ``read`` by itself, and a further one of the tests' own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import genzoo
from genzoo import MISSING, Schema
from genzoo.space import forms
from genzoo.space.forms import Codes, Form, Frame, Images, Strings, read, read_given
from genzoo.space.infer import Found, of_frame

FRAME = pd.DataFrame(
    {"age": [20, 30, 40], "price": [1.5, np.nan, 3.0], "city": ["Oslo", None, "Rome"]},
    index=["a", "b", "c"],
)
IMAGES = np.array([[[0, 255], [255, 0]], [[0, 0], [255, 255]]], dtype=np.uint8)
EACH = {
    "frame": FRAME,
    "codes": np.array([[0, 2, 1], [1, 0, 0]], dtype=np.int8),
    "strings": ["ab", "a", "bba", ""],
    "images": IMAGES,
}


@pytest.mark.parametrize("name", EACH)
def test_a_form_is_recognised_inferred_encoded_and_decoded(name):
    data = EACH[name]
    form = read(data)
    kind = {"frame": Frame, "codes": Codes, "strings": Strings, "images": Images}[name]
    assert type(form) is kind
    assert form.plural == name
    assert len(form) == len(data)
    assert repr(form) == f"{kind.__name__}({len(data)} rows)"
    schema = Schema(*form.infer())
    assert schema == Schema.infer(data) == Schema.infer(form)
    rows = form.encode(schema)
    assert rows.shape == (len(data), schema.D)
    assert (schema.encode(data) == rows).all()
    assert not form.off_grid(schema).any()
    back = kind.decode(schema, schema.check_rows(rows), seed=0)
    if name == "frame":
        pd.testing.assert_frame_equal(back, data.reset_index(drop=True))
    else:
        assert np.array_equal(back, data)
    assert forms.spoken_of(schema) is kind
    assert forms.named(kind.key, schema) is kind


def test_a_form_is_recognised_once():
    form = read(EACH["strings"], "valid")
    assert read(form) is form
    assert read_given(form, (3,)) is form
    with pytest.raises(ValueError, match="valid: got strings, but the schema is a table"):
        Schema.infer(FRAME).encode(form)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "x: expected a DataFrame, an integer array .*, or uint8 images .*; got NoneType"),
        ([1, 2], "got a list of numbers"),
        (["a", 1], "got a list whose entry 1 is 1, of type int"),
        ([], "x: expected at least one row and one variable; got none"),
        (FRAME.iloc[:0], "at least one row"),
        (FRAME[[]], "and one variable"),
        (np.zeros((0, 3), int), "at least one row"),
        (np.zeros((2, 2)), r"got an array of dtype float64 and shape \(2, 2\) \(numbers that are"),
        (np.zeros(2, int), r"x: expected .* codes \(n, D\).*; got .* shape \(2,\)"),
        (np.zeros((2, 2, 2)), "x: expected .* uint8 images .*; got an array of dtype float64"),
        (np.ma.zeros((2, 2), int), "x: got a masked array"),
        (np.ma.zeros((2, 2, 2), np.uint8), "x: got a masked array"),
    ],
)
def test_what_is_of_no_form_is_refused_under_the_name_of_the_argument(data, message):
    with pytest.raises(ValueError, match=message):
        read(data, "x")


def test_one_row_alone_can_be_given():
    assert read_given("an", (3,)).data == ["an"]
    assert len(read_given(np.array([0, MISSING]), (2,))) == 1
    assert type(read_given(IMAGES[0], (2, 2))) is Images
    assert read_given({"age": 20, "city": "Oslo"}, (3,)).columns == ["age", "city"]
    assert len(read_given({"age": [20, 30]}, (3,))) == 2
    with pytest.raises(ValueError, match="given: expected values, or lists of one length"):
        read_given({"age": [20, 30], "city": ["Oslo"]}, (3,))


def test_a_frame_is_completed_in_its_own_order_with_its_own_numbers():
    schema = Schema.infer(pd.DataFrame({"v": np.arange(5000) ** 1.5, "w": [0, 1] * 2500}))
    form = read(pd.DataFrame({"w": [1.0, np.nan], "v": [123.25, np.nan]}, index=[7, 9]))
    rows = form.encode(schema, given=True)
    assert rows.tolist()[1] == [MISSING, MISSING]
    rows[1] = 0
    filled = form.completed(schema, rows, seed=0)
    assert list(filled.columns) == ["w", "v"]
    assert list(filled.index) == [7, 9]
    assert filled.loc[7].tolist() == [1.0, 123.25]
    assert filled.notna().all(axis=None)


def test_numbers_beyond_the_range_are_counted_by_column_at_the_callers_line():
    schema = Schema.infer(FRAME)
    form = read(FRAME.assign(age=[20, 30, 99]))
    with pytest.warns(UserWarning, match="1 of 9 numbers .columns .'age'.. lie beyond") as caught:
        form.encode(schema)
    assert caught[0].filename == __file__
    assert np.argwhere(form.off_grid(schema)).tolist() == [[2, 0]]


def test_columns_are_forgotten_and_told_in_the_forms_own_values():
    frame, schema = read(FRAME), Schema.infer(FRAME)
    without = frame.without(schema, "city")
    assert (schema.encode(without, given=True)[:, 2] == MISSING).all()
    assert "city" in FRAME
    assert frame.values(schema, 2, seed=0).tolist() == ["Oslo", "Rome"]
    assert list(frame.index) == ["a", "b", "c"]
    codes = EACH["codes"].astype(np.uint8)
    schema = Schema.infer(codes)
    assert read(codes).without(schema, "x1").data.tolist() == [[0, -1, 1], [1, -1, 0]]
    assert read(codes).values(schema, 1, seed=0).tolist() == [0, 1, 2]
    for name in ("strings", "images"):
        with pytest.raises(ValueError, match=f"expected rows of codes .*; got {name} of shape"):
            read(EACH[name]).without(Schema.infer(EACH[name]), "t0")


def test_a_label_goes_last_and_is_nominal():
    frame = pd.DataFrame({"digit": [3, 1, 3], "v": [0.5, 1.5, 2.5]})
    form, classes = read(frame).with_label("digit")
    assert form.columns == ["v", "digit"]
    assert classes.tolist() in ([0, 1, 0], [1, 0, 1])
    schema = Schema(*form.infer())
    assert schema.variables[1].categories == (1, 3)
    form, classes = read(EACH["codes"]).with_label(0)
    assert form.data.tolist() == [[2, 1, 0], [0, 0, 1]]
    assert classes.tolist() == [0, 1]
    with pytest.raises(ValueError, match="label: expected None for images; got 0"):
        read(IMAGES).with_label(0)


def test_forms_are_shown_as_tables_or_lines():
    assert read(["a\nb", ""]).lines() == ["a\nb", ""]
    assert list(read(["a"]).table(Schema.infer(["a"])).columns) == ["text"]
    assert read(IMAGES).lines() is None
    assert read(IMAGES).table(Schema.infer(IMAGES)).iloc[0].tolist() == [0, 255, 255, 0]
    assert read(FRAME).table(Schema.infer(FRAME)) is FRAME


def test_levels_that_are_no_pixels_go_back_as_codes():
    wide = tuple(genzoo.Variable(d, "ordinal", 3, offset=0, step=200) for d in range(4))
    schema = Schema(wide, "image", (2, 2))
    rows = np.array([[0, 1, 2, 0]])
    assert (Images.decode(schema, rows, seed=0) == rows).all()
    assert (schema.decode(rows) == rows).all()
    assert forms.spoken_of(schema) is Codes


def test_pixels_of_different_levels_are_read_each_by_its_own():
    variables = [genzoo.Variable(d, "ordinal", 2, offset=0, step=255) for d in range(3)]
    odd = genzoo.Variable("odd", "ordinal", 256, offset=0, step=1)
    schema = Schema((*variables, odd), "image", (2, 2))
    assert read(IMAGES).encode(schema).tolist() == [[0, 1, 1, 0], [0, 0, 1, 255]]
    with pytest.warns(UserWarning, match="1 of 4 pixels lie beyond"):
        read(np.array([[[7, 0], [0, 7]]], np.uint8)).encode(schema)


def test_a_key_that_no_form_has_is_refused():
    with pytest.raises(ValueError, match="form: expected one of frame, rows, data; got 'csv'"):
        forms.named("csv", Schema.infer(FRAME))


# ---------------------------------------------------------------- a further form


class Records(Form):
    """A list of dicts, all with the same keys: the further form, whole."""

    key = "records"
    plural = "records"
    expected = "a list of dicts"

    @classmethod
    def of(cls, data, name):
        is_records = isinstance(data, list) and data and all(isinstance(r, dict) for r in data)
        return cls(data, name) if is_records else None

    def infer(self, train=None) -> Found:
        return of_frame(pd.DataFrame(self.data), train)

    def coded(self, schema, *, given=False):
        return read(pd.DataFrame(self.data), self.name).coded(schema, given=given)

    @classmethod
    def decode(cls, schema, rows, *, seed):
        return Frame.decode(schema, rows, seed=seed).to_dict("records")


def test_a_further_form_is_one_class_and_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(forms, "FORMS", (*forms.FORMS, Records))
    rng = np.random.default_rng(0)
    people = [{"age": int(a), "city": c} for a, c in zip(rng.integers(20, 60, 80),
              rng.choice(["Oslo", "Rome"], 80), strict=True)]  # fmt: skip
    frame = pd.DataFrame(people)
    model, other = genzoo.NGram().fit(people, seed=1), genzoo.NGram().fit(frame, seed=1)
    assert model.schema_ == other.schema_
    assert model.sample(5, seed=2) == other.sample(5, seed=2).to_dict("records")
    assert (model.log_prob(people).value == other.log_prob(frame).value).all()
    given = [{"city": "Rome"}] * 3
    assert model.sample(3, given=given, seed=3) == model.sample(3, given={"city": "Rome"}, seed=3)
    assert all(record["city"] == "Rome" for record in model.sample(3, given=given))
    filled = genzoo.impute(model, [{"age": 30, "city": None}], seed=4)
    assert filled[0]["age"] == 30
    assert filled[0]["city"] in ("Oslo", "Rome")
    assert (model.conditional_log_prob(people[:4], people[:4]).value == 0).all()
    model.save(tmp_path / "model")
    assert genzoo.load_model(tmp_path / "model").sample(5, seed=2) == model.sample(5, seed=2)
    data = genzoo.Dataset.from_data(people, "people")
    assert data.fingerprint == genzoo.Dataset.from_data(frame, "people").fingerprint
    with pytest.raises(ValueError, match="label: expected None for records"):
        genzoo.Dataset.from_data(people, "people", label="city")
    with pytest.raises(ValueError, match=r"or a list of dicts; got NoneType"):
        model.log_prob(None)
