"""The any-order families: exact against enumeration, ways, completions, and BERT's own uses.

Statistical tests have fixed seeds; at 4.5 standard errors a fresh seed would fail one of them less
than once in 10,000 runs.
"""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

import genzoo
from genzoo import MISSING, Diffusion, MaskedTransformer, Schema, Unsupported, Variable
from genzoo.models.anyorder import completion, network
from genzoo.models.anyorder.network import AnyOrder

TINY = {"d_model": 16, "n_layers": 1, "device": "cpu"}
FAMILIES = {"masked_transformer": MaskedTransformer, "diffusion": Diffusion}
every_family = pytest.mark.parametrize("key", FAMILIES)
SIGMAS = 4.5


@cache
def table(key: str) -> tuple[MaskedTransformer | Diffusion, np.ndarray]:
    """A fitted model of mixed variables, one of many values, and all rows of their space."""
    schema = Schema(
        (
            Variable("a", cardinality=2),
            Variable("b", cardinality=1),
            Variable("c", "ordinal", 41, missing=True),
            Variable("d", cardinality=3),
        ),
        "table",
        (4,),
    )
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2, 300)
    c = np.where(rng.random(300) < 0.1, 40, np.clip(10 + 20 * a + rng.normal(0, 3, 300), 0, 39))
    rows = np.stack([a, 0 * a, c.astype(int), np.where(c > 20, 2, rng.integers(0, 3, 300))], axis=1)
    model = FAMILIES[key](**TINY).fit(rows, schema=schema, budget="150 steps")
    return model, schema.enumerate()


@cache
def strings(key: str) -> tuple[MaskedTransformer | Diffusion, np.ndarray]:
    """A fitted model of short strings with END, and all of them."""
    words = ["ab", "abab", "b", "ba", "", "aab"] * 30
    model = FAMILIES[key](**TINY).fit(words, budget="150 steps")
    return model, model.schema_.enumerate()


@cache
def copies(key: str) -> MaskedTransformer | Diffusion:
    """A model of eight copies of one bit, a tenth of them flipped."""
    rng = np.random.default_rng(0)
    bit = rng.integers(0, 2, (600, 1))
    rows = np.where(rng.random((600, 8)) < 0.9, bit, 1 - bit)
    return FAMILIES[key](d_model=32, n_layers=2, device="cpu").fit(rows, budget="400 steps")


def mass_of(model: MaskedTransformer | Diffusion, ranks: np.ndarray, rows: np.ndarray) -> float:
    """What rows have together, by one way through the variables (D,)."""
    with torch.no_grad():
        terms = model.network_(torch.as_tensor(rows), torch.as_tensor(ranks)[None])
    return float(terms.double().sum(dim=1).exp().sum())


# ---------------------------------------------------------------- the network


@pytest.mark.parametrize("space", [table, strings])
@pytest.mark.parametrize(
    "ranks", [[0, 1, 2, 3], [3, 1, 0, 2], [0, 0, 0, 0], [1, 0, 1, 0], [2, 0, 0, 1]]
)
def test_masses_sum_to_one_by_every_way(space, ranks):
    """Also where several variables come at once, and where an END comes before what it ends."""
    model, rows = space("masked_transformer")
    assert mass_of(model, np.array(ranks), rows) == pytest.approx(1.0, abs=1e-5)


def test_what_a_variable_is_told_depends_on_the_set_it_sees_alone():
    """Neither on the codes of others, nor on the order of those that it sees."""
    model, rows = table("masked_transformer")
    net = model.network_
    x = torch.as_tensor(rows[[0, -1]])
    first, second = torch.tensor([[0, 1, 3, 2]]), torch.tensor([[1, 0, 3, 2]])
    other = x.clone()
    other[:, 2] = (other[:, 2] + 7) % 40
    with torch.no_grad():
        told = net(x, first)[:, 3]
        assert torch.allclose(told, net(x, second)[:, 3], atol=1e-6)
        assert not torch.allclose(told, net(other, second.roll(1, 1))[:, 3], atol=1e-6)
        assert torch.allclose(told, net(other, first)[:, 3], atol=1e-6)


