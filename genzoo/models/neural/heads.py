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
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genzoo.models.neural.draws import gumbelled
from genzoo.models.neural.groups import (
    CELL_FLOATS,
    LARGEST_SCALE,
    N_COMPONENTS,
    SMALLEST_SCALE,
    START_SCALE,
    Group,
    Mixtures,
    Place,
    Softmaxes,
    grouped,
)
from genzoo.space.marginals import smoothed_all
from genzoo.space.schema import Schema, Variable

# A softmax can have any shape, and learns each code by itself; a mixture has few numbers, however
# many codes there are, and neighbours learn from each other.
LONGEST_CATEGORICAL = 32
PSEUDO_COUNT = 0.5  # where a marginal is one of two
VALUE = -2  # in a query beside MISSING: any value of the variable, but not its missing mark
NO_MASS = -1e30  # a log mass of nothing, with gradients that are finite


def is_long(variable: Variable) -> bool:
    """Whether the variable's head is a mixture of logistics and not a softmax over codes."""
    return variable.kind == "ordinal" and variable.n_values > LONGEST_CATEGORICAL


class Heads(nn.Module):
    """The layout of a network's outputs, variable after variable; it has no parameters.

    Tables of all codes are ragged: a tensor (..., G, m) for each group of G variables of about the
    same cardinality, m the largest of them (``neural/groups.py``).

    Attributes:
        softmaxes, mixtures: the groups of the two kinds.
        groups: all of them, in the order of ragged tables.
        categorical, logistic: which variables have a softmax, (Dc,), and a mixture, (Dl,).
        variable_of: (n_inputs,) which variable a feature belongs to.
        n_outputs: how many numbers the network must emit for a row.
        n_inputs: how many features ``onehot`` makes of a row, the first ``n_hot`` of them one-hot.
        first_features: (Dc,) the first of those of each variable that has a softmax.
        widths: how many of the outputs belong to each of the D variables, in order.
        table_size: how many numbers the tables of a row hold.
        table_floats: about how many are held on the way to them.
        floats: about how many ``log_prob`` holds for a row.
        M: the largest cardinality.
    """

    categorical: Tensor
    logistic: Tensor
    variable_of: Tensor
    _order: Tensor
    _feature_order: Tensor
    first_features: Tensor
    _first_code: Tensor
    _last_value: Tensor
    _marked: Tensor
    _marks: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        cards, end = schema.cards, schema.end
        long = np.array([is_long(v) for v in schema.variables])
        marked = np.array([v.missing for v in schema.variables])
        n_values = np.array([v.n_values for v in schema.variables])
        widths = np.where(long, 3 * N_COMPONENTS + marked, cards)
        starts = np.cumsum(widths) - widths
        self.schema, self.D, self.M, self.end = schema, schema.D, int(cards.max()), end
        self.widths: list[int] = widths.tolist()
        self.n_outputs = int(widths.sum())

        def places(own: np.ndarray) -> list[Place]:
            parts = [own[part] for part in grouped(cards[own])]
            return [Place(p, starts[p], cards[p], n_values[p], marked[p]) for p in parts]

        categorical, logistic = np.flatnonzero(~long), np.flatnonzero(long)
        hot, cut = places(categorical), places(logistic)
        self.softmaxes = [Softmaxes(place) for place in hot]
        self.mixtures = [Mixtures(place) for place in cut]
        self.groups: list[Group] = [*self.softmaxes, *self.mixtures]
        self._held = nn.ModuleList(self.groups)  # so that they move to a device
        self.table_size = sum(group.size for group in self.groups)
        self.table_floats = sum(group.floats for group in self.groups)
        # a softmax holds its logits, where they are padded or not, three times over
        self.floats = self.n_outputs + 3 * (
            sum(group.size for group in self.softmaxes) + int(widths[logistic].sum())
        )
        # features in the order of the groups: codes, values, marks, each by variable
        features = np.concatenate(
            [
                *(np.repeat(place.variables, place.cards) for place in hot),
                *(schema.D + place.variables for place in cut),
                *(2 * schema.D + place.variables[place.marked] for place in cut),
            ]
        )
        self.n_inputs, self.n_hot = len(features), int(cards[categorical].sum())
        for name, value in {
            "categorical": categorical,
            "logistic": logistic,
            "variable_of": np.sort(features) % schema.D,
            "_order": np.argsort(np.concatenate([p.variables for p in (*hot, *cut)])),
            "_feature_order": np.argsort(features, kind="stable"),
            "first_features": np.cumsum(cards[categorical]) - cards[categorical],  # (Dc,)
            "_first_code": np.cumsum(cards) - cards,  # (D,)
            "_last_value": n_values[logistic] - 1,
            "_marked": marked[logistic],
            "_marks": np.where(marked, cards - 1, 0),  # (D,) the mark's code, where there is one
        }.items():
            self.register_buffer(name, torch.as_tensor(value), persistent=False)

    # ---------------------------------------------------------------- groups and the schema's order

    def split(self, x: Tensor) -> list[Tensor]:
        """The columns (..., G) of each group, of x (..., D)."""
        if len(self.groups) == 1:
            return [x]
        return [x.index_select(-1, group.variables) for group in self.groups]

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """(..., D) in the order of the schema, from (..., G) of each group."""
        if len(parts) == 1:
            return parts[0]
        return torch.cat(list(parts), dim=-1).index_select(-1, self._order)

    def joined_features(self, parts: Sequence[Tensor]) -> Tensor:
        """(..., n_inputs) in the order of ``onehot``, from the codes of each of ``softmaxes``, then
        the values, then the marks of each of ``mixtures``."""
        if len(self.softmaxes) <= 1 and len(self.mixtures) <= 1:
            return torch.cat(list(parts), dim=-1)
        return torch.cat(list(parts), dim=-1).index_select(-1, self._feature_order)

    def code_index(self, x: Tensor) -> Tensor:
        """(..., D) where codes x lie among all codes, variable after variable."""
        return x + self._first_code

    def ragged(self, numbers: Tensor) -> list[Tensor]:
        """A ragged table (G, m) of a number for each of all codes, -inf beyond a variable's own."""
        tables = []
        for group in self.groups:
            at = self._first_code[group.variables].unsqueeze(-1) + torch.arange(
                group.legal.shape[-1], device=numbers.device
            )
            own = numbers[at.clamp(max=len(numbers) - 1)]
            tables.append(own.masked_fill(~group.legal, -math.inf))
        return tables

    def _at_codes(self, tables: Sequence[Tensor], x: Tensor) -> Tensor:
        """(..., D) the entries of ragged tables at codes x (..., D)."""
        pairs = zip(tables, self.split(x), strict=True)
        return self.joined([t.gather(-1, c.unsqueeze(-1)).squeeze(-1) for t, c in pairs])

    def marginal_outputs(self, rows: np.ndarray) -> np.ndarray:
        """(n_outputs,) float32 outputs whose distribution is near the marginals of ``rows`` (n, D):
        what to start the output layer's biases at."""
        variables = self.schema.variables
        # variable after variable, what is not reached as what is not known
        known = np.where(self.schema.reached(rows), rows, -1).astype(self.schema.code_type)
        columns = np.ascontiguousarray(known.T)
        seen = [own[own >= 0].astype(np.int64) for own in columns]  # to be doubled below
        short = [d for d, variable in enumerate(variables) if not is_long(variable)]
        counts = [np.bincount(seen[d], minlength=variables[d].cardinality) for d in short]
        masses = smoothed_all(counts, [variables[d] for d in short], of_two=PSEUDO_COUNT)
        logs = dict(zip(short, map(np.log, masses), strict=True))
        parts = [
            logs[d] if d in logs else _long_outputs(variable, seen[d])
            for d, variable in enumerate(variables)
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
        pairs = zip(self.groups, self.split(x), strict=True)
        return self.joined([group.log_prob(outputs, codes) for group, codes in pairs])

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

    def log_tables(self, outputs: Tensor) -> list[Tensor]:
        """Log masses of all codes, as a ragged table."""
        return [group.log_table(outputs) for group in self.groups]

    def log_probs_all(self, outputs: Tensor) -> Tensor:
        """(..., D, M) log mass of every code; -inf beyond a variable's cardinality. For few rows,
        or variables of about the same cardinality: every one is padded to the widest."""
        tables = [
            F.pad(table, (0, self.M - table.shape[-1]), value=-math.inf)
            for table in self.log_tables(outputs)
        ]
        return tables[0] if len(tables) == 1 else torch.cat(tables, dim=-2)[..., self._order, :]

    def completed(
        self, log_tables: Sequence[Tensor], x: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        """(N, D) rows x with what is ``MISSING`` or ``VALUE`` drawn, given log masses of all codes,
        a ragged table of N rows, variables independent; in strings the first END ends the row."""
        hidden = x < 0
        if self.end is not None:
            symbol = ~hidden & (x != self.end)
            later = symbol.flip(-1).cumsum(-1).flip(-1) > 0  # a symbol at or after this position
            ending = self._log_ending(log_tables, x, later).masked_fill(later, -math.inf)
            endings = self.split(ending)
        parts = []
        for i, (group, codes) in enumerate(zip(self.groups, self.split(x), strict=True)):
            barred = (codes == VALUE).unsqueeze(-1) & group.marks
            scores = log_tables[i].masked_fill(barred, -math.inf)
            if self.end is not None:
                scores[..., self.end] += endings[i]
            parts.append(gumbelled(scores, generator).argmax(dim=-1))
        return self.settled(torch.where(hidden, self.joined(parts), x))

    def _log_ending(self, log_tables: Sequence[Tensor], x: Tensor, later: Tensor) -> Tensor:
        """(N, D) by how much END at a hidden position is likelier for what is observed after it
        than another symbol there is: the log of 1 over the mass of the rest, given going on."""
        assert self.end is not None
        stop = self.joined([table[..., self.end] for table in log_tables])
        go_on = _log_complement(stop)
        own = self._at_codes(log_tables, x.clamp(min=0))
        rest = torch.zeros_like(stop[..., 0])
        parts = []
        for d in range(self.D - 1, -1, -1):
            parts.append(-rest)
            seen = x[..., d]
            after = torch.logaddexp(stop[..., d], go_on[..., d] + rest)
            after = torch.where(later[..., d], go_on[..., d] + rest, after)
            rest = torch.where(seen == self.end, stop[..., d], own[..., d] + rest)
            rest = torch.where(seen < 0, after, rest)
        return torch.stack(parts[::-1], dim=-1)

    def likeliest(self, log_tables: Sequence[Tensor]) -> Tensor:
        """(..., D) each variable's likeliest code in a ragged table; END..END after an END."""
        return self.settled(self.joined([table.argmax(dim=-1) for table in log_tables]))

    def log_probs_of(self, outputs: Tensor, d: int) -> Tensor:
        """(..., M) log mass of each of the M codes of variable d."""
        one = Heads(Schema((self.schema.variables[d],), "table", (1,))).to(outputs.device)
        first = sum(self.widths[:d])
        return one.log_probs_all(outputs[..., first : first + self.widths[d]]).squeeze(-2)

    def floats_of(self, d: int) -> int:
        """About how many numbers ``log_probs_of`` holds for a row beyond ``floats``."""
        variable = self.schema.variables[d]
        return CELL_FLOATS * variable.cardinality if is_long(variable) else 0

    # ---------------------------------------------------------------- samples and features

    def sample(self, outputs: Tensor, generator: torch.Generator | None) -> Tensor:
        """(..., D) int64 codes, drawn independently given ``outputs``; END..END after an END."""
        return self.settled(self.joined([g.sample(outputs, generator) for g in self.groups]))

    def onehot(self, x: Tensor, blank: Tensor | None = None) -> Tensor:
        """(..., n_inputs) features of rows: one-hot codes, then the long ordinals' scaled values
        in [-1, 1] (0 for the mark), then a flag for each missing mark of theirs.

        Where a code is below 0, the features are those of ``blank`` (n_inputs,).
        """
        if blank is not None and bool((x < 0).any()):
            hidden = (x < 0)[..., self.variable_of]
            return torch.where(hidden, blank, self.onehot(x.clamp(min=0)))
        hot = torch.zeros((*x.shape[:-1], self.n_hot), device=x.device)
        hot.scatter_(-1, x[..., self.categorical] + self.first_features, 1.0)
        return hot if not len(self.logistic) else torch.cat([hot, self._numbers(x)], dim=-1)

    def _numbers(self, x: Tensor) -> Tensor:
        """(..., n_inputs - n_hot) the features that are not one-hot."""
        code = x[..., self.logistic]
        is_mark = code > self._last_value
        value = (2 * code / self._last_value - 1).masked_fill(is_mark, 0.0)
        return torch.cat([value, is_mark[..., self._marked].float()], dim=-1)

    def projected(self, x: Tensor, weight: Tensor, blank: Tensor) -> Tensor:
        """(N, n_out) what ``onehot(x, blank) @ weight.T`` is, for rows x (N, D) and a weight
        (n_out, n_inputs), without the features that are one-hot: columns of the weight are
        gathered."""
        n, hidden = self.n_hot, x < 0
        columns = weight[:, :n].T
        codes = x[:, self.categorical]
        at = codes + self.first_features
        numbers = self._numbers(x.clamp(min=0))
        if bool(hidden.any()):
            # what is hidden has a column too, the mean of its codes'
            owner = torch.arange(len(self.categorical), device=x.device)
            sizes = torch.diff(self.first_features, append=torch.tensor([n], device=x.device))
            means = columns.new_zeros((len(owner), columns.shape[1])).index_add(
                0, owner.repeat_interleave(sizes), columns * blank[:n, None]
            )
            columns = torch.cat([columns, means])
            at = torch.where(codes < 0, n + owner, at)
            numbers = torch.where(hidden[:, self.variable_of[n:]], blank[n:], numbers)
        gathered = F.embedding_bag(at, columns.contiguous(), mode="sum")
        return gathered + numbers @ weight[:, n:].T

    def mean_features(self, rows: np.ndarray) -> np.ndarray:
        """(n_inputs,) float32 means of the features of rows (n, D), over entries that are not
        ``MISSING``; 0 where all are."""
        codes, values, marks = [], [], []
        for variable, column in zip(self.schema.variables, rows.T, strict=True):
            counts = np.bincount(column[column >= 0], minlength=variable.cardinality)
            shares = counts / max(1, counts.sum())
            if not is_long(variable):
                codes.append(shares)
                continue
            n = variable.n_values
            values.append(shares[:n] @ (2 * np.arange(n) / (n - 1) - 1))
            marks.append(shares[n:])
        return np.concatenate([*codes, values, *marks]).astype(np.float32)


def _log_complement(log_mass: Tensor) -> Tensor:
    """log(1 - mass), at least log 1e-7 where the mass is one."""
    return torch.log(-torch.expm1(log_mass.clamp(max=-1e-7)))


def _long_outputs(variable: Variable, seen: np.ndarray) -> np.ndarray:
    """``Heads.marginal_outputs`` of a long ordinal, of which these codes were seen."""
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
