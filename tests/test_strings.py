"""The END rule, against a loop over the symbols of each row."""

from __future__ import annotations

import numpy as np
import pytest

from genzoo.space import strings

END = 1


def rows_with_holes(n: int = 400, D: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(-1, 4, (n, D))


def first_end(row: list[int]) -> int:
    """The position of the first END; D where there is none."""
    return row.index(END) if END in row else len(row)


def test_nothing_behind_the_first_end_is_reached() -> None:
    rows = rows_with_holes()
    reached, ended = strings.reached(rows, END), strings.ended(rows, END)
    settled, lengths = strings.settled(rows, END), strings.lengths(rows, END)
    for i, row in enumerate(rows.tolist()):
        e = first_end(row)
        assert reached[i].tolist() == [d <= e for d in range(len(row))]
        assert ended[i].tolist() == [d >= e for d in range(len(row))]
        assert settled[i].tolist() == [row[d] if d < e else END for d in range(len(row))]
        assert lengths[i] == min(e + 1, len(row))
    np.testing.assert_array_equal(strings.settled(settled, END), settled)


def test_rows_without_an_end_are_reached_altogether() -> None:
    rows = rows_with_holes()
    assert strings.reached(rows, None).all()
    assert not strings.ended(rows, None).any()
    assert strings.settled(rows, None) is rows
    assert (strings.lengths(rows, None) == rows.shape[1]).all()


def test_a_row_may_have_ended_where_some_filling_of_its_holes_ends() -> None:
    rows = strings.settled(rows_with_holes(), END)
    earliest, latest = strings.ends_between(rows, END)
    for row, low, high in zip(rows.tolist(), earliest, latest, strict=True):
        # END at d: all before it are no END, and what is observed behind it is END
        possible = [
            d
            for d in range(len(row) + 1)
            if END not in row[:d] and all(code in (-1, END) for code in row[d:])
        ]
        assert possible == list(range(low, high + 1))


@pytest.mark.parametrize("end", [END, None])
def test_no_columns(end: int | None) -> None:
    rows = np.zeros((3, 0), dtype=np.int64)
    assert strings.lengths(rows, end).tolist() == [0, 0, 0]
    assert [a.tolist() for a in strings.ends_between(rows, end)] == [[0, 0, 0], [0, 0, 0]]
