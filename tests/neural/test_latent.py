"""What the VAE and the GAN share: queries with holes, the choice of estimator, certified gaps.

Each statistical test allows 5 standard errors, or a G-test at p = 1e-6.
"""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import chi2

import genzoo
from genzoo import GAN, MISSING, VAE, Schema, Variable
from genzoo.models.neural.importance import CHUNK_FLOATS
from genzoo.models.neural.latent import Limits

SIGMAS = 5.0
FAMILIES = {"vae": VAE, "gan": GAN}


@cache
def mixed(family: str):
    schema = Schema(
        (
            Variable("a", cardinality=3),
            Variable("b", "ordinal", 41, missing=True),
            Variable("c", cardinality=2),
        ),
        "table",
        (3,),
    )
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, 600)
    b = np.clip(6 + 12 * a + rng.normal(0, 3, 600), 0, 39).astype(int)
    b[rng.random(600) < 0.3] = 40
    c = np.where(rng.random(600) < 0.9, a > 0, rng.random(600) < 0.5).astype(int)
    model = FAMILIES[family](latent_dim=2, width=32, n_importance=512, device="cpu")
    return model.fit(np.stack([a, b, c], 1), schema=schema, budget="600 steps"), schema.enumerate()


@cache
def words(family: str):
    data = ["ab", "abab", "b", "ba", "", "aab"] * 60
    model = FAMILIES[family](latent_dim=2, width=32, n_importance=512, device="cpu")
    model.fit(data, budget="600 steps")
    return model, model.schema_.enumerate()


SPACES = {"mixed": mixed, "words": words}
PATTERNS = {
    "mixed": [[2, MISSING, MISSING], [MISSING, 30, MISSING], [1, MISSING, 1], [MISSING, 40, 0]],
    "words": [
        [0, MISSING, MISSING, MISSING],
        [MISSING, 1, MISSING, MISSING],
        [MISSING, MISSING, 0, 1],
        [MISSING, MISSING, 2, 2],
    ],
}
CASES = [
    (family, space, i)
    for family in FAMILIES
    for space in SPACES
    for i in range(len(PATTERNS[space]))
]


def agreeing(model, rows, queried):
    return ((rows == queried) | (queried == MISSING)).all(axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "space", "i"), CASES)
def test_a_marginal_is_the_sum_of_its_completions(family, space, i):
    model, rows = SPACES[space](family)
    queried = np.array(PATTERNS[space][i])
    for estimator in ("iwae", "ais"):
        model.set_params(estimator=estimator, n_temperatures=20, n_chains=64)
        marginal = model.log_prob(np.repeat(queried[None], 8, axis=0), seed=1)
        joint = model.log_prob(rows[agreeing(model, rows, queried)], seed=2)
        summed = logsumexp(joint.value)
        share = np.exp(joint.value - summed)
        error = np.hypot(
            np.sqrt((marginal.stderr**2).mean() / 8), np.sqrt(((share * joint.stderr) ** 2).sum())
        )
        assert abs(marginal.value.mean() - summed) < SIGMAS * error + 0.02
        assert (marginal.kind, marginal.estimator) == ("lower_bound", estimator)
    model.set_params(estimator="iwae")


@pytest.mark.slow
@pytest.mark.parametrize(("family", "space", "i"), CASES)
def test_completions_follow_the_conditional(family, space, i):
    model, rows = SPACES[space](family)
    queried, n = np.array(PATTERNS[space][i]), 2000
    # with half as many candidates one of the GAN's draws counts 7.9 of them, and warns
    drawn = model.set_params(n_importance=1024).sample(n, given=queried, seed=3)
    drawn = model.schema_.encode(drawn) if space == "words" else drawn
    assert (drawn[:, queried != MISSING] == queried[queried != MISSING]).all()
    agree = agreeing(model, rows, queried)
    if space == "mixed" and queried[1] == MISSING:
        agree &= rows[:, 1] != 40  # what is filled in is never the mark
    cells = rows[agree]
    lp = model.set_params(n_importance=4096).log_prob(cells, seed=4)
    model.set_params(n_importance=512)
    masses = np.exp(lp.value)
    expected = n * masses / masses.sum()
    # chance, the error of the masses, and one part in a hundred for 1024 candidates a draw
    variance = expected + (expected * lp.stderr) ** 2 + (0.01 * expected) ** 2
    place = np.array([43**d for d in range(rows.shape[1])])
    order = np.argsort(cells @ place)
    counts = np.bincount(
        order[np.searchsorted(cells @ place, drawn @ place, sorter=order)], minlength=len(cells)
    )
    small = expected < 8
    observed, expected, variance = (
        np.append(v[~small], v[small].sum()) for v in (counts, expected, variance)
    )
    keep = expected > 0
    statistic = ((observed - expected)[keep] ** 2 / variance[keep]).sum()
    assert chi2.sf(statistic, max(1, keep.sum() - 1)) > 1e-6


