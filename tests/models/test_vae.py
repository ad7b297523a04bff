"""The VAE: a bound on a proper mass, its latent space, its state, and what it reaches.

Statistical tests have fixed seeds; at 4.5 standard errors a fresh seed would fail one of them less
than once in 10,000 runs.
"""

from __future__ import annotations

from functools import cache, reduce

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm

import genzoo
from genzoo import MISSING, VAE, Independent, Schema, Variable
from genzoo.fitting import Budget
from genzoo.models.neural.coders import Decoder

SIGMAS = 4.5


@cache
def table() -> tuple[VAE, np.ndarray]:
    """A model of mixed variables with one latent, and all rows of their space."""
    schema = Schema(
        (
            Variable("a", cardinality=2),
            Variable("constant", cardinality=1),
            Variable("long", "ordinal", 41, missing=True),
            Variable("d", cardinality=3),
        ),
        "table",
        (4,),
    )
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2, 400)
    long = np.clip(10 + 20 * a + rng.normal(0, 3, 400), 0, 39).astype(int)
    long[rng.random(400) < 0.1] = 40
    d = np.where(long > 20, 2, rng.integers(0, 3, 400))
    rows = np.stack([a, 0 * a, long, d], axis=1)
    model = VAE(latent_dim=1, width=32, device="cpu")
    return model.fit(rows, schema=schema, budget="600 steps"), schema.enumerate()


@cache
def strings() -> tuple[VAE, np.ndarray]:
    """A model of short strings with END, one latent, and all strings of the space."""
    words = ["ab", "abab", "b", "ba", "", "aab"] * 40
    model = VAE(latent_dim=1, width=32, device="cpu").fit(words, budget="600 steps")
    return model, model.schema_.enumerate()


@cache
def stripes() -> tuple[VAE, np.ndarray]:
    """A model of images with two pictures in them, and the images."""
    rng = np.random.default_rng(0)
    pattern = np.stack([np.eye(5), np.fliplr(np.eye(5))])[rng.integers(0, 2, 400)]
    images = np.where(rng.random((400, 5, 5)) < 0.95, pattern, 1 - pattern).astype(np.uint8)
    return VAE(latent_dim=2, width=32, device="cpu").fit(images, budget="400 steps"), images


def by_quadrature(model: VAE, rows: np.ndarray) -> np.ndarray:
    """Log mass of rows under a model with one latent, by summing over a fine grid of it."""
    z = np.linspace(-8, 8, 4001)
    log_weight = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) + np.log(z[1] - z[0])
    heads = model.network_.decoder.heads
    with torch.no_grad():
        outputs = model.network_.decoder(torch.as_tensor(z[:, None], dtype=torch.float32))
        log_all = heads.log_probs_all(outputs).double().numpy()  # (N, D, M)
    terms = log_all[:, np.arange(rows.shape[1])[None], rows[:, :]]  # (N, n, D)
    terms = np.where(model.schema_.reached(rows), terms, 0.0)
    return logsumexp(terms.sum(axis=-1) + log_weight[:, None], axis=0)


@pytest.mark.parametrize("fitted", [table, strings])
def test_the_bound_lies_below_the_mass_by_quadrature_and_comes_close(fitted):
    model, rows = fitted()
    truth = by_quadrature(model, rows)
    assert logsumexp(truth) == pytest.approx(0, abs=1e-4)
    result = model.log_prob(rows, seed=1)
    assert result.kind == "lower_bound"
    p = np.exp(truth)
    gap = (p * (result.value - truth)).sum()
    error = np.sqrt(np.sum((p * result.stderr) ** 2))
    assert -0.1 < gap < SIGMAS * error
    masses = np.exp(result.value)
    total, error = masses.sum(), np.sqrt(np.sum((masses * result.stderr) ** 2))
    assert 0.9 <= total <= 1 + SIGMAS * error


