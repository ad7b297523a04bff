"""Heads: proper distributions per variable, stable tails, samples that follow them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from genzoo.models.neural.groups import N_COMPONENTS, grouped
from genzoo.models.neural.heads import VALUE, Heads
from genzoo.space import strings
from genzoo.space.schema import MISSING, Schema, Variable

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
BITS = Schema(tuple(Variable(d, cardinality=2) for d in range(4)), "table", (4,))
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


@pytest.mark.parametrize("schema", [MIXED, BITS])
def test_log_prob_is_the_entry_of_the_full_table(schema: Schema) -> None:
    heads = Heads(schema)
    outputs, x = outputs_for(heads, 30), rows_for(schema, 30)
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
    log_weight, mean, log_scale, _ = heads.mixtures[0].parameters_of(outputs)
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


# ------------------------------------------------------------------- cardinalities that differ much

WIDE = Schema(
    (
        *(Variable(f"narrow {d}", cardinality=2 + d % 3) for d in range(30)),
        Variable("wide", cardinality=3000),
        Variable("wide, long, with holes", "ordinal", 2000, missing=True),
        Variable("long", "ordinal", 40),
    ),
    "table",
    (33,),
)


def test_tables_take_as_much_as_there_are_codes(watched) -> None:
    heads, n = Heads(WIDE), 16
    outputs, x = outputs_for(heads, n), rows_for(WIDE, n)
    x[0, 30:] = VALUE
    assert heads.table_size <= 2 * WIDE.cards.sum()
    with watched() as largest:
        heads.log_prob(outputs, x.clamp(min=0))
        heads.sample(outputs, None)
        heads.onehot(x, torch.zeros(heads.n_inputs))
    assert largest.n_bytes <= 8 * n * 2 * WIDE.cards.sum()
    with watched() as largest:
        heads.completed(heads.log_tables(outputs), x, None)
    assert largest.n_bytes <= 4 * n * N_COMPONENTS * 2 * WIDE.cards.sum()


def test_groups_are_few_and_of_similar_cardinality() -> None:
    assert [part.tolist() for part in grouped(np.full(9, 7))] == [list(range(9))]
    cards = np.array([2, 3000, 5, 2, 2900, 3, 40])
    parts = grouped(cards)
    assert sorted(np.concatenate(parts).tolist()) == list(range(7))
    assert sum(len(p) * cards[p].max() for p in parts) <= 2 * cards.sum()
    assert len(parts) < 4


def test_groups_come_back_in_the_order_of_the_schema() -> None:
    heads = Heads(WIDE)
    assert len(heads.groups) == 3
    outputs, x = outputs_for(heads, 5), rows_for(WIDE, 5)
    log_p, everything = heads.log_prob(outputs, x), heads.log_probs_all(outputs)
    first = 0
    for d, variable in enumerate(WIDE.variables):
        alone = Heads(Schema((variable,), "table", (1,)))
        own = outputs[:, first : first + heads.widths[d]]
        torch.testing.assert_close(log_p[:, d : d + 1], alone.log_prob(own, x[:, d : d + 1]))
        card = WIDE.cards[d]
        torch.testing.assert_close(everything[:, d, :card], alone.log_probs_all(own)[:, 0])
        first += heads.widths[d]


def test_completions_keep_what_is_known_and_draw_from_the_tables() -> None:
    heads = Heads(MIXED)
    x = rows_for(MIXED, 40)
    known = torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    wanted = rows_for(MIXED, 41)[1:]
    tables = []
    for group, codes in zip(heads.groups, heads.split(wanted), strict=True):
        sure = torch.full((40, *group.legal.shape), -1e9)
        tables.append(sure.scatter(-1, codes.unsqueeze(-1), 0.0))
    found = heads.completed(tables, x.masked_fill(~known, MISSING), None)
    assert torch.equal(found, torch.where(known, x, wanted))
    assert torch.equal(heads.likeliest(tables), wanted)
    # a value is never the missing mark, however sure that is
    x[:, 1] = VALUE
    tables[-1][:] = -1e9
    for group, table in zip(heads.groups, tables, strict=True):
        table.masked_fill_(group.marks, 0.0)
    assert (heads.completed(tables, x, None)[:, 1] < 49).all()


@pytest.mark.parametrize("schema", [MIXED, WIDE], ids=["mixed", "wide"])
def test_gathered_columns_are_the_product_with_features(schema: Schema) -> None:
    heads, x = Heads(schema), rows_for(schema, 12)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(6, heads.n_inputs, generator=generator)
    blank = torch.randn(heads.n_inputs, generator=generator)
    for rows in (x, x.masked_fill(torch.rand(x.shape, generator=generator) < 0.3, MISSING)):
        product = heads.onehot(rows, blank) @ weight.T
        torch.testing.assert_close(
            heads.projected(rows, weight, blank), product, atol=1e-4, rtol=1e-5
        )


def test_mean_features_are_those_of_what_is_there() -> None:
    heads = Heads(MIXED)
    x = rows_for(MIXED, 60)
    x[:20, 1] = MISSING
    here = (x >= 0)[:, heads.variable_of]
    wanted = (heads.onehot(x.clamp(min=0)) * here).sum(dim=0) / here.sum(dim=0)
    torch.testing.assert_close(torch.as_tensor(heads.mean_features(x.numpy())), wanted)
