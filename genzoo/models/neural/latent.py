"""What the families with a Gaussian latent variable share: bounds, queries, certificates.

A family offers p(x | z) and a proposal q(z | x); everything here follows from the two. Whether a
model's rows may need annealing is decided once, on validation rows; how many draws a row gets, and
whether it is annealed, by a pilot whose draws count for nothing else. Choosing for each row the
larger of two estimates would be no bound; choosing before either is drawn leaves each the bound
that it is (``importance.py``).
"""

from __future__ import annotations

import abc
import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from genzoo.models.neural.annealing import Annealing, annealed_bound, reverse_bound
from genzoo.models.neural.coders import Proposal
from genzoo.models.neural.family import OnDevice
from genzoo.models.neural.heads import VALUE, Heads
from genzoo.models.neural.importance import (
    CHUNK_FLOATS,
    PILOT_DRAWS,
    Bound,
    LatentModel,
    Propose,
    default_draws,
    draws_for,
    importance_bound,
    importance_each,
    pilot,
    posterior_draws,
    refined,
    remembered,
)
from genzoo.parameters import Interval, Options, check_integer
from genzoo.seeding import check_seed, derive, numpy_rng, torch_generator
from genzoo.space.schema import MISSING
from genzoo.values import Gap, LogProb

FEWEST_CANDIDATES = 8  # effective ones behind a completion; below this a warning is issued
# Rows that settle the estimator: more are surer, and take longer; fewer of wide ones.
FEWEST_DECISION_ROWS, DECISION_ROWS, DECISION_FLOATS = 8, 64, 2**25
# Most draws a row of such a model, in multiples of ``default_draws``: annealing takes longer.
DOUBTFUL_DRAWS = 4
BLOCK_ROWS = 2**14  # that are scored, or completed, at once: what is noted of each is small
# Rows that certify a gap, and how many where a draw takes more floats than this: each takes
# annealing in both directions.
GAP_ROWS, FEWER_GAP_ROWS, WIDE = 50, 20, 4096


