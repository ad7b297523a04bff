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

from typing import Any, ClassVar

import numpy as np

from genzoo import draws
from genzoo.fitting import Fit
from genzoo.model import GenerativeModel
from genzoo.models.mixture.events import Space, Told
from genzoo.models.mixture.products import Products
from genzoo.models.mixture.search import Limits, Search, Settings
from genzoo.models.shared import stopping
from genzoo.parameters import Interval
from genzoo.seeding import numpy_rng
from genzoo.space.coarsen import Coarsening, default_bins
from genzoo.space.schema import MISSING
from genzoo.values import LogProb

BLOCK = 1 << 22  # numbers in the arrays of a block of rows that are drawn or scored


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
        limits: what a search may take, a ``Limits`` of ``search.py``.

    ``training_`` counts EM iterations over all starts as steps; its curve is that of the first
    start, and its last point the union's. ``train`` is the likelihood before a step's update.

    >>> model = Mixture(n_components=2, n_restarts=1).fit(["abab", "baba"] * 9, budget="9 steps")
    >>> model.responsibilities(["abab"]).round().sum(axis=1)
    array([1.])
    """

    parameters = {
        "n_components": Interval(int, 1, optional=True),
        "pseudo_count": Interval(float, 0, closed="neither", optional=True),
        "n_restarts": Interval(int, 1),
    }
    fits_missing = True
    limits: ClassVar[Limits] = Limits()

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

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        assert valid is not None  # the class selects
        self.coarsening_ = Coarsening.fit(self.schema_, rows, default_bins(len(rows)))
        n_codes = int(self._space.first[-1])
        if self.n_components is not None and self.n_components * n_codes > self.limits.numbers:
            raise ValueError(
                f"n_components: expected at most {self.limits.numbers // n_codes} for variables "
                f"with {n_codes} codes in all; got {self.n_components}"
            )
        told, held_out = (
            Told.distinct(self._space, self.coarsening_.to_bins(x)) for x in (rows, valid)
        )
        settings = Settings(self.n_components, self.pseudo_count, self.n_restarts, self.limits)
        self.products_ = Search(told, held_out, settings, fit).run()
        fit.training.curve = self.coarsening_.curve_of_codes(fit.training.curve, rows, valid)

    @property
    def _space(self) -> Space:
        end = self.schema_.end
        ends = np.full(self.schema_.D, -1 if end is None else end)
        barred = self.coarsening_.marks(self.schema_) if end is None else ends
        return Space(self.coarsening_.cards, end, barred)

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        size = max(1, BLOCK // self.schema_.D)
        parts = [self._log_mass(rows[i : i + size]) for i in range(0, len(rows), size)]
        return LogProb.exact(np.concatenate([np.empty(0), *parts]))

    def _log_mass(self, rows: np.ndarray) -> np.ndarray:
        told = Told.of(self._space, self.coarsening_.to_bins(rows))
        return self.products_.log_prob(told) + self.coarsening_.log_shares(rows)

    def _log_prob_each(self, rows: np.ndarray, d: int, *, seed: int) -> np.ndarray:
        space = self._space
        if space.end is not None:
            return super()._log_prob_each(rows, d, seed=seed)
        own = self.products_.theta[space.first[d] : space.first[d + 1]]

        def of_bins(bins: np.ndarray, d: int) -> np.ndarray:
            return self.products_.log_prob_each(Told.of(space, bins), own)

        return self.coarsening_.log_prob_each(rows, d, of_bins)

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        rng = numpy_rng(seed, "mixture", "sample")
        space = self._space
        open_ = np.full(space.D, MISSING)
        row = self.n_components_ if given is not None else 0
        if given is not None and space.end is not None:
            row += int(space.first[-1])
        size = max(1, BLOCK // (row + space.D))
        rows = np.empty((n, space.D), dtype=np.int64)
        for i in range(0, n, size):
            part = slice(i, min(n, i + size))
            if given is None:
                drawn = self._drawn_bins(np.tile(open_, (part.stop - i, 1)), rng)
                rows[part] = self.coarsening_.to_codes(drawn, rng)
            else:
                drawn = self._completed_bins(self.coarsening_.to_bins(given[part]), rng)
                codes = self.coarsening_.to_codes(drawn, rng)
                rows[part] = np.where(given[part] == MISSING, codes, given[part])
        return rows

    def _drawn_bins(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``rows`` (n, D) of nothing but ``MISSING``, filled by the components they come from."""
        space, k = self._space, draws.repeated(self.weights_, len(rows), rng)
        running = np.arange(len(rows))  # a string's other variables stay behind its first END
        for d in range(space.D):
            rows[running, d] = self._picked(d, k[running], rng)
            if space.end is not None:
                running = running[rows[running, d] != space.end]
                if len(running) == 0:
                    break
        return rows if space.end is None else np.where(rows == MISSING, space.end, rows)

    def _completed_bins(self, bins: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(n, D) bins with what is ``MISSING`` drawn, never as a mark."""
        space, theta = self._space, self.products_.theta
        joint = self.products_.joint(Told.of(space, bins, filling=True))
        k = draws.gumbel_argmax(joint, rng)
        if space.end is not None:  # one alphabet
            with np.errstate(divide="ignore"):
                log_mass = np.log(theta).reshape(space.D, -1, self.n_components_)
            return stopping.completed(bins, log_mass[:, :, k].transpose(2, 0, 1), space.end, rng)
        rows = bins.copy()
        for d in range(space.D):
            open_ = rows[:, d] == MISSING
            rows[open_, d] = self._picked(d, k[open_], rng, int(space.barred[d]))
        return rows

    def _picked(
        self, d: int, k: np.ndarray, rng: np.random.Generator, barred: int = -1
    ) -> np.ndarray:
        """(n,) bins of variable d, each by its own component of k (n,), and none the barred one."""
        first, end = self._space.first[d : d + 2]
        masses = self.products_.theta[first:end].T.copy()  # (K, M)
        if barred >= 0:
            masses[:, barred] = 0.0
            masses /= masses.sum(axis=1, keepdims=True)  # what is left may be little
        return draws.of_rows(masses, k, rng)

    def responsibilities(self, data: Any) -> np.ndarray:
        """(n, K) p(k | the observed entries of a row), the posterior of the components.

        Args:
            data: as in ``log_prob``; ``MISSING`` entries are summed out.
        """
        self._check_fitted("responsibilities")
        rows = self._read_rows(data)
        joint = self.products_.joint(Told.of(self._space, self.coarsening_.to_bins(rows)))
        return np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))

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