@pytest.mark.parametrize("space", [table, strings])
def test_a_share_of_the_variables_is_asked_as_all_are(space):
    model, rows = space("masked_transformer")
    x, asked = torch.as_tensor(rows[::7]), torch.tensor([3, 1])
    ranks = torch.tensor([[2, 0, 1, 1]])
    with torch.no_grad():
        whole, some = model.network_(x, ranks), model.network_(x, ranks, asked)
    assert torch.allclose(some[:, asked], whole[:, asked], atol=1e-6)
    assert (some[:, [0, 2]] == 0).all()


@pytest.mark.parametrize(
    ("layout", "shape"), [("table", (300,)), ("sequence", (5, 3)), ("image", (2, 3, 4))]
)
def test_every_layout_has_its_relations(layout, shape, monkeypatch):
    if layout == "image":
        monkeypatch.setattr(network, "WIDEST_PAIRED", 20)  # or each pair would be its own
    D = int(np.prod(shape))
    schema = Schema(tuple(Variable(f"x{d}", cardinality=2) for d in range(D)), layout, shape)
    relations = AnyOrder(schema, d_model=16, n_layers=1, n_heads=2, dropout=0.0).relations
    if layout == "table":
        assert relations.number == 0  # too wide
        return
    weight = torch.randn(relations.number, 1, generator=torch.Generator().manual_seed(0))
    bias = relations.bias(weight, torch.arange(D))
    assert bias.shape == (1, D, D + 1)
    assert (bias[:, :, 0] == 0).all()
    moved = relations.bias(weight, torch.arange(D).unsqueeze(1))
    assert torch.equal(moved[:, 0, 0], bias[0])
    # one step on, or one pixel to the right, relations are as they were
    a, b = (0, 4), (3, 7) if layout == "sequence" else (1, 5)
    assert bias[0, a[0], a[1] + 1] == bias[0, b[0], b[1] + 1]


# ---------------------------------------------------------------- distributions


@pytest.mark.parametrize("space", [table, strings])
def test_the_mixture_is_the_mean_of_its_orders(space):
    model, rows = space("masked_transformer")
    assert model.orders_.shape == (4, model.schema_.D)
    assert model.orders_[0].tolist() == list(range(model.schema_.D))
    with torch.no_grad():
        of_order = [
            model.network_(torch.as_tensor(rows), torch.as_tensor(np.argsort(order))[None])
            for order in model.orders_
        ]
    of_order = np.array([terms.double().sum(dim=1).numpy() for terms in of_order])
    found = model.log_prob(rows)
    assert found.kind == "exact"
    np.testing.assert_allclose(found.value, logsumexp(of_order, axis=0) - np.log(4), atol=1e-5)
    assert np.exp(found.value).sum() == pytest.approx(1.0, abs=1e-5)


def test_diffusion_bounds_what_it_draws_with_at_each_number_of_steps():
    """In one step it is a product of marginals; in more it knows more of rows of one bit's
    copies."""
    model = copies("diffusion")
    rows = np.zeros((1, 8), dtype=np.int64)
    masses = []
    for n_steps in (1, 2, 8):
        model.set_params(n_steps=n_steps, n_ways=64)
        found = model.log_prob(rows, seed=1)
        masses.append(float(np.exp(found.value[0])))
        drawn = model.sample(4000, seed=2)
        share = float((drawn == 0).all(axis=1).mean())
        of_draws = np.sqrt(masses[-1] * (1 - masses[-1]) / 4000)
        assert abs(share - masses[-1]) < SIGMAS * np.hypot(of_draws, masses[-1] * found.stderr[0])
    assert masses[0] < 0.5 * masses[1] < 0.5 * masses[2]
    assert model.set_params(n_steps=1).log_prob(rows).kind == "exact"


# ---------------------------------------------------------------- completions


