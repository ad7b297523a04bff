"""Exports as programs write them: several oddities in one file."""

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from genzoo.cli.app import app
from genzoo.datasets import own

N = 40
DAYS = [dt.date(2023, 1, 1) + dt.timedelta(days=9 * i) for i in range(N)]
AMOUNTS = np.random.default_rng(0).uniform(-900, 900, N).round(2)


def prepared(folder, lines, name="export.csv", **options):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return own.prepare(path, **options)


ROWS = [
    f"{d:%d.%m.%Y},{'RENT' if a < 0 else 'PAY'},{a},x" for d, a in zip(DAYS, AMOUNTS, strict=True)
]


@pytest.mark.parametrize(
    "above",
    [
        ["My bank"],
        ["Statement,January"],
        ["Description,,Summary", 'Beginning balance,,"1,200.00"', 'Total credits,,"9,000.00"', ""],
        ["Kontonummer:,1,2,3,4,5,6", "Saldo,1234.5,EUR,,,,,"],
        ['"EXTF",700,21,"Buchungsstapel",13,20240130140440439,,"RE",""'],
        ["Results", "Instrument: X100", "", "Barcode:,12345,7"],
    ],
)
def test_lines_of_any_width_above_the_names(tmp_path, above):
    found = prepared(tmp_path, [*above, "Date,Text,Amount,Account", *ROWS])
    assert [c.name for c in found.columns] == ["Date", "Text", "Amount", "Account"]
    np.testing.assert_array_equal(found.data().Amount, AMOUNTS)
    assert any(r.startswith("lines above the header skipped") for r in found.remarks())


def test_years_are_names_below_lines_of_another_width(tmp_path):
    above = [
        '"Data Source","World Development Indicators",',
        "",
        '"Last Updated","2024-01-12",',
        "",
    ]
    rows = [f'"{"Chad" if i % 2 else "Aruba"}","{i % 7 + i / 10}","..",' for i in range(N)]
    rows += [f'"Chad","{i % 9}","{i + 0.5}",' for i in range(N)]
    found = prepared(tmp_path, [*above, '"Country","1960","1961",', *rows])
    assert [c.name for c in found.columns] == ["Country", "1960", "1961"]
    assert found.data()["1961"].isna().sum() == N


def test_a_short_header_above_numbers_still_names_the_rest(tmp_path):
    rows = [f"car{i},{i * 1.5},{i % 7}" for i in range(N)]
    found = prepared(tmp_path, ["mpg,gear", *rows])
    assert [c.name for c in found.columns] == ["row name", "mpg", "gear"]
    assert len(found.content.data) == N


def test_a_short_row_in_the_middle_is_an_error_as_before(tmp_path):
    with pytest.raises(ValueError, match="line 22: expected 4 values"):
        prepared(tmp_path, ["Date,Text,Amount,Account", *ROWS[:20], "only,two", *ROWS[20:]])


def test_a_column_called_like_a_comment(tmp_path):
    rows = [f'{i + 1},"{i % 5}.5",{"on" if i % 3 else "off"}' for i in range(N)]
    found = prepared(tmp_path, ['"Plot Title: Garden"', '#,"Temp, C",State', *rows])
    assert [c.name for c in found.columns] == ["#", "Temp, C", "State"]


def test_fractions_of_seconds_after_a_comma_part_no_columns(tmp_path):
    rows = [f"2024-01-{i % 28 + 1:02d} 13:47:34,123;{i},{i % 90 + 10}" for i in range(N)]
    found = prepared(tmp_path, ["t;v", *rows])
    assert [(c.name, c.treat) for c in found.columns] == [("t", "date"), ("v", "number")]


def test_a_rule_and_a_copyright_below_the_table(tmp_path):
    below = ["__________", "(C)opyright Statistisches Bundesamt, 2024", "Stand: 12.02.2024 / 10:33"]
    found = prepared(tmp_path, ["Date,Text,Amount,Account", *ROWS, *below])
    assert len(found.content.data) == N


def test_units_below_names_that_span_columns_tell_them_apart(tmp_path):
    rows = [f"{i / 2};{32 + i};A" for i in range(N)]
    found = prepared(tmp_path, ["Temp;;Site", "°C;°F;", *rows])
    assert [c.name for c in found.columns] == ["Temp °C", "Temp °F", "Site"]


MONTHS = {
    "de": "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "es": "ene. feb. mar. abr. may. jun. jul. ago. sep. oct. nov. dic.",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
    "dicembre",
    "pt": "jan fev mar abr mai jun jul ago set out nov dez",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
}


