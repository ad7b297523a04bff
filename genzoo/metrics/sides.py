"""The two sides that sample metrics compare: real rows and samples, and their groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from genzoo.metrics.groups import Groups, all_independent
from genzoo.seeding import numpy_rng
from genzoo.space.schema import Schema
from genzoo.values import Unsupported

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset
    from genzoo.metrics.metric import Context

FEWEST_ROWS = 20

# the groups of the real rows (n,) and of the samples (m,), integers or strings; None where the rows
# of a side are independent
Names = tuple[np.ndarray | None, np.ndarray | None]


@dataclass(frozen=True, eq=False)
class Side:
    """Rows (n, D) of one side, and which of them belong together."""

    rows: np.ndarray
    groups: Groups

    def __len__(self) -> int:
        return len(self.rows)


class Sides(NamedTuple):
    """The two sides of a comparison."""

    real: Side
    fake: Side

    @property
    def rows(self) -> np.ndarray:
        """(n + m, D) those of both sides, real ones first."""
        return np.concatenate([side.rows for side in self])

    @property
    def groups(self) -> tuple[Groups, Groups]:
        return self.real.groups, self.fake.groups

    @property
    def independent(self) -> bool:
        """Whether the rows of both sides are independent."""
        return all_independent(*self.groups)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Samples and the real rows to compare them with: what every metric of samples looks at.

    Attributes:
        real, fake: (n, D) and (m, D) rows of codes; the real ones were not trained on.
        schema: what the codes mean.
        train: (N, D) the training rows, which bound bins, train classifiers and may be copied.
        groups: which rows of either side belong together; None where those of a side are
            independent.
        seed: of what is drawn at random.
        found: what one metric worked out for others.
    """

    real: np.ndarray
    fake: np.ndarray
    schema: Schema
    train: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    groups: Names = (None, None)
    seed: int = 0
    found: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset, context: Context) -> Self:
        """Of the complete test rows and the samples.

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
        groups = (dataset.complete_groups("test"), context.sample_groups)
        return cls(
            test, samples, dataset.schema, dataset.train, groups, context.seed, context.found
        )

    def sides(self, most: int) -> Sides:
        """At most ``most`` rows of each side, in random order.

        Raises:
            ValueError: unless there is one group, an integer or a string, for each row.
            Unsupported: where a side has too few groups for an error.
        """
        sides = []
        for rows, names, side in zip(
            (self.real, self.fake), self.groups, ("real", "fake"), strict=True
        ):
            chosen = _some(len(rows), most, self.seed, side)
            if names is not None:
                names = np.asarray(names)
                if names.shape != (len(rows),) or names.dtype.kind not in "iuU":
                    raise ValueError(
                        f"groups: expected an integer or a string for each of {len(rows)} {side} "
                        f"rows; got {names.dtype} {names.shape}"
                    )
                names = names[chosen]
            sides.append(Side(rows[chosen], Groups.of(names, len(chosen))))
        return Sides(*sides)

    def equal_sides(self, most: int) -> Sides:
        """As ``sides``, but as many rows of one side as of the other."""
        return self.sides(min(len(self.real), len(self.fake), most))

    def some_training_rows(self, most: int) -> np.ndarray:
        """At most ``most`` of them, in random order."""
        return self.train[_some(len(self.train), most, self.seed, "train")]


def _some(n: int, most: int, seed: int, side: str) -> np.ndarray:
    return numpy_rng(seed, "metrics", side).permutation(n)[:most]
