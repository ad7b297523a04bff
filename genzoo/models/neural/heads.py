"""From a network's outputs to log masses of the variables' own values.

A network emits ``n_outputs`` numbers for a row; ``Heads`` says which of them belong to which
variable and what they mean:

- nominal variables and short ordinal ones: a logit for each code (a softmax over the variable's own
  codes, so no mass lies outside the support; the missing mark is one of them);
- long ordinal ones (more than 32 values): a mixture of logistic distributions whose mass is cut
  into the cells of the codes, the end cells taking the tails (Salimans et al. 2017), and, where
  there is a missing mark, first the logit of "missing".

With cell c = (l, u], means m, scales s, a = (u - m) / s and b = (l - m) / s, the mass of a cell is

    sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - exp(b - a)),

and each factor has a stable logarithm: nothing underflows, so no cell needs an approximation and
the gradient is finite however far a value lies from every component.

Salimans, Karpathy, Chen & Kingma (2017), PixelCNN++, arXiv:1701.05517.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genzoo.models.neural.draws import categorical, gumbelled, uniform
from genzoo.space.marginals import smoothed
from genzoo.space.schema import Schema, Variable

# A softmax can have any shape, and learns each code by itself; a mixture has few numbers, however
# many codes there are, and neighbours learn from each other.
LONGEST_CATEGORICAL = 32
N_COMPONENTS = 5
# Scales lie between this share of a cell and this multiple of half the axis: beyond either bound
# they would change no mass, only the size of the gradients.
SMALLEST_SCALE, LARGEST_SCALE = 0.1, 10.0
START_SCALE = 0.3  # at output 0
PSEUDO_COUNT = 0.5  # where a marginal is one of two
VALUE = -2  # in a query beside MISSING: any value of the variable, but not its missing mark
NO_MASS = -1e30  # a log mass of nothing, with gradients that are finite


def is_long(variable: Variable) -> bool:
    """Whether the variable's head is a mixture of logistics and not a softmax over codes."""
    return variable.kind == "ordinal" and variable.n_values > LONGEST_CATEGORICAL


