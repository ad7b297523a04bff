"""``Dataset``: checks on construction, the fingerprint, and ``from_data`` for data of one's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genzoo import MISSING, Dataset, Schema, TransformerLM, Variable

ROWS = np.array([[0, 1], [1, 2], [1, 0], [0, 2]])
SCHEMA = Schema((Variable("a", cardinality=2), Variable("b", cardinality=3)), "table", (2,))


def make(**changes):
    parts = {"name": "d", "schema": SCHEMA, "train": ROWS, "valid": ROWS[:1], "test": ROWS[1:]}
    return Dataset(**{**parts, **changes})


def frame(n=200, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "kind": rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
            "age": rng.integers(17, 90, n),
            "price": rng.lognormal(3, 1, n),
            "member": rng.random(n) < 0.5,
        }
    )


# -------------------------------------------------------------------------------- construction


def test_rows_are_int64_and_checked():
    data = make(train=ROWS.astype(np.int8))
    assert data.train.dtype == np.int64
    assert data.clamped == {"train": 0, "valid": 0, "test": 0}
    assert repr(data) == "Dataset('d': table of 2, 4/1/3 rows)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "name: expected a string"),
        ({"schema": "table"}, "schema: expected a Schema; got str"),
        ({"train": ROWS[:0]}, "train: expected at least one row"),
        ({"valid": ROWS[:, :1]}, r"valid: expected shape \(n, 2\)"),
        ({"test": ROWS + 1}, "test: expected codes 0 .. 1"),
        ({"test": np.full((1, 2), MISSING)}, "test: expected a row without MISSING"),
        ({"train": ROWS.astype(float)}, "train: expected an integer array"),
        ({"label": "a"}, "label: expected the name of the last variable, 'b'; got 'a'"),
        ({"text": {"train": ["x"]}}, "text: expected a dict of train, valid and test"),
        ({"text": {"train": "x", "valid": [1], "test": "y"}}, "text: expected a dict"),
    ],
)
def test_bad_parts_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_fingerprint_follows_every_part():
    other = Schema((Variable("a", cardinality=2), Variable("c", cardinality=3)), "table", (2,))
    text = {"train": ["ab"], "valid": ["c"], "test": ["d"]}
    moved = {"train": ROWS[:3], "valid": ROWS[3:]}
    variants = [
        make(),
        make(schema=other),
        make(train=ROWS[::-1]),
        make(valid=ROWS[1:2]),
        make(test=ROWS[:2]),
        make(**moved),
        make(text=text),
        make(text={**text, "train": ["a", "b"]}),
    ]
    assert len({d.fingerprint for d in variants}) == len(variants)
    assert make().fingerprint == make(name="other", source="elsewhere").fingerprint
    assert len(make().fingerprint) == 64


# -------------------------------------------------------------------------------- from_data


def as_bytes(rows):
    return [r.tobytes() for r in rows]


def test_parts_are_a_partition():
    data = np.arange(100)[:, None] * np.ones((1, 2), dtype=int)
    parts = Dataset.from_data(data, "d", valid=0.15, test=0.25)
    assert [len(p) for p in (parts.train, parts.valid, parts.test)] == [60, 15, 25]
    everything = np.concatenate([parts.train, parts.valid, parts.test])[:, 0]
    assert sorted(everything) == list(range(100))


def test_the_seed_decides_the_split():
    data = frame()
    prints = [Dataset.from_data(data, "d", seed=s).fingerprint for s in (0, 0, 1)]
    assert prints[0] == prints[1] != prints[2]


def test_frame_comes_back():
    data = frame()
    ours = Dataset.from_data(data, "d")
    back = ours.schema.decode(ours.train)
    assert list(back.columns) == list(data.columns)
    assert (back.dtypes == data.dtypes).all()


def test_label_goes_last_and_stratifies():
    data = frame(1000)
    ours = Dataset.from_data(data, "d", label="kind", valid=0.1, test=0.2)
    assert ours.schema.names == ["age", "price", "member", "kind"]
    assert ours.label == "kind"
    share = data["kind"].value_counts(normalize=True).sort_index().to_numpy()
    for part in (ours.train, ours.valid, ours.test):
        counts = np.bincount(part[:, -1], minlength=3)
        assert (np.abs(counts - share * len(part)) <= 2).all()


def test_rare_classes_have_a_training_row():
    data = pd.DataFrame({"x": np.arange(60), "y": ["common"] * 56 + ["r1", "r2", "r3", "r3"]})
    for seed in range(20):
        ours = Dataset.from_data(data, "d", label="y", seed=seed)
        assert set(ours.train[:, -1]) == {0, 1, 2, 3}


def test_more_classes_than_training_rows():
    data = pd.DataFrame({"x": np.arange(6) % 2, "y": list("abcdef")})
    ours = Dataset.from_data(data, "d", label="y", valid=0.2, test=0.3)
    assert [len(p) for p in (ours.train, ours.valid, ours.test)] == [3, 1, 2]
    assert ours.schema.cards.tolist() == [2, 6]


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64", "bool", "category", "str"])
def test_labels_are_nominal_and_come_back(dtype):
    data = frame()
    data["y"] = pd.Series(np.arange(len(data)) % 2).astype(dtype)
    ours = Dataset.from_data(data, "d", label="y")
    assert ours.schema.variables[-1].kind == "nominal"
    assert ours.schema.variables[-1].categories is not None
    back = ours.schema.decode(ours.train)
    assert back["y"].dtype == data["y"].dtype
    assert set(back["y"]) == set(data["y"])


def test_labels_may_be_missing():
    data = frame()
    data.loc[:9, "kind"] = None
    ours = Dataset.from_data(data, "d", label="kind")
    assert ours.schema.variables[-1].missing
    assert (np.concatenate([ours.train, ours.valid, ours.test])[:, -1] == 3).sum() == 10


def test_codes_with_a_label():
    rows = np.stack([np.arange(90) % 3, np.arange(90) % 2], axis=1)
    ours = Dataset.from_data(rows, "d", label=0)
    assert ours.schema.cards.tolist() == [2, 3]
    assert ours.label == "x1"
    assert np.bincount(ours.test[:, 1]).tolist() == [6, 6, 6]
    schema = Schema(tuple(Variable(n, cardinality=3) for n in "pq"), "table", (2,))
    assert Dataset.from_data(rows, "d", -2, schema=schema).label == "q"


def test_strings_and_images():
    words = ["a", "bb", "abc", "ca", "b"] * 10
    ours = Dataset.from_data(words, "words")
    assert (ours.schema.layout, ours.schema.D, ours.schema.end) == ("sequence", 3, 3)
    assert set(ours.schema.decode(ours.test)) <= set(words)
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 5)).astype(np.uint8)
    ours = Dataset.from_data(images, "images")
    assert ours.schema.event_shape == (4, 5)
    back = ours.schema.decode(np.concatenate([ours.train, ours.valid, ours.test]))
    assert sorted(as_bytes(back)) == sorted(as_bytes(images))


def test_edges_come_from_training_rows_and_the_rest_is_counted():
    data = pd.DataFrame({"x": np.random.default_rng(0).normal(size=3000)})
    ours = Dataset.from_data(data, "d")
    edges = ours.schema.variables[0].edges
    assert ours.clamped["train"] == 0
    # what lies beyond the training rows' range has the end code
    beyond = (data["x"] < edges[0]) | (data["x"] > edges[-1])
    assert beyond.sum() == ours.clamped["valid"] + ours.clamped["test"] > 0


def test_a_schema_of_ones_own():
    schema = Schema(
        (Variable("x", "ordinal", 11, offset=0, step=1),), layout="table", event_shape=(1,)
    )
    data = pd.DataFrame({"x": [0.0, 1.0, 2.4, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 99.0]})
    ours = Dataset.from_data(data, "d", schema=schema)
    assert ours.schema == schema
    assert sum(ours.clamped.values()) == 2
    everything = np.concatenate([ours.train, ours.valid, ours.test])[:, 0]
    assert sorted(everything) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]


def test_holes_are_marks():
    data = frame()
    data.loc[data.index[:50], "price"] = np.nan
    ours = Dataset.from_data(data, "d")
    assert ours.schema.variables[2].missing
    mark = ours.schema.cards[2] - 1
    assert (np.concatenate([ours.train, ours.valid, ours.test])[:, 2] == mark).sum() == 50


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (frame(), {"valid": 0.0}, "valid: expected a share of rows between 0 and 1; got 0.0"),
        (frame(), {"test": 1}, "test: expected a share"),
        (frame(), {"test": True}, "test: expected a share"),
        (frame(), {"valid": "0.1"}, "valid: expected a share"),
        (frame(), {"valid": float("nan")}, "valid: expected a share"),
        (frame(), {"valid": 0.5, "test": 0.5}, "valid, test: expected shares that leave rows"),
        (frame(2), {}, "data: expected enough rows for three parts; got 2"),
        (frame(), {"label": "colour"}, "label: expected one of"),
        (frame(), {"label": ["kind"]}, "label: expected one of"),
        (
            frame(),
            {"label": "price"},
            "label: expected whole numbers as classes; column 'price' holds numbers such as ",
        ),
        (
            pd.DataFrame({"kind": ["a", "b"] * 600, "age": range(1200)}),
            {"label": "age"},
            "label: expected at most 1024 classes; column 'age' holds 1200 different numbers",
        ),
        (frame(), {"seed": -1}, "seed: expected a non-negative integer; got -1"),
        (frame(), {"schema": "x"}, "schema: expected a Schema; got str"),
        (frame(), {"schema": SCHEMA}, "data: expected the columns"),
        (frame()[:0], {}, "data: expected at least one row"),
        (ROWS, {"label": 2}, "label: expected an index below 2; got 2"),
        (ROWS, {"label": "b"}, "label: expected the index of a column"),
        (ROWS - 1, {}, "data: row 0, variable .* is MISSING .* expected complete rows"),
        (["a", "b", "ab"] * 5, {"label": "a"}, "label: expected None for strings"),
        (ROWS.astype(float), {}, "data: expected a DataFrame"),
        ("my.csv", {}, "data: expected a DataFrame"),
    ],
)
def test_bad_input_is_refused(data, options, message):
    with pytest.raises(ValueError, match=message):
        Dataset.from_data(data, "d", **options)


def test_infinity_and_duplicate_columns_are_refused():
    data = frame()
    data.loc[3, "price"] = np.inf
    with pytest.raises(ValueError, match="'price': expected finite numbers"):
        Dataset.from_data(data, "d")
    twice = pd.concat([frame(), frame()], axis=1)
    with pytest.raises(ValueError, match="data: expected distinct column"):
        Dataset.from_data(twice, "d", label="kind")


# ---------------------------------------------------------------- groups, and rows with holes


def grouped(**changes):
    schema = Schema((Variable("a", "nominal", 2), Variable("b", "nominal", 2)), "table", (2,))
    rows = np.array([[0, 1], [1, 1], [1, 0], [0, 0]])
    parts = {"train": rows, "valid": rows, "test": rows}
    groups = {"train": [0, 0, 1, 1], "valid": [2, 2, 2, 3], "test": [4, 5, 6, 6]}
    return Dataset("own", schema, **{**parts, "groups": groups, **changes})


def test_groups_are_kept_and_part_of_the_fingerprint():
    data = grouped()
    assert data.groups["test"].tolist() == [4, 5, 6, 6]
    assert data.fingerprint != grouped(groups=None).fingerprint
    named = {"train": list("aabb"), "valid": list("cccd"), "test": list("efgg")}
    assert grouped(groups=named).groups["test"].tolist() == [4, 5, 6, 6]
    other = {**data.groups, "test": np.array([4, 5, 5, 6])}
    assert data.fingerprint != grouped(groups=other).fingerprint


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"train": [0] * 4}, "groups: expected a dict of train, valid and test"),
        ({"train": [0] * 4, "valid": [1] * 4, "test": [0] * 4}, "0 is in train and test"),
        ({"train": [0] * 4, "valid": [1] * 3, "test": [2] * 4}, "each of the 4 valid rows"),
        ({"train": [0] * 4, "valid": [1] * 4, "test": [0.5] * 4}, "expected an integer"),
    ],
)
def test_bad_groups(groups, message):
    with pytest.raises(ValueError, match=message):
        grouped(groups=groups)


def test_rows_with_holes_are_judged_but_not_selected_on():
    holey = np.array([[0, 1], [1, MISSING], [1, 0], [0, 0]])
    data = grouped(valid=holey, test=holey)
    assert data.complete("valid").tolist() == [[0, 1], [1, 0], [0, 0]]
    assert data.complete_groups("valid").tolist() == data.groups["valid"][[0, 2, 3]].tolist()
    assert make().complete_groups("valid") is None
    model = TransformerLM(d_model=8).fit(data, budget="3 steps")  # takes no holes
    score = model.log_prob(data.test)
    assert score.value[1] > score.value[0]  # of one entry, not of two
    with pytest.raises(ValueError, match="train: row 1, variable 'b' is MISSING"):
        grouped(train=holey)
    with pytest.raises(ValueError, match="valid: expected a row without MISSING"):
        grouped(valid=holey[1:2], groups=None)
