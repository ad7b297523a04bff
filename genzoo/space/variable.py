"""One variable of a data set: what its codes stand for, and the arithmetic of numeric grids and
cells."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, get_args

import numpy as np

from genzoo.space import dtypes
from genzoo.spelling import did_you_mean

MISSING = -1
"""The code of an entry to sum out (``log_prob``) or to fill in (``sample(given=...)``)."""

VariableKind = Literal["nominal", "ordinal"]
Quantity = Literal["number", "date", "duration", "time"]
Unit = Literal["month", "day", "hour", "minute", "second", "millisecond", "microsecond"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
UNITS: tuple[Unit, ...] = get_args(Unit)

# the end of errors on values that training rows lack: a fold of them may
KNOW_MORE = "fit(..., schema=Schema.infer(all_data)) knows what all of your data hold"
MOST_DECIMALS = 12
LARGEST_INTEGER = 2**53  # float64 tells smaller ones apart
LARGEST_NUMBER = 1e300  # sums and differences of two such numbers don't overflow


@dataclass(frozen=True)
class Variable:
    """One variable: its name and the meaning of its codes.

    Args:
        name: the column's name.
        kind: ``"nominal"`` (no order) or ``"ordinal"``.
        cardinality: the number of codes, the missing mark included; may be left out where
            ``categories`` or ``edges`` give it.
        categories: the values that the codes stand for.
        other: the one of the categories that stands for every value which is not among them; None:
            such a value is an error.
        offset, step: a numeric grid, ``value = offset + step * code``. With ``edges``, ``step`` is
            the data's resolution, numbers that stand apart from the rest aside, and ``offset`` one
            value on that grid; without them, any number of a cell may be meant.
        edges: ascending bounds of numeric cells [e_i, e_i+1), the last one closed.
        missing: whether the last code is the mark of a missing value.
        dtype: the column's pandas or NumPy dtype by name (``space/dtypes.py`` says which there are
            beside theirs). ``Schema.decode`` restores it, unless some code stands for no value of
            it.
        quantity: what its numbers are: ``"number"``; ``"date"``, a count of ``unit`` since
            1970-01-01 00:00 (of UTC where ``dtype`` has a time zone); ``"duration"``, a length in
            ``unit``; ``"time"``, a count of ``unit`` since midnight.
        unit: ``"month"`` (of dates alone), ``"day"``, ``"hour"``, ``"minute"``, ``"second"``,
            ``"millisecond"`` or ``"microsecond"``; None for numbers.

    Raises:
        ValueError: if a part is not what it should be or parts contradict each other.

    >>> Variable("size", "ordinal", categories=["S", "M", "L"]).cardinality
    3
    >>> age = Variable("age", "ordinal", edges=[0, 18, 65, 120], missing=True)
    >>> age.cardinality, age.n_values
    (4, 3)
    """

    name: str | int
    kind: VariableKind = "nominal"
    cardinality: int = 0
    categories: tuple[Any, ...] | None = None
    offset: float | None = None
    step: float | None = None
    edges: tuple[float, ...] | None = None
    missing: bool = False
    dtype: str | None = None
    quantity: Quantity = "number"
    unit: Unit | None = None
    other: str | int | float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, plain(value))
        for name in ("categories", "edges"):
            value = getattr(self, name)
            if value is not None:
                if isinstance(value, str) or not isinstance(value, Iterable):
                    raise self._error(name, f"expected a sequence; got {value!r}")
                object.__setattr__(self, name, tuple(plain(v) for v in value))
        if not isinstance(self.name, (str, int)) or isinstance(self.name, bool):
            raise self._error("name", "expected a str or an int")
        if self.kind not in ("nominal", "ordinal"):
            hint = did_you_mean(self.kind, ("nominal", "ordinal"))
            raise self._error("kind", f'expected "nominal" or "ordinal"; got {self.kind!r}{hint}')
        if not isinstance(self.missing, bool):
            raise self._error("missing", f"expected True or False; got {self.missing!r}")
        self._check_categories()
        self._check_numbers()
        self._check_quantity()
        self._check_cardinality()
        self._check_dtype()

    def _error(self, part: str, message: str) -> ValueError:
        return ValueError(f"variable {self.name!r}: {part}: {message}")

    def _check_categories(self) -> None:
        if self.other is not None and self.other not in (self.categories or ()):
            hint = did_you_mean(self.other, self.categories or ())
            raise self._error("other", f"expected one of the categories; got {self.other!r}{hint}")
        if self.categories is None:
            return
        for value in self.categories:
            endless = isinstance(value, float) and not math.isfinite(value)
            if endless or not isinstance(value, (str, int, float)):
                raise self._error(
                    "categories", f"expected text, finite numbers or booleans; got {value!r}"
                )
        if len(set(self.categories)) != len(self.categories):
            raise self._error("categories", "expected distinct values")
        for name in ("edges", "offset", "step"):
            if getattr(self, name) is not None:
                raise self._error(name, f"expected categories or {name}; got both")

    def _check_numbers(self) -> None:
        numbers = {"edges": self.edges or (), "offset": (self.offset,), "step": (self.step,)}
        for name, own in numbers.items():
            for number in own:
                if not (_is_number(number) or (number is None and name != "edges")):
                    expected = f"expected finite numbers up to {LARGEST_NUMBER:g} in size"
                    raise self._error(name, f"{expected}; got {number!r}")
        if self.edges is not None:
            if len(self.edges) < 2 or not (np.diff(np.array(self.edges, float)) > 0).all():
                raise self._error("edges", "expected at least two ascending numbers")
            if self.kind == "nominal":
                raise self._error("edges", 'expected kind "ordinal" beside them; got "nominal"')
        if self.step is not None and not self.step > 0:
            raise self._error("step", f"expected a positive number; got {self.step!r}")
        if self.offset is not None and self.step is None:
            raise self._error("offset", "expected a step beside it; got none")
        if self.step is not None and self.offset is None and self.edges is None:
            raise self._error("step", "expected an offset or edges beside it; got neither")

    def _check_quantity(self) -> None:
        if self.quantity not in QUANTITIES:
            expected = f"expected one of {', '.join(QUANTITIES)}"
            hint = did_you_mean(self.quantity, QUANTITIES)
            raise self._error("quantity", f"{expected}; got {self.quantity!r}{hint}")
        if self.quantity == "number":
            if self.unit is not None:
                raise self._error("unit", f"expected None for numbers; got {self.unit!r}")
            return
        units = UNITS if self.quantity == "date" else UNITS[1:]
        if self.unit not in units:
            hint = did_you_mean(self.unit, units)
            expected = f"expected one of {', '.join(units)}"
            raise self._error("unit", f"{expected}; got {self.unit!r}{hint}")
        if not self.is_numeric:
            raise self._error("quantity", "expected edges, or an offset and a step, beside it")

    def _check_cardinality(self) -> None:
        card = self.cardinality
        if isinstance(card, bool) or not isinstance(card, int):
            raise self._error("cardinality", f"expected an integer; got {card!r}")
        counted = None
        if self.categories is not None:
            counted = len(self.categories) + self.missing
        elif self.edges is not None:
            counted = len(self.edges) - 1 + self.missing
        card = counted if card == 0 and counted is not None else card
        object.__setattr__(self, "cardinality", card)
        if card < 1:
            raise self._error("cardinality", f"expected at least 1; got {card}")
        if counted not in (None, card):
            raise self._error(
                "cardinality", f"expected {counted} from its categories or edges; got {card}"
            )
        if self.step is not None:
            first = self.offset or 0.0
            ends = np.abs(self.edges or (first, first + self.step * (self.n_values - 1)))
            # of cells, one at least: far out, where values stand alone, a step means nothing
            largest = float(np.maximum(ends[:-1], ends[1:]).min())
            if not _is_number(largest) or self.step < np.spacing(np.nextafter(largest, 0)):
                expected = "expected a grid that float64 holds"
                raise self._error("step", f"{expected}; got {self.step!r} up to {largest!r}")

    def _check_dtype(self) -> None:
        if self.dtype is None:
            return
        if not isinstance(self.dtype, str):
            raise self._error("dtype", f"expected its name, a str; got {self.dtype!r}")
        if self.dtype.startswith("category") and self.categories is None:
            raise self._error("dtype", f'"{self.dtype}" expects categories; got none')
        try:
            dtypes.named(self.dtype)
        except ImportError:
            pass  # known, and only decoding needs the library behind it
        except (TypeError, ValueError):
            raise self._error(
                "dtype", f"expected the name of a pandas or NumPy dtype; got {self.dtype!r}"
            ) from None

    @property
    def n_values(self) -> int:
        """The number of codes that stand for a value: without the missing mark."""
        return self.cardinality - self.missing

    @property
    def meaning(self) -> tuple[Any, ...]:
        """What its codes stand for: variables of equal meaning can share tables and bins.

        >>> Variable("a", "nominal", 2).meaning == Variable("b", "nominal", 2).meaning
        True
        """
        numbers = (self.offset, self.step, self.edges, self.quantity, self.unit)
        return self.kind, self.cardinality, self.missing, self.categories, *numbers

    @property
    def is_grid(self) -> bool:
        """Whether ``value = offset + step * code``."""
        return self.edges is None and self.offset is not None and self.step is not None

    @property
    def is_numeric(self) -> bool:
        """Whether codes stand for numbers: points of a grid, or cells."""
        return self.edges is not None or self.is_grid

    def log_widths(self) -> np.ndarray:
        """(cardinality,) log width of each code's cell; 0 where a code is not a number's cell.

        >>> Variable("v", "ordinal", edges=[0, 1, 11]).log_widths().round(2)
        array([0. , 2.3])
        """
        widths = np.zeros(self.cardinality)
        if self.edges is not None:
            widths[: self.n_values] = np.log(np.diff(self.edges))
        elif self.is_grid:
            widths[: self.n_values] = math.log(self.step or 1.0)
        return widths

    def on_grid(self, index: np.ndarray) -> np.ndarray:
        """``offset + step * index``, rounded to the decimals in which offset and step are given.

        >>> Variable("v", "ordinal", 9, offset=0, step=0.1).on_grid(np.array([3]))
        array([0.3])
        """
        return grid_points(self.offset or 0.0, self.step or 1.0, index)

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the largest number of a numeric variable's range.

        >>> Variable("v", "ordinal", 3, offset=0, step=0.5).ends
        (0.0, 1.0)
        """
        if self.edges is not None:
            return self.edges[0], self.edges[-1]
        first, last = self.on_grid(np.array([0, self.n_values - 1])).tolist()
        return first, last

    def beyond(self, values: np.ndarray) -> np.ndarray:
        """How far numbers of any shape lie beyond a numeric variable's range, as a multiple of it:
        0 within and for NaN. Of a single grid point the range is the step.

        >>> Variable("v", "ordinal", 3, offset=0, step=0.5).beyond(np.array([-3.0, 0.6, 1.5]))
        array([3. , 0. , 0.5])
        """
        low, high = self.ends
        far = np.nan_to_num(np.maximum(low - values, values - high), nan=0.0)
        far = np.where(far > 1e-6 * (self.step or 0.0), far, 0.0)
        with np.errstate(over="ignore"):
            return far / (high - low or self.step or 1.0)

    def codes_of(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A numeric variable's codes of finite numbers of any shape, and which were moved to get
        one: those beyond the range (to the end code) or between grid points (to the nearest).

        >>> v = Variable("v", "ordinal", 3, offset=0, step=0.5)
        >>> v.codes_of(np.array([0.5, 0.6, 9.0]))
        (array([1, 1, 2]), array([False,  True,  True]))
        """
        if self.edges is not None:
            edges = np.asarray(self.edges)
            codes = np.searchsorted(edges, values, side="right") - 1
            outside = (values < edges[0]) | (values > edges[-1])
            return np.clip(codes, 0, self.n_values - 1).astype(np.int64), outside
        offset, step = self.offset or 0.0, self.step or 1.0
        with np.errstate(over="ignore"):  # what overflows lies beyond either end
            position = (values - offset) / step
            codes = np.clip(np.rint(position), 0, self.n_values - 1)
            distance = np.abs(values - (offset + step * codes))
        # a large value over a small step carries rounding of its own
        rounding = 8 * np.spacing(np.maximum(np.abs(values), abs(offset)))
        return codes.astype(np.int64), distance > 1e-6 * step + rounding


def grid_points(offset: float, step: float, index: np.ndarray) -> np.ndarray:
    """``Variable.on_grid`` for a grid that need not be a variable's."""
    values = offset + step * index
    decimals = max(_decimals(offset), _decimals(step))
    if decimals > MOST_DECIMALS:
        return values
    # where the last decimal is about as fine as float64 itself, rounding would move the value
    exact = np.abs(values) * 10.0**decimals < 2**50
    return np.where(exact, np.round(values, decimals), values)


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_real and abs(value) <= LARGEST_NUMBER


def plain(value: Any) -> Any:
    """A NumPy scalar as Python's; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _decimals(number: float) -> int:
    exponent = Decimal(repr(float(number))).normalize().as_tuple().exponent
    return max(0, -int(exponent))
