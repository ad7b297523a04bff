"""What the families with a Gaussian latent variable share: bounds, queries, certificates.

A family offers p(x | z) and a proposal q(z | x); everything here follows from the two. Which
estimator bounds the likelihood is decided once for each fitted model, on validation rows, and then
holds for every row: choosing for each row the larger of two estimates would be no bound.
"""

from __future__ import annotations

import abc
import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from genzoo.models.neural.annealing import Annealing, annealed_bound, reverse_bound
from genzoo.models.neural.coders import Proposal
from genzoo.models.neural.family import OnDevice
from genzoo.models.neural.heads import VALUE, Heads
from genzoo.models.neural.importance import (
    CHUNK_FLOATS,
    Bound,
    LatentModel,
    Propose,
    default_draws,
    importance_bound,
    posterior_draws,
    refined,
)
from genzoo.parameters import Interval, Options, check_integer
from genzoo.seeding import check_seed, derive, numpy_rng, torch_generator
from genzoo.space.schema import MISSING
from genzoo.values import Gap, LogProb

FEWEST_CANDIDATES = 8  # effective ones behind a completion; below this a warning is issued
DECISION_ROWS = 64  # that settle the estimator: more are surer, and take longer
# Rows that certify a gap, and how many where a draw takes more floats than this: each takes
# annealing in both directions.
GAP_ROWS, FEWER_GAP_ROWS, WIDE = 50, 20, 4096


@dataclass(frozen=True)
class Limits:
    """Where ``estimator="auto"`` turns from importance sampling to annealing.

    Attributes:
        fewest_effective: draws; below this, importance sampling is not to be trusted.
        most_annealed: floats through the decoder for as many rows as the validation part has: some
            minutes on one core. Beyond, annealing is too slow. A row costs 6,000 gradients by
            default.
    """

    fewest_effective: float = 16
    most_annealed: float = 2e10


