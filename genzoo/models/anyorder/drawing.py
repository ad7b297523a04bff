"""Rows that are drawn, some variables after others, each given all that is known by then."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from genzoo import draws
from genzoo.models.anyorder.network import MOST_ASKED, AnyOrder, Memory
from genzoo.space import strings
from genzoo.space.schema import MISSING

FLOATS = 2**23  # of a layer's activations, or of what is remembered, in one batch of rows


class Drawing:
    """Rows on their way.

    Args:
        network: in evaluation mode.
        codes: (B, D) what is known; filled in, in place.
        barred: (D,) a code of each variable that may not be drawn; -1 where there is none.
    """

    def __init__(
        self,
        network: AnyOrder,
        codes: np.ndarray,
        rng: np.random.Generator,
        barred: np.ndarray | None = None,
    ) -> None:
        self.network, self.codes, self.rng, self.barred = network, codes, rng, barred
        self.memory = Memory(network, len(codes))
        # before the former no END may stand, behind the latter nothing else
        self.no_end, self.over = strings.ends_between(codes, network.end)
        if (codes != MISSING).any():
            every = np.tile(np.arange(network.D), (len(codes), 1))
            self._tell(np.arange(len(codes)), every)

    def draw(self, rows: np.ndarray, variables: np.ndarray) -> np.ndarray:
        """(b,) log masses with which it draws the variables (b, m), ascending in each row, of some
        rows (b,): independently, but for what a string's END leaves open."""
        u = self.memory.ask(self._on_device(rows), self._on_device(variables))  # (b, m, d_model)
        level, log_q = self.rng.random(variables.shape), np.zeros(len(rows))
        if self.network.end is None:
            m = variables.shape[1]
            drawn, log_mass = self._drawn(
                np.repeat(rows, m), variables.ravel(), u.flatten(0, 1), level.ravel()
            )
            self.codes[rows[:, None], variables] = drawn.reshape(variables.shape)
            log_q = log_mass.reshape(variables.shape).sum(axis=1)
        else:
            for j, v in enumerate(variables.T):
                drawn, log_mass = self._drawn(rows, v, u[:, j], level[:, j])
                self.codes[rows, v] = drawn
                log_q += log_mass
                is_end = drawn == self.network.end
                self.over[rows] = np.where(is_end, np.minimum(self.over[rows], v), self.over[rows])
                symbol = np.where(is_end, 0, v + 1)
                self.no_end[rows] = np.maximum(self.no_end[rows], symbol)
        self._tell(rows, variables)
        return log_q

    def guess(self, variables: np.ndarray, barred: int | None) -> None:
        """Make the likeliest code of all variables (m,) of the only row known; ``barred`` is none
        of them."""
        at = variables[None]
        u = self.memory.ask(self._on_device(np.zeros(1, np.int64)), self._on_device(at))[0]
        log_p = [
            self.network.outputs.log_probs_all(v, u[[j]]) for j, v in enumerate(at[0].tolist())
        ]
        table = torch.cat(log_p).cpu().numpy()
        if barred is not None:
            table[:, barred] = -np.inf
            table -= np.logaddexp.reduce(table, axis=1, keepdims=True)
        j, code = np.unravel_index(table.argmax(), table.shape)
        self.codes[0, variables[j]] = code
        self._tell(np.zeros(1, np.int64), at[:, [j]])

    def _drawn(
        self, rows: np.ndarray, variables: np.ndarray, u: Tensor, level: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(N,) codes of variables (N,), one of each of the rows (N,), from their vectors u
        (N, d_model) and uniform numbers (N,); and their log masses (N,)."""
        codes, log_mass = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
        for v in np.unique(variables).tolist():
            own = np.flatnonzero(variables == v)
            table = self.network.outputs.log_probs_all(v, u[self._on_device(own)])
            log_p = self._legal(v, rows[own], table.double().cpu().numpy())
            codes[own] = draws.inverted(np.exp(log_p), level[own])
            log_mass[own] = log_p[np.arange(len(own)), codes[own]]
        return codes, log_mass

    def _legal(self, v: int, rows: np.ndarray, log_p: np.ndarray) -> np.ndarray:
        """(b, M) log masses of the codes that variable v may have in these rows (b,)."""
        if self.barred is not None and self.barred[v] >= 0:
            log_p[:, self.barred[v]] = -np.inf
        end = self.network.end
        if end is not None:
            log_p[v < self.no_end[rows], end] = -np.inf
            over = v > self.over[rows]
            log_p[over], log_p[over, end] = -np.inf, 0.0
        return log_p - np.logaddexp.reduce(log_p, axis=1, keepdims=True)

    def _tell(self, rows: np.ndarray, variables: np.ndarray) -> None:
        codes = self.codes[rows[:, None], variables]
        self.memory.tell(*map(self._on_device, (rows, variables, codes)))

    def _on_device(self, index: np.ndarray) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(index)).to(self.network.places.device)


def parts(n: int, at_once: int) -> Iterator[slice]:
    """n rows, so many at once."""
    for first in range(0, n, at_once):
        yield slice(first, first + at_once)


def rows_scored(network: AnyOrder) -> int:
    """How many rows one pass over all their variables takes."""
    asked = min(network.D, MOST_ASKED)
    attention = asked * network.D * network.n_heads
    widest = max(attention, network.D**2, 4 * network.D * network.d_model)
    tables = network.D * network.heads.M if network.end is not None else network.heads.floats
    return max(1, FLOATS // max(widest, tables))


def rows_drawn(network: AnyOrder, m: int = 1) -> int:
    """How many rows are drawn together, m variables at a time."""
    kept = 2 * len(network.blocks) * (network.D + 1) * network.d_model
    asked = m * (network.D * network.n_heads + 4 * network.d_model + network.heads.M)
    return max(1, FLOATS // (kept + asked))