@pytest.mark.filterwarnings("ignore:sample")  # few ways a draw
@pytest.mark.parametrize("summed", [True, False])
@every_family
def test_masses_and_completions_of_rows_with_holes_are_the_joints(key, summed, monkeypatch):
    """With few completions all are summed; else the network proposes them and the joint weighs."""
    if not summed:
        monkeypatch.setattr(completion, "MOST_SUMMED", 0)
        monkeypatch.setattr(completion, "SUMMED_AT_ONCE", 0)
    model, rows = strings(key)
    if key == "diffusion":
        model.set_params(n_ways=256, n_steps=3)
    given = np.array([MISSING, MISSING, 1, MISSING])
    agree = (rows[:, 2] == 1) & (rows[:, :2] != 2).all(axis=1)
    joint = model.log_prob(rows, seed=3)
    queried = np.repeat(given[None], 40, axis=0)
    found = model.log_prob(queried, seed=4)
    assert found.kind == ("exact" if summed and key == "masked_transformer" else "lower_bound")
    truth = logsumexp(joint.value[agree])
    mean = float(np.exp(found.value - truth).mean())
    error = np.sqrt(np.square(found.stderr).mean() / 40)
    error = np.hypot(error, 0.0 if key == "masked_transformer" else joint.stderr.max())
    assert abs(mean - 1) < SIGMAS * error + 1e-4
    drawn = model.schema_.encode(model.sample(2000, given=given[None], seed=5))
    assert (drawn[:, 2] == 1).all()
    expected = np.exp(joint.value[agree] - truth)
    counts = (drawn[:, None] == rows[agree]).all(axis=2).mean(axis=0)
    assert counts.sum() == pytest.approx(1.0)
    assert np.abs(counts - expected).max() < SIGMAS * np.sqrt(0.25 / 2000) + 0.02


def test_nothing_observed_has_mass_one():
    model, rows = table("masked_transformer")
    hidden = np.full((1, 4), MISSING)
    assert model.log_prob(hidden).value.tolist() == [0.0]
    assert model.log_prob(np.concatenate([hidden, rows[:1]])).kind == "exact"


def test_completions_follow_the_evidence():
    model = copies("masked_transformer")
    given = np.array([[0, 0, 0, 0, MISSING, MISSING, MISSING, MISSING]])
    assert (model.sample(50, given=given, seed=1)[:, 4:] == 0).mean() > 0.8
    ess = completion.effective(np.array([0.0, 1.0, 9.0]))
    assert ess.tolist() == pytest.approx([64.0, 64 / 65, 1.0], abs=0.02)


# ---------------------------------------------------------------- training


@every_family
def test_rows_with_holes_train_it(key):
    """Copies of one bit, in half of whose entries nothing is seen."""
    rng = np.random.default_rng(0)
    bit = rng.integers(0, 2, (800, 1))
    rows = np.where(rng.random((800, 4)) < 0.5, MISSING, np.repeat(bit, 4, axis=1))
    model = FAMILIES[key](d_model=32, n_layers=1, device="cpu").fit(rows, budget="300 steps")
    drawn = model.sample(400, seed=1)
    assert (drawn == drawn[:, :1]).all(axis=1).mean() > 0.7


@every_family
def test_wide_rows_train_on_a_share_of_their_variables(key):
    rows = np.random.default_rng(0).integers(0, 2, (64, 1500))
    model = FAMILIES[key](
        device="cpu", **({"n_steps": 4, "n_ways": 2} if key == "diffusion" else {})
    )
    model.fit(rows, budget="3 steps")
    assert np.isfinite(model.log_prob(rows[:2]).value).all()
    assert model.sample(1, seed=0).shape == (1, 1500)


# ---------------------------------------------------------------- beside the distribution


@every_family
def test_the_pseudo_likelihood_is_that_of_each_entry_given_all_others(key):
    model, rows = strings(key)
    some = rows[[3, 7, 20]]
    expected = np.zeros(len(some))
    for d in range(4):
        ranks = np.where(np.arange(4) == d, 1, 0)
        with torch.no_grad():
            terms = model.network_(torch.as_tensor(some), torch.as_tensor(ranks)[None])
        expected += terms[:, d].double().numpy()
    np.testing.assert_allclose(model.pseudo_log_prob(some), expected, atol=1e-5)


@every_family
def test_features_tell_rows_apart_and_are_those_of_each_row(key):
    model, rows = table(key)
    found = model.features(rows[:9])
    assert found.shape == (9, 16)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(model.features(rows[4:5])[0], found[4], atol=1e-5)
    assert np.abs(found[0] - found[8]).max() > 1e-3


