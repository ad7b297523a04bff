"""Smoothed marginals: leave-one-out by hand, known truths, and no family that beats independence.

Seeds are fixed. Bounds on losses lie at least twice as high as the largest of 40 seeds, and
shares of samples have margins of 4.5 standard errors, a false alarm in one of 100,000 seeds.
"""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import genzoo
from genzoo import MISSING, Independent, Schema, Variable
from genzoo.space.marginals import DISCOUNTS, MOST_ADDED, smoothed


def grid(k, missing=False):
    return Variable("x", "ordinal", k + missing, offset=0, step=1, missing=missing)


def loss(truth, masses):
    """Nats of KL(truth || masses)."""
    has = truth > 0
    return float((truth[has] * np.log(truth[has] / masses[has])).sum())


def claims(n, seed):
    """Columns drawn independently: 70 % zeros, 25 % blanks, four regions."""
    rng = np.random.default_rng(seed)
    claim = np.where(rng.random(n) < 0.7, 0, rng.integers(1, 700, n))
    mileage = np.where(rng.random(n) < 0.25, np.nan, rng.integers(0, 700, n))
    return pd.DataFrame({"claim": claim, "mileage": mileage, "region": rng.choice(list("NESW"), n)})


# -------------------------------------------------------------------- the estimates


def by_hand(counts, d, added):
    taken = np.minimum(counts, d)
    return (counts - taken + (added + taken.sum()) / len(counts)) / (counts.sum() + added)


@pytest.mark.parametrize("seed", range(5))
def test_nominal_values_are_smoothed_as_each_row_left_out_would_have_it(seed):
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(60, rng.dirichlet(np.full(12, [0.05, 0.3, 1, 5, 50][seed])))
    best = (-np.inf, 0.0, 0.0)
    for d in DISCOUNTS:
        for added in 2.0 ** np.arange(np.log2(MOST_ADDED * 12)):
            total = 0.0
            for code in np.repeat(np.arange(12), counts):
                others = counts.astype(float)
                others[code] -= 1
                total += np.log(by_hand(others, d, added)[code])
            best = max(best, (total, d, added))
    assert np.allclose(smoothed(counts), by_hand(counts, *best[1:]), atol=1e-12)


@pytest.mark.parametrize("counts", [[3, 0], [0, 0], [7], [40.5, 3.25]])
def test_one_or_two_codes_have_a_pseudo_count_of_one(counts):
    counts = np.array(counts, dtype=float)
    expected = (counts + 1) / (counts.sum() + len(counts))
    assert np.allclose(smoothed(counts), expected, atol=1e-15)
    assert np.allclose(smoothed(counts, grid(len(counts))), expected, atol=1e-15)


@pytest.mark.parametrize("variable", [None, grid(30), grid(29, missing=True)])
@pytest.mark.parametrize("kind", ["none", "one row", "constant", "parts of rows", "few", "many"])
def test_masses_are_positive_and_sum_to_one(kind, variable):
    rng = np.random.default_rng(0)
    counts = {
        "none": np.zeros(30),
        "one row": np.eye(30)[4],
        "constant": 500 * np.eye(30)[29],
        "parts of rows": rng.gamma(0.3, 2.0, 30),
        "few": rng.multinomial(10, np.full(30, 1 / 30)),
        "many": rng.multinomial(100_000, rng.dirichlet(np.ones(30))),
    }[kind]
    masses = smoothed(counts, variable)
    assert (masses > 0).all()
    assert masses.sum() == pytest.approx(1.0, abs=1e-12)


