"""The circuit family against independent truths: by hand, enumeration, other models' exact sums.

Seeds are fixed. Statistical checks raise a false alarm with probability below 1e-5 each.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from genzoo import MISSING, Circuit, Independent, Schema, Variable, load_model
from genzoo.models.circuit.em import LEAST, Prior, copied, expected, product, split, step
from genzoo.models.circuit.forest import Forest
from genzoo.models.circuit.hidden import HiddenTree
from genzoo.models.circuit.tree import Tree
from genzoo.space import strings

CARDS = np.array([2, 3, 2, 2, 3])
PARENTS = np.array([2, 2, -1, 0, 2])  # of each variable: a root with three children


def random_tree(S: int, seed: int) -> HiddenTree:
    rng = np.random.default_rng(seed)
    edges = rng.dirichlet(np.ones(S), size=(len(CARDS), S))
    edges[0] = edges[0, 0]
    masses = np.concatenate([rng.dirichlet(np.ones(card), size=S).T for card in CARDS])
    return HiddenTree(Tree.of_parents(PARENTS), CARDS, edges, masses)


def all_rows(cards: np.ndarray) -> np.ndarray:
    return np.array(list(itertools.product(*map(range, cards))))


def joint(model: HiddenTree, row: np.ndarray, states: tuple[int, ...]) -> float:
    """The mass of a complete row and the states of all nodes."""
    tree, mass = model.tree, 1.0
    for t, d in enumerate(tree.variables):
        above = 0 if t == 0 else states[tree.parents[t]]
        mass *= model.edges[t, above, states[t]] * model.masses_of(d)[row[d], states[t]]
    return mass


def summed(model: HiddenTree, row: np.ndarray) -> float:
    """The mass of a complete row, over all states."""
    return sum(joint(model, row, z) for z in itertools.product(range(model.S), repeat=len(CARDS)))


def table(*cards: int) -> Schema:
    variables = tuple(Variable(f"x{d}", "nominal", card) for d, card in enumerate(cards))
    return Schema(variables, "table", (len(cards),))


def grouped(n: int, seed: int, cards: np.ndarray = CARDS) -> np.ndarray:
    """Rows of three kinds; each variable says with some noise which."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, (n, 1))
    return np.where(rng.random((n, len(cards))) < 0.7, kind, rng.integers(0, 6, (n, 1))) % cards


def by_hand() -> HiddenTree:
    """z0 is 0 or 1 with masses 0.6, 0.4; z1 is the same with mass 0.9; x says z with mass 0.8."""
    flip = np.array([[0.9, 0.1], [0.1, 0.9]])
    says = np.array([[0.8, 0.2], [0.2, 0.8]])
    edges = np.stack([np.array([[0.6, 0.4], [0.6, 0.4]]), flip])
    return HiddenTree(Tree.chain(2), np.array([2, 2]), edges, np.concatenate([says, says]))


# ---------------------------------------------------------------- inference


def test_a_small_circuit_by_hand():
    model = by_hand()
    # p(x0 = 0, x1 = 0) = 0.6 . 0.8 (0.9 . 0.8 + 0.1 . 0.2) + 0.4 . 0.2 (0.1 . 0.8 + 0.9 . 0.2)
    expected = 0.6 * 0.8 * 0.74 + 0.4 * 0.2 * 0.26
    rows = np.array([[0, 0], [0, MISSING], [MISSING, MISSING]])
    masses = np.exp(model.log_prob(rows))
    assert masses == pytest.approx([expected, 0.6 * 0.8 + 0.4 * 0.2, 1.0])


def test_masses_are_sums_over_states():
    model, rows = random_tree(3, 0), all_rows(CARDS)
    masses = np.exp(model.log_prob(rows))
    assert masses.sum() == pytest.approx(1)
    assert masses[::7] == pytest.approx([summed(model, row) for row in rows[::7]])


