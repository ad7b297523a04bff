"""How much one network may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Memory and work that a network may take; tests set others on ``model.limits``.

    Attributes:
        largest_factor: entries a row of a factor of elimination. A pattern of ``MISSING`` that
            needs more gets a bound by particles: exactness against memory (16 MiB a row).
        largest_plan: entries a row of all factors, above which each row is planned by itself: a
            plan costs Python's time, and saves only where trees are pruned.
        largest_completion: entries a row of all factors, up to which missing entries of training
            rows are drawn exactly; beyond, by Gibbs sampling, which is cheaper and mixes slowly.
        largest_tree: bytes that the counts and questions of a child's tree may take.
        most_columns_for_tables: on wider data the search for tables is left out: it looks at all
            pairs of columns, and trees mostly win.
        most_work: numbers looked at to grow the trees of averages: fewer trees are grown where
            the data are large.
        sure: standard errors by which an average must be better than single trees to be kept:
            quality against the queries that stay exact.
    """

    largest_factor: int = 2**21
    largest_plan: int = 2**14
    largest_completion: int = 2**11
    largest_tree: int = 2**26
    most_columns_for_tables: int = 256
    most_work: float = 1e12
    sure: float = 2.0
