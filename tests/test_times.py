"""Dates, durations and times of day: in as they are, out as they came."""

from __future__ import annotations

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import genzoo
from genzoo.report.figures import code_labels
from genzoo.space.schema import Schema, Variable

N = 60
RNG = np.random.default_rng(0)
DAYS = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 500, N), unit="D"))
SECONDS = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 10**7, N), "s"))
TIMES = pd.Series([dt.time(h, 30) for h in RNG.integers(0, 24, N).tolist()], dtype=object)
MONTHS = pd.Series(pd.to_datetime([f"{y}-07-01" for y in RNG.integers(1700, 2300, N)]))


def arrow(of: pa.DataType) -> pd.ArrowDtype:
    return pd.ArrowDtype(of)


def columns() -> dict[str, pd.Series]:
    found = {
        "date objects": pd.Series(list(DAYS.dt.date), dtype=object),
        "times": TIMES,
        "months": MONTHS,
        "date32": DAYS.astype(arrow(pa.date32())),
        "date64": DAYS.astype(arrow(pa.date64())),
        "time64": TIMES.astype(arrow(pa.time64("us"))),
        "time32": TIMES.astype(arrow(pa.time32("s"))),
    }
    for unit in ("s", "ms", "us", "ns"):
        zoned = SECONDS.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
        zoned = zoned.astype(f"datetime64[{unit}, Europe/Berlin]")
        length = (SECONDS - SECONDS.min()).astype(f"timedelta64[{unit}]")
        found |= {
            f"naive {unit}": SECONDS.astype(f"datetime64[{unit}]"),
            f"days {unit}": DAYS.astype(f"datetime64[{unit}]"),
            f"zoned {unit}": zoned,
            f"length {unit}": length,
            f"timestamp {unit}": SECONDS.astype(arrow(pa.timestamp(unit))),
            f"timestamp of a zone {unit}": zoned.astype(arrow(pa.timestamp(unit, "Europe/Berlin"))),
            f"duration {unit}": length.astype(arrow(pa.duration(unit))),
        }
    return found | {f"period {f}": DAYS.dt.to_period(f) for f in ("M", "Q", "Y", "W", "D", "h")}


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("name", list(columns()))
def test_out_comes_what_went_in(name, holes):
    column = columns()[name]
    if holes:
        column = column.where(pd.Series(np.arange(N) % 5 > 0)).astype(column.dtype)
    frame = pd.DataFrame({"when": column})
    schema = Schema.infer(frame)
    variable = schema.variables[0]
    assert variable.is_numeric
    assert variable.quantity != "number"
    assert Schema.from_json(schema.to_json()) == schema
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = schema.encode(frame)
        back = schema.decode(rows)
        assert np.array_equal(schema.encode(back), rows)
    assert back["when"].dtype == column.dtype
    assert (back["when"].isna() == column.isna()).all()
    if variable.is_grid:
        assert back["when"].dropna().tolist() == column.dropna().tolist()


@pytest.mark.parametrize(
    ("column", "unit", "step"),
    [
        (DAYS, "day", 1),
        (MONTHS, "month", 12),
        (SECONDS, "second", 1),
        (SECONDS.dt.floor("min"), "minute", 1),
        (DAYS.dt.to_period("Q"), "month", 3),
        (DAYS.dt.to_period("W"), "day", 7),
        (TIMES, "minute", 60),
    ],
)
def test_the_unit_is_the_largest_of_which_all_are_multiples(column, unit, step):
    variable = Schema.infer(pd.DataFrame({"when": column})).variables[0]
    assert (variable.unit, variable.step) == (unit, step)


def test_years_1_to_9999_beside_each_other():
    ends = [dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(1452, 4, 15)]
    frame = pd.DataFrame({"until": pd.Series([*DAYS.dt.date, *ends * 10], dtype=object)})
    with pytest.warns(UserWarning, match="stand apart .* 9999-12-31"):
        schema = Schema.infer(frame)
    assert schema.variables[0].unit == "day"
    back = schema.decode(schema.encode(frame))["until"]
    assert set(ends) <= set(back)
    assert all(type(v) is dt.date for v in back)


def test_objects_of_datetimes_come_back_as_datetimes():
    moments = pd.Series(list(SECONDS.dt.to_pydatetime()), dtype=object)
    lengths = pd.Series([dt.timedelta(minutes=m) for m in range(N)], dtype=object)
    frame = pd.DataFrame({"at": moments, "took": lengths})
    back = Schema.infer(frame).decode(Schema.infer(frame).encode(frame))
    assert back.dtypes.astype(str).tolist() == ["datetime64[us]", "timedelta64[us]"]
    assert back["took"].tolist() == lengths.tolist()


@pytest.fixture(scope="module")
def model():
    n = 300
    day = RNG.integers(0, 30, n)
    frame = pd.DataFrame(
        {
            "when": pd.Timestamp("2024-05-01") + pd.to_timedelta(day, unit="D"),
            "late": np.where(day > 14, "yes", "no"),
        }
    )
    return genzoo.BayesianNetwork().fit(frame)


