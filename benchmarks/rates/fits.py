"""How often "proven" is wrong where nothing depends: families fitted to independent columns.

Every family tunes on validation rows and may find dependence that is luck. Its true expected
log-likelihood is that of 20,000 fresh rows, compared row by row with the independent columns' own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from genzoo import Dataset, make_model
from rates import Rate, share
from rates.proofs import Scores, choice_of, is_wrong

FAMILIES = ("independent", "ngram", "mixture", "bayesian_network", "hmm")  # those of seconds
WIDTHS = (10, 30, 100)
N_ROWS, N_FRESH = 700, 20_000
WANTED = "at most 3 of 20"


def rates(n_sets: int, seed: int = 0) -> list[Rate]:
    """The share of data sets with a false statement, and what each family loses to independence,
    for each number of columns."""
    found = []
    for D in WIDTHS:
        sets = list(fitted(D, n_sets, seed))
        wrong = [is_wrong(scores, choice_of(scores)) for scores in sets]
        setting = f"{D} independent binary columns, {N_ROWS} rows"
        found.append(share("fits", "data sets with a false statement", setting, wrong, WANTED))
        for m, name in enumerate(FAMILIES):
            losses = np.array([scores.truth[m] for scores in sets])
            error = float(losses.std(ddof=1) / np.sqrt(len(losses)))
            what = f"{name} less the truth, nats a row"
            found.append(Rate("fits", what, setting, n_sets, float(losses.mean()), error, ""))
    return found


def fitted(D: int, n_sets: int, seed: int) -> Iterator[Scores]:
    """The scores of the families on each data set; ``truth`` is less the columns' own."""
    for i in range(n_sets):
        rng = np.random.default_rng([seed, D, i])
        shares = rng.beta(1, 1, D)
        rows, fresh = ((rng.random((n, D)) < shares).astype(np.int64) for n in (N_ROWS, N_FRESH))
        data = Dataset.from_data(rows, "independent", seed=i)
        best = np.where(fresh == 1, np.log(shares), np.log1p(-shares)).sum(axis=1)
        truth, valid, test, cost = [], [], [], []
        for name in FAMILIES:
            start = time.perf_counter()
            model = make_model(name).fit(data, seed=i)
            cost.append(time.perf_counter() - start)
            truth.append(float(np.mean(model.log_prob(fresh).value - best)))
            valid.append(model.log_prob(data.valid).value)
            test.append(model.log_prob(data.test).value)
        yield Scores(
            np.array(truth), np.array(valid), np.array(test), cost=np.array(cost), names=FAMILIES
        )
