"""The search for smoothing and lengths: counts of ever longer contexts, and what validation says.

Contexts grow by one value at a time. At each length every smoothing gives each validation event a
mass, and each group of variables the length that serves it best so far; contexts stop growing
where no group chooses the longer ones any more.

Robbins (1956), An empirical Bayes approach to statistics, Berkeley Symp. Math. Stat. Prob. 3.
Grünwald (2012), The safe Bayesian: learning the learning rate via the mixability gap, ALT.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from genzoo.fitting import Fit
from genzoo.models.ngram.smoothing import Events, Keys, Level, Rule, Tree, distinct

STRENGTHS = tuple(2.0**k for k in range(-2, 8))  # of Witten-Bell, tried on validation
MARGIN = 2.0  # standard errors by which Witten-Bell, with a strength a length, must do better
PATIENCE = 2  # lengths that no group chooses, whatever the smoothing, before the tree stops to grow
# Power of the likelihood of a validation sum in the choice of a length. Tuned on folds of the
# training rows of ad, cr52, cwebkb, c20ng, dna, tretail, plants, nltcs, alarm and breast_cancer,
# and on independent columns.
CREDIT = 0.5
ITERATIONS = 200  # of EM, on as many weights as there are lengths
MOST_PAIRS = 10_000_000  # of a context and a symbol, all lengths together: memory


@dataclass(frozen=True)
class Settings:
    """What to choose from.

    Attributes:
        most: longest context.
        smoothings: their strengths by name; a later one is taken where it is better by more than
            ``MARGIN`` standard errors.
        fixed: whether all contexts have the length ``most``, and only smoothing is chosen.
    """

    most: int
    smoothings: dict[str, tuple[float, ...]]
    fixed: bool


@dataclass(eq=False)
class _Counts:
    """Of one length: keys as in ``Level``, ``c`` (P,) plain counts and ``longer`` (P,) the numbers
    of longer contexts, known when those are counted; ``inner`` (P,) where there are some."""

    children: Keys
    pairs: Keys
    M: int
    n_nodes: int
    c: np.ndarray
    over: np.ndarray
    longer: np.ndarray | None = None
    inner: np.ndarray | None = None

    @property
    def node(self) -> np.ndarray:
        return self.pairs.keys // self.M

    def take_longer(self, other: _Counts, B: int) -> None:
        """``other`` counts the contexts one longer."""
        context, symbol = np.divmod(other.pairs.keys, self.M)
        at = self.pairs.find(other.children.keys[context] // B * self.M + symbol)
        types = np.bincount(at, minlength=len(self.c))
        known = np.bincount(at, weights=other.c, minlength=len(self.c))
        self.inner = (types > 0) & ~self.over[self.node]
        longer = types + (known < self.c)
        self.longer = np.where(self.over[self.node], self.c, longer)

    def smooth(self, rule: Rule, *, top: bool) -> tuple[np.ndarray, np.ndarray]:
        if top or rule.name == "witten_bell" or self.longer is None:
            return rule.smooth(self.node, self.c, self.n_nodes)
        return rule.smooth(self.node, self.longer, self.n_nodes, self.inner)


@dataclass(eq=False)
class _Chain:
    """Validation masses under one smoothing.

    Attributes:
        name: of the smoothing.
        strengths: to choose from at each length.
        below: (V,) with contexts that are one shorter than the present ones, not as full contexts.
        log_mass: (V,) with the present ones as full contexts.
        rules: the choice of each length so far.
        log_masses: (V,) ``log_mass`` at each length, in single precision.
        totals: (G,) sums of ``log_mass`` at each length.
    """

    name: str
    strengths: tuple[float, ...]
    below: np.ndarray
    log_mass: np.ndarray
    rules: list[Rule] = field(default_factory=list)
    log_masses: list[np.ndarray] = field(default_factory=list)
    totals: list[np.ndarray] = field(default_factory=list)

    def descend(self, counts: _Counts, at: np.ndarray, node: np.ndarray, pair: np.ndarray) -> None:
        """Contexts grow by one: those of ``counts`` are not the full ones any more."""
        own, left = counts.smooth(self.rules[-1], top=False)
        self.below[at] = own[pair] + left[node] * self.below[at]

    def lengthen(self, counts: _Counts, valid: Events, at: np.ndarray, node: np.ndarray) -> None:
        """Full contexts are those of ``counts``, with the strength that is best for them."""
        pair = counts.pairs.find(node * counts.M + valid.x[at])
        G = len(self.totals[-1]) if self.totals else counts.n_nodes
        others = np.ones(len(valid.x), dtype=bool)
        others[at] = False
        fixed = np.bincount(valid.group[others], weights=self.log_mass[others], minlength=G)
        tried = []
        for strength in self.strengths:
            rule = Rule(self.name, strength)
            own, left = counts.smooth(rule, top=True)
            log_mass = np.log(own[pair] + left[node] * self.below[at])
            total = fixed + np.bincount(valid.group[at], weights=log_mass, minlength=G)
            tried.append((float(total.sum()), rule, total, log_mass))
        _, rule, total, log_mass = max(tried, key=lambda one: one[0])
        self.rules.append(rule)
        self.totals.append(total)
        self.log_mass[at] = log_mass
        self.log_masses.append(self.log_mass.astype(np.float32))

    def lengths(self) -> np.ndarray:
        """(G,) the choice of each group so far."""
        return _lengths(np.array(self.totals))

    def value(self, lengths: np.ndarray) -> float:
        """The sum of all log masses with contexts of lengths (G,)."""
        return float(np.array(self.totals)[lengths, np.arange(len(lengths))].sum())

    def terms(self, lengths: np.ndarray, group: np.ndarray) -> np.ndarray:
        """(V,) the log mass of each event, of ``group`` (V,), with contexts of lengths (G,)."""
        terms = np.empty(len(group))
        for j, log_mass in enumerate(self.log_masses):
            own = lengths[group] == j
            terms[own] = log_mass[own]
        return terms


def _lengths(totals: np.ndarray) -> np.ndarray:
    """(G,) a length of context for each group, from validation sums (L, G), in nats, of each.

    The largest of several sums over few rows is an optimistic choice, so groups learn from each
    other: pi_j, the share of them that a length serves best, is estimated from all by EM, and a
    group takes the length of the largest pi_j exp(CREDIT total_j) (empirical Bayes, Robbins 1956;
    a power below 1 where the likelihood promises too much, Grünwald 2012). Where nothing depends
    all mass goes to length 0, and a group whose own sums tell little does as the others do. A
    penalty for each place would not do: the columns of ad gain less than a nat each, and 5 to 10
    a row together. A single group takes its best, unless there are next to no rows.
    """
    L, G = totals.shape
    log_mass = CREDIT * totals
    mass = np.exp(log_mass - log_mass.max(axis=0))
    # beside the groups, one that has no context and one that may have any
    prior = np.full(L, 1 / L) + (np.arange(L) == 0)
    shares = prior / 2
    for _ in range(ITERATIONS):
        shares = (shares * (mass @ (1 / (shares @ mass))) + prior) / (G + 2)
    choice: np.ndarray = (log_mass + np.log(shares)[:, None]).argmax(axis=0)
    return choice


class Search:
    """A search for smoothing and lengths: counts, and validation masses, up to a present length.

    Args:
        train: events to count.
        valid: events to choose on.
        cards: (G,) symbols of each group.
        B: all values of contexts lie below.
        edge: the value that stands for a place outside the row.
    """

    def __init__(
        self,
        train: Events,
        valid: Events,
        cards: np.ndarray,
        B: int,
        edge: int,
        settings: Settings,
    ) -> None:
        self.train, self.valid, self.settings = train, valid, settings
        self.cards, self.B, self.edge = cards, B, edge
        self.M = int(cards.max())
        self.counts: list[_Counts] = []
        self.lengths: list[np.ndarray] = []  # (G,) the best so far under each smoothing
        # the events whose contexts are known so far, and the number of each one's context
        self.at: slice | np.ndarray = slice(None)
        self.node = train.group
        self.v_at, self.v_node = np.arange(len(valid.x)), valid.group.astype(np.int64)
        uniform = 1.0 / cards[valid.group]
        self.chains = [
            _Chain(name, strengths, uniform.copy(), np.log(uniform))
            for name, strengths in settings.smoothings.items()
        ]

    def run(self, fit: Fit, *, per_row: float) -> tuple[Tree, list[Rule]]:
        """Count ever longer contexts; the tree, and the rule of each length.

        Args:
            fit: gets a point of the curve, and one of ``lengths``, for each length of contexts; the
                first is always done.
            per_row: events in a row, to tell the curve in nats per row.
        """
        most, last = self.settings.most, 0.0  # seconds of the last length: the next takes as many
        for j in range(most + 1):
            if j and not fit.goes_on("lengths", expected=last):
                break
            since = fit.clock.spent
            if not self.lengthen():
                break
            last = fit.clock.spent - since
            fit.did("lengths")
            fit.training.steps = j + 1
            fit.point(None, self.value * (per_row / max(1, len(self.valid.x))))
            fit.report(0.1 + 0.9 * (j + 1) / (most + 1), f"contexts of {j}")
            if self.over and not self.settings.fixed:
                break
        return self.chosen()

    def lengthen(self) -> bool:
        """Contexts of one value more; False where no event has that value."""
        j, B, M = len(self.counts), self.B, self.M
        children, over = Keys(np.arange(0)), np.zeros(len(self.cards), dtype=bool)
        if j:
            values = self.train.values(j - 1)[self.at]
            known = values >= 0
            if not known.any():
                return False
            if not known.all():
                self.at = np.arange(len(self.train.x), dtype=np.int32)[self.at][known]
                self.node, values = self.node[known], values[known]
            keys, self.node = distinct(np.multiply(self.node, B, dtype=np.int64) + values)
            children, over = Keys(keys), keys % B == self.edge
        symbols = self.train.x[self.at]
        found, which = distinct(np.multiply(self.node, M, dtype=np.int64) + symbols)
        level = _Counts(children, Keys(found), M, len(over), np.bincount(which), over)
        self.counts.append(level)
        if j:
            self.counts[-2].take_longer(level, B)
            self._descend(self.counts[-2], children)
        for chain in self.chains:
            chain.lengthen(level, self.valid, self.v_at, self.v_node)
        self.lengths = [chain.lengths() for chain in self.chains]
        return True

    def _descend(self, shorter: _Counts, children: Keys) -> None:
        """The validation events leave the contexts of ``shorter`` for those one longer."""
        at = self.v_at
        pair = shorter.pairs.find(self.v_node * self.M + self.valid.x[at])
        values = self.valid.values(len(self.counts) - 2)[at]
        longer = values >= 0
        following = children.find(self.v_node[longer] * self.B + values[longer])
        for chain in self.chains:
            chain.descend(shorter, at, self.v_node, pair)
            # where the longer context is new, the shorter one is not the full one any more
            new = at[longer][following < 0]
            chain.log_mass[new] = np.log(chain.below[new])
        self.v_at, self.v_node = at[longer][following >= 0], following[following >= 0]

    @property
    def value(self) -> float:
        """The sum of the validation log masses in nats, with the lengths that are best so far."""
        return max(map(_Chain.value, self.chains, self.lengths))

    @property
    def over(self) -> bool:
        """Whether longer contexts have no prospect, or there are too many pairs already."""
        j = len(self.counts) - 1
        stale = all(j - lengths.max() >= PATIENCE for lengths in self.lengths)
        return stale or sum(len(level.c) for level in self.counts) > MOST_PAIRS

    def chosen(self) -> tuple[Tree, list[Rule]]:
        """The best smoothing's tree, and the rule of each length."""
        choices = self.lengths
        if self.settings.fixed:
            choices = [np.full(len(self.cards), len(self.counts) - 1)] * len(self.chains)
        best, lengths = self.chains[0], choices[0]
        terms = best.terms(lengths, self.valid.group)
        for other, others in zip(self.chains[1:], choices[1:], strict=True):
            gain = other.terms(others, self.valid.group) - terms
            error = float(np.sqrt(len(gain)) * np.std(gain)) if len(gain) else 0.0
            if gain.sum() > MARGIN * error:
                best, lengths, terms = other, others, terms + gain
        counts = self.counts[: int(lengths.max()) + 1]
        tree = Tree(_levels(counts, best.rules), self.cards, lengths, self.B)
        return tree, best.rules[: len(counts)]


def _levels(counts: list[_Counts], rules: list[Rule]) -> list[Level]:
    levels = []
    for level, rule in zip(counts, rules, strict=False):
        top = level.smooth(rule, top=True)
        same = rule.name == "witten_bell" or level is counts[-1]
        below = top if same else level.smooth(rule, top=False)
        levels.append(Level(level.children, level.pairs, *below, *top))
    return levels
