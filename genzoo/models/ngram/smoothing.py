"""Counts of symbols in contexts of growing length, and their interpolated smoothing.

A context of length j is one of length j - 1 and one value more, farther away: contexts form a tree
whose roots are the groups (variables of a group share their counts). With c(h, x) the count of
symbol x after context h and h' the context one shorter,

    p(x | h) = (c(h, x) - d(h, x)) / (c(h) + b(h)) + g(h) p(x | h'),

below the root uniform, and p(x | h) = p(x | h') where h was never seen:

    Witten-Bell    d = 0, b(h) = s N(h), N(h) the number of distinct symbols after h,
                   g(h) = s N(h) / (c(h) + s N(h)); s = 1 in the original
    Kneser-Ney     b = 0, d one of three discounts D1, D2, D3+ by the size of the count, estimated
                   from the counts of counts of each length; g(h) = sum_x d(h, x) / c(h)

In Kneser-Ney the shorter contexts use not c but the number of distinct longer contexts in which
(h, x) was seen; the full context uses c. A context that reaches over the edge has no longer ones
to count and keeps c. An occurrence whose longer context is unknown counts as one more context.

Chen & Goodman (1999), An empirical study of smoothing techniques for language modeling, Computer
Speech and Language 13. Witten & Bell (1991), The zero-frequency problem: estimating the
probabilities of novel events in adaptive text compression, IEEE Trans. Inf. Theory 37. Robbins
(1956), An empirical Bayes approach to statistics, Berkeley Symp. Math. Stat. Prob. 3. Grünwald
(2012), The safe Bayesian: learning the learning rate via the mixability gap, ALT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

STRENGTHS = tuple(2.0**k for k in range(-2, 8))  # of Witten-Bell, tried on validation
MARGIN = 2.0  # standard errors by which Witten-Bell, with a strength a length, must do better
PATIENCE = 2  # lengths that no group chooses, whatever the smoothing, before the tree stops to grow
# Power of the likelihood of a validation sum in the choice of a length. Tuned on folds of the
# training rows of ad, cr52, cwebkb, c20ng, dna, tretail, plants, nltcs, alarm and breast_cancer,
# and on independent columns.
CREDIT = 0.5
ITERATIONS = 200  # of EM
MOST_PAIRS = 10_000_000  # of a context and a symbol, all lengths together
DENSE = 1 << 22  # keys up to here are counted in an array, not sorted


@dataclass(frozen=True)
class Rule:
    """A way to smooth: ``"witten_bell"`` with its strength s, or ``"kneser_ney"``."""

    name: str
    strength: float = 1.0

    def smooth(
        self, node: np.ndarray, counts: np.ndarray, n_nodes: int, whole: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(P + 1,) each pair's own mass, and 0 at the end; what each context leaves to the shorter.

        Args:
            node: (P,) the context of each pair of context and symbol.
            counts: (P,) positive.
            n_nodes: how many contexts there are.
            whole: (P,) which pairs the discounts are estimated from; None: all.
        """
        total = np.bincount(node, weights=counts, minlength=n_nodes)
        if self.name == "witten_bell":
            left: np.ndarray = self.strength * np.bincount(node, minlength=n_nodes)
            total = total + left
            own = counts / total[node]
        else:
            of_size = _discounts(counts if whole is None else counts[whole])
            discount = of_size[np.minimum(counts, 3).astype(np.int64)]
            own = (counts - discount) / total[node]
            left = np.bincount(node, weights=discount, minlength=n_nodes)
        left = np.divide(left, total, out=np.ones(n_nodes), where=total > 0)
        return np.append(own, 0.0), left


def _discounts(counts: np.ndarray) -> np.ndarray:
    """(4,) what is taken from counts of 0, 1, 2, and 3 or more.

    Where the counts of counts give no positive discount below the count itself, the single one of
    Ney, Essen & Kneser, n1 / (n1 + 2 n2), stands for it, and where that is 0 or 1, a half.
    """
    n = [np.count_nonzero(counts == c) for c in range(5)]
    single = n[1] / (n[1] + 2 * n[2]) if n[1] else 0.5
    single = single if 0 < single < 1 else 0.5
    found = np.zeros(4)
    for c in (1, 2, 3):
        d = c - (c + 1) * single * n[c + 1] / n[c] if n[c] else 0.0
        found[c] = d if 0 < d < c else single
    return found


class Keys:
    """Sorted distinct integers, found by an array where they lie close together."""

    def __init__(self, keys: np.ndarray) -> None:
        self.keys = keys
        self.table: np.ndarray | None = None
        if len(keys) and keys[-1] < max(DENSE, 8 * len(keys)):
            self.table = np.full(int(keys[-1]) + 2, -1, dtype=np.int32)
            self.table[keys] = np.arange(len(keys))

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, wanted: np.ndarray) -> np.ndarray:
        """(n,) where each of the non-negative integers ``wanted`` stands; -1 where it doesn't."""
        if len(self.keys) == 0:
            return np.full(len(wanted), -1)
        if self.table is not None:
            return self.table[np.minimum(wanted, len(self.table) - 1)].astype(np.int64)
        at = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[at] == wanted, at, -1)