def test_auto_is_decided_once_and_says_why():
    data = genzoo.load_dataset("digits_binary")
    model = VAE(width=32, device="cpu").fit(data, seed=0, budget="40 steps")
    note = next(n for n in model.training_.notes if n.startswith("log_prob: "))
    assert "effective draws of 256 on validation rows" in note
    assert model.estimator_ == note.split()[1].strip(";")
    lp = model.log_prob(data.test[:5])
    assert lp.estimator == model.estimator_
    assert ((lp.ess >= 1) & (lp.ess <= model.n_importance_)).all()
    other = "ais" if model.estimator_ == "iwae" else "iwae"
    model.set_params(estimator=other, n_temperatures=5)
    assert model.log_prob(data.test[:5]).estimator == other


def doubtful(limits: Limits) -> VAE:
    """Fitted to rows of noise with other limits than those of the class."""
    rows = np.random.default_rng(0).integers(0, 2, (80, 5))
    model = VAE(latent_dim=2, width=8, device="cpu")
    model.limits = limits
    return model.fit(rows, budget="10 steps")


def test_auto_anneals_where_importance_sampling_fails(tmp_path):
    model = doubtful(Limits(fewest_effective=1e9))
    assert model.estimator_ == "ais"
    assert model.log_prob(np.zeros((3, 5), dtype=int)).estimator == "ais"
    model.save(tmp_path / "vae")
    assert genzoo.load_model(tmp_path / "vae").estimator_ == "ais"


def test_auto_does_not_anneal_where_that_would_take_too_long():
    model = doubtful(Limits(fewest_effective=1e9, most_annealed=1e6))
    assert model.estimator_ == "iwae"
    assert any("annealing" in note and "is slow" in note for note in model.training_.notes)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_certified_gap_is_small_on_a_small_model_and_never_clearly_negative(family):
    model, _ = words(family)
    for estimator in ("elbo", "iwae", "ais"):
        model.set_params(estimator=estimator, n_temperatures=30, n_chains=8)
        gap = model.bidirectional(60, seed=2)
        assert gap.gap == pytest.approx(gap.upper.value - gap.lower.value)
        assert gap.gap > -SIGMAS * gap.stderr
        assert (gap.n, gap.estimator) == (60, estimator)
        if estimator != "elbo":
            assert gap.gap < 0.1
    model.set_params(estimator="iwae")


def test_completions_from_too_few_effective_draws_are_warned_of():
    model, _ = mixed("vae")
    model.set_params(n_importance=4)
    with pytest.warns(UserWarning, match="effective draws"):
        model.sample(5, given=np.array([2, MISSING, 1]))
    model.set_params(n_importance=512)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.sample(5, given=np.array([2, MISSING, 1]))


def test_nothing_observed_has_mass_one():
    rows = np.random.default_rng(0).integers(0, 3, (80, 3))
    model = GAN(latent_dim=2, width=8, device="cpu").fit(rows, budget="10 steps")
    lp = model.log_prob(np.stack([np.full(3, MISSING), rows[5]]))
    assert lp.value[0] == 0
    assert lp.stderr[0] == 0
    assert lp.value[1] < 0


# ------------------------------------------------------------------------- pilots and labels


def draws_spent(model, rows, monkeypatch, **options):
    """How many latents are decoded to score the rows."""
    observation, spent = model._observation, 0
    decode = observation.row_log_prob

    def watched(z, x):
        nonlocal spent
        spent += z.shape[0] * z.shape[1]
        return decode(z, x)

    with monkeypatch.context() as patch:
        patch.setattr(observation, "row_log_prob", watched)
        lp = model.log_prob(rows, **options)
    return spent, lp


