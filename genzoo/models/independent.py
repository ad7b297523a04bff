"""Independent variables: the baseline, and the template for a new family.

    p(x) = prod_d p_d(x_d)

Each p_d is estimated from the number of training rows in which variable d has each value, and
smoothed as these rows, each left out in turn, would have it (``space/marginals.py``): a value never
seen has mass, and what depends on nothing is described as well as any family can. In strings with
END a row's product stops at its first END, which a hole may hide (``shared/stopping.py``).

Training rows may have ``MISSING`` entries, held for missing at random: the observed entries of a
variable are all there is to count, and counting them is maximum likelihood. It is consistent where
holes depend only on variables that their own is independent of, as they all are under this model.

A model that can't beat this one has learned no dependence at all.
"""

from __future__ import annotations

import numpy as np

from genzoo import draws
from genzoo.fitting import Fit
from genzoo.model import GenerativeModel
from genzoo.models.shared import stopping
from genzoo.parameters import Interval
from genzoo.seeding import numpy_rng
from genzoo.space import strings
from genzoo.space.blocks import blocks
from genzoo.space.coarsen import marks
from genzoo.space.marginals import smoothed_all
from genzoo.space.schema import MISSING
from genzoo.values import LogProb

STRENGTHS = 2.0 ** np.arange(0, 24)  # of what was learned before, in rows


class Independent(GenerativeModel):
    """A product of smoothed marginals; every query is exact.

    Args:
        pseudo_count: what is added to each count, p_d(v) = (n_dv + a) / (n_d + a M_d); positive.
            None smooths each variable as its own training rows ask for.

    ``fit`` takes rows with ``MISSING`` entries (code -1) and holds them for missing at random. With
    ``warm_start`` the earlier masses are the mean of a Dirichlet prior, as strong as makes the new
    rows likeliest (empirical Bayes: Minka 2000, Estimating a Dirichlet distribution);
    ``pseudo_count`` has no part in that.

    >>> model = Independent(pseudo_count=1.0).fit(["ab", "a", "abb"])
    >>> float(np.exp(model.log_prob(["ab"]).value[0]).round(3))
    0.133
    """

    parameters = {"pseudo_count": Interval(float, 0, closed="neither", optional=True)}
    selects = False
    fits_missing = True
    warm_starts = True

    log_table_: np.ndarray

    def __init__(self, *, pseudo_count: float | None = None) -> None:
        self.pseudo_count = pseudo_count

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        cards, end = self.schema_.cards, self.schema_.end
        earlier: Independent | None = fit.earlier
        a = 0.0 if earlier is not None else self.pseudo_count or 0.0
        counts = np.where(np.arange(cards.max()) < cards[:, None], a, 0.0)  # (D, M)
        for part in blocks(len(rows), self.schema_.D):
            block = rows[part]
            i, d = np.nonzero(self.schema_.reached(block) & (block != MISSING))
            np.add.at(counts, (d, block[i, d]), 1.0)
        if end is not None and (rows == MISSING).any():
            counts = stopping.filled_counts(counts, rows, end, a)
        if earlier is not None:
            prior = np.exp(earlier.log_table_)
            counts += _strength(counts, prior) * prior
        elif self.pseudo_count is None:
            own = [row[:card] for row, card in zip(counts, cards.tolist(), strict=True)]
            for part, masses in zip(own, smoothed_all(own, self.schema_.variables), strict=True):
                part[:] = masses
        with np.errstate(divide="ignore"):
            self.log_table_ = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
        fit.did("steps")
        fit.report(1.0, "counted")

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        end, log_table = self.schema_.end, self.log_table_
        if given is not None:  # what is filled in is never the missing mark
            mark = marks(self.schema_)
            barred = (np.arange(log_table.shape[1]) == mark[:, None]) & (mark[:, None] >= 0)
            log_table = np.where(barred, -np.inf, log_table)
            if end is not None:
                rng = numpy_rng(seed, "independent", "given")
                return stopping.completed(given, log_table, end, rng)
        rng, masses = numpy_rng(seed, "independent"), np.exp(log_table)
        rows = np.full((n, self.schema_.D), 0 if end is None else end)
        for part in blocks(n, self.schema_.D):
            uniform, ended = rng.random(rows[part].shape), np.zeros(len(rows[part]), dtype=bool)
            for column, own, level in zip(rows[part].T, masses, uniform.T, strict=True):
                column[:] = draws.located(own, level)
                ended |= column == end
                if ended.all():
                    break
        return strings.settled(rows if given is None else np.where(given < 0, rows, given), end)

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        if self.schema_.end is not None:
            return LogProb.exact(stopping.log_prob(self.log_table_, rows, self.schema_.end))
        log_mass = np.empty(len(rows))
        for part in blocks(len(rows), self.schema_.D):
            terms = self.log_table_[np.arange(self.schema_.D), rows[part]]
            log_mass[part] = np.where(rows[part] == MISSING, 0.0, terms).sum(axis=1)
        return LogProb.exact(log_mass)

    def _log_prob_each(self, rows: np.ndarray, d: int, *, seed: int) -> np.ndarray:
        if self.schema_.end is not None:
            return super()._log_prob_each(rows, d, seed=seed)
        rest = rows.copy()
        rest[:, d] = MISSING
        own = self.log_table_[d, : self.schema_.cards[d]]
        return self._log_prob(rest, seed=seed).value[:, None] + own

    def _state(self) -> dict[str, np.ndarray]:
        return {"log_table": self.log_table_}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.log_table_ = arrays["log_table"]

    @property
    def n_parameters_(self) -> int:
        """One number a value, less one a variable."""
        return int((self.schema_.cards - 1).sum())


def _strength(counts: np.ndarray, prior: np.ndarray) -> float:
    """The strength a of priors Dirichlet(a prior_d), in rows, under which counts (D, M) are
    likeliest.

    >>> prior = np.array([[0.5, 0.5]])
    >>> _strength(np.array([[50.0, 50.0]]), prior) > _strength(np.array([[99.0, 1.0]]), prior)
    True
    """
    from scipy.special import gammaln

    legal = prior > 0
    n = counts.sum(axis=1)

    def evidence(a: float) -> float:
        terms = gammaln(a * prior[legal] + counts[legal]) - gammaln(a * prior[legal])
        return float(terms.sum() + (gammaln(a) - gammaln(a + n)).sum())

    return float(max(STRENGTHS, key=evidence))
