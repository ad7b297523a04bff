"""What the two families on this network share: its training, queries, and what it is of use for
beside its distribution."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genzoo.fitting import Fit
from genzoo.models.anyorder.completion import (
    N_DRAWS,
    Masses,
    completed,
    effective,
    log_mass,
    weighed,
)
from genzoo.models.anyorder.drawing import Drawing, parts, rows_drawn, rows_scored
from genzoo.models.anyorder.network import AnyOrder
from genzoo.models.anyorder.sizing import Sizing
from genzoo.models.neural.batches import epochs
from genzoo.models.neural.family import OneTransformer
from genzoo.models.neural.modules import load_weights
from genzoo.models.neural.training import Player, fit_network
from genzoo.models.shared.particles import warn_if_few
from genzoo.seeding import numpy_rng
from genzoo.space import characters
from genzoo.space.coarsen import marks
from genzoo.space.forms import Data
from genzoo.space.schema import MISSING
from genzoo.store import unpack_json
from genzoo.values import LogProb, Unsupported


class AnyOrderFamily(OneTransformer):
    """A mixture over ways to go through the variables: some of them, then some more, each given all
    that are known by then.

        p(x) = E over ways of p(x | way),    p(x | way) = prod_v p(x_v | those before it in the way)

    A way is a rank for each variable; those of one rank come together. A family says which ways
    there are (``_ways``), and how it trains for them (``_training_ranks``).
    """

    fits_missing = True
    _stream = "anyorder"

    network_: AnyOrder

    def _check_params(self) -> None:
        super()._check_params()
        Sizing.check_heads(self.d_model, self.n_heads)

    # ---------------------------------------------------------------- what a family writes

    @abc.abstractmethod
    def _ways(self, n: int, rng: np.random.Generator, averaged: bool) -> tuple[np.ndarray, bool]:
        """(R, D) or (R, n, D) ranks: ways by which n rows are scored, and whether they are all
        that there are; else the mean over them has the right expectation. Fewer will do where the
        masses of many rows are averaged."""

    @abc.abstractmethod
    def _training_ranks(self, B: int, generator: torch.Generator) -> Tensor:
        """(B, D) ranks by which B rows are trained."""

    @abc.abstractmethod
    def _way_each(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n, D) ranks: a way of each of n rows, drawn as the model draws it."""

    def _prepare(self, fit: Fit) -> None:
        """What a family draws before it is trained."""

    # ---------------------------------------------------------------- fitting

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        assert valid is not None  # the class selects
        self._prepare(fit)
        earlier: AnyOrderFamily | None = fit.earlier
        asked = self.get_params() if earlier is None else {**self.get_params(), **earlier._kept()}
        sizes = (asked[name] for name in ("d_model", "n_layers", "n_heads", "dropout"))
        plan = Sizing(self.schema_, *sizes).plan(rows, len(valid), fit.budget)
        self._build(plan.sizes, seed=fit.seed)
        network, recipe = self.network_, plan.recipe
        if earlier is None:
            network.start_at_marginals(rows)
        else:
            network.load_state_dict(earlier.network_.state_dict())
            recipe = recipe.fine_tuning()
        chosen = fit.rng("anyorder", "selection").permutation(len(valid))[: plan.n_valid]
        held_out = valid[np.sort(chosen)]
        # one of each row: a bound is told apart by its rows as well, at less cost
        ways = self._way_each(len(held_out), fit.rng("anyorder", "validation"))
        D, m = self.schema_.D, plan.asked

        def loss(x: Tensor, generator: torch.Generator) -> Tensor:
            rank = self._training_ranks(len(x), generator)
            asked = None
            if m < D:  # an unbiased share of the terms
                asked = torch.randperm(D, generator=generator, device=x.device)[:m]
            return -network(x, rank, asked).sum() * (D / m / len(x))

        fit_network(
            [Player(network, loss, outer=network.outer())],
            draw_batch=epochs(
                torch.as_tensor(rows.astype(self.schema_.code_type)), recipe.batch_size
            ),
            evaluate=lambda: self._terms(held_out, ways).sum(axis=1),
            recipe=recipe,
            fit=fit,
            device=self.device,
        )

    def _network(self, sizes: dict[str, Any]) -> AnyOrder:
        return AnyOrder(self.schema_, **sizes)

    @property
    def _device(self) -> torch.device:
        return self.network_.places.device

    # ---------------------------------------------------------------- queries

    @torch.no_grad()
    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        rng = numpy_rng(seed, "anyorder", "log_prob")
        n_hidden = (rows == MISSING).sum(axis=1)
        value, stderr = np.zeros(len(rows)), np.zeros(len(rows))
        ess, drew = np.full(len(rows), float(N_DRAWS)), False
        complete = np.flatnonzero(n_hidden == 0)
        if len(complete):
            value[complete], stderr[complete] = self._masses(rows[complete], rng)
        some = np.flatnonzero((n_hidden > 0) & (n_hidden < rows.shape[1]))
        if len(some):
            by = self._masses_by(rng)
            weights = weighed(self.network_, rows[some], by, rng, noisy=self._is_noisy)
            for index, _, log_w, error, all_ in weights:
                at = some[index]
                value[at], stderr[at] = log_mass(log_w, error, all_)
                if not all_:
                    drew, ess[at] = True, effective(stderr[at])
        if not (drew or self._is_noisy):
            return LogProb.exact(value)
        return LogProb(value, "lower_bound", stderr, "importance", ess if drew else None)

    @property
    def _is_noisy(self) -> bool:
        """Whether masses of complete rows are means over ways that are drawn, not over all."""
        return not self._ways(1, np.random.default_rng(0), False)[1]

    def _masses_by(self, rng: np.random.Generator) -> Masses:
        return lambda rows, averaged: self._masses(rows, rng, averaged)

    @torch.no_grad()
    def _masses(
        self, rows: np.ndarray, rng: np.random.Generator, averaged: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """(n,) log masses of rows (n, D), and their standard errors; what is ``MISSING`` is left
        out, which sums it out only where it comes last."""
        ways, all_ = self._ways(len(rows), rng, averaged)
        found = np.array([self._terms(rows, ranks).sum(axis=1) for ranks in ways])
        log_w = found.T - np.log(len(ways))
        return log_mass(log_w, np.zeros_like(log_w), all_)

    @torch.no_grad()
    def _terms(self, rows: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """(n, D) float64 log masses of the codes of rows (n, D), each given those of a lower rank,
        (D,) or (n, D)."""
        found = []
        for part in parts(len(rows), rows_scored(self.network_)):
            x = torch.as_tensor(rows[part]).to(self._device)
            rank = torch.as_tensor(ranks[None] if ranks.ndim == 1 else ranks[part]).to(self._device)
            found.append(self.network_(x, rank).double().cpu().numpy())
        return np.concatenate(found)

    @torch.no_grad()
    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        rng = numpy_rng(seed, "anyorder", "sample")
        if given is None:
            return self._draw_freely(n, rng)
        rows = given.copy()
        nothing = (given == MISSING).all(axis=1)
        if nothing.any():
            rows[nothing] = self._draw_freely(int(nothing.sum()), rng)
        some = np.flatnonzero((given == MISSING).any(axis=1) & ~nothing)
        if len(some):
            rows[some] = self._completed(given[some], rng)
        return rows

    def _completed(self, given: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        by, barred = self._masses_by(rng), marks(self.schema_)
        filled, ess = completed(self.network_, given, by, rng, barred, noisy=self._is_noisy)
        warn_if_few(ess, of=N_DRAWS)
        return filled

    def _draw_freely(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n, D) rows of which nothing is given."""
        ranks, codes = self._way_each(n, rng), np.full((n, self.schema_.D), MISSING)
        order = np.argsort(ranks, axis=1, kind="stable")  # ascending within a rank
        # as many variables have each rank in all rows
        bounds = np.flatnonzero(np.diff(np.sort(ranks[0]), append=-1)) + 1
        most = int(np.diff(bounds, prepend=0).max())
        for part in parts(n, rows_drawn(self.network_, most)):
            drawing = Drawing(self.network_, codes[part], rng)
            every, first = np.arange(len(codes[part])), 0
            for end in bounds.tolist():
                drawing.draw(every, order[part, first:end])
                first = end
        return codes

    # ---------------------------------------------------------------- beside the distribution

    def pseudo_log_prob(self, data: Data) -> np.ndarray:
        """(n,) pseudo log-likelihoods, in nats: each entry given all others of its row.

        sum_d log p(x_d | all others) (Besag 1975), BERT's own score. It is no log mass: it sums to
        one over no set of rows, and is mostly larger. An entry that is ``MISSING`` is not among
        the others.

        Args:
            data: as in ``log_prob``.

        Raises:
            ValueError: for bad data, and for a model that is not fitted.
        """
        self._check_fitted("pseudo_log_prob")
        return np.concatenate([terms.sum(axis=1) for _, terms in self._given_others(data)])

    def features(self, data: Data) -> np.ndarray:
        """(n, d_model) float32 features of each row, for a classifier or a map of the rows.

        The mean over variables of what the network makes of each of them given all others. A column
        that a classifier is to tell should be ``MISSING``.

        Args:
            data: as in ``log_prob``.

        Raises:
            ValueError: for bad data, and for a model that is not fitted.
        """
        self._check_fitted("features")
        return np.concatenate([u.mean(axis=1) for u, _ in self._given_others(data)])

    @torch.no_grad()
    def _given_others(self, data: Data) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Of some rows at a time: vectors (b, D, d_model) and float64 log masses (b, D) of each
        variable given all others."""
        rows, network, found = self._read_rows(data), self.network_, []
        sees = ~torch.eye(network.D, dtype=torch.bool, device=self._device)
        for part in parts(len(rows), rows_scored(network)):
            x = torch.as_tensor(rows[part]).to(self._device)
            own = sees.expand(len(x), -1, -1)
            u = network.vectors(x, own & (x >= 0).unsqueeze(1))
            terms = network.terms(x, own, own)
            found.append((u.float().cpu().numpy(), terms.double().cpu().numpy()))
        return found

    @torch.no_grad()
    def fill(self, text: str, hole: str = "_") -> str:
        """The text with a symbol for each hole: of all holes and symbols the likeliest one, given
        all that is known, comes first, until none is left.

        That is a guess, as BERT makes it, and no draw of the model: for one, give ``sample`` rows
        with ``MISSING``.

        Args:
            text: at most T characters, of the alphabet or ``hole``. Its length is known: where
                strings end, an END follows it.
            hole: one character that is not of the alphabet.

        Raises:
            Unsupported: if the rows are not strings.
            ValueError: for any other character, and for a longer text.
        """
        self._check_fitted("fill")
        schema, network = self.schema_, self.network_
        if schema.alphabet is None:
            raise Unsupported("fill needs strings; this model was fitted to other data")
        if not isinstance(hole, str) or len(hole) != 1 or hole in schema.alphabet:
            alphabet = f"the alphabet {''.join(schema.alphabet)!r}"
            other = alphabet if schema.tokenizer is None else "the symbols of tokens"
            raise ValueError(f"hole: expected one character that is not of {other}; got {hole!r}")
        if isinstance(text, str) and hole in text:
            known = characters.with_holes(schema, text, hole, "text")
        else:
            known = characters.codes_of(schema, text, "text")
        L = len(known)
        if schema.D < L:
            unit = characters.unit(schema)
            raise ValueError(f"text: expected at most {schema.D} {unit}; got {L} of them")
        codes = np.full((1, schema.D), MISSING if schema.end is None else schema.end)
        codes[0, :L] = known
        drawing = Drawing(network, codes, numpy_rng(0, "fill"))
        while len(holes := np.flatnonzero(codes[0, :L] == MISSING)):
            drawing.guess(holes, barred=schema.end)
        return characters.text_of(schema, codes[0, :L])

    # ---------------------------------------------------------------- state

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self._build(unpack_json(arrays["sizes"]))
        load_weights(self.network_, arrays, self.device)
