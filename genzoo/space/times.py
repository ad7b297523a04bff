"""Dates, durations and times of day as numbers: counted in one unit, and back.

A date is counted from 1970-01-01 00:00, in UTC where its column has a time zone; a duration is its
length; a time of day is counted from midnight. The unit is the largest of which all values are
whole multiples, so that years 1 to 9999 fit whatever the column's own resolution. In between, all
are whole microseconds.
"""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from genzoo.space.dtypes import OBJECTS, named
from genzoo.space.variable import UNITS, Quantity, Unit, Variable, plain

if TYPE_CHECKING:
    import pandas as pd

STEPS: dict[Unit, int] = {
    "day": 86_400_000_000, "hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000,
    "millisecond": 1_000, "microsecond": 1,
}  # fmt: skip
"""Microseconds in each unit, the largest first; months differ."""
CODES: dict[Unit, Any] = dict(zip(UNITS, ("M", "D", "h", "m", "s", "ms", "us"), strict=True))
FIRST, LAST = np.datetime64("0001-01-01", "D"), np.datetime64("9999-12-31", "D")
LONGEST = 10_000 * 366 * STEPS["day"]
MOST_COUNTS = 2**51  # float64 still has the half-way points between counts below
WORDS: dict[Quantity, str] = {
    "date": "dates (datetimes, datetime.date, or ISO text such as '2024-05-01T13:45')",
    "duration": "durations (timedelta64, datetime.timedelta, or text such as '1 days 13:45:00')",
    "time": "times of day (datetime.time, or text such as '13:45')",
}
_OFFSET = re.compile(r"\d[T ].*(Z|[+-]\d\d(:?\d\d)?)$")


class Kind(NamedTuple):
    """What a column holds: its quantity, the dtype in which it comes back, and its time zone."""

    quantity: Quantity
    dtype: str
    zone: str | None = None


class Instants(NamedTuple):
    """(n,) values as whole microseconds, rounded down, and the nanoseconds beyond them."""

    micros: np.ndarray
    nanos: np.ndarray | int = 0


def kind_of(column: pd.Series) -> Kind | None:
    """The kind of a column of dates, durations or times; None for any other.

    Objects are looked at one by one: ``datetime.date`` stays, ``datetime.datetime`` comes back as
    ``datetime64``.

    >>> import pandas as pd
    >>> kind_of(pd.Series(pd.to_datetime(["2024-05-01"])))
    Kind(quantity='date', dtype='datetime64[us]', zone=None)
    """
    import pandas as pd

    dtype = column.dtype
    if dtype.kind == "M":
        arrow = getattr(dtype, "pyarrow_dtype", dtype)
        zone = getattr(arrow, "tz", None)
        return Kind("date", str(dtype), None if zone is None else str(zone))
    if dtype.kind == "m":
        return Kind("duration", str(dtype))
    if isinstance(dtype, pd.PeriodDtype):
        return Kind("date", str(dtype))
    if str(dtype).startswith(("time32[", "time64[")):
        return Kind("time", str(dtype))
    if dtype != np.dtype(object):
        return None
    return _kind_of_objects({type(v) for v in column.dropna()})


def _kind_of_objects(types: set[type]) -> Kind | None:
    for name, python in OBJECTS.items():
        if types == {python}:
            return Kind("time" if python is datetime.time else "date", name)
    if types and all(issubclass(t, (datetime.date, np.datetime64)) for t in types):
        return Kind("date", "datetime64[us]")
    if types and all(issubclass(t, (datetime.timedelta, np.timedelta64)) for t in types):
        return Kind("duration", "timedelta64[us]")
    return None


