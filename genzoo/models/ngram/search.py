"""The search for smoothing and lengths: counts of ever longer contexts, and what validation says.

Contexts grow by one value at a time. At each length every smoothing gives each validation event a
mass, and each group of variables the length that serves it best so far; contexts stop growing
where no group chooses the longer ones any more.

Robbins (1956), An empirical Bayes approach to statistics, Berkeley Symp. Math. Stat. Prob. 3.
Grünwald (2012), The safe Bayesian: learning the learning rate via the mixability gap, ALT.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from genzoo.fitting import Fit
from genzoo.models.ngram.smoothing import (
    Events,
    Keys,
    Level,
    Rule,
    Tree,
    counted,
    distinct,
    merged,
    of_witten_bell,
)

STRENGTHS = tuple(2.0**k for k in range(-2, 8))  # of Witten-Bell, tried on validation
MARGIN = 2.0  # standard errors by which Witten-Bell, with a strength a length, must do better
PATIENCE = 2  # lengths that no group chooses, whatever the smoothing, before the tree stops to grow
# Power of the likelihood of a validation sum in the choice of a length. Tuned on folds of the
# training rows of ad, cr52, cwebkb, c20ng, dna, tretail, plants, nltcs, alarm and breast_cancer,
# and on independent columns.
CREDIT = 0.5
ITERATIONS = 200  # of EM, on as many weights as there are lengths
MOST_PAIRS = 16_000_000  # of a context and a symbol, all lengths together: memory, some 1.2 GB
MORE, AT_END = 1.3, 0.2  # a length's time as a part of the last one's; of the tree's at the end


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

    def __post_init__(self) -> None:
        self.total = np.bincount(self.node, weights=self.c, minlength=self.n_nodes)
        self.kinds = np.bincount(self.node, minlength=self.n_nodes)

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

    def masses(
        self, rules: list[Rule], node: np.ndarray, x: np.ndarray, below: np.ndarray
    ) -> Iterator[np.ndarray]:
        """By each of some rules of one name, (E,) masses of symbols ``x`` (E,) after the full
        contexts ``node`` (E,); ``below`` (E,) those after contexts one shorter."""
        pair = self.pairs.find(node * self.M + x)
        if rules[0].name == "witten_bell":
            of_events = (np.append(self.c, 0)[pair], self.total[node], self.kinds[node])
            yield from (of_witten_bell(rule.strength, *of_events, below) for rule in rules)
        else:
            for own, left in (self.smooth(rule, top=True) for rule in rules):
                yield own[pair] + left[node] * below


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
        G = len(self.totals[-1]) if self.totals else counts.n_nodes
        others = np.ones(len(valid.x), dtype=bool)
        others[at] = False
        fixed = np.bincount(valid.group[others], weights=self.log_mass[others], minlength=G)
        rules, tried = [Rule(self.name, strength) for strength in self.strengths], []
        masses = counts.masses(rules, node, valid.x[at], self.below[at])
        for rule, log_mass in zip(rules, map(np.log, masses), strict=True):
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


@dataclass(eq=False)
class _Stretch:
    """Training events: those whose contexts are known so far, and the number of each one's."""

    events: Events
    at: slice | np.ndarray
    node: np.ndarray

    def lengthen(self, j: int, B: int) -> np.ndarray:
        """The sorted keys of its contexts with the value at place j, which become their numbers."""
        values = self.events.values(j)[self.at]
        known = values >= 0
        if not known.all():
            self.at = np.arange(len(self.events.x), dtype=np.int32)[self.at][known]
            self.node, values = self.node[known], values[known]
        keys, self.node = distinct(np.multiply(self.node, B, dtype=np.int64) + values)
        return keys

    def pairs(self, M: int) -> tuple[np.ndarray, np.ndarray]:
        """The sorted keys of its pairs of context and symbol, and how often each is there."""
        return counted(np.multiply(self.node, M, dtype=np.int64) + self.events.x[self.at])