@pytest.mark.parametrize(
    "value",
    [
        "2024-05-03", dt.date(2024, 5, 3), dt.datetime(2024, 5, 3), pd.Timestamp("2024-05-03"),
        np.datetime64("2024-05-03"), np.datetime64("2024-05-03T00:00:00", "ns"), "2024-05-03T00",
    ],
)  # fmt: skip
def test_a_date_is_given_as_one_likes(model, value):
    drawn = model.sample(20, given={"when": value}, seed=1)
    assert (drawn["when"] == pd.Timestamp("2024-05-03")).all()
    assert (drawn["late"] == "no").mean() > 0.8


def test_a_date_between_units_or_beyond_the_range_is_moved_with_a_warning(model):
    for when in ("2024-05-03T12:00", "2031-01-01"):
        with pytest.warns(UserWarning, match="1 of 2 numbers"):
            model.log_prob(pd.DataFrame({"when": pd.to_datetime([when]), "late": ["no"]}))


def test_impute_and_classify(model):
    holes = pd.DataFrame(
        {"when": pd.to_datetime(["2024-05-03", None]), "late": [None, "yes"]}
    ).astype({"when": "datetime64[s]"})
    full = genzoo.impute(model, holes, seed=0)
    assert full.loc[0, "when"] == pd.Timestamp("2024-05-03")
    assert full.loc[1, "when"] > pd.Timestamp("2024-05-14")
    found = genzoo.classify(model, pd.DataFrame({"late": ["yes"]}), "when")
    assert found[0] > np.datetime64("2024-05-14")


def test_zones():
    zoned = SECONDS.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    with_zone = Schema.infer(pd.DataFrame({"at": zoned}))
    without = Schema.infer(pd.DataFrame({"at": SECONDS}))
    with pytest.raises(ValueError, match=r"column 'at': expected dates with a time zone.*localize"):
        with_zone.encode(pd.DataFrame({"at": SECONDS}))
    with pytest.raises(ValueError, match=r"column 'at': expected dates without a time zone"):
        without.encode(pd.DataFrame({"at": zoned}))
    expected = with_zone.encode(pd.DataFrame({"at": zoned}))[:1]
    for same in (zoned[0], zoned[0].tz_convert("UTC"), zoned[0].tz_localize(None)):
        text = pd.DataFrame({"at": [same.isoformat()]})
        assert np.array_equal(with_zone.encode(text), expected)
    mixed = pd.DataFrame({"at": ["2020-01-01", "2020-01-01T00:00Z"]})
    with pytest.raises(ValueError, match="all with a time zone or all without"):
        without.encode(mixed)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, r"column 'when': expected dates .*ISO text.*; got 5"),
        ("5th of May", r"expected dates .*; got '5th of May'"),
        (dt.time(3), "expected dates"),
        (pd.Timedelta("1 day"), "expected dates"),
    ],
)
def test_what_is_no_date_is_named(model, value, words):
    with pytest.raises(ValueError, match=words):
        model.sample(1, given={"when": value})


def test_years_beyond_are_named():
    far = pd.DataFrame({"at": np.array(["12024-01-01", "2024-01-01"], "datetime64[s]")})
    with pytest.raises(ValueError, match=r"column 'at': expected dates of the years 1 to 9999"):
        Schema.infer(far)


def test_durations_and_times_as_text():
    frame = pd.DataFrame({"took": pd.to_timedelta([1, 2, 4], unit="h"), "at": TIMES[:3]})
    schema = Schema.infer(frame)
    text = pd.DataFrame({"took": ["02:00:00"], "at": [TIMES[1].isoformat()]})
    assert np.array_equal(schema.encode(text), schema.encode(frame)[1:2])


def test_the_quantity_and_its_unit_are_checked():
    with pytest.raises(ValueError, match="unit: expected one of"):
        Variable("v", "ordinal", 2, offset=0, step=1, quantity="date")
    with pytest.raises(ValueError, match="unit: expected one of day"):
        Variable("v", "ordinal", 2, offset=0, step=1, quantity="time", unit="month")
    with pytest.raises(ValueError, match="unit: expected None for numbers"):
        Variable("v", "ordinal", 2, offset=0, step=1, unit="day")
    with pytest.raises(ValueError, match="quantity: expected edges"):
        Variable("v", "ordinal", 2, quantity="date", unit="day")
    with pytest.raises(ValueError, match="quantity: expected one of"):
        Variable("v", "ordinal", 2, quantity="money")


def test_a_column_of_holes_alone():
    frame = pd.DataFrame({"at": pd.Series([pd.NaT] * 3, dtype="datetime64[ns]"), "n": [1, 2, 3]})
    schema = Schema.infer(frame)
    assert schema.decode(schema.encode(frame))["at"].dtype == "datetime64[ns]"


@pytest.mark.parametrize(
    ("variable", "labels"),
    [
        (Variable("v", "ordinal", 2, offset=0, step=12, quantity="date", unit="month"),
         ["1970-01", "1971-01"]),
        (Variable("v", "ordinal", edges=[0.5, 1.5, 9.5], quantity="date", unit="day"),
         ["1970-01-02", "1970-01-03 to 1970-01-10"]),
        (Variable("v", "ordinal", 2, offset=1, step=1, quantity="duration", unit="hour"),
         ["1 hour", "2 hours"]),
        (Variable("v", "ordinal", 2, offset=8, step=1, quantity="time", unit="hour"),
         ["08:00", "09:00"]),
    ],
)  # fmt: skip
def test_figures_label_dates_as_dates(variable, labels):
    assert code_labels(variable) == labels
