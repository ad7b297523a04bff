"""The HMM family against independent truths: enumeration, hmmlearn, a known chain.

Statistical checks raise a false alarm with probability below 1e-6 each.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import chisquare

from genzoo.models.hmm.em import ChainEM, Sequences, Watch
from genzoo.models.hmm.forward import Chain, Shape
from genzoo.models.hmm.model import HMM
from genzoo.models.hmm.search import Limits
from genzoo.models.independent import Independent
from genzoo.models.shared.column_order import column_order, mutual_information
from genzoo.registry import load_dataset
from genzoo.space.schema import MISSING, Schema, Variable

CASINO_START = np.array([2 / 3, 1 / 3])
CASINO_MOVES = np.array([[0.95, 0.05], [0.10, 0.90]])
CASINO_DICE = np.array([[1 / 6] * 6, [0.1] * 5 + [0.5]])


def casino(n: int, T: int, seed: int) -> np.ndarray:
    """Rolls of the occasionally dishonest casino (Durbin et al. 1998)."""
    rng = np.random.default_rng(seed)
    states = (rng.random(n) > CASINO_START[0]).astype(int)
    rolls = np.empty((n, T), dtype=np.int64)
    for t in range(T):
        if t:
            states = (rng.random(n) > CASINO_MOVES[states, 0]).astype(int)
        rolls[:, t] = (rng.random((n, 1)) > CASINO_DICE[states].cumsum(axis=1)).sum(axis=1)
    return rolls


def hmmlearn_casino():
    from hmmlearn.hmm import CategoricalHMM

    model = CategoricalHMM(n_components=2, n_features=6, init_params="")
    model.startprob_, model.transmat_ = CASINO_START, CASINO_MOVES
    model.emissionprob_ = CASINO_DICE
    return model


def codes(*cards: int, layout: str = "table", shape=None, end=None) -> Schema:
    variables = tuple(Variable(f"x{d}", "nominal", c) for d, c in enumerate(cards))
    return Schema(variables, layout, shape or (len(cards),), end)


def chained_rows(cards, n: int, seed: int) -> np.ndarray:
    """Rows in which each variable often follows the one before."""
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.integers(0, c, n) for c in cards], axis=1)
    for d in range(1, len(cards)):
        follow = rng.random(n) < 0.8
        rows[follow, d] = np.minimum(rows[follow, d - 1], cards[d] - 1)
    return rows


def strings(n: int, T: int, n_symbols: int, seed: int) -> tuple[Schema, np.ndarray]:
    """Strings of repeated symbols; END is neither the first nor the last code."""
    end = 1
    rng = np.random.default_rng(seed)
    symbols = np.array([c for c in range(n_symbols + 1) if c != end])
    rows = np.full((n, T), end)
    for i, length in enumerate(rng.integers(0, T + 1, n)):
        first = rng.choice(symbols)
        noisy = rng.random(length) < 0.2
        rows[i, :length] = np.where(noisy, rng.choice(symbols, length), first)
    return codes(*[n_symbols + 1] * T, layout="sequence", shape=(T,), end=end), rows


def ordinal_frame_schema() -> Schema:
    edges = tuple(np.linspace(0.0, 100.0, 61).tolist())
    return Schema(
        (
            Variable("group", "nominal", 3),
            Variable("constant", "nominal", 1),
            Variable("price", "ordinal", offset=0.0, step=0.01, edges=edges, missing=True),
            Variable("level", "ordinal", 50, offset=0.0, step=1.0),
        ),
        "table",
        (4,),
    )


def ordinal_rows(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    price = np.clip(rng.normal(10 + 18 * group, 4, n), 0, 59).astype(int)
    price[rng.random(n) < 0.1] = 60
    level = np.clip(rng.normal(5 + 15 * group, 3, n), 0, 49).astype(int)
    return np.stack([group, np.zeros(n, dtype=int), price, level], axis=1)


END_SCHEMA, END_ROWS = strings(300, 4, 3, seed=0)
SPACES = {
    "table of mixed cardinalities": (codes(2, 3, 1, 5, 2), (2, 3, 1, 5, 2)),
    "sequence": (codes(3, 3, 3, 3, layout="sequence"), (3,) * 4),
    "sequence with channels": (
        codes(2, 3, 2, 3, 2, 3, layout="sequence", shape=(3, 2)),
        (2, 3) * 3,
    ),
    "sequence of unlike steps": (codes(2, 3, 4, layout="sequence"), (2, 3, 4)),
    "image": (codes(*[2] * 9, layout="image", shape=(3, 3)), (2,) * 9),
    "image with channels": (codes(*[2] * 12, layout="image", shape=(2, 3, 2)), (2,) * 12),
    "one row of pixels": (codes(2, 2, 2, layout="image", shape=(1, 3)), (2, 2, 2)),
    "one variable": (codes(4), (4,)),
}


def fitted(name: str, **params) -> HMM:
    params = {"n_states": 3, "n_restarts": 1, **params}
    if name == "strings":
        return HMM(**params).fit(END_ROWS, schema=END_SCHEMA, budget="20 steps")
    if name == "frame":
        rows, schema = ordinal_rows(300, seed=1), ordinal_frame_schema()
        return HMM(**params).fit(rows, schema=schema, budget="20 steps")
    schema, cards = SPACES[name]
    return HMM(**params).fit(chained_rows(cards, 300, seed=2), schema=schema, budget="20 steps")


ALL_SPACES = [*SPACES, "strings", "frame"]


@pytest.mark.parametrize("transitions", ["ergodic", "left_right"])
@pytest.mark.parametrize("name", ALL_SPACES)
def test_masses_sum_to_one(name: str, transitions: str) -> None:
    model = fitted(name, transitions=transitions)
    value = model.log_prob(model.schema_.enumerate()).value
    assert np.exp(value).sum() == pytest.approx(1, abs=1e-9)
    assert np.isfinite(value).all()


@pytest.mark.parametrize("transitions", ["ergodic", "left_right"])
@pytest.mark.parametrize("name", ALL_SPACES)
def test_missing_is_summed_out(name: str, transitions: str) -> None:
    model = fitted(name, transitions=transitions)
    space = model.schema_.enumerate()
    value = model.log_prob(space).value
    rng = np.random.default_rng(3)
    rows = space[rng.integers(0, len(space), 12)]
    rows = np.where(rng.random(rows.shape) < 0.5, MISSING, rows)
    for row, answer in zip(rows, model.log_prob(rows).value, strict=True):
        if model.schema_.end is not None:  # what follows an observed END is END
            row = np.where(np.cumsum(row == model.schema_.end) > 0, model.schema_.end, row)
        agree = ((space == row) | (row == MISSING)).all(axis=1)
        assert answer == pytest.approx(np.logaddexp.reduce(value[agree]), abs=1e-9)


@pytest.mark.parametrize("name", ["table of mixed cardinalities", "strings", "image", "frame"])
def test_completions_follow_the_conditional(name: str) -> None:
    model = fitted(name)
    space = model.schema_.enumerate()
    value = model.log_prob(space).value
    reached = np.flatnonzero(model.schema_.reached(space).all(axis=1))
    row = space[reached[len(reached) // 2]]
    given = np.where(np.arange(len(row)) % 2 == 1, row, MISSING)
    agree = ((space == given) | (given == MISSING)).all(axis=1)
    marks = np.array([v.n_values if v.missing else -2 for v in model.schema_.variables])
    agree &= ~((space == marks) & (given == MISSING)).any(axis=1)  # never the missing mark
    drawn = model.sample(20_000, given=given, seed=4)
    places = np.cumprod([1, *model.schema_.cards[:0:-1]])[::-1]
    cells, counts = np.unique(drawn @ places, return_counts=True)
    expected = dict(zip(space[agree] @ places, np.exp(value[agree]), strict=True))
    assert set(cells) <= set(expected), "a completion contradicts what was given"
    seen = dict(zip(cells, counts, strict=True))
    observed = np.array([seen.get(cell, 0) for cell in expected], dtype=float)
    wanted = np.array(list(expected.values()))
    wanted *= 20_000 / wanted.sum()
    small = wanted < 5
    observed = np.append(observed[~small], observed[small].sum())
    wanted = np.append(wanted[~small], wanted[small].sum())
    keep = wanted > 0
    assert chisquare(observed[keep], wanted[keep]).pvalue > 1e-6


def path_masses(chain: Chain, row: np.ndarray) -> dict[tuple[int, ...], float]:
    """p(states, observed entries) of every path of states, term by term."""
    masses = {}
    for path in itertools.product(range(chain.S), repeat=chain.shape.T):
        mass = chain.start[path[0]]
        for t, s in enumerate(path):
            if t:
                k = t - 1 if len(chain.transitions) > 1 else 0
                mass *= chain.transitions[k][path[t - 1], s]
            for d in chain.shape.steps[t]:
                if row[d] != MISSING:
                    mass *= chain.emissions[chain.shape.tables[d], row[d], s]
        masses[path] = mass
    return masses


@pytest.mark.parametrize("name", ["table of mixed cardinalities", "image", "strings"])
def test_inference_agrees_with_all_paths(name: str) -> None:
    model = fitted(name)
    space = model.schema_.enumerate()
    rows = space[:: len(space) // 10].copy()
    rows[1, 0] = MISSING
    at = np.argsort(model.chain_.shape.steps[:, 0]) if name.startswith("table") else slice(None)
    states, posteriors = model.decode_states(rows), model.state_posteriors(rows)
    assert states.dtype == np.int64
    for i, row in enumerate(rows):
        masses = path_masses(model.chain_, row)
        total = sum(masses.values())
        assert model.log_prob(row[None]).value[0] == pytest.approx(np.log(total), abs=1e-9)
        expected = np.zeros((model.chain_.shape.T, model.chain_.S))
        for path, mass in masses.items():
            expected[np.arange(len(path)), path] += mass / total
        np.testing.assert_allclose(posteriors[i], expected[at], atol=1e-9)
        best = np.array(max(masses, key=masses.get))
        np.testing.assert_array_equal(states[i], best[at])


def test_states_of_ended_strings_are_the_absorbing_one() -> None:
    model = fitted("strings")
    states = model.decode_states(END_ROWS)
    assert model.n_states_ == 3
    np.testing.assert_array_equal(states == model.n_states_, END_SCHEMA.end == END_ROWS)


def test_log_prob_agrees_with_hmmlearn() -> None:
    rows = casino(20, 12, seed=5)
    model = HMM(n_states=2).fit(rows, schema=codes(*[6] * 12, layout="sequence"))
    peer = hmmlearn_casino()
    peer.startprob_, peer.transmat_ = model.chain_.start, model.chain_.transitions[0]
    peer.emissionprob_ = model.chain_.emissions[0].T
    expected = [peer.score(row[:, None]) for row in rows]
    np.testing.assert_allclose(model.log_prob(rows).value, expected, atol=1e-9)
    states = [peer.decode(row[:, None])[1] for row in rows]
    np.testing.assert_array_equal(model.decode_states(rows), states)


def test_em_agrees_with_hmmlearn() -> None:
    """Ten iterations from one start, strings of unlike lengths, weights against repetition."""
    from hmmlearn.hmm import CategoricalHMM

    rng = np.random.default_rng(6)
    lengths = rng.integers(1, 9, 40)
    X = np.concatenate([casino(1, m, seed=i)[0] for i, m in enumerate(lengths)])[:, None]
    weights = rng.integers(1, 4, 40)
    chain = Chain(
        Shape(np.arange(8)[:, None], np.zeros(8, dtype=int), np.array([6]), 1),
        np.array([0.6, 0.4]),
        np.array([[[0.7, 0.3], [0.2, 0.8]]]),
        rng.dirichlet(np.ones(6), size=2).T,
    )
    watch = Watch(0.0, 10, lambda: True)
    marginal = np.bincount(X[:, 0], minlength=6) / len(X)
    em = ChainEM(
        chain,
        weights=weights.astype(float),
        emission_prior=2.0 * marginal[:, None],
        transition_prior=1.0,
        monitor=watch,
    ).fit(X, lengths)
    peer = CategoricalHMM(
        n_components=2, n_features=6, init_params="", n_iter=10, tol=0.0,
        startprob_prior=1.5, transmat_prior=1.5, emissionprob_prior=1 + 2.0 * marginal,
    )  # fmt: skip
    peer.startprob_, peer.transmat_ = chain.start, chain.transitions[0]
    peer.emissionprob_ = chain.emissions[0].T
    parts = np.split(X, np.cumsum(lengths)[:-1])
    repeated = [part for part, w in zip(parts, weights, strict=True) for _ in range(w)]
    peer.fit(np.concatenate(repeated), np.repeat(lengths, weights))
    np.testing.assert_allclose(em.chain.start, peer.startprob_, atol=1e-4)
    np.testing.assert_allclose(em.chain.transitions[0], peer.transmat_, atol=1e-4)
    np.testing.assert_allclose(em.chain.emissions[0].T, peer.emissionprob_, atol=1e-4)
    gains = np.diff(watch.history)
    assert (gains > -1e-3).all(), "EM climbs"


def test_casino_is_learned() -> None:
    train, test = casino(1500, 30, seed=7), casino(1000, 30, seed=8)
    model = HMM().fit(train, schema=codes(*[6] * 30, layout="sequence"))
    truth = np.array([hmmlearn_casino().score(row[:, None]) for row in test])
    gap = (truth - model.log_prob(test).value) / 30
    assert gap.mean() < 0.01
    assert model.training_.converged
    assert model.training_.stopped_by == "converged"


def test_constant_columns_do_not_decide_when_em_ends() -> None:
    rows, constants = chained_rows((3,) * 8, 1500, seed=1), np.zeros((1500, 80), dtype=int)
    model = HMM(n_states=4, n_restarts=1, pseudo_count=1.0)
    steps = [
        model.fit(some, schema=codes(*[3] * 8, *[1] * (some.shape[1] - 8))).training_.steps
        for some in (rows, np.concatenate([rows, constants], axis=1))
    ]
    assert 0.5 < steps[1] / steps[0] < 1.5


def test_columns_that_share_much_are_read_together() -> None:
    rows = chained_rows((3,) * 12, 2000, seed=9)
    shuffle = np.random.default_rng(10).permutation(12)
    shuffled = rows[:, shuffle]
    order = shuffle[column_order(shuffled, np.full(12, 3))]
    assert order.tolist() in (list(range(12)), list(range(11, -1, -1)))
    model = HMM(n_states=9).fit(shuffled[:1500], schema=codes(*[3] * 12))
    gain = model.log_prob(shuffled[1500:]).value.mean()
    gain -= Independent().fit(shuffled[:1500], schema=codes(*[3] * 12)).score(shuffled[1500:])
    assert gain > 0.8 * mutual_information(rows, np.full(12, 3)).diagonal(1).sum()


def test_mutual_information_of_copies_and_strangers() -> None:
    rng = np.random.default_rng(11)
    a, b = rng.integers(0, 4, (2, 5000))
    information = mutual_information(np.stack([a, a, b], axis=1), np.array([4, 4, 4]))
    assert information[0, 1] == pytest.approx(np.log(4), abs=0.01)
    assert information[0, 2] < 0.01
    assert (np.diag(information) == 0).all()


def test_columns_of_many_codes_are_read_by_their_frequent_ones() -> None:
    rng = np.random.default_rng(12)
    a, b = rng.geometric(0.2, (2, 4000)) % 3000
    rows = np.stack([a, b, a, b], axis=1)
    order = column_order(rows, np.full(4, 3000)).tolist()
    assert abs(order.index(0) - order.index(2)) == 1
    assert abs(order.index(1) - order.index(3)) == 1


def test_nothing_behind_an_end_is_counted() -> None:
    """Strings padded with 30 more ENDs: same masses as without."""
    short, rows = strings(200, 4, 3, seed=12)
    long = codes(*[4] * 34, layout="sequence", shape=(34,), end=1)
    padded = np.concatenate([rows, np.full((200, 30), 1)], axis=1)
    ended = (rows == 1).any(axis=1)  # the others have an END in the longer space alone
    value = [
        HMM(n_states=2)
        .fit(x[ended], schema=schema, valid=x[ended][:40], budget="30 steps")
        .log_prob(x[ended])
        .value
        for schema, x in ((short, rows), (long, padded))
    ]
    np.testing.assert_allclose(value[0], value[1], atol=1e-9)


@pytest.mark.parametrize("end_alone", [False, True])
def test_alphabets_of_one(end_alone: bool) -> None:
    """Only END, and a constant sequence without END."""
    schema = codes(1, 1, 1, layout="sequence", shape=(3,), end=0 if end_alone else None)
    model = HMM().fit(np.zeros((5, 3), dtype=int), schema=schema)
    assert model.log_prob(np.zeros((1, 3), dtype=int)).value[0] == pytest.approx(0, abs=1e-12)
    assert (model.sample(4) == 0).all()


def test_wide_ordinals_in_a_sequence_share_bins() -> None:
    """A noisy wave of 200 levels: one table for all steps, all cells finite, better than iid."""
    rng = np.random.default_rng(13)
    phase = rng.random((400, 1)) * 6.28
    wave = 100 + 80 * np.sin(phase + 0.8 * np.arange(10)) + rng.normal(0, 5, (400, 10))
    rows = np.clip(np.rint(wave), 0, 199).astype(int)
    variables = tuple(Variable(t, "ordinal", 200, offset=0.0, step=1.0) for t in range(10))
    schema = Schema(variables, "sequence", (10,))
    model = HMM().fit(rows[:300], schema=schema)
    assert len(model.chain_.emissions) == 1
    every_level = np.full((200, 10), MISSING)
    every_level[:, 3] = np.arange(200)
    mass = np.exp(model.log_prob(every_level).value)
    assert mass.sum() == pytest.approx(1, abs=1e-9)
    assert (mass > 0).all()
    gain = model.score(rows[300:]) - Independent().fit(rows[:300], schema=schema).score(rows[300:])
    assert gain > 5


def test_a_step_budget_repeats_a_search_that_was_cut() -> None:
    rows = chained_rows((3,) * 6, 400, seed=14)
    schema = codes(*[3] * 6)
    cut = HMM().fit(rows, schema=schema, budget="0.2s", seed=3)
    again = HMM().fit(rows, schema=schema, budget=f"{cut.training_.steps} steps", seed=3)
    np.testing.assert_array_equal(cut.log_prob(rows).value, again.log_prob(rows).value)
    assert [p.valid for p in cut.training_.curve] == [p.valid for p in again.training_.curve]


def test_without_a_budget_the_work_is_limited(monkeypatch) -> None:
    rows, schema = chained_rows((3,) * 6, 400, seed=14), codes(*[3] * 6)
    monkeypatch.setattr(HMM, "limits", Limits(work=5e5))  # two or three iterations
    cut = HMM(n_states=8).fit(rows, schema=schema, seed=3)
    assert cut.training_.stopped_by == "steps"
    assert cut.training_.notes == ["the search ended before every start was tried"]
    # the number of states is chosen so that EM can run on all rows
    monkeypatch.setattr(HMM, "limits", Limits(work=1e6))
    assert HMM().fit(rows, schema=schema, seed=3).n_states_ <= 2


def test_a_budget_is_kept_and_what_it_left_undone_is_told(monkeypatch) -> None:
    rows, seconds = chained_rows((8,) * 30, 1000, seed=15), 0.0

    def slow(em: ChainEM, sequences: Sequences) -> tuple[Chain, float]:
        nonlocal seconds
        seconds += 0.3
        return expected(em, sequences)

    expected = ChainEM.expected
    monkeypatch.setattr(ChainEM, "expected", slow)
    monkeypatch.setattr("genzoo.fitting.now", lambda: seconds)
    model = HMM(n_states=128).fit(rows, schema=codes(*[8] * 30), budget="2s")
    training = model.training_
    assert (training.seconds, training.steps) == (pytest.approx(1.8), 6)
    assert not training.converged
    assert training.stopped_by == "budget"
    assert model.n_states_ == 128
    assert training.curve[-1].step <= training.steps
    assert HMM(n_states=2).fit(rows[:50], schema=codes(*[8] * 30), budget="1 steps").n_states_ == 2


@pytest.mark.parametrize("n_columns", [2, 5])
def test_text_columns_of_many_categories_are_fitted_within_the_budget(n_columns: int) -> None:
    rng = np.random.default_rng(17)
    n_categories = 20_000
    rows = rng.integers(0, n_categories, (20_000, n_columns))
    rows[:, 1] = np.where(rng.random(20_000) < 0.5, rows[:, 0], rows[:, 1])
    model = HMM().fit(rows, schema=codes(*[n_categories] * n_columns), budget="1s")
    assert model.chain_.masses.size <= 2**22
    assert np.isfinite(model.log_prob(rows[:100]).value).all()


def test_more_codes_than_a_short_integer_holds() -> None:
    rng = np.random.default_rng(18)
    rows = np.stack([rng.integers(0, 2, 400), rng.integers(39_000, 39_020, 400)], axis=1)
    model = HMM(n_states=2, n_restarts=1).fit(rows, schema=codes(2, 40_000), budget="5 steps")
    seen, never = model.log_prob(rows).value, model.log_prob(rows % [2, 2000]).value
    assert seen.min() > never.max()


def test_the_iteration_limit_is_no_convergence() -> None:
    rows = chained_rows((5,) * 10, 1000, seed=16)
    model = HMM(n_states=12, n_restarts=1, n_iter=2, pseudo_count=1.0)
    training = model.fit(rows, schema=codes(*[5] * 10)).training_
    assert training.stopped_by == "steps"
    assert not training.converged


def test_save_and_load_keeps_states_and_samples(tmp_path) -> None:
    from genzoo.registry import load_model

    for name in ("strings", "frame"):
        model = fitted(name)
        model.save(tmp_path / name)
        loaded = load_model(tmp_path / name, cls=HMM)
        rows = model.schema_.enumerate()[:50]
        np.testing.assert_array_equal(model.log_prob(rows).value, loaded.log_prob(rows).value)
        np.testing.assert_array_equal(model.decode_states(rows), loaded.decode_states(rows))
        np.testing.assert_array_equal(model.sample(20, seed=1), loaded.sample(20, seed=1))
        assert model.n_parameters_ == loaded.n_parameters_


def test_parameters_are_counted() -> None:
    model = HMM(n_states=2).fit(casino(50, 8, seed=17), schema=codes(*[6] * 8, layout="sequence"))
    assert model.n_parameters_ == 1 + 2 * 1 + 2 * 5


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"n_states": 0}, "n_states: expected a positive integer"),
        ({"n_states": 2.5}, "n_states"),
        (
            {"transitions": "sideways"},
            "transitions: expected one of 'auto', 'ergodic', 'left_right'; got",
        ),
        ({"n_restarts": 0}, "n_restarts"),
        ({"n_iter": True}, "n_iter"),
        ({"pseudo_count": 0.0}, "pseudo_count"),
    ],
)
def test_bad_parameters_are_named(params, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        HMM(**params).fit(np.zeros((10, 2), dtype=int))


@pytest.mark.slow
def test_digits_and_alarm_beat_independent_columns() -> None:
    import genzoo

    for name, gain in (("digits_binary", 6.0), ("alarm", 8.0)):
        data = genzoo.load_dataset(name)
        model = HMM().fit(data, budget="20s")
        difference = model.log_prob(data.test).value - Independent().fit(data).log_prob(data.test)
        assert difference.mean() > gain


def test_the_learning_curve_is_in_nats_of_rows_where_numbers_are_coarsened():
    data = load_dataset("iris")
    model = HMM(n_states=2).fit(data, seed=0)
    best = max(point.valid for point in model.training_.curve)
    assert abs(best - model.log_prob(data.valid).mean().value) < 0.5


def test_one_column_of_many_codes_does_not_take_the_states_of_the_others(monkeypatch) -> None:
    """10,000 codes beside 30 columns of four: tables of equal length would leave a single state."""
    rng = np.random.default_rng(19)
    rows = np.concatenate([rng.integers(0, 10_000, (600, 1)), chained_rows((4,) * 30, 600, 20)], 1)
    monkeypatch.setattr(HMM, "limits", Limits(emissions=200_000))
    model = HMM(n_restarts=1, pseudo_count=1.0)
    model.fit(rows, schema=codes(10_000, *[4] * 30), budget="200 steps")
    assert model.n_states_ >= 2
    assert model.chain_.masses.size == model.n_states_ * (10_000 + 30 * 4)


def test_one_long_string_is_no_burden_to_the_others() -> None:
    """Strings of up to 6 and one of 1,500: the short ones are read for no more than 12 steps."""
    _, rows = strings(300, 6, 3, seed=21)
    long = codes(*[4] * 1500, layout="sequence", shape=(1500,), end=1)
    padded = np.concatenate([rows, np.full((300, 1494), 1)], axis=1)
    padded[0] = 2
    model = HMM(n_states=2, n_restarts=1).fit(padded, schema=long, budget="2 steps")
    blocks = list(model.chain_._by_length(padded))
    assert sorted(np.concatenate([chosen for chosen, _ in blocks]).tolist()) == list(range(300))
    assert max(steps for chosen, steps in blocks if 0 not in chosen) <= 12
    one_by_one = [model.log_prob(row[None]).value[0] for row in padded[:20]]
    np.testing.assert_allclose(model.log_prob(padded).value[:20], one_by_one, atol=1e-9)


def test_what_a_state_has_beside_a_barred_code_is_drawn_however_little_it_is() -> None:
    S = 300
    masses = np.full((4, S), 0.25)
    masses[:, -1] = [1e-18, 2e-18, 1e-18, 1.0]
    shape = Shape(np.array([[0]]), np.array([0]), np.array([4]), 1)
    chain = Chain(shape, np.eye(S)[-1], np.full((1, S, S), 1 / S), masses)
    given = np.full((4000, 1), MISSING)
    drawn = chain.complete(given, np.array([3]), np.random.default_rng(0))
    shares = np.bincount(drawn[:, 0], minlength=4) / 4000
    assert shares == pytest.approx([0.25, 0.5, 0.25, 0.0], abs=0.04)
