"""Codes one after the other: draws of many rows at a time, and particles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from genzoo import draws
from genzoo.models.transformer.network import Autoregressive
from genzoo.space import strings
from genzoo.space.schema import MISSING
from genzoo.tempering import Tempering

BATCH_FLOATS = 2**22  # of a layer's activations in one batch of inference
CACHE_FLOATS = 2**24  # of the caches of rows that are drawn together
STILL_FULL = 0.75  # of a cache whose other rows have ended: to move it is as dear as to use it


@torch.no_grad()
def draw(
    network: Autoregressive, codes: np.ndarray, tempering: Tempering, rng: np.random.Generator
) -> None:
    """Fill in, in place, what is ``MISSING`` in ``codes`` (n, D); what is not is a prefix.

    Rows that begin alike ask the network once, and each draws for itself. In strings what comes
    after an END is END.
    """
    device, (n, D) = network.start.device, codes.shape
    end = network.heads.end
    most = max(1, CACHE_FLOATS // numbers_of(network))
    nothing = np.zeros(n, dtype=np.int64)
    # the variable that comes next; a cache of beginnings, and which of them are gone on with; rows,
    # and with which of these each begins
    todo = [(0, network.new_cache(1), np.zeros(1, dtype=np.int64), np.arange(n), nothing)]
    while todo:
        d, cache, chosen, rows, which = todo.pop()
        cache = cache.select(torch.as_tensor(chosen).to(device))
        while d < D and len(rows):
            previous = None
            if d:
                # where all rows have ended any code will do
                before = np.zeros(len(cache), dtype=np.int64)
                before[which] = codes[rows, d - 1]
                previous = torch.as_tensor(before).to(device)
            log_p = tempering.changed(network.next_log_probs(d, previous, cache).cpu().numpy())
            M = log_p.shape[1]
            drawn = draws.of_rows(np.exp(log_p).astype(np.float64), which, rng)
            given = codes[rows, d]
            codes[rows, d] = drawn = np.where(given == MISSING, drawn, given)
            d += 1
            if end is not None:
                codes[rows[drawn == end], d:] = end
                rows, which, drawn = (a[drawn != end] for a in (rows, which, drawn))
            begun = np.bincount(which * M + drawn, minlength=log_p.size) > 0
            parents = np.flatnonzero(begun) // M
            which = (np.cumsum(begun) - 1)[which * M + drawn]
            if len(parents) > most:
                order = np.argsort(which, kind="stable")
                bounds = np.searchsorted(which[order], np.arange(0, len(parents) + most, most))
                for k, part in enumerate(np.split(order, bounds[1:-1])):
                    those = parents[k * most : (k + 1) * most]
                    todo.append((d, cache, those, rows[part], which[part] - k * most))
                break
            if len(parents) < STILL_FULL * len(cache) or (np.diff(parents) == 0).any():
                cache = cache.select(torch.as_tensor(parents).to(device))
            else:  # each begins as another did: the cache stays as it is, with those that ended
                which = parents[which]


def rows_at_once(network: Autoregressive, V: int) -> int:
    """How many rows of V variables one pass of a network takes."""
    tokens = -(-V // network.group)
    widest = max(4 * network.d_model * tokens, network.embed.embedding_dim * V)
    outputs = network.outputs.n_outputs * V // network.D
    return max(1, BATCH_FLOATS // max(widest, outputs))


def numbers_of(network: Autoregressive) -> int:
    """Floats that a row's cache and its log masses hold at most."""
    tokens = min(network.n_tokens, 2 * (network.window or network.n_tokens))
    kept = 2 * len(network.blocks) * network.d_model * tokens
    return kept + 8 * network.d_model + 4 * max(network.outputs.widths)


class Walk:
    """Particles on their way through the network, one position at a time.

    Args:
        network: in evaluation mode.
        n: how many particles.
    """

    def __init__(self, network: Autoregressive, n: int) -> None:
        self.network, self.cache = network, network.new_cache(n)

    @torch.no_grad()
    def log_probs(self, v: int, codes: np.ndarray) -> np.ndarray:
        """(N, M) log masses of the codes of v, given those before it in ``codes`` (N, D)."""
        previous = self._codes(codes[:, v - 1]) if v else None
        log_p = self.network.next_log_probs(v, previous, self.cache).cpu().double().numpy()
        end = self.network.heads.end
        if end is not None and v:
            # after END nothing but END
            ended = codes[:, v - 1] == end
            log_p[ended] = -np.inf
            log_p[ended, end] = 0.0
        return log_p

    @torch.no_grad()
    def seen(self, variables: Sequence[int], codes: np.ndarray) -> np.ndarray:
        """(N, V) log masses of the codes (N, D) of V variables that follow each other."""
        network, parts = self.network, []
        # the widest activations are four times the width; and a cache holds but so much more
        length = max(1, BATCH_FLOATS // (len(codes) * 4 * network.d_model))
        length = min(length, network.window or length)
        for i in range(0, len(variables), length):
            d, end = variables[i], variables[min(i + length, len(variables)) - 1] + 1
            previous = self._codes(codes[:, d - 1]) if d else None
            parts.append(
                network.seen_log_probs(d, self._codes(codes[:, d:end]), previous, self.cache)
            )
        log_p = torch.cat(parts, dim=1).cpu().double().numpy()
        first, end = variables[0], variables[-1] + 1
        before = max(0, first - 1)  # after an END all codes are
        symbol = network.heads.end
        ended = ~strings.reached(codes[:, before:end], symbol)[:, first - before :]
        log_p[ended] = np.where(codes[:, first:end] == symbol, 0.0, -np.inf)[ended]
        return log_p

    def follow(self, ancestors: np.ndarray) -> None:
        """The particles are now copies of the earlier ones ``ancestors`` (N',)."""
        if len(ancestors) != len(self.cache):
            self.cache = self.cache.select(self._codes(ancestors))
            return
        moved = np.flatnonzero(ancestors != np.arange(len(ancestors)))
        if len(moved):
            self.cache.replace(self._codes(moved), self._codes(ancestors[moved]))

    def _codes(self, codes: np.ndarray) -> Tensor:
        return torch.as_tensor(codes).to(self.network.start.device)
