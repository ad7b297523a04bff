"""Train on samples, test on real rows: are samples of use to who wants to tell the label?

Esteban, Hyland and Ratsch, Real-valued (medical) time series generation with recurrent conditional
GANs, 2017.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from genzoo.metrics.groups import FEWEST_GROUPS
from genzoo.metrics.metric import Metric, SampleMetric
from genzoo.metrics.sides import FEWEST_ROWS, Comparison
from genzoo.seeding import derive, numpy_rng
from genzoo.values import Unsupported

if TYPE_CHECKING:
    from genzoo.datasets.dataset import Dataset

MOST_ROWS = 2000
N_FORESTS, N_TREES = 5, 40


def tstr(comparison: Comparison) -> Metric:
    """How often random forests that were trained on samples tell the label of real rows.

    The label is the last variable; rows without one are left out. As many rows of one side as of
    the other, at most 2,000: held-out rows, which are no more than that, train as samples do. Five
    forests, each on a bootstrap sample of the rows that train (of whole groups); given is their
    mean. The error is that of the real rows (over groups, where rows have groups; one row's worth
    at least) and that of the rows that train, for which the spread of the forests stands: rather
    too large than too small. Codes of nominal variables are taken as numbers, which trees of full
    depth cut apart.

    Raises:
        Unsupported: where fewer than 20 rows of a side have a label, or those that train are of
            fewer than four groups.
    """
    from sklearn.ensemble import RandomForestClassifier

    sides, seed = comparison.equal_sides(MOST_ROWS), comparison.seed
    n_labels = comparison.schema.variables[-1].n_values
    labelled = [np.flatnonzero(side.rows[:, -1] < n_labels) for side in sides]
    if min(map(len, labelled)) < FEWEST_ROWS:
        raise Unsupported(
            f"expected at least {FEWEST_ROWS} rows with a label and as many samples; got "
            f"{len(labelled[0])} and {len(labelled[1])}"
        )
    judging, teaching = (side.groups.at(at) for side, at in zip(sides, labelled, strict=True))
    if len(teaching.sizes) < FEWEST_GROUPS:
        raise Unsupported(
            f"expected samples with a label of at least {FEWEST_GROUPS} groups; got "
            f"{len(teaching.sizes)}"
        )
    judged, samples = (side.rows[at] for side, at in zip(sides, labelled, strict=True))
    rng, right = numpy_rng(seed, "metrics", "bootstrap"), np.empty((N_FORESTS, len(judged)))
    for i in range(N_FORESTS):
        rows = np.repeat(samples, teaching.resampled(rng), axis=0)
        forest = RandomForestClassifier(
            N_TREES, random_state=derive(seed, "metrics", f"forest {i}") % 2**32
        )
        forest.fit(rows[:, :-1], rows[:, -1])
        right[i] = forest.predict(judged[:, :-1]) == judged[:, -1]
    share = right.mean(axis=0)
    of_rows = max(judging.error_of_mean(share), 1 / len(judged))
    of_training = float(right.mean(axis=1).std(ddof=1))
    return TSTR.number(float(share.mean()), math.hypot(of_rows, of_training))


def _has_none(dataset: Dataset) -> str | None:
    return f"{dataset.name} has no label" if dataset.label is None else None


TSTR = SampleMetric(
    title="TSTR",
    meaning="Train on synthetic, test on real: how often random forests that were trained on "
    "samples tell the label of test rows. Compare with the held-out rows, as many real rows in the "
    "samples' place; samples that are copies do as well.",
    unit="accuracy",
    higher_is_better=True,
    judge=tstr,
    refuses=_has_none,
)
