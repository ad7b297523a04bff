"""Rows that belong together, and what that means for halves, errors and chance.

Rows of one group (a customer, a piece of music) are not independent: groups are. So what is cut in
parts, left out or drawn anew is always a whole group.

Reference:
    [1] Rao and Wu, Resampling inference with complex survey data, JASA 1988.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from genzoo.jackknife import Jackknife
from genzoo.values import Unsupported

FEWEST_GROUPS = 4


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each of n rows is from.

    Attributes:
        number: (n,) of each row, 0 .. G - 1 in order of first appearance.
        sizes: (G,) how many rows each group has.
    """

    number: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, names: np.ndarray | None, n: int) -> Self:
        """Of n rows; ``names`` (n,) is the group of each, None where each row is one.

        Raises:
            Unsupported: where the groups are too few for an error: under four, or one of them has
                more than half of the rows.
        """
        if names is None:
            return cls(np.arange(n), np.ones(n, dtype=np.int64))
        _, first, place = np.unique(names, return_index=True, return_inverse=True)
        number = np.argsort(np.argsort(first))[place]
        sizes = np.bincount(number)
        if len(sizes) < FEWEST_GROUPS or sizes.max() > n / 2:
            raise Unsupported(
                f"an error needs at least {FEWEST_GROUPS} groups, none with more than half of the "
                f"rows; got {len(sizes)}, the largest with {sizes.max()} of {n} rows"
            )
        return cls(number, sizes)

    def __len__(self) -> int:
        return len(self.number)

    @property
    def independent(self) -> bool:
        """Whether each row is a group of its own."""
        return len(self.sizes) == len(self.number)

    def at(self, places: np.ndarray) -> Groups:
        """Of some of the rows, however few their groups."""
        _, number, sizes = np.unique(self.number[places], return_inverse=True, return_counts=True)
        return Groups(number, sizes)

    def parts(self, k: int) -> np.ndarray:
        """(n,) which of ``k`` parts each row is in; groups stay whole.

        Every part has as many groups as another, to within one. The k largest go one to each part,
        then the k largest of those left, the largest to the part with the fewest rows: so parts are
        of about one size.
        """
        part = np.empty(len(self.sizes), dtype=np.int64)
        n_rows = np.zeros(k, dtype=np.int64)
        order = np.argsort(-self.sizes, kind="stable")
        for start in range(0, len(order), k):
            chosen = order[start : start + k]
            part[chosen] = np.argsort(n_rows, kind="stable")[: len(chosen)]
            n_rows[part[chosen]] += self.sizes[chosen]
        return part[self.number]

    def random_half(self, rng: np.random.Generator) -> np.ndarray:
        """(n,) whether a row is in a random half of the groups.

        Of two groups of like size one is in and one is out, so that halves have like sizes.
        """
        order = rng.permutation(len(self.sizes))
        order = order[np.argsort(-self.sizes[order], kind="stable")]
        larger_in = rng.random(len(order[::2])) < 0.5
        chosen = np.empty(len(order), dtype=bool)
        chosen[order[::2]] = larger_in
        chosen[order[1::2]] = ~larger_in[: len(order) // 2]
        return chosen[self.number]

    def resampled(self, rng: np.random.Generator) -> np.ndarray:
        """(n,) how often a bootstrap sample has each row.

        Of G groups G - 1 are drawn: so the bootstrap's variance of a mean is unbiased [1]. Of
        independent rows, where this makes no difference, as many as there are.
        """
        G = len(self.sizes)
        draws = G if self.independent else G - 1
        return rng.multinomial(draws, np.full(G, 1 / G))[self.number]

    def total(self, values: np.ndarray) -> np.ndarray:
        """(G,) sums of values (n,) by group."""
        return np.bincount(self.number, values)

    def error_of_mean(self, values: np.ndarray) -> float:
        """The standard error of the mean of values (n,) over rows.

        The jackknife's, which leaves out one group at a time: for groups of one size that of the
        groups' means, for unequal ones it allows for what a large group does to the mean.

        Raises:
            Unsupported: where there is but one group.
        """
        if len(self.sizes) < 2:
            raise Unsupported("an error of a mean needs at least 2 groups; got 1")
        return Jackknife.of(values, np.ones(len(self.number)), self.number).stderr


def all_independent(*sides: Groups) -> bool:
    """Whether the rows of every side are independent."""
    return all(side.independent for side in sides)


def relabelled(
    real: Groups, fake: Groups, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Two sides that differ by chance alone: weights (n + m,) of all rows, the real ones first.

    Of independent rows, n drawn at random and the rest. Of groups, one half of both sides' groups
    and the other, in each of which the two sides weigh the same.
    """
    n, m = len(real), len(fake)
    if all_independent(real, fake):
        chosen = rng.permutation(np.repeat([1.0, 0.0], [n, m]))
        return chosen, 1 - chosen
    halves = [side.random_half(rng) for side in (real, fake)]
    first, second = (
        np.concatenate([half / half.sum() for half in chosen])
        for chosen in (halves, [~half for half in halves])
    )
    return first, second
