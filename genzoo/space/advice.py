"""What users should know of the values that they fit, in words: one warning a subject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from genzoo.space import column, folding, outliers, times
from genzoo.space.variable import MISSING, Variable

if TYPE_CHECKING:
    import pandas as pd

Pairs: TypeAlias = "Sequence[tuple[Variable, pd.Series]]"  # each variable and its column

MOST_NAMED = 3
# Codes that are plainly numbers: as many in all as no grid has levels, most of them unseen, and
# either none that is small or few that another column has too. Token ids share their columns'
# alphabet, class and pixel codes are few, and codes that were counted up leave no gap.
# (Tried on the arrays of tests/test_advice.py.)
MOST_CODES_UNASKED = 1024
FEW_SEEN = 0.5  # of the codes below the largest
FEWEST_DIFFERENT = 20
SMALLEST = 0.1  # the least code, as a part of the largest
FEW_SHARED = 0.1  # of a column's rows


def of_folded(pairs: Pairs) -> str | None:
    """Which columns had rare categories folded into one, and by what rule.

    >>> import pandas as pd
    >>> names = pd.Series([f"n{i}" for i in range(60)], name="name")
    >>> found = of_folded([(Variable("name", categories=("other",), other="other"), names)])
    >>> "column 'name': 60 of 60 values (60 of 60 rows) into 'other'" in found
    True
    """
    parts, useless = [], []
    for variable, values in pairs:
        if variable.other is None:
            continue
        own = set(variable.categories or ()) - {variable.other}
        counts = values.value_counts()
        counts = counts[counts > 0]
        rare = counts[[value not in own for value in counts.index.tolist()]]
        parts.append(
            f"column {variable.name!r}: {len(rare)} of {len(counts)} values "
            f"({int(rare.sum())} of {int(counts.sum())} rows) into {variable.other!r}"
        )
        if not own:
            useless.append(repr(variable.name))
    if not parts:
        return None
    text = (
        f"data: rare categories ({folding.RULE}) are folded into one: {_listed(parts)}. To keep "
        f"them all pass schema=genzoo.Schema.infer(data, fold=False)"
    )
    if useless:
        text += (
            f". No value of column {_listed(useless)} is seen often enough to learn from: it tells "
            f"nothing, and is better dropped"
        )
    return text


def of_apart(pairs: Pairs, *, line: bool = True) -> str | None:
    """Which numbers and dates stand apart from the rest of their column; with the line of pandas
    that makes holes of them, or without.

    >>> import pandas as pd
    >>> values = pd.Series([*range(60), -9999, -9999], name="v")
    >>> of_apart([(Variable("v", "ordinal", 60, offset=0, step=1), values)])[:76]
    "data: values that stand apart from the rest: column 'v': -9999 (2 of 62 rows"
    """
    parts, first = [], ""
    for variable, values in pairs:
        if not variable.is_numeric:
            continue
        present = values.dropna()
        numbers = column.numbers_of(variable, present, f"data: column {variable.name!r}")
        unique, counts = np.unique(numbers, return_counts=True)
        found = outliers.apart(unique, counts, quantity=variable.quantity, unit=variable.unit)
        if not found:
            continue
        rest = unique[~np.isin(unique, [value for value, _ in found])]
        texts = [shown(variable, value) for value, _ in found]
        each = [
            f"{value} ({rows} of {len(values)} rows)"
            for value, (_, rows) in zip(texts, found, strict=True)
        ]
        ends = f"{shown(variable, rest[0])} .. {shown(variable, rest[-1])}"
        parts.append(f"column {variable.name!r}: {', '.join(each)}, all others {ends}")
        first = first or _as_hole(variable, present[numbers == found[0][0]])
    if not parts:
        return None
    way = f"NaN ({first})" if line else "null"
    return (
        f"data: values that stand apart from the rest: {_listed(parts)}. Where they mark missing "
        f"values make them {way}; as they are they are modelled as values"
    )


def _as_hole(variable: Variable, entries: pd.Series) -> str:
    """The line of pandas that makes a hole of a value, of which these are the entries."""
    own, value, dtype = f"data[{variable.name!r}]", entries.iloc[0], entries.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
        return f"{own} = {own}.mask({own} == {shown(variable, float(str(value)))})"
    if dtype.kind in "mM" and not hasattr(dtype, "pyarrow_dtype"):
        return f"{own} = {own}.mask({own} == {str(value).removesuffix(' 00:00:00')!r})"
    # date objects, decimals, and what Arrow holds, are equal to no text and to few numbers
    return f"{own} = {own}.mask({own}.astype(str) == {str(value)!r})"


def of_codes(codes: np.ndarray) -> str | None:
    """Which columns of an array of codes (n, D) are plainly numbers.

    >>> rng = np.random.default_rng(0)
    >>> ages, salaries = rng.integers(17, 90, 500), rng.integers(18_000, 110_000, 500)
    >>> of_codes(np.stack([ages, salaries], axis=1))[:41]
    'data: column 1 holds codes up to 109822, '
    """
    if codes.max() < MOST_CODES_UNASKED:
        return None
    columns = [np.unique(column[column != MISSING]) for column in codes.T]
    seen, n_columns = np.unique(np.concatenate(columns), return_counts=True)
    shared = seen[n_columns > 1]
    numbers = [
        d
        for d, own in enumerate(columns)
        if _are_numbers(own) and _are_own(own, codes[:, d], shared)
    ]
    if not numbers:
        return None
    d, more = numbers[0], len(numbers) - 1
    return (
        f"data: column {d} holds codes up to {columns[d][-1]}, of which {len(columns[d])} were seen"
        f"{f' (and {more} more such columns)' if more else ''}: an integer array is codes without "
        f"an order, so nothing is learned of one from its neighbours. Pass numbers as a DataFrame, "
        f"pd.DataFrame(data); codes with gaps that are names, as "
        f"np.unique(data[:, {d}], return_inverse=True)[1]"
    )


def _are_numbers(seen: np.ndarray) -> bool:
    """Whether different codes of a column (k,) are as many and as sparse as numbers are."""
    if len(seen) < FEWEST_DIFFERENT or seen[-1] < MOST_CODES_UNASKED:
        return False
    return bool(len(seen) <= FEW_SEEN * (seen[-1] + 1))


def _are_own(seen: np.ndarray, column: np.ndarray, shared: np.ndarray) -> bool:
    """Whether none of a column's codes is small, or few of its rows (n,) hold one that is shared
    with another column."""
    is_large = seen[0] >= SMALLEST * seen[-1]
    return bool(is_large or np.isin(column, shared).mean() < FEW_SHARED)


def _listed(parts: list[str]) -> str:
    more = len(parts) - MOST_NAMED
    return "; ".join(parts[:MOST_NAMED]) + (f"; and {more} more columns" if more > 0 else "")


def shown(variable: Variable, number: float) -> str:
    """A number of a variable as its column writes it.

    >>> days = Variable("day", "ordinal", 9, offset=0, step=1, quantity="date", unit="day")
    >>> shown(days, 2.0), shown(Variable("v", "ordinal", edges=[0, 2]), 1.0)
    ('1970-01-03', '1')
    """
    number = float(number)
    if variable.quantity == "number":
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    value: Any = times.decode(variable, np.rint([number])).iloc[0]
    return str(value).removesuffix(" 00:00:00")
