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
estimate (Miller 1955). Candidates are first ranked by what each tells alone, which of columns the
mutual information of all pairs says at once. Where a budget leaves places open, the next in rank
fill them. Contexts of chosen factors are those of factored language models (Bilmes &
Kirchhoff 2003); chosen by information in a fixed order of the variables, they are a Bayesian
network's parents.

Bilmes & Kirchhoff (2003), Factored language models and generalized parallel backoff, HLT-NAACL.
Miller (1955), Note on the bias of information estimates.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from genzoo.fitting import Fit
from genzoo.models.ngram.smoothing import Events, counted, distinct
from genzoo.models.shared.column_order import arranged, shared_information
from genzoo.space.schema import MISSING, Schema

MOST_LENGTH = 16  # values of a context, each a level of the tree
# Places are chosen on a part of the training events: more tell candidates better apart, and time
# grows with events times candidates times places.
MOST_CANDIDATES = 40  # those that tell most of the symbol by themselves
CHOICE_EVENTS = 40_000  # on which places are chosen
SCREEN_EVENTS = 4_000  # on which candidates are
SPARSE_FROM = 4  # cells an event, from which those that hold some are told from all others
REACH = 4  # pixels: the candidates grow with its square
UNKNOWN = -2  # a place beyond which there is no context


@dataclass(frozen=True, eq=False)
class Contexts:
    """The variables' groups, the order in which they come, and their places.

    Attributes:
        order: (D,) variables, each after those that its context looks at.
        group: (D,) of each variable.
        sources: (D, K) what fills each place: a column, or D for a place outside the row, D + 1 for
            an unknown one, D + 2 + k for the number k.
        edge: the value of a place outside the row.
        B: all values of places lie below.
    """

    order: np.ndarray
    group: np.ndarray
    sources: np.ndarray
    edge: int
    B: int

    def by_variable(self, rows: np.ndarray) -> np.ndarray:
        """(D, n) the entries of rows (n, D), in the smallest type that holds all values of places.

        An entry that is ``MISSING`` is as unknown as what lies beyond it, and so is every longer
        context.
        """
        return np.ascontiguousarray(rows.T, dtype=np.min_scalar_type(-self.B))

    def events(self, table: np.ndarray, marked: np.ndarray, variables: np.ndarray) -> Events:
        """The entries of some variables that are ``marked`` (D, n), of rows ``by_variable``:
        variable by variable."""
        marked = marked[variables]
        group = np.repeat(self.group[variables].astype(np.int32), marked.sum(axis=1))
        every = bool(marked.all())

        def of_events(found: np.ndarray) -> np.ndarray:
            return found.reshape(-1) if every else found[marked]

        def values(j: int) -> np.ndarray:
            place = self.sources[variables, j]
            found = table[np.where(place < len(table), place, 0)]
            fixed = place >= len(table)
            found[fixed] = self._fixed(place[fixed])[:, None]
            return of_events(found)

        return Events(of_events(table[variables]), group, values)

    def value(self, rows: np.ndarray, v: int, j: int) -> np.ndarray:
        """(n,) what variable v has at place j, in rows (n, D)."""
        place = self.sources[v, j]
        if place < rows.shape[1]:
            return rows[:, place]
        return np.full(len(rows), self._fixed(place[None])[0])

    def looked_up(self, rows: np.ndarray, i: np.ndarray, places: np.ndarray) -> np.ndarray:
        """(E,) what stands at a place (E,) of its own in each of rows ``i`` (E,)."""
        inside = places < rows.shape[1]
        return np.where(inside, rows[i, np.where(inside, places, 0)], self._fixed(places))

    def _fixed(self, places: np.ndarray) -> np.ndarray:
        """What stands at places that are no columns."""
        D = len(self.order)
        number = places - (D + 2)
        return np.where(places == D, self.edge, np.where(places == D + 1, UNKNOWN, number))


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


