"""What the families with a Gaussian latent variable share: bounds, queries, certificates.

A family offers p(x | z) and a proposal q(z | x); everything here follows from the two. Which
estimator bounds the likelihood is decided once for each fitted model, on validation rows, and then
holds for every row: choosing for each row the larger of two estimates would be no bound.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from genzoo.model import GenerativeModel
from genzoo.models.neural.annealing import Annealing, annealed_bound, reverse_bound
from genzoo.models.neural.heads import VALUE, Heads
from genzoo.models.neural.importance import (
    Bound,
    Propose,
    default_draws,
    importance_bound,
    posterior_draws,
    refined,
)
from genzoo.parameters import check_integer
from genzoo.seeding import check_seed, derive, numpy_rng, torch_generator
from genzoo.space.schema import MISSING
from genzoo.values import Gap, LogProb

ESTIMATORS = ("auto", "elbo", "iwae", "ais")
STARTS = ("proposal", "prior")
FEWEST_EFFECTIVE = 16  # draws; below this, importance sampling is not to be trusted
FEWEST_CANDIDATES = 8  # effective ones behind a completion; below this a warning is issued
DECISION_ROWS = 64
# ``auto`` anneals only where as many rows as the validation part has would take at most so many
# floats through the decoder: some minutes on one core. A row costs 6,000 gradients by default.
ANNEALED_NUMBERS = 2e10
GAP_ROWS, FEWER_GAP_ROWS, WIDE = 50, 20, 4096
CHUNK_NUMBERS = 2**22  # floats of the decoder's in one batch of samples


class LatentFamily(GenerativeModel):
    """A family with z ~ N(0, I) and variables independent given z.

    Subclasses have the constructor arguments below, and write ``_proposal``, ``_log_likelihood``,
    ``_log_table``, ``_draw_rows``, ``_latents``, ``_width``, ``_heads`` and ``_device``.

    Estimator settings, which ``set_params`` may change after ``fit``:
        estimator: ``"iwae"`` (importance-weighted bound), ``"elbo"``, ``"ais"`` (annealed
            importance sampling) or ``"auto"`` (decided when fitted; see ``estimator_``).
        n_importance: K, draws a row for iwae and elbo; None: 64 to 256, fewer for wide rows.
        n_temperatures, n_chains: T and C of ais.
        ais_start: of the annealing, ``"proposal"`` or ``"prior"``.
    """

    estimator: str
    n_importance: int | None
    n_temperatures: int
    n_chains: int
    ais_start: str
    decided_: str

    def _check_estimator(self) -> None:
        check_integer("n_importance", self.n_importance, least=2, optional=True)
        check_integer("n_temperatures", self.n_temperatures)
        check_integer("n_chains", self.n_chains, least=2)
        for name, known in (("estimator", ESTIMATORS), ("ais_start", STARTS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name}: expected one of {', '.join(known)}; got {getattr(self, name)!r}"
                )

    # ---------------------------------------------------------------- what a subclass writes

    def _proposal(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation (B, Z) for codes x (B, D), ``MISSING`` in places."""
        raise NotImplementedError

    def _log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        """log p(x | z) in nats; what is ``MISSING`` is summed out."""
        raise NotImplementedError

    def _log_table(self, z: Tensor) -> Tensor:
        """(N, D, M) log mass of every code given z (N, Z)."""
        raise NotImplementedError

    def _draw_rows(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """(N, D) codes from p(x | z)."""
        raise NotImplementedError

    @property
    def _latents(self) -> int:
        """Z."""
        raise NotImplementedError

    @property
    def _width(self) -> int:
        """Floats that one latent occupies on its way through the decoder."""
        raise NotImplementedError

    @property
    def _heads(self) -> Heads:
        raise NotImplementedError

    @property
    def _device(self) -> torch.device:
        raise NotImplementedError

    # ---------------------------------------------------------------- bounds

    @property
    def estimator_(self) -> str:
        """The estimator that ``log_prob`` uses: ``"iwae"``, ``"elbo"`` or ``"ais"``."""
        return self.decided_ if self.estimator == "auto" else self.estimator

    @property
    def n_importance_(self) -> int:
        """K, the draws a row of iwae and elbo."""
        return default_draws(self._width) if self.n_importance is None else int(self.n_importance)

    def _decide(self, valid: np.ndarray, seed: int, n: int) -> str:
        """Settle what ``"auto"`` is, on validation rows with draws of their own; a remark on it.

        ``n``: how many rows there will be to score, about.
        """
        chosen = numpy_rng(seed, "estimator").permutation(len(valid))[:DECISION_ROWS]
        self.decided_ = "iwae"
        rows, K = valid[np.sort(chosen)], self.n_importance_
        found = self._bound(rows, "iwae", seed=derive(seed, "estimator"), K=K)
        effective = float(np.median(found.ess))
        said = f"importance sampling has {effective:.1f} effective draws of {K} on validation rows"
        if effective >= FEWEST_EFFECTIVE:
            return f"log_prob: iwae; {said}"
        if n * self._annealing().gradients * self._width > ANNEALED_NUMBERS:
            return (
                f'log_prob: iwae, and loose; {said}, and annealing (estimator="ais") is slow for '
                f"so many rows of this width"
            )
        self.decided_ = "ais"
        return f"log_prob: ais; {said}, too few to trust"

    def _bound(self, rows: np.ndarray, estimator: str, *, seed: int, K: int | None = None) -> Bound:
        """A lower bound for rows whose patterns of ``MISSING`` are all alike in having any."""
        shared = {
            "propose": self._proposal_for(rows),
            "log_likelihood": self._log_likelihood,
            "seed": seed,
            "width": self._width,
            "device": self._device,
        }
        if estimator == "ais":
            with _bar(f"annealing {len(rows)} rows") as progress:
                return annealed_bound(
                    rows,
                    annealing=self._annealing(),
                    progress=progress,
                    **shared,  # type: ignore[arg-type]
                )
        return importance_bound(rows, K=K or self.n_importance_, estimator=estimator, **shared)  # type: ignore[arg-type]

    def _proposal_for(self, rows: np.ndarray) -> Propose:
        """The encoder has seen complete rows only: with holes it is a start to improve on."""
        if (rows < 0).any():
            return refined(self._proposal, self._log_likelihood)
        return self._proposal

    def _annealing(self) -> Annealing:
        return Annealing(self.n_temperatures, self.n_chains, self.ais_start)

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        n_observed = (rows != MISSING).sum(axis=1)
        estimator = self.estimator_
        value, stderr = np.zeros(len(rows)), np.zeros(len(rows))
        ess = np.full(len(rows), float(self.n_chains if estimator == "ais" else self.n_importance_))
        # with nothing observed the mass is one
        for here in (n_observed == rows.shape[1], (n_observed > 0) & (n_observed < rows.shape[1])):
            if here.any():
                found = self._bound(rows[here], estimator, seed=seed)
                value[here], stderr[here], ess[here] = found.value, found.stderr, found.ess
        return LogProb(value, "lower_bound", stderr, estimator, ess)

    def bidirectional(self, n: int | None = None, *, seed: int = 0) -> Gap:
        """Certify the estimator at this model, by bidirectional Monte Carlo.

        Rows are simulated from the model; the latent behind each is an exact draw from its
        posterior, from which reverse annealing gives an upper bound. The gap holds for rows of the
        model's own, not for test rows.

        Args:
            n: how many rows to simulate, at least 2; None: 50, or 20 where they are wide.
            seed: of the rows and the chains.
        """
        self._check_fitted("bidirectional")
        check_integer("n", n, least=2, optional=True)
        n = n or (GAP_ROWS if self._width <= WIDE else FEWER_GAP_ROWS)
        seed = check_seed(seed)
        generator = torch_generator(seed, "bidirectional", device=self._device)
        with torch.no_grad():
            z = torch.randn((n, self._latents), generator=generator, device=self._device)
            rows = self._draw_rows(z, generator).cpu().numpy()
        lower = self._bound(rows, self.estimator_, seed=derive(seed, "lower"))
        upper = reverse_bound(
            rows,
            z.cpu().numpy(),
            propose=self._proposal_for(rows),
            log_likelihood=self._log_likelihood,
            annealing=self._annealing(),
            seed=derive(seed, "upper"),
            width=self._width,
            device=self._device,
        )
        between = LogProb(upper.value - lower.value, "estimate", upper.stderr).mean()
        return Gap(
            lower.log_prob(self.estimator_).mean(),
            LogProb(upper.value, "estimate", upper.stderr).mean(),
            between.value,
            between.stderr,
            n,
            self.estimator_,
        )

    # ---------------------------------------------------------------- samples and completions

    @torch.no_grad()
    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        generator = torch_generator(seed, "sample", device=self._device)
        size = max(1, CHUNK_NUMBERS // self._width)
        if given is None or (given == MISSING).all():
            z = torch.randn((n, self._latents), generator=generator, device=self._device)
            return np.concatenate(
                [self._draw_rows(part, generator).cpu().numpy() for part in z.split(size)]
            )
        marked = np.array([v.missing and v.n_values > 0 for v in self.schema_.variables])
        queried = np.where((given == MISSING) & marked, VALUE, given)
        found, ess = posterior_draws(
            queried,
            propose=_repeated(self._proposal_for(queried)),
            log_likelihood=self._log_likelihood,
            K=self.n_importance_,
            seed=derive(seed, "posterior"),
            width=self._width,
            device=self._device,
        )
        _warn_of_few(ess)
        heads = self._heads
        size = max(1, CHUNK_NUMBERS // (heads.D * heads.M))
        parts = zip(
            torch.as_tensor(found).to(self._device).split(size),
            torch.as_tensor(queried).to(self._device).split(size),
            strict=True,
        )
        return np.concatenate(
            [heads.completed(self._log_table(a), x, generator).cpu().numpy() for a, x in parts]
        )


@contextlib.contextmanager
def _bar(what: str) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal, gone when done; elsewhere nothing is shown."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda done: bar.update(task, completed=done)


def _repeated(propose: Propose) -> Propose:
    """The same, with equal rows of a batch worked out once."""

    def once(x: Tensor) -> tuple[Tensor, Tensor]:
        distinct, which = torch.unique(x, dim=0, return_inverse=True)
        mean, log_sd = propose(distinct)
        return mean[which], log_sd[which]

    return once


def _warn_of_few(ess: np.ndarray) -> None:
    few = int((ess < FEWEST_CANDIDATES).sum())
    if few:
        warnings.warn(
            f"{few} of {len(ess)} completions were chosen from fewer than {FEWEST_CANDIDATES} "
            f"effective draws (at least {ess.min():.1f}): they may be far from the model's own; "
            f"raise n_importance",
            UserWarning,
            stacklevel=6,  # the caller of ``sample``
        )
