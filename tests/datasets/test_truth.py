"""Known distributions against enumeration, brute force and pgmpy."""

from __future__ import annotations

import gzip
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

import genzoo
from genzoo import Schema, Variable
from genzoo.datasets import bif, networks, synthetic
from genzoo.datasets.truth import TrueGrammar, TrueGrid, TrueHMM

NETWORKS = ("alarm", "asia", "child", "insurance", "sachs")
N = 100_000
# Statistical checks here use fixed seeds. With fresh seeds a correct sampler would fail the G-test
# once in 1e5 times, and the entropy identity (4.5 standard errors) 7 times in 1e6.
ALARM = 1e-5


def word_schema(symbols: str, T: int, end: bool) -> Schema:
    categories = (*symbols, "<end>") if end else tuple(symbols)
    variables = tuple(Variable(f"t{t}", categories=categories) for t in range(T))
    return Schema(variables, "sequence", (T,), end=len(symbols) if end else None)


def short_casino() -> TrueHMM:
    long = synthetic.casino()[0]
    schema = word_schema("123456", 5, end=False)
    return TrueHMM(schema, long.initial, long.transition, long.emission)


def short_grammar() -> TrueGrammar:
    long = synthetic.grammar()[0]
    symbols = "".join(long.schema.alphabet)
    return TrueGrammar(word_schema(symbols, 5, end=True), long.rules, long.start)


def small_grid() -> TrueGrid:
    mass = np.random.default_rng(0).dirichlet(np.ones(12)).reshape(3, 4)
    mass[1, 2] = 0.0
    schema = Schema((Variable("a", cardinality=3), Variable("b", cardinality=4)), "table", (2,))
    return TrueGrid(schema, mass / mass.sum())


SMALL = {
    "asia": lambda: networks.network("asia"),
    "sachs": lambda: networks.network("sachs"),
    "rings": lambda: synthetic.rings()[0],
    "short casino": short_casino,
    "short grammar": short_grammar,
    "small grid": small_grid,
}


@pytest.fixture(params=SMALL)
def small(request):
    return SMALL[request.param]()


def test_mass_sums_to_one(small):
    mass = np.exp(small.log_prob(small.schema.enumerate()))
    assert abs(mass.sum() - 1) < 1e-9


def test_entropy_is_that_of_the_mass(small):
    log_p = small.log_prob(small.schema.enumerate())
    possible = log_p > -np.inf
    expected = -(np.exp(log_p[possible]) * log_p[possible]).sum()
    entropy = small.entropy()
    if entropy.kind == "exact":
        assert entropy.stderr == 0
        assert entropy.value == pytest.approx(expected, abs=1e-8)
    else:
        assert abs(entropy.value - expected) < 4.5 * entropy.stderr
        assert entropy.stderr < 0.01


def test_samples_follow_the_mass(small):
    rows = small.schema.enumerate()
    expected = N * np.exp(small.log_prob(rows))
    order = {row.tobytes(): i for i, row in enumerate(rows)}
    drawn = small.sample(N, seed=3)
    counts = np.bincount([order[r.tobytes()] for r in drawn], minlength=len(rows))
    assert not counts[expected == 0].any()
    rare = expected < 5
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    seen = counts > 0
    statistic = 2 * (counts[seen] * np.log(counts[seen] / expected[seen])).sum()
    assert chi2.sf(statistic, (expected > 0).sum() - 1) > ALARM


def test_seeds_decide_samples(small):
    assert (small.sample(50, seed=1) == small.sample(50, seed=1)).all()
    assert (small.sample(50, seed=1) != small.sample(50, seed=2)).any()


def test_rows_are_checked(small):
    with pytest.raises(ValueError, match="rows: expected codes"):
        small.log_prob(np.full((1, small.schema.D), 999))


@pytest.mark.parametrize("name", [*NETWORKS, "casino", "grammar", "rings"])
def test_the_data_set_is_drawn_from_its_truth(name):
    """The mean over all rows against the entropy, and no impossible row."""
    data = genzoo.load_dataset(name)
    log_p = data.truth.log_prob(np.concatenate([data.train, data.valid, data.test]))
    entropy = data.truth.entropy()
    assert np.isfinite(log_p).all()
    stderr = np.hypot(log_p.std() / np.sqrt(len(log_p)), entropy.stderr)
    assert abs(log_p.mean() + entropy.value) < 4.5 * stderr
    assert entropy.kind == ("estimate" if name == "casino" else "exact")


