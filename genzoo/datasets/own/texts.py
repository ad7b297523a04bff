"""The different texts of a column, as an Arrow array, and patterns over them.

Whatever is found out or read of a column of text is done once for each different text, by
expressions that Arrow runs over all of them (RE2: no look-around, linear in the length).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

BLANKS = " \u00a0\u202f\u2009"
SPACE = rf"[\s{BLANKS}]*"
MINUSES = "-\u2212\u2013"  # hyphen, minus sign, en dash
MINUS = "[\u2212\u2013-]"


class Distinct(NamedTuple):
    """The different texts of a column, how often each occurs, and which one each entry is."""

    texts: Any  # pyarrow.LargeStringArray (u,)
    counts: np.ndarray  # (u,)
    codes: np.ndarray  # (n,), -1 for a blank entry

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def only(self, chosen: np.ndarray) -> Distinct:
        """Those of the texts (u,) that are chosen; ``codes`` of the others are -1."""
        if chosen.all():
            return self
        place = np.where(chosen, np.cumsum(chosen) - 1, -1)
        codes = np.where(self.codes >= 0, place[self.codes], -1)
        return Distinct(filtered(self.texts, chosen), self.counts[chosen], codes)

    def shown(self, n: int = 3) -> str:
        """The commonest, for a remark: 'a', 'b', ..."""
        order = np.argsort(-self.counts, kind="stable")[:n]
        some = ", ".join(repr(self.texts[int(i)].as_py()) for i in order)
        return some + (", ..." if len(self) > n else "")

    def counted(self, n: int = 6) -> str:
        """The commonest with their counts: 'a' (entries: 12), 'b' (entries: 3), ..."""
        order = np.argsort(-self.counts, kind="stable")[:n]
        some = ", ".join(
            f"{self.texts[int(i)].as_py()!r} (entries: {self.counts[i]})" for i in order
        )
        return some + (", ..." if len(self) > n else "")


def some_at(n: int, most: int) -> np.ndarray:
    """At most so many places out of n, spread over them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))


def some_of(found: Distinct, most: int) -> Distinct:
    """At most so many of the texts, spread over them; without the codes of entries."""
    import pyarrow as pa

    if len(found) <= most:
        return found
    at = some_at(len(found), most)
    return Distinct(found.texts.take(pa.array(at)), found.counts[at], np.empty(0, dtype=np.int64))


def joined(one: Distinct, other: Distinct) -> Distinct:
    """The texts of both; without the codes of entries."""
    import pyarrow as pa

    texts = pa.concat_arrays([one.texts, other.texts])
    counts = np.concatenate([one.counts, other.counts])
    return Distinct(texts, counts, np.empty(0, dtype=np.int64))


def distinct(values: pd.Series) -> Distinct:
    """The different texts of a column (n,) of text; blanks (None, NaN) are none of them."""
    encoded = array_of(values).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    counts = np.bincount(codes[codes >= 0], minlength=len(encoded.dictionary))
    return Distinct(encoded.dictionary, counts, codes)


def array_of(texts: Any) -> Any:
    """Texts as an Arrow array; None and NaN are nulls."""
    import pyarrow as pa

    array = pa.array(texts, pa.large_string(), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def series_of(texts: Any) -> pd.Series:
    """Texts (u,) as a column of objects."""
    import pandas as pd

    return pd.Series(texts.to_numpy(zero_copy_only=False), dtype=object)


def is_text(values: pd.Series) -> bool:
    """Whether a column is of text and blanks alone."""
    import pandas as pd

    if isinstance(values.dtype, pd.StringDtype) or str(values.dtype).startswith("string"):
        return True
    if values.dtype != object:
        return False
    return pd.api.types.infer_dtype(values, skipna=True) in ("string", "empty")


def matches(texts: Any, pattern: str) -> np.ndarray:
    """(u,) bool: which texts are as the pattern says from end to end; a null is not."""
    import pyarrow.compute as pc

    found = pc.match_substring_regex(texts, rf"^(?:{pattern})$")
    return found.fill_null(False).to_numpy(zero_copy_only=False)


def replaced(texts: Any, pattern: str, by: str) -> Any:
    import pyarrow.compute as pc

    return pc.replace_substring_regex(texts, pattern, by)


def parts(texts: Any, pattern: str) -> dict[str, Any]:
    """The named groups of a pattern, each an array (u,); null where a text is not like it."""
    import pyarrow.compute as pc

    found = pc.extract_regex(texts, rf"^(?:{pattern})$")
    names = re.findall(r"\(\?P<(\w+)>", pattern)
    return {name: pc.struct_field(found, name) for name in names}


def filtered(texts: Any, chosen: np.ndarray) -> Any:
    import pyarrow as pa

    return texts.filter(pa.array(chosen))


def weights(texts: Any, counts: np.ndarray) -> dict[str, int]:
    """How many entries have each of some few texts (u,); nulls left out."""
    encoded = texts.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    sums = np.bincount(codes[codes >= 0], counts[codes >= 0], minlength=len(encoded.dictionary))
    return dict(zip(encoded.dictionary.to_pylist(), sums.astype(int).tolist(), strict=True))
