"""Orders of variables, against their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from genzoo.space.graphs import elimination_order, topological


@pytest.mark.parametrize("seed", range(20))
def test_parents_come_first_and_the_smallest_of_those_that_may(seed):
    rng = np.random.default_rng(seed)
    hidden = rng.permutation(9)
    place = np.argsort(hidden)
    parents = [
        [p for p in range(9) if place[p] < place[v] and rng.random() < 0.3] for v in range(9)
    ]
    order = topological(parents)
    assert sorted(order) == list(range(9))
    assert all(order.index(p) < order.index(v) for v in range(9) for p in parents[v])
    depth = [0] * 9  # of the longest way from a variable without parents
    for v in order:
        depth[v] = max((depth[p] + 1 for p in parents[v]), default=0)
    assert order == sorted(range(9), key=lambda v: (depth[v], v))


def test_a_cycle_has_no_order():
    with pytest.raises(ValueError, match="cycle"):
        topological([[1], [2], [0]])


def eliminated(scopes, order, cards):
    """The entries of the factors that eliminating in this order makes, one by one."""
    factors, made = [set(s) for s in scopes], []
    for v in order:
        joined = set().union(*(f for f in factors if v in f))
        made.append(math.prod(int(cards[u]) for u in joined))
        factors = [f for f in factors if v not in f] + [joined - {v}]
    return made


@pytest.mark.parametrize("seed", range(20))
def test_elimination_takes_the_smallest_factor_and_counts_all(seed):
    rng = np.random.default_rng(seed)
    cards = rng.integers(2, 5, 7)
    scopes = [tuple(rng.choice(7, rng.integers(1, 4), replace=False).tolist()) for _ in range(6)]
    present, kept = {v for s in scopes for v in s}, {scopes[0][0]}
    for stays in (set(), kept):
        order, total = elimination_order(scopes, cards, kept=stays)
        assert sorted(order) == sorted(present - stays)
        made = eliminated(scopes, order, cards)
        for k in range(len(order)):
            others = [eliminated(scopes, [*order[:k], v], cards)[-1] for v in order[k:]]
            assert made[k] == min(others)
        given = sum(math.prod(int(cards[v]) for v in s) for s in scopes)
        assert total == given + sum(made)
        assert elimination_order(scopes, cards, kept=stays, largest=max(made)) == (order, total)
        assert elimination_order(scopes, cards, kept=stays, largest=max(made) - 1) is None


def test_a_chain_is_eliminated_without_a_factor_of_three():
    scopes = list(itertools.pairwise(range(8)))
    order, _ = elimination_order(scopes, np.full(8, 5))
    assert max(eliminated(scopes, order, np.full(8, 5))) == 25
