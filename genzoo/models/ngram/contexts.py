"""What each variable of a row looks at: which variables share counts, and the order of a context.

The first places of a context are the last to be dropped in backing off.

    strings     all positions share their counts; the characters before, nearest first. Strings
                with END have a mark before their beginning; windows of text have not, and their
                first characters have shorter contexts.
    sequences   of channels, or of other variables that are alike at all steps: a channel shares
                its counts over the steps. Places may be filled by any channel one step before,
                lower channels of the same step, the same channel further back, and the step's
                number.
    images      a channel shares its counts over the pixels. Places may be filled by pixels up to
                ``REACH`` away that come before in raster order, lower channels of the same pixel,
                and the pixel's row and column.
    tables      each column has its own counts, and places may be filled by the columns before it.
                Columns are read in an order in which neighbours share much
                (``shared/column_order.py``). So are rows of variables that are not alike.

Where there is a choice, each place goes to what tells most of the symbol beside the places before
it: the least conditional entropy in a part of the training rows, less the bias of the plug-in
estimate (Miller 1955). Contexts of chosen factors are those of factored language models (Bilmes &
Kirchhoff 2003); chosen by information in a fixed order of the variables, they are a Bayesian
network's parents.

Bilmes & Kirchhoff (2003), Factored language models and generalized parallel backoff, HLT-NAACL.
Miller (1955), Note on the bias of information estimates.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from genzoo.models.ngram.smoothing import Events, distinct
from genzoo.models.shared.column_order import column_order
from genzoo.seeding import numpy_rng
from genzoo.space.schema import MISSING, Schema

MOST_LENGTH = 16  # values of a context, each a level of the tree
# Places are chosen on a part of the training events: more tell candidates better apart, and time
# grows with events times candidates times places.
MOST_CANDIDATES = 40  # those that tell most of the symbol by themselves
CHOICE_EVENTS = 40_000  # on which places are chosen
SCREEN_EVENTS = 4_000  # on which candidates are
REACH = 4  # pixels: the candidates grow with its square
UNKNOWN = -2  # a place beyond which there is no context


@dataclass(frozen=True, eq=False)
class Contexts:
    """The variables' groups, the order in which they come, and their places.

    Attributes:
        order: (D,) variables, each after those that its context looks at.
        group: (D,) of each variable.
        sources: (D, K) columns of ``padded`` rows.
        edge: the value of a place outside the row.
        B: all values of places lie below.
    """

    order: np.ndarray
    group: np.ndarray
    sources: np.ndarray
    edge: int
    B: int

    def padded(self, rows: np.ndarray) -> np.ndarray:
        """(n, D + 2 + B): the row, a place outside, an unknown one, and a column for each number.

        An entry that is ``MISSING`` is as unknown, and so is every longer context.
        """
        fixed = np.concatenate([[self.edge, UNKNOWN], np.arange(self.B)])
        parts = (rows, np.broadcast_to(fixed, (len(rows), len(fixed))))
        return np.concatenate(parts, axis=1, dtype=np.int32, casting="unsafe")

    def events(self, rows: np.ndarray, counted: np.ndarray) -> Events:
        """The entries of rows (n, D) that ``counted`` (n, D) marks, row by row."""
        padded = self.padded(rows)
        group = np.broadcast_to(self.group.astype(np.int32), rows.shape)

        def values(j: int) -> np.ndarray:
            return padded[:, self.sources[:, j]][counted]

        return Events(padded[:, : rows.shape[1]][counted], group[counted], values)


def groups(schema: Schema) -> np.ndarray:
    """(D,) the channel of each variable where its variables are alike; else all differ.

    >>> groups(Schema.infer(["ab", "ba"]))
    array([0, 0])
    """
    own = np.arange(schema.D)
    if schema.layout == "table":
        return own
    channel = _lattice(schema)[1]
    return channel if schema.alike(channel) else own


def _lattice(schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    """(D, 1 or 2) the step, or row and column, of each variable, and (D,) its channel."""
    shape = schema.event_shape
    if schema.layout == "sequence":
        step, channel = np.divmod(np.arange(schema.D), schema.D // shape[0])
        return step[:, None], channel
    H, W = shape[-2:]
    channel, pixel = np.divmod(np.arange(schema.D), H * W)
    return np.stack(np.divmod(pixel, W), axis=1), channel


def choose(schema: Schema, rows: np.ndarray, cards: np.ndarray, *, seed: int) -> Contexts:
    """Contexts for rows (n, D) of bins; ``cards`` (D,) their numbers."""
    group, M = groups(schema), int(cards.max())
    if schema.layout == "table" or len(np.unique(group)) == schema.D > 1:
        order = column_order(rows, cards) if schema.layout == "table" else np.arange(schema.D)
        places = [order[:t] for t in np.argsort(order)]
        return _chosen(Contexts(order, group, np.empty((0, 0)), M, M + 1), places, rows, seed)
    at, channel = _lattice(schema)
    if schema.end is not None or schema.alphabet is not None:
        back = np.arange(schema.D)[:, None] - 1 - np.arange(min(MOST_LENGTH, schema.D))
        # a window of a longer text has no beginning
        outside = schema.D if schema.end is not None else schema.D + 1
        sources = np.where(back >= 0, back, np.where(back == -1, outside, schema.D + 1))
        return Contexts(np.arange(schema.D), group, sources, M, M + 1)
    order = np.lexsort((channel, *at.T[::-1]))
    B = max(M + 1, int(at.max()) + 1)
    base = Contexts(order, group, np.empty((0, 0)), M, B)
    return _chosen(base, _neighbours(schema, at, channel), rows, seed)


def _neighbours(schema: Schema, at: np.ndarray, channel: np.ndarray) -> list[np.ndarray]:
    """For each variable the columns that may fill its places: as many for all of a channel."""
    C, size = int(channel.max()) + 1, at.max(axis=0) + 1
    D = schema.D
    where = np.full((*size, C), D)
    where[(*at.T, channel)] = np.arange(D)
    steps: list[tuple[int, ...]]
    if schema.layout == "sequence":
        steps = [(s,) for s in range(1, MOST_LENGTH + 1)]
    else:
        window = itertools.product(range(REACH + 1), range(-REACH, REACH + 1))
        steps = [(y, x) for y, x in window if y > 0 or x > 0]
    offsets = [(s, c) for s in steps for c in range(C)]
    places: list[list[np.ndarray]] = [[] for _ in range(C)]
    for c in range(C):
        own = np.flatnonzero(channel == c)
        for step, other in offsets:
            if schema.layout == "sequence" and step[0] > 1 and other != c:
                continue
            there = at[own] - np.array(step)
            inside = ((there >= 0) & (there < size)).all(axis=1)
            found = where[(*np.where(inside[:, None], there, 0).T, other)]
            places[c].append(np.where(inside, found, D))
        places[c] += [where[(*at[own].T, lower)] for lower in range(c)]
        places[c] += [D + 2 + at[own, axis] for axis in range(at.shape[1])]
    result: list[np.ndarray] = [np.arange(0)] * D
    for c in range(C):
        for d, row in zip(np.flatnonzero(channel == c), np.array(places[c]).T, strict=True):
            result[d] = row
    return result


def _chosen(contexts: Contexts, places: list[np.ndarray], rows: np.ndarray, seed: int) -> Contexts:
    """Fill the places of each group, one after the other."""
    D = rows.shape[1]
    sources = np.full((D, MOST_LENGTH), D + 1)
    rng = numpy_rng(seed, "ngram", "contexts")
    for g in range(int(contexts.group.max()) + 1):
        own = np.flatnonzero(contexts.group == g)
        table = np.array([places[d] for d in own])  # (variables of the group, candidates)
        some = np.sort(rng.permutation(len(rows))[: -(-CHOICE_EVENTS * 4 // len(own))])
        i, v = np.nonzero(rows[some][:, own] != MISSING)
        part = np.sort(rng.permutation(len(i))[:CHOICE_EVENTS])
        i, v = some[i[part]], v[part]
        if table.shape[1] == 0 or len(i) == 0:
            continue
        padded = contexts.padded(rows[np.unique(i)])
        i = np.searchsorted(np.unique(i), i)
        x = padded[i, own[v]].astype(np.int64)
        picked = _places(padded, i, table[v], x, contexts.B)
        sources[own, : len(picked)] = table[:, picked]
    width = max(1, int((sources != D + 1).any(axis=0).sum()))
    return replace(contexts, sources=sources[:, :width])


def _places(
    padded: np.ndarray, i: np.ndarray, columns: np.ndarray, x: np.ndarray, B: int
) -> list[int]:
    """The candidates that fill the places, in order.

    Args:
        padded: rows, as of ``Contexts``.
        i: (E,) each event's row.
        columns: (E, candidates) of ``padded``.
        x: (E,) symbols.
        B: all values lie below.
    """
    M = int(x.max()) + 1

    def seen(at: np.ndarray, c: int) -> np.ndarray:
        values = padded[i[at], columns[at, c]].astype(np.int64)
        return np.where(values < 0, B, values)

    few, every = np.arange(0, len(x), -(-len(x) // SCREEN_EVENTS)), np.arange(len(x))
    alone = [_entropy(seen(few, c), x[few], M) for c in range(columns.shape[1])]
    ranked = np.argsort(alone, kind="stable")[:MOST_CANDIDATES]
    values = {c: seen(every, c) for c in ranked.tolist()}
    node, least = np.zeros(len(x), dtype=np.int64), _entropy(np.zeros_like(x), x, M)
    picked: list[int] = []
    while values and len(picked) < MOST_LENGTH:
        entropy = {c: _entropy(node * (B + 1) + v, x, M) for c, v in values.items()}
        best = min(entropy, key=lambda c: entropy[c])
        if entropy[best] >= least:
            break
        least = entropy[best]
        picked.append(best)
        node = distinct(node * (B + 1) + values.pop(best))[1]
    # more rows than these may know what the others are good for
    return picked + list(values)[: MOST_LENGTH - len(picked)]


def _entropy(keys: np.ndarray, x: np.ndarray, M: int) -> float:
    """Nats of x given the keys, with Miller's correction."""
    found, node = distinct(keys)
    cells, cell = distinct(node * M + x)
    counts = np.bincount(cell)
    total = np.bincount(node)
    plain = float((total * np.log(total)).sum() - (counts * np.log(counts)).sum())
    return (plain + (len(cells) - len(found)) / 2) / len(x)
