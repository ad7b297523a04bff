"""Files whose values have types, JSONL and parquet: each gives what a CSV of the same table gives,
and its types say the rest."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genzoo.datasets import own

N = 80


def cycled(*values):
    return (list(values) * N)[:N]


def others():
    return np.random.default_rng(0).choice(["a", "b"], N).tolist()


@pytest.fixture
def jsonl(tmp_path):
    def write(values):
        path = tmp_path / "a.jsonl"
        pairs = zip(values, others(), strict=True)
        path.write_text("\n".join(json.dumps({"v": v, "y": y}) for v, y in pairs))
        return path

    return write


@pytest.fixture
def parquet(tmp_path):
    def write(column, **more):
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"v": column, "y": others(), **more}), path)
        return path

    return write


@pytest.fixture
def csv(tmp_path):
    def write(values):
        path = tmp_path / "a.csv"
        pd.DataFrame({"v": pd.Series(values, dtype=object), "y": others()}).to_csv(
            path, index=False
        )
        return path

    return write


def variable(path, **options):
    return own.load(path, **options).schema.variables[0]


def said(path, **options):
    return [r for r in own.load(path, **options).remarks if "test rows" not in r]


# -------------------------------------------------------------------------------- identifiers


IDS = [10**17 + int(i) for i in np.random.default_rng(1).integers(0, 10**15, N)]


@pytest.mark.parametrize("values", [IDS, IDS[:4] * 20, [None, *IDS[1:]], [None, *IDS[:3] * 27][:N]])
def test_ids_of_18_digits_are_one_thing_in_every_form(csv, jsonl, parquet, values):
    expected = own.load(csv(values))
    decimals = [v if v is None else Decimal(v) for v in values]
    for path in (
        jsonl(values),
        parquet(pa.array(values)),
        parquet(pa.array(values, pa.uint64())),
        parquet(pa.array(decimals, pa.decimal128(20, 0))),
        parquet(pa.array([v if v is None else str(v) for v in values])),
    ):
        found = own.load(path)
        assert found.schema == expected.schema
        assert found.fingerprint == expected.fingerprint
        assert found.remarks == expected.remarks
    assert any("integers of 16 digits or more" in r for r in expected.remarks)


def test_ids_that_holes_made_floats_of(parquet):
    floats = np.array([np.nan, *IDS[1:]])
    assert any("like an identifier" in r for r in said(parquet(pa.array(floats))))
    small = variable(parquet(pa.array([np.nan, *(1000.0 + 3 * np.arange(N - 1))])))
    assert small.dtype == "Int64"


def test_integers_beyond_64_bits_of_a_sign(parquet):
    column = pa.array(range(2**63, 2**63 + N), pa.uint64())
    assert any("like an identifier" in r for r in said(parquet(column)))


# -------------------------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    ("values", "as_in_csv"),
    [
        (cycled(7, "7", 8, 9), cycled(7, 7, 8, 9)),
        (cycled(7, "7.5", None), cycled(7, 7.5, None)),
        (cycled(7, "7", 8, "n/a"), cycled(7, 7, 8, "n/a")),
        (cycled("1.5", "2", "3"), cycled(1.5, 2, 3)),
        (cycled("2024-05-01", "2024-06-03"), cycled("2024-05-01", "2024-06-03")),
        (cycled("", "a", " b "), cycled("", "a", "b")),
    ],
)
def test_json_of_mixed_types_is_read_as_a_csv(csv, jsonl, values, as_in_csv):
    expected, found = variable(csv(as_in_csv)), variable(jsonl(values))
    assert found.meaning == expected.meaning


def test_truth_and_numbers_with_holes(jsonl):
    assert variable(jsonl(cycled(True, None, False))).categories == (False, True)
    assert variable(jsonl(cycled(True, "true", False))).categories == ("false", "true")
    assert variable(jsonl(cycled(1.5, float("nan"), 2))).missing
    assert variable(jsonl(cycled(3, None, 5))).dtype == "Int64"
    with pytest.raises(ValueError, match="column 'v': expected finite numbers"):
        own.load(jsonl(cycled(1.5, float("inf"))))


def test_objects_inside_objects_are_columns(jsonl):
    path = jsonl(cycled({"a": 1, "b": {"c": "x"}}, {"a": 2, "b": {"c": "z"}}, None))
    assert own.load(path).schema.names == ["v.a", "v.b.c", "y"]
    assert "objects inside objects are columns of their own: 'v.a', 'v.b.c' (2)" in said(path)


@pytest.mark.parametrize("values", [cycled([1, 2], [3]), cycled([1, 2], 3, None)])
def test_lists_cost_their_column(jsonl, values):
    path = jsonl(values)
    assert own.load(path).schema.names == ["y"]
    assert any("'v' is left out: holds lists or bytes, which are not read" in r for r in said(path))


def test_a_list_of_objects_is_read(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps([{"v": i % 7, "y": y} for i, y in enumerate(others())], indent=1))
    assert variable(path).n_values == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"data": [{"v": 1}, {"v": 2}]}', "a list under 'data': write that list alone"),
        ('{"v": {"0": 1, "1": 2}, "y": {"0": 1, "1": 2}}', 'orient="records", lines=True'),
        ('[{"v": 1}, 3]', "entry 2: expected a JSON object; got int"),
        ('[{"v": 1}, {"v": ]', "expected a list of JSON objects"),
        ('{"v": 1}\n{"v.x": 1, "v": {"x": 2}}', "object 2 has 'v.x' twice"),
    ],
)
def test_json_of_another_shape_is_told_the_way(tmp_path, text, words):
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        own.load(path)


def test_keys_given_twice_and_keys_that_lack(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = [
        f'{{"v": 1, "v": {i % 5}, "y": "{y}"}}' if i else f'{{"y": "{y}"}}'
        for i, y in enumerate(others())
    ]
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode())
    assert own.load(path).schema.variables[1].n_values == 5
    remarks = said(path)
    assert "keys given twice in one object, the last one counts: 'v' (79 times)" in remarks
    assert "keys that objects lack are holes: 1" in remarks


# -------------------------------------------------------------------------------- parquet


@pytest.mark.parametrize(
    "of",
    [pa.decimal128(7, 2), pa.decimal256(60, 20), pa.decimal32(7, 2), pa.decimal64(12, 4)],
)
def test_decimals_are_numbers(parquet, of):
    found = variable(parquet(pa.array(cycled(Decimal("1.10"), Decimal("2.20"), None), of)))
    assert (found.offset, found.step, found.missing) == (1.1, 1.1, True)


@pytest.mark.parametrize(
    ("column", "quantity", "unit"),
    [
        (pa.array(cycled(dt.date(2020, 1, 1), dt.date(9999, 12, 31))), "date", "day"),
        (pa.array(cycled(dt.date(2020, 1, 1), dt.date(1, 1, 3)), pa.date64()), "date", "day"),
        (pa.array(range(0, N * 10**10, 10**10), pa.timestamp("ns")), "date", "second"),
        (pa.array(range(0, N * 3600, 3600), pa.timestamp("s", "Europe/Oslo")), "date", "hour"),
        (pa.array(cycled(dt.time(3), dt.time(5))), "time", "hour"),
        (pa.array(cycled(dt.time(3, 30), None), pa.time32("s")), "time", "minute"),
        (pa.array(cycled(dt.timedelta(hours=3), dt.timedelta(1))), "duration", "hour"),
    ],
)
def test_dates_and_times_are_counted(parquet, column, quantity, unit):
    found = variable(parquet(column))
    assert (found.quantity, found.unit) == (quantity, unit)


@pytest.mark.parametrize(
    ("column", "categories"),
    [
        (pa.array(cycled("a", "b")).dictionary_encode(), ("a", "b")),
        (pa.array(cycled("a", " b "), pa.large_string()), ("a", "b")),
        (pa.array(cycled("a", "b"), pa.string_view()), ("a", "b")),
        (pa.array(cycled(b"a", b"b")), ("a", "b")),
        (pa.array(cycled(True, None, False)), (False, True)),
        (pa.nulls(N), ()),
    ],
)
def test_text_and_truth(parquet, column, categories):
    assert variable(parquet(column)).categories == categories


def test_narrow_floats_are_the_numbers_that_were_written(parquet):
    for width in ("float16", "float32"):
        found = variable(parquet(pa.array(np.array(cycled(0.1, 0.5), width))))
        assert (found.offset, found.step) == (0.1, 0.4)


def test_a_dictionary_of_many_values_is_text(parquet):
    column = pa.array([f"v{i % 70}" for i in range(N)]).dictionary_encode()
    assert any("'v' is left out: 70 different values" in r for r in said(parquet(column)))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1, 2]] * N),
        pa.array([[("k", 1)]] * N, pa.map_(pa.string(), pa.int64())),
        pa.array([b"\xff\xfe%d" % i for i in range(N)]),
        pa.array([uuid.UUID(int=i).bytes for i in range(2**127, 2**127 + N)], pa.binary(16)),
    ],
)
def test_a_type_that_is_not_read_costs_its_column(parquet, column, tmp_path):
    path = parquet(column, w=list(range(0, 5 * N, 5)))
    found = own.prepare(path)
    assert [c.name for c in found.columns if not c.is_used] == ["v"]
    assert own.load(path).schema.names == ["y", "w"]
    schema = tmp_path / "schema.json"
    schema.write_text(found.schema_file)
    assert own.load(path, schema=schema).schema.names == ["y", "w"]


def test_structs_are_columns(parquet):
    path = parquet(pa.array([{"a": i % 3, "b": {"c": i % 4}} for i in range(N)]))
    assert own.load(path).schema.names == ["v.a", "v.b.c", "y"]


@pytest.mark.parametrize(
    ("index", "names"),
    [
        (pd.date_range("2020-01-01", periods=N, name="day"), ["day", "v"]),
        (pd.date_range("2020-01-01", periods=N), ["index", "v"]),
        (pd.MultiIndex.from_product([range(8), range(10)], names=["a", "b"]), ["a", "b", "v"]),
        (pd.Index(cycled("s1", "s2", "s3"), name="site"), ["site", "v"]),
        (pd.Index(cycled(1, 2, 3), name="group"), ["group", "v"]),
        (pd.RangeIndex(0, 2 * N, 2, name="row"), ["row", "v"]),
    ],
)
def test_an_index_of_pandas_is_a_column(tmp_path, index, names):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"v": cycled(1, 2, 5)}, index=index).to_parquet(path)
    prepared = own.prepare(path)
    assert [c.name for c in prepared.columns] == names
    for name in names[:-1]:
        assert f"the index is read as column {name!r}" in prepared.remarks()


def test_row_numbers_are_no_column(tmp_path):
    path = tmp_path / "a.parquet"
    frame = pd.DataFrame({"v": cycled(1, 2, 5)})
    frame.to_parquet(path)
    assert own.prepare(path).remarks() == []
    frame[frame.v > 1].to_parquet(path)
    assert own.prepare(path).remarks() == ["row numbers (an index without a name) are not read"]


def test_types_of_pandas(tmp_path):
    path = tmp_path / "a.parquet"
    sizes = pd.Categorical(cycled("S", "M"), categories=["S", "M", "L"], ordered=True)
    months = pd.period_range("2020-01", periods=N, freq="M")
    pd.DataFrame({"size": sizes, "month": months}).to_parquet(path)
    size, month = own.load(path).schema.variables
    assert (size.kind, size.categories) == ("ordinal", ("S", "M", "L"))
    assert (month.quantity, month.unit) == ("date", "month")
