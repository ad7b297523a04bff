"""Fits to rows with holes: what they recover, and which families refuse them.

Seeds are fixed. Where a comparison could fail by chance alone, its margin is more than four
standard errors, a false alarm in fewer than one of 10,000 seeds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import genzoo
from genzoo import (
    GAN,
    HMM,
    MISSING,
    BayesianNetwork,
    Circuit,
    Independent,
    Mixture,
    Schema,
    TransformerLM,
    Variable,
)
from genzoo.models.bayesian_network.limits import Limits
from genzoo.models.hmm.em import ChainEM, Watch, as_sequences
from genzoo.models.shared.column_order import column_order, mutual_information

FAMILIES = {
    "independent": lambda: Independent(),
    "hmm": lambda: HMM(n_states=8, n_restarts=1),
    "mixture": lambda: Mixture(n_components=16, n_restarts=2),
    "circuit": lambda: Circuit(n_states=8, n_trees=1),
    "chow_liu": lambda: BayesianNetwork(structure="chow_liu"),
    "network": lambda: BayesianNetwork(),
    "given": lambda: BayesianNetwork(structure=[(0, 1), (1, 2)]),
}
every_family = pytest.mark.parametrize("family", FAMILIES)
DEPENDENT = ["hmm", "circuit", "chow_liu", "network"]


def nominal(*cards, layout="table", end=None):
    variables = tuple(Variable(f"x{d}", "nominal", c) for d, c in enumerate(cards))
    return Schema(variables, layout, (len(cards),), end)


def punched(rows, share, seed):
    return np.where(np.random.default_rng(seed).random(rows.shape) < share, MISSING, rows)


def strings(n, seed, T=6):
    """Strings of runs; END is code 1. A symbol is repeated with probability 0.8."""
    rng = np.random.default_rng(seed)
    rows = np.empty((n, T), dtype=np.int64)
    rows[:, 0] = rng.choice([0, 2, 3], n)
    for t in range(1, T):
        again = rng.random(n) < 0.8
        rows[:, t] = np.where(again, rows[:, t - 1], rng.choice([0, 2, 3], n))
        rows[rng.random(n) < 0.15, t] = 1
    schema = nominal(*[4] * T, layout="sequence", end=1)
    return schema, np.where(schema.reached(rows), rows, 1)


def chain(n, seed):
    """Three bits, each mostly equal to the one before."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2, n)
    b = np.where(rng.random(n) < 0.9, a, 1 - a)
    return np.stack([a, b, np.where(rng.random(n) < 0.8, b, 1 - b)], axis=1)


# -------------------------------------------------------------------- recovery


@pytest.fixture(scope="module")
def asia():
    return genzoo.load_dataset("asia")


@every_family
def test_a_fifth_of_the_entries_costs_little(family, asia):
    """Complete test rows lose less than 0.02 nats, of 0.75 nats that dependence tells."""
    rows = asia.train[:4000]
    full, holed = (
        FAMILIES[family]().fit(r, schema=asia.schema) for r in (rows, punched(rows, 0.2, seed=0))
    )
    lost = full.log_prob(asia.test).value - holed.log_prob(asia.test).value
    assert lost.mean() < 0.02


@pytest.mark.parametrize("family", DEPENDENT)
def test_rows_with_holes_tell_more_than_the_complete_ones(family, asia):
    """Of 2000 rows 59 are complete; the rows with holes are worth much more than those."""
    holes = punched(asia.train[:2000], 0.35, seed=1)
    complete = holes[(holes != MISSING).all(axis=1)]
    assert len(complete) < 100
    value = FAMILIES[family]().fit(holes, schema=asia.schema).log_prob(asia.test).value
    few = FAMILIES[family]().fit(complete, schema=asia.schema).log_prob(asia.test).value
    alone = Independent().fit(asia.train, schema=asia.schema).log_prob(asia.test).value
    for other in (few, alone):
        gain = value - other
        assert gain.mean() > 4 * gain.std() / np.sqrt(len(gain))
    assert (value - alone).mean() > 0.5