def read(column: pd.Series, where: str) -> tuple[Kind, Instants]:
    """A column without holes, of dates, durations or times, as microseconds.

    Raises:
        ValueError: beginning with ``where``, for years beyond 1 .. 9999, for dates with and without
            a time zone side by side, and for a column of anything else.

    >>> import pandas as pd
    >>> read(pd.Series([datetime.date(1970, 1, 2)]), "data")[1].micros
    array([86400000000])
    """
    import pandas as pd

    kind = kind_of(column)
    if kind is None:
        first = column.iloc[0]
        raise ValueError(f"{where}: expected dates, durations or times of day; got {first!r}")
    dtype = column.dtype
    if kind.quantity == "time":
        if isinstance(dtype, pd.ArrowDtype):
            arrow = dtype.pyarrow_dtype
            counts = column.astype(f"int{arrow.bit_width}[pyarrow]").to_numpy(dtype=np.int64)
            return kind, _whole(counts.astype(f"timedelta64[{arrow.unit}]"), where)
        return kind, Instants(np.array([_since_midnight(t, where) for t in column], np.int64))
    if isinstance(dtype, pd.PeriodDtype):
        return kind, Instants(column.array.asfreq("us", "S").asi8)
    if kind.dtype == "datetime.date":
        return kind, _whole(np.array(column.tolist(), "datetime64[D]"), where)
    if dtype == np.dtype(object):
        column = _typed(column, kind, where)
        kind = kind._replace(dtype=str(column.dtype), zone=_zone(str(column.dtype)))
    elif isinstance(dtype, pd.ArrowDtype):
        unit = getattr(dtype.pyarrow_dtype, "unit", "us")
        to = "timedelta64" if kind.quantity == "duration" else "datetime64"
        column = column.astype(f"{to}[{unit}{', UTC' if kind.zone else ''}]")
    if kind.zone is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return kind, _whole(column.to_numpy(), where)


def _typed(column: pd.Series, kind: Kind, where: str) -> pd.Series:
    """Objects as a column of their dtype; in UTC where they have time zones."""
    import pandas as pd

    if kind.quantity == "duration":
        return pd.Series(pd.to_timedelta(column))
    zoned = {getattr(value, "tzinfo", None) is not None for value in column}
    if len(zoned) > 1:
        raise ValueError(f"{where}: expected dates all with a time zone or all without; got both")
    dates = pd.to_datetime(column, utc=zoned.pop())
    zones = {str(getattr(value, "tzinfo", None)) for value in column}
    return dates.dt.tz_convert(zones.pop()) if len(zones) == 1 and zones != {"None"} else dates


def _whole(values: np.ndarray, where: str) -> Instants:
    """datetime64 or timedelta64 of any unit as microseconds."""
    unit = np.datetime_data(values.dtype)[0]
    if values.dtype.kind == "M" and unit != "ns":  # all nanoseconds are in range, the bounds not
        wrong = (values < FIRST) | (values >= LAST + 1)
        if wrong.any():
            got = values[wrong][0]
            raise ValueError(f"{where}: expected dates of the years 1 to 9999; got {got}")
    if values.dtype.kind == "m":
        wrong = np.abs(values.astype("timedelta64[s]").astype(float)) > LONGEST / 1e6
        if wrong.any():
            raise ValueError(f"{where}: expected durations up to 10,000 years; got "
                             f"{values[wrong][0]}")  # fmt: skip
    if unit == "ns":
        micros, nanos = np.divmod(values.astype(np.int64), 1000)
        return Instants(micros, nanos)
    return Instants(values.astype(f"{values.dtype.kind}8[us]").astype(np.int64))


def _since_midnight(value: datetime.time, where: str) -> int:
    if value.tzinfo is not None:
        raise ValueError(f"{where}: expected times of day without a time zone; got {value!r}")
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 10**6 + value.microsecond


