"""Coarsened ordinals keep every code's mass, and samples follow it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from genzoo.space.coarsen import Coarsening
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
