"""The output layer: from a vector for each variable to log masses of its own codes.

Columns differ in how many codes they have. Those whose heads have one shape are computed together,
so there are as many products of matrices as shapes, at most some sqrt(2 n) of them for n outputs,
and neither a weight nor an output is there that belongs to no code.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genzoo.models.neural.heads import Heads, is_long
from genzoo.space.schema import Schema, Variable


class Outputs(nn.Module):
    """Weights of the owners, and a bias of each variable's own.

    Args:
        n_owners: O; variable d has the weights of owner d mod O, all of whose variables are alike.
        width: of the vectors.
        tied: whether the weights are another layer's, which hands them over with each call.
        n_biased: a multiple of O: the variables from there on share a bias with all others of their
            owner's; None: none do.

    Attributes:
        weight: (outputs of all owners, width), shape after shape, owner after owner; None if tied.
        bias: (outputs of all variables that have their own,), shape after shape, variable after
            variable; then as one more of each owner come those that share theirs.
        n_outputs: how many a row has.
    """

    _variables: Tensor
    _owners: Tensor
    _rank: Tensor

    def __init__(
        self,
        schema: Schema,
        *,
        n_owners: int,
        width: int,
        tied: bool,
        n_biased: int | None = None,
    ) -> None:
        super().__init__()
        self.D, self.n_owners = schema.D, n_owners
        shared = n_biased is not None
        self.n_biased = schema.D if n_biased is None else n_biased
        shapes = [_shape(variable) for variable in schema.variables]
        kind_of = {shape: k for k, shape in enumerate(dict.fromkeys(shapes))}
        kinds = np.array([kind_of[shape] for shape in shapes])
        first = [schema.variables[shapes.index(shape)] for shape in kind_of]
        heads = [Heads(Schema((v,), "table", (1,))) for v in first]
        self.heads, self.widths = nn.ModuleList(heads), [h.n_outputs for h in heads]
        self.kinds: list[int] = kinds.tolist()
        self.n_outputs = int(np.array(self.widths)[kinds].sum())
        # of whom the rows of weights are, and of whom the biases; the shared ones come last
        owners = kinds[:n_owners]
        biased = np.concatenate([kinds[: self.n_biased], owners if shared else owners[:0]])
        self.weights_of = _Ragged(owners, self.widths)
        self.biases_of = _Ragged(biased, self.widths)
        has_bias = np.arange(schema.D + (self.n_biased if shared else 0))
        beyond = self.n_biased + has_bias % n_owners
        has_bias = np.where(has_bias < self.n_biased, has_bias, beyond)
        self.n_variables = np.bincount(kinds).tolist()
        for name, index in {
            "_variables": np.argsort(kinds, kind="stable"),
            "_owners": self.weights_of.order,
            "_rank": self.biases_of.rank[has_bias],  # of a variable's bias within its kind
        }.items():
            self.register_buffer(name, torch.as_tensor(index), persistent=False)
        self._bias_at = self.biases_of.at[has_bias]
        self.weight = None if tied else nn.Parameter(torch.zeros(self.weights_of.total, width))
        self.bias = nn.Parameter(torch.zeros(self.biases_of.total))

    @torch.no_grad()
    def start_at(self, parts: list[np.ndarray]) -> None:
        """Set the biases of each variable that has its own, then those that owners share."""
        self.bias.copy_(torch.as_tensor(np.concatenate([parts[d] for d in self.biases_of.order])))

    def log_prob(
        self, u: Tensor, x: Tensor, tied: Tensor | None = None, inside: Tensor | None = None
    ) -> Tensor:
        """(B, V) log masses of the codes x (B, V) of the first V variables, from their vectors u
        (B, V, width).

        Args:
            inside: (B,) rows of which x are not the first variables, but later ones that share
                their biases; None: there are none.
        """
        V = x.shape[1]
        weights = self._weights(tied).split(self.weights_of.sizes)
        biases = self.bias.split(self.biases_of.sizes)
        owners = self._owners.split(self.weights_of.numbers)
        variables = self._variables.split(self.n_variables)
        u = F.pad(u, (0, 0, 0, -V % self.n_owners)).unflatten(1, (-1, self.n_owners))
        alone = len(self.widths) == 1
        terms, at = [], []
        for k, (w, heads) in enumerate(zip(self.widths, self.heads, strict=True)):
            own = variables[k] if V == self.D else variables[k][variables[k] < V]
            vectors = u if alone else u[:, :, owners[k]]
            matrices = weights[k].unflatten(0, (-1, w))
            if len(matrices) == 1:
                out = vectors[:, :, 0] @ matrices[0].T
            else:
                out = torch.einsum("bpok,owk->bpow", vectors, matrices).flatten(1, 2)
            rows = biases[k].unflatten(0, (-1, w))
            bias = rows.index_select(0, self._rank[own])
            if inside is not None:
                shared = rows.index_select(0, self._rank[own + self.n_biased])
                bias = torch.where(inside[:, None, None], shared, bias)
            terms.append(_of_codes(heads, out[:, : len(own)] + bias, x if alone else x[:, own]))
            at.append(own)
        return terms[0] if alone else torch.cat(terms, dim=1)[:, torch.cat(at).argsort()]

    def log_prob_from(self, d: int, u: Tensor, x: Tensor, tied: Tensor | None = None) -> Tensor:
        """(B, V) log masses of the codes x (B, V) of the V variables from d on, from u (B, V,
        width)."""
        if self.n_owners == 1:
            rows = self.bias.unflatten(0, (-1, self.widths[0]))
            bias = rows.index_select(0, self._rank[d : d + x.shape[1]])
            return _of_codes(self.heads[0], u @ self._weights(tied).T + bias, x)
        parts = [
            _of_codes(self.heads[self.kinds[d + j]], self._outputs(d + j, u[:, j], tied), x[:, j])
            for j in range(x.shape[1])
        ]
        return torch.stack(parts, dim=1)

    def log_probs_all(self, d: int, u: Tensor, tied: Tensor | None = None) -> Tensor:
        """(B, card_d) log masses of all codes of variable d from its vectors (B, width)."""
        heads = self.heads[self.kinds[d]]
        assert isinstance(heads, Heads)
        return heads.log_probs_all(self._outputs(d, u, tied))[:, 0]

    def log_tables(self, u: Tensor, tied: Tensor | None = None) -> Tensor:
        """(B, D, M) log masses of all codes of all variables from their vectors u (B, D, width);
        -inf beyond a variable's own codes."""
        if self.n_owners == 1:
            rows = self.bias.unflatten(0, (-1, self.widths[0]))
            heads, bias = self.heads[0], rows.index_select(0, self._rank[: self.D])
            assert isinstance(heads, Heads)
            return heads.log_probs_all(u @ self._weights(tied).T + bias).squeeze(-2)
        tables = [self.log_probs_all(d, u[:, d], tied) for d in range(self.D)]
        M = max(table.shape[1] for table in tables)
        return torch.stack([F.pad(t, (0, M - t.shape[1]), value=-math.inf) for t in tables], dim=1)

    def of_padded(self, out: np.ndarray | None, bias: np.ndarray) -> dict[str, np.ndarray]:
        """Weights by name from the arrays of earlier versions, which were as wide for each owner
        and variable as for the widest: (O, W, width), None if tied, and (D, W)."""
        arrays = {"bias": self.biases_of.flat(bias)}
        return arrays if out is None else arrays | {"weight": self.weights_of.flat(out)}

    def _outputs(self, d: int, u: Tensor, tied: Tensor | None) -> Tensor:
        w = self.widths[self.kinds[d]]
        weight, bias = int(self.weights_of.at[d % self.n_owners]), int(self._bias_at[d])
        return u @ self._weights(tied)[weight : weight + w].T + self.bias[bias : bias + w]

    def _weights(self, tied: Tensor | None) -> Tensor:
        weight = self.weight if tied is None else tied
        assert weight is not None
        return weight