@pytest.mark.parametrize("weights", [[1.0], [0.3, 0.7]])
def test_missing_entries_are_summed_out(weights):
    forest = Forest([random_tree(3, seed) for seed in range(len(weights))], np.array(weights))
    rows = all_rows(CARDS)
    masses = np.exp(forest.log_prob(rows))
    rng = np.random.default_rng(0)
    for _ in range(20):
        known = np.where(rng.random(len(CARDS)) < 0.5, MISSING, rows[rng.integers(len(rows))])
        agree = ((rows == known) | (known == MISSING)).all(axis=1)
        assert np.exp(forest.log_prob(known[None]))[0] == pytest.approx(masses[agree].sum())


@pytest.mark.parametrize("d", range(len(CARDS)))
def test_all_codes_of_a_variable_in_one_pass(d):
    model = random_tree(4, 1)
    rows = grouped(20, 0)
    rows[::3, (d + 1) % len(CARDS)] = MISSING
    rows[:, d] = MISSING
    found = model.log_prob_each(rows, d)
    for code in range(CARDS[d]):
        rows[:, d] = code
        assert found[:, code] == pytest.approx(model.log_prob(rows))


def test_a_hub_with_many_children_does_not_underflow():
    D = 3000
    tree = Tree.of_parents(np.append(-1, np.zeros(D - 1, dtype=np.int64)))
    edges = np.tile(np.array([[0.9, 0.1], [0.1, 0.9]]), (D, 1, 1))
    edges[0] = 0.5
    masses = np.tile(np.array([[0.99, 0.01], [0.01, 0.99]]), (D, 1))
    row = np.arange(D)[None] % 2  # half the children speak against either state
    found = HiddenTree(tree, np.full(D, 2), edges, masses).log_prob(row)
    each = np.log([0.9 * 0.99 + 0.1 * 0.01, 0.1 * 0.99 + 0.9 * 0.01])  # for, against the hub's
    ones = row[0, 1:].sum()
    terms = [
        np.log(0.5) + np.log(masses[z, 0]) + (D - 1 - ones) * each[z] + ones * each[1 - z]
        for z in (0, 1)
    ]
    assert found == pytest.approx(np.logaddexp(*terms))


def test_trees_are_read_parents_first_and_siblings_apart():
    tree = Tree.of_parents(PARENTS)
    assert tree.variables[0] == 2
    assert (tree.parents[1:] < np.arange(1, tree.D)).all()
    nodes = [t for runs in tree.siblings for run in runs for t in range(run.start, run.stop)]
    assert nodes == list(range(tree.D))
    for runs in tree.siblings[1:]:
        for run in runs:
            assert len(set(tree.parents[run])) == run.stop - run.start


def test_chow_liu_finds_the_tree_that_made_the_rows():
    rng = np.random.default_rng(0)
    above = np.array([-1, 0, 0, 1, 1, 2])
    rows = np.empty((4000, 6), dtype=np.int64)
    for d, parent in enumerate(above):
        new = rng.integers(0, 2, len(rows))
        rows[:, d] = new if d == 0 else np.where(rng.random(len(rows)) < 0.7, rows[:, parent], new)
    tree = Tree.chow_liu(rows, np.full(6, 2))
    found = {
        frozenset((int(tree.variables[t]), int(tree.variables[tree.parents[t]])))
        for t in range(1, 6)
    }
    assert found == {frozenset((d, int(above[d]))) for d in range(1, 6)}


# ---------------------------------------------------------------- drawing


@pytest.mark.parametrize("K", [1, 2])
def test_completions_follow_the_conditional_distribution(K):
    forest = Forest.united([random_tree(3, seed) for seed in range(K)])
    rows, n = all_rows(CARDS), 20_000
    known = np.array([MISSING, 1, MISSING, MISSING, 2])
    barred = np.full(len(CARDS), -1)
    rng = np.random.default_rng(0)
    drawn = forest.complete(np.tile(known, (n, 1)), barred, rng)
    agree = rows[((rows == known) | (known == MISSING)).all(axis=1)]
    counts = (drawn[:, None] == agree).all(axis=2).sum(axis=0)
    assert counts.sum() == n
    masses = np.exp(forest.log_prob(agree))
    test = stats.power_divergence(counts, n * masses / masses.sum(), lambda_="log-likelihood")
    assert test.pvalue > 1e-6


