"""Files of one's own: every form, the stated rules for awkward columns, splits, bad files."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pandas as pd
import pytest

import genzoo
from genzoo.datasets import own


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def table(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def treatments(path, **options):
    return {c.name: c for c in own.prepare(path, **options).columns}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def people(rng, tmp_path):
    """Sixty rows of plain columns."""
    return table(
        tmp_path / "people.csv",
        age=rng.integers(18, 60, 60),
        city=rng.choice(["Oslo", "Rome"], 60),
        member=rng.choice(["yes", "no"], 60),
    )


# -------------------------------------------------------------------------------- forms


def test_every_form_of_a_table_gives_the_same_rows(people):
    frame = pd.read_csv(people)
    folder = people.parent
    frame.to_csv(folder / "people.tsv", index=False, sep="\t")
    frame.to_csv(folder / "semicolons.csv", index=False, sep=";")
    frame.to_json(folder / "people.jsonl", orient="records", lines=True)
    paths = [folder / name for name in ("people.tsv", "semicolons.csv", "people.jsonl")]
    if importlib.util.find_spec("pyarrow"):
        frame.to_parquet(folder / "people.parquet")
        paths.append(folder / "people.parquet")
    expected = own.load(people)
    assert expected.schema.decode(expected.train).age.isin(frame.age).all()
    for path in paths:
        found = own.load(path)
        assert (found.train == expected.train).all(), path
        assert found.fingerprint == expected.fingerprint
    assert any("separated by ';'" in r for r in own.load(paths[1]).remarks)


def test_typed_values_keep_their_types(rng, tmp_path):
    rows = [
        {"n": int(i), "ok": bool(i % 2), "code": f"{i % 3:02d}", "x": None if i == 4 else i / 4}
        for i in rng.integers(0, 9, 40)
    ]
    path = write(tmp_path / "a.jsonl", "\n".join(json.dumps(r) for r in rows))
    data = own.load(path)
    drawn = data.schema.decode(data.test)
    assert drawn.ok.isin([True, False]).all()
    assert drawn.n.dtype.kind == "i"
    assert set(drawn.code.astype(str)) <= {"00", "01", "02"}
    assert data.schema.variables[3].missing


@pytest.mark.parametrize("texts", [["1,924.45", "3", "-7"], ["84%", "7%"], ["2,5", "1"], ["07"]])
def test_text_in_json_is_read_as_in_a_csv(tmp_path, texts):
    frame = pd.DataFrame({"n": texts * 12, "k": ["a"] * (12 * len(texts))})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    found = [own.load(tmp_path / name) for name in ("a.csv", "a.jsonl")]
    assert found[0].schema == found[1].schema
    assert found[0].fingerprint == found[1].fingerprint
    assert found[0].remarks == found[1].remarks


def test_strings(tmp_path):
    path = write(tmp_path / "words.txt", "".join(f"w{i % 7}\r\n" for i in range(40)) + "\nlast")
    data = own.load(path)
    assert data.schema.layout == "sequence"
    assert data.schema.event_shape == (4,)
    assert "blank lines skipped: 1" in data.remarks
    assert sum(len(part) for part in (data.train, data.valid, data.test)) == 41


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_images(rng, tmp_path, mode):
    image = pytest.importorskip("PIL.Image")
    channels = () if mode == "L" else (3,)
    pixels = rng.integers(0, 256, (20, 4, 5, *channels), dtype=np.uint8)
    for i, one in enumerate(pixels):
        image.fromarray(one).save(tmp_path / f"{i:02d}.png")
    (tmp_path / "notes.md").write_text("x")
    data = own.load(tmp_path)
    assert data.schema.event_shape == ((4, 5) if mode == "L" else (3, 4, 5))
    drawn = data.schema.decode(data.test)
    expected = pixels if mode == "L" else pixels.transpose(0, 3, 1, 2)
    assert all(any((one == e).all() for e in expected) for one in drawn)
    assert any("notes.md" in remark for remark in data.remarks)
    image.fromarray(pixels[0][:3]).save(tmp_path / "99.png")
    with pytest.raises(ValueError, match=r"20 of 21 are 5 x 4; .* such as 99.png, 5 x 3"):
        own.load(tmp_path)


# -------------------------------------------------------------------------------- columns


def test_identifiers_and_free_text_are_left_out_with_a_reason_and_can_be_kept(rng, tmp_path):
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "ran", "off"]
    path = table(
        tmp_path / "a.csv",
        row=np.arange(1, 41),
        user_id=rng.choice(10**6, 40, replace=False),
        key=[f"k{i * 7919 % 1009:04x}" for i in range(40)],
        note=[" ".join(rng.choice(words, 7)) for _ in range(40)],
        size=rng.choice(10**6, 40, replace=False),
        kind=rng.choice(["a", "b"], 40),
    )
    found = treatments(path)
    out = {name: c.reason for name, c in found.items() if not c.is_used}
    assert set(out) == {"row", "user_id", "key", "note"}
    assert "counts the rows" in out["row"]
    assert "free text" in out["note"]
    assert "40 different values" in out["key"]
    data = own.load(path)
    assert data.schema.names == ["size", "kind"]
    for name in out:
        assert any(f"column {name!r} is left out" in remark for remark in data.remarks)
    kept = own.load(path, keep=["key", "row"])
    assert kept.schema.names == ["row", "key", "size", "kind"]
    with pytest.raises(ValueError, match="every column is left out"):
        own.load(table(tmp_path / "b.csv", row=np.arange(40)))


def test_rare_categories_are_folded(rng, tmp_path):
    common, rare = np.repeat(["x", "y"], 100), np.array([f"r{i % 60}" for i in range(100)])
    values = rng.permutation(np.concatenate([common, rare, ["other"] * 20]))
    path = table(tmp_path / "a.csv", place=values, kind=rng.choice(["a", "b"], 320))
    column = treatments(path)["place"]
    assert column.categories == ("other", "x", "y", "(other)")
    assert column.other == "(other)"
    assert "60 of 63 values" in column.remarks[0]
    assert "100 of 320 entries" in column.remarks[0]
    data = own.load(path)
    drawn = np.concatenate([data.schema.decode(getattr(data, p)).place for p in
                            ("train", "valid", "test")])  # fmt: skip
    assert (drawn == "(other)").sum() == 100
    assert len(treatments(path, keep=["place"])["place"].categories) == 63


@pytest.mark.parametrize(
    ("form", "unit"),
    [
        ("%Y-%m-%d", "day"), ("%d.%m.%Y %H:%M:%S", "second"), ("%m/%d/%Y", "day"),
        ("%Y-%m", "month"), ("%H:%M", "minute"), ("%Y-%m-%dT%H:%M:%S%z", "second"),
    ],
)  # fmt: skip
def test_dates_become_counts_and_come_back(rng, tmp_path, form, unit):
    start = pd.Timestamp("2019-02-25 07:11:23", tz="UTC")
    dates = start + pd.to_timedelta(rng.integers(0, 200 * 86_400, 80), unit="s")
    path = table(tmp_path / "a.csv", when=dates.strftime(form), kind=rng.choice(["a", "b"], 80))
    prepared = own.prepare(path)
    column = prepared.columns[0]
    assert (column.treat, column.format) == ("time" if form == "%H:%M" else "date", form)
    treated = prepared.data()
    back = own.untreat(prepared.columns, treated)
    assert (back.when == prepared.content.data.when).all()
    data = own.load(path)
    variable = data.schema.variables[0]
    assert (variable.quantity, variable.unit) == (column.treat, unit)
    drawn = own.untreat(prepared.columns, data.schema.decode(data.test))
    assert pd.to_datetime(drawn.when, format=form).notna().all()


def test_days_and_months_that_can_not_be_told_apart_are_remarked(tmp_path):
    path = table(tmp_path / "a.csv", when=[f"0{i % 9 + 1}/0{i % 7 + 1}/2020" for i in range(40)])
    column = treatments(path)["when"]
    assert column.format == "%m/%d/%Y"
    assert "%d/%m/%Y fits as well" in column.remarks[0]


@pytest.mark.parametrize(
    ("texts", "value", "remark"),
    [
        (["1,5", "2,25", "10"], 2.25, "decimal comma"),
        (["1.234,5", "20,25", "7"], 20.25, "thousands sign"),
        (["1,234", "20,000", "7"], 20000, "thousands sign"),
        (["1,234.5", "20,000.25", "7"], 20000.25, "thousands sign"),
        (["$1,234.5", "$20.25", "$7"], 20.25, "'$' stands beside each number"),
        (["1,5 €", "20,25 €", "7 €"], 20.25, "decimal comma"),
        (["5%", "12.5%", "7%"], 12.5, "'%' stands beside"),
        (["1", "2.25", "-3e2"], 2.25, None),
    ],
)
def test_numbers_as_people_write_them(tmp_path, texts, value, remark):
    path = tmp_path / "a.csv"
    write(path, "n;k\n" + "".join(f"{t};a\n" for t in texts * 8))
    prepared = own.prepare(path)
    column = prepared.columns[0]
    assert column.treat == "number"
    assert prepared.data().n[1] == value
    assert (remark is None) == (column.remarks == ())
    if remark:
        assert remark in " ".join(column.remarks)
    again = own.untreat(prepared.columns, prepared.data()).astype(str)
    assert (own.treat(prepared.columns, again).n == prepared.data().n).all()


def test_awkward_columns(rng, tmp_path):
    n = 100
    path = table(
        tmp_path / "a.csv",
        constant=["x"] * n,
        empty=[""] * n,
        code=[f"{i:03d}" for i in rng.integers(1, 40, n)],
        flag=rng.choice(["True", "False"], n),
        holes=rng.choice(["a", "b", "?", ""], n),
        mixed=["unknown" if i == 1006 else str(i) for i in range(1000, 1000 + 2 * n, 2)],
        either=rng.choice(["1", "2", "many"], n),
        huge=[str(2**60 + i % 5) for i in range(n)],
    )
    found = treatments(path)
    assert all(c.is_used for c in found.values())
    assert "constant" in found["constant"].remarks[0]
    assert "nothing but holes" in found["empty"].remarks[0]
    assert found["code"].treat == found["huge"].treat == found["either"].treat == "nominal"
    assert found["holes"].holes == ("?",)
    assert "written '?'" in found["holes"].remarks[0]
    assert found["mixed"].treat == "number"
    assert "'unknown' (entries: 1)" in found["mixed"].remarks[0]
    data = own.load(path)
    cards = dict(zip(data.schema.names, data.schema.cards, strict=True))
    assert (cards["constant"], cards["empty"], cards["flag"], cards["holes"]) == (1, 1, 2, 3)
    assert data.schema.variables[5].missing
    genzoo.Independent().fit(data).log_prob(data.test)


def test_numbers_called_id_that_repeat_are_remarked(rng, tmp_path):
    path = table(tmp_path / "a.csv", user_id=rng.integers(0, 9, 50), paid=rng.integers(0, 9, 50))
    found = treatments(path)
    assert "--group" in found["user_id"].remarks[0]
    assert found["paid"].remarks == ()


# -------------------------------------------------------------------------------- schema files


def edited(path, tmp_path, name, /, **changes):
    """A schema file as it was inferred, with one column changed."""
    record = json.loads(own.load(path).schema_file)
    column = next(c for c in record["columns"] if c["name"] == name)
    column.update(changes)
    for key in [k for k, v in column.items() if v is None]:
        del column[key]
    return write(tmp_path / "schema.json", json.dumps(record))


def test_a_schema_file_reads_the_same_data(people):
    data = own.load(people)
    schema = data.write_schema(people.parent)
    again = own.load(people, schema=schema)
    assert again.fingerprint == data.fingerprint
    assert json.loads(schema.read_text())["columns"][0] == {
        "name": "age", "treat": "number", "whole": True
    }  # fmt: skip


def test_a_schema_file_corrects(people, tmp_path):
    schema = edited(people, tmp_path, "age", treat="nominal", whole=None)
    assert own.load(people, schema=schema).schema.variables[0].kind == "nominal"
    schema = edited(people, tmp_path, "city", treat="leave out", categories=None)
    data = own.load(people, schema=schema)
    assert data.schema.names == ["age", "member"]
    assert f"column 'city' is left out: {schema} says so" in data.remarks
    schema = edited(people, tmp_path, "city", treat="ordinal", categories=["Rome", "Bern", "Oslo"])
    variable = own.load(people, schema=schema).schema.variables[1]
    assert (variable.kind, variable.categories) == ("ordinal", ("Rome", "Bern", "Oslo"))
    schema = edited(people, tmp_path, "city", categories=["Rome", "else"], other="else")
    assert own.load(people, schema=schema).schema.variables[1].categories == ("Rome", "else")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"treat": "number"}, "column 'city': expected numbers; got '"),
        ({"treat": "date"}, 'expected a "format"'),
        ({"treat": "date", "format": "%Y"}, "expected dates as %Y; got"),
        ({"categories": ["Rome"]}, "column 'city': expected one of 'Rome'; got 'Oslo'"),
        ({"treat": "nominial"}, "treat: expected one of number, nominal"),
        ({"categories": "Rome"}, "categories: expected a list; got 'Rome'"),
        ({"categories": ["Rome", "Oslo"], "other": "x"}, "other: expected one of the categories"),
        ({"kind": "nominal"}, "unknown 'kind'"),
        ({"name": "town"}, "the file has no 'town'; the schema lacks 'city'"),
        ({"name": "age"}, "'age' twice"),
    ],
)
def test_a_schema_file_that_does_not_fit(people, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        own.load(people, schema=edited(people, tmp_path, "city", **changes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "in JSON"),
        ("[]", "got 'list'"),
        ('{"format": "genzoo columns 1"}', '"columns"; got None'),
        ('{"format": "genzoo columns 1", "columns": [{"treat": "number"}]}', '"name" and "treat"'),
        (None, "there is no"),
    ],
)
def test_no_schema_file(people, tmp_path, text, message):
    path = tmp_path / "schema.json"
    if text is not None:
        write(path, text)
    with pytest.raises(ValueError, match=message):
        own.load(people, schema=path)


def test_corrections_are_not_overwritten(people, tmp_path):
    out = tmp_path / "run"
    data = own.load(people)
    path = data.write_schema(out)
    labelled = own.load(people, label="city", keep=["age"])
    labelled.write_schema(out)  # no one has edited it: other options may change it
    mine = path.read_text().replace('"number"', '"leave out"')
    path.write_text(mine)
    for found in (data, labelled):
        with pytest.raises(ValueError, match=r"schema_people.json was edited .* with --schema"):
            found.write_schema(out)
        with pytest.raises(ValueError, match="was edited"):
            genzoo.compare(["independent"], [found], out=out, n_jobs=1, progress=False)
    assert own.load(people, schema=path).write_schema(out) is None
    assert path.read_text() == mine
    assert [p.name for p in out.iterdir() if p.suffix != ".lock"] == [path.name]


def test_reasons_of_a_schema_file_are_called_so(rng, tmp_path):
    columns = {"row": np.arange(100, 160), "kind": rng.choice(["a", "b"], 60),
               "customer": [f"c{i % 55}" for i in range(60)]}  # fmt: skip
    path = table(tmp_path / "a.csv", **columns)
    schema = own.load(path, group="customer").write_schema(tmp_path)
    grown = table(tmp_path / "b.csv", **{k: np.tile(v, 2) for k, v in columns.items()})
    remarks = own.load(grown, schema=schema).remarks
    for name in ("row", "customer"):
        assert f"column {name!r} is left out: {schema} says so" in remarks
    assert not any("counts the rows" in r or "--group" in r for r in remarks)
    again = own.load(grown, schema=schema, group="customer").remarks
    assert "column 'customer' is left out: tells the groups of the split (--group)" in again


def test_no_treatment_of_a_column_that_is_left_out(rng, tmp_path):
    customer = rng.permutation([*["c1", "c2"] * 60, *[f"r{i}" for i in range(60)]])
    path = table(tmp_path / "a.csv", customer=customer, kind=rng.choice(["a", "b"], 180))
    assert any("folded" in r for r in own.load(path).remarks)
    remarks = [r for r in own.load(path, group="customer").remarks if "customer" in r]
    assert remarks == ["column 'customer' is left out: tells the groups of the split (--group)"]


# -------------------------------------------------------------------------------- splits


def test_groups_stay_together(rng, tmp_path):
    customer = rng.integers(0, 30, 300)
    path = table(
        tmp_path / "a.csv", customer=customer, x=rng.permutation(300), y=rng.integers(0, 3, 300)
    )
    data = own.load(path, group="customer", keep=["x"])
    assert data.schema.names == ["x", "y"]
    assert "column 'customer' is left out: tells the groups of the split (--group)" in data.remarks
    groups = [set(data.groups[part]) for part in ("train", "valid", "test")]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 30
    assert len(data.train) / 300 == pytest.approx(0.7, abs=0.06)
    assert len(data.test) / 300 == pytest.approx(0.2, abs=0.06)
    # each row's group is its customer: x numbers the rows
    for part in ("train", "test"):
        rows = data.schema.decode(getattr(data, part)).x
        frame = pd.read_csv(path).set_index("x").customer[rows]
        assert len(set(zip(frame, data.groups[part], strict=True))) == frame.nunique()
    score = genzoo.Independent().fit(data).log_prob(data.test).mean(data.groups["test"])
    assert np.isfinite(score.stderr)


def test_few_groups(rng, tmp_path):
    path = table(tmp_path / "a.csv", g=[f"g{i % 3}" for i in range(30)], y=rng.integers(0, 3, 30))
    data = own.load(path, group="g")
    assert [len(set(data.groups[p])) for p in ("train", "valid", "test")] == [1, 1, 1]
    path = table(tmp_path / "b.csv", g=[f"g{i % 2}" for i in range(30)], y=rng.integers(0, 3, 30))
    with pytest.raises(ValueError, match="groups: expected at least 3"):
        own.load(path, group="g")


def test_the_latest_rows_are_the_test_rows(rng, tmp_path):
    days = rng.permutation(100)
    when = (pd.Timestamp("2020-01-30") + pd.to_timedelta(days, unit="D")).strftime("%d.%m.%Y")
    path = table(tmp_path / "a.csv", when=when, day=days, y=rng.integers(0, 3, 100))
    data = own.load(path, time="when", keep=["day"])
    assert data.schema.names == ["day", "y"]
    train, valid, test = (
        data.schema.decode(getattr(data, p)).day for p in ("train", "valid", "test")
    )
    assert train.max() == 69
    assert (valid.min(), valid.max(), test.min()) == (70, 79, 80)
    assert "the latest rows are test" in data.source
    kept = own.load(path, time="when", keep=["when"])
    assert "when" in kept.schema.names


def test_strata(rng, tmp_path):
    path = table(tmp_path / "a.csv", s=["a"] * 180 + ["b"] * 20, y=rng.integers(0, 3, 200))
    data = own.load(path, stratify="s")
    for part in (data.train, data.valid, data.test):
        assert (data.schema.decode(part).s == "b").mean() == pytest.approx(0.1, abs=0.01)
    assert "stratified by 's'" in data.source
    frame = pd.read_csv(path)
    frame.loc[frame.s == "b", "s"] = ["?", ""] * 10
    frame.to_csv(path, index=False)
    data = own.load(path, stratify="s")
    for part in (data.train, data.valid, data.test):
        assert data.schema.decode(part).s.isna().mean() == pytest.approx(0.1, abs=0.01)


def test_one_rule_for_the_split(rng):
    codes = rng.integers(0, 3, (60, 4))
    member, order = np.arange(60) // 4, np.arange(60)
    data = genzoo.Dataset.from_data(codes, "mine", groups=member)
    assert not set(data.groups["train"]) & set(data.groups["test"])
    data = genzoo.Dataset.from_data(codes, "mine", time=order)
    assert sorted(map(tuple, data.test)) == sorted(map(tuple, codes[-12:]))
    with pytest.raises(ValueError, match="time: expected None beside groups"):
        genzoo.Dataset.from_data(codes, "mine", groups=member, time=order)
    with pytest.raises(ValueError, match="groups: expected one value for each of 60 rows"):
        genzoo.Dataset.from_data(codes, "mine", groups=member[:9])
    with pytest.raises(ValueError, match="time: expected finite numbers"):
        genzoo.Dataset.from_data(codes, "mine", time=np.full(60, np.nan))


def test_label(people):
    data = own.load(people, label="city")
    assert data.label == "city"
    assert data.schema.names == ["age", "member", "city"]


def test_rows_that_repeat_are_counted(rng, tmp_path):
    path = table(tmp_path / "a.csv", x=rng.integers(0, 4, 100), y=rng.choice(["a", "b"], 100))
    data = own.load(path)
    train = {tuple(row) for row in data.train}
    n = sum(tuple(row) in train for row in data.test)
    assert n > 0
    assert any(f"{n} of 20 test rows ({5 * n} %)" in remark for remark in data.remarks)
    same = own.load(table(tmp_path / "c.csv", x=[1, 2] * 50, y=["a"] * 100)).remarks
    assert any("20 of 20 test rows (100 %)" in remark for remark in same)
    unique = table(tmp_path / "b.csv", x=2.5 * rng.permutation(100), y=["a"] * 100)
    assert not any("test rows" in remark for remark in own.load(unique).remarks)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "no"}, "label: expected a column of .*people.csv .age, city, member.; got 'no'"),
        ({"keep": ["no"]}, "keep: expected a column"),
        ({"group": "city", "time": "age"}, "time: expected no time beside group"),
        ({"label": "city", "group": "city"}, "label: expected another column than group"),
        ({"time": "city"}, "time: expected a column of dates or numbers"),
        ({"group": "holes"}, "group: expected a value in every row"),
        ({"stratify": "age"}, "stratify: expected few different values"),
    ],
)
def test_options_that_do_not_fit(people, options, message):
    if "holes" in options.values():
        frame = pd.read_csv(people)
        frame.assign(holes=["a", ""] * 30).to_csv(people, index=False)
    with pytest.raises(ValueError, match=message):
        own.load(people, **options)


def test_strings_have_no_columns(tmp_path):
    path = write(tmp_path / "a.txt", "ab\ncd\n" * 20)
    with pytest.raises(ValueError, match=r"label: .* holds strings, which have no columns"):
        own.load(path, label="x")


# -------------------------------------------------------------------------------- bad files


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\n \n", "is empty"),
        ("a.csv", b"a,b\n", "rows below the header"),
        ("a.csv", b"a,b\n1,x\n", "expected enough rows for three parts"),
        ("a.csv", b"a,b\n1,2\n3\n", "line 3: expected 2 values, as in the header; got 1"),
        ("a.csv", b"a,a\n1,2\n", "different names in the header; got 'a' more than once"),
        ("a.csv", bytes(range(256)) * 9, "binary data"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary data"),
        ("a.csv", b"a,b\n" + b"1,inf\n2,3\n" * 9, "column 'b': expected finite numbers"),
        ("a.parquet", b"PAR1 not really", "no .parquet file|needs pyarrow"),
        ("a.jsonl", b'{"a": 1}\n[2]\n', "line 2: expected a JSON object; got list"),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "line 2: expected one JSON object a line"),
        ("a.txt", b"x" * 2000, "at most 1024 characters"),
        ("a.xyz", b"1", "expected .csv, .tsv"),
        ("none.csv", None, "there is no"),
        ("empty", "folder", "holds none"),
    ],
)
def test_bad_files(tmp_path, name, content, message):
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        own.load(path)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path, encoding):
    path = write(tmp_path / "a.csv", "größe,ort\n" + "1,Zürich\n2,Bärn\n" * 20, encoding)
    data = own.load(path)
    assert data.schema.names == ["größe", "ort"]
    assert data.schema.variables[1].categories == ("Bärn", "Zürich")
    assert any("Windows-1252" in r for r in data.remarks) == (encoding == "latin-1")


def test_one_column_and_blank_lines(tmp_path):
    path = write(tmp_path / "a.csv", "kind\n" + "a\nb\n\n" * 20)
    data = own.load(path)
    assert data.schema.D == 1
    assert "blank lines skipped: 20" in data.remarks


def test_quoted_commas_and_line_breaks(tmp_path):
    path = write(tmp_path / "a.csv", 'a,b\n"x, y",1\n"p\nq",2\n' * 1 + '"x, y",1\n"p\nq",2\n' * 20)
    assert own.load(path).schema.variables[0].categories == ("p\nq", "x, y")


# -------------------------------------------------------------------------------- compare


@pytest.mark.usefixtures("cells_run_here")
def test_compare_takes_paths(people, tmp_path):
    words = write(tmp_path / "words.txt", "anna\nbob\neve\n" * 20)
    run = genzoo.compare(
        ["independent"], [str(people), words], out=tmp_path / "run", n_jobs=1, progress=False
    )
    assert list(run.table().dataset) == ["people", "words"]
    assert run.table().status.eq("ok").all()
    assert (tmp_path / "run" / "schema_people.json").is_file()
    again = genzoo.compare(
        ["independent"], {"people": str(people)}, out=tmp_path / "run", n_jobs=1, progress=False
    )
    assert list(again.table().key) == list(run.table().key)