def choose(
    schema: Schema, rows: np.ndarray, cards: np.ndarray, fit: Fit, share: float = 1.0
) -> Contexts:
    """Contexts for rows (n, D) of bins; ``cards`` (D,) their numbers. Each place that is chosen is
    one of the fit's ``places``, in the first ``share`` of a budget in seconds."""
    group, M = groups(schema), int(cards.max())
    if schema.layout == "table" or len(np.unique(group)) == schema.D > 1:
        shared = shared_information(rows, cards)
        order = arranged(shared) if schema.layout == "table" else np.arange(schema.D)
        base, pace = Contexts(order, group, np.empty((0, 0)), M, M + 1), _Pace(fit, share)
        return _of_columns(base, shared, rows, pace)
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
    return _of_channels(base, _neighbours(schema, at, channel), rows, _Pace(fit, share))


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


def _of_columns(contexts: Contexts, shared: np.ndarray, rows: np.ndarray, pace: _Pace) -> Contexts:
    """Fill the places of each column of a table, those first of which the others tell most;
    ``shared`` (D, D) is the information of two columns."""
    D = rows.shape[1]
    before = [contexts.order[:t] for t in np.argsort(contexts.order)]
    ranked = [
        columns[np.argsort(-shared[v, columns], kind="stable")[:MOST_CANDIDATES]]
        for v, columns in enumerate(before)
    ]
    told = [shared[v, columns].sum() for v, columns in enumerate(ranked)]
    some = pace.fit.rng("ngram", "contexts").permutation(len(rows))[:CHOICE_EVENTS]
    table = contexts.by_variable(rows[np.sort(some)])
    sources = np.full((D, MOST_LENGTH), D + 1)
    for v in np.argsort(told, kind="stable")[::-1].tolist():
        seen = table[v] != MISSING
        values = table[ranked[v]][:, seen]
        picked = _places(values, table[v][seen].astype(np.int64), contexts.B, pace)
        sources[v, : len(picked)] = ranked[v][picked]
    return _trimmed(contexts, sources)


