"""Mutual information from counts, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from genzoo.models.shared.information import information_in


def test_mutual_information_is_scikit_learns() -> None:
    rng = np.random.default_rng(2)
    one = rng.integers(0, 4, 3000)
    others = np.stack([one // 2, (one + rng.integers(0, 2, 3000)) % 5, rng.integers(0, 3, 3000)], 1)
    cards = others.max(axis=0) + 1
    first = np.concatenate([[0], np.cumsum(cards)[:-1]])
    counts = np.zeros((4, int(cards.sum())))
    for column, start in zip(others.T, first, strict=True):
        np.add.at(counts, (one, start + column), 1)
    expected = [mutual_info_score(one, column) for column in others.T]
    np.testing.assert_allclose(information_in(counts, first) / 3000, expected, atol=1e-12)
    assert expected[2] == pytest.approx(0.0, abs=0.01)
