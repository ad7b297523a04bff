"""Distinct rows and how often each was seen, against a dictionary."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import numpy as np
import pytest

from genzoo.models.shared.distinct import BLOCK, by_pattern, weighted


@pytest.mark.parametrize("largest", [1, 127, 128, 40_000, 2**31 + 5])
def test_each_row_is_there_once_with_its_count(largest: int) -> None:
    rng = np.random.default_rng(largest)
    rows = rng.integers(0, 3, (300, 4)) * (largest // 2)
    rows[::7, 1] = -1  # entries that are missing
    rows[::11, 2] = largest
    distinct, counts = weighted(rows)
    assert (distinct.dtype, counts.dtype) == (np.int64, np.float64)
    expected = Counter(map(tuple, rows.tolist()))
    found = dict(zip(map(tuple, distinct.tolist()), counts.tolist(), strict=True))
    assert found == expected
    assert list(map(tuple, distinct.tolist())) == sorted(expected)


def test_no_rows_and_no_columns() -> None:
    assert [a.shape for a in weighted(np.zeros((0, 3), dtype=np.int64))] == [(0, 3), (0,)]


def test_rows_of_a_pattern_are_together_in_their_order() -> None:
    missing = np.random.default_rng(0).random((200, 3)) < 0.5
    found = by_pattern(missing)
    assert len(found) == 8
    assert sorted(np.concatenate([index for index, _ in found]).tolist()) == list(range(200))
    for index, pattern in found:
        assert (np.diff(index) > 0).all()
        assert (missing[index] == pattern).all()
    assert by_pattern(missing[:0]) == []


@pytest.mark.parametrize("width", [1, 40, 200])
def test_rows_that_need_many_words_are_told_apart_by_any_of_them(width: int) -> None:
    """Columns of 1,000 codes, six to a word; half of the rows differ in a single place."""
    rng = np.random.default_rng(width)
    rows = rng.integers(0, 1000, (100, width))[np.repeat(np.arange(100), 4)]
    some = np.arange(0, 400, 2)
    rows[some, rng.integers(0, width, 200)] = rng.integers(-1, 1000, 200)
    distinct, counts = weighted(rows.astype(np.int16))
    assert distinct.dtype == np.int16
    expected = Counter(map(tuple, rows.tolist()))
    assert list(map(tuple, distinct.tolist())) == sorted(expected)
    assert counts.tolist() == [expected[row] for row in sorted(expected)]


def test_memory_beside_the_result_is_that_of_a_few_numbers_a_row() -> None:
    rows = np.random.default_rng(1).integers(0, 2, (20_000, 100)).astype(np.int8)
    weighted(rows[:10])
    tracemalloc.start()
    distinct, _ = weighted(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(distinct) == 20_000
    assert peak < distinct.nbytes + 150 * len(rows) + 3 * 8 * BLOCK
