"""What fewer or more steps of drawing cost and bring, for families that draw rows in steps."""

from __future__ import annotations

import time

import numpy as np

from genzoo.datasets.dataset import Dataset
from genzoo.model import GenerativeModel
from genzoo.protocols import DrawsInSteps
from genzoo.results.record import StepsPart
from genzoo.seeding import numpy_rng

MOST_ROWS = 300  # scored and drawn: a family that needs a pass a step takes seconds for them
STEPS = tuple(2**k for k in range(8))


def judge(model: GenerativeModel, dataset: Dataset, *, seed: int) -> dict[str, StepsPart] | None:
    """By the number of steps: the bound on test rows, the same ones for each, and the seconds that
    a row takes to draw; None of families that draw no row in steps.

    Raises:
        Unsupported: where the model can't.
    """
    if not isinstance(model, DrawsInSteps):
        return None
    rows, groups = dataset.test, None if dataset.groups is None else dataset.groups["test"]
    chosen = np.sort(numpy_rng(0, "steps").permutation(len(rows))[:MOST_ROWS])
    groups = None if groups is None else groups[chosen]
    most, found = min(dataset.schema.D, STEPS[-1]), {}
    tried = {*(s for s in STEPS if s < most), most, min(model.n_steps, dataset.schema.D)}
    for n_steps in sorted(tried):
        model_of = model.in_steps(n_steps)
        score = model_of.log_prob(rows[chosen], seed=seed).mean(groups)
        start = time.perf_counter()
        model_of.sample(len(chosen), seed=seed)
        seconds = (time.perf_counter() - start) / len(chosen)
        found[str(n_steps)] = StepsPart(score.value, score.stderr, score.kind, len(chosen), seconds)
    return found
