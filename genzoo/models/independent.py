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
from genzoo.coarsen import marks
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
        end, table = self.schema_.end, self.log_table_
        if given is not None:
            table = self._without_the_mark()
        if given is not None and end is not None:
            rng = numpy_rng(seed, "independent", "given")
            rows = self._strings_around(given, table, rng)
        else:
            rows = _draw(table, n, numpy_rng(seed, "independent"))
        if given is not None:
            rows = np.where(given == MISSING, rows, given)
        return rows if end is None else np.where(self.schema_.reached(rows), rows, end)

    def _without_the_mark(self) -> np.ndarray:
        """(D, M) log mass of the codes that may be filled in, not normalised."""
        table, mark = self.log_table_.copy(), marks(self.schema_)
        has_one = np.flatnonzero(mark >= 0)
        table[has_one, mark[has_one]] = -np.inf
        return table

    def _strings_around(
        self, given: np.ndarray, table: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Position by position, each choice weighed by how likely the rest of ``given`` is then.

        ``table`` (D, M) is the log mass of what may be filled in.
        """
        end = self.schema_.end
        assert end is not None
        n, D = given.shape
        log_go_on = np.logaddexp.reduce(np.delete(table, end, axis=1), axis=1, initial=-np.inf)
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
                symbol,
                self.log_table_[d, seen] + rest[:, d + 1],
                np.where(seen == end, stop, either),
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


def _draw(table: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, D) codes, each variable by its log mass in ``table`` (D, M)."""
    uniform = rng.random((n, len(table)))
    rows = np.empty((n, len(table)), dtype=np.int64)
    for d, log_mass in enumerate(table):
        cumulative = np.cumsum(np.exp(log_mass))
        # below the total also after rounding, so that a code without mass is never drawn
        level = np.minimum(uniform[:, d] * cumulative[-1], np.nextafter(cumulative[-1], 0))
        rows[:, d] = np.searchsorted(cumulative, level, side="right")
    return rows
