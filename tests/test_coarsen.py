"""Coarsened ordinals keep every code's mass, and samples follow it."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from genzoo.fitting import CurvePoint
from genzoo.space.coarsen import Coarsening, default_bins
from genzoo.space.schema import MISSING, Schema, Variable


@pytest.fixture
def schema():
    return Schema(
        (
            Variable("long", "ordinal", 101, offset=0, step=1, missing=True),
            Variable("short", "ordinal", 5, offset=0, step=1),
            Variable("nominal", "nominal", 40),
        ),
        "table",
        (3,),
    )


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    long = np.minimum(rng.poisson(12, 3000) * rng.integers(1, 4, 3000), 99)
    long[:900] = 0
    long[-200:] = 100
    return np.stack([long, rng.integers(0, 5, 3000), rng.integers(0, 40, 3000)], 1)


def test_shares_of_each_bin_sum_to_one_and_neighbours_share_bins(schema, rows):
    made = Coarsening.fit(schema, rows, 8)
    for d, card in enumerate(schema.cards):
        shares = np.exp(made.log_share[d, :card])
        sums = np.bincount(made.bin_of[d, :card], weights=shares)
        np.testing.assert_allclose(sums, 1.0, rtol=1e-12)
        if schema.variables[d].kind == "ordinal":
            assert (np.diff(made.bin_of[d, :card]) >= 0).all()
    assert made.cards[0] <= 8 + 1
    assert made.cards[1:].tolist() == [5, 40]


def test_the_mark_and_a_frequent_value_have_bins_of_their_own(schema, rows):
    made = Coarsening.fit(schema, rows, 8)
    assert made.codes_of(0, int(made.bin_of[0, 100])).tolist() == [100]
    assert made.codes_of(0, int(made.bin_of[0, 0])).tolist() == [0]


def test_bins_have_about_equal_mass(schema, rows):
    rows = rows.copy()
    rows[:, 0] = np.arange(len(rows)) % 100
    made = Coarsening.fit(schema, rows, 10)
    mass = np.bincount(made.bin_of[0, rows[:, 0]]) / len(rows)
    np.testing.assert_allclose(mass[:10], 0.1, atol=0.02)


def test_missing_stays_and_adds_nothing(schema, rows):
    made = Coarsening.fit(schema, rows, 8)
    queried = rows[:5].copy()
    queried[:, 0] = MISSING
    assert (made.to_bins(queried)[:, 0] == MISSING).all()
    np.testing.assert_array_equal(made.log_shares(queried), 0.0)


def test_codes_drawn_in_a_bin_follow_its_shares(schema, rows):
    """One chi-square test: false alarm at 1e-5."""
    made = Coarsening.fit(schema, rows, 5)
    rng = np.random.default_rng(1)
    bins = np.stack([rng.integers(0, c, 20_000) for c in made.cards], 1)
    codes = made.to_codes(bins, rng)
    np.testing.assert_array_equal(made.to_bins(codes), bins)
    np.testing.assert_array_equal(codes[:, 1:], bins[:, 1:])
    widest = int(np.bincount(made.bin_of[0]).argmax())
    own = made.codes_of(0, widest)
    drawn = np.bincount(codes[bins[:, 0] == widest, 0], minlength=101)[own]
    expected = drawn.sum() * np.exp(made.log_share[0, own])
    big = expected >= 5
    observed = np.append(drawn[big], drawn[~big].sum())
    wanted = np.append(expected[big], expected[~big].sum())
    keep = wanted > 0
    assert stats.chisquare(observed[keep], wanted[keep]).pvalue > 1e-5


def test_a_value_never_seen_has_mass(schema, rows):
    made = Coarsening.fit(schema, rows, 8)
    own = np.arange(3) * 0 + schema.cards
    assert all(np.isfinite(made.log_share[d, :card]).all() for d, card in enumerate(own))


def test_state_brings_it_back(schema, rows):
    made = Coarsening.fit(schema, rows, 8)
    again = Coarsening.from_state(made.state())
    np.testing.assert_array_equal(again.to_bins(rows), made.to_bins(rows))
    np.testing.assert_array_equal(again.log_shares(rows), made.log_shares(rows))
    assert again.n_parameters == made.n_parameters > 0


def test_variables_of_a_group_share_bins_made_from_all_their_rows():
    """Two channels at four steps: as if each channel were one long column."""
    rng = np.random.default_rng(2)
    rows = rng.integers(0, 100, (50, 8)) // np.array([1, 4] * 4)
    cards = [100, 25] * 4
    variables = [Variable(d, "ordinal", c, offset=0, step=1) for d, c in enumerate(cards)]
    schema, group = Schema(tuple(variables), "sequence", (4, 2)), np.arange(8) % 2
    assert schema.alike(group)
    assert not schema.alike(np.zeros(8, dtype=np.int64))
    made = Coarsening.pooled(schema, rows, group)
    long = Schema(schema.variables[:2], "table", (2,))
    alone = Coarsening.fit(long, rows.reshape(-1, 2), default_bins(200))
    for d in range(8):
        np.testing.assert_array_equal(made.bin_of[d], alone.bin_of[d % 2])
        np.testing.assert_array_equal(made.log_share[d], alone.log_share[d % 2])
        assert made.cards[d] == alone.cards[d % 2] == 8


def test_names_and_dtypes_make_no_difference_and_meanings_do():
    plain = Variable("a", "ordinal", 5, offset=0, step=1)
    same = Variable("b", "ordinal", 5, offset=0, step=1, dtype="int8")
    others = [
        Variable("c", "nominal", 5),
        Variable("c", "ordinal", 5, offset=1, step=1),
        Variable("c", "ordinal", 5, offset=0, step=1, missing=True),
        Variable("c", "ordinal", categories=tuple("vwxyz")),
    ]
    assert plain.meaning == same.meaning
    assert len({v.meaning for v in (plain, *others)}) == 5


def test_a_curve_of_bins_becomes_one_of_codes(schema, rows):
    made = Coarsening.fit(schema, rows, 8)
    curve = [CurvePoint(1, 0.1, -3.0, -4.0), CurvePoint(2, 0.2, None, -3.5)]
    first, last = made.curve_of_codes(curve, rows[:100], rows[100:150])
    shares = made.log_shares(rows)
    assert first.train == pytest.approx(-3.0 + shares[:100].mean())
    assert first.valid == pytest.approx(-4.0 + shares[100:150].mean())
    assert (last.step, last.seconds, last.train) == (2, 0.2, None)
    assert last.valid == pytest.approx(-3.5 + shares[100:150].mean())


def test_bins_have_the_type_of_the_codes(schema, rows):
    made = Coarsening.fit(schema, rows, 8)
    holes = np.where(np.arange(3) == 1, MISSING, rows)
    small = made.to_bins(holes.astype(np.int8))
    assert small.dtype == np.int8
    assert (small == made.to_bins(holes)).all()
    assert (made.log_shares(holes.astype(np.int8)) == made.log_shares(holes)).all()
    drawn = made.to_codes(made.to_bins(rows.astype(np.int8)), np.random.default_rng(0))
    assert drawn.dtype == np.int64
    assert (made.to_bins(drawn) == made.to_bins(rows)).all()


def test_bins_of_many_rows_take_one_copy(schema):
    """And not one of int64 for each step on the way."""
    alike = Schema(tuple(replace(schema.variables[0], name=d) for d in range(64)), "table", (64,))
    rows = np.random.default_rng(0).integers(0, 100, (60_000, 64))
    made = Coarsening.pooled(alike, rows, np.zeros(64, dtype=np.int64))
    tracemalloc.start()
    try:
        made.to_bins(rows)
        made.log_shares(rows)
        assert tracemalloc.get_traced_memory()[1] < rows.nbytes + 70 * 2**20
        tracemalloc.reset_peak()
        Coarsening.pooled(alike, rows, np.zeros(64, dtype=np.int64))
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()
