"""Filling in hidden entries: the same for everyone, against sums over the whole space. Seeds are
fixed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import genzoo
from genzoo import MISSING, BayesianNetwork, Dataset, Independent, Schema, Variable
from genzoo.benchmark import imputation


def table(rows, cards, missing=()):
    names = "abcdefgh"[: len(cards)]
    variables = tuple(
        Variable(name, "nominal", card, missing=name in missing)
        for name, card in zip(names, cards, strict=True)
    )
    return Dataset("t", Schema(variables, "table", (len(cards),)), *np.array_split(rows, 3))


@pytest.fixture
def copies():
    """Four columns that are all the same coin."""
    coin = np.random.default_rng(0).integers(0, 2, 600)
    return table(np.repeat(coin[:, None], 4, axis=1), [2] * 4)


def filled_in(model, data):
    notes: list[str] = []
    found = imputation.fill_in(model.fit(data), data, seed=0, notes=notes)
    assert notes == []
    return found


def test_nats_are_those_of_all_hidden_entries_together():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, 900)
    b, c = (a + (rng.random(900) < 0.2)) % 3, rng.integers(0, 2, 900)
    data = table(np.stack([a, b, c, b % 2], axis=1), [3, 3, 2, 2])
    model = BayesianNetwork().fit(data)
    space = data.schema.enumerate()
    mass = np.exp(model.log_prob(space).value)
    rows, _ = imputation.asked_rows(data)
    found = imputation.fill_in(model, data, seed=0, notes=[])
    assert list(found.hidden) == ["10 %", "50 %", "90 %"]
    for share, part in zip(imputation.SHARES, found.hidden.values(), strict=True):
        hidden = imputation.hidden_entries(data.schema, rows, share)
        nats = [
            np.log(mass[(space == row).all(axis=1)].sum())
            - np.log(mass[(space == row)[:, ~mask].all(axis=1)].sum())
            for row, mask in zip(rows, hidden, strict=True)
        ]
        assert part.nats.value == pytest.approx(sum(nats) / hidden.sum())
        assert part.nats.kind == "exact"
        assert (part.n, part.n_rows) == (hidden.sum(), len(rows))


def test_what_the_rest_tells_is_filled_in_right_and_nothing_else(copies):
    # half of 4 copies are seen; all four are hidden at 90 %: then a coin decides
    found = filled_in(BayesianNetwork(), copies).hidden
    assert found["50 %"].right.value == 1.0
    assert found["90 %"].right.value < 0.9
    without = filled_in(Independent(), copies).hidden
    assert without["50 %"].right.value < 0.7
    assert without["50 %"].nats.value == pytest.approx(-np.log(2), abs=0.02)


def test_a_guess_is_what_most_imputations_have(monkeypatch, copies):
    model = Independent().fit(copies)
    drawn = itertools.cycle([0, 1, 1, 0, 1])

    def filled(known, seed):
        values = np.fromiter(drawn, np.int64, count=len(known))
        return np.where(known == MISSING, values[:, None], known)

    monkeypatch.setattr(model, "_filled", filled)
    right = imputation.fill_in(model, copies, seed=0, notes=[]).hidden["50 %"].right.value
    rows, _ = imputation.asked_rows(copies)
    hidden = imputation.hidden_entries(copies.schema, rows, 0.5)
    assert right == pytest.approx(rows[hidden].mean())  # all guesses are 1


def test_which_entries_are_hidden():
    rng = np.random.default_rng(1)
    words = ["".join(rng.choice(list("ab"), n)) for n in rng.integers(1, 11, 300)]
    data = Dataset.from_data(words, "words")
    rows, end = data.test, data.schema.end
    reached = np.cumsum(rows == end, axis=1) - (rows == end) == 0
    for share in imputation.SHARES:
        hidden = imputation.hidden_entries(data.schema, rows, share)
        assert not (hidden & ~reached).any()
        n = reached.sum(axis=1)
        assert (hidden.sum(axis=1) == np.maximum(1, np.round(share * n))).all()
        assert (hidden == imputation.hidden_entries(data.schema, rows, share)).all()


def test_what_the_data_lack_is_not_asked_for():
    rows = np.random.default_rng(2).integers(0, 3, (300, 2))  # 2: the mark
    data = table(rows, [3, 3], missing="ab")
    hidden = imputation.hidden_entries(data.schema, rows, 0.9)
    assert not (hidden & (rows == 2)).any()
    assert (hidden == (rows < 2)).all(axis=1).mean() > 0.9
    filled_in(Independent(), data)


def test_numbers_with_many_values_are_not_to_be_guessed():
    rng = np.random.default_rng(3)
    number = Variable("n", "ordinal", 100, offset=0, step=1)
    rows = rng.integers(0, 100, (300, 1))
    data = Dataset("n", Schema((number,), "table", (1,)), *np.array_split(rows, 3))
    parts = filled_in(Independent(), data).hidden.values()
    assert all(part.right is None and part.nats.value < -4 for part in parts)


def test_a_share_that_would_take_too_long_is_left_out_with_the_reason(copies, monkeypatch):
    model, ticks, asked = Independent().fit(copies), itertools.count(), []
    told = imputation._told

    def watched(model, rows, given, seed):
        asked.append(len(rows))
        return told(model, rows, given, seed)

    monkeypatch.setattr(imputation, "_told", watched)
    # 40 s pass between two looks at the clock, in which four rows were told
    monkeypatch.setattr(imputation.time, "perf_counter", lambda: 40.0 * next(ticks))
    found = imputation.fill_in(model, copies, seed=0, notes=[])
    assert found.hidden == {}
    assert list(found.left_out) == ["10 %", "50 %", "90 %"]
    assert "200 rows would take about 2000 s" in found.left_out["10 %"]
    assert asked == [4, 4, 4]


def test_rows_with_holes_are_not_asked(copies):
    test = copies.test.copy()
    test[::2, 0] = MISSING
    holes = Dataset("h", copies.schema, copies.train, copies.valid, test)
    asked, _ = imputation.asked_rows(holes)
    assert len(asked) == 100
    assert (asked != MISSING).all()


@pytest.mark.usefixtures("cells_run_here")
def test_a_run_asks_where_it_is_told_to(copies, tmp_path, capsys):
    def run(**more):
        made = genzoo.compare([Independent()], [copies], out=tmp_path, **more)
        return made.records()[0]["imputation"], capsys.readouterr().err

    assert run()[0] is None
    found, said = run(imputation=True)
    assert "run anew, to fill in hidden entries: 1 cell" in said
    assert list(found["hidden"]) == ["10 %", "50 %", "90 %"]
    assert run()[0] == found  # what was asked stays
    html = genzoo.load_run(tmp_path).report()["html"].read_text()
    assert "Filling in" in html


@pytest.mark.usefixtures("cells_run_here")
def test_shares_stand_in_their_order_though_the_best_model_lacks_one(copies, tmp_path, monkeypatch):
    judge, network = imputation._judge, BayesianNetwork

    def refusing(model, rows, hidden, groups, seed):
        if isinstance(model, network) and hidden.mean() == 0.5:
            raise genzoo.Unsupported("not this one")
        return judge(model, rows, hidden, groups, seed)

    monkeypatch.setattr(imputation, "_judge", refusing)
    models = [Independent(), network()]
    run = genzoo.compare(models, [copies], out=tmp_path, imputation=True, progress=False)
    text = run.report()["md"].read_text()
    assert "| 10 % hidden, nats | right | 50 % hidden, nats | right | 90 % hidden, nats |" in text
    assert "bayesian_network, 50 % (not this one)" in text
