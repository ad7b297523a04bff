"""The GAN against quadrature over a latent space of one dimension, and its promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chi2

import genzoo
from genzoo import GAN, MISSING, Independent, Schema, Variable
from genzoo.fitting import Budget
from genzoo.models.gan.calibration import Decoded
from genzoo.models.gan.game import SMALLEST_BATCH, Game, batch_size, straight_through
from genzoo.models.gan.networks import Critic
from genzoo.models.neural.heads import Heads
from genzoo.models.neural.modules import Drawn

ALPHA = 1e-6  # false-alarm rate of each statistical check here


def table(*cards: int, kind: str = "nominal", missing: bool = False) -> Schema:
    variables = [Variable(f"x{d}", kind, c, missing=missing) for d, c in enumerate(cards)]
    return Schema(tuple(variables), "table", (len(cards),))


def strings(T: int) -> Schema:
    variables = [Variable(t, "nominal", categories=("a", "b", "END")) for t in range(T)]
    return Schema(tuple(variables), "sequence", (T,), end=2)


SPACES = {
    "table": table(2, 3, 1, 4),
    "strings": strings(4),
    "ordinal with a mark": Schema(
        (*table(2).variables, Variable("y", "ordinal", 41, missing=True)), "table", (2,)
    ),
}


def some_rows(schema: Schema, n: int, seed: int = 0) -> np.ndarray:
    """Rows that depend on each other: two prototypes, an eighth of the entries replaced."""
    rng = np.random.default_rng(seed)
    prototypes = np.stack([schema.cards // 3, schema.cards - 1])
    rows = prototypes[rng.integers(0, 2, n)]
    rows = np.where(rng.random(rows.shape) < 1 / 8, rng.integers(0, schema.cards, rows.shape), rows)
    return rows if schema.end is None else np.where(schema.reached(rows), rows, schema.end)


@pytest.fixture(scope="module", params=list(SPACES))
def small(request: pytest.FixtureRequest) -> GAN:
    schema = SPACES[request.param]
    return GAN(latent_dim=1, width=32).fit(
        some_rows(schema, 400), schema=schema, budget="200 steps"
    )


def by_quadrature(model: GAN, rows: np.ndarray) -> np.ndarray:
    """log p(x) by the trapezoid rule over z."""
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    with torch.no_grad():
        x = torch.as_tensor(rows)
        log_p = model.generator_.row_log_prob(z.float().view(-1, 1, 1), x).double()
    log_prior = -0.5 * z.square() - 0.5 * np.log(2 * np.pi) + np.log(16 / 4000)
    return (log_p + log_prior.view(-1, 1)).logsumexp(dim=0).numpy()


def test_model_is_normalised(small: GAN) -> None:
    masses = np.exp(by_quadrature(small, small.schema_.enumerate()))
    assert masses.sum() == pytest.approx(1, abs=1e-4)
    assert masses.min() > 0


def test_bound_is_near_the_mass_and_not_above_it(small: GAN) -> None:
    rows = small.schema_.enumerate()
    exact = by_quadrature(small, rows)
    small.set_params(n_importance=2000)
    bound = small.log_prob(rows, seed=1)
    assert bound.kind == "lower_bound"
    z = (np.exp(bound.value) - np.exp(exact)) / (np.exp(exact) * bound.stderr + 1e-6)
    assert np.abs(z).max() < 6
    assert np.abs(bound.value - exact).max() < 0.3


def test_samples_follow_the_mass(small: GAN) -> None:
    rows, n = small.schema_.enumerate(), 20_000
    drawn = small.sample(n, seed=2)
    place = np.cumprod([1, *small.schema_.cards[:0:-1]])[::-1]
    known = {key: i for i, key in enumerate(rows @ place)}
    observed = np.bincount([known[key] for key in drawn @ place], minlength=len(rows))
    expected = n * np.exp(by_quadrature(small, rows))
    rare = expected < 5
    if rare.any():
        observed = np.append(observed[~rare], observed[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    statistic = np.sum((observed - expected) ** 2 / (expected + 1e-9))
    assert chi2.sf(statistic, len(expected) - 1) > ALPHA


def test_more_draws_tighten_the_bound_and_elbo_is_below() -> None:
    schema = SPACES["table"]
    model = GAN(width=32).fit(some_rows(schema, 400), schema=schema, budget="100 steps")
    rows = some_rows(schema, 500, seed=1)
    means = [model.set_params(n_importance=K).log_prob(rows).mean() for K in (2, 40, 800)]
    slack = [4.5 * np.mean(model.log_prob(rows).stderr) / np.sqrt(len(rows))] * 2
    assert means[0].value < means[1].value + slack[0]
    assert means[1].value < means[2].value + slack[1]
    elbo = model.set_params(estimator="elbo").log_prob(rows).mean()
    assert elbo.value < means[2].value


@pytest.mark.slow
def test_learns_that_columns_depend_on_each_other() -> None:
    schema, rng = table(4, 4, 4), np.random.default_rng(0)
    rows = np.repeat(rng.integers(0, 4, (1500, 1)), 3, axis=1)
    model = GAN(width=64).fit(rows[:1200], schema=schema, budget="700 steps")
    bound = model.log_prob(rows[1200:]).mean()
    independent = Independent().fit(rows[:1200], schema=schema).log_prob(rows[1200:]).mean()
    assert bound.value > independent.value + 1.0  # the truth is 2 log 4 = 2.8 above
    assert model.calibration_["after"] >= model.calibration_["before"]


def test_without_anything_to_learn_it_is_no_worse_than_independent() -> None:
    schema, rng = table(*[5] * 12), np.random.default_rng(0)
    rows = rng.choice(5, (1000, 12), p=[0.5, 0.2, 0.1, 0.1, 0.1])
    model = GAN().fit(rows[:600], schema=schema, budget="20 steps")
    bound = model.log_prob(rows[600:]).mean()
    independent = Independent().fit(rows[:600], schema=schema).log_prob(rows[600:]).mean()
    assert bound.value > independent.value - 0.1


def test_a_large_marginal_weight_is_flagged(small: GAN) -> None:
    flagged = any("marginals" in note for note in small.training_.notes)
    assert flagged == (small.calibration_["marginal_weight"] > 0.1)
    assert any("before" in note and "after" in note for note in small.training_.notes)


def test_straight_through_draws_what_the_heads_say() -> None:
    schema = Schema(
        (
            *table(3, 2).variables,
            Variable("y", "ordinal", 40),
            Variable("z", "ordinal", 51, missing=True),
        ),
        "table",
        (4,),
    )
    heads, n = Heads(schema), 40_000
    outputs = torch.randn(heads.n_outputs, generator=torch.Generator().manual_seed(0))
    drawn = straight_through(heads, outputs.expand(n, -1), torch.Generator().manual_seed(1))
    p = heads.log_probs_all(outputs).exp()  # (D, M)
    codes = torch.arange(heads.M)
    wanted = torch.cat(
        [
            p[0, :3],
            p[1, :2],
            (p[2, :40] * (2 * codes[:40] / 39 - 1)).sum()[None],
            (p[3, :50] * (2 * codes[:50] / 49 - 1)).sum()[None],
            p[3, 50:51],
        ]
    )
    error = drawn.std(dim=0) / n**0.5 + 1e-9
    assert ((drawn.mean(dim=0) - wanted) / error).abs().max() < 6
    assert set(drawn[:, :5].unique().tolist()) == {0.0, 1.0}


def test_straight_through_gradient_raises_what_it_should() -> None:
    schema = Schema((*table(3).variables, Variable("y", "ordinal", 40)), "table", (2,))
    heads = Heads(schema)
    outputs = torch.zeros(2000, heads.n_outputs, requires_grad=True)
    drawn = straight_through(heads, outputs, torch.Generator().manual_seed(0))
    (slope,) = torch.autograd.grad(drawn[:, 1].sum(), outputs, retain_graph=True)
    assert slope[:, 1].mean() > 0 > slope[:, 0].mean()
    (slope,) = torch.autograd.grad(drawn[:, 3].sum(), outputs)
    assert slope[:, 3 + 5 : 3 + 10].sum(dim=1).mean() > 0.5  # means of the components
    assert torch.isfinite(slope).all()


def test_straight_through_stops_at_end() -> None:
    schema = strings(3)
    heads = Heads(schema)
    outputs = torch.zeros(5, heads.n_outputs)
    outputs[:, 3 + 2] = 50.0  # END in the second place, surely
    outputs[:, 2] = -50.0  # and not in the first
    outputs.requires_grad_()
    drawn = straight_through(heads, outputs, torch.Generator().manual_seed(0))
    assert (drawn.view(5, 3, 3)[:, 1:].argmax(dim=-1) == 2).all()
    weight = torch.randn(drawn.shape, generator=torch.Generator().manual_seed(1))
    (slope,) = torch.autograd.grad((drawn * weight).sum(), outputs)
    assert (slope[:, 6:] == 0).all()
    assert (slope[:, :2] != 0).all()


@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_step_budget_counts_all_phases(steps: int) -> None:
    schema = SPACES["table"]
    model = GAN(width=8).fit(some_rows(schema, 60), schema=schema, budget=f"{steps} steps")
    assert model.training_.steps == steps
    assert model.training_.stopped_by == "budget"
    assert np.isfinite(model.log_prob(some_rows(schema, 5)).value).all()


def test_seconds_budget_holds_for_all_parts_together_and_is_replayed(ticking) -> None:
    schema = SPACES["strings"]
    rows = some_rows(schema, 300)
    seen: list[float] = []
    ticking(0.004)
    model = GAN(width=8)
    model.fit(rows, schema=schema, budget="2s", progress=lambda done, message: seen.append(done))
    record = model.training_
    assert record.stopped_by == "budget"
    assert 1.6 < record.seconds < 2.0  # the rest is for the choice of the estimator
    assert record.steps == record.work["game/steps"]
    assert record.work["calibration/trials"] == 8
    assert "game/steps" in dict(record.stops)
    assert seen == sorted(seen)
    again = []
    for tick in (1e-6, 0.1):
        ticking(tick)
        budget = Budget.replay(record, "2s")
        again.append(GAN(width=8).fit(rows, schema=schema, budget=budget))
        assert again[-1].training_.work == record.work
        assert again[-1].training_.stops == record.stops
    values = [twin.log_prob(rows[:20], seed=1).value for twin in again]
    assert (values[0] == values[1]).all()


def test_calibration_ends_with_its_share_of_the_seconds(ticking) -> None:
    schema = SPACES["table"]
    ticking(0.02)
    model = GAN(width=8).fit(some_rows(schema, 60), schema=schema, budget="1s")
    assert 1 <= model.training_.work["calibration/trials"] < 8
    assert ("calibration/trials", model.training_.work["calibration/trials"]) in (
        model.training_.stops
    )


def test_rows_of_a_batch_are_fewer_where_they_are_wide_or_time_is_short() -> None:
    assert batch_size(1000, 1e6, None) == batch_size(1000, 1e6, 60.0) == 64
    assert batch_size(200_000, 1e6, None) < 16
    assert batch_size(1000, 1e9, None) == 64
    assert batch_size(1000, 1e7, 6.0) < 64
    assert batch_size(10**7, 1e12, 0.1) == SMALLEST_BATCH


def test_a_wide_column_takes_as_much_as_its_own_codes(watched) -> None:
    """Padded to the widest, one tensor of a step would have 2 GB here."""
    schema = table(*[3] * 60, 2000)
    with watched() as largest:
        model = GAN(width=16).fit(some_rows(schema, 300), schema=schema, budget="3 steps")
        model.sample(100)
    # the widest is a batch, or the model's own rows, one-hot: the whole table of their codes
    assert largest.n_bytes < 4 * 1024 * 2 * schema.cards.sum()


def test_critic_sees_the_order_of_numbers() -> None:
    """Codes that lie further apart look further apart, in short ordinals and in long ones."""
    schema = Schema(
        (Variable("y", "ordinal", 9), Variable("z", "ordinal", 200), *table(3).variables),
        "table",
        (3,),
    )
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(0, c, 500) for c in schema.cards])
    critic, heads = Critic(schema, 8, rows), Heads(schema)
    for d, codes in ((0, (1, 2, 4, 8)), (1, (10, 40, 90, 190))):
        x = torch.zeros((4, 3), dtype=torch.int64)
        x[:, d] = torch.tensor(codes)
        seen = critic.seen(heads.onehot(x))
        apart = (seen - seen[0]).norm(dim=1)
        assert (apart.diff() > 0.3).all()
    assert critic(heads.onehot(x)).shape == (4,)


def test_critic_takes_the_real_row_of_a_pair_for_the_more_real() -> None:
    """Its loss falls below that of a coin's, log 2, against a generator that stands still."""
    schema = SPACES["table"]
    rows = some_rows(schema, 256)
    model = GAN(width=16).fit(rows, schema=schema, budget="1 steps")
    noise = torch.Generator().manual_seed(0)
    with Drawn(noise):
        critic = Critic(schema, 16, rows)
    game = Game(model.generator_, model.proposal_, critic, penalty=0.01, likelihood_weight=0.0)
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        loss = game.critic_loss(torch.as_tensor(rows), noise)
        loss.backward()
        optimizer.step()
    assert loss < np.log(2) - 0.05
    # to the generator of the same pairs it is worse than a coin
    assert game.adversarial_loss(torch.as_tensor(rows), noise) > np.log(2) + 0.05


