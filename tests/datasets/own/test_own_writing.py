"""Samples are written as the file writes: digits, thousands, offsets; JSON under its names."""

import datetime
import gzip
import json

import numpy as np
import pandas as pd
import pytest

import genzoo
from genzoo.datasets import own
from genzoo.datasets.own.show import as_text

N = 200
AMOUNTS = np.round(np.random.default_rng(0).lognormal(7, 1, N), 2)
MOMENTS = pd.Timestamp("2021-03-01") + pd.to_timedelta(
    np.random.default_rng(1).integers(0, 9 * 10**7, N), unit="s"
)
WRITTEN = {
    "dollars": ([f"${x:,.2f}" for x in AMOUNTS], r"\$\d{1,3}(,\d{3})*\.\d\d"),
    "parentheses": (
        [f"(${x:,.2f})" if i % 3 else f"${x:,.2f}" for i, x in enumerate(AMOUNTS)],
        r"\(?\$\d{1,3}(,\d{3})*\.\d\d\)?",
    ),
    "german": (
        [f"{x:,.2f}".translate({44: ".", 46: ","}) for x in AMOUNTS],
        r"\d{1,3}(\.\d{3})*,\d\d",
    ),
    "two decimals": ([f"{x:.2f}" for x in AMOUNTS], r"\d+\.\d\d"),
    "whole, with thousands": ([f"{int(x * 10):,}" for x in AMOUNTS], r"\d{1,3}(,\d{3})*"),
    "postgres": ([f"{t:%Y-%m-%d %H:%M:%S}+00" for t in MOMENTS], r"[\d-]{10} [\d:]{8}\+00"),
    "zulu": ([f"{t:%Y-%m-%dT%H:%M:%S}Z" for t in MOMENTS], r"[\d-]{10}T[\d:]{8}Z"),
    "india": ([f"{t:%Y-%m-%dT%H:%M:%S}+05:30" for t in MOMENTS], r"[\d-]{10}T[\d:]{8}\+05:30"),
    "summer and winter": (
        [f"{t:%Y-%m-%dT%H:%M:%S}+0{1 + (3 < t.month < 11)}:00" for t in MOMENTS],
        r"[\d-]{10}T[\d:]{8}\+00:00",  # samples are in UTC
    ),
    "japan": ([f"{t.year}年{t.month}月{t.day}日" for t in MOMENTS], r"\d{4}年[1-9]\d?月[1-9]\d?日"),
    "korea": ([f"{t:%Y년 %m월 %d일}" for t in MOMENTS], r"\d{4}년 \d\d월 \d\d일"),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_samples_are_written_as_the_file_and_read_again(tmp_path, kind):
    texts, pattern = WRITTEN[kind]
    frame = pd.DataFrame({"v": texts, "w": ["a", "b"] * (N // 2)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    prepared = own.prepare(tmp_path / "a.csv")
    data = prepared.data()
    if kind != "summer and winter":
        assert own.untreat(prepared.columns, data).v.tolist() == texts
    model = genzoo.Independent().fit(data)
    drawn = own.untreat(prepared.columns, model.sample(100, seed=1))
    assert drawn.v.str.fullmatch(pattern).all()
    drawn.to_csv(tmp_path / "drawn.csv", index=False)
    again = own.treat(prepared.columns, own.read(tmp_path / "drawn.csv").data)
    assert np.isfinite(model.log_prob(again).value).all()


def test_an_offset_that_all_dates_have_leads_to_utc(tmp_path):
    texts = [f"2024-01-{1 + i % 28:02d} 02:00:00+05:30" for i in range(60)]
    pd.DataFrame({"t": texts, "k": list("abc") * 20}).to_csv(tmp_path / "a.csv", index=False)
    prepared = own.prepare(tmp_path / "a.csv")
    assert "all in UTC" in prepared.columns[0].remarks
    assert prepared.data().t[1] == pd.Timestamp("2024-01-01 20:30")


def test_numbers_of_unequal_digits_are_written_without_noise(tmp_path):
    values = np.random.default_rng(2).integers(0, 9000, 3000) / 100
    pd.DataFrame({"v": values, "k": ["a", "b", "c"] * 1000}).to_csv(tmp_path / "a.csv", index=False)
    prepared = own.prepare(tmp_path / "a.csv")
    assert prepared.columns[0].decimals is None
    drawn = genzoo.Independent().fit(prepared.data()).sample(500, seed=0)
    drawn = own.untreat(prepared.columns, drawn)
    assert drawn.v.map(str).str.fullmatch(r"\d+\.\d{1,2}").all()


def test_decimals_of_a_schema_file_are_checked():
    with pytest.raises(ValueError, match="decimals: expected a number of digits, 0 to 20; got -1"):
        own.Column("v", "number", decimals=-1)


POLISH = [
    "stycznia",
    "lutego",
    "marca",
    "kwietnia",
    "maja",
    "czerwca",
    "lipca",
    "sierpnia",
    "września",
    "października",
    "listopada",
    "grudnia",
]
SWEDISH = [
    "januari",
    "februari",
    "mars",
    "april",
    "maj",
    "juni",
    "juli",
    "augusti",
    "september",
    "oktober",
    "november",
    "december",
]


@pytest.mark.parametrize(("months", "form"), [(POLISH, "{} {} {}"), (SWEDISH, "{}. {} {}")])
def test_months_that_are_not_known_are_called_so(tmp_path, months, form):
    days = pd.Timestamp("2021-01-04") + pd.to_timedelta(np.arange(N) * 5, unit="D")
    texts = [form.format(t.day, months[t.month - 1], t.year) for t in days]
    pd.DataFrame({"t": texts, "k": ["a", "b"] * (N // 2)}).to_csv(tmp_path / "a.csv", index=False)
    column = own.prepare(tmp_path / "a.csv").columns[0]
    assert "dates with names of months that are not known" in column.reason


# -------------------------------------------------------------------- JSON


RECORDS = [{"x": i % 7, "y": "ab"[i % 2]} for i in range(40)]


@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "a.jsonl", "a.json.gz"])
@pytest.mark.parametrize("form", ["list", "indented", "lines"])
def test_json_is_read_under_its_names(tmp_path, name, form):
    text = {
        "list": json.dumps(RECORDS),
        "indented": json.dumps(RECORDS, indent=2),
        "lines": "\n".join(map(json.dumps, RECORDS)),
    }[form]
    data = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
    (tmp_path / name).write_bytes(data)
    assert own.names_a_path(name)
    assert own.read(tmp_path / name).data.to_dict("records") == RECORDS


def test_one_object_over_many_lines_says_what_is_wanted(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"data": RECORDS}, indent=1))
    with pytest.raises(ValueError, match="such a list under 'data': write that list alone"):
        own.read(tmp_path / "a.json")
    (tmp_path / "b.json").write_text(pd.DataFrame(RECORDS).to_json(indent=1))
    with pytest.raises(ValueError, match=r'a column under each key .*orient="records"'):
        own.read(tmp_path / "b.json")


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.json"])
def test_a_folder_called_like_a_file_is_called_a_folder(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=f"expected a file; .*{name} is a folder .*join them"):
        own.read(tmp_path / name)


def test_milliseconds_are_remarked_under_any_name(tmp_path):
    stamps = [int(t.timestamp() * 1000) for t in MOMENTS]
    columns = {"start": stamps, "seconds": [s // 1000 for s in stamps], "at_time": stamps}
    columns["ean"] = [4 * 10**12 + i * 7919 for i in range(N)]
    pd.DataFrame(columns).to_csv(tmp_path / "a.csv", index=False)
    said = {c.name: " ".join(c.remarks) for c in own.prepare(tmp_path / "a.csv").columns}
    assert "unix milliseconds" in said["start"]
    assert "unix milliseconds" in said["at_time"]
    assert said["seconds"] == said["ean"] == ""
    records = [{"start": s, "n": 10**9 + s % 9} for s in stamps]  # pandas' to_json
    (tmp_path / "a.json").write_text(json.dumps(records))
    start, n = own.prepare(tmp_path / "a.json").columns
    assert '"format": "unix milliseconds"' in start.remarks[0]
    assert n.remarks == ()


# -------------------------------------------------------------------- shown from Python


def test_compare_shows_what_it_read_before_it_trains(tmp_path, capsys):
    frame = pd.DataFrame(
        {"age": np.arange(60) % 7, "day": [datetime.date(2024, 1, 1 + i % 28) for i in range(60)]}
    )
    frame.assign(id=range(60)).to_csv(tmp_path / "a.csv", index=False)
    datasets = {"mine": frame, "file": tmp_path / "a.csv", "codes": np.zeros((40, 2), dtype=int)}
    genzoo.compare(["independent"], datasets, out=tmp_path / "run", n_jobs=1)
    said = capsys.readouterr().err
    assert "mine: 60 rows, 2 columns\n  column  treated as" in said
    assert "number, grid of 7, step 1" in said
    assert "date by days" in said
    assert "column 'id' is left out: counts the rows" in said
    assert said.count("treated as") == 2
    assert said.index("treated as") < said.index("independent on")
    genzoo.compare(["independent"], datasets, out=tmp_path / "run", n_jobs=1, progress=False)
    assert capsys.readouterr().err == ""


def test_a_whole_number_among_fractions_is_written_without_its_point(tmp_path):
    rates = ["5 %", "2,5 %", "10 %", "7,5 %"] * 10
    frame = pd.DataFrame({"rate": rates, "kind": ["a", "b"] * 20})
    frame.to_csv(tmp_path / "a.csv", index=False, sep=";")
    prepared = own.prepare(tmp_path / "a.csv")
    written = own.untreat(prepared.columns, prepared.data())
    assert written.rate.tolist() == rates


def test_dates_of_a_typed_file_are_shown_as_fine_as_their_unit(tmp_path):
    days = pd.date_range("2022-03-01", periods=60)
    times = pd.date_range("2022-03-01 00:05", periods=60, freq="7min")
    pd.DataFrame({"day": days, "at": times}).to_parquet(tmp_path / "a.parquet")
    prepared = own.prepare(tmp_path / "a.parquet")
    shown = as_text(prepared, own.split_of(prepared))
    assert "2022-03-01, 2022-03-02, 2022-03-03" in shown
    assert "2022-03-01 00:05, 2022-03-01 00:12" in shown