@dataclass(frozen=True)
class Limits:
    """Where ``estimator="auto"`` turns from importance sampling to annealing.

    Attributes:
        fewest_effective: draws; a model whose median validation row has fewer of 256 (64 to 256,
            fewer for wide rows) is one whose rows may need annealing. Those that have fewer than
            half as many are annealed. On a VAE of breast_cancer (validation rows, and rows that it
            drew) this lay 0.07 +- 0.03 nats below 16 long chains for every row, at a seventh of
            their cost; with half as many draws it lay 0.13 below, with twice as many 0.05 at
            nearly twice the cost.
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

    def row_log_prob_each(self, z: Tensor, x: Tensor, d: int) -> Tensor:
        """(..., M) log p(x with each of the M codes of variable d | z) in nats, from one pass, for
        codes x (..., D) that are ``MISSING`` there, of rows without END."""
        ...

    def log_tables(self, z: Tensor) -> list[Tensor]:
        """Log mass of every code given z (N, Z), as a ragged table of ``heads``."""
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
        resolved_estimator_: what ``"auto"`` came to: ``"iwae"``, or ``"ais"`` where the rows that
            need it are annealed.
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
    resolved_estimator_: str = "iwae"  # as long as ``fit`` has not settled it

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
        """The estimator that ``log_prob`` uses: ``"iwae"``, ``"elbo"`` or ``"ais"``.

        With ``estimator="auto"`` the last is for rows that have too few effective draws, and
        ``"iwae"`` for the others.
        """
        return self.resolved_estimator_ if self.estimator == "auto" else self.estimator

    @property
    def n_importance_(self) -> int:
        """K, the draws a row of iwae and elbo; where none were asked for, the most that a row of
        iwae has."""
        draws = default_draws(self._observation.floats_per_draw)
        doubtful = self.estimator == "auto" and self.resolved_estimator_ == "ais"
        return int(self.n_importance or (DOUBTFUL_DRAWS * draws if doubtful else draws))

    def _resolve_estimator(self, valid: np.ndarray, seed: int, n: int) -> str:
        """Settle what ``"auto"`` is, on validation rows with draws of their own; a remark on it.

        ``n``: how many rows there will be to score, about.
        """
        floats = self._observation.floats_per_draw
        K = int(self.n_importance or default_draws(floats))
        n_rows = int(np.clip(DECISION_FLOATS // (K * floats), FEWEST_DECISION_ROWS, DECISION_ROWS))
        chosen = numpy_rng(seed, "estimator").permutation(len(valid))[:n_rows]
        found = self._bound(valid[np.sort(chosen)], "iwae", seed=derive(seed, "estimator"), K=K)
        effective = float(np.median(found.ess))
        said = f"importance sampling has {effective:.1f} effective draws of {K} on validation rows"
        self.resolved_estimator_ = "iwae"
        if effective >= self.limits.fewest_effective:
            return f"log_prob: iwae; {said}"
        if n * self._annealing().gradients * floats > self.limits.most_annealed:
            return (
                f'log_prob: iwae, and loose; {said}, and annealing (estimator="ais") is slow for '
                f"so many rows of this width"
            )
        self.resolved_estimator_ = "ais"
        return f"log_prob: ais where a row needs it; {said}, too few to trust"

    def _bound(self, rows: np.ndarray, estimator: str, *, seed: int, K: int) -> Bound:
        """A lower bound by importance sampling with K draws for each row, for rows whose patterns
        of ``MISSING`` are all alike in having any."""
        model = self._latent_model(rows)
        return importance_bound(rows, model, K=K, seed=seed, estimator=estimator)

    def _annealing(self) -> Annealing:
        return Annealing(self.n_temperatures, self.n_chains, self.ais_start)

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        value, stderr, ess = np.zeros(len(rows)), np.zeros(len(rows)), np.ones(len(rows))
        annealed = np.zeros(len(rows), dtype=bool)
        n_observed = (rows != MISSING).sum(axis=1)
        # with nothing observed the mass is one, and any number of draws agree on it
        ess[n_observed == 0] = self.n_chains if self.estimator == "ais" else self.n_importance_
        for alike in (n_observed == rows.shape[1], (n_observed > 0) & (n_observed < rows.shape[1])):
            for here in _blocks(np.flatnonzero(alike)):
                for part, found, by_annealing in self._scored(rows[here], here, seed):
                    own = here[part]
                    value[own], stderr[own], ess[own] = found.value, found.stderr, found.ess
                    annealed[own] = by_annealing
        return LogProb(value, "lower_bound", stderr, self._name_of(annealed), ess)

    def _name_of(self, annealed: np.ndarray) -> str:
        """The estimator of rows (n,) of which these were annealed."""
        if self.estimator != "auto":
            return self.estimator
        if not annealed.any():
            return "iwae"
        return "ais" if annealed.all() else "iwae+ais"

    def _scored(
        self, rows: np.ndarray, positions: np.ndarray, seed: int
    ) -> Iterator[tuple[np.ndarray, Bound, bool]]:
        """Bounds for parts of the rows: which (n,) they are, and whether they were annealed."""
        model, everyone = remembered(rows, self._latent_model(rows)), np.ones(len(rows), dtype=bool)
        if self.estimator == "ais":
            yield everyone, self._annealed(rows, model, positions, seed), True
            return
        K, annealed = self._draws(rows, model, seed)
        kind = "elbo" if self.estimator == "elbo" else "iwae"
        if annealed.any():
            yield annealed, self._annealed(rows[annealed], model, positions[annealed], seed), True
        if not annealed.all():
            some = ~annealed
            bound = importance_bound(
                rows[some], model, K=K[some], seed=seed, estimator=kind, positions=positions[some]
            )
            yield some, bound, False

    def _draws(
        self, rows: np.ndarray, model: LatentModel, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """(n,) how many draws each row is to have, and (n,) whether it is to be annealed instead,
        by a pilot where something is left to decide."""
        K = np.full(len(rows), self.n_importance_)
        annealed = np.zeros(len(rows), dtype=bool)
        may_anneal = self.estimator == "auto" and self.resolved_estimator_ == "ais"
        if self.estimator == "elbo" or (self.n_importance is not None and not may_anneal):
            return K, annealed
        # annealing costs so much that a longer pilot is worth its while
        n_pilot = default_draws(model.floats_per_draw) if may_anneal else PILOT_DRAWS
        variance = pilot(rows, model, K=n_pilot, seed=seed)
        if may_anneal:
            annealed = n_pilot / (1 + variance) < self.limits.fewest_effective / 2
        return (K if self.n_importance is not None else draws_for(variance, K[0])), annealed

    def _annealed(
        self, rows: np.ndarray, model: LatentModel, positions: np.ndarray, seed: int
    ) -> Bound:
        """A lower bound by annealing, as long as was asked for; where it wasn't, a short one where
        that will do."""
        with _bar(f"annealing {len(rows)} rows") as progress:
            return annealed_bound(
                rows,
                model,
                annealing=self._annealing(),
                seed=seed,
                try_short=self.estimator == "auto",
                positions=positions,
                progress=progress,
            )

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
        lower = self._log_prob(rows, seed=derive(seed, "lower"))
        upper = reverse_bound(
            rows,
            z.cpu().numpy(),
            self._latent_model(rows),
            annealing=self._annealing(),
            seed=derive(seed, "upper"),
        )
        between = LogProb(upper.value - lower.value, "estimate", upper.stderr).mean()
        return Gap(
            lower.mean(),
            LogProb(upper.value, "estimate", upper.stderr).mean(),
            between.value,
            between.stderr,
            n,
            str(lower.estimator),
        )

    # ---------------------------------------------------------------- samples and completions

    @torch.no_grad()
    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        generator = torch_generator(seed, "sample", device=self._device)
        observation = self._observation
        rows = np.empty((n, self.schema_.D), dtype=np.int64)
        if given is None or (given == MISSING).all():
            for here in _blocks(np.arange(n), max(1, CHUNK_FLOATS // observation.floats_per_draw)):
                z = self._prior(len(here), generator)
                rows[here] = observation.sample(z, generator).cpu().numpy()
            return rows
        marked = np.array([v.missing and v.n_values > 0 for v in self.schema_.variables])
        heads, draw = observation.heads, derive(seed, "posterior")
        size, ess = max(1, CHUNK_FLOATS // heads.table_floats), np.empty(n)
        for here in _blocks(np.arange(n)):
            queried = np.where((given[here] == MISSING) & marked, VALUE, given[here])
            model = remembered(queried, self._latent_model(queried))
            found, ess[here] = posterior_draws(
                queried, model, K=self.n_importance_, seed=draw, positions=here
            )
            for part in _blocks(np.arange(len(here)), size):
                tables = observation.log_tables(torch.as_tensor(found[part]).to(self._device))
                x = torch.as_tensor(queried[part]).to(self._device)
                rows[here[part]] = heads.completed(tables, x, generator).cpu().numpy()
        _warn_of_few(ess)
        return rows

    # ---------------------------------------------------------------- the latent space

    def encode(self, data: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of q(z | x), (n, Z) each, for data as in ``log_prob``."""
        self._check_fitted("encode")
        rows = self._read_rows(data)
        mean, log_sd = self._posterior(rows)
        return mean.cpu().numpy(), log_sd.exp().cpu().numpy()

    def reconstruct(self, data: Any, *, seed: int = 0) -> Any:
        """The likeliest row at the posterior's mean of each row, in the form that was given.

        Args:
            data: as in ``log_prob``.
            seed: for the numbers within a wide cell.
        """
        form = self._form_of(data)
        rows = self._likeliest(self.encode(form)[0])
        return form.decode(self.schema_, rows, seed=check_seed(seed))

    def interpolate(self, a: Any, b: Any, n: int = 8, *, seed: int = 0) -> Any:
        """n likeliest rows on the straight line from the posterior's mean of a to that of b.

        Args:
            a, b: data of one row each, of one form.
            n: how many, both ends included; at least 2.
            seed: for the numbers within a wide cell.
        """
        check_integer("n", n, least=2)
        ends = []
        for name, data in (("a", a), ("b", b)):
            mean, _ = self.encode(data)
            if len(mean) != 1:
                raise ValueError(f"{name}: expected one row; got {len(mean)}")
            ends.append(mean)
        along = np.linspace(0.0, 1.0, int(n), dtype=np.float32)[:, None]
        rows = self._likeliest((1 - along) * ends[0] + along * ends[1])
        return self._form_of(a).decode(self.schema_, rows, seed=check_seed(seed))

    def _posterior(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        propose = self._latent_model(rows).propose
        size = max(1, CHUNK_FLOATS // self._observation.floats_per_draw)
        parts = torch.as_tensor(rows).split(size)
        with torch.no_grad():
            means, log_sds = zip(*(propose(x.to(self._device)) for x in parts), strict=True)
        return torch.cat(means), torch.cat(log_sds)

    @torch.no_grad()
    def _likeliest(self, mean: np.ndarray) -> np.ndarray:
        """(n, D) each variable's likeliest code at latents (n, Z); END..END after an END."""
        decoder, heads, parts = self._observation, self._observation.heads, []
        for z in torch.as_tensor(mean).split(max(1, CHUNK_FLOATS // heads.table_floats)):
            parts.append(heads.likeliest(decoder.log_tables(z.to(self._device))))
        return torch.cat(parts).cpu().numpy()

    # ---------------------------------------------------------------- labels

    def _log_prob_each(self, rows: np.ndarray, d: int, *, seed: int) -> np.ndarray:
        """All codes from the same draws of z given the rest, and one pass of the decoder."""
        if self.schema_.end is not None or self.estimator == "ais":
            return super()._log_prob_each(rows, d, seed=seed)
        observation = self._observation
        floats = observation.floats_per_draw + observation.heads.floats_of(d)

        def each(z: Tensor, x: Tensor) -> Tensor:
            return observation.row_log_prob_each(z, x, d)

        joint = np.empty((len(rows), int(self.schema_.cards[d])))
        for here in _blocks(np.arange(len(rows))):
            rest = rows[here].copy()
            rest[:, d] = MISSING
            # a proposal that lacks the label alone is near enough: refined ones told no better
            others = np.delete(rows[here], d, axis=1)
            model = remembered(rest, self._latent_model(others))
            # a label that the draws were not made for needs more of them than the rest of the row
            K = self.n_importance_
            kind = "elbo" if self.estimator == "elbo" else "iwae"
            label = replace(model, log_likelihood=each, floats_per_draw=floats)
            joint[here] = importance_each(
                rest, label, K=K, seed=seed, estimator=kind, positions=here
            )
        return joint


def _blocks(indices: np.ndarray, size: int = BLOCK_ROWS) -> Iterator[np.ndarray]:
    """The indices in runs of at most ``size``."""
    for first in range(0, len(indices), size):
        yield indices[first : first + size]


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
