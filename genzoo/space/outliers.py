"""Numbers that stand apart from the rest: what other programs write where they have no value.

A fill value such as -3.4e38 or 9999-12-31 is no measurement: it takes the range of its column to
itself, and a model learns it as a number. Two rules find one, both by how far it lies from the
rest, so that 999 among prices is none:

    far out     at most ``MOST_FAR`` values, and a tenth of all different ones, lie ``FAR`` times
                farther from the middle than any other: whatever they are, and however rare
    known       values that programs are known to fill with and that repeat, where they lie three
                ranges of the rest beyond it (thirty where they don't repeat), or are the only ones
                below zero; of dates a quarter of the range beyond the rest, where they are not
                outside all calendars anyway

The bounds were set so that the columns of the 24 data sets of genzoo have none, and Adult's capital
gain of 99,999 (1.4 ranges beyond the rest, a cap that was reached) stays a number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from genzoo.space.times import STEPS
from genzoo.space.variable import Quantity, Unit

FAR = 1e6
MOST_FAR = 8
FEWEST_ROWS = 20  # that tell what the rest is like
RANGES_BEYOND, RANGES_BEYOND_ONCE = 3.0, 30.0
DATE_RANGES_BEYOND = 0.25
CLOSE = 1e-6  # relative: -3.4028235e38 is written with more and with fewer digits

NINES = (999, 9_999, 99_999, 999_999, 9_999_999, 99_999_999, 999_999_999, 999.9, 999.99, 9_999.9,
         9_999.99, 99_999.99)  # fmt: skip
FILLS = np.array(sorted({
    *NINES, *(-v for v in NINES), -99, -99.9, -99.99,
    *(s * v for s in (-1, 1) for v in (1e15, 1e20, 1e30, 1e34, 1e35, 1e36, 3.4028235e38)),
    9.96921e36, 32_767, -32_768, 65_535, 2_147_483_647, -2_147_483_648, 4_294_967_295,
    2.0**63, -(2.0**63), 1.7976931348623157e308, -1.7976931348623157e308,
}))  # fmt: skip
DATE_FILLS = (
    "0001-01-01", "1111-11-11", "1582-10-15", "1753-01-01", "1800-01-01", "1899-12-30",
    "1899-12-31", "1900-01-01", "1901-01-01", "1904-01-01", "1960-01-01", "1970-01-01",
    "2000-01-01", "2049-12-31", "2050-12-31", "2078-12-31", "2079-06-06", "2099-12-31",
    "2100-01-01", "2199-12-31", "2200-01-01", "2262-04-11", "2500-12-31", "2999-12-31",
    "3000-01-01", "3999-12-31", "4712-12-31", "5999-12-31", "8888-12-31", "9999-01-01",
    "9999-12-30", "9999-12-31",
)  # fmt: skip
EAST = 14 / 24  # of a day: the farthest time zone
NO_CALENDAR = ("1000-01-01", "2900-01-01")  # dates that people keep lie between


class Apart(NamedTuple):
    """A value that stands apart, and how often it was seen."""

    value: float
    rows: int


def apart(
    values: np.ndarray,
    counts: np.ndarray,
    *,
    quantity: Quantity = "number",
    unit: Unit | None = None,
) -> list[Apart]:
    """The values that are probably no measurements but marks of a hole.

    Args:
        values: (n,) different finite numbers, in any order.
        counts: (n,) how often each was seen.
        quantity, unit: what they count, as in ``Variable``.

    >>> slopes = np.append(np.arange(9, 15, 0.1), -3.4028235e38)
    >>> apart(slopes, np.append(np.ones(60), 2))[0].value
    -3.4028235e+38
    >>> apart(np.append(np.arange(300), 999), np.ones(301))
    []
    """
    if quantity == "time" or len(values) < 2 or counts.sum() < FEWEST_ROWS:
        return []
    order = np.argsort(values)
    values, counts = np.asarray(values, float)[order], np.asarray(counts)[order]
    with np.errstate(over="ignore"):  # what overflows is far beyond any range
        out = far(values, counts, FAR)
        if quantity == "number":
            out |= _filled(values, counts, out)
        elif quantity == "date":
            out |= _filled_dates(values, counts, unit or "day")
    return [Apart(float(v), int(c)) for v, c in zip(values[out], counts[out], strict=True)]


def far(values: np.ndarray, counts: np.ndarray, factor: float) -> np.ndarray:
    """(n,) bool: the few of ascending, different ``values`` that lie ``factor`` times farther from
    the middle than all others: a tenth of them at the most, or one.

    >>> far(np.array([1.0, 2.0, 3.0, 1e9]), np.ones(4), 1e6)
    array([False, False, False,  True])
    """
    weight = np.cumsum(np.sqrt(counts))  # a value that fills half of the rows is not the middle
    middle = values[np.searchsorted(weight, weight[-1] / 2)]
    distance = np.abs(values - middle)
    order = np.argsort(distance, kind="stable")
    ordered = distance[order]
    out = np.zeros(len(values), dtype=bool)
    most = min(MOST_FAR, max(1, len(values) // 10))
    for first in range(max(1, len(values) - most), len(values)):
        # of a single value the size is all there is to compare with
        scale = ordered[first - 1] if first > 1 else abs(float(middle))
        if scale > 0 and ordered[first] > factor * scale:
            out[order[first:]] = True
            break
    return out


def _filled(values: np.ndarray, counts: np.ndarray, out: np.ndarray) -> np.ndarray:
    """(n,) bool: known fill values that stand apart from all that are none."""
    nearest = FILLS[np.clip(np.searchsorted(FILLS, values * (1 - CLOSE * np.sign(values))), 0,
                            len(FILLS) - 1)]  # fmt: skip
    known = np.abs(values - nearest) <= CLOSE * np.abs(nearest)
    rest = values[~known & ~out]
    if not known.any() or len(rest) < 3:
        return np.zeros(len(values), dtype=bool)
    lowest, highest = rest[0], rest[-1]
    ranges = np.where(counts > 1, RANGES_BEYOND, RANGES_BEYOND_ONCE)
    beyond = np.maximum(lowest - values, values - highest) >= ranges * (highest - lowest)
    alone_below_zero = (values < 0) & (lowest >= 0) & (counts > 1)
    return known & (beyond | alone_below_zero)


def _filled_dates(values: np.ndarray, counts: np.ndarray, unit: Unit) -> np.ndarray:
    """(n,) bool: known fill dates that stand apart; those of no calendar need not repeat."""
    day = 1 if unit == "month" else STEPS["day"] / STEPS[unit]
    days = np.floor(values / day)
    as_unit = "datetime64[M]" if unit == "month" else "datetime64[D]"
    fills = np.array(DATE_FILLS, dtype=as_unit).astype(np.int64)
    early, late = np.array(NO_CALENDAR, dtype=as_unit).astype(np.int64)
    known = np.isin(days, fills)
    if unit not in ("month", "day"):  # midnight of a zone east of UTC is of the day before there
        known |= np.isin(np.floor(values / day + EAST), fills)
    rest = days[~known]
    if not known.any() or len(rest) < 3:
        return np.zeros(len(values), dtype=bool)
    lowest, highest = rest[0], rest[-1]
    beyond = np.maximum(lowest - days, days - highest)
    repeats = (counts > 1) & (beyond > DATE_RANGES_BEYOND * (highest - lowest))
    no_calendar = ((days < early) & (lowest > early)) | ((days > late) & (highest < late))
    return known & (beyond > 0) & (repeats | no_calendar)