def test_the_bound_tightens_with_k_and_the_elbo_is_the_loosest():
    model, rows = table()
    truth = by_quadrature(model, rows)
    p = np.exp(truth)
    gaps = {}
    try:
        for name, settings in {
            "elbo": {"estimator": "elbo", "n_importance": 200},
            "2": {"estimator": "iwae", "n_importance": 2},
            "20": {"n_importance": 20},
            "2000": {"n_importance": 2000},
        }.items():
            model.set_params(**settings)
            assert model.n_importance_ == settings["n_importance"]
            gaps[name] = float((p * (model.log_prob(rows, seed=3).value - truth)).sum())
    finally:
        model.set_params(n_importance=None, estimator="auto")
    assert gaps["elbo"] < gaps["2"] < gaps["20"] < gaps["2000"]
    assert gaps["2000"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("fitted", [table, strings])
def test_samples_follow_the_mass(fitted):
    """Pearson's statistic over the rows that 20,000 draws should hit at least five times."""
    model, rows = fitted()
    drawn = model.sample(20_000, seed=5)
    drawn = drawn if isinstance(drawn, np.ndarray) else model.schema_.encode(drawn)
    place = np.cumprod([1, *model.schema_.cards[:0:-1]])[::-1]
    known = rows @ place
    counts = np.bincount(np.searchsorted(np.sort(known), drawn @ place), minlength=len(rows))
    counts = counts[np.argsort(np.argsort(known))]
    expected = 20_000 * np.exp(by_quadrature(model, rows))
    often = expected >= 5
    observed = np.append(counts[often], counts[~often].sum())
    expected = np.append(expected[often], expected[~often].sum())
    statistic = np.sum((observed - expected) ** 2 / expected)
    freedom = len(expected) - 1
    assert (statistic - freedom) / np.sqrt(2 * freedom) < SIGMAS


class Given(torch.nn.Module):
    """A proposal with a mean and a log standard deviation of each row's own, to be derived by."""

    def __init__(self, mean: float, log_sd: float, n: int) -> None:
        super().__init__()
        self.mean = torch.full((n, 1), mean, dtype=torch.float64, requires_grad=True)
        self.log_sd = torch.full((n, 1), log_sd, dtype=torch.float64, requires_grad=True)

    def forward(self, x):
        return self.mean, self.log_sd


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("b", [0.0, 0.5, 1.0])
def test_the_encoders_gradient_is_that_of_the_expected_bound(k, b):
    """Twelve comparisons at 4.5 standard errors: a fresh seed would fail one in 10,000 runs."""
    rows = np.array([[0, 0, 1], [1, 1, 0], [1, 1, 1]] * 40)
    network = VAE(latent_dim=1, width=8, device="cpu").fit(rows, budget="200 steps").network_
    network.double()
    x, mean, log_sd, n = torch.as_tensor(rows[:1]), 0.7, -0.4, 40_000

    network.proposal = Given(mean, log_sd, n)
    bound = network.training_bound(x.expand(n, -1), k, b, torch.Generator().manual_seed(0))
    bound.sum().backward()
    found = torch.cat([network.proposal.mean.grad, network.proposal.log_sd.grad], dim=1)

    e = np.linspace(-7, 7, 71)
    mass = norm.pdf(e) * (e[1] - e[0])
    every = reduce(np.multiply.outer, [mass] * k)

    @torch.no_grad()
    def expected(mean, log_sd):
        """The mean of the bound over k draws, by the trapezoidal rule in their noise."""
        z = mean + np.exp(log_sd) * e
        log_p = network.decoder.row_log_prob(torch.as_tensor(z[:, None]), x).numpy()
        log_w = log_p + b * (norm.logpdf(z) - norm.logpdf(z, mean, np.exp(log_sd)))
        inside = reduce(np.logaddexp.outer, [log_w] * k) - np.log(k)
        return float((every * inside).sum())

    h = 1e-4
    slopes = [
        (expected(mean + h, log_sd) - expected(mean - h, log_sd)) / (2 * h),
        (expected(mean, log_sd + h) - expected(mean, log_sd - h)) / (2 * h),
    ]
    error = found.std(dim=0).numpy() / np.sqrt(n)
    assert (np.abs(slopes) > 10 * error).all()  # there is something to tell
    assert (np.abs(found.mean(dim=0).numpy() - slopes) < SIGMAS * error).all()


def test_dependence_is_learned_and_the_latent_used():
    model, images = stripes()
    baseline = Independent().fit(images[:350]).log_prob(images[350:]).mean()
    assert model.log_prob(images[350:]).mean().value > baseline.value + 2
    mean, sd = model.encode(images)
    assert mean.shape == sd.shape == (400, 2)
    assert (sd > 0).all()
    assert mean.std(axis=0).max() > 0.5  # no posterior collapse


def test_reconstructions_are_near_and_in_the_form_that_came():
    model, images = stripes()
    again = model.reconstruct(images[:50])
    assert again.shape == (50, 5, 5)
    assert again.dtype == np.uint8
    assert (again == images[:50]).mean() > 0.9
    codes = model.schema_.encode(images[:50])
    assert (model.reconstruct(codes) == model.schema_.encode(again)).all()

    words, _ = strings()
    assert all(isinstance(s, str) for s in words.reconstruct(["ab", ""]))

    rng = np.random.default_rng(0)
    group = rng.choice(["x", "y"], 300)
    amount = np.where(group == "x", 0.0, 50.0) + rng.integers(0, 20, 300) / 4
    frame = pd.DataFrame({"group": group, "amount": amount})
    of_frame = VAE(latent_dim=2, width=32, device="cpu").fit(frame, budget="200 steps")
    again = of_frame.reconstruct(frame[:20])
    assert list(again.columns) == ["group", "amount"]
    assert (again.dtypes == frame.dtypes).all()
    assert (again["group"].to_numpy() == group[:20]).mean() > 0.9


def test_interpolation_goes_from_one_row_to_the_other():
    model, images = stripes()
    a, b = np.eye(5, dtype=np.uint8)[None], np.fliplr(np.eye(5, dtype=np.uint8))[None]
    path = model.interpolate(a, b, 7)
    assert path.shape == (7, 5, 5)
    assert (path[0] == a[0]).all()
    assert (path[-1] == b[0]).all()
    words, _ = strings()
    assert len(words.interpolate(["ab"], ["ba"], 3)) == 3
    with pytest.raises(ValueError, match="a: expected one row; got 2"):
        model.interpolate(images[:2], b)
    with pytest.raises(ValueError, match="n: expected an integer of at least 2; got 1"):
        model.interpolate(a, b, 1)


def test_an_empty_given_is_no_condition():
    model, _ = table()
    drawn = model.sample(50, given=np.full((1, 4), MISSING), seed=2)
    unconditional = model.sample(50, seed=2)
    mark = drawn[:, 2] == 40
    assert not mark.any()  # what is filled in is never the missing mark
    keep = unconditional[:, 2] != 40
    assert (drawn[keep] == unconditional[keep]).all()


def test_rows_with_holes_are_encoded_and_reconstructed():
    model, rows = table()
    hole = rows[:3].copy()
    hole[0, 2] = MISSING
    mean, sd = model.encode(hole)
    assert mean.shape == (3, 1)
    assert np.isfinite(mean).all()
    assert (sd > 0).all()
    assert model.reconstruct(hole).shape == (3, 4)


def test_holes_in_training_rows_are_summed_out():
    rng = np.random.default_rng(1)
    first = rng.integers(0, 2, 1500)
    rows = np.stack([first, first, 1 - first, first], axis=1)
    rows = np.where(rng.random(rows.shape) < 0.05, 1 - rows, rows)
    holey = np.where(rng.random(rows.shape) < 0.3, MISSING, rows)
    schema = Schema(tuple(Variable(f"x{d}", cardinality=2) for d in range(4)), "table", (4,))
    model = VAE(latent_dim=1, width=16, device="cpu")
    model.fit(holey, schema=schema, budget="600 steps")
    space = schema.enumerate()
    found = np.exp(model.log_prob(space, seed=1).value)
    shares = np.array([(rows == row).all(axis=1).mean() for row in space])
    assert 0.5 * np.abs(found - shares).sum() < 0.15  # total variation; independent bits: 0.7


def test_state_survives_saving(tmp_path):
    model, rows = table()
    model.save(tmp_path / "vae")
    loaded = genzoo.load_model(tmp_path / "vae")
    assert (loaded.log_prob(rows, seed=4).value == model.log_prob(rows, seed=4).value).all()
    assert (loaded.sample(20, seed=4) == model.sample(20, seed=4)).all()
    assert loaded.n_parameters_ == model.n_parameters_ > 0


def test_train_mode_is_off_and_the_learning_curve_in_nats_per_row():
    model, _ = table()
    assert not any(module.training for module in model.network_.modules())
    last = model.training_.curve[-1]
    assert last.valid == pytest.approx(last.train, abs=1.0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"latent_dim": 0}, "latent_dim: expected a positive integer or None; got 0"),
        ({"width": 0}, "width: expected a positive integer or None; got 0"),
        ({"width": 2.5}, "width: expected a positive integer"),
        ({"n_importance": 1}, "n_importance: expected an integer of at least 2 or None; got 1"),
        ({"n_importance": True}, "n_importance: expected an integer"),
        (
            {"estimator": "exact"},
            "estimator: expected one of 'auto', 'elbo', 'iwae', 'ais'; got 'exact'",
        ),
        ({"device": 3}, "device: expected"),
    ],
)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        genzoo.make_model("vae", **params)


