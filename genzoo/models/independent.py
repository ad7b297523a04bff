"""Independent variables: the baseline, and the template for a new family.

    p(x) = prod_d p_d(x_d),    p_d(v) = (n_dv + a) / (n_d + a M_d)

with n_dv the number of training rows in which variable d has value v, M_d its cardinality and a the
pseudo-count, so that a value never seen still has mass. In strings with END a position is counted
only in the rows that reach it, and a row's product stops at its first END.

A model that can't beat this one has learned no dependence at all.
"""

from __future__ import annotations

import numpy as np

from genzoo.budget import Budget, Training
from genzoo.model import GenerativeModel, LogProb, Progress
from genzoo.schema import MISSING
from genzoo.seeding import numpy_rng


class Independent(GenerativeModel):
    """A product of smoothed marginals; every query is exact.

    Args:
        pseudo_count: what is added to each count; positive.
    """

    selects = False

    def __init__(self, *, pseudo_count: float = 1.0) -> None:
        self.pseudo_count = pseudo_count

    def _check_params(self) -> None:
        if not (isinstance(self.pseudo_count, (int, float)) and 0 < self.pseudo_count < np.inf):
            raise ValueError(f"pseudo_count: expected a positive number; got {self.pseudo_count!r}")

    def _fit(
        self,
        rows: np.ndarray,
        valid: np.ndarray | None,
        *,
        seed: int,
        budget: Budget,
        progress: Progress,
    ) -> Training:
        cards = self.schema_.cards
        legal = np.arange(cards.max()) < cards[:, None]  # (D, M)
        counts = np.where(legal, self.pseudo_count, 0.0)
        i, d = np.nonzero(self.schema_.reached(rows))
        np.add.at(counts, (d, rows[i, d]), 1.0)
        with np.errstate(divide="ignore"):
            self.log_table_ = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))  # (D, M)
        progress(1.0, "counted")
        return Training(steps=1)

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        cumulative = np.cumsum(np.exp(self.log_table_), axis=1)  # (D, M)
        uniform = numpy_rng(seed, "independent").random((n, self.schema_.D, 1))
        # a uniform above the last sum (rounding) must not fall off the variable's own codes
        rows = np.minimum((uniform >= cumulative).sum(axis=2), self.schema_.cards - 1)
        end = self.schema_.end
        if given is not None:
            if end is not None:
                rows = self._strings_around(given, numpy_rng(seed, "independent", "given"))
            rows = np.where(given == MISSING, rows, given)
        return rows if end is None else np.where(self.schema_.reached(rows), rows, end)

    def _strings_around(self, given: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Position by position, each choice weighed by how likely the rest of ``given`` is then."""
        end, table = self.schema_.end, self.log_table_
        n, D = given.shape
        log_go_on = np.log1p(-np.exp(table[:, end]))
        rest = np.zeros(
            (n, D + 1)
        )  # log mass of the observed entries from d on, still running at d
        may_end = np.ones((n, D + 1), dtype=bool)  # no symbol is observed from d on
        for d in reversed(range(D)):
            seen = given[:, d]
            symbol = (seen != MISSING) & (seen != end)
            stop = np.where(may_end[:, d + 1], table[d, end], -np.inf)
            either = np.logaddexp(stop, log_go_on[d] + rest[:, d + 1])
            rest[:, d] = np.where(
                symbol, table[d, seen] + rest[:, d + 1], np.where(seen == end, stop, either)
            )
            may_end[:, d] = may_end[:, d + 1] & ~symbol
        gumbel = -np.log(-np.log(rng.random((n, D, table.shape[1]))))
        scores = table + rest[:, 1:, None]  # (n, D, M)
        scores[..., end] = np.where(may_end[:, 1:], table[:, end], -np.inf)
        return (scores + gumbel).argmax(axis=2)

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        end = self.schema_.end
        terms = self.log_table_[np.arange(self.schema_.D), rows]  # (n, D)
        if end is None:
            return LogProb.exact(np.where(rows == MISSING, 0.0, terms).sum(axis=1))
        # log mass of "still running" and "ended" after each position; MISSING sums over both
        running, ended = np.zeros(len(rows)), np.full(len(rows), -np.inf)
        for d in range(self.schema_.D):
            seen = rows[:, d]
            stop = self.log_table_[d, end]
            go_on = np.log1p(-np.exp(stop))
            with np.errstate(invalid="ignore"):
                may_end = np.logaddexp(ended, running + stop)
            symbol = (seen != MISSING) & (seen != end)
            ended = np.where(symbol, -np.inf, may_end)
            running = np.where(
                symbol, running + terms[:, d], np.where(seen == end, -np.inf, running + go_on)
            )
        return LogProb.exact(np.logaddexp(running, ended))

    def _state(self) -> dict[str, np.ndarray]:
        return {"log_table": self.log_table_}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.log_table_ = arrays["log_table"]

    @property
    def n_parameters_(self) -> int:
        """One number a value, less one a variable."""
        return int((self.schema_.cards - 1).sum())
