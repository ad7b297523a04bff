"""Independent variables: the baseline, and the template for a new family.

    p(x) = prod_d p_d(x_d)

Each p_d is estimated from the number of training rows in which variable d has each value, and
smoothed as these rows, each left out in turn, would have it (``space/marginals.py``): a value never
seen has mass, and what depends on nothing is described as well as any family can. In strings with
END a position is counted only in the rows that reach it, and a row's product stops at its first
END.

Training rows may have ``MISSING`` entries, held for missing at random. An entry tells nothing of
another here, so the observed entries of a variable are all there is to count, and counting them is
maximum likelihood. It is consistent where the variable's holes come at random or depend on
variables that it is independent of, as they all are under this model; what is observed of a
variable that depends on the cause of its holes is a biased sample, and this family can't tell.

In strings with END a hole may hide where the string ended: somewhere between its last observed
symbol and its first observed END. The share that ends at each position is found by EM (Turnbull
1976, for event times known up to an interval), the shares of the symbols among themselves by
counting the observed ones; together they maximise the likelihood.

Turnbull (1976), The empirical distribution function with arbitrarily grouped, censored and
truncated data, J. R. Stat. Soc. B 38.

A model that can't beat this one has learned no dependence at all.
"""

from __future__ import annotations

import numpy as np

from genzoo.fitting import Fit
from genzoo.model import GenerativeModel
from genzoo.parameters import Interval
from genzoo.seeding import numpy_rng
from genzoo.space.coarsen import marks
from genzoo.space.marginals import smoothed
from genzoo.space.schema import MISSING
from genzoo.values import LogProb

LEAST = 1e-9  # a pseudo-count, so that what no row tells of is shared out evenly
MOST_ITERATIONS = 1000  # of EM
TOLERANCE = 1e-8  # strings, as a share of all, that an iteration of EM moves at its end


class Independent(GenerativeModel):
    """A product of smoothed marginals; every query is exact.

    Args:
        pseudo_count: what is added to each count, p_d(v) = (n_dv + a) / (n_d + a M_d); positive.
            None smooths each variable as its own training rows ask for.

    ``fit`` takes rows with ``MISSING`` entries (code -1) and holds them for missing at random.
    """

    parameters = {"pseudo_count": Interval(float, 0, closed="neither", optional=True)}
    selects = False
    fits_missing = True

    def __init__(self, *, pseudo_count: float | None = None) -> None:
        self.pseudo_count = pseudo_count

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        cards = self.schema_.cards
        legal = np.arange(cards.max()) < cards[:, None]  # (D, M)
        a = 0.0 if self.pseudo_count is None else self.pseudo_count
        counts = np.where(legal, a, 0.0)
        i, d = np.nonzero(self.schema_.reached(rows) & (rows != MISSING))
        np.add.at(counts, (d, rows[i, d]), 1.0)
        if self.schema_.end is not None and (rows == MISSING).any():
            counts = _around_ends(counts, rows, self.schema_.end, a)
        if self.pseudo_count is None:
            for own, variable in zip(counts, self.schema_.variables, strict=True):
                own[: variable.cardinality] = smoothed(own[: variable.cardinality], variable)
        with np.errstate(divide="ignore"):
            self.log_table_ = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))  # (D, M)
        fit.did("steps")
        fit.report(1.0, "counted")

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


def _around_ends(counts: np.ndarray, rows: np.ndarray, end: int, a: float) -> np.ndarray:
    """Counts as if it were known in which strings a position is reached, and where they end.

    Args:
        counts: (D, M) of the observed symbols, with the pseudo-count ``a`` in each cell.
        rows: (n, D) with ``MISSING`` entries.
        end: the code of END.
        a: the pseudo-count.

    Returns:
        (D, M) the observed symbols scaled to the expected number of strings that go on at each
        position, and at END the expected number of strings that stop there.
    """
    n, D = rows.shape
    a, counts = max(a, LEAST), np.maximum(counts, LEAST)
    place = np.arange(D)
    symbol = (rows != MISSING) & (rows != end)
    first = np.where(symbol, place + 1, 0).max(axis=1)  # where a string may end at the earliest
    last = np.where(rows == end, place, D).min(axis=1)  # D: after the last position, without END
    windows = np.zeros((D + 1, D + 1))
    np.add.at(windows, (first, last), 1.0)
    certain = np.diag(windows).copy()
    np.fill_diagonal(windows, 0.0)
    others = a * (counts.shape[1] - 1)
    # from both ends of the windows, so that none begins without mass
    stops = certain + (windows.sum(axis=0) + windows.sum(axis=1)) / 2
    for _ in range(MOST_ITERATIONS):
        reached = np.cumsum(stops[::-1])[::-1]
        hazard = (stops[:D] + a) / (reached[:D] + a + others)
        survival = np.append(1.0, np.cumprod(1 - hazard))  # (D + 1,) before each position
        mass = survival * np.append(hazard, 1.0)  # of ending there; the last one, of never ending
        within = np.cumsum(mass)[None, :] - np.append(0.0, np.cumsum(mass)[:-1])[:, None]
        weight = np.divide(windows, within, where=windows > 0, out=np.zeros_like(windows))
        covering = np.cumsum(np.cumsum(weight, axis=0)[:, ::-1], axis=1)[:, ::-1]
        before, stops = stops, certain + mass * np.diag(covering)
        if np.abs(stops - before).max() < TOLERANCE * n:
            break
    go_on = np.cumsum(stops[::-1])[::-1][1:]  # (D,) strings with a symbol at each position
    seen = np.delete(counts, end, axis=1).sum(axis=1)  # with the pseudo-counts
    scale = np.divide(go_on + others, seen, where=seen > 0, out=np.ones(D))
    filled = counts * scale[:, None]
    filled[:, end] = stops[:D] + a
    return filled


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