@pytest.mark.parametrize("family", FAMILIES)
def test_draws_go_where_the_pilot_finds_them_wanting(family, monkeypatch):
    model, _ = mixed(family)
    rows = model.sample(300, seed=5)
    spent, lp = draws_spent(model, rows, monkeypatch)
    assert spent == 512 * len(rows)  # what was asked for is what is drawn
    model.set_params(n_importance=None)
    fewer, piloted = draws_spent(model, rows, monkeypatch)
    model.set_params(n_importance=512)
    assert fewer < 0.8 * 256 * len(rows)
    error = np.sqrt((lp.stderr**2 + piloted.stderr**2).sum()) / len(rows)
    assert abs(piloted.value.mean() - lp.value.mean()) < SIGMAS * error + 0.02


def test_a_row_has_its_value_whatever_stands_behind_it():
    model, rows = mixed("vae")
    model.set_params(n_importance=None)
    few, many = (model.log_prob(part, seed=3).value for part in (rows[:40], rows))
    model.set_params(n_importance=512)
    np.testing.assert_allclose(few, many[:40], atol=1e-5)


def test_rows_with_few_effective_draws_are_annealed_and_the_others_are_not(monkeypatch):
    model, rows = mixed("vae")
    before = {name: getattr(model, name) for name in ("estimator", "n_chains", "n_importance")}
    model.set_params(estimator="auto", n_importance=None, n_temperatures=10, n_chains=8)
    monkeypatch.setattr(model, "resolved_estimator_", "ais")
    assert model.n_importance_ == 1024
    names = {}
    for fewest in (0.0, 300.0, 1e9):
        monkeypatch.setattr(model, "limits", Limits(fewest_effective=fewest), raising=False)
        lp = model.log_prob(rows, seed=1)
        names[lp.estimator] = lp
    model.set_params(**before, n_temperatures=100)
    assert list(names) == ["iwae", "iwae+ais", "ais"]
    both = names["iwae+ais"]
    annealed = np.isclose(both.value, names["ais"].value, atol=1e-4)
    sampled = np.isclose(both.value, names["iwae"].value, atol=1e-4)
    assert (annealed | sampled).all()
    assert annealed.any()
    assert sampled.any()
    assert (both.ess[annealed & ~sampled] <= 8).all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("d", range(3))
def test_all_labels_come_from_one_pass_and_are_the_joint(family, d, monkeypatch):
    model, rows = mixed(family)
    card = int(model.schema_.cards[d])
    rest = rows[rows[:, d] == 0][:30]
    observation, passes = model._observation, []
    decode = observation.row_log_prob_each
    monkeypatch.setattr(
        observation,
        "row_log_prob_each",
        lambda z, x, d: passes.append(z.shape[0] * z.shape[1]) or decode(z, x, d),
    )
    model.set_params(n_importance=16_384)
    found = model._log_prob_each(rest, d, seed=1)
    assert sum(passes) == 16_384 * len(rest)  # whatever the number of labels
    wanted, error = np.empty((len(rest), card)), np.empty((len(rest), card))
    for code in range(card):
        rest[:, d] = code
        lp = model.log_prob(rest, seed=2)
        wanted[:, code], error[:, code] = lp.value, lp.stderr
    model.set_params(n_importance=512)
    assert np.median(np.abs(found - wanted)) < 0.02 + SIGMAS * np.median(error)
    shares, told = (np.exp(j - logsumexp(j, axis=1, keepdims=True)) for j in (wanted, found))
    np.testing.assert_allclose(told, shares, atol=0.1)
    assert np.abs(told - shares).mean() < 0.01


def test_samples_are_drawn_in_parts_of_bounded_size(monkeypatch):
    model, _ = mixed("vae")
    floats, asked, prior = model._observation.floats_per_draw, [], model._prior
    monkeypatch.setattr(
        model, "_prior", lambda n, generator: asked.append(n) or prior(n, generator)
    )
    model.sample(30_000, seed=1)
    assert sum(asked) == 30_000
    assert max(asked) * floats <= 2**22


def test_long_columns_are_told_and_filled_in_within_bounds(watched):
    """A mixture holds more numbers on the way to a table of its cells than the table has."""
    schema = Schema((Variable("a", cardinality=3), Variable("b", "ordinal", 2000)), "table", (2,))
    rows = np.random.default_rng(0).integers(0, schema.cards, (100, 2))
    model = VAE(latent_dim=2, width=8, device="cpu").fit(rows, schema=schema, budget="1 steps")
    model.set_params(n_importance=16)
    with watched() as largest:
        model._log_prob_each(rows[:6], 1, seed=0)
        model.sample(len(rows), given=np.array([0, MISSING]), seed=0)
        model.reconstruct(rows)
    assert largest.n_bytes <= 4 * CHUNK_FLOATS // 8
