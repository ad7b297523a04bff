"""Dates, times of day and durations in files: their values, what is said, and the way back."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from genzoo.datasets import own

N = 60
DATES = pd.date_range("2021-01-02 03:04:05", periods=N, freq="41h7min13s")


def prepared(tmp_path, texts, name="n", **others):
    columns = {name: texts, **others, "k": ["a", "b"] * (len(texts) // 2)}
    records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return own.prepare(path)


# how programs write dates, and to what part of a date
EXPORTS = {
    "AM/PM": ("%m/%d/%Y %I:%M:%S %p", "s"),
    "spreadsheet, US": ("%-m/%-d/%Y", "D"),
    "spreadsheet, US, time": ("%-m/%-d/%y %-I:%M %p", "min"),
    "spreadsheet, German": ("%d.%m.%Y %H:%M", "min"),
    "spreadsheet, British": ("%d/%m/%Y %H:%M:%S", "s"),
    "month name": ("%d-%b-%Y %H:%M:%S", "s"),
    "month name, long": ("%B %d, %Y", "D"),
    "SQL Server": ("%b %d %Y %I:%M%p", "min"),
    "SQL Server, datetime2": ("%Y-%m-%d %H:%M:%S.0000000", "s"),
    "Oracle": ("%d-%b-%y %I.%M.%S.000000 %p", "s"),
    "SAS": ("%d%b%Y", "D"),
    "SAS, datetime": ("%d%b%Y:%H:%M:%S", "s"),
    "JavaScript": ("%Y-%m-%dT%H:%M:%S.000Z", "s"),
    "JavaScript, toDateString": ("%a %b %d %Y", "D"),
    "C": ("%a %b %d %H:%M:%S %Y", "s"),
    "HTTP": ("%a, %d %b %Y %H:%M:%S GMT", "s"),
    "mail": ("%a, %d %b %Y %H:%M:%S +0000", "s"),
    "git": ("%a %b %d %H:%M:%S %Y +0000", "s"),
    "web log": ("%d/%b/%Y:%H:%M:%S +0000", "s"),
    "Python log": ("%Y-%m-%d %H:%M:%S,250", "s"),
    "two digits": ("%d.%m.%y", "D"),
    "digits": ("%Y%m%d", "D"),
    "digits, time": ("%Y%m%d%H%M%S", "s"),
    "day of the year": ("%Y-%j", "D"),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_exports(tmp_path, name):
    form, part = EXPORTS[name]
    texts = [date.strftime(form) for date in DATES]
    found = prepared(tmp_path, texts)
    assert found.columns[0].treat == "date"
    assert (found.data().n.dt.floor(part).to_numpy() == DATES.floor(part).to_numpy()).all()
    assert own.untreat(found.columns, found.data()).n.tolist() == texts


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2021-03-26 18:28:01+00"], "2021-03-26T18:28:01"),
        (["2021-03-26 18:28:01+05:30"], "2021-03-26T12:58:01"),
        (["2021-03-26T18:28:01+01:00", "2021-03-26T18:28:01+02:00"], "2021-03-26T17:28:01"),
        (["2021-03-26T18:28:01.5Z", "2021-03-26T18:28:01Z"], "2021-03-26T18:28:01.5"),
        (["2021-03-26", "2021-03-26 18:28:01"], "2021-03-26"),
        (["Fri Mar 26 2021 18:28:01 GMT+0100 (CET)"], "2021-03-26T17:28:01"),
        (["/Date(1616783281000)/"], "2021-03-26T18:28:01"),
        (["3/26/2021 2:05:01 p.m."], "2021-03-26T14:05:01"),
        (["2021-W12"], "2021-03-22"),
        (["2021-Q1", "2021-Q3"], "2021-01-01"),
        (["Q2 2021"], "2021-04-01"),
        (["9999-12-31T23:59:59.9999999"], "9999-12-31T23:59:59.999999"),
        (["31.12.9999", "01.01.0001"], "9999-12-31"),
        (["1452-04-15"], "1452-04-15"),
    ],
)
def test_single_dates(tmp_path, texts, expected):
    found = prepared(tmp_path, [*texts, "2"][: len(texts)] * 40)
    assert found.columns[0].treat == "date"
    assert found.data().n[0] == pd.Timestamp(expected)


@pytest.mark.parametrize(
    ("texts", "beside", "form"),
    [
        (["01/02/2021", "03/04/2021"], "text", "%m/%d/%Y"),
        (["01/02/2021", "03/04/2021"], "25/12/2020", "%d/%m/%Y"),
        ([f"01/{m:02d}/2021" for m in range(1, 13)], "text", "%d/%m/%Y"),
    ],
)
def test_days_and_months_that_can_not_be_told_apart(tmp_path, texts, beside, form):
    texts = (texts * 30)[:60]
    column = prepared(tmp_path, texts, other=[beside] * 60).columns[0]
    assert column.format == form
    assert f"read as {form}; " in column.remarks[0]
    assert 'fits as well: give "format"' in column.remarks[0]


@pytest.mark.parametrize(
    ("name", "numbers", "form", "first"),
    [
        ("created_at", DATES.as_unit("s").asi8, "unix seconds", DATES[0]),
        ("timestamp", DATES.as_unit("ms").asi8, "unix milliseconds", DATES[0]),
        ("date", 44198 + np.arange(N) * 3, "excel days", pd.Timestamp("2021-01-02")),
    ],
)
def test_counts_that_may_be_dates_are_remarked_and_read_by_a_schema(
    tmp_path, name, numbers, form, first
):
    found = prepared(tmp_path, [str(n) for n in numbers], name)
    column = found.columns[0]
    assert column.treat == "number"
    assert f'"treat": "date", "format": "{form}"' in " ".join(column.remarks)
    dates = own.Column(name, "date", format=form)
    treated = own.treat([dates], found.content.data[[name]])
    assert treated[name][0] == first
    assert own.untreat([dates], treated)[name].tolist() == [str(n) for n in numbers]


def test_zero_dates_are_holes(tmp_path):
    for form, zero in (("%Y-%m-%d", "0000-00-00"), ("%Y%m%d", "00000000")):
        texts = [d.strftime(form) if i % 4 else zero for i, d in enumerate(DATES)]
        found = prepared(tmp_path, texts)
        assert found.data().n.isna().sum() == 15
        assert f"'{zero}' (entries: 15)" in " ".join(found.columns[0].remarks)


@pytest.mark.parametrize("mark", ["-", "unknown", "open"])
def test_marks_among_digits_that_are_dates(tmp_path, mark):
    texts = [d.strftime("%Y%m%d") if i % 4 else mark for i, d in enumerate(DATES)]
    found = prepared(tmp_path, texts)
    assert found.columns[0].format == "%Y%m%d"
    assert found.data().n.isna().sum() == 15


def test_digits_in_typed_columns(tmp_path):
    frame = pd.DataFrame({"day": DATES.strftime("%Y%m%d").astype(int), "k": ["a", "b"] * 30})
    frame.to_parquet(tmp_path / "a.parquet")
    found = own.prepare(tmp_path / "a.parquet")
    assert (found.data().day.to_numpy() == DATES.normalize().to_numpy()).all()


SECONDS = np.random.default_rng(0).integers(0, 300_000, N).tolist()
SECONDS[0] = 97 * 3600 + 65


def clock(v):
    return f"{v // 3600}:{v // 60 % 60:02d}:{v % 60:02d}"


LENGTHS = {
    "beyond a day": clock,
    "with a fraction": lambda v: clock(v) + ".5",
    "below zero": lambda v: "-" * (v % 2) + f"{v // 3600:02d}" + clock(v)[-6:],
    "2h 5m": lambda v: f"{v // 3600}h {v // 60 % 60}m",
    "ISO": lambda v: f"PT{v // 3600}H{v // 60 % 60}M{v % 60}S",
    "pandas": lambda v: str(pd.Timedelta(seconds=v)),
    "Python": lambda v: str(pd.Timedelta(seconds=v).to_pytimedelta()),
    ".NET": lambda v: f"{v // 86400}.{v // 3600 % 24:02d}" + clock(v)[-6:],
    "words": lambda v: f"{v // 60} minutes {v % 60} seconds" if v % 3 else f"{v / 3600} h",
}


@pytest.mark.parametrize("name", LENGTHS)
def test_durations(tmp_path, name):
    texts = [LENGTHS[name](v) for v in SECONDS]
    found = prepared(tmp_path, texts)
    assert found.columns[0].treat == "duration"
    expected = np.array(SECONDS, float)
    if name == "2h 5m":
        expected -= expected % 60
    expected += 0.5 * (name == "with a fraction")
    sign = np.where(expected % 2 == 1, -1, 1) if name == "below zero" else 1
    assert found.data().n.dt.total_seconds().to_numpy() == pytest.approx(sign * expected)
    back = own.untreat(found.columns, found.data())
    if name not in ("words", "Python", "below zero"):  # "-00:00:00"; without zeros; in other units
        assert back.n.tolist() == texts
    again = own.treat(found.columns, back.assign(k="a"))
    assert (again.n == found.data().n).all()


def test_minutes_and_seconds(tmp_path):
    texts = [clock(v) if v >= 3600 else f"{v // 60}:{v % 60:02d}" for v in range(1000, 7000, 100)]
    found = prepared(tmp_path, texts)
    assert found.data().n.dt.total_seconds().tolist() == list(range(1000, 7000, 100))
    column = prepared(tmp_path, [f"{v // 60}:{v % 60:02d}" for v in SECONDS]).columns[0]
    assert column.treat == "duration"
    assert '"format": "%M:%S"' in column.remarks[0]


@pytest.mark.parametrize(
    "form", ["%H:%M", "%-I:%M %p", "%I:%M:%S %p", "%H:%M:%S.250", "%H:%M Uhr", "%Hh%M"]
)
def test_times_of_day(tmp_path, form):
    texts = [date.strftime(form) for date in DATES]
    found = prepared(tmp_path, texts)
    assert found.columns[0].treat == "time"
    assert [(t.hour, t.minute) for t in found.data().n] == [(d.hour, d.minute) for d in DATES]
    assert own.untreat(found.columns, found.data()).n.tolist() == texts
    data = own.split_of(found)
    assert data.schema.variables[0].quantity == "time"
    drawn = own.untreat(found.columns, data.schema.decode(data.test))
    assert set(drawn.n) <= set(texts) or not data.schema.variables[0].is_grid


def test_a_unit_coarsens():
    column = own.Column("n", "date", format="%Y-%m-%d %H:%M", unit="month")
    frame = pd.DataFrame({"n": ["2021-03-26 18:28", "2021-04-01 00:00"]}, dtype=object)
    assert own.treat([column], frame).n.dt.strftime("%Y-%m-%d").tolist() == [
        "2021-03-01", "2021-04-01"
    ]  # fmt: skip
    column = own.Column("n", "duration", format="%H:%M:%S", unit="minute")
    frame = pd.DataFrame({"n": ["38:30:59"]}, dtype=object)
    assert own.treat([column], frame).n[0] == pd.Timedelta(hours=38, minutes=30)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"treat": "date"}, "column 'n': expected a \"format\""),
        ({"treat": "date", "format": "%Y"}, "column 'n': expected dates as %Y; got '14:05'"),
        ({"treat": "duration"}, "column 'n': expected a \"format\" for durations"),
        ({"treat": "time", "format": "%H:%M:%S"}, "column 'n': expected times as %H:%M:%S; got"),
    ],
)
def test_keys_that_do_not_fit(keys, message):
    frame = pd.DataFrame({"n": ["14:05", "15:30"]}, dtype=object)
    with pytest.raises(ValueError, match=message):
        own.treat([own.Column("n", **keys)], frame)
