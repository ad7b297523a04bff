"""The two kinds of heads, each for a group of variables of about the same cardinality.

What a group computes is padded to its widest variable, so a table of all codes is one tensor; wide
variables lie in groups of their own, so the tables of all groups together hold at most twice as
many numbers as there are codes. Variables of one width make one group.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genzoo.models.neural.draws import categorical, uniform

N_COMPONENTS = 5
CELL_FLOATS = 8 * N_COMPONENTS  # that a mixture holds on the way to the mass of one cell
# Scales lie between this share of a cell and this multiple of half the axis: beyond either bound
# they would change no mass, only the size of the gradients.
SMALLEST_SCALE, LARGEST_SCALE = 0.1, 10.0
START_SCALE = 0.3  # at output 0
# Padded tables hold at most so many numbers a code: less takes more groups, each with calls of its
# own, more takes memory.
MOST_PADDING = 2


def grouped(cards: np.ndarray) -> list[np.ndarray]:
    """Positions in ``cards`` (n,), a group for each array: few groups, of similar cardinality.

    >>> grouped(np.array([2, 9, 3, 1000, 2]))
    [array([0, 1, 2, 4]), array([3])]
    """
    if not len(cards):
        return []
    order = np.argsort(cards, kind="stable")
    widths, cuts = cards[order], [0, len(cards)]

    def padded(cuts: list[int]) -> int:
        return sum(int(widths[b - 1]) * (b - a) for a, b in itertools.pairwise(cuts))

    changes = (np.flatnonzero(np.diff(widths)) + 1).tolist()
    while padded(cuts) > MOST_PADDING * widths.sum():
        cuts = min((sorted([*cuts, c]) for c in changes if c not in cuts), key=padded)
    return [np.sort(order[a:b]) for a, b in itertools.pairwise(cuts)]


@dataclass(frozen=True)
class Place:
    """Where the variables of a group have their numbers; G of them, m the largest cardinality.

    Attributes:
        variables: (G,) which of the schema's.
        starts: (G,) the first output of each.
        cards, n_values: (G,) cardinalities, with and without the missing mark.
        marked: (G,) whether there is one.
    """

    variables: np.ndarray
    starts: np.ndarray
    cards: np.ndarray
    n_values: np.ndarray
    marked: np.ndarray


class Group(nn.Module):
    """What both kinds have in common; there are no parameters.

    Attributes:
        variables: (G,) which of the schema's.
        legal: (G, m) which entries of a table are codes of the variable's own.
        marks: (G, m) which of them are its missing mark.
        size: of a table, G m.
        floats: about how many ``log_table`` holds for a row.
    """

    variables: Tensor
    legal: Tensor
    marks: Tensor

    def __init__(self, place: Place) -> None:
        super().__init__()
        code, cards = np.arange(place.cards.max()), place.cards[:, None]
        self._hold("variables", place.variables)
        self._hold("legal", code < cards)
        self._hold("marks", place.marked[:, None] & (code == cards - 1))
        self.size = self.floats = self.legal.numel()

    def _hold(self, name: str, value: np.ndarray) -> None:
        self.register_buffer(name, torch.as_tensor(value), persistent=False)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """(..., G) log mass of codes x (..., G)."""
        raise NotImplementedError

    def log_table(self, outputs: Tensor) -> Tensor:
        """(..., G, m) log mass of every code; -inf beyond a variable's own."""
        raise NotImplementedError

    def sample(self, outputs: Tensor, generator: torch.Generator | None) -> Tensor:
        """(..., G) codes."""
        raise NotImplementedError


class Softmaxes(Group):
    """A logit for each code."""

    _index: Tensor
    _codes: Tensor

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        G, m = self.legal.shape
        index = place.starts[:, None] + np.arange(m)
        self.first = int(place.starts[0])
        self._full = bool(self.legal.all())
        # outputs that lie together are looked at where they are, others are copied
        self._together = self._full and bool((index.ravel() == self.first + np.arange(G * m)).all())
        self._hold("_index", np.where(self.legal.numpy(), index, 0).ravel())
        self._hold("_codes", np.flatnonzero(self.legal.numpy()))

    def logits(self, outputs: Tensor) -> Tensor:
        """(..., G, m), -inf beyond a variable's own codes."""
        if self._together:
            own = outputs.narrow(-1, self.first, self.size)
        else:
            own = outputs.index_select(-1, self._index)
        logits = own.unflatten(-1, self.legal.shape)
        return logits if self._full else logits.masked_fill(~self.legal, -math.inf)

    def features(self, table: Tensor) -> Tensor:
        """(..., sum of cardinalities) the entries of a table (..., G, m) that are codes."""
        flat = table.flatten(start_dim=-2)
        return flat if self._full else flat.index_select(-1, self._codes)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        logits, code = self.logits(outputs), x.unsqueeze(-1)
        if self._full and logits.shape[-1] == 2:
            # of two codes their difference says all: a quarter of the time, there and back
            zero, one = logits.unbind(dim=-1)
            return F.logsigmoid((2 * x - 1) * (one - zero))
        shape = np.broadcast_shapes(logits.shape[:-1], x.shape)  # torch's takes 0.1 ms
        own = logits.expand(*shape, -1).gather(-1, code.expand(*shape, 1)).squeeze(-1)
        return own - logits.logsumexp(dim=-1)

    def log_table(self, outputs: Tensor) -> Tensor:
        return self.logits(outputs).log_softmax(dim=-1)

    def sample(self, outputs: Tensor, generator: torch.Generator | None) -> Tensor:
        return categorical(self.logits(outputs).softmax(dim=-1), generator)


