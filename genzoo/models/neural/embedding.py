"""Vectors for the codes of variables: one for each code, but for long ordinals.

These are embedded piecewise linearly between a few knots (Gorishniy et al. 2022), so that codes
that lie close together have vectors that do.

Gorishniy, Rubachev & Babenko (2022), On embeddings for numerical features in tabular deep learning,
arXiv:2203.05556.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from genzoo.models.neural.heads import is_long
from genzoo.space.schema import Schema, Variable

N_KNOTS = 16  # of a long ordinal's embedding: more tell finer differences, each from fewer rows


class CodeEmbedding(nn.Embedding):
    """Vectors of the owners.

    Args:
        n_owners: O; variable d has the vectors of owner d mod O, all of whose variables are alike.
        width: of a vector.
    """

    first: Tensor
    low: Tensor
    share: Tensor

    def __init__(self, schema: Schema, *, n_owners: int, width: int) -> None:
        first, low, share, n_vectors = _index(schema.variables[:n_owners])
        super().__init__(n_vectors, width)
        self.interpolates = bool((share > 0).any())
        for name, value in {
            "first": np.resize(first, schema.D),  # (D,)
            "low": low,
            "share": share,
        }.items():
            self.register_buffer(name, torch.as_tensor(value), persistent=False)

    def of_codes(self, x: Tensor, variables: Tensor | slice) -> Tensor:
        """(..., V, width) of codes x (..., V) of these V variables."""
        at = x + self.first[variables]
        if not self.interpolates:
            return self(at)
        low = self.low[at]
        above = (low + 1).clamp(max=self.num_embeddings - 1)
        return torch.lerp(self(low), self(above), self.share[at].unsqueeze(-1))


def _index(
    variables: Sequence[Variable],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Where each variable's codes begin among those of all; for each of these codes the vector
    below it, and the share of the vector above; the number of vectors. Codes with a vector of their
    own have share 0."""
    cards = np.array([variable.cardinality for variable in variables])
    low, share = [], []
    n_vectors = 0
    for variable in variables:
        codes = np.arange(variable.cardinality)
        part = np.zeros(len(codes))
        if is_long(variable):
            at = codes * (N_KNOTS - 1) / (variable.n_values - 1)
            # the last value is the upper end of the last piece, the mark a vector of its own
            piece = np.minimum(np.floor(at), N_KNOTS - 2).astype(np.int64)
            piece[variable.n_values :] = N_KNOTS
            part = np.where(codes < variable.n_values, at - piece, 0.0)
            low.append(n_vectors + piece)
            n_vectors += N_KNOTS + variable.missing
        else:
            low.append(n_vectors + codes)
            n_vectors += len(codes)
        share.append(part.astype(np.float32))
    return np.cumsum(cards) - cards, np.concatenate(low), np.concatenate(share), n_vectors
