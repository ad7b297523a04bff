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
probabilities of novel events in adaptive text compression, IEEE Trans. Inf. Theory 37.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

DENSE = 1 << 22  # keys up to here are found by an array, not by bisection: memory for time
SPREAD = 8  # keys this many times as far apart as there are of them are counted in an array


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


def of_witten_bell(
    strength: float, counts: np.ndarray, total: np.ndarray, kinds: np.ndarray, below: np.ndarray
) -> np.ndarray:
    """(E,) masses of events by Witten-Bell, as ``Rule.smooth`` has them.

    Args:
        counts, total, kinds: (E,) of each event's pair of context and symbol, of its context, and
            of the distinct symbols after that.
        below: (E,) masses with the contexts one shorter.
    """
    left = strength * kinds
    total = total + left
    seen = total > 0
    own = np.divide(counts, total, out=np.zeros(len(total)), where=seen)
    return own + np.divide(left, total, out=np.ones(len(total)), where=seen) * below


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
    """Sorted distinct integers, found by an array where they lie close together.

    >>> Keys(np.array([3, 7])).find(np.array([7, 4]))
    array([ 1, -1])
    """

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
    """The sorted distinct integers of ``keys`` (n,), and (n,) which one each is.

    >>> distinct(np.array([7, 3, 7]))
    (array([3, 7]), array([1, 0, 1], dtype=int32))
    """
    low, span = _range(keys)
    if span <= SPREAD * len(keys):
        seen = np.zeros(span, dtype=bool)
        seen[keys - low] = True
        number = np.cumsum(seen, dtype=np.int32) - 1
        return np.flatnonzero(seen) + low, number[keys - low]
    bits = len(keys).bit_length()
    if span >= 1 << (63 - bits):
        found, which = np.unique(keys, return_inverse=True)
        return found, which.reshape(-1).astype(np.int32)
    # to sort numbers, each with its place in its last bits, takes half the time of sorting places
    ordered = ((keys - low) << bits) | np.arange(len(keys))
    ordered.sort()
    place, ordered = ordered & ((1 << bits) - 1), ordered >> bits
    first = _is_first(ordered)
    which = np.empty(len(keys), dtype=np.int32)
    which[place] = np.cumsum(first, dtype=np.int32) - 1
    return ordered[first] + low, which


def merged(keys: np.ndarray) -> np.ndarray:
    """The sorted distinct integers of ``keys`` (n,).

    >>> merged(np.array([7, 3, 7]))
    array([3, 7])
    """
    ordered = np.sort(keys)
    return ordered[_is_first(ordered)]


def _is_first(ordered: np.ndarray) -> np.ndarray:
    """(n,) which of some sorted numbers are not the one before."""
    first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first