class Search:
    """A search for smoothing and lengths: counts, and validation masses, up to a present length.

    Args:
        train: events to count, in stretches: each is held in memory at a time.
        valid: events to choose on.
        cards: (G,) symbols of each group.
        B: all values of contexts lie below.
        edge: the value that stands for a place outside the row.
    """

    def __init__(
        self,
        train: Iterable[Events],
        valid: Events,
        cards: np.ndarray,
        B: int,
        edge: int,
        settings: Settings,
    ) -> None:
        self.valid, self.settings = valid, settings
        self.cards, self.B, self.edge = cards, B, edge
        self.M = int(cards.max())
        self.counts: list[_Counts] = []
        self.lengths: list[np.ndarray] = []  # (G,) the best so far under each smoothing
        self.stretches = [_Stretch(events, slice(None), events.group) for events in train]
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
        most, began, last = self.settings.most, fit.clock.spent, 0.0
        for j in range(most + 1):
            since = fit.clock.spent
            if j and not fit.goes_on("lengths", expected=MORE * last + AT_END * (since - began)):
                break
            counts = self._counted()
            if counts is None:
                break
            if j and self.n_pairs + len(counts.c) > MOST_PAIRS:
                fit.stop("lengths", "steps")
                break
            self.lengthen(counts)
            last = fit.clock.spent - since
            fit.did("lengths")
            fit.training.steps = j + 1
            fit.point(None, self.value * (per_row / max(1, len(self.valid.x))))
            fit.report(0.1 + 0.9 * (j + 1) / (most + 1), f"contexts of {j}")
            if self.stale and not self.settings.fixed:
                break
        return self.chosen()

    def _counted(self) -> _Counts | None:
        """Of contexts one value longer; None where no event has that value."""
        j, B, M = len(self.counts), self.B, self.M
        children, over = np.arange(0), np.zeros(len(self.cards), dtype=bool)
        if j:
            found = [stretch.lengthen(j - 1, B) for stretch in self.stretches]
            children = np.concatenate([*found, children])
            if not len(children):
                return None
            if not _ascend(children):
                children = merged(children)
            for stretch, own in zip(self.stretches, found, strict=True):
                stretch.node = np.searchsorted(children, own).astype(np.int32)[stretch.node]
            over = children % B == self.edge
        pairs, c = _together([stretch.pairs(M) for stretch in self.stretches])
        return _Counts(Keys(children), Keys(pairs), M, len(over), c, over)

    def lengthen(self, counts: _Counts) -> None:
        """Contexts of one value more, which are counted."""
        self.counts.append(counts)
        if len(self.counts) > 1:
            self.counts[-2].take_longer(counts, self.B)
            self._descend(self.counts[-2], counts.children)
        for chain in self.chains:
            chain.lengthen(counts, self.valid, self.v_at, self.v_node)
        self.lengths = [chain.lengths() for chain in self.chains]

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
    def stale(self) -> bool:
        """Whether longer contexts have no prospect."""
        j = len(self.counts) - 1
        return all(j - lengths.max() >= PATIENCE for lengths in self.lengths)

    @property
    def n_pairs(self) -> int:
        """Pairs of a context and a symbol, of all lengths so far."""
        return sum(len(counts.c) for counts in self.counts)

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


def _ascend(keys: np.ndarray) -> bool:
    return bool((keys[1:] > keys[:-1]).all())


def _together(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The sorted distinct keys of several counts (keys, how often), and how often all have each."""
    keys, c = (np.concatenate(column) for column in zip(*parts, strict=True))
    if _ascend(keys):
        return keys, c
    found, which = distinct(keys)
    return found, np.bincount(which, weights=c).astype(np.int64)


def _levels(counts: list[_Counts], rules: list[Rule]) -> list[Level]:
    levels = []
    for level, rule in zip(counts, rules, strict=False):
        top = level.smooth(rule, top=True)
        same = rule.name == "witten_bell" or level is counts[-1]
        below = top if same else level.smooth(rule, top=False)
        levels.append(Level(level.children, level.pairs, *below, *top))
    return levels