def test_completions_without_a_barred_code_are_those_given_that_none_is_there():
    model, rows, n = random_tree(3, 2), all_rows(CARDS), 20_000
    known = np.array([0, MISSING, MISSING, 1, MISSING])
    barred = np.array([-1, 2, -1, -1, 2])
    drawn = model.complete(np.tile(known, (n, 1)), barred, np.random.default_rng(0))
    agree = ((rows == known) | (known == MISSING)).all(axis=1) & (rows[:, [1, 4]] != 2).all(axis=1)
    masses = np.exp(model.log_prob(rows[agree]))
    assert np.exp(model.log_mass_given(known[None], barred)) == pytest.approx(masses.sum())
    counts = (drawn[:, None] == rows[agree]).all(axis=2).sum(axis=0)
    assert counts.sum() == n
    test = stats.power_divergence(counts, n * masses / masses.sum(), lambda_="log-likelihood")
    assert test.pvalue > 1e-6


def test_samples_follow_the_masses():
    forest = Forest([random_tree(2, 3), random_tree(2, 4)], np.array([0.2, 0.8]))
    rows, n = all_rows(CARDS), 20_000
    drawn = forest.sample(n, np.random.default_rng(0))
    counts = (drawn[:, None] == rows).all(axis=2).sum(axis=0)
    expected = n * np.exp(forest.log_prob(rows))
    assert stats.power_divergence(counts, expected, lambda_="log-likelihood").pvalue > 1e-6


def test_max_product_finds_the_largest_joint_mass():
    forest = Forest.united([random_tree(2, seed) for seed in range(2)])
    barred = np.array([-1, 2, -1, -1, -1])
    for known in ([MISSING] * 5, [1, MISSING, 0, MISSING, MISSING], [0, 2, 1, 1, 0]):
        known = np.array(known)
        completed, value = forest.most_likely(known[None], barred)
        rows = all_rows(CARDS)
        rows = rows[((rows == known) | (known == MISSING)).all(axis=1)]
        if known[1] == MISSING:
            rows = rows[rows[:, 1] != 2]
        best = {
            tuple(row): max(
                0.5 * joint(tree, row, z)
                for tree in forest.trees
                for z in itertools.product(range(2), repeat=5)
            )
            for row in rows
        }
        assert np.exp(value[0]) == pytest.approx(max(best.values()))
        assert best[tuple(completed[0])] == pytest.approx(max(best.values()))


# ---------------------------------------------------------------- learning