# -------------------------------------------------------------------------------- networks


def bif_text(name: str) -> str:
    import pgmpy

    path = Path(pgmpy.__file__).parent / "utils" / "example_models" / f"{name}.bif.gz"
    return gzip.decompress(path.read_bytes()).decode()


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_those_that_pgmpy_reads(name):
    from pgmpy.readwrite import BIFReader

    ours = networks.network(name)
    theirs = BIFReader(string=bif_text(name)).get_model()
    names = ours.schema.names
    assert set(names) == set(theirs.nodes())
    assert set(ours.edges) == set(theirs.edges())
    for d, node in enumerate(names):
        cpd = theirs.get_cpds(node)
        family = [names[p] for p in ours.parents[d]]
        states = {v: ours.schema.variables[names.index(v)].categories for v in [node, *family]}
        index = np.ix_(*[[cpd.state_names[v].index(s) for s in states[v]] for v in cpd.variables])
        table = np.moveaxis(cpd.values[index], 0, -1)
        where = [cpd.variables[1:].index(v) for v in family]
        expected = np.transpose(table, [*where, len(family)])
        np.testing.assert_allclose(ours.tables[d], expected, atol=2e-7)
        np.testing.assert_allclose(ours.tables[d].sum(-1), 1, atol=1e-12)


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")  # pgmpy's own, at import
@pytest.mark.parametrize(
    ("name", "nodes"),
    [("alarm", ["BP", "HR", "SAO2"]), ("insurance", ["PropCost", "Age"]), ("child", ["Age"])],
)
def test_marginals_are_those_of_pgmpy(name, nodes):
    from pgmpy.inference import VariableElimination
    from pgmpy.readwrite import BIFReader

    ours = networks.network(name)
    theirs = BIFReader(string=bif_text(name)).get_model()
    factor = VariableElimination(theirs).query(nodes, show_progress=False)
    index = [ours.schema.names.index(v) for v in nodes]
    states = [ours.schema.variables[d].categories for d in index]
    expected = np.array(
        [factor.get_value(**dict(zip(nodes, values, strict=True))) for values in product(*states)]
    )
    np.testing.assert_allclose(ours.marginal(index).ravel(), expected, atol=1e-6)


BIF = """network unknown {
}
variable rain {
  type discrete [ 2 ] { no, yes };
}
variable wet {
  type discrete [ 2 ] { no, yes };
}
probability ( rain ) {
  table 0.8, 0.1999998;
}
probability ( wet | rain ) {
  (yes) 0.1, 0.9;
  (no) 0.7, 0.3;
}
"""


def test_a_bif_text_is_normalised():
    network = bif.read(BIF)
    np.testing.assert_allclose(network.tables[0], np.array([0.8, 0.1999998]) / 0.9999998)
    np.testing.assert_allclose(network.tables[1], [[0.7, 0.3], [0.1, 0.9]])
    assert network.edges == [("rain", "wet")]


@pytest.mark.parametrize(
    ("old", "message"),
    [("  (no) 0.7, 0.3;\n", "expected a distribution of wet"), (BIF[160:], "absent")],
)
def test_an_incomplete_bif_text_is_refused(old, message):
    with pytest.raises(ValueError, match=message):
        bif.read(BIF.replace(old, ""))


# -------------------------------------------------------------------------------- casino


def test_forward_algorithm_is_the_sum_over_paths():
    truth = short_casino()
    rows = truth.sample(20, seed=5)
    for row, value in zip(rows, truth.log_prob(rows), strict=True):
        total = 0.0
        for path in product(range(2), repeat=truth.schema.D):
            p = truth.initial[path[0]] * truth.emission[path[0], row[0]]
            for t in range(1, truth.schema.D):
                p *= truth.transition[path[t - 1], path[t]] * truth.emission[path[t], row[t]]
            total += p
        assert value == pytest.approx(np.log(total), abs=1e-12)


def test_impossible_rolls_have_no_mass():
    truth = TrueHMM(word_schema("ab", 3, end=False), np.array([1.0, 0.0]), np.eye(2), np.eye(2))
    assert truth.log_prob(np.array([[0, 0, 0], [0, 1, 0]])).tolist() == [0.0, -np.inf]
    assert (truth.sample(10, seed=0) == 0).all()