@pytest.mark.parametrize("language", MONTHS)
@pytest.mark.parametrize(
    "form", ["{d} {m} {y}", "{d:02d}. {m} {y} 10:30", "{m} {y}", "{d}-{m}-{y}", "{d} de {m} de {y}"]
)
def test_months_in_other_languages(tmp_path, language, form):
    names = MONTHS[language].split()
    texts = [form.format(d=d.day, m=names[d.month - 1], y=d.year) for d in DAYS]
    found = prepared(tmp_path, ["d;n", *(f"{t};{i % 7}" for i, t in enumerate(texts))])
    (column, _), data = found.columns, found.data()
    assert column.treat == "date"
    assert column.format.endswith(f"@{language}")
    assert [(d.year, d.month) for d in data.d] == [(d.year, d.month) for d in DAYS]
    if "{d" in form:
        assert [d.day for d in data.d] == [d.day for d in DAYS]
    written = own.untreat(found.columns, data)
    pd.testing.assert_frame_equal(own.treat(found.columns, written), data)


def test_days_of_the_week_in_german(tmp_path):
    names = ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"]
    rows = [
        f"{names[d.weekday()]}, {d:%d.%m.%Y};{names[d.weekday()][:2]} {d:%d.%m.%Y}" for d in DAYS
    ]
    found = prepared(tmp_path, ["long;short", *rows])
    assert [c.treat for c in found.columns] == ["date", "date"]
    assert own.untreat(found.columns, found.data()).agg(";".join, axis=1).tolist() == rows


def test_dates_as_in_japan(tmp_path):
    texts = [f"{d:%Y}年{d:%m}月{d:%d}日" for d in DAYS]
    found = prepared(tmp_path, ["日付,n", *(f"{t},{i % 7}" for i, t in enumerate(texts))])
    assert [d.date() for d in found.data()["日付"]] == DAYS
    assert own.untreat(found.columns, found.data())["日付"].tolist() == texts


def test_english_months_have_no_language(tmp_path):
    found = prepared(tmp_path, ["d,n", *(f"{d:%d %b %Y},{d.day}" for d in DAYS)])
    assert found.columns[0].format == "%d %b %Y"


@pytest.mark.parametrize("sign", ["±", "+/-"])
def test_margins_of_error_are_numbers(tmp_path, sign):
    found = prepared(tmp_path, ["moe,n", *(f"{sign}{i * 7},{i % 5}" for i in range(N))])
    assert found.data().moe.tolist() == [i * 7 for i in range(N)]
    assert any(f"{sign!r} stands beside each number" in r for r in found.remarks())


def test_numbers_of_versions_are_text(tmp_path):
    found = prepared(tmp_path, ["version,n", *(f"1.{i % 12},{i % 5}" for i in range(N))])
    assert found.columns[0].treat == "nominal"
    assert "1.10" in found.columns[0].categories
    assert any("'version': numbers of versions" in r for r in found.remarks())


def test_fit_says_once_what_stands_apart_in_a_file(tmp_path):
    path = tmp_path / "open.csv"
    ends = ["9999-12-31" if i % 5 == 0 else str(d) for i, d in enumerate(DAYS)]
    path.write_text("end,n\n" + "".join(f"{e},{i % 7}\n" for i, e in enumerate(ends)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = CliRunner().invoke(app, ["fit", "independent", str(path), "--out",
                                          str(tmp_path / "model")])  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.output.count("apart") == 1
    assert "9999-12-31" in result.output


def test_amounts_of_money_have_two_decimals_in_samples(tmp_path):
    texts = [f"{a:.2f} €".replace(".", ",") for a in AMOUNTS]
    found = prepared(tmp_path, ["a;n", *(f"{t};{i % 5}" for i, t in enumerate(texts))])
    assert own.untreat(found.columns, found.data()).a.tolist() == texts


def test_a_date_without_format_in_a_schema_is_told_one(tmp_path):
    path = tmp_path / "schema.json"
    found = prepared(tmp_path, ["d,n", *(f"{d:%d-%b-%y},{d.day}" for d in DAYS)])
    path.write_text(found.schema_file.replace(', "format": "%d-%b-%y"', ""))
    with pytest.raises(ValueError, match='"format": "%d-%b-%y" would read'):
        prepared(tmp_path, ["d,n", *(f"{d:%d-%b-%y},{d.day}" for d in DAYS)], schema=path)