class Observation(Protocol):
    """p(x | z), variables independent given z.

    Attributes:
        heads: of the schema that was fitted.
        floats_per_draw: about how many floats one latent occupies on its way through.
    """

    heads: Heads
    floats_per_draw: int

    def row_log_prob(self, z: Tensor, x: Tensor) -> Tensor:
        """(...) log p(x | z) in nats, z (..., Z) and x (..., D); what is ``MISSING`` is summed
        out."""
        ...

    def log_table(self, z: Tensor) -> Tensor:
        """(N, D, M) log mass of every code given z (N, Z)."""
        ...

    def sample(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """(N, D) codes for z (N, Z)."""
        ...


class LatentFamily(OnDevice):
    """A family with z ~ N(0, I) and variables independent given z.

    Subclasses have the ``parameters`` below, which are told in ``VAE``, and what is abstract here,
    and call ``_resolve_estimator`` at the end of ``_fit``.

    Attributes:
        limits: where ``"auto"`` turns from one estimator to the other.
        resolved_estimator_: what ``"auto"`` came to.
    """

    parameters = {
        "estimator": Options("auto", "elbo", "iwae", "ais"),
        "n_importance": Interval(int, 2, optional=True),
        "n_temperatures": Interval(int),
        "n_chains": Interval(int, 2),
        "ais_start": Options("proposal", "prior"),
        **OnDevice.parameters,
    }
    limits = Limits()

    estimator: Literal["auto", "elbo", "iwae", "ais"]
    n_importance: int | None
    n_temperatures: int
    n_chains: int
    ais_start: Literal["proposal", "prior"]
    resolved_estimator_: str

    # ---------------------------------------------------------------- what a subclass writes

    @property
    @abc.abstractmethod
    def _proposal(self) -> Proposal:
        """q(z | x), for codes that are ``MISSING`` in places too."""

    @property
    @abc.abstractmethod
    def _observation(self) -> Observation:
        """p(x | z)."""

    # ---------------------------------------------------------------- what follows from it

    @property
    def _device(self) -> torch.device:
        return self._proposal.blank.device

    def _prior(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, Z) draws from N(0, I)."""
        shape = (n, self._proposal.latent_dim)
        return torch.randn(shape, generator=generator, device=self._device)

    def _latent_model(self, rows: np.ndarray) -> LatentModel:
        """This model for the estimators of ``rows``."""
        propose: Propose = self._proposal
        log_likelihood, floats = self._observation.row_log_prob, self._observation.floats_per_draw
        if (rows < 0).any():
            # the encoder has seen complete rows only: with holes it is a start to improve on
            propose = refined(propose, log_likelihood)
        return LatentModel(propose, log_likelihood, floats, self._device)

    # ---------------------------------------------------------------- bounds

    @property
    def estimator_(self) -> str:
        """The estimator that ``log_prob`` uses: ``"iwae"``, ``"elbo"`` or ``"ais"``."""
        return self.resolved_estimator_ if self.estimator == "auto" else self.estimator

    @property
    def n_importance_(self) -> int:
        """K, the draws a row of iwae and elbo."""
        return int(self.n_importance or default_draws(self._observation.floats_per_draw))

    def _resolve_estimator(self, valid: np.ndarray, seed: int, n: int) -> str:
        """Settle what ``"auto"`` is, on validation rows with draws of their own; a remark on it.

        ``n``: how many rows there will be to score, about.
        """
        chosen = numpy_rng(seed, "estimator").permutation(len(valid))[:DECISION_ROWS]
        self.resolved_estimator_ = "iwae"
        rows, K = valid[np.sort(chosen)], self.n_importance_
        found = self._bound(rows, "iwae", seed=derive(seed, "estimator"), K=K)
        effective = float(np.median(found.ess))
        said = f"importance sampling has {effective:.1f} effective draws of {K} on validation rows"
        if effective >= self.limits.fewest_effective:
            return f"log_prob: iwae; {said}"
        gradients = n * self._annealing().gradients
        if gradients * self._observation.floats_per_draw > self.limits.most_annealed:
            return (
                f'log_prob: iwae, and loose; {said}, and annealing (estimator="ais") is slow for '
                f"so many rows of this width"
            )
        self.resolved_estimator_ = "ais"
        return f"log_prob: ais; {said}, too few to trust"

    def _bound(self, rows: np.ndarray, estimator: str, *, seed: int, K: int | None = None) -> Bound:
        """A lower bound for rows whose patterns of ``MISSING`` are all alike in having any."""
        model = self._latent_model(rows)
        if estimator != "ais":
            K = K or self.n_importance_
            return importance_bound(rows, model, K=K, seed=seed, estimator=estimator)
        with _bar(f"annealing {len(rows)} rows") as progress:
            annealing = self._annealing()
            return annealed_bound(rows, model, annealing=annealing, seed=seed, progress=progress)

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
        n = n or (GAP_ROWS if self._observation.floats_per_draw <= WIDE else FEWER_GAP_ROWS)
        seed = check_seed(seed)
        generator = torch_generator(seed, "bidirectional", device=self._device)
        with torch.no_grad():
            z = self._prior(n, generator)
            rows = self._observation.sample(z, generator).cpu().numpy()
        lower = self._bound(rows, self.estimator_, seed=derive(seed, "lower"))
        upper = reverse_bound(
            rows,
            z.cpu().numpy(),
            self._latent_model(rows),
            annealing=self._annealing(),
            seed=derive(seed, "upper"),
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
        observation = self._observation
        if given is None or (given == MISSING).all():
            size = max(1, CHUNK_FLOATS // observation.floats_per_draw)
            latents = self._prior(n, generator).split(size)
            return torch.cat([observation.sample(z, generator).cpu() for z in latents]).numpy()
        marked = np.array([v.missing and v.n_values > 0 for v in self.schema_.variables])
        queried = np.where((given == MISSING) & marked, VALUE, given)
        model = self._latent_model(queried)
        once, draw = replace(model, propose=_repeated(model.propose)), derive(seed, "posterior")
        found, ess = posterior_draws(queried, once, K=self.n_importance_, seed=draw)
        _warn_of_few(ess)
        heads = observation.heads
        size = max(1, CHUNK_FLOATS // (heads.D * heads.M))
        pairs = zip(
            torch.as_tensor(found).to(self._device).split(size),
            torch.as_tensor(queried).to(self._device).split(size),
            strict=True,
        )
        parts = [heads.completed(observation.log_table(z), x, generator).cpu() for z, x in pairs]
        return torch.cat(parts).numpy()


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