def test_a_single_row_and_constant_columns_can_be_fitted():
    schema = Schema((Variable("only", cardinality=1),), "table", (1,))
    model = VAE(width=8, device="cpu").fit(np.zeros((1, 1), int), schema=schema, budget="3 steps")
    assert model.log_prob(np.zeros((2, 1), int)).value == pytest.approx(0, abs=0.5)
    assert (model.sample(3) == 0).all()


def test_a_budget_in_seconds_is_kept_and_replayed(ticking):
    rows = np.random.default_rng(0).integers(0, 3, (100, 4))
    ticking(0.003)  # too few steps for a plateau
    record = VAE(width=8, device="cpu").fit(rows, budget="1s").training_
    assert record.stopped_by == "budget"
    assert 0.9 < record.seconds < 1.1
    assert record.stops == [("steps", record.steps)]
    again = []
    for tick in (1e-6, 0.1):
        ticking(tick)
        again.append(VAE(width=8, device="cpu").fit(rows, budget=Budget.replay(record, "1s")))
        assert again[-1].training_.work == record.work == {"steps": record.steps}
    values = [twin.log_prob(rows[:20], seed=1).value for twin in again]
    assert (values[0] == values[1]).all()


@pytest.mark.parametrize("shape", ["a wide column", "a long string", "many columns"])
def test_all_of_a_fit_of_large_rows_lies_within_its_seconds(shape, clock, monkeypatch):
    """Time goes by in the decoder alone, by its outputs: 30 nanoseconds each."""
    if shape == "a long string":
        data = {"data": ["ab" * 400, *["ab", "b"] * 50]}
    else:
        cards = [3000, 2] if shape == "a wide column" else [2] * 1500
        schema = Schema(
            tuple(Variable(f"x{d}", cardinality=n) for d, n in enumerate(cards)), "table",
            (len(cards),),
        )  # fmt: skip
        data = {"data": np.random.default_rng(0).integers(0, cards, (400, len(cards)))}
        data["schema"] = schema
    decode = Decoder.row_log_prob

    def slowly(decoder, z, x):
        clock.at += 3e-8 * z[..., 0].numel() * decoder.heads.n_outputs
        return decode(decoder, z, x)

    monkeypatch.setattr(Decoder, "row_log_prob", slowly)
    record = VAE(width=8, latent_dim=2, device="cpu").fit(**data, budget="0.5s").training_
    assert record.stopped_by == "budget"
    assert 0.35 < record.seconds < 0.6
    assert record.steps >= 20


