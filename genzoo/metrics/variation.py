"""Total variation of marginals and of pairs, corrected for chance.

Two samples of one distribution differ by chance, the more so the more cells there are. So the total
variation found, TV, is set against C, its mean over random relabellings of all rows of both sides
as real or sample: the value is (TV - C) / (1 - C). For a perfect copy its expectation is 0 at any
number of rows, since then the true labels are one more relabelling; where the supports are disjoint
it is 1. In between, it is an estimate that leans low. It falls below 0 for about half of all
perfect copies.

Where rows have groups, the sides can't be relabelled: groups of one side may be larger, or hang
together more closely, than those of the other. Then each side is cut into random halves of whole
groups, and C is the mean TV of one half of both sides, weighed equally, against the other: the
difference of the sides of a perfect copy, and that of two such halves, are sums of the same
deviations of groups from their mean, but for their signs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from genzoo.metrics.groups import Groups, relabelled
from genzoo.metrics.metric import Metric, SampleMetric
from genzoo.metrics.sides import Comparison
from genzoo.seeding import numpy_rng

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

MOST_ROWS = 2000
MOST_VARIABLES = 500
MOST_PAIRS = 200
N_BINS = 10
N_RELABELLINGS = 40
N_BOOTSTRAP = 40


def chance_corrected_variation(
    row: np.ndarray,
    cell: np.ndarray,
    family: np.ndarray,
    groups: tuple[Groups, Groups],
    *,
    seed: int,
) -> tuple[float, float]:
    """Mean over families of the total variation of two sides' counts, corrected for chance, and
    its error.

    The error is the bootstrap's, over the rows of both sides, or over their groups. Near 0 it is up
    to 1.6 times too large: a bootstrap sample deviates from the rows found as these do from the
    truth, and there both deviations add to the variation.

    Args:
        row: (E,) of each thing counted, the row it is in: real rows are 0 .. n - 1, samples
            n .. n + m - 1.
        cell: (E,) what it is, any integer; equal integers in different families are different.
        family: (E,) which distribution it is counted for.
        groups: of the n real rows and of the m samples.
    """
    n, m = map(len, groups)
    keys, column = np.unique(family * (cell.max() + 1) + cell, return_inverse=True)
    family = keys // (cell.max() + 1)  # (K,) of each distinct thing
    ones = np.ones(len(row))  # entries of one place are summed
    counts = sparse.csr_matrix((ones, (column, row)), shape=(len(keys), n + m))

    def variation(weight_real: np.ndarray, weight_fake: np.ndarray) -> float:
        shares, found = [], []
        for weight in (weight_real, weight_fake):
            count = counts @ weight
            total = np.bincount(family, count)
            shares.append(count / np.where(total > 0, total, 1)[family])
            found.append(total > 0)
        # a side without a family's things (strings too short for an n-gram) has nothing in common
        only_one = np.count_nonzero(found[0] != found[1])
        return 0.5 * (float(np.abs(shares[0] - shares[1]).sum()) + only_one) / len(found[0])

    rng = numpy_rng(seed, "metrics", "variation")
    is_real = (np.arange(n + m) < n).astype(np.float64)
    measured = variation(is_real, 1 - is_real)
    by_chance = [variation(*relabelled(*groups, rng)) for _ in range(N_RELABELLINGS)]
    bootstrap = []
    for _ in range(N_BOOTSTRAP):
        real, fake = (of_side.resampled(rng) for of_side in groups)
        bootstrap.append(variation(np.append(real, np.zeros(m)), np.append(np.zeros(n), fake)))
    chance = float(np.mean(by_chance))
    left = max(1 - chance, 1e-12)
    return float(measured - chance) / left, float(np.std(bootstrap, ddof=1)) / left


def variation_of_marginals(comparison: Comparison) -> Metric:
    """Mean over the variables of the total variation, corrected for chance.

    All variables, or 500 drawn by the seed. Quantiles of the training rows bound the ten bins of an
    ordinal variable.
    """
    rows, _, groups = _binned(comparison)
    rng = numpy_rng(comparison.seed, "metrics", "variables")
    pick = rng.permutation(comparison.schema.D)[:MOST_VARIABLES]
    return MARGINAL_TV.number(*_variation_of_columns(rows[:, pick], groups, comparison.seed))


def variation_of_pairs(comparison: Comparison) -> Metric:
    """Mean over pairs of variables of the total variation, corrected for chance.

    All pairs, of D >= 2 variables, or 200 drawn by the seed; bins as in ``variation_of_marginals``.
    """
    rows, sizes, groups = _binned(comparison)
    first, second = np.triu_indices(comparison.schema.D, 1)
    pick = numpy_rng(comparison.seed, "metrics", "pairs").permutation(len(first))[:MOST_PAIRS]
    first, second = first[pick], second[pick]
    pairs = rows[:, first] * sizes[second] + rows[:, second]
    return PAIR_TV.number(*_variation_of_columns(pairs, groups, comparison.seed))


def _variation_of_columns(
    columns: np.ndarray, groups: tuple[Groups, Groups], seed: int
) -> tuple[float, float]:
    n, width = columns.shape
    row = np.repeat(np.arange(n), width)
    family = np.tile(np.arange(width), n)
    return chance_corrected_variation(row, columns.ravel(), family, groups, seed=seed)


def _binned(comparison: Comparison) -> tuple[np.ndarray, np.ndarray, tuple[Groups, Groups]]:
    """Rows of both sides, real ones first, ordinals in bins; codes (D,); groups of both sides."""
    schema, sides = comparison.schema, comparison.sides(MOST_ROWS)
    rows, sizes = sides.rows, schema.cards.copy()
    for d, variable in enumerate(schema.variables):
        if variable.kind == "nominal" or variable.n_values <= N_BINS:
            continue
        # a missing mark keeps a bin of its own
        known = comparison.train[comparison.train[:, d] < variable.n_values, d]
        levels = np.arange(1, N_BINS if len(known) else 1) / N_BINS
        edges = np.unique(np.quantile(known, levels, method="lower"))
        edges = np.append(edges, variable.n_values - 1)
        rows[:, d] = np.searchsorted(edges, rows[:, d])
        sizes[d] = len(edges) + 1
    return rows, sizes, sides.groups


def _no_pairs(dataset: Dataset) -> str | None:
    return "one variable has no pairs" if dataset.schema.D < 2 else None


MARGINAL_TV = SampleMetric(
    title="Marginals, TV",
    meaning="Total variation between samples and test rows, one variable at a time, less what "
    "chance makes of a perfect copy: 0 perfect, 1 nothing in common.",
    unit="total variation",
    higher_is_better=False,
    judge=variation_of_marginals,
)
PAIR_TV = SampleMetric(
    title="Pairs, TV",
    meaning="Total variation between samples and test rows, for pairs of variables, less what "
    "chance makes of a perfect copy: 0 perfect, 1 nothing in common.",
    unit="total variation",
    higher_is_better=False,
    judge=variation_of_pairs,
    refuses=_no_pairs,
)