def test_holes_in_a_text_are_filled_with_what_is_likeliest():
    model = MaskedTransformer(d_model=32, n_layers=2, device="cpu")
    model.fit(["abab", "cdcd", "ab"] * 60, budget="300 steps")
    assert model.fill("a_ab") == "abab"
    assert model.fill("__cd") == "cdcd"
    assert model.fill("?b", hole="?") == "ab"
    assert model.fill("abab") == "abab"


def test_what_can_not_be_filled_is_refused():
    model, _ = strings("masked_transformer")
    with pytest.raises(ValueError, match=r"hole: expected one character .* got 'a'"):
        model.fill("a_", hole="a")
    with pytest.raises(ValueError, match="text: expected characters of the alphabet 'ab'; got 'x'"):
        model.fill("x_")
    with pytest.raises(ValueError, match="at most 4 characters; got 5"):
        model.fill("_____")
    with pytest.raises(Unsupported, match="fill needs strings"):
        table("masked_transformer")[0].fill("a_")


@every_family
def test_bad_parameters_are_refused(key):
    with pytest.raises(ValueError, match="d_model: expected a multiple of n_heads = 3; got 32"):
        FAMILIES[key](d_model=32, n_heads=3).fit(["ab", "b"])
    with pytest.raises(ValueError, match=r"n_(orders|steps): expected a positive integer; got 0"):
        FAMILIES[key](**{"n_orders" if key == "masked_transformer" else "n_steps": 0}).fit(["ab"])


@pytest.mark.slow
@every_family
def test_it_reaches_the_law_of_a_known_network(key):
    """Nats a row from the truth, on rows that it has not seen."""
    data = genzoo.load_dataset("asia")
    model = genzoo.make_model(key).fit(data, budget="1000 steps")
    gap = np.mean(data.truth.log_prob(data.test[:2000]) - model.log_prob(data.test[:2000]).value)
    assert gap < 0.05


def test_equal_rows_do_not_share_the_luck_of_one_bound():
    """Completions of equal rows against the mean over many seeds' bounds. Shares of 4,000 draws
    have standard errors of at most 0.008: five of them."""
    coin = np.random.default_rng(0).integers(0, 2, 400)
    rows = np.stack([coin] * 4, axis=1) ^ (np.random.default_rng(1).random((400, 4)) < 0.1)
    model = Diffusion(device="cpu").fit(rows, budget="150 steps")
    given = np.array([1, MISSING, MISSING, 0])
    every = np.array([[1, a, b, 0] for a in range(2) for b in range(2)])
    mass = np.mean([np.exp(model.log_prob(every, seed=s).value) for s in range(60)], axis=0)
    drawn = model.sample(4000, given=given, seed=3)
    share = (drawn[:, None] == every).all(axis=2).mean(axis=0)
    assert share == pytest.approx(mass / mass.sum(), abs=0.04)


def test_a_mean_over_drawn_ways_is_never_called_exact():
    rows = np.random.default_rng(0).integers(0, 2, (60, 2))
    model = Diffusion(n_ways=2, device="cpu").fit(rows, budget="5 steps")
    assert {model.log_prob(rows[:1], seed=s).kind for s in range(40)} == {"lower_bound"}
    model.set_params(n_steps=1)  # then there is one way
    assert model.log_prob(rows[:1]).kind == "exact"


def test_all_completions_of_one_row_are_summed_once():
    rows = np.random.default_rng(0).integers(0, 20, (300, 3))
    model = MaskedTransformer(device="cpu").fit(rows, budget="20 steps")
    given = np.array([1, MISSING, MISSING])  # 400 completions
    assert model.log_prob(given[None]).kind == "exact"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.sample(500, given=given).shape == (500, 3)


@pytest.mark.parametrize("cls", [MaskedTransformer, Diffusion])
def test_heads_without_a_width_divide_all_widths(cls):
    with pytest.raises(ValueError, match=r"n_heads: expected a power of two .* got 3"):
        cls(n_heads=3).fit(np.zeros((9, 2), dtype=np.int64))
