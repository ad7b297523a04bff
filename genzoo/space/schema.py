"""What the codes of a data set mean: every data set is rows of a finite product space.

A data set is an integer array ``rows`` of shape (n, D); variable d takes the values
0 .. cards[d] - 1. A ``Schema`` names the variables, says which value each code stands for and how
the variables lie together (a table, a sequence, an image). Every ``log_prob`` in genzoo is the log
of a probability mass on this space, in nats, so that all families can be compared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.space import strings

if TYPE_CHECKING:
    import pandas as pd

MISSING = -1
"""The code of an entry to sum out (``log_prob``) or to fill in (``sample(given=...)``)."""

LAYOUTS = ("table", "sequence", "image")
LARGEST_ENUMERATION = 2**20
MOST_DECIMALS = 12
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
        offset, step: a numeric grid, ``value = offset + step * code``. With ``edges``, ``step`` is
            the data's resolution and ``offset`` one value on that grid.
        edges: ascending bounds of numeric cells [e_i, e_i+1), the last one closed.
        missing: whether the last code is the mark of a missing value.
        dtype: the column's pandas or NumPy dtype by name. ``Schema.decode`` restores it, unless
            some code stands for no value of it.

    Raises:
        ValueError: if a part is not what it should be or parts contradict each other.
    """

    name: str | int
    kind: str = "nominal"
    cardinality: int = 0
    categories: tuple[Any, ...] | None = None
    offset: float | None = None
    step: float | None = None
    edges: tuple[float, ...] | None = None
    missing: bool = False
    dtype: str | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, _plain(value))
        for name in ("categories", "edges"):
            value = getattr(self, name)
            if value is not None:
                if isinstance(value, str) or not isinstance(value, Iterable):
                    raise self._error(name, f"expected a sequence; got {value!r}")
                object.__setattr__(self, name, tuple(_plain(v) for v in value))
        if not isinstance(self.name, (str, int)) or isinstance(self.name, bool):
            raise self._error("name", "expected a str or an int")
        if self.kind not in ("nominal", "ordinal"):
            raise self._error("kind", f'expected "nominal" or "ordinal"; got {self.kind!r}')
        if not isinstance(self.missing, bool):
            raise self._error("missing", f"expected True or False; got {self.missing!r}")
        self._check_categories()
        self._check_numbers()
        self._check_cardinality()
        self._check_dtype()

    def _error(self, part: str, message: str) -> ValueError:
        return ValueError(f"variable {self.name!r}: {part}: {message}")

    def _check_categories(self) -> None:
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
        numbers = [("edges", edge) for edge in self.edges or ()]
        numbers += [
            (n, v) for n, v in vars(self).items() if n in ("offset", "step") and v is not None
        ]
        for name, number in numbers:
            if not _is_number(number):
                raise self._error(
                    name,
                    f"expected finite numbers up to {LARGEST_NUMBER:g} in size; got {number!r}",
                )
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
            ends = self.edges or (self.offset or 0.0,)
            last = ends[-1] if self.edges else ends[0] + self.step * (self.n_values - 1)
            largest = max(abs(ends[0]), abs(last))
            if not _is_number(last) or self.step < np.spacing(np.nextafter(largest, 0)):
                raise self._error(
                    "step", f"expected a grid that float64 holds; got {self.step!r} up to {last!r}"
                )

    def _check_dtype(self) -> None:
        if self.dtype is None:
            return
        if not isinstance(self.dtype, str):
            raise self._error("dtype", f"expected its name, a str; got {self.dtype!r}")
        if self.dtype == "category":
            if self.categories is None:
                raise self._error("dtype", '"category" expects categories; got none')
            return
        try:
            np.dtype(self.dtype)
        except TypeError:
            from pandas.api.types import pandas_dtype

            try:
                pandas_dtype(self.dtype)
            except ImportError:
                pass  # known, and only decoding needs the library behind it
            except TypeError:
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
        return (
            self.kind,
            self.cardinality,
            self.missing,
            self.categories,
            self.offset,
            self.step,
            self.edges,
        )

    @property
    def is_grid(self) -> bool:
        """Whether ``value = offset + step * code``."""
        return self.edges is None and self.offset is not None and self.step is not None

    @property
    def is_numeric(self) -> bool:
        return self.edges is not None or self.is_grid

    def log_widths(self) -> np.ndarray:
        """(cardinality,) log width of each code's cell; 0 where a code is not a number's cell."""
        widths = np.zeros(self.cardinality)
        if self.edges is not None:
            widths[: self.n_values] = np.log(np.diff(self.edges))
        elif self.is_grid:
            widths[: self.n_values] = math.log(self.step or 1.0)
        return widths

    def on_grid(self, index: np.ndarray) -> np.ndarray:
        """``offset + step * index``, rounded to the decimals in which offset and step are given."""
        return grid_points(self.offset or 0.0, self.step or 1.0, index)


