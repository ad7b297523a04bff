"""Long ordinals in few bins, with every bin's mass spread over its codes exactly.

Families that keep a table per variable can't afford 256 cells of a price. They model its bin
instead: ``log p(code) = log p(bin) + log share(code | bin)``. The shares are part of the model, so
the mass over codes sums to one whatever the family does with the bins.

Bins are runs of neighbouring codes of about equal mass in the training rows. A missing mark keeps
a bin of its own. A code's share is that of its smoothed mass in its bin's (``space/marginals.py``),
so that a family which finds no dependence is as good as independence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genzoo import draws
from genzoo.fitting import CurvePoint
from genzoo.space.blocks import blocks
from genzoo.space.marginals import smoothed
from genzoo.space.schema import MISSING, Schema, Variable

# More bins show more of how variables depend, and each then rests on fewer rows.
FEWEST_ROWS_PER_BIN = 40
FEWEST_BINS, MOST_BINS = 8, 32


def default_bins(n: int) -> int:
    """How many bins a long ordinal has where nothing else is asked, by n rows that tell of it.

    >>> [default_bins(n) for n in (100, 800, 10_000)]
    [8, 20, 32]
    """
    return int(np.clip(n // FEWEST_ROWS_PER_BIN, FEWEST_BINS, MOST_BINS))


def marks(schema: Schema) -> np.ndarray:
    """(D,) each variable's missing mark, which no completion may hold; -1 where there is none.

    A column of nothing but the mark has no other code to fill in, and gives -1 too.
    """
    last = [v.n_values if v.missing and v.n_values > 0 else -1 for v in schema.variables]
    return np.array(last, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Coarsening:
    """A map from codes to bins for each variable.

    Attributes:
        bin_of: (D, M) the bin of each code; codes beyond a variable's own have bin 0.
        log_share: (D, M) log mass of each code within its bin, in nats; -inf beyond.
        cards: (D,) number of bins of each variable: its cardinality where it is not coarsened.

    >>> schema = Schema((Variable("x", "ordinal", 100, offset=0, step=1),), "table", (1,))
    >>> made = Coarsening.fit(schema, np.arange(100)[:, None], most_bins=4)
    >>> made.to_bins(np.array([[0], [30], [99]])).ravel()
    array([0, 1, 3])
    """

    bin_of: np.ndarray
    log_share: np.ndarray
    cards: np.ndarray

    @classmethod
    def fit(cls, schema: Schema, rows: np.ndarray, most_bins: int) -> Coarsening:
        """At most ``most_bins``, beside the missing mark's, for the ordinals that have more values;
        by training rows (n, D), of which ``MISSING`` entries are not counted."""
        cards = schema.cards
        return cls._of_counts(schema, lambda d: _counted(rows, [d], cards[d]), most_bins)

    @classmethod
    def pooled(cls, schema: Schema, rows: np.ndarray, group: np.ndarray) -> Coarsening:
        """``default_bins``, the same for all variables of a group, from all rows of theirs.

        ``group`` (D,) is 0 .. G - 1; groups have as many variables each, and alike.
        """
        first = np.unique(group, return_index=True)[1]
        if len(first) == schema.D:
            return cls.fit(schema, rows, default_bins(len(rows)))
        one = Schema(tuple(schema.variables[d] for d in first), "table", (len(first),))
        members = [np.flatnonzero(group == g).tolist() for g in range(len(first))]
        most_bins = default_bins(len(rows) * len(members[0]))
        made = cls._of_counts(one, lambda g: _counted(rows, members[g], one.cards[g]), most_bins)
        return cls(made.bin_of[group], made.log_share[group], made.cards[group])

    @classmethod
    def _of_counts(
        cls, schema: Schema, counted: Callable[[int], np.ndarray], most_bins: int
    ) -> Coarsening:
        """``fit``, by a function that counts the codes of a variable."""
        M = int(schema.cards.max())
        bin_of = np.zeros((schema.D, M), dtype=np.int64)
        log_share = np.full((schema.D, M), -np.inf)
        cards = schema.cards.copy()
        for d, variable in enumerate(schema.variables):
            card, k = variable.cardinality, variable.n_values
            bins = np.arange(card)
            log_share[d, :card] = 0.0
            if variable.kind == "ordinal" and k > most_bins:
                counts = counted(d)
                bins[:k] = _equal_mass(counts[:k], most_bins)
                bins[k:] = bins[k - 1] + 1
                log_share[d, :k] = _log_shares(counts[:k], bins[:k], variable)
                cards[d] = bins[-1] + 1
            bin_of[d, :card] = bins
        return cls(bin_of, log_share, cards)

    @cached_property
    def coarse(self) -> np.ndarray:
        """The variables that have fewer bins than codes."""
        return np.flatnonzero(np.isfinite(self.log_share).sum(axis=1) > self.cards)

    def to_bins(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) bins of codes, in the integer type of ``rows``; ``MISSING`` stays."""
        bins = rows.copy()
        for part in blocks(len(rows), len(self.coarse)):
            codes = rows[part][:, self.coarse]
            found = np.where(codes == MISSING, MISSING, self.bin_of[self.coarse, codes])
            bins[part, self.coarse] = found
        return bins

    def log_shares(self, rows: np.ndarray) -> np.ndarray:
        """(n,) log mass of the codes given their bins; an entry that is ``MISSING`` adds nothing.

        A row's log mass is that of its bins plus this.
        """
        total = np.zeros(len(rows))
        for part in blocks(len(rows), len(self.coarse)):
            codes = rows[part][:, self.coarse]
            shares = self.log_share[self.coarse, codes]
            total[part] = np.where(codes == MISSING, 0.0, shares).sum(axis=1)
        return total

    def of_each_code(self, d: int, of_bins: np.ndarray) -> np.ndarray:
        """(n, M) log masses of the M codes of variable d, from those of its bins (n, bins)."""
        own = np.isfinite(self.log_share[d])
        return of_bins[:, self.bin_of[d, own]] + self.log_share[d, own]

    def log_prob_each(
        self, rows: np.ndarray, d: int, of_bins: Callable[[np.ndarray, int], np.ndarray]
    ) -> np.ndarray:
        """(n, M) log masses of rows (n, D) with each of the M codes of variable d, from a function
        that does the same for bins: of rows of which variable d is ``MISSING``, and d."""
        rest = rows.copy()
        rest[:, d] = MISSING
        joint = self.of_each_code(d, of_bins(self.to_bins(rest), d))
        return joint + self.log_shares(rest)[:, None]

    def to_codes(self, bins: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(n, D) int64 codes drawn inside bins (n, D) without ``MISSING``."""
        codes = bins.astype(np.int64)
        for d in self.coarse.tolist():
            own = int(np.isfinite(self.log_share[d]).sum())
            starts = np.searchsorted(self.bin_of[d, :own], np.arange(self.cards[d] + 1))
            first, end = starts[codes[:, d]], starts[codes[:, d] + 1]
            shares = np.exp(self.log_share[d, :own])
            codes[:, d] = draws.located_within(shares, first, end, rng.random(len(bins)))
        return codes

    def likeliest_codes(self, bins: np.ndarray) -> np.ndarray:
        """(n, D) int64 the code of most mass in each bin of ``bins`` (n, D)."""
        codes = bins.astype(np.int64)
        for d in self.coarse.tolist():
            own = np.where(
                self.bin_of[d] == np.arange(self.cards[d])[:, None], self.log_share[d], -np.inf
            )
            codes[:, d] = own.argmax(axis=1)[bins[:, d]]
        return codes

    def curve_of_codes(
        self, curve: Sequence[CurvePoint], rows: np.ndarray, valid: np.ndarray
    ) -> list[CurvePoint]:
        """The learning curve of a search that saw bins alone, in nats per row of codes."""
        of_rows, of_valid = 0.0, float(self.log_shares(valid).mean())
        if any(point.train is not None for point in curve):
            of_rows = float(self.log_shares(rows).mean())
        return [point.plus(of_rows, of_valid) for point in curve]

    def marks(self, schema: Schema) -> np.ndarray:
        """(D,) the bins of ``marks(schema)``; -1 where there is none."""
        return np.where(marks(schema) >= 0, self.cards - 1, -1)

    def codes_of(self, d: int, bin_: int) -> np.ndarray:
        """The codes of variable d that lie in a bin."""
        own = int(np.isfinite(self.log_share[d]).sum())
        return np.flatnonzero(self.bin_of[d, :own] == bin_)

    def state(self) -> dict[str, np.ndarray]:
        return {"bin_of": self.bin_of, "log_share": self.log_share, "bins": self.cards}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray]) -> Coarsening:
        return cls(arrays["bin_of"], arrays["log_share"], arrays["bins"])

    @property
    def n_parameters(self) -> int:
        """Free numbers among the shares."""
        return int(np.isfinite(self.log_share).sum() - self.cards.sum())


def _counted(rows: np.ndarray, columns: list[int], card: int) -> np.ndarray:
    """(card,) how often each code is in some columns of rows, ``MISSING`` not counted."""
    counts = np.zeros(card + 1, dtype=np.int64)
    for d in columns:
        counts += np.bincount(rows[:, d].astype(np.int64) + 1, minlength=card + 1)
    return counts[1:]


def _equal_mass(counts: np.ndarray, most_bins: int) -> np.ndarray:
    """(k,) bins 0, 1, ... of k neighbouring values, of about equal mass."""
    bins = np.zeros(len(counts), dtype=np.int64)
    left, mass, current = int(counts.sum()), 0, 0
    for v, count in enumerate(counts):
        target = (left + mass) / (most_bins - current)  # of the bin that is being filled
        if mass > 0 and mass + count / 2 > target and current < most_bins - 1:
            current, mass = current + 1, 0
        bins[v] = current
        mass, left = mass + int(count), left - int(count)
    return bins


def _log_shares(counts: np.ndarray, bins: np.ndarray, variable: Variable) -> np.ndarray:
    """(k,) log share of each value in its bin."""
    masses = smoothed(counts, variable)
    return np.log(masses) - np.log(np.bincount(bins, weights=masses)[bins])
