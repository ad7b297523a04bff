"""What each fit may take on data of one's own where nobody says: a budget that suits their size.

It follows from the data alone, so that it is the same for every family, on every machine, with any
number of seeds, folds and workers, and in a later call that adds models to the same folder.

On 6,000 rows of 15 columns it is 20 s. Eleven families that use all of it take 220 s; with what
judges them and what starts the workers (some 100 s of the processor on such a file) that is under
three minutes on two cores. It grows with the square root of the data: more data deserve more time,
and a first answer should not take a day.
"""

from __future__ import annotations

import math

import numpy as np

from genzoo.datasets.dataset import SPLITS, Dataset
from genzoo.fitting import Budget

SECONDS, ENTRIES = 20.0, 6_000 * 15
LEAST, MOST = 10, 300  # seconds: below it networks learn little; above it is for the user to say
STEP, LONG, LONG_STEP = 5, 60, 30  # it is a round number: of 5 s, from a minute of 30 s


def suited(dataset: Dataset) -> Budget:
    """A budget in seconds, by the number of entries of all rows; those after an END are none.

    >>> rows = np.zeros((6_000, 15), dtype=int)
    >>> str(suited(Dataset.from_data(rows, "mine")))
    '20s'
    """
    seconds = SECONDS * math.sqrt(n_entries(dataset) / ENTRIES)
    step = STEP if seconds < LONG else LONG_STEP
    return Budget(seconds=float(min(MOST, max(LEAST, step * round(seconds / step)))))


def n_entries(dataset: Dataset) -> int:
    end = dataset.schema.end
    parts = [getattr(dataset, part) for part in SPLITS]
    return sum(rows.size if end is None else int(np.sum(rows != end)) for rows in parts)
