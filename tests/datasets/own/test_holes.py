"""Entries that are no numbers or dates: which are holes, and what is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genzoo.datasets import own

N = 60
VALUES = [f"{v:.2f}" for v in np.random.default_rng(0).normal(230, 5, N)]


def prepared(tmp_path, texts):
    frame = pd.DataFrame({"n": texts, "k": ["a", "b"] * (len(texts) // 2)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    return own.prepare(tmp_path / "a.csv")


MARKS = [
    "\\N", "<NA>", "-", "--", ".", "..", "#DIV/0!", "#N/A", "#REF!", "#VALUE!", "n.a.", "k.A.",
    "keine Angabe", "unknown", "missing", "*", "x", "(null)", "ND", "refused", "$ -", "\u2013",
]  # fmt: skip


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("mark", MARKS)
def test_one_repeated_mark_among_numbers(tmp_path, mark, share):
    n = int(share * N)
    found = prepared(tmp_path, [mark] * n + VALUES[n:] if share < 0.9 else
                     [mark] * 9 * N + VALUES)  # fmt: skip
    column = found.columns[0]
    n = n if share < 0.9 else 9 * N
    assert column.treat == "number"
    assert found.data().n.isna().sum() == n
    assert f"(entries: {n})" in " ".join(column.remarks)


@pytest.mark.parametrize("mark", ["-", "0000-00-00", "open"])
def test_one_repeated_mark_among_dates(tmp_path, mark):
    days = pd.date_range("2020-01-01", periods=N).strftime("%Y-%m-%d").tolist()
    found = prepared(tmp_path, [mark] * 30 + days[30:])
    assert found.columns[0].treat == "date"
    assert found.data().n.isna().sum() == 30
    assert f"'{mark}' (entries: 30)" in " ".join(found.columns[0].remarks)


def test_several_known_marks(tmp_path):
    found = prepared(tmp_path, ["-", "n/a", "unknown"] * 10 + VALUES[30:])
    assert found.data().n.isna().sum() == 30


def test_several_texts_are_said(tmp_path):
    found = prepared(tmp_path, ["low", "high"] * 8 + VALUES[16:])
    assert found.data().n.isna().sum() == 16
    assert (
        "2 different texts, 'low' (entries: 8), 'high' (entries: 8)" in found.columns[0].remarks[0]
    )


def test_numbers_are_never_folded_away(tmp_path):
    texts = [f"see note {i}" for i in range(40)] * 2 + VALUES
    column = prepared(tmp_path, texts).columns[0]
    assert column.treat == "leave out"
    assert "numbers and text ('see note" in column.reason


def test_few_numbers_beside_a_text_are_categories(tmp_path):
    column = prepared(tmp_path, ["1", "2", "many"] * 20).columns[0]
    assert column.categories == ("1", "2", "many")


@pytest.mark.parametrize("values", [["+", "-", "."], ["Rome", "-", "unknown"], ["x", "o", "*"]])
def test_marks_in_text_are_values(tmp_path, values):
    column = prepared(tmp_path, values * 20).columns[0]
    assert column.categories == tuple(sorted(values))
    assert column.remarks == ()


def test_holes_of_a_schema_are_read_in_every_type():
    for values in (pd.Series(["-999", "3"], dtype=object), pd.Series([-999, 3]),
                   pd.Series([-999.0, 3.0])):  # fmt: skip
        for mark in ("-999", -999):
            column = own.Column("n", "number", holes=(mark,))
            treated = own.treat([column], pd.DataFrame({"n": values})).n
            assert treated.isna().tolist() == [True, False]