def statistics(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rows, weights = np.unique(grouped(500, seed), axis=0, return_counts=True)
    rows[::5, 1] = MISSING
    return rows, weights.astype(np.float64)


def test_em_climbs_the_posterior_density():
    rows, weights = statistics()
    model = random_tree(3, 5)
    prior = Prior(np.full(model.edges.shape, 0.3), np.full(model.masses.shape, 0.2))
    prior.edges[0] /= 3  # all rows of the root's are one
    places, n, values = model.places(rows), weights.sum(), []
    for _ in range(30):
        density = 0.3 * np.log(model.edges[1:]).sum() + 0.3 * np.log(model.edges[0, 0]).sum()
        density += 0.2 * np.log(model.masses).sum()
        after, nats = step(model, places, weights, prior, n, 1.0)
        assert nats == pytest.approx(weights @ model.log_prob(rows))
        values.append(nats + density)
        model = after
    assert (np.diff(values) > -1e-9).all()
    assert values[-1] > values[0] + 10


def test_a_fixed_point_of_em_is_one_of_steps_of_any_size():
    rows, weights = statistics()
    model = random_tree(2, 6)
    prior = Prior(np.full(model.edges.shape, 0.5), np.full(model.masses.shape, 0.5))
    places, n = model.places(rows), weights.sum()
    for _ in range(3000):
        model, _ = step(model, places, weights, prior, n, 1.0)
    moved, _ = step(model, places, weights, prior, n, 0.3)
    assert np.abs(moved.edges - model.edges).max() < 1e-6
    assert np.abs(moved.masses - model.masses).max() < 1e-6


@pytest.mark.parametrize("end", [None, 1])
@pytest.mark.parametrize("S", [3, 4, 7])
def test_copies_of_states_are_the_same_distribution(end, S):
    cards = np.full(4, 3)
    marginals = np.random.default_rng(0).dirichlet(np.ones(3), size=4).ravel()
    ended = end is not None
    rng = np.random.default_rng(1)
    model = product(Tree.chain(4), cards, marginals, end)
    model = split(model, 2, 0.9, 0.5, ended, rng)
    grown = copied(model, S, 0.8, ended)
    assert S + ended == grown.S
    rows = all_rows(cards)
    legal = (strings.settled(rows, end) == rows).all(axis=1)
    assert np.exp(model.log_prob(rows[legal])).sum() == pytest.approx(1)
    assert grown.log_prob(rows[legal]) == pytest.approx(model.log_prob(rows[legal]))


# ---------------------------------------------------------------- the family


def test_it_beats_independence_where_variables_depend():
    data = grouped(800, 1)
    schema = table(*CARDS.tolist())
    train, test = data[:600], data[600:]
    circuit = Circuit().fit(train, schema=schema, seed=0)
    independent = Independent().fit(train, schema=schema)
    assert circuit.score(test) > independent.score(test) + 0.2
    assert circuit.n_states_ > 1
    assert circuit.training_.converged


def test_independent_variables_are_left_alone():
    rng = np.random.default_rng(0)
    data = rng.integers(0, 2, (2000, 8))
    circuit = Circuit().fit(data[:1500], seed=0)
    assert circuit.score(data[1500:]) > -8 * np.log(2) - 0.02


def test_rows_with_holes_teach_what_complete_rows_do():
    rng = np.random.default_rng(0)
    data = grouped(1500, 2)
    holes = np.where(rng.random(data.shape) < 0.2, MISSING, data)
    schema, test = table(*CARDS.tolist()), grouped(1000, 3)
    whole = Circuit().fit(data, schema=schema, seed=0).score(test)
    some = Circuit().fit(holes, schema=schema, valid=data[:150], seed=0).score(test)
    assert whole - 0.05 < some < whole + 0.05


def test_strings_end_once():
    rng = np.random.default_rng(0)
    data = ["ab" * k + "c" for k in rng.integers(0, 4, 300)]
    model = Circuit(n_states=4, n_trees=2).fit(data, seed=0)
    assert np.exp(model.log_prob(model.schema_.enumerate()).value).sum() == pytest.approx(1)
    drawn = model.sample(200, given="ab", seed=0)
    assert all(text.startswith("ab") for text in drawn)
    assert np.mean([text.endswith("c") for text in drawn]) > 0.8


def test_strings_that_end_ask_for_a_chain():
    with pytest.raises(ValueError, match='structure: expected "auto" or "chain"'):
        Circuit(structure="chow_liu").fit(["ab", "a"], seed=0)


def test_entropy_agrees_with_enumeration():
    model = Circuit(n_states=3).fit(grouped(400, 4), schema=table(*CARDS.tolist()), seed=0)
    log_mass = model.log_prob(all_rows(CARDS)).value
    exact = -(np.exp(log_mass) @ log_mass)
    found = model.entropy(5000, seed=1)
    assert found.kind == "estimate"
    assert abs(found.value - exact) < 4.5 * found.stderr
    other = Independent().fit(grouped(400, 4), schema=table(*CARDS.tolist()))
    divergence = np.exp(log_mass) @ (log_mass - other.log_prob(all_rows(CARDS)).value)
    estimate = model.kl(other, 5000, seed=2)
    assert estimate.kind == "estimate"
    assert divergence > 0.1
    assert abs(estimate.value - divergence) < 4.5 * estimate.stderr


def test_kl_refuses_what_is_no_model_of_these_rows():
    model = Circuit(n_states=2).fit(grouped(50, 0), seed=0)
    with pytest.raises(ValueError, match="other: expected a fitted GenerativeModel"):
        model.kl(Independent())
    with pytest.raises(ValueError, match="other: expected a model of the same schema"):
        model.kl(Independent().fit(["a", "b"]))
    with pytest.raises(ValueError, match="n: expected an integer of at least 2"):
        model.entropy(1)


def test_most_likely_completions_keep_what_is_given_and_beat_most_draws():
    schema = table(*CARDS.tolist())
    model = Circuit(n_states=3, n_trees=1).fit(grouped(400, 5), schema=schema, seed=0)
    known = np.array([[0, MISSING, MISSING, 0, MISSING], [MISSING, 2, MISSING, MISSING, 2]])
    completed = model.complete_most_likely(known)
    assert ((completed == known) | (known == MISSING)).all()
    assert (completed != MISSING).all()
    nothing = np.full(len(CARDS), -1)
    _, best = model.forest_.most_likely(known, nothing)
    for i, row in enumerate(known):
        drawn = model.sample(200, given=row, seed=i)
        _, each = model.forest_.most_likely(drawn, nothing)
        assert (each <= best[i] + 1e-9).all()


def test_long_ordinals_and_marks_are_completed_without_marks():
    variables = (
        Variable("kind", "nominal", 3),
        Variable("price", "ordinal", 301, offset=0, step=1, missing=True),
    )
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 900)
    price = np.clip(rng.normal(50 + 80 * kind, 10).astype(int), 0, 299)
    price[rng.random(900) < 0.2] = 300
    rows = np.stack([kind, price], axis=1)
    model = Circuit().fit(rows, schema=Schema(variables, "table", (2,)), seed=0)
    known = np.array([[k, MISSING] for k in range(3)])
    completed = model.complete_most_likely(known)[:, 1]
    assert (np.abs(completed - (50 + 80 * np.arange(3))) < 25).all()
    masses = np.exp(model.log_prob(np.stack([np.ones(301, int), np.arange(301)], axis=1)).value)
    assert masses.sum() == pytest.approx(np.exp(model.log_prob(known[1:2]).value[0]))