def distinct(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sorted distinct non-negative integers of ``keys`` (n,), and (n,) which one each is."""
    if len(keys) and int(keys.max()) < max(DENSE, 2 * len(keys)):
        seen = np.zeros(int(keys.max()) + 1, dtype=bool)
        seen[keys] = True
        number = np.cumsum(seen, dtype=np.int32) - 1
        return np.flatnonzero(seen), number[keys]
    found, which = np.unique(keys, return_inverse=True)
    return found, which.reshape(-1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Events:
    """Symbols to count or to score, each with its group and the values before it.

    Attributes:
        x: (E,) symbols.
        group: (E,).
        values: of j, the (E,) values at place j of the context, the nearest first; negative from
            where on nothing is known.
    """

    x: np.ndarray
    group: np.ndarray
    values: Callable[[int], np.ndarray]


@dataclass(eq=False)
class Level:
    """All contexts of one length.

    Attributes:
        children: a context's number by the key (shorter context) * B + value.
        pairs: by the key context * M + symbol.
        own, left: (P + 1,) masses of pairs, the last of a pair that was not seen, and (N,) of
            contexts for shorter ones, below a longer context.
        own_top, left_top: the same where this is the full context.
    """

    children: Keys
    pairs: Keys
    own: np.ndarray
    left: np.ndarray
    own_top: np.ndarray
    left_top: np.ndarray


class Tree:
    """A fitted interpolated n-gram.

    Attributes:
        levels: by length, from 0.
        cards: (G,) symbols of each group.
        lengths: (G,) of the full context of each group.
        M: largest of ``cards``. B: the values of contexts lie below.
    """

    def __init__(self, levels: list[Level], cards: np.ndarray, lengths: np.ndarray, B: int) -> None:
        self.levels, self.cards, self.lengths = levels, cards, lengths
        self.M, self.B = int(cards.max()), B

    @property
    def K(self) -> int:
        """The longest context."""
        return len(self.levels) - 1

    def _depths(self, group: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(E,) the length of the full context of each event: less where values are unknown."""
        known = np.cumprod(values >= 0, axis=1).sum(axis=1)
        return np.minimum(self.lengths[group], known)

    def mass(self, group: np.ndarray, values: np.ndarray, x: np.ndarray) -> np.ndarray:
        """(E,) p(x | values), for values (E, K) as in ``Events``."""
        depth = self._depths(group, values)
        mass = np.empty(len(x))
        at, node = np.arange(len(x)), group.astype(np.int64)
        below = 1.0 / self.cards[group]
        for j, level in enumerate(self.levels):
            if j:
                node = level.children.find(node * self.B + values[at, j - 1])
                unseen = node < 0
                mass[at[unseen]] = below[unseen]
                at, node, below = at[~unseen], node[~unseen], below[~unseen]
            pair = level.pairs.find(node * self.M + x[at])
            top = depth[at] == j
            own = np.where(top, level.own_top[pair], level.own[pair])
            left = np.where(top, level.left_top[node], level.left[node])
            below = own + left * below
            mass[at[top]] = below[top]
            at, node, below = at[~top], node[~top], below[~top]
            if len(at) == 0:
                break
        return mass

    def masses(self, group: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(E, M) p(. | values); 0 beyond a group's symbols."""
        depth = self._depths(group, values)
        result = (np.arange(self.M) < self.cards[group][:, None]) / self.cards[group][:, None]
        at, node = np.arange(len(group)), group.astype(np.int64)
        for j, level in enumerate(self.levels):
            if j:
                node = level.children.find(node * self.B + values[at, j - 1])
                at, node = at[node >= 0], node[node >= 0]
            top = depth[at] == j
            first, end = (np.searchsorted(level.pairs.keys, (node + i) * self.M) for i in (0, 1))
            number = end - first
            event = np.repeat(np.arange(len(at)), number)
            pair = np.arange(len(event)) + np.repeat(first - np.cumsum(number) + number, number)
            result[at] *= np.where(top, level.left_top[node], level.left[node])[:, None]
            symbol = level.pairs.keys[pair] % self.M
            own = np.where(top[event], level.own_top[pair], level.own[pair])
            result[at[event], symbol] += own
            at, node = at[~top], node[~top]
            if len(at) == 0:
                break
        return result

    def state(self) -> dict[str, np.ndarray]:
        """Arrays; where the full context is smoothed as the others are, once."""
        arrays = {"cards": self.cards, "lengths": self.lengths, "B": np.array(self.B)}
        for j, level in enumerate(self.levels):
            arrays |= {f"children{j}": level.children.keys, f"pairs{j}": level.pairs.keys}
            arrays |= {f"own{j}": level.own, f"left{j}": level.left}
            if level.own_top is not level.own:
                arrays |= {f"own_top{j}": level.own_top, f"left_top{j}": level.left_top}
        return arrays

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray]) -> Tree:
        levels = []
        for j in range(sum(name.startswith("pairs") for name in arrays)):
            own, left = arrays[f"own{j}"], arrays[f"left{j}"]
            levels.append(
                Level(
                    Keys(arrays[f"children{j}"]),
                    Keys(arrays[f"pairs{j}"]),
                    own,
                    left,
                    arrays.get(f"own_top{j}", own),
                    arrays.get(f"left_top{j}", left),
                )
            )
        return cls(levels, arrays["cards"], arrays["lengths"], int(arrays["B"]))


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


