"""Mixtures of products, also called latent class models: K kinds of row, each with its own table.

    p(x) = sum_k pi_k prod_d theta_kd[x_d]

Given its hidden class k a row's variables are independent (Lazarsfeld & Henry 1968). The likelihood
is one matrix product, and every marginal and every conditional is exact: what is ``MISSING`` has
the factor 1, and the posterior of k given the observed entries says how to draw the others. It
needs no order of the variables and no neighbourhood, so tables, sequences and images are alike.

In strings that end, a component's product stops at its first END. With a hole before END, the
component's product sums over where the string may have ended.

Entries that are ``MISSING`` in the rows of a fit are summed out in EM's E-step, which is maximum
likelihood where they are missing at random: whether an entry is missing may depend on the observed
entries of its row, but not on what it hides. Numbers with many levels are modelled in bins, and
each bin's mass is spread over its values (``space/coarsen.py``).

Learning is EM in mixtures that grow from one product. Validation says how far, how strong the prior
is that draws each component towards what it was split from, and how many starts are united
(``search.py``). With thousands of components a mixture comes close to what deep
tractable models reach on tables, and far beyond the few dozen with which it is usually compared.

References:
    Lazarsfeld & Henry 1968, Latent structure analysis.
    Dempster, Laird & Rubin 1977, Maximum likelihood from incomplete data via the EM algorithm,
        J. R. Stat. Soc. B 39.
    Lowd & Domingos 2005, Naive Bayes models for probability estimation, ICML.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from genzoo.fitting import Fit
from genzoo.model import GenerativeModel
from genzoo.models.mixture.events import Space, Told
from genzoo.models.mixture.products import Products
from genzoo.models.mixture.search import MOST_NUMBERS, Search
from genzoo.parameters import check_integer
from genzoo.seeding import numpy_rng
from genzoo.space.coarsen import Coarsening
from genzoo.space.schema import MISSING
from genzoo.values import LogProb

FEWEST_ROWS_PER_BIN = 40
FEWEST_BINS = 8
MOST_BINS = 32
BLOCK = 1 << 22  # numbers in the arrays of a block of rows that are drawn


class Mixture(GenerativeModel):
    """A mixture of products, learned by EM; every query is exact.

    Args:
        n_components: K; None grows 1, 4, 16, .. as far as validation rows gain by it, and then
            unites the mixtures of several starts where that gains too.
        pseudo_count: weight of the prior in each component, in rows; None selects it on
            validation rows from 1, 4, 16, 64, 256.
        n_restarts: random starts at the chosen weight. With ``n_components`` given the best by
            validation is kept, else they are united.

    ``fit`` takes rows with ``MISSING`` entries (code -1) and holds them for missing at random.

    Attributes:
        n_components_: K.
        weights_: (K,) pi.

    ``training_`` counts EM iterations over all starts as steps; its curve is that of the first
    start, and its last point the union's. ``train`` is the likelihood before a step's update.
    """

    fits_missing = True

    def __init__(
        self,
        *,
        n_components: int | None = None,
        pseudo_count: float | None = None,
        n_restarts: int = 8,
    ) -> None:
        self.n_components = n_components
        self.pseudo_count = pseudo_count
        self.n_restarts = n_restarts

    def _check_params(self) -> None:
        check_integer("n_components", self.n_components, optional=True)
        check_integer("n_restarts", self.n_restarts)
        count = self.pseudo_count
        if count is not None and not (isinstance(count, (int, float)) and 0 < count < np.inf):
            raise ValueError(f"pseudo_count: expected a positive number or None; got {count!r}")

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        seed, budget, progress = fit.seed, fit.budget, fit.report
        began = time.perf_counter()
        assert valid is not None
        bins = int(np.clip(len(rows) // FEWEST_ROWS_PER_BIN, FEWEST_BINS, MOST_BINS))
        self.coarsening_ = Coarsening.fit(self.schema_, rows, bins)
        told, held_out = (
            Told.distinct(self._space, self.coarsening_.to_bins(x)) for x in (rows, valid)
        )
        n_codes = int(self._space.first[-1])
        if self.n_components is not None and self.n_components * n_codes > MOST_NUMBERS:
            raise ValueError(
                f"n_components: expected at most {MOST_NUMBERS // n_codes} for variables with "
                f"{n_codes} codes in all; got {self.n_components}"
            )
        search = Search(
            told, held_out, seed=seed, began=began, budget=budget, progress=progress
        )  # fmt: skip
        self.products_, training = search.run(self.n_components, self.pseudo_count, self.n_restarts)
        # the search sees bins; a curve in nats per row counts the codes inside them too
        of_train, of_valid = (float(self.coarsening_.log_shares(x).mean()) for x in (rows, valid))
        training.curve = [
            replace(
                point,
                train=None if point.train is None else point.train + of_train,
                valid=None if point.valid is None else point.valid + of_valid,
            )
            for point in training.curve
        ]
        fit.training = training

    @property
    def _space(self) -> Space:
        end = self.schema_.end
        ends = np.full(self.schema_.D, -1 if end is None else end)
        barred = self.coarsening_.marks(self.schema_) if end is None else ends
        return Space(self.coarsening_.cards, end, barred)

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        told = Told.of(self._space, self.coarsening_.to_bins(rows))
        return LogProb.exact(self.products_.log_prob(told) + self.coarsening_.log_shares(rows))

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        rng = numpy_rng(seed, "mixture", "sample")
        open_ = np.full((n, self.schema_.D), MISSING)
        bins = open_ if given is None else self.coarsening_.to_bins(given)
        size = max(1, BLOCK // (self.n_components_ + self.schema_.D))
        parts = [
            self._completed_bins(bins[i : i + size], given is not None, rng)
            for i in range(0, n, size)
        ]
        rows = self.coarsening_.to_codes(np.concatenate(parts), rng)
        return rows if given is None else np.where(given == MISSING, rows, given)

    def _completed_bins(
        self, bins: np.ndarray, filling: bool, rng: np.random.Generator
    ) -> np.ndarray:
        """(n, D) bins with what is ``MISSING`` drawn; while filling in, never as a mark."""
        space, theta = self._space, self.products_.theta
        if filling:
            joint = self.products_.joint(Told.of(space, bins, filling=True))
            k = (joint - np.log(-np.log(rng.random(joint.shape)))).argmax(axis=1)
        else:
            k = rng.choice(self.n_components_, len(bins), p=self.weights_)
        rows = bins.copy()
        if space.end is not None:
            earliest, latest = space.ends_between(bins)
            ended = np.zeros(len(bins), dtype=bool)
        for d in range(space.D):
            open_ = rows[:, d] == MISSING
            masses = theta[space.first[d] : space.first[d + 1]][:, k].T  # (n, M)
            if space.end is None:
                if filling and space.barred[d] >= 0:
                    masses[:, space.barred[d]] = 0.0
                rows[open_, d] = _draw(masses[open_], rng)
                continue
            stop = masses[:, space.end] / np.maximum(
                space.ends_within(theta, k, d, latest), np.finfo(float).tiny
            )
            stops = (d >= earliest) & (rng.random(len(rows)) < stop) & open_
            masses[:, space.end] = 0.0
            masses[masses.sum(axis=1) == 0, space.end] = 1.0  # an alphabet of END alone
            rows[open_, d] = _draw(masses[open_], rng)
            ended |= stops | (rows[:, d] == space.end)
            rows[ended, d] = space.end
        return rows

    def responsibilities(self, data: Any) -> np.ndarray:
        """(n, K) p(k | the observed entries of a row), the posterior of the components.

        Args:
            data: as in ``log_prob``; ``MISSING`` entries are summed out.
        """
        self._check_fitted("responsibilities")
        rows = self._read_rows(data)
        joint = self.products_.joint(Told.of(self._space, self.coarsening_.to_bins(rows)))
        shares = np.exp(joint - joint.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    @property
    def n_components_(self) -> int:
        return self.products_.K

    @property
    def weights_(self) -> np.ndarray:
        weights = np.exp(self.products_.log_weights)
        return weights / weights.sum()

    def _state(self) -> dict[str, np.ndarray]:
        return {
            **self.coarsening_.state(),
            "log_weights": self.products_.log_weights,
            "theta": self.products_.theta,
        }

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.coarsening_ = Coarsening.from_state(arrays)
        self.products_ = Products(arrays["log_weights"], arrays["theta"])

    @property
    def n_parameters_(self) -> int:
        """Free probabilities of the components, their weights, and the shares within bins."""
        each = int((self.coarsening_.cards - 1).sum())
        return self.n_components_ * (each + 1) - 1 + self.coarsening_.n_parameters


def _draw(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) an index per row of ``weights`` (n, M), with probability proportional to it."""
    cumulative = np.cumsum(weights, axis=1)
    # below the total also after rounding, so that an index of weight 0 is never drawn
    level = np.minimum(
        rng.random(len(weights)) * cumulative[:, -1], np.nextafter(cumulative[:, -1], 0)
    )
    return (level[:, None] >= cumulative).sum(axis=1)