def _of_channels(
    contexts: Contexts, places: list[np.ndarray], rows: np.ndarray, pace: _Pace
) -> Contexts:
    """Fill the places of each channel with some of those in ``places`` of each variable."""
    D = rows.shape[1]
    sources = np.full((D, MOST_LENGTH), D + 1)
    rng = pace.fit.rng("ngram", "contexts")
    for g in range(int(contexts.group.max()) + 1):
        own = np.flatnonzero(contexts.group == g)
        table = np.array([places[d] for d in own])  # (variables of the group, candidates)
        some = np.sort(rng.permutation(len(rows))[: -(-CHOICE_EVENTS * 4 // len(own))])
        i, v = np.nonzero(rows[some][:, own] != MISSING)
        part = np.sort(rng.permutation(len(i))[:CHOICE_EVENTS])
        i, v = some[i[part]], v[part]
        x, ranked = rows[i, own[v]].astype(np.int64), np.arange(table.shape[1])

        def values(
            every: int,
            ranked: np.ndarray,
            i: np.ndarray = i,
            of: np.ndarray = table[v],
        ) -> np.ndarray:
            kept = [contexts.looked_up(rows, i[::every], of[::every, c]) for c in ranked]
            return np.array(kept).reshape(len(ranked), -1)

        if pace.goes_on():
            every = -(-len(x) // SCREEN_EVENTS) if len(x) else 1
            few = _Cells(x[::every], contexts.B)
            alone = few.entropies(values(every, ranked))
            ranked = np.argsort(alone, kind="stable")[:MOST_CANDIDATES]
            pace.did()
        picked = ranked[_places(values(1, ranked), x, contexts.B, pace)]
        sources[own, : len(picked)] = table[:, picked]
    return _trimmed(contexts, sources)


def _trimmed(contexts: Contexts, sources: np.ndarray) -> Contexts:
    """With as many places as some variable has."""
    filled = (sources != len(sources) + 1).any(axis=0)
    return replace(contexts, sources=sources[:, : max(1, int(filled.sum()))])


class _Pace:
    """Asks whether another place may be chosen; it takes about as long as the last one did."""

    def __init__(self, fit: Fit, share: float) -> None:
        self.fit, self.clock = fit, fit.clock.part(share)
        self.last, self.since = 0.0, 0.0

    def goes_on(self) -> bool:
        if not self.fit.goes_on("places", clock=self.clock, expected=self.last):
            return False
        self.since = self.clock.spent
        return True

    def did(self) -> None:
        self.fit.did("places")
        self.last = self.clock.spent - self.since


def _places(values: np.ndarray, x: np.ndarray, B: int, pace: _Pace) -> list[int]:
    """The candidates that fill the places, in order.

    Args:
        values: (candidates, E) of each event, the candidates by what they tell alone.
        x: (E,) symbols.
        B: all values lie below.
    """
    left, picked = list(range(len(values))), list[int]()
    cells = _Cells(x, B)
    while len(x) and left and len(picked) < MOST_LENGTH and pace.goes_on():
        entropies = cells.entropies(values[left])
        best = int(entropies.argmin())
        pace.did()
        if entropies[best] >= cells.entropy:
            break
        picked.append(left.pop(best))
        cells = cells.split(values[picked[-1]], float(entropies[best]))
    # more rows than these may know what the others are good for
    return picked + left[: MOST_LENGTH - len(picked)]


class _Cells:
    """Events by the context that they have so far.

    Attributes:
        x: (E,) symbols. node: (E,) of contexts, below ``n_nodes``.
        entropy: nats of a symbol given its context, with Miller's correction.
    """

    def __init__(
        self, x: np.ndarray, B: int, node: np.ndarray | None = None, entropy: float = np.inf
    ) -> None:
        self.x, self.M, self.V = x, int(x.max(initial=0)) + 1, B + 1
        self.node = np.zeros(len(x), dtype=np.int64) if node is None else node
        self.n_nodes, self.entropy = int(self.node.max(initial=0)) + 1, entropy
        if node is None and len(x):
            self.entropy = float(self.entropies(np.zeros((1, len(x)), dtype=np.int64))[0])

    def split(self, values: np.ndarray, entropy: float) -> _Cells:
        """With contexts longer by one of the values (E,)."""
        node = distinct(self.node * self.V + self._known(values))[1].astype(np.int64)
        return _Cells(self.x, self.V - 1, node, entropy)

    def _known(self, values: np.ndarray) -> np.ndarray:
        """What is not known is a value of its own."""
        return np.where(values < 0, self.V - 1, values.astype(np.int64))

    def entropies(self, values: np.ndarray) -> np.ndarray:
        """(C,) with contexts that are longer by each of some values (C, E)."""
        E, size = len(self.x), self.n_nodes * self.M * self.V
        if size > SPARSE_FROM * E:
            return np.array([self._sparse(own) for own in values])
        keys = (self.node * self.M + self.x) * self.V + self._known(values)
        keys += np.arange(len(values))[:, None] * size
        counts = np.bincount(keys.ravel(), minlength=len(values) * size)
        counts = counts.reshape(len(values), self.n_nodes, self.M, self.V)
        total = counts.sum(axis=2)
        n_log_n = np.arange(E + 1) * np.log(np.maximum(np.arange(E + 1), 1))
        plain = n_log_n[total].sum(axis=(1, 2)) - n_log_n[counts].sum(axis=(1, 2, 3))
        cells = np.count_nonzero(counts, axis=(1, 2, 3)) - np.count_nonzero(total, axis=(1, 2))
        return np.asarray((plain + cells / 2) / E)

    def _sparse(self, values: np.ndarray) -> float:
        cells, counts = counted((self.node * self.V + self._known(values)) * self.M + self.x)
        context = cells // self.M
        first = np.flatnonzero(np.append(True, context[1:] > context[:-1]))
        total = np.add.reduceat(counts, first)
        plain = float((total * np.log(total)).sum() - (counts * np.log(counts)).sum())
        return (plain + (len(cells) - len(first)) / 2) / len(self.x)
