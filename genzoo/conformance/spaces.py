"""Data sets whose spaces can be enumerated, and counting in such a space."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from genzoo.seeding import numpy_rng
from genzoo.space.infer import table_of
from genzoo.space.schema import MISSING, Schema, Variable


@dataclass(frozen=True)
class Space:
    """A data set whose space can be enumerated."""

    name: str
    data: Any
    schema: Schema

    @cached_property
    def rows(self) -> np.ndarray:
        """(N, D) every row of the space."""
        return self.schema.enumerate()

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Place values that number rows, the order of ``rows`` by number, the sorted numbers."""
        radix = np.cumprod([1, *self.schema.cards[::-1]])[-2::-1]
        numbers = self.rows @ radix
        order = np.argsort(numbers)
        return radix, order, numbers[order]

    def index(self, rows: np.ndarray) -> np.ndarray:
        """(n,) at which place of ``self.rows`` each of the legal rows (n, D) stands."""
        radix, order, numbers = self._places
        places: np.ndarray = order[np.searchsorted(numbers, rows @ radix)]
        return places

    def agreeing(self, queried: np.ndarray) -> np.ndarray:
        """(N,) which rows agree with the entries of ``queried`` (D,) that are not MISSING."""
        agree: np.ndarray = ((self.rows == queried) | (queried == MISSING)).all(axis=1)
        return agree

    def completing(self, queried: np.ndarray) -> np.ndarray:
        """(N,) the agreeing rows that fill in no missing mark."""
        marks = np.array([v.n_values if v.missing else -2 for v in self.schema.variables])
        unmarked = ((self.rows != marks) | (queried != MISSING)).all(axis=1)
        both: np.ndarray = self.agreeing(queried) & unmarked
        return both

    def patterns(self, seed: int) -> list[np.ndarray]:
        """Partly observed rows: a prefix, a suffix, one entry in the middle, nothing at all."""
        rng = numpy_rng(seed, "patterns", self.name)
        reached = self.schema.reached(self.rows).all(axis=1)
        row = self.rows[rng.choice(np.flatnonzero(reached))]
        D = self.schema.D
        masks = [np.arange(D) >= D // 2, np.arange(D) < D // 2, np.arange(D) != D // 2]
        return [np.where(m, MISSING, row) for m in [*masks, np.ones(D, dtype=bool)]]

    def some_rows(self, n: int) -> np.ndarray:
        """About n rows, spread evenly over the space."""
        return self.rows[:: max(1, len(self.rows) // n)]


def spaces(seed: int = 0) -> list[Space]:
    """The four spaces, each with rows in which the variables depend on each other."""
    rng = numpy_rng(seed, "conformance")
    return [_table(rng), _strings(rng), _image(rng), _frame(rng)]


def copies(seed: int = 0) -> Space:
    """Rows of six copies of one bit, few of them flipped: a latent variable must know the bit."""
    rng = numpy_rng(seed, "conformance", "copies")
    bit = rng.integers(0, 2, (400, 1))
    data = np.where(rng.random((400, 6)) < 0.95, bit, 1 - bit)
    return Space("copies", data, Schema(*table_of([2] * 6)))


def _table(rng: np.random.Generator) -> Space:
    first = rng.integers(0, 2, 400)
    second = np.where(rng.random(400) < 0.7, first * 2, rng.integers(0, 3, 400))
    third = np.where(rng.random(400) < 0.6, second * 2, rng.integers(0, 5, 400))
    fourth = np.where(rng.random(400) < 0.8, (first + third) % 2, rng.integers(0, 2, 400))
    data = np.stack([first, second, third, fourth], 1)
    return Space("table", data, Schema(*table_of([2, 3, 5, 2])))


def _strings(rng: np.random.Generator) -> Space:
    data = []
    for length in rng.choice(5, 400, p=[0.1, 0.2, 0.3, 0.2, 0.2]):
        text = rng.choice(["a", "b"])
        while len(text) < length:
            same = rng.random() < 0.8
            text += text[-1] if same else ("b" if text[-1] == "a" else "a")
        data.append(text[:length])
    return Space("strings", data, Schema.infer(data))


def _image(rng: np.random.Generator) -> Space:
    stripes = rng.integers(0, 2, (400, 1, 3))
    data = np.where(rng.random((400, 3, 3)) < 0.85, stripes, rng.integers(0, 2, (400, 3, 3)))
    data = data.astype(np.uint8)
    return Space("image", data, Schema.infer(data))


def _frame(rng: np.random.Generator) -> Space:
    import pandas as pd

    n = 400
    group = rng.choice(["x", "y", "z"], n, p=[0.5, 0.3, 0.2])
    level = rng.integers(0, 4, n)
    amount = np.where(rng.random(n) < 0.3, 0.0, np.round(rng.gamma(2.0, 50.0, n) + 40 * level, 2))
    amount[rng.random(n) < 0.1] = np.nan
    data = pd.DataFrame({"group": group, "level": level, "amount": amount})
    edges = (-0.005, 0.005, *np.linspace(10, 600, 39).tolist())
    text = str(data["group"].dtype)  # it differs between versions of pandas
    schema = Schema(
        (
            Variable("group", "nominal", categories=("x", "y", "z"), dtype=text),
            Variable("level", "ordinal", 4, offset=0, step=1, dtype="int64"),
            Variable(
                "amount", "ordinal", offset=0.0, step=0.01, edges=edges, missing=True,
                dtype="float64",
            ),
        ),
        "table",
        (3,),
    )  # fmt: skip
    return Space("frame", data, schema)