def test_a_saved_forest_is_the_same(tmp_path):
    model = Circuit(n_states=4, n_trees=3).fit(grouped(300, 6), seed=0)
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    rows = grouped(50, 7)
    assert (again.log_prob(rows).value == model.log_prob(rows).value).all()
    assert again.n_parameters_ == model.n_parameters_


@pytest.mark.parametrize("n_states", [5, 90])  # of 90 a climb doesn't even come to its 22
def test_the_number_of_states_that_is_asked_for_is_there_whatever_the_budget(n_states):
    model = Circuit(n_states=n_states).fit(grouped(300, 8), seed=0, budget="2 steps")
    assert model.n_states_ == n_states
    assert not model.training_.converged
    total = np.exp(model.log_prob(all_rows(CARDS)).value).sum()
    assert total == pytest.approx(1, abs=1e-12)


def test_states_that_memory_does_not_hold_are_refused_before_any_work():
    most = int(np.sqrt(Circuit.limits.numbers / len(CARDS)))
    with pytest.raises(ValueError, match=f"n_states: expected at most {most} for 5 variables"):
        Circuit(n_states=most + 1).fit(grouped(300, 8), progress=lambda *_: pytest.fail("it began"))


def in_logs(model: HiddenTree, rows: np.ndarray) -> np.ndarray:
    """(n,) nats of rows, all sums by logarithms."""
    tree, log_edges = model.tree, np.log(model.edges)
    own = np.log(np.append(model.masses, np.ones((1, model.S)), axis=0))[model.places(rows)]
    for t in reversed(range(tree.D)):
        told = np.logaddexp.reduce(log_edges[t] + own[t][:, None], axis=2)
        if t > 0:
            own[tree.parents[t]] += told
    return told[:, 0]


