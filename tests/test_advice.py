"""What fit says of data that should not be fitted as they are, once; and of rows out of range."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import genzoo
import genzoo.datasets.own
from genzoo import Dataset, Independent, NGram, Schema, Variable
from genzoo.space import folding


def people(n=5000, seed=0):
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, 301)
    return pd.DataFrame(
        {
            "mail": [f"u{i}@x.org" for i in range(n)],
            "city": rng.choice([f"c{i}" for i in range(300)], n, p=share / share.sum()),
            "age": rng.integers(17, 90, n),
        }
    )


def model_of(schema, frame):
    return Independent().fit(frame, schema=schema)


def said(action, match="^data: "):
    with pytest.warns(UserWarning, match=match) as caught:
        found = action()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    return found, str(caught[0].message)


# ---------------------------------------------------------------- categories by the thousand


def test_rare_categories_are_folded_with_one_warning_that_names_column_count_and_rule():
    frame = people()
    model, text = said(lambda: Independent().fit(frame))
    counts = frame["city"].value_counts()
    rare = counts[counts < folding.RARE]
    assert "rarer than 10 rows, or beyond the 255 most common" in text
    assert "column 'mail': 5000 of 5000 values (5000 of 5000 rows) into 'other'" in text
    assert f"column 'city': {len(rare)} of {len(counts)} values ({rare.sum()} of 5000 rows)" in text
    assert "No value of column 'mail' is seen often enough" in text
    assert "better dropped" in text
    assert "genzoo.Schema.infer(data, fold=False)" in text
    mail, city, _ = model.schema_.variables
    assert (mail.categories, mail.other) == (("other",), "other")
    assert set(city.categories) == {*counts[counts >= folding.RARE].index, "other"}
    drawn = model.sample(500, seed=1)
    assert set(drawn["mail"]) == {"other"}
    assert "other" in set(drawn["city"])


def test_a_value_never_seen_is_other_and_one_that_was_given_comes_back():
    frame = people()
    model, _ = said(lambda: Independent().fit(frame))
    rare = frame["city"].value_counts().index[-1]
    rows = pd.DataFrame({"mail": ["a@b", "c@d"], "city": [rare, "Atlantis"], "age": [30, 30]})
    value = model.log_prob(rows).value
    assert value[0] == value[1]
    filled = genzoo.impute(model, rows.astype({"age": float}).assign(age=np.nan))
    assert filled[["mail", "city"]].equals(rows[["mail", "city"]])
    drawn = model.sample(3, given={"mail": "a@b"})
    assert drawn["mail"].tolist() == ["a@b"] * 3
    small = Schema.infer(pd.DataFrame({"city": ["Rome", "Oslo"]}))
    with pytest.raises(ValueError, match=r"expected one of .*got 'Atlantis'"):
        small.encode(pd.DataFrame({"city": ["Atlantis"]}))


def test_folding_is_switched_off_by_a_schema():
    frame = people(400)
    whole = Schema.infer(frame, fold=False)
    assert whole.variables[0].categories == tuple(sorted(frame["mail"]))
    assert whole.variables[0].other is None
    assert set(Independent().fit(frame, schema=whole).sample(50)["mail"]) <= set(frame["mail"])


@pytest.mark.parametrize("dtype", ["str", "object", "category", "string"])
def test_text_of_every_dtype_is_folded_alike(dtype):
    frame = people()[["city"]]
    of_text, _ = said(lambda: Schema.infer(frame))
    schema, _ = said(lambda: Schema.infer(frame.astype(dtype)))
    assert schema.variables[0].other == "other"
    assert set(schema.variables[0].categories) == set(of_text.variables[0].categories)
    assert Schema.from_json(schema.to_json()) == schema
    rows = schema.encode(frame.astype(dtype))
    assert (schema.encode(schema.decode(rows)) == rows).all()
    assert str(schema.decode(rows)["city"].dtype) == dtype
    given = model_of(schema, frame.astype(dtype)).sample(2, given={"city": "Atlantis"})
    assert given["city"].tolist() == ["Atlantis"] * 2
    assert str(given["city"].dtype) == dtype


def test_what_is_ordered_declared_few_or_a_label_is_not_folded():
    n = 600
    steps = pd.Categorical([f"{i % 60:02}" for i in range(n)], ordered=True)
    declared = pd.Categorical(np.resize(["a", "b"], n), categories=[*"ab", *map(str, range(90))])
    few = pd.Series([f"v{i % 50}" for i in range(n)])
    frame = pd.DataFrame({"steps": steps, "declared": declared, "few": few})
    assert [v.cardinality for v in Schema.infer(frame).variables] == [60, 92, 50]
    labelled = frame.assign(label=[f"k{i % 70}" for i in range(n)])
    data = Dataset.from_data(labelled, "mine", label="label")
    assert data.schema.variables[-1].cardinality == 70
    assert data.schema.variables[-1].other is None


def test_other_has_a_name_of_its_own_and_is_one_of_the_categories():
    frame = pd.DataFrame({"v": ["other"] * 100 + [f"r{i}" for i in range(60)]})
    schema, _ = said(lambda: Schema.infer(frame))
    assert schema.variables[0].categories == ("other", "(other)")
    assert schema.encode(frame)[:, 0].tolist() == [0] * 100 + [1] * 60
    with pytest.raises(ValueError, match="'v': other: expected one of the categories; got 'x'"):
        Variable("v", categories=("a", "b"), other="x")


def test_files_and_frames_fold_alike(tmp_path):
    frame = people()[["city", "age"]]
    frame.to_csv(tmp_path / "people.csv", index=False)
    of_file = genzoo.datasets.own.load(tmp_path / "people.csv").schema.variables[0]
    of_frame, _ = said(lambda: Schema.infer(frame))
    assert set(of_file.categories) == set(of_frame.variables[0].categories)


# ---------------------------------------------------------------- codes that are numbers


def zipf(rng, n, shape):
    share = 1 / np.arange(1, n + 1) ** 1.1
    return rng.choice(n, shape, p=share / share.sum())


NUMBERS = {
    "age, salary": lambda r: np.stack(
        [r.integers(17, 90, 500), r.integers(18_000, 110_031, 500)], 1
    ),
    "salary": lambda r: r.integers(0, 110_031, (500, 1)),
    "year, price": lambda r: np.stack([r.integers(1950, 2024, 500), r.integers(0, 9999, 500)], 1),
    "with holes": lambda r: np.stack([r.integers(-1, 3, 500), r.integers(3000, 9000, 500)], 1),
}
CODES = {
    "token ids": lambda r: zipf(r, 50_257, (300, 8)),
    "token ids, padded": lambda r: np.pad(zipf(r, 50_257, (300, 8)), [(0, 0), (1, 30)]),
    "pixels": lambda r: r.integers(0, 256, (100, 64)),
    "pixels of 12 bits": lambda r: r.integers(0, 4096, (500, 16)),
    "holes": lambda r: r.integers(-1, 5, (100, 6)),
    "counted up": lambda r: np.stack([r.permutation(5000), r.integers(0, 3, 5000)], 1),
    "few large ones": lambda r: r.choice([3, 70_000], (100, 2)),
    "ages": lambda r: r.integers(17, 90, (500, 3)),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_an_array_of_numbers_is_said_to_need_a_data_frame(name):
    codes = NUMBERS[name](np.random.default_rng(0))
    _, text = said(lambda: Schema.infer(codes))
    assert "pd.DataFrame(data)" in text
    assert f"codes up to {codes.max()}" in text or "more such columns" in text


@pytest.mark.parametrize("name", CODES)
def test_codes_that_are_codes_are_let_be(name):
    Schema.infer(CODES[name](np.random.default_rng(0)))  # a warning would be an error


def test_an_array_of_floats_is_told_the_way():
    with pytest.raises(ValueError, match=r"float64 and shape .5, 2.*pass pandas.DataFrame"):
        Independent().fit(np.ones((5, 2)))


# ---------------------------------------------------------------- out of range


def test_fit_is_not_surprised_by_rows_that_it_holds_out():
    rng = np.random.default_rng(0)
    for seed in range(20):
        frame = pd.DataFrame({"v": rng.standard_cauchy(60), "w": rng.normal(size=60)})
        NGram().fit(frame, seed=seed)  # a warning would be an error
        Dataset.from_data(frame, "mine", seed=seed)
    with pytest.warns(UserWarning, match="^valid: 1 of 4 numbers .* beyond the schema's range"):
        NGram().fit(frame, valid=pd.DataFrame({"v": [0.0, 1e9], "w": [0.0, 0.0]}))


def test_a_warning_says_how_far_numbers_lie_and_what_tells_the_rows():
    frame = pd.DataFrame({"age": np.arange(20, 61), "city": ["Rome"] * 41})
    model = Independent().fit(frame)
    rows = pd.DataFrame({"age": [30, 100, 60, 8], "city": ["Rome"] * 4})
    _, text = said(lambda: model.log_prob(rows))
    assert "2 of 8 numbers (columns ['age']) lie beyond the schema's range" in text
    assert "farthest 100 in variable 'age', whose range is 20 .. 60" in text
    assert "tells the 2 rows beyond" in text


def test_rows_out_of_range_can_be_ranked_first():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"v": rng.normal(size=500), "n": rng.integers(0, 4, 500)})
    model = Independent().fit(frame)
    rows = pd.DataFrame({"v": [0.0, 1e6, -1.0, 4e3], "n": [1, 1, 3, 2]})
    far = model.schema_.out_of_range(rows)  # a warning would be an error
    assert far.shape == (4, 2)
    width = np.ptp(model.schema_.variables[0].edges)
    assert far[1, 0] == pytest.approx((1e6 - model.schema_.variables[0].edges[-1]) / width)
    assert (far > 0).tolist() == [[False, False], [True, False], [False, False], [True, False]]
    with pytest.warns(UserWarning, match="out_of_range"):
        log_prob = model.log_prob(rows).value
    assert np.lexsort((log_prob, -far.max(axis=1)))[:2].tolist() == [1, 3]
    assert (Schema.infer(np.array([[0, 1]])).out_of_range(np.array([[1, 1]])) == 0).all()


def test_holes_images_dates_and_constants_have_a_range_too():
    frame = pd.DataFrame({"v": [1.0, None, 3.0], "c": [5, 5, 5]})
    schema = Schema.infer(frame)
    far = schema.out_of_range(pd.DataFrame({"v": [None, 7.0], "c": [5, 8]}))
    assert far.tolist() == [[0, 0], [2, 3]]
    images = np.full((3, 2, 2), 100, np.uint8)
    images[0] = 0
    brighter = Schema.infer(images).out_of_range(images + np.uint8(50))
    assert brighter[1].tolist() == [0.5] * 4
    days = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=11)})
    later = Schema.infer(days).out_of_range(days + pd.Timedelta("15D"))
    assert later[-1, 0] == 1.5
    with pytest.raises(ValueError, match="expected the columns"):
        schema.out_of_range(frame[["v"]])
