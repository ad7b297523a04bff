"""``Form``: what any form of data can do."""

from __future__ import annotations

import abc
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from genzoo.space.advice import shown
from genzoo.space.column import short
from genzoo.space.infer import Found
from genzoo.space.variable import plain
from genzoo.spelling import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from genzoo.space.schema import Schema


# As many as further rows of one distribution have. In 1,000 simulations of 200 rows after 200 these
# bounds warned of 0.2 % (normal, uniform), 9 % (exponential) and 24 % (lognormal); of 20 after 100
# in 6 to 12 %; of 2,000 after 10,000 in none but of heavy tails (5 %).
FEW_BEYOND = 0.05  # of a column's rows
LITTLE_BEYOND = 0.5  # of the range


@dataclass(frozen=True, eq=False, repr=False)
class Form(abc.ABC):
    """Data in one form: n rows of D variables, as they were given.

    Four methods make a form (``of``, ``infer``, ``coded``, ``decode``); the others have answers
    that hold for most.

    Attributes:
        name: of the argument, with which errors begin.
        key: what ``model.json`` calls the form in which samples go back: ``"data"`` is the one that
            the schema speaks of.
        plural: in errors, what the data are.
        expected: in errors, what was wanted.
        unit: in warnings, what its numbers are.

    >>> from genzoo.space.forms import read
    >>> form = read(["ab", "a"])
    >>> form, form.infer().layout
    (Strings(2 rows), 'sequence')
    """

    data: Any
    name: str = "data"

    key: ClassVar[str] = "data"
    plural: ClassVar[str]
    expected: ClassVar[str]
    unit: ClassVar[str] = "numbers"

    @classmethod
    @abc.abstractmethod
    def of(cls, data: object, name: str) -> Self | None:
        """Data as this form, None where they are of another.

        Raises:
            ValueError: for data that are nearly of this form.
        """

    @abc.abstractmethod
    def infer(self, train: np.ndarray | None = None) -> Found:
        """The parts of the data's ``Schema``; cells' edges come from the rows ``train`` alone.

        Raises:
            ValueError: for values that no schema holds.
        """

    @abc.abstractmethod
    def coded(self, schema: Schema, *, given: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """(n, D) codes, and (n, D) bool: the numbers beyond the range or between grid points.

        With ``given`` the data are to be completed: a NaN is ``MISSING``, a string is a prefix,
        columns may be absent. ``Schema.encode`` checks the codes against the schema.

        Raises:
            ValueError: for data that are not of this space.
        """

    @classmethod
    @abc.abstractmethod
    def decode(cls, schema: Schema, rows: np.ndarray, *, seed: int) -> Any:
        """Checked, complete rows of codes (n, D) as data of this form; ``seed`` draws the number in
        a wide cell."""

    @classmethod
    def handed(cls, decoded: Any) -> Any:
        """Decoded data as users who gave this form get them: a table of another library, which is
        a DataFrame until then."""
        return decoded

    @classmethod
    def fits(cls, schema: Schema) -> bool:
        """Whether this is the form that a schema speaks of, to which ``Schema.decode`` leads."""
        return False

    # ---------------------------------------------------------------- what follows

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.data)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows)"

    @property
    def columns(self) -> list[str | int]:
        """The names that the data give to their columns; empty where they name none."""
        return []

    @property
    def index(self) -> pd.Index | None:
        """The names that the data give to their rows, or None."""
        return None

    def encode(self, schema: Schema, *, given: bool = False) -> np.ndarray:
        """See ``Schema.encode``, which checks these codes (n, D) too."""
        rows, moved = self.coded(schema, given=given)
        if moved.any() and self._is_strange(schema, moved):
            names = [schema.names[d] for d in np.flatnonzero(moved.any(axis=0))]
            what = f"{self.unit} (columns {short(names)})" if self.columns else self.unit
            warnings.warn(
                f"{self.name}: {int(moved.sum())} of {moved.size} {what} lie beyond the schema's "
                f"range or between its grid points; they took the end code or the nearest one"
                f"{self._farthest(schema)}",
                UserWarning,
                stacklevel=depth(),
            )
        return rows

    def _is_strange(self, schema: Schema, moved: np.ndarray) -> bool:
        """Whether the numbers that took another's code, (n, D) bool, are more than the few a little
        beyond the range that any further sample has."""
        far = self.out_of_range(schema)
        few = (far > 0).mean(axis=0) <= FEW_BEYOND
        return bool((moved & ((far == 0) | (far > LITTLE_BEYOND) | ~few)).any())

    def numbers(self, schema: Schema) -> np.ndarray | None:
        """(n, D) the numbers that numeric variables count, NaN for all else; None where the data
        hold codes, not numbers."""
        return None

    def out_of_range(self, schema: Schema) -> np.ndarray:
        """See ``Schema.out_of_range``."""
        numbers, far = self.numbers(schema), np.zeros((len(self), schema.D))
        for d, variable in enumerate(schema.variables):
            if numbers is not None and variable.is_numeric:
                far[:, d] = variable.beyond(numbers[:, d])
        return far

    def _farthest(self, schema: Schema) -> str:
        """For the warning: the number that lies farthest beyond its variable's range, if any does,
        and what tells the rows."""
        far, numbers = self.out_of_range(schema), self.numbers(schema)
        if numbers is None or not far.any():
            return ""
        i, d = (int(k) for k in np.unravel_index(np.argmax(far), far.shape))
        variable = schema.variables[d]
        value, low, high = (shown(variable, n) for n in (numbers[i, d], *variable.ends))
        return (
            f", however far they lie; farthest {value} in variable {variable.name!r}, whose range "
            f"is {low} .. {high}. Schema.out_of_range(data) tells the "
            f"{int((far > 0).any(axis=1).sum())} rows beyond and how far"
        )

    def advice(self, schema: Schema) -> list[str]:
        """What the user should know of a schema that was inferred from these data, if anything."""
        return []

    def off_grid(self, schema: Schema) -> np.ndarray:
        """(n, D) bool: the numbers beyond the range or between grid points."""
        return self.coded(schema)[1]

    def kept_in(self, drawn: Any) -> Any:
        """What was drawn to complete these data, one row or n, with their numbers as they are."""
        return drawn

    def completed(self, schema: Schema, rows: np.ndarray, *, seed: int) -> Any:
        """These data with their holes filled in from rows (n, D), the rest as it was given."""
        return self.kept_in(self.decode(schema, rows, seed=seed))

    def place_of(self, schema: Schema, target: object) -> int:
        """The index of a variable that is asked for by the name that these data give to it.

        Raises:
            ValueError: naming ``target``.
        """
        target = plain(target)
        if (
            not isinstance(target, (str, int))
            or isinstance(target, bool)
            or target not in schema.names
        ):
            names = ", ".join(map(str, schema.names))
            hint = did_you_mean(target, schema.names)
            raise ValueError(
                f"target: expected a variable of the model ({names}); got {target!r}{hint}"
            )
        return schema.names.index(target)

    def without(self, schema: Schema, name: str | int) -> Form:
        """The data with nothing known of one variable, to be encoded as ``given``.

        Raises:
            ValueError: for a form that has no columns.
        """
        raise ValueError(
            f"{self.name}: expected rows of codes (n, {schema.D}) or a DataFrame; got "
            f"{self.plural} of shape {np.shape(self.data)}"
        )

    def _of_other_values(self, schema: Schema) -> ValueError:
        return ValueError(
            f"{self.name}: got {self.plural}, but the schema is a {schema.layout} of other values"
        )

    def values(self, schema: Schema, d: int, *, seed: int) -> np.ndarray:
        """(L,) what this form writes for each of the L values of variable d: codes."""
        return np.arange(schema.variables[d].n_values)

    def with_label(self, label: str | int) -> tuple[Form, np.ndarray]:
        """The data with the label's column last, and the class (n,) of each row from 0.

        Raises:
            ValueError: naming ``label``, where there is no such column.
        """
        raise ValueError(f"label: expected None for {self.plural}; got {label!r}")

    def table(self, schema: Schema) -> pd.DataFrame:
        """The data as a table (n, D) with a header, to be written to a file."""
        import pandas as pd

        return pd.DataFrame(self.data, columns=schema.names)

    def lines(self) -> list[str] | None:
        """(n,) the data as text to read, None where a table shows them better."""
        return None


def depth() -> int:
    """How many calls up the one is that called into genzoo: that of fit, log_prob or sample."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals["__name__"].split(".")[0] == "genzoo":
        frame, depth = frame.f_back, depth + 1
    return depth