SHAPES = {
    "normal": stats.norm(350, 80),
    "heavy tails": stats.t(2, 350, 20),
    "skewed": stats.lognorm(1.0, scale=60),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_neighbouring_codes_tell_of_each_other(shape):
    """A pseudo-count of 1 loses 0.37 to 0.53 nats here."""
    cdf = SHAPES[shape].cdf(np.arange(701))
    cdf[[0, -1]] = 0.0, 1.0
    truth = np.diff(cdf)
    counts = np.random.default_rng(1).multinomial(600, truth)
    assert loss(truth, smoothed(counts, grid(700))) < 0.09


def test_a_value_that_stands_out_keeps_its_share():
    truth = np.append(0.7, np.full(699, 0.3 / 699))
    counts = np.random.default_rng(2).multinomial(600, truth)
    masses = smoothed(counts, grid(700))
    assert masses[0] == pytest.approx(counts[0] / 600, abs=0.01)
    assert loss(truth, masses) < 0.02


def test_a_missing_mark_is_no_neighbour():
    counts = np.append(np.random.default_rng(3).multinomial(450, np.full(700, 1 / 700)), 150)
    masses = smoothed(counts, grid(700, missing=True))
    assert masses[-1] == pytest.approx(151 / 602)
    assert masses[600:700].sum() == pytest.approx(0.75 / 7, abs=0.045)


def test_cells_that_follow_the_rows_have_the_mass_of_their_width():
    """Cells hold a few rows each, so that counts say little and widths much."""
    values = np.random.default_rng(4).normal(50, 12, 600)
    frame = pd.DataFrame({"x": values})
    (variable,) = Schema.infer(frame).variables
    assert len(variable.edges) > 200
    cdf = stats.norm(50, 12).cdf(variable.edges)
    cdf[[0, -1]] = 0.0, 1.0
    truth = np.diff(cdf)
    lost = {
        a: loss(truth, np.exp(Independent(pseudo_count=a).fit(frame).log_table_[0]))
        for a in (None, 1.0)
    }
    assert lost[None] < 0.095
    assert lost[1.0] > 0.1


def test_cells_of_all_widths_have_masses():
    """Cents beside a debt of 10 trillions: the widths' running sum rounds them away."""
    values = np.random.default_rng(5).integers(1, 300, 700) / 100
    values[:3] = -1e13, -2e13, 1e13
    with pytest.warns(UserWarning, match="-20000000000000 .1 of 700 rows"):
        masses = np.exp(Independent().fit(pd.DataFrame({"x": values})).log_table_[0])
    assert masses.sum() == pytest.approx(1.0, abs=1e-12)
    assert masses.min() > 1e-6


# -------------------------------------------------------------------- the baseline


def test_samples_have_the_shares_of_the_file():
    frame = claims(600, seed=5)
    drawn = Independent().fit(frame).sample(20_000, seed=1)
    for column, is_it in [("claim", lambda x: x == 0), ("mileage", lambda x: x.isna())]:
        share, sampled = is_it(frame[column]).mean(), is_it(drawn[column]).mean()
        assert abs(sampled - share) < 4.5 * np.sqrt(share * (1 - share) / 20_000) + 0.005


def test_a_pseudo_count_is_added_as_it_is_given():
    rows = np.array([[0, 2], [0, 1], [1, 2]])
    model = Independent(pseudo_count=0.5).fit(rows)
    assert np.allclose(np.exp(model.log_table_[0, :2]), [2.5 / 4, 1.5 / 4])
    assert np.allclose(np.exp(model.log_table_[1]), [0.5 / 4.5, 1.5 / 4.5, 2.5 / 4.5])


def test_strings_whose_end_is_hidden_are_shared_out():
    """Of 300 strings a third end at once, a third after one symbol; half of the ends are hidden."""
    rng = np.random.default_rng(6)
    variables = tuple(Variable(f"t{t}", "nominal", 4) for t in range(3))
    schema = Schema(variables, "sequence", (3,), end=3)
    rows = np.full((300, 3), 3)
    rows[100:, 0] = rng.integers(0, 3, 200)
    rows[200:, 1] = rng.integers(0, 3, 100)
    rows[rng.random(300) < 0.5, 1] = MISSING
    model = Independent().fit(rows, schema=schema)
    ends = np.exp(model.log_table_[:, 3])
    assert np.allclose(ends[:2], [1 / 3, 1 / 2], atol=0.15)
    assert np.exp(model.log_prob(schema.enumerate()).value).sum() == pytest.approx(1.0)


def test_models_saved_with_a_pseudo_count_of_one_still_load(tmp_path):
    frame = claims(200, seed=7)
    model = Independent(pseudo_count=1.0).fit(frame)
    model.save(tmp_path / "model")
    assert json.loads((tmp_path / "model" / "model.json").read_text())["params"] == {
        "pseudo_count": 1.0
    }
    again = genzoo.load_model(tmp_path / "model")
    assert set(again._state()) == {"log_table"}
    assert (again.log_prob(frame).value == model.log_prob(frame).value).all()


def independent_columns(n, seed):
    rng = np.random.default_rng(seed)
    rare = 1 / np.arange(1, 41) ** 1.3
    return claims(n, seed).assign(
        price=np.round(rng.normal(50, 12, n), 2),
        grade=rng.choice(5, n, p=[0.4, 0.3, 0.15, 0.1, 0.05]),
        visits=rng.poisson(6, n),
        city=[f"v{i}" for i in rng.choice(40, n, p=rare / rare.sum())],
        member=rng.random(n) < 0.1,
    )


@pytest.mark.filterwarnings("ignore:data. .* lie beyond the schema's range")
@pytest.mark.parametrize("family", ["bayesian_network", "mixture", "hmm", "ngram", "circuit"])
def test_nothing_beats_independence_where_nothing_depends(family):
    """By 0.01 nats a row; the mean over 20,000 rows of a difference has an error below 0.002."""
    frame = independent_columns(20_600, seed=8)
    schema = Schema.infer(frame, train=np.arange(600))
    rows = schema.encode(frame)
    baseline = Independent().fit(rows[:600], schema=schema)
    model = genzoo.make_model(family).fit(rows[:600], schema=schema)
    gain = model.log_prob(rows[600:]).value - baseline.log_prob(rows[600:]).value
    assert gain.mean() < 0.01


def test_kernels_of_many_codes_are_made_a_few_codes_at_a_time():
    """All of them would be 69 MiB, and more on the way."""
    counts = np.random.default_rng(0).poisson(5, 3000)
    variable = Variable("x", "ordinal", 3000, offset=0, step=1)
    tracemalloc.start()
    try:
        masses = smoothed(counts, variable)
        assert tracemalloc.get_traced_memory()[1] < 75 * 2**20
    finally:
        tracemalloc.stop()
    assert masses.sum() == pytest.approx(1.0)