def test_likelihood_weight_is_told_and_raises_the_bound() -> None:
    schema = SPACES["table"]
    rows = some_rows(schema, 400)
    bounds = []
    for weight in (0.0, 1.0):
        model = GAN(width=16, likelihood_weight=weight)
        model.fit(rows, schema=schema, budget="60 steps")
        assert any(f"likelihood weight {weight:g}" in note for note in model.training_.notes)
        bounds.append(model.training_.curve[-1].valid)
    assert bounds[1] > bounds[0]


def test_decoded_draws_bound_the_mass_at_any_temperature_and_weight(small: GAN) -> None:
    rows = some_rows(small.schema_, 6, seed=7)
    noise = torch.Generator().manual_seed(0)
    decoded = Decoded(torch.as_tensor(rows), small.generator_, small.proposal_, 20_000, noise)
    kept = small.calibration_["temperature"], small.calibration_["marginal_weight"]
    for e, s in ((0.3, 0.5), (0.01, 1.4), (0.3, 0.5)):
        found = decoded.bound(e, s)
        small.generator_.calibrate(s, e)
        assert (abs(found.value - by_quadrature(small, rows)) < 6 * found.stderr + 1e-3).all()
    small.generator_.calibrate(*kept)


def test_marginals_that_earlier_versions_saved_are_read(small: GAN, tmp_path) -> None:
    rows = some_rows(small.schema_, 20, seed=3)
    before = small.log_prob(rows, seed=4).value
    flat, cards = small.generator_.log_marginals.numpy(), small.schema_.cards
    padded = np.full((len(cards), cards.max()), -np.inf)
    padded[np.arange(cards.max()) < cards[:, None]] = flat
    small._restore({**small._state(), "log_marginals": padded})
    assert (small.log_prob(rows, seed=4).value == before).all()


