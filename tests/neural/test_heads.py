"""Heads: proper distributions per variable, stable tails, samples that follow them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from genzoo.models.neural.heads import Heads
from genzoo.space import strings
from genzoo.space.schema import Schema, Variable

MIXED = Schema(
    (
        Variable("nominal", cardinality=3),
        Variable("long with holes", "ordinal", 50, missing=True),
        Variable("constant", cardinality=1),
        Variable("long", "ordinal", 200),
        Variable("short", "ordinal", 5, missing=True),
    ),
    "table",
    (5,),
)
LONG = Schema((Variable("x", "ordinal", 64),), "table", (1,))
STRINGS = Schema(tuple(Variable(t, cardinality=3) for t in range(4)), "sequence", (4,), end=2)


def outputs_for(heads: Heads, n: int, scale: float = 2.0, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(n, heads.n_outputs, generator=generator)


def rows_for(schema: Schema, n: int) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(0).integers(0, schema.cards, (n, schema.D)))


@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0])
def test_each_variable_sums_to_one_over_its_own_codes(scale: float) -> None:
    heads = Heads(MIXED)
    log_p = heads.log_probs_all(outputs_for(heads, 20, scale))
    assert log_p.shape == (20, 5, 200)
    torch.testing.assert_close(log_p.exp().sum(-1), torch.ones(20, 5), atol=1e-5, rtol=0)
    for d, card in enumerate(MIXED.cards):
        assert (log_p[:, d, card:] == -np.inf).all()


def test_log_prob_is_the_entry_of_the_full_table() -> None:
    heads = Heads(MIXED)
    outputs, x = outputs_for(heads, 30), rows_for(MIXED, 30)
    table = heads.log_probs_all(outputs).gather(-1, x.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(heads.log_prob(outputs, x), table)
    torch.testing.assert_close(heads.row_log_prob(outputs, x), table.sum(-1))


def test_leading_dimensions_broadcast() -> None:
    heads = Heads(MIXED)
    outputs, x = outputs_for(heads, 12).view(4, 3, -1), rows_for(MIXED, 3)
    together = heads.log_prob(outputs, x)
    assert together.shape == (4, 3, 5)
    for k in range(4):
        torch.testing.assert_close(together[k], heads.log_prob(outputs[k], x))


def test_mixture_equals_the_difference_of_logistic_distribution_functions() -> None:
    heads = Heads(LONG)
    outputs = outputs_for(heads, 1, 1.0).double()
    log_weight, mean, log_scale, _ = heads.mixtures(outputs)
    edges = np.concatenate([[-np.inf], (2 * np.arange(63) + 1) / 63 - 1, [np.inf]])
    cdf = stats.logistic.cdf(edges[:, None], mean[0, 0].numpy(), log_scale[0, 0].exp().numpy())
    mass = np.diff(cdf @ log_weight[0, 0].exp().numpy())
    ours = heads.log_probs_all(outputs)[0, 0].exp().numpy()
    np.testing.assert_allclose(ours, mass, atol=1e-6)


@pytest.mark.parametrize("mean", [-1e4, -50.0, 0.0, 50.0, 1e4])
@pytest.mark.parametrize("scale", [-1e4, -20.0, 0.0, 20.0, 1e4])
def test_tails_have_finite_mass_and_gradient(mean: float, scale: float) -> None:
    heads = Heads(LONG)
    outputs = torch.zeros(64, heads.n_outputs)
    outputs[:, 5:10], outputs[:, 10:15] = mean, scale
    outputs.requires_grad_()
    log_p = heads.row_log_prob(outputs, torch.arange(64).unsqueeze(1))
    log_p.sum().backward()
    assert outputs.grad is not None
    assert log_p.isfinite().all()
    assert outputs.grad.isfinite().all()
    if mean > 1 and scale == 0:  # every code but the last wants the components lower
        assert (outputs.grad[:-1, 5:10].sum(-1) < 0).all()


def test_gradients_agree_with_differences() -> None:
    heads = Heads(MIXED)
    x = rows_for(MIXED, 3)
    outputs = outputs_for(heads, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda o: heads.log_prob(o, x), outputs)


def test_samples_follow_log_probs() -> None:
    """Chi-square per variable at 1e-6: false alarms in under 1e-5 of seeds; the seeds are fixed."""
    heads, n = Heads(MIXED), 50_000
    outputs = outputs_for(heads, 1)
    x = heads.sample(outputs.expand(n, -1), torch.Generator().manual_seed(1)).numpy()
    p = heads.log_probs_all(outputs)[0].exp().double().numpy()
    for d, card in enumerate(MIXED.cards):
        counts = np.bincount(x[:, d], minlength=card)
        expected = n * p[d, :card] / p[d].sum()
        rare = expected < 5
        counts = np.append(counts[~rare], counts[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
        if (expected > 0).sum() > 1:
            kept = expected > 0
            assert stats.chisquare(counts[kept], expected[kept]).pvalue > 1e-6


def test_strings_stop_at_the_first_end() -> None:
    heads = Heads(STRINGS)
    rows = torch.as_tensor(STRINGS.enumerate())
    outputs = outputs_for(heads, 1)
    log_p = heads.row_log_prob(outputs.expand(len(rows), -1), rows)
    assert float(log_p.exp().sum()) == pytest.approx(1, abs=1e-5)
    x = heads.sample(outputs.expand(500, -1), torch.Generator().manual_seed(0))
    STRINGS.check_rows(x.numpy())


def test_marginal_outputs_are_near_the_marginals() -> None:
    rng = np.random.default_rng(0)
    bell = np.clip(np.rint(rng.normal(120, 15, 2000)), 0, 199)
    holes = np.where(rng.random(2000) < 0.2, 49, rng.integers(0, 49, 2000))
    rows = np.stack(
        [
            rng.choice(3, 2000, p=[0.7, 0.2, 0.1]),
            holes,
            np.zeros(2000),
            bell,
            rng.integers(0, 5, 2000),
        ],
        axis=1,
    ).astype(np.int64)
    heads = Heads(MIXED)
    outputs = torch.as_tensor(heads.marginal_outputs(rows)).unsqueeze(0)
    ours = heads.log_prob(outputs, torch.as_tensor(rows)).mean(dim=0)
    for d in range(5):
        p = np.bincount(rows[:, d]) / 2000
        entropy = -(p[p > 0] * np.log(p[p > 0])).sum()
        assert -0.15 < float(ours[d]) + entropy < 0.05


def test_onehot_tells_rows_apart() -> None:
    heads = Heads(MIXED)
    x = torch.tensor([[2, 0, 0, 0, 4], [0, 49, 0, 199, 1]])
    features = heads.onehot(x)
    assert features.shape == (2, heads.n_inputs)
    # nominal (3), constant (1), short with its mark (5), two scaled values, one mark
    expected = [
        [0, 0, 1, 1, 0, 0, 0, 0, 1, -1, -1, 0],
        [1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 1],
    ]
    torch.testing.assert_close(features, torch.tensor(expected, dtype=torch.float32))


def test_the_end_rule_is_that_of_strings() -> None:
    rows = np.random.default_rng(1).integers(0, 3, (200, 4))
    heads, x = Heads(STRINGS), torch.as_tensor(rows)
    assert (heads.reached(x).numpy() == strings.reached(rows, 2)).all()
    assert (heads.settled(x).numpy() == strings.settled(rows, 2)).all()
    assert heads.settled(x[:, None]).shape == (200, 1, 4)  # any leading dimensions
    without = Heads(LONG)
    assert (without.settled(x[:, :1]) == x[:, :1]).all()
    assert without.reached(x[:, :1]).all()