@pytest.mark.parametrize("family", DEPENDENT)
def test_holes_that_depend_on_what_is_observed_leave_no_bias(family):
    """x1 is hidden in 80 percent of the rows with x0 = 1, so those that show it are not typical.

    The standard error of the share of x1 = 1 in 6000 rows with these holes is below 0.01, and what
    smoothing takes of it, towards the marginals, was 0.03 at most.
    """
    rows = chain(6000, seed=2)
    holes = rows.copy()
    hidden = (rows[:, 0] == 1) & (np.random.default_rng(3).random(len(rows)) < 0.8)
    holes[hidden, 1] = MISSING
    seen = holes[holes[:, 1] != MISSING, 1].mean()
    assert seen < 0.3, "counting the available cases is far off"
    asked = np.array([[MISSING, 1, MISSING]])
    model = FAMILIES[family]().fit(holes, schema=nominal(2, 2, 2))
    share = float(np.exp(model.log_prob(asked).value[0]))
    assert share == pytest.approx(rows[:, 1].mean(), abs=0.04)
    counted = Independent().fit(holes, schema=nominal(2, 2, 2))
    assert float(np.exp(counted.log_prob(asked).value[0])) == pytest.approx(seen, abs=0.01)


@pytest.mark.slow
def test_a_large_network_is_learned_without_exact_completions():
    """Elimination over all of alarm is too large: Gibbs sampling takes its place.

    Mean over four sets of holes: one alone loses 0.18 to 0.30 nats, with a spread of 0.05.
    """
    data = genzoo.load_dataset("alarm")
    rows, test = data.train[:1500], data.test[:1000]
    full = BayesianNetwork().fit(rows, schema=data.schema).log_prob(test).value
    lost = []
    for seed in (4, 5, 6, 7):
        holed = BayesianNetwork().fit(punched(rows, 0.2, seed=seed), schema=data.schema)
        assert any("Gibbs" in note for note in holed.training_.notes)
        lost.append((full - holed.log_prob(test).value).mean())
    assert np.mean(lost) < 0.25, "of about 10 nats that dependence tells"


@pytest.mark.parametrize("structure", ["greedy", "chow_liu"])
def test_exact_completions_and_gibbs_sampling_agree(structure):
    rows = punched(chain(3000, seed=5), 0.3, seed=6)
    space = nominal(2, 2, 2).enumerate()
    exact = BayesianNetwork(structure=structure).fit(rows, schema=nominal(2, 2, 2))
    gibbs = BayesianNetwork(structure=structure)
    gibbs.limits = Limits(largest_completion=0)
    gibbs.fit(rows, schema=nominal(2, 2, 2))
    assert any("exact" in note for note in exact.training_.notes)
    assert any("Gibbs" in note for note in gibbs.training_.notes)
    p, q = (np.exp(m.log_prob(space).value) for m in (exact, gibbs))
    np.testing.assert_allclose(p, q, atol=0.02)


@pytest.mark.parametrize("strings_with_end", [False, True])
def test_em_settles_where_weighing_all_completions_would(strings_with_end):
    """At the end, a step on all completions, weighed by their probability, moves nothing."""
    if strings_with_end:
        schema, rows = strings(60, seed=30, T=4)
    else:
        variables = tuple(Variable(f"x{d}", "nominal", 2 + d % 2) for d in range(6))
        schema = Schema(variables, "sequence", (3, 2))
        rows = np.random.default_rng(30).integers(0, schema.cards, (60, 6))
    model = HMM(n_states=2, n_restarts=1).fit(rows, schema=schema, budget="2 steps")
    holes = punched(rows, 0.3, seed=31)
    if strings_with_end:
        holes = np.where(np.cumsum(holes == 1, axis=1) > 0, 1, holes)

    def run(rows, weights, n_iter):
        em = ChainEM(
            model.chain_,
            weights=weights,
            emission_prior=np.full((1, 1), 0.5),
            transition_prior=1.0,
            monitor=Watch(-np.inf, n_iter, lambda: True),
        )
        return em.fit(*as_sequences(model.chain_.shape, rows))

    em = run(holes, np.ones(60), 1)
    assert em.log_likelihood == pytest.approx(model.log_prob(holes).value.sum(), rel=1e-5)
    model.chain_ = run(holes, np.ones(60), 2000).chain
    space = schema.enumerate()
    agree = ((space == holes[:, None]) | (holes[:, None] == MISSING)).all(axis=2)
    weights = agree * np.exp(model.log_prob(space).value)
    weights /= weights.sum(axis=1, keepdims=True)
    row, completion = np.nonzero(agree)
    again = run(space[completion], weights[row, completion], 1).chain
    for name in ("start", "transitions", "emissions"):
        now, then = getattr(model.chain_, name), getattr(again, name)
        np.testing.assert_allclose(now, then, atol=1e-3)


