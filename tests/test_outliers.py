"""Values that stand apart: found where they are no measurements, and nowhere else."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import genzoo
import genzoo.datasets.own
from genzoo import Independent, Schema
from genzoo.space.outliers import apart

FILLS = (-3.4028235e38, -3.4028234663852886e38, 9.96921e36, 9.969209968386869e36, 1e15, 1e20, -1e30,
         1e36, 99_999_999, 999_999, -9999, 9999, -999, 32_767, -32_768, 65_535, 2_147_483_647,
         -2_147_483_648, 2.0**63, -(2.0**63))  # fmt: skip


def slopes(n=400, seed=0):
    return np.random.default_rng(seed).normal(12, 4, n)


def found(values, **of):
    unique, counts = np.unique(np.asarray(values, dtype=float), return_counts=True)
    return [(value, rows) for value, rows in apart(unique, counts, **of)]


def days(*dates):
    return np.array(dates, dtype="datetime64[D]").astype(float)


@pytest.mark.parametrize("value", FILLS)
@pytest.mark.parametrize("rows", [1, 2, 240])
def test_a_fill_value_is_found_however_often_it_is_seen(value, rows):
    assert found(np.append(slopes(), [value] * rows)) == [(value, rows)]


@pytest.mark.parametrize("value", [-7.3e21, 5e12, -4e9])
def test_a_number_a_million_times_farther_out_is_found_though_no_program_fills_with_it(value):
    assert found(np.append(slopes(), value)) == [(value, 1)]


def test_several_fill_values_of_one_column_are_found():
    assert found(np.append(slopes(), [-3.4028235e38, 1e20, 1e20])) == [
        (-3.4028235e38, 1),
        (1e20, 2),
    ]
    ages = np.random.default_rng(1).integers(17, 90, 300)
    assert found([*ages, -9999, -9999, 9999, 9999]) == [(-9999, 2), (9999, 2)]


def test_among_many_zeros_the_zeros_are_the_rest():
    values = np.where(np.random.default_rng(2).random(400) < 0.7, 0, slopes())
    assert found(np.append(values, 1e20)) == [(1e20, 1)]


def test_negative_codes_of_a_survey_are_found_where_nothing_else_is_below_zero():
    prices = np.random.default_rng(3).integers(0, 9000, 300)
    assert found([*prices, -999, -999]) == [(-999, 2)]
    assert found([*prices, *(-prices[:20]), -999, -999]) == []


CLEAN = {
    "prices": lambda r: np.append(np.round(r.lognormal(5, 1, 300), 2), [999, 999, 999]),
    "ages up to 99": lambda r: np.append(r.integers(17, 90, 300), [99, 99]),
    "balances": lambda r: np.append(np.round(r.normal(0, 3000, 300)), [-9999, -9999]),
    "one outlier": lambda r: np.append(r.normal(0, 1, 300), 5000.0),
    "counts": lambda r: r.geometric(0.01, 1000),
    "zeros and claims": lambda r: np.where(r.random(1000) < 0.9, 0, r.integers(1, 10**5, 1000)),
    "heavy tail": lambda r: r.pareto(1, 10_000),
    "sixteen bits": lambda r: r.integers(0, 65_536, 1000),
    "two values": lambda r: r.choice([0, 9999], 500),
    "one value": lambda r: np.full(500, 7.0),
    "capital gains": lambda r: np.append(r.integers(0, 41_310, 300), [99_999] * 9),
    "few rows": lambda r: np.array([1.0, 2.0, 3.0, -9999, -9999]),
}


@pytest.mark.parametrize("name", CLEAN)
def test_clean_columns_have_none(name):
    assert found(CLEAN[name](np.random.default_rng(4))) == []


def test_values_over_thirty_orders_of_size_are_seldom_taken_for_fill_values():
    """Of 100 such columns of 400 rows about one has its largest value a million times above the
    next; more than 6 would come by chance once in 100,000 runs. Seeds are fixed."""
    columns = (np.exp(np.random.default_rng(seed).normal(0, 11.5, 400)) for seed in range(100))
    assert sum(bool(found(column)) for column in columns) <= 6


def test_dates_of_no_calendar_are_found_once_and_others_where_they_repeat_apart():
    some = np.random.default_rng(5).integers(*days("2015-01-01", "2023-01-01"), 300)
    for date in ("9999-12-31", "0001-01-01", "2999-12-31"):
        assert found([*some, *days(date)], quantity="date", unit="day") == [(days(date)[0], 1)]
    for date in ("1900-01-01", "1970-01-01", "2099-12-31"):
        assert found([*some, *days(date)], quantity="date", unit="day") == []
        twice = found([*some, *days(date, date)], quantity="date", unit="day")
        assert twice == [(days(date)[0], 2)]
    seconds = 86_400 * np.append(some, days("9999-12-31"))
    assert len(found(seconds, quantity="date", unit="second")) == 1
    born = np.random.default_rng(6).integers(*days("1890-01-01", "2005-01-01"), 3000)
    assert found([*born, *days("1900-01-01", "1970-01-01")], quantity="date", unit="day") == []
    assert found([*some, 0, 0], quantity="time", unit="minute") == []


# -------------------------------------------------------------------- what fit says


def said(data, **options):
    with pytest.warns(UserWarning, match="^data: ") as caught:
        Independent().fit(data, **options)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    return str(caught[0].message)


def holes_by(text, frame, name):
    """How many holes the line that a warning tells makes of the values."""
    scope = {"data": frame.copy()}
    exec(text.split("make them NaN (")[1].split("); as they are")[0], scope)
    return scope["data"][name].isna().sum()


def test_fit_names_column_value_count_and_what_to_do_once():
    frame = pd.DataFrame(
        {"slope": np.append(slopes(398), [-3.4028235e38] * 2), "wood": [0, 1] * 200}
    )
    text = said(frame)
    assert "column 'slope': -3.4028235e+38 (2 of 400 rows), all others " in text
    assert holes_by(text, frame, "slope") == 2
    assert "column 'slope': -3.4028235e+38 (2 of" in said(frame.astype({"slope": "float32"}))


ENDS = pd.Series(pd.to_datetime("2020-01-01") + pd.to_timedelta(np.arange(100) * 7, "D"))
ENDS[90:] = pd.Timestamp("9999-12-31")
DTYPES = {
    "datetime64": lambda ends: ends,
    "zone": lambda ends: ends.dt.tz_localize("Asia/Tokyo"),
    "date objects": lambda ends: pd.Series(list(ends.dt.date), dtype=object),
    "date32": lambda ends: ends.astype("date32[pyarrow]"),
    "timestamp": lambda ends: ends.astype("timestamp[us][pyarrow]"),
    "period": lambda ends: ends.dt.to_period("D"),
}


@pytest.mark.parametrize("name", DTYPES)
def test_fit_names_a_date_that_stands_apart(name):
    frame = pd.DataFrame({"end": DTYPES[name](ENDS)})
    text = re.sub(r" 00:00:00\+09:00", "", said(frame))
    assert "column 'end': 9999-12-31 (10 of 100 rows), all others 2020-01-01 .. 2021-09-15" in text
    assert holes_by(text, frame, "end") == 10


FAR = pd.Series(pd.date_range("2020-01-01", periods=120).astype("datetime64[us]"))
FAR[[3, 50]] = pd.Timestamp("9999-12-31")
LOW = pd.Series(np.arange(120) % 97 + 0.5)
LOW[[3, 50]] = -9999.0
STANDING_APART = {
    **{f"numbers {d}": LOW.astype(d) for d in ("float64", "float32", "Float64", "double[pyarrow]")},
    **{f"whole {d}": np.floor(LOW).astype(d) for d in ("int64", "Int64", "int64[pyarrow]")},
    "objects": LOW.astype(object),
    **{
        str(d): FAR.astype(d) for d in ("datetime64[us]", "datetime64[s]", "timestamp[us][pyarrow]")
    },
    "UTC": FAR.dt.tz_localize("UTC"),
    "New York": FAR.dt.tz_localize("America/New_York"),
    "date objects": pd.Series([t.date() for t in FAR], dtype=object),
    "datetime objects": pd.Series([t.to_pydatetime() for t in FAR], dtype=object),
    "date32": pd.Series([t.date() for t in FAR]).astype("date32[pyarrow]"),
    "days as periods": pd.Series([pd.Period(t.date().isoformat(), "D") for t in FAR]),
}


@pytest.mark.parametrize("dtype", STANDING_APART)
def test_the_line_of_pandas_that_fit_suggests_works(dtype):
    frame = pd.DataFrame({"a b": STANDING_APART[dtype], "c": ["x", "y"] * 60})
    line = re.search(r"make them NaN \((.*)\); as they are", said(frame))[1]
    scope = {"data": frame}
    exec(line, scope)
    assert np.flatnonzero(scope["data"]["a b"].isna()).tolist() == [3, 50]
    Independent().fit(scope["data"])  # a warning would be an error


# -------------------------------------------------------------------- files


def remarks_of(path, **options):
    return [r for r in genzoo.datasets.own.load(path, **options).remarks if "apart" in r]


@pytest.mark.parametrize("written", ["-3.4028234663852886e+38", "99999999", "1e15", "-9999.0"])
@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_a_file_is_remarked_and_a_schema_file_makes_holes_of_them(tmp_path, written, ending):
    frame = pd.DataFrame({"cover": ["wood", "field"] * 200, "slope": slopes()})
    frame.loc[[7, 300], "slope"] = float(written)
    path = tmp_path / f"gis.{ending}"
    if ending in ("csv", "tsv"):
        frame.assign(slope=frame["slope"].map(repr)).to_csv(
            path, index=False, sep=",\t"[ending == "tsv"]
        )
    elif ending == "jsonl":
        frame.to_json(path, orient="records", lines=True, double_precision=15)
    else:
        frame.to_parquet(path)
    (remark,) = remarks_of(path)
    assert "column 'slope': " in remark
    assert "(entries: 2) stands apart from all others (" in remark
    holes = remark.split('give "holes": ')[1].split(" in a schema file")[0]
    data = genzoo.datasets.own.load(path)
    text = data.schema_file.replace('"name": "slope",', f'"name": "slope", "holes": {holes},')
    (tmp_path / "schema.json").write_text(text)
    corrected = genzoo.datasets.own.load(path, schema=tmp_path / "schema.json")
    slope = corrected.schema.variables[1]
    assert slope.missing
    rows = np.concatenate([corrected.train, corrected.valid, corrected.test])
    assert (rows[:, 1] == slope.n_values).sum() == 2
    assert remarks_of(path, schema=tmp_path / "schema.json") == []


def test_a_file_with_dates_that_stand_apart_is_remarked(tmp_path):
    path = tmp_path / "contracts.csv"
    end = pd.Series(pd.date_range("2016-09-14", periods=60)).dt.strftime("%d.%m.%Y").tolist()
    pd.DataFrame({"end": [*end, *["31.12.9999"] * 26], "plan": ["a", "b"] * 43}).to_csv(
        path, index=False
    )
    (remark,) = remarks_of(path)
    assert "column 'end': 31.12.9999 (entries: 26) stands apart from all others" in remark
    assert 'give "holes": ["31.12.9999"]' in remark


def test_a_clean_file_is_not_remarked(tmp_path):
    path = tmp_path / "clean.csv"
    frame = pd.DataFrame({name: make(np.random.default_rng(9))[:300] for name, make in CLEAN.items()
                          if name != "few rows"})  # fmt: skip
    frame.to_csv(path, index=False)
    assert remarks_of(path) == []


# -------------------------------------------------------------------- cells


def test_a_schema_has_cells_of_the_values_whatever_stands_apart():
    plain = Schema.infer(pd.DataFrame({"v": slopes()})).variables[0]
    frame = pd.DataFrame({"v": np.append(slopes(), [-3.4028235e38])})
    with pytest.warns(UserWarning, match="stand apart"):
        schema = Schema.infer(frame)
    cells = schema.variables[0]
    assert cells.step == plain.step
    drawn = schema.decode(np.zeros((50, 1), dtype=np.int64))
    assert (drawn["v"] == -3.4028235e38).all()
    assert np.isin(np.round(cells.edges, 3), np.round(plain.edges, 3)).mean() > 0.3


@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_ends_of_64_bits_among_integers_of_a_file_are_holes(tmp_path, value, ending):
    counts = np.random.default_rng(0).integers(0, 5000, 300)
    counts[[4, 8]] = value
    frame = pd.DataFrame({"x": counts, "c": np.resize(["a", "b"], 300)})
    path = tmp_path / f"x.{ending}"
    frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    data = genzoo.datasets.own.load(path)
    assert f"read as holes: '{value}' (entries: 2)" in data.remarks[0]
    variable = data.schema.variables[0]
    assert (variable.missing, variable.dtype, variable.step) == (True, "Int64", 1.0)
    with pytest.raises(ValueError, match=r"below 2\*\*53.*a mark of missing values\? make it NaN"):
        Independent().fit(frame)
