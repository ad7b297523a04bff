"""Distinct rows and how often each was seen, against a dictionary."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from genzoo.models.shared.distinct import weighted


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
