"""The order of columns: moves against the sums that they make smaller, and many columns."""

from __future__ import annotations

import numpy as np
import pytest

from genzoo.models.shared.column_order import arranged, column_order


def length(order: np.ndarray, shared: np.ndarray) -> float:
    """What an order is to make small: how far apart columns lie, by what they share."""
    place = np.argsort(order)
    return float((shared * np.abs(place[:, None] - place)).sum()) / 2


def shared_by_chance(D: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shared = np.triu(rng.exponential(size=(D, D)) ** 3, 1)
    return shared + shared.T


@pytest.mark.parametrize("seed", range(5))
def test_no_column_has_a_better_place(seed: int) -> None:
    shared = shared_by_chance(12, seed)
    order = arranged(shared)
    assert sorted(order) == list(range(12))
    for column in range(12):
        rest = order[order != column]
        moved = [length(np.insert(rest, k, column), shared) for k in range(12)]
        assert length(order, shared) <= min(moved) + 1e-9


def test_many_columns_of_a_chain_come_in_its_order() -> None:
    """More than there are all eigenvectors found of."""
    rng = np.random.default_rng(0)
    D = 400
    rows = rng.integers(0, 2, (400, D))
    for d in range(1, D):
        rows[:, d] = np.where(rng.random(400) < 0.97, rows[:, d - 1], rows[:, d])
    shuffle = rng.permutation(D)
    order = shuffle[column_order(rows[:, shuffle], np.full(D, 2))]
    assert np.abs(np.diff(order)).mean() < 1.5