def grid_points(offset: float, step: float, index: np.ndarray) -> np.ndarray:
    """See ``Variable.on_grid``."""
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


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _decimals(number: float) -> int:
    exponent = Decimal(repr(float(number))).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def _count_up(cards: np.ndarray) -> np.ndarray:
    """(n, D) every row of codes below ``cards``, the last one running fastest."""
    index = np.arange(math.prod(cards.tolist()))
    columns = []
    for card in cards[::-1].tolist():
        index, digit = np.divmod(index, max(1, card))
        columns.append(digit)
    return np.stack(columns[::-1], axis=1) if columns else np.zeros((1, 0), dtype=np.int64)


@dataclass(frozen=True)
class Schema:
    """The variables of a data set and how they lie together.

    Args:
        variables: one ``Variable`` for each of the D entries of a row.
        layout: ``"table"``, ``"sequence"`` or ``"image"``.
        event_shape: (D,) for a table; (T,) or (T, C) for a sequence of T steps with C channels;
            (H, W) or (C, H, W) for an image. Rows are in row-major order.
        end: for strings of different length, the code of END: rows hold END in every place after
            the first, and rows with another symbol after an END are not part of the space.

    Raises:
        ValueError: if the parts contradict each other.
    """

    variables: tuple[Variable, ...]
    layout: str
    event_shape: tuple[int, ...]
    end: int | None = None

    def __post_init__(self) -> None:
        for name, what, of in (
            ("variables", "Variables", Variable),
            ("event_shape", "positive integers", (int, np.integer)),
        ):
            value = getattr(self, name)
            parts = tuple(value) if isinstance(value, Iterable) else (None,)
            if not all(isinstance(p, of) and not isinstance(p, bool) for p in parts):
                raise ValueError(f"{name}: expected a sequence of {what}; got {value!r}")
            object.__setattr__(self, name, tuple(_plain(p) for p in parts))
        object.__setattr__(self, "end", _plain(self.end))
        if any(s < 1 for s in self.event_shape):
            raise ValueError(f"event_shape: expected positive integers; got {self.event_shape}")
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout: expected one of {', '.join(LAYOUTS)}; got {self.layout!r}")
        dims = {"table": (1,), "sequence": (1, 2), "image": (2, 3)}[self.layout]
        if len(self.event_shape) not in dims:
            raise ValueError(
                f"event_shape: a {self.layout} has {' or '.join(map(str, dims))} dimensions; "
                f"got {self.event_shape}"
            )
        if not self.variables or math.prod(self.event_shape) != len(self.variables):
            raise ValueError(
                f"event_shape: expected the product to be the number of variables, "
                f"{len(self.variables)} (at least 1); got {self.event_shape}"
            )
        if len(set(self.names)) != len(self.variables):
            twice = sorted({str(n) for n in self.names if self.names.count(n) > 1})
            raise ValueError(f"variables: expected distinct names; got {', '.join(twice)} twice")
        if self.end is not None:
            if isinstance(self.end, bool) or not isinstance(self.end, int):
                raise ValueError(f"end: expected a code, an integer; got {self.end!r}")
            if self.layout != "sequence" or len(self.event_shape) != 1:
                raise ValueError("end: only a sequence with one channel can have an END")
            if len(set(self.cards.tolist())) > 1 or not 0 <= self.end < int(self.cards[0]):
                raise ValueError(
                    f"end: expected one alphabet for all positions and a code below its size; "
                    f"got {self.end}"
                )

    @property
    def D(self) -> int:
        """The number of variables."""
        return len(self.variables)

    @cached_property
    def names(self) -> list[str | int]:
        return [v.name for v in self.variables]

    @cached_property
    def cards(self) -> np.ndarray:
        """(D,) number of codes of each variable."""
        return np.array([v.cardinality for v in self.variables], dtype=np.int64)

    @cached_property
    def alphabet(self) -> tuple[str, ...] | None:
        """The characters, without END, where rows stand for strings; else None."""
        first = self.variables[0].categories
        if self.layout != "sequence" or len(self.event_shape) != 1 or first is None:
            return None
        symbols = first if self.end is None else first[: self.end] + first[self.end + 1 :]
        if any(v.categories != first or v.missing for v in self.variables):
            return None
        return symbols if all(isinstance(s, str) and len(s) == 1 for s in symbols) else None

    def alike(self, group: np.ndarray) -> bool:
        """Whether the variables of each group mean the same; ``group`` (D,) says which it is."""
        first: dict[int, tuple[Any, ...]] = {}
        return all(
            first.setdefault(g, variable.meaning) == variable.meaning
            for g, variable in zip(group.tolist(), self.variables, strict=True)
        )

    @cached_property
    def is_bare(self) -> bool:
        """Whether the codes stand for nothing but themselves."""
        return all(v.categories is None and not v.is_numeric for v in self.variables)

    def encode(self, data: Any, *, given: bool = False) -> np.ndarray:
        """Data as rows of codes.

        Args:
            data: a DataFrame (raw values), an integer array (n, D) (codes), a list of str, or uint8
                images (n, H, W) or (n, C, H, W).
            given: read the data as something to complete: a NaN is ``MISSING``, a string is a
                prefix, and a dict {column: value} or a DataFrame may leave out columns.

        Returns:
            (n, D) int64. A number beyond the range takes the end code, one between grid points the
            nearest, both with a UserWarning that counts them. A NaN is the missing mark where the
            variable has one, else ``MISSING``.

        Raises:
            ValueError: for data that is not of this space; the message names what was expected.
        """
        from genzoo.space import forms

        return forms.encode(self, data, given=given)

    def decode(self, rows: np.ndarray, *, seed: int = 0) -> pd.DataFrame | list[str] | np.ndarray:
        """Rows of codes as data: the inverse of ``encode``, ``encode(decode(rows)) == rows``.

        A cell that holds several values is decoded as one of them, drawn by ``seed``.
        """
        from genzoo.space import forms

        return forms.decode(self, rows, seed=seed)

    @classmethod
    def infer(cls, data: Any, *, train: np.ndarray | None = None) -> Schema:
        """The schema of some data.

        Args:
            data: as in ``encode``.
            train: indices of the training rows; cells' edges come from these rows alone.

        Raises:
            ValueError: for empty or unreadable data.
        """
        from genzoo.space import infer as inference

        return inference.infer(data, train=train)

    def check_rows(
        self, rows: np.ndarray, *, allow_missing: bool = False, name: str = "data"
    ) -> np.ndarray:
        """``rows`` as int64 of shape (n, D), or a ValueError that names ``name``."""
        rows = np.asarray(rows)
        if not np.issubdtype(rows.dtype, np.integer):
            raise ValueError(f"{name}: expected an integer array of codes; got dtype {rows.dtype}")
        if rows.ndim != 2 or rows.shape[1] != self.D:
            raise ValueError(f"{name}: expected shape (n, {self.D}); got {rows.shape}")
        if len(rows) == 0:
            raise ValueError(f"{name}: expected at least one row; got none")
        lowest = MISSING if allow_missing else 0
        wrong = (rows < lowest) | (rows >= self.cards)  # before the cast, in which uint64 wraps
        if wrong.any():
            i, d = (int(v) for v in np.argwhere(wrong)[0])
            if rows[i, d] == MISSING:
                raise ValueError(
                    f"{name}: row {i}, variable {self.names[d]!r} is MISSING (code -1), "
                    f"which is not allowed here: expected complete rows"
                )
            raise ValueError(
                f"{name}: expected codes 0 .. {self.cards[d] - 1} for variable "
                f"{self.names[d]!r}; got {rows[i, d]} in row {i}"
            )
        rows = rows.astype(np.int64)
        if self.end is not None:
            wrong = strings.ended(rows, self.end) & (rows != self.end) & (rows != MISSING)
            if wrong.any():
                i, d = (int(v) for v in np.argwhere(wrong)[0])
                raise ValueError(
                    f"{name}: row {i} has symbol {rows[i, d]} at position {d}, after an END: "
                    f"expected END (code {self.end}) in every place after the first"
                )
        return rows

    def reached(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) bool: the entries that carry probability, up to and including the first END."""
        return strings.reached(rows, self.end)

    def enumerate(self) -> np.ndarray:
        """(n, D) every row of the space.

        Raises:
            ValueError: if there are more than 2**20.
        """
        size = math.prod(int(c) for c in self.cards)
        if self.end is not None:
            a, T = int(self.cards[0]) - 1, self.D
            size = sum(a**length for length in range(T + 1))
        if size > LARGEST_ENUMERATION:
            got = str(size) if size < 10**18 else f"about 10**{math.log10(size):.0f}"
            raise ValueError(
                f"enumerate: expected a space of at most {LARGEST_ENUMERATION} rows; got {got}"
            )
        if self.end is None:
            return _count_up(self.cards)
        return np.concatenate(list(self._strings()))

    def _strings(self) -> Iterator[np.ndarray]:
        symbols = np.array([c for c in range(int(self.cards[0])) if c != self.end], dtype=np.int64)
        for length in range(self.D + 1):
            digits = _count_up(np.full(length, len(symbols)))
            rows = np.full((len(digits), self.D), self.end, dtype=np.int64)
            rows[:, :length] = symbols[digits]
            yield rows

    def log_volume(self, rows: np.ndarray) -> np.ndarray:
        """(n,) sum of the log widths of a row's cells; log density = log mass - log volume."""
        rows = self.check_rows(rows)
        volume = np.zeros(len(rows))
        for d, variable in enumerate(self.variables):
            if variable.is_numeric:
                volume += variable.log_widths()[rows[:, d]]
        return volume

    def to_json(self) -> str:
        """The schema as JSON; variables that are equal but for their names are written once."""
        kinds: list[dict[str, Any]] = []
        index: dict[str, int] = {}
        variables = []
        for variable in self.variables:
            record = {k: v for k, v in asdict(variable).items() if v is not None and k != "name"}
            text = json.dumps(record, allow_nan=False)
            if text not in index:
                index[text] = len(kinds)
                kinds.append(record)
            variables.append([variable.name, index[text]])
        return json.dumps(
            {
                "layout": self.layout,
                "event_shape": list(self.event_shape),
                "end": self.end,
                "kinds": kinds,
                "variables": variables,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """The inverse of ``to_json``.

        Raises:
            ValueError: if the text is not a schema.
        """
        try:
            record = json.loads(text)
            variables = [Variable(n, **record["kinds"][k]) for n, k in record["variables"]]
            return cls(tuple(variables), record["layout"], record["event_shape"], record["end"])
        except (KeyError, IndexError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"schema: expected the JSON of a Schema; {error!r}") from error