class _Ragged:
    """Parts of different width one behind the other, those of one kind together.

    Args:
        kinds: (n,) of each part.
        widths: of each kind.

    Attributes:
        order: (n,) the parts in that order.
        at, rank: (n,) where each begins; and how many of its kind come before it.
        numbers, sizes: of each kind: how many parts, and how many entries they have together.
        total: entries of all.
    """

    def __init__(self, kinds: np.ndarray, widths: list[int]) -> None:
        width = np.array(widths)[kinds]
        self.width = width
        self.order = np.argsort(kinds, kind="stable")
        count = np.bincount(kinds, minlength=len(widths))
        self.numbers, self.sizes = count.tolist(), (count * widths).tolist()
        self.total = int(width.sum())
        self.at, self.rank = np.empty_like(kinds), np.empty_like(kinds)
        self.at[self.order] = np.cumsum(width[self.order]) - width[self.order]
        before = np.repeat(np.cumsum(count) - count, count)
        self.rank[self.order] = np.arange(len(kinds)) - before

    def flat(self, padded: np.ndarray) -> np.ndarray:
        """The entries of parts that were each as long as the longest, (n, W, ...)."""
        return np.concatenate([padded[i, : self.width[i]] for i in self.order.tolist()])


def _shape(variable: Variable) -> tuple[bool, int, bool]:
    """Variables of one shape have one kind of head."""
    return is_long(variable), variable.cardinality, is_long(variable) and variable.missing


def _of_codes(heads: nn.Module, outputs: Tensor, codes: Tensor) -> Tensor:
    """Log masses of codes (...) under heads of one variable, from their outputs (..., w)."""
    assert isinstance(heads, Heads)
    return heads.log_prob(outputs, codes.unsqueeze(-1)).squeeze(-1)
