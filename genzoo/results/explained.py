"""What explains a cell's numbers: arrays kept with it, and what two cells say together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

import numpy as np

from genzoo.results.statistics import Difference, paired_difference

DECILES = 10


@dataclass(frozen=True, eq=False)
class Explained:
    """Arrays of a cell, each None where the family doesn't offer it or was not asked.

    Attributes:
        terms: (n, B) nats that each block of variables adds to the log mass of some test rows.
        terms_at: (n,) which test rows these are.
        term_starts: (B,) the first variable of each block.
        least_at, least_rows, least_terms: (k,), (k, D), (k, B) the same of the test rows that are
            least likely under the model, and the rows themselves.
        near_samples, near_train, near_distance: (3, D), (3, D), (3,) the samples that lie nearest
            to a training row without being one, that row, and the squared distance
            (``metrics.embedding``).
        edges, edge_strengths: (E, 2) parents and children of a graph of the variables, (E,) the
            mutual information of the two in training rows, in nats.
        path_rows, paths: (k, D), (k, T) some test rows, the likeliest hidden states behind them.
        strips, strip_ends: (s, steps, D), (2 s, D) rows from one test row to another, by latents
            that lie on a line; those test rows.
    """

    terms: np.ndarray | None = None
    terms_at: np.ndarray | None = None
    term_starts: np.ndarray | None = None
    least_at: np.ndarray | None = None
    least_rows: np.ndarray | None = None
    least_terms: np.ndarray | None = None
    near_samples: np.ndarray | None = None
    near_train: np.ndarray | None = None
    near_distance: np.ndarray | None = None
    edges: np.ndarray | None = None
    edge_strengths: np.ndarray | None = None
    path_rows: np.ndarray | None = None
    paths: np.ndarray | None = None
    strips: np.ndarray | None = None
    strip_ends: np.ndarray | None = None

    @classmethod
    def of(cls, stored: Mapping[str, np.ndarray]) -> Self:
        """Those arrays that there are."""
        return cls(**{f.name: stored[f.name] for f in fields(cls) if f.name in stored})


@dataclass(frozen=True, eq=False)
class Gains:
    """Where one model wins over another: nats a row, mean over the same test rows.

    Attributes:
        starts: (B,) the first variable of each block.
        rows: (n, B) the gain of each row at each block.
        groups: (n,) the group of each row where rows are not independent, else None.
    """

    starts: np.ndarray
    rows: np.ndarray
    groups: np.ndarray | None

    @property
    def n(self) -> int:
        return len(self.rows)

    def of(self, blocks: np.ndarray) -> Difference:
        """The gain of some blocks together, by their places."""
        gained = self.rows[:, blocks].sum(axis=1)
        return paired_difference(gained, np.zeros(self.n), self.groups)

    @cached_property
    def _each(self) -> list[Difference]:
        return [self.of(np.array([b])) for b in range(len(self.starts))]

    @property
    def value(self) -> np.ndarray:
        """(B,) the mean gain at each block; they sum to that of whole rows."""
        return np.array([d.value for d in self._each])

    @property
    def stderr(self) -> np.ndarray:
        """(B,) its paired standard error."""
        return np.array([d.stderr for d in self._each])

    @property
    def total(self) -> Difference:
        """Of whole rows."""
        return self.of(np.arange(len(self.starts)))


def gains(a: Explained, b: Explained, groups: np.ndarray | None = None) -> Gains | None:
    """What the first model gains over the second, block by block: the finest that both were asked
    for; None where one wasn't, or of other rows.

    Args:
        groups: (n_test,) the group of each test row, where rows are not independent.
    """
    if a.terms is None or b.terms is None or a.terms_at is None or b.terms_at is None:
        return None
    if not np.array_equal(a.terms_at, b.terms_at):
        return None
    assert a.term_starts is not None
    assert b.term_starts is not None
    starts = np.intersect1d(a.term_starts, b.term_starts)
    first = _in_blocks(a.terms, a.term_starts, starts)
    second = _in_blocks(b.terms, b.term_starts, starts)
    return Gains(starts, first - second, None if groups is None else groups[a.terms_at])


def _in_blocks(terms: np.ndarray, own: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Terms (n, B) summed into the coarser blocks that begin at some of their own ``starts``."""
    return np.add.reduceat(terms.astype(np.float64), np.searchsorted(own, starts), axis=1)


def usual(explained: Explained, *, ends: bool) -> np.ndarray | None:
    """(B,) what is usual at each block: the mean of its terms over the rows that were asked, of
    strings that end over those that reach it; None where none were asked."""
    if explained.terms is None or explained.least_terms is None or len(explained.terms) == 0:
        return None
    terms = explained.terms.astype(np.float64)
    counted = terms != 0 if ends else np.ones(terms.shape, dtype=bool)
    return terms.sum(axis=0) / np.maximum(1, counted.sum(axis=0))


@dataclass(frozen=True, eq=False)
class Calibration:
    """A model against the truth, from the rows that are rare under it to those that are common.

    Attributes:
        truth: (10,) mean log mass under the truth of each tenth of the test rows, in nats.
        value, stderr: (10,) mean of log model - log truth there, and its standard error.
    """

    truth: np.ndarray
    value: np.ndarray
    stderr: np.ndarray


def calibration(model: np.ndarray, truth: np.ndarray) -> Calibration | None:
    """By tenths of the test rows, ordered by the truth's log mass; None where they are too few.

    Args:
        model, truth: (n,) log masses of the same rows, which are independent of each other.
    """
    if len(model) != len(truth) or len(truth) < 2 * DECILES:
        return None
    if not (np.isfinite(model).all() and np.isfinite(truth).all()):
        return None
    parts = np.array_split(np.argsort(truth, kind="stable"), DECILES)
    found = [paired_difference(model[p], truth[p]) for p in parts]
    return Calibration(
        np.array([truth[p].mean() for p in parts]),
        np.array([d.value for d in found]),
        np.array([d.stderr for d in found]),
    )
