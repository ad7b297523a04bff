"""The mixture family against independent truths: enumeration, term by term, a known mixture.

Seeds are fixed. Statistical checks raise a false alarm with probability below 1e-5 each, where a
comment does not say otherwise.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from genzoo import MISSING, Mixture, Schema, Variable, load_dataset, load_model
from genzoo.fitting import Budget
from genzoo.models.mixture.em import GROUP, Near, grow, single, step
from genzoo.models.mixture.events import Space, Told
from genzoo.models.mixture.products import Products, union
from genzoo.models.mixture.search import Search, _Climb


def codes(*cards: int, layout: str = "table", end: int | None = None) -> Schema:
    variables = tuple(Variable(f"x{d}", "nominal", c) for d, c in enumerate(cards))
    return Schema(variables, layout, (len(cards),), end)


def strings(n: int, T: int, seed: int) -> tuple[Schema, np.ndarray]:
    """Strings of mostly one repeated symbol; END is code 1, neither the first nor the last."""
    rng = np.random.default_rng(seed)
    rows = np.full((n, T), 1)
    for i, length in enumerate(rng.integers(0, T + 1, n)):
        noisy = rng.random(length) < 0.2
        rows[i, :length] = np.where(noisy, rng.choice([0, 2, 3], length), rng.choice([0, 2, 3]))
    return codes(*[4] * T, layout="sequence", end=1), rows


def grouped(cards: tuple[int, ...], n: int, seed: int) -> np.ndarray:
    """Rows of three kinds; each variable says with some noise which."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, (n, 1))
    return np.where(rng.random((n, len(cards))) < 0.7, kind, rng.integers(0, 8, (n, 1))) % cards


FRAME = Schema(
    (
        Variable("group", "nominal", 3),
        Variable("constant", "nominal", 1),
        Variable("price", "ordinal", 61, offset=0, step=1, missing=True),
        Variable("level", "ordinal", 50, offset=0, step=1),
    ),
    "table",
    (4,),
)


