"""What the codes of a data set mean: every data set is rows of a finite product space.

A data set is an integer array ``rows`` of shape (n, D); variable d takes the values
0 .. cards[d] - 1. A ``Schema`` names the variables, says which value each code stands for and how
the variables lie together (a table, a sequence, an image). Every ``log_prob`` in genzoo is the log
of a probability mass on this space, in nats, so that all families can be compared.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from genzoo.space import forms, strings
from genzoo.space.forms.form import depth
from genzoo.space.infer import Layout
from genzoo.space.tokenizer import Tokenizer
from genzoo.space.variable import KNOW_MORE, MISSING, Variable, plain
from genzoo.spelling import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LAYOUTS", "MISSING", "Schema", "Variable"]

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
LARGEST_ENUMERATION = 2**20


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
        channels_last: whether images of ``event_shape`` (C, H, W) are given and come back as
            (n, H, W, C); the order of the variables is (C, H, W) all the same.
        tokenizer: for strings of tokens, what the symbols of the alphabet spell. Rows are strings
            of symbols everywhere; text is what ``complete`` and ``score_text`` read and write.

    Raises:
        ValueError: if the parts contradict each other.

    >>> age = Variable("age", "ordinal", 100, offset=0, step=1)
    >>> schema = Schema((age, Variable("city", categories=["Oslo", "Rome"])), "table", (2,))
    >>> schema.D, schema.names, schema.cards
    (2, ['age', 'city'], array([100,   2]))
    """

    variables: tuple[Variable, ...]
    layout: Layout
    event_shape: tuple[int, ...]
    end: int | None = None
    channels_last: bool = False
    tokenizer: Tokenizer | None = None

    def __post_init__(self) -> None:
        for name, what, of in (
            ("variables", "Variables", Variable),
            ("event_shape", "positive integers", (int, np.integer)),
        ):
            value = getattr(self, name)
            parts = tuple(value) if isinstance(value, Iterable) else (None,)
            if not all(isinstance(p, of) and not isinstance(p, bool) for p in parts):
                raise ValueError(f"{name}: expected a sequence of {what}; got {value!r}")
            object.__setattr__(self, name, tuple(plain(p) for p in parts))
        object.__setattr__(self, "end", plain(self.end))
        if any(s < 1 for s in self.event_shape):
            raise ValueError(f"event_shape: expected positive integers; got {self.event_shape}")
        if self.layout not in LAYOUTS:
            hint = did_you_mean(self.layout, LAYOUTS)
            raise ValueError(
                f"layout: expected one of {', '.join(LAYOUTS)}; got {self.layout!r}{hint}"
            )
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
        if not isinstance(self.channels_last, bool):
            raise ValueError(f"channels_last: expected True or False; got {self.channels_last!r}")
        if self.channels_last and (self.layout != "image" or len(self.event_shape) != 3):
            raise ValueError(
                f"channels_last: only an image (C, H, W) has channels; got a {self.layout} of "
                f"{self.event_shape}"
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
        if self.tokenizer is not None and self.alphabet != self.tokenizer.symbols:
            raise ValueError(
                f"tokenizer: expected strings over its {self.tokenizer.vocab_size} symbols; got "
                f"another alphabet, or none"
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
    def n_cells(self) -> int:
        """The product of the cardinalities: rows of codes that there can be, those which differ
        after an END counted apart.

        >>> Schema.infer(["ab", "a"]).n_cells
        9
        """
        return math.prod(self.cards.tolist())

    @cached_property
    def code_type(self) -> np.dtype[np.signedinteger[Any]]:
        """The smallest signed type that holds every code and ``MISSING``.

        Rows are int64 wherever they are handed over; a family that keeps rows, or makes copies of
        them, keeps them in this type. Sums and products of codes overflow in it: widen them first.

        >>> Schema.infer(["ab", "a"]).code_type
        dtype('int8')
        """
        return np.min_scalar_type(-int(self.cards.max()))

    @cached_property
    def alphabet(self) -> tuple[str, ...] | None:
        """The characters, without END, where rows stand for strings; else None.

        >>> Schema.infer(["ab", "a"]).alphabet
        ('a', 'b')
        """
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

    def as_table(self) -> Schema:
        """The same variables as a table: none beside or behind another, END a code as all others.

        >>> Schema.infer(["ab", "a"]).as_table().event_shape
        (2,)
        """
        return Schema(self.variables, "table", (self.D,))

    def difference(self, other: Schema) -> str | None:
        """What another schema has otherwise, in words; None where both are the same space.

        >>> Schema.infer(["ab", "a"]).difference(Schema.infer(["ab", "c"]))
        "the other's alphabet has 'c' too"
        """
        for name in ("layout", "event_shape", "channels_last"):
            own, others = getattr(self, name), getattr(other, name)
            if own != others:
                return f"{name} is {own!r} here and {others!r} there"
        if self.tokenizer != other.tokenizer:
            return "the tokens are not the same"
        if self.alphabet is not None and other.alphabet is not None:
            new, lacking = (
                [s for s in a if s not in b]
                for a, b in ((other.alphabet, self.alphabet), (self.alphabet, other.alphabet))
            )
            if new or lacking:
                verb, symbols = ("has", new) if new else ("lacks", lacking)
                listed = ", ".join(map(repr, symbols))
                return f"the other's alphabet {verb} {listed}{' too' if new else ''}"
        if self.end != other.end:
            return f"END is {self.end!r} here and {other.end!r} there"
        for one, another in zip(self.variables, other.variables, strict=True):
            if one.name != another.name:
                return f"a variable is named {one.name!r} here and {another.name!r} there"
            if one.meaning != another.meaning:
                return f"the codes of variable {one.name!r} do not mean the same"
        return None

    @cached_property
    def is_bare(self) -> bool:
        """Whether the codes stand for nothing but themselves.

        >>> Schema.infer(np.array([[0, 1]])).is_bare
        True
        """
        return all(v.categories is None and not v.is_numeric for v in self.variables)

    def encode(self, data: Any, *, given: bool = False) -> np.ndarray:
        """Data as rows of codes.

        Args:
            data: a DataFrame (raw values), an integer array (n, D) (codes), a list of str, or uint8
                images (n, H, W), (n, C, H, W) or (n, H, W, C).
            given: read the data as something to complete: a NaN is ``MISSING``, a string is a
                prefix, a dict {column: value} or a DataFrame may leave out columns, and one row
                may stand alone.

        Returns:
            (n, D) int64. A number beyond the range takes the end code, one between grid points the
            nearest, both with a UserWarning that counts them (save where no more than 5 % of a
            column's rows lie beyond its range, by no more than half of it). A NaN is the missing
            mark where the variable has one, else ``MISSING``.

        Raises:
            ValueError: for data that is not of this space; the message names what was expected.

        >>> schema = Schema.infer(["ab", "a"])
        >>> schema.encode(["b"]), schema.encode(["b"], given=True)
        (array([[1, 2]]), array([[ 1, -1]]))
        """
        form = forms.read_given(data, self.event_shape) if given else forms.read(data)
        rows = form.encode(self, given=given)
        return self.check_rows(rows, allow_missing=True, name=form.name)

    def encode_quietly(self, data: Any) -> np.ndarray:
        """``encode`` without a warning, for numbers beyond the range that are counted elsewhere.

        >>> Schema.infer(np.array([[0, 1]])).encode_quietly(np.array([[1, -1]]))
        array([[ 1, -1]])
        """
        form = forms.read(data)
        return self.check_rows(form.coded(self)[0], allow_missing=True, name=form.name)

    def out_of_range(self, data: Any) -> np.ndarray:
        """How far the numbers of some data lie beyond what this schema knows.

        ``encode`` gives such a number the end code, so that ``log_prob`` rates it as the largest
        number known, however far it lies. To rank rows by how strange they are, put those that are
        out of range first:

            far = model.schema_.out_of_range(data).max(axis=1)
            strangest_first = np.lexsort((model.log_prob(data).value, -far))

        Args:
            data: as in ``encode``.

        Returns:
            (n, D) float64: the distance from the range of each number as a multiple of that range;
            0 for what lies within it, for holes, and for what is no number.

        >>> import pandas as pd
        >>> schema = Schema.infer(pd.DataFrame({"age": [20, 60], "city": ["Rome", "Oslo"]}))
        >>> schema.out_of_range(pd.DataFrame({"age": [30, 100], "city": ["Rome", "Rome"]}))
        array([[0., 0.],
               [1., 0.]])
        """
        form = forms.read(data)
        self.encode_quietly(form)  # are they of this space?
        return form.out_of_range(self)

    def decode(self, rows: np.ndarray, *, seed: int = 0) -> pd.DataFrame | list[str] | np.ndarray:
        """Rows of codes as data: the inverse of ``encode``, ``encode(decode(rows)) == rows``.

        A cell that holds several values is decoded as one of them, drawn by ``seed``.

        Raises:
            ValueError: for rows that are not complete rows of this space.

        >>> schema = Schema.infer(["ab", "a"])
        >>> schema.decode(np.array([[1, 0], [1, 2]]))
        ['ba', 'b']
        """
        rows = self.check_rows(rows, name="rows")
        return forms.spoken_of(self).decode(self, rows, seed=seed)

    @classmethod
    def infer(cls, data: Any, *, train: np.ndarray | None = None, fold: bool = True) -> Schema:
        """The schema of some data, with a UserWarning of what is strange about them.

        Args:
            data: as in ``encode``.
            train: indices of the training rows; cells' edges come from these rows alone.
            fold: whether categories of a DataFrame that are rarer than 10 rows, or beyond the 255
                most common, are folded into one where there are more than 50.

        Raises:
            ValueError: for empty or unreadable data.

        >>> Schema.infer(np.zeros((5, 28, 28), np.uint8)).event_shape
        (28, 28)
        """
        form = forms.read(data)
        if not fold and isinstance(form, forms.Frame):
            form = replace(form, folds=False)
        schema = cls(*form.infer(train))
        for text in form.advice(schema):
            warnings.warn(text, UserWarning, stacklevel=depth())
        return schema

    def check_rows(
        self, rows: np.ndarray, *, allow_missing: bool = False, name: str = "data"
    ) -> np.ndarray:
        """``rows`` as int64 of shape (n, D), or a ValueError that names ``name``.

        >>> schema = Schema.infer(np.array([[0, 1]]))
        >>> schema.check_rows(np.array([[0, 2]]))
        Traceback (most recent call last):
        ValueError: data: expected codes 0 .. 1 for variable 'x1'; got 2 in row 0 (fit(..., \
schema=Schema.infer(all_data)) knows what all of your data hold)
        """
        rows = np.asarray(rows)
        if not np.issubdtype(rows.dtype, np.integer):
            raise ValueError(f"{name}: expected an integer array of codes; got dtype {rows.dtype}")
        if rows.ndim != 2 or rows.shape[1] != self.D:
            raise ValueError(f"{name}: expected shape (n, {self.D}); got {rows.shape}")
        if len(rows) == 0:
            raise ValueError(f"{name}: expected at least one row; got none")
        lowest = MISSING if allow_missing else 0
        # before the cast, in which uint64 wraps
        if (rows.min(axis=0) < lowest).any() or (rows.max(axis=0) >= self.cards).any():
            wrong = (rows < lowest) | (rows >= self.cards)
            i, d = (int(v) for v in np.argwhere(wrong)[0])
            if rows[i, d] == MISSING:
                raise ValueError(
                    f"{name}: row {i}, variable {self.names[d]!r} is MISSING (code -1), "
                    f"which is not allowed here: expected complete rows"
                )
            raise ValueError(
                f"{name}: expected codes 0 .. {self.cards[d] - 1} for variable "
                f"{self.names[d]!r}; got {rows[i, d]} in row {i} ({KNOW_MORE})"
            )
        rows = rows.astype(np.int64)
        if self.end is not None:
            wrong = strings.ended(rows, self.end)
            wrong &= rows != self.end
            wrong &= rows != MISSING
            if wrong.any():
                i, d = (int(v) for v in np.argwhere(wrong)[0])
                raise ValueError(
                    f"{name}: row {i} has symbol {rows[i, d]} at position {d}, after an END: "
                    f"expected END (code {self.end}) in every place after the first"
                )
        return rows

    def check_complete(self, rows: np.ndarray, name: str, why: str) -> None:
        """ValueError for an entry of rows (n, D) that is ``MISSING``.

        >>> schema = Schema.infer(np.array([[0, 1]]))
        >>> schema.check_complete(np.array([[0, 1]]), "data", "no hole can be fitted")
        """
        if (rows == MISSING).any():
            i, d = (int(v) for v in np.argwhere(rows == MISSING)[0])
            raise ValueError(
                f"{name}: row {i}, variable {self.names[d]!r} is MISSING (code -1 or a NaN in a "
                f"column without a missing mark); expected complete rows: {why}"
            )

    def reached(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) bool: the entries that carry probability, up to and including the first END.

        >>> Schema.infer(["ab", "a"]).reached(np.array([[2, 2]]))
        array([[ True, False]])
        """
        return strings.reached(rows, self.end)

    def enumerate(self) -> np.ndarray:
        """(n, D) every row of the space.

        Raises:
            ValueError: if there are more than 2**20.

        >>> Schema.infer(["ab", "a"]).enumerate().tolist()
        [[2, 2], [0, 2], [1, 2], [0, 0], [0, 1], [1, 0], [1, 1]]
        """
        size = self.n_cells
        if self.end is not None:
            size = sum((int(self.cards[0]) - 1) ** length for length in range(self.D + 1))
        if size > LARGEST_ENUMERATION:
            got = str(size) if size < 10**18 else f"about 10**{math.log10(size):.0f}"
            raise ValueError(
                f"enumerate: expected a space of at most {LARGEST_ENUMERATION} rows; got {got}"
            )
        if self.end is None:
            return _count_up(self.cards)
        symbols = np.delete(np.arange(self.cards[0]), self.end)
        digits = [_count_up(np.full(length, len(symbols))) for length in range(self.D + 1)]
        return np.concatenate(
            [
                np.pad(symbols[d], [(0, 0), (0, self.D - d.shape[1])], constant_values=self.end)
                for d in digits
            ]
        )

    def log_volume(self, rows: np.ndarray) -> np.ndarray:
        """(n,) sum of the log widths of a row's cells; log density = log mass - log volume.

        >>> cells = Variable("v", "ordinal", edges=[0, 1, 11])
        >>> Schema((cells,), "table", (1,)).log_volume(np.array([[0], [1]])).round(2)
        array([0. , 2.3])
        """
        rows = self.check_rows(rows)
        volume = np.zeros(len(rows))
        for d, variable in enumerate(self.variables):
            if variable.is_numeric:
                volume += variable.log_widths()[rows[:, d]]
        return volume

    def to_json(self) -> str:
        """The schema as JSON; variables that are equal but for their names are written once.

        >>> schema = Schema.infer(["ab", "a"])
        >>> Schema.from_json(schema.to_json()) == schema
        True
        """
        kinds: list[dict[str, Any]] = []
        index: dict[str, int] = {}
        variables = []
        for variable in self.variables:
            record = {k: v for k, v in asdict(variable).items() if v is not None and k != "name"}
            if variable.quantity == "number":  # as before there were others
                del record["quantity"]
            text = json.dumps(record, allow_nan=False)
            if text not in index:
                index[text] = len(kinds)
                kinds.append(record)
            variables.append([variable.name, index[text]])
        own: dict[str, Any] = {
            "layout": self.layout,
            "event_shape": list(self.event_shape),
            "end": self.end,
        }
        if self.channels_last:
            own["channels_last"] = True
        if self.tokenizer is not None:
            own["merges"] = self.tokenizer.merges
        return json.dumps({**own, "kinds": kinds, "variables": variables})

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """The inverse of ``to_json``.

        Raises:
            ValueError: if the text is not a schema.
        """
        try:
            record = json.loads(text)
            variables = [Variable(n, **record["kinds"][k]) for n, k in record["variables"]]
            own = (record["layout"], record["event_shape"], record["end"])
            merges = record.get("merges")
            tokenizer = None if merges is None else Tokenizer(tuple(map(tuple, merges)))
            return cls(tuple(variables), *own, record.get("channels_last", False), tokenizer)
        except (KeyError, IndexError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"schema: expected the JSON of a Schema; {error!r}") from error