def test_tables_of_few_values_are_trained_for_few_passes(monkeypatch):
    """As if 500 rows were many: 35 passes in batches of 256, and something learned in them."""
    monkeypatch.setattr("genzoo.models.vae.MANY_ROWS", 500)
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 2, (1200, 1))
    rows = np.where(rng.random((1200, 11)) < 0.9, groups, 1 - groups)
    train, valid, fresh = rows[:600], rows[600:900], rows[900:]
    model = VAE(device="cpu").fit(train, valid=valid)
    assert model.training_.steps <= 35 * 600 // 256
    gain = model.log_prob(fresh).value - Independent().fit(train).log_prob(fresh).value
    assert gain.mean() > SIGMAS * gain.std() / np.sqrt(len(gain))


@pytest.mark.slow
def test_a_small_table_is_soon_done():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, 3000)
    rows = np.stack([a, np.where(rng.random(3000) < 0.7, a, rng.integers(0, 4, 3000))], axis=1)
    model = VAE(device="cpu").fit(rows)
    assert model.training_.steps <= 1500
    counts = np.unique(rows, axis=0, return_counts=True)[1] / len(rows)
    entropy = -(counts * np.log(counts)).sum()
    model.set_params(n_importance=1024)  # it is the fit that is asked, not how loose a bound is
    assert model.log_prob(rows).mean().value > -entropy - 0.02


@pytest.mark.slow
def test_a_training_without_a_budget_comes_near_the_truth():
    """Two noisy copies of a bit. With 2,000 rows maximum likelihood loses 7 / 4,000 nats."""
    rng = np.random.default_rng(3)
    bit = rng.integers(0, 2, 4500)
    flips = rng.random((4500, 2)) < (0.1, 0.2)
    rows = np.column_stack([bit, bit ^ flips[:, 0], bit ^ flips[:, 1]])
    schema = Schema(tuple(Variable(f"x{d}", cardinality=2) for d in range(3)), "table", (3,))
    model = VAE(width=16, device="cpu").fit(rows[:2000], valid=rows[2000:2500], schema=schema)
    assert model.training_.stopped_by in ("steps", "converged")
    truth = np.log(0.5) + np.log(np.where(flips, (0.1, 0.2), (0.9, 0.8))).sum(axis=1)
    found = model.log_prob(rows[2500:], seed=1)
    assert found.value.mean() > truth[2500:].mean() - 0.02


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "better_by"), [("digits_binary", 6.0), ("alarm", 7.0), ("iris", 0.5), ("names", 1.0)]
)
def test_it_beats_the_baseline(name, better_by):
    data = genzoo.load_dataset(name)
    baseline = Independent().fit(data).log_prob(data.test).mean().value
    model = VAE(device="cpu").fit(data, budget="1000 steps")
    assert model.log_prob(data.test).mean().value > baseline + better_by