class Mixtures(Group):
    """A mixture of logistic distributions, cut into the cells of the values, and a mark's logit.

    Attributes:
        index: (G, 3 C + 1) which outputs are its weights, means, scales and mark.
        n_values, marked: (G,) how many values it is cut into; whether there is a mark.
    """

    index: Tensor
    n_values: Tensor
    marked: Tensor
    _lowest_log_scale: Tensor
    _spread: Tensor

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.floats = CELL_FLOATS * self.size
        reach = np.arange(3 * N_COMPONENTS + 1)
        # a variable without a mark has no output for it: let the index fall on its first one
        reach = np.where(place.marked[:, None] | (reach < 3 * N_COMPONENTS), reach, 0)
        lowest = np.log(SMALLEST_SCALE * 2 / (place.n_values[:, None] - 1), dtype=np.float32)
        self._hold("index", place.starts[:, None] + reach)
        self._hold("n_values", place.n_values)
        self._hold("marked", place.marked)
        self._hold("_lowest_log_scale", lowest)  # (G, 1)
        self._hold("_spread", np.linspace(-0.8, 0.8, N_COMPONENTS).astype(np.float32))

    def parameters_of(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Log weights, means, log scales (..., G, C) and the logit of "missing" (..., G).

        The axis puts the first code at -1 and the last at 1.
        """
        raw = outputs[..., self.index]  # (..., G, 3 C + 1)
        weight, mean, scale, mark = raw.split([N_COMPONENTS] * 3 + [1], dim=-1)
        low, high = self._lowest_log_scale, math.log(LARGEST_SCALE)
        start = torch.logit((math.log(START_SCALE) - low) / (high - low))
        log_scale = low + (high - low) * torch.sigmoid(start + scale / 2)
        return weight.log_softmax(dim=-1), mean + self._spread, log_scale, mark.squeeze(-1)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        return self._log_prob(self.parameters_of(outputs), x)

    def log_table(self, outputs: Tensor) -> Tensor:
        cards = self.n_values + self.marked
        code = torch.arange(self.legal.shape[-1], device=outputs.device).unsqueeze(-1)  # (m, 1)
        weight, mean, log_scale, mark = self.parameters_of(outputs)
        each = (weight.unsqueeze(-3), mean.unsqueeze(-3), log_scale.unsqueeze(-3))
        codes = torch.minimum(code, cards - 1)
        terms = self._log_prob((*each, mark.unsqueeze(-2)), codes)  # (..., m, G)
        return terms.transpose(-1, -2).masked_fill(~self.legal, -math.inf)

    def _log_prob(self, parameters: tuple[Tensor, Tensor, Tensor, Tensor], x: Tensor) -> Tensor:
        log_weight, mean, log_scale, mark = parameters
        last = self.n_values - 1  # (G,)
        is_mark = x > last
        code = torch.minimum(x, last)
        half = (1 / last).unsqueeze(-1)  # half a cell, (G, 1)
        at = (2 * code / last - 1).unsqueeze(-1)  # (..., G, 1)
        inverse = torch.exp(-log_scale)
        below = F.logsigmoid((at + half - mean) * inverse)  # log sigma(a)
        above = F.logsigmoid((mean - at + half) * inverse)  # log sigma(-b)
        narrow = torch.log(-torch.expm1(-2 * half * inverse))  # log(1 - exp(b - a))
        first_cell, last_cell = (code == 0).unsqueeze(-1), (code == last).unsqueeze(-1)
        mass = (
            below.masked_fill(last_cell, 0.0)
            + above.masked_fill(first_cell, 0.0)
            + narrow.masked_fill(first_cell | last_cell, 0.0)
        )
        value = (log_weight + mass).logsumexp(dim=-1)
        marked = torch.where(is_mark, F.logsigmoid(mark), F.logsigmoid(-mark) + value)
        return torch.where(self.marked, marked, value)

    def sample(self, outputs: Tensor, generator: torch.Generator | None) -> Tensor:
        log_weight, mean, log_scale, mark = self.parameters_of(outputs)
        chosen = categorical(log_weight.exp(), generator).unsqueeze(-1)
        noise, level = uniform((2, *mark.shape), generator, like=mark)
        at = mean.gather(-1, chosen).squeeze(-1)
        at = at + torch.logit(noise) * log_scale.gather(-1, chosen).squeeze(-1).exp()
        last = self.n_values - 1
        code = torch.minimum(torch.round((at + 1) / 2 * last).clamp(min=0), last).long()
        is_mark = self.marked & (level < torch.sigmoid(mark))
        return torch.where(is_mark, self.n_values, code)