class Heads(nn.Module):
    """The layout of a network's outputs, variable after variable; it has no parameters.

    Attributes:
        categorical, logistic: which variables have a softmax, (Dc,), and a mixture, (Dl,).
        legal: (Dc, m) which logits are codes of the variable's own.
        n_values, marked: (Dl,) how many values a mixture is cut into; whether it has a mark.
        logistic_index: (Dl, 3 C + 1) which outputs are its weights, means, scales and mark.
        variable_of: (n_inputs,) which variable a feature belongs to.
        n_outputs: how many numbers the network must emit for a row.
        n_inputs: how many features ``onehot`` makes of a row.
        widths: how many of the outputs belong to each of the D variables, in order.
        M: the largest cardinality.
    """

    categorical: Tensor
    logistic: Tensor
    legal: Tensor
    _logit_index: Tensor
    logistic_index: Tensor
    n_values: Tensor
    marked: Tensor
    _order: Tensor
    _marks: Tensor
    variable_of: Tensor
    _lowest_log_scale: Tensor
    _spread: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        cards, end = schema.cards, schema.end
        long = np.array([is_long(v) for v in schema.variables])
        marked = np.array([v.missing for v in schema.variables])
        widths = np.where(long, 3 * N_COMPONENTS + marked, cards)
        starts = np.cumsum(widths) - widths
        self.schema, self.D, self.M, self.end = schema, schema.D, int(cards.max()), end
        self.widths: list[int] = widths.tolist()
        self.n_outputs = int(widths.sum())

        categorical, logistic = np.flatnonzero(~long), np.flatnonzero(long)
        self.n_categorical, self.n_logistic = len(categorical), len(logistic)
        m = int(cards[categorical].max()) if len(categorical) else 0
        legal = np.arange(m) < cards[categorical, None]  # (Dc, m)
        self._one_width = self.n_logistic == 0 and bool(legal.all())
        reach = np.arange(3 * N_COMPONENTS + 1)
        # a variable without a mark has no output for it: let the index fall on its first one
        reach = np.where(marked[logistic, None] | (reach < 3 * N_COMPONENTS), reach, 0)
        n_values = np.array([v.n_values for v in schema.variables])
        self.n_inputs = int(legal.sum()) + len(logistic) + int(marked[logistic].sum())

        for name, value in {
            "categorical": categorical,
            "logistic": logistic,
            "legal": legal,
            "_logit_index": np.where(legal, starts[categorical, None] + np.arange(m), 0),
            "logistic_index": starts[logistic, None] + reach,
            "n_values": n_values[logistic],
            "marked": marked[logistic],
            "_order": np.argsort(np.concatenate([categorical, logistic])),  # back to schema order
            "_lowest_log_scale": np.log(
                SMALLEST_SCALE * 2 / (n_values[logistic, None] - 1), dtype=np.float32
            ),  # (Dl, 1)
            "variable_of": np.concatenate(
                [np.repeat(categorical, legal.sum(axis=1)), logistic, logistic[marked[logistic]]]
            ),
            "_marks": np.where(marked, cards - 1, 0),  # (D,) the mark's code, where there is one
            "_spread": np.linspace(-0.8, 0.8, N_COMPONENTS).astype(np.float32),
        }.items():
            self.register_buffer(name, torch.as_tensor(value), persistent=False)

    # ---------------------------------------------------------------- the two kinds of parameters

    def logits(self, outputs: Tensor) -> Tensor:
        """(..., Dc, m) logits of the categorical variables, -inf beyond a variable's own codes."""
        if self._one_width:
            return outputs.unflatten(-1, (self.D, self.M))
        logits = outputs[..., self._logit_index]
        return logits.masked_fill(~self.legal, -math.inf)

    def mixtures(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Log weights, means, log scales (..., Dl, C) and the logit of "missing" (..., Dl).

        The axis puts the first code at -1 and the last at 1.
        """
        raw = outputs[..., self.logistic_index]  # (..., Dl, 3 C + 1)
        weight, mean, scale, mark = raw.split([N_COMPONENTS] * 3 + [1], dim=-1)
        low, high = self._lowest_log_scale, math.log(LARGEST_SCALE)
        start = torch.logit((math.log(START_SCALE) - low) / (high - low))
        log_scale = low + (high - low) * torch.sigmoid(start + scale / 2)
        return weight.log_softmax(dim=-1), mean + self._spread, log_scale, mark.squeeze(-1)

    def marginal_outputs(self, rows: np.ndarray) -> np.ndarray:
        """(n_outputs,) float32 outputs whose distribution is near the marginals of ``rows`` (n, D):
        what to start the output layer's biases at."""
        reached = self.schema.reached(rows)
        parts = [
            _marginal_outputs(variable, rows[reached[:, d] & (rows[:, d] >= 0), d])
            for d, variable in enumerate(self.schema.variables)
        ]
        return np.concatenate(parts).astype(np.float32)

    # ---------------------------------------------------------------- the END rule

    def reached(self, x: Tensor) -> Tensor:
        """(..., D) bool: positions up to and including the first END, as in ``space.strings``."""
        if self.end is None:
            return torch.ones_like(x, dtype=torch.bool)
        is_end = x == self.end
        return (is_end.cumsum(dim=-1) - is_end.long()) == 0

    def settled(self, x: Tensor) -> Tensor:
        """Codes x (..., D) with END in every place after the first END."""
        return x if self.end is None else x.masked_fill(~self.reached(x), self.end)

    # ---------------------------------------------------------------- log masses

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """(..., D) log mass of each variable's code, in nats; every position counts, END or not.

        Args:
            outputs: (..., n_outputs).
            x: (..., D) int64 codes; leading dimensions broadcast against those of ``outputs``.
        """
        parts = []
        if self.n_categorical:
            logits = self.logits(outputs)
            code = (x if self._one_width else x[..., self.categorical]).unsqueeze(-1)
            code = code.expand(*torch.broadcast_shapes(logits.shape[:-1], code.shape[:-1]), 1)
            logits = logits.expand(*code.shape[:-1], -1)
            parts.append(logits.gather(-1, code).squeeze(-1) - logits.logsumexp(dim=-1))
        if self.n_logistic:
            parts.append(self._logistic_log_prob(self.mixtures(outputs), x[..., self.logistic]))
        if len(parts) == 1:
            return parts[0]
        return torch.cat(parts, dim=-1)[..., self._order]

    def row_log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """(...) log mass of rows whose variables are independent given ``outputs``.

        In strings the product stops at the first END. ``MISSING`` codes are summed out; where a
        code is ``VALUE``, all values but the missing mark are.
        """
        return self.total(lambda codes: self.log_prob(outputs, codes), x)

    def total(self, terms_of: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """(...) log mass of rows x (..., D) in a product over variables.

        Args:
            terms_of: codes (..., D) to log masses (..., D) of each variable's own.
            x: codes, ``MISSING`` or ``VALUE`` in places.
        """
        hidden = x < 0
        if not bool(hidden.any()):
            terms = terms_of(x)
            return terms.sum(dim=-1) if self.end is None else (terms * self.reached(x)).sum(-1)
        terms = terms_of(x.clamp(min=0)).masked_fill(hidden, 0.0)
        if self.end is None:
            if bool((x == VALUE).any()):
                known = _log_complement(terms_of(self._marks.expand_as(x)))
                terms = torch.where(x == VALUE, known, terms)
            return terms.sum(dim=-1)
        # beside the product of the symbols so far: the mass of having ended
        stop = terms_of(torch.full_like(x, self.end))
        go_on = _log_complement(stop)
        running = torch.zeros_like(terms[..., 0])
        ended = torch.full_like(running, NO_MASS)
        nothing = torch.full_like(running, NO_MASS)
        for d in range(self.D):
            seen = x[..., d]
            may_end = torch.logaddexp(ended, running + stop[..., d])
            symbol = (seen >= 0) & (seen != self.end)
            step = torch.where(symbol, terms[..., d], go_on[..., d])
            running = torch.where(seen == self.end, nothing, running + step)
            ended = torch.where(symbol, nothing, may_end)
        return torch.logaddexp(running, ended)

    def completed(self, log_table: Tensor, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """(N, D) rows x with what is ``MISSING`` or ``VALUE`` drawn, given log masses of all codes
        (N, D, M), variables independent; in strings the first END ends the row."""
        hidden = x < 0
        marks = torch.arange(self.M, device=x.device) == self._marks.unsqueeze(-1)  # (D, M)
        scores = log_table.masked_fill((x == VALUE).unsqueeze(-1) & marks, -math.inf)
        if self.end is not None:
            scores = scores.clone()
            symbol = ~hidden & (x != self.end)
            later = symbol.flip(-1).cumsum(-1).flip(-1) > 0  # a symbol at or after this position
            scores[..., self.end] = scores[..., self.end].masked_fill(later, -math.inf)
            scores[..., self.end] += self._log_ending(log_table, x)
        drawn = gumbelled(scores, generator).argmax(dim=-1)
        return self.settled(torch.where(hidden, drawn, x))

    def _log_ending(self, log_table: Tensor, x: Tensor) -> Tensor:
        """(N, D) by how much END at a hidden position is likelier for what is observed after it
        than another symbol there is: the log of 1 over the mass of the rest, given going on."""
        assert self.end is not None
        stop = log_table[..., self.end]
        go_on = _log_complement(stop)
        rest = torch.zeros_like(stop[..., 0])
        parts = []
        for d in range(self.D - 1, -1, -1):
            parts.append(-rest)
            seen = x[..., d]
            own = log_table[..., d, :].gather(-1, seen.clamp(min=0).unsqueeze(-1)).squeeze(-1)
            after = torch.logaddexp(stop[..., d], go_on[..., d] + rest)
            later_symbol = ((x[..., d:] >= 0) & (x[..., d:] != self.end)).any(dim=-1)
            after = torch.where(later_symbol, go_on[..., d] + rest, after)
            rest = torch.where(seen == self.end, stop[..., d], own + rest)
            rest = torch.where(seen < 0, after, rest)
        return torch.stack(parts[::-1], dim=-1)

    def log_probs_all(self, outputs: Tensor) -> Tensor:
        """(..., D, M) log mass of every code; -inf beyond a variable's cardinality."""
        lead = outputs.shape[:-1]
        parts = []
        if self.n_categorical:
            logits = self.logits(outputs).log_softmax(dim=-1)
            parts.append(F.pad(logits, (0, self.M - logits.shape[-1]), value=-math.inf))
        if self.n_logistic:
            cards = self.n_values + self.marked
            code = torch.arange(self.M, device=outputs.device).unsqueeze(-1)  # (M, 1)
            legal = code < cards  # (M, Dl)
            weight, mean, log_scale, mark = (t.unsqueeze(len(lead)) for t in self.mixtures(outputs))
            terms = self._logistic_log_prob(
                (weight, mean, log_scale, mark), torch.minimum(code, cards - 1)
            )  # (..., M, Dl)
            parts.append(terms.masked_fill(~legal, -math.inf).transpose(-1, -2))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)[..., self._order, :]

    def _logistic_log_prob(
        self, mixtures: tuple[Tensor, Tensor, Tensor, Tensor], x: Tensor
    ) -> Tensor:
        """(..., Dl) log mass of codes ``x`` (..., Dl)."""
        log_weight, mean, log_scale, mark = mixtures
        last = self.n_values - 1  # (Dl,)
        is_mark = x > last
        code = torch.minimum(x, last)
        half = (1 / last).unsqueeze(-1)  # half a cell, (Dl, 1)
        at = (2 * code / last - 1).unsqueeze(-1)  # (..., Dl, 1)
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

    # ---------------------------------------------------------------- samples and features

    def sample(self, outputs: Tensor, generator: torch.Generator | None) -> Tensor:
        """(..., D) int64 codes, drawn independently given ``outputs``; END..END after an END."""
        parts = []
        if self.n_categorical:
            parts.append(categorical(self.logits(outputs).softmax(dim=-1), generator))
        if self.n_logistic:
            log_weight, mean, log_scale, mark = self.mixtures(outputs)
            chosen = categorical(log_weight.exp(), generator).unsqueeze(-1)
            noise, level = uniform((2, *mark.shape), generator, like=mark)
            at = mean.gather(-1, chosen).squeeze(-1)
            at = at + torch.logit(noise) * log_scale.gather(-1, chosen).squeeze(-1).exp()
            last = self.n_values - 1
            code = torch.minimum(torch.round((at + 1) / 2 * last).clamp(min=0), last).long()
            is_mark = self.marked & (level < torch.sigmoid(mark))
            parts.append(torch.where(is_mark, self.n_values, code))
        x = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)[..., self._order]
        return self.settled(x)

    def onehot(self, x: Tensor, blank: Tensor | None = None) -> Tensor:
        """(..., n_inputs) features of rows: one-hot codes, then the long ordinals' scaled values
        in [-1, 1] (0 for the mark), then a flag for each missing mark of theirs.

        Where a code is below 0, the features are those of ``blank`` (n_inputs,).
        """
        if blank is not None and bool((x < 0).any()):
            hidden = (x < 0)[..., self.variable_of]
            return torch.where(hidden, blank, self.onehot(x.clamp(min=0)))
        parts = []
        if self.n_categorical:
            hot = F.one_hot(x[..., self.categorical], self.legal.shape[-1])
            parts.append(hot[..., self.legal].float())
        if self.n_logistic:
            code = x[..., self.logistic]
            is_mark = code >= self.n_values
            parts.append((2 * code / (self.n_values - 1) - 1).masked_fill(is_mark, 0.0))
            parts.append(is_mark[..., self.marked].float())
        return torch.cat(parts, dim=-1)


def _log_complement(log_mass: Tensor) -> Tensor:
    """log(1 - mass), at least log 1e-7 where the mass is one."""
    return torch.log(-torch.expm1(log_mass.clamp(max=-1e-7)))


def _marginal_outputs(variable: Variable, seen: np.ndarray) -> np.ndarray:
    if not is_long(variable):
        counts = np.bincount(seen, minlength=variable.cardinality)
        return np.log(smoothed(counts, variable, of_two=PSEUDO_COUNT))
    C, n = N_COMPONENTS, variable.n_values
    outputs = np.zeros(3 * C + variable.missing)
    values = seen[seen < n]
    if len(values):
        # a component for each fifth of the values: its median, and half its width
        at = 2 * values / (n - 1) - 1
        bounds = np.quantile(at, np.arange(2 * C + 1) / (2 * C))
        outputs[C : 2 * C] = bounds[1::2] - np.linspace(-0.8, 0.8, C)
        scale = np.clip((bounds[2::2] - bounds[:-1:2]) / 4, 0.5 / (n - 1), LARGEST_SCALE / 2)
        low, high = math.log(SMALLEST_SCALE * 2 / (n - 1)), math.log(LARGEST_SCALE)
        share = (np.log([START_SCALE, *scale]) - low) / (high - low)
        logit = np.log(share) - np.log1p(-share)
        outputs[2 * C : 3 * C] = 2 * (logit[1:] - logit[0])
    if variable.missing:
        n_marks = len(seen) - len(values)
        outputs[-1] = np.log((n_marks + PSEUDO_COUNT) / (len(values) + PSEUDO_COUNT))
    return outputs