def counted(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sorted distinct integers of ``keys`` (n,), and how often each is there.

    >>> counted(np.array([7, 3, 7]))
    (array([3, 7]), array([1, 2]))
    """
    low, span = _range(keys)
    if span <= SPREAD * len(keys):
        counts = np.bincount(keys - low, minlength=span)
        found = np.flatnonzero(counts)
        return found + low, counts[found]
    return np.unique(keys, return_counts=True)


def _range(keys: np.ndarray) -> tuple[int, int]:
    """The least of some integers, and how many there are from it up to the largest."""
    low = int(keys.min(initial=np.iinfo(np.int64).max))
    return (low, int(keys.max()) - low + 1) if len(keys) else (0, 0)


@dataclass(frozen=True, eq=False)
class Events:
    """Symbols to count or to score, each with its group and the values before it.

    Attributes:
        x: (E,) symbols.
        group: (E,).
        values: of j, the (E,) values at place j of the context, the nearest first, in any integer
            type; negative from where on nothing is known.
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

    @property
    def n_pairs(self) -> int:
        """Pairs of a context and a symbol that were counted."""
        return sum(len(level.pairs) for level in self.levels)

    def known(self, group: np.ndarray, values: Callable[[int], np.ndarray]) -> np.ndarray:
        """(E,) the length of the longest part of each context that was seen, at most the full one,
        of events of ``group`` (E,) with ``values`` as in ``Events``."""
        length = np.zeros(len(group), dtype=np.int64)
        at, node = np.arange(len(group)), group.astype(np.int64)
        for j in range(self.K):
            at, node = (a[self.lengths[group[at]] > j] for a in (at, node))
            farther = values(j)[at]
            at, node, farther = (a[farther >= 0] for a in (at, node, farther))
            node = self.levels[j + 1].children.find(node * self.B + farther)
            at, node = at[node >= 0], node[node >= 0]
            length[at] = j + 1
        return length

    def mass(self, events: Events) -> np.ndarray:
        """(E,) p(x | values) of each event."""
        mass = np.empty(len(events.x))
        at, node = np.arange(len(mass)), events.group.astype(np.int64)
        below = 1.0 / self.cards[node]
        for j, level in enumerate(self.levels):
            top = self.lengths[events.group[at]] == j
            if not top.all():
                farther = events.values(j)[at]
                top |= farther < 0
            pair = level.pairs.find(node * self.M + events.x[at])
            own = np.where(top, level.own_top[pair], level.own[pair])
            left = np.where(top, level.left_top[node], level.left[node])
            below = own + left * below
            mass[at[top]] = below[top]
            if top.all():
                break
            at, below = at[~top], below[~top]
            node = self.levels[j + 1].children.find(node[~top] * self.B + farther[~top])
            unseen = node < 0
            mass[at[unseen]] = below[unseen]
            at, node, below = at[~unseen], node[~unseen], below[~unseen]
        return mass

    def masses(self, group: int, n: int, values: Callable[[int], np.ndarray]) -> np.ndarray:
        """(n, cards[group]) p(. | values) of events of a group, with ``values`` as in ``Events``:
        those that have the same context share the work."""
        at, node, which = np.arange(n), np.full(n, group), np.empty(n, dtype=np.int64)
        ended: list[tuple[np.ndarray, np.ndarray]] = []  # by length: contexts, and which are full
        for j in range(int(self.lengths[group]) + 1):
            full, following = np.ones(len(at), dtype=bool), np.full(len(at), -1)
            if j < self.lengths[group]:
                farther = values(j)[at]
                full = farther < 0
                longer = node[~full] * self.B + farther[~full]
                following[~full] = self.levels[j + 1].children.find(longer)
            ends = following < 0
            contexts, own = distinct(2 * node[ends] + full[ends])
            which[at[ends]] = own + sum(len(nodes) for nodes, _ in ended)
            ended.append((contexts // 2, contexts % 2 == 1))
            at, node = at[~ends], following[~ends]
        return self._of_contexts(group, ended)[which]

    def _of_contexts(self, group: int, ended: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """(N, cards[group]) p(. | each of some contexts), by length: (their nodes, which of them
        are full ones)."""
        path = [np.arange(0)]  # from the longest: the nodes on the way to contexts as long, or more
        for j in reversed(range(len(ended))):
            level = self.levels[min(j + 1, self.K)]
            above = level.children.keys[path[-1]] // self.B
            path.append(np.concatenate([ended[j][0], above]))
        masses = np.full((len(path[-1]), int(self.cards[group])), 1.0 / self.cards[group])
        for level, node, (_, full) in zip(self.levels, path[:0:-1], ended, strict=False):
            part = masses[len(masses) - len(node) :]
            full = np.append(full, np.zeros(len(node) - len(full), dtype=bool))
            first, end = (np.searchsorted(level.pairs.keys, (node + k) * self.M) for k in (0, 1))
            number = end - first
            context = np.repeat(np.arange(len(node)), number)
            pair = np.arange(len(context)) + np.repeat(first - np.cumsum(number) + number, number)
            own = np.where(full[context], level.own_top[pair], level.own[pair])
            part *= np.where(full, level.left_top[node], level.left[node])[:, None]
            part[context, level.pairs.keys[pair] % self.M] += own
        return masses

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
