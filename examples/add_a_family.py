"""A family of your own in forty lines: a first-order Markov chain over the columns.

The public methods (``fit``, ``sample``, ``log_prob``) check and encode; a family writes the five
private ones below. ``check_model`` then tests the result as it tests genzoo's own families.
"""

import numpy as np

import genzoo
from genzoo.parameters import POSITIVE


class Markov(genzoo.GenerativeModel):
    """p(x) = p(x_1) prod_d p(x_d | x_d-1), each table smoothed by a pseudo-count."""

    parameters = {"pseudo_count": POSITIVE}
    selects = False  # nothing is chosen on validation rows, so none are held out

    def __init__(self, *, pseudo_count=0.5):
        self.pseudo_count = pseudo_count

    def _fit(self, rows, valid, fit):
        cards = self.schema_.cards
        M = cards.max()
        counts = np.where(np.arange(M) < cards[:, None], self.pseudo_count, 0.0)
        table = np.repeat(counts[:, None, :], M, axis=1)  # (D, M before, M now)
        before = np.pad(rows, ((0, 0), (1, 0)))[:, :-1]
        i, d = np.nonzero(self.schema_.reached(rows))
        np.add.at(table, (d, before[i, d], rows[i, d]), 1)
        with np.errstate(divide="ignore"):
            self.log_table_ = np.log(table) - np.log(table.sum(axis=2, keepdims=True))
        fit.did("steps")
        fit.report(1.0, "counted")

    def _sample(self, n, given, *, seed):
        if given is not None:
            raise genzoo.Unsupported("this chain only draws whole rows")
        rng = np.random.default_rng(seed)
        rows = np.zeros((n, self.schema_.D), dtype=np.int64)
        before = np.zeros(n, dtype=np.int64)
        for d in range(self.schema_.D):
            gumbel = rng.gumbel(size=(n, self.log_table_.shape[2]))
            before = (self.log_table_[d, before] + gumbel).argmax(axis=1)
            rows[:, d] = before
        end = self.schema_.end
        return rows if end is None else np.where(self.schema_.reached(rows), rows, end)

    def _log_prob(self, rows, *, seed):
        if (rows == genzoo.MISSING).any():
            raise genzoo.Unsupported("this chain only scores complete rows")
        before = np.pad(rows, ((0, 0), (1, 0)))[:, :-1]
        terms = self.log_table_[np.arange(self.schema_.D), before, rows]
        return genzoo.LogProb.exact(np.where(self.schema_.reached(rows), terms, 0).sum(axis=1))

    def _state(self):
        return {"log_table": self.log_table_}

    def _restore(self, arrays):
        self.log_table_ = arrays["log_table"]


if __name__ == "__main__":
    results = genzoo.check_model(Markov())
    print(f"{len(results)} checks passed")

    run = genzoo.compare(
        models={"independent": genzoo.Independent(), "markov": Markov()},
        datasets=["casino", "names"],
        seeds=1,
        out="runs/add_a_family",
    )
    columns = ["model", "dataset", "status", "test_log_prob", "bits_per_dim"]
    print(run.table()[columns].to_string(index=False))