# -------------------------------------------------------------------- strings


@pytest.mark.parametrize("family", ["independent", "hmm", "chow_liu", "network"])
def test_strings_with_holes(family):
    schema, rows = strings(3000, seed=7)
    _, test = strings(2000, seed=8)
    full, holed = (
        FAMILIES[family]().fit(r, schema=schema) for r in (rows, punched(rows, 0.2, seed=9))
    )
    assert np.exp(holed.log_prob(schema.enumerate()).value).sum() == pytest.approx(1, abs=1e-9)
    lost = full.log_prob(test).value - holed.log_prob(test).value
    assert abs(lost.mean()) < 0.06


def test_where_strings_end_is_not_biased_by_holes():
    """An END is seen less often than it happens, since later holes hide that it happened."""
    rng = np.random.default_rng(10)
    T, n = 4, 20_000
    schema = nominal(*[3] * T, layout="sequence", end=2)
    rows = rng.choice(3, (n, T), p=[0.5, 0.25, 0.25])
    rows = np.where(schema.reached(rows), rows, 2)
    model = Independent().fit(punched(rows, 0.4, seed=11), schema=schema)
    space = schema.enumerate()
    n_symbols = (space != 2).sum(axis=1)
    mass = np.exp(model.log_prob(space).value)
    lengths = np.bincount(n_symbols, weights=mass)
    # 20,000 strings, 40 percent hidden: standard errors are below 0.005
    np.testing.assert_allclose(lengths, [*(0.25 * 0.75 ** np.arange(T)), 0.75**T], atol=0.02)


def test_independent_strings_reach_the_highest_likelihood():
    """No other tables near those fitted give the observed entries more mass."""
    schema, rows = strings(200, seed=12, T=4)
    holes = punched(rows, 0.4, seed=13)
    model = Independent(pseudo_count=1e-9).fit(holes, schema=schema)
    best, table = model.log_prob(holes).value.sum(), model.log_table_
    rng = np.random.default_rng(14)
    for _ in range(20):
        near = table + 1e-2 * rng.normal(size=table.shape)
        model.log_table_ = near - np.logaddexp.reduce(near, axis=1, keepdims=True)
        assert model.log_prob(holes).value.sum() <= best + 1e-6


def test_what_follows_an_observed_end_is_no_hole():
    schema, rows = strings(300, seed=15)
    holes = np.where((np.cumsum(rows == 1, axis=1) > 1), MISSING, rows)
    for name in ("independent", "hmm", "network"):
        model, same = (FAMILIES[name]().fit(r, schema=schema) for r in (rows, holes))
        np.testing.assert_array_equal(model.log_prob(rows).value, same.log_prob(rows).value)


# -------------------------------------------------------------------- odd cases


def test_a_hole_is_not_the_missing_mark():
    """A tenth of ``income`` is marked in the table; holes come on top and say nothing of it."""
    rng = np.random.default_rng(16)
    group = rng.integers(0, 2, 3000)
    income = pd.Series(group * 10.0 + rng.integers(0, 10, 3000)).mask(rng.random(3000) < 0.1)
    frame = pd.DataFrame({"group": group.astype(str), "income": income})
    schema = Schema.infer(frame)
    rows = schema.encode(frame)
    mark = schema.variables[1].n_values
    holes = punched(rows, 0.4, seed=17)
    asked = np.array([[MISSING, mark]])
    for make in FAMILIES.values():
        if make is FAMILIES["given"]:
            continue
        model = make().fit(holes, schema=schema)
        assert float(np.exp(model.log_prob(asked).value[0])) == pytest.approx(0.1, abs=0.03)
        drawn = model.sample(500, given=np.full((1, 2), MISSING), seed=1)
        assert (drawn[:, 1] != mark).all()