def grow(
    train: Events,
    valid: Events,
    cards: np.ndarray,
    B: int,
    edge: int,
    most: int,
    smoothings: dict[str, tuple[float, ...]],
    *,
    fixed: bool,
    stop: Callable[[int, float], bool],
) -> tuple[Tree, list[Rule]]:
    """Count ever longer contexts, and choose smoothing and lengths on validation.

    Args:
        train: events to count.
        valid: events to choose on.
        cards: (G,) symbols of each group.
        B: all values of contexts lie below.
        edge: the value that stands for a place outside the row.
        most: longest context.
        smoothings: to choose from, and their strengths; a later one is taken where it is better
            by more than ``MARGIN`` standard errors.
        fixed: whether all contexts have the length ``most``, and only smoothing is chosen.
        stop: called with each length that is done and the log mass (sum) of the validation events
            with the contexts chosen among those up to it; True ends the search there.

    Returns:
        The tree, and the rule of each length.
    """
    M, G = int(cards.max()), len(cards)
    at: slice | np.ndarray = slice(None)
    node = train.group
    v_at, v_node = np.arange(len(valid.x)), valid.group.astype(np.int64)
    uniform = 1.0 / cards[valid.group]
    chains = [
        _Chain(name, strengths, uniform.copy(), np.log(uniform))
        for name, strengths in smoothings.items()
    ]
    counts: list[_Counts] = []
    for j in range(most + 1):
        children, over = Keys(np.arange(0)), np.zeros(G, dtype=bool)
        if j:
            values = train.values(j - 1)[at]
            known = values >= 0
            if not known.any():
                break
            if not known.all():
                at = np.arange(len(train.x), dtype=np.int32)[at][known]
                node, values = node[known], values[known]
            keys, node = distinct(np.multiply(node, B, dtype=np.int64) + values)
            children, over = Keys(keys), keys % B == edge
        found, which = distinct(np.multiply(node, M, dtype=np.int64) + train.x[at])
        counts.append(_Counts(children, Keys(found), M, len(over), np.bincount(which), over))
        if j:
            counts[-2].take_longer(counts[-1], B)
            v_pair = counts[-2].pairs.find(v_node * M + valid.x[v_at])
            values = valid.values(j - 1)[v_at]
            longer = values >= 0
            v_next = children.find(v_node[longer] * B + values[longer])
            for chain in chains:
                chain.descend(counts[-2], v_at, v_node, v_pair)
                # where the longer context is new, the shorter one is not the full one any more
                new = v_at[longer][v_next < 0]
                chain.log_mass[new] = np.log(chain.below[new])
            v_at, v_node = v_at[longer][v_next >= 0], v_next[v_next >= 0]
        for chain in chains:
            chain.lengthen(counts[-1], valid, v_at, v_node)
        choices = [(chain, chain.lengths()) for chain in chains]
        value = max(chain.value(lengths) for chain, lengths in choices)
        n_pairs = sum(len(level.c) for level in counts)
        stale = all(j - lengths.max() >= PATIENCE for _, lengths in choices)
        if stop(j, value) or (not fixed and (stale or n_pairs > MOST_PAIRS)):
            break

    if fixed:
        choices = [(chain, np.full(G, len(counts) - 1)) for chain in chains]
    chosen, lengths = choices[0]
    terms = chosen.terms(lengths, valid.group)
    for other, others in choices[1:]:
        gain = other.terms(others, valid.group) - terms
        error = float(np.sqrt(len(gain)) * np.std(gain)) if len(gain) else 0.0
        if gain.sum() > MARGIN * error:
            chosen, lengths, terms = other, others, terms + gain
    K = int(lengths.max())
    return _tree(counts[: K + 1], chosen.rules, cards, lengths, B), chosen.rules[: K + 1]


def _tree(
    counts: list[_Counts], rules: list[Rule], cards: np.ndarray, lengths: np.ndarray, B: int
) -> Tree:
    levels = []
    for level, rule in zip(counts, rules, strict=False):
        top = level.smooth(rule, top=True)
        same = rule.name == "witten_bell" or level is counts[-1]
        below = top if same else level.smooth(rule, top=False)
        levels.append(Level(level.children, level.pairs, *below, *top))
    return Tree(levels, cards, lengths, B)
