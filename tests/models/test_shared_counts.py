"""What several families use: patterns and mutual information, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from genzoo.models.shared.distinct import by_pattern, weighted
from genzoo.models.shared.information import information_in


def test_rows_are_grouped_by_what_is_missing():
    missing = np.random.default_rng(0).random((200, 3)) < 0.4
    groups = by_pattern(missing)
    assert sorted(np.concatenate([at for at, _ in groups]).tolist()) == list(range(200))
    assert len({tuple(pattern) for _, pattern in groups}) == len(groups)
    for at, pattern in groups:
        assert (missing[at] == pattern).all()
        assert (np.diff(at) > 0).all()
    assert by_pattern(missing[:0]) == []


def test_distinct_rows_are_all_rows():
    rows = np.random.default_rng(1).integers(-1, 3, (500, 3))
    distinct, weights = weighted(rows)
    assert len(np.unique(distinct, axis=0)) == len(distinct)
    again = np.repeat(distinct, weights.astype(int), axis=0)
    order = np.lexsort(rows.T[::-1])
    np.testing.assert_array_equal(again, rows[order])


def test_mutual_information_is_scikit_learns():
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
