"""Numbers in files as people write them: their values, what is said, and the keys of a schema."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from genzoo.datasets import own

MINUS, THIN, NARROW, WIDE, DASH = "\u2212", "\u2009", "\u202f", "\u00a0", "\u2013"
N = 60
VALUES = np.round(np.random.default_rng(0).normal(900, 1500, N), 2)


def prepared(tmp_path, texts, beside=("a", "b"), **options):
    """A file of one column of texts and another beside it, as JSON, which has no delimiter."""
    other = [beside[i % len(beside)] for i in range(len(texts))]
    records = [{"n": t, "k": o} for t, o in zip(texts, other, strict=True)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return own.prepare(path, **options)


def german(value, sign="."):
    return f"{value:,.2f}".replace(",", "\0").replace(".", ",").replace("\0", sign)


def indian(value):
    whole, part = f"{abs(value):.2f}".split(".")
    head, groups = whole[:-3], [whole[-3:]]
    while head:
        head, groups = head[:-2], [head[-2:], *groups]
    return ("-" if value < 0 else "") + ",".join(g for g in groups if g) + "." + part


def accounting(value, text):
    return f"({text.removeprefix('-')})" if value < 0 else text


WRITINGS = {
    "dot and comma": german,
    "blank": lambda v: german(v, " "),
    "no-break blank": lambda v: german(v, WIDE) + " €",
    "narrow blank": lambda v: german(v, NARROW) + NARROW + "€",
    "thin blank": lambda v: german(v, THIN),
    "Swiss": lambda v: f"CHF {v:,.2f}".replace(",", "’"),
    "Swiss, straight": lambda v: f"{v:,.2f}".replace(",", "'"),
    "US": lambda v: f"{v:,.2f}",
    "Indian": lambda v: indian(v * 1000),
    "rupees": lambda v: "₹" + indian(abs(v) * 1000),
    "accounting": lambda v: accounting(v, f"{v:,.2f}"),
    "accounting, dollars": lambda v: accounting(v, f"${abs(v):,.2f}"),
    "accounting, dollars outside": lambda v: f"$({-v:.2f})" if v < 0 else f"${v:.2f}",
    "accounting, euros": lambda v: accounting(v, german(v)) + " €",
    "SAP": lambda v: f"{abs(v):,.2f}" + "-" * int(v < 0),
    "SAP, euros": lambda v: german(abs(v)) + "-" * int(v < 0) + " EUR",
    "minus first": lambda v: f"{'-' * int(v < 0)}${abs(v):,.2f}",
    "minus second": lambda v: f"${v:,.2f}",
    "minus sign": lambda v: f"{v:.2f}".replace("-", MINUS),
    "en dash": lambda v: f"{v:.2f}".replace("-", DASH),
    "plus": lambda v: f"{v:+.2f}",
    "code after": lambda v: f"{v:.2f} USD",
    "code before": lambda v: f"EUR {v:.2f}",
    "kr": lambda v: f"{v:.2f} kr",
    "zł": lambda v: german(v, " ") + " zł",
    "R$": lambda v: f"R$ {v:.2f}",
    "Fr.": lambda v: f"Fr. {v:.2f}",
    "unit": lambda v: f"{v:.2f} kg",
    "unit with a digit": lambda v: f"{v:.2f} m2",
    "degrees": lambda v: f"{v:.2f}°C",
    "percent": lambda v: f"{v:.2f} %",
    "exponent": lambda v: f"{v:.6e}".replace(".", ","),
}


@pytest.mark.parametrize("name", WRITINGS)
def test_values(tmp_path, name):
    scale = 1000 if name in ("Indian", "rupees") else 1
    expected = (np.abs(VALUES) if name == "rupees" else VALUES) * scale
    found = prepared(tmp_path, [WRITINGS[name](v) for v in VALUES])
    column = found.columns[0]
    assert column.treat == "number"
    np.testing.assert_allclose(found.data().n, expected, rtol=1e-6, atol=1e-2)
    # and the way back is read by the same keys
    again = own.untreat(found.columns, found.data()).astype(str)
    np.testing.assert_array_equal(own.treat(found.columns, again).n, found.data().n)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.", 1), (".5", 0.5), ("12.-", 12), (f"12,{DASH}", 12), ("-.5", -0.5), ("+7", 7)],
)
def test_short_forms(tmp_path, text, value):
    found = prepared(tmp_path, [text, "3", "4.5"] * 20)
    assert found.data().n[0] == value


@pytest.mark.parametrize(
    ("texts", "beside", "value", "said"),
    [
        (["12.400", "980"], ["1,5", "2,25"], 12400, "thousands sign (12.400 = 12400)"),
        (["12.400", "980"], ["a", "b"], 12400, "thousands sign (12.400 = 12400)"),
        (["12.400", "9.801"], ["1,5", "2,25"], 12400, '"decimal": ".", "thousands": ""'),
        (["12.400", "9.801"], ["a", "b"], 12.4, '"decimal": ",", "thousands": "."'),
        (["12.400", "9.801"], ["1.5", "2.25"], 12.4, None),
        (["1.234.567", "12.400"], ["a", "b"], 1234567, "thousands sign"),
        (["12.400", "12345"], ["a", "b"], 12.4, None),
        (["12,400", "980"], ["1.5", "2.25"], 12400, "thousands sign"),
        (["12,400", "980"], ["1,5", "2,25"], 12.4, '"decimal": ".", "thousands": ","'),
        (["0,665", "12,400"], ["a", "b"], 0.665, "decimal comma"),
        (["0.665", "12.400"], ["1,5", "2,25"], 0.665, None),
    ],
)
def test_what_may_be_thousands_or_decimals(tmp_path, texts, beside, value, said):
    found = prepared(tmp_path, texts * 20, beside)
    assert found.data().n[0] == value
    remarks = " ".join(r for r in found.columns[0].remarks if "constant" not in r)
    assert (said is None) == (remarks == "")
    assert said is None or said in remarks


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([f"${v}" if i % 3 else f"€{v}" for i, v in enumerate(VALUES)], "two kinds of currency"),
        ([f"{v} kg" if i % 3 else f"{v} g" for i, v in enumerate(VALUES)], "two different units"),
        ([f"{v}k" if i % 3 else f"{v}M" for i, v in enumerate(VALUES)], "thousands or millions"),
        ([f"{v}%" if i % 3 else f"{v}" for i, v in enumerate(VALUES)], "with and without '%'"),
        ([f"{i}-{i + 9}" for i in range(N)], "ranges"),
        ([f"{i}/{i + 2}" for i in range(20, 20 + N)], "fractions"),
        ([hex(7919 * i) for i in range(N)], "hexadecimal"),
    ],
)
def test_what_is_no_number_is_called_by_its_name(tmp_path, texts, said):
    column = prepared(tmp_path, texts).columns[0]
    assert column.treat == "leave out"
    assert said in column.reason


@pytest.mark.parametrize("texts", [[f"A{i}" for i in range(9)], ["007", "012"], ["yes", "no"],
                                   [f"{i}{'ABC'[i % 3]}" for i in range(9)]])  # fmt: skip
def test_codes_and_words_stay_text(tmp_path, texts):
    assert prepared(tmp_path, texts * 10).columns[0].treat == "nominal"


def test_limits_are_holes(tmp_path):
    texts = [f"{abs(v):.2f}" if i % 4 else ["<0.05", ">5000"][i // 4 % 2] for i, v in
             enumerate(VALUES)]  # fmt: skip
    found = prepared(tmp_path, texts)
    assert found.data().n.isna().sum() == 15
    assert "15 of 60 entries are limits" in found.columns[0].remarks[0]


@pytest.mark.parametrize("make", [str, float, int], ids=["text", "float", "int"])
def test_identifiers_whatever_their_type(tmp_path, make):
    frame = pd.DataFrame({"order_id": [make(7919 * i + 10**6) for i in range(N)], "k": [1, 2] * 30})
    frame.to_parquet(tmp_path / "a.parquet")
    column = own.prepare(tmp_path / "a.parquet").columns[0]
    assert "like an identifier" in column.reason


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda i: f"u{i}@example.org", "e-mail"),
        (lambda i: f"{i:08x}-1111-4111-8111-0123456789ab", "UUID"),
        (lambda i: f"{7919**7 * i:032x}", "hashes"),
        (lambda i: f"DE{i:02d}37040044{7919 * i:010d}", "IBAN"),
        (lambda i: f"https://example.org/{i}", "pages"),
        (lambda i: f"+49 171 {1234567 + 7919 * i}", "telephone"),
        (lambda i: f"INV-{i:06d}", "documents"),
    ],
)
def test_identifiers_of_a_kind(tmp_path, make, kind):
    column = prepared(tmp_path, [make(i) for i in range(N)]).columns[0]
    assert column.treat == "leave out"
    assert kind in column.reason


KEYS = [
    ("$1,234.50", {"prefix": "$", "thousands": ","}, 1234.5),
    ("(1.234,50)", {"decimal": ",", "thousands": ".", "negative": "(1)"}, -1234.5),
    ("12.50-", {"negative": "1-"}, -12.5),
    ("1’234.5 kg", {"thousands": "'", "suffix": " kg"}, 1234.5),
    ("1 234,5", {"decimal": ",", "thousands": " "}, 1234.5),
    ("-$86.41", {"prefix": "$"}, -86.41),
    ("$-86.41", {"prefix": "$"}, -86.41),
]


@pytest.mark.parametrize(("text", "keys", "value"), KEYS)
def test_the_keys_of_a_column_suffice(text, keys, value):
    column = own.Column("n", "number", **keys)
    frame = pd.DataFrame({"n": [text, "7"]}, dtype=object)
    assert own.treat([column], frame).n.tolist() == [value, 7.0]


@pytest.mark.parametrize(("text", "keys", "value"), [k for k in KEYS if "-" not in k[0][:2]])
def test_without_its_keys_a_number_is_an_error_that_names_them(text, keys, value):
    frame = pd.DataFrame({"n": [text, "7"]}, dtype=object)
    with pytest.raises(ValueError, match=r"column 'n': expected numbers; got") as error:
        own.treat([own.Column("n", "number")], frame)
    for key in keys:
        assert f'"{key}"' in str(error.value)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"negative": "x"}, "column 'n': negative: expected one of"),
        ({"thousands": "_"}, "column 'n': thousands: expected"),
        ({"thousands": "."}, "column 'n': thousands: expected another sign"),
        ({"format": "DD.MM.YYYY"}, "column 'n': format: expected signs as for strptime"),
        ({"unit": "week"}, "column 'n': unit: expected one of month"),
    ],
)
def test_a_wrong_key_names_the_column(keys, message):
    with pytest.raises(ValueError, match=message):
        own.Column("n", "number", **keys)


def test_groups_that_are_none_are_no_thousands():
    column = own.Column("n", "number", decimal=",", thousands=".")
    with pytest.raises(ValueError, match=r"column 'n': expected numbers written with .*got '12.5'"):
        own.treat([column], pd.DataFrame({"n": ["1.234", "12.5"]}, dtype=object))