@every_family
def test_a_column_and_a_row_without_entries(family):
    schema = nominal(2, 2, 2, 3)
    rows = np.concatenate([chain(400, seed=18), np.zeros((400, 1), dtype=np.int64)], axis=1)
    rows[:, 3] = MISSING
    rows[7] = MISSING
    model = FAMILIES[family]().fit(rows, schema=schema)
    masses = np.exp(model.log_prob(schema.enumerate()).value)
    assert masses.sum() == pytest.approx(1, abs=1e-9)
    asked = np.full((3, 4), MISSING)
    asked[:, 3] = np.arange(3)
    # nothing was observed; what is left is the start of the fit, near uniform
    np.testing.assert_allclose(np.exp(model.log_prob(asked).value), 1 / 3, atol=0.12)


@every_family
def test_rows_to_select_on_may_have_holes(family):
    rows, valid = chain(500, seed=19), punched(chain(200, seed=20), 0.3, seed=21)
    model = FAMILIES[family]().fit(rows, valid=valid, schema=nominal(2, 2, 2))
    assert np.isfinite(model.log_prob(valid).value).all()
    model.fit(punched(rows, 0.3, seed=22), valid=valid[(valid != MISSING).all(axis=1)])
    assert np.isfinite(model.log_prob(rows).value).all()


@every_family
def test_a_number_that_is_absent_in_rows_to_select_on_alone_is_a_hole(family):
    """The column had no absent numbers in training, so it has no mark for them."""
    frame = pd.DataFrame(chain(200, seed=32), columns=["x0", "x1", "x2"])
    valid = frame.astype(float)
    valid.iloc[:20, 1] = np.nan
    model = FAMILIES[family]().fit(frame, valid=valid)
    assert not any(v.missing for v in model.schema_.variables)
    assert np.isfinite(model.log_prob(valid).value).all()


@every_family
def test_same_seed_same_model_also_after_saving(family, tmp_path):
    holes = punched(chain(400, seed=23), 0.3, seed=24)
    model, again = (FAMILIES[family]().fit(holes, schema=nominal(2, 2, 2), seed=5) for _ in "ab")
    space = model.schema_.enumerate()
    value = model.log_prob(space).value
    np.testing.assert_array_equal(value, again.log_prob(space).value)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(
        value, genzoo.load_model(tmp_path / "model").log_prob(space).value
    )


def test_a_network_with_holes_keeps_its_budget(ticking):
    data = genzoo.load_dataset("alarm")
    seen = []
    ticking(0.01)
    model = BayesianNetwork().fit(
        punched(data.train, 0.2, seed=25),
        schema=data.schema,
        budget="2s",
        progress=lambda fraction, message: seen.append(fraction),
    )
    assert model.training_.stopped_by == "budget"
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@pytest.mark.parametrize("make", [GAN, TransformerLM])
def test_other_families_refuse_holes(make):
    rows = chain(50, seed=26)
    rows[3, 1] = MISSING
    schema = nominal(2, 2, 2, layout="sequence")
    for data, valid in ((rows, None), (rows[:3], rows[3:])):
        with pytest.raises(ValueError, match=r"is MISSING .*is fitted to complete rows"):
            make().fit(data, valid=valid, schema=schema)


def test_columns_are_ordered_by_the_rows_that_have_both():
    """Pairs far apart in the table are brought together, with holes as without."""
    rng = np.random.default_rng(27)
    first = rng.integers(0, 2, (3000, 3))
    rows = np.concatenate(
        [first, np.where(rng.random(first.shape) < 0.9, first, 1 - first)], axis=1
    )
    holes = punched(rows, 0.3, seed=28)
    cards = np.full(6, 2)
    exact, counted = mutual_information(rows, cards), mutual_information(holes, cards)
    np.testing.assert_allclose(exact, counted, atol=0.07)
    order = column_order(holes, cards).tolist()
    assert all(abs(order.index(d) - order.index(d + 3)) == 1 for d in range(3))