def test_everything_comes_back_from_disk(small: GAN, tmp_path) -> None:
    rows = some_rows(small.schema_, 40, seed=3)
    small.save(tmp_path / "model")
    again = genzoo.load_model(tmp_path / "model")
    assert (again.log_prob(rows, seed=4).value == small.log_prob(rows, seed=4).value).all()
    assert (again.sample(50, seed=5) == small.sample(50, seed=5)).all()
    assert again.calibration_ == small.calibration_
    assert not again.generator_.training
    assert not again.proposal_.training


def test_an_empty_given_is_no_condition_and_holes_are_refused_in_fit() -> None:
    schema = SPACES["table"]
    rows = some_rows(schema, 60)
    model = GAN(width=8).fit(rows, schema=schema, budget="5 steps")
    nothing = np.full_like(rows[:1], MISSING)
    assert (model.sample(9, given=nothing, seed=1) == model.sample(9, seed=1)).all()
    rows[0, 1] = MISSING
    with pytest.raises(ValueError, match="GAN is fitted to complete rows"):
        model.fit(rows, schema=schema)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"latent_dim": 0}, "latent_dim: expected a positive integer; got 0"),
        ({"width": 2.5}, "width: expected a positive integer"),
        ({"critic_steps": True}, "critic_steps: expected a positive integer"),
        ({"penalty": -1.0}, "penalty: expected a positive number; got -1.0"),
        ({"likelihood_weight": -0.1}, "likelihood_weight: expected"),
        ({"n_importance": 1}, "n_importance: expected an integer of at least 2"),
        (
            {"estimator": "parzen"},
            "estimator: expected one of 'auto', 'elbo', 'iwae', 'ais'; got 'parzen'",
        ),
        ({"device": 3}, "device: expected"),
    ],
)
def test_bad_parameters_are_named(params: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        genzoo.make_model("gan", **params)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alarm", "grammar", "tinyshakespeare", "breast_cancer"])
def test_every_kind_of_data(name: str) -> None:
    data = genzoo.load_dataset(name)
    model = GAN().fit(data, budget="20 steps")
    bound = model.log_prob(data.test[:100]).mean()
    independent = Independent().fit(data).log_prob(data.test[:100]).mean()
    assert bound.value > independent.value - 1.0
    data.schema.check_rows(model.sample(20))


@pytest.mark.slow
def test_digits_beat_independent_pixels() -> None:
    data = genzoo.load_dataset("digits_binary")
    model = GAN().fit(data, budget="1500 steps")
    independent = Independent().fit(data).log_prob(data.test).mean()
    assert model.log_prob(data.test).mean().value > independent.value + 4


def test_strings_of_which_one_is_long_are_scored_as_far_as_they_go() -> None:
    variables = tuple(Variable(d, cardinality=4) for d in range(600))
    schema = Schema(variables, "sequence", (600,), end=3)
    rows = np.full((40, 600), 3)
    rows[:, :5] = np.random.default_rng(0).integers(0, 3, (40, 5))
    model = GAN(width=8).fit(rows, schema=schema, budget="3 steps")
    generator, z = model.generator_, torch.randn(2, 1, 16, generator=torch.manual_seed(1))
    for s, e in ((1.0, 0.1), (0.5, 0.3)):
        generator.calibrate(s, e)
        x = torch.as_tensor(rows)
        whole = generator.log_prob_at(generator.decoder(z), x)
        assert generator.decoder.as_far_as(z, x)[2].shape == (40, 8)
        torch.testing.assert_close(generator.row_log_prob(z, x), whole)


def test_record_tells_what_the_game_gained_at_last() -> None:
    schema = table(3, 4)
    rows = some_rows(schema, 300)
    record = GAN(width=8).fit(rows, schema=schema, budget="400 steps").training_
    assert record.late_gain is not None
    gained = record.late_gain[0]
    points = [(p.step, p.valid) for p in record.curve if p.valid is not None]
    before = max(valid for step, valid in points if step <= 0.75 * points[-1][0])
    assert gained == pytest.approx(max(valid for _, valid in points) - before, abs=1e-6)


def test_a_way_through_the_latents_is_of_rows_and_repeats():
    schema = SPACES["strings"]
    model = GAN(width=16, latent_dim=2, device="cpu")
    rows = some_rows(schema, 60)
    model.fit(rows, schema=schema, budget="20 steps")
    way = model.interpolate(rows[:1], rows[1:2], 6)
    assert way.shape == (6, 4)
    schema.check_rows(way)
    assert (way == model.interpolate(rows[:1], rows[1:2], 6)).all()
    assert (way[::-1] == model.interpolate(rows[1:2], rows[:1], 6)).all()