def frame_rows(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    price = np.clip(rng.normal(10 + 18 * group, 4, n), 0, 59).astype(int)
    price[rng.random(n) < 0.1] = 60
    level = np.clip(rng.normal(5 + 15 * group, 3, n), 0, 49).astype(int)
    return np.stack([group, np.zeros(n, dtype=int), price, level], axis=1)


IMAGE = Schema(tuple(Variable(f"x{d}", "nominal", 2) for d in range(9)), "image", (3, 3))
SPACES = {
    "table": (codes(2, 3, 1, 5, 2), grouped((2, 3, 1, 5, 2), 300, seed=2)),
    "image": (IMAGE, grouped((2,) * 9, 300, seed=3)),
    "strings": strings(300, 4, seed=0),
    "frame": (FRAME, frame_rows(300, seed=1)),
    "one variable": (codes(4), grouped((4,), 100, seed=4)),
    "END alone": (codes(1, 1, layout="sequence", end=0), np.zeros((50, 2), dtype=np.int64)),
}
every_space = pytest.mark.parametrize("name", SPACES)


def fitted(name: str, **params) -> Mixture:
    schema, rows = SPACES[name]
    return Mixture(**{"n_components": 3, "n_restarts": 1, **params}).fit(
        rows, schema=schema, budget="20 steps"
    )


def punched(rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(rows.shape) < share, MISSING, rows)


def settled(schema: Schema, row: np.ndarray) -> np.ndarray:
    """What follows an observed END is END."""
    return row if schema.end is None else np.where(np.cumsum(row == schema.end), schema.end, row)


# -------------------------------------------------------------------- exact answers


@every_space
@pytest.mark.parametrize("n_components", [1, 5, None])
def test_masses_sum_to_one(name: str, n_components: int | None) -> None:
    model = fitted(name, n_components=n_components)
    assert n_components in (None, model.n_components_)
    value = model.log_prob(model.schema_.enumerate()).value
    assert np.exp(value).sum() == pytest.approx(1, abs=1e-9)


@every_space
def test_missing_is_summed_out(name: str) -> None:
    model = fitted(name)
    schema = model.schema_
    space = schema.enumerate()
    value = model.log_prob(space).value
    rng = np.random.default_rng(3)
    rows = punched(space[rng.integers(0, len(space), 40)], 0.5, seed=5)
    for row, answer in zip(rows, model.log_prob(rows).value, strict=True):
        row = settled(schema, row)
        agree = ((space == row) | (row == MISSING)).all(axis=1)
        assert answer == pytest.approx(np.logaddexp.reduce(value[agree]), abs=1e-9)


@pytest.mark.parametrize("name", ["table", "image", "strings", "frame"])
def test_completions_follow_the_conditional(name: str) -> None:
    model = fitted(name)
    space = model.schema_.enumerate()
    value = model.log_prob(space).value
    reached = np.flatnonzero(model.schema_.reached(space).all(axis=1))
    row = space[reached[len(reached) // 2]]
    given = np.where(np.arange(len(row)) % 2 == 1, row, MISSING)
    compare_completions(model, given, space, value)


def test_completions_of_a_string_whose_end_is_hidden() -> None:
    """a ? ? END: the string ended at the second, the third or the fourth position."""
    model = fitted("strings")
    space = model.schema_.enumerate()
    given = np.array([0, MISSING, MISSING, 1])
    compare_completions(model, given, space, model.log_prob(space).value)


def compare_completions(
    model: Mixture, given: np.ndarray, space: np.ndarray, value: np.ndarray
) -> None:
    agree = ((space == given) | (given == MISSING)).all(axis=1)
    marks = np.array([v.n_values if v.missing else -2 for v in model.schema_.variables])
    agree &= ~((space == marks) & (given == MISSING)).any(axis=1)  # never the missing mark
    drawn = model.sample(20_000, given=given, seed=4)
    places = np.cumprod([1, *model.schema_.cards[:0:-1]])[::-1]
    wanted = dict(zip(space[agree] @ places, np.exp(value[agree]), strict=True))
    cells, counts = np.unique(drawn @ places, return_counts=True)
    seen = dict(zip(cells, counts, strict=True))
    assert set(seen) <= set(wanted), "a completion contradicts what was given"
    expected = np.array(list(wanted.values()))
    expected *= 20_000 / expected.sum()
    observed = np.array([seen.get(cell, 0) for cell in wanted], dtype=float)
    small = expected < 5
    observed = np.append(observed[~small], observed[small].sum())
    expected = np.append(expected[~small], expected[small].sum())
    keep = expected > 0
    assert stats.chisquare(observed[keep], expected[keep]).pvalue > 1e-6


@pytest.mark.parametrize("name", ["table", "strings", "frame"])
def test_responsibilities_are_the_posterior_of_the_component(name: str) -> None:
    """Against Bayes' rule, with each component scored as a mixture of its own."""
    model = fitted(name)
    rows = punched(SPACES[name][1][:50], 0.3, seed=6)
    shares = model.responsibilities(rows)
    assert shares.shape == (50, 3)
    parts = []
    for k in range(3):
        one = fitted(name)
        one.products_ = Products(np.zeros(1), model.products_.theta[:, [k]])
        parts.append(model.weights_[k] * np.exp(one.log_prob(rows).value))
    joint = np.stack(parts, axis=1)
    np.testing.assert_allclose(shares, joint / joint.sum(axis=1, keepdims=True), atol=1e-9)


def test_a_string_is_a_product_up_to_its_first_end() -> None:
    """Term by term, from the tables."""
    model = fitted("strings")
    theta = model.products_.theta.reshape(4, 4, 3)  # (T, M, K)
    row = np.array([2, 0, 1, 1])
    by_hand = model.weights_ @ (theta[0, 2] * theta[1, 0] * theta[2, 1])
    assert model.log_prob(row[None]).value[0] == pytest.approx(np.log(by_hand), abs=1e-9)


# -------------------------------------------------------------------- EM


def objective(mixture: Products, told: Told, prior: np.ndarray) -> float:
    """Log-likelihood and log Dirichlet densities, in nats, up to a constant."""
    return float(
        told.weights @ mixture.log_prob(told)
        + (prior * np.log(mixture.theta)).sum()
        + mixture.log_weights.mean()
    )


@pytest.mark.parametrize("name", ["table", "image", "strings"])
@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_em_never_lowers_the_penalised_likelihood(name: str, holes: float) -> None:
    schema, rows = SPACES[name]
    rows = np.array([settled(schema, row) for row in punched(rows, holes, seed=7)])
    barred = np.full(schema.D, -1 if schema.end is None else schema.end)
    space = Space(schema.cards, schema.end, barred)
    told = Told.distinct(space, rows)
    one = single(space, told)
    mixture, _ = grow(one, told, 6, 0.5, np.random.default_rng(8))
    prior = np.repeat(2.0 * one.theta, 6, axis=1)
    before = objective(mixture, told, prior)
    gains = []
    for _ in range(30):
        mean = float(told.weights @ mixture.log_prob(told)) / told.n
        mixture, stated = step(mixture, told, prior)
        assert stated == pytest.approx(mean, abs=1e-4)  # single precision
        now = objective(mixture, told, prior)
        gains.append(now - before)
        before = now
    assert min(gains) > -1e-3, "of hundreds of nats"
    assert sum(gains) > 1.0


def test_an_iteration_on_strings_is_that_of_all_completions_by_their_probability() -> None:
    """EM on strings with holes, where an END may be hidden, is EM on every weighed completion.

    Symbols in holes are filled in by the present tables, so the iterations are the same ones.
    """
    schema, rows = strings(60, 4, seed=9)
    holes = np.array([settled(schema, row) for row in punched(rows, 0.4, seed=9)])
    # what lies open behind the last symbol, without an END, is not told and not filled in
    holes = holes[(holes == 1).any(axis=1) | (holes[:, -1] != MISSING)]
    assert len(holes) > 30
    space = Space(schema.cards, 1, np.full(4, 1))
    told = Told.of(space, holes)
    mixture, _ = grow(single(space, told), told, 3, 0.5, np.random.default_rng(10))
    prior = np.full((16, 3), 0.3)
    every = schema.enumerate()
    mass = np.exp(mixture.joint(Told.of(space, every)))  # (N, K)
    weights = np.zeros(len(every))
    for row in holes:
        agree = ((every == row) | (row == MISSING)).all(axis=1)
        weights += np.where(agree, mass.sum(axis=1), 0.0) / mass[agree].sum()
    by_hand, _ = step(mixture, Told.of(space, every, weights), prior)
    holey, _ = step(mixture, told, prior)
    np.testing.assert_allclose(holey.log_weights, by_hand.log_weights, atol=1e-5)
    np.testing.assert_allclose(holey.theta, by_hand.theta, atol=1e-5)


def test_a_known_mixture_is_recovered() -> None:
    """8,000 rows of 3 products of 8 variables: held-out rows lose less than 0.02 nats to the truth.

    The expected loss of maximum likelihood with the 50 free numbers is 50 / (2 x 7,200) = 0.0035.
    """
    rng = np.random.default_rng(11)
    weights, theta = np.array([0.5, 0.3, 0.2]), rng.dirichlet(np.full(3, 0.5), (3, 8))
    kind = rng.choice(3, 16_000, p=weights)
    level = rng.random((16_000, 8, 1))
    rows = (level > np.cumsum(theta[kind], axis=2)).sum(axis=2)
    terms = np.log(theta[:, np.arange(8), rows]).sum(axis=2) + np.log(weights)[:, None]
    truth = np.logaddexp.reduce(terms, axis=0)
    model = Mixture(n_components=3, n_restarts=3).fit(rows[:8000], schema=codes(*[3] * 8))
    lost = (truth[8000:] - model.log_prob(rows[8000:]).value).mean()
    assert lost < 0.02
    np.testing.assert_allclose(np.sort(model.weights_), [0.2, 0.3, 0.5], atol=0.05)
    grown = Mixture(n_restarts=2).fit(rows[:8000], schema=codes(*[3] * 8))
    assert (truth[8000:] - grown.log_prob(rows[8000:]).value).mean() < 0.02


def test_a_fit_with_holes_is_close_to_that_of_complete_rows() -> None:
    """A third of the entries gone: complete test rows lose less than a fifth of what there is."""
    rows = grouped((2, 3, 4, 3, 2, 4), 4000, seed=12)
    schema, test = codes(2, 3, 4, 3, 2, 4), grouped((2, 3, 4, 3, 2, 4), 4000, seed=13)
    full, holed, alone = (
        Mixture(n_components=K, n_restarts=2).fit(data, schema=schema).log_prob(test).value.mean()
        for K, data in ((4, rows), (4, punched(rows, 0.33, seed=14)), (1, rows))
    )
    assert full - alone > 0.3
    assert full - holed < 0.2 * (full - alone)


def test_strings_with_holes_are_told_from_those_that_ended() -> None:
    """What is fitted to strings with holes says of whole strings about what they say themselves."""
    schema, rows = strings(3000, 5, seed=15)
    _, test = strings(3000, 5, seed=16)
    full, holed = (
        Mixture(n_components=6, n_restarts=2).fit(data, schema=schema).log_prob(test).value.mean()
        for data in (rows, punched(rows, 0.25, seed=17))
    )
    assert full - holed < 0.1, "of 0.4 nats that components tell"


# -------------------------------------------------------------------- the search


def test_the_same_seed_gives_the_same_mixture() -> None:
    rows, schema = grouped((2,) * 8, 400, seed=18), codes(*[2] * 8)
    values = [
        Mixture(n_restarts=2, pseudo_count=4.0)
        .fit(rows, schema=schema, seed=seed)
        .log_prob(rows)
        .value
        for seed in (1, 1, 2)
    ]
    assert (values[0] == values[1]).all()
    assert (values[0] != values[2]).any()


@pytest.mark.parametrize(("D", "seed"), [(3, 3), (80, 2)])
def test_em_ends_where_an_iteration_gains_little_however_many_nats_a_row_has(
    D: int, seed: int
) -> None:
    rows = grouped((3,) * D, 1500, seed=seed)
    model = Mixture(n_components=4, pseudo_count=1.0, n_restarts=1)
    curve = model.fit(rows, schema=codes(*[3] * D)).training_.curve
    gains = np.diff([point.valid for point in curve])
    little = (gains >= 0) & (gains < 5e-4)
    assert little[-1]
    assert little.sum() == 2  # the ends of one product and of four
    assert len(gains) > 4


def test_a_number_of_steps_repeats_what_that_many_steps_gave() -> None:
    rows, schema = grouped((3,) * 6, 400, seed=19), codes(*[3] * 6)
    timed = Mixture(n_restarts=2).fit(rows, schema=schema, budget="0.2s")
    again = Mixture(n_restarts=2).fit(rows, schema=schema, budget=f"{timed.training_.steps} steps")
    assert (timed.log_prob(rows).value == again.log_prob(rows).value).all()


def test_validation_rows_choose_and_do_not_teach() -> None:
    """With other validation rows and all else given, the mixtures on offer are the same ones."""
    schema = codes(*[2] * 8)
    train, valid = np.zeros((200, 8), dtype=np.int64), np.ones((100, 8), dtype=np.int64)
    model = Mixture().fit(train, schema=schema, valid=valid)
    # smoothing alone: each variable's 1 has mass (0 + 0.5) / 201 and at most what a prior adds
    assert model.log_prob(valid[:1]).value[0] < 8 * np.log(0.01)


def test_a_budget_is_kept_and_the_number_of_components_too() -> None:
    rows, schema = grouped((3,) * 10, 2000, seed=20), codes(*[3] * 10)
    model = Mixture(n_components=40).fit(rows, schema=schema, budget="2 steps")
    assert model.n_components_ == 40
    assert (model.training_.steps, model.training_.stopped_by) == (2, "budget")
    assert any("ended" in note for note in model.training_.notes)
    for steps in range(1, 25):  # some of them end just where a stage had settled
        model = Mixture().fit(rows[:200], schema=schema, budget=f"{steps} steps")
        assert model.training_.steps == steps


def test_a_union_is_the_mean_of_its_mixtures() -> None:
    schema, rows = SPACES["table"]
    space = Space(schema.cards, None, np.full(schema.D, -1))
    told = Told.of(space, rows)
    one = single(space, told)
    parts = [grow(one, told, K, 0.5, np.random.default_rng(K))[0] for K in (2, 5)]
    mean = np.mean([np.exp(part.log_prob(told)) for part in parts], axis=0)
    np.testing.assert_allclose(np.exp(union(parts).log_prob(told)), mean, rtol=1e-9)


def test_more_components_than_one_are_chosen_where_they_pay() -> None:
    """Held-out rows of independent variables lose less than 0.02 nats to the marginals."""
    dependent, rng = grouped((3,) * 6, 2000, seed=21), np.random.default_rng(22)
    independent = np.stack([rng.permutation(column) for column in dependent.T], axis=1)
    schema, train, test = codes(*[3] * 6), slice(0, 1000), slice(1000, 2000)
    grown = Mixture(n_restarts=2)
    assert grown.fit(dependent[train], schema=schema).n_components_ >= 4
    value = grown.fit(independent[train], schema=schema).log_prob(independent[test]).value
    alone = Mixture(n_components=1).fit(independent[train], schema=schema)
    assert (alone.log_prob(independent[test]).value - value).mean() < 0.02


def test_save_and_load(tmp_path) -> None:
    for name in ("strings", "frame"):
        model = fitted(name)
        model.save(tmp_path / name)
        again = load_model(tmp_path / name)
        rows = punched(SPACES[name][1][:30], 0.3, seed=23)
        assert (model.log_prob(rows).value == again.log_prob(rows).value).all()
        assert (model.responsibilities(rows) == again.responsibilities(rows)).all()
        assert (model.sample(50, seed=1) == again.sample(50, seed=1)).all()
        assert model.n_parameters_ == again.n_parameters_


def test_parameters_are_counted() -> None:
    """Four products of binary variables: 4 x 9 probabilities and 3 free weights."""
    assert fitted("image", n_components=4).n_parameters_ == 4 * 9 + 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_components", 0),
        ("n_components", 1.5),
        ("n_components", 10**7),
        ("pseudo_count", 0.0),
        ("n_restarts", 0),
    ],
)
def test_bad_parameters(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Mixture(**{name: value}).fit(SPACES["table"][1], schema=SPACES["table"][0])


def test_an_iteration_over_the_near_components_is_about_that_over_all() -> None:
    rows = grouped((3,) * 12, 2000, seed=24)
    space = Space(np.full(12, 3), None, np.full(12, -1))
    told = Told.of(space, rows)
    one = single(space, told)
    mixture, _ = grow(one, told, 32, 0.9, np.random.default_rng(25))
    for _ in range(10):
        mixture, _ = step(mixture, told, np.full((36, 32), 0.1))
    grown, parents = grow(mixture, told, 128, 0.5, np.random.default_rng(26))
    near = Near.of(mixture, told, parents)
    assert len(near.components) == -(-len(rows) // GROUP)
    assert near.size < 100, "of 128"
    prior = np.full((36, 128), 0.5)
    of_all, bound = step(grown, told, prior)
    of_near, below = step(grown, told, prior, near)
    assert bound - 0.01 < below < bound
    np.testing.assert_allclose(np.exp(of_near.log_weights), np.exp(of_all.log_weights), atol=1e-3)
    np.testing.assert_allclose(of_near.theta, of_all.theta, atol=0.01)


def test_growth_ends_where_a_size_gains_little() -> None:
    """Four kinds of row: no climb goes on to the thousands that the rows would allow."""
    rows, schema = grouped((3,) * 40, 3000, seed=27), codes(*[3] * 40)
    model = Mixture(n_restarts=2, pseudo_count=4.0).fit(rows, schema=schema)
    assert model.training_.stopped_by == "converged"
    assert 3 <= model.n_components_ <= 512
    assert model.training_.work["climbs"] == 2


def test_the_prior_is_as_strong_as_few_wide_rows_need() -> None:
    """Where weak priors learn rows by heart at once, none above one product gains: stronger ones
    are to be tried all the same."""
    text = load_dataset("tinyshakespeare")
    valid = text.valid[:300]
    value = {
        weight: Mixture(n_restarts=2, pseudo_count=weight)
        .fit(text.train[:2000], valid=valid, schema=text.schema)
        .log_prob(valid)
        .value.mean()
        for weight in (None, 4.0, 256.0)
    }
    assert value[256.0] > value[4.0] + 1
    assert value[None] >= value[256.0]


def test_of_very_many_rows_a_part_leads_near_to_what_all_lead_to(monkeypatch) -> None:
    """As if thousands of rows were very many: EM on a part of them, a few iterations over all."""
    rows, schema = grouped((3,) * 9, 12_000, seed=29), codes(*[3] * 9)
    fresh = grouped((3,) * 9, 4000, seed=30)

    def fitted() -> Mixture:
        return Mixture(n_components=4, n_restarts=1, pseudo_count=4.0).fit(rows, schema=schema)

    whole, teaching = fitted(), []
    monkeypatch.setattr("genzoo.models.mixture.search.CHEAP", 0.0)
    drawn = Told.drawn
    monkeypatch.setattr(
        Told, "drawn", lambda told, n, rng: teaching.append((n, told.n)) or drawn(told, n, rng)
    )
    monkeypatch.setattr("genzoo.models.mixture.search.WARM_ROWS", 1)
    part = fitted()
    assert [n < all_ / 4 for n, all_ in teaching] == [True]
    over_all = len(part.training_.curve) - 2  # without those of the single product
    assert over_all < len(whole.training_.curve) - 2
    gap = whole.log_prob(fresh).value - part.log_prob(fresh).value
    assert gap.mean() < 0.02
    again = Mixture(n_components=4, n_restarts=1, pseudo_count=4.0)
    again.fit(rows, schema=schema, budget=Budget.replay(part.training_))
    np.testing.assert_array_equal(again.products_.theta, part.products_.theta)


def test_rows_are_drawn_without_replacement() -> None:
    rows, schema = grouped((3, 3), 900, seed=31), codes(3, 3)
    space = Space(schema.cards, None, np.full(2, -1))
    told = Told.distinct(space, rows)
    rng = np.random.default_rng(32)
    some = told.drawn(300, rng)
    assert some.n == 300
    assert len(some.weights) <= len(told.weights) == 9
    everyone = told.drawn(900, rng)
    np.testing.assert_array_equal(everyone.weights, told.weights)
    np.testing.assert_array_equal(everyone.ones.toarray(), told.ones.toarray())


def test_draws_take_no_table_of_rows_by_codes() -> None:
    """20,000 rows of a column of 2,600 values: such a table would have 52 million numbers."""
    rng = np.random.default_rng(28)
    rows = np.stack([rng.integers(0, 2600, 3000), rng.integers(0, 3, 3000)], axis=1)
    model = Mixture(n_components=2, n_restarts=1, pseudo_count=4.0)
    model.fit(rows, schema=codes(2600, 3), budget="3 steps")
    tracemalloc.start()
    drawn = model.sample(20_000, seed=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * drawn.nbytes + 2**22
    expected = np.exp(model.log_prob(np.stack([np.full(3, MISSING), np.arange(3)], axis=1)).value)
    assert stats.chisquare(np.bincount(drawn[:, 1]), 20_000 * expected).pvalue > 1e-6


def test_a_climb_without_room_for_its_first_size_counts_as_none(monkeypatch) -> None:
    one = Products(np.zeros(1), np.full((2, 1), 0.5))
    monkeypatch.setattr(Search, "_goes_on", lambda self, K: K == 1)
    monkeypatch.setattr(Search, "_begun", lambda *_: _Climb(4.0, 1, {1: one}))
    monkeypatch.setattr(Search, "_sizes", lambda self: iter([4]))
    search = object.__new__(Search)
    assert search._tried(4.0, 2, 4, _Climb(4.0, 0), []) == []
