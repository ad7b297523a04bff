"""The two sides that sample metrics compare: real rows and samples, and their groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genzoo.metrics.groups import Groups
from genzoo.seeding import numpy_rng
from genzoo.values import Unsupported

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset
    from genzoo.metrics.likelihood import Context

FEWEST_ROWS = 20

# the groups of the real rows (n,) and of the samples (m,), integers or strings; None where the rows
# of a side are independent
Names = tuple[np.ndarray | None, np.ndarray | None]
NO_GROUPS: Names = (None, None)


@dataclass(frozen=True, eq=False)
class Side:
    """Rows (n, D) of one side, and which of them belong together."""

    rows: np.ndarray
    groups: Groups

    def __len__(self) -> int:
        return len(self.rows)


def both_sides(dataset: Dataset, context: Context) -> tuple[np.ndarray, np.ndarray, Names]:
    """The test rows (n, D), the model's samples (m, D), and the groups of both.

    Raises:
        Unsupported: without samples, or with fewer than ``FEWEST_ROWS`` rows on a side.
    """
    if context.samples is None:
        raise Unsupported("there are no samples to judge")
    samples = dataset.schema.check_rows(context.samples, name="samples")
    test = dataset.complete("test")
    if min(len(samples), len(test)) < FEWEST_ROWS:
        raise Unsupported(
            f"expected at least {FEWEST_ROWS} rows to compare with and as many samples; got "
            f"{len(test)} and {len(samples)}"
        )
    return test, samples, (dataset.complete_groups("test"), context.sample_groups)


def some_rows(rows: np.ndarray, most: int, seed: int, side: str) -> np.ndarray:
    """At most ``most`` of the rows, in random order; ``side`` names the stream of randomness."""
    return rows[_some(len(rows), most, seed, side)]


def two_sides(
    real: np.ndarray, fake: np.ndarray, groups: Names, most: int, seed: int
) -> tuple[Side, Side]:
    """At most ``most`` rows of each side, in random order.

    Raises:
        ValueError: unless there is one group, an integer or a string, for each row.
        Unsupported: where a side has too few groups for an error.
    """
    sides = []
    for rows, names, side in zip((real, fake), groups, ("real", "fake"), strict=True):
        chosen = _some(len(rows), most, seed, side)
        if names is not None:
            names = np.asarray(names)
            if names.shape != (len(rows),) or names.dtype.kind not in "iuU":
                raise ValueError(
                    f"groups: expected an integer or a string for each of {len(rows)} {side} "
                    f"rows; got {names.dtype} {names.shape}"
                )
            names = names[chosen]
        sides.append(Side(rows[chosen], Groups.of(names, len(chosen))))
    return sides[0], sides[1]


def equal_numbers(
    real: np.ndarray, fake: np.ndarray, groups: Names, most: int, seed: int
) -> tuple[Side, Side]:
    """As many rows of one side as of the other, at most ``most``, in random order.

    Raises:
        ValueError, Unsupported: as ``two_sides``.
    """
    return two_sides(real, fake, groups, min(len(real), len(fake), most), seed)


def _some(n: int, most: int, seed: int, side: str) -> np.ndarray:
    return numpy_rng(seed, "metrics", side).permutation(n)[:most]
