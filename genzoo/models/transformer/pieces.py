"""Rows as a network trains on them: cut where they are long, and together with rows as long.

A row longer than a piece is trained on in pieces, each given the token before it; in a sequence all
positions share their weights, so that nothing but the context across a cut is lost. A batch costs
what its rows hold, not what the longest row of all would: strings up to their END alone, and those
that are much longer than others by themselves.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genzoo.models.transformer.network import Autoregressive

BOUNDS = (64, 256)  # tokens: pieces of up to so many are run together


class Pieces:
    """Pieces of training rows.

    Args:
        rows: (n, D) codes.
        lengths: (n,) how many entries of each row count.
        length: variables a piece, a multiple of the group.
        group: variables a token.
    """

    def __init__(self, rows: np.ndarray, lengths: np.ndarray, length: int, group: int) -> None:
        number = n_pieces(lengths, length)
        self.rows, self.lengths = torch.as_tensor(rows), torch.as_tensor(lengths)
        self.row = torch.as_tensor(np.repeat(np.arange(len(rows)), number))
        within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
        self.start = torch.as_tensor(within * length)
        self.within = torch.arange(-group, length)

    def __len__(self) -> int:
        return len(self.row)

    def codes(self, chosen: Tensor) -> Tensor:
        """(B, group + length) codes of some pieces after those of the token before them; -1 where
        there are none."""
        row, at = self.row[chosen, None], self.start[chosen, None] + self.within
        there = (at >= 0) & (at < self.lengths[row])
        return self.rows[row, at.clamp(0, self.rows.shape[1] - 1)].masked_fill(~there, -1)


def n_pieces(lengths: np.ndarray, length: int) -> np.ndarray:
    """(n,) the number of pieces of rows of these lengths (n,)."""
    return np.maximum(1, -(-lengths // length))


def padded(lengths: np.ndarray, length: int, group: int) -> np.ndarray:
    """(n,) about how many variables rows of these lengths (n,) cost, as long as others that they
    are run together with."""
    whole, rest = np.divmod(lengths, length)
    bounds = np.minimum([0, *(group * b for b in BOUNDS), length], length)
    return whole * length + bounds[np.searchsorted(bounds, rest)]


def log_mass(network: Autoregressive, batch: Tensor) -> Tensor:
    """Summed log mass of pieces, in the layout of ``Pieces.codes``."""
    before, x = batch.long().split([network.group, batch.shape[1] - network.group], dim=1)
    if bool((x[:, -1] >= 0).all()):  # all are as long, as the rows of a table
        known = before if bool((before >= 0).any()) else None
        return network(x, known).sum()
    lengths = (x >= 0).sum(dim=1)
    bounds = torch.tensor([network.group * b for b in BOUNDS], device=x.device)
    kind = torch.bucketize(lengths, bounds)
    parts = []
    for k in kind.unique().tolist():
        at = kind == k
        V = int(lengths[at].max())
        codes, earlier = x[at, :V], before[at]
        known = earlier if bool((earlier >= 0).any()) else None
        terms = network(codes.clamp(min=0), known)
        parts.append(terms.masked_fill(codes < 0, 0.0).sum())
    return torch.stack(parts).sum()