def unit_of(quantity: Quantity, instants: Instants) -> Unit:
    """The largest unit of which all values are multiples; as large as it takes to count them all
    where that is a finer one.

    More than two dates that are all the first of a month are months.

    >>> import pandas as pd
    >>> days = pd.Series(pd.to_datetime(["2024-05-01", "2024-05-03"]))
    >>> unit_of(*[(kind.quantity, found) for kind, found in [read(days, "data")]][0])
    'day'
    """
    micros = np.unique(instants.micros)
    if quantity == "date" and len(micros) > 2:
        dates = micros.astype("datetime64[us]")
        if (dates == dates.astype("datetime64[M]")).all():
            return "month"
    largest = int(np.abs(micros).max(initial=0))
    fits = [u for u, step in STEPS.items() if largest // step < MOST_COUNTS]
    return next((u for u in fits if (micros % STEPS[u] == 0).all()), fits[-1])


def counts_of(instants: Instants, unit: Unit) -> np.ndarray:
    """(n,) float64 counts of the unit: whole ones, and parts of one for what lies between.

    >>> counts_of(Instants(np.array([129_600_000_000])), "day")
    array([1.5])
    """
    micros, nanos = instants
    if unit == "month":
        whole, start, length = _months(micros.astype("datetime64[us]").astype("datetime64[M]"))
        return whole + (micros - start + np.asarray(nanos) / 1000) / length
    whole, rest = np.divmod(micros, STEPS[unit])
    return whole + (rest + np.asarray(nanos) / 1000) / STEPS[unit]


def _months(months: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Months as numbers since 1970-01, the microseconds at which they begin, and their lengths."""
    start, end = (m.astype("datetime64[us]").astype(np.int64) for m in (months, months + 1))
    return months.astype(np.int64), start, end - start


def encode(variable: Variable, column: pd.Series, where: str) -> np.ndarray:
    """(n,) a column without holes as counts of a variable's unit.

    Text is read as ISO dates, durations or times. Where the variable has a time zone, text and
    ``datetime.date`` without one are of that zone.

    Raises:
        ValueError: beginning with ``where``, for another quantity, for text that can't be read, and
            where one has a time zone and the other none.

    >>> import pandas as pd
    >>> when = Variable("when", "ordinal", 9, offset=0, step=1, quantity="date", unit="day")
    >>> encode(when, pd.Series(["1970-01-03"]), "given")
    array([2.])
    """
    zone = _zone(variable.dtype)
    if _is_text(column):
        column = _of_text(variable.quantity, list(map(str, column)), zone, where)
    kind = kind_of(column)
    if kind is None or kind.quantity != variable.quantity:
        first = plain(column.iloc[0])
        raise ValueError(
            f"{where}: expected {WORDS[variable.quantity]}; got {first!r} ({column.dtype})"
        )
    kind, instants = read(column, where)
    if kind.dtype == "datetime.date" and zone is not None:
        import pandas as pd

        local = pd.Series(instants.micros.astype("datetime64[us]"))
        kind, instants = read(_localised(local, zone), where)
    if (kind.zone is None) != (zone is None) and variable.quantity == "date":
        way = (
            f"write .dt.tz_localize({zone!r})"
            if kind.zone is None
            else 'write .dt.tz_convert("UTC").dt.tz_localize(None), or another zone there'
        )
        with_or_not = "without" if zone is None else "with"
        raise ValueError(
            f"{where}: expected dates {with_or_not} a time zone, as the schema has them; got "
            f"{column.iloc[0]} ({way})"
        )
    counts = counts_of(instants, variable.unit or "microsecond")
    in_cells = variable.edges is not None and variable.step is not None
    return np.floor(counts) if in_cells else counts  # any hour lies in its day's cell


def _is_text(column: pd.Series) -> bool:
    import pandas as pd

    return isinstance(column.dtype, pd.StringDtype) or (
        column.dtype.kind in "OU" and any(isinstance(value, str) for value in column)
    )


def _of_text(quantity: Quantity, texts: list[str], zone: str | None, where: str) -> pd.Series:
    import pandas as pd

    if quantity == "time":
        try:
            return pd.Series([datetime.time.fromisoformat(t.strip()) for t in texts], dtype=object)
        except ValueError as error:
            raise ValueError(f"{where}: expected {WORDS[quantity]}; {error}") from None
    if quantity == "duration":
        found = pd.Series(pd.to_timedelta(texts, errors="coerce"))
    else:
        zoned = [_OFFSET.search(text.strip()) is not None for text in texts]
        found = pd.Series(pd.to_datetime(texts, format="ISO8601", utc=any(zoned), errors="coerce"))
        if zone is not None and not any(zoned):
            found = _localised(found, zone)
        elif any(zoned) and not all(zoned):
            raise ValueError(
                f"{where}: expected dates all with a time zone or all without; got both"
            )
    if found.isna().any():
        got = texts[int(np.argmax(found.isna().to_numpy()))]
        raise ValueError(f"{where}: expected {WORDS[quantity]}; got {got!r}")
    return found


def _localised(dates: pd.Series, zone: str) -> pd.Series:
    """Dates without a zone as of this one: of an hour that comes twice the first, of one that is
    left out the next that is there."""
    first = np.ones(len(dates), dtype=bool)
    return dates.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")


def _zone(dtype: str | None) -> str | None:
    """The time zone in a dtype's name."""
    found = re.search(r"\[\w+, (?:tz=)?([^\]]+)\]", dtype or "")
    return found[1] if found else None


def decode(variable: Variable, counts: np.ndarray) -> pd.Series:
    """(n,) counts as dates, durations or times, in the column's dtype; in microseconds where that
    doesn't reach them.

    >>> when = Variable("when", "ordinal", 9, offset=0, step=1, quantity="date", unit="month")
    >>> decode(when, np.array([5.0])).tolist()
    [Timestamp('1970-06-01 00:00:00')]
    """
    import pandas as pd

    micros, dtype = _micros(variable, counts), variable.dtype
    if variable.quantity == "time":
        times = [
            (datetime.datetime.min + datetime.timedelta(0, 0, m)).time() for m in micros.tolist()
        ]
        column = pd.Series(times, dtype=object)
        return column if dtype is None or dtype in OBJECTS else column.astype(named(dtype))
    if variable.quantity == "duration":
        column = pd.Series(micros.astype("timedelta64[us]"))
    else:
        column = pd.Series(micros.astype("datetime64[us]"))
    if dtype == "datetime.date":
        return pd.Series(list(column.dt.date), dtype=object)
    if dtype is None:
        return column
    if dtype.startswith("period"):
        return column.dt.to_period(named(dtype).freq)
    zone = _zone(dtype)
    if zone is not None:
        column = column.dt.tz_localize("UTC").dt.tz_convert(zone)
    try:
        return column.astype(named(dtype))
    except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta):
        return column


def like(kind: Kind, column: pd.Series, where: str) -> pd.Series:
    """A column without holes in the dtype of another kind: exact to the microsecond.

    Raises:
        ValueError: as ``encode``.

    >>> import pandas as pd
    >>> like(Kind("date", "datetime.date"), pd.Series(["2024-05-01"]), "given").tolist()
    [datetime.date(2024, 5, 1)]
    """
    exact = Variable("", "ordinal", 1, offset=0, step=1, dtype=kind.dtype, quantity=kind.quantity,
                     unit="microsecond")  # fmt: skip
    return decode(exact, encode(exact, column, where)).set_axis(column.index)


def shown(variable: Variable, counts: np.ndarray) -> list[str]:
    """(n,) counts, or plain numbers, in a few characters: dates as ISO text as fine as the unit.

    >>> when = Variable("when", "ordinal", 9, offset=0, step=1, quantity="date", unit="month")
    >>> shown(when, np.array([5, 12]))
    ['1970-06', '1971-01']
    """
    unit = variable.unit
    if variable.quantity == "number" or unit is None:
        return [f"{count:g}" for count in counts]
    if variable.quantity == "duration":
        return [f"{count:g} {unit}{'' if count == 1 else 's'}" for count in counts]
    dates = _micros(variable, np.asarray(counts, float)).astype("datetime64[us]")
    if variable.quantity == "date":
        return [str(text) for text in np.datetime_as_string(dates, unit=CODES[unit])]
    fine: Any = "m" if unit in ("hour", "minute") else CODES[unit]
    return [str(text)[11:] for text in np.datetime_as_string(dates, unit=fine)]


def text_of(value: Any, unit: Unit | None) -> str:
    """A value of a column as text; a date no finer than the column's unit.

    >>> text_of(datetime.datetime(2024, 5, 1, 13, 45), "minute")
    '2024-05-01 13:45'
    """
    if unit is None or not isinstance(value, datetime.datetime):
        return str(value)
    if unit in ("month", "day"):
        return value.date().isoformat()
    fine = "minutes" if unit in ("hour", "minute") else "seconds" if unit == "second" else "auto"
    return value.isoformat(sep=" ", timespec=fine)


def cells_shown(variable: Variable) -> list[tuple[str, str]]:
    """The ends of each cell: its bounds, or the first and the last count between them."""
    low, high = np.array(variable.edges)[:-1], np.array(variable.edges)[1:]
    if variable.quantity != "number":
        low, high = np.ceil(low), np.maximum(np.ceil(high) - 1, np.ceil(low))
    return list(zip(shown(variable, low), shown(variable, high), strict=True))


def _micros(variable: Variable, counts: np.ndarray) -> np.ndarray:
    """(n,) counts as microseconds, inside what the quantity has."""
    whole = np.floor(counts)
    part = counts - whole
    if variable.unit == "month":
        low, high = (d.astype("datetime64[M]").astype(np.int64) for d in (FIRST, LAST))
        months = np.clip(whole, low, high).astype(np.int64).astype("datetime64[M]")
        _, start, length = _months(months)
        micros = start + np.rint(part * length).astype(np.int64)
    else:
        step = STEPS[variable.unit or "microsecond"]
        whole = np.clip(whole, -LONGEST / step, LONGEST / step)
        micros = whole.astype(np.int64) * step + np.rint(part * step).astype(np.int64)
    low, high = _bounds(variable.quantity)
    return np.clip(micros, low, high)


def _bounds(quantity: Quantity) -> tuple[int, int]:
    if quantity == "date":
        first, end = (d.astype("datetime64[us]").astype(np.int64) for d in (FIRST, LAST + 1))
        return int(first), int(end) - 1
    return (0, STEPS["day"] - 1) if quantity == "time" else (-LONGEST, LONGEST)