# -------------------------------------------------------------------------------- grammar


def derivation(rules, start, symbols):
    """p(symbols) by leftmost derivation, one symbol at a time; 0 where there is none."""
    stack, p = [start], 1.0
    for symbol in symbols:
        if not stack:
            return 0.0
        fitting = [r for r in rules[stack.pop()] if r.symbol == symbol]
        if not fitting:
            return 0.0
        (rule,) = fitting
        p *= rule.p
        stack += reversed(rule.then)
    return p if not stack else 0.0


@pytest.mark.parametrize("make", [short_grammar, lambda: synthetic.grammar()[0]])
def test_log_prob_is_the_product_of_the_rules(make):
    truth = make()
    rng = np.random.default_rng(0)
    good = truth.sample(150, seed=4)
    broken = good.copy()
    reached = truth.schema.reached(good)
    for i, row in enumerate(broken):  # another symbol somewhere before END
        t = rng.integers(max(1, reached[i].sum() - 1))
        row[t] = rng.integers(truth.schema.end)
    rows = np.concatenate([good, broken])
    words = truth.schema.decode(rows)
    expected = np.array([derivation(truth.rules, truth.start, [*w, "END"]) for w in words])
    log_p = truth.log_prob(rows)
    assert (expected[150:] == 0).any()
    np.testing.assert_array_equal(np.isneginf(log_p), expected == 0)
    possible = expected > 0
    np.testing.assert_allclose(
        log_p[possible], np.log(expected[possible]) - np.log(truth.kept), atol=1e-10
    )


@pytest.mark.parametrize(
    ("word", "possible"),
    [
        ("x", True),
        ("(x+y)*[y]", True),
        ("x*" * 12 + "y", True),
        ("x*" * 12 + "(", False),
        ("x+" * 11 + "[x]", True),
        ("x+" * 11 + "[x", False),
        ("(" * 12 + "x" + ")" * 12, True),
        ("(" * 13 + ")" * 12, False),
        ("(" * 12 + "x" + ")" * 11 + "]", False),
        ("", False),
        ("x+", False),
        ("(x]", False),
        ("(x", False),
        ("x)", False),
        ("xy", False),
    ],
)
def test_only_expressions_have_mass(word, possible):
    truth = synthetic.grammar()[0]
    log_p = truth.log_prob(truth.schema.encode([word]))
    assert np.isfinite(log_p[0]) == possible


def test_kept_is_the_share_of_short_derivations():
    """Derivations drawn one rule at a time, without the stack machine."""
    truth = synthetic.grammar()[0]
    rng = np.random.default_rng(1)
    n, short = 4000, 0
    for _ in range(n):
        stack, length = [truth.start], 0
        while stack and length <= truth.T + 1:
            rules = truth.rules[stack.pop()]
            rule = rules[rng.choice(len(rules), p=[r.p for r in rules])]
            stack += reversed(rule.then)
            length += 1
        short += not stack and length - 1 <= truth.T
    stderr = np.sqrt(truth.kept * (1 - truth.kept) / n)
    assert abs(short / n - truth.kept) < 4.5 * stderr


def test_rules_sum_to_one():
    for rules in synthetic.grammar()[0].rules.values():
        assert sum(r.p for r in rules) == pytest.approx(1)


# -------------------------------------------------------------------------------- rings


def test_rings_are_where_they_should_be():
    data = genzoo.load_dataset("rings")
    xy = data.schema.decode(data.train).to_numpy()
    radius = np.hypot(xy[:, 0], xy[:, 1])
    near = np.abs(radius[:, None] - [1, 2, 3]).min(axis=1) < 0.5
    assert near.mean() > 0.97
    assert np.abs(xy).max() < 4


def test_the_likeliest_path_of_states_is_that_of_enumeration():
    truth = short_casino()
    rows = truth.sample(40, seed=3)
    found = truth.decode_states(rows)
    paths = np.array([*product(range(2), repeat=5)])
    for row, path in zip(rows, found, strict=True):
        mass = truth.initial[paths[:, 0]] * truth.emission[paths, row].prod(axis=1)
        mass = mass * truth.transition[paths[:, :-1], paths[:, 1:]].prod(axis=1)
        assert (paths[mass.argmax()] == path).all()