@pytest.mark.parametrize("n_children", [1, 3, 8])
@pytest.mark.parametrize("S", [2, 16])
def test_single_precision_will_do_for_em_however_small_masses_are(S, n_children):
    """Rows of chance, which contradict themselves, of a tree in which all is nearly certain."""
    rng, D, M = np.random.default_rng(S + n_children), 100, 4
    cards = np.full(D, M)

    def nearly_certain(size: tuple[int, ...]) -> np.ndarray:
        logs = np.log(rng.random(size)) / 0.01
        masses = np.exp(logs - logs.max(axis=-1, keepdims=True)) + LEAST
        return masses / masses.sum(axis=-1, keepdims=True)

    edges = nearly_certain((D, S, S))
    edges[0] = edges[0, 0]
    masses = nearly_certain((D, S, M)).transpose(0, 2, 1).reshape(D * M, S)
    tree = Tree.of_parents(np.append(-1, np.arange(D - 1) // n_children))
    single = HiddenTree(tree, cards, edges, masses).as_type(np.float32)
    double = single.as_type(np.float64)
    rows = rng.integers(-1, M, (60, D))
    nats = in_logs(double, rows)
    np.testing.assert_allclose(double.log_prob(rows), nats, atol=1e-9)
    np.testing.assert_allclose(single.log_prob(rows), nats, atol=1e-3)
    weights = np.ones(len(rows))
    for found, right in zip(
        expected(single, single.places(rows), weights.astype(np.float32))[:2],
        expected(double, double.places(rows), weights)[:2],
        strict=True,
    ):
        np.testing.assert_allclose(found, right, atol=1e-3)


@pytest.mark.filterwarnings("error")
def test_a_prior_of_almost_nothing_leaves_no_row_without_mass():
    """Kinds of rows without noise; some of the validation rows are of no kind."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 4, (8, 20))
    rows, other = kinds[rng.integers(0, 8, 2000)], rng.integers(0, 4, (50, 20))
    schema = table(*[4] * 20)
    model = Circuit(n_states=64, n_trees=1, pseudo_count=1e-20)
    model.fit(rows, schema=schema, valid=np.append(rows[:500], other, axis=0), budget="120 steps")
    valid = [p.valid for p in model.training_.curve]
    assert np.isfinite(valid).all()
    assert np.isfinite(model.log_prob(other).value).all()


def test_a_hub_of_a_thousand_children_is_summed_as_in_logs():
    """Each half of a row rules out the state that the other half asks for, one factor at a time."""
    D, r = 801, 0.97
    parents = np.zeros(D, dtype=np.int64)
    parents[0] = -1
    same = np.array([[r, 1 - r], [1 - r, r]])
    edges = np.stack([np.full((2, 2), 0.5), *[same] * (D - 1)])
    masses = np.tile(np.eye(2) * 0.98 + 0.01, (D, 1))
    model = HiddenTree(Tree.of_parents(parents), np.full(D, 2), edges, masses)
    rows = np.zeros((2, D), dtype=np.int64)
    rows[0, 301:], rows[1, 1:501] = 1, 1
    rows[:, 0] = MISSING
    told = np.log(same @ (np.eye(2) * 0.98 + 0.01))
    for row in rows:
        of_state = [np.log(0.5) + sum(told[z, x] for x in row[1:]) for z in range(2)]
        assert model.log_prob(row[None])[0] == pytest.approx(np.logaddexp(*of_state), rel=1e-12)
    likelier = model.log_prob_each(rows[:1], 0)[0].argmax()
    assert likelier == 1  # 500 of 800 entries are
